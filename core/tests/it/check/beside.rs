//! A check beside what runs: hosts of this conf and of others, and whoever else has an address.

use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::process::id;

use super::check_conf;
use crate::support::{Client, Home, Host, conf, directory};

/// A port that was free a moment ago.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Lines 2 and 5 have the addresses of its listeners, 8 the control socket.
fn listening(port: u16, more: &str) -> String {
    format!(
        "<listener tcp>\n  address 127.0.0.1:{port}\n</listener>\n\
         <listener unix>\n  address ./unix.sock\n</listener>\n{more}\n\
         plugin-path @PLUGINS@\n<websocket /echo>\n<plugin echo/>\n</websocket>\n"
    )
}

const ADMIN: &str = "<admin>\n  socket-name admin.sock\n</admin>";

/// Of a host that need not run.
fn with_plugins(port: u16) -> String {
    listening(port, ADMIN).replace("@PLUGINS@", directory().to_str().unwrap())
}

#[test]
fn the_addresses_of_the_host_that_runs_are_its_own() {
    let port = free_port();
    let host = Host::start(&listening(port, ADMIN));
    let mut ws = Client::ws(&host.addr("tcp"), "/echo");
    let log = host.log();
    let file = host.dir().join("zope.conf");
    assert_eq!(check_conf(&file), (Some(0), String::new()));
    // By another way to the same file, and with all addresses in place of one.
    let link = host.dir().join("link.conf");
    std::os::unix::fs::symlink(&file, &link).unwrap();
    assert_eq!(check_conf(&link), (Some(0), String::new()));
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("127.0.0.1:", "0.0.0.0:")).unwrap();
    assert_eq!(check_conf(&file), (Some(0), String::new()));
    ws.echo("still here");
    assert_eq!(host.log(), log, "it noticed nothing");
}

#[test]
fn without_a_control_socket_the_process_is_named() {
    let port = free_port();
    let host = Host::start(&listening(port, ""));
    let (status, said) = check_conf(&host.dir().join("zope.conf"));
    let held = "Address already in use (os error 98); another process listens there";
    let hint = "if it is the host of this conf, an <admin> lets a check see that";
    let at = "zope.conf:2: <listener tcp> address";
    let pid = host.pid();
    assert_eq!(status, Some(78));
    assert_eq!(
        said,
        format!(
            "{at} 127.0.0.1:{port}: {held}: process {pid} (switchboard); {hint}\n\
             zope.conf:5: <listener unix> address unix.sock: address in use; another process \
             listens there; {hint}\n"
        )
    );
}

#[test]
fn an_address_of_somebody_else_is_told_though_our_host_runs() {
    let (port, other) = (free_port(), TcpListener::bind("127.0.0.1:0").unwrap());
    let host = Host::start(&listening(port, ADMIN));
    let file = host.dir().join("zope.conf");
    let text = std::fs::read_to_string(&file).unwrap();
    let taken = other.local_addr().unwrap().port();
    let taken = format!("{text}<listener new>\n  address 0.0.0.0:{taken}\n</listener>\n");
    std::fs::write(&file, &taken).unwrap();
    let (status, said) = check_conf(&file);
    assert_eq!(status, Some(78), "{said}");
    assert!(said.contains("<listener new> address 0.0.0.0:"), "{said}");
    assert!(said.contains(&format!("listens there: process {} (", id())), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
}

#[test]
fn all_addresses_of_ipv6_are_those_of_ipv4_too() {
    let setting = std::fs::read_to_string("/proc/sys/net/ipv6/bindv6only").unwrap_or_default();
    if setting.trim() != "0" || TcpListener::bind("[::]:0").is_err() {
        return;
    }
    let port = free_port();
    let other = format!("<listener all>\n  address [::]:{port}\n</listener>");
    let text = listening(port, &other);
    let home = Home::new();
    let file = home.write("zope.conf", text.replace("@PLUGINS@", ".").as_bytes());
    let (status, said) = check_conf(&file);
    let expected = format!(
        "zope.conf:2: <listener tcp> address 127.0.0.1:{port}: the listener at zope.conf:8 has \
         [::]:{port}, which is all addresses of IPv4 too; choose another port\n"
    );
    assert_eq!(status, Some(78), "{said}");
    assert!(said.starts_with(&expected), "{said}");
    let (_, said) = Host::fails_in(home, &text);
    assert!(said.contains("Address already in use"), "{said}");
}

#[test]
fn the_control_socket_of_another_conf_is_told() {
    let host = Host::start(&listening(free_port(), ADMIN));
    let text = conf(ADMIN).replace("@PLUGINS@", "plugins");
    std::fs::write(host.dir().join("other.conf"), text).unwrap();
    let (status, said) = check_conf(&host.dir().join("other.conf"));
    let pid = host.pid();
    let expected = format!(
        "other.conf:7: <admin> socket-name admin.sock: another host listens there: process {pid}, \
         whose conf is zope.conf\n"
    );
    assert_eq!(status, Some(78), "{said}");
    assert!(said.ends_with(&expected), "{said}");
}

#[test]
fn what_listens_at_the_control_socket_and_is_no_host_is_told() {
    let home = Home::new();
    let file = home.write("zope.conf", conf(ADMIN).replace("@PLUGINS@", ".").as_bytes());
    let listener = UnixListener::bind(home.join("admin.sock")).unwrap();
    let answer = std::thread::spawn(move || drop(listener.accept()));
    let (status, said) = check_conf(&file);
    answer.join().unwrap();
    assert_eq!(status, Some(78), "{said}");
    let expected = "zope.conf:7: <admin> socket-name admin.sock: ";
    assert!(said.starts_with(expected), "{said}");
}

#[test]
fn what_a_killed_host_left_is_in_nobodys_way_and_stays() {
    let home = Home::new();
    let text = with_plugins(0);
    let file = home.write("zope.conf", text.as_bytes());
    for socket in ["unix.sock", "admin.sock"] {
        drop(UnixListener::bind(home.join(socket)).unwrap());
    }
    assert_eq!(check_conf(&file), (Some(0), String::new()));
    assert!(home.join("unix.sock").exists() && home.join("admin.sock").exists());
}

#[test]
fn nothing_is_left_behind() {
    let home = Home::new();
    let text = with_plugins(0);
    let file = home.write("zope.conf", text.as_bytes());
    assert_eq!(check_conf(&file), (Some(0), String::new()));
    let left: Vec<_> = std::fs::read_dir(home.path()).unwrap().map(|e| e.unwrap().path()).collect();
    assert_eq!(left, [file]);
}

#[test]
fn a_program_that_listens_is_not_disturbed() {
    let home = Home::new();
    let listener = UnixListener::bind(home.join("feed.sock")).unwrap();
    listener.set_nonblocking(true).unwrap();
    assert_eq!(super::check(&home, "socket feed.sock"), (Some(0), String::new()));
    assert!(listener.accept().is_err(), "a check has connected");
    drop(listener);
    let warning = "warning: zope.conf:3: <websocket /feed> <external> socket: nobody listens at \
                   feed.sock\n";
    assert_eq!(super::check(&home, "socket feed.sock"), (Some(0), warning.into()));
}
