//! `credsh whoami`: who AWS says the credentials are (`sts:GetCallerIdentity`, which needs no permission).

use serde_json::json;

use crate::cli::Whoami;
use crate::env::Env;
use crate::error::Result;
use crate::renew::{self, Terms, When};
use crate::{source, ui};

pub fn run(args: &Whoami, env: &Env) -> Result<u8> {
    let store = super::store(args.store.no_store, env)?;
    let request = super::meant(&args.selectors, store.as_ref(), env)?;
    let terms = Terms { when: When::Needed, person: true, queue: true, deadline: super::PATIENCE };
    let outcome = renew::lease(&request, store.as_ref(), env, &terms)?;
    if let Some(failure) = &outcome.failure {
        ui::error(failure);
    }
    let who = source::identity(&outcome.lease, env, super::PATIENCE)?;
    if args.json {
        ui::print(&format!("{:#}\n", json!({ "Account": who.account, "Arn": who.arn, "UserId": who.user_id })))?;
    } else {
        ui::print(&format!("account  {}\narn      {}\nuser id  {}\n", who.account, who.arn, who.user_id))?;
    }
    Ok(0)
}
