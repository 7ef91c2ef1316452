/* A folder appears under another name, for this process alone, and is written to and executed from
 * under it. */
#include "trick.h"

int main(int count, char **arguments)
{
	char path[4096];

	(void)count;
	hide_mounts(0);
	MUST(mount(arguments[1], arguments[2], NULL, MS_BIND, NULL));
	snprintf(path, sizeof(path), "%s/made", arguments[2]);
	write_file(path, "", 0600);
	snprintf(path, sizeof(path), "%s/echo", arguments[2]);
	execl(path, "echo", arguments[3], NULL);
	return 1;
}
