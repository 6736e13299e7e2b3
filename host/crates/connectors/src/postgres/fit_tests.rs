//! Which declared types fit which of the table's, and what is said where one does not.

use super::*;

#[test]
fn a_uuid_is_read_as_postgresql_reads_it() {
    let id = uuid("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11").unwrap();
    assert_eq!(id[0], 0xa0);
    for same in [
        "A0EEBC999C0B4EF8BB6D6BB9BD380A11",
        "{a0eebc99-9c0b4ef8-bb6d6bb9-bd380a11}",
    ] {
        assert_eq!(uuid(same), Some(id), "{same}");
    }
    for not in [
        "",
        "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a1",
        "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a111",
        "a0e-ebc999c0b4ef8bb6d6bb9bd380a11",
        "{a0eebc999c0b4ef8bb6d6bb9bd380a11",
        "g0eebc999c0b4ef8bb6d6bb9bd380a11",
        "a0eebc999c0b4ef8bb6d6bb9bd380a1é",
    ] {
        assert_eq!(uuid(not), None, "{not}");
    }
}

#[test]
fn times_of_day_have_two_digits_each() {
    assert_eq!(time("00:00"), Some(0));
    assert_eq!(time("01:02:03.5"), Some(3_723_500_000));
    assert_eq!(time("24:00:00"), Some(86_400_000_000));
    for not in [
        "1:00",
        "24:00:01",
        "12:60",
        "12:00:60",
        "12:00.5",
        "12:00:00.1234567",
        "+1:00",
        "",
    ] {
        assert_eq!(time(not), None, "{not}");
    }
}

#[test]
fn a_network_has_zeros_behind_its_bits() {
    let sent = |cell: &str, network| {
        let mut out = Vec::new();
        inet(cell, network, &mut out).ok().map(|()| out)
    };
    assert_eq!(
        sent("192.0.2.7", false),
        Some(vec![2, 32, 0, 4, 192, 0, 2, 7])
    );
    assert_eq!(
        sent("10.0.0.0/8", true),
        Some(vec![2, 8, 1, 4, 10, 0, 0, 0])
    );
    assert!(sent("::1/128", false).is_some_and(|o| o.len() == 20));
    for (not, network) in [
        ("10.0.0.1/8", true),
        ("10.0.0.0/33", false),
        ("10.0.0", false),
        ("10.0.0.0/", false),
        ("10.0.0.0/+8", false),
    ] {
        assert_eq!(sent(not, network), None, "{not}");
    }
}

#[test]
fn a_number_goes_where_none_of_its_digits_is_lost() {
    let goes = |value, scale, form: Form| exact(value, scale, &form, &mut Vec::new()).is_ok();
    assert!(goes(32_767, 0, Form::Int2) && !goes(32_768, 0, Form::Int2));
    assert!(goes(-500, 2, Form::Int4) && !goes(-501, 2, Form::Int4));
    assert!(!goes(i128::from(i64::MAX) + 1, 0, Form::Int8));
    assert!(goes(1_234_567_890_123_450, 2, Form::Float8));
    assert!(!goes(1_234_567_890_123_456, 2, Form::Float8));
    let digits = |precision, scale| Form::Numeric(Some(Digits { precision, scale }));
    assert!(goes(99_900, 4, digits(3, 2)) && !goes(99_901, 4, digits(3, 2)));
    assert!(goes(12_300, 0, digits(3, -2)) && !goes(12_310, 0, digits(3, -2)));
    assert!(goes(9, 5, digits(2, 5)) && !goes(100, 5, digits(2, 5)));
}
