//! A consumer with credit: a DEALER that says how many records it may hold, and which it is done
//! with.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::timeout;
use zeromq::ZmqMessage;

use super::dealer::Dealer;
use super::{ClientError, Frames, readable};
use crate::wire::credit::MAX_TOKENS;

/// Acknowledgements wait for company up to so many; when nothing more comes in they go at once.
const ACK_BATCH: usize = 256;

/// A consumer of one delivery. It connects again by itself.
pub struct CreditConsumer {
    endpoint: String,
    patience: Duration,
    /// Most records at once.
    window: u32,
    /// Most records in all.
    limit: Option<u64>,
    dealer: Option<Dealer>,
    /// What this connection was told.
    credit: Option<u32>,
    /// Tokens to be acknowledged.
    acks: Vec<Bytes>,
    /// Acknowledgements sent.
    acked: u64,
    stream_id: Option<String>,
    losses: u64,
}

/// A record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivered {
    /// For [`CreditConsumer::ack`].
    pub token: Bytes,
    /// The hand-out's number, from 1.
    pub attempt: u32,
    /// The record's number in the stream.
    pub seq: u64,
    /// The message.
    pub body: Frames,
}

/// What a sidecar says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// `HELLO`: the stream's id.
    Hello(String),
    /// `MSG`.
    Message(Delivered),
    /// `ERR`: code and text.
    Refused(String, String),
}

impl CreditConsumer {
    /// Connects. At most `window` records are held at once, and at most `limit` are asked for in
    /// all. `patience` is also that of each later connection.
    ///
    /// # Errors
    /// Those of a connection that does not come about.
    pub async fn connect(
        endpoint: &str,
        window: u32,
        limit: Option<u64>,
        patience: Duration,
    ) -> Result<Self, ClientError> {
        Ok(Self {
            endpoint: endpoint.to_owned(),
            patience,
            window,
            limit,
            dealer: Some(Dealer::connect(endpoint, patience).await?),
            credit: None,
            acks: Vec::new(),
            acked: 0,
            stream_id: None,
            losses: 0,
        })
    }

    /// The stream's id, once it is known.
    pub fn stream_id(&self) -> Option<&str> {
        self.stream_id.as_deref()
    }

    /// Connections that were lost.
    pub fn losses(&self) -> u64 {
        self.losses
    }

    /// Notes that the record of `token` is done with; a later [`Self::next`] or [`Self::finish`]
    /// says it.
    pub fn ack(&mut self, token: Bytes) {
        self.acks.push(token);
    }

    /// The next record, or an error of the sidecar's. Gives credit, acknowledges, connects again.
    /// Cancel-safe.
    ///
    /// # Errors
    /// When no connection comes about any more, or the peer speaks another protocol.
    pub async fn next(&mut self) -> Result<Heard, ClientError> {
        loop {
            match self.hear().await {
                Ok(Heard::Hello(stream_id)) => {
                    self.stream_id = Some(stream_id);
                    // Lost again already: the next round says so.
                    let _ = self.tell().await;
                }
                Ok(heard) => return Ok(heard),
                Err(ClientError::Lost) => {
                    (self.dealer, self.credit) = (None, None);
                    self.losses += 1;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Takes no more, acknowledges what is left, and returns when the sidecar has heard it all.
    /// Records that it sent meanwhile are dropped here and delivered again.
    ///
    /// # Errors
    /// [`ClientError::Lost`], [`ClientError::Timeout`]: then the last acknowledgements may not have
    /// been heard, and those records are delivered again.
    pub async fn finish(mut self, patience: Duration) -> Result<(), ClientError> {
        if self.dealer.is_none() && self.acks.is_empty() {
            return Ok(());
        }
        self.limit = Some(0);
        timeout(patience, self.settle_all()).await.map_err(|_| ClientError::Timeout)??;
        match self.dealer {
            Some(dealer) => dealer.close(patience).await,
            None => Ok(()),
        }
    }

    /// A DEALER is answered only when it errs, but in order: the answer to an ACK without tokens
    /// proves that everything before it was heard.
    async fn settle_all(&mut self) -> Result<(), ClientError> {
        while self.credit.is_none() {
            if let Heard::Hello(_) = self.hear().await? {
                self.tell().await?;
            }
        }
        self.tell().await?;
        self.connected().await?.send(verb("ACK", [])).await?;
        while !matches!(self.hear().await?, Heard::Refused(code, _) if code == "400") {}
        Ok(())
    }

    async fn connected(&mut self) -> Result<&mut Dealer, ClientError> {
        let dealer = match self.dealer.take() {
            Some(dealer) => dealer,
            None => Dealer::connect(&self.endpoint, self.patience).await?,
        };
        Ok(self.dealer.insert(dealer))
    }

    /// The next thing that the sidecar says. Acknowledges before it waits.
    async fn hear(&mut self) -> Result<Heard, ClientError> {
        if self.acks.len() >= ACK_BATCH.min(self.window as usize) {
            self.tell_when_greeted().await?;
        }
        let at_once = self.connected().await?.try_recv().await?;
        let frames = if let Some(frames) = at_once {
            frames
        } else {
            self.tell_when_greeted().await?;
            self.connected().await?.recv().await?
        };
        heard(&frames)
            .ok_or_else(|| ClientError::Protocol { expected: "Credit", found: readable(&frames) })
    }

    /// The sidecar speaks first on each connection.
    async fn tell_when_greeted(&mut self) -> Result<(), ClientError> {
        if self.credit.is_some() { self.tell().await } else { Ok(()) }
    }

    /// Sends what has changed: credit first, so that settled records do not let in more than
    /// `limit`.
    async fn tell(&mut self) -> Result<(), ClientError> {
        let acked = self.acked + self.acks.len() as u64;
        let left = self.limit.map_or(u64::MAX, |limit| limit.saturating_sub(acked));
        let credit = u32::try_from(left).unwrap_or(u32::MAX).min(self.window);
        let Some(dealer) = &mut self.dealer else { return Err(ClientError::Lost) };
        if self.credit != Some(credit) {
            dealer.send(verb("CREDIT", [credit.to_string().into()])).await?;
            self.credit = Some(credit);
        }
        for tokens in self.acks.chunks(MAX_TOKENS) {
            dealer.send(verb("ACK", tokens.iter().cloned())).await?;
        }
        self.acked = acked;
        self.acks.clear();
        Ok(())
    }
}

fn verb(name: &'static str, arguments: impl IntoIterator<Item = Bytes>) -> ZmqMessage {
    let mut message = ZmqMessage::from(Bytes::from_static(name.as_bytes()));
    for argument in arguments {
        message.push_back(argument);
    }
    message
}

/// Reads what a sidecar of version 1 says; `None` for anything else.
fn heard(frames: &[Bytes]) -> Option<Heard> {
    let text = |frame: &Bytes| String::from_utf8_lossy(frame).into_owned();
    let (name, rest) = frames.split_first()?;
    match (&name[..], rest) {
        (b"HELLO", [version, stream_id]) if &version[..] == b"1" => {
            Some(Heard::Hello(text(stream_id)))
        }
        (b"MSG", [token, attempt, seq, delimiter, body @ ..])
            if delimiter.is_empty() && !body.is_empty() =>
        {
            Some(Heard::Message(Delivered {
                token: token.clone(),
                attempt: text(attempt).parse().ok()?,
                seq: text(seq).parse().ok()?,
                body: body.to_vec(),
            }))
        }
        (b"ERR", [code, reason]) => Some(Heard::Refused(text(code), text(reason))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(frames: &[&'static str]) -> Frames {
        frames.iter().map(|frame| Bytes::from_static(frame.as_bytes())).collect()
    }

    #[test]
    fn what_a_sidecar_says_is_read() {
        assert_eq!(heard(&frames(&["HELLO", "1", "ab"])), Some(Heard::Hello("ab".to_owned())));
        assert_eq!(
            heard(&frames(&["MSG", "token", "2", "17", "", "a", ""])),
            Some(Heard::Message(Delivered {
                token: Bytes::from_static(b"token"),
                attempt: 2,
                seq: 17,
                body: frames(&["a", ""]),
            }))
        );
        let refused = Heard::Refused("404".to_owned(), "no".to_owned());
        assert_eq!(heard(&frames(&["ERR", "404", "no"])), Some(refused));
    }

    #[test]
    fn anything_else_is_another_protocol() {
        for other in [
            &["HELLO", "2", "ab"][..],
            &["MSG", "token", "2", "17", ""],
            &["MSG", "token", "2", "17", "x", "a"],
            &["MSG", "token", "two", "17", "", "a"],
            &["OK"],
            &[""],
            &[],
        ] {
            assert_eq!(heard(&frames(other)), None, "{other:?}");
        }
    }
}
