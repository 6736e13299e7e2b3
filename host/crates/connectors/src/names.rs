//! Column names chosen by a file or a server, and which of them messages may show.
//! A file in an unexpected format can have cells where names are expected.

use glovebox_core::shown::short_name;

/// Names that one message lists.
const LISTED: usize = 20;

/// Where names were looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// In a line of text. Cells may follow them, where a line break is missing or a quote is open.
    Line,
    /// In a schema, which holds names only.
    Schema,
}

/// The name, if a message may show it: short, and without what a terminal obeys or hides.
pub(crate) fn shown_name(name: &str) -> Option<&str> {
    short_name(name)
}

/// What is said of the names that are there, as the end of "it has": a list when most of the
/// declared ones are among them, else their number.
pub(crate) fn told(declared: &[&str], there: &[&str], place: Place) -> String {
    let known = |name: &&str| declared.contains(name);
    let found = declared.iter().filter(|name| there.contains(name)).count();
    let most = found * 2 > declared.len();
    // In a line, what stands behind the last known name may be cells.
    let names = match place {
        Place::Line => there.iter().rposition(known).map_or(0, |last| last + 1),
        Place::Schema => there.len(),
    };
    let mut list: Vec<String> = Vec::new();
    for name in there.iter().take(names).filter(|name| most || known(name)) {
        if list.len() == LISTED {
            break;
        }
        list.extend(shown_name(name).map(|name| format!("`{name}`")));
    }
    let columns = |n: usize| match n {
        1 => "1 column".to_owned(),
        n => format!("{n} columns"),
    };
    match (list.is_empty(), there.len() - list.len()) {
        (true, rest) => columns(rest),
        (false, 0) => list.join(", "),
        (false, rest) => format!("{} and {} more", list.join(", "), columns(rest)),
    }
}

/// The name that is nearest to a declared one and no longer than it, so that it cannot be the
/// declared one with a cell behind it. Case, spaces and punctuation do not count.
pub(crate) fn nearest<'n>(declared: &str, there: &[&'n str]) -> Option<&'n str> {
    let wanted = folded(declared);
    let length = wanted.chars().count();
    there
        .iter()
        .filter_map(|name| shown_name(name).map(|name| (folded(name), name)))
        .filter(|(name, _)| (1..=length).contains(&name.chars().count()))
        .map(|(name, shown)| (strsim::damerau_levenshtein(&wanted, &name), shown))
        .filter(|(distance, _)| *distance <= length / 3)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// A name without what may differ between two spellings of it: case, spaces and punctuation.
pub(crate) fn folded(name: &str) -> String {
    let plain = name.chars().filter(|c| c.is_alphanumeric());
    plain.flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_listed_when_most_are_known() {
        let declared = ["id", "note", "email"];
        let there = ["id", "Remark", "email", "phone"];
        assert_eq!(
            told(&declared, &there, Place::Schema),
            "`id`, `Remark`, `email`, `phone`"
        );
        assert_eq!(
            told(&declared, &there, Place::Line),
            "`id`, `Remark`, `email` and 1 column more"
        );
        assert_eq!(
            told(&declared, &["id", "x\x1b[2Jy", "email"], Place::Schema),
            "`id`, `email` and 1 column more"
        );
    }

    #[test]
    fn cells_are_counted() {
        let declared = ["id", "note", "email"];
        let first_row = ["1", "call her", "p1@example.org"];
        assert_eq!(told(&declared, &first_row, Place::Line), "3 columns");
        let run_on = ["id", "note", "email1", "call her", "p1@example.org"];
        assert_eq!(
            told(&declared, &run_on, Place::Line),
            "`id`, `note` and 3 columns more"
        );
        assert_eq!(nearest("email", &run_on), None);
        let one = ["id", "p1@example.org"];
        assert_eq!(
            told(&declared, &one, Place::Schema),
            "`id` and 1 column more"
        );
        let many = vec!["x"; 1000];
        assert_eq!(told(&["x"], &many, Place::Schema).matches('x').count(), 20);
    }

    #[test]
    fn a_slip_of_the_pen_is_recognised() {
        let there = ["E-Mail", "id", "emial", "Jane"];
        assert_eq!(nearest("email", &there), Some("E-Mail"));
        assert_eq!(nearest("email", &["id", "emial"]), Some("emial"));
        assert_eq!(nearest("age", &["age42"]), None);
    }
}
