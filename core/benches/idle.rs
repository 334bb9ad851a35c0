//! Memory and CPU with many connections that are open and idle, and some that chat.
//!
//! Run with `make idle`. It starts the host that was built with the same profile, opens the
//! connections from this process, and prints what `/proc` says of the host. The plugins `echo` and
//! `chat` must have been built before. `IDLE_CONNECTIONS` and `CHAT_CONNECTIONS` change the numbers.

mod support;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use switchboard_websocket::{Decoder, Event, Kind, Limits, Role, write_message};

use support::{Host, Outcome};

const MASK: Option<[u8; 4]> = Some([1, 2, 3, 4]);
/// How long CPU time is counted.
const WINDOW: Duration = Duration::from_secs(10);
/// Each chatting client says something so often.
const SAY_EVERY: Duration = Duration::from_secs(1);

const CONF: &str = "plugin-path plugins
<limits>
  ping-interval 0s
</limits>
<listener main>
  address 127.0.0.1:0
</listener>
<websocket /echo>
  <plugin echo />
</websocket>
<websocket /chat>
  <plugin chat />
</websocket>
";

fn main() -> Outcome<()> {
    let idle = number("IDLE_CONNECTIONS", 10_000);
    let chatting = number("CHAT_CONNECTIONS", 100);
    let host = Host::start("idle", &["libecho.so", "libchat.so"], CONF)?;
    // What the first connections allocate once is not theirs.
    let mut connections = open(&host, "/echo", 100)?;
    echo_once(&mut connections)?;
    let before = settled_memory(&host)?;
    let opened = Instant::now();
    let cpu = host.cpu()?;
    connections.extend(open(&host, "/echo", idle - 100)?);
    let rate = (idle - 100) as f64 / (host.cpu()? - cpu).as_secs_f64();
    println!(
        "{idle} connections opened in {:.1} s, {rate:.0} a CPU second",
        opened.elapsed().as_secs_f64()
    );
    echo_once(&mut connections)?;
    let each = (settled_memory(&host)? - before) as f64 / (idle - 100) as f64;
    println!(
        "resident memory of the host for each idle connection after one message: {each:.0} bytes"
    );

    println!("CPU while all are idle: {:.2} %", host.cpu_share(|| std::thread::sleep(WINDOW))?);
    let mut clients = open(&host, "/chat/idle", chatting)?;
    for (number, client) in clients.iter_mut().enumerate() {
        send(client, &format!(r#"{{"type":"join","name":"client {number}"}}"#))?;
    }
    let mut deliveries = 0;
    let share = host.cpu_share(|| deliveries = chat(&mut clients))?;
    println!(
        "CPU while {chatting} of them chat: {share:.2} %, {:.0} deliveries a second, {:.1} us each",
        f64::from(deliveries) / WINDOW.as_secs_f64(),
        share / 100.0 * WINDOW.as_secs_f64() * 1e6 / f64::from(deliveries.max(1)),
    );
    println!("resident memory of the host in all: {} KiB", host.memory()? / 1024);
    Ok(())
}

/// When it has not fallen for a while: the allocator gives back late what was free.
fn settled_memory(host: &Host) -> Outcome<u64> {
    const CALM: Duration = Duration::from_millis(1500);
    let (mut held, mut fell) = (host.memory()?, Instant::now());
    while fell.elapsed() < CALM {
        std::thread::sleep(Duration::from_millis(100));
        let now = host.memory()?;
        if now < held {
            fell = Instant::now();
        }
        held = now;
    }
    Ok(held)
}

fn number(variable: &str, default: usize) -> usize {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// Sends and receives one message of 16 bytes on each.
fn echo_once(connections: &mut [TcpStream]) -> Outcome<()> {
    for connection in connections {
        let mut frame = Vec::new();
        write_message(&mut frame, Kind::Binary, &[7; 16], MASK);
        connection.write_all(&frame)?;
        connection.read_exact(&mut [0; 18])?;
    }
    Ok(())
}

fn send(connection: &mut TcpStream, text: &str) -> Outcome<()> {
    let mut frame = Vec::new();
    write_message(&mut frame, Kind::Text, text.as_bytes(), MASK);
    Ok(connection.write_all(&frame)?)
}

/// Everybody says something in turn, for the length of the window; counts what the first hears and
/// multiplies, for all hear the same.
fn chat(clients: &mut [TcpStream]) -> u32 {
    let count = clients.len();
    let mut readers = Vec::new();
    for client in clients.iter() {
        let Ok(mut reader) = client.try_clone() else { continue };
        readers.push(std::thread::spawn(move || {
            let _ = reader.set_read_timeout(Some(Duration::from_millis(200)));
            let (mut decoder, mut heard, end) =
                (Decoder::new(Role::Client), 0_u32, Instant::now() + WINDOW);
            let limits = Limits { message_bytes_max: 1 << 20, frame_bytes_max: 1 << 20 };
            let mut buffer = [0; 65536];
            while Instant::now() < end {
                let Ok(read) = reader.read(&mut buffer) else { continue };
                let mut at = 0;
                while let Ok(Some(event)) = decoder.next(&limits, &mut buffer[..read], &mut at) {
                    heard += u32::from(matches!(event, Event::Message { .. }));
                }
            }
            heard
        }));
    }
    let end = Instant::now() + WINDOW;
    let pause = SAY_EVERY / u32::try_from(count).unwrap_or(1);
    for speaker in (0..count).cycle() {
        if Instant::now() >= end {
            break;
        }
        if send(&mut clients[speaker], r#"{"type":"say","text":"how do you do?"}"#).is_err() {
            break;
        }
        std::thread::sleep(pause);
    }
    readers.into_iter().filter_map(|reader| reader.join().ok()).sum()
}

/// Opens `count` WebSockets.
fn open(host: &Host, path: &str, count: usize) -> Outcome<Vec<TcpStream>> {
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        host.address
    );
    let open = |_| {
        let mut socket = TcpStream::connect(&host.address)?;
        socket.set_nodelay(true)?;
        socket.write_all(request.as_bytes())?;
        let mut response = Vec::new();
        while !response.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            socket.read_exact(&mut byte)?;
            response.push(byte[0]);
        }
        if !response.starts_with(b"HTTP/1.1 101") {
            return Err(String::from_utf8_lossy(&response).into_owned().into());
        }
        Ok(socket)
    };
    (0..count).map(open).collect()
}
