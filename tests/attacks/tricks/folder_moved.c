/* Names count from a folder's descriptor, and the folder is moved before they are used. */
#include "trick.h"

int main(int count, char **arguments)
{
	int folder = MUST(open(arguments[1], O_RDONLY | O_DIRECTORY));

	(void)count;
	MUST(rename(arguments[1], arguments[2]));
	close(MUST(openat(folder, "made", O_CREAT | O_WRONLY, 0600)));
	MUST(renameat(folder, "made", folder, "named"));
	MUST(unlinkat(folder, "named", 0));
	return 0;
}
