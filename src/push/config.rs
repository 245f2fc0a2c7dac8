//! What an author says of push notifications.

use std::sync::Arc;

use super::host::HostPattern;
use crate::model::RuleRef;

/// What is done with registrations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Config {
    /// They are checked.
    Check(Rules),
    /// They are refused, by this statement.
    Refuse(Arc<RuleRef>),
}

/// What a registration must be like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// The statement that says so.
    pub rule: Arc<RuleRef>,
    /// Whether news may travel without TLS.
    pub allows_http: bool,
    /// Whether it may travel over TLS.
    pub allows_https: bool,
    /// To whom it may go; `None` is anybody.
    pub hosts: Option<Vec<HostPattern>>,
    /// To which ports; `None` is all.
    pub ports: Option<Vec<u16>>,
    /// Whether addresses of private networks and of this machine are let through.
    pub allows_private: bool,
}
