//! The compiled rules, and the scan of whole texts and whole messages.
//!
//! It reports facts. It reads no clock, and never looks at who asks.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError},
};

use portcullis_core::{Channel, Family, Finding, Kind, Lane, Located, Part, PartId, Span};

use crate::{
    Attempt, Rule, RuleError, Selection, UNCLASSIFIED,
    hit::{Hit, tidy},
    joint::Shapes,
    link,
    pieces::Pieces,
    plan::Plan,
    resolve::resolve,
    rule::File,
    selection::{Readers, Rules},
    shape::Shape,
    verdicts::{CacheStats, Verdicts, WORTH},
    views,
};

/// The built-in rules files; where two are as sure about a text, the earlier one names it. To add a rule is to add a block.
static FILES: &[(Family, &str)] = &[
    (
        Family::Injection,
        include_str!("../rules/injection/exfiltration.toml"),
    ),
    (
        Family::Injection,
        include_str!("../rules/injection/extraction.toml"),
    ),
    (Family::Injection, include_str!("../rules/injection/hidden.toml")),
    (
        Family::Injection,
        include_str!("../rules/injection/languages_asian.toml"),
    ),
    (
        Family::Injection,
        include_str!("../rules/injection/languages_european.toml"),
    ),
    (Family::Injection, include_str!("../rules/injection/order.toml")),
    (
        Family::Injection,
        include_str!("../rules/injection/override.toml"),
    ),
    (Family::Injection, include_str!("../rules/injection/persona.toml")),
    (
        Family::Injection,
        include_str!("../rules/injection/privilege.toml"),
    ),
    (
        Family::Injection,
        include_str!("../rules/injection/steering.toml"),
    ),
    (
        Family::Injection,
        include_str!("../rules/injection/template.toml"),
    ),
    (Family::Injection, include_str!("../rules/injection/tool.toml")),
    (Family::Injection, include_str!("../rules/injection/unseen.toml")),
    (Family::Secret, include_str!("../rules/secrets/ai.toml")),
    (Family::Secret, include_str!("../rules/secrets/vcs.toml")),
    (Family::Secret, include_str!("../rules/secrets/cloud.toml")),
    (Family::Secret, include_str!("../rules/secrets/comms.toml")),
    (Family::Secret, include_str!("../rules/secrets/payments.toml")),
    (Family::Secret, include_str!("../rules/secrets/packages.toml")),
    (Family::Secret, include_str!("../rules/secrets/infra.toml")),
    (Family::Secret, include_str!("../rules/secrets/database.toml")),
    (
        Family::Secret,
        include_str!("../rules/secrets/observability.toml"),
    ),
    (Family::Secret, include_str!("../rules/secrets/saas.toml")),
    (Family::Secret, include_str!("../rules/secrets/crypto.toml")),
    (Family::Secret, include_str!("../rules/secrets/generic.toml")),
    (Family::Pii, include_str!("../rules/pii/government.toml")),
    (Family::Pii, include_str!("../rules/pii/government_asia.toml")),
    (Family::Pii, include_str!("../rules/pii/government_east.toml")),
    (Family::Pii, include_str!("../rules/pii/government_latin.toml")),
    (Family::Pii, include_str!("../rules/pii/government_west.toml")),
    (Family::Pii, include_str!("../rules/pii/medical.toml")),
    (Family::Pii, include_str!("../rules/pii/address.toml")),
    (Family::Pii, include_str!("../rules/pii/contact.toml")),
    (Family::Pii, include_str!("../rules/pii/dates.toml")),
    (Family::Pii, include_str!("../rules/pii/device.toml")),
    (Family::Pii, include_str!("../rules/pii/finance.toml")),
    (Family::Pii, include_str!("../rules/pii/network.toml")),
    (Family::Pii, include_str!("../rules/pii/person.toml")),
    (Family::Link, include_str!("../rules/output/links.toml")),
    (Family::Output, include_str!("../rules/output/scripts.toml")),
    (Family::Output, include_str!("../rules/output/markup.toml")),
    (Family::Output, include_str!("../rules/output/terminal.toml")),
    (Family::Output, include_str!("../rules/output/invisible.toml")),
    (Family::Output, include_str!("../rules/output/code.toml")),
    (
        Family::Injection,
        include_str!("../rules/injection/classified.toml"),
    ),
];

/// All rules. Immutable; share one among all threads.
pub struct Inspector {
    rules: Vec<Rule>,
    shapes: Shapes,
    /// For each channel, the rules that are run on it.
    by_channel: Vec<Rules>,
    /// Plans that were made, so that selections that come to the same share one.
    plans: Mutex<Vec<(Rules, Arc<Plan>)>>,
    /// What was found in texts that were scanned before.
    verdicts: Option<Verdicts>,
    /// The rules that have no pattern, with the numbers of their kinds: what views come upon.
    smuggled: Option<(usize, usize)>,
    bomb: Option<(usize, usize)>,
    /// The rules that say what a classifier says, in the order of [`Attempt::ALL`], and the one that it said nothing.
    pub(crate) attempts: [Option<usize>; Attempt::ALL.len()],
    pub(crate) unclassified: Option<usize>,
}

/// The rules of [`FILES`].
pub(crate) fn built_in_rules() -> Result<Vec<Rule>, RuleError> {
    let mut rules = Vec::new();
    for (family, text) in FILES {
        let sources = File::parse(text)?.rules;
        rules.extend(sources.into_iter().map(|source| source.into_rule(*family)));
    }
    Ok(rules)
}

/// So many plans are shared; a program that makes more selections than that pays for each.
const SHARED_PLANS: usize = 64;

impl Inspector {
    /// The built-in rules. Takes some milliseconds: call it once.
    ///
    /// # Errors
    /// When a built-in rule is wrong: a defect that this crate's tests find.
    pub fn built_in() -> Result<Inspector, RuleError> {
        Inspector::new(built_in_rules()?)
    }

    pub(crate) fn new(rules: Vec<Rule>) -> Result<Inspector, RuleError> {
        let mut shapes = Vec::new();
        let mut kinds: Vec<&Kind> = Vec::new();
        for (number, rule) in rules.iter().enumerate() {
            let known = kinds.iter().position(|kind| **kind == rule.id);
            let kind = known.unwrap_or(kinds.len());
            if known.is_none() {
                kinds.push(&rule.id);
            }
            for pattern in &rule.source.pattern {
                shapes.push(Shape::new(number, kind, &rule.source, pattern)?);
            }
        }
        shapes.shrink_to_fit();
        let runs_on = |channel: &Channel| {
            Rules::of(rules.len(), |at| {
                rules.get(at).is_some_and(|rule| rule.channels.contains(channel))
            })
        };
        let by_channel = Channel::ALL.iter().map(runs_on).collect();
        let without_pattern = |id: &str| {
            let rule = rules.iter().position(|rule| rule.id.as_str() == id)?;
            Some((rule, kinds.iter().position(|kind| kind.as_str() == id)?))
        };
        let (smuggled, bomb) = (
            without_pattern("injection.smuggled"),
            without_pattern("injection.bomb"),
        );
        let numbered = |id: &str| without_pattern(id).map(|(rule, _)| rule);
        let attempts = Attempt::ALL.map(|attempt| numbered(attempt.rule()));
        let unclassified = numbered(UNCLASSIFIED);
        Ok(Inspector {
            attempts,
            unclassified,
            rules,
            shapes: Shapes::new(shapes),
            by_channel,
            plans: Mutex::default(),
            verdicts: None,
            smuggled,
            bomb,
        })
    }

    /// The same inspector, which remembers verdicts in about `bytes` of memory: a text that was scanned before costs its
    /// hash. `key` must be random, else whoever knows it can make a text that passes for another.
    #[must_use]
    pub fn with_cache(mut self, key: [u8; 16], bytes: usize) -> Inspector {
        self.verdicts = Some(Verdicts::new(key, bytes));
        self
    }

    /// How much the cache holds and how often it helped; zeros without one.
    #[must_use]
    pub fn cache_stats(&self) -> CacheStats {
        self.verdicts.as_ref().map(Verdicts::stats).unwrap_or_default()
    }

    /// Compiles every automaton. They are otherwise compiled when they are first needed.
    ///
    /// # Errors
    /// A pattern is too large.
    pub fn compile(&self) -> Result<(), RuleError> {
        for shape in self.shapes.all() {
            if let (Err(reason), Some(rule)) = (shape.compile(), self.rules.get(shape.rule)) {
                return Err(rule.source.wrong(reason));
            }
        }
        Ok(())
    }

    /// Every rule.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The set of the rules that `wanted` says yes to.
    #[must_use]
    pub fn select(&self, wanted: impl Fn(&Rule) -> bool) -> Selection {
        Selection::new(Rules::of(self.rules.len(), |rule| {
            self.rules.get(rule).is_some_and(&wanted)
        }))
    }

    /// What is run for a selection on a channel, on texts that those read.
    pub(crate) fn plan_for<'s>(
        &self,
        readers: Readers,
        channel: Channel,
        selection: &'s Selection,
    ) -> Option<&'s Arc<Plan>> {
        selection.plan(channel, readers, || {
            self.plan_of(readers, &self.effective(channel, selection))
        })
    }

    /// What is run for a selection on a channel.
    pub(crate) fn plan<'s>(&self, channel: Channel, selection: &'s Selection) -> Option<&'s Arc<Plan>> {
        self.plan_for(Readers::All, channel, selection)
    }

    /// The rules that a selection and a channel leave.
    fn effective(&self, channel: Channel, selection: &Selection) -> Rules {
        let on_channel = self.by_channel.get(channel as usize);
        on_channel.map_or_else(Rules::default, |rules| rules.and(selection.rules()))
    }

    fn rules_of(&self, families: &[Family]) -> Rules {
        Rules::of(self.rules.len(), |rule| {
            self.rules
                .get(rule)
                .is_some_and(|rule| families.contains(&rule.family))
        })
    }

    fn plan_of(&self, readers: Readers, rules: &Rules) -> Arc<Plan> {
        let rules = &match readers {
            Readers::All => rules.clone(),
            Readers::Instructed => rules.and(&self.rules_of(&[Family::Injection])),
            Readers::Views => rules.and(&self.rules_of(views::READ)),
        };
        let mut plans = self.plans.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, plan)) = plans.iter().find(|(known, _)| known == rules) {
            return Arc::clone(plan);
        }
        let plan = Arc::new(Plan::new(&self.shapes, |rule| rules.has(rule)));
        if plans.len() < SHARED_PLANS {
            plans.push((rules.clone(), Arc::clone(&plan)));
        }
        plan
    }

    /// Adds what the selected rules find in a whole text and in its canonical views ([`views`]), in order of start.
    /// Findings of different families may overlap; of those of one family, none lies within another that is surer.
    pub fn scan(&self, text: &str, channel: Channel, selection: &Selection, found: &mut Vec<Finding>) {
        let mut hits = Vec::new();
        self.hits(text, channel, selection, &mut hits);
        found.extend(
            hits.iter()
                .filter_map(|hit| self.finding(hit.rule, hit.span, matched_in(text, hit.span))),
        );
    }

    /// Adds what the selected rules find in a whole text as it stands, no disguise undone.
    pub fn scan_plain(&self, text: &str, channel: Channel, selection: &Selection, found: &mut Vec<Finding>) {
        let mut hits = Vec::new();
        if let Some(plan) = self.plan(channel, selection) {
            plan.run(&self.shapes, text, &mut hits);
        }
        self.resolve(&mut hits);
        found.extend(
            hits.iter()
                .filter_map(|hit| self.finding(hit.rule, hit.span, matched_in(text, hit.span))),
        );
    }

    /// Adds what the selected rules find in the canonical views of a text and not in the text as it stands, which is not
    /// read: what stands there is found in a view again where it stands near something that the view changed.
    pub fn scan_disguised(
        &self,
        text: &str,
        channel: Channel,
        selection: &Selection,
        found: &mut Vec<Finding>,
    ) {
        let wanted = |rule| self.wanted(channel, selection, rule);
        let plan = |readers| self.plan_for(readers, channel, selection).cloned();
        let mut hits = Vec::new();
        self.shown(text, &plan, &wanted, &[], &mut hits);
        tidy(&mut hits);
        self.resolve(&mut hits);
        found.extend(
            hits.iter()
                .filter_map(|hit| self.finding(hit.rule, hit.span, matched_in(text, hit.span))),
        );
    }

    /// What a text costs besides being looked at: for each kind that may begin somewhere in it, how often that was tried, and
    /// how many bytes were read for it. The most first. Views are left out.
    #[must_use]
    pub fn effort(&self, text: &str, channel: Channel, selection: &Selection) -> Vec<(Kind, usize, usize)> {
        let mut efforts: HashMap<&Kind, (usize, usize)> = HashMap::new();
        if let Some(plan) = self.plan(channel, selection) {
            plan.each_start(&self.shapes, text, |shape, start| {
                if let Some(rule) = self.rules.get(shape.rule) {
                    let (tried, read) = efforts.entry(&rule.id).or_default();
                    *tried += 1;
                    *read += shape.reads(text.as_bytes(), start);
                }
            });
        }
        let mut all: Vec<_> = efforts
            .into_iter()
            .map(|(kind, (tried, read))| (kind.clone(), tried, read))
            .collect();
        all.sort_by(|one, other| (other.2, &one.0).cmp(&(one.2, &other.0)));
        all
    }

    /// Reads all parts of a message: each part alone, and the parts of a lane also joined, of which only what crosses
    /// a boundary is kept.
    ///
    /// First come the findings of single parts, part after part; then those that cross, each as consecutive pieces
    /// numbered from 0 ([`Located::piece`]). What a part alone takes for a match and the joined reading shows to be a
    /// piece of a longer one of the same kind is reported only as that piece. A rule reads a joined text if any of the
    /// parts that its match touches selects it.
    #[must_use]
    pub fn inspect<'a, 's>(
        &self,
        parts: impl Iterator<Item = Part<'a>>,
        selection: impl Fn(&Part<'a>) -> &'s Selection,
    ) -> Vec<Located> {
        let mut located = Vec::new();
        let mut lanes: HashMap<Lane, Vec<(Part<'a>, &'s Selection)>> = HashMap::new();
        let mut hits = Vec::new();
        for part in parts {
            let selected = selection(&part);
            self.hits(part.text, part.channel, selected, &mut hits);
            for hit in hits.drain(..) {
                located.extend(self.locate(&part, 0, hit.rule, hit.span, matched_in(part.text, hit.span)));
            }
            if let Some(lane) = part.lane {
                lanes.entry(lane).or_default().push((part, selected));
            }
        }
        let mut lanes: Vec<_> = lanes.into_iter().filter(|(_, parts)| parts.len() > 1).collect();
        lanes.sort_unstable_by_key(|(lane, _)| *lane);
        let mut crossing = Vec::new();
        for (_, parts) in lanes {
            self.read_joined(&parts, &mut crossing);
        }
        let mut pieces: HashMap<PartId, Vec<&Located>> = HashMap::new();
        for piece in &crossing {
            pieces.entry(piece.part).or_default().push(piece);
        }
        let whole = |single: &Located| {
            pieces
                .get(&single.part)
                .into_iter()
                .flatten()
                .any(|p| is_piece_of(single, p))
        };
        located.retain(|single| !whole(single));
        located.extend(crossing.iter().cloned());
        located
    }

    /// Adds the findings that cross a boundary between parts of one lane.
    fn read_joined(&self, parts: &[(Part<'_>, &Selection)], located: &mut Vec<Located>) {
        let mut joined = String::with_capacity(parts.iter().map(|(part, _)| part.text.len()).sum());
        let mut spans = Vec::with_capacity(parts.len());
        for (part, _) in parts {
            let start = joined.len();
            joined.push_str(part.text);
            spans.push(Span::new(start, joined.len()));
        }
        let wants =
            |(part, selection): &(Part<'_>, &Selection), rule| self.wanted(part.channel, selection, rule);
        let mut hits = Vec::new();
        let read_by = parts.iter().map(|(part, selection)| (part.channel, *selection));
        self.remembered(&joined, read_by, &mut hits, |hits| {
            let wanted = |rule| parts.iter().any(|part| wants(part, rule));
            self.seen_through(&joined, |readers| self.joint_plan(readers, parts), wanted, hits);
        });
        for hit in hits {
            let from = spans.partition_point(|span| span.end <= hit.span.start);
            let until = spans.partition_point(|span| span.start < hit.span.end);
            let touched = parts
                .iter()
                .zip(&spans)
                .take(until)
                .skip(from)
                .filter(|(_, span)| !span.is_empty());
            if touched.clone().count() < 2 || !touched.clone().any(|(part, _)| wants(part, hit.rule)) {
                continue;
            }
            for (piece, ((part, _), span)) in touched.enumerate() {
                let start = hit.span.start.max(span.start) - span.start;
                let end = hit.span.end.min(span.end) - span.start;
                let piece = u16::try_from(piece).unwrap_or(u16::MAX);
                let matched = matched_in(&joined, hit.span);
                located.extend(self.locate(part, piece, hit.rule, Span::new(start, end), matched));
            }
        }
    }

    /// The plan that every part of a lane would be read by, together.
    fn joint_plan(&self, readers: Readers, parts: &[(Part<'_>, &Selection)]) -> Option<Arc<Plan>> {
        let ((first, selection), others) = parts.split_first()?;
        let same =
            |(part, other): &(Part<'_>, &Selection)| part.channel == first.channel && other == selection;
        if others.iter().all(same) {
            return self.plan_for(readers, first.channel, selection).cloned();
        }
        let rules = parts.iter().fold(Rules::default(), |rules, (part, selection)| {
            rules.or(&self.effective(part.channel, selection))
        });
        Some(self.plan_of(readers, &rules))
    }

    /// Drops what a better finding of its family says as well.
    pub(crate) fn resolve(&self, hits: &mut Vec<Hit>) {
        resolve(hits, |hit| self.rules.get(hit.rule).map(Rule::family));
    }

    fn locate(&self, part: &Part<'_>, piece: u16, rule: usize, span: Span, matched: &str) -> Option<Located> {
        Some(located(part, piece, self.finding(rule, span, matched)?))
    }

    pub(crate) fn hits(&self, text: &str, channel: Channel, selection: &Selection, hits: &mut Vec<Hit>) {
        let wanted = |rule| self.wanted(channel, selection, rule);
        let without_pattern = [self.smuggled, self.bomb];
        let without_pattern = without_pattern
            .into_iter()
            .flatten()
            .any(|(rule, _)| wanted(rule));
        let plan = self.plan(channel, selection);
        if plan.is_none_or(|plan| plan.is_empty() && !without_pattern) {
            return;
        }
        let plan = |readers| self.plan_for(readers, channel, selection).cloned();
        let read_by = std::iter::once((channel, selection));
        self.remembered(text, read_by, hits, |hits| {
            self.seen_through(text, plan, wanted, hits)
        });
    }

    /// Adds to `hits`, which is empty, what `scan` finds in a text, or what it found in it before. `read_by` is all that
    /// the verdict depends on besides the text.
    fn remembered<'s>(
        &self,
        text: &str,
        read_by: impl Iterator<Item = (Channel, &'s Selection)>,
        hits: &mut Vec<Hit>,
        scan: impl FnOnce(&mut Vec<Hit>),
    ) {
        let Some(verdicts) = self.verdicts.as_ref().filter(|_| text.len() >= WORTH) else {
            return scan(hits);
        };
        let key = verdicts.key(text, read_by);
        match verdicts.known(key) {
            Some(known) => hits.extend_from_slice(&known),
            None => {
                scan(hits);
                verdicts.keep(key, hits);
            }
        }
    }

    /// Adds what is found in a text and in its views. What a view shows of a kind that was already found there is dropped,
    /// unless it is more of it.
    fn seen_through(
        &self,
        text: &str,
        plan: impl Fn(Readers) -> Option<Arc<Plan>>,
        wanted: impl Fn(usize) -> bool,
        hits: &mut Vec<Hit>,
    ) {
        let Some(all) = plan(Readers::All) else { return };
        let mut plain = Vec::new();
        all.run(&self.shapes, text, &mut plain);
        let mut shown = Vec::new();
        self.shown(text, &plan, &wanted, &plain, &mut shown);
        if !shown.is_empty() {
            plain.append(&mut shown);
            tidy(&mut plain);
        }
        self.resolve(&mut plain);
        hits.append(&mut plain);
    }

    /// Adds what the views of a text show besides `plain`, which is known.
    fn shown(
        &self,
        text: &str,
        plan: &impl Fn(Readers) -> Option<Arc<Plan>>,
        wanted: &impl Fn(usize) -> bool,
        plain: &[Hit],
        shown: &mut Vec<Hit>,
    ) {
        let Some(all) = plan(Readers::All) else { return };
        let mut instructed = None;
        let mut known: BTreeMap<(usize, usize), usize> = plain
            .iter()
            .map(|hit| ((hit.kind, hit.span.start), hit.span.end))
            .collect();
        let mut derived_hits = Vec::new();
        let explored = views::explore(text, &mut |derived| {
            let plan = match derived.readers() {
                Readers::All => Some(&all),
                few => instructed.get_or_insert_with(|| plan(few)).as_ref(),
            };
            let Some(plan) = plan else { return };
            plan.run(&self.shapes, &derived.text, &mut derived_hits);
            let reads = |hit: &Hit| {
                self.rules
                    .get(hit.rule)
                    .is_some_and(|rule| derived.is_read_by(rule.family))
            };
            let concerned = |hit: &Hit| derived.concerns(hit.span) && reads(hit);
            for mut hit in derived_hits.drain(..).filter(concerned) {
                hit.span = derived.original(hit.span);
                if is_new(&known, &hit) {
                    known.insert((hit.kind, hit.span.start), hit.span.end);
                    shown.push(hit);
                }
            }
        });
        let met = explored.smuggled.iter().map(|span| (self.smuggled, *span));
        let met = met.chain(explored.left.map(|span| (self.bomb, span)));
        let met = met
            .filter_map(|(rule, span)| Some((rule?, span)))
            .filter(|((rule, _), _)| wanted(*rule));
        shown.extend(met.map(|((rule, kind), span)| Hit {
            rule,
            kind,
            rank: 0,
            span,
        }));
    }

    /// Whether a rule is selected and meant for that channel.
    pub(crate) fn wanted(&self, channel: Channel, selection: &Selection, rule: usize) -> bool {
        selection.rules().has(rule)
            && self
                .by_channel
                .get(channel as usize)
                .is_some_and(|rules| rules.has(rule))
    }

    /// The finding of a rule at a place, and the text of the match, of which a joined text or a lane may hold but a part there.
    pub(crate) fn finding(&self, rule: usize, span: Span, matched: &str) -> Option<Finding> {
        let rule = self.rules.get(rule)?;
        Some(Finding {
            kind: rule.id.clone(),
            family: rule.family,
            span,
            severity: rule.severity(),
            score: rule.score(),
            target: (rule.family == Family::Link)
                .then(|| link::host_of(matched))
                .flatten(),
        })
    }

    /// What a plan needs for a text that is read as it comes.
    pub(crate) fn pieces<'p>(&self, plan: &'p Plan) -> &'p Pieces {
        plan.pieces(&self.shapes)
    }

    /// The shape of that number.
    pub(crate) fn shape(&self, number: usize) -> Option<&Shape> {
        self.shapes.get(number)
    }
}

/// A finding at its place in a message.
pub(crate) fn located(part: &Part<'_>, piece: u16, finding: Finding) -> Located {
    Located {
        part: part.id,
        piece,
        channel: part.channel,
        origin: part.origin,
        finding,
    }
}

/// Whether a hit overlaps none of its kind that is known, or holds all of one and more.
///
/// Of those known, keyed by kind and start, none lies within another: what overlaps is the last one before or the first after.
fn is_new(known: &BTreeMap<(usize, usize), usize>, hit: &Hit) -> bool {
    let span = hit.span;
    let near = known.range((hit.kind, 0)..(hit.kind, span.end)).next_back();
    near.is_none_or(|((_, start), end)| {
        let near = Span::new(*start, *end);
        !near.overlaps(span) || (span != near && span.start <= near.start && near.end <= span.end)
    })
}

/// The text of a match.
fn matched_in(text: &str, span: Span) -> &str {
    text.get(span.start..span.end).unwrap_or_default()
}

/// Whether what `single` reports of a part alone is no more than a piece of what the joined reading found.
fn is_piece_of(single: &Located, whole: &Located) -> bool {
    let (inner, outer) = (single.finding.span, whole.finding.span);
    single.part == whole.part
        && single.finding.kind == whole.finding.kind
        && inner.start >= outer.start
        && inner.end <= outer.end
}

impl std::fmt::Debug for Inspector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inspector")
            .field("rules", &self.rules.len())
            .field("shapes", &self.shapes.all().len())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{corpus::expand, edge::Before};

    /// How many bytes the automaton of a shape reads from `start` on before it dies.
    fn reads(shape: &Shape, bytes: &[u8], start: usize) -> usize {
        let machine = shape.machine().unwrap();
        let mut state = machine.start();
        let mut alive = |byte: u8| {
            state = machine.step(state, byte);
            !state.is_dead()
        };
        bytes[start..].iter().take_while(|byte| alive(**byte)).count()
    }

    /// How many bytes all read that are set off wherever they can begin.
    fn steps(shapes: &[&Shape], bytes: &[u8]) -> usize {
        let mut steps = 0;
        for (start, byte) in bytes.iter().enumerate() {
            let before = Before::at(bytes, start);
            let set_off = shapes
                .iter()
                .filter(|shape| shape.can_begin_with(*byte) && shape.may_follow(before));
            steps += set_off.map(|shape| reads(shape, bytes, start)).sum::<usize>();
        }
        steps
    }

    #[test]
    fn every_pattern_compiles() {
        Inspector::built_in().unwrap().compile().unwrap();
    }

    #[test]
    fn a_text_of_beginnings_costs_no_more_than_its_length() {
        const LENGTH: usize = 2048;
        let inspector = Inspector::built_in().unwrap();
        for (number, rule) in inspector.rules.iter().enumerate() {
            let shapes: Vec<&Shape> = inspector
                .shapes
                .all()
                .iter()
                .filter(|shape| shape.rule == number)
                .collect();
            let mut beginnings: Vec<String> = Vec::new();
            for hit in rule.hits() {
                let hit = expand(hit, 1);
                let hit = hit.split(['«', '»']).nth(1).unwrap_or_default();
                beginnings.extend([3, 5, 8, 11, 16, 24, 32].map(|length| hit.chars().take(length).collect()));
            }
            let patterns = rule
                .source
                .pattern
                .iter()
                .flat_map(|shape| shape.split(|c: char| !c.is_ascii_alphabetic()));
            beginnings.extend(patterns.filter(|word| word.len() > 2).map(str::to_owned));
            let begins = |text: &String| shapes.iter().any(|shape| reads(shape, text.as_bytes(), 0) >= 3);
            beginnings.retain(begins);
            beginnings.sort();
            beginnings.dedup();
            for (beginning, between) in beginnings
                .iter()
                .flat_map(|one| ["", " ", "."].map(|sep| (one, sep)))
            {
                let text = format!("{beginning}{between}").repeat(LENGTH / beginning.len() + 1);
                let steps = steps(&shapes, &text.as_bytes()[..LENGTH]);
                assert!(
                    steps < 80 * LENGTH,
                    "{}: {beginning:?}, {between:?}: {steps} steps",
                    rule.id
                );
            }
        }
    }
}
