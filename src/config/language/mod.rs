//! The language in one description: what fields there are, what they take, what they mean.
//!
//! Owns the shapes of policies ([`policy::POLICY`]) and of `lictor.yaml` ([`operator::OPERATOR`]), and what is made of them:
//! the JSON Schema ([`schema`]) and the reference pages ([`page`]). The decoder takes from the same shapes which
//! fields it knows, what people call them elsewhere, and what it refuses because nothing enforces it yet; it
//! asserts that it reads every field that a shape has and no other, so that neither can leave the other behind.
//! Leaves to others: reading values. Texts are written for authors: they are what an editor shows under the
//! cursor.

mod json;
mod key;
pub(super) mod operator;
pub(super) mod page;
pub(super) mod policy;
pub(super) mod schema;
#[cfg(test)]
mod tests;
mod text;
mod words;

pub(super) use json::{exact, from_tree};
pub(super) use key::Key;
pub(super) use text::Text;

/// A file that people write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Document {
    /// `lictor.yaml`.
    Operator,
    /// A file of policies.
    Policy,
}

impl Document {
    /// Its JSON Schema (draft-07), for editors: the same text every time.
    pub fn schema(self) -> String {
        match self {
            Self::Operator => schema::render(&operator::OPERATOR, "lictor.yaml"),
            Self::Policy => schema::render(&policy::POLICY, "lictor policy"),
        }
    }

    /// Its reference page, in Markdown.
    pub fn reference(self) -> String {
        match self {
            Self::Operator => page::render(
                &operator::OPERATOR,
                "`lictor.yaml`, field by field",
                "Made of the description that the reader of `lictor.yaml` and `lictor schema operator` are made of. The guide is \
                 [operating.md](operating.md).",
            ),
            Self::Policy => page::render(
                &policy::POLICY,
                "The policy language, field by field",
                "Made of the description that the reader of policies and `lictor schema` are made of. The guide is \
                 [policy.md](policy.md).",
            ),
        }
    }
}

/// One mapping.
#[derive(Debug)]
pub(super) struct Record {
    /// What it is called in the schema and on the page; unique.
    pub(super) name: &'static str,
    /// What it is, in a sentence or two.
    pub(super) doc: &'static str,
    /// Its fields, in the order in which authors should read them.
    pub(super) fields: &'static [Field],
    /// What stands in it under names that the author chooses.
    pub(super) others: Option<&'static Map>,
    /// Fields of which exactly one must be written.
    pub(super) one_of: &'static [Choice],
    /// What people write here that belongs elsewhere.
    pub(super) misplaced: &'static [Misplaced],
    /// What people write, and what it is called here.
    pub(super) hints: &'static [(&'static str, &'static str)],
    /// What an unknown field would have led to.
    pub(super) consequence: Option<&'static str>,
    /// Whether it may be written with nothing in it.
    pub(super) may_be_empty: bool,
}

/// One of several fields of which exactly one must be written.
#[derive(Debug)]
pub(super) struct Choice {
    /// What it makes of the record: the title of an alternative.
    pub(super) title: &'static str,
    pub(super) field: &'static str,
}

/// A field that people expect, and why it is not here.
#[derive(Debug)]
pub(super) struct Misplaced {
    pub(super) field: &'static str,
    pub(super) title: &'static str,
    pub(super) help: &'static str,
}

/// One field of a record.
#[derive(Debug)]
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) doc: &'static str,
    pub(super) value: Value,
    pub(super) presence: Presence,
    /// As they would be written, in YAML.
    pub(super) examples: &'static [&'static str],
    /// Whether this version acts on it. What it does not, it refuses.
    pub(super) enforced: bool,
}

/// Whether a field must be there, and what holds if it is not.
#[derive(Debug)]
pub(super) enum Presence {
    /// What holds without it, as it would be written.
    Default(&'static str),
    /// What holds without it, in words.
    Otherwise(&'static str),
    Required,
}

/// What a field takes.
#[derive(Debug)]
pub(super) enum Value {
    /// An action pattern.
    Action,
    /// Any YAML.
    Any,
    Boolean,
    /// A number of any size, whole or not.
    Decimal,
    Duration,
    /// One of several, told apart by how they look: a word or a mapping.
    Either(&'static [Self]),
    /// A list, which may be empty.
    List(&'static Self),
    /// Things under names that the author chooses.
    Map(&'static Map),
    /// A whole number within bounds.
    Number {
        least: u64,
        most: u64,
    },
    /// A list with something in it, or one element that stands in place of it.
    OneOrMore(&'static Self),
    /// A record, or nothing: the name alone says what there is to say.
    Optional(&'static Record),
    Rate,
    Record(&'static Record),
    /// `{ file: … }` or `{ env: … }`, never the secret.
    Secret,
    Size,
    Text(&'static Text),
    /// One of a closed list.
    Word(&'static [Word]),
}

/// A mapping whose keys the author chooses.
#[derive(Debug)]
pub(super) struct Map {
    pub(super) key: &'static Key,
    pub(super) value: Value,
}

/// A word of a closed list.
#[derive(Debug)]
pub(super) struct Word {
    pub(super) word: &'static str,
    pub(super) doc: &'static str,
    /// As with [`Field::enforced`].
    pub(super) enforced: bool,
}

impl Record {
    const fn new(name: &'static str, doc: &'static str, fields: &'static [Field]) -> Self {
        Self {
            name,
            doc,
            fields,
            others: None,
            one_of: &[],
            misplaced: &[],
            hints: &[],
            consequence: None,
            may_be_empty: false,
        }
    }

    const fn others(mut self, others: &'static Map) -> Self {
        self.others = Some(others);
        self
    }

    const fn one_of(mut self, one_of: &'static [Choice]) -> Self {
        self.one_of = one_of;
        self
    }

    const fn misplaced(mut self, misplaced: &'static [Misplaced]) -> Self {
        self.misplaced = misplaced;
        self
    }

    const fn hints(mut self, hints: &'static [(&'static str, &'static str)]) -> Self {
        self.hints = hints;
        self
    }

    const fn consequence(mut self, consequence: &'static str) -> Self {
        self.consequence = Some(consequence);
        self
    }

    const fn may_be_empty(mut self) -> Self {
        self.may_be_empty = true;
        self
    }

    /// The field of that name.
    pub(super) fn field(&self, name: &str) -> Option<&'static Field> {
        self.fields.iter().find(|field| field.name == name)
    }
}

impl Field {
    const fn new(name: &'static str, value: Value, doc: &'static str) -> Self {
        Self {
            name,
            doc,
            value,
            presence: Presence::Otherwise(""),
            examples: &[],
            enforced: true,
        }
    }

    const fn required(mut self) -> Self {
        self.presence = Presence::Required;
        self
    }

    const fn default(mut self, value: &'static str) -> Self {
        self.presence = Presence::Default(value);
        self
    }

    const fn otherwise(mut self, words: &'static str) -> Self {
        self.presence = Presence::Otherwise(words);
        self
    }

    const fn examples(mut self, examples: &'static [&'static str]) -> Self {
        self.examples = examples;
        self
    }

    /// Part of the language that this version does not act on.
    const fn planned(mut self) -> Self {
        self.enforced = false;
        self
    }
}

impl Word {
    const fn new(word: &'static str, doc: &'static str) -> Self {
        Self {
            word,
            doc,
            enforced: true,
        }
    }

    /// Part of the language that this version does not act on.
    const fn planned(mut self) -> Self {
        self.enforced = false;
        self
    }
}

/// Whether a word is one that the language has and this version does not act on.
pub(super) fn is_planned(words: &[Word], text: &str) -> bool {
    words.iter().any(|word| word.word == text && !word.enforced)
}

/// The value of the first key of every file.
static VERSION: &[Word] = &[Word::new("v1", "The version of the language.")];

const VERSION_DOC: &str = "Marker and version of the language. The first key of every file, and always `v1`. Within `v1` the \
     language only grows by optional fields.";
