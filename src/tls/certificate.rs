//! Reads a chain and its key from where they are.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use rustls::InconsistentKeys;
use rustls::client::verify_server_name;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::{ClientHello, ParsedCertificate};
use rustls::sign::{CertifiedKey, SigningKey};
use zeroize::Zeroizing;

use super::config::{CertificateFiles, CertificateSource};
use super::der;
use super::error::TlsError;
use super::svid::{Issued, Svid};

/// No chain is larger; the bound keeps a wrong path (a device, a log) from being read whole.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// What is at a source now. No `Debug`: one part of it is a key.
pub(super) enum Material {
    /// PEM in files.
    Pem {
        certificate: Vec<u8>,
        key: Zeroizing<Vec<u8>>,
    },
    /// What was handed out last.
    Svid(Arc<Svid>),
}

impl Material {
    pub(super) fn read(source: &CertificateSource, issued: &Issued) -> Result<Self, TlsError> {
        Ok(match source {
            CertificateSource::Files(files) => Self::Pem {
                certificate: read(&files.certificate)?,
                key: Zeroizing::new(read(&files.key)?),
            },
            CertificateSource::WorkloadApi => Self::Svid(issued.svid()?),
        })
    }

    /// Feeds a hash by which a change is noticed.
    pub(super) fn hash(&self, hasher: &mut blake3::Hasher) {
        let parts: [&[u8]; 2] = match self {
            Self::Pem { certificate, key } => [certificate, key],
            // A key is never issued twice under two certificates that are one.
            Self::Svid(svid) => [svid.leaf(), &[]],
        };
        for bytes in parts {
            hasher.update(&(bytes.len() as u64).to_le_bytes());
            hasher.update(bytes);
        }
    }
}

pub(super) fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    let failed = |source| TlsError::from_io(path, source);
    let mut bytes = Vec::new();
    File::open(path)
        .map_err(failed)?
        .take(MAX_FILE_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(TlsError::TooLarge(path.to_owned()));
    }
    Ok(bytes)
}

/// A chain with its key, ready to be presented.
#[derive(Debug, Clone)]
pub(super) struct Certificate {
    pub(super) key: Arc<CertifiedKey>,
    /// From when and until when the leaf is valid, if it says so in years that we can tell.
    pub(super) validity: Option<(Timestamp, Timestamp)>,
}

impl Certificate {
    pub(super) fn parse(
        source: &CertificateSource,
        material: &Material,
        provider: &CryptoProvider,
    ) -> Result<Self, TlsError> {
        match (source, material) {
            (CertificateSource::Files(files), Material::Pem { certificate, key }) => {
                Self::of_files(files, certificate, key, provider)
            }
            (_, Material::Svid(svid)) => Ok(svid.certificate().clone()),
            (CertificateSource::WorkloadApi, Material::Pem { .. }) => Err(TlsError::NotIssued),
        }
    }

    fn of_files(
        files: &CertificateFiles,
        certificate: &[u8],
        key: &[u8],
        provider: &CryptoProvider,
    ) -> Result<Self, TlsError> {
        let chain = chain(&files.certificate, certificate)?;
        let key = private_key(&files.key, key)?;
        let key = provider
            .key_provider
            .load_private_key(key)
            .map_err(|error| TlsError::KeyUnsupported {
                path: files.key.clone(),
                detail: error.to_string().into(),
            })?;
        Self::new(chain, key).map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => TlsError::KeyMismatch {
                certificate: files.certificate.clone(),
                key: files.key.clone(),
            },
            error => TlsError::CertificateInvalid {
                path: files.certificate.clone(),
                detail: error.to_string().into(),
            },
        })
    }

    /// Joins the two, if they belong together.
    pub(super) fn new(
        chain: Vec<CertificateDer<'static>>,
        key: Arc<dyn SigningKey>,
    ) -> Result<Self, rustls::Error> {
        let validity = chain.first().and_then(|leaf| der::validity(leaf));
        let key = CertifiedKey::new(chain, key);
        match key.keys_match() {
            // A key that cannot name its public half cannot be compared; the handshake will tell.
            Ok(()) | Err(rustls::Error::InconsistentKeys(InconsistentKeys::Unknown)) => Ok(Self {
                key: Arc::new(key),
                validity,
            }),
            Err(error) => Err(error),
        }
    }

    /// Whether the leaf names this server, wildcards included (RFC 9525, section 6.3).
    pub(super) fn is_for(&self, name: &ServerName<'_>) -> bool {
        // Parsed for each handshake with several certificates: a microsecond beside a signature of many.
        let leaf = self.key.end_entity_cert().map(ParsedCertificate::try_from);
        matches!(leaf, Ok(Ok(leaf)) if verify_server_name(&leaf, name).is_ok())
    }

    /// Whether the client can verify a signature of this key.
    pub(super) fn suits(&self, hello: &ClientHello<'_>) -> bool {
        let offered = hello.signature_schemes();
        self.key.key.choose_scheme(offered).is_some()
    }
}

fn chain(path: &Path, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let chain: Vec<_> = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .map_err(|error| broken(path, &error))?;
    if !chain.is_empty() {
        return Ok(chain);
    }
    Err(if is_der(pem) {
        TlsError::Der(path.to_owned())
    } else if contains(pem, "PRIVATE KEY-----") {
        TlsError::CertificateIsKey(path.to_owned())
    } else {
        TlsError::CertificateMissing(path.to_owned())
    })
}

fn private_key(path: &Path, pem: &[u8]) -> Result<PrivateKeyDer<'static>, TlsError> {
    // PKCS #8 says it in the label; the older forms in a header line (RFC 1421, section 4.6.1.1).
    if contains(pem, "BEGIN ENCRYPTED PRIVATE KEY") || contains(pem, "Proc-Type: 4,ENCRYPTED") {
        return Err(TlsError::KeyEncrypted(path.to_owned()));
    }
    match PrivateKeyDer::pem_slice_iter(pem).next() {
        Some(Ok(key)) => Ok(key),
        Some(Err(error)) => Err(broken(path, &error)),
        None if is_der(pem) => Err(TlsError::Der(path.to_owned())),
        None if contains(pem, "BEGIN CERTIFICATE") => {
            Err(TlsError::KeyIsCertificate(path.to_owned()))
        }
        None => Err(TlsError::KeyMissing(path.to_owned())),
    }
}

/// The parser's own words may quote a line of the file, which may be a line of a key: only the kind is told.
pub(super) fn broken(path: &Path, error: &rustls::pki_types::pem::Error) -> TlsError {
    use rustls::pki_types::pem::Error;
    TlsError::Pem {
        path: path.to_owned(),
        detail: Box::from(match error {
            Error::MissingSectionEnd { .. } => "the END line is missing",
            Error::IllegalSectionStart { .. } => "a BEGIN line is malformed",
            Error::Base64Decode(_) => "a line is not base64",
            _ => "it cannot be parsed",
        }),
    }
}

/// An ASN.1 SEQUENCE with a long length, which no PEM begins with.
const fn is_der(bytes: &[u8]) -> bool {
    matches!(bytes, [0x30, 0x81..=0x84, ..])
}

fn contains(haystack: &[u8], needle: &str) -> bool {
    memchr::memmem::find(haystack, needle.as_bytes()).is_some()
}
