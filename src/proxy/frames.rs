//! The frames in the bytes of an HTTP/2 connection, as they pass by.

/// Frame types (RFC 9113, section 6).
pub(super) const DATA: u8 = 0;
pub(super) const HEADERS: u8 = 1;
pub(super) const RST_STREAM: u8 = 3;
pub(super) const GOAWAY: u8 = 7;
pub(super) const CONTINUATION: u8 = 9;

/// Flags (RFC 9113, sections 6.1 and 6.2).
pub(super) const END_STREAM: u8 = 1;
pub(super) const END_HEADERS: u8 = 4;

/// Bytes before a frame's payload (RFC 9113, section 4.1).
const HEAD: usize = 9;

/// Bytes of a payload that are kept: as far as the error code of a GOAWAY.
const KEPT: usize = 8;

/// `PRI * HTTP/2.0` and so on, before the frames of a client (RFC 9113, section 3.4).
const PREFACE: usize = 24;

/// A frame of which all that is of interest has passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) kind: u8,
    pub(super) flags: u8,
    pub(super) stream: u32,
    /// Bytes of the payload.
    pub(super) length: usize,
    /// Why, in a RST_STREAM or GOAWAY (RFC 9113, section 7).
    pub(super) code: u32,
}

/// Tells where frames begin, however the bytes are cut. Nothing is judged here: that is the library's work.
#[derive(Debug)]
pub(super) struct Frames {
    kept: [u8; HEAD + KEPT],
    have: usize,
    /// Bytes to let pass before the next frame begins.
    skip: usize,
}

impl Frames {
    /// What a client sends.
    pub(super) const fn of_client() -> Self {
        Self {
            kept: [0; HEAD + KEPT],
            have: 0,
            skip: PREFACE,
        }
    }

    /// What a server sends.
    pub(super) const fn of_server() -> Self {
        Self {
            kept: [0; HEAD + KEPT],
            have: 0,
            skip: 0,
        }
    }

    /// Whether all bytes so far end with a whole frame.
    pub(super) const fn is_between(&self) -> bool {
        self.have == 0 && self.skip == 0
    }

    /// Lets bytes pass, and tells of each frame as soon as its beginning is known.
    pub(super) fn pass(&mut self, mut bytes: &[u8], mut each: impl FnMut(Frame)) {
        loop {
            let passed = self.skip.min(bytes.len());
            self.skip -= passed;
            bytes = bytes.get(passed..).unwrap_or_default();
            if bytes.is_empty() {
                return;
            }
            let missing = self.wanted() - self.have;
            let (part, rest) = bytes.split_at(missing.min(bytes.len()));
            let places = self.kept.iter_mut().skip(self.have);
            places.zip(part).for_each(|(place, byte)| *place = *byte);
            self.have += part.len();
            bytes = rest;
            // With its head complete, a frame may want more than that.
            if self.have >= HEAD && self.have == self.wanted() {
                let frame = self.frame();
                self.skip = HEAD + frame.length - self.have;
                (self.kept, self.have) = ([0; HEAD + KEPT], 0);
                each(frame);
            }
        }
    }

    /// Bytes that are kept of the frame that has begun. Never fewer than there are.
    fn wanted(&self) -> usize {
        if self.have < HEAD {
            HEAD
        } else {
            HEAD + self.frame().length.min(KEPT)
        }
    }

    const fn frame(&self) -> Frame {
        let [
            l0,
            l1,
            l2,
            kind,
            flags,
            s0,
            s1,
            s2,
            s3,
            p0,
            p1,
            p2,
            p3,
            p4,
            p5,
            p6,
            p7,
        ] = self.kept;
        let code = match kind {
            GOAWAY => [p4, p5, p6, p7],
            _ => [p0, p1, p2, p3],
        };
        Frame {
            kind,
            flags,
            stream: u32::from_be_bytes([s0 & 0x7f, s1, s2, s3]),
            length: u32::from_be_bytes([0, l0, l1, l2]) as usize,
            code: u32::from_be_bytes(code),
        }
    }
}

/// A GOAWAY: no stream after `last` was looked at, and why the connection ends (RFC 9113, section 6.8).
pub(super) fn goaway(last: u32, code: u32) -> [u8; HEAD + KEPT] {
    let [s0, s1, s2, s3] = last.to_be_bytes();
    let [c0, c1, c2, c3] = code.to_be_bytes();
    [
        0, 0, 8, GOAWAY, 0, 0, 0, 0, 0, s0, s1, s2, s3, c0, c1, c2, c3,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        let mut frame = vec![length[1], length[2], length[3], kind, flags];
        frame.extend(stream.to_be_bytes());
        frame.extend(payload);
        frame
    }

    #[test]
    fn frames_are_the_same_however_the_bytes_are_cut() {
        let mut all = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
        all.extend(bytes(4, 0, 0, &[]));
        all.extend(bytes(HEADERS, END_HEADERS, 1, b"block"));
        all.extend(bytes(DATA, END_STREAM, 1, &[7; 300]));
        all.extend(bytes(RST_STREAM, 0, 3, &8_u32.to_be_bytes()));
        all.extend(goaway(5, 11));
        let expected = [
            (4, 0, 0),
            (HEADERS, 1, 5),
            (DATA, 1, 300),
            (RST_STREAM, 3, 4),
            (GOAWAY, 0, 8),
        ];
        for size in [1, 2, 3, 9, 10, 17, 100, all.len()] {
            let mut frames = Frames::of_client();
            let mut seen = Vec::new();
            for piece in all.chunks(size) {
                frames.pass(piece, |frame| seen.push(frame));
            }
            assert!(frames.is_between());
            let told: Vec<_> = seen
                .iter()
                .map(|frame| (frame.kind, frame.stream, frame.length))
                .collect();
            assert_eq!(told, expected, "in pieces of {size}");
            assert_eq!((seen[3].code, seen[4].code), (8, 11));
        }
    }

    #[test]
    fn a_frame_in_the_middle_is_no_place_for_another() {
        let mut frames = Frames::of_server();
        let frame = bytes(DATA, 0, 1, b"0123456789");
        let mut seen = 0;
        for end in 1..frame.len() {
            let mut frames = Frames::of_server();
            frames.pass(&frame[..end], |_| ());
            assert!(!frames.is_between(), "after {end} bytes");
        }
        frames.pass(&frame, |_| seen += 1);
        assert!(frames.is_between());
        assert_eq!(seen, 1);
    }
}
