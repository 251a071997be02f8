//! Numbers as decimal ASCII, the form they have in receipts and credit messages.

/// Digits of `u64::MAX`.
const MAX_DIGITS: usize = 20;

/// A number's digits, on the stack.
pub(super) struct Decimal {
    digits: [u8; MAX_DIGITS],
    start: usize,
}

impl Decimal {
    /// Writes `number` out.
    pub(super) fn new(mut number: u64) -> Self {
        let mut digits = [b'0'; MAX_DIGITS];
        let mut start = MAX_DIGITS;
        for (at, digit) in digits.iter_mut().enumerate().rev() {
            // A remainder of ten fits a byte.
            *digit += (number % 10) as u8;
            number /= 10;
            start = at;
            if number == 0 {
                break;
            }
        }
        Self { digits, start }
    }

    /// The digits, without leading zeros.
    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.digits[self.start..]
    }
}

/// Reads digits and nothing but digits: no sign, no space, no empty text, nothing over `u64::MAX`.
pub(super) fn parse(text: &[u8]) -> Option<u64> {
    if text.is_empty() || text.len() > MAX_DIGITS {
        return None;
    }
    text.iter().try_fold(0_u64, |number, byte| {
        let digit = byte.checked_sub(b'0').filter(|digit| *digit < 10)?;
        number.checked_mul(10)?.checked_add(u64::from(digit))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_digits_are_numbers() {
        for text in [
            "",
            "+1",
            "-1",
            " 1",
            "1 ",
            "0x1",
            "1.0",
            "18446744073709551616",
            "000000000000000000001",
        ] {
            assert_eq!(parse(text.as_bytes()), None, "{text}");
        }
        assert_eq!(parse(b"007"), Some(7));
        assert_eq!(parse(b"18446744073709551615"), Some(u64::MAX));
    }

    proptest! {
        #[test]
        fn written_as_everybody_writes_them(number in prop_oneof![any::<u64>(), 0u64..1000]) {
            let decimal = Decimal::new(number);
            prop_assert_eq!(decimal.as_bytes().to_vec(), number.to_string().into_bytes());
            prop_assert_eq!(parse(decimal.as_bytes()), Some(number));
        }
    }
}
