//! Certificates that are handed out while lictor runs: asked for as the operator says, kept, and told of.

use crate::admin::Condition;
use crate::config::Operator;
use crate::drain::Guard;
use crate::telemetry::Registry;
use crate::tls::Issued;

/// The Workload API, as the rest of the process uses it.
pub(super) struct Handed {
    /// How it is.
    pub(super) condition: Box<dyn Fn() -> Condition + Send + Sync>,
    /// Listens to it, until the drain.
    pub(super) keep: Box<dyn FnOnce(Guard) -> tokio::task::JoinHandle<()>>,
}

/// What was handed out, where a listener or the agent's side wants it; and who keeps it so. Waits for the first SVID.
///
/// # Errors
/// When none comes.
#[cfg(feature = "spiffe")]
pub(super) async fn open(
    operator: &Operator,
    registry: &Registry,
) -> anyhow::Result<(Issued, Option<Handed>)> {
    match operator.asks_workload_api() {
        true => asked::open(operator, registry).await,
        false => Ok((Issued::default(), None)),
    }
}

/// Nothing: `config` has refused to ask for it.
#[cfg(not(feature = "spiffe"))]
pub(super) async fn open(
    operator: &Operator,
    _registry: &Registry,
) -> anyhow::Result<(Issued, Option<Handed>)> {
    anyhow::ensure!(
        !operator.asks_workload_api(),
        "this build of lictor has no Workload API"
    );
    Ok((Issued::default(), None))
}

#[cfg(feature = "spiffe")]
mod asked {
    use std::env;
    use std::path::PathBuf;

    use anyhow::{Context, anyhow};
    use jiff::Timestamp;

    use super::Handed;
    use crate::admin::Condition;
    use crate::clock;
    use crate::config::{Operator, socket_path};
    use crate::telemetry::Registry;
    use crate::tls::{Issued, SOCKET_VARIABLE, WorkloadApi, WorkloadApiError, WorkloadApiMetrics};

    pub(super) async fn open(
        operator: &Operator,
        registry: &Registry,
    ) -> anyhow::Result<(Issued, Option<Handed>)> {
        let config = operator.workload_api.clone().unwrap_or_default();
        let socket = config.socket.map_or_else(socket_of_variable, Ok)?;
        let metrics = WorkloadApiMetrics::new(registry)?;
        let api = WorkloadApi::new(socket, metrics);
        let first = api.first(config.wait).await;
        let updates = first.map_err(|why| {
            let (socket, wait) = (api.socket().display(), config.wait);
            anyhow!("no SVID within {wait:?}: the Workload API at `unix:{socket}` {why}")
        })?;
        let (issued, told) = (api.issued().clone(), api.clone());
        let handed = Handed {
            condition: Box::new(move || {
                condition(
                    told.trouble().as_deref(),
                    told.issued().validity(),
                    clock::wall(),
                )
            }),
            keep: Box::new(move |guard| tokio::spawn(api.keep(updates, guard))),
        };
        Ok((issued, Some(handed)))
    }

    fn socket_of_variable() -> anyhow::Result<PathBuf> {
        let address = env::var(SOCKET_VARIABLE).ok();
        let address = address.with_context(|| {
            format!(
                "the socket of the Workload API is not known; name it as `workloadApi.socket` in lictor.yaml, or set ${SOCKET_VARIABLE}"
            )
        })?;
        socket_path(&address).with_context(|| {
            format!(
                "${SOCKET_VARIABLE} is `{address}`, which is not the address of a socket, such as unix:///run/spire/agent.sock"
            )
        })
    }

    /// What was handed out last serves until it ends, whether or not there is somebody to renew it.
    fn condition(
        trouble: Option<&WorkloadApiError>,
        validity: Option<(Timestamp, Timestamp)>,
        now: Timestamp,
    ) -> Condition {
        let why = |fact: String| match trouble {
            Some(trouble) => format!("the Workload API {trouble}; {fact}").into(),
            None => fact.into(),
        };
        match validity {
            Some((_, until)) if until <= now => {
                Condition::Unready(why(format!("the last SVID ended at {until}")))
            }
            Some((from, until)) if trouble.is_some() || is_late(from, until, now) => {
                Condition::Degraded(why(format!("the last SVID ends at {until}")))
            }
            // In years that we cannot tell.
            None if trouble.is_some() => Condition::Degraded(why("the last SVID stays".to_owned())),
            Some(_) | None => Condition::Ready,
        }
    }

    /// Whoever renews does it at half of the time, or a little later.
    fn is_late(from: Timestamp, until: Timestamp, now: Timestamp) -> bool {
        let life = until.as_second().saturating_sub(from.as_second());
        until.as_second().saturating_sub(now.as_second()) < life / 5
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn an_svid_is_missed_before_it_ends() {
            let at = |seconds| Timestamp::from_second(seconds).unwrap();
            let validity = Some((at(0), at(1000)));
            let gone = WorkloadApiError::Ended;
            for (trouble, now, told) in [
                (None, 700, "ready"),
                (None, 801, "degraded"),
                (None, 1000, "unready"),
                (Some(&gone), 1, "degraded"),
                (Some(&gone), 1000, "unready"),
            ] {
                let condition = condition(trouble, validity, at(now));
                assert_eq!(condition.as_str(), told, "{trouble:?} {now}");
            }
            assert_eq!(
                condition(Some(&gone), validity, at(1)),
                Condition::Degraded(
                    "the Workload API has ended the connection; the last SVID ends at 1970-01-01T00:16:40Z".into()
                )
            );
        }
    }
}
