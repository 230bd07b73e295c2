//! Brings a request's lease up to date: store, then lock, then store again, then source, then store. The one place where
//! the store and the sources meet, so that of any number of shells one asks. When a lease is due is decided in `lease`.

use std::time::{Duration, Instant};

use crate::env::Env;
use crate::error::{Error, Kind, Result};
use crate::lease::{LONGEST, Lease, State};
use crate::request::Request;
use crate::store::{Failure, Lock, Store};
use crate::time::{Epoch, NEVER};
use crate::{source, ui};

/// The least time that a source gets, even if waiting for the lock has used up the deadline: enough for loopback. Also how
/// much longer than the deadline the lock is waited for, so that its holder's deadline passes first.
const LEAST: Duration = Duration::from_millis(500);

/// How long to leave a source alone that gave nothing, or nothing that could be stored; seconds.
pub const PAUSE: Epoch = 10;

/// When to renew a stored lease instead of using it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// When it is due, by the back-off if the last attempt failed: what the background renewals of the hooks use.
    Due,
    /// When it is due or, whatever the back-off, in its mandatory minute: somebody is about to use it.
    Needed,
    /// Only in its mandatory minute: renewing costs a person's effort, so it is used until almost its end.
    Over,
    /// When it is inside its renewal window: a person asked.
    Window,
    /// Always.
    Now,
}

/// The conditions of a renewal.
pub struct Terms {
    pub when: When,
    /// Whether a person is there to be asked for an MFA code.
    pub person: bool,
    /// Whether to wait for a renewal that is under way. A background one need not: each shell picks up the other's result.
    pub queue: bool,
    /// How long the whole renewal may take, the wait for the lock included.
    pub deadline: Duration,
}

/// What came of it. There is a lease in any case: after a failure the last good one.
pub struct Outcome {
    pub lease: Lease,
    /// Whether the source was asked and gave credentials.
    pub renewed: bool,
    /// Whether they were the same as before: the source has not rotated yet.
    pub unchanged: bool,
    pub failure: Option<Error>,
}

/// Opens the store. An unsafe one is refused. One that is merely broken (a full or read-only disk) is done without, and the
/// person told: to lose the credentials over it would be worse.
///
/// # Errors
/// `Error::Store` if it is unsafe.
pub fn open_store(env: &Env) -> Result<Option<Store>> {
    match Store::open(env) {
        Ok(store) => Ok(Some(store)),
        Err(error @ Error::Store { .. }) => Err(error),
        Err(error) => {
            ui::say(format_args!("{error}; nothing will be stored"));
            Ok(None)
        }
    }
}

/// Brings the lease of `request` up to date: see the module.
///
/// # Errors
/// What the source failed with, if no lease is still good; `Error::Held` if another renewal took too long.
pub fn lease(request: &Request, store: Option<&Store>, env: &Env, terms: &Terms) -> Result<Outcome> {
    let Some(store) = store else {
        let lease = fresh(request, None, env, terms)?;
        return Ok(Outcome { lease, renewed: true, unchanged: false, failure: None });
    };
    let (id, started) = (request.id(), env.now());
    let until = if terms.queue { Instant::now() + terms.deadline } else { Instant::now() };
    let (before, known) = (load(store, &id)?, store.left(&id));
    if let Some(lease) = before.clone().filter(|lease| !wanted(lease, terms.when, started)) {
        return Ok(Outcome { lease, renewed: false, unchanged: false, failure: None });
    }
    source::not_in_a_circle(&request.source, env)?;
    // Whoever started when we did is about to have a result.
    let lock = match store.lock(&id, if terms.queue { until + LEAST } else { until }) {
        // As in `open_store`. A background renewal gives up, as nobody would see its result.
        Err(error) if terms.when != When::Due => {
            unshared(&error);
            return match (fresh(request, Some(store), env, terms), before) {
                (Ok(lease), _) => Ok(Outcome { lease, renewed: true, unchanged: false, failure: None }),
                (Err(error), Some(before)) => outcome(before, false, Some(error), env),
                (Err(error), None) => Err(error),
            };
        }
        lock => lock?,
    };
    let stored = load(store, &id)?;
    // Whoever had the lock has asked for us, successfully or not. The change shows it; times do not, as within a second an
    // answer that came while we waited looks like one that came before.
    if let Some(lease) = stored.clone().filter(|_| stored != before && terms.when != When::Now) {
        let failure = lease.note.clone().map(|note| Error::Shared { note, denied: lease.hopeless });
        return outcome(lease, false, failure, env);
    }
    // Without a lease, a failure that was left counts too, unless it was there when we came: then it is old.
    let left =
        store.left(&id).filter(|left| stored.is_none() && known.as_ref() != Some(left) && terms.when != When::Now);
    // Nor does it count for someone who would give the source more time than it had.
    if let Some(Failure { note, .. }) = left.filter(|left| terms.deadline.as_secs() <= left.wait) {
        return Err(Error::Shared { note, denied: false });
    }
    let Some(mut lock) = lock else {
        // Rounded to the nearest second, as part of the wait may have been used up before.
        let late = store.held(&id, (terms.deadline + LEAST).as_secs());
        // With `Now` the source was to be asked in any case; that it was not is a failure.
        return match stored {
            Some(lease) if terms.when == When::Now => outcome(lease, false, Some(late), env),
            Some(lease) => outcome(lease, false, None, env).map_err(|_| late),
            None => Err(late),
        };
    };
    // Tells those who wait that a person may be asked. Asking is not done before taking the lock: a `credential_process`
    // asks while it runs, and a person who is asked the same in two terminals answers one of them in vain.
    lock.may_ask(terms.person && request.may_ask() && ui::Terminal::open().is_ok());
    let wait = terms.deadline.as_secs();
    // One deadline for everything: what the wait for the lock took is not left for the source.
    let left = if terms.queue { until.saturating_duration_since(Instant::now()) } else { terms.deadline };
    let left = left.max(LEAST);
    let terms = &Terms { deadline: left, ..*terms };
    let pause = stored.as_ref().map_or(PAUSE, |lease| lease.pause(env.now(), env.random()).clamp(PAUSE, LONGEST));
    match (fresh(request, Some(store), env, terms), stored) {
        (Ok(answer), stored) => {
            let lease = match stored {
                // A person insists, and got other credentials: the source has changed its mind about how long they live.
                Some(stored) if terms.when == When::Now && !stored.has_issued(&answer.credentials.access_key_id) => {
                    stored.replaced(answer)
                }
                Some(stored) => stored.renewed(answer, env.random()),
                None => answer,
            };
            save(store, &lease, &lock, pause, env);
            store.tidy(env, &lease);
            let unchanged = before.is_some_and(|before| before.credentials == lease.credentials);
            Ok(Outcome { lease, renewed: true, unchanged, failure: None })
        }
        (Err(error), Some(stored)) => {
            let lease = stored.failed(env.now(), env.random(), one_line(&error), hopeless(&error));
            save(store, &lease, &lock, pause, env);
            outcome(lease, false, Some(error), env)
        }
        (Err(error), None) => {
            // Only for trouble of the source itself: another shell may have another token, or a person to ask.
            if error.kind() == Kind::Unreachable {
                lock.leave(Failure { note: one_line(&error), at: env.now(), wait, by: std::process::id() });
            }
            lock.rest(env.now() + pause);
            Err(error)
        }
    }
}

/// Whether asking again is no use before a person acts. Not every `Kind::Failed` is of that kind: a `credential_process`
/// fails while the network is down, and works again when it is back, without anyone doing anything.
fn hopeless(error: &Error) -> bool {
    matches!(error, Error::NeedsPerson { .. }) || error.kind() == Kind::Denied
}

/// A message and its hint on one line, for places that have only one.
pub fn one_line(error: &Error) -> String {
    let told = match error {
        // The full list would be cut short before the hint and before its last place, the only one that was asked.
        Error::NoSource { looked } if let [_, .., last] = &looked[..] => {
            format!("no credentials source was found; {last}")
        }
        _ => error.to_string(),
    };
    // The hint is not cut short: it is our own text, and says what to do.
    let hint = error.hint().map_or(String::new(), |hint| format!("; {}", ui::clean(&hint)));
    ui::clean(&told) + &hint
}

fn outcome(lease: Lease, renewed: bool, failure: Option<Error>, env: &Env) -> Result<Outcome> {
    match (lease.state(env.now()), failure) {
        (State::Expired, Some(failure)) => Err(failure),
        (State::Expired, None) => Err(Error::Unreachable {
            source: lease.request.label(),
            reason: "its credentials have expired, and another renewal is still running".into(),
        }),
        (_, failure) => Ok(Outcome { lease, renewed, unchanged: false, failure }),
    }
}

fn wanted(lease: &Lease, when: When, now: i64) -> bool {
    // A look at a file's time, if the source is a file: a newer one should not stay unread until the lease is due.
    if when != When::Due && source::newer_than(&lease.request.source, &lease.credentials) {
        return true;
    }
    match when {
        When::Due => lease.is_due(now),
        When::Needed => lease.is_due(now) || now >= lease.mandatory(),
        When::Over => now >= lease.mandatory(),
        // If no end is known, only the person may know that the credentials have expired.
        When::Window => lease.state(now) != State::Fresh || lease.expires == NEVER,
        When::Now => true,
    }
}

/// Loads the stored lease. Whoever first comes upon an unreadable one reports it, as it is gone for the next.
///
/// # Errors
/// As [`Store::load`].
pub fn load(store: &Store, id: &str) -> Result<Option<Lease>> {
    let (lease, warning) = store.load(id)?;
    if let Some(warning) = warning {
        ui::say(warning);
    }
    Ok(lease)
}

/// Stores the lease. That a disk does not take it is no failure, as the credentials are in hand. But what is stored is then
/// as due as before, and would be renewed at every prompt; so the source gets a rest.
fn save(store: &Store, lease: &Lease, lock: &Lock, pause: Epoch, env: &Env) {
    if let Err(error) = store.save_locked(lease, lock, env) {
        unshared(&error);
        lock.rest(env.now() + pause);
    }
}

fn unshared(error: &Error) {
    ui::say(format_args!("{error}; other shells will not see this renewal"));
}

fn fresh(request: &Request, store: Option<&Store>, env: &Env, terms: &Terms) -> Result<Lease> {
    let until = Instant::now() + terms.deadline;
    let mut given = source::Given { person: terms.person, ..source::Given::default() };
    let base = request.base_with_code();
    if let Some(base) = &base {
        // The base has a lease of its own, used until almost its end.
        let terms = Terms { when: When::Over, ..*terms };
        given.base = Some((base.source.clone(), lease(base, store, env, &terms)?.lease.credentials));
    }
    given.mfa_code = match request.source.mfa_serial() {
        None => None,
        Some(serial) if terms.person => Some(ui::ask(&format!("MFA code for {}: ", ui::clean(serial)))?),
        Some(_) => {
            let hint = "type `credsh refresh`".into();
            return Err(Error::NeedsPerson {
                what: format!("{} needs an MFA code to be renewed", request.label()),
                hint,
            });
        }
    };
    // One deadline, of which the base has used its part. But where a person may be asked both get all of it, as a person's
    // time does not count.
    let left = if terms.person { terms.deadline } else { until.saturating_duration_since(Instant::now()).max(LEAST) };
    let answer = source::ask(request, env, given, left).inspect_err(|error| {
        if let (Some(store), Some(base), true) = (store, &base, error.disowns_key()) {
            // While the rejected session is stored, which may be for hours, no new code is asked for.
            let _ = store.remove(&base.id());
            ui::say(format_args!(
                "forgot the session that took an MFA code ({}), as AWS no longer accepts it; a new code will be asked for",
                base.label()
            ));
        }
    })?;
    for notice in answer.notices {
        ui::say(notice);
    }
    Ok(Lease::new(request.clone(), answer.credentials, env.now(), answer.skew))
}
