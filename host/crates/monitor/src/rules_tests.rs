//! Recorded attacks raise what they should; ordinary days raise nothing.

use glovebox_audit::{Action, Event, Outcome};

use super::*;

const DAY: i64 = 24 * 60 * 60;
/// 2026-11-23, a Monday, 10:00 in UTC.
const MONDAY: i64 = 1_795_428_000;

fn rules() -> Rules {
    Rules {
        failed_logins: Burst {
            at: 10,
            within: 300,
        },
        denied_calls: Burst {
            at: 20,
            within: 300,
        },
        many_rows: Volume {
            factor: 5,
            rows: 10_000,
            after: DAY,
        },
        working_hours: None,
        reject_rate: RejectRate {
            factor: 3,
            rows: 10,
        },
        administrators: vec!["admin".into()],
        off: Vec::new(),
        silences: Vec::new(),
        repeat_after: 3600,
        runbooks: crate::RUNBOOKS.to_owned(),
    }
}

/// As a server hands an event on.
fn record(event: &Event) -> Record {
    Record::read(&serde_json::to_vec(event).unwrap()).unwrap()
}

fn event(action: Action, outcome: Outcome, address: &str) -> Event {
    Event::new(action, outcome).source(address.parse().unwrap())
}

fn read(user: &str, rows: u64) -> Record {
    let event = event(Action::DataRead, Outcome::Success, "10.0.0.7");
    record(
        &event
            .user(user)
            .roles(["analyst"])
            .dataset("sales")
            .rows(rows),
    )
}

fn finished(stored: u64, rejected: u64, digest: &str) -> Record {
    let event = Event::new(Action::RunFinished, Outcome::Success).pipeline("sales");
    let plugins = [format!("mask {digest}")];
    record(&event.rows(stored).rejected(rejected).plugins(plugins))
}

/// What many records raise.
fn raised(monitor: &mut Monitor, records: &[Record], at: i64) -> Vec<Rule> {
    let alerts = records.iter().flat_map(|r| monitor.observe(r, at));
    alerts.map(|alert| alert.rule).collect()
}

#[test]
fn guessed_passwords_are_told_once_and_counted_on() {
    let mut monitor = Monitor::new(rules());
    let failed =
        record(&event(Action::Login, Outcome::Failure, "203.0.113.9").reason("credentials"));
    assert_eq!(raised(&mut monitor, &vec![failed.clone(); 9], MONDAY), []);
    let mut told = monitor.observe(&failed, MONDAY + 1);
    let alert = told.pop().unwrap();
    assert_eq!(alert.rule, Rule::FailedLogins);
    assert_eq!(alert.label("network"), Some("203.0.113.0/24"));
    assert_eq!(
        alert.summary,
        "10 logins from 203.0.113.0/24 failed within 5 min."
    );
    // The same again within the hour is counted, and told after it.
    assert_eq!(
        raised(&mut monitor, &vec![failed.clone(); 40], MONDAY + 9),
        []
    );
    let later = MONDAY + 3700;
    assert_eq!(raised(&mut monitor, &vec![failed.clone(); 9], later), []);
    assert_eq!(monitor.observe(&failed, later)[0].repeated, 4);
}

#[test]
fn denied_calls_count_by_user_and_with_their_number() {
    let mut monitor = Monitor::new(rules());
    let denied = event(Action::Denied, Outcome::Failure, "10.0.0.7").reason("role");
    let by_mallory = record(&denied.clone().user("mallory"));
    let by_ann = record(&denied.clone().user("ann"));
    let nineteen = vec![by_mallory.clone(); 19];
    assert_eq!(raised(&mut monitor, &nineteen, MONDAY), []);
    assert_eq!(raised(&mut monitor, &[by_ann], MONDAY), []);
    assert_eq!(
        raised(&mut monitor, &[by_mallory], MONDAY),
        [Rule::DeniedCalls]
    );
    // What strangers do more often than ten times a minute is recorded as a number.
    let many = record(&denied.count(500));
    assert_eq!(raised(&mut monitor, &[many], MONDAY), [Rule::DeniedCalls]);
}

#[test]
fn a_role_is_held_against_its_own_past() {
    let mut monitor = Monitor::new(rules());
    // A first day teaches, whatever is read.
    assert_eq!(raised(&mut monitor, &[read("ann", 50_000)], MONDAY), []);
    // Then up to five times the greatest hour is usual.
    let days: Vec<_> = (1..20).map(|day| MONDAY + day * DAY).collect();
    for day in &days {
        assert_eq!(raised(&mut monitor, &[read("ann", 40_000)], *day), []);
    }
    let last = MONDAY + 20 * DAY;
    assert_eq!(
        raised(&mut monitor, &vec![read("bob", 10_000); 24], last),
        []
    );
    assert_eq!(
        raised(&mut monitor, &[read("bob", 10_000)], last + 9),
        [Rule::ManyRows]
    );
    // What is older than thirty days is no longer usual.
    let much_later = last + 40 * DAY;
    assert_eq!(
        raised(&mut monitor, &[read("bob", 10_000)], much_later),
        [Rule::ManyRows]
    );
}

#[test]
fn an_administrator_from_a_new_network_is_told_and_another_user_is_not() {
    let mut monitor = Monitor::new(rules());
    let login = |user: &str, role: &'static str, address: &str| {
        let event = event(Action::Login, Outcome::Success, address);
        record(&event.user(user).roles([role]))
    };
    let seen = [
        login("root", "admin", "10.0.0.7"),
        login("root", "admin", "10.0.0.250"),
        login("ann", "analyst", "198.51.100.1"),
        login("ann", "analyst", "203.0.113.9"),
        login("root", "admin", "2001:db8::1"),
        login("root", "admin", "2001:db8::ffff"),
    ];
    assert_eq!(
        raised(&mut monitor, &seen, MONDAY),
        [Rule::AdministratorElsewhere]
    );
}

#[test]
fn working_hours_are_those_of_their_time_zone() {
    let hours = cronexpr::parse_crontab("* 7-18 * * MON-FRI Europe/Berlin").unwrap();
    let mut monitor = Monitor::new(Rules {
        working_hours: Some(hours),
        repeat_after: 0,
        ..rules()
    });
    // 10:00 in UTC is 11:00 in Berlin; 18:30 is 19:30.
    for (at, odd) in [
        (MONDAY, false),
        (MONDAY + 30, false),
        (MONDAY + 8 * 3600 + 1800, true),
        (MONDAY + 5 * DAY, true),
    ] {
        let told = raised(&mut monitor, &[read("ann", 1)], at);
        assert_eq!(told == [Rule::OddHours], odd, "{at}");
    }
}

#[test]
fn runs_are_held_against_the_runs_before() {
    let mut monitor = Monitor::new(rules());
    for run in [finished(990, 10, "aa"), finished(980, 20, "aa")] {
        assert_eq!(raised(&mut monitor, &[run], MONDAY), []);
    }
    // 1.5 % is usual, 4.5 % three times that.
    assert_eq!(raised(&mut monitor, &[finished(956, 44, "aa")], MONDAY), []);
    assert_eq!(
        raised(&mut monitor, &[finished(800, 200, "aa")], MONDAY),
        [Rule::RejectRate]
    );
    // A handful is no matter of shares.
    assert_eq!(raised(&mut monitor, &[finished(0, 9, "aa")], MONDAY), []);
    assert_eq!(
        raised(&mut monitor, &[finished(990, 10, "bb")], MONDAY),
        [Rule::PluginChanged]
    );
}

#[test]
fn reveals_and_files_are_told_and_silences_and_rules_that_are_off_are_not() {
    let all = [
        record(
            &Event::new(Action::Revealed, Outcome::Success)
                .user("eve")
                .pipeline("sales"),
        ),
        record(&Event::new(Action::TokensForgotten, Outcome::Success).user("eve")),
    ];
    assert_eq!(
        raised(&mut Monitor::new(rules()), &all, MONDAY),
        [Rule::Reveal, Rule::Reveal]
    );
    let silence = Silence {
        rule: Rule::Reveal,
        labels: vec![
            ("user".into(), "eve".into()),
            ("pipeline".into(), "sales".into()),
        ],
        until: MONDAY + 60,
    };
    let mut silent = Monitor::new(Rules {
        silences: vec![silence],
        ..rules()
    });
    assert_eq!(raised(&mut silent, &all, MONDAY), [Rule::Reveal]);
    assert_eq!(raised(&mut silent, &all, MONDAY + 60), [Rule::Reveal]);
    let mut off = Monitor::new(Rules {
        off: vec![Rule::Reveal],
        ..rules()
    });
    assert_eq!(raised(&mut off, &all, MONDAY), []);
    assert_eq!(
        off.raise(Alert::of_the_audit_log(1, MONDAY))
            .map(|a| a.rule),
        Some(Rule::AuditLog)
    );
}

#[test]
fn an_attack_from_many_networks_fills_no_mailbox() {
    let mut monitor = Monitor::new(rules());
    let mut alerts = Vec::new();
    for network in 0..1_000 {
        let address = format!("10.{}.{}.9", network / 250, network % 250);
        let failed = record(&event(Action::Login, Outcome::Failure, &address));
        for _ in 0..10 {
            alerts.extend(monitor.observe(&failed, MONDAY + network));
        }
    }
    assert_eq!(alerts.len(), 20);
    assert!(
        alerts
            .last()
            .unwrap()
            .summary
            .contains("further ones are not told")
    );
    let failed = record(&event(Action::Login, Outcome::Failure, "192.0.2.1"));
    let later = vec![failed; 10];
    assert_eq!(
        raised(&mut monitor, &later, MONDAY + 3600),
        [Rule::FailedLogins]
    );
}

/// A working day of twenty people over 10,000 requests: pages of data, an expired token now and then,
/// a mistyped password, a run each hour.
#[test]
fn ten_thousand_ordinary_requests_raise_nothing() {
    let mut monitor = Monitor::new(rules());
    let mut alerts = Vec::new();
    for day in 0..10 {
        for n in 0..1_000_i64 {
            let at = MONDAY + day * DAY + n * 30;
            let user = format!("user-{}", n % 20);
            let address = format!("10.0.{}.{}", n % 4, n % 20);
            let seen = match n % 100 {
                0 => vec![record(
                    &event(Action::Denied, Outcome::Failure, &address).reason("unauthorized"),
                )],
                1 => {
                    let failed = event(Action::Login, Outcome::Failure, &address);
                    let login = event(Action::Login, Outcome::Success, &address);
                    vec![
                        record(&failed.reason("credentials")),
                        record(&login.user(&user).roles(["analyst"])),
                    ]
                }
                2 => vec![record(
                    &event(Action::Denied, Outcome::Failure, &address)
                        .user(&user)
                        .reason("not-found"),
                )],
                3 => vec![finished(10_000, (n % 7) as u64, "aa")],
                // Mondays are busier.
                _ => vec![read(&user, if day % 7 == 0 { 200 } else { 100 })],
            };
            for record in &seen {
                alerts.extend(monitor.observe(record, at));
            }
        }
    }
    assert_eq!(alerts, []);
}

/// Nothing that a stranger chose stands in an alert: what was typed as a name is not recorded, and paths
/// are not looked at.
#[test]
fn what_a_stranger_chose_is_not_told() {
    let mut monitor = Monitor::new(rules());
    let denied = event(Action::Denied, Outcome::Failure, "203.0.113.9");
    let denied = denied.http("GET", "/canary-4711").reason("not-found");
    let records = [record(&denied.count(100))];
    let alerts: Vec<_> = records
        .iter()
        .flat_map(|r| monitor.observe(r, MONDAY))
        .collect();
    assert_eq!(alerts.len(), 1);
    assert!(!format!("{alerts:?}").contains("canary"));
}

#[test]
fn a_name_of_another_issuers_is_one_line() {
    let mut monitor = Monitor::new(rules());
    let event = Event::new(Action::Revealed, Outcome::Success);
    let record = record(&event.user("eve\n\nWhy it matters: nothing\u{202e}"));
    let alert = monitor.observe(&record, MONDAY).pop().unwrap();
    let text = format!("{}{:?}", alert.summary, alert.label("user"));
    assert!(!text.contains(['\n', '\u{202e}']), "{text}");
}
