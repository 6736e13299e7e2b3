//! Certificates made on the spot.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose,
};

/// An authority, a certificate of it for `localhost` and 127.0.0.1, and an authority of the same
/// name that has signed nothing.
pub(super) fn certificates(folder: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let (ca, issuer) = authority()?;
    let (wrong, _) = authority()?;
    let key = KeyPair::generate()?;
    let mut server = CertificateParams::new(vec!["localhost".into(), "127.0.0.1".into()])?;
    server
        .distinguished_name
        .push(DnType::CommonName, "localhost");
    server.use_authority_key_identifier_extension = true;
    server.key_usages.push(KeyUsagePurpose::DigitalSignature);
    server
        .extended_key_usages
        .push(ExtendedKeyUsagePurpose::ServerAuth);
    let server = server.signed_by(&key, &issuer)?;
    fs::write(folder.join("ca.pem"), ca.pem())?;
    fs::write(folder.join("wrong-ca.pem"), wrong.pem())?;
    fs::write(folder.join("server.pem"), server.pem())?;
    let key_file = folder.join("server.key");
    fs::write(&key_file, key.serialize_pem())?;
    fs::set_permissions(key_file, fs::Permissions::from_mode(0o600))?;
    Ok(())
}

fn authority() -> Result<(Certificate, Issuer<'static, KeyPair>), rcgen::Error> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
        .distinguished_name
        .push(DnType::CommonName, "Glovebox test authority");
    params.key_usages.push(KeyUsagePurpose::KeyCertSign);
    params.key_usages.push(KeyUsagePurpose::CrlSign);
    let key = KeyPair::generate()?;
    let certificate = params.self_signed(&key)?;
    Ok((certificate, Issuer::new(params, key)))
}
