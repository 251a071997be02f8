//! Sending to a Receipt ingress: done when every message has its receipt.

use std::fmt;

use serde::Serialize;
use tokio::select;
use tokio::time::sleep;

use crate::cli::Send;
use crate::client::{Answer, ReceiptProducer};
use crate::commands::failure::Failure;
use crate::commands::human::{count, counted};
use crate::commands::input::Input;
use crate::commands::print_json;
use crate::commands::signals::Signals;
use crate::wire::receipt::Receipt;

/// Refusals that are shown one by one.
const SHOWN_REFUSALS: u64 = 10;

/// Sends all of `input` and prints what became of it.
pub(super) async fn send(
    endpoint: &str,
    mut input: Input,
    options: &Send,
    mut signals: Signals,
) -> Result<(), Failure> {
    let window = options.window as usize;
    let mut producer = ReceiptProducer::connect(endpoint, window, options.timeout).await?;
    let mut tally = Tally::default();
    let outcome = pump(&mut producer, &mut input, options, &mut signals, &mut tally).await;
    if options.json {
        tally.resent = producer.resent();
        print_json(&tally)?;
    } else {
        println!("{tally}");
    }
    if producer.losses() > 0 && !options.json {
        println!(
            "the connection was lost {}; {} sent again, each of which may be stored twice",
            counted(producer.losses(), "time"),
            counted(producer.resent(), "message")
        );
    }
    outcome?;
    match tally.refused {
        0 => Ok(()),
        refused => Err(Failure::new(format!("{} refused", counted(refused, "message")))),
    }
}

async fn pump(
    producer: &mut ReceiptProducer,
    input: &mut Input,
    options: &Send,
    signals: &mut Signals,
    tally: &mut Tally,
) -> Result<(), Failure> {
    let mut ended = false;
    while !ended || producer.waiting() > 0 {
        let waiting = producer.waiting();
        let room = !ended && producer.has_room();
        select! {
            answer = producer.answer(), if waiting > 0 => tally.add(&answer?),
            message = input.next(), if room => match message {
                Ok(Some(body)) => {
                    tally.sent += 1;
                    producer.send(body).await;
                }
                Ok(None) => ended = true,
                Err(error) => return Err(Failure::new(format!("standard input: {error}"))),
            },
            () = sleep(options.timeout), if waiting > 0 => {
                return Err(unreceipted("no answer in time", waiting));
            }
            () = signals.next() => return Err(unreceipted("interrupted", waiting)),
        }
    }
    Ok(())
}

fn unreceipted(why: &str, waiting: usize) -> Failure {
    let waiting = counted(waiting as u64, "message");
    Failure::new(format!("{why}: {waiting} without a receipt, each of which may be stored or not"))
}

/// What became of the messages.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Tally {
    sent: u64,
    receipted: u64,
    refused: u64,
    /// Lowest and highest seq.
    first_seq: Option<u64>,
    last_seq: Option<u64>,
    /// Messages that were sent again, for a connection was lost.
    resent: u64,
}

impl Tally {
    fn add(&mut self, answer: &Answer) {
        if let Receipt::Stored(seq) = answer.receipt {
            self.receipted += 1;
            self.first_seq = Some(self.first_seq.map_or(seq, |first| first.min(seq)));
            self.last_seq = Some(self.last_seq.map_or(seq, |last| last.max(seq)));
            return;
        }
        let number = self.receipted + self.refused + 1;
        self.refused += 1;
        if self.refused <= SHOWN_REFUSALS {
            let code = String::from_utf8_lossy(answer.receipt.code());
            eprintln!("message {number}: {code} {}", meaning(answer.receipt));
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} sent, {} receipted", count(self.sent), count(self.receipted))?;
        if let (Some(low), Some(high)) = (self.first_seq, self.last_seq) {
            write!(f, " (seq {low}..{high})")?;
        }
        Ok(())
    }
}

fn meaning(receipt: Receipt) -> &'static str {
    match receipt {
        Receipt::Stored(_) => "stored and synced",
        Receipt::Malformed => "malformed",
        Receipt::Conflict => "its id was used for another message",
        Receipt::TooLarge => "larger than the ingress takes (maxMessageSize)",
        Receipt::Unavailable => "not stored: the stream is full or stopped, try again later",
    }
}
