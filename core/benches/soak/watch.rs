//! What `/proc` says of the host and of the programs that it has started, while clients come and go.

use std::time::{Duration, Instant};

use crate::support::{Host, Outcome, memory_of};

/// What a process holds at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Held {
    /// Resident, in bytes.
    pub(crate) host: u64,
    /// Of all programs together.
    pub(crate) programs: u64,
    /// Descriptors of the host.
    pub(crate) host_files: usize,
    pub(crate) program_files: usize,
}

impl Held {
    pub(crate) fn now(host: &Host) -> Outcome<Self> {
        let mut held =
            Self { host: host.memory()?, host_files: files(host.pid())?, ..Self::default() };
        for program in host.children() {
            held.programs += memory_of(program, "VmRSS:")?;
            held.program_files += files(program)?;
        }
        Ok(held)
    }

    fn max(self, other: Self) -> Self {
        Self {
            host: self.host.max(other.host),
            programs: self.programs.max(other.programs),
            host_files: self.host_files.max(other.host_files),
            program_files: self.program_files.max(other.program_files),
        }
    }
}

/// What was seen while clients were there.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    pub(crate) peak: Held,
    open_sum: usize,
    open_max: usize,
    looks: usize,
}

impl Watch {
    /// Looks; `open` is how many are open, unless the last are going already.
    pub(crate) fn look(&mut self, host: &Host, open: Option<usize>) -> Outcome<Held> {
        let held = Held::now(host)?;
        self.peak = self.peak.max(held);
        if let Some(open) = open {
            self.open_sum += open;
            self.open_max = self.open_max.max(open);
            self.looks += 1;
        }
        Ok(held)
    }

    /// How many were open, as a mean and at most.
    pub(crate) fn open(&self) -> (usize, usize) {
        (self.open_sum / self.looks.max(1), self.open_max)
    }
}

/// What is held when all clients have gone: the host has no more files open than before the first,
/// and its memory falls no more. Or what is held after some time.
pub(crate) fn settled(host: &Host, files: usize) -> Outcome<Held> {
    /// Longer than what the conf gives a client to end its side.
    const PATIENCE: Duration = Duration::from_secs(90);
    /// The allocator gives back what has been free for a second, bit by bit.
    const CALM: Duration = Duration::from_secs(3);
    let until = Instant::now() + PATIENCE;
    let (mut held, mut fell) = (Held::now(host)?, Instant::now());
    while Instant::now() < until && (held.host_files > files || fell.elapsed() < CALM) {
        std::thread::sleep(Duration::from_millis(100));
        let now = Held::now(host)?;
        if now.host < held.host || held.host_files > files {
            fell = Instant::now();
        }
        held = now;
    }
    Ok(held)
}

fn files(pid: u32) -> Outcome<usize> {
    Ok(std::fs::read_dir(format!("/proc/{pid}/fd"))?.count())
}
