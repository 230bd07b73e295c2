//! `credsh hook`: what the hooks run when something is due. Without `--wait` it starts itself again in the
//! background and is back at once; with it, it renews and prints the outcome as code.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::cli::Hook;
use crate::detach;
use crate::env::{self, Env};
use crate::error::{Error, Result};
use crate::renew::{self, Terms, When};
use crate::request::{self, Request, Source};
use crate::store::{Store, is_id};
use crate::ui;

/// What a renewal in the background may take; nobody waits for it.
const BACKGROUND: Duration = Duration::from_secs(30);
/// `CREDSH_WAIT`'s default, seconds.
const WAIT: f32 = 3.0;

/// Renews the shell's lease, whose store is at `place`.
pub fn run(args: &Hook, place: Option<&Path>, env: &Env) -> Result<u8> {
    if args.wait {
        let wait = env.get(env::WAIT).and_then(|text| text.parse().ok()).filter(|wait: &f32| !wait.is_nan());
        return wait_for(args, env, Duration::from_secs_f32(wait.unwrap_or(WAIT).clamp(1.0, 60.0)));
    }
    if !args.detached {
        // Makes fish's clock, if that is what is missing. What the store has to complain of is said to who waits.
        let _ = Store::open(env);
    }
    // A background renewal could leave its outcome nowhere; and without a lease the store was all that this is about.
    let kept_nowhere = args.store.no_store && stored(args, env).is_none();
    if kept_nowhere || (args.lease.is_empty() && args.selectors.is_empty()) {
        return Ok(0);
    }
    if !args.detached {
        return start(args, place, env);
    }
    detach::leave_session();
    let store = Store::open(env)?;
    let request = request(args, &store, env)?;
    if store.rests(&request.id(), env.now()) {
        return Ok(0);
    }
    renew::lease(
        &request,
        Some(&store),
        env,
        &Terms { when: When::Due, person: false, queue: false, deadline: BACKGROUND },
    )?;
    Ok(0)
}

/// The store, if it has this shell's lease. Then that is what the shell was last switched to, whatever words with --no-store it
/// may have been started for, or have typed before.
fn stored(args: &Hook, env: &Env) -> Option<Store> {
    Store::open(env).ok().filter(|store| store.load(&args.lease).is_ok_and(|(lease, _)| lease.is_some()))
}

/// Starts the background process, and returns when it is out of reach of the shell's terminal and job control: not
/// before, as the shell may end right after. Its stdout is the sign: it closes it when it is.
fn start(args: &Hook, place: Option<&Path>, env: &Env) -> Result<u8> {
    detach::keep_files_back();
    let exe = env.exe();
    // It leaves the working directory, which nothing in the background may hold; what is named from there is named anew.
    let files = env::FILES.iter().filter_map(|name| Some((*name, env.path(name)?)));
    let mut child = Command::new(&exe)
        .args(place.map(|place| format!("--store={}", place.display())))
        .args(["hook", "--detached"])
        .envs(files)
        .arg(format!("--shell={:?}", args.shell).to_lowercase())
        .arg(format!("--lease={}", args.lease))
        .args(args.selectors.words())
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(Error::io("start", &exe))?;
    if let Some(mut sign) = child.stdout.take() {
        let _ = std::io::copy(&mut sign, &mut std::io::sink());
    }
    Ok(0)
}

/// Renews while the shell waits, and prints what the shell shall do. A failure is one line on stderr, and never more
/// than a pause: the command that waits still runs.
fn wait_for(args: &Hook, env: &Env, deadline: Duration) -> Result<u8> {
    let store = if args.store.no_store { Ok(stored(args, env)) } else { super::store(false, env) };
    let store = match &store {
        Ok(store) => store.as_ref(),
        Err(error) => return defer(args, env, error),
    };
    let request = match store.map_or_else(|| Request::resolve(&args.selectors, env), |store| request(args, store, env))
    {
        Ok(request) => request,
        Err(Error::NoLease { hint }) => {
            ui::say(format_args!("this shell's lease was cleared; {hint}"));
            ui::print(&args.shell.call("__credsh_drop", &[])?)?;
            return Ok(0);
        }
        Err(error) => return defer(args, env, &error),
    };
    let started = env.now();
    let terms = Terms { when: When::Needed, person: false, queue: true, deadline };
    match renew::lease(&request, store, env, &terms) {
        Ok(mut outcome) => {
            if let Some(failure) = &outcome.failure {
                tell(args, failure)?;
                outcome.lease.note = None;
            }
            ui::print(args.shell.adopt(&outcome.lease, env)?.expose())?;
            let (lease, now) = (&outcome.lease, env.now());
            if lease.is_due(now) && !(started..=now).contains(&lease.asked) {
                // Somebody else's renewal hangs: no command but the first is held up by it.
                pause(args, env)?;
            }
            Ok(0)
        }
        Err(error) => defer(args, env, &error),
    }
}

/// Says it here, as the shell may have nothing to adopt, unless that is what it heard last: a source that is away is asked
/// again every few seconds, and nobody needs to be told each time. And lets the shell know: the lease's file may have the same
/// to say, in the same words whoever it was that asked.
fn tell(args: &Hook, error: &Error) -> Result<()> {
    let note = if let Error::Shared { note, .. } = error { note.clone() } else { renew::one_line(error) };
    if note != args.said {
        ui::say(&note);
    }
    ui::print(&args.shell.call("__credsh_heard", &[&note])?)
}

fn defer(args: &Hook, env: &Env, error: &Error) -> Result<u8> {
    tell(args, error)?;
    pause(args, env)?;
    Ok(error.kind().status())
}

fn pause(args: &Hook, env: &Env) -> Result<()> {
    ui::print(&args.shell.call("__credsh_defer", &[&(env.now() + renew::PAUSE).to_string()])?)
}

/// The stored lease's own request, or the one the shell was started for. A lease that is gone was cleared, or its
/// store was: then nothing is left that could be repeated.
fn request(args: &Hook, store: &Store, env: &Env) -> Result<Request> {
    if let Some(lease) = renew::load(store, &args.lease)? {
        // What the shell was started for is known, whatever has been written into its profile since: a new key, as a rule.
        if let Source::Profile { name, files, whose, .. } = lease.request.source.root()
            && !args.selectors.is_empty()
            && request::same_profile(name, files, whose).is_err()
            && let Ok(now) = Request::resolve(&args.selectors, env)
            && now.label() == lease.request.label()
        {
            return Ok(now);
        }
        return Ok(lease.request);
    }
    let repeats_nothing = args.lease.is_empty() || !is_id(&args.lease);
    match Request::resolve(&args.selectors, env) {
        Ok(started_for) if repeats_nothing || started_for.id() == args.lease => return Ok(started_for),
        // Where the shell was started for nothing, that nothing else is found is not what is wrong.
        Err(error) if repeats_nothing || !args.selectors.is_empty() => return Err(error),
        _ => {}
    }
    Err(Error::NoLease { hint: "run `credsh refresh` again" })
}
