//! Which files events are about: those of event tracing tell the path of what a new process runs. The
//! event log tells what Sysmon has read.

use crate::capture::etw::raw::of_epoch;
use crate::capture::etw::templates::{KERNEL_PROCESS, PROCESS_CLASS};
use crate::event::{Action, Event, FileVersion, Role};
use crate::host::content::Place;

/// The program of a process that has begun, and when that was.
fn begun(event: &Event) -> Option<(&str, u64)> {
    let Action::Logged(record) = &event.action else {
        return None;
    };
    let findings = record.findings.as_deref().filter(|_| record.is_traced)?;
    let is_start =
        record.id == 1 && [PROCESS_CLASS.name, KERNEL_PROCESS.name].contains(&&*record.provider);
    let process = findings.processes[Role::Actor as usize];
    let image = findings.facts.get("Image").filter(|_| is_start)?;
    // Only the kernel's provider says when it was created, which is just before it is told.
    let created = process.map_or(of_epoch(event.time), |process| process.start);
    (!image.is_empty()).then_some((image, created))
}

/// The file whose content an event is about; its version is known once it is opened.
pub fn subject(event: &Event) -> Option<(&[u8], FileVersion)> {
    let (image, _) = begun(event)?;
    Some((image.as_bytes(), FileVersion::default()))
}

/// Where it was.
pub fn places(event: &Event, _is_fresh: bool) -> Vec<Place> {
    let place = begun(event).map(|(image, executed)| Place {
        path: image.into(),
        executed,
    });
    place.into_iter().collect()
}
