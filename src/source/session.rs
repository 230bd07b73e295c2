//! `sts:GetSessionToken`: long-term keys become temporary ones, as the former are never handed out.

use super::Asking;
use crate::aws;
use crate::credentials::Credentials;
use crate::error::Result;
use crate::request::Source;

/// AWS's own default is 12 hours; an hour is what a role lives, and renewing costs nothing.
const DEFAULT: u32 = 3600;

/// A session of `base_credentials`, `duration` seconds long (900 to 129600). What is temporary already is passed on.
pub async fn get(
    duration: Option<u32>,
    base: &Source,
    base_credentials: Credentials,
    asking: &Asking<'_>,
) -> Result<Credentials> {
    if !base_credentials.long_term() {
        return Ok(base_credentials);
    }
    let request = asking.request;
    let client =
        aws::sts(&asking.http, Some(&base_credentials), request.region.as_deref(), request.endpoint.as_deref(), None);
    let seconds = i32::try_from(duration.unwrap_or(DEFAULT)).unwrap_or(i32::MAX);
    let given = client.get_session_token().duration_seconds(seconds).send().await;
    let given = given.map_err(|error| aws::sts_error("sts:GetSessionToken", &base.label(), &error))?;
    aws::from_sts(given.credentials())
}
