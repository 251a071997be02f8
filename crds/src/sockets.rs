//! The second step of validation: unix sockets, once the socket directory is known.
//! It must not touch the file system.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::dataplane::Dataplane;
use crate::endpoint::Endpoint;
use crate::names::SOCKET_PATH_LIMIT;
use crate::problem::Problems;

impl Dataplane {
    /// Checks every ipc socket against `dir`, the absolute path of the socket directory: it lies
    /// directly in `dir`, its path has at most [`SOCKET_PATH_LIMIT`] bytes, and no two are the
    /// same.
    ///
    /// # Errors
    /// Every problem, at `spec.streams[i].ingress[j].bind` or `.name` where no endpoint is given.
    pub fn check_sockets(&self, dir: &Path) -> Result<(), Problems> {
        let mut problems = Problems::default();
        let mut taken: BTreeMap<PathBuf, String> = BTreeMap::new();
        for (field, path, given) in self.ipc_sockets(dir) {
            let at = format!("{field}.{}", if given { "bind" } else { "name" });
            if given && path.parent() != Some(dir) {
                let dir = dir.display();
                problems.push(
                    &at,
                    format!(
                        "ipc://{} is not a file directly in the socket directory {dir}, which the \
                         application sees; leave bind out, or write ipc://{dir}/NAME",
                        path.display()
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
            if let Some(other) = taken.get(&path) {
                let path = path.display();
                problems.push(&at, format!("{path} is also the socket of {other}; use another"));
            } else {
                taken.insert(path, field);
            }
        }
        problems.into_result()
    }

    /// Field, path and whether the file names it, for every ipc socket.
    fn ipc_sockets(&self, dir: &Path) -> Vec<(String, PathBuf, bool)> {
        let mut sockets = Vec::new();
        for (index, stream) in self.streams.iter().enumerate() {
            let ingress =
                stream.ingress.iter().map(|i| (&i.endpoint, i.endpoint_in(dir, &stream.name)));
            let deliveries =
                stream.deliveries.iter().map(|d| (&d.endpoint, d.endpoint_in(dir, &stream.name)));
            let ingress = ingress.enumerate().map(|(at, socket)| ("ingress", at, socket));
            let deliveries = deliveries.enumerate().map(|(at, socket)| ("deliveries", at, socket));
            for (list, at, (given, endpoint)) in ingress.chain(deliveries) {
                if let Endpoint::Ipc(path) = endpoint {
                    sockets.push((
                        format!("spec.streams[{index}].{list}[{at}]"),
                        path,
                        given.is_some(),
                    ));
                }
            }
        }
        sockets
    }
}
