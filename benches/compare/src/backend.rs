//! The agent behind every proxy: as cheap as an HTTP/1.1 server can be.

use std::io;
use std::net::SocketAddr;
use std::rc::Rc;

use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::spawn_local;
use tokio::time::{MissedTickBehavior, interval};

use crate::client::{compare, whole as whole_came};
use crate::clock;
use crate::site;
use crate::wire::Reader;

/// Whole answers, head included.
struct Answers {
    message: Vec<u8>,
    large: Vec<u8>,
    indiscretion: Vec<u8>,
    receipt: Vec<u8>,
    /// What an upload has to be.
    upload: Vec<u8>,
}

/// Serves until the process ends.
pub(crate) async fn run(address: SocketAddr) -> io::Result<()> {
    let listener = TcpListener::bind(address).await?;
    let answers = Rc::new(Answers {
        message: whole(&site::message()),
        large: whole(&site::large()),
        indiscretion: whole(&site::indiscretion()),
        receipt: whole(&site::receipt()),
        upload: site::upload(),
    });
    let mut streams = 0_u64;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        streams += 1_000_000;
        let answers = Rc::clone(&answers);
        // A proxy that resets a connection is seen by the load, which reports it.
        spawn_local(async move { serve(stream, &answers, streams).await });
    }
}

async fn serve(mut stream: TcpStream, answers: &Answers, mut task: u64) -> io::Result<()> {
    let mut reader = Reader::new(64 * 1024);
    while let Some(head) = reader.head(&mut stream).await? {
        if head.line.contains(site::UPLOADS) {
            let mut seen = 0;
            let mut sink = |piece: &[u8]| compare(piece, &answers.upload, &mut seen);
            reader.body(&mut stream, &head, &mut sink).await?;
            whole_came(seen, &answers.upload)?;
            stream.write_all(&answers.receipt).await?;
            continue;
        }
        let (mut streaming, mut indiscreet) = (false, false);
        // Requests are smaller than what is read at once, so their bodies come in one piece.
        let mut sink = |piece: &[u8]| {
            streaming |= memchr::memmem::find(piece, b"SendStreamingMessage").is_some();
            indiscreet |= memchr::memmem::find(piece, site::INDISCREET.as_bytes()).is_some();
            Ok(())
        };
        reader.body(&mut stream, &head, &mut sink).await?;
        if indiscreet {
            stream.write_all(&answers.indiscretion).await?;
        } else if streaming {
            task += 1;
            events(&mut stream, task).await?;
        } else if head.line.contains(" /10m") {
            stream.write_all(&answers.large).await?;
        } else {
            stream.write_all(&answers.message).await?;
        }
    }
    Ok(())
}

async fn events(stream: &mut TcpStream, task: u64) -> io::Result<()> {
    let head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncache-control: no-cache\r\ntransfer-encoding: chunked\r\n\r\n";
    stream.write_all(head).await?;
    let mut pace = interval(site::PACE);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for index in 0..site::EVENTS {
        pace.tick().await;
        let event = site::event(task, index, &site::letters(clock::wall()));
        let chunk = format!("{:x}\r\n{event}\r\n", event.len());
        stream.write_all(chunk.as_bytes()).await?;
    }
    stream.write_all(b"0\r\n\r\n").await
}

fn whole(body: &[u8]) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}
