//! `credsh hook`: what the hooks run when something is due. Without `--wait` it starts itself again in the background and
//! returns at once; with it, it renews and prints the outcome as code.

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

/// How long a background renewal may take; nobody waits for it.
const BACKGROUND: Duration = Duration::from_secs(30);
/// The default of `CREDSH_WAIT`, in seconds.
const WAIT: f32 = 3.0;

/// Renews the lease of the shell, which looks for its store at `place`.
pub fn run(args: &Hook, place: Option<&Path>, env: &Env) -> Result<u8> {
    if args.wait {
        let wait = env.get(env::WAIT).and_then(|text| text.parse().ok()).filter(|wait: &f32| !wait.is_nan());
        return wait_for(args, env, Duration::from_secs_f32(wait.unwrap_or(WAIT).clamp(1.0, 60.0)));
    }
    if !args.detached {
        // Creates fish's clock, if that is what is missing. Errors of the store are reported by the renewal that somebody
        // waits for.
        let _ = Store::open(env);
    }
    // A background renewal could leave its outcome nowhere; and with neither a lease nor flags only the clock was wanted.
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

/// The store, if it has this shell's lease. Then that is what it was last switched to, even if it was started with
/// --no-store, or that was typed before.
fn stored(args: &Hook, env: &Env) -> Option<Store> {
    Store::open(env).ok().filter(|store| store.load(&args.lease).is_ok_and(|(lease, _)| lease.is_some()))
}

/// Starts the background process, and returns when that is out of reach of the shell's terminal and job control; not
/// before, as the shell may end right after. It signals that by closing its stdout.
fn start(args: &Hook, place: Option<&Path>, env: &Env) -> Result<u8> {
    detach::keep_files_back();
    let exe = env.exe();
    // It leaves the working directory, which a background process should not hold. So files named relative to that become
    // absolute paths.
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

/// Renews while the shell waits, and prints what the shell is to do. A failure is one line on stderr and a pause at most:
/// the command that is waiting still runs.
fn wait_for(args: &Hook, env: &Env, deadline: Duration) -> Result<u8> {
    detach::from_ctrl_z();
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
                // Another renewal hangs. Without a pause it would hold up every command, and not only this one.
                pause(args, env)?;
            }
            Ok(0)
        }
        Err(error) => defer(args, env, &error),
    }
}

/// Reports a failure, as the shell may have nothing to adopt; but not the one that it heard last: a source that is down is
/// asked every few seconds, and nobody needs to be told each time. The shell is told too, as the lease's file may have the
/// same note, in the same words whoever asked.
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

/// The stored lease's request, or the one that the shell was started for. A lease that is gone was cleared, or its store
/// was, and there is nothing to repeat.
fn request(args: &Hook, store: &Store, env: &Env) -> Result<Request> {
    if let Some(lease) = renew::load(store, &args.lease)? {
        // The shell was started for this profile, whatever has been written into it since: usually a new key.
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
        // If the shell was started without flags, it is not at fault that nothing else is found.
        Err(error) if repeats_nothing || !args.selectors.is_empty() => return Err(error),
        _ => {}
    }
    Err(Error::NoLease { hint: "run `credsh refresh` again" })
}
