/* openat2 takes an absolute link for one below a folder (RESOLVE_IN_ROOT). */
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
	return 0;
}
