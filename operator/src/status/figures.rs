//! Figures that move: when a new one is worth a write, and sums. The status is no place for time
//! series, that is what metrics are for.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use lifeboat_api::queue::{Backlog, InstanceStatus, InstanceVolume, Rates};

use crate::facts::Facts;

/// A change of this part in 100 is worth a write.
const PERCENT: i64 = 10;
/// Changes other than from or to zero come at most this often.
const SOON_SECONDS: i64 = 15;
/// A change that is smaller comes when the last is this old.
const LATE_SECONDS: i64 = 30;

/// An ordinal as the status counts it.
pub(super) fn ordinal(ordinal: u32) -> i32 {
    i32::try_from(ordinal).unwrap_or(i32::MAX)
}

/// How many there are.
pub(super) fn count<T>(items: impl Iterator<Item = T>) -> i32 {
    i32::try_from(items.count()).unwrap_or(i32::MAX)
}

/// A replica with what its sidecar said at `at`, if that is worth a write; else with the figures
/// that it had. `is_last`: what it says may be the last that is heard of it.
pub(super) fn update(
    instance: InstanceStatus,
    before: Option<&InstanceStatus>,
    facts: &Facts,
    at: Timestamp,
    is_last: bool,
) -> InstanceStatus {
    let new = fill(instance.clone(), facts, at);
    let Some(before) = before else { return new };
    let is_worth_it = is_worth_it(before, &new, at) || (is_last && has_changed(before, &new));
    if is_worth_it { new } else { keep(instance, before) }
}

/// A replica with the figures that it had.
pub(super) fn keep(instance: InstanceStatus, before: &InstanceStatus) -> InstanceStatus {
    InstanceStatus {
        backlog: before.backlog.clone(),
        rates: before.rates.clone(),
        redelivered: before.redelivered,
        volume: before.volume.clone(),
        last_seen: before.last_seen.clone(),
        ..instance
    }
}

/// The sums over the replicas of which something is known; `None`: nothing is of any.
pub(super) fn sums(instances: &[InstanceStatus]) -> (Option<Backlog>, Option<Rates>) {
    let known: Vec<_> = instances.iter().filter(|it| it.last_seen.is_some()).collect();
    if known.is_empty() {
        return (None, None);
    }
    let sum =
        |of: fn(&InstanceStatus) -> i64| known.iter().map(|it| of(it)).fold(0, i64::saturating_add);
    let oldest = known.iter().filter_map(|it| it.backlog.oldest_message_time.clone()).min();
    let backlog = Backlog {
        messages: sum(|it| it.backlog.messages),
        bytes: sum(|it| it.backlog.bytes),
        in_flight: sum(|it| it.backlog.in_flight),
        dead_lettered: sum(|it| it.backlog.dead_lettered),
        oldest_message_time: oldest,
    };
    let rates = Rates {
        ingress_per_second: sum(|it| it.rates.ingress_per_second),
        delivered_per_second: sum(|it| it.rates.delivered_per_second),
    };
    (Some(backlog), Some(rates))
}

fn fill(instance: InstanceStatus, facts: &Facts, at: Timestamp) -> InstanceStatus {
    let totals = &facts.totals;
    InstanceStatus {
        backlog: Backlog {
            messages: number(totals.depth),
            bytes: number(totals.bytes),
            in_flight: number(totals.in_flight),
            dead_lettered: number(totals.dead_letters),
            oldest_message_time: totals.oldest_time.map(Time),
        },
        rates: Rates {
            ingress_per_second: rounded(totals.ingress_per_second),
            delivered_per_second: rounded(totals.delivered_per_second),
        },
        redelivered: number(totals.redelivered),
        volume: facts.volume.map(|volume| InstanceVolume {
            capacity_bytes: number(volume.total_bytes),
            used_percent: volume.used_percent(),
        }),
        // To the second, as the server keeps it: what is read back is equal.
        last_seen: Timestamp::from_second(at.as_second()).ok().map(Time),
        ..instance
    }
}

fn is_worth_it(before: &InstanceStatus, new: &InstanceStatus, now: Timestamp) -> bool {
    let Some(seen) = &before.last_seen else { return true };
    let age = now.as_second() - seen.0.as_second();
    let pairs: Vec<_> = figures(before).into_iter().zip(figures(new)).collect();
    let (old_time, new_time) =
        (&before.backlog.oldest_message_time, &new.backlog.oldest_message_time);
    let through_zero = old_time.is_some() != new_time.is_some()
        || pairs.iter().any(|(old, new)| (*old == 0) != (*new == 0));
    let moved = pairs.iter().any(|(old, new)| is_far(*old, *new));
    through_zero
        || (moved && age >= SOON_SECONDS)
        || (has_changed(before, new) && age >= LATE_SECONDS)
}

fn has_changed(before: &InstanceStatus, new: &InstanceStatus) -> bool {
    let time = |it: &InstanceStatus| it.backlog.oldest_message_time.clone();
    figures(before) != figures(new) || time(before) != time(new)
}

fn is_far(old: i64, new: i64) -> bool {
    let change = i128::from(old.abs_diff(new)) * 100;
    old != new && change >= i128::from(old) * i128::from(PERCENT)
}

fn figures(instance: &InstanceStatus) -> [i64; 9] {
    let (backlog, rates) = (&instance.backlog, &instance.rates);
    let volume = instance.volume.clone().unwrap_or_default();
    [
        backlog.messages,
        backlog.bytes,
        backlog.in_flight,
        backlog.dead_lettered,
        rates.ingress_per_second,
        rates.delivered_per_second,
        instance.redelivered,
        volume.capacity_bytes,
        volume.used_percent.into(),
    ]
}

fn number(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// A rate as a whole number; one that is not zero does not become it.
fn rounded(rate: f64) -> i64 {
    // A rate fits by far; `as` also makes nothing of what is no number.
    #[allow(clippy::cast_possible_truncation)]
    let rounded = rate.round() as i64;
    if rounded == 0 && rate > 0.0 { 1 } else { rounded }
}
