//! `lictor test`: the tests that stand in policies, against the very objects that the proxy runs.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use clap::Args;

use super::check::paths;
use super::{EXIT_ENVIRONMENT, EXIT_NO, EXIT_USAGE, load, print, say};
use crate::app;
use crate::config;
use crate::rehearsal::Report;

mod junit;

pub(super) const EXAMPLES: &str = "Examples:
  lictor test                                   lictor.yaml here and the policies that it names, or policies/
  lictor test policies/                         a folder: its files add up to one policy
  lictor test -k wires policies/                only tests with `wires` in their name
  lictor test --coverage policies/              also where each rule stands that no test reaches
  lictor test --junit report.xml policies/      for CI

Failed tests go to standard output, the line that counts them to standard error. A policy whose tests fail is refused by
`lictor run` too, at start and at reload.
Exit codes: 0 all pass, 1 some fail or the policy has mistakes, 2 usage, 3 a file that cannot be read or written.
docs/testing.md says how tests are written.";

#[derive(Debug, Args)]
pub(super) struct Test {
    /// Policy files or folders of them, which add up, and an operator's file
    #[arg(value_name = "PATHS")]
    paths: Vec<PathBuf>,
    /// Only tests with this in their name
    #[arg(short = 'k', value_name = "NAME")]
    name: Option<String>,
    /// List the roles and rules that decide no test
    #[arg(long)]
    coverage: bool,
    /// Write the results as JUnit XML
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// The agent that is asked, where a test does not say [default: the one of lictor.yaml, or `agent`]
    #[arg(long, value_name = "NAME")]
    agent: Option<String>,
}

/// More names do not fit on a line.
const MAX_NAMED: usize = 5;

/// Runs the tests, and prints what failed.
pub(super) fn test(arguments: &Test) -> u8 {
    let Some(paths) = paths(&arguments.paths) else {
        say("error: there is neither lictor.yaml nor policies/ here; name the policies to test");
        return EXIT_USAGE;
    };
    let (policies, operator) = match load(&paths) {
        Ok(loaded) => loaded,
        Err(code) => return code,
    };
    let named = operator.as_ref().map(|operator| &*operator.agent_name);
    let agent = arguments.agent.as_deref().or(named);
    let tests = &policies.rehearsal;
    let leaks = policies.leaks.where_wanted(policies.directions.answers);
    let judges = app::Judges::compile(policies.policy, policies.quotas, &leaks);
    let judges = match judges {
        Ok(judges) => judges,
        Err(error) => {
            say(&format!("error: {error:#}"));
            return EXIT_NO;
        }
    };
    let wanted = arguments.name.as_deref().unwrap_or_default();
    let report = judges.rehearse(agent.unwrap_or(config::DEFAULT_AGENT), tests, wanted);
    if report.outcomes.is_empty() && !wanted.is_empty() {
        say(&format!("error: no test has `{wanted}` in its name"));
        return EXIT_USAGE;
    }
    finish(arguments, &report)
}

fn finish(arguments: &Test, report: &Report<'_>) -> u8 {
    if let Some(path) = &arguments.junit
        && let Err(error) = fs::write(path, junit::render(report))
    {
        say(&format!(
            "error: cannot write `{}`: {error}",
            path.display()
        ));
        return EXIT_ENVIRONMENT;
    }
    let mut text = report.to_string();
    if arguments.coverage {
        for rule in &report.unreached {
            let _infallible = writeln!(text, "never hit: {rule}");
        }
    }
    let printed = print(&text);
    // Of a part of the tests nothing follows for the whole.
    say(&summary(report, arguments.name.is_none()));
    match printed {
        0 if report.failures().next().is_some() => EXIT_NO,
        printed => printed,
    }
}

/// `5 tests, 4 passed, 1 failed; 2 of 4 rules never hit: probes, new-desk-tools`.
fn summary(report: &Report<'_>, is_whole: bool) -> String {
    let count = |number: usize, noun: &str| {
        let plural = if number == 1 { "" } else { "s" };
        format!("{number} {noun}{plural}")
    };
    let all = report.outcomes.len();
    let passed = report.passed();
    let mut text = format!(
        "{}, {passed} passed, {} failed",
        count(all, "test"),
        all - passed
    );
    if is_whole && !report.unreached.is_empty() {
        let names = report.unreached.iter().map(|rule| &*rule.name);
        let names: Vec<_> = names.take(MAX_NAMED).collect();
        let (unreached, rules) = (report.unreached.len(), count(report.statements, "rule"));
        let _infallible = write!(
            text,
            "; {unreached} of {rules} never hit: {}",
            names.join(", ")
        );
        if unreached > MAX_NAMED {
            text.push_str(", …");
        }
    }
    text
}
