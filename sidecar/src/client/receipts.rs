//! A producer with receipts: a DEALER that keeps each message until its receipt is there, and sends
//! it again when the connection was lost before.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use zeromq::ZmqMessage;

use super::dealer::Dealer;
use super::{ClientError, Frames, readable};
use crate::wire::receipt::Receipt;

/// Most messages that may wait for their receipts: far below where a send would wait.
pub const MAX_WINDOW: usize = 50_000;
/// Bytes that may wait for their receipts; one larger message may, alone.
const WINDOW_BYTES: usize = 16 << 20;

/// A producer of one ingress.
pub struct ReceiptProducer {
    endpoint: String,
    window: usize,
    patience: Duration,
    dealer: Option<Dealer>,
    /// Without a receipt yet, oldest first: receipts come in order.
    waiting: VecDeque<Frames>,
    waiting_bytes: usize,
    /// How many of `waiting`, from the back, were never sent.
    unsent: usize,
    resent: u64,
    losses: u64,
}

/// The receipt of one message.
#[derive(Debug)]
pub struct Answer {
    /// The message.
    pub body: Frames,
    /// What became of it.
    pub receipt: Receipt,
}

impl ReceiptProducer {
    /// Connects. At most `window` messages wait for receipts, up to [`MAX_WINDOW`]. `patience` is
    /// also that of each later connection.
    ///
    /// # Errors
    /// Those of a connection that does not come about.
    pub async fn connect(
        endpoint: &str,
        window: usize,
        patience: Duration,
    ) -> Result<Self, ClientError> {
        Ok(Self {
            endpoint: endpoint.to_owned(),
            window: window.clamp(1, MAX_WINDOW),
            patience,
            dealer: Some(Dealer::connect(endpoint, patience).await?),
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            unsent: 0,
            resent: 0,
            losses: 0,
        })
    }

    /// Whether the window has room for a message.
    pub fn has_room(&self) -> bool {
        self.waiting.len() < self.window && self.waiting_bytes < WINDOW_BYTES
    }

    /// Messages without a receipt.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Messages that were sent again, each of which may be stored twice.
    pub fn resent(&self) -> u64 {
        self.resent
    }

    /// Connections that were lost.
    pub fn losses(&self) -> u64 {
        self.losses
    }

    /// Takes a message; [`Self::has_room`] must have said so.
    pub async fn send(&mut self, body: Frames) {
        let sent = match &mut self.dealer {
            Some(dealer) => dealer.send(submission(&body)).await.is_ok(),
            None => false,
        };
        // Not sent: it goes out with the next connection.
        self.unsent += usize::from(!sent);
        self.waiting_bytes += size(&body);
        self.waiting.push_back(body);
    }

    /// The next receipt, in the order of [`Self::send`]. Connects again, and sends again what has
    /// no receipt, when the connection was lost. Cancel-safe.
    ///
    /// # Errors
    /// When no connection comes about any more, or the peer speaks another protocol.
    pub async fn answer(&mut self) -> Result<Answer, ClientError> {
        loop {
            let dealer = match self.dealer.take() {
                Some(dealer) => self.dealer.insert(dealer),
                None => self.connect_again().await?,
            };
            if let Ok(frames) = dealer.recv().await {
                return self.settle(&frames);
            }
            self.dealer = None;
            self.losses += 1;
        }
    }

    async fn connect_again(&mut self) -> Result<&mut Dealer, ClientError> {
        let mut dealer = Dealer::connect(&self.endpoint, self.patience).await?;
        for body in &self.waiting {
            // Lost again already: the next `recv` says so.
            let _ = dealer.send(submission(body)).await;
        }
        self.resent += (self.waiting.len() - self.unsent) as u64;
        self.unsent = 0;
        Ok(self.dealer.insert(dealer))
    }

    fn settle(&mut self, reply: &[Bytes]) -> Result<Answer, ClientError> {
        let answer = receipt(reply).and_then(|receipt| Some((receipt, self.waiting.pop_front()?)));
        let (receipt, body) = answer
            .ok_or_else(|| ClientError::Protocol { expected: "Receipt", found: readable(reply) })?;
        self.waiting_bytes -= size(&body);
        Ok(Answer { body, receipt })
    }
}

/// The message behind an empty envelope: so its body may hold empty frames, and be empty.
fn submission(body: &[Bytes]) -> ZmqMessage {
    let mut message = ZmqMessage::from(Bytes::new());
    for frame in body {
        message.push_back(frame.clone());
    }
    message
}

/// Reads `"" code [seq]`.
fn receipt(reply: &[Bytes]) -> Option<Receipt> {
    let [envelope, code, seq @ ..] = reply else { return None };
    if !envelope.is_empty() {
        return None;
    }
    match (&code[..], seq) {
        (b"200", [seq]) => Some(Receipt::Stored(std::str::from_utf8(seq).ok()?.parse().ok()?)),
        (b"400", []) => Some(Receipt::Malformed),
        (b"409", []) => Some(Receipt::Conflict),
        (b"413", []) => Some(Receipt::TooLarge),
        (b"503", []) => Some(Receipt::Unavailable),
        _ => None,
    }
}

fn size(body: &[Bytes]) -> usize {
    body.iter().map(Bytes::len).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(frames: &[&'static str]) -> Frames {
        frames.iter().map(|frame| Bytes::from_static(frame.as_bytes())).collect()
    }

    #[test]
    fn a_reply_is_a_code_and_with_200_a_seq() {
        for (reply, expected) in [
            (&["", "200", "17"][..], Some(Receipt::Stored(17))),
            (&["", "413"], Some(Receipt::TooLarge)),
            (&["", "503"], Some(Receipt::Unavailable)),
            (&["", "200"], None),
            (&["", "200", "-1"], None),
            (&["", "413", "17"], None),
            (&["200", "17"], None),
            (&["", "204"], None),
            (&[""], None),
            (&[], None),
        ] {
            assert_eq!(receipt(&frames(reply)), expected, "{reply:?}");
        }
    }

    #[test]
    fn a_body_goes_behind_an_empty_frame() {
        let message = submission(&frames(&["a", "", "b"]));
        assert_eq!(message.into_vec(), frames(&["", "a", "", "b"]));
    }
}
