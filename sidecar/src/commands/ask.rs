//! Asks the queue that runs on a data directory, and says in words why it does not answer.

use std::io::{self, ErrorKind};
use std::path::Path;

use super::failure::Failure;
use crate::control::{self, Reply, Request};
use crate::seek::{Seek, Sought};
use crate::status::Status;

/// Where the queue on `data` stands.
///
/// # Errors
/// In words, when none runs there or it does not answer.
pub(super) async fn status(data: &Path) -> Result<Status, Failure> {
    match ask(data, &Request::Status).await? {
        Reply::Status(status) => Ok(*status),
        other => Err(unexpected(&other)),
    }
}

/// Has the queue on `data` move a cursor.
///
/// # Errors
/// As [`status`]; and the queue's own, in its words.
pub(super) async fn seek(data: &Path, order: Seek) -> Result<Sought, Failure> {
    match ask(data, &Request::Seek(order)).await? {
        Reply::Sought(sought) => Ok(sought),
        other => Err(unexpected(&other)),
    }
}

fn unexpected(reply: &Reply) -> Failure {
    match reply {
        Reply::Error(error) => Failure::new(error.clone()),
        other => Failure::new(format!("the queue answers something else: {other:?}")),
    }
}

/// What the queue on `data` answers to any request.
///
/// # Errors
/// In words, when none runs there or it does not answer.
async fn ask(data: &Path, request: &Request) -> Result<Reply, Failure> {
    control::ask(data, request).await.map_err(|error| failure(data, &error))
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
