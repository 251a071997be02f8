//! Frames in place: never beyond the bytes, and what was pushed reads back.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lifeboat_zmtp::{frames, push_frame};

fuzz_target!(|wire: &[u8]| {
    let mut written = Vec::new();
    let mut end = 0;
    for frame in frames(wire) {
        assert_eq!(&wire[end..end + frame.wire.len()], frame.wire, "frames follow each other");
        end += frame.wire.len();
        assert!(frame.wire.ends_with(frame.body));
        push_frame(&mut written, frame.more, frame.body);
    }
    assert!(end <= wire.len());
    let again = frames(&written).map(|frame| (frame.more, frame.body));
    assert!(again.eq(frames(wire).map(|frame| (frame.more, frame.body))));
});
