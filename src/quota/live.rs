//! Tasks that are not finished, and the places that they hold among those of their quotas.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::turn::Slot;
use crate::model::TaskId;

/// How long a task counts of which nothing is heard: an agent may forget it, and nobody would ever hear of its end.
const SILENCE: Duration = Duration::from_hours(24);

/// Between two looks for those.
const PAUSE: Duration = Duration::from_mins(10);

/// The live tasks of one agent. A task has its places from the call that begins it until some answer tells its end.
///
/// Bounded by the quotas that count them.
#[derive(Debug, Default)]
pub struct LiveTasks(Mutex<Tasks>);

#[derive(Debug, Default)]
struct Tasks {
    live: HashMap<TaskId, Live>,
    looked: Option<Instant>,
}

#[derive(Debug)]
struct Live {
    _places: Places,
    heard: Instant,
}

/// Places for a task that a call may begin. Dropped, they are free again.
#[derive(Debug, Default)]
pub struct Places(Vec<Slot>);

impl Places {
    pub(super) const fn new(slots: Vec<Slot>) -> Self {
        Self(slots)
    }

    /// Whether no quota counts the task.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl LiveTasks {
    /// A call has begun this task, or names it. One that is live already keeps the places that it has.
    pub fn begin(&self, task: &TaskId, places: Places, now: Instant) {
        if places.is_empty() {
            return self.hear(task, false, now);
        }
        let silent = self.silent(now);
        {
            let mut tasks = self.lock();
            let live = Live {
                _places: places,
                heard: now,
            };
            // What was there before stays: the new places are dropped behind the lock, which they take none of.
            match tasks.live.get_mut(task) {
                Some(known) => known.heard = now,
                None => drop(tasks.live.insert(task.clone(), live)),
            }
        }
        drop(silent);
    }

    /// Something was heard of this task, and whether that was its end.
    pub fn hear(&self, task: &TaskId, has_ended: bool, now: Instant) {
        let ended = {
            let mut tasks = self.lock();
            match has_ended {
                true => tasks.live.remove(task),
                false => {
                    if let Some(live) = tasks.live.get_mut(task) {
                        live.heard = now;
                    }
                    None
                }
            }
        };
        // Its places are free from here on.
        drop(ended);
    }

    /// Forgets tasks of which nothing was heard for a day. Looks only now and then.
    pub fn forget_silent(&self, now: Instant) {
        drop(self.silent(now));
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.lock().live.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn silent(&self, now: Instant) -> Vec<Live> {
        let mut tasks = self.lock();
        let is_due = tasks
            .looked
            .is_none_or(|looked| now.saturating_duration_since(looked) >= PAUSE);
        if !is_due {
            return Vec::new();
        }
        tasks.looked = Some(now);
        let is_silent = |live: &mut Live| now.saturating_duration_since(live.heard) >= SILENCE;
        let silent = tasks.live.extract_if(|_, live| is_silent(live));
        silent.map(|(_, live)| live).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Tasks> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
