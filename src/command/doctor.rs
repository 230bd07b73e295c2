//! `credsh doctor`: what is wrong here, why it matters, and what to type. First all that can be seen offline, then one
//! `sts:GetCallerIdentity`. It changes nothing, except that a lease that is due is renewed to ask with, as by any command.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use clap::ValueEnum;
use serde::Serialize;

use crate::cli::Doctor;
use crate::config::{self, Files, Profile};
use crate::env::{self, Env};
use crate::error::{Error, OPEN_THE_IDE, Result};
use crate::lease::{Lease, State};
use crate::renew::{self, Terms, When};
use crate::request::{self, Request};
use crate::selectors::{Selectors, SourceKind};
use crate::shell::{Grammar, Shell};
use crate::source::cloud9;
use crate::store::Store;
use crate::{prompt, source, time, ui};

/// The clock skew in seconds from which on it is reported; AWS refuses signatures from 300 s on.
const SKEW: i64 = 60;

/// The result of one check.
#[derive(Serialize)]
struct Finding {
    ok: bool,
    what: String,
    /// Why it matters.
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    /// What to type: a complete command for the shell that runs this.
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

fn wrong(what: impl Into<String>, why: impl Into<String>, fix: impl Into<Option<String>>) -> Finding {
    Finding { ok: false, what: what.into(), why: Some(why.into()), fix: fix.into() }
}

/// A finding made of an error. Its hint becomes the fix if it is just a command to type, else a part of the reason.
fn failed(error: &Error, why: &str) -> Finding {
    let text = error.to_string();
    let what = ui::clean(text.split("; looked for:").next().unwrap_or_default());
    let hint = error.hint();
    let command = |hint: &str| Some(hint.strip_prefix("type `")?.strip_suffix('`')?.to_owned());
    match hint.as_deref().map(|hint| (hint, command(hint))) {
        Some((_, Some(command))) => wrong(what, why, command),
        Some((hint, None)) => wrong(what, format!("{why}; {hint}"), None),
        None => wrong(what, why, None),
    }
}

/// The shell in which a fix will be typed.
#[derive(Clone, Copy)]
struct Keyboard {
    /// The shell that its hook reports; without a hook the login shell, if credsh knows that kind.
    shell: Option<Shell>,
    hooked: bool,
}

impl Keyboard {
    fn of(env: &Env) -> Self {
        let hook = env.get(env::HOOK);
        let login = || env.get(env::SHELL).and_then(|path| path.rsplit('/').next());
        let name = hook.and_then(|report| report.split(' ').next()).or_else(login);
        Keyboard { shell: name.and_then(|name| Shell::from_str(name, true).ok()), hooked: hook.is_some() }
    }

    fn grammar(self) -> Grammar {
        self.shell.map_or(Grammar::Posix, Shell::grammar)
    }

    fn unset(self, names: &[&str]) -> String {
        self.grammar().unset(names)
    }

    /// A command with a path; `None` if the path cannot be typed.
    fn with_path(self, command: &str, path: &Path) -> Option<String> {
        let path = path.to_str()?;
        let plain = path.bytes().all(|b| b.is_ascii_alphanumeric() || b"/._-".contains(&b));
        let word = if plain { path.into() } else { self.grammar().quote(path).ok()? };
        Some(format!("{command} {word}"))
    }
}

/// Runs all checks; the exit status is 1 if anything is wrong.
pub fn run(args: &Doctor, env: &Env) -> Result<u8> {
    let at = Keyboard::of(env);
    let store = Store::open(env);
    let own = super::own_lease(store.as_ref().ok(), env)?;
    let mut findings = vec![fine(format!("environment: {}", surroundings(env)))];
    findings.push(match &store {
        Ok(_) => fine(format!("store: {}", crate::store::place(env)?.display())),
        Err(error) => refused(error, at),
    });
    findings.extend(sources(own.as_ref(), env, at));
    findings.extend(conflicts(own.as_ref(), env, at));
    findings.extend(modes(env, at));
    findings.extend(managed(env));
    findings.extend(hook(own.as_ref(), env, at));
    findings.extend(held(own.as_ref(), env));
    match super::meant(&Selectors::default(), store.as_ref().ok(), env) {
        Ok(request) => findings.push(identity(&request, store.as_ref().ok(), env)),
        Err(error @ Error::LeaseGone { .. }) => {
            let fix = if at.hooked { "credsh clear".into() } else { at.unset(&[env::LEASE]) };
            findings.push(wrong(error.to_string(), "credsh does not hand out other credentials in its place", fix));
        }
        // Already reported, with the store or the sources.
        Err(_) => {}
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

fn refused(error: &Error, at: Keyboard) -> Finding {
    let finding = failed(error, "leases cannot be kept or shared");
    let Error::Store { path, .. } = error else { return finding };
    let ours = |meta: &fs::Metadata| meta.is_dir() && meta.uid() == rustix::process::geteuid().as_raw();
    let open = fs::symlink_metadata(path).is_ok_and(|meta| ours(&meta));
    // Then only its mode is wrong. Anything else in its place a person should look at first.
    Finding { fix: at.with_path("chmod 700", path).filter(|_| open), ..finding }
}

fn surroundings(env: &Env) -> String {
    let managed = Files::of(env).credentials.is_some_and(|file| config::is_cloud9(&file));
    let label = Request::resolve(&Selectors { source: Some(SourceKind::Container), ..Selectors::default() }, env)
        .map(|request| request.label());
    match label.as_deref() {
        Ok("cloudshell") => "AWS CloudShell".into(),
        Ok(label) => format!("a container with a credentials endpoint ({label})"),
        Err(_) if managed => "AWS Cloud9, with managed temporary credentials".into(),
        Err(_) if env.get("C9_PROJECT").is_some() || env.get("C9_PID").is_some() => {
            "AWS Cloud9, with managed temporary credentials turned off".into()
        }
        Err(_)
            if fs::read_to_string("/sys/devices/virtual/dmi/id/sys_vendor")
                .is_ok_and(|vendor| vendor.trim() == "Amazon EC2") =>
        {
            "an EC2 instance".into()
        }
        Err(_) => "not a known AWS one".into(),
    }
}

/// Compares what credsh takes without flags with what the AWS CLI and boto3 take.
fn sources(own: Option<&Lease>, env: &Env, at: Keyboard) -> Vec<Finding> {
    let env = without_own(own, env);
    let credsh = Request::resolve(&Selectors::default(), &env).map(|request| request.label());
    if env.get(env::ACCESS_KEY_ID).is_some() && env.get(env::SECRET_ACCESS_KEY).is_none() {
        return vec![wrong(
            format!("{} is set, and {} is not", env::ACCESS_KEY_ID, env::SECRET_ACCESS_KEY),
            "the AWS CLI and boto3 stop with an error (partial credentials found in env), whatever else is configured",
            at.unset(&[env::ACCESS_KEY_ID]),
        )];
    }
    let credsh = match (credsh, own.map(|lease| lease.request.label())) {
        (Err(Error::NoSource { .. }), Some(own)) => {
            return vec![fine(format!("source: this shell's lease is {own}; without it there would be none"))];
        }
        // The user chose the lease, so this is no contradiction.
        (Ok(credsh), Some(own)) if credsh != own => {
            return vec![fine(format!("source: this shell's lease is {own}; without it credsh would use {credsh}"))];
        }
        (Ok(credsh), _) => credsh,
        (Err(error), None) => return vec![failed(&error, "without flags there is nothing to renew")],
        (Err(error), Some(_)) => return vec![failed(&error, "a new shell would have nothing to renew")],
    };
    let [first, second] = env::PROFILE;
    let (cli, boto) = match (theirs([first, second], &env), theirs([second, first], &env)) {
        (Ok(cli), Ok(boto)) => (cli, boto),
        (Err(error), _) | (_, Err(error)) => {
            return vec![failed(&error, "the AWS CLI and boto3 fail because of it, too")];
        }
    };
    let same = |theirs: &Theirs| credsh == theirs.label || (credsh == "cloud9" && theirs.label == "profile:default");
    vec![match (same(&cli), cli.label == boto.label) {
        (_, false) => fine(format!("source: credsh uses {credsh}")),
        (true, true) if credsh == "ec2" => {
            fine("source: none is configured; credsh, the AWS CLI and boto3 all fall back to an EC2 instance's role")
        }
        (true, true) => fine(format!("source: credsh, the AWS CLI and boto3 all use {credsh}")),
        (false, true) => {
            let why = if env.in_container() {
                "the CLI looks at the variables and the profile before the container endpoint; the two may belong to different accounts"
            } else if cli.label == "web-identity" {
                "the CLI looks at a web identity before the profile's keys; the two may belong to different accounts"
            } else {
                "the profile does not configure any credentials: credsh fails with it, while the CLI looks elsewhere"
            };
            let meant = cli.flag.as_ref().map(|flag| format!("; if you want theirs, pass {flag} to credsh"));
            let fix = match (&cli.names[..], &cli.flag) {
                ([], Some(flag)) if at.hooked => Some(format!("credsh refresh {flag}")),
                ([], _) => None,
                (names, _) => Some(at.unset(names)),
            };
            wrong(
                format!("credsh uses {credsh}, the AWS CLI and boto3 use {}", cli.label),
                format!("{why}{}", meant.unwrap_or_default()),
                fix,
            )
        }
    }]
}

/// What the AWS CLI or boto3 takes.
struct Theirs {
    label: String,
    /// The variables that make it so.
    names: Vec<&'static str>,
    /// The flags that make credsh take the same, if there are any.
    flag: Option<String>,
}

/// botocore's chain. `names` are the two variables for a profile in the order in which they are looked at: AWS CLI v2's, or
/// boto3's.
///
/// # Errors
/// As [`config::profile`].
fn theirs(names: [&'static str; 2], env: &Env) -> Result<Theirs> {
    let set = |names: &[&'static str]| names.iter().copied().filter(|name| env.get(name).is_some()).collect();
    let keys = [env::ACCESS_KEY_ID, env::SECRET_ACCESS_KEY, env::SESSION_TOKEN, env::EXPIRATION];
    if env.get(env::ACCESS_KEY_ID).is_some() {
        return Ok(Theirs { label: "env".into(), names: set(&keys), flag: Some("--source env".into()) });
    }
    let wanted = env.first(&names);
    let name = wanted.unwrap_or("default");
    let label = |selectors| Request::resolve(&selectors, env).map(|request| request.label()).ok();
    let profile = match (config::profile(&Files::of(env), name)?, wanted) {
        (Some(found), _) => found,
        // If no variable names it, the default profile does not have to exist.
        (None, None) => Profile::new(),
        (None, Some(_)) => {
            let label = format!("profile:{}, which does not exist", ui::clean(name));
            return Ok(Theirs { label, names: set(&names), flag: None });
        }
    };
    let has = |key: &str| profile.contains_key(key);
    if !request::assumes(&profile)
        && env.get(env::WEB_IDENTITY_TOKEN_FILE).is_some()
        && env.get(env::ROLE_ARN).is_some()
    {
        let (names, flag) = (vec![env::WEB_IDENTITY_TOKEN_FILE], Some("--source web-identity".into()));
        return Ok(Theirs { label: "web-identity".into(), names, flag });
    }
    if config::GIVE_CREDENTIALS.into_iter().any(has) {
        let selectors = Selectors { profile: Some(name.into()), ..Selectors::default() };
        let label = label(selectors).unwrap_or_else(|| format!("profile:{}", ui::clean(name)));
        return Ok(Theirs { label, names: set(&names), flag: Some(format!("--profile {}", ui::clean(name))) });
    }
    let container = Selectors { source: Some(SourceKind::Container), ..Selectors::default() };
    let off = env.is_true(env::NO_IMDS);
    let (label, flag) = match label(container) {
        Some(label) => (label, Some("--source container".into())),
        None if off => ("none".into(), None),
        None => ("ec2".into(), Some("--source ec2".into())),
    };
    // The profile gives no credentials: these tools then look elsewhere, but credsh takes it at its name.
    Ok(Theirs { label, names: set(&names), flag })
}

fn without_own(own: Option<&Lease>, env: &Env) -> Env {
    if own.is_some_and(|lease| issued(lease, env)) { env.clone().without_keys() } else { env.clone() }
}

/// Whether the lease handed out the credentials in the standard variables.
fn issued(lease: &Lease, env: &Env) -> bool {
    env.get(env::ACCESS_KEY_ID).is_some_and(|id| lease.has_issued(id))
}

fn conflicts(own: Option<&Lease>, env: &Env, at: Keyboard) -> Vec<Finding> {
    let mut findings = Vec::new();
    let (old, token) = (env.get(env::SECURITY_TOKEN), env.get(env::SESSION_TOKEN));
    // The keys need a token, and this is the only one.
    let needed = token.is_none() && env.keys().is_some_and(|keys| !keys.long_term());
    if old.is_some() && old != token && !needed {
        findings.push(wrong(
            "AWS_SECURITY_TOKEN is set, and differs from AWS_SESSION_TOKEN",
            "boto3 and the AWS CLI read it first, and combine it with keys it does not belong to",
            at.unset(&[env::SECURITY_TOKEN]),
        ));
    }
    let profile = env::PROFILE.into_iter().find_map(|name| Some((name, env.get(name)?)));
    if let (Some((name, profile)), true) = (profile, env.get(env::ACCESS_KEY_ID).is_some()) {
        let both = env::PROFILE.into_iter().filter(|name| env.get(name).is_some()).collect::<Vec<_>>();
        findings.push(wrong(
            format!("{name} is {} while AWS_ACCESS_KEY_ID is set", ui::clean(profile)),
            "some SDKs use the profile, others the keys; if you want the profile, unset the keys instead",
            at.unset(&both),
        ));
    }
    let over = env.get(env::EXPIRATION).and_then(time::parse_rfc3339).is_some_and(|end| end <= env.now());
    if over {
        // The lease is published under the standard names, so its renewal replaces this variable.
        let ours = at.hooked && own.is_some_and(|lease| issued(lease, env));
        findings.push(wrong(
            "AWS_CREDENTIAL_EXPIRATION is in the past",
            "boto3 refuses even fresh keys while it is set; if it is right, the keys have expired too",
            if ours { "credsh refresh".into() } else { at.unset(&[env::EXPIRATION]) },
        ));
    }
    if let (Some(ours), Some(theirs)) = (env.get(env::PROFILE[0]), env.get(env::PROFILE[1]))
        && ours != theirs
    {
        findings.push(wrong(
            format!("AWS_PROFILE is {} and AWS_DEFAULT_PROFILE is {}", ui::clean(ours), ui::clean(theirs)),
            "credsh and the AWS CLI v2 use the first, boto3 and the AWS CLI v1 the second",
            at.unset(&[env::PROFILE[1]]),
        ));
    }
    let proxy = ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"].iter().find(|name| env.get(name).is_some());
    if let Some(name) = proxy.filter(|_| env.in_container() && !goes_round_proxies(env)) {
        findings.push(wrong(
            format!("{name} is set, and NO_PROXY does not name the container endpoint"),
            "credsh and boto3 bypass the proxy, but other SDKs send the container endpoint's token to it",
            no_proxy(env, at),
        ));
    }
    if findings.is_empty() {
        findings.push(fine("variables: no conflicts"));
    }
    findings
}

/// Which spelling of the variable counts, and the hosts in it.
fn round_proxies(env: &Env) -> (&'static str, Vec<&str>) {
    let name = ["no_proxy", "NO_PROXY"].into_iter().find(|name| env.get(name).is_some()).unwrap_or("NO_PROXY");
    let listed = env.get(name).unwrap_or_default();
    (name, listed.split(',').map(str::trim).filter(|name| !name.is_empty()).collect())
}

/// Whether NO_PROXY names the host of the container endpoint.
fn goes_round_proxies(env: &Env) -> bool {
    round_proxies(env).1.into_iter().any(|name| name == "*" || name == container_host(env))
}

fn container_host(env: &Env) -> &str {
    let uri = env.get(env::CONTAINER_FULL).filter(|_| env.get(env::CONTAINER_RELATIVE).is_none());
    let uri = uri.unwrap_or("http://169.254.170.2/").split("//").nth(1).unwrap_or_default();
    let host = uri.split(['/', '?', '#']).next().unwrap_or_default();
    host.rsplit_once(':').filter(|(_, port)| port.parse::<u16>().is_ok()).map_or(host, |(host, _)| host)
}

/// The command to type: the hosts that are listed, and those that have to be.
fn no_proxy(env: &Env, at: Keyboard) -> Option<String> {
    let (name, mut hosts) = round_proxies(env);
    for host in ["localhost", "127.0.0.1", "169.254.170.2", "169.254.170.23", "169.254.169.254", container_host(env)] {
        if !host.is_empty() && !hosts.contains(&host) {
            hosts.push(host);
        }
    }
    let line = at.grammar().set(name, &hosts.join(","), true).ok()?;
    Some(line.trim_end().to_owned())
}

/// Files that other users can read or write but should not.
fn modes(env: &Env, at: Keyboard) -> Vec<Finding> {
    let Files { config, credentials } = Files::of(env);
    let loose = |path: &Path, mask: u32| fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.mode() & mask != 0);
    let looked = [
        (config, 0o022, "other users can change which credentials are used"),
        (credentials, 0o077, "other users can read the keys in it"),
    ];
    // Except Cloud9's own file: it has the mode that Cloud9 gave it, and nobody may touch it.
    let ours = |path: &Path| !config::is_cloud9(path);
    let bad = looked
        .into_iter()
        .filter_map(|(path, mask, why)| Some((path.filter(|path| loose(path, mask) && ours(path))?, why)));
    bad.map(|(path, why)| {
        wrong(format!("{} is open to other users", path.display()), why, at.with_path("chmod 600", &path))
    })
    .collect()
}

/// Whether Cloud9 still updates its file.
fn managed(env: &Env) -> Option<Finding> {
    let file = Files::of(env).credentials.filter(|file| config::is_cloud9(file))?;
    let alone = Files { config: None, credentials: Some(file.clone()) };
    let sections = config::sections(&alone.for_sdk()).ok()?;
    let mut others: Vec<&str> = sections.profiles().filter(|name| *name != "default").collect();
    others.sort_unstable();
    let name = file.display();
    let late = cloud9::late(&file, env.now()).map(|minutes| format!("Cloud9 has not updated {name} for {minutes} min"));
    if others.is_empty() {
        return Some(wrong(
            late?,
            format!("its credentials expire 15 min after they were written; {OPEN_THE_IDE}"),
            None,
        ));
    }
    Some(wrong(
        late.unwrap_or_else(|| format!("{name} has been changed since Cloud9 wrote it")),
        format!(
            "it has sections besides [default] ({}), and Cloud9 turns managed credentials off once anyone else writes to \
             its file: move these sections to ~/.aws/config, then turn managed credentials on again in Preferences > AWS Settings > Credentials",
            ui::clean(&others.join(", "))
        ),
        None,
    ))
}

/// The state of the hook, as the shell's `credsh` function reports it.
fn hook(own: Option<&Lease>, env: &Env, at: Keyboard) -> Vec<Finding> {
    let Some(report) = env.get(env::HOOK) else {
        let what = "the hook is not installed in this shell";
        let fix = at.shell.map_or("credsh init --help", Shell::start_line).to_owned();
        // Whoever only exports, or runs commands with `exec`, as a build does, needs no hook. But in what was started from
        // a shell with one, everything looks as if it were renewed, and is not. Except under `exec`, where the lease is
        // what was handed out.
        let given = own.is_some_and(|lease| issued(lease, env));
        return vec![if env.get(env::LEASE).is_some() && !given {
            wrong(what, "it has another shell's lease, and nothing here renews that automatically", fix)
        } else {
            let why = "nothing is renewed automatically; `credsh exec` and `credsh export` do not need the hook".into();
            Finding { ok: true, what: what.into(), why: Some(why), fix: Some(fix) }
        }];
    };
    let has = |word: &str| report.split(' ').any(|known| known == word);
    let mut findings = vec![fine(format!("hook: {}", ui::clean(report)))];
    // There is no command to offer: it would have to be the user's own line with its flags.
    let mut gone = |what: &str, why: &str| {
        findings.push(wrong(what, format!("{why}; put credsh's line last in the start-up file"), None));
    };
    if !has("prompt") {
        gone("the check at the prompt is gone", "another tool has overwritten it");
    }
    if has("not-last") {
        gone(
            "another tool's prompt hook runs after credsh's",
            "if it sets the prompt, credsh notices, and restores the indicator, one prompt late",
        );
    }
    if !has("preexec") {
        gone("the check before a command is gone", "a command after an idle hour would run with expired credentials");
    }
    findings
}

fn held(own: Option<&Lease>, env: &Env) -> Option<Finding> {
    let lease = own?;
    let segment = prompt::segment(lease, env.now());
    let Some(note) = &lease.note else { return Some(fine(format!("lease: {segment}"))) };
    let why = if lease.state(env.now()) == State::Expired { "it has expired" } else { "it will expire" };
    // If the source refused, the same again is no use. But a person can type a code, for which no hook asks.
    let takes_code = lease.request.source.mfa_serial().is_some() || lease.request.base_with_code().is_some();
    // Without `--force` a lease that is still fresh is left as it is.
    let fix = (!lease.hopeless || takes_code).then(|| "credsh refresh --force".to_owned());
    Some(wrong(format!("lease: {segment}; the last renewal failed: {note}"), why, fix))
}

fn identity(request: &Request, store: Option<&Store>, env: &Env) -> Finding {
    let terms = Terms { when: When::Needed, person: false, queue: true, deadline: super::PATIENCE };
    let lease = match renew::lease(request, store, env, &terms) {
        Ok(outcome) => outcome.lease,
        Err(error) => return failed(&error, "there are no credentials to ask AWS with"),
    };
    match source::identity(&lease, env, super::PATIENCE) {
        Ok(who) if who.skew.abs() > SKEW => wrong(
            format!(
                "this machine's clock is {} s {} AWS's",
                who.skew.abs(),
                if who.skew > 0 { "behind" } else { "ahead of" }
            ),
            "AWS refuses signatures that are more than 5 min off; with chrony, `chronyc makestep` sets it",
            "timedatectl set-ntp true".to_owned(),
        ),
        Ok(who) => fine(format!("identity: {}", who.arn)),
        Err(error @ Error::Aws { .. }) => {
            failed(&error, "this is what AWS answers to these credentials (sts:GetCallerIdentity)")
        }
        Err(error) => failed(&error, "only AWS can say whose credentials these are (sts:GetCallerIdentity)"),
    }
}
