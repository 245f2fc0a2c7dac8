//! The entry of the fuzzer: whatever comes, nobody panics, and no cut changes what is learned.

use http::Request;

use super::{Carrier, Observer, read_head};

/// Reads `data` as a request's body, and as the answer to what it asked, whole and in pieces.
#[doc(hidden)]
pub fn fuzz_read_call(data: &[u8]) {
    let (first, body) = data.split_first().unwrap_or((&0, &[]));
    let content_type = if first & 1 == 0 {
        "application/json"
    } else {
        "text/plain"
    };
    let request = Request::post("/")
        .header("content-type", content_type)
        .header("host", "agent.example");
    let Ok((parts, ())) = request.body(()).map(Request::into_parts) else {
        return;
    };
    let Ok(head) = read_head(&parts) else {
        return;
    };
    let _ = head.wants_body(Some(body));
    let Ok(call) = head.into_call(Some(body), 64) else {
        return;
    };
    for carrier in [Carrier::Json, Carrier::EventStream] {
        let whole = Observer::new(&call, carrier).map(|mut observer| {
            observer.observe(body);
            (observer.task().cloned(), observer.context().cloned())
        });
        let size = usize::from(*first).max(1);
        let pieces = Observer::new(&call, carrier).map(|mut observer| {
            for piece in body.chunks(size) {
                observer.observe(piece);
            }
            (observer.task().cloned(), observer.context().cloned())
        });
        assert_eq!(whole, pieces, "the cut changed what was learned");
    }
}
