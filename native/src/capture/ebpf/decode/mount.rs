//! What is seen where.

use super::path::{named, text};
use super::{Malformed, take};
use crate::capture::ebpf::wire::{self, act, flag};
use crate::event::{Action, Mount, MountChange};

/// `MS_MGC_VAL`, which old programs put before the options of mount(2), and its mask.
const MAGIC: (u64, u64) = (0xc0ed_0000, 0xffff_0000);

/// Bits of the options of a call, and their names. (include/uapi/linux/mount.h)
pub type Options = [(u64, &'static str)];

/// Of mount(2).
pub const MADE: &Options = &[
    (1 << 0, "MS_RDONLY"),
    (1 << 1, "MS_NOSUID"),
    (1 << 2, "MS_NODEV"),
    (1 << 3, "MS_NOEXEC"),
    (1 << 4, "MS_SYNCHRONOUS"),
    (1 << 5, "MS_REMOUNT"),
    (1 << 6, "MS_MANDLOCK"),
    (1 << 7, "MS_DIRSYNC"),
    (1 << 8, "MS_NOSYMFOLLOW"),
    (1 << 10, "MS_NOATIME"),
    (1 << 11, "MS_NODIRATIME"),
    (1 << 12, "MS_BIND"),
    (1 << 13, "MS_MOVE"),
    (1 << 14, "MS_REC"),
    (1 << 15, "MS_SILENT"),
    (1 << 16, "MS_POSIXACL"),
    (1 << 17, "MS_UNBINDABLE"),
    (1 << 18, "MS_PRIVATE"),
    (1 << 19, "MS_SLAVE"),
    (1 << 20, "MS_SHARED"),
    (1 << 21, "MS_RELATIME"),
    (1 << 23, "MS_I_VERSION"),
    (1 << 24, "MS_STRICTATIME"),
    (1 << 25, "MS_LAZYTIME"),
];

/// Of move_mount(2).
pub const ATTACHED: &Options = &[
    (0x01, "MOVE_MOUNT_F_SYMLINKS"),
    (0x02, "MOVE_MOUNT_F_AUTOMOUNTS"),
    (0x04, "MOVE_MOUNT_F_EMPTY_PATH"),
    (0x10, "MOVE_MOUNT_T_SYMLINKS"),
    (0x20, "MOVE_MOUNT_T_AUTOMOUNTS"),
    (0x40, "MOVE_MOUNT_T_EMPTY_PATH"),
    (0x100, "MOVE_MOUNT_SET_GROUP"),
    (0x200, "MOVE_MOUNT_BENEATH"),
];

/// Of umount2(2).
pub const REMOVED: &Options = &[
    (1 << 0, "MNT_FORCE"),
    (1 << 1, "MNT_DETACH"),
    (1 << 2, "MNT_EXPIRE"),
    (1 << 3, "UMOUNT_NOFOLLOW"),
];

pub fn mount(record: &[u8]) -> Result<Action, Malformed> {
    let (mount, rest) = take::<wire::Mount>(record)?;
    let (path, rest) = named(rest, mount.place)?;
    let has_source = mount.source != wire::Name::default();
    let (folder, rest) = named(rest, mount.source)?;
    let (device, rest) = text(rest, mount.device_size)?;
    let (filesystem, _) = text(rest, mount.type_size)?;
    let (change, options) = match mount.act {
        act::MADE => (MountChange::Mounted, MADE),
        act::ATTACHED => (MountChange::Mounted, ATTACHED),
        act::REMOVED => (MountChange::Unmounted, REMOVED),
        act::ROOT_SWAPPED => (MountChange::RootSwapped, &[][..]),
        act::ROOT_CHANGED => (MountChange::RootChanged, &[][..]),
        _ => return Err(Malformed::Unknown("act")),
    };
    let swapped = change == MountChange::RootSwapped;
    Ok(Action::Mount(Mount {
        change,
        path,
        path_truncated: mount.header.flags & flag::PATH_CUT != 0,
        source_truncated: mount.header.flags & flag::OLD_PATH_CUT != 0,
        put_old: swapped.then(|| folder.clone()),
        source: match has_source && !swapped {
            true => folder,
            false => device,
        },
        filesystem,
        options: named_options(mount.options, options),
    }))
}

/// The names of the options that are set.
pub fn named_options(mut bits: u64, names: &Options) -> Vec<&'static str> {
    let (magic, mask) = MAGIC;
    if bits & mask == magic {
        bits &= !mask;
    }
    let set = names.iter().filter(|(bit, _)| bits & bit != 0);
    set.map(|&(_, name)| name).collect()
}
