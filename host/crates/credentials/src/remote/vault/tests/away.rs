//! Servers that are closed, busy, slow, gone, or others than they should be.

use std::sync::atomic::{AtomicUsize, Ordering};

use glovebox_tests::outside::{self, Answer, Outside};

use super::*;

#[test]
fn a_server_that_is_closed_or_busy_is_asked_a_few_times() {
    for status in [412, 429, 472, 473, 500, 502, 503] {
        let setting = Setting::new();
        let fault = || errors(status, &[SAID]);
        let vault = setting.vault();
        assert_eq!(fetch(&vault, "sales/key").unwrap().unwrap(), SECRET);
        setting.fake.state().faults = [fault(), fault(), fault()].into();
        assert_eq!(fetch(&vault, "sales/key").unwrap().unwrap(), SECRET);
        setting.fake.state().broken = Some(fault());
        let before = setting.fake.outside.asked().len();
        let sentence = told(vault, "sales/key");
        assert!(sentence.contains(&format!("({status})")), "{sentence}");
        assert_eq!(setting.fake.outside.asked().len(), before + 4);
    }
    // A login may have used its secret ID up, unless the server says that it did nothing.
    for (status, times) in [(429, 4), (500, 1), (502, 1), (503, 4), (504, 1)] {
        let setting = Setting::new();
        setting.fake.state().broken = Some(errors(status, &[SAID]));
        let sentence = told(setting.vault(), "sales/key");
        assert!(sentence.contains(&format!("({status})")), "{sentence}");
        assert_eq!(setting.fake.outside.asked().len(), times, "{status}");
    }
    let sealed = Setting::new();
    sealed.fake.state().broken = Some(errors(503, &["Vault is sealed", SAID]));
    assert_eq!(
        told(sealed.vault(), "sales/key"),
        "it is sealed or in maintenance (503); unseal it: vault operator unseal"
    );
}

#[test]
fn a_login_whose_answer_is_lost_is_not_made_twice() {
    let setting = Setting::new();
    setting.fake.state().faults = [Answer::HangUp].into();
    assert_eq!(
        told(setting.vault(), "sales/key"),
        "it did not answer with valid HTTP/1.1, or closed the connection"
    );
    assert_eq!(setting.fake.outside.asked().len(), 1);
}

#[test]
fn a_server_that_goes_away_is_asked_again_and_then_named() {
    let setting = Setting::new();
    let vault = setting.vault();
    fetch(&vault, "sales/key").unwrap();
    setting.fake.state().faults = [Answer::HangUp, Answer::HangUp].into();
    assert_eq!(fetch(&vault, "sales/key").unwrap().unwrap(), SECRET);
    setting.fake.state().broken = Some(Answer::HangUp);
    assert_eq!(
        fetch(&vault, "sales/key"),
        Err(Problem::Away(
            "it did not answer with valid HTTP/1.1, or closed the connection".into()
        ))
    );
    setting.fake.state().broken = None;
    assert_eq!(fetch(&vault, "sales/key").unwrap().unwrap(), SECRET);
    assert_eq!(setting.fake.logins(), 1);
}

#[test]
fn a_server_that_is_away_from_the_start_ends_the_search() {
    let setting = Setting::new();
    let mut options = setting.options();
    options.access.address = format!("https://localhost:{}", outside::free_port());
    let later = crate::Environment::of([("GLOVEBOX_SECRET_SALES_KEY".into(), "old".into())].into());
    let chain = Chain::new(vec![
        Box::new(Remote::new(Vault::new(options))),
        Box::new(later),
    ]);
    let error = chain.get(&name("sales/key")).unwrap_err().to_string();
    assert!(
        error.ends_with(
            "it cannot be reached: connection refused; is the address right, and is it up?"
        ),
        "{error}"
    );
}

#[test]
fn a_server_that_is_slow_is_not_waited_for() {
    let setting = Setting::new();
    let mut vault = setting.vault();
    fetch(&vault, "sales/key").unwrap();
    setting.fake.state().broken = Some(Answer::Silence(Duration::from_secs(30)));
    vault.options.access.patience.request = Duration::from_millis(300);
    assert_eq!(
        fetch(&vault, "sales/key"),
        Err(Problem::Away(
            "there was no complete answer within 300ms".into()
        ))
    );
}

#[test]
fn an_answer_that_is_too_long_or_no_json_is_refused() {
    for (answer, sentence) in [
        (
            Answer::Endless(2 << 20),
            "its answer is larger than 1048576 bytes",
        ),
        (
            Answer::ok(format!("{{\"data\": {SAID}")),
            "it answered 200, but not with JSON; is this the server's address?",
        ),
        (
            Answer::Reply(
                307,
                vec![("Location".into(), format!("https://{SAID}/"))],
                Vec::new(),
            ),
            "it redirects (307), which is not followed; use the target address",
        ),
        (
            Answer::Reply(418, Vec::new(), SAID.into()),
            "it answered 418; is this a Vault server?",
        ),
        (
            Answer::ok(json!({ "data": SAID, "auth": null }).to_string()),
            "the login at `auth/approle/login` brought no token; does it ask for a second factor?",
        ),
    ] {
        let setting = Setting::new();
        setting.fake.state().broken = Some(answer);
        assert_eq!(told(setting.vault(), "sales/key"), sentence);
        assert_eq!(setting.fake.outside.asked().len(), 1);
    }
}

#[test]
fn a_server_with_another_certificate_is_told_nothing() {
    let setting = Setting::new();
    let stranger = Outside::start(|_| Answer::HangUp);
    std::fs::write(setting.folder.path().join("ca.pem"), &stranger.ca).unwrap();
    assert_eq!(
        told(setting.vault(), "sales/key"),
        "its certificate is not signed by a trusted authority; name yours: tls: { ca: FILE }"
    );
    let mut options = setting.options();
    options.access.address = options.access.address.replace("localhost", "127.0.0.1");
    std::fs::write(
        setting.folder.path().join("ca.pem"),
        &setting.fake.outside.ca,
    )
    .unwrap();
    assert_eq!(
        told(Vault::new(options), "sales/key"),
        "its certificate is for another host"
    );
    let mut options = setting.options();
    options.access.address = options.access.address.replace("https:", "http:");
    assert_eq!(
        told(Vault::new(options), "sales/key"),
        "plain http can be read and changed in transit"
    );
    assert_eq!(setting.fake.outside.asked().len(), 0);
}

#[test]
fn files_that_are_missing_are_named() {
    let setting = Setting::new();
    let mut options = setting.options();
    options.access.ca = Some("/nowhere/ca.pem".into());
    assert_eq!(
        told(Vault::new(options), "sales/key"),
        "tls: { ca: FILE } cannot be read from /nowhere/ca.pem: entity not found"
    );
    let mut options = setting.options();
    options.access.login = Login::Kubernetes {
        role: "glovebox".into(),
        token_file: "/nowhere/token".into(),
        mount: "kubernetes".into(),
    };
    assert_eq!(
        told(Vault::new(options), "sales/key"),
        "the service account's token cannot be read from /nowhere/token: entity not found"
    );
}

#[test]
fn a_login_whose_secret_is_missing_says_where_it_was_looked_for() {
    let setting = Setting::new();
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    let mut options = setting.options();
    options.access.lookup = Arc::new(move |name| {
        counter.fetch_add(1, Ordering::Relaxed);
        Err(CredentialError::Missing {
            name: name.clone(),
            places: vec!["environment variable X".into()],
            remedies: Vec::new(),
        })
    });
    assert_eq!(
        told(Vault::new(options), "sales/key"),
        "the login needs a secret of another store: no secret `vault/secret-id`; looked in:\n  - \
         environment variable X"
    );
    assert_eq!(asked.load(Ordering::Relaxed), 1);
    assert_eq!(setting.fake.outside.asked().len(), 0);
}
