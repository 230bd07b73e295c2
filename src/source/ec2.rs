//! The instance profile's role, from the EC2 metadata service (IMDSv2), by three small requests of our own: the SDK's
//! provider prints the whole answer if it is unusable, extends expired credentials by ten minutes, and panics on a role
//! name that is no path.

use std::time::{Duration, Instant};

use reqwest::header::HeaderValue;
use reqwest::{Client, Method, RequestBuilder, StatusCode, Url};

use super::{Asking, answer};
use crate::config::{self, Files};
use crate::credentials::{Credentials, Secret};
use crate::env::{self, Env};
use crate::error::{Error, Result};
use crate::http::{self, Http};
use crate::request::{self, Request, Source};
use crate::selectors::Selectors;

/// What messages call the service; [`Error::hint`] compares with it.
pub const NAME: &str = "the EC2 metadata service";
/// How long one answer may take. The service is on this machine's host.
const ANSWER: Duration = Duration::from_secs(2);
/// The pause before the second and last attempt.
const PAUSE: Duration = Duration::from_millis(300);
/// The largest answer, in bytes. A real one is under 3 KiB.
const LARGEST: usize = 64 * 1024;
const TOKEN: &str = "/latest/api/token";
const ROLES: &str = "/latest/meta-data/iam/security-credentials/";

/// Asks for the role and then for its credentials. Outside EC2 nobody answers, so the limits are short.
pub async fn fetch(asking: &Asking<'_>) -> Result<Credentials> {
    let given = match ask(asking).await {
        Err(Failure::Passing(_)) if Instant::now() + PAUSE < asking.until.get() => {
            tokio::time::sleep(PAUSE).await;
            ask(asking).await
        }
        given => given,
    };
    given.map_err(|failure| match failure {
        // Usually this is just not EC2: then nothing was found, here or in the places that come before.
        Failure::Nothing { reason, .. } if by_default(asking) => request::nothing_found(asking.env, &reason),
        Failure::Nothing { named: error, .. } | Failure::Told(error) | Failure::Passing(error) => error,
    })
}

/// Whether the service is asked only because nothing else was found, and not because a flag or profile names it.
fn by_default(asking: &Asking<'_>) -> bool {
    let named = matches!(&asking.request.source, Source::Role { role, .. } if role.profile.is_some());
    let chosen = Request::resolve(&Selectors::default(), asking.env);
    !named && matches!(chosen, Ok(Request { source: Source::Ec2, .. }) | Err(Error::NoSource { .. }))
}

/// Why there are no credentials.
enum Failure {
    /// There is no such service here, or it has no role to give. `named` is the error if it was asked for by name.
    Nothing { reason: String, named: Error },
    /// The service is here, and this is its error.
    Told(Error),
    /// The same, but another attempt may succeed.
    Passing(Error),
}

impl Failure {
    /// Turns a 404 into `Nothing`, as nobody offers anything under that path; leaves every other failure as it is.
    fn or_nothing(self, reason: &str, named: impl FnOnce(Error) -> Error) -> Self {
        match self {
            Failure::Told(error @ Error::Answer { status: 404, .. }) => {
                Failure::Nothing { reason: reason.into(), named: named(error) }
            }
            other => other,
        }
    }
}

/// Only IMDSv2, as in the SDK. IMDSv1 has no token, and answers anybody who can make an instance request a URL.
async fn ask(asking: &Asking<'_>) -> std::result::Result<Credentials, Failure> {
    if asking.env.is_true(env::NO_IMDS) {
        let reason = format!("turned off by {}", env::NO_IMDS);
        let hint = Some(format!("unset {}", env::NO_IMDS));
        let named = Error::Config { what: NAME.into(), reason: format!("is {reason}"), hint };
        return Err(Failure::Nothing { reason, named });
    }
    let service = Service::of(asking).map_err(Failure::Told)?;
    let put = service.request(Method::PUT, TOKEN).header("X-aws-ec2-metadata-token-ttl-seconds", "60");
    // Other clouds have their own metadata service at this address, which knows none of EC2's paths.
    let elsewhere = |failure: Failure| failure.or_nothing("answered with status 404, so it is not EC2's", |told| told);
    let token = service.answer(put, &[]).await.map_err(elsewhere)?;
    let token = Secret::new(String::from_utf8_lossy(&token).trim());
    let mut header =
        HeaderValue::from_str(token.expose()).map_err(|_| unusable("its token is not a valid header value"))?;
    header.set_sensitive(true);
    let get = |path: &str| service.request(Method::GET, path).header("X-aws-ec2-metadata-token", header.clone());

    let listed = service.answer(get(ROLES), &[&token]).await;
    let listed = listed.map_err(|failure| failure.or_nothing(NO_ROLE, |_| no_role()))?;
    let role = role(&listed, &token)?;
    let body = service.answer(get(&format!("{ROLES}{role}")), &[&token]).await?;
    answer::credentials(&body, &[&token]).map_err(unusable)
}

const NO_ROLE: &str = "has no role for this instance";

fn no_role() -> Error {
    let hint = Some("attach an instance profile with an IAM role to the instance".into());
    Error::Config { what: NAME.into(), reason: NO_ROLE.into(), hint }
}

fn unusable(reason: impl Into<String>) -> Failure {
    Failure::Told(Error::BadAnswer { source: NAME.into(), reason: reason.into() })
}

/// The first name in the list; an instance has only one role. It becomes part of a path, so it must be a name that IAM
/// allows.
fn role<'a>(listed: &'a [u8], token: &Secret) -> std::result::Result<&'a str, Failure> {
    let first = listed.trim_ascii().split(|byte| matches!(byte, b'\r' | b'\n')).next().unwrap_or_default().trim_ascii();
    if first.is_empty() {
        return Err(Failure::Nothing { reason: NO_ROLE.into(), named: no_role() });
    }
    let legal = first.iter().all(|byte| byte.is_ascii_alphanumeric() || b"+=,.@_-".contains(byte));
    let name = std::str::from_utf8(first).ok().filter(|_| legal);
    name.ok_or_else(|| unusable(format!("it did not list a valid role name: {}", answer::message(listed, &[token]))))
}

/// The service, with the client for its address.
struct Service<'a> {
    base: Url,
    client: Client,
    http: &'a Http,
}

impl<'a> Service<'a> {
    fn of(asking: &'a Asking<'_>) -> Result<Self> {
        let (base, http) = (address(asking.env)?, &asking.http);
        let client = if base.scheme() == "https" { http.direct() } else { http.local() };
        Ok(Service { base, client: client.map_err(|none| none.error(NAME))?, http })
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let mut url = self.base.clone();
        url.set_path(&format!("{}{path}", self.base.path().trim_end_matches('/')));
        self.client.request(method, url).timeout(ANSWER)
    }

    /// The body of a successful answer.
    async fn answer(&self, request: RequestBuilder, hidden: &[&Secret]) -> std::result::Result<Vec<u8>, Failure> {
        let response = request.send().await.map_err(unanswered)?;
        self.http.saw_date(response.headers().get("date").and_then(|value| value.to_str().ok()));
        let status = response.status();
        let Some(body) = http::body(response, LARGEST).await.map_err(unanswered)? else {
            return Err(unusable(format!("the answer is larger than {} KiB", LARGEST / 1024)));
        };
        if status == StatusCode::OK {
            return Ok(body);
        }
        let message = answer::message(&body, hidden);
        let error = Error::Answer { source: NAME.into(), status: status.as_u16(), message, hint: None };
        // 401 means that the token is no longer accepted. 429 is not from IMDS itself but from a stand-in, or from a proxy
        // in a container.
        let passes = matches!(status, StatusCode::UNAUTHORIZED | StatusCode::TOO_MANY_REQUESTS);
        Err(if passes || status.is_server_error() { Failure::Passing(error) } else { Failure::Told(error) })
    }
}

/// The failure of a request without an answer. Once there is a connection the service is here, and its trouble is the thing
/// to report. A silent one is not asked again: it would take as long, and somebody may be waiting at a prompt.
fn unanswered(error: reqwest::Error) -> Failure {
    let (connected, late) = (!error.is_connect(), error.is_timeout());
    let reason = http::unanswered(error, ANSWER);
    let error = Error::Unreachable { source: NAME.into(), reason: reason.clone() };
    match (connected, late) {
        (false, _) => Failure::Nothing { reason, named: error },
        (true, true) => Failure::Told(error),
        (true, false) => Failure::Passing(error),
    }
}

/// The address, as in the SDKs: the one configured, else the default for the configured IP version. Variables win over the
/// profile.
fn address(env: &Env) -> Result<Url> {
    let name = env.first(&env::PROFILE).unwrap_or("default");
    // An unreadable file is reported where it is needed, which it usually is not here.
    let profile = config::profile(&Files::of(env), name).ok().flatten().unwrap_or_default();
    let given = |variable, key| env.get(variable).or(profile.get(key).map(String::as_str));
    let broken = |reason: String| Error::Config {
        what: format!("the address of {NAME}"),
        reason,
        hint: Some(format!(
            "check {}, {}, and {} and {} of profile {}",
            env::IMDS_ENDPOINT,
            env::IMDS_MODE,
            config::IMDS_ENDPOINT,
            config::IMDS_MODE,
            crate::ui::clean(name)
        )),
    };
    let mode = given(env::IMDS_MODE, config::IMDS_MODE).unwrap_or("IPv4");
    let of_mode = [("IPv4", "http://169.254.169.254"), ("IPv6", "http://[fd00:ec2::254]")];
    let of_mode = of_mode.into_iter().find(|(known, _)| known.eq_ignore_ascii_case(mode)).map(|(_, address)| address);
    let address = given(env::IMDS_ENDPOINT, config::IMDS_ENDPOINT).or(of_mode);
    let address = address.ok_or_else(|| broken("its mode is neither IPv4 nor IPv6".into()))?;
    let url = Url::parse(address).map_err(|error| broken(format!("not a valid URI: {error}")))?;
    if matches!(url.scheme(), "http" | "https") { Ok(url) } else { Err(broken("neither http nor https".into())) }
}
