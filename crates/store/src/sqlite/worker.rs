//! A thread that owns a connection and does one job after the other.

use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;

use rusqlite::Connection;
use tokio::sync::oneshot;

use crate::StoreError;

type Job = Box<dyn FnOnce(&mut Connection) + Send>;

/// The way to the thread. Dropping the last clone waits until all jobs are done and the connection is closed, so
/// that whoever dropped a store may move or copy its file.
#[derive(Clone)]
pub(super) struct Worker(Arc<Thread>);

struct Thread {
    // Not bounded: every caller waits for its answer, and those that come in numbers are bounded by the requests
    // under way.
    jobs: Option<mpsc::Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Thread {
    fn drop(&mut self) {
        drop(self.jobs.take());
        if let Some(thread) = self.thread.take() {
            // A job that panicked has been answered by `Closed`; there is nobody left to tell again.
            let _ = thread.join();
        }
    }
}

impl Worker {
    pub(super) fn start(name: &str, mut connection: Connection) -> Result<Worker, StoreError> {
        let (jobs, queue) = mpsc::channel::<Job>();
        let work = move || queue.into_iter().for_each(|job| job(&mut connection));
        let thread = std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(work)
            .map_err(|error| StoreError::Open {
                place: name.to_owned(),
                reason: error.to_string(),
            })?;
        Ok(Worker(Arc::new(Thread {
            jobs: Some(jobs),
            thread: Some(thread),
        })))
    }

    /// Runs a job there and waits for its result. The job is done even if nobody waits for it any more.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (answer, answered) = oneshot::channel();
        let job = move |connection: &mut Connection| {
            // Whoever asked may have gone away; the work counts all the same.
            let _ = answer.send(work(connection));
        };
        let jobs = self.0.jobs.as_ref().ok_or(StoreError::Closed)?;
        jobs.send(Box::new(job)).map_err(|_| StoreError::Closed)?;
        answered.await.map_err(|_| StoreError::Closed)?
    }
}
