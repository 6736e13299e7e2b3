//! Who is who in a cluster: certificates, and what each of them allows.
//!
//! A folder has `ca.crt`, `tls.crt` and `tls.key`, named as Kubernetes names them in a Secret. The role stands in the certificate
//! itself, as a URI among its names.

use std::fmt;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use tonic::transport::{
    Certificate, Channel, ClientTlsConfig, Endpoint, Identity, ServerTlsConfig,
};
use x509_cert::der::Decode;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

use crate::error::ClusterError;

/// Bytes of a file of certificates.
const MOST: u64 = 1 << 20;
/// How long a connection, and a TLS handshake, may take.
const CONNECT: Duration = Duration::from_secs(10);
/// How often it is asked whether the other side is there, and how long that may take.
const ALIVE: Duration = Duration::from_secs(5);

/// What a member of a cluster may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Hand out ranges.
    Scheduler,
    /// Work on ranges.
    Executor,
    /// Begin runs.
    Client,
}

impl Role {
    pub(crate) const ALL: [Role; 3] = [Role::Scheduler, Role::Executor, Role::Client];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Role::Scheduler => "scheduler",
            Role::Executor => "executor",
            Role::Client => "client",
        }
    }

    /// As it stands in a certificate.
    pub(crate) fn uri(self) -> String {
        format!("urn:glovebox:{}", self.name())
    }

    /// The role in a certificate (DER), if it has one, and one only.
    pub(crate) fn of(certificate: &[u8]) -> Option<Self> {
        let certificate = x509_cert::Certificate::from_der(certificate).ok()?;
        let names = certificate
            .tbs_certificate()
            .get_extension::<SubjectAltName>();
        let (_, SubjectAltName(names)) = names.ok()??;
        let mut roles = names.iter().filter_map(|name| match name {
            GeneralName::UniformResourceIdentifier(uri) => Role::ALL
                .into_iter()
                .find(|role| role.uri() == uri.as_str()),
            _ => None,
        });
        roles.next().filter(|_| roles.next().is_none())
    }
}

/// A member's certificate with its key, and the authority that all certificates of the cluster are from.
pub struct Certificates {
    authority: Certificate,
    identity: Identity,
}

impl fmt::Debug for Certificates {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Certificates")
    }
}

impl Certificates {
    /// Reads them from a folder: `ca.crt`, `tls.crt`, `tls.key`.
    ///
    /// # Errors
    /// If a file is missing, or TLS cannot be done with them.
    pub fn read(folder: &Path) -> Result<Self, ClusterError> {
        let read = |name: &str| {
            let path = folder.join(name);
            let read = std::fs::metadata(&path).and_then(|file| match file.len() {
                0..=MOST => std::fs::read(&path),
                _ => Err(std::io::ErrorKind::FileTooLarge.into()),
            });
            read.map_err(|problem| ClusterError::Read { path, problem })
        };
        let certificates = Certificates {
            authority: Certificate::from_pem(read("ca.crt")?),
            identity: Identity::from_pem(read("tls.crt")?, read("tls.key")?),
        };
        // What is wrong with them is told before anybody connects.
        let tried = Endpoint::from_static("https://localhost").tls_config(certificates.client());
        tried.map_err(|_| ClusterError::Certificates(folder.to_owned()))?;
        Ok(certificates)
    }

    fn client(&self) -> ClientTlsConfig {
        ClientTlsConfig::new()
            .ca_certificate(self.authority.clone())
            .identity(self.identity.clone())
            .timeout(CONNECT)
    }

    pub(crate) fn server(&self) -> ServerTlsConfig {
        ServerTlsConfig::new()
            .client_ca_root(self.authority.clone())
            .identity(self.identity.clone())
            .timeout(CONNECT)
    }

    /// A connection to a scheduler, which is made once it is needed, and again after it was lost.
    pub(crate) fn connection(&self, url: &Url) -> Result<Channel, ClusterError> {
        let endpoint = Endpoint::from_shared(url.0.clone()).map_err(|_| ClusterError::Url)?;
        let endpoint = endpoint
            .tls_config(self.client())
            .map_err(|_| ClusterError::Url)?
            .connect_timeout(CONNECT)
            .http2_keep_alive_interval(ALIVE)
            .keep_alive_timeout(ALIVE)
            .keep_alive_while_idle(true);
        Ok(endpoint.connect_lazy())
    }
}

/// Where a scheduler is: `https://HOST:PORT`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Url(String);

impl FromStr for Url {
    type Err = ClusterError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let uri: tonic::transport::Uri = text.parse().map_err(|_| ClusterError::Url)?;
        let is_whole = uri.scheme_str() == Some("https") && uri.host().is_some();
        let plain = uri.port_u16().is_some() && matches!(uri.path(), "" | "/");
        let without_user = !text.contains('@') && uri.query().is_none();
        match is_whole && plain && without_user {
            true => Ok(Url(text.trim_end_matches('/').to_owned())),
            false => Err(ClusterError::Url),
        }
    }
}

impl fmt::Display for Url {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scheduler_is_at_an_https_url_with_a_port() {
        for right in ["https://scheduler:50050", "https://10.0.0.1:1/"] {
            assert!(right.parse::<Url>().is_ok(), "{right}");
        }
        for wrong in [
            "http://scheduler:50050",
            "https://scheduler",
            "https://user:pass@scheduler:1",
            "https://scheduler:1/a",
            "https://scheduler:1?a",
            "scheduler:50050",
            "",
        ] {
            assert!(wrong.parse::<Url>().is_err(), "{wrong}");
        }
    }
}
