//! The catalog of a server that starts. Machines start together, so a database that is not there yet is
//! waited for; one that refuses is not.

use std::time::{Duration, Instant};

use glovebox_catalog::{Catalog, Error, Place};

/// No try is begun later than this after the first; one takes up to 5 s itself.
const START_LIMIT: Duration = Duration::from_secs(30);
/// Before the second try; twice as long before each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(4);

/// Opens it, and tells the log of each wait.
///
/// # Errors
/// When it refuses, or was not there in time.
pub(crate) async fn open(place: &Place) -> Result<Catalog, Error> {
    let begun = Instant::now();
    let mut pause = FIRST_PAUSE;
    loop {
        let error = match Catalog::open(place).await {
            Err(error) if error.is_passing() && begun.elapsed() + pause < START_LIMIT => error,
            ended => return ended,
        };
        let (waited, again) = (begun.elapsed().as_secs(), pause.as_secs_f32());
        tracing::warn!(
            %error,
            "waiting for the catalog for {waited} s; asked again in {again} s, for {} s in all",
            START_LIMIT.as_secs()
        );
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}
