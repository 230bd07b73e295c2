//! Leases on disk: a private directory, atomic files, one renewal at a time. Knows nothing of when to renew
//! (`lease`) or whom to ask (`source`).
//!
//! Per lease: `ID.json` for credsh, `ID.sh` and `ID.fish` for the shells to source without a fork, `ID.words` for those that
//! read it as data, `ID.lock`, which also holds who has it, and what came of a renewal where there is no lease to.
//! All 0600 in a directory 0700. Plain text, like `~/.aws/sso/cache` and `~/.aws/cli/cache`, but in memory
//! where there is an `XDG_RUNTIME_DIR`, and short-lived.

use std::fs::{self, DirBuilder, File, FileTimes, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use directories::BaseDirs;
use rustix::fs::OFlags;
use serde::{Deserialize, Serialize};

use crate::env::{self, Env};
use crate::error::{Error, Result};
use crate::lease::{LONGEST, Lease};
use crate::shell::Shell;
use crate::time::Epoch;

/// The store's directory, checked.
pub struct Store {
    dir: PathBuf,
}

/// One lease's lock. The kernel lets go of it with its holder, however that ends.
pub struct Lock {
    file: File,
    path: PathBuf,
    held: Held,
}

/// What a renewal came to that had no lease to note it in. It stands in the lock's file: that is there in any case, and
/// whoever waits for the lock reads it next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    pub note: String,
    pub at: Epoch,
    /// How long the source was given for it, seconds.
    pub wait: u64,
    /// The process: of two in the same second one may be news.
    pub by: u32,
}

/// A lock's file: who has the lock, or had it last, whether a person may be asked by it, and the last failure that was left.
#[derive(Serialize, Deserialize)]
struct Held {
    holder: u32,
    /// Where that is a process: see [`here`].
    place: String,
    asks: bool,
    failure: Option<Failure>,
}

impl Held {
    /// Without the lock perhaps not all of it, and then nothing.
    fn of(path: &Path) -> Option<Held> {
        let mut text = String::new();
        open(path, OpenOptions::new().read(true)).ok()??.read_to_string(&mut text).ok()?;
        let sound = |failure: &Failure| !failure.note.contains(char::is_control);
        serde_json::from_str(&text).ok().filter(|held: &Held| held.failure.as_ref().is_none_or(sound))
    }
}

/// Where a process's number means something: this machine, and on it this container (pid_namespaces(7)).
fn here() -> String {
    let namespace = fs::read_link("/proc/self/ns/pid").unwrap_or_default();
    format!("{} {}", env::host(), namespace.display())
}

impl Lock {
    /// Whether it still locks anybody out: `clear` removes lock files, and with them what was to be renewed.
    pub fn stands(&self) -> bool {
        same_file(&self.file, &self.path)
    }

    /// Has the background leave the source alone until then, also where a disk takes nothing that would say so: a file's time
    /// needs no room. An end and not a beginning, as that is for who renews to say.
    pub fn rest(&self, until: Epoch) {
        let until = SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(until).unwrap_or(0));
        let _ = self.file.set_modified(until);
    }

    /// Leaves it for those who wait for the lock, or who come next.
    pub fn leave(&mut self, failure: Failure) {
        self.held.failure = Some(failure);
        self.write();
    }

    /// Notes for who waits for it whether a person may be asked meanwhile.
    pub fn may_ask(&mut self, may: bool) {
        self.held.asks = may;
        self.write();
    }

    /// Not worth a failure: only words depend on it.
    fn write(&self) {
        let Ok(text) = serde_json::to_vec(&self.held) else { return };
        // Over what is there, and only then no longer than it: that needs no room on a disk that is full.
        if self.file.write_all_at(&text, 0).and_then(|()| self.file.set_len(text.len() as u64)).is_err() {
            let _ = self.file.set_len(0);
        }
        // Not the file's own time: a file server's clock may be ahead of ours.
        self.rest(0);
    }
}

/// Where the store is, whether it exists or not: `$XDG_RUNTIME_DIR/credsh`, else the cache directory. A runtime directory
/// that is not there is none (`su` and `sudo` hand on another session's, and a session's goes with it): nobody would ever
/// clean up what was made in its name. Nor is another user's (the XDG Base Directory Specification wants it to be one's own):
/// what root made there would be in the way of whose it is.
///
/// # Errors
/// Neither is known.
pub fn place(env: &Env) -> Result<PathBuf> {
    let own = |dir: &&str| fs::metadata(dir).is_ok_and(|meta| meta.uid() == rustix::process::geteuid().as_raw());
    if let Some(dir) = env.get(env::RUNTIME_DIR).filter(|dir| dir.starts_with('/')).filter(own) {
        return Ok(Path::new(dir).join("credsh"));
    }
    BaseDirs::new().map(|dirs| dirs.cache_dir().join("credsh")).ok_or_else(|| Error::Store {
        path: PathBuf::new(),
        reason: "has no place: neither XDG_RUNTIME_DIR nor HOME is set".into(),
        hint: "set one of them, or pass --no-store".into(),
    })
}

/// The surroundings of a shell that keeps its leases at `own`, and the place it has to look at from now on if that is
/// another. It belongs to the shell: whatever XDG_RUNTIME_DIR becomes while it runs, what is typed and what is renewed go
/// where the shell looks. Only a place whose directory is gone, as a session's is when it ends and tmux stays, is given up, or
/// one that is refused, when there is another to go to.
pub fn of_shell(own: Option<&Path>, env: Env) -> (Env, Option<PathBuf>) {
    let Some((own, parent)) = own.and_then(|own| Some((own, own.parent()?))) else { return (env, None) };
    let other = place(&env).ok().filter(|place| place != own);
    let refused = || matches!(Store { dir: own.into() }.check(), Err(Error::Store { .. }));
    match parent.to_str() {
        Some(parent) if Path::new(parent).exists() && (other.is_none() || !refused()) => {
            (env.with(env::RUNTIME_DIR, parent), None)
        }
        _ => (env, other),
    }
}

/// The file whose age is fish's clock: its time is the epoch, so `path mtime -R` prints now.
pub const CLOCK: &str = "clock";

/// How the name of a file begins that is being written.
const TEMPORARY: &str = ".new-";

impl Store {
    /// Opens the store, creating it if needed.
    ///
    /// # Errors
    /// `Store` when it belongs to somebody else, others can write to it, or it is a link: then whoever made it
    /// could read the leases or have a shell source their file.
    pub fn open(env: &Env) -> Result<Store> {
        let store = Store { dir: place(env)? };
        let dir = store.dir.as_path();
        match fs::symlink_metadata(dir) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => {
                // `~/.cache` may have to be made too.
                DirBuilder::new()
                    .recursive(true)
                    .mode(0o700)
                    .create(dir)
                    .map_err(Error::io("create the store", dir))?;
            }
            Err(error) => return Err(Error::io("look at the store", dir)(error)),
        }
        store.check()?;
        store.make_clock()?;
        Ok(store)
    }

    fn check(&self) -> Result<()> {
        let meta = fs::symlink_metadata(&self.dir).map_err(Error::io("look at the store", &self.dir))?;
        let refuse = |reason: &str, hint: &str| {
            Err(Error::Store {
                path: self.dir.clone(),
                reason: reason.into(),
                hint: format!("{hint}, or set XDG_RUNTIME_DIR to a private directory"),
            })
        };
        if meta.file_type().is_symlink() {
            refuse("is a symbolic link", "remove the link")
        } else if !meta.is_dir() {
            refuse("is not a directory", "remove it")
        } else if meta.uid() != rustix::process::geteuid().as_raw() {
            refuse("belongs to another user", "have its owner remove it")
        } else if meta.mode() & 0o077 != 0 {
            refuse("is open to other users", &format!("chmod 700 {}", self.dir.display()))
        } else {
            Ok(())
        }
    }

    fn make_clock(&self) -> Result<()> {
        let path = self.dir.join(CLOCK);
        if fs::metadata(&path).and_then(|meta| meta.modified()).is_ok_and(|time| time == SystemTime::UNIX_EPOCH) {
            return Ok(());
        }
        let times = FileTimes::new().set_modified(SystemTime::UNIX_EPOCH);
        create(&path)?.set_times(times).map_err(Error::io("set the time of", path))
    }

    fn path(&self, id: &str, ending: &str) -> PathBuf {
        self.dir.join(format!("{id}.{ending}"))
    }

    /// The lease, if there is one. What does not parse, is no file or may not be read is set aside as `ID.broken`, and it is
    /// as if there were none; the second value says so.
    ///
    /// # Errors
    /// The disk does not give it, or it cannot be set aside.
    pub fn load(&self, id: &str) -> Result<(Option<Lease>, Option<String>)> {
        if !is_id(id) {
            return Ok((None, None));
        }
        let path = self.path(id, "json");
        let file = match open(&path, OpenOptions::new().read(true)) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok((None, None)),
            file => file.map_err(Error::io("read", &path))?,
        };
        if let Some(mut file) = file {
            if let Some(lease) = read(&mut file, id).map_err(Error::io("read", &path))? {
                return Ok((Some(lease), None));
            }
            // Somebody else may have done so by now, and somebody else again have put a good one in its place.
            if !same_file(&file, &path) {
                return self.load(id);
            }
        }
        let aside = self.path(id, "broken");
        let mut moved = fs::rename(&path, &aside);
        // No directory takes a file's place, nor a file a directory's: what was set aside before.
        if moved.as_ref().is_err_and(|error| error.kind() != ErrorKind::NotFound) && discard(&aside).is_ok() {
            moved = fs::rename(&path, &aside);
        }
        match moved {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok((None, None)),
            moved => moved.map_err(Error::io("set aside", &path))?,
        }
        let warning = format!("the stored lease {id} could not be read; it was set aside as {}", aside.display());
        Ok((None, Some(warning)))
    }

    /// Every readable lease, by the time it ends. What cannot be read is left where it is, for who wants that one to be told.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub fn all(&self) -> Result<Vec<Lease>> {
        let file = |id: &str| open(&self.path(id, "json"), OpenOptions::new().read(true)).ok()?;
        let lease = |id: &String| read(&mut file(id)?, id).ok()?;
        let mut leases: Vec<Lease> = self.ids()?.iter().filter_map(lease).collect();
        leases.sort_by_key(|lease| lease.expires);
        Ok(leases)
    }

    fn ids(&self) -> Result<Vec<String>> {
        let names = self.names()?.into_iter();
        Ok(names.filter_map(|name| name.strip_suffix(".json").filter(|id| is_id(id)).map(str::to_owned)).collect())
    }

    fn names(&self) -> Result<Vec<String>> {
        let entries = fs::read_dir(&self.dir).map_err(Error::io("read the store", &self.dir))?;
        Ok(entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect())
    }

    /// Writes the lease, and what the shells source to adopt it.
    ///
    /// # Errors
    /// A value no shell may be given, or the disk.
    pub fn save(&self, lease: &Lease, env: &Env) -> Result<()> {
        let id = lease.request.id();
        let path = self.path(&id, "json");
        // What cannot be written (a path that is no text) leaves nothing behind.
        let json = serde_json::to_vec(lease).map_err(|error| Error::io("write", &path)(error.into()))?;
        let json = zeroize::Zeroizing::new(json);
        // The shells' files first: killed in between, what is lost is that the renewal is known, and not its outcome.
        for shell in Shell::KINDS {
            // Not worth a wait for the disk: made again by the next renewal, and only of use to shells that are alive.
            self.write(&self.path(&id, shell.lease_file()), shell.adopt(lease, env)?.expose().as_bytes(), false)?;
        }
        self.write(&path, &json, true)
    }

    /// A reader sees the old file or the new one: temporary file created 0600, fsync if it shall `last`, rename.
    fn write(&self, path: &Path, bytes: &[u8], last: bool) -> Result<()> {
        let error = || Error::io("write", path);
        let mut file = tempfile::Builder::new().prefix(TEMPORARY).tempfile_in(&self.dir).map_err(error())?;
        file.write_all(bytes).map_err(error())?;
        if last {
            file.as_file().sync_all().map_err(error())?;
        }
        file.persist(path).map_err(|failed| error()(failed.error))?;
        Ok(())
    }

    /// Takes the lease's lock, waiting until `until`; `None` when somebody else still has it then.
    ///
    /// # Errors
    /// The lock file cannot be made.
    pub fn lock(&self, id: &str, until: Instant) -> Result<Option<Lock>> {
        let path = self.path(id, "lock");
        loop {
            let file = create(&path)?;
            match file.try_lock() {
                Ok(()) => {
                    let failure = Held::of(&path).and_then(|held| held.failure);
                    let held = Held { holder: std::process::id(), place: here(), asks: false, failure };
                    let lock = Lock { file, path: path.clone(), held };
                    if lock.stands() {
                        // The kernel tells nobody who has it; nor may who was killed at a question still seem to ask.
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
            // Polled, as the kernel's blocking flock knows no deadline; the holder needs milliseconds.
            std::thread::sleep(Duration::from_millis(15));
        }
    }

    /// Whether the source is to be left alone; not for longer than anybody would have it, as where the clock was set back.
    pub fn rests(&self, id: &str, now: Epoch) -> bool {
        fs::metadata(self.path(id, "lock")).is_ok_and(|meta| (now + 1..=now + LONGEST).contains(&meta.mtime()))
    }

    /// The last failure that was left, if one was.
    pub fn left(&self, id: &str) -> Option<Failure> {
        Held::of(&self.path(id, "lock"))?.failure
    }

    /// That somebody else has had the lease's lock for as long: who, where a full disk took that, and where it is a process
    /// of this machine's and not of a container's that has the same store.
    pub fn held(&self, id: &str, seconds: u64) -> Error {
        let held = Held::of(&self.path(id, "lock"));
        let asks = held.as_ref().is_some_and(|held| held.asks);
        Error::Held { holder: held.filter(|held| held.place == here()).map(|held| held.holder), asks, seconds }
    }

    /// Writes the lease as [`Store::save`] does, unless it was cleared since `lock` was taken: then it stays cleared.
    ///
    /// # Errors
    /// As [`Store::save`].
    pub fn save_locked(&self, lease: &Lease, lock: &Lock, env: &Env) -> Result<()> {
        if !lock.stands() {
            return Ok(());
        }
        self.save(lease, env)?;
        // And if that was in the middle of it. Who has taken a new lock by now writes the files anew.
        let id = lease.request.id();
        if !lock.stands() && self.lock(&id, Instant::now())?.is_some() {
            self.remove(&id)?;
        }
        Ok(())
    }

    /// Removes a lease and all its files; whether there was one. The lock goes first: a renewal that is writing sees by that,
    /// when it is done, that it was in vain.
    ///
    /// # Errors
    /// A file is there and cannot be removed: the first of them. The others, which hold secrets, are gone.
    pub fn remove(&self, id: &str) -> Result<bool> {
        let (mut found, mut first) = (false, Ok(()));
        for ending in endings().filter(|_| is_id(id)) {
            let path = self.path(id, ending);
            match discard(&path) {
                Ok(()) => found |= ending == "json",
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => first = first.and(Err(Error::io("remove", path)(error))),
            }
        }
        first.map(|()| found)
    }

    /// Removes what is of no more use: leases a week past their end (a shell that comes back sooner can repeat them), and
    /// temporary files of writers that were killed a minute ago. Called after `renewed` was saved, so that a store tidies
    /// itself; failures can wait.
    pub fn tidy(&self, env: &Env, renewed: &Lease) {
        for lease in self.all().unwrap_or_default() {
            let id = lease.request.id();
            // Not one that somebody is renewing just now: that would go with it.
            if env.now() - lease.expires > 7 * 24 * 3600
                && self.lock(&id, Instant::now()).is_ok_and(|lock| lock.is_some())
            {
                let _ = self.remove(&id);
            }
        }
        // Now, by the clock of who made the files: a file server's may be minutes from ours, and a live writer's file look
        // long forgotten.
        let written = fs::metadata(self.path(&renewed.request.id(), "json")).and_then(|meta| meta.modified());
        let (Ok(now), Ok(entries)) = (written, fs::read_dir(&self.dir)) else { return };
        for entry in entries.filter_map(std::result::Result::ok) {
            let time = entry.metadata().and_then(|meta| meta.modified()).ok();
            let age = time.and_then(|time| now.duration_since(time).ok());
            if entry.file_name().to_string_lossy().starts_with(TEMPORARY) && age > Some(Duration::from_mins(1)) {
                let _ = fs::remove_file(entry.path());
            }
        }
    }

    /// Removes every lease, and all that is left of others: of one that is being renewed, or whose writer was killed. How
    /// many there were.
    ///
    /// # Errors
    /// As [`Store::remove`].
    pub fn clear(&self) -> Result<usize> {
        let (mut count, mut first) = (0, Ok(()));
        for name in self.names()? {
            if name.starts_with(TEMPORARY) {
                let _ = fs::remove_file(self.dir.join(&name));
            }
            let id = name.split_once('.').filter(|(_, ending)| endings().any(|known| known == *ending));
            match id.map_or(Ok(false), |(id, _)| self.remove(id)) {
                Ok(found) => count += usize::from(found),
                Err(error) => first = first.and(Err(error)),
            }
        }
        first.map(|()| count)
    }
}

/// How the names of a lease's files end, in the order in which they are removed: see [`Store::remove`].
fn endings() -> impl Iterator<Item = &'static str> {
    ["lock"].into_iter().chain(Shell::KINDS.map(Shell::lease_file)).chain(["json", "broken"])
}

/// A request id, before it becomes part of a path: it may come from the environment.
pub fn is_id(text: &str) -> bool {
    text.len() == 16 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

/// Opens what should be a file of the store's; `None` where it is something else, or a file that may not be opened. A FIFO
/// has nobody at its other end to wait for, and a link could name any file, whose time would become the clock's.
fn open(path: &Path, options: &mut OpenOptions) -> std::io::Result<Option<File>> {
    let flags = (OFlags::NONBLOCK | OFlags::NOFOLLOW).bits();
    match options.custom_flags(flags.cast_signed()).open(path) {
        Ok(file) => Ok(file.metadata()?.is_file().then_some(file)),
        Err(error) => match fs::symlink_metadata(path) {
            Ok(meta) if !meta.is_file() || error.kind() == ErrorKind::PermissionDenied => Ok(None),
            _ => Err(error),
        },
    }
}

/// The lock or the clock, made if need be. What stands in its place can be no loss: neither holds anything of worth.
fn create(path: &Path) -> Result<File> {
    loop {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false).mode(0o600);
        if let Some(file) = open(path, &mut options).map_err(Error::io("create", path))? {
            return Ok(file);
        }
        match discard(path) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(Error::io("remove", path)(error)),
            _ => {}
        }
    }
}

/// Removes a file, or what stands in its place; but a directory only if it is empty, as nobody here has put anything in it.
fn discard(path: &Path) -> std::io::Result<()> {
    fs::remove_file(path).or_else(|error| fs::remove_dir(path).map_err(|_| error))
}

/// The lease in a file, if that is one.
fn read(file: &mut File, id: &str) -> std::io::Result<Option<Lease>> {
    let mut bytes = zeroize::Zeroizing::new(Vec::new());
    file.read_to_end(&mut bytes)?;
    Ok(Lease::read(&bytes, id))
}

fn same_file(file: &File, path: &Path) -> bool {
    let (Ok(open), Ok(there)) = (file.metadata(), fs::metadata(path)) else { return false };
    (open.dev(), open.ino()) == (there.dev(), there.ino())
}
