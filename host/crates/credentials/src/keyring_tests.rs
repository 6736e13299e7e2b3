//! The keyring on whatever this machine offers: the Secret Service, the kernel, or none, each
//! with something to show.

use std::time::Instant;

use super::*;
use crate::Chain;

const CANARY: &str = "canary-b12f";

/// Entries under a service of this process's own.
fn keyring(what: &str) -> Keyring {
    let service = format!("glovebox-test-{what}-{}", std::process::id());
    Keyring::with(&service, Timeouts::default())
}

fn name(name: &str) -> SecretName {
    SecretName::parse(name).unwrap()
}

/// The kernel forgets a deleted key a moment later.
fn gone(keyring: &Keyring, name: &SecretName) -> bool {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(10) {
        if matches!(keyring.get(name), Ok(None)) {
            return true;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    false
}

#[test]
fn set_get_list_and_delete_or_a_clear_refusal() {
    let keyring = keyring("whole");
    let salt = name("sales/customer-salt");
    let secret = Secret::new(CANARY.into());
    match keyring.set(&salt, &secret) {
        Ok(store) => {
            println!("path taken: {store}");
            let found = keyring.get(&salt).unwrap().unwrap();
            assert_eq!(found.expose(), CANARY.as_bytes());

            keyring.set(&salt, &Secret::new("new".into())).unwrap();
            keyring.set(&name("b"), &secret).unwrap();
            assert_eq!(keyring.get(&salt).unwrap().unwrap().expose(), b"new");
            assert_eq!(keyring.list().unwrap(), [name("b"), salt.clone()]);
            assert!(keyring.place(&salt).contains("user sales/customer-salt"));

            assert!(keyring.delete(&salt).unwrap());
            assert!(gone(&keyring, &salt));
            assert!(!keyring.delete(&salt).unwrap());
            assert!(keyring.delete(&name("b")).unwrap());
            assert!(gone(&keyring, &name("b")));
            assert_eq!(keyring.list().unwrap(), []);
        }
        Err(error) => {
            println!("path taken: none ({error})");
            let told = error.to_string();
            assert!(matches!(error, KeyringError::Unavailable(_)), "{told}");
            assert!(told.contains("Secret Service: "), "{told}");
            assert!(told.contains("kernel keyutils: "), "{told}");
            assert!(told.contains("credentials: [env, files: FOLDER]"), "{told}");
            assert!(!told.contains(CANARY));
            assert!(keyring.get(&salt).unwrap().is_none());
            assert!(
                keyring
                    .place(&salt)
                    .starts_with("OS keyring: not available (")
            );
        }
    }
}

#[test]
fn a_secret_that_is_not_there_is_absence_and_the_chain_names_the_place() {
    let keyring = keyring("absent");
    let salt = name("sales/customer-salt");
    assert!(keyring.get(&salt).unwrap().is_none());
    let place = keyring.place(&salt);
    assert!(place.starts_with("OS keyring: "), "{place}");
    let missing = Chain::new(vec![Box::new(keyring)]).get(&salt).unwrap_err();
    assert!(missing.to_string().contains(&place));
}

#[test]
fn an_empty_secret_is_not_stored() {
    let salt = name("salt");
    assert_eq!(
        keyring("empty").set(&salt, &Secret::new(Vec::new())),
        Err(KeyringError::Empty(salt))
    );
}

#[test]
fn a_secret_too_long_for_the_kernel_is_refused_before_it_is_asked() {
    let keyring = keyring("long");
    let salt = name("salt");
    let too_long = Secret::new(vec![b'x'; 40_000]);
    let told = match keyring.set(&salt, &too_long) {
        Err(error) => error.to_string(),
        Ok(_) => {
            println!("path taken: the Secret Service, which takes it");
            assert!(keyring.delete(&salt).unwrap());
            return;
        }
    };
    println!("path taken: {told}");
    assert!(
        told.ends_with("it holds at most 32767 bytes a secret")
            || told.starts_with("this machine has no OS keyring"),
        "{told}"
    );
}

#[test]
fn no_error_shows_the_secret() {
    let refused = KeyringError::Refused {
        action: "store `salt`".into(),
        store: "kernel keyutils".into(),
        problem: open::sentence(&StoreError::BadEncoding(CANARY.into())),
    };
    assert_eq!(
        refused.to_string(),
        "cannot store `salt` in kernel keyutils: the entry is malformed"
    );
    assert!(!format!("{refused:?}").contains(CANARY));
}
