//! Patterns of dates and times: what they read, and what they refuse.

use super::*;

fn problem(pattern: Result<Pattern, PatternError>) -> String {
    pattern.unwrap_err().problem
}

#[test]
fn a_date_names_a_day_and_no_time() {
    for text in [
        "%d.%m.%Y",
        "%Y%m%d",
        "%d-%b-%Y",
        "%B %d, %Y",
        "%F",
        "%d.%m.%Y 00:00",
        "%y/%m/%d",
    ] {
        assert!(Pattern::date(text).is_ok(), "{text}");
    }
    for (text, found) in [
        ("%d.%m.", "this pattern has no year"),
        ("%d.%Y", "this pattern has no month"),
        ("%m/%Y", "this pattern has no day"),
        ("%d.%m.%Y %H", "a date has no time"),
        ("%d.%m.%Y %d", "`%d` repeats a part"),
        ("%d.%m.%b.%Y", "`%b` repeats a part"),
        ("%Y-%y-%m-%d", "`%y` repeats a part"),
        ("%Q", "`%Q` is not a known item"),
        ("%d.%m.%Y%", "`%` is not a known item"),
        ("%.d.%m.%Y", "`%.d` is not a known item"),
        ("DD.MM.YYYY", "there is no `%` in this pattern"),
        ("", "there is no `%` in this pattern"),
    ] {
        assert_eq!(problem(Pattern::date(text)), found, "{text}");
    }
    assert_eq!(Pattern::date("%d.%Q").unwrap_err().at, Some(3..5));
    assert_eq!(Pattern::date("é%Q").unwrap_err().at, Some(2..4));
}

#[test]
fn a_timestamp_names_what_its_parts_are_parts_of() {
    for text in [
        "%F %T",
        "%d/%m/%Y %R",
        "%FT%T%.f%z",
        "%d.%m.%Y",
        "%m/%d/%Y %I:%M %p",
        "%F %T,%f",
    ] {
        assert!(Pattern::timestamp(text).is_ok(), "{text}");
    }
    for (text, found) in [
        ("%F %M", "minutes need an hour"),
        ("%F %H:%S", "seconds need minutes"),
        ("%F %R.%f", "a fraction needs its second"),
        ("%F %I:%M", "hours from 1 to 12 need am or pm"),
        ("%F %H:%M %p", "%p is for hours from 1 to 12"),
        ("%H:%M:%S", "this pattern has no year"),
        (
            "%T.%f%Y-%m-%d",
            "digits follow a fraction, so its end is ambiguous",
        ),
    ] {
        assert_eq!(problem(Pattern::timestamp(text)), found, "{text}");
    }
}

#[test]
fn a_number_is_short_only_where_its_end_is_seen() {
    let short = |text: &str| -> Vec<bool> {
        let pattern = Pattern::timestamp(text).unwrap();
        let lengths = pattern.items().iter().filter_map(|i| match i {
            Item::Number { short, .. } => Some(*short),
            _ => None,
        });
        lengths.collect()
    };
    assert_eq!(short("%d.%m.%Y"), [true, true]);
    assert_eq!(short("%d%m%Y"), [false, false]);
    assert_eq!(short("%Y%m%d"), [false, false]);
    assert_eq!(short("%Y%m%d0"), [false, false]);
    assert_eq!(short("%F %T"), [true, true, true, false, false]);
}
