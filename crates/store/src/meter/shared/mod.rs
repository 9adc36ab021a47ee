//! Meters that several replicas share, in Redis or Valkey. Each question is one atomic script under `lua/`, in the server's own time.
//!
//! A replica tells Redis what it has under way whenever it connects (`join.lua`), so that what was lost on the way, in either
//! direction, is put right there and nowhere else. What a request did cost is told afterwards, by name and once (`book.rs`).
//! Requests never connect and never wait longer than [`Settings::patience`]: one task does (`keeper.rs`), and while Redis is out of
//! reach nothing is asked of it.

#[cfg(test)]
pub(super) mod bench;
mod book;
mod fallback;
mod keeper;
mod link;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use portcullis_core::{Money, Secret, Usage};
use redis::IntoConnectionInfo as _;

use self::book::{Book, Taken};
use self::fallback::Share;
use self::link::{Answer, Arguments, Link, Script, Trouble};
use super::gcra::{RateState, burst};
use super::local::{Held, Local};
use super::meters::{Limited, RateUnit};
use super::wanted::Wanted;
use crate::{Store, UsageDelta};

/// When to come back while Redis is out of reach.
const SOON_MS: u64 = 1_000;
/// Numbers up to here are exact in a script; more money than that is as good as no limit.
const EXACT: u64 = 1 << 53;

/// What becomes of requests while the shared meters are out of reach.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum OutOfReach {
    /// They are refused.
    Refuse,
    /// This replica enforces a fraction (0 to 1) of each limit, and of what was left of each budget, by itself.
    Local(f64),
}

/// How shared meters are reached.
#[derive(Clone)]
pub struct Settings {
    /// `redis://`, `rediss://`, `valkey://` or `valkeys://`, with a user and the number of the database where there are any.
    pub url: String,
    /// The password, where one is needed.
    pub password: Option<Secret<String>>,
    /// The authorities, in PEM, by one of which its certificate must be issued; `None` is those of the system.
    pub authorities: Option<Vec<u8>>,
    /// What becomes of requests while it is out of reach.
    pub out_of_reach: OutOfReach,
    /// How long an answer is waited for.
    pub patience: Duration,
    /// How often a replica says that it lives.
    pub beat: Duration,
    /// After which silence it is taken for dead.
    pub lease: Duration,
    /// How long the replicas that are there have to say what they have under way, where Redis has lost its data.
    pub gather: Duration,
}

impl Settings {
    /// The usual times: an answer within 250 ms, a beat each second, ten seconds of silence, three to gather.
    #[must_use]
    pub fn new(url: &str, out_of_reach: OutOfReach) -> Settings {
        Settings {
            url: url.to_owned(),
            password: None,
            authorities: None,
            out_of_reach,
            patience: Duration::from_millis(250),
            beat: Duration::from_secs(1),
            lease: Duration::from_secs(10),
            gather: Duration::from_secs(3),
        }
    }
}

/// How the meters stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// They are in reach.
    Open,
    /// Redis has lost its data (or never had any), and what was spent is being put together: budgets cannot be asked.
    Gathering,
    /// They are out of reach.
    Out,
}

/// Why shared meters cannot be opened at all. That they are out of reach is no such reason.
#[derive(Debug, thiserror::Error)]
pub enum SharedError {
    /// The address is not one.
    #[error("shared: {0}")]
    Url(String),
    /// No random bytes for a name.
    #[error("no random bytes: {0}")]
    Random(#[from] getrandom::Error),
}

/// The shared meters of this replica.
pub(super) struct Shared {
    pub core: Arc<Core>,
    keeper: tokio::task::JoinHandle<()>,
}

/// What the keeper and each request see.
pub(super) struct Core {
    client: redis::Client,
    settings: Settings,
    prefix: String,
    replica: String,
    link: ArcSwapOption<Link>,
    gathering: AtomicBool,
    book: Book,
    local: Arc<Local>,
    share: Share,
    store: Arc<dyn Store>,
}

impl Shared {
    /// Begins to reach for the meters; until they are reached, they are out of reach.
    pub fn open(
        settings: Settings,
        prefix: &str,
        local: Arc<Local>,
        store: Arc<dyn Store>,
    ) -> Result<Shared, SharedError> {
        let client = client(&settings).map_err(|error| SharedError::Url(error.to_string()))?;
        let core = Arc::new(Core {
            client,
            share: Share::new(settings.out_of_reach),
            settings,
            prefix: prefix.to_owned(),
            replica: keeper::random_name()?,
            link: ArcSwapOption::empty(),
            gathering: AtomicBool::new(false),
            book: Book::default(),
            local,
            store,
        });
        let keeper = tokio::spawn(keeper::keep(Arc::clone(&core)));
        Ok(Shared { core, keeper })
    }

    /// Tells Redis what it has yet to hear, as long as `wait` allows, and takes leave of it; not where something is not `saved` in the
    /// store: the others find it dead then, and write what Redis knows of it.
    pub async fn close(&self, wait: Duration, saved: bool) {
        let told = async {
            while self.core.book.waiting() > 0 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let _ = tokio::time::timeout(wait, told).await;
        self.keeper.abort();
        if let Some(link) = self.core.link.swap(None).filter(|_| saved) {
            let _ = link.call(Script::Part, Arguments::default()).await;
        }
    }

    /// As if the process had been killed.
    #[cfg(test)]
    pub fn kill(&self) {
        self.keeper.abort();
        self.core.link.store(None);
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.keeper.abort();
    }
}

impl Core {
    pub fn reach(&self) -> Reach {
        match self.link.load().as_ref() {
            Some(link) if !link.is_broken() => match self.gathering.load(Ordering::Acquire) {
                true => Reach::Gathering,
                false => Reach::Open,
            },
            _ => Reach::Out,
        }
    }

    /// Whether requests are let in while the meters are out of reach.
    pub fn falls_back(&self) -> bool {
        self.settings.out_of_reach != OutOfReach::Refuse
    }

    pub fn holds_back(&self) -> bool {
        self.book.holds_back()
    }

    /// The store has this now.
    pub fn saved(&self, deltas: &[UsageDelta]) {
        let costs = deltas.iter().map(|delta| (&delta.meter, delta.totals.cost));
        self.book.saved(costs);
    }

    /// Lets a request in at every meter or at none.
    pub async fn admit(self: &Arc<Self>, wanted: Vec<Wanted>, now_ms: u64) -> Result<Lease, Limited> {
        let taken: Taken = wanted.into();
        let Some(link) = self.link.load_full().filter(|link| !link.is_broken()) else {
            return self.alone(&taken, now_ms);
        };
        let lease = Lease::new(self, taken);
        // From here on the lease gives its place back, whatever the answer was and whoever still waits for it.
        let arguments = meters(Arguments::default().number(lease.name), lease.taken.iter());
        let answer = match link.call(Script::Admit, arguments).await {
            Ok(answer) => answer,
            Err(trouble) => {
                self.lose(&link, &trouble);
                return self.alone(&lease.taken, now_ms);
            }
        };
        match answer.word() {
            "ok" if self
                .book
                .admitted(lease.name, &lease.taken, link.caller.generation) =>
            {
                lease.within(&answer).map_err(|_| out_of_reach())
            }
            "gather" => {
                lease.refused();
                self.alone(&lease.taken, now_ms)
            }
            "ok" => Err(out_of_reach()),
            _ => {
                let limited = limited(&answer, &lease.taken).unwrap_or_else(|_| out_of_reach());
                lease.refused();
                Err(limited)
            }
        }
    }

    /// What becomes of a request that cannot be asked for.
    fn alone(self: &Arc<Self>, taken: &Taken, now_ms: u64) -> Result<Lease, Limited> {
        let scaled = self.share.of(taken, now_ms).ok_or_else(out_of_reach)?;
        let held = self.local.admit_wanted(scaled, now_ms)?;
        let mut lease = Lease::new(self, Arc::clone(taken));
        self.book.admitted_alone(lease.name, taken);
        (lease.rate, lease.token_rate) = (held.rate(), held.token_rate());
        lease.alone = Some(held);
        Ok(lease)
    }

    /// What is known of a meter: requests under way, reserved, and spent in hour, day and month.
    pub async fn look(&self, meter: &str) -> Option<(u64, Money, [Money; 3])> {
        let link = self.link.load_full().filter(|link| !link.is_broken())?;
        let answer = link
            .call(Script::Look, Arguments::default().text(meter))
            .await
            .ok()?;
        let money = |at| answer.number(at).ok().map(Money);
        Some((
            answer.number(1).ok()?,
            money(2)?,
            [money(3)?, money(4)?, money(5)?],
        ))
    }

    #[cfg(test)]
    pub async fn quiet(&self) {
        while self.book.waiting() > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// A connection is of no use any more: the keeper makes another. Whoever says so late says nothing of the next one.
    fn lose(&self, link: &Link, trouble: &Trouble) {
        link.give_up();
        if self
            .book
            .lost(link.caller.generation, || self.local.unsaved_costs())
        {
            self.share.forget();
            tracing::error!(error = %trouble, "shared meters are out of reach");
        }
        self.book.wake.notify_one();
    }
}

/// A request that was let in.
pub(super) struct Lease {
    core: Arc<Core>,
    name: u64,
    taken: Taken,
    rate: Option<RateState>,
    token_rate: Option<RateState>,
    settled: AtomicBool,
    refused: AtomicBool,
    /// Its places in this replica, where that let it in by itself.
    alone: Option<Held>,
}

impl Lease {
    fn new(core: &Arc<Core>, taken: Taken) -> Lease {
        Lease {
            core: Arc::clone(core),
            name: core.book.name(),
            taken,
            rate: None,
            token_rate: None,
            settled: AtomicBool::new(false),
            refused: AtomicBool::new(false),
            alone: None,
        }
    }

    /// Redis took nothing for it.
    fn refused(&self) {
        self.refused.store(true, Ordering::Relaxed);
    }

    fn within(mut self, answer: &Answer) -> Result<Lease, Trouble> {
        let mut at = 1;
        for wanted in Arc::clone(&self.taken).iter() {
            let state = |limit: Option<u32>, at: usize| -> Result<Option<RateState>, Trouble> {
                let remaining = answer.signed(at)?;
                let reset_ms = answer.number(at.saturating_add(1))?;
                Ok(limit.filter(|_| remaining >= 0).map(|limit| RateState {
                    limit,
                    remaining: u32::try_from(remaining).unwrap_or(u32::MAX),
                    reset_ms,
                }))
            };
            let requests = state(wanted.strictest.rpm, at)?;
            let tokens = state(wanted.strictest.tpm, at.saturating_add(2))?;
            self.rate = super::local::tightest(self.rate, requests);
            self.token_rate = super::local::tightest(self.token_rate, tokens);
            at = at.saturating_add(4);
        }
        Ok(self)
    }

    pub fn rate(&self) -> Option<RateState> {
        self.rate
    }

    pub fn token_rate(&self) -> Option<RateState> {
        self.token_rate
    }

    /// Whether this replica let it in by itself.
    pub fn is_alone(&self) -> bool {
        self.alone.is_some()
    }

    fn budgeted(&self) -> impl Iterator<Item = &Wanted> + Clone {
        self.taken.iter().filter(|wanted| !wanted.budgets.is_empty())
    }

    pub async fn left(&self, now_ms: u64) -> Result<Option<Money>, Limited> {
        if let Some(alone) = &self.alone {
            return Ok(alone.left(now_ms));
        }
        if self.budgeted().next().is_none() {
            return Ok(None);
        }
        let (answer, _) = self.ask(-1).await?;
        answer
            .number(1)
            .map(|left| Some(Money(left)))
            .map_err(|_| out_of_reach())
    }

    pub async fn reserve(&self, worst: Money, now_ms: u64) -> Result<(), Limited> {
        let generation = match &self.alone {
            Some(alone) => {
                alone.reserve(worst, now_ms)?;
                None
            }
            None if self.budgeted().next().is_none() => return Ok(()),
            None => {
                let worst = i64::try_from(worst.0.min(EXACT)).unwrap_or(i64::MAX);
                Some(self.ask(worst).await?.1)
            }
        };
        match self.core.book.reserved(self.name, worst, generation) {
            true => Ok(()),
            false => Err(out_of_reach()),
        }
    }

    /// Asks for money, or with -1 for what is left.
    async fn ask(&self, worst: i64) -> Result<(Answer, u64), Limited> {
        let link = self.core.link.load_full().filter(|link| !link.is_broken());
        let link = link.ok_or_else(out_of_reach)?;
        let arguments = Arguments::default().number(self.name).number(worst);
        let answer = link
            .call(Script::Reserve, meters(arguments, self.budgeted()))
            .await;
        let answer = answer.map_err(|trouble| {
            self.core.lose(&link, &trouble);
            out_of_reach()
        })?;
        match answer.word() {
            "ok" | "left" => Ok((answer, link.caller.generation)),
            "short" => {
                let number = |at| answer.number(at).map_err(|_| out_of_reach());
                let meter = named(self.budgeted(), number(1)?).ok_or_else(out_of_reach)?;
                Err(Limited::Short {
                    meter: meter.meter.clone(),
                    left: Money(number(2)?),
                    retry_after_ms: number(3)?,
                })
            }
            _ => Err(out_of_reach()),
        }
    }

    pub fn settle(&self, usage: &Usage, cost: Money, now_ms: u64) {
        if self.settled.swap(true, Ordering::Relaxed) {
            return;
        }
        let tokens = usage.input.saturating_add(usage.output);
        let noted = || match &self.alone {
            Some(alone) => alone.settle(usage, cost, now_ms),
            None => {
                for wanted in self.taken.iter() {
                    self.core.local.note(&wanted.meter, usage, cost, now_ms, 1);
                }
            }
        };
        self.core
            .book
            .settle(self.name, Money(cost.0.min(EXACT)), tokens, noted);
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        // Where nobody knows whether it was let in, Redis is told all the same.
        if !self.refused.load(Ordering::Relaxed) && !self.core.book.leave(self.name) {
            self.core.book.abandon(self.name);
        }
    }
}

fn client(settings: &Settings) -> redis::RedisResult<redis::Client> {
    let mut info = settings.url.as_str().into_connection_info()?;
    if let Some(password) = &settings.password {
        let own = info.redis_settings().clone().set_password(password.expose());
        info = info.set_redis_settings(own);
    }
    match &settings.authorities {
        None => redis::Client::open(info),
        Some(pem) => redis::Client::build_with_tls(
            info,
            redis::TlsCertificates {
                client_tls: None,
                root_cert: Some(pem.clone()),
            },
        ),
    }
}

fn out_of_reach() -> Limited {
    Limited::OutOfReach {
        retry_after_ms: SOON_MS,
    }
}

/// Meters as the scripts read them.
fn meters<'a>(
    mut arguments: Arguments,
    wanted: impl IntoIterator<Item = &'a Wanted, IntoIter: Clone>,
) -> Arguments {
    let wanted = wanted.into_iter();
    let optional = |limit: Option<u32>| limit.map_or(-1, i64::from);
    arguments.push_number(wanted.clone().count());
    for one in wanted {
        arguments.push_text(one.meter.as_str());
        arguments.push_number(optional(one.strictest.rpm));
        arguments.push_number(one.strictest.rpm.map_or(0, burst));
        arguments.push_number(optional(one.strictest.tpm));
        arguments.push_number(optional(one.strictest.concurrency));
        arguments.push_number(one.budgets.len());
        for budget in &one.budgets {
            arguments.push_number((budget.period as usize).saturating_add(1));
            arguments.push_number(budget.amount.0.min(EXACT));
        }
    }
    arguments
}

/// The meter of a number that a script gave, which counts from one.
fn named<'a>(mut wanted: impl Iterator<Item = &'a Wanted>, number: u64) -> Option<&'a Wanted> {
    wanted.nth(usize::try_from(number.checked_sub(1)?).ok()?)
}

/// A refusal, as `admit.lua` tells it.
fn limited(answer: &Answer, taken: &Taken) -> Result<Limited, Trouble> {
    let wanted = named(taken.iter(), answer.number(1)?).ok_or(Trouble::Answer)?;
    let meter = wanted.meter.clone();
    let rate = |unit, limit: Option<u32>| -> Result<Limited, Trouble> {
        Ok(Limited::Rate {
            meter: wanted.meter.clone(),
            unit,
            state: RateState {
                limit: limit.unwrap_or(0),
                remaining: u32::try_from(answer.number(3)?).unwrap_or(u32::MAX),
                reset_ms: answer.number(4)?,
            },
            retry_after_ms: answer.number(2)?,
        })
    };
    match answer.word() {
        "concurrency" => Ok(Limited::Concurrency {
            meter,
            limit: wanted.strictest.concurrency.unwrap_or(0),
        }),
        "budget" => Ok(Limited::Budget {
            meter,
            retry_after_ms: answer.number(2)?,
        }),
        "tokens" => rate(RateUnit::Tokens, wanted.strictest.tpm),
        "requests" => rate(RateUnit::Requests, wanted.strictest.rpm),
        _ => Err(Trouble::Answer),
    }
}
