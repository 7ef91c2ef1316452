/* A file is filled without a write: by sendfile, splice, copy_file_range or FICLONE. */
#include "trick.h"

#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>

int main(int count, char **arguments)
{
	int from = MUST(open(arguments[2], O_RDONLY));
	int to = MUST(open(arguments[3], O_CREAT | O_WRONLY, 0600));
	const char *how = arguments[1];
	int pipe_ends[2];

	(void)count;
	if (!strcmp(how, "sendfile")) {
		MUST(sendfile(to, from, NULL, 4096));
	} else if (!strcmp(how, "splice")) {
		MUST(pipe(pipe_ends));
		MUST(splice(from, NULL, pipe_ends[1], NULL, 4096, 0));
		MUST(splice(pipe_ends[0], NULL, to, NULL, 4096, 0));
	} else if (!strcmp(how, "copy_file_range")) {
		MUST(copy_file_range(from, NULL, to, NULL, 4096, 0));
	} else {
		/* Not every file system can share blocks; the sensor sees the same of it. */
		ioctl(to, FICLONE, from);
	}
	return 0;
}
