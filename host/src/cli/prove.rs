//! What a run states in its proof: the evidence of the engine, the lineage of the columns, and the report's
//! counts, signed. Refuses counts that a release does not let out.

use anyhow::Context;
use glovebox_core::{ReleaseReport, RunReport, Secret, hex};
use glovebox_engine::{ArmedStep, Completed, Evidence, Plan, StoredChunk, arm};
use glovebox_manifest::model::ProofFormat;
use glovebox_manifest::{Diagnostic, Manifest};
use glovebox_proof::{
    Audit, Chunks, Counts, InputDigest, Level, PackFormat, Predicate, Rejected, SigningKey,
    Statement, Subject, leaf, root, seal,
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

    /// The key of the input's digest where there is no journal.
    pub(super) fn secret(&self) -> &Secret {
        &self.secret
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
            input: input(evidence),
            rows: Counts::of(report.rows, k),
            chunks: evidence.chunks.as_deref().map(chunks),
            exemptions: lineage::exemptions(manifest, &columns),
            columns,
            steps: lineage::steps(plan),
            rejects: rejects(report, k),
            release: report.release.as_ref().zip(k).map(release).transpose()?,
            audit,
        };
        let statement = Statement::new(subjects(evidence, &report.sink), predicate);
        let pack = seal(&statement, &self.key);
        pack.map(Some)
            .context("the run has ended, but there is no proof of it")
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

fn input(evidence: &Evidence) -> InputDigest {
    InputDigest {
        lines: evidence.input.lines,
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

/// Rejected rows; of a release, none that are fewer than its k.
fn rejects(report: &RunReport, k: Option<u64>) -> Vec<Rejected> {
    let told = report.rejects.iter();
    let told = told.filter(|reject| k.is_none_or(|k| reject.rows >= k));
    told.map(|reject| Rejected {
        step: reject.step.clone(),
        rule: reject.rule.clone(),
        column: reject.column.clone(),
        rows: reject.rows,
    })
    .collect()
}

/// What a release was to satisfy and what it does, without counts below its k and what is about the search.
fn release((reached, k): (&ReleaseReport, u64)) -> anyhow::Result<Value> {
    let mut stated = serde_json::to_value(reached)?;
    if let Some(stated) = stated.as_object_mut() {
        stated.remove("seconds");
        if (1..k).contains(&reached.suppressed_rows) {
            stated.remove("suppressed-rows");
        }
    }
    Ok(stated)
}
