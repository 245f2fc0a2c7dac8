//! Turns one HTTP request, in whatever dialect, into one `Call`, and a refusal into the caller's words.
//!
//! Owns the grammar of what callers send (paths, JSON-RPC, A2A and MCP over it, A2A over REST and over gRPC, model APIs), the
//! rendering of refusals ([`refusal`], [`terminal_event`], [`terminal_trailers`]) and the reading of ids, lists and cards out of
//! answers ([`Observer`], [`Listing`], [`Card`]), and the agent's own errors without what tells of its inside ([`Scrubber`]). It
//! judges nobody: whether a well-formed call may pass is the policy's business, who owns the task that
//! it names is the ledger's, and which status a refusal has is the proxy's. The bytes that were read
//! are the bytes to forward; nothing here rewrites them, but for a path where the policy asks for its normal
//! form ([`normalise_path`]), which is then what is judged.
//!
//! Other services of gRPC are judged as the plain HTTP that they are.

mod a2a;
mod arguments;
mod batch;
mod envelope;
mod extract;
mod fuzz;
mod fuzz_grpc;
mod head;
mod json;
mod listed;
mod listing;
mod llm;
mod mcp;
mod media;
mod message;
mod names;
mod normal;
mod observer;
mod overrides;
mod path;
mod reply;
mod routed;
mod rpc;
mod scrub;
mod sniff;
mod sse;
mod tunnelled;
mod usage;
mod version;

#[cfg(test)]
mod tests;

pub use a2a::card::{
    BaseUrl, Card, CardKind, CardSecurity, CardSignature, SecurityScheme, Told, UnreadableCard,
    canonical_json, uses_of_skill,
};
pub use arguments::{arguments, tool_call};
pub use batch::Part;
pub use fuzz::{fuzz_path, fuzz_read_call};
pub use fuzz_grpc::fuzz_grpc;
pub use head::{Body, Head, Malformed, http_action, is_grpc, read_head};
pub use listed::{Filter, ListEvents};
pub use listing::{Listing, UnreadableList, Viewer};
pub use mcp::begun_session;
pub use normal::normalise_path;
pub use observer::{Carrier, Learned, Observer};
pub use reply::{
    PublicError, Rendered, Voice, grpc_status, refusal, terminal_event, terminal_trailers,
};
pub use scrub::{Document, ErrorEvents, Scrubber, Words};
pub use tunnelled::{Heard, Reply, RpcKey, Said, Tunnelled};
pub use usage::{Usage, asked_tokens};
