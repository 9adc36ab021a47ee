//! The one task of a replica that speaks to Redis on its own account: it connects, says what is under way, says each second that the
//! replica lives, tells what requests did cost, and puts together what was spent where Redis has lost it.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use portcullis_core::{Money, Usage};

use super::super::Period;
use super::super::meters::MeterId;
use super::book::{Batch, Told, Untold, Word};
use super::link::{Arguments, Caller, Link, Script, Trouble};
use super::{Core, EXACT};
use crate::clock::now_ms;

/// Words that are told at once.
const BATCH: usize = 128;
/// Meters that are told at once.
const SEEDS: usize = 500;
/// How much longer than for a request's question is waited for one that goes through many meters.
const LONG: u32 = 20;
/// The longest pause between two tries to connect.
const PAUSE: Duration = Duration::from_secs(1);

/// A name that nobody else has.
pub(super) fn random_name() -> Result<String, getrandom::Error> {
    let mut bytes = [0u8; 12];
    getrandom::fill(&mut bytes)?;
    let mut name = String::with_capacity(24);
    for byte in bytes {
        // Writing to a string does not fail.
        let _ = write!(name, "{byte:02x}");
    }
    Ok(name)
}

/// Keeps a replica in reach of the meters, for as long as the task lives.
pub(super) async fn keep(core: Arc<Core>) {
    let mut peers = BTreeSet::new();
    let mut pause = Duration::from_millis(50);
    let mut told = false;
    loop {
        match join(&core, &peers).await {
            Ok(link) => {
                told = false;
                pause = Duration::from_millis(50);
                let trouble = serve(&core, &link, &mut peers).await;
                core.lose(&link, &trouble);
            }
            Err(trouble) => {
                if !told {
                    tracing::error!(error = %trouble, "shared meters cannot be reached; it is tried again");
                    told = true;
                }
                learn(&core).await;
                tokio::time::sleep(pause).await;
                pause = pause.saturating_mul(2).min(PAUSE);
            }
        }
    }
}

/// Where the replica may let requests in by itself, it must know what was spent.
async fn learn(core: &Core) {
    if core.share.wants_to_know()
        && let Err(error) = core.share.learn(core.store.as_ref(), &core.local, now_ms()).await
    {
        tracing::error!(%error, "what was spent cannot be read; requests with a budget are refused");
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Connects and says what is under way.
async fn join(core: &Arc<Core>, peers: &BTreeSet<String>) -> Result<Arc<Link>, Trouble> {
    let before = core.book.before();
    let proposed = Caller {
        epoch: random_name()?,
        replica: core.replica.clone(),
        generation: before.generation,
    };
    let settings = &core.settings;
    let connecting = Link::connect(&core.client, &core.prefix, proposed, settings.patience);
    let (mut link, run) = connecting.await?;
    let lease = millis(settings.lease);
    let hello = link
        .call(Script::Hello, Arguments::default().text(&run).number(lease))
        .await?;
    link.caller.epoch = hello.text(0)?.to_owned();
    let gathering = hello.text(1)? == "gather";
    let new = before.epoch.as_deref() != Some(hello.text(0)?);
    let (told, untold) = match gathering && new {
        true => cut(core).await?,
        false => core.book.told(),
    };
    let mut arguments = Arguments::default().number(lease).number(u8::from(!new));
    arguments.push_number(peers.len());
    for peer in peers {
        arguments.push_text(peer);
    }
    push_untold(&mut arguments, &untold);
    arguments.push_number(told.len());
    for lease in &told {
        push(&mut arguments, lease);
    }
    let patience = settings.patience.saturating_mul(LONG);
    let joined = link.wait_for(Script::Join, arguments, patience).await?;
    let open = match (joined.word(), gathering) {
        ("open", false) => true,
        ("gather", true) => false,
        // It changed in between: what was to be written to the store first may not have been.
        _ => return Err(Trouble::Stale),
    };
    let link = Arc::new(link);
    core.gathering.store(!open, Ordering::Release);
    core.book
        .joined(&told, link.caller.generation, &link.caller.epoch, open);
    core.link.store(Some(Arc::clone(&link)));
    match open {
        true => tracing::info!("shared meters are in reach"),
        false => tracing::warn!(
            "the data of the shared meters is new: what was spent is put together from the state"
        ),
    }
    Ok(link)
}

/// Hands all that was used to the store, in one moment with what is under way then.
async fn cut(core: &Core) -> Result<(Vec<Told>, Untold), Trouble> {
    let (told, deltas) = core.book.cut(|| core.local.take_unsaved());
    // Redis need not hear of it: in a new epoch, it takes all from before as written.
    core.local.hand_over(core.store.as_ref(), deltas, |_| ()).await?;
    Ok(told)
}

fn push_untold(arguments: &mut Arguments, untold: &Untold) {
    arguments.push_number(untold.settled.len());
    for (lease, cost) in &untold.settled {
        arguments.push_number(*lease);
        arguments.push_number(cost.0.min(EXACT));
    }
    arguments.push_number(untold.batches.len());
    for batch in &untold.batches {
        push_batch(arguments, batch);
    }
}

fn push_batch(arguments: &mut Arguments, batch: &Batch) {
    arguments.push_number(batch.number);
    arguments.push_number(batch.costs.len());
    for (meter, cost) in &batch.costs {
        arguments.push_text(meter.as_str());
        arguments.push_number(cost.0.min(EXACT));
    }
}

fn push(arguments: &mut Arguments, told: &Told) {
    arguments.push_number(told.lease);
    arguments.push_number(told.reserved.0.min(EXACT));
    arguments.push_number(told.taken.len());
    for wanted in told.taken.iter() {
        arguments.push_text(wanted.meter.as_str());
    }
    let budgeted = told.taken.iter().filter(|wanted| !wanted.budgets.is_empty());
    arguments.push_number(budgeted.clone().count());
    for wanted in budgeted {
        arguments.push_text(wanted.meter.as_str());
    }
}

/// Keeps to a connection until it is of no use any more.
async fn serve(core: &Core, link: &Link, peers: &mut BTreeSet<String>) -> Trouble {
    let mut beat = tokio::time::interval(core.settings.beat);
    beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = beat.tick() => {
                match live(core, link).await {
                    Ok(known) => *peers = known,
                    Err(trouble) => return trouble,
                }
                if core.gathering.load(Ordering::Acquire) {
                    learn(core).await;
                }
            }
            () = core.book.wake.notified() => {}
        }
        if link.is_broken() {
            return Trouble::Late;
        }
        if !core.gathering.load(Ordering::Acquire)
            && let Err(trouble) = tell(core, link).await
        {
            return trouble;
        }
    }
}

/// Says that the replica lives, takes over what the dead leave, and opens the meters when all is known. Gives the other replicas.
async fn live(core: &Core, link: &Link) -> Result<BTreeSet<String>, Trouble> {
    let lease = Arguments::default().number(millis(core.settings.lease));
    let patience = core.settings.patience.saturating_mul(LONG);
    let answer = link.wait_for(Script::Beat, lease, patience).await?;
    let count = usize::try_from(answer.number(5)?).map_err(|_| Trouble::Answer)?;
    let rest = answer.from(6);
    let (replicas, charged) = rest.split_at_checked(count).ok_or(Trouble::Answer)?;
    let now = now_ms();
    for pair in charged.chunks(2) {
        let [meter, cost] = pair else {
            return Err(Trouble::Answer);
        };
        let cost = Money(cost.parse().map_err(|_| Trouble::Answer)?);
        tracing::warn!(%meter, cost = cost.0, "a replica died; what it had reserved is charged, and what it had not written down is written here");
        core.local
            .note(&MeterId::from_text(meter), &Usage::default(), cost, now, 0);
    }
    let gathered = answer.number(1)? >= millis(core.settings.gather) && answer.number(2)? == 0;
    if answer.word() == "open" {
        opened(core);
    } else if gathered {
        let joins = answer.text(3)?.to_owned();
        seed(core, link, answer.number(4)?).await?;
        let open = link.call(Script::Open, Arguments::default().text(&joins)).await?;
        if open.word() == "open" {
            opened(core);
        }
    }
    Ok(replicas
        .iter()
        .filter(|replica| **replica != core.replica)
        .cloned()
        .collect())
}

fn opened(core: &Core) {
    if core.gathering.swap(false, Ordering::AcqRel) {
        core.book.set_open();
        tracing::info!("shared meters are open: what was spent is known");
    }
}

/// Tells Redis what the store knows was spent in the periods that hold its time.
async fn seed(core: &Core, link: &Link, now_ms: u64) -> Result<(), Trouble> {
    let mut seeds = Vec::new();
    for (number, period) in (1u8..).zip(Period::ALL) {
        for (meter, totals) in core.store.usage_since(period.start_ms(now_ms)).await? {
            seeds.push((meter, number, totals.cost));
        }
    }
    for some in seeds.chunks(SEEDS) {
        let mut arguments = Arguments::default().number(some.len());
        for (meter, period, cost) in some {
            arguments.push_text(meter.as_str());
            arguments.push_number(*period);
            arguments.push_number(cost.0.min(EXACT));
        }
        let patience = core.settings.patience.saturating_mul(LONG);
        link.wait_for(Script::Seed, arguments, patience).await?;
    }
    Ok(())
}

/// Tells what requests did cost and that they have ended.
async fn tell(core: &Core, link: &Link) -> Result<(), Trouble> {
    if let Some(batch) = core.book.batch() {
        let mut arguments = Arguments::default();
        push_batch(&mut arguments, &batch);
        link.call(Script::Charge, arguments).await?;
        core.book.charged();
    }
    if let Some(batch) = core.book.saving() {
        let mut arguments = Arguments::default();
        push_batch(&mut arguments, &batch);
        link.call(Script::Saved, arguments).await?;
        core.book.heard_saved();
    }
    loop {
        let words = core.book.next(BATCH);
        if words.is_empty() {
            return Ok(());
        }
        let commands = words.iter().map(|word| match word {
            Word::Leave { lease } => link.command(Script::Leave, Arguments::default().number(lease)),
            Word::Settle {
                lease,
                taken,
                cost,
                tokens,
            } => {
                let arguments = Arguments::default().number(lease).number(cost.0).number(tokens);
                let mut arguments = arguments.number(taken.len());
                for wanted in taken.iter() {
                    arguments.push_text(wanted.meter.as_str());
                    arguments.push_number(wanted.strictest.tpm.map_or(-1, i64::from));
                }
                link.command(Script::Settle, arguments)
            }
        });
        link.run(commands.collect()).await?;
        core.book.heard(words.len());
    }
}
