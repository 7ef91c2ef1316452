/* A 64-bit program makes the system calls of 32-bit ones (int 0x80), which have other numbers, for
 * all that is no act on files: it mounts, listens, accepts, reaches into a child and kills it,
 * executes what is not there, enters namespaces, and gives up what it may do. */
#include "call32.h"

#include <arpa/inet.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/uio.h>

static void mounts(const char *folder, const char *moved)
{
	uintptr_t place = low(folder), kind = low("tmpfs"), root = low("/"), none = low("");
	int tree;

	MUST(call32(310, CLONE_NEWNS, 0, 0, 0, 0));
	MUST(call32(21, 0, root, 0, MS_REC | MS_PRIVATE, 0));
	MUST(call32(21, kind, place, kind, 0, 0));
	MUST(call32(52, place, 0, 0, 0, 0));
	MUST(call32(21, kind, place, kind, 0, 0));
	tree = MUST(syscall(SYS_open_tree, AT_FDCWD, folder, 1 /* OPEN_TREE_CLONE */));
	MUST(call32(22, place, 0, 0, 0, 0));
	/* From a descriptor to a name. */
	MUST(call32(429, tree, none, AT_FDCWD, low(moved), 4 /* MOVE_MOUNT_F_EMPTY_PATH */));
	MUST(call32(61, root, 0, 0, 0, 0));
}

static int bound(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int listener = MUST(socket(AF_INET, SOCK_STREAM, 0));

	MUST(bind(listener, (void *)&address, sizeof(address)));
	return listener;
}

static void connect_to(int listener)
{
	struct sockaddr_in address;
	socklen_t size = sizeof(address);
	int client = MUST(socket(AF_INET, SOCK_STREAM, 0));

	MUST(getsockname(listener, (void *)&address, &size));
	MUST(connect(client, (void *)&address, size));
	printf("port %d\n", ntohs(address.sin_port));
}

static void sockets(void)
{
	uint32_t first = bound(), second = bound();
	uint32_t listen[] = { first, 5 }, accept[] = { first, 0, 0 };

	/* By the one call that was, and by those of today. */
	MUST(call32(102, 4, low_copy(listen, sizeof(listen)), 0, 0, 0));
	connect_to(first);
	MUST(call32(102, 5, low_copy(accept, sizeof(accept)), 0, 0, 0));
	MUST(call32(363, second, 5, 0, 0, 0));
	connect_to(second);
	MUST(call32(364, second, 0, 0, 0, 0));
}

/* No connection leads to all hosts at once. */
static void failed_connects(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = INADDR_BROADCAST };
	uint32_t client = MUST(socket(AF_INET, SOCK_STREAM, 0));
	uint32_t connect[] = { client, 0, sizeof(address) };

	address.sin_port = htons(9);
	connect[1] = low_copy(&address, sizeof(address));
	call32(102, 3, low_copy(connect, sizeof(connect)), 0, 0, 0);
	address.sin_port = htons(10);
	call32(362, client, low_copy(&address, sizeof(address)), sizeof(address), 0, 0);
}

static void child(void)
{
	uint32_t ours[] = { low("written"), 8 }, theirs[] = { ours[0], 8 };
	uint32_t info[32] = { SIGKILL, 0, -4 };
	pid_t pid = MUST(fork());
	int status;

	if (pid == 0) {
		pause();
		_exit(1);
	}
	MUST(call32(26, PTRACE_ATTACH, pid, 0, 0, 0));
	MUST(waitpid(pid, &status, 0));
	MUST(call32(348, pid, low_copy(ours, sizeof(ours)), 1, low_copy(theirs, sizeof(theirs)), 1));
	MUST(ptrace(PTRACE_DETACH, pid, 0, 0));
	/* As if the kernel had sent it. */
	MUST(call32(178, pid, SIGKILL, low_copy(info, sizeof(info)), 0, 0));
	MUST(waitpid(pid, &status, 0));
	printf("child %d\n", pid);
}

static void failed_execs(const char *marker)
{
	uint32_t texts[] = { low("first"), low(marker), 0 };
	uintptr_t list = low_copy(texts, sizeof(texts)), nothing = low("/nowhere/to-be-found");

	call32(11, nothing, list, 0, 0, 0);
	call32(358, AT_FDCWD, nothing, list, 0, 0);
}

static void program(void)
{
	/* r0 = 0; exit */
	uint64_t code[] = { 0xb7, 0x95 };
	uint64_t attributes[16] = { 1 | 2ull << 32, low_copy(code, sizeof(code)), low("GPL") };

	MUST(call32(357, 5, low_copy(attributes, sizeof(attributes)), sizeof(attributes), 0, 0));
}

/* A new root, with nothing in it. */
static void swap_roots(const char *folder)
{
	char old[4096];
	uintptr_t root = low(folder), kind = low("tmpfs");

	MUST(call32(21, kind, root, kind, 0, 0));
	snprintf(old, sizeof(old), "%s/old", folder);
	MUST(mkdir(old, 0700));
	MUST(call32(217, root, low(old), 0, 0, 0));
}

static void standing(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct sets[2];
	uint32_t groups[] = { 7, 8 };

	MUST(syscall(SYS_capget, &header, sets));
	sets[0].permitted &= ~(1u << CAP_SYS_PACCT);
	sets[0].effective &= ~(1u << CAP_SYS_PACCT);
	MUST(call32(185, low_copy(&header, sizeof(header)), low_copy(sets, sizeof(sets)), 0, 0, 0));
	MUST(call32(206, 2, low_copy(groups, sizeof(groups)), 0, 0, 0));
	MUST(call32(170, 11, 12, 13, 0, 0));
	MUST(call32(208, 1001, 1002, 1003, 0, 0));
}

int main(int count, char **arguments)
{
	int namespace = MUST(open("/proc/self/ns/uts", O_RDONLY));

	(void)count;
	if (call32(20, 0, 0, 0, 0, 0) == -1)
		cannot("32-bit system calls");
	mounts(arguments[1], arguments[2]);
	sockets();
	failed_connects();
	child();
	failed_execs(arguments[3]);
	program();
	MUST(call32(356, low("in-memory"), 0, 0, 0, 0));
	MUST(call32(310, CLONE_NEWUTS, 0, 0, 0, 0));
	MUST(call32(346, namespace, CLONE_NEWUTS, 0, 0, 0));
	swap_roots(arguments[1]);
	standing();
	return 0;
}
