//! The source-able scripts as guests: they work under the caller's options, leave nothing behind, show nothing in a
//! trace, and hand their lease to the hook if there is one.

mod support;

use support::endpoint::Endpoint;
use support::pty::Shell;
use support::sourced::{every_sh, everywhere, script};
use support::sts::Sts;
use support::{Run, Sandbox};

const ARN: &str = "arn:aws:iam::123456789012:role/deploy";

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
            // A failure that is checked ends nothing; one that is not checked does what `set -e` says.
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

/// What was fetched may still fail to be published: there may be no room for the output, or a variable may be readonly.
/// bash --posix, dash, busybox, yash and others exit if a variable cannot be set, so that case runs in a subshell.
#[test]
fn what_cannot_be_published_is_a_failure_with_a_trace_too() {
    every_sh(|shell| {
        for set in ["", "set -x", "set -v", "set -ex"] {
            let endpoint = Endpoint::start(600);
            let sandbox = Sandbox::in_cloudshell(&endpoint);
            for text in [
                "SOURCE >/dev/full || echo failed; case $- in (*[vx]*) echo \"traced ${__credsh_was-}\" ;; esac",
                "readonly TEMPORARY_AWS_SECRET_ACCESS_KEY=x\n( SOURCE ) || echo failed",
            ] {
                let run = shell.run(&sandbox, &format!("{set}\n{text}\necho end\n"));
                let traced = if set.is_empty() || text.starts_with('r') { "" } else { "traced \n" };
                assert_eq!(run.stdout, format!("failed\n{traced}end\n"), "{shell:?} {set}: {run:?}");
                assert!(!run.stderr.contains("test-secret"), "{shell:?} {set}: {run:?}");
            }
            let run = shell.run(&sandbox, &format!("{set}\nSOURCE >/dev/full\n"));
            assert!(run.status != 0, "{shell:?} {set}: {run:?}");
        }
    });
}

#[test]
fn failing_18_nothing_is_left_behind() {
    every_sh(|shell| {
        // What a shell reports of itself and changes by itself, and what the script is there to set.
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

in_every_shell! {
    failing_6_a_hooked_shell_goes_on_renewing
    typed_in_a_shell_without_a_hook
    a_hook_with_the_standard_names_is_no_way_to_another_profile
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

/// AWS_PROFILE, which the lease has set aside, still counts; without it the script would take the default profile.
fn a_hook_with_the_standard_names_is_no_way_to_another_profile(shell: Shell) {
    let sandbox = Sandbox::new().with("AWS_PROFILE", "dev");
    let keys = |name: &str| {
        let keys = format!(
            r#"{{"Version":1,"AccessKeyId":"ASIA{name}","SecretAccessKey":"s","SessionToken":"t","Expiration":"2126-01-01T00:00:00Z"}}"#
        );
        format!("credential_process = cat {}\n", sandbox.file(name, &keys).display())
    };
    let config = format!("[default]\n{}[profile dev]\n{}", keys("DEFAULT"), keys("DEV"));
    sandbox.file(".aws/config", &config);
    let source = source(shell, &sandbox);
    let mut session = shell.rc().init("--prefix ''").start(&sandbox);
    for _ in 0..2 {
        session.run(&format!("{source} -q"));
        assert_eq!(session.var("TEMPORARY_AWS_ACCESS_KEY_ID"), "ASIADEV", "{}", session.text());
        assert_eq!(session.var("AWS_ACCESS_KEY_ID"), "ASIADEV", "{}", session.text());
        assert_eq!(session.var("CREDSH_SOURCE"), "profile:dev", "{}", session.text());
    }
}

/// A shell reads its script from a pipe while it runs, so nothing else may read from that pipe.
#[test]
fn a_caller_that_comes_through_a_pipe_loses_no_line() {
    every_sh(|shell| {
        let endpoint = Endpoint::start(600);
        let sandbox = Sandbox::in_cloudshell(&endpoint).with("CREDSH_ROLE", "none");
        std::fs::copy(script(false), sandbox.home().join("publish_temporary_credentials.sh")).unwrap();
        let count = "n=$((n+1))\n".repeat(1500);
        sandbox.file("caller", &format!("n=0\n. ./publish_temporary_credentials.sh >/dev/null\n{count}echo $n\n"));
        let line = format!("cat caller | {} /dev/stdin", shell.0.join(" "));
        let out = Run::of(sandbox.command("sh").args(["-c", &line]).output().unwrap()).ok();
        assert_eq!(out, "1500\n", "{shell:?}");
    });
}

/// The script's own variables are in a subshell, but start out with the attributes that the caller gave to their names.
#[test]
fn the_callers_names_are_the_callers() {
    const NAMES: [&str; 24] = [
        "self", "code", "exe", "flags", "word", "line", "given", "hook", "print", "last", "kept", "ends", "blank",
        "file", "before", "after", "rest", "role", "quiet", "name", "value", "shell", "text", "more",
    ];
    every_sh(|shell| {
        let mut settings = vec![format!("readonly {}=x", NAMES.join("=x ")), "readonly IFS".into()];
        if shell.is("bash") || shell.is("zsh") || shell.is("ksh93") || shell.is("mksh") {
            settings.push(format!("typeset -i {}", NAMES.join(" ")));
            settings.push(format!("typeset -u {}", NAMES.join(" ")));
        }
        for set in settings {
            let endpoint = Endpoint::start(600);
            let sandbox = Sandbox::in_cloudshell(&endpoint);
            let out = shell.run(&sandbox, &format!("{set}\nSOURCE\nprintenv TEMPORARY_AWS_ACCESS_KEY_ID\n")).ok();
            assert!(out.ends_with("\nASIATEST0001\n"), "{shell:?} {set}: {out}");
            let run = shell.run(&Sandbox::new(), &format!("{set}\nSOURCE\necho \"status $?\"\n"));
            assert_eq!(run.stdout, "status 3\n", "{shell:?} {set}: {run:?}");
        }
    });
}

/// Aliases are expanded while a file is read, wherever a command or a function's name may be.
#[test]
fn an_alias_of_the_callers_is_not_in_the_way() {
    every_sh(|shell| {
        let endpoint = Endpoint::start(600);
        let sandbox = Sandbox::in_cloudshell(&endpoint);
        let text = "alias look='less -R' asked=x word=x\nSOURCE >/dev/null\necho $TEMPORARY_AWS_ACCESS_KEY_ID\n";
        assert_eq!(shell.run(&sandbox, text).ok(), "ASIATEST0001\n", "{shell:?}");
    });
}
