//! Profiles without a role, web identity, and the environment's own variables. The SDK's providers are used for IAM
//! Identity Center, and for saying what is wrong with a profile.

use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::sso::SsoCredentialsProvider;
use aws_credential_types::provider::ProvideCredentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_sts::config::Region;

use super::{Asking, process, token};
use crate::aws;
use crate::config::{self, Files, Profile};
use crate::credentials::{Credentials, Secret};
use crate::env::Env;
use crate::error::{Error, Result};
use crate::request;
use crate::time;

/// The credentials of a profile without a role, from the files in which it was found, whatever this process's variables
/// say.
pub async fn profile(name: &str, files: &Files, asking: &Asking<'_>) -> Result<Credentials> {
    if let Some(keys) = request::static_keys(name, files)? {
        return Ok(keys);
    }
    let section = config::profile(files, name)?.unwrap_or_default();
    match Way::of(&section) {
        Way::WebIdentity(identity) => {
            let named_by = format!("web_identity_token_file of profile {}", crate::ui::clean(name));
            web_identity(&identity, &named_by, asking).await
        }
        Way::Process(command) => {
            let given = process::fetch(name, files, command, asking).await;
            given.map_err(|error| match error {
                // Only on failure, as what was cut off may really be a comment.
                Error::Config { what, reason, .. } if config::is_cut(files, name, command) => {
                    Error::Config { what, reason, hint: Some(CUT.into()) }
                }
                error => error,
            })
        }
        Way::Sso => sso(name, files, &section, asking).await,
        Way::Broken(reason) => Err(Error::Config {
            what: format!("profile {} gave no credentials", crate::ui::clean(name)),
            reason: reason.into(),
            hint: None,
        }),
        // The SDK could, with a feature that brings its own client and cryptography; without it, its error speaks of that.
        Way::Login => Err(Error::Config {
            what: format!("profile {} gave no credentials", crate::ui::clean(name)),
            reason: "profiles set up by `aws login` are not supported".into(),
            hint: Some(format!(
                "make `aws configure export-credentials --profile {}` the credential_process of another profile, and use that one",
                crate::ui::clean(name)
            )),
        }),
        Way::Sdk => by_sdk(name, files, asking)
            .await
            .map_err(|error| aws::provider_error(&format!("profile {}", crate::ui::clean(name)), &error)),
    }
}

async fn by_sdk(name: &str, files: &Files, asking: &Asking<'_>) -> std::result::Result<Credentials, CredentialsError> {
    let config = aws::provider_config(&asking.http, asking.place());
    let provider =
        ProfileFileCredentialsProvider::builder().configure(&config).profile_name(name).profile_files(files.for_sdk());
    provider.build().provide_credentials().await.map(|sdk| aws::from_sdk(&sdk))
}

/// How a profile gives credentials, other than by its own keys.
enum Way<'a> {
    WebIdentity(WebIdentity<'a>),
    Process(&'a str),
    /// IAM Identity Center.
    Sso,
    Broken(&'static str),
    Login,
    /// The SDK says what is wrong with it.
    Sdk,
}

impl<'a> Way<'a> {
    /// If a profile has several ways, botocore's order decides (`ProfileProviderBuilder`).
    fn of(profile: &'a Profile) -> Self {
        let get = |key: &str| profile.get(key).map(String::as_str);
        let any = |keys: &[&str]| keys.iter().any(|key| profile.contains_key(*key));
        let web_identity = get("web_identity_token_file").zip(get("role_arn"));
        match (web_identity, get("credential_process")) {
            (Some((token_file, role_arn)), _) => {
                Way::WebIdentity(WebIdentity { token_file, role_arn, session_name: get("role_session_name") })
            }
            _ if any(&["web_identity_token_file"]) => Way::Broken("it has web_identity_token_file, but no role_arn"),
            _ if request::is_sso(profile) => Way::Sso,
            _ if any(&["login_session"]) => Way::Login,
            (None, Some(command)) => Way::Process(command),
            // The SDK would take this process's own credentials from there; the AWS CLI ignores the key.
            _ if any(&["credential_source"]) => Way::Broken("it has credential_source, but no role_arn"),
            // The SDK would combine it with the secret of the other file, which belongs to another key.
            _ if any(&["aws_access_key_id"]) => {
                Way::Broken("its aws_access_key_id has no aws_secret_access_key beside it in the same file")
            }
            _ if any(&["sso_region", "sso_session", "sso_start_url"]) => Way::Sso,
            _ => Way::Sdk,
        }
    }
}

/// The sign-in of an IAM Identity Center profile. (A session without account and role would only yield a token.) Done by
/// the SDK's SSO provider and not its profile provider, which has another order of ways, assumes roles itself, and rejects
/// a profile that repeats a setting of its session.
async fn sso(name: &str, files: &Files, profile: &Profile, asking: &Asking<'_>) -> Result<Credentials> {
    let lacks = |reason: String| Error::Config {
        what: format!("profile {} gave no credentials", crate::ui::clean(name)),
        reason,
        hint: Some(aws::configure_sso(name)),
    };
    let named = profile.get("sso_session");
    let session = match named {
        Some(named) => config::sso_session(files, named)?
            .ok_or_else(|| lacks(format!("there is no sso-session named `{}`", crate::ui::clean(named))))?,
        None => Profile::new(),
    };
    if let Some((key, _)) = session.iter().find(|(key, value)| profile.get(*key).is_some_and(|own| own != *value)) {
        return Err(lacks(format!("its {key} differs from that of its sso-session")));
    }
    let get = |key: &str| profile.get(key).or(session.get(key)).cloned();
    let missing = || {
        let missing: Vec<_> = SSO.into_iter().filter(|key| get(key).is_none()).collect();
        lacks(format!("it has no {}", missing.join(" and ")))
    };
    let [Some(account), Some(role), Some(region), Some(start_url)] = SSO.map(get) else { return Err(missing()) };
    let mut provider = SsoCredentialsProvider::builder()
        .configure(&aws::provider_config(&asking.http, asking.place()))
        .account_id(account)
        .role_name(role)
        .region(Region::new(region))
        .start_url(start_url);
    provider.set_session_name(named.cloned());
    let given = provider.build().provide_credentials().await;
    given.map(|sdk| aws::from_sdk(&sdk)).map_err(|error| aws::sso_error(name, asking.http.sign_in().as_ref(), &error))
}

const CUT: &str = "it was run without what follows ` #` or ` ;`, which AWS SDKs treat as a comment, even in quotes: \
    put the command into a script";

/// The settings that IAM Identity Center needs.
const SSO: [&str; 4] = ["sso_account_id", "sso_role_name", "sso_region", "sso_start_url"];

/// An identity that AWS knows by a token from another issuer.
pub struct WebIdentity<'a> {
    pub token_file: &'a str,
    pub role_arn: &'a str,
    /// `None` makes up a new one each time.
    pub session_name: Option<&'a str>,
}

/// `sts:AssumeRoleWithWebIdentity`, unsigned; `named_by` is the setting that names the token's file. Not left to the SDK's
/// provider, not even for profiles: it takes the endpoint from this process's variables, which a renewal elsewhere does not
/// have, hides AWS's error code, and blocks on a token that is a FIFO.
pub async fn web_identity(identity: &WebIdentity<'_>, named_by: &str, asking: &Asking<'_>) -> Result<Credentials> {
    let WebIdentity { token_file, role_arn, session_name } = *identity;
    let token = token::read("read the web identity token", token_file, named_by)?;
    let token = Secret::new(token.expose().trim());
    let client = aws::sts(&asking.http, None, asking.place(), Some(role_arn));
    let session_name =
        session_name.map_or_else(|| format!("{}-session", time::compact(asking.env.now())), str::to_owned);
    let asked = client.assume_role_with_web_identity().role_arn(role_arn).role_session_name(session_name);
    asking.turns_to(aws::STS);
    let given = asked.web_identity_token(token.expose()).send().await;
    let given = given
        .map_err(|error| aws::sts_error("sts:AssumeRoleWithWebIdentity", "the web identity", &[&token], &error))?;
    aws::from_sts(given.credentials())
}

/// The credentials in the standard variables, if they are still those of `access_key_id`.
pub fn environment(access_key_id: &str, env: &Env) -> Result<Credentials> {
    match env.keys() {
        None => Err(changed("are no longer set")),
        Some(keys) if keys.access_key_id != access_key_id => Err(changed("now hold another key")),
        Some(keys) => Ok(keys),
    }
}

fn changed(reason: &str) -> Error {
    let hint = Some("run `credsh refresh` in the shell that has the variables".into());
    Error::Config { what: "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY".into(), reason: reason.into(), hint }
}
