//! Command bodies and the metadata of READY: refused or understood, and ours read back.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lifeboat_zmtp::codec::command::{Command, push_error, push_pong};
use lifeboat_zmtp::codec::frame::frames;
use lifeboat_zmtp::codec::limits::{MAX_IDENTITY, MAX_PING_CONTEXT};
use lifeboat_zmtp::codec::metadata::{Metadata, push_ready};

fuzz_target!(|body: &[u8]| {
    match Command::decode(body) {
        Ok(Command::Ready(data)) => check_metadata(data),
        Ok(Command::Ping { context, .. }) => {
            assert!(context.len() <= MAX_PING_CONTEXT);
            let mut out = Vec::new();
            push_pong(&mut out, context);
            assert_eq!(read_back(&out), Command::Pong);
        }
        Ok(Command::Error(reason)) => {
            let mut out = Vec::new();
            push_error(&mut out, &String::from_utf8_lossy(reason));
            assert!(matches!(read_back(&out), Command::Error(_)));
        }
        Ok(Command::Pong | Command::Other) | Err(_) => {}
    }
    // The metadata alone, so that no command's name has to be found first.
    check_metadata(body);
});

fn check_metadata(data: &[u8]) {
    let Ok(metadata) = Metadata::decode(data) else { return };
    assert!(metadata.identity.len() <= MAX_IDENTITY);
    let mut out = Vec::new();
    push_ready(&mut out, metadata.socket);
    let Command::Ready(data) = read_back(&out) else { panic!("not the READY that was written") };
    assert_eq!(Metadata::decode(data).map(|again| again.socket), Ok(metadata.socket));
}

/// The one command in `wire`.
fn read_back(wire: &[u8]) -> Command<'_> {
    let frame = frames(wire).next().expect("a whole frame");
    assert_eq!(frame.wire.len(), wire.len());
    Command::decode(frame.body).expect("a command of ours")
}
