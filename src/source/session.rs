//! `sts:GetSessionToken`: turns long-term keys into temporary ones, since long-term keys are never handed out.

use super::Asking;
use crate::aws;
use crate::credentials::Credentials;
use crate::error::{Error, Result};
use crate::request::{Session, Source};
use crate::ui;

/// The default duration, in seconds. AWS's own is 12 hours; an hour is what a role has, and renewing costs nothing.
const DEFAULT: u32 = 3600;
/// The default with MFA, in seconds: each renewal takes a person and a code.
const WITH_MFA: u32 = 12 * 3600;

/// A session of `base_credentials`. Temporary ones are passed on as they are.
pub async fn get(
    session: &Session,
    base: &Source,
    base_credentials: Credentials,
    asking: &mut Asking<'_>,
) -> Result<Credentials> {
    if !base_credentials.long_term() {
        return match &session.mfa_serial {
            None => Ok(base_credentials),
            // Passing them on would suggest that they have MFA.
            Some(serial) => Err(Error::Config {
                what: format!("the MFA device {}", ui::clean(serial)),
                reason: format!("{} gives temporary credentials, for which AWS issues no MFA session", base.label()),
                hint: Some(
                    "remove mfa_serial: whatever issues the temporary credentials has to ask for the code".into(),
                ),
            }),
        };
    }
    let client = aws::sts(&asking.http, Some(&base_credentials), asking.place(), None);
    let code = session.mfa_serial.as_ref().and_then(|_| asking.given.mfa_code.take());
    let default = if session.mfa_serial.is_some() { WITH_MFA } else { DEFAULT };
    let seconds = i32::try_from(session.duration.unwrap_or(default)).unwrap_or(i32::MAX);
    let asked = client.get_session_token().duration_seconds(seconds);
    asking.turns_to(aws::STS);
    let given = asked.set_serial_number(session.mfa_serial.clone()).set_token_code(code).send().await;
    let given = given
        .map_err(|error| aws::sts_error("sts:GetSessionToken", &base.label(), &base_credentials.secrets(), &error))?;
    aws::from_sts(given.credentials())
}
