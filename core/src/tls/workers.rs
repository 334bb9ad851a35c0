//! Threads for what a shard must not do itself: the steps of a handshake, of which each costs some
//! hundred microseconds of arithmetic.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, mpsc};

use tokio::sync::oneshot;

type Job = Box<dyn FnOnce() + Send>;

/// Does `work` on another thread. `None`: it panicked. If nobody waits any more when its turn comes,
/// it is not done. Only what a connection of `max-connections` asks for waits here.
pub async fn on_a_worker<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    let (done, result) = oneshot::channel();
    let job: Job = Box::new(move || {
        if !done.is_closed() {
            // Nobody may wait any more by now.
            let _ = done.send(work());
        }
    });
    jobs().send(job).ok()?;
    result.await.ok()
}

/// The threads start with the first job, and stay.
fn jobs() -> &'static mpsc::Sender<Job> {
    static JOBS: OnceLock<mpsc::Sender<Job>> = OnceLock::new();
    JOBS.get_or_init(|| {
        let (jobs, queue) = mpsc::channel::<Job>();
        let queue = Arc::new(Mutex::new(queue));
        let count = std::thread::available_parallelism().map_or(1, usize::from);
        for number in 0..count {
            let queue = Arc::clone(&queue);
            let thread = std::thread::Builder::new().name(format!("tls-{number}"));
            if let Err(error) = thread.spawn(move || run(&queue)) {
                tracing::error!("cannot start a thread for TLS: {error}");
            }
        }
        jobs
    })
}

fn run(queue: &Mutex<mpsc::Receiver<Job>>) {
    loop {
        let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = job else { return };
        if catch_unwind(AssertUnwindSafe(job)).is_err() {
            tracing::error!("a step of TLS panicked; its connection is closed");
        }
    }
}
