//! Rows over the API: pages, filters, order, formats, and what each role sees of them; from SQLite
//! and from PostgreSQL alike.

use glovebox_tests::http::escape;
use glovebox_tests::pipeline::Pipeline;
use glovebox_tests::postgres::Postgres;
use glovebox_tests::server::Server;
use glovebox_tests::sqlite;
use serde_json::{Value, json};

const COLUMNS: &str = "    columns:
      id: { type: int64, not-null: true }
      product: { type: text }
      price: { type: float64 }
      cost: { type: \"decimal(12,2)\" }
      fresh: { type: boolean }
      raw: { type: bytes }
      day: { type: date }
      at: { type: timestamp }
    key: [id]
    roles:
      admin: {}
      analyst: { columns: [id, product, price], rows-at-most: 7 }
";

const ROLES: &str =
    "limits: { requests-a-minute-by-address: 100000, requests-a-minute-by-user: 100000 }\n";

fn sqlite_server() -> Server {
    let configuration = format!(
        "{ROLES}datasets:\n  sales:\n    sqlite: {{ path: sales.db, table: 'odd \"name' }}\n{COLUMNS}"
    );
    let folder = Server::folder(&configuration);
    folder.write("sales.db", "");
    sqlite::execute(
        &folder.path("sales.db"),
        "CREATE TABLE \"odd \"\"name\" (id INTEGER PRIMARY KEY, product TEXT, price REAL, \
         cost TEXT, fresh INTEGER, raw BLOB, day TEXT, at TEXT, secret TEXT)",
    );
    for row in rows() {
        let text = |v: &Value| {
            v.as_str()
                .map_or("NULL".into(), |t| format!("'{}'", t.replace('\'', "''")))
        };
        let raw = row["raw"]
            .as_str()
            .map_or("NULL".into(), |t| format!("x'{}'", &t[2..]));
        let at = row["at"].as_str().map_or("NULL".into(), |t| {
            let whole = t.trim_end_matches('Z');
            let whole = if whole.contains('.') {
                format!("{whole:0<26}Z")
            } else {
                format!("{whole}.000000Z")
            };
            format!("'{whole}'")
        });
        let fresh = row["fresh"]
            .as_bool()
            .map_or("NULL".into(), |b| u8::from(b).to_string());
        sqlite::execute(
            &folder.path("sales.db"),
            &format!(
                "INSERT INTO \"odd \"\"name\" VALUES ({}, {}, {}, {}, {fresh}, {raw}, {}, {at}, 'canary')",
                row["id"],
                text(&row["product"]),
                if row["price"].is_null() {
                    "NULL".into()
                } else {
                    row["price"].to_string()
                },
                text(&row["cost"]),
                text(&row["day"]),
            ),
        );
    }
    start(folder)
}

fn postgres_server(test: &str) -> Server {
    let postgres = Postgres::shared();
    let database = postgres.database(test);
    let run = |sql: &str| drop(postgres.query(&database, sql));
    run(
        "CREATE TABLE public.sales (id bigint PRIMARY KEY, product text, price double precision, \
         cost numeric(12,2), fresh boolean, raw bytea, day date, at timestamptz, secret text)",
    );
    for row in rows() {
        let text = |v: &Value| {
            v.as_str()
                .map_or("NULL".into(), |t| format!("'{}'", t.replace('\'', "''")))
        };
        let raw = row["raw"]
            .as_str()
            .map_or("NULL".into(), |t| format!("decode('{}', 'hex')", &t[2..]));
        let fresh = row["fresh"]
            .as_bool()
            .map_or("NULL".into(), |b| b.to_string());
        run(&format!(
            "INSERT INTO public.sales VALUES ({}, {}, {}, {}, {fresh}, {raw}, {}, {}, 'canary')",
            row["id"],
            text(&row["product"]),
            if row["price"].is_null() {
                "NULL".into()
            } else {
                row["price"].to_string()
            },
            text(&row["cost"]),
            text(&row["day"]),
            text(&row["at"]),
        ));
    }
    let configuration = format!(
        "{ROLES}datasets:\n  sales:\n    postgres: {{ host: {}, port: {}, database: {database}, \
         user: {}, password: {{ secret: reader }}, tls: {{ ca: {} }}, table: public.sales }}\n{COLUMNS}",
        postgres.host(),
        postgres.port(),
        postgres.user(),
        postgres.ca_path().display(),
    );
    start(Server::folder(&configuration).file("secrets/reader", postgres.password()))
}

fn start(folder: Pipeline) -> Server {
    let server = Server::start_in(folder);
    server.user("ada", &["admin"]);
    server.user("bob", &["analyst"]);
    server
}

/// Rows with equals and nulls everywhere but in the key.
fn rows() -> Vec<Value> {
    (0..40)
        .map(|i| {
            let some = |every: i64, value: Value| if i % every == 0 { Value::Null } else { value };
            json!({
                "id": i * 3 - 20,
                "product": some(7, json!(["Halal Tea", "halal, \"tea\"", "Ünï\ncode", ""][(i % 4) as usize])),
                "price": some(5, match i % 6 {
                    // As JSON has them: the fewest digits.
                    even if even % 2 == 0 => json!(even / 2 * 3),
                    odd => json!(odd as f64 * 1.5),
                }),
                "cost": some(9, json!(format!("{}.{:02}", i % 3, i % 10))),
                "fresh": some(4, json!(i % 2 == 0)),
                "raw": some(6, json!(format!("\\x{i:02x}ff"))),
                "day": some(8, json!(format!("2024-02-{:02}", i % 28 + 1))),
                "at": some(11, json!(if i % 3 == 0 {
                    format!("2024-01-01T00:00:{:02}Z", i % 60)
                } else {
                    format!("2024-01-01T00:00:{:02}.500000Z", i % 60)
                })),
            })
        })
        .collect()
}

/// All pages of a query, and how many there were.
fn pages(server: &Server, token: &str, query: &str) -> (Vec<Value>, usize) {
    let mut all = Vec::new();
    let mut target = format!("/sales?{query}");
    for count in 1.. {
        let reply = server.get(&target, token).is(200);
        all.extend(reply.json().as_array().unwrap().clone());
        let Some(link) = reply.header("link") else {
            assert_eq!(reply.header("x-next-cursor"), None);
            return (all, count);
        };
        target = link.split(['<', '>']).nth(1).unwrap().to_owned();
    }
    unreachable!()
}

fn each(test: impl Fn(&Server)) {
    test(&sqlite_server());
    static NUMBER: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    test(&postgres_server(&format!("api_datasets_{number}")));
}

#[test]
fn every_type_comes_back_as_it_was_stored() {
    each(|server| {
        let (token, _) = server.log_in("ada");
        let got = server.get("/sales?limit=1000", &token).is(200).json();
        assert_eq!(got, json!(rows()));
    });
}

#[test]
fn pages_make_the_whole_in_any_order() {
    each(|server| {
        let (token, _) = server.log_in("ada");
        let sqlite = server.folder.path("sales.db").exists();
        for sort in [
            "",
            "id",
            "-id",
            "price",
            "-price",
            "product,-price",
            "day,-at,id",
            "fresh,raw",
            "-cost",
        ] {
            if sqlite && sort.contains("cost") {
                // Its order as text would be a wrong one.
                let reply = server.get(&format!("/sales?sort={sort}"), &token).is(400);
                assert_eq!(reply.problem(), "bad-query");
                continue;
            }
            let whole = server.get(&format!("/sales?limit=1000&sort={sort}"), &token);
            let whole = if sort.is_empty() {
                server.get("/sales?limit=1000", &token)
            } else {
                whole
            };
            let whole = whole.is(200).json();
            let sort = if sort.is_empty() {
                String::new()
            } else {
                format!("&sort={sort}")
            };
            let (paged, count) = pages(server, &token, &format!("limit=6{sort}"));
            assert_eq!(json!(paged), whole, "{sort}");
            assert_eq!((paged.len(), count), (40, 7), "{sort}");
        }
        // Nulls are last either way.
        for sort in ["price", "-price"] {
            let got = server
                .get(&format!("/sales?limit=1000&sort={sort}"), &token)
                .is(200)
                .json();
            let nulls: Vec<bool> = got
                .as_array()
                .unwrap()
                .iter()
                .map(|r| r["price"].is_null())
                .collect();
            assert!(nulls.is_sorted(), "{sort}");
        }
    });
}

#[test]
fn filters_keep_what_they_say() {
    each(|server| {
        let (token, _) = server.log_in("ada");
        let kept = |query: &str| -> Vec<Value> {
            let reply = server.get(&format!("/sales?limit=1000&{query}"), &token);
            reply.is(200).json().as_array().unwrap().clone()
        };
        type Keeps = fn(&Value) -> bool;
        let cases: [(String, Keeps); 13] = [
            ("id=-20".into(), |r| r["id"] == -20),
            ("price%5Bgte%5D=4.5".into(), |r| {
                r["price"].as_f64().is_some_and(|p| p >= 4.5)
            }),
            ("price[lt]=4.5&price[gt]=0".into(), |r| {
                r["price"].as_f64().is_some_and(|p| p > 0.0 && p < 4.5)
            }),
            ("price[ne]=0".into(), |r| {
                r["price"].as_f64().is_some_and(|p| p != 0.0)
            }),
            (format!("product={}", escape("halal, \"tea\"")), |r| {
                r["product"] == "halal, \"tea\""
            }),
            (format!("product[starts-with]={}", escape("Ünï\n")), |r| {
                r["product"]
                    .as_str()
                    .is_some_and(|p| p.starts_with("Ünï\n"))
            }),
            ("product[starts-with]=%25".into(), |_| false),
            ("product[in]=&product[in]=Halal%20Tea".into(), |r| {
                r["product"] == "" || r["product"] == "Halal Tea"
            }),
            ("product[null]=true".into(), |r| r["product"].is_null()),
            ("fresh=true".into(), |r| r["fresh"] == true),
            ("day[lte]=2024-02-05".into(), |r| {
                r["day"].as_str().is_some_and(|d| d <= "2024-02-05")
            }),
            ("at=2024-01-01T01:00:04.5%2B01:00".into(), |r| {
                r["at"] == "2024-01-01T00:00:04.500000Z"
            }),
            ("cost=1.04".into(), |r| r["cost"] == "1.04"),
        ];
        for (query, keeps) in cases {
            let expected: Vec<Value> = rows().into_iter().filter(keeps).collect();
            assert_eq!(kept(&query), expected, "{query}");
        }
        assert_eq!(kept("raw=%5Cx04ff").len(), 1);
    });
}

#[test]
fn no_words_of_a_client_reach_the_database_as_sql() {
    each(|server| {
        let (token, _) = server.log_in("ada");
        for attack in [
            "'; DROP TABLE sales; --",
            "' OR '1'='1",
            "\" OR 1=1 --",
            "1); DELETE FROM sales; --",
            "%' OR 1=1 --",
            "$1",
            "?1",
            "x' UNION SELECT secret FROM sales --",
        ] {
            let value = escape(attack);
            let found = server
                .get(&format!("/sales?product={value}"), &token)
                .is(200)
                .json();
            assert_eq!(found, json!([]), "{attack}");
            for target in [
                format!("/sales?{value}=1"),
                format!("/sales?sort={value}"),
                format!("/sales?columns={value}"),
                format!("/sales?limit={value}"),
                format!("/sales?id={value}"),
            ] {
                let reply = server.get(&target, &token).is(400);
                assert!(!reply.text().contains("DROP") && !reply.text().contains("UNION"));
            }
        }
        for hidden in [
            "columns=secret",
            "sort=secret",
            "secret=canary",
            "secret[gte]=a",
        ] {
            let reply = server.get(&format!("/sales?{hidden}"), &token).is(400);
            assert!(!reply.text().contains("secret"));
        }
        assert_eq!(
            server.get("/sales?limit=1000", &token).json(),
            json!(rows())
        );
    });
}

#[test]
fn a_role_sees_its_columns_and_rows_and_nothing_of_others() {
    let server = sqlite_server();
    let (token, _) = server.log_in("bob");
    let reply = server.get("/sales", &token).is(200).json();
    let first = reply[0].as_object().unwrap();
    assert_eq!(first.keys().collect::<Vec<_>>(), ["id", "price", "product"]);
    assert_eq!(reply.as_array().unwrap().len(), 7);
    for hidden in [
        "columns=cost",
        "sort=cost",
        "cost=1.00",
        "day[gte]=2024-01-01",
        "limit=8",
    ] {
        assert_eq!(
            server
                .get(&format!("/sales?{hidden}"), &token)
                .is(400)
                .problem(),
            "bad-query"
        );
    }
    let listed = server.get("/datasets", &token).is(200).json();
    assert_eq!(listed[0]["rows_at_most"], 7);
    assert_eq!(listed[0]["columns"].as_array().unwrap().len(), 3);
    // What leaves is recorded, with how much of it; values are not.
    let reads: Vec<Value> = server
        .audit()
        .into_iter()
        .filter(|e| e["event.action"] == "data-read")
        .collect();
    assert_eq!(reads[0]["labels.rows"], 7);
    assert_eq!(
        reads[0]["labels.columns"],
        json!(["id", "product", "price"])
    );
    assert_eq!(reads[0]["user.name"], "bob");
    for text in [server.audit_text(), server.log()] {
        assert!(!text.contains("Halal") && !text.contains("2024-01-01"));
    }
}

#[test]
fn a_cursor_is_good_for_its_query_only() {
    let server = sqlite_server();
    let (token, _) = server.log_in("ada");
    let first = server.get("/sales?limit=5&sort=price", &token).is(200);
    let cursor = first.header("x-next-cursor").unwrap();
    let with = |query: &str| server.get(&format!("/sales?{query}&cursor={cursor}"), &token);
    let _ = with("limit=9&sort=price").is(200);
    let _ = with("sort=price&columns=id").is(200);
    for query in [
        "sort=-price",
        "sort=day",
        "limit=5",
        "sort=price&id=1",
        "sort=price&cursor=x",
    ] {
        assert!([400, 404].contains(&with(query).status), "{query}");
    }
    assert_eq!(with("sort=id").problem(), "bad-cursor");
    // It says nothing of what it holds.
    assert!(!cursor.contains("1.5") && cursor.len() > 40);
}

#[test]
fn every_format_is_sent_as_accepted_and_an_etag_saves_the_way() {
    let server = sqlite_server();
    let (token, _) = server.log_in("ada");
    let bearer = format!("Bearer {token}");
    let get = |more: &[(&str, &str)]| {
        let headers = [&[("Authorization", bearer.as_str())], more].concat();
        server.call("GET", "/sales?limit=3&columns=id,product", &headers, b"")
    };
    let csv = get(&[("Accept", "text/csv")]).is(200);
    assert_eq!(
        csv.header("content-type"),
        Some("text/csv; charset=utf-8; header=present")
    );
    assert_eq!(
        csv.text(),
        "id,product\n-20,\n-17,\"halal, \"\"tea\"\"\"\n-14,\"Ünï\ncode\"\n"
    );
    let lines = get(&[("Accept", "application/x-ndjson")]).is(200);
    assert_eq!(
        lines.text().lines().next(),
        Some("{\"id\":-20,\"product\":null}")
    );
    let arrow = get(&[("Accept", "application/vnd.apache.arrow.stream")]).is(200);
    assert_eq!(&arrow.body[..4], [0xff; 4]);
    assert_eq!(
        get(&[("Accept", "text/html")]).is(406).problem(),
        "not-acceptable"
    );
    let json = get(&[("Accept", "text/html, */*;q=0.1")]).is(200);
    assert_eq!(json.header("content-type"), Some("application/json"));
    let etag = json.header("etag").unwrap().to_owned();
    let same = get(&[("If-None-Match", &etag)]).is(304);
    assert_eq!(
        (same.header("etag"), same.body.len()),
        (Some(etag.as_str()), 0)
    );
    let _ = get(&[("If-None-Match", "\"other\"")]).is(200);
    let _ = get(&[("If-None-Match", &etag), ("Accept", "text/csv")]).is(200);
    let head = [("Authorization", bearer.as_str())];
    let head = server.call("HEAD", "/sales?limit=3", &head, b"").is(200);
    assert!(head.body.is_empty() && head.header("etag").is_some());
}

#[test]
fn a_table_that_is_away_or_not_as_declared_is_no_answer() {
    let server = sqlite_server();
    let (token, _) = server.log_in("ada");
    let file = server.folder.path("sales.db");
    let _ = server.get("/readyz", "").is(200);
    sqlite::execute(
        &file,
        "UPDATE \"odd \"\"name\" SET price = 'canary' WHERE id = 1",
    );
    let reply = server.get("/sales?limit=1000", &token).is(500);
    assert_eq!(reply.problem(), "internal");
    assert!(!reply.text().contains("canary") && !server.log().contains("canary"));
    // A new file under the old name is the one that is read.
    std::fs::rename(&file, server.folder.path("away.db")).unwrap();
    assert_eq!(
        server.get("/sales", &token).is(503).problem(),
        "unavailable"
    );
    let _ = server.get("/readyz", "").is(503);
    server.folder.write("sales.db", "");
    sqlite::execute(
        &file,
        "CREATE TABLE \"odd \"\"name\" (id INTEGER PRIMARY KEY, product TEXT, price REAL, \
         cost TEXT, fresh INTEGER, raw BLOB, day TEXT, at TEXT)",
    );
    assert_eq!(server.get("/sales", &token).is(200).json(), json!([]));
    // Reading leaves no trace in the file.
    let mode = sqlite::query(&file, "PRAGMA journal_mode");
    assert_eq!(mode[0][0].as_deref(), Some("delete"));
}

/// Types that are read as text and are none: keys, filters and places are compared as their own.
#[test]
fn columns_of_other_types_are_compared_as_what_they_are() {
    let postgres = Postgres::shared();
    let database = postgres.database("api_own_types");
    let run = |sql: &str| drop(postgres.query(&database, sql));
    run("CREATE TYPE public.\"a mood\" AS ENUM ('sad', 'ok', 'glad')");
    run(
        "CREATE TABLE public.things (id uuid PRIMARY KEY, mood public.\"a mood\", net inet, \
         name varchar(20), more json, until timestamptz)",
    );
    run(
        "INSERT INTO public.things SELECT ('00000000-0000-0000-0000-00000000000' || n)::uuid, \
         (enum_range(NULL::public.\"a mood\"))[n % 3 + 1], ('10.0.0.' || n)::inet, 'thing ' || n, '{}' \
         FROM generate_series(1, 7) n",
    );
    let configuration = format!(
        "{ROLES}datasets:\n  sales:\n    postgres: {{ host: {}, port: {}, database: {database}, \
         user: {}, password: {{ secret: reader }}, tls: {{ ca: {} }}, table: public.things }}\n    \
         key: [id]\n    roles: {{ admin: {{}} }}\n    columns:\n      id: {{ type: text, not-null: true }}\n      mood: {{ type: text }}\n      \
         net: {{ type: text }}\n      name: {{ type: text }}\n      more: {{ type: text }}\n      until: {{ type: timestamp }}\n",
        postgres.host(),
        postgres.port(),
        postgres.user(),
        postgres.ca_path().display(),
    );
    let folder = Server::folder(&configuration).file("secrets/reader", postgres.password());
    let server = start(folder);
    let (token, _) = server.log_in("ada");
    let names = |query: &str| -> Vec<String> {
        let (rows, _) = pages(&server, &token, query);
        let name = |row: &Value| row["name"].as_str().unwrap().replace("thing ", "");
        rows.iter().map(name).collect()
    };
    assert_eq!(names("limit=2"), ["1", "2", "3", "4", "5", "6", "7"]);
    let id = "00000000-0000-0000-0000-000000000003";
    assert_eq!(names(&format!("id={id}")), ["3"]);
    assert_eq!(names(&format!("id[gt]={id}&limit=2")), ["4", "5", "6", "7"]);
    // In the order of the type, by which `glad` is the most and not the least.
    assert_eq!(
        names("sort=-mood,-id&limit=3"),
        ["5", "2", "7", "4", "1", "6", "3"]
    );
    assert_eq!(names("mood[gt]=sad&limit=1"), ["1", "2", "4", "5", "7"]);
    assert_eq!(names("mood=glad"), ["2", "5"]);
    assert_eq!(names("net[lt]=10.0.0.3"), ["1", "2"]);
    assert_eq!(names(&format!("id[starts-with]={}", &id[..8])).len(), 7);
    assert_eq!(names("name=thing%204"), ["4"]);
    for wrong in ["id=4711", "mood=merry", "more=%7B%7D", "sort=more"] {
        let reply = server.get(&format!("/sales?{wrong}"), &token);
        assert_eq!(reply.status, 400, "{wrong}");
    }
    // What the table holds is not the fault of who asks.
    run("UPDATE public.things SET until = 'infinity'");
    for query in ["", "name=thing%204"] {
        let reply = server.get(&format!("/sales?columns=until&{query}"), &token);
        assert_eq!(reply.status, 503, "{query}");
    }
}
