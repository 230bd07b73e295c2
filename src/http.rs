//! The two HTTP clients, and the adapter that lets the AWS SDK use them.
//!
//! *local* is for metadata endpoints: never a proxy, as the request carries a token and the answer credentials.
//! *remote* is for AWS: the system's proxies, and another trust store than its own, which the Rust SDK ignores. Neither follows a
//! redirect, and neither retries: that is decided where the meaning of a failure is known.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Client, ClientBuilder, Response, redirect, retry};

use crate::credentials::Secret;
use crate::error::{self, Error};
use crate::time::{self, Epoch};
use crate::ui;

/// How long a connection to AWS, or to the proxy on the way, may take to come about: the kernel asks three times meanwhile.
/// reqwest knows one such time a client, so the SDK's wishes for one operation or another are not looked at.
const CONNECT: Duration = Duration::from_secs(5);
/// The same for a metadata service, which is on this machine or one hop from it (the SDKs' own time for EC2's).
const CONNECT_LOCAL: Duration = Duration::from_secs(1);

/// Both clients, made when first used: a trust store costs milliseconds that loopback has no use for.
#[derive(Clone, Debug, Default)]
pub struct Http {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    ca_bundle: Option<(String, PathBuf)>,
    local: OnceLock<Result<Client, NoClient>>,
    remote: OnceLock<Result<Client, NoClient>>,
    date: Mutex<Option<(Epoch, Instant)>>,
    sign_in: Mutex<Option<Secret>>,
}

impl Http {
    /// Clients that trust the certificates of `ca_bundle`, a file after what names it, and no others if there is one.
    pub fn new(ca_bundle: Option<(String, PathBuf)>) -> Http {
        // Fails only where one is installed already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Http { inner: Arc::new(Inner { ca_bundle, ..Inner::default() }) }
    }

    /// The client for plain-text metadata endpoints on `host`, which connects to `addresses` and no others, so that
    /// what was checked is what is asked.
    ///
    /// # Errors
    /// The client cannot be built.
    pub fn pinned(host: &str, addresses: &[SocketAddr]) -> Result<Client, NoClient> {
        built(without_tls().resolve_to_addrs(host, addresses))
    }

    /// The client for an address outside.
    ///
    /// # Errors
    /// As [`Http::pinned`], or the bundle is no PEM file.
    pub fn remote(&self) -> Result<Client, NoClient> {
        self.inner.remote.get_or_init(|| self.build(base().connect_timeout(CONNECT).dns_resolver(Named))).clone()
    }

    /// The client for an `https` metadata endpoint: with certificates, and without a proxy.
    ///
    /// # Errors
    /// As [`Http::remote`].
    pub fn direct(&self) -> Result<Client, NoClient> {
        self.build(base().no_proxy())
    }

    /// The client for a plain-text metadata endpoint wherever it is.
    ///
    /// # Errors
    /// The client cannot be built.
    pub fn local(&self) -> Result<Client, NoClient> {
        self.inner.local.get_or_init(|| built(without_tls().connect_timeout(CONNECT_LOCAL))).clone()
    }

    fn build(&self, builder: ClientBuilder) -> Result<Client, NoClient> {
        let Some((named_by, path)) = &self.inner.ca_bundle else { return built(builder) };
        let broken = |reason: String| NoClient { bundle: Some((named_by.clone(), path.clone())), reason };
        let unread = |error: std::io::Error| broken(error::lower(&error.to_string()));
        // A FIFO would be waited for, past every deadline.
        if !std::fs::metadata(path).map_err(unread)?.is_file() {
            return Err(broken("is no regular file".into()));
        }
        let pem = std::fs::read(path).map_err(unread)?;
        let certificates = reqwest::Certificate::from_pem_bundle(&pem).map_err(|error| broken(innermost(&error)))?;
        // Which is how a file that is no PEM at all is read.
        if certificates.is_empty() {
            return Err(broken("holds no certificate".into()));
        }
        builder.tls_certs_only(certificates).build().map_err(|error| broken(innermost(&error)))
    }

    /// Notes the `Date` of an answer.
    pub fn saw_date(&self, value: Option<&str>) {
        if let Some(date) = value.and_then(time::parse_http_date) {
            *self.inner.date.lock().unwrap_or_else(PoisonError::into_inner) = Some((date, Instant::now()));
        }
    }

    /// The token of IAM Identity Center that was sent last. It is the SDK that reads it: here is where it can be known, so that
    /// who echoes it is not repeated.
    pub fn sign_in(&self) -> Option<Secret> {
        self.inner.sign_in.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The last answerer's clock minus `now`, in seconds; 0 when none told it.
    pub fn skew(&self, now: Epoch) -> Epoch {
        let seen = *self.inner.date.lock().unwrap_or_else(PoisonError::into_inner);
        seen.map_or(0, |(date, at)| date + Epoch::try_from(at.elapsed().as_secs()).unwrap_or(0) - now)
    }
}

/// Why nothing can be asked at all.
#[derive(Clone, Debug)]
pub struct NoClient {
    /// The bundle, if it is to blame.
    bundle: Option<(String, PathBuf)>,
    reason: String,
}

impl NoClient {
    /// The failure of asking `source`. What is configured wrong is no fault of the network.
    pub fn error(&self, source: &str) -> Error {
        match &self.bundle {
            Some((named_by, path)) => Error::Config {
                what: format!("{named_by} {}", path.display()),
                reason: self.reason.clone(),
                hint: Some(format!("let {named_by} name a PEM file of the certificates to trust, or unset it")),
            },
            None => Error::Unreachable { source: source.into(), reason: self.reason.clone() },
        }
    }

    /// The one at the bottom of a failure of the SDK's.
    pub fn behind<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a NoClient> {
        std::iter::successors(Some(error), |error| error.source()).find_map(|error| error.downcast_ref())
    }
}

impl fmt::Display for NoClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl std::error::Error for NoClient {}

/// The system's resolver. reqwest's own asks it just so, and does not say for which name: that of AWS, which a mistyped
/// region is in, or a proxy's.
struct Named;

impl Resolve for Named {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            // The port is put in by who asks.
            match tokio::net::lookup_host((name.as_str(), 0)).await {
                Ok(found) => Ok(Box::new(found.collect::<Vec<_>>().into_iter()) as Addrs),
                Err(error) => {
                    let told = error.to_string();
                    let reason = told.strip_prefix("failed to lookup address information: ").unwrap_or(&told);
                    Err(NoAddress { host: ui::clean(name.as_str()), reason: error::lower(&ui::clean(reason)) }.into())
                }
            }
        })
    }
}

/// A name that does not resolve.
#[derive(Debug)]
pub struct NoAddress {
    pub host: String,
    pub reason: String,
}

impl fmt::Display for NoAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} cannot be resolved: {}", self.host, self.reason)
    }
}

impl std::error::Error for NoAddress {}

fn built(builder: ClientBuilder) -> Result<Client, NoClient> {
    builder.build().map_err(|error| NoClient { bundle: None, reason: innermost(&error) })
}

fn base() -> ClientBuilder {
    Client::builder()
        .redirect(redirect::Policy::none())
        .retry(retry::never())
        .user_agent(concat!("credsh/", env!("CARGO_PKG_VERSION")))
}

/// Without a trust store: nothing but `http` is asked with it.
fn without_tls() -> ClientBuilder {
    let empty =
        rustls::ClientConfig::builder().with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth();
    // No connection is used twice: there are metadata services that close theirs after an answer and do not say so, and the
    // next request would meet that. On this machine a new one costs nothing.
    base().no_proxy().pool_max_idle_per_host(0).tls_backend_preconfigured(empty)
}

/// What failed at the bottom of a chain of errors: the rest repeats the URL, which may not be shown.
pub fn innermost(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    error::lower(&ui::clean(&innermost.to_string()))
}

/// An answer's body, unless that is longer than `most`.
///
/// # Errors
/// It does not come to an end.
pub async fn body(mut response: Response, most: usize) -> reqwest::Result<Option<Vec<u8>>> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        body.extend_from_slice(&chunk);
        if body.len() > most {
            return Ok(None);
        }
    }
    Ok(Some(body))
}

/// Why a metadata service gave no answer within `time`.
pub fn unanswered(error: reqwest::Error, time: Duration) -> String {
    innermost(&Times { connect: CONNECT_LOCAL, answer: Some(time) }.error(error))
}

/// Addresses at which AWS SDKs serve metadata: loopback, 169.254/16 (ECS, EC2), fd00:ec2::/32 (EKS, EC2).
fn is_local(uri: &http::Uri) -> bool {
    let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    let local = match host.parse::<IpAddr>() {
        Ok(IpAddr::V4(address)) => address.is_loopback() || address.is_link_local(),
        Ok(IpAddr::V6(address)) => address.is_loopback() || address.segments()[..2] == [0xfd00, 0x0ec2],
        Err(_) => host.eq_ignore_ascii_case("localhost"),
    };
    local && uri.scheme_str() == Some("http")
}

impl HttpClient for Http {
    fn http_connector(&self, settings: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(Connector { http: self.clone(), settings: settings.clone() })
    }
}

/// The header that IAM Identity Center wants its token in.
const SIGN_IN: &str = "x-amz-sso_bearer_token";

#[derive(Debug)]
struct Connector {
    http: Http,
    settings: HttpConnectorSettings,
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let http = self.http.clone();
        let timeout = self.settings.read_timeout();
        HttpConnectorFuture::new(async move {
            let request = request.try_into_http1x().map_err(|error| ConnectorError::user(error.into()))?;
            if let Some(token) = request.headers().get(SIGN_IN).and_then(|value| value.to_str().ok()) {
                *http.inner.sign_in.lock().unwrap_or_else(PoisonError::into_inner) = Some(Secret::new(token));
            }
            let local = is_local(request.uri());
            let client = if local { http.local() } else { http.remote() };
            let times = Times { connect: if local { CONNECT_LOCAL } else { CONNECT }, answer: timeout };
            let client = client.map_err(|reason| ConnectorError::user(reason.into()))?;
            // Everything credsh asks for fits in memory; a streaming body would be none of its requests.
            let request =
                request.map(|body| body.bytes().map_or_else(reqwest::Body::default, |bytes| bytes.to_vec().into()));
            let mut request = reqwest::Request::try_from(request).map_err(|error| times.error(error))?;
            *request.timeout_mut() = timeout;
            let response = client.execute(request).await.map_err(|error| times.error(error))?;
            http.saw_date(response.headers().get("date").and_then(|value| value.to_str().ok()));
            let response: http::Response<reqwest::Body> = response.into();
            HttpResponse::try_from(response.map(SdkBody::from_body_1_x))
                .map_err(|error| ConnectorError::other(error.into(), None))
        })
    }
}

/// What an exchange may take: until there is a connection, and until the answer is whole.
#[derive(Clone, Copy)]
struct Times {
    connect: Duration,
    answer: Option<Duration>,
}

impl Times {
    /// The kind decides whether the SDK tries again. Its words for a time that is over are about operations and
    /// throughput; here it is known which one was.
    fn error(self, error: reqwest::Error) -> ConnectorError {
        // The URL may hold what a profile's endpoint_url held.
        let error = error.without_url();
        if error.is_timeout() && error.is_connect() {
            // Not tried again: the next would take as long, and somebody may be waiting at a prompt.
            ConnectorError::other(format!("no connection within {} s", self.connect.as_secs()).into(), None)
        } else if error.is_timeout() {
            let seconds = self.answer.map_or(String::new(), |time| format!(" within {} s", time.as_secs()));
            ConnectorError::timeout(format!("no answer{seconds}").into())
        } else if error.is_connect() {
            ConnectorError::io(error.into()).never_connected()
        } else if error.is_builder() {
            ConnectorError::user(error.into())
        } else {
            ConnectorError::io(error.into())
        }
    }
}
