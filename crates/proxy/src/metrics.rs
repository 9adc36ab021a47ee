//! Counters for Prometheus, named after OpenTelemetry's `gen_ai` conventions where those have a name.
//!
//! Labels are words of ours (endpoints, codes, rooms, configured model patterns' upstreams), never a client's text: a
//! client must not be able to make series.

use std::fmt::Write as _;
use std::sync::atomic::Ordering;

use portcullis_core::{Action, AuditRecord, Family};
use portcullis_infer::PoolStats;
use portcullis_inspect::CacheStats;
use portcullis_store::{BudgetAlert, Reach};
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family as Series;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::alerts::Refused;

type Labels<const N: usize> = [(&'static str, String); N];
type Timed<const N: usize> = Series<Labels<N>, Histogram, fn() -> Histogram>;

/// The data plane's counters.
pub struct Metrics {
    registry: Registry,
    requests: Series<Labels<4>, Counter>,
    duration: Timed<2>,
    /// One for each room: looked up once here and not at every request.
    rooms: Vec<(&'static str, Histogram)>,
    findings: Series<Labels<3>, Counter>,
    tokens: Series<Labels<3>, Counter>,
    cost: Series<Labels<1>, Counter>,
    alerts: Series<Labels<2>, Counter>,
    /// Not a counter, but filled where requests are refused and emptied where alerts are raised.
    pub(crate) refused: Refused,
    active: Gauge,
    connections: Gauge,
    verdicts: Verdicts,
    classified: Classified,
    limits_out: Gauge,
    limits_alone: Counter,
}

/// What the inspector remembers. It counts itself; what it says is written down when somebody asks.
struct Verdicts {
    known: Counter,
    new: Counter,
    bytes: Gauge,
}

impl Default for Metrics {
    fn default() -> Metrics {
        Metrics::new()
    }
}

impl Metrics {
    /// All at zero.
    #[must_use]
    pub fn new() -> Metrics {
        let mut registry = Registry::default();
        let requests = Series::default();
        registry.register(
            "portcullis_requests",
            "Requests that have ended",
            requests.clone(),
        );
        let duration: Timed<2> = Series::new_with_constructor(|| Histogram::new(SECONDS));
        registry.register_with_unit(
            "gen_ai_server_request_duration",
            "Time from a request's head to its record",
            Unit::Seconds,
            duration.clone(),
        );
        let rooms: Timed<1> = Series::new_with_constructor(|| Histogram::new(ROOM_SECONDS));
        registry.register_with_unit(
            "portcullis_room_duration",
            "Time a request spent in a room",
            Unit::Seconds,
            rooms.clone(),
        );
        let rooms = ROOMS.iter().map(|room| {
            let labels = [("room", (*room).to_owned())];
            (*room, rooms.get_or_create_owned(&labels))
        });
        let rooms = rooms.collect();
        let findings = Series::default();
        registry.register(
            "portcullis_findings",
            "What detectors found and what was done about it",
            findings.clone(),
        );
        let tokens = Series::default();
        registry.register(
            "gen_ai_client_token_usage",
            "Tokens as the providers counted them",
            tokens.clone(),
        );
        let cost = Series::default();
        registry.register(
            "portcullis_cost_microdollars",
            "Cost by the configured prices",
            cost.clone(),
        );
        let alerts = Series::default();
        registry.register(
            "portcullis_budget_alerts",
            "Alerts of budgets that this process raised, by threshold in hundredths and period",
            alerts.clone(),
        );
        let active = Gauge::default();
        registry.register(
            "portcullis_requests_active",
            "Requests under way, open streams included",
            active.clone(),
        );
        let connections = Gauge::default();
        registry.register(
            "portcullis_connections",
            "Open client connections",
            connections.clone(),
        );
        let verdicts = Verdicts::registered(&mut registry);
        let classified = Classified::registered(&mut registry);
        let limits_out = Gauge::default();
        registry.register(
            "portcullis_shared_limits_out_of_reach",
            "1 while shared limits cannot be asked, else 0",
            limits_out.clone(),
        );
        let limits_alone = Counter::default();
        registry.register(
            "portcullis_requests_limited_alone",
            "Requests let in by this process alone while shared limits were out of reach",
            limits_alone.clone(),
        );
        Metrics {
            registry,
            requests,
            duration,
            rooms,
            findings,
            tokens,
            cost,
            alerts,
            refused: Refused::default(),
            active,
            connections,
            verdicts,
            classified,
            limits_out,
            limits_alone,
        }
    }

    /// The exposition text.
    #[must_use]
    pub fn text(&self, cache: CacheStats, classified: PoolStats, limits: Option<Reach>) -> String {
        self.verdicts.show(cache);
        self.classified.show(classified);
        self.limits_out
            .set(i64::from(limits.is_some_and(|reach| reach != Reach::Open)));
        let mut text = String::new();
        if encode(&mut text, &self.registry).is_err() {
            text.clear();
            let _ = writeln!(text, "# the metrics could not be encoded");
        }
        text
    }

    /// Counts connections while the value lives.
    pub(crate) fn connection(&self) -> Held {
        Held::new(&self.connections)
    }

    /// Counts requests under way while the value lives.
    pub(crate) fn active(&self) -> Held {
        Held::new(&self.active)
    }

    pub(crate) fn alert(&self, alert: &BudgetAlert) {
        let labels = [
            ("percent", alert.percent.to_string()),
            ("period", alert.budget.period.name().to_owned()),
        ];
        self.alerts.get_or_create(&labels).inc();
    }

    pub(crate) fn room(&self, room: &'static str, micros: u64) {
        if let Some((_, histogram)) = self.rooms.iter().find(|(name, _)| *name == room) {
            histogram.observe(seconds(micros));
        }
    }

    pub(crate) fn finding(&self, kind: &str, family: Family, action: Action) {
        let action = match action {
            Action::Allow => "allow",
            Action::Flag => "flag",
            Action::Mask => "mask",
            Action::Redact => "redact",
            Action::Strip => "strip",
            Action::Block => "block",
        };
        self.findings
            .get_or_create(&[
                ("type", kind.to_owned()),
                ("family", family.name().to_owned()),
                ("action", action.to_owned()),
            ])
            .inc();
    }

    pub(crate) fn request(&self, record: &AuditRecord) {
        if record.limits_alone {
            self.limits_alone.inc();
        }
        self.requests
            .get_or_create(&[
                ("endpoint", record.endpoint.clone()),
                ("decision", record.decision.name().to_owned()),
                ("status", record.status.to_string()),
                ("code", record.code.clone().unwrap_or_default()),
            ])
            .inc();
        self.duration
            .get_or_create(&[
                ("endpoint", record.endpoint.clone()),
                ("streamed", record.streamed.to_string()),
            ])
            .observe(seconds(record.micros));
        let upstream = record.upstream.clone().unwrap_or_default();
        if let Some(usage) = record.usage {
            for (kind, count) in [
                ("input", usage.input),
                ("output", usage.output),
                ("cached", usage.cached),
                ("reasoning", usage.reasoning),
                ("cache_write", usage.cache_write),
            ] {
                self.tokens
                    .get_or_create(&[
                        ("gen_ai_token_type", kind.to_owned()),
                        ("gen_ai_provider_name", record.dialect.clone().unwrap_or_default()),
                        ("upstream", upstream.clone()),
                    ])
                    .inc_by(count);
            }
        }
        if let Some(cost) = record.cost {
            self.cost.get_or_create(&[("upstream", upstream)]).inc_by(cost.0);
        }
    }
}

impl Verdicts {
    fn registered(registry: &mut Registry) -> Verdicts {
        let verdicts: Series<Labels<1>, Counter> = Series::default();
        registry.register(
            "portcullis_verdicts",
            "Longer texts whose verdict was known, and those that had to be scanned",
            verdicts.clone(),
        );
        let bytes = Gauge::default();
        registry.register(
            "portcullis_verdicts_held",
            "Bytes that known verdicts take",
            bytes.clone(),
        );
        let of = |result: &str| verdicts.get_or_create_owned(&[("result", result.to_owned())]);
        Verdicts {
            known: of("known"),
            new: of("new"),
            bytes,
        }
    }

    /// Other rules begin with nothing known, which Prometheus takes for the restart of a counter.
    fn show(&self, cache: CacheStats) {
        self.known.inner().store(cache.hits, Ordering::Relaxed);
        self.new.inner().store(cache.misses, Ordering::Relaxed);
        self.bytes.set(i64::try_from(cache.bytes).unwrap_or(i64::MAX));
    }
}

/// What classifiers came to.
struct Classified {
    known: Counter,
    read: Counter,
    late: Counter,
}

impl Classified {
    fn registered(registry: &mut Registry) -> Classified {
        let texts: Series<Labels<1>, Counter> = Series::default();
        registry.register(
            "portcullis_classified",
            "Texts that classifiers were asked about: known from before, read, or not read in time",
            texts.clone(),
        );
        let of = |result: &str| texts.get_or_create_owned(&[("result", result.to_owned())]);
        Classified {
            known: of("known"),
            read: of("read"),
            late: of("late"),
        }
    }

    /// Another classifier begins with nothing, which Prometheus takes for the restart of a counter.
    fn show(&self, stats: PoolStats) {
        let read = stats.asked.saturating_sub(stats.known).saturating_sub(stats.late);
        self.known.inner().store(stats.known, Ordering::Relaxed);
        self.read.inner().store(read, Ordering::Relaxed);
        self.late.inner().store(stats.late, Ordering::Relaxed);
    }
}

/// Raises a gauge while it lives.
pub(crate) struct Held(Gauge);

impl Held {
    fn new(gauge: &Gauge) -> Held {
        gauge.inc();
        Held(gauge.clone())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// The rooms of the walk, and what follows it.
const ROOMS: [&str; 8] = [
    "authenticate",
    "admit",
    "parse",
    "label",
    "inspect_input",
    "authorize",
    "forward",
    "inspect_output",
];

const SECONDS: [f64; 12] = [
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0, 120.0,
];
const ROOM_SECONDS: [f64; 9] = [
    0.000_005, 0.000_02, 0.000_1, 0.000_5, 0.002, 0.01, 0.05, 0.25, 1.0,
];

#[allow(
    clippy::cast_precision_loss,
    reason = "a duration of 2^52 microseconds is a century"
)]
fn seconds(micros: u64) -> f64 {
    micros as f64 / 1e6
}
