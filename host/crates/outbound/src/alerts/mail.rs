//! Alerts by mail: SMTP over TLS, whose server is verified.

use std::time::Duration;

use glovebox_monitor::Alert;
use lettre::address::AddressError;
use lettre::message::Mailbox;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, CertificateStore, Tls, TlsParameters};
use lettre::{Message, SmtpTransport, Transport};

use super::{summary, time};

const TIMEOUT: Duration = Duration::from_secs(20);

/// Why a mail was not sent. What the server said is not repeated.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    /// An address is not one.
    #[error("the address of a sender or recipient cannot be used")]
    Address(#[from] AddressError),
    /// The authorities cannot be used.
    #[error("`ca` has no readable certificate of an authority; it must be a PEM file")]
    Authority,
    /// The message cannot be made.
    #[error("a mail cannot be made of it")]
    Message,
    /// It was refused for good.
    #[error("the mail server refuses it (SMTP {0})")]
    Refused(u16),
    /// It was refused for now.
    #[error("the mail server does not take it now (SMTP {0})")]
    Later(u16),
    /// There is no connection that can be trusted.
    #[error("the mail server cannot be reached over TLS that can be verified")]
    Connection,
    /// It took too long.
    #[error("the mail server took too long")]
    TooSlow,
}

/// When TLS begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begin {
    /// After a first exchange in plain text, or not at all: then nothing is sent.
    StartTls,
    /// With the connection.
    Implicit,
}

/// A mail server and who gets mail by it.
#[derive(Debug)]
pub struct Mail {
    transport: SmtpTransport,
    from: Mailbox,
    to: Vec<Mailbox>,
}

impl Mail {
    /// A server, with a user and their password if it asks for one; `authorities` are PEM, or those of
    /// Mozilla's list.
    ///
    /// # Errors
    /// When an address or the authorities cannot be used.
    pub fn new(
        (host, port, begin): (&str, u16, Begin),
        authorities: Option<&[u8]>,
        login: Option<(String, String)>,
        from: &str,
        to: &[String],
    ) -> Result<Self, MailError> {
        let mut tls = TlsParameters::builder(host.to_owned());
        if let Some(pem) = authorities {
            let root = Certificate::from_pem(pem).map_err(|_| MailError::Authority)?;
            tls = tls
                .certificate_store(CertificateStore::None)
                .add_root_certificate(root);
        }
        let tls = tls.build_rustls().map_err(|_| MailError::Authority)?;
        let tls = match begin {
            Begin::StartTls => Tls::Required(tls),
            Begin::Implicit => Tls::Wrapper(tls),
        };
        // `dangerous` is its name for a builder that has no TLS yet.
        let mut transport = SmtpTransport::builder_dangerous(host)
            .port(port)
            .tls(tls)
            .timeout(Some(TIMEOUT));
        if let Some((user, password)) = login {
            transport = transport.credentials(Credentials::new(user, password));
        }
        let to: Result<Vec<Mailbox>, _> = to.iter().map(|to| to.parse()).collect();
        Ok(Mail {
            transport: transport.build(),
            from: from.parse()?,
            to: to?,
        })
    }

    pub(super) async fn send(&self, alert: &Alert) -> Result<(), MailError> {
        let message = self.message(alert)?;
        let transport = self.transport.clone();
        let sent = tokio::task::spawn_blocking(move || transport.send(&message)).await;
        let error = match sent {
            Ok(Ok(_)) => return Ok(()),
            Ok(Err(error)) => error,
            Err(_) => return Err(MailError::Connection),
        };
        let code = error.status().map(u16::from);
        Err(match code {
            Some(code) if error.is_permanent() => MailError::Refused(code),
            Some(code) => MailError::Later(code),
            None if error.is_timeout() => MailError::TooSlow,
            None => MailError::Connection,
        })
    }

    fn message(&self, alert: &Alert) -> Result<Message, MailError> {
        let rule = alert.rule;
        let subject = format!("Glovebox, {}: {}", rule.severity().word(), rule.word());
        let mut message = Message::builder().from(self.from.clone()).subject(subject);
        for to in &self.to {
            message = message.to(to.clone());
        }
        let mut text = format!(
            "{}\n\nWhy it matters: {}\n\nWhat to look at next: {}\n\nRunbook: {}\nWhen: {}\nRule: {}\n",
            summary(alert),
            rule.why(),
            rule.next(),
            alert.runbook,
            time(alert),
            rule.word()
        );
        for (label, value) in &alert.subject {
            text.push_str(&format!("{label}: {value}\n"));
        }
        message.body(text).map_err(|_| MailError::Message)
    }
}
