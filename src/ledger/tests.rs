use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use super::*;
use crate::model::{
    A2aVersion, Action, Binding, Credential, Dialect, IdentityName, PrincipalId, Protocol, Reason,
    Refusal, TenantId,
};

const TTL: Duration = Duration::from_secs(60);

pub(super) fn principal(identity: &str, id: &str, tenant: &str) -> Principal {
    Principal {
        identity: IdentityName::new(identity).unwrap(),
        id: PrincipalId::new(id).unwrap(),
        tenant: TenantId::new(tenant).unwrap(),
        groups: Vec::new(),
        claims: None,
        credential: Credential::default(),
    }
}

pub(super) fn alice() -> Principal {
    principal("corp", "alice", "acme")
}

pub(super) fn ledger(entries: usize, per_tenant: usize) -> Ledger {
    Ledger::new(&Config {
        entries,
        per_tenant,
        ttl: TTL,
    })
}

pub(super) fn now() -> Instant {
    crate::clock::now()
}

pub(super) fn task(id: &str) -> TaskId {
    TaskId::new(id).unwrap()
}

pub(super) fn context(id: &str) -> ContextId {
    ContextId::new(id).unwrap()
}

pub(super) fn call(operation: Operation) -> Call {
    Call {
        action: Action::known(Protocol::A2a, "SendMessage"),
        http: None,
        operation,
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

pub(super) fn get(id: &str) -> Call {
    Call {
        task: Some(task(id)),
        ..call(Operation::GetTask)
    }
}

pub(super) fn send(id: &str) -> Call {
    Call {
        context: Some(context(id)),
        ..call(Operation::SendMessage)
    }
}

#[test]
fn a_task_belongs_to_whom_it_was_made_for_and_to_nobody_else() {
    let (ledger, now) = (ledger(10, 10), now());
    ledger
        .learn_here(&alice(), Some(&task("t")), None, now)
        .unwrap();
    let of =
        |principal: &Principal, call: &Call| ledger.facts_here(principal, call, now).unwrap().task;
    assert_eq!(of(&alice(), &get("t")), Ownership::Mine);
    let bob = principal("corp", "bob", "acme");
    assert_eq!((ledger.count_of(&alice()), ledger.count_of(&bob)), (1, 0));
    assert!(ledger.owns(&alice(), &task("t"), now) && !ledger.owns(&bob, &task("t"), now));
    assert_eq!(of(&alice(), &get("unknown")), Ownership::NotMine);
    assert_eq!(of(&alice(), &call(Operation::GetTask)), Ownership::Absent);
    for other in [
        principal("corp", "bob", "acme"),
        principal("partners", "alice", "acme"),
        principal("corp", "alice", "globex"),
        Principal::clone(&Principal::anonymous()),
    ] {
        assert_eq!(of(&other, &get("t")), Ownership::NotMine, "{other:?}");
    }
}

#[test]
fn beside_it_equal_ids_are_other_objects_within_the_same_bounds() {
    let (first, bob) = (ledger(3, 3), principal("corp", "bob", "t2"));
    let second = first.beside();
    first
        .learn_here(&alice(), Some(&task("t1")), Some(&context("c1")), now())
        .unwrap();
    let here = first.facts_here(&alice(), &get("t1"), now()).unwrap();
    let there = second.facts_here(&alice(), &get("t1"), now()).unwrap();
    assert_eq!(
        (here.task, there.task),
        (Ownership::Mine, Ownership::NotMine)
    );

    second
        .learn_here(&bob, Some(&task("t1")), None, now())
        .unwrap();
    let theirs = second.facts_here(&bob, &get("t1"), now()).unwrap();
    assert_eq!(theirs.task, Ownership::Mine);
    let here = first.facts_here(&bob, &get("t1"), now()).unwrap();
    assert_eq!(here.task, Ownership::NotMine);

    assert_eq!((first.len(), second.len()), (3, 3));
    let full = second.learn_here(&bob, Some(&task("t2")), None, now());
    assert_eq!(full, Err(LedgerFull::All));
}

#[test]
fn the_worst_of_all_tasks_counts() {
    let (ledger, now) = (ledger(10, 10), now());
    for id in ["a", "b"] {
        ledger
            .learn_here(&alice(), Some(&task(id)), None, now)
            .unwrap();
    }
    let with = |references: &[&str]| {
        let mut call = send("c");
        call.task = Some(task("a"));
        call.references = references.iter().map(|id| task(id)).collect();
        ledger.facts_here(&alice(), &call, now).unwrap().task
    };
    assert_eq!(with(&["b"]), Ownership::Mine);
    assert_eq!(with(&["b", "foreign", "a"]), Ownership::NotMine);
}

#[test]
fn a_context_belongs_to_the_first_message_in_it() {
    let (ledger, now) = (ledger(10, 10), now());
    let bob = principal("corp", "bob", "acme");
    let of = |principal: &Principal, call: &Call| {
        ledger.facts_here(principal, call, now).unwrap().context
    };
    // Reading claims nothing.
    let list = Call {
        http: None,
        operation: Operation::ListTasks,
        ..send("c")
    };
    assert_eq!(of(&bob, &list), Ownership::NotMine);
    assert_eq!(of(&alice(), &send("c")), Ownership::Mine);
    assert_eq!(of(&bob, &send("c")), Ownership::NotMine);
    assert_eq!(of(&bob, &list), Ownership::NotMine);
    assert_eq!(of(&alice(), &list), Ownership::Mine);
}

#[test]
fn an_agent_cannot_give_away_what_is_owned() {
    let (ledger, now) = (ledger(10, 10), now());
    let bob = principal("corp", "bob", "acme");
    let (t, c) = (task("t"), context("c"));
    ledger
        .learn_here(&alice(), Some(&t), Some(&c), now)
        .unwrap();
    ledger.learn_here(&bob, Some(&t), Some(&c), now).unwrap();
    assert_eq!(
        ledger.facts_here(&bob, &get("t"), now).unwrap().task,
        Ownership::NotMine
    );
    assert_eq!(
        ledger.facts_here(&alice(), &get("t"), now).unwrap().task,
        Ownership::Mine
    );
}

#[test]
fn a_refused_call_leaves_no_claim_behind() {
    let (ledger, now) = (ledger(10, 10), now());
    let bob = principal("corp", "bob", "acme");
    let claim = |principal: &Principal| ledger.facts_here(principal, &send("c"), now).unwrap();
    let facts = claim(&alice());
    ledger.release(&alice(), &send("c"), &facts);
    assert_eq!(ledger.len(), 0);
    // One that another call relies on stays.
    let facts = claim(&alice());
    claim(&alice());
    ledger.release(&alice(), &send("c"), &facts);
    let foreign = claim(&bob);
    assert_eq!(foreign.context, Ownership::NotMine);
    // Nobody takes back what is somebody else's.
    ledger.release(&bob, &send("c"), &foreign);
    ledger.release(&bob, &send("c"), &facts);
    assert_eq!(claim(&bob).context, Ownership::NotMine);
}

#[test]
fn full_means_that_new_claims_are_refused_and_old_ones_stay() {
    let (ledger, now) = (ledger(4, 3), now());
    ledger
        .learn_here(&alice(), Some(&task("t")), None, now)
        .unwrap();
    ledger.facts_here(&alice(), &send("c"), now).unwrap();
    // The tenant's third and fourth would be one too many.
    assert_eq!(
        ledger.facts_here(&alice(), &send("d"), now),
        Err(LedgerFull::Tenant)
    );
    let globex = principal("corp", "gina", "globex");
    ledger.facts_here(&globex, &send("e"), now).unwrap();
    assert_eq!(
        ledger.facts_here(&globex, &send("f"), now),
        Err(LedgerFull::All)
    );
    assert_eq!(Refusal::from(LedgerFull::All).reason, Reason::Overloaded);
    // What is owned can be read and continued all the same.
    assert_eq!(
        ledger.facts_here(&alice(), &get("t"), now).unwrap().task,
        Ownership::Mine
    );
    let mut go_on = send("c");
    go_on.task = Some(task("t"));
    let facts = ledger.facts_here(&alice(), &go_on, now).unwrap();
    assert_eq!(
        (facts.task, facts.context),
        (Ownership::Mine, Ownership::Mine)
    );
    assert_eq!(ledger.len(), 3);
}

#[test]
fn what_is_not_used_is_forgotten_and_its_room_comes_back() {
    let (ledger, start) = (ledger(1000, 1000), now());
    for n in 0..1000 {
        ledger
            .learn_here(&alice(), Some(&task(&format!("t{n}"))), None, start)
            .unwrap();
    }
    let half = start + TTL / 2;
    assert_eq!(
        ledger.facts_here(&alice(), &get("t7"), half).unwrap().task,
        Ownership::Mine
    );
    assert!(
        ledger
            .facts_here(&alice(), &call(Operation::SendMessage), half)
            .is_err()
    );
    let later = start + TTL;
    assert_eq!(
        ledger.facts_here(&alice(), &get("t8"), later).unwrap().task,
        Ownership::NotMine
    );
    assert_eq!(
        ledger.facts_here(&alice(), &get("t7"), later).unwrap().task,
        Ownership::Mine
    );
    // Each refused call looks through a part, so that soon there is room again.
    let tries = (0..200).position(|_| {
        let call = call(Operation::SendMessage);
        ledger.facts_here(&alice(), &call, later).is_ok()
    });
    assert!(tries.is_some_and(|tries| tries <= 2), "{tries:?}");
    // An expired entry is nobody's, and the next owner may be another.
    let bob = principal("corp", "bob", "globex");
    ledger
        .learn_here(&bob, Some(&task("t8")), None, later)
        .unwrap();
    assert_eq!(
        ledger.facts_here(&bob, &get("t8"), later).unwrap().task,
        Ownership::Mine
    );
    assert_eq!(
        ledger.facts_here(&bob, &get("t7"), later).unwrap().task,
        Ownership::NotMine
    );
}

#[test]
fn refused_claims_do_not_pile_up() {
    let (ledger, now) = (ledger(10, 10), now());
    for n in 0..10_000 {
        let call = send(&format!("c{n}"));
        let facts = ledger.facts_here(&alice(), &call, now).unwrap();
        ledger.release(&alice(), &call, &facts);
    }
    assert!(ledger.is_empty());
}

#[test]
fn of_two_who_claim_at_once_one_wins() {
    let ledger = Arc::new(ledger(100_000, 100_000));
    let now = now();
    let threads: usize = 4;
    let barrier = Arc::new(Barrier::new(threads));
    let handles: Vec<_> = (0..threads)
        .map(|n| {
            let (ledger, barrier) = (Arc::clone(&ledger), Arc::clone(&barrier));
            std::thread::spawn(move || {
                let caller = principal("corp", &format!("caller-{n}"), "acme");
                barrier.wait();
                (0..2000)
                    .map(|id| {
                        let facts = ledger
                            .facts_here(&caller, &send(&format!("c{id}")), now)
                            .unwrap();
                        facts.context == Ownership::Mine
                    })
                    .collect::<Vec<bool>>()
            })
        })
        .collect();
    let won: Vec<_> = handles
        .into_iter()
        .map(|handle| handle.join().unwrap())
        .collect();
    for id in 0..2000 {
        assert_eq!(won.iter().filter(|won| won[id]).count(), 1, "context {id}");
    }
    assert_eq!(ledger.len(), 2000);
}

#[test]
fn the_bound_holds_under_threads() {
    let ledger = Arc::new(ledger(500, 500));
    let now = now();
    let handles: Vec<_> = (0..4)
        .map(|n| {
            let ledger = Arc::clone(&ledger);
            std::thread::spawn(move || {
                for id in 0..1000 {
                    let call = send(&format!("{n}-{id}"));
                    if let Ok(facts) = ledger.facts_here(&alice(), &call, now)
                        && id % 3 == 0
                    {
                        ledger.release(&alice(), &call, &facts);
                    }
                    assert!(ledger.len() <= 500);
                }
            })
        })
        .collect();
    for handle in handles {
        handle.join().unwrap();
    }
    assert!(ledger.len() >= 498);
}

#[test]
fn a_task_that_a_caller_of_0_1_chooses_is_kept_for_it_and_read_once_the_agent_has_named_it() {
    let (ledger, now) = (ledger(10, 10), now());
    let bob = principal("corp", "bob", "acme");
    let begin = Call {
        dialect: Dialect::A2a(A2aVersion::V0_1, Binding::JsonRpc),
        ..send_task("t")
    };
    let of = |principal: &Principal, call: &Call| ledger.facts_here(principal, call, now).unwrap();
    let first = of(&alice(), &begin);
    assert_eq!(first.task, Ownership::Mine);
    assert_eq!(of(&bob, &begin).task, Ownership::NotMine);
    // It may be an older one of somebody else's, of which only the agent knows.
    assert_eq!(of(&alice(), &get("t")).task, Ownership::NotMine);
    ledger
        .learn_here(&alice(), Some(&task("t")), None, now)
        .unwrap();
    assert_eq!(of(&alice(), &get("t")).task, Ownership::Mine);
    assert_eq!(of(&alice(), &begin).task, Ownership::Mine);
    assert_eq!(of(&bob, &get("t")).task, Ownership::NotMine);
}

#[test]
fn a_refused_call_keeps_no_task_that_it_chose() {
    let (ledger, now) = (ledger(10, 10), now());
    let bob = principal("corp", "bob", "acme");
    let begin = Call {
        dialect: Dialect::A2a(A2aVersion::V0_1, Binding::Rest),
        ..send_task("t")
    };
    let facts = ledger.facts_here(&alice(), &begin, now).unwrap();
    ledger.release(&alice(), &begin, &facts);
    assert!(ledger.is_empty());
    let foreign = ledger.facts_here(&bob, &begin, now).unwrap();
    assert_eq!(foreign.task, Ownership::Mine);
    // Who was refused because it is bob's takes nothing away.
    let facts = ledger.facts_here(&alice(), &begin, now).unwrap();
    ledger.release(&alice(), &begin, &facts);
    assert_eq!(ledger.len(), 1);
}

fn send_task(id: &str) -> Call {
    Call {
        task: Some(task(id)),
        ..call(Operation::SendMessage)
    }
}

#[test]
fn a_session_is_whose_it_was_begun_for_until_it_ends() {
    let (ledger, now) = (ledger(10, 10), now());
    let bob = principal("corp", "bob", "acme");
    let session = SessionId::new("/mcp s").unwrap();
    let call = Call {
        session: Some(session.clone()),
        ..call(Operation::Other)
    };
    let of = |principal: &Principal| ledger.facts_here(principal, &call, now).unwrap().session;
    assert_eq!(of(&alice()), Ownership::NotMine);
    ledger.begin_here(&alice(), &session, now).unwrap();
    assert_eq!(
        (of(&alice()), of(&bob)),
        (Ownership::Mine, Ownership::NotMine)
    );
    ledger.end_here(&bob, &session);
    assert_eq!(of(&alice()), Ownership::Mine);
    ledger.end_here(&alice(), &session);
    assert_eq!(of(&alice()), Ownership::NotMine);
    assert!(ledger.is_empty());
}
