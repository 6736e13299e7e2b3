//! What becomes of the connections that pages are read over.

use glovebox_tests::postgres::Postgres;
use glovebox_tests::server::Server;
use serde_json::json;

fn server(database: &str) -> Server {
    let postgres = Postgres::shared();
    let _ = postgres.query(
        database,
        "CREATE TABLE public.sales (id bigint PRIMARY KEY); INSERT INTO public.sales VALUES (1)",
    );
    let configuration = format!(
        "datasets:\n  sales:\n    postgres: {{ host: {}, port: {}, database: {database}, user: {}, \
         password: {{ secret: reader }}, tls: {{ ca: {} }}, table: public.sales, connections: 2 }}
    columns: {{ id: {{ type: int64, not-null: true }} }}\n    key: [id]\n",
        postgres.host(),
        postgres.port(),
        postgres.user(),
        postgres.ca_path().display(),
    );
    let folder = Server::folder(&configuration).file("secrets/reader", postgres.password());
    let server = Server::start_in(folder);
    server.user("ada", &["admin"]);
    server
}

/// The server processes that serve our connections, in the order of their numbers.
fn backends(database: &str) -> Vec<String> {
    let rows = Postgres::shared().query(
        database,
        "SELECT pid::text FROM pg_stat_activity WHERE datname = current_database() \
         AND application_name = 'glovebox api' ORDER BY pid",
    );
    rows.into_iter().flatten().flatten().collect()
}

#[test]
fn a_connection_is_used_again_and_replaced_when_it_is_lost() {
    let postgres = Postgres::shared();
    let database = postgres.database("api_connections");
    let server = server(&database);
    let (token, _) = server.log_in("ada");
    let page = || server.get("/sales", &token).is(200).json();
    assert_eq!(page(), json!([{ "id": 1 }]));
    let first = backends(&database);
    assert_eq!(first.len(), 1);
    assert_eq!(page(), json!([{ "id": 1 }]));
    assert_eq!(backends(&database), first, "another connection for nothing");

    // At once, so that it is not asked whether it lives; and after it has rested.
    for rest in [0, 1_200] {
        let _ = postgres.query(
            &database,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
             WHERE datname = current_database() AND application_name = 'glovebox api'",
        );
        std::thread::sleep(std::time::Duration::from_millis(rest));
        assert_eq!(page(), json!([{ "id": 1 }]));
        assert_eq!(backends(&database).len(), 1);
    }

    // What the database refuses says nothing against the connection.
    let before = backends(&database);
    let _ = postgres.query(&database, "ALTER TABLE public.sales RENAME TO away");
    let _ = server.get("/sales", &token).is(503);
    let _ = postgres.query(&database, "ALTER TABLE public.away RENAME TO sales");
    assert_eq!(page(), json!([{ "id": 1 }]));
    assert_eq!(backends(&database), before);
}

#[test]
fn many_pages_at_once_share_the_connections_there_are() {
    let database = Postgres::shared().database("api_connections_shared");
    let server = server(&database);
    let (token, _) = server.log_in("ada");
    std::thread::scope(|scope| {
        for _ in 0..24 {
            scope.spawn(|| server.get("/sales", &token).is(200).json());
        }
    });
    let connected = backends(&database).len();
    assert!((1..=2).contains(&connected), "{connected} connections");
}
