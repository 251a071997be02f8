//! The demo's producer: numbered messages, as fast as receipts and the consumer allow.

use std::future::ready;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::select;
use tokio::time::sleep;

use super::PATIENCE;
use super::figures::Figures;
use crate::client::ReceiptProducer;
use crate::commands::failure::Failure;
use crate::stop::Stop;
use crate::wire::receipt::Receipt;

/// Messages that wait for their receipts.
const WINDOW: usize = 256;
/// Receipted messages beyond which the producer waits for the consumer.
const BACKLOG: u64 = 5_000;
/// Bytes of a message.
const SIZE: usize = 100;

/// Sends until the order to stop, and ends when every message has its receipt. Messages are
/// numbered from 0 and their receipts come in order.
pub(super) async fn produce(
    endpoint: String,
    figures: Arc<Figures>,
    mut stop: Stop,
) -> Result<(), Failure> {
    let mut producer = ReceiptProducer::connect(&endpoint, WINDOW, PATIENCE).await?;
    let mut stopped = false;
    while !stopped || producer.waiting() > 0 {
        let waiting = producer.waiting() > 0;
        let behind = figures.receipted.get().saturating_sub(figures.delivered.get()) >= BACKLOG;
        let room = !stopped && !behind && producer.has_room();
        select! {
            answer = producer.answer(), if waiting => match answer?.receipt {
                Receipt::Stored(_) => figures.receipted.add(),
                refused => {
                    let code = String::from_utf8_lossy(refused.code()).into_owned();
                    return Err(Failure::new(format!("the queue refused a message: {code}")));
                }
            },
            () = ready(()), if room => {
                producer.send(vec![message(figures.sent.get())]).await;
                figures.sent.add();
            }
            () = sleep(Duration::from_millis(1)), if behind && !waiting => {}
            () = stop.ordered(), if !stopped => stopped = true,
        }
    }
    Ok(())
}

/// A message that carries its number.
fn message(number: u64) -> Bytes {
    let mut body = format!("{number} ").into_bytes();
    body.resize(SIZE, b'.');
    body.into()
}

/// The number that a message carries.
pub(super) fn number_of(body: &[Bytes]) -> Option<u64> {
    let [frame] = body else { return None };
    std::str::from_utf8(frame).ok()?.split_once(' ')?.0.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_carries_its_number() {
        for number in [0, 7, u64::MAX] {
            assert_eq!(message(number).len(), SIZE);
            assert_eq!(number_of(&[message(number)]), Some(number));
        }
        assert_eq!(number_of(&[Bytes::from_static(b"x y")]), None);
        assert_eq!(number_of(&[]), None);
    }
}
