//! The host that a measurement is about: the real program, and what `/proc` says of it.

#![allow(dead_code)] // no measurement needs all of it

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

pub(crate) type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// A running host. It ends when this is dropped.
pub(crate) struct Host {
    process: Child,
    /// Of the listener that the log names first.
    pub(crate) address: String,
    /// By listener.
    addresses: BTreeMap<String, String>,
    warnings: Arc<Mutex<BTreeMap<String, u64>>>,
    /// How many of its programs have said that they are ready.
    programs_ready: Arc<AtomicUsize>,
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
        Self::start_with(name, plugins, |_| Ok(conf.to_owned()))
    }

    /// The same with a conf that needs other files, which `prepare` puts beside it.
    pub(crate) fn start_with(
        name: &str,
        plugins: &[&str],
        prepare: impl FnOnce(&Path) -> Outcome<String>,
    ) -> Outcome<Self> {
        let home = std::env::temp_dir().join(format!("switchboard-{name}-{}", std::process::id()));
        let plugin_path = home.join("plugins");
        std::fs::create_dir_all(&plugin_path)?;
        for name in plugins {
            std::fs::copy(built(name)?, plugin_path.join(name))?;
        }
        std::fs::write(home.join("zope.conf"), prepare(&home)?)?;
        let mut process = Command::new(program())
            .args(["serve", "-c"])
            .arg(home.join("zope.conf"))
            .stderr(Stdio::piped())
            .spawn()?;
        let (lines, log) = mpsc::channel();
        let stderr = process.stderr.take().ok_or("no log")?;
        let warnings = Arc::<Mutex<BTreeMap<String, u64>>>::default();
        let warned = Arc::clone(&warnings);
        let programs_ready = Arc::<AtomicUsize>::default();
        let count_ready = Arc::clone(&programs_ready);
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                if let Some(kind) = warning(&line) {
                    let mut warned = warned.lock().unwrap_or_else(PoisonError::into_inner);
                    let count = warned.entry(kind).or_default();
                    *count += 1;
                    // A hundred of a kind say no more than the first.
                    if *count == 1 {
                        eprintln!("{line}");
                    }
                }
                if line.ends_with(": ready") {
                    count_ready.fetch_add(1, Ordering::Relaxed);
                }
                // The receiver goes when the host is ready; the pipe must be emptied still.
                let _ = lines.send(line);
            }
        });
        let (mut address, mut addresses) = (None, BTreeMap::new());
        for line in log {
            if let Some((at, listener)) = listening(&line) {
                address.get_or_insert_with(|| at.to_owned());
                addresses.insert(listener.to_owned(), at.to_owned());
            }
            if line.contains("ready") {
                break;
            }
        }
        let address = address.ok_or("the host did not start")?;
        Ok(Self { process, address, addresses, warnings, programs_ready, home })
    }

    /// Where a listener listens.
    pub(crate) fn listener(&self, name: &str) -> Outcome<String> {
        let address = self.addresses.get(name).cloned();
        address.ok_or_else(|| format!("there is no listener {name}").into())
    }

    /// Waits until so many of its programs are ready; the host listens before.
    pub(crate) fn wait_for_programs(&self, count: usize) -> Outcome<()> {
        for _ in 0..100 {
            if self.programs_ready.load(Ordering::Relaxed) >= count {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        Err(format!("{count} programs did not become ready").into())
    }

    /// Warnings and errors of its log, without times and numbers, and how often each came.
    pub(crate) fn warnings(&self) -> BTreeMap<String, u64> {
        self.warnings.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// The program that it has started, if it is one.
    pub(crate) fn child(&self) -> Option<u32> {
        self.children().first().copied()
    }

    /// The programs that it has started.
    pub(crate) fn children(&self) -> Vec<u32> {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.pid()));
        let children =
            |task: std::fs::DirEntry| std::fs::read_to_string(task.path().join("children"));
        let lists: Vec<String> = tasks.into_iter().flatten().flatten().flat_map(children).collect();
        let words = lists.iter().flat_map(|list| list.split_whitespace());
        words.filter_map(|word| word.parse().ok()).collect()
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

/// Address and listener, if the line says so.
fn listening(line: &str) -> Option<(&str, &str)> {
    let (at, name) = line.split_once("listening on ")?.1.split_once(" (listener ")?;
    Some((at, name.strip_suffix(')')?))
}

/// What a line warns of, if it does; numbers are left out, so that those of a kind are alike.
fn warning(line: &str) -> Option<String> {
    let at = ["WARN", "ERROR"].iter().find_map(|level| line.find(level))?;
    let mut kind = String::new();
    for char in line[at..].chars() {
        match char {
            '0'..='9' if kind.ends_with('#') => {}
            '0'..='9' => kind.push('#'),
            _ => kind.push(char),
        }
    }
    Some(kind)
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
