/* A MOCK of the library of the event log, for tests under Wine, which has none that works. It shows
 * that the agent calls it rightly: handles, buffers, errors, bookmarks. It says nothing of how Windows
 * behaves.
 *
 * The channel "Mock" has as many records as MOCK_RECORDS says, numbered from 1. After the fifth one the
 * service of the log fails once, as when it is restarted. There is no other channel. */
#include <stdio.h>
#include <stdlib.h>
#include <wchar.h>
#include <windows.h>

enum { FAILS_AFTER = 5, BATCH = 3, RENDER_XML = 1, RENDER_BOOKMARK = 2, AFTER_BOOKMARK = 3 };

struct object {
	enum { SUBSCRIPTION, RECORD, BOOKMARK } kind;
	int number;
};

static int has_failed;
/* Handles that are open: what is not closed at the end has leaked. */
static int opened;

static struct object *make(int kind, int number)
{
	struct object *object = malloc(sizeof(*object));
	object->kind = kind;
	object->number = number;
	opened++;
	return object;
}

__declspec(dllexport) int MockOpened(void)
{
	return opened;
}

__declspec(dllexport) BOOL WINAPI EvtClose(struct object *object)
{
	opened--;
	free(object);
	return TRUE;
}

__declspec(dllexport) struct object *WINAPI EvtCreateBookmark(const WCHAR *xml)
{
	const WCHAR *found = xml ? wcsstr(xml, L"RecordId='") : NULL;
	return make(BOOKMARK, found ? _wtoi(found + 10) : 0);
}

__declspec(dllexport) BOOL WINAPI EvtUpdateBookmark(struct object *bookmark, struct object *record)
{
	bookmark->number = record->number;
	return TRUE;
}

__declspec(dllexport) struct object *WINAPI EvtSubscribe(void *session, HANDLE signal, const WCHAR *channel,
	const WCHAR *query, struct object *bookmark, void *context, void *callback, DWORD flags)
{
	if (session || !signal || context || callback || wcscmp(query, L"*")) {
		SetLastError(ERROR_INVALID_PARAMETER);
		return NULL;
	}
	if (wcscmp(channel, L"Mock")) {
		SetLastError(15007);
		return NULL;
	}
	if ((flags & 3) == AFTER_BOOKMARK && bookmark->number > 90) {
		SetLastError(ERROR_NOT_FOUND);
		return NULL;
	}
	SetEvent(signal);
	return make(SUBSCRIPTION, (flags & 3) == AFTER_BOOKMARK ? bookmark->number : 0);
}

__declspec(dllexport) BOOL WINAPI EvtNext(struct object *records, DWORD size, struct object **out, DWORD timeout,
	DWORD flags, DWORD *count)
{
	char digits[16] = "";
	/* The C library would know the environment of the begin only. */
	GetEnvironmentVariableA("MOCK_RECORDS", digits, sizeof(digits));
	int last = atoi(digits);
	*count = 0;
	if (!has_failed && records->number >= FAILS_AFTER) {
		has_failed = 1;
		SetLastError(RPC_S_SERVER_UNAVAILABLE);
		return FALSE;
	}
	while (*count < size && *count < BATCH && records->number < last) {
		if (!has_failed && records->number == FAILS_AFTER)
			break;
		out[(*count)++] = make(RECORD, ++records->number);
	}
	if (!*count) {
		SetLastError(ERROR_NO_MORE_ITEMS);
		return FALSE;
	}
	return TRUE;
}

__declspec(dllexport) BOOL WINAPI EvtRender(void *context, struct object *object, DWORD flags, DWORD size,
	void *buffer, DWORD *used, DWORD *properties)
{
	static const WCHAR *record =
		L"<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System>"
		L"<Provider Name='Microsoft-Windows-Sysmon' Guid='{5770385f-c22a-43e0-bf4c-06f5698ffbd9}'/>"
		L"<EventID>22</EventID><Version>5</Version><Level>4</Level><Task>22</Task><Opcode>0</Opcode>"
		L"<Keywords>0x8000000000000000</Keywords>"
		L"<TimeCreated SystemTime='2024-01-02T13:51:48.1394289Z'/><EventRecordID>%d</EventRecordID>"
		L"<Correlation/><Execution ProcessID='644' ThreadID='8248'/><Channel>Mock</Channel>"
		L"<Computer>HOST</Computer><Security UserID='S-1-5-18'/></System><EventData>"
		L"<Data Name='QueryName'>a&amp;b&#x20AC;</Data><Data Name='Filler'>%0*d</Data></EventData></Event>";
	static const WCHAR *bookmark = L"<BookmarkList>\r\n  <Bookmark Channel='Mock' RecordId='%d' "
				       L"IsCurrent='true'/>\r\n</BookmarkList>";
	static WCHAR text[16384];
	if (context || (flags == RENDER_XML) != (object->kind == RECORD)) {
		SetLastError(ERROR_INVALID_PARAMETER);
		return FALSE;
	}
	/* The seventh is longer than the buffers before it. */
	if (flags == RENDER_XML)
		swprintf(text, 16384, record, object->number, object->number == 7 ? 9000 : 1, 0);
	else
		swprintf(text, 16384, object->number ? bookmark : L"<BookmarkList/>", object->number);
	*used = sizeof(WCHAR) * (wcslen(text) + 1);
	*properties = 0;
	if (size < *used) {
		SetLastError(ERROR_INSUFFICIENT_BUFFER);
		return FALSE;
	}
	memcpy(buffer, text, *used);
	return TRUE;
}
