//! The entry of the fuzzer for A2A over gRPC: whatever comes, nobody panics, no cut changes what is learned, and what
//! was read is what the readers of agents read, who take the last of two fields and merge messages.

use http::Request;

use super::{Carrier, Observer, read_head};
use crate::model::{Call, Protocols};

/// Paths, and the fields by which their messages name a task and a context.
const METHODS: &[(&str, &[u32], &[u32])] = &[
    ("/lf.a2a.v1.A2AService/SendMessage", &[2, 3], &[2, 2]),
    (
        "/lf.a2a.v1.A2AService/SendStreamingMessage",
        &[2, 3],
        &[2, 2],
    ),
    ("/lf.a2a.v1.A2AService/GetTask", &[2], &[]),
    ("/lf.a2a.v1.A2AService/SubscribeToTask", &[2], &[]),
    (
        "/lf.a2a.v1.A2AService/CreateTaskPushNotificationConfig",
        &[3],
        &[],
    ),
    (
        "/lf.a2a.v1.A2AService/ListTaskPushNotificationConfigs",
        &[1],
        &[],
    ),
    ("/a2a.v1.A2AService/SendMessage", &[1, 3], &[1, 2]),
    ("/a2a.v1.A2AService/CancelTask", &[1], &[]),
    (
        "/a2a.v1.A2AService/GetTaskPushNotificationConfig",
        &[1],
        &[],
    ),
];

/// Reads `data` as the message of a request and as an answer, whole and in pieces.
///
/// # Panics
/// When what was read is not what an agent reads, or depends on how it was cut.
#[doc(hidden)]
pub fn fuzz_grpc(data: &[u8]) {
    let (choice, message) = data.split_first().unwrap_or((&0, &[]));
    let method = METHODS.get(usize::from(*choice) % METHODS.len());
    let Some((path, task, context)) = method else {
        return;
    };
    let Ok(length) = u32::try_from(message.len()) else {
        return;
    };
    let body = [&[0][..], &length.to_be_bytes(), message].concat();
    if let Some(call) = call(path, &body) {
        let read = last(message, task).filter(|id| !id.is_empty());
        let id = call.task.as_ref().map(|task| task.as_str().as_bytes());
        let read = read.map(|name| {
            let is_named = path.starts_with("/a2a.") && context.is_empty();
            let id = name.strip_prefix(b"tasks/").filter(|_| is_named);
            let id = id.and_then(|rest| rest.split(|byte| *byte == b'/').next());
            id.unwrap_or(name)
        });
        assert_eq!(id, read, "another task");
        let read = last(message, context).filter(|id| !id.is_empty() && !context.is_empty());
        let id = call.context.as_ref().map(|id| id.as_str().as_bytes());
        assert_eq!(id, read, "another context");
    }
    let Some(call) = call("/lf.a2a.v1.A2AService/SendStreamingMessage", &[0; 5]) else {
        return;
    };
    for answer in [message, &body] {
        let size = usize::from(*choice).max(1);
        let whole = learned(&call, std::iter::once(answer));
        assert_eq!(whole, learned(&call, answer.chunks(size)), "the cut tells");
    }
}

fn call(path: &str, body: &[u8]) -> Option<Call> {
    let request = Request::post(path)
        .header("content-type", "application/grpc")
        .header("host", "agent.example");
    let (parts, ()) = request.body(()).ok()?.into_parts();
    let head = read_head(&parts, Protocols::default()).ok()?;
    head.into_call(Some(body), 64).ok()
}

/// What an observer knows in the end.
fn learned<'a>(call: &Call, pieces: impl Iterator<Item = &'a [u8]>) -> (String, bool) {
    let Some(mut observer) = Observer::new(call, Carrier::Grpc) else {
        return <_>::default();
    };
    pieces.for_each(|piece| drop(observer.observe(piece)));
    let ids = format!("{:?} {:?}", observer.task(), observer.context());
    (ids, observer.is_unreadable())
}

/// The last value of a field within the messages that lead to it, by a reader that forgives whatever it can.
fn last<'a>(mut message: &'a [u8], path: &[u32]) -> Option<&'a [u8]> {
    let Some((wanted, path)) = path.split_first() else {
        return Some(message);
    };
    let mut found = None;
    while !message.is_empty() {
        let tag = varint(&mut message)?;
        let length = match tag & 7 {
            0 => {
                varint(&mut message)?;
                0
            }
            1 => 8,
            2 => usize::try_from(varint(&mut message)?).ok()?,
            5 => 4,
            _ => return found,
        };
        let (bytes, rest) = message.split_at_checked(length)?;
        message = rest;
        if tag & 7 == 2 && tag >> 3 == u64::from(*wanted) {
            found = last(bytes, path).or(found);
        }
    }
    found
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in 0..10 {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7F) << (7 * shift);
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;

    /// What messages are made of: whole fields, and the beginnings of some.
    const PIECES: &[&[u8]] = &[
        b"\x0a\x07tasks/a",
        b"\x0a\x01a",
        b"\x12\x01b",
        b"\x12\x03\x1a\x01c",
        b"\x12\x03\x12\x01d",
        b"\x12\x00",
        b"\x1a\x01e",
        b"\x1a\x04\x12\x02\x1a\x00",
        b"\x0a\x03\x1a\x01f",
        b"\x0a\x03\x0a\x01g",
        b"\x0a\x03\x12\x01h",
        b"\x22\x03\x0a\x01i",
        b"\x08\x01",
        b"\x10\x80\x01",
        b"\x12\x81\x00j",
        b"\x0b",
        b"\x0c",
        b"\xff",
        b"\x12",
        b"\x0a\x1etasks/k/pushNotificationConfigs/l",
        b"\x15AAAA",
        b"\x11AAAAAAAA",
        b"\x32\x02\x0a\x00",
        b"\0",
    ];

    proptest! {
        #[test]
        fn a_message_has_one_reading(choice: u8, pieces in prop::collection::vec(select(PIECES), 0..6)) {
            fuzz_grpc(&[&[choice][..], &pieces.concat()].concat());
        }

        #[test]
        fn bytes_have_one_reading(data: Vec<u8>) {
            fuzz_grpc(&data);
        }
    }
}
