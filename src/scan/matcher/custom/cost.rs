//! What a detector of a policy costs where it finds nothing, counted and not timed: the same on every machine.

use super::super::super::config::{Config, Hold};
use super::super::super::detectors::Detectors;
use super::super::Matcher;
use super::Custom;
use crate::model::LeakAction;

/// What looking for a pattern costs in ordinary prose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    /// Of a hundred words that a model emits one by one, so many wait for the next.
    pub waiting: u32,
    /// Of a hundred bytes, so many times the automaton is asked.
    pub steps: u32,
}

/// From here on it is told of: a reader sees the text stop.
const MUCH_WAITING: u32 = 5;
/// From here on the scan is slower by half.
const MANY_STEPS: u32 = 200;

/// What agents answer, and what they quote.
const PROSE: &str = "I looked into the three orders that you asked about. Order 4711 left the warehouse on Monday, 2 March, and \
should reach you by Thursday at 14:30; the courier's number is not known yet. Order 4712 waits for a part from Lyon \
(reference LY-2291/b), which the supplier promised within 5 to 7 days. For order 4713 the address seems incomplete: \
please tell me the number of the house, and whether someone is there between 9 and 12. The total comes to EUR 1,284.50, \
of which 19 % is tax. If you would rather cancel, write \"cancel 4713\" and I will see to it at once.\n\n\
```python\nfor order in client.orders.list(status=\"open\", limit=50):\n    total = sum(item.price * item.count for item in order.items)\n\
    print(f\"{order.id}: {total:.2f}\")\n```\n\nThis prints each open order with its total. The list is sorted by date, newest \
first, so `orders[0]` is the one from today (id 8f14e45f-ceea-467f-a0e6-1f2c3d4b5a69). See https://docs.example.com/v2/orders?sort=desc for the \
details. Is there anything else that I can help you with? Mr. Schmidt said on the phone that Ms. O'Neill and the team in \
New York would prefer Version 2.4.1, because Version 2.3 has a problem with large files; we measured 12 ms instead of 340 ms.\n";

impl Cost {
    /// Counts what a detector does with some ordinary text.
    pub fn of(custom: &Custom) -> Option<Self> {
        let mut custom = custom.clone();
        custom.action = LeakAction::Redact;
        let detectors = Detectors::compile(&Config {
            actions: [(custom.name.clone(), LeakAction::Redact)].into(),
            custom: vec![custom],
            listed: Vec::new(),
            exceptions: Vec::new(),
            hold: Hold::default(),
            buffer_bytes: 0,
            fingerprint_key: [0; 32],
        })
        .ok()?;
        let (mut matcher, mut hits) = (Matcher::default(), Vec::new());
        let (mut words, mut waiting, mut steps) = (0_usize, 0_usize, 0_usize);
        for word in PROSE.split_inclusive(' ') {
            matcher.feed(&detectors, word.as_bytes(), &mut hits);
            words += 1;
            waiting += usize::from(matcher.decided() < matcher.position());
        }
        let mut matcher = Matcher::default();
        for byte in PROSE.as_bytes().chunks(1) {
            matcher.feed(&detectors, byte, &mut hits);
            steps += matcher.attempts();
        }
        let share =
            |part: usize, of: usize| u32::try_from(part * 100 / of.max(1)).unwrap_or(u32::MAX);
        Some(Self {
            waiting: share(waiting, words),
            steps: share(steps, PROSE.len()),
        })
    }

    /// Whether an author should hear of it: readers would notice the waiting.
    pub const fn stalls(self) -> bool {
        self.waiting >= MUCH_WAITING
    }

    /// Whether an author should hear of it: the scan would be slow.
    pub const fn is_slow(self) -> bool {
        self.steps >= MANY_STEPS
    }
}
