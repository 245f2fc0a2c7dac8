//! What a request says of its body's type.

use http::HeaderValue;

/// What matters of a content type.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Media {
    /// It is JSON, by whatever name.
    pub(super) json: bool,
    /// It is JSON in a character set that we do not read. Some agents would decode it.
    pub(super) foreign_charset: bool,
    /// It is gRPC, by whatever coding of its messages.
    pub(super) grpc: bool,
    /// Every value says gRPC whose messages are protobuf.
    pub(super) protobuf: bool,
}

/// Reads all values of `Content-Type`. There should be one; where there are more, each counts, because
/// the agent may look at any.
pub(super) fn of<'a>(values: impl Iterator<Item = &'a HeaderValue>) -> Media {
    let mut media = Media::default();
    let mut foreign = false;
    let mut others = false;
    for value in values {
        if value == "application/json" {
            media.json = true;
            others = true;
            continue;
        }
        let text = String::from_utf8_lossy(value.as_bytes());
        let grpc = grpc(&text);
        media.grpc |= grpc.is_some();
        media.protobuf |= grpc == Some(true);
        others |= grpc != Some(true);
        let mut parts = text.split([';', ',']).map(str::trim);
        media.json |= parts.next().is_some_and(is_json);
        for part in parts {
            media.json |= is_json(part);
            foreign |= charset(part).is_some_and(|charset| !is_utf8(charset));
        }
    }
    media.foreign_charset = media.json && foreign;
    media.protobuf &= !others;
    media
}

/// Whether it is gRPC, and then whether its messages are protobuf: `application/grpc`, `+proto`, or another coding
/// (gRPC over HTTP/2, "Requests"). gRPC-Web is another protocol.
fn grpc(value: &str) -> Option<bool> {
    let essence = value.split(';').next().unwrap_or_default().trim();
    let essence = essence.to_ascii_lowercase();
    match essence.strip_prefix("application/grpc")? {
        "" | "+proto" => Some(true),
        coding => coding.starts_with('+').then_some(false),
    }
}

fn is_json(essence: &str) -> bool {
    let Some((_, subtype)) = essence.split_once('/') else {
        return false;
    };
    let subtype = subtype.to_ascii_lowercase();
    matches!(
        subtype.as_str(),
        "json" | "json-rpc" | "jsonrequest" | "x-json"
    ) || subtype.ends_with("+json")
}

fn charset(parameter: &str) -> Option<&str> {
    let (name, value) = parameter.split_once('=')?;
    let is_charset = name.trim().eq_ignore_ascii_case("charset");
    is_charset.then(|| value.trim().trim_matches(['"', '\'']))
}

fn is_utf8(charset: &str) -> bool {
    ["utf-8", "utf8", "us-ascii", "ascii"]
        .iter()
        .any(|name| charset.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_has_many_names() {
        let cases = [
            ("application/json", true, false),
            ("Application/JSON; charset=UTF-8", true, false),
            ("application/a2a+json", true, false),
            ("text/json", true, false),
            ("text/plain, application/json", true, false),
            ("application/json; charset=utf-16", true, true),
            ("application/json; charset=\"utf-7\"", true, true),
            ("text/plain; charset=utf-16", false, false),
            ("application/x-ndjson", false, false),
            ("json", false, false),
            ("", false, false),
        ];
        for (text, json, foreign_charset) in cases {
            let value = HeaderValue::from_static(text);
            let expected = Media {
                json,
                foreign_charset,
                ..Media::default()
            };
            assert_eq!(of([&value].into_iter()), expected, "{text}");
        }
    }
    #[test]
    fn grpc_has_codings_and_is_not_its_cousin_of_the_web() {
        let cases: &[(&[&str], bool, bool)] = &[
            (&["application/grpc"], true, true),
            (&["Application/gRPC; charset=utf-8"], true, true),
            (&["application/grpc+proto"], true, true),
            (&["application/grpc+json"], true, false),
            (&["application/grpc", "application/grpc"], true, true),
            (&["application/grpc", "text/plain"], true, false),
            (&["application/json", "application/grpc"], true, false),
            (&["application/grpc-web"], false, false),
            (&["application/grpc-web-text+proto"], false, false),
            (&["application/grpcx"], false, false),
            (&[], false, false),
        ];
        for (values, grpc, protobuf) in cases {
            let values: Vec<_> = values
                .iter()
                .copied()
                .map(HeaderValue::from_static)
                .collect();
            let media = of(values.iter());
            assert_eq!(
                (media.grpc, media.protobuf),
                (*grpc, *protobuf),
                "{values:?}"
            );
        }
    }
}
