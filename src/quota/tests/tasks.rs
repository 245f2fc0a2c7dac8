//! Quotas on tasks: those that were begun, and those that are not finished.

use super::*;
use crate::model::{QuotaUnit, TaskId};
use crate::quota::{LiveTasks, Places};

impl Bench {
    fn send(
        &self,
        quotas: &Quotas,
        who: &Principal,
        begins_task: bool,
    ) -> Result<Admission, Refusal> {
        let send = Action::known(Protocol::A2a, "SendMessage");
        let subject = Subject {
            begins_task,
            ..self.subject(who, &send, SOURCE, 0)
        };
        admitted(quotas.admit(&self.store, permit(), &subject, Turn::default()))
    }
}

fn live(most: u32) -> Quota {
    Quota {
        measure: Measure::LiveTasks(NonZeroU32::new(most).unwrap()),
        ..quota("live", 1, 1, &[Dimension::Tenant])
    }
}

fn task(id: &str) -> TaskId {
    TaskId::new(id).unwrap()
}

#[test]
fn a_quota_on_tasks_counts_what_begins_one_alone() {
    let begun = Quota {
        count: Count::Tasks,
        ..quota("begun", 2, 2, &[Dimension::Tenant])
    };
    let quotas = compile(vec![begun]);
    let (bench, ana) = (Bench::new(100), principal("corp", "ana", "acme"));
    for _ in 0..10 {
        let polled = bench.send(&quotas, &ana, false).unwrap();
        assert!(polled.standings().is_empty());
    }
    let first = bench.send(&quotas, &ana, true).unwrap();
    assert_eq!(first.standings()[0].unit, QuotaUnit::Tasks);
    assert!(bench.send(&quotas, &ana, true).is_ok());
    assert!(bench.send(&quotas, &ana, true).is_err());
    assert!(bench.send(&quotas, &ana, false).is_ok());
}

#[test]
fn a_task_has_its_place_until_it_is_over() {
    let quotas = compile(vec![live(2)]);
    assert!(quotas.count_live_tasks());
    let (bench, ana) = (Bench::new(100), principal("corp", "ana", "acme"));
    let (tasks, now) = (LiveTasks::default(), bench.start);
    for id in ["t1", "t2"] {
        let mut call = bench.send(&quotas, &ana, true).unwrap();
        tasks.begin(&task(id), call.take_places(), now);
        assert!(call.take_places().is_empty(), "they are given once");
    }
    assert_eq!(tasks.len(), 2);
    let refusal = bench.send(&quotas, &ana, true).unwrap_err();
    assert_eq!(refusal.reason, Reason::RateLimited);
    assert_eq!(refusal.standings[0].unit, QuotaUnit::LiveTasks);
    assert!(
        bench.send(&quotas, &ana, false).is_ok(),
        "to look after them is free"
    );
    tasks.hear(&task("t1"), false, now);
    assert!(bench.send(&quotas, &ana, true).is_err());
    tasks.hear(&task("t1"), true, now);
    tasks.hear(&task("t1"), true, now);
    tasks.hear(&task("nobody's"), true, now);
    assert!(bench.send(&quotas, &ana, true).is_ok());
    // A call that begins none gives its place back when it ends.
    for _ in 0..5 {
        drop(bench.send(&quotas, &ana, true).unwrap());
    }
}

#[test]
fn a_task_that_is_live_takes_no_second_place() {
    let quotas = compile(vec![live(2)]);
    let (bench, ana) = (Bench::new(100), principal("corp", "ana", "acme"));
    let (tasks, now) = (LiveTasks::default(), bench.start);
    for _ in 0..5 {
        let mut call = bench.send(&quotas, &ana, true).unwrap();
        tasks.begin(&task("t1"), call.take_places(), now);
    }
    assert_eq!(tasks.len(), 1);
    assert!(bench.send(&quotas, &ana, true).is_ok());
}

#[test]
fn a_task_of_which_nothing_is_heard_for_a_day_is_given_up() {
    let quotas = compile(vec![live(1)]);
    let (bench, ana) = (Bench::new(100), principal("corp", "ana", "acme"));
    let tasks = LiveTasks::default();
    let hours = |hours: u64| bench.start + Duration::from_secs(3600 * hours);
    let mut call = bench.send(&quotas, &ana, true).unwrap();
    tasks.begin(&task("t1"), call.take_places(), hours(0));
    // As when somebody asks for it.
    tasks.begin(&task("t1"), Places::default(), hours(20));
    tasks.forget_silent(hours(30));
    assert!(bench.send(&quotas, &ana, true).is_err());
    tasks.forget_silent(hours(44));
    assert!(bench.send(&quotas, &ana, true).is_ok());
    assert!(tasks.is_empty());
}

/// What happens to tasks, in any order.
#[derive(Debug, Clone)]
enum Step {
    Begin(u8),
    Fail,
    End(u8),
}

proptest! {
    #[test]
    fn never_more_tasks_are_live_than_may_be_and_no_place_is_lost(
        steps in proptest::collection::vec(
            prop_oneof![
                (0u8..12).prop_map(Step::Begin),
                Just(Step::Fail),
                (0u8..12).prop_map(Step::End),
            ],
            0..200,
        ),
        most in 1u32..6,
    ) {
        let quotas = compile(vec![live(most)]);
        let (bench, ana) = (Bench::new(100), principal("corp", "ana", "acme"));
        let (tasks, now) = (LiveTasks::default(), bench.start);
        for step in steps {
            let before = tasks.len();
            match step {
                Step::Begin(id) => match bench.send(&quotas, &ana, true) {
                    Ok(mut call) => {
                        prop_assert!(before < most as usize);
                        tasks.begin(&task(&format!("t{id}")), call.take_places(), now);
                    }
                    Err(_) => prop_assert_eq!(before, most as usize),
                },
                Step::Fail => drop(bench.send(&quotas, &ana, true)),
                Step::End(id) => tasks.hear(&task(&format!("t{id}")), true, now),
            }
            prop_assert!(tasks.len() <= most as usize);
        }
    }
}
