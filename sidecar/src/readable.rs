//! Frames as people and JSON take them: text where they are text. Pure.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lifeboat_zmtp::frames;
use serde::{Deserialize, Serialize};

/// A frame, in JSON a text or `{"base64": ".."}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Frame {
    /// UTF-8.
    Text(String),
    /// Anything else.
    Bytes {
        /// Its bytes.
        base64: String,
    },
}

impl Frame {
    /// A frame with this body.
    pub fn of(body: &[u8]) -> Self {
        match std::str::from_utf8(body) {
            Ok(text) => Self::Text(text.to_owned()),
            Err(_) => Self::Bytes { base64: STANDARD.encode(body) },
        }
    }

    /// One line for people, without what would move their cursor.
    pub fn line(&self) -> String {
        match self {
            Self::Text(text) => {
                text.chars().map(|c| if c.is_control() { '·' } else { c }).collect()
            }
            Self::Bytes { base64 } => format!("base64:{base64}"),
        }
    }
}

/// The beginning of a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Excerpt {
    /// Bytes of all frames together.
    pub size: u64,
    /// The frames, or those of the beginning.
    pub frames: Vec<Frame>,
    /// Whether there is more.
    pub cut: bool,
}

impl Excerpt {
    /// The first `limit` bytes of a message given as wire bytes. A text is not cut in the middle of
    /// a character.
    pub fn of(wire: &[u8], limit: usize) -> Self {
        let (mut size, mut room, mut cut) = (0, limit, false);
        let mut shown = Vec::new();
        for frame in frames(wire) {
            size += frame.body.len() as u64;
            if cut {
                continue;
            }
            match frame.body.get(..room) {
                Some(head) if head.len() < frame.body.len() => {
                    cut = true;
                    shown.push(Frame::of(whole_characters(head)));
                }
                _ => {
                    room -= frame.body.len();
                    shown.push(Frame::of(frame.body));
                }
            }
        }
        Self { size, frames: shown, cut }
    }

    /// One line for people: frames joined by ` | `.
    pub fn line(&self) -> String {
        let frames: Vec<String> = self.frames.iter().map(Frame::line).collect();
        let end = if self.cut { "…" } else { "" };
        format!("{}{end}", frames.join(" | "))
    }
}

/// `head` without the beginning of a character that its end cuts.
fn whole_characters(head: &[u8]) -> &[u8] {
    match std::str::from_utf8(head) {
        Err(error) if error.error_len().is_none() => &head[..error.valid_up_to()],
        _ => head,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::testing::message as wire;

    #[test]
    fn what_is_no_text_is_base64() {
        let json = serde_json::to_string(&[Frame::of(b"a"), Frame::of(b"\xff\0")]).unwrap();
        assert_eq!(json, r#"["a",{"base64":"/wA="}]"#);
        let back: Vec<Frame> = serde_json::from_str(&json).unwrap();
        assert_eq!(back, [Frame::of(b"a"), Frame::of(b"\xff\0")]);
    }

    #[test]
    fn an_excerpt_ends_between_characters() {
        let wire = wire(&["aé".as_bytes(), b"", "éé".as_bytes()]);
        let all = Excerpt::of(&wire, 7);
        assert_eq!((all.size, all.cut, all.line()), (7, false, "aé |  | éé".to_owned()));
        let some = Excerpt::of(&wire, 6);
        assert_eq!((some.size, some.cut, some.line()), (7, true, "aé |  | é…".to_owned()));
        let none = Excerpt::of(&wire, 0);
        assert_eq!((none.size, none.cut, none.frames), (7, true, vec![Frame::of(b"")]));
        assert_eq!(Excerpt::of(&[], 9).frames, []);
    }

    #[test]
    fn a_line_moves_no_cursor() {
        assert_eq!(Frame::of(b"a\n\x1b[2Jb").line(), "a··[2Jb");
    }
}
