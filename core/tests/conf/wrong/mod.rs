//! Confs that are wrong, each with the messages that it gets.

mod admin;
mod datatypes;
mod grammar;
mod limits;
mod names;
mod prefixes;
mod twice;
mod values;
mod websockets;

use switchboard::conf::render;

use crate::support::{Instance, LISTENER};

/// Confs between lines of dashes, each with its messages. A good listener stands on lines 1 to 3
/// before each.
fn check(cases: &str) {
    for case in cases.split("\n----\n") {
        let (expected, text): (Vec<&str>, Vec<&str>) =
            case.trim().lines().partition(|line| line.starts_with("=> "));
        let text = format!("{LISTENER}{}\n", text.join("\n"));
        let instance = Instance::new(&[("zope.conf", &text)]);
        let expected: Vec<&str> = expected.iter().map(|line| &line[3..]).collect();
        assert_eq!(instance.errors(&[], &[]), expected, "\n{text}");
    }
}

#[test]
fn there_are_many_ways_to_be_wrong() {
    let tables = [
        datatypes::CASES,
        admin::CASES,
        grammar::CASES,
        limits::CASES,
        names::CASES,
        prefixes::CASES,
        twice::CASES,
        values::CASES,
        websockets::CASES,
    ];
    let cases: usize = tables.map(|cases| cases.split("\n----\n").count()).iter().sum();
    assert!(cases >= 60, "{cases}");
}

#[test]
fn a_control_socket_has_a_place_of_its_own() {
    check(admin::CASES);
}

#[test]
fn what_nobody_knows_is_told_what_is_known() {
    check(names::CASES);
}

#[test]
fn what_is_there_twice_names_the_first() {
    check(twice::CASES);
}

#[test]
fn a_line_that_cannot_be_read_has_its_place() {
    check(grammar::CASES);
}

#[test]
fn a_value_that_is_none_is_told_what_was_expected() {
    check(values::CASES);
}

#[test]
fn a_value_that_is_nearly_one_is_told_what_is_wrong_with_it() {
    check(datatypes::CASES);
}

#[test]
fn limits_that_make_no_sense_are_refused() {
    check(limits::CASES);
}

#[test]
fn a_websocket_is_told_what_is_missing_or_too_much() {
    check(websockets::CASES);
}

#[test]
fn a_prefix_that_nothing_could_match_is_refused() {
    check(prefixes::CASES);
}

#[test]
fn a_conf_without_a_listener_is_told_how_to_write_one() {
    let instance = Instance::new(&[("zope.conf", "debug-mode on\n")]);
    assert_eq!(
        instance.errors(&[], &[]),
        ["zope.conf: there is no <listener>; write '<listener main>', 'address 127.0.0.1:8080' \
          and '</listener>', each on its own line"]
    );
}

#[test]
fn a_file_that_cannot_be_read_is_one_error() {
    let instance = Instance::new(&[]);
    assert_eq!(instance.errors(&[], &[]), ["zope.conf: cannot be read: there is no such file"]);
    instance.write("zope.conf", b"debug-mode on\n# caf\xe9\n");
    let expected = ["zope.conf:2: not UTF-8: byte 0xE9; save the file as UTF-8"];
    assert_eq!(instance.errors(&[], &[]), expected);
}

#[test]
fn a_socket_path_that_the_kernel_would_cut_is_refused() {
    let text = format!("<listener a>\n  address /{}\n</listener>\n", "x".repeat(107));
    let instance = Instance::new(&[("zope.conf", &text)]);
    let found = instance.errors(&[], &[]);
    assert!(found[0].ends_with("is too long for a Unix socket, which may have 107 bytes"));
}

#[test]
fn errors_of_included_files_name_those() {
    let text = format!("{LISTENER}<limits>\n%include limits.conf\n</limits>\n");
    let instance = Instance::new(&[("zope.conf", &text), ("limits.conf", "\nmax-backlog x\n")]);
    let expected = "limits.conf:2: <limits> max-backlog: expected a byte size such as 16MB, \
                    found 'x'";
    assert_eq!(instance.errors(&[], &[]), [expected]);
}

#[test]
fn an_error_shows_its_line() {
    let text = format!("{LISTENER}<limits>\n\tmax-backlog  1\u{7}x\n</limits>\n");
    let instance = Instance::new(&[("zope.conf", &text)]);
    let errors = instance.load(&[], &[]).expect_err("an error");
    assert_eq!(
        instance.cut(&errors.to_string()),
        "zope.conf:5: <limits> max-backlog: expected a byte size such as 16MB, found '1\u{fffd}x'\n\
         \x20   5:15 |  max-backlog  1\u{fffd}x\n\
         \x20        |               ^^^\n"
    );
    assert!(render(&errors, true).contains("\x1b[1;31m^^^\x1b[0m"));
    let error = errors.iter().next().expect("an error");
    assert_eq!((error.line, error.column), (5, 15));
    assert_eq!(error.directive, "<limits> max-backlog");
}
