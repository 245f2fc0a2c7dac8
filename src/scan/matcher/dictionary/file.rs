//! The file of a dictionary: a first line, and a line for each value with two hashes in hex, sorted.
//!
//! ```text
//! lictor-dictionary v1 key=9f31c0aa words=3 values=2
//! 00c2…16 digits…1f02…16 digits…
//! ```
//! `key` names the key, which lies in another file, so that a wrong one is noticed. Neither order nor length of the values can be read from
//! it, and without the key no value can be tried.

use std::fmt::Write as _;

use super::{Dictionary, Entry, MAX_WORDS, hash};

const NAME: &str = "lictor-dictionary v1";

/// Why a file is no dictionary.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DictionaryError {
    /// The first line says something else.
    #[error("its first line is not that of a dictionary of version 1")]
    Head,
    /// The key is not 64 hex digits.
    #[error("a key is 64 hex digits")]
    Key,
    /// A line is not 32 hex digits.
    #[error("line {0} is not an entry")]
    Line(usize),
    /// It was made with another key.
    #[error("it was made with another key")]
    OtherKey,
    /// It says how many values it has, and has others.
    #[error("it is not whole: it has {found} of {said} values")]
    Short {
        /// Lines.
        found: usize,
        /// As its first line says.
        said: usize,
    },
}

impl Dictionary {
    /// A key as it stands in its file.
    ///
    /// # Errors
    /// When it is not 64 hex digits.
    pub fn read_key(text: &str) -> Result<[u8; 32], DictionaryError> {
        blake3::Hash::from_hex(text.trim())
            .map(|hash| *hash.as_bytes())
            .map_err(|_| DictionaryError::Key)
    }

    /// A dictionary as it stands in its file.
    ///
    /// # Errors
    /// When it is none, is not whole, or was made with another key.
    pub fn read(text: &str, key: [u8; 32]) -> Result<Self, DictionaryError> {
        let mut lines = text.lines().enumerate();
        let head = lines.next().and_then(|(_, line)| line.strip_prefix(NAME));
        let fields = head.ok_or(DictionaryError::Head)?;
        let field = |name: &str| {
            let mut fields = fields.split_ascii_whitespace();
            fields.find_map(|field| field.strip_prefix(name)?.strip_prefix('='))
        };
        let number = |name| field(name).and_then(|text| text.parse::<usize>().ok());
        let (words, said) = (number("words"), number("values"));
        let (Some(words @ 1..=MAX_WORDS), Some(said), Some(named)) = (words, said, field("key"))
        else {
            return Err(DictionaryError::Head);
        };
        if named != name_of(&key) {
            return Err(DictionaryError::OtherKey);
        }
        let entries = lines.map(|(at, line)| entry(line).ok_or(DictionaryError::Line(at + 1)));
        let entries = entries.collect::<Result<Vec<_>, _>>()?;
        if entries.len() != said {
            let found = entries.len();
            return Err(DictionaryError::Short { found, said });
        }
        Ok(Self::new(key, words, &entries))
    }

    /// The file of these entries, each once.
    pub fn write(key: &[u8; 32], words: usize, mut entries: Vec<Entry>) -> String {
        entries.sort_unstable_by_key(|entry| (entry.value, entry.first));
        entries.dedup();
        let mut text = format!(
            "{NAME} key={} words={words} values={}\n",
            name_of(key),
            entries.len()
        );
        for Entry { first, value } in entries {
            // A text takes whatever is written to it.
            let _never = writeln!(text, "{first:016x}{value:016x}");
        }
        text
    }
}

fn name_of(key: &[u8; 32]) -> String {
    // No value has a line end in it.
    let hash = format!("{:016x}", hash(key, b"\nthe name of this key"));
    hash.chars().take(8).collect()
}

fn entry(line: &str) -> Option<Entry> {
    let (first, value) = line.split_at_checked(16)?;
    let number = |text: &str| {
        let is_hex = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_hex.then(|| u64::from_str_radix(text, 16).ok()).flatten()
    };
    Some(Entry {
        first: number(first)?,
        value: number(value)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_holds_no_value() {
        let key = Dictionary::read_key(&format!("{}\n", "0a".repeat(32))).unwrap();
        let entry = |value: &str| Entry::of(&key, value).unwrap().0;
        let text = Dictionary::write(
            &key,
            2,
            vec![entry("Acme Corp"), entry("globex"), entry("GLOBEX")],
        );
        assert_eq!(text.lines().count(), 3);
        assert!(!text.to_lowercase().contains("acme"));
        let read = Dictionary::read(&text, key).unwrap();
        assert_eq!((read.len(), read.words), (2, 2));
        let wrong = [
            (text.as_str(), [9; 32], DictionaryError::OtherKey),
            ("", key, DictionaryError::Head),
            ("lictor-dictionary v2 words=1\n", key, DictionaryError::Head),
        ];
        for (text, key, expected) in wrong {
            assert_eq!(Dictionary::read(text, key), Err(expected));
        }
        let cut = text
            .rsplit_once('\n')
            .unwrap()
            .0
            .rsplit_once('\n')
            .unwrap()
            .0;
        assert_eq!(
            Dictionary::read(cut, key),
            Err(DictionaryError::Short { found: 1, said: 2 })
        );
        let broken = text.replacen("words=2", "words=2 ", 1) + "xyz\n";
        assert_eq!(
            Dictionary::read(&broken, key),
            Err(DictionaryError::Line(4))
        );
        assert_eq!(Dictionary::read_key("0a"), Err(DictionaryError::Key));
    }
}
