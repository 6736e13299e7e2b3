//! What a secret file may be, shown on real folders.

use std::os::unix::fs::{PermissionsExt, symlink};

use super::*;

const CANARY: &str = "canary-51c0";

fn name(name: &str) -> SecretName {
    SecretName::parse(name).unwrap()
}

fn folder_with(path: &str, content: &[u8]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(path);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(&file, content).unwrap();
    chmod(&file, 0o600);
    folder
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn salt_in(folder: &Path) -> Result<Option<Vec<u8>>, String> {
    match Files::new(folder).get(&name("sales/salt")) {
        Ok(found) => Ok(found.map(|s| s.expose().to_vec())),
        Err(error) => {
            assert!(!format!("{error} {error:?}").contains(CANARY));
            Err(error.to_string())
        }
    }
}

#[test]
fn a_secret_is_found_in_a_sub_folder_or_under_its_flat_name() {
    for path in ["sales/salt", "sales.salt"] {
        let folder = folder_with(path, b"pepper");
        assert_eq!(salt_in(folder.path()), Ok(Some(b"pepper".to_vec())));
        assert_eq!(
            Files::new(folder.path()).place(&name("sales/salt")),
            format!("file {}/{path}", folder.path().display())
        );
    }
}

#[test]
fn the_sub_folder_is_looked_in_before_the_flat_name() {
    let folder = folder_with("sales/salt", b"deep");
    fs::write(folder.path().join("sales.salt"), b"flat").unwrap();
    assert_eq!(salt_in(folder.path()), Ok(Some(b"deep".to_vec())));
}

#[test]
fn one_trailing_newline_is_not_part_of_the_secret() {
    for (content, secret) in [
        ("a", "a"),
        ("a\n", "a"),
        ("a\r\n", "a"),
        ("a\n\n", "a\n"),
        ("a\r", "a\r"),
        (" a \n", " a "),
    ] {
        let folder = folder_with("sales/salt", content.as_bytes());
        assert_eq!(salt_in(folder.path()), Ok(Some(secret.into())));
    }
}

#[test]
fn an_absent_folder_or_an_empty_file_is_absence_and_the_place_says_which() {
    let folder = folder_with("sales/salt", b"");
    for nothing in ["", "\n", "\r\n"] {
        fs::write(folder.path().join("sales/salt"), nothing).unwrap();
        assert_eq!(salt_in(folder.path()), Ok(None));
        assert!(
            Files::new(folder.path())
                .place(&name("sales/salt"))
                .ends_with("sales/salt (there, but empty)")
        );
    }
    let absent = folder.path().join("nowhere");
    assert_eq!(salt_in(&absent), Ok(None));
    assert!(
        Files::new(&absent)
            .place(&name("sales/salt"))
            .ends_with("nowhere/sales.salt (no such folder)")
    );
}

#[test]
fn a_file_where_a_sub_folder_is_expected_is_absence() {
    let folder = folder_with("sales", b"pepper");
    assert_eq!(salt_in(folder.path()), Ok(None));
}

#[test]
fn a_file_that_anyone_may_write_is_refused() {
    let folder = folder_with("sales/salt", CANARY.as_bytes());
    let path = folder.path().join("sales/salt");
    chmod(&path, 0o602);
    assert_eq!(
        salt_in(folder.path()),
        Err(format!(
            "cannot read secret `sales/salt` from file {}: every user of this machine can write \
            it; run `chmod o-w` first",
            path.display()
        ))
    );
    for mode in [0o600, 0o640, 0o644, 0o440] {
        chmod(&path, mode);
        assert_eq!(salt_in(folder.path()), Ok(Some(CANARY.into())));
    }
}

#[test]
fn the_size_limit_is_kept_at_its_edge() {
    let most = usize::try_from(MAX_BYTES).unwrap();
    let folder = folder_with("sales/salt", &vec![b'x'; most]);
    assert_eq!(salt_in(folder.path()).unwrap().unwrap().len(), most);
    fs::write(folder.path().join("sales/salt"), vec![b'x'; most + 1]).unwrap();
    assert!(
        salt_in(folder.path())
            .unwrap_err()
            .ends_with("it is larger than 65536 bytes; a secret file holds one secret")
    );
}

#[test]
fn links_are_followed_inside_the_folder_as_kubernetes_lays_them() {
    let folder = folder_with("..2026_11_21/sales.salt", b"pepper");
    symlink("..2026_11_21", folder.path().join("..data")).unwrap();
    symlink("..data/sales.salt", folder.path().join("sales.salt")).unwrap();
    assert_eq!(salt_in(folder.path()), Ok(Some(b"pepper".to_vec())));
}

#[test]
fn a_link_out_of_the_folder_is_refused() {
    let outside = folder_with("elsewhere", CANARY.as_bytes());
    let folder = tempfile::tempdir().unwrap();
    symlink(
        outside.path().join("elsewhere"),
        folder.path().join("sales.salt"),
    )
    .unwrap();
    assert!(
        salt_in(folder.path())
            .unwrap_err()
            .ends_with("it links to a path outside its folder; put the secret itself there")
    );
}

#[test]
fn no_name_can_climb_out_of_the_folder() {
    for climbing in ["../salt", "a/../../salt", "/etc/passwd", "..", "a/.."] {
        assert!(SecretName::parse(climbing).is_err(), "{climbing}");
    }
}

#[test]
fn a_folder_or_a_socket_is_not_a_secret() {
    let folder = folder_with("sales/salt/deeper", b"pepper");
    let told = salt_in(folder.path()).unwrap_err();
    assert!(told.ends_with("it is not a regular file; a secret is one file"));

    let folder = folder_with("other", b"pepper");
    let socket = folder.path().join("sales.salt");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let told = salt_in(folder.path()).unwrap_err();
    assert!(told.ends_with("it is not a regular file; a secret is one file"));
}
