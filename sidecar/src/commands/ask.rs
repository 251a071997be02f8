//! Asks the queue that runs on a data directory, and says in words why it does not answer.

use std::io::{self, ErrorKind};
use std::path::Path;

use super::failure::Failure;
use crate::control::{self, Reply, Request};
use crate::status::Status;

/// Where the queue on `data` stands.
///
/// # Errors
/// In words, when none runs there or it does not answer.
pub(super) async fn status(data: &Path) -> Result<Status, Failure> {
    let place = data.display();
    match control::ask(data, &Request::Status).await {
        Ok(Reply::Status(status)) => Ok(*status),
        Ok(Reply::Error(error)) => {
            Err(Failure::new(format!("the queue on {place} does not understand: {error}")))
        }
        Ok(Reply::Accepted(_)) => Err(Failure::new("the queue answered something else")),
        Err(error) => Err(failure(data, &error)),
    }
}

/// Why the queue on `data` cannot be asked, in words.
pub(super) fn failure(data: &Path, error: &io::Error) -> Failure {
    let place = data.display();
    Failure::new(match error.kind() {
        ErrorKind::NotFound | ErrorKind::ConnectionRefused => {
            format!("no queue runs on {place}: start one with `lifeboat run FILE --data {place}`")
        }
        ErrorKind::PermissionDenied => {
            format!("not allowed to ask the queue on {place}: be the user that runs it")
        }
        _ => format!("the queue on {place} does not answer: {error}"),
    })
}
