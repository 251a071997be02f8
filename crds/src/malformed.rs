//! Why a text could not be read as a value. It must not know where the text stood.

use std::fmt;

/// Why a text is no quantity, duration or endpoint, and where it is known what to write instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// What is wrong, to follow the text itself: `has no port`.
    reason: String,
    fix: Option<String>,
}

impl Malformed {
    pub(crate) fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), fix: None }
    }

    pub(crate) fn with_fix(reason: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { reason: reason.into(), fix: Some(fix.into()) }
    }

    /// With the form that is expected, where there is no better advice.
    pub(crate) fn or_expected(self, form: &str) -> Self {
        Self { fix: self.fix.or_else(|| Some(format!("expected {form}"))), ..self }
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)?;
        self.fix.as_ref().map_or(Ok(()), |fix| write!(f, "; {fix}"))
    }
}

impl std::error::Error for Malformed {}
