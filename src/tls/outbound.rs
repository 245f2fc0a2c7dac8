//! The client side: whom we believe, and who we say that we are, towards the one server that we call.

use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, RootCertStore};

use super::certificate::{Certificate, Material};
use super::clients::Authorities;
use super::config::ClientFiles;
use super::error::TlsError;
use super::servers::OfOneDomain;
use super::svid::Issued;

/// The client side of TLS towards one server. Connections keep what they began with; new ones get what was
/// loaded last.
#[derive(Debug)]
pub struct Client {
    files: ClientFiles,
    issued: Issued,
    provider: Arc<CryptoProvider>,
    // The system's own, where no file names others. Read once.
    roots: Option<Arc<RootCertStore>>,
    fingerprint: Mutex<blake3::Hash>,
    loaded: Arc<ArcSwap<ClientConfig>>,
}

impl Client {
    /// Reads the files, and what was issued where the configuration wants that, and checks them. Blocks for as long as
    /// that takes.
    ///
    /// # Errors
    /// When a file cannot be read or used, or nobody is trusted at all; the message names the file and the
    /// remedy.
    pub fn load(files: &ClientFiles, issued: &Issued) -> Result<Self, TlsError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let roots = match files.authorities {
            Some(_) => None,
            None => Some(Arc::new(system_roots()?)),
        };
        let read = Read::new(files, issued)?;
        let config = client_config(files, &read, roots.as_ref(), &provider)?;
        Ok(Self {
            files: files.clone(),
            issued: issued.clone(),
            provider,
            roots,
            fingerprint: Mutex::new(read.fingerprint()),
            loaded: Arc::new(ArcSwap::from_pointee(config)),
        })
    }

    /// Reads the files again, and takes them over if they changed and are good. `true` when they were taken
    /// over. Blocks like [`Client::load`]; no open connection notices.
    ///
    /// # Errors
    /// As [`Client::load`], each time until the files are good again; the last good ones stay in use.
    pub fn reload(&self) -> Result<bool, TlsError> {
        let read = Read::new(&self.files, &self.issued)?;
        let mut fingerprint = self
            .fingerprint
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if *fingerprint == read.fingerprint() {
            return Ok(false);
        }
        let config = client_config(&self.files, &read, self.roots.as_ref(), &self.provider)?;
        *fingerprint = read.fingerprint();
        self.loaded.store(Arc::new(config));
        Ok(true)
    }

    /// What connections are opened with; it sees every reload, so it need not be asked for again.
    pub fn config(&self) -> Arc<ArcSwap<ClientConfig>> {
        Arc::clone(&self.loaded)
    }
}

/// What is at the sources now. No `Debug`: one part of it is a key.
struct Read {
    authorities: Option<Authorities>,
    certificate: Option<Material>,
}

impl Read {
    fn new(files: &ClientFiles, issued: &Issued) -> Result<Self, TlsError> {
        let authorities = files.authorities.as_ref();
        let certificate = files.certificate.as_ref();
        Ok(Self {
            authorities: authorities
                .map(|source| Authorities::read(source, issued))
                .transpose()?,
            certificate: certificate
                .map(|source| Material::read(source, issued))
                .transpose()?,
        })
    }

    fn fingerprint(&self) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new();
        if let Some(authorities) = &self.authorities {
            hasher.update(authorities.fingerprint().as_bytes());
        }
        if let Some(certificate) = &self.certificate {
            certificate.hash(&mut hasher);
        }
        hasher.finalize()
    }
}

fn client_config(
    files: &ClientFiles,
    read: &Read,
    system: Option<&Arc<RootCertStore>>,
    provider: &Arc<CryptoProvider>,
) -> Result<ClientConfig, TlsError> {
    let builder = ClientConfig::builder_with_provider(Arc::clone(provider))
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Setup)?;
    let builder = match (&files.authorities, &read.authorities, system) {
        (_, Some(Authorities::Bundle(bundle)), _) => {
            let verifier = OfOneDomain::new(bundle, files.workload.clone(), provider)?;
            builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(verifier))
        }
        (Some(source), Some(authorities), _) => {
            builder.with_root_certificates(authorities.roots(source)?)
        }
        (_, _, Some(system)) => builder.with_root_certificates(Arc::clone(system)),
        _ => return Err(TlsError::RootsMissing),
    };
    let mut config = match (&files.certificate, &read.certificate) {
        (Some(source), Some(material)) => {
            let certificate = Certificate::parse(source, material, provider)?;
            let key = SingleCertAndKey::from(CertifiedKey::clone(&certificate.key));
            builder.with_client_cert_resolver(Arc::new(key))
        }
        _ => builder.with_no_client_auth(),
    };
    let versions = files.versions.iter();
    // The better name of each: nobody speaks HTTP/1.0 to an agent.
    let names = versions.filter_map(|version| version.alpn().first());
    config.alpn_protocols = names.map(|name| name.to_vec()).collect();
    Ok(config)
}

fn system_roots() -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        return Err(TlsError::RootsMissing);
    }
    Ok(roots)
}
