//! One input on its way through the scan.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::sync::Arc;

use bytes::Bytes;

use super::Stop;
use super::form;
use super::places::Places;
use super::report::Report;
use super::trace::Trace;
use crate::cli::progress::Progress;
use crate::scan::{Blocked, Carrier, Detectors, Scan};

/// What is read at once, where nobody asks for pieces.
const BLOCK_BYTES: usize = 64 * 1024;

/// An input, and how it is to be read.
pub(super) struct Reading<'a> {
    pub(super) name: &'a str,
    pub(super) from: &'a mut dyn Read,
    /// `None` looks at the beginning.
    pub(super) form: Option<Carrier>,
    pub(super) skips_binary: bool,
    /// The size of the pieces.
    pub(super) chunk: Option<usize>,
    /// Whether what passes is written to standard output.
    pub(super) redacts: bool,
    pub(super) traces: bool,
}

/// Why an input was not read to its end.
pub(super) enum Unread {
    Binary,
    Failed(String),
    Stopped(Stop),
}

impl Reading<'_> {
    pub(super) fn run(
        mut self,
        detectors: &Arc<Detectors>,
        report: &mut Report,
        progress: &mut Progress,
    ) -> Result<(), Unread> {
        let (first, form) = self.begin()?;
        if self.skips_binary && form::is_binary(&first) {
            return Err(Unread::Binary);
        }
        let mut passage = Passage {
            name: self.name,
            scan: Scan::new(Arc::clone(detectors), form),
            places: Places::new(),
            trace: self.traces.then(Trace::default),
            released: VecDeque::new(),
            redacts: self.redacts,
            report,
            progress,
        };
        let mut block = first;
        while !block.is_empty() {
            passage.block(Bytes::from(block), self.chunk.unwrap_or(BLOCK_BYTES))?;
            block = self.block()?;
        }
        passage.finish()
    }

    /// The first block, and what kind of bytes it begins.
    fn begin(&mut self) -> Result<(Vec<u8>, Carrier), Unread> {
        let mut first = self.block()?;
        if let Some(form) = self.form {
            return Ok((first, form));
        }
        // A pipe may give its beginning byte by byte.
        let mut is_all = first.is_empty();
        loop {
            if let Some(form) = form::by_beginning(&first, is_all) {
                return Ok((first, form));
            }
            let more = self.block()?;
            is_all = more.is_empty();
            first.extend(more);
        }
    }

    /// What is there to be read: whole pieces, where pieces are asked for. Empty at the end.
    fn block(&mut self) -> Result<Vec<u8>, Unread> {
        let size = match self.chunk {
            Some(chunk) => BLOCK_BYTES.next_multiple_of(chunk),
            None => BLOCK_BYTES,
        };
        let mut block = vec![0; size];
        let mut length = 0;
        while let Some(space) = block.get_mut(length..).filter(|space| !space.is_empty()) {
            match self.from.read(space) {
                Ok(0) => break,
                Ok(read) => length += read,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(Unread::Failed(error.to_string())),
            }
            // Whoever writes slowly is answered as it comes.
            if self.chunk.is_none() {
                break;
            }
        }
        block.truncate(length);
        Ok(block)
    }
}

/// A scan under way.
struct Passage<'a> {
    name: &'a str,
    scan: Scan,
    places: Places,
    trace: Option<Trace>,
    released: VecDeque<Bytes>,
    redacts: bool,
    report: &'a mut Report,
    progress: &'a mut Progress,
}

impl Passage<'_> {
    fn block(&mut self, block: Bytes, size: usize) -> Result<(), Unread> {
        let needed = self.scan.waits_from().unwrap_or_else(|| self.places.end());
        self.places.push(block.clone(), needed);
        let mut rest = block;
        while !rest.is_empty() {
            let piece = rest.split_to(rest.len().min(size));
            let length = piece.len() as u64;
            let fed = self.scan.feed(piece, &mut self.released);
            self.tell(length)?;
            self.pass(fed)?;
        }
        let (name, end) = (self.name, self.places.end());
        self.progress
            .tell(end, |bytes| format!("{name}: {} MB", bytes / 1_000_000));
        self.flush()
    }

    fn finish(mut self) -> Result<(), Unread> {
        let finished = self.scan.finish(&mut self.released);
        self.tell(0)?;
        self.pass(finished)?;
        if let Some(trace) = &self.trace {
            trace.end(self.name);
        }
        self.flush()
    }

    /// Tells what was found by now, and what waits.
    fn tell(&mut self, fed: u64) -> Result<(), Unread> {
        let found = self.scan.take_placed();
        if !found.is_empty() {
            self.progress.clear();
        }
        for placed in &found {
            let report = self.report.found(self.name, placed, &self.places);
            report.map_err(Unread::Stopped)?;
        }
        if let Some(trace) = &mut self.trace {
            trace.step(self.name, &mut self.scan, fed, &found, &self.places);
        }
        Ok(())
    }

    /// Lets out what may leave.
    fn pass(&mut self, outcome: Result<(), Blocked>) -> Result<(), Unread> {
        if self.redacts {
            let mut out = io::stdout().lock();
            for piece in self.released.drain(..) {
                out.write_all(&piece).map_err(|error| unwritten(&error))?;
            }
        } else {
            self.released.clear();
        }
        outcome.map_err(|blocked| {
            let _stopped = self.flush();
            let why = match blocked {
                // Findings are redacted here and block nothing: this is one that was not seen to its end.
                Blocked::Finding { .. } => Blocked::HoldBound.to_string(),
                other => other.to_string(),
            };
            let place = self
                .places
                .of(self.scan.waits_from().unwrap_or_else(|| self.places.end()));
            Unread::Failed(format!(
                "nothing is read or let out beyond line {}: {why}",
                place.line
            ))
        })
    }

    fn flush(&self) -> Result<(), Unread> {
        if self.redacts {
            io::stdout()
                .lock()
                .flush()
                .map_err(|error| unwritten(&error))?;
        }
        Ok(())
    }
}

fn unwritten(error: &io::Error) -> Unread {
    Unread::Stopped(Stop::unwritten(error))
}
