//! A good guest while it is there: status, options, traces and other hooks are what they would be without the hook. How
//! it comes and goes is in `install.rs`.

mod support;

use std::thread;
use std::time::Duration;

use support::Sandbox;
use support::endpoint::{Behaviour, Endpoint};
use support::pty::Shell;

in_every_shell! {
    status_survives
    status_survives_a_renewal_before_the_command
    prompt_shows_the_status
    options_and_aliases_of_all_kinds
    trace_shows_no_secret
}
in_shells! { prompt_commands_of_all_kinds: bash Bash }
in_shells! { a_signal_within_a_refresh_traces_nothing: bash Bash }
in_shells! { command_substitutions_in_ps0: bash Bash }
in_shells! { last_argument_survives: bash Bash, zsh Zsh }

const KEY: &str = "printenv TEMPORARY_AWS_ACCESS_KEY_ID";

fn pipe_status(shell: Shell) -> &'static str {
    match shell {
        Shell::Bash => "echo \"${PIPESTATUS[@]}\"",
        Shell::Zsh | Shell::Fish => "echo $pipestatus",
    }
}

fn status_survives(shell: Shell) {
    let endpoint = Endpoint::start(600);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    // From the first prompt on, as the first of these commands waits for credentials, and later ones do not.
    let mut session = shell.start(&sandbox);
    for _ in 0..2 {
        session.line("false");
        assert_eq!(session.run(&format!("echo {}", shell.status())), "1");
        session.line("false | true | sh -c 'exit 3'");
        assert_eq!(session.run(pipe_status(shell)), "1 0 3");
        session.line("credsh refresh --force");
        assert_eq!(session.run(&format!("echo {}", shell.status())), "0");
        session.line("credsh refresh --profile nobody");
        assert_ne!(session.run(&format!("echo {}", shell.status())), "0");
    }
    assert!(endpoint.count() > 1, "the control: there were renewals");
}

fn status_survives_a_renewal_before_the_command(shell: Shell) {
    let endpoint = Endpoint::start(4);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    let mut session = shell.start(&sandbox);
    session.run(KEY);
    for (command, question, answer) in [
        ("sh -c 'exit 7'", format!("echo {}", shell.status()), "7"),
        ("false | true | sh -c 'exit 3'", pipe_status(shell).into(), "1 0 3"),
    ] {
        session.line(command);
        let before = endpoint.key();
        thread::sleep(Duration::from_secs(5));
        let seen = session.run(&format!("{question}; {KEY}"));
        let (status, key) = seen.split_once('\n').unwrap();
        assert_eq!(status, answer);
        assert_ne!(key, before, "the control: that command waited for a renewal");
    }
}

fn last_argument_survives(shell: Shell) {
    let endpoint = Endpoint::start(4);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    let mut session = shell.start(&sandbox);
    session.run(KEY);
    for pause in [0, 5] {
        session.line("true one two");
        thread::sleep(Duration::from_secs(pause));
        assert_eq!(session.run("echo $_"), "two", "after {pause} s");
    }
}

fn prompt_shows_the_status(shell: Shell) {
    let endpoint = Endpoint::start(4);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    let rc = match shell {
        Shell::Bash => "PS1='<$?>$ '",
        Shell::Zsh => "PROMPT='<%?>$ '",
        Shell::Fish => "function fish_prompt\n    echo -n \"<$status $pipestatus>\\$ \"\nend",
    };
    let expected = shell.pick("<1>$ ", "<1 1>$ ");
    for side in ["left", "right"] {
        let mut session = shell.rc().before(rc).init(&format!("--prompt {side}")).start(&sandbox);
        // At prompts that find the lease fresh, and at prompts that find it due.
        for _ in 0..8 {
            session.line("false");
            assert!(session.prompt().ends_with(expected), "{side}: {}", session.prompt());
            thread::sleep(Duration::from_millis(400));
        }
    }
}

/// What a user may set, before the hook or after it.
fn settings(shell: Shell) -> Vec<&'static str> {
    match shell {
        Shell::Bash => vec![
            "set -u",
            "set -e",
            "set -C",
            "set -f",
            "set -eu -o pipefail",
            "IFS=0123456789a",
            "shopt -s nullglob failglob extglob",
            "alias local=false export=false printf=false unset=false builtin=false",
            "set -o posix",
            "readonly PROMPT_COMMAND='true'",
        ],
        Shell::Zsh => vec![
            "setopt nounset",
            "setopt err_exit",
            "setopt noclobber",
            "setopt noglob",
            "setopt err_return nounset pipefail",
            "IFS=0123456789a",
            "setopt ksh_arrays sh_word_split",
            "setopt nullglob null_glob glob_subst warn_create_global",
            "alias local=false export=false printf=false unset=false builtin=false print=false",
            "alias -g '>=x'; setopt no_prompt_subst no_prompt_percent prompt_percent",
        ],
        // None of these is a builtin that fish itself needs: without printf at its start, fish 4 reads no keys.
        // tests/shadows.rs replaces those after it.
        Shell::Fish => vec!["set -gx IFS 0", "alias export false; alias local false"],
    }
}

fn options_and_aliases_of_all_kinds(shell: Shell) {
    thread::scope(|scope| {
        for setting in settings(shell) {
            for after in [false, true] {
                scope.spawn(move || {
                    let endpoint = Endpoint::start(6);
                    let sandbox = Sandbox::in_cloudshell(&endpoint).with("CREDSH_WAIT", "20");
                    let rc = if after { shell.rc().after(setting) } else { shell.rc().before(setting) };
                    let mut session = rc.start(&sandbox);
                    let first = session.run(KEY);
                    assert_eq!(first, "ASIATEST0001", "{setting}, after: {after}");
                    // Into the renewal window: first a background renewal, which is adopted, and then one that is asked for.
                    thread::sleep(Duration::from_secs(3));
                    session.until("the adoption", |session| {
                        session.enter();
                        session.run(KEY) == "ASIATEST0002"
                    });
                    session.run("credsh refresh --force");
                    // Only prompts, and what was asked for.
                    for row in session.text().lines() {
                        let known = [
                            "$ ",
                            "[cloudshell",
                            "ASIATEST",
                            "END",
                            "credsh: renewed",
                            "credsh: the source has no newer",
                        ]
                        .iter()
                        .any(|start| row.starts_with(start));
                        assert!(known || row.trim_end() == "$", "{setting}, after: {after}: {row}\n{}", session.text());
                    }
                });
            }
        }
    });
}

fn prompt_commands_of_all_kinds(shell: Shell) {
    // Each of them counts prompts, and those that look at a status must find it.
    let kinds = [
        "PROMPT_COMMAND='count=$((count+1))'",
        "PROMPT_COMMAND='count=$((count+1));'",
        "PROMPT_COMMAND='count=$((count+1)); '",
        "PROMPT_COMMAND=$'count=$((count+1))\\n'",
        "PROMPT_COMMAND=$'count=$((count+1));\\n # and no more'",
        "PROMPT_COMMAND=('count=$((count+1))' 'last=$?')",
        "unset PROMPT_COMMAND; count=9",
        "count() { count=$((count+1)); }; PROMPT_COMMAND=count",
        "PROMPT_COMMAND='seen=\"${PIPESTATUS[*]}\"; count=$((count+1))'",
        "count=0; PROMPT_COMMAND=\"${PROMPT_COMMAND:+$PROMPT_COMMAND;}count=\\$((count+1))\"",
    ];
    thread::scope(|scope| {
        for kind in kinds {
            for after in [false, true] {
                scope.spawn(move || {
                    let endpoint = Endpoint::start(599);
                    let sandbox = Sandbox::in_cloudshell(&endpoint).with("CREDSH_WAIT", "20");
                    let rc = if after { shell.rc().after(kind) } else { shell.rc().before(kind) };
                    let mut session = rc.start(&sandbox);
                    assert_eq!(session.run(KEY), "ASIATEST0001", "{kind}, after: {after}");
                    session.enter();
                    // If the user unsets it after the hook, that stands. The check before a command still works.
                    if !(after && kind.starts_with("unset")) {
                        assert_eq!(session.prompt(), "[cloudshell 9m] $ ", "{kind}, after: {after}");
                    }
                    assert_ne!(session.run("echo ${count:-none}"), "none", "{kind}, after: {after}");
                    if kind.contains("seen") {
                        session.line("false | true | sh -c 'exit 3'");
                        assert_eq!(session.run("echo $seen"), "1 0 3", "{kind}, after: {after}");
                    }
                    assert!(!session.text().contains("bash:"), "{kind}, after: {after}: {}", session.text());
                });
            }
        }
    });
}

fn trace_shows_no_secret(shell: Shell) {
    let traces = match shell {
        Shell::Bash | Shell::Zsh => ["set -x", "set -v"],
        Shell::Fish => ["set -g fish_trace 1", "set -g fish_trace all"],
    };
    thread::scope(|scope| {
        for trace in traces {
            scope.spawn(move || {
                let endpoint = Endpoint::start(6);
                let sandbox = Sandbox::in_cloudshell(&endpoint);
                // Tall, as the trace of evaluating the hook is hundreds of lines long.
                let mut session = shell.rc().before(trace).size(6000, 200).start(&sandbox);
                session.run("credsh refresh --force");
                thread::sleep(Duration::from_secs(2));
                // Through prompts that are fresh, due and adopting, until there has been a background renewal.
                session.until("a renewal", |session| {
                    session.enter();
                    endpoint.key() > "ASIATEST0002".into()
                });
                session.enter();
                thread::sleep(Duration::from_secs(7));
                session.run("echo waited");
                // A nested shell inherits the lease, with its start-up traced.
                session.line(shell.name());
                assert!(session.prompt().starts_with("[cloudshell "), "{}", session.prompt());
                session.run("credsh clear");
                let raw = session.raw();
                assert!(
                    trace == "set -v" || raw.contains(shell.pick("+ ", "-> ")) && raw.contains("echo waited"),
                    "the control: it was traced"
                );
                for secret in ["test-secret", "test-token"] {
                    assert!(
                        !raw.contains(secret),
                        "{trace}: {}",
                        raw.lines().find(|line| line.contains(secret)).unwrap()
                    );
                }
            });
        }
    });
}

/// In bash 5.2 a trap gets in the way of a command substitution: see `__credsh_gate_last`.
fn command_substitutions_in_ps0(shell: Shell) {
    thread::scope(|scope| {
        for (before, after) in [("PS0='$(echo mine) '", ""), ("", "PS0+='$(echo mine) '"), ("", "PS0='$(echo mine) '")]
        {
            scope.spawn(move || {
                let endpoint = Endpoint::start(4);
                let sandbox = Sandbox::in_cloudshell(&endpoint);
                let mut session = shell.rc().before(before).after(after).start(&sandbox);
                let first = session.run(KEY);
                thread::sleep(Duration::from_secs(5));
                let next = session.run(KEY);
                assert_eq!(next, format!("mine {}", endpoint.key()), "{before}{after}");
                assert_ne!(next, first, "{before}{after}");
            });
        }
    });
}

/// The signal that makes bash check before a command arrives while `credsh refresh` has turned the trace off: the check
/// must not turn it on again.
fn a_signal_within_a_refresh_traces_nothing(shell: Shell) {
    let endpoint = Endpoint::start(8);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    let mut session = shell.rc().before("set -x").size(6000, 200).start(&sandbox);
    let pid: i32 = session.run("echo $$").lines().find_map(|line| line.parse().ok()).unwrap();
    session.key();
    // Into the renewal window, but without a prompt, which would renew.
    thread::sleep(Duration::from_secs(5));
    let asked = endpoint.count();
    endpoint.behave(Behaviour::Slow(Duration::from_secs(2)));
    let row = session.row();
    session.type_line("credsh refresh --force");
    // The first request is the background renewal's, for which the refresh waits.
    session.until("its own request", |_| endpoint.count() > asked + 1);
    let shell = rustix::process::Pid::from_raw(pid).unwrap();
    rustix::process::kill_process(shell, rustix::process::Signal::URG).unwrap();
    session.wait_for("the prompt", |session| session.row() > row && session.at_prompt());
    assert!(session.run("echo traced").contains("+ echo traced"), "the control: {}", session.text());
    let raw = session.raw();
    assert!(!raw.contains("test-secret") && !raw.contains("test-token"), "{raw}");
}
