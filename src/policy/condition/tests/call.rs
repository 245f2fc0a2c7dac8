//! A call as a table writes it: a JSON object from the names of attributes to their values.

use std::collections::BTreeMap;
use std::net::IpAddr;

use jiff::Timestamp;
use serde_json::{Map, Value as Json};

use crate::policy::condition::{Attribute, Attributes, Path, Value};

#[derive(Debug, Clone, Default)]
pub(super) struct Call {
    values: Map<String, Json>,
    groups: BTreeMap<Attribute, Vec<Box<str>>>,
    time: Option<Timestamp>,
    ip: Option<IpAddr>,
}

impl Call {
    pub(super) fn of(json: Json) -> Self {
        let Json::Object(values) = json else {
            panic!("a call is an object, not {json}");
        };
        let mut call = Self::default();
        for (name, value) in &values {
            let known = |attribute: &&Attribute| attribute.as_str() == name;
            let attribute = *Attribute::ALL
                .iter()
                .find(known)
                .unwrap_or_else(|| panic!("no attribute `{name}`"));
            match attribute {
                Attribute::Time => call.time = Some(value.as_str().unwrap().parse().unwrap()),
                Attribute::SourceIp => call.ip = Some(value.as_str().unwrap().parse().unwrap()),
                Attribute::ActorGroups | Attribute::CallerGroups => {
                    let groups = value.as_array().unwrap().iter();
                    let groups = groups.map(|group| Box::from(group.as_str().unwrap()));
                    call.groups.insert(attribute, groups.collect());
                }
                _ => {}
            }
        }
        call.values = values;
        call
    }

    pub(super) fn parse(text: &str) -> Self {
        Self::of(serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}")))
    }
}

impl Attributes for Call {
    fn attribute(&self, path: &Path) -> Option<Value<'_>> {
        let attribute = path.attribute();
        let value = || self.values.get(attribute.as_str());
        match attribute {
            Attribute::Time => self.time.map(Value::Time),
            Attribute::SourceIp => self.ip.map(Value::Ip),
            Attribute::ActorGroups | Attribute::CallerGroups => self
                .groups
                .get(&attribute)
                .map(|groups| Value::Texts(groups)),
            _ => path.walk(value()?),
        }
    }
}
