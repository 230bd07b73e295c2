//! `sts:GetCallerIdentity` with credentials that are at hand.

use std::cell::Cell;
use std::time::{Duration, Instant};

use crate::aws::{self, Place};
use crate::config::{Files, Profile};
use crate::env::{self, Env};
use crate::error::{Error, Result};
use crate::http::Http;
use crate::lease::Lease;
use crate::request::{self, Source};
use crate::time::Epoch;
use crate::ui;

/// Who AWS says it is. Texts from elsewhere, fit for a terminal.
pub struct Identity {
    pub account: String,
    pub arn: String,
    pub user_id: String,
    /// AWS's clock minus ours, seconds.
    pub skew: Epoch,
}

/// Asks the request's STS, else the environment's; where neither names a region, the one where the role is from: nobody else's knows its keys.
pub fn identity(lease: &Lease, env: &Env, deadline: Duration) -> Result<Identity> {
    let request = &lease.request;
    let http = Http::new(request::ca_bundle(&request.source, env));
    let region = request.region.as_deref().or(env.first(&env::REGION));
    region.map_or(Ok(()), request::checked_region)?;
    // That there is none may be what a profile wants.
    let (endpoint, variant) = if request.region.is_some() || request.source.asks_sts() {
        (request.endpoint.clone(), request.variant)
    } else {
        request::sts_of(env, &Profile::default(), &Files::of(env))?
    };
    let place = Place { region, endpoint: endpoint.as_deref(), variant };
    let client = aws::sts(&http, Some(&lease.credentials), place, role(&request.source));
    let late = Error::Deadline { what: aws::STS.into(), seconds: deadline.as_secs() };
    let until = Cell::new(Instant::now() + deadline);
    let given =
        super::block_on(&until, async { Ok(client.get_caller_identity().send().await) })?.unwrap_or(Err(late))?;
    let given = given.map_err(|error| {
        aws::sts_error("sts:GetCallerIdentity", &request.label(), &lease.credentials.secrets(), &error)
    })?;
    let text = |value: Option<&str>| ui::clean(value.unwrap_or_default());
    Ok(Identity {
        account: text(given.account()),
        arn: text(given.arn()),
        user_id: text(given.user_id()),
        skew: http.skew(env.now()),
    })
}

/// The ARN of the role whose credentials a source gives.
fn role(source: &Source) -> Option<&str> {
    match source {
        Source::Role { role, .. } => Some(&role.arn),
        Source::WebIdentity { role_arn, .. } => Some(role_arn),
        _ => None,
    }
}
