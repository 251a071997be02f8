//! Pods whose sidecars are played: each answers a read of its status, always the same, and nothing
//! stands behind it. So hundreds of them fit a test.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use lifeboat_e2e::{PodReport, Reporter, Result, Workload, loopback, until};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// Where the operator asks.
const PORT: u16 = 9464;

/// Sidecars that are open, with an application and no backlog. All clones are one.
#[derive(Clone, Default)]
pub(crate) struct Answering {
    tasks: Arc<Mutex<HashMap<String, JoinHandle<()>>>>,
}

impl Workload for Answering {
    async fn start(&self, pod: &Pod, reporter: &Reporter) -> Result<()> {
        let (address, listener) = until("a port for a sidecar", async || {
            let address = loopback::address();
            let listener = TcpListener::bind((address, PORT)).await;
            // Somebody else on this machine may have the port on every address for a moment.
            listener.map(|listener| (address, listener)).map_err(|error| error.to_string())
        })
        .await?;
        let task = tokio::spawn(answer(listener, status(pod)));
        self.tasks.lock().unwrap().insert(pod.uid().unwrap_or_default(), task);
        reporter.say(&PodReport::ready(address)).await;
        Ok(())
    }

    async fn stop(&self, pod: &Pod) {
        let task = self.tasks.lock().unwrap().remove(&pod.uid().unwrap_or_default());
        task.inspect(JoinHandle::abort);
    }
}

/// What the pod's sidecar says. The id of its volume stays when the pod is another.
fn status(pod: &Pod) -> String {
    let id = pod.name_any().bytes().fold(7_u64, |id, byte| {
        id.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(u64::from(byte))
    });
    json!({
        "version": "0.1.0",
        "bootId": pod.uid(),
        "logId": format!("{id:032x}"),
        "state": "open",
        "durableVolume": true,
        "drained": true,
        "appConnected": true,
        "volume": {"totalBytes": 1 << 30, "usedBytes": 1 << 28},
        "streams": [{"name": "work", "state": "open"}],
    })
    .to_string()
}

async fn answer(listener: TcpListener, body: String) {
    let answer = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\
         connection: close\r\n\r\n{body}",
        body.len()
    );
    loop {
        let Ok((mut stream, _)) = listener.accept().await else { continue };
        // The request is small, and only one kind of it is made.
        let mut request = [0; 1024];
        if stream.read(&mut request).await.is_ok() {
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    }
}
