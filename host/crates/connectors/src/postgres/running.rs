//! A run that is open, and how it ends.

use std::sync::Arc;
use std::time::Duration;

use glovebox_core::{Published, Revise, Schema, SinkError, Totals};

use super::begin::Begun;
use super::ending::Ending;
use super::journal::Journal;
use super::options::Options;
use super::publish::{self, Attempt};
use super::retry::RetryBudget;
use super::runs;
use super::session::Session;
use super::writers::Writers;
use crate::database::sift::Budget;

/// How long the end of a failed run may go on trying to leave nothing behind.
const LAST_PATIENCE: Duration = Duration::from_secs(3);

/// A run that is open.
pub(super) struct Running {
    pub(super) writers: Writers,
    pub(super) begun: Begun,
    pub(super) schema: Schema,
    pub(super) revise: Revise,
    pub(super) budget: Arc<Budget>,
    /// Whether another process began it, and will end it.
    pub(super) joined: bool,
}

impl Running {
    fn ending<'a>(
        begun: &'a Begun,
        options: &'a Options,
        schema: &'a Schema,
        revise: Revise,
        budget: &'a Budget,
    ) -> Ending<'a> {
        Ending {
            options,
            schema,
            lease: &begun.lease,
            target: &begun.target,
            known_as: &begun.known_as,
            stage: begun.stage.as_ref(),
            revise,
            budget,
            created: begun.created,
        }
    }

    /// Waits until all is stored, and publishes it or gives the run up. Goes on where rows were refused.
    pub(super) fn end(
        &mut self,
        options: &Options,
        totals: &Totals,
        withheld: bool,
    ) -> Result<Published, SinkError> {
        let mut session = self.writers.finish()?;
        let refused = self.writers.refused();
        if !refused.is_empty() {
            self.writers.keep(session);
            return Ok(Published {
                refused,
                ..Published::default()
            });
        }
        let ending = Running::ending(
            &self.begun,
            options,
            &self.schema,
            self.revise,
            &self.budget,
        );
        let mut attempt = Attempt::default();
        if withheld {
            attempt.published = Published::nothing();
        }
        let finished = session.attempt(
            &mut RetryBudget::new(options.retry_for),
            async |connection| {
                if attempt.published.kept {
                    return publish::withhold(connection, &ending, totals).await;
                }
                publish::finish(connection, &ending, totals, &mut attempt).await?;
                match attempt.published.kept {
                    true => publish::withhold(connection, &ending, totals).await,
                    false => Ok(()),
                }
            },
        );
        match finished {
            Err(SinkError::Io { .. } | SinkError::Connect { .. }) if attempt.sent => {
                Err(SinkError::Unknown {
                    place: options.place(),
                    problem: "the connection was lost during the last commit and could not be \
                             restored; `glovebox run --resume` finds out what is stored and \
                             continues if anything is missing"
                        .into(),
                })
            }
            Err(other) => Err(other),
            Ok(()) => {
                if !attempt.published.refused.is_empty() {
                    self.writers.keep(session);
                }
                Ok(attempt.published)
            }
        }
    }

    /// Leaves nothing behind, as far as it can in a moment. Returns how many rows are stored.
    pub(super) fn abort(self, options: &Options) -> u64 {
        let Running {
            mut writers,
            begun,
            schema,
            revise,
            budget,
            joined,
        } = self;
        writers.end();
        // Dropped here, with their sessions, of which the server may have no other.
        drop(writers);
        if joined {
            return 0;
        }
        let mut hurried = options.clone();
        let timeout = &mut hurried.login.connect_timeout;
        *timeout = LAST_PATIENCE.min(*timeout);
        let name = runs::session_name(&begun.lease.run);
        let Ok(mut session) = Session::new(Arc::new(hurried), name, Arc::default()) else {
            return 0;
        };
        let ending = Running::ending(&begun, options, &schema, revise, &budget);
        let journal = Journal::new(options);
        let mut budget = RetryBudget::new(LAST_PATIENCE);
        let stored = session.attempt(&mut budget, async |connection| {
            runs::stored(connection, &journal, options, &begun.lease.run).await
        });
        let cleared = session.attempt(&mut budget, async |connection| {
            publish::clear(connection, &ending).await
        });
        if let Err(error) = cleared {
            tracing::warn!(%error, "what the run created could not be removed");
        }
        stored.unwrap_or(0)
    }
}
