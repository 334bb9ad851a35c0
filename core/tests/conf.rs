//! The conf from its text to settings, and from its mistakes to messages.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use switchboard::conf::schema::{Fallback, Naming, ROOT, Role, SectionType};
use switchboard::conf::{
    Address, ConfErrors, EndpointSettings, LogLevel, Origin, PluginSettings, Settings,
    WebSocketSettings, load, render,
};
use switchboard_zconfig::{FsLoader, Key, Section, parse};

/// A directory with conf files, gone at the end of the test.
struct Instance(tempfile::TempDir);

impl Instance {
    fn new(files: &[(&str, &str)]) -> Self {
        let instance = Self(tempfile::tempdir().expect("a directory"));
        instance.write("www/index.html", "hello");
        for (name, text) in files {
            instance.write(name, text);
        }
        instance
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("created");
        std::fs::write(path, text).expect("written");
    }

    fn load(&self, variables: &[(&str, &str)], overrides: &[&str]) -> Result<Settings, ConfErrors> {
        let environment = variables.iter().map(|(name, text)| ((*name).into(), (*text).into()));
        let overrides: Vec<String> = overrides.iter().map(|text| (*text).into()).collect();
        load(&self.path("zope.conf"), environment, &overrides)
    }

    /// `text` with the directory cut from every path.
    fn cut(&self, text: &str) -> String {
        text.replace(&format!("{}/", self.0.path().display()), "")
    }

    fn errors(&self, variables: &[(&str, &str)], overrides: &[&str]) -> Vec<String> {
        match self.load(variables, overrides) {
            Ok(_) => Vec::new(),
            Err(errors) => errors.iter().map(|e| self.cut(&e.to_string())).collect(),
        }
    }
}

const LISTENER: &str = "<listener main>\n  address 0\n</listener>\n";

fn good(text: &str) -> Settings {
    let instance = Instance::new(&[("zope.conf", text)]);
    instance.load(&[], &[]).unwrap_or_else(|errors| panic!("{text}\n{errors}"))
}

fn plugin(websocket: &WebSocketSettings) -> &PluginSettings {
    let EndpointSettings::Plugin(plugin) = &websocket.endpoint else { panic!("a plugin") };
    plugin
}

#[test]
fn a_forward_has_its_url_and_its_defaults() {
    let forward = |keys: &str| {
        let text = format!("<websocket /app>\n<forward>\n{keys}\n</forward>\n</websocket>\n");
        let settings = good(&format!("{LISTENER}{text}"));
        match &settings.websockets[0].endpoint {
            EndpointSettings::Forward(forward) => (forward.clone(), settings.instance_home),
            other => panic!("{other:?}"),
        }
    };
    let (plain, _) = forward("url ws://Behind:9000/app?x");
    assert_eq!(plain.url.to_string(), "ws://behind:9000/app?x");
    assert!(plain.append_path);
    assert_eq!(plain.connect_timeout, Duration::from_secs(5));
    assert_eq!(plain.forward_headers, ["User-Agent"]);
    let keys = "url ws+unix:run/app.sock:/x\nappend-path off\nconnect-timeout 1m\n\
                forward-header Cookie\nforward-header Authorization";
    let (full, home) = forward(keys);
    let socket = home.join("run/app.sock");
    assert_eq!(full.url.to_string(), format!("ws+unix:{}:/x", socket.display()));
    assert!(!full.append_path);
    assert_eq!(full.connect_timeout, Duration::from_secs(60));
    assert_eq!(full.forward_headers, ["Cookie", "Authorization"]);
}

#[test]
fn the_shortest_conf_has_all_the_defaults() {
    let settings = good(LISTENER);
    assert_eq!(settings.client_home, settings.instance_home.join("var"));
    assert_eq!(settings.plugin_path, [settings.instance_home.join("var/plugins")]);
    assert!(settings.shards >= 1);
    assert!(!settings.debug_mode);
    assert_eq!(settings.stop_timeout, Duration::from_secs(10));
    assert_eq!(settings.log_level, LogLevel::Info);
    let limits = &settings.limits;
    assert_eq!(limits.connections_max, 100_000);
    assert_eq!(limits.message_bytes_max, 1 << 20);
    assert_eq!(limits.frame_bytes_max, 1 << 20);
    assert_eq!(limits.header_bytes_max, 16 << 10);
    assert_eq!(limits.backlog_bytes_soft, 256 << 10);
    assert_eq!(limits.backlog_bytes_max, 4 << 20);
    assert_eq!(limits.slow_timeout, Duration::from_secs(30));
    assert_eq!(limits.handshake_timeout, Duration::from_secs(10));
    assert_eq!(limits.idle_timeout, None);
    assert_eq!(limits.ping_interval, Some(Duration::from_secs(30)));
    assert_eq!(limits.ping_timeout, Duration::from_secs(20));
    assert_eq!(limits.close_timeout, Duration::from_secs(5));
    assert_eq!(settings.topics.topics_max, 100_000);
    assert_eq!(settings.topics.history_bytes_max, 1 << 20);
    assert_eq!(settings.topics.keep_empty, Duration::from_secs(3600));
    let listener = &settings.listeners[0];
    assert_eq!(listener.name, "main");
    assert_eq!((listener.socket_mode, listener.backlog), (0o660, 1024));
    assert_eq!(listener.address, Address::Tcp(([127, 0, 0, 1], 0).into()));
}

#[test]
fn a_whole_conf_becomes_settings() {
    let settings = good(
        "
        %define HOME .
        instancehome $HOME
        CLIENTHOME data
        plugin-path a
        plugin-path /b
        worker-threads 3
        debug-mode On
        <eventlog>
          level debug
        </eventlog>
        <listener Public>
          address [::1]:0
        </listener>
        <listener local>
          address run/s.sock
          socket-mode 600
          backlog 7
        </listener>
        <topics>
          max-history 0
        </topics>",
    );
    let home = &settings.instance_home;
    assert_eq!(settings.client_home, home.join("data"));
    assert_eq!(settings.plugin_path, [home.join("a"), "/b".into()]);
    assert_eq!((settings.shards, settings.debug_mode), (3, true));
    assert_eq!(settings.log_level, LogLevel::Debug);
    assert_eq!(settings.topics.history_bytes_max, 0);
    let names: Vec<_> = settings.listeners.iter().map(|listener| listener.name.as_str()).collect();
    assert_eq!(names, ["public", "local"]);
    let local = &settings.listeners[1];
    assert_eq!(local.address, Address::Unix(home.join("run/s.sock")));
    assert_eq!((local.socket_mode, local.backlog), (0o600, 7));
}

const ENDPOINTS: &str = "
<websocket /Z/%C3%A9/ >
  <plugin Chat>
    <config>
      Title Lobby
      b 2
      Title Attic
    </config>
  </plugin>
  host WWW.example.org
  listener Main
  origin same
  origin https://*.Example.org
  origin-required yes
  subprotocol v2
  subprotocol v1
  <limits>
    max-message-size 64KB
    idle-timeout 5m
  </limits>
</websocket>
<websocket /a>
  <plugin echo />
</websocket>
<http / >
  <static>
    path www
    cache-control no-store
  </static>
</http>
<limits>
  soft-backlog 1KB
  max-message-size 2MB
</limits>
";

#[test]
fn endpoints_come_in_file_order_with_what_they_say() {
    let settings = good(&format!("{LISTENER}{ENDPOINTS}"));
    let [first, second] = &settings.websockets[..] else { panic!("two endpoints") };
    assert_eq!(first.mount.prefix, "/Z/é");
    assert_eq!(first.mount.hosts, ["www.example.org"]);
    assert_eq!(first.mount.listeners, ["main"]);
    assert!(first.mount.at.ends_with("zope.conf:5"), "{}", first.mount.at);
    assert!(first.origin_required);
    assert_eq!(first.subprotocols, ["v2", "v1"]);
    let (scheme, host) = ("https".into(), "example.org".into());
    let below = Origin::Exactly { scheme, host, port: 443, below: true };
    assert_eq!(first.origins, [Origin::Same, below]);
    assert_eq!(plugin(first).name, "Chat");
    let pairs = [("Title", "Lobby"), ("b", "2"), ("Title", "Attic")];
    assert_eq!(plugin(first).config, pairs.map(|(key, value)| (key.into(), value.into())));
    assert!(plugin(first).at.ends_with("zope.conf:6"), "{}", plugin(first).at);
    // The section's limits over the top level's over the defaults.
    assert_eq!(first.limits.message_bytes_max, 64 << 10);
    assert_eq!(first.limits.frame_bytes_max, 64 << 10);
    assert_eq!(first.limits.idle_timeout, Some(Duration::from_secs(300)));
    assert_eq!(first.limits.backlog_bytes_soft, 1 << 10);
    assert_eq!(first.limits.close_timeout, Duration::from_secs(5));
    assert_eq!(second.mount.prefix, "/a");
    assert_eq!(second.origins, [Origin::Same]);
    assert_eq!(second.limits, settings.limits);
    let files = &settings.https[0].files;
    assert_eq!(settings.https[0].mount.prefix, "/");
    assert!(files.root.ends_with("www"));
    assert_eq!(files.index, "index.html");
    assert_eq!(files.cache_control.as_deref(), Some("no-store"));
}

#[test]
fn one_prefix_may_serve_several_hosts_and_both_protocols() {
    let section = |prefix: &str, key: &str, name: &str| {
        format!("<websocket {prefix}>\n  {key}\n  <plugin {name} />\n</websocket>\n")
    };
    let settings = good(
        &[
            LISTENER,
            &LISTENER.replace("main", "other"),
            &section("/a", "host a.org", "a"),
            &section("/a", "host b.org", "b"),
            &section("/a", "", "rest"),
            &section("/b", "listener main", "c"),
            &section("/b", "listener other", "d"),
            "<http /a>\n  <static>\n    path www\n  </static>\n</http>\n",
        ]
        .concat(),
    );
    let names: Vec<_> = settings.websockets.iter().map(|w| plugin(w).name.as_str()).collect();
    assert_eq!(names, ["a", "b", "rest", "c", "d"]);
}

/// Confs, each with the messages that it gets. A good listener stands on lines 1 to 3 before each.
const WRONG: &str = "
colour red
=> zope.conf:4: colour: unknown key; known here are instancehome, clienthome, plugin-path, worker-threads, debug-mode and stop-timeout
----
debugmode on
=> zope.conf:4: debugmode: unknown key; did you mean 'debug-mode'?
----
max-message-size 1MB
=> zope.conf:4: max-message-size: unknown key here; it belongs in <limits>
----
limits 3
=> zope.conf:4: limits: is a section; write <limits>
----
<websocket /chat>
  orign *
  <plugin chat />
</websocket>
=> zope.conf:5: <websocket /chat> orign: unknown key; did you mean 'origin'?
----
<webscoket /chat>
</webscoket>
=> zope.conf:4: <webscoket /chat>: unknown section; did you mean <websocket>?
----
<static>
</static>
=> zope.conf:4: <static>: unknown section here; it belongs in <http /PREFIX>
----
<zodb_db main>
</zodb_db>
=> zope.conf:4: <zodb_db main>: unknown section; known here are <listener>, <limits>, <topics>, <websocket>, <http> and <eventlog>
----
debug-mode on
Debug-Mode on
=> zope.conf:5: Debug-Mode: given twice; the first is at zope.conf:4
----
<limits>
</limits>
<limits>
</limits>
=> zope.conf:6: <limits>: given twice; the first is at zope.conf:4
----
<listener Main>
  address 1
</listener>
=> zope.conf:4: <listener Main>: the name is taken by the section at zope.conf:1
----
<listener b>
  address 18081
</listener>
<listener c>
  address 127.0.0.1:18081
</listener>
=> zope.conf:8: <listener c> address: the address is taken by the listener at zope.conf:5
----
<websocket /chat>
  <plugin chat />
</websocket>
<websocket /%63hat/ >
  <plugin chat />
</websocket>
=> zope.conf:7: <websocket /chat>: the prefix is taken by the <websocket> section at zope.conf:4
----
<websocket /chat>
  host a.org
  host b.org
  <plugin chat />
</websocket>
<websocket /chat>
  host B.org
  <plugin chat />
</websocket>
=> zope.conf:9: <websocket /chat>: the prefix for host b.org is taken by the <websocket> section at zope.conf:4
----
<websocket /chat>
  listener main
  <plugin chat />
</websocket>
<websocket /chat>
  <plugin chat />
</websocket>
=> zope.conf:8: <websocket /chat>: the prefix is taken by the <websocket> section at zope.conf:4
----
<http / >
  <static>
    path www
  </static>
</http>
<http / >
  <static>
    path www
  </static>
</http>
=> zope.conf:9: <http />: the prefix is taken by the <http> section at zope.conf:4
----
%include missing.conf
=> zope.conf:4: cannot read missing.conf: there is no such file
----
%include zope.conf
=> zope.conf:4: %include cycle: zope.conf -> zope.conf
----
%import relstorage
=> zope.conf:4: %import: is not supported: every section that switchboard knows is known without it
----
instancehome $NOPE
=> zope.conf:4: no replacement for '$NOPE': no %define of it before this line
----
instancehome $(NOPE)
=> zope.conf:4: no replacement for '$(NOPE)': the environment has no such variable
----
instancehome nowhere
=> zope.conf:4: instancehome: there is no directory nowhere
----
<limits>
  max-message-size lots
</limits>
=> zope.conf:5: <limits> max-message-size: expected a byte size such as 16MB, found 'lots'
----
<limits>
  max-message-size -1
</limits>
=> zope.conf:5: <limits> max-message-size: expected a byte size such as 16MB, found '-1'
----
<limits>
  max-message-size 0
</limits>
=> zope.conf:5: <limits> max-message-size: expected a byte size above 0, found '0'
----
<limits>
  max-message-size
</limits>
=> zope.conf:5: <limits> max-message-size: expected a byte size such as 16MB, found nothing
----
<limits>
  max-connections many
</limits>
=> zope.conf:5: <limits> max-connections: expected a whole number from 1 to 4294967295, found 'many'
----
<limits>
  soft-backlog 8MB
</limits>
=> zope.conf:5: <limits> soft-backlog: 8MB is above max-backlog, which is 4MB
----
<websocket /chat>
  <plugin chat />
  <limits>
    max-backlog 100KB
  </limits>
</websocket>
=> zope.conf:7: <websocket /chat> <limits> max-backlog: 100KB is below soft-backlog, which is 256KB; set that too
----
<websocket /chat>
  <plugin chat />
  <limits>
    max-message-size lots
  </limits>
</websocket>
=> zope.conf:7: <websocket /chat> <limits> max-message-size: expected a byte size such as 16MB, found 'lots'
----
<websocket /chat>
  <plugin chat />
  <limits>
    max-header-size 1KB
  </limits>
</websocket>
=> zope.conf:7: <websocket /chat> <limits> max-header-size: holds for the whole host; set it in the <limits> at the top
----
stop-timeout soon
=> zope.conf:4: stop-timeout: expected a time such as 30s, 0.5s, 5m or 1h 30m, found 'soon'
----
stop-timeout 1h30m
=> zope.conf:4: stop-timeout: expected a time such as 30s, 0.5s, 5m or 1h 30m, found '1h30m'
----
<limits>
  ping-timeout 0
</limits>
=> zope.conf:5: <limits> ping-timeout: expected a time above 0, found '0'
----
debug-mode 1
=> zope.conf:4: debug-mode: expected on or off, found '1'
----
<listener b>
  address unix:/x
</listener>
=> zope.conf:5: <listener b> address: expected a port, HOST:PORT, [IPV6]:PORT, or the path of a Unix socket with a '/' in it, found 'unix:/x'
----
<listener b>
  address /a
  socket-mode rw
</listener>
=> zope.conf:6: <listener b> socket-mode: expected an octal mode from 0000 to 0777, such as 0660, found 'rw'
----
<listener b>
</listener>
=> zope.conf:4: <listener b>: 'address' is missing; write for example 'address 127.0.0.1:8080'
----
<listener>
  address 1
</listener>
=> zope.conf:4: <listener>: the name is missing; write <listener NAME>
----
<limits big>
</limits>
=> zope.conf:4: <limits big>: takes no name; write <limits>
----
<eventlog>
  level loud
</eventlog>
=> zope.conf:5: <eventlog> level: expected critical, error, warn, info, debug, trace, all, off, or a number from 0 to 50, found 'loud'
----
<websocket /chat>
  origin www.example.org
  <plugin chat />
</websocket>
=> zope.conf:5: <websocket /chat> origin: expected same, *, or an origin such as https://www.example.org or https://*.example.org, found 'www.example.org'
----
<websocket /chat>
  host www.example.org:80
  <plugin chat />
</websocket>
=> zope.conf:5: <websocket /chat> host: expected a host name without port, such as www.example.org or *.example.org, found 'www.example.org:80'
----
<websocket /chat>
  listener mian
  <plugin chat />
</websocket>
=> zope.conf:5: <websocket /chat> listener: there is no <listener mian>; did you mean 'main'?
----
<websocket /chat>
  listener public
  <plugin chat />
</websocket>
=> zope.conf:5: <websocket /chat> listener: there is no <listener public>; there is main
----
<websocket /chat>
  subprotocol a, b
  <plugin chat />
</websocket>
=> zope.conf:5: <websocket /chat> subprotocol: expected one subprotocol, such as chat.v1, found 'a, b'
----
<websocket /chat>
</websocket>
=> zope.conf:4: <websocket /chat>: nobody answers; write <plugin NAME>, <external> or <forward> inside it
----
<websocket /chat>
  <plugin chat />
  <plugin echo />
</websocket>
=> zope.conf:6: <websocket /chat>: only one may answer, but there are <plugin chat> at zope.conf:5 and <plugin echo> at zope.conf:6
----
<websocket /chat>
  <plugin />
</websocket>
=> zope.conf:5: <websocket /chat> <plugin>: the name is missing; write <plugin NAME>
----
<websocket /chat>
  <plugin chat>
    history 50
  </plugin>
</websocket>
=> zope.conf:6: <websocket /chat> <plugin chat> history: unknown key; this section takes none, but it may have <config>
----
<websocket /app>
  <plugin chat />
  <forward>
    url ws://127.0.0.1:9000
  </forward>
</websocket>
=> zope.conf:6: <websocket /app>: only one may answer, but there are <plugin chat> at zope.conf:5 and <forward> at zope.conf:6
----
<websocket /feed>
  <external>
  </external>
</websocket>
=> zope.conf:4: <websocket /feed> <external>: there is neither a program nor a socket; write 'program path/to/program', or 'socket path/to/socket' for one that listens
----
<websocket /feed>
  <external>
    program bin/feed
    socket var/feed.sock
  </external>
</websocket>
=> zope.conf:7: <websocket /feed> <external> socket: there is a program already; the host starts a program, or connects to a socket, not both
----
<websocket /app>
  <forward>
  </forward>
</websocket>
=> zope.conf:5: <websocket /app> <forward>: 'url' is missing; write for example 'url ws://127.0.0.1:9000/app'
----
<websocket /app>
  <forward>
    url http://127.0.0.1:9000
  </forward>
</websocket>
=> zope.conf:6: <websocket /app> <forward> url: expected ws://HOST:PORT/PATH or ws+unix:/PATH/OF/SOCKET:/PATH, found 'http://127.0.0.1:9000'
----
<websocket /app>
  <forward>
    url wss://127.0.0.1:9000
  </forward>
</websocket>
=> zope.conf:6: <websocket /app> <forward> url: expected ws:// or ws+unix: (wss:// comes with TLS), found 'wss://127.0.0.1:9000'
----
<websocket /app>
  <forward>
    url ws://127.0.0.1:90000
  </forward>
</websocket>
=> zope.conf:6: <websocket /app> <forward> url: expected a url such as ws://127.0.0.1:9000/app (its port is no number from 1 to 65535), found 'ws://127.0.0.1:90000'
----
<websocket /app>
  <forward>
    url ws://127.0.0.1:9000
    forward-header Host
  </forward>
</websocket>
=> zope.conf:7: <websocket /app> <forward> forward-header: expected the name of another header, since the host itself sets or leaves out this one, found 'Host'
----
<http / >
</http>
=> zope.conf:4: <http />: nobody answers; write <static> inside it
----
<http / >
  <static>
  </static>
</http>
=> zope.conf:5: <http /> <static>: 'path' is missing; write for example 'path examples/demo'
----
<http / >
  <static>
    path nowhere
  </static>
</http>
=> zope.conf:6: <http /> <static> path: there is no directory nowhere
----
<http / >
  <static>
    path www/index.html
  </static>
</http>
=> zope.conf:6: <http /> <static> path: www/index.html is no directory
----
<http />
=> zope.conf:4: <http>: is empty and has no prefix, because it ends in '/>'; write <http / > for the prefix /
----
<http>
</http>
=> zope.conf:4: <http>: the prefix is missing; write <http /PREFIX>, or <http / > for all
----
<websocket /chat/>
  <plugin chat />
</websocket>
=> zope.conf:6: unexpected section end: no <websocket> is open here; '/>' makes a section empty; write <websocket /chat/ >
----
<websocket chat>
  <plugin chat />
</websocket>
=> zope.conf:4: <websocket chat>: expected a prefix that begins with '/', found 'chat'
----
<websocket /a//b>
  <plugin chat />
</websocket>
=> zope.conf:4: <websocket /a//b>: expected a prefix without '//', found '/a//b'
----
<websocket /a/../b>
  <plugin chat />
</websocket>
=> zope.conf:4: <websocket /a/../b>: expected a prefix without '.' and '..', found '/a/../b'
----
<websocket /a%2fb>
  <plugin chat />
</websocket>
=> zope.conf:4: <websocket /a%2fb>: expected a prefix without an encoded '/', found '/a%2fb'
----
<limits>
=> zope.conf:4: unclosed sections not allowed: the file ends before </limits> of zope.conf:4
----
<limits>
  </topics>
</limits>
=> zope.conf:5: unbalanced section end: </topics> stands where </limits> of zope.conf:4 is expected
----
%define a 1
%define a 2
=> zope.conf:5: cannot redefine 'a': it is '1' since zope.conf:4
----
(x
=> zope.conf:4: malformed configuration data: a key cannot begin with a parenthesis
----
debug-mode 1
<limits>
  max-backlog x
  soft-backlog 8MB
</limits>
listener b
<websocket /a>
  listener other
  origin nobody
  <plugin a>
  </plugin>
</websocket>
=> zope.conf:4: debug-mode: expected on or off, found '1'
=> zope.conf:6: <limits> max-backlog: expected a byte size such as 16MB, found 'x'
=> zope.conf:9: listener: is a section; write <listener NAME>
=> zope.conf:12: <websocket /a> origin: expected same, *, or an origin such as https://www.example.org or https://*.example.org, found 'nobody'
";

#[test]
fn what_is_wrong_is_said_with_its_place() {
    let cases: Vec<&str> = WRONG.split("\n----\n").collect();
    assert!(cases.len() >= 60, "{}", cases.len());
    for case in cases {
        let (expected, text): (Vec<&str>, Vec<&str>) =
            case.trim().lines().partition(|line| line.starts_with("=> "));
        let text = format!("{LISTENER}{}\n", text.join("\n"));
        let instance = Instance::new(&[("zope.conf", &text)]);
        let expected: Vec<&str> = expected.iter().map(|line| &line[3..]).collect();
        assert_eq!(instance.errors(&[], &[]), expected, "\n{text}");
    }
}

#[test]
fn a_conf_without_a_listener_is_told_how_to_write_one() {
    let instance = Instance::new(&[("zope.conf", "debug-mode on\n")]);
    assert_eq!(
        instance.errors(&[], &[]),
        ["zope.conf: there is no <listener>; write '<listener main>', 'address 127.0.0.1:8080' \
          and '</listener>', each on its own line"]
    );
}

#[test]
fn a_file_that_cannot_be_read_is_one_error() {
    let instance = Instance::new(&[]);
    assert_eq!(instance.errors(&[], &[]), ["zope.conf: cannot be read: there is no such file"]);
    instance.write("zope.conf", b"debug-mode on\n# caf\xe9\n");
    let expected = ["zope.conf:2: not UTF-8: byte 0xE9; save the file as UTF-8"];
    assert_eq!(instance.errors(&[], &[]), expected);
}

#[test]
fn a_socket_path_that_the_kernel_would_cut_is_refused() {
    let text = format!("<listener a>\n  address /{}\n</listener>\n", "x".repeat(107));
    let instance = Instance::new(&[("zope.conf", &text)]);
    let found = instance.errors(&[], &[]);
    assert!(found[0].ends_with("is too long for a Unix socket, which may have 107 bytes"));
}

#[test]
fn errors_of_included_files_name_those() {
    let text = format!("{LISTENER}<limits>\n%include limits.conf\n</limits>\n");
    let instance = Instance::new(&[("zope.conf", &text), ("limits.conf", "\nmax-backlog x\n")]);
    let expected = "limits.conf:2: <limits> max-backlog: expected a byte size such as 16MB, \
                    found 'x'";
    assert_eq!(instance.errors(&[], &[]), [expected]);
}

#[test]
fn an_error_shows_its_line() {
    let text = format!("{LISTENER}<limits>\n\tmax-backlog  1\u{7}x\n</limits>\n");
    let instance = Instance::new(&[("zope.conf", &text)]);
    let errors = instance.load(&[], &[]).expect_err("an error");
    assert_eq!(
        instance.cut(&errors.to_string()),
        "zope.conf:5: <limits> max-backlog: expected a byte size such as 16MB, found '1\u{fffd}x'\n\
         \x20   5:15 |  max-backlog  1\u{fffd}x\n\
         \x20        |               ^^^\n"
    );
    assert!(render(&errors, true).contains("\x1b[1;31m^^^\x1b[0m"));
    let error = errors.iter().next().expect("an error");
    assert_eq!((error.line, error.column), (5, 15));
    assert_eq!(error.directive, "<limits> max-backlog");
}

#[test]
fn drop_ins_stand_over_the_file_in_their_order() {
    let main = format!(
        "{LISTENER}%define X 7
        stop-timeout 1s
        plugin-path a
        plugin-path b
        <websocket /chat>
          <plugin chat>
            <config>
              a 1
              b 2
            </config>
          </plugin>
          origin *
        </websocket>"
    );
    let drop_in = "
        <websocket /chat>
          subprotocol v1
          <plugin chat>
            <config>
              b 3
            </config>
          </plugin>
        </websocket>";
    let instance = Instance::new(&[
        ("zope.conf", &main),
        ("conf.d/20.conf", "stop-timeout 3s\n"),
        ("conf.d/10.conf", "stop-timeout 2s\nworker-threads $X\nplugin-path c\n"),
        ("conf.d/30.conf", drop_in),
        ("conf.d/.40.conf", "nonsense\n"),
        ("conf.d/50.conf~", "nonsense\n"),
    ]);
    let settings = instance.load(&[], &[]).expect("a good conf");
    assert_eq!(settings.stop_timeout, Duration::from_secs(3));
    assert_eq!(settings.shards, 7);
    assert_eq!(settings.plugin_path, [settings.instance_home.join("c")]);
    assert_eq!(settings.websockets.len(), 1);
    let chat = &settings.websockets[0];
    assert_eq!(chat.origins, [Origin::Any]);
    assert_eq!(chat.subprotocols, ["v1"]);
    assert_eq!(plugin(chat).config, [("a".into(), "1".into()), ("b".into(), "3".into())]);
}

#[test]
fn a_drop_in_is_blamed_by_its_own_name() {
    let instance = Instance::new(&[("zope.conf", LISTENER), ("conf.d/a.conf", "\ndebug-mode x\n")]);
    let expected = ["conf.d/a.conf:2: debug-mode: expected on or off, found 'x'"];
    assert_eq!(instance.errors(&[], &[]), expected);
}

/// Two endpoints, two listeners, and something to override in each.
const LAYERED: &str = "
debug-mode off
<listener main>
  address 0
</listener>
<listener local>
  address 0
</listener>
<websocket /chat>
  <plugin chat>
    <config>
      History 50
    </config>
  </plugin>
</websocket>
<websocket /a/B>
  <plugin echo />
</websocket>
";

#[test]
fn the_environment_stands_over_files() {
    let instance = Instance::new(&[("zope.conf", LAYERED), ("conf.d/a.conf", "debug-mode off\n")]);
    let environment = [
        ("HOME", "/root"),
        ("SWITCHBOARD", "x"),
        ("SWITCHBOARD__DEBUG_MODE", "on"),
        ("SWITCHBOARD__LIMITS__MAX_MESSAGE_SIZE", "2MB"),
        ("SWITCHBOARD__LISTENER__MAIN__BACKLOG", "9"),
        ("SWITCHBOARD__WEBSOCKET__CHAT__ORIGIN", "same https://a.org"),
        ("SWITCHBOARD__WEBSOCKET__CHAT__PLUGIN__CONFIG__HISTORY", "60 or so"),
        ("SWITCHBOARD__WEBSOCKET__A_B__ORIGIN_REQUIRED", "on"),
    ];
    let settings = instance.load(&environment, &[]).expect("a good conf");
    assert!(settings.debug_mode);
    assert_eq!(settings.limits.message_bytes_max, 2 << 20);
    assert_eq!(settings.listeners[0].backlog, 9);
    assert_eq!(settings.websockets[0].origins.len(), 2);
    assert_eq!(plugin(&settings.websockets[0]).config, [("History".into(), "60 or so".into())]);
    assert!(settings.websockets[1].origin_required);
}

#[test]
fn overrides_stand_over_all() {
    let instance = Instance::new(&[("zope.conf", LAYERED)]);
    let overrides = [
        "debug-mode=on",
        "limits/max-message-size=2MB",
        "listener[main]/backlog=9",
        "local/backlog=8",
        "websocket[/chat]/origin=*",
        "websocket[/chat]/origin=https://a.org",
        "websocket[/chat]/plugin/config/History=7=8",
        "websocket[/a/B]/limits/idle-timeout=1m",
    ];
    let settings = instance.load(&[("SWITCHBOARD__DEBUG_MODE", "off")], &overrides);
    let settings = settings.expect("a good conf");
    assert!(settings.debug_mode);
    assert_eq!(settings.limits.message_bytes_max, 2 << 20);
    assert_eq!((settings.listeners[0].backlog, settings.listeners[1].backlog), (9, 8));
    assert_eq!(settings.websockets[0].origins.len(), 2);
    assert_eq!(plugin(&settings.websockets[0]).config, [("History".into(), "7=8".into())]);
    assert_eq!(settings.websockets[1].limits.idle_timeout, Some(Duration::from_secs(60)));
}

#[test]
fn wrong_overrides_say_which() {
    let cases = [
        ("debug-mode", "expected PATH/KEY=VALUE, such as limits/max-message-size=2MB"),
        ("=x", "expected PATH/KEY=VALUE, such as limits/max-message-size=2MB"),
        (
            "websocket[/chat/origin=*",
            "expected PATH/KEY=VALUE, such as limits/max-message-size=2MB",
        ),
        ("debug-mode=2", "debug-mode: expected on or off, found '2'"),
        ("debgu-mode=on", "unknown key 'debgu-mode'; did you mean 'debug-mode'?"),
        ("limts/max-backlog=1", "unknown section 'limts'; did you mean 'limits'?"),
        ("eventlog/colour=1", "unknown key 'colour' in <eventlog>; there is level"),
        (
            "websocket[/none]/origin=*",
            "no such section; the conf has <websocket /a/B> and <websocket /chat>",
        ),
        (
            "websocket/origin=*",
            "several sections may be meant: <websocket /a/B> and <websocket /chat>; \
             write websocket[/a/B] for one",
        ),
        ("http[/]/host=a", "the conf has no <http>"),
        (
            "websocket[/chat]/limits/max-backlog=x",
            "<websocket /chat> <limits> max-backlog: expected a byte size such as 16MB, found 'x'",
        ),
    ];
    let instance = Instance::new(&[("zope.conf", LAYERED)]);
    for (text, expected) in cases {
        assert_eq!(instance.errors(&[], &[text]), [format!("-X {text}: {expected}")]);
    }
    let found = instance.errors(&[("SWITCHBOARD__LIMITS__MAX_BACKLOG", "x")], &[]);
    let expected = "environment SWITCHBOARD__LIMITS__MAX_BACKLOG: <limits> max-backlog: expected \
                    a byte size such as 16MB, found 'x'";
    assert_eq!(found, [expected]);
}

#[test]
fn an_override_does_not_move_the_blame_from_the_file() {
    let text = format!("{LISTENER}<websocket /chat>\n</websocket>\n");
    let instance = Instance::new(&[("zope.conf", &text)]);
    let expected = "zope.conf:4: <websocket /chat>: nobody answers; write <plugin NAME>, <external> or <forward> inside it";
    assert_eq!(instance.errors(&[], &["websocket/origin=*"]), [expected]);
    let found = instance.errors(&[("SWITCHBOARD__PLUGIN_PATH", " ")], &[]);
    assert!(found[1].ends_with("plugin-path: expected a path, found ' '"), "{found:?}");
}

fn example() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../zope.conf.example");
    std::fs::read_to_string(path).expect("zope.conf.example")
}

/// Whether a line of the example is a directive that is off: `#name value`, not `# prose`.
fn is_off(line: &str) -> bool {
    let after = line.trim_start().strip_prefix('#');
    after.is_some_and(|after| !after.is_empty() && !after.starts_with(' '))
}

/// The example with every directive on.
fn all_on() -> String {
    let on = |line: &str| if is_off(line) { line.replacen('#', "", 1) } else { line.into() };
    example().lines().map(|line| on(line) + "\n").collect()
}

#[test]
fn the_example_runs_from_its_directory() {
    let files = [("zope.conf", &*example()), ("examples/demo/index.html", "hi")];
    let settings = Instance::new(&files).load(&[], &[]).expect("a good example");
    assert_eq!(settings.listeners[0].address, Address::Tcp(([127, 0, 0, 1], 8080).into()));
    let names: Vec<_> = settings.websockets.iter().map(|w| w.mount.prefix.as_str()).collect();
    assert_eq!(names, ["/chat", "/echo", "/feed"]);
    assert_eq!(settings.https[0].mount.prefix, "/");
    assert_eq!(settings.plugin_path, [settings.instance_home.join("var/plugins")]);
}

#[test]
fn the_example_runs_with_everything_in_it_on() {
    let files = [("zope.conf", &*all_on()), ("examples/demo/index.html", "hi")];
    let instance = Instance::new(&files);
    instance.load(&[], &[]).unwrap_or_else(|errors| panic!("{errors}"));
}

#[test]
fn the_example_lists_exactly_the_directives_that_there_are() {
    let example = example();
    let instance = Instance::new(&[("zope.conf", &all_on())]);
    let loader = FsLoader::default();
    let tree = parse(&instance.path("zope.conf"), &loader).expect("a good example");
    let mut shown = BTreeMap::new();
    shown_in(&tree.root, "", &mut shown);
    let (mut known, mut samples) = (BTreeMap::new(), Vec::new());
    known_to(&ROOT, "", &mut known, &mut samples);
    let is_inside = |name: &str, path: &str| name.starts_with(path) && name != path;
    let is_sample = |name: &str| samples.iter().any(|path| is_inside(name, path));
    let names: BTreeSet<&String> = shown.keys().filter(|name| !is_sample(name)).collect();
    assert_eq!(names, known.keys().collect());

    let lines: Vec<&str> = example.lines().collect();
    for (name, fallback) in known {
        for key in &shown[&name] {
            let is_off = is_off(lines[key.at.line as usize - 1]);
            match fallback {
                Some(Fallback::Required(_)) | None => {}
                Some(fallback) if is_off => assert_eq!(key.value, fallback.shown(), "{name}"),
                Some(_) => {}
            }
        }
    }
}

/// Every key and section of the example, as `<type> <type> key`.
fn shown_in(section: &Section, path: &str, shown: &mut BTreeMap<String, Vec<Key>>) {
    for key in section.keys() {
        shown.entry(format!("{path}{}", key.key)).or_default().push(key.clone());
    }
    for inner in section.sections() {
        let path = format!("{path}<{}> ", inner.type_name);
        shown.entry(path.clone()).or_default();
        shown_in(inner, &path, shown);
    }
}

/// Every key and section of the schema, likewise; and the sections in which the example shows a
/// key or two of many: those of plugins, and limits that are those of the top once more.
fn known_to(
    section: &SectionType,
    path: &str,
    known: &mut BTreeMap<String, Option<Fallback>>,
    samples: &mut Vec<String>,
) {
    for key in section.keys {
        known.insert(format!("{path}{}", key.name), Some(key.fallback));
    }
    for child in section.sections {
        let path = format!("{path}<{}> ", child.section.name);
        known.insert(path.clone(), None);
        if child.section.free || child.role == Role::Override {
            samples.push(path);
        } else {
            known_to(child.section, &path, known, samples);
        }
    }
}

#[test]
fn the_schema_is_sound() {
    fn check(section: &SectionType) {
        assert!(section.doc.ends_with('.'), "{}", section.name);
        assert!(section.free || !(section.keys.is_empty() && section.sections.is_empty()));
        for key in section.keys {
            assert!(key.doc.ends_with('.'), "{}", key.name);
            assert!(key.kind.check(key.fallback.shown()).is_ok(), "{}", key.name);
        }
        for child in section.sections {
            assert!(section.key(child.section.name).is_none() || section.name == "websocket");
            // Sections without a name are united across layers by their type alone.
            assert!(child.role != Role::Override || child.section.naming == Naming::None);
            check(child.section);
        }
    }
    check(&ROOT);
}

/// The lines of `text` with some dropped, doubled, swapped, cut or joined, by the bits of `seed`.
fn mutated(text: &str, mut seed: u64) -> String {
    let mut next = |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % below
    };
    let mut lines: Vec<String> = text.lines().map(Into::into).collect();
    for _ in 0..1 + next(4) {
        let (a, b) = (next(lines.len()), next(lines.len()));
        match next(6) {
            0 => drop(lines.remove(a)),
            1 => lines.insert(b, lines[a].clone()),
            2 => lines.swap(a, b),
            3 => lines[a] = lines[a].chars().take(next(12)).collect(),
            4 => lines[a] = lines[a].replace(['a', 'e', '/'], ["", "o", "//", "x y"][next(4)]),
            _ => lines[a] = format!("{}{}", lines[a], lines[b]),
        }
    }
    lines.join("\n")
}

#[test]
fn whatever_is_wrong_has_a_line() {
    let text = all_on();
    let text: String =
        text.lines().filter(|line| !line.contains('#')).map(|l| l.to_owned() + "\n").collect();
    let instance = Instance::new(&[("examples/demo/index.html", "hi")]);
    let mut good = 0;
    for seed in 0..1_000 {
        let text = mutated(&text, seed);
        instance.write("zope.conf", &text);
        let Err(errors) = instance.load(&[], &[]) else {
            good += 1;
            continue;
        };
        for error in &errors {
            let is_whole = error.message.starts_with("there is no <listener>");
            assert!(error.line > 0 || is_whole, "{seed}: {error}\n{text}");
            assert!(error.line == 0 || error.text.is_some(), "{seed}: {error}\n{text}");
        }
    }
    assert!(good > 30, "{good}");
}

#[test]
fn ten_thousand_lines_take_no_time() {
    let endpoint = |n| {
        format!(
            "<websocket /e/{n}>\n  origin *\n  origin https://a.org\n  subprotocol a\n  <limits>\n\
             \x20   max-message-size 64KB\n  </limits>\n  <plugin echo />\n</websocket>\n"
        )
    };
    let text: String = (0..1_111).map(endpoint).collect();
    let instance = Instance::new(&[("zope.conf", &format!("{LISTENER}{text}"))]);
    let start = Instant::now();
    let settings = instance.load(&[], &[]).expect("a good conf");
    println!("10,000 lines: {:?}", start.elapsed());
    assert_eq!(settings.websockets.len(), 1_111);
    // Far above what it takes: this is against what grows with the square.
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}
