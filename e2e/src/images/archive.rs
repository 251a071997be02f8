//! An image in one file, as `docker save` writes it and every runtime loads it; made without a
//! daemon and without a registry.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::tar::Tar;
use crate::error::{Error, Result};

/// A layer: a tar archive.
pub(super) enum Layer {
    /// In memory.
    Bytes(Vec<u8>),
    /// In a file.
    File(PathBuf),
}

/// What an image says about how it is run, in the words of the OCI image configuration.
#[derive(Debug, Default)]
pub(super) struct Settings {
    /// Program and arguments.
    pub(super) entrypoint: Vec<String>,
    /// `NAME=value`.
    pub(super) env: Vec<String>,
    /// `user:group`, numeric; empty: root.
    pub(super) user: String,
}

/// Writes the archive; it appears under its name when it is whole.
///
/// # Errors
/// `Io`.
pub(super) fn write(
    path: &Path,
    names: &[&str],
    layers: &[Layer],
    settings: &Settings,
) -> Result<()> {
    let unfinished = path.with_extension("part");
    let what = || format!("writing {}", path.display());
    write_to(&unfinished, names, layers, settings).map_err(Error::io(what()))?;
    fs::rename(&unfinished, path).map_err(Error::io(what()))
}

fn write_to(path: &Path, names: &[&str], layers: &[Layer], settings: &Settings) -> io::Result<()> {
    let mut digests = Vec::new();
    for layer in layers {
        digests.push(digest(layer)?);
    }
    let config = config(&digests, settings).to_string();
    let config_name = format!("{}.json", hex(&Sha256::digest(&config)));
    let files: Vec<_> = digests.iter().map(|digest| format!("{digest}.tar")).collect();

    let mut tar = Tar::new(BufWriter::new(File::create(path)?));
    tar.file(&config_name, 0o644, config.as_bytes())?;
    for (layer, name) in layers.iter().zip(&files) {
        match layer {
            Layer::Bytes(bytes) => tar.file(name, 0o644, bytes)?,
            Layer::File(path) => {
                let mut file = File::open(path)?;
                let size = file.metadata()?.len();
                tar.stream(name, 0o644, size, &mut file)?;
            }
        }
    }
    let manifest = json!([{"Config": config_name, "RepoTags": names, "Layers": files}]);
    tar.file("manifest.json", 0o644, manifest.to_string().as_bytes())?;
    tar.finish()?.flush()
}

fn config(digests: &[String], settings: &Settings) -> Value {
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    let digests: Vec<_> = digests.iter().map(|digest| format!("sha256:{digest}")).collect();
    json!({
        "architecture": architecture,
        "os": "linux",
        "config": {
            "Entrypoint": settings.entrypoint,
            "Env": settings.env,
            "User": settings.user,
        },
        "rootfs": {"type": "layers", "diff_ids": digests},
    })
}

fn digest(layer: &Layer) -> io::Result<String> {
    let mut sum = Sum(Sha256::new());
    match layer {
        Layer::Bytes(bytes) => sum.write_all(bytes)?,
        Layer::File(path) => {
            io::copy(&mut File::open(path)?, &mut sum)?;
        }
    }
    Ok(hex(&sum.0.finalize()))
}

/// What is written to it is summed.
struct Sum(Sha256);

impl Write for Sum {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or('0');
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}
