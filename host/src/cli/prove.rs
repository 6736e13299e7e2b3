//! What a run states in its proof: the evidence of the engine, the lineage of the columns, and the report's
//! counts, signed. Refuses counts that a release does not let out.

use glovebox_core::{ReleaseReport, RunReport, Secret, hex};
use glovebox_engine::{ArmedStep, Completed, Evidence, Plan, Proving, StoredChunk, arm};
use glovebox_manifest::model::ProofFormat;
use glovebox_manifest::{Diagnostic, Manifest};
use glovebox_proof::{
    Audit, Chunks, Counts, Gathered, InputDigest, Level, PackFormat, Predicate, Rejected,
    SigningKey, Statement, Subject, leaf, root, seal,
};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::manifest::Text;
use crate::compose::Composed;
use crate::lineage;

/// Proves the runs of a manifest.
pub(super) struct Prover {
    key: SigningKey,
    secret: Secret,
    /// SHA-256 of the manifest.
    manifest: String,
}

impl Prover {
    /// The prover that the manifest asks for, if it does.
    pub(super) fn new(
        text: &Text,
        manifest: &Manifest,
        composed: &Composed,
    ) -> Result<Option<Self>, Vec<Diagnostic>> {
        let secret = arm::proof_key(manifest, composed)?;
        let Some((secret, proof)) = secret.zip(manifest.proof.as_ref()) else {
            return Ok(None);
        };
        let key = SigningKey::from_secret(&secret, pack_format(proof.format));
        let key = key.map_err(|problem| {
            let problem = problem.to_string();
            vec![Diagnostic::error(proof.key.span.clone(), problem)]
        })?;
        Ok(Some(Prover {
            key,
            secret,
            manifest: hex(Sha256::digest(text.as_written())),
        }))
    }

    /// How the engine proves a run; `wanted` is whether a proof is to be made now.
    pub(super) fn proving(&self, wanted: bool) -> Proving<'_> {
        Proving {
            key: &self.secret,
            manifest: &self.manifest,
            wanted,
        }
    }

    /// The public half of the key that signs.
    pub(super) fn public(&self) -> &glovebox_proof::PublicKey {
        self.key.public()
    }

    /// The proof of a run; none of one that let nothing out.
    pub(super) fn pack(
        &self,
        completed: &Completed,
        manifest: &Manifest,
        (plan, steps): (&Plan, &[ArmedStep<'_>]),
        audit: Option<Audit>,
    ) -> anyhow::Result<Option<String>> {
        let Some(evidence) = &completed.evidence else {
            return Ok(None);
        };
        let report = &completed.report;
        let k = manifest.gate.as_ref().map(|gate| gate.k);
        let is_told = k.is_none_or(|k| is_told(report, k));
        let mut columns = lineage::columns(manifest, plan, steps);
        for level in report.release.iter().flat_map(|release| &release.levels) {
            let of = Level {
                is: level.level,
                of: level.last,
            };
            let column = columns.iter_mut().find(|c| c.name == level.column);
            column
                .into_iter()
                .for_each(|column| column.level = Some(of));
        }
        let predicate = Predicate {
            run: glovebox_proof::Run {
                name: report.run.clone(),
                pipeline: report.pipeline.clone(),
                proven: chrono::Utc::now().format("%Y-%m-%dT%H:%M:%SZ").to_string(),
                program: concat!("glovebox ", env!("CARGO_PKG_VERSION")).into(),
                plan: evidence.plan.clone(),
            },
            manifest: glovebox_proof::Manifest {
                sha256: self.manifest.clone(),
            },
            source: report.source.clone(),
            sink: report.sink.clone(),
            input: input(evidence, is_told),
            rows: Counts::of(report.rows, is_told),
            gathers: if is_told { gathers(report) } else { Vec::new() },
            chunks: evidence.chunks.as_deref().map(chunks),
            exemptions: lineage::exemptions(manifest, &columns),
            register_exemptions: lineage::register_exemptions(manifest),
            columns,
            steps: lineage::steps(plan),
            rejects: if is_told { rejects(report) } else { Vec::new() },
            release: match &report.release {
                Some(reached) => Some(release(reached, is_told)?),
                None => None,
            },
            audit,
        };
        let statement = Statement::new(subjects(evidence, &report.sink), predicate);
        Ok(Some(seal(&statement, &self.key)?))
    }
}

/// The form of packs as the manifest names it.
pub(super) fn pack_format(format: ProofFormat) -> PackFormat {
    match format {
        ProofFormat::Sigstore => PackFormat::Sigstore,
        ProofFormat::Dsse => PackFormat::Dsse,
    }
}

/// The root over a run's chunks, in hexadecimal.
pub(super) fn root_of(chunks: &[StoredChunk]) -> String {
    let leaves = chunks.iter();
    let leaves = leaves.map(|chunk| leaf(&chunk.record, chunk.stored.as_ref()));
    hex(root(&leaves.collect::<Vec<_>>()))
}

fn subjects(evidence: &Evidence, sink: &str) -> Vec<Subject> {
    if let Some(chunks) = &evidence.chunks {
        return vec![Subject::chunks(sink.to_owned(), root_of(chunks))];
    }
    let files = evidence.files.iter();
    let subject = |file: &glovebox_core::WrittenFile| {
        let name = file.path.file_name().unwrap_or_default();
        Subject::file(name.to_string_lossy().into_owned(), hex(file.sha256))
    };
    files.map(subject).collect()
}

fn input(evidence: &Evidence, is_told: bool) -> InputDigest {
    InputDigest {
        lines: is_told.then_some(evidence.input.lines),
        digest: hex(evidence.input.digest),
        keyed_by: match evidence.chunks {
            Some(_) => "journal",
            None => "proof-key",
        }
        .into(),
    }
}

fn chunks(chunks: &[StoredChunk]) -> Chunks {
    let undigested = chunks.iter().filter(|chunk| chunk.stored.is_none());
    Chunks {
        count: chunks.len() as u64,
        undigested: undigested.count() as u64,
    }
}

/// Whether the counts of a release may be told: all of them or none, since each could be computed from the others,
/// and none that is smaller than its k may be.
fn is_told(report: &RunReport, k: u64) -> bool {
    let suppressed = report
        .release
        .as_ref()
        .map_or(0, |release| release.suppressed_rows);
    let rules = report.rejects.iter().map(|reject| reject.rows);
    let by_steps = report.rows.filtered.saturating_sub(suppressed);
    let gathers = report.gathers.iter();
    let gathers =
        gathers.flat_map(|gather| [gather.filtered, gather.rejected, gather.taken, gather.made]);
    let mut counts = rules.chain(gathers).chain([
        report.rows.filtered,
        report.rows.rejected,
        suppressed,
        by_steps,
    ]);
    !counts.any(|count| (1..k).contains(&count))
}

fn gathers(report: &RunReport) -> Vec<Gathered> {
    let gathers = report.gathers.iter().map(|gather| Gathered {
        step: gather.step.clone(),
        taken: gather.taken,
        made: gather.made,
    });
    gathers.collect()
}

fn rejects(report: &RunReport) -> Vec<Rejected> {
    let rejects = report.rejects.iter().map(|reject| Rejected {
        step: reject.step.clone(),
        rule: reject.rule.clone(),
        column: reject.column.clone(),
        rows: reject.rows,
    });
    rejects.collect()
}

/// What a release was to satisfy and what it does, without what is about the search, and without counts that are
/// not told; how many rows could be suppressed says how many there were.
fn release(reached: &ReleaseReport, is_told: bool) -> anyhow::Result<Value> {
    let mut stated = serde_json::to_value(reached)?;
    if let Some(stated) = stated.as_object_mut() {
        stated.remove("seconds");
        if !is_told {
            stated.remove("suppressed-rows");
            stated.remove("suppress-at-most");
        }
    }
    Ok(stated)
}

#[cfg(test)]
mod tests {
    use glovebox_core::{RejectCount, RowCounts};

    use super::*;

    /// A report of so many filtered and suppressed rows, and so many by each rule.
    fn report(filtered: u64, suppressed: u64, rules: &[u64]) -> RunReport {
        let rejected = rules.iter().sum();
        let reject = |rows: &u64| RejectCount {
            step: "check".into(),
            rule: "range".into(),
            column: None,
            rows: *rows,
        };
        RunReport {
            rows: RowCounts {
                read: 100 + filtered + rejected,
                stored: 100,
                filtered,
                rejected,
            },
            rejects: rules.iter().map(reject).collect(),
            release: Some(ReleaseReport {
                suppressed_rows: suppressed,
                ..ReleaseReport::default()
            }),
            ..RunReport::default()
        }
    }

    #[test]
    fn no_count_below_k_can_be_computed_from_those_that_are_told() {
        for (filtered, suppressed, rules) in [(0, 0, &[][..]), (5, 5, &[]), (12, 5, &[7, 9])] {
            assert!(is_told(&report(filtered, suppressed, rules), 5));
        }
        for (filtered, suppressed, rules) in [
            (4, 4, &[][..]),
            (0, 0, &[1]),
            // One rule's rows are the rest of the others'.
            (0, 0, &[10, 2]),
            // A step has filtered what suppressed rows are fewer by.
            (9, 7, &[]),
            (9, 2, &[]),
        ] {
            assert!(!is_told(&report(filtered, suppressed, rules), 5));
        }
    }
}
