//! `switchboard explain` beside a host with the same conf. Its words are tested where those of confs
//! are.

use std::process::Command;

use crate::support::{Client, Handshake, Home, Host, conf};

/// Two hosts, two prefixes, one with two listeners, and files.
fn sections() -> String {
    conf(
        "<listener inner>\n  address 127.0.0.1:0\n</listener>\n\
         <websocket /a>\n<plugin echo/>\n</websocket>\n\
         <websocket /a/b>\n  listener inner\n<plugin echo/>\n</websocket>\n\
         <websocket /host>\n  host www.example.org\n<plugin echo/>\n</websocket>\n\
         <websocket /host>\n  host *.example.net\n<plugin echo/>\n</websocket>\n\
         <http /files>\n  <static>\n    path www\n  </static>\n</http>",
    )
}

/// The statuses of a handshake and of a GET, as explained; 101 and 200 are any that is answered.
fn explained(host: &Host, listener: &str, name: &str, path: &str) -> (u16, u16) {
    let mut explain = Command::new(env!("CARGO_BIN_EXE_switchboard"));
    let conf = host.dir().join("zope.conf");
    explain.args(["explain", path, "--host", name, "--listener", listener, "-c"]).arg(conf);
    let output = explain.output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    if said.starts_with("400 to every request") {
        return (400, 400);
    }
    let of = |what: &str, answered| {
        let line = said.lines().find_map(|line| line.trim_start().strip_prefix(what));
        let line = line.unwrap_or_else(|| panic!("{path}: {said}"));
        if line.starts_with('<') { answered } else { line[..3].parse().unwrap() }
    };
    (of("a WebSocket: ", 101), of("anything else: ", 200))
}

/// What the host does.
fn done(host: &Host, listener: &str, name: &str, path: &str) -> (u16, u16) {
    let asked = Handshake::new(path).set("Host", name);
    let websocket = Client::connect(&host.addr(listener)).ask(&asked).status;
    let mut client = Client::connect(&host.addr(listener));
    client.send_raw(format!("GET {path} HTTP/1.1\r\nHost: {name}\r\n\r\n").as_bytes());
    (websocket, client.response().status)
}

#[test]
fn what_is_explained_is_what_the_host_does() {
    let home = Home::new();
    home.write("www/index.html", b"hi");
    let host = Host::start_in(home, &sections());
    let paths = "/ /a /a/ /a/b /a/b/c /ab /A /%61 /host /host/x /files /files/ /files/index.html \
                 /x//a /a%2fb /a/../a /a%00 /%zz";
    let mut seen = Vec::new();
    for listener in ["main", "inner"] {
        for name in ["localhost", "WWW.Example.org:80", "example.net", "a.b.example.net", "[::1]"] {
            for path in paths.split_whitespace() {
                let (told, done) =
                    (explained(&host, listener, name, path), done(&host, listener, name, path));
                // A directory without its slash is answered, by a redirect.
                let done = if done.1 == 301 || done.1 == 308 { (done.0, 200) } else { done };
                assert_eq!(told, done, "{listener} {name} {path}");
                seen.push(told);
            }
        }
    }
    for expected in [(101, 426), (404, 404), (404, 200), (400, 400)] {
        assert!(seen.contains(&expected), "{expected:?}");
    }
}
