//! How many values a second a key masks that stays in Vault: docs/masking.md has the figures.
//!
//! `VAULT_TOKEN=… transit https://localhost:8200 CA.pem KEY [BATCH]` asks for 96,000 values in calls of 4,800 by one
//! worker and by two, five times each, and prints the best.
// A measure may end at the first thing that is not as it should be.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

use std::sync::Arc;
use std::time::Instant;

use glovebox_core::{CredentialStore, Key, RemoteKey, Secret, SecretName};
use glovebox_credentials::remote::Patience;
use glovebox_credentials::remote::vault::transit::{Options, Transit, VALUES};
use glovebox_credentials::remote::vault::{Access, Login};

const TOTAL: usize = 96_000;
const CALL: usize = 4_800;
const ROUNDS: usize = 5;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let mut next = || arguments.next();
    let usage = "ADDRESS CA.pem KEY [BATCH], and the token in VAULT_TOKEN";
    let (address, ca, key) = (
        next().expect(usage),
        next().expect(usage),
        next().expect(usage),
    );
    let values = next().map_or(VALUES, |batch| batch.parse().expect(usage));
    let store = Transit::new(Options {
        access: Access {
            address,
            namespace: None,
            ca: Some(ca.into()),
            login: Login::Token(SecretName::parse("vault/token").unwrap()),
            patience: Patience::default(),
            lookup: Arc::new(|_| {
                let token = std::env::var("VAULT_TOKEN").expect(usage);
                Ok(Secret::new(token.into_bytes()))
            }),
        },
        mount: "transit".into(),
        prefix: None,
        values,
    });
    let Some(Key::Remote(key)) = store.key(&SecretName::parse(&key).unwrap()).unwrap() else {
        panic!("there is no such key");
    };
    for workers in [1, 2] {
        let rounds = (0..ROUNDS).map(|_| measure(key.as_ref(), workers));
        let best = rounds.fold(0.0, f64::max);
        println!("{workers} worker(s), {values} values a request: {best:.0} values/s");
    }
}

fn measure(key: &dyn RemoteKey, workers: usize) -> f64 {
    let began = Instant::now();
    std::thread::scope(|scope| {
        for worker in 0..workers {
            scope.spawn(move || {
                for from in (worker..TOTAL / CALL).step_by(workers) {
                    let values: Vec<String> = (0..CALL)
                        .map(|n| format!("customer-{}", from * CALL + n))
                        .collect();
                    let values: Vec<&[u8]> = values.iter().map(String::as_bytes).collect();
                    assert_eq!(key.hmac_sha256(&values).unwrap().len(), CALL);
                }
            });
        }
    });
    TOTAL as f64 / began.elapsed().as_secs_f64()
}
