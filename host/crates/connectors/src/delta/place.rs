//! Where a table is, and what is said when its log cannot be read or continued.

use std::fmt;
use std::sync::Arc;

use glovebox_core::{Input, SinkError};
use glovebox_delta::{DeltaError, Folder, Local, Stored};

use crate::input::Given;
use crate::outlet::Target;

/// A table's folder.
#[derive(Debug, Clone)]
pub(super) struct Place {
    target: Target,
    pub(super) folder: Arc<dyn Folder>,
}

impl Place {
    pub(super) fn new(target: Target) -> Self {
        let folder: Arc<dyn Folder> = match &target {
            Target::File(path) => Arc::new(Local::new(path)),
            Target::Object(url, store) => Arc::new(Stored::new(url, Arc::clone(store))),
        };
        Place { target, folder }
    }

    /// A file of it, as a source of rows is given it.
    pub(super) fn given(&self, name: &str) -> Given {
        match &self.target {
            Target::File(path) => Given::new(vec![Input::File(path.join(name))], None),
            Target::Object(url, store) => {
                let url = Stored::new(url, Arc::clone(store)).url(name);
                Given::new(vec![Input::Object(url)], Some(Arc::clone(store)))
            }
        }
    }

    /// Whether a table could be there, as far as that can be told without making it.
    pub(super) fn probe(&self) -> Result<(), SinkError> {
        let probed = match &self.target {
            Target::File(path) => Local::new(path).probe(),
            Target::Object(url, store) => {
                store.probe(&Stored::new(url, Arc::clone(store)).url("_delta_log"))
            }
        };
        probed.map_err(|problem| SinkError::Io {
            place: self.to_string(),
            problem,
        })
    }

    pub(super) fn shape(&self, problem: String) -> SinkError {
        SinkError::Shape {
            place: self.to_string(),
            problem,
        }
    }

    pub(super) fn internal(&self, problem: &str) -> SinkError {
        SinkError::Internal {
            place: self.to_string(),
            problem: problem.into(),
        }
    }

    pub(super) fn io(&self, name: &str) -> impl FnOnce(std::io::Error) -> SinkError {
        let place = format!("{self}/{name}");
        move |problem| SinkError::Io { place, problem }
    }

    pub(super) fn failed(&self, error: DeltaError) -> SinkError {
        match error {
            DeltaError::Io { name, problem } => self.io(&name)(problem),
            DeltaError::Unfit(problem) => self.shape(problem),
            DeltaError::Conflict(problem) => SinkError::Refused {
                place: self.to_string(),
                problem,
            },
            DeltaError::Unknown { name, problem } => SinkError::Unknown {
                place: self.to_string(),
                problem: format!(
                    "the version {name} was sent, and no answer says whether it is there ({problem}); run again with \
                     `--resume`: a run that is there is not added twice"
                ),
            },
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.target.to_string().trim_end_matches('/'))
    }
}
