//! The control socket: what it tells, to whom, and the commands that ask there.

mod clients;
mod commands;
mod routes;
mod socket;
mod users;

use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::Value;

use crate::support::{Client, Host, Response, conf};

/// A host with a control socket in its directory.
fn conf_with(sections: &str) -> String {
    conf(&format!("<admin>\nsocket-name admin.sock\n</admin>\n{sections}"))
}

/// The same with an echo; `more` stands before all sections.
fn echo_conf_with(more: &str) -> String {
    format!("{more}\n{}", conf_with("<websocket /echo>\n<plugin echo/>\n</websocket>"))
}

fn start() -> Host {
    Host::start(&echo_conf_with(""))
}

fn socket(host: &Host) -> PathBuf {
    host.dir().join("admin.sock")
}

fn client(host: &Host) -> Client {
    Client::connect(socket(host).to_str().unwrap())
}

fn request(host: &Host, method: &str, target: &str) -> Response {
    client(host).request(method, target, "")
}

/// What a GET is answered, which must be well.
fn get(host: &Host, target: &str) -> Value {
    let response = request(host, "GET", target);
    assert_eq!(response.status, 200, "{target}: {}", response.text());
    assert_eq!(response.header("content-type"), Some("application/json"));
    json(&response)
}

fn json(response: &Response) -> Value {
    serde_json::from_slice(&response.body).expect("JSON")
}

/// A command with the conf of this host.
fn command(host: &Host, name: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_switchboard"));
    command.arg(name).arg("-c").arg(host.dir().join("zope.conf"));
    command
}

/// Its exit status, what it printed, and what it said on standard error.
fn said(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("UTF-8");
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}
