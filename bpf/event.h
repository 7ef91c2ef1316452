/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The wire format between the kernel programs and the agent, and the format of recordings.
 *
 * A record is a struct event_header followed by the rest of its kind's struct and then by its
 * variable sections, in the order of their length fields. Integers have the host's byte order.
 * `native/src/capture/ebpf/wire/` mirrors the structs; a test compares both with the BTF of the
 * compiled object, field by field.
 *
 * Numbers are never reused, so that an old recording is never misread.
 */
#ifndef EVENT_H
#define EVENT_H

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef int s32;
typedef long long s64;

enum event_kind {
	EVENT_CLOCK = 1,      /* recordings only */
	EVENT_SNAPSHOT = 2,   /* recordings only: a process that was there at the start */
	EVENT_FORK = 3,
	EVENT_EXEC = 4,
	EVENT_EXIT = 5,
	EVENT_OPEN = 6,       /* a regular file was opened for writing */
	EVENT_DELETE = 7,
	EVENT_RENAME = 8,
	EVENT_CONNECTION = 9,
	EVENT_DIRECTORY_MADE = 10,
	EVENT_NODE_MADE = 11, /* by mknod: a pipe, a socket, a device, an empty file */
	EVENT_LINK = 12,
	EVENT_SYMLINK = 13,
	EVENT_MODE = 14,
	EVENT_OWNER = 15,
	EVENT_TIMES = 16,
	EVENT_ATTRIBUTE = 17, /* extended attributes */
	EVENT_TRUNCATE = 18,  /* by name; who truncates a descriptor has opened it for writing */
	EVENT_MOUNT = 19,     /* what is seen below a folder, or of the tree, was changed */
	EVENT_CONNECT_FAILURE = 20,
	EVENT_LISTEN = 21,
	EVENT_DISCONNECTION = 22,
	EVENT_DATAGRAM = 23, /* UDP, to a peer that is new to the process */
	EVENT_DNS = 24,
	EVENT_REFUSED = 25,   /* an act on a file, which the process may not do */
	EVENT_EXEC_FAILED = 30,
	EVENT_IDENTITY = 31,     /* users or groups of a thread changed */
	EVENT_CAPABILITIES = 32,
	EVENT_NAMESPACE = 33,
	EVENT_INJECTION = 34,    /* a process reached into the memory or registers of another */
	EVENT_SIGNAL = 35,
	EVENT_MODULE = 36,
	EVENT_BPF = 37,
	EVENT_MEMORY_FILE = 38, /* by memfd_create */
	EVENT_REQUEST = 45,   /* through io_uring; told once it is answered */
	EVENT_ANSWER = 46,    /* never told by itself */
	EVENT_AUDIT = 50,     /* recordings only: what the audit source has read */
	EVENT_KINDS
};

enum event_flag {
	EVENT_ARGUMENTS_CUT = 1 << 0, /* exec, also failed: some arguments are missing or cut */
	EVENT_PATH_CUT = 1 << 1,      /* a path did not fit or does not reach a root */
	EVENT_CREATED = 1 << 2,       /* open: the file did not exist before */
	EVENT_TRACKED = 1 << 3,       /* a map will count repeats */
	EVENT_ACCEPTED = 1 << 4,      /* connection: the process accepted it; DNS: it is an answer */
	EVENT_DIRECTORY = 1 << 5,     /* delete: the object was a directory */
	EVENT_NAMELESS = 1 << 6,      /* exec, open: no name in any folder leads to the file */
	EVENT_OLD_PATH_CUT = 1 << 7,  /* rename, exec: EVENT_PATH_CUT of the old path, of the folder */
	EVENT_EXCHANGED = 1 << 8,     /* rename: the old name is the other file's now */
};

#define PATH_LIMIT 4096
#define LOGIN_UNSET 0xffffffff
#define ARGUMENTS_MAX 32768

struct event_header {
	u32 size;     /* bytes of the whole record */
	u16 kind;     /* enum event_kind */
	u16 flags;    /* enum event_flag */
	u64 time;     /* CLOCK_BOOTTIME, ns */
	u64 sequence; /* counts the records of this CPU and ring, lost ones included */
	u64 start;    /* start_boottime of the thread group, ns */
	u32 cpu;
	u32 pid;      /* thread group id */
	u32 tid;
	u32 uid;
	u32 euid;
	u32 gid;
	u32 egid;
	u32 login_uid; /* of the audit system; LOGIN_UNSET where nobody has logged in */
	u32 session;   /* … */
	u32 reserved;
};

struct event_clock {
	struct event_header header;
	u64 offset; /* CLOCK_REALTIME minus CLOCK_BOOTTIME, ns */
};

/* What the audit source reads, in this order. */
enum audit_reading {
	AUDIT_BEGIN = 1, /* `number`: the process that is not told of, with those it starts */
	AUDIT_MESSAGE,   /* a record: its text; `number` is its type */
	AUDIT_PROCESS,   /* a process event: its words, and when it was read */
	AUDIT_ANSWER,    /* of /proc, to the next reading; `number` is 0 where it had none */
	AUDIT_TURN,      /* what was read so far was told; `number` is 1 at the end */
};

/* Section: what was read. */
struct event_audit {
	struct event_header header; /* time: of the process event, of the turn */
	u64 wall; /* of the process event, ns since the epoch */
	u32 reading; /* enum audit_reading */
	u32 number;
};

struct event_fork {
	struct event_header header;
	u64 child_start;
	u32 child_pid;
	u32 reserved;
};

/* A name as the caller gave it, below the folder it counts from. */
struct event_name {
	u16 base_size; /* components */
	u16 name_size; /* string */
};

/* The namespaces of a process, as /proc/PID/ns numbers them; 0 where the kernel has none. */
struct namespaces {
	u32 pid;
	u32 mnt;
	u32 net;
	u32 user;
	u32 uts;
	u32 ipc;
};

/* A version of a file's content: another inode, or a later change, is another version. */
struct file_version {
	u64 inode;
	u64 changed; /* ctime, ns */
	u64 size;
	u32 device;     /* major << 20 | minor */
	u32 filesystem; /* magic number */
};

/*
 * Sections: executable (components), working directory (components), script base, script name,
 * control group (components), arguments. The script is the file that was executed where the kernel runs an interpreter in its
 * place, else empty; a relative name counts from the working directory and has no base. The control group's path comes with its first exec only;
 * in a snapshot, always.
 */
struct event_exec {
	struct event_header header;
	u64 parent_start;
	u32 parent_pid;
	u32 arguments_count;
	u32 arguments_size;
	u16 executable_size;
	u16 directory_size;
	struct event_name script;
	u16 script_flags; /* enum event_flag: EVENT_PATH_CUT */
	u16 group_size;
	u64 group; /* number of the control group; 0: a hierarchy's root, or not known */
	struct namespaces namespaces;
	struct file_version file;
};

struct event_exit {
	struct event_header header;
	u32 status; /* as wait(2) gives it */
	u32 reserved;
};

/* The same act: of one process, running one program with one user's rights, on one name of a file. */
struct repeat_key {
	u64 inode;
	u64 start;
	u64 path;       /* differs for another name, folder or mount */
	u32 device;     /* major << 20 | minor */
	u32 generation; /* of the inode: its number may be another file's in the same second */
	u32 pid;
	u32 euid;
	u32 program; /* counts the execs of the process */
	u32 filesystem; /* magic number; open only */
};

/* The begin of a record whose repeats may be counted, of all but the network's. */
struct event_repeatable {
	struct event_header header;
	struct repeat_key key;
};

/* Sections: path (components). */
struct event_open {
	struct event_header header;
	struct repeat_key key;
	u64 size;
	u32 mode;
	u32 uid;
	u32 gid;
	u16 path_size;
	u16 reserved;
};

/* Sections: path (components). */
struct event_memory_file {
	struct event_header header;
	struct repeat_key key; /* `path` is a digest of all that follows */
	u32 options; /* MFD_* */
	u16 path_size;
	u16 reserved;
};

/* Sections: base, name. */
struct event_delete {
	struct event_header header;
	struct event_name name;
	u32 reserved;
};

/* Sections: old base, old name, new base, new name. */
struct event_rename {
	struct event_header header;
	struct event_name from;
	struct event_name to;
};

/* What the kernel knows of a file that the call named by a descriptor; all zero for other names. */
struct event_inode {
	u64 number;
	u64 size;
	u32 device; /* major << 20 | minor */
	u32 mode;   /* of no file it is zero */
	u32 uid;
	u32 gid;
};

/* How a call took a name, or what else it did than its kind says. */
enum change_how {
	CHANGE_NOFOLLOW = 1 << 0, /* a symbolic link itself was changed, not what it leads to */
	CHANGE_REMOVED = 1 << 1,  /* attribute: it was removed */
};

/* In place of a time, ns since the epoch. TIME_KEPT also where it cannot be told. */
#define TIME_KEPT (~0ull)
#define TIME_NOW (~0ull - 1)

/*
 * One file was made or changed; what the kind says nothing about is zero.
 * Sections: base, name, name of the attribute.
 */
struct event_change {
	struct event_header header;
	struct repeat_key key; /* `path` is a digest of all that follows */
	struct event_inode inode;
	struct event_name name;
	u16 attribute_size;
	u16 how;      /* enum change_how */
	u32 mode;     /* node, mode: as the call gave it */
	u32 device;   /* node: its own, major << 20 | minor */
	u32 uid;      /* owner: -1 if it was kept */
	u32 gid;      /* owner: -1 if it was kept */
	u64 size;     /* truncate */
	u64 accessed; /* times */
	u64 modified; /* times */
};

/* Sections: base and name of the file that was there, base and name of the new link. */
struct event_link {
	struct event_header header;
	struct event_name from;
	struct event_name to;
};

/* Sections: base, name, the text of the link. */
struct event_symlink {
	struct event_header header;
	struct event_name name;
	u16 target_size;
	u16 reserved;
};

enum mount_act {
	MOUNT_MADE = 1,
	MOUNT_ATTACHED, /* by move_mount, one that existed or was made apart */
	MOUNT_REMOVED,
	ROOT_SWAPPED, /* by pivot_root: of the mount namespace */
	ROOT_CHANGED, /* by chroot: of the process */
};

/* Sections: base and name of the file, of an act with two names the new one; base and name of the old. */
struct event_refused {
	struct event_header header;
	struct repeat_key key; /* `path` is a digest of all that follows */
	struct event_name name;
	struct event_name old;
	u32 error; /* errno: EACCES or EPERM */
	u32 call;  /* number of the system call */
};

/*
 * Sections: base and name of the place; base and name of the folder that is mounted there, or, of
 * pivot_root, where the old root went; device; file system.
 */
struct event_mount {
	struct event_header header;
	struct event_name place;
	struct event_name source;
	u64 options; /* of the call */
	u16 device_size;
	u16 type_size;
	u32 act; /* enum mount_act */
};

struct event_connection {
	struct event_header header;
	u8 local[16]; /* IPv4 in the first 4 bytes */
	u8 peer[16];
	u16 local_port; /* host byte order */
	u16 peer_port;
	u16 family; /* AF_INET or AF_INET6 */
	u16 error;  /* why a connect failed; 0: the process gave up, or it is not known */
};

/* A connect that failed, or a socket that listens, which has no peer. */
struct event_attempt {
	struct event_connection connection;
	struct repeat_key key;
};

/* An established connection has ended. */
struct event_disconnection {
	struct event_connection connection;
	u64 duration; /* ns */
	u64 sent;     /* bytes of data, each counted once */
	u64 received;
};

/* The same act: of one process, running one program with one user's rights, to one peer. */
struct peer_key {
	u64 start;
	u8 peer[16];
	u32 pid;
	u32 euid;
	u32 program;
	u16 port;
	u16 family;
};

struct event_datagram {
	struct event_connection connection;
	struct peer_key key;
};

#define DNS_MAX 4096

/* Sections: the message, of which more than DNS_MAX bytes or one packet are not sent. */
struct event_dns {
	struct event_connection connection;
	u16 size;      /* bytes of the section */
	u16 transport; /* IPPROTO_TCP or IPPROTO_UDP */
	u32 whole;     /* bytes of the message */
};

/* Sections: base, name, arguments, each ended by NUL. */
struct event_exec_failed {
	struct event_header header;
	struct repeat_key key; /* `path` is a digest of all that follows */
	struct event_name name;
	u32 error; /* errno */
	u32 call;  /* number of the system call */
	u32 arguments_size;
};

#define GROUPS_MAX 32

/* With whose rights a thread acts. */
struct identity {
	u32 uid, euid, suid, fsuid;
	u32 gid, egid, sgid, fsgid;
	u32 groups_count; /* supplementary groups, also those beyond GROUPS_MAX */
	u32 reserved;
	u32 groups[GROUPS_MAX];
};

struct event_identity {
	struct event_header header;
	u32 call;
	u32 is_before_known; /* or `before` is zero */
	struct identity before;
	struct identity after;
};

/* Sets of bits, CAP_* of include/uapi/linux/capability.h. */
struct capabilities {
	u64 permitted;
	u64 effective;
	u64 inheritable;
	u64 ambient;
};

struct event_capabilities {
	struct event_header header;
	u32 call;
	u32 is_before_known;
	struct capabilities before;
	struct capabilities after;
};

/* The numbers of a thread's namespaces, as /proc/PID/ns shows them. */
struct event_namespace {
	struct event_header header;
	u32 call;
	u32 changed; /* CLONE_NEW* bits */
	u32 mount;
	u32 uts;
	u32 ipc;
	u32 network;
	u32 pid; /* of its children */
	u32 time;
	u32 cgroup;
	u32 user;
};

/* Another process, which something is done to. */
struct target {
	u64 start; /* start_boottime of the thread group, ns */
	u32 pid;   /* thread group id */
	u32 uid;
};

struct event_injection {
	struct event_header header;
	struct repeat_key key;
	struct target target;
	u32 call;
	u32 request; /* of ptrace */
	u64 bytes;   /* written by process_vm_writev */
};

struct event_signal {
	struct event_header header;
	struct repeat_key key;
	struct target target;
	u32 call;
	u32 number;
};

#define MODULE_NAME_MAX 56

/* Sections: path (components), empty if the module did not come from a file. */
struct event_module {
	struct event_header header;
	u32 call;
	u16 is_unloaded;
	u16 path_size;
	u8 name[MODULE_NAME_MAX];
};

struct event_bpf {
	struct event_header header;
	u32 id;
	u32 kind;     /* enum bpf_prog_type */
	u32 attached; /* 0: loaded; 1: attached by BPF_PROG_ATTACH; else 1 + enum bpf_link_type */
	u32 reserved;
	u8 tag[8];
	u8 name[16];
};

/*
 * What a process asked for through io_uring. The reader holds it until its answer comes, or does
 * not. Sections: base, name, second base, second name; the second pair is empty where the act has one
 * name only.
 */
struct event_request {
	struct event_header header;
	u64 request; /* its address: who is asked and who answers speak of the same */
	struct event_name from;
	struct event_name to;
	u32 operation; /* IORING_OP_* */
	u32 details;   /* as the caller gave them: flags of an open, of an unlink, of a rename */
	u32 unanswered; /* 1 where nobody has told what became of it; set by the reader */
	u32 reserved;
};

struct event_answer {
	struct event_header header;
	u64 request;
	s32 result; /* negative: nothing is to be told */
	u32 reserved;
};

/*
 * Paths travel as components: the names from the file up to the root, each ended by one NUL. The
 * reader turns them round; the kernel side then never has to know a path's length beforehand.
 */

#endif
