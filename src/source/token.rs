//! Reads a token from a file: the container endpoint's, a web identity's. It is read anew each time, as both are rotated.

use std::path::Path;

use crate::config;
use crate::credentials::Secret;
use crate::error::{Error, Result};

/// The largest token, in bytes. Real ones are under 4 KiB.
const LARGEST: u64 = 64 * 1024;

/// Reads the token at `path`. `action` and `named_by` are as for [`config::regular`].
///
/// # Errors
/// As [`config::regular`], or `Error::Io`.
pub fn read(action: &'static str, path: &str, named_by: &str) -> Result<Secret> {
    config::regular(action, Path::new(path), LARGEST, named_by)?;
    std::fs::read_to_string(path).map(Secret::new).map_err(Error::io(action, path))
}
