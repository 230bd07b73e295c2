//! The commands: one file each, one match. Only they write stdout; renewing and storing are up to `renew` and below.

mod clear;
mod completions;
mod demo;
mod docker;
mod doctor;
mod exec;
mod export;
mod hook;
mod init;
mod profile;
mod prompt;
mod publish;
mod refresh;
mod script;
mod status;
mod template;
mod whoami;

use std::time::Duration;

use crate::cli::{Cli, Command};
use crate::env::{self, Env};
use crate::error::{Error, Result};
use crate::lease::Lease;
use crate::renew;
use crate::request::{Request, Source};
use crate::selectors::Selectors;
use crate::store::{self, Store};
use crate::{shell, ui};

/// How long a person waits for a source, such as a distant SSO or STS endpoint, or a slow `credential_process`.
const PATIENCE: Duration = Duration::from_secs(30);

/// Runs the command that was typed; returns the exit status of the process.
///
/// # Errors
/// What the command failed with.
pub fn run(cli: Cli, env: Env) -> Result<u8> {
    let (env, moved) = &store::of_shell(cli.place.as_deref(), env);
    let told = match &cli.command {
        Command::Hook(args) if !args.detached => Some(args.shell),
        _ => cli.hooked,
    };
    if let (Some(shell), Some(place)) = (told, moved) {
        // Comes first and whatever else happens, as the old place is gone in any case.
        ui::print(&shell.call("__credsh_move", &[shell::text(place)?])?)?;
    }
    match cli.command {
        Command::Init(args) => init::run(&args, env),
        Command::Refresh(args) => refresh::run(&args, cli.hooked, env),
        Command::Export(args) => export::run(&args, env),
        Command::Status(args) => status::run(&args, env),
        Command::Prompt(args) => prompt::run(&args, env),
        Command::Clear(args) => clear::run(&args, cli.hooked, env),
        Command::Completions { shell } => completions::run(shell),
        Command::Demo(args) => demo::run(&args, env),
        Command::Exec(args) => exec::run(&args, env),
        Command::Docker(args) => docker::run(&args, env),
        Command::Doctor(args) => doctor::run(&args, env),
        Command::Whoami(args) => whoami::run(&args, env),
        Command::Profile(args) => profile::run(&args, env),
        Command::Template => template::run(),
        Command::Script { shell } => script::run(shell, env),
        Command::Publish(args) => publish::run(&args, cli.hooked, env),
        Command::Hook(args) => hook::run(&args, cli.place.as_deref(), env),
    }
}

/// This shell's lease, if it is in the store.
fn own_lease(store: Option<&Store>, env: &Env) -> Result<Option<Lease>> {
    match (store, env.get(env::LEASE)) {
        (Some(store), Some(id)) => renew::load(store, id),
        _ => Ok(None),
    }
}

/// The request that is meant: the flags'; without any, that of this shell's lease; else what the surroundings offer.
///
/// # Errors
/// `LeaseGone` if the shell has a lease that is not in the store. What it shows and exports is from that, so the
/// surroundings' credentials would be somebody else's, without a word.
fn meant(selectors: &Selectors, store: Option<&Store>, env: &Env) -> Result<Request> {
    let Some(id) = env.get(env::LEASE).filter(|id| selectors.is_empty() && store::is_id(id)) else {
        // Credentials that were evaluated in a shell without a hook: the same command line should renew them.
        return match issuer(store, env).filter(|_| selectors.is_empty()) {
            Some(lease) => Ok(lease.request),
            // With flags, the credentials in the variables may be the base of a role, and under `exec` there is no other.
            None => Request::resolve(selectors, env),
        };
    };
    // `--no-store` keeps nothing, but what was asked for before may still be looked up.
    let opened = if store.is_none() { renew::open_store(env)? } else { None };
    if let Some(lease) = own_lease(store.or(opened.as_ref()), env)? {
        return Ok(lease.request);
    }
    // It was kept nowhere, but the flags and surroundings lead to the same request.
    Request::resolve(selectors, env)
        .ok()
        .filter(|request| request.id() == id)
        .ok_or_else(|| Error::LeaseGone { id: id.into() })
}

/// The stored lease that handed out the keys in the standard variables. Not one that took them from there, nor a
/// container's whose endpoint is out of reach, as under `exec`: then the variables are all there is.
fn issuer(store: Option<&Store>, env: &Env) -> Option<Lease> {
    let key = env.get(env::ACCESS_KEY_ID)?;
    let counts = |lease: &Lease| match lease.request.source.root() {
        Source::Env { access_key_id } => access_key_id != key,
        Source::Container { .. } => env.in_container(),
        _ => true,
    };
    store?.all().ok()?.into_iter().find(|lease| lease.has_issued(key) && counts(lease))
}

/// The store, unless it is not to be used.
fn store(unused: bool, env: &Env) -> Result<Option<Store>> {
    if unused { Ok(None) } else { renew::open_store(env) }
}
