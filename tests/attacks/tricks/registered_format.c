/* A format registered with binfmt_misc makes a file of data a program. The registration is that of a
 * user namespace (Linux 6.7), so the host's own list stays as it is. */
#include "trick.h"

int main(int count, char **arguments)
{
	char path[4096];
	int list;

	(void)count;
	hide_mounts(CLONE_NEWUSER);
	write_file("/proc/self/uid_map", "0 0 1", 0);
	write_file("/proc/self/setgroups", "deny", 0);
	write_file("/proc/self/gid_map", "0 0 1", 0);
	MUST(chdir(arguments[1]));
	if (mount("binfmt_misc", arguments[1], "binfmt_misc", 0, NULL))
		cannot("a binfmt_misc of one's own");
	snprintf(path, sizeof(path), "%s/register", arguments[1]);
	list = MUST(open(path, O_WRONLY));
	MUST(write(list, ":trick:M::TRICK::/bin/echo:", 27));
	close(list);
	/* Still the folder below the mount. */
	execl("program", "anything", arguments[2], NULL);
	return 1;
}
