//! Instances: made from the conf, started, drained, stopped, destroyed.

use switchboard_abi::*;

use crate::fake::Plugin;
use crate::probe::Probe;

#[test]
fn an_instance_lives_from_create_to_destroy() {
    let plugin = Plugin::create::<Probe>(&[("log", "hi"), ("depth", "9")]).unwrap();
    let host = plugin.host;
    assert_eq!(plugin.start(), SB_OK);
    plugin.drain(SB_DRAIN_UPGRADE, 1500);
    assert_eq!(plugin.stop(), SB_OK);
    plugin.destroy();
    assert_eq!(
        host.calls(),
        [
            "log 4 /probe probe 9 hi",
            "log 5 start",
            "log 2 drain Upgrade Some(1.5s)",
            "log 1 stop",
            "log 3 endpoint dropped",
        ]
    );
}

#[test]
fn a_drain_says_why_and_until_when() {
    let plugin = Plugin::create::<Probe>(&[]).unwrap();
    let table = [
        (SB_DRAIN_NONE, 0, "Unsaid None"),
        (SB_DRAIN_SHUTDOWN, 1, "Shutdown Some(1ms)"),
        (SB_DRAIN_UPGRADE, 60_000, "Upgrade Some(60s)"),
        (SB_DRAIN_OVERLOAD, 0, "Overload None"),
        (9, 0, "Unsaid None"),
    ];
    for (why, deadline_ms, expected) in table {
        plugin.drain(why, deadline_ms);
        assert_eq!(plugin.host.calls(), [format!("log 2 drain {expected}")]);
    }
}

#[test]
fn an_error_in_the_conf_names_the_key() {
    let table: [(&[(&str, &str)], &str); 4] = [
        (&[("depth", "x")], "depth x: invalid digit found in string"),
        (&[("depth", "300")], "depth 300: number too large to fit in target type"),
        (&[("depth", "1"), ("depth", "2")], "depth stands in <config> more than once"),
        (&[("dept", "1")], "unknown key dept in <config>"),
    ];
    for (settings, expected) in table {
        let (status, said) = Plugin::create::<Probe>(settings).err().unwrap();
        assert_eq!((status, said.as_str()), (SB_E_FAILED, expected));
    }
}

#[test]
fn many_instances_live_side_by_side() {
    let plugins: Vec<_> = (0..3).map(|_| Plugin::create::<Probe>(&[]).unwrap()).collect();
    let clients: Vec<_> = plugins.iter().map(|plugin| plugin.open(1, b"/x")).collect();
    for (plugin, client) in plugins.iter().zip(&clients) {
        plugin.text(client, 1, "hi");
        assert_eq!(plugin.host.calls(), ["accept 1 []", "send 1 1 hi"]);
    }
}

#[test]
fn only_known_extensions_are_offered() {
    let plugin = Plugin::create::<Probe>(&[]).unwrap();
    assert!(plugin.has_extension(SB_TOPICS_ID));
    assert!(!plugin.has_extension(c"topics/2"));
}
