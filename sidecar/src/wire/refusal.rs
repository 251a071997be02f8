//! Why a verb of an application is not followed, and how it is told.

use lifeboat_zmtp::push_frame;

/// Why a verb, or a token in one, is not followed: goes out as `ERR code text`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Not a verb.
    #[error("unknown verb")]
    UnknownVerb,
    /// A REQ's verb, from a DEALER.
    #[error("FETCH and NEXT are for REQ sockets: a DEALER sends CREDIT")]
    ReqOnly,
    /// A DEALER's verb, from a REQ.
    #[error("CREDIT is for DEALER sockets: a REQ sends FETCH or NEXT")]
    DealerOnly,
    /// A REQ's message without a delimiter, or without a verb behind it.
    #[error("a REQ sends an empty frame and a verb")]
    NoVerb,
    /// `FETCH` in another form.
    #[error("FETCH takes at most one wait, up to 604800000 ms")]
    Fetch,
    /// `NEXT` in another form.
    #[error("NEXT takes a token and at most one wait, up to 604800000 ms")]
    Next,
    /// `CREDIT` without exactly one number up to 4294967295.
    #[error("CREDIT takes one number")]
    Credit,
    /// `ACK` with no token or more than [`MAX_TOKENS`](super::credit::MAX_TOKENS).
    #[error("ACK takes 1 to 1024 tokens")]
    Ack,
    /// `NACK` in another form.
    #[error("NACK takes a token and at most one delay, up to 604800000 ms")]
    Nack,
    /// `REJECT` in another form.
    #[error("REJECT takes a token and at most one reason")]
    Reject,
    /// `EXTEND` in another form.
    #[error("EXTEND takes a token and a time, up to 604800000 ms")]
    Extend,
    /// Bytes that are no token, or a damaged one.
    #[error("not a token")]
    NotAToken,
    /// A token of another stream (also of one that was deleted and made anew) or delivery.
    #[error("token of another stream or delivery")]
    ForeignToken,
    /// A token of a record that is not in the log: acknowledged by an epoch that lost it.
    #[error("no such record")]
    NoSuchRecord,
}

impl Refusal {
    /// The code on the wire: 400 for what is malformed, 404 for what is not of this delivery, 410
    /// for what is gone.
    pub fn code(self) -> &'static [u8; 3] {
        match self {
            Refusal::ForeignToken => b"404",
            Refusal::NoSuchRecord => b"410",
            _ => b"400",
        }
    }
}

/// Appends `ERR code text`.
pub fn append_err(out: &mut Vec<u8>, refusal: Refusal) {
    push_frame(out, true, b"ERR");
    push_frame(out, true, refusal.code());
    push_frame(out, false, refusal.to_string().as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_err_carries_code_and_text() {
        let (mut out, mut expected) = (Vec::new(), Vec::new());
        append_err(&mut out, Refusal::ForeignToken);
        push_frame(&mut expected, true, b"ERR");
        push_frame(&mut expected, true, b"404");
        push_frame(&mut expected, false, b"token of another stream or delivery");
        assert_eq!(out, expected);
    }
}
