//! Who is told of what, and when.

use std::path::PathBuf;
use std::time::Duration;

use glovebox_core::SecretName;
use glovebox_manifest::declare::{Reader, json, section, words};
use glovebox_manifest::kinds::{
    File, ListOf, MapOf, Named, Own, Secret, Text, Time, Whole, nested, word,
};
use glovebox_manifest::model::Spanned;
use glovebox_manifest::shared::Tls;
use glovebox_monitor::{Burst, RUNBOOKS, RejectRate, Rule, Rules, Silence, Volume};
use glovebox_outbound::alerts::Begin;
use glovebox_outbound::https::{Address, Plain};

use super::schedule::{TIMES, Times};
use super::values::{Roles, URL, wrong};
use crate::rules::Permission;

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Who is told of what.
#[derive(Debug, Clone)]
pub(crate) struct Alerts {
    pub(crate) rules: Rules,
    pub(crate) targets: Vec<Target>,
    /// Folders of other audit logs of this machine.
    pub(crate) logs: Vec<PathBuf>,
    pub(crate) verify_every: Duration,
}

/// Where alerts go.
#[derive(Debug, Clone)]
pub(crate) enum Target {
    Webhook {
        address: Address,
        key: SecretName,
        ca: Option<PathBuf>,
    },
    Alertmanager {
        address: Address,
        authorization: Option<SecretName>,
        ca: Option<PathBuf>,
    },
    Mail(Box<Mail>),
    Socket(PathBuf),
    Syslog {
        address: Address,
        ca: Option<PathBuf>,
    },
}

/// A mail server and who gets mail by it.
#[derive(Debug, Clone)]
pub(crate) struct Mail {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) begin: Begin,
    pub(crate) ca: Option<PathBuf>,
    pub(crate) login: Option<(String, SecretName)>,
    pub(crate) from: String,
    pub(crate) to: Vec<String>,
}

impl Target {
    /// The secret that it takes.
    pub(crate) fn secret(&self) -> Option<&SecretName> {
        match self {
            Target::Webhook { key, .. } => Some(key),
            Target::Alertmanager { authorization, .. } => authorization.as_ref(),
            Target::Mail(mail) => mail.login.as_ref().map(|(_, password)| password),
            Target::Socket(_) | Target::Syslog { .. } => None,
        }
    }
}

section! {
    /// [Alerts](audit.md#alerts) about the audit log.
    pub(super) struct AlertKeys("Alerts"): "the alerts", "alerts: { syslog: [{ socket: /dev/log }] }" {
        /// Signed requests, as Standard Webhooks has them.
        webhooks: Vec<Spanned<WebhookKeys>>
            => empty, ListOf(nested::<WebhookKeys>()), "webhooks: [{ url: https://hooks.example.org/a, key: alerts/webhook }]";
        /// Alertmanagers of Prometheus.
        alertmanagers: Vec<Spanned<AlertmanagerKeys>>
            => empty, ListOf(nested::<AlertmanagerKeys>()), "alertmanagers: [{ url: https://alerts.example.org }]";
        /// Mail servers, with whom to write to.
        mail: Vec<Spanned<MailKeys>>
            => empty, ListOf(nested::<MailKeys>()), "mail: [{ host: mail.example.org, from: glovebox@example.org, to: [ops@example.org] }]";
        /// Syslog, of this machine or of a server.
        syslog: Vec<Spanned<SyslogKeys>>
            => empty, ListOf(nested::<SyslogKeys>()), "syslog: [{ socket: /dev/log }]";
        /// Folders of other audit logs of this machine, as `glovebox watch` and `glovebox user` write
        /// them.
        logs: Vec<Spanned<PathBuf>> => empty, ListOf(File), "logs: [audit-watch]";
        /// How often the audit log is verified.
        verify_every: Duration => default "1h", Time(SECOND..=DAY.saturating_mul(30));
        /// The same alert is told again only after so long.
        repeat_after: Duration => default "1h", Time(SECOND..=DAY.saturating_mul(30));
        /// `failed-logins`: so many from one network.
        failed_logins: u32 => default "10", Whole(2..=10_000u32);
        /// `denied-calls`: so many of one user, or five times as many of strangers from one network.
        denied_calls: u32 => default "20", Whole(2..=10_000u32);
        /// Within this time they are counted.
        within: Duration => default "5min", Time(SECOND..=DAY);
        /// `many-rows`: so many that a role reads in an hour.
        many_rows: usize => default "10000", Whole(1..=usize::MAX >> 16);
        /// `reject-rate`: so many rejected rows of a run.
        reject_rows: usize => default "10", Whole(1..=usize::MAX >> 16);
        /// Rows and rejects are told if they are so many times as many as before, too.
        factor: u32 => default "5", Whole(1..=1_000u32);
        /// A role's reading is judged once it is known for so long.
        learn_for: Duration => default "1d", Time(SECOND..=DAY.saturating_mul(30));
        /// `odd-hours`: the minutes in which people work, like the times of a
        /// [schedule](#runs). Without it no hour is odd.
        working_hours: Option<Times> => optional, TIMES, "working-hours: \"* 7-18 * * MON-FRI Europe/Berlin\"";
        /// Where [runbooks.md](runbooks.md) is to be read, without its name: alerts link to their section.
        runbooks: Option<String> => optional "`docs`, in the repository", URL, "runbooks: https://wiki.example.org/glovebox";
        /// Rules that raise no alerts.
        off: Vec<Spanned<Rule>> => empty, ListOf(RULE), "off: [reveal]";
        /// Alerts that are not told for a time.
        silences: Vec<Spanned<SilenceKeys>>
            => empty, ListOf(nested::<SilenceKeys>()), "silences: [{ rule: many-rows, until: 2026-12-31 }]";
    }
}

section! {
    /// Where signed requests are sent.
    pub(super) struct WebhookKeys("Webhook"): "a webhook", "{ url: https://hooks.example.org/a, key: alerts/webhook }" {
        /// Its URL.
        url: Spanned<String> => needed, Text, "url: https://hooks.example.org/a";
        /// The secret by which requests are signed: `whsec_` and base64.
        key: SecretName => needed, Secret, "key: alerts/webhook";
        /// Certificates to trust for it, instead of the built-in ones.
        ca = "tls": Option<Spanned<PathBuf>> => empty, nested::<Tls>();
    }
}

section! {
    /// An Alertmanager.
    pub(super) struct AlertmanagerKeys("Alertmanager"): "an Alertmanager", "{ url: https://alerts.example.org }" {
        /// Its URL; `http://` only on this machine.
        url: Spanned<String> => needed, Text, "url: https://alerts.example.org";
        /// The secret that holds the value of the header `Authorization`.
        authorization: Option<SecretName> => optional, Secret, "authorization: alerts/alertmanager";
        /// Certificates to trust for it, instead of the built-in ones.
        ca = "tls": Option<Spanned<PathBuf>> => empty, nested::<Tls>();
    }
}

words! {
    /// When TLS begins.
    pub(super) enum MailTls {
        /// After a first exchange; a server that does not offer it gets nothing.
        StartTls = "starttls",
        /// With the connection.
        Implicit = "implicit",
    }
}

section! {
    /// A mail server, and whom to write to. TLS is always verified.
    pub(super) struct MailKeys("Mail"): "a mail server", "{ host: mail.example.org, from: glovebox@example.org, to: [ops@example.org] }" {
        /// Its host name.
        host: String => needed, Text, "host: mail.example.org";
        /// Its port.
        port: u16 => default "587", Whole(1..=u16::MAX);
        /// When TLS begins.
        encryption: MailTls => default "starttls", word::<MailTls>();
        /// The user, if it asks for one.
        user: Option<Spanned<String>> => optional, Text, "user: glovebox";
        /// The secret with the user's password.
        password: Option<SecretName> => optional, Secret, "password: alerts/mail";
        /// From whom.
        from: Spanned<String> => needed, Text, "from: glovebox@example.org";
        /// To whom.
        to: Vec<Spanned<String>> => needed, ListOf(Text), "to: [ops@example.org]";
        /// Certificates to trust for it, instead of the built-in ones.
        ca = "tls": Option<Spanned<PathBuf>> => empty, nested::<Tls>();
    }
}

section! {
    /// A socket of this machine, or a server that is reached over TLS.
    pub(super) struct SyslogKeys("Syslog"): "syslog", "{ socket: /dev/log }" {
        /// The socket on which this machine's syslog or journal listens.
        socket: Option<Spanned<PathBuf>> => optional, File, "socket: /dev/log";
        /// A server's host name.
        host: Option<Spanned<String>> => optional, Text, "host: logs.example.org";
        /// Its port.
        port: u16 => default "6514", Whole(1..=u16::MAX);
        /// Certificates to trust for it, instead of the built-in ones.
        ca = "tls": Option<Spanned<PathBuf>> => empty, nested::<Tls>();
    }
}

section! {
    /// Alerts that are not told.
    pub(super) struct SilenceKeys("Silence"): "a silence", "{ rule: many-rows, until: 2026-12-31 }" {
        /// Of this rule.
        rule: Rule => needed, RULE, "rule: many-rows";
        /// Until this day, or this time in RFC 3339.
        until: Spanned<String> => needed, Text, "until: 2026-12-31";
        /// Only with these labels: `user`, `role`, `network`, `pipeline`, `plugin` or `file`.
        labels: Named<String> => empty, MapOf(Text), "labels: { user: ann }";
    }
}

const RULE: Own<Rule> = Own {
    read: |reader, at| {
        let text = reader.text(at.node, at.key, &at.example)?;
        let rule = Rule::parse(&text.value);
        if rule.is_none() {
            let words: Vec<_> = Rule::ALL.iter().map(|rule| rule.word()).collect();
            let help = format!("the rules are: {}", words.join(", "));
            wrong(reader, &text.span, "there is no such rule", help);
        }
        Some(Spanned::new(rule?, text.span))
    },
    words: "rules",
    schema: |_| {
        let words: Vec<_> = Rule::ALL.iter().map(|rule| rule.word()).collect();
        json!({ "enum": words })
    },
};

/// Alerts as they are configured.
pub(super) fn alerts(reader: &mut Reader<'_>, keys: AlertKeys, roles: &Roles) -> Option<Alerts> {
    let mut targets = Vec::new();
    for webhook in keys.webhooks {
        let WebhookKeys { url, key, ca } = webhook.value;
        let address = address(reader, &url)?;
        let ca = ca.map(|ca| ca.value);
        targets.push(Target::Webhook { address, key, ca });
    }
    for alertmanager in keys.alertmanagers {
        let keys = alertmanager.value;
        targets.push(Target::Alertmanager {
            address: address(reader, &keys.url)?,
            authorization: keys.authorization,
            ca: keys.ca.map(|ca| ca.value),
        });
    }
    for mail in keys.mail {
        targets.push(Target::Mail(Box::new(mail_of(reader, mail.value)?)));
    }
    for syslog in keys.syslog {
        targets.push(syslog_of(reader, syslog)?);
    }
    let silences: Option<Vec<_>> = keys
        .silences
        .into_iter()
        .map(|s| silence(reader, s))
        .collect();
    let seconds = |time: Duration| i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    let burst = |at| Burst {
        at,
        within: seconds(keys.within),
    };
    Some(Alerts {
        rules: Rules {
            failed_logins: burst(keys.failed_logins),
            denied_calls: burst(keys.denied_calls),
            many_rows: Volume {
                factor: keys.factor,
                rows: keys.many_rows as u64,
                after: seconds(keys.learn_for),
            },
            working_hours: keys.working_hours.map(Times::into_cron),
            reject_rate: RejectRate {
                factor: keys.factor,
                rows: keys.reject_rows as u64,
            },
            administrators: administrators(roles),
            off: keys.off.into_iter().map(|rule| rule.value).collect(),
            silences: silences?,
            repeat_after: seconds(keys.repeat_after),
            runbooks: keys.runbooks.unwrap_or_else(|| RUNBOOKS.to_owned()),
        },
        targets,
        logs: keys.logs.into_iter().map(|folder| folder.value).collect(),
        verify_every: keys.verify_every,
    })
}

/// Whoever manages users can give themselves any role.
fn administrators(roles: &Roles) -> Vec<String> {
    let manage = roles
        .iter()
        .filter(|(_, may)| may.contains(&Permission::Users));
    manage.map(|(role, _)| role.clone()).collect()
}

fn address(reader: &mut Reader<'_>, url: &Spanned<String>) -> Option<Address> {
    match Address::parse(&url.value, Plain::Loopback) {
        Ok(address) => Some(address),
        Err(problem) => {
            let problem = format!("alerts cannot be sent there: {problem}");
            let help = "write https://HOST/PATH, or http://127.0.0.1:PORT of this machine";
            wrong(reader, &url.span, problem, help);
            None
        }
    }
}

fn mail_of(reader: &mut Reader<'_>, keys: MailKeys) -> Option<Mail> {
    let login = match (keys.user, keys.password) {
        (Some(user), Some(password)) => Some((user.value, password)),
        (Some(user), None) => {
            let help = "write password: alerts/mail, the secret that holds it";
            wrong(reader, &user.span, "this user has no password", help);
            return None;
        }
        (None, Some(_)) => {
            let help = "write user: NAME, or delete `password`";
            wrong(
                reader,
                &keys.from.span,
                "there is a password and no user",
                help,
            );
            return None;
        }
        (None, None) => None,
    };
    Some(Mail {
        host: keys.host,
        port: keys.port,
        begin: match keys.encryption {
            MailTls::StartTls => Begin::StartTls,
            MailTls::Implicit => Begin::Implicit,
        },
        ca: keys.ca.map(|ca| ca.value),
        login,
        from: keys.from.value,
        to: keys.to.into_iter().map(|to| to.value).collect(),
    })
}

fn syslog_of(reader: &mut Reader<'_>, written: Spanned<SyslogKeys>) -> Option<Target> {
    let Spanned { value: keys, span } = written;
    match (keys.socket, keys.host) {
        (Some(socket), None) => Some(Target::Socket(socket.value)),
        (None, Some(host)) => {
            let url = Spanned::new(format!("https://{}:{}", host.value, keys.port), host.span);
            let address = address(reader, &url)?;
            let ca = keys.ca.map(|ca| ca.value);
            Some(Target::Syslog { address, ca })
        }
        _ => {
            let help = "write socket: /dev/log, or host: logs.example.org";
            let problem = "syslog is either a socket or a host";
            wrong(reader, &span, problem, help);
            None
        }
    }
}

fn silence(reader: &mut Reader<'_>, written: Spanned<SilenceKeys>) -> Option<Silence> {
    let keys = written.value;
    let text = &keys.until.value;
    let day = chrono::NaiveDate::parse_from_str(text, "%Y-%m-%d");
    let until = match day {
        // The day itself is silent, too.
        Ok(day) => day
            .succ_opt()
            .and_then(|day| day.and_hms_opt(0, 0, 0))
            .map(|t| t.and_utc().timestamp()),
        Err(_) => chrono::DateTime::parse_from_rfc3339(text)
            .ok()
            .map(|t| t.timestamp()),
    };
    let Some(until) = until else {
        let help = "write a day, 2026-12-31, or a time, 2026-12-31T18:00:00Z";
        wrong(
            reader,
            &keys.until.span,
            "this is not a day or a time",
            help,
        );
        return None;
    };
    let labels = keys.labels.into_iter();
    Some(Silence {
        rule: keys.rule,
        labels: labels
            .map(|(name, value)| (name.value, value.value))
            .collect(),
        until,
    })
}
