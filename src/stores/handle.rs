//! The commands, over whatever connection there is.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use redis::aio::MultiplexedConnection;
use redis::{Cmd, RedisError, Value};
use tokio::sync::{Notify, Semaphore};

use crate::clock;

use super::address::Address;
use super::{AddressError, Config, IN_FLIGHT, Metrics, StoreError};

/// A Redis that processes share. A clone is another handle on the same connection.
///
/// [`Redis::keep`] connects, and has to run for there to be a connection; until then, and while there is none, commands
/// fail at once.
#[derive(Debug, Clone)]
pub struct Redis(pub(super) Arc<Inner>);

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) config: Config,
    pub(super) metrics: Metrics,
    pub(super) link: ArcSwap<Link>,
    /// A command failed in a way that the connection may be the cause of.
    pub(super) doubt: Notify,
    in_flight: Semaphore,
}

/// The connection, or why there is none.
#[derive(Debug)]
pub(super) enum Link {
    Connecting,
    Down(Arc<str>),
    Up(Up),
}

/// A connection that answers.
#[derive(Debug, Clone)]
pub(super) struct Up {
    pub(super) connection: MultiplexedConnection,
    /// Since when its data are whole, in seconds since 1970.
    pub(super) since: i64,
    /// What the operator should look at all the same.
    pub(super) trouble: Option<Arc<str>>,
}

/// How the connection is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// The first attempt to connect has not ended yet.
    Connecting,
    /// There is none, and why: part of a sentence that begins with "Redis".
    Down(Arc<str>),
    /// It answers, and somebody should look: the same.
    Troubled(Arc<str>),
    /// It answers.
    Up,
}

/// What became of a key that was to be set if it was not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Set {
    /// It was not there, since then at least, in seconds since 1970: the data are not older.
    Fresh {
        /// When the data began.
        since: i64,
    },
    /// It is there.
    Present,
}

impl Redis {
    /// Reads the address, and does not connect yet.
    ///
    /// # Errors
    /// When it cannot be had, or is none.
    pub fn new(config: Config, metrics: Metrics) -> Result<Self, AddressError> {
        let address = Address::read(&config)?;
        if address.is_exposed {
            tracing::warn!(
                redis.addr = %address,
                "what is said to Redis crosses the network in the clear, its password too; use rediss://"
            );
        }
        Ok(Self(Arc::new(Inner {
            config,
            metrics,
            link: ArcSwap::from_pointee(Link::Connecting),
            doubt: Notify::new(),
            in_flight: Semaphore::new(IN_FLIGHT),
        })))
    }

    /// How the connection is.
    pub fn state(&self) -> State {
        match &**self.0.link.load() {
            Link::Connecting => State::Connecting,
            Link::Down(why) => State::Down(Arc::clone(why)),
            Link::Up(up) => match &up.trouble {
                Some(why) => State::Troubled(Arc::clone(why)),
                None => State::Up,
            },
        }
    }

    /// Sets a key for so long, if it is not there. Of several who do so at once, one finds it absent.
    ///
    /// # Errors
    /// When the answer is not known; it may be set all the same.
    pub async fn set_if_absent(&self, key: &str, keep: Duration) -> Result<Set, StoreError> {
        let mut command = redis::cmd("SET");
        let command = command.arg(self.key(key)).arg(1).arg("NX");
        let command = command.arg("PX").arg(milliseconds(keep));
        match self.ask(command).await? {
            (Value::Okay, since) => Ok(Set::Fresh { since }),
            (Value::Nil, _) => Ok(Set::Present),
            (_, _) => Err(StoreError::Refused("no answer to SET".into())),
        }
    }

    /// What is under each of the keys, in their order.
    ///
    /// # Errors
    /// When the answer is not known.
    pub async fn look_up(&self, keys: &[String]) -> Result<Vec<Option<String>>, StoreError> {
        let mut command = redis::cmd("MGET");
        for key in keys {
            command.arg(self.key(key));
        }
        let (Value::Array(values), _) = self.ask(&command).await? else {
            return Err(StoreError::Refused("no answer to MGET".into()));
        };
        values.into_iter().map(text).collect()
    }

    /// Sets a key for so long if it is not there, and tells what is there if it is. Of several who do so at once, one sets it.
    ///
    /// # Errors
    /// When the answer is not known; it may be set all the same.
    pub async fn set_or_look_up(
        &self,
        key: &str,
        value: &str,
        keep: Duration,
    ) -> Result<Option<String>, StoreError> {
        // Not SET NX GET, which Redis knows from 7.0 on. A key that ends between the two is set by the second round.
        for _ in 0..2 {
            let mut command = redis::cmd("SET");
            command.arg(self.key(key)).arg(value).arg("NX");
            command.arg("PX").arg(milliseconds(keep));
            match self.ask(&command).await? {
                (Value::Okay, _) => return Ok(None),
                (Value::Nil, _) => {}
                (_, _) => return Err(StoreError::Refused("no answer to SET".into())),
            }
            let mut command = redis::cmd("GET");
            command.arg(self.key(key));
            if let Some(held) = text(self.ask(&command).await?.0)? {
                return Ok(Some(held));
            }
        }
        Err(StoreError::Refused("a key that comes and goes".into()))
    }

    /// Sets a key for so long.
    ///
    /// # Errors
    /// When the answer is not known; it may be set all the same.
    pub async fn set(&self, key: &str, value: &str, keep: Duration) -> Result<(), StoreError> {
        let mut command = redis::cmd("SET");
        command.arg(self.key(key)).arg(value);
        command.arg("PX").arg(milliseconds(keep));
        match self.ask(&command).await? {
            (Value::Okay, _) => Ok(()),
            (_, _) => Err(StoreError::Refused("no answer to SET".into())),
        }
    }

    /// A key of ours. All have one hash tag, so that a script may use several of them where Redis is a cluster.
    pub(super) fn key(&self, name: &str) -> String {
        format!("{{{}}}:{name}", self.0.config.prefix)
    }

    /// Sends a command, and tells since when the data are whole that it was answered from.
    async fn ask(&self, command: &Cmd) -> Result<(Value, i64), StoreError> {
        let began = clock::now();
        let asked = self.ask_once(command).await;
        match &asked {
            Ok(_) => {
                let took = clock::now().saturating_duration_since(began);
                self.0.metrics.answered(took.as_secs_f64());
            }
            Err(error) => {
                self.0.metrics.failed(error.as_str());
                if matches!(
                    error,
                    StoreError::Lost | StoreError::Refused(_) | StoreError::Slow
                ) {
                    self.0.doubt.notify_one();
                }
            }
        }
        asked
    }

    async fn ask_once(&self, command: &Cmd) -> Result<(Value, i64), StoreError> {
        let _place = self
            .0
            .in_flight
            .try_acquire()
            .map_err(|_| StoreError::Busy)?;
        // Taken out before the wait: the keeper may put another in its place meanwhile.
        let up = match &**self.0.link.load() {
            Link::Up(up) => up.clone(),
            Link::Connecting => return Err(StoreError::Down("is not connected yet".into())),
            Link::Down(why) => return Err(StoreError::Down(Arc::clone(why))),
        };
        let mut connection = up.connection;
        // The connection's own deadline is `COMMAND_DEADLINE`, from here to the answer.
        let answer = connection.send_packed_command(command).await;
        let answer = answer.and_then(Value::extract_error);
        Ok((answer.map_err(|error| failure(&error))?, up.since))
    }
}

fn milliseconds(keep: Duration) -> u64 {
    u64::try_from(keep.as_millis()).unwrap_or(u64::MAX).max(1)
}

fn text(value: Value) -> Result<Option<String>, StoreError> {
    match value {
        Value::Nil => Ok(None),
        Value::BulkString(bytes) => {
            let text = String::from_utf8(bytes);
            text.map(Some)
                .map_err(|_| StoreError::Refused("something that is no text".into()))
        }
        _ => Err(StoreError::Refused("no answer to GET".into())),
    }
}

/// What a failed command means for whoever sent it.
fn failure(error: &RedisError) -> StoreError {
    if error.is_timeout() {
        StoreError::Slow
    } else if let Some(code) = error.code() {
        StoreError::Refused(code.into())
    } else {
        StoreError::Lost
    }
}
