//! Event tracing of this host as a source: sessions of its own, and what they tell.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use windows_sys::Win32::Foundation::{
    ERROR_ACCESS_DENIED, ERROR_NO_SYSTEM_RESOURCES, ERROR_PRIVILEGE_NOT_HELD,
};

use super::asked::{self, Accounts};
use super::plan::{self, Plan};
use super::queue::Queue;
use super::raw::{HEADER, Header, of_epoch};
use super::recorder::Recorder;
use super::recording::{Frame, Frames};
use super::session::{self, Api, Failure, Lost, Session};
use super::tell::Trouble;
use crate::capture::{Hook, HookState, Progress, Source};
use crate::error::{Error, Result};
use crate::event::{Event, Loss};

/// The kind of a frame that is an event.
const EVENT: u8 = 1;
/// How many events are told at once.
const STRIDE: usize = 4096;
/// How often the sessions are asked what they have lost.
const POLL: Duration = Duration::from_secs(1);
/// How often drives are looked at.
const DRIVES: Duration = Duration::from_secs(60);

/// What this host's event tracing tells.
pub struct Live {
    api: &'static Api,
    queue: Arc<Queue>,
    running: Vec<Running>,
    hooks: Vec<Hook>,
    frames: Frames,
    accounts: Option<Accounts>,
    polled: Instant,
    /// The same, nanoseconds since the epoch.
    polled_at: u64,
    drives_seen: Instant,
    losses: Vec<Loss>,
    notices: Vec<String>,
    recorder: Option<Recorder>,
}

/// A session that is to run.
struct Running {
    plan: plan::Session,
    session: Option<Session>,
    lost: Lost,
}

impl Live {
    /// Starts what is to be told on this host where these channels of the event log are read; with the
    /// names that are looked up, or without.
    ///
    /// What cannot be asked for is told by [`Source::coverage`]; it is an error if nothing can.
    pub fn open(
        api: &'static Api,
        channels: &[&str],
        with_dns: bool,
        recorder: Option<Recorder>,
    ) -> Result<Self> {
        let reads_sysmon = channels
            .iter()
            .any(|name| name.eq_ignore_ascii_case("Microsoft-Windows-Sysmon/Operational"));
        let has_sysmon = reads_sysmon && asked::has_sysmon();
        Self::start(api, plan::plan(has_sysmon, channels, with_dns), recorder)
    }

    /// Starts what is planned. `recorder`: what also gets all that is seen.
    pub fn start(api: &'static Api, plan: Plan, recorder: Option<Recorder>) -> Result<Self> {
        let now = Instant::now();
        let mut this = Self {
            api,
            queue: Arc::default(),
            running: Vec::new(),
            hooks: Vec::new(),
            frames: Frames::default(),
            accounts: Accounts::start().ok(),
            polled: now,
            polled_at: epoch(),
            drives_seen: now,
            losses: Vec::new(),
            notices: Vec::new(),
            recorder,
        };
        // Else each delivery would be an event, and have the next one made.
        this.frames.player.mute_process(std::process::id());
        let host = this.frames.player.host();
        host.name = asked::name();
        host.missed = Some(Vec::new());
        if let Some(recorder) = &mut this.recorder {
            recorder.add(&Frame::Host(&host.name));
        }
        this.ask_drives();
        for class in &plan.muted {
            this.frames.player.mute(class.provider, class.told);
        }
        for class in plan.left_out {
            this.hooks.push(Hook {
                name: format!("tracing of {}", class.what),
                state: HookState::Replaced,
                reason: "others tell the same".into(),
            });
        }
        this.list_open_files();
        let mut failure = None;
        for session in plan.sessions {
            failure = this.run(session).or(failure);
        }
        match failure {
            Some(failure) if this.running.iter().all(|it| it.session.is_none()) => {
                Err(refusal(failure))
            }
            _ => Ok(this),
        }
    }

    fn ask_drives(&mut self) {
        let host = self.frames.player.host();
        asked::drives(host);
        if let Some(recorder) = &mut self.recorder {
            for (device, drive) in host.drives() {
                recorder.add(&Frame::Drive(device, drive));
            }
        }
    }

    fn ask_accounts(&mut self) {
        let host = self.frames.player.host();
        let found = self.accounts.as_mut().map(|accounts| accounts.settle(host));
        if let Some(recorder) = &mut self.recorder {
            for (sid, account) in found.unwrap_or_default() {
                recorder.add(&Frame::Account(&sid, &account));
            }
        }
    }

    /// Has the classic logger list the files that are open, which it does at the end of such a session.
    fn list_open_files(&mut self) {
        match Session::start(self.api, &plan::open_files(), &self.queue) {
            Ok((session, _)) => drop(session),
            Err(failure) => self.notices.push(format!(
                "the names of files that are open already are not known: {}",
                shown(failure)
            )),
        }
    }

    /// Starts a session, and says how that went. What has failed, if it has.
    fn run(&mut self, plan: plan::Session) -> Option<Failure> {
        let started = Session::start(self.api, &plan, &self.queue);
        let name = format!("session {}", plan.name);
        let (session, failure) = match started {
            Ok((session, refused)) => {
                self.note(name, None);
                for provider in &plan.providers {
                    let provider = provider.provider.name;
                    let found = refused.iter().find(|(refused, _)| *refused == provider);
                    self.note(format!("provider {provider}"), found.map(|(_, why)| *why));
                }
                (Some(session), None)
            }
            Err(failure) => {
                self.note(name, Some(failure));
                (None, Some(failure))
            }
        };
        self.running.push(Running {
            plan,
            session,
            lost: Lost::default(),
        });
        failure
    }

    fn note(&mut self, name: String, failure: Option<Failure>) {
        self.hooks.push(Hook {
            name,
            state: match failure {
                None => HookState::Attached,
                Some(_) => HookState::Failed,
            },
            reason: failure.map(shown).unwrap_or_default(),
        });
    }

    /// Asks the sessions what they have lost, and starts those anew that somebody has stopped.
    fn poll(&mut self) {
        let now = epoch();
        let (from, to) = (std::mem::replace(&mut self.polled_at, now), now);
        self.polled = Instant::now();
        let loss = |what, count, cause| Loss {
            what,
            count,
            cause,
            place: "tracing session",
            from,
            to,
        };
        let mut losses = vec![loss("record", self.queue.take_dropped(), "queue full")];
        for running in &mut self.running {
            if let Some(Ok(lost)) = running.session.as_ref().map(Session::lost) {
                let before = std::mem::replace(&mut running.lost, lost);
                // They are numbers of 32 bits that begin anew.
                let events = lost.events.wrapping_sub(before.events);
                let buffers = lost.buffers.wrapping_sub(before.buffers);
                losses.push(loss("record", events.into(), "buffers full"));
                losses.push(loss("buffer", buffers.into(), "read too slowly"));
            }
            if running.session.as_ref().is_some_and(Session::has_ended) {
                running.session = None;
                running.lost = Lost::default();
                self.frames.player.lose_some(now);
                let name = running.plan.name;
                self.notices
                    .push(match Session::start(self.api, &running.plan, &self.queue) {
                        Ok((session, _)) => {
                            running.session = Some(session);
                            format!(
                                "the session {name} was stopped by somebody else and runs again: \
                                 what happened meanwhile was not seen"
                            )
                        }
                        Err(failure) => {
                            let why = shown(failure);
                            format!("the session {name} was stopped by somebody else: {why}")
                        }
                    });
            }
        }
        for _ in 0..self.queue.take_malformed() {
            self.frames
                .player
                .count(Trouble::Malformed(super::Malformed("Windows gave it so")));
        }
        losses.retain(|loss| loss.count > 0);
        if !losses.is_empty() {
            self.frames.player.lose_some(now);
        }
        if let Some(recorder) = &mut self.recorder {
            for loss in losses.iter().filter(|loss| loss.what == "record") {
                recorder.add(&Frame::Lost(loss.count, of_epoch(loss.to)));
            }
            recorder.flush();
            self.notices.extend(recorder.take_failure());
        }
        self.losses.append(&mut losses);
    }

    /// Tells an event; one of a version that the tables do not have by what Windows says of it.
    fn play(&mut self, frame: &[u8], sink: &mut dyn FnMut(Event)) {
        if let Ok(header) = Header::read(frame)
            && self.frames.player.lacks_layout(&header)
        {
            let info = session::describe(self.api, frame);
            if let (Some(recorder), Some(info)) = (&mut self.recorder, &info) {
                recorder.add(&Frame::Layout(&frame[..HEADER], info));
            }
            let is_known = self.frames.player.learn_layout(&header, info.as_deref());
            let provider = header.known_provider().map_or("", |provider| provider.name);
            self.notices.push(format!(
                "version {} of event {} of {provider} is new to this agent, and {}",
                header.version,
                header.id,
                if is_known {
                    "read as Windows says that it is laid out"
                } else {
                    "not read, since Windows does not say how it is laid out"
                }
            ));
        }
        if let Some(recorder) = &mut self.recorder {
            recorder.add_made(EVENT, frame);
        }
        self.frames.play(EVENT.into(), frame, sink);
    }

    /// Tells up to so many events that wait. How many there were.
    fn tell(&mut self, most: usize, sink: &mut dyn FnMut(Event)) -> usize {
        for count in 0..most {
            let Some(frame) = self.queue.next(Duration::ZERO) else {
                return count;
            };
            self.play(&frame, sink);
        }
        most
    }
}

impl Source for Live {
    fn drain(&mut self, timeout: Duration, sink: &mut dyn FnMut(Event)) -> Result<Progress> {
        if let Some(frame) = self.queue.next(timeout) {
            self.play(&frame, sink);
            self.tell(STRIDE, sink);
        }
        self.ask_accounts();
        if self.polled.elapsed() >= POLL {
            self.poll();
            let behind = 2 * POLL.as_nanos() as u64;
            let settled = of_epoch(self.polled_at.saturating_sub(behind));
            self.frames.player.settle(settled, sink);
        }
        if self.drives_seen.elapsed() >= DRIVES {
            self.drives_seen = Instant::now();
            self.ask_drives();
        }
        Ok(Progress::Running)
    }

    fn finish(&mut self, sink: &mut dyn FnMut(Event)) -> Result<()> {
        self.poll();
        // A session hands over what it still has while it stops, which may be more than is let wait.
        for running in &mut self.running {
            running.session = None;
        }
        self.tell(usize::MAX, sink);
        self.poll();
        self.frames.player.end(sink);
        Ok(())
    }

    fn losses(&mut self) -> Vec<Loss> {
        let mut all = self.frames.player.losses("tracing session");
        all.append(&mut self.losses);
        all
    }

    fn complete(&mut self, event: &mut Event) {
        self.frames.player.complete(event, &asked::created);
    }

    fn coverage(&self) -> Vec<Hook> {
        self.hooks.clone()
    }

    fn notices(&mut self) -> Vec<String> {
        let mut all = std::mem::take(&mut self.notices);
        all.extend(self.frames.player.notices());
        all
    }
}

/// Now, nanoseconds since the epoch.
fn epoch() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_nanos() as u64)
}

/// A failure, and what Windows says of it.
fn shown(Failure(what, error): Failure) -> String {
    let why = std::io::Error::from_raw_os_error(error.cast_signed());
    format!("{what}: {why}")
}

fn refusal(failure: Failure) -> Error {
    let missing = format!("event tracing gives no session ({})", shown(failure));
    match failure.1 {
        ERROR_ACCESS_DENIED | ERROR_PRIVILEGE_NOT_HELD => Error::Permission {
            missing,
            remedy: "run the agent as its service does, as SYSTEM".into(),
        },
        ERROR_NO_SYSTEM_RESOURCES => Error::Unsupported {
            missing,
            remedy:
                "stop sessions that nobody needs (logman query -ets), or allow more: the value \
                     EtwMaxLoggers of HKLM\\SYSTEM\\CurrentControlSet\\Control\\WMI"
                    .into(),
        },
        _ => Error::Unsupported {
            missing,
            remedy: "see whether logman can start one (logman start try -ets)".into(),
        },
    }
}
