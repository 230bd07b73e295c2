//! `credsh init`: prints the hook's script, with the words it starts from. Starts no runtime, and asks no source.

use std::io::IsTerminal;

use crate::cli::{Init, Side};
use crate::env::{self, Env};
use crate::error::Result;
use crate::prompt::Time;
use crate::request::Request;
use crate::store::{self, Store};
use crate::{shell, ui};

pub fn run(args: &Init, env: &Env) -> Result<u8> {
    if std::io::stdout().is_terminal() {
        ui::hint("this is for a shell to evaluate; `credsh init --help` shows the line for its start-up file");
    }
    if args.off {
        ui::print("credsh_off\n")?;
        return Ok(0);
    }
    // fish's clock is a file in the store, so it is made here. A store that cannot be used is reported by the first
    // renewal, not by every new shell.
    let _ = Store::open(env);
    let place = store::place(env)?;
    let lease = if args.no_auto || (args.selectors.is_empty() && !env.in_container()) {
        String::new()
    } else {
        Request::resolve(&args.selectors, env)?.id()
    };
    let side = match args.prompt {
        Side::Left => "left",
        Side::Right => "right",
        Side::Off => "off",
    };
    let time = match args.prompt_time {
        Time::Left => "left",
        Time::Until => "until",
    };
    let (exe, selectors) = (env.exe(), args.store.words(&args.selectors));
    let (exe, place) = (shell::text(&exe)?, shell::text(&place)?);
    let mut words = vec![exe, &args.prefix, side, time, place, &lease];
    words.extend(selectors.iter().map(String::as_str));
    let holds = !lease.is_empty() || env.get(env::LEASE).is_some();
    ui::print(&args.shell.init(&words, holds)?)?;
    Ok(0)
}
