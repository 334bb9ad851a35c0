//! The host that a measurement is about: the real program, and what `/proc` says of it.

#![allow(dead_code)] // no measurement needs all of it

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

pub(crate) type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// A running host. It ends when this is dropped.
pub(crate) struct Host {
    process: Child,
    pub(crate) address: String,
    home: PathBuf,
}

/// The host's program, built with the profile of the measurement.
pub(crate) fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_switchboard"))
}

/// What was built beside the host's program.
pub(crate) fn built(name: &str) -> Outcome<PathBuf> {
    let path = program().with_file_name(name);
    if path.exists() { Ok(path) } else { Err(format!("{} is not built", path.display()).into()) }
}

impl Host {
    /// Starts it with a conf, which finds these plugins; returns when it listens.
    pub(crate) fn start(name: &str, plugins: &[&str], conf: &str) -> Outcome<Self> {
        let home = std::env::temp_dir().join(format!("switchboard-{name}-{}", std::process::id()));
        let plugin_path = home.join("plugins");
        std::fs::create_dir_all(&plugin_path)?;
        for name in plugins {
            std::fs::copy(built(name)?, plugin_path.join(name))?;
        }
        std::fs::write(home.join("zope.conf"), conf)?;
        let mut process = Command::new(program())
            .args(["serve", "-c"])
            .arg(home.join("zope.conf"))
            .stderr(Stdio::piped())
            .spawn()?;
        let (lines, log) = mpsc::channel();
        let stderr = process.stderr.take().ok_or("no log")?;
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                if line.contains("WARN") || line.contains("ERROR") {
                    eprintln!("{line}");
                }
                // The receiver goes when the host is ready; the pipe must be emptied still.
                let _ = lines.send(line);
            }
        });
        let mut address = None;
        for line in log {
            let listening =
                line.split("listening on ").nth(1).and_then(|rest| rest.split(' ').next());
            address = address.or(listening.map(str::to_owned));
            if line.contains("ready") {
                break;
            }
        }
        Ok(Self { process, address: address.ok_or("the host did not start")?, home })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// The program that it has started, if it is one.
    pub(crate) fn child(&self) -> Option<u32> {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.pid())).ok()?;
        let children =
            |task: std::fs::DirEntry| std::fs::read_to_string(task.path().join("children"));
        let mut lists = tasks.flatten().flat_map(children);
        lists.find_map(|list| list.split_whitespace().next()?.parse().ok())
    }

    /// Resident memory, in bytes.
    pub(crate) fn memory(&self) -> Outcome<u64> {
        memory_of(self.pid(), "VmRSS:")
    }

    /// CPU time that its threads have used.
    pub(crate) fn cpu(&self) -> Outcome<Duration> {
        let mut total = 0;
        for task in std::fs::read_dir(format!("/proc/{}/task", self.process.id()))? {
            let schedstat = std::fs::read_to_string(task?.path().join("schedstat"))?;
            let nanoseconds: u64 = schedstat.split(' ').next().ok_or("no schedstat")?.parse()?;
            total += nanoseconds;
        }
        Ok(Duration::from_nanos(total))
    }

    /// Per cent of one core that it uses while `work` runs.
    pub(crate) fn cpu_share(&self, work: impl FnOnce()) -> Outcome<f64> {
        let (begun, before) = (Instant::now(), self.cpu()?);
        work();
        Ok((self.cpu()? - before).as_secs_f64() / begun.elapsed().as_secs_f64() * 100.0)
    }
}

/// A line of `/proc/PID/status`, in bytes: `VmRSS:`, or `VmHWM:`, the most that it was.
pub(crate) fn memory_of(pid: u32, name: &str) -> Outcome<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find(|line| line.starts_with(name)).ok_or("no such line")?;
    let kib: u64 = line.split_whitespace().nth(1).ok_or("no number")?.parse()?;
    Ok(kib * 1024)
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = std::fs::remove_dir_all(&self.home);
    }
}
