/* By system calls of 32-bit programs, names are made in a folder and a file there is changed. */
#include "call32.h"

int main(int count, char **arguments)
{
	struct {
		int32_t seconds, nanoseconds;
	} times[] = { { 1, 0 }, { 2, 0 } };
	uintptr_t node, attribute = low("trusted.test");

	(void)count;
	MUST(chdir(arguments[1]));
	node = low("node");
	if (call32(14, node, S_IFREG | 0600, 0, 0, 0) == -1)
		cannot("a 32-bit mknod");
	MUST(call32(39, low("below"), 0700, 0, 0, 0));
	MUST(call32(9, node, low("hard"), 0, 0, 0));
	MUST(call32(83, low("../any/where"), low("soft"), 0, 0, 0));
	MUST(call32(15, node, 0640, 0, 0, 0));
	MUST(call32(212, node, 1, 2, 0, 0));
	MUST(call32(320, (uint32_t)AT_FDCWD, node, low_copy(times, sizeof(times)), 0, 0));
	MUST(call32(92, node, 5, 0, 0, 0));
	if (call32(226, node, attribute, low("v"), 1, 0) == -1)
		cannot("extended attributes");
	MUST(call32(235, node, attribute, 0, 0, 0));
	return 0;
}
