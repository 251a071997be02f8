//! Asks the queue that runs on a data directory, and says in words why it does not answer.

use std::io::{self, ErrorKind};
use std::path::Path;

use serde::de::DeserializeOwned;

use super::failure::Failure;
use crate::control::client::{AskError, Told, ask};
use crate::control::{Code, Verb};
use crate::status::Status;

/// Where the queue on `data` stands.
///
/// # Errors
/// In words, when none runs there or it does not answer.
pub(super) async fn status(data: &Path) -> Result<Status, Failure> {
    verb(data, Verb::Status, |_| Ok(())).await
}

/// The result of a verb; `told` is called with what comes before it.
///
/// # Errors
/// In words, when no queue runs there, when it refuses or does not answer, or when `told` fails.
pub(super) async fn verb<T: DeserializeOwned>(
    data: &Path,
    verb: Verb,
    told: impl FnMut(Told) -> io::Result<()>,
) -> Result<T, Failure> {
    ask(data, verb, told).await.map_err(|error| failure(data, error))
}

/// Whether nobody was there to ask.
pub(super) fn runs_nowhere(error: &AskError) -> bool {
    let AskError::Io(error) = error else { return false };
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused)
}

/// Why there is no result, in words.
pub(super) fn failure(data: &Path, error: AskError) -> Failure {
    match error {
        AskError::Io(error) => Failure::new(no_answer(data, &error)),
        AskError::Caller(error) => Failure::new(format!("cannot print: {error}")),
        AskError::Refused(error) => match error.code {
            Code::NotFound | Code::BadRequest => Failure::usage(error.text),
            _ => Failure::new(error.text),
        },
    }
}

fn no_answer(data: &Path, error: &io::Error) -> String {
    let place = data.display();
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::ConnectionRefused => {
            format!("no queue runs on {place}: start one with `lifeboat run FILE --data {place}`")
        }
        ErrorKind::PermissionDenied => {
            format!("not allowed to ask the queue on {place}: be the user that runs it")
        }
        _ => format!("the queue on {place} does not answer: {error}"),
    }
}
