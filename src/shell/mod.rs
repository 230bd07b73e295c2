//! Shells: the script of each, and how it is handed its words. What they are written in is `grammar`'s; nothing outside this
//! room knows either.

mod grammar;

use clap::ValueEnum;

use crate::credentials::Secret;
use crate::env::Env;
use crate::error::Result;
use crate::lease::Lease;
use crate::{prompt, time};
pub use grammar::{Grammar, text};
use grammar::{fish_literal, literal};

/// A shell with a hook.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Shell {
    Bash,
    Zsh,
    Fish,
    #[value(alias = "nushell")]
    Nu,
    Elvish,
    Xonsh,
    #[value(alias = "pwsh")]
    Powershell,
}

/// Stands in a hook's script for the arguments of its `__credsh_start` call, in the other scripts for the program.
const TOKEN: &str = "@CREDSH@";
/// Stands in a script for credsh's version.
const VERSION: &str = "@VERSION@";
/// Around zsh's script, which is evaluated under these options whatever the user's are, and whose functions keep them. A
/// user's function named `builtin` would leave no sure way to call a builtin, so then nothing is set up.
const ZSH: [&str; 2] = [
    "if [[ -z ${ZSH_VERSION-} ]]; then [[ $- != *i* ]] || \\printf '%s\\n' 'credsh: not set up: this hook is for zsh; for bash, use `eval \"$(credsh init bash)\"`' >&2; elif [[ -o interactive && ! -o restricted ]] && typeset -f builtin >/dev/null; then \\print -u2 'credsh: not set up: this shell has a function named `builtin`'; else \\builtin emulate zsh -o no_aliases -o no_xtrace -o no_verbose -o no_err_exit -o no_err_return -o no_force_float -o no_source_trace -o local_traps -c ",
    "; fi\n",
];

/// Around fish's script. fish parses all of a script before it runs any, and before 3.6 lacks some of the builtins in ours:
/// such a fish sees only a string that it does not evaluate.
const FISH: [&str; 2] = [
    "if string match -qr '^(3\\.([6-9]|[1-9][0-9])|[4-9]|[1-9][0-9])' -- $version\n    eval ",
    "\nelse if status is-interactive\n    echo \"credsh: not set up: the hook needs fish 3.6 or later, and this is $version\" >&2\nend\n",
];

/// Mark a script's rest, which a shell without a lease seldom calls: the functions by which it is entered follow the first
/// mark.
const REST: [&str; 2] = ["# rest: ", "# end of the rest"];

/// A script's code, and the line that says what it is. A third of the text is other comments, and at every start a shell
/// reads what it is given twice, as output and as code. In our scripts a line that begins with `#` is always a comment.
#[derive(Default)]
struct Code {
    before: String,
    rest: String,
    after: String,
    /// The names of the functions by which the rest is entered.
    entries: &'static str,
}

impl Code {
    /// In one pass, as somebody is waiting for a shell.
    fn of(script: &'static str) -> Self {
        let mut code = Code { before: String::with_capacity(script.len()), ..Code::default() };
        let mut part = &mut code.before;
        for line in script.split_inclusive('\n') {
            let bare = line.trim_ascii_start();
            if !bare.starts_with('#') || line.starts_with("# credsh: ") {
                // From there on indentation means nothing either, in the scripts that have a rest.
                part.push_str(if code.entries.is_empty() { line } else { bare });
            } else if let Some(entries) = line.strip_prefix(REST[0]) {
                code.entries = entries;
                part = &mut code.rest;
            } else if line.starts_with(REST[1]) {
                part = &mut code.after;
            }
        }
        code
    }
}

impl Shell {
    fn script(self) -> &'static str {
        match self {
            Shell::Bash => include_str!("../../shell/credsh.bash"),
            Shell::Zsh => include_str!("../../shell/credsh.zsh"),
            Shell::Fish => include_str!("../../shell/credsh.fish"),
            Shell::Nu => include_str!("../../shell/credsh.nu"),
            Shell::Elvish => include_str!("../../shell/credsh.elv"),
            Shell::Xonsh => include_str!("../../shell/credsh.xsh"),
            Shell::Powershell => include_str!("../../shell/credsh.ps1"),
        }
    }

    /// The hook's script, started with `words`: program, prefix, side, time, store, lease, selectors. Unless the shell
    /// `holds` a lease, or soon may, it gets the rest of it as a string.
    ///
    /// # Errors
    /// `Error::Value` for a word with a control character.
    pub fn init(self, words: &[&str], holds: bool) -> Result<String> {
        // The token is in one of the last two lines, the version in the first.
        let (text, end) = self.script().rsplit_once(TOKEN).unwrap_or((self.script(), ""));
        let Code { before, rest, after, entries } = Code::of(text);
        let mut script = before.replace(VERSION, env!("CARGO_PKG_VERSION"));
        script += &if holds { rest } else { self.later(entries, &rest) };
        script += &after;
        script += &self.grammar().words(words)?;
        script += end;
        match self {
            Shell::Zsh => Ok(ZSH.join(&literal(&script))),
            Shell::Fish => Ok(FISH.join(&fish_literal(&script))),
            _ => Ok(script),
        }
    }

    /// Has `code` evaluated only when one of its `entries` is first called: parsing it takes a shell three to five times as
    /// long as finding the end of a string. Each entry is at first a function that has `code` evaluated, and then calls
    /// what has replaced it; if `code` did not run to its end that would be itself, so it checks. It runs untraced where
    /// the user's options apply: it is long, and of no interest.
    fn later(self, entries: &str, code: &str) -> String {
        let (begin, end, entry, done) = match self {
            Shell::Bash => (
                "__credsh_rested=''\n__credsh_unread() { \\builtin printf '%s\\n' 'credsh: this shell cannot read the rest of the hook: see `shopt` and `alias`' >&2; \\builtin return 1; }\n__credsh_rest() { \\builtin eval ",
                "; }\n",
                r#"function NAME { { __credsh_rest; } 2>&-; if [[ -n ${__credsh_rested-} ]]; then \NAME "$@"; else __credsh_unread; fi; }"#,
                "__credsh_rested=1\n",
            ),
            Shell::Zsh => (
                "typeset -g __credsh_rested=\n__credsh_rest() { builtin eval ",
                "; }\n",
                r#"function NAME { __credsh_rest; if [[ -n ${__credsh_rested-} ]]; then NAME "$@"; else builtin return 1; fi; }"#,
                "__credsh_rested=1\n",
            ),
            Shell::Fish => (
                "set -e -g __credsh_rested\nfunction __credsh_rest\n    builtin eval ",
                "\nend\n",
                "function NAME; __credsh_untraced __credsh_rest; set -q __credsh_rested; and NAME $argv; end",
                "set -g __credsh_rested 1\n",
            ),
            Shell::Nu | Shell::Elvish | Shell::Xonsh | Shell::Powershell => return code.into(),
        };
        let code = [code, done].concat();
        let quoted = if self == Shell::Fish { fish_literal(&code) } else { literal(&code) };
        let mut text = [begin, &quoted, end].concat();
        for name in entries.split_whitespace() {
            text += &entry.replace("NAME", name);
            text.push('\n');
        }
        text
    }

    /// One shell for each kind of file from which leases are adopted.
    pub const KINDS: [Shell; 3] = [Shell::Bash, Shell::Fish, Shell::Nu];

    /// The ending of the file from which this shell adopts a lease. bash and zsh share theirs; so do those that read it as
    /// data.
    pub fn lease_file(self) -> &'static str {
        match self {
            Shell::Bash | Shell::Zsh => "sh",
            Shell::Fish => "fish",
            Shell::Nu | Shell::Elvish | Shell::Xonsh | Shell::Powershell => "words",
        }
    }

    /// The line that installs the hook, in a start-up file or typed into a running shell. (nu evaluates no output, and
    /// loads it at its next start.)
    pub fn start_line(self) -> &'static str {
        match self {
            Shell::Bash => "eval \"$(credsh init bash)\"",
            Shell::Zsh => "eval \"$(credsh init zsh)\"",
            Shell::Fish => "credsh init fish | source",
            Shell::Nu => {
                "mkdir ($nu.data-dir)/vendor/autoload; credsh init nu | save -f ($nu.data-dir)/vendor/autoload/credsh.nu"
            }
            Shell::Elvish => "eval (credsh init elvish | slurp)",
            Shell::Xonsh => "execx($(credsh init xonsh))",
            Shell::Powershell => "credsh init powershell | Out-String | iex",
        }
    }

    /// The grammar of this shell's language.
    pub fn grammar(self) -> Grammar {
        match self {
            Shell::Bash | Shell::Zsh => Grammar::Posix,
            Shell::Fish => Grammar::Fish,
            Shell::Nu => Grammar::Nu,
            Shell::Elvish => Grammar::Elvish,
            Shell::Xonsh => Grammar::Xonsh,
            Shell::Powershell => Grammar::PowerShell,
        }
    }

    /// See [`Grammar::quote`].
    ///
    /// # Errors
    /// As there.
    pub fn quote(self, text: &str) -> Result<String> {
        self.grammar().quote(text)
    }

    /// A line that calls one of the script's functions: code or, for shells that can read it, a JSON array, so that nothing
    /// has to be evaluated (nu could not).
    ///
    /// # Errors
    /// As [`Shell::quote`].
    pub fn call(self, function: &str, words: &[&str]) -> Result<String> {
        match self {
            Shell::Bash | Shell::Zsh | Shell::Fish => Ok(format!("{function} {}\n", self.grammar().words(words)?)),
            // A list of strings is written in nu as in JSON.
            Shell::Nu | Shell::Elvish | Shell::Xonsh | Shell::Powershell => {
                Ok(format!("[{}]\n", Grammar::Nu.words(&[&[function], words].concat())?))
            }
        }
    }

    /// The line with which a hooked shell adopts a lease. It holds the secrets.
    ///
    /// One line serves all of the user's shells, so the time of day in it may be from one with another `TZ`. Hence its zone
    /// goes with it, and a shell whose own differs shows the time left instead: never another zone's hour. (A UTC offset
    /// handed to each shell by `init` would be wrong after a change of summer time or of the laptop's place; and fish and
    /// bash 3.2 cannot format a local time themselves.)
    ///
    /// # Errors
    /// As [`Shell::quote`].
    pub fn adopt(self, lease: &Lease, env: &Env) -> Result<Secret> {
        let Lease { credentials, expires, due, .. } = lease;
        let token = credentials.session_token.as_ref().map_or("", Secret::expose);
        let zone = env.zone();
        // Such a zone is no reason to refuse the lease, only not to name the hour.
        let (clock, zone) = if self.quote(&zone).is_ok() { (prompt::clock(lease), zone) } else { Default::default() };
        let words = [
            &lease.request.id(),
            &lease.request.label(),
            &credentials.access_key_id,
            credentials.secret_access_key.expose(),
            token,
            &credentials.expiration.map(time::format_rfc3339).unwrap_or_default(),
            &expires.to_string(),
            &lease.window().to_string(),
            &lease.mandatory().to_string(),
            &due.to_string(),
            lease.note.as_deref().filter(|_| lease.hopeless).unwrap_or_default(),
            &clock,
            &zone,
            &lease.earliest().to_string(),
        ];
        self.call("__credsh_adopt", &words).map(Secret::new)
    }
}

/// A script to source that publishes credentials, for people who have only the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Script {
    /// bash, zsh, dash, ksh, mksh, busybox, yash
    Sh,
    Fish,
}

impl Script {
    fn text(self) -> &'static str {
        match self {
            Script::Sh => include_str!("../../shell/publish_temporary_credentials.sh"),
            Script::Fish => include_str!("../../shell/publish_temporary_credentials.fish"),
        }
    }

    /// The script, made to run the program at `exe`.
    ///
    /// # Errors
    /// As [`Grammar::quote`].
    pub fn with(self, exe: &str) -> Result<String> {
        let grammar = match self {
            Script::Sh => Grammar::Posix,
            Script::Fish => Grammar::Fish,
        };
        Ok(self.text().replace(TOKEN, &grammar.quote(exe)?))
    }
}

/// The builtin with which a shell prints lines unchanged. A program would show them to other users among its arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Print {
    /// `printf`
    Printf,
    /// `print -r`, as mksh has no other
    Ksh,
    /// fish's printf
    Fish,
}

impl Print {
    /// The grammar of that shell.
    pub fn grammar(self) -> Grammar {
        if self == Print::Fish { Grammar::Fish } else { Grammar::Posix }
    }

    /// The commands that print `lines`.
    ///
    /// # Errors
    /// As [`Grammar::quote`].
    pub fn lines<'a>(self, lines: impl Iterator<Item = &'a str>) -> Result<Vec<String>> {
        let words = lines.map(|line| self.grammar().quote(line)).collect::<Result<Vec<_>>>()?;
        Ok(match self {
            Print::Printf | Print::Fish => vec![format!(r"printf '%s\n' {}", words.join(" "))],
            // `print` puts all its arguments on one line.
            Print::Ksh => words.iter().map(|word| format!("print -r -- {word}")).collect(),
        })
    }
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_code_or_json() {
        let words = ["-x", "it's \"\\ $(y) ü’", ""];
        for shell in Shell::value_variants() {
            let line = shell.call("__credsh_repeat", &words).unwrap();
            let Ok(json) = serde_json::from_str::<Vec<String>>(&line) else {
                assert!(line.starts_with("__credsh_repeat '-x' '"), "{shell:?}: {line}");
                continue;
            };
            assert_eq!(json, ["__credsh_repeat", words[0], words[1], words[2]], "{shell:?}");
            assert_eq!(shell.lease_file(), "words");
            assert!(shell.call("__credsh_repeat", &["a\nb"]).is_err());
        }
    }

    #[test]
    fn each_shell_has_its_kind_of_lease_file() {
        for shell in Shell::value_variants() {
            assert_eq!(
                Shell::KINDS.iter().filter(|kind| kind.lease_file() == shell.lease_file()).count(),
                1,
                "{shell:?}"
            );
        }
    }

    #[test]
    fn only_comments_are_left_out() {
        for shell in Shell::value_variants() {
            let code = Code::of(shell.script());
            let (text, left) = (shell.script(), code.before + &code.rest + &code.after);
            assert!(left.starts_with("# credsh: ") && left.len() < text.len(), "{shell:?}");
            assert!(!left.lines().skip(1).any(|line| line.trim_start().starts_with('#')), "{shell:?}");
            let filled = |text: &'static str| {
                text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'))
            };
            assert!(filled(text).eq(left.lines().map(str::trim).filter(|line| !line.is_empty()).skip(1)), "{shell:?}");
        }
    }

    /// In bash a local with the name of a readonly variable stays that variable, and a comment behind code is code where
    /// `interactive_comments` is off.
    #[test]
    fn the_users_shell_may_be_of_any_kind() {
        let script = Shell::Bash.script();
        let name = |c: char| c.is_ascii_lowercase() || c == '_';
        for declared in script.lines().filter_map(|line| line.split(';').next()?.split_once("\\builtin local ")) {
            for word in declared.1.split(' ').filter_map(|word| word.split('=').next()) {
                assert!(word.contains("_credsh_") || !word.chars().all(name), "{word}");
            }
        }
        let code = script.lines().filter(|line| !line.trim_start().starts_with('#'));
        assert_eq!(code.filter(|line| line.contains(" # ")).collect::<Vec<_>>(), Vec::<&str>::new());
    }

    #[test]
    fn a_shell_without_a_lease_gets_the_rest_as_a_string() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            let [at_once, later] = [true, false].map(|holds| shell.init(&["exe"], holds).unwrap());
            let entered = |text: &str| text.matches("__credsh_rest; ").count();
            assert_eq!(entered(&at_once), 0, "{shell:?}");
            let code = Code::of(shell.script());
            assert!(code.rest.len() > at_once.len() / 3, "{shell:?}");
            assert_eq!(entered(&later), code.entries.split_whitespace().count(), "{shell:?}");
        }
    }

    /// What other parts call must be an entry, or it would not exist before the rest is evaluated.
    #[test]
    fn the_rest_is_entered_by_every_function_that_another_part_names() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            let Code { before, after, entries, .. } = Code::of(shell.script());
            let rest = shell.script().split_once(REST[0]).unwrap().1.split_once(REST[1]).unwrap().0;
            let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
            let words = |text: &str| -> Vec<String> { text.split(|c| !word(c)).map(str::to_owned).collect() };
            // The script to source has a hooked shell evaluate credsh's answer, which calls these functions.
            let others = words(&[&before, &after, Script::Sh.text(), Script::Fish.text()].concat());
            // A definition in the rest begins its line. What people type is called from nowhere in the scripts.
            let defined = rest.lines().filter_map(|line| {
                let name = line.strip_prefix("function ").or_else(|| line.split_once("() {").map(|(name, _)| name))?;
                Some(name.trim_end_matches(" {").to_owned()).filter(|name| name.chars().all(word))
            });
            let (typed, called): (Vec<_>, Vec<_>) = defined.partition(|name| !name.starts_with("__"));
            let mut needed: Vec<String> =
                called.into_iter().filter(|name| others.contains(name)).chain(typed).collect();
            let mut entries = words(entries.trim());
            needed.sort();
            needed.dedup();
            entries.sort();
            assert_eq!(needed, entries, "{shell:?}");
        }
    }

    #[test]
    fn no_token_is_left() {
        for shell in Shell::value_variants() {
            for holds in [true, false] {
                let text = shell.init(&["exe"], holds).unwrap();
                assert!(!text.contains(TOKEN) && !text.contains(VERSION), "{shell:?}");
            }
        }
    }

    #[test]
    fn scripts_hold_the_token_once() {
        for shell in Shell::value_variants() {
            assert_eq!(shell.script().matches(TOKEN).count(), 1, "{shell:?}");
        }
        for script in Script::value_variants() {
            assert_eq!(script.text().matches(TOKEN).count(), 1, "{script:?}");
        }
    }
}
