use crate::identity::signature::{MemoryStore, Nonce, Remembered};

fn nonce(text: &str) -> Nonce {
    Nonce::new("desk", "k", text)
}

#[test]
fn a_nonce_counts_once_for_each_key_until_it_could_not_come_again() {
    let store = MemoryStore::default();
    assert_eq!(store.remember(nonce("a"), 190, 100), Remembered::Fresh);
    assert_eq!(store.remember(nonce("a"), 190, 190), Remembered::Used);
    assert_eq!(
        store.remember(Nonce::new("desk", "l", "a"), 190, 100),
        Remembered::Fresh
    );
    assert_eq!(
        store.remember(Nonce::new("other", "k", "a"), 190, 100),
        Remembered::Fresh
    );
    assert_eq!(
        store.remember(Nonce::new("des", "kk", "a"), 190, 100),
        Remembered::Fresh
    );
    assert_eq!(store.len(), 4);
    assert_eq!(store.remember(nonce("a"), 300, 191), Remembered::Fresh);
}

#[test]
fn a_full_memory_refuses_and_forgets_nothing() {
    let store = MemoryStore::with_capacity(64 * 8);
    let mut fresh = Vec::new();
    let mut full = 0;
    for key in 0..20 {
        for number in 0..100 {
            let nonce = Nonce::new("desk", &format!("k{key}"), &number.to_string());
            match store.remember(nonce, 190, 100) {
                Remembered::Fresh => fresh.push(nonce),
                Remembered::Full => full += 1,
                Remembered::Used => panic!("{key} {number} was not used"),
            }
        }
    }
    assert!(full > 0 && store.len() <= 64 * 8, "{full} {}", store.len());
    for nonce in &fresh {
        assert_eq!(store.remember(*nonce, 190, 100), Remembered::Used);
    }
    // What could not come again makes room.
    assert_eq!(store.remember(nonce("later"), 300, 191), Remembered::Fresh);
    assert!(store.len() < fresh.len());
}

#[test]
fn one_key_cannot_take_all_the_room() {
    let store = MemoryStore::with_capacity(64 * 8);
    for number in 0..10_000 {
        store.remember(nonce(&number.to_string()), 190, 100);
    }
    assert!(store.len() <= 64 * 4, "{}", store.len());
    let other = (0..100).map(|number| Nonce::new("desk", "other", &number.to_string()));
    let fresh = other.filter(|nonce| store.remember(*nonce, 190, 100) == Remembered::Fresh);
    assert_eq!(fresh.count(), 100);
}

#[test]
fn of_many_who_send_one_nonce_at_once_one_is_first() {
    let store = MemoryStore::default();
    let fresh: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let remember =
                        |number: u32| store.remember(nonce(&number.to_string()), 190, 100);
                    (0..2000)
                        .filter(|number| remember(*number) == Remembered::Fresh)
                        .count()
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
fn what_was_made_before_the_memory_began_is_not_covered_by_it() {
    let store = MemoryStore::since(1_800_000_000);
    assert!(!store.covers(1_799_999_999));
    assert!(store.covers(1_800_000_000));
    assert!(MemoryStore::default().covers(0));
}
