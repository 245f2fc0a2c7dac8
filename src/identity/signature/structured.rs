//! Structured fields (RFC 9651), collected without forgiving what two readers could read differently: of two
//! equal keys the RFC takes the last, and others the first. We take neither.

use sfv::visitor::{
    DictionaryVisitor, EntryVisitor, InnerListVisitor, ItemVisitor, ListVisitor, ParameterVisitor,
};
use sfv::{BareItemFromInput, ItemSerializer, KeyRef, Parser};

/// Why a field is not the structured field that it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault<'a> {
    /// A key of the dictionary stands twice.
    KeyTwice(&'a str),
    /// Broken syntax.
    Malformed,
    /// A parameter stands twice.
    ParameterTwice(&'a str),
    /// More members, items or parameters than are read.
    TooMany(&'static str),
}

/// How much is read of one field.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// Of a dictionary or a list.
    pub(super) members: usize,
    /// Of an inner list.
    pub(super) items: usize,
    /// Of anything that has some.
    pub(super) parameters: usize,
}

/// Of an item or an inner list, in their order.
pub(super) type Parameters<'a> = Vec<(&'a KeyRef, BareItemFromInput<'a>)>;

/// RFC 9651, section 3.3.
#[derive(Debug, Clone)]
pub(super) struct Item<'a> {
    pub(super) value: BareItemFromInput<'a>,
    pub(super) parameters: Parameters<'a>,
}

/// A member of a list or a dictionary.
#[derive(Debug, Clone)]
pub(super) enum Member<'a> {
    Item(Item<'a>),
    /// RFC 9651, section 3.1.1.
    List {
        items: Vec<Item<'a>>,
        parameters: Parameters<'a>,
    },
}

/// In the order of the field. Each key stands once.
pub(super) type Dictionary<'a> = Vec<(&'a str, Member<'a>)>;

pub(super) fn dictionary(input: &str, bounds: Bounds) -> Result<Dictionary<'_>, Fault<'_>> {
    let mut collector = Collector::new(bounds);
    let parsed = Parser::new(input).parse_dictionary_with_visitor(&mut collector);
    let members = collector.finish(parsed.is_ok())?;
    Ok(members
        .into_iter()
        .map(|(key, member)| (key.map_or("", KeyRef::as_str), member))
        .collect())
}

pub(super) fn list(input: &str, bounds: Bounds) -> Result<Vec<Member<'_>>, Fault<'_>> {
    let mut collector = Collector::new(bounds);
    let parsed = Parser::new(input).parse_list_with_visitor(&mut collector);
    let members = collector.finish(parsed.is_ok())?;
    Ok(members.into_iter().map(|(_, member)| member).collect())
}

pub(super) fn item(input: &str, bounds: Bounds) -> Result<Item<'_>, Fault<'_>> {
    let mut collector = Collector::new(bounds);
    let parsed = Parser::new(input).parse_item_with_visitor(Slot(&mut collector, None));
    let member = collector.finish(parsed.is_ok())?.pop();
    match member {
        Some((_, Member::Item(item))) => Ok(item),
        Some((_, Member::List { .. })) | None => Err(Fault::Malformed),
    }
}

/// Writes a member as RFC 9651, section 4.1, has it.
pub(super) fn write_member(member: &Member<'_>, out: &mut String) {
    match member {
        Member::Item(item) => write_item(item, out),
        Member::List { items, parameters } => {
            out.push('(');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(' ');
                }
                write_item(item, out);
            }
            out.push(')');
            write_parameters(parameters, out);
        }
    }
}

pub(super) fn write_item(item: &Item<'_>, out: &mut String) {
    write_value(&item.value, out);
    write_parameters(&item.parameters, out);
}

pub(super) fn write_parameters(parameters: &Parameters<'_>, out: &mut String) {
    for (key, value) in parameters {
        out.push(';');
        out.push_str(key.as_str());
        // True is what stands where nothing does (section 4.1.1.2).
        if !matches!(value, BareItemFromInput::Boolean(true)) {
            out.push('=');
            write_value(value, out);
        }
    }
}

fn write_value(value: &BareItemFromInput<'_>, out: &mut String) {
    let _ = ItemSerializer::with_buffer(out).bare_item(value).finish();
}

/// What the parser found so far. It tells its visitors piece by piece, and its errors do not carry ours.
struct Collector<'de> {
    bounds: Bounds,
    members: Vec<(Option<&'de KeyRef>, Member<'de>)>,
    fault: Option<Fault<'de>>,
}

/// The parser need not go on: the collector knows why.
#[derive(Debug, thiserror::Error)]
#[error("stopped")]
struct Stop;

impl<'de> Collector<'de> {
    const fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            members: Vec::new(),
            fault: None,
        }
    }

    fn finish(self, parsed: bool) -> Result<Vec<(Option<&'de KeyRef>, Member<'de>)>, Fault<'de>> {
        match self.fault {
            Some(fault) => Err(fault),
            None if parsed => Ok(self.members),
            None => Err(Fault::Malformed),
        }
    }

    const fn stop<T>(&mut self, fault: Fault<'de>) -> Result<T, Stop> {
        self.fault = Some(fault);
        Err(Stop)
    }

    fn add(&mut self, key: Option<&'de KeyRef>, member: Member<'de>) -> Result<(), Stop> {
        if self.members.len() >= self.bounds.members {
            return self.stop(Fault::TooMany("members"));
        }
        if let Some(key) = key
            && self.members.iter().any(|(other, _)| *other == Some(key))
        {
            return self.stop(Fault::KeyTwice(key.as_str()));
        }
        self.members.push((key, member));
        Ok(())
    }

    fn add_item(&mut self, item: Item<'de>) -> Result<(), Stop> {
        let most = self.bounds.items;
        match self.members.last_mut() {
            Some((_, Member::List { items, .. })) if items.len() < most => {
                items.push(item);
                Ok(())
            }
            _ => self.stop(Fault::TooMany("components")),
        }
    }

    fn add_parameter(
        &mut self,
        of: Of,
        key: &'de KeyRef,
        value: BareItemFromInput<'de>,
    ) -> Result<(), Stop> {
        let most = self.bounds.parameters;
        let parameters = match (self.members.last_mut(), of) {
            (Some((_, Member::Item(item))), _) => Some(&mut item.parameters),
            (Some((_, Member::List { parameters, .. })), Of::Member) => Some(parameters),
            (Some((_, Member::List { items, .. })), Of::InnerItem) => {
                items.last_mut().map(|item| &mut item.parameters)
            }
            (None, _) => None,
        };
        match parameters {
            Some(parameters) if parameters.iter().any(|(other, _)| *other == key) => {
                self.stop(Fault::ParameterTwice(key.as_str()))
            }
            Some(parameters) if parameters.len() < most => {
                parameters.push((key, value));
                Ok(())
            }
            _ => self.stop(Fault::TooMany("parameters")),
        }
    }
}

impl<'de> DictionaryVisitor<'de> for &mut Collector<'de> {
    type Out = ();
    type Error = Stop;

    fn entry(&mut self, key: &'de KeyRef) -> Result<impl EntryVisitor<'de>, Stop> {
        Ok(Slot(self, Some(key)))
    }

    fn finish(self) -> Result<(), Stop> {
        Ok(())
    }
}

impl<'de> ListVisitor<'de> for &mut Collector<'de> {
    type Out = ();
    type Error = Stop;

    fn entry(&mut self) -> Result<impl EntryVisitor<'de>, Stop> {
        Ok(Slot(self, None))
    }

    fn finish(self) -> Result<(), Stop> {
        Ok(())
    }
}

/// Where the next member goes, and its key in a dictionary.
struct Slot<'a, 'de>(&'a mut Collector<'de>, Option<&'de KeyRef>);

impl<'de> EntryVisitor<'de> for Slot<'_, 'de> {
    type Error = Stop;

    fn item(self) -> Result<impl ItemVisitor<'de>, Stop> {
        Ok(self)
    }

    fn inner_list(self) -> Result<impl InnerListVisitor<'de>, Stop> {
        let empty = Member::List {
            items: Vec::new(),
            parameters: Vec::new(),
        };
        self.0.add(self.1, empty)?;
        Ok(Inner(self.0))
    }
}

impl<'de> ItemVisitor<'de> for Slot<'_, 'de> {
    type Out = ();
    type Error = Stop;

    fn bare_item(
        self,
        value: BareItemFromInput<'de>,
    ) -> Result<impl ParameterVisitor<'de, Out = ()>, Stop> {
        let item = Item {
            value,
            parameters: Vec::new(),
        };
        self.0.add(self.1, Member::Item(item))?;
        Ok(ParametersOf(self.0, Of::Member))
    }
}

/// The inner list that was begun last.
struct Inner<'a, 'de>(&'a mut Collector<'de>);

impl<'de> InnerListVisitor<'de> for Inner<'_, 'de> {
    type Error = Stop;

    fn item(&mut self) -> Result<impl ItemVisitor<'de>, Stop> {
        Ok(InnerSlot(&mut *self.0))
    }

    fn finish(self) -> Result<impl ParameterVisitor<'de>, Stop> {
        Ok(ParametersOf(self.0, Of::Member))
    }
}

struct InnerSlot<'a, 'de>(&'a mut Collector<'de>);

impl<'de> ItemVisitor<'de> for InnerSlot<'_, 'de> {
    type Out = ();
    type Error = Stop;

    fn bare_item(
        self,
        value: BareItemFromInput<'de>,
    ) -> Result<impl ParameterVisitor<'de, Out = ()>, Stop> {
        self.0.add_item(Item {
            value,
            parameters: Vec::new(),
        })?;
        Ok(ParametersOf(self.0, Of::InnerItem))
    }
}

/// Whose parameters come.
#[derive(Debug, Clone, Copy)]
enum Of {
    /// The last item of the last inner list.
    InnerItem,
    /// The last member.
    Member,
}

struct ParametersOf<'a, 'de>(&'a mut Collector<'de>, Of);

impl<'de> ParameterVisitor<'de> for ParametersOf<'_, 'de> {
    type Out = ();
    type Error = Stop;

    fn parameter(&mut self, key: &'de KeyRef, value: BareItemFromInput<'de>) -> Result<(), Stop> {
        self.0.add_parameter(self.1, key, value)
    }

    fn finish(self) -> Result<(), Stop> {
        Ok(())
    }
}
