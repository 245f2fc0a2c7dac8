//! Fills in the configuration files of the proxies.

/// Keeps the lines between `#if FLAG` and `#end` only where all flags around them are set, and
/// replaces `@name@` by its value.
pub(crate) fn fill(template: &str, flags: &[&str], values: &[(&str, String)]) -> String {
    let mut open = Vec::new();
    let mut text = String::with_capacity(template.len());
    for line in template.lines() {
        let word = line.trim_start();
        if let Some(flag) = word.strip_prefix("#if ") {
            open.push(flags.contains(&flag.trim()));
        } else if word == "#end" {
            open.pop();
        } else if open.iter().all(|set| *set) {
            text.push_str(line);
            text.push('\n');
        }
    }
    for (name, value) in values {
        text = text.replace(&format!("@{name}@"), value);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_unset_flags_are_left_out() {
        let text = "a\n  #if x\nb @n@\n#if y\nc\n#end\n#end\nd\n";
        let values = [("n", "1".to_owned())];
        assert_eq!(fill(text, &["x"], &values), "a\nb 1\nd\n");
        assert_eq!(fill(text, &["y"], &values), "a\nd\n");
    }
}
