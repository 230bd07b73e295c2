//! The profiles of `~/.aws/config` and `~/.aws/credentials`, read by the AWS SDK's own parser, so that
//! continuation lines, comments and the precedence of the two files are AWS's. Only reads (`edit` has what
//! `credsh profile` writes); what a profile means is `request`'s.

pub mod edit;

use std::collections::BTreeMap;
use std::fs::File;
use std::future::Future;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use aws_runtime::env_config::file::{EnvConfigFileKind, EnvConfigFiles};
use aws_runtime::env_config::property::PropertiesKey;
use aws_runtime::env_config::section::{EnvConfigSections, Profile as Section};
use aws_runtime::env_config::source;
use aws_types::os_shim_internal::{Env as SdkEnv, Fs};
use serde::{Deserialize, Serialize};

use crate::credentials::{Credentials, Secret};
use crate::env::{self, Env};
use crate::error::{Error, Result};
use crate::ui;

/// The two files in force. `None` is a place that is not known (no `HOME`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Files {
    pub config: Option<PathBuf>,
    pub credentials: Option<PathBuf>,
}

impl Files {
    /// `AWS_CONFIG_FILE` and `AWS_SHARED_CREDENTIALS_FILE`, else those in `~/.aws`.
    pub fn of(env: &Env) -> Self {
        Files {
            config: env.aws_file(env::CONFIG_FILE, "config"),
            credentials: env.aws_file(env::CREDENTIALS_FILE, "credentials"),
        }
    }

    /// The same for the SDK: these two files and no others, wherever the process that renews has its `HOME`.
    pub fn for_sdk(&self) -> EnvConfigFiles {
        let mut files = EnvConfigFiles::builder();
        for (kind, path) in
            [(EnvConfigFileKind::Config, &self.config), (EnvConfigFileKind::Credentials, &self.credentials)]
        {
            if let Some(path) = path.as_ref().filter(|path| is_there(path)) {
                files = files.with_file(kind, path);
            }
        }
        files.build()
    }
}

/// Whether a credentials file is Cloud9's: its first line warns not to modify it, and its second is `# `, 64 lower-case
/// hexadecimal digits, ` #` (what they hash is not documented). Only read: a file that anybody touches is updated no more.
pub fn is_cloud9(path: &Path) -> bool {
    let mut head = Vec::new();
    // Both lines fit in this. See `regular`.
    path.is_file()
        && File::open(path).is_ok_and(|file| file.take(1024).read_to_end(&mut head).is_ok())
        && is_cloud9_head(&head)
}

/// The same, of how the file begins; where that is cut off need not be the end of a character.
pub fn is_cloud9_head(head: &[u8]) -> bool {
    let head = String::from_utf8_lossy(head);
    let mut lines = head.lines();
    let warning =
        lines.next().is_some_and(|line| line.starts_with("# Do not modify this file, if this file is modified"));
    let digest = lines.next().and_then(|line| line.trim_end().strip_prefix("# ")?.strip_suffix(" #"));
    warning
        && digest
            .is_some_and(|hex| hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)))
}

/// Which of a region's endpoints: what is not wanted is not written, as of all that a request holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Variant {
    /// The one whose cryptography is FIPS 140's.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub fips: bool,
    /// The one that is there over IPv6 too.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub dualstack: bool,
}

impl Variant {
    /// Whether it is the one that is asked as a rule.
    pub fn is_plain(&self) -> bool {
        *self == Variant::default()
    }
}

/// A profile's keys and values, both files merged.
pub type Profile = BTreeMap<String, String>;

/// One profile, or `None` if neither file has it.
///
/// # Errors
/// A file that cannot be read or parsed, with the parser's words.
pub fn profile(files: &Files, name: &str) -> Result<Option<Profile>> {
    Ok(load(files, name)?.map(|profile| {
        let keys = KEYS.iter().filter_map(|key| Some(((*key).to_owned(), profile.get(key)?.to_owned())));
        keys.collect()
    }))
}

/// The names of all profiles.
///
/// # Errors
/// As [`profile`].
pub fn names(files: &Files) -> Result<Vec<String>> {
    let mut names: Vec<String> = parsed(files)?.profiles().map(str::to_owned).collect();
    names.sort();
    Ok(names)
}

/// The keys written in a profile.
///
/// # Errors
/// As [`profile`].
pub fn keys(files: &Files, name: &str) -> Result<Option<Credentials>> {
    Ok(load(files, name)?.as_ref().and_then(Both::keys))
}

/// A profile as each of the files has it.
struct Both {
    credentials: Option<Section>,
    config: Option<Section>,
}

impl Both {
    fn sections(&self) -> impl Iterator<Item = &Section> {
        self.credentials.iter().chain(&self.config)
    }

    fn get(&self, key: &str) -> Option<&str> {
        self.sections().find_map(|section| section.get(key))
    }

    /// All of one file, as botocore has it. The SDK takes each from the first that has it, and so joins a key to the token
    /// of another: long-term keys in the one file would pass for temporary ones beside what an older set left in the other.
    fn keys(&self) -> Option<Credentials> {
        keys_of(self.sections().find(|section| section.get("aws_access_key_id").is_some())?)
    }
}

/// The keys in a section that has been read.
pub fn keys_of(section: &Section) -> Option<Credentials> {
    let token = ["aws_session_token", "aws_security_token"]
        .into_iter()
        .find_map(|key| section.get(key).filter(|token| !token.is_empty()));
    Some(Credentials {
        access_key_id: section.get("aws_access_key_id")?.into(),
        secret_access_key: Secret::new(section.get("aws_secret_access_key")?),
        session_token: token.map(Secret::new),
        expiration: None,
    })
}

/// Whether a section of that name is read. (The SDK leaves out one with another, and says so to nobody.)
pub fn is_name(name: &str) -> bool {
    name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-/.%@:+".contains(&b))
}

/// Whether the config file has a profile's name in quotes: the AWS CLI reads it, and the SDK does not.
pub fn is_quoted(files: &Files, name: &str) -> bool {
    let text = files.config.as_ref().and_then(|path| std::fs::read_to_string(path).ok());
    text.is_some_and(|text| edit::section(&text, name).is_some())
}

/// Whether the parser has taken the end of a profile's `credential_process` for a comment: all from ` #` or ` ;`, in quotes or
/// not. The AWS CLI knows no comment behind a value. Found by what it makes of the same line without those two.
pub fn is_cut(files: &Files, name: &str, command: &str) -> bool {
    let whole = |line: &str| {
        let ours = line.to_ascii_lowercase().starts_with("credential_process");
        if ours { line.replace(['#', ';'], "_") } else { line.to_owned() }
    };
    let text = |path: &Option<PathBuf>| {
        let text = path.as_ref().and_then(|path| std::fs::read_to_string(path).ok()).unwrap_or_default();
        text.lines().map(whole).collect::<Vec<_>>().join("\n")
    };
    let both = EnvConfigFiles::builder()
        .with_contents(EnvConfigFileKind::Config, text(&files.config))
        .with_contents(EnvConfigFileKind::Credentials, text(&files.credentials));
    let read = sections(&both.build()).ok();
    let whole = read.as_ref().and_then(|read| read.get_profile(name)?.get("credential_process"));
    whole.is_some_and(|whole| whole.len() > command.len())
}

/// The endpoint of STS in a section `[services NAME]`.
///
/// # Errors
/// As [`profile`].
pub fn sts_of_services(files: &Files, name: &str) -> Result<Option<String>> {
    let key = PropertiesKey::builder().section_key("services").section_name(name).property_name("sts");
    let key = key.sub_property_name("endpoint_url").build().map_err(|reason| unreadable(&reason))?;
    Ok(parsed(files)?.other_sections().get(&key).cloned())
}

/// The region and the start URL in a section `[sso-session NAME]`; `None` if there is none.
///
/// # Errors
/// As [`profile`].
pub fn sso_session(files: &Files, name: &str) -> Result<Option<Profile>> {
    let only = Files { credentials: None, ..files.clone() };
    Ok(parsed(&only)?.sso_session(name).map(|session| {
        let keys = ["sso_region", "sso_start_url"].into_iter();
        keys.filter_map(|key| Some((key.to_owned(), session.get(key)?.to_owned()))).collect()
    }))
}

fn load(files: &Files, name: &str) -> Result<Option<Both>> {
    let section = |only: Files| Ok(parsed(&only)?.get_profile(name).cloned());
    let both = Both {
        credentials: section(Files { config: None, ..files.clone() })?,
        config: section(Files { credentials: None, ..files.clone() })?,
    };
    let there = both.sections().next().is_some();
    Ok(there.then_some(both))
}

/// The SDK takes a file with one byte that is not UTF-8 for an empty one, and says so to nobody; the AWS CLI refuses it.
fn parsed(files: &Files) -> Result<EnvConfigSections> {
    let both = [(&files.config, env::CONFIG_FILE), (&files.credentials, env::CREDENTIALS_FILE)];
    let there =
        both.iter().filter_map(|(path, named_by)| Some((path.as_ref().filter(|path| is_there(path))?, named_by)));
    let there: Vec<_> = there.collect();
    // The SDK panics where there are none.
    if there.is_empty() {
        return Ok(EnvConfigSections::default());
    }
    for (path, named_by) in there {
        regular("read the AWS configuration", path, LARGEST, named_by)?;
        let bytes = std::fs::read(path).unwrap_or_default();
        if let Err(error) = std::str::from_utf8(&bytes) {
            let before = String::from_utf8_lossy(&bytes[..error.valid_up_to()]).matches('\n').count();
            return Err(Error::Config {
                what: UNREADABLE.into(),
                reason: ui::clean(&format!("{} is not UTF-8 on line {}", path.display(), before + 1)),
                hint: Some(
                    "save it as UTF-8, as the AWS CLI wants it too; `iconv -f latin1 -t utf-8` makes it so".into(),
                ),
            });
        }
    }
    sections(&files.for_sdk())
}

/// Bytes. A profile is some two hundred.
const LARGEST: u64 = 4 * 1024 * 1024;

/// Refuses all but a regular file of at most `largest` bytes: a FIFO or a device would hold the shell up for ever, past every
/// deadline. `action` is what is done, as [`Error::io`] has it; `named_by` is what names the file, for the hint.
///
/// # Errors
/// `Config` for another kind of file, `Io` for one that cannot be looked at.
pub fn regular(action: &'static str, path: &Path, largest: u64, named_by: &str) -> Result<()> {
    let meta = std::fs::metadata(path).map_err(Error::io(action, path))?;
    if meta.is_file() && meta.len() <= largest {
        return Ok(());
    }
    Err(Error::Config {
        what: format!("cannot {action} {}", ui::clean(&path.to_string_lossy())),
        reason: "it is not a small regular file".into(),
        hint: Some(format!("check {named_by}")),
    })
}

/// Whether there is something to read: the null device is how one says that there shall be nothing.
fn is_there(path: &Path) -> bool {
    // A file may have no name any more (`/dev/fd/7`).
    path.exists() && !path.canonicalize().is_ok_and(|path| path == Path::new("/dev/null"))
}

/// What the SDK's parser makes of files, or of texts in their place.
///
/// # Errors
/// As [`profile`].
pub fn sections(files: &EnvConfigFiles) -> Result<EnvConfigSections> {
    let (fs, env) = (Fs::real(), SdkEnv::from_slice(&[]));
    // The parser is `async` in name only: it reads with `std::fs` and never waits, so one poll ends it, and
    // `init --profile` needs no runtime.
    let Poll::Ready(read) = pin!(source::load(&env, &fs, files)).poll(&mut Context::from_waker(Waker::noop())) else {
        return Err(unreadable("the parser did not finish"));
    };
    let read = read.map_err(|error| unreadable(&innermost(&error)))?;
    EnvConfigSections::parse(read).map_err(|error| unreadable(&innermost(&error)))
}

/// Another address of the EC2 metadata service.
pub const IMDS_ENDPOINT: &str = "ec2_metadata_service_endpoint";
/// The IP version of it where no address is given.
pub const IMDS_MODE: &str = "ec2_metadata_service_endpoint_mode";

/// What credsh asks of a profile; the SDK reads the rest by itself.
const KEYS: [&str; 25] = [
    "aws_access_key_id",
    "ca_bundle",
    "credential_process",
    "credential_source",
    "duration_seconds",
    IMDS_ENDPOINT,
    IMDS_MODE,
    "endpoint_url",
    "external_id",
    "ignore_configured_endpoint_urls",
    "login_session",
    "mfa_serial",
    "region",
    "role_arn",
    "role_session_name",
    "services",
    "source_profile",
    "sso_account_id",
    "sso_region",
    "sso_role_name",
    "sso_session",
    "sso_start_url",
    "use_dualstack_endpoint",
    "use_fips_endpoint",
    "web_identity_token_file",
];

const UNREADABLE: &str = "the AWS configuration cannot be read";

/// Those of them that say where credentials come from: a profile may hold no more than a region.
pub const GIVE_CREDENTIALS: [&str; 7] = [
    "aws_access_key_id",
    "credential_process",
    "role_arn",
    "sso_account_id",
    "sso_start_url",
    "web_identity_token_file",
    "login_session",
];

/// The parser's words are on two lines, and name a file.
fn unreadable(reason: &str) -> Error {
    let hint = Some(
        "see `aws configure list`, or name other files with AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE".into(),
    );
    Error::Config { what: UNREADABLE.into(), reason: ui::clean(reason), hint }
}

fn innermost(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_a_file_is_told_on_one_line() {
        let files = EnvConfigFiles::builder().with_contents(EnvConfigFileKind::Config, "[profile a").build();
        let text = sections(&files).unwrap_err().to_string();
        assert!(text.ends_with(" on line 1: Profile definition must end with ']'"), "{text:?}");
    }

    #[test]
    fn cloud9s_two_lines() {
        let head = format!(
            "# Do not modify this file, if this file is modified it will not be updated. If ...\n# {} #\n\n[default]\n",
            "0f".repeat(32)
        );
        let is_cloud9 = |head: &str| is_cloud9_head(head.as_bytes());
        assert!(is_cloud9(&head));
        assert!(is_cloud9_head(&[head.as_bytes(), b"# \xc3"].concat()), "cut off within a character");
        assert!(!is_cloud9(&head.replace("0f", "0F")));
        assert!(!is_cloud9(head.split_once('\n').unwrap().1), "the first line is missing");
        assert!(!is_cloud9("[default]\naws_access_key_id = AKIAEXAMPLE\n"));
    }
}
