//! The one thread that accepts.

use std::io;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token, Waker};
use rustix::io::Errno;
use rustix::net::SocketFlags;

use super::{Listener, Place};
use crate::shard::{Arrival, Mail, Shards};

/// The accepting thread, until it is stopped.
#[derive(Debug)]
pub struct Acceptor {
    waker: Waker,
    thread: JoinHandle<()>,
}

const STOP: Token = Token(usize::MAX);
/// Sockets taken from one listener before the next has its turn.
const BATCH: usize = 64;
/// How long accepting pauses when there are no more file descriptors.
const PAUSE: Duration = Duration::from_millis(100);
/// The log says at most once in this time that sockets are turned away.
const COMPLAIN: Duration = Duration::from_secs(5);

impl Acceptor {
    /// Begins to accept. A socket beyond `connections_max` is closed at once.
    ///
    /// # Errors
    /// No thread, no poll.
    pub fn start(
        listeners: Vec<Listener>,
        shards: Arc<Shards>,
        connections_max: usize,
    ) -> io::Result<Self> {
        let poll = Poll::new()?;
        let waker = Waker::new(poll.registry(), STOP)?;
        for (index, listener) in listeners.iter().enumerate() {
            let fd = listener.socket.as_raw_fd();
            poll.registry().register(&mut SourceFd(&fd), Token(index), Interest::READABLE)?;
        }
        let accepting = Accepting { listeners, shards, connections_max, complained: None };
        let thread = std::thread::Builder::new()
            .name("acceptor".to_owned())
            .spawn(move || accepting.run(poll))?;
        Ok(Self { waker, thread })
    }

    /// Closes the listeners; what was accepted is with its shard.
    pub fn stop(self) {
        // An eventfd that is full has woken it already.
        let _ = self.waker.wake();
        if self.thread.join().is_err() {
            tracing::error!("the accepting thread panicked");
        }
    }
}

struct Accepting {
    listeners: Vec<Listener>,
    shards: Arc<Shards>,
    connections_max: usize,
    complained: Option<Instant>,
}

/// How a listener's turn ended.
enum Turn {
    /// Nobody waits.
    Empty,
    /// Perhaps more.
    More,
    /// The system has no more to give; try again later.
    Exhausted,
}

impl Accepting {
    fn run(mut self, mut poll: Poll) {
        let mut events = Events::with_capacity(64);
        // Readiness is told once: who is in here may have more.
        let mut ready: Vec<usize> = Vec::new();
        let mut exhausted = false;
        loop {
            let timeout = match (ready.is_empty(), exhausted) {
                (true, _) => None,
                (false, true) => Some(PAUSE),
                (false, false) => Some(Duration::ZERO),
            };
            if let Err(error) = poll.poll(&mut events, timeout)
                && error.kind() != io::ErrorKind::Interrupted
            {
                return tracing::error!("accepting ends: {error}");
            }
            for event in &events {
                if event.token() == STOP {
                    return;
                }
                if !ready.contains(&event.token().0) {
                    ready.push(event.token().0);
                }
            }
            exhausted = false;
            ready.retain(|index| match self.accept(*index) {
                Turn::Empty => false,
                Turn::More => true,
                Turn::Exhausted => {
                    exhausted = true;
                    true
                }
            });
        }
    }

    fn accept(&mut self, index: usize) -> Turn {
        for _ in 0..BATCH {
            let listener = &self.listeners[index];
            let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
            match rustix::net::acceptfrom_with(&listener.socket, flags) {
                Ok((socket, peer)) => {
                    let peer = match listener.place {
                        Place::Tcp(_) => peer.and_then(|peer| peer.try_into().ok()),
                        Place::Unix(_) => None,
                    };
                    self.place(Arrival { socket, listener: index, at: Instant::now(), peer });
                }
                Err(Errno::AGAIN) => return Turn::Empty,
                Err(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM) => {
                    self.complain("no more file descriptors or memory: new sockets wait");
                    return Turn::Exhausted;
                }
                // The peer left again, or the network said something about it: the next one.
                Err(_) => {}
            }
        }
        Turn::More
    }

    fn place(&mut self, arrival: Arrival) {
        if self.shards.load() >= self.connections_max {
            return self.complain("max-connections is reached: new sockets are closed");
        }
        let face = self.shards.face(self.shards.least_loaded());
        face.load.fetch_add(1, Ordering::AcqRel);
        face.mailbox.post(Mail::Arrived(arrival));
    }

    fn complain(&mut self, what: &str) {
        if self.complained.is_none_or(|at| at.elapsed() > COMPLAIN) {
            self.complained = Some(Instant::now());
            tracing::warn!("{what}");
        }
    }
}
