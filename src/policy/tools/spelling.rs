//! Names that some readers take for the same.

/// What all spellings of a name have in common: its letters without case, and without `_` and what is not seen.
/// Readers written in Go ignore case, those of protobuf JSON take `from_account` for `fromAccount`, and some trim.
pub(super) fn fold(name: &str) -> Box<str> {
    let kept = name
        .chars()
        .filter(|c| *c != '_' && !c.is_whitespace() && !c.is_control());
    // Both ways: `ſ` and the sign of Kelvin are of another case than `s` and `k` in one of them only.
    let folded: String = kept
        .flat_map(char::to_uppercase)
        .flat_map(char::to_lowercase)
        .collect();
    folded.into_boxed_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_a_name_have_it_in_common() {
        for other in [
            "fromAccount",
            "From_Account",
            "FROMACCOUNT",
            "_fromaccount",
            " from_account\n",
            "\u{17f}",
        ] {
            let same = fold(other) == fold("from_account");
            assert_eq!(same, other != "\u{17f}", "{other}");
        }
        assert_eq!(fold("ta\u{17f}\u{212a}"), fold("task"));
        assert_ne!(fold("amount2"), fold("amount"));
    }
}
