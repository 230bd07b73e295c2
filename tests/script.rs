//! The source-able scripts, in every shell: what the original script did still works, and each of its failings is gone.
//! The numbers are those of the list of failings. Whose arguments a script sees (12, 13) is in `script_arguments`, and
//! what the shell itself keeps (6, 16, 18) in `script_guest`.

mod support;

use std::time::{Duration, Instant};

use support::endpoint::{Behaviour, Endpoint, TOKEN, now, rfc3339};
use support::sourced::{Sourcing, everywhere, script};
use support::sts::Sts;
use support::{CREDSH, Run, Sandbox};

const ARN: &str = "arn:aws:iam::123456789012:role/deploy";
const NAMES: [&str; 4] = ["ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN", "CREDENTIAL_EXPIRATION"];

/// Prints the exported values, one per line.
const SHOW: &str = "printenv TEMPORARY_AWS_ACCESS_KEY_ID; printenv TEMPORARY_AWS_SECRET_ACCESS_KEY; printenv TEMPORARY_AWS_SESSION_TOKEN; printenv TEMPORARY_AWS_CREDENTIAL_EXPIRATION";

/// A shell that already holds good values.
fn with_old(sandbox: Sandbox) -> Sandbox {
    NAMES.iter().fold(sandbox, |sandbox, name| sandbox.with(&format!("TEMPORARY_AWS_{name}"), "old"))
}

/// Sources the script, then prints its status and the values.
fn publish(shell: Sourcing, sandbox: &Sandbox, words: &str) -> Run {
    let status = shell.pick("$?", "$status");
    shell.run(sandbox, &format!("SOURCE {words}\necho \"status {status}\"\n{SHOW}\n"))
}

/// 1, 2, 3, 4, 7: a failure returns non-zero, says why, prints nothing on stdout, and keeps the values that were there.
fn fails(shell: Sourcing, sandbox: Sandbox, words: &str, why: &str) {
    let run = publish(shell, &with_old(sandbox), words);
    assert!(run.stdout.ends_with("\nold\nold\nold\nold\n"), "{words} {why}: {run:?}");
    let status = run.stdout.strip_prefix("status ").and_then(|rest| rest.lines().next()?.parse::<u8>().ok());
    assert!(status.is_some_and(|status| status != 0), "{words} {why}: {run:?}");
    assert!(run.stderr.contains(why), "no {why:?}: {run:?}");
}

#[test]
fn success_prints_the_old_shape_and_exports() {
    everywhere(|shell| {
        let endpoint = Endpoint::start(600);
        let sandbox = with_old(Sandbox::in_cloudshell(&endpoint).with("AWS_DEFAULT_REGION", "eu-central-1"));
        let out = publish(shell, &sandbox, "").ok();
        let (json, rest) = out.split_once("\n\n").unwrap();
        let json: serde_json::Value = serde_json::from_str(json).unwrap();
        assert_eq!(json["AccessKeyId"], "ASIATEST0001");
        assert_eq!(json["SecretAccessKey"], "test-secret-1");
        assert_eq!(json["Token"], "test-token-1");
        assert_eq!((&json["Code"], &json["Type"]), (&"Success".into(), &"".into()));
        let end = json["Expiration"].as_str().unwrap();
        let wanted = format!(
            "export AWS_ACCESS_KEY_ID='ASIATEST0001'\nexport AWS_SECRET_ACCESS_KEY='test-secret-1'\nexport AWS_SESSION_TOKEN='test-token-1'\nexport AWS_DEFAULT_REGION='eu-central-1'\nstatus 0\nASIATEST0001\ntest-secret-1\ntest-token-1\n{end}\n"
        );
        assert_eq!(rest, wanted, "{shell:?}");
        assert!(end.ends_with('Z') && end > rfc3339(now()).as_str(), "6: the end is known: {end}");
        // 20: a container, or any other program, needs no variables renamed by hand.
        assert_eq!(sandbox.credsh(&["exec", "--", "printenv", "AWS_ACCESS_KEY_ID"]).ok(), "ASIATEST0001\n");
    });
}

#[test]
fn failings_1_2_3_4_7_of_the_endpoint() {
    let end = rfc3339(now() + 600);
    let good = format!(r#""AccessKeyId":"ASIAX","SecretAccessKey":"s","Token":"t","Expiration":"{end}""#);
    let answer = |status, body: &str| Behaviour::Answer { status, headers: String::new(), body: body.into() };
    let faults = [
        (answer(500, "oops"), "500"),
        (answer(403, r#"{"message":"Forbidden"}"#), "403"),
        (
            Behaviour::Answer { status: 302, headers: "Location: http://localhost/\r\n".into(), body: String::new() },
            "302",
        ),
        (Behaviour::Close, "cannot reach"),
        (answer(200, ""), "no usable credentials"),
        (answer(200, "<html>"), "no usable credentials"),
        (answer(200, r#"{"AccessKeyId":"ASIA"#), "no usable credentials"),
        (answer(200, &format!(r#"{{{good},"Code":"AssumeRoleUnauthorizedAccess"}}"#)), "AssumeRoleUnauthorizedAccess"),
        (answer(200, &format!(r#"{{{},"Code":"Success"}}"#, good.replace("\"s\"", "null"))), "SecretAccessKey"),
        (answer(200, &format!(r"{{{}}}", good.replace("\"Token\"", "\"Tokens\""))), "Token"),
        (answer(200, &format!(r"{{{}}}", good.replace(&end, &rfc3339(now() - 60)))), "they expired at"),
    ];
    everywhere(|shell| {
        for (behaviour, why) in &faults {
            let endpoint = Endpoint::start(600);
            endpoint.behave(behaviour.clone());
            fails(shell, Sandbox::in_cloudshell(&endpoint), "", why);
        }
        fails(shell, Sandbox::new(), "", "no credentials source was found");
        let down = Sandbox::new().with("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://localhost:1/x");
        fails(shell, down, "", "cannot reach");
    });
}

#[test]
fn failings_1_2_3_4_of_the_role() {
    everywhere(|shell| {
        let (endpoint, sts) = (Endpoint::start(600), Sts::start());
        sts.refuse(403, "AccessDenied", "User: x is not authorized to perform: sts:AssumeRole");
        let sandbox = || Sandbox::in_cloudshell(&endpoint).with("AWS_ENDPOINT_URL_STS", &sts.url());
        fails(shell, sandbox().with("CREDSH_ROLE", ARN), "", "AccessDenied");
        fails(shell, sandbox().with("CREDSH_ROLE", "myapp"), "", "not a role ARN");
        assert_eq!(sts.calls().len(), 1, "{shell:?}: what is no ARN is not asked for");
    });
}

/// Even if the stored lease would still do, the values that were there are kept.
#[test]
fn a_good_lease_is_not_published_for_a_failed_one() {
    everywhere(|shell| {
        let endpoint = Endpoint::start(600);
        let sandbox = Sandbox::in_cloudshell(&endpoint);
        sandbox.credsh(&["export"]).ok();
        endpoint.answer(500, "oops");
        fails(shell, sandbox, "", "nothing was published");
    });
}

#[test]
fn failing_5_there_is_a_time_limit() {
    everywhere(|shell| {
        let endpoint = Endpoint::start(600);
        endpoint.behave(Behaviour::Hang(Duration::from_secs(60)));
        let start = Instant::now();
        fails(shell, Sandbox::in_cloudshell(&endpoint), "", "did not answer within");
        assert!(start.elapsed() < Duration::from_secs(30), "{shell:?}");
    });
}

#[test]
fn failing_8_quiet_prints_no_secret() {
    everywhere(|shell| {
        let endpoint = Endpoint::start(600);
        // dash drops -q, as it does any argument.
        let (variable, words) = if shell.is("dash") { ("1", "") } else { ("", "-q") };
        let sandbox = Sandbox::in_cloudshell(&endpoint).with("CREDSH_QUIET", variable);
        let run = shell.run(&sandbox, &format!("SOURCE {words}\n"));
        assert_eq!((run.status, run.stdout.as_str()), (0, ""), "{shell:?}: {run:?}");
        assert!(!run.stderr.contains("test-") && run.stderr.contains("published: cloudshell"), "{shell:?}: {run:?}");
        let sandbox = Sandbox::in_cloudshell(&endpoint).with("CREDSH_QUIET", "1");
        assert!(publish(shell, &sandbox, "").ok().starts_with("status 0\nASIATEST0001\ntest-secret-1\n"), "{shell:?}");
    });
}

#[test]
fn failing_9_no_secret_in_an_argument() {
    everywhere(|shell| {
        let endpoint = Endpoint::start(600);
        let sandbox = Sandbox::in_cloudshell(&endpoint);
        let name = shell.pick("publish_temporary_credentials.sh", "publish_temporary_credentials.fish");
        let text = format!("{} {}\n", shell.pick(".", "source"), script(shell.fish()).with_file_name(name).display());
        let caller = sandbox.file("caller", &text);
        let mut command = sandbox.command("strace");
        command.args(["-f", "-s", "65535", "-e", "trace=execve", "-o", "trace", "--"]).args(shell.0).arg(caller);
        assert!(Run::of(command.output().unwrap()).ok().contains("test-secret-1"), "{shell:?}");
        let trace = std::fs::read_to_string(sandbox.home().join("trace")).unwrap();
        assert!(trace.contains("\"publish\", \"--given="), "the control: {trace}");
        for secret in [TOKEN, "test-secret", "test-token"] {
            assert!(!trace.contains(secret), "{shell:?}: {trace}");
        }
    });
}

#[test]
fn failing_10_no_proxy_is_asked() {
    everywhere(|shell| {
        let (endpoint, proxy) = (Endpoint::start(600), Endpoint::start(600));
        let url = format!("http://localhost:{}", proxy.port());
        let names = ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "ALL_PROXY"];
        let sandbox = names.iter().fold(Sandbox::in_cloudshell(&endpoint), |sandbox, name| sandbox.with(name, &url));
        publish(shell, &sandbox, "").ok();
        assert_eq!((endpoint.count(), proxy.requests().len()), (1, 0), "{shell:?}");
    });
}

/// 11 and 15: unchanged in the environment, in the JSON, and in the lines to be pasted.
#[test]
fn failings_11_and_15_metacharacters_come_through() {
    let hostile = r#" -n a'b"c`touch pwned`$(touch pwned)\d\\n\n;e!f!!*?~{1,2}#%s%% &|<>ü'"#;
    everywhere(|shell| {
        let endpoint = Endpoint::start(600);
        endpoint.field("SecretAccessKey", &serde_json::to_string(hostile).unwrap());
        endpoint.field("Token", &serde_json::to_string(&hostile.replace(' ', "-e ")).unwrap());
        let sandbox = Sandbox::in_cloudshell(&endpoint);
        let out = publish(shell, &sandbox, "").ok();
        assert_eq!(out.lines().rev().nth(2).unwrap(), hostile, "{shell:?}");
        let (json, rest) = out.split_once("\n\n").unwrap();
        let json: serde_json::Value = serde_json::from_str(json).unwrap();
        assert_eq!(json["SecretAccessKey"], hostile, "{shell:?}");
        let lines = rest.split("status").next().unwrap();
        for paste in ["sh", "bash", "zsh", "fish"] {
            let run = sandbox.command(paste).args(["-c", &format!("{lines}printenv AWS_SECRET_ACCESS_KEY")]).output();
            let wanted = if paste == "fish" { continue } else { format!("{hostile}\n") };
            assert_eq!(Run::of(run.unwrap()).ok(), wanted, "{shell:?} pasted into {paste}");
        }
        assert!(!sandbox.home().join("pwned").exists(), "{shell:?}");
        endpoint.field("Token", r#""two\nlines""#);
        endpoint.expire();
        fails(shell, Sandbox::in_cloudshell(&endpoint), "", "control character");
    });
}

#[test]
fn failing_14_needs_no_other_program_and_no_setting_of_theirs() {
    everywhere(|shell| {
        let endpoint = Endpoint::start(600);
        let sandbox = Sandbox::in_cloudshell(&endpoint).with("AWS_DEFAULT_OUTPUT", "table");
        let bin = sandbox.home().join("bin");
        std::fs::create_dir(&bin).unwrap();
        std::os::unix::fs::symlink(CREDSH, bin.join("credsh")).unwrap();
        let path = shell.pick("PATH=$HOME/bin", "set -x PATH $HOME/bin");
        let out = shell.run(&sandbox, &format!("{path}\nSOURCE\necho $TEMPORARY_AWS_ACCESS_KEY_ID\n")).ok();
        assert!(out.ends_with("\nASIATEST0001\n"), "{shell:?}: {out}");
        // Without credsh it says so, and keeps the values. CREDSH_EXE names the program if PATH does not have it.
        let lost = shell.pick("PATH=$HOME", "set -x PATH $HOME");
        let run = shell.run(&with_old(sandbox), &format!("{lost}\nSOURCE\necho \"$TEMPORARY_AWS_ACCESS_KEY_ID\"\n"));
        assert_eq!(run.stdout, "old\n", "{shell:?}");
        assert!(run.stderr.contains("credsh: the credsh program was not found"), "{shell:?}: {run:?}");
        // The status of a failure takes no other program either.
        let named = Sandbox::new().with("CREDSH_EXE", CREDSH);
        let status = shell.pick("$?", "$status");
        let run = shell.run(&named, &format!("{lost}\nSOURCE\necho status {status}\n"));
        assert_eq!(run.stdout, "status 3\n", "{shell:?}: {run:?}");
        let function = shell.pick("f() { SOURCE; echo in $?; }; f", "function f; SOURCE; echo in $status; end; f");
        assert_eq!(shell.run(&named, &format!("{lost}\n{function}\n")).stdout, "in 3\n", "{shell:?}");
        let named = Sandbox::in_cloudshell(&endpoint).with("CREDSH_EXE", CREDSH);
        let out = shell.run(&named, &format!("{lost}\nSOURCE\necho \"$TEMPORARY_AWS_ACCESS_KEY_ID\"\n")).ok();
        assert!(out.ends_with("\nASIATEST0001\n"), "{shell:?}: {out}");
    });
}

#[test]
fn failing_17_run_instead_of_sourced() {
    for fish in [false, true] {
        let endpoint = Endpoint::start(600);
        let sandbox = Sandbox::in_cloudshell(&endpoint);
        let run = Run::of(sandbox.command(script(fish)).output().unwrap());
        assert!(run.stdout.contains("export AWS_SECRET_ACCESS_KEY='test-secret-1'\n"), "{run:?}");
        assert!(fish || run.stderr.contains("hint: to set this shell's variables, source the script"), "{run:?}");
        assert_eq!(Run::of(Sandbox::new().command(script(fish)).output().unwrap()).status, 3, "fish: {fish}");
    }
}

#[test]
fn failing_19_no_region_no_line() {
    everywhere(|shell| {
        let endpoint = Endpoint::start(600);
        let out = publish(shell, &Sandbox::in_cloudshell(&endpoint), "").ok();
        assert!(!out.contains("REGION"), "{shell:?}: {out}");
        let sandbox = Sandbox::in_cloudshell(&endpoint).with("AWS_REGION", "eu-west-1");
        let out = publish(shell, &sandbox, "").ok();
        assert!(out.contains("\nexport AWS_DEFAULT_REGION='eu-west-1'\n"), "{shell:?}: {out}");
    });
}

/// Within a command substitution an interactive zsh before 5.9 does not take `#` for a comment but for a command, even
/// in a file that is sourced.
#[test]
fn nothing_in_a_substitution_is_a_comment() {
    let text = std::fs::read_to_string(script(false)).unwrap();
    let (comments, code) = text.split_once("eval \"false || $(\n").unwrap();
    assert!(comments.contains("\n# "), "the control");
    for line in code.lines() {
        assert!(!line.trim_start().starts_with('#') && !line.contains(" #"), "{line}");
    }
}

/// `credsh script` prints the same file, with the program's path filled in.
#[test]
fn the_program_prints_its_scripts() {
    for (name, fish) in [("sh", false), ("fish", true)] {
        let printed = Sandbox::new().credsh(&["script", name]).ok();
        let file = std::fs::read_to_string(script(fish)).unwrap();
        assert_eq!(printed, file.replace("@CREDSH@", &format!("'{CREDSH}'")));
        let endpoint = Endpoint::start(600);
        let sandbox = Sandbox::in_cloudshell(&endpoint);
        let path = sandbox.file("printed", &printed);
        let mut shell = sandbox.command(if fish { "/usr/bin/fish" } else { "/bin/sh" });
        let out = Run::of(shell.env("PATH", "/nowhere").arg(path).output().unwrap()).ok();
        assert!(out.contains("test-secret-1"), "{out}");
    }
}
