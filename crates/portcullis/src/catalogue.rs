//! What is looked for, a kind a row: several rules may find one kind. The command and the document tell the same.

use portcullis_core::{Channel, Family, Severity};
use portcullis_inspect::{Inspector, Rule, leak};

/// A kind of finding.
#[derive(Clone, Debug)]
pub struct Listed {
    /// The name that findings carry.
    pub id: String,
    /// The kind of risk.
    pub family: Family,
    /// How bad the worst finding of it is.
    pub severity: Severity,
    /// How sure the least and the most certain of its rules are.
    pub score: (f32, f32),
    /// What a match needs besides its form, an item for each way.
    pub needs: Vec<String>,
    /// What is found and what is missed.
    pub about: String,
    /// Where it is looked for; `None` is everywhere.
    pub channels: Option<Vec<Channel>>,
}

/// Every kind, in the order of the rules; those that no rule finds come last.
#[must_use]
pub fn kinds(inspector: &Inspector) -> Vec<Listed> {
    let mut kinds: Vec<Listed> = Vec::new();
    for rule in inspector.rules() {
        match kinds.iter_mut().find(|kind| kind.id == rule.id().as_str()) {
            Some(kind) => kind.add(rule),
            None => kinds.push(Listed::of(rule)),
        }
    }
    kinds.push(Listed {
        id: leak::TEXT.to_owned(),
        family: Family::SystemPrompt,
        severity: Severity::High,
        score: (0.5, 1.0),
        needs: vec!["words of the request's system prompt".to_owned()],
        about: "A reply that says 240 letters of its system prompt, or two fifths of a shorter one, in runs of 24 letters \
                and more: as it stands or in another case, spacing, numbering, quoting or encoding, in one reply or in several of a \
                conversation. What the user wrote too does not count. Translations and paraphrases are missed."
            .to_owned(),
        channels: None,
    });
    kinds.push(Listed {
        id: leak::CANARY.to_owned(),
        family: Family::SystemPrompt,
        severity: Severity::High,
        score: (1.0, 1.0),
        needs: vec!["the marker of the request's system prompt".to_owned()],
        about: "A reply that says the marker that `system_prompt.canary` put before its instructions, as it stands or in \
                another case, spacing, quoting or encoding."
            .to_owned(),
        channels: None,
    });
    kinds.extend(of_replies());
    kinds.extend(of_requests());
    kinds
}

/// What is found by comparing a request with those before it.
fn of_requests() -> impl Iterator<Item = Listed> {
    [
        (
            "abuse.repeated",
            "`abuse.repeated_rpm`",
            "The same request of a key, to the byte, more often in a minute than it may come. A request in which anything changes is missed.",
            None,
        ),
        (
            "abuse.looping",
            "`abuse.looping_calls`",
            "A conversation that ends with the same tool calls and the same results over and over. Results in which something changes \
             each time are missed.",
            Some(vec![Channel::ToolCall]),
        ),
        (
            "abuse.choices",
            "`abuse.choices`",
            "A request for more replies at once than the key may ask for.",
            None,
        ),
    ]
    .into_iter()
    .map(|(id, setting, about, channels)| Listed {
        id: id.to_owned(),
        family: Family::Abuse,
        severity: Severity::Medium,
        score: (1.0, 1.0),
        needs: vec![setting.to_owned()],
        about: about.to_owned(),
        channels,
    })
}

/// What is found by looking at a reply as a whole.
fn of_replies() -> impl Iterator<Item = Listed> {
    let said = vec![
        Channel::Assistant,
        Channel::Reasoning,
        Channel::Refusal,
        Channel::ToolCall,
    ];
    let answers = vec![Channel::Assistant, Channel::ToolCall];
    [
        (
            "output.length",
            "`output.max_chars`",
            "The place where a reply has said as much as it may.",
            said.clone(),
        ),
        (
            "output.loop",
            "`output.max_repeated`",
            "The place where a reply has said the same over and over, longer than it may. A loop in which something changes \
             each time is missed.",
            said,
        ),
        (
            "output.json",
            "`output.validate`",
            "An answer that must be JSON and is none, or that parsers would read in different ways; arguments of a tool call likewise.",
            answers.clone(),
        ),
        (
            "output.schema",
            "`output.validate`",
            "JSON that does not fit the schema of its request, of its tool or of the profile. What a schema does not say is missed.",
            answers,
        ),
    ]
    .into_iter()
    .map(|(id, setting, about, channels)| Listed {
        id: id.to_owned(),
        family: Family::Output,
        severity: Severity::Medium,
        score: (1.0, 1.0),
        needs: vec![setting.to_owned()],
        about: about.to_owned(),
        channels: Some(channels),
    })
}

impl Listed {
    fn of(rule: &Rule) -> Listed {
        Listed {
            id: rule.id().as_str().to_owned(),
            family: rule.family(),
            severity: rule.severity(),
            score: (rule.score(), rule.score()),
            needs: vec![needs(rule)],
            about: rule.about().to_owned(),
            channels: channels(rule),
        }
    }

    fn add(&mut self, rule: &Rule) {
        self.severity = self.severity.max(rule.severity());
        self.score = (self.score.0.min(rule.score()), self.score.1.max(rule.score()));
        let needs = needs(rule);
        if !self.needs.contains(&needs) {
            self.needs.push(needs);
        }
        if !self.about.contains(rule.about()) {
            self.about = format!("{} {}", self.about, rule.about()).trim().to_owned();
        }
        self.channels = match (self.channels.take(), channels(rule)) {
            (Some(mut known), Some(more)) => {
                known.extend(more);
                known.sort_by_key(|channel| *channel as usize);
                known.dedup();
                Some(known)
            }
            _ => None,
        };
    }

    /// The score for a table: `0.60-1.00` where rules differ.
    #[must_use]
    pub fn told_score(&self) -> String {
        let (least, most) = self.score;
        match most - least > 0.001 {
            true => format!("{least:.2}-{most:.2}"),
            false => format!("{most:.2}"),
        }
    }

    /// The needs for a table.
    #[must_use]
    pub fn told_needs(&self) -> String {
        self.needs.join("; or ")
    }

    /// Where it is looked for, as a sentence; nothing where that is everywhere.
    #[must_use]
    pub fn told_channels(&self) -> String {
        let Some(channels) = &self.channels else {
            return String::new();
        };
        let others = || Channel::ALL.iter().filter(|channel| !channels.contains(channel));
        let names = |channels: Vec<&Channel>| {
            let names: Vec<&str> = channels.into_iter().map(|channel| channel.name()).collect();
            names.join(", ")
        };
        match others().count() < channels.len() {
            true => format!("Not in {}.", names(others().collect())),
            false => format!("Only in {}.", names(channels.iter().collect())),
        }
    }

    /// The severity in lower case.
    #[must_use]
    pub fn told_severity(&self) -> String {
        format!("{:?}", self.severity).to_lowercase()
    }
}

fn needs(rule: &Rule) -> String {
    let mut needs = Vec::new();
    if let Some(checksum) = rule.checksum() {
        needs.push(format!("check {checksum}"));
    }
    if !rule.keywords().is_empty() {
        needs.push("a word near it".to_owned());
    }
    match needs.is_empty() {
        true => "its form".to_owned(),
        false => needs.join(" and "),
    }
}

fn channels(rule: &Rule) -> Option<Vec<Channel>> {
    (rule.channels().len() < Channel::ALL.len()).then(|| rule.channels().to_vec())
}

#[cfg(test)]
mod tests {
    use portcullis_inspect::Source;

    use super::*;

    #[test]
    fn rules_of_one_kind_are_one_row() {
        let rules = Source::read_file(
            "[[rule]]\nid = 'A'\nseverity = 'low'\nscore = 0.5\nabout = 'One.'\npattern = 'abcd'\nkeywords = ['word']\n\
             channels = ['user']\n\
             [[rule]]\nid = 'A'\nseverity = 'high'\nabout = 'Other.'\npattern = '[0-9]{16}'\nchecksum = 'luhn'\n\
             channels = ['email']\n",
        )
        .unwrap();
        let kinds = kinds(&Inspector::with(&rules).unwrap());
        let a = kinds.iter().find(|kind| kind.id == "A").unwrap();
        assert_eq!((a.id.as_str(), a.severity), ("A", Severity::High));
        assert_eq!(a.told_score(), "0.50-1.00");
        assert_eq!(a.told_needs(), "a word near it; or check luhn");
        assert_eq!(a.about, "One. Other.");
        assert_eq!(
            a.channels.as_deref(),
            Some([Channel::User, Channel::Email].as_slice())
        );
        let ids: Vec<&str> = kinds.iter().map(|kind| kind.id.as_str()).collect();
        let mut unique = ids.clone();
        unique.sort_unstable();
        unique.dedup();
        assert_eq!(ids.len(), unique.len());
    }
}
