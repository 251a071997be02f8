//! Durations as a user writes them: `250ms`, `30s`, `1h30m`. It must not guess a unit.

use std::str::FromStr;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::malformed::Malformed;
use crate::text::kept_as_written;

/// How a duration is written, for messages.
pub(crate) const FORM: &str = "a duration string such as \"30s\"";

/// The form, for the CRD, and the most characters that it takes.
pub(crate) const PATTERN: &str = "^([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?$";
pub(crate) const MAX_LENGTH: usize = 32;

/// The units, largest first, in milliseconds; a text names each at most once, in this order.
const UNITS: [(&str, u64); 4] = [("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// A duration: whole numbers with the units `h`, `m`, `s`, `ms`, largest first, as in `1h30m`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(extend("minLength" = 2, "maxLength" = MAX_LENGTH, "pattern" = PATTERN))]
pub struct DurationText {
    text: String,
    value: Duration,
}

impl DurationText {
    /// The duration, to the millisecond.
    pub fn value(&self) -> Duration {
        self.value
    }
}

impl FromStr for DurationText {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        Ok(Self { text: text.to_owned(), value: Duration::from_millis(millis_of(text)?) })
    }
}

kept_as_written!(DurationText);

/// `value` in the form that is read here; below a millisecond nothing is shown.
pub(crate) fn format_duration(value: Duration) -> String {
    let mut rest = u64::try_from(value.as_millis()).unwrap_or(u64::MAX);
    let mut parts = Vec::new();
    for (unit, millis) in UNITS {
        if rest >= millis {
            parts.push(format!("{}{unit}", rest / millis));
            rest %= millis;
        }
    }
    if parts.is_empty() { "0s".to_owned() } else { parts.concat() }
}

fn millis_of(text: &str) -> Result<u64, Malformed> {
    if text.is_empty() {
        return Err(Malformed::new("is empty"));
    }
    let mut rest = text;
    let mut units = UNITS.as_slice();
    let mut total = 0_u64;
    while !rest.is_empty() {
        let (count, after) = number(rest)?;
        let end = after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len());
        let (unit, next) = after.split_at(end);
        let (millis, smaller) = find_unit(unit, units)?;
        let part = count.checked_mul(millis);
        total = part.and_then(|part| total.checked_add(part)).ok_or_else(out_of_range)?;
        (rest, units) = (next, smaller);
    }
    Ok(total)
}

fn number(text: &str) -> Result<(u64, &str), Malformed> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    if digits.is_empty() {
        return Err(Malformed::new("does not start with a number"));
    }
    let count = digits.parse().map_err(|_| out_of_range())?;
    Ok((count, rest))
}

/// The milliseconds of `unit` and the units that may still follow.
fn find_unit(unit: &str, allowed: &'static [(&str, u64)]) -> Result<(u64, Units), Malformed> {
    if let Some(at) = allowed.iter().position(|(name, _)| *name == unit) {
        let smaller = allowed.get(at + 1..).unwrap_or_default();
        return Ok((allowed.get(at).map_or(1, |(_, millis)| *millis), smaller));
    }
    let again = || UNITS.iter().any(|(name, _)| *name == unit);
    Err(match unit {
        "" => Malformed::with_fix("has no unit", "write h, m, s or ms after each number"),
        "d" => Malformed::with_fix("has the unit d", "write days as hours: 72h for three days"),
        _ if unit.starts_with('.') => {
            Malformed::with_fix("has a decimal point", "write 1.5h as 1h30m")
        }
        _ if again() => Malformed::with_fix(
            format!("has the unit {unit} twice or after a smaller one"),
            "write each once, the largest first",
        ),
        _ => Malformed::with_fix(
            format!("has the unknown unit {unit:?}"),
            "expected h, m, s or ms after each number",
        ),
    })
}

fn out_of_range() -> Malformed {
    Malformed::new("is out of range")
}

/// A tail of [`UNITS`].
type Units = &'static [(&'static str, u64)];

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn forms_and_their_millis() {
        let cases = [
            ("0s", 0),
            ("30s", 30_000),
            ("1m", 60_000),
            ("72h", 259_200_000),
            ("250ms", 250),
            ("1h30m", 5_400_000),
            ("1m500ms", 60_500),
            ("90m", 5_400_000),
        ];
        for (text, millis) in cases {
            let parsed = text.parse::<DurationText>().map(|d| d.value());
            assert_eq!(parsed, Ok(Duration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn refusals_name_the_reason() {
        let cases = [
            ("", "is empty"),
            ("30", "has no unit"),
            ("s", "does not start with a number"),
            ("-1s", "does not start with a number"),
            ("3d", "72h for three days"),
            ("1.5h", "write 1.5h as 1h30m"),
            ("1m1h", "largest first"),
            ("1s1s", "largest first"),
            ("5 s", "unknown unit"),
            ("5sec", "unknown unit"),
            ("99999999999999999999h", "out of range"),
            ("9999999999999999h", "out of range"),
        ];
        for (text, reason) in cases {
            let message = text.parse::<DurationText>().expect_err(text).to_string();
            assert!(message.contains(reason), "{text}: {message}");
        }
    }

    proptest! {
        #[test]
        fn what_is_formatted_parses_to_the_same(millis in 0..=u64::MAX) {
            let value = Duration::from_millis(millis);
            let parsed: DurationText = format_duration(value).parse().unwrap();
            prop_assert_eq!(parsed.value(), value);
        }

        #[test]
        fn no_text_panics(text in "[0-9hms.]{0,30}|\\PC{0,30}") {
            let _ = text.parse::<DurationText>();
        }
    }
}
