//! `lifeboat version`.

use serde_json::json;

use crate::cli::Version;
use crate::exit::Exit;

/// Prints the version, and with `--json` what it supports.
pub fn run(options: &Version) -> Exit {
    let version = env!("CARGO_PKG_VERSION");
    if options.json {
        println!("{}", json!({"version": version, "features": lifeboat_api::supported_features()}));
    } else {
        println!("lifeboat {version}");
    }
    Exit::Success
}
