//! A token that stands in a file: the container endpoint's, a web identity's. Read anew each time, as both are rotated.

use crate::credentials::Secret;
use crate::error::{Error, Result};
use crate::ui;

/// Bytes. Tokens are under 4 KiB.
const LARGEST: u64 = 64 * 1024;

/// Reads a regular file of at most 64 KiB: a FIFO or a device would hold the shell up for ever, past every deadline.
/// `action` is what is done, as [`Error::io`] has it; `named_by` is what names the file, for the hint.
///
/// # Errors
/// `Config` for another kind of file, `Io` for one that cannot be read.
pub fn read(action: &'static str, path: &str, named_by: &str) -> Result<Secret> {
    let meta = std::fs::metadata(path).map_err(Error::io(action, path))?;
    if !meta.is_file() || meta.len() > LARGEST {
        return Err(Error::Config {
            what: format!("cannot {action} {}", ui::clean(path)),
            reason: "it is not a small regular file".into(),
            hint: Some(format!("check {named_by}")),
        });
    }
    std::fs::read_to_string(path).map(Secret::new).map_err(Error::io(action, path))
}
