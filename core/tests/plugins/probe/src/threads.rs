//! The threads of an instance: joined when it stops, as the contract asks.

use std::sync::Mutex;
use std::thread::JoinHandle;

#[derive(Default)]
pub(crate) struct Threads(Mutex<Vec<JoinHandle<()>>>);

impl Threads {
    pub(crate) fn start(&self, run: impl FnOnce() + Send + 'static) {
        let mut threads = self.0.lock().expect("no thread panics with it");
        threads.retain(|thread| !thread.is_finished());
        threads.push(std::thread::spawn(run));
    }

    pub(crate) fn join(&self) {
        let threads = std::mem::take(&mut *self.0.lock().expect("no thread panics with it"));
        for thread in threads {
            thread.join().expect("a thread of the probe has ended well");
        }
    }
}
