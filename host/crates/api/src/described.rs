//! The descriptions of the API that were made so far, by what one may see of it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;

/// Descriptions that are kept; more are made each time.
const MAX_CACHED: usize = 64;

/// The description in both forms.
#[derive(Debug, Clone)]
pub(crate) struct Described {
    pub(crate) json: String,
    pub(crate) html: String,
}

/// Roles, and whether they are had by a login.
type Seen = (String, bool);

/// What was described so far.
#[derive(Debug)]
pub(crate) struct Descriptions {
    /// The server's address.
    pub(crate) url: String,
    /// What the routes say of themselves.
    pub(crate) routes: Value,
    public: Arc<Described>,
    known: Mutex<HashMap<Seen, Arc<Described>>>,
}

impl Descriptions {
    /// Those of a server under that address; so far, what everybody may see.
    pub(crate) fn new(url: String, routes: Value, public: Described) -> Self {
        Descriptions {
            url,
            routes,
            public: Arc::new(public),
            known: Mutex::default(),
        }
    }

    /// The schemas of all that is sent and answered, by name.
    pub(crate) fn schemas(&self) -> &Value {
        let schemas = self.routes.pointer("/components/schemas");
        schemas.unwrap_or(&Value::Null)
    }

    /// What everybody may see.
    pub(crate) fn public(&self) -> Arc<Described> {
        Arc::clone(&self.public)
    }

    /// What these may see, made unless it is known.
    pub(crate) fn seen(&self, seen: Seen, make: impl FnOnce() -> Described) -> Arc<Described> {
        let known = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(described) = known().get(&seen) {
            return Arc::clone(described);
        }
        let made = Arc::new(make());
        let mut known = known();
        if known.len() < MAX_CACHED {
            known.insert(seen, Arc::clone(&made));
        }
        made
    }
}
