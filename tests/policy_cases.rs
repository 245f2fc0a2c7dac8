//! Runs the cases in `tests/data/policy` against the compiled policies, and compares the messages about
//! the broken policies in `tests/data/messages` with the texts beside them.
//!
//! After a wanted change of words, `LICTOR_BLESS=1 cargo test --test policy_cases` writes the texts anew.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "clippy knows tests by their attribute, and these are their helpers"
)]

use std::collections::BTreeMap;
use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use lictor::config::{Code, Policies, check, load_operator, load_policies, parse_policy};
use lictor::identity::{KeySource, Kind};
use lictor::model::{
    A2aVersion, Action, Binding, Call, Credential, Dialect, Facts, IdentityName, Operation,
    Ownership, Principal, PrincipalId, Protocol, TenantId,
};
use lictor::policy::{PolicySet, Question};

const DETECTORS: &[&str] = &[
    "cards",
    "credentials.aws-access-key",
    "credentials.github-pat",
    "pii.email",
    "pii.iban",
    "private-keys.pem",
];

fn data(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data")
        .join(folder)
}

fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "no cases in {}", folder.display());
    files
}

/// A file with a scope adds to what its tenants may and may not, and touches nobody else.
#[test]
fn a_scope_is_a_fence() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write(
        "base.yaml",
        "lictor: v1\nidentities:\n  corp: { jwt: { issuer: \"https://idp.example\", audience: quotes-agent } }\n\
         roles:\n  reader: { allow: a2a:GetTask, to: { groups: [staff] } }\n  \
         borrower: { inherits: desk, to: { groups: [staff] } }\n",
    );
    write(
        "acme.yaml",
        "lictor: v1\nscope: { tenants: [acme] }\nroles:\n  desk: { allow: a2a:SendMessage, to: { groups: [desk] } }\n\
         rules:\n  no-tasks: { deny: a2a:GetTask, from: { groups: [desk] } }\n  cancel: { allow: a2a:CancelTask }\n",
    );
    let policies =
        load_policies(folder.path(), DETECTORS).unwrap_or_else(|error| panic!("{error}"));
    let set = PolicySet::compile(policies.policy);
    let cases = [
        ("corp/ana@acme desk", "a2a:SendMessage", "allow desk"),
        ("corp/eve@globex desk", "a2a:SendMessage", "default-deny"),
        ("corp/ana@acme staff", "a2a:SendMessage", "allow desk"),
        // What is inherited out of the fence stays in it.
        ("corp/eve@globex staff", "a2a:SendMessage", "default-deny"),
        (
            "corp/ana@acme desk,staff",
            "a2a:GetTask",
            "deny-rule no-tasks",
        ),
        ("corp/eve@globex desk,staff", "a2a:GetTask", "allow reader"),
        ("corp/ana@acme staff", "a2a:CancelTask", "allow cancel"),
        ("corp/eve@globex staff", "a2a:CancelTask", "default-deny"),
        ("anonymous", "a2a:GetTask", "credential-missing"),
    ];
    for (caller, action, expected) in cases {
        assert_eq!(
            judge(&set, caller, action, "-"),
            expected,
            "{caller}: {action}"
        );
    }
}

/// A case file is a policy, a line `# cases`, and one line for each case:
/// `# name | caller | action | facts | expected`.
///
/// caller: `anonymous` or `identity/id@tenant group,group`, then optionally `from ADDRESS`;
/// facts: `-`, `task:mine`, `task:foreign`, `context:foreign`;
/// expected: `allow RULE`, or a reason and optionally the rule that decided.
#[test]
fn decisions_are_as_the_cases_say() {
    let mut count = 0;
    for file in files(&data("policy"), "yaml") {
        let text = fs::read_to_string(&file).unwrap();
        let (policy, cases) = text.split_once("\n# cases\n").expect("a line `# cases`");
        let name = file.file_name().unwrap().to_string_lossy();
        let policies =
            parse_policy(&name, policy, DETECTORS).unwrap_or_else(|error| panic!("{error}"));
        let set = PolicySet::compile(policies.policy);
        for case in cases.lines().filter(|line| !line.trim().is_empty()) {
            let case = case.strip_prefix("# ").expect("a case begins with `# `");
            let columns: Vec<_> = case.split('|').map(str::trim).collect();
            let [title, caller, action, facts, expected] = columns[..] else {
                panic!("{name}: `{case}` needs five columns");
            };
            assert_eq!(
                judge(&set, caller, action, facts),
                expected,
                "{name}: {title}"
            );
            count += 1;
        }
    }
    assert!(count >= 30, "only {count} cases ran");
}

fn judge(set: &PolicySet, caller: &str, action: &str, facts: &str) -> String {
    let (caller, source) = match caller.split_once(" from ") {
        Some((caller, source)) => (caller, Some(source.trim().parse::<IpAddr>().unwrap())),
        None => (caller, None),
    };
    let at = "2026-01-01T12:00:00Z".parse().unwrap();
    let decision = set.decide(&Question {
        agent: "quotes-agent",
        principal: &principal(caller),
        call: &call(action),
        facts: &known(facts),
        source,
        request: lictor::policy::RequestFacts::default(),
        at,
    });
    let rule = decision.rule().map(|rule| rule.name.to_string());
    let outcome = match decision.refusal() {
        Some(refusal) => refusal.reason.as_str(),
        None => "allow",
    };
    [Some(outcome.to_owned()), rule]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join(" ")
}

fn principal(text: &str) -> Principal {
    if text == "anonymous" {
        return (*Principal::anonymous()).clone();
    }
    let (who, groups) = text.split_once(' ').unwrap_or((text, ""));
    let (identity, who) = who.split_once('/').unwrap();
    let (id, tenant) = who.rsplit_once('@').unwrap();
    Principal {
        identity: IdentityName::new(identity).unwrap(),
        id: PrincipalId::new(id).unwrap(),
        tenant: TenantId::new(tenant).unwrap(),
        groups: groups
            .split(',')
            .filter(|group| !group.is_empty())
            .map(Box::from)
            .collect(),
        claims: None,
        credential: Credential::default(),
    }
}

fn call(text: &str) -> Call {
    let (protocol, rest) = text.split_once(':').unwrap();
    let (method, name) = rest
        .split_once(' ')
        .map_or((rest, None), |(method, name)| (method, Some(name)));
    Call {
        action: Action {
            protocol: *Protocol::ALL
                .iter()
                .find(|known| known.as_str() == protocol)
                .unwrap(),
            method: method.to_owned().into(),
            name: name.map(Box::from),
        },
        http: None,
        operation: match method {
            "ListTasks" => Operation::ListTasks,
            "GetTask" => Operation::GetTask,
            _ => Operation::Other,
        },
        dialect: Dialect::A2a(A2aVersion::V1_0, Binding::JsonRpc),
        rpc_id: None,
        task: None,
        references: Vec::new(),
        context: None,
        session: None,
        hook: None,
        addressed: None,
    }
}

fn known(text: &str) -> Facts {
    let mut facts = Facts::default();
    for fact in text.split_whitespace() {
        match fact {
            "-" => {}
            "task:mine" => facts.task = Ownership::Mine,
            "task:foreign" => facts.task = Ownership::NotMine,
            "context:foreign" => facts.context = Ownership::NotMine,
            other => panic!("`{other}` is no fact"),
        }
    }
    facts
}

/// Each broken file has its messages beside it, whole: a message is part of the language.
#[test]
fn messages_read_as_they_are_written_down() {
    let bless = std::env::var_os("LICTOR_BLESS").is_some();
    let mut codes = BTreeMap::new();
    let mut wrong = Vec::new();
    let cases = files(&data("messages"), "yaml");
    assert!(cases.len() >= 50, "only {} broken files", cases.len());
    for file in cases {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        let text = fs::read_to_string(&file).unwrap();
        let diagnostics = if name.starts_with("operator-") {
            load_operator(&file).map(|_| ()).unwrap_err()
        } else {
            match parse_policy(&name, &text, DETECTORS) {
                Ok(Policies { warnings, .. }) => warnings,
                Err(errors) => errors,
            }
        };
        for diagnostic in diagnostics.iter() {
            *codes.entry(diagnostic.code()).or_insert(0) += 1;
        }
        let folder = format!("{}/", data("messages").display());
        let rendered = diagnostics.render(false).replace(&folder, "");
        // What is coloured differs from what is plain by nothing but colour.
        assert!(diagnostics.render(true).contains("\u{1b}["), "{name}");
        assert!(
            !rendered.contains("hunter2"),
            "{name} shows a secret:\n{rendered}"
        );
        let expected = file.with_extension("txt");
        if bless {
            fs::write(&expected, &rendered).unwrap();
        } else if fs::read_to_string(&expected).unwrap_or_default() != rendered {
            wrong.push(format!("{name} says:\n{rendered}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    let unseen = |code: &&Code| **code != Code::Unreadable && !codes.contains_key(code.as_str());
    let unseen: Vec<_> = Code::ALL.iter().filter(unseen).collect();
    assert!(unseen.is_empty(), "no broken file has {unseen:?}");
}

/// What cannot be read at all is said of each file, beside what is wrong with the others.
#[test]
fn what_cannot_be_read_is_said_of_each_file() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| fs::write(folder.path().join(name), bytes).unwrap();
    write("latin-1.yaml", b"lictor: v1\n# caf\xe9\n");
    write("large.yaml", &[b'#'; (4 << 20) + 1]);
    write("typo.yaml", b"lictor: v1\nrole: {}\n");
    let paths = ["latin-1.yaml", "large.yaml", "missing.yaml", "typo.yaml"];
    let found = check(&paths.map(|path| folder.path().join(path)), DETECTORS);
    let whole = format!("{}/", folder.path().display());
    let rendered = found.render(false).replace(&whole, "");
    // The column of the code depends on the length of the folder's name.
    let lines = rendered.lines().map(|line| match line.rsplit_once(" [L") {
        Some((title, code)) => format!("{} [L{code}\n", title.trim_end()),
        None => format!("{line}\n"),
    });
    let rendered: String = lines.collect();
    let expected = data("messages").join("unreadable.txt");
    if std::env::var_os("LICTOR_BLESS").is_some() {
        fs::write(&expected, &rendered).unwrap();
    }
    assert_eq!(fs::read_to_string(&expected).unwrap_or_default(), rendered);
}

#[test]
fn the_quickstart_policy_decides_as_its_comments_say() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies/quickstart.yaml");
    let policies = load_policies(&file, DETECTORS).unwrap();
    let Kind::Jwt(jwt) = &policies.identity.identities[0].kind else {
        panic!("not of tokens")
    };
    assert_eq!(
        jwt.keys,
        KeySource::File(file.parent().unwrap().join("keys/quickstart-jwks.json"))
    );
    let set = PolicySet::compile(policies.policy);
    let cases = [
        (
            "quickstart/ana@acme analysts",
            "a2a:SendMessage quote-equity",
            "-",
            "allow analyst",
        ),
        (
            "quickstart/ana@acme analysts",
            "a2a:GetTask",
            "task:mine",
            "allow reader",
        ),
        (
            "quickstart/ana@acme analysts",
            "a2a:GetTask",
            "task:foreign",
            "task-not-found reader",
        ),
        (
            "quickstart/ana@acme analysts",
            "a2a:SendMessage export-all",
            "-",
            "deny-rule no-exports",
        ),
        (
            "quickstart/rob@globex readers",
            "a2a:SendMessage quote-equity",
            "-",
            "default-deny",
        ),
        (
            "quickstart/eve@evil analysts",
            "a2a:GetTask",
            "-",
            "tenant-unknown",
        ),
        (
            "anonymous",
            "a2a:GetAgentCard",
            "-",
            "allow public-agent-card",
        ),
        (
            "anonymous",
            "a2a:SendMessage quote-equity",
            "-",
            "credential-missing",
        ),
    ];
    for (caller, action, facts, expected) in cases {
        assert_eq!(
            judge(&set, caller, action, facts),
            expected,
            "{caller} {action}"
        );
    }
}
