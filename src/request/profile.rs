//! What a profile of the AWS config files means as a source. Parsing the files is up to `config`.

use std::path::PathBuf;

use super::resolve::{container, of_env, role_over, session_over, without_session};
use super::{Role, Source, digest};
use crate::config::{self, Files, Profile};
use crate::credentials::Credentials;
use crate::env::{self, Env};
use crate::error::{Error, Result};
use crate::selectors::SourceKind;
use crate::ui;

/// A chain of source profiles deeper than this is taken for a loop.
const DEEPEST: usize = 8;

fn named(name: &str, files: &Files) -> Result<Profile> {
    config::profile(files, name)?.ok_or_else(|| absent(name, name, "", files))
}

/// The error for the profile `missing`, to which `what` of profile `name` refers; `what` is "" if it is that profile
/// itself.
fn absent(name: &str, missing: &str, what: &str, files: &Files) -> Error {
    if !config::is_name(missing) || config::is_quoted(files, missing) {
        return Error::Config {
            what: format!("profile {}", ui::clean(name)),
            reason: format!("{what}has a name that credsh cannot read from a config file"),
            hint: Some(
                "rename it, using only letters, digits and _-/.%@:+, without quotes, as other AWS SDKs require too"
                    .into(),
            ),
        };
    }
    Error::Config {
        what: format!("profile {}", ui::clean(name)),
        reason: format!("{what}is in neither the AWS config file nor the credentials file"),
        hint: Some("`aws configure list-profiles` lists the existing profiles".into()),
    }
}

/// The source that a profile stands for. With `role_arn` it is a role over its source: assumed by us and not by the SDK,
/// which ignores `mfa_serial` and `duration_seconds` (awslabs/aws-sdk-rust#527). With a web identity file the role belongs
/// to the identity, and is requested with it.
pub(super) fn of_profile(name: &str, files: &Files, env: &Env, depth: usize) -> Result<Source> {
    let profile = named(name, files)?;
    let broken = |reason: String| Error::Config { what: format!("profile {}", ui::clean(name)), reason, hint: None };
    if depth > DEEPEST {
        return Err(broken("its source_profile chain is circular".into()));
    }
    let keys = config::keys(files, name)?;
    let plain = || Source::Profile {
        name: name.into(),
        sso: is_sso(&profile),
        files: files.clone(),
        whose: whose(&profile, keys.as_ref()),
    };
    // As in botocore: a source_profile's own keys win over a role that it could assume.
    if depth > 0 && profile.contains_key("aws_access_key_id") {
        return Ok(plain());
    }
    let Some(arn) = profile.get("role_arn").filter(|_| assumes(&profile)) else {
        let long_term = depth == 0 && keys.as_ref().is_some_and(Credentials::long_term);
        let long_term = long_term && static_keys(name, files)?.is_some();
        let base = plain();
        return Ok(if long_term { session_over(profile.get("mfa_serial").cloned(), base) } else { base });
    };
    let base = match (profile.get("source_profile"), profile.get("credential_source").map(String::as_str)) {
        (Some(_), Some(_)) => return Err(broken("has both source_profile and credential_source".into())),
        (Some(source), None) if source == name => plain(),
        (Some(source), None) if config::profile(files, source)?.is_none() => {
            return Err(absent(name, source, &format!("its source_profile {} ", ui::clean(source)), files));
        }
        (Some(source), None) => of_profile(source, files, env, depth + 1)?,
        (None, Some("Environment")) => without_session(of_env(env)?).0,
        (None, Some("EcsContainer")) => container(env)?,
        (None, Some("Ec2InstanceMetadata")) => Source::Ec2,
        (None, Some(other)) => return Err(broken(format!("its credential_source is {}", ui::clean(other)))),
        (None, None) => return Err(broken("has role_arn, but neither source_profile nor credential_source".into())),
    };
    let duration = match profile.get("duration_seconds") {
        Some(text) => Some(text.parse().map_err(|_| broken("its duration_seconds is not a number".into()))?),
        None => None,
    };
    let role = Role {
        arn: arn.clone(),
        duration,
        session_name: profile.get("role_session_name").cloned(),
        external_id: profile.get("external_id").cloned(),
        mfa_serial: profile.get("mfa_serial").cloned(),
        profile: Some(name.into()),
    };
    role_over(role, base, env)
}

/// A digest of what says whose credentials a profile gives; not the settings themselves, as a `credential_process` may
/// contain a password. Temporary keys do not count: they are replaced every hour or so.
fn whose(profile: &Profile, keys: Option<&Credentials>) -> String {
    let temporary = keys.is_some_and(|keys| !keys.long_term());
    let keys = WHOSE.into_iter().filter(|key| !(temporary && *key == "aws_access_key_id"));
    let lines: Vec<String> = keys.filter_map(|key| Some(format!("{key}={}", profile.get(key)?))).collect();
    digest(lines.join("\n").as_bytes())
}

const WHOSE: [&str; 11] = [
    "aws_access_key_id",
    "credential_process",
    "login_session",
    "role_arn",
    "role_session_name",
    "sso_account_id",
    "sso_region",
    "sso_role_name",
    "sso_session",
    "sso_start_url",
    "web_identity_token_file",
];

/// Refuses to ask a profile whose digest is no longer the one that was `meant`: it may give another account's credentials,
/// under the name of a lease that other shells go on using.
///
/// # Errors
/// `Error::Config`.
pub fn same_profile(name: &str, files: &Files, meant: &str) -> Result<()> {
    if whose(&named(name, files)?, config::keys(files, name)?.as_ref()) == meant {
        return Ok(());
    }
    Err(Error::Config {
        what: format!("profile {}", ui::clean(name)),
        reason: "has been changed since these credentials were requested, and may now belong to another account".into(),
        hint: Some("repeat the command that requested them, as in `credsh refresh --profile NAME`".into()),
    })
}

/// The keys that a profile gives, unless another of its ways wins. As in botocore, keys in the credentials file win over a
/// `credential_process`, and keys in the config file do not.
///
/// # Errors
/// As [`config::profile`].
pub fn static_keys(name: &str, files: &Files) -> Result<Option<Credentials>> {
    let profile = named(name, files)?;
    let any = |keys: &[&str]| keys.iter().any(|key| profile.contains_key(*key));
    if any(&["web_identity_token_file"]) || is_sso(&profile) {
        return Ok(None);
    }
    match config::keys(&Files { config: None, ..files.clone() }, name)? {
        None if any(&["login_session", "credential_process"]) => Ok(None),
        None => config::keys(files, name),
        first => Ok(first),
    }
}

/// Whether the profile has a role for us to assume; with a web identity file the role belongs to that.
pub fn assumes(profile: &Profile) -> bool {
    profile.contains_key("role_arn") && !profile.contains_key("web_identity_token_file")
}

/// Whether it is one of IAM Identity Center. A session or region alone is not enough: it may be there for something else,
/// beside keys.
pub fn is_sso(profile: &Profile) -> bool {
    profile.contains_key("sso_account_id") || profile.contains_key("sso_role_name")
}

/// Whether the profile gives credentials at all. A default profile may hold no more than a region.
pub(super) fn gives_credentials(profile: &Profile) -> bool {
    config::GIVE_CREDENTIALS.iter().any(|key| profile.contains_key(*key))
}

pub(super) fn check_kind(kind: SourceKind, name: &str, files: &Files) -> Result<()> {
    let profile = named(name, files)?;
    let (has, key) = match kind {
        SourceKind::Sso => (is_sso(&profile), "sso_session and sso_account_id"),
        SourceKind::Process => (profile.contains_key("credential_process"), "credential_process"),
        _ => (true, ""),
    };
    let reason = format!("has no {key}");
    if has { Ok(()) } else { Err(Error::Config { what: format!("profile {}", ui::clean(name)), reason, hint: None }) }
}

/// The profile whose region and endpoints apply to STS; empty if there is none.
pub(super) fn for_sts(source: &Source, files: &Files) -> Result<Profile> {
    let profile = source.profile().map_or(Ok(None), |name| config::profile(files, name))?;
    Ok(profile.unwrap_or_default())
}

/// The file of certificates to trust instead of the system's, after what names it. In botocore's order (its session's
/// `create_client`, then `_get_verify_value` of its endpoints): a source without a profile uses the session's, which is the
/// one that is set, or the default. Not part of the request, as moving the file does not change what was asked for.
pub fn ca_bundle(source: &Source, env: &Env) -> Option<(String, PathBuf)> {
    let named_by = |variable: &str| Some((variable.to_owned(), env.path(variable)?));
    let of_profile = || {
        let name = source.profile().or(env.first(&env::PROFILE)).unwrap_or("default");
        let files = if let Source::Profile { files, .. } = source.root() { files } else { &Files::of(env) };
        // If the files cannot be read, whoever needs them reports it.
        let path = config::profile(files, name).ok()??.remove("ca_bundle").filter(|path| !path.is_empty())?;
        Some((format!("ca_bundle of profile {}", ui::clean(name)), PathBuf::from(path)))
    };
    named_by(env::CA_BUNDLE).or_else(of_profile).or_else(|| named_by(env::REQUESTS_CA_BUNDLE))
}
