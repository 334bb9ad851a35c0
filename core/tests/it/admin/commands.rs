//! `switchboard status`, `connections`, `plugins` and `stop`, as an operator runs them.

use std::io::{Read, Write};
use std::os::unix::net::UnixListener;
use std::process::{Command, Stdio};

use rustix::process::Signal;
use serde_json::{Value, json};

use super::{command, echo_conf_with, get, json, request, said, socket, start};
use crate::support::{Client, Home, Host, Ws, conf};

fn ws(host: &Host) -> Ws {
    let mut ws = Client::ws(&host.addr("main"), "/echo");
    ws.echo("hello");
    ws
}

/// What a command prints that ends well.
fn printed(host: &Host, name: &str, options: &[&str]) -> String {
    let output = command(host, name).args(options).output().unwrap();
    let (status, text, error) = said(&output);
    assert_eq!((status, error.as_str()), (Some(0), ""), "{text}");
    text
}

/// The rows of the table that begins with this head, as words.
fn rows(text: &str, head: &str) -> Vec<Vec<String>> {
    let mut lines = text.lines().skip_while(|line| !line.trim_start().starts_with(head));
    assert!(lines.next().is_some(), "no {head}:\n{text}");
    let words = |line: &str| line.split_whitespace().map(str::to_owned).collect();
    lines.take_while(|line| !line.is_empty()).map(words).collect()
}

#[test]
fn status_is_a_page_for_a_person() {
    let host = Host::start(&echo_conf_with("worker-threads 2"));
    let _clients = [ws(&host), ws(&host), ws(&host)];
    let text = printed(&host, "status", &[]);
    let begin = format!("switchboard {}, process {}, up ", env!("CARGO_PKG_VERSION"), host.pid());
    assert!(text.starts_with(&begin), "{text}");
    assert!(text.contains("\n3 connections of 100000, 0 B of 1.0 GB in memory\n"), "{text}");
    let conf = host.dir().join("zope.conf").display().to_string();
    assert_eq!(rows(&text, "CONF")[0][0], conf);
    assert_eq!(rows(&text, "LISTENER"), [["main", &host.addr("main"), "no"]]);
    assert_eq!(rows(&text, "ENDPOINT"), [["/echo", "plugin", "echo", "3", "0", "B"]]);
    let shards = rows(&text, "SHARD");
    let sockets: u32 = shards.iter().map(|row| row[1].parse::<u32>().unwrap()).sum();
    assert_eq!((shards.len(), sockets), (2, 3));
}

#[test]
fn json_is_what_the_host_answers() {
    let host = start();
    let _client = ws(&host);
    for name in ["status", "connections", "plugins"] {
        let mut of_command: Value =
            serde_json::from_str(&printed(&host, name, &["--json"])).expect("JSON");
        let mut of_host = get(&host, &format!("/v1/{name}"));
        // Time has passed.
        for answer in [&mut of_command, &mut of_host] {
            answer.as_object_mut().unwrap().remove("uptime_seconds");
            if let Some(known) = answer["connections"].get_mut(0) {
                known.as_object_mut().unwrap().remove("quiet_seconds");
            }
        }
        assert_eq!(of_command, of_host, "{name}");
    }
}

#[test]
fn connections_are_a_table() {
    let host = start();
    let _clients = [ws(&host), ws(&host), ws(&host)];
    let text = printed(&host, "connections", &["--endpoint", "/echo", "--limit", "2"]);
    let found = rows(&text, "UID");
    assert_eq!(found[0][..2], ["1", "/echo"]);
    assert!(found[0][2].starts_with("127.0.0.1:"), "{text}");
    assert_eq!(found[0][4..6], ["open", "1"]);
    assert!(text.ends_with("\n2 of 3; --limit shows more\n"), "{text}");
    assert_eq!(rows(&printed(&host, "connections", &[]), "UID").len(), 3);

    let wrong = command(&host, "connections").args(["--endpoint", "/a b&c"]).output().unwrap();
    let error = "switchboard: no endpoint has the prefix '/a b&c'\n";
    assert_eq!(said(&wrong), (Some(1), String::new(), error.to_owned()));
    let wrong = command(&host, "connections").args(["--limit", "10001"]).output().unwrap();
    let error = "switchboard: limit: expected a number from 1 to 10000, found '10001'\n";
    assert_eq!(said(&wrong), (Some(1), String::new(), error.to_owned()));
    let wrong = command(&host, "connections").args(["--limit", "many"]).output().unwrap();
    assert_eq!(wrong.status.code(), Some(64));
}

#[test]
fn plugins_are_a_table() {
    let host = start();
    let _client = ws(&host);
    let found = rows(&printed(&host, "plugins", &[]), "NAME");
    let known = &get(&host, "/v1/plugins")["plugins"][0];
    let text = |name: &str| known[name].as_str().expect("a text");
    let expected = ["echo", text("id"), text("version"), "/echo", "1", &text("sha256")[..12]];
    assert_eq!(found[0][..6], expected);
    assert_eq!(found[0][6], text("path"));
}

#[test]
fn stop_ends_the_host_as_a_signal_does_and_waits_for_it() {
    let limits = "<limits>\nclose-timeout 1h\n</limits>";
    let mut host = Host::start(&echo_conf_with(&format!("stop-timeout 1h\n{limits}")));
    let mut client = ws(&host);
    let mut stop = command(&host, "stop").stdout(Stdio::piped()).spawn().unwrap();
    assert_eq!(client.expect_close(1001), "the host stops");
    assert_eq!(get(&host, "/v1/status")["stopping"], true);
    assert!(printed(&host, "status", &[]).lines().next().unwrap().ends_with(", stopping"));
    // To be asked once more changes nothing, unlike a second signal.
    let again = request(&host, "POST", "/v1/stop");
    assert_eq!(again.status, 202);
    assert_eq!(json(&again), json!({"pid": host.pid(), "stopping": true}));
    assert_eq!(get(&host, "/v1/connections")["connections"][0]["phase"], "closing");
    assert_eq!(stop.try_wait().unwrap(), None, "the host has not ended");
    client.close(1001, "");
    client.expect_eof();
    drop(client);
    assert_eq!(host.wait().code(), Some(0));
    let mut text = String::new();
    stop.stdout.take().unwrap().read_to_string(&mut text).unwrap();
    assert_eq!(text, format!("stopping: process {}\nstopped\n", host.pid()));
    assert!(stop.wait().unwrap().success());
    assert!(!socket(&host).exists());
    let log = host.log();
    assert!(log.contains(&format!("stop asked by process {} of user ", stop.id())), "{log}");
    assert!(log.contains(": stopping\n") && log.contains("stopped\n"), "{log}");
}

#[test]
fn a_signal_after_a_stop_ends_the_host_at_once() {
    let limits = "<limits>\nclose-timeout 1h\n</limits>";
    let mut host = Host::start(&echo_conf_with(&format!("stop-timeout 1h\n{limits}")));
    let mut client = ws(&host);
    assert_eq!(request(&host, "POST", "/v1/stop").status, 202);
    client.expect_close(1001);
    host.signal(Signal::TERM);
    assert_eq!(host.wait().code(), Some(1));
    assert!(host.log().contains("SIGTERM again: 1 connections are cut"));
}

#[test]
fn a_host_that_is_not_there_is_told_apart_from_one_that_was_killed() {
    let mut host = start();
    let path = socket(&host).display().to_string();
    let check = |host: &Host, expected: &str| {
        for name in ["status", "connections", "plugins", "stop"] {
            let (status, text, error) = said(&command(host, name).output().unwrap());
            assert_eq!((status, text.as_str()), (Some(69), ""), "{name}: {error}");
            assert_eq!(error, format!("switchboard: {path}: {expected}\n"), "{name}");
        }
    };
    host.signal(Signal::KILL);
    host.wait();
    check(&host, "nobody listens; the host that made it was killed");
    std::fs::remove_file(&path).unwrap();
    check(&host, "there is no control socket; does a host run with this conf?");
    std::fs::write(&path, "text").unwrap();
    check(&host, "this is no socket");
}

#[test]
fn a_conf_without_a_control_socket_and_one_that_is_wrong_are_told() {
    let home = Home::new();
    let file = home.write("zope.conf", conf("").replace("@PLUGINS@", "plugins").as_bytes());
    let run = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_switchboard"));
        said(&command.args(["status", "-c"]).arg(&file).output().unwrap())
    };
    let expected = format!(
        "switchboard: {}: there is no <admin>, so the host has no control socket; write '<admin>' \
         and '</admin>', each on its own line\n",
        file.display()
    );
    assert_eq!(run(), (Some(69), String::new(), expected));
    home.write("zope.conf", b"<admn>\n</admn>\n");
    let (status, _, error) = run();
    assert_eq!(status, Some(78));
    assert!(error.contains("<admn>") && error.contains("did you mean"), "{error}");
}

#[test]
fn what_is_no_host_is_told() {
    let home = Home::new();
    let path = home.join("x.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let check = |says: &[u8], expected: &str| {
        let output = std::thread::scope(|scope| {
            scope.spawn(|| {
                let (mut stream, _) = listener.accept().unwrap();
                let mut request = [0; 1024];
                assert!(stream.read(&mut request).unwrap() > 0);
                stream.write_all(says).unwrap();
            });
            let mut command = Command::new(env!("CARGO_BIN_EXE_switchboard"));
            command.args(["status", "--socket"]).arg(&path).output().unwrap()
        });
        let what = "what comes back is no answer of a host";
        let error = format!("switchboard: {}: {what}: {expected}\n", path.display());
        assert_eq!(said(&output), (Some(1), String::new(), error));
    };
    check(b"", "it ends in its head");
    check(b"+PONG\r\n\r\n", "it is not HTTP");
    check(b"HTTP/1.0 200 OK\r\nContent-Length: 9\r\n\r\n{}", "it is cut");
    check(b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}", "other JSON was expected");
    check(b"HTTP/1.0 500 No\r\nContent-Length: 2\r\n\r\n[]", "other JSON was expected");
}
