//! `credsh completions`: clap's scripts for the commands that people type, without the hidden ones. `completions/` holds
//! committed copies.

use clap::{Arg, Command, CommandFactory, ValueHint};
use clap_complete::Shell;

use crate::cli::Cli;
use crate::error::Result;
use crate::ui;

pub fn run(shell: Shell) -> Result<u8> {
    let mut command = Cli::command();
    // Without this the flags of the subcommands do not exist yet.
    command.build();
    let mut shown = shown(&command);
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut shown, "credsh", &mut script);
    let mut script = String::from_utf8_lossy(&script).into_owned();
    match shell {
        Shell::Fish => script.extend([FISH_COMMAND, &positionals(&shown, "")]),
        Shell::Bash => script = script.replacen(BASH_CASE, &format!("{BASH_COMMAND}{BASH_CASE}"), 1),
        _ => {}
    }
    // In this form each of the three shells runs the command when it needs the list; fish would run the other when it reads
    // the script.
    let run = if shell == Shell::Fish { "" } else { "$" };
    for (mark, flags) in [(ALL_PROFILES, " --all"), (OWN_PROFILES, "")] {
        script = script.replace(mark, &format!("{run}(credsh profile list{flags} 2>/dev/null)"));
    }
    ui::print(&script)?;
    Ok(0)
}

/// Mark the place in a list of words for the names of all profiles, or of credsh's own.
const ALL_PROFILES: &str = "@ALL-PROFILES@";
/// See [`ALL_PROFILES`].
const OWN_PROFILES: &str = "@OWN-PROFILES@";

/// The mark for the list of an argument's values, if they are not known here. Clap's dynamic completion would do too, but
/// is unstable, and starts the program at every Tab, even for what is in the script.
fn asked(command: &Command, arg: &Arg) -> Option<&'static str> {
    match (command.get_name(), arg.get_id().as_str()) {
        (_, "profile") => Some(ALL_PROFILES),
        ("remove", "name") => Some(OWN_PROFILES),
        _ => None,
    }
}

/// Where bash's script starts to deal with the command that it found.
const BASH_CASE: &str = "    case \"${cmd}\" in\n";

/// Completes what follows the `--` of `exec`, of which clap's script for bash knows nothing: by bash-completion's own
/// function or, without that, the command's name, and file names after it.
const BASH_COMMAND: &str = r#"    for ((i = 2; i < COMP_CWORD; i++)); do
        [[ "${cmd}" == credsh__subcmd__exec && "${COMP_WORDS[i]}" == -- ]] || continue
        if declare -F _command_offset >/dev/null; then
            _command_offset $((i + 1))
        elif ((i + 1 == COMP_CWORD)); then
            COMPREPLY=( $(compgen -c -- "${cur}") )
        fi
        return 0
    done

"#;

/// The same for fish. (`__fish_complete_subcommand` would need to know which of the words before it are values.)
const FISH_COMMAND: &str = r#"
function __fish_credsh_command
    set -l words (commandline -opc) (commandline -ct)
    set -l at (contains -i -- -- $words[1..-2])
    and complete -C "$words[$(math $at + 1)..]"
end

"#;

/// The command without what is hidden, which the generators would offer all the same, and without file names for other
/// values.
fn shown(command: &Command) -> Command {
    // clap only takes static names; this leaks each once.
    let mut shown = Command::new(&*command.get_name().to_owned().leak());
    if let Some(about) = command.get_about() {
        shown = shown.about(about.clone());
    }
    if command.get_version().is_some() {
        shown = shown.version(env!("CARGO_PKG_VERSION"));
    }
    // clap adds these two by itself.
    let own = |id: &str| ["help", "version"].contains(&id);
    for arg in command.get_arguments().filter(|arg| !arg.is_hide_set() && !own(arg.get_id().as_str())) {
        let unknown = arg.get_value_hint() == ValueHint::Unknown && arg.get_possible_values().is_empty();
        let text = unknown && arg.get_action().takes_values() && !arg.is_last_set();
        shown = shown.arg(match asked(command, arg) {
            Some(words) => arg.clone().value_parser([words]),
            None if text => arg.clone().value_hint(ValueHint::Other),
            None => arg.clone(),
        });
    }
    let there: Vec<_> = shown.get_arguments().map(|arg| arg.get_id().clone()).collect();
    let groups = command.get_groups().filter(|group| group.get_args().all(|id| there.contains(id)));
    shown = shown.groups(groups.cloned());
    let subcommands = command.get_subcommands().filter(|sub| !sub.is_hide_set() && !own(sub.get_name()));
    let subcommands: Vec<_> = subcommands.map(self::shown).collect();
    shown.disable_help_subcommand(true).subcommands(subcommands)
}

/// What fish's generator omits: the possible values of a command's own arguments and, without any, that no file is meant.
/// After a `--` anything is possible.
fn positionals(command: &Command, above: &str) -> String {
    let line = |sub: &Command| {
        let using = match above {
            "" => format!("__fish_credsh_using_subcommand {}", sub.get_name()),
            above => format!("{above}; and __fish_seen_subcommand_from {}", sub.get_name()),
        };
        let positional = sub.get_positionals().next();
        let rest = match positional {
            Some(arg) if arg.get_value_hint() == ValueHint::CommandWithArguments => {
                " -a \"(__fish_credsh_command)\"".into()
            }
            Some(arg) if arg.is_last_set() => return String::new(),
            _ => {
                let values = positional.map(Arg::get_possible_values).unwrap_or_default();
                let names: Vec<&str> = values.iter().map(clap::builder::PossibleValue::get_name).collect();
                if names.is_empty() { " -f".into() } else { format!(" -f -a \"{}\"", names.join(" ")) }
            }
        };
        format!("complete -c credsh -n \"{using}\"{rest}\n{}", positionals(sub, &using))
    };
    command.get_subcommands().map(line).collect()
}
