//! How command languages quote a word, and set or unset a variable. The one quoting function is here; nothing else quotes.

use std::path::Path;

use crate::error::{Error, Result};

/// How a command language quotes a word and sets a variable. There are more of them than shells with a hook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grammar {
    /// sh, bash, zsh, dash, ksh, mksh, yash
    Posix,
    Fish,
    Nu,
    Elvish,
    Xonsh,
    PowerShell,
    /// `cmd.exe`, which has hardly any quoting.
    Cmd,
}

/// A path as text for a command line.
///
/// # Errors
/// `Error::Value` if it is not UTF-8.
pub fn text(path: &Path) -> Result<&str> {
    path.to_str().ok_or_else(|| Error::Value { what: format!("the path {}", path.display()), reason: "is not UTF-8" })
}

/// In single quotes, in which a POSIX shell gives no character a meaning but the quote itself.
pub fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// The same for fish, where a backslash inside single quotes escapes itself and the quote.
pub fn fish_literal(text: &str) -> String {
    format!("'{}'", text.replace('\\', r"\\").replace('\'', r"\'"))
}

impl Grammar {
    /// `text` as one word, whatever it contains: the one quoting function.
    ///
    /// # Errors
    /// `Error::Value` for a control character: no credential, name or path has one, and terminals obey them. For `cmd.exe`
    /// also for what it would expand even in quotes.
    pub fn quote(self, text: &str) -> Result<String> {
        if text.chars().any(char::is_control) {
            return Err(Error::Value { what: "a value for the shell".into(), reason: "contains a control character" });
        }
        Ok(match self {
            Grammar::Posix => literal(text),
            Grammar::Fish => fish_literal(text),
            Grammar::Elvish => format!("'{}'", text.replace('\'', "''")),
            // Without control characters, nu, JSON and Python all write a string this way.
            Grammar::Nu | Grammar::Xonsh => format!("\"{}\"", text.replace('\\', r"\\").replace('"', "\\\"")),
            // PowerShell also accepts the typographic quotes as quotes.
            Grammar::PowerShell => {
                let doubled =
                    |c: char| if "'\u{2018}\u{2019}\u{201a}\u{201b}".contains(c) { vec![c, c] } else { vec![c] };
                format!("'{}'", text.chars().flat_map(doubled).collect::<String>())
            }
            Grammar::Cmd if text.contains(['"', '%', '!', '^']) => {
                return Err(Error::Value { what: "a value for cmd.exe".into(), reason: "contains one of \" % ! ^" });
            }
            Grammar::Cmd => text.into(),
        })
    }

    /// Several words, as arguments or as the items of a list.
    pub fn words(self, words: &[&str]) -> Result<String> {
        let quoted: Result<Vec<String>> = words.iter().map(|word| self.quote(word)).collect();
        Ok(quoted?.join(if matches!(self, Grammar::Nu | Grammar::Xonsh) { ", " } else { " " }))
    }

    /// A line that exports a variable; without `export` one that only sets it, where there is a difference.
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

    /// A command, without a newline, that removes variables from the environment. All must be set: some shells complain
    /// about one that is not.
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
mod tests {
    use super::*;

    #[test]
    fn quoting() {
        assert_eq!(Grammar::Posix.quote("it's").unwrap(), r"'it'\''s'");
        assert_eq!(Grammar::Fish.quote(r"it's \ so").unwrap(), r"'it\'s \\ so'");
        assert_eq!(Grammar::Posix.quote("").unwrap(), "''");
        assert!(Grammar::Posix.quote("a\nb").is_err());
        assert!(Grammar::Fish.quote("a\u{9b}b").is_err(), "C1 controls are controls too");
        assert_eq!(Grammar::PowerShell.quote("it's \u{2019}").unwrap(), "'it''s \u{2019}\u{2019}'");
        assert!(Grammar::Cmd.quote("100%PATH%").is_err());
        assert_eq!(Grammar::Elvish.quote(r#"it's "\ so"#).unwrap(), r#"'it''s "\ so'"#);
        for grammar in [Grammar::Nu, Grammar::Xonsh] {
            assert_eq!(grammar.quote(r#"it's $(x) {y} "\ so"#).unwrap(), r#""it's $(x) {y} \"\\ so""#);
            assert!(grammar.quote("a\u{7f}b").is_err());
        }
    }

    /// The other grammars are tested in their shells, by the tests of `credsh doctor`.
    #[test]
    fn unset_in_what_is_not_run_here() {
        assert_eq!(Grammar::PowerShell.unset(&["A", "B"]), "Remove-Item Env:A, Env:B");
        assert_eq!(Grammar::Cmd.unset(&["A", "B"]), "set A=& set B=");
    }
}
