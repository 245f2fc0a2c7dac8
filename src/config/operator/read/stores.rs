//! What instances share.

use super::Reader;
use crate::config::decode::{self, Fields, Secret, bad_value, refuse_literal, text};
use crate::config::diagnostic::{Code, Diagnostic};
use crate::config::language::operator as shapes;
use crate::config::operator::Operator;
use crate::config::tree::Entry;
use crate::stores::{Config, UrlSource};

/// Longer ones cost memory in each key.
const MAX_PREFIX_BYTES: usize = 64;

impl Reader<'_> {
    pub(super) fn stores(&mut self, mut fields: Fields<'_>, operator: &mut Operator) {
        let entry = fields.take("redis");
        if let (Some(entry), false) = (entry, cfg!(feature = "redis")) {
            let title = "this build of lictor has no Redis";
            let diagnostic = Diagnostic::error(Code::NotEnforced, title).at(entry.key.span, "");
            let help = "use one that was built with the cargo feature `redis`, as releases are";
            self.report.push(diagnostic.help(help));
        }
        if let Some(redis) = self.section(&shapes::REDIS, entry) {
            operator.redis = self.redis(redis);
        }
        fields.finish(self.report);
    }

    fn redis(&mut self, mut fields: Fields<'_>) -> Option<Config> {
        let url = fields.require("url", self.report);
        let url = url.and_then(|entry| self.redis_url(entry));
        let mut prefix = "lictor";
        if let Some(entry) = fields.take("prefix")
            && let Some(text) = text(&entry.value, "`prefix`", self.report)
        {
            // Braces would make another hash tag of it, and others are not needed.
            let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_.:-".contains(&byte);
            if text.len() <= MAX_PREFIX_BYTES && text.bytes().all(is_plain) {
                prefix = text;
            } else {
                let expected = "a text of at most 64 letters, digits, `_`, `.`, `:` and `-`";
                self.report
                    .push(bad_value(&entry.value, "`prefix`", expected));
            }
        }
        let ca = fields.take("ca");
        let ca = ca.and_then(|entry| self.path(&entry.value, "`ca`"));
        fields.finish(self.report);
        Some(Config {
            url: url?,
            prefix: prefix.into(),
            ca,
        })
    }

    fn redis_url(&mut self, entry: &Entry) -> Option<UrlSource> {
        // It holds a password, or will.
        let instead = "use { env: REDIS_URL } or { file: secrets/redis-url }";
        if refuse_literal(entry, instead, self.report) {
            return None;
        }
        Some(match decode::secret(entry, self.report)? {
            Secret::File(node) => UrlSource::File(self.path(node, "`file`")?),
            Secret::Variable(name) => UrlSource::Env(name.to_owned()),
        })
    }
}
