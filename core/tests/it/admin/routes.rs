//! What each route answers.

use std::fs;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{client, conf_with, echo_conf_with, get, request, start};
use crate::fixtures::{conf, install_probe};
use crate::support::{Client, Home, Host, Ws, frame};

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn ws(host: &Host, path: &str) -> Ws {
    Client::ws(&host.addr("main"), path)
}

#[test]
fn status_says_what_runs() {
    let home = Home::new();
    home.write(
        "more.conf",
        b"<websocket /more>\nhost a.org\nlistener main\n<plugin echo/>\n</websocket>\n",
    );
    let conf = conf_with(
        "%include more.conf\n\
         <limits>\nmax-connections 7\nmax-memory 2MB\n</limits>\n\
         <websocket /echo>\n<plugin echo/>\n<limits>\nmax-connections 5\n</limits>\n</websocket>\n\
         <websocket /program>\n<external>\nprogram /bin/cat secret\n</external>\n</websocket>\n\
         <websocket /app>\n<forward>\nurl ws://127.0.0.1:1/x\n</forward>\n</websocket>",
    );
    let host = Host::start_in(home, &format!("worker-threads 2\n{conf}"));
    let mut clients = [ws(&host, "/echo"), ws(&host, "/echo")];
    clients.iter_mut().for_each(|ws| ws.echo("hello"));
    let status = get(&host, "/v1/status");

    assert_eq!(status["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(status["pid"], host.pid());
    assert!(status["uptime_seconds"].is_u64());
    assert_eq!(status["stopping"], false);
    let files = ["zope.conf", "more.conf"].map(|name| host.dir().join(name));
    let files =
        files.map(|file| json!({"sha256": sha256(&fs::read(&file).unwrap()), "path": file}));
    assert_eq!(status["conf"], json!(files));
    let address = host.addr("main");
    assert_eq!(status["listeners"], json!([{"name": "main", "address": address, "tls": false}]));
    assert_eq!((&status["connections"], &status["max_connections"]), (&json!(2), &json!(7)));
    assert_eq!(
        (&status["memory_bytes"], &status["max_memory_bytes"]),
        (&json!(0), &json!(2 << 20))
    );
    let shards = status["shards"].as_array().expect("shards");
    let sockets = shards.iter().map(|shard| shard["sockets"].as_u64().expect("a number"));
    assert_eq!((shards.len(), sockets.sum::<u64>()), (2, 2));

    let endpoints = status["endpoints"].as_array().expect("endpoints");
    let shown = |endpoint: &Value| {
        let text = |name: &str| endpoint[name].as_str().expect("a text").to_owned();
        (text("prefix"), text("kind"), text("answers"), endpoint["connections"].as_u64())
    };
    let expected = [
        ("/more", "plugin", "echo", 0),
        ("/echo", "plugin", "echo", 2),
        ("/program", "external", "/bin/cat", 0),
        ("/app", "forward", "ws://127.0.0.1:1/x", 0),
    ];
    let expected = expected.map(|(prefix, kind, answers, count)| {
        (prefix.to_owned(), kind.to_owned(), answers.to_owned(), Some(count))
    });
    assert_eq!(endpoints.iter().map(shown).collect::<Vec<_>>(), expected);
    assert_eq!(endpoints[0]["hosts"], json!(["a.org"]));
    assert_eq!(endpoints[0]["listeners"], json!(["main"]));
    assert_eq!(endpoints[1]["max_connections"], 5);
    assert_eq!(
        (&endpoints[1]["hosts"], &endpoints[1]["max_memory_bytes"]),
        (&json!([]), &json!(null))
    );
}

#[test]
fn connections_are_listed_with_what_they_have_done() {
    let home = Home::new();
    let more = "<listener local>\naddress ./ws.sock\n</listener>\n\
                <websocket /echo>\n<plugin echo/>\n</websocket>\n\
                <websocket /other>\n<plugin echo/>\n</websocket>";
    let host = Host::start_in(home, &format!("worker-threads 3\n{}", conf_with(more)));
    let mut clients: Vec<Ws> = (0..5).map(|_| ws(&host, "/echo/below")).collect();
    clients.push(ws(&host, "/other"));
    clients.push(Client::ws(&host.addr("local"), "/echo"));
    for (index, ws) in clients.iter_mut().enumerate() {
        (0..=index).for_each(|_| ws.echo("hello"));
    }

    let all = get(&host, "/v1/connections");
    let connections = all["connections"].as_array().expect("connections");
    assert_eq!((&all["total"], &all["silent_shards"]), (&json!(7), &json!([])));
    let seen = |name: &str| connections.iter().map(|known| known[name].clone()).collect::<Vec<_>>();
    assert_eq!(seen("uid"), [1, 2, 3, 4, 5, 6, 7]);
    assert_eq!(seen("messages"), [1, 2, 3, 4, 5, 6, 7]);
    let endpoints = ["/echo", "/echo", "/echo", "/echo", "/echo", "/other", "/echo"];
    assert_eq!(seen("endpoint"), endpoints);
    for (index, known) in connections.iter().enumerate() {
        let peer = known["peer"].as_str().unwrap_or("none");
        assert!(peer.starts_with(if index == 6 { "none" } else { "127.0.0.1:" }), "{known}");
        assert_eq!((&known["phase"], &known["waiting_bytes"]), (&json!("open"), &json!(0)));
        assert!(known["quiet_seconds"].as_f64().is_some_and(|quiet| quiet < 3600.0), "{known}");
        assert!(known["shard"].as_u64().is_some_and(|shard| shard < 3), "{known}");
    }

    let one = get(&host, "/v1/connections?endpoint=/other");
    assert_eq!((&one["total"], &one["connections"][0]["uid"]), (&json!(1), &json!(6)));
    let few = get(&host, "/v1/connections?limit=2&endpoint=%2Fecho");
    assert_eq!((&few["total"], few["connections"].as_array().map(Vec::len)), (&json!(6), Some(2)));
}

#[test]
fn more_connections_than_a_piece_of_the_table_are_all_listed_once() {
    let host = Host::start(&echo_conf_with("worker-threads 1"));
    let mut clients: Vec<Ws> = (0..600).map(|_| ws(&host, "/echo")).collect();
    // Holes in the table.
    for index in (0..200).rev() {
        let mut gone = clients.remove(index * 3);
        gone.close(1000, "");
        gone.expect_close(1000);
        gone.expect_eof();
    }
    let uids = |answer: &Value| -> Vec<u64> {
        let connections = answer["connections"].as_array().expect("connections");
        connections.iter().map(|known| known["uid"].as_u64().expect("a number")).collect()
    };
    // The row goes when the stream has ended on both sides.
    let answer = loop {
        let answer = get(&host, "/v1/connections?limit=1000");
        if answer["total"] == 400 {
            break answer;
        }
    };
    let expected: Vec<u64> = (1..=600).filter(|uid| uid % 3 != 1).collect();
    assert_eq!(uids(&answer), expected);
    assert_eq!(uids(&get(&host, "/v1/connections")).len(), 100);
}

#[test]
fn one_that_does_not_read_and_one_that_is_not_answered_are_seen() {
    let home = Home::new();
    install_probe(&home, "probe");
    let sections = "<admin>\nsocket-name admin.sock\n</admin>\n\
                    <websocket /probe>\n<plugin probe/>\n</websocket>\n\
                    <websocket /echo>\n<plugin echo/>\n</websocket>";
    let host = Host::start_in(home, &conf(sections));
    let mut deaf = ws(&host, "/echo");
    deaf.client().send_until_stalled(&frame(0x82, &[7; 64 << 10]).repeat(1000));
    let waiting = &get(&host, "/v1/connections")["connections"][0];
    let bytes = |name: &str| waiting[name].as_u64().expect("a number");
    assert!(bytes("waiting_bytes") > 64 << 10, "{waiting}");
    assert!(bytes("held_bytes") >= bytes("waiting_bytes"), "{waiting}");
    let status = get(&host, "/v1/status");
    assert!(status["memory_bytes"].as_u64() >= Some(64 << 10), "{status}");

    let mut late = Client::connect(&host.addr("main"));
    late.send_raw(&crate::support::Handshake::new("/probe/late/key").bytes());
    let mut asks = ws(&host, "/probe");
    asks.text("await late key");
    asks.expect_text("it waits");
    let answer = get(&host, "/v1/connections?endpoint=/probe");
    let connections = answer["connections"].as_array().expect("connections");
    let opening: Vec<_> = connections.iter().filter(|known| known["phase"] == "opening").collect();
    assert_eq!((connections.len(), opening.len()), (2, 1), "{answer}");
    let shown = ["peer", "quiet_seconds", "messages"].map(|name| &opening[0][name]);
    assert_eq!(shown, [&json!(null), &json!(null), &json!(0)]);
}

#[test]
fn a_shard_that_an_endpoint_holds_up_is_named_and_the_others_answer() {
    let home = Home::new();
    install_probe(&home, "probe");
    let sections = "worker-threads 2\n<admin>\nsocket-name admin.sock\n</admin>\n\
                    <websocket /probe>\n<plugin probe/>\n</websocket>";
    let host = Host::start_in(home, &conf(sections));
    // The listener places one on each shard in turn.
    let (mut late, mut holds) =
        (Client::connect(&host.addr("main")), Client::connect(&host.addr("main")));
    late.send_raw(&crate::support::Handshake::new("/probe/late/key").bytes());
    let file = host.dir().join("go");
    let target = format!("/probe/hold/key?{}", file.display());
    holds.send_raw(&crate::support::Handshake::new(&target).bytes());
    host.wait_for_log("holds the shard");
    let answer = get(&host, "/v1/connections");
    let silent = answer["silent_shards"].as_array().expect("shards");
    assert_eq!(silent.len(), 1, "{answer}");
    let connections = answer["connections"].as_array().expect("connections");
    assert!(connections.iter().all(|known| known["shard"] != silent[0]), "{answer}");
    // All else is known without the shards.
    assert_eq!(get(&host, "/v1/status")["shards"].as_array().map(Vec::len), Some(2));
    fs::write(file, "").unwrap();
    assert_eq!(late.response().status, 418);
    assert_eq!(get(&host, "/v1/connections")["silent_shards"], json!([]));
}

#[test]
fn a_plugin_is_told_once_with_all_its_instances() {
    let home = Home::new();
    let probe = install_probe(&home, "probe");
    let sections = "<admin>\nsocket-name admin.sock\n</admin>\n\
                    <websocket /echo>\n<plugin echo/>\n</websocket>\n\
                    <websocket /a>\n<plugin probe/>\n</websocket>\n\
                    <websocket /b>\n<plugin probe/>\n</websocket>";
    let host = Host::start_in(home, &conf(sections));
    let mut clients = [ws(&host, "/b"), ws(&host, "/b"), ws(&host, "/a")];
    clients.iter_mut().for_each(|ws| {
        ws.text("echo hello");
        ws.expect_text("hello");
    });
    let answer = get(&host, "/v1/plugins");
    let plugins = answer["plugins"].as_array().expect("plugins");
    assert_eq!(plugins.len(), 2, "{answer}");
    let echo = &plugins[0];
    assert_eq!((&echo["name"], &echo["connections"]), (&json!("echo"), &json!(0)));
    assert_eq!(echo["instances"], json!([{"endpoint": "/echo", "connections": 0}]));
    let known = &plugins[1];
    assert_eq!((&known["name"], &known["connections"]), (&json!("probe"), &json!(3)));
    let instances = [("/a", 1), ("/b", 2)]
        .map(|(endpoint, connections)| json!({"endpoint": endpoint, "connections": connections}));
    assert_eq!(known["instances"], json!(instances));
    assert_eq!(known["sha256"], sha256(&fs::read(&probe).unwrap()));
    assert_eq!(known["path"], json!(probe));
    assert!(["id", "version"].iter().all(|name| known[name].as_str() > Some("")), "{known}");
    assert!(known["build"].is_string());
}

#[test]
fn what_is_asked_wrongly_is_told_what_there_is() {
    let host = start();
    let check = |method: &str, target: &str, status: u16, error: &str| {
        let response = request(&host, method, target);
        let answer = String::from_utf8_lossy(&response.body).into_owned();
        let expected = json!({"error": error}).to_string() + "\n";
        assert_eq!((response.status, answer), (status, expected), "{method} {target}");
        response
    };
    let routes = "there are /v1/status, /v1/connections, /v1/plugins and /v1/stop";
    check("GET", "/", 404, &format!("there is no '/'; {routes}"));
    check("POST", "/v2/stop", 404, &format!("there is no '/v2/stop'; {routes}"));
    let wrong = check("GET", "/v1/stop", 405, "'/v1/stop' does not take GET");
    assert_eq!(wrong.header("allow"), Some("POST"));
    let wrong = check("DELETE", "/v1/status", 405, "'/v1/status' does not take DELETE");
    assert_eq!(wrong.header("allow"), Some("GET,HEAD"));
    let unknown = "no endpoint has the prefix '/eco'";
    check("GET", "/v1/connections?endpoint=/eco", 404, unknown);
    let range = "limit: expected a number from 1 to 10000, found '0'";
    check("GET", "/v1/connections?limit=0", 400, range);
    let known = "there is no 'all'; there are endpoint and limit";
    check("GET", "/v1/connections?all", 400, known);
    assert_eq!(request(&host, "HEAD", "/v1/status").status, 200);
}

#[test]
fn each_client_asks_one_thing() {
    let host = start();
    let mut client = client(&host);
    client.send_raw(
        b"GET /v1/plugins HTTP/1.1\r\nHost: x\r\n\r\nPOST /v1/stop HTTP/1.1\r\nHost: x\r\n\r\n",
    );
    assert_eq!(client.response().status, 200);
    client.read_to_end();
    assert_eq!(get(&host, "/v1/status")["stopping"], false);
}
