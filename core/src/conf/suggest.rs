//! "Did you mean ...?"

/// The known word that `found` is probably a slip of.
pub(super) fn nearest<'w>(found: &str, known: impl Iterator<Item = &'w str>) -> Option<&'w str> {
    let far = 1 + found.chars().count() / 4;
    let distance = |word: &&str| strsim::osa_distance(found, word);
    known.min_by_key(distance).filter(|word| distance(word) <= far)
}

/// `a, b and c`
pub(crate) fn listed<T: AsRef<str>>(words: &[T], last: &str) -> String {
    match words {
        [] => String::new(),
        [word] => word.as_ref().into(),
        [first @ .., word] => {
            let first: Vec<&str> = first.iter().map(AsRef::as_ref).collect();
            format!("{} {last} {}", first.join(", "), word.as_ref())
        }
    }
}

/// `<websocket /chat>`, and `<http / >`: with `/>` at its end it would be an empty section.
pub(crate) fn header(kind: &str, name: &str) -> String {
    let blank = if name.ends_with('/') { " " } else { "" };
    format!("<{kind} {name}{blank}>")
}

/// `there is a`, `there are a and b`
pub(super) fn there_is<T: AsRef<str>>(words: &[T]) -> String {
    let verb = if words.len() == 1 { "is" } else { "are" };
    format!("there {verb} {}", listed(words, "and"))
}

#[cfg(test)]
mod tests {
    use super::{listed, nearest, there_is};

    #[test]
    fn slips_find_their_word() {
        let known = ["max-message-size", "max-frame-size", "listener", "host", "http"];
        let cases = [
            ("max-mesage-size", Some("max-message-size")),
            ("max_message_size", Some("max-message-size")),
            ("lisetner", Some("listener")),
            ("hots", Some("host")),
            ("colour", None),
        ];
        for (found, expected) in cases {
            assert_eq!(nearest(found, known.into_iter()), expected, "{found}");
        }
    }

    #[test]
    fn lists_read_like_sentences() {
        assert_eq!(listed(&["a", "b", "c"], "or"), "a, b or c");
        assert_eq!(listed(&["a"], "or"), "a");
        assert_eq!(listed::<&str>(&[], "or"), "");
        assert_eq!(there_is(&["a"]), "there is a");
        assert_eq!(there_is(&["a", "b"]), "there are a and b");
    }
}
