//! Pins and signatures: which content a plugin must have, and who must have signed it.

use std::io::Cursor;
use std::os::unix::fs::PermissionsExt;

use glovebox_tests::pipeline::{Pipeline, Ran};
use minisign::KeyPair;

/// With comments, quotes and an order of keys that nobody would write anew.
const MANIFEST: &str = r#"# Rows of honest people.
name: pins          # the pipeline
source: {csv: {path: in.csv}}
columns:
    product:   {type: text}   # two spaces more than needed

steps:
  # The first one, in short.
  - validate: ./guest.wasm    # theirs
    reads: [product]
  - name: "second"
    reads: [product]
    validate:
      file: './guest.wasm'    # and again

  - {name: third, validate: {file: guest.wasm}, reads: [product]}
  - validate: required
    reads: [product]
sink: {jsonl: {path: out.jsonl}}
"#;

fn guest() -> Vec<u8> {
    let test = std::env::current_exe().unwrap();
    // A test is TARGET/PROFILE/deps/NAME-HASH.
    let target = test.ancestors().nth(3).unwrap();
    let file = target.join("wasm32-wasip2/plugin/examples/is_honest.wasm");
    std::fs::read(&file).unwrap_or_else(|e| {
        panic!(
            "{}: {e}; build the guests: cargo xtask plugins",
            file.display()
        )
    })
}

fn pipeline(manifest: &str) -> Pipeline {
    Pipeline::new(manifest)
        .file("in.csv", "product\nlamp\ntable\n")
        .file("guest.wasm", guest())
}

/// A component with a byte more, which is still one: an empty custom section.
fn changed() -> Vec<u8> {
    let mut bytes = guest();
    bytes.extend([0, 2, 1, b'x']);
    bytes
}

fn pin(pipeline: &Pipeline) -> Ran {
    pipeline.call(&["plugin", "pin", "manifest.yaml"])
}

/// The digest that the manifest's first pin has.
fn digest(pipeline: &Pipeline) -> String {
    let text = pipeline.read("manifest.yaml");
    let (_, rest) = text.split_once("sha256: \"").unwrap();
    rest[..64].to_owned()
}

#[test]
fn pins_are_written_in_place_and_all_else_stays_as_it_was() {
    let p = pipeline(MANIFEST);
    let mode = std::fs::Permissions::from_mode(0o640);
    std::fs::set_permissions(p.path("manifest.yaml"), mode).unwrap();
    let ran = pin(&p).ends_with(0);
    let sha256 = digest(&p);
    assert_eq!(
        p.read("manifest.yaml"),
        MANIFEST
            .replace(
                "validate: ./guest.wasm ",
                &format!("validate: {{ file: ./guest.wasm, sha256: \"{sha256}\" }} ")
            )
            .replace(
                "# and again\n",
                &format!("# and again\n      sha256: \"{sha256}\"\n")
            )
            .replace(
                "{file: guest.wasm}",
                &format!("{{file: guest.wasm, sha256: \"{sha256}\"}}")
            )
    );
    let mode = p.path("manifest.yaml").metadata().unwrap().permissions();
    assert_eq!(mode.mode() & 0o777, 0o640);
    assert_eq!(p.names().iter().filter(|n| n.contains(".part")).count(), 0);
    for step in ["guest", "second", "third"] {
        let line = format!("step `{step}`: ");
        let line = ran.stdout.lines().find(|l| l.starts_with(&line)).unwrap();
        assert!(line.ends_with(&format!(" not pinned → {sha256}")), "{line}");
    }
    assert!(
        ran.stdout.ends_with("3 pins written to manifest.yaml\n"),
        "{}",
        ran.stdout
    );

    let pinned = p.read("manifest.yaml");
    let again = pin(&p).ends_with(0);
    assert!(
        again.stdout.contains("every pin matches"),
        "{}",
        again.stdout
    );
    assert_eq!(p.read("manifest.yaml"), pinned);
    assert_eq!(p.run_with(&["--locked"]).ends_with(0).rows("stored"), 2);
}

#[test]
fn a_changed_plugin_is_refused_until_it_is_pinned_anew() {
    let p = pipeline(MANIFEST);
    let _ = pin(&p).ends_with(0);
    let old = digest(&p);
    p.write("guest.wasm", changed());
    let refused = p.run().ends_with(2);
    let refused = refused.says("is not the pinned component").says(&old);
    let _ = refused.says("before you pin it again");
    assert!(!p.names().contains(&"out.jsonl".to_owned()));

    let before = p.read("manifest.yaml");
    let check = p.call(&["plugin", "pin", "manifest.yaml", "--check"]);
    let check = check.ends_with(1);
    assert!(check.stdout.contains("3 of 3 pins"), "{}", check.stdout);
    assert_eq!(p.read("manifest.yaml"), before);

    let ran = pin(&p).ends_with(0);
    let new = digest(&p);
    assert_ne!(old, new);
    assert_eq!(ran.stdout.matches(&format!(" {old} → {new}")).count(), 3);
    assert_eq!(p.read("manifest.yaml"), before.replace(&old, &new));
    assert_eq!(p.run().ends_with(0).rows("stored"), 2);
}

#[test]
fn locked_refuses_what_is_not_pinned_before_anything_of_it_is_run() {
    // Compiling or opening it would be said in other words.
    let p = pipeline(MANIFEST).file("guest.wasm", "no component at all");
    for command in ["run", "check", "preview"] {
        let ran = p.call(&[command, "manifest.yaml", "--locked"]).ends_with(2);
        let ran = ran.says("step `guest`: its plugin is not pinned");
        let ran = ran.says("--> manifest.yaml:9:15").says("3 problems");
        let _ = ran.says("glovebox plugin pin manifest.yaml");
    }
    let standard = "name: a\nsource: {csv: {path: in.csv}}\ncolumns: {product: {type: text}}\nsteps: [{validate: required, reads: [product]}]\nsink: {jsonl: {path: out.jsonl}}\n";
    let p = pipeline(standard);
    assert_eq!(p.run_with(&["--locked"]).ends_with(0).rows("stored"), 2);
    let nothing = pin(&p).ends_with(0);
    assert!(nothing.stdout.starts_with("nothing to pin"));
    assert_eq!(p.read("manifest.yaml"), standard);
}

#[test]
fn what_could_not_be_pinned_is_said_and_the_rest_is_pinned() {
    let manifest = MANIFEST
        .replace("validate: ./guest.wasm ", "validate: ./gone.wasm ")
        .replace("file: guest.wasm", "file: text.wasm");
    let p = pipeline(&manifest).file("text.wasm", "no component at all");
    let check = p.call(&["plugin", "pin", "manifest.yaml", "--check"]);
    let _ = check.ends_with(1).says("step `gone` is not pinned");
    assert_eq!(p.read("manifest.yaml"), manifest);

    let ran = pin(&p).ends_with(1).says("step `gone` is not pinned");
    let ran = ran
        .says("cannot be read")
        .says("step `third` is not pinned");
    let ran = ran.says("is not a WebAssembly component");
    assert!(ran.stdout.ends_with("1 pin written to manifest.yaml\n"));
    let sha256 = digest(&p);
    let pinned = format!("# and again\n      sha256: \"{sha256}\"\n");
    assert_eq!(
        p.read("manifest.yaml"),
        manifest.replace("# and again\n", &pinned)
    );
}

#[test]
fn a_link_to_a_manifest_stays_a_link() {
    let p = pipeline("").file("there/manifest.yaml", MANIFEST);
    p.write("there/guest.wasm", guest());
    std::fs::remove_file(p.path("manifest.yaml")).unwrap();
    std::os::unix::fs::symlink("there/manifest.yaml", p.path("manifest.yaml")).unwrap();
    let _ = pin(&p).ends_with(0);
    assert!(p.path("manifest.yaml").is_symlink());
    assert!(p.read("there/manifest.yaml").contains("sha256"));
}

fn key() -> KeyPair {
    KeyPair::generate_unencrypted_keypair().unwrap()
}

fn public(key: &KeyPair) -> String {
    key.pk.to_base64()
}

fn number(key: &KeyPair) -> String {
    let number = key.pk.keynum().iter().rev();
    number.map(|b| format!("{b:02X}")).collect()
}

fn sign(key: &KeyPair, content: &[u8], comment: &str) -> String {
    let content = Cursor::new(content);
    minisign::sign(Some(&key.pk), &key.sk, content, Some(comment), None)
        .unwrap()
        .into_string()
}

fn trusting(keys: &[&str]) -> String {
    let keys: String = keys.iter().map(|k| format!("  - {k}\n")).collect();
    format!("{MANIFEST}trusted-keys:\n{keys}")
}

#[test]
fn a_plugin_with_a_trusted_signature_runs_and_its_signer_is_named() {
    let (other, acme) = (key(), key());
    let p = pipeline(&trusting(&[&public(&other), "file: keys/acme.pub"]))
        .file("keys/acme.pub", acme.pk.to_box().unwrap().into_string())
        .file(
            "guest.wasm.minisig",
            sign(&acme, &guest(), "release 1 \u{202e}of acme"),
        );
    let number = number(&acme);
    let ran = p.run().ends_with(0);
    assert_eq!(ran.rows("stored"), 2);
    for step in [0, 1, 2] {
        assert_eq!(ran.report["steps"][step]["signed-by"], *number);
    }
    // A part of the program needs no signature.
    assert!(ran.report["steps"][3].get("signed-by").is_none());
    assert!(ran.stdout.contains(&format!("signed by {number}")));

    let check = p.call(&["check", "manifest.yaml"]).ends_with(0);
    let line = format!(
        "step    guest: ./guest.wasm (validator), not pinned, signed by key {number} with the comment \"release 1 \u{fffd}of acme\"\n"
    );
    assert!(check.stdout.contains(&line), "{}", check.stdout);

    // A pin and a signature are asked for one by one.
    let _ = p.run_with(&["--locked"]).ends_with(2);
    let _ = pin(&p).ends_with(0);
    let _ = p.run_with(&["--locked"]).ends_with(0);
}

#[test]
fn a_plugin_without_a_trusted_signature_is_refused() {
    let (acme, stranger) = (key(), key());
    let manifest = trusting(&[&public(&acme)]);
    let good = sign(&acme, &guest(), "release 1");

    let p = pipeline(&manifest);
    let refused = |what: &str| {
        let ran = p.run().ends_with(2).says(what);
        let _ = ran.says("--> manifest.yaml:9:15").says("guest.wasm");
        assert!(!p.names().contains(&"out.jsonl".to_owned()));
        // What a run would refuse is not pinned either.
        let _ = pin(&p).ends_with(1).says(what);
        assert_eq!(p.read("manifest.yaml"), manifest);
    };
    refused("is not signed: there is no ");
    p.write("guest.wasm.minisig", "what is this");
    refused("is not a minisign signature");
    p.write("guest.wasm.minisig", sign(&stranger, &guest(), "release 1"));
    refused(&format!("is signed by key {}", number(&stranger)));
    p.write("guest.wasm.minisig", sign(&acme, &changed(), "release 2"));
    refused("does not have the content that was signed");
    p.write("guest.wasm.minisig", good.replace("release 1", "release 9"));
    refused("does not have the content that was signed");

    p.write("guest.wasm.minisig", &good);
    let _ = p.run().ends_with(0);
    p.write("guest.wasm", changed());
    let ran = p.run().ends_with(2);
    let _ = ran.says("does not have the content that was signed");
}

#[test]
fn a_key_that_cannot_be_read_stops_the_run_at_its_place() {
    let p = pipeline(&trusting(&["file: keys/acme.pub"]));
    let ran = p.run().ends_with(2).says("keys/acme.pub cannot be read");
    let _ = ran.says("--> manifest.yaml:21:5");
    let p = p.file("keys/acme.pub", "untrusted comment: nothing\n");
    let ran = p.run().ends_with(2);
    let _ = ran.says("is not a minisign public key");
}
