//! Where no event tells which file it is about so surely that it could be read: none waits.

use std::sync::Arc;

use crate::counters::Counters;
use crate::event::Event;

/// The events that wait: none.
pub struct Hold;

impl Hold {
    /// Holds nothing.
    pub fn new(_: Arc<Counters>) -> Self {
        Self
    }

    /// Lets an event pass.
    pub fn push(&mut self, event: Event, sink: &mut dyn FnMut(&Event)) {
        sink(&event);
    }

    /// Nothing waits.
    pub fn is_empty(&self) -> bool {
        true
    }

    /// Nothing waits.
    pub fn settle(&mut self, _: &mut dyn FnMut(&Event)) {}

    /// Nothing waits.
    pub fn finish(&mut self, _: &mut dyn FnMut(&Event)) {}
}
