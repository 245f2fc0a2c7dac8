//! What a decision was made from, as far as a policy wants it recorded.

use std::io::{self, ErrorKind, Write};
use std::sync::Arc;

use serde::Serialize;

/// Values of a call that conditions read, by their paths as those spell them. What no condition reads is not here.
///
/// Bounded, since a caller chooses how long its values are: each to 2 KiB of JSON, and all together with their paths to
/// 8 KiB. What was left out is named while there is room for names; a path that is not named at all was not captured.
#[derive(Debug, Default)]
pub struct Captured {
    values: Vec<(Arc<str>, Box<str>)>,
    missing: Vec<Arc<str>>,
    omitted: Vec<Arc<str>>,
    bytes: usize,
}

impl Captured {
    /// Notes the value at a path; `None` where the call has none.
    pub fn note(&mut self, path: &Arc<str>, value: Option<&impl Serialize>) {
        // Read by a condition and included.
        let noted = self.values.iter().map(|(path, _)| path);
        let mut noted = noted.chain(&self.missing).chain(&self.omitted);
        if noted.any(|noted| noted == path) {
            return;
        }
        let Some(value) = value else {
            if self.takes(path.len()) {
                self.missing.push(Arc::clone(path));
            }
            return;
        };
        match json(value) {
            Some(json) if self.takes(path.len() + json.len()) => {
                self.values.push((Arc::clone(path), json));
            }
            Some(_) | None => {
                if self.takes(path.len()) {
                    self.omitted.push(Arc::clone(path));
                }
            }
        }
    }

    /// Paths, and the JSON of what is there.
    pub(super) fn values(&self) -> impl Iterator<Item = (&str, &str)> {
        self.values.iter().map(|(path, json)| (&**path, &**json))
    }

    /// Paths at which the call has nothing.
    pub(super) fn missing(&self) -> impl Iterator<Item = &str> {
        self.missing.iter().map(|path| &**path)
    }

    /// Paths whose values are longer than what is kept.
    pub(super) fn omitted(&self) -> impl Iterator<Item = &str> {
        self.omitted.iter().map(|path| &**path)
    }

    /// Whether so much still fits; then it is taken.
    const fn takes(&mut self, bytes: usize) -> bool {
        let fits = self.bytes + bytes <= MAX_BYTES;
        if fits {
            self.bytes += bytes;
        }
        fits
    }
}

/// A value as JSON, unless that is too long. A long one is not written to its end.
fn json(value: &impl Serialize) -> Option<Box<str>> {
    let mut written = Bounded(Vec::new());
    serde_json::to_writer(&mut written, value).ok()?;
    String::from_utf8(written.0)
        .ok()
        .map(String::into_boxed_str)
}

struct Bounded(Vec<u8>);

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > MAX_VALUE_BYTES {
            return Err(ErrorKind::StorageFull.into());
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// As long as other texts of a caller that are recorded.
const MAX_VALUE_BYTES: usize = 2048;

/// Arbitrary: four of the longest, or a hundred that are as short as most are.
const MAX_BYTES: usize = 8192;

#[cfg(test)]
mod tests {
    use super::*;

    fn paths<'a>(found: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
        found.collect()
    }

    #[test]
    fn a_long_value_is_named_and_left_out() {
        let mut captured = Captured::default();
        captured.note(&Arc::from("args.text"), Some(&"x".repeat(2046)));
        captured.note(&Arc::from("args.more"), Some(&"x".repeat(2047)));
        captured.note(&Arc::from("args.none"), None::<&str>.as_ref());
        let values: Vec<_> = captured.values().map(|(path, _)| path).collect();
        assert_eq!(values, ["args.text"]);
        assert_eq!(paths(captured.omitted()), ["args.more"]);
        assert_eq!(paths(captured.missing()), ["args.none"]);
    }

    #[test]
    fn all_together_stay_within_their_bound() {
        let mut captured = Captured::default();
        for number in 0..5000 {
            let path = Arc::from(format!("args.a{number}"));
            captured.note(&path, Some(&"x".repeat(100)));
            captured.note(&path, None::<&str>.as_ref());
        }
        assert!(captured.bytes <= MAX_BYTES, "{}", captured.bytes);
        let written = captured
            .values()
            .map(|(path, json)| path.len() + json.len());
        let named = captured.missing().chain(captured.omitted()).map(str::len);
        assert_eq!(written.chain(named).sum::<usize>(), captured.bytes);
    }
}
