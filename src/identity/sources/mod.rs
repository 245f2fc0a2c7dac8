//! Where keys come from: documents in files and at addresses, read again while somebody uses them.

mod fetch;
mod line;
mod on_demand;
mod source;
mod store;

pub(super) use fetch::{Fetcher, Form, Origin, Reach, secret};
pub(super) use line::Lines;
pub(super) use on_demand::{Manner, OnDemand, Unfetched};
pub use source::SourceState;
#[cfg(test)]
pub(super) use source::Timing;
pub(super) use source::{Contents, Loaded, Source};
pub use store::KeyStore;
