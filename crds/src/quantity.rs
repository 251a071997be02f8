//! Kubernetes quantities that count bytes: `10Gi`, `96Mi`, `500M`, `1e3`.
//! It must not round: what is no whole number of bytes is refused.

use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::malformed::Malformed;
use crate::text::kept_as_written;

/// How a quantity is written, for messages.
pub(crate) const FORM: &str = "a quantity string such as \"10Gi\"";

/// Longer than any number of bytes that fits 63 bits needs to be.
pub(crate) const MAX_LENGTH: usize = 32;
/// The form, for the CRD; whether it is a whole number of bytes, and not too many, it cannot tell.
const PATTERN: &str = r"^([0-9]+\.?[0-9]*|\.[0-9]+)([KMGTPE]i|[kMGTPE]|[eE][+-]?[0-9]+)?$";
/// Above this a power of ten overflows 63 bits whatever stands before it.
const MAX_EXPONENT: u32 = 18;

const BINARY: [(&str, u64); 6] = [
    ("Ei", 1 << 60),
    ("Pi", 1 << 50),
    ("Ti", 1 << 40),
    ("Gi", 1 << 30),
    ("Mi", 1 << 20),
    ("Ki", 1 << 10),
];
const DECIMAL: [(&str, u64); 6] = [
    ("E", 1_000_000_000_000_000_000),
    ("P", 1_000_000_000_000_000),
    ("T", 1_000_000_000_000),
    ("G", 1_000_000_000),
    ("M", 1_000_000),
    ("k", 1_000),
];

/// A number of bytes as a Kubernetes quantity: `10Gi`, `500M`, `1e3`, `4096`. At most 2^63 - 1.
// Grammar: k8s.io/apimachinery/pkg/api/resource, type Quantity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(extend("maxLength" = MAX_LENGTH, "pattern" = PATTERN))]
pub struct Quantity {
    text: String,
    bytes: u64,
}

impl Quantity {
    /// The number of bytes.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl FromStr for Quantity {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        Ok(Self { text: text.to_owned(), bytes: bytes_of(text)? })
    }
}

kept_as_written!(Quantity);

/// `bytes` in the largest binary unit that gives a whole number: `4Mi`, `1500`.
pub fn format_bytes(bytes: u64) -> String {
    let unit = BINARY.iter().find(|(_, size)| bytes >= *size && bytes.is_multiple_of(*size));
    unit.map_or_else(|| bytes.to_string(), |(name, size)| format!("{}{name}", bytes / size))
}

fn bytes_of(text: &str) -> Result<u64, Malformed> {
    if text.len() > MAX_LENGTH {
        return Err(Malformed::new("is too long for a quantity"));
    }
    let end = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    let (digits, decimals) = mantissa(number, suffix)?;
    let (multiplier, divisor) = scale(suffix)?;
    let divisor = divisor.checked_mul(10_u128.pow(decimals)).ok_or_else(out_of_range)?;
    let total = digits.checked_mul(multiplier).ok_or_else(out_of_range)?;
    if total % divisor != 0 {
        return Err(Malformed::new("is not a whole number of bytes"));
    }
    let bytes = u64::try_from(total / divisor).map_err(|_| out_of_range())?;
    if i64::try_from(bytes).is_err() {
        return Err(out_of_range());
    }
    Ok(bytes)
}

fn out_of_range() -> Malformed {
    Malformed::new("is more than 2^63 - 1 bytes")
}

/// `1.25` as (125, 2 decimals).
fn mantissa(number: &str, rest: &str) -> Result<(u128, u32), Malformed> {
    if number.is_empty() && rest.starts_with('-') {
        return Err(Malformed::new("is negative"));
    }
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits = format!("{whole}{fraction}");
    let value = digits.parse().map_err(|_| Malformed::new("does not start with a number"))?;
    let decimals = u32::try_from(fraction.len()).map_err(|_| out_of_range())?;
    Ok((value, decimals))
}

/// What a suffix multiplies and divides by.
fn scale(suffix: &str) -> Result<(u128, u128), Malformed> {
    if suffix.is_empty() {
        return Ok((1, 1));
    }
    if let Some((_, size)) = BINARY.iter().chain(&DECIMAL).find(|(name, _)| *name == suffix) {
        return Ok((u128::from(*size), 1));
    }
    if let Some(exponent) = suffix.strip_prefix(['e', 'E']) {
        return power_of_ten(exponent);
    }
    Err(match suffix {
        "m" | "u" | "n" => Malformed::with_fix(
            format!("has the suffix {suffix}, a fraction of a byte"),
            "did you mean the suffix Mi?",
        ),
        _ => Malformed::with_fix(format!("has the unknown suffix {suffix:?}"), suffix_hint(suffix)),
    })
}

fn power_of_ten(exponent: &str) -> Result<(u128, u128), Malformed> {
    let malformed = || Malformed::with_fix("has a malformed exponent", "write it as in 1e3");
    let (digits, negative) = match exponent.strip_prefix('-') {
        Some(digits) => (digits, true),
        None => (exponent.strip_prefix('+').unwrap_or(exponent), false),
    };
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(malformed());
    }
    let power: u32 = digits.parse().map_err(|_| malformed())?;
    if power > MAX_EXPONENT {
        return Err(Malformed::new(format!("has an exponent over {MAX_EXPONENT}")));
    }
    let factor = 10_u128.pow(power);
    Ok(if negative { (1, factor) } else { (factor, 1) })
}

/// The usual slips: `10GB`, `10gb`, `64K`, `4MiB`.
fn suffix_hint(suffix: &str) -> String {
    let letter = suffix.chars().next().map(|c| c.to_ascii_uppercase());
    let unit = letter.filter(|_| suffix.len() <= 3);
    let near = BINARY.iter().find(|(name, _)| unit.is_some_and(|unit| name.starts_with(unit)));
    let hint = near.map_or_else(String::new, |(name, _)| format!("; did you mean {name}?"));
    format!("expected one of Ki, Mi, Gi, Ti, Pi, Ei, k, M, G, T, P, E{hint}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn forms_and_their_bytes() {
        let cases = [
            ("0", 0),
            ("4096", 4096),
            ("10Gi", 10 << 30),
            ("96Mi", 96 << 20),
            ("0.5Gi", 512 << 20),
            (".5Ki", 512),
            ("5.Ki", 5120),
            ("500M", 500_000_000),
            ("2k", 2000),
            ("1e3", 1000),
            ("1E3", 1000),
            ("1.5e+3", 1500),
            ("2000e-3", 2),
            ("1E", 1_000_000_000_000_000_000),
            ("1Ei", 1 << 60),
            ("9223372036854775807", i64::MAX.cast_unsigned()),
        ];
        for (text, bytes) in cases {
            assert_eq!(text.parse::<Quantity>().map(|q| q.bytes()), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn refusals_name_the_reason() {
        let cases = [
            ("", "does not start with a number"),
            (".", "does not start with a number"),
            ("Gi", "does not start with a number"),
            (" 1Gi", "does not start with a number"),
            ("1.2.3Gi", "does not start with a number"),
            ("-1Gi", "is negative"),
            ("100m", "a fraction of a byte"),
            ("1.5", "not a whole number of bytes"),
            ("1e-3", "not a whole number of bytes"),
            ("64K", "did you mean Ki?"),
            ("10GB", "did you mean Gi?"),
            ("10gib", "did you mean Gi?"),
            ("10 Gi", "unknown suffix"),
            ("8Ei", "more than 2^63 - 1"),
            ("9223372036854775808", "more than 2^63 - 1"),
            ("1e19", "exponent over 18"),
            ("1e", "malformed exponent"),
            ("1e++3", "malformed exponent"),
            ("111111111111111111111111111111111", "too long"),
        ];
        for (text, reason) in cases {
            let message = text.parse::<Quantity>().expect_err(text).to_string();
            assert!(message.contains(reason), "{text}: {message}");
        }
    }

    proptest! {
        #[test]
        fn what_is_formatted_parses_to_the_same(bytes in 0..=i64::MAX.cast_unsigned()) {
            let parsed: Quantity = format_bytes(bytes).parse().unwrap();
            prop_assert_eq!(parsed.bytes(), bytes);
        }

        #[test]
        fn no_text_panics(text in "[0-9.eEkKmMGiI+-]{0,34}|\\PC{0,40}") {
            let _ = text.parse::<Quantity>();
        }
    }
}
