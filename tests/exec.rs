//! `credsh exec`: the command runs as it was typed, in the environment that was there, with the credentials added and
//! without what would contradict them; and credsh is replaced by it.

mod support;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;

use support::endpoint::{Endpoint, Rotation, TOKEN};
use support::sts::Sts;
use support::{CREDSH, Run, Sandbox};

const CONFLICTS: [&str; 6] = [
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_SECURITY_TOKEN",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
];

/// The environment that a command line prints; it ends in `env -0`.
fn environment(sandbox: &Sandbox, words: &[&str]) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let mut command = sandbox.command(words[0]);
    let out = command.env("BYTES", OsStr::from_bytes(b"\xff\xfe")).args(&words[1..]).output().unwrap();
    assert!(out.status.success(), "{out:?}");
    let pair = |line: &[u8]| {
        let at = line.iter().position(|byte| *byte == b'=').unwrap();
        (line[..at].to_vec(), line[at + 1..].to_vec())
    };
    out.stdout.split(|byte| *byte == 0).filter(|line| !line.is_empty()).map(pair).collect()
}

fn texts(map: &BTreeMap<Vec<u8>, Vec<u8>>) -> BTreeMap<String, String> {
    let text = |bytes: &Vec<u8>| String::from_utf8_lossy(bytes).into_owned();
    map.iter().map(|(name, value)| (text(name), text(value))).collect()
}

#[test]
fn the_standard_names_and_nothing_that_contradicts_them() {
    let endpoint = Endpoint::start(600);
    let mut sandbox = Sandbox::in_cloudshell(&endpoint).with("KEPT", "a b\n'$x'").with("AWS_REGION", "eu-west-1");
    for name in ["AWS_SECURITY_TOKEN", "AWS_CREDENTIAL_EXPIRATION"] {
        sandbox.set(name, "2001-01-01T00:00:00Z");
    }
    for name in CONFLICTS.iter().filter(|name| !name.contains("RELATIVE") && !name.contains("TOKEN_FILE")) {
        sandbox.set(name, "stale");
    }
    let before = environment(&sandbox, &["env", "-0"]);
    let after = environment(&sandbox, &[CREDSH, "exec", "--source", "container", "--", "env", "-0"]);
    let mut wanted = texts(&before);
    wanted.retain(|name, _| !CONFLICTS.contains(&name.as_str()) && !name.starts_with("AWS_CONTAINER_"));
    let mut after_texts = texts(&after);
    let end = after_texts["AWS_CREDENTIAL_EXPIRATION"].clone();
    assert!(end.starts_with("20") && end.ends_with('Z') && !end.starts_with("2001"), "{end}");
    for (name, value) in [
        ("AWS_ACCESS_KEY_ID", "ASIATEST0001"),
        ("AWS_SECRET_ACCESS_KEY", "test-secret-1"),
        ("AWS_SESSION_TOKEN", "test-token-1"),
        ("AWS_CREDENTIAL_EXPIRATION", &end),
    ] {
        wanted.insert(name.into(), value.into());
    }
    let lease = after_texts.remove("CREDSH_LEASE");
    assert!(lease.is_some_and(|id| sandbox.ids().contains(&id)), "what a credsh in there means");
    assert_eq!(after_texts, wanted);
    assert_eq!(after[b"BYTES".as_slice()], b"\xff\xfe", "nor what is not UTF-8");
    let control = texts(&before);
    assert!(control["AWS_CONTAINER_AUTHORIZATION_TOKEN"] == TOKEN && control["AWS_PROFILE"] == "stale");
}

#[test]
fn the_other_conflicts_are_gone_too() {
    let endpoint = Endpoint::start(600);
    let mut sandbox = Sandbox::in_cloudshell(&endpoint);
    sandbox.credsh(&["export"]).ok();
    let lease = sandbox.credsh(&["status", "--json"]).ok().split("\"id\": \"").nth(1).unwrap()[..16].to_owned();
    // Through the shell's own lease, as some of these variables would be taken for sources.
    sandbox.set("CREDSH_LEASE", &lease);
    for name in CONFLICTS {
        sandbox.set(name, "stale");
    }
    let after = texts(&environment(&sandbox, &[CREDSH, "exec", "--", "env", "-0"]));
    assert_eq!(after["AWS_ACCESS_KEY_ID"], "ASIATEST0001");
    assert!(CONFLICTS.iter().all(|name| !after.contains_key(*name)), "{after:?}");
}

/// Where the expiration is unknown there is no variable: one left over from other keys would be wrong.
#[test]
fn unknown_is_absent_and_not_left_over() {
    let sandbox = Sandbox::new().with("AWS_CREDENTIAL_EXPIRATION", "2001-01-01T00:00:00Z");
    sandbox.file(
        ".aws/credentials",
        "[tmp]\naws_access_key_id = ASIATMP\naws_secret_access_key = s\naws_session_token = t\n",
    );
    let exec = |name| sandbox.credsh(&["exec", "--profile", "tmp", "--", "printenv", name]);
    let run = exec("AWS_CREDENTIAL_EXPIRATION");
    assert_eq!((run.status, run.stdout.as_str(), run.stderr.as_str()), (1, "", ""));
    assert_eq!(exec("AWS_ACCESS_KEY_ID").ok(), "ASIATMP\n", "the control");
}

#[test]
fn a_regions_name_goes_along() {
    let endpoint = Endpoint::start(600);
    let mut sandbox = Sandbox::in_cloudshell(&endpoint);
    let region = |sandbox: &Sandbox, flags: &[&str]| {
        let seen = texts(&environment(sandbox, &[&[CREDSH, "exec"], flags, &["--", "env", "-0"]].concat()));
        ["AWS_REGION", "AWS_DEFAULT_REGION"].map(|name| seen.get(name).cloned().unwrap_or_default())
    };
    assert_eq!(region(&sandbox, &[]), ["", ""]);
    assert_eq!(region(&sandbox, &["--region", "eu-west-1"]), ["eu-west-1", "eu-west-1"], "boto3 reads only the second");
    // The profile's own region would be lost with AWS_PROFILE.
    sandbox.file(".aws/config", "[profile dev]\nregion = sa-east-1\naws_access_key_id = ASIADEV\naws_secret_access_key = s\naws_session_token = t\n");
    assert_eq!(region(&sandbox, &["--profile", "dev"]), ["sa-east-1", "sa-east-1"]);
    // Also if nothing else is taken from the profile, because the container endpoint or keys come before it.
    sandbox.set("AWS_PROFILE", "dev");
    assert_eq!(region(&sandbox, &[]), ["sa-east-1", "sa-east-1"]);
    sandbox.file(
        ".aws/credentials",
        "[bare]\naws_access_key_id = ASIABARE\naws_secret_access_key = s\naws_session_token = t\n",
    );
    assert_eq!(region(&sandbox, &["--profile", "bare"]), ["", ""], "not another profile's");
    let keys = [("AWS_ACCESS_KEY_ID", "ASIAENV"), ("AWS_SECRET_ACCESS_KEY", "s"), ("AWS_SESSION_TOKEN", "t")];
    let with_keys = keys.iter().fold(Sandbox::new(), |sandbox, (name, value)| sandbox.with(name, value));
    let with_keys = with_keys.with("AWS_DEFAULT_PROFILE", "dev");
    with_keys.file(".aws/config", "[profile dev]\nregion = sa-east-1\n");
    assert_eq!(region(&with_keys, &[]), ["sa-east-1", "sa-east-1"]);
    sandbox.unset("AWS_PROFILE");
    sandbox.set("AWS_DEFAULT_REGION", "eu-north-1");
    assert_eq!(region(&sandbox, &["--profile", "dev"]), ["", "eu-north-1"], "what is there already stays");
}

#[test]
fn it_becomes_the_command() {
    let endpoint = Endpoint::start(600);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    let run =
        Run::of(sandbox.command("sh").args(["-c", "echo $$; exec credsh exec -- sh -c 'echo $$'"]).output().unwrap());
    let out = run.ok();
    let pids: Vec<&str> = out.lines().collect();
    assert_eq!((pids.len(), pids[0]), (2, pids[1]));
    for status in [0, 1, 7, 255] {
        let run = sandbox.credsh(&["exec", "--", "sh", "-c", &format!("exit {status}")]);
        assert_eq!((run.status, run.stderr.as_str()), (status, ""));
    }
    // Arguments arrive as they are: empty ones, flags, what a shell would expand, what is not UTF-8.
    let words: [&[u8]; 6] = [b"", b"--min-life", b"-x", b"$HOME *", b"--", b"caf\xe9"];
    let mut command = sandbox.command(CREDSH);
    let out = command.args(["exec", "--", "printf", "%s|"]).args(words.map(OsStr::from_bytes)).output().unwrap();
    assert_eq!(out.stdout, [words.join(&b'|'), b"|".to_vec()].concat(), "{out:?}");
    let run = Run::of(sandbox.command("sh").args(["-c", "echo in | credsh exec -- cat"]).output().unwrap());
    assert_eq!(run.ok(), "in\n");
}

#[test]
fn signals_and_files_are_the_parents() {
    let endpoint = Endpoint::start(600);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    for signal in ["TERM", "INT", "HUP", "PIPE", "KILL"] {
        let mut child = sandbox.command(CREDSH);
        child.args(["exec", "--", "sh", "-c", "echo ready; exec sleep 60"]).stdout(Stdio::piped());
        let mut child = child.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let pid = child.id().to_string();
        sandbox.command("sh").args(["-c", &format!("kill -{signal} {pid}")]).status().unwrap();
        let number = ["HUP", "INT", "", "", "", "", "", "", "KILL", "", "", "", "PIPE", "", "TERM"];
        let number = number.iter().position(|name| *name == signal).unwrap() + 1;
        assert_eq!(child.wait().unwrap().signal(), Some(i32::try_from(number).unwrap()), "{signal}");
    }
    for trap in ["", "trap '' INT;"] {
        let script = |credsh: &str| {
            format!(
                "{trap} {credsh} grep -E '^(Sig(Blk|Ign|Cgt)|Groups|Umask|NoNewPrivs)' /proc/self/status; {credsh} ls /proc/self/fd; {credsh} pwd"
            )
        };
        let seen = |line: &str| Run::of(sandbox.command("sh").args(["-c", line]).output().unwrap()).ok();
        assert_eq!(seen(&script("credsh exec --")), seen(&script("command")), "{trap}");
    }
}

#[test]
fn a_command_that_is_not_there_and_one_that_cannot_run() {
    let endpoint = Endpoint::start(600);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    let text = sandbox.credsh(&["exec", "--", "no-such-command"]).fails(127, &[]);
    assert_eq!(text, "credsh: cannot run no-such-command: no such file or directory\n");
    let file = sandbox.file("file", "no program\n");
    let text = sandbox.credsh(&["exec", "--", file.to_str().unwrap()]).fails(126, &[]);
    assert_eq!(text, format!("credsh: cannot run {}: permission denied\n", file.display()));
    sandbox.credsh(&["exec"]).fails(2, &["<COMMAND>"]);
    sandbox.credsh(&["exec", "true"]).fails(2, &["credsh: "]);
}

#[test]
fn without_credentials_nothing_runs() {
    let sandbox = Sandbox::new();
    sandbox.credsh(&["exec", "--", "touch", "ran"]).fails(3, &["no credentials source was found"]);
    let endpoint = Endpoint::start(600);
    endpoint.answer(403, r#"{"message":"Forbidden"}"#);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    sandbox.credsh(&["exec", "--", "touch", "ran"]).fails(4, &["status 403"]);
    assert!(!sandbox.home().join("ran").exists());
}

#[test]
fn too_short_a_life_is_renewed_or_else_told() {
    let endpoint = Endpoint::start(120);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    let exec = |flags: &[&str]| sandbox.credsh(&[&["exec"], flags, &["--", "printenv", "AWS_ACCESS_KEY_ID"]].concat());
    let warning =
        "credsh: warning: the credentials expire soon, and a running command cannot be given new ones: cloudshell ";
    let run = exec(&[]);
    assert!(run.stderr.starts_with(warning) && run.stderr.lines().count() == 1, "{run:?}");
    assert_eq!((run.ok().as_str(), endpoint.count()), ("ASIATEST0001\n", 1), "just asked: not asked again");
    // Stored, and not due for a while, but asked for anew, as this command needs them for longer.
    let run = exec(&[]);
    assert!(run.stderr.starts_with(warning), "{run:?}");
    assert_eq!(endpoint.count(), 2);
    let run = exec(&["--min-life", "30s"]);
    assert_eq!((run.stderr.as_str(), endpoint.count()), ("", 2), "the control: long enough");
    endpoint.live(3600);
    endpoint.expire();
    let run = exec(&["--min-life", "50m"]);
    assert_eq!((run.stderr.as_str(), endpoint.count()), ("", 3));
    assert_eq!(run.ok(), "ASIATEST0002\n");
    for bad in ["x", "13h", ""] {
        exec(&["--min-life", bad]).fails(2, &["--min-life"]);
    }
}

#[test]
fn a_renewal_that_fails_does_not_keep_the_command_from_running() {
    let endpoint = Endpoint::start(120);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    sandbox.credsh(&["export"]).ok();
    endpoint.answer(400, r#"{"code":"Oops","message":"not now"}"#);
    let run = sandbox.credsh(&["exec", "--", "printenv", "AWS_ACCESS_KEY_ID"]);
    assert!(run.stderr.contains("not now") && run.stderr.contains("credsh: warning: "), "{run:?}");
    assert_eq!(run.ok(), "ASIATEST0001\n");
}

#[test]
fn no_secret_is_in_an_argument() {
    let endpoint = Endpoint::start(600);
    endpoint.rotate(Rotation::Never);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    let mut child = sandbox.command(CREDSH);
    child.args(["exec", "--", "sh", "-c", "echo ready; read -r _"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = child.spawn().unwrap();
    let mut ready = [0; 6];
    child.stdout.as_mut().unwrap().read_exact(&mut ready).unwrap();
    let read = |name: &str| {
        let bytes = std::fs::read(format!("/proc/{}/{name}", child.id())).unwrap();
        String::from_utf8(bytes).unwrap()
    };
    let (line, environment) = (read("cmdline"), read("environ"));
    assert!(environment.contains("test-secret-1") && environment.contains("test-token-1"), "the control");
    assert!(!line.contains("test-secret") && !line.contains("test-token"), "{line}");
    drop(child.stdin.take());
    child.wait().unwrap();
}

/// Otherwise the command would run as somebody else, without any message.
#[test]
fn a_lease_that_is_gone_is_not_replaced_by_what_else_is_there() {
    let (endpoint, sts) = (Endpoint::start(600), Sts::start());
    let mut sandbox = Sandbox::in_cloudshell(&endpoint).with("AWS_ENDPOINT_URL_STS", &sts.url());
    let role = ["--role", "arn:aws:iam::123456789012:role/deploy"];
    sandbox.credsh(&["refresh", role[0], role[1]]).ok();
    let id = sandbox.ids().remove(0);
    sandbox.set("CREDSH_LEASE", &id);
    let key = |sandbox: &Sandbox, flags: &[&str]| {
        sandbox.credsh(&[&["exec"], flags, &["--", "printenv", "AWS_ACCESS_KEY_ID"]].concat())
    };
    assert_eq!(key(&sandbox, &[]).ok(), "ASIASTS0001\n", "the control");
    assert_eq!(key(&sandbox, &["--no-store"]).ok(), "ASIASTS0002\n", "what was asked for is known all the same");
    sandbox.credsh(&["clear", "--all"]).ok();
    let words: [&[&str]; 5] =
        [&["exec", "--", "true"], &["export"], &["whoami"], &["refresh"], &["docker", "--", "run", "image"]];
    for words in words {
        let wanted = format!("credsh: this shell's lease {id} is not in the store: it was cleared, ");
        sandbox
            .credsh(words)
            .fails(1, &[&wanted, "\nhint: name the credentials to use (--role, --profile, --source); "]);
    }
    assert_eq!((sandbox.ids().len(), sts.calls().len()), (0, 2));
    assert_eq!(key(&sandbox, &role).ok(), "ASIASTS0003\n");
    // If the same request would be made again, nothing is lost by making it.
    sandbox.credsh(&["clear", "--all"]).ok();
    sandbox.unset("CREDSH_LEASE");
    sandbox.credsh(&["refresh"]).ok();
    let own = sandbox.ids().remove(0);
    sandbox.credsh(&["clear", "--all"]).ok();
    sandbox.set("CREDSH_LEASE", &own);
    assert!(key(&sandbox, &[]).ok().starts_with("ASIATEST"));
}

/// A credsh in there uses what it was handed, as it cannot reach the endpoint: the token is gone from its environment.
#[test]
fn a_container_s_lease_does_not_go_along() {
    let endpoint = Endpoint::start(600);
    let mut sandbox = Sandbox::in_cloudshell(&endpoint);
    sandbox.set("CREDSH_PROMPT", "cloudshell 9m");
    let seen = texts(&environment(&sandbox, &[CREDSH, "exec", "--", "env", "-0"]));
    assert!(seen.contains_key("CREDSH_LEASE"), "CloudShell's endpoint wants no token of the environment: {seen:?}");
    // An address as on ECS, and not CloudShell's.
    sandbox.set("AWS_CONTAINER_CREDENTIALS_FULL_URI", &format!("{}?ecs", endpoint.uri()));
    let inside = sandbox.credsh(&["exec", "--", CREDSH, "export"]).ok();
    assert!(inside.contains("'ASIATEST0001'"), "{inside}");
    let seen = texts(&environment(&sandbox, &[CREDSH, "exec", "--", "env", "-0"]));
    assert!(!seen.keys().any(|name| name.starts_with("CREDSH_")), "{seen:?}");
    // A lease that does not depend on the endpoint goes along.
    let keys = r#"{"Version":1,"AccessKeyId":"ASIAONE","SecretAccessKey":"s","SessionToken":"t"}"#;
    let keys = sandbox.file("keys.json", keys);
    sandbox.file(".aws/config", &format!("[profile p]\ncredential_process = cat {}\n", keys.display()));
    let seen = texts(&environment(&sandbox, &[CREDSH, "exec", "--profile", "p", "--", "env", "-0"]));
    assert!(seen.contains_key("CREDSH_LEASE"), "{seen:?}");
}

/// Otherwise a script in there would do part of its work as somebody else.
#[test]
fn a_credsh_in_there_means_what_was_handed_out() {
    let endpoint = Endpoint::start(600);
    let mut sandbox = Sandbox::in_cloudshell(&endpoint);
    let keys = r#"{"Version":1,"AccessKeyId":"ASIAONE","SecretAccessKey":"s","SessionToken":"t"}"#;
    let keys = sandbox.file("keys.json", keys);
    sandbox.file(".aws/config", &format!("[profile p]\ncredential_process = cat {}\n", keys.display()));
    sandbox.credsh(&["refresh"]).ok();
    sandbox.set("CREDSH_LEASE", &sandbox.ids().remove(0));
    sandbox.set("CREDSH_PROMPT", "cloudshell 9m");
    sandbox.set("CREDSH_SOURCE", "cloudshell");
    let own = sandbox.credsh(&["exec", "--", CREDSH, "export"]).ok();
    assert!(own.contains("'ASIATEST0001'"), "the control: {own}");
    for flags in [&[][..], &["--no-store"]] {
        let words = [&["exec", "--profile", "p"], flags, &["--", CREDSH, "export"]].concat();
        let inside = sandbox.credsh(&words).ok();
        assert!(inside.contains("'ASIAONE'"), "{flags:?}: {inside}");
    }
    let seen = texts(&environment(&sandbox, &[CREDSH, "exec", "--profile", "p", "--", "env", "-0"]));
    let mine: Vec<&String> = seen.keys().filter(|name| name.starts_with("CREDSH_")).collect();
    assert_eq!(mine, ["CREDSH_LEASE"]);
}

/// The same command again, in a shell without a hook: the keys that it exported are not taken for the user's own.
#[test]
fn what_was_exported_into_a_shell_is_had_anew() {
    let mut sandbox = Sandbox::new();
    let keys = r#"{"Version":1,"AccessKeyId":"ASIAONE","SecretAccessKey":"s","SessionToken":"t"}"#;
    let file = sandbox.file("keys.json", keys);
    sandbox.file(".aws/config", &format!("[default]\ncredential_process = cat {}\n", file.display()));
    sandbox.credsh(&["export"]).ok();
    for (name, value) in [("AWS_ACCESS_KEY_ID", "ASIAONE"), ("AWS_SECRET_ACCESS_KEY", "s"), ("AWS_SESSION_TOKEN", "t")]
    {
        sandbox.set(name, value);
    }
    sandbox.file("keys.json", &keys.replace("ASIAONE", "ASIATWO"));
    sandbox.credsh(&["refresh", "--force"]).ok();
    let out = sandbox.credsh(&["export"]).ok();
    assert!(out.contains("'ASIATWO'"), "{out}");
    assert_eq!(sandbox.ids().len(), 1);
    // The user's own keys are a source.
    sandbox.set("AWS_ACCESS_KEY_ID", "ASIAOWN");
    for _ in 0..2 {
        let out = sandbox.credsh(&["export"]).ok();
        assert!(out.contains("'ASIAOWN'"), "the control: {out}");
    }
}

/// The variables that name the source are gone in there, and the default profile is somebody else's.
#[test]
fn a_role_in_there_stands_on_what_was_handed_out() {
    let sts = Sts::start();
    let keys = |name: &str| format!("aws_access_key_id = AKIA{name}\naws_secret_access_key = s\n");
    let sandbox = Sandbox::new().with("AWS_ENDPOINT_URL_STS", &sts.url()).with("AWS_PROFILE", "dev");
    sandbox.file(".aws/credentials", &format!("[default]\n{}[dev]\n{}", keys("DEFAULT"), keys("DEV")));
    let role = "arn:aws:iam::123456789012:role/deploy";
    sandbox.credsh(&["exec", "--", CREDSH, "export", "--role", role]).ok();
    let signers: Vec<String> = sts.calls().iter().map(|call| call.signer().to_owned()).collect();
    assert_eq!(signers, ["AKIADEV", "ASIASTS0001"]);
    let inside = sandbox.credsh(&["exec", "--", CREDSH, "export", "--source", "env"]).ok();
    assert!(inside.contains("'ASIASTS0001'"), "{inside}");
    // A lease that is not stored is not passed on, so the keys are all there is.
    let unstored = sandbox.credsh(&["exec", "--no-store", "--", CREDSH, "export"]).ok();
    assert!(unstored.contains("'ASIASTS0003'"), "{unstored}");
}
