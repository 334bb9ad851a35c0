//! A check by a user who may not do all that root may.

use std::fs::read_to_string;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::process::Command;

use rustix::process::geteuid;

use crate::fixtures::{mode, public_program};
use crate::support::Home;

/// A number that is nobody's.
const USER: u32 = 65_531;

/// What a check says of this conf to a user without privileges. Root takes another's place.
fn check(home: &Home, conf: &str) -> (Option<i32>, String) {
    let file = home.write("zope.conf", conf.as_bytes());
    mode(home.path(), 0o755);
    let (_public, program) = public_program();
    let mut command = Command::new(program);
    if geteuid().is_root() {
        command.uid(USER).gid(USER);
        chown(home.path(), Some(USER), Some(USER)).unwrap();
    }
    let output = command.args(["check", "-c"]).arg(file).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    (output.status.code(), said.replace(&format!("{}/", home.path().display()), ""))
}

const LISTENER: &str = "<listener main>\n  address 127.0.0.1:0\n</listener>\n";

#[test]
fn a_clienthome_that_the_host_could_not_write_is_told() {
    let home = Home::new();
    assert_eq!(check(&home, LISTENER), (Some(0), String::new()));
    home.write("closed/file", b"");
    mode(&home.join("closed"), 0o555);
    let conf = format!("clienthome closed/var\n{LISTENER}");
    let expected = "zope.conf:1: clienthome: closed: Permission denied (os error 13); the host \
                    keeps files of its own there\n";
    assert_eq!(check(&home, &conf), (Some(78), expected.into()));
}

#[test]
fn files_that_could_not_be_served_are_told() {
    let home = Home::new();
    home.write("www/index.html", b"hi");
    mode(&home.join("www"), 0o600);
    let conf = format!("{LISTENER}<http / >\n  <static>\n    path www\n  </static>\n</http>\n");
    let expected = "zope.conf:6: <http / > <static> path: www: Permission denied (os error 13); no \
                    file in it can be served\n";
    let told = check(&home, &conf);
    mode(&home.join("www"), 0o755);
    assert_eq!(told, (Some(78), expected.into()));
}

#[test]
fn a_low_port_needs_a_privilege() {
    let first = read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start");
    let first: u16 = first.unwrap_or_default().trim().parse().unwrap_or(1024);
    if first == 0 {
        return;
    }
    let home = Home::new();
    let conf = LISTENER.replace(":0", ":1");
    let expected = "zope.conf:2: <listener main> address 127.0.0.1:1: Permission denied (os error \
                    13); a port below 1024 needs the capability CAP_NET_BIND_SERVICE\n";
    assert_eq!(check(&home, &conf), (Some(78), expected.into()));
}
