//! The last words to a connection for which there is no place.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Counts those who are being told.
#[derive(Debug, Default)]
pub(super) struct Partings(AtomicUsize);

/// One of them, until it is dropped.
#[derive(Debug)]
pub(super) struct Parting(Arc<Partings>);

impl Partings {
    /// One more; `None` when so many are being told that the rest is closed without a word.
    pub(super) fn begin(self: &Arc<Self>) -> Option<Parting> {
        let before = self.0.fetch_add(1, Relaxed);
        let parting = Parting(Arc::clone(self));
        (before < MOST).then_some(parting)
    }
}

impl Parting {
    /// Says these words and closes. What the caller has sent is read and thrown away: a socket that is closed
    /// over unread bytes sends a reset, which may overtake the words.
    pub(super) async fn say(self, mut stream: TcpStream, words: Bytes) {
        let said = async {
            stream.write_all(&words).await?;
            stream.shutdown().await?;
            let mut heard = [0; 1024];
            for _ in 0..PIECES {
                if stream.read(&mut heard).await? == 0 {
                    break;
                }
            }
            std::io::Result::Ok(())
        };
        // Who does not listen does not hear.
        let _unheard = tokio::time::timeout(LONGEST, said).await;
    }
}

impl Drop for Parting {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Relaxed);
    }
}

/// At the same time; they come on top of the connections that the operator allows.
const MOST: usize = 64;
const LONGEST: Duration = Duration::from_secs(1);
/// 64 KiB, in reads of 1 KiB.
const PIECES: usize = 64;
