//! `switchboard conf show` and `conf reference`, as commands. What they say is tested in
//! `core/tests/conf`.

use std::process::{Command, Output, Stdio};

use crate::support::Home;

const CONF: &str = "<listener main>\n  address 0\n</listener>\n";

fn switchboard(home: &Home, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_switchboard"));
    command.current_dir(home.path()).args(arguments).env("SWITCHBOARD__STOP_TIMEOUT", "2s");
    command
}

fn run(home: &Home, arguments: &[&str]) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = switchboard(home, arguments).output().unwrap();
    (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

#[test]
fn a_conf_is_shown_with_all_its_layers() {
    let home = Home::new();
    home.write("zope.conf", CONF.as_bytes());
    let (status, out, err) = run(&home, &["conf", "show", "-X", "worker-threads=3", "--origin"]);
    assert_eq!((status, err.as_str()), (Some(0), ""));
    for part in [
        "# -X worker-threads\nworker-threads 3\n",
        "# environment SWITCHBOARD__STOP_TIMEOUT\nstop-timeout 2s\n",
        "  # zope.conf:2\n  address 0\n",
    ] {
        assert!(out.contains(part), "{part}\n{out}");
    }
    let (status, json, _) = run(&home, &["conf", "show", "-c", "zope.conf", "--json"]);
    assert_eq!(status, Some(0));
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["sections"][0]["name"], "main");
}

#[test]
fn a_conf_with_errors_is_not_shown_but_what_is_wrong_with_it() {
    let home = Home::new();
    home.write("zope.conf", b"debgu-mode on\n<listener main>\n</listener>\n");
    let check = run(&home, &["check"]);
    assert_eq!((check.0, check.1.as_str()), (Some(78), ""));
    assert!(check.2.contains("did you mean 'debug-mode'?"), "{}", check.2);
    assert_eq!(run(&home, &["conf", "show"]), check);
    assert_eq!(run(&home, &["conf", "show", "--json"]), check);
}

#[test]
fn whoever_closes_the_pipe_is_not_an_error() {
    let home = Home::new();
    home.write("zope.conf", CONF.as_bytes());
    for arguments in [["conf", "show"], ["conf", "reference"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = switchboard(&home, &arguments);
        let output = command.stdout(writer).stderr(Stdio::piped()).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), said.as_str()), (Some(0), ""), "{arguments:?}");
    }
}

#[test]
fn what_could_not_be_written_is_an_error() {
    let home = Home::new();
    home.write("zope.conf", CONF.as_bytes());
    for arguments in [["conf", "show"], ["explain", "/"]] {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let output = switchboard(&home, &arguments).stdout(full).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        assert!(said.starts_with("switchboard: No space left on device"), "{said}");
    }
}

#[test]
fn the_reference_goes_to_standard_output() {
    let (status, out, err) = run(&Home::new(), &["conf", "reference"]);
    assert_eq!((status, err.as_str()), (Some(0), ""));
    assert_eq!(out, switchboard::conf::reference());
}
