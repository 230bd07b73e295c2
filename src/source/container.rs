//! The container credentials endpoint: CloudShell, ECS, EKS Pod Identity. The SDKs' contract, written again because the
//! Rust SDK's client sends the token through a proxy, does not retry a 429 and throws error bodies away.

use std::cell::OnceCell;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

use reqwest::{Client, Method, Response, StatusCode, Url};

use super::{Asking, answer, token};
use crate::credentials::{Credentials, Secret};
use crate::env::{self, Env};
use crate::error::{Error, Result};
use crate::request::CLOUDSHELL_PATH;
use crate::{http, ui};

/// The limit for all attempts together. botocore's three attempts of 2 s would keep a shell waiting longer.
const DEADLINE: Duration = Duration::from_secs(5);
/// The largest answer, in bytes. A real one is under 3 KiB.
const LARGEST: usize = 64 * 1024;
const ECS: IpAddr = IpAddr::V4(Ipv4Addr::new(169, 254, 170, 2));
const EKS: [IpAddr; 2] =
    [IpAddr::V4(Ipv4Addr::new(169, 254, 170, 23)), IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23))];

/// Asks the endpoint at `uri`.
pub async fn fetch(uri: &str, asking: &Asking<'_>) -> Result<Credentials> {
    let source = format!("the container endpoint ({})", asking_label(uri));
    let deadline = DEADLINE.min(asking.until.get().saturating_duration_since(Instant::now()));
    let until = Instant::now() + deadline;
    let work = async {
        let endpoint = Endpoint::open(uri, &source, asking).await?;
        let body = endpoint.get(until).await?;
        let broken = |reason| Error::BadAnswer { source: source.clone(), reason };
        answer::credentials(&body, &endpoint.hidden()).map_err(broken)
    };
    tokio::time::timeout(deadline, work).await.unwrap_or(Err(super::late(&source, deadline)))
}

fn asking_label(uri: &str) -> String {
    crate::request::Source::Container { uri: uri.into() }.label()
}

/// An endpoint that may be asked: its host was checked, and the addresses to connect to are fixed.
struct Endpoint<'a> {
    url: Url,
    client: Client,
    token: Option<Token>,
    /// Other parts of the request that may be a secret: the values in its query, and the token without its scheme.
    parts: Vec<Secret>,
    /// The token from CloudShell's other dialect, used if there is no other or it was refused.
    session: OnceCell<Secret>,
    source: &'a str,
    http: &'a http::Http,
}

impl<'a> Endpoint<'a> {
    async fn open(uri: &str, source: &'a str, asking: &'a Asking<'_>) -> Result<Endpoint<'a>> {
        let refused = |reason: String| Error::Config {
            what: "the container endpoint's URI".into(),
            reason,
            hint: Some(format!("check {} and {}", env::CONTAINER_FULL, env::CONTAINER_RELATIVE)),
        };
        let url = check(uri).map_err(refused)?;
        let client = if url.scheme() == "https" {
            asking.http.direct()
        } else {
            let addresses = allowed(&url).await.map_err(refused)?;
            http::Http::pinned(url.host_str().unwrap_or_default(), &addresses)
        };
        let client = client.map_err(|none| none.error(source))?;
        let (token, mut parts, session) = (authorization(asking.env)?, in_query(&url), OnceCell::new());
        // An endpoint may echo a token without its scheme (`Bearer ...`).
        parts.extend(token.iter().filter_map(|token| Some(Secret::new(token.value.expose().split_once(' ')?.1))));
        Ok(Endpoint { url, client, token, parts, session, source, http: &asking.http })
    }

    /// The body of the answer. No answer, 429 and 5xx are retried as long as there is time before `until`.
    async fn get(&self, until: Instant) -> Result<Vec<u8>> {
        let mut pause = Duration::from_millis(100);
        loop {
            let (error, wait) = match self.attempt().await {
                Ok(body) => return Ok(body),
                Err(Failure { error, again: false, .. }) => return Err(error),
                // Never sooner than our own back-off, whatever the endpoint says.
                Err(Failure { error, after, .. }) => (error, after.map_or(pause, |after| after.max(pause))),
            };
            // Without time for another attempt, give the cause now instead of a missed deadline later.
            if wait >= until.saturating_duration_since(Instant::now()) || pause > Duration::from_millis(900) {
                return Err(error);
            }
            tokio::time::sleep(wait).await;
            pause *= 2;
        }
    }

    /// One attempt. In CloudShell the variable may hold an older session's token, as in a tmux that outlived that: once
    /// refused it is not sent again, and the other dialect is used. A file is read anew each time, so there a refusal is
    /// meant.
    async fn attempt(&self) -> std::result::Result<Vec<u8>, Failure> {
        if let (Some(token), None) = (&self.token, self.session.get()) {
            let answered = self.ask(Some(("Authorization", &token.value))).await;
            let refused = matches!(&answered, Err(Failure { error: Error::Answer { status: 401 | 403, .. }, .. }));
            if !(refused && token.file.is_none() && matches!(self.session_token().await, Ok(Some(_)))) {
                return answered;
            }
        }
        let session = self.session_token().await?;
        self.ask(session.map(|token| ("X-aws-ec2-metadata-token", token))).await
    }

    async fn ask(&self, header: Option<(&str, &Secret)>) -> std::result::Result<Vec<u8>, Failure> {
        let mut request = self.client.request(Method::GET, self.url.clone()).header("Accept", "application/json");
        if let Some((name, token)) = header {
            request = request.header(name, sensitive(token));
        }
        let response = request.send().await.map_err(|error| self.unreachable(error))?;
        self.http.saw_date(response.headers().get("date").and_then(|value| value.to_str().ok()));
        let (status, after) = (response.status(), retry_after(&response));
        let body = self.body(response).await?;
        if status == StatusCode::OK {
            return Ok(body);
        }
        let again = status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error();
        let message = answer::message(&body, &self.hidden());
        let hint = matches!(status.as_u16(), 401 | 403).then(|| self.refused());
        Err(Failure {
            error: Error::Answer { source: self.source.into(), status: status.as_u16(), message, hint },
            again,
            after,
        })
    }

    /// The hint for a refused token, by the name under which a person finds it.
    fn refused(&self) -> String {
        let (variable, file) = (env::CONTAINER_TOKEN, env::CONTAINER_TOKEN_FILE);
        match &self.token {
            Some(Token { file: Some(path), .. }) => {
                format!(
                    "the endpoint rejected the token in {}; check {file}, and what renews that file",
                    ui::clean(path)
                )
            }
            Some(_) if self.is_cloudshell() => {
                format!("the endpoint rejected {variable}; open a new CloudShell tab, not a tmux window")
            }
            Some(_) => format!("the endpoint rejected {variable}; check that it is this container's"),
            None if self.session.get().is_some() => {
                "the endpoint rejected the token that it had issued itself; open a new CloudShell tab".into()
            }
            None => format!("the request had no token, as neither {variable} nor {file} is set"),
        }
    }

    fn is_cloudshell(&self) -> bool {
        self.url.path() == CLOUDSHELL_PATH
    }

    /// A token by CloudShell's other dialect, the EC2 metadata service's, for when `sudo` or cron has removed the
    /// authorization variable (aws/efs-utils#285). `None` if it is not spoken here.
    async fn session_token(&self) -> std::result::Result<Option<&Secret>, Failure> {
        // Its 60 seconds are longer than all attempts together.
        if self.session.get().is_some() || !self.is_cloudshell() {
            return Ok(self.session.get());
        }
        let mut url = self.url.clone();
        url.set_path("/latest/api/token");
        let put = self.client.put(url).header("X-aws-ec2-metadata-token-ttl-seconds", "60");
        let response = put.send().await.map_err(|error| self.unreachable(error))?;
        if response.status() != StatusCode::OK {
            return Ok(None);
        }
        let body = self.body(response).await?;
        Ok(Some(self.session.get_or_init(|| Secret::new(String::from_utf8_lossy(&body).trim()))))
    }

    async fn body(&self, response: Response) -> std::result::Result<Vec<u8>, Failure> {
        let body = http::body(response, LARGEST).await.map_err(|error| self.unreachable(error))?;
        body.ok_or_else(|| {
            let reason = format!("the answer is larger than {} KiB", LARGEST / 1024);
            Failure { error: Error::BadAnswer { source: self.source.into(), reason }, again: false, after: None }
        })
    }

    fn unreachable(&self, error: reqwest::Error) -> Failure {
        let reason = http::innermost(&error.without_url());
        Failure { error: Error::Unreachable { source: self.source.into(), reason }, again: true, after: None }
    }

    /// The secrets of the request, for redaction: an endpoint may echo them.
    fn hidden(&self) -> Vec<&Secret> {
        let token = self.token.as_ref().map(|token| &token.value);
        token
            .into_iter()
            .chain(self.session.get())
            .chain(&self.parts)
            .filter(|token| !token.expose().is_empty())
            .collect()
    }
}

/// The values in a query, which is sent unchanged, as the SDKs do, and may hold a secret. One under 8 bytes is none, and
/// would match parts of any message.
fn in_query(url: &Url) -> Vec<Secret> {
    let query = url.query().unwrap_or_default();
    let values = query.split('&').map(|pair| pair.split_once('=').map_or(pair, |(_, value)| value));
    values.filter(|value| value.len() >= 8).map(Secret::new).collect()
}

/// A failed attempt, whether to try again, and the delay that the endpoint asked for.
struct Failure {
    error: Error,
    again: bool,
    after: Option<Duration>,
}

fn retry_after(response: &Response) -> Option<Duration> {
    response.headers().get("retry-after")?.to_str().ok()?.parse().ok().map(Duration::from_secs)
}

/// The value of the header, marked as a secret for logs. Its bytes were checked when it was read.
fn sensitive(token: &Secret) -> reqwest::header::HeaderValue {
    let value = reqwest::header::HeaderValue::from_str(token.expose());
    let mut value = value.unwrap_or(reqwest::header::HeaderValue::from_static(""));
    value.set_sensitive(true);
    value
}

/// The authorization token, and the file that it came from, if any.
struct Token {
    value: Secret,
    file: Option<String>,
}

/// The file wins, as in the SDKs, and is read anew each time, as EKS rotates it. Unlike in the SDKs a newline at its end is
/// dropped: editors and `echo` leave one, and it is never part of the token.
fn authorization(env: &Env) -> Result<Option<Token>> {
    let file = env.get(env::CONTAINER_TOKEN_FILE);
    let (name, value) = if let Some(path) = file {
        (env::CONTAINER_TOKEN_FILE, Some(token::read("read the token file", path, env::CONTAINER_TOKEN_FILE)?))
    } else {
        (env::CONTAINER_TOKEN, env.get(env::CONTAINER_TOKEN).map(Secret::new))
    };
    let Some(value) = value else { return Ok(None) };
    let trimmed = value.expose().trim_end_matches(['\r', '\n']);
    if trimmed.is_empty() || reqwest::header::HeaderValue::from_str(trimmed).is_err() {
        let reason = "not a valid header value: it is empty, or contains a control character".into();
        return Err(Error::Config { what: format!("the token from {name}"), reason, hint: None });
    }
    Ok(Some(Token { value: Secret::new(trimmed), file: file.map(str::to_owned) }))
}

/// Checks scheme and spelling. A host that the URL parser would reinterpret is refused: to it `http://2130706433/` and
/// `http://0177.0.0.1/` are 127.0.0.1, and to other programs something else.
fn check(uri: &str) -> std::result::Result<Url, String> {
    let url = Url::parse(uri).map_err(|error| format!("not a valid URI: {error}"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!("has the scheme {}; only http and https are supported", ui::clean(url.scheme())));
    }
    if !url.username().is_empty() || url.password().is_some() || uri.contains('@') {
        return Err("contains a user name, which is never right here".into());
    }
    let host = url.host_str().unwrap_or_default();
    let written = uri.split("//").nth(1).unwrap_or_default().split(['/', '?', '#']).next().unwrap_or_default();
    let spelled = written == host || written.strip_prefix(host).is_some_and(|rest| rest.starts_with(':'));
    if host.is_empty() || !spelled {
        return Err(format!("spells its host in an unusual way ({})", ui::clean(written)));
    }
    Ok(url)
}

/// Over plain http only loopback and the addresses of ECS and EKS may see the token, and a name only if *all* its addresses
/// are such. They are returned, to connect to just those.
async fn allowed(url: &Url) -> std::result::Result<Vec<SocketAddr>, String> {
    let port = url.port_or_known_default().unwrap_or(80);
    let host = url.host_str().unwrap_or_default();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let addresses: Vec<SocketAddr> = match bare.parse::<IpAddr>() {
        Ok(address) => vec![SocketAddr::new(address, port)],
        Err(_) => match tokio::net::lookup_host((bare, port)).await {
            Ok(found) => found.collect(),
            Err(error) => {
                return Err(format!(
                    "names a host that cannot be resolved ({}): {}",
                    ui::clean(bare),
                    http::innermost(&error)
                ));
            }
        },
    };
    let fine = |address: &SocketAddr| address.ip().is_loopback() || address.ip() == ECS || EKS.contains(&address.ip());
    if addresses.is_empty() || !addresses.iter().all(fine) {
        return Err(format!(
            "names {}, which is neither loopback nor 169.254.170.2, 169.254.170.23 or fd00:ec2::23; the token was not sent",
            ui::clean(host)
        ));
    }
    Ok(addresses)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn may_be_asked(uri: &str) -> bool {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        check(uri).is_ok_and(|url| runtime.block_on(allowed(&url)).is_ok())
    }

    #[test]
    fn hosts() {
        for good in [
            "http://localhost:1338/x",
            "http://127.0.0.1/x",
            "http://127.8.9.10:80/x",
            "http://[::1]:9/x",
            "http://169.254.170.2/v2",
            "http://169.254.170.23/v1/credentials",
            "http://[fd00:ec2::23]/v1",
        ] {
            assert!(may_be_asked(good), "{good}");
        }
        for bad in [
            "http://10.0.0.1/",
            "http://169.254.1.1/",
            "http://169.254.169.254/",
            "http://0.0.0.0/",
            "http://[::]/",
            "http://[::ffff:10.0.0.1]/",
            "http://localhost@10.0.0.1/",
            "http://user:pw@localhost/",
            "http://2130706433/",
            "http://0177.0.0.1/",
            "http://0x7f.1/",
            "http://127.1/",
            "ftp://localhost/",
            "file:///etc/passwd",
            "localhost:1338/x",
            "",
            "http://",
            "http:///x",
            "http://192.0.2.1:1338/latest",
        ] {
            assert!(!may_be_asked(bad), "{bad}");
        }
    }
}
