//! A process as a service: what the manager is told of it, and what it has to be told to stop.
//!
//! The dispatcher has a thread of its own and the manager's calls come on it; whoever does the work
//! waits for them and is never called.

use std::ffi::OsString;
use std::io;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use windows_service::service::{
    ServiceControl, ServiceControlAccept, ServiceExitCode, ServiceState, ServiceStatus, ServiceType,
};
use windows_service::service_control_handler::{
    self, ServiceControlHandlerResult, ServiceStatusHandle,
};
use windows_service::{define_windows_service, service_dispatcher};

use super::to_io;

/// How often a service that starts or stops says that it still does, and within what time the manager
/// hears it again.
const BEAT: Duration = Duration::from_secs(1);
const HINT: Duration = Duration::from_secs(10);

/// After that long it says nothing any more, and the manager takes it for hung.
const PATIENCE: Duration = Duration::from_secs(120);

/// For the dispatcher to end after the last word.
const LAST: Duration = Duration::from_secs(5);

/// The one service of this process, for a function of the system's that takes no argument of ours.
static SHARED: OnceLock<(OsString, Arc<Shared>)> = OnceLock::new();

define_windows_service!(service_entry, serve);

/// The service that this process is.
pub struct Service {
    shared: Arc<Shared>,
    dispatcher: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    phase: Phase,
    is_stop_asked: bool,
    exit: u32,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
enum Phase {
    #[default]
    Starting,
    Running,
    Stopping,
    Stopped,
}

impl Service {
    /// Connects to the manager, which has started this process, and says that it starts.
    ///
    /// # Errors
    ///
    /// The manager has not started this process, or it is connected already.
    pub fn begin(name: &str) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        SHARED
            .set((name.into(), Arc::clone(&shared)))
            .map_err(|_| io::Error::from(io::ErrorKind::AlreadyExists))?;
        let (tell, told) = sync_channel(1);
        STARTED.set(tell.clone()).ok();
        let name = name.to_owned();
        let dispatcher = thread::Builder::new()
            .name("service".into())
            .spawn(move || {
                if let Err(error) = service_dispatcher::start(&name, service_entry) {
                    tell.try_send(Err(to_io(error))).ok();
                }
            })?;
        told.recv_timeout(PATIENCE)
            .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
        Ok(Self {
            shared,
            dispatcher: Some(dispatcher),
        })
    }

    /// Says that the service does its work.
    pub fn running(&self) {
        self.shared.change(|state| {
            if state.phase == Phase::Starting {
                state.phase = Phase::Running;
            }
        });
    }

    /// What can be waited for while others speak to the manager.
    pub fn waiting(&self) -> Waiting {
        Waiting(Arc::clone(&self.shared))
    }

    /// Says that the service has ended, by an error where `exit` is not 0. The manager may end this
    /// process then.
    pub fn end(&mut self, exit: u32) {
        self.shared.change(|state| {
            state.phase = Phase::Stopped;
            state.exit = exit;
        });
        let Some(dispatcher) = self.dispatcher.take() else {
            return;
        };
        let end = Instant::now() + LAST;
        while !dispatcher.is_finished() && Instant::now() < end {
            thread::sleep(Duration::from_millis(10));
        }
    }
}

/// The manager's wish that the service ends.
pub struct Waiting(Arc<Shared>);

impl Waiting {
    /// Waits until the manager has asked for the end, or the time is over; whether it has.
    pub fn wait(&self, timeout: Duration) -> bool {
        let state = self.0.lock();
        let (state, _) = self
            .0
            .changed
            .wait_timeout_while(state, timeout, |state| !state.is_stop_asked)
            .unwrap_or_else(PoisonError::into_inner);
        state.is_stop_asked
    }
}

impl Drop for Service {
    /// Whoever has forgotten to end it has failed.
    fn drop(&mut self) {
        if self.dispatcher.is_some() {
            self.end(1);
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.lock());
        self.changed.notify_all();
    }

    fn control(&self, control: &ServiceControl) -> ServiceControlHandlerResult {
        match control {
            ServiceControl::Stop | ServiceControl::Shutdown => {
                self.change(|state| {
                    state.is_stop_asked = true;
                    if state.phase != Phase::Stopped {
                        state.phase = Phase::Stopping;
                    }
                });
                ServiceControlHandlerResult::NoError
            }
            ServiceControl::Interrogate => ServiceControlHandlerResult::NoError,
            _ => ServiceControlHandlerResult::NotImplemented,
        }
    }

    /// Tells the manager of each change, and that a start or an end goes on, until the last word.
    fn report(&self, handle: ServiceStatusHandle) {
        let mut pending = Pending::new();
        let mut state = self.lock();
        loop {
            let status = pending.status(state.phase, state.exit);
            // Nobody is left to hear that it cannot be told.
            let told = status.map(|status| handle.set_service_status(status));
            let phase = state.phase;
            if phase == Phase::Stopped || matches!(told, Some(Err(_))) {
                return;
            }
            (state, _) = self
                .changed
                .wait_timeout_while(state, BEAT, |state| state.phase == phase)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// For whom it waits that connects to the manager.
static STARTED: OnceLock<SyncSender<io::Result<()>>> = OnceLock::new();

fn serve(_arguments: Vec<OsString>) {
    let (Some((name, shared)), Some(started)) = (SHARED.get(), STARTED.get()) else {
        return;
    };
    let handler = move |control| shared.control(&control);
    match service_control_handler::register(name, handler) {
        Ok(handle) => {
            started.try_send(Ok(())).ok();
            shared.report(handle);
        }
        Err(error) => {
            started.try_send(Err(to_io(error))).ok();
        }
    }
}

/// The steps of a start or an end, each of which the manager sees to be another.
struct Pending {
    phase: Option<Phase>,
    since: Instant,
    checkpoint: u32,
}

impl Pending {
    fn new() -> Self {
        Self {
            phase: None,
            since: Instant::now(),
            checkpoint: 0,
        }
    }

    /// What is to be told now; nothing where the same was told before, or for too long.
    fn status(&mut self, phase: Phase, exit: u32) -> Option<ServiceStatus> {
        let is_new = self.phase.replace(phase) != Some(phase);
        if is_new {
            self.since = Instant::now();
            self.checkpoint = 0;
        }
        let is_pending = matches!(phase, Phase::Starting | Phase::Stopping);
        if !is_new && (!is_pending || self.since.elapsed() > PATIENCE) {
            return None;
        }
        if is_pending {
            self.checkpoint += 1;
        }
        let stoppable = ServiceControlAccept::STOP | ServiceControlAccept::SHUTDOWN;
        Some(ServiceStatus {
            service_type: ServiceType::OWN_PROCESS,
            current_state: match phase {
                Phase::Starting => ServiceState::StartPending,
                Phase::Running => ServiceState::Running,
                Phase::Stopping => ServiceState::StopPending,
                Phase::Stopped => ServiceState::Stopped,
            },
            controls_accepted: match phase {
                Phase::Starting | Phase::Running => stoppable,
                Phase::Stopping | Phase::Stopped => ServiceControlAccept::empty(),
            },
            exit_code: match (phase, exit) {
                (Phase::Stopped, 1..) => ServiceExitCode::ServiceSpecific(exit),
                _ => ServiceExitCode::NO_ERROR,
            },
            checkpoint: self.checkpoint,
            wait_hint: if is_pending { HINT } else { Duration::ZERO },
            process_id: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_nobody_started_as_a_service_is_none() {
        // ERROR_FAILED_SERVICE_CONTROLLER_CONNECT
        let error = Service::begin("NobodyStarted")
            .err()
            .map(|error| error.raw_os_error());
        assert_eq!(error, Some(Some(1063)));
    }

    #[test]
    fn each_step_of_a_start_is_told_and_the_rest_once() {
        let mut pending = Pending::new();
        let checkpoints: Vec<_> = (0..3)
            .map(|_| pending.status(Phase::Starting, 0).map(|one| one.checkpoint))
            .collect();
        assert_eq!(checkpoints, [Some(1), Some(2), Some(3)]);
        let running = pending.status(Phase::Running, 0).expect("it is new");
        assert_eq!(running.checkpoint, 0);
        assert_eq!(running.current_state, ServiceState::Running);
        assert!(pending.status(Phase::Running, 0).is_none());
        let stopping = pending.status(Phase::Stopping, 0).expect("it is new");
        assert_eq!(stopping.controls_accepted, ServiceControlAccept::empty());
        let stopped = pending.status(Phase::Stopped, 3).expect("it is new");
        assert_eq!(stopped.exit_code, ServiceExitCode::ServiceSpecific(3));
    }

    #[test]
    fn a_shutdown_asks_for_the_end_as_a_stop_does() {
        for control in [ServiceControl::Stop, ServiceControl::Shutdown] {
            let shared = Shared::default();
            shared.control(&control);
            let state = shared.lock();
            assert!(state.is_stop_asked);
            assert_eq!(state.phase, Phase::Stopping);
        }
        let shared = Shared::default();
        shared.control(&ServiceControl::Interrogate);
        assert!(!shared.lock().is_stop_asked);
    }
}
