//! The fields `Signature-Input` and `Signature` (RFC 9421, section 4), read strictly and within bounds.

use std::borrow::Cow;

use http::HeaderMap;
use sfv::BareItemFromInput;

use super::component::{self, Component};
use super::error::SignatureError;
use super::structured::{self, Bounds, Dictionary, Fault, Item, Member};
use crate::identity::Excerpt;

/// The longest value that is read of either field, all lines together. Eight signatures with RSA keys of 4096
/// bits fit.
const MAX_FIELD_BYTES: usize = 8 * 1024;

/// A caller, and the proxies before it, sign; nobody in the field has more than three.
const MAX_LABELS: usize = 8;

/// Of one signature. The profiles in the field cover fewer than ten.
const MAX_COMPONENTS: usize = 64;

/// Of one signature: six are registered, and profiles add one or two.
const MAX_PARAMETERS: usize = 16;

/// `keyid` may be a URL; the others are short.
const MAX_KEY_ID: usize = 512;
const MAX_NONCE: usize = 256;
const MAX_TAG: usize = 128;
const MAX_AUDIENCE: usize = 2048;

/// The two fields of a message, each joined to one value.
#[derive(Debug)]
pub struct Fields<'a> {
    input: Cow<'a, str>,
    signature: Cow<'a, str>,
}

impl<'a> Fields<'a> {
    /// The fields, or nothing where there are none.
    ///
    /// # Errors
    /// When one is there without the other, too long, or not ASCII.
    pub fn of(headers: &'a HeaderMap) -> Result<Option<Self>, SignatureError> {
        let input = joined(headers, INPUT)?;
        let signature = joined(headers, SIGNATURE)?;
        match (input, signature) {
            (None, None) => Ok(None),
            (Some(input), Some(signature)) => Ok(Some(Self { input, signature })),
            (None, Some(_)) => Err(SignatureError::FieldMissing(INPUT)),
            (Some(_), None) => Err(SignatureError::FieldMissing(SIGNATURE)),
        }
    }
}

/// Lines of one field as one value, borrowed where there is one line.
pub(super) fn joined<'a>(
    headers: &'a HeaderMap,
    name: &'static str,
) -> Result<Option<Cow<'a, str>>, SignatureError> {
    let mut value: Option<Cow<'a, str>> = None;
    for line in headers.get_all(name) {
        let line = line
            .to_str()
            .map_err(|_| SignatureError::FieldMalformed(name))?;
        value = Some(match value {
            None => Cow::Borrowed(line),
            Some(before) => Cow::Owned(format!("{before}, {line}")),
        });
        if value
            .as_ref()
            .is_some_and(|value| value.len() > MAX_FIELD_BYTES)
        {
            return Err(SignatureError::FieldTooLong(name));
        }
    }
    Ok(value)
}

/// All signatures of a message. At most eight.
#[derive(Debug)]
pub struct Signatures<'a>(Vec<Signature<'a>>);

/// One signature as it came: nothing about it is verified, and of the components not even that there are such.
#[derive(Debug)]
pub struct Signature<'a> {
    label: &'a str,
    components: Vec<Item<'a>>,
    parameters: structured::Parameters<'a>,
    bytes: Vec<u8>,
}

impl<'a> Signatures<'a> {
    /// # Errors
    /// When a field is broken, or says two things.
    pub fn parse(fields: &'a Fields<'_>) -> Result<Self, SignatureError> {
        let mut inputs = dictionary(&fields.input, INPUT)?;
        let signatures = dictionary(&fields.signature, SIGNATURE)?;
        let unpaired = |label: &str| SignatureError::LabelUnpaired(Excerpt::new(label));
        let mut paired = Vec::with_capacity(signatures.len());
        for (label, value) in signatures {
            let at = inputs.iter().position(|(other, _)| *other == label);
            let (_, input) = inputs.swap_remove(at.ok_or_else(|| unpaired(label))?);
            let Member::List {
                items: components,
                parameters,
            } = input
            else {
                return Err(SignatureError::NotList(Excerpt::new(label)));
            };
            let Member::Item(Item {
                value: BareItemFromInput::ByteSequence(bytes),
                ..
            }) = value
            else {
                return Err(SignatureError::NotBytes(Excerpt::new(label)));
            };
            paired.push(Signature {
                label,
                components,
                parameters,
                bytes,
            });
        }
        match inputs.first() {
            Some((label, _)) => Err(unpaired(label)),
            None => Ok(Self(paired)),
        }
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &Signature<'a>> {
        self.0.iter()
    }
}

impl<'a> Signature<'a> {
    /// What it is called in this message.
    pub const fn label(&self) -> &'a str {
        self.label
    }

    /// The purpose that it names, if it is a text.
    pub fn tag(&self) -> Option<&str> {
        self.text("tag")
    }

    /// Whether it names a purpose, be it no text.
    pub(super) fn has_tag(&self) -> bool {
        self.parameters.iter().any(|(key, _)| key.as_str() == "tag")
    }

    /// The key that it names, if it is a text.
    pub fn key_id(&self) -> Option<&str> {
        self.text("keyid")
    }

    fn text(&self, name: &str) -> Option<&str> {
        let (_, value) = self
            .parameters
            .iter()
            .find(|(key, _)| key.as_str() == name)?;
        value.as_string().map(|text| text.as_str())
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What it covers, in its order.
    ///
    /// # Errors
    /// When it covers something that is no component, or something twice.
    pub fn components(&self) -> Result<Vec<Component<'a>>, SignatureError> {
        let mut components: Vec<Component<'a>> = Vec::with_capacity(self.components.len());
        for item in &self.components {
            let component = Component::from_item(item)?;
            if components.iter().any(|other| other.is_same(&component)) {
                return Err(SignatureError::ComponentRepeated(component.excerpt()));
            }
            components.push(component);
        }
        Ok(components)
    }

    /// What the RFC registers of parameters. Others are covered like these, and mean nothing to us.
    ///
    /// # Errors
    /// When one has another type than the registry says, or is too long.
    pub fn parameters(&self) -> Result<Parameters<'a>, SignatureError> {
        let mut read = Parameters::default();
        for (key, value) in &self.parameters {
            match key.as_str() {
                "alg" => read.algorithm = Some(short(value, "alg", MAX_TAG)?),
                "created" => read.created = Some(seconds(value, "created")?),
                "expires" => read.expires = Some(seconds(value, "expires")?),
                "keyid" => read.key_id = Some(short(value, "keyid", MAX_KEY_ID)?),
                "nonce" => read.nonce = Some(short(value, "nonce", MAX_NONCE)?),
                "wimse-aud" => read.audience = Some(short(value, "wimse-aud", MAX_AUDIENCE)?),
                "tag" => read.tag = Some(short(value, "tag", MAX_TAG)?),
                _ => {}
            }
        }
        Ok(read)
    }

    /// The value of `@signature-params`: the inner list as RFC 9651 writes it. Where the caller wrote it so, as
    /// it should, these are the caller's own bytes.
    pub(super) fn write_parameters(&self, out: &mut String) {
        out.push('(');
        for (index, item) in self.components.iter().enumerate() {
            if index > 0 {
                out.push(' ');
            }
            structured::write_item(item, out);
        }
        out.push(')');
        structured::write_parameters(&self.parameters, out);
    }
}

/// What a signature says about itself (RFC 9421, section 2.3). Times are seconds since 1970, never negative.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parameters<'a> {
    /// `alg`: never what decides.
    pub algorithm: Option<Cow<'a, str>>,
    /// When it was made.
    pub created: Option<i64>,
    /// Until when it counts.
    pub expires: Option<i64>,
    /// By which key.
    pub key_id: Option<Cow<'a, str>>,
    /// Once only.
    pub nonce: Option<Cow<'a, str>>,
    /// For what.
    pub tag: Option<Cow<'a, str>>,
    /// For whom (`wimse-aud`).
    pub audience: Option<Cow<'a, str>>,
}

fn short<'a>(
    value: &BareItemFromInput<'a>,
    name: &'static str,
    most: usize,
) -> Result<Cow<'a, str>, SignatureError> {
    match value {
        BareItemFromInput::String(text) if text.as_str().len() > most => {
            Err(SignatureError::ParameterTooLong(name))
        }
        BareItemFromInput::String(text) => Ok(component::text(text)),
        _ => Err(SignatureError::ParameterType(name)),
    }
}

/// An integer (section 2.3), and no date of RFC 9651, which is younger.
fn seconds(value: &BareItemFromInput<'_>, name: &'static str) -> Result<i64, SignatureError> {
    match value {
        BareItemFromInput::Integer(seconds) => Ok(i64::from(*seconds)),
        _ => Err(SignatureError::ParameterType(name)),
    }
    .and_then(|seconds| match seconds {
        0.. => Ok(seconds),
        _ => Err(SignatureError::ParameterType(name)),
    })
}

fn dictionary<'a>(value: &'a str, name: &'static str) -> Result<Dictionary<'a>, SignatureError> {
    let bounds = Bounds {
        members: MAX_LABELS,
        items: MAX_COMPONENTS,
        parameters: MAX_PARAMETERS,
    };
    structured::dictionary(value, bounds).map_err(|fault| match fault {
        Fault::KeyTwice(label) => SignatureError::LabelRepeated(Excerpt::new(label)),
        Fault::Malformed => SignatureError::FieldMalformed(name),
        Fault::ParameterTwice(name) => SignatureError::ParameterRepeated(Excerpt::new(name)),
        Fault::TooMany("members") => SignatureError::TooMany("signatures"),
        Fault::TooMany(what) => SignatureError::TooMany(what),
    })
}

pub(super) const INPUT: &str = "signature-input";
pub(super) const SIGNATURE: &str = "signature";

/// Reads both fields out of these bytes, and writes the base of what is signed; what was read and written once
/// must read the same again.
pub(super) fn fuzz(data: &[u8]) {
    use super::digest::ContentDigest;
    use super::message::{Message, Request};

    let mut parts = data.splitn(4, |byte| *byte == 0);
    let mut headers = HeaderMap::new();
    for name in [INPUT, SIGNATURE, "content-digest", "x-field"] {
        let value = parts.next().map(http::HeaderValue::from_bytes);
        if let Some(Ok(value)) = value {
            headers.append(name, value);
        }
    }
    let _ = ContentDigest::of(&headers);
    let Ok(Some(fields)) = Fields::of(&headers) else {
        return;
    };
    let Ok(signatures) = Signatures::parse(&fields) else {
        return;
    };
    let request = Request {
        method: "POST",
        scheme: "https",
        authority: "agent.example",
        path: "/a2a",
        query: Some("a=1&b=%20&b"),
        target: None,
        headers: &headers,
    };
    let message = Message::Response {
        status: 200,
        headers: &headers,
        request: Some(request),
    };
    for signature in signatures.iter() {
        let mut written = String::new();
        signature.write_parameters(&mut written);
        let again = format!("a={written}");
        let read = dictionary(&again, INPUT);
        let same = matches!(&read, Ok(members) if matches!(members.as_slice(), [(_, member)] if {
            let mut text = String::new();
            structured::write_member(member, &mut text);
            text == written
        }));
        assert!(same, "`{written}` does not read as it was written");
        let _ = signature.parameters();
        if let Ok(components) = signature.components() {
            for message in [message, Message::Request(request)] {
                if let Ok(base) = super::base::write(&message, &components, &written) {
                    let lines = base.split('\n').count();
                    assert_eq!(lines, components.len() + 1, "a line for each component");
                }
            }
        }
    }
}
