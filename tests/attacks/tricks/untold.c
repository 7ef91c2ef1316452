/* Acts that nothing tells of, each by its name. */
#include "trick.h"

#include <arpa/inet.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <linux/perf_event.h>
#include <netinet/ip_icmp.h>
#include <signal.h>
#include <sys/ioctl.h>
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

/* A program that does nothing. */
static int load(enum bpf_prog_type type)
{
	struct bpf_insn code[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	union bpf_attr program = { .prog_type = type };

	program.insn_cnt = 2;
	program.insns = (uintptr_t)code;
	program.license = (uintptr_t)"GPL";
	return MUST(syscall(SYS_bpf, BPF_PROG_LOAD, &program, sizeof(program)));
}

static void attach_to_socket(void)
{
	int socket_ = MUST(socket(AF_INET, SOCK_DGRAM, 0)), loaded = load(BPF_PROG_TYPE_SOCKET_FILTER);

	MUST(setsockopt(socket_, SOL_SOCKET, SO_ATTACH_BPF, &loaded, sizeof(loaded)));
}

static void attach_to_counter(void)
{
	struct perf_event_attr clock = { .type = PERF_TYPE_SOFTWARE, .size = sizeof(clock) };
	int counter, loaded = load(BPF_PROG_TYPE_PERF_EVENT);

	clock.config = PERF_COUNT_SW_CPU_CLOCK;
	clock.sample_period = 1000000000;
	clock.disabled = 1;
	counter = syscall(SYS_perf_event_open, &clock, 0, -1, -1, 0);
	if (counter < 0 || ioctl(counter, PERF_EVENT_IOC_SET_BPF, loaded))
		cannot("a program at a counter");
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

/* A socket and an address of this host that it is bound to. */
static int bound(struct sockaddr_in *here)
{
	socklen_t size = sizeof(*here);
	int socket_ = MUST(socket(AF_INET, SOCK_DGRAM, 0));

	*here = (struct sockaddr_in){ .sin_family = AF_INET };
	here->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	MUST(bind(socket_, (void *)here, sizeof(*here)));
	MUST(getsockname(socket_, (void *)here, &size));
	return socket_;
}

static void send_raw(void)
{
	struct icmphdr request = { .type = ICMP_ECHO, .checksum = htons(0xf7ff) };
	struct sockaddr_in here = { .sin_family = AF_INET };
	int raw = MUST(socket(AF_INET, SOCK_RAW, IPPROTO_ICMP));

	here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	MUST(sendto(raw, &request, sizeof(request), 0, (void *)&here, sizeof(here)));
}

/* The datagram is the child's. */
static void receive_datagram(void)
{
	struct sockaddr_in here;
	int receiver = bound(&here);
	char byte;

	if (!MUST(fork()))
		_exit(sendto(socket(AF_INET, SOCK_DGRAM, 0), "x", 1, 0, (void *)&here, sizeof(here)) != 1);
	MUST(recv(receiver, &byte, 1, 0));
	MUST(wait(NULL));
}

/* A question that looks like one, but for the port. */
static void ask_another_port(void)
{
	static const char question[] = "\0\7\1\0\0\1\0\0\0\0\0\0\7example\4test\0\0\1\0";
	struct sockaddr_in here;

	bound(&here);
	MUST(sendto(socket(AF_INET, SOCK_DGRAM, 0), question, sizeof(question), 0, (void *)&here,
		    sizeof(here)));
}

/* What the program is given besides the name of the act. */
static const char *given;

/* Waits for a child that a signal ends, and not itself. */
static void ends_by(int child, int signal_)
{
	int status;

	MUST(waitpid(child, &status, 0));
	if (!WIFSIGNALED(status) || WTERMSIG(status) != signal_)
		exit(1);
}

static void end_with_parent(void)
{
	int ends[2], child;
	char byte;

	/* Whose parent is gone comes to this process. */
	MUST(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0));
	MUST(pipe(ends));
	child = MUST(fork());
	if (!child) {
		int grandchild = MUST(fork());

		if (!grandchild) {
			prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
			write(ends[1], "x", 1);
			for (;;)
				pause();
		}
		MUST(read(ends[0], &byte, 1));
		_exit(0);
	}
	MUST(waitpid(child, NULL, 0));
	ends_by(-1, SIGKILL);
}

static void end_with_timer(void)
{
	int child = MUST(fork());

	if (!child) {
		alarm(1);
		for (;;)
			pause();
	}
	ends_by(child, SIGALRM);
}

static void end_with_group(void)
{
	char path[4096];
	int file, child = MUST(fork());

	if (!child)
		for (;;)
			pause();
	snprintf(path, sizeof(path), "%s/cgroup.procs", given);
	file = MUST(open(path, O_WRONLY));
	if (dprintf(file, "%d", child) < 0)
		exit(1);
	snprintf(path, sizeof(path), "%s/cgroup.kill", given);
	file = open(path, O_WRONLY);
	if (file < 0) {
		kill(child, SIGKILL);
		cannot("to end a control group");
	}
	MUST(write(file, "1", 1));
	ends_by(child, SIGKILL);
}

static void signal_in_vain(void)
{
	int child, status;

	signal(SIGUSR1, SIG_IGN);
	child = MUST(fork());
	if (!child) {
		if (setresuid(65534, 65534, 65534))
			_exit(1);
		if (!kill(getppid(), SIGKILL) || errno != EPERM)
			_exit(1);
		/* Of who is gone, the audit source thinks that the signal has ended it. */
		sleep(1);
		_exit(0);
	}
	MUST(kill(child, SIGUSR1));
	MUST(waitpid(child, &status, 0));
	if (status)
		exit(1);
}

/* 64-bit code whose calls have another number; tracepoints of calls leave it out. */
static void call_as_x32(void)
{
	if (syscall(__X32_SYSCALL_BIT | SYS_unshare, CLONE_NEWUTS))
		cannot("calls of x32");
}

static void open_devices(void)
{
	int ends[2];
	char path[32];

	MUST(open("/dev/null", O_WRONLY));
	MUST(pipe(ends));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", ends[1]);
	MUST(open(path, O_WRONLY));
}

static const struct {
	const char *name;
	void (*act)(void);
} acts[] = {
	{ "ask_to_be_traced", ask_to_be_traced },     { "read_memory", read_memory },
	{ "drop_capabilities", drop_capabilities },   { "make_secret_memory", make_secret_memory },
	{ "attach_to_socket", attach_to_socket },     { "change_mount", change_mount },
	{ "attach_to_counter", attach_to_counter },   { "send_raw", send_raw },
	{ "receive_datagram", receive_datagram },     { "ask_another_port", ask_another_port },
	{ "end_with_parent", end_with_parent },       { "end_with_timer", end_with_timer },
	{ "end_with_group", end_with_group },         { "signal_in_vain", signal_in_vain },
	{ "open_devices", open_devices },             { "call_as_x32", call_as_x32 },
};

int main(int count, char **arguments)
{
	given = count > 2 ? arguments[2] : NULL;
	for (size_t at = 0; at < sizeof(acts) / sizeof(*acts); at++)
		if (!strcmp(acts[at].name, arguments[1])) {
			acts[at].act();
			return 0;
		}
	return 2;
}
