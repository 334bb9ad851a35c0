//! A good conf, and the settings that it becomes.

use std::path::Path;
use std::time::Duration;

use switchboard::conf::{Address, EndpointSettings, Limits, LogLevel, Origin};

use crate::support::{Instance, LISTENER, good, plugin};

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
    assert_eq!(settings.admin, None);
    let listener = &settings.listeners[0];
    assert_eq!(listener.name, "main");
    assert_eq!((listener.socket_mode, listener.backlog), (0o660, 1024));
    assert_eq!(listener.address, Address::Tcp(([127, 0, 0, 1], 0).into()));
}

#[test]
fn a_control_socket_lies_in_clienthome_or_where_it_is_said() {
    let admin = |text: &str| {
        let settings = good(&format!("{LISTENER}{text}"));
        let admin = settings.admin.expect("there is one");
        let home = format!("{}/", settings.instance_home.display());
        (admin.socket.display().to_string().replace(&home, ""), admin.at.replace(&home, ""))
    };
    assert_eq!(admin("<admin/>"), ("var/admin.sock".into(), "zope.conf".into()));
    let elsewhere = "clienthome data\n<admin>\n</admin>";
    assert_eq!(admin(elsewhere), ("data/admin.sock".into(), "zope.conf".into()));
    let given = "<admin>\n  socket-name ./run/x.sock\n</admin>";
    assert_eq!(admin(given), ("run/x.sock".into(), "zope.conf:5".into()));
}

#[test]
fn the_files_of_a_conf_are_known_with_their_hashes() {
    let files = [
        ("zope.conf", "%include listen/er.conf\n%include listen/er.conf\n"),
        ("listen/er.conf", ""),
        ("conf.d/a.conf", LISTENER),
    ];
    let instance = Instance::new(&files);
    let settings = instance.load(&[], &[]).unwrap_or_else(|errors| panic!("{errors}"));
    let known: Vec<_> = settings.conf_files.iter().map(|file| file.path.clone()).collect();
    assert_eq!(known, ["zope.conf", "listen/er.conf", "conf.d/a.conf"].map(|f| instance.path(f)));
    // That of nothing is well known.
    assert_eq!(settings.conf_files[1].sha256[..4], [0xe3, 0xb0, 0xc4, 0x42]);
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
    // Memory alone is not handed down: the host's is one for all.
    let inherited = Limits { memory_bytes_max: None, ..settings.limits.clone() };
    assert_eq!(second.limits, inherited);
    let files = &settings.https[0].files;
    assert_eq!(settings.https[0].mount.prefix, "/");
    assert!(files.root.ends_with("www"));
    assert_eq!(files.index, "index.html");
    assert_eq!(files.cache_control.as_deref(), Some("no-store"));
}

#[test]
fn a_tilde_is_the_home_of_the_user_who_starts_the_host() {
    let text = format!("{LISTENER}<listener local>\n  address ~/run/s.sock\n</listener>\n");
    let text = format!("clienthome ~/var\nplugin-path ~\nplugin-path ./~\n{text}");
    let instance = Instance::new(&[("zope.conf", &text)]);
    let settings = instance.load(&[("HOME", "/home/zope")], &[]).expect("a good conf");
    assert_eq!(settings.client_home, Path::new("/home/zope/var"));
    let below = settings.instance_home.join("~");
    assert_eq!(settings.plugin_path, [Path::new("/home/zope"), &below]);
    assert_eq!(settings.listeners[1].address, Address::Unix("/home/zope/run/s.sock".into()));
}

#[test]
fn addresses_of_hosts_are_written_as_requests_have_them() {
    let text = "<websocket /a>\n  host 0:0::1\n  host [2001:DB8::0:1]\n  origin http://[0::1]\n  \
                <plugin a />\n</websocket>\n";
    let settings = good(&format!("{LISTENER}{text}"));
    let websocket = &settings.websockets[0];
    assert_eq!(websocket.mount.hosts, ["[::1]", "[2001:db8::1]"]);
    let (scheme, host) = ("http".into(), "[::1]".into());
    assert_eq!(websocket.origins, [Origin::Exactly { scheme, host, port: 80, below: false }]);
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
