//! The CRD as a YAML file, `crds/persistentqueues.yaml`. It must not depend on anything but the
//! types, so that the file is the same wherever it is made.

use kube::CustomResourceExt;
use serde_json::Value;

use super::PersistentQueue;

const HEADER: &str = "\
# The PersistentQueue resource. Made from the types in crds/src, do not edit:
#   cargo run -p lifeboat-api --features kube --example crd >crds/persistentqueues.yaml";

/// Columns of the file; longer texts are folded.
const WIDTH: usize = 100;

/// What YAML 1.1, which Kubernetes reads, takes for something else than a text.
const WORDS: [&str; 9] = ["y", "yes", "n", "no", "on", "off", "true", "false", "null"];

/// The text of `crds/persistentqueues.yaml`.
///
/// # Errors
/// None that depends on an input; a test makes the file.
pub fn manifest() -> Result<String, serde_json::Error> {
    let crd = serde_json::to_value(PersistentQueue::crd())?;
    let mut text = HEADER.to_owned();
    write(&mut text, &crd, 0);
    text.push('\n');
    Ok(text)
}

/// `value`, behind `name:` or `-`: on the same line, or on lines of its own at `depth`.
fn write(out: &mut String, value: &Value, depth: usize) {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            for (name, value) in fields {
                new_line(out, depth);
                out.push_str(&scalar(name));
                out.push(':');
                write(out, value, depth + 1);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for item in items {
                let mut inside = String::new();
                write(&mut inside, item, depth + 1);
                new_line(out, depth);
                out.push_str("- ");
                out.push_str(inside.trim_start());
            }
        }
        Value::String(text) if folds(text, depth) => {
            out.push_str(" >-");
            fold(out, text, depth);
        }
        Value::String(text) => {
            out.push(' ');
            out.push_str(&scalar(text));
        }
        other => {
            out.push(' ');
            out.push_str(&plain(other));
        }
    }
}

fn new_line(out: &mut String, depth: usize) {
    out.push('\n');
    out.push_str(&"  ".repeat(depth));
}

/// Whether `text` is too long for a line and comes back unchanged from being folded.
fn folds(text: &str, depth: usize) -> bool {
    let single = text.split(' ').all(|word| !word.is_empty()) && !text.contains(char::is_control);
    single && text.len() + 2 * depth > WIDTH - 20
}

/// Lines of words, which a reader joins with a space.
fn fold(out: &mut String, text: &str, depth: usize) {
    let mut column = WIDTH;
    for word in text.split(' ') {
        if column + 1 + word.len() > WIDTH {
            new_line(out, depth);
            column = 2 * depth;
        } else {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += word.len();
    }
}

/// A text on one line, in quotes where it could be taken for something else.
fn scalar(text: &str) -> String {
    let letter = text.starts_with(|c: char| c.is_ascii_alphabetic());
    let safe = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'/');
    let word = WORDS.contains(&text.to_ascii_lowercase().as_str());
    if letter && !word && text.bytes().all(safe) {
        return text.to_owned();
    }
    // A JSON text is a YAML text in double quotes.
    Value::from(text).to_string()
}

/// Numbers, booleans, and what is empty. Whole numbers that the API's types hold as floats are
/// written as whole numbers.
fn plain(value: &Value) -> String {
    match value.as_f64() {
        Some(number) if value.is_f64() && number.fract() == 0.0 => format!("{number:.0}"),
        _ => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_written_is_read_back() {
        let long = "word: 'quoted' # no comment ".repeat(9);
        let tree = json!({
            "a": {"b": [1, "on", "x", {"c": true, "d": [[1], {}, []]}], "e": {}},
            "text": long.trim(),
            "list": [long.trim(), {"first": long.trim()}],
            "hard": ["", " x", "a  b", "- a", "#", "1", "~", "a: b", "\u{e4}\n\"", "null", "Yes"],
            "y": "-",
        });
        let mut text = String::new();
        write(&mut text, &tree, 0);
        assert_eq!(crate::parse(&text).unwrap(), tree, "{text}");
        assert!(text.lines().all(|line| line.len() <= WIDTH), "{text}");
    }

    #[test]
    fn floats_are_whole_where_they_can_be() {
        let mut text = String::new();
        write(&mut text, &json!([64.0, 0.5, 7]), 0);
        assert_eq!(text, "\n- 64\n- 0.5\n- 7");
    }
}
