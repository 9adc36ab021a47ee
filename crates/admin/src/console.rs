//! What the operators' side knows: the state, the counters, the configuration in force. It changes nothing but keys and approvals.

use std::sync::{Arc, PoisonError, RwLock};

use portcullis_store::{ApprovalKey, Store};
use serde_json::Value;

use crate::auth::Token;
use crate::operators::{Nobody, Operators};
use crate::sessions::{Logins, Sessions};

/// Everything that the routes share.
pub struct Console {
    pub(crate) token: Token,
    pub(crate) sessions: Sessions,
    pub(crate) logins: Logins,
    pub(crate) operators: Arc<dyn Operators>,
    pub(crate) store: Arc<dyn Store>,
    metrics: Box<dyn Fn() -> String + Send + Sync>,
    effective: RwLock<Arc<Value>>,
    pub(crate) approvals: Option<ApprovalKey>,
}

impl Console {
    /// An operators' side over this state. `effective` is the configuration in force, with credentials as references.
    pub fn new(
        token: Token,
        store: Arc<dyn Store>,
        metrics: impl Fn() -> String + Send + Sync + 'static,
        effective: Value,
    ) -> Console {
        Console {
            token,
            sessions: Sessions::default(),
            logins: Logins::default(),
            operators: Arc::new(Nobody),
            store,
            metrics: Box::new(metrics),
            effective: RwLock::new(Arc::new(effective)),
            approvals: None,
        }
    }

    /// Lets operators in whom somebody else knows, besides the holder of the token.
    #[must_use]
    pub fn with_operators(self, operators: Arc<dyn Operators>) -> Console {
        Console { operators, ..self }
    }

    /// Shows another configuration, after a reload.
    pub fn show(&self, effective: Value) {
        *self.effective.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(effective);
    }

    pub(crate) fn effective(&self) -> Arc<Value> {
        Arc::clone(&self.effective.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn metrics(&self) -> String {
        (self.metrics)()
    }

    /// Whether keys may be made with this profile.
    pub(crate) fn has_profile(&self, name: &str) -> bool {
        name == "default"
            || self
                .effective()
                .get("profiles")
                .and_then(|all| all.get(name))
                .is_some()
    }

    /// Whether keys may be made with this tool policy.
    pub(crate) fn has_tools(&self, name: &str) -> bool {
        self.effective()
            .get("tools")
            .and_then(|all| all.get(name))
            .is_some()
    }

    /// Lets operators grant approvals, signed with this key.
    #[must_use]
    pub fn with_approvals(self, key: ApprovalKey) -> Console {
        Console {
            approvals: Some(key),
            ..self
        }
    }
}
