//! What `credsh export` prints, one arm for each format. Names are the standard ones behind a prefix; shapes are those of
//! `aws configure export-credentials`, but quoted, which is up to `shell`.

use clap::ValueEnum;
use serde::Serialize;

use crate::credentials::{Credentials, Secret};
use crate::env;
use crate::error::{Error, Result};
use crate::shell::Grammar;
use crate::time;

/// The values of `--format`; clap shows the variants' comments as help.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// `export NAME='value'` lines, for sh, bash, zsh and similar shells
    Env,
    /// `NAME='value'` lines: not exported
    EnvNoExport,
    /// `set -gx NAME 'value'` lines
    Fish,
    /// The JSON object that a credential_process prints for the SDKs
    Process,
    /// The same as process
    Json,
    /// NAME=value lines without quotes, for docker --env-file and podman --env-file
    EnvFile,
    /// A section of a credentials file
    Ini,
    /// `$Env:NAME='value'` lines
    Powershell,
    /// `set "NAME=value"` lines, for cmd.exe
    WindowsCmd,
    /// `set-env NAME 'value'` lines
    Elvish,
    /// A record: credsh export --format nu | from json | load-env
    Nu,
}

/// Renders the credentials. The result holds their secrets.
///
/// # Errors
/// `Error::Value` for a value that the format cannot hold, `Error::Flag` for a prefix in a format with fixed names.
pub fn render(format: Format, credentials: &Credentials, prefix: &str) -> Result<Secret> {
    let lines = |line: &dyn Fn(&str, &str) -> Result<String>| {
        let lines =
            variables(credentials).into_iter().map(|(name, value)| line(&format!("{prefix}{name}"), value.expose()));
        lines.collect::<Result<String>>()
    };
    if !prefix.is_empty() && matches!(format, Format::Process | Format::Json | Format::Ini) {
        let reason = "does not apply to this --format: programs look for its fixed names".into();
        return Err(Error::Flag { flag: "--prefix", reason });
    }
    let text = match format {
        Format::Env => lines(&|name, value| Grammar::Posix.set(name, value, true))?,
        Format::EnvNoExport => lines(&|name, value| Grammar::Posix.set(name, value, false))?,
        Format::Fish => lines(&|name, value| Grammar::Fish.set(name, value, true))?,
        Format::Elvish => lines(&|name, value| Grammar::Elvish.set(name, value, true))?,
        Format::Powershell => lines(&|name, value| Grammar::PowerShell.set(name, value, true))?,
        Format::WindowsCmd => lines(&|name, value| Grammar::Cmd.set(name, value, true))?,
        // docker and podman take everything after the first `=` literally, so quotes would become part of the value.
        Format::EnvFile => lines(&|name, value| Ok(format!("{name}={value}\n")))?,
        Format::Nu => json(
            &variables(credentials)
                .into_iter()
                .map(|(name, value)| (format!("{prefix}{name}"), value))
                .collect::<std::collections::BTreeMap<_, _>>(),
        )?,
        Format::Process | Format::Json => json(&Process::of(credentials, Some(1)))?,
        Format::Ini => ini(credentials)?,
    };
    Ok(Secret::new(text))
}

/// The name, without prefix, and value of each variable. Unknown ones are left out.
pub fn variables(credentials: &Credentials) -> Vec<(&'static str, Secret)> {
    let some = [
        (env::ACCESS_KEY_ID, Some(Secret::new(&*credentials.access_key_id))),
        (env::SECRET_ACCESS_KEY, Some(credentials.secret_access_key.clone())),
        (env::SESSION_TOKEN, credentials.session_token.clone()),
        (env::EXPIRATION, credentials.expiration.map(|time| Secret::new(time::format_rfc3339(time)))),
    ];
    some.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

/// The JSON that a `credential_process` prints (AWS SDKs and Tools Reference, "Process credential provider").
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Process<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<u8>,
    access_key_id: &'a str,
    secret_access_key: &'a Secret,
    #[serde(skip_serializing_if = "Option::is_none")]
    session_token: Option<&'a Secret>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expiration: Option<String>,
}

impl<'a> Process<'a> {
    fn of(credentials: &'a Credentials, version: Option<u8>) -> Process<'a> {
        Process {
            version,
            access_key_id: &credentials.access_key_id,
            secret_access_key: &credentials.secret_access_key,
            session_token: credentials.session_token.as_ref(),
            expiration: credentials.expiration.map(time::format_rfc3339),
        }
    }
}

/// The JSON with which CloudShell's container endpoint answers or, with `role`, which `aws sts assume-role` prints: scripts
/// read the fields by these names.
///
/// # Errors
/// As [`render`].
pub fn answer(credentials: &Credentials, role: bool) -> Result<Secret> {
    let text = if role {
        json(&Assumed { credentials: Process::of(credentials, None) })
    } else {
        json(&Endpoint::of(credentials))
    };
    text.map(Secret::new)
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Endpoint<'a> {
    r#type: &'static str,
    access_key_id: &'a str,
    secret_access_key: &'a Secret,
    token: Option<&'a Secret>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expiration: Option<String>,
    code: &'static str,
}

impl<'a> Endpoint<'a> {
    fn of(credentials: &'a Credentials) -> Endpoint<'a> {
        Endpoint {
            r#type: "",
            access_key_id: &credentials.access_key_id,
            secret_access_key: &credentials.secret_access_key,
            token: credentials.session_token.as_ref(),
            expiration: credentials.expiration.map(time::format_rfc3339),
            code: "Success",
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Assumed<'a> {
    credentials: Process<'a>,
}

fn json(value: &impl Serialize) -> Result<String> {
    let text = serde_json::to_string_pretty(value).map_err(|error| Error::io("write", "the JSON")(error.into()))?;
    Ok(text + "\n")
}

/// A section of a credentials file. Parsers of such files cut a value off at ` #` and ` ;` and strip white space at its
/// ends; in Python, and so in botocore, that includes U+00A0 and U+3000.
fn ini(credentials: &Credentials) -> Result<String> {
    let mut lines = vec!["[credsh]".to_owned()];
    for (name, value) in variables(credentials).into_iter().filter(|(name, _)| *name != env::EXPIRATION) {
        let value = value.expose();
        if value.contains(|c: char| c.is_whitespace() || c == '#' || c == ';') {
            let reason = "contains a space, # or ;, which a credentials file cannot hold";
            return Err(Error::Value { what: name.into(), reason });
        }
        lines.push(format!("{} = {value}", name.to_lowercase()));
    }
    Ok(lines.join("\n") + "\n")
}
