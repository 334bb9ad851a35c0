//! Plugins as an operator meets them: built, dropped in, loaded once, and refused with a reason.

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::Signal;

use crate::fixtures::{compile, conf, install, install_probe, mode};
use crate::support::{Client, Home, Host, echo_conf};

/// The checkout.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Builds the example as its README says, but into the home.
fn build_example(home: &Home) -> PathBuf {
    let readme = fs::read_to_string(root().join("examples/plugin-c/README.md")).unwrap();
    let line = readme.lines().find(|line| line.starts_with("cc ")).expect("it says how");
    let output = "-o examples/plugin-c/libupper.so";
    assert!(line.contains(output), "{line}");
    let file = install(home, "libupper.so", b"");
    let line = line.replace(output, &format!("-o '{}'", file.display()));
    let status = Command::new("sh").args(["-c", &line]).current_dir(root()).status().unwrap();
    assert!(status.success(), "{line}");
    file
}

#[test]
fn the_example_in_c_is_served_after_four_lines_and_a_restart() {
    let source = fs::read_to_string(root().join("examples/plugin-c/upper.c")).unwrap();
    assert!(source.lines().count() <= 60, "the example has {} lines", source.lines().count());
    let program = || {
        let file = fs::metadata(env!("CARGO_BIN_EXE_switchboard")).unwrap();
        (file.ino(), file.mtime(), file.mtime_nsec())
    };
    let built = program();

    let before = echo_conf("") + "plugin-path plugins\n";
    let mut host = Host::start(&before);
    let addr = host.addr("main");
    assert_eq!(Client::connect(&addr).upgrade("/upper", &[]).status, 404);
    assert!(host.stop().success());

    let home = host.into_home();
    build_example(&home);
    let example = fs::read_to_string(root().join("examples/plugin-c/zope.conf")).unwrap();
    let lines: Vec<_> = example.lines().collect();
    let four = lines[lines.len() - 4..].join("\n");
    assert!(four.starts_with("<websocket /upper>\n"), "{four}");

    let host = Host::start_in(home, &format!("{before}{four}\n"));
    let addr = host.addr("main");
    let mut ws = Client::ws(&addr, "/upper");
    ws.text("grüße");
    ws.expect_text("7 GRüßE");
    ws.binary(b"abc");
    ws.expect_binary(b"3 abc");
    ws.close(1000, "");
    ws.expect_close(1000);
    Client::ws(&addr, "/echo").echo("the others are served as before");
    assert_eq!(program(), built, "the host was rebuilt");
}

/// The private copies that a host has mapped.
fn mapped(host: &Host) -> HashSet<String> {
    let maps = fs::read_to_string(format!("/proc/{}/maps", host.pid())).unwrap();
    let paths = maps.lines().filter_map(|line| line.find('/').map(|at| line[at..].to_owned()));
    paths.filter(|path| path.contains("/var/run/plugins/")).collect()
}

fn section(prefix: &str, plugin: &str, greeting: &str) -> String {
    format!(
        "<websocket {prefix}>\n<plugin {plugin}>\n<config>\ngreeting {greeting}\n</config>\n\
         </plugin>\n</websocket>\n"
    )
}

fn ask(host: &Host, path: &str, command: &str) -> String {
    let mut ws = Client::ws(&host.addr("main"), path);
    ws.text(command);
    match ws.next() {
        crate::support::Event::Text(answer) => answer,
        other => panic!("{command}: {other:?}"),
    }
}

#[test]
fn two_sections_are_two_instances_of_one_mapping() {
    let home = Home::new();
    install_probe(&home, "probe");
    // Another file of the same content.
    install_probe(&home, "twin");
    let sections = [
        section("/a", "probe", "hello"),
        section("/b", "probe", "good day"),
        section("/c", "twin", "twins"),
    ];
    let host = Host::start_in(home, &conf(&sections.concat()));
    for (path, greeting) in [("/a", "hello"), ("/b", "good day"), ("/c", "twins")] {
        assert_eq!(ask(&host, path, "setting"), greeting);
    }
    for (path, count) in [("/a", "1"), ("/a", "2"), ("/b", "1"), ("/a", "3"), ("/c", "1")] {
        assert_eq!(ask(&host, path, "count"), count, "{path}");
    }
    let mapped = mapped(&host);
    assert_eq!(mapped.len(), 1, "{mapped:?}");
    // A debugger finds it there.
    assert!(mapped.iter().all(|path| Path::new(path).exists()), "{mapped:?}");
}

#[test]
fn two_plugins_are_two_mappings() {
    let home = Home::new();
    install_probe(&home, "probe");
    build_example(&home);
    let upper = "<websocket /upper>\n<plugin upper/>\n</websocket>\n";
    let host = Host::start_in(home, &conf(&format!("{upper}{}", section("/a", "probe", "x"))));
    assert_eq!(mapped(&host).len(), 2);
}

/// The status of `switchboard check`, and what it says to a person who has to mend something.
fn check(conf: &Path) -> (Option<i32>, String) {
    let mut check = Command::new(env!("CARGO_BIN_EXE_switchboard"));
    let output = check.args(["check", "-c"]).arg(conf).output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

/// `switchboard check` and `switchboard serve` name place, plugin, file and cause.
#[track_caller]
fn refused(home: Home, plugin: &str, causes: &[&str]) {
    let text = conf(&format!("<websocket /bad>\n<plugin {plugin}/>\n</websocket>"));
    let line = text.lines().position(|line| line.starts_with("<plugin ")).unwrap() + 1;
    let file = home.write("zope.conf", text.replace("@PLUGINS@", "elsewhere").as_bytes());
    let place = format!("{}:{line}: <plugin {plugin}>: ", file.display());

    let (checked_status, checked) = check(&file);
    let (status, said) = Host::fails_in(home, &text.replace("@PLUGINS@", "elsewhere"));
    assert_eq!(checked_status, Some(78), "{checked}");
    assert_eq!(status.code(), Some(1), "{said}");
    for said in [&checked, &said] {
        assert!(said.contains(&place), "{said}\ndoes not name {place}");
        for cause in causes {
            assert!(said.contains(cause), "{said}\ndoes not say {cause}");
        }
    }
}

/// A home with a fixture in it, which is refused for this reason.
#[track_caller]
fn fixture_refused(name: &str, cause: &str) {
    let home = Home::new();
    let file = compile(&home, name);
    refused(home, name, &[file.to_str().unwrap(), cause]);
}

#[test]
fn a_plugin_that_is_not_there_is_refused_with_where_it_was_looked_for() {
    let home = Home::new();
    let looked = |place: &str| home.join(place).display().to_string();
    let places = ["elsewhere/libabsent.so", "plugins/libabsent.so", "plugins/absent.so"];
    let places = places.map(looked);
    let causes = [r#"there is no plugin "absent""#, &places[0], &places[1], &places[2]];
    refused(home, "absent", &causes);
}

#[test]
fn a_file_that_is_no_library_is_refused() {
    let home = Home::new();
    let file = install(&home, "notes.so", b"remember the milk\n");
    refused(home, "notes", &[file.to_str().unwrap(), "is not a shared library"]);
}

#[test]
fn a_library_that_is_no_plugin_is_refused() {
    fixture_refused("no_plugin", "is a shared library but not a Switchboard plugin");
}

#[test]
fn a_plugin_of_a_future_abi_is_refused() {
    fixture_refused("future_abi", "was made for plugin ABI 7, this host speaks 1");
}

#[test]
fn a_plugin_that_crashes_while_loading_is_refused() {
    fixture_refused("crash_on_load", "killed by SIGSEGV while loading");
}

/// Takes as long as the limit is, twice.
#[test]
fn a_plugin_that_hangs_while_loading_is_refused() {
    fixture_refused("hang_on_load", "did not finish loading in 10s");
}

#[test]
fn a_plugin_that_lacks_a_symbol_is_refused() {
    fixture_refused("undefined_symbol", "undefined symbol: nobody_has_this");
}

#[test]
fn a_plugin_that_everybody_may_write_is_refused() {
    let home = Home::new();
    let file = compile(&home, "good");
    mode(&file, 0o666);
    refused(home, "good", &[file.to_str().unwrap(), "everybody may write"]);
}

#[test]
fn a_plugin_that_refuses_its_settings_says_why() {
    let home = Home::new();
    install_probe(&home, "probe");
    let text = conf(&section("/a", "probe", "hello").replace("greeting", "colour"));
    let line = text.lines().position(|line| line.starts_with("<plugin ")).unwrap() + 1;
    let file = home.write("zope.conf", text.replace("@PLUGINS@", "elsewhere").as_bytes());
    let (checked_status, checked) = check(&file);
    let (status, said) = Host::fails_in(home, &text);
    assert_eq!((checked_status, status.code()), (Some(78), Some(1)), "{checked}");
    let sentence = format!(":{line}: <plugin probe>: create() failed: unknown key colour in");
    for said in [checked, said] {
        assert!(said.contains(&sentence), "{said}");
    }
}

#[test]
fn a_check_makes_an_instance_in_a_child_and_starts_nothing() {
    let home = Home::new();
    compile(&home, "in_create");
    #[rustfmt::skip]
    let table = [
        // Its start() aborts: nobody calls it.
        ("well yes",          None),
        // There is a host to call, without connections.
        ("send word",         None),
        ("refuse in words",   Some("create() failed: not in words")),
        ("nothing at-all",    Some("create() failed: ")),
        ("crash now",         Some("killed by SIGSEGV in create()")),
        ("exit now",          Some("ended the process (exit status: 3) in create(); a plugin must")),
        ("crash-later yes",   Some("killed by SIGSEGV in destroy()")),
    ];
    for (setting, expected) in table {
        let text = conf(&section("/a", "in_create", "x").replace("greeting x", setting));
        let file = home.write("zope.conf", text.replace("@PLUGINS@", "elsewhere").as_bytes());
        let (status, said) = check(&file);
        assert_eq!(status, Some(if expected.is_some() { 78 } else { 0 }), "{setting}: {said}");
        let sentence = expected.map(|expected| format!("<plugin in_create>: {expected}"));
        assert!(said.contains(&sentence.unwrap_or_default()), "{setting}: {said}");
    }
}

#[test]
fn one_check_names_every_bad_plugin() {
    let home = Home::new();
    compile(&home, "no_plugin");
    install_probe(&home, "probe");
    let sections = ["no_plugin", "probe", "absent"].map(|name| {
        let prefix = name.replace('_', "-");
        format!("<websocket /{prefix}>\n<plugin {name}/>\n</websocket>\n")
    });
    let text = conf(&sections.concat()).replace("@PLUGINS@", "elsewhere");
    let file = home.write("zope.conf", text.as_bytes());
    let (_, said) = check(&file);
    let (warnings, lines): (Vec<_>, Vec<_>) =
        said.lines().partition(|line| line.starts_with("warning: "));
    assert_eq!((warnings.len(), lines.len()), (1, 2), "{said}");
    assert!(warnings[0].contains("plugin-path: there is no directory"), "{said}");
    assert!(lines[0].contains("<plugin no_plugin>") && lines[1].contains("<plugin absent>"));
}

/// The directories of private copies below a home.
fn private(home: &Path) -> HashSet<PathBuf> {
    let entries = fs::read_dir(home.join("var/run/plugins")).unwrap();
    entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()).collect()
}

#[test]
fn what_a_killed_host_left_is_swept_by_the_next() {
    let home = Home::new();
    install_probe(&home, "probe");
    let text = conf(&section("/a", "probe", "hello"));
    let mut host = Host::start_in(home, &text);
    let left = private(host.dir());
    assert_eq!(left.len(), 1);
    host.signal(Signal::KILL);
    host.wait();
    assert_eq!(private(host.dir()), left, "a killed host cannot tidy up");

    let mut host = Host::start_in(host.into_home(), &text);
    let own = private(host.dir());
    assert_eq!(own.len(), 1);
    assert!(own.is_disjoint(&left), "{left:?} is still there");
    assert_eq!(ask(&host, "/a", "setting"), "hello");
    assert!(host.stop().success());
    assert_eq!(private(host.dir()), HashSet::new(), "a host that ends well tidies up");
}
