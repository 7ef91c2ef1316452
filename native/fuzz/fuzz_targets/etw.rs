//! Plays arbitrary bytes as frames of a recording of Windows' event tracing, as the data of events of
//! every layout, and as changes of a real recording, and tells what is in them. Whatever they are,
//! nothing panics, and every event is one JSON object of bounded size.
#![no_main]

use endpoint_agent_fuzz::{changed, teller};
use endpoint_agent_native::capture::etw::recording::{Frames, MAGIC};
use endpoint_agent_native::capture::etw::{schema, templates};
use libfuzzer_sys::fuzz_target;

const REAL: &[u8] = include_bytes!("../../../tests/golden/etw/acts.rec");
const EVENT: u16 = 1;
const HEADER: usize = 80;

/// Frames back to back, up to what is damaged.
fn frames(mut bytes: &[u8], play: &mut dyn FnMut(u16, &[u8])) {
    while let Some((head, _)) = bytes.split_at_checked(8) {
        let size = u32::from_le_bytes([head[0], head[1], head[2], head[3]]) as usize;
        if size < 8 || size > bytes.len() {
            return;
        }
        let (frame, rest) = bytes.split_at(size);
        play(u16::from_le_bytes([head[4], head[5]]), &frame[8..]);
        bytes = rest;
    }
}

/// An event of a template that the first bytes choose, with the others as its data.
fn event(bytes: &[u8]) -> Vec<u8> {
    let Some((&[provider, template, flags], data)) = bytes.split_first_chunk() else {
        return Vec::new();
    };
    let provider = templates::ALL[usize::from(provider) % templates::ALL.len()];
    let template = &provider.templates[usize::from(template) % provider.templates.len()];
    let mut header = [0; HEADER];
    header[4] = flags;
    header[24..40].copy_from_slice(&provider.guid);
    header[40..42].copy_from_slice(&template.id.to_le_bytes());
    header[42] = template.version;
    if [templates::PROCESS_CLASS.guid, templates::FILE_CLASS.guid].contains(&provider.guid) {
        header[5] = 1;
        header[45] = template.id as u8;
    }
    [&header[..], &[0; 4], data].concat()
}

fuzz_target!(|bytes: &[u8]| {
    let mut tell = teller();
    let mut player = Frames::default();
    let mut play = |kind: u16, body: &[u8]| player.play(kind, body, &mut tell);
    frames(bytes, &mut play);
    let _ = schema::fields(bytes);
    play(EVENT, &event(bytes));
    frames(&changed(&REAL[MAGIC.len()..], bytes), &mut play);
});
