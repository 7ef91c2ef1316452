/* In a user and a mount namespace and behind a chroot, names begin elsewhere and root is nobody. */
#include "trick.h"

int main(int count, char **arguments)
{
	(void)count;
	hide_mounts(CLONE_NEWUSER);
	MUST(chroot(arguments[1]));
	MUST(chdir("/"));
	write_file("/made", "", 0600);
	MUST(rename("/../made", "/../../named"));
	MUST(unlink("/named"));
	write_file("relative", "", 0600);
	MUST(unlink("../relative"));
	return 0;
}
