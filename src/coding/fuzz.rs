//! What the fuzzer calls: the same coded body in two cuttings, and within its bounds.

use bytes::Bytes;

use super::{Bounds, CodingError, Codings, PIECE_BYTES};

const KINDS: [&str; 7] = [
    "gzip",
    "deflate",
    "br",
    "zstd",
    "gzip, br",
    "zstd, gzip",
    "br, deflate",
];

/// As much as two cuttings are compared of.
const MOST_BYTES: usize = 4 << 20;

/// Decodes a body whole and in pieces. The first byte says how it is coded, the second how it is cut.
///
/// # Panics
/// When a cutting makes a difference, or the bounds do not hold.
pub fn fuzz_coding(data: &[u8]) {
    let Some((&[kind, seed], body)) = data.split_first_chunk::<2>() else {
        return;
    };
    let kind = KINDS.get(usize::from(kind) % KINDS.len());
    let name = kind.into_iter().map(|kind| kind.as_bytes());
    let Ok(codings) = Codings::read(name) else {
        return;
    };
    let cut = usize::from(seed) + 1;
    let free = Bounds { ratio: u64::MAX };
    let whole = decode(&codings, free, body, usize::MAX);
    let pieces = decode(&codings, free, body, cut);
    match (&whole.1, &pieces.1) {
        (Some(Ok(())), Some(Ok(()))) => assert!(whole.0 == pieces.0, "another body"),
        // What was made in the step that failed is lost, and steps depend on the cutting.
        (Some(Err(_)), Some(Err(_))) | (None, _) | (_, None) => {
            let (short, long) = match whole.0.len() < pieces.0.len() {
                true => (&whole.0, &pieces.0),
                false => (&pieces.0, &whole.0),
            };
            assert!(long.starts_with(short), "another body");
        }
        (whole, pieces) => assert!(whole == pieces, "{whole:?} whole, {pieces:?} in pieces"),
    }
    let bounded = decode(&codings, Bounds { ratio: 2 }, body, cut);
    assert!(bounded.0.len() <= (2 * body.len()).max(64 * 1024) + PIECE_BYTES);
}

/// What becomes of a body, and how it ends; that is not known where it is too long.
fn decode(
    codings: &Codings,
    bounds: Bounds,
    body: &[u8],
    cut: usize,
) -> (Vec<u8>, Option<Result<(), CodingError>>) {
    let mut decoder = codings.decoder(bounds);
    let mut made = Vec::new();
    for piece in body.chunks(cut.min(body.len().max(1))) {
        decoder.feed(Bytes::copy_from_slice(piece));
        loop {
            match decoder.piece() {
                Ok(Some(piece)) => made.extend_from_slice(&piece),
                Ok(None) => break,
                Err(error) => return (made, Some(Err(error))),
            }
            if made.len() > MOST_BYTES {
                return (made, None);
            }
        }
    }
    (made, Some(decoder.finish()))
}
