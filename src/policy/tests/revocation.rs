//! Whom revocations are about.

use super::*;
use crate::model::TaskId;

fn subject() -> impl Strategy<Value = Subject> {
    let one_of = |texts: [&'static str; 2]| {
        prop::option::weighted(0.4, prop::sample::select(texts.to_vec()))
    };
    (
        one_of(["agent", "other"]),
        one_of(["corp", "partner"]),
        one_of(["k1", "k2"]),
        one_of(["ana", "ben"]),
        one_of(["t1", "t2"]),
        one_of(["acme", "globex"]),
    )
        .prop_map(|(agent, identity, key, principal, task, tenant)| Subject {
            agent: agent.map(Box::from),
            identity: identity.map(|name| IdentityName::new(name).unwrap()),
            key: key.map(Box::from),
            principal: principal.map(|id| PrincipalId::new(id).unwrap()),
            task: task.map(|id| TaskId::new(id).unwrap()),
            tenant: tenant.map(|id| TenantId::new(id).unwrap()),
        })
}

fn revocation(subject: Subject, since: Option<i64>) -> Revocation {
    Revocation {
        rule: rule_ref("it"),
        subject,
        since: since.map(|second| Timestamp::from_second(second).unwrap()),
    }
}

/// What the page says, read slowly: all that is named must hold.
fn means(revocation: &Revocation, question: &Question<'_>, made: Option<&TaskId>) -> bool {
    let Subject {
        agent,
        identity,
        key,
        principal,
        task,
        tenant,
    } = &revocation.subject;
    let caller = question.principal;
    let mut named = Vec::new();
    named.extend(agent.as_ref().map(|agent| **agent == *question.agent));
    named.extend(identity.as_ref().map(|name| *name == caller.identity));
    named.extend(
        key.as_ref()
            .map(|key| caller.credential.key.as_deref() == Some(&**key)),
    );
    named.extend(principal.as_ref().map(|id| *id == caller.id));
    named.extend(
        task.as_ref()
            .map(|task| question.call.task.as_ref() == Some(task) || made == Some(task)),
    );
    named.extend(tenant.as_ref().map(|tenant| *tenant == caller.tenant));
    let is_old = match (revocation.since, caller.credential.issued) {
        (None, _) | (Some(_), None) => true,
        (Some(since), Some(issued)) => issued < since,
    };
    !named.is_empty() && named.iter().all(|holds| *holds) && is_old
}

proptest! {
    #[test]
    fn a_long_list_says_what_its_entries_say(
        subjects in prop::collection::vec((subject(), prop::option::of(0_i64..3)), 0..8),
        issued in prop::option::of(0_i64..3),
        id in prop::sample::select(vec!["ana", "ben"]),
        (key, task, made) in (
            prop::option::of(Just("k1")),
            prop::option::of(Just("t1")),
            prop::option::of(Just("t2")),
        ),
    ) {
        let mut caller = ana();
        caller.id = PrincipalId::new(id).unwrap();
        caller.credential = Credential {
            key: key.map(Arc::from),
            issued: issued.map(|second| Timestamp::from_second(second).unwrap()),
        };
        let mut call = call("GetTask", None);
        call.task = task.map(|id| TaskId::new(id).unwrap());
        let made = made.map(|id| TaskId::new(id).unwrap());
        let facts = Facts::default();
        let question = ask(&caller, &call, &facts);
        let all: Vec<_> = subjects.into_iter().map(|(subject, since)| revocation(subject, since)).collect();
        let meant = all.iter().any(|one| means(one, &question, made.as_ref()));
        let judged = Revocations::new(all).judge(&question, made.as_ref());
        prop_assert_eq!(judged.is_err(), meant);
    }
}

#[test]
fn a_refusal_says_which_revocation_it_was_and_whom_it_is_about() {
    let ana = ana();
    let call = call("GetTask", None);
    let facts = Facts::default();
    let subject = Subject {
        principal: Some(ana.id.clone()),
        identity: Some(ana.identity.clone()),
        ..Subject::default()
    };
    let revocations = Revocations::new(vec![revocation(subject, None)]);
    let refusal = revocations
        .judge(&ask(&ana, &call, &facts), None)
        .unwrap_err();
    assert_eq!(refusal.reason, Reason::Revoked);
    assert_eq!(&*refusal.rule.unwrap().name, "it");
    let detail = refusal.detail.unwrap();
    assert_eq!(
        &*detail,
        format!("principal `{}` of identity `{}`", ana.id, ana.identity)
    );
    // One that names nobody is about nobody.
    let nobody = Revocations::new(vec![revocation(Subject::default(), None)]);
    assert!(nobody.judge(&ask(&ana, &call, &facts), None).is_ok());
}
