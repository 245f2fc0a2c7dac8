//! What was found, for people and for programs. Never the secret itself.

use std::io::{self, Write};

use serde_json::{Value, json};

use super::places::Places;
use super::{Actions, Stop};
use crate::config::reference;
use crate::model::{Finding, LeakAction, Severity};
use crate::scan::{Config, Placed, describe, known_names};

/// How findings are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Json,
    /// Standard output holds something else.
    Nothing,
    Sarif,
    Text {
        is_colourful: bool,
    },
}

/// What a detector is that no pack has.
const OWN: &str = "a detector of the policy's own";

/// Findings on their way out, each as it is found.
#[derive(Debug)]
pub(super) struct Report {
    form: Form,
    /// What the policy would do, by pack and detector.
    actions: Actions,
    /// The detectors that run, in the order of SARIF's rules.
    rules: Vec<Box<str>>,
    /// Of the input that is being read.
    count: u64,
    is_first: bool,
}

impl Report {
    pub(super) fn begin(form: Form, actions: Actions, config: &Config) -> Result<Self, Stop> {
        let runs = |name: &&&str| {
            let action = action_of(&config.actions, name);
            name.contains('.') && action > LeakAction::Allow
        };
        let packs = known_names().iter().filter(runs);
        let custom = config.custom.iter().map(|it| &it.name);
        let own = custom.chain(config.listed.iter().map(|it| &it.name));
        let own = own.filter(|name| action_of(&actions, name) > LeakAction::Allow);
        let report = Self {
            form,
            rules: packs
                .map(|name| Box::from(*name))
                .chain(own.cloned())
                .collect(),
            actions,
            count: 0,
            is_first: true,
        };
        if form == Form::Sarif {
            report.write(&report.sarif_head())?;
        }
        Ok(report)
    }

    /// One finding.
    pub(super) fn found(
        &mut self,
        name: &str,
        placed: &Placed,
        places: &Places,
    ) -> Result<(), Stop> {
        if placed.finding.allowed_by.is_some() {
            return Ok(());
        }
        self.count += 1;
        let found = Found {
            name,
            finding: &placed.finding,
            span: placed
                .span
                .clone()
                .map_or((0, 0), |span| (span.start, span.end)),
            action: action_of(&self.actions, placed.finding.detector),
            places,
        };
        let text = match self.form {
            Form::Json => format!("{}\n", found.json()),
            Form::Nothing => return Ok(()),
            Form::Sarif => {
                let comma = if self.is_first { "" } else { "," };
                format!("{comma}\n{}", found.sarif(&self.rules))
            }
            Form::Text { is_colourful } => found.text(is_colourful),
        };
        self.is_first = false;
        self.write(&text)
    }

    /// How many were found since the last call.
    pub(super) const fn take_count(&mut self) -> u64 {
        std::mem::replace(&mut self.count, 0)
    }

    pub(super) fn end(&self) -> Result<(), Stop> {
        if self.form == Form::Sarif {
            self.write("\n]}]}\n")?;
        }
        Ok(())
    }

    /// Up to the results, which follow one by one: how many there will be is not known.
    fn sarif_head(&self) -> String {
        let rules = self.rules.iter().map(|name| {
            let about = describe(name).unwrap_or(OWN);
            json!({ "id": name, "shortDescription": { "text": about } })
        });
        let driver = json!({
            "name": "lictor",
            "version": env!("CARGO_PKG_VERSION"),
            "semanticVersion": env!("CARGO_PKG_VERSION"),
            "rules": rules.collect::<Vec<_>>(),
        });
        format!(
            "{{\"$schema\":\"https://json.schemastore.org/sarif-2.1.0.json\",\"version\":\"2.1.0\",\"runs\":[{{\
             \"tool\":{{\"driver\":{driver}}},\"columnKind\":\"unicodeCodePoints\",\"results\":["
        )
    }

    #[expect(clippy::unused_self, reason = "who writes is the report")]
    fn write(&self, text: &str) -> Result<(), Stop> {
        let mut out = io::stdout().lock();
        let written = out.write_all(text.as_bytes());
        written.map_err(|error| Stop::unwritten(&error))
    }
}

impl Stop {
    pub(super) fn unwritten(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::Closed,
            _ => Self::Failed(format!("cannot write: {error}")),
        }
    }
}

/// A named detector overrides its pack.
fn action_of(actions: &Actions, detector: &str) -> LeakAction {
    let pack = detector.split_once('.').map_or(detector, |(pack, _)| pack);
    let action = actions.get(detector).or_else(|| actions.get(pack));
    action.copied().unwrap_or(LeakAction::Allow)
}

struct Found<'a> {
    name: &'a str,
    finding: &'a Finding,
    /// In bytes of the input.
    span: (u64, u64),
    action: LeakAction,
    places: &'a Places,
}

impl Found<'_> {
    fn text(&self, is_colourful: bool) -> String {
        let Finding {
            detector,
            severity,
            preview,
            length,
            ..
        } = self.finding;
        let place = self.places.of(self.span.0);
        let paint = |style: &str, text: &str| {
            if is_colourful {
                format!("\x1b[{style}m{text}\x1b[0m")
            } else {
                text.to_owned()
            }
        };
        let style = match severity {
            Severity::Critical | Severity::High => "1;31",
            Severity::Medium => "1;33",
            Severity::Low => "1;36",
        };
        format!(
            "{}:{}:{}: {} {}: {}, {length} {}{}\n",
            paint("1", self.name),
            place.line,
            place.column,
            paint(style, severity.as_str()),
            paint("1", detector),
            harmless(preview),
            if *length == 1 { "byte" } else { "bytes" },
            self.channel(),
        )
    }

    /// Of several texts, the one that it is in.
    fn channel(&self) -> String {
        match &*self.finding.channel {
            "text" | "json" | "" => String::new(),
            channel => format!(", in {}", harmless(channel)),
        }
    }

    fn json(&self) -> Value {
        let finding = self.finding;
        let (start, end) = (self.places.of(self.span.0), self.places.of(self.span.1));
        json!({
            "file": self.name,
            "line": start.line,
            "column": start.column,
            "endLine": end.line,
            "endColumn": end.column,
            "offset": self.span.0,
            "endOffset": self.span.1,
            "detector": finding.detector,
            "severity": finding.severity.as_str(),
            "action": self.action.as_str(),
            "channel": &*finding.channel,
            "length": finding.length,
            "preview": &*finding.preview,
            "fingerprint": &*finding.fingerprint,
        })
    }

    /// Section 3.27.
    fn sarif(&self, rules: &[Box<str>]) -> Value {
        let finding = self.finding;
        let (start, end) = (self.places.of(self.span.0), self.places.of(self.span.1));
        let about = describe(finding.detector).unwrap_or(OWN);
        json!({
            "ruleId": finding.detector,
            "ruleIndex": rules.iter().position(|rule| **rule == *finding.detector),
            "level": match finding.severity {
                Severity::Critical | Severity::High => "error",
                Severity::Medium => "warning",
                Severity::Low => "note",
            },
            "message": { "text": format!("{about}: {}, {} bytes", finding.preview, finding.length) },
            "locations": [{ "physicalLocation": {
                "artifactLocation": { "uri": reference(self.name) },
                "region": {
                    "startLine": start.line,
                    "startColumn": start.column,
                    "endLine": end.line,
                    "endColumn": end.column,
                },
            }}],
            "properties": {
                "severity": finding.severity.as_str(),
                "action": self.action.as_str(),
                "channel": &*finding.channel,
            },
        })
    }
}

/// The same text without what would move the cursor or change colours.
pub(super) fn harmless(text: &str) -> String {
    let visible = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    text.chars().map(visible).collect()
}
