//! Text in, diagnostics out.
