//! The scanner over byte streams: however they are cut, they read the same.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panic")]

#[path = "support/pieces.rs"]
mod pieces;

use lifeboat_zmtp::{CloseReason, Limits, Oversize, push_frame};
use pieces::Found;
use proptest::prelude::*;

const MAX: usize = 1000;
const PARTS: u32 = 8;
const PING: &[u8] = b"\x04\x07\x04PING\0\0";

fn limits(oversize: Oversize) -> Limits {
    Limits::DEFAULT.with_max_message_size(MAX as u64).with_max_parts(PARTS).with_oversize(oversize)
}

fn read<'a>(limits: Limits, pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<Found> {
    pieces::read(limits, (MAX, PARTS), 3, pieces)
}

fn whole(limits: Limits, bytes: &[u8]) -> Vec<Found> {
    read(limits, [bytes])
}

fn byte_by_byte(limits: Limits, bytes: &[u8]) -> Vec<Found> {
    read(limits, bytes.chunks(1))
}

fn frame(more: bool, size: usize) -> Vec<u8> {
    let mut out = Vec::new();
    push_frame(&mut out, more, &vec![7; size]);
    out
}

fn announce(flags: u8, size: u64) -> Vec<u8> {
    [&[flags][..], &size.to_be_bytes()].concat()
}

#[test]
fn short_long_and_multipart_messages_end_where_they_end() {
    let messages = [
        frame(false, 0),
        frame(false, 255),
        frame(false, 256),
        [frame(true, 0), frame(true, 300), frame(false, 1)].concat(),
        // The long form of a small size is legal.
        [announce(2, 1), vec![9]].concat(),
    ];
    let expected: Vec<_> = messages.iter().cloned().map(Found::Message).collect();
    assert_eq!(whole(limits(Oversize::Close), &messages.concat()), expected);
    assert_eq!(byte_by_byte(limits(Oversize::Close), &messages.concat()), expected);
}

#[test]
fn limits_hold_at_the_header_and_good_messages_before_still_count() {
    let good = frame(false, 3);
    let full_parts = frame(true, 0).repeat(PARTS as usize);
    for (bad, reason) in [
        (announce(2, 1 << 40), CloseReason::FrameTooLarge),
        (announce(2, 1 << 63), CloseReason::FrameTooLarge),
        (announce(2, u64::MAX), CloseReason::FrameTooLarge),
        (announce(2, MAX as u64 + 1), CloseReason::FrameTooLarge),
        ([frame(true, 600), announce(2, 401)].concat(), CloseReason::MessageTooLarge),
        ([full_parts, vec![0, 0]].concat(), CloseReason::TooManyParts),
        (vec![8, 0], CloseReason::ReservedBits),
        (vec![0x84, 0], CloseReason::ReservedBits),
        (vec![5, 0], CloseReason::BadCommand),
        (announce(6, 1 << 40), CloseReason::BadCommand),
    ] {
        let bytes = [&good[..], &bad].concat();
        let expected = [Found::Message(good.clone()), Found::Refused(reason)];
        assert_eq!(whole(limits(Oversize::Close), &bytes), expected, "{bad:?}");
        assert_eq!(byte_by_byte(limits(Oversize::Close), &bytes), expected, "{bad:?}");
    }
}

#[test]
fn exactly_at_the_limits_is_fine() {
    let largest = [frame(true, 600), frame(false, MAX - 600)].concat();
    let most = [frame(true, 0).repeat(PARTS as usize - 1), frame(false, 0)].concat();
    let expected = [Found::Message(largest.clone()), Found::Message(most.clone())];
    assert_eq!(whole(limits(Oversize::Close), &[largest, most].concat()), expected);
}

#[test]
fn an_oversize_message_is_skipped_in_order_and_keeps_its_head() {
    let envelope = [frame(true, 4), frame(true, 0)].concat();
    let (before, after) = (frame(false, 1), frame(false, 2));
    let oversize =
        [&envelope[..], &frame(true, MAX), PING, &frame(true, 10), &frame(false, MAX)].concat();
    let bytes = [&before[..], &oversize, &after].concat();
    let expected = [
        Found::Message(before),
        Found::TooLarge(envelope),
        Found::Command(PING.to_vec()),
        Found::Message(after),
    ];
    assert_eq!(whole(limits(Oversize::Skip), &bytes), expected);
    assert_eq!(byte_by_byte(limits(Oversize::Skip), &bytes), expected);
}

#[test]
fn skipping_ends_at_the_hard_cap_and_at_the_part_limit() {
    let over = announce(2, 4 * MAX as u64 + 1);
    assert_eq!(whole(limits(Oversize::Skip), &over), [Found::Refused(CloseReason::FrameTooLarge)]);
    let grown = frame(true, 4 * MAX);
    assert_eq!(
        whole(limits(Oversize::Skip), &[&grown[..], &[0, 1]].concat()),
        [Found::TooLarge(Vec::new()), Found::Refused(CloseReason::MessageTooLarge)]
    );
    let endless = [frame(true, MAX + 1), frame(true, 0).repeat(PARTS as usize)].concat();
    assert_eq!(
        whole(limits(Oversize::Skip), &endless),
        [Found::TooLarge(Vec::new()), Found::Refused(CloseReason::TooManyParts)]
    );
}

#[test]
fn a_ping_between_two_frames_leaves_the_message_whole() {
    let (first, last) = (frame(true, 300), frame(false, 5));
    let bytes = [&first[..], PING, &last].concat();
    let expected = [Found::Command(PING.to_vec()), Found::Message([first, last].concat())];
    assert_eq!(whole(limits(Oversize::Close), &bytes), expected);
    assert_eq!(byte_by_byte(limits(Oversize::Close), &bytes), expected);
}

#[test]
fn commands_inside_one_message_cannot_make_us_move_bytes_for_ever() {
    let bytes = [frame(true, MAX), PING.repeat(100)].concat();
    let found = whole(limits(Oversize::Close), &bytes);
    assert_eq!(found.last(), Some(&Found::Refused(CloseReason::BadCommand)));
    let small = [frame(true, 1), PING.repeat(100), frame(false, 1)].concat();
    assert_eq!(whole(limits(Oversize::Close), &small).len(), 101);
}

/// Traffic with all kinds of frames, good and bad.
fn traffic() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        8 => (any::<bool>(), 0usize..400).prop_map(|(more, size)| frame(more, size)),
        2 => Just(PING.to_vec()),
        1 => (any::<bool>(), 900usize..5000).prop_map(|(more, size)| frame(more, size)),
        1 => prop::collection::vec(any::<u8>(), 0..12),
    ];
    prop::collection::vec(piece, 0..30).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn any_split_reads_like_the_whole(
        bytes in traffic(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
        skip: bool,
    ) {
        let limits = limits(if skip { Oversize::Skip } else { Oversize::Close });
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        cuts.push(bytes.len());
        cuts.sort_unstable();
        let starts = std::iter::once(0).chain(cuts.iter().copied());
        let pieces = starts.zip(&cuts).map(|(start, &end)| &bytes[start..end]);
        prop_assert_eq!(read(limits, pieces), whole(limits, &bytes));
    }

    #[test]
    fn random_bytes_never_panic_and_never_ask_for_more_than_the_limits(
        bytes in prop::collection::vec(any::<u8>(), 0..2000),
        skip: bool,
    ) {
        // `drain` asserts the bound on what is asked for.
        whole(limits(if skip { Oversize::Skip } else { Oversize::Close }), &bytes);
    }
}
