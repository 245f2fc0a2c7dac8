//! From a request whose operation stands in method and path to its call.

use std::fmt::Display;

use super::a2a::grpc::{self, GrpcError};
use super::a2a::{ParamsError, rest};
use super::envelope::{self, Envelope, Shape};
use super::head::{Head, Malformed, Route};
use super::json::Flaw;
use super::llm;
use super::rpc::VERSION_AND_METHOD;
use super::sniff::{self, Opening};
use crate::model::{Action, Binding, Call, Dialect, Operation, Protocol, Reason, Refusal};

impl Head {
    pub(super) fn routed(
        self,
        route: &Route,
        body: &[u8],
        json_depth: usize,
    ) -> Result<Call, Malformed> {
        match route {
            Route::A2a(route) => self.a2a_over_rest(route, body, json_depth),
            Route::Grpc(route) => self.a2a_over_grpc(*route, body),
            Route::Llm(route) => self.prompt(route, body, json_depth),
        }
    }

    fn a2a_over_rest(
        self,
        route: &rest::Route,
        body: &[u8],
        json_depth: usize,
    ) -> Result<Call, Malformed> {
        let dialect = Dialect::A2a(route.method.version, Binding::Rest);
        if !self.asserted.agrees_with(route.method.version) {
            return Err(refuse(dialect, Reason::VersionMismatch, VERSION_AND_METHOD));
        }
        let envelope = document(body, |body| envelope::read_params(body, json_depth))
            .map_err(|wrong| refuse(dialect, Reason::MalformedRequest, wrong))?;
        if envelope.resembles_rpc() {
            let detail = "a request of JSON-RPC where the path is an operation already";
            return Err(refuse(dialect, Reason::VersionMismatch, detail));
        }
        let objects = route.objects(&envelope);
        let hook = || route.method.registration(body, false, json_depth);
        match objects.and_then(|objects| objects.and(hook()?)) {
            Ok(objects) => Ok(self.a2a_call(route.method, Binding::Rest, None, objects)),
            Err(error) => Err(refuse(dialect, Reason::MalformedRequest, error)),
        }
    }

    fn a2a_over_grpc(self, route: grpc::Route, body: &[u8]) -> Result<Call, Malformed> {
        let dialect = Dialect::A2a(route.method.version, Binding::Grpc);
        if !self.asserted.agrees_with(route.method.version) {
            return Err(refuse(dialect, Reason::VersionMismatch, VERSION_AND_METHOD));
        }
        match route.objects(body) {
            Ok(objects) => Ok(self.a2a_call(route.method, Binding::Grpc, None, objects)),
            Err(error @ GrpcError::Compressed) => {
                Err(refuse(dialect, Reason::UnsupportedCoding, error))
            }
            Err(error) => Err(refuse(dialect, Reason::MalformedRequest, error)),
        }
    }

    /// What a model is asked.
    fn prompt(self, route: &llm::Route, body: &[u8], json_depth: usize) -> Result<Call, Malformed> {
        let dialect = Dialect::Llm(route.api);
        let envelope = document(body, |body| envelope::read_prompt(body, json_depth))
            .map_err(|wrong| refuse(dialect, Reason::MalformedRequest, wrong))?;
        let name = route
            .model(&envelope)
            .map_err(|error| refuse(dialect, Reason::MalformedRequest, error))?;
        Ok(Call {
            http: Some(self.http_action()),
            action: Action {
                name,
                ..Action::known(Protocol::Llm, route.method())
            },
            operation: Operation::Other,
            dialect,
            rpc_id: None,
            task: None,
            references: Vec::new(),
            context: None,
            session: None,
            hook: None,
            addressed: None,
        })
    }
}

/// Why a body is no object that every reader reads alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
enum Wrong {
    #[error(transparent)]
    Flaw(#[from] Flaw),
    #[error("{}", ParamsError::NotAnObject)]
    NotAnObject,
}

/// What the body says; nothing where there is none.
fn document<'a>(
    body: &'a [u8],
    read: impl FnOnce(&'a [u8]) -> (Envelope<'a>, Option<Flaw>),
) -> Result<Envelope<'a>, Wrong> {
    if body.trim_ascii().is_empty() {
        return Ok(Envelope::default());
    }
    if sniff::opening(body) == Opening::Wide {
        return Err(Flaw::NotUtf8.into());
    }
    match read(body) {
        (_, Some(flaw)) => Err(flaw.into()),
        (envelope, None) if envelope.shape == Shape::Object => Ok(envelope),
        (_, None) => Err(Wrong::NotAnObject),
    }
}

fn refuse(dialect: Dialect, reason: Reason, detail: impl Display) -> Malformed {
    Malformed {
        refusal: Refusal::new(reason).detail(detail),
        dialect,
        rpc_id: None,
        code: None,
    }
}
