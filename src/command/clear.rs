//! `credsh clear`: forgets a lease. The stored lease is removed, and with it all shells' means of renewing it.

use crate::cli::Clear;
use crate::env::{self, Env};
use crate::error::{Error, Result};
use crate::renew;
use crate::shell::Shell;
use crate::store::Store;
use crate::ui;

/// Clears; `hooked` is the shell that will evaluate stdout.
pub fn run(args: &Clear, hooked: Option<Shell>, env: &Env) -> Result<u8> {
    // Flags that name another lease leave this shell's variables alone. Otherwise they are dropped even if the store has a
    // problem.
    if let Some(shell) = hooked.filter(|_| args.all || args.selectors.is_empty()) {
        ui::print(&shell.call("__credsh_drop", &[])?)?;
    }
    let store = super::store(false, env)?;
    let cleared = store.as_ref().map_or(Ok(0), |store| forget(args, hooked, store, env))?;
    match cleared {
        0 if !args.all && hooked.is_none() => Err(Error::NoLease { hint: "`credsh status` shows what is held" }),
        0 => Ok(0),
        1 => {
            ui::say("cleared 1 lease");
            Ok(0)
        }
        count => {
            ui::say(format_args!("cleared {count} leases"));
            Ok(0)
        }
    }
}

/// Removes the lease that is meant from the store; returns how many were removed.
fn forget(args: &Clear, hooked: Option<Shell>, store: &Store, env: &Env) -> Result<usize> {
    if args.all {
        return store.clear();
    }
    let id = match env.get(env::LEASE) {
        Some(id) if args.selectors.is_empty() => id.to_owned(),
        None if args.selectors.is_empty() && hooked.is_some() => return Ok(0),
        _ => super::meant(&args.selectors, Some(store), env)?.id(),
    };
    let lease = renew::load(store, &id)?;
    let cleared = store.remove(&id)?;
    if let Some(base) = lease.filter(|_| cleared).and_then(|lease| lease.request.base_with_code())
        && renew::load(store, &base.id())?.is_some()
    {
        ui::say(format_args!(
            "kept the session that took an MFA code ({}), as other leases may depend on it",
            base.label()
        ));
        ui::hint("`credsh clear --all` forgets that too");
    }
    Ok(usize::from(cleared))
}
