//! Whether news may be pushed to where a call wants it.

use std::net::IpAddr;
use std::sync::Arc;

use super::address::{self, Kind};
use super::config::{Config, Rules};
use super::error::PushError;
use super::resolver::Resolver;
use crate::model::{Call, HookHost, HookUrl, Protocol, Refusal, RuleRef};

/// What an author lets registrations be.
#[derive(Debug)]
pub struct Hooks {
    config: Config,
}

impl Hooks {
    /// By what an author wrote.
    pub const fn new(config: Config) -> Self {
        Self { config }
    }

    /// Judges the registration of a call, if it is one, with the addresses that its host has now. The agent looks them up
    /// again, later.
    ///
    /// # Errors
    /// When it may not be.
    pub async fn admit(&self, resolver: &Resolver, call: &Call) -> Result<(), Refusal> {
        let Some(name) = self.judge(call)? else {
            return Ok(());
        };
        let Config::Check(rules) = &self.config else {
            return Ok(());
        };
        let found = resolver.resolve(name).await;
        let found = found.map_err(|error| PushError::Unresolved {
            host: Box::from(name),
            error,
        });
        // One address that is not for it is enough: whoever answers for the name chooses which one is taken.
        let judged = found.and_then(|addresses| rules.check_all(name, &addresses));
        judged.map_err(|error| self.refusal(&error))
    }

    /// The same, as far as it goes without the DNS: the name is returned that has to be looked up.
    ///
    /// # Errors
    /// When it may not be, wherever it leads.
    pub fn judge<'a>(&self, call: &'a Call) -> Result<Option<&'a str>, Refusal> {
        let url = match &call.hook {
            Some(hook) => &hook.url,
            None if registers(call) => return Err(self.refusal(&self.without_url())),
            None => return Ok(None),
        };
        let judged = match &self.config {
            Config::Check(rules) => rules.check(url),
            Config::Refuse(_) => Err(PushError::Refused),
        };
        judged.map_err(|error| self.refusal(&error))
    }

    fn without_url(&self) -> PushError {
        match self.config {
            Config::Check(_) => PushError::NoUrl,
            Config::Refuse(_) => PushError::Refused,
        }
    }

    fn rule(&self) -> &Arc<RuleRef> {
        match &self.config {
            Config::Check(rules) => &rules.rule,
            Config::Refuse(rule) => rule,
        }
    }

    fn refusal(&self, error: &PushError) -> Refusal {
        Refusal::new(error.reason())
            .detail(error)
            .rule(Arc::clone(self.rule()))
    }
}

/// Whether a call is for nothing but to register.
fn registers(call: &Call) -> bool {
    call.action.protocol == Protocol::A2a
        && call.action.method == "CreateTaskPushNotificationConfig"
}

impl Rules {
    /// What a URL says of itself; its name, where that has to be looked up.
    fn check<'a>(&self, url: &'a HookUrl) -> Result<Option<&'a str>, PushError> {
        match url.is_secure() {
            true if !self.allows_https => return Err(PushError::Scheme("https")),
            false if !self.allows_http => return Err(PushError::Scheme("http")),
            true | false => {}
        }
        let hosts = self.hosts.as_deref();
        if hosts.is_some_and(|hosts| !hosts.iter().any(|listed| listed.covers(url.host()))) {
            return Err(PushError::Host(url.host().to_string().into()));
        }
        let ports = self.ports.as_deref();
        if ports.is_some_and(|ports| !ports.contains(&url.port())) {
            return Err(PushError::Port(url.port()));
        }
        match url.host() {
            HookHost::Address(address) => {
                self.check_address(&url.host().to_string(), *address)?;
                Ok(None)
            }
            HookHost::Name(name) => Ok(Some(name)),
        }
    }

    fn check_all(&self, host: &str, addresses: &[IpAddr]) -> Result<(), PushError> {
        let mut addresses = addresses.iter();
        addresses.try_for_each(|address| self.check_address(host, *address))
    }

    fn check_address(&self, host: &str, address: IpAddr) -> Result<(), PushError> {
        match address::kind(address) {
            Kind::Public => Ok(()),
            Kind::Private(_) if self.allows_private => Ok(()),
            kind @ (Kind::Never(_) | Kind::Private(_)) => Err(PushError::Address {
                host: Box::from(host),
                address,
                kind,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::host::HostPattern;
    use super::*;
    use crate::model::{A2aVersion, Action, Binding, Dialect, Hook, Operation, Reason};

    fn rules(change: impl FnOnce(&mut Rules)) -> Hooks {
        let mut rules = Rules {
            rule: Arc::new(RuleRef {
                name: Arc::from("push"),
                place: None,
            }),
            allows_http: false,
            allows_https: true,
            hosts: None,
            ports: None,
            allows_private: false,
        };
        change(&mut rules);
        Hooks::new(Config::Check(rules))
    }

    fn call(url: &str) -> Call {
        Call {
            action: Action::known(Protocol::A2a, "SendMessage"),
            http: None,
            operation: Operation::SendMessage,
            dialect: Dialect::A2a(A2aVersion::V1_0, Binding::Rest),
            rpc_id: None,
            task: None,
            references: Vec::new(),
            context: None,
            session: None,
            hook: Some(Box::new(Hook::new(url, None, [], None).unwrap())),
            addressed: None,
        }
    }

    /// What comes of a URL whose name is at these addresses.
    async fn of(hooks: &Hooks, url: &str, addresses: &[&str]) -> Result<(), String> {
        let addresses: Vec<IpAddr> = addresses.iter().map(|text| text.parse().unwrap()).collect();
        let resolver = Resolver::new(move |_| Ok(addresses.clone()));
        let admitted = hooks.admit(&resolver, &call(url)).await;
        admitted.map_err(|refusal| {
            assert_eq!(refusal.reason, Reason::PushDenied);
            assert_eq!(&*refusal.rule.unwrap().name, "push");
            refusal.detail.unwrap().to_string()
        })
    }

    #[tokio::test]
    async fn all_addresses_of_a_name_must_be_public() {
        let hooks = rules(|_| {});
        let url = "https://c.example/";
        assert_eq!(of(&hooks, url, &["1.1.1.1", "2606:4700::1"]).await, Ok(()));
        for bad in [
            "127.0.0.1",
            "::1",
            "10.0.0.1",
            "::ffff:169.254.169.254",
            "fe80::1",
        ] {
            let judged = of(&hooks, url, &["1.1.1.1", bad]).await;
            assert!(
                judged.unwrap_err().starts_with("`c.example` is at "),
                "{bad}"
            );
        }
        let none = of(&hooks, url, &[]).await.unwrap_err();
        assert_eq!(none, "`c.example` cannot be resolved: it has no address");
    }

    #[tokio::test]
    async fn what_is_listed_is_let_through() {
        let listed = vec![
            HostPattern::parse("*.acme.example").unwrap(),
            HostPattern::parse("10.1.2.3").unwrap(),
        ];
        let hooks = rules(|rules| {
            rules.hosts = Some(listed);
            rules.ports = Some(vec![443, 8443]);
            rules.allows_http = true;
            rules.allows_private = true;
        });
        let private = &["10.0.0.7"];
        assert_eq!(of(&hooks, "https://a.acme.example/", private).await, Ok(()));
        assert_eq!(of(&hooks, "http://10.1.2.3:8443/", private).await, Ok(()));
        for (url, why) in [
            (
                "https://acme.example/",
                "the host `acme.example` is not listed",
            ),
            ("https://10.1.2.4/", "the host `10.1.2.4` is not listed"),
            ("http://a.acme.example/", "the port 80 is not listed"),
        ] {
            assert_eq!(of(&hooks, url, private).await, Err(why.to_owned()));
        }
        let metadata = of(&hooks, "https://a.acme.example/", &["169.254.169.254"]).await;
        assert!(
            metadata
                .unwrap_err()
                .ends_with("where a cloud tells credentials")
        );
    }

    #[tokio::test]
    async fn where_push_is_refused_a_call_without_it_passes() {
        let rule = Arc::new(RuleRef {
            name: Arc::from("push"),
            place: None,
        });
        let hooks = Hooks::new(Config::Refuse(rule));
        let refused = hooks.judge(&call("https://1.1.1.1/")).unwrap_err();
        assert_eq!(refused.reason, Reason::PushUnsupported);
        let plain = Call {
            hook: None,
            addressed: None,
            ..call("https://1.1.1.1/")
        };
        assert!(hooks.judge(&plain).unwrap().is_none());
        let create = Call {
            action: Action::known(Protocol::A2a, "CreateTaskPushNotificationConfig"),
            ..plain
        };
        assert_eq!(
            hooks.judge(&create).unwrap_err().reason,
            Reason::PushUnsupported
        );
        let denied = rules(|_| {}).judge(&create).unwrap_err();
        assert_eq!(denied.detail.as_deref(), Some("no push URL was found"));
    }
}
