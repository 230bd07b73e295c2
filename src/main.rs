//! credsh keeps temporary AWS credentials fresh in the shell that is already open.
//!
//! The way of the data is one line: argv -> cli -> request -> store (fresh? done) -> source -> store -> shell or format
//! -> stdout.

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

use std::process::ExitCode;

/// Parse, run, print the error once, exit. Nothing else prints an error or exits.
fn main() -> ExitCode {
    let env = env::Env::of_process();
    let cli = match cli::Cli::of(env.words()) {
        Ok(cli) => cli,
        Err(error) => return ExitCode::from(ui::usage(&error)),
    };
    detach::from_debuggers();
    match command::run(cli, env) {
        Ok(status) => ExitCode::from(status),
        Err(error) => {
            ui::error(&error);
            ExitCode::from(error.kind().status())
        }
    }
}
