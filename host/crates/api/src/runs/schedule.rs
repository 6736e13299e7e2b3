//! Runs that a schedule asks for.
//!
//! Every server looks at the clock. Each time of a schedule is one request key in the catalog, so that
//! of all servers one adds its run.

use std::collections::BTreeMap;

use glovebox_audit::{Action, Event, Outcome};
use glovebox_catalog::{Added, Error, NewRun, Run, new_run_id};

use super::{Runs, by};
use crate::config::{Pipeline, Schedule};

/// Who asks for such runs, by an id and a name that no user has.
const USER_ID: &str = "schedule";
const USER_NAME: &str = "(schedule)";
/// A time that no server was there for is made up for so much later at most, in seconds.
const CATCH_UP: i64 = 60 * 60;

/// How far each pipeline's schedule has been looked at.
#[derive(Debug, Default)]
pub(super) struct Looked(BTreeMap<String, i64>);

impl Runs {
    /// Asks for the runs whose time has come.
    pub(super) async fn ask_for_scheduled(&self, looked: &mut Looked, now: i64) {
        for pipeline in &self.pipelines {
            let Some(schedule) = &pipeline.schedule else {
                continue;
            };
            match self.ask_for(pipeline, schedule, looked, now).await {
                Ok(()) => {
                    looked.0.insert(pipeline.name.clone(), now);
                }
                // It is looked at again from where it was.
                Err(error) => {
                    tracing::error!(%error, pipeline = pipeline.name, "a scheduled run cannot be added");
                }
            }
        }
    }

    async fn ask_for(
        &self,
        pipeline: &Pipeline,
        schedule: &Schedule,
        looked: &Looked,
        now: i64,
    ) -> Result<(), Error> {
        let since = match looked.0.get(&pipeline.name) {
            Some(since) => *since,
            None => self.before_this_server(pipeline, now).await?,
        };
        let Some(time) = schedule.last_between(since, now) else {
            return Ok(());
        };
        let last = self.catalog.last_run_by(&pipeline.name, USER_ID).await?;
        let request = format!("{} {time}", pipeline.name);
        if last.is_some_and(|run| !run.state.is_over()) {
            tracing::warn!(
                pipeline = pipeline.name,
                "the run of an earlier time of the schedule is not over; this time is skipped"
            );
            return Ok(());
        }
        let id = new_run_id()?;
        let new = NewRun {
            id: &id,
            pipeline: &pipeline.name,
            user_id: USER_ID,
            user_name: USER_NAME,
            request: Some(&request),
            mode: schedule.mode,
            upload: None,
            of: None,
            at_most: pipeline.queue,
        };
        match self.catalog.add_run(&new, now).await? {
            Added::New(run) => self.record_scheduled(&run, now).await,
            // Another server was first.
            Added::Same(_) | Added::Other => Ok(()),
            Added::Full => {
                tracing::warn!(
                    pipeline = pipeline.name,
                    "as many runs wait as may; this time of the schedule is skipped"
                );
                Ok(())
            }
        }
    }

    /// Since when this server makes up for what no server was there for.
    async fn before_this_server(&self, pipeline: &Pipeline, now: i64) -> Result<i64, Error> {
        let last = self.catalog.last_run_by(&pipeline.name, USER_ID).await?;
        // A schedule that never ran is a new one, which begins now.
        Ok(last.map_or(now, |run: Run| run.created.max(now - CATCH_UP)))
    }

    async fn record_scheduled(&self, run: &Run, now: i64) -> Result<(), Error> {
        let event = Event::new(Action::RunStarted, Outcome::Success)
            .pipeline(&run.pipeline)
            .run(&run.id)
            .reason("schedule");
        if let Err(error) = self.audit.record(by(run, event)).await {
            tracing::error!(run = run.id, %error, "a scheduled run cannot be recorded, so it is cancelled");
            // What is not recorded does not happen.
            self.catalog.cancel_run(&run.id, now).await?;
        }
        Ok(())
    }
}
