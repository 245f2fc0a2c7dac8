//! How the tour looks: 80 columns, with colour on a terminal and just as readable without.

use std::io::{self, IsTerminal, Write};

/// The width that everything keeps to.
const COLUMNS: usize = 80;

/// Where the tour is printed.
#[derive(Debug)]
pub(super) struct Paper {
    colour: bool,
}

/// What a colour stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    Bad,
    Faint,
    Good,
    Strong,
    Warn,
}

impl Tone {
    const fn code(self) -> &'static str {
        match self {
            Self::Bad => "31",
            Self::Faint => "2",
            Self::Good => "32",
            Self::Strong => "1",
            Self::Warn => "33",
        }
    }
}

impl Paper {
    /// Standard output; colour only on a terminal, and not where `NO_COLOR` asks for none.
    pub(super) fn stdout() -> Self {
        Self {
            colour: io::stdout().is_terminal()
                && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
        }
    }

    /// One line. A closed pipe ends the printing, not the tour.
    pub(super) fn line(&self, text: &str) {
        let _closed = writeln!(io::stdout(), "{text}");
    }

    /// A line that names what follows.
    pub(super) fn heading(&self, text: &str) {
        self.line("");
        self.line(&self.paint(Tone::Strong, text));
    }

    /// A row of the table: number, what was sent, status, decision, by what, how long.
    pub(super) fn row(&self, row: &Row<'_>) {
        let tone = match row.decision {
            "allow" => Tone::Good,
            _ => Tone::Warn,
        };
        let status = self.paint(if row.expected { tone } else { Tone::Bad }, row.status);
        let decision = self.paint(tone, &format!("{:<6}", row.decision));
        let line = format!(
            "{:>2}  {:<27} {status:<3} {decision} {:<29} {}",
            row.number,
            clip(row.what, 27),
            clip(row.by, 29),
            self.paint(Tone::Faint, &format!("{:>7}", row.time)),
        );
        self.line(line.trim_end());
    }

    /// A labelled text below a row, wrapped under itself.
    pub(super) fn quote(&self, label: &str, text: &str, tone: Tone) {
        let width = COLUMNS - 20;
        for (index, piece) in wrap(text, width).into_iter().enumerate() {
            let label = if index == 0 { label } else { "" };
            self.line(&format!(
                "    {} {}",
                self.paint(Tone::Faint, &format!("{label:<14}")),
                self.paint(tone, &piece)
            ));
        }
    }

    /// The text in a colour, where there are colours.
    pub(super) fn paint(&self, tone: Tone, text: &str) -> String {
        if self.colour {
            format!("\u{1b}[{}m{text}\u{1b}[0m", tone.code())
        } else {
            text.to_owned()
        }
    }
}

/// One step as it is printed.
#[derive(Debug)]
pub(super) struct Row<'a> {
    pub(super) number: usize,
    pub(super) what: &'a str,
    pub(super) status: &'a str,
    pub(super) decision: &'a str,
    pub(super) by: &'a str,
    pub(super) time: &'a str,
    pub(super) expected: bool,
}

fn clip(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let mut clipped: String = text.chars().take(width - 1).collect();
    clipped.push('…');
    clipped
}

/// Breaks at spaces; a word that is longer than the line is broken inside.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let mut word: Vec<char> = word.chars().collect();
        loop {
            let current = lines.last().map_or(0, |line| line.chars().count());
            let gap = usize::from(current > 0);
            if current + gap + word.len() <= width || (current == 0 && word.len() <= width) {
                if let Some(line) = lines.last_mut() {
                    line.extend(std::iter::repeat_n(' ', gap).chain(word));
                }
                break;
            }
            if current > 0 {
                lines.push(String::new());
                continue;
            }
            let rest = word.split_off(width);
            if let Some(line) = lines.last_mut() {
                line.extend(word);
            }
            word = rest;
            lines.push(String::new());
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_is_wider_than_the_page() {
        let long = format!("a {} b", "x".repeat(150));
        assert!(
            wrap(&long, 60)
                .iter()
                .all(|line| line.chars().count() <= 60)
        );
        assert_eq!(wrap("one two", 4), ["one", "two"]);
        assert_eq!(clip("abcdef", 4), "abc…");
    }
}
