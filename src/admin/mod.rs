//! The admin port: whether the process lives and can serve, and its metrics.
//!
//! Owns its own listener, which is never the data port, and [`Health`]. Answers `/livez`, `/readyz`,
//! `/startupz` and `/metrics` to everybody who reaches it, because it tells no tenant and no secret. What lies below
//! `/v1/` tells and changes more, and is for whoever shows the token: a [`Desk`] answers it. All else is 404. The agent shares our loopback and may be hostile, and a browser may be made to call
//! us: so the port checks `Host` and `Origin`, has its own small caps, and lets no number of idle
//! connections keep a probe out.
//!
//! Leaves to others to know their state: they hold a [`Control`], or are asked by a closure. Must do
//! nothing on the data path.

mod config;
mod desk;
mod error;
mod gate;
mod health;
mod reply;
mod server;
mod token;

pub use config::{Config, TokenSource};
pub use desk::{Asked, Desk, Told};
pub use error::{BindError, TokenError};
pub use health::{Condition, Control, Health};
pub use server::{Admin, Jwks, State};
