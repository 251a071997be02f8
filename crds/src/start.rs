//! Where a new delivery starts, as a user writes it: `First`, `Last`, `New`, a seq, or a time in
//! UTC such as `2026-01-31T08:00:00Z` (RFC 3339).

use std::str::FromStr;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::malformed::Malformed;
use crate::text::kept_as_written;

/// How a start is written, for messages.
pub(crate) const FORM: &str = "First, Last, New, a seq in quotes such as \"1200\", or a time in UTC \
                               such as \"2026-01-31T08:00:00Z\"";

/// A place in a stream: `First` and `Last` are records that it keeps, `New` is behind the last; or a
/// seq in decimal; or a time in UTC as RFC 3339 has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
pub struct StartText {
    text: String,
    value: Start,
}

/// A place in a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// The first record kept.
    First,
    /// The last record.
    Last,
    /// Behind the last record.
    New,
    /// This record, or the next one that is kept.
    Seq(u64),
    /// The first record stored at or after this Unix time in nanoseconds.
    Time(u64),
}

impl StartText {
    /// The place.
    pub fn value(&self) -> Start {
        self.value
    }
}

impl FromStr for StartText {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let value = match text {
            "First" => Start::First,
            "Last" => Start::Last,
            "New" => Start::New,
            _ if text.bytes().all(|byte| byte.is_ascii_digit()) && !text.is_empty() => {
                Start::Seq(text.parse().map_err(|_| Malformed::new("is out of range"))?)
            }
            _ => Start::Time(unix_nanos(text).ok_or_else(|| Malformed::new("is no place"))?),
        };
        Ok(Self { text: text.to_owned(), value })
    }
}

kept_as_written!(StartText);

/// The Unix time of `YYYY-MM-DDTHH:MM:SS[.fraction]Z` in nanoseconds, from 1970 on.
fn unix_nanos(text: &str) -> Option<u64> {
    let time: Timestamp = has_the_one_form(text).then(|| text.parse().ok()).flatten()?;
    u64::try_from(time.as_nanosecond()).ok()
}

/// RFC 3339 and the calendar's library leave more forms open than the resource's schema takes, such
/// as offsets, and seconds that leap.
fn has_the_one_form(text: &str) -> bool {
    let Some((whole, fraction)) = text.strip_suffix('Z').and_then(|text| text.split_at_checked(19))
    else {
        return false;
    };
    let fits = |(byte, form): (u8, u8)| match form {
        b'0' => byte.is_ascii_digit(),
        _ => byte == form,
    };
    let fraction = fraction.strip_prefix('.').unwrap_or(if fraction.is_empty() { "0" } else { "" });
    whole.bytes().zip(*b"0000-00-00T00:00:00").all(fits)
        && !whole.ends_with(":60")
        && (1..=9).contains(&fraction.len())
        && fraction.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> Option<Start> {
        text.parse::<StartText>().ok().map(|start| start.value())
    }

    #[test]
    fn places_have_names_numbers_and_times() {
        assert_eq!(value("First"), Some(Start::First));
        assert_eq!(value("Last"), Some(Start::Last));
        assert_eq!(value("New"), Some(Start::New));
        assert_eq!(value("1200"), Some(Start::Seq(1200)));
        for (text, seconds) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2000-02-29T23:59:59Z", 951_868_799),
            ("2026-01-31T08:00:00Z", 1_769_846_400),
            ("2100-03-01T00:00:00Z", 4_107_542_400),
        ] {
            assert_eq!(value(text), Some(Start::Time(seconds * 1_000_000_000)), "{text}");
        }
        assert_eq!(value("1970-01-01T00:00:01.5Z"), Some(Start::Time(1_500_000_000)));
        assert_eq!(value("1970-01-01T00:00:00.000000001Z"), Some(Start::Time(1)));
    }

    #[test]
    fn anything_else_is_none() {
        for text in [
            "",
            "first",
            "-1",
            "1e3",
            "99999999999999999999",
            "2026-01-31",
            "2026-01-31T08:00:00",
            "2026-01-31T08:00:00+01:00",
            "2026-1-31T08:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-00-01T00:00:00Z",
            "2026-02-29T00:00:00Z",
            "2026-01-31T24:00:00Z",
            "2026-01-31T08:00:60Z",
            "2026-01-31t08:00:00Z",
            "2026-01-31T08:00:00.Z",
            "2026-01-31T08:00:00.0000000001Z",
            "1969-12-31T23:59:59Z",
            "9999-12-31T23:59:59Z",
        ] {
            assert_eq!(value(text), None, "{text:?}");
        }
    }
}
