//! `http`: which header fields travel, and which web pages may ask.

use std::time::Duration;

use http::Method;
use http::header::HeaderName;

use super::a2a_tenant::{self, RawTenant};
use super::agent_card::{self, RawCard};
use super::push::{self, RawPush};
use super::resource::{self, RawResource};
use super::signing;
use super::{defined_twice, rule_ref, set};
use crate::config::decode::{self, Fields, bad_value};
use crate::config::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::config::language::policy::{
    AGENT_ERRORS, CORS, HTTP, JSON_RPC_STATUS, PATHS, RATE_LIMIT_FIELDS, SECURITY_HEADERS, SERVER,
    TRACE_CONTEXT,
};
use crate::config::source::Span;
use crate::config::tree::{Entry, Node, quoted};
use crate::identity::AnswerSigning;
use crate::proxy::hygiene::{
    Config, CorsConfig, Direction, FieldPattern, FieldPatternError, Guard, Origin, Origins, Paths,
    RateLimitFields, RpcStatus, Security, TraceContext,
};

/// `http` as it is written, in all files together.
#[derive(Default)]
pub(super) struct RawHttp {
    tenant: Option<(Span, RawTenant)>,
    agent_card: Option<(Span, RawCard)>,
    cors: Option<(Span, RawCors)>,
    origins: Option<(Span, Vec<Placed<Origin>>)>,
    security: Option<(Span, Security)>,
    remove_request: Vec<Placed<FieldPattern>>,
    remove_response: Vec<Placed<FieldPattern>>,
    hides_server: Option<(Span, bool)>,
    paths: Option<(Span, Paths)>,
    trace_context: Option<(Span, TraceContext)>,
    rpc_status: Option<(Span, RpcStatus)>,
    rate_limit_fields: Option<(Span, RateLimitFields)>,
    passes_agent_errors: Option<(Span, bool)>,
    protected_resource: Option<(Span, RawResource)>,
    push: Option<(Span, RawPush)>,
    sign_responses: Option<(Span, AnswerSigning)>,
}

type Placed<T> = (T, Span);

/// `cors` as it is written. A list that is not written is `None`.
struct RawCors {
    // `None` is `*`.
    origins: Option<Vec<Placed<Origin>>>,
    methods: Option<Vec<Placed<Method>>>,
    headers: Option<Vec<Placed<HeaderName>>>,
    expose: Vec<Placed<HeaderName>>,
    credentials: bool,
    max_age: Option<Duration>,
}

/// Browsers look again after a day, whatever they are told.
const MAX_AGE: Duration = Duration::from_secs(86_400);

/// More pages than anybody could review.
const MAX_ORIGINS: usize = 1024;

/// What clients of agents send, where the policy does not say.
const DEFAULT_METHODS: &[Method] = &[Method::GET, Method::HEAD, Method::POST];
const DEFAULT_HEADERS: &[&str] = &[
    "a2a-extensions",
    "a2a-version",
    "authorization",
    "content-type",
    "last-event-id",
    "mcp-method",
    "mcp-name",
    "mcp-protocol-version",
    "mcp-session-id",
    "traceparent",
    "tracestate",
    "x-request-id",
];

impl RawHttp {
    pub(super) fn read(&mut self, section: &Entry, report: &mut Diagnostics) {
        let at = Some(section.key.span);
        let Some(mut fields) = Fields::of(&HTTP, &section.value, "`http`", at, report) else {
            return;
        };
        if fields.is_empty(report) {
            return;
        }
        if let Some(entry) = fields.take("a2aTenant") {
            let tenant = a2a_tenant::read(entry, report);
            set(&mut self.tenant, entry, tenant, report);
        }
        if let Some(entry) = fields.take("agentCard") {
            let card = agent_card::read(entry, report);
            set(&mut self.agent_card, entry, card, report);
        }
        if let Some(entry) = fields.take("cors") {
            let cors = read_cors(entry, report);
            set(&mut self.cors, entry, cors, report);
        }
        if let Some(entry) = fields.take("origins") {
            let origins = read_guard(entry, report);
            set(&mut self.origins, entry, origins, report);
        }
        if let Some(entry) = fields.take("protectedResource") {
            let read = resource::read(entry, report);
            set(&mut self.protected_resource, entry, read, report);
        }
        if let Some(entry) = fields.take("push") {
            let read = push::read(entry, report);
            set(&mut self.push, entry, read, report);
        }
        if let Some(entry) = fields.take("signResponses") {
            let read = signing::read(entry, report);
            set(&mut self.sign_responses, entry, read, report);
        }
        self.read_words(&mut fields, report);
        let removals = [
            (
                "removeRequestHeaders",
                Direction::Request,
                &mut self.remove_request,
            ),
            (
                "removeResponseHeaders",
                Direction::Response,
                &mut self.remove_response,
            ),
        ];
        for (name, direction, patterns) in removals {
            if let Some(entry) = fields.take(name) {
                read_removal(entry, direction, patterns, report);
            }
        }
        fields.finish(report);
    }

    fn read_words(&mut self, fields: &mut Fields<'_>, report: &mut Diagnostics) {
        if let Some(entry) = fields.take("securityHeaders") {
            let words = [
                ("strict", Security::Strict),
                ("basic", Security::Basic),
                ("off", Security::Off),
            ];
            let word = decode::word(
                &entry.value,
                "`securityHeaders`",
                SECURITY_HEADERS,
                &words,
                report,
            );
            set(&mut self.security, entry, word, report);
        }
        if let Some(entry) = fields.take("server") {
            let words = [("hide", true), ("pass", false)];
            let word = decode::word(&entry.value, "`server`", SERVER, &words, report);
            set(&mut self.hides_server, entry, word, report);
        }
        if let Some(entry) = fields.take("agentErrors") {
            let words = [("scrub", false), ("pass", true)];
            let word = decode::word(&entry.value, "`agentErrors`", AGENT_ERRORS, &words, report);
            set(&mut self.passes_agent_errors, entry, word, report);
        }
        if let Some(entry) = fields.take("paths") {
            let words = [("refuse", Paths::Refuse), ("normalise", Paths::Normalise)];
            let word = decode::word(&entry.value, "`paths`", PATHS, &words, report);
            set(&mut self.paths, entry, word, report);
        }
        if let Some(entry) = fields.take("traceContext") {
            let words = [
                ("continue", TraceContext::Continue),
                ("restart", TraceContext::Restart),
            ];
            let word = decode::word(
                &entry.value,
                "`traceContext`",
                TRACE_CONTEXT,
                &words,
                report,
            );
            set(&mut self.trace_context, entry, word, report);
        }
        if let Some(entry) = fields.take("jsonRpcStatus") {
            let words = [("http", RpcStatus::Http), ("ok", RpcStatus::Ok)];
            let word = decode::word(
                &entry.value,
                "`jsonRpcStatus`",
                JSON_RPC_STATUS,
                &words,
                report,
            );
            set(&mut self.rpc_status, entry, word, report);
        }
        if let Some(entry) = fields.take("rateLimitFields") {
            let words = [
                ("standard", RateLimitFields::Standard),
                ("both", RateLimitFields::Both),
            ];
            let what = "`rateLimitFields`";
            let word = decode::word(&entry.value, what, RATE_LIMIT_FIELDS, &words, report);
            set(&mut self.rate_limit_fields, entry, word, report);
        }
    }

    /// What signs answers, if they are signed.
    pub(super) fn answer_signing(&self) -> Option<AnswerSigning> {
        let (_, answers) = self.sign_responses.as_ref()?;
        Some(answers.clone())
    }

    /// What callers are told of the agent, if that is said.
    pub(super) const fn agent_card(&self) -> Option<&(Span, RawCard)> {
        self.agent_card.as_ref()
    }

    /// What is said of push notifications.
    pub(super) const fn push(&self) -> Option<&(Span, RawPush)> {
        self.push.as_ref()
    }

    /// Where clients find out who issues tokens, if that is said.
    pub(super) const fn protected_resource(&self) -> Option<&(Span, RawResource)> {
        self.protected_resource.as_ref()
    }

    pub(super) fn check(self, report: &mut Diagnostics) -> Config {
        self.check_origins(report);
        self.check_removals(report);
        let default = Config::default();
        let patterns = |placed: Vec<Placed<FieldPattern>>| {
            placed.into_iter().map(|(pattern, _)| pattern).collect()
        };
        Config {
            cors: self.cors.map(|(span, cors)| CorsConfig {
                rule: rule_ref("cors", span, report),
                origins: cors.origins.map_or(Origins::Any, listed),
                methods: plain(cors.methods).unwrap_or_else(|| DEFAULT_METHODS.to_vec()),
                headers: plain(cors.headers).unwrap_or_else(default_headers),
                expose: plain(Some(cors.expose)).unwrap_or_default(),
                credentials: cors.credentials,
                max_age: cors.max_age,
            }),
            origins: self.origins.map(|(span, origins)| Guard {
                rule: rule_ref("origins", span, report),
                origins: listed(origins),
            }),
            security: value(self.security).unwrap_or(default.security),
            remove_request: patterns(self.remove_request),
            remove_response: patterns(self.remove_response),
            hides_server: value(self.hides_server).unwrap_or(default.hides_server),
            paths: value(self.paths).unwrap_or(default.paths),
            trace_context: value(self.trace_context).unwrap_or(default.trace_context),
            rpc_status: value(self.rpc_status).unwrap_or(default.rpc_status),
            rate_limit_fields: value(self.rate_limit_fields).unwrap_or(default.rate_limit_fields),
            tenant: a2a_tenant::check(self.tenant, report),
            passes_agent_errors: value(self.passes_agent_errors)
                .unwrap_or(default.passes_agent_errors),
        }
    }

    /// What `cors` invites, `origins` must not turn away.
    fn check_origins(&self, report: &mut Diagnostics) {
        let (Some((cors_at, cors)), Some((guard_at, guard))) = (&self.cors, &self.origins) else {
            return;
        };
        let Some(invited) = &cors.origins else {
            let title = "`cors` lets every origin read, and `origins` lets only some of them call";
            report.push(
                Diagnostic::error(Code::Contradiction, title)
                    .at(*cors_at, "")
                    .also(*guard_at, ""),
            );
            return;
        };
        for (origin, at) in invited {
            if !guard.iter().any(|(listed, _)| listed == origin) {
                let title = format_args!(
                    "{} may read answers by `cors`, and may not call by `origins`",
                    quoted(origin.as_str())
                );
                report.push(
                    Diagnostic::error(Code::Contradiction, title)
                        .at(*at, "")
                        .also(*guard_at, "list it here too"),
                );
            }
        }
    }

    /// What is removed can neither be sent by a page nor read by it.
    fn check_removals(&self, report: &mut Diagnostics) {
        let Some((_, cors)) = &self.cors else { return };
        let sent = cors.headers.iter().flatten();
        let sent = sent.map(|named| (named, &self.remove_request, "sent"));
        let read = cors.expose.iter();
        let read = read.map(|named| (named, &self.remove_response, "read"));
        for ((name, at), removed, what) in sent.chain(read) {
            let covering = removed
                .iter()
                .find(|(pattern, _)| pattern.covers(name.as_str()));
            if let Some((_, removed_at)) = covering {
                let title = format_args!("`{name}` may be {what} by `cors`, and is removed");
                report.push(
                    Diagnostic::error(Code::Contradiction, title)
                        .at(*at, "")
                        .also(*removed_at, "here"),
                );
            }
        }
    }
}

fn value<T>(setting: Option<(Span, T)>) -> Option<T> {
    setting.map(|(_, value)| value)
}

fn plain<T>(placed: Option<Vec<Placed<T>>>) -> Option<Vec<T>> {
    placed.map(|placed| placed.into_iter().map(|(value, _)| value).collect())
}

fn listed(origins: Vec<Placed<Origin>>) -> Origins {
    Origins::listed(origins.into_iter().map(|(origin, _)| origin))
}

fn default_headers() -> Vec<HeaderName> {
    let names = DEFAULT_HEADERS.iter();
    names.map(|name| HeaderName::from_static(name)).collect()
}

fn read_cors(section: &Entry, report: &mut Diagnostics) -> Option<RawCors> {
    let at = Some(section.key.span);
    let mut fields = Fields::of(&CORS, &section.value, "`cors`", at, report)?;
    let origins = fields.require("origins", report);
    let mut cors = RawCors {
        origins: Some(Vec::new()),
        methods: None,
        headers: None,
        expose: Vec::new(),
        credentials: false,
        max_age: None,
    };
    // Where any is meant by a star.
    let mut stars = Vec::new();
    if let Some(entry) = origins {
        match star(&entry.value) {
            Some(at) => {
                cors.origins = None;
                stars.push(at);
            }
            None => cors.origins = Some(read_origins(&entry.value, "`origins`", report)),
        }
    }
    if let Some(entry) = fields.take("methods") {
        cors.methods = Some(read_methods(&entry.value, &mut stars, report));
    }
    if let Some(entry) = fields.take("headers") {
        cors.headers = Some(read_names(&entry.value, "`headers`", &mut stars, report));
    }
    if let Some(entry) = fields.take("exposeHeaders") {
        cors.expose = read_names(&entry.value, "`exposeHeaders`", &mut stars, report);
    }
    if let Some(entry) = fields.take("credentials") {
        let credentials = decode::boolean(&entry.value, "`credentials`", report);
        cors.credentials = credentials.unwrap_or(false);
        if cors.credentials {
            refuse_stars(&stars, entry.key.span, report);
        }
    }
    if let Some(entry) = fields.take("maxAge") {
        cors.max_age = decode::duration(&entry.value, "`maxAge`", report);
        if cors.max_age.is_some_and(|age| age > MAX_AGE) {
            report.push(bad_value(
                &entry.value,
                "`maxAge`",
                "at most `1d`, after which browsers ask again",
            ));
        }
    }
    fields.finish(report);
    Some(cors)
}

/// With credentials a star is the name `*` and nothing else (Fetch, section 3.2.5), and that is what nobody means.
fn refuse_stars(stars: &[Span], credentials: Span, report: &mut Diagnostics) {
    for star in stars {
        let title = "`*` does not go with `credentials`";
        report.push(
            Diagnostic::error(Code::Contradiction, title)
                .at(*star, "list what is meant")
                .also(credentials, "")
                .note("every page of the web could call in the name of whoever visits it"),
        );
    }
}

/// Where `*` stands, if it stands alone.
fn star(node: &Node) -> Option<Span> {
    let nodes = match &*node.kind {
        crate::config::tree::Kind::List(items) => items.as_slice(),
        _ => std::slice::from_ref(node),
    };
    match nodes {
        [only] if is_star(only) => Some(only.span),
        _ => None,
    }
}

fn is_star(node: &Node) -> bool {
    matches!(&*node.kind, crate::config::tree::Kind::Text { text, .. } if text == "*")
}

fn read_guard(entry: &Entry, report: &mut Diagnostics) -> Option<Vec<Placed<Origin>>> {
    if let Some(at) = star(&entry.value) {
        let title = "`origins` guards against nothing if it lists `*`";
        report.push(
            Diagnostic::error(Code::NeverMatches, title)
                .at(at, "")
                .help("list the origins that may call, or leave it out"),
        );
        return None;
    }
    Some(read_origins(&entry.value, "`origins`", report))
}

fn read_origins(node: &Node, what: &str, report: &mut Diagnostics) -> Vec<Placed<Origin>> {
    let texts = decode::texts(node, what, report);
    if texts.len() > MAX_ORIGINS {
        report.push(bad_value(
            node,
            what,
            format_args!("at most {MAX_ORIGINS} origins"),
        ));
    }
    let mut origins: Vec<Placed<Origin>> = Vec::new();
    for (text, span) in texts {
        match Origin::parse(text) {
            Ok(origin) => match origins.iter().find(|(other, _)| *other == origin) {
                Some((_, first)) => {
                    report.push(defined_twice(
                        &format!("origin {}", quoted(text)),
                        span,
                        *first,
                    ));
                }
                None => origins.push((origin, span)),
            },
            Err(error) => {
                let title = format_args!("{} is not an origin: {error}", quoted(text));
                let diagnostic = Diagnostic::error(Code::BadValue, title);
                report.push(match error.suggestion() {
                    Some(meant) => {
                        diagnostic.at(span, format_args!("did you mean {}?", quoted(meant)))
                    }
                    None => diagnostic.at(span, ""),
                });
            }
        }
    }
    origins
}

fn read_methods(
    node: &Node,
    stars: &mut Vec<Span>,
    report: &mut Diagnostics,
) -> Vec<Placed<Method>> {
    let mut methods = Vec::new();
    for (text, span) in decode::texts(node, "`methods`", report) {
        if text == "*" {
            stars.push(span);
        }
        let plain = |byte: u8| byte.is_ascii_uppercase() || byte == b'-';
        match Method::from_bytes(text.as_bytes()) {
            Ok(method) if text == "*" || text.bytes().all(plain) => methods.push((method, span)),
            Ok(_) | Err(_) => {
                let title = format_args!("{} is not a method", quoted(text));
                let meant = text.to_ascii_uppercase();
                let diagnostic = Diagnostic::error(Code::BadValue, title);
                report.push(match meant.bytes().all(plain) {
                    true => diagnostic.at(span, format_args!("did you mean `{meant}`?")),
                    false => diagnostic.at(span, ""),
                });
            }
        }
    }
    methods
}

fn read_names(
    node: &Node,
    what: &str,
    stars: &mut Vec<Span>,
    report: &mut Diagnostics,
) -> Vec<Placed<HeaderName>> {
    let mut names = Vec::new();
    for (text, span) in decode::texts(node, what, report) {
        if text == "*" {
            stars.push(span);
        }
        match HeaderName::from_bytes(text.as_bytes()) {
            Ok(name) if text == "*" || !text.contains('*') => names.push((name, span)),
            Ok(_) => {
                let title = format_args!("{what}: {} is not the name of a field", quoted(text));
                report.push(
                    Diagnostic::error(Code::BadValue, title)
                        .at(span, "")
                        .help("browsers know no patterns: list the names"),
                );
            }
            Err(_) => {
                let title = format_args!("{what}: {} is not the name of a field", quoted(text));
                report.push(Diagnostic::error(Code::BadValue, title).at(span, ""));
            }
        }
    }
    names
}

/// Files add up: what several of them remove is removed once.
fn read_removal(
    entry: &Entry,
    direction: Direction,
    patterns: &mut Vec<Placed<FieldPattern>>,
    report: &mut Diagnostics,
) {
    let what = quoted(&entry.key.text);
    for (text, span) in decode::texts(&entry.value, &what, report) {
        match FieldPattern::parse(text, direction) {
            Ok(pattern) => {
                if !patterns.iter().any(|(other, _)| *other == pattern) {
                    patterns.push((pattern, span));
                }
            }
            Err(error @ FieldPatternError::NotAName) => {
                let title = format_args!("{what}: {} cannot be removed: {error}", quoted(text));
                report.push(Diagnostic::error(Code::BadValue, title).at(span, ""));
            }
            Err(error @ FieldPatternError::Needed(_)) => {
                let title = format_args!("{what}: {} cannot be removed: {error}", quoted(text));
                report.push(
                    Diagnostic::error(Code::BadValue, title)
                        .at(span, "")
                        .help("name the fields more closely, for example `x-internal-*`"),
                );
            }
        }
    }
}
