//! Typed values to settings: what they mean together, and what they point to.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use figment::value::Tag;
use figment::value::magic::Tagged;
use switchboard_websocket::Server;

use super::datatype::{ByteSize, FilePath, HostPattern, Name, Whole, habit};
use super::error::Faults;
use super::mounts::Mounts;
use super::place::{Place, Places};
use super::program::is_absent;
use super::raw::{
    Given, RawConf, RawConfig, RawExternal, RawForward, RawHttp, RawLimits, RawPlugin, RawWebSocket,
};
use super::suggest::header;
use super::{
    Compression, EndpointSettings, ExternalSettings, ExternalTarget, ForwardSettings, HttpSettings,
    ListenerSettings, Mount, NamedFile, PluginSettings, Settings, StaticSettings, TopicLimits,
    WebSocketSettings,
};

/// What the kernel takes as the path of a Unix socket: `sun_path` without its final NUL.
pub(super) const SOCKET_PATH_BYTES_MAX: usize = 107;
/// What `<config>` of a program may have: it goes in one frame, and a program takes at least 64 KiB.
const PROGRAM_CONFIG_BYTES_MAX: usize = 48 << 10;

/// Checks what no single value can know, and fills in what follows from other values.
pub(super) struct Settling<'s> {
    pub(super) faults: &'s mut Faults,
    pub(super) places: &'s Places,
    /// The conf file, for what is wrong with the conf as a whole.
    pub(super) file: Place,
    /// Relative paths start here.
    pub(super) home: PathBuf,
    /// That of the user who starts the host: what a `~` stands for.
    pub(super) user_home: Option<PathBuf>,
}

impl Settling<'_> {
    /// The settings. They are good only if no fault was found.
    pub(super) fn settle(mut self, raw: RawConf) -> Settings {
        self.home = self.instance_home(raw.instancehome.as_ref());
        let client_home = raw.clienthome.as_ref();
        let client_home =
            client_home.map_or_else(|| self.below_home("var"), |path| self.path(value(path)));
        let client_home_at = raw.clienthome.as_ref().map(|given| self.at(given.tag()));
        let client_home_at = client_home_at.unwrap_or_else(|| self.file.to_string());
        let plugin_path_at =
            raw.plugin_path.iter().map(|given| format!("{}: plugin-path", self.at(given.tag())));
        let plugin_path_at = plugin_path_at.collect();
        let plugin_path = match &raw.plugin_path[..] {
            [] => vec![client_home.join("plugins")],
            given => given.iter().map(|path| self.path(value(path))).collect(),
        };
        let limits = self.limits(&raw.limits, None, "<limits>");
        let listeners = self.listeners(raw.listener);
        let admin = raw.admin.as_ref().map(|raw| self.admin(raw, &client_home, &listeners));
        Settings {
            client_home_at: format!("{client_home_at}: clienthome"),
            plugin_path,
            plugin_path_at,
            shards: match number(&raw.worker_threads) {
                0 => std::thread::available_parallelism().map_or(1, usize::from),
                threads => threads,
            },
            debug_mode: value(&raw.debug_mode).0,
            stop_timeout: value(&raw.stop_timeout).0,
            log_level: *value(&raw.eventlog.level),
            topics: TopicLimits {
                topics_max: number(&raw.topics.max_topics),
                history_bytes_max: bytes(&raw.topics.max_history),
                keep_empty: value(&raw.topics.keep_empty).0,
            },
            websockets: self.websockets(raw.websocket, &raw.limits, &listeners),
            https: self.https(raw.http, &listeners),
            admin,
            conf_files: Vec::new(),
            warnings: Vec::new(),
            instance_home: self.home,
            client_home,
            limits,
            listeners,
        }
    }

    fn instance_home(&mut self, given: Option<&Given<FilePath>>) -> PathBuf {
        let Some(given) = given else {
            return self.home.clone();
        };
        let home = self.path(value(given));
        if !home.is_dir() {
            let message = format!("there is no directory {}", home.display());
            self.faults.of(self.places, given.tag(), "instancehome", message);
        }
        home
    }

    /// A file that is read later, and where it is named.
    pub(super) fn named_file(&self, given: &Given<FilePath>, directive: &str) -> NamedFile {
        let at = format!("{}: {directive}", self.at(given.tag()));
        NamedFile { path: self.path(value(given)), at }
    }

    fn websockets(
        &mut self,
        raw: BTreeMap<String, RawWebSocket>,
        top: &RawLimits,
        listeners: &[ListenerSettings],
    ) -> Vec<WebSocketSettings> {
        let mut mounts = Mounts::new("websocket", listeners);
        let mut all = Vec::new();
        for raw in in_file_order(raw, |raw| raw.prefix.tag()) {
            let mount = self.mount(&mut mounts, &raw.prefix, &raw.host, &raw.listener);
            let path = format!("{} <limits>", header("websocket", &mount.prefix));
            let limits = self.limits(&raw.limits, Some(top), &path);
            // That there is one, and no other, was seen before.
            let plugin = raw.plugin.values().next();
            let endpoint = match (&raw.forward, &raw.external, plugin) {
                (Some(forward), ..) => EndpointSettings::Forward(self.forward(forward, &mount)),
                (_, Some(external), _) => match self.external(external, raw.prefix.tag(), &mount) {
                    Some(external) => EndpointSettings::External(external),
                    None => continue,
                },
                (.., Some(plugin)) => EndpointSettings::Plugin(self.plugin(plugin)),
                _ => continue,
            };
            all.push(WebSocketSettings {
                mount,
                origins: raw.origin.iter().map(|origin| value(origin).clone()).collect(),
                origin_required: value(&raw.origin_required).0,
                subprotocols: raw.subprotocol.iter().map(|name| value(name).0.clone()).collect(),
                compression: Compression {
                    mode: *value(&raw.compression),
                    message_bytes_min: bytes(&raw.compression_threshold),
                    window_bits: *value(&raw.compression_window),
                },
                limits,
                endpoint,
            });
        }
        all
    }

    fn plugin(&self, raw: &RawPlugin) -> PluginSettings {
        PluginSettings {
            name: value(&raw.name).clone(),
            config: config_lines(&raw.config),
            at: self.at(raw.name.tag()),
        }
    }

    fn external(
        &mut self,
        raw: &Tagged<RawExternal>,
        around: Tag,
        mount: &Mount,
    ) -> Option<ExternalSettings> {
        let directive = format!("{} <external>", header("websocket", &mount.prefix));
        let (target, target_at) = self.external_target(raw, raw.tag(), &directive)?;
        let config = config_lines(&raw.config);
        let bytes = config.iter().map(|(key, value)| key.len() + value.len() + 16).sum::<usize>();
        if bytes > PROGRAM_CONFIG_BYTES_MAX {
            let message = format!(
                "{bytes} bytes of settings; a program gets at most \
                                   {PROGRAM_CONFIG_BYTES_MAX}"
            );
            self.faults.of(self.places, raw.tag(), &format!("{directive} <config>"), message);
            return None;
        }
        Some(ExternalSettings {
            target,
            target_at,
            config,
            drain_timeout: value(&raw.drain_timeout).0,
            start_timeout: value(&raw.start_timeout).0,
            stop_timeout: value(&raw.stop_timeout).0,
            at: self.at(around),
        })
    }

    /// Exactly one of program and socket, and where it is named.
    fn external_target(
        &mut self,
        raw: &RawExternal,
        header: Tag,
        directive: &str,
    ) -> Option<(ExternalTarget, String)> {
        let key = |tag: Tag, key| format!("{}: {directive} {key}", self.at(tag));
        match (&raw.program, &raw.socket) {
            (Some(given), None) => {
                let mut words = value(given).0.split_whitespace().map(str::to_owned);
                let first = words.next().unwrap_or_default();
                let program =
                    if first.contains('/') { self.below_home(&first) } else { first.into() };
                let more = raw.argument.iter().map(|argument| value(argument).0.clone());
                let arguments = words.chain(more).collect();
                Some((ExternalTarget::Program { program, arguments }, key(given.tag(), "program")))
            }
            (None, Some(socket)) => {
                let target_at = key(socket.tag(), "socket");
                if let Some(argument) = raw.argument.first() {
                    let message = "an argument is for a program that the host starts, and this one \
                                   listens on a socket; remove it";
                    let directive = format!("{directive} argument");
                    self.faults.of(self.places, argument.tag(), &directive, message);
                    return None;
                }
                Some((ExternalTarget::Socket(self.path(value(socket))), target_at))
            }
            (Some(_), Some(socket)) => {
                let message = "there is a program already; the host starts a program, or connects \
                               to a socket, not both";
                self.faults.of(self.places, socket.tag(), &format!("{directive} socket"), message);
                None
            }
            (None, None) => {
                let message = "there is neither a program nor a socket; write 'program \
                               path/to/program', or 'socket path/to/socket' for one that listens";
                // A key that is misspelt may be the one.
                if !self.faults.incomplete {
                    self.faults.of(self.places, header, directive, message);
                }
                None
            }
        }
    }

    fn forward(&mut self, raw: &RawForward, mount: &Mount) -> ForwardSettings {
        let mut url = value(&raw.url).clone();
        if let Server::Unix(path) = &mut url.server {
            let whole = self.below_home(&*path);
            if whole.as_os_str().len() > SOCKET_PATH_BYTES_MAX {
                let directive = format!("{} <forward> url", header("websocket", &mount.prefix));
                self.faults.of(self.places, raw.url.tag(), &directive, too_long(&whole));
            }
            *path = whole.to_string_lossy().into_owned();
        }
        let directive = format!("{} <forward> ca", header("websocket", &mount.prefix));
        if let Some(ca) = raw.ca.as_ref().filter(|_| !url.tls) {
            let message = "there is no certificate to check; the url does not begin with wss://";
            self.faults.of(self.places, ca.tag(), &directive, message);
        }
        ForwardSettings {
            ca: raw.ca.as_ref().map(|ca| self.named_file(ca, &directive)),
            at: self.at(raw.url.tag()),
            url,
            append_path: value(&raw.append_path).0,
            connect_timeout: value(&raw.connect_timeout).0,
            forward_headers: raw.forward_header.iter().map(|name| value(name).0.clone()).collect(),
        }
    }

    fn https(
        &mut self,
        raw: BTreeMap<String, RawHttp>,
        listeners: &[ListenerSettings],
    ) -> Vec<HttpSettings> {
        let mut mounts = Mounts::new("http", listeners);
        let mut all = Vec::new();
        for raw in in_file_order(raw, |raw| raw.prefix.tag()) {
            let mount = self.mount(&mut mounts, &raw.prefix, &raw.host, &raw.listener);
            let Some(files) = raw.files else {
                continue;
            };
            let path = format!("{} <static> path", header("http", &mount.prefix));
            let path_at = format!("{}: {path}", self.at(files.path.tag()));
            let files = StaticSettings {
                root: self.directory(&files.path, &path),
                index: value(&files.index).0.clone(),
                cache_control: files.cache_control.as_ref().map(|given| value(given).0.clone()),
            };
            all.push(HttpSettings { mount, files, path_at });
        }
        all
    }

    /// An existing directory, without links in its path.
    fn directory(&mut self, given: &Given<FilePath>, directive: &str) -> PathBuf {
        let path = self.path(value(given));
        let message = match path.canonicalize() {
            Ok(real) if real.is_dir() => return real,
            Ok(_) => format!("{} is no directory", path.display()),
            Err(error) if is_absent(&error) => {
                format!("there is no directory {}{}", path.display(), habit(&value(given).0))
            }
            Err(error) => format!("{}: {error}", path.display()),
        };
        self.faults.of(self.places, given.tag(), directive, message);
        path
    }

    fn mount(
        &mut self,
        mounts: &mut Mounts<'_>,
        prefix: &Given<String>,
        hosts: &[Given<HostPattern>],
        listeners: &[Given<Name>],
    ) -> Mount {
        let header = header(mounts.kind, value(prefix).as_str());
        for given in listeners {
            if let Some(message) = mounts.unknown_listener(&value(given).0) {
                let directive = format!("{header} listener");
                if !self.faults.incomplete {
                    self.faults.of(self.places, given.tag(), &directive, message);
                }
            }
        }
        let mount = Mount {
            prefix: value(prefix).clone(),
            hosts: hosts.iter().map(|host| value(host).0.clone()).collect(),
            listeners: listeners.iter().map(|name| value(name).0.to_lowercase()).collect(),
            at: self.at(prefix.tag()),
        };
        if let Some(first) = mounts.add(&mount) {
            self.faults.of(self.places, prefix.tag(), &header, first);
        }
        mount
    }

    /// A path of the conf, absolute and without `.` and `~` in it.
    pub(super) fn path(&self, path: &FilePath) -> PathBuf {
        self.below_home(path.expanded(self.user_home.as_deref()))
    }

    /// The same of one in which a `~` has no meaning.
    fn below_home(&self, path: impl AsRef<Path>) -> PathBuf {
        self.home.join(path).components().collect()
    }

    /// `FILE:LINE` of what has that tag.
    pub(super) fn at(&self, tag: Tag) -> String {
        self.places.place(tag).map(ToString::to_string).unwrap_or_default()
    }
}

/// The value without its tag.
pub(super) fn value<T>(given: &Given<T>) -> &T {
    &given.0
}

pub(super) fn number(given: &Given<Whole>) -> usize {
    usize::try_from(value(given).0).unwrap_or(usize::MAX)
}

pub(super) fn bytes(given: &Given<ByteSize>) -> usize {
    usize::try_from(value(given).0).unwrap_or(usize::MAX)
}

/// The lines of a `<config>`, in file order.
fn config_lines(raw: &RawConfig) -> Vec<(String, String)> {
    let lines = raw.iter().flat_map(|(key, values)| {
        values.iter().map(move |given| (given.tag(), key.clone(), value(given).clone()))
    });
    let mut lines: Vec<_> = lines.collect();
    lines.sort_by_key(|(tag, ..)| *tag);
    lines.into_iter().map(|(_, key, value)| (key, value)).collect()
}

/// Dictionaries are sorted by key; tags were given out in the order of the lines.
pub(super) fn in_file_order<T>(sections: BTreeMap<String, T>, tag: fn(&T) -> Tag) -> Vec<T> {
    let mut sections: Vec<T> = sections.into_values().collect();
    sections.sort_by_key(tag);
    sections
}

pub(super) fn too_long(path: &Path) -> String {
    let path = path.display();
    format!("{path} is too long for a Unix socket, which may have {SOCKET_PATH_BYTES_MAX} bytes")
}

/// The directory of `file`, absolute.
pub(super) fn home_of(file: &Path) -> PathBuf {
    let file = std::path::absolute(file).unwrap_or_else(|_| file.into());
    file.parent().unwrap_or(Path::new("/")).into()
}
