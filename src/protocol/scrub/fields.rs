//! Errors in the fields of gRPC (gRPC over HTTP/2, "Responses").

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use http::{HeaderMap, HeaderValue};

use crate::protobuf::{Fields, Wire};
use crate::protocol::reply::grpc;

use super::{Scrubber, Told, known_reason, shows_internals};

/// The statuses that are the agent's own fault: `UNKNOWN`, `DEADLINE_EXCEEDED`, `INTERNAL`, `UNAVAILABLE`, `DATA_LOSS`.
const OWN: &[u16] = &[2, 4, 13, 14, 15];

/// A message for those who debug (google.rpc.DebugInfo).
const DEBUG_INFO: &[u8] = b"google.rpc.DebugInfo";

impl Scrubber {
    /// Writes an error anew that stands in the fields of a head or in trailers; whether it did.
    pub fn fields(&self, fields: &mut HeaderMap) -> bool {
        let Some(status) = fields.get(grpc::STATUS) else {
            return false;
        };
        let status = status.to_str().ok().and_then(|text| text.parse().ok());
        let status: u16 = status.unwrap_or(UNKNOWN);
        if status == 0 {
            return false;
        }
        let details: Option<Vec<u8>> = fields.get(grpc::DETAILS).and_then(decode);
        let is_kept = !OWN.contains(&status)
            && fields.get_all(grpc::MESSAGE).iter().all(is_plain)
            && match fields.get_all(grpc::DETAILS).iter().count() {
                0 => true,
                1 => details.as_deref().is_some_and(|details| {
                    !shows_internals(details) && memchr::memmem::find(details, DEBUG_INFO).is_none()
                }),
                _ => false,
            };
        if is_kept {
            return false;
        }
        let known = details.as_deref().and_then(reason);
        let told = known.and_then(known_reason);
        let told = told.map_or_else(Told::default, |known| Told::by(known.code));
        let error = self.error(500, told);
        fields.remove(grpc::MESSAGE);
        fields.remove(grpc::DETAILS);
        for (name, value) in grpc::told(status, &error) {
            if let Ok(value) = HeaderValue::from_str(&value) {
                fields.insert(name, value);
            }
        }
        true
    }
}

const UNKNOWN: u16 = 2;

fn decode(value: &HeaderValue) -> Option<Vec<u8>> {
    let text = value.as_bytes().trim_ascii();
    let text = text.strip_suffix(b"=").unwrap_or(text);
    let text = text.strip_suffix(b"=").unwrap_or(text);
    STANDARD_NO_PAD.decode(text).ok()
}

/// Whether a message, percent-encoded, shows nothing.
fn is_plain(message: &HeaderValue) -> bool {
    let mut decoded = Vec::with_capacity(message.len());
    let mut rest = message.as_bytes();
    while let [first, tail @ ..] = rest {
        let hex = tail.first_chunk::<2>().filter(|_| *first == b'%');
        let byte = hex.and_then(|hex| {
            let digits = std::str::from_utf8(hex).ok()?;
            u8::from_str_radix(digits, 16).ok()
        });
        decoded.push(byte.unwrap_or(*first));
        rest = match byte {
            Some(_) => tail.get(2..).unwrap_or_default(),
            None => tail,
        };
    }
    !shows_internals(&decoded)
}

/// The reason of an ErrorInfo among the details of a `google.rpc.Status`.
fn reason(status: &[u8]) -> Option<&[u8]> {
    let details = Fields::of(status).filter_map(Result::ok);
    details
        .filter_map(|(number, wire)| match wire {
            Wire::Bytes(any) if number == 3 => Some(any),
            Wire::Bytes(_) | Wire::Fixed | Wire::Number(_) => None,
        })
        .filter_map(|any| field(any, 2))
        .find_map(|info| field(info, 1).filter(|reason| known_reason(reason).is_some()))
}

fn field(message: &[u8], wanted: u32) -> Option<&[u8]> {
    let mut fields = Fields::of(message).filter_map(Result::ok);
    fields.find_map(|(number, wire)| match wire {
        Wire::Bytes(bytes) if number == wanted => Some(bytes),
        Wire::Bytes(_) | Wire::Fixed | Wire::Number(_) => None,
    })
}
