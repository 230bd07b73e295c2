//! The source-able scripts, in every shell: what the script of old did is still done, and each of its failings is gone.
//! The numbers are those of the list of failings; what is about arguments (12, 13) is in `script_arguments`, and what
//! needs a terminal (6) below, in the shells with a hook.

mod support;

use std::time::{Duration, Instant};

use support::endpoint::{Behaviour, Endpoint, TOKEN, now, rfc3339};
use support::pty::Shell;
use support::sourced::{Sourcing, every_sh, everywhere, script};
use support::sts::Sts;
use support::{CREDSH, Run, Sandbox};

const ARN: &str = "arn:aws:iam::123456789012:role/deploy";
const NAMES: [&str; 4] = ["ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN", "CREDENTIAL_EXPIRATION"];

/// Prints what is exported, a name at a time, after `=`.
const SHOW: &str = "printenv TEMPORARY_AWS_ACCESS_KEY_ID; printenv TEMPORARY_AWS_SECRET_ACCESS_KEY; printenv TEMPORARY_AWS_SESSION_TOKEN; printenv TEMPORARY_AWS_CREDENTIAL_EXPIRATION";

/// A shell that holds good old values.
fn with_old(sandbox: Sandbox) -> Sandbox {
    NAMES.iter().fold(sandbox, |sandbox, name| sandbox.with(&format!("TEMPORARY_AWS_{name}"), "old"))
}

/// Sources it, then tells the status and the values.
fn publish(shell: Sourcing, sandbox: &Sandbox, words: &str) -> Run {
    let status = shell.pick("$?", "$status");
    shell.run(sandbox, &format!("SOURCE {words}\necho \"status {status}\"\n{SHOW}\n"))
}

/// 1, 2, 3, 4, 7: a failure returns non-zero, says why, prints nothing, and keeps the values that were there.
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
        // 20: no renaming by hand for a container or any other program.
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
        (answer(200, &format!(r"{{{}}}", good.replace(&end, &rfc3339(now() - 60)))), "they ended at"),
    ];
    everywhere(|shell| {
        for (behaviour, why) in &faults {
            let endpoint = Endpoint::start(600);
            endpoint.behave(behaviour.clone());
            fails(shell, Sandbox::in_cloudshell(&endpoint), "", why);
        }
        fails(shell, Sandbox::new(), "", "no source of credentials was found");
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
        fails(shell, sandbox().with("CREDSH_ROLE", "myapp"), "", "not a role's ARN");
        assert_eq!(sts.calls().len(), 1, "{shell:?}: what is no ARN is not asked for");
    });
}

/// Also where the lease in the store would still do: the values that were there are kept.
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
        // dash drops a -q like any argument.
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

/// 11 and 15: to the letter in the environment, in the JSON, and in the lines that are pasted.
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
        // And without credsh it says so, and keeps what there is. CREDSH_EXE names it where PATH does not.
        let lost = shell.pick("PATH=$HOME", "set -x PATH $HOME");
        let run = shell.run(&with_old(sandbox), &format!("{lost}\nSOURCE\necho \"$TEMPORARY_AWS_ACCESS_KEY_ID\"\n"));
        assert_eq!(run.stdout, "old\n", "{shell:?}");
        assert!(run.stderr.contains("credsh: the program credsh was not found"), "{shell:?}: {run:?}");
        let named = Sandbox::in_cloudshell(&endpoint).with("CREDSH_EXE", CREDSH);
        let out = shell.run(&named, &format!("{lost}\nSOURCE\necho \"$TEMPORARY_AWS_ACCESS_KEY_ID\"\n")).ok();
        assert!(out.ends_with("\nASIATEST0001\n"), "{shell:?}: {out}");
    });
}

#[test]
fn failing_16_works_under_the_callers_options() {
    every_sh(|shell| {
        let mut settings = vec!["set -eu", "set -C", "set -f", "IFS=0123456789-=./sh", "set -euCf; IFS=x"];
        if !shell.is("dash") {
            settings.push("set -eu -o pipefail");
        }
        if shell.is("zsh") {
            settings.extend(["setopt sh_word_split ksh_arrays rc_quotes err_return", "emulate sh", "emulate ksh"]);
        }
        for set in settings {
            let endpoint = Endpoint::start(600);
            let sandbox = Sandbox::in_cloudshell(&endpoint);
            let out = shell.run(&sandbox, &format!("{set}\nSOURCE\nprintenv TEMPORARY_AWS_ACCESS_KEY_ID\n")).ok();
            assert!(out.ends_with("\nASIATEST0001\n"), "{shell:?} {set}: {out}");
            // A failure that is looked at ends nothing, one that is not does what set -e says.
            let failed = format!("{set}\nSOURCE || echo \"failed\"\nSOURCE\n");
            let run = shell.run(&Sandbox::new(), &failed);
            assert_eq!((run.stdout.as_str(), run.status != 0), ("failed\n", true), "{shell:?} {set}: {run:?}");
        }
    });
}

#[test]
fn a_trace_shows_no_secret_and_goes_on() {
    everywhere(|shell| {
        for flag in shell.pick(&["-x", "-v", "-xv"][..], &[""]) {
            let endpoint = Endpoint::start(600);
            let on = shell.pick(format!("set {flag}"), "set -g fish_trace 1".into());
            let run = shell.run(&Sandbox::in_cloudshell(&endpoint), &format!("{on}\nSOURCE\ntrue still-traced\n"));
            assert!(run.stdout.contains("test-secret-1"), "{shell:?}: {run:?}");
            assert!(!run.stderr.contains("test-secret") && !run.stderr.contains("test-token"), "{shell:?}: {run:?}");
            assert!(run.stderr.contains("true still-traced"), "{shell:?}: {run:?}");
        }
    });
}

#[test]
fn failing_17_run_instead_of_sourced() {
    for fish in [false, true] {
        let endpoint = Endpoint::start(600);
        let sandbox = Sandbox::in_cloudshell(&endpoint);
        let run = Run::of(sandbox.command(script(fish)).output().unwrap());
        assert!(run.stdout.contains("export AWS_SECRET_ACCESS_KEY='test-secret-1'\n"), "{run:?}");
        assert!(fish || run.stderr.contains("hint: a shell's variables are set by what it sources"), "{run:?}");
        assert!(Run::of(Sandbox::new().command(script(fish)).output().unwrap()).status != 0);
    }
}

#[test]
fn failing_18_nothing_is_left_behind() {
    every_sh(|shell| {
        // What a shell says of itself that changes by itself, and what the script is for.
        const NOISE: &str = "^(_|BASH_.*|LINENO|PIPESTATUS.*|RANDOM|SECONDS|SRANDOM|EPOCH.*|FUNCNAME|PPID|status|pipestatus|'\\?'|argv|ARGC|TTYIDLE|OPTIND|COLUMNS|LINES|KSH_MATCH|TEMPORARY_AWS_.*)=";
        let functions = if shell.is("bash") || shell.is("zsh") || shell.is("mksh") || shell.is("ksh93") {
            "typeset -f"
        } else {
            ":"
        };
        let state = |file: &str| format!("{{ set; set +o; {functions}; trap; echo \"now=$* $-\"; }} >{file}\n");
        for (set, endpoint) in [("", true), ("", false), ("set -x", true), ("set -x", false)] {
            let server = Endpoint::start(600);
            let sandbox = if endpoint { Sandbox::in_cloudshell(&server) } else { Sandbox::new() };
            let text = format!(
                "set -- \"a b\" c\nCREDSH_ROLE=none\nbefore=1 after=1\n{set}\n{0}{0}SOURCE\n{1}grep -Ev \"{NOISE}\" before >b; grep -Ev \"{NOISE}\" after >a; diff b a && echo same\n",
                state("before"),
                state("after")
            );
            let run = shell.run(&sandbox, &text);
            assert!(run.stdout.ends_with("same\n"), "{shell:?} {set} {endpoint}: {run:?}");
            let before = std::fs::read_to_string(sandbox.home().join("b")).unwrap();
            assert!(before.contains("now=a b c") && before.contains("CREDSH_ROLE="), "the control: {before}");
        }
    });
}

#[test]
fn failing_18_in_fish() {
    let endpoint = Endpoint::start(600);
    let text = "set -g argv a b\nbegin; set --names; functions -a; end >before\nSOURCE\nbegin; set --names; functions -a; end >after\necho $argv; diff before after";
    let run = support::sourced::ALL[8].run(&Sandbox::in_cloudshell(&endpoint), text);
    let new: Vec<&str> = run.stdout.lines().filter(|line| line.starts_with(['<', '>'])).collect();
    assert_eq!(new.len(), 4, "{run:?}");
    assert!(new.iter().all(|line| line.starts_with("> TEMPORARY_AWS_")), "{new:?}");
    assert!(run.stdout.contains("\na b\n"), "{run:?}");
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

/// `credsh script` prints the same file, with the way back to the program.
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

in_every_shell! {
    failing_6_a_hooked_shell_goes_on_renewing
    typed_in_a_shell_without_a_hook
}

fn source(shell: Shell, sandbox: &Sandbox) -> &'static str {
    let name = shell.pick("publish_temporary_credentials.sh", "publish_temporary_credentials.fish");
    std::fs::copy(script(shell == Shell::Fish), sandbox.home().join(name)).unwrap();
    shell.pick("source ./publish_temporary_credentials.sh", "source ./publish_temporary_credentials.fish")
}

fn failing_6_a_hooked_shell_goes_on_renewing(shell: Shell) {
    let (endpoint, sts) = (Endpoint::start(600), Sts::start());
    sts.live(12);
    let sandbox = Sandbox::in_cloudshell(&endpoint).with("AWS_ENDPOINT_URL_STS", &sts.url());
    let source = source(shell, &sandbox);
    let mut session = shell.start(&sandbox);
    assert_eq!(session.key(), "ASIATEST0001");
    session.run(&format!("{source} -q {ARN}"));
    assert!(session.prompt().starts_with("[role:deploy "), "{}", session.text());
    assert_eq!(session.key(), "ASIASTS0001");
    session.until("the renewal", |session| session.key() == "ASIASTS0002");
    // And back again.
    session.run(source);
    assert_eq!(session.key(), "ASIATEST0001");
    assert!(session.prompt().starts_with("[cloudshell "), "{}", session.text());
}

fn typed_in_a_shell_without_a_hook(shell: Shell) {
    let (endpoint, sts) = (Endpoint::start(600), Sts::start());
    let sandbox = Sandbox::in_cloudshell(&endpoint).with("AWS_ENDPOINT_URL_STS", &sts.url());
    let source = source(shell, &sandbox);
    let mut session = shell.rc().unhooked().start(&sandbox);
    let seen = session.run(source);
    assert!(seen.contains("export AWS_SECRET_ACCESS_KEY='test-secret-1'"), "{seen}");
    assert_eq!(session.key(), "ASIATEST0001");
    let seen = session.run(&format!("{source} {ARN}"));
    assert!(seen.contains("\"SessionToken\": \"sts-token-1\""), "{seen}");
    assert_eq!(session.key(), "ASIASTS0001");
    assert_eq!(session.var("CREDSH_LEASE"), "", "nothing renews it here");
}
