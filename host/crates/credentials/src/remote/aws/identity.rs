//! Who the program is to AWS, as its environment says, in the order of AWS's own programs: keys in
//! variables, a pod's or workflow's identity token, a container's service, the machine's metadata.

use std::path::Path;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use glovebox_core::Secret;
use glovebox_outbound::https::{
    Address, Bytes, Client, HeaderName, HeaderValue, Method, Plain, header,
};
use serde_json::Value;

use super::{Options, Problem, text};
use crate::remote::call::{self, Question, Taken, Wiped};
use crate::remote::{form, local};

/// Keys are replaced so long before they expire.
const EARLY: Duration = Duration::from_secs(300);
const METADATA: &str = "http://169.254.169.254";
/// Of these two the first that is set counts, as in AWS's own programs.
const RELATIVE: &str = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI";
const FULL: &str = "AWS_CONTAINER_CREDENTIALS_FULL_URI";
const CONTAINER: &str = "http://169.254.170.2";
const METADATA_TOKEN: HeaderName = HeaderName::from_static("x-aws-ec2-metadata-token");
const METADATA_TTL: HeaderName = HeaderName::from_static("x-aws-ec2-metadata-token-ttl-seconds");

/// Keys by which requests are signed.
pub(super) struct Keys {
    pub(super) access: String,
    pub(super) secret: Secret,
    pub(super) session: Option<Secret>,
    /// None if they do not end.
    until: Option<Instant>,
}

impl Keys {
    /// Whether they are good for a while yet.
    pub(super) fn are_fresh(&self) -> bool {
        self.until.is_none_or(|until| Instant::now() < until)
    }
}

/// The keys that the environment offers.
pub(super) async fn keys(options: &Options) -> Result<Keys, Problem> {
    let client = &local::identity_client(options.ca.as_deref())?;
    let variable = |name: &str| options.variable(name);
    if let Some((access, secret)) = pair(options, "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")? {
        let session = variable("AWS_SESSION_TOKEN").map(|token| Secret::new(token.into_bytes()));
        return Ok(Keys {
            access,
            secret: Secret::new(secret.into_bytes()),
            session,
            until: None,
        });
    }
    if let Some((file, role)) = pair(options, "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN")? {
        return of_web_identity(options, client, Path::new(&file), &role).await;
    }
    if let Some(path) = variable(RELATIVE) {
        return of_container(options, client, RELATIVE, &format!("{CONTAINER}{path}")).await;
    }
    if let Some(url) = variable(FULL) {
        return of_container(options, client, FULL, &url).await;
    }
    of_machine(options, client).await
}

/// Two variables that say together who asks. Without the second the machine's role would ask instead, which
/// may see more.
fn pair(options: &Options, first: &str, second: &str) -> Result<Option<(String, String)>, Problem> {
    match (options.variable(first), options.variable(second)) {
        (Some(one), Some(other)) => Ok(Some((one, other))),
        (Some(_), None) => Err(Problem::Refused(format!(
            "{first} is set, but {second} is not; set both or neither"
        ))),
        (None, _) => Ok(None),
    }
}

/// A role's keys for the token of a pod's service account or of a workflow.
async fn of_web_identity(
    options: &Options,
    client: &Client,
    file: &Path,
    role: &str,
) -> Result<Keys, Problem> {
    let variable = |name: &str| options.variable(name);
    let token = local::read(file, "the token of AWS_WEB_IDENTITY_TOKEN_FILE")?;
    let region = &options.region;
    let url = variable("AWS_ENDPOINT_URL_STS");
    let url = url.unwrap_or_else(|| format!("https://sts.{region}.amazonaws.com"));
    let session = variable("AWS_ROLE_SESSION_NAME");
    let address = parse(&url, Plain::Never, "AWS_ENDPOINT_URL_STS")?;
    let body = form(&[
        ("Action", "AssumeRoleWithWebIdentity"),
        ("Version", "2011-06-15"),
        ("RoleArn", role),
        ("RoleSessionName", session.as_deref().unwrap_or("glovebox")),
        ("WebIdentityToken", text(&token)?.trim_end()),
    ]);
    let question = Question::form(address.clone(), body);
    let (status, xml) = call::ask_text(client, &question, options.patience)
        .await
        .map_err(|problem| local::of_identity(problem, &address))?;
    if status != 200 {
        return Err(refused(
            status,
            "the role of AWS_ROLE_ARN; does the role trust the token's issuer and subject?",
        ));
    }
    let element = |name: &str| {
        let (_, behind) = xml.split_once(&format!("<{name}>"))?;
        let (text, _) = behind.split_once(&format!("</{name}>"))?;
        Some(text.trim().to_owned())
    };
    let (access, secret) = (element("AccessKeyId"), element("SecretAccessKey"));
    let (session, expiry) = (element("SessionToken"), element("Expiration"));
    complete(access, secret, session, expiry.as_deref())
}

/// The keys of a task or pod, from the service of its machine.
async fn of_container(
    options: &Options,
    client: &Client,
    name: &str,
    url: &str,
) -> Result<Keys, Problem> {
    let variable = |name: &str| options.variable(name);
    let address = parse(url, Plain::Metadata, name)?;
    let mut question = Question::get(address.clone());
    let token = match variable("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE") {
        Some(file) => Some(local::read(Path::new(&file), "the container's token")?),
        None => variable("AWS_CONTAINER_AUTHORIZATION_TOKEN").map(|t| Secret::new(t.into_bytes())),
    };
    if let Some(token) = token {
        question = question.secret_header(header::AUTHORIZATION, token.expose())?;
    }
    let answer = call::ask(client, &question, options.patience).await;
    let answer = answer.map_err(|problem| local::of_identity(problem, &address))?;
    if answer.status != 200 {
        return Err(refused(answer.status, "the container's role"));
    }
    of_json(answer.body)
}

/// The keys of the machine's role (IMDSv2).
async fn of_machine(options: &Options, client: &Client) -> Result<Keys, Problem> {
    let url = options.variable("AWS_EC2_METADATA_SERVICE_ENDPOINT");
    let url = url.unwrap_or_else(|| METADATA.to_owned());
    let address = parse(&url, Plain::Metadata, "AWS_EC2_METADATA_SERVICE_ENDPOINT")?;
    let mut question = Question::get(address.below("latest/api/token"));
    question.method = Method::PUT;
    question.body = Bytes::new();
    let hours = HeaderValue::from_static("21600");
    question.headers.insert(METADATA_TTL, hours);
    let (status, token) = call::ask_text(client, &question, options.patience)
        .await
        .map_err(no_identity)?;
    if status != 200 {
        return Err(refused(status, "a token of the machine's metadata"));
    }
    let roles = "latest/meta-data/iam/security-credentials";
    let ask = |path: String| {
        Question::get(address.below(&path)).secret_header(METADATA_TOKEN, token.as_bytes())
    };
    let question = ask(format!("{roles}/"))?;
    let (status, role) = call::ask_text(client, &question, options.patience).await?;
    let role = role.lines().next().unwrap_or_default().to_owned();
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"+=,.@_-".contains(&b);
    if status != 200 || role.is_empty() || !role.bytes().all(plain) {
        return Err(refused(status, "the machine's role; has it one?"));
    }
    let answer = call::ask(client, &ask(format!("{roles}/{role}"))?, options.patience).await?;
    if answer.status != 200 {
        return Err(refused(answer.status, "the machine's role"));
    }
    of_json(answer.body)
}

fn of_json(mut body: Wiped) -> Result<Keys, Problem> {
    let expiry = body.at("/Expiration").and_then(Value::as_str);
    let expiry = expiry.map(ToOwned::to_owned);
    let mut text = |name: &str| match body.take_text("", name) {
        Taken::Text(text) => Some(text),
        Taken::Other | Taken::Nothing => None,
    };
    let (access, secret, session) = (text("AccessKeyId"), text("SecretAccessKey"), text("Token"));
    complete(access, secret, session, expiry.as_deref())
}

fn complete(
    access: Option<String>,
    secret: Option<String>,
    session: Option<String>,
    expiry: Option<&str>,
) -> Result<Keys, Problem> {
    let secret = secret.map(|secret| Secret::new(secret.into_bytes()));
    let session = session.map(|session| Secret::new(session.into_bytes()));
    let until = expiry.and_then(|expiry| DateTime::parse_from_rfc3339(expiry).ok());
    let left = until.map(|until| until.with_timezone(&Utc) - Utc::now());
    let left = left.map(|left| left.to_std().unwrap_or_default().saturating_sub(EARLY));
    match (access, secret) {
        (Some(access), Some(secret)) if is_key_id(&access) => Ok(Keys {
            access,
            secret,
            session,
            until: left.and_then(|left| Instant::now().checked_add(left)),
        }),
        _ => Err(Problem::Refused(
            "the answer about the program's AWS keys has none".into(),
        )),
    }
}

/// It becomes part of a header.
fn is_key_id(text: &str) -> bool {
    !text.is_empty() && text.len() <= 128 && text.bytes().all(|b| b.is_ascii_alphanumeric())
}

fn parse(url: &str, plain: Plain, name: &str) -> Result<Address, Problem> {
    Address::parse(url, plain).map_err(|problem| Problem::Refused(format!("{name}: {problem}")))
}

fn refused(status: u16, what: &str) -> Problem {
    Problem::Refused(format!(
        "the program's AWS keys are not to be had ({status}): {what}"
    ))
}

/// Whoever gives no variables and is on no machine of AWS has forgotten something.
fn no_identity(problem: Problem) -> Problem {
    Problem::Refused(format!(
        "the program has no AWS keys: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give its \
         pod, container or machine a role (the machine's metadata: {problem})"
    ))
}
