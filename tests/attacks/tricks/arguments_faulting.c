/* An argument lies on a page that comes into being only when exec touches it: a sensor that reads it
 * before finds nothing, and a program that may not sleep cannot make the page appear. */
#include "trick.h"

#include <linux/userfaultfd.h>
#include <sys/ioctl.h>

static int faults;

static void *serve(void *page)
{
	static char content[4096] __attribute__((aligned(4096))) = "late";
	struct uffd_msg message;
	struct uffdio_copy copy = {
		.dst = (uintptr_t)page, .src = (uintptr_t)content, .len = sizeof(content)
	};

	MUST(read(faults, &message, sizeof(message)));
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
	faults = syscall(SYS_userfaultfd, O_CLOEXEC);
	if (faults < 0)
		cannot("userfaultfd");
	MUST(ioctl(faults, UFFDIO_API, &api));
	MUST(ioctl(faults, UFFDIO_REGISTER, &range));
	start(serve, page);
	execl("/bin/echo", "echo", page, arguments[1], NULL);
	return 1;
}
