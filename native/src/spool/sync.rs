//! Group commit: one thread that syncs at intervals what has been written since.

use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::Duration;

use super::Shared;
use crate::error::{Error, Result};

/// The syncing thread; dropping it ends and joins the thread.
#[derive(Debug)]
pub(super) struct Syncer {
    /// Closed to end the thread.
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Syncer {
    pub fn start(shared: Arc<Shared>, interval: Duration) -> Result<Self> {
        let (stop, stopped) = mpsc::channel();
        let thread = std::thread::Builder::new()
            .name("spool-sync".to_owned())
            .spawn(move || {
                while stopped.recv_timeout(interval) == Err(RecvTimeoutError::Timeout) {
                    shared.sync();
                }
            })
            .map_err(|error| Error::Spool(format!("cannot start its syncing thread: {error}")))?;
        Ok(Self {
            stop: Some(stop),
            thread: Some(thread),
        })
    }
}

impl Drop for Syncer {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been reported by the runtime; the queue is whole.
            let _ = thread.join();
        }
    }
}
