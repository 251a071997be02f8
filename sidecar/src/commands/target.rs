//! What `send` and `receive` are pointed at: a socket of a running queue by name, or a URL.

use std::path::Path;

use super::ask;
use super::failure::Failure;
use crate::status::{SocketStatus, Status};

/// What the sidecar opened at the endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// ROUTER that gives receipts.
    Receipt,
    /// PULL.
    Pull,
    /// ROUTER that wants acknowledgements.
    Credit,
    /// PUSH.
    Push,
}

/// Which side of a stream a command talks to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// The ingresses: `send`.
    Ingress,
    /// The deliveries: `receive`.
    Delivery,
}

/// Where to connect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    /// The endpoint's URL.
    pub(super) endpoint: String,
    /// What is spoken there.
    pub(super) kind: Kind,
    /// Stream and socket, when it was found by name.
    pub(super) name: Option<(String, String)>,
}

impl Side {
    /// The word for one, and the command that talks to it.
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Ingress => ("ingress", "send"),
            Self::Delivery => ("delivery", "receive"),
        }
    }

    fn other(self) -> Self {
        match self {
            Self::Ingress => Self::Delivery,
            Self::Delivery => Self::Ingress,
        }
    }
}

/// Finds `target`. `flags` are the options that say what a URL speaks, and whether they were given.
///
/// # Errors
/// A name that does not exist, a URL without its option; or no queue runs on `data`.
pub(super) async fn find(
    side: Side,
    target: &str,
    data: &Path,
    flags: [(&str, bool, Kind); 2],
) -> Result<Target, Failure> {
    let given = flags.iter().find(|(_, given, _)| *given);
    let [first, second] = flags.map(|(flag, ..)| flag);
    match (target.contains("://"), given) {
        (true, Some((_, _, kind))) => {
            Ok(Target { endpoint: target.to_owned(), kind: *kind, name: None })
        }
        (true, None) => Err(Failure::usage(format!(
            "{target} is a URL: say with {first} or {second} what is spoken there"
        ))),
        (false, Some((flag, ..))) => Err(Failure::usage(format!(
            "{flag} is for a URL: leave it out, the queue says what {target} speaks"
        ))),
        (false, None) => in_status(side, target, &ask::status(data).await?),
    }
}

/// Finds `target` among the sockets of a running queue.
fn in_status(side: Side, target: &str, status: &Status) -> Result<Target, Failure> {
    let (noun, command) = side.words();
    let here = sockets(side, status);
    if let Some((stream, socket)) = named(&here, target) {
        if socket.connects {
            return Err(Failure::usage(format!(
                "{target} connects to {} itself: nothing can connect to it",
                socket.endpoint
            )));
        }
        let kind = kind_of(socket).ok_or_else(|| {
            let spoken = socket.protocol.as_deref().unwrap_or(&socket.socket);
            Failure::usage(format!("{target} speaks {spoken}, which `{command}` does not"))
        })?;
        let name = Some((stream.to_owned(), socket.name.clone()));
        return Ok(Target { endpoint: socket.endpoint.clone(), kind, name });
    }
    if named(&sockets(side.other(), status), target).is_some() {
        let (other_noun, other_command) = side.other().words();
        return Err(Failure::usage(format!(
            "{target} is of the {other_noun} side: `lifeboat {other_command} {target}`"
        )));
    }
    let names: Vec<String> =
        here.iter().map(|(stream, socket)| format!("{stream}.{}", socket.name)).collect();
    Err(Failure::usage(format!(
        "no {noun} {target} in queue {}: there is {}",
        status.name,
        names.join(", ")
    )))
}

/// All sockets of one side, each with its stream.
fn sockets(side: Side, status: &Status) -> Vec<(&str, &SocketStatus)> {
    let mut found = Vec::new();
    for stream in &status.streams {
        let sockets: Vec<&SocketStatus> = match side {
            Side::Ingress => stream.ingress.iter().map(|ingress| &ingress.socket).collect(),
            Side::Delivery => {
                stream.deliveries.iter().filter_map(|delivery| delivery.socket.as_ref()).collect()
            }
        };
        found.extend(sockets.into_iter().map(|socket| (stream.name.as_str(), socket)));
    }
    found
}

fn named<'a>(
    sockets: &[(&'a str, &'a SocketStatus)],
    target: &str,
) -> Option<(&'a str, &'a SocketStatus)> {
    let (wanted_stream, wanted_socket) = target.rsplit_once('.')?;
    sockets
        .iter()
        .find(|(stream, socket)| *stream == wanted_stream && socket.name == wanted_socket)
        .copied()
}

fn kind_of(socket: &SocketStatus) -> Option<Kind> {
    match (socket.socket.as_str(), socket.protocol.as_deref()) {
        ("ROUTER", Some("Receipt")) => Some(Kind::Receipt),
        ("PULL", None) => Some(Kind::Pull),
        ("ROUTER", Some("Credit")) => Some(Kind::Credit),
        ("PUSH", None) => Some(Kind::Push),
        _ => None,
    }
}
