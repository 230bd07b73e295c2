//! `credsh clear`: forget. The stored lease goes, and with it every shell's means to renew it.

use crate::cli::Clear;
use crate::env::{self, Env};
use crate::error::{Error, Result};
use crate::shell::Shell;
use crate::store::Store;
use crate::ui;

/// Forgets; `hooked` is the shell that will evaluate stdout.
pub fn run(args: &Clear, hooked: Option<Shell>, env: &Env) -> Result<u8> {
    // A store that cannot be used holds nothing to forget; this shell's variables are its own.
    let store = super::store(false, env)?;
    let cleared = store.as_ref().map_or(Ok(0), |store| forget(args, hooked, store, env))?;
    // Another lease's flags leave this shell's variables alone.
    if let Some(shell) = hooked.filter(|_| args.all || args.selectors.is_empty()) {
        ui::print(&shell.call("__credsh_drop", &[])?)?;
    }
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

/// Removes what is meant from the store; how many leases that was.
fn forget(args: &Clear, hooked: Option<Shell>, store: &Store, env: &Env) -> Result<usize> {
    if args.all {
        return store.clear();
    }
    match env.get(env::LEASE) {
        Some(id) if args.selectors.is_empty() => store.remove(id).map(usize::from),
        None if args.selectors.is_empty() && hooked.is_some() => Ok(0),
        _ => store.remove(&super::meant(&args.selectors, Some(store), env)?.id()).map(usize::from),
    }
}
