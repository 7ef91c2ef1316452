/* Acts that nothing tells of, each by its name. */
#include "trick.h"

#include <arpa/inet.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/uio.h>

#ifndef __NR_memfd_secret
#define __NR_memfd_secret 447
#endif

/* The tracer is the parent, which has done nothing for it. */
static void ask_to_be_traced(void)
{
	MUST(ptrace(PTRACE_TRACEME, 0, NULL, NULL));
}

static void read_memory(void)
{
	char from = 'x', to = 0;
	struct iovec theirs = { &from, 1 }, ours = { &to, 1 };
	int ends[2], child;

	MUST(pipe(ends));
	child = MUST(fork());
	if (!child) {
		close(ends[1]);
		/* Until its parent ends. */
		_exit(read(ends[0], &from, 1) != 0);
	}
	if (process_vm_readv(child, &ours, 1, &theirs, 1, 0) != 1 || to != 'x')
		cannot("to read a child's memory");
}

static void drop_capabilities(void)
{
	MUST(prctl(PR_CAPBSET_DROP, CAP_SYS_BOOT, 0, 0, 0));
	MUST(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0));
}

static void make_secret_memory(void)
{
	if (syscall(__NR_memfd_secret, 0) < 0)
		cannot("memory of its own");
}

static void attach_to_socket(void)
{
	struct bpf_insn code[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	union bpf_attr program = { .prog_type = BPF_PROG_TYPE_SOCKET_FILTER };
	int socket_ = MUST(socket(AF_INET, SOCK_DGRAM, 0)), loaded;

	program.insn_cnt = 2;
	program.insns = (uintptr_t)code;
	program.license = (uintptr_t)"GPL";
	loaded = MUST(syscall(SYS_bpf, BPF_PROG_LOAD, &program, sizeof(program)));
	MUST(setsockopt(socket_, SOL_SOCKET, SO_ATTACH_BPF, &loaded, sizeof(loaded)));
}

static void change_mount(void)
{
	struct mount_attr attributes = { .attr_set = MOUNT_ATTR_NOEXEC };
	int file_system;

	hide_mounts(0);
	MUST(mount("none", "/mnt", "tmpfs", 0, NULL));
	if (mount_setattr(AT_FDCWD, "/mnt", 0, &attributes, sizeof(attributes)) && errno != ENOSYS)
		cannot("to change a mount");
	file_system = MUST(fspick(AT_FDCWD, "/mnt", 0));
	MUST(fsconfig(file_system, FSCONFIG_SET_FLAG, "ro", NULL, 0));
	MUST(fsconfig(file_system, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0));
}

static void connect_nowhere(void)
{
	struct sockaddr_in peer = { .sin_family = AF_INET, .sin_port = htons(9) };
	int client;

	/* Its own device is down, so that there is no route at all. */
	if (unshare(CLONE_NEWNET))
		cannot("a network namespace of its own");
	client = MUST(socket(AF_INET, SOCK_STREAM, 0));
	peer.sin_addr.s_addr = inet_addr("192.0.2.1");
	if (!connect(client, (void *)&peer, sizeof(peer)) || errno != ENETUNREACH)
		exit(1);
}

static const struct {
	const char *name;
	void (*act)(void);
} acts[] = {
	{ "ask_to_be_traced", ask_to_be_traced },     { "read_memory", read_memory },
	{ "drop_capabilities", drop_capabilities },   { "make_secret_memory", make_secret_memory },
	{ "attach_to_socket", attach_to_socket },     { "change_mount", change_mount },
	{ "connect_nowhere", connect_nowhere },
};

int main(int count, char **arguments)
{
	(void)count;
	for (size_t at = 0; at < sizeof(acts) / sizeof(*acts); at++)
		if (!strcmp(acts[at].name, arguments[1])) {
			acts[at].act();
			return 0;
		}
	return 2;
}
