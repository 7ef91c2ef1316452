/* A file is opened for writing by its number in the file system (open_by_handle_at). */
#include "trick.h"

int main(int count, char **arguments)
{
	struct file_handle *handle = calloc(1, sizeof(*handle) + MAX_HANDLE_SZ);
	int folder = MUST(open(arguments[1], O_RDONLY | O_DIRECTORY)), mount_id;

	(void)count;
	handle->handle_bytes = MAX_HANDLE_SZ;
	if (name_to_handle_at(folder, arguments[2], handle, &mount_id, 0))
		cannot("handles of this file system");
	if (open_by_handle_at(folder, handle, O_WRONLY) < 0)
		cannot("to open by handle");
	return 0;
}
