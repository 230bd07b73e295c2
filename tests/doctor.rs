//! `credsh whoami` and `credsh doctor`: each finding when it is provoked, and none when it is not.

mod support;

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::{Value, json};

use support::endpoint::{Endpoint, TOKEN};
use support::pty::Shell;
use support::sts::Sts;
use support::{CREDSH, Run, Sandbox};

const WHO: &str = "arn:aws:sts::123456789012:assumed-role/deploy/me";

/// A CloudShell with a hooked shell, in which nothing is wrong.
fn healthy(endpoint: &Endpoint, sts: &Sts) -> Sandbox {
    Sandbox::in_cloudshell(endpoint).with("AWS_ENDPOINT_URL_STS", &sts.url()).with("CREDSH_HOOK", "bash prompt preexec")
}

/// What is wrong, each with why it matters and what to type.
#[track_caller]
fn wrong(sandbox: &Sandbox) -> Vec<[String; 3]> {
    let run = sandbox.credsh(&["doctor", "--json"]);
    let all: Vec<Value> = serde_json::from_str(&run.stdout).unwrap();
    let text = |finding: &Value, name: &str| finding[name].as_str().unwrap_or_default().to_owned();
    let bad: Vec<&Value> = all.iter().filter(|finding| finding["ok"] == false).collect();
    assert_eq!(run.status, i32::from(!bad.is_empty()), "{run:?}");
    let bad: Vec<_> = bad.into_iter().map(|one| ["what", "why", "fix"].map(|name| text(one, name))).collect();
    assert!(bad.iter().flatten().all(|text| !text.is_empty()), "{bad:?}");
    // And the same for people.
    let shown = sandbox.credsh(&["doctor"]).stdout;
    for [what, why, fix] in &bad {
        assert!(shown.contains(&format!("WRONG {what}\n      why: {why}\n      fix: {fix}\n")), "{shown}");
    }
    assert_eq!(shown.matches("WRONG ").count(), bad.len(), "{shown}");
    assert!(!shown.contains("test-secret") && !shown.contains("test-token") && !shown.contains(TOKEN), "{shown}");
    bad
}

/// One thing is wrong, and it is this.
#[track_caller]
fn only(sandbox: &Sandbox, what: &str, fix: &str) {
    let bad = wrong(sandbox);
    assert!(bad.len() == 1 && bad[0][0].contains(what) && bad[0][2].contains(fix), "{what:?}, {fix:?}: {bad:?}");
}

#[test]
fn whoami_in_words_and_as_json() {
    let (endpoint, sts) = (Endpoint::start(600), Sts::start());
    let mut sandbox = healthy(&endpoint, &sts);
    let words = format!("account  123456789012\narn      {WHO}\nuser id  AROATEST:me\n");
    let run = sandbox.credsh(&["whoami"]);
    assert_eq!(run.stderr, "");
    assert_eq!(run.ok(), words);
    let value: Value = serde_json::from_str(&sandbox.credsh(&["whoami", "--json"]).ok()).unwrap();
    assert_eq!(value, json!({ "Account": "123456789012", "Arn": WHO, "UserId": "AROATEST:me" }));
    assert_eq!(sts.calls()[0].signer(), "ASIATEST0001");
    assert_eq!((sts.calls()[0].token.as_deref(), endpoint.count()), (Some("test-token-1"), 1));
    // The selectors' credentials, and the shell's own.
    let role = ["--role", "arn:aws:iam::123456789012:role/deploy", "--region", "eu-west-1"];
    sandbox.credsh(&[&["whoami"], &role[..]].concat()).ok();
    let call = sts.of("GetCallerIdentity").pop().unwrap();
    assert_eq!((call.signer(), call.region()), ("ASIASTS0001", "eu-west-1"));
    let all: Value = serde_json::from_str(&sandbox.credsh(&["status", "--json"]).ok()).unwrap();
    let lease = all["leases"].as_array().unwrap().iter().find(|lease| lease["source"] == "role:deploy").unwrap();
    sandbox.set("CREDSH_LEASE", lease["id"].as_str().unwrap());
    sandbox.credsh(&["whoami"]).ok();
    assert_eq!(sts.of("GetCallerIdentity").pop().unwrap().signer(), "ASIASTS0001");
    sts.refuse(403, "ExpiredToken", "x");
    sandbox.credsh(&["whoami"]).fails(4, &["sts:GetCallerIdentity failed with ExpiredToken", "hint: "]);
    Sandbox::new().credsh(&["whoami"]).fails(3, &["no source of credentials was found"]);
}

#[test]
fn nothing_is_wrong() {
    let (endpoint, sts) = (Endpoint::start(600), Sts::start());
    let sandbox = healthy(&endpoint, &sts);
    assert_eq!(wrong(&sandbox).len(), 0);
    let run = sandbox.credsh(&["doctor"]);
    assert_eq!((run.status, run.stderr.as_str()), (0, ""));
    let store = sandbox.store();
    let wanted = format!(
        "ok    environment: AWS CloudShell\nok    store: {}\nok    source: credsh, the AWS CLI and boto3 all take cloudshell\nok    variables: none contradicts another\nok    hook: bash prompt preexec\nok    identity: {WHO}\n",
        store.display()
    );
    assert_eq!(run.stdout, wanted);
}

#[test]
fn environments() {
    let environment = |sandbox: &Sandbox| {
        let out = sandbox.credsh(&["doctor"]).stdout;
        out.lines().next().unwrap().to_owned()
    };
    let vendor = std::fs::read_to_string("/sys/devices/virtual/dmi/id/sys_vendor").unwrap_or_default();
    let here = if vendor.trim() == "Amazon EC2" { "an EC2 instance" } else { "none of AWS's" };
    assert_eq!(environment(&Sandbox::new()), format!("ok    environment: {here}"));
    let off = Sandbox::new().with("C9_PROJECT", "x");
    assert_eq!(environment(&off), "ok    environment: AWS Cloud9, its managed temporary credentials turned off");
    let head = "# Do not modify this file, if this file is modified it will not be updated.";
    let text = format!(
        "{head}\n# {} #\n\n[default]\naws_access_key_id=ASIAC9\naws_secret_access_key=s\naws_session_token=t\n",
        "0f".repeat(32)
    );
    let sts = Sts::start();
    let managed = off.with("AWS_ENDPOINT_URL_STS", &sts.url()).with("CREDSH_HOOK", "bash prompt preexec");
    let file = managed.file(".aws/credentials", &text);
    std::fs::set_permissions(file, PermissionsExt::from_mode(0o664)).unwrap();
    assert_eq!(environment(&managed), "ok    environment: AWS Cloud9, with managed temporary credentials");
    assert_eq!(wrong(&managed).len(), 0, "its file's mode is Cloud9's own");
    let ecs = Sandbox::new().with("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1:1/creds");
    assert_eq!(environment(&ecs), "ok    environment: a container with a credentials endpoint (container)");
}

#[test]
fn variables_that_contradict_each_other() {
    let (endpoint, sts) = (Endpoint::start(600), Sts::start());
    let with = |name: &str, value: &str| healthy(&endpoint, &sts).with(name, value);
    only(&with("AWS_SECURITY_TOKEN", "old"), "AWS_SECURITY_TOKEN is set", "unset AWS_SECURITY_TOKEN");
    let past = "2001-01-01T00:00:00Z";
    only(
        &with("AWS_CREDENTIAL_EXPIRATION", past),
        "AWS_CREDENTIAL_EXPIRATION is in the past",
        "unset AWS_CREDENTIAL_EXPIRATION",
    );
    assert_eq!(wrong(&with("AWS_CREDENTIAL_EXPIRATION", "2999-01-01T00:00:00Z")).len(), 0, "the control");
    for name in ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"] {
        // Signed requests to the STS double go through no proxy, as it is on loopback.
        let sandbox = with(name, "http://127.0.0.1:1");
        only(&sandbox, &format!("{name} is set, and NO_PROXY does not"), "export NO_PROXY=localhost,");
        only(
            &sandbox.with("NO_PROXY", "example.com"),
            &format!("{name} is set, and NO_PROXY does not"),
            "export NO_PROXY=",
        );
        for covers in ["localhost", "*", "example.com, localhost"] {
            assert_eq!(wrong(&with(name, "http://127.0.0.1:1").with("no_proxy", covers)).len(), 0, "the control");
        }
    }
    let keys = Sandbox::new().with("AWS_ENDPOINT_URL_STS", &sts.url()).with("CREDSH_HOOK", "fish prompt preexec");
    let keys =
        keys.with("AWS_ACCESS_KEY_ID", "ASIAENV").with("AWS_SECRET_ACCESS_KEY", "s").with("AWS_SESSION_TOKEN", "t");
    assert_eq!(wrong(&keys).len(), 0, "the control");
    let keys = keys.with("AWS_SECURITY_TOKEN", "t");
    assert_eq!(wrong(&keys).len(), 0, "the same token under its old name");
    only(&keys.with("AWS_PROFILE", "dev"), "AWS_PROFILE is dev while AWS_ACCESS_KEY_ID is set", "unset AWS_PROFILE");
}

#[test]
fn who_takes_what() {
    let (endpoint, sts) = (Endpoint::start(600), Sts::start());
    let sandbox = healthy(&endpoint, &sts);
    let sandbox =
        sandbox.with("AWS_ACCESS_KEY_ID", "ASIAENV").with("AWS_SECRET_ACCESS_KEY", "s").with("AWS_SESSION_TOKEN", "t");
    only(&sandbox, "credsh takes cloudshell, the AWS CLI and boto3 take env", "unset what names env");
    let sandbox = healthy(&endpoint, &sts);
    sandbox.file(".aws/config", "[default]\nregion = eu-west-1\n");
    assert_eq!(wrong(&sandbox).len(), 0, "the control: a region is no credentials");
    sandbox.file(".aws/config", "[default]\ncredential_process = true\n[profile a]\ncredential_process = true\n");
    only(&sandbox, "credsh takes cloudshell, the AWS CLI and boto3 take profile:default", "name it to credsh with");
    // Of the profile's two names the AWS CLI v2 and boto3 look at different ones first.
    let sandbox = Sandbox::new().with("AWS_ENDPOINT_URL_STS", &sts.url()).with("CREDSH_HOOK", "zsh prompt preexec");
    sandbox
        .file(".aws/credentials", "[a]\naws_access_key_id = ASIAA\naws_secret_access_key = s\naws_session_token = t\n");
    let file = sandbox.home().join(".aws/credentials");
    std::fs::set_permissions(file, PermissionsExt::from_mode(0o600)).unwrap();
    let mut sandbox = sandbox.with("AWS_PROFILE", "a").with("AWS_DEFAULT_PROFILE", "a");
    assert_eq!(wrong(&sandbox).len(), 0, "the control");
    sandbox.set("AWS_DEFAULT_PROFILE", "b");
    only(&sandbox, "AWS_PROFILE is a and AWS_DEFAULT_PROFILE is b", "unset AWS_DEFAULT_PROFILE");
    let none = Sandbox::new().with("CREDSH_HOOK", "zsh prompt preexec");
    only(&none, "no source of credentials was found", "name one with --profile, --role or --source");
}

#[test]
fn modes() {
    let (endpoint, sts) = (Endpoint::start(600), Sts::start());
    let sandbox = healthy(&endpoint, &sts);
    let set = |path: &Path, mode| std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
    let config = sandbox.file(".aws/config", "");
    let keys = sandbox.file(".aws/credentials", "");
    set(&config, 0o644);
    set(&keys, 0o600);
    assert_eq!(wrong(&sandbox).len(), 0, "the control");
    set(&config, 0o664);
    only(&sandbox, &format!("{} is open to other users", config.display()), &format!("chmod 600 {}", config.display()));
    set(&config, 0o600);
    set(&keys, 0o640);
    only(&sandbox, &format!("{} is open to other users", keys.display()), &format!("chmod 600 {}", keys.display()));
    set(&keys, 0o600);
    set(&sandbox.store(), 0o755);
    let bad = wrong(&sandbox);
    assert!(bad[0][0].contains("is open to other users") && bad[0][2].contains("chmod 700"), "{bad:?}");
    set(&sandbox.store(), 0o700);
    assert_eq!(wrong(&sandbox).len(), 0);
}

#[test]
fn the_lease_the_clock_and_aws() {
    let (endpoint, sts) = (Endpoint::start(600), Sts::start());
    let mut sandbox = healthy(&endpoint, &sts);
    for (offset, text) in
        [(600, "this machine's clock is 600 s behind AWS's"), (-600, "this machine's clock is 600 s ahead of AWS's")]
    {
        sts.clock(offset);
        let bad = wrong(&sandbox);
        // A second may pass between the answer and the look at the clock.
        let near = text.replace("600", "601");
        let far = text.replace("600", "599");
        assert!(bad.len() == 1 && [text, &near, &far].contains(&bad[0][0].as_str()), "{bad:?}");
        assert!(bad[0][2].contains("timedatectl"), "{bad:?}");
    }
    sts.clock(30);
    assert_eq!(wrong(&sandbox).len(), 0, "the control");
    sts.clock(0);
    sts.refuse(403, "InvalidClientTokenId", "The security token included in the request is invalid");
    only(&sandbox, "sts:GetCallerIdentity failed with InvalidClientTokenId", "AWS does not know the key of cloudshell");
    sts.yes();
    let all: Value = serde_json::from_str(&sandbox.credsh(&["status", "--json"]).ok()).unwrap();
    sandbox.set("CREDSH_LEASE", all["leases"][0]["id"].as_str().unwrap());
    assert_eq!(wrong(&sandbox).len(), 0, "the control");
    assert!(sandbox.credsh(&["doctor"]).ok().contains("ok    lease: cloudshell "));
    endpoint.answer(403, r#"{"message":"Forbidden"}"#);
    sandbox.credsh(&["refresh", "--force"]).fails(4, &[]);
    only(
        &sandbox,
        "the last renewal failed: the container endpoint (cloudshell) answered with status 403",
        "credsh refresh",
    );
}

#[test]
fn the_hook_as_reported() {
    let (endpoint, sts) = (Endpoint::start(600), Sts::start());
    let mut sandbox = healthy(&endpoint, &sts);
    sandbox.set("CREDSH_HOOK", "bash preexec");
    only(&sandbox, "the check at the prompt is gone", "put credsh's line last in the start-up file");
    sandbox.set("CREDSH_HOOK", "bash prompt");
    only(&sandbox, "the check before a command is gone", "put credsh's line last in the start-up file");
    sandbox.unset("CREDSH_HOOK");
    only(&sandbox, "the hook is not installed in this shell", "credsh init --help");
    let run = Run::of(sandbox.command(CREDSH).args(["doctor", "x"]).output().unwrap());
    assert_eq!(run.status, 2);
}

/// The real shells' own report, and what they say when another tool has taken the hook away.
fn the_shells_hook(shell: Shell) {
    let (endpoint, sts) = (Endpoint::start(600), Sts::start());
    let sandbox = Sandbox::in_cloudshell(&endpoint).with("AWS_ENDPOINT_URL_STS", &sts.url());
    let mut session = shell.start(&sandbox);
    let out = session.run("credsh doctor");
    assert!(out.contains(&format!("hook: {} prompt preexec", shell.name())) && !out.contains("WRONG"), "{out}");
    // Another tool's hook behind ours; fish knows no order.
    if shell != Shell::Fish {
        session.run("later() { :; }");
        session.run(shell.pick(
            "if [ -n \"$BASH_VERSION\" ]; then PROMPT_COMMAND[20]=later; else precmd_functions+=(later); fi",
            "",
        ));
        let out = session.run("credsh doctor");
        assert!(out.contains("WRONG another tool's prompt hook runs after credsh's"), "{out}");
    }
    let gone = match shell {
        Shell::Bash => "unset PROMPT_COMMAND",
        Shell::Zsh => "precmd_functions=()",
        Shell::Fish => "functions -e __credsh_on_prompt",
    };
    session.run(gone);
    let out = session.run("credsh doctor");
    assert!(out.contains("WRONG the check at the prompt is gone"), "{out}");
}

in_every_shell! { the_shells_hook }
