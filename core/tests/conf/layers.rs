//! Files, drop-ins, environment and overrides: which stands over which.

use std::time::Duration;

use switchboard::conf::Origin;

use crate::support::{Instance, LISTENER, plugin};

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
    assert!(
        found[1].ends_with("plugin-path: expected a path such as /srv/www, found ' '"),
        "{found:?}"
    );
}
