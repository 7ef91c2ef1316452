/* An overlay shows a file of a lower layer; writing to it makes another file, deleting it a mark. */
#include "trick.h"

int main(int count, char **arguments)
{
	(void)count;
	hide_mounts(0);
	MUST(mount("tmpfs", arguments[1], "tmpfs", 0, NULL));
	MUST(chdir(arguments[1]));
	MUST(mkdir("lower", 0700));
	MUST(mkdir("upper", 0700));
	MUST(mkdir("work", 0700));
	MUST(mkdir("merged", 0700));
	write_file("lower/file", "x", 0600);
	if (mount("overlay", "merged", "overlay", 0, "lowerdir=lower,upperdir=upper,workdir=work"))
		cannot("an overlay");
	close(MUST(open("merged/file", O_WRONLY)));
	MUST(unlink("merged/file"));
	return 0;
}
