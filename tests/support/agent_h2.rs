//! The agent's side over HTTP/2: a server that answers what a script says, trailers included.

use std::sync::Arc;

use bytes::Bytes;
use h2::RecvStream;
use h2::server::{self, SendResponse};
use http::{HeaderMap, Request, Response};
use tokio::io::{AsyncRead, AsyncWrite};

/// A request as it came, with its trailers.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) head: Request<()>,
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: Option<HeaderMap>,
}

/// What the agent answers.
#[derive(Debug, Clone, Default)]
pub(crate) struct Answer {
    pub(crate) head: Response<()>,
    /// Its pieces, each a frame of its own.
    pub(crate) body: Vec<Bytes>,
    pub(crate) trailers: Option<HeaderMap>,
    /// After the pieces nothing comes, not even an end.
    pub(crate) stalls: bool,
}

/// Serves one connection to its end.
pub(crate) async fn serve<S, F>(stream: S, script: Arc<F>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    F: Fn(&Asked) -> Answer + Send + Sync + 'static,
{
    let Ok(mut server) = server::handshake(stream).await else {
        return; // lictor hung up; the test sees why on its side
    };
    while let Some(Ok((request, respond))) = server.accept().await {
        tokio::spawn(answer(request, respond, Arc::clone(&script)));
    }
}

async fn answer<F>(request: Request<RecvStream>, mut respond: SendResponse<Bytes>, script: Arc<F>)
where
    F: Fn(&Asked) -> Answer,
{
    let (head, mut body) = request.into_parts();
    let mut asked = Asked {
        head: Request::from_parts(head, ()),
        body: Vec::new(),
        trailers: None,
    };
    while let Some(Ok(data)) = body.data().await {
        let _more = body.flow_control().release_capacity(data.len());
        asked.body.extend_from_slice(&data);
    }
    asked.trailers = body.trailers().await.unwrap_or_default();
    let Answer {
        head,
        body,
        trailers,
        stalls,
    } = script(&asked);
    let ends_at_head = body.is_empty() && trailers.is_none() && !stalls;
    let Ok(mut stream) = respond.send_response(head, ends_at_head) else {
        return;
    };
    let last = body.len();
    for (at, piece) in body.into_iter().enumerate() {
        let is_end = at + 1 == last && trailers.is_none() && !stalls;
        if stream.send_data(piece, is_end).is_err() {
            return;
        }
    }
    if stalls {
        return std::future::pending().await;
    }
    if let Some(trailers) = trailers {
        let _gone = stream.send_trailers(trailers);
    }
}
