//! A coded body, decoded while it streams.

use std::fmt;

use bytes::{Buf, Bytes};

use super::engine::{Engine, Progress};
use super::{Coding, CodingError};

/// What is made of a body at once. Small enough that whoever takes it piece by piece decides how fast it
/// grows, large enough that a piece is worth its handling.
pub const PIECE_BYTES: usize = 16 * 1024;

/// What any body may become, whatever it was: small documents of one repeated letter are no attack.
/// Arbitrary.
const FREE_BYTES: u64 = 64 * 1024;

/// What a coded body may become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// How many times what came, over all that came so far.
    pub ratio: u64,
}

/// Decodes one body.
///
/// It keeps the windows of its codings (at most 16 MiB for each), the piece that it was given, and one piece
/// of what it makes. Give it a piece with [`Decoder::feed`], and take with [`Decoder::piece`] until there is
/// no more.
pub struct Decoder {
    /// From the outside to the inside.
    stages: Vec<Stage>,
    bounds: Bounds,
    fed: u64,
    room: Box<[u8]>,
}

/// One coding of them.
struct Stage {
    coding: Coding,
    engine: Engine,
    input: Bytes,
    /// All room was filled, so that there may be more without more input.
    was_full: bool,
    read: u64,
    made: u64,
}

impl fmt::Debug for Decoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decoder")
            .field("bounds", &self.bounds)
            .field("fed", &self.fed)
            .finish_non_exhaustive()
    }
}

impl Decoder {
    /// A decoder of these, from the outside to the inside.
    pub(super) fn new(codings: impl Iterator<Item = Coding>, bounds: Bounds) -> Self {
        Self {
            stages: codings.map(Stage::new).collect(),
            bounds,
            fed: 0,
            room: vec![0; PIECE_BYTES].into(),
        }
    }

    /// The next piece of the coded body. What was given before must have been taken: it would be lost.
    pub fn feed(&mut self, input: Bytes) {
        self.fed = self.fed.saturating_add(input.len() as u64);
        if let Some(outside) = self.stages.first_mut() {
            debug_assert!(outside.input.is_empty(), "what was given is taken first");
            outside.input = input;
        }
    }

    /// The next piece of the body: all that can be made of what was given, and at most [`PIECE_BYTES`].
    /// `None` where that takes more input.
    ///
    /// # Errors
    /// When no more can be made of it, or when it would be too much.
    pub fn piece(&mut self) -> Result<Option<Bytes>, CodingError> {
        let ratio = self.bounds.ratio;
        let most = self.fed.saturating_mul(ratio).max(FREE_BYTES);
        pull(&mut self.stages, most, &mut self.room).map_err(|stopped| match stopped {
            Stopped::Failed(error) => error,
            Stopped::TooMuch => CodingError::TooLarge { ratio },
        })
    }

    /// Nothing more comes, and [`Decoder::piece`] has no more. A body of no bytes is an empty one, whatever its
    /// coding.
    ///
    /// # Errors
    /// When the body has not come to its end.
    pub fn finish(&self) -> Result<(), CodingError> {
        let mut stages = self.stages.iter();
        let cut = stages.find(|stage| stage.read > 0 && !stage.engine.has_ended());
        cut.map_or(Ok(()), |stage| Err(CodingError::Truncated(stage.coding)))
    }
}

/// Why a stage makes no more.
enum Stopped {
    Failed(CodingError),
    TooMuch,
}

/// What the last of the stages makes. Each may make `most` bytes in all, since what is made on the way costs as
/// much as what is made in the end.
fn pull(stages: &mut [Stage], most: u64, room: &mut [u8]) -> Result<Option<Bytes>, Stopped> {
    let Some((last, before)) = stages.split_last_mut() else {
        return Ok(None);
    };
    loop {
        if let Some(piece) = last.next(room).map_err(Stopped::Failed)? {
            if last.made > most {
                return Err(Stopped::TooMuch);
            }
            return Ok(Some(piece));
        }
        match pull(before, most, room)? {
            Some(piece) => last.input = piece,
            None => return Ok(None),
        }
    }
}

impl Stage {
    fn new(coding: Coding) -> Self {
        Self {
            coding,
            engine: Engine::of(coding),
            input: Bytes::new(),
            was_full: false,
            read: 0,
            made: 0,
        }
    }

    /// What can be made of the input. `None` when nothing is left of it.
    fn next(&mut self, room: &mut [u8]) -> Result<Option<Bytes>, CodingError> {
        while self.was_full || !self.input.is_empty() {
            let Progress { read, made } = self.engine.step(&self.input, room)?;
            self.input.advance(read.min(self.input.len()));
            self.read += read as u64;
            self.made += made as u64;
            self.was_full = made == room.len();
            if made > 0 {
                // A copy of just this: what leaves may wait for long, and must not keep all the room.
                return Ok(room.get(..made).map(Bytes::copy_from_slice));
            }
            if read == 0 && !self.input.is_empty() {
                return Err(CodingError::Broken(self.coding));
            }
        }
        Ok(None)
    }
}
