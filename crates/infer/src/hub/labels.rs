//! What a model's labels mean: which are attacks, and of what kind.
//!
//! The rule, where the options do not name them: a label is split into words, and is an attack if one of them is a word for
//! attacks (`injection`, `jailbreak`, `malicious`, …), harmless if one is a word for harmless texts (`safe`, `benign`,
//! `legit`, …); `not`, `non` and `no` turn it round. Of two labels `LABEL_0` and `LABEL_1`, as models without names have, the
//! second is the attack. Every label has to be told, and there has to be an attack among them: a model of moods or topics is
//! refused rather than believed.

use std::collections::BTreeMap;

use portcullis_inspect::Attempt;
use serde_json::Value;

use super::error::LoadError;

/// Words of labels of attacks. `leak` and `extraction` also say what is tried.
const ATTACK: &[&str] = &[
    "adversarial",
    "attack",
    "dangerous",
    "extract",
    "extraction",
    "harmful",
    "injected",
    "injection",
    "jailbreak",
    "jailbreaking",
    "leak",
    "leakage",
    "leaking",
    "malicious",
    "positive",
    "suspicious",
    "unsafe",
];
/// Words of labels of harmless texts.
const HARMLESS: &[&str] = &[
    "benign",
    "clean",
    "harmless",
    "legit",
    "legitimate",
    "negative",
    "normal",
    "ok",
    "safe",
];
/// The most labels that are given names here.
const INVENTED: u64 = 1000;
const NEGATION: &[&str] = &["no", "non", "not"];

/// How numbers become probabilities.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Law {
    /// One label holds: softmax.
    One,
    /// Each holds or not: sigmoid.
    Each,
}

/// The outputs of a model.
#[derive(Debug)]
pub struct Labels {
    /// What each label tries; None for harmless ones.
    attempts: Vec<Option<Attempt>>,
    law: Law,
}

impl Labels {
    /// From `config.json` and the names or ids that the options give.
    pub fn read(config: &Value, attacks: &[String]) -> Result<Labels, LoadError> {
        let names = names(config, !attacks.is_empty())?;
        let law = match config.get("problem_type").and_then(Value::as_str) {
            None | Some("single_label_classification") => Law::One,
            Some("multi_label_classification") => Law::Each,
            Some(other) => {
                return Err(LoadError::config(format!(
                    "problem_type {other} is not supported: a classifier says how likely a label is"
                )));
            }
        };
        let hostile = if attacks.is_empty() {
            by_meaning(&names)?
        } else {
            by_option(&names, attacks)?
        };
        let unclear = |why: &str| LoadError::Labels {
            why: why.to_owned(),
            labels: list(&names),
        };
        if !hostile.contains(&true) {
            return Err(unclear("none is one"));
        }
        if law == Law::One && !hostile.contains(&false) {
            return Err(unclear("all are, and one of them always holds"));
        }
        let pairs = names.iter().zip(hostile);
        let attempts = pairs.map(|(name, hostile)| hostile.then(|| attempt(name)));
        Ok(Labels {
            attempts: attempts.collect(),
            law,
        })
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.attempts.len()
    }

    /// How probable an attack is, and what it most likely tries. None where the numbers are none.
    pub fn judge(&self, logits: &[f32]) -> Option<(f32, Attempt)> {
        if logits.len() != self.count() || logits.iter().any(|logit| !logit.is_finite()) {
            return None;
        }
        let greatest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let total: f32 = logits.iter().map(|logit| (logit - greatest).exp()).sum();
        let probable = |logit: f32| match self.law {
            Law::One => (logit - greatest).exp() / total,
            Law::Each => 1.0 / (1.0 + (-logit).exp()),
        };
        let mut score: f32 = 0.0;
        let mut likeliest: Option<(f32, Attempt)> = None;
        for (logit, attempt) in logits.iter().zip(&self.attempts) {
            let Some(attempt) = attempt else { continue };
            let probability = probable(*logit);
            score = match self.law {
                Law::One => score + probability,
                Law::Each => score.max(probability),
            };
            if likeliest.is_none_or(|(most, _)| probability > most) {
                likeliest = Some((probability, *attempt));
            }
        }
        likeliest.map(|(_, attempt)| (score.clamp(0.0, 1.0), attempt))
    }
}

/// The names by id, which have to be all from 0 on.
///
/// The reference library leaves out names that it would invent. Those are invented here too, but only `told` which are attacks.
fn names(config: &Value, told: bool) -> Result<Vec<String>, LoadError> {
    let Some(table) = config.get("id2label").filter(|table| !table.is_null()) else {
        let count = config.get("num_labels").map_or(Some(2), Value::as_u64);
        let count = count.filter(|count| told && *count <= INVENTED);
        let count = count.ok_or(LoadError::NoLabels)?;
        return Ok((0..count).map(|id| format!("LABEL_{id}")).collect());
    };
    let table = table.as_object().filter(|table| !table.is_empty());
    let table = table.ok_or(LoadError::NoLabels)?;
    let mut names = BTreeMap::new();
    for (id, name) in table {
        let id: usize = id
            .parse()
            .map_err(|_| LoadError::config(format!("id2label: {id} is not a number")))?;
        let name = match name {
            Value::String(name) => name.clone(),
            other => other.to_string(),
        };
        names.insert(id, name);
    }
    // Two spellings of a number would leave fewer names than entries.
    let complete = names.keys().copied().eq(0..table.len());
    if !complete {
        return Err(LoadError::config(
            "id2label: the ids are not those from 0 to one less than their number",
        ));
    }
    Ok(names.into_values().collect())
}

/// Labels that the options name.
fn by_option(names: &[String], attacks: &[String]) -> Result<Vec<bool>, LoadError> {
    let mut hostile = vec![false; names.len()];
    for attack in attacks {
        let mut met = false;
        for ((id, name), hostile) in names.iter().enumerate().zip(&mut hostile) {
            if name.eq_ignore_ascii_case(attack) || id.to_string() == *attack {
                *hostile = true;
                met = true;
            }
        }
        if !met {
            return Err(LoadError::Labels {
                why: format!("attack_labels names {attack}, which is none of them"),
                labels: list(names),
            });
        }
    }
    Ok(hostile)
}

/// Labels by the words in them.
fn by_meaning(names: &[String]) -> Result<Vec<bool>, LoadError> {
    if let [first, second] = names
        && first.eq_ignore_ascii_case("label_0")
        && second.eq_ignore_ascii_case("label_1")
    {
        return Ok(vec![false, true]);
    }
    let tell = |name: &String| {
        hostile(name).ok_or_else(|| LoadError::Labels {
            why: format!("nothing is known of {name}"),
            labels: list(names),
        })
    };
    names.iter().map(tell).collect()
}

/// Whether a label is an attack. None where its words say nothing, or both.
fn hostile(name: &str) -> Option<bool> {
    let name = name.to_lowercase();
    let words = || name.split(|letter: char| !letter.is_alphanumeric());
    let any = |list: &[&str]| words().any(|word| list.contains(&word));
    let attack = any(ATTACK);
    (attack != any(HARMLESS)).then(|| attack != any(NEGATION))
}

/// What an attack of that label tries.
fn attempt(name: &str) -> Attempt {
    let name = name.to_lowercase();
    if name.contains("jailbreak") {
        Attempt::Jailbreak
    } else if name.contains("extract") || name.contains("leak") {
        Attempt::Extraction
    } else {
        Attempt::Injection
    }
}

fn list(names: &[String]) -> String {
    let each = |(id, name): (usize, &String)| format!("{name} ({id})");
    let all: Vec<String> = names.iter().enumerate().map(each).collect();
    all.join(", ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn attacks(names: &[&str]) -> Result<Vec<bool>, LoadError> {
        let table: serde_json::Map<String, Value> = names
            .iter()
            .enumerate()
            .map(|(id, name)| (id.to_string(), json!(name)))
            .collect();
        let labels = Labels::read(&json!({ "id2label": table }), &[])?;
        Ok(labels.attempts.iter().map(Option::is_some).collect())
    }

    #[test]
    fn labels_of_published_models_are_understood() {
        let two = vec![false, true];
        for names in [
            ["SAFE", "INJECTION"],
            ["LABEL_0", "LABEL_1"],
            ["BENIGN", "MALICIOUS"],
            ["LEGIT", "INJECTION"],
            ["benign", "jailbreak"],
            ["not_injection", "injection"],
            ["Safe prompt", "Prompt-Injection"],
            ["non-malicious", "unsafe"],
            ["negative", "positive"],
        ] {
            assert_eq!(attacks(&names).unwrap(), two, "{names:?}");
        }
        assert_eq!(
            attacks(&["INJECTION", "BENIGN", "JAILBREAK"]).unwrap(),
            [true, false, true]
        );
    }

    #[test]
    fn labels_that_say_nothing_are_refused_with_their_names() {
        for names in [
            &["joy", "anger"][..],
            &["LABEL_0", "LABEL_1", "LABEL_2"],
            &["safe", "benign"],
            &["injection", "jailbreak"],
            &["safe", "injection", "other"],
            &["safe attack", "injection"],
        ] {
            let why = attacks(names).unwrap_err().to_string();
            assert!(why.contains(names[0]) && why.contains("attack_labels"), "{why}");
        }
    }

    #[test]
    fn the_options_have_the_last_word() {
        let config = json!({ "id2label": { "0": "joy", "1": "Anger", "2": "grief leak" } });
        let read = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            Labels::read(&config, &names)
        };
        let labels = read(&["anger", "2"]).unwrap();
        let expected = [None, Some(Attempt::Injection), Some(Attempt::Extraction)];
        assert_eq!(labels.attempts, expected);
        assert!(read(&["fear"]).unwrap_err().to_string().contains("fear"));
        assert!(read(&["0", "1", "2"]).is_err());
    }

    #[test]
    fn the_score_is_the_sum_of_attacks_or_the_greatest_of_them() {
        let names = json!({ "0": "safe", "1": "injection", "2": "jailbreak" });
        let one = Labels::read(&json!({ "id2label": names }), &[]).unwrap();
        let (score, attempt) = one.judge(&[0.0, 0.0, 2f32.ln()]).unwrap();
        assert!((score - 0.75).abs() < 1e-6);
        assert_eq!(attempt, Attempt::Jailbreak);
        let each = json!({ "id2label": names, "problem_type": "multi_label_classification" });
        let each = Labels::read(&each, &[]).unwrap();
        let (score, attempt) = each.judge(&[9.0, 0.0, -1.0]).unwrap();
        assert!((score - 0.5).abs() < 1e-6);
        assert_eq!(attempt, Attempt::Injection);
        assert!(one.judge(&[f32::NAN, 0.0, 0.0]).is_none());
        assert!(one.judge(&[0.0, 0.0]).is_none());
        assert_eq!(one.judge(&[-200.0, 200.0, 100.0]).unwrap().0, 1.0);
    }

    #[test]
    fn ids_are_complete() {
        for table in [json!({ "0": "safe", "2": "injection" }), json!({ "a": "safe" })] {
            assert!(Labels::read(&json!({ "id2label": table }), &[]).is_err());
        }
        for config in [json!({}), json!({ "id2label": {} }), json!({ "id2label": [] })] {
            let read = Labels::read(&config, &[]);
            assert!(matches!(read, Err(LoadError::NoLabels)));
        }
        let told = Labels::read(&json!({}), &["1".to_owned()]).unwrap();
        assert_eq!(told.attempts, [None, Some(Attempt::Injection)]);
    }
}
