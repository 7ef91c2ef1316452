/* What every trick needs. A call that fails ends it loudly; status 77 says that this kernel, or
 * this place in it, does not let the trick be played. */
#ifndef TRICK_H
#define TRICK_H

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#define MUST(call)                                                                         \
	({                                                                                 \
		long result_ = (long)(call);                                               \
		if (result_ == -1) {                                                       \
			perror(#call);                                                     \
			exit(1);                                                           \
		}                                                                          \
		result_;                                                                   \
	})

__attribute__((noreturn, unused)) static void cannot(const char *what)
{
	fprintf(stderr, "this kernel refuses %s: %s\n", what, strerror(errno));
	exit(77);
}

/* A thread that nobody waits for. */
__attribute__((unused)) static pthread_t start(void *(*body)(void *), void *argument)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, body, argument)) {
		fputs("no thread\n", stderr);
		exit(1);
	}
	return thread;
}

/* A file with something in it. */
__attribute__((unused)) static void write_file(const char *path, const char *text, mode_t mode)
{
	int file = MUST(open(path, O_CREAT | O_WRONLY | O_TRUNC, mode));

	MUST(write(file, text, strlen(text)));
	close(file);
}

/* Mounts from here on are seen by nobody else. */
__attribute__((unused)) static void hide_mounts(int flags)
{
	if (unshare(CLONE_NEWNS | flags))
		cannot("a mount namespace of one's own");
	MUST(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
}

#endif
