//! Fetches key documents, and asks about tokens: one request, no redirects, capped in size and time.
//!
//! Over `https`, or `http` to this machine only: whoever can change the document can be anybody. Documents come over a new
//! connection each time, because there are hours between two fetches; questions over one that is kept. Proxies from the
//! environment are not used.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio::sync::OnceCell;
use tokio_rustls::TlsConnector;

use crate::identity::config::SecretSource;
use crate::identity::error::{Excerpt, KeysError};
use crate::identity::json;

use super::line::{Line, Lines};

/// The largest document. Key sets of public issuers stay below 16 KiB.
const MAX_DOCUMENT_BYTES: usize = 256 * 1024;

/// How long one GET may take, from the first name look-up to the last byte.
const DEADLINE: Duration = Duration::from_secs(5);

/// A document, and how long its sender says that it stays fresh.
#[derive(Debug)]
pub(in crate::identity) struct Document {
    pub(in crate::identity) bytes: Vec<u8>,
    pub(super) max_age: Option<Duration>,
}

/// What is asked in a form, by somebody who says who it is.
pub(in crate::identity) struct Form {
    pub(in crate::identity) authorization: HeaderValue,
    pub(in crate::identity) body: String,
}

/// The client side of TLS, set up when it is first needed.
#[derive(Debug, Default)]
pub(in crate::identity) struct Fetcher {
    system: OnceCell<Arc<ClientConfig>>,
}

impl Fetcher {
    /// The JWKS that an issuer's discovery document points to (OpenID Connect Discovery 1.0, section 4).
    pub(super) async fn discover(
        &self,
        issuer: &str,
        ca: Option<&Path>,
    ) -> Result<Document, KeysError> {
        let base = issuer.strip_suffix('/').unwrap_or(issuer);
        let url = format!("{base}/.well-known/openid-configuration");
        let document = self.get(&url, ca).await?;
        let fields = json::object(&document.bytes)
            .map_err(|_| KeysError::DiscoveryMalformed("not a JSON object"))?;
        let field = |name: &str| fields.get(name).and_then(serde_json::Value::as_str);
        let named = field("issuer").ok_or(KeysError::DiscoveryMalformed("no `issuer`"))?;
        if named != issuer {
            return Err(KeysError::DiscoveryIssuer(Excerpt::new(named)));
        }
        let keys = field("jwks_uri").ok_or(KeysError::DiscoveryMalformed("no `jwks_uri`"))?;
        // A document from afar must not send us to a service of this machine.
        if Target::parse(&url)?.secure && !Target::parse(keys)?.secure {
            return Err(KeysError::Url(Excerpt::new(keys)));
        }
        self.get(keys, ca).await
    }

    /// The document at a URL.
    pub(super) async fn get(&self, url: &str, ca: Option<&Path>) -> Result<Document, KeysError> {
        self.get_within(url, ca, Reach::Anywhere).await
    }

    /// The same, if it lies where it may.
    pub(super) async fn get_within(
        &self,
        url: &str,
        ca: Option<&Path>,
        reach: Reach,
    ) -> Result<Document, KeysError> {
        let getting = async {
            let target = Target::parse(url)?.within(reach);
            self.connect(&target, ca).await?.ask(&target, None).await
        };
        in_time(url, getting).await
    }

    /// What a form is answered, over a connection that is kept or a new one. The question must be one that may be put
    /// twice: the other side may end a kept connection in the moment in which it is used.
    pub(in crate::identity) async fn post(
        &self,
        lines: &Lines,
        url: &str,
        ca: Option<&Path>,
        form: &Form,
    ) -> Result<Document, KeysError> {
        let posting = async {
            let target = Target::parse(url)?;
            if let Some(mut line) = lines.take() {
                match line.ask(&target, Some(form)).await {
                    Err(KeysError::Http { .. }) => {}
                    Err(error) => return Err(error),
                    Ok(document) => {
                        lines.keep(line);
                        return Ok(document);
                    }
                }
            }
            let mut line = self.connect(&target, ca).await?;
            let document = line.ask(&target, Some(form)).await?;
            lines.keep(line);
            Ok(document)
        };
        in_time(url, posting).await
    }

    async fn connect(&self, target: &Target, ca: Option<&Path>) -> Result<Line, KeysError> {
        let url = &target.url;
        let unreached = |source| KeysError::Io {
            url: url.clone(),
            source,
        };
        let failed = |source| KeysError::Http {
            url: url.clone(),
            source,
        };
        let stream = target.connect().await.map_err(unreached)?;
        if !target.secure {
            return Line::open(stream).await.map_err(failed);
        }
        let name = ServerName::try_from(target.host.clone())
            .map_err(|_| KeysError::Url(Excerpt::new(url)))?;
        let stream = TlsConnector::from(self.client_config(ca).await?)
            .connect(name, stream)
            .await
            .map_err(unreached)?;
        Line::open(stream).await.map_err(failed)
    }

    /// A CA file is read each time, so that it can be rotated; the system's roots are read once.
    async fn client_config(&self, ca: Option<&Path>) -> Result<Arc<ClientConfig>, KeysError> {
        match ca {
            Some(path) => {
                let pem = read_file(path, MAX_DOCUMENT_BYTES).await?;
                let certificates = CertificateDer::pem_slice_iter(&pem).filter_map(Result::ok);
                let roots = roots(certificates);
                if roots.is_empty() {
                    return Err(KeysError::CaEmpty(path.display().to_string().into()));
                }
                client_config(roots)
            }
            None => {
                let load = || async { client_config(system_roots().await?) };
                self.system.get_or_try_init(load).await.map(Arc::clone)
            }
        }
    }
}

/// Reads a file of at most so many bytes.
pub(super) async fn read_file(path: &Path, most: usize) -> Result<Vec<u8>, KeysError> {
    let failed = |source| KeysError::File {
        path: path.display().to_string().into(),
        source,
    };
    let file = tokio::fs::File::open(path).await.map_err(failed)?;
    let mut bytes = Vec::new();
    file.take(most as u64 + 1)
        .read_to_end(&mut bytes)
        .await
        .map_err(failed)?;
    if bytes.len() > most {
        return Err(KeysError::TooLarge {
            name: path.display().to_string().into(),
            most,
        });
    }
    Ok(bytes)
}

async fn system_roots() -> Result<RootCertStore, KeysError> {
    let failed = |text: &str| KeysError::Tls(Box::from(text));
    // Reads many files, which takes some milliseconds.
    let loaded = tokio::task::spawn_blocking(rustls_native_certs::load_native_certs)
        .await
        .map_err(|_| failed("the system's roots could not be read"))?;
    let roots = roots(loaded.certs.into_iter());
    if roots.is_empty() {
        return Err(failed("the system has no root certificates; name a `ca`"));
    }
    Ok(roots)
}

fn roots(certificates: impl Iterator<Item = CertificateDer<'static>>) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(certificates);
    roots
}

fn client_config(roots: RootCertStore) -> Result<Arc<ClientConfig>, KeysError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| KeysError::Tls(error.to_string().into()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// Which addresses may be asked, whatever name stands for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::identity) enum Reach {
    /// All of them: an operator wrote the name.
    Anywhere,
    /// Those that everybody may ask, and none of this machine or network: a caller wrote the name, or whoever answers for it
    /// chose the address.
    Public,
}

/// Where a URL leads.
#[derive(Debug)]
pub(super) struct Target {
    url: Box<str>,
    secure: bool,
    host: String,
    port: u16,
    authority: String,
    path: String,
    reach: Reach,
}

impl Target {
    fn within(self, reach: Reach) -> Self {
        Self { reach, ..self }
    }

    fn parse(url: &str) -> Result<Self, KeysError> {
        let refused = || KeysError::Url(Excerpt::new(url));
        let uri: Uri = url.parse().map_err(|_| refused())?;
        let authority = uri.authority().ok_or_else(refused)?;
        let secure = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(refused()),
        };
        if authority.as_str().contains('@') {
            return Err(refused());
        }
        let host = authority.host();
        let bare = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'));
        Ok(Self {
            url: Box::from(url),
            secure,
            host: bare.unwrap_or(host).to_owned(),
            port: authority
                .port_u16()
                .unwrap_or(if secure { 443 } else { 80 }),
            authority: authority.as_str().to_owned(),
            path: uri
                .path_and_query()
                .map_or_else(|| "/".to_owned(), ToString::to_string),
            reach: Reach::Anywhere,
        })
    }

    /// A connection to the first address that answers. In the clear only to this machine, judged by the
    /// address and not by the name.
    async fn connect(&self) -> io::Result<TcpStream> {
        let mut failed = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
        for address in tokio::net::lookup_host((&*self.host, self.port)).await? {
            if !self.secure && !is_loopback(address) {
                failed = io::Error::new(
                    io::ErrorKind::PermissionDenied,
                    "http is for loopback only; use https",
                );
                continue;
            }
            // Judged here and not before: between two look-ups a name may change its address.
            if self.reach == Reach::Public && !is_public(address.ip()) {
                failed = io::Error::new(
                    io::ErrorKind::PermissionDenied,
                    "the address is not a public one",
                );
                continue;
            }
            match TcpStream::connect(address).await {
                Ok(stream) => return Ok(stream),
                Err(error) => failed = error,
            }
        }
        Err(failed)
    }
}

fn is_loopback(address: SocketAddr) -> bool {
    address.ip().to_canonical().is_loopback()
}

/// Whether an address is one of the Internet (IANA's registries of special-purpose addresses, RFC 6890), and none that leads
/// to one that is not (RFC 3056, RFC 4380, RFC 6052).
fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            !(v4.is_private()
                || v4.is_loopback()
                || v4.is_link_local()
                || v4.is_documentation()
                || v4.is_multicast()
                || a == 0
                || a >= 240
                || (a, b) == (100, b) && (64..128).contains(&b)
                || (a, b, c) == (192, 0, 0)
                || (a, b, c) == (192, 88, 99)
                || a == 198 && (b == 18 || b == 19))
        }
        IpAddr::V6(v6) => {
            let [a, b, ..] = v6.segments();
            // All that is handed out begins with 001.
            a & 0xe000 == 0x2000
                && a != 0x2002
                && !(a == 0x2001 && (b < 0x0200 || b == 0x0db8))
                && a != 0x3fff
        }
    }
}

async fn in_time(
    url: &str,
    asking: impl Future<Output = Result<Document, KeysError>>,
) -> Result<Document, KeysError> {
    tokio::time::timeout(DEADLINE, asking)
        .await
        .unwrap_or_else(|_| Err(KeysError::Timeout(Box::from(url))))
}

/// One request, and its answer to the end.
pub(super) async fn ask(
    sender: &mut http1::SendRequest<Full<Bytes>>,
    target: &Target,
    form: Option<&Form>,
) -> Result<Document, KeysError> {
    let failed = |source| KeysError::Http {
        url: target.url.clone(),
        source,
    };
    let request = Request::builder()
        .uri(&target.path)
        .header(header::HOST, &target.authority)
        .header(header::ACCEPT, "application/json")
        .header(header::ACCEPT_ENCODING, "identity");
    let request = match form {
        None => request.body(Full::default()),
        Some(form) => request
            .method(Method::POST)
            .header(header::AUTHORIZATION, form.authorization.clone())
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Full::from(form.body.clone())),
    };
    let request = request.map_err(|_| KeysError::Url(Excerpt::new(&target.url)))?;
    // One that was used before may not have seen the end of its last answer yet.
    sender.ready().await.map_err(failed)?;
    let mut response = sender.send_request(request).await.map_err(failed)?;
    if response.status() != StatusCode::OK {
        return Err(KeysError::Status {
            url: target.url.clone(),
            status: response.status(),
        });
    }
    let max_age = max_age(response.headers());
    let mut bytes = Vec::new();
    while let Some(frame) = response.body_mut().frame().await {
        let Ok(data) = frame.map_err(failed)?.into_data() else {
            continue;
        };
        if bytes.len() + data.len() > MAX_DOCUMENT_BYTES {
            return Err(KeysError::TooLarge {
                name: target.url.clone(),
                most: MAX_DOCUMENT_BYTES,
            });
        }
        bytes.extend_from_slice(&data);
    }
    Ok(Document { bytes, max_age })
}

/// `Cache-Control: max-age` in seconds (RFC 9111, section 5.2.2.1); zero for what should not be kept.
fn max_age(headers: &http::HeaderMap) -> Option<Duration> {
    let fields = headers.get_all(header::CACHE_CONTROL);
    let mut directives = fields
        .iter()
        .filter_map(|field| field.to_str().ok())
        .flat_map(|field| field.split(','))
        .map(|directive| directive.trim().to_ascii_lowercase());
    directives.find_map(|directive| {
        if directive == "no-store" || directive == "no-cache" {
            return Some(Duration::ZERO);
        }
        let seconds = directive.strip_prefix("max-age=")?.trim_matches('"');
        seconds.parse().ok().map(Duration::from_secs)
    })
}

/// Where a document is fetched from.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(in crate::identity) enum Origin {
    /// By discovery from an issuer.
    Discovery { issuer: String, ca: Option<PathBuf> },
    /// From a file.
    File(PathBuf),
    /// A secret of at least so many bytes, and no document.
    Secret { place: SecretSource, least: usize },
    /// From a URL.
    Url { url: String, ca: Option<PathBuf> },
}

impl Origin {
    pub(super) async fn fetch(
        &self,
        fetcher: &Fetcher,
        most: usize,
    ) -> Result<Document, KeysError> {
        match self {
            Self::Discovery { issuer, ca } => fetcher.discover(issuer, ca.as_deref()).await,
            Self::File(path) => Ok(Document {
                bytes: read_file(path, most).await?,
                max_age: None,
            }),
            Self::Secret { place, least } => secret(place, *least, most).await,
            Self::Url { url, ca } => fetcher.get(url, ca.as_deref()).await,
        }
    }
}

/// The bytes of a secret. A line break at the end is an editor's and no part of it.
pub(in crate::identity) async fn secret(
    place: &SecretSource,
    least: usize,
    most: usize,
) -> Result<Document, KeysError> {
    let mut bytes = match place {
        SecretSource::File(path) => read_file(path, most).await?,
        SecretSource::Variable(name) => match std::env::var(name) {
            Ok(value) => value.into_bytes(),
            Err(_) => return Err(KeysError::Variable(Box::from(name.as_str()))),
        },
    };
    let text = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
    let length = text.strip_suffix(b"\r").unwrap_or(text).len();
    bytes.truncate(length);
    if bytes.len() < least {
        return Err(KeysError::SharedKeyShort(least));
    }
    Ok(Document {
        bytes,
        max_age: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_the_internet_are_public() {
        for public in [
            "1.1.1.1",
            "100.128.0.1",
            "172.32.0.1",
            "198.20.0.1",
            "2606:4700::1111",
            "2a00:1450::1",
        ] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
        for other in [
            "0.0.0.0",
            "10.0.0.1",
            "100.64.0.1",
            "127.0.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "192.0.0.1",
            "192.0.2.1",
            "192.168.0.1",
            "198.18.0.1",
            "203.0.113.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:10.0.0.1",
            "::ffff:127.0.0.1",
            "::7f00:1",
            "64:ff9b::a00:1",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:a00:1::",
            "3fff::1",
            "fc00::1",
            "fd00::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(!is_public(other.parse().unwrap()), "{other}");
        }
    }
}
