//! The lines of a log on their way to syslog. Whoever logs never waits: lines queue up for a thread that sends
//! them, those that find the queue full are counted, and the count is sent as soon as something can be.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::{SecondsFormat, Utc};
use tracing::subscriber::NoSubscriber;

use super::{Facility, Message, Open, Severity, Syslog, SyslogError};

/// Lines that wait at most.
pub const QUEUE: usize = 1024;
/// The longest that one attempt takes.
const WITHIN: Duration = Duration::from_secs(5);
/// The pause after a failure: the first, and the longest, to which each doubles.
const PAUSE: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(16));
/// How often a pause looks whether the program ends.
const TICK: Duration = Duration::from_millis(50);
/// What kind of message a line is.
const ID: &str = "log";

/// Takes lines.
pub struct Lines {
    queue: Mutex<Option<SyncSender<String>>>,
    shared: Arc<Shared>,
    done: Mutex<Receiver<()>>,
}

#[derive(Default)]
struct Shared {
    lost: AtomicU64,
    ending: AtomicBool,
}

impl Lines {
    /// Sends what it takes there. `told` hears of the first failure of several, and must not log.
    ///
    /// # Errors
    /// When there is no thread or runtime for it.
    pub fn start(
        to: Syslog,
        told: impl Fn(&SyslogError) + Send + 'static,
    ) -> std::io::Result<Lines> {
        let (queue, lines) = sync_channel(QUEUE);
        let (end, done) = sync_channel(1);
        let shared = Arc::<Shared>::default();
        let runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = { runtime }.enable_all().build()?;
        let sender = Sender {
            to,
            open: None,
            shared: Arc::clone(&shared),
            told: Box::new(told),
        };
        let thread = std::thread::Builder::new().name("syslog".into());
        thread.spawn(move || {
            // What is logged here would be sent here.
            let _silent = tracing::subscriber::set_default(NoSubscriber::default());
            runtime.block_on(sender.send_all(&lines));
            runtime.shutdown_background();
            let _ = end.send(());
        })?;
        Ok(Lines {
            queue: Mutex::new(Some(queue)),
            shared,
            done: Mutex::new(done),
        })
    }

    /// Takes a line, or counts it as lost.
    pub fn add(&self, severity: Severity, text: &str) {
        let line = message(severity, text);
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = queue
            .as_ref()
            .is_some_and(|queue| queue.try_send(line).is_ok());
        if !taken {
            self.shared.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Waits for so long that what was taken is sent; how many lines were lost and not told.
    pub fn close(&self, within: Duration) -> u64 {
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        drop({ queue }.take());
        self.shared.ending.store(true, Ordering::Relaxed);
        let done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = done.recv_timeout(within);
        self.shared.lost.load(Ordering::Relaxed)
    }
}

struct Sender {
    to: Syslog,
    open: Option<Open>,
    shared: Arc<Shared>,
    told: Box<dyn Fn(&SyslogError) + Send>,
}

impl Sender {
    async fn send_all(mut self, lines: &Receiver<String>) {
        while let Ok(line) = lines.recv() {
            if !self.deliver(&line).await {
                self.shared.lost.fetch_add(1, Ordering::Relaxed);
                continue;
            }
            let lost = self.shared.lost.swap(0, Ordering::Relaxed);
            if lost > 0 {
                let text = format!("{lost} lines of the log were lost: syslog was away or slow");
                if !self.deliver(&message(Severity::Warning, &text)).await {
                    self.shared.lost.fetch_add(lost, Ordering::Relaxed);
                }
            }
        }
        if let Some(open) = &mut self.open {
            let _ = open.close(WITHIN).await;
        }
    }

    /// Sends a line as soon as that can be; whether it did, which at the program's end is tried once.
    async fn deliver(&mut self, line: &str) -> bool {
        let (mut pause, longest) = PAUSE;
        let mut failed = false;
        loop {
            let Err(error) = self.attempt(line).await else {
                return true;
            };
            self.open = None;
            if !std::mem::replace(&mut failed, true) {
                (self.told)(&error);
            }
            let until = Instant::now() + pause;
            while Instant::now() < until {
                if self.shared.ending.load(Ordering::Relaxed) {
                    return false;
                }
                tokio::time::sleep(TICK).await;
            }
            pause = (pause * 2).min(longest);
        }
    }

    async fn attempt(&mut self, line: &str) -> Result<(), SyslogError> {
        if let Some(open) = &mut self.open
            && open.is_closed().await
        {
            self.open = None;
        }
        let open = match &mut self.open {
            Some(open) => open,
            none => none.insert(self.to.open(WITHIN).await?),
        };
        open.write(line, WITHIN).await
    }
}

fn message(severity: Severity, text: &str) -> String {
    let message = Message {
        facility: Facility::Daemon,
        severity,
        time: (Utc::now(), SecondsFormat::Micros),
        id: ID,
        data: None,
        text,
    };
    message.to_string()
}

#[cfg(test)]
#[path = "lines_tests.rs"]
mod tests;
