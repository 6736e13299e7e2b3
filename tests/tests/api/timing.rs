//! Whether the time of a failed login tells if there is such a user.

use std::time::{Duration, Instant};

use glovebox_tests::http::{connect, request, talk};
use glovebox_tests::server::Server;

const LOGINS: usize = 30;

#[test]
fn a_failed_login_takes_as_long_for_known_as_for_unknown_names() {
    let server = Server::start("proxies: [127.0.0.1]\n");
    server.user("ada", &["admin"]);
    server.user("off", &["admin"]);
    let _ = server.folder.call(&["user", "disable", "off"]).ends_with(0);
    // A name that is no name at all is refused no sooner.
    let names = ["ada", "off", "eve", "no%20name"];
    let mut times = names.map(|_| Vec::new());
    for turn in 0..LOGINS {
        for (name, times) in names.iter().zip(&mut times) {
            // Another client each time, as five failures would lock one out.
            let client = format!("203.0.113.{turn}");
            let headers = [
                ("Content-Type", "application/x-www-form-urlencoded"),
                ("X-Forwarded-For", client.as_str()),
            ];
            let body = format!("username={name}&password=wrong");
            let login = request("POST", "/token", &headers, body.as_bytes());
            let mut socket = connect(&server.address);
            let since = Instant::now();
            let _ = talk(&mut socket, &login).is(401);
            times.push(since.elapsed());
        }
    }
    let medians = times.map(|mut times| {
        times.sort();
        times[LOGINS / 2]
    });
    let (least, most) = (medians.iter().min().unwrap(), medians.iter().max().unwrap());
    assert!(*least > Duration::ZERO);
    // Without a hash for unknown names they would answer in a hundredth of the time.
    assert!(
        most.as_secs_f64() / least.as_secs_f64() < 1.5,
        "{names:?}: {medians:?}"
    );
}
