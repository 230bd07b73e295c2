//! `sts:GetCallerIdentity` with credentials that are at hand; nothing is stored or renewed.

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

/// Who AWS says the caller is. The texts are AWS's, made fit for a terminal.
pub struct Identity {
    pub account: String,
    pub arn: String,
    pub user_id: String,
    /// AWS's clock minus the local one, in seconds.
    pub skew: Epoch,
}

/// Asks the request's STS, else the environment's. Without a region it asks in the home region of the role's partition, as
/// no other partition knows its keys.
pub fn identity(lease: &Lease, env: &Env, deadline: Duration) -> Result<Identity> {
    let request = &lease.request;
    let http = Http::new(request::ca_bundle(&request.source, env));
    let region = request.region.as_deref().or(env.first(&env::REGION));
    region.map_or(Ok(()), request::checked_region)?;
    // A request that asks STS has its own settings, and having no endpoint may be what its profile wants.
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
