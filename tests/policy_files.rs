//! What holds for policies of several files, whatever stands in them.

#![cfg(test)]

use std::fs;
use std::sync::Arc;

use jiff::Timestamp;
use lictor::config::load_policies;
use lictor::model::{
    A2aVersion, Action, Binding, Call, Credential, Dialect, Facts, IdentityName, Operation,
    Principal, PrincipalId, Protocol, TenantId,
};
use lictor::policy::{PolicySet, Question, RequestFacts};
use proptest::prelude::*;

const HEAD: &str = "identities:\n  corp: { jwt: { issuer: \"https://idp.example\", audience: agent }, tenant: claims.org }\n";

const TENANTS: [&str; 3] = ["acme", "globex", "initech"];
const GROUPS: [&str; 3] = ["staff", "desk", "audit"];
const METHODS: [&str; 4] = ["SendMessage", "GetTask", "CancelTask", "*"];

/// A statement as an author writes it, without its name.
fn statement() -> impl Strategy<Value = String> {
    let method = || prop::sample::select(METHODS.to_vec());
    let group = || prop::sample::select(GROUPS.to_vec());
    prop_oneof![
        (method(), group()).prop_map(|(method, group)| format!(
            "roles: {{ NAME: {{ allow: \"a2a:{method}\", to: {{ groups: [{group}] }} }} }}"
        )),
        (method(), group()).prop_map(|(method, group)| format!(
            "rules: {{ NAME: {{ deny: \"a2a:{method}\", from: {{ groups: [{group}] }} }} }}"
        )),
        method().prop_map(|method| format!("rules: {{ NAME: {{ allow: \"a2a:{method}\" }} }}")),
        (method(), 0_u8..3).prop_map(|(method, rank)| format!(
            "rules: {{ NAME: {{ deny: \"a2a:{method}\", when: \"caller.rank < {rank}\" }} }}"
        )),
    ]
}

/// The policy of these files, in this order of names.
fn compile(files: &[String]) -> Arc<PolicySet> {
    let folder = tempfile::tempdir().unwrap();
    for (index, text) in files.iter().enumerate() {
        fs::write(folder.path().join(format!("{index:02}.yaml")), text).unwrap();
    }
    let policies = load_policies(folder.path(), &[]).unwrap_or_else(|diagnostics| {
        panic!("{}", diagnostics.render(false));
    });
    Arc::new(PolicySet::compile(policies.policy))
}

/// What everybody may do, in words that name the statement.
fn decisions(set: &PolicySet, tenants: &[&str]) -> Vec<String> {
    let mut told = Vec::new();
    for tenant in tenants {
        for groups in [&[][..], &["staff"], &["desk"], &["staff", "desk", "audit"]] {
            for method in ["SendMessage", "GetTask", "CancelTask"] {
                let principal = principal(tenant, groups);
                let call = call(method);
                let decision = set.decide(&Question {
                    agent: "agent",
                    principal: &principal,
                    call: &call,
                    facts: &Facts::default(),
                    source: None,
                    request: RequestFacts::default(),
                    at: Timestamp::UNIX_EPOCH,
                });
                told.push(format!(
                    "{tenant} {groups:?} {method}: {}",
                    if decision.is_allow() { "yes" } else { "no" }
                ));
            }
        }
    }
    told
}

fn principal(tenant: &str, groups: &[&str]) -> Principal {
    Principal {
        identity: IdentityName::new("corp").unwrap(),
        id: PrincipalId::new("ana").unwrap(),
        tenant: TenantId::new(tenant).unwrap(),
        groups: groups.iter().map(|group| Box::from(*group)).collect(),
        claims: None,
        credential: Credential::default(),
    }
}

fn call(method: &'static str) -> Call {
    Call {
        action: Action::known(Protocol::A2a, method),
        http: None,
        operation: Operation::Other,
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

fn file(index: usize, head: &str, statement: &str) -> String {
    let head = if index == 0 {
        format!("{head}{HEAD}")
    } else {
        head.to_owned()
    };
    format!(
        "lictor: v1\n{head}{}\n",
        statement.replace("NAME", &format!("it-{index}"))
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Names of files say nothing, and neither does what stands in which of them.
    #[test]
    fn the_order_of_files_says_nothing(
        statements in prop::collection::vec(statement(), 1..6),
        seed in any::<prop::sample::Index>(),
    ) {
        let files: Vec<_> = statements.iter().enumerate().map(|(index, one)| file(index, "", one)).collect();
        let mut turned = files.clone();
        turned.rotate_left(seed.index(files.len()));
        turned.reverse();
        prop_assert_eq!(decisions(&compile(&files), &TENANTS), decisions(&compile(&turned), &TENANTS));
    }

    /// Whoever is outside of a file's fence notices nothing of it.
    #[test]
    fn a_fenced_file_never_acts_on_others(
        statements in prop::collection::vec(statement(), 1..4),
        fenced in prop::collection::vec(statement(), 1..4),
    ) {
        let files: Vec<_> = statements.iter().enumerate().map(|(index, one)| file(index, "", one)).collect();
        let behind = fenced.iter().enumerate().map(|(index, one)| {
            file(10 + index, "scope: { tenants: [acme] }\n", one)
        });
        let all: Vec<_> = files.iter().cloned().chain(behind).collect();
        let others = &TENANTS[1..];
        prop_assert_eq!(decisions(&compile(&files), others), decisions(&compile(&all), others));
    }

    /// A deny takes away, and never gives.
    #[test]
    fn one_deny_more_never_allows_more(
        statements in prop::collection::vec(statement(), 1..5),
        method in prop::sample::select(METHODS.to_vec()),
    ) {
        let mut files: Vec<_> = statements.iter().enumerate().map(|(index, one)| file(index, "", one)).collect();
        let before = decisions(&compile(&files), &TENANTS);
        files.push(format!("lictor: v1\nrules: {{ more: {{ deny: \"a2a:{method}\", from: {{ groups: [staff] }} }} }}\n"));
        let after = decisions(&compile(&files), &TENANTS);
        for (before, after) in before.iter().zip(&after) {
            prop_assert!(before == after || after.ends_with("no"), "{before} became {after}");
        }
    }
}
