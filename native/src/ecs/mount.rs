//! `file.*` of the folder where something was mounted, and what that was.

use crate::ecs::file::{write_other_path, write_path};
use crate::ecs::json::Json;
use crate::event::Mount;

/// Writes `file`.
pub fn write(json: &mut Json, mount: &Mount) {
    json.open("file");
    write_path(json, &mount.path, mount.path_truncated);
    json.close();
}

/// Writes `action.properties` of a mount.
pub fn write_properties(json: &mut Json, mount: &Mount) {
    if !mount.source.is_empty() {
        write_other_path(json, "source", &mount.source, mount.source_truncated);
    }
    json.text_if_known("fstype", &mount.filesystem);
    if let Some(path) = &mount.put_old {
        write_other_path(json, "put_old", path, mount.source_truncated);
    }
    if !mount.options.is_empty() {
        json.words("flags", &mount.options);
    }
}
