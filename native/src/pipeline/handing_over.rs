//! What Linux alone has: another agent before or after.

use super::{Pipeline, stand_by};
use crate::capture::gate::Moment;
use crate::error::Result;
use crate::event::Event;

impl Pipeline {
    /// Begins with events that the source has given already.
    #[must_use]
    pub fn beginning_with(mut self, early: Vec<Event>) -> Self {
        if let Some(worker) = &mut self.worker {
            worker.early = early;
        }
        self
    }

    /// Ends at a moment what is told, if that is still to come; whether it is. Without one, the end
    /// is taken back.
    pub fn tell_until(&self, cut: Option<Moment>) -> Result<bool> {
        let gate = self.gate.as_ref().ok_or_else(stand_by::unable)?;
        gate.tell_until(cut)
    }
}
