//! The codings themselves, each by the library that knows it.

use std::ops::RangeInclusive;

use brotli_decompressor::{BrotliDecompressStream, BrotliResult, BrotliState, StandardAlloc};
use flate2::{Decompress, FlushDecompress, Status};
use zstd_safe::{DCtx, DParameter, InBuffer, OutBuffer};

use super::{Coding, CodingError};

/// The largest window of zstd, as a power of two: what a reader of HTTP has to have, and a server may ask for
/// (RFC 9659, section 3).
const ZSTD_WINDOW: u32 = 23;

/// The largest window of deflate, as a power of two (RFC 1951, section 3.2).
const DEFLATE_WINDOW: u8 = 15;

/// What a gzip member begins with (RFC 1952, section 2.3.1).
const GZIP_BEGIN: u8 = 0x1f;

/// What frames of zstd begin with, those to be skipped included (RFC 8878, section 3.1).
const ZSTD_BEGIN: u8 = 0x28;
const ZSTD_SKIPPED_BEGIN: RangeInclusive<u8> = 0x50..=0x5f;

type Brotli = BrotliState<StandardAlloc, StandardAlloc, StandardAlloc>;

/// What a step came to.
pub(super) struct Progress {
    pub(super) read: usize,
    pub(super) made: usize,
}

/// Decodes one coding.
pub(super) enum Engine {
    Brotli(Box<Brotli>, End),
    Deflate(Deflate, End),
    Gzip(Decompress, End),
    Zstd(DCtx<'static>, End),
}

/// Whether what was read is one whole body, or several in a row where a coding lets it be.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Reached,
    Open,
    /// Nothing was read yet.
    Fresh,
}

/// `deflate`, of which nobody says which kind it is.
pub(super) enum Deflate {
    /// The first byte, if there is one.
    Unknown(Option<u8>),
    Known(Decompress),
}

impl Engine {
    pub(super) fn of(coding: Coding) -> Self {
        match coding {
            Coding::Brotli => Self::Brotli(Box::new(brotli()), End::Open),
            Coding::Deflate => Self::Deflate(Deflate::Unknown(None), End::Open),
            Coding::Gzip => Self::Gzip(Decompress::new_gzip(DEFLATE_WINDOW), End::Open),
            Coding::Zstd => Self::Zstd(zstd(), End::Fresh),
        }
    }

    pub(super) const fn has_ended(&self) -> bool {
        let (Self::Brotli(_, end)
        | Self::Deflate(_, end)
        | Self::Gzip(_, end)
        | Self::Zstd(_, end)) = self;
        matches!(end, End::Reached)
    }

    /// Reads of the input, and makes what fits into the room.
    pub(super) fn step(&mut self, input: &[u8], room: &mut [u8]) -> Result<Progress, CodingError> {
        // At an end nothing is left to be made; and where a reader of zstd is asked for it, it begins anew.
        if self.has_ended() && input.is_empty() {
            return Ok(Progress { read: 0, made: 0 });
        }
        match self {
            Self::Brotli(state, end) => match end {
                End::Reached => Err(CodingError::Trailing(Coding::Brotli)),
                End::Open | End::Fresh => step_brotli(state, end, input, room),
            },
            Self::Deflate(deflate, end) => match end {
                End::Reached => Err(CodingError::Trailing(Coding::Deflate)),
                End::Open | End::Fresh => deflate.step(end, input, room),
            },
            Self::Gzip(inflate, end) => {
                if *end == End::Reached {
                    if input.first() != Some(&GZIP_BEGIN) {
                        return Err(CodingError::Trailing(Coding::Gzip));
                    }
                    *inflate = Decompress::new_gzip(DEFLATE_WINDOW);
                }
                inflated(inflate, end, input, room).ok_or(CodingError::Broken(Coding::Gzip))
            }
            Self::Zstd(context, end) => {
                let begins =
                    |first: &u8| *first == ZSTD_BEGIN || ZSTD_SKIPPED_BEGIN.contains(first);
                if *end == End::Reached && !input.first().is_some_and(begins) {
                    return Err(CodingError::Trailing(Coding::Zstd));
                }
                // A frame that is there whole would be read in another way, which takes other frames for broken: its first
                // byte comes alone, so that it does not matter how a body is cut.
                let input = match end {
                    End::Reached | End::Fresh => input.get(..1).unwrap_or_default(),
                    End::Open => input,
                };
                step_zstd(context, end, input, room)
            }
        }
    }
}

impl Deflate {
    fn step(
        &mut self,
        end: &mut End,
        input: &[u8],
        room: &mut [u8],
    ) -> Result<Progress, CodingError> {
        let broken = CodingError::Broken(Coding::Deflate);
        let first = match self {
            Self::Known(inflate) => return inflated(inflate, end, input, room).ok_or(broken),
            Self::Unknown(first) => *first,
        };
        let (first, second, read) = match (first, input) {
            (None, [first, second, ..]) => (*first, *second, 0),
            (None, [first]) => {
                *self = Self::Unknown(Some(*first));
                return Ok(Progress { read: 1, made: 0 });
            }
            (Some(first), [second, ..]) => (first, *second, 1),
            (_, []) => return Ok(Progress { read: 0, made: 0 }),
        };
        let mut inflate = Decompress::new(is_zlib(first, second));
        // The byte that came by itself makes nothing yet.
        let begun = if read == 1 {
            inflated(&mut inflate, end, &[first], room)
        } else {
            Some(Progress { read: 0, made: 0 })
        };
        *self = Self::Known(inflate);
        begun.map(|_| ()).ok_or(broken)?;
        self.step(end, input, room)
    }
}

/// Whether these two are how zlib begins (RFC 1950, section 2.2).
fn is_zlib(first: u8, second: u8) -> bool {
    let is_deflate = first & 0x0f == 8 && first >> 4 <= 7;
    is_deflate && u16::from_be_bytes([first, second]).is_multiple_of(31)
}

/// A step of deflate in any dress. `None` when it is broken.
fn inflated(
    inflate: &mut Decompress,
    end: &mut End,
    input: &[u8],
    room: &mut [u8],
) -> Option<Progress> {
    let before = (inflate.total_in(), inflate.total_out());
    let status = inflate
        .decompress(input, room, FlushDecompress::None)
        .ok()?;
    *end = match status {
        Status::StreamEnd => End::Reached,
        Status::Ok | Status::BufError => End::Open,
    };
    Some(Progress {
        read: usize::try_from(inflate.total_in() - before.0).ok()?,
        made: usize::try_from(inflate.total_out() - before.1).ok()?,
    })
}

/// A reader that refuses windows above 16 MiB, which are an extension.
fn brotli() -> Brotli {
    let alloc = StandardAlloc::default;
    BrotliState::new_strict(alloc(), alloc(), alloc())
}

fn step_brotli(
    state: &mut Brotli,
    end: &mut End,
    input: &[u8],
    room: &mut [u8],
) -> Result<Progress, CodingError> {
    let (mut left, mut read) = (input.len(), 0);
    let (mut space, mut made) = (room.len(), 0);
    let mut total = 0;
    let result = BrotliDecompressStream(
        &mut left, &mut read, input, &mut space, &mut made, room, &mut total, state,
    );
    match result {
        BrotliResult::ResultSuccess => *end = End::Reached,
        BrotliResult::NeedsMoreInput | BrotliResult::NeedsMoreOutput => {}
        BrotliResult::ResultFailure => return Err(CodingError::Broken(Coding::Brotli)),
    }
    Ok(Progress { read, made })
}

fn zstd() -> DCtx<'static> {
    let mut context = DCtx::create();
    // It takes every value that the library was built for, and this is one; were it not to, the library's own
    // bound of 128 MiB would hold.
    let _set = context.set_parameter(DParameter::WindowLogMax(ZSTD_WINDOW));
    context
}

fn step_zstd(
    context: &mut DCtx<'_>,
    end: &mut End,
    input: &[u8],
    room: &mut [u8],
) -> Result<Progress, CodingError> {
    let (mut from, mut to) = (InBuffer::around(input), OutBuffer::around(room));
    let wanted = context
        .decompress_stream(&mut to, &mut from)
        .map_err(|_code| CodingError::Broken(Coding::Zstd))?;
    *end = match wanted {
        0 => End::Reached,
        _ => End::Open,
    };
    Ok(Progress {
        read: from.pos(),
        made: to.pos(),
    })
}
