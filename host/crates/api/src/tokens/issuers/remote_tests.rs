//! When an issuer is asked, and for how long it is believed.

use std::sync::atomic::AtomicUsize;

use serde_json::json;

use super::*;

/// Answers with these keys, or not at all.
#[derive(Default)]
struct Issuer {
    asked: AtomicUsize,
    kid: Mutex<Option<&'static str>>,
    slow: Duration,
}

impl Issuer {
    fn with(kid: &'static str) -> Self {
        Issuer {
            kid: Mutex::new(Some(kid)),
            ..Issuer::default()
        }
    }

    fn turns(&self, kid: Option<&'static str>) {
        *self.kid.lock().unwrap() = kid;
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

impl Loader for Arc<Issuer> {
    async fn load(&self) -> Result<Loaded, String> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        tokio::time::sleep(self.slow).await;
        let kid = *self.kid.lock().unwrap();
        let kid = kid.ok_or("it is away")?;
        let x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
        let set = json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "x": x, "kid": kid }] });
        Ok(Loaded {
            keys: KeySet::parse(set.to_string().as_bytes())?,
            max_age: None,
        })
    }
}

fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = { runtime }.enable_time().build().unwrap();
    runtime.block_on(test)
}

async fn renew(remote: &Remote, issuer: &Arc<Issuer>) -> Duration {
    remote.renew(issuer, async || Ok(())).await
}

fn knows(remote: &Remote, kid: &str) -> bool {
    remote.keys().get(kid).is_some()
}

#[test]
fn an_answer_is_good_within_bounds_and_a_failure_is_tried_again_ever_later() {
    let remote = Remote::new("https://i", RefreshPolicy::default());
    let answer = |seconds: Option<u64>| {
        let keys = KeySet::default();
        let max_age = seconds.map(Duration::from_secs);
        remote.learn(Loaded { keys, max_age }).as_secs()
    };
    assert_eq!(answer(Some(1)), 300);
    assert_eq!(answer(Some(4000)), 4000);
    assert_eq!(answer(Some(u64::MAX)), 43_200);
    assert_eq!(answer(None), 3600);
    let failed: Vec<u64> = (0..10).map(|_| remote.fail("away").as_secs()).collect();
    assert_eq!(failed, [2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
    answer(None);
    assert_eq!(remote.fail("away").as_secs(), 2);
}

#[test]
fn an_issuer_may_withdraw_all_its_keys() {
    assert_eq!(KeySet::parse(br#"{"keys":[]}"#).unwrap().len(), 0);
    // Keys of kinds that we do not know are no withdrawal.
    assert!(KeySet::parse(br#"{"keys":[{"kty":"oct","kid":"a"}]}"#).is_err());
}

#[test]
fn keys_that_go_are_gone_and_a_failure_keeps_those_that_are_there_for_a_while() {
    run(async {
        let pace = RefreshPolicy {
            keep: Duration::from_millis(200),
            ..RefreshPolicy::default()
        };
        let (remote, issuer) = (Remote::new("https://i", pace), Arc::new(Issuer::with("a")));
        renew(&remote, &issuer).await;
        assert!(knows(&remote, "a"));
        issuer.turns(Some("b"));
        renew(&remote, &issuer).await;
        assert!(knows(&remote, "b") && !knows(&remote, "a"));
        issuer.turns(None);
        renew(&remote, &issuer).await;
        assert!(knows(&remote, "b"));
        tokio::time::sleep(Duration::from_millis(210)).await;
        renew(&remote, &issuer).await;
        assert!(!knows(&remote, "b"), "too old");
        issuer.turns(Some("b"));
        renew(&remote, &issuer).await;
        assert!(knows(&remote, "b"));
    });
}

#[test]
fn keys_whose_coming_cannot_be_recorded_are_not_used() {
    run(async {
        let remote = Remote::new("https://i", RefreshPolicy::default());
        let issuer = Arc::new(Issuer::with("a"));
        let refuse = async || Err("the audit log cannot be written".to_owned());
        remote.renew(&issuer, refuse).await;
        assert!(!knows(&remote, "a"));
        renew(&remote, &issuer).await;
        // The same keys again are no change, and nothing is recorded.
        remote.renew(&issuer, async || Err("asked".into())).await;
        assert!(knows(&remote, "a"));
        assert_eq!(remote.failed.load(Ordering::SeqCst), 1);
    });
}

#[test]
fn a_flood_of_unknown_keys_leads_to_one_request_and_few_wait_for_it() {
    run(async {
        let pace = RefreshPolicy {
            waiting: 8,
            ..RefreshPolicy::default()
        };
        let remote = Remote::new("https://i", pace);
        let issuer = Arc::new(Issuer {
            slow: Duration::from_millis(100),
            ..Issuer::with("a")
        });
        let keeper = async {
            loop {
                remote.rest(Duration::from_secs(3600)).await;
                renew(&remote, &issuer).await;
            }
        };
        let flood = async {
            let asked = (0..100).map(|_| remote.ask());
            let told = futures_util::future::join_all(asked).await;
            assert_eq!(told.iter().filter(|told| **told).count(), 8);
            assert!(knows(&remote, "a"));
            // It was asked just now.
            assert!(!remote.ask().await);
            assert_eq!(issuer.asked(), 1);
        };
        tokio::select! {
            () = keeper => {}
            () = flood => {}
        }
    });
}

#[test]
fn nobody_waits_longer_than_is_sensible() {
    run(async {
        let pace = RefreshPolicy {
            patience: Duration::from_millis(50),
            ..RefreshPolicy::default()
        };
        // Nobody keeps these keys, so that no answer comes.
        assert!(!Remote::new("https://i", pace).ask().await);
    });
}

#[test]
fn what_is_known_is_counted_for_prometheus() {
    run(async {
        let remote = Remote::new("https://i", RefreshPolicy::default());
        let issuer = Arc::new(Issuer::with("a"));
        let empty: [Arc<Remote>; 0] = [];
        assert_eq!(metrics(empty.iter()), "");
        issuer.turns(None);
        renew(&remote, &issuer).await;
        let text = metrics([&remote].into_iter());
        assert!(
            text.contains("glovebox_issuer_keys{issuer=\"https://i\"} 0\n"),
            "{text}"
        );
        assert!(!text.contains("age_seconds{"), "{text}");
        issuer.turns(Some("a"));
        renew(&remote, &issuer).await;
        let text = metrics([&remote].into_iter());
        for line in [
            "glovebox_issuer_keys{issuer=\"https://i\"} 1",
            "glovebox_issuer_keys_age_seconds{issuer=\"https://i\"} 0",
            "glovebox_issuer_fetches_total{issuer=\"https://i\",outcome=\"success\"} 1",
            "glovebox_issuer_fetches_total{issuer=\"https://i\",outcome=\"failure\"} 1",
        ] {
            assert!(text.lines().any(|l| l == line), "{line}\n{text}");
        }
    });
}
