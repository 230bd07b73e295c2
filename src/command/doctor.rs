//! `credsh doctor`: what is wrong here, why it matters, what to type. Everything that can be seen offline first, then one
//! `sts:GetCallerIdentity`. Changes nothing but what it is asked with: a lease that is due is renewed, as by any command.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use serde::Serialize;

use crate::cli::Doctor;
use crate::config::{self, Files};
use crate::env::{self, Env};
use crate::error::Result;
use crate::lease::Lease;
use crate::renew::{self, Terms, When};
use crate::request::Request;
use crate::selectors::Selectors;
use crate::store::Store;
use crate::{prompt, source, time, ui};

/// A clock this far off, in seconds, is worth a word; AWS refuses signatures at 300.
const SKEW: i64 = 60;

/// One thing that was looked at.
#[derive(Serialize)]
struct Finding {
    ok: bool,
    what: String,
    /// Why it matters.
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    /// What to type.
    #[serde(skip_serializing_if = "Option::is_none")]
    fix: Option<String>,
}

impl Finding {
    fn lines(&self) -> String {
        let line = |name: &str, text: &Option<String>| {
            text.as_ref().map_or(String::new(), |text| format!("      {name}: {text}\n"))
        };
        let mark = if self.ok { "ok   " } else { "WRONG" };
        format!("{mark} {}\n{}{}", self.what, line("why", &self.why), line("fix", &self.fix))
    }
}

fn fine(what: impl Into<String>) -> Finding {
    Finding { ok: true, what: what.into(), why: None, fix: None }
}

fn wrong(what: impl Into<String>, why: impl Into<String>, fix: impl Into<String>) -> Finding {
    Finding { ok: false, what: what.into(), why: Some(why.into()), fix: Some(fix.into()) }
}

/// Looks at everything; exit status 1 if anything is wrong.
pub fn run(args: &Doctor, env: &Env) -> Result<u8> {
    let store = Store::open(env);
    let own = super::own_lease(store.as_ref().ok(), env)?;
    let mut findings = vec![fine(format!("environment: {}", surroundings(env)))];
    findings.push(match &store {
        Ok(_) => fine(format!("store: {}", crate::store::place(env)?.display())),
        Err(error) => wrong(error.to_string(), "leases cannot be kept or shared", error.hint().unwrap_or_default()),
    });
    findings.extend(sources(own.as_ref(), env));
    findings.extend(conflicts(own.as_ref(), env));
    findings.extend(modes(env));
    findings.extend(hook(env));
    findings.extend(held(own.as_ref(), env));
    // Without a source there is nobody to ask about.
    if own.is_some() || Request::resolve(&Selectors::default(), env).is_ok() {
        findings.push(identity(store.as_ref().ok(), env));
    }
    let status = u8::from(findings.iter().any(|finding| !finding.ok));
    if args.json {
        let text = serde_json::to_string_pretty(&findings).unwrap_or_default();
        ui::print(&format!("{text}\n"))?;
        return Ok(status);
    }
    let text: String = findings.iter().map(Finding::lines).collect();
    ui::print(&text)?;
    Ok(status)
}

fn surroundings(env: &Env) -> String {
    let managed = Files::of(env).credentials.is_some_and(|file| config::is_cloud9(&file));
    let label = Request::resolve(
        &Selectors { source: Some(crate::selectors::SourceKind::Container), ..Selectors::default() },
        env,
    )
    .map(|request| request.label());
    match label.as_deref() {
        Ok("cloudshell") => "AWS CloudShell".into(),
        Ok(label) => format!("a container with a credentials endpoint ({label})"),
        Err(_) if managed => "AWS Cloud9, with managed temporary credentials".into(),
        Err(_) if env.get("C9_PROJECT").is_some() || env.get("C9_PID").is_some() => {
            "AWS Cloud9, its managed temporary credentials turned off".into()
        }
        Err(_)
            if fs::read_to_string("/sys/devices/virtual/dmi/id/sys_vendor")
                .is_ok_and(|vendor| vendor.trim() == "Amazon EC2") =>
        {
            "an EC2 instance".into()
        }
        Err(_) => "none of AWS's".into(),
    }
}

/// credsh's choice without flags, and the AWS CLI's and boto3's, which look at the container endpoint last but one.
fn sources(own: Option<&Lease>, env: &Env) -> Vec<Finding> {
    let env = without_own(own, env);
    let credsh = match Request::resolve(&Selectors::default(), &env) {
        Ok(request) => request.label(),
        Err(error) => {
            let text = error.to_string();
            let first = text.lines().next().unwrap_or_default().split("; looked").next().unwrap_or_default();
            return vec![wrong(first, "there is nothing to renew", error.hint().unwrap_or_default())];
        }
    };
    let bare = env.clone().without_container();
    let cli = Request::resolve(&Selectors::default(), &bare).map(|request| request.label());
    let cli = match cli.as_deref() {
        Ok("ec2") | Err(_) if env.in_container() => credsh.clone(),
        Ok("cloud9") | Err(_) => "profile:default".into(),
        Ok(label) => label.to_owned(),
    };
    let same = credsh == cli || (credsh == "cloud9" && cli == "profile:default");
    vec![if same {
        fine(format!("source: credsh, the AWS CLI and boto3 all take {credsh}"))
    } else {
        wrong(
            format!("credsh takes {credsh}, the AWS CLI and boto3 take {cli}"),
            "the CLI looks at the variables and the profile before the container endpoint; the two may be different accounts",
            format!("unset what names {cli}, or name it to credsh with --source or --profile"),
        )
    }]
}

fn without_own(own: Option<&Lease>, env: &Env) -> Env {
    let issued =
        |lease: &Lease| env.get(env::ACCESS_KEY_ID).is_some_and(|id| lease.issued.iter().any(|issued| issued == id));
    if own.is_some_and(issued) { env.clone().without_keys() } else { env.clone() }
}

fn conflicts(own: Option<&Lease>, env: &Env) -> Vec<Finding> {
    let mut findings = Vec::new();
    let old = env.get("AWS_SECURITY_TOKEN");
    if old.is_some() && old != env.get(env::SESSION_TOKEN) {
        findings.push(wrong(
            "AWS_SECURITY_TOKEN is set, and is not AWS_SESSION_TOKEN",
            "boto3 and the AWS CLI read it first, and join it to keys it does not belong to",
            "unset AWS_SECURITY_TOKEN",
        ));
    }
    if let (Some(profile), true) = (env.first(&env::PROFILE), env.get(env::ACCESS_KEY_ID).is_some()) {
        findings.push(wrong(
            format!("AWS_PROFILE is {} while AWS_ACCESS_KEY_ID is set", ui::clean(profile)),
            "some SDKs take the profile, others the keys",
            "unset AWS_PROFILE, or unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN",
        ));
    }
    let over = env.get(env::EXPIRATION).and_then(time::parse_rfc3339).is_some_and(|end| end <= env.now());
    if over {
        let fix = if own.is_some() {
            "credsh refresh"
        } else {
            "unset AWS_CREDENTIAL_EXPIRATION, and the keys if they are over"
        };
        findings.push(wrong(
            "AWS_CREDENTIAL_EXPIRATION is in the past",
            "boto3 refuses even fresh keys beside it",
            fix,
        ));
    }
    if let (Some(ours), Some(theirs)) = (env.get(env::PROFILE[0]), env.get(env::PROFILE[1]))
        && ours != theirs
    {
        findings.push(wrong(
            format!("AWS_PROFILE is {} and AWS_DEFAULT_PROFILE is {}", ui::clean(ours), ui::clean(theirs)),
            "credsh and the AWS CLI v2 take the first, boto3 and the AWS CLI v1 the second",
            "unset AWS_DEFAULT_PROFILE",
        ));
    }
    let proxy = ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"].iter().find(|name| env.get(name).is_some());
    if let Some(name) = proxy.filter(|_| env.in_container() && !goes_round_proxies(env)) {
        findings.push(wrong(
            format!("{name} is set, and NO_PROXY does not name the container endpoint"),
            "credsh and boto3 go round it, but other SDKs send the container endpoint's token to the proxy",
            "export NO_PROXY=localhost,127.0.0.1,169.254.170.2,169.254.170.23,169.254.169.254",
        ));
    }
    if findings.is_empty() {
        findings.push(fine("variables: none contradicts another"));
    }
    findings
}

/// Whether `NO_PROXY` names the host of the container endpoint.
fn goes_round_proxies(env: &Env) -> bool {
    let uri = env.get(env::CONTAINER_FULL).filter(|_| env.get(env::CONTAINER_RELATIVE).is_none());
    let uri = uri.unwrap_or("http://169.254.170.2/").split("//").nth(1).unwrap_or_default();
    let host = uri.split(['/', '?', '#']).next().unwrap_or_default();
    let host = host.rsplit_once(':').filter(|(_, port)| port.parse::<u16>().is_ok()).map_or(host, |(host, _)| host);
    let listed = env.first(&["no_proxy", "NO_PROXY"]).unwrap_or_default();
    listed.split(',').map(str::trim).any(|name| name == "*" || name == host)
}

/// Files others should not be able to read, or write.
fn modes(env: &Env) -> Vec<Finding> {
    let Files { config, credentials } = Files::of(env);
    let loose = |path: &Path, mask: u32| fs::metadata(path).is_ok_and(|meta| meta.mode() & mask != 0);
    let looked = [
        (config, 0o022, "others can change what credentials are used"),
        (credentials, 0o077, "others can read the keys in it"),
    ];
    // Cloud9's own file has the mode that Cloud9 gave it, and nobody may touch it.
    let ours = |path: &Path| !config::is_cloud9(path);
    let bad = looked
        .into_iter()
        .filter_map(|(path, mask, why)| Some((path.filter(|path| loose(path, mask) && ours(path))?, why)));
    bad.map(|(path, why)| {
        wrong(format!("{} is open to other users", path.display()), why, format!("chmod 600 {}", path.display()))
    })
    .collect()
}

/// What the shell's `credsh` function says of its hook.
fn hook(env: &Env) -> Vec<Finding> {
    let Some(report) = env.get(env::HOOK) else {
        return vec![wrong(
            "the hook is not installed in this shell",
            "nothing renews by itself",
            "credsh init --help",
        )];
    };
    let has = |word: &str| report.split(' ').any(|known| known == word);
    let mut findings = vec![fine(format!("hook: {}", ui::clean(report)))];
    if !has("prompt") {
        findings.push(wrong(
            "the check at the prompt is gone",
            "another tool has overwritten it",
            "put credsh's line last in the start-up file",
        ));
    }
    if has("not-last") {
        findings.push(wrong(
            "another tool's prompt hook runs after credsh's",
            "a prompt it sets is seen, and the indicator put back, one prompt late",
            "put credsh's line last in the start-up file",
        ));
    }
    if !has("preexec") {
        findings.push(wrong(
            "the check before a command is gone",
            "a command after an idle hour would see credentials that are over",
            "put credsh's line last in the start-up file",
        ));
    }
    findings
}

fn held(own: Option<&Lease>, env: &Env) -> Option<Finding> {
    let lease = own?;
    let segment = prompt::segment(lease, env.now());
    Some(match &lease.note {
        None => fine(format!("lease: {segment}")),
        Some(note) => {
            wrong(format!("lease: {segment}; the last renewal failed: {note}"), "it will end", "credsh refresh")
        }
    })
}

fn identity(store: Option<&Store>, env: &Env) -> Finding {
    let terms = Terms { when: When::Needed, person: false, queue: true, deadline: super::PATIENCE };
    let who = super::meant(&Selectors::default(), store, env)
        .and_then(|request| renew::lease(&request, store, env, &terms))
        .and_then(|outcome| source::identity(&outcome.lease, env, super::PATIENCE));
    match who {
        Ok(who) if who.skew.abs() > SKEW => wrong(
            format!(
                "this machine's clock is {} s {} AWS's",
                who.skew.abs(),
                if who.skew > 0 { "behind" } else { "ahead of" }
            ),
            "AWS refuses signatures that are more than 5 min off",
            "timedatectl set-ntp true, or chronyc makestep",
        ),
        Ok(who) => fine(format!("identity: {}", who.arn)),
        Err(error) => wrong(
            ui::clean(&error.to_string()),
            "AWS was asked with them (sts:GetCallerIdentity)",
            error.hint().unwrap_or("credsh refresh".into()),
        ),
    }
}
