//! Bodies in the codings of HTTP, as agents send them that code although they were asked not to.

use std::io::Write;

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

/// The values of `Content-Encoding` that tests go through; `raw` is a `deflate` without the header of zlib.
pub(crate) const CODINGS: [&str; 9] = [
    "br",
    "deflate",
    "raw",
    "gzip",
    "x-gzip",
    "zstd",
    "gzip, br",
    "zstd, gzip",
    "identity, GZIP",
];

/// The field's value for one of [`CODINGS`].
pub(crate) fn field(coding: &str) -> &str {
    if coding == "raw" { "deflate" } else { coding }
}

/// The body in this coding.
pub(crate) fn coded(coding: &str, body: &[u8]) -> Vec<u8> {
    pieces(coding, &[body]).concat()
}

/// What such an agent sends for each piece, flushed behind it, and what it sends at the end.
pub(crate) fn pieces(codings: &str, pieces: &[&[u8]]) -> Vec<Vec<u8>> {
    let mut pieces: Vec<Vec<u8>> = pieces.iter().map(|piece| piece.to_vec()).collect();
    for coding in codings.split(", ") {
        pieces = match coding.to_ascii_lowercase().as_str() {
            "identity" => pieces,
            "br" => flushed(
                pieces,
                brotli::CompressorWriter::new(Vec::new(), 4096, 5, 18),
            ),
            "deflate" => flushed(pieces, ZlibEncoder::new(Vec::new(), Compression::default())),
            "raw" => flushed(
                pieces,
                DeflateEncoder::new(Vec::new(), Compression::default()),
            ),
            "gzip" | "x-gzip" => {
                flushed(pieces, GzEncoder::new(Vec::new(), Compression::default()))
            }
            "zstd" => zstd(&pieces),
            other => panic!("{other}"),
        };
    }
    pieces
}

trait Encoder: Write {
    fn so_far(&self) -> usize;
    fn end(self) -> Vec<u8>;
}

impl Encoder for brotli::CompressorWriter<Vec<u8>> {
    fn so_far(&self) -> usize {
        self.get_ref().len()
    }

    fn end(self) -> Vec<u8> {
        self.into_inner()
    }
}

macro_rules! encoders {
    ($($encoder:ident),*) => {
        $(impl Encoder for $encoder<Vec<u8>> {
            fn so_far(&self) -> usize {
                self.get_ref().len()
            }

            fn end(self) -> Vec<u8> {
                self.finish().unwrap()
            }
        })*
    };
}

encoders!(DeflateEncoder, GzEncoder, ZlibEncoder);

fn flushed(pieces: Vec<Vec<u8>>, mut encoder: impl Encoder) -> Vec<Vec<u8>> {
    let mut ends = vec![0];
    for piece in pieces {
        encoder.write_all(&piece).unwrap();
        encoder.flush().unwrap();
        ends.push(encoder.so_far());
    }
    let all = encoder.end();
    ends.push(all.len());
    ends.windows(2)
        .map(|ends| all[ends[0]..ends[1]].to_vec())
        .collect()
}

fn zstd(pieces: &[Vec<u8>]) -> Vec<Vec<u8>> {
    use zstd_safe::{CCtx, InBuffer, OutBuffer};
    let mut context = CCtx::create();
    context.init(3).unwrap();
    let mut room = vec![0; 1 << 17];
    let mut write = |piece: &[u8], is_end: bool| {
        let mut from = InBuffer::around(piece);
        let mut out = Vec::new();
        loop {
            let mut to = OutBuffer::around(&mut room[..]);
            let is_read = from.pos() == piece.len();
            let left = match (is_read, is_end) {
                (false, _) => context.compress_stream(&mut to, &mut from),
                (true, false) => context.flush_stream(&mut to),
                (true, true) => context.end_stream(&mut to),
            };
            out.extend_from_slice(to.as_slice());
            if left.unwrap() == 0 && is_read {
                return out;
            }
        }
    };
    let mut coded: Vec<_> = pieces.iter().map(|piece| write(piece, false)).collect();
    coded.push(write(b"", true));
    coded
}
