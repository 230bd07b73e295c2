//! The store's files, opened and removed so that nothing that somebody else has put in their place does harm. What is in
//! them is up to `store` and `lock`.

use std::fs::{self, File, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::OFlags;

use crate::error::{Error, Result};

/// Opens a file of the store; `None` if it is something else, or may not be opened. A FIFO must not block, and a link could
/// name any file, whose time would then be set as the clock's.
pub fn open(path: &Path, options: &mut OpenOptions) -> std::io::Result<Option<File>> {
    let flags = (OFlags::NONBLOCK | OFlags::NOFOLLOW).bits();
    match options.custom_flags(flags.cast_signed()).open(path) {
        Ok(file) => Ok(file.metadata()?.is_file().then_some(file)),
        Err(error) => match fs::symlink_metadata(path) {
            Ok(meta) if !meta.is_file() || error.kind() == ErrorKind::PermissionDenied => Ok(None),
            _ => Err(error),
        },
    }
}

/// Opens the lock or the clock, creating it if needed. Anything else in its place is removed: neither holds anything of
/// value.
pub fn create(path: &Path) -> Result<File> {
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

/// Removes a file or what is in its place; a directory only if empty, as its content would not be credsh's.
pub fn discard(path: &Path) -> std::io::Result<()> {
    fs::remove_file(path).or_else(|error| fs::remove_dir(path).map_err(|_| error))
}

/// Whether `path` still names this open file; a symlink is followed.
pub fn same_file(file: &File, path: &Path) -> bool {
    let (Ok(open), Ok(there)) = (file.metadata(), fs::metadata(path)) else { return false };
    (open.dev(), open.ino()) == (there.dev(), there.ino())
}
