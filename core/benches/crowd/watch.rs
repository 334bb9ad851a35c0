//! Memory of the host, its program and the system's sockets, and the host's CPU time, while a round
//! goes on.

use std::time::{Duration, Instant};

use crate::support::{Host, Outcome, memory_of};

/// What was seen, in bytes.
#[derive(Debug, Clone, Default)]
pub(crate) struct Memory {
    pub(crate) host_before: u64,
    /// VmHWM.
    pub(crate) host_peak: u64,
    pub(crate) host_after: u64,
    pub(crate) program_peak: u64,
    /// What the system keeps for TCP, of all programs and both ends.
    pub(crate) sockets_before: u64,
    pub(crate) sockets_peak: u64,
    /// How often the system fell short of it, and what it dropped of what had come to any socket.
    pub(crate) shortages: u64,
    pub(crate) dropped: u64,
    /// Per cent of one core, of the host.
    pub(crate) cpu_percent: f64,
}

/// Looks at it.
pub(crate) struct Watch<'h> {
    host: &'h Host,
    seen: Memory,
    shortages: u64,
    dropped: u64,
    since: Instant,
    cpu: Duration,
    cpu_until: Duration,
    until: Instant,
}

impl<'h> Watch<'h> {
    /// Begins, with what there is now.
    pub(crate) fn start(host: &'h Host) -> Outcome<Self> {
        // "5": the peak begins anew. Without it the peak is that of all rounds.
        let _ = std::fs::write(format!("/proc/{}/clear_refs", host.pid()), "5");
        let cpu = host.cpu()?;
        let seen =
            Memory { host_before: host.memory()?, sockets_before: sockets()?, ..Memory::default() };
        let now = Instant::now();
        let [shortages, dropped] = shortages()?;
        Ok(Self { host, seen, shortages, dropped, since: now, cpu, cpu_until: cpu, until: now })
    }

    /// Notes what is more than before.
    pub(crate) fn look(&mut self) -> Outcome<()> {
        let seen = &mut self.seen;
        seen.host_peak = memory_of(self.host.pid(), "VmHWM:")?;
        seen.sockets_peak = seen.sockets_peak.max(sockets()?);
        if let Some(program) = self.host.child() {
            seen.program_peak = seen.program_peak.max(memory_of(program, "VmRSS:")?);
        }
        self.cpu_until = self.host.cpu()?;
        self.until = Instant::now();
        Ok(())
    }

    /// What was seen, when all has ended.
    pub(crate) fn end(mut self) -> Outcome<Memory> {
        let seconds = (self.until - self.since).as_secs_f64();
        self.seen.cpu_percent = (self.cpu_until - self.cpu).as_secs_f64() / seconds * 100.0;
        self.seen.host_after = self.host.memory()?;
        let [shortages, dropped] = shortages()?;
        self.seen.shortages = shortages - self.shortages;
        self.seen.dropped = dropped - self.dropped;
        Ok(self.seen)
    }
}

/// `mem` of `/proc/net/sockstat`, which counts pages of 4 KiB.
fn sockets() -> Outcome<u64> {
    let text = std::fs::read_to_string("/proc/net/sockstat")?;
    let tcp = text.lines().find(|line| line.starts_with("TCP:")).ok_or("no TCP")?;
    let pages = tcp.split_whitespace().skip_while(|word| *word != "mem").nth(1);
    Ok(pages.ok_or("no mem")?.parse::<u64>()? * 4096)
}

/// How often memory for TCP was short, and how often a socket dropped what had come: of the whole
/// system, since it runs.
fn shortages() -> Outcome<[u64; 2]> {
    let text = std::fs::read_to_string("/proc/net/netstat")?;
    // Names in one line, values in the next.
    let mut lines = text.lines().filter(|line| line.starts_with("TcpExt:"));
    let names = lines.next().unwrap_or_default().split_whitespace();
    let values = lines.next().unwrap_or_default().split_whitespace();
    let mut found = [0; 2];
    for (name, value) in names.zip(values) {
        match name {
            "TCPMemoryPressures" => found[0] = value.parse()?,
            "TCPRcvQDrop" => found[1] = value.parse()?,
            _ => {}
        }
    }
    Ok(found)
}
