//! Sources: a resolved request in, credentials out. One file a source, one match. They know neither the store nor
//! when to renew.

mod container;
mod role;
mod sdk;
mod session;

use std::time::Duration;

use crate::credentials::Credentials;
use crate::env::Env;
use crate::error::{Error, Result};
use crate::http::Http;
use crate::request::{Request, Source};
use crate::time::Epoch;

/// What a source gave.
pub struct Answer {
    pub credentials: Credentials,
    /// The source's clock minus ours, seconds; 0 if it told none.
    pub skew: Epoch,
    /// What the person should know though it worked.
    pub notices: Vec<String>,
}

/// What a source may use.
struct Asking<'a> {
    env: &'a Env,
    http: Http,
    request: &'a Request,
    mfa_code: Option<String>,
    notices: Vec<String>,
}

/// Asks the request's source. Starts the only runtime there is. `mfa_code` is the answer to the one question there
/// may be; it was asked before, so that its time does not count.
///
/// # Errors
/// Whatever the source fails with; `Deadline` when `deadline` passes first.
pub fn ask(request: &Request, env: &Env, mfa_code: Option<String>, deadline: Duration) -> Result<Answer> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(Error::io("start", "the runtime"))?;
    let mut asking = Asking { env, http: Http::new(env), request, mfa_code, notices: Vec::new() };
    let fetched =
        runtime.block_on(async { tokio::time::timeout(deadline, temporary(&request.source, &mut asking)).await });
    // A name that does not resolve may hold a thread in getaddrinfo long past the deadline.
    runtime.shutdown_background();
    let what = name_of(&request.source);
    let credentials = fetched.unwrap_or(Err(Error::Deadline { what: what.clone(), seconds: deadline.as_secs() }))?;
    let now = env.now();
    let skew = asking.http.skew(now);
    let credentials =
        credentials.checked().map_err(|error| Error::BadAnswer { source: what.clone(), reason: error.to_string() })?;
    if credentials.expiration.is_some_and(|expiration| expiration <= now + skew) {
        let reason = format!("they ended at {}", crate::time::format_rfc3339(credentials.expiration.unwrap_or(0)));
        return Err(Error::BadAnswer { source: what, reason });
    }
    Ok(Answer { credentials, skew, notices: asking.notices })
}

/// A source's name within a sentence.
fn name_of(source: &Source) -> String {
    match source {
        Source::Container { .. } => format!("the container endpoint ({})", source.label()),
        Source::Role { .. } | Source::Session { .. } => "AWS STS".into(),
        Source::Ec2 => "the EC2 metadata service".into(),
        Source::Env { .. } => "the environment".into(),
        Source::WebIdentity { .. } => "the web identity".into(),
        Source::Profile { name, .. } => format!("profile {}", crate::ui::clean(name)),
    }
}

/// Long-term keys may show only when they arrive, as from a `credential_process`: they are not handed out either.
async fn temporary(source: &Source, asking: &mut Asking<'_>) -> Result<Credentials> {
    let credentials = fetch(source, asking).await?;
    session::get(None, source, credentials, asking).await
}

async fn fetch(source: &Source, asking: &mut Asking<'_>) -> Result<Credentials> {
    match source {
        Source::Container { uri } => container::fetch(uri, asking).await,
        Source::Profile { name, files, .. } => sdk::profile(name, files, asking).await,
        Source::WebIdentity { token_file, role_arn, session_name } => {
            sdk::web_identity(token_file, role_arn, session_name.as_deref(), asking).await
        }
        Source::Ec2 => sdk::ec2(asking).await,
        Source::Env { access_key_id } => sdk::environment(access_key_id, asking.env),
        // Boxed, as a role's base is a source again.
        Source::Role { role, base } => {
            let base_credentials = Box::pin(fetch(base, asking)).await?;
            role::assume(role, base, &base_credentials, asking).await
        }
        Source::Session { duration, base } => {
            let base_credentials = Box::pin(fetch(base, asking)).await?;
            session::get(*duration, base, base_credentials, asking).await
        }
    }
}
