//! Which type the cells of a column have, by the rules by which the sources read them.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use glovebox_core::formats::{DateFormat, Numbers, Pattern, TimestampFormat, Words};
use glovebox_core::{DataType, Formats};

use crate::csv::cells;
use crate::formats::Spelling;

/// Words that stand for null in files that have no better way to say it.
const NULLS: [&str; 10] = [
    "NULL", "null", "NA", "N/A", "n/a", "#N/A", "\\N", "None", "none", "-",
];

/// What the cells of a column are, as far as they show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guess {
    /// Their type.
    pub data_type: DataType,
    /// How they are spelled, as a manifest says it in `formats:`, if otherwise than by default.
    pub formats: Option<&'static str>,
    /// Words among them that stand for null.
    pub nulls: BTreeSet<&'static str>,
    /// What a person has to look at.
    pub doubt: Option<Doubt>,
}

/// What cells do not show clearly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doubt {
    /// All of them can be read in two ways, and stay text: what they are, and what cannot be told.
    TwoWays(&'static str),
    /// Most are of a type, and so many of so many are not.
    Misfits(DataType, usize, usize),
}

/// Of a hundred cells, how many have to be of a type for a column to be declared so. The rows of the
/// others would be rejected.
const NEARLY_ALL: usize = 95;
/// Of a hundred cells, how many have to be of a type for it to be worth a word.
const MIN_SHARE: usize = 60;

/// A type and a spelling that cells may have.
struct Candidate {
    data_type: DataType,
    formats: Formats,
    written: Option<&'static str>,
}

const DECIMAL: DataType = DataType::Float64;

/// In the order in which they are tried: the program's own spellings first.
static CANDIDATES: LazyLock<Vec<Candidate>> = LazyLock::new(|| {
    let plain = |data_type| Candidate {
        data_type,
        formats: Formats::default(),
        written: None,
    };
    let mut all: Vec<Candidate> = [
        DataType::Int64,
        DataType::Float64,
        DataType::Boolean,
        DataType::Date,
        DataType::Timestamp,
    ]
    .map(plain)
    .into();
    for (data_type, decimal, thousands, written) in [
        (DECIMAL, ',', None, "{ decimal: \",\" }"),
        (
            DECIMAL,
            ',',
            Some('.'),
            "{ decimal: \",\", thousands: \".\" }",
        ),
        (
            DECIMAL,
            ',',
            Some(' '),
            "{ decimal: \",\", thousands: \" \" }",
        ),
        (DataType::Int64, '.', Some(','), "{ thousands: \",\" }"),
        (DECIMAL, '.', Some(','), "{ thousands: \",\" }"),
        (DataType::Int64, '.', Some('\''), "{ thousands: \"'\" }"),
        (DECIMAL, '.', Some('\''), "{ thousands: \"'\" }"),
    ] {
        all.extend(Numbers::new(decimal, thousands).map(|numbers| Candidate {
            data_type,
            formats: Formats {
                numbers,
                ..Formats::default()
            },
            written: Some(written),
        }));
    }
    for (yes, no, written) in [
        ("yes", "no", "{ true: [yes], false: [no] }"),
        ("y", "n", "{ true: [y], false: [n] }"),
        ("ja", "nein", "{ true: [ja], false: [nein] }"),
        ("oui", "non", "{ true: [oui], false: [non] }"),
    ] {
        let words = Words::new(&[yes.to_owned()], &[no.to_owned()]);
        all.extend(words.map(|words| Candidate {
            data_type: DataType::Boolean,
            formats: Formats {
                booleans: Some(words),
                ..Formats::default()
            },
            written: Some(written),
        }));
    }
    for (pattern, written) in [
        ("%d.%m.%Y", "{ date: \"%d.%m.%Y\" }"),
        ("%d/%m/%Y", "{ date: \"%d/%m/%Y\" }"),
        ("%m/%d/%Y", "{ date: \"%m/%d/%Y\" }"),
        ("%d-%m-%Y", "{ date: \"%d-%m-%Y\" }"),
        ("%m-%d-%Y", "{ date: \"%m-%d-%Y\" }"),
        ("%Y/%m/%d", "{ date: \"%Y/%m/%d\" }"),
        ("%d %b %Y", "{ date: \"%d %b %Y\" }"),
    ] {
        all.extend(Pattern::date(pattern).ok().map(|pattern| Candidate {
            data_type: DataType::Date,
            formats: Formats {
                date: DateFormat::Pattern(pattern),
                ..Formats::default()
            },
            written: Some(written),
        }));
    }
    for (pattern, written) in [
        ("%d.%m.%Y %H:%M", "{ timestamp: \"%d.%m.%Y %H:%M\" }"),
        ("%d.%m.%Y %H:%M:%S", "{ timestamp: \"%d.%m.%Y %H:%M:%S\" }"),
        ("%d/%m/%Y %H:%M", "{ timestamp: \"%d/%m/%Y %H:%M\" }"),
        ("%m/%d/%Y %H:%M", "{ timestamp: \"%m/%d/%Y %H:%M\" }"),
        ("%d/%m/%Y %H:%M:%S", "{ timestamp: \"%d/%m/%Y %H:%M:%S\" }"),
        ("%m/%d/%Y %H:%M:%S", "{ timestamp: \"%m/%d/%Y %H:%M:%S\" }"),
        ("%Y-%m-%d %H:%M", "{ timestamp: \"%Y-%m-%d %H:%M\" }"),
    ] {
        all.extend(Pattern::timestamp(pattern).ok().map(|pattern| Candidate {
            data_type: DataType::Timestamp,
            formats: Formats {
                timestamp: TimestampFormat::Pattern(pattern),
                ..Formats::default()
            },
            written: Some(written),
        }));
    }
    all
});

impl Candidate {
    fn reads(&self, cell: &str) -> bool {
        let bytes = cell.as_bytes();
        let spelling = Spelling(&self.formats);
        match self.data_type {
            DataType::Boolean => spelling.boolean(bytes).is_some(),
            DataType::Int64 => spelling.int64(bytes).is_some() && !is_code(cell),
            DataType::Float64 => spelling.float64(bytes).is_some() && !is_code(cell),
            DataType::Date => spelling.date(bytes).is_some(),
            DataType::Timestamp => spelling.timestamp(bytes, false).is_some(),
            DataType::Decimal { .. } | DataType::Text | DataType::Bytes | DataType::Opaque => false,
        }
    }

    /// What cannot be told if `other` reads the same cells.
    fn doubt(&self, other: &Candidate) -> Option<&'static str> {
        let (this, other) = (self.written?, other.written?);
        let swapped = this.replace("%d/%m", "%m/%d").replace("%d-%m", "%m-%d");
        if swapped != this && swapped == other {
            return Some("dates or times in which day and month are ambiguous");
        }
        let commas = ("{ decimal: \",\" }", "{ thousands: \",\" }");
        ((this, other) == commas)
            .then_some("numbers in which a comma may be a decimal or a thousands separator")
    }
}

/// Whether digits are no number: a number has no zeros in front, and no plus.
fn is_code(cell: &str) -> bool {
    let digits = cell.strip_prefix('-').unwrap_or(cell).as_bytes();
    matches!(digits, [b'0', b'0'..=b'9', ..] | [b'+', ..])
}

/// The type of cells that are not null. Words for null are looked for where `nulls` says that a
/// manifest could name them.
pub fn guess(values: &[&str], nulls: bool) -> Guess {
    let text = Guess {
        data_type: DataType::Text,
        formats: None,
        nulls: BTreeSet::new(),
        doubt: None,
    };
    let word = |cell: &str| NULLS.iter().find(|n| nulls && **n == cell).copied();
    let cells: Vec<&str> = values
        .iter()
        .copied()
        .filter(|v| word(v).is_none())
        .collect();
    if cells.is_empty() || cells.len() * 2 < values.len() {
        return text;
    }
    let reads_all = |candidate: &&Candidate| cells.iter().all(|cell| candidate.reads(cell));
    let mut fitting = CANDIDATES.iter().filter(reads_all);
    let fit = match fitting.next() {
        Some(fit) => fit,
        None => match nearest(&cells) {
            Some((near, misfits)) => {
                let doubt = Some(Doubt::Misfits(near.data_type, misfits, cells.len()));
                if (cells.len() - misfits) * 100 < cells.len() * NEARLY_ALL {
                    return Guess { doubt, ..text };
                }
                return Guess {
                    data_type: near.data_type,
                    formats: near.written,
                    nulls: values.iter().filter_map(|v| word(v)).collect(),
                    doubt,
                };
            }
            None => return text,
        },
    };
    if let Some(doubt) = fitting.find_map(|other| fit.doubt(other)) {
        return Guess {
            doubt: Some(Doubt::TwoWays(doubt)),
            ..text
        };
    }
    Guess {
        data_type: fit.data_type,
        formats: fit.written,
        nulls: values.iter().filter_map(|v| word(v)).collect(),
        doubt: None,
    }
}

/// What most of the cells are, and how many are not.
fn nearest(cells: &[&str]) -> Option<(&'static Candidate, usize)> {
    let allowed = cells.len() * (100 - MIN_SHARE) / 100;
    let misfits = |candidate: &Candidate| {
        let misfits = cells.iter().filter(|cell| !candidate.reads(cell));
        // No more are counted than matter.
        misfits.take(allowed + 1).count()
    };
    CANDIDATES
        .iter()
        .map(|candidate| (candidate, misfits(candidate)))
        .filter(|(_, misfits)| *misfits <= allowed)
        .min_by_key(|(_, misfits)| *misfits)
}

/// Whether a text is a number, a date or a time, and so no name; a word such as `y` may be one.
pub(crate) fn is_typed(cell: &str) -> bool {
    let plain = guess(&[cell], false).data_type;
    !matches!(plain, DataType::Text | DataType::Boolean)
        || cells::float64(cell.as_bytes()).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_is_what_all_of_its_cells_are() {
        for (cells, data_type, formats) in [
            (&["1", "-20", "0"][..], DataType::Int64, None),
            (&["1", "2.5"], DataType::Float64, None),
            (&["007", "12"], DataType::Text, None),
            (&["+4512345678"], DataType::Text, None),
            (&["true", "F"], DataType::Boolean, None),
            (&["0", "1"], DataType::Int64, None),
            (&["2027-01-31"], DataType::Date, None),
            (&["2027-01-31 12:00:00"], DataType::Timestamp, None),
            (
                &["31.01.2027", "1.2.2027"],
                DataType::Date,
                Some("{ date: \"%d.%m.%Y\" }"),
            ),
            (
                &["31/01/2027"],
                DataType::Date,
                Some("{ date: \"%d/%m/%Y\" }"),
            ),
            (
                &["01/31/2027"],
                DataType::Date,
                Some("{ date: \"%m/%d/%Y\" }"),
            ),
            (
                &["1,5", "-2"],
                DataType::Float64,
                Some("{ decimal: \",\" }"),
            ),
            (
                &["1.234,5", "2,25"],
                DataType::Float64,
                Some("{ decimal: \",\", thousands: \".\" }"),
            ),
            (
                &["1,234,567", "12"],
                DataType::Int64,
                Some("{ thousands: \",\" }"),
            ),
            (
                &["Yes", "no"],
                DataType::Boolean,
                Some("{ true: [yes], false: [no] }"),
            ),
            (&["a", "1"], DataType::Text, None),
            (&[""], DataType::Text, None),
        ] {
            let found = guess(cells, true);
            assert_eq!(
                (found.data_type, found.formats),
                (data_type, formats),
                "{cells:?}"
            );
            assert!(found.doubt.is_none(), "{cells:?}");
        }
        assert_eq!(guess(&[], true).data_type, DataType::Text);
    }

    #[test]
    fn what_can_be_read_in_two_ways_stays_text() {
        for cells in [&["01/02/2027", "3/4/2027"][..], &["1,234", "12,345"]] {
            let found = guess(cells, true);
            assert_eq!(found.data_type, DataType::Text, "{cells:?}");
            assert!(matches!(found.doubt, Some(Doubt::TwoWays(_))), "{cells:?}");
        }
    }

    #[test]
    fn a_few_cells_of_another_kind_are_told() {
        let found = guess(&["1", "2", "3", "x"], true);
        assert_eq!(found.data_type, DataType::Text);
        assert_eq!(found.doubt, Some(Doubt::Misfits(DataType::Int64, 1, 4)));
        let mut cells = vec!["1.5"; 99];
        cells.push("x");
        let found = guess(&cells, true);
        assert_eq!(found.data_type, DataType::Float64);
        assert_eq!(found.doubt, Some(Doubt::Misfits(DataType::Float64, 1, 100)));
    }

    #[test]
    fn words_for_null_are_named_where_they_hide_a_type() {
        let found = guess(&["1", "NA", "2", "-"], true);
        assert_eq!(found.data_type, DataType::Int64);
        assert_eq!(found.nulls.into_iter().collect::<Vec<_>>(), ["-", "NA"]);
        assert_eq!(guess(&["1", "NA"], false).data_type, DataType::Text);
        assert_eq!(guess(&["NA", "NA", "1"], true).data_type, DataType::Text);
        assert!(guess(&["a", "NA"], true).nulls.is_empty());
    }
}
