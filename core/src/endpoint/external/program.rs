//! A program as a process: started with its link, listened to, waited for, ended.

#![allow(unsafe_code)]

use std::io::{self, BufRead, BufReader, Read};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::Sender;
use std::time::Instant;

use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, socket_with};
use rustix::process::{Pid, Signal, kill_process_group};

use super::said::{LINE_BYTES_MAX, Said, printable};
use super::supervisor::Event;

/// Starts the program of the endpoint at `prefix`, with `link` as its descriptor 3. `events` learns
/// of its end. On a thread that lives as long as the program may.
pub(super) fn start(
    prefix: &str,
    number: u32,
    program: &Path,
    arguments: &[String],
    link: &UnixStream,
    events: Sender<Event>,
) -> Result<Pid, String> {
    let fd = link.as_raw_fd();
    let mut command = Command::new(program);
    command
        .args(arguments)
        .env("SWBD_FD", "3")
        .env("SWBD_PROTOCOL", "1-1")
        .env("SWBD_ENDPOINT", prefix)
        .env("SWBD_GENERATION", number.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // Of its own, so that its end can be the end of all that it started.
        .process_group(0);
    // SAFETY: between fork and exec only system calls that are safe there are made, on values
    // that were computed before.
    unsafe {
        command.pre_exec(move || {
            rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
            if libc::dup2(fd, 3) != 3 || libc::fcntl(3, libc::F_SETFD, 0) != 0 {
                return Err(io::Error::last_os_error());
            }
            Ok(())
        });
    }
    let mut child = command.spawn().map_err(|error| format!("{}: {error}", program.display()))?;
    let pid = Pid::from_child(&child);
    tracing::info!("{}: started {} ({pid})", prefix, program.display());
    listen_to(prefix, child.stdout.take(), "");
    listen_to(prefix, child.stderr.take(), " stderr");
    wait_for(number, child, events);
    Ok(pid)
}

/// Writes what the program prints into the log.
fn listen_to(prefix: &str, output: Option<impl Read + Send + 'static>, part: &'static str) {
    let Some(output) = output else { return };
    let prefix = format!("{prefix}{part}");
    let mut said = Said::new(Instant::now());
    std::thread::spawn(move || {
        let mut lines = BufReader::new(output);
        let mut line = Vec::new();
        loop {
            line.clear();
            match (&mut lines).take(LINE_BYTES_MAX as u64).read_until(b'\n', &mut line) {
                Ok(0) | Err(_) => return said.tell_dropped(&prefix),
                Ok(_) if !said.admits(&prefix, Instant::now()) => {}
                Ok(_) => {
                    let text = String::from_utf8_lossy(&line);
                    let text = printable(text.trim_end(), LINE_BYTES_MAX);
                    tracing::info!(target: "program", "{prefix}: {text}");
                }
            }
        }
    });
}

fn wait_for(number: u32, mut child: Child, events: Sender<Event>) {
    std::thread::spawn(move || {
        if let Ok(status) = child.wait() {
            // Nobody waits for it when the supervisor has given up.
            let _ = events.send(Event::Exited(number, status));
        }
    });
}

/// A connection to a program that listens, without waiting for a program that does not accept.
pub(super) fn connect(path: &Path) -> io::Result<UnixStream> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    rustix::net::connect(&socket, &SocketAddrUnix::new(path)?)?;
    Ok(socket.into())
}

/// To the whole group: what the program has started ends with it.
pub(super) fn signal(group: Option<Pid>, signal: Signal) {
    if let Some(group) = group {
        // The group may have ended already.
        let _ = kill_process_group(group, signal);
    }
}

/// How a program ended, in words.
pub(super) fn how(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(signal)) => format!("killed by signal {signal}"),
        (None, None) => status.to_string(),
    }
}
