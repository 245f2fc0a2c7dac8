//! Cuts an event stream into the data of its events (WHATWG HTML, section 9.2), without keeping any.

use memchr::memchr2;

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";
const DATA: &[u8] = b"data:";

/// A piece of the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    /// Some of an event's data.
    Data(&'a [u8]),
    /// The event has ended.
    End,
}

/// The state between two pieces.
#[derive(Debug, Default)]
pub(super) struct Events {
    line: Line,
    // Of the byte order mark that may begin the stream: how much was seen, or that it is past.
    mark: Option<usize>,
    begun: bool,
    after_carriage_return: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line {
    /// So many bytes of it are those of `data:`.
    Begin(usize),
    Data,
    /// Behind the colon, where one space does not count.
    Gap,
    Other,
}

impl Default for Line {
    fn default() -> Self {
        Self::Begin(0)
    }
}

impl Events {
    /// Reads on, and hands what it finds to `found`.
    pub(super) fn feed(&mut self, bytes: &[u8], found: &mut impl FnMut(Piece<'_>)) {
        let mut rest = self.skip_mark(bytes);
        while let Some((byte, tail)) = rest.split_first() {
            // CR LF is one end of line, also when the two arrive apart.
            let line_feed_of_pair = self.after_carriage_return && *byte == b'\n';
            self.after_carriage_return = *byte == b'\r';
            if line_feed_of_pair {
                rest = tail;
            } else if matches!(byte, b'\r' | b'\n') {
                self.end_line(found);
                rest = tail;
            } else {
                rest = self.line(*byte, rest, found);
            }
        }
    }

    fn end_line(&mut self, found: &mut impl FnMut(Piece<'_>)) {
        match self.line {
            Line::Begin(0) => found(Piece::End),
            // The lines of one event are joined by line feeds.
            Line::Data | Line::Gap => found(Piece::Data(b"\n")),
            Line::Begin(_) | Line::Other => {}
        }
        self.line = Line::Begin(0);
    }

    /// Reads a line on, which goes on with `byte`, and returns what stands behind.
    fn line<'a>(
        &mut self,
        byte: u8,
        bytes: &'a [u8],
        found: &mut impl FnMut(Piece<'_>),
    ) -> &'a [u8] {
        let tail = bytes.get(1..).unwrap_or_default();
        match self.line {
            Line::Begin(seen) if DATA.get(seen) == Some(&byte) => {
                self.line = if seen + 1 == DATA.len() {
                    Line::Gap
                } else {
                    Line::Begin(seen + 1)
                };
                tail
            }
            Line::Begin(_) => {
                self.line = Line::Other;
                tail
            }
            Line::Gap => {
                self.line = Line::Data;
                if byte == b' ' { tail } else { bytes }
            }
            Line::Data | Line::Other => {
                let end = memchr2(b'\r', b'\n', bytes).unwrap_or(bytes.len());
                let (text, rest) = bytes.split_at_checked(end).unwrap_or_default();
                if self.line == Line::Data {
                    found(Piece::Data(text));
                }
                rest
            }
        }
    }

    fn skip_mark<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let mut rest = bytes;
        while !self.begun
            && let Some((byte, tail)) = rest.split_first()
        {
            let seen = self.mark.unwrap_or(0);
            self.begun = BYTE_ORDER_MARK.get(seen) != Some(byte);
            if self.begun {
                break;
            }
            self.mark = Some(seen + 1);
            rest = tail;
        }
        rest
    }
}

/// Where the first event ends, behind its empty line. `from` is the beginning of a line.
pub(super) fn end_of_event(bytes: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    loop {
        let rest = bytes.get(at..)?;
        let end = memchr2(b'\r', b'\n', rest)?;
        let terminator = match rest.get(end..)? {
            // The line feed may come with the next piece, and is an empty line of its own then.
            [b'\r', b'\n', ..] => 2,
            _ => 1,
        };
        at += end + terminator;
        if end == 0 {
            return Some(at);
        }
    }
}

/// Where the last line begins, of which the end is not there.
pub(super) fn line_begin(bytes: &[u8]) -> usize {
    let newline = memchr::memrchr2(b'\r', b'\n', bytes);
    match newline {
        // Half of an end of line, perhaps.
        Some(at) if at + 1 == bytes.len() && bytes.ends_with(b"\r") => {
            let before = bytes.get(..at).unwrap_or_default();
            memchr::memrchr2(b'\r', b'\n', before).map_or(0, |at| at + 1)
        }
        Some(at) => at + 1,
        None => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(pieces: &[&[u8]]) -> Vec<String> {
        let mut events = Events::default();
        let mut done = Vec::new();
        let mut open = Vec::new();
        for piece in pieces {
            events.feed(piece, &mut |piece| match piece {
                Piece::Data(data) => open.extend_from_slice(data),
                Piece::End => done.push(String::from_utf8(std::mem::take(&mut open)).unwrap()),
            });
        }
        done
    }

    #[test]
    fn all_ends_of_line_are_ends_of_line_wherever_it_is_cut() {
        let stream = b"\xEF\xBB\xBFdata: a\r\n\r\n: ping\n\ndata:b\rdata:  c\r\revent: x\ndatax: no\ndata\ndata:d\n\nid: 7\n\ndata: lost";
        let expected = ["a\n", "", "b\n c\n", "d\n", ""];
        assert_eq!(events(&[stream]), expected);
        for cut in 0..=stream.len() {
            let (left, right) = stream.split_at(cut);
            assert_eq!(events(&[left, right]), expected, "cut at {cut}");
        }
        let bytes: Vec<&[u8]> = stream.chunks(1).collect();
        assert_eq!(events(&bytes), expected);
    }
}
