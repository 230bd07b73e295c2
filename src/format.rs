//! What `credsh export` prints: one arm a format. The names are the standard ones behind a prefix.

use clap::ValueEnum;
use serde_json::{Value, json};

use crate::credentials::{Credentials, Secret};
use crate::env;
use crate::error::Result;
use crate::shell::Shell;
use crate::time;

/// `--format`'s values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// `export NAME='value'` lines, for sh, bash, zsh and their kin
    Env,
    /// `set -gx NAME 'value'` lines
    Fish,
    /// The object the container endpoint and the SDKs speak
    Json,
}

/// Renders the credentials.
///
/// # Errors
/// A value that the format cannot hold.
pub fn render(format: Format, credentials: &Credentials, prefix: &str) -> Result<Secret> {
    let lines = |shell: Shell| {
        let line = |(name, value): (&str, String)| shell.set(&format!("{prefix}{name}"), &value);
        variables(credentials).into_iter().map(line).collect::<Result<String>>()
    };
    let text = match format {
        Format::Env => lines(Shell::Bash)?,
        Format::Fish => lines(Shell::Fish)?,
        Format::Json => format!("{:#}\n", object(credentials)),
    };
    Ok(Secret::new(text))
}

/// Name and value of each variable, without prefix. What is not known is left out.
pub fn variables(credentials: &Credentials) -> Vec<(&'static str, String)> {
    let token = credentials.session_token.as_ref().map(|token| token.expose().to_owned());
    let some = [
        (env::ACCESS_KEY_ID, Some(credentials.access_key_id.clone())),
        (env::SECRET_ACCESS_KEY, Some(credentials.secret_access_key.expose().to_owned())),
        (env::SESSION_TOKEN, token),
        (env::EXPIRATION, credentials.expiration.map(time::format_rfc3339)),
    ];
    some.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

/// `Version` 1 makes it what `credential_process` must print, too.
fn object(credentials: &Credentials) -> Value {
    let mut object = json!({
        "Version": 1,
        "AccessKeyId": credentials.access_key_id,
        "SecretAccessKey": credentials.secret_access_key.expose(),
    });
    if let Some(token) = &credentials.session_token {
        object["SessionToken"] = token.expose().into();
    }
    if let Some(expiration) = credentials.expiration {
        object["Expiration"] = time::format_rfc3339(expiration).into();
    }
    object
}
