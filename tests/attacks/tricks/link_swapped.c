/* A symbolic link is swapped all the time between two files while it is opened: the string says
 * nothing about which file was written to. Prints how often each was. */
#include "trick.h"

static const char *link_path, *other_path;
static volatile int finished;

static void *swap(void *nothing)
{
	for (int times = 0; times < 500 && !finished; times++)
		syscall(SYS_renameat2, AT_FDCWD, link_path, AT_FDCWD, other_path, 2);
	return nothing;
}

int main(int count, char **arguments)
{
	int times[2] = { 0, 0 };
	pthread_t swapper;
	struct stat one;

	(void)count;
	link_path = arguments[3];
	other_path = arguments[4];
	MUST(symlink(arguments[1], link_path));
	MUST(symlink(arguments[2], other_path));
	MUST(stat(arguments[1], &one));
	swapper = start(swap, NULL);
	for (int number = 0; number < 300; number++) {
		int file = MUST(open(link_path, O_WRONLY));
		struct stat opened;

		MUST(fstat(file, &opened));
		times[opened.st_ino != one.st_ino]++;
		close(file);
	}
	finished = 1;
	pthread_join(swapper, NULL);
	printf("%d\n%d\n", times[0], times[1]);
	return 0;
}
