//! The admin HTTP of a running queue.

use std::io::{Read, Write};
use std::net::TcpStream;

use lifeboat_sidecar::status::{State, Status};

use crate::support::{Home, Lifeboat};
use crate::{CREDIT, RECEIPTS, Running};

/// GET `path`: the status code and the body.
fn get(admin: &str, path: &str) -> (u16, String) {
    let address = admin.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(crate::support::PATIENCE)).unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

#[test]
fn probes_metrics_and_status_answer() {
    let home = Home::queue(RECEIPTS, CREDIT);
    let process = Lifeboat::start(home.command_with_admin("127.0.0.1:0"));
    let queue = Running { home, process };
    queue.run(&["send", "work.receipts", "a", "b", "c"]).succeeds();
    queue.run(&["receive", "work.workers", "--count", "1"]).succeeds();

    let admin = queue.process.endpoint("admin");
    for probe in ["/livez", "/startupz", "/readyz"] {
        assert_eq!(get(admin, probe), (200, "ok\n".to_owned()), "{probe}");
    }
    let (code, metrics) = get(admin, "/metrics");
    assert_eq!(code, 200);
    for line in [
        "lifeboat_ingress_messages_total{socket=\"receipts\",stream=\"work\"} 3",
        "lifeboat_receipts_total{code=\"200\",socket=\"receipts\",stream=\"work\"} 3",
        "lifeboat_settled_records_total{socket=\"workers\",stream=\"work\"} 1",
        "lifeboat_stream_depth_records{stream=\"work\"} 2",
    ] {
        assert!(metrics.lines().any(|found| found == line), "{line}: {metrics}");
    }
    let (code, status) = get(admin, "/v1/status");
    assert_eq!(code, 200);
    let status: Status = serde_json::from_str(&status).unwrap();
    assert_eq!((status.state, status.streams[0].depth), (State::Open, 2));
    assert_eq!(
        status.streams[0].ingress[0].socket.endpoint,
        queue.process.endpoint("work.receipts")
    );
    assert_eq!(get(admin, "/nothing").0, 404);
}
