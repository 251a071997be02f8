//! Images of the project and of the tests' application, made from this checkout and Debian's
//! packages. They lie in the cache as archives; nothing is pushed or pulled.

mod archive;
mod dockerfile;
mod tar;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use archive::{Layer, Settings};
use tar::Tar;

use crate::error::{Error, Result};
use crate::{tool, tools};

/// The application of the tests: python3 and pyzmq, with the programs of `e2e/app`.
pub const APP: &str = "lifeboat.test/app:1";
/// Images that examples name. The application of the tests stands in for them.
const STAND_INS: [&str; 5] = [
    "docker.io/shop/worker:1.4",
    "docker.io/shop/payments:1.0",
    "docker.io/shop/sender:1.0",
    "docker.io/shop/reader:1.0",
    "docker.io/shop/rep-worker:1.0",
];
/// Programs that the project ships: package, binary, its image.
const SHIPPED: [(&str, &str, &str); 2] = [
    ("sidecar", "lifeboat", "ghcr.io/lifeboat-dev/lifeboat"),
    ("operator", "lifeboat-operator", "ghcr.io/lifeboat-dev/lifeboat-operator"),
];
/// What the application's image is made of.
const APP_PACKAGES: &str = "python3-minimal,python3-zmq";
/// The release of Debian that they come from.
const DEBIAN: &str = "bookworm";

/// Builds what has changed and writes an archive of each image; answers their paths.
///
/// # Errors
/// `Failed` where a build fails, `Io`.
pub fn build() -> Result<Vec<PathBuf>> {
    let root = checkout();
    let directory = tools::cache().join("images");
    fs::create_dir_all(&directory).map_err(Error::io("making a directory for images"))?;
    let programs = programs(&root)?;
    let mut archives = Vec::new();
    for (package, program, image) in SHIPPED {
        let (layer, settings) =
            dockerfile::build(&root.join(package).join("Dockerfile"), &programs)?;
        let path = directory.join(format!("{program}.tar"));
        let name = format!("{image}:{}", env!("CARGO_PKG_VERSION"));
        archive::write(&path, &[&name], &[layer], &settings)?;
        archives.push(path);
    }
    archives.push(app(&root, &directory)?);
    Ok(archives)
}

/// Where [`build`] has put the archives.
pub fn archives() -> [PathBuf; 3] {
    let directory = tools::cache().join("images");
    ["lifeboat.tar", "lifeboat-operator.tar", "app.tar"].map(|name| directory.join(name))
}

/// A static busybox that sleeps: all that a pod's first container has to do.
///
/// # Errors
/// `Io`: Debian's busybox-static is not installed.
pub(crate) fn pause(name: &str, path: &Path) -> Result<()> {
    let busybox = fs::read("/bin/busybox").map_err(Error::io("reading /bin/busybox"))?;
    let mut tar = Tar::new(Vec::new());
    let layer = tar
        .directory("bin", 0o755)
        .and_then(|()| tar.file("bin/busybox", 0o755, &busybox))
        .and_then(|()| tar.finish())
        .map_err(Error::io("writing the pause image"))?;
    let entrypoint = ["/bin/busybox", "sleep", "2147483647"].map(str::to_owned).to_vec();
    let settings = Settings { entrypoint, ..Settings::default() };
    archive::write(path, &[name], &[Layer::Bytes(layer)], &settings)
}

/// Where the workspace is.
pub(crate) fn checkout() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Builds static programs; answers the directory that they are in. They differ from those of a
/// release in one thing: they are not optimised across crates, which takes longer than the tests.
fn programs(root: &Path) -> Result<PathBuf> {
    let target = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let mut command = Command::new("cargo");
    command
        .current_dir(root)
        .args(["build", "--release", "--locked", "--target", &target])
        .env("RUSTFLAGS", "-C target-feature=+crt-static")
        .env("CARGO_PROFILE_RELEASE_LTO", "off")
        .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16")
        .env("CARGO_PROFILE_RELEASE_DEBUG", "0")
        .stderr(Stdio::inherit());
    for (package, program, _) in SHIPPED {
        command.args(["-p", &format!("lifeboat-{package}"), "--bin", program]);
    }
    tool::finish(command)?;
    let built =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    Ok(root.join(built).join(target).join("release"))
}

/// Debian with Python, made once, and a layer of the tests' own programs.
fn app(root: &Path, directory: &Path) -> Result<PathBuf> {
    let debian = directory.join(format!("{DEBIAN}-python-zmq.tar"));
    if !debian.exists() {
        let unfinished = directory.join("unfinished.tar");
        let include = format!("--include={APP_PACKAGES}");
        let arguments = ["--quiet", "--variant=essential", &include, DEBIAN];
        let mut command = Command::new("mmdebstrap");
        command.args(arguments).arg(&unfinished);
        tool::finish(command)?;
        fs::rename(&unfinished, &debian).map_err(Error::io("keeping an image's layer"))?;
    }
    let failed = || Error::io("making the application's image");
    let mut tar = Tar::new(Vec::new());
    tar.directory("app", 0o755).map_err(failed())?;
    let mut programs: Vec<_> = fs::read_dir(root.join("e2e/app"))
        .map_err(failed())?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()
        .map_err(failed())?;
    programs.sort();
    for program in programs {
        let name = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let contents = fs::read(&program).map_err(failed())?;
        tar.file(&format!("app/{name}"), 0o755, &contents).map_err(failed())?;
    }
    let layer = tar.finish().map_err(failed())?;
    let settings = Settings {
        entrypoint: ["python3", "-u", "/app/idle.py"].map(str::to_owned).to_vec(),
        env: vec!["PATH=/usr/bin:/bin".to_owned(), "PYTHONDONTWRITEBYTECODE=1".to_owned()],
        user: "10001:10001".to_owned(),
    };
    let path = directory.join("app.tar");
    let names: Vec<_> = std::iter::once(APP).chain(STAND_INS).collect();
    archive::write(&path, &names, &[Layer::File(debian), Layer::Bytes(layer)], &settings)?;
    Ok(path)
}
