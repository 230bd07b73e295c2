//! AWS Cloud9's managed temporary credentials: the `[default]` section of a credentials file that Cloud9 rewrites every
//! five minutes while the environment's owner has the IDE open. **Only ever read**: Cloud9 may stop updating a file that
//! anybody writes to, touches or locks.

use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use crate::config::{self, Files};
use crate::credentials::Credentials;
use crate::error::{Error, OPEN_THE_IDE, Result};
use crate::time::Epoch;

/// How long the credentials last, in seconds: 15 minutes by Cloud9's documentation. The file has no Expiration.
pub const LIFE: Epoch = 15 * 60;
/// The age in seconds at which the file is late: Cloud9 updates it every 5 minutes, and this allows one more.
const LATE: Epoch = 6 * 60;

/// Reads the file. The credentials end 15 minutes after it was written.
pub fn read(file: &Path) -> Result<Credentials> {
    let broken = |reason: &str| Error::Config {
        what: format!("Cloud9's managed credentials in {}", file.display()),
        reason: reason.into(),
        hint: Some(OPEN_THE_IDE.into()),
    };
    let written = written(file).ok_or_else(|| broken("cannot be read"))?;
    if !config::is_cloud9(file) {
        return Err(broken("are gone: the file is no longer one that Cloud9 manages"));
    }
    let files = Files { config: None, credentials: Some(PathBuf::from(file)) };
    let keys = config::keys(&files, "default")?.ok_or_else(|| broken("hold no default section with keys"))?;
    Ok(Credentials { expiration: Some(written + LIFE), ..keys })
}

/// How many minutes ago the file was last written, if its next update is late.
pub fn late(file: &Path, now: Epoch) -> Option<Epoch> {
    let age = now - written(file)?;
    (age > LATE).then_some(age / 60)
}

/// When the file was last written, in epoch seconds; `None` if it cannot be looked at.
pub fn written(file: &Path) -> Option<Epoch> {
    let since = std::fs::metadata(file).ok()?.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    since.as_secs().try_into().ok()
}
