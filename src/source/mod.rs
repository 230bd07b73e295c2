//! Sources: a resolved request in, credentials out. One file for each, and one match. They know neither the store nor when
//! to renew.

mod answer;
pub mod cloud9;
mod container;
mod ec2;
mod identity;
mod process;
mod role;
mod sdk;
mod session;
mod token;

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::pin;
use std::time::{Duration, Instant};

pub use identity::identity;
pub use process::not_in_a_circle;

use crate::aws::{self, Place};
use crate::credentials::Credentials;
use crate::env::{self, Env};
use crate::error::{Error, Result};
use crate::http::Http;
use crate::lease;
use crate::request::{self, Request, Session, Source};
use crate::time::Epoch;

/// What a source answered.
pub struct Answer {
    pub credentials: Credentials,
    /// The source's clock minus the local one, in seconds; 0 if it did not tell the time.
    pub skew: Epoch,
    /// What the person should know although it worked.
    pub notices: Vec<String>,
}

/// What a source has to work with.
struct Asking<'a> {
    env: &'a Env,
    http: Http,
    request: &'a Request,
    given: Given,
    notices: Vec<String>,
    /// When `deadline` passes. A source that retries stops before, to give its own error. [`Asking::untimed`] moves it.
    until: &'a Cell<Instant>,
    /// Who is asked at the moment, as [`name_of`] has it: a role's base before STS. Read from outside, as a late source is
    /// dropped.
    asked: RefCell<String>,
}

impl<'a> Asking<'a> {
    fn place(&self) -> Place<'a> {
        let Request { region, endpoint, variant, .. } = self.request;
        Place { region: region.as_deref(), endpoint: endpoint.as_deref(), variant: *variant }
    }

    fn turns_to(&self, whom: impl Into<String>) {
        *self.asked.borrow_mut() = whom.into();
    }

    /// Runs `work` with the clock stopped, because a person has a part in it.
    async fn untimed<T>(&self, work: impl Future<Output = T>) -> T {
        let left = self.until.get().saturating_duration_since(Instant::now());
        self.until.set(Instant::now() + Duration::from_secs(u64::from(u32::MAX)));
        let done = work.await;
        self.until.set(Instant::now() + left);
        done
    }
}

/// What was found out before asking the source.
#[derive(Default)]
pub struct Given {
    /// Whether a person is there whom a program may ask.
    pub person: bool,
    /// The answer to the only question there can be. It is asked beforehand, so that the person's time does not count.
    pub mfa_code: Option<String>,
    /// The source below this one that took a code of its own, and the credentials that it gave.
    pub base: Option<(Source, Credentials)>,
}

/// Asks the source of a request, on a runtime of its own.
///
/// # Errors
/// Whatever the source fails with; `Error::Deadline` if `deadline` is over first.
pub fn ask(request: &Request, env: &Env, given: Given, deadline: Duration) -> Result<Answer> {
    let until = &Cell::new(Instant::now() + deadline);
    let asked = RefCell::new(name_of(&request.source));
    let http = Http::new(request::ca_bundle(&request.source, env));
    let mut asking = Asking { env, http, request, given, notices: Vec::new(), until, asked };
    let fetched = block_on(until, temporary(&request.source, &mut asking))?;
    let credentials = fetched.unwrap_or_else(|| Err(late(&asking.asked.borrow(), deadline)))?;
    let what = name_of(&request.source);
    let now = env.now();
    let skew = lease::believed(asking.http.skew(now), credentials.expiration, now);
    let credentials = usable(&what, credentials)?;
    if credentials.expiration.is_some_and(|expiration| expiration <= now + skew) {
        let reason = format!("they expired at {}", crate::time::format_rfc3339(credentials.expiration.unwrap_or(0)));
        return Err(Error::BadAnswer { source: what, reason });
    }
    Ok(Answer { credentials, skew, notices: asking.notices })
}

/// Rounded to the nearest second, as some milliseconds may be gone already.
fn late(what: &str, deadline: Duration) -> Error {
    Error::Deadline { what: what.into(), seconds: (deadline + Duration::from_millis(500)).as_secs() }
}

/// Runs `work` on a runtime of its own until `until`, which `work` may move; `None` if that is over first.
fn block_on<T>(until: &Cell<Instant>, work: impl Future<Output = Result<T>>) -> Result<Option<Result<T>>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(Error::io("start", "the runtime"))?;
    let done = runtime.block_on(async {
        let mut work = pin!(work);
        loop {
            let end = until.get();
            let done = tokio::time::timeout_at(end.into(), &mut work).await;
            if done.is_ok() || until.get() <= end {
                return done;
            }
        }
    });
    // Resolving a name may hold a thread in getaddrinfo long past the deadline.
    runtime.shutdown_background();
    Ok(done.ok())
}

/// Whether the source has something newer than `held`; known only where looking costs nothing. Not by when that was
/// received, which would miss a file written in that very second.
pub fn newer_than(source: &Source, held: &Credentials) -> bool {
    match source {
        Source::Cloud9 { file } => cloud9::written(file).map(|written| written + cloud9::LIFE) > held.expiration,
        // Somebody may write new session keys into the file. They have no known end that would make the lease due.
        Source::Profile { name, files, .. } => {
            let keys = request::static_keys(name, files).ok().flatten();
            keys.is_some_and(|keys| keys.access_key_id != held.access_key_id)
        }
        _ => false,
    }
}

/// What messages call a source.
fn name_of(source: &Source) -> String {
    match source {
        Source::Container { .. } => format!("the container endpoint ({})", source.label()),
        Source::Role { .. } | Source::Session { .. } => aws::STS.into(),
        Source::Cloud9 { .. } => "Cloud9".into(),
        Source::Ec2 => ec2::NAME.into(),
        Source::Env { .. } => "the environment".into(),
        Source::WebIdentity { .. } => "the web identity".into(),
        Source::Profile { name, .. } => format!("profile {}", crate::ui::clean(name)),
    }
}

/// Asks a source, and makes a session of long-term keys: they are never handed out, and may show only now, as from a
/// `credential_process`.
async fn temporary(source: &Source, asking: &mut Asking<'_>) -> Result<Credentials> {
    let credentials = fetch(source, asking).await?;
    session::get(&Session::default(), source, credentials, asking).await
}

fn usable(what: &str, credentials: Credentials) -> Result<Credentials> {
    credentials.checked().map_err(|error| Error::BadAnswer { source: what.into(), reason: error.to_string() })
}

/// Asks one source, its base first. Every answer is checked and not only the last, as a base's credentials sign, and the
/// SDK panics on a key id that no header can hold.
async fn fetch(source: &Source, asking: &mut Asking<'_>) -> Result<Credentials> {
    if let Some((_, credentials)) = asking.given.base.take_if(|(at, _)| at == source) {
        return Ok(credentials);
    }
    let what = name_of(source);
    asking.turns_to(&*what);
    let given = match source {
        Source::Container { uri } => container::fetch(uri, asking).await,
        Source::Profile { name, files, whose, .. } => {
            request::same_profile(name, files, whose)?;
            sdk::profile(name, files, asking).await
        }
        Source::WebIdentity { token_file, role_arn, session_name } => {
            let identity = sdk::WebIdentity { token_file, role_arn, session_name: session_name.as_deref() };
            sdk::web_identity(&identity, env::WEB_IDENTITY_TOKEN_FILE, asking).await
        }
        Source::Cloud9 { file } => cloud9::read(file),
        Source::Ec2 => ec2::fetch(asking).await,
        Source::Env { access_key_id } => sdk::environment(access_key_id, asking.env),
        // Boxed, because the base of a role is a source again.
        Source::Role { role, base } => {
            let base_credentials = Box::pin(fetch(base, asking)).await?;
            role::assume(role, base, &base_credentials, asking).await
        }
        Source::Session { session, base } => {
            let base_credentials = Box::pin(fetch(base, asking)).await?;
            session::get(session, base, base_credentials, asking).await
        }
    };
    usable(&what, given?)
}
