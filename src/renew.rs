//! A request's lease, brought up to date: store, then lock, then store again, then source, then store. The one
//! place where the store and the sources meet, so that of any number of shells one asks.

use std::time::{Duration, Instant};

use crate::env::Env;
use crate::error::{Error, Kind, Result};
use crate::lease::{LONGEST, Lease, State};
use crate::request::Request;
use crate::store::{Failure, Lock, Store};
use crate::time::{Epoch, NEVER};
use crate::{source, ui};

/// What a source gets of a wait that others have used up, the moment that loopback needs; and how much longer than that
/// source's wait is waited for who asks it.
const LEAST: Duration = Duration::from_millis(500);

/// How long a source is left alone that gave nothing at all, or nothing that could be kept, seconds.
pub const PAUSE: Epoch = 10;

/// When the stored lease is not good enough.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// It is due: what the hooks do, with the back-off that the last failure set.
    Due,
    /// It is due, or all but over, back-off or not: somebody is about to use it.
    Needed,
    /// It is all but over: what costs a person's trouble is used until it ends.
    Over,
    /// It is inside its renewal window: a person asked.
    Window,
    /// Always.
    Now,
}

/// How it may be renewed.
pub struct Terms {
    pub when: When,
    /// Whether a person is there to be asked for an MFA code.
    pub person: bool,
    /// Whether to wait for a renewal that is already under way. A background one need not: every shell will find the
    /// other's outcome.
    pub queue: bool,
    pub deadline: Duration,
}

/// What came of it. There is a lease in either case: with a failure it is the last good one.
pub struct Outcome {
    pub lease: Lease,
    /// Whether the source was asked and gave something.
    pub renewed: bool,
    /// Whether that was what it had given before: it has not rotated yet.
    pub unchanged: bool,
    pub failure: Option<Error>,
}

/// Opens the store. One that is unsafe is refused; one that is merely broken (a full disk, a read-only one) is
/// done without: losing the credentials for it would be worse.
///
/// # Errors
/// `Error::Store`.
pub fn open_store(env: &Env) -> Result<Option<Store>> {
    match Store::open(env) {
        Ok(store) => Ok(Some(store)),
        Err(error @ Error::Store { .. }) => Err(error),
        Err(error) => {
            ui::say(format_args!("{error}; nothing will be kept"));
            Ok(None)
        }
    }
}

/// See the module.
///
/// # Errors
/// What the source failed with, if there is no lease that is still good.
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
    // Whoever began with us is about to say what came of it.
    let lock = match store.lock(&id, if terms.queue { until + LEAST } else { until }) {
        // As in `open_store`. In the background nobody would get to see what came of it.
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
    // Whoever had the lock has asked for us, successfully or not. Seen by the change, as seconds cannot tell an answer
    // that came while we waited from one that came before.
    if let Some(lease) = stored.clone().filter(|_| stored != before && terms.when != When::Now) {
        let failure = lease.note.clone().map(|note| Error::Shared { note, denied: lease.hopeless });
        return outcome(lease, false, failure, env);
    }
    // Nor, where there is no lease, by who finds the same failure that was there when we came: it is of before.
    let left =
        store.left(&id).filter(|left| stored.is_none() && known.as_ref() != Some(left) && terms.when != When::Now);
    // Nor by who would wait for longer than was waited for.
    if let Some(Failure { note, .. }) = left.filter(|left| terms.deadline.as_secs() <= left.wait) {
        return Err(Error::Shared { note, denied: false });
    }
    let Some(mut lock) = lock else {
        // To the nearest: of a wait that others have had a part of.
        let late = store.held(&id, (terms.deadline + LEAST).as_secs());
        // Where the source was to be asked in any case, that it was not is a failure.
        return match stored {
            Some(lease) if terms.when == When::Now => outcome(lease, false, Some(late), env),
            Some(lease) => outcome(lease, false, None, env).map_err(|_| late),
            None => Err(late),
        };
    };
    // Told, and not asked before the lock is taken: a process asks while it is run, and whoever is asked for the same in two
    // places answers one of them in vain.
    lock.may_ask(terms.person && request.may_ask() && ui::Terminal::open().is_ok());
    let wait = terms.deadline.as_secs();
    // One wait: what the lock has taken of it is not there for the source.
    let left = if terms.queue { until.saturating_duration_since(Instant::now()) } else { terms.deadline };
    let left = left.max(LEAST);
    let terms = &Terms { deadline: left, ..*terms };
    let pause = stored.as_ref().map_or(PAUSE, |lease| lease.pause(env.now(), env.random()).clamp(PAUSE, LONGEST));
    match (fresh(request, Some(store), env, terms), stored) {
        (Ok(answer), stored) => {
            let lease = match stored {
                // Somebody insists, and these are others: whoever gave them has changed their mind about how long they live.
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
            // What is wrong with the source, and not with who asked: another shell may have another token, or a person.
            if error.kind() == Kind::Unreachable {
                lock.leave(Failure { note: one_line(&error), at: env.now(), wait, by: std::process::id() });
            }
            lock.rest(env.now() + pause);
            Err(error)
        }
    }
}

/// Not all that failed here (`Kind::Failed`): a `credential_process` does when a network is away, and is well when that is
/// back, without a word from anybody.
fn hopeless(error: &Error) -> bool {
    matches!(error, Error::NeedsPerson { .. }) || error.kind() == Kind::Denied
}

/// A message with its hint, for where there is only one line.
pub fn one_line(error: &Error) -> String {
    let told = match error {
        // The line would be cut short before the last place, which is the only one that was asked, and before the hint.
        Error::NoSource { looked } if let [_, .., last] = &looked[..] => {
            format!("no source of credentials was found; {last}")
        }
        _ => error.to_string(),
    };
    // Cut short apart: the hint is ours, and is what can be done.
    let hint = error.hint().map_or(String::new(), |hint| format!("; {}", ui::clean(&hint)));
    ui::clean(&told) + &hint
}

fn outcome(lease: Lease, renewed: bool, failure: Option<Error>, env: &Env) -> Result<Outcome> {
    match (lease.state(env.now()), failure) {
        (State::Expired, Some(failure)) => Err(failure),
        (State::Expired, None) => Err(Error::Unreachable {
            source: lease.request.label(),
            reason: "its credentials are over, and another renewal is still at work".into(),
        }),
        (_, failure) => Ok(Outcome { lease, renewed, unchanged: false, failure }),
    }
}

fn wanted(lease: &Lease, when: When, now: i64) -> bool {
    // A look at a file's time, where there is a file: a newer one is not left unread until the lease is due.
    if when != When::Due && source::newer_than(&lease.request.source, &lease.credentials) {
        return true;
    }
    match when {
        When::Due => lease.is_due(now),
        When::Needed => lease.is_due(now) || now >= lease.mandatory(),
        When::Over => now >= lease.mandatory(),
        // Where no end is known a person is the only one who may know that it is over.
        When::Window => lease.state(now) != State::Fresh || lease.expires == NEVER,
        When::Now => true,
    }
}

/// The stored lease; one that cannot be read is told of by whoever comes upon it first, as it is not there for the next.
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

/// The credentials are in hand: a disk that does not take them is a pity, not a failure. But what is stored is as due as it
/// was, and would be renewed at every prompt.
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
        // A lease of its own, taken from the store until it is over.
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
    // One wait, of which the base has had its part; but a person at a question is not waited for, there or here.
    let left = if terms.person { terms.deadline } else { until.saturating_duration_since(Instant::now()).max(LEAST) };
    let answer = source::ask(request, env, given, left).inspect_err(|error| {
        if let (Some(store), Some(base), true) = (store, &base, error.disowns_key()) {
            // Or it would be in the way until its hours are over: only they would have a code asked for again.
            let _ = store.remove(&base.id());
            ui::say(format_args!(
                "what took an MFA code ({}) is forgotten, and a new one will be asked for",
                base.label()
            ));
        }
    })?;
    for notice in answer.notices {
        ui::say(notice);
    }
    Ok(Lease::new(request.clone(), answer.credentials, env.now(), answer.skew))
}
