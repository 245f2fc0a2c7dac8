//! Exchanges written down as text: who says what, byte by byte. `tests/data/wire/README.md` tells the form.

use std::collections::VecDeque;
use std::path::Path;
use std::time::Duration;

use super::recorder::Answer;
use super::upstream::Step;

/// One exchange.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) name: String,
    /// `file:line`.
    pub(crate) place: String,
    /// What the caller does.
    pub(crate) caller: Vec<Said>,
    /// What the agent answers to one request after the other; what is missing is fine.
    pub(crate) answers: VecDeque<Answer>,
    /// What the agent must have got; `None` where nobody asks.
    pub(crate) at_agent: Option<Vec<String>>,
    /// What the caller must have got.
    pub(crate) at_caller: Vec<String>,
}

/// Something that the caller does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Said {
    /// `C: ...`
    Deed(String),
    /// `C> ...`
    Line(String),
    /// `C>| ...`
    Raw(String),
}

/// All cases in the folder, in the order of its files.
pub(crate) fn load(folder: &str) -> Vec<Case> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data/wire")
        .join(folder);
    let mut files: Vec<_> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let cases: Vec<_> = files.iter().flat_map(|file| read(file)).collect();
    assert!(!cases.is_empty(), "no cases in {}", folder.display());
    cases
}

fn read(file: &Path) -> Vec<Case> {
    let text = std::fs::read_to_string(file).unwrap();
    let name = file.file_name().unwrap().to_string_lossy();
    let mut cases: Vec<Case> = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let place = format!("{name}:{}", number + 1);
        if let Some(name) = line.strip_prefix("== ") {
            assert!(
                cases.iter().all(|case| case.name != name),
                "{place}: a second `{name}`"
            );
            cases.push(Case::new(name, place));
        } else if !line.is_empty() && !line.starts_with('#') {
            let case = cases
                .last_mut()
                .unwrap_or_else(|| panic!("{place}: no case"));
            case.line(line, &place);
        }
    }
    cases
}

impl Case {
    fn new(name: &str, place: String) -> Self {
        Self {
            name: name.to_owned(),
            place,
            caller: Vec::new(),
            answers: VecDeque::new(),
            at_agent: None,
            at_caller: Vec::new(),
        }
    }

    fn line(&mut self, line: &str, place: &str) {
        let (who, text) = line.split_once(' ').unwrap_or((line, ""));
        match who {
            "C>" => self.caller.push(Said::Line(text.to_owned())),
            "C>|" => self.caller.push(Said::Raw(text.to_owned())),
            "C:" => self.caller.push(Said::Deed(text.to_owned())),
            "C<" => self.at_caller.push(text.to_owned()),
            "A<" => {
                let expected = self.at_agent.get_or_insert_default();
                if text != "nothing" {
                    expected.push(text.to_owned());
                }
            }
            "A>" => self.agent_says([unescape(text, place), b"\r\n".to_vec()].concat()),
            "A>|" => self.agent_says(unescape(text, place)),
            "A:" => self.agent_does(text, place),
            _ => panic!("{place}: `{who}` is nobody"),
        }
    }

    fn answer(&mut self) -> &mut Answer {
        if self.answers.is_empty() {
            self.answers.push_back(Answer::default());
        }
        self.answers.back_mut().unwrap()
    }

    fn agent_says(&mut self, bytes: Vec<u8>) {
        let steps = &mut self.answer().steps;
        match steps.last_mut() {
            Some(Step::Write(said)) => said.extend(bytes),
            _ => steps.push(Step::Write(bytes)),
        }
    }

    fn agent_does(&mut self, deed: &str, place: &str) {
        match deed {
            "answers early" => self.answer().is_early = true,
            "closes" => self.answer().steps.push(Step::Close),
            "pauses" => self.answer().steps.push(Step::Pause(PAUSE)),
            "resets" => self.answer().steps.push(Step::Reset),
            "then answers" => self.answers.push_back(Answer::default()),
            _ => panic!("{place}: the agent cannot do `{deed}`"),
        }
    }
}

/// Long enough that what was written before is read alone.
pub(crate) const PAUSE: Duration = Duration::from_millis(40);

/// The bytes of a text: `\r \n \t \0 \\ \"`, `\xNN`, and `\{N:text}` for a text N times.
pub(crate) fn unescape(text: &str, place: &str) -> Vec<u8> {
    let bad = format!("{place}: a bad escape in `{text}`");
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        bytes.extend(before.bytes());
        let mut chars = after.chars();
        let kind = chars.next().expect(&bad);
        rest = chars.as_str();
        match kind {
            'r' => bytes.push(b'\r'),
            'n' => bytes.push(b'\n'),
            't' => bytes.push(b'\t'),
            '0' => bytes.push(0),
            '\\' | '"' => bytes.push(u8::try_from(kind).unwrap()),
            'x' => {
                let (digits, after) = rest.split_at_checked(2).expect(&bad);
                bytes.push(u8::from_str_radix(digits, 16).expect(&bad));
                rest = after;
            }
            '{' => {
                let (inside, after) = rest.split_once('}').expect(&bad);
                let (count, repeated) = inside.split_once(':').expect(&bad);
                let repeated = unescape(repeated, place);
                bytes.extend(repeated.repeat(count.parse().expect(&bad)));
                rest = after;
            }
            _ => panic!("{bad}"),
        }
    }
    bytes.extend(rest.bytes());
    bytes
}

/// The text of bytes, as [`unescape`] reads it.
pub(crate) fn escape(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in bytes {
        match byte {
            b'\r' => text.push_str("\\r"),
            b'\n' => text.push_str("\\n"),
            b'\t' => text.push_str("\\t"),
            0 => text.push_str("\\0"),
            b'\\' => text.push_str("\\\\"),
            b' '..=b'~' => text.push(char::from(*byte)),
            _ => text.push_str(&format!("\\x{byte:02x}")),
        }
    }
    text
}
