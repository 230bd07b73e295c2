//! `credsh status`: prints the leases that are held, as a table or as JSON. It prints no secret, and asks no source.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::cli::Status;
use crate::env::{self, Env};
use crate::error::Result;
use crate::lease::{Lease, State};
use crate::request::Source;
use crate::source::cloud9;
use crate::store::Store;
use crate::time::{self, NEVER};
use crate::{prompt, ui};

/// Prints the leases, soonest end first; `*` marks this shell's.
pub fn run(args: &Status, env: &Env) -> Result<u8> {
    let leases = Store::open(env)?.all()?;
    let own = env.get(env::LEASE);
    let now = env.now();
    if args.json {
        let all: Vec<Value> = leases.iter().map(|lease| object(lease, own, now)).collect();
        ui::print(&format!("{:#}\n", json!({ "leases": all })))?;
        return Ok(0);
    }
    if leases.is_empty() {
        ui::say("no lease is held");
        ui::hint("`credsh refresh` gets one; `credsh init --help` shows how a shell keeps it fresh");
        return Ok(0);
    }
    let width = leases.iter().map(|lease| lease.request.label().len()).max().unwrap_or(0).max(6);
    let mut table = format!("  {:width$}  {:7}  {:20}  {:9}  {:16}\n", "SOURCE", "LEFT", "EXPIRES", "STATE", "LEASE");
    for lease in &leases {
        let id = lease.request.id();
        let mark = if own == Some(&id) { '*' } else { ' ' };
        let left = Some(prompt::left(lease.expires, now)).filter(|left| !left.is_empty()).unwrap_or("unknown".into());
        let state = painted(lease.state(now), ui::colour(env));
        writeln!(table, "{mark} {:width$}  {left:7}  {:20}  {state}  {id}", lease.request.label(), expiration(lease))
            .ok();
        if let Some(late) = lateness(lease, now) {
            writeln!(table, "    {late}").ok();
        }
        if let Some(note) = &lease.note {
            writeln!(table, "    last renewal failed: {note}").ok();
        }
    }
    ui::print(&table)?;
    Ok(0)
}

/// A warning if Cloud9 is late: it rewrites its file every five minutes, but only while its owner has the IDE open.
fn lateness(lease: &Lease, now: i64) -> Option<String> {
    let Source::Cloud9 { file } = &lease.request.source else { return None };
    let minutes = cloud9::late(file, now)?;
    Some(format!("Cloud9 has not updated the credentials for {minutes} min: open the IDE as the environment's owner"))
}

fn expiration(lease: &Lease) -> String {
    lease.credentials.expiration.map_or("unknown".into(), time::format_rfc3339)
}

fn name(state: State) -> &'static str {
    match state {
        State::Fresh => "fresh",
        State::Window => "due",
        State::Mandatory => "mandatory",
        State::Expired => "expired",
    }
}

fn painted(state: State, colour: bool) -> String {
    let code = match state {
        State::Fresh => 32,
        State::Window | State::Mandatory => 33,
        State::Expired => 31,
    };
    if colour { format!("\u{1b}[{code}m{:9}\u{1b}[0m", name(state)) } else { format!("{:9}", name(state)) }
}

fn object(lease: &Lease, own: Option<&str>, now: i64) -> Value {
    let id = lease.request.id();
    let finite = |time: i64| (time != NEVER).then(|| time::format_rfc3339(time));
    json!({
        "current": own == Some(&id),
        "id": id,
        "source": lease.request.label(),
        "access_key_id": lease.credentials.access_key_id,
        "expiration": lease.credentials.expiration.map(time::format_rfc3339),
        "seconds_left": (lease.expires != NEVER).then(|| lease.expires - now),
        "state": name(lease.state(now)),
        "received": time::format_rfc3339(lease.received),
        "renewal_window": finite(lease.window()),
        "next_renewal": finite(lease.due),
        "last_failure": lease.note,
    })
}
