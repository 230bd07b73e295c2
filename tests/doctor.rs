//! `credsh whoami` and `credsh doctor`: each finding is there when its cause is, and not otherwise.

mod support;

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::{Value, json};

use support::endpoint::{Endpoint, TOKEN};
use support::moto::tool;
use support::pty::Shell;
use support::sts::Sts;
use support::{CREDSH, Run, Sandbox};

const WHO: &str = "arn:aws:sts::123456789012:assumed-role/deploy/me";

/// A CloudShell with a hooked shell, in which nothing is wrong.
fn healthy(endpoint: &Endpoint, sts: &Sts) -> Sandbox {
    Sandbox::in_cloudshell(endpoint).with("AWS_ENDPOINT_URL_STS", &sts.url()).with("CREDSH_HOOK", "bash prompt preexec")
}

fn findings(run: &Run) -> Vec<Value> {
    serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error}: {run:?}"))
}

/// What is wrong, why it matters and, if there is such a command, what to type. The report for people must say the same.
#[track_caller]
fn wrong(sandbox: &Sandbox) -> Vec<[String; 3]> {
    let run = sandbox.credsh(&["doctor", "--json"]);
    let text = |finding: &Value, name: &str| finding[name].as_str().unwrap_or_default().to_owned();
    let all = findings(&run);
    let bad: Vec<&Value> = all.iter().filter(|finding| finding["ok"] == false).collect();
    assert_eq!(run.status, i32::from(!bad.is_empty()), "{run:?}");
    let bad: Vec<_> = bad.into_iter().map(|one| ["what", "why", "fix"].map(|name| text(one, name))).collect();
    assert!(bad.iter().all(|[what, why, _]| !what.is_empty() && !why.is_empty()), "{bad:?}");
    let shown = sandbox.credsh(&["doctor"]).stdout;
    // This is a second run: in either of the two a second may pass between the answer and the reading of the clock.
    let second = |text: &str| text.replace("599 s", "600 s").replace("601 s", "600 s");
    let shown = second(&shown);
    for [what, why, fix] in &bad {
        let fix = if fix.is_empty() { String::new() } else { format!("      fix: {fix}\n") };
        assert!(shown.contains(&format!("WRONG {}\n      why: {why}\n{fix}", second(what))), "{shown}");
    }
    assert_eq!(shown.matches("WRONG ").count(), bad.len(), "{shown}");
    assert!(!shown.contains("fix: \n"), "{shown}");
    assert!(!shown.contains("test-secret") && !shown.contains("test-token") && !shown.contains(TOKEN), "{shown}");
    bad
}

/// Exactly one thing is wrong, and it is described like this. With an empty `fix`, no command is suggested.
#[track_caller]
fn only(sandbox: &Sandbox, what: &str, why: &str, fix: &str) {
    let bad = wrong(sandbox);
    let fixed = |text: &str| if fix.is_empty() { text.is_empty() } else { text.contains(fix) };
    assert!(
        bad.len() == 1 && bad[0][0].contains(what) && bad[0][1].contains(why) && fixed(&bad[0][2]),
        "{what:?}, {why:?}, {fix:?}: {bad:?}"
    );
}

/// In each shell, it is wrong at first, and no longer wrong once the suggested fix has been typed.
#[track_caller]
fn mended(sandbox: &Sandbox, what: &str) {
    let nu = format!("{}/target/npm/nu", env!("CARGO_MANIFEST_DIR"));
    let xonsh = tool("xonsh");
    // To some shells an exit status other than 0 is an exception.
    sandbox.file("ask", "credsh doctor --json >told; :");
    for (name, program) in [
        ("bash", "bash"),
        ("zsh", "zsh"),
        ("fish", "fish"),
        ("elvish", "elvish"),
        ("nu", &nu),
        ("xonsh", xonsh.to_str().unwrap()),
    ] {
        let run = |code: &str| {
            let mut command = sandbox.command(program);
            Run::of(command.args(["-c", code]).env("CREDSH_HOOK", format!("{name} prompt preexec")).output().unwrap())
        };
        let asked = |fix: &str| {
            let ran = run(&format!("{fix}\nsh ask"));
            let text = std::fs::read_to_string(sandbox.home().join("told")).unwrap();
            let all: Vec<Value> = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {ran:?}"));
            let found = |one: &&Value| one["ok"] == false && one["what"].as_str().unwrap().contains(what);
            (all.iter().find(found).cloned(), text)
        };
        let (Some(finding), text) = asked("") else { panic!("{name}: {what} is not there") };
        let fix = finding["fix"].as_str().unwrap_or_else(|| panic!("{text}"));
        let (left, text) = asked(fix);
        assert!(left.is_none(), "{name}: {fix}: {text}");
    }
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
    // With selectors, whoami uses the credentials they select; without, those of the shell's lease.
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
    Sandbox::new().credsh(&["whoami"]).fails(3, &["no credentials source was found"]);
    // A container's request has no region, so it comes from the environment at the time of the call.
    let asked = sts.calls().len();
    let sandbox = healthy(&endpoint, &sts).with("AWS_REGION", "bad region");
    let refused = "the region bad region: not a region name";
    let hint = "check AWS_REGION, AWS_DEFAULT_REGION and the profile's region";
    assert_eq!(sandbox.credsh(&["whoami"]).fails(1, &[]), format!("credsh: {refused}\nhint: {hint}\n"));
    only(&sandbox, refused, hint, "");
    assert_eq!(sts.calls().len(), asked);
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
        "ok    environment: AWS CloudShell\nok    store: {}\nok    source: credsh, the AWS CLI and boto3 all use cloudshell\nok    variables: no conflicts\nok    hook: bash prompt preexec\nok    identity: {WHO}\n",
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
    let here = if vendor.trim() == "Amazon EC2" { "an EC2 instance" } else { "not a known AWS one" };
    assert_eq!(environment(&Sandbox::new()), format!("ok    environment: {here}"));
    let off = Sandbox::new().with("C9_PROJECT", "x");
    assert_eq!(environment(&off), "ok    environment: AWS Cloud9, with managed temporary credentials turned off");
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
    only(&with("AWS_SECURITY_TOKEN", "old"), "AWS_SECURITY_TOKEN is set", "", "unset AWS_SECURITY_TOKEN");
    mended(&with("AWS_SECURITY_TOKEN", "old"), "AWS_SECURITY_TOKEN is set");
    let past = "2001-01-01T00:00:00Z";
    only(
        &with("AWS_CREDENTIAL_EXPIRATION", past),
        "AWS_CREDENTIAL_EXPIRATION is in the past",
        "the keys have expired too",
        "unset AWS_CREDENTIAL_EXPIRATION",
    );
    mended(&with("AWS_CREDENTIAL_EXPIRATION", past), "AWS_CREDENTIAL_EXPIRATION is in the past");
    assert_eq!(wrong(&with("AWS_CREDENTIAL_EXPIRATION", "2999-01-01T00:00:00Z")).len(), 0, "the control");
    for name in ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"] {
        // Signed requests to the fake STS bypass the proxy, as it is on loopback, so that nothing else goes wrong.
        let sandbox = with(name, "http://127.0.0.1:1");
        let what = format!("{name} is set, and NO_PROXY does not");
        only(&sandbox, &what, "", "export NO_PROXY='localhost,");
        // The fix keeps what is already listed, and sets the variable that is in effect.
        let sandbox = sandbox.with("NO_PROXY", "example.com, .test");
        only(&sandbox, &what, "", "export NO_PROXY='example.com,.test,localhost,");
        let sandbox = sandbox.with("no_proxy", "it's");
        only(&sandbox, &what, "", r"export no_proxy='it'\''s,localhost,");
        if name == "http_proxy" {
            mended(&sandbox, &what);
        }
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
    let mut keys = keys;
    keys.unset("AWS_SESSION_TOKEN");
    assert_eq!(wrong(&keys).len(), 0, "the only token");
    keys.set("AWS_ACCESS_KEY_ID", "AKIAENV");
    only(&keys, "AWS_SECURITY_TOKEN is set", "", "set -e AWS_SECURITY_TOKEN");
    keys.set("AWS_ACCESS_KEY_ID", "ASIAENV");
    let keys = keys.with("AWS_PROFILE", "dev");
    let what = "AWS_PROFILE is dev while AWS_ACCESS_KEY_ID is set";
    only(&keys, what, "unset the keys instead", "set -e AWS_PROFILE");
    mended(&keys, what);
}

#[test]
fn who_takes_what() {
    let (endpoint, sts) = (Endpoint::start(600), Sts::start());
    let sandbox = healthy(&endpoint, &sts);
    let sandbox =
        sandbox.with("AWS_ACCESS_KEY_ID", "ASIAENV").with("AWS_SECRET_ACCESS_KEY", "s").with("AWS_SESSION_TOKEN", "t");
    let what = "credsh uses cloudshell, the AWS CLI and boto3 use env";
    only(&sandbox, what, "if you want theirs, pass --source env to credsh", "unset AWS_ACCESS_KEY_ID ");
    mended(&sandbox, what);
    let sandbox = healthy(&endpoint, &sts);
    sandbox.file(".aws/config", "[default]\nregion = eu-west-1\n");
    assert_eq!(wrong(&sandbox).len(), 0, "the control: a region is no credentials");
    sandbox.file(".aws/config", "[default]\ncredential_process = true\n[profile a]\ncredential_process = true\n");
    let what = "credsh uses cloudshell, the AWS CLI and boto3 use profile:default";
    only(&sandbox, what, "if you want theirs, pass --profile default to credsh", "credsh refresh --profile default");
    // Two variables name the profile, and the AWS CLI v2 and boto3 prefer different ones.
    let sandbox = Sandbox::new().with("AWS_ENDPOINT_URL_STS", &sts.url()).with("CREDSH_HOOK", "zsh prompt preexec");
    let keys = "aws_access_key_id = ASIAA\naws_secret_access_key = s\naws_session_token = t\n";
    sandbox.file(".aws/credentials", &format!("[a]\n{keys}"));
    let file = sandbox.home().join(".aws/credentials");
    std::fs::set_permissions(file, PermissionsExt::from_mode(0o600)).unwrap();
    let mut sandbox = sandbox.with("AWS_PROFILE", "a").with("AWS_DEFAULT_PROFILE", "a");
    assert_eq!(wrong(&sandbox).len(), 0, "the control");
    assert!(sandbox.credsh(&["doctor"]).stdout.contains("the AWS CLI and boto3 all use profile:a\n"), "the control");
    sandbox.set("AWS_DEFAULT_PROFILE", "b");
    let what = "AWS_PROFILE is a and AWS_DEFAULT_PROFILE is b";
    only(&sandbox, what, "boto3", "unset AWS_DEFAULT_PROFILE");
    let out = sandbox.credsh(&["doctor"]).stdout;
    assert!(out.contains("ok    source: credsh uses profile:a\n"), "and not that all use one: {out}");
    mended(&sandbox, what);
    let none = Sandbox::new().with("CREDSH_HOOK", "zsh prompt preexec");
    only(&none, "no credentials source was found", "name one with --profile, --role or --source", "");
}

/// What boto3 uses, by its own name for it, or its error.
fn method(sandbox: &Sandbox) -> String {
    let program = "import botocore.session as b
try: print(b.get_session().get_credentials().method)
except Exception as error: print(type(error).__name__, error)";
    Run::of(sandbox.command(tool("python")).args(["-c", program]).output().unwrap()).ok()
}

#[test]
fn what_it_says_of_boto3_is_what_boto3_does() {
    let (endpoint, sts) = (Endpoint::start(600), Sts::start());
    let config = "[profile ro]\nregion = eu-west-1\n[profile keys]\naws_access_key_id = AKIAKEYS\naws_secret_access_key = s\naws_session_token = t\n";
    let with = |variables: &[(&str, &str)]| {
        let mut sandbox = healthy(&endpoint, &sts);
        sandbox.file(".aws/config", config);
        for (name, value) in variables {
            sandbox.set(name, value);
        }
        sandbox
    };
    // A profile with only a region is not a source to it.
    let sandbox = with(&[("AWS_PROFILE", "ro")]);
    assert_eq!(method(&sandbox), "container-role\n");
    assert_eq!(wrong(&sandbox).len(), 0);
    assert!(sandbox.credsh(&["doctor"]).stdout.contains("the AWS CLI and boto3 all use cloudshell\n"));
    let sandbox = with(&[("AWS_PROFILE", "keys")]);
    assert_eq!(method(&sandbox), "config-file\n");
    let what = "credsh uses cloudshell, the AWS CLI and boto3 use profile:keys";
    only(&sandbox, what, "--profile keys", "unset AWS_PROFILE");
    mended(&sandbox, what);
    let sandbox = with(&[("AWS_PROFILE", "gone")]);
    assert!(method(&sandbox).starts_with("ProfileNotFound "));
    let what = "use profile:gone, which does not exist";
    only(&sandbox, what, "", "unset AWS_PROFILE");
    mended(&sandbox, what);
    let sandbox = with(&[("AWS_ACCESS_KEY_ID", "AKIAHALF")]);
    assert!(method(&sandbox).starts_with("PartialCredentialsError "), "{}", method(&sandbox));
    let what = "AWS_ACCESS_KEY_ID is set, and AWS_SECRET_ACCESS_KEY is not";
    only(&sandbox, what, "partial credentials found in env", "unset AWS_ACCESS_KEY_ID");
    assert!(!sandbox.credsh(&["doctor"]).stdout.contains("all use"));
    mended(&sandbox, what);
    let sandbox = with(&[("AWS_SECRET_ACCESS_KEY", "s")]);
    assert_eq!(
        (method(&sandbox).as_str(), wrong(&sandbox).len()),
        ("container-role\n", 0),
        "the other half is nothing"
    );
    // Outside a container.
    let mut sandbox = with(&[("AWS_PROFILE", "keys"), ("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/web")]);
    sandbox.unset("AWS_CONTAINER_CREDENTIALS_FULL_URI");
    assert_eq!((method(&sandbox).as_str(), wrong(&sandbox).len()), ("config-file\n", 0), "the control");
    sandbox.set("AWS_WEB_IDENTITY_TOKEN_FILE", sandbox.file("token", "t").to_str().unwrap());
    assert_eq!(method(&sandbox), "assume-role-with-web-identity\n");
    let what = "credsh uses profile:keys, the AWS CLI and boto3 use web-identity";
    only(&sandbox, what, "--source web-identity", "unset AWS_WEB_IDENTITY_TOKEN_FILE");
    mended(&sandbox, what);
    // A role in the default profile comes before the web identity, with all three.
    sandbox.unset("AWS_PROFILE");
    let pod = "[default]\nrole_arn = arn:aws:iam::123456789012:role/pod\nsource_profile = keys\n";
    let config = std::fs::read_to_string(sandbox.home().join(".aws/config")).unwrap();
    sandbox.file(".aws/config", &format!("{config}\n{pod}"));
    assert_eq!((method(&sandbox).as_str(), wrong(&sandbox).len()), ("assume-role\n", 0));
    let text = sandbox.credsh(&["doctor"]).stdout;
    assert!(text.contains("source: credsh, the AWS CLI and boto3 all use profile:default\n"), "{text}");
}

/// What the shell holds was asked for, so it is not wrong that the environment offers nothing, or something else.
#[test]
fn a_lease_of_its_own_needs_no_other_source() {
    let (endpoint, sts) = (Endpoint::start(600), Sts::start());
    let mut sandbox =
        Sandbox::new().with("AWS_ENDPOINT_URL_STS", &sts.url()).with("CREDSH_HOOK", "bash prompt preexec");
    let keys = "aws_access_key_id = ASIADEV\naws_secret_access_key = s\naws_session_token = t\n";
    let file = sandbox.file(".aws/credentials", &format!("[dev]\n{keys}"));
    std::fs::set_permissions(file, PermissionsExt::from_mode(0o600)).unwrap();
    only(&sandbox, "no credentials source was found", "there is nothing to renew", "");
    sandbox.credsh(&["refresh", "--profile", "dev"]).ok();
    sandbox.set("CREDSH_LEASE", &sandbox.ids()[0]);
    assert_eq!(wrong(&sandbox).len(), 0);
    let out = sandbox.credsh(&["doctor"]).ok();
    assert!(out.contains("ok    source: this shell's lease is profile:dev; without it there would be none\n"), "{out}");
    assert!(out.contains("ok    lease: profile:dev") && out.contains(&format!("identity: {WHO}")), "{out}");
    sandbox.set("AWS_CONTAINER_CREDENTIALS_FULL_URI", &endpoint.uri());
    sandbox.set("AWS_ACCESS_KEY_ID", "ASIAENV");
    sandbox.set("AWS_SECRET_ACCESS_KEY", "s");
    assert_eq!(wrong(&sandbox).len(), 0);
    assert!(sandbox.credsh(&["doctor"]).ok().contains("without it credsh would use cloudshell\n"));
    // A lease that is gone is reported.
    std::fs::remove_dir_all(sandbox.store()).unwrap();
    sandbox.unset("AWS_ACCESS_KEY_ID");
    only(&sandbox, "is not in the store", "credsh does not hand out other credentials in its place", "credsh clear");
    sandbox.unset("CREDSH_HOOK");
    assert!(
        wrong(&sandbox).iter().any(|[what, _, fix]| what.contains("not in the store") && fix == "unset CREDSH_LEASE")
    );
}

/// The reason says that AWS was asked only if it was.
#[test]
fn why_is_true() {
    let (endpoint, sts) = (Endpoint::start(600), Sts::start());
    let asked = "this is what AWS answers to these credentials (sts:GetCallerIdentity)";
    let not = "there are no credentials to ask AWS with";
    sts.refuse(403, "AccessDenied", "no");
    only(&healthy(&endpoint, &sts), "sts:GetCallerIdentity failed with AccessDenied", asked, "");
    endpoint.answer(403, "no");
    only(&healthy(&endpoint, &sts), "answered with status 403", not, "");
    let calls = sts.calls().len();
    for config in ["[profile p]\nregion = x\n", "[profile p]\ncredential_process = false\n"] {
        let sandbox = Sandbox::new().with("AWS_PROFILE", "p").with("CREDSH_HOOK", "bash prompt preexec");
        let sandbox = sandbox.with("AWS_ENDPOINT_URL_STS", &sts.url());
        sandbox.file(".aws/config", config);
        let bad = wrong(&sandbox);
        assert!(bad.iter().any(|[what, why, _]| what.contains("profile p") && why.starts_with(not)), "{bad:?}");
        assert!(bad.iter().all(|[_, why, fix]| !why.contains(asked) && fix != "credsh refresh"), "{bad:?}");
    }
    assert_eq!(sts.calls().len(), calls, "the control");
    // Asked, but not reached.
    let sandbox = healthy(&Endpoint::start(600), &sts).with("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:1");
    only(
        &sandbox,
        "cannot reach AWS STS",
        "only AWS can say whose credentials these are (sts:GetCallerIdentity); check the network",
        "",
    );
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
    only(
        &sandbox,
        &format!("{} is open to other users", config.display()),
        "",
        &format!("chmod 600 {}", config.display()),
    );
    set(&config, 0o600);
    set(&keys, 0o640);
    only(&sandbox, &format!("{} is open to other users", keys.display()), "", &format!("chmod 600 {}", keys.display()));
    set(&keys, 0o600);
    set(&sandbox.store(), 0o755);
    let bad = wrong(&sandbox);
    assert!(bad[0][0].contains("is open to other users") && bad[0][1].contains("XDG_RUNTIME_DIR"), "{bad:?}");
    assert_eq!(bad[0][2], format!("chmod 700 {}", sandbox.store().display()));
    let typed = Run::of(sandbox.command("sh").args(["-c", &bad[0][2]]).output().unwrap());
    assert_eq!(typed.stderr, "");
    assert_eq!(wrong(&sandbox).len(), 0);
    // The fix must quote a path that is more than one word.
    let odd = sandbox.file("it's a place/config", "");
    let sandbox = sandbox.with("AWS_CONFIG_FILE", odd.to_str().unwrap());
    set(&odd, 0o664);
    let bad = wrong(&sandbox);
    Run::of(sandbox.command("sh").args(["-c", &bad[0][2]]).output().unwrap()).ok();
    assert_eq!(wrong(&sandbox).len(), 0, "{bad:?}");
}

/// If no command can fix it, none is shown. Once an empty one was.
#[test]
fn a_store_that_cannot_be_made() {
    let (endpoint, sts) = (Endpoint::start(600), Sts::start());
    let sandbox = healthy(&endpoint, &sts);
    std::fs::write(sandbox.store(), "").unwrap();
    let bad = wrong(&sandbox);
    assert!(bad[0][0].ends_with("is not a directory") && bad[0][2].is_empty(), "{bad:?}");
    let sandbox = sandbox.with("HOME", "/dev/null").with("XDG_RUNTIME_DIR", "");
    let bad = wrong(&sandbox);
    assert!(bad[0][0].starts_with("cannot ") && bad[0][2].is_empty(), "{bad:?}");
}

#[test]
fn the_lease_the_clock_and_aws() {
    // Not 600 s: the two runs of `wrong` may show different minutes.
    let (endpoint, sts) = (Endpoint::start(590), Sts::start());
    let mut sandbox = healthy(&endpoint, &sts);
    for (offset, text) in
        [(600, "this machine's clock is 600 s behind AWS's"), (-600, "this machine's clock is 600 s ahead of AWS's")]
    {
        sts.clock(offset);
        let bad = wrong(&sandbox);
        // A second may pass between the answer and the reading of the clock.
        let near = text.replace("600", "601");
        let far = text.replace("600", "599");
        assert!(bad.len() == 1 && [text, &near, &far].contains(&bad[0][0].as_str()), "{bad:?}");
        assert!(bad[0][2].contains("timedatectl"), "{bad:?}");
    }
    sts.clock(30);
    assert_eq!(wrong(&sandbox).len(), 0, "the control");
    sts.clock(0);
    sts.refuse(403, "InvalidClientTokenId", "The security token included in the request is invalid");
    let what = "sts:GetCallerIdentity failed with InvalidClientTokenId";
    only(&sandbox, what, "AWS does not recognize the key of cloudshell", "");
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
        "it will expire",
        "",
    );
    // This may pass, so asking again is suggested.
    endpoint.answer(503, "");
    sandbox.credsh(&["refresh", "--force"]).fails(5, &[]);
    only(&sandbox, "answered with status 503", "it will expire", "credsh refresh --force");
}

#[test]
fn a_lease_that_has_ended() {
    let (endpoint, sts) = (Endpoint::start(3), Sts::start());
    let mut sandbox = healthy(&endpoint, &sts);
    sandbox.credsh(&["refresh"]).ok();
    sandbox.set("CREDSH_LEASE", &sandbox.ids()[0]);
    std::thread::sleep(std::time::Duration::from_secs(3));
    for (status, fix) in [(401, ""), (503, "credsh refresh --force")] {
        endpoint.answer(status, "");
        sandbox.credsh(&["refresh", "--force"]).fails(if status == 401 { 4 } else { 5 }, &[]);
        let bad = wrong(&sandbox);
        let (what, said) =
            (format!("answered with status {status}"), "lease: cloudshell expired; the last renewal failed: ");
        assert!(bad[0][0].starts_with(said) && bad[0][0].contains(&what), "{bad:?}");
        assert_eq!(bad[0][1..], ["it has expired", fix], "{bad:?}");
        assert!(bad.len() == 2 && bad[1][0].contains(&what), "{bad:?}");
    }
}

/// A person can still give the code, although the hook has to give the lease up.
#[test]
fn a_lease_that_takes_a_code() {
    let sts = Sts::start();
    // Not a whole number of minutes, so that two runs in a row show the same time.
    sts.live(890);
    let mut sandbox =
        Sandbox::new().with("AWS_ENDPOINT_URL_STS", &sts.url()).with("CREDSH_HOOK", "bash prompt preexec");
    let role = "role_arn = arn:aws:iam::123456789012:role/deploy\nmfa_serial = arn:aws:iam::123456789012:mfa/me";
    let base = "aws_access_key_id = ASIABASE\naws_secret_access_key = s\naws_session_token = t";
    sandbox.file(".aws/config", &format!("[profile dev]\nsource_profile = base\n{role}\n[profile base]\n{base}\n"));
    let mut script = sandbox.command("script");
    script.args(["-qec", "credsh refresh --profile dev", "/dev/null"]).stdin(std::process::Stdio::piped());
    let mut child = script.stdout(std::process::Stdio::null()).spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), b"123456\n").unwrap();
    assert!(child.wait().unwrap().success());
    sandbox.set("CREDSH_LEASE", &sandbox.ids()[0]);
    let mut alone = sandbox.command("setsid");
    Run::of(alone.args(["--wait", CREDSH, "refresh", "--force"]).output().unwrap()).fails(1, &[]);
    only(
        &sandbox,
        "the last renewal failed: cannot ask for the MFA code on /dev/tty",
        "it will expire",
        "credsh refresh --force",
    );
}

#[test]
fn a_configuration_that_cannot_be_read() {
    let (endpoint, sts) = (Endpoint::start(600), Sts::start());
    let sandbox = healthy(&endpoint, &sts);
    let file = sandbox.file(".aws/config", "garbage\n[default]\nregion = eu-west-1\n");
    let bad = wrong(&sandbox);
    let what = format!("the AWS configuration cannot be read: error parsing {} on line 1", file.display());
    assert!(bad[0][0].starts_with(&what), "{bad:?}");
    assert!(
        bad[0][1].starts_with("the AWS CLI and boto3 fail because of it, too; see `aws configure list`"),
        "{bad:?}"
    );
    assert!(!bad.iter().flatten().any(|text| text.contains("does not exist")), "{bad:?}");
}

#[test]
fn the_hook_as_reported() {
    let (endpoint, sts) = (Endpoint::start(600), Sts::start());
    let mut sandbox = healthy(&endpoint, &sts);
    sandbox.set("CREDSH_HOOK", "bash preexec");
    only(&sandbox, "the check at the prompt is gone", "put credsh's line last in the start-up file", "");
    sandbox.set("CREDSH_HOOK", "bash prompt");
    only(&sandbox, "the check before a command is gone", "put credsh's line last in the start-up file", "");
    // Without a lease it is only explained how to install the hook. With the lease of a hooked shell,
    // what renewed it is missing.
    sandbox.unset("CREDSH_HOOK");
    assert_eq!(wrong(&sandbox).len(), 0);
    let note = |sandbox: &Sandbox| {
        let all = findings(&sandbox.credsh(&["doctor", "--json"]));
        let found = all.into_iter().find(|one| one["what"] == "the hook is not installed in this shell").unwrap();
        (found["ok"].clone(), found["fix"].as_str().unwrap().to_owned())
    };
    assert_eq!(note(&sandbox), (true.into(), "credsh init --help".into()));
    let out = sandbox.credsh(&["doctor"]).ok();
    assert!(
        out.contains("ok    the hook is not installed in this shell\n      why: nothing is renewed automatically; "),
        "{out}"
    );
    sandbox.set("CREDSH_LEASE", &sandbox.ids()[0]);
    only(&sandbox, "the hook is not installed in this shell", "another shell's lease", "credsh init --help");
    let help = sandbox.credsh(&["init", "--help"]).ok();
    for (shell, words) in [
        ("/bin/bash", "eval \"$(credsh init bash)\""),
        ("/usr/bin/zsh", "eval \"$(credsh init zsh)\""),
        ("fish", "credsh init fish | source"),
        ("/x/elvish", "eval (credsh init elvish | slurp)"),
        ("/x/xonsh", "execx($(credsh init xonsh))"),
        ("/x/pwsh", "credsh init powershell | Out-String | iex"),
        ("/bin/ksh", "credsh init --help"),
    ] {
        sandbox.set("SHELL", shell);
        assert_eq!(note(&sandbox), (false.into(), words.into()));
        assert!(words.ends_with("--help") || help.contains(words), "{help}");
    }
    sandbox.unset("CREDSH_LEASE");
    let run = Run::of(sandbox.command(CREDSH).args(["doctor", "x"]).output().unwrap());
    assert_eq!(run.status, 2);
}

/// What the real shells report themselves, also after another tool has removed the hook.
fn the_shells_hook(shell: Shell) {
    let (endpoint, sts) = (Endpoint::start(600), Sts::start());
    let sandbox = Sandbox::in_cloudshell(&endpoint).with("AWS_ENDPOINT_URL_STS", &sts.url());
    let mut session = shell.start(&sandbox);
    let out = session.run("credsh doctor");
    assert!(out.contains(&format!("hook: {} prompt preexec", shell.name())) && !out.contains("WRONG"), "{out}");
    // Typing the suggested fix installs it again.
    session.run("credsh_off");
    let out = session.run(&format!("SHELL=/bin/{} credsh doctor", shell.name()));
    assert!(out.contains("ok    the hook is not installed in this shell"), "{out}");
    let fix = out.lines().find_map(|line| line.trim().strip_prefix("fix: ")).unwrap().to_owned();
    session.run(&fix);
    let out = session.run("credsh doctor");
    assert!(out.contains(&format!("hook: {} prompt preexec", shell.name())) && !out.contains("WRONG"), "{out}");
    // Another tool's hook runs after credsh's. fish has no order of handlers.
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
