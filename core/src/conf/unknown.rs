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
        return format!("is a section; write {}", child.section.header());
    }
    if let Some(near) = nearest(name, known.iter().copied()) {
        return format!("unknown key; did you mean '{near}'?");
    }
    let mut homes = Vec::new();
    homes_of(&ROOT, &|section| section.key(name).is_some(), &mut homes);
    if !homes.is_empty() {
        return format!("unknown key here; it belongs {}", listed(&homes, "or"));
    }
    let sections = section.sections.iter().map(|child| child.section.header());
    let sections: Vec<String> = sections.collect();
    match (known.is_empty(), sections.is_empty()) {
        (false, _) => format!("unknown key; known here are {}", listed(&known, "and")),
        (true, true) => "unknown key; this section takes none".into(),
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
    if !homes.is_empty() {
        return format!("unknown section here; it belongs {}", listed(&homes, "or"));
    }
    let known = section.sections.iter().map(|child| format!("<{}>", child.section.name));
    let known: Vec<String> = known.collect();
    match known.is_empty() {
        true => "unknown section; this section takes none".into(),
        false => format!("unknown section; known here are {}", listed(&known, "and")),
    }
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
