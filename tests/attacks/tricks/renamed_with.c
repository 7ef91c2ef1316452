/* renameat2 with a flag: two names change places, a name must be free, a hole is left behind. */
#include "trick.h"

#include <linux/fs.h>

int main(int count, char **arguments)
{
	int flag = !strcmp(arguments[1], "exchange") ? RENAME_EXCHANGE :
		   !strcmp(arguments[1], "noreplace") ? RENAME_NOREPLACE : RENAME_WHITEOUT;

	(void)count;
	if (syscall(SYS_renameat2, AT_FDCWD, arguments[2], AT_FDCWD, arguments[3], flag)) {
		if (errno == EEXIST)
			return 17;
		cannot("this rename");
	}
	return 0;
}
