//! `docs/conf-reference.md` against the schema.

use std::collections::BTreeSet;
use std::path::Path;

use switchboard::conf::reference;
use switchboard::conf::schema::{ROOT, SectionType};

#[test]
fn the_reference_is_what_the_schema_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/conf-reference.md");
    let kept = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        kept == reference(),
        "docs/conf-reference.md is not what the schema says; renew it from the checkout's \
         directory: cargo run -p switchboard -- conf reference > docs/conf-reference.md"
    );
}

#[test]
fn the_reference_has_every_directive() {
    let page = reference();
    let rows: Vec<&str> = page.lines().filter(|line| line.starts_with("| `")).collect();
    let (mut keys, mut headings) = (0, BTreeSet::new());
    fn check(
        section: &'static SectionType,
        page: &str,
        headings: &mut BTreeSet<&'static str>,
    ) -> usize {
        if !section.name.is_empty() {
            assert!(page.contains(&format!("\n## `{}`\n", section.header())), "{}", section.name);
        }
        let keys = if headings.insert(section.name) { section.keys.len() } else { 0 };
        let inner = section.sections.iter().map(|child| check(child.section, page, headings));
        keys + inner.sum::<usize>()
    }
    keys += check(&ROOT, &page, &mut headings);
    assert_eq!(rows.len(), keys);
    assert_eq!(page.matches("\n## ").count(), headings.len());
    assert!(rows.iter().all(|row| row.replace("\\|", "").matches('|').count() == 5), "{rows:#?}");
}

#[test]
fn the_links_of_the_reference_lead_somewhere() {
    let page = reference();
    let headings: Vec<String> =
        page.lines().filter_map(|line| line.strip_prefix("## ")).map(anchor).collect();
    let links: Vec<&str> =
        page.split("](#").skip(1).map(|rest| rest.split(')').next().unwrap_or("")).collect();
    assert!(links.len() > 2 * headings.len(), "{links:?}");
    for link in links {
        assert!(headings.iter().any(|heading| heading == link), "{link} {headings:?}");
    }
}

/// How GitHub names a heading.
fn anchor(heading: &str) -> String {
    let kept: String = heading.chars().filter(|c| !"`<>/".contains(*c)).collect();
    kept.to_lowercase().replace(' ', "-")
}
