//! The AWS SDK: its configuration over our HTTP clients, and its errors in our words, with advice. Which call to make, and
//! with what, is up to `source`.

use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_config::provider_config::ProviderConfig;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_sso::operation::get_role_credentials::GetRoleCredentialsError;
use aws_sdk_sts::Client;
use aws_sdk_sts::config::{Region, SharedAsyncSleep, StalledStreamProtectionConfig};
use aws_sdk_sts::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_async::rt::sleep::TokioSleep;

use crate::config::Variant;
use crate::credentials::{Credentials, Secret};
use crate::error::{self, Error, Result};
use crate::http::{self, Http, NoAddress, NoClient};
use crate::{redact, ui};

/// What messages call STS; [`Error::hint`] compares with it.
pub const STS: &str = "AWS STS";

/// Where to reach AWS. `endpoint` is a URL for STS alone.
#[derive(Clone, Copy)]
pub struct Place<'a> {
    pub region: Option<&'a str>,
    pub endpoint: Option<&'a str>,
    pub variant: Variant,
}

/// For the SDK's own providers. The region is handed in, as the SDK would ask the EC2 metadata service for one.
pub fn provider_config(http: &Http, place: Place<'_>) -> ProviderConfig {
    ProviderConfig::without_region()
        .with_region(Some(Region::new(place.region.unwrap_or(DEFAULT_REGION).to_owned())))
        .with_use_fips(Some(place.variant.fips))
        .with_use_dual_stack(Some(place.variant.dualstack))
        .with_behavior_version(Some(BehaviorVersion::latest()))
        .with_http_client(http.clone())
        .with_timeout_config(timeouts())
        .with_sleep_impl(TokioSleep::new())
}

/// The limit for one attempt. Without it the SDK would watch the throughput, and give up after 5 s without a byte: before
/// the connect timeout, which is `http`'s, and with a message about throughput.
fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder().read_timeout(ANSWER).build()
}

/// STS answers within a fraction of a second. After this long the answer is lost, and another attempt may succeed.
const ANSWER: Duration = Duration::from_secs(10);

/// The region to sign for if none is known: that of the global endpoint, which botocore uses in legacy mode.
const DEFAULT_REGION: &str = "us-east-1";

/// An STS client that signs with `base`, or does not sign. Without a region it asks the home region of the partition in
/// `arn`.
pub fn sts(http: &Http, base: Option<&Credentials>, place: Place<'_>, arn: Option<&str>) -> Client {
    let partition = arn.and_then(|arn| arn.split(':').nth(1)).unwrap_or("aws");
    let home = match partition {
        "aws-cn" => "cn-north-1",
        "aws-us-gov" => "us-gov-west-1",
        "aws-eusc" => "eusc-de-east-1",
        _ => DEFAULT_REGION,
    };
    let config = aws_sdk_sts::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(place.region.unwrap_or(home).to_owned()))
        .use_fips(place.variant.fips)
        .use_dual_stack(place.variant.dualstack)
        .http_client(http.clone())
        .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
        .retry_config(RetryConfig::standard().with_max_attempts(3))
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .timeout_config(timeouts());
    let config = match base {
        Some(base) => config.credentials_provider(SharedCredentialsProvider::new(for_sdk(base))),
        None => config,
    };
    let config = match place.endpoint {
        Some(url) => config.endpoint_url(url),
        None => config,
    };
    Client::from_conf(config.build())
}

fn for_sdk(credentials: &Credentials) -> aws_credential_types::Credentials {
    let Credentials { access_key_id, secret_access_key, session_token, .. } = credentials;
    let token = session_token.as_ref().filter(|_| !credentials.long_term()).map(|token| token.expose().to_owned());
    aws_credential_types::Credentials::new(access_key_id, secret_access_key.expose(), token, None, "credsh")
}

/// Converts credentials from an SDK provider.
pub fn from_sdk(credentials: &aws_credential_types::Credentials) -> Credentials {
    let since =
        |time: std::time::SystemTime| time.duration_since(std::time::UNIX_EPOCH).ok()?.as_secs().try_into().ok();
    Credentials {
        access_key_id: credentials.access_key_id().into(),
        secret_access_key: Secret::new(credentials.secret_access_key()),
        session_token: credentials.session_token().map(Secret::new),
        expiration: credentials.expiry().and_then(since),
    }
}

/// Converts credentials from an STS answer.
///
/// # Errors
/// `Error::BadAnswer` if STS reported success without any.
pub fn from_sts(given: Option<&aws_sdk_sts::types::Credentials>) -> Result<Credentials> {
    let given = given
        .ok_or_else(|| Error::BadAnswer { source: STS.into(), reason: "the answer holds no credentials".into() })?;
    Ok(Credentials {
        access_key_id: given.access_key_id().into(),
        secret_access_key: Secret::new(given.secret_access_key()),
        session_token: Some(Secret::new(given.session_token())),
        expiration: Some(given.expiration().secs()),
    })
}

/// Converts a failed STS call. `caller` names the credentials that signed it; `hidden` is what was sent and must not be
/// repeated.
pub fn sts_error<E>(operation: &'static str, caller: &str, hidden: &[&Secret], error: &SdkError<E>) -> Error
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    if let Some(none) = NoClient::behind(error) {
        return none.error(STS);
    }
    if let Some(NoAddress { host, reason }) = behind(error).next() {
        return Error::Unresolved { source: STS.into(), host: host.clone(), reason: reason.clone() };
    }
    // A proxy, or whatever AWS_ENDPOINT_URL_STS names, may answer in place of STS and echo what it was sent.
    let told = |text: &str| redact::told(text, hidden);
    let Some(service) = error.as_service_error() else {
        let reason = match error {
            SdkError::TimeoutError(_) => "no answer in time".into(),
            other => told(&http::innermost(other)),
        };
        return Error::Unreachable { source: STS.into(), reason };
    };
    let code = told(service.meta().code().unwrap_or_default());
    let mut message = told(service.meta().message().unwrap_or_default());
    let status = error.raw_response().map_or(0, |response| response.status().as_u16());
    // Temporary by its status, whatever the code says (RFC 9110, and RFC 6585 for 429).
    let passes = status >= 500 || status == 429 || status == 408;
    if code.is_empty() {
        let mut hint = None;
        // STS gives a code whenever it refuses, and never redirects. So this is a proxy's refusal, or a network's sign-in
        // page.
        if !passes {
            message = "this is not an answer from STS".into();
            hint = Some(
                "check HTTPS_PROXY and AWS_ENDPOINT_URL_STS, and whether this network requires you to sign in".into(),
            );
        }
        return Error::Answer { source: STS.into(), status, message, hint };
    }
    let denied = !(passes
        || code.contains("Throttl")
        || code == "RequestLimitExceeded"
        || code == "IDPCommunicationError"
        || code.starts_with("Internal")
        || code == "ServiceUnavailable");
    Error::Aws { operation, advice: advice(operation, &code, &message, caller), code, message, denied }
}

/// Cloud9's managed credentials answer InvalidClientTokenId rather than AccessDenied to actions that they do not allow (AWS
/// Cloud9 User Guide, "Actions supported by AWS managed temporary credentials").
const CLOUD9: &str = "Cloud9's managed temporary credentials block this action. In STS they allow only GetCallerIdentity and \
    DecodeAuthorizationMessage (so no role can be assumed), in IAM and Cloud9 some actions, elsewhere everything. \
    Instead, attach an instance profile to the environment and use `--source ec2`, or name another profile with \
    --profile (add it to ~/.aws/config: changing the credentials file turns the managed credentials off)";

const SLOWER: &str = "AWS is throttling requests: try again in a minute";

/// What to do about AWS's error codes, by the codes and messages that STS has been seen to send.
fn advice(operation: &str, code: &str, message: &str, caller: &str) -> Option<String> {
    let says = |part: &str| message.contains(part);
    let text = match code {
        "AccessDenied" if says("invalid MFA one time pass code") => "an MFA code works only once: wait for the next one".into(),
        "AccessDenied" if says("unable to validate MFA code") => "check that mfa_serial is this user's device".into(),
        "AccessDenied" if says("MultiFactorAuthentication failed") => "this role requires MFA: name your device with --mfa-serial or the profile's mfa_serial".into(),
        "AccessDenied" => return denied(operation, caller),
        "ExpiredToken" | "ExpiredTokenException" => format!("the credentials of {caller} have expired: renew them first"),
        "InvalidClientTokenId" if caller == "cloud9" => CLOUD9.into(),
        "InvalidClientTokenId" | "UnrecognizedClientException" => format!(
            "AWS does not recognize the key of {caller}: it was deleted, its session token is missing, or it belongs to another partition"
        ),
        "SignatureDoesNotMatch" if says("Signature expired") || says("Signature not yet current") => "this machine's clock is wrong: set it, e.g. with chronyc or timedatectl".into(),
        "RequestExpired" => "this machine's clock is wrong: set it, e.g. with chronyc or timedatectl".into(),
        "SignatureDoesNotMatch" => format!("the secret key of {caller} is wrong, or was mangled when it was copied"),
        "ValidationError" if says("role chaining") => "roles assumed with temporary credentials last one hour at most: pass --duration 1h".into(),
        "ValidationError" if says("MaxSessionDuration") => "the role allows less: pass a shorter --duration, or raise the role's maximum session duration".into(),
        "RegionDisabledException" => "STS is not activated in this region: pass --region with another, or have the account's administrator activate it".into(),
        "PackedPolicyTooLarge" => "shorten the session policy or the tags".into(),
        "Throttling" | "ThrottlingException" | "RequestLimitExceeded" => SLOWER.into(),
        _ => return None,
    };
    Some(text)
}

/// Who may have refused. Only a role has a trust policy.
fn denied(operation: &str, caller: &str) -> Option<String> {
    match operation {
        "sts:AssumeRole" => Some(format!(
            "either {caller} may not call it, or the role's trust policy does not name {caller}, or one of its conditions (ExternalId, MFA, source identity) is not met; AWS reports all three the same way"
        )),
        "sts:AssumeRoleWithWebIdentity" => {
            Some("either the role's trust policy does not name the token's issuer, or one of its conditions (audience, subject) is not met".into())
        }
        // The call itself needs no permission, so only an explicit deny can refuse it.
        "sts:GetSessionToken" => Some(format!(
            "a policy of {caller} or of its organization denies it; if only without MFA, pass --mfa-serial"
        )),
        _ => None,
    }
}

/// What messages call IAM Identity Center.
const SSO: &str = "IAM Identity Center";

/// Converts the failure of an SDK provider for the IAM Identity Center profile `name`. Without an answer from the portal it
/// concerns the sign-in, which the SDK reports in private types, or the profile, which it calls an invalid configuration.
/// `sent` is the sign-in's token, and must not be repeated.
pub fn sso_error(name: &str, sent: Option<&Secret>, error: &CredentialsError) -> Error {
    let name = ui::clean(name);
    let what = format!("profile {name}");
    let login = || Some(format!("sign in with `aws sso login --profile {name}`"));
    let asked = behind::<SdkError<GetRoleCredentialsError>>(error).next();
    let hint = match (asked, error) {
        (Some(SdkError::ServiceError(refused)), _) => {
            let status = refused.raw().status().as_u16();
            let meta = refused.err().meta();
            let told = |text: Option<&str>| redact::told(text.unwrap_or_default(), sent.as_slice());
            return refused_by_portal(&name, status, told(meta.code()), told(meta.message()), login());
        }
        (Some(SdkError::TimeoutError(_)), _) => {
            return Error::Unreachable { source: what, reason: "no answer in time".into() };
        }
        (Some(_), _) | (_, CredentialsError::ProviderTimedOut(_)) => return provider_error(&what, error),
        (None, CredentialsError::ProviderError(_)) => login(),
        (None, CredentialsError::Unhandled(_)) => {
            return Error::BadAnswer { source: SSO.into(), reason: http::innermost(error) };
        }
        (None, _) => Some(configure_sso(&name)),
    };
    Error::Config { what: format!("{what} gave no credentials"), reason: reason(error), hint }
}

/// Advice for a profile that lacks a setting for IAM Identity Center.
pub fn configure_sso(name: &str) -> String {
    format!("`aws configure sso --profile {}` asks for what is missing, and saves it", ui::clean(name))
}

/// What an error answer of the portal means. One that a proxy sent in its place has a status but no code.
fn refused_by_portal(name: &str, status: u16, code: String, mut message: String, login: Option<String>) -> Error {
    let advice = match status {
        401 => login,
        403 | 404 => Some(format!(
            "check sso_account_id and sso_role_name of profile {name}: the user who signed in may not have this role in this account"
        )),
        429 => Some(SLOWER.into()),
        _ => None,
    };
    if code.is_empty() && advice.is_none() {
        return Error::Answer { source: SSO.into(), status, message, hint: None };
    }
    if message.is_empty() {
        message = format!("status {status}");
    }
    Error::Aws { operation: "sso:GetRoleCredentials", code, message, advice, denied: status < 500 && status != 429 }
}

/// Converts the failure of an SDK provider for a profile of any other kind; `what` names it.
pub fn provider_error(what: &str, error: &CredentialsError) -> Error {
    if let Some(none) = NoClient::behind(error) {
        return none.error(what);
    }
    let reason = reason(error);
    let lower = reason.to_lowercase();
    match error {
        // The SDK gives no reason here.
        CredentialsError::CredentialsNotLoaded(_) if reason.is_empty() => Error::Config {
            what: format!("{what} gave no credentials"),
            reason: "it has no keys, role, IAM Identity Center, credential_process or web identity".into(),
            hint: None,
        },
        CredentialsError::ProviderTimedOut(_) => {
            Error::Unreachable { source: what.into(), reason: "no answer in time".into() }
        }
        _ if lower.contains("dispatch failure") || lower.contains("connect") => {
            Error::Unreachable { source: what.into(), reason }
        }
        _ => Error::Config { what: format!("{what} gave no credentials"), reason, hint: None },
    }
}

/// The errors in a chain that are of type `T`, outermost first.
fn behind<'a, T: std::error::Error + 'static>(
    error: &'a (dyn std::error::Error + 'static),
) -> impl Iterator<Item = &'a T> {
    std::iter::successors(Some(error), |error| error.source()).filter_map(|error| error.downcast_ref())
}

/// Why a provider failed: the messages in its chain of errors that add something new.
fn reason(error: &CredentialsError) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut link: Option<&dyn std::error::Error> = std::error::Error::source(error);
    while let Some(error) = link {
        let text = ui::clean(&error.to_string());
        if !parts.iter().any(|part| part.contains(&text)) {
            parts.push(text);
        }
        link = error.source();
    }
    parts.iter().map(|part| error::lower(part)).collect::<Vec<_>>().join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tested by itself, since waiting for a real timeout takes too long.
    #[test]
    fn a_portal_that_is_silent_is_unreachable() {
        let late = SdkError::<GetRoleCredentialsError>::timeout_error("late");
        let wrapped = CredentialsError::provider_error(CredentialsError::provider_error(late));
        let told = sso_error("dev", None, &wrapped);
        assert_eq!((told.kind().status(), told.to_string()), (5, "cannot reach profile dev: no answer in time".into()));
    }
}
