//! Values that a user writes as text and that are shown again as they were written.

/// Makes a type with a field `text` that text, by its `FromStr`: read by serde, shown, given back.
macro_rules! kept_as_written {
    ($value:ty) => {
        impl TryFrom<String> for $value {
            type Error = $crate::malformed::Malformed;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                text.parse()
            }
        }

        impl From<$value> for String {
            fn from(value: $value) -> Self {
                value.text
            }
        }

        impl std::fmt::Display for $value {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.text)
            }
        }
    };
}

pub(crate) use kept_as_written;
