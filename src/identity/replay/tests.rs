use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;

use super::{Mark, Memory, Once, OwnMemory, Remembered, Remembering, ReplayError, SharedMemory};

fn nonce(text: &str) -> Mark {
    Mark::of_nonce("desk", "k", text)
}

/// Made at 100 s, and good until 190 s.
fn once(mark: Mark) -> Once {
    Once {
        mark,
        made: 100,
        until: 190_000,
    }
}

#[test]
fn a_nonce_counts_once_for_each_key_until_it_could_not_come_again() {
    let memory = OwnMemory::default();
    assert_eq!(memory.take(once(nonce("a")), 100_000), Ok(()));
    assert_eq!(
        memory.take(once(nonce("a")), 189_999),
        Err(ReplayError::Used)
    );
    for other in [
        Mark::of_nonce("desk", "l", "a"),
        Mark::of_nonce("other", "k", "a"),
        Mark::of_nonce("des", "kk", "a"),
        Mark::of_proof(&[1; 32], "a"),
        Mark::of_proof(&[2; 32], "a"),
        Mark::of_proof(&[2; 32], "b"),
    ] {
        assert_eq!(memory.take(once(other), 100_000), Ok(()), "{other}");
    }
    assert_eq!(memory.len(), 7);
    let later = Once {
        until: 300_000,
        ..once(nonce("a"))
    };
    assert_eq!(memory.take(later, 190_000), Ok(()));
}

#[test]
fn a_full_memory_refuses_and_forgets_nothing() {
    let memory = OwnMemory::with_capacity(64 * 8);
    let mut fresh = Vec::new();
    let mut full = 0;
    for key in 0..20 {
        for number in 0..100 {
            let mark = Mark::of_nonce("desk", &format!("k{key}"), &number.to_string());
            match memory.take(once(mark), 100_000) {
                Ok(()) => fresh.push(mark),
                Err(ReplayError::Full) => full += 1,
                Err(other) => panic!("{key} {number}: {other}"),
            }
        }
    }
    assert!(
        full > 0 && memory.len() <= 64 * 8,
        "{full} {}",
        memory.len()
    );
    for mark in &fresh {
        let again = memory.take(once(*mark), 100_000);
        assert_eq!(again, Err(ReplayError::Used));
    }
    // What could not come again makes room.
    let later = Once {
        until: 300_000,
        ..once(nonce("later"))
    };
    assert_eq!(memory.take(later, 190_000), Ok(()));
    assert!(memory.len() < fresh.len());
}

#[test]
fn one_key_cannot_take_all_the_room() {
    let memory = OwnMemory::with_capacity(64 * 8);
    for number in 0..10_000 {
        let _fresh_or_full = memory.take(once(nonce(&number.to_string())), 100_000);
    }
    assert!(memory.len() <= 64 * 4, "{}", memory.len());
    let other = (0..100).map(|number| Mark::of_nonce("desk", "other", &number.to_string()));
    let fresh = other.filter(|mark| memory.take(once(*mark), 100_000).is_ok());
    assert_eq!(fresh.count(), 100);
}

#[test]
fn of_many_who_send_one_nonce_at_once_one_is_first() {
    let memory = OwnMemory::default();
    let fresh: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let take = |number: u32| memory.take(once(nonce(&number.to_string())), 100_000);
                    (0..2000).filter(|number| take(*number).is_ok()).count()
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .sum()
    });
    assert_eq!(fresh, 2000);
}

#[test]
fn what_was_made_before_the_memory_began_does_not_count() {
    let memory = OwnMemory::since(100);
    let before = Once {
        made: 99,
        ..once(nonce("a"))
    };
    assert_eq!(memory.take(before, 100_000), Err(ReplayError::BeforeStart));
    assert_eq!(memory.take(once(nonce("a")), 100_000), Ok(()));
}

/// Says what it is told to, and remembers what it was asked.
#[derive(Debug)]
struct Scripted {
    answer: Result<Remembered, Box<str>>,
    asked: Mutex<Vec<(Mark, Duration)>>,
}

impl SharedMemory for Scripted {
    fn name(&self) -> &'static str {
        "scripted"
    }

    fn remember(&self, mark: Mark, keep: Duration) -> Remembering<'_> {
        self.asked.lock().unwrap().push((mark, keep));
        let answer = self.answer.clone();
        Box::pin(async move { answer })
    }
}

#[tokio::test]
async fn a_shared_memory_is_asked_and_in_doubt_nothing_counts() {
    let now = Timestamp::from_second(100).unwrap();
    let cases = [
        (Ok(Remembered::Fresh { since: 100 }), Ok(())),
        (
            Ok(Remembered::Fresh { since: 101 }),
            Err(ReplayError::BeforeStart),
        ),
        (Ok(Remembered::Used), Err(ReplayError::Used)),
        (
            Err(Box::from("it is away")),
            Err(ReplayError::Unavailable("it is away".into())),
        ),
    ];
    for (answer, expected) in cases {
        let scripted = Arc::new(Scripted {
            answer,
            asked: Mutex::default(),
        });
        let shared = Arc::clone(&scripted);
        let memory = Memory::shared(shared);
        assert_eq!(memory.take(once(nonce("a")), now).await, expected);
        // For as long as it could be accepted, and for slower clocks.
        let asked = scripted.asked.lock().unwrap();
        assert_eq!(*asked, [(nonce("a"), Duration::from_secs(120))]);
    }
}

#[test]
fn a_mark_is_written_in_hexadecimal_digits() {
    let text = nonce("a").to_string();
    assert_eq!(text.len(), 32);
    assert!(text.bytes().all(|byte| byte.is_ascii_hexdigit()));
}
