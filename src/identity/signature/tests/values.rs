//! Values of components: the examples of RFC 9421, sections 2.1 to 2.4.

use http::HeaderMap;

use super::{Owned, components};
use crate::identity::signature::base::write;
use crate::identity::signature::{Message, Request, SignatureError};

fn value(message: &Owned, component: &str) -> Result<String, SignatureError> {
    value_in(&Message::Request(message.request()), component)
}

fn value_in(message: &Message<'_>, component: &str) -> Result<String, SignatureError> {
    let base = write(message, &components(&[component]), "()")?;
    let (line, params) = base.split_once('\n').unwrap();
    assert_eq!(params, "\"@signature-params\": ()");
    Ok(line.split_once(": ").unwrap().1.to_owned())
}

#[test]
fn fields_are_joined_trimmed_and_strict_on_demand() {
    let mut message = Owned::post("/", b"");
    message.field("x-ows-header", "   Leading and trailing whitespace.   ");
    message.field("cache-control", "max-age=60");
    message.field("cache-control", "   must-revalidate");
    message.field("x-empty", "");
    message.field("priority", "  a=1,    b=2;x=1;y=2,   c=(a   b   c)");
    message.field("x-dict", "a=?1, b;x=\"q\", c=(1 2);q=0.50");
    let cases = [
        ("x-ows-header", "Leading and trailing whitespace."),
        ("cache-control", "max-age=60, must-revalidate"),
        ("x-empty", ""),
        ("priority", "a=1,    b=2;x=1;y=2,   c=(a   b   c)"),
        ("priority;sf", "a=1, b=2;x=1;y=2, c=(a b c)"),
        ("priority;key=\"a\"", "1"),
        ("priority;key=\"b\"", "2;x=1;y=2"),
        ("priority;key=\"c\"", "(a b c)"),
        ("x-dict;key=\"a\"", "?1"),
        ("x-dict;key=\"b\"", "?1;x=\"q\""),
        ("x-dict;key=\"c\"", "(1 2);q=0.5"),
        ("x-empty;bs", "::"),
        (
            "cache-control;bs",
            ":bWF4LWFnZT02MA==:, :bXVzdC1yZXZhbGlkYXRl:",
        ),
        ("cache-control;sf", "max-age=60, must-revalidate"),
    ];
    for (component, expected) in cases {
        assert_eq!(
            value(&message, component).as_deref(),
            Ok(expected),
            "{component}"
        );
    }
}

#[test]
fn parts_of_the_request_are_as_the_sender_saw_them() {
    let mut message = Owned::post("/path?param=value&foo=bar&baz=batman&qux=", b"");
    message.authority = "WWW.Example.com:443".to_owned();
    let cases = [
        ("@method", "POST"),
        (
            "@target-uri",
            "https://www.example.com/path?param=value&foo=bar&baz=batman&qux=",
        ),
        ("@authority", "www.example.com"),
        ("@scheme", "https"),
        (
            "@request-target",
            "/path?param=value&foo=bar&baz=batman&qux=",
        ),
        ("@path", "/path"),
        ("@query", "?param=value&foo=bar&baz=batman&qux="),
        ("@query-param;name=\"baz\"", "batman"),
        ("@query-param;name=\"qux\"", ""),
        ("@query-param;name=\"param\"", "value"),
    ];
    for (component, expected) in cases {
        assert_eq!(
            value(&message, component).as_deref(),
            Ok(expected),
            "{component}"
        );
    }
    let mut bare = Owned::post("", b"");
    assert_eq!(value(&bare, "@path").as_deref(), Ok("/"));
    assert_eq!(value(&bare, "@query").as_deref(), Ok("?"));
    assert_eq!(
        value(&bare, "@target-uri").as_deref(),
        Ok("https://agent.example/")
    );
    bare.query = Some(String::new());
    assert_eq!(value(&bare, "@query").as_deref(), Ok("?"));
    assert_eq!(value(&bare, "@request-target").as_deref(), Ok("/?"));
    bare.scheme = "http".to_owned();
    bare.authority = "agent.example:443".to_owned();
    assert_eq!(
        value(&bare, "@authority").as_deref(),
        Ok("agent.example:443")
    );
    bare.authority = "[::1]:80".to_owned();
    assert_eq!(value(&bare, "@authority").as_deref(), Ok("[::1]"));
}

#[test]
fn query_parameters_have_one_encoding() {
    let query = "/parameters?var=this%20is%20a%20big%0Amultiline%20value&bar=with+plus+whitespace&fa%C3%A7ade%22%3A%20=something&tilde=~&bad=%FF&cut=%4&%41=x";
    let message = Owned::post(query, b"");
    let cases = [
        ("var", "this%20is%20a%20big%0Amultiline%20value"),
        ("bar", "with%20plus%20whitespace"),
        ("fa%C3%A7ade%22%3A%20", "something"),
        ("tilde", "%7E"),
        ("cut", "%254"),
        ("A", "x"),
    ];
    for (name, expected) in cases {
        let component = format!("@query-param;name=\"{name}\"");
        assert_eq!(
            value(&message, &component).as_deref(),
            Ok(expected),
            "{name}"
        );
    }
    let error = value(&message, "@query-param;name=\"bad\"").unwrap_err();
    assert!(
        matches!(error, SignatureError::ComponentValue(_)),
        "{error}"
    );
}

#[test]
fn a_response_covers_its_request() {
    let mut request = Owned::post("/foo?a=1", b"");
    request.field("signature", "sig1=:AAAA:, other=:BBBB:");
    let mut headers = HeaderMap::new();
    headers.insert("content-type", "application/json".parse().unwrap());
    let response = |request| Message::Response {
        status: 503,
        headers: &headers,
        request,
    };
    let seen: Request<'_> = request.request();
    let cases = [
        ("@status", "503"),
        ("content-type", "application/json"),
        ("@method;req", "POST"),
        ("@authority;req", "agent.example"),
        ("signature;req;key=\"sig1\"", ":AAAA:"),
    ];
    for (component, expected) in cases {
        assert_eq!(
            value_in(&response(Some(seen)), component).as_deref(),
            Ok(expected),
            "{component}"
        );
    }
    for (message, component) in [
        (response(Some(seen)), "@method"),
        (Message::Request(seen), "@status"),
        (Message::Request(seen), "@method;req"),
    ] {
        let error = value_in(&message, component).unwrap_err();
        assert!(
            matches!(error, SignatureError::ComponentMisplaced(_)),
            "{component}: {error}"
        );
    }
    let error = value_in(&response(None), "@method;req").unwrap_err();
    assert!(
        matches!(error, SignatureError::ComponentMissing(_)),
        "{error}"
    );
}
