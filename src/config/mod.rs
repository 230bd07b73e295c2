//! The profiles of `~/.aws/config` and `~/.aws/credentials`, read by the AWS SDK's own parser, so that continuation lines,
//! comments and the precedence of the two files are AWS's. It only reads: `edit` has what `credsh profile` writes, and what
//! a profile means is up to `request`.

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

/// The two files in use. `None` means that there is no place for it to be (no `HOME`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Files {
    pub config: Option<PathBuf>,
    pub credentials: Option<PathBuf>,
}

impl Files {
    /// The files that `AWS_CONFIG_FILE` and `AWS_SHARED_CREDENTIALS_FILE` name, else those in `~/.aws`.
    pub fn of(env: &Env) -> Self {
        Files {
            config: env.aws_file(env::CONFIG_FILE, "config"),
            credentials: env.aws_file(env::CREDENTIALS_FILE, "credentials"),
        }
    }

    /// These two files and no others for the SDK, even if the process that renews has another `HOME`.
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

/// Whether Cloud9 manages this credentials file: its first line warns not to modify it, its second is `# `, 64 lower-case
/// hexadecimal digits, ` #` (a hash of what is not documented). Only read, as Cloud9 no longer updates a file that anybody
/// touches.
pub fn is_cloud9(path: &Path) -> bool {
    let mut head = Vec::new();
    // Both lines fit into this many bytes. Why only a regular file: see `regular`.
    path.is_file()
        && File::open(path).is_ok_and(|file| file.take(1024).read_to_end(&mut head).is_ok())
        && is_cloud9_head(&head)
}

/// The same for the first bytes of a file, which may end in the middle of a character.
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

/// Which of a region's endpoints to use. Like everything in a request, it is not serialized where it is not set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Variant {
    /// The endpoints with FIPS 140 cryptography.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub fips: bool,
    /// The dual-stack endpoints, which can be reached over IPv6 too.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub dualstack: bool,
}

impl Variant {
    /// Whether this is the ordinary endpoint.
    pub fn is_plain(&self) -> bool {
        *self == Variant::default()
    }
}

/// The keys and values of a profile, merged from both files.
pub type Profile = BTreeMap<String, String>;

/// One profile with those of its keys that credsh uses, or `None` if neither file has it.
///
/// # Errors
/// `Error::Config` for a file that cannot be read or parsed, with the parser's message.
pub fn profile(files: &Files, name: &str) -> Result<Option<Profile>> {
    Ok(load(files, name)?.map(|profile| {
        let keys = KEYS.iter().filter_map(|key| Some(((*key).to_owned(), profile.get(key)?.to_owned())));
        keys.collect()
    }))
}

/// The names of all profiles, sorted.
///
/// # Errors
/// As [`profile`].
pub fn names(files: &Files) -> Result<Vec<String>> {
    let mut names: Vec<String> = parsed(files)?.profiles().map(str::to_owned).collect();
    names.sort();
    Ok(names)
}

/// The credentials that a profile holds itself, if any.
///
/// # Errors
/// As [`profile`].
pub fn keys(files: &Files, name: &str) -> Result<Option<Credentials>> {
    Ok(load(files, name)?.as_ref().and_then(Both::keys))
}

/// The sections of one profile in each of the files.
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

    /// The credentials, all from one file, as in botocore. The SDK takes each value from the first file that has it, and so
    /// may join a key to another's token: long-term keys in one file would pass for temporary ones beside a token that an
    /// older set left in the other.
    fn keys(&self) -> Option<Credentials> {
        keys_of(self.sections().find(|section| section.get("aws_access_key_id").is_some())?)
    }
}

/// The credentials in a section that was read.
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

/// Whether the parser reads a section with this name. (The SDK silently skips one with any other.)
pub fn is_name(name: &str) -> bool {
    name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-/.%@:+".contains(&b))
}

/// Whether the config file has this profile's name in quotes, which the AWS CLI accepts and the SDK does not.
pub fn is_quoted(files: &Files, name: &str) -> bool {
    let text = files.config.as_ref().and_then(|path| std::fs::read_to_string(path).ok());
    text.is_some_and(|text| edit::section(&text, name).is_some())
}

/// Whether the parser took the end of a profile's `credential_process` for a comment: all from ` #` or ` ;` on, in quotes
/// or not. The AWS CLI knows no comment after a value. Found by parsing the line again with the two characters replaced.
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

/// The endpoint of STS in the section `[services NAME]`.
///
/// # Errors
/// As [`profile`].
pub fn sts_of_services(files: &Files, name: &str) -> Result<Option<String>> {
    let key = PropertiesKey::builder().section_key("services").section_name(name).property_name("sts");
    let key = key.sub_property_name("endpoint_url").build().map_err(|reason| unreadable(&reason))?;
    Ok(parsed(files)?.other_sections().get(&key).cloned())
}

/// The region and start URL in the section `[sso-session NAME]`; `None` if there is no such section.
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

/// Parses the files. The SDK silently takes a file with one byte that is not UTF-8 for an empty one; the AWS CLI refuses
/// it, as do we.
fn parsed(files: &Files) -> Result<EnvConfigSections> {
    let both = [(&files.config, env::CONFIG_FILE), (&files.credentials, env::CREDENTIALS_FILE)];
    let there =
        both.iter().filter_map(|(path, named_by)| Some((path.as_ref().filter(|path| is_there(path))?, named_by)));
    let there: Vec<_> = there.collect();
    // The SDK panics if there are no files at all.
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
                    "save it as UTF-8, which the AWS CLI requires too; `iconv -f latin1 -t utf-8` converts it".into(),
                ),
            });
        }
    }
    sections(&files.for_sdk())
}

/// The largest file to read, in bytes. A profile takes some two hundred.
const LARGEST: u64 = 4 * 1024 * 1024;

/// Refuses all but a regular file of at most `largest` bytes: a FIFO or a device would block the shell, past every
/// deadline. `action` is what is to be done, as for [`Error::io`]; `named_by` is what names the file, for the hint.
///
/// # Errors
/// `Error::Config` for another kind of file or a larger one, `Error::Io` if it cannot be looked at.
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

/// Whether there is a file to read. Naming the null device is the usual way to ask for none.
fn is_there(path: &Path) -> bool {
    // `canonicalize` fails for an open file without a name (`/dev/fd/7`), which is read like any other.
    path.exists() && !path.canonicalize().is_ok_and(|path| path == Path::new("/dev/null"))
}

/// What the SDK's parser makes of these files, or of texts given in their place.
///
/// # Errors
/// As [`profile`].
pub fn sections(files: &EnvConfigFiles) -> Result<EnvConfigSections> {
    let (fs, env) = (Fs::real(), SdkEnv::from_slice(&[]));
    // The parser is `async` in name only: it reads with `std::fs` and never waits. One poll ends it, and `init --profile`
    // needs no runtime.
    let Poll::Ready(read) = pin!(source::load(&env, &fs, files)).poll(&mut Context::from_waker(Waker::noop())) else {
        return Err(unreadable("the parser did not finish"));
    };
    let read = read.map_err(|error| unreadable(&innermost(&error)))?;
    EnvConfigSections::parse(read).map_err(|error| unreadable(&innermost(&error)))
}

/// A profile's key for another address of the EC2 metadata service.
pub const IMDS_ENDPOINT: &str = "ec2_metadata_service_endpoint";
/// A profile's key for the IP version of its default address.
pub const IMDS_MODE: &str = "ec2_metadata_service_endpoint_mode";

/// The keys of a profile that credsh looks at; the SDK reads the others by itself.
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

/// The keys that make a profile give credentials. A profile may hold no more than a region.
pub const GIVE_CREDENTIALS: [&str; 7] = [
    "aws_access_key_id",
    "credential_process",
    "role_arn",
    "sso_account_id",
    "sso_start_url",
    "web_identity_token_file",
    "login_session",
];

/// The parser's message has two lines and names the file.
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
