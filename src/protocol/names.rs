//! Names that callers give.

/// Whether readers agree on a name: some trim what they dispatch on, and some end it where a NUL stands.
pub(super) fn is_plain(name: &str, most: usize) -> bool {
    (1..=most).contains(&name.len())
        && name.trim().len() == name.len()
        && !name.chars().any(char::is_control)
}
