//! Medians and how they are shown.

/// The middle one; of an even number the upper of the two.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

/// Says whether `value` is at least `target`.
pub(crate) fn at_least(value: f64, target: f64) -> &'static str {
    if value >= target { "met" } else { "MISSED" }
}

/// Says whether `value` is at most `target`.
pub(crate) fn at_most(value: f64, target: f64) -> &'static str {
    if value <= target { "met" } else { "MISSED" }
}
