//! The socket as a file: its mode, its directory, who has it, and its end.

use std::fs;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::process::{Command, ExitStatus, Stdio};
use std::time::Instant;

use rustix::fs::{FlockOperation, flock};
use rustix::process::{Signal, geteuid};
use socket2::{Domain, SockAddr, Socket, Type};

use super::{conf_with, echo_conf_with, get, socket, start};
use crate::fixtures::mode;
use crate::support::{Home, Host, PATIENCE, conf};

/// Why a host with its socket in the directory `run` of its home does not start.
fn refused(home: Home) -> (Home, String) {
    let conf = conf("<admin>\nsocket-name run/admin.sock\n</admin>");
    let (path, text) = (home.path().to_owned(), conf.clone());
    // It says at a check what it says at a start.
    let file = home.write("zope.conf", text.replace("@PLUGINS@", "plugins").as_bytes());
    let mut check = Command::new(env!("CARGO_BIN_EXE_switchboard"));
    let output = check.args(["check", "-c"]).arg(file).output().unwrap();
    let checked = String::from_utf8(output.stderr).unwrap();
    let is_problem = |line: &&str| !line.starts_with("warning: ");
    let checked: Vec<_> = checked.lines().filter(is_problem).collect();
    let (status, log) = fails_in(&home, &conf);
    assert_eq!(status.code(), Some(1), "{log}");
    let at = format!("{}/", path.display());
    let line = log.lines().last().expect("a line").replace(&at, "");
    let line = line.strip_prefix("switchboard: ").expect("a message").to_owned();
    let said = if checked.is_empty() { line.clone() } else { checked.join("\n").replace(&at, "") };
    assert_eq!(said, line);
    (home, line)
}

/// How a host ends that does not start, in a home that is used again.
fn fails_in(home: &Home, conf: &str) -> (ExitStatus, String) {
    let file = home.write("zope.conf", conf.replace("@PLUGINS@", "plugins").as_bytes());
    let mut host = Command::new(env!("CARGO_BIN_EXE_switchboard"));
    let output = host.args(["serve", "-c"]).arg(file).output().unwrap();
    (output.status, String::from_utf8(output.stderr).unwrap())
}

#[test]
fn only_its_owner_may_use_the_socket_and_it_goes_with_the_host() {
    let mut host = start();
    let about = socket(&host).symlink_metadata().unwrap();
    assert!(about.file_type().is_socket());
    assert_eq!(about.permissions().mode() & 0o7777, 0o600);
    host.wait_for_log(&format!("control socket {}", socket(&host).display()));
    assert!(host.stop().success());
    assert!(!socket(&host).exists());
}

#[test]
fn without_a_name_it_lies_in_clienthome() {
    let host = Host::start(&conf("<admin>\n</admin>"));
    assert!(host.dir().join("var/admin.sock").exists());
    let host = Host::start(&format!("clienthome data\n{}", conf("<admin/>")));
    assert!(host.dir().join("data/admin.sock").exists());
}

#[test]
fn without_the_section_there_is_none() {
    let host = Host::start(&conf(""));
    assert!(!host.dir().join("var/admin.sock").exists());
    assert!(!host.log().contains("control socket"));
}

#[test]
fn what_a_killed_host_has_left_is_taken_over() {
    let mut host = start();
    for _ in 0..3 {
        host.signal(Signal::KILL);
        assert_eq!(host.wait().code(), None);
        assert!(socket(&host).exists());
        host = Host::start_in(host.into_home(), &echo_conf_with(""));
        assert_eq!(get(&host, "/v1/status")["pid"], host.pid());
    }
    assert!(host.stop().success());
    assert!(!socket(&host).exists());
}

#[test]
fn a_second_host_is_told_who_has_the_socket() {
    let first = start();
    let path = socket(&first).display().to_string();
    let second = conf(&format!("<admin>\nsocket-name {path}\n</admin>"));
    let (status, log) = Host::fails(&second);
    assert_eq!(status.code(), Some(1));
    let user = geteuid().as_raw();
    let said = format!(
        "<admin> socket-name {path}: another host listens there: process {} of user {user}\n",
        first.pid()
    );
    assert!(log.contains(&said) && log.contains("zope.conf:7: "), "{log}");
    assert_eq!(get(&first, "/v1/status")["pid"], first.pid());
}

#[test]
fn a_host_leaves_the_socket_of_another_alone() {
    let mut first = start();
    let path = socket(&first);
    fs::remove_file(&path).unwrap();
    let second = conf(&format!("<admin>\nsocket-name {}\n</admin>", path.display()));
    let mut second = Host::start(&second);
    assert!(first.stop().success());
    assert_eq!(get(&first, "/v1/status")["pid"], second.pid());
    assert!(second.stop().success());
    assert!(!path.exists());
}

#[test]
fn a_host_looks_at_the_socket_only_when_no_other_one_is_about_to_bind() {
    let home = Home::new();
    let path = home.join("admin.sock");
    drop(UnixListener::bind(&path).unwrap());
    let directory = fs::File::open(home.path()).unwrap();
    flock(&directory, FlockOperation::LockExclusive).unwrap();
    let file = home.write("zope.conf", conf_with("").replace("@PLUGINS@", "plugins").as_bytes());
    let mut host = Command::new(env!("CARGO_BIN_EXE_switchboard"));
    let host = host.args(["serve", "-c"]).arg(file).stderr(Stdio::piped()).spawn().unwrap();
    // Whoever waits for a lock is in this list, behind an arrow.
    let waits = |line: &str| {
        let words: Vec<_> = line.split_whitespace().collect();
        words.contains(&"->") && words.contains(&host.id().to_string().as_str())
    };
    let begun = Instant::now();
    while !fs::read_to_string("/proc/locks").unwrap().lines().any(waits) {
        assert!(begun.elapsed() < PATIENCE, "it does not wait");
        std::thread::yield_now();
    }
    fs::remove_file(&path).unwrap();
    let _other = UnixListener::bind(&path).unwrap();
    flock(&directory, FlockOperation::Unlock).unwrap();
    let output = host.wait_with_output().unwrap();
    let log = String::from_utf8(output.stderr).unwrap();
    let said = format!("another host listens there: process {} ", std::process::id());
    assert!(output.status.code() == Some(1) && log.contains(&said), "{log}");
}

#[test]
fn hosts_that_start_at_once_do_not_take_each_other_for_killed() {
    // A socket that nobody listens at, which each of them would take over.
    let home = Home::new();
    drop(UnixListener::bind(home.join("admin.sock")).unwrap());
    let file = home.write("zope.conf", conf_with("").replace("@PLUGINS@", "plugins").as_bytes());
    let start = || {
        let mut host = Command::new(env!("CARGO_BIN_EXE_switchboard"));
        host.args(["serve", "-c"]).arg(&file).stderr(Stdio::piped()).spawn().unwrap()
    };
    let hosts: Vec<_> = (0..6).map(|_| start()).collect();
    // All but one end by themselves; that one is asked to stop when it is the last.
    let (ended, mut ends) = std::sync::mpsc::channel();
    let pids: Vec<u32> = hosts.iter().map(std::process::Child::id).collect();
    for host in hosts {
        let ended = ended.clone();
        std::thread::spawn(move || {
            let id = host.id();
            ended.send((id, host.wait_with_output().unwrap())).unwrap();
        });
    }
    let ends = &mut ends;
    let lost: Vec<_> = (0..5).map(|_| ends.recv_timeout(PATIENCE).unwrap()).collect();
    let won = pids.iter().find(|pid| lost.iter().all(|(id, _)| id != *pid)).expect("one is left");
    for (_, output) in &lost {
        let log = String::from_utf8_lossy(&output.stderr);
        assert!(log.contains(&format!("another host listens there: process {won} ")), "{log}");
    }
    let stop = Command::new(env!("CARGO_BIN_EXE_switchboard"))
        .args(["stop", "-c"])
        .arg(&file)
        .output()
        .unwrap();
    assert!(stop.status.success(), "{}", String::from_utf8_lossy(&stop.stderr));
    let (id, output) = ends.recv_timeout(PATIENCE).unwrap();
    assert_eq!((id, output.status.code()), (*won, Some(0)));
    assert!(!home.join("admin.sock").exists());
}

#[test]
fn a_host_that_is_too_busy_to_accept_is_not_waited_for() {
    let home = Home::new();
    let address = SockAddr::unix(home.join("admin.sock")).unwrap();
    let unix = || Socket::new(Domain::UNIX, Type::STREAM.nonblocking(), None).unwrap();
    let busy = unix();
    busy.bind(&address).unwrap();
    busy.listen(0).unwrap();
    let waiting: Vec<_> = std::iter::repeat_with(unix)
        .take_while(|client| client.connect(&address).is_ok())
        .collect();
    assert!(!waiting.is_empty());
    let path = home.join("admin.sock").display().to_string();
    let listener = conf("").replace("127.0.0.1:0", &path);
    for conf in [&listener, &conf_with("").replace("admin.sock", &path)] {
        let (status, log) = Host::fails(conf);
        assert_eq!(status.code(), Some(1));
        assert!(log.contains("another process listens there"), "{log}");
    }
}

#[test]
fn a_file_that_is_no_socket_is_left_alone() {
    let home = Home::new();
    home.write("run/admin.sock", b"precious");
    let (home, said) = refused(home);
    let expected = "zope.conf:7: <admin> socket-name run/admin.sock: there is a file that is no \
                    socket";
    assert_eq!(said, expected);
    assert_eq!(fs::read(home.join("run/admin.sock")).unwrap(), b"precious");
}

#[test]
fn a_directory_in_which_others_may_write_is_refused() {
    let at = "zope.conf:7: <admin> socket-name run/admin.sock: ";
    let home = Home::new();
    let (home, said) = refused(home);
    assert_eq!(said, format!("{at}there is no directory run"));
    fs::create_dir(home.join("run")).unwrap();
    mode(&home.join("run"), 0o707);
    let (home, said) = refused(home);
    assert_eq!(said, format!("{at}everybody may write run (mode 0707); chmod o-w it"));
    // Nobody can remove there what is not his.
    mode(&home.join("run"), 0o1777);
    let mut host = Host::start_in(home, &conf("<admin>\nsocket-name run/admin.sock\n</admin>"));
    assert!(host.stop().success());
    if geteuid().is_root() {
        let home = host.into_home();
        mode(&home.join("run"), 0o770);
        let (_, said) = refused(home);
        assert_eq!(said, format!("{at}group 0 may write run (mode 0770); chmod g-w it"));
    }
}
