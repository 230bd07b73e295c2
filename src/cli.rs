//! What may be typed: clap's types and the help texts. No logic; what it means is `request`'s.

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::format::Format;
use crate::selectors::Selectors;
use crate::shell::Shell;

/// The command line.
#[derive(Parser)]
#[command(name = "credsh", version, about = "Keeps temporary AWS credentials fresh in the shell you already have open", arg_required_else_help = true, disable_help_subcommand = true, max_term_width = 100, after_help = EXAMPLES)]
pub struct Cli {
    /// Set by the shell's own `credsh` function: print code for that shell to evaluate.
    #[arg(long, hide = true, value_enum)]
    pub hooked: Option<Shell>,
    #[command(subcommand)]
    pub command: Command,
}

const EXAMPLES: &str = "\
Examples:
  eval \"$(credsh init bash)\"           in ~/.bashrc: keep credentials fresh in this shell
  credsh refresh --role arn:aws:iam::123456789012:role/deploy
  eval \"$(credsh export)\"              once, without a hook
  credsh demo                          see it work, without AWS";

/// The commands, in the order of the help.
#[derive(Subcommand)]
pub enum Command {
    /// Print the hook for a shell's start-up file
    #[command(after_help = "\
Examples:
  eval \"$(credsh init bash)\"                       in ~/.bashrc
  eval \"$(credsh init zsh)\"                        in ~/.zshrc
  credsh init fish | source                        in ~/.config/fish/config.fish
  eval \"$(credsh init bash --profile dev)\"         start with a profile's credentials
  eval \"$(credsh init bash --prompt off)\"          no indicator; CREDSH_PROMPT stays set
  eval \"$(credsh init bash --off)\"                 take the hook out of this shell again")]
    Init(Init),
    /// Renew the credentials, or switch to others
    #[command(after_help = "\
In a shell with the hook this changes that shell's TEMPORARY_AWS_* variables; elsewhere it renews the
stored lease, for `credsh export` to print.

Examples:
  credsh refresh                                   if they are due
  credsh refresh --force                           ask the source now
  credsh refresh --role arn:aws:iam::123456789012:role/deploy --duration 1h
  credsh refresh --profile dev")]
    Refresh(Refresh),
    /// Print the credentials for a shell or a program
    #[command(after_help = "\
Examples:
  eval \"$(credsh export)\"                          the standard names, in this shell
  credsh export --format fish | source
  credsh export --prefix TEMPORARY_                the names the hook uses
  credsh export --format json | jq -r .Expiration")]
    Export(Export),
    /// Show the leases that are held: source, time left, which one is this shell's
    #[command(after_help = "\
Examples:
  credsh status                                    `*` is this shell's
  credsh status --json | jq '.leases[] | {source, seconds_left}'")]
    Status(Status),
    /// Print the prompt indicator's text, for prompt tools that run a command
    #[command(after_help = "\
Where a tool can show a variable, CREDSH_PROMPT has the same text and starts no program.

Examples:
  credsh prompt                                    cloudshell 12m
  PS1='$(credsh prompt) $ '                        in a shell without the hook")]
    Prompt,
    /// Forget the credentials: this shell's variables, and the stored lease
    #[command(after_help = "\
Examples:
  credsh clear                                     this shell's lease
  credsh clear --all                               every stored lease")]
    Clear(Clear),
    /// Print a completion script
    #[command(after_help = "\
Examples:
  credsh completions bash > ~/.local/share/bash-completion/completions/credsh
  credsh completions fish > ~/.config/fish/completions/credsh.fish")]
    Completions {
        /// The shell to complete in
        shell: clap_complete::Shell,
    },
    /// Show credsh at work against a built-in endpoint, without AWS
    #[command(after_help = "\
On a terminal it opens your shell with the hook, and credentials that live 20 s. Without one it plays a
session of about 30 s, prints what a person would see, and exits 0 if all of it was seen.

Examples:
  credsh demo                                      your shell, for a try
  credsh demo </dev/null                           the played session")]
    Demo(Demo),
    /// What the hook runs
    #[command(hide = true)]
    Hook(Hook),
}

/// `credsh init`.
#[derive(Args)]
pub struct Init {
    /// The shell that reads it
    #[arg(value_enum)]
    pub shell: Shell,
    /// What the exported names begin with; empty for the standard AWS_* names
    #[arg(long, default_value = "TEMPORARY_", value_parser = prefix)]
    pub prefix: String,
    /// Where the indicator stands
    #[arg(long, value_enum, default_value_t = Side::Left)]
    pub prompt: Side,
    /// Publish nothing until `credsh refresh` is typed, in CloudShell too
    #[arg(long)]
    pub no_auto: bool,
    /// Print what takes the hook out of the shell again
    #[arg(long)]
    pub off: bool,
    #[command(flatten)]
    pub selectors: Selectors,
}

/// Where the prompt indicator stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Side {
    Left,
    Right,
    Off,
}

/// `credsh refresh`.
#[derive(Args)]
pub struct Refresh {
    /// Ask the source even if the stored credentials are not due
    #[arg(long)]
    pub force: bool,
    #[command(flatten)]
    pub store: StoreUse,
    #[command(flatten)]
    pub selectors: Selectors,
}

/// Whether the disk may be used.
#[derive(Args, Clone, Copy)]
pub struct StoreUse {
    /// Keep nothing on disk, and use nothing kept
    #[arg(long)]
    pub no_store: bool,
}

/// `credsh export`.
#[derive(Args)]
pub struct Export {
    /// For whom
    #[arg(long, value_enum, default_value_t = Format::Env)]
    pub format: Format,
    /// What the names begin with, e.g. TEMPORARY_
    #[arg(long, default_value = "", value_parser = prefix)]
    pub prefix: String,
    #[command(flatten)]
    pub store: StoreUse,
    #[command(flatten)]
    pub selectors: Selectors,
}

/// `credsh status`.
#[derive(Args)]
pub struct Status {
    /// For programs
    #[arg(long)]
    pub json: bool,
}

/// `credsh clear`.
#[derive(Args)]
pub struct Clear {
    /// Every stored lease, not only this shell's
    #[arg(long)]
    pub all: bool,
    #[command(flatten)]
    pub selectors: Selectors,
}

/// `credsh demo`.
#[derive(Args)]
pub struct Demo {
    /// Become the shell on this terminal: how the demo starts the shell it plays in
    #[arg(long, hide = true, value_name = "TTY")]
    pub on_tty: Option<std::path::PathBuf>,
    /// The shell's command line, after --on-tty
    #[arg(last = true, hide = true)]
    pub command: Vec<String>,
}

/// `credsh hook`: not for people, and free to change with the scripts in `shell/`.
#[derive(Args)]
pub struct Hook {
    /// The shell that asks
    #[arg(long, value_enum)]
    pub shell: Shell,
    /// The lease it holds; empty when none
    #[arg(long, default_value = "")]
    pub lease: String,
    /// Renew now, within CREDSH_WAIT seconds, and print the outcome as code; else in the background
    #[arg(long)]
    pub wait: bool,
    /// Already in the background
    #[arg(long)]
    pub detached: bool,
    #[command(flatten)]
    pub selectors: Selectors,
}

/// The beginning of a variable's name.
fn prefix(text: &str) -> Result<String, String> {
    let ok = text.len() <= 64 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') && !text.starts_with(|c: char| c.is_ascii_digit());
    if ok { Ok(text.into()) } else { Err("a variable's name begins with letters, digits and _".into()) }
}
