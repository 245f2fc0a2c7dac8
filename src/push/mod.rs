//! Where the news of tasks may be pushed to.
//!
//! A caller of A2A can tell the agent an address to which news of a task is posted, and the agent posts from where it
//! stands: behind the walls. Owns what an author lets such addresses be ([`Hooks`]), which addresses of IP are public
//! ([`address`]), and the look-up of names ([`Resolver`]). Leaves to others: finding the address in a call
//! (`protocol`), and saying no.

pub mod address;
mod config;
mod error;
mod hooks;
mod host;
mod resolver;

pub use config::{Config, Rules};
pub use error::PushError;
pub use hooks::Hooks;
pub use host::{HostPattern, HostPatternError};
pub use resolver::{Resolver, Unresolved};
