//! `lifeboat send`.

mod push;
mod receipts;

use super::failure::Failure;
use super::input::Input;
use super::target::{self, Kind, Side};
use super::{block_on, signals};
use crate::cli::Send;
use crate::exit::Exit;

/// Sends what `options` name.
pub fn run(options: &Send) -> Exit {
    block_on(async {
        let flags = [
            ("--receipts", options.protocol.receipts, Kind::Receipt),
            ("--push", options.protocol.push, Kind::Pull),
        ];
        let input = Input::new(options)?;
        let target = target::find(Side::Ingress, &options.target, &options.data, flags).await?;
        let signals =
            signals::Signals::listen().map_err(|error| Failure::new(error.to_string()))?;
        match target.kind {
            Kind::Receipt => receipts::send(&target.endpoint, input, options, signals).await,
            _ => push::send(&target, input, options, signals).await,
        }
    })
}
