//! Where the programs of Kubernetes lie. `e2e/build` puts them there, from the same list.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::error::{Error, Result};
use crate::tool;

/// The list that `e2e/build` reads: name, version, set, module and package on each line.
const LIST: &str = include_str!("../tools.txt");

/// A program that `e2e/build` can make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tool {
    /// Its command name.
    pub name: &'static str,
    /// Its version, with a leading `v`.
    pub version: &'static str,
    /// What `e2e/build` has to be asked for.
    pub set: &'static str,
}

/// All of them, in the list's order.
pub fn all() -> impl Iterator<Item = Tool> {
    LIST.lines().filter(|line| !line.starts_with('#')).filter_map(|line| {
        let mut fields = line.split_whitespace();
        Some(Tool { name: fields.next()?, version: fields.next()?, set: fields.next()? })
    })
}

/// The path of the named program, in `${LIFEBOAT_CI_CACHE:-$HOME/.cache/lifeboat-ci}/bin`.
///
/// # Errors
/// `UnknownTool` or `MissingTool`.
pub fn path(name: &str) -> Result<PathBuf> {
    let tool =
        all().find(|tool| tool.name == name).ok_or_else(|| Error::UnknownTool(name.to_owned()))?;
    let path = cache().join("bin").join(format!("{}-{}", tool.name, tool.version));
    if path.is_file() {
        Ok(path)
    } else {
        Err(Error::MissingTool { path, set: tool.set.to_owned() })
    }
}

/// Builds what is missing of these sets.
///
/// # Errors
/// `Failed`, `Io`.
pub fn build(sets: &[&str]) -> Result<()> {
    let mut command = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("build"));
    command.args(sets).stderr(Stdio::inherit());
    tool::finish(command).map(|_| ())
}

/// A directory where `kubectl` and `helm` have no version in their names.
///
/// # Errors
/// `MissingTool`, `Io`.
pub fn links() -> Result<PathBuf> {
    let directory = cache().join("links");
    std::fs::create_dir_all(&directory).map_err(Error::io("linking tools"))?;
    for tool in ["kubectl", "helm"] {
        let link = directory.join(tool);
        // What is there may be another version's.
        let _none = std::fs::remove_file(&link);
        std::os::unix::fs::symlink(path(tool)?, &link).map_err(Error::io("linking tools"))?;
    }
    Ok(directory)
}

/// Where what is slow to make is kept.
pub(crate) fn cache() -> PathBuf {
    env::var_os("LIFEBOAT_CI_CACHE").map_or_else(
        || PathBuf::from(env::var_os("HOME").unwrap_or_default()).join(".cache/lifeboat-ci"),
        PathBuf::from,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_has_what_a_control_plane_needs() {
        let control: Vec<_> =
            all().filter(|tool| tool.set == "control").map(|tool| tool.name).collect();
        assert_eq!(
            control,
            ["etcd", "helm", "kube-apiserver", "kube-controller-manager", "kubectl"]
        );
        assert!(all().all(|tool| tool.version.starts_with('v')));
    }

    #[test]
    fn a_name_that_is_not_listed_is_no_tool() {
        assert!(matches!(path("docker"), Err(Error::UnknownTool(name)) if name == "docker"));
    }
}
