//! `switchboard connect`: pipes, JSON, a terminal, and how it ends.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Output, Stdio};
use std::time::Instant;

use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use serde_json::{Value, json};

use crate::support::{Home, Host, PATIENCE, Server, conf, echo_conf};

fn connect(url: &str, options: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_switchboard"));
    command.arg("connect").arg(url).args(options);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs it to its end with this input.
fn run(url: &str, options: &[&str], input: &[u8]) -> Output {
    let mut child = connect(url, options).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    std::thread::scope(|scope| {
        // It may end before it has read it all.
        scope.spawn(move || drop(stdin.write_all(input)));
        child.wait_with_output().unwrap()
    })
}

/// Its input stays open: the server closes.
fn run_to_its_end(server: Server, options: &[&str]) -> Output {
    let mut child = connect(&url(&server), options).spawn().unwrap();
    let input = child.stdin.take();
    let output = child.wait_with_output().unwrap();
    drop(input);
    server.join();
    output
}

fn check(output: &Output, status: i32, stdout: &str, stderr: &str) {
    let got = String::from_utf8_lossy(&output.stdout);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(status), "{got}\n{said}");
    assert_eq!(got, stdout, "{said}");
    assert!(said.contains(stderr), "{said}");
}

/// The events of `--json`.
fn events(output: &Output) -> Vec<Value> {
    let text = str::from_utf8(&output.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect()
}

fn echo() -> (Host, String) {
    let host = Host::start(&echo_conf(""));
    let url = format!("ws://{}/echo", host.addr("main"));
    (host, url)
}

fn url(server: &Server) -> String {
    format!("ws://{}/", server.addr())
}

#[test]
fn each_line_of_a_pipe_is_a_message() {
    let (_host, url) = echo();
    let output = run(&url, &["--expect", "4"], "one\nzwö\r\n\nlast".as_bytes());
    check(&output, 0, "one\nzwö\n\nlast\n", "closed by the client: 1000");
}

#[test]
fn what_the_server_says_before_it_answers_the_close_is_printed() {
    let (_host, url) = echo();
    let lines: String = (0..20_000).map(|number| format!("message {number}\n")).collect();
    check(&run(&url, &[], lines.as_bytes()), 0, &lines, "1000");
}

#[test]
fn binary_messages_are_hex_digits_or_files() {
    let (_host, url) = echo();
    let home = Home::new();
    let file = home.write("data", &[0xff, 0, 0xfe]);
    let input = format!("00 ff\n\n@{}\nC0DE\n", file.display());
    check(&run(&url, &["--binary"], input.as_bytes()), 0, "00ff\n\nff00fe\nc0de\n", "1000");
    // The echo of the line before may have come, or not.
    let output = run(&url, &["--binary"], b"00\nhello\n");
    let got = if output.stdout.is_empty() { "" } else { "00\n" };
    check(&output, 65, got, "line 2 of the input: expected pairs of hex digits");
    check(&run(&url, &["--binary"], b"@/no/such/file\n"), 65, "", "/no/such/file: No such file");
    check(&run(&url, &[], b"\xff\n"), 65, "", "line 1 of the input: it is not UTF-8");
}

#[test]
fn every_event_is_a_json_object() {
    let conf =
        conf("<websocket /echo>\nsubprotocol v2\nsubprotocol v1\n<plugin echo/>\n</websocket>");
    let host = Host::start(&conf);
    let url = format!("ws://{}/echo", host.addr("main"));
    let options = ["--json", "--subprotocol", "v1", "--subprotocol", "v2", "--expect", "1"];
    let output = run(&url, &options, b"say \"hi\"\n");
    let events = events(&output);
    assert_eq!(output.status.code(), Some(0), "{events:?}");
    assert_eq!((&events[0]["event"], &events[0]["subprotocol"]), (&json!("open"), &json!("v2")));
    let upgrade = json!(["upgrade", "websocket"]);
    assert!(events[0]["headers"].as_array().unwrap().contains(&upgrade), "{}", events[0]);
    assert_eq!(events[1], json!({"event": "message", "kind": "text", "text": "say \"hi\""}));
    let close = json!({"event": "close", "code": 1000, "reason": "", "by": "client"});
    assert_eq!(events[2..], [close]);
}

#[test]
fn a_unix_socket_is_dialled() {
    let home = Home::new();
    let conf = echo_conf("").replace("127.0.0.1:0", "./test.sock");
    let host = Host::start_in(home, &conf);
    let url = format!("ws+unix:{}:/echo", host.dir().join("test.sock").display());
    check(&run(&url, &["--expect", "1"], b"hello\n"), 0, "hello\n", "1000");
}

#[test]
fn headers_and_an_origin_are_sent() {
    let server = Server::raw(|mut socket, head| {
        assert!(head.starts_with("GET /a?b HTTP/1.1\r\nHost: other.test\r\n"), "{head}");
        assert!(
            head.contains("\r\nOrigin: https://a.test\r\nX-One: 1\r\nX-Two: b: c\r\n"),
            "{head}"
        );
        socket.write_all(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n").unwrap();
    });
    let url = format!("ws://{}/a?b", server.addr());
    let options = ["--origin", "https://a.test", "-H", "X-One: 1", "-H", "X-Two: b: c"];
    let output = run(&url, &[&options[..], &["-H", "Host: other.test"]].concat(), b"");
    server.join();
    check(&output, 76, "", "the server answered 403 instead of 101");
}

#[test]
fn a_server_without_a_websocket_is_another_status() {
    let (host, url) = echo();
    let output = run(&url.replace("/echo", "/none"), &[], b"");
    check(&output, 76, "", "the server answered 404 instead of 101");
    let output = run(&url, &["--json", "--origin", "http://elsewhere.test"], b"");
    assert_eq!(output.status.code(), Some(76));
    let events = events(&output);
    assert_eq!((&events[0]["event"], &events[0]["status"]), (&json!("error"), &json!(403)));
    drop(host);
    for (answer, expected) in [
        (
            "HTTP/1.1 101 Ok\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
            "does not answer the key",
        ),
        ("HTTP/1.1 101 Ok\r\n\r\n", "no 'Upgrade: websocket'"),
        ("SSH-2.0-OpenSSH\r\n", "does not speak HTTP"),
        ("HTTP/1.1 101 Ok\r\nUp", "before it answered the handshake"),
        (
            "HTTP/1.1 503 Busy\r\nContent-Type: text/plain\r\nContent-Length: 6\r\n\r\nlater\n",
            "503 instead of 101: later",
        ),
    ] {
        let server = Server::raw(|mut socket, _| socket.write_all(answer.as_bytes()).unwrap());
        let output = run(&self::url(&server), &[], b"");
        server.join();
        check(&output, 76, "", expected);
    }
}

#[test]
fn nobody_there_is_another_status() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let output = run(&format!("ws://{closed}/"), &[], b"");
    check(&output, 69, "", "Connection refused");
    check(&run("ws+unix:/no/such.sock", &[], b""), 69, "", "No such file");
    // It is bound, and nobody answers.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}/", silent.local_addr().unwrap());
    check(&run(&url, &["--timeout", "0.2"], b""), 69, "", "timed out");
}

#[test]
fn wrong_usage_is_said_before_anything_is_dialled() {
    for (url, options, expected) in [
        ("http://a/", &[][..], "begins neither with ws:// nor with wss://"),
        ("wss+unix:/a", &[], "begins neither with"),
        ("ws://a/#b", &[], "has a fragment"),
        ("ws://a/", &["-H", "no colon"], "NAME: VALUE"),
        ("ws://a/", &["-H", "Sec-WebSocket-Key: x"], "the handshake itself decides"),
        ("ws://a/", &["-H", "X: a\u{1}b"], "control character"),
        ("ws://a/", &["--subprotocol", "a b"], "one token"),
        ("ws://a/", &["--ping", "soon"], "a number of seconds"),
    ] {
        check(&run(url, options, b""), 64, "", expected);
    }
}

#[test]
fn the_code_and_the_reason_of_a_close_are_shown() {
    let close = |payload: &'static [u8]| {
        let server = Server::start(move |mut socket| {
            let length = payload.len() as u8;
            socket.write_all(&[b"\x81\x02hi\x88".as_slice(), &[length], payload].concat()).unwrap();
            let mut answer = Vec::new();
            socket.read_to_end(&mut answer).unwrap();
            // A Close frame, masked, with the same code.
            let code = payload.len().min(2);
            assert_eq!(answer[..2], [0x88, 0x80 | code as u8]);
            let code: Vec<u8> = (0..code).map(|at| answer[6 + at] ^ answer[2 + at]).collect();
            assert_eq!(code, payload[..code.len()]);
        });
        run_to_its_end(server, &[])
    };
    check(&close(b"\x03\xe8done"), 0, "hi\n", "closed by the server: 1000 done");
    check(&close(b"\x03\xe9"), 0, "hi\n", "closed by the server: 1001");
    check(&close(b""), 0, "hi\n", "closed by the server: without a code");
    check(&close(b"\x0f\xa1go away"), 1, "hi\n", "closed by the server: 4001 go away");
    check(&close(b"\x03\xf3"), 1, "hi\n", "the server closed with 1011");
}

#[test]
fn an_end_without_a_close_is_abnormal() {
    let cut = |bytes: &'static [u8]| {
        let server = Server::start(move |mut socket| socket.write_all(bytes).unwrap());
        run_to_its_end(server, &[])
    };
    check(&cut(b"\x81\x02hi"), 1, "hi\n", "without a close frame");
    check(&cut(b"\x81\x02hi\x83"), 1, "hi\n", "broke the protocol: opcode 0x3 is reserved");
    check(&cut(b"\x81\x82hi..hi"), 1, "", "a frame from the server is masked");
}

#[test]
fn an_answer_right_behind_the_head_is_not_lost() {
    let (_host, url) = echo();
    let output = run(&url, &["--expect", "2", "--timeout", "0.3"], b"only one\n");
    check(&output, 1, "only one\n", "1 messages came instead of 2");
    let server = Server::answer("Sec-WebSocket-Protocol: other\r\n", |_| ());
    let output = run(&self::url(&server), &["--subprotocol", "mine"], b"");
    server.join();
    check(&output, 76, "", "chose the subprotocol \"other\", which was not offered");
}

#[test]
fn pings_are_answered_and_sent() {
    let server = Server::start(|mut socket| {
        socket.write_all(b"\x89\x03you").unwrap();
        let mut seen = (false, false);
        while seen != (true, true) {
            let (first, payload) = read_frame(&mut socket);
            match first {
                0x8a => {
                    assert_eq!(payload, b"you");
                    seen.0 = true;
                }
                0x89 => {
                    socket
                        .write_all(&[&[0x8a, payload.len() as u8], &payload[..]].concat())
                        .unwrap();
                    seen.1 = true;
                }
                other => panic!("a frame {other:x}"),
            }
        }
        socket.write_all(b"\x88\x02\x03\xe8").unwrap();
        read_frame(&mut socket);
    });
    let output = run_to_its_end(server, &["--ping", "0.05", "--json"]);
    let names: Vec<_> = events(&output).iter().map(|event| event["event"].clone()).collect();
    assert_eq!(names, ["open", "ping", "pong", "close"]);
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn an_echo_sends_back_what_comes_until_the_server_closes() {
    let server = Server::start(|mut socket| {
        socket.write_all(b"\x81\x02hi\x02\x01\xff\x80\x01\x00\x81\x00").unwrap();
        assert_eq!(read_frame(&mut socket), (0x81, b"hi".to_vec()));
        assert_eq!(read_frame(&mut socket), (0x82, b"\xff\x00".to_vec()));
        assert_eq!(read_frame(&mut socket), (0x81, Vec::new()));
        socket.write_all(b"\x88\x02\x03\xe8").unwrap();
        assert_eq!(read_frame(&mut socket), (0x88, b"\x03\xe8".to_vec()));
    });
    let output = run(&url(&server), &["--echo"], b"this is not read\n");
    server.join();
    check(&output, 0, "hi\nff00\n\n", "closed by the server: 1000");
}

#[test]
fn a_long_echo_is_whole() {
    const MESSAGES: usize = 60_000;
    let payload = |number: usize| vec![number as u8; 125];
    let server = Server::start(move |mut socket| {
        let mut writer = socket.try_clone().unwrap();
        let sending = std::thread::spawn(move || {
            for number in 0..MESSAGES {
                writer.write_all(&[&[0x82, 125], &payload(number)[..]].concat()).unwrap();
            }
        });
        for number in 0..MESSAGES {
            assert_eq!(read_frame(&mut socket), (0x82, payload(number)), "{number}");
        }
        sending.join().unwrap();
        socket.write_all(b"\x88\x00").unwrap();
        assert_eq!(read_frame(&mut socket).0, 0x88);
    });
    let output = run(&url(&server), &["--echo"], b"");
    server.join();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(output.stdout.len(), MESSAGES * 251);
}

#[test]
fn a_server_that_answers_no_ping_is_left() {
    let server = Server::start(|mut socket| {
        let mut all = Vec::new();
        let _ = socket.read_to_end(&mut all);
    });
    let output = run_to_its_end(server, &["--ping", "0.05"]);
    check(&output, 1, "", "does not answer a ping");
}

#[test]
fn a_signal_closes_and_a_second_one_ends() {
    let server = Server::start(|mut socket| {
        socket.write_all(b"\x81\x02hi").unwrap();
        assert_eq!(read_frame(&mut socket), (0x88, b"\x03\xe8".to_vec()));
        socket.write_all(b"\x81\x05still\x88\x02\x03\xe8").unwrap();
    });
    let mut child = connect(&url(&server), &[]).spawn().unwrap();
    let input = child.stdin.take();
    let mut out = child.stdout.take().unwrap();
    let mut first = [0; 3];
    out.read_exact(&mut first).unwrap();
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let mut rest = String::new();
    out.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "still\n");
    assert_eq!(child.wait().unwrap().code(), Some(0));
    drop(input);
    server.join();

    let server = Server::start(|mut socket| {
        socket.write_all(b"\x81\x02hi").unwrap();
        assert_eq!(read_frame(&mut socket).0, 0x88);
        socket.write_all(b"\x81\x05still").unwrap();
        let mut all = Vec::new();
        let _ = socket.read_to_end(&mut all);
    });
    let mut child = connect(&url(&server), &["--timeout", "100"]).spawn().unwrap();
    let input = child.stdin.take();
    let mut out = child.stdout.take().unwrap();
    for expected in ["hi\n", "still\n"] {
        let mut line = vec![0; expected.len()];
        out.read_exact(&mut line).unwrap();
        assert_eq!(line, expected.as_bytes());
        kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    }
    assert_eq!(child.wait().unwrap().code(), Some(1));
    drop(input);
    server.join();
}

/// A short frame of a client: its first byte, and its payload unmasked.
fn read_frame(socket: &mut TcpStream) -> (u8, Vec<u8>) {
    let mut head = [0; 6];
    socket.read_exact(&mut head).unwrap();
    let mut payload = vec![0; usize::from(head[1] & 0x7f)];
    socket.read_exact(&mut payload).unwrap();
    for (at, byte) in payload.iter_mut().enumerate() {
        *byte ^= head[2 + at % 4];
    }
    (head[0], payload)
}

/// A terminal, its program's side and ours.
struct Pty {
    ours: std::fs::File,
    shown: String,
}

impl Pty {
    fn run(command: &mut Command) -> (Self, std::process::Child) {
        let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&ours).unwrap();
        unlockpt(&ours).unwrap();
        let size = Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&ours, size).unwrap();
        let name = ptsname(&ours, Vec::new()).unwrap();
        let open = || {
            let name = name.to_str().unwrap();
            std::fs::File::options().read(true).write(true).open(name).unwrap()
        };
        command
            .stdin(open())
            .stdout(open())
            .stderr(open())
            .env("TERM", "xterm")
            .env_remove("NO_COLOR");
        let child = command.spawn().unwrap();
        // The command would keep the terminal open.
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        (Self { ours: ours.into(), shown: String::new() }, child)
    }

    fn type_in(&mut self, text: &str) {
        self.ours.write_all(text.as_bytes()).unwrap();
    }

    /// Waits until the terminal has shown `text` after what was waited for before.
    fn wait_for(&mut self, text: &str) {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(at) = self.shown.find(text) {
                self.shown.drain(..at + text.len());
                return;
            }
            let mut buffer = [0; 4096];
            let count = self.ours.read(&mut buffer).unwrap_or(0);
            assert!(count > 0 && Instant::now() < end, "no {text:?} in {:?}", self.shown);
            self.shown.push_str(&String::from_utf8_lossy(&buffer[..count]));
        }
    }
}

#[test]
fn on_a_terminal_lines_are_edited_and_messages_stand_above_the_prompt() {
    let (_host, url) = echo();
    let (mut pty, mut child) = Pty::run(&mut connect(&url, &[]));
    pty.wait_for(&format!("connected to {url}"));
    pty.wait_for("> ");
    // The second letter is taken back.
    pty.type_in("hx\x7fello\r");
    pty.wait_for("\x1b[32m<\x1b[0m hello");
    pty.wait_for("> ");
    // The line before comes back from the history.
    pty.type_in("\x1b[A there\r");
    pty.wait_for("\x1b[32m<\x1b[0m hello there");
    pty.wait_for("> ");
    pty.type_in("\x04");
    pty.wait_for("closed by the client: 1000");
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn on_a_terminal_ctrl_c_closes_and_a_message_cannot_steer() {
    let server = Server::start(|mut socket| {
        socket.write_all(&[b"\x81\x09".as_slice(), b"a\x1b[2J\r\nb\x07"].concat()).unwrap();
        socket.write_all(b"\x82\x02\x00\xff").unwrap();
        assert_eq!(read_frame(&mut socket), (0x88, b"\x03\xe8".to_vec()));
        socket.write_all(b"\x88\x06\x03\xe8done").unwrap();
    });
    let (mut pty, mut child) = Pty::run(&mut connect(&url(&server), &[]));
    pty.wait_for("a\\u{1b}[2J\\r");
    pty.wait_for("b\\u{7}");
    pty.wait_for("2 bytes");
    pty.wait_for("00000000  00 ff");
    pty.wait_for("> ");
    pty.type_in("\x03");
    pty.wait_for("closed by the client: 1000 done");
    assert_eq!(child.wait().unwrap().code(), Some(0));
    server.join();
}
