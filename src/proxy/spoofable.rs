//! Fields by which proxies tell an agent who calls and how.
//!
//! An agent that once stood behind another proxy still believes them, so that a caller who writes them itself
//! would be whoever it likes. None passes; what is true of the caller lictor says in fields of its own.

/// Whether only a proxy may have set the field. `name` is in small letters.
pub(super) fn is_spoofable(name: &str) -> bool {
    // Nearly every field begins otherwise, and costs one look.
    let may_be = matches!(
        name.as_bytes(),
        [b'c', b'f' | b'l', ..] | [b'f' | b'r' | b's' | b't' | b'x', ..]
    );
    if !may_be {
        return false;
    }
    NAMES.iter().any(|spoofable| is_same(name, spoofable))
        || FAMILIES.iter().any(|family| begins_with(name, family))
}

/// Whether the name is ours to whoever does not tell signs apart: servers that hand fields to programs as
/// variables make `X_User_Id` and `X-User-Id` one name, some of them `X.User.Id` too.
pub(super) fn is_same(name: &str, ours: &str) -> bool {
    name.len() == ours.len() && begins_with(name, ours)
}

fn begins_with(name: &str, family: &str) -> bool {
    let same = |(theirs, ours): (u8, u8)| {
        theirs == ours || (ours == b'-' && !theirs.is_ascii_alphanumeric())
    };
    name.len() >= family.len() && name.bytes().zip(family.bytes()).all(same)
}

/// Whole names.
const NAMES: &[&str] = &[
    // Whose address, of which content networks and balancers tell.
    "cf-connecting-ip",
    "cf-connecting-ipv6",
    "fastly-client-ip",
    "forwarded",
    "true-client-ip",
    "x-azure-clientip",
    "x-client-ip",
    "x-cluster-client-ip",
    "x-real-ip",
    // Whose certificate (RFC 9440, and before it whatever each server called it).
    "client-cert",
    "client-cert-chain",
    "x-arr-clientcert",
    // Which target.
    "x-rewrite-url",
    // Who, of which gateways tell.
    "remote-email",
    "remote-groups",
    "remote-name",
    "remote-user",
    "x-anonymous-consumer",
    "x-apigateway-api-userinfo",
    "x-authenticated-groups",
    "x-authenticated-scope",
    "x-authenticated-userid",
    "x-credential-identifier",
    "x-endpoint-api-userinfo",
    "x-remote-group",
    "x-remote-user",
];

/// Beginnings of names.
const FAMILIES: &[&str] = &[
    "cf-access-",
    "ssl-client-",
    "tailscale-user-",
    "x-amzn-oidc-",
    "x-auth-request-",
    "x-authentik-",
    "x-client-cert",
    "x-consumer-",
    "x-envoy-",
    "x-forwarded-",
    "x-goog-authenticated-user-",
    "x-goog-iap-jwt-assertion",
    "x-lictor-",
    "x-ms-client-principal",
    "x-original-",
    "x-remote-extra-",
    "x-spiffe-",
    "x-ssl-",
    "x-webauth-",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_look_misses_none() {
        let families = FAMILIES.iter().map(|family| format!("{family}a"));
        let names = NAMES.iter().map(|name| (*name).to_owned());
        for name in names.chain(families) {
            assert!(is_spoofable(&name), "{name}");
        }
    }

    #[test]
    fn what_other_proxies_say_does_not_pass_in_any_spelling() {
        for name in [
            "forwarded",
            "x-forwarded-for",
            "x_forwarded_for",
            "x-forwarded_email",
            "x-forwarded-client-cert",
            "x-original-url",
            "x-lictor-decision",
            "x_lictor_decision",
            "x-lictor_decision",
            "x.forwarded.for",
            "x-spiffe-id",
            "ssl_client_s_dn",
            "ssl-client-verify",
            "x-ssl-client-cert",
            "client-cert",
            "client_cert",
            "remote_user",
            "x-auth-request-user",
            "x-ms-client-principal",
            "x-ms-client-principal-id",
            "tailscale-user-login",
        ] {
            assert!(is_spoofable(name), "{name}");
        }
        for name in [
            "accept",
            "authorization",
            "cf-ray",
            "client-certificate-hint",
            "cookie",
            "forwarded-by",
            "remote",
            "x-api-key",
            "x-forward",
            "x-lictor",
            "x-request-id",
            "x-trace",
        ] {
            assert!(!is_spoofable(name), "{name}");
        }
    }

    #[test]
    fn every_name_passes_the_first_look() {
        for name in NAMES.iter().chain(FAMILIES) {
            assert!(is_spoofable(name), "{name}");
        }
    }
}
