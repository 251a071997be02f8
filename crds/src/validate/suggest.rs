//! What a user may have meant. It must not decide what is valid.

/// How near a name must be (Jaro-Winkler, 1 is the same) to be suggested.
const NEAR: f64 = 0.87;
/// Longer names are nobody's typing error.
const LONGEST: usize = 64;

/// `; did you mean NAME?` for the nearest of `names`, empty where none is near.
pub(crate) fn did_you_mean(text: &str, names: &[&str]) -> String {
    if text.len() > LONGEST {
        return String::new();
    }
    let text = simple(text);
    let distance = |name: &&str| strsim::jaro_winkler(&text, &simple(name));
    let rated = names.iter().map(|name| (distance(name), name));
    let nearest = rated.filter(|(near, _)| *near >= NEAR).max_by(|a, b| a.0.total_cmp(&b.0));
    nearest.map_or_else(String::new, |(_, name)| format!("; did you mean {name}?"))
}

/// `PULL, ROUTER or SUB`.
pub(crate) fn one_of(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [most @ .., last] => format!("{} or {last}", most.join(", ")),
    }
}

/// Without case and joints: `max_message_size` is `maxMessageSize`.
fn simple(name: &str) -> String {
    name.chars().filter(|c| !matches!(c, '_' | '-')).map(|c| c.to_ascii_lowercase()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_are_suggested() {
        let names = ["name", "socket", "maxMessageSize", "maxConnections"];
        assert_eq!(did_you_mean("max_message_size", &names), "; did you mean maxMessageSize?");
        assert_eq!(did_you_mean("sockt", &names), "; did you mean socket?");
        assert_eq!(did_you_mean("Name", &names), "; did you mean name?");
        assert_eq!(did_you_mean("volume", &names), "");
        assert_eq!(did_you_mean(&"name".repeat(100), &names), "");
    }

    #[test]
    fn lists_read_as_a_sentence() {
        assert_eq!(one_of(&["a"]), "a");
        assert_eq!(one_of(&["a", "b", "c"]), "a, b or c");
    }
}
