//! The law of output. stdout is for the shell or program that asked, and only commands write it. stderr is for the person,
//! and only this file writes it: `credsh: `, lower case, no full stop, the hint on a line of its own. Questions go to
//! `/dev/tty`, so that a captured stdout does not swallow them.

use std::fmt::Display;
use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal, Read, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use nix::sys::signal::{SigSet, SigmaskHow, Signal, raise};
use rustix::process::{Pid, test_kill_process};
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

/// Reports clap's complaint about the command line in the same style; returns the exit status. Help and version were asked
/// for, and go to stdout.
pub fn usage(error: &clap::Error) -> u8 {
    if !error.use_stderr() {
        // Not an error, even if the reader has gone.
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
    // In full, however long the text that was typed is.
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

/// How clap begins the line with the values that a flag takes, right below its complaint.
const VALUES: &str = "[possible values: ";

/// Tells the person something.
pub fn say(text: impl Display) {
    // If nobody reads stderr any more, there is nobody to tell.
    let _ = writeln!(io::stderr(), "credsh: {}", unobeyed(&text.to_string()));
}

/// Tells the person what to type.
pub fn hint(text: &str) {
    let _ = writeln!(io::stderr(), "hint: {}", unobeyed(text));
}

/// Text without control characters. Names and paths come from arguments, variables and files, and all of them pass here.
fn unobeyed(text: &str) -> String {
    text.replace(|c: char| c.is_control() && c != '\n', "")
}

/// Writes to stdout. A reader that has seen enough (`| head -1`) is not a failure.
///
/// # Errors
/// Any other failure to write, as to a full disk.
pub fn print(text: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Error::io("write to", "standard output")(error)),
        _ => Ok(()),
    }
}

/// Whether stdout may be coloured: it is a terminal that can, and `NO_COLOR` is not set.
pub fn colour(env: &Env) -> bool {
    io::stdout().is_terminal() && env.get(env::NO_COLOR).is_none() && env.get("TERM").is_some_and(|term| term != "dumb")
}

/// Asks for an MFA code on the terminal. The answer is not echoed: it would be in every recording of the terminal, and be
/// good for another minute.
///
/// # Errors
/// `Error::NeedsPerson` without a terminal, `Error::Io` if it is closed before the answer.
pub fn ask(question: &str) -> Result<String> {
    let terminal = Terminal::open().map_err(|error| Error::NeedsPerson {
        what: Error::io("ask for the MFA code on", TTY)(error).to_string(),
        hint: "type `credsh refresh` in a terminal first, with the same flags and XDG_RUNTIME_DIR: no code is asked for until the session that it gets has expired".into(),
    })?;
    // Echo goes off before the question is shown, as the answer may come quickly.
    let terminal = Arc::new(terminal);
    let unseen = Unseen::of(&terminal).map_err(Error::io("ask for the MFA code on", TTY))?;
    write!(&terminal.file, "{question}").map_err(Error::io("ask for the MFA code on", TTY))?;
    let answer = unseen.line();
    let _ = writeln!(&terminal.file);
    Ok(answer.map_err(Error::io("read the MFA code from", TTY))?.trim().to_owned())
}

const TTY: &str = "/dev/tty";

/// The controlling terminal, and the modes in which it was found.
pub struct Terminal {
    file: File,
    before: Termios,
}

impl Terminal {
    /// Opens the terminal of this process's session.
    ///
    /// # Errors
    /// There is none.
    pub fn open() -> io::Result<Terminal> {
        let file = OpenOptions::new().read(true).write(true).open(TTY)?;
        Ok(Terminal { before: tcgetattr(&file)?, file })
    }

    /// The open file, for [`crate::detach::keep_terminal_back`].
    pub fn file(self) -> File {
        self.file
    }

    fn set(&self, modes: &Termios) -> io::Result<()> {
        Ok(tcsetattr(&self.file, OptionalActions::Now, modes)?)
    }

    fn restore(&self) {
        let _ = self.set(&self.before);
    }

    /// Lends the terminal to the process `to`, which was started after this was opened.
    ///
    /// # Errors
    /// The thread that waits for signals cannot be started.
    pub fn lend(self, to: Pid) -> io::Result<Lent> {
        let terminal = Arc::new(self);
        let lent = Arc::clone(&terminal);
        let undo = move || {
            // The other process got the Ctrl-C too. Give it 250 ms to restore the terminal itself, or to stop changing it.
            for _ in 0..125 {
                if test_kill_process(to).is_err() {
                    break;
                }
                std::thread::sleep(Duration::from_millis(2));
            }
            lent.restore();
        };
        Ok(Lent { terminal, _ending: Ending::with(&[Signal::SIGINT, Signal::SIGQUIT], undo, || {})? })
    }
}

/// A terminal that another process uses to ask, until dropped. If Ctrl-C ends both, it is left as it was found.
pub struct Lent {
    terminal: Arc<Terminal>,
    _ending: Ending,
}

impl Lent {
    /// Restores the modes after the borrower was killed, perhaps in the middle of a question with the echo off.
    pub fn restore(&self) {
        self.terminal.restore();
    }
}

/// What to do before a signal ends this process, until dropped.
struct Ending {
    mask: SigSet,
    over: Arc<Mutex<bool>>,
}

impl Ending {
    /// Runs `undo` before one of `signals` ends this process: that may be inside a `$( )`, after which no shell restores
    /// the terminal. The signals are blocked, and taken by a thread, which may do more than a handler; how the process
    /// handles them is not changed. `redo` runs if it is still there afterwards, as the signal is ignored (nohup). SIGKILL
    /// leaves no time for any of this.
    fn with(
        signals: &[Signal],
        undo: impl Fn() + Send + 'static,
        redo: impl Fn() + Send + 'static,
    ) -> io::Result<Ending> {
        let signals: SigSet = signals.iter().copied().collect();
        let ending = Ending { mask: signals.thread_swap_mask(SigmaskHow::SIG_BLOCK)?, over: Arc::default() };
        let over = Arc::clone(&ending.over);
        std::thread::Builder::new().spawn(move || {
            while let Ok(signal) = signals.wait() {
                // Held while the process ends, so that nothing beside it is cut off halfway.
                let Ok(over) = over.lock() else { break };
                if !*over {
                    undo();
                }
                let _ = signals.thread_unblock().and_then(|()| raise(signal));
                let _ = signals.thread_block();
                if *over {
                    break;
                }
                redo();
            }
        })?;
        Ok(ending)
    }

    fn over(&self) {
        if let Ok(mut over) = self.over.lock() {
            *over = true;
        }
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        self.over();
        let _ = self.mask.thread_set_mask();
    }
}

/// A terminal with the echo off, until dropped.
struct Unseen<'a> {
    terminal: &'a Terminal,
    ending: Ending,
}

impl<'a> Unseen<'a> {
    /// Ctrl-C arrives as a key too: as a signal it would end this process and leave the terminal without its echo.
    fn of(terminal: &'a Arc<Terminal>) -> io::Result<Self> {
        let mut quiet = terminal.before.clone();
        quiet.local_modes.remove(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG);
        // Read key by key, however long one takes: without ICANON these apply, and are as the last program left them.
        quiet.special_codes[SpecialCodeIndex::VMIN] = 1;
        quiet.special_codes[SpecialCodeIndex::VTIME] = 0;
        let ends = [Signal::SIGTERM, Signal::SIGHUP, Signal::SIGINT, Signal::SIGQUIT];
        let [undone, redone] = [(); 2].map(|()| Arc::clone(terminal));
        let again = quiet.clone();
        let ending = Ending::with(&ends, move || undone.restore(), move || drop(redone.set(&again)))?;
        let unseen = Unseen { terminal, ending };
        // What was typed ahead is kept, as part of the answer.
        terminal.set(&quiet)?;
        Ok(unseen)
    }

    fn line(self) -> io::Result<String> {
        let (mut line, mut key, mut tty) = (Vec::new(), [0], &self.terminal.file);
        loop {
            tty.read_exact(&mut key)?;
            match key[0] {
                b'\n' | b'\r' => return String::from_utf8(line).map_err(|_| io::ErrorKind::InvalidData.into()),
                // Ctrl-C and Ctrl-\: pass it on to everyone who would have got the signal.
                b'\x03' | b'\x1c' => {
                    drop(self);
                    rustix::process::kill_current_process_group(rustix::process::Signal::INT)?;
                    return Err(io::ErrorKind::Interrupted.into());
                }
                b'\x04' if line.is_empty() => return Err(io::ErrorKind::UnexpectedEof.into()),
                b'\x08' | b'\x7f' => _ = line.pop(),
                b'\x15' | b'\x17' => line.clear(),
                // No code has any other control character.
                ..=b'\x1f' => {}
                typed => line.push(typed),
            }
        }
    }
}

impl Drop for Unseen<'_> {
    fn drop(&mut self) {
        // In this order, or a signal in between might turn the echo off again. Blocked signals arrive only after both.
        self.ending.over();
        self.terminal.restore();
    }
}

/// Foreign text made fit for a terminal: without control characters, on one line, cut to 300 characters.
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
