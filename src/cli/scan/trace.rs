//! What would have waited in a stream: where, for whose sake, and for how long.

use crate::cli::say;
use crate::scan::{Placed, Scan};

use super::places::Places;

/// Follows what waits from feed to feed.
#[derive(Debug, Default)]
pub(super) struct Trace {
    feeds: u64,
    bytes: u64,
    /// Feeds after which nothing waited.
    at_once: u64,
    holds: u64,
    longest: Longest,
    hold: Option<Hold>,
}

#[derive(Debug, Default)]
struct Longest {
    bytes: u64,
    feeds: u64,
}

/// Something that waits. It is over when the oldest byte that waits is another.
#[derive(Debug)]
struct Hold {
    from: u64,
    first_feed: u64,
    most_bytes: u64,
    for_whom: Vec<&'static str>,
}

impl Trace {
    /// After a feed of so many bytes, or the end.
    pub(super) fn step(
        &mut self,
        name: &str,
        scan: &mut Scan,
        fed: u64,
        found: &[Placed],
        places: &Places,
    ) {
        if fed > 0 {
            self.feeds += 1;
            self.bytes += fed;
        }
        let waits_from = scan.waits_from();
        self.at_once += u64::from(fed > 0 && waits_from.is_none());
        if let Some(hold) = self.hold.take_if(|hold| waits_from != Some(hold.from)) {
            self.over(name, &hold, waits_from, found, places);
        }
        let Some(from) = waits_from else {
            return;
        };
        let hold = self.hold.get_or_insert(Hold {
            from,
            first_feed: self.feeds,
            most_bytes: 0,
            for_whom: Vec::new(),
        });
        hold.most_bytes = hold.most_bytes.max(scan.waiting_bytes());
        for detector in scan.waits_for() {
            if !hold.for_whom.contains(&detector) {
                hold.for_whom.push(detector);
            }
        }
    }

    fn over(
        &mut self,
        name: &str,
        hold: &Hold,
        waits_from: Option<u64>,
        found: &[Placed],
        places: &Places,
    ) {
        let feeds = self.feeds - hold.first_feed + 1;
        self.holds += 1;
        self.longest.bytes = self.longest.bytes.max(hold.most_bytes);
        self.longest.feeds = self.longest.feeds.max(feeds);
        let place = places.of(hold.from);
        let until = waits_from.unwrap_or(self.bytes);
        let hits: Vec<_> = found
            .iter()
            .filter(|placed| {
                let span = placed.span.clone();
                span.is_some_and(|span| span.start < until && span.end > hold.from)
            })
            .map(|placed| placed.finding.detector)
            .collect();
        let why = if hold.for_whom.is_empty() {
            "a word or digits at the end of the text".to_owned()
        } else {
            hold.for_whom.join(", ")
        };
        let outcome = if hits.is_empty() {
            "let go".to_owned()
        } else {
            format!("found {}", hits.join(", "))
        };
        say(&format!(
            "trace: {name}:{}:{} (byte {}): up to {} bytes waited over {feeds} feeds ({}..{}) for {why}; {outcome}",
            place.line, place.column, hold.from, hold.most_bytes, hold.first_feed, self.feeds,
        ));
    }

    /// The sum of it.
    pub(super) fn end(&self, name: &str) {
        let share = if self.feeds == 0 {
            100.0
        } else {
            #[expect(clippy::cast_precision_loss, reason = "for people")]
            let share = self.at_once as f64 * 100.0 / self.feeds as f64;
            share
        };
        say(&format!(
            "trace: {name}: {} bytes in {} feeds; {} holds, of up to {} bytes and {} feeds; {share:.2} % of feeds left whole at once",
            self.bytes, self.feeds, self.holds, self.longest.bytes, self.longest.feeds,
        ));
    }
}
