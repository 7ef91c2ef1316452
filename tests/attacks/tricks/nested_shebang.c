/* A script whose interpreter is a script: three programs, one exec. */
#include "trick.h"

int main(int count, char **arguments)
{
	char outer[4096], inner[4096], line[4200];

	(void)count;
	snprintf(outer, sizeof(outer), "%s/outer", arguments[1]);
	snprintf(inner, sizeof(inner), "%s/inner", arguments[1]);
	snprintf(line, sizeof(line), "#!%s x\n", inner);
	write_file(outer, line, 0700);
	write_file(inner, "#!/bin/echo y\n", 0700);
	execl(outer, "anything", arguments[2], NULL);
	return 1;
}
