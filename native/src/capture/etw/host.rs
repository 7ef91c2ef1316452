//! What the host was asked: its name, its drives, whose SIDs are whose.

use lru::LruCache;

/// Drives and accounts that are known at most.
const MAX_DRIVES: usize = 64;
const MAX_ACCOUNTS: usize = 4_096;
/// SIDs that wait to be found out.
const MAX_MISSED: usize = 64;
/// Bytes of a name, a path or a SID.
pub const MAX_TEXT: usize = 1_024;

/// Accounts that are the same on every host.
const WELL_KNOWN: [(&str, &str); 3] = [
    ("S-1-5-18", r"NT AUTHORITY\SYSTEM"),
    ("S-1-5-19", r"NT AUTHORITY\LOCAL SERVICE"),
    ("S-1-5-20", r"NT AUTHORITY\NETWORK SERVICE"),
];

/// A host.
#[derive(Debug)]
pub struct Host {
    /// Its name.
    pub name: String,
    /// Devices, and the drives that they are.
    drives: Vec<(String, String)>,
    accounts: LruCache<String, String>,
    /// SIDs whose accounts were asked for and are not known, where somebody can find them out.
    pub missed: Option<Vec<String>>,
}

impl Default for Host {
    fn default() -> Self {
        Self {
            name: String::new(),
            drives: Vec::new(),
            accounts: LruCache::unbounded(),
            missed: None,
        }
    }
}

impl Host {
    /// A device, as `\Device\HarddiskVolume3`, is a drive, as `C:`, now.
    pub fn learn_drive(&mut self, device: &str, drive: &str) {
        let is_other = |(known, name): &(String, String)| {
            !known.eq_ignore_ascii_case(device) && !name.eq_ignore_ascii_case(drive)
        };
        self.drives.retain(is_other);
        if !device.is_empty() && self.drives.len() < MAX_DRIVES {
            self.drives.push((device.into(), drive.into()));
        }
    }

    /// The devices that are known, and which drives they are.
    pub fn drives(&self) -> impl Iterator<Item = (&str, &str)> {
        let drives = self.drives.iter();
        drives.map(|(device, drive)| (&**device, &**drive))
    }

    /// A SID is that of an account: `DOMAIN\name`.
    pub fn learn_account(&mut self, sid: &str, account: &str) {
        self.accounts.put(sid.into(), account.into());
        if self.accounts.len() > MAX_ACCOUNTS {
            self.accounts.pop_lru();
        }
    }

    /// The account of a SID.
    pub fn account(&mut self, sid: &str) -> Option<&str> {
        if let Some(missed) = &mut self.missed
            && !sid.is_empty()
            && missed.len() < MAX_MISSED
            && !self.accounts.contains(sid)
            && !missed.iter().any(|known| known == sid)
        {
            missed.push(sid.into());
        }
        let known = self.accounts.get(sid).map(String::as_str);
        known.or_else(|| {
            let mut all = WELL_KNOWN.iter();
            all.find(|(one, _)| *one == sid).map(|(_, name)| *name)
        })
    }

    /// A path of the kernel as programs write it, where its device is known.
    pub fn path(&self, mut native: String) -> String {
        const PREFIX: &str = r"\??\";
        if native.starts_with(PREFIX) {
            native.drain(..PREFIX.len());
        }
        let is_on = |(device, _): &&(String, String)| {
            let parts = native.split_at_checked(device.len());
            parts.is_some_and(|(begin, rest)| {
                begin.eq_ignore_ascii_case(device) && (rest.is_empty() || rest.starts_with('\\'))
            })
        };
        if let Some((device, drive)) = self.drives.iter().find(is_on) {
            native.replace_range(..device.len(), drive);
        }
        native
    }
}

#[cfg(test)]
mod tests {
    use super::{Host, MAX_ACCOUNTS, MAX_DRIVES};

    #[test]
    fn paths_are_those_of_drives() {
        let mut host = Host::default();
        host.learn_drive(r"\Device\HarddiskVolume1", "D:");
        host.learn_drive(r"\Device\HarddiskVolume1", "E:");
        host.learn_drive(r"\Device\HarddiskVolume10", "C:");
        for (native, path) in [
            (r"\Device\HarddiskVolume1\a", r"E:\a"),
            (r"\device\harddiskvolume10\b", r"C:\b"),
            (r"\Device\HarddiskVolume10", "C:"),
            (r"\Device\HarddiskVolume2\a", r"\Device\HarddiskVolume2\a"),
            (r"\??\C:\a", r"C:\a"),
            ("System", "System"),
            (
                "\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}",
                "",
            ),
        ] {
            let path = if path.is_empty() { native } else { path };
            assert_eq!(host.path(native.into()), path);
        }
        for number in 0..2 * MAX_DRIVES {
            host.learn_drive(&format!("device {number}"), &format!("drive {number}"));
        }
        assert_eq!(host.drives.len(), MAX_DRIVES);
    }

    #[test]
    fn accounts_are_told_and_bounded() {
        let mut host = Host::default();
        assert_eq!(host.account("S-1-5-18"), Some(r"NT AUTHORITY\SYSTEM"));
        assert_eq!(host.account("S-1-5-21-1"), None);
        host.learn_account("S-1-5-18", r"AUTORITE NT\Syst\u{e8}me");
        assert_eq!(host.account("S-1-5-18"), Some(r"AUTORITE NT\Syst\u{e8}me"));
        host.missed = Some(Vec::new());
        for sid in ["", "S-1-5-18", "S-1-5-21-2", "S-1-5-21-2"] {
            host.account(sid);
        }
        assert_eq!(host.missed, Some(vec!["S-1-5-21-2".into()]));
        for number in 0..=MAX_ACCOUNTS {
            host.learn_account(&number.to_string(), "x");
        }
        assert_eq!(host.accounts.len(), MAX_ACCOUNTS);
    }
}
