//! The token that opens the desk.

use std::fs;
use std::io::Read;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use http::HeaderMap;
use http::header::AUTHORIZATION;

use super::config::TokenSource;
use super::error::TokenError;

/// Shorter ones could be guessed.
const MIN_BYTES: usize = 16;

/// Longer ones are something else.
const MAX_BYTES: u64 = 4096;

impl TokenSource {
    /// Whether it can be had, and is one.
    ///
    /// # Errors
    /// When it cannot, or is too short; the message says where and what to do.
    pub fn check(&self) -> Result<(), TokenError> {
        self.read().map(drop)
    }

    /// Whether the request shows it.
    pub(super) fn opens(&self, headers: &HeaderMap) -> bool {
        let Ok(token) = self.read() else {
            return false;
        };
        let mut fields = headers.get_all(AUTHORIZATION).iter();
        let (Some(field), None) = (fields.next(), fields.next()) else {
            return false;
        };
        let Some((scheme, shown)) = field.as_bytes().split_at_checked(SCHEME.len()) else {
            return false;
        };
        scheme.eq_ignore_ascii_case(SCHEME)
            && verify_slices_are_equal(shown.trim_ascii(), &token).is_ok()
    }

    fn read(&self) -> Result<Vec<u8>, TokenError> {
        let (bytes, place) = match self {
            Self::Env(name) => (
                std::env::var(name).unwrap_or_default().into_bytes(),
                format!("${name}"),
            ),
            Self::File(path) => {
                let shown = path.display().to_string();
                let read = || {
                    let file = fs::File::open(path)?;
                    let mut bytes = Vec::new();
                    file.take(MAX_BYTES).read_to_end(&mut bytes).map(|_| bytes)
                };
                let bytes = read().map_err(|source| TokenError::Unreadable {
                    path: shown.clone(),
                    source,
                })?;
                (bytes, shown)
            }
        };
        let token = bytes.trim_ascii();
        if token.len() < MIN_BYTES {
            return Err(TokenError::TooShort {
                place,
                least: MIN_BYTES,
            });
        }
        Ok(token.to_vec())
    }
}

/// RFC 6750, section 2.1; schemes are compared without case (RFC 9110, section 11.1).
const SCHEME: &[u8] = b"bearer ";

#[cfg(test)]
mod tests {
    use super::*;

    fn opens(source: &TokenSource, values: &[&str]) -> bool {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, value.parse().unwrap());
        }
        source.opens(&headers)
    }

    #[test]
    fn only_the_token_opens_and_a_new_one_counts_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        let source = TokenSource::File(path.clone());
        assert!(matches!(source.check(), Err(TokenError::Unreadable { .. })));
        fs::write(&path, "short\n").unwrap();
        assert!(matches!(source.check(), Err(TokenError::TooShort { .. })));
        assert!(!opens(&source, &["Bearer short"]));
        fs::write(&path, "0123456789abcdef\n").unwrap();
        source.check().unwrap();
        assert!(opens(&source, &["Bearer 0123456789abcdef"]));
        assert!(opens(&source, &["bearer 0123456789abcdef"]));
        for wrong in [
            &["Bearer 0123456789abcdeF"][..],
            &["Bearer 0123456789abcde"],
            &["Basic 0123456789abcdef"],
            &["Bearer"],
            &["Bearer 0123456789abcdef", "Bearer 0123456789abcdef"],
            &[],
        ] {
            assert!(!opens(&source, wrong), "{wrong:?}");
        }
        fs::write(&path, "fedcba9876543210").unwrap();
        assert!(!opens(&source, &["Bearer 0123456789abcdef"]));
        assert!(opens(&source, &["Bearer fedcba9876543210"]));
    }
}
