/* A 64-bit program makes the system calls of 32-bit ones (int 0x80), which have other numbers: 5 is
 * open, 38 rename, 10 unlink, 11 execve. It makes, renames and deletes a file, and executes. */
#include "trick.h"

#include <setjmp.h>
#include <signal.h>

static sigjmp_buf refused;

static void refuse(int number)
{
	siglongjmp(refused, number);
}

static long call(long number, const void *first, const void *second, const void *third)
{
	long result;

	asm volatile("int $0x80"
		     : "=a"(result)
		     : "a"(number), "b"(first), "c"(second), "d"(third)
		     : "memory", "r8", "r9", "r10", "r11");
	if ((int)result < 0) {
		errno = -(int)result;
		return -1;
	}
	return result;
}

int main(int count, char **arguments)
{
	/* Everything the call is told has to lie below 4 GiB. */
	struct low {
		char made[4096], named[4096], program[64], name[64], marker[4096];
		uint32_t arguments[3], environment[1];
	} *low = mmap(NULL, sizeof(*low), PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);

	(void)count;
	strcpy(low->made, arguments[1]);
	strcpy(low->named, arguments[2]);
	strcpy(low->program, "/bin/echo");
	strcpy(low->name, "echo");
	strcpy(low->marker, arguments[3]);
	low->arguments[0] = (uintptr_t)low->name;
	low->arguments[1] = (uintptr_t)low->marker;
	signal(SIGSEGV, refuse);
	signal(SIGSYS, refuse);
	errno = ENOSYS;
	if (sigsetjmp(refused, 1))
		cannot("32-bit system calls");
	if (call(5, low->made, (void *)(O_CREAT | O_WRONLY), (void *)0600) == -1)
		cannot("a 32-bit open");
	MUST(call(38, low->made, low->named, NULL));
	MUST(call(10, low->named, NULL, NULL));
	MUST(call(11, low->program, low->arguments, low->environment));
	return 1;
}
