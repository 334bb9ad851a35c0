//! `switchboard check`, and here of programs. What it says of confs alone stands in the table of
//! wrong confs.

mod beside;
mod users;

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::Command;

use crate::support::{Home, conf};

/// Status and what is said, of a conf with this in `<external>`, whose lines begin at 1.
fn check(home: &Home, keys: &str) -> (Option<i32>, String) {
    let external = format!("<websocket /feed>\n<external>\n{keys}\n</external>\n</websocket>\n");
    let text = format!("{external}{}", conf("")).replace("@PLUGINS@", ".");
    let file = home.write("zope.conf", text.as_bytes());
    check_conf(&file)
}

/// The same of a file, with its directory cut from what is said.
fn check_conf(file: &Path) -> (Option<i32>, String) {
    let mut check = Command::new(env!("CARGO_BIN_EXE_switchboard"));
    let output = check.args(["check", "-c"]).arg(file).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    let directory = format!("{}/", file.parent().unwrap().display());
    (output.status.code(), said.replace(&directory, ""))
}

#[test]
fn a_program_that_cannot_be_started_is_named_with_its_line() {
    let home = Home::new();
    home.write("bin-feed", b"no program");
    let at = "zope.conf:3: <websocket /feed> <external> program: ";
    let cases = [
        ("program sh -c true", Some(0), ""),
        ("program /bin/sh", Some(0), ""),
        ("program bin/nothere --quiet", Some(78), "bin/nothere: not found\n"),
        ("program ./bin-feed", Some(78), "bin-feed: not executable\n"),
        (
            "program no-such-program",
            Some(78),
            "no-such-program: not found in the PATH; a program below instancehome has a '/' in \
             it: ./no-such-program\n",
        ),
    ];
    for (keys, status, said) in cases {
        let said = if said.is_empty() { String::new() } else { format!("{at}{said}") };
        assert_eq!(check(&home, keys), (status, said), "{keys}");
    }
}

#[test]
fn a_socket_whose_directory_is_not_there_is_a_warning() {
    let home = Home::new();
    let warning = "warning: zope.conf:3: <websocket /feed> <external> socket: there is no \
                   socket feed.sock yet\n";
    assert_eq!(check(&home, "socket feed.sock"), (Some(0), warning.into()));
    let warning = "warning: zope.conf:3: <websocket /feed> <external> socket: there is no \
                   directory run\n";
    assert_eq!(check(&home, "socket run/feed.sock"), (Some(0), warning.into()));
}

#[test]
fn a_variable_that_is_no_text_harms_only_who_asks_for_it() {
    let home = Home::new();
    let said = "zope.conf:1: no replacement for '$(LATIN)'";
    for (text, status, said) in [("", Some(0), ""), ("clienthome $(LATIN)\n", Some(78), said)] {
        home.write("zope.conf", (text.to_owned() + &conf("")).as_bytes());
        let mut check = Command::new(env!("CARGO_BIN_EXE_switchboard"));
        check.arg("check").current_dir(home.path()).env("LATIN", OsStr::from_bytes(b"caf\xe9"));
        let output = check.output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), status, "{stderr}");
        assert!(stderr.starts_with(said), "{stderr}");
    }
}
