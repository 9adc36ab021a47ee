//! The classifiers that profiles name: read from the program or from a folder, and kept while anybody wants them.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use portcullis_infer::{BuiltIn, Hub, Pool, PoolSize, hub};
use portcullis_inspect::Classifier;

use crate::wiring::random_key;

/// A classifier that a profile names.
#[derive(Clone, Debug, PartialEq)]
pub struct OwnModel {
    /// The first profile that names it.
    pub profile: String,
    /// Its name, which holds all its settings.
    pub name: String,
    /// Where it is; `None` is the built-in one.
    pub folder: Option<PathBuf>,
    /// The labels that mean an attack.
    pub attacks: Vec<String>,
    /// The score from which on a text is one.
    pub threshold: f64,
}

/// Why a classifier cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// What is wrong with it.
    #[error("profiles.{profile}.injection.model: {why}")]
    Unusable {
        /// The profile that names it.
        profile: String,
        /// Why.
        why: String,
    },
}

impl OwnModel {
    /// Reads it.
    ///
    /// # Errors
    /// It cannot be read, or is of no kind that is known.
    pub fn open(&self) -> Result<Arc<dyn Classifier>, ModelError> {
        let Some(folder) = &self.folder else {
            let built_in = BuiltIn::load().map_err(|error| self.unusable(error))?;
            return Ok(Arc::new(built_in));
        };
        let options = hub::Options {
            attack_labels: self.attacks.clone(),
            threshold: self.threshold as f32,
            ..hub::Options::default()
        };
        let hub = Hub::load(folder, &options).map_err(|error| self.unusable(error))?;
        Ok(Arc::new(hub))
    }

    fn unusable(&self, why: impl std::fmt::Display) -> ModelError {
        ModelError::Unusable {
            profile: self.profile.clone(),
            why: why.to_string(),
        }
    }
}

/// Classifiers with their threads. They outlive a configuration: what is named again is not read again.
#[derive(Default)]
pub struct Models(Mutex<HashMap<String, Arc<Pool>>>);

impl Models {
    /// Those that are named. What nobody names any more is let go.
    ///
    /// # Errors
    /// One cannot be used; then all stays as it was.
    pub fn named(&self, wanted: &[OwnModel]) -> Result<HashMap<String, Arc<Pool>>, ModelError> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut named = HashMap::new();
        for model in wanted {
            let pool = match kept.get(&model.name) {
                Some(pool) => Arc::clone(pool),
                None => {
                    let key = random_key().map_err(|error| model.unusable(error))?;
                    let pool = Pool::new(model.open()?, PoolSize::of_machine(), key);
                    Arc::new(pool.map_err(|error| model.unusable(error))?)
                }
            };
            named.insert(model.name.clone(), pool);
        }
        kept.clone_from(&named);
        Ok(named)
    }
}
