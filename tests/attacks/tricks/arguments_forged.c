/* A program lies about itself once it runs: it writes over its arguments, has the kernel look for
 * them elsewhere (PR_SET_MM) and takes another name. Then it makes a file. */
#include "trick.h"

#include <sys/prctl.h>

int main(int count, char **arguments)
{
	static char lie[] = "/usr/sbin/sshd";
	char *path = strdup(arguments[count - 1]), *end = arguments[count - 1] + strlen(path);

	memset(arguments[0], 'x', end - arguments[0]);
	MUST(prctl(PR_SET_NAME, "sshd", 0, 0, 0));
	if (prctl(PR_SET_MM, PR_SET_MM_ARG_START, lie, 0, 0) == 0)
		MUST(prctl(PR_SET_MM, PR_SET_MM_ARG_END, lie + sizeof(lie), 0, 0));
	write_file(path, "", 0600);
	return 0;
}
