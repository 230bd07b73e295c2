//! `credsh refresh`: renews the credentials or switches to others. In a hooked shell it prints code for that shell.

use crate::cli::Refresh;
use crate::detach;
use crate::env::Env;
use crate::error::Result;
use crate::renew::{self, Outcome, Terms, When};
use crate::shell::Shell;
use crate::{prompt, ui};

/// Renews; `hooked` is the shell that will evaluate stdout.
pub fn run(args: &Refresh, hooked: Option<Shell>, env: &Env) -> Result<u8> {
    if hooked.is_some() {
        detach::from_ctrl_z();
    }
    let store = super::store(args.store.no_store, env)?;
    let request = super::meant(&args.selectors, store.as_ref(), env)?;
    let when = if args.force { When::Now } else { When::Window };
    let terms = Terms { when, person: true, queue: true, deadline: super::PATIENCE };
    let Outcome { lease, renewed, unchanged, failure } = renew::lease(&request, store.as_ref(), env, &terms)?;
    if let Some(shell) = hooked {
        ui::print(shell.adopt(&lease, env)?.expose())?;
        if store.is_none() {
            // Nothing else remembers what was asked for, so the shell itself has to repeat it.
            let words = args.store.words(&args.selectors);
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            ui::print(&shell.call("__credsh_repeat", &words)?)?;
        }
    }
    if let Some(failure) = failure {
        ui::error(&failure);
        ui::say(format_args!("the current credentials are kept: {}", prompt::segment(&lease, env.now())));
        return Ok(failure.kind().status());
    }
    let what = match (renewed, unchanged) {
        (true, false) => "renewed",
        (true, true) => "the source has no newer credentials yet",
        (false, _) => "still fresh",
    };
    ui::say(format_args!("{what}: {}", prompt::segment(&lease, env.now())));
    if hooked.is_none() && store.is_some() {
        let again: Vec<String> = args.selectors.words();
        let flags = again.iter().map(|word| Shell::Bash.quote(word)).collect::<Result<Vec<_>>>()?.join(" ");
        let flags = if flags.is_empty() { flags } else { format!(" {flags}") };
        ui::hint(&format!(
            "load them with `eval \"$(credsh export{flags})\"`, or let a hook do it: `credsh init --help`"
        ));
    }
    Ok(0)
}
