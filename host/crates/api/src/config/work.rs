//! The audit log, pipelines and runs of a configuration, with everything that is wrong.
//!
//! Owns their defaults and bounds; refuses a log that is shortened without checkpoints, and
//! pipelines for roles that nobody has.

use std::collections::BTreeMap;
use std::time::Duration;

use glovebox_manifest::typed::Placed;

use super::super::rules::Permission;
use super::check::Checker;
use super::{Audit, Pipeline, RunsConfig, written};

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const MIB: u64 = 1 << 20;

impl Checker<'_> {
    pub(super) fn audit(&mut self, written: &written::Audit) -> Audit {
        let checkpoints = match (&written.checkpoints, &written.key) {
            (Some(folder), Some(key)) => {
                let every = written.checkpoint_every.as_ref();
                let every = every
                    .and_then(|n| self.within(n, 1..=100_000))
                    .unwrap_or(256);
                let folder = self.path(&folder.value);
                self.secret(key).map(|key| (folder, key, every))
            }
            (Some(folder), None) => {
                self.say(
                    folder.span.clone(),
                    "checkpoints are signed, and there is no key",
                    "write key: audit/signing-key and run: glovebox audit key",
                );
                None
            }
            (None, Some(key)) => {
                self.say(
                    key.span.clone(),
                    "there are no checkpoints to sign",
                    "write checkpoints: FOLDER, where this server's administrator may not write",
                );
                None
            }
            (None, None) => None,
        };
        let keep_for = written.keep_for.as_ref().map(|text| {
            if written.checkpoints.is_none() {
                self.say(
                    text.span.clone(),
                    "an audit log is shortened only with checkpoints, which say where it begins",
                    "write checkpoints and key, or delete `keep-for`",
                );
            }
            self.time(Some(text), 365 * DAY, DAY..=100 * 366 * DAY)
        });
        let segment_size = self.size(written.segment_size.as_ref(), 64 << 20, MIB..=1024 * MIB);
        Audit {
            folder: self.path(&written.folder.value),
            checkpoints,
            keep_for,
            segment_size: segment_size as u64,
        }
    }

    pub(super) fn pipelines(
        &mut self,
        written: Vec<(Placed<String>, written::Pipeline)>,
        roles: &BTreeMap<String, Vec<Permission>>,
    ) -> Vec<Pipeline> {
        let mut pipelines = Vec::new();
        for (name, pipeline) in written {
            let word = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_".contains(&b);
            if !(1..=64).contains(&name.value.len()) || !name.value.bytes().all(word) {
                self.say(
                    name.span.clone(),
                    "a pipeline cannot have this name, which is part of its path",
                    "write up to 64 lower-case letters, digits, `-` and `_`",
                );
            }
            for role in &pipeline.roles {
                if !roles.contains_key(&role.value) {
                    let known: Vec<_> = roles.keys().map(String::as_str).collect();
                    let help = format!("the roles are: {}", known.join(", "));
                    self.say(role.span.clone(), "there is no such role", &help);
                }
            }
            let upload = pipeline
                .upload
                .as_ref()
                .map(|text| self.size(Some(text), 0, 1..=1024 * 1024 * MIB) as u64);
            pipelines.push(Pipeline {
                name: name.value,
                about: pipeline.about.unwrap_or_default(),
                manifest: self.path(&pipeline.manifest),
                upload,
                roles: pipeline.roles.into_iter().map(|r| r.value).collect(),
            });
        }
        pipelines
    }

    pub(super) fn runs(&mut self, written: &written::Runs, shutdown: Duration) -> RunsConfig {
        let at_once = written.at_once.as_ref();
        let at_once = at_once.and_then(|n| self.within(n, 1..=64)).unwrap_or(2);
        let keep_for = written.keep_for.as_ref();
        RunsConfig {
            folder: self.path(written.folder.as_deref().unwrap_or("runs")),
            at_once: at_once as usize,
            keep_for: self.time(keep_for, 90 * DAY, MINUTE..=100 * 366 * DAY),
            shutdown,
        }
    }
}
