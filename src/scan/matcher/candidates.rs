//! The candidates that more bytes will confirm or refute.
//!
//! Most of them wait for a run of one set of bytes to end: until it does, or is too long, nothing about them changes. They
//! sleep, those of one detector together, so that a piece of a few bytes costs the same however many wait.

use std::collections::VecDeque;

use super::Live;
use super::run::Run;
use super::view::View;
use super::work;

/// All of them.
#[derive(Debug, Default, Clone)]
pub(super) struct Candidates {
    awake: Vec<Live>,
    /// Memory for those that are judged.
    spare: Vec<Live>,
    asleep: Vec<Sleepers>,
    /// How many there have been.
    opened: u64,
}

/// Those of one detector that wait for the same.
#[derive(Debug, Clone)]
struct Sleepers {
    armed: u16,
    run: Run,
    members: VecDeque<Live>,
    /// Whether each comes later than the one before in all respects.
    are_in_order: bool,
}

/// Until what a candidate sleeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sleep {
    /// All bytes from some offset to the end of what could be seen are of this.
    pub(super) run: Run,
    /// As long as no more than the bytes before this offset are seen, and all of them are of the run, nothing changes.
    pub(super) until: u64,
    /// What comes is of a name, so that nothing is held for it.
    pub(super) is_name: bool,
}

impl Candidates {
    pub(super) const fn is_empty(&self) -> bool {
        self.awake.is_empty() && self.asleep.is_empty()
    }

    /// The number of the next one.
    pub(super) const fn next(&mut self) -> u64 {
        self.opened += 1;
        self.opened
    }

    /// Files one that is open.
    pub(super) fn push(&mut self, live: Live) {
        let Some(sleep) = live.cursor.sleep else {
            return self.awake.push(live);
        };
        let alike =
            |sleepers: &&mut Sleepers| sleepers.armed == live.armed && sleepers.run == sleep.run;
        match self.asleep.iter_mut().find(alike) {
            Some(sleepers) => sleepers.push(live),
            None => self.asleep.push(Sleepers {
                armed: live.armed,
                run: sleep.run,
                members: VecDeque::from([live]),
                are_in_order: true,
            }),
        }
    }

    /// Takes out those that the bytes from an offset on may tell something of, in the order in which they were opened.
    pub(super) fn wake(&mut self, view: &View<'_>, from: u64) -> Vec<Live> {
        let spare = std::mem::take(&mut self.spare);
        let mut awake = std::mem::replace(&mut self.awake, spare);
        let new = view.slice(from, view.end());
        let before = awake.len();
        self.asleep.retain_mut(|sleepers| {
            let run = sleepers.run;
            work::note(new.len() as u64);
            if view.ended() || !new.iter().all(|byte| run.contains(*byte)) {
                awake.extend(sleepers.members.drain(..));
            } else {
                sleepers.wake(view.end(), &mut awake);
            }
            !sleepers.members.is_empty()
        });
        if awake.len() > before {
            awake.sort_unstable_by_key(|live| live.nth);
        }
        awake
    }

    /// The memory of what [`Candidates::wake`] gave, to be used again.
    pub(super) fn take_back(&mut self, mut awake: Vec<Live>) {
        awake.clear();
        self.spare = awake;
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Live> {
        let asleep = self.asleep.iter();
        self.awake
            .iter()
            .chain(asleep.flat_map(|sleepers| &sleepers.members))
    }

    pub(super) fn retain(&mut self, keep: impl Fn(&Live) -> bool) {
        self.awake.retain(&keep);
        self.asleep.retain_mut(|sleepers| {
            sleepers.members.retain(&keep);
            !sleepers.members.is_empty()
        });
    }

    /// Forgets all of them, but not the memory.
    pub(super) fn clear(&mut self) {
        self.awake.clear();
        self.asleep.clear();
        self.opened = 0;
    }

    /// The first byte that one of them may protect, of a detector that holds.
    pub(super) fn hold_from(&self, holds: impl Fn(u16) -> bool) -> Option<u64> {
        let awake = self.awake.iter();
        let awake = awake.filter(|live| holds(live.armed)).map(|live| live.hold);
        let asleep = self.asleep.iter();
        let asleep = asleep.filter(|sleepers| holds(sleepers.armed));
        awake
            .chain(asleep.filter_map(|sleepers| sleepers.least(|live| live.hold)))
            .min()
    }

    /// The first byte that a later judgement will look at.
    pub(super) fn need_from(&self) -> Option<u64> {
        let asleep = self.asleep.iter();
        let asleep = asleep.filter_map(|sleepers| sleepers.least(Live::needs));
        self.awake.iter().map(Live::needs).chain(asleep).min()
    }
}

impl Sleepers {
    fn push(&mut self, live: Live) {
        let of = |live: &Live| (until(live), live.hold, live.needs());
        if let Some(last) = self.members.back() {
            let (before, new) = (of(last), of(&live));
            self.are_in_order &= before.0 <= new.0 && before.1 <= new.1 && before.2 <= new.2;
        } else {
            self.are_in_order = true;
        }
        self.members.push_back(live);
    }

    /// Takes out those that sleep no longer than `end`.
    fn wake(&mut self, end: u64, awake: &mut Vec<Live>) {
        if self.are_in_order {
            while let Some(first) = self.members.pop_front_if(|first| until(first) < end) {
                awake.push(first);
            }
            return;
        }
        work::note(self.members.len() as u64);
        self.members.retain(|live| {
            let sleeps = until(live) >= end;
            if !sleeps {
                awake.push(*live);
            }
            sleeps
        });
    }

    fn least(&self, of: impl Fn(&Live) -> u64) -> Option<u64> {
        if self.are_in_order {
            self.members.front().map(of)
        } else {
            work::note(self.members.len() as u64);
            self.members.iter().map(of).min()
        }
    }
}

fn until(live: &Live) -> u64 {
    live.cursor.sleep.map_or(0, |sleep| sleep.until)
}
