//! A server under test: how it is started, on a core of its own, and what `/proc` says of it.

use std::net::{SocketAddr, TcpListener};
use std::ops::Sub;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::thread::{CpuSet, sched_setaffinity};
use rustls::ClientConfig;

use crate::home::Home;
use crate::socket::Socket;
use crate::{Outcome, dial};

/// The server's core, and that of this program.
const CORES: [usize; 2] = [0, 1];

/// What can be started.
#[derive(Debug, Clone)]
pub(crate) struct Program {
    pub(crate) name: String,
    kind: Kind,
    /// It speaks TLS: its certificate and key, in PEM, stand before its port.
    is_tls: bool,
}

#[derive(Debug, Clone)]
enum Kind {
    /// Ours.
    Host,
    /// In the program `peer`.
    Peer,
    /// The bare loop of a broadcast in the program `peer`, for so many connections.
    Bare(usize),
    /// Anything that takes a port as its last argument.
    Command(String),
}

impl Program {
    /// The real host, with the plugins `echo` and `fan`.
    pub(crate) fn host() -> Self {
        Self::new("switchboard", Kind::Host)
    }

    pub(crate) fn peer(name: &str) -> Self {
        Self::new(name, Kind::Peer)
    }

    pub(crate) fn bare(connections: usize) -> Self {
        Self::new("bare", Kind::Bare(connections))
    }

    pub(crate) fn command(name: &str, command: &str) -> Self {
        Self::new(name, Kind::Command(command.into()))
    }

    fn new(name: &str, kind: Kind) -> Self {
        Self { name: name.into(), kind, is_tls: false }
    }

    /// The same over TLS.
    pub(crate) fn over_tls(self) -> Self {
        Self { is_tls: true, ..self }
    }

    /// Whether it knows nothing of WebSockets.
    pub(crate) fn is_raw(&self) -> bool {
        matches!(self.kind, Kind::Bare(_)) || matches!(self.kind, Kind::Peer) && self.name == "raw"
    }

    /// Whether it is not part of the checkout.
    pub(crate) fn is_given(&self) -> bool {
        matches!(self.kind, Kind::Command(_))
    }

    /// Where it takes WebSockets, of those that a measurement may ask the host for.
    fn target<'a>(&self, of_host: &'a str) -> Option<&'a str> {
        match self.kind {
            _ if self.is_raw() => None,
            Kind::Host => Some(of_host),
            _ => Some("/"),
        }
    }

    /// Starts it, and returns when it answers.
    pub(crate) fn start(&self) -> Outcome<Server> {
        // Free when it was asked for; nobody else takes ports at random meanwhile.
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let home = Home::new(address)?;
        let certificate = if self.is_tls { Some(home.certify()?) } else { None };
        let mut command = self.invocation(address, &home)?;
        // A child is born on its parent's core.
        pin(CORES[0])?;
        let process = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let process = process.spawn().map_err(|error| format!("{}: {error}", self.name));
        pin(CORES[1])?;
        let trust = certificate.map(dial::trust).transpose()?;
        let server = Server { program: self.clone(), process: process?, address, trust, home };
        // The bare loop counts who connects.
        if !matches!(self.kind, Kind::Bare(_)) {
            dial::patiently(|| server.open("/echo"))
                .map_err(|error| format!("{} does not answer: {error}", self.name))?;
        }
        Ok(server)
    }

    fn invocation(&self, address: SocketAddr, home: &Home) -> Outcome<Command> {
        let mut command = match &self.kind {
            Kind::Host => {
                home.furnish(address, self.is_tls)?;
                let mut command = Command::new(built("release/switchboard"));
                command.args(["serve", "-c"]).arg(home.path("zope.conf"));
                return Ok(command);
            }
            Kind::Peer | Kind::Bare(_) => {
                let mut command = Command::new(built("bench/release/peer"));
                command.arg(&self.name);
                command
            }
            Kind::Command(text) => {
                let mut command = Command::new("sh");
                command.args(["-c", &format!("exec {text} \"$@\""), "sh"]);
                command
            }
        };
        if self.is_tls {
            command.args(["certificate.pem", "key.pem"].map(|name| home.path(name)));
        }
        command.arg(address.port().to_string());
        if let Kind::Bare(connections) = self.kind {
            command.arg(connections.to_string());
        }
        Ok(command)
    }
}

/// A file below the directory that cargo builds into.
pub(crate) fn built(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target").join(name)
}

fn pin(core: usize) -> Outcome<()> {
    let mut set = CpuSet::new();
    set.set(core);
    Ok(sched_setaffinity(None, &set)?)
}

/// A running server. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    program: Program,
    process: Child,
    pub(crate) address: SocketAddr,
    /// What its clients need, if it speaks TLS.
    trust: Option<Arc<ClientConfig>>,
    #[expect(dead_code, reason = "it is removed when the server has ended")]
    home: Home,
}

impl Server {
    /// One connection: a WebSocket at `of_host`, if it is the host, and else where it takes them.
    pub(crate) fn open(&self, of_host: &str) -> Outcome<Socket> {
        Ok(self.open_many(of_host, 1)?.remove(0))
    }

    /// The same so many times; under TLS none comes back with a ticket.
    pub(crate) fn open_many(&self, of_host: &str, count: usize) -> Outcome<Vec<Socket>> {
        let target = self.program.target(of_host);
        match &self.trust {
            None => dial::open_many(self.address, target, count),
            Some(trust) => {
                (0..count).map(|_| dial::open_tls(self.address, target, trust)).collect()
            }
        }
    }

    /// Over TLS, as one client that comes so many times and shows the ticket of the time before.
    pub(crate) fn come_back(&self, of_host: &str, count: usize) -> Outcome<Vec<Socket>> {
        let target = self.program.target(of_host);
        let trust = self.trust.as_deref().ok_or("tickets are of TLS")?;
        let trust = Arc::new(dial::with_tickets(trust));
        let first = dial::open_tls(self.address, target, &trust)?;
        let open = |_| {
            let socket = dial::open_tls(self.address, target, &trust)?;
            if socket.is_resumed() { Ok(socket) } else { Err("a ticket was not taken".into()) }
        };
        let sockets = (0..count).map(open).collect();
        drop(first);
        sockets
    }

    /// Time that its threads have had, and waited for.
    pub(crate) fn time(&self) -> Outcome<Time> {
        let mut sum = [0; 2];
        for task in std::fs::read_dir(format!("/proc/{}/task", self.process.id()))? {
            let text = std::fs::read_to_string(task?.path().join("schedstat"))?;
            for (sum, word) in sum.iter_mut().zip(text.split_whitespace()) {
                *sum += word.parse::<u64>()?;
            }
        }
        let [cpu, waited] = sum.map(Duration::from_nanos);
        Ok(Time { cpu, waited })
    }

    /// Resident memory in bytes, when it has not fallen for a while: an allocator may give back late
    /// what was free.
    pub(crate) fn settled_memory(&self) -> Outcome<u64> {
        const CALM: Duration = Duration::from_millis(1500);
        let (mut held, mut fell) = (self.memory()?, Instant::now());
        while fell.elapsed() < CALM {
            std::thread::sleep(Duration::from_millis(100));
            let now = self.memory()?;
            if now < held {
                fell = Instant::now();
            }
            held = now;
        }
        Ok(held)
    }

    fn memory(&self) -> Outcome<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).ok_or("no VmRSS")?;
        Ok(line.split_whitespace().nth(1).ok_or("no number")?.parse::<u64>()? * 1024)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Of a server's threads together.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Time {
    pub(crate) cpu: Duration,
    /// Ready to run, but something else had the core.
    pub(crate) waited: Duration,
}

impl Sub for Time {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        Self { cpu: self.cpu - earlier.cpu, waited: self.waited - earlier.waited }
    }
}
