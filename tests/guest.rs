//! A good guest: the shell's status, options, hooks and functions are what they would be without the hook.

mod support;

use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

use support::Sandbox;
use support::endpoint::Endpoint;
use support::pty::{Session, Shell};

in_every_shell! {
    status_survives
    status_survives_a_renewal_before_the_command
    prompt_shows_the_status
    options_and_aliases_of_all_kinds
    trace_shows_no_secret
    not_interactive_does_and_prints_nothing
    evaluated_twice_installs_once
    off_leaves_the_shell_as_it_was
}
in_shells! { prompt_commands_of_all_kinds: bash Bash }
in_shells! { last_argument_survives: bash Bash, zsh Zsh }

const KEY: &str = "printenv TEMPORARY_AWS_ACCESS_KEY_ID";

fn pipe_status(shell: Shell) -> &'static str {
    match shell {
        Shell::Bash => "echo \"${PIPESTATUS[@]}\"",
        Shell::Zsh | Shell::Fish => "echo $pipestatus",
    }
}

/// Types a line and waits for the prompt after it.
fn line(session: &mut Session, text: &str) {
    let row = session.row();
    session.type_line(text);
    session.wait_for("the prompt", |session| session.row() > row && session.at_prompt());
}

fn status_survives(shell: Shell) {
    let endpoint = Endpoint::start(600);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    // From the first prompt on: the first of these commands waits for credentials, later ones do not.
    let mut session = shell.start(&sandbox);
    for _ in 0..2 {
        line(&mut session, "false");
        assert_eq!(session.run(&format!("echo {}", shell.status())), "1");
        line(&mut session, "false | true | sh -c 'exit 3'");
        assert_eq!(session.run(pipe_status(shell)), "1 0 3");
        line(&mut session, "credsh refresh --force");
        assert_eq!(session.run(&format!("echo {}", shell.status())), "0");
        line(&mut session, "credsh refresh --profile nobody");
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
        line(&mut session, command);
        let (asked, row) = (endpoint.count(), session.row());
        thread::sleep(Duration::from_secs(5));
        assert_eq!(session.run(&question), answer);
        assert!(endpoint.count() > asked, "the control: that command waited for a renewal; {row}");
    }
}

fn last_argument_survives(shell: Shell) {
    let endpoint = Endpoint::start(4);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    let mut session = shell.start(&sandbox);
    session.run(KEY);
    for pause in [0, 5] {
        line(&mut session, "true one two");
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
        // Through fresh and due prompts alike.
        for _ in 0..8 {
            line(&mut session, "false");
            assert!(session.prompt().ends_with(expected), "{side}: {}", session.prompt());
            thread::sleep(Duration::from_millis(400));
        }
    }
}

/// What a shell may be set to, before the hook and after it.
fn settings(shell: Shell) -> Vec<&'static str> {
    match shell {
        Shell::Bash => vec![
            "set -u",
            "set -e",
            "set -C",
            "set -f",
            "set -eu -o pipefail",
            "IFS=0:a",
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
            "IFS=0:a",
            "setopt ksh_arrays sh_word_split",
            "setopt nullglob null_glob glob_subst warn_create_global",
            "alias local=false export=false printf=false unset=false builtin=false print=false",
            "alias -g '>=x'; setopt no_prompt_subst no_prompt_percent prompt_percent",
        ],
        // fish's own `alias` uses printf, so that comes last.
        Shell::Fish => vec!["set -gx IFS 0", "alias export false; alias local false; alias printf false"],
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
                    // Into the window: a renewal in the background, adopted, then one that is asked for.
                    thread::sleep(Duration::from_secs(3));
                    session.until("the adoption", |session| {
                        session.enter();
                        session.run(KEY) == "ASIATEST0002"
                    });
                    session.run("credsh refresh --force");
                    // Nothing but the prompts and what was asked for.
                    for row in session.text().lines() {
                        let known = ["$ ", "[cloudshell", "ASIATEST", "END", "credsh: renewed"]
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
    // Each counts its prompts, and one that is told the status keeps it.
    let kinds = [
        "PROMPT_COMMAND='count=$((count+1))'",
        "PROMPT_COMMAND='count=$((count+1));'",
        "PROMPT_COMMAND='count=$((count+1)); '",
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
                    // An outright `unset` after us is the user's last word; the command's gate still works.
                    if !(after && kind.starts_with("unset")) {
                        assert_eq!(session.prompt(), "[cloudshell 9m] $ ", "{kind}, after: {after}");
                    }
                    assert_ne!(session.run("echo ${count:-none}"), "none", "{kind}, after: {after}");
                    if kind.contains("seen") {
                        line(&mut session, "false | true | sh -c 'exit 3'");
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
    for trace in traces {
        let endpoint = Endpoint::start(6);
        let sandbox = Sandbox::in_cloudshell(&endpoint);
        // The trace of the evaluation alone is hundreds of lines.
        let mut session = shell.rc().before(trace).size(1500, 200).start(&sandbox);
        session.run("credsh refresh --force");
        thread::sleep(Duration::from_secs(2));
        // Through fresh, due and adopting prompts, until there has been a renewal in the background.
        session.until("a renewal", |session| {
            session.enter();
            endpoint.key() > "ASIATEST0002".into()
        });
        session.enter();
        thread::sleep(Duration::from_secs(7));
        session.run("echo waited");
        // A nested shell takes the lease over while its start-up is traced.
        line(&mut session, shell.name());
        assert!(session.prompt().starts_with("[cloudshell "), "{}", session.prompt());
        session.run("credsh clear");
        let raw = session.raw();
        assert!(
            trace == "set -v" || raw.contains(shell.pick("+ ", "-> ")) && raw.contains("echo waited"),
            "the control: it was traced"
        );
        for secret in ["test-secret", "test-token"] {
            assert!(!raw.contains(secret), "{trace}: {}", raw.lines().find(|line| line.contains(secret)).unwrap());
        }
    }
}

fn not_interactive_does_and_prints_nothing(shell: Shell) {
    let endpoint = Endpoint::start(600);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    let list = shell.pick("typeset -f; env", "functions -a; env");
    let hook = shell.init("");
    let run = |script: &str| support::Run::of(sandbox.command(shell.name()).args(["-c", script]).output().unwrap());
    let with = run(&format!("{hook}; echo status {}; {list}", shell.status()));
    assert_eq!(with.stderr, "");
    let out = with.ok();
    assert!(out.starts_with("status 0\n"), "{out}");
    let installed = |out: &str| out.contains("__credsh_") || out.contains("CREDSH_");
    assert!(!installed(&out), "{out}");
    assert_eq!(endpoint.count(), 0);
    let control = support::Run::of(
        sandbox.command(shell.name()).args(["-i", "-c", &format!("{hook}; {list}")]).output().unwrap(),
    );
    assert!(installed(&control.stdout), "the control: {control:?}");
}

fn evaluated_twice_installs_once(shell: Shell) {
    let endpoint = Endpoint::start(599);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    let hooks = match shell {
        Shell::Bash => "echo \"${PROMPT_COMMAND[@]}\" \"$PS0\"",
        Shell::Zsh => "echo $precmd_functions $preexec_functions",
        Shell::Fish => "functions -a | string match '__credsh_on_*'",
    };
    let mut once = shell.start(&sandbox);
    let (key, expected) = (once.key(), once.run(hooks));
    assert!(expected.contains("credsh"), "the control: {expected}");
    let mut session = shell.rc().after(&shell.init("")).start(&sandbox);
    assert_eq!(session.key(), key);
    // And once more by hand, as after an edit of the start-up file.
    assert_eq!(session.run(&shell.init("")), "");
    session.enter();
    assert_eq!(session.prompt(), "[cloudshell 9m] $ ");
    assert_eq!(session.run(hooks), expected);
    assert_eq!(endpoint.count(), 1);
}

fn off_leaves_the_shell_as_it_was(shell: Shell) {
    let before: &[&str] = match shell {
        Shell::Bash => &[
            "",
            "PROMPT_COMMAND='true;'",
            "PROMPT_COMMAND=(true 'true 2')\nPS0='${nothing}'\ntrap 'echo bye' INT",
            "declare -x PROMPT_COMMAND=true",
        ],
        Shell::Zsh => &[
            "",
            "precmd() { true }\nprecmd_functions=(precmd)\npsvar=(one two)",
            "RPROMPT='right'\nsetopt prompt_subst\ntrap 'echo bye' INT",
        ],
        Shell::Fish => &[
            "",
            "function fish_right_prompt\n    echo right\nend\nfunction mine --on-event fish_prompt\n    true\nend",
        ],
    };
    for (rc, side) in before.iter().flat_map(|rc| [(rc, "left"), (rc, "right")]) {
        let endpoint = Endpoint::start(600);
        let sandbox = Sandbox::in_cloudshell(&endpoint);
        sandbox.file("state", state(shell));
        let source = "source ~/state";
        let mut session = shell.rc().before(rc).unhooked().start(&sandbox);
        // Twice, so that what the first run itself leaves is in both.
        for file in ["warm", "before"] {
            session.run(&format!("{source} >~/{file} 2>&1"));
        }
        session.run(&shell.init(&format!("--prompt {side}")));
        session.run(KEY);
        session.enter();
        session.run(&format!("{source} >~/during 2>&1"));
        assert_eq!(session.run("credsh_off"), "");
        session.run(&format!("{source} >~/after 2>&1"));
        let read = |file: &str| snapshot(&std::fs::read_to_string(sandbox.home().join(file)).unwrap());
        let (before, during, after) = (read("before"), read("during"), read("after"));
        assert!(before.len() > 20, "the control: there is a state");
        assert!(during.iter().any(|(entry, _)| entry.contains("credsh")), "the control: the hook shows in it");
        let changed = difference(&before, &after);
        assert!(changed.is_empty(), "{rc}, {side}: {changed:#?}");
    }
}

/// Prints everything that a hook could leave behind.
fn state(shell: Shell) -> &'static str {
    match shell {
        Shell::Bash => "declare -p\ndeclare -f\ntrap\nshopt\nset -o\nalias\ncomplete\n",
        Shell::Zsh => {
            "typeset -p\ntypeset -f\ntrap\nsetopt\nalias\nprint -rl -- $zsh_eval_context ${(o)sysparams}\nzle -l\n"
        }
        Shell::Fish => {
            "set -g\nset -U\nset -x\nfor name in (functions -a)\n    functions $name\nend\nfunctions --handlers\nbind\ncomplete | string match '*credsh*'\n"
        }
    }
}

/// Lines with how often each is there, without what changes by itself.
fn snapshot(text: &str) -> BTreeMap<String, usize> {
    let mut own = vec![
        "_=",
        "BASH_ARGC",
        "BASH_ARGV",
        "BASH_LINENO",
        "BASH_SOURCE",
        "EPOCH",
        "FUNCNAME",
        "LINENO",
        "RANDOM",
        "SECONDS",
        "SRANDOM",
        "BASH_COMMAND",
        "HISTCMD",
        "BASH_MONOSECONDS",
        "PIPESTATUS",
        "pipestatus",
        "TTYIDLE",
        "history",
        "historywords",
        "jobstates",
        "COLUMNS",
        "LINES",
        "zle_bracketed",
        "status",
        "status_generation",
        "CMD_DURATION",
        "CMD_DURATION_MS",
        "_ ",
        "argv",
        "__fish_last_bind_mode",
        "modules",
        "zsh_eval_context",
        "funcfiletrace",
        "funcsourcetrace",
        "functrace",
        "funcstack",
        "builtins",
        "parameters",
        "commands",
        "dis_builtins",
        "keymaps",
        "widgets",
        "functions_source",
        "HISTFILE",
        "OLDPWD",
    ];
    // zsh: a module that others may use by now, and a prompt that is set and empty instead of unset.
    own.extend(["epochtime", "RPROMPT=''", "RPS1=''"]);
    let changes = |line: &str| {
        let name =
            line.split_whitespace().find(|word| !matches!(*word, "declare" | "typeset") && !word.starts_with('-'));
        name.is_some_and(|name| {
            own.iter().any(|own| name == own.trim_end() || name.starts_with(&format!("{}=", own.trim_end_matches('='))))
                || name.starts_with("EPOCH")
                || name.starts_with("BASH_")
        })
    };
    let mut lines = BTreeMap::new();
    // Of a function that was renamed and named back fish no longer knows the file.
    for line in text.lines().filter(|line| !changes(line) && !line.starts_with("# Defined ")) {
        *lines.entry(line.to_owned()).or_default() += 1;
    }
    lines
}

fn difference(before: &BTreeMap<String, usize>, after: &BTreeMap<String, usize>) -> Vec<String> {
    let gone =
        before.iter().filter(|(line, count)| after.get(*line) != Some(count)).map(|(line, _)| format!("- {line}"));
    let come =
        after.iter().filter(|(line, count)| before.get(*line) != Some(count)).map(|(line, _)| format!("+ {line}"));
    gone.chain(come).collect()
}
