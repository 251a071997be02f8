//! Runs the `lifeboat` command in a sidecar's container.

use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::{AttachParams, AttachedProcess};
use tokio::io::{AsyncRead, AsyncReadExt};

use super::{Error, Place};
use crate::desired::DATA_DIRECTORY;
use crate::names::SIDECAR;

/// Bytes of an answer; a record shows at most 1 MiB, and nobody reads more than a few.
const MOST: u64 = 64 << 20;

/// What a command printed.
#[derive(Debug)]
pub(super) struct Printed {
    pub(super) out: String,
    pub(super) remarks: String,
}

/// Runs `lifeboat WORDS.. --data DIRECTORY` in `pod`.
pub(super) async fn lifeboat(place: &Place, pod: &str, words: &[String]) -> Result<Printed, Error> {
    let pods: Api<Pod> = Api::namespaced(place.client.clone(), &place.namespace);
    let command = ["lifeboat"].into_iter().chain(words.iter().map(String::as_str));
    let command: Vec<&str> = command.chain(["--data", DATA_DIRECTORY]).collect();
    let parameters = AttachParams::default().container(SIDECAR).stdin(false).stderr(true);
    let failed = |reason: String| Error::Exec { pod: pod.to_owned(), reason };
    let process = pods.exec(pod, command, &parameters).await;
    let mut process = process.map_err(|error| failed(error.to_string()))?;
    let (printed, ended) = finish(&mut process).await.map_err(|error| failed(error.to_string()))?;
    if ended { Ok(printed) } else { Err(failed(reason(&printed))) }
}

/// What it printed, and whether it ended well.
async fn finish(process: &mut AttachedProcess) -> std::io::Result<(Printed, bool)> {
    let (out, remarks) = (process.stdout(), process.stderr());
    let status = process.take_status();
    let status = async {
        match status {
            Some(status) => status.await,
            None => None,
        }
    };
    let (out, remarks, status) = tokio::join!(text(out), text(remarks), status);
    let ended = status.and_then(|status| status.status).is_some_and(|status| status == "Success");
    Ok((Printed { out: out?, remarks: remarks? }, ended))
}

async fn text(from: Option<impl AsyncRead + Unpin>) -> std::io::Result<String> {
    let mut bytes = Vec::new();
    if let Some(from) = from {
        from.take(MOST).read_to_end(&mut bytes).await?;
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The last thing that it said.
fn reason(printed: &Printed) -> String {
    let lines = printed.remarks.lines().chain(printed.out.lines());
    let said = lines.map(str::trim).rfind(|line| !line.is_empty());
    said.unwrap_or("the command failed and said nothing").to_owned()
}
