//! Whom we believe to be the server that we call, where a bundle says whom.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_cert_signed_by_trust_anchor};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, SignatureScheme};

use super::error::TlsError;
use super::svid::Bundle;

/// Believes the authorities of a bundle about the workloads of its trust domain: about the one that is wanted, whatever
/// hosts its certificate names; or about each that has the name of the host.
#[derive(Debug)]
pub(super) struct OfOneDomain {
    verifier: Arc<WebPkiServerVerifier>,
    provider: Arc<CryptoProvider>,
    bundle: Arc<Bundle>,
    workload: Option<Box<str>>,
}

impl OfOneDomain {
    pub(super) fn new(
        bundle: &Arc<Bundle>,
        workload: Option<Box<str>>,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Self, TlsError> {
        let roots = Arc::clone(bundle.authorities());
        let builder = WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(provider));
        let verifier = builder
            .build()
            .map_err(|error| TlsError::Setup(Error::General(error.to_string())))?;
        Ok(Self {
            verifier,
            provider: Arc::clone(provider),
            bundle: Arc::clone(bundle),
            workload,
        })
    }
}

impl ServerCertVerifier for OfOneDomain {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        host: &ServerName<'_>,
        stapled: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if let Some(workload) = &self.workload {
            verify_server_cert_signed_by_trust_anchor(
                &ParsedCertificate::try_from(leaf)?,
                self.bundle.authorities(),
                intermediates,
                now,
                self.provider.signature_verification_algorithms.all,
            )?;
            if !self.bundle.covers_as(leaf, workload) {
                return Err(CertificateError::NotValidForName.into());
            }
        } else {
            self.verifier
                .verify_server_cert(leaf, intermediates, host, stapled, now)?;
            if !self.bundle.covers(leaf) {
                return Err(CertificateError::ApplicationVerificationFailure.into());
            }
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier
            .verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier
            .verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }
}
