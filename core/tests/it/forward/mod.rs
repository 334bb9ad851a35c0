//! `<forward>`: another server answers, and what either side says passes through.

mod ending;
mod example;
mod passing;
mod pressure;
mod refusing;
mod server;

use std::net::TcpListener;

use crate::support::{self, Client, Host, Ws, echo_conf};

use server::Server;

/// A host that forwards `/app` to `url`. `keys` stand in `<forward>`, `inside` around it.
fn forward(url: &str, keys: &str, inside: &str) -> Host {
    Host::start(&forward_conf(url, keys, inside))
}

fn forward_conf(url: &str, keys: &str, inside: &str) -> String {
    let forward = format!("<forward>\nurl {url}\n{keys}\n</forward>");
    support::conf(&format!("<websocket /app>\n{inside}\n{forward}\n</websocket>"))
}

/// A host that echoes, and one that forwards `/app` to it; `limits` are those of both.
fn echo(limits: &str) -> (Host, Host) {
    let limits = format!("<limits>\n{limits}\n</limits>");
    let behind = Host::start(&echo_conf(&limits));
    let url = format!("ws://{}/echo", behind.addr("main"));
    let before = forward(&url, "", &limits);
    (behind, before)
}

fn ws(host: &Host) -> Ws {
    Client::ws(&host.addr("main"), "/app")
}

/// A client and the server behind it, after the handshake.
fn pair() -> (Host, Ws, Server) {
    pair_with("", "")
}

fn pair_with(keys: &str, inside: &str) -> (Host, Ws, Server) {
    let listener = server::listen();
    let host = forward(&server::url(&listener), keys, inside);
    meet(listener, host)
}

/// The same with the client on a Unix socket.
fn pair_on_unix(inside: &str) -> (Host, Ws, Server) {
    let listener = server::listen();
    let host = on_unix(&server::url(&listener), inside);
    meet(listener, host)
}

/// A forward on a Unix socket, whose buffers are small and do not grow: whether a client reads shows
/// at once.
fn on_unix(url: &str, inside: &str) -> Host {
    Host::start(&forward_conf(url, "", inside).replace("127.0.0.1:0", "./main.sock"))
}

fn meet(listener: TcpListener, host: Host) -> (Host, Ws, Server) {
    let accepting = std::thread::spawn(move || Server::accept(&listener).agree(""));
    let ws = ws(&host);
    (host, ws, accepting.join().unwrap())
}
