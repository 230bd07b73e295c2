//! Which source is chosen, and the sources in AWS's own files: profiles, processes, web identity. Most of IAM
//! Identity Center is in `sso.rs`.

mod support;

use std::time::{Duration, Instant};

use support::clock::Clock;
use support::endpoint::{Behaviour, Endpoint, now, rfc3339};
use support::process::running;
use support::pty::{Session, Shell};
use support::sts::Sts;
use support::{Run, Sandbox};

const ROLE: &str = "arn:aws:iam::123456789012:role/deploy";

/// A sandbox with these profiles and an STS. If another STS were asked, it would be through a proxy that is not there.
fn configured(sts: &Sts, config: &str) -> Sandbox {
    let sandbox = Sandbox::new().with("AWS_ENDPOINT_URL_STS", &sts.url()).with("HTTPS_PROXY", "http://127.0.0.1:9");
    sandbox.file(".aws/config", config);
    sandbox
}

/// The path of a program that prints this.
fn process(sandbox: &Sandbox, json: &str) -> String {
    let path = sandbox.file("process", &format!("#!/bin/sh\ncat <<'END'\n{json}\nEND\n"));
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    path.to_str().unwrap().to_owned()
}

#[allow(clippy::needless_pass_by_value, reason = "it ends the run")]
fn label(run: Run) -> String {
    assert_eq!(run.status, 0, "{run:?}");
    // Either "credsh: renewed: LABEL TIME", or a line saying that the source has no newer ones yet.
    run.stderr.lines().next().unwrap().rsplit(": ").next().unwrap().split(' ').next().unwrap().to_owned()
}

#[test]
fn no_source_at_all_lists_where_was_looked() {
    let sandbox = Sandbox::new();
    let home = sandbox.home();
    let wanted = format!(
        "credsh: no credentials source was found; looked for:
  - container endpoint: AWS_CONTAINER_CREDENTIALS_FULL_URI and AWS_CONTAINER_CREDENTIALS_RELATIVE_URI are not set
  - environment: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not both set
  - profile: AWS_PROFILE is not set, and neither {0}/.aws/config nor {0}/.aws/credentials has a default profile with credentials
  - web identity: AWS_WEB_IDENTITY_TOKEN_FILE and AWS_ROLE_ARN are not both set
  - EC2 metadata service: turned off by AWS_EC2_METADATA_DISABLED
hint: name one with --profile, --role or --source; in AWS CloudShell, where sudo and cron drop the container variables, run `export AWS_CONTAINER_CREDENTIALS_FULL_URI=http://localhost:1338{1}`
",
        home.display(),
        support::endpoint::PATH
    );
    assert_eq!(sandbox.credsh(&["refresh"]).fails(3, &[]), wanted);
    assert_eq!(sandbox.credsh(&["export", "--role", ROLE]).fails(3, &[]), wanted);
    // A default profile may have nothing but a region.
    sandbox.file(".aws/config", "[default]\nregion = eu-central-1\n");
    assert_eq!(sandbox.credsh(&["export"]).fails(3, &[]), wanted);
}

#[test]
fn the_order_of_the_choice() {
    let (endpoint, sts) = (Endpoint::start(600), Sts::start());
    let keys = |name: &str| format!("aws_access_key_id = AKIA{name}\naws_secret_access_key = s\n");
    let config = format!("[default]\n{}[profile one]\n{}[profile two]\n{}", keys("DEFAULT"), keys("ONE"), keys("TWO"));
    let mut sandbox = configured(&sts, &config);
    let choice = |sandbox: &Sandbox, flags: &[&str]| label(sandbox.credsh(&[&["refresh", "--force"], flags].concat()));
    // Each of these takes precedence over those before it.
    assert_eq!(choice(&sandbox, &[]), "profile:default");
    sandbox.set("AWS_WEB_IDENTITY_TOKEN_FILE", sandbox.file("token", "t").to_str().unwrap());
    sandbox.set("AWS_ROLE_ARN", ROLE);
    assert_eq!(choice(&sandbox, &[]), "web-identity");
    // A role in the default profile comes before the web identity, but not before what names another profile.
    let pod = format!("role_arn = {ROLE}\nsource_profile = one\n");
    sandbox.file(".aws/config", &config.replace(&keys("DEFAULT"), &pod));
    assert_eq!(choice(&sandbox, &[]), "profile:default");
    sandbox.set("AWS_DEFAULT_PROFILE", "one");
    assert_eq!(choice(&sandbox, &[]), "profile:one");
    sandbox.set("AWS_PROFILE", "two");
    assert_eq!(choice(&sandbox, &[]), "profile:two");
    sandbox.set("AWS_ACCESS_KEY_ID", "AKIAENV");
    sandbox.set("AWS_SECRET_ACCESS_KEY", "s");
    assert_eq!(choice(&sandbox, &[]), "env");
    sandbox.set("AWS_CONTAINER_CREDENTIALS_FULL_URI", &endpoint.uri());
    sandbox.set("AWS_CONTAINER_AUTHORIZATION_TOKEN", support::endpoint::TOKEN);
    assert_eq!(choice(&sandbox, &[]), "cloudshell");
    assert_eq!(choice(&sandbox, &["--profile", "one"]), "profile:one");
    // A flag can name any of them.
    assert_eq!(choice(&sandbox, &["--source", "env"]), "env");
    assert_eq!(choice(&sandbox, &["--source", "profile"]), "profile:two");
    assert_eq!(choice(&sandbox, &["--source", "profile", "--profile", "default"]), "profile:default");
    assert_eq!(choice(&sandbox, &["--source", "container"]), "cloudshell");
}

#[test]
fn a_source_that_was_named_and_is_not_there() {
    let sts = Sts::start();
    let sandbox = configured(&sts, "[profile plain]\nregion = eu-central-1\n");
    let cases: [(&[&str], i32, &str); 10] = [
        (
            &["--source", "container"],
            3,
            "AWS_CONTAINER_CREDENTIALS_FULL_URI and AWS_CONTAINER_CREDENTIALS_RELATIVE_URI (not set)",
        ),
        (&["--source", "env"], 3, "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (not both set)"),
        (&["--source", "web-identity"], 3, "AWS_WEB_IDENTITY_TOKEN_FILE and AWS_ROLE_ARN (not both set)"),
        (&["--source", "ec2"], 3, "EC2 metadata service: "),
        (
            &["--source", "sso", "--profile", "plain"],
            1,
            "credsh: profile plain: has no sso_session and sso_account_id\n",
        ),
        (&["--source", "process", "--profile", "plain"], 1, "credsh: profile plain: has no credential_process\n"),
        (
            &["--source", "profile", "--profile", "none"],
            1,
            "credsh: profile none: is in neither the AWS config file nor the credentials file\nhint: `aws configure list-profiles` lists the existing profiles\n",
        ),
        (&["--profile", "none"], 1, "credsh: profile none: is in neither"),
        (&["--source", "profile"], 1, "credsh: profile default: is in neither"),
        (
            &["--profile", "plain"],
            1,
            "credsh: profile plain gave no credentials: it has no keys, role, IAM Identity Center, credential_process or web identity\n",
        ),
    ];
    for (flags, status, message) in cases {
        sandbox.credsh(&[&["export"], flags].concat()).fails(status, &[message]);
    }
    assert_eq!(sts.calls().len(), 0);
}

#[test]
fn a_profiles_role_honours_the_profile() {
    let sts = Sts::start();
    let sandbox = configured(
        &sts,
        "[profile base]\naws_access_key_id = AKIABASE\naws_secret_access_key = s\nregion = sa-east-1
[profile deploy]\nrole_arn = arn:aws:iam::123456789012:role/deploy\nsource_profile = base\nduration_seconds = 7200
external_id = ext-1\nrole_session_name = me\nregion = eu-central-1\n",
    );
    let run = sandbox.credsh(&["refresh", "--profile", "deploy"]);
    assert_eq!(label(run), "profile:deploy");
    let call = sts.call();
    let sent = ["Action", "RoleArn", "DurationSeconds", "ExternalId", "RoleSessionName"].map(|name| call.get(name));
    assert_eq!(sent, ["AssumeRole", ROLE, "7200", "ext-1", "me"]);
    assert_eq!((call.signer(), call.region()), ("AKIABASE", "eu-central-1"));
    // The flag holds for this one time.
    sandbox.credsh(&["export", "--profile", "deploy", "--duration", "15m"]).ok();
    assert_eq!(sts.calls()[1].get("DurationSeconds"), "900");
}

#[test]
fn roles_over_roles_and_over_other_sources() {
    let (endpoint, sts) = (Endpoint::start(600), Sts::start());
    let role = |name: &str, rest: &str| {
        format!("[profile {name}]\nrole_arn = arn:aws:iam::123456789012:role/{name}\n{rest}\n")
    };
    let config = [
        role("first", "source_profile = base"),
        role("second", "source_profile = first\nduration_seconds = 43200"),
        role("self", "source_profile = self\naws_access_key_id = AKIASELF\naws_secret_access_key = s"),
        role("env", "credential_source = Environment"),
        role("box", "credential_source = EcsContainer"),
        "[profile base]\naws_access_key_id = AKIABASE\naws_secret_access_key = s\n".into(),
    ];
    let sandbox =
        configured(&sts, &config.concat()).with("AWS_ACCESS_KEY_ID", "AKIAENV").with("AWS_SECRET_ACCESS_KEY", "s");
    let sandbox = sandbox.with("AWS_CONTAINER_CREDENTIALS_FULL_URI", &endpoint.uri());
    let sandbox = sandbox.with("AWS_CONTAINER_AUTHORIZATION_TOKEN", support::endpoint::TOKEN);
    let asked = |name: &str| {
        let before = sts.calls().len();
        let run = sandbox.credsh(&["export", "--no-store", "--profile", name]);
        assert_eq!(run.status, 0, "{run:?}");
        let calls = sts.calls().split_off(before);
        let calls: Vec<String> = calls
            .iter()
            .map(|call| {
                format!(
                    "{} {} {}",
                    call.signer(),
                    call.get("RoleArn").rsplit('/').next().unwrap(),
                    call.get("DurationSeconds")
                )
            })
            .collect();
        (calls, run.stderr)
    };
    assert_eq!(asked("first").0, ["AKIABASE first "]);
    let (calls, said) = asked("second");
    assert_eq!(calls[0], "AKIABASE first ");
    assert!(calls[1].starts_with("ASIASTS") && calls[1].ends_with(" second 3600"), "{calls:?}");
    assert!(said.contains("role chaining"), "{said}");
    assert_eq!(asked("self").0, ["AKIASELF self "], "its own keys, and once");
    assert_eq!(asked("env").0, ["AKIAENV env "]);
    assert_eq!(asked("box").0, ["ASIATEST0001 box "]);
}

#[test]
fn profiles_that_cannot_be() {
    let sts = Sts::start();
    let sandbox = configured(
        &sts,
        "[profile a]\nrole_arn = arn:aws:iam::123456789012:role/a\nsource_profile = b
[profile b]\nrole_arn = arn:aws:iam::123456789012:role/b\nsource_profile = a
[profile lost]\nrole_arn = arn:aws:iam::123456789012:role/a\nsource_profile = nowhere
[profile alone]\nrole_arn = arn:aws:iam::123456789012:role/a
[profile both]\nrole_arn = arn:aws:iam::123456789012:role/a\nsource_profile = base\ncredential_source = Environment
[profile odd]\nrole_arn = arn:aws:iam::123456789012:role/a\ncredential_source = Somewhere
[profile long]\nrole_arn = arn:aws:iam::123456789012:role/a\nsource_profile = base\nduration_seconds = an hour
[profile base]\naws_access_key_id = AKIABASE\naws_secret_access_key = s\n",
    );
    let cases = [
        ("a", "its source_profile chain is circular\n"),
        (
            "lost",
            "credsh: profile lost: its source_profile nowhere is in neither the AWS config file nor the credentials file\nhint: `aws configure list-profiles` lists the existing profiles\n",
        ),
        ("alone", "credsh: profile alone: has role_arn, but neither source_profile nor credential_source\n"),
        ("both", "credsh: profile both: has both source_profile and credential_source\n"),
        ("odd", "credsh: profile odd: its credential_source is Somewhere\n"),
        ("long", "credsh: profile long: its duration_seconds is not a number\n"),
    ];
    for (name, message) in cases {
        sandbox.credsh(&["export", "--profile", name]).fails(1, &[message]);
    }
    sandbox.file(".aws/config", "[profile a\nx = y\n");
    sandbox.credsh(&["export", "--profile", "a"]).fails(1, &["credsh: the AWS configuration cannot be read: "]);
    // The SDK takes a file with a byte that is not UTF-8 for an empty one.
    let file = sandbox.home().join(".aws/config");
    std::fs::write(
        &file,
        b"# Zugang f\xfcr alle\n[profile a]\naws_access_key_id = AKIABASE\naws_secret_access_key = s\n",
    )
    .unwrap();
    for flags in [&["--profile", "a"][..], &["--source", "profile"], &[]] {
        let text = sandbox.credsh(&[&["export"], flags].concat()).fails(1, &[]);
        let wanted = format!(
            "credsh: the AWS configuration cannot be read: {} is not UTF-8 on line 1\nhint: save it as UTF-8, which the AWS CLI requires too; `iconv -f latin1 -t utf-8` converts it\n",
            file.display()
        );
        assert_eq!(text, wanted);
    }
    assert_eq!(sts.calls().len(), 0);
}

#[test]
fn a_credential_process() {
    let sts = Sts::start();
    let mut sandbox = configured(&sts, "");
    let end = rfc3339(now() + 1800);
    let program = process(
        &sandbox,
        &format!(
            r#"{{"Version":1,"AccessKeyId":"ASIAPROCESS","SecretAccessKey":"process-secret","SessionToken":"t","Expiration":"{end}"}}"#
        ),
    );
    sandbox.file(".aws/config", &format!("[profile p]\ncredential_process = {program}\n"));
    for flags in [&["--profile", "p"][..], &["--source", "process", "--profile", "p"]] {
        let out = sandbox.credsh(&[&["export", "--no-store"], flags].concat()).ok();
        assert_eq!(
            out,
            format!(
                "export AWS_ACCESS_KEY_ID='ASIAPROCESS'\nexport AWS_SECRET_ACCESS_KEY='process-secret'\nexport AWS_SESSION_TOKEN='t'\nexport AWS_CREDENTIAL_EXPIRATION='{end}'\n"
            )
        );
    }
    sandbox.set("AWS_PROFILE", "p");
    sandbox.credsh(&["export", "--role", ROLE]).ok();
    assert_eq!(sts.call().signer(), "ASIAPROCESS");
    // Long-term keys are not handed out, whoever stores them.
    process(&sandbox, r#"{"Version":1,"AccessKeyId":"AKIAPROCESS","SecretAccessKey":"process-secret"}"#);
    let out = sandbox.credsh(&["export", "--no-store"]).ok();
    assert!(!out.contains("AKIAPROCESS") && !out.contains("process-secret") && out.contains("ASIASTS0002"), "{out}");
    assert_eq!((sts.calls()[1].get("Action"), sts.calls()[1].signer()), ("GetSessionToken", "AKIAPROCESS"));
    for broken in [
        r#"{"Version":1,"AccessKeyId":"AKIAPROCESS","SecretAccessKey":"process-secret""#,
        r#"{"Version":2}"#,
        "process-secret",
    ] {
        process(&sandbox, broken);
        let text = sandbox.credsh(&["export", "--no-store"]).fails(1, &["credsh: profile p gave no credentials: "]);
        assert!(!text.contains("process-secret"), "{text}");
    }
    for (command, reason) in [
        ("echo this way >&2; exit 3", "exited with status 3: this way\n"),
        ("exit 3", "exited with status 3\n"),
        ("kill -9 $$", "was killed\n"),
    ] {
        sandbox.file(".aws/config", &format!("[profile p]\ncredential_process = {command}\n"));
        let message = format!("credsh: profile p gave no credentials: its credential_process {reason}");
        assert_eq!(sandbox.credsh(&["export", "--no-store"]).fails(1, &[]), message);
    }
}

#[test]
fn temporary_keys_of_the_environment_are_passed_on() {
    let end = rfc3339(now() + 900);
    let sandbox = Sandbox::new().with("AWS_ACCESS_KEY_ID", "ASIAENV").with("AWS_SECRET_ACCESS_KEY", "s");
    let mut sandbox = sandbox.with("AWS_SESSION_TOKEN", "t").with("AWS_CREDENTIAL_EXPIRATION", &end);
    let wanted = format!(
        "export AWS_ACCESS_KEY_ID='ASIAENV'\nexport AWS_SECRET_ACCESS_KEY='s'\nexport AWS_SESSION_TOKEN='t'\nexport AWS_CREDENTIAL_EXPIRATION='{end}'\n"
    );
    assert_eq!(sandbox.credsh(&["export"]).ok(), wanted);
    sandbox.set("AWS_CREDENTIAL_EXPIRATION", &rfc3339(now() - 9));
    sandbox
        .credsh(&["export", "--no-store"])
        .fails(5, &["credsh: the environment gave no usable credentials: they expired at "]);
    // Without a known end they do not count as expired.
    sandbox.unset("AWS_CREDENTIAL_EXPIRATION");
    let out = sandbox.credsh(&["export", "--no-store"]).ok();
    assert_eq!(out.lines().count(), 3, "{out}");
}

#[test]
fn sso_without_a_sign_in_says_what_to_type() {
    let sts = Sts::start();
    let sandbox = configured(
        &sts,
        "[profile dev]\nsso_session = corp\nsso_account_id = 123456789012\nsso_role_name = dev\nregion = us-east-1
[sso-session corp]\nsso_region = us-east-1\nsso_start_url = https://example.invalid/start\n",
    );
    for flags in [&["--profile", "dev"][..], &["--source", "sso", "--profile", "dev"]] {
        sandbox.credsh(&[&["export"], flags].concat()).fails(
            1,
            &["credsh: profile dev gave no credentials: ", "hint: sign in with `aws sso login --profile dev`\n"],
        );
    }
    sandbox
        .credsh(&["export", "--profile", "dev", "--role", ROLE])
        .fails(1, &["hint: sign in with `aws sso login --profile dev`\n"]);
}

#[test]
fn a_web_identity() {
    let sts = Sts::start();
    let mut sandbox = configured(&sts, "").with("AWS_ROLE_ARN", ROLE).with("AWS_REGION", "eu-central-1");
    let file = sandbox.file("jwt", "header.payload.signature");
    sandbox.set("AWS_WEB_IDENTITY_TOKEN_FILE", file.to_str().unwrap());
    assert_eq!(label(sandbox.credsh(&["refresh"])), "web-identity");
    let call = sts.call();
    let sent = ["Action", "RoleArn", "WebIdentityToken"].map(|name| call.get(name).to_owned());
    assert_eq!(sent, ["AssumeRoleWithWebIdentity", ROLE, "header.payload.signature"]);
    assert!(call.get("RoleSessionName").ends_with("-session"), "{call:?}");
    assert_eq!(call.authorization, "", "not signed");
    sandbox.set("AWS_ROLE_SESSION_NAME", "pod");
    sandbox.credsh(&["export", "--source", "web-identity"]).ok();
    assert_eq!(sts.calls()[1].get("RoleSessionName"), "pod");
    sts.refuse(400, "InvalidIdentityToken", "no OpenIDConnect provider");
    let text =
        sandbox.credsh(&["export", "--no-store"]).fails(4, &["InvalidIdentityToken", "no OpenIDConnect provider"]);
    assert!(!text.contains("payload"), "{text}");
    std::fs::remove_file(&file).unwrap();
    let message = format!("credsh: cannot read the web identity token {}: no such file or directory\n", file.display());
    sandbox.credsh(&["export", "--no-store"]).fails(1, &[&message]);
    // A renewal in another environment asks the same STS.
    sandbox.file("jwt", "header.payload.signature\n");
    sts.yes();
    sandbox.unset("AWS_ENDPOINT_URL_STS");
    let table = sandbox.credsh(&["status", "--json"]).ok();
    let id = &table.split("\"id\": \"").nth(1).unwrap()[..16];
    sandbox.with("CREDSH_LEASE", id).credsh(&["refresh", "--force"]).ok();
    assert_eq!(sts.calls().last().unwrap().get("WebIdentityToken"), "header.payload.signature");
}

/// A profile's web identity is requested as the variables' is; a renewal asks the STS that was meant at first.
#[test]
fn a_web_identity_of_a_profile() {
    let sts = Sts::start();
    let mut sandbox = configured(&sts, "");
    let file = sandbox.file("jwt", "header.payload.signature\n");
    let profile = |name: &str, rest: &str| {
        format!("[profile {name}]\nrole_arn = {ROLE}\nweb_identity_token_file = {}\n{rest}\n", file.display())
    };
    let deploy = "[profile over]\nrole_arn = arn:aws:iam::123456789012:role/over\nsource_profile = pod\n";
    let pod = profile("pod", "role_session_name = me\nregion = eu-central-1\ncredential_process = false");
    sandbox.file(".aws/config", &(pod + deploy));
    assert_eq!(label(sandbox.credsh(&["refresh", "--profile", "pod"])), "profile:pod");
    let call = sts.call();
    let sent = ["Action", "RoleArn", "WebIdentityToken", "RoleSessionName"].map(|name| call.get(name));
    assert_eq!(sent, ["AssumeRoleWithWebIdentity", ROLE, "header.payload.signature", "me"]);
    sandbox.credsh(&["export", "--profile", "over"]).ok();
    assert_eq!((sts.of("AssumeRole")[0].signer(), sts.calls().len()), ("ASIASTS0002", 3));
    sts.refuse(400, "InvalidIdentityToken", "no OpenIDConnect provider");
    let text = sandbox.credsh(&["export", "--no-store", "--profile", "pod"]);
    text.fails(
        4,
        &["credsh: sts:AssumeRoleWithWebIdentity failed with InvalidIdentityToken: no OpenIDConnect provider\n"],
    );
    sts.yes();
    sandbox.unset("AWS_ENDPOINT_URL_STS");
    let table = sandbox.credsh(&["status", "--json"]).ok();
    let lease = table.split("\"id\": \"").find(|part| part.contains("profile:pod")).unwrap();
    sandbox.with("CREDSH_LEASE", &lease[..16]).credsh(&["refresh", "--force"]).ok();
    assert_eq!(sts.of("AssumeRoleWithWebIdentity").len(), 4);
}

/// A file without an end, such as a FIFO that nobody writes to, would hold up a shell for ever.
#[test]
fn a_web_identity_whose_token_has_no_end() {
    let sts = Sts::start();
    let sandbox = configured(&sts, "");
    let fifo = sandbox.home().join("fifo").to_str().unwrap().to_owned();
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    for path in [&*fifo, "/dev/zero"] {
        let reason =
            format!("credsh: cannot read the web identity token {path}: it is not a small regular file\nhint: check ");
        let variables = [("AWS_ROLE_ARN", ROLE), ("AWS_WEB_IDENTITY_TOKEN_FILE", path)];
        // `timeout` is there in case it does wait.
        let mut run = sandbox.command("timeout");
        let run = run.args(["20", support::CREDSH, "export"]).envs(variables);
        Run::of(run.output().unwrap()).fails(1, &[&format!("{reason}AWS_WEB_IDENTITY_TOKEN_FILE\n")]);
        sandbox.file(".aws/config", &format!("[profile pod]\nrole_arn = {ROLE}\nweb_identity_token_file = {path}\n"));
        let mut run = sandbox.command("timeout");
        let run = run.args(["20", support::CREDSH, "export", "--profile", "pod"]);
        Run::of(run.output().unwrap()).fails(1, &[&format!("{reason}web_identity_token_file of profile pod\n")]);
    }
    assert_eq!(sts.calls().len(), 0);
}

/// As with a token. The null device, however, is how users say that there is no file.
#[test]
fn config_files_that_have_no_end() {
    let sandbox = Sandbox::new();
    let fifo = sandbox.home().join("fifo").to_str().unwrap().to_owned();
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    for (name, path) in [
        ("AWS_CONFIG_FILE", &*fifo),
        ("AWS_SHARED_CREDENTIALS_FILE", "/dev/zero"),
        ("AWS_SHARED_CREDENTIALS_FILE", &*fifo),
    ] {
        for words in
            [&["export"][..], &["export", "--profile", "p"], &["hook", "--shell", "bash", "--wait", "--profile", "p"]]
        {
            let mut run = sandbox.command("timeout");
            let run = Run::of(run.args(["20", support::CREDSH]).args(words).env(name, path).output().unwrap());
            let told = format!("cannot read the AWS configuration {path}: it is not a small regular file");
            assert!(
                run.stderr.contains(&told) && run.stderr.ends_with(&format!(" check {name}\n")),
                "{words:?} {run:?}"
            );
        }
        let mut run = sandbox.command("timeout");
        let run = Run::of(run.args(["20", support::CREDSH, "doctor"]).env(name, path).output().unwrap());
        assert_eq!(run.status, 1, "{run:?}");
    }
    // A file that has lost its name is still a file.
    let keys = sandbox
        .file("keys", "[default]\naws_access_key_id = ASIAONE\naws_secret_access_key = s\naws_session_token = t\n");
    let mut run = sandbox.command("sh");
    run.args(["-c", "exec 7<~/keys; rm ~/keys; exec \"$0\" export", support::CREDSH]);
    let run = Run::of(run.env("AWS_SHARED_CREDENTIALS_FILE", "/dev/fd/7").output().unwrap());
    assert!(run.ok().contains("'ASIAONE'") && !keys.exists());
    let none = sandbox.with("AWS_CONFIG_FILE", "/dev/null").with("AWS_SHARED_CREDENTIALS_FILE", "/dev/null");
    none.credsh(&["export"]).fails(3, &["neither /dev/null nor /dev/null has a default profile with credentials"]);
    none.credsh(&["export", "--profile", "p"]).fails(1, &["credsh: profile p: is in neither the AWS config file nor"]);
    // Nor must doctor want the mode of the null device changed.
    let text = none.credsh(&["doctor"]).stdout;
    assert!(text.contains("no credentials source") && !text.contains("chmod"), "{text}");
}

/// As with the AWS CLI: if a process fails its stderr is the reason, but on one line, and without what a terminal would
/// obey. If it succeeds its stderr is not shown. Its stdout, where the secrets are, never is.
#[test]
fn what_a_process_says() {
    let sandbox = Sandbox::new();
    let json = r#"{"Version":1,"AccessKeyId":"ASIAP","SecretAccessKey":"process-secret","SessionToken":"t","Expiration":"2099-01-01T00:00:00Z"}"#;
    let said = r"printf '\033]0;owned\007\033[31msign in\nat \302\233x\n' >&2";
    let long = "head -c 9000 /dev/zero | tr '\\0' x >&2";
    for (name, lines) in [
        ("good", format!("{said}\necho '{json}'\n")),
        ("bad", format!("{said}\necho '{json}'\nexit 3\n")),
        ("long", format!("{said}\n{long}\nexit 3\n")),
        ("trace", format!("{said}\n{long}\nprintf '\\n  x\\nError: run \\033[1mcorp-login\\n' >&2\nexit 3\n")),
        ("loud", format!("echo '{json}'\necho got process-secret >&2\nexit 3\n")),
        ("dump", format!("echo '{json}' >&2\nexit 3\n")),
        ("much", "head -c 70000 /dev/zero | tr '\\0' x\n".into()),
        ("full", format!("head -c 70000 /dev/zero | tr '\\0' x >&2\necho '{json}'\n")),
        ("half", format!("{said}\necho '{}'\n", &json[..70])),
        ("mixed", format!("echo '{json} and more'\n")),
        ("old", format!("echo '{}'\n", json.replace("\"Version\":1", "\"Version\":\"process-secret\""))),
    ] {
        let process = sandbox.file(name, &lines);
        let config = format!("[profile {name}]\ncredential_process = sh {}\n", process.display());
        sandbox.file(".aws/config", &config);
        let run = sandbox.credsh(&["export", "--profile", name]);
        assert!(!run.stderr.contains("process-secret"), "{name}: {run:?}");
        assert!(!run.stderr.trim_end().contains(char::is_control) && run.stderr.len() < 600, "{name}: {run:?}");
        assert_eq!(run.stderr.contains("sign in at"), ["bad", "long", "trace"].contains(&name), "{name}: {run:?}");
        let good = ["good", "full"].contains(&name);
        assert_eq!((run.status == 0, run.stderr.is_empty()), (good, good), "{name}: {run:?}");
        let end = match name {
            // Its last line is the reason.
            "trace" => " ... Error: run [1mcorp-login\n",
            "loud" => " exited with status 3: got **\n",
            "dump" => " exited with status 3: **\n",
            "half" | "mixed" => " did not print exactly one JSON object\n",
            "old" => " printed an object whose Version is not 1\n",
            "much" => " printed more than 64 KiB\n",
            _ => "",
        };
        assert!(run.stderr.ends_with(end), "{name}: {run:?}");
    }
}

/// As in botocore, even if the profile is its own source.
#[test]
fn a_source_profiles_keys_go_before_its_role() {
    let sts = Sts::start();
    let config = "[default]\naws_access_key_id = AKIADEFAULT\naws_secret_access_key = s\nrole_arn = arn:aws:iam::123456789012:role/self\nsource_profile = default
[profile other]\nrole_arn = arn:aws:iam::123456789012:role/other\nsource_profile = default\n";
    let sandbox = configured(&sts, config);
    for (profile, role) in [("other", "role/other"), ("default", "role/self")] {
        let before = sts.calls().len();
        sandbox.credsh(&["export", "--profile", profile]).ok();
        let calls = sts.calls().split_off(before);
        assert_eq!((calls.len(), calls[0].signer()), (1, "AKIADEFAULT"), "{calls:?}");
        assert!(calls[0].get("RoleArn").ends_with(role), "{calls:?}");
    }
}

/// As in botocore, the parts of a set of keys are from one file. With a token that an older set has left in the other
/// file, long-term keys would be handed out as temporary ones.
#[test]
fn keys_are_of_one_file() {
    let sts = Sts::start();
    let keys = |id: &str| format!("aws_access_key_id = {id}\naws_secret_access_key = {id}-secret\n");
    // An id unlike AWS's: one of AWS's would show by itself that these are long-term keys.
    let old = keys("ASIAOLD") + "aws_session_token = old-token\n";
    let sandbox =
        configured(&sts, &format!("[profile mix]\n{old}[profile role]\nrole_arn = {ROLE}\nsource_profile = mix\n"));
    let export = |flags: &[&str]| sandbox.credsh(&[&["export", "--no-store"], flags].concat()).ok();
    assert!(export(&["--profile", "mix"]).contains("'old-token'"), "the control");
    sandbox.file(".aws/credentials", &format!("[mix]\n{}", keys("KEYNEW")));
    for (number, profile) in [(1, "mix"), (2, "role")] {
        let out = export(&["--profile", profile]);
        assert!(
            out.contains(&format!("'ASIASTS000{number}'")) && !out.contains("NEW") && !out.contains("old"),
            "{out}"
        );
    }
    let calls: Vec<_> = sts.calls().iter().map(|call| (call.signer().to_owned(), call.token.clone())).collect();
    assert_eq!(calls, [("KEYNEW".into(), None), ("KEYNEW".into(), None)]);
    assert_eq!(sts.calls()[0].get("Action"), "GetSessionToken");
    // The other way round.
    sandbox.file(".aws/credentials", &format!("[mix]\n{old}"));
    sandbox.file(".aws/config", &format!("[profile mix]\n{}", keys("KEYNEW")));
    assert!(export(&["--profile", "mix"]).contains("'old-token'"));
    sandbox.file(".aws/credentials", "[mix]\naws_access_key_id = AKIAHALF\n");
    sandbox.credsh(&["export", "--profile", "mix"]).fails(
        1,
        &["credsh: profile mix gave no credentials: its aws_access_key_id has no aws_secret_access_key beside it in the same file\n"],
    );
    assert_eq!(sts.calls().len(), 2);
}

/// Whatever token is beside them, in a file or in the environment: the ids of AWS's temporary keys look different.
#[test]
fn long_term_keys_beside_a_token() {
    let sts = Sts::start();
    let mut sandbox = configured(
        &sts,
        "[profile p]\naws_access_key_id = AKIAKEYS\naws_secret_access_key = long-term-secret\naws_session_token = left\n",
    );
    let json = r#"{"Version":1,"AccessKeyId":"AKIAKEYS","SecretAccessKey":"long-term-secret","SessionToken":"left"}"#;
    let process = process(&sandbox, json);
    let asked = |sandbox: &Sandbox, flags: &[&str]| {
        let before = sts.calls().len();
        let out = sandbox.credsh(&[&["export", "--no-store"], flags].concat()).ok();
        assert!(out.contains("'ASIASTS") && !out.contains("long-term-secret"), "{out}");
        let calls = sts.calls().split_off(before);
        assert_eq!((calls.len(), calls[0].signer(), &calls[0].token), (1, "AKIAKEYS", &None), "{calls:?}");
        calls[0].get("Action").to_owned()
    };
    let both = |sandbox: &Sandbox| [&[][..], &["--role", ROLE]].map(|flags| asked(sandbox, flags));
    sandbox.set("AWS_PROFILE", "p");
    assert_eq!(both(&sandbox), ["GetSessionToken", "AssumeRole"]);
    sandbox.file(".aws/config", &format!("[profile p]\ncredential_process = {process}\n"));
    assert_eq!(both(&sandbox), ["GetSessionToken", "AssumeRole"]);
    sandbox.set("AWS_ACCESS_KEY_ID", "AKIAKEYS");
    sandbox.set("AWS_SECRET_ACCESS_KEY", "long-term-secret");
    sandbox.set("AWS_SESSION_TOKEN", "left");
    assert_eq!(both(&sandbox), ["GetSessionToken", "AssumeRole"]);
}

/// As with the AWS CLI: an empty token is none, and one under its old name counts.
#[test]
fn tokens_that_are_empty_or_old() {
    let sts = Sts::start();
    let keys = "aws_access_key_id = KEY\naws_secret_access_key = s\n";
    let json = r#"{"Version":1,"AccessKeyId":"KEY","SecretAccessKey":"s","SessionToken":""}"#;
    let mut sandbox = configured(&sts, "");
    let process = process(&sandbox, json);
    let config = [
        format!("[profile empty]\n{keys}aws_session_token =\n"),
        format!("[profile old]\n{keys}aws_security_token = old-token\n"),
        format!("[profile both]\n{keys}aws_security_token = old-token\naws_session_token = new-token\n"),
        format!("[profile process]\ncredential_process = {process}\n"),
    ];
    sandbox.file(".aws/config", &config.concat());
    let export = |sandbox: &Sandbox, flags: &[&str]| sandbox.credsh(&[&["export", "--no-store"], flags].concat()).ok();
    for (profile, token) in
        [("empty", "sts-token-1"), ("process", "sts-token-2"), ("old", "old-token"), ("both", "new-token")]
    {
        let out = export(&sandbox, &["--profile", profile]);
        assert!(out.contains(&format!("AWS_SESSION_TOKEN='{token}'\n")), "{profile}: {out}");
    }
    let calls: Vec<_> = sts.calls().iter().map(|call| (call.signer().to_owned(), call.token.clone())).collect();
    assert_eq!(calls, [("KEY".into(), None), ("KEY".into(), None)]);
    sandbox.set("AWS_ACCESS_KEY_ID", "KEY");
    sandbox.set("AWS_SECRET_ACCESS_KEY", "s");
    sandbox.set("AWS_SECURITY_TOKEN", "old-token");
    assert!(export(&sandbox, &[]).contains("AWS_SESSION_TOKEN='old-token'\n"));
    sandbox.set("AWS_SESSION_TOKEN", "new-token");
    assert!(export(&sandbox, &[]).contains("AWS_SESSION_TOKEN='new-token'\n"));
}

/// What the AWS CLI accepts, and the SDK's parser leaves out silently.
#[test]
fn what_the_parser_does_not_read() {
    let sts = Sts::start();
    let json = r#"{"Version":1,"AccessKeyId":"ASIAP","SecretAccessKey":"s","SessionToken":"t"}"#;
    let sandbox = configured(&sts, "");
    let cat = format!("cat {}", sandbox.file("json", json).display());
    let keys = "aws_access_key_id = ASIADEV\naws_secret_access_key = s\naws_session_token = t\n";
    sandbox.file(".aws/credentials", &format!("[my dev]\n{keys}[größe]\n{keys}"));
    let config = [
        format!("[profile over]\nrole_arn = {ROLE}\nsource_profile = my dev\n"),
        format!("[profile quoted]\ncredential_process = sh -c 'true ; {cat}'\n"),
        format!("[profile number]\nCredential_Process = sh -c '{cat}; exit 3' \"a #1\"\n"),
        format!("[profile comment]\ncredential_process = {cat} # as it is\n"),
        "[profile whole]\ncredential_process = false;exit 3;#\n".into(),
        format!("[profile \"marks\"]\n{keys}"),
    ];
    sandbox.file(".aws/config", &config.concat());
    let name = "has a name that credsh cannot read from a config file\nhint: rename it, using only letters, digits and _-/.%@:+, without quotes, as other AWS SDKs require too\n";
    for profile in ["my dev", "größe", "marks"] {
        let text = sandbox.credsh(&["export", "--profile", profile]).fails(1, &[]);
        assert_eq!(text, format!("credsh: profile {profile}: {name}"));
    }
    let text = sandbox.credsh(&["export", "--profile", "over"]).fails(1, &[]);
    assert_eq!(text, format!("credsh: profile over: its source_profile my dev {name}"));
    let cut = "hint: it was run without what follows ` #` or ` ;`, which AWS SDKs treat as a comment, even in quotes: put the command into a script\n";
    for profile in ["quoted", "number"] {
        sandbox
            .credsh(&["export", "--profile", profile])
            .fails(1, &["its credential_process exited with status ", cut]);
    }
    let text = sandbox.credsh(&["export", "--profile", "whole"]).fails(1, &[]);
    assert_eq!(text, "credsh: profile whole gave no credentials: its credential_process exited with status 3\n");
    assert!(sandbox.credsh(&["export", "--profile", "comment"]).ok().contains("'ASIAP'"), "the control");
}

/// If a profile's name comes to mean another account, that account's credentials are given, and the lease from before
/// is not renewed with them.
#[test]
fn a_profile_that_was_changed_is_another() {
    let sts = Sts::start();
    let mut sandbox = configured(&sts, "");
    let first = process(&sandbox, &json("ASIAONE", 600));
    std::fs::rename(&first, sandbox.home().join("one")).unwrap();
    let second = process(&sandbox, &json("ASIATWO", 600));
    let profiles = [
        (
            "[profile dev]\naws_access_key_id = AKIAONE\naws_secret_access_key = s\n".to_owned(),
            "[profile dev]\naws_access_key_id = AKIATWO\naws_secret_access_key = s\n".to_owned(),
        ),
        (
            format!("[profile dev]\ncredential_process = {}\n", sandbox.home().join("one").display()),
            format!("[profile dev]\ncredential_process = {second}\n"),
        ),
    ];
    for (before, after) in profiles {
        sandbox.unset("CREDSH_LEASE");
        sandbox.credsh(&["clear", "--all"]).ok();
        sandbox.file(".aws/config", &before);
        let given = sandbox.credsh(&["export", "--profile", "dev"]).ok();
        assert_eq!(sandbox.credsh(&["export", "--profile", "dev"]).ok(), given, "the control: from the store");
        let lease = sandbox.ids().remove(0);
        sandbox.file(".aws/config", &after);
        assert_ne!(sandbox.credsh(&["export", "--profile", "dev"]).ok(), given);
        sandbox.set("CREDSH_LEASE", &lease);
        let error = "profile dev: has been changed since these credentials were requested, and may now belong to another account";
        assert_eq!(sandbox.credsh(&["export"]).ok(), given, "what is fresh is used");
        let run = sandbox.credsh(&["refresh", "--force"]);
        assert!(run.status == 1 && run.stderr.contains(error), "{run:?}");
        let lines = sandbox.credsh(&["hook", "--shell", "bash", "--wait", "--lease", &lease]).ok();
        assert!(!lines.contains("TWO") && !lines.contains("ASIASTS0002"), "{lines}");
        // If the shell was started for that profile, the profile as it is now is meant.
        let expired = std::fs::read_to_string(sandbox.store().join(format!("{lease}.json"))).unwrap();
        let mut old: serde_json::Value = serde_json::from_str(&expired).unwrap();
        for time in ["received", "asked", "due", "expires"] {
            old[time] = 1_000_000.into();
        }
        std::fs::write(sandbox.store().join(format!("{lease}.json")), old.to_string()).unwrap();
        let words = ["hook", "--shell", "bash", "--wait", "--lease", &lease];
        let lines = sandbox.credsh(&words).stdout;
        assert!(!lines.contains("__credsh_adopt"), "{lines}");
        let lines = sandbox.credsh(&[&words[..], &["--profile", "dev"]].concat()).ok();
        assert!(lines.contains("TWO") || lines.contains("ASIASTS0002"), "{lines}");
    }
    let signers: Vec<String> = sts.calls().iter().map(|call| call.signer().to_owned()).collect();
    assert_eq!(signers, ["AKIAONE", "AKIATWO"]);
}

/// Keys that people paste into a profile, or that a tool writes there each hour, have no end that would make them due.
#[test]
fn session_keys_in_a_profile_are_read_again() {
    let sts = Sts::start();
    let sandbox = configured(&sts, "");
    let export = |key: &str| {
        let keys = format!("aws_access_key_id = {key}\naws_secret_access_key = s\naws_session_token = t\n");
        sandbox.file(".aws/credentials", &format!("[st]\n{keys}"));
        sandbox.credsh(&["export", "--profile", "st"]).ok()
    };
    assert!(export("ASIAOLD").contains("'ASIAOLD'"));
    assert!(export("ASIANEW").contains("'ASIANEW'"));
    assert_eq!(sandbox.ids().len(), 1, "and it is the same lease");
}

/// A process may give others each time and not say when they end; whoever types `refresh` wants it to be asked.
#[test]
fn credentials_without_an_end_are_asked_for_again() {
    let mut sandbox = Sandbox::new();
    let clock = Clock::of(&mut sandbox);
    let give = |key: &str| {
        let json = format!(r#"{{"Version":1,"AccessKeyId":"{key}","SecretAccessKey":"s","SessionToken":"t"}}"#);
        let program = process(&sandbox, &json);
        sandbox.file(".aws/config", &format!("[profile p]\ncredential_process = {program}\n"));
    };
    let export = || sandbox.credsh(&["export", "--profile", "p"]).ok();
    give("ASIAONE");
    assert!(export().contains("'ASIAONE'"));
    give("ASIATWO");
    assert!(export().contains("'ASIAONE'"), "the control: five minutes have not passed");
    clock.set(310);
    assert!(export().contains("'ASIATWO'"));
    let table = sandbox.credsh(&["status"]).ok();
    assert!(table.contains("profile:p  unknown  unknown               fresh "), "{table}");
    process(&sandbox, "none");
    clock.set(620);
    let run = sandbox.credsh(&["export", "--profile", "p"]);
    assert!(
        run.stdout.contains("'ASIATWO'") && run.stderr.contains("did not print exactly one JSON object"),
        "nothing is lost: {run:?}"
    );
    give("ASIATHREE");
    assert!(export().contains("'ASIATWO'"), "nor asked for without end");
    let run = sandbox.credsh(&["refresh", "--profile", "p"]);
    assert!(run.stderr.starts_with("credsh: renewed: profile:p\n"), "{run:?}");
    assert!(export().contains("'ASIATHREE'"));
}

/// --force takes what the source gives now, even if that ends sooner; a hook keeps whatever lasts longer.
#[test]
fn other_credentials_that_end_sooner() {
    let sts = Sts::start();
    let sandbox = configured(&sts, "");
    let program = process(&sandbox, &json("ASIAONE", 43200));
    sandbox.file(".aws/config", &format!("[profile p]\ncredential_process = {program}\n"));
    let export = || sandbox.credsh(&["export", "--profile", "p"]).ok();
    assert!(export().contains("'ASIAONE'"));
    process(&sandbox, &json("ASIATWO", 3600));
    assert!(export().contains("'ASIAONE'"), "the control: fresh");
    let run = sandbox.credsh(&["refresh", "--force", "--profile", "p"]);
    assert!(run.status == 0 && run.stderr.starts_with("credsh: renewed: profile:p "), "{run:?}");
    assert!(export().contains("'ASIATWO'"));
    // What this lease has given before is not new.
    process(&sandbox, &json("ASIAONE", 600));
    let run = sandbox.credsh(&["refresh", "--force", "--profile", "p"]);
    assert!(run.stderr.starts_with("credsh: the source has no newer credentials yet: "), "{run:?}");
    assert!(export().contains("'ASIATWO'"));
}

/// Some processes print this year if their credentials do not end.
#[test]
fn a_year_that_nobody_sees_is_no_end() {
    let sts = Sts::start();
    let sandbox = configured(&sts, "");
    let far = json("ASIAFAR", 0).replace(&rfc3339(now()), "9999-12-31T23:59:59Z");
    let program = process(&sandbox, &far);
    assert!(far.contains("9999"), "{far}");
    sandbox.file(".aws/config", &format!("[profile p]\ncredential_process = {program}\n"));
    let out = sandbox.credsh(&["export", "--profile", "p"]).ok();
    assert!(out.contains("'ASIAFAR'") && !out.contains("EXPIRATION"), "{out}");
    let table = sandbox.credsh(&["status"]).ok();
    assert!(table.contains("profile:p  unknown  unknown "), "{table}");
}

/// What a credential_process prints for credentials that end this many seconds from now.
fn json(key: &str, life: i64) -> String {
    let end = rfc3339(now() + life);
    format!(r#"{{"Version":1,"AccessKeyId":"{key}","SecretAccessKey":"s","SessionToken":"t","Expiration":"{end}"}}"#)
}

#[test]
fn a_profile_beside_a_source_that_looks_at_none() {
    let sandbox = Sandbox::new().with("AWS_ACCESS_KEY_ID", "ASIAENV").with("AWS_SECRET_ACCESS_KEY", "s");
    let sandbox = sandbox.with("AWS_SESSION_TOKEN", "t");
    sandbox.credsh(&["export", "--source", "env"]).ok();
    let run = sandbox.credsh(&["export", "--source", "env", "--profile", "prod"]);
    run.fails(2, &["credsh: --profile: does not apply to this --source, only to profile, sso and process\n"]);
}

/// It may have to ask a person, so it stays on the terminal that credsh is on, and stdin is passed on.
#[test]
fn a_process_may_ask() {
    let sandbox = Sandbox::new();
    let json = r#"{"version":1,"ACCESSKEYID":"'$key'","secretaccesskey":"s","SessionToken":"t"}"#;
    let ask = sandbox.file("ask", &format!("read key\necho '{json}'\n"));
    let tty = sandbox.file("tty", &format!("printf 'key? ' >/dev/tty\nread key </dev/tty\necho '{json}'\n"));
    let config = format!(
        "[profile ask]\ncredential_process = sh {}\n[profile tty]\ncredential_process = sh {}\n",
        ask.display(),
        tty.display()
    );
    sandbox.file(".aws/config", &config);
    let line = "echo ASIATYPED | credsh export --profile ask";
    let out = Run::of(sandbox.command("sh").args(["-c", line]).output().unwrap()).ok();
    assert!(out.contains("'ASIATYPED'"), "{out}");
    let mut session = Shell::Bash.rc().unhooked().start(&sandbox);
    session.type_line("credsh export --profile tty >out; echo $?");
    session.wait_for("the question", |session| session.prompt() == "key? ");
    session.send(b"ASIATTY\r");
    session.wait_for("the prompt", Session::at_prompt);
    assert!(std::fs::read_to_string(sandbox.home().join("out")).unwrap().contains("'ASIATTY'"), "{}", session.text());
}

/// Whoever types at a prompt must not be asked, nor lose the keyboard; but Ctrl-C still reaches the process.
#[test]
fn a_process_of_a_hook_may_not_ask() {
    let sandbox = Sandbox::new().with("CREDSH_WAIT", "60");
    let tty = sandbox.file("tty", "exec 3<>/dev/tty || exit 9\nstty -echo <&3\nprintf 'key? ' >&3\nread key <&3\n");
    let stdin = sandbox.file("stdin", "read key || exit 8\n");
    let long = format!("sleep {}.{:06}", 1004, std::process::id());
    let profile = |name: &str, command: &str| format!("[profile {name}]\ncredential_process = {command}\n");
    let ask = [("tty", tty), ("stdin", stdin)].map(|(name, file)| profile(name, &format!("sh {}", file.display())));
    sandbox.file(".aws/config", &(ask.concat() + &profile("long", &long)));
    let mut session = Shell::Bash.rc().unhooked().start(&sandbox);
    let before = session.run("stty -a");
    for profile in ["tty", "stdin"] {
        let said =
            session.run(&format!("credsh hook --shell bash --wait --profile {profile} >/dev/null")).replace('\n', "");
        let failed =
            format!("credsh: profile {profile} gave no credentials: its credential_process exited with status ");
        let (failed, hint) = (said.starts_with(&failed), "if it has to ask you something, type `credsh refresh`");
        assert!(failed && said.contains(hint) && !said.contains("key?"), "{said}");
        assert_eq!(session.run("stty -a"), before);
    }
    session.type_line("credsh hook --shell bash --wait --profile long");
    until("it runs", || !running(&long).is_empty());
    session.send(b"\x03");
    session.wait_for("the prompt", Session::at_prompt);
    assert_eq!(session.run("echo $?"), "130");
    gone(&long);
    // The control: it may ask if a person runs it.
    session.type_line("credsh export --profile tty");
    session.wait_for("the question", |session| session.prompt() == "key? ");
    session.send(b"\x03");
    session.wait_for("the prompt", Session::at_prompt);
}

/// It is killed during a question without an echo, where no shell restores the terminal.
#[test]
fn a_process_that_is_killed_leaves_the_terminal_as_it_was() {
    let sandbox = Sandbox::new();
    let quiet = "stty -echo </dev/tty\nprintf 'key? ' >/dev/tty\n";
    let ask = sandbox.file("ask", &format!("{quiet}read key </dev/tty\n"));
    let much = "trap 'echo >tidied; exit' TERM\nhead -c 70000 /dev/zero\nwhile :; do sleep 0.02; done\n";
    let much = sandbox.file("much", &format!("{quiet}{much}"));
    let kill = sandbox.file("kill", &format!("{quiet}kill -KILL $$\n"));
    let config = [("ask", ask), ("much", much), ("kill", kill)];
    let config = config.map(|(name, file)| format!("[profile {name}]\ncredential_process = sh {}\n", file.display()));
    sandbox.file(".aws/config", &config.concat());
    let mut session = Shell::Bash.rc().unhooked().start(&sandbox);
    let before = session.run("stty -a");
    session.type_line("x=$(credsh export --profile ask)");
    session.wait_for("the question", |session| session.prompt() == "key? ");
    session.send(b"\x03");
    session.wait_for("the prompt", Session::at_prompt);
    assert_eq!(session.run("echo $?"), "130");
    assert_eq!(session.run("stty -a"), before);
    for (profile, end) in [("much", "printed more than 64 KiB"), ("kill", "exited with status 137: Killed")] {
        let said = session.run(&format!("x=$(credsh export --profile {profile})"));
        assert!(said.ends_with(end), "{said}");
        assert_eq!(session.run("stty -a"), before);
    }
    assert!(sandbox.home().join("tidied").exists(), "it was asked to end before");
}

/// It may be waiting for a person. Without a terminal nobody can be asked, so there it is not waited for.
#[test]
fn a_process_at_a_terminal_has_the_time_that_a_person_takes() {
    let mut sandbox = Sandbox::new();
    let clock = Clock::of_waiting(&mut sandbox);
    let (asked, go) = (sandbox.home().join("asked"), sandbox.home().join("go"));
    let wait = "echo >asked\nuntil [ -e go ]; do sleep 0.02; done\necho so >&2\nsleep 0.3\ncat json\n";
    let process = sandbox.file("process", wait);
    sandbox.file("json", &json("ASIASLOW", 2 * 3600));
    sandbox.file(".aws/config", &format!("[profile p]\ncredential_process = sh {}\n", process.display()));
    let an_hour_later = || {
        until("the question", || asked.exists());
        clock.set(3600);
        std::fs::write(&go, "").unwrap();
    };
    let export = ["export", "--no-store", "--profile", "p"];
    let mut alone = sandbox.command("setsid");
    let alone = alone.args(["--wait", support::CREDSH]).args(export);
    let alone = alone.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap();
    an_hour_later();
    let run = Run::of(alone.wait_with_output().unwrap());
    run.fails(5, &["credsh: the credential_process of profile p did not answer within 30 s\n"]);
    clock.set(0);
    let mut session = Shell::Bash.rc().unhooked().start(&sandbox);
    for left in [&asked, &go] {
        std::fs::remove_file(left).unwrap();
    }
    session.type_line(&format!("credsh {} >out; echo status $?", export.join(" ")));
    an_hour_later();
    session.wait_for("the answer", |session| session.text().contains("status 0"));
    assert!(std::fs::read_to_string(sandbox.home().join("out")).unwrap().contains("'ASIASLOW'"));
}

fn until(what: &str, done: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(10);
    while !done() {
        assert!(Instant::now() < end, "no sign of {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Waits until no process has `word` in its command line.
fn gone(word: &str) {
    until(&format!("the end of {word}"), || running(word).is_empty());
}

/// What it has started must not stay either, except a daemon.
#[test]
fn a_process_that_does_not_end_is_ended() {
    let sandbox = Sandbox::new().with("CREDSH_WAIT", "1");
    // Unlike those of any other test, or of another run.
    let time = |number: u32| format!("{}.{:06}", 1000 + number, std::process::id());
    let (alone, below, daemon) = (time(1), time(2), time(3));
    let tool = sandbox.file("tool", &format!("setsid sleep {daemon} &\necho $! >pid\nsleep {below}\ntrue\n"));
    for command in [format!("sleep {alone}"), format!("sh {}", tool.display())] {
        sandbox.file(".aws/config", &format!("[profile p]\ncredential_process = {command}\n"));
        let run = sandbox.credsh(&["hook", "--shell", "bash", "--wait", "--profile", "p"]);
        assert!(run.stderr.contains("did not answer within 1 s"), "{run:?}");
        gone(&command);
    }
    gone(&below);
    let pid = std::fs::read_to_string(sandbox.home().join("pid")).unwrap().trim().parse().unwrap();
    assert_eq!(running(&daemon).len(), 1, "the control");
    support::process::signal(pid, "KILL");
}

/// Where a shell waits for credsh, Ctrl-Z must stop neither that nor what it waits for. Ignored, as dash unblocks what is only
/// blocked, and dash may be the `sh` that runs this.
#[test]
fn a_process_for_which_a_shell_waits_is_not_stopped() {
    let sandbox = Sandbox::new();
    let json = r#"{"Version":1,"AccessKeyId":"ASIAP","SecretAccessKey":"s","SessionToken":"t"}"#;
    let command = format!("grep ^SigIgn: /proc/self/status >~/signals; {}", process(&sandbox, json));
    sandbox.file(".aws/config", &format!("[profile p]\ncredential_process = {command}\n"));
    for (words, wanted) in [
        (["hook", "--shell=bash", "--wait", "--profile=p"].as_slice(), true),
        (&["--hooked=bash", "refresh", "--force", "--profile=p"], true),
        (&["refresh", "--force", "--profile=p"], false),
    ] {
        sandbox.credsh(words).ok();
        let told = std::fs::read_to_string(sandbox.home().join("signals")).unwrap();
        let ignored = u64::from_str_radix(told.split_whitespace().last().unwrap(), 16).unwrap();
        // SIGTSTP is 20.
        assert_eq!(ignored >> 19 & 1 == 1, wanted, "{words:?}: {told}");
        sandbox.credsh(&["clear", "--all"]).ok();
    }
}

/// If a profile offers several ways, the one that SDKs try first is used.
#[test]
fn a_profile_with_a_process_and_more() {
    let sts = Sts::start();
    let keys = "aws_access_key_id = AKIAKEYS\naws_secret_access_key = s\naws_session_token = t";
    let json = r#"{"Version":1,"AccessKeyId":"ASIAPROCESS","SecretAccessKey":"s","SessionToken":"t"}"#;
    let sandbox = configured(&sts, "");
    let process = format!("credential_process = cat {}", sandbox.file("json", json).display());
    let sso = "sso_account_id = 123456789012\nsso_role_name = dev\nsso_region = us-east-1\nsso_start_url = https://example.invalid/";
    sandbox.file(
        ".aws/config",
        &format!("[profile keys]\n{keys}\n{process}\n[profile sso]\n{sso}\n{process}\n[profile role]\nrole_arn = {ROLE}\nsource_profile = role\n{process}\n"),
    );
    assert!(sandbox.credsh(&["export", "--profile", "keys"]).ok().contains("'ASIAPROCESS'"));
    sandbox.credsh(&["export", "--profile", "sso"]).fails(1, &["aws sso login"]);
    assert!(sandbox.credsh(&["export", "--profile", "role"]).ok().contains("'ASIASTS0001'"));
    assert_eq!(sts.call().signer(), "ASIAPROCESS");
    // Keys in the credentials file come first, also if somebody keeps them up to date by hand.
    let first = |id: &str| {
        sandbox.file(".aws/credentials", &format!("[keys]\n{}\n", keys.replace("AKIAKEYS", id)));
        sandbox.credsh(&["export", "--profile", "keys"]).ok()
    };
    assert!(first("ASIAFIRST").contains("'ASIAFIRST'"));
    assert!(first("ASIASECOND").contains("'ASIASECOND'"));
    sandbox.file(
        ".aws/config",
        &format!("[profile keys]\n{process}\n[profile role]\nrole_arn = {ROLE}\nsource_profile = keys\n"),
    );
    sandbox.credsh(&["export", "--profile", "role"]).ok();
    assert_eq!(sts.calls()[1].signer(), "ASIASECOND");
}

/// It says where the base of a role comes from, and without a role it says nothing. Otherwise whatever the shell holds
/// would be given, and stored, as the profile's.
#[test]
fn a_credential_source_without_a_role() {
    let sts = Sts::start();
    let keys = "aws_access_key_id = ASIAKEYS\naws_secret_access_key = s\naws_session_token = t\n";
    let source = "credential_source = Environment\n";
    let config = [
        format!("[profile alone]\n{source}[profile keys]\n{keys}{source}"),
        format!("[profile over-alone]\nrole_arn = {ROLE}\nsource_profile = alone\n"),
        format!("[profile over-keys]\nrole_arn = {ROLE}\nsource_profile = keys\n"),
        format!("[profile web]\nweb_identity_token_file = t\n{source}"),
    ];
    let sandbox = configured(&sts, &config.concat()).with("AWS_ACCESS_KEY_ID", "ASIASHELL");
    let sandbox = sandbox.with("AWS_SECRET_ACCESS_KEY", "s").with("AWS_SESSION_TOKEN", "t");
    for (profile, message) in [
        ("alone", "credsh: profile alone gave no credentials: it has credential_source, but no role_arn\n"),
        ("over-alone", "credsh: profile alone gave no credentials: it has credential_source, but no role_arn\n"),
        ("web", "credsh: profile web gave no credentials: it has web_identity_token_file, but no role_arn\n"),
    ] {
        assert_eq!(sandbox.credsh(&["export", "--profile", profile]).fails(1, &[]), message);
    }
    assert!(sandbox.credsh(&["export", "--profile", "keys"]).ok().contains("'ASIAKEYS'"));
    sandbox.credsh(&["export", "--profile", "over-keys"]).ok();
    assert_eq!(sts.call().signer(), "ASIAKEYS");
}

/// A role's base is asked before STS is, and afterwards STS may have to make its keys temporary.
#[test]
fn who_is_late_is_named() {
    let (endpoint, sts) = (Endpoint::start(600), Sts::start());
    let sandbox = configured(&sts, "").with("CREDSH_WAIT", "1");
    let keys = sandbox.file("keys", r#"{"Version":1,"AccessKeyId":"AKIAPROCESS","SecretAccessKey":"s"}"#);
    let token = sandbox.file("jwt", "header.payload.signature");
    let config = [
        "[profile slow]\ncredential_process = sleep 60".into(),
        format!("[profile keys]\ncredential_process = cat {}", keys.display()),
        format!("[profile web]\nrole_arn = {ROLE}\nweb_identity_token_file = {}", token.display()),
        format!("[profile box]\nrole_arn = {ROLE}\ncredential_source = EcsContainer\n"),
    ];
    sandbox.file(".aws/config", &config.join("\n"));
    let sandbox = sandbox.with("AWS_CONTAINER_CREDENTIALS_FULL_URI", &endpoint.uri());
    let sandbox = sandbox.with("AWS_CONTAINER_AUTHORIZATION_TOKEN", support::endpoint::TOKEN);
    let hang = Behaviour::Hang(Duration::from_secs(60));
    sts.behave(hang.clone());
    let late = |profile: &str, flags: &[&str], whom: &str| {
        let hook = ["hook", "--shell", "bash", "--wait", "--profile", profile];
        let run = sandbox.credsh(&[&hook, flags].concat());
        assert!(run.stderr.starts_with(&format!("credsh: {whom} did not answer within 1 s")), "{profile}: {run:?}");
    };
    late("slow", &[], "the credential_process of profile slow");
    late("slow", &["--role", ROLE], "the credential_process of profile slow");
    late("keys", &[], "AWS STS");
    late("keys", &["--role", ROLE], "AWS STS");
    late("web", &[], "AWS STS");
    late("box", &[], "AWS STS");
    endpoint.behave(hang);
    late("box", &[], "the container endpoint (cloudshell)");
}

/// If all sources that come before it are there, the error must not be that none was found.
#[test]
fn an_ec2_that_was_named_and_does_not_answer() {
    let sts = Sts::start();
    let config = format!("[profile box]\nrole_arn = {ROLE}\ncredential_source = Ec2InstanceMetadata\n[profile dev]\n");
    let mut sandbox = configured(&sts, &config);
    sandbox.unset("AWS_EC2_METADATA_DISABLED");
    sandbox.set("AWS_EC2_METADATA_SERVICE_ENDPOINT", &format!("http://127.0.0.1:{}", support::CLOSED));
    let unreached = [
        "credsh: cannot reach the EC2 metadata service: connection refused\nhint: it gives credentials only on an EC2 instance",
    ];
    sandbox.credsh(&["export"]).fails(3, &["AWS_PROFILE is not set"]);
    sandbox.credsh(&["export", "--source", "ec2"]).fails(3, &["AWS_PROFILE is not set"]);
    sandbox.credsh(&["export", "--role", ROLE]).fails(3, &["AWS_PROFILE is not set"]);
    sandbox.credsh(&["export", "--profile", "box"]).fails(5, &unreached);
    for (name, value) in [
        ("AWS_PROFILE", "dev"),
        ("AWS_ACCESS_KEY_ID", "AKIAENV"),
        ("AWS_SECRET_ACCESS_KEY", "s"),
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1:1/x"),
    ] {
        sandbox.set(name, value);
        sandbox.credsh(&["export", "--source", "ec2"]).fails(5, &unreached);
        sandbox.credsh(&["export", "--source", "ec2", "--role", ROLE]).fails(5, &unreached);
    }
}
