//! All sources of keys of this process, and their refreshers.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::runtime::Handle;
use tokio::task::JoinSet;

use super::config::{JwtIdentity, KeySource};
use super::fetch::{Fetcher, Origin};
use super::source::{Source, SourceState, Timing, keep_fresh};

/// The key sets of all issuers: state, not configuration, so it outlives reloads. Authenticators that name
/// the same source share it; a source that no authenticator names any more is dropped.
///
/// Owns the refreshers: they end with [`KeyStore::shutdown`], or at the latest when the store is dropped.
#[derive(Debug)]
pub struct KeyStore {
    runtime: Handle,
    fetcher: Arc<Fetcher>,
    timing: Timing,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    sources: HashMap<Origin, Weak<Source>>,
    refreshers: JoinSet<()>,
}

impl KeyStore {
    /// An empty store whose refreshers run in the given runtime.
    pub fn new(runtime: Handle) -> Self {
        Self::with_timing(runtime, Timing::default())
    }

    pub(super) fn with_timing(runtime: Handle, timing: Timing) -> Self {
        Self {
            runtime,
            fetcher: Arc::new(Fetcher::default()),
            timing,
            inner: Mutex::default(),
        }
    }

    /// How each source fares that is in use.
    pub fn state(&self) -> Vec<SourceState> {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let mut states: Vec<_> = inner
            .sources
            .values()
            .filter_map(|source| Some(source.upgrade()?.state()))
            .collect();
        states.sort_by(|a, b| a.source.cmp(&b.source));
        states
    }

    /// Ends the refreshers and waits until they have ended. Keys that were loaded stay usable.
    pub async fn shutdown(&self) {
        let mut refreshers = {
            let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut inner.refreshers)
        };
        refreshers.shutdown().await;
    }

    /// The source that an identity names, with a refresher.
    pub(super) fn source(&self, identity: &JwtIdentity) -> Arc<Source> {
        let origin = match identity.keys.clone() {
            KeySource::Discovery { ca } => Origin::Discovery {
                issuer: identity.issuer.clone(),
                ca,
            },
            KeySource::File(path) => Origin::File(path),
            KeySource::Url { url, ca } => Origin::Url { url, ca },
        };
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(source) = inner.sources.get(&origin).and_then(Weak::upgrade) {
            return source;
        }
        // What has ended is forgotten here, so that reloads do not add up.
        inner.sources.retain(|_, source| source.strong_count() > 0);
        while inner.refreshers.try_join_next().is_some() {}
        let source = Arc::new(Source::new(origin.clone(), self.timing));
        inner.sources.insert(origin, Arc::downgrade(&source));
        let refresher = keep_fresh(&source, Arc::clone(&self.fetcher));
        inner.refreshers.spawn_on(refresher, &self.runtime);
        source
    }
}
