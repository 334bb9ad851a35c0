//! `conf show`: what holds, as a conf that says it.

use serde_json::{Value, json};
use switchboard::conf::schema::{Fallback, Key, ROOT, Role, SectionType};
use switchboard::conf::{Effective, Settings, effective};

use crate::example::all_on;
use crate::many::mutated;
use crate::support::{Instance, LISTENER};

/// What a conf is once it is understood; of a good one.
fn shown(instance: &Instance, variables: &[(&str, &str)], overrides: &[&str]) -> Effective {
    let environment = variables.iter().map(|(name, text)| ((*name).into(), (*text).into()));
    let overrides: Vec<String> = overrides.iter().map(|text| (*text).into()).collect();
    effective(&instance.path("zope.conf"), environment, &overrides).expect("a good conf")
}

fn text_of(conf: &str) -> String {
    shown(&Instance::new(&[("zope.conf", conf)]), &[], &[]).text(false)
}

/// So that a difference is one line in a message, and not all settings.
fn check_equal(found: &str, expected: &str, conf: &str) {
    for (found, expected) in found.lines().zip(expected.lines()) {
        assert_eq!(found, expected, "{conf}");
    }
    assert_eq!(found.len(), expected.len(), "{conf}");
}

/// The settings without where they stand.
fn meaning(settings: Settings) -> String {
    let (conf_files, plugin_path_at, warnings) = (Vec::new(), Vec::new(), Vec::new());
    let settings = Settings { conf_files, plugin_path_at, warnings, ..settings };
    let text = format!("{settings:#?}");
    let lines = text.lines().filter(|line| !is_place(line));
    lines.collect::<Vec<_>>().join("\n")
}

fn is_place(line: &str) -> bool {
    let name = line.trim_start().split(": ").next().unwrap_or_default();
    name == "at" || name.ends_with("_at")
}

/// What is shown means the same, and is shown as the same. The text is kept somewhere else.
fn check_round(instance: &Instance, variables: &[(&str, &str)], overrides: &[&str]) -> String {
    let first = instance.load(variables, overrides).unwrap_or_else(|errors| panic!("{errors}"));
    let holds = shown(instance, variables, overrides);
    let text = holds.text(false);
    let other = Instance::new(&[("zope.conf", &text)]);
    let sets = |variable: &&(&str, &str)| variable.0.starts_with("SWITCHBOARD__");
    let rest: Vec<_> = variables.iter().filter(|one| !sets(one)).copied().collect();
    let again = other.load(&rest, &[]).unwrap_or_else(|errors| panic!("{errors}\n{text}"));
    check_equal(&meaning(again), &meaning(first), &text);
    assert_eq!(shown(&other, &[], &[]).text(false), text);
    // Comments change nothing.
    other.write("zope.conf", holds.text(true));
    assert_eq!(shown(&other, &[], &[]).text(false), text);
    text
}

#[test]
fn the_example_with_everything_on_is_shown_as_a_conf_that_means_the_same() {
    // An argument may be a secret, so it is not shown.
    let conf = all_on().replace("--title=The feed", "(hidden)");
    let files = [("zope.conf", &*conf), ("examples/demo/index.html", "hi")];
    let text = check_round(&Instance::new(&files), &[], &[]);
    let plain = |line: &&str| !line.trim_start().starts_with('#') && !line.is_empty();
    assert!(text.lines().filter(plain).count() > 100, "{text}");
}

#[test]
fn whatever_a_good_conf_says_is_shown_as_a_conf_that_means_the_same() {
    let conf = all_on();
    let is_shown = |line: &&str| !line.contains('#') && !line.contains("argument");
    let conf: String = conf.lines().filter(is_shown).map(|line| line.to_owned() + "\n").collect();
    let instance = Instance::new(&[("examples/demo/index.html", "hi")]);
    let mut good = 0;
    for seed in 0..1_000 {
        instance.write("zope.conf", mutated(&conf, seed));
        if instance.load(&[], &[]).is_ok() {
            check_round(&instance, &[], &[]);
            good += 1;
        }
    }
    assert!(good > 30, "{good}");
}

/// Characters that mean something somewhere, or have two cases, or none.
const LETTERS: &str = "aZ09éßİΣς日\u{301}\u{202e}$#<>/%()  \t=:{}'\"\\&?*.,;+-_~@";

/// A text of up to so many of them, by the bits of `seed`.
fn odd(seed: &mut u64, length_max: usize) -> String {
    let letters: Vec<char> = LETTERS.chars().collect();
    let mut next = |below: usize| {
        *seed =
            seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (*seed >> 33) as usize % below
    };
    (0..next(length_max + 1)).map(|_| letters[next(letters.len())]).collect()
}

#[test]
fn any_names_and_values_are_shown_so_that_they_mean_the_same() {
    let instance = Instance::new(&[]);
    let mut good = 0;
    for mut seed in 0..1_000 {
        let seed = &mut seed;
        let encoded = |text: String| text.replace('%', "%25").replace(' ', "%20");
        let (prefix, name) = (encoded(odd(seed, 4)), odd(seed, 3).replace([' ', '\t'], ""));
        let (key, value) = (odd(seed, 3), odd(seed, 9).replace('$', "$$"));
        let (path, header) = (odd(seed, 5).replace('$', "$$"), odd(seed, 5).replace('$', "$$"));
        let conf = format!(
            "plugin-path ./{path}\n{LISTENER}<websocket /{prefix} >\n<plugin x{name} >\n<config>\n\
             k{key} {value}\nk{value} 1\nk 2\n</config>\n</plugin>\n</websocket>\n\
             <http / >\n<static>\npath www\ncache-control x{header}\n</static>\n</http>\n"
        );
        instance.write("zope.conf", conf);
        if instance.load(&[], &[]).is_ok() {
            check_round(&instance, &[], &[]);
            good += 1;
        }
    }
    println!("{good} good confs");
    assert!(good > 100, "{good}");
}

/// Names and values that a reader may take for something else.
const ODD: &str = "
%define WHERE /Straße
clienthome ~/$WHERE/$$HOME
plugin-path a b
plugin-path # no comment
plugin-path /<x>
<listener Main/ >
  address 0
</listener>
<listener ÉTÉ>
  address run/s $$(x).sock
</listener>
<websocket / >
  listener MAIN/
  <plugin ./Lib/x.so />
</websocket>
<websocket / >
  listener été
  <plugin a/ />
</websocket>
<websocket /%C3%A9t%C3%A9/a%20b%28c%29%25%3F%23/ >
  host WWW.example.org
  host *.example.org
  origin same
  origin https://*.Example.org:8443
  <plugin p>
    <config>
      B  two  words $$ ${WHERE}
      $a $$$$
      empty
      b # no comment
      B </config>
      Ünïcode\u{301} %define x
      \u{feff}x \u{feff}
    </config>
  </plugin>
  <limits>
    max-message-size 64KB
  </limits>
</websocket>
<websocket /été/a\u{202e}b>
  <external>
    program  bin/x   --a=$$1 'b c'
    <config>
      # nothing
    </config>
  </external>
  <limits/>
</websocket>
<websocket /f>
  <forward>
    url WS+UNIX:run/$$x.sock:/a?b=$$c
    forward-header Cookie
    forward-header cookie
  </forward>
</websocket>
<http /www>
  <static>
    path www
    cache-control a\tb
  </static>
</http>
<eventlog>
  level 17
</eventlog>
";

#[test]
fn odd_names_and_values_are_shown_so_that_they_mean_the_same() {
    let text = check_round(&Instance::new(&[("zope.conf", ODD)]), &[("HOME", "/h")], &[]);
    for line in [
        "clienthome ~//Straße/$$HOME",
        "plugin-path # no comment",
        "<listener main/ >",
        "  address run/s $$(x).sock",
        "<websocket / >",
        "  <plugin ./Lib/x.so />",
        "  <plugin a/ />",
        "<websocket /été/a%20b%28c%29%25%3F%23>",
        "      B two  words $$ /Straße",
        "      $a $$$$",
        "      empty",
        "    url WS+UNIX:run/$$x.sock:/a?b=$$c",
        "    cache-control a\tb",
    ] {
        assert!(text.lines().any(|shown| shown == line), "{line}\n{text}");
    }
}

#[test]
fn layers_are_shown_as_one_conf() {
    let main = format!(
        "%include more.conf\n{LISTENER}<websocket /b>\n<plugin x />\n</websocket>\n\
         <websocket /a>\n<plugin x>\n<config>\nk 1\nk 2\nl 3\n</config>\n</plugin>\n</websocket>\n"
    );
    let drop_in = "<websocket /b>\norigin *\n</websocket>\n<websocket /a>\n<plugin x>\n<config>\n\
                   k 4\n</config>\n</plugin>\n</websocket>\n";
    let instance = Instance::new(&[
        ("zope.conf", &main),
        ("more.conf", "stop-timeout 1s\n"),
        ("conf.d/x.conf", drop_in),
    ]);
    let variables = [
        ("SWITCHBOARD__WEBSOCKET__B__ORIGIN", "same https://a.org"),
        ("SWITCHBOARD__DEBUG_MODE", "on"),
    ];
    let overrides = ["limits/max-message-size=2MB", "websocket[/a]/plugin/config/M=$x"];
    let text = check_round(&instance, &variables, &overrides);
    let end = text.find("<http").unwrap_or(text.find("<eventlog>").expect("it is always there"));
    let sections = text.find("<websocket /b>").expect("it is there")..end;
    let expected = "<websocket /b>
  origin same
  origin https://a.org
  origin-required off
  compression off
  compression-threshold 64
  compression-window 4KB
  <plugin x />
</websocket>

<websocket /a>
  origin same
  origin-required off
  compression off
  compression-threshold 64
  compression-window 4KB
  <plugin x>
    <config>
      l 3
      k 4
      M $$x
    </config>
  </plugin>
</websocket>

";
    assert_eq!(&text[sections], expected);
}

#[test]
fn each_line_says_where_it_is_from() {
    let main = format!(
        "{LISTENER}<websocket /a>\n  <plugin x />\n</websocket>\n<admin/>\n<limits>\n\
         max-message-size 2MB\n</limits>\n%include more.conf\n"
    );
    let instance = Instance::new(&[
        ("zope.conf", &main),
        ("more.conf", "\nclienthome data\n"),
        ("conf.d/x.conf", "plugin-path a\nplugin-path b\n"),
    ]);
    let variables = [("SWITCHBOARD__DEBUG_MODE", "on")];
    let overrides = ["websocket[/a]/origin=*", "worker-threads=2"];
    let text = instance.cut(&shown(&instance, &variables, &overrides).text(true));
    let home = instance.path("zope.conf");
    let home = home.parent().expect("a directory").display();
    let begin = format!(
        "# computed
instancehome {home}
# more.conf:2
clienthome data
# conf.d/x.conf:1
plugin-path a
# conf.d/x.conf:2
plugin-path b
# -X worker-threads
worker-threads 2
# environment SWITCHBOARD__DEBUG_MODE
debug-mode on
# default
stop-timeout 10s

# zope.conf:1
<listener main>
  # zope.conf:2
  address 0
"
    );
    assert!(text.starts_with(&begin), "{text}");
    for part in [
        "  # zope.conf:9\n  max-message-size 2MB\n  # computed\n  #max-frame-size 2MB\n",
        "# zope.conf:4\n<websocket /a>\n  # -X websocket[/a]/origin\n  origin *\n",
        "  # zope.conf:5\n  <plugin x />\n",
        "# zope.conf:7\n<admin>\n  # computed\n  #socket-name data/admin.sock\n</admin>\n",
        "\n<topics>\n  # default\n  max-topics 100000\n",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
}

#[test]
fn what_follows_from_other_keys_is_shown_where_it_does() {
    let limits = |top: &str, own: &str| {
        let text = text_of(&format!(
            "{LISTENER}<limits>\n{top}\n</limits>\n<websocket /a>\n<plugin x />\n<limits>\n{own}\n\
             </limits>\n</websocket>\n"
        ));
        let lines = text.lines().filter(|line| line.contains("max-frame-size"));
        lines.map(|line| line.trim_start().into()).collect::<Vec<String>>()
    };
    let size = "max-message-size 64KB";
    assert_eq!(limits("", ""), ["#max-frame-size 1MB"]);
    assert_eq!(limits("", "idle-timeout 1s"), ["#max-frame-size 1MB"]);
    assert_eq!(limits("", size), ["#max-frame-size 1MB", "#max-frame-size 64KB"]);
    assert_eq!(limits("max-frame-size 2KB", size), ["max-frame-size 2KB"]);
    assert_eq!(
        limits("", "max-message-size 100\nmax-frame-size 7"),
        ["#max-frame-size 1MB", "max-frame-size 7"]
    );
}

/// Secrets in every place that may have one.
const SECRETS: &str = "
<websocket /a>
  <external>
    program bin/x -v --token hunter2 --loud
    argument hunter2
    <config>
      password hunter2
      user zope
      Api-Key hunter2
      database postgres://zope:hunter2@db/x
      dsn host=db password=hunter2
    </config>
  </external>
</websocket>
<websocket /b>
  <forward>
    url ws://behind/app?room=1&token=hunter2
  </forward>
</websocket>
<websocket /c>
  <plugin x>
    <config>
      secret x
    </config>
  </plugin>
</websocket>
";

#[test]
fn a_secret_is_never_shown() {
    let instance = Instance::new(&[("zope.conf", &format!("{LISTENER}{SECRETS}"))]);
    let variables = [("SWITCHBOARD__WEBSOCKET__A__EXTERNAL__CONFIG__PASSWORD", "hunter2")];
    let overrides = [
        "websocket[/c]/plugin/config/secret=hunter2",
        "websocket[/c]/plugin/config/the-token=a=hunter2",
        "websocket[/a]/external/argument=--pass=hunter2",
    ];
    let shown = shown(&instance, &variables, &overrides);
    for text in [shown.text(false), shown.text(true), shown.json(), format!("{shown:?}")] {
        assert!(!text.contains("hunter2"), "{text}");
    }
    let text = shown.text(false);
    assert!(text.starts_with("# (hidden): a secret, which is not shown\n\n"), "{text}");
    for line in [
        "    program bin/x -v --token (hidden)",
        "    argument (hidden)",
        "      password (hidden)",
        "      user zope",
        "      Api-Key (hidden)",
        "      database postgres://zope:(hidden)@db/x",
        "      dsn host=db password=(hidden)",
        "    url ws://behind/app?room=1&token=(hidden)",
        "      the-token (hidden)",
    ] {
        assert!(text.lines().any(|shown| shown == line), "{line}\n{text}");
    }
    let again = Instance::new(&[("zope.conf", &text)]);
    assert_eq!(self::shown(&again, &[], &[]).text(false), text);
}

#[test]
fn a_forward_names_no_user() {
    let conf =
        "<websocket /b>\n<forward>\nurl ws://zope:hunter2@behind/app\n</forward>\n</websocket>\n";
    let instance = Instance::new(&[("zope.conf", &format!("{LISTENER}{conf}"))]);
    assert_eq!(instance.errors(&[], &[]).len(), 1);
}

#[test]
fn control_characters_do_not_reach_the_terminal() {
    let conf = format!(
        "{LISTENER}<websocket /a>\n<plugin x\u{1b}[2J>\n<config>\na\u{7} b\u{9b}2J\tc\n</config>\n\
         </plugin>\n</websocket>\n"
    );
    let instance = Instance::new(&[("zope.conf", &conf)]);
    let overrides =
        ["websocket/plugin/config/n=1\n<evil>\r2 ", "websocket/plugin/config/a b\n#(c=1"];
    let shown = shown(&instance, &[], &overrides);
    for text in [shown.text(false), shown.text(true), shown.json()] {
        assert!(!text.contains(|c: char| c.is_control() && c != '\n' && c != '\t'), "{text:?}");
    }
    let text = shown.text(false);
    let part = "  <plugin x\u{fffd}[2J>
    <config>
      a\u{fffd} b\u{fffd}2J\tc
      #a b\u{fffd}#(c 1
      n 1\u{fffd}<evil>\u{fffd}2
    </config>
  </plugin>
";
    assert!(text.contains(part), "{text}");
    assert!(text.starts_with("# \u{fffd}: a character that is not shown\n\n"), "{text}");
    // In JSON they are all there.
    let json: Value = serde_json::from_str(&shown.json()).expect("JSON");
    let plugin = &section(section(&json, "websocket"), "plugin");
    assert_eq!(plugin["name"], "x\u{1b}[2J");
    let config = section(plugin, "config");
    assert_eq!(config["keys"][0]["key"], "a\u{7}");
    assert_eq!(config["keys"][0]["value"], "b\u{9b}2J\tc");
}

/// The first section of that type.
fn section<'j>(json: &'j Value, kind: &str) -> &'j Value {
    let sections = json["sections"].as_array().expect("sections");
    sections.iter().find(|section| section["type"] == kind).expect("one of that type")
}

#[test]
fn programs_read_values_with_their_origin() {
    let conf = format!(
        "debug-mode on\n{LISTENER}<websocket /%C3%A9>\n<plugin x>\n<config>\nk 1\nk $$2\n\
         password x\n</config>\n</plugin>\n</websocket>\n<admin/>"
    );
    let instance = Instance::new(&[("zope.conf", &conf)]);
    let variables = [("SWITCHBOARD__STOP_TIMEOUT", "1s")];
    let json = instance.cut(&shown(&instance, &variables, &["worker-threads=2"]).json());
    assert_eq!(json.matches('\n').count(), 1);
    let json: Value = serde_json::from_str(&json).expect("JSON");
    let at = |line: u32| json!({ "file": "zope.conf", "line": line });
    let key = |key: &str, value: &str, origin: Value| json!({ "key": key, "value": value, "hidden": false, "origin": origin });
    let keys = json["keys"].as_array().expect("keys");
    let home = keys[1]["value"].as_str().expect("a path");
    assert_eq!(keys[1], key("clienthome", home, json!("computed")));
    assert_eq!(keys[3], key("worker-threads", "2", json!({ "override": "worker-threads" })));
    assert_eq!(keys[4], key("debug-mode", "on", at(1)));
    let variable = json!({ "environment": "SWITCHBOARD__STOP_TIMEOUT" });
    assert_eq!(keys[5], key("stop-timeout", "1s", variable));
    assert_eq!(
        (&json["type"], &json["name"], &json["origin"]),
        (&json!(null), &json!(null), &json!(null))
    );

    let websocket = section(&json, "websocket");
    assert_eq!((&websocket["name"], &websocket["origin"]), (&json!("/é"), &at(5)));
    assert_eq!(websocket["keys"][0], key("origin", "same", json!("default")));
    let config = section(section(websocket, "plugin"), "config");
    let hidden =
        json!({ "key": "password", "value": "(hidden)", "hidden": true, "origin": at(10) });
    assert_eq!(config["keys"], json!([key("k", "1", at(8)), key("k", "$2", at(9)), hidden]));
    assert_eq!(section(&json, "topics")["origin"], json!(null));
    assert_eq!(section(&json, "admin")["keys"][0]["origin"], "computed");
}

#[test]
fn whatever_follows_from_other_keys_is_known() {
    fn count(section: &SectionType, role: Role) -> usize {
        let follows = |key: &&Key| matches!(key.fallback, Fallback::Computed(_));
        let own = section.keys.iter().filter(follows).count();
        let inner = section.sections.iter().map(|child| count(child.section, child.role));
        if role == Role::Override { 0 } else { own + inner.sum::<usize>() }
    }
    let instance = Instance::new(&[("zope.conf", &format!("{LISTENER}<admin/>"))]);
    let json = shown(&instance, &[], &[]).json();
    assert_eq!(json.matches("\"origin\":\"computed\"").count(), count(&ROOT, Role::Part));
}
