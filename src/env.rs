//! The process's surroundings, read once in `main` and handed in: environment variables, clock, home, own path. Nothing
//! else in the crate reads them, so a test can hand in others.

use std::collections::HashMap;
use std::ffi::OsString;
use std::hash::{BuildHasher, RandomState};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::credentials::{Credentials, Secret};
use crate::time::{self, Epoch};

/// The request id of the lease that this shell keeps renewing: 16 lower-case hexadecimal digits.
pub const LEASE: &str = "CREDSH_LEASE";
/// The source's label, for the prompt of the shell that holds the lease.
pub const SOURCE: &str = "CREDSH_SOURCE";
/// The text of the whole prompt indicator, likewise.
pub const PROMPT: &str = "CREDSH_PROMPT";
/// The state of the hook, as the shell's `credsh` function reports it to `credsh doctor`: the shell's name, then `prompt`
/// and `preexec` if those are in place, and `not-last` if another prompt hook follows.
pub const HOOK: &str = "CREDSH_HOOK";
/// How long a renewal may hold up a command, in seconds: 1 to 60, default 3.
pub const WAIT: &str = "CREDSH_WAIT";
/// The profiles, as words, whose `credential_process` this process runs in. Only set for such a process, so that a credsh
/// in it does not ask the same profile again.
pub const ASKING: &str = "CREDSH_ASKING";
/// A private directory in memory; the store goes there if it exists.
pub const RUNTIME_DIR: &str = "XDG_RUNTIME_DIR";
/// The user's time zone, if it differs from the machine's.
const ZONE: &str = "TZ";
/// Disables colour, whatever the terminal supports (the `NO_COLOR` convention: set and not empty).
pub const NO_COLOR: &str = "NO_COLOR";
/// AWS: the container endpoint, as a full URL (CloudShell, EKS).
pub const CONTAINER_FULL: &str = "AWS_CONTAINER_CREDENTIALS_FULL_URI";
/// AWS: the same as a path on 169.254.170.2 (ECS). It wins over [`CONTAINER_FULL`], as in botocore and the Rust SDK.
pub const CONTAINER_RELATIVE: &str = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI";
/// The value of the `Authorization` header for the container endpoint. A secret.
pub const CONTAINER_TOKEN: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN";
/// A file that holds the same value. It wins over the variable, and is read anew each time, as EKS rotates it.
pub const CONTAINER_TOKEN_FILE: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE";
/// AWS: the standard variables of a set of credentials.
pub const ACCESS_KEY_ID: &str = "AWS_ACCESS_KEY_ID";
/// See [`ACCESS_KEY_ID`].
pub const SECRET_ACCESS_KEY: &str = "AWS_SECRET_ACCESS_KEY";
/// See [`ACCESS_KEY_ID`].
pub const SESSION_TOKEN: &str = "AWS_SESSION_TOKEN";
/// The session token's old name, which botocore still reads.
pub const SECURITY_TOKEN: &str = "AWS_SECURITY_TOKEN";
/// When these credentials end, in RFC 3339. botocore, the JavaScript SDK and starship read it.
pub const EXPIRATION: &str = "AWS_CREDENTIAL_EXPIRATION";
/// AWS: the profile. AWS CLI v2 looks at the first name before the second; boto3 does the opposite.
pub const PROFILE: [&str; 2] = ["AWS_PROFILE", "AWS_DEFAULT_PROFILE"];
/// AWS: the region. The first that is set wins (the order of AWS CLI v2).
pub const REGION: [&str; 2] = ["AWS_REGION", "AWS_DEFAULT_REGION"];
/// AWS: an STS endpoint other than the default. The first that is set wins.
pub const STS_ENDPOINT: [&str; 2] = ["AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL"];
/// `true` selects the endpoints with FIPS 140 cryptography.
pub const USE_FIPS: &str = "AWS_USE_FIPS_ENDPOINT";
/// `true` selects the dual-stack endpoints, which can be reached over IPv6 too.
pub const USE_DUALSTACK: &str = "AWS_USE_DUALSTACK_ENDPOINT";
/// `true` makes every SDK ignore [`STS_ENDPOINT`] and the endpoints that a profile configures.
pub const IGNORE_ENDPOINTS: &str = "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS";
/// AWS: web identity, that is `sts:AssumeRoleWithWebIdentity` with the token in this file.
pub const WEB_IDENTITY_TOKEN_FILE: &str = "AWS_WEB_IDENTITY_TOKEN_FILE";
/// See [`WEB_IDENTITY_TOKEN_FILE`].
pub const ROLE_ARN: &str = "AWS_ROLE_ARN";
/// See [`WEB_IDENTITY_TOKEN_FILE`].
pub const ROLE_SESSION_NAME: &str = "AWS_ROLE_SESSION_NAME";
/// `true` keeps every SDK from querying the EC2 metadata service.
pub const NO_IMDS: &str = "AWS_EC2_METADATA_DISABLED";
/// AWS: an address for the EC2 metadata service other than the default.
pub const IMDS_ENDPOINT: &str = "AWS_EC2_METADATA_SERVICE_ENDPOINT";
/// AWS: `IPv4` or `IPv6`, to choose the default address when [`IMDS_ENDPOINT`] is not set.
pub const IMDS_MODE: &str = "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE";
/// AWS: the file to read instead of `~/.aws/config`.
pub const CONFIG_FILE: &str = "AWS_CONFIG_FILE";
/// AWS: the file to read instead of `~/.aws/credentials`.
pub const CREDENTIALS_FILE: &str = "AWS_SHARED_CREDENTIALS_FILE";
/// A PEM file of certificates to trust instead of the system's. The AWS CLI honours it and the Rust SDK does not.
pub const CA_BUNDLE: &str = "AWS_CA_BUNDLE";
/// The same variable of Python's requests library, which older versions of the AWS CLI used.
pub const REQUESTS_CA_BUNDLE: &str = "REQUESTS_CA_BUNDLE";
/// Those of these variables that hold a file's path, which may be relative.
pub const FILES: [&str; 6] =
    [CONTAINER_TOKEN_FILE, WEB_IDENTITY_TOKEN_FILE, CONFIG_FILE, CREDENTIALS_FILE, CA_BUNDLE, REQUESTS_CA_BUNDLE];
/// The login shell. `demo` opens it, and `doctor` words its advice for it if no hook names the shell.
pub const SHELL: &str = "SHELL";

/// The command line, environment variables, clock and randomness of one run.
#[derive(Clone)]
pub struct Env {
    vars: HashMap<String, String>,
    words: Vec<OsString>,
    clock: fn() -> SystemTime,
    chance: RandomState,
}

impl Env {
    /// Reads what this process was started with. Variables that are not UTF-8 are left out; AWS's values are all ASCII.
    #[allow(clippy::disallowed_methods, reason = "the one place")]
    pub fn of_process() -> Self {
        let text = |(name, value): (OsString, OsString)| Some((name.into_string().ok()?, value.into_string().ok()?));
        let vars = std::env::vars_os().filter_map(text).collect();
        let words = std::env::args_os().collect();
        Env { vars, words, clock: SystemTime::now, chance: RandomState::new() }
    }

    /// The command line, beginning with the program's own name.
    pub fn words(&self) -> &[OsString] {
        &self.words
    }

    /// A variable's value. Empty counts as unset, as in the Go SDK, the AWS CLI and the minds of most shell users.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.vars.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Whether one of AWS's boolean variables is on: `true` in any case; every other value means off.
    pub fn is_true(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.vars.keys().map(String::as_str)
    }

    /// The value of the first of these names that is set.
    pub fn first(&self, names: &[&str]) -> Option<&str> {
        names.iter().find_map(|name| self.get(name))
    }

    /// The same surroundings with one variable set to another value.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.vars.insert(name.into(), value.into());
        self
    }

    /// The same surroundings without the standard credential variables, for when these hold credsh's own output, which must
    /// not be taken for a source.
    #[must_use]
    pub fn without_keys(mut self) -> Self {
        for name in [ACCESS_KEY_ID, SECRET_ACCESS_KEY, SESSION_TOKEN, EXPIRATION] {
            self.vars.remove(name);
        }
        self
    }

    /// The credentials in the standard variables.
    pub fn keys(&self) -> Option<Credentials> {
        Some(Credentials {
            access_key_id: self.get(ACCESS_KEY_ID)?.into(),
            secret_access_key: Secret::new(self.get(SECRET_ACCESS_KEY)?),
            session_token: self.first(&[SESSION_TOKEN, SECURITY_TOKEN]).map(Secret::new),
            expiration: self.get(EXPIRATION).and_then(time::parse_rfc3339),
        })
    }

    /// Whether an AWS SDK would find a container endpoint configured here.
    pub fn in_container(&self) -> bool {
        self.get(CONTAINER_FULL).is_some() || self.get(CONTAINER_RELATIVE).is_some()
    }

    /// The clock, in whole seconds of the epoch.
    pub fn now(&self) -> Epoch {
        let since = (self.clock)().duration_since(UNIX_EPOCH).unwrap_or_default();
        Epoch::try_from(since.as_secs()).unwrap_or(Epoch::MAX)
    }

    /// Identifies the time zone of [`time_of_day`]: `=` and the value of `TZ`, or an empty text if that is unset, which is
    /// not the same as set to nothing.
    pub fn zone(&self) -> String {
        self.vars.get(ZONE).map_or(String::new(), |zone| format!("={zone}"))
    }

    /// A number in 0..1, for jitter; the same for the whole run. `RandomState` is seeded by the system, which suffices to
    /// keep two shells apart and needs no crate.
    pub fn random(&self) -> f64 {
        let bits = self.chance.hash_one(0_u8) >> 40;
        f64::from(u32::try_from(bits).unwrap_or(0)) / f64::from(1 << 24)
    }

    /// How this program was called, as a path that survives an upgrade: the name found in `PATH`, with links unresolved.
    /// `/proc/self/exe` would name the file of one version, which a package manager removes.
    pub fn exe(&self) -> PathBuf {
        let argv0 = self.words.first().map(PathBuf::from).unwrap_or_default();
        let found = which::which(&argv0).ok().and_then(|path| std::path::absolute(path).ok());
        found.or_else(|| std::env::current_exe().ok()).unwrap_or(argv0)
    }

    /// The file that `variable` names, as an absolute path: a background renewal has another working directory. A leading
    /// `~/` means the home directory, as in the AWS CLI.
    pub fn path(&self, variable: &str) -> Option<PathBuf> {
        let given = self.get(variable)?;
        let home = self.get("HOME").zip(given.strip_prefix("~/")).map(|(home, rest)| Path::new(home).join(rest));
        let path = home.unwrap_or_else(|| PathBuf::from(given));
        Some(std::path::absolute(&path).unwrap_or(path))
    }

    /// `~/.aws/NAME`, or the file that `variable` names instead.
    pub fn aws_file(&self, variable: &str, name: &str) -> Option<PathBuf> {
        self.path(variable).or_else(|| self.get("HOME").map(|home| Path::new(home).join(".aws").join(name)))
    }
}

/// The user's time of day at `time`, 24 hours: `14:32`. jiff itself reads `TZ` and the machine's zone files; without them
/// it is UTC, as in the C library.
pub fn time_of_day(time: Epoch) -> Option<String> {
    let time = jiff::Timestamp::from_second(time).ok()?;
    Some(jiff::tz::TimeZone::system().to_datetime(time).strftime("%H:%M").to_string())
}

/// The machine's name, as `uname -n` prints it; a container has its own.
pub fn host() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}
