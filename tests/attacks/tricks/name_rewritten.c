/* The new name of a rename is rewritten while the kernel waits for the page of the old one: it has its
 * copy of the new name by then, and who reads the argument later is told another. */
#include "trick.h"

#include <linux/userfaultfd.h>
#include <sys/ioctl.h>

static int faults;
static char new_name[] = "honest";

static void *serve(void *page)
{
	static char content[4096] __attribute__((aligned(4096))) = "old";
	struct uffd_msg message;
	struct uffdio_copy copy = {
		.dst = (uintptr_t)page, .src = (uintptr_t)content, .len = sizeof(content)
	};

	MUST(read(faults, &message, sizeof(message)));
	strcpy(new_name, "forged");
	MUST(ioctl(faults, UFFDIO_COPY, &copy));
	return NULL;
}

int main(int count, char **arguments)
{
	char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register range = {
		.range = { .start = (uintptr_t)page, .len = 4096 },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};

	(void)count;
	MUST(chdir(arguments[1]));
	faults = syscall(SYS_userfaultfd, O_CLOEXEC);
	if (faults < 0)
		cannot("userfaultfd");
	MUST(ioctl(faults, UFFDIO_API, &api));
	MUST(ioctl(faults, UFFDIO_REGISTER, &range));
	start(serve, page);
	MUST(syscall(SYS_rename, page, new_name));
	if (access("honest", F_OK))
		cannot("to copy the names in this order");
	return 0;
}
