//! `credsh completions`: clap's scripts, of what people type; `completions/` holds the committed copies.

use clap::{Arg, Command, CommandFactory, ValueHint};
use clap_complete::Shell;

use crate::cli::Cli;
use crate::error::Result;
use crate::ui;

/// Prints one shell's script.
pub fn run(shell: Shell) -> Result<u8> {
    let mut command = Cli::command();
    // The flags of the commands are made only then.
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
    // Each of the three runs what stands in a list of words in this form when it needs the list; fish would run the other
    // form when it reads the script.
    let run = if shell == Shell::Fish { "" } else { "$" };
    for (mark, flags) in [(ALL_PROFILES, " --all"), (OWN_PROFILES, "")] {
        script = script.replace(mark, &format!("{run}(credsh profile list{flags} 2>/dev/null)"));
    }
    ui::print(&script)?;
    Ok(0)
}

/// Stand among the words of a list, for all profiles' names and for those of credsh's own.
const ALL_PROFILES: &str = "@ALL-PROFILES@";
/// See [`ALL_PROFILES`].
const OWN_PROFILES: &str = "@OWN-PROFILES@";

/// What stands in the list of a value's words, if the words are not known here. Clap's dynamic completion would do it too, but
/// that is unstable, and starts the program at every Tab, also for what stands in the script.
fn asked(command: &Command, arg: &Arg) -> Option<&'static str> {
    match (command.get_name(), arg.get_id().as_str()) {
        (_, "profile") => Some(ALL_PROFILES),
        ("remove", "name") => Some(OWN_PROFILES),
        _ => None,
    }
}

/// Where bash's script turns to the command it has found.
const BASH_CASE: &str = "    case \"${cmd}\" in\n";

/// Behind the `--` of `exec` stands a command, of which clap's script for bash knows nothing: bash-completion's own function
/// completes it with its arguments. Where that is not loaded, the command's name, and file names for the rest.
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

/// The same for fish. (`__fish_complete_subcommand` would have to be told which words before it are values.)
const FISH_COMMAND: &str = r#"
function __fish_credsh_command
    set -l words (commandline -opc) (commandline -ct)
    set -l at (contains -i -- -- $words[1..-2])
    and complete -C "$words[$(math $at + 1)..]"
end

"#;

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

/// What the generator for fish leaves out: a command's own words, and that where there are none no file is meant. Behind a
/// `--` anything may be.
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
