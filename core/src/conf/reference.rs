//! The table of directives as a page for people, in Markdown: `docs/conf-reference.md`.

use std::fmt::Write as _;

use super::schema::{Child, Fallback, Key, Kind, Naming, ROOT, Role, SectionType};
use super::suggest::listed;

const HEAD: &str = "\
# The directives of a conf

Every section and every key of `zope.conf`, as the host knows them.
`zope.conf.example` shows each in a file that runs; [the grammar](conf-grammar.md) says how lines are \
written, and [what sizes, times, addresses and other values look like](conf-grammar.md#values).
[`switchboard conf show`](conf-grammar.md#what-holds) prints a conf with all that holds.

A key stands once, unless it may be repeated.
A default that is computed follows from other keys; the value beside it is that of a conf which does \
not touch those.
";

const FOOT: &str = "
---

Written by `switchboard conf reference`.
";

/// The page.
#[must_use]
pub fn reference() -> String {
    let mut page = HEAD.to_owned();
    page.push('\n');
    contents(&mut page, &ROOT, 0);
    let mut known: Vec<&SectionType> = Vec::new();
    sections(&ROOT, &mut known);
    for section in known {
        describe(&mut page, section);
    }
    page + FOOT
}

/// A list of what may stand where.
fn contents(page: &mut String, section: &SectionType, depth: usize) {
    let indent = "  ".repeat(depth);
    put(page, format_args!("{indent}- {}: {}\n", link(section), uncapitalized(section.doc)));
    for child in section.sections {
        contents(page, child.section, depth + 1);
    }
}

/// `section` and all in it, each once.
fn sections(section: &'static SectionType, known: &mut Vec<&'static SectionType>) {
    if known.iter().any(|one| std::ptr::eq(*one, section)) {
        return;
    }
    known.push(section);
    for child in section.sections {
        sections(child.section, known);
    }
}

fn describe(page: &mut String, section: &'static SectionType) {
    put(page, format_args!("\n## {}\n\n{}\n", title(section), escaped(section.doc)));
    let mut around = Vec::new();
    parents(&ROOT, section, &mut around);
    for (parent, child) in around {
        put(page, format_args!("{}\n", standing(parent, child)));
    }
    if section.free {
        page.push_str(FREE);
    }
    if !section.keys.is_empty() {
        page.push_str("\n| key | value | default | |\n|---|---|---|---|\n");
    }
    for key in section.keys {
        row(page, key);
    }
}

const FREE: &str = "\
It takes any key, any number of times and with its case; what they mean is for the endpoint to say.
[`switchboard conf show`](conf-grammar.md#what-holds) hides a value if its key says that it is a \
secret, as `password`, `api-key` and `accessToken` do.
";

/// Each section that `section` may stand in.
fn parents<'s>(
    here: &'s SectionType,
    section: &SectionType,
    found: &mut Vec<(&'s SectionType, &'s Child)>,
) {
    for child in here.sections {
        let is_known = found.iter().any(|(known, _)| std::ptr::eq(*known, here));
        if std::ptr::eq(child.section, section) && !is_known {
            found.push((here, child));
        }
        parents(child.section, section, found);
    }
}

/// Where it stands, and how many of it.
fn standing(parent: &SectionType, child: &Child) -> String {
    let place =
        if parent.name.is_empty() { "at the top".into() } else { format!("in {}", link(parent)) };
    let count = match (child.role, child.section.naming) {
        (Role::Endpoint, _) => {
            return format!("It stands {place} and says who answers: {}.", one_of(parent));
        }
        (Role::Switch, _) => "at most once; without it there is none of this".into(),
        (Role::Override, _) => {
            format!(
                "at most once; its keys stand over those of the {} at the top",
                title(child.section)
            )
        }
        (Role::Part, Naming::None) => "at most once".to_owned(),
        (Role::Part, Naming::Name) => {
            "any number of times, each with another name, in any case".into()
        }
        (Role::Part, Naming::CasedName) => "any number of times, each with another name".into(),
        (Role::Part, Naming::UrlPrefix) => {
            "any number of times; a prefix may come again for other hosts or listeners".into()
        }
    };
    format!("It stands {place}, {count}.")
}

/// How many of the sections that may answer in `parent` are there.
fn one_of(parent: &SectionType) -> String {
    let kinds = parent.sections.iter().filter(|child| child.role == Role::Endpoint);
    let links: Vec<String> = kinds.map(|child| link(child.section)).collect();
    match &links[..] {
        [_] => "exactly once".into(),
        links => format!("exactly one of {}", listed(links, "and")),
    }
}

fn row(page: &mut String, key: &Key) {
    let mut value = words(key.kind);
    let default = match key.fallback {
        Fallback::Default(text) => format!("`{text}`"),
        Fallback::Computed(text) => format!("computed, `{text}`"),
        Fallback::Off(_) => "none".into(),
        Fallback::Required(_) => "must be given".into(),
    };
    if let Fallback::Off(text) | Fallback::Required(text) = key.fallback {
        put(&mut value, format_args!(", as `{text}`"));
    }
    if key.many {
        value.push_str("; may be repeated");
    }
    let mut doc = escaped(key.doc);
    if key.top_only {
        doc.push_str(" Only at the top.");
    }
    if key.secret {
        doc.push_str(" `switchboard conf show` hides it.");
    }
    if let Some(instead) = key.deprecated {
        put(&mut doc, format_args!(" **Deprecated:** write {instead} instead."));
    }
    put(page, format_args!("| `{}` | {value} | {default} | {doc} |\n", key.name));
}

/// What the values of a datatype are.
fn words(kind: Kind) -> String {
    match kind {
        Kind::Whole(least, most) => return format!("a number from {least} to {most}"),
        Kind::Path => "a path",
        Kind::Boolean => "`on` or `off`",
        Kind::ByteSize => "a size above 0",
        Kind::ByteSizeOrZero => "a size",
        Kind::Compression => "`off`, `shared` or `dedicated`",
        Kind::Window => "a power of two from `256` to `32KB`",
        Kind::Time => "a time above 0",
        Kind::TimeOrZero => "a time",
        Kind::Mode => "an octal mode",
        Kind::Level => "a log level",
        Kind::Address => "an address to listen on",
        Kind::Host => "a host",
        Kind::Name => "a name",
        Kind::Origin => "`same`, `*` or an origin",
        Kind::Subprotocol => "a subprotocol",
        Kind::HeaderValue => "the value of a header",
        Kind::FileName => "the name of a file",
        Kind::Url => "a URL",
        Kind::Words => "a text",
        Kind::PassedHeader => "the name of a header",
    }
    .into()
}

fn title(section: &SectionType) -> String {
    if section.name.is_empty() { "At the top".into() } else { format!("`{}`", section.header()) }
}

fn link(section: &SectionType) -> String {
    let title = title(section);
    format!("[{title}](#{})", anchor(&title))
}

/// What a heading is reached by, as GitHub makes it.
fn anchor(title: &str) -> String {
    let kept = title.chars().filter(|c| c.is_alphanumeric() || " -".contains(*c));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

/// A sentence in which nothing is markup.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        if "<>*_|`\\".contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// A sentence behind a colon.
fn uncapitalized(text: &str) -> String {
    let mut rest = text.chars();
    let first: String = rest.next().into_iter().flat_map(char::to_lowercase).collect();
    escaped(&(first + rest.as_str()))
}

fn put(out: &mut String, text: std::fmt::Arguments<'_>) {
    // A String takes everything.
    let _ = out.write_fmt(text);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_says_all_that_a_key_may_be() {
        let mut page = String::new();
        let key = Key::new("pin", Kind::Whole(1, 9), Fallback::Off("7"));
        row(&mut page, &key.many().top_only().secret().deprecated("'token'").doc("A | <b>."));
        let expected = "| `pin` | a number from 1 to 9, as `7`; may be repeated | none | A \\| \\<b\\>. \
                        Only at the top. `switchboard conf show` hides it. **Deprecated:** write \
                        'token' instead. |\n";
        assert_eq!(page, expected);
    }
}
