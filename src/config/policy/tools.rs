//! `tools`: what calls of tools must look like.

mod argument;
mod wanted;

use super::{Draft, add, rule_ref};
use crate::config::decode::{Fields, text, word};
use crate::config::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::config::language::policy::{TOOL, UNKNOWN};
use crate::config::source::Span;
use crate::config::tree::{Entry, quoted};
use crate::model::{ActionPattern, Mode};
use crate::policy::{Argument, Pin, Tool};

/// A tool as it is written.
pub(super) struct RawTool {
    mode: Mode,
    args: Vec<Argument>,
    closed: bool,
    pin: Option<Pin>,
}

/// A name longer than this is none of a tool.
const MAX_NAME_BYTES: usize = 256;

impl Draft {
    pub(super) fn read_tools(&mut self, section: &Entry, report: &mut Diagnostics) {
        let at = Some(section.key.span);
        let Some(mut fields) = Fields::named(&section.value, "`tools`", at, report) else {
            return;
        };
        if fields.is_empty(report) {
            return;
        }
        for entry in fields.rest() {
            check_name(entry, report);
            if let Some(tool) = read_tool(entry, self.mode, report) {
                add(&mut self.tools, entry, "tool", tool, report);
            }
        }
    }

    pub(super) fn check_tools(&self, report: &mut Diagnostics) -> Vec<Tool> {
        let is_granted = |text: &str| {
            let pattern = ActionPattern::parse(text);
            pattern.is_ok_and(|pattern| self.is_granted(&pattern))
        };
        let posts = is_granted("http:POST");
        let mut tools = Vec::new();
        for (name, (span, raw)) in &self.tools {
            if !posts && !is_granted(&format!("mcp:tools/call {name}")) {
                let title = format_args!("nobody may call tool {}", quoted(name));
                report.push(
                    Diagnostic::warning(Code::IdleTool, title)
                        .at(*span, "")
                        .note("tools are called by `mcp:tools/call` and their name, or by `http:POST` requests, and nothing allows one"),
                );
            }
            tools.push(Tool {
                rule: rule_ref(name, *span, report),
                mode: raw.mode,
                args: raw.args.clone(),
                closed: raw.closed,
                pin: raw.pin.clone(),
            });
        }
        tools
    }

    /// Names of the tools about which there is a statement that refuses.
    pub(super) fn tool_names(&self) -> impl Iterator<Item = (&str, Span)> {
        let tools = self.tools.iter();
        tools.map(|(name, (span, _))| (name.as_str(), *span))
    }
}

/// A tool has one name, just as its agent lists it.
fn check_name(entry: &Entry, report: &mut Diagnostics) {
    let name = &*entry.key.text;
    let is_plain = !name.is_empty()
        && name.len() <= MAX_NAME_BYTES
        && name.trim().len() == name.len()
        && !name.chars().any(char::is_control);
    if is_plain && !name.contains('*') {
        return;
    }
    let title = format_args!("{} is not the name of a tool", quoted(name));
    let help = if name.contains('*') {
        "arguments are those of one tool; write its name, and the same again for another"
    } else {
        "write the name as the agent lists it, without space around it"
    };
    report.push(
        Diagnostic::error(Code::BadValue, title)
            .at(entry.key.span, "")
            .help(help),
    );
}

fn read_tool(entry: &Entry, mode: Mode, report: &mut Diagnostics) -> Option<RawTool> {
    let what = format!("tool {}", quoted(&entry.key.text));
    let mut fields = Fields::of(&TOOL, &entry.value, &what, Some(entry.key.span), report)?;
    if fields.is_empty(report) {
        return None;
    }
    let args = fields.take("args");
    let unknown = fields.take("unknownArgs");
    let pin = fields.take("pin");
    fields.finish(report);
    let is_pinned = pin.is_some();
    let pin = pin.and_then(|pin| read_pin(pin, report));
    let words = [("allow", false), ("deny", true)];
    let closed = unknown
        .and_then(|unknown| word(&unknown.value, "`unknownArgs`", UNKNOWN, &words, report))
        .unwrap_or(false);
    let is_written = !is_pinned && (args.is_some() || unknown.is_some());
    // A tool with mistakes was declared all the same.
    let args = args.map_or_else(|| Some(Vec::new()), |args| argument::read_all(args, report));
    let is_idle = |args: &Vec<Argument>| is_written && !closed && !args.iter().any(Argument::asks);
    if args.as_ref().is_some_and(is_idle) {
        let title = format_args!("{what} restricts nothing");
        report.push(
            Diagnostic::error(Code::NeverMatches, title)
                .at(entry.key.span, "")
                .help("write what an argument must be, such as amount: { max: 250000 }, or unknownArgs: deny"),
        );
    }
    Some(RawTool {
        mode,
        args: args.unwrap_or_default(),
        closed,
        pin,
    })
}

/// The first digits of a hash, or all.
fn read_pin(pin: &Entry, report: &mut Diagnostics) -> Option<Pin> {
    let text = text(&pin.value, "`pin`", report)?;
    let digits = text.strip_prefix("sha256:").filter(|digits| {
        let is_hex = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'a'..=b'f');
        (LEAST_PIN_DIGITS..=ALL_PIN_DIGITS).contains(&digits.len()) && digits.bytes().all(is_hex)
    });
    let Some(digits) = digits else {
        let title = format_args!("{} is not the hash of a description", quoted(text));
        report.push(
            Diagnostic::error(Code::BadValue, title)
                .at(pin.value.span, "")
                .help("write `sha256:` and 8 to 64 digits of those that the log tells when the tool is listed: 0-9 and a-f"),
        );
        return None;
    };
    if digits.len() < SAFE_PIN_DIGITS {
        let title = format_args!(
            "{} digits of a hash are soon made to fit another description",
            digits.len()
        );
        report.push(
            Diagnostic::warning(Code::Lax, title)
                .at(pin.value.span, "")
                .help("write all 64 digits, as the log tells them"),
        );
    }
    Some(Pin::new(digits))
}

const LEAST_PIN_DIGITS: usize = 8;
/// Whoever wants a description of the same hash has to try 2^128 of them.
const SAFE_PIN_DIGITS: usize = 32;
const ALL_PIN_DIGITS: usize = 64;
