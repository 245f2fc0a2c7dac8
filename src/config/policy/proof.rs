//! `people` and `tests`: what the policy must decide.

mod expect;
mod people;

use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;

use self::expect::RawExpect;
use self::people::RawPerson;
use super::{Draft, Named, action, add, each_named, rule_ref};
use crate::config::decode::{self, Fields, bad_value, nearest, number, parsed, text, wrong_type};
use crate::config::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::config::language::policy::{RESPONSE, TEST};
use crate::config::language::{exact, from_tree};
use crate::config::source::Span;
use crate::config::tree::{Entry, Kind, Node, quoted};
use crate::model::{ANONYMOUS, Action, Facts, Ownership, Principal, Protocol, RuleRef, ToolCall};
use crate::rehearsal::{self, Answer, Test, default_source, default_time, params_of};

/// `people` and `tests` as they are written.
#[derive(Default)]
pub(super) struct RawProof {
    people: Named<RawPerson>,
    tests: Named<RawTest>,
}

/// A test as it is written; what is `None` is missing or wrong, and was said.
struct RawTest {
    caller: Option<RawCaller>,
    action: Option<Action>,
    agent: Option<Box<str>>,
    source: IpAddr,
    at: Timestamp,
    owner: Option<(String, Span)>,
    times: u32,
    args: Option<Value>,
    tool: Option<ToolCall>,
    answer: Option<RawAnswer>,
    expect: Option<RawExpect>,
}

/// `as`.
enum RawCaller {
    Named(String, Span),
    Written(RawPerson),
}

struct RawAnswer {
    text: Box<str>,
    sample: Option<(String, Span)>,
    piece: Option<NonZeroUsize>,
}

/// More calls than anybody waits for.
const MAX_TIMES: u64 = 100_000;
/// The largest piece is larger than any file.
const MAX_PIECE_BYTES: u64 = 64 << 20;
/// A name longer than this does not fit on a line.
const MAX_NAME_CHARS: usize = 200;

impl Draft {
    pub(super) fn read_people(&mut self, section: &Entry, report: &mut Diagnostics) {
        for entry in each_named(section, "person", report) {
            let name = &*entry.key.text;
            if name == ANONYMOUS {
                let title = "`anonymous` is the caller without a credential";
                let diagnostic = Diagnostic::error(Code::Contradiction, title);
                report.push(diagnostic.at(entry.key.span, "rename it"));
                continue;
            }
            let what = format!("person {}", quoted(name));
            if let Some(person) = people::read(entry, &what, report) {
                add(&mut self.proof.people, entry, "person", person, report);
            }
        }
    }

    pub(super) fn read_tests(&mut self, section: &Entry, report: &mut Diagnostics) {
        let at = Some(section.key.span);
        let Some(mut fields) = Fields::named(&section.value, "`tests`", at, report) else {
            return;
        };
        if fields.is_empty(report) {
            return;
        }
        for entry in fields.rest() {
            check_test_name(entry, report);
            if let Some(test) = read_test(entry, report) {
                add(&mut self.proof.tests, entry, "test", test, report);
            }
        }
    }

    pub(super) fn check_proof(
        &self,
        known: &[&str],
        report: &mut Diagnostics,
    ) -> rehearsal::Config {
        let mut config = rehearsal::Config {
            statements: self.statements(report),
            ..rehearsal::Config::default()
        };
        for (name, (span, person)) in &self.proof.people {
            if let Some(person) = self.check_person(person, Some(name), *span, report) {
                config.people.insert(name.clone(), Arc::new(person));
            }
        }
        for (name, (span, test)) in &self.proof.tests {
            let rule = rule_ref(name, *span, report);
            let test = self.check_test(rule, test, &config, known, report);
            config.tests.extend(test);
        }
        config
    }

    /// The roles, rules and tools that decide something.
    fn statements(&self, report: &Diagnostics) -> Vec<Arc<RuleRef>> {
        let roles = self.roles.iter();
        let roles = roles.filter(|(_, (_, role))| !role.allow.is_empty());
        let roles = roles.map(|(name, (span, _))| rule_ref(name, *span, report));
        let rules = self.rules.iter();
        let rules = rules.map(|(name, (span, _))| rule_ref(name, *span, report));
        let tools = self.tool_names();
        let tools = tools.map(|(name, span)| rule_ref(name, span, report));
        roles.chain(rules).chain(tools).collect()
    }

    fn check_test(
        &self,
        rule: Arc<RuleRef>,
        raw: &RawTest,
        config: &rehearsal::Config,
        known: &[&str],
        report: &mut Diagnostics,
    ) -> Option<Test> {
        let caller = match &raw.caller {
            Some(RawCaller::Named(name, _)) if name == ANONYMOUS => Some(Principal::anonymous()),
            Some(RawCaller::Named(name, at)) => self.person(name, *at, config, report),
            Some(RawCaller::Written(person)) => {
                let person = self.check_person(person, None, person.at, report);
                person.map(Arc::new)
            }
            None => None,
        };
        let owner = raw.owner.as_ref();
        let owner = owner.map(|(name, at)| self.person(name, *at, config, report));
        let expect = raw.expect.as_ref();
        let expect = expect.and_then(|expect| self.check_expect(expect, raw, known, report));
        let answer = raw.answer.as_ref();
        let answer = answer.map(|answer| check_answer(answer, known, report));
        let caller = caller?;
        let task = match owner {
            None => Ownership::Absent,
            Some(owner) => match is_same(&*owner?, &caller) {
                true => Ownership::Mine,
                false => Ownership::NotMine,
            },
        };
        Some(Test {
            rule,
            caller,
            action: raw.action.clone()?,
            agent: raw.agent.clone(),
            source: raw.source,
            at: raw.at,
            facts: Facts {
                task,
                ..Facts::default()
            },
            times: raw.times,
            args: raw.args.clone(),
            tool: raw.tool.clone(),
            answer: match answer {
                Some(answer) => Some(answer?),
                None => None,
            },
            expect: expect?,
        })
    }

    /// Somebody of `people`. One with mistakes was declared all the same.
    fn person(
        &self,
        name: &str,
        at: Span,
        config: &rehearsal::Config,
        report: &mut Diagnostics,
    ) -> Option<Arc<Principal>> {
        if !self.proof.people.contains_key(name) {
            let title = format_args!("there is nobody called {} under `people`", quoted(name));
            let diagnostic = Diagnostic::error(Code::UnknownPerson, title);
            let known = self.proof.people.keys().map(String::as_str);
            report.push(match nearest(name, known.chain([ANONYMOUS])) {
                Some(meant) => diagnostic.at(at, format_args!("did you mean `{meant}`?")),
                None => diagnostic
                    .at(at, "")
                    .help("declare them there, or write the caller out: as: { id: ana, groups: [analysts] }"),
            });
        }
        config.people.get(name).cloned()
    }
}

/// A caller is the pair of identity and id.
fn is_same(one: &Principal, other: &Principal) -> bool {
    (&one.identity, &one.id) == (&other.identity, &other.id)
}

/// Names of tests are sentences; they stand in one line of output.
fn check_test_name(entry: &Entry, report: &mut Diagnostics) {
    let name = &*entry.key.text;
    let is_line = !name.trim().is_empty() && !name.chars().any(char::is_control);
    if !is_line || name.chars().count() > MAX_NAME_CHARS {
        let title = format_args!("{} is not a name for a test", quoted(name));
        report.push(
            Diagnostic::error(Code::BadValue, title)
                .at(entry.key.span, "")
                .help("a test is named by one line, such as `ana may ask for a quote`"),
        );
    }
}

fn read_test(entry: &Entry, report: &mut Diagnostics) -> Option<RawTest> {
    let what = format!("test {}", quoted(&entry.key.text));
    let mut fields = Fields::of(&TEST, &entry.value, what, Some(entry.key.span), report)?;
    let caller = fields.require("as", report);
    let action = fields.require("do", report);
    let expect = fields.require("expect", report);
    let times = fields
        .take("times")
        .and_then(|entry| number(&entry.value, "`times`", 1..=MAX_TIMES, report));
    let answer = fields.take("response");
    let tool = fields.take("tool");
    let args = fields.take("args");
    let action = action.and_then(|entry| read_action(&entry.value, report));
    let (args, tool) = read_arguments(args, tool, action.as_ref(), report);
    let test = RawTest {
        agent: fields
            .take("agent")
            .and_then(|entry| text(&entry.value, "`agent`", report).map(Box::from)),
        source: fields
            .take("from")
            .and_then(|entry| {
                parsed(
                    &entry.value,
                    "`from`",
                    "an address such as 10.1.2.3",
                    report,
                )
            })
            .unwrap_or_else(default_source),
        at: fields
            .take("at")
            .and_then(|entry| {
                parsed(
                    &entry.value,
                    "`at`",
                    "an instant such as 2026-01-31T18:00:00Z",
                    report,
                )
            })
            .unwrap_or_else(default_time),
        owner: fields
            .take("owner")
            .and_then(|entry| named(&entry.value, "`owner`", report)),
        times: times
            .and_then(|times| u32::try_from(times).ok())
            .unwrap_or(1),
        args,
        tool,
        caller: caller.and_then(|entry| read_caller(entry, report)),
        action,
        answer: answer.and_then(|entry| read_answer(entry, report)),
        expect: expect.and_then(|entry| expect::read(entry, report)),
    };
    fields.finish(report);
    Some(test)
}

fn read_caller(entry: &Entry, report: &mut Diagnostics) -> Option<RawCaller> {
    match &*entry.value.kind {
        Kind::Map(_) => people::read_written(entry, "`as`", report).map(RawCaller::Written),
        Kind::Null | Kind::Text { .. } | Kind::List(_) => {
            let (name, at) = named(&entry.value, "`as`", report)?;
            Some(RawCaller::Named(name, at))
        }
    }
}

/// One action: somebody asks for one thing at a time.
fn read_action(node: &Node, report: &mut Diagnostics) -> Option<Action> {
    let written = text(node, "`do`", report)?;
    let pattern = action(written, node.span, report)?;
    let Some(action) = pattern.action() else {
        let diagnostic = bad_value(node, "`do`", "one action, but a pattern of several");
        report.push(diagnostic.help("a test asks for one thing; write it without `*`"));
        return None;
    };
    if action.protocol == Protocol::Http && action.name.is_none() {
        let diagnostic = bad_value(node, "`do`", "a request: it has no path");
        report.push(diagnostic.at(node.span, format_args!("write {written} /path")));
        return None;
    }
    Some(action)
}

fn read_answer(entry: &Entry, report: &mut Diagnostics) -> Option<RawAnswer> {
    let at = Some(entry.key.span);
    let mut fields = Fields::of(&RESPONSE, &entry.value, "`response`", at, report)?;
    if fields.is_empty(report) {
        return None;
    }
    let answer = RawAnswer {
        text: fields
            .take("text")
            .and_then(|entry| text(&entry.value, "`text`", report))
            .map_or_else(Box::default, Box::from),
        sample: fields
            .take("sample")
            .and_then(|entry| named(&entry.value, "`sample`", report)),
        piece: fields
            .take("chunks")
            .and_then(|entry| read_piece(&entry.value, report)),
    };
    fields.finish(report);
    Some(answer)
}

/// `1 byte`, `16 bytes`, or a size as elsewhere.
fn read_piece(node: &Node, report: &mut Diagnostics) -> Option<NonZeroUsize> {
    let written = text(node, "`chunks`", report)?;
    let count = written
        .strip_suffix(" bytes")
        .or_else(|| written.strip_suffix(" byte"));
    if let Some(count) = count.and_then(|count| count.parse().ok()) {
        return Some(count);
    }
    let bytes = decode::bytes(node, "`chunks`", MAX_PIECE_BYTES, report)?;
    NonZeroUsize::new(usize::try_from(bytes).ok()?)
}

/// The detector of which a sample is drawn: by its whole name, by what stands behind the pack, or by whole
/// words that it begins with, if no other does.
fn check_answer(raw: &RawAnswer, known: &[&str], report: &mut Diagnostics) -> Option<Answer> {
    let sample = match &raw.sample {
        None => None,
        Some((name, at)) => Some(detector(name, *at, known, report)?),
    };
    Some(Answer {
        text: raw.text.clone(),
        sample,
        piece: raw.piece,
    })
}

fn detector(name: &str, at: Span, known: &[&str], report: &mut Diagnostics) -> Option<Box<str>> {
    let detectors = || {
        known
            .iter()
            .copied()
            .filter_map(|known| known.split_once('.').map(|(_, short)| (known, short)))
    };
    let exact = detectors().find(|(whole, short)| *whole == name || *short == name);
    if let Some((whole, _)) = exact {
        return Some(Box::from(whole));
    }
    let begins = |(_, short): &(&str, &str)| {
        let rest = short.strip_prefix(name);
        rest.is_some_and(|rest| rest.starts_with('-'))
    };
    let mut begun = detectors().filter(begins);
    if let (Some((whole, _)), None) = (begun.next(), begun.next()) {
        return Some(Box::from(whole));
    }
    let title = format_args!("no detector finds {}", quoted(name));
    let diagnostic = Diagnostic::error(Code::UnknownDetector, title);
    let names = detectors().flat_map(|(whole, short)| [whole, short]);
    report.push(match nearest(name, names) {
        Some(meant) => diagnostic.at(at, format_args!("did you mean `{meant}`?")),
        None => diagnostic
            .at(at, "")
            .help("a sample is named after one detector, such as `credentials.github-pat`"),
    });
    None
}

/// The arguments as conditions read them, and the tool that gets them.
fn read_arguments(
    args: Option<&Entry>,
    tool: Option<&Entry>,
    action: Option<&Action>,
    report: &mut Diagnostics,
) -> (Option<Value>, Option<ToolCall>) {
    let given = args.and_then(|entry| object(&entry.value, "`args`", report));
    let json = || {
        let entry = args.filter(|_| given.is_some())?;
        Some(exact(&entry.value))
    };
    let Some(tool) = tool else {
        // MCP itself names the tool.
        let tool = action.and_then(Action::tool);
        let tool = tool.map(|tool| ToolCall::new(tool, json()));
        return (given, tool);
    };
    let Some(name) = text(&tool.value, "`tool`", report) else {
        return (given, None);
    };
    if action.is_some_and(|action| (action.protocol, &*action.method) != (Protocol::Http, "POST")) {
        let title = "`tool` does not go with this `do`";
        report.push(
            Diagnostic::error(Code::Contradiction, title)
                .at(tool.key.span, "")
                .help("with MCP the tool stands in `do`: mcp:tools/call and its name; `tool` goes with http:POST and a path"),
        );
    }
    let params = params_of(name, given.as_ref());
    (Some(params), Some(ToolCall::new(name, json())))
}

/// A mapping of anything.
fn object(node: &Node, what: &str, report: &mut Diagnostics) -> Option<Value> {
    match &*node.kind {
        Kind::Map(_) => Some(from_tree(node)),
        Kind::Null | Kind::Text { .. } | Kind::List(_) => {
            report.push(wrong_type(node, what, "a mapping"));
            None
        }
    }
}

/// A text and where it stands.
fn named(node: &Node, what: &str, report: &mut Diagnostics) -> Option<(String, Span)> {
    text(node, what, report).map(|text| (text.to_owned(), node.span))
}
