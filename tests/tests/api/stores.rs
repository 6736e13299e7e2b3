//! A server whose secrets, and those of its runs, are in Vault.

use std::time::{Duration, Instant};

use glovebox_tests::pipeline::Pipeline;
use glovebox_tests::server::{BASE, KEY, Server};
use glovebox_tests::vault::{ROLE_ID, SAID, Vault};

use super::runs::{SALES, is_over, start, until};

const SECRET_ID: &str = "canary-secret-id-6e0b";
const SALT: &str = "canary-salt-of-32-bytes-or-there-about";

#[test]
fn the_audit_log_names_what_came_from_vault() {
    let vault = Vault::start();
    vault.write("token-key", KEY);
    vault.write("salt", SALT);
    vault.prove("auth/approle/login", SECRET_ID);
    let files = "[{ files: secrets }]";
    let stores = format!(
        "[{{ vault: {{ address: {}, tls: {{ ca: vault-ca.pem }}, auth: {{ app-role: {{ role-id: \
         {ROLE_ID}, secret-id: {{ secret: vault/secret-id }} }} }} }} }}, {{ files: secrets }}]",
        vault.url()
    );
    let base = BASE.replace(files, &stores);
    let configuration = format!(
        "{base}pipelines: {{ sales: {{ manifest: sales.yaml }} }}\nruns: {{ folder: runs }}\n"
    );
    let folder = Pipeline::empty()
        .file("glovebox.yaml", configuration)
        .file("sales.yaml", SALES.replace(files, &stores))
        .file("in.csv", "id,name\n1,ann\n2,bob\n")
        .file("vault-ca.pem", &vault.outside.ca)
        .file("secrets/vault/secret-id", SECRET_ID);
    let server = Server::start_in(folder);
    server.user("ada", &["admin"]);
    let (token, _) = server.log_in("ada");
    let id = start(&server, &token, "sales");
    let run = until(&server, &token, &id, is_over);
    assert_eq!(run["state"], "done", "{run}\n{}", server.log());

    let used = |name: &str| {
        let audit = server.audit();
        let used = audit.iter().filter(|e| e["event.action"] == "secret-used");
        used.filter_map(|e| e["labels.key"].as_str())
            .any(|names| names.contains(name))
    };
    // A run's end is in the catalog a moment before it is in the log.
    let started = Instant::now();
    while !used("salt") && started.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(20));
    }
    for name in ["token-key", "salt", "vault/secret-id"] {
        assert!(used(name), "{name}\n{}", server.audit_text());
    }
    for text in [server.audit_text(), server.log()] {
        for canary in [SECRET_ID, SALT, SAID, KEY, "canary-token"] {
            assert!(!text.contains(canary), "{canary}\n{text}");
        }
    }
}
