//! lictor walks beside an AI agent and enforces its policy.
//!
//! One binary: a reverse proxy that terminates TLS, verifies who calls, decides whether they may,
//! meters what they use, and scans every answer while it streams. A call travels one way, and the
//! modules are that way. `ARCHITECTURE.md` is the map.

pub mod app;
pub mod cli;
pub mod quickstart;

pub mod clock;
pub mod drain;
pub mod heap;
pub mod model;
pub mod replacement;
pub mod telemetry;

pub mod http1;
pub mod listener;
pub mod protobuf;
pub mod tls;
pub mod websocket;

pub mod stores;

pub mod identity;
pub mod protocol;

pub mod ledger;
pub mod policy;
pub mod push;
pub mod quota;
pub mod upstream;

pub mod audit;
pub mod coding;
pub mod scan;

pub mod rehearsal;

pub mod proxy;

pub mod admin;
pub mod config;
