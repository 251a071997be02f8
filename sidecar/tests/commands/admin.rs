//! The admin HTTP of a running queue.

use lifeboat_sidecar::status::{State, Status};

use crate::support::{Home, Lifeboat};
use crate::{CREDIT, RECEIPTS, Running};

#[test]
fn probes_metrics_and_status_answer() {
    let home = Home::queue(RECEIPTS, CREDIT);
    let process = Lifeboat::start(home.command_with_admin("127.0.0.1:0"));
    let queue = Running { home, process };
    queue.run(&["send", "work.receipts", "a", "b", "c"]).succeeds();
    queue.run(&["receive", "work.workers", "--count", "1"]).succeeds();

    let get = |path| queue.process.probe(path);
    for probe in ["/livez", "/startupz", "/readyz"] {
        assert_eq!(get(probe), (200, "ok\n".to_owned()), "{probe}");
    }
    let (code, metrics) = get("/metrics");
    assert_eq!(code, 200);
    for line in [
        "lifeboat_ingress_messages_total{socket=\"receipts\",stream=\"work\"} 3",
        "lifeboat_receipts_total{code=\"200\",socket=\"receipts\",stream=\"work\"} 3",
        "lifeboat_settled_records_total{socket=\"workers\",stream=\"work\"} 1",
        "lifeboat_stream_depth_records{stream=\"work\"} 2",
    ] {
        assert!(metrics.lines().any(|found| found == line), "{line}: {metrics}");
    }
    let (code, status) = get("/v1/status");
    assert_eq!(code, 200);
    let status: Status = serde_json::from_str(&status).unwrap();
    assert_eq!((status.state, status.streams[0].depth), (State::Open, 2));
    assert_eq!((status.totals.depth, status.drained), (2, false));
    let bytes = status.totals.bytes;
    assert!((1..4096).contains(&bytes), "two small records take {bytes} bytes");
    let volume = status.volume.unwrap();
    assert_eq!(volume.total_bytes, volume.used_bytes + volume.free_bytes);
    let oldest = status.totals.oldest_time.unwrap();
    assert!(oldest.starts_with("20") && oldest.ends_with('Z'), "{oldest}");
    assert_eq!(
        status.streams[0].ingress[0].socket.endpoint,
        queue.process.endpoint("work.receipts")
    );
    assert_eq!(get("/nothing").0, 404);
}
