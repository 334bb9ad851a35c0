//! `zope.conf.example` against the schema, and the schema against itself.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use switchboard::conf::Address;
use switchboard::conf::schema::{Fallback, Naming, ROOT, Role, SectionType};
use switchboard_zconfig::{FsLoader, Key, Section, parse};

use crate::support::Instance;

fn example() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../zope.conf.example");
    std::fs::read_to_string(path).expect("zope.conf.example")
}

/// Whether a line of the example is a directive that is off: `#name value`, not `# prose`.
fn is_off(line: &str) -> bool {
    let after = line.trim_start().strip_prefix('#');
    after.is_some_and(|after| !after.is_empty() && !after.starts_with(' '))
}

/// The example with every directive on.
pub(crate) fn all_on() -> String {
    let on = |line: &str| if is_off(line) { line.replacen('#', "", 1) } else { line.into() };
    example().lines().map(|line| on(line) + "\n").collect()
}

#[test]
fn the_example_runs_from_its_directory() {
    let files = [("zope.conf", &*example()), ("examples/demo/index.html", "hi")];
    let settings = Instance::new(&files).load(&[], &[]).expect("a good example");
    assert_eq!(settings.listeners[0].address, Address::Tcp(([127, 0, 0, 1], 8080).into()));
    let names: Vec<_> = settings.websockets.iter().map(|w| w.mount.prefix.as_str()).collect();
    assert_eq!(names, ["/chat", "/echo", "/feed"]);
    assert_eq!(settings.https[0].mount.prefix, "/");
    assert_eq!(settings.plugin_path, [settings.instance_home.join("var/plugins")]);
}

#[test]
fn the_example_runs_with_everything_in_it_on() {
    let files = [("zope.conf", &*all_on()), ("examples/demo/index.html", "hi")];
    let instance = Instance::new(&files);
    instance.load(&[], &[]).unwrap_or_else(|errors| panic!("{errors}"));
}

#[test]
fn the_example_lists_exactly_the_directives_that_there_are() {
    let example = example();
    let instance = Instance::new(&[("zope.conf", &all_on())]);
    let loader = FsLoader::default();
    let tree = parse(&instance.path("zope.conf"), &loader).expect("a good example");
    let mut shown = BTreeMap::new();
    shown_in(&tree.root, "", &mut shown);
    let (mut known, mut samples) = (BTreeMap::new(), Vec::new());
    known_to(&ROOT, "", &mut known, &mut samples);
    let is_inside = |name: &str, path: &str| name.starts_with(path) && name != path;
    let is_sample = |name: &str| samples.iter().any(|path| is_inside(name, path));
    let names: BTreeSet<&String> = shown.keys().filter(|name| !is_sample(name)).collect();
    assert_eq!(names, known.keys().collect());

    let lines: Vec<&str> = example.lines().collect();
    for (name, fallback) in known {
        for key in &shown[&name] {
            let is_off = is_off(lines[key.at.line as usize - 1]);
            match fallback {
                Some(Fallback::Required(_)) | None => {}
                Some(fallback) if is_off => assert_eq!(key.value, fallback.shown(), "{name}"),
                Some(_) => {}
            }
        }
    }
}

/// Every key and section of the example, as `<type> <type> key`.
fn shown_in(section: &Section, path: &str, shown: &mut BTreeMap<String, Vec<Key>>) {
    for key in section.keys() {
        shown.entry(format!("{path}{}", key.key)).or_default().push(key.clone());
    }
    for inner in section.sections() {
        let path = format!("{path}<{}> ", inner.type_name);
        shown.entry(path.clone()).or_default();
        shown_in(inner, &path, shown);
    }
}

/// Every key and section of the schema, likewise; and the sections in which the example shows a
/// key or two of many: those of plugins, and limits that are those of the top once more.
fn known_to(
    section: &SectionType,
    path: &str,
    known: &mut BTreeMap<String, Option<Fallback>>,
    samples: &mut Vec<String>,
) {
    for key in section.keys {
        known.insert(format!("{path}{}", key.name), Some(key.fallback));
    }
    for child in section.sections {
        let path = format!("{path}<{}> ", child.section.name);
        known.insert(path.clone(), None);
        if child.section.free || child.role == Role::Override {
            samples.push(path);
        } else {
            known_to(child.section, &path, known, samples);
        }
    }
}

#[test]
fn the_schema_is_sound() {
    fn check(section: &SectionType) {
        assert!(section.doc.ends_with('.'), "{}", section.name);
        assert!(section.free || !(section.keys.is_empty() && section.sections.is_empty()));
        for key in section.keys {
            assert!(key.doc.ends_with('.'), "{}", key.name);
            assert!(key.kind.check(key.fallback.shown()).is_ok(), "{}", key.name);
            // What stands in place of a secret is a value too, so what is shown is a conf.
            assert!(!key.secret || key.kind.check("(hidden)").is_ok(), "{}", key.name);
        }
        for child in section.sections {
            assert!(section.key(child.section.name).is_none() || section.name == "websocket");
            // Sections without a name are united across layers by their type alone.
            assert!(child.role != Role::Override || child.section.naming == Naming::None);
            check(child.section);
        }
    }
    check(&ROOT);
}
