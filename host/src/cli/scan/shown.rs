//! What a scan shows: a table for people, JSON for programs. Neither has a field for a cell.

use std::fmt::Write as _;

use glovebox_connectors::discover::Sample;
use glovebox_core::shown::printable;
use glovebox_scan::{ASKED, SURE, Treatment, Verdict};
use serde_json::{Value, json};

use crate::cli::draft::Judged;
use crate::cli::table::Table;

/// A source or table that was scanned.
pub(super) struct Scanned {
    place: String,
    rows: usize,
    /// Which rows those were.
    of: Of,
    /// Columns that no manifest can declare, and that nobody has looked at.
    left_out: usize,
    judged: Vec<Judged>,
}

#[derive(Clone, Copy)]
enum Of {
    All,
    Spread,
    First,
}

impl Scanned {
    pub(super) fn new(
        place: String,
        sample: &Sample,
        judged: Vec<Judged>,
        left_out: usize,
    ) -> Scanned {
        Scanned {
            place,
            rows: sample.batches.iter().map(|batch| batch.num_rows()).sum(),
            of: match (sample.whole, sample.is_spread) {
                (true, _) => Of::All,
                (false, true) => Of::Spread,
                (false, false) => Of::First,
            },
            left_out,
            judged,
        }
    }
}

/// What is to be done about a column.
fn decision(judged: &Judged) -> &'static str {
    match judged.verdict.as_ref().map(|verdict| verdict.confidence) {
        Some(sure) if sure >= SURE => "personal",
        Some(asked) if asked >= ASKED => "decide",
        _ if !judged.is_looked_at => "not looked at",
        _ => "nothing found",
    }
}

/// What the kind is called: by the rule that found it, or by what the column's name says.
fn kind(verdict: &Verdict) -> String {
    match (&verdict.rule, verdict.subject) {
        (Some(rule), _) => rule.clone(),
        (None, Some(subject)) => subject.id().to_owned(),
        (None, None) => "-".to_owned(),
    }
}

fn mask(judged: &Judged) -> &'static str {
    let subject = judged.verdict.as_ref().and_then(|verdict| verdict.subject);
    let treatment = subject.map(|subject| subject.treatment(judged.field.data_type));
    match treatment.unwrap_or(Treatment::Redact) {
        Treatment::Redact => "redact",
        Treatment::LastFour => "partial: the last 4 characters stay",
        Treatment::AllButSix => "partial: all but the last 6 characters stay",
        Treatment::FirstTwo => "generalize: the first 2 characters stay",
        Treatment::Year => "generalize: the year stays",
    }
}

fn by(verdict: &Verdict) -> &'static str {
    match (verdict.by_name, verdict.by_cells) {
        (true, true) => "name and cells",
        (true, false) => "name",
        (false, _) => "cells",
    }
}

/// What was found, and with `all` where nothing was, too.
pub(super) fn table(scanned: &[Scanned], all: bool) -> String {
    let mut out = String::new();
    for scanned in scanned {
        let rows = match (scanned.of, scanned.rows) {
            (Of::All, 1) => "its only row".to_owned(),
            (Of::All, rows) => format!("all {rows} rows"),
            (Of::Spread, rows) => format!("{rows} rows from all over it"),
            (Of::First, rows) => format!("its first {rows} rows"),
        };
        let found = |j: &&Judged| j.verdict.as_ref().is_some_and(|v| v.confidence >= ASKED);
        let count = scanned.judged.iter().filter(found).count();
        let (columns, place) = (scanned.judged.len(), printable(&scanned.place));
        // Writing to a String cannot fail.
        let _ = writeln!(
            out,
            "{place}: {rows}, {columns} columns, {count} may be personal"
        );
        if scanned.left_out > 0 {
            let _ = writeln!(
                out,
                "  not looked at: {} columns that cannot be declared",
                scanned.left_out
            );
        }
        let shown = scanned.judged.iter().filter(|judged| all || found(judged));
        let head = [
            "column",
            "kind",
            "confidence",
            "cells",
            "by",
            "proposed mask",
            "decision",
        ];
        let mut table = Table::new(head.map(str::to_owned));
        for judged in shown {
            let verdict = judged.verdict.as_ref();
            let decision = decision(judged).to_owned();
            let Some(verdict) = verdict.filter(|verdict| verdict.confidence >= ASKED) else {
                let none = || "-".to_owned();
                let name = judged.field.name.to_string();
                table.words([name, none(), none(), none(), none(), none(), decision]);
                continue;
            };
            table.words([
                judged.field.name.to_string(),
                kind(verdict),
                format!("{:.2}", verdict.confidence),
                format!("{:.1} %", verdict.share * 100.0),
                by(verdict).to_owned(),
                mask(judged).to_owned(),
                decision,
            ]);
        }
        if all || count > 0 {
            let _ = write!(out, "{table}");
        }
    }
    out
}

/// Everything, of all columns.
pub(super) fn json(scanned: &[Scanned], seed: u64) -> Value {
    let sources = scanned.iter().map(|scanned| {
        json!({
            "source": scanned.place,
            "rows": scanned.rows,
            "rows-are": match scanned.of {
                Of::All => "all",
                Of::Spread => "from all over",
                Of::First => "the first",
            },
            "left-out": scanned.left_out,
            "columns": scanned.judged.iter().map(column).collect::<Vec<_>>(),
        })
    });
    json!({ "seed": seed, "sources": sources.collect::<Vec<_>>() })
}

fn column(judged: &Judged) -> Value {
    let verdict = judged.verdict.as_ref();
    let rounded = |number: f64| (number * 10_000.0).round() / 10_000.0;
    json!({
        "column": judged.field.name,
        "type": judged.field.data_type.to_string(),
        "cells": judged.cells,
        "kind": verdict.map(kind),
        "confidence": verdict.map_or(0.0, |v| rounded(v.confidence)),
        "share": verdict.map_or(0.0, |v| rounded(v.share)),
        "by": verdict.map(by),
        "mask": verdict.map(|_| mask(judged)),
        "decision": decision(judged),
    })
}
