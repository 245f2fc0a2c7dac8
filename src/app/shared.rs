//! What processes share: opened as the operator says, kept, and told of.

use std::sync::Arc;

use crate::admin::Condition;
use crate::config::Operator;
use crate::drain::Guard;
use crate::identity::replay::Memory;
use crate::ledger::SharedOwners;
use crate::telemetry::Registry;

/// A store that processes share, as the rest of the process uses it.
pub(super) struct Shared {
    /// What counts once.
    pub(super) memory: Memory,
    /// Who owns what.
    pub(super) owners: Arc<dyn SharedOwners>,
    /// How it is.
    pub(super) condition: Box<dyn Fn() -> Condition + Send + Sync>,
    /// Connects, until the drain.
    pub(super) keep: Box<dyn FnOnce(Guard) -> anyhow::Result<()>>,
}

/// The store that the operator names, if any. Nothing is asked of it yet.
///
/// # Errors
/// When its address cannot be had, or is none.
#[cfg(feature = "redis")]
pub(super) fn open(operator: &Operator, registry: &Registry) -> anyhow::Result<Option<Shared>> {
    operator
        .redis
        .as_ref()
        .map(|config| redis::open(config, registry))
        .transpose()
}

/// None: `config` has refused the settings of one.
#[cfg(not(feature = "redis"))]
pub(super) fn open(operator: &Operator, _registry: &Registry) -> anyhow::Result<Option<Shared>> {
    anyhow::ensure!(
        operator.redis.is_none(),
        "this build of lictor has no Redis"
    );
    Ok(None)
}

#[cfg(feature = "redis")]
mod redis {
    use std::sync::Arc;
    use std::thread;
    use std::time::Duration;

    use anyhow::Context;
    use tokio::runtime::Builder;

    use super::Shared;
    use crate::admin::Condition;
    use crate::identity::replay::{Mark, Memory, Remembered, Remembering, SharedMemory};
    use crate::ledger::{Asking, SharedOwners};
    use crate::stores::{Config, Metrics, Redis, Set, State, StoreError};
    use crate::telemetry::Registry;

    pub(super) fn open(config: &Config, registry: &Registry) -> anyhow::Result<Shared> {
        let redis = Redis::new(config.clone(), Metrics::new(registry)?)
            .context("`stores.redis` cannot be used")?;
        let (asked, kept) = (redis.clone(), redis.clone());
        Ok(Shared {
            owners: Arc::new(redis.clone()),
            memory: Memory::shared(Arc::new(redis)),
            condition: Box::new(move || condition(&asked.state())),
            keep: Box::new(|guard| {
                // On the main thread, answers would wait while a policy is compiled.
                let runtime = Builder::new_current_thread().enable_all().build()?;
                let keeping = thread::Builder::new().name("redis".to_owned());
                keeping
                    .spawn(move || runtime.block_on(kept.keep(guard)))
                    .context("cannot start the thread of Redis")?;
                Ok(())
            }),
        })
    }

    /// Without it calls are served, but for those that need it; and if its loss made instances unready, it would take
    /// all of them away at once.
    fn condition(state: &State) -> Condition {
        match state {
            // A moment at start, in which calls would be refused for nothing.
            State::Connecting => Condition::Unready("Redis is not connected yet".into()),
            State::Down(why) | State::Troubled(why) => {
                Condition::Degraded(format!("Redis {why}").into())
            }
            State::Up => Condition::Ready,
        }
    }

    impl SharedOwners for Redis {
        fn answers(&self) -> bool {
            matches!(self.state(), State::Up | State::Troubled(_))
        }

        fn look(&self, keys: Vec<String>) -> Asking<'_, Vec<Option<String>>> {
            Box::pin(async move { self.look_up(&keys).await.map_err(said) })
        }

        fn claim(&self, key: String, value: String, keep: Duration) -> Asking<'_, Option<String>> {
            Box::pin(async move { self.set_or_look_up(&key, &value, keep).await.map_err(said) })
        }

        fn put(&self, key: String, value: String, keep: Duration) -> Asking<'_, ()> {
            Box::pin(async move { self.set(&key, &value, keep).await.map_err(said) })
        }
    }

    #[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
    fn said(error: StoreError) -> Box<str> {
        error.to_string().into()
    }

    impl SharedMemory for Redis {
        fn name(&self) -> &'static str {
            "redis"
        }

        fn remember(&self, mark: Mark, keep: Duration) -> Remembering<'_> {
            Box::pin(async move {
                match self.set_if_absent(&format!("once:{mark}"), keep).await {
                    Ok(Set::Fresh { since }) => Ok(Remembered::Fresh { since }),
                    Ok(Set::Present) => Ok(Remembered::Used),
                    Err(error) => Err(error.to_string().into()),
                }
            })
        }
    }
}
