//! Calls at the same time, and lines.

use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use super::*;
use crate::model::QuotaUnit;
use crate::quota::config::Line;
use crate::quota::{Admitted, Queued, Turn};

fn gate(name: &str, most: u32, line: u32, per: &[Dimension]) -> Quota {
    Quota {
        measure: Measure::Concurrent {
            most: NonZeroU32::new(most).unwrap(),
            line: NonZeroU32::new(line).map(|most| Line {
                most,
                time: Duration::from_secs(2),
            }),
        },
        ..quota(name, 1, 1, per)
    }
}

/// Counts how often it wakes.
#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

type Turning = Pin<Box<dyn Future<Output = (Permit, Turn)> + Send>>;

/// A call in line.
struct Caller {
    turning: Turning,
    woken: Arc<Woken>,
}

impl Caller {
    fn new(queued: Queued) -> Self {
        let mut caller = Self {
            turning: Box::pin(queued.turn()),
            woken: Arc::default(),
        };
        assert!(caller.poll().is_none(), "there is a line");
        caller
    }

    fn poll(&mut self) -> Option<(Permit, Turn)> {
        let waker = Waker::from(Arc::clone(&self.woken));
        match self.turning.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(turn) => Some(turn),
            Poll::Pending => None,
        }
    }

    fn wakes(&self) -> usize {
        self.woken.0.load(Ordering::Relaxed)
    }
}

impl Bench {
    fn ask(
        &self,
        quotas: &Quotas,
        who: &Principal,
        (permit, turn): (Permit, Turn),
    ) -> Result<Admitted, Refusal> {
        let action = action("SendMessage", None);
        quotas.admit(
            &self.store,
            permit,
            &self.subject(who, &action, SOURCE, 0),
            turn,
        )
    }

    fn enter(&self, quotas: &Quotas, who: &Principal) -> Result<Admitted, Refusal> {
        self.ask(quotas, who, (permit(), Turn::default()))
    }

    fn run(&self, quotas: &Quotas, who: &Principal) -> Admission {
        let Ok(Admitted::Now(admission)) = self.enter(quotas, who) else {
            panic!("there is a place")
        };
        admission
    }

    fn line_up(&self, quotas: &Quotas, who: &Principal) -> Caller {
        let Ok(Admitted::Queued(queued)) = self.enter(quotas, who) else {
            panic!("there is a place in line, and none at the agent")
        };
        Caller::new(queued)
    }

    fn turn(&self, quotas: &Quotas, who: &Principal, caller: &mut Caller) -> Admission {
        let turn = caller.poll().expect("its turn has come");
        match self.ask(quotas, who, turn) {
            Ok(Admitted::Now(admission)) => admission,
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_place_is_free_when_its_call_has_ended() {
    let quotas = compile(vec![gate("q", 2, 0, &[Dimension::Principal])]);
    let (bench, ana) = (Bench::new(100), principal("corp", "ana", "acme"));
    let first = bench.run(&quotas, &ana);
    let standing = &first.standings()[0];
    assert_eq!((standing.limit, standing.remaining), (2, 1));
    assert_eq!((standing.window, standing.reset), (None, None));
    assert_eq!(standing.unit, QuotaUnit::ConcurrentRequests);
    let _second = bench.run(&quotas, &ana);
    let refusal = bench.enter(&quotas, &ana).unwrap_err();
    assert_eq!(refusal.reason, Reason::RateLimited);
    assert_eq!(refusal.retry_after, Some(Duration::from_secs(1)));
    assert!(refusal.detail.unwrap().contains("no place free"));
    let bob = principal("corp", "bob", "acme");
    let _other = bench.run(&quotas, &bob);
    drop(first);
    let _third = bench.run(&quotas, &ana);
    assert!(bench.enter(&quotas, &ana).is_err());
}

#[test]
fn nothing_is_remembered_of_a_gate_without_calls() {
    let quotas = compile(vec![gate("q", 2, 2, &[Dimension::Principal])]);
    let (bench, ana) = (Bench::new(100), principal("corp", "ana", "acme"));
    let running = [bench.run(&quotas, &ana), bench.run(&quotas, &ana)];
    let waiting = bench.line_up(&quotas, &ana);
    assert_eq!(bench.store.len(), 1);
    drop(running);
    assert_eq!(bench.store.len(), 1, "a place was handed over");
    drop(waiting);
    assert!(bench.store.is_empty());
}

#[test]
fn places_go_to_whoever_waits_longest_and_to_nobody_who_comes_by() {
    let quotas = compile(vec![gate("q", 1, 3, &[Dimension::Principal])]);
    let (bench, ana) = (Bench::new(100), principal("corp", "ana", "acme"));
    let mut running = bench.run(&quotas, &ana);
    let mut line: Vec<_> = (0..3).map(|_| bench.line_up(&quotas, &ana)).collect();
    let refusal = bench.enter(&quotas, &ana).unwrap_err();
    assert_eq!(refusal.reason, Reason::RateLimited, "the line is full");
    for served in 0..3 {
        drop(running);
        let wakes: Vec<_> = line.iter().map(Caller::wakes).collect();
        let expected: Vec<_> = (0..3).map(|n| usize::from(n <= served)).collect();
        assert_eq!(wakes, expected, "one is woken, the next");
        // Somebody comes by, and lines up behind the others or, at the end, is alone in line.
        let passing = bench.line_up(&quotas, &ana);
        running = bench.turn(&quotas, &ana, &mut line[served]);
        drop(passing);
    }
    assert!(bench.enter(&quotas, &ana).is_ok(), "there is a line again");
}

#[test]
fn whoever_gives_up_leaves_no_trace() {
    let quotas = compile(vec![gate("q", 1, 8, &[Dimension::Principal])]);
    let (bench, ana) = (Bench::new(100), principal("corp", "ana", "acme"));
    let running = bench.run(&quotas, &ana);
    let [gives_up, handed, mut last] = [(); 3].map(|()| bench.line_up(&quotas, &ana));
    drop(gives_up);
    drop(running);
    // The place was handed over to one that does not come for it.
    assert_eq!((handed.wakes(), last.wakes()), (1, 0));
    drop(handed);
    assert_eq!(last.wakes(), 1);
    let running = bench.turn(&quotas, &ana, &mut last);
    drop(running);
    assert!(bench.store.is_empty());
}

#[test]
fn a_refusal_by_another_quota_gives_the_place_to_the_next() {
    let quotas = compile(vec![
        gate("parallel", 1, 8, &[Dimension::Tenant]),
        quota("rate", 1, 2, &[Dimension::Principal]),
    ]);
    let bench = Bench::new(100);
    let (ana, bob) = (
        principal("corp", "ana", "acme"),
        principal("corp", "bob", "acme"),
    );
    let running = bench.run(&quotas, &ana);
    // Both fit in what is left of ana's rate when they come, and only one of them when it runs.
    let mut line = [(); 2].map(|()| bench.line_up(&quotas, &ana));
    let mut bobs = bench.line_up(&quotas, &bob);
    drop(running);
    let running = bench.turn(&quotas, &ana, &mut line[0]);
    drop(running);
    let turn = line[1].poll().expect("its turn has come");
    let refusal = bench.ask(&quotas, &ana, turn).unwrap_err();
    assert_eq!(&*refusal.rule.unwrap().name, "rate");
    let _running = bench.turn(&quotas, &bob, &mut bobs);
    // And a call that its rate does not let pass is not lined up.
    assert!(bench.enter(&quotas, &ana).is_err());
}

#[test]
fn a_call_in_the_wide_line_holds_its_place_in_the_narrow_one() {
    let quotas = compile(vec![
        gate("narrow", 2, 0, &[Dimension::Principal]),
        gate("wide", 1, 8, &[Dimension::Tenant]),
    ]);
    let bench = Bench::new(100);
    let (ana, bob) = (
        principal("corp", "ana", "acme"),
        principal("corp", "bob", "acme"),
    );
    let running = bench.run(&quotas, &bob);
    let mut line = [(); 2].map(|()| bench.line_up(&quotas, &ana));
    let refusal = bench.enter(&quotas, &ana).unwrap_err();
    assert_eq!(&*refusal.rule.unwrap().name, "narrow");
    drop(running);
    for caller in &mut line {
        drop(bench.turn(&quotas, &ana, caller));
    }
    drop(line);
    assert!(bench.store.is_empty());
}

#[test]
fn a_raised_limit_lets_in_who_is_in_line_and_a_lowered_one_nobody() {
    let per = [Dimension::Principal];
    let (bench, ana) = (Bench::new(100), principal("corp", "ana", "acme"));
    let one = compile(vec![gate("q", 1, 8, &per)]);
    let first = bench.run(&one, &ana);
    let mut line = [(); 3].map(|()| bench.line_up(&one, &ana));
    let three = compile(vec![gate("q", 3, 8, &per)]);
    // It lines up behind them: two of the places are free, and theirs.
    let fourth = bench.line_up(&three, &ana);
    assert_eq!(line.each_ref().map(Caller::wakes), [1, 1, 0]);
    let [second, third] = [0, 1].map(|index| bench.turn(&three, &ana, &mut line[index]));
    let again = compile(vec![gate("q", 1, 1, &per)]);
    assert!(bench.enter(&again, &ana).is_err());
    drop((first, second));
    assert_eq!(line[2].wakes(), 0, "one still runs");
    drop(third);
    assert_eq!(line[2].wakes(), 1);
    drop((line, fourth));
    assert!(bench.store.is_empty());
}

#[test]
fn in_shadow_mode_nobody_waits() {
    let watched = Quota {
        mode: crate::model::Mode::Shadow,
        ..gate("q", 1, 8, &[Dimension::Principal])
    };
    let quotas = compile(vec![watched]);
    let (bench, ana) = (Bench::new(100), principal("corp", "ana", "acme"));
    let first = bench.run(&quotas, &ana);
    let second = bench.run(&quotas, &ana);
    assert!(first.shadow().is_none() && second.shadow().is_some());
    drop((first, second));
    assert!(bench.store.is_empty());
}

#[test]
fn threads_never_run_more_than_may_and_leave_nothing() {
    let quotas = compile(vec![
        gate("narrow", 2, 100, &[Dimension::Principal]),
        gate("wide", 3, 100, &[Dimension::Tenant]),
    ]);
    let bench = Bench::new(1000);
    let (running, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for n in 0..8 {
            let (bench, quotas, running, most) = (&bench, &quotas, &running, &most);
            scope.spawn(move || {
                let who = principal("corp", &format!("c{}", n % 3), "acme");
                for round in 0..60 {
                    let mut turn = (permit(), Turn::default());
                    let admission = loop {
                        match bench.ask(quotas, &who, turn).unwrap() {
                            Admitted::Now(admission) => break Some(admission),
                            // Some give up, with whatever they were handed meanwhile.
                            Admitted::Queued(queued) if (round + n) % 5 == 0 => {
                                drop(queued);
                                break None;
                            }
                            Admitted::Queued(queued) => turn = block_on(queued.turn()),
                        }
                    };
                    if let Some(admission) = admission {
                        let now = running.fetch_add(1, Ordering::SeqCst) + 1;
                        most.fetch_max(now, Ordering::SeqCst);
                        std::thread::yield_now();
                        running.fetch_sub(1, Ordering::SeqCst);
                        drop(admission);
                    }
                }
            });
        }
    });
    assert!((2..=3).contains(&most.into_inner()));
    assert!(bench.store.is_empty());
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(std::thread::Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(value) => return value,
            Poll::Pending => std::thread::park(),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// Calls come, end, give up and take their turn in any order: never more run than may, those in line are served in
    /// the order in which they came, and when all are gone nothing is left.
    #[test]
    fn a_gate_is_fair_and_forgets(
        most in 1u32..4,
        line in 0u32..5,
        steps in prop::collection::vec((0u8..4, 0usize..8), 1..120),
    ) {
        let quotas = compile(vec![gate("q", most, line, &[Dimension::Principal])]);
        let (bench, ana) = (Bench::new(100), principal("corp", "ana", "acme"));
        let (mut running, mut waiting) = (Vec::new(), Vec::<Caller>::new());
        for (step, index) in steps {
            let woken = waiting.iter().filter(|caller| caller.wakes() > 0).count();
            let in_line = waiting.len() - woken;
            // Who was woken holds a place.
            prop_assert!(running.len() + woken <= most as usize && in_line <= line as usize);
            prop_assert!(in_line == 0 || running.len() + woken == most as usize);
            // Those who were woken are those who came first.
            prop_assert!(waiting.iter().take(woken).all(|caller| caller.wakes() == 1));
            match step {
                0 => match bench.enter(&quotas, &ana) {
                    Ok(Admitted::Now(admission)) => running.push(admission),
                    Ok(Admitted::Queued(queued)) => waiting.push(Caller::new(queued)),
                    Err(_) => prop_assert!(
                        running.len() + woken == most as usize && in_line == line as usize
                    ),
                },
                1 if !running.is_empty() => drop(running.swap_remove(index % running.len())),
                2 if !waiting.is_empty() => drop(waiting.remove(index % waiting.len())),
                3 if woken > 0 => {
                    let mut caller = waiting.remove(index % woken);
                    running.push(bench.turn(&quotas, &ana, &mut caller));
                }
                _ => {}
            }
        }
        drop((running, waiting));
        prop_assert!(bench.store.is_empty());
    }
}
