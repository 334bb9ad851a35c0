//! What a running host says of itself.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::timeout_at;

use super::report::{self, hex};
use crate::conf::{ConfFile, EndpointSettings, ExternalTarget, Settings};
use crate::connection::{Listed, Page, Shard};
use crate::endpoint::Endpoint;
use crate::library::Library;
use crate::listener::Listener;
use crate::shard::{Budget, Shards};

/// All that is asked for, of one host that runs.
pub struct Host {
    started: Instant,
    conf_files: Vec<ConfFile>,
    connections_max: usize,
    listeners: Vec<report::Listener>,
    shards: Arc<Shards>,
    endpoints: Vec<Arc<Endpoint>>,
    memory: Arc<Budget>,
    stopping: watch::Receiver<bool>,
    stop: mpsc::Sender<String>,
}

/// How long a shard has for all of its answer, of which it gives a piece a turn. One that an
/// endpoint holds up has no turn.
const SHARD_PATIENCE: Duration = Duration::from_secs(3);

impl Host {
    /// A host that begins now. `memory` is its budget; `stopping` turns true when it begins to end,
    /// and `stop` takes who asks for that.
    pub fn new(
        settings: &Settings,
        listeners: &[Listener],
        endpoints: &[Arc<Endpoint>],
        shards: &Arc<Shards>,
        memory: &Arc<Budget>,
        stopping: watch::Receiver<bool>,
        stop: mpsc::Sender<String>,
    ) -> Self {
        Self {
            started: Instant::now(),
            conf_files: settings.conf_files.clone(),
            connections_max: settings.limits.connections_max,
            listeners: listeners.iter().map(listener).collect(),
            shards: Arc::clone(shards),
            endpoints: endpoints.to_vec(),
            memory: Arc::clone(memory),
            stopping,
            stop,
        }
    }

    pub(super) fn status(&self) -> report::Status {
        let conf_file = |file: &ConfFile| report::ConfFile {
            path: file.path.display().to_string(),
            sha256: hex(&file.sha256),
        };
        let shard =
            |index| report::Shard { sockets: self.shards.face(index).load.load(Ordering::Relaxed) };
        report::Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            uptime_seconds: self.started.elapsed().as_secs(),
            stopping: *self.stopping.borrow(),
            conf: self.conf_files.iter().map(conf_file).collect(),
            listeners: self.listeners.clone(),
            endpoints: self.endpoints.iter().map(endpoint).collect(),
            connections: self.count(None),
            max_connections: self.connections_max,
            memory_bytes: self.memory.used(),
            max_memory_bytes: self.memory.most(),
            shards: (0..self.shards.count()).map(shard).collect(),
        }
    }

    /// True if an endpoint answers at exactly this prefix.
    pub(super) fn has(&self, prefix: &str) -> bool {
        self.endpoints.iter().any(|known| known.settings.mount.prefix == prefix)
    }

    /// Connections, of all endpoints or of those at one prefix.
    fn count(&self, prefix: Option<&str>) -> usize {
        let wanted =
            |known: &&Arc<Endpoint>| prefix.is_none_or(|p| known.settings.mount.prefix == p);
        let count = |known: &Arc<Endpoint>| known.connections.load(Ordering::Relaxed);
        self.endpoints.iter().filter(wanted).map(count).sum()
    }

    /// At most `most` connections. Each shard is asked for a piece of its table after the other, so
    /// that its clients do not notice; all shards at once, so that one that is held up does not
    /// hold up the answer of the others.
    pub(super) async fn connections(
        &self,
        prefix: Option<&str>,
        most: usize,
    ) -> report::Connections {
        let mut asked = JoinSet::new();
        for index in 0..self.shards.count() {
            let (shards, prefix) = (Arc::clone(&self.shards), prefix.map(Arc::from));
            asked.spawn(async move { (index, of_shard(&shards, index, prefix, most).await) });
        }
        let (mut found, mut silent_shards) = (Vec::new(), Vec::new());
        while let Some(answer) = asked.join_next().await {
            // A task of this kind does not panic, and nobody aborts it.
            let Ok((index, (listed, whole))) = answer else { continue };
            found.extend(listed);
            if !whole {
                silent_shards.push(index);
            }
        }
        found.sort_by_key(|listed| listed.uid);
        found.truncate(most);
        silent_shards.sort_unstable();
        let connections = found.into_iter().map(connection).collect();
        report::Connections { total: self.count(prefix), connections, silent_shards }
    }

    pub(super) fn plugins(&self) -> report::Plugins {
        let mut plugins: Vec<report::Plugin> = Vec::new();
        for known in &self.endpoints {
            let EndpointSettings::Plugin(section) = &known.settings.endpoint else { continue };
            let Some(library) = &known.library else { continue };
            let sha256 = hex(&library.sha256);
            let place = plugins.iter().position(|plugin| plugin.sha256 == sha256);
            let place = place.unwrap_or_else(|| {
                plugins.push(plugin(library, &section.name, sha256));
                plugins.len() - 1
            });
            let connections = known.connections.load(Ordering::Relaxed);
            let endpoint = known.settings.mount.prefix.clone();
            plugins[place].instances.push(report::Instance { endpoint, connections });
            plugins[place].connections += connections;
        }
        report::Plugins { plugins }
    }

    /// Has the host end as a signal does. `who` is for the log.
    pub(super) fn stop(&self, who: String) -> report::Stopping {
        // If somebody has asked already, or a signal came, it is on its way.
        let _ = self.stop.try_send(who);
        report::Stopping { pid: std::process::id(), stopping: true }
    }
}

/// What the shard has, at most `most`; and whether it has answered to the end.
async fn of_shard(
    shards: &Shards,
    index: usize,
    prefix: Option<Arc<str>>,
    most: usize,
) -> (Vec<Listed>, bool) {
    let until = Instant::now() + SHARD_PATIENCE;
    let (mut found, mut next) = (Vec::new(), Some(0));
    while let Some(first) = next.filter(|_| found.len() < most) {
        let Some(page) = page(shards, index, first, prefix.clone(), until).await else {
            return (found, false);
        };
        found.extend(page.connections);
        next = page.next;
    }
    (found, true)
}

/// A piece of the shard's table, by a task in its mailbox.
async fn page(
    shards: &Shards,
    index: usize,
    first: usize,
    prefix: Option<Arc<str>>,
    until: Instant,
) -> Option<Page> {
    let (answer, answered) = oneshot::channel();
    let task = move || {
        let Some(shard) = Shard::current() else { return };
        // Nobody waits any more if this took too long.
        let _ = answer.send(shard.list(first, prefix.as_deref()));
    };
    shards.run(index, Box::new(task));
    timeout_at(until.into(), answered).await.ok()?.ok()
}

fn listener(listener: &Listener) -> report::Listener {
    let (name, tls) = (listener.name.clone(), listener.is_tls());
    report::Listener { name, address: listener.to_string(), tls }
}

fn endpoint(known: &Arc<Endpoint>) -> report::Endpoint {
    let (settings, budget) = (&known.settings, &known.owner.budget);
    let (kind, answers) = match &settings.endpoint {
        EndpointSettings::Plugin(plugin) => ("plugin", plugin.name.clone()),
        EndpointSettings::External(external) => ("external", target(&external.target)),
        EndpointSettings::Forward(forward) => ("forward", forward.url.to_string()),
    };
    report::Endpoint {
        prefix: settings.mount.prefix.clone(),
        hosts: settings.mount.hosts.clone(),
        listeners: settings.mount.listeners.clone(),
        kind: kind.to_owned(),
        answers,
        connections: known.connections.load(Ordering::Relaxed),
        max_connections: settings.limits.connections_max,
        memory_bytes: budget.used(),
        max_memory_bytes: budget.most(),
    }
}

/// Without the arguments of a program, which may be secret.
fn target(target: &ExternalTarget) -> String {
    match target {
        ExternalTarget::Program { program, .. } => program.display().to_string(),
        ExternalTarget::Socket(path) => path.display().to_string(),
    }
}

fn connection(listed: Listed) -> report::Connection {
    report::Connection {
        uid: listed.uid,
        endpoint: listed.prefix,
        peer: listed.peer.map(|peer| peer.to_string()),
        shard: listed.conn.shard(),
        phase: listed.phase.to_owned(),
        messages: listed.messages,
        quiet_seconds: listed.quiet.map(|quiet| quiet.as_secs_f64()),
        waiting_bytes: listed.waiting_bytes,
        held_bytes: listed.held_bytes,
    }
}

fn plugin(library: &Library, name: &str, sha256: String) -> report::Plugin {
    report::Plugin {
        name: name.to_owned(),
        id: library.id.clone(),
        version: library.version.clone(),
        build: library.build.clone(),
        path: library.file.display().to_string(),
        sha256,
        instances: Vec::new(),
        connections: 0,
    }
}
