//! The project's Dockerfiles, built without Docker: they start from nothing, copy one program and
//! say how it is run. What they say beyond that is an error, not ignored.

use std::fs;
use std::path::Path;

use super::archive::{Layer, Settings};
use super::tar::Tar;
use crate::error::{Error, Result};

/// The layer and settings that a Dockerfile describes; it copies from `context`.
///
/// # Errors
/// `Dockerfile` with the line that is not understood, `Io`.
pub(super) fn build(dockerfile: &Path, context: &Path) -> Result<(Layer, Settings)> {
    let read =
        |path: &Path| fs::read(path).map_err(Error::io(format!("reading {}", path.display())));
    let text = String::from_utf8_lossy(&read(dockerfile)?).replace("\\\n", " ");
    let mut settings = Settings::default();
    let mut tar = Tar::new(Vec::new());
    let full = |_| Error::Dockerfile(format!("{}: a name is too long", dockerfile.display()));
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let unknown = || Error::Dockerfile(format!("{}: {line}", dockerfile.display()));
        let (instruction, rest) = line.split_once(' ').ok_or_else(unknown)?;
        match (instruction, rest.split_whitespace().collect::<Vec<_>>().as_slice()) {
            ("FROM", ["scratch"]) | ("LABEL", _) => {}
            ("ENV", [variable]) => settings.env.push((*variable).to_owned()),
            ("USER", [user]) => (*user).clone_into(&mut settings.user),
            ("COPY", [from, to]) if to.starts_with('/') => {
                let to = to.trim_start_matches('/');
                for (at, _) in to.match_indices('/') {
                    tar.directory(&to[..at], 0o755).map_err(full)?;
                }
                tar.file(to, 0o755, &read(&context.join(from))?).map_err(full)?;
            }
            ("ENTRYPOINT", _) => {
                settings.entrypoint = serde_json::from_str(rest).map_err(|_| unknown())?;
            }
            _ => return Err(unknown()),
        }
    }
    let layer = tar.finish().map_err(Error::io("ending a layer"))?;
    Ok((Layer::Bytes(layer), settings))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_of_the_project_are_understood() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let context = tempfile::tempdir().unwrap();
        let (path, data) = ("PATH=/usr/local/bin", "LIFEBOAT_DATA=/var/lib/lifeboat/data");
        let sidecar = ("sidecar", "lifeboat", vec![path, data]);
        let operator = ("operator", "lifeboat-operator", vec![path]);
        for (image, program, env) in [sidecar, operator] {
            fs::write(context.path().join(program), "binary").unwrap();
            let (_, settings) =
                build(&root.join(image).join("Dockerfile"), context.path()).unwrap();
            assert_eq!(settings.entrypoint, [format!("/usr/local/bin/{program}")]);
            assert_eq!(settings.env, env);
            assert_eq!(settings.user, "65532:65532");
        }
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("Dockerfile");
        for line in ["RUN make", "FROM debian", "COPY a b c", "ENTRYPOINT lifeboat", "USER"] {
            fs::write(&file, format!("# a comment\n{line}\n")).unwrap();
            let refused = build(&file, directory.path());
            assert!(
                matches!(refused, Err(Error::Dockerfile(why)) if why.ends_with(line)),
                "{line}"
            );
        }
    }
}
