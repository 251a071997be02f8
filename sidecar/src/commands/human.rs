//! Numbers as people read them. Pure.

use std::time::Duration;

use indicatif::{BinaryBytes, HumanCount, HumanFloatCount};

/// `1,234,567`.
pub(super) fn count(number: u64) -> String {
    HumanCount(number).to_string()
}

/// `1 message`, `2,000 messages`.
pub(super) fn counted(number: u64, noun: &str) -> String {
    format!("{} {noun}{}", count(number), if number == 1 { "" } else { "s" })
}

/// `12.30 MiB`.
pub(super) fn bytes(number: u64) -> String {
    BinaryBytes(number).to_string()
}

/// The two largest units: `45s`, `3h 12m`, `2d 4h`.
pub(super) fn age(age: Duration) -> String {
    let seconds = age.as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{minutes}m {}s", seconds % 60),
        3600..86_400 => format!("{hours}h {}m", minutes % 60),
        _ => format!("{days}d {}h", hours % 24),
    }
}

/// A rate a second: whole numbers from 10 on.
pub(super) fn rate(per_second: f64) -> String {
    if per_second >= 10.0 {
        HumanFloatCount(per_second.round()).to_string()
    } else if per_second > 0.0 {
        format!("{per_second:.1}")
    } else {
        "0".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_show_their_two_largest_units() {
        let text = |seconds| age(Duration::from_secs(seconds));
        assert_eq!(text(0), "0s");
        assert_eq!(text(61), "1m 1s");
        assert_eq!(text(3 * 3600 + 12 * 60 + 9), "3h 12m");
        assert_eq!(text(2 * 86_400 + 5 * 3600), "2d 5h");
    }

    #[test]
    fn rates_are_short() {
        assert_eq!(rate(0.0), "0");
        assert_eq!(rate(0.25), "0.2");
        assert_eq!(rate(12_345.6), "12,346");
    }

    #[test]
    fn large_numbers_have_separators_and_units() {
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(bytes(3 << 19), "1.50 MiB");
        assert_eq!(counted(1, "message"), "1 message");
        assert_eq!(counted(2_000, "message"), "2,000 messages");
    }
}
