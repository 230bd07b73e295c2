//! `credsh completions`: clap's scripts, of what people type; `completions/` holds the committed copies.

use clap::{Command, CommandFactory, ValueHint};

use crate::cli::Cli;
use crate::error::Result;
use crate::ui;

/// Prints one shell's script.
pub fn run(shell: clap_complete::Shell) -> Result<u8> {
    let mut command = Cli::command();
    // The flags of the commands are made only then.
    command.build();
    let mut shown = shown(&command);
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut shown, "credsh", &mut script);
    let mut script = String::from_utf8_lossy(&script).into_owned();
    if shell == clap_complete::Shell::Fish {
        script += &positionals(&shown);
    }
    ui::print(&script)?;
    Ok(0)
}

/// The command without what is hidden, which the generators offer all the same, and with no file names for values that are
/// none.
fn shown(command: &Command) -> Command {
    // clap takes no other names; it is done once.
    let mut shown = Command::new(&*command.get_name().to_owned().leak());
    if let Some(about) = command.get_about() {
        shown = shown.about(about.clone());
    }
    if command.get_version().is_some() {
        shown = shown.version(env!("CARGO_PKG_VERSION"));
    }
    // Those two it makes itself.
    let own = |id: &str| ["help", "version"].contains(&id);
    for arg in command.get_arguments().filter(|arg| !arg.is_hide_set() && !own(arg.get_id().as_str())) {
        let unknown = arg.get_value_hint() == ValueHint::Unknown && arg.get_possible_values().is_empty();
        let text = unknown && arg.get_action().takes_values() && !arg.is_last_set();
        shown = shown.arg(if text { arg.clone().value_hint(ValueHint::Other) } else { arg.clone() });
    }
    let there: Vec<_> = shown.get_arguments().map(|arg| arg.get_id().clone()).collect();
    let groups = command.get_groups().filter(|group| group.get_args().all(|id| there.contains(id)));
    shown = shown.groups(groups.cloned());
    let subcommands = command.get_subcommands().filter(|sub| !sub.is_hide_set() && !own(sub.get_name()));
    let subcommands: Vec<_> = subcommands.map(self::shown).collect();
    shown.disable_help_subcommand(true).subcommands(subcommands)
}

/// What the generator for fish leaves out: a command's own words, and that where there are none no file is meant. Behind a
/// `--` anything may be.
fn positionals(command: &Command) -> String {
    let line = |sub: &Command| {
        let positional = sub.get_positionals().next();
        if positional.is_some_and(clap::Arg::is_last_set) {
            return String::new();
        }
        let values = positional.map(clap::Arg::get_possible_values).unwrap_or_default();
        let names: Vec<&str> = values.iter().map(clap::builder::PossibleValue::get_name).collect();
        let words = if names.is_empty() { String::new() } else { format!(" -a \"{}\"", names.join(" ")) };
        format!("complete -c credsh -n \"__fish_credsh_using_subcommand {}\" -f{words}\n", sub.get_name())
    };
    command.get_subcommands().map(line).collect()
}
