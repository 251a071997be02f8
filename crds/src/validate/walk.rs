//! The generic steps of a walk over a tree: kinds of values, known fields, ranges, choices.
//! It must not know any field.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use serde_json::{Map, Value};

use super::fields::{Field, Role};
use super::suggest::{did_you_mean, one_of};
use crate::duration::{self, DurationText, format_duration};
use crate::features;
use crate::malformed::Malformed;
use crate::problem::Problems;
use crate::quantity::{self, Quantity, format_bytes};

/// Characters of a value that a message shows.
const SHOWN: usize = 60;

/// What a walk has found so far.
#[derive(Default)]
pub(crate) struct Walk {
    problems: Problems,
    ignored: Vec<String>,
    used: BTreeSet<&'static str>,
}

/// A value and its path.
#[derive(Clone)]
pub(crate) struct Node<'a> {
    pub(crate) path: String,
    pub(crate) value: &'a Value,
}

/// A mapping whose field names have been checked, and its path.
pub(crate) struct Object<'a> {
    pub(crate) path: String,
    map: &'a Map<String, Value>,
}

impl<'a> Object<'a> {
    /// The field `name`, where the file has it.
    pub(crate) fn get(&self, name: &str) -> Option<Node<'a>> {
        let value = self.map.get(name)?;
        Some(Node { path: self.at(name), value })
    }

    /// The path of the field `name`.
    pub(crate) fn at(&self, name: &str) -> String {
        join(&self.path, name)
    }

    /// Every field, for mappings whose keys are data.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (&'a str, Node<'a>)> + '_ {
        self.map.iter().map(|(key, value)| (key.as_str(), Node { path: self.at(key), value }))
    }
}

impl Walk {
    /// The features that the file uses, those that this version lacks included.
    pub(crate) fn used(self) -> BTreeSet<&'static str> {
        self.used
    }

    /// The problems, and the fields that only the operator heeds.
    pub(crate) fn finish(self) -> (Problems, Vec<String>) {
        (self.problems, self.ignored)
    }

    pub(crate) fn problem(&mut self, path: &str, message: impl Into<String>) {
        self.problems.push(path, message);
    }

    /// A mapping with the given fields only. Unknown ones are problems, those of the operator
    /// are noted, and those of a feature that this version lacks are refused by name.
    pub(crate) fn object<'a>(&mut self, node: &Node<'a>, fields: &[Field]) -> Option<Object<'a>> {
        let object = self.mapping(node)?;
        for key in object.map.keys() {
            let path = object.at(key);
            match fields.iter().find(|field| field.name == key) {
                None => self.problem(&path, unknown_field(key, fields)),
                Some(field) => self.role(field.role, path),
            }
        }
        Some(object)
    }

    fn role(&mut self, role: Role, path: String) {
        if let Role::Feature(feature) = role {
            self.used.insert(feature);
        }
        if !role.is_supported() {
            self.problem(&path, "not supported by this version; remove it");
        } else if matches!(role, Role::Operator) {
            self.ignored.push(path);
        }
    }

    /// A mapping with any fields.
    pub(crate) fn mapping<'a>(&mut self, node: &Node<'a>) -> Option<Object<'a>> {
        if let Value::Object(map) = node.value {
            return Some(Object { path: node.path.clone(), map });
        }
        self.wrong_kind(node, "a mapping of fields");
        None
    }

    /// The field `name`, which must be there; `form` says what it should be.
    pub(crate) fn required<'a>(
        &mut self,
        object: &Object<'a>,
        name: &str,
        form: &str,
    ) -> Option<Node<'a>> {
        let node = object.get(name);
        if node.is_none() {
            self.problem(&object.at(name), format!("missing; expected {form}"));
        }
        node
    }

    /// A list of so many items. One of the wrong length is a problem; of one that is too long only
    /// the first items are given, so that the work stays small whatever a file holds.
    pub(crate) fn items<'a>(
        &mut self,
        node: &Node<'a>,
        count: RangeInclusive<usize>,
        form: &str,
    ) -> Vec<Node<'a>> {
        let (least, most) = (count.start(), count.end());
        let Value::Array(items) = node.value else {
            self.wrong_kind(node, &format!("a list of {least} to {most} {form}"));
            return Vec::new();
        };
        if !count.contains(&items.len()) {
            let message = format!("has {} items; expected {least} to {most} {form}", items.len());
            self.problem(&node.path, message);
        }
        let child = |(index, value)| Node { path: format!("{}[{index}]", node.path), value };
        items.iter().take(*most).enumerate().map(child).collect()
    }

    pub(crate) fn text<'a>(&mut self, node: &Node<'a>, form: &str) -> Option<&'a str> {
        let text = node.value.as_str();
        if text.is_none() {
            self.wrong_kind(node, form);
        }
        text
    }

    /// A text that `T` reads; `form` says how it is written.
    pub(crate) fn parsed<T>(&mut self, node: &Node<'_>, form: &str) -> Option<T>
    where
        T: FromStr<Err = Malformed>,
    {
        let text = self.text(node, form)?;
        match text.parse() {
            Ok(value) => Some(value),
            Err(reason) => {
                self.problem(&node.path, format!("{} {}", show(text), reason.or_expected(form)));
                None
            }
        }
    }

    /// A number of bytes, as a quantity string.
    pub(crate) fn bytes(&mut self, node: &Node<'_>, range: RangeInclusive<u64>) -> Option<u64> {
        let bytes = self.parsed::<Quantity>(node, quantity::FORM)?.bytes();
        self.within(node, bytes, range, |bytes| format_bytes(*bytes))
    }

    pub(crate) fn duration(
        &mut self,
        node: &Node<'_>,
        range: RangeInclusive<Duration>,
    ) -> Option<Duration> {
        let value = self.parsed::<DurationText>(node, duration::FORM)?.value();
        self.within(node, value, range, |value| format_duration(*value))
    }

    pub(crate) fn number(&mut self, node: &Node<'_>, range: RangeInclusive<u64>) -> Option<u64> {
        let (least, most) = (range.start(), range.end());
        let Some(number) = node.value.as_u64() else {
            self.wrong_kind(node, &format!("a whole number from {least} to {most}"));
            return None;
        };
        self.within(node, number, range, u64::to_string)
    }

    pub(crate) fn boolean(&mut self, node: &Node<'_>) -> Option<bool> {
        let value = node.value.as_bool();
        if value.is_none() {
            self.wrong_kind(node, "true or false");
        }
        value
    }

    /// One of the values of `choice` (such as `ingress.socket`) that this version has. What is
    /// planned and this version lacks is told apart from what is no value at all.
    pub(crate) fn choice<'a>(&mut self, node: &Node<'a>, choice: &str) -> Option<&'a str> {
        let (all, supported) = (features::values(choice), features::supported_values(choice));
        let text = self.text(node, &one_of(&supported))?;
        self.used.extend(features::of_value(choice, text));
        if supported.contains(&text) {
            return Some(text);
        }
        if all.contains(&text) {
            let message =
                format!("{text}: not supported by this version; expected {}", one_of(&supported));
            self.problem(&node.path, message);
        } else {
            // A single value needs no hint.
            let hint =
                if supported.len() > 1 { did_you_mean(text, &supported) } else { String::new() };
            let message =
                format!("{} is unknown; expected {}{hint}", show(text), one_of(&supported));
            self.problem(&node.path, message);
        }
        None
    }

    fn within<T: PartialOrd>(
        &mut self,
        node: &Node<'_>,
        value: T,
        range: RangeInclusive<T>,
        form: impl Fn(&T) -> String,
    ) -> Option<T> {
        if range.contains(&value) {
            return Some(value);
        }
        let bound = if value < *range.start() {
            format!("is too small; expected at least {}", form(range.start()))
        } else {
            format!("is too large; expected at most {}", form(range.end()))
        };
        self.problem(&node.path, format!("{} {bound}", form(&value)));
        None
    }

    pub(crate) fn wrong_kind(&mut self, node: &Node<'_>, form: &str) {
        self.problem(&node.path, format!("{}; expected {form}", kind(node.value)));
    }
}

/// Suggests a near field of any kind, else lists those that this version takes.
fn unknown_field(key: &str, fields: &[Field]) -> String {
    let names: Vec<_> = fields.iter().map(|field| field.name).collect();
    let hint = did_you_mean(key, &names);
    if !hint.is_empty() {
        return format!("unknown field{hint}");
    }
    let taken = fields.iter().filter(|field| field.role.is_supported());
    let names: Vec<_> = taken.map(|field| field.name).collect();
    format!("unknown field; remove it, or use {}", one_of(&names))
}

/// `text` in quotes, cut and escaped so that it cannot disturb a terminal or a line.
pub(crate) fn show(text: &str) -> String {
    if text.chars().nth(SHOWN).is_none() {
        return format!("{text:?}");
    }
    let cut: String = text.chars().take(SHOWN).collect();
    format!("{cut:?}...")
}

fn join(path: &str, name: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    if name.is_empty() || name.len() > SHOWN || !name.bytes().all(plain) {
        return format!("{path}[{}]", show(name));
    }
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

fn kind(value: &Value) -> String {
    match value {
        Value::Null => "is empty".to_owned(),
        Value::Bool(true) => "is the boolean true (as unquoted yes, y and on are)".to_owned(),
        Value::Bool(false) => "is the boolean false (as unquoted no, n and off are)".to_owned(),
        Value::Number(number) => format!("is the number {number}"),
        Value::String(text) => format!("is the string {}", show(text)),
        Value::Array(_) => "is a list".to_owned(),
        Value::Object(_) => "is a mapping".to_owned(),
    }
}
