//! Where Redis is, by a URL that holds a password.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::net::IpAddr;
use std::path::Path;

use redis::{Client, ConnectionAddr, ErrorKind, TlsCertificates};

use super::{AddressError, Config, UrlSource};

/// Longer ones are something else.
const MAX_URL_BYTES: u64 = 4096;

/// A file of more authorities than that is something else.
const MAX_AUTHORITIES_BYTES: u64 = 1 << 20;

/// Where Redis is, and who we are there.
pub(super) struct Address {
    /// What connects.
    pub(super) client: Client,
    /// Whether the password, and everything else, crosses a network in the clear.
    pub(super) is_exposed: bool,
    host: String,
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Address").field(&self.host).finish()
    }
}

impl fmt::Display for Address {
    /// Host and port, without user and password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.host)
    }
}

impl Address {
    /// Reads it anew.
    ///
    /// # Errors
    /// When it cannot be had, or is none.
    pub(super) fn read(config: &Config) -> Result<Self, AddressError> {
        let (place, text) = match &config.url {
            UrlSource::Env(name) => {
                let value = std::env::var(name).unwrap_or_default();
                if value.trim().is_empty() {
                    return Err(AddressError::Unset(name.as_str().into()));
                }
                (format!("${name}"), value)
            }
            UrlSource::File(path) => {
                let bytes = read(path, MAX_URL_BYTES)?;
                let text = String::from_utf8_lossy(&bytes).into_owned();
                (format!("`{}`", path.display()), text)
            }
        };
        Self::parse(text.trim(), &place, config.ca.as_deref())
    }

    fn parse(url: &str, place: &str, ca: Option<&Path>) -> Result<Self, AddressError> {
        let malformed = || AddressError::Malformed(place.into());
        let (scheme, rest) = url.split_once("://").ok_or_else(malformed)?;
        if !matches!(scheme, "redis" | "rediss") {
            // What stands before `://` is no secret if it looks like a scheme.
            let is_scheme = |c: char| c.is_ascii_alphanumeric() || "+.-".contains(c);
            return match scheme.len() <= 16 && scheme.chars().all(is_scheme) {
                true => Err(AddressError::Scheme(place.into(), scheme.into())),
                false => Err(malformed()),
            };
        }
        if rest.contains('#') {
            return Err(AddressError::Options(place.into()));
        }
        let client = match ca {
            None => Client::open(url),
            Some(_) if scheme == "redis" => {
                return Err(AddressError::AuthoritiesUnused(place.into()));
            }
            Some(path) => {
                let root_cert = Some(read(path, MAX_AUTHORITIES_BYTES)?);
                Client::build_with_tls(
                    url,
                    TlsCertificates {
                        client_tls: None,
                        root_cert,
                    },
                )
            }
        };
        let client = client.map_err(|error| match error.kind() {
            // Everything else is about the authorities, which are no secret.
            ErrorKind::InvalidClientConfig => malformed(),
            _ => AddressError::Authorities(error.to_string().into()),
        })?;
        let (host, port) = match client.get_connection_info().addr() {
            ConnectionAddr::Tcp(host, port) | ConnectionAddr::TcpTls { host, port, .. } => {
                (host.clone(), *port)
            }
            _ => return Err(malformed()),
        };
        Ok(Self {
            is_exposed: scheme == "redis" && !is_here(&host),
            host: format!("{host}:{port}"),
            client,
        })
    }
}

/// Whether a host is this machine.
fn is_here(host: &str) -> bool {
    let address = host.parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

fn read(path: &Path, most: u64) -> Result<Vec<u8>, AddressError> {
    let read = || {
        let mut bytes = Vec::new();
        File::open(path)?.take(most).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    read().map_err(|source| AddressError::Unreadable {
        path: path.display().to_string(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(url: &str, ca: Option<&Path>) -> String {
        match Address::parse(url, "$REDIS_URL", ca) {
            Ok(address) => {
                let exposed = if address.is_exposed { ", exposed" } else { "" };
                format!("{address}{exposed}")
            }
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn an_address_is_told_without_its_password() {
        let malformed = "$REDIS_URL does not hold the address of a Redis, such as \
                         rediss://user:password@redis.example:6379";
        for (url, expected) in [
            ("redis://127.0.0.1:7000", "127.0.0.1:7000"),
            ("redis://:hunter2@localhost/3", "localhost:6379"),
            ("redis://u:hunter2@[::1]:7000", "::1:7000"),
            (
                "redis://u:hunter2@redis.example",
                "redis.example:6379, exposed",
            ),
            ("rediss://u:hunter2@redis.example", "redis.example:6379"),
            ("redis://", malformed),
            ("redis://h/hunter2", malformed),
            ("redis://u:hunter2@h:port", malformed),
            ("hunter2", malformed),
            ("hunter2 hunter2 hunter2://h", malformed),
            (
                "https://u:hunter2@h",
                "the address in $REDIS_URL is for `https`; write redis:// or rediss://, such as \
                 rediss://user:password@redis.example:6379",
            ),
            (
                "rediss://u:hunter2@h/#insecure",
                "the address in $REDIS_URL ends with `#…`, which is not supported; `ca` says whom to trust",
            ),
        ] {
            assert_eq!(said(url, None), expected, "{url}");
        }
    }

    #[test]
    fn authorities_are_for_tls_and_have_to_be_some() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.crt");
        assert_eq!(
            said("redis://h", Some(&path)),
            "`ca` is for rediss://, and $REDIS_URL says redis://"
        );
        let missing = format!("`{}` cannot be read", path.display());
        assert_eq!(said("rediss://h", Some(&path)), missing);
        std::fs::write(
            &path,
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        )
        .unwrap();
        let said = said("rediss://h", Some(&path));
        assert!(said.starts_with("`ca` cannot be used: "), "{said}");
    }

    #[test]
    fn an_address_is_read_from_where_it_lies() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("url");
        let mut config = Config {
            url: UrlSource::File(path.clone()),
            prefix: "lictor".into(),
            ca: None,
        };
        let error = Address::read(&config).unwrap_err();
        assert!(error.to_string().ends_with("cannot be read"), "{error}");
        std::fs::write(&path, "redis://h:1\n").unwrap();
        assert_eq!(Address::read(&config).unwrap().to_string(), "h:1");
        config.url = UrlSource::Env("LICTOR_TEST_UNSET".to_owned());
        let error = Address::read(&config).unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("$LICTOR_TEST_UNSET is not set")
        );
    }
}
