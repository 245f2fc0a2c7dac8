//! Calls at the same time, and the line of those that wait for a place.
//!
//! A place that becomes free goes to whoever has waited longest, before it can be taken by somebody who comes by:
//! it is handed over, and nobody but the new holder is woken. INVARIANT: while somebody is in line, no place is free.

use std::collections::VecDeque;
use std::task::Waker;

/// A limit: so many calls at once, and so many more in line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Limit {
    pub(super) most: u32,
    pub(super) line: u32,
}

/// The calls of a key.
#[derive(Debug, Default)]
pub(super) struct Gate {
    running: u32,
    // By the limit that was asked last.
    most: u32,
    #[expect(
        clippy::box_collection,
        reason = "keys with a line are few, and keys are many"
    )]
    line: Option<Box<VecDeque<Waiter>>>,
}

/// One in line.
#[derive(Debug)]
struct Waiter {
    ticket: u64,
    // `None` until it is first waited for.
    waker: Option<Waker>,
}

/// How things stand at a gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Passage {
    /// There is a place.
    Free,
    /// There is a place in line.
    Line,
    /// There is neither.
    Shut,
}

impl Limit {
    /// Whether one more call may run, or wait. A limit that was raised lets those in first who are in line.
    pub(super) fn passage(self, gate: &mut Gate, woken: &mut Vec<Waker>) -> Passage {
        gate.most = self.most;
        gate.hand_over(woken);
        let waiting = gate.waiting();
        if waiting == 0 && gate.running < self.most {
            Passage::Free
        } else if waiting < self.line {
            Passage::Line
        } else {
            Passage::Shut
        }
    }

    /// How many more calls may run.
    pub(super) const fn remaining(self, gate: &Gate) -> u64 {
        self.most.saturating_sub(gate.running) as u64
    }

    /// The gate of a key without calls.
    pub(super) const fn fresh(self) -> Gate {
        Gate {
            running: 0,
            most: self.most,
            line: None,
        }
    }
}

impl Gate {
    /// Takes a place, which is free.
    pub(super) const fn enter(&mut self) {
        self.running = self.running.saturating_add(1);
    }

    /// Gives a place back.
    pub(super) fn leave(&mut self, woken: &mut Vec<Waker>) {
        self.running = self.running.saturating_sub(1);
        self.hand_over(woken);
    }

    /// Takes the last place in line.
    pub(super) fn line_up(&mut self, ticket: u64) {
        let line = self.line.get_or_insert_default();
        line.push_back(Waiter {
            ticket,
            waker: None,
        });
    }

    /// Leaves the line; `false` where the ticket is not in it, because a place was handed over to it.
    pub(super) fn step_out(&mut self, ticket: u64) -> bool {
        let Some(line) = &mut self.line else {
            return false;
        };
        let Some(index) = line.iter().position(|waiter| waiter.ticket == ticket) else {
            return false;
        };
        line.remove(index);
        self.drop_empty_line();
        true
    }

    /// Whether the ticket is still in line; then whoever holds it is woken when it is not.
    pub(super) fn waits(&mut self, ticket: u64, waker: &Waker) -> bool {
        let line = self.line.as_deref_mut();
        let mut waiters = line.into_iter().flatten();
        let Some(waiter) = waiters.find(|waiter| waiter.ticket == ticket) else {
            return false;
        };
        match &mut waiter.waker {
            Some(known) => known.clone_from(waker),
            unknown => *unknown = Some(waker.clone()),
        }
        true
    }

    /// Whether it says no more than no gate.
    pub(super) const fn is_idle(&self) -> bool {
        self.running == 0 && self.line.is_none()
    }

    /// Gives places that are free to those who have waited longest.
    fn hand_over(&mut self, woken: &mut Vec<Waker>) {
        while self.running < self.most
            && let Some(first) = self.line.as_deref_mut().and_then(VecDeque::pop_front)
        {
            self.running += 1;
            woken.extend(first.waker);
        }
        self.drop_empty_line();
    }

    fn waiting(&self) -> u32 {
        let waiting = self.line.as_deref().map_or(0, VecDeque::len);
        u32::try_from(waiting).unwrap_or(u32::MAX)
    }

    fn drop_empty_line(&mut self) {
        self.line.take_if(|line| line.is_empty());
    }
}
