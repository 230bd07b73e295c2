//! `credsh export`: prints the credentials, from the store while they are fresh.

use crate::cli::Export;
use crate::env::Env;
use crate::error::Result;
use crate::renew::{self, Terms, When};
use crate::{format, ui};

pub fn run(args: &Export, env: &Env) -> Result<u8> {
    let store = super::store(args.store.no_store, env)?;
    let request = super::meant(&args.selectors, store.as_ref(), env)?;
    let terms = Terms { when: When::Needed, person: true, queue: true, deadline: super::PATIENCE };
    let outcome = renew::lease(&request, store.as_ref(), env, &terms)?;
    if let Some(failure) = outcome.failure {
        ui::error(&failure);
    }
    ui::print(format::render(args.format, &outcome.lease.credentials, &args.prefix)?.expose())?;
    Ok(0)
}
