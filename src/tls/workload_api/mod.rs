//! The SPIFFE Workload API: asked for our SVID at the start, and listened to for as long as lictor runs.
//!
//! It is asked for no particular SVID: of several the first counts, which the API calls the default. While it cannot be
//! asked, what it handed out last stays.

mod error;
mod metrics;

use std::fmt;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use futures_util::{Stream, StreamExt as _};
use jiff::Timestamp;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use spiffe::transport::Endpoint;
use spiffe::{Certificate, WorkloadApiClient, X509Context};
use tokio::time::{sleep, timeout};

use super::svid::{Issued, Svid};
use crate::drain::Guard;

pub use error::WorkloadApiError;
pub use metrics::WorkloadApiMetrics;

/// How long a new connection may be silent. To issue an SVID takes a server that is asked over a network.
const FIRST_ANSWER: Duration = Duration::from_secs(30);

/// The wait between attempts: it doubles from one to the other.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// One Workload API. A clone is another handle on the same one.
#[derive(Clone)]
pub struct WorkloadApi(Arc<Inner>);

struct Inner {
    socket: PathBuf,
    issued: Issued,
    trouble: ArcSwapOption<WorkloadApiError>,
    metrics: WorkloadApiMetrics,
}

/// An open connection on which the next SVIDs come.
pub struct Updates {
    stream: Pin<Box<dyn Stream<Item = Update> + Send>>,
    // With it the connection would be closed.
    _client: WorkloadApiClient,
}

type Update = Result<X509Context, spiffe::WorkloadApiError>;

impl WorkloadApi {
    /// The one behind this socket. Nothing is asked of it yet.
    pub fn new(socket: PathBuf, metrics: WorkloadApiMetrics) -> Self {
        Self(Arc::new(Inner {
            socket,
            issued: Issued::default(),
            trouble: ArcSwapOption::empty(),
            metrics,
        }))
    }

    /// Where what it handed out last is found.
    pub fn issued(&self) -> &Issued {
        &self.0.issued
    }

    /// Its socket.
    pub fn socket(&self) -> &Path {
        &self.0.socket
    }

    /// Why it cannot be asked, while that is so.
    pub fn trouble(&self) -> Option<Arc<WorkloadApiError>> {
        self.0.trouble.load_full()
    }

    /// Waits for the first SVID. A workload that is new may not be known yet, so that a refusal is no end of it.
    ///
    /// # Errors
    /// When none came in time: why it did not at last.
    pub async fn first(&self, wait: Duration) -> Result<Updates, Arc<WorkloadApiError>> {
        let asking = async {
            let mut pause = FIRST_PAUSE;
            loop {
                match self.open().await {
                    Ok(updates) => return updates,
                    Err(why) => self.tell(why),
                }
                sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        };
        let first = timeout(wait, asking).await;
        first.map_err(|_| {
            let silent = || Arc::new(WorkloadApiError::Silent);
            self.trouble().unwrap_or_else(silent)
        })
    }

    /// Takes over whatever is handed out from now on, until the drain.
    pub async fn keep(self, updates: Updates, mut guard: Guard) {
        tokio::select! {
            () = self.listen(updates) => {}
            () = guard.draining() => {}
        }
    }

    async fn listen(&self, mut updates: Updates) {
        loop {
            let why = loop {
                match self.next(&mut updates).await {
                    Ok(()) => {}
                    Err(why) => break why,
                }
            };
            self.tell(why);
            updates = self.reopen().await;
        }
    }

    async fn reopen(&self) -> Updates {
        let mut pause = FIRST_PAUSE;
        loop {
            sleep(pause).await;
            match self.open().await {
                Ok(updates) => return updates,
                Err(why) => self.tell(why),
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// A connection on which an SVID has come.
    async fn open(&self) -> Result<Updates, WorkloadApiError> {
        let opening = async {
            let endpoint = Endpoint::Unix(self.0.socket.clone());
            let client = WorkloadApiClient::connect(endpoint).await?;
            let stream = client.stream_x509_contexts().await?;
            let mut updates = Updates {
                stream: Box::pin(stream),
                _client: client,
            };
            self.next(&mut updates).await?;
            Ok(updates)
        };
        let opened = timeout(FIRST_ANSWER, opening).await;
        opened.unwrap_or(Err(WorkloadApiError::Silent))
    }

    /// Takes the next over.
    async fn next(&self, updates: &mut Updates) -> Result<(), WorkloadApiError> {
        let next = updates.stream.next().await;
        let context = next.ok_or(WorkloadApiError::Ended)??;
        let svid = svid_of(&context)?;
        self.0.issued.put(svid);
        self.0.trouble.store(None);
        let until = self.0.issued.validity().map(|(_, until)| until);
        self.0.metrics.taken_over(until.map(Timestamp::as_second));
        if let Some(svid) = context.default_svid() {
            let until = until.map(tracing::field::display);
            tracing::info!(svid.id = %svid.spiffe_id(), svid.not_after = until, "the Workload API has handed out an SVID");
        }
        Ok(())
    }

    fn tell(&self, why: WorkloadApiError) {
        self.0.metrics.failed();
        let why = Arc::new(why);
        let known = self.0.trouble.swap(Some(Arc::clone(&why)));
        // It is asked again and again; one message for one fact.
        if known.as_ref() != Some(&why) {
            let socket = self.0.socket.display();
            match self.0.issued.validity() {
                Some((_, until)) => tracing::error!(
                    svid.not_after = %until,
                    "the Workload API at `unix:{socket}` {why}; the last SVID stays until it ends"
                ),
                None => tracing::warn!("the Workload API at `unix:{socket}` {why}"),
            }
        }
    }
}

/// What of an answer is used: the first SVID, and the bundle of its trust domain.
fn svid_of(context: &X509Context) -> Result<Svid, WorkloadApiError> {
    let unusable = |why: &str| WorkloadApiError::Unusable(why.into());
    let svid = context.default_svid();
    let svid = svid.ok_or_else(|| unusable("no SVID"))?;
    let trust_domain = svid.spiffe_id().trust_domain();
    let bundle = context.bundle_set().get_ref(trust_domain);
    let bundle = bundle.ok_or_else(|| unusable("no bundle"))?;
    let owned = |certificate: &Certificate| CertificateDer::from(certificate.as_bytes().to_vec());
    let chain = svid.cert_chain().iter().map(owned).collect();
    // Borrowed: whoever owns it wipes it.
    let key = PrivatePkcs8KeyDer::from(svid.private_key().as_bytes());
    let key = PrivateKeyDer::Pkcs8(key);
    let authorities = bundle.authorities().iter().map(owned);
    Svid::new(trust_domain.as_str(), chain, &key, authorities)
        .map_err(|error| unusable(&error.to_string()))
}

impl fmt::Debug for WorkloadApi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkloadApi")
            .field("socket", &self.0.socket)
            .field("trouble", &self.trouble())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Updates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Updates").finish_non_exhaustive()
    }
}
