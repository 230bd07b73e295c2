//! `credsh completions`: clap's scripts; `completions/` holds the committed copies.

use clap::CommandFactory;

use crate::cli::Cli;
use crate::error::Result;
use crate::ui;

/// Prints one shell's script.
pub fn run(shell: clap_complete::Shell) -> Result<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "credsh", &mut script);
    ui::print(&String::from_utf8_lossy(&script))?;
    Ok(0)
}
