use super::*;

fn listed(text: &str) -> Result<Hierarchy, HierarchyError> {
    let lines = text.lines();
    Hierarchy::listed(lines.map(|line| line.split(';').map(str::to_owned).collect::<Vec<_>>()))
}

fn all(hierarchy: &Hierarchy, value: &str) -> Vec<String> {
    let levels = 0..hierarchy.levels();
    levels
        .map(|level| {
            hierarchy
                .at(value, level)
                .map_or("-".into(), Cow::into_owned)
        })
        .collect()
}

#[test]
fn a_file_lists_what_each_value_becomes() {
    let ages = listed("1;0-4;0-9;*\n7;5-9;0-9;*\n12;10-14;10-19;*").unwrap();
    assert_eq!(all(&ages, "7"), ["7", "5-9", "0-9", "*"]);
    assert_eq!(ages.at("8", 0), None);
    assert_eq!(ages.at("8", 3), None);
    // A last level that is not the same for all is followed by one that is.
    let open = listed("a;x\nb;y").unwrap();
    assert_eq!(all(&open, "b"), ["b", "y", "*"]);
    let flat = listed("a\nb").unwrap();
    assert_eq!(all(&flat, "b"), ["b", "*"]);
}

#[test]
fn what_is_no_hierarchy_is_refused_at_its_line() {
    assert_eq!(listed("").unwrap_err(), HierarchyError::Empty);
    assert_eq!(listed("a;*\nb;x;*").unwrap_err(), HierarchyError::Ragged(2));
    assert_eq!(
        listed("a;*\nb;*\na;*").unwrap_err(),
        HierarchyError::Twice(3)
    );
    let splits = HierarchyError::Splits { line: 2, level: 2 };
    assert_eq!(listed("a;x;p;*\nb;x;q;*").unwrap_err(), splits);
}

#[test]
fn numbers_fall_into_intervals_that_nest() {
    let ages = Hierarchy::widths(vec![1, 5, 20]).unwrap();
    assert_eq!(all(&ages, "39"), ["39", "35-39", "20-39", "*"]);
    assert_eq!(all(&ages, "-1"), ["-1", "-5--1", "-20--1", "*"]);
    assert_eq!(all(&ages, "0"), ["0", "0-4", "0-19", "*"]);
    assert_eq!(all(&ages, "39.5"), ["[39,40)", "[35,40)", "[20,40)", "*"]);
    assert_eq!(ages.at("many", 1), None);
    assert_eq!(ages.at("1e300", 1), None);
    assert_eq!(
        Hierarchy::widths(vec![5, 12]).unwrap_err(),
        HierarchyError::Order(2)
    );
    assert_eq!(
        Hierarchy::widths(vec![0, 12]).unwrap_err(),
        HierarchyError::Order(2)
    );
    assert_eq!(
        Hierarchy::widths(Vec::new()).unwrap_err(),
        HierarchyError::Empty
    );
}

#[test]
fn dates_are_cut_to_longer_and_longer_parts() {
    use DatePart::{Day, Decade, Month, Quarter, Year};
    let dates = Hierarchy::dates(vec![Day, Month, Quarter, Year, Decade]).unwrap();
    let parts = ["1987-11-30", "1987-11", "1987-Q4", "1987", "1980s", "*"];
    assert_eq!(all(&dates, "1987-11-30"), parts);
    assert_eq!(
        dates.at("1987-11-30T23:59:59Z", 0).as_deref(),
        Some("1987-11-30")
    );
    assert_eq!(dates.at("30.11.1987", 1), None);
    assert_eq!(dates.at("1987-13-30", 1), None);
    assert_eq!(
        Hierarchy::dates(vec![Year, Month]).unwrap_err(),
        HierarchyError::Order(2)
    );
}

#[test]
fn text_is_cut_to_its_first_characters() {
    let codes = Hierarchy::prefixes(vec![5, 3, 1]).unwrap();
    assert_eq!(all(&codes, "10115"), ["10115", "101*", "1*", "*"]);
    assert_eq!(all(&codes, "SW1A 1AA"), ["SW1A *", "SW1*", "S*", "*"]);
    assert_eq!(all(&codes, "äöü"), ["äöü", "äöü", "ä*", "*"]);
    assert_eq!(
        Hierarchy::prefixes(vec![1, 3]).unwrap_err(),
        HierarchyError::Order(2)
    );
}
