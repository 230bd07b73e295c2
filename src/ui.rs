//! The law of output. stdout is for the shell or the program that asked, and only commands write it.
//! stderr is for the person, and only this file writes it: `credsh: `, lower case, no full stop, the hint on a
//! line of its own. Questions go to `/dev/tty`, so that a captured stdout does not swallow them.

use std::fmt::Display;
use std::fs::OpenOptions;
use std::io::{self, BufRead, BufReader, ErrorKind, IsTerminal, Write};
use std::path::Path;

use crate::env::{self, Env};
use crate::error::{Error, Result};

/// Reports a failure and what to do about it.
pub fn error(error: &Error) {
    say(error);
    if let Some(text) = error.hint() {
        hint(&text);
    }
}

/// Reports what clap has to say about the command line, in the same shape; the exit status. Help and version are
/// what was asked for, and go to stdout.
pub fn usage(error: &clap::Error) -> u8 {
    if !error.use_stderr() {
        // Also when nobody reads on.
        let _ = error.print();
        return 0;
    }
    if error.kind() == clap::error::ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        let _ = error.print();
        return 2;
    }
    let text = error.to_string();
    let mut paragraphs = text.split("\n\n").map(str::trim);
    let first = paragraphs.next().unwrap_or_default();
    let (values, first): (Vec<&str>, Vec<&str>) =
        first.lines().map(str::trim).partition(|line| line.starts_with(VALUES));
    say(first.join(" ").trim_start_matches("error: "));
    for line in values {
        hint(&format!("one of {}", line.trim_start_matches(VALUES).trim_end_matches(']')));
    }
    for tip in paragraphs.filter_map(|part| part.strip_prefix("tip: ")) {
        hint(tip);
    }
    hint("see `credsh --help`, or --help after a command");
    2
}

/// How clap begins the line that lists what a flag takes, right under the complaint.
const VALUES: &str = "[possible values: ";

/// Tells the person something.
pub fn say(text: impl Display) {
    // Nobody reads stderr any more: nothing left to tell, and nobody to tell it to.
    let _ = writeln!(io::stderr(), "credsh: {text}");
}

/// Tells the person what to type.
pub fn hint(text: &str) {
    let _ = writeln!(io::stderr(), "hint: {text}");
}

/// Writes to stdout. A reader that has seen enough (`| head -1`) is not a failure.
///
/// # Errors
/// The disk that stdout goes to is full.
pub fn print(text: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(Error::io("write to", "standard output")(error)),
        _ => Ok(()),
    }
}

/// Whether stdout may be coloured.
pub fn colour(env: &Env) -> bool {
    io::stdout().is_terminal() && env.get(env::NO_COLOR).is_none() && env.get("TERM").is_some_and(|term| term != "dumb")
}

/// Asks a question on the terminal.
///
/// # Errors
/// There is no terminal, or it was closed before the answer.
pub fn ask(question: &str) -> Result<String> {
    let tty = Path::new("/dev/tty");
    let mut file = OpenOptions::new().read(true).write(true).open(tty).map_err(Error::io("ask on", tty))?;
    write!(file, "{question}").map_err(Error::io("ask on", tty))?;
    let mut answer = String::new();
    BufReader::new(file).read_line(&mut answer).map_err(Error::io("read the answer from", tty))?;
    Ok(answer.trim().to_owned())
}

/// Text from elsewhere, fit for a terminal: without control characters, on one line, at most 300 characters.
pub fn clean(text: &str) -> String {
    let words: Vec<&str> =
        text.split(|c: char| c.is_control() || c.is_whitespace()).filter(|word| !word.is_empty()).collect();
    let mut line = words.join(" ");
    if let Some((cut, _)) = line.char_indices().nth(300) {
        line.truncate(cut);
        line.push_str("...");
    }
    line
}

#[cfg(test)]
mod tests {
    #[test]
    fn clean_leaves_nothing_a_terminal_obeys() {
        assert_eq!(super::clean("a\u{1b}[31mred\r\n\tb\u{9b}c\u{7}"), "a [31mred b c");
        assert_eq!(super::clean(&"x".repeat(400)).len(), 303);
    }
}
