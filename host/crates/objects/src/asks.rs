//! How the library's requests leave: by our client, over verified TLS, whole, and with the condition that it
//! cannot set itself.

use std::error::Error;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use glovebox_outbound::https::{
    Address, Client, Failure, HeaderMap, HeaderName, HeaderValue, Limits, Method, Plain, header,
};
use http_body_util::BodyExt;
use object_store::CredentialProvider;
use object_store::azure::{AzureAuthorizer, AzureCredential};
use object_store::client::{
    ClientOptions, HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse,
    HttpResponseBody, HttpService,
};

/// The longest that one request may take, which may carry a part of an object.
const TIME: Duration = Duration::from_secs(120);
/// The most that an answer may have: a page of a listing, or a range of an object, which is asked for.
const SIZE: usize = 32 << 20;

/// What the object has to be that one takes the place of.
#[derive(Debug, Clone)]
pub(crate) struct Condition {
    pub(crate) header: HeaderName,
    pub(crate) value: HeaderValue,
}

/// Who signs a request to Azure, conditions and all.
#[derive(Debug)]
pub(crate) struct Signer {
    pub(crate) credentials: Arc<dyn CredentialProvider<Credential = AzureCredential>>,
    pub(crate) account: String,
}

/// Sends requests.
#[derive(Debug, Clone)]
pub(crate) struct Asks {
    pub(crate) client: Client,
    /// What has to hold for an upload in parts to be completed: the library has no word for it.
    pub(crate) condition: Option<Condition>,
    /// Known once the store is built.
    pub(crate) signer: Arc<OnceLock<Signer>>,
    /// The last status, if it was no success.
    pub(crate) refusal: Arc<AtomicU16>,
}

impl HttpConnector for Asks {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.clone()))
    }
}

#[async_trait]
impl HttpService for Asks {
    async fn call(&self, mut request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let mut once = has_condition(request.headers());
        if let Some(condition) = &self.condition
            && completes(request.method(), request.uri().query())
        {
            let headers = request.headers_mut();
            headers.insert(condition.header.clone(), condition.value.clone());
            self.sign_again(&mut request).await?;
            once = true;
        }
        let (head, body) = request.into_parts();
        let Ok(address) = Address::parse(&head.uri.to_string(), Plain::Metadata) else {
            // Of a cloud's metadata under a name: its address is asked next.
            return Err(unknown(Refused));
        };
        let body = body.collect().await?.to_bytes();
        let headers = head.headers;
        let limits = Limits {
            time: TIME,
            size: SIZE,
        };
        // What holds a condition could fail for its own first try.
        let answer = match once {
            true => {
                self.client
                    .send(head.method, &address, headers, body, limits)
                    .await
            }
            false => {
                self.client
                    .send_kept(head.method, &address, headers, body, limits)
                    .await
            }
        };
        let reply = answer.map_err(|failure| failed(failure, address.is_on_link()))?;
        let refusal = match reply.status.is_success() {
            true => 0,
            false => reply.status.as_u16(),
        };
        self.refusal.store(refusal, Ordering::Relaxed);
        let mut response = HttpResponse::new(HttpResponseBody::from(reply.body));
        *response.status_mut() = reply.status;
        *response.headers_mut() = reply.headers;
        Ok(response)
    }
}

impl Asks {
    /// Signs a request with the account's key again, whose signature includes conditions; other signatures do not.
    async fn sign_again(&self, request: &mut HttpRequest) -> Result<(), HttpError> {
        let Some(signer) = self.signer.get() else {
            return Ok(());
        };
        let credential = signer.credentials.get_credential().await.map_err(unknown)?;
        if matches!(&*credential, AzureCredential::AccessKey(_)) {
            request.headers_mut().remove(header::AUTHORIZATION);
            let authorizer = AzureAuthorizer::new(&credential, &signer.account);
            authorizer.try_authorize(request).map_err(unknown)?;
        }
        Ok(())
    }
}

/// Whether a request makes one object of the parts that were sent.
fn completes(method: &Method, query: Option<&str>) -> bool {
    let has = |of: &str| query.is_some_and(|query| query.split('&').any(|q| q.starts_with(of)));
    *method == Method::POST && has("uploadId=") || *method == Method::PUT && has("comp=blocklist")
}

fn has_condition(headers: &HeaderMap) -> bool {
    const CONDITIONS: [&str; 3] = ["if-match", "if-none-match", "x-goog-if-generation-match"];
    // Of a reader it pins an object, which may be asked twice.
    !headers.contains_key("range") && CONDITIONS.iter().any(|name| headers.contains_key(*name))
}

/// There is no such address for us.
#[derive(Debug, thiserror::Error)]
#[error("its address is not one that may be asked")]
pub(crate) struct Refused;

/// Nobody on the machine's link says who it is.
#[derive(Debug, thiserror::Error)]
#[error("the machine has no role")]
pub(crate) struct NoRole;

fn unknown(error: impl Error + Send + Sync + 'static) -> HttpError {
    HttpError::new(HttpErrorKind::Unknown, error)
}

/// What is tried again: not what is on the machine's link, since where there is no such service nobody ever
/// answers.
fn failed(failure: Failure, is_on_link: bool) -> HttpError {
    if is_on_link {
        return unknown(NoRole);
    }
    let kind = match failure {
        Failure::Unreachable(_) | Failure::Unknown => HttpErrorKind::Connect,
        Failure::TooSlow(_) => HttpErrorKind::Timeout,
        Failure::Protocol => HttpErrorKind::Interrupted,
        Failure::Untrusted(_)
        | Failure::TooLarge(_)
        | Failure::Redirect(_)
        | Failure::Status(_) => HttpErrorKind::Unknown,
    };
    HttpError::new(kind, failure)
}
