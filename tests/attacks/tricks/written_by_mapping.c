/* A file is written to through a shared mapping, after its descriptor was closed: no call writes. */
#include "trick.h"

int main(int count, char **arguments)
{
	int file = MUST(open(arguments[1], O_RDWR));
	char *content = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);

	(void)count;
	close(file);
	memcpy(content, "written", 7);
	MUST(msync(content, 4096, MS_SYNC));
	return 0;
}
