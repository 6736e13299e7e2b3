//! CSV as a source, and files as sinks, of what a manifest says of them.

use glovebox_connectors::csv;
use glovebox_core::Input;
use glovebox_manifest::model::{self, Mode};

pub(super) fn csv_options(spec: &model::CsvSource, inputs: Vec<Input>) -> csv::Options {
    csv::Options {
        inputs,
        encoding: spec.encoding.as_deref().and_then(csv::encoding),
        skip: spec.skip,
        header: spec.header,
        header_rows: spec.header_rows,
        delimiter: spec.delimiter.clone().into_bytes(),
        quote: spec.quote,
        quotes: match spec.quotes {
            model::Quotes::Strict => csv::Quotes::Strict,
            model::Quotes::Lenient => csv::Quotes::Lenient,
        },
        escape: spec.escape,
        comment: spec.comment,
        line_end: match spec.line_end {
            model::LineEnd::Any => csv::LineEnd::Any,
            model::LineEnd::Lf => csv::LineEnd::Lf,
            model::LineEnd::Crlf => csv::LineEnd::Crlf,
            model::LineEnd::Cr => csv::LineEnd::Cr,
        },
        trim: spec.trim,
        ragged: match spec.ragged {
            model::Ragged::Reject => csv::Ragged::Reject,
            model::Ragged::Pad => csv::Ragged::Pad,
            model::Ragged::Cut => csv::Ragged::Cut,
            model::Ragged::Both => csv::Ragged::Both,
        },
        null: spec.null.clone(),
        null_quoted: spec.null_quoted,
        formats: spec.formats.of_columns.clone(),
        max_field: spec.max_field,
        max_record: spec.max_record,
        ..csv::Options::new("")
    }
}

pub(super) fn file_mode(mode: Mode) -> csv::Mode {
    match mode {
        Mode::Append => csv::Mode::Append,
        // The manifest gives no file the mode upsert.
        Mode::Replace | Mode::Upsert => csv::Mode::Replace,
    }
}
