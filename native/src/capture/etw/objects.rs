//! What events are done to: files, registry keys and connections.

use super::show;
use super::tell::{Seen, Teller, Told, push_fact};
use crate::event::LogRecord;

impl Teller {
    pub(super) fn image_loaded(&mut self, seen: &Seen) -> Told {
        let path = self.host.path(seen.payload.text("ImageName"));
        let pid = seen.payload.short("ProcessID");
        let mut told = self.told(seen, pid, None);
        push_fact(&mut told, "File", &path);
        Some(told)
    }

    pub(super) fn file_named(&mut self, seen: &Seen) -> Told {
        let path = self.host.path(seen.payload.text("FileName"));
        self.files.learn(seen.payload.number("FileKey"), &path);
        None
    }

    /// The classic logger lists the files that are open; what it calls their object is their key.
    pub(super) fn file_listed(&mut self, seen: &Seen) -> Told {
        let path = self.host.path(seen.payload.text("FileName"));
        self.files.learn(seen.payload.number("FileObject"), &path);
        None
    }

    pub(super) fn file_unlisted(&mut self, seen: &Seen) -> Told {
        self.files.forget(seen.payload.number("FileObject"));
        None
    }

    pub(super) fn file_opened(&mut self, seen: &Seen) -> Told {
        let path = self.host.path(seen.payload.text("FileName"));
        self.files.learn(seen.payload.number("FileObject"), &path);
        None
    }

    pub(super) fn file_forgotten(&mut self, seen: &Seen) -> Told {
        self.files.forget(seen.payload.number("FileKey"));
        None
    }

    pub(super) fn file_closed(&mut self, seen: &Seen) -> Told {
        self.files.forget(seen.payload.number("FileObject"));
        None
    }

    /// The path of what an event is about, by what it was opened as.
    fn opened_path(&mut self, seen: &Seen) -> Option<String> {
        let object = seen.payload.number("FileObject");
        if let Some(path) = self.files.get(object) {
            return Some(path.into());
        }
        let key = seen.payload.number("FileKey");
        self.files.get(key).map(Into::into)
    }

    /// Times and attributes are set as one (`FileBasicInformation`).
    pub(super) fn file_times_set(&mut self, seen: &Seen) -> Told {
        if seen.payload.number("InfoClass") != 4 {
            return None;
        }
        let path = self.opened_path(seen).unwrap_or_default();
        Some(self.about_file(seen, &path))
    }

    pub(super) fn file_renamed(&mut self, seen: &Seen) -> Told {
        let before = self.opened_path(seen);
        let path = self.host.path(seen.payload.text("FilePath"));
        for name in ["FileObject", "FileKey"] {
            let address = seen.payload.number(name);
            if self.files.get(address).is_some() {
                self.files.learn(address, &path);
            }
        }
        let mut told = self.about_file(seen, &path);
        if let Some(before) = before.filter(|before| *before != path) {
            told.data.push("old_path", &before);
        }
        Some(told)
    }

    pub(super) fn file_changed(&mut self, seen: &Seen) -> Told {
        let name = match seen.header.id {
            30 => "FileName",
            _ => "FilePath",
        };
        let path = self.host.path(seen.payload.text(name));
        if seen.header.id == 30 {
            self.files.learn(seen.payload.number("FileObject"), &path);
        }
        Some(self.about_file(seen, &path))
    }

    fn about_file(&mut self, seen: &Seen, path: &str) -> Box<LogRecord> {
        let mut told = self.told(seen, seen.header.process, Some(seen.header.thread));
        push_fact(&mut told, "File", path);
        told
    }

    /// The path of a key, of its own or of the one that it was opened from.
    pub(super) fn key_opened(&mut self, seen: &Seen) -> Told {
        /// `REG_CREATED_NEW_KEY`.
        const CREATED: u64 = 1;
        let payload = &seen.payload;
        let has_failed = payload.number("Status") != 0;
        let name = payload.text("RelativeName");
        let base = payload.text("BaseName");
        let base = match self.keys.get(payload.number("BaseObject")) {
            Some(known) if base.is_empty() => known.into(),
            _ => base,
        };
        let path = match (name.starts_with('\\'), &*base, &*name) {
            (true, _, _) => name,
            (_, "", _) => String::new(),
            (_, _, "") => base,
            (_, base, name) => [base, name].join("\\"),
        };
        if !has_failed {
            self.keys.learn(payload.number("KeyObject"), &path);
        }
        let is_new = seen.header.id == 1 && payload.number("Disposition") == CREATED;
        (is_new && !has_failed).then(|| self.about_key(seen, "Key", &path))
    }

    pub(super) fn key_closed(&mut self, seen: &Seen) -> Told {
        self.keys.forget(seen.payload.number("KeyObject"));
        None
    }

    fn key_path(&mut self, seen: &Seen) -> String {
        let told = seen.payload.text("KeyName");
        // Mostly it is not told.
        if told.starts_with('\\') {
            return told;
        }
        let known = self.keys.get(seen.payload.number("KeyObject"));
        known.map(Into::into).unwrap_or_default()
    }

    pub(super) fn key_changed(&mut self, seen: &Seen) -> Told {
        let path = self.key_path(seen);
        Some(self.about_key(seen, "Key", &path))
    }

    pub(super) fn value_changed(&mut self, seen: &Seen) -> Told {
        let path = self.key_path(seen);
        let name = seen.payload.text("ValueName");
        let whole = match (&*path, &*name) {
            ("", _) => String::new(),
            (path, "") => [path, "(Default)"].join("\\"),
            (path, name) => [path, name].join("\\"),
        };
        let mut told = self.about_key(seen, "Value", &whole);
        let kind = seen.payload.number("Type");
        let mut data = String::new();
        show::registry_data(&mut data, kind, seen.payload.bytes_of("CapturedData"));
        push_fact(&mut told, "Data", &data);
        Some(told)
    }

    fn about_key(&mut self, seen: &Seen, name: &'static str, path: &str) -> Box<LogRecord> {
        let mut told = self.told(seen, seen.header.process, Some(seen.header.thread));
        push_fact(&mut told, name, path);
        if let Some(findings) = &mut told.findings {
            findings.has_failed = seen.payload.number("Status") != 0;
        }
        told
    }

    pub(super) fn connected(&mut self, seen: &Seen) -> Told {
        self.about_connection(seen, "egress")
    }

    pub(super) fn accepted(&mut self, seen: &Seen) -> Told {
        self.about_connection(seen, "ingress")
    }

    pub(super) fn disconnected(&mut self, seen: &Seen) -> Told {
        self.about_connection(seen, "")
    }

    /// The system may tell it in place of the process that it says.
    fn about_connection(&mut self, seen: &Seen, direction: &str) -> Told {
        let mut told = self.told(seen, seen.payload.short("PID"), None);
        let kind = if seen.header.id < 28 { "ipv4" } else { "ipv6" };
        push_fact(&mut told, "Direction", direction);
        push_fact(&mut told, "Transport", "tcp");
        push_fact(&mut told, "NetworkType", kind);
        Some(told)
    }
}
