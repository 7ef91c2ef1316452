/* The leader ends first and the process lives on without it: it makes a file, and then ends with
 * another code than the leader, or executes. */
#include "trick.h"

static pthread_t leader;
static char **given;

static void *live_on(void *nothing)
{
	pthread_join(leader, NULL);
	write_file(given[1], "", 0600);
	if (given[2])
		execl("/bin/echo", "echo", given[2], NULL);
	syscall(SYS_exit, 5);
	return nothing;
}

int main(int count, char **arguments)
{
	(void)count;
	given = arguments;
	leader = pthread_self();
	start(live_on, NULL);
	syscall(SYS_exit, 3);
	return 1;
}
