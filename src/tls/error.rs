//! What can be wrong with the files, and what to do about it.

use std::io;
use std::path::{Path, PathBuf};

/// Why the certificates could not be loaded. Each message names the file and the remedy.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// No certificate in the file of the authorities that vouch for clients.
    #[error("`{}` holds no certificate; it must contain those of the authorities that vouch for clients, as PEM (`BEGIN CERTIFICATE`)", .0.display())]
    AuthoritiesMissing(PathBuf),
    /// The certificate cannot be parsed.
    #[error("`{path}` holds a certificate that cannot be read ({detail}); issue it again", path = path.display())]
    CertificateInvalid {
        /// The file.
        path: PathBuf,
        /// What the parser says.
        detail: Box<str>,
    },
    /// The file given as certificate holds a key only.
    #[error("`{}` is given as certificate but holds a private key; swap `cert` and `key`", .0.display())]
    CertificateIsKey(PathBuf),
    /// No certificate in the file.
    #[error("`{}` holds no certificate; it must contain the chain, leaf first, as PEM (`BEGIN CERTIFICATE`)", .0.display())]
    CertificateMissing(PathBuf),
    /// Binary instead of PEM.
    #[error("`{}` is DER; convert it to PEM (`openssl x509 -inform der`, `openssl pkey -inform der`)", .0.display())]
    Der(PathBuf),
    /// No pair is configured.
    #[error("no certificate is configured; name at least one pair of `cert` and `key`")]
    Empty,
    /// The key is protected by a passphrase.
    #[error("the key in `{}` is encrypted; decrypt it (`openssl pkey -in ... -out ...`), there is nobody to ask for the passphrase", .0.display())]
    KeyEncrypted(PathBuf),
    /// The file given as key holds a certificate only.
    #[error("`{}` is given as key but holds a certificate; swap `cert` and `key`", .0.display())]
    KeyIsCertificate(PathBuf),
    /// Certificate and key are not a pair.
    #[error("the key in `{key}` does not belong to the certificate in `{certificate}`; take both from the same issuance", key = key.display(), certificate = certificate.display())]
    KeyMismatch {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
    },
    /// No key in the file.
    #[error("`{}` holds no private key; it must contain one as PEM (`BEGIN PRIVATE KEY`)", .0.display())]
    KeyMissing(PathBuf),
    /// A kind of key that is not supported.
    #[error("the key in `{path}` cannot be used ({detail}); use ECDSA P-256, Ed25519 or RSA of at least 2048 bits", path = path.display())]
    KeyUnsupported {
        /// The file.
        path: PathBuf,
        /// What the library says.
        detail: Box<str>,
    },
    /// Nothing was handed out yet.
    #[error("the Workload API has not handed out an SVID; is the workload registered?")]
    NotIssued,
    /// The file does not exist.
    #[error("`{}` does not exist; check the path, which is relative to the configuration file", .0.display())]
    NotFound(PathBuf),
    /// PEM that breaks off.
    #[error("`{path}` is not whole PEM ({detail}); copy it again", path = path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// What the parser says.
        detail: Box<str>,
    },
    /// The file may not be read.
    #[error("`{}` may not be read by this process; give its user or group the right to read it", .0.display())]
    PermissionDenied(PathBuf),
    /// Nobody is trusted.
    #[error("the system trusts no certificate authority; name the file of one as `ca`")]
    RootsMissing,
    /// The TLS library refused the whole.
    #[error("TLS could not be set up: {0}")]
    Setup(rustls::Error),
    /// Larger than any chain.
    #[error("`{}` is larger than 1 MiB, so it is not a certificate or key", .0.display())]
    TooLarge(PathBuf),
    /// Any other fault of the file.
    #[error("`{path}` cannot be read", path = path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl TlsError {
    pub(super) fn from_io(path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::NotFound => Self::NotFound(path),
            io::ErrorKind::PermissionDenied => Self::PermissionDenied(path),
            _ => Self::Unreadable { path, source },
        }
    }
}
