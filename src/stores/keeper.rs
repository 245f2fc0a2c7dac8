//! Connects, looks after the connection, and connects again.

use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Cmd, ErrorKind, RedisError};
use tokio::task;

use crate::clock;
use crate::drain::Guard;

use super::address::Address;
use super::handle::{Link, Redis, Up};
use super::{COMMAND_DEADLINE, IN_FLIGHT};

/// How long a connection may take: name, TCP, TLS and password.
const CONNECT_DEADLINE: Duration = Duration::from_secs(1);

/// How often a connection is asked whether it is well, besides whenever a command fails. It is also for how long a flush
/// of all data may go unnoticed.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How much clocks may differ, in seconds.
const MAX_AHEAD: i64 = 30;

/// The wait between attempts to connect: it doubles from one to the other.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

impl Redis {
    /// Keeps a connection until the drain. It wants a thread of its own: what shares a thread with it, answers wait for.
    pub async fn keep(self, mut guard: Guard) {
        tokio::select! {
            () = self.reconnect() => {}
            () = guard.draining() => {}
        }
    }

    async fn reconnect(&self) {
        let mut pause = FIRST_PAUSE;
        let mut known: Option<Arc<str>> = None;
        loop {
            let connected = self.connect().await;
            let why: Arc<str> = match connected {
                Ok((address, up)) => {
                    tracing::info!(redis.addr = %address, "connected to Redis");
                    (pause, known) = (FIRST_PAUSE, None);
                    self.watch(up).await.into()
                }
                Err(why) => why.into(),
            };
            self.0.metrics.up.set(0);
            self.0.link.store(Arc::new(Link::Down(Arc::clone(&why))));
            // It is tried again and again; one message for one fact.
            if known.as_ref() != Some(&why) {
                tracing::error!("Redis {why}; what needs it is refused until it is back");
                known = Some(why);
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// A connection that has answered.
    async fn connect(&self) -> Result<(Address, Up), String> {
        let config = self.0.config.clone();
        let address = task::spawn_blocking(move || Address::read(&config));
        let address = address
            .await
            .map_err(|_| "cannot be looked up".to_owned())?;
        let address = address.map_err(|error| format!("has no address: {error}"))?;
        let settings = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_DEADLINE))
            .set_response_timeout(Some(COMMAND_DEADLINE))
            .set_pipeline_buffer_size(IN_FLIGHT);
        let connecting = address
            .client
            .get_multiplexed_async_connection_with_config(&settings);
        let mut connection = connecting
            .await
            .map_err(|error| unreached(&address, &error))?;
        let since = self.look(&mut connection).await?;
        let trouble = self.trouble(&mut connection, since).await;
        if let Some(trouble) = &trouble {
            tracing::warn!(redis.addr = %address, "Redis {trouble}");
        }
        Ok((
            address,
            Up {
                connection,
                since,
                trouble: trouble.map(Arc::from),
            },
        ))
    }

    /// Serves a connection as long as it is well, and tells why it is no more.
    async fn watch(&self, mut up: Up) -> String {
        loop {
            self.0.link.store(Arc::new(Link::Up(up.clone())));
            self.0.metrics.up.set(1);
            tokio::select! {
                () = tokio::time::sleep(LOOK_EVERY) => {}
                () = self.0.doubt.notified() => {}
            }
            let since = match self.look(&mut up.connection).await {
                Ok(since) => since,
                Err(why) => return why,
            };
            if since != up.since {
                tracing::warn!(
                    "Redis has lost its data; what is older than now is refused where that matters"
                );
            }
            // What was in order when it connected is not asked about every second.
            if since != up.since || up.trouble.is_some() {
                let trouble = self.trouble(&mut up.connection, since).await;
                up.trouble = trouble.map(Arc::from);
            }
            up.since = since;
        }
    }

    /// Asks since when the data are whole, and begins with now if they are new. What was lost took the answer with it.
    async fn look(&self, connection: &mut MultiplexedConnection) -> Result<i64, String> {
        let key = self.key("began");
        let now = clock::wall().as_second();
        let mut begin = redis::cmd("SET");
        begin.arg(&key).arg(now).arg("NX");
        let begun = begin.exec_async(connection).await;
        begun.map_err(|error| unwell(&error))?;
        let since = redis::cmd("GET").arg(&key).query_async(connection).await;
        since.map_err(|error| unwell(&error))
    }

    /// What the operator should change although it answers.
    async fn trouble(&self, connection: &mut MultiplexedConnection, since: i64) -> Option<String> {
        forgets(connection).await.or_else(|| self.is_ahead(since))
    }

    /// Data that are younger than now: the clock of whoever began them was wrong, and until it is so late everything is
    /// refused as older.
    fn is_ahead(&self, since: i64) -> Option<String> {
        let ahead = since.saturating_sub(clock::wall().as_second());
        (ahead > MAX_AHEAD).then(|| {
            format!(
                "says that its data begin in {ahead} s: a clock was wrong, of an instance or here; delete the key `{}` when none is",
                self.key("began")
            )
        })
    }
}

/// Whether it forgets keys when memory is short, if it tells.
async fn forgets(connection: &mut MultiplexedConnection) -> Option<String> {
    let mut command = Cmd::new();
    command.arg("INFO").arg("memory");
    // Whoever may not ask cannot be told.
    let told: String = command.query_async(connection).await.ok()?;
    evicts(&told)
}

/// The same, by its own words.
fn evicts(told: &str) -> Option<String> {
    let value = |name: &str| {
        let lines = told.lines().map(str::trim_end);
        lines
            .filter_map(|line| line.split_once(':'))
            .find_map(|(key, value)| (key == name).then_some(value))
    };
    let policy = value("maxmemory_policy")?;
    let is_bounded = value("maxmemory").is_some_and(|bytes| bytes != "0");
    (is_bounded && policy != "noeviction").then(|| {
        format!(
            "forgets keys when its memory is full (maxmemory-policy is `{policy}`), so that what counts once could count again; set `noeviction`"
        )
    })
}

fn unreached(address: &Address, error: &RedisError) -> String {
    if error.is_timeout() {
        return format!("cannot be reached at {address} within {CONNECT_DEADLINE:?}");
    }
    match error.kind() {
        ErrorKind::AuthenticationFailed => {
            format!("at {address} refuses the user or the password of `stores.redis.url`")
        }
        _ if error.is_io_error() => format!("cannot be reached at {address}: {error}"),
        _ => format!("at {address} cannot be used: {error}"),
    }
}

fn unwell(error: &RedisError) -> String {
    if error.is_timeout() {
        return format!("does not answer within {COMMAND_DEADLINE:?}");
    }
    match error.code() {
        Some("NOAUTH") => "wants a password, and `stores.redis.url` has none".to_owned(),
        Some("NOPERM") => {
            "does not let its user do what lictor needs: SET and GET of keys with the prefix"
                .to_owned()
        }
        Some("READONLY") => "is a replica, which cannot remember anything".to_owned(),
        Some(code) => format!("answers `{code}`"),
        None if error.is_io_error() => "has ended the connection".to_owned(),
        None => format!("answers what cannot be understood: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redis_that_forgets_is_noticed() {
        let told = |bytes: &str, policy: &str| {
            format!(
                "# Memory\r\nused_memory:1\r\nmaxmemory:{bytes}\r\nmaxmemory_policy:{policy}\r\n"
            )
        };
        assert_eq!(evicts(&told("0", "allkeys-lru")), None);
        assert_eq!(evicts(&told("1048576", "noeviction")), None);
        assert_eq!(evicts("# Memory\r\n"), None);
        let why = evicts(&told("1048576", "allkeys-lru")).unwrap();
        assert!(
            why.contains("`allkeys-lru`") && why.contains("`noeviction`"),
            "{why}"
        );
    }
}
