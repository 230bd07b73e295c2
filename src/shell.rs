//! Shells: each one's script, and the grammars they are written in: quoting, setting. Nothing else knows a shell's grammar,
//! and nothing else quotes.

use std::path::Path;

use clap::ValueEnum;

use crate::credentials::Secret;
use crate::env::Env;
use crate::error::{Error, Result};
use crate::lease::Lease;
use crate::{prompt, time};

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

/// The token in the scripts that stands for the words of their `__credsh_start` call.
const TOKEN: &str = "@CREDSH@";
/// The one that stands for their version.
const VERSION: &str = "@VERSION@";
/// The options zsh's script is evaluated under, whatever the user's are; sticky for the functions it defines. Where
/// `builtin` is a function of the user's nothing can be told from theirs.
const ZSH: [&str; 2] = [
    "if [[ -z ${ZSH_VERSION-} ]]; then [[ $- != *i* ]] || \\printf '%s\\n' 'credsh: not set up: this is for zsh; bash wants `eval \"$(credsh init bash)\"`' >&2; elif [[ -o interactive && ! -o restricted ]] && typeset -f builtin >/dev/null; then \\print -u2 'credsh: not set up: `builtin` is a function here'; else \\builtin emulate zsh -o no_aliases -o no_xtrace -o no_verbose -o no_err_exit -o no_err_return -o no_force_float -o no_source_trace -o local_traps -c ",
    "; fi\n",
];

/// fish reads all of a script before it runs any of it, and one before 3.6 knows not all of the builtins in ours: to such a
/// fish it is a string that is not evaluated.
const FISH: [&str; 2] = [
    "if string match -qr '^(3\\.([6-9]|[1-9][0-9])|[4-9]|[1-9][0-9])' -- $version\n    eval ",
    "\nelse if status is-interactive\n    echo \"credsh: not set up: fish 3.6 is wanted, and this is $version\" >&2\nend\n",
];

/// What a script says of its rest, which a shell without a lease seldom calls: where it begins, by which functions it is
/// entered, and where it ends.
const REST: [&str; 2] = ["# rest: ", "# end of the rest"];

/// A script's code, and the line that says what it is: a third of the text is comments, and a shell reads what it is
/// handed twice, as output and as code, at every start. No line of the scripts that begins with `#` is anything else.
#[derive(Default)]
struct Code {
    before: String,
    rest: String,
    after: String,
    /// The functions by which the rest is entered.
    entries: &'static str,
}

impl Code {
    /// In one pass, as somebody waits for a shell meanwhile.
    fn of(script: &'static str) -> Self {
        let mut code = Code { before: String::with_capacity(script.len()), ..Code::default() };
        let mut part = &mut code.before;
        for line in script.split_inclusive('\n') {
            let bare = line.trim_ascii_start();
            if !bare.starts_with('#') || line.starts_with("# credsh: ") {
                // Nor is there an indentation, in the scripts with a rest and from there on, that means anything.
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
            Shell::Bash => include_str!("../shell/credsh.bash"),
            Shell::Zsh => include_str!("../shell/credsh.zsh"),
            Shell::Fish => include_str!("../shell/credsh.fish"),
            Shell::Nu => include_str!("../shell/credsh.nu"),
            Shell::Elvish => include_str!("../shell/credsh.elv"),
            Shell::Xonsh => include_str!("../shell/credsh.xsh"),
            Shell::Powershell => include_str!("../shell/credsh.ps1"),
        }
    }

    /// The hook, started with `words`: program, prefix, side, time, store, lease, selectors. A shell that `holds` no lease,
    /// or may do soon, gets the rest of it as a string.
    ///
    /// # Errors
    /// A word with a control character.
    pub fn init(self, words: &[&str], holds: bool) -> Result<String> {
        // The token is in the last line or two, the version in the first.
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

    /// `code` for when one of its `entries` is first called: each of these functions is at first one that has `code` evaluated,
    /// and then calls what has taken its place: itself, where nothing has, so only if `code` came to its end. To parse code
    /// takes a shell three to five times as long as to find the end of a string. Untraced, where the shell's options are the
    /// user's: it is long, and of no interest.
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

    /// One shell for each kind of file from which a lease is adopted.
    pub const KINDS: [Shell; 3] = [Shell::Bash, Shell::Fish, Shell::Nu];

    /// The ending of the file from which this shell adopts a lease. bash and zsh share theirs; so do those that read it
    /// as data.
    pub fn lease_file(self) -> &'static str {
        match self {
            Shell::Bash | Shell::Zsh => "sh",
            Shell::Fish => "fish",
            Shell::Nu | Shell::Elvish | Shell::Xonsh | Shell::Powershell => "words",
        }
    }

    /// What is typed at it, where its hook is to be had: in its start-up file at every start, and in a shell that runs at once
    /// (but nu, which evaluates no output: it loads it when it starts).
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

    /// What it is written in.
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
    /// A control character.
    pub fn quote(self, text: &str) -> Result<String> {
        self.grammar().quote(text)
    }

    /// A line that calls one of the script's functions: code, or for the shells that can read it a JSON array, so that
    /// nothing has to be evaluated (nu could not).
    ///
    /// # Errors
    /// As [`Shell::quote`].
    pub fn call(self, function: &str, words: &[&str]) -> Result<String> {
        match self {
            Shell::Bash | Shell::Zsh | Shell::Fish => Ok(format!("{function} {}\n", self.grammar().words(words)?)),
            // nu's lists are JSON's, as long as there are only strings in them.
            Shell::Nu | Shell::Elvish | Shell::Xonsh | Shell::Powershell => {
                Ok(format!("[{}]\n", Grammar::Nu.words(&[&[function], words].concat())?))
            }
        }
    }

    /// The line with which a hooked shell takes a lease over. Holds its secrets.
    ///
    /// One line for every shell of the user's, so the end's time of day in it may be another shell's, under another `TZ`.
    /// Hence its zone goes with it, and a shell whose own differs shows the time left instead: never an hour that is not its
    /// user's. (An offset handed to each shell by `init` would be that shell's own, but wrong after a change of summer time or
    /// of the laptop's place; a formatter in each shell is what fish and bash 3.2 do not have.)
    ///
    /// # Errors
    /// As [`Shell::quote`].
    pub fn adopt(self, lease: &Lease, env: &Env) -> Result<Secret> {
        let Lease { credentials, expires, due, .. } = lease;
        let token = credentials.session_token.as_ref().map_or("", Secret::expose);
        let zone = env.zone();
        // Not worth a refusal: such a zone is only a reason not to name the hour.
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

/// A script that is sourced to publish credentials, for people who have only the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Script {
    /// bash, zsh, dash, ksh, mksh, busybox, yash
    Sh,
    Fish,
}

impl Script {
    fn text(self) -> &'static str {
        match self {
            Script::Sh => include_str!("../shell/publish_temporary_credentials.sh"),
            Script::Fish => include_str!("../shell/publish_temporary_credentials.fish"),
        }
    }

    /// The script, which will run the program at `exe`.
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

/// The builtin by which a shell prints lines, to the letter: another program's arguments could be seen.
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
    /// The shell's grammar.
    pub fn grammar(self) -> Grammar {
        if self == Print::Fish { Grammar::Fish } else { Grammar::Posix }
    }

    /// Commands that print `lines`.
    ///
    /// # Errors
    /// As [`Grammar::quote`].
    pub fn lines<'a>(self, lines: impl Iterator<Item = &'a str>) -> Result<Vec<String>> {
        let words = lines.map(|line| self.grammar().quote(line)).collect::<Result<Vec<_>>>()?;
        Ok(match self {
            Print::Printf | Print::Fish => vec![format!(r"printf '%s\n' {}", words.join(" "))],
            // All its words go on one line.
            Print::Ksh => words.iter().map(|word| format!("print -r -- {word}")).collect(),
        })
    }
}

/// How a command language writes a word and sets a variable. More than there are hooks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grammar {
    /// sh, bash, zsh, dash, ksh, mksh, yash
    Posix,
    Fish,
    Nu,
    Elvish,
    Xonsh,
    PowerShell,
    /// `cmd.exe`, which has no quoting to speak of
    Cmd,
}

/// A path as it can be a word.
///
/// # Errors
/// It is not UTF-8.
pub fn text(path: &Path) -> Result<&str> {
    path.to_str().ok_or_else(|| Error::Value { what: format!("the path {}", path.display()), reason: "is not UTF-8" })
}

/// Single quotes that nothing inside ends but the quote itself.
fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// The same in fish, in whose single quotes a backslash quotes itself and the quote.
fn fish_literal(text: &str) -> String {
    format!("'{}'", text.replace('\\', r"\\").replace('\'', r"\'"))
}

impl Grammar {
    /// `text` as one word, whatever it holds: the one quoting function.
    ///
    /// # Errors
    /// A control character: no credential, name or path has one, and terminals obey them. For `cmd.exe` also what it
    /// would expand wherever it stands.
    pub fn quote(self, text: &str) -> Result<String> {
        if text.chars().any(char::is_control) {
            return Err(Error::Value { what: "a value for the shell".into(), reason: "holds a control character" });
        }
        Ok(match self {
            Grammar::Posix => literal(text),
            Grammar::Fish => fish_literal(text),
            Grammar::Elvish => format!("'{}'", text.replace('\'', "''")),
            // As there is no control character, nu, JSON and Python write it the same way.
            Grammar::Nu | Grammar::Xonsh => format!("\"{}\"", text.replace('\\', r"\\").replace('"', "\\\"")),
            // PowerShell takes the typographic quotes for quotes too.
            Grammar::PowerShell => {
                let doubled =
                    |c: char| if "'\u{2018}\u{2019}\u{201a}\u{201b}".contains(c) { vec![c, c] } else { vec![c] };
                format!("'{}'", text.chars().flat_map(doubled).collect::<String>())
            }
            Grammar::Cmd if text.contains(['"', '%', '!', '^']) => {
                return Err(Error::Value { what: "a value for cmd.exe".into(), reason: "holds one of \" % ! ^" });
            }
            Grammar::Cmd => text.into(),
        })
    }

    /// Words one after another, as arguments or in a list.
    fn words(self, words: &[&str]) -> Result<String> {
        let quoted: Result<Vec<String>> = words.iter().map(|word| self.quote(word)).collect();
        Ok(quoted?.join(if matches!(self, Grammar::Nu | Grammar::Xonsh) { ", " } else { " " }))
    }

    /// A line that exports a variable; with `export` unset one that only assigns it, where there is a difference.
    ///
    /// # Errors
    /// As [`Grammar::quote`].
    pub fn set(self, name: &str, value: &str, export: bool) -> Result<String> {
        let value = self.quote(value)?;
        Ok(match self {
            Grammar::Posix if export => format!("export {name}={value}\n"),
            Grammar::Posix => format!("{name}={value}\n"),
            Grammar::Fish => format!("set -gx {name} {value}\n"),
            Grammar::Nu => format!("$env.{name} = {value}\n"),
            Grammar::Elvish => format!("set-env {name} {value}\n"),
            Grammar::Xonsh => format!("${name} = {value}\n"),
            Grammar::PowerShell => format!("$Env:{name}={value}\n"),
            Grammar::Cmd => format!("set \"{name}={value}\"\n"),
        })
    }

    /// A line, without its end, that takes variables out of the environment. All of them are set: some shells complain of one
    /// that is not.
    pub fn unset(self, names: &[&str]) -> String {
        let each = |before: &str, between: &str| {
            let words: Vec<String> = names.iter().map(|name| format!("{before}{name}")).collect();
            words.join(between)
        };
        match self {
            Grammar::Posix => format!("unset {}", each("", " ")),
            Grammar::Fish => format!("set -e {}", each("", " ")),
            Grammar::Nu => format!("hide-env {}", each("", " ")),
            Grammar::Elvish => each("unset-env ", "; "),
            Grammar::Xonsh => each("del $", "; "),
            Grammar::PowerShell => format!("Remove-Item {}", each("Env:", ", ")),
            Grammar::Cmd => each("set ", "=& ") + "=",
        }
    }
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoting() {
        assert_eq!(Shell::Bash.quote("it's").unwrap(), r"'it'\''s'");
        assert_eq!(Shell::Fish.quote(r"it's \ so").unwrap(), r"'it\'s \\ so'");
        assert_eq!(Shell::Zsh.quote("").unwrap(), "''");
        assert!(Shell::Bash.quote("a\nb").is_err());
        assert!(Shell::Fish.quote("a\u{9b}b").is_err(), "C1 controls are controls too");
        assert_eq!(Grammar::PowerShell.quote("it's \u{2019}").unwrap(), "'it''s \u{2019}\u{2019}'");
        assert!(Grammar::Cmd.quote("100%PATH%").is_err());
        assert_eq!(Shell::Elvish.quote(r#"it's "\ so"#).unwrap(), r#"'it''s "\ so'"#);
        for shell in [Shell::Nu, Shell::Xonsh] {
            assert_eq!(shell.quote(r#"it's $(x) {y} "\ so"#).unwrap(), r#""it's $(x) {y} \"\\ so""#);
            assert!(shell.quote("a\u{7f}b").is_err());
        }
    }

    /// The others are tried in their shells, by `credsh doctor`'s test.
    #[test]
    fn unset_in_what_is_not_run_here() {
        assert_eq!(Grammar::PowerShell.unset(&["A", "B"]), "Remove-Item Env:A, Env:B");
        assert_eq!(Grammar::Cmd.unset(&["A", "B"]), "set A=& set B=");
    }

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

    /// bash: a local that a readonly variable has the name of stays that variable, and a comment behind code is code where
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

    /// What another part calls has to stand for itself until the rest is there: or it would be no function.
    #[test]
    fn the_rest_is_entered_by_every_function_that_another_part_names() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            let Code { before, after, entries, .. } = Code::of(shell.script());
            let rest = shell.script().split_once(REST[0]).unwrap().1.split_once(REST[1]).unwrap().0;
            let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
            let words = |text: &str| -> Vec<String> { text.split(|c| !word(c)).map(str::to_owned).collect() };
            // The script to source has the answer for it evaluated by a shell with a hook.
            let others = words(&[&before, &after, Script::Sh.text(), Script::Fish.text()].concat());
            // A definition in the rest stands alone at the beginning of a line; what people type is called from nowhere.
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
