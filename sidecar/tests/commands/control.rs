//! The control socket as such: what it does with requests that are none.

use lifeboat_sidecar::control::{self, Code, Verb};

use crate::support::{ask, ask_raw};
use crate::{CREDIT, PULL, Running};

#[test]
fn a_request_that_is_not_understood_is_answered_and_harms_nobody() {
    let queue = Running::start(PULL, CREDIT);
    let data = queue.home.data();
    let code = |request: &str| ask_raw(&data, request).unwrap_err().code;
    assert_eq!(code("GET / HTTP/1.1"), Code::BadRequest);
    assert_eq!(code(r#"{"version":99,"verb":"status"}"#), Code::Version);
    assert_eq!(code(&"x".repeat(100_000)), Code::BadRequest);
    let unknown = ask_raw(&data, r#"{"version":1,"verb":"explode"}"#).unwrap_err();
    assert_eq!(unknown.code, Code::UnknownVerb);
    assert!(unknown.text.contains("status"), "{unknown}");
    let status = ask(&data, Verb::Status).unwrap();
    assert_eq!(status["name"], "q");
    let mode = std::fs::metadata(control::path_in(&data)).unwrap().permissions();
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&mode) & 0o777, 0o600);
}
