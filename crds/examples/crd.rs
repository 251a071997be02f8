//! Prints the CustomResourceDefinition: what stands in `crds/persistentqueues.yaml`.

use std::io::Write;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let text = lifeboat_api::queue::manifest()?;
    Ok(std::io::stdout().write_all(text.as_bytes())?)
}
