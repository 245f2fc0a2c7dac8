//! The signature base: what is signed, byte for byte (RFC 9421, section 2.5).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;

use super::component::{Component, Derived, Name};
use super::error::SignatureError;
use super::message::{Message, Request};
use super::structured::{self, Bounds, Member};

/// Writes the base of a message for these components. `parameters` is the value of `@signature-params`, inner
/// list and all.
///
/// # Errors
/// When the message does not have one of the components, or not once.
pub(super) fn write(
    message: &Message<'_>,
    components: &[Component<'_>],
    parameters: &str,
) -> Result<String, SignatureError> {
    // Components are short, and one allocation serves most requests.
    let mut base = String::with_capacity(512 + parameters.len());
    for component in components {
        component.write(&mut base);
        base.push_str(": ");
        let from = base.len();
        write_value(message, component, &mut base)?;
        let value = base.as_bytes().get(from..).unwrap_or_default();
        // A line break would begin another component, and what is not ASCII has more than one reading.
        if !value.iter().all(|byte| matches!(byte, b' '..=b'~' | b'\t')) {
            return Err(SignatureError::ComponentValue(component.excerpt()));
        }
        base.push('\n');
    }
    base.push_str("\"@signature-params\": ");
    base.push_str(parameters);
    Ok(base)
}

impl Component<'_> {
    /// The value of a field in this head, as it stands in a base.
    ///
    /// # Errors
    /// When it is not there, or not what the parameters say.
    pub fn value_of(
        headers: &HeaderMap,
        component: &Component<'_>,
    ) -> Result<String, SignatureError> {
        let mut value = String::new();
        write_field(headers, component.name(), component, &mut value)?;
        Ok(value)
    }
}

fn write_value(
    message: &Message<'_>,
    component: &Component<'_>,
    out: &mut String,
) -> Result<(), SignatureError> {
    let misplaced = || SignatureError::ComponentMisplaced(component.excerpt());
    let missing = || SignatureError::ComponentMissing(component.excerpt());
    let request = match (message, component.is_of_request()) {
        (Message::Request(_), true) => return Err(misplaced()),
        (Message::Request(request), false) => Some(request),
        (Message::Response { request, .. }, true) => Some(request.as_ref().ok_or_else(missing)?),
        (Message::Response { .. }, false) => None,
    };
    match (component.kind(), request) {
        (Name::Derived(Derived::Status), _) => match message {
            Message::Response { status, .. } => {
                out.push_str(itoa::Buffer::new().format(*status));
                Ok(())
            }
            Message::Request(_) => Err(misplaced()),
        },
        (Name::Derived(derived), Some(request)) => write_derived(request, *derived, component, out),
        (Name::Derived(_), None) => Err(misplaced()),
        (Name::Field(name), request) => {
            let headers = request.map_or_else(|| message.headers(), |request| request.headers);
            write_field(headers, name, component, out)
        }
    }
}

/// Section 2.2.
fn write_derived(
    request: &Request<'_>,
    derived: Derived,
    component: &Component<'_>,
    out: &mut String,
) -> Result<(), SignatureError> {
    let query = |out: &mut String| {
        if let Some(query) = request.query {
            out.push('?');
            out.push_str(query);
        }
    };
    match derived {
        Derived::Authority => out.push_str(&request.normal_authority()),
        Derived::Method => out.push_str(request.method),
        Derived::Path => out.push_str(request.normal_path()),
        Derived::Query => {
            out.push('?');
            out.push_str(request.query.unwrap_or_default());
        }
        Derived::QueryParam => return write_query_parameter(request, component, out),
        Derived::RequestTarget => match request.target {
            Some(target) => out.push_str(target),
            None => {
                out.push_str(request.normal_path());
                query(out);
            }
        },
        Derived::Scheme => out.push_str(request.scheme),
        Derived::Status => return Err(SignatureError::ComponentMisplaced(component.excerpt())),
        Derived::TargetUri => {
            out.push_str(request.scheme);
            out.push_str("://");
            out.push_str(&request.normal_authority());
            out.push_str(request.normal_path());
            query(out);
        }
    }
    Ok(())
}

/// Section 2.2.8: names and values are decoded as an HTML form is, and encoded again in the one way of the URL
/// standard, because senders encode differently.
fn write_query_parameter(
    request: &Request<'_>,
    component: &Component<'_>,
    out: &mut String,
) -> Result<(), SignatureError> {
    let wanted = component.query_name().unwrap_or_default();
    let from = out.len();
    let mut found = false;
    let mut name = String::new();
    for pair in request.query.unwrap_or_default().split('&') {
        if pair.is_empty() {
            continue;
        }
        let (raw_name, raw_value) = pair.split_once('=').unwrap_or((pair, ""));
        name.clear();
        let readable = reencode(raw_name, &mut name);
        if name != wanted {
            continue;
        }
        if found {
            out.truncate(from);
            return Err(SignatureError::QueryParameterRepeated(component.excerpt()));
        }
        found = true;
        if !(readable && reencode(raw_value, out)) {
            return Err(SignatureError::ComponentValue(component.excerpt()));
        }
    }
    match found {
        true => Ok(()),
        false => Err(SignatureError::ComponentMissing(component.excerpt())),
    }
}

/// Decodes `application/x-www-form-urlencoded`, and encodes what comes out. False if that is not UTF-8: the URL
/// standard replaces what it cannot read, and then several queries would have one signature.
fn reencode(text: &str, out: &mut String) -> bool {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let (byte, tail) = match (first, tail) {
            (b'%', [high, low, tail @ ..]) => match (hex(*high), hex(*low)) {
                (Some(high), Some(low)) => (high << 4 | low, tail),
                _ => (b'%', rest.get(1..).unwrap_or_default()),
            },
            (b'+', tail) => (b' ', tail),
            (byte, tail) => (*byte, tail),
        };
        decoded.push(byte);
        rest = tail;
    }
    for byte in &decoded {
        if byte.is_ascii_alphanumeric() || b"*-._".contains(byte) {
            out.push(char::from(*byte));
        } else {
            const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
            out.push('%');
            for digit in [byte >> 4, byte & 15] {
                out.push(
                    DIGITS
                        .get(usize::from(digit))
                        .copied()
                        .map_or('0', char::from),
                );
            }
        }
    }
    std::str::from_utf8(&decoded).is_ok()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|value| u8::try_from(value).ok())
}

/// Section 2.1.
fn write_field(
    headers: &HeaderMap,
    name: &str,
    component: &Component<'_>,
    out: &mut String,
) -> Result<(), SignatureError> {
    if !headers.contains_key(name) {
        return Err(SignatureError::ComponentMissing(component.excerpt()));
    }
    if component.has_bs() {
        write_bytes(headers, name, out);
        return Ok(());
    }
    if component.has_sf() || component.key().is_some() {
        let mut value = String::new();
        write_lines(headers, name, component, &mut value)?;
        return write_structured(&value, name, component, out);
    }
    write_lines(headers, name, component, out)
}

/// Lines of the same name, trimmed and joined (section 2.1, steps 1 to 5).
fn write_lines(
    headers: &HeaderMap,
    name: &str,
    component: &Component<'_>,
    out: &mut String,
) -> Result<(), SignatureError> {
    for (index, line) in headers.get_all(name).iter().enumerate() {
        let line = line
            .to_str()
            .map_err(|_| SignatureError::ComponentValue(component.excerpt()))?;
        if index > 0 {
            out.push_str(", ");
        }
        out.push_str(line.trim_matches([' ', '\t']));
    }
    Ok(())
}

/// Each line as bytes, so that where one ends and the next begins is covered as well (section 2.1.3).
fn write_bytes(headers: &HeaderMap, name: &str, out: &mut String) {
    for (index, line) in headers.get_all(name).iter().enumerate() {
        if index > 0 {
            out.push_str(", ");
        }
        out.push(':');
        STANDARD.encode_string(line.as_bytes().trim_ascii(), out);
        out.push(':');
    }
}

/// Sections 2.1.1 and 2.1.2.
fn write_structured(
    value: &str,
    name: &str,
    component: &Component<'_>,
    out: &mut String,
) -> Result<(), SignatureError> {
    let not_structured = || SignatureError::NotStructured(component.excerpt());
    if let Some(key) = component.key() {
        let members = structured::dictionary(value, FIELD_BOUNDS).map_err(|_| not_structured())?;
        let found = members.iter().find(|(name, _)| *name == key);
        let (_, member) =
            found.ok_or_else(|| SignatureError::MemberMissing(component.excerpt()))?;
        structured::write_member(member, out);
        return Ok(());
    }
    match field_type(name).ok_or_else(not_structured)? {
        FieldType::Dictionary => {
            let members =
                structured::dictionary(value, FIELD_BOUNDS).map_err(|_| not_structured())?;
            for (index, (key, member)) in members.iter().enumerate() {
                if index > 0 {
                    out.push_str(", ");
                }
                out.push_str(key);
                write_dictionary_value(member, out);
            }
        }
        FieldType::Item => {
            let item = structured::item(value, FIELD_BOUNDS).map_err(|_| not_structured())?;
            structured::write_item(&item, out);
        }
        FieldType::List => {
            let members = structured::list(value, FIELD_BOUNDS).map_err(|_| not_structured())?;
            for (index, member) in members.iter().enumerate() {
                if index > 0 {
                    out.push_str(", ");
                }
                structured::write_member(member, out);
            }
        }
    }
    Ok(())
}

/// RFC 9651, section 4.1.2: true is what stands where nothing does.
fn write_dictionary_value(member: &Member<'_>, out: &mut String) {
    match member {
        Member::Item(item) if matches!(item.value, sfv::BareItemFromInput::Boolean(true)) => {
            structured::write_parameters(&item.parameters, out);
        }
        member => {
            out.push('=');
            structured::write_member(member, out);
        }
    }
}

enum FieldType {
    Dictionary,
    Item,
    List,
}

/// `;sf` needs to know what a field is; of one that we do not know, two parties could believe different things.
fn field_type(name: &str) -> Option<FieldType> {
    match name {
        "accept-signature"
        | "cache-control"
        | "content-digest"
        | "priority"
        | "repr-digest"
        | "signature"
        | "signature-agent"
        | "signature-input"
        | "want-content-digest"
        | "want-repr-digest" => Some(FieldType::Dictionary),
        "age" | "client-cert" | "content-length" | "content-type" | "expect" | "origin" => {
            Some(FieldType::Item)
        }
        "accept" | "accept-encoding" | "accept-language" | "allow" | "cache-status"
        | "client-cert-chain" | "content-encoding" | "content-language" | "proxy-status" | "te"
        | "trailer" | "vary" | "via" => Some(FieldType::List),
        _ => None,
    }
}

/// Fields of other people have more members than signatures; a head is bounded, and so are these.
const FIELD_BOUNDS: Bounds = Bounds {
    members: 64,
    items: 64,
    parameters: 64,
};
