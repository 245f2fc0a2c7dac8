//! What outlives the process.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::tests::{alice, call, get, ledger, now, principal, send, task};
use super::*;
use crate::clock;
use crate::model::SessionId;
use crate::telemetry::Registry;

const AGENT: &str = "agent:9000";

struct Stage {
    folder: tempfile::TempDir,
}

impl Stage {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { folder }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("ledger.journal")
    }

    fn lines(&self) -> Vec<String> {
        let text = fs::read_to_string(self.path()).unwrap();
        text.lines().skip(1).map(str::to_owned).collect()
    }

    /// The ledger of a process that begins at this moment.
    fn begin(&self, entries: usize, at: Instant) -> (Ledger, Journal, usize) {
        let (journal, claims) = open(self.folder.path()).unwrap();
        let wall = clock::wall().as_second();
        let (ledger, left_out) =
            ledger(entries, entries).kept_in(&journal, AGENT, &claims, (at, wall));
        (ledger, journal, left_out)
    }
}

fn open(folder: &Path) -> Result<(Journal, Vec<Claim>), JournalError> {
    Journal::open(folder, Metrics::new(&Registry::new().unwrap()).unwrap())
}

async fn end(ledger: Ledger, journal: Journal) {
    assert!(journal.shutdown(Duration::from_secs(5)).await);
    drop((ledger, journal));
}

fn owned(ledger: &Ledger, principal: &Principal, call: &Call, at: Instant) -> Facts {
    ledger.facts_here(principal, call, at).unwrap()
}

#[tokio::test]
async fn owners_are_known_after_a_restart_and_nobody_else_is_one() {
    let (stage, at) = (Stage::new(), now());
    let bob = principal("corp", "bob \"\\ü", "acme");
    let session = SessionId::new("s /mcp").unwrap();
    let (ledger, journal, _) = stage.begin(10, at);
    ledger
        .learn_here(&alice(), Some(&task("t")), None, at)
        .unwrap();
    ledger
        .learn_here(&bob, Some(&task("u\"")), None, at)
        .unwrap();
    ledger.begin_here(&bob, &session, at).unwrap();
    let chosen = send("c");
    let facts = owned(&ledger, &alice(), &chosen, at);
    ledger.confirm_here(&alice(), &chosen, &facts, at);
    // Refused, so that it is nobody's.
    let refused = send("d");
    let facts = owned(&ledger, &alice(), &refused, at);
    ledger.release(&alice(), &refused, &facts);
    end(ledger, journal).await;
    assert_eq!(stage.lines().len(), 4, "{:?}", stage.lines());
    let mode = fs::metadata(stage.path()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    let (ledger, journal, left_out) = stage.begin(10, at);
    assert_eq!((ledger.len(), left_out), (4, 0));
    let task_of = |who: &Principal, id: &str| owned(&ledger, who, &get(id), at).task;
    assert_eq!(task_of(&alice(), "t"), Ownership::Mine);
    assert_eq!(task_of(&bob, "t"), Ownership::NotMine);
    assert_eq!(task_of(&bob, "u\""), Ownership::Mine);
    assert_eq!(task_of(&alice(), "u\""), Ownership::NotMine);
    assert_eq!(
        owned(&ledger, &bob, &chosen, at).context,
        Ownership::NotMine
    );
    assert_eq!(
        owned(&ledger, &alice(), &chosen, at).context,
        Ownership::Mine
    );
    let in_session = Call {
        session: Some(session),
        ..call(Operation::GetTask)
    };
    assert_eq!(
        owned(&ledger, &bob, &in_session, at).session,
        Ownership::Mine
    );
    let foreign = owned(&ledger, &alice(), &in_session, at).session;
    assert_eq!(foreign, Ownership::NotMine);
    // A refused call does not end what was kept.
    let facts = owned(&ledger, &alice(), &chosen, at);
    ledger.release(&alice(), &chosen, &facts);
    assert_eq!(
        owned(&ledger, &bob, &chosen, at).context,
        Ownership::NotMine
    );
    end(ledger, journal).await;

    // Another agent's ids are others.
    let (journal, claims) = open(stage.folder.path()).unwrap();
    let other = tests::ledger(10, 10).kept_in(&journal, "other:9000", &claims, (at, 0));
    assert!(other.0.is_empty());
}

#[tokio::test]
async fn a_session_that_has_ended_is_nobodys_after_a_restart() {
    let (stage, at) = (Stage::new(), now());
    let session = SessionId::new("s /mcp").unwrap();
    let (ledger, journal, _) = stage.begin(10, at);
    ledger.begin_here(&alice(), &session, at).unwrap();
    end(ledger, journal).await;
    let (ledger, journal, _) = stage.begin(10, at);
    assert_eq!(ledger.len(), 1);
    ledger.end_here(&alice(), &session);
    end(ledger, journal).await;
    let (ledger, _journal, _) = stage.begin(10, at);
    assert!(ledger.is_empty());
}

#[tokio::test]
async fn an_owner_is_written_again_when_a_part_of_its_time_has_passed() {
    let (stage, at) = (Stage::new(), now());
    let (ledger, journal, _) = stage.begin(10, at);
    ledger
        .learn_here(&alice(), Some(&task("t")), None, at)
        .unwrap();
    for seconds in [0, 1, 2, 3, 4, 5] {
        let later = at + Duration::from_secs(seconds);
        owned(&ledger, &alice(), &get("t"), later);
    }
    end(ledger, journal).await;
    // 60 s of memory: each 2.5 s.
    assert_eq!(stage.lines().len(), 2, "{:?}", stage.lines());
}

#[tokio::test]
async fn bounds_hold_at_a_start_and_what_has_expired_is_left_out() {
    let (stage, at) = (Stage::new(), now());
    let (ledger, journal, _) = stage.begin(10, at);
    for n in 0..10 {
        let id = task(&format!("t{n}"));
        ledger.learn_here(&alice(), Some(&id), None, at).unwrap();
    }
    end(ledger, journal).await;
    let (ledger, journal, left_out) = stage.begin(4, at);
    assert_eq!((ledger.len(), left_out), (4, 6));
    end(ledger, journal).await;
    let text = fs::read_to_string(stage.path()).unwrap();
    let until = clock::wall().as_second() - 1;
    let expired = text.lines().map(|line| match line.rsplit_once(",\"") {
        Some((line, agent)) if line.contains("corp") => {
            let (line, _) = line.rsplit_once(',').unwrap();
            format!("{line},{until},\"{agent}\n")
        }
        _ => format!("{line}\n"),
    });
    fs::write(stage.path(), expired.collect::<String>()).unwrap();
    let (ledger, _journal, left_out) = stage.begin(4, at);
    assert_eq!((ledger.len(), left_out), (0, 0));
}

#[tokio::test]
async fn a_torn_last_line_is_no_line_and_the_next_takes_its_place() {
    let (stage, at) = (Stage::new(), now());
    let (ledger, journal, _) = stage.begin(10, at);
    for id in ["t", "u"] {
        ledger
            .learn_here(&alice(), Some(&task(id)), None, at)
            .unwrap();
    }
    end(ledger, journal).await;
    let whole = fs::read(stage.path()).unwrap();
    for cut in 1..whole.len() {
        fs::write(stage.path(), &whole[..whole.len() - cut]).unwrap();
        let (ledger, journal, _) = stage.begin(10, at);
        let kept = whole[..whole.len() - cut].split(|byte| *byte == b'\n');
        let kept = kept.count().saturating_sub(2);
        assert_eq!(ledger.len(), kept, "{cut}");
        ledger
            .learn_here(&alice(), Some(&task("v")), None, at)
            .unwrap();
        end(ledger, journal).await;
        assert_eq!(stage.lines().len(), kept + 1, "{cut}");
    }
}

#[tokio::test]
async fn another_file_stops_the_start_and_says_what_to_do() {
    let stage = Stage::new();
    for (text, words) in [
        (
            "{\"id\": 1}\n",
            "is no ledger that this lictor can read; move it away",
        ),
        ("something", "is no ledger that this lictor can read"),
        (
            "[\"lictor-ledger\",2]\n",
            "is no ledger that this lictor can read",
        ),
        ("[\"lictor-ledger\",1]\n[\"task\",\"t\"]\n", "line 2 of `"),
        (
            "[\"lictor-ledger\",1]\n[\"task\",\"t\",\"corp\",\"\",\"acme\",1,\"a\"]\n",
            "is no line of a ledger; mend it, or move the file away",
        ),
    ] {
        fs::write(stage.path(), text).unwrap();
        let error = open(stage.folder.path()).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
        assert_eq!(fs::read_to_string(stage.path()).unwrap(), text);
    }
    fs::remove_file(stage.path()).unwrap();
    let _held = open(stage.folder.path()).unwrap();
    let error = open(stage.folder.path()).unwrap_err().to_string();
    assert!(
        error.contains("is in use by another process; give each"),
        "{error}"
    );
    fs::create_dir(stage.folder.path().join("other")).unwrap();
    fs::create_dir(stage.folder.path().join("other/ledger.journal")).unwrap();
    let error = open(&stage.folder.path().join("other")).unwrap_err();
    assert!(
        error.to_string().contains("set `stateDir` to a folder"),
        "{error}"
    );
}

#[tokio::test]
async fn a_file_that_is_mostly_dead_is_written_anew() {
    let (stage, at) = (Stage::new(), now());
    let (ledger, journal, _) = stage.begin(10, at);
    let mut at = at;
    for n in 0..30_000 {
        at += Duration::from_secs(3);
        ledger
            .learn_here(&alice(), Some(&task("t")), None, at)
            .unwrap();
        // As a disk that keeps up.
        if n % 1000 == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    let bob = principal("corp", "bob", "acme");
    ledger.learn_here(&bob, Some(&task("u")), None, at).unwrap();
    end(ledger, journal).await;
    let lines = stage.lines().len();
    assert!(lines < 20_003, "{lines}");
    let mode = fs::metadata(stage.path()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let (ledger, _journal, _) = stage.begin(10, at);
    assert_eq!(ledger.len(), 2);
}

#[tokio::test]
async fn what_has_no_place_in_the_queue_is_counted_and_tried_again() {
    let (stage, at) = (Stage::new(), now());
    let (journal, _) = open(stage.folder.path()).unwrap();
    let pen = journal::Pen {
        journal: journal.clone(),
        agent: AGENT.into(),
        kind: Kind::Task,
    };
    let owner = owner::Owner::new(&alice());
    let sent =
        (0..200_000).filter(|n| pen.keep(&n.to_string(), &owner, at + Duration::from_secs(60)));
    let sent = sent.count();
    assert!(journal.shutdown(Duration::from_secs(20)).await);
    assert_eq!(stage.lines().len(), sent);
    // The writer is gone.
    assert!(!pen.keep("late", &owner, at + Duration::from_secs(60)));
}
