//! Tokens: what is kept of cells beside the rows, opened by two officers together, and erased.

use std::collections::BTreeSet;

use glovebox_tests::pipeline::{Pipeline, Ran};
use glovebox_tests::postgres::Postgres;
use glovebox_tests::sqlite;
use serde_json::Value;

const CANARY: &str = "canary-9e4b";
const MAIL: [&str; 3] = [
    "canary-9e4b@example.org",
    "bob.canary-9e4b@example.org",
    "c\u{e9}line.canary-9e4b@example.org",
];

/// Where rows and tokens go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Place {
    Sqlite,
    Postgres,
}

struct Vault {
    place: Place,
    database: String,
    pipeline: Pipeline,
}

fn key(pipeline: &Pipeline, call: &[&str]) -> Ran {
    pipeline.call(&[&["key", "--files", "keys"], call].concat())
}

/// A new key pair, of which the private key is the secret `NAME@1`.
fn pair(pipeline: &Pipeline, name: &str) -> String {
    let made = key(pipeline, &["new", name, "--pair"]).ends_with(0);
    let public = made.stdout.lines().last().unwrap();
    public.strip_prefix("public key: ").unwrap().to_owned()
}

impl Vault {
    /// A pipeline with its keys made, not run yet; `terms` stand beside the officers.
    fn new(place: Place, terms: &str) -> Self {
        let pipeline = Pipeline::empty();
        let _ = key(&pipeline, &["new", "app/tokens"]).ends_with(0);
        let officers = [pair(&pipeline, "one"), pair(&pipeline, "two")].join(", ");
        let (database, sink) = match place {
            Place::Sqlite => (
                String::new(),
                "sqlite: { path: out.db, table: people, mode: append }".to_owned(),
            ),
            Place::Postgres => {
                let server = Postgres::shared();
                let database = server.database("tokens");
                pipeline.write("keys/password", server.password());
                let sink = format!(
                    "postgres: {{ {}, table: people, mode: append }}",
                    server.place(&database)
                );
                (database, sink)
            }
        };
        let manifest = format!(
            "name: people
source: {{ csv: {{ path: in.csv }} }}
columns:
  id: {{ type: int64 }}
  email: {{ type: text, personal: true }}
  number: {{ type: int64, personal: true }}
  note: {{ type: text }}
credentials: [{{ files: keys }}]
steps:
  - name: tokens
    mask: tokenize
    masks: [email, number]
    keys: {{ tokenize: app/tokens@1 }}
    tokens: {{ officers: [{officers}]{terms} }}
  - {{ validate: required, reads: [note] }}
sink: {{ {sink} }}
rejects: {{ path: rejects.jsonl }}
"
        );
        pipeline.write("manifest.yaml", manifest);
        // A value twice, none, and one of a row that a later step rejects.
        let rows = format!(
            "id,email,number,note\n1,{},4711,x\n2,{},4712,x\n3,{},4711,x\n4,,4713,x\n5,{},,x\n6,lost.{CANARY}@example.org,4714,\n",
            MAIL[0], MAIL[1], MAIL[0], MAIL[2]
        );
        pipeline.write("in.csv", rows);
        Vault {
            place,
            database,
            pipeline,
        }
    }

    fn run(place: Place, terms: &str) -> Self {
        let vault = Vault::new(place, terms);
        let _ = vault.pipeline.run().ends_with(0);
        vault
    }

    /// SQL of which every column is text; tables of tokens are `TOKEN` and `TOKEN_KEY`.
    fn query(&self, sql: &str) -> Vec<Vec<Option<String>>> {
        match self.place {
            Place::Sqlite => {
                let sql = sql.replace("TOKEN_KEY", "glovebox_token_key");
                let sql = sql.replace("TOKEN", "glovebox_token");
                sqlite::query(&self.pipeline.path("out.db"), &sql)
            }
            Place::Postgres => {
                let sql = sql.replace("TOKEN_KEY", "glovebox.token_key");
                let sql = sql.replace("TOKEN", "glovebox.token");
                Postgres::shared().query(&self.database, &sql)
            }
        }
    }

    fn execute(&self, sql: &str) {
        match self.place {
            Place::Sqlite => {
                let sql = sql.replace("TOKEN", "glovebox_token");
                sqlite::execute(&self.pipeline.path("out.db"), &sql);
            }
            Place::Postgres => {
                let sql = sql.replace("TOKEN", "glovebox.token");
                let _ = Postgres::shared().query(&self.database, &sql);
            }
        }
    }

    fn texts(&self, sql: &str) -> Vec<String> {
        let rows = self.query(sql);
        rows.into_iter().flatten().flatten().collect()
    }

    fn count(&self, what: &str) -> String {
        self.texts(&format!("SELECT CAST(count(*) AS text) FROM {what}"))
            .remove(0)
    }

    fn stored(&self, column: &str) -> Vec<String> {
        self.texts(&format!("SELECT {column} FROM people ORDER BY id"))
    }

    /// Everything that the database holds.
    fn held(&self) -> Vec<u8> {
        match self.place {
            Place::Sqlite => {
                let mut held = std::fs::read(self.pipeline.path("out.db")).unwrap();
                held.extend(std::fs::read(self.pipeline.path("out.db-wal")).unwrap_or_default());
                held
            }
            Place::Postgres => {
                let all = "SELECT t::text FROM TOKEN t UNION ALL SELECT k::text FROM TOKEN_KEY k \
                    UNION ALL SELECT p::text FROM people p UNION ALL SELECT c::text FROM glovebox.chunk c";
                self.texts(all).join("\n").into_bytes()
            }
        }
    }

    fn reveal(&self, column: &str, values: &str, more: &[&str]) -> Ran {
        let call = [
            "reveal",
            "manifest.yaml",
            column,
            "--reason",
            "ticket 17",
            "--audit",
            "audit",
        ];
        self.pipeline
            .call_with_input(&[&call, more].concat(), values.as_bytes())
    }

    /// The first officer's part, into a file of its own.
    fn share(&self, column: &str, values: &str, file: &str) -> Ran {
        self.reveal(
            column,
            values,
            &["--private-key", "one@1", "--make-share", file],
        )
    }

    /// The second officer's.
    fn open(&self, column: &str, file: &str) -> Ran {
        self.reveal(column, "", &["--private-key", "two@1", "--use-share", file])
    }

    fn forget(&self, values: &str, more: &[&str]) -> Ran {
        let call = [
            "forget",
            "manifest.yaml",
            "email",
            "--reason",
            "erasure 3",
            "--audit",
            "audit",
        ];
        self.pipeline
            .call_with_input(&[&call, more].concat(), values.as_bytes())
    }

    fn records(&self) -> Vec<Value> {
        let log = self.pipeline.read("audit/audit-0000000001.jsonl");
        let records = log
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap());
        let ours = ["revealed", "tokens-shared", "tokens-forgotten"];
        let is_ours = |r: &Value| ours.iter().any(|action| r["event.action"] == *action);
        records.filter(is_ours).collect()
    }
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes
        .windows(text.len())
        .any(|window| window == text.as_bytes())
}

fn two_officers(place: Place) {
    let vault = Vault::run(place, "");
    let tokens = vault.stored("email");
    assert_eq!(tokens.len(), 4, "{tokens:?}");
    assert_eq!(tokens[0], tokens[2]);
    let distinct: BTreeSet<_> = tokens.iter().cloned().collect();
    let numbers: BTreeSet<_> = vault.stored("number").into_iter().collect();
    let kept = |domain: &str| -> BTreeSet<String> {
        let sql = format!("SELECT token FROM TOKEN WHERE domain = '{domain}'");
        vault.texts(&sql).into_iter().collect()
    };
    // As many as there are distinct values in stored rows: none of the row that was rejected later.
    assert_eq!((distinct.len(), numbers.len()), (3, 3));
    assert_eq!((kept("email"), kept("number")), (distinct.clone(), numbers));
    assert!(!holds(&vault.held(), CANARY));
    assert!(!vault.pipeline.read("rejects.jsonl").contains(CANARY));

    let asked = format!("{}\n{}\n{}\n", tokens[1], tokens[0], tokens[0]);
    let shared = vault.share("email", &asked, "share").ends_with(0);
    assert_eq!(shared.stdout, "");
    assert!(!vault.pipeline.read("share").contains(CANARY));
    let opened = vault.open("email", "share").ends_with(0);
    assert_eq!(
        opened.stdout,
        format!("{}\n{}\n{}\n", MAIL[1], MAIL[0], MAIL[0])
    );
    // The officers in the other order, and a number.
    let number = vault.stored("number").remove(0);
    let one = ["--private-key", "two@1", "--make-share", "other"];
    let _ = vault.reveal("number", &number, &one).ends_with(0);
    let two = ["--private-key", "one@1", "--use-share", "other"];
    let opened = vault.reveal("number", "", &two).ends_with(0);
    assert_eq!(opened.stdout, "4711\n");

    // Who made a share cannot use it, and neither can anybody else.
    let own = ["--private-key", "one@1", "--use-share", "share"];
    let ran = vault
        .reveal("email", "", &own)
        .ends_with(3)
        .says("does not open");
    assert_eq!(ran.stdout, "\n\n\n");
    let _ = pair(&vault.pipeline, "three");
    let stranger = ["--private-key", "three@1", "--use-share", "share"];
    let ran = vault.reveal("email", "", &stranger).ends_with(3);
    assert_eq!(ran.stdout, "\n\n\n");
    let stranger = ["--private-key", "three@1", "--make-share", "none"];
    let _ = vault
        .reveal("email", &asked, &stranger)
        .ends_with(1)
        .says("of neither officer");
    for alone in [&[][..], &["--private-key", "one@1"]] {
        let ran = vault
            .reveal("email", &asked, alone)
            .ends_with(2)
            .says("two officers");
        assert_eq!(ran.stdout, "");
    }
    let records = vault.records();
    let told: Vec<_> = records
        .iter()
        .map(|r| {
            (
                r["event.action"].as_str().unwrap(),
                r["labels.rows"].as_u64().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("tokens-shared", 3),
            ("revealed", 3),
            ("tokens-shared", 1),
            ("revealed", 1),
            ("revealed", 0),
            ("revealed", 0),
        ]
    );
    assert!(records.iter().all(|r| !r.to_string().contains(CANARY)));

    // The same values again: no more tokens.
    let _ = vault.pipeline.run_with(&["--again"]).ends_with(0);
    assert_eq!(vault.count("people"), "10");
    assert_eq!(vault.count("TOKEN"), "6");
}

#[test]
fn two_officers_have_cells_back_and_neither_alone() {
    for place in [Place::Sqlite, Place::Postgres] {
        two_officers(place);
    }
}

#[test]
fn what_is_no_token_here_is_refused_by_its_line() {
    let vault = Vault::run(Place::Sqlite, "");
    let token = vault.stored("email").remove(0);
    let number = vault.stored("number").remove(0);
    let last = if token.ends_with('0') { "1" } else { "0" };
    let bent = format!("{}{last}", &token[..token.len() - 1]);
    let asked = format!("{bent}\n{token}\n{number}\n{CANARY}\n");
    let ran = vault.share("email", &asked, "share").ends_with(3);
    assert_eq!(
        (ran.stdout.as_str(), ran.stderr.contains(CANARY)),
        ("", false)
    );
    let _ = ran
        .says("line 1: the value is not kept here")
        .says("line 3: the value is not kept here")
        .says("line 4: the value is not a token");
    assert_eq!(
        vault.open("email", "share").ends_with(0).stdout,
        format!("{}\n", MAIL[0])
    );
    let _ = vault
        .open("number", "share")
        .ends_with(1)
        .says("another domain");
    let _ = vault
        .share("email", &token, "share")
        .ends_with(1)
        .says("name a new file");
    vault.pipeline.write(
        "bent",
        vault.pipeline.read("share").replace("half", "halves"),
    );
    let _ = vault
        .open("email", "bent")
        .ends_with(1)
        .says("is not a share");
    // One bit of what is stored.
    vault.execute("UPDATE TOKEN SET sealed = CAST(x'00' || substr(sealed, 2) AS BLOB)");
    let ran = vault
        .open("email", "share")
        .ends_with(3)
        .says("does not open");
    assert_eq!(ran.stdout, "\n");
    // Nothing is given back that cannot be recorded.
    vault.pipeline.write("no-folder", "");
    let call = [
        "reveal",
        "manifest.yaml",
        "email",
        "--reason",
        "x",
        "--audit",
        "no-folder",
    ];
    let more = ["--private-key", "two@1", "--use-share", "share"];
    let ran = vault
        .pipeline
        .call(&[&call[..], &more].concat())
        .ends_with(1);
    assert_eq!(ran.stdout, "");
}

#[test]
fn a_token_opens_as_often_and_as_long_as_it_may() {
    for (place, past) in [
        (Place::Sqlite, "'2000-01-01 00:00:00Z'"),
        (Place::Postgres, "'2000-01-01'"),
    ] {
        let vault = Vault::run(place, ", uses: 2, expires: 30d");
        let tokens = vault.stored("email");
        let _ = vault
            .share("email", &format!("{}\n{}\n", tokens[0], tokens[1]), "share")
            .ends_with(0);
        for _ in 0..2 {
            let _ = vault.open("email", "share").ends_with(0);
        }
        let used = "SELECT CAST(uses AS text) FROM TOKEN WHERE domain = 'email' ORDER BY uses DESC";
        assert_eq!(vault.texts(used), ["2", "2", "0"]);
        let ran = vault
            .open("email", "share")
            .ends_with(3)
            .says("as often as it may");
        assert_eq!(ran.stdout, "\n\n");
        let _ = vault
            .share("email", &tokens[0], "more")
            .ends_with(3)
            .says("as often as it may");
        vault.execute(&format!("UPDATE TOKEN SET uses = 0, expires = {past}"));
        let ran = vault
            .open("email", "share")
            .ends_with(3)
            .says("has expired");
        assert_eq!(ran.stdout, "\n\n");
        assert_eq!(vault.texts(used), ["0", "0", "0"]);
    }
}

#[test]
fn what_was_forgotten_never_opens_again() {
    for place in [Place::Sqlite, Place::Postgres] {
        let vault = Vault::run(place, "");
        let tokens = vault.stored("email");
        let asked = format!("{}\n{}\n", tokens[0], tokens[1]);
        let _ = vault.share("email", &asked, "share").ends_with(0);
        let all: Vec<String> = vault.texts(match place {
            Place::Sqlite => "SELECT hex(sealed) FROM TOKEN",
            Place::Postgres => "SELECT upper(encode(sealed, 'hex')) FROM TOKEN",
        });
        assert_eq!(all.len(), 6);
        let _ = vault.forget(&tokens[0], &[]).ends_with(1).says("--yes");
        assert_eq!(vault.count("TOKEN"), "6");
        let _ = vault
            .forget(&tokens[0], &["--yes"])
            .ends_with(0)
            .prints("1 tokens erased");
        let ran = vault
            .open("email", "share")
            .ends_with(3)
            .says("is not kept here");
        assert_eq!(ran.stdout, format!("\n{}\n", MAIL[1]));
        // By the cell itself; the key of the batch goes with the last token under it.
        let cells = format!("{}\nnever.{CANARY}\n", MAIL[1]);
        let ran = vault
            .forget(&cells, &["--cells", "--yes"])
            .ends_with(0)
            .prints("1 tokens erased");
        assert!(!(ran.stdout + &ran.stderr).contains(CANARY));
        assert_eq!(vault.open("email", "share").ends_with(3).stdout, "\n\n");
        assert_eq!(vault.count("TOKEN_KEY"), "2");
        let _ = vault.forget(&tokens[3], &["--yes"]).ends_with(0);
        assert_eq!(vault.count("TOKEN_KEY"), "1");
        let left: BTreeSet<_> = vault
            .texts(match place {
                Place::Sqlite => "SELECT hex(sealed) FROM TOKEN",
                Place::Postgres => "SELECT upper(encode(sealed, 'hex')) FROM TOKEN",
            })
            .into_iter()
            .collect();
        assert_eq!(left.len(), 3);
        if place == Place::Sqlite {
            // Overwritten, and not only unlinked.
            let held = vault.held();
            for sealed in &all {
                let bytes: Vec<u8> = (0..sealed.len())
                    .step_by(2)
                    .map(|at| u8::from_str_radix(&sealed[at..at + 2], 16).unwrap())
                    .collect();
                let found = held.windows(bytes.len()).any(|window| window == bytes);
                assert_eq!(found, left.contains(sealed));
            }
        }
        // The rows keep their tokens; the same value that comes again has the same one.
        assert_eq!(vault.stored("email"), tokens);
        let _ = vault.pipeline.run_with(&["--again"]).ends_with(0);
        assert_eq!(vault.count("TOKEN"), "6");
        let records = vault.records();
        let forgotten = records
            .iter()
            .filter(|r| r["event.action"] == "tokens-forgotten");
        let told: Vec<_> = forgotten
            .map(|r| {
                (
                    r["event.outcome"].as_str().unwrap(),
                    r["labels.rows"].as_u64(),
                )
            })
            .collect();
        let twice = [("unknown", None), ("success", Some(1))];
        assert_eq!(told, [twice, twice, twice].concat());
        assert!(records.iter().all(|r| !r.to_string().contains(CANARY)));
    }
}

#[test]
fn tokens_without_officers_or_a_database_are_refused_before_the_first_row() {
    let vault = Vault::new(Place::Sqlite, "");
    let manifest = vault.pipeline.read("manifest.yaml");
    let line = manifest
        .lines()
        .find(|line| line.contains("officers"))
        .unwrap();
    let officers: Vec<&str> = line.split(['[', ']']).nth(1).unwrap().split(", ").collect();
    let with =
        |list: &str| manifest.replace(line, &format!("    tokens: {{ officers: [{list}] }}"));
    let file = "sqlite: { path: out.db, table: people, mode: append }";
    for (manifest, told) in [
        (manifest.replace(line, ""), "tokens need two officers"),
        (with(officers[0]), "tokens have two officers"),
        (
            with(&[officers[0], officers[0]].join(", ")),
            "both officers have this key",
        ),
        (with("one, two"), "this is not an officer's public key"),
        (
            manifest.replace(file, "csv: { path: out.csv }"),
            "a file cannot keep tokens",
        ),
        (
            manifest.replace("mask: tokenize", "mask: redact"),
            "no mask of this step is a token",
        ),
    ] {
        vault.pipeline.write("manifest.yaml", manifest);
        let _ = vault
            .pipeline
            .call(&["check", "manifest.yaml"])
            .ends_with(2)
            .says(told);
    }
}

#[test]
fn check_says_who_opens_tokens() {
    let vault = Vault::new(Place::Sqlite, "");
    let explained = vault
        .pipeline
        .call(&["check", "manifest.yaml", "--explain"])
        .ends_with(0);
    let told = "two officers together, at once; whoever has the key, by trying likely values";
    assert!(explained.stdout.contains(told), "{}", explained.stdout);
}
