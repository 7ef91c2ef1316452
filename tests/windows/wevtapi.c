/* A MOCK of the library of the event log, for tests under Wine, which has none that works. It shows
 * that the agent calls it rightly: handles, buffers, errors, bookmarks. It says nothing of how Windows
 * behaves.
 *
 * The channel "Mock" has as many records as MOCK_RECORDS says, or the file that it names, numbered from 1
 * or, those before being overwritten, from MOCK_FIRST on. After the fifth one the service of the log fails
 * once, as when it is restarted, and always while the file says "down". "Denied" may not be read. The channel
 * "Application" has one record as soon as the file MOCK_APPLICATION has a text, which is in it. There is no other
 * channel. With MOCK_NOW, a record was written when it is first given, else some day. */
#include <stdio.h>
#include <stdlib.h>
#include <wchar.h>
#include <windows.h>

enum { FAILS_AFTER = 5, BATCH = 3, RENDER_XML = 1, RENDER_BOOKMARK = 2, AFTER_BOOKMARK = 3 };

struct object {
	enum { SUBSCRIPTION, RECORD, BOOKMARK } kind;
	int number;
	/* Of the channel "Application". */
	BOOL is_other;
	FILETIME made;
};

static int has_failed;
/* Handles that are open: what is not closed at the end has leaked. */
static int opened;

static struct object *make(int kind, int number)
{
	struct object *object = malloc(sizeof(*object));
	object->kind = kind;
	object->number = number;
	object->is_other = FALSE;
	GetSystemTimeAsFileTime(&object->made);
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

/* The C library would know the environment of the begin only. */
static int number_of(const char *name, int otherwise)
{
	char text[512] = "";
	GetEnvironmentVariableA(name, text, sizeof(text));
	if (strpbrk(text, "/\\")) {
		FILE *file = fopen(text, "r");
		text[0] = 0;
		if (file) {
			if (!fgets(text, sizeof(text), file))
				text[0] = 0;
			fclose(file);
		}
		if (!strncmp(text, "down", 4))
			return -1;
	}
	return text[0] ? atoi(text) : otherwise;
}

/* The text that the one record of the channel "Application" has. */
static BOOL application(char *text, int size)
{
	char path[512] = "";
	GetEnvironmentVariableA("MOCK_APPLICATION", path, sizeof(path));
	FILE *file = fopen(path, "r");
	BOOL has_any = file && fgets(text, size, file);
	if (file)
		fclose(file);
	return has_any;
}

static void *refused(DWORD error)
{
	SetLastError(error);
	return NULL;
}

__declspec(dllexport) struct object *WINAPI EvtSubscribe(void *session, HANDLE signal, const WCHAR *channel,
	const WCHAR *query, struct object *bookmark, void *context, void *callback, DWORD flags)
{
	int last = number_of("MOCK_RECORDS", 0), first = number_of("MOCK_FIRST", 1);
	BOOL is_after = (flags & 3) == AFTER_BOOKMARK;
	if (session || !signal || channel || context || callback || !query || !is_after != !bookmark)
		return refused(ERROR_INVALID_PARAMETER);
	if (wcsstr(query, L"<Select Path=\"Denied\">"))
		return refused(ERROR_ACCESS_DENIED);
	if (wcsstr(query, L"<Select Path=\"Application\">")) {
		if (!wcsstr(query, L"EventID=997") || is_after)
			return refused(15001);
		struct object *records = make(SUBSCRIPTION, 0);
		records->is_other = TRUE;
		return records;
	}
	if (!wcsstr(query, L"<Select Path=\"Mock\">"))
		return refused(15007);
	if (last < 0)
		return refused(RPC_S_SERVER_UNAVAILABLE);
	/* All records have the first, and none has the second. */
	if (wcsstr(query, L"EventID") && !wcsstr(query, L"EventID=22") && !wcsstr(query, L"EventID=65535"))
		return refused(15001);
	if (is_after && (bookmark->number > last || bookmark->number < first))
		return refused(ERROR_NOT_FOUND);
	SetEvent(signal);
	if (wcsstr(query, L"EventID=65535"))
		return make(SUBSCRIPTION, 1 << 30);
	return make(SUBSCRIPTION, is_after ? bookmark->number : first - 1);
}

__declspec(dllexport) BOOL WINAPI EvtNext(struct object *records, DWORD size, struct object **out, DWORD timeout,
	DWORD flags, DWORD *count)
{
	int last = number_of("MOCK_RECORDS", 0);
	char text[512];
	*count = 0;
	if (records->is_other) {
		if (records->number || !application(text, sizeof(text))) {
			SetLastError(ERROR_NO_MORE_ITEMS);
			return FALSE;
		}
		out[(*count)++] = make(RECORD, ++records->number);
		out[0]->is_other = TRUE;
		return TRUE;
	}
	if (last < 0 || (!has_failed && records->number >= FAILS_AFTER)) {
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
		L"<TimeCreated SystemTime='%hs'/><EventRecordID>%d</EventRecordID>"
		L"<Correlation/><Execution ProcessID='644' ThreadID='8248'/><Channel>Mock</Channel>"
		L"<Computer>HOST</Computer><Security UserID='S-1-5-18'/></System><EventData>"
		L"<Data Name='QueryName'>a&amp;b&#x20AC;</Data><Data Name='Filler'>%0*d</Data></EventData></Event>";
	static const WCHAR *other =
		L"<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System>"
		L"<Provider Name='EndpointAgent'/><EventID Qualifiers='0'>997</EventID><Level>4</Level><Task>0</Task>"
		L"<Keywords>0x80000000000000</Keywords><TimeCreated SystemTime='2024-01-02T13:51:48.1394289Z'/>"
		L"<EventRecordID>1</EventRecordID><Channel>Application</Channel><Computer>HOST</Computer>"
		L"<Security/></System><EventData><Data>%hs</Data></EventData></Event>";
	static const WCHAR *bookmark = L"<BookmarkList>\r\n  <Bookmark Channel='Mock' RecordId='%d' "
				       L"IsCurrent='true'/>\r\n</BookmarkList>";
	static WCHAR text[16384];
	if (context || (flags == RENDER_XML) != (object->kind == RECORD)) {
		SetLastError(ERROR_INVALID_PARAMETER);
		return FALSE;
	}
	char said[512] = "", time[64] = "2024-01-02T13:51:48.1394289Z";
	SYSTEMTIME made;
	if (GetEnvironmentVariableA("MOCK_NOW", NULL, 0) && FileTimeToSystemTime(&object->made, &made))
		snprintf(time, sizeof(time), "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", made.wYear, made.wMonth,
			 made.wDay, made.wHour, made.wMinute, made.wSecond, made.wMilliseconds);
	/* The seventh is longer than the buffers before it. */
	if (object->is_other && application(said, sizeof(said)))
		swprintf(text, 16384, other, said);
	else if (flags == RENDER_XML)
		swprintf(text, 16384, record, time, object->number, object->number == 7 ? 9000 : 1, 0);
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
