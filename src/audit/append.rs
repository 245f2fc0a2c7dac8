//! Appending whole lines to something that may take only part of them.

use std::fs::File;
use std::io::{self, ErrorKind, Write};

/// Where lines go.
pub(super) trait Device: Write {
    /// Takes back the last `bytes` bytes. An error where that is impossible, as on a pipe.
    fn shorten(&mut self, bytes: u64) -> io::Result<()>;
}

impl Device for File {
    fn shorten(&mut self, bytes: u64) -> io::Result<()> {
        // INVARIANT: nobody else appends, the file is locked; so its last bytes are ours.
        let length = self.metadata()?.len().checked_sub(bytes);
        self.set_len(length.ok_or(ErrorKind::InvalidInput)?)
    }
}

/// Lines on their way to the device.
#[derive(Debug, Default)]
pub(super) struct Batch {
    // Begins at the beginning of a line and ends at the end of one.
    pub(super) lines: Vec<u8>,
    // Bytes of the first line that the device has and could not be made to give back.
    torn: usize,
}

impl Batch {
    /// Writes all lines, in one write if the device takes them, and forgets them.
    ///
    /// # Errors
    /// When the device does not take all. The lines that it took are forgotten, the others kept for the
    /// next attempt. A line that it took in part is taken back, or else continued by the next attempt:
    /// either way the device never holds a torn line followed by another.
    pub(super) fn append(&mut self, device: &mut impl Device) -> io::Result<()> {
        let mut taken = self.torn;
        let error = loop {
            let rest = self.lines.get(taken..).unwrap_or_default();
            if rest.is_empty() {
                self.lines.clear();
                self.torn = 0;
                return Ok(());
            }
            match device.write(rest) {
                Ok(0) => break ErrorKind::WriteZero.into(),
                Ok(count) => taken += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => break error,
            }
        };
        let whole = self
            .lines
            .get(..taken)
            .and_then(|taken| memchr::memrchr(b'\n', taken))
            .map_or(0, |last| last + 1);
        self.torn = taken - whole;
        if self.torn > 0 && device.shorten(self.torn as u64).is_ok() {
            self.torn = 0;
        }
        self.lines.drain(..whole);
        Err(error)
    }

    /// The device was replaced by another, which has nothing of the first line.
    pub(super) const fn restart(&mut self) {
        self.torn = 0;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Takes some bytes, then fails, by a script; a pipe gives nothing back.
    struct Flaky {
        content: Vec<u8>,
        script: Vec<usize>,
        pipe: bool,
    }

    impl Write for Flaky {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            match self.script.pop() {
                Some(0) => Err(ErrorKind::StorageFull.into()),
                Some(count) => {
                    let count = count.min(bytes.len());
                    self.content.extend_from_slice(&bytes[..count]);
                    Ok(count)
                }
                None => {
                    self.content.extend_from_slice(bytes);
                    Ok(bytes.len())
                }
            }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Device for Flaky {
        fn shorten(&mut self, bytes: u64) -> io::Result<()> {
            if self.pipe {
                return Err(ErrorKind::InvalidInput.into());
            }
            let length = self.content.len() - usize::try_from(bytes).unwrap();
            self.content.truncate(length);
            Ok(())
        }
    }

    proptest! {
        #[test]
        fn no_line_is_torn_lost_or_doubled(
            lines in prop::collection::vec("[a-z]{0,9}", 1..12),
            script in prop::collection::vec(0_usize..7, 0..30),
            pipe: bool,
        ) {
            let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
            let mut device = Flaky { content: Vec::new(), script, pipe };
            let mut batch = Batch { lines: text.clone().into_bytes(), torn: 0 };
            while batch.append(&mut device).is_err() {
                if !pipe {
                    // What a reader, or the next process after a crash, finds now.
                    prop_assert!(device.content.last().is_none_or(|last| *last == b'\n'));
                }
            }
            prop_assert_eq!(String::from_utf8(device.content).unwrap(), text);
        }
    }

    #[test]
    fn a_torn_line_is_taken_back_from_a_real_file() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"whole\nto").unwrap();
        file.shorten(2).unwrap();
        assert_eq!(file.metadata().unwrap().len(), 6);
        assert!(file.shorten(7).is_err());
    }
}
