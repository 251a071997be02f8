//! `StoragePressure`: a volume is nearly full. `DurableVolume`: the volumes outlive their machines'
//! restarts.

use super::{Reason, Verdict, replicas};
use crate::facts::{Facts, Volume};
use crate::status::case::Case;

/// What is to be done about a stream without room.
pub(super) const MAKE_ROOM: &str = "Have its messages consumed, or raise spec.storage.size or the \
                                    stream's retention.maxBytes.";

/// From here on a volume is nearly full.
const NEARLY_FULL_PERCENT: i32 = 80;

pub(super) fn pressure(case: &Case<'_>) -> Verdict {
    let full = case.full_of_all();
    if !full.is_empty() {
        let message = format!("A stream of {} has no room. {MAKE_ROOM}", replicas(&full));
        return Verdict::yes(Reason::Full, message);
    }
    let is_near = |facts: &Facts| {
        facts.volume.is_some_and(|volume| volume.used_percent() >= NEARLY_FULL_PERCENT)
    };
    let nearly = case.facts.iter().filter(|(_, facts)| is_near(facts));
    let nearly: Vec<_> = nearly.map(|(ordinal, _)| *ordinal).collect();
    if !nearly.is_empty() {
        let message = format!(
            "Nearly full: the volume of {}. Have its messages consumed, or raise spec.storage.size.",
            replicas(&nearly)
        );
        return Verdict::yes(Reason::NearlyFull, message);
    }
    if !case.all_report() {
        return Verdict::unknown("Not every replica answers.");
    }
    Verdict::no(Reason::RoomLeft, "Every volume has room.")
}

pub(super) fn durable(case: &Case<'_>) -> Verdict {
    let lost = case.facts.iter().filter(|(_, facts)| facts.durable_volume == Some(false));
    let lost: Vec<_> = lost.map(|(ordinal, _)| *ordinal).collect();
    if !lost.is_empty() {
        let message = format!(
            "What is on {} does not outlive a restart of the machine: the volume is in memory \
             or of the container. Make the queue anew with a spec.storage.storageClassName whose \
             volumes are on disks.",
            replicas(&lost)
        );
        return Verdict::no(Reason::VolumeNotDurable, message);
    }
    let all = case.wanted_facts().filter(|(_, facts)| facts.durable_volume == Some(true));
    if all.count() < case.wanted() as usize {
        return Verdict::unknown("Not every replica says what its volume is.");
    }
    Verdict::yes(Reason::Durable, "The volumes outlive their machines' restarts.")
}

impl Volume {
    /// How much of it is used.
    pub(crate) fn used_percent(self) -> i32 {
        let percent = u128::from(self.used_bytes) * 100 / u128::from(self.total_bytes.max(1));
        i32::try_from(percent.min(100)).unwrap_or(100)
    }
}
