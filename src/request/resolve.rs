//! Makes a request of flags, environment and configuration. If no flag names the source, it is the container endpoint if
//! its variables are set, else what comes first in about the order of the SDKs' default chains (see `choose`).

use super::profile::{assumes, check_kind, for_sts, gives_credentials, of_profile, static_keys};
use super::{ECS, Request, Role, Session, Source};
use crate::config::{self, Files, Profile, Variant};
use crate::env::{self, Env};
use crate::error::{Error, Result};
use crate::selectors::{self, Selectors, SourceKind};
use crate::ui;

/// A role with a longer duration than this can be assumed only with long-term keys, not with a session; seconds.
const CHAINED: u32 = 3600;

impl Request {
    /// Resolves the flags that were `typed`.
    ///
    /// # Errors
    /// `Flag` for flags that do not go together, `Config` for a profile that is missing or broken, `NoSource` with the
    /// places that were searched.
    pub fn resolve(typed: &Selectors, env: &Env) -> Result<Request> {
        let files = Files::of(env);
        let source = match (typed.source, &typed.profile) {
            (Some(kind), Some(_)) if !matches!(kind, SourceKind::Profile | SourceKind::Sso | SourceKind::Process) => {
                let reason = "does not apply to this --source, only to profile, sso and process".into();
                return Err(Error::Flag { flag: "--profile", reason });
            }
            (Some(SourceKind::Container), _) => container(env)?,
            (Some(kind @ (SourceKind::Profile | SourceKind::Sso | SourceKind::Process)), name) => {
                let name = name.as_deref().or_else(|| env.first(&env::PROFILE)).unwrap_or("default");
                check_kind(kind, name, &files)?;
                of_profile(name, &files, env, 0)?
            }
            (Some(SourceKind::WebIdentity), _) => web_identity(env)?,
            (Some(SourceKind::Cloud9), _) => cloud9(&files)?,
            (Some(SourceKind::Ec2), _) => Source::Ec2,
            (Some(SourceKind::Env), _) => of_env(env)?,
            (None, Some(name)) => of_profile(name, &files, env, 0)?,
            (None, None) => choose(env, &files)?,
        };
        let source = match &typed.role {
            Some(arn) => {
                let (base, asked) = without_session(source);
                let role = Role {
                    arn: arn.clone(),
                    duration: typed.duration,
                    session_name: typed.session_name.clone(),
                    external_id: typed.external_id.clone(),
                    mfa_serial: typed.mfa_serial.clone().or(asked),
                    profile: None,
                };
                role_over(role, base, env)?
            }
            None if typed.duration.is_some() || typed.mfa_serial.is_some() => adjusted(source, typed, env)?,
            None => source,
        };
        let host = matches!(source.root(), Source::Container { .. } | Source::Ec2).then(env::host);
        let mut region = typed.region.clone();
        let asks_sts = typed.region.is_some() || source.asks_sts();
        let (mut endpoint, mut variant) = (None, Variant::default());
        if asks_sts {
            let profile = for_sts(&source, &files)?;
            (endpoint, variant) = sts_of(env, &profile, &files)?;
            region = region.or_else(|| env.first(&env::REGION).map(str::to_owned)).or(profile.get("region").cloned());
        }
        region.as_deref().map_or(Ok(()), checked_region)?;
        Ok(Request { source, region, endpoint, variant, host })
    }
}

/// Checks a region, which becomes part of a host name, wherever it came from.
///
/// # Errors
/// `Error::Config` if it is not the name of a region.
pub fn checked_region(name: &str) -> Result<()> {
    selectors::region(name).map(drop).map_err(|_| Error::Config {
        what: format!("the region {}", ui::clean(name)),
        reason: "not a region name".into(),
        hint: Some("check AWS_REGION, AWS_DEFAULT_REGION and the profile's region".into()),
    })
}

/// Which STS to ask, the region aside: its URL, if one is configured, and the variant. As in the AWS CLI a variable wins
/// over the profile, and a setting for STS over one for all of AWS.
///
/// # Errors
/// `Error::Config` for a URL that is not allowed, or not with the variant; for a file as in [`config::profile`].
pub fn sts_of(env: &Env, profile: &Profile, files: &Files) -> Result<(Option<String>, Variant)> {
    let is_true = |variable: &str, key: &str| {
        let value = env.get(variable).or(profile.get(key).map(String::as_str));
        value.is_some_and(|value| value.eq_ignore_ascii_case("true"))
    };
    let variant = Variant {
        fips: is_true(env::USE_FIPS, "use_fips_endpoint"),
        dualstack: is_true(env::USE_DUALSTACK, "use_dualstack_endpoint"),
    };
    if is_true(env::IGNORE_ENDPOINTS, "ignore_configured_endpoint_urls") {
        return Ok((None, variant));
    }
    let of_services = profile.get("services").map_or(Ok(None), |name| config::sts_of_services(files, name))?;
    let of_profile = of_services.or_else(|| profile.get("endpoint_url").cloned());
    let endpoint = env.first(&env::STS_ENDPOINT).map(str::to_owned).or(of_profile).filter(|url| !url.is_empty());
    let broken = |reason: &str, hint: &str| Error::Config {
        what: "the address of AWS STS".into(),
        reason: reason.into(),
        hint: Some(hint.into()),
    };
    match &endpoint {
        // The URL becomes part of the lease, which holds no passwords; and a signed request has no place for one.
        Some(url) if names_a_user(url) => Err(broken(
            "contains a user name, which is never right here",
            "check AWS_ENDPOINT_URL_STS, AWS_ENDPOINT_URL and the profile's endpoint_url",
        )),
        Some(_) if !variant.is_plain() => Err(broken(
            "a custom one is set, but AWS's FIPS or dual-stack one is requested",
            "unset AWS_USE_FIPS_ENDPOINT and AWS_USE_DUALSTACK_ENDPOINT, or set AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=true",
        )),
        _ => Ok((endpoint, variant)),
    }
}

fn names_a_user(url: &str) -> bool {
    let rest = url.split_once("//").map_or(url, |(_, rest)| rest);
    rest.split(['/', '?', '#']).next().unwrap_or_default().contains('@')
}

pub(super) fn container(env: &Env) -> Result<Source> {
    let relative = env.get(env::CONTAINER_RELATIVE).map(|path| format!("{ECS}{path}"));
    let uri = relative.or_else(|| env.get(env::CONTAINER_FULL).map(str::to_owned));
    let looked = || vec![format!("{} and {} (not set)", env::CONTAINER_FULL, env::CONTAINER_RELATIVE)];
    Ok(Source::Container { uri: uri.ok_or_else(|| Error::NoSource { looked: looked() })? })
}

fn web_identity(env: &Env) -> Result<Source> {
    let (Some(token_file), Some(role_arn)) = (env.path(env::WEB_IDENTITY_TOKEN_FILE), env.get(env::ROLE_ARN)) else {
        return Err(Error::NoSource {
            looked: vec![format!("{} and {} (not both set)", env::WEB_IDENTITY_TOKEN_FILE, env::ROLE_ARN)],
        });
    };
    let session_name = env.get(env::ROLE_SESSION_NAME).map(str::to_owned);
    let token_file = token_file.to_string_lossy().into_owned();
    Ok(Source::WebIdentity { token_file, role_arn: role_arn.into(), session_name })
}

pub(super) fn of_env(env: &Env) -> Result<Source> {
    let keys = env.keys().ok_or_else(|| Error::NoSource {
        looked: vec![format!("{} and {} (not both set)", env::ACCESS_KEY_ID, env::SECRET_ACCESS_KEY)],
    })?;
    let long_term = keys.long_term();
    let source = Source::Env { access_key_id: keys.access_key_id };
    Ok(if long_term { session_over(None, source) } else { source })
}

/// The credentials file, if Cloud9 writes it.
fn cloud9(files: &Files) -> Result<Source> {
    let file = files.credentials.clone().filter(|path| config::is_cloud9(path));
    let place = files.credentials.as_ref().map_or("(no HOME)".into(), |path| path.display().to_string());
    let looked = vec![format!("Cloud9's managed credentials: {place} does not begin with Cloud9's two lines")];
    file.map(|file| Source::Cloud9 { file }).ok_or(Error::NoSource { looked })
}

/// Without a flag: the container endpoint, keys in the environment, the profile that is set, a web identity, Cloud9's file,
/// a default profile that gives credentials, the EC2 instance's role.
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
    // Before a default profile, which may have come with an image, as in most SDKs (botocore, Go, Java). But not before one
    // with a role to assume: that is how a pod on EKS gets into another account, usually on top of its web identity.
    if let Ok(source) = web_identity(env)
        && !config::profile(files, "default")?.is_some_and(|profile| assumes(&profile))
    {
        return Ok(source);
    }
    if let Ok(source) = cloud9(files) {
        return Ok(source);
    }
    if config::profile(files, "default")?.is_some_and(|profile| gives_credentials(&profile)) {
        return of_profile("default", files, env, 0);
    }
    if !env.is_true(env::NO_IMDS) {
        return Ok(Source::Ec2);
    }
    Err(nothing_found(env, &format!("turned off by {}", env::NO_IMDS)))
}

/// The error of a choice that found nothing, with where it looked. `reason` is why the last resort, EC2's metadata service,
/// failed.
pub fn nothing_found(env: &Env, reason: &str) -> Error {
    let shown = |path: Option<std::path::PathBuf>| path.map_or("(no HOME)".into(), |path| path.display().to_string());
    let Files { config, credentials } = Files::of(env);
    let looked = vec![
        format!("container endpoint: {} and {} are not set", env::CONTAINER_FULL, env::CONTAINER_RELATIVE),
        format!("environment: {} and {} are not both set", env::ACCESS_KEY_ID, env::SECRET_ACCESS_KEY),
        format!(
            "profile: {} is not set, and neither {} nor {} has a default profile with credentials",
            env::PROFILE[0],
            shown(config),
            shown(credentials)
        ),
        format!("web identity: {} and {} are not both set", env::WEB_IDENTITY_TOKEN_FILE, env::ROLE_ARN),
        format!("EC2 metadata service: {reason}"),
    ];
    Error::NoSource { looked }
}

pub(super) fn session_over(mfa_serial: Option<String>, base: Source) -> Source {
    Source::Session { session: Session { duration: None, mfa_serial }, base: Box::new(base) }
}

/// A role that wants MFA stands on a session that has it, so that the code is asked for once and not at every renewal. But
/// that is role chaining: a role that shall live longer than its hour takes a code itself. So does one over temporary
/// credentials, of which AWS makes no session (`sts:GetSessionToken` is for long-term keys).
pub(super) fn role_over(role: Role, base: Source, env: &Env) -> Result<Source> {
    match &role.mfa_serial {
        Some(serial) if role.duration <= Some(CHAINED) && is_long_term(&base, env)? => {
            let base = session_over(Some(serial.clone()), base);
            Ok(Source::Role { role: Role { mfa_serial: None, ..role }, base: Box::new(base) })
        }
        _ => Ok(Source::Role { role, base: Box::new(base) }),
    }
}

/// Whether the source gives an IAM user's own keys, as far as that can be known beforehand.
fn is_long_term(source: &Source, env: &Env) -> Result<bool> {
    Ok(match source {
        // What a credential_process gives shows only when it is run; were it temporary, it would have asked for the code
        // itself.
        Source::Profile { name, files, .. } => match static_keys(name, files)? {
            Some(keys) => keys.long_term(),
            None => config::profile(files, name)?.is_some_and(|profile| profile.contains_key("credential_process")),
        },
        Source::Env { .. } => env.keys().is_some_and(|keys| keys.long_term()),
        _ => false,
    })
}

/// Takes a source out of its session, if it is in one; with the session's MFA device, which is still wanted. Long-term keys
/// may assume a role themselves, and for longer than an hour: the session is only for handing them out.
pub(super) fn without_session(source: Source) -> (Source, Option<String>) {
    match source {
        Source::Session { session, base } => (*base, session.mfa_serial),
        other => (other, None),
    }
}

/// `--duration` and `--mfa-serial` without `--role` apply to the profile's role, or to the session. Any other source
/// decides itself how long its credentials live, and how to ask for a code.
fn adjusted(source: Source, typed: &Selectors, env: &Env) -> Result<Source> {
    match source {
        Source::Role { role, base } => {
            // Taken apart and put together again, since both flags decide whether the session takes the code or the role.
            let (base, asked) = without_session(*base);
            let mfa_serial = typed.mfa_serial.clone().or(role.mfa_serial.clone()).or(asked);
            role_over(Role { duration: typed.duration.or(role.duration), mfa_serial, ..role }, base, env)
        }
        Source::Session { session, base } => {
            let mfa_serial = typed.mfa_serial.clone().or(session.mfa_serial);
            Ok(Source::Session { session: Session { duration: typed.duration.or(session.duration), mfa_serial }, base })
        }
        other => {
            let flag = if typed.duration.is_some() { "--duration" } else { "--mfa-serial" };
            let reason = format!(
                "does not apply to {}, which itself determines how its credentials are issued and how long they last",
                other.label()
            );
            Err(Error::Flag { flag, reason })
        }
    }
}
