//! The law of output. stdout is for the shell or the program that asked, and only commands write it.
//! stderr is for the person, and only this file writes it: `credsh: `, lower case, no full stop, the hint on a
//! line of its own. Questions go to `/dev/tty`, so that a captured stdout does not swallow them.

use std::fmt::Display;
use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal, Read, Write};
use std::path::Path;
use std::sync::{Arc, Mutex};

use clap::error::{ContextKind, ContextValue, ErrorKind};
use nix::sys::signal::{SigSet, SigmaskHow, Signal, raise};
use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr};

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
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        let _ = error.print();
        return 2;
    }
    let text = error.to_string();
    let mut paragraphs = text.split("\n\n").map(str::trim);
    let first = paragraphs.next().unwrap_or_default();
    let (values, first): (Vec<&str>, Vec<&str>) =
        first.lines().map(str::trim).partition(|line| line.starts_with(VALUES));
    // With what was typed in it, however long that is.
    say(clean(first.join(" ").trim_start_matches("error: ")));
    for line in values {
        hint(&format!("one of {}", line.trim_start_matches(VALUES).trim_end_matches(']')));
    }
    for tip in paragraphs.filter_map(|part| part.strip_prefix("tip: ")) {
        hint(tip);
    }
    if let (ErrorKind::UnknownArgument, Some(ContextValue::String(word)), Some(ContextValue::StyledStr(usage))) =
        (error.kind(), error.get(ContextKind::InvalidArg), error.get(ContextKind::Usage))
        && !word.starts_with('-')
        && usage.to_string().contains(" -- <")
    {
        hint(&format!("`--` goes before the command, as in `-- {}`", clean(word)));
    }
    hint("see `credsh --help`, or --help after a command");
    2
}

/// How clap begins the line that lists what a flag takes, right under the complaint.
const VALUES: &str = "[possible values: ";

/// Tells the person something.
pub fn say(text: impl Display) {
    // Nobody reads stderr any more: nothing left to tell, and nobody to tell it to.
    let _ = writeln!(io::stderr(), "credsh: {}", unobeyed(&text.to_string()));
}

/// Tells the person what to type.
pub fn hint(text: &str) {
    let _ = writeln!(io::stderr(), "hint: {}", unobeyed(text));
}

/// Names and paths come from arguments, variables and files, and may hold anything: here is where all of them pass.
fn unobeyed(text: &str) -> String {
    text.replace(|c: char| c.is_control() && c != '\n', "")
}

/// Writes to stdout. A reader that has seen enough (`| head -1`) is not a failure.
///
/// # Errors
/// The disk that stdout goes to is full.
pub fn print(text: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Error::io("write to", "standard output")(error)),
        _ => Ok(()),
    }
}

/// Whether stdout may be coloured.
pub fn colour(env: &Env) -> bool {
    io::stdout().is_terminal() && env.get(env::NO_COLOR).is_none() && env.get("TERM").is_some_and(|term| term != "dumb")
}

/// Asks for a code on the terminal. What is typed is not shown: it would stand in every recording of the terminal, and the
/// next minute still be good.
///
/// # Errors
/// There is no terminal, or it was closed before the answer.
pub fn ask(question: &str) -> Result<String> {
    let tty = Path::new("/dev/tty");
    let file = OpenOptions::new().read(true).write(true).open(tty).map_err(|error| Error::NeedsPerson {
        what: Error::io("ask on", tty)(error).to_string(),
        hint: "type `credsh refresh` with the same flags and XDG_RUNTIME_DIR in a terminal first: until the session that it gets is over nothing asks".into(),
    })?;
    // Before the question: who sees that may be quick to answer.
    let unseen = Unseen::of(&file).map_err(Error::io("ask on", tty))?;
    write!(&file, "{question}").map_err(Error::io("ask on", tty))?;
    let answer = unseen.line();
    let _ = writeln!(&file);
    Ok(answer.map_err(Error::io("read the answer from", tty))?.trim().to_owned())
}

/// A terminal that shows nothing of what is typed, until dropped.
struct Unseen<'a> {
    tty: &'a File,
    before: Termios,
    mask: SigSet,
    over: Arc<Mutex<bool>>,
}

impl<'a> Unseen<'a> {
    /// Ctrl-C becomes a key too: as a signal it would end this process, and leave the terminal as it is now.
    fn of(tty: &'a File) -> io::Result<Self> {
        let before = tcgetattr(tty)?;
        let mut quiet = before.clone();
        quiet.local_modes.remove(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG);
        // One key, however long it takes: these count without ICANON, and are whatever the last program left.
        quiet.special_codes[SpecialCodeIndex::VMIN] = 1;
        quiet.special_codes[SpecialCodeIndex::VTIME] = 0;
        // Who is ended from outside may stand in a `$( )`, where no shell puts the terminal right. Blocked, and taken by a
        // thread that can do more than a handler may: nothing of how the process takes its signals is changed. SIGKILL
        // leaves no time for any of it.
        let ends: SigSet = [Signal::SIGTERM, Signal::SIGHUP, Signal::SIGINT, Signal::SIGQUIT].into_iter().collect();
        let mask = ends.thread_swap_mask(SigmaskHow::SIG_BLOCK)?;
        let over = Arc::new(Mutex::new(false));
        let unseen = Unseen { tty, before: before.clone(), mask, over: Arc::clone(&over) };
        // What was typed ahead is part of the answer.
        tcsetattr(tty, OptionalActions::Now, &quiet)?;
        let watched = tty.try_clone()?;
        std::thread::Builder::new().spawn(move || {
            while let Ok(signal) = ends.wait() {
                let _ = tcsetattr(&watched, OptionalActions::Now, &before);
                let _ = ends.thread_unblock().and_then(|()| raise(signal));
                // Still there, so it is ignored (nohup).
                let _ = ends.thread_block();
                match over.lock() {
                    Ok(over) if !*over => drop(tcsetattr(&watched, OptionalActions::Now, &quiet)),
                    _ => break,
                }
            }
        })?;
        Ok(unseen)
    }

    fn line(self) -> io::Result<String> {
        let (mut line, mut key, mut tty) = (Vec::new(), [0], self.tty);
        loop {
            tty.read_exact(&mut key)?;
            match key[0] {
                b'\n' | b'\r' => return String::from_utf8(line).map_err(|_| io::ErrorKind::InvalidData.into()),
                // Ctrl-C and Ctrl-\, for all who would have got the signal.
                b'\x03' | b'\x1c' => {
                    drop(self);
                    rustix::process::kill_current_process_group(rustix::process::Signal::INT)?;
                    return Err(io::ErrorKind::Interrupted.into());
                }
                b'\x04' if line.is_empty() => return Err(io::ErrorKind::UnexpectedEof.into()),
                b'\x08' | b'\x7f' => _ = line.pop(),
                b'\x15' | b'\x17' => line.clear(),
                // No code has any other.
                ..=b'\x1f' => {}
                typed => line.push(typed),
            }
        }
    }
}

impl Drop for Unseen<'_> {
    fn drop(&mut self) {
        if let Ok(mut over) = self.over.lock() {
            *over = true;
            let _ = tcsetattr(self.tty, OptionalActions::Now, &self.before);
        }
        let _ = self.mask.thread_set_mask();
    }
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
