//! Which acts are this agent's to tell, while another one ends or takes over.
//!
//! Both capture for a while, and agree on a moment: what happens before it, the one tells, and what
//! happens from then on the other. The kernel programs of each look at the clock themselves, so that
//! none counts a repeat that is not its own.

use std::sync::{Mutex, MutexGuard, PoisonError};

use aya::maps::{Array, MapData};

use super::ebpf::wire;
use crate::error::{Error, Result};
use crate::event::{Action, Event};
use crate::host::clock;

/// By how much both agents' acts overlap, nanoseconds. Programs of both look at the clock one after
/// the other, newer ones first where they stand at functions: without it an act between them might be
/// nobody's.
const OVERLAP: u64 = 5_000;

/// A moment on both clocks that records have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Nanoseconds since boot.
    pub boot: u64,
    /// Nanoseconds since the epoch.
    pub wall: u64,
}

/// From when until when acts are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn {
    /// Not those before.
    pub from: Moment,
    /// Nor those from here on.
    pub until: Option<Moment>,
}

impl Turn {
    /// Whether a record that another source has stamped falls into it.
    pub fn has(&self, wall: u64) -> bool {
        wall >= self.from.wall && self.until.is_none_or(|until| wall < until.wall)
    }
}

const BEGIN: Moment = Moment { boot: 0, wall: 0 };
const NEVER: Moment = Moment {
    boot: u64::MAX,
    wall: u64::MAX,
};

/// What the kernel programs look at.
pub struct Gate(Mutex<Inner>);

struct Inner {
    map: Array<MapData, wire::Gate>,
    turn: Turn,
}

/// The map's value while nothing is told.
pub const SHUT: wire::Gate = wire::Gate {
    learn: u64::MAX,
    from: u64::MAX,
    until: 0,
};

impl Gate {
    /// Takes the map over, in which is [`SHUT`] if the gate `is_shut`, else nothing.
    pub fn new(map: Array<MapData, wire::Gate>, is_shut: bool) -> Self {
        let from = if is_shut { NEVER } else { BEGIN };
        let turn = Turn { from, until: None };
        Self(Mutex::new(Inner { map, turn }))
    }

    /// Which acts are told.
    pub fn turn(&self) -> Turn {
        self.lock().turn
    }

    /// Has acts told from a moment on, and the life of processes learnt from now on. Whether the
    /// moment was still to come.
    pub fn tell_from(&self, cut: Moment) -> Result<bool> {
        let from = Moment {
            boot: cut.boot.saturating_sub(OVERLAP),
            ..cut
        };
        self.lock().set(Turn { from, until: None })?;
        Ok(clock::boot_time() < from.boot)
    }

    /// Has acts told until a moment, if that is still to come; whether it is. Without one, to no end.
    pub fn tell_until(&self, cut: Option<Moment>) -> Result<bool> {
        if cut.is_some_and(|cut| clock::boot_time() >= cut.boot) {
            return Ok(false);
        }
        let mut inner = self.lock();
        let turn = Turn {
            until: cut,
            ..inner.turn
        };
        inner.set(turn)?;
        Ok(true)
    }

    /// Whether all that is told has happened.
    pub fn is_over(&self) -> bool {
        let until = self.turn().until;
        until.is_some_and(|until| clock::boot_time() >= until.boot)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn set(&mut self, turn: Turn) -> Result<()> {
        let value = wire::Gate {
            learn: 0,
            from: turn.from.boot,
            until: turn.until.map_or(0, |until| until.boot),
        };
        self.map
            .set(0, value, 0)
            .map_err(|why| Error::Unsupported {
                missing: format!("the eBPF programs cannot be told whose acts are whose: {why}"),
                remedy: "start the agent anew".into(),
            })?;
        self.turn = turn;
        Ok(())
    }
}

/// What is left of an event that another agent tells: what the process table has to know.
pub fn untold(mut event: Event) -> Option<Event> {
    event.action = match event.action {
        Action::Exec(exec) => Action::Known(exec),
        known @ (Action::Fork(_) | Action::Snapshot(_) | Action::Known(_)) => known,
        _ => return None,
    };
    Some(event)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Exec, Exit, Fork, ProcessKey};

    #[test]
    fn a_record_belongs_to_one_turn() {
        let cut = Moment { boot: 5, wall: 50 };
        let before = Turn {
            from: BEGIN,
            until: Some(cut),
        };
        let after = Turn {
            from: cut,
            until: None,
        };
        for wall in [0, 49, 50, 51, u64::MAX - 1] {
            assert_ne!(before.has(wall), after.has(wall), "{wall}");
        }
        let shut = Turn {
            from: NEVER,
            until: None,
        };
        assert!(!shut.has(51));
    }

    #[test]
    fn of_what_is_not_told_the_processes_are_known() {
        let event = |action| Event::by(2, action);
        let child = ProcessKey { pid: 4, start: 5 };
        let fork = event(Action::Fork(Fork { child }));
        assert_eq!(untold(fork.clone()), Some(fork));
        let exec = event(Action::Exec(Exec::default()));
        let known = event(Action::Known(Exec::default()));
        assert_eq!(untold(exec), Some(known.clone()));
        assert_eq!(untold(known.clone()), Some(known));
        assert_eq!(
            untold(event(Action::Exit(Exit { code: 0, signal: 0 }))),
            None
        );
    }
}
