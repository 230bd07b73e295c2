//! The two HTTP clients, and the adapter that lets the AWS SDK use them.
//!
//! *local* is for metadata endpoints: never a proxy, as the request carries a token and the answer credentials. *remote* is
//! for AWS: the system's proxies and, if one is set, a CA bundle instead of the system's certificates, which the Rust SDK
//! ignores. Neither follows a redirect or retries: only the caller knows what a failure means.

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

/// How long connecting to AWS, or to a proxy on the way, may take; the kernel sends three SYNs in that time. reqwest has
/// one such limit per client, so the SDK's settings for single operations are ignored.
const CONNECT: Duration = Duration::from_secs(5);
/// The same for a metadata service, which is on this machine or one hop away (the SDKs use the same limit for EC2's).
const CONNECT_LOCAL: Duration = Duration::from_secs(1);

/// Both clients, each made on first use: loading a trust store takes milliseconds, and a request to loopback does not need
/// one.
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
    /// With `ca_bundle`, the setting and the PEM file that it names, only the certificates in that file are trusted.
    pub fn new(ca_bundle: Option<(String, PathBuf)>) -> Http {
        // Fails only if a provider is installed already, which serves as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Http { inner: Arc::new(Inner { ca_bundle, ..Inner::default() }) }
    }

    /// The client for plain-text metadata endpoints on `host`. It connects to `addresses` and no others, so that what was
    /// checked is what is asked.
    ///
    /// # Errors
    /// The client cannot be built.
    pub fn pinned(host: &str, addresses: &[SocketAddr]) -> Result<Client, NoClient> {
        built(without_tls().resolve_to_addrs(host, addresses))
    }

    /// The client for AWS and for anything else that is not a metadata endpoint.
    ///
    /// # Errors
    /// As [`Http::pinned`], or the bundle cannot be read as PEM.
    pub fn remote(&self) -> Result<Client, NoClient> {
        self.inner.remote.get_or_init(|| self.build(base().connect_timeout(CONNECT).dns_resolver(Named))).clone()
    }

    /// The client for an `https` metadata endpoint: it checks certificates and uses no proxy.
    ///
    /// # Errors
    /// As [`Http::remote`].
    pub fn direct(&self) -> Result<Client, NoClient> {
        self.build(base().no_proxy())
    }

    /// The client for a plain-text metadata endpoint at any address.
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
        // Reading a FIFO would block, past every deadline.
        if !std::fs::metadata(path).map_err(unread)?.is_file() {
            return Err(broken("not a regular file".into()));
        }
        let pem = std::fs::read(path).map_err(unread)?;
        let certificates = reqwest::Certificate::from_pem_bundle(&pem).map_err(|error| broken(innermost(&error)))?;
        // An empty list is what reading a file that is not PEM at all gives.
        if certificates.is_empty() {
            return Err(broken("contains no certificate".into()));
        }
        builder.tls_certs_only(certificates).build().map_err(|error| broken(innermost(&error)))
    }

    /// Notes the `Date` header of an answer, for [`Http::skew`].
    pub fn saw_date(&self, value: Option<&str>) {
        if let Some(date) = value.and_then(time::parse_http_date) {
            *self.inner.date.lock().unwrap_or_else(PoisonError::into_inner) = Some((date, Instant::now()));
        }
    }

    /// The IAM Identity Center token that was sent last, to redact an answer that echoes it. The SDK reads it from a file
    /// of its own, so it can only be known here.
    pub fn sign_in(&self) -> Option<Secret> {
        self.inner.sign_in.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The clock of the last server that sent a `Date`, minus `now`; in seconds, 0 if none did.
    pub fn skew(&self, now: Epoch) -> Epoch {
        let seen = *self.inner.date.lock().unwrap_or_else(PoisonError::into_inner);
        seen.map_or(0, |(date, at)| date + Epoch::try_from(at.elapsed().as_secs()).unwrap_or(0) - now)
    }
}

/// Why a client could not be built, so that no request can be made at all.
#[derive(Clone, Debug)]
pub struct NoClient {
    /// The setting and the file of the CA bundle, if that is to blame.
    bundle: Option<(String, PathBuf)>,
    reason: String,
}

impl NoClient {
    /// The failure to ask `source`. A bad bundle is a mistake in the configuration, not a network failure.
    pub fn error(&self, source: &str) -> Error {
        match &self.bundle {
            Some((named_by, path)) => Error::Config {
                what: format!("{named_by} {}", path.display()),
                reason: self.reason.clone(),
                hint: Some(format!("set {named_by} to a PEM file of the certificates to trust, or unset it")),
            },
            None => Error::Unreachable { source: source.into(), reason: self.reason.clone() },
        }
    }

    /// The `NoClient` in the chain of an SDK error, if there is one.
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

/// The system's resolver, which reqwest uses too, but without saying which name failed: an AWS host, which a mistyped
/// region is part of, or a proxy.
struct Named;

impl Resolve for Named {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            // The caller replaces the port.
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

/// The error for a name that does not resolve.
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

/// A client without a trust store, for `http` only.
fn without_tls() -> ClientBuilder {
    let empty =
        rustls::ClientConfig::builder().with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth();
    // Connections are not reused: some metadata services close theirs after an answer without saying so, and the next
    // request would fail. On this machine a new one costs nothing.
    base().no_proxy().pool_max_idle_per_host(0).tls_backend_preconfigured(empty)
}

/// The message of the innermost error. The outer ones repeat the URL, which may not be shown.
pub fn innermost(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    error::lower(&ui::clean(&innermost.to_string()))
}

/// The body of an answer; `None` if it is longer than `most` bytes.
///
/// # Errors
/// The body breaks off, or does not end in time.
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

/// The message for a metadata service that gave no answer within `time`.
pub fn unanswered(error: reqwest::Error, time: Duration) -> String {
    innermost(&Times { connect: CONNECT_LOCAL, answer: Some(time) }.error(error))
}

/// Whether this is plain http to an address where AWS SDKs look for metadata: loopback, 169.254/16 (ECS, EC2),
/// fd00:ec2::/32 (EKS, EC2).
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

/// The header in which IAM Identity Center expects its token.
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
            // Everything that credsh sends fits in memory; a request with a streaming body is not one of its own.
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

/// How long one exchange may take: to connect, and until the answer is complete.
#[derive(Clone, Copy)]
struct Times {
    connect: Duration,
    answer: Option<Duration>,
}

impl Times {
    /// Converts an error. Its kind decides whether the SDK tries again. For a timeout the SDK would speak of operations and
    /// throughput; here it is known which limit was exceeded.
    fn error(self, error: reqwest::Error) -> ConnectorError {
        // The URL may contain whatever a profile's endpoint_url does, such as a password.
        let error = error.without_url();
        if error.is_timeout() && error.is_connect() {
            // Not retried: the next attempt would take as long, and somebody may be waiting at a prompt.
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
