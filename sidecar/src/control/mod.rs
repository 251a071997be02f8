//! The control socket, `<data>/control.sock`: how operator verbs reach a running sidecar. Whoever
//! may enter the sidecar's own file system may use it; nothing here listens on the network.
//!
//! One request a connection, one JSON value a line in each direction:
//! ```text
//! > {"version":1,"verb":"peek","arguments":{"stream":"work"}}
//! < {"item":{..}}                 any number, for verbs that list something
//! < {"progress":{"done":3,"of":9}} any number, for long work
//! < "alive"                       now and then while there is nothing else to say
//! < {"result":{..}}               the last line, or
//! < {"error":{"code":"notFound","text":".."}}
//! ```
//! [`wire`] has the lines, [`verb`] what can be asked, [`server`] and [`client`] the two ends, and
//! [`call`] what a verb's work is given. It must not do any verb's work: that is in
//! [`crate::verbs`].

pub mod call;
pub mod client;
pub mod server;
pub mod verb;
pub mod wire;

use std::path::{Path, PathBuf};

pub use call::Call;
pub use client::ask;
pub use server::{bind, serve};
pub use verb::Verb;
pub use wire::{Code, Line, Progress, Request, VerbError};

/// Where the control socket of a data directory is.
pub fn path_in(data: &Path) -> PathBuf {
    data.join("control.sock")
}
