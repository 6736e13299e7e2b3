//! Opens a verified TLS connection, or explains why that failed; a certificate
//! that sqlx cannot judge is judged on a [`Bridge`]. Open points of sqlx 0.9, which the
//! threat model lists: it trusts the built-in public roots in addition to `tls.ca`; it answers
//! whatever password authentication the verified server asks for, clear text and MD5 included; it
//! has no SCRAM channel binding; it copies the password into a string that it does not wipe; and it
//! reads PGSSLCERT, PGSSLKEY and PGOPTIONS from the environment.

use std::io;
use std::net::ToSocketAddrs;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use glovebox_core::{Login, SinkError};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{CertificateError, RootCertStore};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode};
use sqlx::{ConnectOptions, Connection};

use super::bridge::Bridge;
use super::refusal::{Fault, passes};

/// Connects under that name, within the time that the login allows.
pub(super) async fn connect(login: &Login, name: &str) -> Result<PgConnection, Fault> {
    let refuse = |problem: String| SinkError::Connect {
        place: login.to_string(),
        problem,
    };
    let broken = Arc::new(Mutex::new(None));
    let tell = Arc::clone(&broken);
    let failed = move |error| *tell.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
    let (prepared, _bridge) = prepare(login, failed).map_err(refuse)?;
    let prepared = prepared.application_name(name);
    let attempt = async {
        resolve(login).await.map_err(refuse)?;
        PgConnection::connect_with(&prepared).await.map_err(|e| {
            let e = (broken.lock().unwrap_or_else(PoisonError::into_inner))
                .take()
                .unwrap_or(e);
            let passing = passing(&e);
            let error = refuse(problem(e, login));
            if passing {
                Fault::Passing(error)
            } else {
                Fault::Lasting(error)
            }
        })
    };
    match tokio::time::timeout(login.connect_timeout, attempt).await {
        Ok(outcome) => outcome,
        Err(_) => Err(Fault::Passing(refuse(format!(
            "no answer within {} s; check `host` and `port`, the network and its firewalls",
            login.connect_timeout.as_secs_f64()
        )))),
    }
}

/// Whether a server that restarts, or a network that wavers, looks like this.
fn passing(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(e) => tls_error(e).is_none(),
        sqlx::Error::Database(e) => e.code().is_some_and(|code| passes(&code)),
        _ => false,
    }
}

/// How connections that are verified in full are made, for whoever keeps a pool of them as long as the
/// process lives.
///
/// # Errors
/// When the host, the password or the file of authorities will not do.
pub fn verified(login: &Login) -> Result<PgConnectOptions, String> {
    let known = login.clone();
    let failed = move |error| {
        let (place, problem) = (known.to_string(), problem(error, &known));
        tracing::warn!("cannot connect to {place}: {problem}");
    };
    let (options, bridge) = prepare(login, failed)?;
    if let Some(bridge) = bridge {
        bridge.keep();
    }
    Ok(options)
}

/// How a connection is made while the bridge lives, if it needs one, which tells `failed` what sqlx
/// does not learn.
fn prepare(
    login: &Login,
    failed: impl Fn(sqlx::Error) + Send + Sync + 'static,
) -> Result<(PgConnectOptions, Option<Bridge>), String> {
    if login.host.is_empty() || login.host.starts_with('/') {
        return Err(
            "connections are always verified by TLS, which a Unix socket does not have; set \
            `host` to the name in the server's certificate"
                .into(),
        );
    }
    let Some(password) = login.password.expose_str() else {
        return Err("the password is not UTF-8 text; store it again".into());
    };
    // Without a file an empty one: else sqlx would trust whatever PGSSLROOTCERT names.
    let (roots, certificates) = match &login.ca {
        Some(file) => authorities(file)?,
        None => Default::default(),
    };
    let options = PgConnectOptions::new_without_pgpass()
        .host(&login.host)
        .port(login.port)
        .username(&login.user)
        .password(password)
        .database(&login.database)
        .ssl_mode(PgSslMode::VerifyFull)
        .ssl_root_cert_from_pem(roots)
        .disable_statement_logging();
    let bridge = Bridge::open(login, &certificates, failed)?;
    Ok(match bridge {
        Some(bridge) => (bridge.carry(options), Some(bridge)),
        None => (options, None),
    })
}

/// Whether `tls.ca` names a file of certificates, which can be told without connecting.
///
/// # Errors
/// A sentence that says what is wrong with it.
pub fn check_authorities(file: &Path) -> Result<(), String> {
    authorities(file).map(drop)
}

/// The PEM file, once it is sure to hold authorities, and these.
fn authorities(file: &Path) -> Result<(Vec<u8>, Vec<CertificateDer<'static>>), String> {
    let shown = file.display();
    let pem = std::fs::read(file)
        .map_err(|e| format!("cannot read `tls.ca` {shown}: {e}; it must be a PEM file"))?;
    let mut store = RootCertStore::empty();
    let mut certificates = Vec::new();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let added = certificate.map(|der| {
            certificates.push(der.clone());
            store.add(der)
        });
        if !matches!(added, Ok(Ok(()))) {
            return Err(format!(
                "`tls.ca` {shown} has a certificate that cannot be read; export it again as PEM"
            ));
        }
    }
    if store.is_empty() {
        return Err(format!(
            "`tls.ca` {shown} has no certificate; it must begin with -----BEGIN CERTIFICATE-----"
        ));
    }
    Ok((pem, certificates))
}

/// Looks the name up apart from connecting, since both fail with the same kind of error.
async fn resolve(login: &Login) -> Result<(), String> {
    let target = (login.host.clone(), login.port);
    let found = tokio::task::spawn_blocking(move || target.to_socket_addrs().map(|mut a| a.next()));
    match found.await {
        Ok(Ok(Some(_))) => Ok(()),
        _ => Err(format!(
            "the name `{}` cannot be resolved; check `host`, or this machine's DNS",
            login.host
        )),
    }
}

fn problem(error: sqlx::Error, login: &Login) -> String {
    match error {
        sqlx::Error::Io(e) => match tls_error(&e) {
            Some(tls) => untrusted(tls, login),
            None => unreachable(&e),
        },
        sqlx::Error::Database(e) => denied(e.code().as_deref().unwrap_or("?"), login),
        sqlx::Error::Tls(e) if e.is::<rustls::pki_types::InvalidDnsNameError>() => {
            "`host` is not a name that a certificate can have; use a DNS name or an IP address"
                .into()
        }
        // The CA file has been read already, so what is left is a server that declines.
        sqlx::Error::Tls(_) => "the server does not offer TLS, and passwords and rows are never \
                               sent unencrypted; set `ssl = on` in its postgresql.conf"
            .into(),
        sqlx::Error::Protocol(_) | sqlx::Error::Configuration(_) => {
            "it asks for another authentication than a password, or does not speak PostgreSQL's \
            protocol; use scram-sha-256 in its pg_hba.conf"
                .into()
        }
        _ => "the connection broke before it was ready; try again".into(),
    }
}

fn tls_error(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}

fn untrusted(error: &rustls::Error, login: &Login) -> String {
    let rustls::Error::InvalidCertificate(certificate) = error else {
        let problem = match error {
            rustls::Error::AlertReceived(_) => "the server aborted the TLS handshake",
            rustls::Error::PeerIncompatible(_) => "the server offers no safe version of TLS",
            rustls::Error::NoCertificatesPresented => "the server sent no certificate",
            _ => "the server's answer is not valid TLS",
        };
        return format!("{problem}; it must support TLS 1.2 or 1.3; see its log");
    };
    match certificate {
        CertificateError::UnknownIssuer | CertificateError::BadSignature => match &login.ca {
            Some(file) => format!(
                "the server's certificate is signed neither by an authority in `tls.ca` {} nor by \
                a public one; set `tls.ca` to the authority that signed it",
                file.display()
            ),
            None => "the server's certificate is not signed by a public authority; give your \
                    authority's certificate with `tls: { ca: FILE }`"
                .into(),
        },
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            let names = match certificate {
                CertificateError::NotValidForNameContext { presented, .. }
                    if !presented.is_empty() =>
                {
                    format!("; it is for {}", presented.join(", "))
                }
                _ => String::new(),
            };
            format!(
                "the server's certificate is not for `{}`{names}; connect with a name in the \
                certificate, or have one issued for this name",
                login.host
            )
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "the server's certificate has expired; have it renewed".into()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "the server's certificate is not valid yet; compare the two machines' clocks".into()
        }
        CertificateError::BadEncoding => {
            "the server's certificate cannot be read; have a valid one issued".into()
        }
        CertificateError::Revoked => {
            "the server's certificate has been revoked; have a new one issued".into()
        }
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            "the server's certificate is not for servers; have a server certificate issued".into()
        }
        // Of all else that an authority's own certificate meets: PostgreSQL's manual makes such.
        CertificateError::Other(_) => format!(
            "the server's certificate is not a server certificate but, for example, an authority's own \
             (CA:TRUE); if it is for `{0}`, put this certificate into the file of `tls.ca`, or have one issued \
             for `{0}`, as \"Creating Certificates\" in PostgreSQL's manual shows",
            login.host
        ),
        _ => "the server's certificate is refused; have a valid one issued for it".into(),
    }
}

fn unreachable(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => {
            "nothing listens there; start the server, or check `host` and `port`".into()
        }
        io::ErrorKind::UnexpectedEof
        | io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe => "the server closed the connection; see its log".into(),
        _ => format!("{error}; check `host` and `port`, the network and its firewalls"),
    }
}

fn denied(sqlstate: &str, login: &Login) -> String {
    let Login { user, database, .. } = login;
    let meaning = match sqlstate {
        "28P01" => format!("the password of `{user}` is wrong; store the right one"),
        "28000" => format!(
            "`{user}` may not log in this way; the role must exist with LOGIN, and pg_hba.conf \
            needs a `hostssl` line for it with scram-sha-256"
        ),
        "3D000" => {
            format!("there is no such database; run: createdb {database}, or check `database`")
        }
        "42501" => format!(
            "`{user}` may not connect to the database; run: GRANT CONNECT ON DATABASE {} TO {}",
            crate::database::quote(database),
            crate::database::quote(user)
        ),
        "53300" => "the server has no connection left; try later, or raise max_connections".into(),
        "57P03" => "the server is starting up or shutting down; try again".into(),
        _ => "the server refused; see its log".into(),
    };
    format!("{meaning} (SQLSTATE {sqlstate})")
}
