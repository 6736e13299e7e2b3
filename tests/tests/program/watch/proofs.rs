//! A watcher's proofs: one for each file's run, whatever happens to the watcher.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use serde_json::Value;

use super::{Arrivals, rows, stop};

/// The proofs that are there, each with the rows that it says are stored; all are whole and signed.
fn proofs(arrivals: &Arrivals) -> BTreeMap<String, u64> {
    let folder = fs::read_dir(arrivals.pipeline.path("proofs")).unwrap();
    let names = folder.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let proofs = names.filter(|name| !name.starts_with('.'));
    let stored = |name: &String| {
        let file = format!("proofs/{name}");
        let call = [
            "proof",
            "show",
            &file,
            "--json",
            "--public-key",
            "public.pem",
        ];
        let stated = arrivals.pipeline.call(&call).ends_with(0).stdout;
        let stated: Value = serde_json::from_str(&stated).unwrap();
        stated["predicate"]["rows"]["stored"].as_u64().unwrap()
    };
    proofs.map(|name| (name.clone(), stored(&name))).collect()
}

fn proven(arrivals: &Arrivals) {
    let manifest = arrivals.pipeline.read("manifest.yaml");
    let manifest = manifest.replace("[env]", "[{ files: keys }, env]") + "proof: { key: proof }\n";
    arrivals.pipeline.write("manifest.yaml", manifest);
    let key = arrivals
        .pipeline
        .call(&["proof", "key", "proof", "--secrets", "keys"]);
    arrivals
        .pipeline
        .write("public.pem", key.ends_with(0).stdout);
    fs::create_dir(arrivals.pipeline.path("proofs")).unwrap();
}

#[test]
fn each_files_run_has_a_proof_also_where_watchers_were_killed() {
    const FILES: usize = 10;
    const ROWS: usize = 20_000;
    for arrivals in [Arrivals::sqlite(), Arrivals::postgres("watch_proven")] {
        proven(&arrivals);
        let call = ["--quiet", "100ms", "--proofs", "proofs"];
        for file in 1..=FILES {
            let mut watcher = arrivals.watch(&call);
            arrivals.rename_in(&format!("{file}.csv"), &rows(file, ROWS));
            match file % 3 {
                // Just when all is stored, and before its proof is written, if that can be.
                0 => watcher.until("it is stored", |_| arrivals.has(file, ROWS)),
                _ => std::thread::sleep(Duration::from_millis(150 * file as u64)),
            }
            watcher.signal("KILL");
            let _ = watcher.end();
            assert!(proofs(&arrivals).values().all(|rows| *rows == ROWS as u64));
            let mut watcher = arrivals.watch(&call);
            watcher.until("its proof is there", |_| proofs(&arrivals).len() == file);
            let _ = stop(watcher);
        }
        assert!(arrivals.has(FILES, ROWS));
        // One that is lost is made again by the next watcher, and no row is stored again.
        let lost = proofs(&arrivals).into_keys().next().unwrap();
        fs::remove_file(arrivals.pipeline.path("proofs").join(&lost)).unwrap();
        let mut watcher = arrivals.watch(&call);
        watcher.until("it is there again", |_| proofs(&arrivals).len() == FILES);
        let _ = stop(watcher).prints("run before");
        assert!(arrivals.has(FILES, ROWS));
        for name in proofs(&arrivals).keys() {
            let file = format!("proofs/{name}");
            let call = ["proof", "verify", &file, "--manifest", "manifest.yaml"];
            let _ = arrivals.pipeline.call(&call).ends_with(0);
        }
    }
}

#[test]
fn where_proofs_cannot_go_is_told_before_a_file_is_run() {
    let arrivals = Arrivals::sqlite();
    let refused = |folder: &str, said: &str| {
        let call = ["watch", "manifest.yaml", "--proofs", folder];
        let _ = arrivals.pipeline.call(&call).ends_with(2).says(said);
    };
    refused("aside", "needs a key that signs");
    proven(&arrivals);
    refused("in", "is watched");
    refused("nowhere", "No such file");
    refused("manifest.yaml", "is not a folder");
    let mut watcher = arrivals.watch(&["--quiet", "100ms", "--proofs", "proofs"]);
    arrivals.rename_in("1.csv", &rows(1, 10));
    watcher.until("it is proven", |_| proofs(&arrivals).len() == 1);
    let _ = stop(watcher);
}
