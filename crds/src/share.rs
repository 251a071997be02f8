//! How a volume is divided over the streams. It must not know segments or the reserve.

/// Bytes of `quota` for each stream, in order, given the `maxBytes` that each names: a stream has
/// its `maxBytes`, and the others have equal parts of what those leave over.
pub(crate) fn shares(quota: u64, max_bytes: &[Option<u64>]) -> Vec<u64> {
    let named = max_bytes.iter().flatten().fold(0_u64, |sum, bytes| sum.saturating_add(*bytes));
    let unnamed = max_bytes.iter().filter(|bytes| bytes.is_none()).count();
    let unnamed = u64::try_from(unnamed).unwrap_or(u64::MAX);
    let part = quota.saturating_sub(named).checked_div(unnamed).unwrap_or(0);
    max_bytes.iter().map(|bytes| bytes.unwrap_or(part)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn named_streams_first_then_equal_parts() {
        assert_eq!(shares(100, &[None, Some(40), None]), [30, 40, 30]);
        assert_eq!(shares(100, &[Some(10)]), [10]);
        assert_eq!(shares(100, &[None]), [100]);
        assert_eq!(shares(100, &[Some(100), None]), [100, 0]);
        assert_eq!(shares(100, &[Some(u64::MAX), Some(u64::MAX), None]), [u64::MAX, u64::MAX, 0]);
        assert_eq!(shares(100, &[]), [0; 0]);
    }
}
