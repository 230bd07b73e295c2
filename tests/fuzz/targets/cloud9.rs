//! The credentials file that Cloud9 writes, any bytes: it is recognized by its two header lines, however much of it was
//! read, and the keys that the SDK's parser finds in it are taken whole or refused.
#![no_main]

use aws_runtime::env_config::file::{EnvConfigFileKind, EnvConfigFiles};
use credsh_fuzz::config;
use credsh_fuzz::credentials::Credentials;
use credsh_fuzz::expect::{PART, SECRET, is_fit_to_say, is_taken_or_refused};
use libfuzzer_sys::fuzz_target;

const WARNING: &[u8] = b"# Do not modify this file, if this file is modified";

fuzz_target!(|bytes: &[u8]| {
    let head = &bytes[..bytes.len().min(1024)];
    assert_eq!(config::is_cloud9_head(head), is_cloud9(head));
    assert!(!config::is_cloud9_head(head) || config::is_cloud9_head(bytes), "more of it is no other file");

    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let keys = keys(text);
    if let Some(keys) = &keys {
        let values = [
            Some(&keys.access_key_id[..]),
            Some(keys.secret_access_key.expose()),
            keys.session_token.as_ref().map(|token| token.expose()),
        ];
        for line in values.into_iter().flatten().flat_map(str::lines) {
            assert!(text.contains(line), "{line:?} is nowhere in the file");
        }
        is_taken_or_refused(keys.clone());
    }
    // To the parser the two header lines are comments, and change nothing.
    let head = format!("{}.\n# {} #\n", String::from_utf8_lossy(WARNING), "0".repeat(64));
    assert!(config::is_cloud9_head(head.as_bytes()));
    // The SDK merges two sections of the same name in random order; Cloud9 writes only one.
    if text.lines().filter(|line| line.trim_start().starts_with('[') && line.contains("default")).count() < 2 {
        assert_eq!(self::keys(&format!("{head}{text}")), keys);
    }
    if !text.contains(PART) {
        self::keys(&format!("[default]\naws_secret_access_key = {SECRET}\n{text}"));
        self::keys(&format!("{text}\naws_secret_access_key = {SECRET}\n"));
    }
});

/// The default section's keys if the file can be read; otherwise checks that the error is fit to be shown.
fn keys(text: &str) -> Option<Credentials> {
    let files = EnvConfigFiles::builder().with_contents(EnvConfigFileKind::Credentials, text).build();
    match config::sections(&files) {
        Ok(sections) => config::keys_of(sections.get_profile("default")?),
        Err(error) => {
            is_fit_to_say(&error.to_string(), PART);
            None
        }
    }
}

/// Recognizes the two header lines by their bytes, independently of the code under test.
fn is_cloud9(head: &[u8]) -> bool {
    let mut lines = head.split(|b| *b == b'\n');
    let (Some(first), Some(second)) = (lines.next(), lines.next()) else { return false };
    // White space may follow the final `#`.
    let digest = second.get(2..66).unwrap_or_default();
    let end = second.get(66..).unwrap_or_default();
    let rest = String::from_utf8_lossy(end);
    first.starts_with(WARNING)
        && second.starts_with(b"# ")
        && digest.len() == 64
        && digest.iter().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
        && rest.starts_with(" #")
        && rest[2..].trim().is_empty()
}
