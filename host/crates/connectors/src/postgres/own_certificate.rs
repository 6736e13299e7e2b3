//! Server certificates that are their own authority, as PostgreSQL's manual makes them.
//!
//! Such a certificate proves a server if it is byte for byte one of `tls.ca`, bears the host's name, and
//! its dates hold. All others are left to webpki, which takes no authority's certificate (CA:TRUE) for
//! a server's, and reads no common name.

use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, SignatureScheme};
use x509_cert::Certificate;
use x509_cert::der::Decode;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{BasicConstraints, ExtendedKeyUsage, SubjectAltName};

/// "TLS Web Server Authentication", and any purpose: RFC 5280, section 4.2.1.12.
const FOR_SERVERS: [&str; 2] = ["1.3.6.1.5.5.7.3.1", "2.5.29.37.0"];

/// A certificate of `tls.ca` that its server itself may show.
#[derive(Debug)]
pub(super) struct OwnCertificate {
    der: CertificateDer<'static>,
    /// When it begins and ceases to be valid, since 1970.
    valid: (Duration, Duration),
}

impl OwnCertificate {
    /// `None` if it is signed by another, is not for this host or not for servers, or if webpki accepts
    /// such a certificate anyway.
    pub(super) fn of(der: &CertificateDer<'_>, host: &str) -> Option<Self> {
        let certificate = Certificate::from_der(der).ok()?;
        let body = certificate.tbs_certificate();
        if body.subject() != body.issuer() {
            return None;
        }
        let uses = body.get_extension::<ExtendedKeyUsage>().ok()?;
        let for_servers = |(_, ExtendedKeyUsage(uses))| {
            (uses.iter()).any(|usage| FOR_SERVERS.contains(&usage.to_string().as_str()))
        };
        let names = body.get_extension::<SubjectAltName>().ok()?;
        let named = names.is_some_and(|(_, SubjectAltName(names))| {
            (names.iter())
                .any(|name| matches!(name, GeneralName::DnsName(_) | GeneralName::IpAddress(_)))
        });
        let constraints = body.get_extension::<BasicConstraints>().ok()?;
        let authority = constraints.is_some_and(|(_, constraints)| constraints.ca);
        let bears = if named {
            let name = ServerName::try_from(host).ok()?;
            verify_server_name(&ParsedCertificate::try_from(der).ok()?, &name).is_ok()
        } else {
            let name = body.subject().common_name().ok()??;
            name.value().eq_ignore_ascii_case(host)
        };
        let validity = body.validity();
        (bears && uses.is_none_or(for_servers) && (authority || !named)).then(|| Self {
            der: der.clone().into_owned(),
            valid: (
                validity.not_before.to_unix_duration(),
                validity.not_after.to_unix_duration(),
            ),
        })
    }
}

/// Accepts such certificates, and whatever webpki accepts.
#[derive(Debug)]
pub(super) struct Verifier {
    pub(super) own: Vec<OwnCertificate>,
    pub(super) others: Arc<WebPkiServerVerifier>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some(own) = self.own.iter().find(|own| own.der == *end_entity) else {
            return self.others.verify_server_cert(
                end_entity,
                intermediates,
                server_name,
                ocsp_response,
                now,
            );
        };
        let now = Duration::from_secs(now.as_secs());
        let (from, until) = own.valid;
        if now < from {
            return Err(CertificateError::NotValidYet.into());
        }
        if now > until {
            return Err(CertificateError::Expired.into());
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.others
            .verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.others
            .verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.others.supported_verify_schemes()
    }
}
