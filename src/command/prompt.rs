//! `credsh prompt`: prints the indicator's text, for prompt tools that can only run a command; nothing if no lease is held.

use crate::cli::Prompt;
use crate::env::Env;
use crate::error::Result;
use crate::store::Store;
use crate::{prompt, ui};

pub fn run(args: &Prompt, env: &Env) -> Result<u8> {
    let store = Store::open(env).ok();
    if let Some(lease) = super::own_lease(store.as_ref(), env)? {
        ui::print(&format!("{}\n", prompt::segment_with(args.time, &lease, env.now())))?;
    }
    Ok(0)
}
