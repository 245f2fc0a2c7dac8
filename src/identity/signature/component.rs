//! What a signature covers, by name (RFC 9421, section 2).

use std::borrow::Cow;

use sfv::BareItemFromInput;

use super::error::SignatureError;
use super::structured::{self, Bounds, Fault, Item};
use crate::identity::Excerpt;

/// A component identifier: a name, and how its value is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Component<'a> {
    name: Name<'a>,
    /// In the order in which they were written: they stand so in the signature base.
    parameters: Vec<Parameter<'a>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Name<'a> {
    Derived(Derived),
    /// Lower case.
    Field(Cow<'a, str>),
}

/// Parts of a message that are no field (section 2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "their names are their meaning, and section 2.2 says the rest"
)]
pub enum Derived {
    Authority,
    Method,
    Path,
    Query,
    QueryParam,
    RequestTarget,
    Scheme,
    Status,
    TargetUri,
}

/// How the value of a component is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Parameter<'a> {
    /// Each line of the field as bytes (section 2.1.3).
    Bs,
    /// One member of the field, which is a dictionary (section 2.1.2).
    Key(Cow<'a, str>),
    /// One parameter of the query, by its encoded name (section 2.2.8).
    Name(Cow<'a, str>),
    /// Of the request that is answered (section 2.4).
    Req,
    /// The field as RFC 9651 writes it (section 2.1.1).
    Sf,
}

impl Derived {
    const ALL: &'static [Self] = &[
        Self::Authority,
        Self::Method,
        Self::Path,
        Self::Query,
        Self::QueryParam,
        Self::RequestTarget,
        Self::Scheme,
        Self::Status,
        Self::TargetUri,
    ];

    /// The name with its `@`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Authority => "@authority",
            Self::Method => "@method",
            Self::Path => "@path",
            Self::Query => "@query",
            Self::QueryParam => "@query-param",
            Self::RequestTarget => "@request-target",
            Self::Scheme => "@scheme",
            Self::Status => "@status",
            Self::TargetUri => "@target-uri",
        }
    }
}

impl<'a> Component<'a> {
    /// A part of the message that is no field.
    pub const fn derived(derived: Derived) -> Self {
        Self {
            name: Name::Derived(derived),
            parameters: Vec::new(),
        }
    }

    /// A field of the head.
    ///
    /// # Errors
    /// When it is not the name of a field in lower case.
    pub fn field(name: impl Into<Cow<'a, str>>) -> Result<Self, SignatureError> {
        let name = name.into();
        if !is_field_name(&name) {
            return Err(SignatureError::ComponentInvalid(Excerpt::new(&name)));
        }
        Ok(Self {
            name: Name::Field(name),
            parameters: Vec::new(),
        })
    }

    /// The same, read in this way besides.
    #[must_use]
    pub fn with(mut self, parameter: Parameter<'a>) -> Self {
        self.parameters.push(parameter);
        self
    }

    /// As people write it, in policies and on command lines: `content-digest`, `"@method";req`,
    /// `@query-param;name="id"`; quotes around the name may be left out.
    ///
    /// # Errors
    /// When it is not a component.
    pub fn parse(text: &'a str) -> Result<Component<'static>, SignatureError> {
        let invalid = || SignatureError::ComponentInvalid(Excerpt::new(text));
        let quoted: Cow<'_, str> = if text.starts_with('"') {
            Cow::Borrowed(text)
        } else {
            let (name, parameters) = match text.find(';') {
                Some(at) => text.split_at_checked(at).ok_or_else(invalid)?,
                None => (text, ""),
            };
            Cow::Owned(format!("\"{name}\"{parameters}"))
        };
        let bounds = Bounds {
            members: 1,
            items: 0,
            parameters: MAX_PARAMETERS,
        };
        let item = structured::item(&quoted, bounds).map_err(|_: Fault<'_>| invalid())?;
        Ok(Component::from_item(&item)?.into_owned())
    }

    /// # Errors
    /// On the first thing that is not as sections 2.1 and 2.2 have it.
    pub(super) fn from_item(item: &Item<'a>) -> Result<Self, SignatureError> {
        let BareItemFromInput::String(name) = &item.value else {
            return Err(SignatureError::ComponentType);
        };
        let name = text(name);
        let mut component = if name.starts_with('@') {
            Derived::ALL
                .iter()
                .find(|derived| derived.as_str() == name)
                .map(|derived| Self::derived(*derived))
                .ok_or_else(|| SignatureError::ComponentInvalid(Excerpt::new(&name)))?
        } else {
            Self::field(name)?
        };
        for (key, value) in &item.parameters {
            let parameter = component.read_parameter(key.as_str(), value)?;
            component.parameters.push(parameter);
        }
        component.check_parameters()?;
        Ok(component)
    }

    /// Flags are true or absent: `;sf=?0` says nothing that leaving it out would not say.
    fn read_parameter(
        &self,
        key: &str,
        value: &BareItemFromInput<'a>,
    ) -> Result<Parameter<'a>, SignatureError> {
        match (key, value) {
            ("bs", BareItemFromInput::Boolean(true)) => Ok(Parameter::Bs),
            ("key", BareItemFromInput::String(key)) => Ok(Parameter::Key(text(key))),
            ("name", BareItemFromInput::String(name)) => Ok(Parameter::Name(text(name))),
            ("req", BareItemFromInput::Boolean(true)) => Ok(Parameter::Req),
            ("sf", BareItemFromInput::Boolean(true)) => Ok(Parameter::Sf),
            ("tr", BareItemFromInput::Boolean(true)) => {
                Err(SignatureError::Trailer(self.excerpt()))
            }
            _ => Err(self.parameter_error(key)),
        }
    }

    fn check_parameters(&self) -> Result<(), SignatureError> {
        let is_field = matches!(self.name, Name::Field(_));
        let is_query = matches!(self.name, Name::Derived(Derived::QueryParam));
        for parameter in &self.parameters {
            let fits = match parameter {
                Parameter::Bs => is_field && !self.has_sf() && self.key().is_none(),
                Parameter::Key(_) | Parameter::Sf => is_field,
                Parameter::Name(_) => is_query,
                Parameter::Req => !matches!(self.name, Name::Derived(Derived::Status)),
            };
            if !fits {
                return Err(self.parameter_error(parameter.as_str()));
            }
        }
        match is_query && self.query_name().is_none() {
            true => Err(self.parameter_error("name")),
            false => Ok(()),
        }
    }

    fn parameter_error(&self, parameter: &str) -> SignatureError {
        SignatureError::ComponentParameter {
            component: self.excerpt(),
            parameter: Excerpt::new(parameter),
        }
    }

    /// Whether a request can have it.
    pub fn belongs_to_request(&self) -> bool {
        !self.is_of_request() && !matches!(self.name, Name::Derived(Derived::Status))
    }

    /// What it is called, without parameters.
    pub fn name(&self) -> &str {
        match &self.name {
            Name::Derived(derived) => derived.as_str(),
            Name::Field(name) => name,
        }
    }

    pub(super) const fn kind(&self) -> &Name<'a> {
        &self.name
    }

    pub(super) fn is_of_request(&self) -> bool {
        self.parameters.contains(&Parameter::Req)
    }

    pub(super) fn has_sf(&self) -> bool {
        self.parameters.contains(&Parameter::Sf)
    }

    pub(super) fn has_bs(&self) -> bool {
        self.parameters.contains(&Parameter::Bs)
    }

    pub(super) fn key(&self) -> Option<&str> {
        self.parameters
            .iter()
            .find_map(|parameter| match parameter {
                Parameter::Key(key) => Some(&**key),
                Parameter::Bs | Parameter::Name(_) | Parameter::Req | Parameter::Sf => None,
            })
    }

    pub(super) fn query_name(&self) -> Option<&str> {
        self.parameters
            .iter()
            .find_map(|parameter| match parameter {
                Parameter::Name(name) => Some(&**name),
                Parameter::Bs | Parameter::Key(_) | Parameter::Req | Parameter::Sf => None,
            })
    }

    /// Whether both name the same: the order of parameters does not count (section 2).
    pub(super) fn is_same(&self, other: &Component<'_>) -> bool {
        self.name() == other.name()
            && self.parameters.len() == other.parameters.len()
            && self
                .parameters
                .iter()
                .all(|parameter| other.parameters.contains(parameter))
    }

    /// As it stands in a signature base and in `Signature-Input`.
    pub fn write(&self, out: &mut String) {
        out.push('"');
        out.push_str(self.name());
        out.push('"');
        for parameter in &self.parameters {
            out.push(';');
            out.push_str(parameter.as_str());
            if let Parameter::Key(text) | Parameter::Name(text) = parameter {
                out.push('=');
                write_string(text, out);
            }
        }
    }

    /// As messages name it: without quotes, which they put around it.
    pub(super) fn excerpt(&self) -> Excerpt {
        let mut text = self.name().to_owned();
        for parameter in &self.parameters {
            text.push(';');
            text.push_str(parameter.as_str());
            if let Parameter::Key(value) | Parameter::Name(value) = parameter {
                text.push('=');
                text.push_str(value);
            }
        }
        Excerpt::new(&text)
    }

    /// Without what it borrows.
    pub fn into_owned(self) -> Component<'static> {
        let owned = |text: Cow<'a, str>| Cow::Owned(text.into_owned());
        Component {
            name: match self.name {
                Name::Derived(derived) => Name::Derived(derived),
                Name::Field(name) => Name::Field(owned(name)),
            },
            parameters: self
                .parameters
                .into_iter()
                .map(|parameter| match parameter {
                    Parameter::Bs => Parameter::Bs,
                    Parameter::Key(key) => Parameter::Key(owned(key)),
                    Parameter::Name(name) => Parameter::Name(owned(name)),
                    Parameter::Req => Parameter::Req,
                    Parameter::Sf => Parameter::Sf,
                })
                .collect(),
        }
    }
}

impl Parameter<'_> {
    const fn as_str(&self) -> &'static str {
        match self {
            Self::Bs => "bs",
            Self::Key(_) => "key",
            Self::Name(_) => "name",
            Self::Req => "req",
            Self::Sf => "sf",
        }
    }
}

/// A string (RFC 9651, section 4.1.6). The text is one that was read, or one of ours: visible ASCII and spaces.
pub(super) fn write_string(text: &str, out: &mut String) {
    out.push('"');
    for char in text.chars() {
        if matches!(char, '"' | '\\') {
            out.push('\\');
        }
        out.push(char);
    }
    out.push('"');
}

pub(super) fn text<'a>(text: &Cow<'a, sfv::StringRef>) -> Cow<'a, str> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.as_str()),
        Cow::Owned(text) => Cow::Owned(text.as_str().to_owned()),
    }
}

/// A token (RFC 9110, section 5.6.2) without capitals.
fn is_field_name(name: &str) -> bool {
    let is_ours = |byte: u8| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"!#$%&'*+-.^_`|~".contains(&byte)
    };
    !name.is_empty() && name.bytes().all(is_ours)
}

/// `;req` and two more are the most that fit together.
pub(super) const MAX_PARAMETERS: usize = 4;
