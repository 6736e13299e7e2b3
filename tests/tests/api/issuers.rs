//! Other issuers whose keys are fetched: found, rotated, away, slow and lying.

use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use glovebox_tests::outside::{Answer, Asked, Outside, free_port};
use glovebox_tests::pipeline::Pipeline;
use glovebox_tests::server::Server;
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};

const DISCOVERY: &str = "/realm/.well-known/openid-configuration";
const KEYS: &str = "/keys?of=realm";

/// A key of an issuer's.
fn pair(kid: &str) -> Ed25519KeyPair {
    let mut seed = [7; 32];
    for (place, byte) in seed.iter_mut().zip(kid.bytes()) {
        *place = byte;
    }
    Ed25519KeyPair::from_seed_unchecked(&seed).unwrap()
}

pub(super) fn jwks(kids: &[&str]) -> String {
    let keys = kids.iter().map(|kid| {
        let x = URL_SAFE_NO_PAD.encode(pair(kid).public_key().as_ref());
        json!({ "kty": "OKP", "crv": "Ed25519", "kid": kid, "use": "sig", "x": x })
    });
    json!({ "keys": keys.collect::<Vec<_>>() }).to_string()
}

pub(super) fn token(issuer: &str, kid: &str) -> String {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let now = now.unwrap().as_secs();
    let header = json!({ "alg": "EdDSA", "kid": kid, "typ": "JWT" });
    let claims = json!({
        "iss": issuer, "aud": "glovebox-api", "sub": "carol", "iat": now, "exp": now + 300,
        "groups": ["data-team"],
    });
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let message = format!("{}.{}", part(&header), part(&claims));
    let signature = pair(kid).sign(message.as_bytes());
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
}

/// An issuer with a discovery document; its keys can be changed.
struct Issuer {
    outside: Outside,
    url: String,
    answer: Arc<Mutex<Answer>>,
}

impl Issuer {
    fn start(kids: &[&str]) -> Issuer {
        let answer = Arc::new(Mutex::new(Answer::ok(jwks(kids))));
        let keys = Arc::clone(&answer);
        let outside = Outside::start(move |asked| match asked.target.as_str() {
            DISCOVERY => discovery(asked, "/realm"),
            KEYS => keys.lock().unwrap().clone(),
            _ => Answer::Reply(404, Vec::new(), Vec::new()),
        });
        Issuer {
            url: format!("https://{}/realm", outside.address),
            outside,
            answer,
        }
    }

    fn turns(&self, answer: Answer) {
        *self.answer.lock().unwrap() = answer;
    }

    /// How often it was asked for its keys.
    fn asked(&self) -> usize {
        self.outside.times(KEYS)
    }

    fn token(&self, kid: &str) -> String {
        token(&self.url, kid)
    }
}

/// A document that speaks for the issuer at this path.
fn discovery(asked: &Asked, path: &str) -> Answer {
    let host = asked.header("host").unwrap_or_default();
    let document = json!({
        "issuer": format!("https://{host}{path}"),
        "jwks_uri": format!("https://{host}{KEYS}"),
        "token_endpoint": "https://elsewhere.example/token",
    });
    Answer::ok(document.to_string())
}

/// A server that accepts the tokens of these issuers; `keys` is what stands beside `url`.
fn folder(issuers: &[(&str, &str, &str)]) -> Pipeline {
    let mut tokens = String::from("tokens:\n  keys: [token-key]\n  issuers:\n");
    let mut files = Vec::new();
    for (number, (url, keys, ca)) in issuers.iter().enumerate() {
        let tls = match ca.is_empty() {
            true => String::new(),
            false => format!(", tls: {{ ca: ca-{number}.pem }}"),
        };
        tokens.push_str(&format!(
            "    - {{ url: '{url}', audience: glovebox-api, roles-claim: groups, \
             roles: {{ data-team: analyst }}{keys}{tls} }}\n"
        ));
        files.push((format!("ca-{number}.pem"), *ca));
    }
    let base = glovebox_tests::server::BASE.replace("tokens: { keys: [token-key] }\n", "");
    let folder = Server::folder("").file("glovebox.yaml", format!("{base}{tokens}"));
    files
        .iter()
        .fold(folder, |folder, (name, ca)| folder.file(name, ca))
}

fn start(issuer: &Issuer) -> Server {
    Server::start_in(folder(&[(&issuer.url, "", &issuer.outside.ca)]))
}

/// Until it holds, for a minute at most.
#[track_caller]
fn until(what: &str, server: &Server, mut there: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !there() {
        let waited = begun.elapsed();
        assert!(waited < Duration::from_secs(60), "{what}\n{}", server.log());
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn is_fetched(server: &Server) -> bool {
    server.log().contains("the issuer's keys were fetched")
}

#[test]
fn an_issuers_tokens_are_accepted_by_the_keys_that_it_publishes() {
    let issuer = Issuer::start(&["a"]);
    let server = start(&issuer);
    until("keys", &server, || is_fetched(&server));
    let me = server.get("/me", &issuer.token("a")).is(200).json();
    assert_eq!(me["user"]["name"], "carol");
    assert_eq!(me["user"]["roles"], json!(["analyst"]));
    // The requests hold nothing of ours.
    let asked = issuer.outside.asked();
    let targets: Vec<_> = asked.iter().map(|a| a.target.as_str()).collect();
    assert_eq!(targets, [DISCOVERY, KEYS]);
    for asked in &asked {
        let mut names: Vec<_> = asked.headers.iter().map(|(n, _)| n.as_str()).collect();
        names.sort_unstable();
        assert_eq!(names, ["accept", "connection", "host", "user-agent"]);
        assert_eq!(asked.header("user-agent"), Some("glovebox"));
        assert_eq!((asked.method.as_str(), asked.body.len()), ("GET", 0));
    }
    // That its keys are known now is on record, and counted.
    let recorded = server.audit();
    let change = recorded.iter().find(|r| r["event.action"] == "configured");
    let change = change.unwrap_or_else(|| panic!("{}", server.audit_text()));
    assert_eq!(change["labels.key"], issuer.url, "{change}");
    server.user("ada", &["admin"]);
    let (admin, _) = server.log_in("ada");
    let metrics = server.get("/metrics", &admin).is(200).text();
    let line = format!("glovebox_issuer_keys{{issuer=\"{}\"}} 1", issuer.url);
    assert!(metrics.lines().any(|l| l == line), "{metrics}");
}

#[test]
fn a_new_key_is_fetched_when_it_is_first_used_and_a_withdrawn_one_is_refused() {
    let issuer = Issuer::start(&["a"]);
    let server = start(&issuer);
    until("keys", &server, || is_fetched(&server));
    let _ = server.get("/me", &issuer.token("a")).is(200);
    issuer.turns(Answer::ok(jwks(&["b", "c"])));
    assert_eq!(issuer.asked(), 1);
    let _ = server.get("/me", &issuer.token("b")).is(200);
    assert_eq!(issuer.asked(), 2);
    let _ = server.get("/me", &issuer.token("c")).is(200);
    let _ = server.get("/me", &issuer.token("a")).is(401);
    assert_eq!(issuer.asked(), 2);
    let changes = server.audit();
    let changes = changes.iter().filter(|r| r["event.action"] == "configured");
    assert_eq!(changes.count(), 2);
}

#[test]
fn a_flood_of_unknown_keys_makes_few_requests_and_nobody_else_waits() {
    let issuer = Issuer::start(&["a"]);
    let server = start(&issuer);
    until("keys", &server, || is_fetched(&server));
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let (issuer, server) = (&issuer, &server);
            scope.spawn(move || {
                for number in 0..40 {
                    let unknown = format!("{thread}-{number}");
                    let _ = server.get("/me", &issuer.token(&unknown)).is(401);
                }
            });
        }
    });
    // One at once, and one each ten seconds.
    let most = 2 + begun.elapsed().as_secs() as usize / 10;
    let asked = issuer.asked() - 1;
    assert!(
        (1..=most).contains(&asked),
        "{asked} requests, {most} at most"
    );
    // Tokens that nobody sane would ask for a key for: another issuer's, and none at all.
    let before = issuer.outside.asked().len();
    let _ = server
        .get("/me", &token("https://elsewhere.example", "x"))
        .is(401);
    let _ = server.get("/me", "no.token.this").is(401);
    assert_eq!(issuer.outside.asked().len(), before);
    let _ = server.get("/me", &issuer.token("a")).is(200);
}

#[test]
fn only_the_tokens_of_a_slow_issuer_wait_for_it() {
    let (release, gate) = mpsc::channel::<()>();
    let (gate, slow) = (Mutex::new(gate), Arc::new(Mutex::new(false)));
    let is_slow = Arc::clone(&slow);
    let outside = Outside::start(move |asked| {
        if asked.target == DISCOVERY {
            return discovery(asked, "/realm");
        }
        if *is_slow.lock().unwrap() {
            let _ = gate.lock().unwrap().recv();
            return Answer::ok(jwks(&["b"]));
        }
        Answer::ok(jwks(&["a"]))
    });
    let url = format!("https://{}/realm", outside.address);
    let server = Server::start_in(folder(&[(&url, "", &outside.ca)]));
    until("keys", &server, || is_fetched(&server));
    server.user("ada", &["admin"]);
    let (admin, _) = server.log_in("ada");
    *slow.lock().unwrap() = true;
    let before = outside.times(DISCOVERY);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| server.get("/me", &token(&url, "b")));
        until("a request", &server, || outside.times(DISCOVERY) > before);
        // Ours, and the slow issuer's own whose key is known, are answered while that one waits.
        let _ = server.get("/me", &admin).is(200);
        let _ = server.get("/me", &token(&url, "a")).is(200);
        assert!(!waiting.is_finished());
        release.send(()).unwrap();
        let _ = waiting.join().unwrap().is(200);
    });
}

#[test]
fn a_server_starts_without_its_issuer_and_knows_it_once_it_is_there() {
    // The certificate is made before anybody listens with it.
    let issuer = Issuer::start(&["a"]);
    issuer.turns(Answer::HangUp);
    let server = start(&issuer);
    until("a failure", &server, || {
        server.log().contains("the issuer's keys cannot be fetched")
    });
    let _ = server.call("GET", "/readyz", &[], b"").is(200);
    let _ = server.get("/me", &issuer.token("a")).is(401);
    server.user("ada", &["admin"]);
    let (admin, _) = server.log_in("ada");
    issuer.turns(Answer::ok(jwks(&["a"])));
    until("keys", &server, || {
        server.get("/me", &issuer.token("a")).status == 200
    });
    let metrics = server.get("/metrics", &admin).is(200).text();
    let failed = format!(
        "glovebox_issuer_fetches_total{{issuer=\"{}\",outcome=\"failure\"}} ",
        issuer.url
    );
    let failed = metrics.lines().find_map(|l| l.strip_prefix(&failed));
    assert!(failed.is_some_and(|count| count != "0"), "{metrics}");
}

#[test]
fn a_failing_issuer_keeps_the_keys_that_are_known() {
    let issuer = Issuer::start(&["a"]);
    let server = start(&issuer);
    until("keys", &server, || is_fetched(&server));
    issuer.turns(Answer::Reply(503, Vec::new(), b"canary".to_vec()));
    let _ = server.get("/me", &issuer.token("b")).is(401);
    let _ = server.get("/me", &issuer.token("a")).is(200);
    until("a failure", &server, || {
        server.log().contains("it answered 503")
    });
    assert!(!server.log().contains("canary"));
}

#[test]
fn every_way_of_lying_is_refused_and_said() {
    let moved = Outside::start(|_| Answer::ok(jwks(&["a"])));
    let elsewhere = format!("https://{}/keys", moved.address);
    let redirects = Outside::start(move |_| {
        let to = vec![("Location".to_owned(), elsewhere.clone())];
        Answer::Reply(302, to, Vec::new())
    });
    let endless = Outside::start(|_| Answer::Endless(300 << 10));
    let lies = Outside::start(|asked| discovery(asked, "/another"));
    let plain = Outside::start(|asked| {
        let host = asked.header("host").unwrap_or_default();
        let document = json!({
            "issuer": format!("https://{host}"), "jwks_uri": format!("http://{host}/keys"),
        });
        Answer::ok(document.to_string())
    });
    let many: Vec<String> = (0..101).map(|n| format!("k{n}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let set = jwks(&many);
    let crowd = Outside::start(move |_| Answer::ok(set.clone()));
    let text = Outside::start(|_| Answer::ok("canary <html>"));
    let stranger = Outside::start(|_| Answer::ok(jwks(&["a"])));
    let unknown = Outside::start(|_| Answer::Reply(404, Vec::new(), b"canary".to_vec()));
    let nobody = format!("https://localhost:{}", free_port());
    let url = |outside: &Outside| format!("https://{}", outside.address);
    let keys = |outside: &Outside| format!(", jwks: 'https://{}/keys'", outside.address);
    let told = [
        (
            url(&redirects),
            keys(&redirects),
            redirects.ca.as_str(),
            "it redirects (302)",
        ),
        (
            url(&endless),
            keys(&endless),
            &endless.ca,
            "larger than 262144 bytes",
        ),
        (
            url(&lies),
            String::new(),
            &lies.ca,
            "it is for another issuer",
        ),
        (
            url(&plain),
            String::new(),
            &plain.ca,
            "its `jwks_uri` is not used: plain http",
        ),
        (url(&crowd), keys(&crowd), &crowd.ca, "more than 100 keys"),
        (
            url(&text),
            keys(&text),
            &text.ca,
            "it is not a JSON Web Key Set",
        ),
        (
            url(&stranger),
            keys(&stranger),
            "",
            "not signed by a trusted authority",
        ),
        (
            url(&unknown),
            keys(&unknown),
            &unknown.ca,
            "it answered 404",
        ),
        (
            nobody.clone(),
            String::new(),
            &text.ca,
            "it cannot be reached",
        ),
    ];
    let issuers: Vec<_> = told
        .iter()
        .map(|(url, keys, ca, _)| (url.as_str(), keys.as_str(), *ca))
        .collect();
    let server = Server::start_in(folder(&issuers));
    for (url, _, _, says) in &told {
        until(says, &server, || server.log().contains(says));
        let _ = server.get("/me", &token(url, "a")).is(401);
    }
    assert_eq!(moved.asked().len(), 0, "a redirect was followed");
    assert!(!server.log().contains("canary"));
    let _ = server.call("GET", "/readyz", &[], b"").is(200);
}
