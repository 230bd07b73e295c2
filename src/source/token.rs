//! A token that stands in a file: the container endpoint's, a web identity's. Read anew each time, as both are rotated.

use std::path::Path;

use crate::config;
use crate::credentials::Secret;
use crate::error::{Error, Result};

/// Bytes. Tokens are under 4 KiB.
const LARGEST: u64 = 64 * 1024;

/// Reads it. `action` and `named_by` as to [`config::regular`].
///
/// # Errors
/// As there, or `Io`.
pub fn read(action: &'static str, path: &str, named_by: &str) -> Result<Secret> {
    config::regular(action, Path::new(path), LARGEST, named_by)?;
    std::fs::read_to_string(path).map(Secret::new).map_err(Error::io(action, path))
}
