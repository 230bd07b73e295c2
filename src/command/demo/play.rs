//! The demo without a terminal: a fixed session of about half a minute, typed into a real bash on a pty of its own and
//! printed as a person would see it. The exit status says whether everything that should be seen was.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use super::{Stage, endpoint};
use crate::env::Env;
use crate::error::{Error, Result};
use crate::ui;

/// How long to wait for anything to show. It takes far less, but the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(10);

pub fn run(stage: &Stage, env: &Env) -> Result<u8> {
    let bash = which::which("bash").map_err(|_| Error::Config {
        what: "the demo".into(),
        reason: "needs bash when there is no terminal".into(),
        hint: None,
    })?;
    ui::print("# credsh demo: bash with the hook, and an endpoint whose credentials last 20 s\n")?;
    let mut session = Session::open(stage, &bash, env)?;
    session.until_prompt()?;
    let first = session.key()?;
    check(!first.is_empty(), "the variables are set automatically")?;
    let high = session.countdown()?;
    idle(3, "three seconds pass")?;
    session.enter()?;
    let low = session.countdown()?;
    check(low < high, &format!("the countdown went from {high}s to {low}s"))?;
    idle(
        LIFE / 2 - 2,
        "half their lifetime has passed: they are due, and the next prompt starts a renewal in the background",
    )?;
    session.enter()?;
    let old = session.countdown().unwrap_or(0);
    let mut second = first.clone();
    // It may take longer on a busy machine; the credentials are good for `old` seconds.
    for _ in 0..old.min(6) {
        idle(1, "a second later")?;
        second = session.key()?;
        if second != first {
            break;
        }
    }
    check(second != first && old > 0, &format!("they were renewed automatically, {old}s before they expired"))?;
    idle(LIFE + 1, "lunch: nobody types until they have expired")?;
    let third = session.key()?;
    check(third != second && !third.is_empty(), "after the idle time they were renewed before the very next command")?;
    session.type_line("exit")?;
    let _ = session.shell.wait();
    ui::print("# everything happened as it should\n")?;
    Ok(0)
}

/// The life of the endpoint's credentials, in seconds.
const LIFE: u64 = endpoint::LIFE.unsigned_abs();

fn check(seen: bool, what: &str) -> Result<()> {
    if !seen {
        return Err(Error::Demo { missing: what.into() });
    }
    ui::print(&format!("# ok: {what}\n"))
}

/// Lets time pass without typing.
fn idle(seconds: u64, why: &str) -> Result<()> {
    ui::print(&format!("\n# {why} ({seconds} s)\n"))?;
    thread::sleep(Duration::from_secs(seconds));
    Ok(())
}

/// A shell on the other side of a pty.
struct Session {
    shell: Child,
    keyboard: File,
    screen: Receiver<Vec<u8>>,
    seen: String,
}

impl Session {
    fn open(stage: &Stage, bash: &Path, env: &Env) -> Result<Session> {
        let (keyboard, tty) = pty().map_err(|error| Error::io("open", "/dev/ptmx")(error.into()))?;
        let exe = crate::shell::Shell::Bash.quote(&stage.exe.to_string_lossy())?;
        let rc = stage.file("bashrc", &format!("PS1='$ '\neval \"$({exe} init bash)\"\n"))?;
        let mut command = Command::new(&stage.exe);
        command
            .args(["demo", "--on-tty"])
            .arg(tty)
            .arg("--")
            .arg(bash)
            .args(["--noprofile", "--rcfile"])
            .arg(rc)
            .arg("-i");
        command.stdin(Stdio::null()).stdout(Stdio::null());
        stage.dress(&mut command, env);
        let shell = command.env("TERM", "dumb").spawn().map_err(Error::io("start", bash))?;
        let mut reader = keyboard.try_clone().map_err(Error::io("read", "the pty"))?;
        let (sender, screen) = channel();
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            // Reading fails once the shell has closed its side.
            while let Ok(count @ 1..) = reader.read(&mut buffer) {
                if sender.send(buffer[..count].to_vec()).is_err() {
                    break;
                }
            }
        });
        Ok(Session { shell, keyboard, screen, seen: String::new() })
    }

    /// Prints what the terminal shows, until the shell has printed its prompt and waits for input.
    fn until_prompt(&mut self) -> Result<()> {
        let end = Instant::now() + PATIENCE;
        self.seen.clear();
        while !self.seen.ends_with("$ ") {
            match self.screen.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(bytes) => {
                    let text = String::from_utf8_lossy(&bytes).replace('\r', "");
                    ui::print(&text)?;
                    self.seen += &text;
                }
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    return Err(Error::Demo { missing: "a prompt".into() });
                }
            }
        }
        Ok(())
    }

    fn type_line(&mut self, line: &str) -> Result<()> {
        self.keyboard.write_all(format!("{line}\n").as_bytes()).map_err(Error::io("write to", "the pty"))
    }

    fn enter(&mut self) -> Result<()> {
        self.type_line("")?;
        self.until_prompt()
    }

    /// The access key id that a command sees in its environment.
    fn key(&mut self) -> Result<String> {
        self.type_line("printenv TEMPORARY_AWS_ACCESS_KEY_ID")?;
        self.until_prompt()?;
        Ok(self.seen.lines().find(|line| line.starts_with("ASIADEMO")).unwrap_or_default().to_owned())
    }

    /// The seconds in the prompt that was shown last.
    fn countdown(&self) -> Result<u32> {
        let digits = self.seen.rsplit_once("[cloudshell ").and_then(|(_, rest)| rest.split_once("s]"));
        digits
            .and_then(|(digits, _)| digits.parse().ok())
            .ok_or(Error::Demo { missing: "the time left in the prompt".into() })
    }
}

/// A new pty: the controlling side, and the path of the other.
fn pty() -> rustix::io::Result<(File, PathBuf)> {
    let controller = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
    grantpt(&controller)?;
    unlockpt(&controller)?;
    tcsetwinsize(&controller, Winsize { ws_row: 24, ws_col: 100, ws_xpixel: 0, ws_ypixel: 0 })?;
    let name = ptsname(&controller, Vec::new())?;
    Ok((File::from(controller), PathBuf::from(name.to_string_lossy().into_owned())))
}

/// Makes `tty` this process's terminal and becomes the shell. A process of its own, as std runs no code between fork and
/// exec without `unsafe`.
pub fn become_shell(tty: &Path, command: &[String]) -> Result<u8> {
    let error = || Error::io("become a shell on", tty);
    rustix::process::setsid().map_err(|errno| error()(errno.into()))?;
    let terminal = OpenOptions::new().read(true).write(true).open(tty).map_err(error())?;
    rustix::process::ioctl_tiocsctty(&terminal).map_err(|errno| error()(errno.into()))?;
    rustix::stdio::dup2_stdin(&terminal).map_err(|errno| error()(errno.into()))?;
    rustix::stdio::dup2_stdout(&terminal).map_err(|errno| error()(errno.into()))?;
    rustix::stdio::dup2_stderr(&terminal).map_err(|errno| error()(errno.into()))?;
    let (program, words) =
        command.split_first().ok_or(Error::Flag { flag: "--on-tty", reason: "needs a command".into() })?;
    Err(Error::io("run", program)(Command::new(program).args(words).exec()))
}
