//! What the README tells a newcomer to do, done by its own words.

use std::fs;
use std::path::Path;
use std::process::Command;

use glovebox_tests::pipeline::Pipeline;
use glovebox_tests::server::Server;
use serde_json::Value;

fn data(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../data");
    fs::read(folder.join(name)).unwrap()
}

fn shell(line: &str) -> String {
    let line = line.replacen("curl", "curl --silent --show-error", 1);
    let ran = Command::new("sh").args(["-c", &line]).output().unwrap();
    assert!(
        ran.status.success(),
        "{line}: {}; this test needs curl, as the README does",
        String::from_utf8_lossy(&ran.stderr)
    );
    String::from_utf8(ran.stdout).unwrap()
}

#[test]
fn the_two_calls_that_the_demo_prints_give_a_token_and_the_rows() {
    let configuration = String::from_utf8(data("glovebox.yaml")).unwrap();
    assert!(configuration.contains("listen: 127.0.0.1:8000"));
    let folder = Pipeline::empty()
        .file("sales.yaml", data("sales.yaml"))
        .file("sales.csv", data("sales.csv"))
        .file(
            "demo-secrets/sales/customer-salt",
            data("demo-secrets/sales/customer-salt"),
        )
        // Any free port: another test, or a person, may have the usual one.
        .file(
            "glovebox.yaml",
            configuration.replace("127.0.0.1:8000", "127.0.0.1:0"),
        );
    let _ = folder.call(&["run", "sales.yaml"]).ends_with(0);
    let mut running = folder.start(&["serve", "--demo"]);
    running.until("the calls are printed", |r| r.stdout().contains("Ctrl-C"));
    let said = running.stdout();
    let mut calls = said
        .lines()
        .map(str::trim)
        .filter(|l| l.starts_with("curl"));
    let (first, second) = (calls.next().unwrap(), calls.next().unwrap());
    assert_eq!(calls.next(), None);

    let token: Value = serde_json::from_str(&shell(first)).unwrap();
    assert_eq!(token["token_type"], "bearer");
    assert_eq!(token["expires_in"], 600);
    let access = token["access_token"].as_str().unwrap();
    let rows = shell(&second.replace("ACCESS_TOKEN", access));
    assert_eq!(
        rows,
        "[{\"customer_id\":\"IDqw0ufI5mdmEhyz3XRkODwQPhsMHnbj3ei7kLYEIZc=\",\
         \"product\":\"Halal Laptop\",\"price\":999.99,\"quantity\":2},\
         {\"customer_id\":\"_WZU5qAvYek7ckQMqoo1a949VT5o_UeVNVk8Sq-vNk0=\",\
         \"product\":\"Halal Mouse\",\"price\":24.99,\"quantity\":10},\
         {\"customer_id\":\"OViAmfMozeS4Qac7UpQRKD4VwlI83NDteGWpAbO3KPQ=\",\
         \"product\":\"Halal Keyboard\",\"price\":49.99,\"quantity\":5}]"
    );
    // The password is shown this once and stands nowhere.
    let password = first.split("password=").nth(1).unwrap().trim_matches('"');
    for file in [
        "api/catalog.db",
        "api/catalog.db-wal",
        "api/audit/audit-0000000001.jsonl",
    ] {
        let bytes = fs::read(folder.path(file)).unwrap_or_default();
        let found = bytes
            .windows(password.len())
            .any(|w| w == password.as_bytes());
        assert!(!found, "{file}");
    }
    running.signal("INT");
    let _ = running.end().ends_with(0);
}

#[test]
fn the_demo_is_refused_where_others_could_reach_it() {
    let folder = Server::folder("").file(
        "open.yaml",
        glovebox_tests::server::BASE.replace("127.0.0.1:0", "0.0.0.0:0"),
    );
    let call = ["serve", "--config", "open.yaml", "--demo"];
    let _ = folder
        .call(&call)
        .ends_with(1)
        .says("for this machine only");
}
