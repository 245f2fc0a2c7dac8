//! The reference pages say what the description of the language says.
//!
//! After a change of it, `LICTOR_BLESS=1 cargo test --test reference` writes the pages anew.

use std::fs;
use std::path::Path;

use lictor::config::Document;

#[test]
fn the_reference_pages_are_up_to_date() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    for (name, document) in [
        ("policy-reference.md", Document::Policy),
        ("operator-reference.md", Document::Operator),
    ] {
        let (path, page) = (docs.join(name), document.reference());
        if std::env::var_os("LICTOR_BLESS").is_some() {
            fs::write(&path, &page).unwrap();
        }
        let written = fs::read_to_string(&path).unwrap_or_default();
        assert!(
            written == page,
            "docs/{name} is not what the language is: write it anew with LICTOR_BLESS=1"
        );
    }
}

#[test]
fn a_schema_is_the_same_every_time() {
    for document in [Document::Policy, Document::Operator] {
        assert_eq!(document.schema(), document.schema());
    }
}
