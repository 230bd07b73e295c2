//! The process's surroundings, read once in `main` and handed in: environment variables, clock, home,
//! own path. Nothing else in the crate reads them, so that a test can hand in others.

use std::collections::HashMap;
use std::ffi::OsString;
use std::hash::{BuildHasher, RandomState};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::credentials::{Credentials, Secret};
use crate::time::{self, Epoch};

/// The request id of the lease this shell goes on renewing: 16 lower-case hexadecimal digits.
pub const LEASE: &str = "CREDSH_LEASE";
/// The source's label and the indicator's text, for the prompt of the shell that holds the lease.
pub const SOURCE: &str = "CREDSH_SOURCE";
/// See [`SOURCE`].
pub const PROMPT: &str = "CREDSH_PROMPT";
/// What a shell's `credsh` function says of its hook to `credsh doctor`: its name, then `prompt` and `preexec` if they are
/// in place, and `not-last` if another prompt hook follows.
pub const HOOK: &str = "CREDSH_HOOK";
/// How long a command may be held up by a renewal, in seconds; default 3.
pub const WAIT: &str = "CREDSH_WAIT";
/// The profiles whose `credential_process` this process runs in, as words; set for that only, so that a credsh in it does not
/// ask the same profile again.
pub const ASKING: &str = "CREDSH_ASKING";
/// `XDG_RUNTIME_DIR`: a private directory in memory, where the store is kept if there is one.
pub const RUNTIME_DIR: &str = "XDG_RUNTIME_DIR";
/// The user's time zone, where it is not the machine's.
const ZONE: &str = "TZ";
/// No colour, whatever the terminal can do (the `NO_COLOR` convention: set and not empty).
pub const NO_COLOR: &str = "NO_COLOR";
/// AWS: the container endpoint, whole (CloudShell, EKS) or as a path on 169.254.170.2 (ECS).
pub const CONTAINER_FULL: &str = "AWS_CONTAINER_CREDENTIALS_FULL_URI";
/// See [`CONTAINER_FULL`]; this one wins, as in botocore and the Rust SDK.
pub const CONTAINER_RELATIVE: &str = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI";
/// The `Authorization` header's value. A secret.
pub const CONTAINER_TOKEN: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN";
/// A file with the same; wins over the variable, and is read anew each time (EKS rotates it).
pub const CONTAINER_TOKEN_FILE: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE";
/// AWS: the standard variables of a set of credentials.
pub const ACCESS_KEY_ID: &str = "AWS_ACCESS_KEY_ID";
/// See [`ACCESS_KEY_ID`].
pub const SECRET_ACCESS_KEY: &str = "AWS_SECRET_ACCESS_KEY";
/// See [`ACCESS_KEY_ID`].
pub const SESSION_TOKEN: &str = "AWS_SESSION_TOKEN";
/// The session token's old name, which botocore still knows.
pub const SECURITY_TOKEN: &str = "AWS_SECURITY_TOKEN";
/// When they end: RFC 3339. botocore, the JavaScript SDK and starship read it.
pub const EXPIRATION: &str = "AWS_CREDENTIAL_EXPIRATION";
/// AWS: the profile. The AWS CLI v2 looks at the first, then the second; boto3 the other way round.
pub const PROFILE: [&str; 2] = ["AWS_PROFILE", "AWS_DEFAULT_PROFILE"];
/// AWS: the region, first set wins (AWS CLI v2's order).
pub const REGION: [&str; 2] = ["AWS_REGION", "AWS_DEFAULT_REGION"];
/// AWS: another STS endpoint, first set wins.
pub const STS_ENDPOINT: [&str; 2] = ["AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL"];
/// `true` asks for the endpoints whose cryptography is FIPS 140's.
pub const USE_FIPS: &str = "AWS_USE_FIPS_ENDPOINT";
/// `true` asks for the endpoints that are there over IPv6 too.
pub const USE_DUALSTACK: &str = "AWS_USE_DUALSTACK_ENDPOINT";
/// `true` takes [`STS_ENDPOINT`] and what a profile says of the kind for nothing.
pub const IGNORE_ENDPOINTS: &str = "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS";
/// AWS: web identity.
pub const WEB_IDENTITY_TOKEN_FILE: &str = "AWS_WEB_IDENTITY_TOKEN_FILE";
/// See [`WEB_IDENTITY_TOKEN_FILE`].
pub const ROLE_ARN: &str = "AWS_ROLE_ARN";
/// See [`WEB_IDENTITY_TOKEN_FILE`].
pub const ROLE_SESSION_NAME: &str = "AWS_ROLE_SESSION_NAME";
/// `true` keeps every SDK from asking the EC2 metadata service.
pub const NO_IMDS: &str = "AWS_EC2_METADATA_DISABLED";
/// AWS: other files than `~/.aws/config` and `~/.aws/credentials`.
pub const CONFIG_FILE: &str = "AWS_CONFIG_FILE";
/// See [`CONFIG_FILE`].
pub const CREDENTIALS_FILE: &str = "AWS_SHARED_CREDENTIALS_FILE";
/// A PEM file to trust instead of the system's certificates (the Rust SDK ignores it; the CLI does not).
pub const CA_BUNDLE: &str = "AWS_CA_BUNDLE";
/// The same for what is made with Python's requests, and, as it once was, the AWS CLI.
pub const REQUESTS_CA_BUNDLE: &str = "REQUESTS_CA_BUNDLE";
/// Those of these variables that hold a file's path, which may be a relative one.
pub const FILES: [&str; 6] =
    [CONTAINER_TOKEN_FILE, WEB_IDENTITY_TOKEN_FILE, CONFIG_FILE, CREDENTIALS_FILE, CA_BUNDLE, REQUESTS_CA_BUNDLE];
/// The login shell: `demo` opens it, and `doctor` says what to type in it where no hook says which it is.
pub const SHELL: &str = "SHELL";

/// Command line, environment variables, clock and chance of one run.
#[derive(Clone)]
pub struct Env {
    vars: HashMap<String, String>,
    words: Vec<OsString>,
    clock: fn() -> SystemTime,
    chance: RandomState,
}

impl Env {
    /// What this process was started with. Values that are not UTF-8 are left out: AWS's are ASCII.
    #[allow(clippy::disallowed_methods, reason = "the one place")]
    pub fn of_process() -> Self {
        let text = |(name, value): (OsString, OsString)| Some((name.into_string().ok()?, value.into_string().ok()?));
        let vars = std::env::vars_os().filter_map(text).collect();
        let words = std::env::args_os().collect();
        Env { vars, words, clock: SystemTime::now, chance: RandomState::new() }
    }

    /// The command line, the program's own name first.
    pub fn words(&self) -> &[OsString] {
        &self.words
    }

    /// A variable's value; empty is unset, as the Go SDK, the AWS CLI and most shells' users have it.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.vars.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Whether one of AWS's switches is on.
    pub fn is_true(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    /// The names of all variables.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.vars.keys().map(String::as_str)
    }

    /// The first of several names that is set.
    pub fn first(&self, names: &[&str]) -> Option<&str> {
        names.iter().find_map(|name| self.get(name))
    }

    /// The same with another value of one variable.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.vars.insert(name.into(), value.into());
        self
    }

    /// The same without the standard credential variables: for where they are credsh's own output, which must
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

    /// Whether AWS would see a container endpoint.
    pub fn in_container(&self) -> bool {
        self.get(CONTAINER_FULL).is_some() || self.get(CONTAINER_RELATIVE).is_some()
    }

    /// The clock, whole seconds.
    pub fn now(&self) -> Epoch {
        let since = (self.clock)().duration_since(UNIX_EPOCH).unwrap_or_default();
        Epoch::try_from(since.as_secs()).unwrap_or(Epoch::MAX)
    }

    /// What tells [`time_of_day`]s apart: `=` and the value of `TZ`; empty where it is not set, which is not the same as
    /// set to nothing.
    pub fn zone(&self) -> String {
        self.vars.get(ZONE).map_or(String::new(), |zone| format!("={zone}"))
    }

    /// A number from 0 up to 1, for jitter; the same all through a run. `RandomState` is seeded by the system, which is
    /// enough to keep two shells apart and needs no crate.
    pub fn random(&self) -> f64 {
        let bits = self.chance.hash_one(0_u8) >> 40;
        f64::from(u32::try_from(bits).unwrap_or(0)) / f64::from(1 << 24)
    }

    /// How this program was called, as a path that stays good after an upgrade: the name found in `PATH`,
    /// not the file behind its links (`/proc/self/exe` would name a version that a package manager removes).
    pub fn exe(&self) -> PathBuf {
        let argv0 = self.words.first().map(PathBuf::from).unwrap_or_default();
        let found = which::which(&argv0).ok().and_then(|path| std::path::absolute(path).ok());
        found.or_else(|| std::env::current_exe().ok()).unwrap_or(argv0)
    }

    /// The file that `variable` names, from wherever it is looked at: a renewal in the background has another working
    /// directory. `~/` is the home, as to the AWS CLI.
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

/// The user's time of day at `time`, 24 hours: `14:32`. jiff itself reads `TZ` and the machine's zone files; where there are
/// none it is UTC, as to the C library.
pub fn time_of_day(time: Epoch) -> Option<String> {
    let time = jiff::Timestamp::from_second(time).ok()?;
    Some(jiff::tz::TimeZone::system().to_datetime(time).strftime("%H:%M").to_string())
}

/// The machine's name, as `uname -n` has it; a container's own.
pub fn host() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}
