//! What a profile of the AWS config files means as a source.

use std::path::PathBuf;

use super::resolve::{container, of_env, role_over, session_over, without_session};
use super::{Role, Source, digest};
use crate::config::{self, Files, Profile};
use crate::credentials::Credentials;
use crate::env::{self, Env};
use crate::error::{Error, Result};
use crate::selectors::SourceKind;
use crate::ui;

/// Role chaining of profiles deeper than this is a loop.
const DEEPEST: usize = 8;

fn named(name: &str, files: &Files) -> Result<Profile> {
    config::profile(files, name)?.ok_or_else(|| absent(name, ""))
}

/// `what` of profile `name` names a profile that is not there; "" if it is that one.
fn absent(name: &str, what: &str) -> Error {
    Error::Config {
        what: format!("profile {}", ui::clean(name)),
        reason: format!("{what}is in neither the AWS config file nor the credentials file"),
        hint: Some("`aws configure list-profiles` shows the names there are".into()),
    }
}

/// A profile with `role_arn` is a role over its source: asked by us and not by the SDK, which ignores
/// `mfa_serial` and `duration_seconds` (awslabs/aws-sdk-rust#527). With a web identity file the role
/// belongs to the identity, and the SDK does it.
pub(super) fn of_profile(name: &str, files: &Files, env: &Env, depth: usize) -> Result<Source> {
    let profile = named(name, files)?;
    let broken = |reason: String| Error::Config { what: format!("profile {}", ui::clean(name)), reason, hint: None };
    if depth > DEEPEST {
        return Err(broken("its source_profile leads in a circle".into()));
    }
    let plain = || {
        let sso = profile.contains_key("sso_account_id") || profile.contains_key("sso_start_url");
        Source::Profile { name: name.into(), sso, files: files.clone(), whose: whose(&profile) }
    };
    // As botocore has it: a source_profile's own keys go before the role it could assume.
    if depth > 0 && profile.contains_key("aws_access_key_id") {
        return Ok(plain());
    }
    let Some(arn) = profile.get("role_arn").filter(|_| !profile.contains_key("web_identity_token_file")) else {
        let long_term = profile.contains_key("aws_access_key_id") && !profile.contains_key("aws_session_token");
        let base = plain();
        return Ok(if long_term && depth == 0 { session_over(profile.get("mfa_serial").cloned(), base) } else { base });
    };
    let base = match (profile.get("source_profile"), profile.get("credential_source").map(String::as_str)) {
        (Some(_), Some(_)) => return Err(broken("has both source_profile and credential_source".into())),
        (Some(source), None) if source == name => plain(),
        (Some(source), None) if config::profile(files, source)?.is_none() => {
            return Err(absent(name, &format!("its source_profile {} ", ui::clean(source))));
        }
        (Some(source), None) => of_profile(source, files, env, depth + 1)?,
        (None, Some("Environment")) => without_session(of_env(env)?).0,
        (None, Some("EcsContainer")) => container(env)?,
        (None, Some("Ec2InstanceMetadata")) => Source::Ec2,
        (None, Some(other)) => return Err(broken(format!("its credential_source is {}", ui::clean(other)))),
        (None, None) => return Err(broken("has role_arn, but neither source_profile nor credential_source".into())),
    };
    let duration = match profile.get("duration_seconds") {
        Some(text) => Some(text.parse().map_err(|_| broken("its duration_seconds is no number".into()))?),
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

/// A digest of what in a profile says whose credentials it gives; as one, because a `credential_process` may hold a password.
/// Temporary keys are not part of it: whoever writes them there does so every hour.
fn whose(profile: &Profile) -> String {
    let temporary = profile.contains_key("aws_session_token");
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

/// Refuses to ask a profile that is not the one that was meant any more: what it gives may be another account's, under the
/// name of a lease that others go on with.
///
/// # Errors
/// `Config`.
pub fn same_profile(name: &str, files: &Files, meant: &str) -> Result<()> {
    if whose(&named(name, files)?) == meant {
        return Ok(());
    }
    Err(Error::Config {
        what: format!("profile {}", ui::clean(name)),
        reason: "has been changed since these credentials were asked for, and may be another account's".into(),
        hint: Some("type again what asked for them, as in `credsh refresh --profile NAME`".into()),
    })
}

/// The keys that a profile gives if it has no other way: the SDK comes to them last.
///
/// # Errors
/// As [`config::profile`].
pub fn static_keys(name: &str, files: &Files) -> Result<Option<Credentials>> {
    let others = ["credential_process", "login_session", "role_arn", "sso_account_id", "sso_session", "sso_start_url"];
    let profile = named(name, files)?;
    if others.iter().any(|key| profile.contains_key(*key)) { Ok(None) } else { config::keys(files, name) }
}

/// A default profile may hold no more than a region.
pub(super) fn gives_credentials(profile: &Profile) -> bool {
    config::GIVE_CREDENTIALS.iter().any(|key| profile.contains_key(*key))
}

pub(super) fn check_kind(kind: SourceKind, name: &str, files: &Files) -> Result<()> {
    let profile = named(name, files)?;
    let (has, key) = match kind {
        SourceKind::Sso => (
            profile.contains_key("sso_account_id") || profile.contains_key("sso_start_url"),
            "sso_session and sso_account_id",
        ),
        SourceKind::Process => (profile.contains_key("credential_process"), "credential_process"),
        _ => (true, ""),
    };
    let reason = format!("has no {key}");
    if has { Ok(()) } else { Err(Error::Config { what: format!("profile {}", ui::clean(name)), reason, hint: None }) }
}

/// The profile whose region and endpoints are STS's; a role's is its source profile. Empty where there is none.
pub(super) fn for_sts(source: &Source, files: &Files) -> Result<Profile> {
    let Some(name) = named_for_sts(source) else { return Ok(Profile::default()) };
    Ok(config::profile(files, name)?.unwrap_or_default())
}

fn named_for_sts(source: &Source) -> Option<&str> {
    match source {
        Source::Profile { name, .. } | Source::Role { role: Role { profile: Some(name), .. }, .. } => Some(name),
        Source::Role { base, .. } | Source::Session { base, .. } => named_for_sts(base),
        // The file names the environment's own region in its default section.
        Source::Cloud9 { .. } => Some("default"),
        _ => None,
    }
}

/// The file of certificates to trust instead of the system's, after what names it; in botocore's order (its session's
/// `create_client`, then `_get_verify_value` of its endpoints). A source that has no profile is asked as the session's would
/// be: the one that is set, or the default. Not of the request: a file that is moved is none of what was asked for.
pub fn ca_bundle(source: &Source, env: &Env) -> Option<(String, PathBuf)> {
    let named_by = |variable: &str| Some((variable.to_owned(), env.path(variable)?));
    let of_profile = || {
        let name = named_for_sts(source).or(env.first(&env::PROFILE)).unwrap_or("default");
        let files = if let Source::Profile { files, .. } = source.root() { files } else { &Files::of(env) };
        // Where they cannot be read, and are needed, who needs them says so.
        let path = config::profile(files, name).ok()??.remove("ca_bundle").filter(|path| !path.is_empty())?;
        Some((format!("ca_bundle of profile {}", ui::clean(name)), PathBuf::from(path)))
    };
    named_by(env::CA_BUNDLE).or_else(of_profile).or_else(|| named_by(env::REQUESTS_CA_BUNDLE))
}
