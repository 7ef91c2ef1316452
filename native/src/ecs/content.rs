//! `file.hash.*` and `process.hash.*`: what the file holds.

use crate::ecs::json::Json;
use crate::event::Content;

/// Writes `hash`, if the content is known.
pub fn write(json: &mut Json, content: &Content) {
    if let Content::Known(known) = content {
        let digests = &known.digests;
        json.open("hash");
        json.hex("md5", &digests.md5);
        json.hex("sha1", &digests.sha1);
        json.hex("sha256", &digests.sha256);
        json.close();
    }
}

/// Writes why it is not, if it should be.
pub fn write_reason(json: &mut Json, content: &Content) {
    if let Content::Unread(why) = content {
        json.word("hash_missing", why.reason());
    }
}
