//! `<external>`: a program answers, and what it does wrong harms nobody else.

mod bad;
mod credit;
mod draining;
mod ending;
mod passing;

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use crate::support::{self, Client, Event, Host, PATIENCE, Ws};

fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/fixtures/programs/endpoint.py")
}

/// The example in Python, which counts credit both ways, with `inside` around it.
fn example(inside: &str) -> Host {
    let program = Path::new(env!("CARGO_MANIFEST_DIR"));
    let program = program.join("../examples/endpoint-python/endpoint.py").display().to_string();
    let host = Host::start(&support::conf(&format!(
        "<websocket /example>\n{inside}\n<external>\nprogram python3 -B\nargument {program}\n\
         </external>\n</websocket>"
    )));
    host.wait_for_log("/example: ready");
    host
}

/// A section whose program behaves like `how`; `keys` stand in `<external>`, `inside` around it.
fn section(prefix: &str, how: &str, keys: &str, inside: &str) -> String {
    let script = script().display().to_string();
    format!(
        "<websocket {prefix}>\n{inside}\n<external>\nprogram python3 -B\nargument {script}\n\
         argument {how}\n{keys}\n</external>\n</websocket>\n"
    )
}

fn good_with(inside: &str) -> Host {
    let host = Host::start(&support::conf(&section("/good", "good", "", inside)));
    host.wait_for_log("/good: ready");
    host
}

fn good() -> Host {
    good_with("")
}

/// A program that behaves like `how` at `/bad`, and a good one at `/good`.
fn beside(how: &str, keys: &str, inside: &str) -> Host {
    let both = section("/bad", how, keys, inside) + &section("/good", "good", "", "");
    let host = Host::start(&support::conf(&both));
    host.wait_for_log("/good: ready");
    host
}

fn ws(host: &Host, path: &str) -> Ws {
    Client::ws(&host.addr("main"), path)
}

/// The program at `/good` answers.
fn goes_on(host: &Host) {
    ws(host, "/good").echo("still here");
}

/// A client of the `run`th run of the program at `path`, which the log tells from those before.
fn again(host: &Host, path: &str, run: usize) -> Ws {
    host.wait_for_log_times(&format!("{path}: ready"), run);
    ws(host, path)
}

fn pid(ws: &mut Ws) -> Pid {
    ws.text("!pid");
    match ws.next() {
        Event::Text(pid) => Pid::from_raw(pid.parse().unwrap()).unwrap(),
        other => panic!("{other:?}"),
    }
}

/// A handle that tells when the process has ended.
fn watch(pid: Pid) -> OwnedFd {
    pidfd_open(pid, PidfdFlags::empty()).expect("the program runs")
}

fn wait_gone(process: &OwnedFd) {
    let patience = Timespec::try_from(PATIENCE).unwrap();
    let mut polled = [PollFd::new(process, PollFlags::IN)];
    let ended = poll(&mut polled, Some(&patience)).unwrap();
    assert_eq!(ended, 1, "the program still runs");
}
