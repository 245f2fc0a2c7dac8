//! What the fuzzer calls: the same bytes read in two cuttings, and by hyper, which is more lenient.

use std::convert::Infallible;
use std::io;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf, Bytes};
use http::{Method, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::Body;
use super::connection::{Config, Reply, Service, serve};
use super::error::HeadError;
use super::head::HeadLimits;
use crate::drain;

/// Reads the bytes of a connection as we do and as hyper does.
///
/// # Panics
/// When we take something for a request that hyper does not take for the same one, or end where hyper goes
/// on without having refused anything.
#[doc(hidden)]
pub fn fuzz_framing(data: &[u8]) {
    let Some((ours, theirs)) = run(async { (ours(data, usize::MAX).await, theirs(data).await) })
    else {
        return;
    };
    for (index, request) in ours.requests.iter().enumerate() {
        // hyper makes a tunnel of whatever follows.
        if request.head.method() == Method::CONNECT {
            return;
        }
        let same = theirs.get(index);
        let same = same.map(|same| (fields(same), same.is_whole, same.head.body()));
        if !request.is_whole {
            assert_eq!(
                same.map(|same| same.0),
                Some(fields(request)),
                "the last head"
            );
            return;
        }
        let body = request.head.body();
        assert_eq!(same, Some((fields(request), true, body)), "request {index}");
    }
    assert!(
        ours.is_refused || ours.requests.len() == theirs.len(),
        "we have ended before {:?}",
        theirs.get(ours.requests.len())
    );
}

/// Reads the bytes of a connection at once and in pieces. The first byte says how large they are.
///
/// # Panics
/// When the cutting makes a difference.
#[doc(hidden)]
pub fn fuzz_cuts(data: &[u8]) {
    let Some((seed, data)) = data.split_first() else {
        return;
    };
    let size = usize::from(seed % 32) + 1;
    let Some((whole, pieces)) =
        run(async { (ours(data, usize::MAX).await, ours(data, size).await) })
    else {
        return;
    };
    assert_eq!(whole.is_refused, pieces.is_refused, "refused");
    assert_eq!(whole.requests.len(), pieces.requests.len(), "requests");
    for (whole, pieces) in whole.requests.iter().zip(&pieces.requests) {
        assert_eq!(fields(whole), fields(pieces));
        assert_eq!(whole.is_whole, pieces.is_whole);
        let (whole_body, pieces_body) = (whole.head.body(), pieces.head.body());
        if whole.is_whole {
            assert_eq!(whole_body, pieces_body);
        } else {
            // How much of a body is given before its fault is found is a matter of the cutting.
            assert!(whole_body.starts_with(pieces_body) || pieces_body.starts_with(whole_body));
        }
    }
}

/// The requests that we read out of the bytes, if all of it are whole requests.
#[doc(hidden)]
pub fn fuzz_read(data: &[u8]) -> Option<Vec<Request<Bytes>>> {
    let ours = run(ours(data, usize::MAX))?;
    let are_whole = !ours.is_refused && ours.requests.iter().all(|request| request.is_whole);
    are_whole.then(|| {
        ours.requests
            .into_iter()
            .map(|request| request.head)
            .collect()
    })
}

/// Runs it to its end; there is nothing outside that it could wait for.
fn run<T>(reading: impl Future<Output = T>) -> Option<T> {
    thread_local! {
        static RUNTIME: Option<tokio::runtime::Runtime> =
            tokio::runtime::Builder::new_current_thread().enable_time().build().ok();
    }
    RUNTIME.with(|runtime| Some(runtime.as_ref()?.block_on(reading)))
}

/// A request as its reader saw it.
#[derive(Debug, Clone)]
struct Seen {
    /// With as much of the body as came.
    head: Request<Bytes>,
    is_whole: bool,
}

/// What is compared of a head: method, target, version and fields.
fn fields(seen: &Seen) -> (String, Vec<(&str, &[u8])>) {
    let head = &seen.head;
    let line = format!("{} {} {:?}", head.method(), head.uri(), head.version());
    let mut fields: Vec<_> = head
        .headers()
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_bytes()))
        .collect();
    fields.sort_unstable();
    (line, fields)
}

async fn see<B: http_body::Body<Data = Bytes>>(request: Request<B>) -> Seen {
    let (parts, body) = request.into_parts();
    let mut body = pin!(body);
    let (mut bytes, mut is_whole) = (Vec::new(), true);
    while let Some(frame) = body.frame().await {
        match frame {
            Ok(frame) => bytes.extend(frame.into_data().unwrap_or_default()),
            Err(_) => {
                is_whole = false;
                break;
            }
        }
    }
    Seen {
        head: Request::from_parts(parts, bytes.into()),
        is_whole,
    }
}

/// What came of the bytes.
#[derive(Debug, Default)]
struct Seens {
    requests: Vec<Seen>,
    is_refused: bool,
}

/// Writes down what is asked.
#[derive(Default)]
struct Recorder {
    seen: Mutex<Seens>,
}

impl Recorder {
    fn note(&self, note: impl FnOnce(&mut Seens)) {
        note(&mut self.seen.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Service for Recorder {
    type Body = Full<Bytes>;
    type Switch = Infallible;

    async fn call(&self, request: Request<Body>) -> Reply<Self::Body, Infallible> {
        let request = see(request).await;
        self.note(|seen| seen.requests.push(request));
        Reply::Response(Response::default())
    }

    fn refuse(&self, _: HeadError) -> Response<Bytes> {
        self.note(|seen| seen.is_refused = true);
        Response::default()
    }
}

async fn ours(data: &[u8], most: usize) -> Seens {
    let mut tape = Tape::new(data, most);
    let recorder = Recorder::default();
    let (_drain, guard) = drain::channel();
    serve(&mut tape, &recorder, CONFIG, guard).await;
    recorder
        .seen
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner)
}

async fn theirs(data: &[u8]) -> Vec<Seen> {
    let all = Arc::new(Mutex::new(Vec::new()));
    let service = service_fn(|request| {
        let all = Arc::clone(&all);
        async move {
            let request = see(request).await;
            all.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(request);
            Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
        }
    });
    let tape = TokioIo::new(Tape::new(data, usize::MAX));
    let connection = http1::Builder::new()
        .half_close(true)
        .serve_connection(tape, service);
    let _refused = connection.await;
    std::mem::take(&mut *all.lock().unwrap_or_else(PoisonError::into_inner))
}

/// A caller who says this, in pieces of at most `most` bytes, and takes whatever comes.
struct Tape {
    rest: Bytes,
    most: usize,
    pauses: bool,
}

impl Tape {
    fn new(data: &[u8], most: usize) -> Self {
        Self {
            rest: Bytes::copy_from_slice(data),
            most,
            pauses: false,
        }
    }
}

impl AsyncRead for Tape {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.pauses = !self.pauses && self.most < usize::MAX;
        if self.pauses {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let length = self.rest.len().min(self.most).min(buffer.remaining());
        buffer.put_slice(self.rest.get(..length).unwrap_or_default());
        self.rest.advance(length);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Tape {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// As many fields as hyper takes; nothing waits long enough for a deadline.
const CONFIG: Config = Config {
    head: HeadLimits {
        bytes: 64 * 1024,
        fields: 100,
    },
    head_time: Duration::from_secs(10),
    keep_alive: Duration::from_secs(10),
    preface: false,
};

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;

    /// What requests are made of, and what they should not be made of.
    const PIECES: &[&str] = &[
        "GET / HTTP/1.1\r\nHost: a\r\n",
        "POST /x?y HTTP/1.1\r\n",
        "PUT http://a/ HTTP/1.0\r\n",
        "OPTIONS * HTTP/1.1\r\n",
        "CONNECT a:1 HTTP/1.1\r\n",
        "GET",
        " ",
        "/",
        " HTTP/1.1",
        "\r\n",
        "\r\n",
        "\r\n\r\n",
        "\r",
        "\n",
        "Content-Length: 3\r\n",
        "Content-Length: 0\r\n\r\n",
        "Content-Length: 3\r\n\r\nabc",
        "Content-Length: 20\r\n\r\n",
        "content-length:",
        "3",
        "Transfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\n\r\n",
        "transfer-encoding: Chunked , chunked\r\n",
        "3\r\nabc\r\n",
        "3;a=b\r\nabc\r\n0\r\n\r\n",
        "0\r\n",
        "0\r\n\r\n",
        "0\r\nA: b\r\n\r\n",
        "00000a\r\n0123456789\r\n",
        "Connection: close\r\n",
        "Connection: keep-alive, x\r\n",
        "Connection: upgrade\r\nUpgrade: x\r\n",
        "Expect: 100-continue\r\n",
        "X: \t a\u{e9} \r\n",
        ": ",
        "\t",
        "\0",
        "abc",
    ];

    proptest! {
        #[test]
        fn whatever_comes_has_one_framing_at_every_cut(
            pieces in proptest::collection::vec(select(PIECES), 0..16),
            seed in any::<u8>(),
        ) {
            let data = pieces.concat().into_bytes();
            fuzz_framing(&data);
            fuzz_cuts(&[&[seed], &data[..]].concat());
        }
    }

    /// What the fuzzer has found, and what it starts from.
    const FOUND: &[&[u8]] = &[
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"POST /x?y HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabcGET / HTTP/1.0\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3;a\r\nabc\r\n0\r\nA: \xe9\r\n\r\nGET / HTTP/1.1\r\nConnection: close\r\n\r\nGET",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd",
        b"GET / HTTP/1.1\nHost: a\n\n",
        b"\tTransfer-Encoding: chunked\r\n",
    ];

    #[test]
    fn what_was_found_stays_found() {
        for data in FOUND {
            fuzz_framing(data);
            for seed in 0..32 {
                fuzz_cuts(&[&[seed], *data].concat());
            }
        }
        assert_eq!(fuzz_read(FOUND[1]).unwrap().len(), 2);
        assert!(fuzz_read(FOUND[3]).is_none());
    }
}
