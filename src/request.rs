//! What is meant: flags, environment and configuration become a `Request`, fully resolved and without a
//! secret, so that a renewal hours later, in another shell, asks for the very same thing. Asking is
//! `source`'s.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::config::{self, Files, Profile};
use crate::env::{self, Env};
use crate::error::{Error, Result};
use crate::selectors::{Selectors, SourceKind};

/// Where credentials come from, with every parameter. What is not given stays out of the stored form, so
/// that a later version's new parameter does not change the ids of older requests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// The container credentials endpoint (CloudShell, ECS, EKS).
    Container { uri: String },
    /// A profile without a role of its own: keys, SSO, `credential_process`, web identity.
    Profile { name: String, sso: bool, files: Files },
    /// `sts:AssumeRoleWithWebIdentity` from the environment's variables.
    WebIdentity {
        token_file: String,
        role_arn: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        session_name: Option<String>,
    },
    /// The instance profile, from the EC2 metadata service.
    Ec2,
    /// The standard variables; the id of the key tells one set from the next.
    Env { access_key_id: String },
    /// `sts:AssumeRole` with the credentials of `base`.
    Role { role: Role, base: Box<Source> },
    /// `sts:GetSessionToken` with the long-term keys of `base`.
    Session {
        #[serde(skip_serializing_if = "Option::is_none")]
        duration: Option<u32>,
        base: Box<Source>,
    },
}

/// The parameters of `sts:AssumeRole`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Role {
    pub arn: String,
    /// Seconds, 900 to 43200; AWS's default is 3600.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration: Option<u32>,
    /// `None` is a new `YYYYmmddHHMMSS-session` each time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// The MFA device whose code the trust policy wants.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mfa_serial: Option<String>,
    /// The profile that named this role, for the label.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
}

/// A source and the surroundings in which it is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    pub source: Source,
    /// The region of the STS endpoint.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Another STS endpoint (`AWS_ENDPOINT_URL_STS`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
}

/// The path under which CloudShell serves credentials on loopback (port 1338 there; any here, for doubles).
pub const CLOUDSHELL_PATH: &str = "/latest/meta-data/container/security-credentials";
/// ECS's address, before a relative URI.
const ECS: &str = "http://169.254.170.2";
/// Role chaining of profiles deeper than this is a loop.
const DEEPEST: usize = 8;

impl Request {
    /// Reads flags, environment and configuration.
    ///
    /// # Errors
    /// `Flag` for values AWS would refuse, `Config` for a profile that is missing or broken, `NoSource`
    /// with the places that were looked at.
    pub fn resolve(typed: &Selectors, env: &Env) -> Result<Request> {
        let files = Files::of(env);
        let mut source = match (typed.source, &typed.profile) {
            (Some(SourceKind::Container), _) => container(env)?,
            (Some(kind @ (SourceKind::Profile | SourceKind::Sso | SourceKind::Process)), name) => {
                let name = name.as_deref().or_else(|| env.first(&env::PROFILE)).unwrap_or("default");
                check_kind(kind, name, &files)?;
                of_profile(name, &files, env, 0)?
            }
            (Some(SourceKind::WebIdentity), _) => web_identity(env)?,
            (Some(SourceKind::Ec2), _) => Source::Ec2,
            (Some(SourceKind::Env), _) => of_env(env)?,
            (None, Some(name)) => of_profile(name, &files, env, 0)?,
            (None, None) => choose(env, &files)?,
        };
        let mut region = typed.region.clone();
        if let Some(arn) = &typed.role {
            let role = Role {
                arn: arn.clone(),
                duration: typed.duration,
                session_name: typed.session_name.clone(),
                external_id: typed.external_id.clone(),
                mfa_serial: None,
                profile: None,
            };
            source = Source::Role { role, base: Box::new(unwrap_session(source)) };
        } else if typed.duration.is_some() {
            source = with_duration(source, typed)?;
        }
        // A container endpoint or a profile's own keys ask nothing of STS: without this their id would
        // change with every `export AWS_REGION`, and with it the lease.
        let asks_sts = typed.region.is_some()
            || matches!(
                source,
                Source::Role { .. }
                    | Source::Session { .. }
                    | Source::Profile { .. }
                    | Source::WebIdentity { .. }
                    | Source::Env { .. }
            );
        let endpoint = env.first(&env::STS_ENDPOINT).filter(|_| asks_sts).map(str::to_owned);
        if asks_sts {
            region = region.or_else(|| env.first(&env::REGION).map(str::to_owned)).or(region_of(&source, &files)?);
        }
        Ok(Request { source, region, endpoint })
    }

    /// A short digest: 16 lower-case hexadecimal digits, safe in a path and in every shell. Equal requests
    /// have equal ids; 64 bits keep a user's few dozen apart.
    pub fn id(&self) -> String {
        // Serializing it cannot fail: no map with keys that are not strings, no foreign `Serialize`.
        let digest = Sha256::digest(serde_json::to_vec(self).unwrap_or_default());
        format!("{:016x}", digest.iter().take(8).fold(0, |id: u64, byte| id << 8 | u64::from(*byte)))
    }

    /// The source's name for prompt and table: only `[A-Za-z0-9 ._:/@+=,-]`, whatever the role is called.
    pub fn label(&self) -> String {
        self.source.label()
    }
}

impl Source {
    /// See [`Request::label`].
    pub fn label(&self) -> String {
        let label = match self {
            Source::Container { uri } if is_cloudshell(uri) => "cloudshell".into(),
            Source::Container { uri } if uri.starts_with(ECS) => "ecs".into(),
            Source::Container { uri } if uri.contains("//169.254.170.23/") || uri.contains("[fd00:ec2::23]") => {
                "eks".into()
            }
            Source::Container { .. } => "container".into(),
            Source::Profile { name, sso: true, .. } => format!("sso:{name}"),
            Source::Profile { name, .. } => format!("profile:{name}"),
            Source::WebIdentity { .. } => "web-identity".into(),
            Source::Ec2 => "ec2".into(),
            Source::Env { .. } => "env".into(),
            Source::Role { role: Role { profile: Some(name), .. }, .. } => format!("profile:{name}"),
            Source::Role { role, .. } => format!("role:{}", role.arn.rsplit('/').next().unwrap_or_default()),
            Source::Session { base, .. } => base.label(),
        };
        safe(&label)
    }

    /// The MFA device whose code is needed to ask; the outermost, as a code works once.
    pub fn mfa_serial(&self) -> Option<&str> {
        match self {
            Source::Role { role, base } => role.mfa_serial.as_deref().or_else(|| base.mfa_serial()),
            Source::Session { base, .. } => base.mfa_serial(),
            _ => None,
        }
    }
}

/// Keeps what a prompt may show; the rest becomes `_`. At most 64 characters.
fn safe(label: &str) -> String {
    let keep = |c: char| if c.is_ascii_alphanumeric() || " ._:/@+=,-".contains(c) { c } else { '_' };
    label.chars().take(64).map(keep).collect()
}

fn is_cloudshell(uri: &str) -> bool {
    let rest = uri.strip_prefix("http://").unwrap_or_default();
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let loopback =
        ["localhost", "127.0.0.1", "[::1]"].iter().any(|name| host == *name || host.starts_with(&format!("{name}:")));
    loopback && path == CLOUDSHELL_PATH
}

fn container(env: &Env) -> Result<Source> {
    let relative = env.get(env::CONTAINER_RELATIVE).map(|path| format!("{ECS}{path}"));
    let uri = relative.or_else(|| env.get(env::CONTAINER_FULL).map(str::to_owned));
    let looked = || vec![format!("{} and {} (not set)", env::CONTAINER_FULL, env::CONTAINER_RELATIVE)];
    Ok(Source::Container { uri: uri.ok_or_else(|| Error::NoSource { looked: looked() })? })
}

fn web_identity(env: &Env) -> Result<Source> {
    let (Some(token_file), Some(role_arn)) = (env.get(env::WEB_IDENTITY_TOKEN_FILE), env.get(env::ROLE_ARN)) else {
        return Err(Error::NoSource {
            looked: vec![format!("{} and {} (not both set)", env::WEB_IDENTITY_TOKEN_FILE, env::ROLE_ARN)],
        });
    };
    let session_name = env.get(env::ROLE_SESSION_NAME).map(str::to_owned);
    Ok(Source::WebIdentity { token_file: token_file.into(), role_arn: role_arn.into(), session_name })
}

fn of_env(env: &Env) -> Result<Source> {
    match (env.get(env::ACCESS_KEY_ID), env.get(env::SECRET_ACCESS_KEY), env.get(env::SESSION_TOKEN)) {
        (Some(id), Some(_), Some(_)) => Ok(Source::Env { access_key_id: id.into() }),
        (Some(id), Some(_), None) => {
            Ok(Source::Session { duration: None, base: Box::new(Source::Env { access_key_id: id.into() }) })
        }
        _ => Err(Error::NoSource {
            looked: vec![format!("{} and {} (not both set)", env::ACCESS_KEY_ID, env::SECRET_ACCESS_KEY)],
        }),
    }
}

/// No flag says which: the container endpoint, then the order of the SDK's default chain.
fn choose(env: &Env, files: &Files) -> Result<Source> {
    if env.in_container() {
        return container(env);
    }
    if let Ok(source) = of_env(env) {
        return Ok(source);
    }
    if let Some(name) = env.first(&env::PROFILE) {
        return of_profile(name, files, env, 0);
    }
    if config::profile(files, "default")?.is_some_and(|profile| gives_credentials(&profile)) {
        return of_profile("default", files, env, 0);
    }
    if let Ok(source) = web_identity(env) {
        return Ok(source);
    }
    if env.get(env::NO_IMDS).is_none_or(|value| !value.eq_ignore_ascii_case("true")) {
        return Ok(Source::Ec2);
    }
    Err(nothing_found(env, &format!("turned off by {}", env::NO_IMDS)))
}

/// Where the choice looked, for when even its last resort, the EC2 metadata service, failed with `reason`.
pub fn nothing_found(env: &Env, reason: &str) -> Error {
    let shown = |path: Option<std::path::PathBuf>| path.map_or("(no HOME)".into(), |path| path.display().to_string());
    let Files { config, credentials } = Files::of(env);
    let looked = vec![
        format!("container endpoint: {} and {} are not set", env::CONTAINER_FULL, env::CONTAINER_RELATIVE),
        format!("environment: {} and {} are not both set", env::ACCESS_KEY_ID, env::SECRET_ACCESS_KEY),
        format!(
            "profile: {} is not set, and no default profile with credentials is in {} or {}",
            env::PROFILE[0],
            shown(config),
            shown(credentials)
        ),
        format!("web identity: {} and {} are not both set", env::WEB_IDENTITY_TOKEN_FILE, env::ROLE_ARN),
        format!("EC2 metadata service: {reason}"),
    ];
    Error::NoSource { looked }
}

/// A default profile may hold no more than a region.
fn gives_credentials(profile: &Profile) -> bool {
    let any = [
        "aws_access_key_id",
        "credential_process",
        "role_arn",
        "sso_account_id",
        "sso_start_url",
        "web_identity_token_file",
        "login_session",
    ];
    any.iter().any(|key| profile.contains_key(*key))
}

fn named(name: &str, files: &Files) -> Result<Profile> {
    config::profile(files, name)?.ok_or_else(|| Error::Config {
        what: format!("profile {}", crate::ui::clean(name)),
        reason: "is in neither the AWS config file nor the credentials file".into(),
        hint: Some("`aws configure list-profiles` shows the names there are".into()),
    })
}

/// A profile with `role_arn` is a role over its source: asked by us and not by the SDK, which ignores
/// `mfa_serial` and `duration_seconds` (awslabs/aws-sdk-rust#527). With a web identity file the role
/// belongs to the identity, and the SDK does it.
fn of_profile(name: &str, files: &Files, env: &Env, depth: usize) -> Result<Source> {
    let profile = named(name, files)?;
    let broken =
        |reason: String| Error::Config { what: format!("profile {}", crate::ui::clean(name)), reason, hint: None };
    if depth > DEEPEST {
        return Err(broken("its source_profile leads in a circle".into()));
    }
    let plain = || {
        let sso = profile.contains_key("sso_account_id") || profile.contains_key("sso_start_url");
        Source::Profile { name: name.into(), sso, files: files.clone() }
    };
    let Some(arn) = profile.get("role_arn").filter(|_| !profile.contains_key("web_identity_token_file")) else {
        let long_term = profile.contains_key("aws_access_key_id") && !profile.contains_key("aws_session_token");
        let base = plain();
        return Ok(if long_term && depth == 0 {
            Source::Session { duration: None, base: Box::new(base) }
        } else {
            base
        });
    };
    let base = match (profile.get("source_profile"), profile.get("credential_source").map(String::as_str)) {
        (Some(_), Some(_)) => return Err(broken("has both source_profile and credential_source".into())),
        (Some(source), None) if source == name => plain(),
        (Some(source), None) => of_profile(source, files, env, depth + 1)?,
        (None, Some("Environment")) => unwrap_session(of_env(env)?),
        (None, Some("EcsContainer")) => container(env)?,
        (None, Some("Ec2InstanceMetadata")) => Source::Ec2,
        (None, Some(other)) => return Err(broken(format!("its credential_source is {}", crate::ui::clean(other)))),
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
    Ok(Source::Role { role, base: Box::new(base) })
}

/// Long-term keys may assume a role themselves (and for longer than an hour): a session is only for handing out.
fn unwrap_session(source: Source) -> Source {
    match source {
        Source::Session { base, .. } => *base,
        other => other,
    }
}

/// `--duration` without `--role` is the profile's role's, or the session's; anything else has a life of its own.
fn with_duration(source: Source, typed: &Selectors) -> Result<Source> {
    match source {
        Source::Role { role, base } => Ok(Source::Role { role: Role { duration: typed.duration, ..role }, base }),
        Source::Session { base, .. } => Ok(Source::Session { duration: typed.duration, base }),
        other => Err(Error::Flag {
            flag: "--duration",
            reason: format!("{} decides itself how long its credentials live", other.label()),
        }),
    }
}

fn check_kind(kind: SourceKind, name: &str, files: &Files) -> Result<()> {
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
    if has {
        Ok(())
    } else {
        Err(Error::Config { what: format!("profile {}", crate::ui::clean(name)), reason, hint: None })
    }
}

/// The region a profile names, for STS; a role's is its source profile's.
fn region_of(source: &Source, files: &Files) -> Result<Option<String>> {
    let name = match source {
        Source::Profile { name, .. } | Source::Role { role: Role { profile: Some(name), .. }, .. } => name,
        Source::Role { base, .. } | Source::Session { base, .. } => return region_of(base, files),
        _ => return Ok(None),
    };
    Ok(config::profile(files, name)?.and_then(|profile| profile.get("region").cloned()))
}
