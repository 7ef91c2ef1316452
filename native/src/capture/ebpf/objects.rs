//! The programs at functions of the kernel, which see files as its own objects.

use super::programs::Place::{Enter, Later, Leave, Probe, ProbeEnd};
use super::programs::Program;

/// Names that come and go, and opens, where a function begins.
pub const ENTERED: &[Program] = &[
    (
        "enter_security_path_unlink",
        Enter(&["security_path_unlink"]),
        "delete",
    ),
    (
        "enter_security_path_rmdir",
        Enter(&["security_path_rmdir"]),
        "delete",
    ),
    (
        "enter_security_path_rename",
        Enter(&["security_path_rename"]),
        "rename",
    ),
    (
        "enter_security_path_mkdir",
        Enter(&["security_path_mkdir"]),
        "directory made",
    ),
    (
        "enter_security_path_mknod",
        Enter(&["security_path_mknod"]),
        "node made",
    ),
    (
        "enter_security_path_link",
        Enter(&["security_path_link"]),
        "link",
    ),
    (
        "enter_security_path_symlink",
        Enter(&["security_path_symlink"]),
        "symlink",
    ),
    ("enter_d_delete", Enter(&["d_delete"]), "delete"),
    ("enter_d_move", Enter(&["d_move"]), "rename"),
    ("enter_d_exchange", Enter(&["d_exchange"]), "rename"),
];

/// … where it ends.
pub const FINISHED: &[Program] = &[
    // The first is its name until 6.19.
    (
        "leave_open",
        Leave(&["do_filp_open", "do_file_open"]),
        "open",
    ),
    ("leave_open_by_handle", Leave(&["do_handle_open"]), "open"),
    ("leave_vfs_create", Leave(&["vfs_create"]), "node made"),
    ("leave_vfs_mknod", Leave(&["vfs_mknod"]), "node made"),
    ("leave_vfs_link", Leave(&["vfs_link"]), "link"),
    ("leave_vfs_symlink", Leave(&["vfs_symlink"]), "symlink"),
    ("leave_vfs_mkdir", Leave(&["vfs_mkdir"]), "directory made"),
];

/// Opens that were refused.
pub const REFUSED_BY_OBJECTS: &[Program] = &[(
    "leave_refused_open",
    Leave(&["do_filp_open", "do_file_open"]),
    "refused",
)];

/// Changes that are not the content.
pub const CHANGED: &[Program] = &[
    ("leave_chmod_common", Leave(&["chmod_common"]), "mode"),
    ("leave_chown_common", Leave(&["chown_common"]), "owner"),
    ("leave_vfs_utimes", Leave(&["vfs_utimes"]), "times"),
    ("leave_vfs_truncate", Leave(&["vfs_truncate"]), "truncate"),
    // The second is for kernels before 5.19.
    (
        "leave_do_setxattr",
        Leave(&["do_setxattr", "vfs_setxattr"]),
        "attribute",
    ),
    (
        "leave_vfs_removexattr",
        Leave(&["vfs_removexattr"]),
        "attribute",
    ),
    (
        "leave_vfs_remove_acl",
        Later(&Leave(&["vfs_remove_acl"])),
        "attribute",
    ),
];

/// Names that come and go, and opens, by breakpoints.
pub const PROBED: &[Program] = &[
    ("probe_open", Probe(&["security_file_open"]), "open"),
    // The second is for kernels before 6.9.
    (
        "probe_opened",
        Probe(&["security_file_post_open", "ima_file_check"]),
        "open",
    ),
    (
        "probe_security_path_unlink",
        Probe(&["security_path_unlink"]),
        "delete",
    ),
    (
        "probe_security_path_rmdir",
        Probe(&["security_path_rmdir"]),
        "delete",
    ),
    (
        "probe_security_path_rename",
        Probe(&["security_path_rename"]),
        "rename",
    ),
    (
        "probe_security_path_mkdir",
        Probe(&["security_path_mkdir"]),
        "directory made",
    ),
    (
        "probe_security_path_mknod",
        Probe(&["security_path_mknod"]),
        "node made",
    ),
    (
        "probe_security_path_link",
        Probe(&["security_path_link"]),
        "link",
    ),
    (
        "probe_security_path_symlink",
        Probe(&["security_path_symlink"]),
        "symlink",
    ),
    ("probe_d_delete", Probe(&["d_delete"]), "delete"),
    ("probe_d_move", Probe(&["d_move"]), "rename"),
    ("probe_d_exchange", Probe(&["d_exchange"]), "rename"),
    ("probe_vfs_create", Probe(&["vfs_create"]), "node made"),
    ("finish_vfs_create", ProbeEnd(&["vfs_create"]), "node made"),
    ("probe_vfs_mknod", Probe(&["vfs_mknod"]), "node made"),
    ("finish_vfs_mknod", ProbeEnd(&["vfs_mknod"]), "node made"),
    ("probe_vfs_link", Probe(&["vfs_link"]), "link"),
    ("finish_vfs_link", ProbeEnd(&["vfs_link"]), "link"),
    ("probe_vfs_symlink", Probe(&["vfs_symlink"]), "symlink"),
    ("finish_vfs_symlink", ProbeEnd(&["vfs_symlink"]), "symlink"),
    ("probe_vfs_mkdir", Probe(&["vfs_mkdir"]), "directory made"),
    (
        "finish_vfs_mkdir",
        ProbeEnd(&["vfs_mkdir"]),
        "directory made",
    ),
];

/// Changes that are not the content, by breakpoints.
pub const CHANGE_PROBED: &[Program] = &[
    ("probe_chmod_common", Probe(&["chmod_common"]), "mode"),
    ("finish_chmod_common", ProbeEnd(&["chmod_common"]), "mode"),
    ("probe_chown_common", Probe(&["chown_common"]), "owner"),
    ("finish_chown_common", ProbeEnd(&["chown_common"]), "owner"),
    ("probe_vfs_utimes", Probe(&["vfs_utimes"]), "times"),
    ("finish_vfs_utimes", ProbeEnd(&["vfs_utimes"]), "times"),
    ("probe_vfs_truncate", Probe(&["vfs_truncate"]), "truncate"),
    (
        "finish_vfs_truncate",
        ProbeEnd(&["vfs_truncate"]),
        "truncate",
    ),
    (
        "probe_do_setxattr",
        Probe(&["do_setxattr", "vfs_setxattr"]),
        "attribute",
    ),
    (
        "finish_do_setxattr",
        ProbeEnd(&["do_setxattr", "vfs_setxattr"]),
        "attribute",
    ),
    (
        "probe_vfs_removexattr",
        Probe(&["vfs_removexattr"]),
        "attribute",
    ),
    (
        "finish_vfs_removexattr",
        ProbeEnd(&["vfs_removexattr"]),
        "attribute",
    ),
    (
        "probe_vfs_remove_acl",
        Later(&Probe(&["vfs_remove_acl"])),
        "attribute",
    ),
    (
        "finish_vfs_remove_acl",
        Later(&ProbeEnd(&["vfs_remove_acl"])),
        "attribute",
    ),
];
