//! What to say about a key or section that is not known where it stands.

use super::schema::{ROOT, Role, SectionType};
use super::suggest::{listed, nearest};

/// About a key that `section` does not take.
pub(super) fn key(section: &SectionType, role: Role, name: &str) -> String {
    if section.key(name).is_some() {
        return format!("holds for the whole host; set it in the <{}> at the top", section.name);
    }
    let known = section.keys.iter().filter(|key| role.takes(key));
    let known: Vec<&str> = known.map(|key| key.name).collect();
    if let Some(child) = section.child(name) {
        let (begin, end) = (child.section.header(), child.section.name);
        return format!("is a section; write {begin} and </{end}>, each on a line of its own");
    }
    let (word, _) = name.split_once(['=', ':']).unwrap_or((name, ""));
    if word != name && known.contains(&word) {
        return format!("only a blank stands between a key and its value; write '{word} VALUE'");
    }
    if let Some(near) = nearest(name, known.iter().copied()) {
        return format!("unknown key; did you mean '{near}'?");
    }
    let homes = homes_of_key(name);
    if !homes.is_empty() {
        let few = if (1..4).contains(&known.len()) {
            format!("; {}", known_here(&known))
        } else {
            String::new()
        };
        return format!("unknown key here; it belongs {}{few}", listed(&homes, "or"));
    }
    let sections = section.sections.iter().map(|child| child.section.header());
    let sections: Vec<String> = sections.collect();
    match (known.is_empty(), sections.is_empty()) {
        (false, _) => format!("unknown key; {}", known_here(&known)),
        (true, true) => "unknown key; this section takes none".into(),
        (true, false) if section.sections.iter().all(|child| child.section.free) => {
            let kind = section.sections[0].section.name;
            format!("unknown key; settings stand between <{kind}> and </{kind}> in this section")
        }
        (true, false) => {
            let sections = listed(&sections, "and");
            format!("unknown key; this section takes none, but it may have {sections}")
        }
    }
}

/// About a section that may not stand in `section`.
pub(super) fn section(section: &SectionType, found: &str) -> String {
    let known = section.sections.iter().map(|child| child.section.name);
    if let Some(near) = nearest(found, known) {
        return format!("unknown section; did you mean <{near}>?");
    }
    let mut homes = Vec::new();
    homes_of(&ROOT, &|section| section.child(found).is_some(), &mut homes);
    if section.key(found).is_some() {
        return match &homes[..] {
            [] => format!("is a key; write '{found} VALUE'"),
            homes => {
                let homes = listed(homes, "or");
                format!("is a key here, '{found} VALUE'; the section belongs {homes}")
            }
        };
    }
    if !homes.is_empty() {
        return format!("unknown section here; it belongs {}", listed(&homes, "or"));
    }
    let known = section.sections.iter().map(|child| format!("<{}>", child.section.name));
    let known: Vec<String> = known.collect();
    match known.is_empty() {
        true => "unknown section; this section takes none".into(),
        false => format!("unknown section; {}", known_here(&known)),
    }
}

/// Where a key of that name may stand, as `in <limits>`.
pub(super) fn homes_of_key(name: &str) -> Vec<String> {
    let mut homes = Vec::new();
    homes_of(&ROOT, &|section| section.key(name).is_some(), &mut homes);
    homes
}

/// `known here are a and b`
fn known_here<T: AsRef<str>>(words: &[T]) -> String {
    let verb = if words.len() == 1 { "is" } else { "are" };
    format!("known here {verb} {}", listed(words, "and"))
}

/// All sections that `has`, as `in <limits>`.
fn homes_of(
    section: &'static SectionType,
    has: &dyn Fn(&SectionType) -> bool,
    homes: &mut Vec<String>,
) {
    let header = match section.name {
        "" => "at the top level".into(),
        _ => format!("in {}", section.header()),
    };
    if has(section) && !homes.contains(&header) {
        homes.push(header);
    }
    for child in section.sections {
        homes_of(child.section, has, homes);
    }
}
