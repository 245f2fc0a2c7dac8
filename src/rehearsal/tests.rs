use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::clock;
use crate::model::{
    Action, ActionPattern, Credential, IdentityName, Mode, PrincipalId, RuleRef, TenantId,
};
use crate::model::{Facts, LeakAction, Principal, Protocol};
use crate::policy::{self, Callers, PolicySet, Role};
use crate::quota::{self, Count, Dimension, Measure, Quota, Quotas, Rate, Rates};
use crate::scan::{self, Detectors, Hold};

fn rule(name: &str) -> Arc<RuleRef> {
    Arc::new(RuleRef {
        name: Arc::from(name),
        place: None,
    })
}

fn ana() -> Arc<Principal> {
    Arc::new(Principal {
        identity: IdentityName::new("corp").unwrap(),
        id: PrincipalId::new("ana").unwrap(),
        tenant: TenantId::new("acme").unwrap(),
        groups: vec![Box::from("analysts")],
        claims: None,
        credential: Credential::default(),
    })
}

fn test(expect: Expect) -> Test {
    Test {
        rule: rule("a test"),
        caller: ana(),
        action: Action::known(Protocol::A2a, "SendStreamingMessage"),
        agent: None,
        source: default_source(),
        at: default_time(),
        facts: Facts::default(),
        times: 1,
        args: None,
        tool: None,
        answer: None,
        expect,
    }
}

/// Plays tests under a policy by which analysts may send ten messages a second, and no key leaves.
fn played(tests: Vec<Test>, is_over: &dyn Fn() -> bool) -> Vec<(String, Vec<String>)> {
    let pattern = ActionPattern::parse("a2a:Send*").unwrap();
    let role = Role {
        rule: rule("analyst"),
        fence: None,
        rank: 0,
        mode: Mode::Enforce,
        allow: vec![pattern],
        inherits: Vec::new(),
        to: Some(Callers::default()),
    };
    let policy = PolicySet::compile(policy::Config {
        roles: vec![role],
        ..policy::Config::default()
    });
    let quotas = Quotas::compile(quota::Config {
        quotas: vec![Quota {
            rule: rule("per-caller"),
            mode: Mode::Enforce,
            measure: Measure::Rate {
                rates: Rates::Fixed(Rate {
                    count: 10.try_into().unwrap(),
                    period: Duration::from_secs(1),
                }),
                burst: None,
            },
            count: Count::Calls,
            per: vec![Dimension::Principal],
            tenants: Vec::new(),
            on: Vec::new(),
        }],
    });
    let packs = [
        ("credentials", LeakAction::Block),
        ("pii", LeakAction::Redact),
    ];
    let leaks = scan::Config {
        actions: packs.map(|(pack, action)| (Box::from(pack), action)).into(),
        custom: Vec::new(),
        listed: Vec::new(),
        exceptions: Vec::new(),
        hold: Hold::default(),
        buffer_bytes: 0,
        fingerprint_key: [0; 32],
    };
    let stage = Stage {
        agent: "agent",
        policy: &policy,
        quotas: &quotas,
        detectors: &Arc::new(Detectors::compile(&leaks).unwrap()),
    };
    let config = Config {
        tests,
        ..Config::default()
    };
    let report = run(stage, &config, |_| true, clock::now(), is_over);
    let outcomes = report.outcomes.iter();
    outcomes
        .map(|outcome| (outcome.got.to_string(), outcome.why.clone()))
        .collect()
}

fn got(test: Test) -> String {
    played(vec![test], &|| false).remove(0).0
}

#[test]
fn counters_are_empty_before_each_test_and_time_stands_still() {
    let eleven = Test {
        times: 11,
        ..test(Expect::Allow(None))
    };
    let played = played(vec![eleven.clone(), eleven], &|| false);
    for (got, _) in played {
        assert_eq!(got, "throttle by per-caller after 10 calls");
    }
}

/// However an answer is cut, and into whatever events.
#[test]
fn a_sample_is_found_in_every_cutting() {
    for detector in ["credentials.github-pat", "credentials.aws-access-key-id"] {
        for piece in [1, 2, 3, 7, 1000] {
            for method in ["SendStreamingMessage", "SendMessage"] {
                let answer = Answer {
                    text: Box::from("so ist es, schön:"),
                    sample: Some(Box::from(detector)),
                    piece: piece.try_into().ok(),
                };
                let asked = Test {
                    action: Action::known(Protocol::A2a, method),
                    answer: Some(answer),
                    ..test(Expect::Allow(None))
                };
                assert_eq!(
                    got(asked),
                    format!("block by {detector}"),
                    "{method} {piece}"
                );
            }
        }
    }
}

#[test]
fn every_detector_has_a_sample_that_the_rehearsal_finds() {
    for name in scan::known_names().iter().filter(|name| name.contains('.')) {
        let answer = Answer {
            sample: Some(Box::from(*name)),
            ..Answer::default()
        };
        let asked = Test {
            answer: Some(answer),
            ..test(Expect::Allow(None))
        };
        let expected = match *name {
            name if name.starts_with("credentials.") => "block by credentials.",
            name if name.starts_with("pii.") => "redact by pii.",
            _ => "allow by analyst",
        };
        let got = got(asked);
        assert!(got.starts_with(expected), "{name}: {got}");
    }
}

#[test]
fn a_test_that_runs_over_the_time_fails_and_says_so() {
    let looks = Cell::new(0);
    let is_over = || {
        looks.set(looks.get() + 1);
        looks.get() > 1
    };
    let tests = vec![test(Expect::Allow(None)), test(Expect::Allow(None))];
    let played = played(tests, &is_over);
    assert_eq!(played[0].0, "allow by analyst");
    assert_eq!(played[1].0, "no answer in time");
    assert!(played[1].1[0].contains("5 seconds"));
}
