//! Text to tree: exactly one YAML document of bounded size, depth and expansion.
//! It must not know any field.

use serde_json::Value;
use serde_saphyr::{MessageFormatter, Options, UserMessageFormatter};

use crate::problem::{Problem, Problems};

/// The largest file that is read, in bytes: what a ConfigMap can hold (1 MiB).
pub const MAX_FILE_SIZE: usize = 1024 * 1024;

/// Deeper than any pod template, and shallow enough for every recursive reader of the tree.
const MAX_DEPTH: usize = 64;
/// What aliases and merge keys may add; a queue that is written by hand needs a few dozen.
const MAX_REPLAYED: usize = 10_000;

/// Reads one YAML document into a tree.
///
/// # Errors
/// One problem, with line and column where there are any, for a file over [`MAX_FILE_SIZE`], an
/// empty file, several documents, a key that stands twice, an unknown tag, aliases that expand
/// without measure, and text that is no YAML.
pub fn parse(yaml: &str) -> Result<Value, Problems> {
    if yaml.len() > MAX_FILE_SIZE {
        let message = format!(
            "the file has {} bytes; expected at most {MAX_FILE_SIZE} (1 MiB, what a ConfigMap holds)",
            yaml.len()
        );
        return Err(Problem::new("", message).into());
    }
    let tree: Value = serde_saphyr::from_str_with_options(yaml, options()).map_err(problem)?;
    if tree.is_null() {
        let message = "the file is empty; expected one PersistentQueue \
                       (apiVersion, kind, metadata and spec)";
        return Err(Problem::new("", message).into());
    }
    Ok(tree)
}

fn options() -> Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! { max_depth: MAX_DEPTH, max_documents: 2 },
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: MAX_REPLAYED },
        reject_unsupported_tags: true,
        with_snippet: false,
    }
}

// By value because `map_err` hands it over so.
#[allow(clippy::needless_pass_by_value)]
fn problem(error: serde_saphyr::Error) -> Problems {
    let path = error
        .location()
        .map(|place| format!("line {}, column {}", place.line(), place.column()))
        .unwrap_or_default();
    let message = match &error {
        serde_saphyr::Error::MultipleDocuments { .. } => {
            "a second YAML document starts here; expected one PersistentQueue a file: \
             split the file at its '---'"
                .to_owned()
        }
        other => format!("this is not valid YAML: {}", UserMessageFormatter.format_message(other)),
    };
    Problem::new(path, message).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(yaml: &str) -> String {
        let problems = parse(yaml).expect_err("must be refused");
        assert_eq!(problems.len(), 1);
        problems.to_string()
    }

    #[test]
    fn a_document_becomes_a_tree() {
        let tree = parse("a: [1, x, true]\nb: {0: z}\n").unwrap();
        assert_eq!(tree, serde_json::json!({"a": [1, "x", true], "b": {"0": "z"}}));
    }

    #[test]
    fn a_leading_marker_is_still_one_document() {
        assert!(parse("---\na: 1\n").is_ok());
        assert!(parse("---\na: 1\n...\n").is_ok());
    }

    #[test]
    fn nothing_is_refused_as_nothing() {
        for empty in ["", "\n\n", "# only a comment\n", "---\n", "null"] {
            assert!(refusal(empty).starts_with("the file is empty"), "{empty:?}");
        }
    }

    #[test]
    fn places_are_named() {
        assert!(refusal("a: 1\na: 2\n").starts_with("line 2, column 1: "));
        assert!(refusal("a: 1\n---\nb: 2\n").contains("second YAML document"));
        assert!(refusal("a: [1\nb: 2\n").starts_with("line "));
        assert!(refusal("a: !secret x\n").starts_with("line 1, column "));
        assert!(refusal("a: *nowhere\n").starts_with("line 1, column "));
    }

    #[test]
    fn a_large_file_is_refused_unread() {
        let yaml = format!("a: \"{}\"\n", "x".repeat(MAX_FILE_SIZE));
        assert!(refusal(&yaml).contains("expected at most 1048576"));
    }

    #[test]
    fn expansion_is_bounded() {
        let level = |level: usize| {
            let below = [format!("*a{}", level - 1).as_str(); 10].join(", ");
            format!("a{level}: &a{level} [{below}]\n")
        };
        let bomb: String = (1..10).map(level).collect();
        let bomb = format!("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n{bomb}");
        assert!(refusal(&bomb).starts_with("line "));
    }

    #[test]
    fn a_plain_repetition_is_bounded_too() {
        let list = format!("a: &a [{}]\n", ["x"; 1_000].join(", "));
        let repeated = |times: usize| format!("{list}b: [{}]\n", vec!["*a"; times].join(", "));
        assert!(parse(&repeated(5)).is_ok());
        assert!(refusal(&repeated(11)).starts_with("line 2, "));
    }

    #[test]
    fn depth_is_bounded() {
        let deep = format!("a: {}{}\n", "[".repeat(200), "]".repeat(200));
        assert!(refusal(&deep).starts_with("line 1, "));
    }
}
