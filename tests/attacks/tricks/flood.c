/* Two threads make and delete files as fast as they can, to push out of the sensor's buffers what a
 * child executes meanwhile. */
#include "trick.h"

enum { FILES = 5000, EXECS = 50 };

static const char *folder;

static void *make(void *number)
{
	char path[4096];

	for (int file = 0; file < FILES; file++) {
		snprintf(path, sizeof(path), "%s/%ld-%d", folder, (long)number, file);
		close(MUST(open(path, O_CREAT | O_WRONLY, 0600)));
		MUST(unlink(path));
	}
	return NULL;
}

int main(int count, char **arguments)
{
	pthread_t makers[2];

	(void)count;
	folder = arguments[1];
	for (long number = 0; number < 2; number++)
		makers[number] = start(make, (void *)number);
	for (int number = 0; number < EXECS; number++) {
		char text[16];
		pid_t child = fork();

		snprintf(text, sizeof(text), "%d", number);
		if (child == 0) {
			execl("/bin/true", "true", arguments[2], text, NULL);
			_exit(1);
		}
		MUST(child);
		MUST(waitpid(child, NULL, 0));
	}
	pthread_join(makers[0], NULL);
	pthread_join(makers[1], NULL);
	return 0;
}
