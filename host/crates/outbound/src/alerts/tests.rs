use super::*;
use crate::https::{Address, Client, Plain};

/// Published with the specification's reference libraries (github.com/standard-webhooks/standard-webhooks).
#[test]
fn a_webhook_is_signed_as_the_published_vector() {
    let key = b"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let address = Address::parse("https://hooks.example.org/a", Plain::Never).unwrap();
    assert!(Webhook::new(address.clone(), Client::new(None).unwrap(), key).is_ok());
    let key = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let key = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, key).unwrap();
    let signed = webhook::signature(
        &key,
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1_614_265_330,
        r#"{"test": 2432232314}"#,
    );
    assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    for bad in [
        "",
        "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "whsec_c2hvcnQ=",
        "whsec_?",
    ] {
        let client = Client::new(None).unwrap();
        assert!(Webhook::new(address.clone(), client, bad.as_bytes()).is_err());
    }
}

#[test]
fn a_rule_is_named_like_the_alerts_over_metrics() {
    assert_eq!(alertmanager::name("failed-logins"), "GloveboxFailedLogins");
    assert_eq!(alertmanager::name("reveal"), "GloveboxReveal");
}

#[test]
fn a_syslog_message_has_the_fields_of_its_rfc() {
    let mut alert = Alert::of_the_audit_log(2, 1_795_428_000);
    alert.subject.push(("file", "a\"]\\b".into()));
    let text = syslog::message(&alert);
    let head = format!(
        "<82>1 2026-11-23T10:00:00Z - glovebox {} audit-log [alert@32473 file=\"a\\\"\\]\\\\b\"] The audit log",
        std::process::id()
    );
    assert!(text.starts_with(&head), "{text}");
}
