//! A run of whole messages, in place in the read buffer.

/// Messages that came in, in order: first those in [`Messages::bytes`], then at most one that was
/// too large.
#[derive(Debug, Clone, Copy)]
pub struct Messages<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) ends: &'a [u32],
    pub(super) too_large: Option<&'a [u8]>,
}

impl<'a> Messages<'a> {
    /// The messages' frames, back to back, as on the wire.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Where each message ends in [`Messages::bytes`].
    pub fn ends(&self) -> &'a [u32] {
        self.ends
    }

    /// The number of messages, the one that was too large not counted.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is nothing, not even a message that was too large.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty() && self.too_large.is_none()
    }

    /// Each message's wire bytes, for [`crate::frames`].
    pub fn iter(&self) -> impl Iterator<Item = &'a [u8]> + Clone {
        let (bytes, mut start) = (self.bytes, 0);
        self.ends.iter().map(move |&end| {
            let message = start..end as usize;
            start = message.end;
            &bytes[message]
        })
    }

    /// After all others came a message over `max_message_size` (listeners with
    /// [`crate::Oversize::Skip`]): its complete frames before the one that was too much, maybe
    /// none.
    pub fn too_large(&self) -> Option<&'a [u8]> {
        self.too_large
    }
}
