//! Where texts stand in the answers of A2A over gRPC: by the numbers of `a2a.v1` (0.3) and `lf.a2a.v1` (1.0), which
//! agree in all that is written here. Fields that are not named are read for what they are.

/// What the messages of an answer are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reply {
    /// JSON (`application/grpc+json`).
    Json,
    /// `SendMessageResponse` or `StreamResponse` of A2A.
    Sent,
    /// `Task` of A2A.
    Task,
    /// `ListTasksResponse` of A2A.
    Tasks,
    /// Anything: every field is read as a text or a message, whatever it looks like.
    Unknown,
}

/// A type of messages.
#[derive(Debug)]
pub(super) struct Shape(pub(super) &'static [(u32, Field)]);

/// What a field is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Field {
    /// Speaks about the message: nobody joins its texts over messages.
    About,
    /// Whether the text is appended to what was said, instead of taking its place.
    Append,
    /// Whether the text ends with this message.
    Last,
    /// A message.
    Message(&'static Shape),
    /// Names something.
    Name,
    /// Names what the texts beside it belong to.
    Owner,
    /// A message whose texts are pieces of longer ones.
    Pieces(&'static Shape),
    /// A text.
    Text,
}

use Field::{About, Append, Last, Message, Name, Owner, Pieces, Text};

impl Reply {
    pub(super) const fn shape(self) -> &'static Shape {
        match self {
            Self::Sent => &SENT,
            Self::Task => &TASK,
            Self::Tasks => &TASKS,
            Self::Json | Self::Unknown => &ANY,
        }
    }
}

pub(super) static ANY: Shape = Shape(&[]);

static SENT: Shape = Shape(&[
    (1, Message(&TASK)),
    (2, Message(&MESSAGE)),
    (3, Message(&STATUS_UPDATE)),
    (4, Message(&ARTIFACT_UPDATE)),
]);

static TASKS: Shape = Shape(&[(1, Message(&TASK)), (2, Name)]);

static TASK: Shape = Shape(&[
    (1, Owner),
    (2, Name),
    (3, Message(&STATUS)),
    (4, Message(&ARTIFACT)),
    (5, Message(&MESSAGE)),
    (6, About),
]);

static STATUS: Shape = Shape(&[(2, Message(&MESSAGE))]);

/// `metadata` of 0.3 is the field 5, of 1.0 the field 4.
static STATUS_UPDATE: Shape = Shape(&[
    (1, Owner),
    (2, Name),
    (3, Message(&STATUS)),
    (4, About),
    (5, About),
]);

static ARTIFACT_UPDATE: Shape = Shape(&[
    (1, Owner),
    (2, Name),
    (3, Pieces(&ARTIFACT)),
    (4, Append),
    (5, Last),
    (6, About),
]);

/// Of the others, 4 is the description in 0.3 and the parts in 1.0, and 5 the parts in 0.3 and the metadata in 1.0.
static ARTIFACT: Shape = Shape(&[(1, Owner)]);

static MESSAGE: Shape = Shape(&[
    (1, Name),
    (2, Name),
    (3, Owner),
    (5, Message(&PART)),
    (6, About),
]);

static PART: Shape = Shape(&[(1, Text)]);
