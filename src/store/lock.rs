//! The lock of one lease, `ID.lock`: who may renew it, and what those who wait or come next need to know. The kernel's lock on
//! the file says that somebody has it; the file's content, who, whether a person is asked, and the last failure that had no
//! lease to be noted in; the file's time, until when to leave the source alone. What to do about any of it is up to `renew`.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::Read;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use serde::{Deserialize, Serialize};

use super::file::{create, open, same_file};
use crate::env;
use crate::error::{Error, Result};
use crate::lease::LONGEST;
use crate::time::Epoch;

/// A lock that is held. The kernel releases it with its holder, however that ends.
pub struct Lock {
    file: File,
    path: PathBuf,
    held: Held,
}

/// The failure of a renewal that had no lease to note it in. It is kept in the lock file, which is there in any case, and
/// which whoever waits for the lock reads next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    pub note: String,
    /// When it happened, in epoch seconds.
    pub at: Epoch,
    /// How long the process was willing to wait, in seconds.
    pub wait: u64,
    /// Its process id, as two failures in the same second may be different ones.
    pub by: u32,
}

/// A lock file's content: who has or last had the lock, whether that may ask a person, and the last failure that was left.
#[derive(Serialize, Deserialize)]
struct Held {
    holder: u32,
    /// Where the process number in `holder` is valid; see [`here`].
    place: String,
    asks: bool,
    failure: Option<Failure>,
}

impl Held {
    /// Reads a lock file. Without the lock it may be half written; that reads as `None`.
    fn of(path: &Path) -> Option<Held> {
        let mut text = String::new();
        open(path, OpenOptions::new().read(true)).ok()??.read_to_string(&mut text).ok()?;
        let sound = |failure: &Failure| !failure.note.contains(char::is_control);
        serde_json::from_str(&text).ok().filter(|held: &Held| held.failure.as_ref().is_none_or(sound))
    }
}

/// Where a process id is valid: on this machine and, there, in this container (pid_namespaces(7)).
fn here() -> String {
    let namespace = fs::read_link("/proc/self/ns/pid").unwrap_or_default();
    format!("{} {}", env::host(), namespace.display())
}

impl Lock {
    /// Takes the lock at `path`, waiting until `until`; `None` if somebody else still has it then.
    ///
    /// # Errors
    /// The lock file cannot be created, or locked at all.
    pub fn take(path: PathBuf, until: Instant) -> Result<Option<Lock>> {
        loop {
            let file = create(&path)?;
            match file.try_lock() {
                Ok(()) => {
                    let failure = Held::of(&path).and_then(|held| held.failure);
                    let held = Held { holder: std::process::id(), place: here(), asks: false, failure };
                    let lock = Lock { file, path: path.clone(), held };
                    if lock.stands() {
                        // The kernel does not tell who has the lock; nor may a holder that was killed at a question still
                        // seem to ask.
                        lock.write();
                        return Ok(Some(lock));
                    }
                    continue;
                }
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) => return Err(Error::io("lock", path)(error)),
            }
            if Instant::now() >= until {
                return Ok(None);
            }
            // Polled, as the kernel's blocking flock has no deadline; a holder usually needs milliseconds.
            std::thread::sleep(Duration::from_millis(15));
        }
    }

    /// Whether this lock still keeps others out. `clear` removes lock files, and with them the reason to write the lease.
    pub fn stands(&self) -> bool {
        same_file(&self.file, &self.path)
    }

    /// Makes background renewals leave the source alone until `until`. The file's time records it, as that needs no room on
    /// a full disk. It is the end of the pause and not its beginning, as how long it is is up to whoever renews.
    pub fn rest(&self, until: Epoch) {
        let until = SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(until).unwrap_or(0));
        let _ = self.file.set_modified(until);
    }

    /// Leaves a failure for those who wait for the lock or come next.
    pub fn leave(&mut self, failure: Failure) {
        self.held.failure = Some(failure);
        self.write();
    }

    /// Notes, for those who wait for the lock, whether a person may be asked in the meantime.
    pub fn may_ask(&mut self, may: bool) {
        self.held.asks = may;
        self.write();
    }

    /// Failing to write is no error, as only messages depend on it.
    fn write(&self) {
        let Ok(text) = serde_json::to_vec(&self.held) else { return };
        // Overwrite first and shorten then: that needs no room on a full disk.
        if self.file.write_all_at(&text, 0).and_then(|()| self.file.set_len(text.len() as u64)).is_err() {
            let _ = self.file.set_len(0);
        }
        // Not the time of writing: a file server's clock may be ahead of ours, and it would pass for a rest.
        self.rest(0);
    }
}

/// Whether to leave the source alone at `now` (epoch seconds). A time further off than the longest pause is ignored: the
/// clock was set back.
pub fn rests(path: &Path, now: Epoch) -> bool {
    fs::metadata(path).is_ok_and(|meta| (now + 1..=now + LONGEST).contains(&meta.mtime()))
}

/// The last failure that was left, if any.
pub fn left(path: &Path) -> Option<Failure> {
    Held::of(path)?.failure
}

/// The error after waiting for the lock for `seconds`. It names the holder, unless a full disk did not take that, or it is a
/// process on another machine or in another container with the same store.
pub fn held(path: &Path, seconds: u64) -> Error {
    let held = Held::of(path);
    let asks = held.as_ref().is_some_and(|held| held.asks);
    Error::Held { holder: held.filter(|held| held.place == here()).map(|held| held.holder), asks, seconds }
}
