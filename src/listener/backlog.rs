//! Closes a listening socket without breaking a connection.
//!
//! Whoever is in the kernel's queue when a listening socket is closed gets a reset, although its connection
//! was made. So the queue is emptied first; and while it is, no newcomer may join it.

use std::io;
use std::net::SocketAddr;
use std::task::Poll;
use std::time::Duration;

use socket2::{SockFilter, SockRef};
use tokio::net::{TcpListener, TcpStream};

/// Lets nobody begin a connection any more, while those that have begun are made to the end.
///
/// Drops packets that only say SYN (RFC 9293, section 3.5): their sender tries again a second later and is then
/// refused. Without the right to filter, the few that come between the last accept and the close are reset.
pub(super) fn refuse_newcomers(socket: &TcpListener) -> io::Result<()> {
    // A classic BPF program over the TCP head, whose byte 13 holds the flags.
    let program = [
        SockFilter::new(LOAD_BYTE, 0, 0, 13),
        SockFilter::new(AND, 0, 0, SYN | ACK),
        SockFilter::new(JUMP_IF_EQUAL, 0, 1, SYN),
        SockFilter::new(RETURN, 0, 0, 0),
        SockFilter::new(RETURN, 0, 0, u32::MAX),
    ];
    SockRef::from(socket).attach_filter(&program)
}

/// The next connection of those that wait now.
pub(super) async fn waiting(socket: &TcpListener) -> Option<io::Result<(TcpStream, SocketAddr)>> {
    std::future::poll_fn(|cx| match socket.poll_accept(cx) {
        Poll::Ready(accepted) => Poll::Ready(Some(accepted)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

/// How long those that have begun may take: a round trip over a bad line.
pub(super) const SETTLE: Duration = Duration::from_millis(150);

const LOAD_BYTE: u16 = 0x30;
const AND: u16 = 0x54;
const JUMP_IF_EQUAL: u16 = 0x15;
const RETURN: u16 = 0x06;
const SYN: u32 = 0x02;
const ACK: u32 = 0x10;
