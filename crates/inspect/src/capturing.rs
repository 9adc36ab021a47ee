//! Where a named group stands in a match that is known already.

use std::sync::Mutex;

use regex_automata::{
    Anchored, Input,
    dfa::onepass,
    nfa::thompson::{
        self,
        backtrack::{self, BoundedBacktracker},
        pikevm::{self, PikeVM},
    },
    util::syntax,
};

use crate::machine::{COMPILE_LIMIT, cause};

/// A matcher of the same pattern that also says where its group `value` stands. It is asked about whole matches only.
pub(crate) struct Capturing {
    /// The fastest, for patterns in which a byte never leaves a choice.
    one_pass: Option<onepass::DFA>,
    /// For matches that are not too long.
    backtracking: BoundedBacktracker,
    any: PikeVM,
    spare: Mutex<Option<Caches>>,
}

/// What the matchers need to work: making it anew costs more than using it.
struct Caches {
    one_pass: Option<onepass::Cache>,
    backtracking: backtrack::Cache,
    any: Option<pikevm::Cache>,
}

impl Capturing {
    /// Compiles.
    pub(crate) fn new(pattern: &str) -> Result<Capturing, String> {
        let nfa = thompson::Compiler::new()
            .syntax(syntax::Config::new().unicode(false).utf8(true))
            .build(&format!("(?:{pattern})\\z"))
            .map_err(|error| format!("{error}: {}", cause(&error)))?;
        let told = |error: thompson::BuildError| error.to_string();
        Ok(Capturing {
            one_pass: onepass::Builder::new()
                .configure(onepass::Config::new().size_limit(Some(COMPILE_LIMIT)))
                .build_from_nfa(nfa.clone())
                .ok(),
            backtracking: BoundedBacktracker::new_from_nfa(nfa.clone()).map_err(told)?,
            any: PikeVM::new_from_nfa(nfa).map_err(told)?,
            spare: Mutex::default(),
        })
    }

    /// Where the group stands in `matched`, the text of a match.
    pub(crate) fn value(&self, matched: &str) -> Option<(usize, usize)> {
        let kept = self.spare.try_lock().ok().and_then(|mut spare| spare.take());
        let mut caches = kept.unwrap_or_else(|| Caches {
            one_pass: self.one_pass.as_ref().map(onepass::DFA::create_cache),
            backtracking: self.backtracking.create_cache(),
            any: None,
        });
        let input = Input::new(matched).anchored(Anchored::Yes);
        let mut slots = [None; 4];
        let found = match (&self.one_pass, &mut caches.one_pass) {
            (Some(one_pass), Some(cache)) => one_pass.try_search_slots(cache, &input, &mut slots).is_ok(),
            _ => self
                .backtracking
                .try_search_slots(&mut caches.backtracking, &input, &mut slots)
                .is_ok(),
        };
        if !found {
            slots = [None; 4];
            let cache = caches.any.get_or_insert_with(|| self.any.create_cache());
            self.any.search_slots(cache, &input, &mut slots);
        }
        if let Ok(mut spare) = self.spare.try_lock() {
            *spare = Some(caches);
        }
        match slots {
            [_, _, Some(start), Some(end)] => Some((start.get(), end.get())),
            _ => None,
        }
    }
}
