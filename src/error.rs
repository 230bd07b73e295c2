//! What can go wrong, with one variant for each cause. The message is made here, and the advice (`hint`) and the exit
//! status (`Kind`) are kept apart from it. Printing is up to `ui`, exiting to `main`.
//!
//! A variant holds what failed and on what, and never a secret: text from an answer comes in only through `ui::clean`,
//! after `redact` where secrets were sent, and only if it is known to be an error's text.

use std::fmt;
use std::path::PathBuf;

/// `std::result::Result` with this crate's error.
pub type Result<T> = std::result::Result<T, Error>;

/// Decides the exit status, and whether the hook reports a failure or silently tries again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// 1: it failed, for a reason with no status of its own.
    Failed,
    /// 2: the command line was wrong (the status that clap uses for the same).
    Usage,
    /// 3: no source of credentials was found.
    NoSource,
    /// 4: AWS, or the endpoint, refused. Trying again will not help.
    Denied,
    /// 127, as in a shell: there is no such command.
    NotFound,
    /// 126, as in a shell: the command exists but cannot be run.
    NotRunnable,
    /// 5: the source could not be reached, or its answer broke its contract.
    Unreachable,
}

impl Kind {
    /// The process exit status.
    pub fn status(self) -> u8 {
        match self {
            Kind::Failed => 1,
            Kind::Usage => 2,
            Kind::NoSource => 3,
            Kind::Denied => 4,
            Kind::Unreachable => 5,
            Kind::NotRunnable => 126,
            Kind::NotFound => 127,
        }
    }
}

/// A failure, its cause, and what to do about it.
#[derive(Debug)]
pub enum Error {
    /// The value of a flag cannot be accepted, or not beside the others.
    Flag { flag: &'static str, reason: String },
    /// `looked` lists each place that was tried, and what was or was not there.
    NoSource { looked: Vec<String> },
    /// A source is configured but unusable: `what` failed because of `reason`.
    Config { what: String, reason: String, hint: Option<String> },
    /// The request never got an answer.
    Unreachable { source: String, reason: String },
    /// The same, because `host` has no address. It is the source's host, or that of the proxy in front of it.
    Unresolved { source: String, host: String, reason: String },
    /// The answer was an error: its HTTP status, and what the body said about it.
    Answer { source: String, status: u16, message: String, hint: Option<String> },
    /// A 200 whose body breaks the contract, or holds unusable credentials.
    BadAnswer { source: String, reason: String },
    /// AWS refused `operation` with the error `code`; `advice` is credsh's own. `denied` if trying again will not help.
    Aws { operation: &'static str, code: String, message: String, advice: Option<String>, denied: bool },
    /// Another credsh asked the source on our behalf and failed; `note` is its message.
    Shared { note: String, denied: bool },
    /// A person has to answer, and either may not be asked (in a hook) or is not there.
    NeedsPerson { what: String, hint: String },
    /// The source did not answer in time; `seconds` is the whole wait.
    Deadline { what: String, seconds: u64 },
    /// Another credsh, process `holder`, had the lease's lock for the whole wait of `seconds`, perhaps because it `asks` a
    /// person.
    Held { holder: Option<u32>, asks: bool, seconds: u64 },
    /// The store is not safe to use, or has no place to be.
    Store { path: PathBuf, reason: String, hint: String },
    /// A file operation or a system call failed; the message reads "cannot {action} {path}".
    Io { action: &'static str, path: PathBuf, source: std::io::Error },
    /// A value that no shell may be given, or that the output format cannot hold.
    Value { what: String, reason: &'static str },
    /// No lease is held.
    NoLease { hint: &'static str },
    /// The lease that this shell names, by its id, is not in the store.
    LeaseGone { id: String },
    /// A program could not be run.
    Run { program: String, source: std::io::Error },
    /// Neither docker nor podman was found, or not the engine that was named; or it is `there`, but is not a program.
    NoEngine { reason: String, there: bool },
    /// A container engine's `command` that takes no variables for a container; with `compose`, one of `compose`'s.
    NoVariables { command: String, compose: bool },
    /// The session that `demo` plays did not show what it has to.
    Demo { missing: String },
}

/// How to make Cloud9 write its managed credentials.
pub const OPEN_THE_IDE: &str =
    "open the Cloud9 IDE as the environment's owner, and check Preferences > AWS Settings > Credentials";

impl Error {
    /// Makes an error of a file operation that failed: `action` completes "cannot {action} {path}".
    pub fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Error {
        let path = path.into();
        move |source| Error::Io { action, path, source }
    }

    /// What the failure means for the exit status.
    pub fn kind(&self) -> Kind {
        match self {
            Error::Flag { .. } | Error::NoVariables { .. } => Kind::Usage,
            Error::NoSource { .. } => Kind::NoSource,
            Error::Unreachable { .. }
            | Error::Unresolved { .. }
            | Error::BadAnswer { .. }
            | Error::Deadline { .. }
            | Error::Held { .. } => Kind::Unreachable,
            Error::Answer { status: 400 | 401 | 403 | 404, .. } => Kind::Denied,
            Error::Answer { .. } => Kind::Unreachable,
            Error::Aws { denied: true, .. } | Error::Shared { denied: true, .. } => Kind::Denied,
            Error::Aws { .. } | Error::Shared { .. } => Kind::Unreachable,
            Error::Run { source, .. } if source.kind() == std::io::ErrorKind::NotFound => Kind::NotFound,
            Error::NoEngine { there: false, .. } => Kind::NotFound,
            Error::Run { .. } | Error::NoEngine { .. } => Kind::NotRunnable,
            Error::Config { .. }
            | Error::NeedsPerson { .. }
            | Error::Store { .. }
            | Error::Io { .. }
            | Error::Value { .. }
            | Error::NoLease { .. }
            | Error::LeaseGone { .. }
            | Error::Demo { .. } => Kind::Failed,
        }
    }

    /// Whether AWS does not, or no longer does, accept the key that signed the request.
    pub fn disowns_key(&self) -> bool {
        const CODES: [&str; 4] =
            ["ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "UnrecognizedClientException"];
        matches!(self, Error::Aws { code, .. } if CODES.contains(&code.as_str()))
    }

    /// What to do about it, for the `hint: ` line; `None` if the message says it all.
    pub fn hint(&self) -> Option<String> {
        match self {
            Error::NoSource { .. } => Some(
                "name one with --profile, --role or --source; in AWS CloudShell, where sudo and cron drop the container variables, run `export AWS_CONTAINER_CREDENTIALS_FULL_URI=http://localhost:1338/latest/meta-data/container/security-credentials`".into(),
            ),
            Error::Config { hint, .. } | Error::Answer { hint, .. } => hint.clone(),
            Error::Unreachable { source, .. } | Error::Deadline { what: source, .. } if source.starts_with("the container") => {
                Some("check that AWS_CONTAINER_CREDENTIALS_FULL_URI is set to this environment's endpoint, and try again".into())
            }
            Error::Unreachable { reason, .. } if reason.ends_with("UnknownIssuer") => Some(
                "if a proxy here intercepts TLS, set AWS_CA_BUNDLE or the profile's ca_bundle to a PEM file with its CA certificate".into(),
            ),
            Error::Unreachable { source, .. } | Error::Deadline { what: source, .. } if source == "AWS STS" => {
                Some("check the network, HTTPS_PROXY and AWS_ENDPOINT_URL_STS, and try again".into())
            }
            Error::Unresolved { .. } => Some(
                "check the region (--region, AWS_REGION or the profile's), then the network, HTTPS_PROXY and AWS_ENDPOINT_URL_STS".into(),
            ),
            Error::BadAnswer { source, .. } if source == "Cloud9" => Some(OPEN_THE_IDE.into()),
            Error::Unreachable { source, .. } | Error::Deadline { what: source, .. } if source == "the EC2 metadata service" => {
                Some("it gives credentials only on an EC2 instance with a role, and to a container there only if the instance's metadata hop limit is at least 2".into())
            }
            Error::Aws { advice, .. } => advice.clone(),
            Error::NeedsPerson { hint, .. } | Error::Store { hint, .. } => Some(hint.clone()),
            Error::Held { holder, asks, .. } => {
                let it = holder.map_or("it".into(), |holder| format!("process {holder}"));
                Some(format!("{}, or end {it}", if *asks { "answer it there" } else { "if it is a stopped job, resume it with `fg`" }))
            }
            Error::NoEngine { .. } => Some("install one, or name it with --engine".into()),
            Error::NoVariables { command, compose: true } => Some(format!(
                "`credsh exec -- {command}` sets them for compose, which passes a service the ones that its file lists under `environment:`"
            )),
            Error::NoVariables { command, .. } => {
                Some(format!("`credsh exec -- {command}` runs it with the credentials in its own environment"))
            }
            Error::NoLease { hint } => Some((*hint).into()),
            Error::LeaseGone { .. } => Some(
                "name the credentials to use (--role, --profile, --source); to use what this environment offers, drop the lease first: `credsh clear` in a shell with the hook, `unset CREDSH_LEASE` in any other".into(),
            ),
            _ => None,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Flag { flag, reason } => write!(f, "{flag}: {reason}"),
            Error::NoSource { looked } => {
                write!(f, "no credentials source was found; looked for:")?;
                looked.iter().try_for_each(|place| write!(f, "\n  - {place}"))
            }
            Error::Config { what, reason, .. } => write!(f, "{what}: {reason}"),
            Error::Unreachable { source, reason } => write!(f, "cannot reach {source}: {reason}"),
            Error::Unresolved { source, host, reason } => {
                write!(f, "cannot reach {source}: {host} cannot be resolved: {reason}")
            }
            Error::Answer { source, status, message, .. } if message.is_empty() => {
                write!(f, "{source} answered with status {status}")
            }
            Error::Answer { source, status, message, .. } => {
                write!(f, "{source} answered with status {status}: {message}")
            }
            Error::BadAnswer { source, reason } => write!(f, "{source} gave no usable credentials: {reason}"),
            Error::Aws { operation, code, message, .. } if code.is_empty() => {
                write!(f, "{operation} failed: {message}")
            }
            Error::Aws { operation, code, message, .. } => write!(f, "{operation} failed with {code}: {message}"),
            Error::Shared { note, .. } => write!(f, "the renewal failed: {note}"),
            Error::NeedsPerson { what, .. } => write!(f, "{what}"),
            // Earlier steps may leave less than half a second of a wait, and "within 0 s" would make no sense.
            Error::Deadline { what, seconds } => write!(f, "{what} did not answer within {} s", seconds.max(&1)),
            Error::Held { holder, asks, seconds } => {
                let process = holder.map(|holder| format!(" (process {holder})")).unwrap_or_default();
                let may = if *asks { "; it may be asking you something in another terminal" } else { "" };
                write!(f, "another credsh{process} is renewing this lease, and did not finish within {seconds} s{may}")
            }
            Error::Store { path, reason, .. } if path.as_os_str().is_empty() => write!(f, "the store {reason}"),
            Error::Store { path, reason, .. } => write!(f, "the store {} {reason}", path.display()),
            Error::Io { action, path, source } => {
                write!(f, "cannot {action} {}: {}", path.display(), lower(&source.to_string()))
            }
            Error::Run { program, source } => write!(f, "cannot run {program}: {}", lower(&source.to_string())),
            Error::NoEngine { reason, .. } => write!(f, "cannot run a container engine: {reason}"),
            Error::Value { what, reason } => write!(f, "{what} {reason}"),
            Error::NoVariables { command, .. } => {
                write!(f, "{command} takes no variables; only run, create, exec, compose run and compose exec do")
            }
            Error::NoLease { .. } => write!(f, "no lease is held"),
            Error::LeaseGone { id } => write!(
                f,
                "this shell's lease {id} is not in the store: it was cleared, belongs to another user, or was never stored (--no-store)"
            ),
            Error::Demo { missing } => write!(f, "the demo did not show: {missing}"),
        }
    }
}

/// A foreign message in credsh's style: lower case at the start, and without the "(os error 2)" that is no use to anyone.
/// Only the capital of an ordinary word goes: `No such file`, but not `AWS_CA_BUNDLE`, `RPC struct is bad` or `ProfileFile
/// provider`.
pub fn lower(text: &str) -> String {
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut chars = text.chars();
    let name = text.split(' ').next().is_some_and(|word| word.chars().skip(1).any(char::is_uppercase));
    match (chars.next(), chars.clone().next()) {
        (Some(first), Some(second)) if second.is_lowercase() && !name => first.to_lowercase().chain(chars).collect(),
        _ => text.into(),
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::Io { source, .. } | Error::Run { source, .. } => Some(source),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_keeps_its_capitals() {
        for (text, lowered) in [
            ("No such file or directory (os error 2)", "no such file or directory"),
            ("AWS_CA_BUNDLE is empty", "AWS_CA_BUNDLE is empty"),
            ("RPC struct is bad", "RPC struct is bad"),
            ("ProfileFile provider could not be built", "ProfileFile provider could not be built"),
        ] {
            assert_eq!(lower(text), lowered);
        }
    }
}
