//! `credsh exec`: runs a command with the credentials under their standard names, in its environment only. credsh *becomes*
//! the command: same process, same signals, and the command's own exit status.

use std::os::unix::process::CommandExt;
use std::process::Command;

use crate::cli::{Exec, MinLife};
use crate::config::{self, Files};
use crate::credentials::Secret;
use crate::env::{self, Env};
use crate::error::{Error, Result};
use crate::lease::Lease;
use crate::renew::{self, Terms, When};
use crate::request::{Request, Source};
use crate::selectors::Selectors;
use crate::store::Store;
use crate::{format, prompt, ui};

/// Variables that would name other credentials, or win over these. All are removed before the credentials are set.
pub const CONFLICTS: [&str; 10] = [
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    env::SECURITY_TOKEN,
    env::SESSION_TOKEN,
    env::EXPIRATION,
    env::CONTAINER_FULL,
    env::CONTAINER_RELATIVE,
    env::CONTAINER_TOKEN,
    env::CONTAINER_TOKEN_FILE,
    env::WEB_IDENTITY_TOKEN_FILE,
];

pub fn run(args: &Exec, env: &Env) -> Result<u8> {
    let lease = lease(&args.selectors, &args.life, env)?;
    let (program, words) =
        args.command.split_first().ok_or(Error::Flag { flag: "--", reason: "a command must follow".into() })?;
    let mut command = Command::new(program);
    command.args(words);
    for name in CONFLICTS {
        command.env_remove(name);
    }
    // A credsh in there should use what that was given, and not this shell's lease.
    for name in [env::LEASE, env::SOURCE, env::PROMPT] {
        command.env_remove(name);
    }
    if renewable_inside(&lease, env) {
        command.env(env::LEASE, lease.request.id());
    }
    for (name, value) in variables(&lease, env) {
        command.env(name, value.expose());
    }
    // `exec` returns only if it failed.
    Err(Error::Run { program: ui::clean(&program.to_string_lossy()), source: command.exec() })
}

/// Whether a credsh in there could renew it with only the store. Else it uses its environment, like any program: the keys
/// are out of its reach, and so is the endpoint's token (CloudShell's does without).
fn renewable_inside(lease: &Lease, env: &Env) -> bool {
    let reached = match lease.request.source.root() {
        Source::Container { .. } => lease.request.source.root().label() == "cloudshell",
        Source::Env { .. } => false,
        _ => true,
    };
    // Only if the store has what was handed out: with --no-store it may have something older.
    let same = |stored: Lease| stored.credentials == lease.credentials;
    let stored = |store: Store| store.load(&lease.request.id()).is_ok_and(|(stored, _)| stored.is_some_and(same));
    reached && Store::open(env).is_ok_and(stored)
}

/// The standard variables. If the environment has no region, the request's is added, or that of the profile in AWS_PROFILE:
/// beside keys in the environment or a container endpoint, a profile gives no more than its region, and AWS_PROFILE itself
/// is removed. Both names are set, as boto3 reads only the one, and newer SDKs only the other.
pub fn variables(lease: &Lease, env: &Env) -> Vec<(&'static str, Secret)> {
    let mut variables = format::variables(&lease.credentials);
    let Request { region, source, .. } = &lease.request;
    let named = || env.first(&env::PROFILE).filter(|_| source.profile().is_none());
    let beside = || config::profile(&Files::of(env), named()?).ok()??.remove("region");
    if let (Some(region), None) = (region.clone().or_else(beside), env.first(&env::REGION)) {
        variables.extend(env::REGION.map(|name| (name, Secret::new(&*region))));
    }
    variables
}

/// A lease that lasts at least `--min-life`, if the source gives one. Otherwise there is a warning.
pub fn lease(selectors: &Selectors, life: &MinLife, env: &Env) -> Result<Lease> {
    let store = super::store(life.store.no_store, env)?;
    let request = super::meant(selectors, store.as_ref(), env)?;
    let ask = |when| {
        renew::lease(
            &request,
            store.as_ref(),
            env,
            &Terms { when, person: true, queue: true, deadline: super::PATIENCE },
        )
    };
    let short = |lease: &Lease| lease.expires - env.now() < i64::from(life.min_life);
    let mut outcome = ask(When::Needed)?;
    if short(&outcome.lease) && !outcome.renewed {
        outcome = ask(When::Now)?;
    }
    if let Some(failure) = &outcome.failure {
        ui::error(failure);
    }
    if short(&outcome.lease) {
        ui::say(format_args!(
            "warning: the credentials expire soon, and a running command cannot be given new ones: {}",
            prompt::segment(&outcome.lease, env.now())
        ));
    }
    Ok(outcome.lease)
}
