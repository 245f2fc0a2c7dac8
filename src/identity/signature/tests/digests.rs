use http::HeaderMap;

use crate::identity::signature::{ContentDigest, ContentHasher, SignatureError, content_digest};

fn digest(value: &str) -> Result<ContentDigest, SignatureError> {
    let mut headers = HeaderMap::new();
    headers.insert("content-digest", value.parse().unwrap());
    ContentDigest::of(&headers).map(|digest| digest.unwrap())
}

/// RFC 9530, appendix B.
#[test]
fn printed_digests_are_of_the_printed_content() {
    let content = b"{\"hello\": \"world\"}\n";
    for value in [
        "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:",
        "sha-512=:YMAam51Jz/jOATT6/zvHrLVgOYTGFy1d6GJiOHTohq4yP+pgk4vf2aCsyRZOtw8MjkM7iw7yZ/WkppmM44T3qg==:",
        "md5=:AAAA:, sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:;x=1",
    ] {
        let digest = digest(value).unwrap();
        assert_eq!(digest.check(content), Ok(()), "{value}");
        assert_eq!(
            digest.check(&content[..18]),
            Err(SignatureError::DigestMismatch),
            "{value}"
        );
    }
}

#[test]
fn content_may_come_in_pieces() {
    let content: Vec<u8> = (0..=255).cycle().take(10_000).collect();
    let digest = digest(&content_digest(&content)).unwrap();
    for size in [1, 7, 64, 4096] {
        let mut hasher = ContentHasher::new(&digest);
        content.chunks(size).for_each(|piece| hasher.update(piece));
        assert_eq!(hasher.finish(), Ok(()), "{size}");
    }
}
