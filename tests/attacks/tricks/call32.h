/* The system calls of 32-bit programs (int 0x80), made by a 64-bit one. */
#ifndef CALL32_H
#define CALL32_H

#include "trick.h"

#include <signal.h>

/* What a call is told has to lie below 4 GiB. */
static uintptr_t low_copy(const void *from, size_t size)
{
	void *copy = mmap(NULL, size, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);

	MUST(copy);
	return (uintptr_t)memcpy(copy, from, size);
}

static uintptr_t low(const char *text)
{
	return low_copy(text, strlen(text) + 1);
}

static void refuse(int number)
{
	(void)number;
	errno = ENOSYS;
	cannot("32-bit system calls");
}

static long call32(long number, uintptr_t first, uintptr_t second, uintptr_t third,
		   uintptr_t fourth, uintptr_t fifth)
{
	long result;

	signal(SIGSEGV, refuse);
	signal(SIGSYS, refuse);
	/* The sixth argument is 0. */
	asm volatile("mov %%rbp, %%r12; xor %%ebp, %%ebp; int $0x80; mov %%r12, %%rbp"
		     : "=a"(result)
		     : "a"(number), "b"(first), "c"(second), "d"(third), "S"(fourth), "D"(fifth)
		     : "memory", "r8", "r9", "r10", "r11", "r12");
	if ((int)result < 0) {
		errno = -(int)result;
		return -1;
	}
	return result;
}

#endif
