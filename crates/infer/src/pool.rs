//! Where texts are classified: on threads of its own, in a bounded queue, each request with a deadline.
//!
//! What was classified before costs its hash. A long text does not hold up short ones: between its windows they go first.
//! What becomes of a text that was not read in time is not decided here.

use std::collections::{HashMap, VecDeque};
use std::hash::Hasher as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use portcullis_core::Channel;
use portcullis_inspect::{Classifier, Opinion, Question, Rate, classify};
use siphasher::sip128::{Hasher128 as _, SipHasher13};
use tokio::sync::oneshot;

/// Bytes up to which a text is short.
const SHORT: usize = 4 << 10;

/// How much a pool works and keeps.
#[derive(Clone, Copy, Debug)]
pub struct PoolSize {
    /// Threads.
    pub threads: usize,
    /// Bytes of texts that may wait.
    pub waiting: usize,
    /// Texts whose opinions are remembered; 0 remembers none.
    pub remembered: usize,
}

impl PoolSize {
    /// What suits this machine: every core but one, at least one.
    #[must_use]
    pub fn of_machine() -> PoolSize {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        PoolSize {
            threads: cores.saturating_sub(1).max(1),
            waiting: 64 << 20,
            remembered: 1 << 16,
        }
    }
}

/// What a pool did so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PoolStats {
    /// Texts that were asked about.
    pub asked: u64,
    /// Texts of these whose opinion was remembered.
    pub known: u64,
    /// Texts of these that were not read in time, or for which there was no place.
    pub late: u64,
}

/// A classifier with threads to run it.
pub struct Pool {
    shared: Arc<Shared>,
}

struct Shared {
    classifier: Arc<dyn Classifier>,
    size: PoolSize,
    key: [u8; 16],
    queue: Mutex<Queue>,
    bell: Condvar,
    known: Mutex<Known>,
    asked: AtomicU64,
    hits: AtomicU64,
    late: AtomicU64,
}

#[derive(Default)]
struct Queue {
    short: VecDeque<Job>,
    long: VecDeque<Job>,
    bytes: usize,
    closed: bool,
}

struct Job {
    text: String,
    channel: Channel,
    rate: Rate,
    key: u128,
    until: Instant,
    /// Set when nobody waits any more.
    left: Arc<AtomicBool>,
    answer: oneshot::Sender<Option<Opinion>>,
}

/// Two generations: what is asked for again moves to the younger one, the older one is forgotten as a whole.
#[derive(Default)]
struct Known {
    young: HashMap<u128, Opinion>,
    old: HashMap<u128, Opinion>,
}

/// Tells the threads that nobody waits any more.
struct Leaving(Arc<AtomicBool>);

impl Drop for Leaving {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Pool {
    /// A pool. `key` must be random, else whoever knows it can make a text that passes for another.
    ///
    /// # Errors
    /// No thread can be started.
    pub fn new(classifier: Arc<dyn Classifier>, size: PoolSize, key: [u8; 16]) -> std::io::Result<Pool> {
        let pool = Pool {
            shared: Arc::new(Shared {
                classifier,
                size,
                key,
                queue: Mutex::default(),
                bell: Condvar::new(),
                known: Mutex::default(),
                asked: AtomicU64::new(0),
                hits: AtomicU64::new(0),
                late: AtomicU64::new(0),
            }),
        };
        for number in 0..size.threads.max(1) {
            let shared = Arc::clone(&pool.shared);
            std::thread::Builder::new()
                .name(format!("classify-{number}"))
                .spawn(move || shared.work())?;
        }
        Ok(pool)
    }

    /// The classifier's name.
    #[must_use]
    pub fn id(&self) -> &str {
        self.shared.classifier.id()
    }

    /// The score from which on a text is an attack: [`Classifier::threshold`].
    #[must_use]
    pub fn threshold(&self, channel: Channel, rate: Rate) -> f32 {
        self.shared.classifier.threshold(channel, rate)
    }

    /// How much it was asked.
    #[must_use]
    pub fn stats(&self) -> PoolStats {
        PoolStats {
            asked: self.shared.asked.load(Ordering::Relaxed),
            known: self.shared.hits.load(Ordering::Relaxed),
            late: self.shared.late.load(Ordering::Relaxed),
        }
    }

    /// What the classifier answers each question, in their order; nothing where it did not come to read a text to its end by
    /// `until`. Whoever drops the future stops the work.
    pub async fn opinions<'t>(
        &self,
        questions: impl Iterator<Item = Question<'t>>,
        until: Instant,
    ) -> Vec<Option<Opinion>> {
        let leaving = Leaving(Arc::new(AtomicBool::new(false)));
        let asked: Vec<_> = questions
            .map(|question| self.shared.ask(question, until, &leaving.0))
            .collect();
        let mut opinions = Vec::with_capacity(asked.len());
        for answer in asked {
            let opinion = match answer {
                Answer::Known(opinion) => Some(opinion),
                Answer::Full => None,
                // A thread that a defect ended answers nothing.
                Answer::Coming(coming) => tokio::time::timeout_at(until.into(), coming)
                    .await
                    .map_or(None, |answered| answered.unwrap_or(None)),
            };
            if opinion.is_none() {
                self.shared.late.fetch_add(1, Ordering::Relaxed);
            }
            opinions.push(opinion);
        }
        opinions
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        let mut queue = self.shared.queue();
        queue.closed = true;
        queue.short.clear();
        queue.long.clear();
        drop(queue);
        self.shared.bell.notify_all();
    }
}

enum Answer {
    Known(Opinion),
    Coming(oneshot::Receiver<Option<Opinion>>),
    Full,
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn key(&self, question: Question<'_>) -> u128 {
        let mut hasher = SipHasher13::new_with_key(&self.key);
        hasher.write_u8(question.channel as u8);
        hasher.write_u8(question.rate as u8);
        hasher.write(question.text.as_bytes());
        hasher.finish128().as_u128()
    }

    fn ask(&self, question: Question<'_>, until: Instant, left: &Arc<AtomicBool>) -> Answer {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let key = self.key(question);
        let text = question.text;
        if let Some(opinion) = self.known().recall(key, self.size.remembered) {
            self.hits.fetch_add(1, Ordering::Relaxed);
            return Answer::Known(opinion);
        }
        let (answer, coming) = oneshot::channel();
        let mut queue = self.queue();
        let bytes = queue.bytes.saturating_add(text.len());
        if bytes > self.size.waiting && queue.bytes > 0 {
            return Answer::Full;
        }
        queue.bytes = bytes;
        let job = Job {
            text: text.to_owned(),
            channel: question.channel,
            rate: question.rate,
            key,
            until,
            left: Arc::clone(left),
            answer,
        };
        if text.len() <= SHORT {
            queue.short.push_back(job);
        } else {
            queue.long.push_back(job);
        }
        drop(queue);
        self.bell.notify_one();
        Answer::Coming(coming)
    }

    /// A thread's life.
    fn work(&self) {
        let mut queue = self.queue();
        loop {
            if queue.closed {
                return;
            }
            let job = queue.short.pop_front();
            match job.or_else(|| queue.long.pop_front()) {
                Some(job) => {
                    drop(queue);
                    self.answer(job, true);
                    queue = self.queue();
                }
                None => queue = self.bell.wait(queue).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }

    /// Answers a job; where it is a long one and `gives_way`, short ones that came meanwhile between its windows.
    fn answer(&self, job: Job, gives_way: bool) {
        let gives_way = gives_way && job.text.len() > SHORT;
        let go_on = || {
            if gives_way {
                while let Some(short) = self.next_short() {
                    self.answer(short, false);
                }
            }
            !job.left.load(Ordering::Relaxed) && Instant::now() < job.until
        };
        // The same text may have been classified while this one waited.
        let known = self.known().recall(job.key, self.size.remembered);
        let opinion = known.or_else(|| {
            // A classifier that panics has said nothing; whoever asked is told so, and the thread goes on.
            let question = Question {
                text: &job.text,
                channel: job.channel,
                rate: job.rate,
            };
            let classified = catch_unwind(AssertUnwindSafe(|| {
                classify(self.classifier.as_ref(), question, &go_on)
            }));
            let opinion = classified.unwrap_or(None);
            if let Some(opinion) = opinion {
                self.known().keep(job.key, opinion, self.size.remembered);
            }
            opinion
        });
        let mut queue = self.queue();
        queue.bytes = queue.bytes.saturating_sub(job.text.len());
        drop(queue);
        // Whoever asked may be gone.
        let _ = job.answer.send(opinion);
    }

    fn next_short(&self) -> Option<Job> {
        self.queue().short.pop_front()
    }
}

impl Known {
    fn recall(&mut self, key: u128, most: usize) -> Option<Opinion> {
        if let Some(opinion) = self.young.get(&key) {
            return Some(*opinion);
        }
        let opinion = self.old.remove(&key)?;
        self.keep(key, opinion, most);
        Some(opinion)
    }

    fn keep(&mut self, key: u128, opinion: Opinion, most: usize) {
        if most == 0 {
            return;
        }
        if self.young.len() >= most / 2 {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, opinion);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use portcullis_core::Span;
    use portcullis_inspect::Attempt;
    use std::time::Duration;

    /// Says how long a text is. It takes a step for every kilobyte, and waits for the gate before each.
    struct Slow {
        gate: Mutex<bool>,
        opened: Condvar,
        read: AtomicU64,
    }

    impl Slow {
        fn new(open: bool) -> Arc<Slow> {
            Arc::new(Slow {
                gate: Mutex::new(open),
                opened: Condvar::new(),
                read: AtomicU64::new(0),
            })
        }

        fn is_open(&self) -> bool {
            *self.gate.lock().unwrap()
        }

        fn open(&self) {
            *self.gate.lock().unwrap() = true;
            self.opened.notify_all();
        }
    }

    impl Classifier for Slow {
        fn id(&self) -> &str {
            "slow"
        }

        fn threshold(&self, _: Channel, _: Rate) -> f32 {
            0.5
        }

        fn classify(&self, question: Question<'_>, go_on: &dyn Fn() -> bool) -> Option<Opinion> {
            let text = question.text;
            assert!(!text.contains("panic"), "a defect");
            for _ in 0..=text.len() / 1024 {
                // Asked without the lock: what goes on meanwhile may be another text of this thread.
                while !self.is_open() && go_on() {
                    let shut = self.gate.lock().unwrap();
                    drop(self.opened.wait_timeout(shut, Duration::from_millis(5)).unwrap());
                }
                if !go_on() {
                    return None;
                }
            }
            self.read.fetch_add(1, Ordering::Relaxed);
            Some(Opinion {
                score: text.len() as f32,
                attempt: Attempt::Injection,
                span: Span::new(0, text.len()),
            })
        }
    }

    fn pool(classifier: Arc<Slow>, waiting: usize) -> Pool {
        let size = PoolSize {
            threads: 1,
            waiting,
            remembered: 4,
        };
        Pool::new(classifier, size, [7; 16]).unwrap()
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_millis(60)
    }

    fn later() -> Instant {
        Instant::now() + Duration::from_secs(60)
    }

    fn scores(opinions: &[Option<Opinion>]) -> Vec<Option<usize>> {
        opinions
            .iter()
            .map(|opinion| opinion.map(|opinion| opinion.score as usize))
            .collect()
    }

    fn user(text: &str) -> Question<'_> {
        Question {
            text,
            channel: Channel::User,
            rate: Rate::Hundredth,
        }
    }

    #[tokio::test]
    async fn answers_come_in_the_order_of_the_texts_and_are_remembered() {
        let slow = Slow::new(true);
        let pool = pool(Arc::clone(&slow), 1 << 20);
        let long = "x".repeat(9000);
        let texts = || [long.as_str(), "ab", "abc", "ab"].into_iter().map(user);
        let first = pool.opinions(texts(), later()).await;
        assert_eq!(scores(&first), [Some(9000), Some(2), Some(3), Some(2)]);
        let read = slow.read.load(Ordering::Relaxed);
        assert_eq!(read, 3, "the second `ab` was known by then");
        let again = pool.opinions(["abc", "ab"].into_iter().map(user), later()).await;
        assert_eq!(scores(&again), [Some(3), Some(2)]);
        assert_eq!(slow.read.load(Ordering::Relaxed), read);
        // The same words elsewhere are another question, and so they are at another rate.
        let there = Question {
            channel: Channel::Document,
            ..user("abc")
        };
        let rarely = Question {
            rate: Rate::Thousandth,
            ..there
        };
        let others = pool.opinions([there, rarely].into_iter(), later()).await;
        assert_eq!(scores(&others), [Some(3), Some(3)]);
        assert_eq!(slow.read.load(Ordering::Relaxed), read + 2);
    }

    #[tokio::test]
    async fn what_is_not_read_in_time_is_not_known() {
        let slow = Slow::new(false);
        let pool = pool(Arc::clone(&slow), 1 << 20);
        let late = pool.opinions([user("ab")].into_iter(), soon()).await;
        assert_eq!(scores(&late), [None]);
        slow.open();
        let known = pool.opinions([user("ab")].into_iter(), later()).await;
        assert_eq!(scores(&known), [Some(2)]);
        assert_eq!(
            pool.stats(),
            PoolStats {
                asked: 2,
                known: 0,
                late: 1
            }
        );
    }

    #[tokio::test]
    async fn a_long_text_gives_way_to_short_ones() {
        let slow = Slow::new(false);
        let pool = Arc::new(pool(Arc::clone(&slow), 1 << 20));
        let long = "x".repeat(100_000);
        let waiting = {
            let pool = Arc::clone(&pool);
            tokio::spawn(async move { pool.opinions([user(long.as_str())].into_iter(), later()).await })
        };
        while pool.shared.queue().bytes == 0 || !pool.shared.queue().long.is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        // The only thread is inside the long one, before its first window.
        let short = {
            let pool = Arc::clone(&pool);
            tokio::spawn(async move { pool.opinions([user("ab")].into_iter(), later()).await })
        };
        while pool.shared.queue().bytes == 100_000 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        slow.open();
        assert_eq!(scores(&short.await.unwrap()), [Some(2)]);
        assert_eq!(scores(&waiting.await.unwrap()), [Some(100_000)]);
    }

    #[tokio::test]
    async fn there_is_room_for_so_much_and_one_text_always_fits() {
        let slow = Slow::new(false);
        let pool = pool(Arc::clone(&slow), 10);
        let texts = ["x".repeat(100), "y".repeat(5)];
        let late = pool.opinions(texts.iter().map(|text| user(text)), soon()).await;
        assert_eq!(scores(&late), [None, None]);
        slow.open();
        while pool.shared.queue().bytes > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let known = pool
            .opinions([user(texts[0].as_str())].into_iter(), later())
            .await;
        assert_eq!(scores(&known), [Some(100)]);
    }

    #[tokio::test]
    async fn a_defect_of_the_classifier_is_no_opinion_and_the_thread_goes_on() {
        let pool = pool(Slow::new(true), 1 << 20);
        let texts = ["panic", "ab"];
        let opinions = pool.opinions(texts.into_iter().map(user), later()).await;
        assert_eq!(scores(&opinions), [None, Some(2)]);
    }

    #[tokio::test]
    async fn nobody_waits_for_what_nobody_asks_any_more() {
        let slow = Slow::new(false);
        let pool = pool(Arc::clone(&slow), 1 << 20);
        {
            let asking = pool.opinions([user("ab")].into_iter(), later());
            let _ = tokio::time::timeout(Duration::from_millis(30), asking).await;
        }
        // Without the gate being opened, the thread is free again.
        while pool.shared.queue().bytes > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert_eq!(slow.read.load(Ordering::Relaxed), 0);
    }
}
