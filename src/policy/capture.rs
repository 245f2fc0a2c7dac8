//! What a decision was made from, as far as only the call itself tells it: handed over to be kept, and asked for
//! when the decision is made again.

use std::sync::{Arc, LazyLock};

use super::case::Case;
use super::condition::{Attribute, Attributes, Condition, Path, Value};
use super::decide::{PolicySet, actions};
use super::question::Question;
use super::reads::{Reads, is_told};
use super::tools::KeptTool;
use crate::model::RuleRef;

/// A value that a statement about a call reads, and that no audit record tells by itself.
#[derive(Debug, Clone, Copy)]
pub struct Need<'set> {
    /// The statement.
    pub rule: &'set Arc<RuleRef>,
    /// What it reads.
    pub path: &'set Path,
}

impl PolicySet {
    /// Hands over every value of the call that `reads` has and no audit record tells by itself, also those of statements
    /// that are not about this call: a changed policy may be. Beside them the [`TOOL`] that is called, as far as statements
    /// about tools look at it. With its path as it is spelt in conditions, and `None`
    /// where the call has no such value; a document that is not there is told once, and not path by path.
    pub fn capture(
        &self,
        reads: &Reads,
        question: &Question<'_>,
        note: &mut dyn FnMut(&Arc<str>, Option<Value<'_>>),
    ) {
        let case = Case::new(question, &self.ranks);
        let mut absent = None;
        for (path, spelling) in &reads.untold {
            let attribute = path.attribute();
            match document(attribute, question) {
                Some((_, true)) | None => note(spelling, case.attribute(path)),
                Some(_) if absent == Some(attribute) => {}
                Some((name, false)) => {
                    absent = Some(attribute);
                    note(name, None);
                }
            }
        }
        if reads.tool {
            let kept = question.request.tool.map(|call| self.tools.keep(call));
            // A struct of texts always is JSON.
            let kept = kept.map(|kept| serde_json::to_value(kept).unwrap_or_default());
            note(&TOOL, kept.as_ref().map(Value::Json));
        }
    }

    /// The first statement about tools that could refuse a call of which no more than this is known, and what would
    /// have to be; `None` where enough is kept.
    pub fn tool_need(&self, kept: Option<&KeptTool>) -> Option<(&Arc<RuleRef>, String)> {
        self.tools.lacks(kept)
    }

    /// What the conditions of the statements that may decide this call read, where no audit record tells it by itself.
    pub fn needs<'set>(&'set self, question: &Question<'_>) -> Vec<Need<'set>> {
        let mut judged: Vec<(&'set Arc<RuleRef>, Option<&'set Condition>)> = Vec::new();
        for action in actions(question) {
            let denies = self.denies.candidates(action, question);
            let denies = denies.filter(|deny| deny.means(action, question));
            judged.extend(denies.map(|deny| (&deny.rule.rule, deny.rule.when.as_ref())));
        }
        let action = &question.call.action;
        let grants = self.grants.candidates(action, question);
        let grants = grants.filter(|grant| grant.means(action, question));
        judged.extend(grants.map(|grant| (grant.to.rule(), grant.to.when())));
        let judged = judged.into_iter();
        let reads = judged.flat_map(|(rule, when)| {
            let paths = when.into_iter().flat_map(Condition::reads);
            paths.map(move |path| Need { rule, path })
        });
        reads
            .filter(|need| !is_told(need.path.attribute()))
            .collect()
    }
}

/// Under which name the tool that a request calls is captured: no condition reads it.
pub static TOOL: LazyLock<Arc<str>> = LazyLock::new(|| Arc::from("tool"));

/// The name of a document into which paths lead, and whether the call has it.
fn document(attribute: Attribute, question: &Question<'_>) -> Option<(&'static Arc<str>, bool)> {
    static ARGS: LazyLock<Arc<str>> = LazyLock::new(|| Arc::from(Attribute::Args.as_str()));
    static CLAIMS: LazyLock<Arc<str>> = LazyLock::new(|| Arc::from(Attribute::Claims.as_str()));
    if attribute == Attribute::Args {
        return Some((&ARGS, question.request.args.is_some()));
    }
    let is_claims = attribute == Attribute::Claims;
    is_claims.then(|| (&*CLAIMS, question.principal.claims.is_some()))
}
