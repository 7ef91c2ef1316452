/* openat2 takes an absolute link for one below a folder (RESOLVE_IN_ROOT), and lets `..` go no
 * further up than that (RESOLVE_BENEATH). */
#include "trick.h"

#include <linux/openat2.h>

int main(int count, char **arguments)
{
	struct open_how how = {
		.flags = O_CREAT | O_WRONLY, .mode = 0600, .resolve = RESOLVE_IN_ROOT
	};
	int folder = MUST(open(arguments[1], O_RDONLY | O_DIRECTORY));

	(void)count;
	MUST(symlinkat("/made", folder, "link"));
	if (syscall(SYS_openat2, folder, "link", &how, sizeof(how)) < 0)
		cannot("openat2");
	how.resolve = RESOLVE_BENEATH;
	MUST(mkdirat(folder, "folder", 0700));
	MUST(syscall(SYS_openat2, folder, "folder/../beneath", &how, sizeof(how)));
	return 0;
}
