/*
 * Load generators, one program:
 *
 *   storm exec COUNT                        spawn /bin/true COUNT times, one after the other
 *   storm pace COUNT RATE                   the same, RATE of them a second, and as many at a time as
 *                                           there are processors
 *   storm fork COUNT                        processes that do nothing
 *   storm open COUNT NAMES PROCESSES FOLDER open for writing and close, COUNT times in all; each of
 *                                           the PROCESSES goes round its NAMES files in FOLDER
 *   storm connect COUNT                     connect to itself on the loopback, accept and close both
 *                                           ends, COUNT times, one after the other
 *   storm getppid COUNT                     a system call that nobody asked about
 *
 * Prints how long it took: seconds, with nanoseconds.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static void wait_until(double start, double seconds)
{
	double left = start + seconds - now();
	struct timespec time = { (time_t)left, (left - (time_t)left) * 1e9 };

	if (left > 0)
		nanosleep(&time, NULL);
}

static void reap(void)
{
	if (wait(NULL) < 0)
		fail("wait");
}

static void spawn_many(long count, long rate, long together)
{
	char *arguments[] = { "true", NULL }, *environment[] = { NULL };
	double start = now();
	long running = 0;

	for (long i = 0; i < count; i++) {
		pid_t child;

		if (rate)
			wait_until(start, (double)i / rate);
		if (posix_spawn(&child, "/bin/true", NULL, NULL, arguments, environment))
			fail("posix_spawn");
		if (++running == together) {
			reap();
			running--;
		}
	}
	for (; running; running--)
		reap();
}

static void fork_many(long count)
{
	for (long i = 0; i < count; i++) {
		pid_t child = fork();

		if (child < 0)
			fail("fork");
		if (child == 0)
			_exit(0);
		if (waitpid(child, NULL, 0) < 0)
			fail("waitpid");
	}
}

static void open_many(long count, long names, const char *folder, long process)
{
	char path[PATH_MAX];

	for (long i = 0; i < count; i++) {
		/* One name is written once: the loop is then the two calls and nothing else. */
		if (i == 0 || names > 1)
			snprintf(path, sizeof(path), "%s/%ld-%ld", folder, process, i % names);
		int file = open(path, O_CREAT | O_WRONLY, 0600);

		if (file < 0)
			fail(path);
		close(file);
	}
}

static void open_together(long count, long names, long processes, const char *folder)
{
	for (long process = 0; process < processes; process++) {
		pid_t child = fork();

		if (child < 0)
			fail("fork");
		if (child == 0) {
			open_many(count / processes, names, folder, process);
			_exit(0);
		}
	}
	for (long process = 0; process < processes; process++) {
		int status;

		if (wait(&status) < 0 || status != 0)
			exit(1);
	}
}

static void connect_many(long count)
{
	/* An address of its own: the ports of another run's connections are not free for a while. */
	in_addr_t own = htonl(0x7f000000 | ((getpid() << 2 | 2) & 0xffffff));
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = own };
	socklen_t size = sizeof(address);
	int server = socket(AF_INET, SOCK_STREAM, 0);

	if (bind(server, (void *)&address, size) || listen(server, 1) ||
	    getsockname(server, (void *)&address, &size))
		fail("listen");
	for (long i = 0; i < count; i++) {
		int client = socket(AF_INET, SOCK_STREAM, 0), accepted;

		if (connect(client, (void *)&address, size))
			fail("connect");
		accepted = accept(server, NULL, NULL);
		if (accepted < 0)
			fail("accept");
		close(client);
		close(accepted);
	}
	close(server);
}

static void getppid_many(long count)
{
	for (long i = 0; i < count; i++)
		syscall(SYS_getppid);
}

int main(int argc, char **argv)
{
	long count = argc > 2 ? atol(argv[2]) : 0;
	double start = now();

	if (argc == 3 && !strcmp(argv[1], "exec"))
		spawn_many(count, 0, 1);
	else if (argc == 4 && !strcmp(argv[1], "pace"))
		spawn_many(count, atol(argv[3]), sysconf(_SC_NPROCESSORS_ONLN));
	else if (argc == 3 && !strcmp(argv[1], "fork"))
		fork_many(count);
	else if (argc == 6 && !strcmp(argv[1], "open"))
		open_together(count, atol(argv[3]), atol(argv[4]), argv[5]);
	else if (argc == 3 && !strcmp(argv[1], "connect"))
		connect_many(count);
	else if (argc == 3 && !strcmp(argv[1], "getppid"))
		getppid_many(count);
	else
		return fprintf(stderr, "see the head of storm.c\n"), 2;
	printf("%.9f\n", now() - start);
	return 0;
}
