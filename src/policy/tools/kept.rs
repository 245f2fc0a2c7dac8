//! What is kept of a call of a tool, so that its arguments can be judged again.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::object::Object;
use super::{Meant, Tools};
use crate::model::{Members, RuleRef, ToolArgs, ToolCall};

/// A call of a tool without the values that no statement looks at.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct KeptTool {
    /// Its name; `None` where that could not be read.
    pub name: Option<Box<str>>,
    /// What it was given.
    pub given: Given,
    /// Arguments that were there and whose values are not kept: `null` stands in their place.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub omitted: Vec<Box<str>>,
}

/// What a tool was given, as far as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Given {
    /// The text of a JSON document: a text, so that numbers keep their digits.
    Json(Box<str>),
    /// Nothing.
    Nothing,
    /// No statement is about the tool, so nothing of it is kept.
    Unkept,
    /// What two readers could see in two ways.
    Unreadable,
}

impl KeptTool {
    /// The call, as far as it is kept.
    pub fn call(&self) -> ToolCall {
        ToolCall {
            name: self.name.clone(),
            args: match &self.given {
                Given::Json(json) => ToolArgs::Json(json.clone()),
                Given::Nothing | Given::Unkept => ToolArgs::Absent,
                Given::Unreadable => ToolArgs::Unreadable,
            },
        }
    }
}

impl Tools {
    /// What statements about tools look at.
    pub(in crate::policy) fn keep(&self, call: &ToolCall) -> KeptTool {
        let name = call.name.as_deref();
        let meant =
            name.and_then(|name| self.enforced.find(name).or_else(|| self.shadow.find(name)));
        let mut omitted = Vec::new();
        let given = match (&call.args, meant) {
            (ToolArgs::Absent, _) => Given::Nothing,
            (ToolArgs::Unreadable, _) => Given::Unreadable,
            (ToolArgs::Json(_), None) => Given::Unkept,
            (ToolArgs::Json(json), Some(Meant::Tool(tool) | Meant::Spelling(tool))) => {
                Given::Json(tool.arguments.keep(json, &mut omitted))
            }
        };
        KeptTool {
            name: call.name.clone(),
            given,
            omitted,
        }
    }
}

impl Tools {
    /// The first statement that could refuse a call of which no more than this is known, and what would have to be;
    /// `None` where enough is kept.
    pub(in crate::policy) fn lacks(
        &self,
        kept: Option<&KeptTool>,
    ) -> Option<(&Arc<RuleRef>, String)> {
        let Some(kept) = kept else {
            let first = self.enforced().next()?;
            return Some((first, "the tool that it calls".to_owned()));
        };
        let name = kept.name.as_deref()?;
        // Another spelling of a tool is refused whatever it is given.
        let Some(Meant::Tool(tool)) = self.enforced.find(name) else {
            return None;
        };
        if kept.given == Given::Unkept {
            return Some((&tool.rule, format!("what `{name}` is given")));
        }
        let mut omitted = kept.omitted.iter();
        let needed = omitted.find_map(|key| tool.arguments.looked_at(key))?;
        Some((&tool.rule, format!("`{needed}` of `{name}`")))
    }
}

impl Object {
    /// The members that are looked at, and `null` for the others. What is no object is refused whatever it is.
    fn keep(&self, json: &str, omitted: &mut Vec<Box<str>>) -> Box<str> {
        let Some(members) = Members::read(json) else {
            return Box::from("[]");
        };
        let mut kept = Vec::new();
        for (key, value) in members.iter() {
            let value = if self.looked_at(key).is_some() {
                value
            } else {
                omitted.push(Box::from(key));
                "null"
            };
            // A text is always one of JSON.
            let key = serde_json::to_string(key).unwrap_or_default();
            kept.push(format!("{key}:{value}"));
        }
        format!("{{{}}}", kept.join(",")).into_boxed_str()
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Argument, Decimal, Tool, Wanted};
    use super::*;
    use crate::model::Mode;

    fn tools() -> Tools {
        let argument = |name: &str| Argument {
            path: vec![Box::from(name)],
            wanted: Wanted::Number {
                min: None,
                max: Decimal::parse("9007199254740992"),
                one_of: Vec::new(),
            },
            optional: true,
        };
        Tools::new(vec![Tool {
            rule: Arc::new(RuleRef {
                name: Arc::from("wire"),
                place: None,
            }),
            mode: Mode::Enforce,
            args: vec![argument("amount")],
            closed: false,
            pin: None,
        }])
    }

    #[test]
    fn what_no_statement_looks_at_is_not_kept() {
        let call = ToolCall::new(
            "wire",
            Some(r#"{"amount": 9007199254740993, "note": "secret", "AMOUNT": 1}"#.to_owned()),
        );
        let kept = tools().keep(&call);
        assert_eq!(
            serde_json::to_value(&kept).unwrap(),
            serde_json::json!({
                "name": "wire", "omitted": ["note"],
                "given": { "json": r#"{"amount":9007199254740993,"note":null,"AMOUNT":1}"# },
            })
        );
        let read: KeptTool = serde_json::from_value(serde_json::to_value(&kept).unwrap()).unwrap();
        assert_eq!(read, kept);
        let other = tools().keep(&ToolCall::new("read", Some("{}".to_owned())));
        assert_eq!(other.given, Given::Unkept);
        let list = tools().keep(&ToolCall::new("wire", Some("[\"secret\"]".to_owned())));
        assert_eq!(list.given, Given::Json(Box::from("[]")));
    }

    #[test]
    fn what_is_not_kept_is_missed_by_whoever_needs_it() {
        let lacks = |call: ToolCall, change: fn(&mut KeptTool)| {
            let mut kept = tools().keep(&call);
            change(&mut kept);
            tools().lacks(Some(&kept)).map(|(_, what)| what)
        };
        let wire = || ToolCall::new("wire", Some(r#"{"note": 1}"#.to_owned()));
        assert_eq!(lacks(wire(), |_| ()), None);
        assert_eq!(
            lacks(wire(), |kept| kept.omitted = vec!["Amount".into()]).as_deref(),
            Some("`amount` of `wire`")
        );
        assert_eq!(
            lacks(wire(), |kept| kept.given = Given::Unkept).as_deref(),
            Some("what `wire` is given")
        );
        assert_eq!(lacks(ToolCall::new("read", None), |_| ()), None);
        let unknown = tools();
        let unknown = unknown.lacks(None).map(|(_, what)| what);
        assert_eq!(unknown.as_deref(), Some("the tool that it calls"));
    }
}
