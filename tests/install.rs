//! Coming and going: the hook installs itself once, in interactive shells only, and leaves without a trace.

mod support;

use std::collections::BTreeMap;

use support::endpoint::Endpoint;
use support::pty::{Session, Shell};
use support::{Run, Sandbox};

in_shells! { an_older_fish_is_told_so: fish Fish }
in_shells! { the_others_hook_is_told_so: bash Bash, zsh Zsh }
in_every_shell! {
    what_the_script_to_source_brings_is_adopted_by_a_shell_without_a_lease
    a_function_of_the_users_round_ours_stays
    not_interactive_does_and_prints_nothing
    evaluated_twice_installs_once
    evaluated_again_with_another_side
    evaluated_again_with_another_prefix
    evaluated_again_after_the_hooks_were_emptied
    init_says_nothing_of_a_lease_that_cannot_be_renewed
    an_inherited_lease_that_is_gone_is_let_go_of
    another_version_of_it_is_replaced
    off_leaves_the_shell_as_it_was
}

/// Instead of three errors of fish's own at every start.
fn an_older_fish_is_told_so(shell: Shell) {
    let endpoint = Endpoint::start(600);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    for (version, old) in
        [("3.1.2", true), ("3.5.1", true), ("2.7.1", true), ("3.6.0", false), ("3.10", false), ("4.9.3", false)]
    {
        // fish does not let its `version` be changed, so the script is.
        let line = format!("credsh init fish | string replace -a '$version' {version} | source");
        let mut session = shell.rc().unhooked().start(&sandbox);
        let told = if old {
            format!("credsh: not set up: the hook needs fish 3.6 or later, and this is {version}")
        } else {
            String::new()
        };
        assert_eq!(session.run(&line), told);
        assert_eq!(session.run("functions -a | grep -c credsh") == "0", old, "{version}");
    }
}

/// If the start-up file has the other shell's line by mistake, the message says which it should be. There are no errors
/// of the shell's own, and nothing is said in a shell that is not interactive.
fn the_others_hook_is_told_so(shell: Shell) {
    let endpoint = Endpoint::start(600);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    let (mine, other) = if shell == Shell::Bash { ("bash", "zsh") } else { ("zsh", "bash") };
    let line = format!("eval \"$(credsh init {other})\"");
    let mut session = shell.rc().unhooked().start(&sandbox);
    assert_eq!(
        session.run(&line),
        format!("credsh: not set up: this hook is for {other}; for {mine}, use `eval \"$(credsh init {mine})\"`")
    );
    assert_eq!(session.run("typeset -f credsh_off"), "");
    let run = Run::of(sandbox.command(mine).args(["-c", &line]).output().unwrap());
    assert_eq!((run.status, run.stdout.as_str(), run.stderr.as_str()), (0, "", ""));
}

/// Most of its hook is still an unevaluated string, as nothing has needed it yet.
fn what_the_script_to_source_brings_is_adopted_by_a_shell_without_a_lease(shell: Shell) {
    let endpoint = Endpoint::start(599);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    let text = sandbox.credsh(&["script", shell.pick("sh", "fish")]).ok();
    sandbox.file("publish", &text);
    let mut session = shell.rc().init("--no-auto").start(&sandbox);
    assert_eq!(session.key(), "");
    session.run("source ~/publish -q");
    assert_eq!(session.key(), "ASIATEST0001");
    assert_eq!(session.var("CREDSH_SOURCE"), "cloudshell", "{}", session.text());
    session.enter();
    assert_eq!(session.prompt(), "[cloudshell 9m] $ ");
}

fn a_function_of_the_users_round_ours_stays(shell: Shell) {
    let endpoint = Endpoint::start(599);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    let wrapper = match shell {
        Shell::Bash => {
            "eval \"$(declare -f credsh | sed '1s/credsh/theirs/')\"\nfunction credsh { echo mine; theirs \"$@\"; }"
        }
        Shell::Zsh => "functions[theirs]=$functions[credsh]\nfunction credsh { echo mine; theirs \"$@\"; }",
        Shell::Fish => "functions -c credsh theirs\nfunction credsh; echo mine; theirs $argv; end",
    };
    let mut session = shell.rc().init("--no-auto").after(wrapper).start(&sandbox);
    for command in ["credsh --version", "credsh refresh", "credsh --version"] {
        assert!(session.run(command).starts_with("mine"), "{command}: {}", session.text());
    }
    assert_eq!(session.key(), "ASIATEST0001");
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
    let report = session.run("credsh doctor | grep -o 'hook: .*'");
    assert_eq!(report, format!("hook: {} prompt preexec", shell.name()));
    session.run("credsh_off");
    assert!(!session.run(hooks).contains("credsh"), "{}", session.text());
}

/// As a user does to see which looks better.
fn evaluated_again_with_another_side(shell: Shell) {
    let endpoint = Endpoint::start(599);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    let mut session = shell.rc().init("--prompt off").size(50, 200).start(&sandbox);
    assert_eq!(session.key(), "ASIATEST0001");
    session.run(&shell.init("--prompt left"));
    session.enter();
    assert_eq!(session.prompt(), "[cloudshell 9m] $ ");
    session.run(match shell {
        Shell::Bash => "PS1='new$ '",
        Shell::Zsh => "PROMPT='new$ '",
        Shell::Fish => "function fish_prompt; echo -n 'new$ '; end",
    });
    // fish does not notice that its prompt function was replaced before the new one has run.
    session.enter();
    assert_eq!(session.prompt(), "[cloudshell 9m] new$ ");
    // The indicator is in one place at a time.
    session.run(&shell.init("--prompt right"));
    session.enter();
    session.wait_for("the right prompt", |session| session.rows()[session.row()].contains("[cloudshell 9m]"));
    assert_eq!(session.prompt(), "new$ ");
    session.run(&shell.init("--prompt off"));
    session.enter();
    assert_eq!(session.rows()[session.row()].trim_end(), "new$");
    session.run("credsh_off");
    session.enter();
    assert_eq!(session.prompt(), "new$ ");
}

/// What was exported under the other names is removed.
fn evaluated_again_with_another_prefix(shell: Shell) {
    let endpoint = Endpoint::start(599);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    let mut session = shell.start(&sandbox);
    let lease = session.var("CREDSH_LEASE");
    assert_eq!(session.key(), "ASIATEST0001");
    session.run(&shell.init("--prefix MY_"));
    session.enter();
    assert_eq!(session.run("env | grep -c ^TEMPORARY_"), "0");
    assert_eq!((session.var("MY_AWS_ACCESS_KEY_ID"), session.var("CREDSH_LEASE")), ("ASIATEST0001".into(), lease));
    assert_eq!(session.prompt(), "[cloudshell 9m] $ ");
    session.run("credsh_off");
    assert_eq!(session.run("env | grep -c AWS_SECRET"), "0");
    assert_eq!(endpoint.count(), 1);
}

/// As when a start-up file that sets them is read again.
fn evaluated_again_after_the_hooks_were_emptied(shell: Shell) {
    let endpoint = Endpoint::start(599);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    let mut session = shell.start(&sandbox);
    assert_eq!(session.key(), "ASIATEST0001");
    session.run(match shell {
        Shell::Bash => "unset PROMPT_COMMAND PS0; PROMPT_COMMAND=true",
        Shell::Zsh => "precmd_functions=() preexec_functions=()",
        Shell::Fish => "functions -e __credsh_on_prompt __credsh_on_preexec",
    });
    let report = "credsh doctor | grep -o 'hook: .*'";
    let all = format!("hook: {} prompt preexec", shell.name());
    assert_ne!(session.run(report), all, "the control");
    session.run(&shell.init(""));
    session.enter();
    assert_eq!(session.run(report), all);
    assert_eq!(session.prompt(), "[cloudshell 9m] $ ");
}

/// While it is evaluated an instant prompt may be on the screen, so this is said at the first real prompt.
fn init_says_nothing_of_a_lease_that_cannot_be_renewed(shell: Shell) {
    let endpoint = Endpoint::start(20);
    let mut sandbox = Sandbox::in_cloudshell(&endpoint);
    sandbox.credsh(&["refresh"]).ok();
    endpoint.answer(403, "no");
    sandbox.set("CREDSH_LEASE", &sandbox.ids().remove(0));
    sandbox.credsh(&["refresh", "--force"]).fails(4, &["403"]);
    let evaluated = shell.pick("echo evaluated", "echo evaluated");
    let mut session = shell.rc().after(evaluated).start(&sandbox);
    session.until("it is said", |session| {
        session.enter();
        session.text().contains("credsh: the container endpoint")
    });
    let text = session.text();
    assert!(text.find("evaluated") < text.find("credsh: "), "{text}");
}

/// Such as one from the environment of a tmux server that has outlived it. Otherwise each new shell would refuse
/// a plain `credsh refresh`.
fn an_inherited_lease_that_is_gone_is_let_go_of(shell: Shell) {
    let mut sandbox = Sandbox::new().with("CREDSH_LEASE", "0123456789abcdef");
    sandbox.file(
        ".aws/credentials",
        "[default]\naws_access_key_id = ASIAST\naws_secret_access_key = s\naws_session_token = t\n",
    );
    let mut session = shell.start(&sandbox);
    assert_eq!(session.var("CREDSH_LEASE"), "");
    session.run("credsh refresh");
    assert_eq!(session.key(), "ASIAST");
    sandbox.set("CREDSH_LEASE", &session.var("CREDSH_LEASE"));
    assert_eq!(shell.start(&sandbox).key(), "ASIAST", "the control: what is there is gone on with");
}

fn fish(sandbox: &Sandbox, lines: &str) -> Session {
    Shell::Fish.rc().before(lines).start(sandbox)
}

/// If credsh's wrapper were saved instead, it would call a function that no other shell has, and the user's
/// own prompt would be lost.
#[test]
fn a_fish_prompt_that_is_saved_is_the_users() {
    let endpoint = Endpoint::start(599);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    let mut session = fish(&sandbox, "function fish_prompt; echo -n 'mine$ '; end");
    assert_eq!(session.key(), "ASIATEST0001");
    assert_eq!(session.prompt(), "[cloudshell 9m] mine$ ", "the control: it is wrapped");
    for save in ["funcsave fish_prompt", "echo y | fish_config prompt save"] {
        session.run(save);
        let path = sandbox.home().join(".config/fish/functions/fish_prompt.fish");
        let saved = std::fs::read_to_string(&path).unwrap();
        assert!(saved.contains("mine$") && !saved.contains("credsh"), "{save}: {saved}");
        std::fs::remove_file(path).unwrap();
        session.enter();
        assert_eq!(session.prompt(), "[cloudshell 9m] mine$ ");
    }
    session.run("credsh_off");
    session.enter();
    assert_eq!(session.prompt(), "mine$ ");
}

/// Anyone may emit the event, and Ctrl-C ends a prompt that takes long.
#[test]
fn a_fish_prompt_that_was_not_drawn_is_not_wrapped_twice() {
    let endpoint = Endpoint::start(599);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    let slow = "function fish_prompt; set -q slow; and begin; echo >began; command sleep 20; end; echo -n '$ '; end";
    let mut session = fish(&sandbox, slow);
    assert_eq!(session.key(), "ASIATEST0001");
    session.run("emit fish_prompt; emit fish_prompt");
    assert_eq!(session.prompt(), "[cloudshell 9m] $ ");
    for _ in 0..2 {
        session.type_line("set -g slow 1");
        session.until("it is being drawn", |_| sandbox.home().join("began").exists());
        std::fs::remove_file(sandbox.home().join("began")).unwrap();
        session.send(b"\x03");
        session.until("it is being drawn again, or not", |session| {
            session.send(b"\x03");
            session.text().lines().last().is_some_and(|line| line.ends_with("$ ") || line.ends_with('$'))
        });
        session.run("set -e slow");
    }
    session.enter();
    assert_eq!(session.prompt(), "[cloudshell 9m] $ ");
}

/// The copy of credsh's wrapper is two calls deep, as VS Code and then virtualenv would leave it.
#[test]
fn copies_of_a_fish_prompt_that_call_each_other_are_unwrapped() {
    let endpoint = Endpoint::start(599);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    let mut session = Shell::Fish.start(&sandbox);
    session.run("function tool --on-event fish_prompt; functions -e tool; functions -c fish_prompt tools_copy; function fish_prompt; tools_copy; end; end");
    session.enter();
    session.run("functions -c fish_prompt own_copy; function fish_prompt; echo -n '(venv) '; own_copy; end");
    session.enter();
    assert!(session.run("functions tools_copy").contains("__credsh_inner"), "the control: it holds ours");
    session.run("credsh_off");
    session.enter();
    assert_eq!(session.prompt(), "(venv) $ ");
    assert!(!session.text().contains("Unknown command"), "{}", session.text());
}

/// They would run for each of the hook's commands, with secrets among its words, and for each that is meant to fail.
#[test]
fn traps_of_zsh_are_told_of_nothing() {
    let endpoint = Endpoint::start(6);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    let traps = "TRAPDEBUG() { print -r -- \"$ZSH_DEBUG_CMD\" >>~/audit }\ntrap 'print status $? >>~/zerr' ZERR";
    let mut session = Shell::Zsh.rc().before(traps).start(&sandbox);
    let requests = endpoint.count();
    session.until("it is renewed", |session| {
        session.enter();
        endpoint.count() > requests + 1
    });
    session.run("credsh refresh --force");
    session.run("false");
    let read = |name: &str| std::fs::read_to_string(sandbox.home().join(name)).unwrap();
    let audit = read("audit");
    assert!(audit.contains("false"), "the control: {audit}");
    assert!(!audit.contains("test-secret") && !audit.contains("test-token"), "{audit}");
    assert_eq!(read("zerr"), "status 1\n");
}

#[test]
fn zsh_that_counts_in_fractions() {
    let endpoint = Endpoint::start(599);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    let mut session = Shell::Zsh.rc().before("setopt force_float source_trace").start(&sandbox);
    assert_eq!(session.key(), "ASIATEST0001");
    assert_eq!(session.prompt(), "[cloudshell 9m] $ ");
    assert!(!session.text().contains("sourcetrace"), "{}", session.text());
}

fn another_version_of_it_is_replaced(shell: Shell) {
    let endpoint = Endpoint::start(599);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    // A version whose functions have other names, which this one does not know.
    let sed = format!(
        "sed 's/{0}/0.0.1/; s/__credsh_p/__credsh_old_p/g; s/__credsh_on_/__credsh_old_on_/g'",
        env!("CARGO_PKG_VERSION")
    );
    let name = shell.name();
    let (old, list) = (
        shell.pick(format!("eval \"$(credsh init {name} | {sed})\""), format!("credsh init {name} | {sed} | source")),
        shell.pick("typeset -f; echo \"${PROMPT_COMMAND[@]-} ${PS0-} $precmd_functions\"; trap", "functions -a"),
    );
    let mut session = shell.rc().unhooked().before(&old).start(&sandbox);
    assert_eq!(session.key(), "ASIATEST0001");
    let lease = session.var("CREDSH_LEASE");
    session.run(
        &format!("{{ {list}; }} >~/old")
            .replace("{ ", shell.pick("{ ", "begin; "))
            .replace("; }", shell.pick("; }", "; end")),
    );
    let old = std::fs::read_to_string(sandbox.home().join("old")).unwrap();
    assert!(old.contains("__credsh_old_"), "the control: {old}");
    assert_eq!(session.run(&shell.init("")), "");
    assert_eq!((session.key(), session.var("CREDSH_LEASE")), ("ASIATEST0001".into(), lease));
    session.enter();
    assert_eq!(session.prompt(), "[cloudshell 9m] $ ");
    session.run(
        &format!("{{ {list}; }} >~/new")
            .replace("{ ", shell.pick("{ ", "begin; "))
            .replace("; }", shell.pick("; }", "; end")),
    );
    let new = std::fs::read_to_string(sandbox.home().join("new")).unwrap();
    assert!(new.contains("__credsh_prompt") || new.contains("__credsh_precmd") || new.contains("__credsh_on_prompt"));
    assert!(!new.contains("__credsh_old_"), "{new}");
    session.run("credsh_off");
    assert_eq!(session.prompt(), "$ ");
    assert_eq!(endpoint.count(), 1);
}

fn off_leaves_the_shell_as_it_was(shell: Shell) {
    let before: &[&str] = match shell {
        Shell::Bash => &[
            "",
            "PROMPT_COMMAND='true;'",
            "PROMPT_COMMAND=(true 'true 2')\nPS0='${nothing}'\ntrap 'echo bye' INT",
            "declare -x PROMPT_COMMAND=true",
            "PROMPT_COMMAND=([8]='true 8')",
            "PROMPT_COMMAND=()",
            "readonly PROMPT_COMMAND='true'",
            "IFS=0123456789a",
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
    for (rc, side) in before.iter().flat_map(|rc| [(rc, "left"), (rc, "right"), (rc, "off")]) {
        let endpoint = Endpoint::start(600);
        let sandbox = Sandbox::in_cloudshell(&endpoint);
        sandbox.file("state", state(shell));
        let source = "source ~/state";
        let mut session = shell.rc().before(rc).unhooked().start(&sandbox);
        // Twice, so that whatever the first run itself leaves behind is in both.
        for file in ["warm", "before"] {
            session.run(&format!("{source} >~/{file} 2>&1"));
        }
        session.run(&shell.init(&format!("--prompt {side}")));
        session.key();
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

/// Then the indicator has no place, and is left out without a message.
#[test]
fn a_readonly_prompt_is_left_alone_however_often() {
    let endpoint = Endpoint::start(600);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    for (shell, name) in [(Shell::Bash, "PS1"), (Shell::Zsh, "PROMPT")] {
        let mut session = shell.rc().before(&format!("readonly {name}")).after(&shell.init("")).start(&sandbox);
        assert_eq!(session.key(), "ASIATEST0001");
        session.enter();
        assert!(!session.text().contains("read-only") && session.prompt() == "$ ", "{}", session.text());
        assert!(!session.text().contains("PS1: readonly"), "{}", session.text());
        // Or it is made so later.
        let mut session = shell.start(&sandbox);
        assert_eq!(session.key(), "ASIATEST0001");
        session.run(&format!("readonly {name}"));
        session.run("credsh_off");
        assert!(!session.text().contains("read-only variable"), "{}", session.text());
        assert_eq!(session.run("typeset -f | grep -c credsh"), "0");
    }
}

/// With `set -u` using any of these would be an error, and end the function that does.
#[test]
fn variables_of_the_prompt_that_are_gone_are_not_missed() {
    let sandbox = Sandbox::new();
    let typed = "eval \"$(credsh init bash)\"\nset -u\nunset PS1 PS0\n(exit 3)\necho $? $_\nunset PS0\ncredsh_off\n\
        compgen -A function credsh\ncompgen -A function __credsh\ncompgen -v __credsh\necho \"${PS0-none}\"\n";
    let input = std::fs::File::open(sandbox.file("typed", typed)).unwrap();
    let run = Run::of(sandbox.command("bash").args(["--norc", "-i"]).stdin(input).output().unwrap());
    assert!(!run.stderr.contains("unbound"), "{run:?}");
    assert_eq!(run.stdout, "3 PS0\nnone\n", "{run:?}");
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

/// Each line and how often it occurs, without what changes by itself.
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
    // zsh keeps a module that others may use by now, and a prompt that is set and empty instead of unset.
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
    // fish no longer knows the file of a function that was renamed and renamed back.
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
