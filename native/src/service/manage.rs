//! A service in the manager's books: made, changed, started, stopped and removed.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use windows_service::service::{
    Service, ServiceAccess, ServiceAction, ServiceActionType, ServiceErrorControl, ServiceExitCode,
    ServiceFailureActions, ServiceFailureResetPeriod, ServiceInfo, ServiceStartType, ServiceState,
    ServiceType,
};
use windows_service::service_manager::{ServiceManager, ServiceManagerAccess};

use super::to_io;

/// How long it waits before it is started again: after the first failure, the second, and each other.
const RESTARTS: [Duration; 3] = [
    Duration::from_secs(2),
    Duration::from_secs(15),
    Duration::from_secs(60),
];

/// Without a failure for that long, the next one is the first again.
const FORGIVEN: Duration = Duration::from_secs(3600);

const POLL: Duration = Duration::from_millis(100);

/// ERROR_INVALID_LEVEL
const UNKNOWN_LEVEL: i32 = 124;

/// ERROR_SERVICE_DOES_NOT_EXIST, ERROR_SERVICE_NOT_ACTIVE, ERROR_SERVICE_ALREADY_RUNNING.
const NONE: i32 = 1060;
const NOT_ACTIVE: i32 = 1062;
const ALREADY: i32 = 1056;

/// What a service is to be.
pub struct Wanted {
    /// By which it is asked for.
    pub name: String,
    /// What users see.
    pub title: String,
    /// What it is for.
    pub description: String,
    /// What the manager starts.
    pub program: PathBuf,
    /// The words it is given.
    pub arguments: Vec<String>,
}

/// Makes a service that starts with the host, or changes the one of that name. It runs as the system,
/// and is started again when it fails.
///
/// Returns what of it this host's manager does not know.
pub fn install(wanted: &Wanted) -> io::Result<Vec<&'static str>> {
    let info = ServiceInfo {
        name: (&wanted.name).into(),
        display_name: (&wanted.title).into(),
        service_type: ServiceType::OWN_PROCESS,
        start_type: ServiceStartType::AutoStart,
        error_control: ServiceErrorControl::Normal,
        executable_path: wanted.program.clone(),
        launch_arguments: wanted.arguments.iter().map(OsString::from).collect(),
        dependencies: Vec::new(),
        account_name: None,
        account_password: None,
    };
    // To have it restarted takes the right to start it.
    let access = ServiceAccess::CHANGE_CONFIG | ServiceAccess::QUERY_CONFIG | ServiceAccess::START;
    let service = match open(&wanted.name, access)? {
        Some(service) => {
            service.change_config(&info).map_err(to_io)?;
            service
        }
        None => manager(ServiceManagerAccess::CREATE_SERVICE)?
            .create_service(&info, access)
            .map_err(to_io)?,
    };
    let steps = [
        (
            "a description",
            service.set_description(&wanted.description),
        ),
        ("delayed starts", service.set_delayed_auto_start(true)),
        (
            "restarts of services",
            service.update_failure_actions(recovery()),
        ),
        (
            "restarts after errors",
            service.set_failure_actions_on_non_crash_failures(true),
        ),
    ];
    Ok(steps
        .into_iter()
        .filter(|(_, done)| done.is_err())
        .map(|(what, _)| what)
        .collect())
}

fn recovery() -> ServiceFailureActions {
    let restart = |delay| ServiceAction {
        action_type: ServiceActionType::Restart,
        delay,
    };
    ServiceFailureActions {
        reset_period: ServiceFailureResetPeriod::After(FORGIVEN),
        reboot_msg: None,
        command: None,
        actions: Some(RESTARTS.map(restart).into()),
    }
}

/// What the manager knows of a service.
pub struct Known {
    /// The program and its words, as one line.
    pub command: String,
    /// Whether it starts with the host.
    pub is_automatic: bool,
    /// The seconds before each restart, of which the last stands for all that follow; nothing where
    /// the manager does not tell, as Wine's.
    pub restarts: Option<Vec<f64>>,
    /// Whether an end by an error is a failure, too.
    pub after_errors: bool,
}

/// The service of that name as the manager knows it.
pub fn known(name: &str) -> io::Result<Option<Known>> {
    let Some(service) = open(name, ServiceAccess::QUERY_CONFIG)? else {
        return Ok(None);
    };
    let config = service.query_config().map_err(to_io)?;
    let restarts = match service.get_failure_actions().map_err(to_io) {
        Ok(recovery) => Some(seconds_of(&recovery)),
        Err(error) if error.raw_os_error() == Some(UNKNOWN_LEVEL) => None,
        Err(error) => return Err(error),
    };
    Ok(Some(Known {
        command: config.executable_path.to_string_lossy().into_owned(),
        is_automatic: config.start_type == ServiceStartType::AutoStart,
        restarts,
        after_errors: service
            .get_failure_actions_on_non_crash_failures()
            .unwrap_or(false),
    }))
}

fn seconds_of(recovery: &ServiceFailureActions) -> Vec<f64> {
    let actions = recovery.actions.iter().flatten();
    actions
        .filter(|action| action.action_type == ServiceActionType::Restart)
        .map(|action| action.delay.as_secs_f64())
        .collect()
}

/// The state of a service, the process it runs in, and the error it has ended by.
pub type Status = (&'static str, Option<u32>, u32);

/// How a service fares; nothing when there is none of that name.
pub fn status(name: &str) -> io::Result<Option<Status>> {
    let Some(service) = open(name, ServiceAccess::QUERY_STATUS)? else {
        return Ok(None);
    };
    let status = service.query_status().map_err(to_io)?;
    let state = match status.current_state {
        ServiceState::Stopped => "stopped",
        ServiceState::StartPending => "starting",
        ServiceState::StopPending => "stopping",
        ServiceState::Running => "running",
        _ => "paused",
    };
    let error = match status.exit_code {
        ServiceExitCode::Win32(error) | ServiceExitCode::ServiceSpecific(error) => error,
    };
    Ok(Some((state, status.process_id, error)))
}

/// Has a service started, if it does not run. It may be starting still when this returns.
pub fn start(name: &str) -> io::Result<()> {
    let service = found(name, ServiceAccess::START)?;
    let started = service.start::<OsString>(&[]).map_err(to_io);
    started.or_else(|error| unless(error, ALREADY))
}

/// Stops a service if it runs, and waits until it has ended.
pub fn stop(name: &str, timeout: Duration) -> io::Result<()> {
    let service = found(name, ServiceAccess::STOP | ServiceAccess::QUERY_STATUS)?;
    let asked = service.stop().map(drop).map_err(to_io);
    asked.or_else(|error| unless(error, NOT_ACTIVE))?;
    let end = Instant::now() + timeout;
    while service.query_status().map_err(to_io)?.current_state != ServiceState::Stopped {
        if Instant::now() > end {
            return Err(io::ErrorKind::TimedOut.into());
        }
        thread::sleep(POLL);
    }
    Ok(())
}

/// Removes a service, which has to be stopped, from the manager's books, if it is in them.
pub fn delete(name: &str) -> io::Result<()> {
    match open(name, ServiceAccess::DELETE)? {
        Some(service) => service.delete().map_err(to_io),
        None => Ok(()),
    }
}

fn unless(error: io::Error, accepted: i32) -> io::Result<()> {
    if error.raw_os_error() == Some(accepted) {
        return Ok(());
    }
    Err(error)
}

fn manager(access: ServiceManagerAccess) -> io::Result<ServiceManager> {
    let access = access | ServiceManagerAccess::CONNECT;
    ServiceManager::local_computer(None::<&str>, access).map_err(to_io)
}

fn open(name: &str, access: ServiceAccess) -> io::Result<Option<Service>> {
    let opened = manager(ServiceManagerAccess::CONNECT)?
        .open_service(name, access)
        .map_err(to_io);
    match opened {
        Ok(service) => Ok(Some(service)),
        Err(error) if error.raw_os_error() == Some(NONE) => Ok(None),
        Err(error) => Err(error),
    }
}

fn found(name: &str, access: ServiceAccess) -> io::Result<Service> {
    open(name, access)?.ok_or_else(|| io::Error::from_raw_os_error(NONE))
}
