//! Certificates to begin a cluster with: an authority of its own, and one certificate for each role.

use std::fs::{DirBuilder, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rcgen::string::Ia5String;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, SanType,
};

use crate::error::ClusterError;
use crate::tls::Role;

/// How long they are valid: two years.
const VALID: Duration = Duration::from_secs(2 * 365 * 24 * 60 * 60);
/// How far another machine's clock may be behind.
const BEHIND: Duration = Duration::from_secs(60 * 60);

/// Makes an authority and certificates in a folder: `scheduler`, `executor` and `client`, each with `ca.crt`, `tls.crt`
/// and `tls.key`, and `ca.key`, the key of the authority, which the cluster itself does not need. The scheduler is
/// called by these host names and IP addresses. Nothing is overwritten. Returns the folders.
///
/// # Errors
/// When a file is there already, or cannot be written, or a name is none.
pub fn make(folder: &Path, names: &[String]) -> Result<Vec<PathBuf>, ClusterError> {
    let failed = |e: rcgen::Error| ClusterError::Make(e.to_string());
    let now = SystemTime::now();
    let mut authority = CertificateParams::default();
    authority.not_before = (now - BEHIND).into();
    authority.not_after = (now + VALID).into();
    authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let name = "authority of a Glovebox cluster";
    authority.distinguished_name.push(DnType::CommonName, name);
    let key = KeyPair::generate().map_err(failed)?;
    let authority = CertifiedIssuer::self_signed(authority, key).map_err(failed)?;
    private_folder(folder)?;
    write(&folder.join("ca.key"), &authority.key().serialize_pem())?;
    let mut folders = Vec::new();
    for role in Role::ALL {
        let of_it = match role {
            Role::Scheduler => names.to_vec(),
            Role::Executor | Role::Client => Vec::new(),
        };
        let mut params = CertificateParams::new(of_it).map_err(failed)?;
        params.not_before = (now - BEHIND).into();
        params.not_after = (now + VALID).into();
        let uri = Ia5String::try_from(role.uri()).map_err(failed)?;
        params.subject_alt_names.push(SanType::URI(uri));
        let name = format!("glovebox {}", role.name());
        params.distinguished_name.push(DnType::CommonName, name);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![match role {
            Role::Scheduler => ExtendedKeyUsagePurpose::ServerAuth,
            Role::Executor | Role::Client => ExtendedKeyUsagePurpose::ClientAuth,
        }];
        let key = KeyPair::generate().map_err(failed)?;
        let certificate = params.signed_by(&key, &authority).map_err(failed)?;
        let folder = folder.join(role.name());
        private_folder(&folder)?;
        write(&folder.join("ca.crt"), &authority.pem())?;
        write(&folder.join("tls.crt"), &certificate.pem())?;
        write(&folder.join("tls.key"), &key.serialize_pem())?;
        folders.push(folder);
    }
    Ok(folders)
}

fn private_folder(path: &Path) -> Result<(), ClusterError> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|problem| ClusterError::Write {
        path: path.to_owned(),
        problem,
    })
}

fn write(path: &Path, text: &str) -> Result<(), ClusterError> {
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path);
    let written = file.and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|problem| ClusterError::Write {
        path: path.to_owned(),
        problem,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::Certificates;

    #[test]
    fn each_certificate_has_its_role_and_nothing_is_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        let made = make(folder.path(), &names).unwrap();
        for (folder, role) in made.iter().zip(Role::ALL) {
            Certificates::read(folder).unwrap();
            let pem = std::fs::read_to_string(folder.join("tls.crt")).unwrap();
            let der = x509_cert::der::pem::decode_vec(pem.as_bytes()).unwrap().1;
            assert_eq!(Role::of(&der), Some(role));
        }
        assert!(make(folder.path(), &names).is_err());
    }

    #[test]
    fn certificates_that_do_not_fit_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let made = make(folder.path(), &["localhost".to_owned()]).unwrap();
        let [scheduler, executor, _] = made.as_slice() else {
            panic!("three roles")
        };
        std::fs::copy(executor.join("tls.key"), scheduler.join("tls.key")).unwrap();
        assert!(Certificates::read(scheduler).is_err());
        std::fs::remove_file(executor.join("ca.crt")).unwrap();
        assert!(Certificates::read(executor).is_err());
    }
}
