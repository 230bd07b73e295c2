//! Leases on disk: a private directory, atomic files, one renewal at a time. When to renew is up to `lease`, whom to ask up
//! to `source`.
//!
//! Each lease has `ID.json` for credsh, `ID.sh` and `ID.fish` for shells to source without a fork, `ID.words` for shells
//! that read it as data, and `ID.lock`, which also names the holder and keeps a failure that had no lease to be noted in.
//! All are 0600 in a directory 0700. Plain text, like `~/.aws/sso/cache` and `~/.aws/cli/cache`, but short-lived, and in
//! memory where there is an `XDG_RUNTIME_DIR`.

mod file;
mod lock;

use std::fs::{self, DirBuilder, File, FileTimes, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use directories::BaseDirs;

use crate::env::{self, Env};
use crate::error::{Error, Result};
use crate::lease::Lease;
use crate::shell::Shell;
use crate::time::Epoch;
use file::{create, discard, open, same_file};
pub use lock::{Failure, Lock};

/// The store's directory, after it was checked.
pub struct Store {
    dir: PathBuf,
}

/// Where the store is, whether it exists or not: `$XDG_RUNTIME_DIR/credsh`, else the user's cache directory. A runtime
/// directory that does not exist is ignored (`su` and `sudo` pass on another session's, which goes when that ends): nobody
/// would clean up one that credsh made. So is another user's, as the XDG Base Directory Specification demands: what root
/// made there would be in its owner's way.
///
/// # Errors
/// `Error::Store` if neither directory is known.
pub fn place(env: &Env) -> Result<PathBuf> {
    let own = |dir: &&str| fs::metadata(dir).is_ok_and(|meta| meta.uid() == rustix::process::geteuid().as_raw());
    if let Some(dir) = env.get(env::RUNTIME_DIR).filter(|dir| dir.starts_with('/')).filter(own) {
        return Ok(Path::new(dir).join("credsh"));
    }
    BaseDirs::new().map(|dirs| dirs.cache_dir().join("credsh")).ok_or_else(|| Error::Store {
        path: PathBuf::new(),
        reason: "cannot be located: neither XDG_RUNTIME_DIR nor HOME is set".into(),
        hint: "set one of them, or pass --no-store".into(),
    })
}

/// The surroundings of a shell that keeps its leases at `own`, and the new place if it has to look elsewhere from now on.
/// Whatever XDG_RUNTIME_DIR becomes while the shell runs, its commands and renewals use the place that it looks at. That is
/// given up only if the parent directory is gone, as when a session ends and tmux stays, or if it is refused as unsafe and
/// there is another.
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

/// fish's clock: this file's time is the epoch, so `path mtime -R`, which prints its age, prints now.
pub const CLOCK: &str = "clock";

/// The prefix of the names of files that are being written.
const TEMPORARY: &str = ".new-";

impl Store {
    /// Opens the store, creating it if needed.
    ///
    /// # Errors
    /// `Error::Store` if it belongs to somebody else, is open to others or is a link: whoever made it could read the
    /// leases, or have a shell source a file of theirs.
    pub fn open(env: &Env) -> Result<Store> {
        let store = Store { dir: place(env)? };
        let dir = store.dir.as_path();
        match fs::symlink_metadata(dir) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => {
                // `~/.cache` may have to be created too.
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
            refuse("is open to other users", &format!("type `chmod 700 {}`", self.dir.display()))
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

    /// Loads the lease `id`, if there is one. What does not parse, is no regular file or may not be read is set aside as
    /// `ID.broken` and counts as none; the second value says so.
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
            // Somebody else may have set it aside by now, and a third put a good one in its place.
            if !same_file(&file, &path) {
                return self.load(id);
            }
        }
        let aside = self.path(id, "broken");
        let mut moved = fs::rename(&path, &aside);
        // An earlier `ID.broken` is in the way if it is a directory and this is a file, or the reverse.
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

    /// Every readable lease, sorted by the time it ends. An unreadable one stays, to be reported to whoever needs it.
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

    /// Writes the lease, and the files from which shells adopt it.
    ///
    /// # Errors
    /// A value that no shell may be given, or a failure of the disk.
    pub fn save(&self, lease: &Lease, env: &Env) -> Result<()> {
        let id = lease.request.id();
        let path = self.path(&id, "json");
        // Serialized first, so that a lease that cannot be (a path that is not UTF-8) leaves nothing behind.
        let json = serde_json::to_vec(lease).map_err(|error| Error::io("write", &path)(error.into()))?;
        let json = zeroize::Zeroizing::new(json);
        // The shells' files go first: if this process is killed in between, shells still get the new credentials.
        for shell in Shell::KINDS {
            // Not synced: only running shells use these files, and the next renewal writes them again.
            self.write(&self.path(&id, shell.lease_file()), shell.adopt(lease, env)?.expose().as_bytes(), false)?;
        }
        self.write(&path, &json, true)
    }

    /// Writes a file so that readers see the old content or the new: a temporary file created 0600, an fsync if it shall
    /// `last`, a rename.
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

    /// Takes the lock of the lease `id`, waiting until `until`; `None` if somebody else still has it then.
    ///
    /// # Errors
    /// The lock file cannot be created, or locked at all.
    pub fn lock(&self, id: &str, until: Instant) -> Result<Option<Lock>> {
        Lock::take(self.path(id, "lock"), until)
    }

    /// See [`lock::rests`].
    pub fn rests(&self, id: &str, now: Epoch) -> bool {
        lock::rests(&self.path(id, "lock"), now)
    }

    /// See [`lock::left`].
    pub fn left(&self, id: &str) -> Option<Failure> {
        lock::left(&self.path(id, "lock"))
    }

    /// See [`lock::held`].
    pub fn held(&self, id: &str, seconds: u64) -> Error {
        lock::held(&self.path(id, "lock"), seconds)
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
        // It may also have been cleared during the write. Whoever has taken a new lock by now writes the files anew.
        let id = lease.request.id();
        if !lock.stands() && self.lock(&id, Instant::now())?.is_some() {
            self.remove(&id)?;
        }
        Ok(())
    }

    /// Removes a lease with all its files; whether there was one. The lock goes first: a renewal that is writing finds it
    /// gone when it is done, and removes what it wrote.
    ///
    /// # Errors
    /// The first file that is there and cannot be removed. The others, which hold secrets, are gone.
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

    /// Removes what is of no more use: leases a week past their end (until then a shell that comes back can repeat them),
    /// and temporary files of writers that were killed over a minute ago. Called after `renewed` was saved, so that a store
    /// in use stays tidy; failures can wait.
    pub fn tidy(&self, env: &Env, renewed: &Lease) {
        for lease in self.all().unwrap_or_default() {
            let id = lease.request.id();
            // Not one that somebody is renewing now: the renewal would go with it.
            if env.now() - lease.expires > 7 * 24 * 3600
                && self.lock(&id, Instant::now()).is_ok_and(|lock| lock.is_some())
            {
                let _ = self.remove(&id);
            }
        }
        // By the clock that stamps the files: a file server's may be minutes off ours, and a live writer's file look
        // abandoned.
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

    /// Removes every lease, and what is left of others: of one that is being renewed, or whose writer was killed. Returns
    /// how many leases there were.
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

/// The endings of the names of a lease's files, in the order in which [`Store::remove`] removes them.
fn endings() -> impl Iterator<Item = &'static str> {
    ["lock"].into_iter().chain(Shell::KINDS.map(Shell::lease_file)).chain(["json", "broken"])
}

/// Whether this is a request id, 16 lower-case hexadecimal digits: it may come from the environment, and becomes part of a
/// path.
pub fn is_id(text: &str) -> bool {
    text.len() == 16 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

/// Reads a lease from a file; `None` if it does not hold one.
fn read(file: &mut File, id: &str) -> std::io::Result<Option<Lease>> {
    let mut bytes = zeroize::Zeroizing::new(Vec::new());
    file.read_to_end(&mut bytes)?;
    Ok(Lease::read(&bytes, id))
}
