//! What may be typed: clap's types and the help texts. No logic; what it means is `request`'s.

use std::ffi::OsString;

use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};

use crate::config::edit;
use crate::format::Format;
use crate::prompt::Time;
use crate::selectors::{self, Selectors};
use crate::shell::{Print, Script, Shell};

/// The command line.
#[derive(Parser)]
#[command(name = "credsh", version, about = "Keeps temporary AWS credentials fresh in the shell you already have open", arg_required_else_help = true, disable_help_subcommand = true, max_term_width = 100, after_help = EXAMPLES)]
pub struct Cli {
    /// Set by the shell's own `credsh` function: print code for that shell to evaluate.
    #[arg(long, hide = true, value_enum)]
    pub hooked: Option<Shell>,
    /// Set by a shell with the hook: the store it looks into
    #[arg(long = "store", hide = true, value_name = "PATH")]
    pub place: Option<std::path::PathBuf>,
    #[command(subcommand)]
    pub command: Command,
}

impl Cli {
    /// What `words` mean. The line that is in nearly every start-up file, `credsh init SHELL` and no flag, is known as it
    /// stands: clap takes longer to be ready for any other than all the rest of `init` takes, at every start of a shell.
    ///
    /// # Errors
    /// clap's, for a person to read; help and version are among them.
    pub fn of(words: &[OsString]) -> clap::error::Result<Self> {
        let usual = match words {
            [_, init, shell] if init == "init" => shell.to_str().and_then(|name| Shell::from_str(name, false).ok()),
            _ => None,
        };
        match (usual, words) {
            (Some(shell), _) => Ok(Cli { hooked: None, place: None, command: Command::Init(Init::plain(shell)) }),
            // Nothing was typed but the name, behind which the shell's function has put its store: help is wanted.
            (None, [name, store]) if store.as_encoded_bytes().starts_with(b"--store=") => Self::try_parse_from([name]),
            (None, words) => Self::try_parse_from(helped(words)),
        }
    }
}

/// `help COMMAND` as `COMMAND --help`. Clap has a command for it, which would stand in the list of ours, in that of
/// `profile` and in the completions.
fn helped(words: &[OsString]) -> Vec<OsString> {
    let store = words.get(1).is_some_and(|word| word.as_encoded_bytes().starts_with(b"--store="));
    let (own, typed) = words.split_at((1 + usize::from(store)).min(words.len()));
    if typed.first().is_none_or(|word| word != "help") {
        return words.to_vec();
    }
    let of = typed.iter().filter(|word| *word != "help");
    own.iter().chain(of).cloned().chain(["--help".into()]).collect()
}

const EXAMPLES: &str = "\
Examples:
  eval \"$(credsh init bash)\"           in ~/.bashrc: keep credentials fresh in this shell
  credsh refresh --role arn:aws:iam::123456789012:role/deploy
  eval \"$(credsh export)\"              once, without a hook
  credsh demo                          see it work, without AWS";

/// The commands, in the order of the help. Deferred: only the flags of the one that is typed are made, as to make
/// everybody's was half of all the work of `prompt` or `hook`. Hence no doc comments on the structs below that hold a command's
/// flags: clap would put them in the place of its help.
#[derive(Subcommand)]
#[command(defer = true)]
pub enum Command {
    /// Print the hook for a shell's start-up file
    #[command(after_help = "\
nushell cannot evaluate a command's output, but loads the files in its autoload directory. In its
config.nu:
  mkdir ($nu.data-dir)/vendor/autoload
  credsh init nu | save -f ($nu.data-dir)/vendor/autoload/credsh.nu

With --no-store the hook does not renew in the background, only before a command, once less than a
minute is left.

The flags under \"Which credentials\" apply only to a shell that has no lease yet. If the line is
evaluated again, or the shell was started from one that has a lease, that lease stays; to switch,
type `credsh refresh` with the same flags.

Examples:
  eval \"$(credsh init bash)\"                       in ~/.bashrc
  eval \"$(credsh init zsh)\"                        in ~/.zshrc
  credsh init fish | source                        in ~/.config/fish/config.fish
  eval (credsh init elvish | slurp)                in ~/.config/elvish/rc.elv
  execx($(credsh init xonsh))                      in ~/.xonshrc
  credsh init powershell | Out-String | iex        in $PROFILE
  eval \"$(credsh init bash --profile dev)\"         start with a profile's credentials
  eval \"$(credsh init bash --prompt off)\"          no indicator; CREDSH_PROMPT stays set
  eval \"$(credsh init bash --prompt-time until)\"   until 14:32: stays true while the shell idles
  eval \"$(credsh init bash --off)\"                 remove the hook from this shell")]
    Init(Init),
    /// Renew the credentials, or switch to others
    #[command(after_help = "\
In a shell with the hook this changes that shell's TEMPORARY_AWS_* variables; elsewhere
it renews the stored lease, for `credsh export` to print. With --no-store the hook does not
renew in the background, only before a command, once less than a minute is left.

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
    /// Run a command with the credentials in its environment, under their standard names
    #[command(after_help = "\
Examples:
  credsh exec -- aws s3 ls
  credsh exec --profile dev -- terraform plan
  credsh exec --role arn:aws:iam::123456789012:role/deploy --min-life 30m -- ./deploy.sh")]
    Exec(Exec),
    /// Run docker or podman with the credentials passed by name, never in an argument
    #[command(after_help = "\
Examples:
  credsh docker -- run --rm amazon/aws-cli s3 ls
  credsh docker --engine podman --profile dev -- run --rm -it image
  credsh docker -- compose run web")]
    Docker(Docker),
    /// Ask AWS whose credentials these are
    #[command(after_help = "\
Examples:
  credsh whoami
  credsh whoami --profile dev --json")]
    Whoami(Whoami),
    /// Say what is wrong here, why it matters, and what to type
    #[command(after_help = "\
Examples:
  credsh doctor
  credsh doctor --json")]
    Doctor(Doctor),
    /// Add, list or remove profiles in ~/.aws/config that take their credentials from credsh
    #[command(
        subcommand,
        after_help = "\
Examples:
  credsh profile add ci --role arn:aws:iam::123456789012:role/ci     then: aws --profile ci s3 ls
  credsh profile list
  credsh profile remove ci"
    )]
    Profile(Profile),
    /// Show the stored leases: source, time left, and which one is this shell's
    #[command(after_help = "\
Examples:
  credsh status                                    `*` is this shell's
  credsh status --json | jq '.leases[] | {source, seconds_left}'")]
    Status(Status),
    /// Print the prompt indicator's text, for prompt tools that run a command
    #[command(after_help = "\
It shows the lease that CREDSH_LEASE names, which the hook sets; without that variable nothing is
printed. If your prompt tool can show a variable, use CREDSH_PROMPT instead: it holds the same text,
and no program has to run.

Examples:
  credsh prompt                                    cloudshell 12m
  credsh prompt --time until                       cloudshell until 14:32
  CREDSH_LEASE=ID credsh prompt                    no hook: the ID is in `credsh status`")]
    Prompt(Prompt),
    /// Forget the credentials: this shell's variables, and the stored lease
    #[command(after_help = "\
Examples:
  credsh clear                                     this shell's lease
  credsh clear --all                               every stored lease")]
    Clear(Clear),
    /// Print a completion script
    #[command(after_help = "\
Shells look for it in the directories below; zsh does if the `fpath` line is in ~/.zshrc, before
`compinit`:
  mkdir -p ~/.local/share/bash-completion/completions ~/.zfunc ~/.config/fish/completions
  fpath=(~/.zfunc $fpath)

Examples:
  credsh completions bash > ~/.local/share/bash-completion/completions/credsh
  credsh completions zsh > ~/.zfunc/_credsh
  credsh completions fish > ~/.config/fish/completions/credsh.fish")]
    Completions {
        /// The shell to complete in
        shell: clap_complete::Shell,
    },
    /// Show credsh at work against a built-in endpoint, without AWS
    #[command(after_help = "\
On a terminal it opens your shell with the hook, and credentials that last 20 s. Without
a terminal it plays a scripted session of about 30 s, prints what you would see, and exits
with status 0 if everything happened as it should.

Examples:
  credsh demo                                      your shell, to try it out
  credsh demo </dev/null                           the scripted session")]
    Demo(Demo),
    /// Print a CloudFormation template for a role to assume
    #[command(after_help = "\
Its first lines say how to deploy it.

Examples:
  credsh template > role.yaml")]
    Template,
    /// Print a script that publishes the credentials in the shell that sources it
    #[command(after_help = "\
Then `source ./publish_temporary_credentials.sh [-q] [ROLE_ARN]`. A shell with the hook does not need
the script.

Examples:
  credsh script sh > publish_temporary_credentials.sh
  credsh script fish > publish_temporary_credentials.fish")]
    Script {
        /// sh for bash, zsh, dash, ksh, mksh, busybox and yash
        #[arg(value_enum, hide_possible_values = true, value_name = "sh|fish")]
        shell: Script,
    },
    /// What the hook runs
    #[command(hide = true)]
    Hook(Hook),
    /// What the scripts of `script` run
    #[command(hide = true)]
    Publish(Publish),
}

// `credsh init`.
#[derive(Args, Debug, PartialEq)]
pub struct Init {
    /// The shell that reads it
    #[arg(value_enum)]
    pub shell: Shell,
    /// What the exported names begin with; empty for the standard AWS_* names
    #[arg(long, default_value = PREFIX, value_parser = prefix)]
    pub prefix: String,
    /// Where the prompt indicator goes
    #[arg(long, value_enum, default_value_t = Side::Left)]
    pub prompt: Side,
    /// Whether the indicator shows the time left (12m) or the time of expiry (until 14:32)
    #[arg(long, value_enum, default_value_t = Time::Left)]
    pub prompt_time: Time,
    /// Publish nothing until you type `credsh refresh`, even in CloudShell
    #[arg(long)]
    pub no_auto: bool,
    /// Print the code that removes the hook from the shell
    #[arg(long)]
    pub off: bool,
    #[command(flatten)]
    pub store: StoreUse,
    #[command(flatten)]
    pub selectors: Selectors,
}

impl Init {
    /// What clap makes of `init SHELL` alone; a test holds them together.
    fn plain(shell: Shell) -> Self {
        Init {
            shell,
            prefix: PREFIX.into(),
            prompt: Side::Left,
            prompt_time: Time::Left,
            no_auto: false,
            off: false,
            store: StoreUse { no_store: false },
            selectors: Selectors::default(),
        }
    }
}

/// What the exported names begin with, unless something else is asked for.
const PREFIX: &str = "TEMPORARY_";

/// Where the prompt indicator stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Side {
    Left,
    Right,
    Off,
}

// `credsh refresh`.
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

// Whether the disk may be used.
#[derive(Args, Clone, Copy, Debug, PartialEq)]
pub struct StoreUse {
    /// Store nothing on disk, and use no stored credentials
    #[arg(long)]
    pub no_store: bool,
}

impl StoreUse {
    /// The same again as words of a command line, before those of the selectors.
    pub fn words(self, selectors: &Selectors) -> Vec<String> {
        let flag = self.no_store.then(|| "--no-store".to_owned());
        flag.into_iter().chain(selectors.words()).collect()
    }
}

// `credsh export`.
#[derive(Args)]
pub struct Export {
    /// What to print
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

// `credsh exec`.
#[derive(Args)]
pub struct Exec {
    #[command(flatten)]
    pub life: MinLife,
    #[command(flatten)]
    pub selectors: Selectors,
    /// The command and its arguments
    #[arg(last = true, required = true, value_name = "COMMAND", value_hint = ValueHint::CommandWithArguments)]
    pub command: Vec<OsString>,
}

// How long what is handed on shall last.
#[derive(Args)]
pub struct MinLife {
    /// Renew if less than this is left, and warn if it still is afterwards
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = min_life)]
    pub min_life: u32,
    #[command(flatten)]
    pub store: StoreUse,
}

// `credsh docker`.
#[derive(Args)]
pub struct Docker {
    /// The program: docker, podman, or a path [default: docker, else podman]
    #[arg(long, value_name = "ENGINE", value_hint = ValueHint::CommandName)]
    pub engine: Option<String>,
    #[command(flatten)]
    pub life: MinLife,
    #[command(flatten)]
    pub selectors: Selectors,
    /// The engine's own arguments: run, create, exec, compose run, compose exec
    #[arg(last = true, required = true, value_name = "ARGS")]
    pub command: Vec<OsString>,
}

// `credsh whoami`.
#[derive(Args)]
pub struct Whoami {
    /// Print JSON, for programs
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub store: StoreUse,
    #[command(flatten)]
    pub selectors: Selectors,
}

// `credsh doctor`.
#[derive(Args)]
pub struct Doctor {
    /// Print JSON, for programs
    #[arg(long)]
    pub json: bool,
}

// `credsh profile`.
#[derive(Subcommand)]
pub enum Profile {
    /// Add a profile to ~/.aws/config
    Add(ProfileAdd),
    /// Print the names of the profiles that take their credentials from credsh
    List {
        /// And of all others, of both files: for the completions
        #[arg(long, hide = true)]
        all: bool,
    },
    /// Remove a profile from ~/.aws/config
    Remove(ProfileRemove),
}

// `credsh profile add`.
#[derive(Args)]
pub struct ProfileAdd {
    /// The new profile's name
    #[arg(value_parser = profile_name)]
    pub name: String,
    /// If the profile exists, replace its credential settings and keep its other settings
    #[arg(long)]
    pub force: bool,
    #[command(flatten)]
    pub selectors: Selectors,
}

// `credsh profile remove`.
#[derive(Args)]
pub struct ProfileRemove {
    /// The profile's name
    #[arg(value_parser = profile_name)]
    pub name: String,
    /// Remove it even if it is not credsh's
    #[arg(long)]
    pub force: bool,
}

// `credsh status`.
#[derive(Args)]
pub struct Status {
    /// Print JSON, for programs
    #[arg(long)]
    pub json: bool,
}

// `credsh prompt`.
#[derive(Args)]
pub struct Prompt {
    /// Whether the indicator shows the time left (12m) or the time of expiry (until 14:32)
    #[arg(long, value_enum, default_value_t = Time::Left)]
    pub time: Time,
}

// `credsh clear`.
#[derive(Args)]
pub struct Clear {
    /// Every stored lease, not only this shell's
    #[arg(long, conflicts_with = "Selectors")]
    pub all: bool,
    #[command(flatten)]
    pub selectors: Selectors,
}

// `credsh demo`.
#[derive(Args)]
pub struct Demo {
    /// Become the shell on this terminal: how the demo starts the shell it plays in
    #[arg(long, hide = true, value_name = "TTY")]
    pub on_tty: Option<std::path::PathBuf>,
    /// The shell's command line, after --on-tty
    #[arg(last = true, hide = true)]
    pub command: Vec<String>,
}

// `credsh hook`: not for people, and free to change with the scripts in `shell/`.
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
    /// What the shell was told last of what went wrong
    #[arg(long, default_value = "")]
    pub said: String,
    /// Already in the background
    #[arg(long)]
    pub detached: bool,
    #[command(flatten)]
    pub store: StoreUse,
    #[command(flatten)]
    pub selectors: Selectors,
}

// `credsh publish`: not for people, and free to change with the scripts in `shell/`.
#[derive(Args)]
pub struct Publish {
    /// What the script could find out about the arguments
    #[arg(long, value_enum)]
    pub given: Given,
    /// How the shell prints
    #[arg(long, value_enum)]
    pub print: Print,
    /// CREDSH_ROLE: an ARN, `none`, or empty
    #[arg(long, allow_hyphen_values = true)]
    pub role: String,
    /// CREDSH_QUIET
    #[arg(long, allow_hyphen_values = true)]
    pub quiet: String,
    /// The positional parameters that the script saw
    #[arg(last = true)]
    pub words: Vec<String>,
}

/// Whose the positional parameters are that a sourced script sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Given {
    /// Its own
    Own,
    /// Its own, as it was not sourced, but run
    Run,
    /// Its caller's
    None,
    /// Its own or its caller's
    Unknown,
    /// Its caller's: this shell drops what is given, and whether anything was cannot be known
    Unseen,
    /// Its caller's, and something was given and dropped
    Dropped,
}

/// See [`edit::is_name`].
fn profile_name(text: &str) -> Result<String, String> {
    if edit::is_name(text) {
        Ok(text.into())
    } else {
        Err("a profile name may contain only letters, digits and _.@+/:-, at most 128 of them".into())
    }
}

/// As `--duration`, from nothing up to the longest session.
fn min_life(text: &str) -> Result<u32, String> {
    match selectors::seconds(text) {
        Some(seconds @ ..=43200) => Ok(seconds),
        Some(_) => Err("at most 12 hours (43200)".into()),
        None => Err("expected seconds, or a number with m or h, as in 15m".into()),
    }
}

/// The beginning of a variable's name.
fn prefix(text: &str) -> Result<String, String> {
    let ok = text.len() <= 64
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        && !text.starts_with(|c: char| c.is_ascii_digit());
    if ok {
        Ok(text.into())
    } else {
        Err("a prefix may contain only letters, digits and _, at most 64 of them, and not begin with a digit".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_line_means_what_clap_takes_it_for() {
        for shell in Shell::value_variants() {
            let name = shell.to_possible_value().unwrap().get_name().to_owned();
            let words = ["credsh", "init", &name];
            let Command::Init(parsed) = Cli::try_parse_from(words).unwrap().command else { panic!("{name}") };
            assert_eq!(parsed, Init::plain(*shell));
            let Command::Init(known) = Cli::of(&words.map(OsString::from)).unwrap().command else { panic!("{name}") };
            assert_eq!(parsed, known);
        }
        assert!(Cli::of(&["credsh", "init", "tcsh"].map(OsString::from)).is_err());
    }
}
