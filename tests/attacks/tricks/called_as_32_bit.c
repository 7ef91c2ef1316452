/* A 64-bit program makes the system calls of 32-bit ones (int 0x80), which have other numbers: 5 is
 * open, 38 rename, 10 unlink, 11 execve. It makes, renames and deletes a file, and executes. */
#include "call32.h"

int main(int count, char **arguments)
{
	uintptr_t made = low(arguments[1]), named = low(arguments[2]), program = low("/bin/echo");
	uint32_t texts[] = { low("echo"), low(arguments[3]), 0 }, none[] = { 0 };

	(void)count;
	if (call32(5, made, O_CREAT | O_WRONLY, 0600, 0, 0) == -1)
		cannot("a 32-bit open");
	MUST(call32(38, made, named, 0, 0, 0));
	MUST(call32(10, named, 0, 0, 0, 0));
	MUST(call32(11, program, low_copy(texts, sizeof(texts)), low_copy(none, sizeof(none)), 0, 0));
	return 1;
}
