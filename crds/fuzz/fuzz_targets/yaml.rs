//! A queue's file: no text makes the parser or the validation panic, every problem is one line, and
//! what the walk lets pass the types take.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lifeboat_api::{parse, validate_dataplane};

fuzz_target!(|text: &str| {
    let Ok(tree) = parse(text) else { return };
    let first = validate_dataplane(&tree);
    assert_eq!(first, validate_dataplane(&tree));
    match first {
        Ok(_) => {
            // JSON is YAML: the same tree, written otherwise, is the same queue.
            let again = parse(&tree.to_string()).expect("JSON of a parsed tree");
            assert_eq!(validate_dataplane(&again), first);
        }
        Err(problems) => {
            assert!(!problems.is_empty());
            let text = problems.to_string();
            assert_eq!(text.lines().count(), problems.len(), "{text}");
            assert!(!text.contains("please report it"), "{text}");
        }
    }
});
