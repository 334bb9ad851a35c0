//! The one place of wiring: from settings to a running host, and to its end.

mod ending;

use std::sync::Arc;
use std::thread::JoinHandle;

use mio::{Poll, Waker};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::runtime::LocalOptions;
use tokio::sync::{mpsc, watch};

use crate::admin::{Host, Socket, SocketError};
use crate::conf::{EndpointSettings, ForwardSettings, PluginSettings, Settings, WebSocketSettings};
use crate::connection::{MAILBOX, Shard};
use crate::endpoint::external::ExternalEndpoint;
use crate::endpoint::forward::ForwardEndpoint;
use crate::endpoint::plugin::PluginEndpoint;
use crate::endpoint::{self, Endpoint, Failed};
use crate::front::{Files, Front, on_arrival};
use crate::library::{Libraries, Library, LoadError, ProbeCommand, find};
use crate::listener::{Acceptor, BindError, Listener};
use crate::route::Table;
use crate::shard::{Budget, Mail, SHARDS_MAX, Shards};
use crate::tls::{self, Certificate, CertificateError, RootsError, TlsError};

use ending::{Signals, all_ended, drain_endpoints, stop_endpoints};

/// Why the host did not start, or did not end well.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// An address.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The control socket.
    #[error(transparent)]
    Admin(#[from] SocketError),
    /// A plugin's file.
    #[error("{at}: <plugin {name}>: {source}")]
    Load {
        /// Place in the conf.
        at: String,
        /// Its name.
        name: String,
        /// What is wrong.
        source: Box<LoadError>,
    },
    /// A plugin's instance.
    #[error("{at}: <plugin {name}>: {source}")]
    Start {
        /// Place in the conf.
        at: String,
        /// Its name.
        name: String,
        /// What it said.
        source: Failed,
    },
    /// A certificate or its key.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// Those whom a `wss://` server's certificate may be signed by.
    #[error("{at}: <websocket {prefix}> <forward>: {source}")]
    Roots {
        /// Place in the conf.
        at: String,
        /// Where it is mounted.
        prefix: String,
        /// What is wrong.
        source: Box<RootsError>,
    },
    /// TLS itself.
    #[error("TLS: {0}")]
    Tls(#[from] TlsError),
    /// The place of private copies.
    #[error("{0}")]
    Libraries(Box<LoadError>),
    /// The system.
    #[error("{what}: {source}")]
    System {
        /// What was tried.
        what: &'static str,
        /// What it said.
        source: std::io::Error,
    },
    /// A bug of the host.
    #[error("a shard ended by itself: {0}")]
    Shard(String),
}

/// Runs the host until a signal ends it.
///
/// # Errors
/// It did not start, or a shard ended by itself.
pub fn serve(settings: &Settings) -> Result<(), ServeError> {
    raise_file_limit(settings);
    let tls: Vec<_> = certificates(settings).map(secured).collect::<Result<_, _>>()?;
    let bound: Result<Vec<_>, _> = settings.listeners.iter().map(Listener::bind).collect();
    let listeners = bound?;
    let urls: Vec<_> = listeners.iter().filter_map(Listener::url).collect();
    let addresses: Vec<_> =
        listeners.iter().map(|listener| (listener.name.clone(), listener.to_string())).collect();

    let polls =
        polls(settings.shards.clamp(1, SHARDS_MAX)).map_err(system("cannot make a poll"))?;
    let (polls, wakers): (Vec<_>, Vec<_>) = polls.into_iter().unzip();
    let shards = Arc::new(Shards::new(wakers));
    // Kept until the host ends: its drop removes the private copies.
    let libraries = libraries(settings)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(system("cannot start the control runtime"))?;
    // The drop of it, or of the task that it moves to, removes the file.
    let admin = settings.admin.as_ref().map(|admin| runtime.block_on(Socket::bind(admin)));
    let admin = admin.transpose()?;
    let memory = Arc::new(Budget::of_host(settings.limits.memory_bytes_max));
    let endpoints = start_endpoints(settings, &libraries, &shards, &memory)?;
    let (stop, stopped) = watch::channel(false);
    let (ask_stop, mut stop_asked) = mpsc::channel(1);
    let stopping = stopped.clone();
    let host = Host::new(settings, &listeners, &endpoints, &shards, &memory, stopping, ask_stop);
    let front = Arc::new(front(settings, tls, &endpoints, stopped));
    let (ended, mut ends) = mpsc::unbounded_channel();
    for (index, poll) in polls.into_iter().enumerate() {
        start_shard(index, poll, &shards, &front, settings, ended.clone())
            .map_err(system("cannot start a shard"))?;
    }
    drop(ended);
    let acceptor = Acceptor::start(listeners, Arc::clone(&shards), settings.limits.connections_max)
        .map_err(system("cannot start the acceptor"))?;
    runtime.block_on(async {
        // Who reads "ready" may send a signal at once.
        let mut signals = Signals::new().map_err(system("cannot wait for signals"))?;
        for (name, address) in &addresses {
            tracing::info!("listening on {address} (listener {name})");
        }
        if let Some(admin) = admin {
            tracing::info!("control socket {}", admin.path().display());
            tokio::spawn(admin.serve(host));
        }
        let (count, threads) = (endpoints.len(), shards.count());
        tracing::info!("ready: {count} endpoints on {threads} shards {}", urls.join(" "));
        tokio::select! {
            name = signals.next() => tracing::info!("{name}: stopping"),
            Some(who) = stop_asked.recv() => tracing::info!("{who}: stopping"),
            end = ends.recv() => {
                let how = end.and_then(Result::err);
                return Err(ServeError::Shard(how.unwrap_or_else(|| "nobody stopped it".to_owned())));
            }
        }
        acceptor.stop();
        // Nobody listens if no socket is with HTTP.
        let _ = stop.send(true);
        drain_endpoints(&endpoints, &mut signals, settings).await;
        for index in 0..shards.count() {
            shards.face(index).mailbox.post(Mail::Stop);
        }
        tokio::select! {
            () = all_ended(&mut ends) => {}
            () = tokio::time::sleep(settings.stop_timeout) => {
                tracing::warn!("stop-timeout is over: {} connections are cut", shards.load());
                return Ok(());
            }
            name = signals.next() => {
                tracing::warn!("{name} again: {} connections are cut", shards.load());
                std::process::exit(1);
            }
        }
        stop_endpoints(endpoints, &mut signals, settings).await;
        tracing::info!("stopped");
        Ok(())
    })
}

fn system(what: &'static str) -> impl Fn(std::io::Error) -> ServeError {
    move |source| ServeError::System { what, source }
}

/// Each connection needs a descriptor, and the usual soft limit is far below the hard one.
fn raise_file_limit(settings: &Settings) {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    if limit.current != limit.maximum && setrlimit(Resource::Nofile, raised).is_err() {
        tracing::warn!("the limit of open files could not be raised");
    }
    let files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let promised = settings.limits.connections_max as u64;
    let forwards =
        |section: &WebSocketSettings| matches!(section.endpoint, EndpointSettings::Forward(_));
    // A client of a forward needs two.
    let (each, why) = match settings.websockets.iter().any(forwards) {
        true => (2, " and a <forward> needs two for each"),
        false => (1, ""),
    };
    if files < promised * each {
        tracing::warn!(
            "max-connections is {promised}{why}, but the limit of open files (ulimit -n) is {files}"
        );
    }
}

fn polls(count: usize) -> std::io::Result<Vec<(Poll, Waker)>> {
    let make = |_| {
        let poll = Poll::new()?;
        let waker = Waker::new(poll.registry(), MAILBOX)?;
        Ok((poll, waker))
    };
    (0..count).map(make).collect()
}

fn start_endpoints(
    settings: &Settings,
    libraries: &Libraries,
    shards: &Arc<Shards>,
    memory: &Arc<Budget>,
) -> Result<Vec<Arc<Endpoint>>, ServeError> {
    let stop_timeout = settings.stop_timeout;
    let start_plugin = |section: &WebSocketSettings, plugin: &PluginSettings| {
        let library = load(libraries, settings, plugin)?;
        let owner = endpoint::new_owner(section, memory);
        let instance = PluginEndpoint::start(&library, &owner, section, plugin, shards);
        let instance = instance.map_err(not_started(plugin))?;
        let (prefix, id, version) = (&section.mount.prefix, &library.id, &library.version);
        tracing::info!("{prefix}: plugin {id} {version} ({})", library.file.display());
        let endpoint = Endpoint::new(owner, section.clone(), Box::new(instance));
        Ok(Arc::new(endpoint.of(library)))
    };
    let start = |section: &WebSocketSettings| match &section.endpoint {
        EndpointSettings::Plugin(plugin) => start_plugin(section, plugin),
        EndpointSettings::External(external) => {
            let owner = endpoint::new_owner(section, memory);
            let instance = ExternalEndpoint::start(&owner, section, external, stop_timeout, shards);
            let instance = instance.map_err(|source| {
                let (at, name) = (external.at.clone(), section.mount.prefix.clone());
                ServeError::Start { at, name, source }
            })?;
            Ok(Arc::new(Endpoint::new(owner, section.clone(), Box::new(instance))))
        }
        EndpointSettings::Forward(forward) => {
            let owner = endpoint::new_owner(section, memory);
            let debug_mode = settings.debug_mode;
            let tls = trust(section, forward)?;
            let instance = ForwardEndpoint::new(&owner, section, forward, tls, debug_mode, shards);
            tracing::info!("{}: forward to {}", section.mount.prefix, forward.url);
            Ok(Arc::new(Endpoint::new(owner, section.clone(), Box::new(instance))))
        }
    };
    settings.websockets.iter().map(start).collect()
}

pub(crate) fn not_started(plugin: &PluginSettings) -> impl FnOnce(Failed) -> ServeError {
    let (at, name) = (plugin.at.clone(), plugin.name.clone());
    move |source| ServeError::Start { at, name, source }
}

pub(crate) fn libraries(settings: &Settings) -> Result<Libraries, ServeError> {
    Libraries::new(settings.private_copies(), ProbeCommand::this_program())
        .map_err(|error| ServeError::Libraries(error.into()))
}

/// Finds and loads a plugin. A name that contains a slash is a path, from
/// `instancehome` if it is relative.
pub(crate) fn load(
    libraries: &Libraries,
    settings: &Settings,
    plugin: &PluginSettings,
) -> Result<Arc<Library>, ServeError> {
    let file = if plugin.name.contains('/') {
        Ok(settings.instance_home.join(&plugin.name))
    } else {
        find(&settings.plugin_path, &plugin.name)
    };
    file.and_then(|file| libraries.load(&file)).map_err(|source| {
        let (at, name) = (plugin.at.clone(), plugin.name.clone());
        ServeError::Load { at, name, source: source.into() }
    })
}

/// The certificate of each listener, if it has one.
pub(crate) fn certificates(
    settings: &Settings,
) -> impl Iterator<Item = Option<Result<Certificate, CertificateError>>> {
    settings.listeners.iter().map(|listener| listener.ssl.as_ref().map(Certificate::load))
}

fn secured(
    certificate: Option<Result<Certificate, CertificateError>>,
) -> Result<Option<tls::Server>, ServeError> {
    let Some(certificate) = certificate.transpose()? else { return Ok(None) };
    for warning in &certificate.warnings {
        tracing::warn!("{warning}");
    }
    Ok(Some(tls::Server::new(&certificate)?))
}

/// What a forward to a `wss://` server speaks TLS with.
pub(crate) fn trust(
    section: &WebSocketSettings,
    forward: &ForwardSettings,
) -> Result<Option<tls::Client>, ServeError> {
    let wanted = forward.url.tls.then(|| tls::Client::new(forward.ca.as_ref()));
    wanted.transpose().map_err(|source| match source {
        RootsError::File(error) => error.into(),
        source => {
            let (at, prefix) = (forward.at.clone(), section.mount.prefix.clone());
            ServeError::Roots { at, prefix, source: source.into() }
        }
    })
}

fn front(
    settings: &Settings,
    tls: Vec<Option<tls::Server>>,
    endpoints: &[Arc<Endpoint>],
    stop: watch::Receiver<bool>,
) -> Front {
    let listeners: Vec<_> = settings.listeners.iter().map(|known| known.name.clone()).collect();
    let websockets = endpoints
        .iter()
        .map(|endpoint| (endpoint.settings.mount.clone(), Arc::clone(endpoint)))
        .collect();
    let files = settings
        .https
        .iter()
        .map(|http| (http.mount.clone(), Arc::new(Files::new(http.files.clone()))))
        .collect();
    Front {
        websockets: Table::new(websockets, &listeners),
        files: Table::new(files, &listeners),
        tls,
        limits: settings.limits.clone(),
        debug_mode: settings.debug_mode,
        stop,
    }
}

fn start_shard(
    index: usize,
    poll: Poll,
    shards: &Arc<Shards>,
    front: &Arc<Front>,
    settings: &Settings,
    ended: mpsc::UnboundedSender<Result<(), String>>,
) -> std::io::Result<JoinHandle<()>> {
    let (shards, front) = (Arc::clone(shards), Arc::clone(front));
    let (limits, topics) = (settings.limits.clone(), settings.topics.clone());
    std::thread::Builder::new().name(format!("shard-{index}")).spawn(move || {
        // Told also if the thread panics.
        let mut end = Ended { ended, how: Err(format!("shard {index} panicked")) };
        let run = || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build_local(LocalOptions::default())?;
            runtime.block_on(async {
                let shard = Shard::new(index, shards, &poll, limits, topics)?;
                shard.run(poll, on_arrival(front)).await
            })
        };
        end.how = run().map_err(|error| format!("shard {index}: {error}"));
    })
}

struct Ended {
    ended: mpsc::UnboundedSender<Result<(), String>>,
    how: Result<(), String>,
}

impl Drop for Ended {
    fn drop(&mut self) {
        // Nobody waits any more when the stop took too long.
        let _ = self.ended.send(std::mem::replace(&mut self.how, Ok(())));
    }
}
