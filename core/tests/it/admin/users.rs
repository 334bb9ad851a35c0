//! Users who are neither the host's nor root. Only root can be them; for others the rules are
//! tested beside them, in `serving.rs` and `asking.rs` of the host.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::process::geteuid;
use tempfile::TempDir;

use super::{said, socket, start};
use crate::fixtures::{mode, public_program};
use crate::support::{Home, conf};

/// Numbers that are nobody's.
const ONE: u32 = 65_533;
const OTHER: u32 = 65_532;

/// The program, where everybody may run it.
struct Program {
    _public: TempDir,
    file: PathBuf,
}

impl Program {
    fn new() -> Self {
        let (public, file) = public_program();
        Self { _public: public, file }
    }

    fn run_by(&self, user: u32) -> Command {
        let mut command = Command::new(&self.file);
        command.uid(user).gid(user);
        command
    }

    fn status(&self, user: u32, socket: &Path) -> (Option<i32>, String) {
        let output = self.run_by(user).args(["status", "--socket"]).arg(socket).output().unwrap();
        let (status, _, error) = said(&output);
        (status, error.replace(&format!("{}: ", socket.display()), ""))
    }
}

const DENIED: &str = "switchboard: permission denied; only the host's user and root may ask\n";

#[test]
fn another_user_is_refused_by_the_mode_and_by_the_host() {
    if !geteuid().is_root() {
        return;
    }
    let (host, program) = (start(), Program::new());
    mode(host.dir(), 0o711);
    let socket = socket(&host);
    assert_eq!(program.status(OTHER, &socket), (Some(69), DENIED.to_owned()));
    assert!(!host.log().contains("refused to"), "it has not come so far");
    mode(&socket, 0o666);
    assert_eq!(program.status(OTHER, &socket), (Some(69), DENIED.to_owned()));
    host.wait_for_log("control socket: refused to process ");
    assert!(host.log().contains(&format!(" of user {OTHER}\n")), "{}", host.log());
    assert_eq!(program.status(0, &socket), (Some(0), String::new()));
}

#[test]
fn the_hosts_user_and_root_may_ask_and_others_are_not_told_lies() {
    if !geteuid().is_root() {
        return;
    }
    let (home, program) = (Home::new(), Program::new());
    let text = conf("<admin>\nsocket-name admin.sock\n</admin>").replace("@PLUGINS@", "plugins");
    let file = home.write("zope.conf", text.as_bytes());
    mode(home.path(), 0o755);
    chown(home.path(), Some(ONE), Some(ONE)).unwrap();
    let serve = program.run_by(ONE).args(["serve", "-c"]).arg(&file).stderr(Stdio::piped()).spawn();
    let mut host = serve.unwrap();
    let mut lines = BufReader::new(host.stderr.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("ready")), "the host ended");
    let socket: PathBuf = home.join("admin.sock");
    assert_eq!(program.status(ONE, &socket), (Some(0), String::new()));
    assert_eq!(program.status(0, &socket), (Some(0), String::new()));
    assert_eq!(program.status(OTHER, &socket), (Some(69), DENIED.to_owned()));
    mode(&socket, 0o666);
    let liar = format!(
        "switchboard: user {ONE} listens there, who is neither root nor you; whoever it is, it is \
         not your host\n"
    );
    assert_eq!(program.status(OTHER, &socket), (Some(69), liar));
    let mut stop = program.run_by(ONE);
    assert!(stop.args(["stop", "--socket"]).arg(&socket).output().unwrap().status.success());
    assert!(host.wait().unwrap().success());
}
