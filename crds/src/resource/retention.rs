//! A stream's retention as it is written.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::duration::DurationText;
use crate::quantity::Quantity;

/// What is kept, and what happens when there is no room or the log is damaged.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Retention {
    /// What is kept. Default WorkQueue.
    pub policy: Option<Policy>,
    /// The stream's share of the volume, its dead letters included: a quantity string; all of a
    /// queue together at most `storage.size`. Default: an equal part of what the streams with
    /// maxBytes leave over. Under Limits it is also a limit: the oldest segment goes when it is
    /// reached, whatever `onFull` says.
    pub max_bytes: Option<Quantity>,
    /// The age at which records expire: 1s to 10 years. In a WorkQueue no delivery gets an older
    /// one any more; under Limits whole segments go, an eighth of the age later at most.
    pub max_age: Option<DurationText>,
    /// The number of records kept; what is older goes by whole segments, each an eighth of it or
    /// 1000 records at most. Under Limits only.
    pub max_messages: Option<u64>,
    /// What happens to producers when there is no room. Default Block.
    pub on_full: Option<OnFull>,
    /// What happens when the log is damaged before its tail. Default Stop.
    pub on_damage: Option<OnDamage>,
    /// Planned, refused by this version. What Latest keeps the newest record of: Topic, or Frame
    /// with `frame`.
    pub key: Option<String>,
    /// Planned, refused by this version. The frame that is the key, counted from 0.
    pub frame: Option<u32>,
}

/// What a stream keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Policy {
    /// Records until every delivery that holds them has settled them.
    WorkQueue,
    /// Records within limits of age, bytes and number, at least one of which is given; replayable.
    Limits,
    /// Planned, refused by this version. The newest record of each key.
    Latest,
}

/// What happens to producers when there is no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum OnFull {
    /// Reading stops until there is room.
    Block,
    /// A ROUTER answers 503; a PULL on the same stream blocks.
    Reject,
    /// The oldest segment goes, counted for each delivery.
    DropOldest,
}

/// What happens when a log is damaged before its tail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum OnDamage {
    /// The stream stops until `lifeboat accept-gap`.
    Stop,
    /// The stream goes on behind the gap, which is reported.
    SkipWithGap,
}
