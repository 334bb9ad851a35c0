//! `wss://`: what holds of a connection holds of one under TLS, and what TLS adds.

use std::io::{Read, Write};
use std::process::Command;
use std::time::Duration;

use rcgen::date_time_ymd;

use crate::support::{Authority, Client, Event, Home, Host, Ws, conf, write_key};

const SSL: &str = "<listener tls>\n  address 127.0.0.1:0\n  <ssl>\n    certificate cert.pem\n    \
                   key key.pem\n  </ssl>\n</listener>";

/// `/echo` in plain and over TLS.
fn echo_conf(sections: &str) -> String {
    let echo = "<websocket /echo>\n<plugin echo/>\n</websocket>";
    conf(&format!("{SSL}\n{sections}\n{echo}"))
}

fn start(sections: &str) -> (Authority, Host) {
    let authority = Authority::new();
    let host = Host::start_in(authority.home(), &echo_conf(sections));
    (authority, host)
}

fn ws(authority: &Authority, host: &Host) -> Ws {
    authority.client(&host.addr("tls")).into_ws("/echo", &[])
}

/// Bytes that differ from their neighbours in every block of a cipher.
fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at * 31 + at / 251) as u8).collect()
}

// The way of a message

#[test]
fn both_versions_echo_messages_of_all_sizes() {
    let (authority, host) = start("<limits>\nmax-message-size 17MB\n</limits>");
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let client = authority.client_of(&host.addr("tls"), &[version]);
        let mut ws = client.into_ws("/echo", &[]);
        assert_eq!(ws.client().tls().connection().protocol_version(), Some(version.version));
        for size in [0, 1, 125, 126, 16_383, 16_384, 16_385, 65_535, 65_536, 1_000_000] {
            ws.binary(&pattern(size));
            ws.expect_binary(&pattern(size));
        }
        ws.close(1000, "");
        ws.expect_close(1000);
        ws.expect_eof();
    }
}

#[test]
fn sixteen_megabytes_pass_in_both_directions_at_once() {
    let (authority, host) =
        start("<limits>\nmax-message-size 17MB\nmax-backlog 40MB\nsoft-backlog 20MB\n</limits>");
    let mut ws = ws(&authority, &host);
    let message = pattern(16 << 20);
    ws.binary(&message);
    ws.expect_binary(&message);
}

#[test]
fn a_message_may_come_in_any_pieces() {
    let (authority, host) = start("");
    let mut ws = ws(&authority, &host);
    let frame = crate::support::frame(0x82, &pattern(100));
    // A record for each byte.
    for byte in &frame {
        ws.raw(&[*byte]);
    }
    ws.expect_binary(&pattern(100));
    // Records that the network splits anywhere.
    let mut record = Vec::new();
    let stream = ws.client().tls();
    stream.connection().writer().write_all(&frame).unwrap();
    stream.connection().write_tls(&mut record).unwrap();
    for byte in record {
        stream.socket().write_all(&[byte]).unwrap();
    }
    ws.expect_binary(&pattern(100));
}

#[test]
fn many_messages_at_once_keep_their_order() {
    let (authority, host) = start("");
    let mut ws = ws(&authority, &host);
    let texts: Vec<String> = (0..2000).map(|number| format!("number {number}")).collect();
    for batch in texts.chunks(100) {
        let mut bytes = Vec::new();
        for text in batch {
            bytes.extend(crate::support::frame(0x81, text.as_bytes()));
        }
        ws.raw(&bytes);
        for text in batch {
            ws.expect_text(text);
        }
    }
}

#[test]
fn a_message_right_behind_the_handshake_is_not_lost() {
    let (authority, host) = start("");
    let mut client = authority.client(&host.addr("tls"));
    let mut bytes = crate::support::Handshake::new("/echo").bytes();
    bytes.extend(crate::support::frame(0x81, b"early"));
    client.send_raw(&bytes);
    assert_eq!(client.response().status, 101);
    client.upgraded().expect_text("early");
}

#[test]
fn new_keys_on_the_way_change_nothing() {
    let (authority, host) = start("");
    let client = authority.client_of(&host.addr("tls"), &[&rustls::version::TLS13]);
    let mut ws = client.into_ws("/echo", &[]);
    for number in 0..5 {
        ws.client().tls().connection().refresh_traffic_keys().unwrap();
        ws.echo(&format!("with keys {number}"));
    }
}

// HTTP

#[test]
fn files_come_over_https() {
    let authority = Authority::new();
    let home = authority.home();
    home.write("www/big.bin", &pattern(3_000_000));
    let sections = "<http / >\n<static>\npath www\n</static>\n</http>";
    let host = Host::start_in(home, &echo_conf(sections));
    host.wait_for_log(" https://127.0.0.1:");
    let mut client = authority.client(&host.addr("tls"));
    for _ in 0..2 {
        let response = client.get("/big.bin");
        assert_eq!(response.status, 200);
        assert!(response.body == pattern(3_000_000), "it is the file");
    }
}

#[test]
fn an_endpoint_learns_that_a_client_came_over_tls() {
    let authority = Authority::new();
    let behind = crate::support::Server::raw(|mut socket, head| {
        let answer = if head.contains("\r\nX-Forwarded-Proto: https\r\n") { "599" } else { "598" };
        write!(socket, "HTTP/1.1 {answer} Told\r\nContent-Length: 0\r\n\r\n").unwrap();
    });
    let url = format!("ws://{}/", behind.addr());
    let forward = format!("<websocket /app>\n<forward>\nurl {url}\n</forward>\n</websocket>");
    let host = Host::start_in(authority.home(), &echo_conf(&forward));
    let response = authority.client(&host.addr("tls")).upgrade("/app", &[]);
    assert_eq!(response.status, 502);
    host.wait_for_log("599");
}

// What comes instead of a handshake

#[test]
fn plain_http_on_a_port_with_tls_is_told_so() {
    let (_authority, host) = start("");
    let response = Client::connect(&host.addr("tls")).get("/");
    assert_eq!(response.status, 400);
    assert!(response.text().contains("https:// or wss://"), "{}", response.text());
    host.wait_for_log("it speaks plain HTTP on a listener with <ssl>");
}

#[test]
fn garbage_ends_its_connection_and_no_other() {
    let (authority, host) = start("");
    let mut good = ws(&authority, &host);
    for garbage in
        [&[0; 100][..], &[0xff; 20_000], b"\x16\x03\x01\xff\xff\x01", b"\x16\x03\x01\0\x04aaaa"]
    {
        let mut client = Client::connect(&host.addr("tls"));
        // The host may have cut it before all is sent.
        let _ = client.try_send(garbage);
        client.finish();
        client.read_to_end();
        good.echo("still here");
    }
    assert!(!host.log().contains("panicked"), "{}", host.log());
}

#[test]
fn a_record_that_was_changed_on_the_way_ends_the_connection() {
    let (authority, host) = start("");
    let mut ws = ws(&authority, &host);
    let mut record = Vec::new();
    let stream = ws.client().tls();
    stream.connection().writer().write_all(&crate::support::frame(0x81, b"hello")).unwrap();
    stream.connection().write_tls(&mut record).unwrap();
    *record.last_mut().unwrap() ^= 1;
    stream.socket().write_all(&record).unwrap();
    let mut rest = Vec::new();
    let error = stream.read_to_end(&mut rest).unwrap_err();
    assert!(error.to_string().contains("BadRecordMac"), "{error}");
}

#[test]
fn a_handshake_that_stalls_is_cut() {
    let (authority, host) = start("<limits>\nhandshake-timeout 1s\n</limits>");
    let begun = std::time::Instant::now();
    let mut silent = Client::connect(&host.addr("tls"));
    let mut slow = Client::connect(&host.addr("tls"));
    // The head of a record that never comes.
    slow.send_raw(b"\x16\x03\x01\x02\x00\x01");
    // TLS is done, and then nothing is asked for.
    let mut mute = authority.client(&host.addr("tls"));
    silent.expect_eof();
    slow.expect_eof();
    mute.read_to_end();
    assert!(begun.elapsed() >= Duration::from_secs(1));
}

#[test]
fn others_chat_while_many_shake_hands() {
    let (authority, host) = start("");
    let mut chatting = ws(&authority, &host);
    let addr = host.addr("tls");
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..12 {
                    let mut ws = authority.client(&addr).into_ws("/echo", &[]);
                    ws.echo("hello");
                }
            });
        }
        for number in 0..200 {
            chatting.echo(&format!("message {number}"));
        }
    });
    chatting.echo("the last one");
}

// Slow clients

#[test]
fn a_client_that_reads_late_gets_all_of_it_in_order() {
    let (authority, host) = start("<limits>\nsoft-backlog 64KB\nmax-backlog 128KB\n</limits>");
    let mut ws = ws(&authority, &host);
    // The host stops reading when its queue is full, so all this waits on the way.
    let messages: Vec<Vec<u8>> = (0..1500).map(|number| pattern(20_000 + number)).collect();
    let mut bytes = Vec::new();
    for message in &messages {
        bytes.extend(crate::support::frame(0x82, message));
    }
    let stream = ws.client().tls();
    let mut records = Vec::new();
    for piece in bytes.chunks(16_000) {
        stream.connection().writer().write_all(piece).unwrap();
        while stream.connection().wants_write() {
            stream.connection().write_tls(&mut records).unwrap();
        }
    }
    let mut socket = stream.socket().try_clone().unwrap();
    let (stalled, waits) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let mut sent = 0;
            socket.set_write_timeout(Some(Duration::from_secs(1))).unwrap();
            while sent < records.len() {
                match socket.write(&records[sent..]) {
                    Ok(count) => sent += count,
                    // The host has stopped reading.
                    Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                        stalled.send(()).unwrap();
                        socket.set_write_timeout(Some(crate::support::PATIENCE)).unwrap();
                    }
                    Err(error) => panic!("cannot send: {error}"),
                }
            }
        });
        waits.recv().expect("the host does not take what nobody reads back");
        for message in &messages {
            ws.expect_binary(message);
        }
    });
}

#[test]
fn a_client_that_reads_nothing_is_closed() {
    let (authority, host) =
        start("<limits>\nsoft-backlog 64KB\nmax-backlog 128KB\nslow-timeout 1s\n</limits>");
    let mut ws = ws(&authority, &host);
    let mut bytes = Vec::new();
    for _ in 0..2000 {
        bytes.extend(crate::support::frame(0x82, &pattern(20_000)));
    }
    ws.client().send_until_stalled(&bytes);
    host.wait_for_log("the client reads too slowly");
}

// The end

#[test]
fn a_close_from_the_client_ends_with_the_word_of_tls() {
    let (authority, host) = start("");
    let mut ws = ws(&authority, &host);
    ws.close(1000, "bye");
    ws.expect_close(1000);
    // rustls tells a cut from an end: this is an end.
    assert_eq!(ws.next(), Event::End);
    ws.client().tls().finish();
}

#[test]
fn the_host_says_the_word_of_tls_when_it_stops() {
    let (authority, mut host) = start("");
    let mut ws = ws(&authority, &host);
    ws.echo("hello");
    host.signal(rustix::process::Signal::TERM);
    ws.expect_close(1001);
    ws.close(1001, "");
    assert_eq!(ws.next(), Event::End);
    drop(ws);
    assert!(host.wait().success());
}

#[test]
fn an_end_without_a_close_frame_is_abnormal_with_or_without_the_word_of_tls() {
    let (authority, host) = start("<eventlog>\nlevel debug\n</eventlog>");
    for orderly in [true, false] {
        let mut ws = ws(&authority, &host);
        ws.text("the last");
        if orderly {
            ws.client().tls().finish();
        } else {
            ws.client().finish();
        }
        drop(ws);
    }
    // Each is told, and neither takes the host with it.
    host.wait_for_log("ends: Gone");
    let mut ws = ws(&authority, &host);
    ws.echo("still here");
}

#[test]
fn what_came_before_the_word_of_tls_is_answered() {
    let (authority, host) = start("");
    let mut ws = ws(&authority, &host);
    // In one write, so that both are there at once.
    let stream = ws.client().tls();
    let mut records = Vec::new();
    let frames = [crate::support::frame(0x81, b"last"), crate::support::frame(0x88, &[3, 232])];
    stream.connection().writer().write_all(&frames.concat()).unwrap();
    stream.connection().send_close_notify();
    while stream.connection().wants_write() {
        stream.connection().write_tls(&mut records).unwrap();
    }
    stream.socket().write_all(&records).unwrap();
    ws.expect_text("last");
    // Whether the Close is answered to one who hears it, but has ended, is the host's choice.
    let event = ws.next();
    assert!(matches!(event, Event::Close(_) | Event::End), "{event:?}");
}

// Certificates that cannot be used

fn check_files(certificate: &str, key: &str, expected: &str) {
    let home = Home::new();
    home.write("cert.pem", certificate.as_bytes());
    write_key(&home, "key.pem", key);
    let (_, log) = Host::fails_in(home, &echo_conf(""));
    assert!(log.contains(expected), "{log}");
}

#[test]
fn a_file_that_cannot_be_used_is_named_with_its_line() {
    let authority = Authority::new();
    let (certificate, key) = authority.sign(&["localhost"], |_| {});
    let (_, other) = authority.sign(&["localhost"], |_| {});
    let cert_at = "zope.conf:9: <listener tls> <ssl> certificate: ";
    let key_at = "zope.conf:10: <listener tls> <ssl> key: ";
    for (certificate, key, at, why) in [
        ("nonsense", &*key, cert_at, "there is no certificate in it; it should be PEM"),
        (&*key, &*key, cert_at, "there is no certificate in it"),
        (&*certificate, "nonsense", key_at, "there is no private key in it"),
        (&*certificate, &*certificate, key_at, "there is no private key in it"),
        (&*certificate, &*other, key_at, "does not belong to the certificate in"),
        (
            &*certificate,
            "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
            key_at,
            "is encrypted",
        ),
        (
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            &*key,
            cert_at,
            "its first certificate is not good",
        ),
    ] {
        check_files(certificate, key, at);
        check_files(certificate, key, why);
    }
}

/// What `switchboard check` prints, and whether all is well.
fn checked(home: &Home, conf: &str) -> (bool, String) {
    let file = home.write("zope.conf", conf.replace("@PLUGINS@", ".").as_bytes());
    let mut command = Command::new(env!("CARGO_BIN_EXE_switchboard"));
    let output = command.args(["check", "-c"]).arg(file).output().unwrap();
    (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn check_looks_at_certificates_too() {
    let authority = Authority::new();
    let conf = conf(SSL);
    let home = authority.home();
    assert_eq!(checked(&home, &conf), (true, String::new()));

    let (certificate, key) = authority.sign(&["localhost"], |params| {
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2021, 1, 1);
    });
    home.write("cert.pem", certificate.as_bytes());
    home.write("key.pem", key.as_bytes());
    let world = |mode| {
        let permissions = std::os::unix::fs::PermissionsExt::from_mode(mode);
        std::fs::set_permissions(home.join("key.pem"), permissions).unwrap();
        checked(&home, &conf)
    };
    let (well, said) = world(0o644);
    assert!(well, "{said}");
    assert!(said.contains("warning: ") && said.contains("the certificate has expired"), "{said}");
    assert!(said.contains("everybody on this machine may read the key (mode 0644)"), "{said}");
    let (well, said) = world(0o666);
    assert!(!well && said.contains("everybody may write it (mode 0666)"), "{said}");

    std::fs::remove_file(home.join("key.pem")).unwrap();
    let (well, said) = checked(&home, &conf);
    assert!(!well, "{said}");
    assert!(said.contains("zope.conf:10: <listener tls> <ssl> key: "), "{said}");
    assert!(said.contains("key.pem: it cannot be read: No such file"), "{said}");
}

// The other side: `connect` and `<forward>`

fn connect(url: &str, cacert: &str, input: &str) -> (Option<i32>, String, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_switchboard"))
        .args(["connect", url, "--cacert", cacert, "--expect", "1"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    // One that cannot connect does not read.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn connect_speaks_tls_and_checks_who_answers() {
    let (authority, host) = start("");
    let ca = host.dir().join("ca.pem");
    let ca = ca.to_str().unwrap();
    let addr = host.addr("tls");
    let port = addr.rsplit_once(':').unwrap().1;
    for server in ["localhost", "127.0.0.1"] {
        let got = connect(&format!("wss://{server}:{port}/echo"), ca, "hello\n");
        assert_eq!(got, (Some(0), "hello\n".to_owned(), got.2.clone()), "{}", got.2);
    }
    let long = "x".repeat(900_000);
    let got = connect(&format!("wss://localhost:{port}/echo"), ca, &format!("{long}\n"));
    assert_eq!((got.0, got.1.len()), (Some(0), long.len() + 1), "{}", got.2);

    let other = Authority::new().home();
    let other_ca = other.join("ca.pem");
    let url = format!("wss://localhost:{port}/echo");
    for (url, ca, status, expected) in [
        (
            &*url,
            other_ca.to_str().unwrap(),
            76,
            "its certificate is signed by nobody who is trusted",
        ),
        (&*format!("wss://127.0.0.2:{port}/echo"), ca, 69, "cannot reach"),
        (&*url, "/nowhere", 64, "--cacert: /nowhere: it cannot be read"),
        (&*format!("wss://{}/echo", host.addr("main")), ca, 76, "it does not speak TLS"),
    ] {
        let (code, _, said) = connect(url, ca, "");
        assert!(said.contains(expected), "{url}: {said}");
        assert_eq!(code, Some(status), "{url}: {said}");
    }
    drop(authority);
}

/// A host that forwards `/app` over TLS to one that echoes.
fn forwarded(behind: &Host, server: &str, ca: &str) -> Host {
    let addr = behind.addr("tls");
    let port = addr.rsplit_once(':').unwrap().1;
    let url = format!("wss://{server}:{port}/echo");
    let forward = format!("<forward>\nurl {url}\nca {ca}\n</forward>");
    Host::start(&conf(&format!("<websocket /app>\n{forward}\n</websocket>")))
}

#[test]
fn a_forward_speaks_tls_to_the_server_behind() {
    let (_authority, behind) = start("<limits>\nmax-message-size 2MB\n</limits>");
    let ca = behind.dir().join("ca.pem");
    let host = forwarded(&behind, "localhost", ca.to_str().unwrap());
    let mut ws = Client::ws(&host.addr("main"), "/app");
    for size in [0, 1, 126, 16_384, 65_536, 900_000] {
        ws.binary(&pattern(size));
        ws.expect_binary(&pattern(size));
    }
    ws.ping(b"are you there?");
    ws.expect(&Event::Pong(b"are you there?".to_vec()));
    ws.close(4001, "bye");
    ws.expect_close(4001);
    ws.expect_eof();
}

#[test]
fn a_forward_does_not_speak_to_an_impostor() {
    let authority = Authority::new();
    let home = authority.home();
    let (certificate, key) = authority.sign(&["other.test"], |_| {});
    home.write("cert.pem", certificate.as_bytes());
    write_key(&home, "key.pem", &key);
    let behind = Host::start_in(home, &echo_conf(""));
    let ca = behind.dir().join("ca.pem");
    let host = forwarded(&behind, "localhost", ca.to_str().unwrap());
    let response = Client::connect(&host.addr("main")).upgrade("/app", &[]);
    assert_eq!(response.status, 502);
    assert!(response.text().contains("its certificate is not for localhost but for other.test"));
}

#[test]
fn a_ca_that_cannot_be_read_is_named() {
    let forward = "<forward>\nurl wss://localhost:1/\nca nowhere.pem\n</forward>";
    let (_, log) = Host::fails(&conf(&format!("<websocket /app>\n{forward}\n</websocket>")));
    assert!(log.contains("zope.conf:9: <websocket /app> <forward> ca: "), "{log}");
    assert!(log.contains("nowhere.pem: it cannot be read"), "{log}");
}
