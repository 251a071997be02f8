//! Figures as people read them. Pure.

use k8s_openapi::jiff::Timestamp;

/// `1,234,567`.
pub(super) fn count(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if number < 0 { format!("-{text}") } else { text }
}

/// `12.3 MiB`.
pub(super) fn bytes(number: i64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let (mut tenths, mut unit) = (i128::from(number) * 10, 0);
    while tenths >= 10_240 && unit + 1 < UNITS.len() {
        tenths /= 1_024;
        unit += 1;
    }
    let (whole, tenth) = (tenths / 10, tenths % 10);
    if unit == 0 { format!("{whole} B") } else { format!("{whole}.{tenth} {}", UNITS[unit]) }
}

/// The time since `then`, in its two largest units: `45s`, `3h 12m`.
pub(super) fn age(then: Timestamp, now: Timestamp) -> String {
    let seconds = now.as_second().saturating_sub(then.as_second()).max(0);
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3_600 => format!("{minutes}m {}s", seconds % 60),
        3_600..86_400 => format!("{hours}h {}m", minutes % 60),
        _ => format!("{days}d {}h", hours % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures() {
        assert_eq!(
            [0, 999, 1_000, 1_234_567, -1_234].map(count),
            ["0", "999", "1,000", "1,234,567", "-1,234"]
        );
        assert_eq!(
            [0, 1_023, 1_536, 3 << 29, 5 << 40].map(bytes),
            ["0 B", "1023 B", "1.5 KiB", "1.5 GiB", "5.0 TiB"]
        );
        let since = |seconds| age(Timestamp::UNIX_EPOCH, Timestamp::from_second(seconds).unwrap());
        assert_eq!([0, 61, 11_529, 190_800].map(since), ["0s", "1m 1s", "3h 12m", "2d 5h"]);
        assert_eq!(age(Timestamp::from_second(5).unwrap(), Timestamp::UNIX_EPOCH), "0s");
    }
}
