//! `Accept-Signature` (RFC 9421, section 5.1): what those are told who did not sign, or not well.

use http::HeaderValue;

use super::component::{Component, write_string};
use super::requirements::When;
use crate::identity::SignedRequests;

/// One member for each identity that wants something else. What must be covered only where it is there is left
/// out, because the field says what to cover and not what to send. `nonce` and `keyid` would be ones that we chose,
/// and the sender chooses both.
pub(super) fn request_signature<'a>(
    identities: impl Iterator<Item = &'a SignedRequests>,
    has_content: bool,
) -> Option<HeaderValue> {
    let mut members: Vec<String> = Vec::new();
    for signed in identities {
        let member = member(signed, has_content);
        if !members.contains(&member) {
            members.push(member);
        }
    }
    let labelled: Vec<_> = members
        .iter()
        .enumerate()
        .map(|(index, member)| format!("sig{}={member}", index + 1))
        .collect();
    if labelled.is_empty() {
        return None;
    }
    HeaderValue::from_str(&labelled.join(", ")).ok()
}

fn member(signed: &SignedRequests, has_content: bool) -> String {
    let requirements = &signed.requirements;
    let mut out = String::from("(");
    let wanted = requirements.covers.iter().filter(|requirement| {
        requirement.when == When::Always || requirement.when == When::IfContent && has_content
    });
    let mut components: Vec<&Component<'_>> =
        wanted.map(|requirement| &requirement.component).collect();
    let digest = Component::field("content-digest").ok();
    if let (Some(digest), true) = (&digest, has_content)
        && !components.iter().any(|component| component.is_same(digest))
    {
        components.push(digest);
    }
    for (index, component) in components.into_iter().enumerate() {
        if index > 0 {
            out.push(' ');
        }
        component.write(&mut out);
    }
    out.push_str(");created");
    if requirements.expires {
        out.push_str(";expires");
    }
    if let Some(algorithm) = signed.algorithm {
        out.push_str(";alg=");
        write_string(algorithm.as_str(), &mut out);
    }
    if let Some(tag) = &signed.tag {
        out.push_str(";tag=");
        write_string(tag, &mut out);
    }
    out
}
