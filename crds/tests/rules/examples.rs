//! Whole queues: those of `examples/` can be applied as they are, and so can queues that use what
//! later versions do.

use std::path::Path;

use lifeboat_api::parse;
use lifeboat_api::queue::PersistentQueue;

use crate::api_server::ApiServer;

#[test]
fn every_example_can_be_applied() {
    let server = ApiServer::new();
    let mut seen = 0;
    for dir in ["../examples", "tests/rules/examples"] {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join(dir);
        for path in std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()) {
            if path.extension().is_none_or(|end| end != "yaml") {
                continue;
            }
            let queue = parse(&std::fs::read_to_string(&path).unwrap()).unwrap();
            assert_eq!(server.refusals(&queue, None), [""; 0], "{}", path.display());
            serde_json::from_value::<PersistentQueue>(queue).unwrap();
            seen += 1;
        }
    }
    assert!(seen >= 6, "only {seen} examples found");
}
