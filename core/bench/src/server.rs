//! A server under test: how it is started, on a core of its own, and what `/proc` says of it.

use std::net::{SocketAddr, TcpListener};
use std::ops::Sub;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::thread::{CpuSet, sched_setaffinity};

use crate::{Outcome, dial};

/// The server's core, and that of this program.
const CORES: [usize; 2] = [0, 1];

/// What can be started.
#[derive(Debug, Clone)]
pub(crate) struct Program {
    pub(crate) name: String,
    kind: Kind,
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
        Self { name: "switchboard".into(), kind: Kind::Host }
    }

    pub(crate) fn peer(name: &str) -> Self {
        Self { name: name.into(), kind: Kind::Peer }
    }

    pub(crate) fn bare(connections: usize) -> Self {
        Self { name: "bare".into(), kind: Kind::Bare(connections) }
    }

    pub(crate) fn command(name: &str, command: &str) -> Self {
        Self { name: name.into(), kind: Kind::Command(command.into()) }
    }

    pub(crate) fn is_host(&self) -> bool {
        matches!(self.kind, Kind::Host)
    }

    /// Whether it knows nothing of WebSockets.
    pub(crate) fn is_raw(&self) -> bool {
        matches!(self.kind, Kind::Bare(_)) || matches!(self.kind, Kind::Peer) && self.name == "raw"
    }

    /// Where it takes WebSockets, of those that a measurement may ask the host for.
    pub(crate) fn target<'a>(&self, of_host: &'a str) -> Option<&'a str> {
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
        let port = address.port().to_string();
        let mut home = None;
        let mut command = match &self.kind {
            Kind::Host => {
                let home = home.insert(Home::new(address)?);
                let mut command = Command::new(built("release/switchboard"));
                command.args(["serve", "-c"]).arg(home.0.join("zope.conf"));
                command
            }
            Kind::Peer => {
                let mut command = Command::new(built("bench/release/peer"));
                command.args([&self.name, &port]);
                command
            }
            Kind::Bare(connections) => {
                let mut command = Command::new(built("bench/release/peer"));
                command.args([&self.name, &port, &connections.to_string()]);
                command
            }
            Kind::Command(text) => {
                let mut command = Command::new("sh");
                command.args(["-c", &format!("exec {text} {port}")]);
                command
            }
        };
        // A child is born on its parent's core.
        pin(CORES[0])?;
        let process = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let process = process.spawn().map_err(|error| format!("{}: {error}", self.name));
        pin(CORES[1])?;
        let server = Server { process: process?, address, home };
        // The bare loop counts who connects.
        if !matches!(self.kind, Kind::Bare(_)) {
            let opened = dial::patiently(|| dial::open(address, self.target("/echo")));
            opened.map_err(|error| format!("{} does not answer: {error}", self.name))?;
        }
        Ok(server)
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
    process: Child,
    pub(crate) address: SocketAddr,
    home: Option<Home>,
}

impl Server {
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

    /// Resident memory, in bytes.
    pub(crate) fn memory(&self) -> Outcome<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).ok_or("no VmRSS")?;
        Ok(line.split_whitespace().nth(1).ok_or("no number")?.parse::<u64>()? * 1024)
    }

    /// The host's listener for TLS, and the certificate with which it answers, in DER.
    pub(crate) fn tls(&self) -> Option<(SocketAddr, Vec<u8>)> {
        let certificate = self.home.as_ref()?.certificate().ok()?;
        Some((tls_address(self.address), certificate))
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

/// The host's directory, which goes with it.
#[derive(Debug)]
struct Home(PathBuf);

/// Nothing but the addresses, the paths, one thread, and no pings between measurements.
const CONF: &str = "plugin-path plugins
worker-threads 1
<limits>
  ping-interval 0
</limits>
<listener main>
  address ADDRESS
</listener>
<listener safe>
  address SAFE
  <ssl>
    certificate certificate.pem
    key key.pem
  </ssl>
</listener>
<websocket /echo>
  <plugin echo />
</websocket>
<websocket /shared>
  compression shared
  <plugin echo />
</websocket>
<websocket /dedicated>
  compression dedicated
  <plugin echo />
</websocket>
<websocket /fan>
  <plugin fan />
</websocket>
";

impl Home {
    fn new(address: SocketAddr) -> Outcome<Self> {
        let name = format!("switchboard-bench-{}-{}", std::process::id(), address.port());
        let home = Self(std::env::temp_dir().join(name));
        let plugins = home.0.join("plugins");
        std::fs::create_dir_all(&plugins)?;
        for name in ["release/libecho.so", "bench/release/libfan.so"] {
            let from = built(name);
            let file = from.file_name().ok_or("no name")?;
            std::fs::copy(&from, plugins.join(file))
                .map_err(|error| format!("{}: {error}", from.display()))?;
        }
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
        std::fs::write(home.0.join("certificate.der"), made.cert.der())?;
        std::fs::write(home.0.join("certificate.pem"), made.cert.pem())?;
        let key = home.0.join("key.pem");
        std::fs::write(&key, made.signing_key.serialize_pem())?;
        std::fs::set_permissions(key, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
        let conf = CONF
            .replace("ADDRESS", &address.to_string())
            .replace("SAFE", &tls_address(address).to_string());
        std::fs::write(home.0.join("zope.conf"), conf)?;
        Ok(home)
    }

    fn certificate(&self) -> Outcome<Vec<u8>> {
        Ok(std::fs::read(self.0.join("certificate.der"))?)
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The same port at another address of this machine.
fn tls_address(address: SocketAddr) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 2], address.port()))
}
