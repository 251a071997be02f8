//! `docs/tour.md`, as a reader would follow it: its commands run one block after the other.

use super::Outcome;
use super::cluster::Cluster;
use super::table::Counts;
use crate::error::Error;
use crate::images::checkout;

/// Runs it.
pub(super) async fn tour(cluster: &mut Cluster) -> Outcome {
    let file = checkout().join("docs/tour.md");
    let what = format!("reading {}", file.display());
    let text = std::fs::read_to_string(file).map_err(Error::io(what))?;
    let blocks = blocks(&text);
    for block in &blocks {
        cluster.shell(block).await?;
    }
    Ok((Counts::default(), format!("{} blocks", blocks.len())))
}

/// The blocks that are marked `sh`.
fn blocks(text: &str) -> Vec<String> {
    let parts = text.split("```sh\n").skip(1);
    parts.filter_map(|part| Some(part.split_once("\n```")?.0.to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_found() {
        let text = "a\n```sh\none\ntwo\n```\nb\n```yaml\nno: 1\n```\n```sh\nthree\n```\n";
        assert_eq!(blocks(text), ["one\ntwo", "three"]);
    }
}
