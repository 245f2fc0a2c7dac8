//! Each coding: whole, at every cut, flushed, broken, cut short, too large, and followed by something.

use std::io::Write;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use proptest::prelude::*;

use super::*;

const NAMES: [&str; 4] = ["br", "deflate", "gzip", "zstd"];

fn codings(name: &str) -> Codings {
    Codings::read([name.as_bytes()].into_iter()).unwrap()
}

/// The body in one coding. `raw` is deflate without the header of zlib.
fn coded(name: &str, body: &[u8]) -> Vec<u8> {
    flushed(name, &[body])
}

/// The same with a flush after each piece.
fn flushed(name: &str, pieces: &[&[u8]]) -> Vec<u8> {
    let mut ends = Vec::new();
    flushed_at(name, pieces, &mut ends)
}

/// The same, and where each piece ends in what comes out.
fn flushed_at(name: &str, pieces: &[&[u8]], ends: &mut Vec<usize>) -> Vec<u8> {
    let level = Compression::default();
    match name {
        "br" => {
            let mut writer = brotli::CompressorWriter::new(Vec::new(), 4096, 5, 18);
            for piece in pieces {
                writer.write_all(piece).unwrap();
                writer.flush().unwrap();
                ends.push(writer.get_ref().len());
            }
            writer.into_inner()
        }
        "gzip" => {
            let mut writer = GzEncoder::new(Vec::new(), level);
            for piece in pieces {
                writer.write_all(piece).unwrap();
                writer.flush().unwrap();
                ends.push(writer.get_ref().len());
            }
            writer.finish().unwrap()
        }
        "deflate" => {
            let mut writer = ZlibEncoder::new(Vec::new(), level);
            for piece in pieces {
                writer.write_all(piece).unwrap();
                writer.flush().unwrap();
                ends.push(writer.get_ref().len());
            }
            writer.finish().unwrap()
        }
        "raw" => {
            let mut writer = DeflateEncoder::new(Vec::new(), level);
            for piece in pieces {
                writer.write_all(piece).unwrap();
                writer.flush().unwrap();
                ends.push(writer.get_ref().len());
            }
            writer.finish().unwrap()
        }
        "zstd" => zstd(pieces, ends, 3),
        other => panic!("{other}"),
    }
}

fn zstd(pieces: &[&[u8]], ends: &mut Vec<usize>, level: i32) -> Vec<u8> {
    use zstd_safe::{CCtx, InBuffer, OutBuffer};
    let mut context = CCtx::create();
    context.init(level).unwrap();
    let mut out = Vec::new();
    let mut room = vec![0; 1 << 17];
    let mut write = |context: &mut CCtx<'_>, piece: &[u8], ends: bool| {
        let mut from = InBuffer::around(piece);
        loop {
            let mut to = OutBuffer::around(&mut room[..]);
            let consumed = from.pos() == piece.len();
            let left = match (consumed, ends) {
                (false, _) => context.compress_stream(&mut to, &mut from).map(|_| 1),
                (true, false) => context.flush_stream(&mut to),
                (true, true) => context.end_stream(&mut to),
            };
            out.extend_from_slice(to.as_slice());
            if consumed && left.unwrap() == 0 {
                return out.len();
            }
        }
    };
    for piece in pieces {
        ends.push(write(&mut context, piece, false));
    }
    write(&mut context, b"", true);
    out
}

const FREE: Bounds = Bounds { ratio: 10_000 };

/// What becomes of the pieces.
fn decode<'a>(
    name: &str,
    bounds: Bounds,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> Result<Vec<u8>, (Vec<u8>, CodingError)> {
    let mut decoder = codings(name).decoder(bounds);
    let mut made = Vec::new();
    for piece in pieces {
        decoder.feed(Bytes::copy_from_slice(piece));
        loop {
            match decoder.piece() {
                Ok(Some(piece)) => {
                    assert!(!piece.is_empty() && piece.len() <= PIECE_BYTES);
                    made.extend_from_slice(&piece);
                }
                Ok(None) => break,
                Err(error) => return Err((made, error)),
            }
        }
    }
    match decoder.finish() {
        Ok(()) => Ok(made),
        Err(error) => Err((made, error)),
    }
}

fn whole(name: &str, body: &[u8]) -> Result<Vec<u8>, CodingError> {
    decode(name, FREE, [body]).map_err(|(_, error)| error)
}

/// Text that compresses, and that has some of everything.
fn text(bytes: usize) -> Vec<u8> {
    let lines = (0_u32..).map(|n| format!("{n}: {} {}\n", n.wrapping_mul(2_654_435_761), n % 7));
    lines.flat_map(String::into_bytes).take(bytes).collect()
}

/// The name in the field, and the body in that coding.
fn samples(body: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let mut samples: Vec<_> = NAMES
        .iter()
        .map(|name| (*name, coded(name, body)))
        .collect();
    samples.push(("deflate", coded("raw", body)));
    samples.push(("x-gzip", coded("gzip", body)));
    samples.push(("br, gzip", coded("gzip", &coded("br", body))));
    samples.push(("gzip, zstd", coded("zstd", &coded("gzip", body))));
    samples.push(("deflate, deflate", coded("raw", &coded("deflate", body))));
    samples
}

#[test]
fn a_body_becomes_what_it_stands_for() {
    for size in [0, 1, 5, 100, PIECE_BYTES - 1, PIECE_BYTES, 300_000] {
        let body = text(size);
        for (name, coded) in samples(&body) {
            assert!(
                whole(name, &coded).as_ref() == Ok(&body),
                "{size} of {name}"
            );
        }
    }
}

#[test]
fn no_cut_makes_a_difference() {
    let body = text(700);
    for (name, coded) in samples(&body) {
        for at in 0..=coded.len() {
            let (first, second) = coded.split_at(at);
            let made = decode(name, FREE, [first, second]);
            assert_eq!(made.as_ref(), Ok(&body), "{name} at {at}");
        }
        let made = decode(name, FREE, coded.chunks(1));
        assert_eq!(made, Ok(body.clone()), "{name} byte by byte");
    }
}

#[test]
fn what_was_flushed_is_there_at_once() {
    let events: [&[u8]; 4] = [
        b"data: one\n\n",
        b"data: two\n\n",
        b":\n\n",
        b"data: three\n\n",
    ];
    for name in ["br", "deflate", "raw", "gzip", "zstd"] {
        let mut ends = Vec::new();
        let coded = flushed_at(name, &events, &mut ends);
        let field = if name == "raw" { "deflate" } else { name };
        let mut decoder = codings(field).decoder(FREE);
        let mut begin = 0;
        for (event, end) in events.iter().zip(ends) {
            decoder.feed(Bytes::copy_from_slice(&coded[begin..end]));
            let piece = decoder.piece().unwrap();
            assert_eq!(piece.as_deref(), Some(*event), "{name}");
            assert_eq!(decoder.piece(), Ok(None));
            assert!(decoder.finish().is_err(), "{name} goes on");
            begin = end;
        }
        decoder.feed(Bytes::copy_from_slice(&coded[begin..]));
        assert_eq!(decoder.piece(), Ok(None), "{name}");
        assert_eq!(decoder.finish(), Ok(()), "{name}");
    }
}

#[test]
fn a_body_that_is_cut_has_not_ended() {
    let body = text(700);
    for (name, coded) in samples(&body) {
        for end in 1..coded.len() {
            let made = decode(name, FREE, [&coded[..end]]);
            let (made, error) = made.unwrap_err();
            assert!(
                matches!(error, CodingError::Truncated(_)),
                "{name} at {end}: {error}"
            );
            assert!(body.starts_with(&made), "{name} at {end}");
        }
        assert_eq!(decode(name, FREE, [&b""[..]]), Ok(vec![]), "{name}, empty");
        assert_eq!(decode(name, FREE, []), Ok(vec![]), "{name}, nothing");
    }
}

#[test]
fn what_follows_the_end_is_refused_wherever_it_is_cut() {
    let body = text(60);
    for (name, coded) in samples(&body) {
        for garbage in [
            &b"\0"[..],
            b"x",
            b"\x1f",
            b"\x1f\x8c",
            b"\x28\xb5",
            b"GET / HTTP/1.1\r\n",
        ] {
            let all = [&coded[..], garbage].concat();
            for at in 0..=all.len() {
                let (first, second) = all.split_at(at);
                let made = decode(name, FREE, [first, second]);
                let (_, error) = made.expect_err(name);
                assert_ne!(error, CodingError::TooLarge { ratio: FREE.ratio });
            }
            assert!(decode(name, FREE, all.chunks(1)).is_err(), "{name}");
        }
    }
}

#[test]
fn members_and_frames_may_follow_each_other() {
    let (first, second) = (text(300), text(70));
    for name in ["gzip", "zstd"] {
        let all = [coded(name, &first), coded(name, b""), coded(name, &second)].concat();
        let body = [&first[..], &second].concat();
        assert_eq!(whole(name, &all), Ok(body.clone()));
        assert_eq!(decode(name, FREE, all.chunks(1)), Ok(body), "{name}");
        let cut = &all[..all.len() - 1];
        assert!(matches!(whole(name, cut), Err(CodingError::Truncated(_))));
    }
    for name in ["br", "deflate"] {
        let all = [coded(name, &first), coded(name, &second)].concat();
        assert!(
            matches!(whole(name, &all), Err(CodingError::Trailing(_))),
            "{name}"
        );
    }
    // A frame to be skipped stands for nothing.
    let skipped = [
        b"\x5a\x2a\x4d\x18\x03\0\0\0abc",
        &coded("zstd", &second)[..],
    ]
    .concat();
    assert_eq!(whole("zstd", &skipped), Ok(second));
}

#[test]
fn changed_bytes_are_seen() {
    let body = text(2000);
    for (name, sum) in [("gzip", 8), ("deflate", 4)] {
        let mut coded = coded(name, &body);
        let at = coded.len() - sum;
        coded[at] ^= 1;
        let made = whole(name, &coded);
        assert!(
            matches!(made, Err(CodingError::Broken(_))),
            "{name}: {made:?}"
        );
    }
    for name in NAMES {
        assert!(whole(name, b"{\"plain\": \"text\"}").is_err(), "{name}");
        assert!(whole(name, &[0xff; 64]).is_err(), "{name}");
    }
}

#[test]
fn a_bomb_goes_off_at_its_bound() {
    let zeros = vec![0; 8 << 20];
    let bounds = Bounds { ratio: 100 };
    for name in NAMES {
        let bomb = coded(name, &zeros);
        let (made, error) = decode(name, bounds, [&bomb[..]]).unwrap_err();
        assert_eq!(error, CodingError::TooLarge { ratio: 100 }, "{name}");
        let most = (bomb.len() * 100).max(64 * 1024) + PIECE_BYTES;
        assert!(
            made.len() <= most,
            "{name}: {} of {}",
            made.len(),
            bomb.len()
        );
        // What is made on the way counts alike: here it is nearly all.
        let twice = format!("{name}, gzip");
        let bomb = coded("gzip", &coded(name, &zeros));
        let (_, error) = decode(&twice, bounds, [&bomb[..]]).unwrap_err();
        assert_eq!(error, CodingError::TooLarge { ratio: 100 }, "{twice}");
    }
    let members = vec![coded("gzip", b""); 100_000].concat();
    let bomb = coded("gzip", &members);
    let (made, error) = decode("gzip, gzip", bounds, [&bomb[..]]).unwrap_err();
    assert_eq!(
        (made.len(), error),
        (0, CodingError::TooLarge { ratio: 100 })
    );
}

#[test]
fn small_bodies_may_grow_as_they_like() {
    let zeros = vec![0; 60_000];
    for name in NAMES {
        let made = decode(name, Bounds { ratio: 1 }, [&coded(name, &zeros)[..]]);
        assert_eq!(made, Ok(zeros.clone()), "{name}");
    }
}

#[test]
fn large_windows_are_refused() {
    // A frame with a window of 16 MiB, and one with 8 MiB, each with an empty last block.
    let frame = |window: u8| vec![0x28, 0xb5, 0x2f, 0xfd, 0, window, 1, 0, 0];
    assert_eq!(whole("zstd", &frame(13 << 3)), Ok(vec![]));
    let refused = whole("zstd", &frame(14 << 3));
    assert_eq!(refused, Err(CodingError::Broken(Coding::Zstd)));
    // The mark of a window beyond 16 MiB (large window extension).
    let refused = whole("br", &[0x11, 0x1e, 0x03, 0, 0]);
    assert_eq!(refused, Err(CodingError::Broken(Coding::Brotli)));
}

#[test]
fn a_dictionary_is_nothing_that_anybody_has() {
    // zlib with a preset dictionary (RFC 1950, section 2.2: FDICT).
    let header = [0x78, 0xbb, 1, 2, 3, 4, 3, 0];
    assert_eq!(
        whole("deflate", &header),
        Err(CodingError::Broken(Coding::Deflate))
    );
    // A frame of zstd that names one.
    let frame = [0x28, 0xb5, 0x2f, 0xfd, 0x21, 7, 1, 0x09, 0, 0, b'a'];
    assert_eq!(
        whole("zstd", &frame),
        Err(CodingError::Broken(Coding::Zstd))
    );
}

proptest! {
    #[test]
    fn whatever_comes_is_the_same_in_every_cutting(
        kind in 0_u8..7,
        seed: u8,
        body in proptest::collection::vec(any::<u8>(), 0..400),
        flip in any::<prop::sample::Index>(),
    ) {
        fuzz_coding(&[&[kind, seed], &body[..]].concat());
        for (at, name) in NAMES.iter().enumerate() {
            // Nearly good ones go further.
            let kind = [3, 1, 0, 2].into_iter().zip(["zstd", "deflate", "gzip", "br"]);
            let kind = kind.into_iter().find(|(_, other)| other == name).map(|(kind, _)| kind);
            let mut coded = coded(name, &body);
            let place = flip.index(coded.len());
            coded[place] ^= 1 << ((at + usize::from(seed)) % 8);
            fuzz_coding(&[&[kind.unwrap(), seed], &coded[..]].concat());
        }
    }
}
