//! All sources of keys of this process, and their refreshers.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task::JoinSet;

use crate::clock;
use crate::identity::api_keys::ApiKeys;
use crate::identity::config::SecretSource;
use crate::identity::jwt::workload::OwnToken;
use crate::identity::jwt::{KeySet, SharedKey};
use crate::identity::own_key::OwnKey;
use crate::identity::replay::Memory;
use crate::identity::signature::{AnswerKey, MIN_SECRET_BYTES, PublicKeys, SharedKeys};

use super::fetch::{Fetcher, Origin};
use super::on_demand::{Manner, OnDemand};
use super::source::{Contents, Source, SourceState, Timing, keep_fresh};

/// The key sets of all issuers: state, not configuration, so it outlives reloads. Authenticators that name
/// the same source share it; a source that no authenticator names any more is dropped. What counts once is remembered
/// here for the same reason.
///
/// Owns the refreshers: they end with [`KeyStore::shutdown`], or at the latest when the store is dropped.
#[derive(Debug)]
pub struct KeyStore {
    runtime: Handle,
    fetcher: Arc<Fetcher>,
    timing: Timing,
    used: Arc<Memory>,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    api_keys: Shelf<ApiKeys>,
    jwks: Shelf<KeySet>,
    shared_keys: Shelf<SharedKey>,
    answer_keys: Shelf<AnswerKey>,
    own_keys: Shelf<OwnKey>,
    own_tokens: Shelf<OwnToken>,
    signing_public: Shelf<PublicKeys>,
    signing_shared: Shelf<SharedKeys>,
    /// Keys that callers name by address, by how they are fetched.
    on_demand: HashMap<Manner, Weak<OnDemand>>,
    refreshers: JoinSet<()>,
}

/// The sources of one kind of document.
#[derive(Debug)]
struct Shelf<T>(HashMap<Origin, Weak<Source<T>>>);

impl<T> Default for Shelf<T> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<T: Contents> Shelf<T> {
    fn states(&self) -> impl Iterator<Item = SourceState> {
        self.0
            .values()
            .filter_map(|source| Some(source.upgrade()?.state()))
    }
}

impl KeyStore {
    /// An empty store whose refreshers run in the given runtime. What counts once is remembered in this process, from now on.
    pub fn new(runtime: Handle) -> Self {
        let used = Memory::since(clock::wall().as_second());
        Self::with_timing(runtime, Timing::default()).remembering(used)
    }

    /// Remembers there what counts once.
    #[must_use]
    pub fn remembering(self, used: Memory) -> Self {
        Self {
            used: Arc::new(used),
            ..self
        }
    }

    pub(in crate::identity) fn with_timing(runtime: Handle, timing: Timing) -> Self {
        Self {
            runtime,
            fetcher: Arc::new(Fetcher::default()),
            timing,
            used: Arc::default(),
            inner: Mutex::default(),
        }
    }

    /// How each source fares that is in use.
    pub fn state(&self) -> Vec<SourceState> {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let keys = inner.api_keys.states().chain(inner.shared_keys.states());
        let signing = inner
            .signing_public
            .states()
            .chain(inner.signing_shared.states());
        let signing = signing
            .chain(inner.answer_keys.states())
            .chain(inner.own_keys.states())
            .chain(inner.own_tokens.states());
        let mut states: Vec<_> = inner.jwks.states().chain(keys).chain(signing).collect();
        states.sort_by(|a, b| a.source.cmp(&b.source));
        states
    }

    /// Who asks others.
    pub(in crate::identity) fn fetcher(&self) -> Arc<Fetcher> {
        Arc::clone(&self.fetcher)
    }

    /// Ends the refreshers and waits until they have ended. Keys that were loaded stay usable.
    pub async fn shutdown(&self) {
        let mut refreshers = {
            let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut inner.refreshers)
        };
        refreshers.shutdown().await;
    }

    /// The hashes of a party's keys, with a refresher.
    pub(in crate::identity) fn api_keys(&self, file: &Path) -> Arc<Source<ApiKeys>> {
        self.source(Origin::File(file.to_owned()), |inner| &mut inner.api_keys)
    }

    /// The keys of an issuer, with a refresher. What is said of their age holds for readiness; of several
    /// issuers with the same keys, the last one's.
    pub(in crate::identity) fn jwks(
        &self,
        origin: Origin,
        max_stale: Duration,
    ) -> Arc<Source<KeySet>> {
        let source = self.source(origin, |inner| &mut inner.jwks);
        source.keep_for(max_stale);
        source
    }

    /// A key that is shared with an issuer and has at least so many bytes, with a refresher.
    pub(in crate::identity) fn shared_key(
        &self,
        place: SecretSource,
        least: usize,
        max_stale: Duration,
    ) -> Arc<Source<SharedKey>> {
        let origin = Origin::Secret { place, least };
        let source = self.source(origin, |inner| &mut inner.shared_keys);
        source.keep_for(max_stale);
        source
    }

    /// The public keys of those who sign, with a refresher.
    pub(in crate::identity) fn signing_public(&self, file: &Path) -> Arc<Source<PublicKeys>> {
        self.source(Origin::File(file.to_owned()), |inner| {
            &mut inner.signing_public
        })
    }

    /// The keys that are shared with those who sign, with a refresher.
    pub(in crate::identity) fn signing_shared(
        &self,
        place: SecretSource,
    ) -> Arc<Source<SharedKeys>> {
        let origin = Origin::Secret {
            place,
            least: MIN_SECRET_BYTES,
        };
        self.source(origin, |inner| &mut inner.signing_shared)
    }

    /// The key that signs answers, with a refresher.
    pub(in crate::identity) fn answer_key(&self, place: SecretSource) -> Arc<Source<AnswerKey>> {
        let origin = Origin::Secret {
            place,
            least: MIN_SECRET_BYTES,
        };
        self.source(origin, |inner| &mut inner.answer_keys)
    }

    /// The token that says whose the key is which signs answers, with a refresher.
    pub(in crate::identity) fn own_token(&self, file: &Path) -> Arc<Source<OwnToken>> {
        self.source(Origin::File(file.to_owned()), |inner| &mut inner.own_tokens)
    }

    /// A private key of ours, which signs agent cards or assertions, with a refresher.
    pub(in crate::identity) fn own_key(&self, place: SecretSource) -> Arc<Source<OwnKey>> {
        let origin = Origin::Secret {
            place,
            least: MIN_SECRET_BYTES,
        };
        self.source(origin, |inner| &mut inner.own_keys)
    }

    /// The keys at addresses that callers name.
    pub(in crate::identity) fn on_demand(&self, manner: Manner) -> Arc<OnDemand> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(store) = inner.on_demand.get(&manner).and_then(Weak::upgrade) {
            return store;
        }
        inner.on_demand.retain(|_, store| store.strong_count() > 0);
        let (runtime, fetcher) = (self.runtime.clone(), Arc::clone(&self.fetcher));
        let store = Arc::new(OnDemand::new(manner.clone(), runtime, fetcher, self.timing));
        inner.on_demand.insert(manner, Arc::downgrade(&store));
        store
    }

    /// The keys that an agent signs its card with, with a refresher. They do not grow old: an operator pinned them.
    pub(in crate::identity) fn pinned_keys(&self, file: &Path) -> Arc<Source<KeySet>> {
        self.source(Origin::File(file.to_owned()), |inner| &mut inner.jwks)
    }

    /// What was accepted and counts once.
    pub const fn used(&self) -> &Arc<Memory> {
        &self.used
    }

    fn source<T: Contents>(
        &self,
        origin: Origin,
        shelf: impl Fn(&mut Inner) -> &mut Shelf<T>,
    ) -> Arc<Source<T>> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let Shelf(sources) = shelf(&mut inner);
        if let Some(source) = sources.get(&origin).and_then(Weak::upgrade) {
            return source;
        }
        // What has ended is forgotten here, so that reloads do not add up.
        sources.retain(|_, source| source.strong_count() > 0);
        let source = Arc::new(Source::new(origin.clone(), self.timing));
        sources.insert(origin, Arc::downgrade(&source));
        while inner.refreshers.try_join_next().is_some() {}
        let refresher = keep_fresh(&source, Arc::clone(&self.fetcher));
        inner.refreshers.spawn_on(refresher, &self.runtime);
        source
    }
}
