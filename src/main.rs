//! credsh keeps temporary AWS credentials fresh in the shell that is already open.
//!
//! Data flows one way: argv -> cli -> request -> store (fresh? done) -> source -> store -> shell or format -> stdout. What
//! a command does is in `command`; this file only parses, runs, prints the error and exits.

#![deny(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used
)]

mod aws;
mod cli;
mod command;
mod config;
mod credentials;
mod detach;
mod env;
mod error;
mod format;
mod http;
mod lease;
mod prompt;
#[cfg(test)]
mod properties;
mod redact;
mod renew;
mod request;
mod selectors;
mod shell;
mod source;
mod store;
mod time;
mod ui;

use std::panic::PanicHookInfo;
use std::process::ExitCode;

/// Reports a panic like any other failure: it is usually an assertion in a library that met an unexpected answer. A trace
/// would land in the middle of a prompt, SIGABRT would make the status 134, and the panic's message may quote what an
/// endpoint sent. The location is enough for a bug report; the build machine's directories are left out.
#[allow(clippy::disallowed_methods, reason = "what follows a panic is not to be run, here or in any thread")]
fn panicked(info: &PanicHookInfo<'_>) {
    let place = info.location().map_or(String::new(), |at| {
        let file = at.file();
        let within =
            file.rfind("/src/").and_then(|src| file[..src].rfind('/')).map_or(file, |start| &file[start + 1..]);
        format!(", at {within}:{}", at.line())
    });
    ui::say(format_args!("stopped by a bug in credsh{place}"));
    ui::hint("please report this line, and the command that you ran");
    std::process::exit(error::Kind::Failed.status().into());
}

/// Parses, runs, prints the error once and exits. Nothing else prints an error or exits.
fn main() -> ExitCode {
    std::panic::set_hook(Box::new(panicked));
    let env = env::Env::of_process();
    let cli = match cli::Cli::of(env.words()) {
        Ok(cli) => cli,
        Err(error) => return ExitCode::from(ui::usage(&error)),
    };
    detach::from_debuggers();
    detach::from_file_size_limit();
    match command::run(cli, env) {
        Ok(status) => ExitCode::from(status),
        Err(error) => {
            ui::error(&error);
            ExitCode::from(error.kind().status())
        }
    }
}
