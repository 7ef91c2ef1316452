//! What the log says of losses: a line when one begins, another when it is over, all at the end.

use std::fmt;
use std::time::{Duration, Instant};

use crate::event::Loss;

/// A loss is over when nothing was lost for so long.
const QUIET: Duration = Duration::from_secs(5);

/// Time between two lines about the same kind of loss. Each becomes an event, which may itself be
/// lost.
const PAUSE: Duration = Duration::from_secs(10);

/// Every kind of loss of a run. Their number is bounded by that of kinds and causes.
#[derive(Debug, Default)]
pub(super) struct Episodes(Vec<Episode>);

/// One kind of loss, and what the log knows of it.
#[derive(Debug)]
struct Episode {
    kind: Kind,
    total: u64,
    /// What the total was when the last loss was said to be over.
    over: u64,
    grown: Instant,
    spoken: Option<Instant>,
    is_open: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Kind {
    what: &'static str,
    cause: &'static str,
    place: &'static str,
}

impl Episodes {
    /// So many more were lost.
    pub fn add(&mut self, loss: &Loss, now: Instant) {
        let episode = self.of(loss, now);
        episode.reach(episode.total + loss.count, now);
    }

    /// So many were lost in all.
    pub fn reach(&mut self, loss: &Loss, now: Instant) {
        self.of(loss, now).reach(loss.count, now);
    }

    /// The lines that are due.
    pub fn lines(&mut self, now: Instant) -> Vec<String> {
        self.0
            .iter_mut()
            .filter_map(|episode| episode.line(now))
            .collect()
    }

    /// All that was lost, in one line.
    pub fn summary(&self) -> Option<String> {
        let lost = self.0.iter().filter(|episode| episode.total > 0);
        let kinds: Vec<String> = lost
            .map(|episode| format!("{} of {}", episode.total, episode.kind))
            .collect();
        (!kinds.is_empty()).then(|| format!("lost in this run: {}", kinds.join("; ")))
    }

    fn of(&mut self, loss: &Loss, now: Instant) -> &mut Episode {
        let &Loss {
            what, cause, place, ..
        } = loss;
        let kind = Kind { what, cause, place };
        let known = self.0.iter().position(|episode| episode.kind == kind);
        let index = known.unwrap_or_else(|| {
            self.0.push(Episode::new(kind, now));
            self.0.len() - 1
        });
        &mut self.0[index]
    }
}

impl Episode {
    fn new(kind: Kind, now: Instant) -> Self {
        Self {
            kind,
            total: 0,
            over: 0,
            grown: now,
            spoken: None,
            is_open: false,
        }
    }

    fn reach(&mut self, total: u64, now: Instant) {
        if total > self.total {
            (self.total, self.grown) = (total, now);
        }
    }

    fn line(&mut self, now: Instant) -> Option<String> {
        let Self { kind, total, .. } = *self;
        if self.spoken.is_some_and(|spoken| now - spoken < PAUSE) {
            return None;
        }
        let line = if !self.is_open && total > self.over {
            format!("lost: {kind}; {total} so far in this run")
        } else if self.is_open && now - self.grown >= QUIET {
            let count = total - std::mem::replace(&mut self.over, total);
            format!("no longer lost: {kind}; {count} were lost, {total} so far in this run")
        } else {
            return None;
        };
        self.is_open = !self.is_open;
        self.spoken = Some(now);
        Some(line)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, cause, place } = self;
        write!(formatter, "{what}, {cause} ({place})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loss(what: &'static str, count: u64) -> Loss {
        Loss {
            what,
            count,
            cause: "ring full",
            place: "kernel ring",
            from: 0,
            to: 0,
        }
    }

    /// The lines at each of the first `seconds`, after what is lost in each.
    fn lines(seconds: u64, lost: impl Fn(u64) -> u64) -> Vec<(u64, String)> {
        let (mut episodes, start) = (Episodes::default(), Instant::now());
        let mut all = Vec::new();
        for second in 0..seconds {
            let now = start + Duration::from_secs(second);
            let count = lost(second);
            if count > 0 {
                episodes.add(&loss("exec", count), now);
            }
            all.extend(episodes.lines(now).into_iter().map(|line| (second, line)));
        }
        all
    }

    #[test]
    fn a_loss_is_told_when_it_begins_and_when_it_is_over() {
        let told = lines(60, |second| u64::from(second < 20) * 3);
        let begin = "lost: exec, ring full (kernel ring); 3 so far in this run";
        let end = "no longer lost: exec, ring full (kernel ring); 60 were lost, \
                   60 so far in this run";
        assert_eq!(told, [(0, begin.to_owned()), (24, end.to_owned())]);
    }

    #[test]
    fn a_loss_that_comes_and_goes_is_told_every_ten_seconds_at_most() {
        let told = lines(600, |second| u64::from(second % 6 == 0));
        let seconds: Vec<u64> = told.iter().map(|line| line.0).collect();
        assert!(seconds.len() > 10);
        assert!(seconds.windows(2).all(|pair| pair[1] - pair[0] >= 10));
    }

    #[test]
    fn every_kind_has_its_own_lines_and_a_place_in_the_summary() {
        let (mut episodes, now) = (Episodes::default(), Instant::now());
        assert_eq!(episodes.summary(), None);
        episodes.add(&loss("exec", 2), now);
        episodes.add(&loss("exit", 3), now);
        episodes.reach(&loss("exit", 7), now);
        assert_eq!(episodes.lines(now).len(), 2);
        let expected = "lost in this run: 2 of exec, ring full (kernel ring); \
                        7 of exit, ring full (kernel ring)";
        assert_eq!(episodes.summary().as_deref(), Some(expected));
    }

    #[test]
    fn nothing_lost_is_nothing_told() {
        let (mut episodes, now) = (Episodes::default(), Instant::now());
        episodes.reach(&loss("record", 0), now);
        assert_eq!(episodes.lines(now), Vec::<String>::new());
        assert_eq!(episodes.summary(), None);
    }
}
