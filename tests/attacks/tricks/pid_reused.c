/* Two processes have the same number, one after the other. The second asks for it (clone3), which
 * stands for a counter that has gone round. */
#include "trick.h"

#include <linux/sched.h>
#include <signal.h>

static void execute(const char *marker)
{
	execl("/bin/true", "true", marker, NULL);
	_exit(1);
}

int main(int count, char **arguments)
{
	pid_t first = fork(), second;
	struct clone_args wanted = {
		.exit_signal = SIGCHLD, .set_tid = (uintptr_t)&first, .set_tid_size = 1
	};

	(void)count;
	if (first == 0)
		execute(arguments[1]);
	MUST(first);
	MUST(waitpid(first, NULL, 0));
	/* Processes are told apart by the hundredth of a second in which they began, by the audit
	 * source only when it has read of the first. */
	usleep(200000);
	second = syscall(SYS_clone3, &wanted, sizeof(wanted));
	if (second == 0)
		execute(arguments[2]);
	if (second < 0)
		cannot("a number of one's choice");
	MUST(waitpid(second, NULL, 0));
	printf("%d\n", first);
	return 0;
}
