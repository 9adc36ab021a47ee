//! What is taken out of untrusted texts before a model reads them, where a policy says `sanitise`: addresses, links and numbers of accounts
//! that no call could send anything to anyway. It knows values by their shape; whatever has none is left, and denied when it is used.

use std::collections::BTreeMap;
use std::ops::Range;

use super::evidence::Evidence;
use super::judge::carried;
use super::rule::{Answer, Sink, SinkRule, ToolRule, named};
use super::sort::{Sort, Value};

/// Sorts that are known by their shape.
const SHAPED: [Sort; 3] = [Sort::Email, Sort::Url, Sort::Account];

/// The sinks that are sanitised, with the tool of each.
pub struct Sanitising<'e> {
    evidence: &'e Evidence,
    sinks: Vec<(&'e str, SinkRule)>,
}

impl Evidence {
    /// What is to be taken out of untrusted texts, if a tool that is offered is sanitised.
    #[must_use]
    pub fn sanitising(&self) -> Option<Sanitising<'_>> {
        let offered = self
            .offered()
            .filter_map(|tool| Some((tool, named(&self.policy().tools, tool)?.1)));
        let sinks: Vec<_> = offered
            .flat_map(|(tool, rule)| sanitised(rule).map(move |sink| (tool, sink)))
            .collect();
        (!sinks.is_empty() && self.is_tainted()).then_some(Sanitising {
            evidence: self,
            sinks,
        })
    }
}

/// The sinks of a rule that say so, or whose rule does.
fn sanitised(rule: &ToolRule) -> impl Iterator<Item = SinkRule> + '_ {
    let empty = BTreeMap::new;
    let sinks = rule.sinks.clone().unwrap_or_else(empty).into_values();
    let whole = rule.answer == Some(Answer::Sanitise);
    sinks
        .map(|sink: Sink| sink.rule())
        .filter(move |sink| whole || sink.otherwise.or(rule.otherwise) == Some(Answer::Sanitise))
}

impl Sanitising<'_> {
    /// Where in a text values stand that may go into none of the sinks of their sort.
    #[must_use]
    pub fn unusable(&self, text: &str) -> Vec<Range<usize>> {
        let found = carried(text).into_iter();
        found
            .filter(|(_, value)| SHAPED.contains(&value.sort()) && self.is_unusable(value))
            .map(|(range, _)| range)
            .collect()
    }

    fn is_unusable(&self, value: &Value) -> bool {
        let mut of_sort = self
            .sinks
            .iter()
            .filter(|(_, sink)| sink.sort == value.sort() || sink.sort == Sort::Party)
            .peekable();
        let any = of_sort.peek().is_some();
        any && of_sort.all(|(tool, sink)| !self.evidence.may_flow(value, tool, sink))
    }
}
