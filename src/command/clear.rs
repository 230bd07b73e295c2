//! `credsh clear`: forget. The stored lease goes, and with it every shell's means to renew it.

use crate::cli::Clear;
use crate::env::{self, Env};
use crate::error::{Error, Result};
use crate::shell::Shell;
use crate::ui;

/// Forgets; `hooked` is the shell that will evaluate stdout.
pub fn run(args: &Clear, hooked: Option<Shell>, env: &Env) -> Result<u8> {
    let Some(store) = super::store(false, env)? else { return Ok(1) };
    let own = env.get(env::LEASE).filter(|_| args.selectors.is_empty());
    let cleared = if args.all {
        store.clear()?
    } else if let Some(id) = own {
        usize::from(store.remove(id)?)
    } else if args.selectors.is_empty() && hooked.is_some() {
        0
    } else {
        usize::from(store.remove(&super::meant(&args.selectors, Some(&store), env)?.id())?)
    };
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
