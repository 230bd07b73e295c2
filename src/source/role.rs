//! `sts:AssumeRole` with every parameter that the request holds. Which credentials sign it is decided in `request`.

use super::Asking;
use crate::aws;
use crate::credentials::Credentials;
use crate::error::Result;
use crate::request::{Role, Source};
use crate::time;

/// How long a role assumed with temporary credentials may live (role chaining), by AWS's rule; seconds.
const CHAINED: u32 = 3600;

/// Assumes `role` with the credentials of `base`; a longer duration than role chaining allows is cut, with a notice.
pub async fn assume(
    role: &Role,
    base: &Source,
    base_credentials: &Credentials,
    asking: &mut Asking<'_>,
) -> Result<Credentials> {
    let mut duration = role.duration;
    if !base_credentials.long_term() && duration > Some(CHAINED) {
        asking.notices.push(
            "a role assumed with temporary credentials lasts one hour at most (role chaining): requesting 1h".into(),
        );
        duration = Some(CHAINED);
    }
    let client = aws::sts(&asking.http, Some(base_credentials), asking.place(), Some(&role.arn));
    let session_name =
        role.session_name.clone().unwrap_or_else(|| format!("{}-session", time::compact(asking.env.now())));
    asking.turns_to(aws::STS);
    let given = client
        .assume_role()
        .role_arn(&role.arn)
        .role_session_name(session_name)
        .set_duration_seconds(duration.and_then(|seconds| i32::try_from(seconds).ok()))
        .set_external_id(role.external_id.clone())
        .set_serial_number(role.mfa_serial.clone())
        .set_token_code(role.mfa_serial.as_ref().and_then(|_| asking.given.mfa_code.take()))
        .send()
        .await
        .map_err(|error| aws::sts_error("sts:AssumeRole", &base.label(), &base_credentials.secrets(), &error))?;
    aws::from_sts(given.credentials())
}
