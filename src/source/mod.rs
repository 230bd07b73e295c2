//! Sources: a resolved request in, credentials out. One file a source, one match. They know neither the store nor
//! when to renew.

mod answer;
pub mod cloud9;
mod container;
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
    given: Given,
    notices: Vec<String>,
    /// When `deadline` has passed: a source that tries again gives its cause before. Moved by what [`Asking::untimed`] takes.
    until: &'a Cell<Instant>,
    /// Who is asked at the moment, as [`name_of`] has it: a role's base before STS. Known from outside, as what is late is
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

    /// Does what a person has a part in, whose time does not count.
    async fn untimed<T>(&self, work: impl Future<Output = T>) -> T {
        let left = self.until.get().saturating_duration_since(Instant::now());
        self.until.set(Instant::now() + Duration::from_secs(u64::from(u32::MAX)));
        let done = work.await;
        self.until.set(Instant::now() + left);
        done
    }
}

/// What was found out before the source is asked.
#[derive(Default)]
pub struct Given {
    /// Whether a person is there, whom a program may ask for something.
    pub person: bool,
    /// The answer to the one question there may be; asked before, so that its time does not count.
    pub mfa_code: Option<String>,
    /// A source that the request stands on and that took a code of its own, and what it gave then.
    pub base: Option<(Source, Credentials)>,
}

/// Asks the request's source. Starts the only runtime there is.
///
/// # Errors
/// Whatever the source fails with; `Deadline` when `deadline` passes first.
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
        let reason = format!("they ended at {}", crate::time::format_rfc3339(credentials.expiration.unwrap_or(0)));
        return Err(Error::BadAnswer { source: what, reason });
    }
    Ok(Answer { credentials, skew, notices: asking.notices })
}

/// Seconds to the nearest: milliseconds of them may be gone already.
fn late(what: &str, deadline: Duration) -> Error {
    Error::Deadline { what: what.into(), seconds: (deadline + Duration::from_millis(500)).as_secs() }
}

/// Runs `work` on a runtime of its own until `until`, which it may move; `None` when that has passed.
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
    // A name that does not resolve may hold a thread in getaddrinfo long past the deadline.
    runtime.shutdown_background();
    Ok(done.ok())
}

/// Whether the source has something newer than `held`; known only where looking costs nothing. Not by when that was
/// received: a file written in that very second would be missed.
pub fn newer_than(source: &Source, held: &Credentials) -> bool {
    match source {
        Source::Cloud9 { file } => cloud9::written(file).map(|written| written + cloud9::LIFE) > held.expiration,
        // Session keys that somebody writes into the file: no end is known of them that would make them due.
        Source::Profile { name, files, .. } => {
            let keys = request::static_keys(name, files).ok().flatten();
            keys.is_some_and(|keys| keys.access_key_id != held.access_key_id)
        }
        _ => false,
    }
}

/// A source's name within a sentence.
fn name_of(source: &Source) -> String {
    match source {
        Source::Container { .. } => format!("the container endpoint ({})", source.label()),
        Source::Role { .. } | Source::Session { .. } => aws::STS.into(),
        Source::Cloud9 { .. } => "Cloud9".into(),
        Source::Ec2 => sdk::EC2.into(),
        Source::Env { .. } => "the environment".into(),
        Source::WebIdentity { .. } => "the web identity".into(),
        Source::Profile { name, .. } => format!("profile {}", crate::ui::clean(name)),
    }
}

/// Long-term keys may show only when they arrive, as from a `credential_process`: they are not handed out either.
async fn temporary(source: &Source, asking: &mut Asking<'_>) -> Result<Credentials> {
    let credentials = fetch(source, asking).await?;
    session::get(&Session::default(), source, credentials, asking).await
}

fn usable(what: &str, credentials: Credentials) -> Result<Credentials> {
    credentials.checked().map_err(|error| Error::BadAnswer { source: what.into(), reason: error.to_string() })
}

/// Checked here too and not only in the end: what is a base signs, and the SDK panics on a key id that no header can hold.
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
        Source::Ec2 => sdk::ec2(asking).await,
        Source::Env { access_key_id } => sdk::environment(access_key_id, asking.env),
        // Boxed, as a role's base is a source again.
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
