//! Where a call wants news pushed to, out of JSON: within the configuration of a message, or as what is registered.
//!
//! All versions and both bindings are read alike, because agents read each other's shapes: the configuration is
//! `pushNotification` in 0.1 and in the protobuf of 0.3, `pushNotificationConfig` in 0.2 and 0.3, and
//! `taskPushNotificationConfig` in 1.0, where its members stand in the parameters themselves when it is registered.
//! Whatever is there twice, or in other letters, is refused.

use super::super::envelope::{is_member, is_spelling};
use super::super::json::{Flaw, Reader, Text, Token};
use super::{Method, ParamsError};
use crate::model::{Hook, Operation};

impl Method {
    /// Whether a call by this method may register where news go.
    pub(in super::super) fn may_register(self) -> bool {
        self.registers()
            || matches!(
                self.operation(),
                Operation::SendMessage | Operation::StreamMessage
            )
    }

    /// Whether it is for nothing else.
    fn registers(self) -> bool {
        self.canonical == "CreateTaskPushNotificationConfig"
    }

    /// The registration of a body that was found to be one document; `is_rpc` where it is a request of JSON-RPC and not
    /// the bare parameters.
    pub(in super::super) fn registration(
        self,
        body: &[u8],
        is_rpc: bool,
        depth: usize,
    ) -> Result<Option<Hook>, ParamsError> {
        if !self.may_register() || body.trim_ascii().is_empty() {
            return Ok(None);
        }
        if !self.registers() && !may_name_a_hook(body) {
            return Ok(None);
        }
        let params = match self.registers() {
            true => Level::Registered,
            false => Level::Sent,
        };
        let mut found = Found::default();
        let root = if is_rpc { Level::Request } else { params };
        found
            .fill(body, root, params, depth)
            .map_err(|_| ParamsError::Ambiguous)?;
        found.registration()
    }
}

/// Whether a member of a message may be a configuration of notifications: each is named by that word, in whatever letters.
/// Most messages have none, and to look for the word costs a fraction of reading them.
fn may_name_a_hook(body: &[u8]) -> bool {
    let is_named = |at: usize| {
        let before = body.get(..at).unwrap_or_default().iter().rev();
        let letters = before.filter(|byte| **byte != b'_').take(4);
        letters.map(u8::to_ascii_lowercase).eq(*b"iton")
    };
    memchr::memchr2_iter(b'f', b'F', body).any(is_named)
        // A name may be written with escapes, which only reading undoes.
        || memchr::memmem::find(body, b"\\u").is_some()
}

/// Where in the document we are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Level {
    Authentication,
    Config,
    Configuration,
    Other,
    /// The parameters of a method that registers.
    Registered,
    Request,
    Schemes,
    /// The parameters of a message.
    Sent,
}

/// A member that matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    Authentication,
    Config,
    Configuration,
    Credentials,
    /// The configuration that another one wraps.
    Inner,
    Params,
    Scheme,
    Schemes,
    Token,
    Url,
}

impl Level {
    const fn fields(self) -> &'static [(&'static str, Field)] {
        match self {
            Self::Authentication => &[
                ("credentials", Field::Credentials),
                ("scheme", Field::Scheme),
                ("schemes", Field::Schemes),
            ],
            Self::Config => &[
                ("authentication", Field::Authentication),
                ("config", Field::Inner),
                ("pushNotification", Field::Inner),
                ("pushNotificationConfig", Field::Inner),
                ("token", Field::Token),
                ("url", Field::Url),
            ],
            Self::Configuration => &[
                ("pushNotification", Field::Config),
                ("pushNotificationConfig", Field::Config),
                ("taskPushNotificationConfig", Field::Config),
            ],
            Self::Other | Self::Schemes => &[],
            Self::Registered => &[
                ("authentication", Field::Authentication),
                ("config", Field::Config),
                ("pushNotification", Field::Config),
                ("pushNotificationConfig", Field::Config),
                ("taskPushNotificationConfig", Field::Config),
                ("token", Field::Token),
                ("url", Field::Url),
            ],
            Self::Request => &[("params", Field::Params)],
            Self::Sent => &[
                ("configuration", Field::Configuration),
                ("pushNotification", Field::Config),
                ("pushNotificationConfig", Field::Config),
                ("taskPushNotificationConfig", Field::Config),
            ],
        }
    }
}

/// What was found.
#[derive(Debug, Default)]
struct Found<'a> {
    url: Option<Text<'a>>,
    token: Option<Text<'a>>,
    credentials: Option<Text<'a>>,
    schemes: Vec<Text<'a>>,
    seen: u16,
    is_ambiguous: bool,
    is_not_text: bool,
}

impl<'a> Found<'a> {
    fn fill(
        &mut self,
        body: &'a [u8],
        root: Level,
        params: Level,
        depth: usize,
    ) -> Result<(), Flaw> {
        let mut reader = Reader::new(body, depth)?;
        let mut levels: Vec<Level> = Vec::with_capacity(8);
        let mut member: Option<Field> = None;
        while let Some(token) = reader.next()? {
            let level = levels.last().copied();
            match token {
                Token::Key(key) => {
                    member = self.member(level.unwrap_or(Level::Other), key)?;
                    continue;
                }
                Token::ArrayEnd | Token::ObjectEnd => {
                    levels.pop();
                    continue;
                }
                Token::ArrayBegin => levels.push(match member {
                    Some(Field::Schemes) => Level::Schemes,
                    Some(_) => self.not_text(),
                    None => Level::Other,
                }),
                Token::ObjectBegin => levels.push(match (level, member) {
                    (None, _) => root,
                    (Some(_), Some(Field::Params)) => params,
                    (Some(_), Some(Field::Authentication)) => Level::Authentication,
                    (Some(_), Some(Field::Config | Field::Inner)) => Level::Config,
                    (Some(_), Some(Field::Configuration)) => Level::Configuration,
                    (Some(Level::Schemes), None) | (Some(_), Some(_)) => self.not_text(),
                    (Some(_), None) => Level::Other,
                }),
                Token::String(text) => self.take(level, member, text),
                Token::Null => {}
                Token::Bool | Token::Number(_) => {
                    if member.is_some() || level == Some(Level::Schemes) {
                        self.is_not_text = true;
                    }
                }
            }
            member = None;
        }
        Ok(())
    }

    fn not_text(&mut self) -> Level {
        self.is_not_text = true;
        Level::Other
    }

    fn member(&mut self, level: Level, key: Text<'_>) -> Result<Option<Field>, Flaw> {
        let fields = level.fields();
        if fields.is_empty() {
            return Ok(None);
        }
        let key = key.decode()?;
        let mut fields = fields.iter();
        let Some((name, field)) = fields.find(|(name, _)| is_spelling(&key, name)) else {
            return Ok(None);
        };
        let bit = 1 << (*field as u16);
        self.is_ambiguous |= self.seen & bit != 0 || !is_member(key.as_bytes(), name);
        self.seen |= bit;
        Ok(Some(*field))
    }

    fn take(&mut self, level: Option<Level>, member: Option<Field>, text: Text<'a>) {
        let value = Some(text);
        match member {
            Some(Field::Credentials) => self.credentials = value,
            Some(Field::Token) => self.token = value,
            Some(Field::Url) => self.url = value,
            Some(Field::Scheme) => self.schemes.push(text),
            // A scheme alone where a list is asked for: lenient readers take it.
            Some(Field::Schemes) => self.schemes.push(text),
            Some(_) => self.is_not_text = true,
            None if level == Some(Level::Schemes) => self.schemes.push(text),
            None => {}
        }
    }

    fn registration(self) -> Result<Option<Hook>, ParamsError> {
        if self.is_ambiguous {
            return Err(ParamsError::Ambiguous);
        }
        if self.is_not_text {
            return Err(ParamsError::HookNotText);
        }
        let decode = |text: Text<'a>| text.decode().map_err(|_| ParamsError::HookNotText);
        let read = |value: Option<Text<'a>>| {
            let text = value.map(decode).transpose()?;
            Ok::<_, ParamsError>(text.filter(|text| !text.is_empty()))
        };
        let Some(url) = read(self.url)? else {
            return Ok(None);
        };
        let token = read(self.token)?;
        let credentials = read(self.credentials)?;
        let schemes: Vec<_> = self
            .schemes
            .iter()
            .map(|text| decode(*text))
            .collect::<Result<_, _>>()?;
        let schemes = schemes
            .iter()
            .map(AsRef::as_ref)
            .filter(|scheme| !scheme.is_empty());
        let hook = Hook::new(&url, token.as_deref(), schemes, credentials.as_deref())?;
        Ok(Some(hook))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(method: &str, is_rpc: bool, body: &str) -> Result<Option<String>, ParamsError> {
        let method = Method::from_name(method).unwrap();
        let registration = method.registration(body.as_bytes(), is_rpc, 64)?;
        Ok(registration.map(|hook| {
            let secret = |secret: Option<crate::model::HookSecret>| {
                secret.map_or_else(|| "-".to_owned(), |secret| secret.reveal().to_owned())
            };
            let schemes = hook.schemes.join("+");
            let (token, credentials) = (secret(hook.token), secret(hook.credentials));
            format!("{} {token} {schemes} {credentials}", hook.url.as_str())
        }))
    }

    const CONFIG: &str = r#"{"id":"p","url":"https://c.example/h","token":"t","authentication":{"schemes":["Bearer"],"credentials":"s"}}"#;
    const FLAT: &str = r#""taskId":"t1","url":"https://c.example/h","token":"t","authentication":{"scheme":"Bearer","credentials":"s"}"#;

    #[test]
    fn every_shape_of_every_version_is_found() {
        for (method, params) in [
            (
                "tasks/send",
                format!(r#"{{"id":"t1","message":{{}},"pushNotification":{CONFIG}}}"#),
            ),
            (
                "tasks/pushNotification/set",
                format!(r#"{{"id":"t1","pushNotificationConfig":{CONFIG}}}"#),
            ),
            (
                "message/send",
                format!(
                    r#"{{"message":{{}},"configuration":{{"blocking":true,"pushNotificationConfig":{CONFIG}}}}}"#
                ),
            ),
            (
                "message/stream",
                format!(r#"{{"configuration":{{"push_notification":{CONFIG}}}}}"#),
            ),
            (
                "tasks/pushNotificationConfig/set",
                format!(r#"{{"taskId":"t1","pushNotificationConfig":{CONFIG}}}"#),
            ),
            (
                "SendMessage",
                format!(r#"{{"configuration":{{"taskPushNotificationConfig":{{{FLAT}}}}}}}"#),
            ),
            (
                "SendStreamingMessage",
                format!(r#"{{"configuration":{{"task_push_notification_config":{{{FLAT}}}}}}}"#),
            ),
            ("CreateTaskPushNotificationConfig", format!("{{{FLAT}}}")),
            (
                "CreateTaskPushNotificationConfig",
                format!(r#"{{"taskId":"t1","configId":"p","config":{CONFIG}}}"#),
            ),
            (
                "CreateTaskPushNotificationConfig",
                format!(
                    r#"{{"parent":"tasks/t1","config":{{"name":"n","pushNotificationConfig":{CONFIG}}}}}"#
                ),
            ),
        ] {
            let expected = Ok(Some("https://c.example/h t Bearer s".to_owned()));
            assert_eq!(read(method, false, &params), expected, "{method} {params}");
            let request =
                format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params}}}"#);
            assert_eq!(read(method, true, &request), expected, "{request}");
        }
    }

    #[test]
    fn the_word_is_found_in_whatever_letters() {
        for name in [
            "pushNotification",
            "PUSHNOTIFICATIONCONFIG",
            "task_push_no_ti_fication_config",
            r"pushNoti\u0066ication",
        ] {
            let body = format!(r#"{{"configuration":{{"{name}":{CONFIG}}}}}"#);
            assert!(may_name_a_hook(body.as_bytes()), "{body}");
            let plain = name == "pushNotification" || name.contains('\\');
            let read = read("SendMessage", false, &body);
            assert_eq!(read.is_ok(), plain, "{body} {read:?}");
        }
        assert!(!may_name_a_hook(
            br#"{"f":"if iton notion of fit","F":"\n"}"#
        ));
    }

    #[test]
    fn what_registers_nothing_has_none() {
        for (method, params) in [
            (
                "SendMessage",
                r#"{"message":{"parts":[{"url":"file:///x"}],"metadata":{"pushNotificationConfig":{"url":"x"}}}}"#,
            ),
            (
                "SendMessage",
                r#"{"configuration":{"taskPushNotificationConfig":null}}"#,
            ),
            ("SendMessage", r#"{"url":"x","token":"\n"}"#),
            ("GetTaskPushNotificationConfig", r#"{"url":"x"}"#),
            (
                "CreateTaskPushNotificationConfig",
                r#"{"taskId":"t","url":""}"#,
            ),
        ] {
            assert_eq!(read(method, false, params), Ok(None), "{params}");
        }
    }

    #[test]
    fn what_is_there_twice_or_in_other_letters_is_refused() {
        let twice = Err(ParamsError::Ambiguous);
        for (method, params) in [
            (
                "SendMessage",
                r#"{"configuration":{"taskPushNotificationConfig":{"url":"https://a.example/"},"pushNotificationConfig":{"url":"https://b.example/"}}}"#,
            ),
            (
                "SendMessage",
                r#"{"pushNotification":{"url":"https://a.example/"},"configuration":{"pushNotificationConfig":{"url":"https://b.example/"}}}"#,
            ),
            (
                "CreateTaskPushNotificationConfig",
                r#"{"url":"https://a.example/","pushNotificationConfig":{"url":"https://b.example/"}}"#,
            ),
            (
                "CreateTaskPushNotificationConfig",
                r#"{"URL":"https://a.example/"}"#,
            ),
            (
                "CreateTaskPushNotificationConfig",
                r#"{"url":"https://a.example/","Url":"https://b.example/"}"#,
            ),
            (
                "message/send",
                r#"{"configuration":{"PushNotificationConfig":{"url":"https://b.example/"}}}"#,
            ),
            (
                "message/send",
                r#"{"Configuration":{"pushNotificationConfig":{"url":"https://b.example/"}}}"#,
            ),
        ] {
            assert_eq!(read(method, false, params), twice, "{params}");
        }
        let no_text = Err(ParamsError::HookNotText);
        for params in [
            r#"{"url":["https://a.example/"]}"#,
            r#"{"url":{"href":"https://a.example/"}}"#,
            r#"{"url":17}"#,
            r#"{"pushNotificationConfig":"https://a.example/"}"#,
            r#"{"pushNotificationConfig":[{"url":"https://a.example/"}]}"#,
            r#"{"url":"https://a.example/","token":true}"#,
            r#"{"url":"https://a.example/","authentication":{"schemes":[{"a":"b"}]}}"#,
            r#"{"url":"https://\ud800.example/"}"#,
        ] {
            assert_eq!(
                read("CreateTaskPushNotificationConfig", false, params),
                no_text,
                "{params}"
            );
        }
    }
}
