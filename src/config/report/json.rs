//! One JSON document.

use serde_json::{Value, json};

use super::{Region, region};
use crate::config::diagnostic::{Diagnostic, Diagnostics, Severity};

pub(super) fn render(all: &Diagnostics) -> String {
    let document = json!({
        "version": 1,
        "diagnostics": all.iter().map(|each| one(all, each)).collect::<Vec<_>>(),
        "errors": all.errors(),
        "warnings": all.warnings(),
        "files": all.files(),
    });
    format!("{document:#}\n")
}

fn one(all: &Diagnostics, diagnostic: &Diagnostic) -> Value {
    let primary = diagnostic.primary();
    let place = primary.and_then(|(span, _)| region(all, span));
    let secondary = diagnostic.secondary();
    let related = secondary.and_then(|(span, label)| {
        let mut place = position(&region(all, span)?);
        place
            .as_object_mut()?
            .insert("label".into(), said(Some(label)));
        Some(place)
    });
    let (note, help) = diagnostic.advice();
    let mut value = json!({
        "code": diagnostic.code(),
        "severity": match diagnostic.severity() {
            Severity::Error => "error",
            Severity::Warning => "warning",
        },
        "title": diagnostic.title(),
        "label": said(primary.map(|(_, label)| label)),
        "note": note,
        "help": help,
        "related": related.into_iter().collect::<Vec<_>>(),
    });
    // Without a place there is no file to name: it is the file that cannot be read, and the title names it.
    let place = place.map_or_else(
        || json!({ "file": null, "line": null, "column": null, "end": null }),
        |place| position(&place),
    );
    if let (Some(value), Value::Object(place)) = (value.as_object_mut(), place) {
        value.extend(place);
    }
    value
}

fn position(place: &Region<'_>) -> Value {
    json!({
        "file": place.file,
        "line": place.start.0,
        "column": place.start.1,
        "end": { "line": place.end.0, "column": place.end.1 },
    })
}

/// A label that says nothing is none.
fn said(label: Option<&str>) -> Value {
    label.filter(|label| !label.is_empty()).into()
}
