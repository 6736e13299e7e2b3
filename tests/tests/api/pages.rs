//! The commands of README.md, docs/api.md and docs/audit.md, word for word, in their order.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use glovebox_tests::markdown::{Block, Page};
use glovebox_tests::pipeline::{Pipeline, Running, program};
use glovebox_tests::postgres::Postgres;
use glovebox_tests::server::{PASSWORD, Server};
use regex::Regex;
use serde_json::Value;

/// The address that the pages have.
const THEIRS: &str = "127.0.0.1:8000";

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// A folder with what is in `data/`, below this name.
fn data(below: &str) -> Pipeline {
    let mut folder = Pipeline::empty();
    let configuration = fs::read_to_string(repository().join("data/glovebox.yaml")).unwrap();
    assert!(configuration.contains(&format!("listen: {THEIRS}")));
    for name in [
        "sales.yaml",
        "sales.csv",
        "demo-secrets/sales/customer-salt",
    ] {
        let bytes = fs::read(repository().join("data").join(name)).unwrap();
        folder = folder.file(&format!("{below}{name}"), bytes);
    }
    // Any free port: another test, or a person, may have the usual one.
    let configuration = configuration.replace(THEIRS, "127.0.0.1:0");
    folder.file(&format!("{below}glovebox.yaml"), configuration)
}

/// A command in a folder, with the program on its path, and what it reads.
#[track_caller]
fn sh(folder: &Pipeline, command: &str, input: &str) -> String {
    let (code, said) = tried(folder, command, input);
    assert_eq!(code, 0, "{command}\n{said}");
    said
}

fn tried(folder: &Pipeline, command: &str, input: &str) -> (i32, String) {
    use std::io::Write;
    let path = std::env::var("PATH").unwrap_or_default();
    let program = program();
    // The environment that the program gets from other tests, with a shell around it.
    let template = folder.command(&[]);
    let mut shell = Command::new("sh");
    for (name, value) in template.get_envs() {
        shell.env(name, value.unwrap_or_default());
    }
    let silent = command.replacen("curl ", "curl --silent --show-error ", 1);
    let mut running = shell
        .args(["-c", &silent])
        .env(
            "PATH",
            format!("{}:{path}", program.parent().unwrap().display()),
        )
        .current_dir(folder.folder())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Whether it reads that or not.
    let _ = running.stdin.take().unwrap().write_all(input.as_bytes());
    let ended = running.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&ended.stdout).into_owned();
    match ended.status.code() {
        Some(0) => (0, said),
        code => (
            code.unwrap_or(-1),
            said + &String::from_utf8_lossy(&ended.stderr),
        ),
    }
}

/// Whether a line is what the page prints, but for numbers, digests and what `…` leaves out.
fn is_like(printed: &str, said: &str) -> bool {
    let mut pattern = String::from("^");
    let runs = Regex::new(r"run_[A-Za-z0-9_-]+|[0-9a-f]{4,}…|[0-9]+(\.[0-9]+)?|…|\s+").unwrap();
    let mut last = 0;
    for found in runs.find_iter(printed) {
        pattern += &regex::escape(&printed[last..found.start()]);
        pattern += match found.as_str() {
            text if text.starts_with("run_") => "run_[A-Za-z0-9_-]+",
            text if text.ends_with('…') => ".*",
            text if text.trim().is_empty() => r"\s+",
            _ => r"[0-9]+(\.[0-9]+)?",
        };
        last = found.end();
    }
    pattern += &regex::escape(&printed[last..]);
    Regex::new(&(pattern + "$")).unwrap().is_match(said)
}

/// Whether a JSON object has the members that the page shows, each of its kind.
fn has_members(shown: &str, said: &str) -> bool {
    let shown = shown.replace(",…", "").replace('…', "0");
    let (Ok(Value::Object(shown)), Ok(said)) = (
        serde_json::from_str(&shown),
        serde_json::from_str::<Value>(said),
    ) else {
        return false;
    };
    shown.iter().all(|(name, value)| {
        let is = said.get(name);
        is.is_some_and(|is| std::mem::discriminant(is) == std::mem::discriminant(value))
    })
}

/// A server of that folder, and where it listens.
fn serve(folder: &Pipeline, arguments: &[&str]) -> (Running, String) {
    let mut running = folder.start(arguments);
    let mut address = String::new();
    running.until("it listens", |r| {
        let said = r.stdout();
        let url = said.split("http://").nth(1).unwrap_or_default();
        address = url.split(';').next().unwrap_or_default().to_owned();
        said.contains("listens on") && !address.is_empty()
    });
    (running, address)
}

fn stop(running: Running) {
    running.signal("INT");
    let _ = running.end().ends_with(0);
}

/// The two calls that `cargo xtask serve` prints, as a page has them: the answers of both.
fn two_calls(folder: &Pipeline, block: &Block, address: &str, password: &str) -> [String; 2] {
    let commands = block.commands();
    let [token, rows] = commands.as_slice() else {
        panic!("two calls: {commands:?}");
    };
    let here = |command: &str| command.replace(THEIRS, address);
    let first = sh(folder, &here(token).replace('…', password), "");
    let told: Value = serde_json::from_str(&first).unwrap();
    let access = told["access_token"].as_str().unwrap();
    let second = sh(folder, &here(rows).replace("ACCESS_TOKEN", access), "");
    [first, second]
}

fn password(running: &mut Running) -> String {
    running.until("the calls are printed", |r| r.stdout().contains("Ctrl-C"));
    let said = running.stdout();
    let behind = said.split("password=").nth(1).unwrap();
    behind.split('"').next().unwrap().to_owned()
}

#[test]
fn the_readme_does_what_it_says() {
    let page = Page::read("README.md");
    let folder = data("data/");

    let block = page.next("cargo xtask install");
    let commands = block.commands();
    // The first builds in release mode.
    let [_, run, rows] = commands.as_slice() else {
        panic!("{commands:?}");
    };
    let said = sh(&folder, run, "") + &sh(&folder, rows, "");
    let said: Vec<&str> = said.lines().map(str::trim_end).collect();
    let shown = page.other("text", "sales: CSV from");
    for line in shown.text.lines().filter(|l| !l.is_empty()) {
        assert!(said.iter().any(|s| is_like(line, s)), "{line}\n{said:#?}");
    }
    let shown = page.other("json", "{\"row\":3");
    assert_eq!(folder.read("data/sales.rejects.jsonl"), shown.text);

    let own = Pipeline::empty().file("people.csv", "name,email\nann,ann@example.org\nbob,\n");
    for command in page.next("glovebox init people.csv").commands() {
        let _ = sh(&own, &command, "");
    }
    let clean = own.read("people.clean.csv");
    assert!(clean.lines().count() == 3 && !clean.contains("ann@example.org"));

    page.not_run(
        "cargo build --profile plugin",
        "`cargo xtask plugins` has built the same file the same way, into any target folder",
    );
    let built = program().ancestors().nth(2).unwrap().to_owned();
    let built = built.join("wasm32-wasip2/plugin/examples/email_domain.wasm");
    let masker = fs::read(&built)
        .unwrap_or_else(|e| panic!("{}: {e}; build it: cargo xtask plugins", built.display()));
    let source = page.other("rust", "//! Keeps only the domain");
    let example = repository().join("plugins/sdk/examples/email_domain.rs");
    assert_eq!(fs::read_to_string(example).unwrap(), source.text);
    let people = Pipeline::empty()
        .file("people.yaml", page.other("yaml", "name: people").text)
        .file("mine.wasm", masker)
        .file("people.csv", "name,email\nann,ann@example.org\nbob,none\n");
    let _ = people.call(&["run", "people.yaml"]).ends_with(0);
    assert_eq!(
        people.read("clean.csv"),
        "name,email\nann,example.org\nbob,\n"
    );

    into_postgresql(&page);

    page.not_run(
        "cargo xtask serve",
        "it builds first; `glovebox serve --demo`, which it calls, is called here",
    );
    let (mut running, address) = serve(
        &folder,
        &["serve", "--demo", "--config", "data/glovebox.yaml"],
    );
    let password = password(&mut running);
    let calls = page.next("curl -X POST http://127.0.0.1:8000/token");
    let [token, rows] = two_calls(&folder, &calls, &address, &password);
    assert!(token.contains("\"token_type\":\"bearer\""), "{token}");
    let rows: Value = serde_json::from_str(&rows).unwrap();
    assert_eq!(rows.as_array().unwrap().len(), 3);
    stop(running);
    page.end();
}

/// The README's part about a database of one's own, against one.
fn into_postgresql(page: &Page) {
    let postgres = Postgres::shared();
    let database = postgres.database("readme");
    let sink = page.other("yaml", "sink:\n  postgres:").text;
    let here = sink
        .replace(
            "host: db.internal",
            &format!("host: {}\n    port: {}", postgres.host(), postgres.port()),
        )
        .replace("database: sales_db", &format!("database: {database}"))
        .replace("user: loader", &format!("user: {}", postgres.user()))
        .replace(
            "ca: certs/ca.pem",
            &format!("ca: {}", postgres.ca_path().display()),
        );
    assert!(!here.contains("db.internal") && !here.contains("certs/"));
    let folder = data("data/").env("GLOVEBOX_SECRET_SALES_DB_LOADER", postgres.password());
    let manifest = folder.read("data/sales.yaml");
    let (before, behind) = manifest.split_once("sink:\n").unwrap();
    let (_, behind) = behind.split_once("\nrejects:").unwrap();
    folder.write(
        "data/sales.yaml",
        format!("{before}{here}\nrejects:{behind}"),
    );

    let block = page.next("glovebox secret set sales-db/loader");
    let commands = block.commands();
    assert_eq!(commands.len(), 7, "{commands:?}");
    // The first asks a person, and writes into the keyring of whoever runs this test: the variable
    // above stands for it.
    let _ = sh(&folder, &commands[1], "");
    let _ = sh(&folder, &commands[2], "");
    let count = "SELECT count(*)::text FROM sales";
    assert_eq!(postgres.query(&database, count)[0][0].as_deref(), Some("3"));
    // There is nothing left to go on with, and nothing is stored twice.
    for again in &commands[3..] {
        let (code, said) = tried(&folder, again, "");
        assert!([0, 1, 3].contains(&code), "{again}: {said}");
        assert_eq!(postgres.query(&database, count)[0][0].as_deref(), Some("3"));
    }
}

#[test]
fn the_manual_of_the_api_does_what_it_says() {
    let page = Page::read("docs/api.md");
    let folder = data("");
    let _ = folder.call(&["run", "sales.yaml"]).ends_with(0);

    page.not_run(
        "cargo xtask serve",
        "it builds first; `glovebox serve --demo`, which it calls, is called here",
    );
    let (mut running, address) = serve(&folder, &["serve", "--demo"]);
    let generated = password(&mut running);
    let calls = page.next("curl -X POST http://127.0.0.1:8000/token");
    let [token, rows] = two_calls(&folder, &calls, &address, &generated);
    for member in ["access_token", "token_type", "expires_in", "refresh_token"] {
        assert!(token.contains(&format!("\"{member}\":")), "{token}");
    }
    let shown = page.other("json", "[{\"customer_id\"").text;
    assert!(is_like(shown.trim(), &rows), "{rows}");
    stop(running);

    let block = page.next("glovebox secret set --generate api/token-key");
    let commands = block.commands();
    let [_, add, check, serve_it] = commands.as_slice() else {
        panic!("{commands:?}");
    };
    // The first writes into the keyring of whoever runs this test; the demo has made the same key in a
    // file. The last is started, not waited for.
    let _ = sh(&folder, add, PASSWORD);
    assert_eq!(sh(&folder, check, ""), "glovebox.yaml is fine\n");
    assert_eq!(serve_it, "glovebox serve --config glovebox.yaml");
    let (running, address) = serve(&folder, &["serve", "--config", "glovebox.yaml"]);

    let here = |command: &str| command.replace(THEIRS, &address);
    let log_in = format!(
        "curl -X POST http://{address}/token --data-urlencode username=ada \
         --data-urlencode 'password={PASSWORD}'"
    );
    let told: Value = serde_json::from_str(&sh(&folder, &log_in, "")).unwrap();
    let access = told["access_token"].as_str().unwrap().to_owned();
    let as_ada = |command: &str| here(command).replace("ACCESS_TOKEN", &access);

    let keys = page.next("curl -X POST -H");
    let commands = keys.commands();
    let [over_http, on_the_line] = commands.as_slice() else {
        panic!("{commands:?}");
    };
    let made: Value = serde_json::from_str(&sh(&folder, &as_ada(over_http), "")).unwrap();
    assert!(
        made["token"].as_str().unwrap().starts_with("gbk_"),
        "{made}"
    );
    assert!(sh(&folder, on_the_line, "").starts_with("gbk_"));

    let filtered = page.next("curl -G");
    let rows = sh(&folder, &as_ada(&filtered.commands()[0]), "");
    let rows: Value = serde_json::from_str(&rows).unwrap();
    assert_eq!(rows.as_array().unwrap().len(), 1);
    assert_eq!(rows[0]["price"], 999.99);

    let runs = page.next("curl -X POST -H \"Authorization: Bearer …\"");
    let commands = runs.commands();
    let [start, follow] = commands.as_slice() else {
        panic!("{commands:?}");
    };
    let bearer = |command: &str| here(command).replace("Bearer …", &format!("Bearer {access}"));
    let started = sh(&folder, &bearer(start), "");
    let shown = runs.printed(start);
    assert!(has_members(&shown[0], &started), "{shown:?}\n{started}");
    let told: Value = serde_json::from_str(&started).unwrap();
    let theirs = Regex::new("run_[A-Za-z0-9_-]+").unwrap();
    let follow_it = theirs.replace(follow, told["id"].as_str().unwrap());
    let events = sh(&folder, &bearer(&follow_it), "");
    let shown = runs.printed(follow);
    assert_eq!(shown[0], "event: run");
    let data = shown[1].strip_prefix("data: ").unwrap();
    let mut lines = events.lines().filter_map(|l| l.strip_prefix("data: "));
    assert!(lines.any(|l| has_members(data, l)), "{data}\n{events}");
    stop(running);
    page.end();
}

#[test]
fn the_manual_of_the_audit_log_does_what_it_says() {
    let page = Page::read("docs/audit.md");
    let block = page.next("glovebox audit key");
    let commands = block.commands();
    let [key, verify] = commands.as_slice() else {
        panic!("{commands:?}");
    };
    let configuration = "\
listen: 127.0.0.1:0
catalog: { sqlite: { path: catalog.db } }
credentials: [{ files: secrets }]
tokens: { keys: [token-key] }
audit: { folder: audit, checkpoints: audit-checkpoints, key: audit/signing-key }
";
    let folder = Pipeline::empty()
        .file("glovebox.yaml", configuration)
        .file("secrets/token-key", glovebox_tests::server::KEY);
    let public = sh(&folder, key, "").trim().to_owned();
    let shown = block.printed(key);
    assert_eq!(shown.len(), 2, "{shown:?}");
    assert_eq!(public.len(), shown[1].len());
    let server = Server::start_in(folder);
    server.user("ann", &["admin"]);
    let _ = server.log_in("ann");
    let folder = server.leave("TERM");

    assert!(
        verify.contains(&shown[1]),
        "the page verifies by the key that it made"
    );
    let said = sh(&folder, &verify.replace(&shown[1], &public), "");
    let printed = block.printed(verify);
    assert!(printed.len() > 3, "{printed:?}");
    for line in &printed {
        assert!(said.lines().any(|s| is_like(line, s)), "{line}\n{said}");
    }
    another_signing_key(&page, folder, (&shown[1], &public));
    page.end();
}

/// The old key's name on the page, and the public half that it has here.
fn another_signing_key(page: &Page, folder: Pipeline, (old_name, old): (&str, &str)) {
    let block = page.next("glovebox audit key audit/signing-key-2");
    let command = &block.commands()[0];
    let new_name = block.printed(command)[1].clone();
    let new = sh(&folder, command, "").trim().to_owned();
    assert_ne!(new, old);
    let configuration = folder.read("glovebox.yaml");
    let changed = configuration.replace("audit/signing-key", "audit/signing-key-2");
    folder.write("glovebox.yaml", changed);
    fs::remove_file(folder.path("secrets/audit/signing-key")).unwrap();
    let server = Server::start_in(folder);
    let _ = server.log_in("ann");
    let folder = server.leave("TERM");

    let block = page.next("glovebox audit verify");
    let verify = block.commands()[0]
        .replace(old_name, old)
        .replace(&new_name, &new);
    let printed = block.printed(&block.commands()[0]);
    let said = sh(&folder, &verify, "");
    assert!(said.lines().any(|line| line == printed[0]), "{said}");
    assert!(said.contains("signatures checked"), "{said}");
    for missing in [old, new.as_str()] {
        let (code, said) = tried(
            &folder,
            &verify.replace(&format!(" --public-key {missing}"), ""),
            "",
        );
        assert_eq!(code, 1, "{said}");
        assert!(said.contains("is not signed by a given key"), "{said}");
    }
}

#[test]
fn the_manual_of_deploying_is_for_containers() {
    let page = Page::read("docs/deploy.md");
    let why =
        "it takes a container engine; tests/tests/program/deploy.rs runs what is in the containers";
    page.not_run("docker compose up", why);
    page.not_run("docker compose run", why);
    page.not_run("docker compose run", why);
    page.not_run("docker build", why);
    let why =
        "it takes a cluster; tests/tests/program/chart renders the chart and runs its Pods' calls";
    for begins in [
        "kubectl create namespace",
        "random()",
        "helm upgrade",
        "kubectl -n data create job",
    ] {
        page.not_run(begins, why);
    }
    page.not_run(
        "docker build --build-arg",
        "it takes a container engine; CI builds the program with clusters",
    );
    page.not_run("glovebox cluster certificates", why);
    page.end();
}

#[test]
fn the_manual_of_operations_is_for_root_and_containers() {
    let page = Page::read("docs/operations.md");
    let root = "it changes the machine; tests/tests/program/units.rs installs the units elsewhere";
    page.not_run("useradd", root);
    page.not_run("systemctl edit", root);
    digests_of_data(&page.next("python3 -c"));
    page.not_run("umask 077", "rotations.rs runs it against a database");
    let why = "it takes a container engine; tests/tests/program/deploy.rs renews the certificates";
    page.not_run("docker compose run --rm renew", why);
    let why = "it takes a container engine; tests/tests/program/renewals.rs runs what is in them";
    page.not_run("docker compose run --rm renew --new-authority", why);
    page.not_run("umask 077", "rotations.rs runs it beside a server");
    page.end();
}

/// The manual's way to the digest that the audit log has of a file.
fn digests_of_data(block: &Block) {
    let manifest = "name: orders
source: { csv: { path: in } }
columns: { id: { type: int64 } }
credentials: [{ files: secrets }]
sink: { sqlite: { path: out.db, table: orders } }
";
    let folder = Pipeline::new(manifest)
        .file("in/orders.csv", "id\n1\n")
        .file("secrets/watch/digests", "thirty-two bytes or so of a key\n");
    let call = "watch manifest.yaml --quiet 100ms --audit audit --digest-key watch/digests";
    let mut watcher = folder.start(&call.split(' ').collect::<Vec<_>>());
    let recorded = || {
        let entries = fs::read_dir(folder.path("audit")).into_iter().flatten();
        let segments = entries.map(|entry| entry.unwrap().path());
        let texts = segments.filter_map(|path| fs::read_to_string(path).ok());
        let lines: Vec<Value> = texts
            .flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>())
            .filter_map(|line| serde_json::from_str(&line).ok())
            .collect();
        let digest = |record: &Value| Some(record["labels.hmac-sha256"].as_str()?.to_owned());
        lines.iter().find_map(digest)
    };
    watcher.until("the file is recorded", |_| recorded().is_some());
    let said = sh(&folder, &block.text, "");
    assert_eq!(Some(said.trim_end().to_owned()), recorded());
}

#[test]
#[should_panic(expected = "nobody runs this block")]
fn a_block_that_nobody_runs_is_found() {
    let page = Page::of("a page", "```sh\ntrue\n```\n\n```sh\nfalse\n```\n");
    let _ = page.next("true");
    page.end();
}

#[test]
fn what_a_page_prints_is_compared_by_its_shape() {
    assert!(is_like(
        "  records 1 to 412 in 1 segment",
        "  records 1 to 9 in 1 segment"
    ));
    assert!(is_like("  --head 412:5d1c…", "  --head 9:77aa01"));
    assert!(!is_like("audit: intact", "audit: NOT INTACT, 1 finding"));
    assert!(has_members(
        "{\"id\":\"run_x\",\"rows\":1,…}",
        "{\"rows\":7,\"id\":\"run_y\",\"z\":0}"
    ));
    assert!(!has_members("{\"id\":\"run_x\",…}", "{\"id\":7}"));
    assert!(!has_members("{\"id\":\"run_x\",…}", "{}"));
}
