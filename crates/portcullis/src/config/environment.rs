//! What a configuration without upstreams takes from the environment: the providers whose keys are set.

use super::raw::{Raw, RawDialect, RawRoute, RawUpstream};
use super::text::Text;

/// A provider whose key is looked for.
struct Known {
    name: &'static str,
    variable: &'static str,
    dialect: RawDialect,
    url: &'static str,
    models: &'static [&'static str],
}

static PROVIDERS: &[Known] = &[
    Known {
        name: "openai",
        variable: "OPENAI_API_KEY",
        dialect: RawDialect::Openai,
        url: "https://api.openai.com/v1",
        models: &[
            "gpt-*",
            "chatgpt-*",
            "o1*",
            "o3*",
            "o4*",
            "text-embedding-*",
            "omni-moderation-*",
            "text-moderation-*",
            "computer-use-*",
            "codex-*",
            "davinci-*",
            "babbage-*",
            "ft:*",
        ],
    },
    Known {
        name: "anthropic",
        variable: "ANTHROPIC_API_KEY",
        dialect: RawDialect::Anthropic,
        url: "https://api.anthropic.com",
        models: &["claude-*"],
    },
    Known {
        name: "gemini",
        variable: "GEMINI_API_KEY",
        dialect: RawDialect::Gemini,
        url: "https://generativelanguage.googleapis.com",
        models: &["gemini-*", "gemma-*", "text-embedding-004"],
    },
];

/// Adds an upstream and routes for every provider whose key `is_set`.
pub fn add_providers(raw: &mut Raw, is_set: impl Fn(&str) -> bool) {
    for known in PROVIDERS.iter().filter(|known| is_set(known.variable)) {
        let (Ok(url), Ok(key)) = (
            Text::read(known.url),
            Text::read(&format!("env:{}", known.variable)),
        ) else {
            continue;
        };
        let upstream = RawUpstream {
            dialect: known.dialect,
            url,
            key: Some(key),
            stream_usage: None,
        };
        raw.upstreams.insert(known.name.to_owned(), upstream);
        raw.models.extend(known.models.iter().filter_map(|pattern| {
            Some(RawRoute {
                pattern: Text::read(pattern).ok()?,
                upstream: known.name.to_owned(),
                rename: None,
                fallback: Vec::new(),
                price: None,
                context: None,
                max_output: None,
            })
        }));
    }
    // The exact name above must not be caught by a broader pattern of another provider.
    raw.models
        .sort_by_key(|route| route.pattern.written().contains('*'));
}

/// The variables that are looked for, in order.
pub fn variables() -> impl Iterator<Item = &'static str> {
    PROVIDERS.iter().map(|known| known.variable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn providers_whose_keys_are_set_are_there_with_routes() {
        let mut raw = Raw::default();
        add_providers(&mut raw, |name| name != "ANTHROPIC_API_KEY");
        assert_eq!(raw.upstreams.keys().collect::<Vec<_>>(), ["gemini", "openai"]);
        let upstream = |model: &str| {
            let route = raw
                .models
                .iter()
                .find(|route| route.pattern.meaning().0.matches(model));
            route.map(|route| route.upstream.as_str())
        };
        assert_eq!(upstream("gpt-4o"), Some("openai"));
        assert_eq!(upstream("o3-mini"), Some("openai"));
        assert_eq!(upstream("text-embedding-004"), Some("gemini"));
        assert_eq!(upstream("text-embedding-3-small"), Some("openai"));
        assert_eq!(upstream("claude-sonnet-4"), None);
        let all = PROVIDERS.iter().map(|known| known.models.len()).sum::<usize>();
        assert_eq!(raw.models.len(), all - 1, "every literal is well formed");
    }
}
