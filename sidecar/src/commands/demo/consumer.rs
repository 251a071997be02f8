//! The demo's consumer: acknowledges what it has written into its ledger, and never restarts.

use std::sync::Arc;

use tokio::select;

use super::PATIENCE;
use super::figures::{Figures, Ledger};
use super::producer::number_of;
use crate::client::{CreditConsumer, Heard};
use crate::commands::failure::Failure;
use crate::stop::Stop;

/// Records held at once.
const WINDOW: u32 = 256;

/// Consumes until the order to stop.
pub(super) async fn consume(
    endpoint: String,
    figures: Arc<Figures>,
    mut stop: Stop,
) -> Result<Ledger, Failure> {
    let mut consumer = CreditConsumer::connect(&endpoint, WINDOW, None, PATIENCE).await?;
    let mut ledger = Ledger::default();
    loop {
        let heard = select! {
            heard = consumer.next() => heard?,
            () = stop.ordered() => break,
        };
        match heard {
            Heard::Message(record) => {
                let number = number_of(&record.body)
                    .ok_or_else(|| Failure::new("a message came in that was never sent"))?;
                if ledger.note(number, record.seq) {
                    figures.delivered.add();
                }
                consumer.ack(record.token);
            }
            Heard::Refused(code, text) => {
                return Err(Failure::new(format!("the queue says: {code} {text}")));
            }
            Heard::Hello(_) => {}
        }
    }
    consumer.finish(PATIENCE).await?;
    Ok(ledger)
}
