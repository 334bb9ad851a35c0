//! Which rooms, names and texts there may be.

/// The room of a path below the prefix: `""` is the lobby, `/tea` is "tea". `None`: there is none.
pub(crate) fn room(path: &str) -> Option<&str> {
    let room = path.strip_prefix('/').unwrap_or(path);
    if room.is_empty() {
        return Some("lobby");
    }
    let valid = room.chars().count() <= ROOM_CHARS_MAX
        && !room.contains(|c: char| c == '/' || c.is_control());
    valid.then_some(room)
}

/// The topic in which a room meets. `None`: its name would be too long for one.
pub(crate) fn topic(route: &str, room: &str) -> Option<String> {
    let topic = format!("chat:{route}:{room}");
    (topic.len() <= TOPIC_BYTES_MAX).then_some(topic)
}

/// The name as it will be known. An error is a sentence for the client.
pub(crate) fn name(wish: &str, chars_max: usize) -> Result<&str, String> {
    let name = wish.trim();
    if name.is_empty() {
        Err("the name is empty".to_owned())
    } else if name.chars().count() > chars_max {
        Err(format!("the name is longer than {chars_max} characters"))
    } else if name.contains(char::is_control) {
        Err("the name contains control characters".to_owned())
    } else {
        Ok(name)
    }
}

/// What is unique in a room: Ann and ann are one.
pub(crate) fn key(name: &str) -> String {
    name.to_lowercase()
}

/// An error is a sentence for the client.
pub(crate) fn text(text: &str, chars_max: usize) -> Result<&str, String> {
    if text.trim().is_empty() {
        Err("the text is empty".to_owned())
    } else if text.chars().count() > chars_max {
        Err(format!("the text is longer than {chars_max} characters"))
    } else {
        Ok(text)
    }
}

/// Another name like the one that is taken: ann, ann-2, ann-3 ...
pub(crate) fn suggestion(taken: &str, chars_max: usize) -> String {
    let counted = taken.rsplit_once('-').and_then(|(base, number)| {
        let number = number.parse::<u16>().ok().filter(|number| *number >= 2)?;
        Some((base, u32::from(number) + 1))
    });
    let (base, number) = counted.unwrap_or((taken, 2));
    let suffix = format!("-{number}");
    let room_for_base = chars_max.saturating_sub(suffix.len());
    base.chars().take(room_for_base).chain(suffix.chars()).collect()
}

const ROOM_CHARS_MAX: usize = 64;

/// topics.h: "A topic's name is 1 to 255 bytes of UTF-8".
const TOPIC_BYTES_MAX: usize = 255;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rooms_come_from_paths() {
        let longest = format!("/{}", "ö".repeat(64));
        let too_long = format!("/{}", "ö".repeat(65));
        let table = [
            ("", Some("lobby")),
            ("/", Some("lobby")),
            ("/lobby", Some("lobby")),
            ("/Tea & cake", Some("Tea & cake")),
            (&longest, Some(&longest[1..])),
            (&too_long, None),
            ("/a/b", None),
            ("//", None),
            ("/a\n", None),
        ];
        for (path, expected) in table {
            assert_eq!(room(path), expected, "{path:?}");
        }
    }

    #[test]
    fn a_topic_carries_route_and_room_and_has_an_end() {
        assert_eq!(topic("/chat", "lobby").as_deref(), Some("chat:/chat:lobby"));
        assert_eq!(topic("/chat", &"\u{1f375}".repeat(64)), None);
    }

    #[test]
    fn names_are_trimmed_and_checked() {
        let table = [
            (" ann ", Ok("ann")),
            ("Zoë Ä", Ok("Zoë Ä")),
            ("ëëëëë", Ok("ëëëëë")),
            ("123456", Err("the name is longer than 5 characters")),
            ("  ", Err("the name is empty")),
            ("a\u{7}b", Err("the name contains control characters")),
        ];
        for (wish, expected) in table {
            assert_eq!(name(wish, 5).map_err(|_| ()), expected.map_err(|_| ()), "{wish:?}");
            assert_eq!(name(wish, 5).err().as_deref(), expected.err(), "{wish:?}");
        }
    }

    #[test]
    fn names_are_unique_without_their_case() {
        assert_eq!(key("Ännchen"), key("äNNCHEN"));
    }

    #[test]
    fn texts_are_checked_but_not_changed() {
        assert_eq!(text(" hi ", 4), Ok(" hi "));
        assert_eq!(text("öööö", 4), Ok("öööö"));
        assert!(text("ööööö", 4).is_err_and(|reason| reason.contains("longer than 4")));
        assert!(text(" \n", 4).is_err());
    }

    #[test]
    fn a_suggestion_counts_on_and_fits() {
        let table = [
            ("ann", 32, "ann-2"),
            ("ann-2", 32, "ann-3"),
            ("ann-9", 32, "ann-10"),
            ("ann-1", 32, "ann-1-2"),
            ("ann-", 32, "ann--2"),
            ("zoë zoë", 7, "zoë z-2"),
            ("ann-99999", 9, "ann-999-2"),
        ];
        for (taken, chars_max, expected) in table {
            assert_eq!(suggestion(taken, chars_max), expected);
            assert!(suggestion(taken, chars_max).chars().count() <= chars_max);
        }
    }
}
