//! The audit log, pipelines and runs of a configuration.

use std::path::PathBuf;
use std::time::Duration;

use glovebox_core::SecretName;
use glovebox_manifest::declare::{Block, Reader, section};
use glovebox_manifest::kinds::{
    AnyText, Bool, File, ListOf, Named, Secret, Size, Text, Time, Whole, word,
};
use glovebox_manifest::model::Spanned;

use super::schedule::{Schedule, ScheduleMode, TIMES, Times};
use super::values::{Roles, known_role, wrong};
use super::{Audit, Pipeline, RunsConfig};

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const CENTURY: Duration = DAY.saturating_mul(36_600);
const MIB: u64 = 1 << 20;

section! {
    /// Who did what.
    pub(super) struct AuditKeys("Audit"): "the audit log", "audit: { folder: audit }" {
        /// The folder of the log.
        folder: PathBuf => needed, File, "folder: audit";
        /// A folder for signed checkpoints that this server's administrator should not be able to
        /// write.
        checkpoints: Option<PathBuf> => optional, File, "checkpoints: audit-checkpoints";
        /// The secret that signs them.
        key: Option<SecretName> => optional, Secret, "key: audit/signing-key";
        /// How long records are kept; needs checkpoints, which record where the log begins.
        keep_for: Option<Duration> => optional "forever", Time(DAY..=CENTURY);
        /// The size of one file of the log.
        segment_size: usize => default "64MiB", Size(MIB..=1024 * MIB);
        /// The number of records between two checkpoints.
        checkpoint_every: u32 => default "256", Whole(1..=100_000u32);
    }
    check signed[];
    settle Audit: audit;
}

fn signed(reader: &mut Reader<'_>, block: &Block<'_>) {
    let [folder, key, keep_for] = ["checkpoints", "key", "keep-for"].map(|key| block.get(key));
    match (&folder, &key) {
        (Some((node, _)), None) => {
            let help = "write key: audit/signing-key and run: glovebox audit key";
            let problem = "checkpoints need a signing key";
            wrong(reader, &node.span, problem, help);
        }
        (None, Some((node, _))) => {
            let help = "write checkpoints: FOLDER, which this server's administrator should not \
                       be able to write";
            wrong(reader, &node.span, "there are no checkpoints to sign", help);
        }
        _ => {}
    }
    if let (None, Some((node, _))) = (folder, keep_for) {
        let help = "write checkpoints and key, or delete `keep-for`";
        let problem = "`keep-for` needs checkpoints, which record where the log begins";
        wrong(reader, &node.span, problem, help);
    }
}

fn audit(keys: AuditKeys, _: &mut Reader<'_>, _: &Block<'_>) -> Option<Audit> {
    let both = keys.checkpoints.zip(keys.key);
    Some(Audit {
        folder: keys.folder,
        checkpoints: both.map(|(folder, key)| (folder, key, keys.checkpoint_every)),
        keep_for: keys.keep_for,
        segment_size: keys.segment_size as u64,
    })
}

section! {
    /// A pipeline that may be run.
    pub(super) struct PipelineKeys("Pipeline"): "a pipeline", "sales: { manifest: sales.yaml }" {
        /// A description for users.
        about: String => empty, AnyText;
        /// Its [manifest](manifest.md).
        manifest: PathBuf => needed, File, "manifest: sales.yaml";
        /// The largest file that may be uploaded as input for a run.
        upload: Option<usize> => optional "no uploads", Size(1..=1024 * 1024 * MIB);
        /// Only these roles may see it, as far as their permissions allow; if left out, all roles.
        roles: Vec<Spanned<String>> => empty, ListOf(Text), "roles: [operator]";
        /// Runs that may wait; further requests are refused.
        queue: u32 => default "100", Whole(1..=10_000u32);
        /// When it is run by itself, as crontab(5) has it: minute, hour, day, month, weekday; then a
        /// time zone, if it is not UTC.
        schedule: Option<Times> => optional, TIMES, "schedule: \"0 3 * * *\"";
        /// How runs of the schedule begin.
        schedule_mode: Option<Spanned<ScheduleMode>> => optional "`fresh`", word::<ScheduleMode>();
    }
}

pub(super) fn pipelines(
    reader: &mut Reader<'_>,
    written: Named<PipelineKeys>,
    roles: &Roles,
) -> Vec<Pipeline> {
    let mut pipelines = Vec::with_capacity(written.len());
    for (name, Spanned { value: keys, .. }) in written {
        let word = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_".contains(&b);
        if !(1..=64).contains(&name.value.len()) || !name.value.bytes().all(word) {
            let help = "use up to 64 lower-case letters, digits, `-` and `_`";
            let problem = "a pipeline cannot have this name, since it is part of its path";
            wrong(reader, &name.span, problem, help);
        }
        for role in &keys.roles {
            known_role(reader, role, roles);
        }
        if let (None, Some(mode)) = (&keys.schedule, &keys.schedule_mode) {
            let problem = "there is no schedule whose runs begin so";
            wrong(reader, &mode.span, problem, "write schedule: \"0 3 * * *\"");
        }
        let mode = keys
            .schedule_mode
            .map_or(ScheduleMode::Fresh, |mode| mode.value);
        let schedule = keys.schedule.map(|times| Schedule::new(times, mode));
        pipelines.push(Pipeline {
            name: name.value,
            about: keys.about,
            manifest: keys.manifest,
            upload: keys.upload.map(|bytes| bytes as u64),
            roles: keys.roles.into_iter().map(|role| role.value).collect(),
            queue: keys.queue,
            schedule,
        });
    }
    pipelines
}

section! {
    /// How pipelines are run.
    pub(super) struct RunsKeys("Runs"): "the runs", "runs: { folder: runs }" {
        /// Where reports, rejects and uploads are stored.
        folder: PathBuf => default "runs", File;
        /// Whether all servers have this folder: then any of them runs what was uploaded to another, and
        /// shows its rejects.
        shared: bool => default "false", Bool;
        /// The secret with an age key, as `age-keygen` writes it, by which uploads are
        /// [encrypted on the disk](#uploads-at-rest).
        uploads_key: Option<SecretName> => optional "as they came", Secret, "uploads-key: uploads/age";
        /// Concurrent runs; further ones wait.
        at_once: usize => default "2", Whole(1..=64usize);
        /// How long finished runs are kept.
        keep_for: Duration => default "90d", Time(MINUTE..=CENTURY);
        /// What the files of finished runs may take up in the folder: after each run those of the oldest go until they
        /// fit, but never a list of rejects over which another run waits, works, or can be resumed.
        keep_size: Option<usize> => optional "without a bound", Size(MIB..=1024 * 1024 * MIB);
    }
}

pub(super) fn runs(keys: RunsKeys, shutdown: Duration) -> RunsConfig {
    RunsConfig {
        folder: keys.folder,
        shared: keys.shared,
        uploads_key: keys.uploads_key,
        at_once: keys.at_once,
        keep_for: keys.keep_for,
        keep_size: keys.keep_size.map(|bytes| bytes as u64),
        shutdown,
    }
}
