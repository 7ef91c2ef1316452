/* Makes files while another is in the middle of an act on the same processor: who is preempted inside a
 * program of the sensor keeps it, where the kernel preempts programs.
 *
 *     cut_in FOLDER COUNT
 */
#include "trick.h"
#include <time.h>

static char busy[4096];

static void on_processor(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(MUST(sched_getcpu()), &set);
	MUST(sched_setaffinity(0, sizeof(set), &set));
}

/* Is never done, and lets all others go first. */
static void *work(void *nothing)
{
	struct sched_param none = {};

	MUST(sched_setscheduler(0, SCHED_IDLE, &none));
	for (;;)
		close(MUST(open(busy, O_CREAT | O_WRONLY, 0600)));
	return nothing;
}

int main(int argc, char **argv)
{
	struct sched_param first = { .sched_priority = 1 };
	long count = argc == 3 ? atol(argv[2]) : 0;

	/* Who works is of the same processor, too. */
	on_processor();
	snprintf(busy, sizeof(busy), "%s/busy", argv[1]);
	start(work, NULL);
	if (sched_setscheduler(0, SCHED_FIFO, &first))
		cannot("to go first");
	for (long number = 0; number < count; number++) {
		struct timespec time = { 0, 500000 + number * 7919 % 1000000 };
		char path[4096];

		nanosleep(&time, NULL);
		snprintf(path, sizeof(path), "%s/%ld", argv[1], number);
		close(MUST(open(path, O_CREAT | O_WRONLY, 0600)));
	}
	return 0;
}
