//! The data of one event or message, as the texts in it.

use super::Blocked;
use super::channel::{Desk, Segment};
use super::escape::Unescaped;
use super::event::{Data, Event, Kind};
use super::fields::Map;
use super::texts::{Piece, Said, Texts};

/// Takes data apart, in buffers that are used again for the next.
#[derive(Debug, Default)]
pub(super) struct DataReader {
    event: Event,
    text: Unescaped,
    segments: Vec<Segment>,
    /// Whoever sends a text sends it whole, as far as its keys do not tell.
    stands_whole: bool,
}

impl DataReader {
    /// For data whose texts stand whole unless they go on all the same.
    pub(super) fn of_whole_texts() -> Self {
        Self {
            stands_whole: true,
            ..Self::default()
        }
    }

    /// Reads the data of one event. What is not JSON is a piece of the text of this key.
    pub(super) fn read(
        &mut self,
        desk: &mut Desk,
        texts: &mut Texts,
        plain: u64,
        data: &[u8],
        map: &Map,
    ) -> Result<(), Blocked> {
        match self.event.read(data)? {
            Data::Json => self.leaves(desk, texts, data, map),
            Data::Number => {
                self.plain(desk, texts, plain, data, map)?;
                if let [line] = self.segments.as_slice() {
                    let blanks = data.len() - data.trim_ascii_start().len();
                    let start = line.raw + blanks as u64;
                    desk.tape
                        .quote(start, start + data.trim_ascii().len() as u64);
                }
                Ok(())
            }
            Data::Text => self.plain(desk, texts, plain, data, map),
        }
    }

    fn leaves(
        &mut self,
        desk: &mut Desk,
        texts: &mut Texts,
        data: &[u8],
        map: &Map,
    ) -> Result<(), Blocked> {
        for leaf in &self.event.leaves {
            leaf.read(data, &mut self.text);
            map.segments(&self.text.segments, &mut self.segments);
            let text = leaf.text(data, &self.text);
            let said = Said {
                kind: leaf.kind,
                key: leaf.channel,
                name: self.event.name(leaf, data),
                text,
                segments: &self.segments,
            };
            texts.said(desk, &said, self.stands_whole)?;
            if leaf.kind == Kind::Number
                && let Some(only) = self.segments.first()
            {
                desk.tape.quote(only.raw, only.raw + text.len() as u64);
            }
        }
        let leaves = self.event.leaves.iter();
        texts.end_said(desk, leaves.map(|leaf| (leaf.kind, leaf.channel)))
    }

    /// Data that is not JSON, as it stands.
    fn plain(
        &mut self,
        desk: &mut Desk,
        texts: &mut Texts,
        key: u64,
        data: &[u8],
        map: &Map,
    ) -> Result<(), Blocked> {
        map.segments(&[Segment::plain(0, data.len())], &mut self.segments);
        let piece = Piece {
            key,
            text: data,
            segments: &self.segments,
            whole: self.stands_whole,
            restarts: false,
        };
        texts.piece(desk, piece)
    }
}
