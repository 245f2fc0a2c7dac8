//! Hard callers by the hundred, in time that passes only when all wait.
//!
//! The proxy is the real one, with its deadlines; its connections are pipes in memory, and a seed says what comes
//! on them and when. Minutes of slowness take no time, and the same seed gives the same run.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex, split};
use tokio::task::JoinSet;

use super::*;
use crate::listener;
use crate::proxy::{Front, Versions};

/// Nothing is allowed, so that no call leaves for an agent outside of this time.
const NOBODY: &str = "lictor: v1\nrules:\n  all: { deny: \"http:* /**\" }\n";

/// The longest that a connection may live on after its caller's last act: kept alive, looked at twice, told to
/// go, and lingered for.
const LEFT_ALONE: Duration = Duration::from_secs(75 + 2 * 8 + 30 + 3);

/// What a caller is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Sends what is right, in pieces and with pauses.
    Slow,
    /// Sends what is right, and closes its side.
    HalfClosing,
    /// Goes away in the middle.
    Dying,
    /// Sends request after request, and reads nothing.
    Deaf,
    /// HTTP/2: begins a head, and does not end it.
    OpenHead,
    /// HTTP/2: PING after PING.
    Pinging,
    /// HTTP/2: requests that it cancels at once.
    Resetting,
}

const KINDS: [Kind; 7] = [
    Kind::Slow,
    Kind::HalfClosing,
    Kind::Dying,
    Kind::Deaf,
    Kind::OpenHead,
    Kind::Pinging,
    Kind::Resetting,
];

/// SplitMix64: enough to choose by, and the same everywhere.
struct Choices(u64);

impl Choices {
    fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % most
    }

    fn size(&mut self, most: usize) -> usize {
        1 + usize::try_from(self.below(most as u64)).unwrap()
    }

    /// Mostly short, and now and then longer than a deadline.
    fn pause(&mut self) -> Duration {
        let most = [10, 100, 1000, 50_000][self.size(4) - 1];
        Duration::from_millis(self.below(most))
    }
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = vec![length[1], length[2], length[3], kind, flags];
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// `GET http://a/`, by the static table (RFC 7541, appendix A) but for the host.
const HEAD: &[u8] = b"\x82\x86\x84\x41\x01a";

/// All that a caller would like to send.
fn wishes(kind: Kind, choices: &mut Choices) -> Vec<u8> {
    const GET: &[u8] = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n";
    const POST: &[u8] = b"POST / HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n\
        content-length: 42\r\n\r\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"nothing\"}";
    let mut bytes = Vec::new();
    match kind {
        Kind::Slow | Kind::HalfClosing | Kind::Dying => {
            for _ in 0..choices.size(3) {
                bytes.extend([GET, POST][choices.size(2) - 1]);
            }
        }
        Kind::Deaf => bytes = GET.repeat(40),
        Kind::OpenHead | Kind::Pinging | Kind::Resetting => {
            bytes.extend(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
            bytes.extend(frame(4, 0, 0, &[]));
        }
    }
    match kind {
        Kind::OpenHead => {
            bytes.extend(frame(1, 5, 1, HEAD));
            bytes.extend(frame(1, 1, 3, HEAD));
        }
        Kind::Pinging => bytes.extend(frame(6, 0, 0, &[0; 8]).repeat(3000)),
        Kind::Resetting => {
            for stream in (1..2000).step_by(2) {
                bytes.extend(frame(1, 5, stream, HEAD));
                bytes.extend(frame(3, 0, stream, &8_u32.to_be_bytes()));
            }
        }
        Kind::Slow | Kind::HalfClosing | Kind::Dying | Kind::Deaf => {}
    }
    bytes
}

/// What became of one caller: how long it acted, how long its connection lived, and what it was answered.
#[derive(Debug, PartialEq, Eq)]
struct Fate {
    kind: Kind,
    acted: Duration,
    lived: Duration,
    statuses: Vec<String>,
}

async fn call(front: Front, guard: Guard, mut choices: Choices) -> Fate {
    let begun = clock::now();
    let kind = KINDS[choices.size(KINDS.len()) - 1];
    let (near, far) = duplex(choices.size(4096));
    let connection = tokio::spawn(async move {
        front.simulate(near, guard).await;
        clock::now()
    });
    let (acted, answer) = act(kind, far, &mut choices).await;
    // A caller that has said its last word waits, and does not close.
    let ended = tokio::time::timeout(LEFT_ALONE * 10, connection).await;
    let ended = ended
        .unwrap_or_else(|_| panic!("{kind:?} is never let go"))
        .unwrap();
    Fate {
        kind,
        acted: acted - begun,
        lived: ended - begun,
        statuses: statuses(&answer.await.unwrap()),
    }
}

/// Acts, and gives when the last act was and what there is to read until the end.
async fn act(
    kind: Kind,
    stream: DuplexStream,
    choices: &mut Choices,
) -> (std::time::Instant, JoinHandle<Vec<u8>>) {
    let wishes = wishes(kind, choices);
    let dies_after = choices.size(wishes.len());
    let piece = choices.size(wishes.len());
    let (mut reading, mut writing) = split(stream);
    let (deaf, heard) = tokio::sync::oneshot::channel::<()>();
    let answer = tokio::spawn(async move {
        if kind == Kind::Deaf {
            // Holds its side open, and takes nothing.
            let _never = heard.await;
            return Vec::new();
        }
        let mut answer = Vec::new();
        let _cut = reading.read_to_end(&mut answer).await;
        answer
    });
    let mut sent = 0;
    for bytes in wishes.chunks(piece) {
        if kind == Kind::Dying && sent >= dies_after {
            break;
        }
        // Nobody may wait for a caller that waits for nobody: the write ends with the connection.
        if writing.write_all(bytes).await.is_err() {
            break;
        }
        sent += bytes.len();
        tokio::time::sleep(choices.pause()).await;
    }
    match kind {
        Kind::HalfClosing => writing.shutdown().await.unwrap_or_default(),
        Kind::Dying => answer.abort(),
        _ => {}
    }
    let acted = clock::now();
    let (kept, ended) = (writing, answer);
    let answer = tokio::spawn(async move {
        if kind == Kind::Dying {
            drop(kept);
            return Vec::new();
        }
        if kind == Kind::Deaf {
            tokio::time::sleep(LEFT_ALONE * 11).await;
            drop((kept, deaf));
            return ended.await.unwrap();
        }
        let answer = ended.await.unwrap();
        drop((kept, deaf));
        answer
    });
    (acted, answer)
}

/// The statuses in answers of HTTP/1.
fn statuses(answer: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(answer);
    let answers = text.split("HTTP/1.1 ").skip(1);
    answers
        .map(|answer| answer.chars().take(3).collect())
        .collect()
}

async fn simulate(proxy: Arc<Proxy>, config: Arc<listener::Config>, seed: u64) -> Vec<Fate> {
    const CALLERS: u64 = 12;
    let (_drain, guard) = drain::channel();
    let front = Front {
        proxy,
        name: "public".into(),
        noted: None,
        tls: None,
        versions: Versions::Both,
        config,
    };
    let mut callers = JoinSet::new();
    for caller in 0..CALLERS {
        let choices = Choices(seed * CALLERS + caller);
        let life = call(front.clone(), guard.clone(), choices);
        callers.spawn(async move { (caller, life.await) });
    }
    let mut fates = callers.join_all().await;
    fates.sort_by_key(|(caller, _)| *caller);
    fates.into_iter().map(|(_, fate)| fate).collect()
}

#[test]
fn hard_callers_are_let_go_in_time_and_the_same_seed_tells_the_same() {
    let home = tempfile::tempdir().unwrap();
    let real = tokio::runtime::Runtime::new().unwrap();
    let policies = home.path().join("policy.yaml");
    fs::write(&policies, NOBODY).unwrap();
    let mut operator = Operator::standalone("http://127.0.0.1:9", policies).unwrap();
    operator.set_state_dir(home.path().to_owned());
    operator.public.listener.address = "127.0.0.1:0".parse().unwrap();
    operator.admin.address = "127.0.0.1:0".parse().unwrap();
    let config = Arc::new(operator.public.listener.clone());
    let running = real.block_on(start(operator)).unwrap();
    let run = |seed| {
        let mut paused = tokio::runtime::Builder::new_current_thread();
        let paused = paused.enable_all().start_paused(true).build().unwrap();
        let (proxy, config) = (Arc::clone(&running.proxy), Arc::clone(&config));
        paused.block_on(simulate(proxy, config, seed))
    };
    let mut answered = 0;
    for seed in 0..25 {
        let fates = run(seed);
        assert_eq!(fates, run(seed), "seed {seed}");
        for fate in fates {
            let alone = fate.lived.saturating_sub(fate.acted);
            assert!(alone <= LEFT_ALONE, "seed {seed}: {fate:?}");
            let known = ["400", "403", "408"];
            let strange = fate
                .statuses
                .iter()
                .find(|status| !known.contains(&status.as_str()));
            assert_eq!(strange, None, "seed {seed}: {fate:?}");
            answered += fate.statuses.len();
        }
        assert_eq!(running.proxy.parts().calls.in_flight(), 0, "seed {seed}");
    }
    assert!(answered > 100, "{answered} answers");
    assert_eq!(running.proxy.parts().calls.panics.get(), 0);
    real.block_on(running.stop());
}
