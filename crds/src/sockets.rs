//! The second step of validation: unix sockets, once the socket directory is known.
//! It must not touch the file system.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::dataplane::Dataplane;
use crate::endpoint::Endpoint;
use crate::names::SOCKET_PATH_LIMIT;
use crate::problem::Problems;
use crate::remote::Remote;

impl Dataplane {
    /// Checks every ipc socket against `dir`, the absolute path of the socket directory: it lies
    /// directly in `dir`, its path has at most [`SOCKET_PATH_LIMIT`] bytes, and no two are bound
    /// to the same.
    ///
    /// # Errors
    /// Every problem, at `spec.streams[i].ingress[j].bind`, `.connect[k]`, or `.name` where no
    /// endpoint is given.
    pub fn check_sockets(&self, dir: &Path) -> Result<(), Problems> {
        let mut problems = Problems::default();
        let mut taken: BTreeMap<PathBuf, String> = BTreeMap::new();
        for IpcSocket { field, at, path, given, bound } in self.ipc_sockets(dir) {
            if given && path.parent() != Some(dir) {
                let dir = dir.display();
                problems.push(
                    &at,
                    format!(
                        "ipc://{} is not a file directly in the socket directory {dir}, which the \
                         application sees; {}write ipc://{dir}/NAME",
                        path.display(),
                        if bound { "leave bind out, or " } else { "" }
                    ),
                );
            }
            let length = path.as_os_str().len();
            if length > SOCKET_PATH_LIMIT {
                problems.push(
                    &at,
                    format!(
                        "the socket path {} has {length} bytes; expected at most \
                         {SOCKET_PATH_LIMIT}: use a shorter name or socket directory",
                        path.display()
                    ),
                );
            }
            if !bound {
                continue;
            }
            if let Some(other) = taken.get(&path) {
                let path = path.display();
                problems.push(&at, format!("{path} is also the socket of {other}; use another"));
            } else {
                taken.insert(path, field);
            }
        }
        problems.into_result()
    }

    /// Every ipc socket, in the file's order.
    fn ipc_sockets(&self, dir: &Path) -> Vec<IpcSocket> {
        let mut sockets = Vec::new();
        for (index, stream) in self.streams.iter().enumerate() {
            let ingress = stream.ingress.iter().map(|one| {
                (one.endpoint.is_some(), one.endpoint_in(dir, &stream.name), &one.connect)
            });
            let deliveries = stream.deliveries.iter().map(|one| {
                (one.endpoint.is_some(), one.endpoint_in(dir, &stream.name), &one.connect)
            });
            let ingress = ingress.enumerate().map(|(at, socket)| ("ingress", at, socket));
            let deliveries = deliveries.enumerate().map(|(at, socket)| ("deliveries", at, socket));
            for (list, at, (given, endpoint, connect)) in ingress.chain(deliveries) {
                let field = format!("spec.streams[{index}].{list}[{at}]");
                if connect.is_empty() {
                    sockets.extend(IpcSocket::bound(field, &endpoint, given));
                } else {
                    sockets.extend(IpcSocket::connected(&field, connect));
                }
            }
        }
        sockets
    }
}

/// One unix socket that is bound or connected to.
struct IpcSocket {
    /// The ingress or delivery.
    field: String,
    /// The field that names the path, or makes it.
    at: String,
    path: PathBuf,
    /// Whether the file names the path.
    given: bool,
    bound: bool,
}

impl IpcSocket {
    fn bound(field: String, endpoint: &Endpoint, given: bool) -> Option<Self> {
        let Endpoint::Ipc(path) = endpoint else { return None };
        let at = format!("{field}.{}", if given { "bind" } else { "name" });
        Some(Self { field, at, path: path.clone(), given, bound: true })
    }

    fn connected(field: &str, connect: &[Remote]) -> impl Iterator<Item = Self> {
        connect.iter().enumerate().filter_map(move |(at, remote)| {
            let Endpoint::Ipc(path) = remote.endpoint() else { return None };
            let (field, at) = (field.to_owned(), format!("{field}.connect[{at}]"));
            Some(Self { field, at, path: path.clone(), given: true, bound: false })
        })
    }
}
