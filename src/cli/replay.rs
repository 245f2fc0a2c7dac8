//! `lictor replay`: what other policies would have decided of calls that were made.

use std::io::{self, BufWriter, StdoutLock, Write};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::progress::Progress;
use super::recorded::{self, Unusable};
use super::{EXIT_ENVIRONMENT, EXIT_NO, load, print, say};
use crate::audit::read::{Call, Line, Lines, Unfit};
use crate::policy::PolicySet;
use crate::proxy::hygiene::Paths;
use crate::rehearsal::{Comparison, compare};

mod difference;
mod tally;

use difference::Difference;
use tally::{Tally, Uncompared};

pub(super) const EXAMPLES: &str = "Examples:
  lictor replay audit.jsonl --policies new/                    what would come out otherwise
  lictor replay audit.jsonl audit.jsonl.1 --policies new/      with a file that was rotated away
  zcat audit.jsonl.2.gz | lictor replay - --policies new/
  lictor replay audit.jsonl --policies new/ --format json      all differences, a line of JSON each

Every recorded decision is made again by the policies that are named: tenants, deny rules,
seniority, roles, allow rules, whose task it is, and the arguments of tools. Quotas and the scan are
not replayed, because what they do depends on more than one call. A decision that depends on a value which its record does
not hold is counted and not guessed; with `audit: { capture: decision }` records hold what conditions
read. Differences go to standard output, the count of everything to standard error.
Exit codes: 0 all the same, 1 some differ (or mistakes in the policies), 2 usage, 3 a file that
cannot be read, or nothing to compare. docs/replay.md is the guide.";

#[derive(Debug, Args)]
pub(super) struct Replay {
    /// Files of audit records; `-` is standard input
    #[arg(value_name = "AUDIT", required = true)]
    audit: Vec<PathBuf>,
    /// Policy files or folders of them, which add up, or an operator's file
    #[arg(long, value_name = "PATH", required = true)]
    policies: Vec<PathBuf>,
    /// For whom differences are written
    #[arg(long, value_enum, default_value_t = Output::Text)]
    format: Output,
    /// How many differences are shown of each rule; the others are counted
    #[arg(long, value_name = "N", default_value_t = 20)]
    show: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    /// People: by what decides now
    Text,
    /// Programs: one line each
    Json,
}

/// Makes the decisions again, and prints what came out otherwise.
pub(super) fn replay(arguments: &Replay) -> u8 {
    let (policies, _) = match load(&arguments.policies) {
        Ok(loaded) => loaded,
        Err(code) => return code,
    };
    let mut run = Run {
        paths: recorded::paths(&policies),
        policy: PolicySet::compile(policies.policy),
        tally: Tally::new(arguments.show),
        lines: (arguments.format == Output::Json).then(|| BufWriter::new(io::stdout().lock())),
        progress: Progress::new(LOOK),
    };
    for file in &arguments.audit {
        match run.read(file) {
            Ok(()) => {}
            Err(Stop::Closed) => return 0,
            Err(Stop::Failed(message)) => {
                run.progress.clear();
                say(&format!("error: {message}"));
                return EXIT_ENVIRONMENT;
            }
        }
    }
    run.finish()
}

/// Records between two looks at the clock.
const LOOK: u64 = 4096;

/// Why there is no going on.
enum Stop {
    /// Whoever reads standard output has read enough.
    Closed,
    Failed(String),
}

struct Run {
    policy: PolicySet,
    paths: Paths,
    tally: Tally,
    // Where differences go as they are found. `None` keeps some of each kind, for the end.
    lines: Option<BufWriter<StdoutLock<'static>>>,
    progress: Progress,
}

impl Run {
    fn read(&mut self, file: &Path) -> Result<(), Stop> {
        let failed =
            |error: io::Error| Stop::Failed(format!("cannot read `{}`: {error}", file.display()));
        let mut lines = Lines::new(recorded::open(file).map_err(failed)?);
        while let Some(line) = lines.next(|_| true).map_err(failed)? {
            match line {
                Line::Call(call) => self.judge(&call)?,
                Line::Other => {}
                Line::Strange(strange) => self.tally.strange(strange, file, lines.number()),
            }
            self.progress
                .tell(self.tally.records(), |records| format!("{records} records"));
        }
        Ok(())
    }

    fn judge(&mut self, call: &Call) -> Result<(), Stop> {
        let past = match recorded::past(call, self.paths) {
            Ok(past) => past,
            Err(Unusable::Record(Unfit::NotAsked)) => {
                self.tally.uncompared(Uncompared::NotAsked);
                return Ok(());
            }
            Err(why) => {
                self.tally.uncompared(Uncompared::Unusable(why));
                return Ok(());
            }
        };
        let now = match compare(&past, &self.policy) {
            Comparison::Same => {
                self.tally.same();
                return Ok(());
            }
            Comparison::Unknown(needs) => {
                self.tally.unknown(&needs);
                return Ok(());
            }
            Comparison::NowAllowed(rule) => Ok(rule),
            Comparison::NowDenied(refusal) => Err(*refusal),
        };
        let difference = Difference { call, now: &now };
        if let Some(lines) = &mut self.lines {
            writeln!(lines, "{}", difference.json()).map_err(|error| unwritten(&error))?;
        }
        self.tally.differs(&difference, self.lines.is_none());
        Ok(())
    }

    fn finish(mut self) -> u8 {
        self.progress.clear();
        let printed = match &mut self.lines {
            Some(lines) => match lines.flush().map_err(|error| unwritten(&error)) {
                Ok(()) | Err(Stop::Closed) => 0,
                Err(Stop::Failed(message)) => {
                    say(&format!("error: {message}"));
                    EXIT_ENVIRONMENT
                }
            },
            None => print(&self.tally.differences()),
        };
        say(&self.tally.summary());
        match printed {
            0 if self.tally.compared() == 0 => {
                say("error: nothing could be compared");
                EXIT_ENVIRONMENT
            }
            0 if self.tally.differing() > 0 => EXIT_NO,
            printed => printed,
        }
    }
}

fn unwritten(error: &io::Error) -> Stop {
    match error.kind() {
        io::ErrorKind::BrokenPipe => Stop::Closed,
        _ => Stop::Failed(format!("cannot write: {error}")),
    }
}
