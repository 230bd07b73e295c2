//! A profile's `credential_process`, run as the SDK would run it: by `sh`, with this process's stdin and, where a person is
//! there to be asked, its terminal. It is not left to the SDK, which keeps all that the process prints, lets it run on when
//! nobody waits for it any more, and would start one inside another without end if it asks credsh for the same profile.

use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};

use super::{Asking, answer};
use crate::config::Files;
use crate::credentials::{Credentials, Secret};
use crate::env::{self, Env};
use crate::error::{Error, Result, lower};
use crate::request::{Request, Source};
use crate::ui::{Lent, Terminal};
use crate::{detach, redact, ui};

/// The largest answer, in bytes. A real one is under 3 KiB.
const LARGEST: usize = 64 * 1024;

/// Runs `command` for the profile `name` of `files`.
pub async fn fetch(name: &str, files: &Files, command: &str, asking: &Asking<'_>) -> Result<Credentials> {
    let failed = |reason: String, hint: Option<String>| Error::Config {
        what: format!("profile {} gave no credentials", ui::clean(name)),
        reason,
        hint,
    };
    not_in_a_circle(&asking.request.source, asking.env)?;
    let told = |reason: String| failed(format!("its credential_process {reason}"), None);
    asking.turns_to(format!("the credential_process of profile {}", ui::clean(name)));
    let above = asking.env.get(env::ASKING).unwrap_or_default();
    let mut running = Running::start(command, &format!("{above} {}", id(name, files)), asking.given.person)
        .map_err(|error| told(format!("cannot be run: {}", lower(&error.to_string()))))?;
    let outcome =
        if running.lent.is_some() { asking.untimed(running.outcome()).await } else { running.outcome().await };
    let (printed, said, status) = outcome.map_err(|error| told(format!("was lost: {}", lower(&error.to_string()))))?;
    let Some(printed) = printed else { return Err(told(format!("printed more than {} KiB", LARGEST / 1024))) };
    let given = answer::of_process(&printed);
    if !status.success() {
        // A person may need what it said. That holds none of the secrets that are known, and nothing from stdout is shown.
        let hidden: Vec<&Secret> = given.iter().flat_map(Credentials::secrets).collect();
        let (said, hint) = apart(&said);
        let said = line(&redact::without(said, &hidden));
        let colon = if said.is_empty() { "" } else { ": " };
        // There is no telling whether it failed because it could not ask: it may say so in any words.
        let unasked = || "if it has to ask you something, type `credsh refresh`".to_owned();
        return Err(failed(
            format!("its credential_process {}{colon}{said}", how(status)),
            hint.map(|hint| redact::told(hint, &hidden)).or_else(|| (!asking.given.person).then(unasked)),
        ));
    }
    given.map_err(told)
}

/// Refuses to ask for a profile, or to wait for another process that does, inside a `credential_process` that was started
/// for that same profile: it is waiting for us.
///
/// # Errors
/// `Error::Config`.
pub fn not_in_a_circle(source: &Source, env: &Env) -> Result<()> {
    let Source::Profile { name, files, .. } = source.root() else { return Ok(()) };
    let asking = env.get(env::ASKING).unwrap_or_default();
    if !asking.split(' ').any(|asked| asked == id(name, files)) {
        return Ok(());
    }
    Err(Error::Config {
        what: format!("profile {}", ui::clean(name)),
        reason: "takes its credentials from credsh, which would take them from this profile".into(),
        hint: Some("give the credsh in its credential_process a --source, or another --profile".into()),
    })
}

/// A profile as one word, whatever its name is. The files count too: others may have the same name in them.
fn id(name: &str, files: &Files) -> String {
    let source = Source::Profile { name: name.into(), sso: false, files: files.clone(), whose: String::new() };
    Request::of(source).id()
}

/// Splits off the hint that stderr ends with if the process is a credsh.
fn apart(said: &str) -> (&str, Option<&str>) {
    let said = said.trim_end();
    let last = said.rfind('\n').map_or(0, |at| at + 1);
    match said[last..].strip_prefix("hint: ") {
        Some(hint) => (&said[..last], Some(hint)),
        None => (said, None),
    }
}

/// What a process said, on one line; if too long, its beginning and last line: a traceback ends with the reason.
fn line(said: &str) -> String {
    match said.trim_end().rsplit_once('\n') {
        Some((before, last)) if said.chars().nth(300).is_some() => {
            let begins: String = ui::clean(before).chars().take(120).collect();
            format!("{begins} ... {}", ui::clean(last))
        }
        _ => ui::clean(said),
    }
}

fn how(status: ExitStatus) -> String {
    match status.code() {
        Some(code) => format!("exited with status {code}"),
        None => "was killed".into(),
    }
}

/// A process that is killed when nobody waits for it any more, and reaped, or after an `exec` the command would inherit a
/// zombie. With it go its descendants, where `/proc` shows them (Linux), as long as they are in this process group: a
/// daemon has left it, and stays. Elsewhere all of them stay.
struct Running {
    child: Child,
    /// The terminal, if the process may ask there.
    lent: Option<Lent>,
}

impl Running {
    /// `person` is whether it may ask for something. In a hook it would take the keyboard from somebody who is typing,
    /// until it is killed.
    fn start(command: &str, asking: &str, person: bool) -> std::io::Result<Running> {
        // It stays in our process group, as in another one it could not read from the terminal.
        // `sh` has its full path, like everything that the hook starts: with a `.` in PATH any directory may hold another.
        let mut sh = Command::new("/bin/sh");
        sh.args(["-c", command]).env(env::ASKING, asking.trim_start());
        // Its modes are saved before the process can have changed them.
        let mut terminal = Terminal::open().ok();
        if !person {
            detach::keep_terminal_back(sh.as_std_mut(), terminal.take().map(Terminal::file));
        }
        let child = sh.stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true).spawn()?;
        let mut running = Running { child, lent: None };
        running.lent = terminal.zip(running.pid()).map(|(terminal, pid)| terminal.lend(pid)).transpose()?;
        Ok(running)
    }

    /// The process's id; `None` once it was waited for.
    fn pid(&self) -> Option<Pid> {
        Pid::from_raw(i32::try_from(self.child.id()?).ok()?)
    }

    /// What it printed, `None` if that was too much; the beginning of what it said on stderr; and how it ended.
    async fn outcome(&mut self) -> std::io::Result<(Option<Vec<u8>>, String, ExitStatus)> {
        let (stdout, stderr) = (self.child.stdout.take(), self.child.stderr.take());
        // Both are read at the same time: a process whose stderr is full blocks, and prints nothing more.
        let said = tokio::spawn(all(stderr));
        let mut printed = Vec::new();
        if let Some(stdout) = stdout {
            stdout.take(LARGEST as u64 + 1).read_to_end(&mut printed).await?;
        }
        if printed.len() > LARGEST {
            return Ok((None, String::new(), ExitStatus::default()));
        }
        let status = self.child.wait().await?;
        // It was killed by a signal, which a shell in between reports as a status above 128.
        if let (true, Some(lent)) = (status.code().is_none_or(|code| code > 128), &self.lent) {
            lent.restore();
        }
        let said = said.await.unwrap_or_default();
        Ok((Some(printed), String::from_utf8_lossy(&said).into_owned(), status))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let Some(pid) = self.pid() else { return };
        let family = family(pid);
        // SIGTERM first, so that it can put right what it has changed. 200 ms for each signal: for SIGKILL too, as the
        // kernel may be unable to end a process, as on a dead network disk.
        'gone: for signal in [Signal::TERM, Signal::KILL] {
            for pid in &family {
                let _ = kill_process(*pid, signal);
            }
            for _ in 0..100 {
                let _ = self.child.try_wait();
                if family.iter().all(|pid| is_gone(*pid)) {
                    break 'gone;
                }
                std::thread::sleep(Duration::from_millis(2));
            }
        }
        if let Some(lent) = &self.lent {
            lent.restore();
        }
    }
}

/// Reads to the end, and keeps the first [`LARGEST`] bytes.
async fn all(from: Option<impl AsyncRead + Unpin>) -> Vec<u8> {
    let mut kept = Vec::new();
    let Some(mut from) = from else { return kept };
    let mut part = [0; 4096];
    while let Ok(length @ 1..) = from.read(&mut part).await {
        let room = LARGEST.saturating_sub(kept.len());
        kept.extend_from_slice(&part[..length.min(room)]);
    }
    kept
}

/// A process and its descendants in our process group, itself first, so that it starts nothing after the others were
/// killed.
fn family(first: Pid) -> Vec<Pid> {
    let processes: Vec<(Pid, Pid)> = std::fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .filter_map(|entry| in_our_group(entry.ok()?.file_name().to_str()?.parse().ok()?))
        .collect();
    let mut family = vec![first];
    let mut at = 0;
    while let Some(&parent) = family.get(at) {
        family.extend(processes.iter().filter(|(_, its)| *its == parent).map(|(pid, _)| *pid));
        at += 1;
    }
    family
}

/// Whether a process has ended, perhaps as a zombie: whoever inherits orphans may take time to reap them.
fn is_gone(pid: Pid) -> bool {
    test_kill_process(pid).is_err() || stat(pid.as_raw_nonzero().get()).is_some_and(|stat| stat.starts_with('Z'))
}

/// `STATE PARENT GROUP ...` of a process (proc(5)); before it is `PID (NAME)`, where a name may contain anything.
fn stat(pid: i32) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    Some(stat.rsplit_once(") ")?.1.to_owned())
}

/// A process of our process group, and its parent.
fn in_our_group(pid: i32) -> Option<(Pid, Pid)> {
    let stat = stat(pid)?;
    let mut numbers = stat.split(' ').skip(1).map_while(|number| number.parse().ok());
    let (parent, group) = (numbers.next()?, numbers.next()?);
    let ours = Pid::from_raw(group)? == rustix::process::getpgrp();
    ours.then_some((Pid::from_raw(pid)?, Pid::from_raw(parent)?))
}
