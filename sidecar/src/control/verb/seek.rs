//! What `seek` is asked and what it answers. Pure.

use lifeboat_api::StartText;
use lifeboat_log::Place;
use serde::{Deserialize, Serialize};

use crate::sizing::place;

/// Where a delivery is to go on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Seek {
    /// The stream.
    pub stream: String,
    /// The delivery.
    pub delivery: String,
    /// `first`, `last`, `new`, a seq, or a time in UTC (RFC 3339).
    pub to: String,
    /// Only say what would be.
    #[serde(default)]
    pub dry_run: bool,
}

impl Seek {
    /// The place that `to` names.
    ///
    /// # Errors
    /// In words.
    pub fn place(to: &str) -> Result<Place, String> {
        let name = match to {
            "first" => "First",
            "last" => "Last",
            "new" => "New",
            other => other,
        };
        let start: StartText = name.parse().map_err(|error| {
            format!(
                "{to:?} {error}; write first, last, new, a seq, or a time in UTC such as \
                 2026-01-31T08:00:00Z"
            )
        })?;
        Ok(place(start.value()))
    }
}

/// What was done, or would be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Sought {
    /// Where the cursor was.
    pub from: u64,
    /// Where it is now: what is not kept any more was passed over.
    pub cursor: u64,
    /// Records that are delivered again although they were settled.
    pub again: u64,
    /// Records that are not delivered although they were not settled.
    pub skipped: u64,
    /// Nothing was changed.
    pub dry_run: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_written_as_people_say_them() {
        assert_eq!(Seek::place("first"), Ok(Place::First));
        assert_eq!(Seek::place("Last"), Ok(Place::Last));
        assert_eq!(Seek::place("new"), Ok(Place::New));
        assert_eq!(Seek::place("17"), Ok(Place::Seq(17)));
        assert_eq!(Seek::place("1970-01-01T00:00:01Z"), Ok(Place::Time(1_000_000_000)));
        assert!(Seek::place("yesterday").unwrap_err().contains("write first, last, new"));
    }
}
