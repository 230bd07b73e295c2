//! The real hooks of other tools, loaded before credsh's and after: each goes on doing its own work, and so does credsh's.

mod support;

use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use support::Sandbox;
use support::endpoint::{Endpoint, Rotation};
use support::pty::{Session, Shell};

in_every_shell! { each_works_beside_us }
in_every_shell! { functions_of_the_users_are_told_what_was_typed }
in_shells! { a_debug_trap_and_a_ps0_of_the_users_stay: bash Bash }
in_shells! { a_trap_of_the_users_on_our_signal_stays: bash Bash }
in_shells! { an_editors_terminal_is_told_when_a_command_begins: bash Bash }
in_shells! { switching_off_loads_nobodys_function: fish Fish }
in_shells! { a_backslash_at_the_end_of_ps0_is_theirs: bash Bash }
in_shells! { a_substitution_put_behind_ours_at_each_prompt_runs: bash Bash }

/// Another tool with a hook.
struct Tool {
    name: &'static str,
    /// The lines for a start-up file.
    load: String,
    /// A command that undoes what the tool has done, if that is possible; one that makes it do its work; one that shows
    /// the result; and what that prints.
    undo: &'static str,
    work: &'static str,
    shows: String,
    expected: &'static str,
}

/// A file that `tests/setup.sh` or `make shells` has put into target/.
fn installed(path: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("target").join(path);
    assert!(path.exists(), "tests/setup.sh installs {}", path.display());
    path
}

fn tools(shell: Shell) -> Vec<Tool> {
    let name = shell.name();
    let load = |tool: &str, words: &str| {
        shell.pick(format!("eval \"$({tool} {words} {name})\""), format!("{tool} {words} {name} | source"))
    };
    let mut tools = vec![
        Tool {
            name: "direnv",
            load: load("direnv", "hook"),
            undo: "cd ~",
            work: "cd ~/work",
            shows: "echo $FROM_DIRENV".into(),
            expected: "yes",
        },
        Tool {
            name: "zoxide",
            load: load("zoxide", "init"),
            undo: "cd ~; zoxide remove ~/work",
            work: "cd ~/work",
            shows: "zoxide query work | tail -c 6".into(),
            expected: "/work",
        },
        Tool {
            name: "atuin",
            load: load("atuin", "init"),
            undo: "atuin search --delete exit >/dev/null",
            work: "sh -c 'exit 7'",
            shows: "atuin search --exit 7 --limit 1 --format '{command}, {exit}'".into(),
            expected: "sh -c 'exit 7', 7",
        },
    ];
    if shell == Shell::Zsh {
        for (name, shows, expected) in [
            (
                "zsh-autosuggestions",
                "echo ${+functions[_zsh_autosuggest_start]} ${+widgets[autosuggest-accept]}",
                "1 1",
            ),
            ("zsh-syntax-highlighting", "echo ${+functions[_zsh_highlight]} $ZSH_HIGHLIGHT_HIGHLIGHTERS", "1 main"),
        ] {
            tools.push(Tool {
                name,
                load: format!("source /usr/share/{name}/{name}.zsh"),
                undo: "",
                work: "true",
                shows: shows.into(),
                expected,
            });
        }
    }
    if shell == Shell::Bash {
        let functions =
            "heard() { heard=$1; }; asked() { asked=$?; }\npreexec_functions+=(heard); precmd_functions+=(asked)";
        let old = installed("npm/bash-preexec.sh");
        // The copy that atuin carries.
        let new = "eval \"$(atuin init bash | sed -n '/^__atuin_load_builtin_preexec()/,/^}/p')\"";
        for (name, load) in [
            ("bash-preexec 0.5", format!("source {}\n{functions}", old.display())),
            ("bash-preexec 0.6", format!("{new}\n__atuin_load_builtin_preexec\n{functions}")),
        ] {
            tools.push(Tool {
                name,
                load,
                undo: "heard='' asked=''",
                work: "sh -c 'exit 3' told",
                // bash-preexec's function is also called with this line itself.
                shows: "echo ${heard%%;*}, $asked".into(),
                expected: "echo ${heard%%, 3",
            });
        }
    }
    tools
}

/// A line editor for bash, which replaces bash's own and runs what others have put into PROMPT_COMMAND and PS0.
fn ble_sh() -> Tool {
    let ble = installed("shells/forky/root/usr/share/blesh/ble.sh");
    Tool {
        name: "ble.sh",
        // Its own additions would be on the lines that this test reads.
        load: format!(
            "source {}\nbleopt complete_auto_complete= exec_errexit_mark= exec_elapsed_mark= prompt_eol_mark=",
            ble.display()
        ),
        undo: "",
        work: "true",
        shows: "echo ${BLE_ATTACHED:-no}".into(),
        expected: "1",
    }
}

fn each_works_beside_us(shell: Shell) {
    beside_in_every_order(shell, tools(shell));
}

/// Not every Debian has it; `make shells` installs it.
#[test]
#[ignore = "make shells"]
fn ble_sh_works_beside_us() {
    beside_in_every_order(Shell::Bash, vec![ble_sh()]);
}

fn beside_in_every_order(shell: Shell, tools: Vec<Tool>) {
    thread::scope(|scope| {
        for tool in tools {
            let tool = std::sync::Arc::new(tool);
            for order in ["theirs first", "ours first", "ours typed later"] {
                let tool = std::sync::Arc::clone(&tool);
                scope.spawn(move || beside(shell, &tool, order));
            }
        }
    });
}

fn beside(shell: Shell, tool: &Tool, order: &str) {
    let Tool { name, load, .. } = tool;
    let case = format!("{name}, {order}");
    let endpoint = Endpoint::start(4);
    endpoint.rotate(Rotation::Always);
    let sandbox = Sandbox::in_cloudshell(&endpoint)
        .with("CREDSH_WAIT", "20")
        .with("DIRENV_LOG_FORMAT", "")
        .with("USER", "somebody")
        .with("LANG", "C.UTF-8");
    sandbox.file("work/.envrc", "export FROM_DIRENV=yes\n");
    sandbox.file(".config/atuin/config.toml", "update_check = false\nauto_sync = false\n");
    support::Run::of(sandbox.command("direnv").args(["allow", "work"]).output().unwrap()).ok();
    let path = format!("PATH={}:$PATH", installed("venv/bin/atuin").parent().unwrap().display());
    let path = shell.pick(path.clone(), path.replace("PATH=", "set -gx PATH ").replace(":$", " $"));
    let mut session = match order {
        "theirs first" => shell.rc().before(&format!("{path}\n{load}")).start(&sandbox),
        "ours first" => shell.rc().before(&path).after(load).start(&sandbox),
        _ => shell.rc().unhooked().before(&format!("{path}\n{load}")).start(&sandbox),
    };
    if order == "ours typed later" {
        session.run(&shell.init(""));
    }
    let key = session.key();
    assert!(key.starts_with("ASIATEST"), "{case}: {key}\n{}", session.text());
    works(&mut session, tool, &case);
    for form in shell.pick(
        ["printenv KEY", "( printenv KEY )", "printenv KEY | cat"],
        ["printenv KEY", "begin; printenv KEY; end", "printenv KEY | cat"],
    ) {
        let before = session.key();
        thread::sleep(Duration::from_secs(5));
        let seen = session.run(&form.replace("KEY", "TEMPORARY_AWS_ACCESS_KEY_ID"));
        assert!(seen.starts_with("ASIATEST") && seen > before, "{case}, {form}: {seen} after {before}");
    }
    session.line("false | true | sh -c 'exit 3'");
    assert_eq!(session.run(&format!("echo {}", shell.status())), "3", "{case}");
    session.enter();
    assert_eq!(session.prompt().matches("[cloudshell ").count(), 1, "{case}: {}", session.prompt());
    if !tool.undo.is_empty() {
        session.line(tool.undo);
        assert_ne!(session.run(&tool.shows), tool.expected, "{case}");
    }
    assert!(session.run("cd ~; credsh_off").is_empty(), "{case}: {}", session.text());
    works(&mut session, tool, &case);
    assert_eq!(session.key(), "", "{case}");
    assert!(!session.prompt().contains("cloudshell"), "{case}: {}", session.prompt());
    assert!(!session.text().contains("__credsh"), "{case}: {}", session.text());
}

#[track_caller]
fn works(session: &mut Session, tool: &Tool, case: &str) {
    // Some tools record things in the background. atuin may fail to, without saying so, while it is still recording the
    // command before and holds its database. So the work is repeated as well.
    session.until(case, |session| {
        session.line(tool.work);
        session.run(&tool.shows) == tool.expected
    });
}

fn a_debug_trap_and_a_ps0_of_the_users_stay(shell: Shell) {
    let theirs = "trap 'count=$((count + 1))' DEBUG\nPS0='<${count}>\n'";
    for after in [false, true] {
        let endpoint = Endpoint::start(4);
        endpoint.rotate(Rotation::Always);
        let sandbox = Sandbox::in_cloudshell(&endpoint).with("CREDSH_WAIT", "20");
        let rc = if after {
            shell.rc().after(theirs.replace("PS0='", "PS0+='").as_str())
        } else {
            shell.rc().before(theirs)
        };
        let mut session = rc.start(&sandbox);
        let first = session.key();
        assert_eq!(
            session.run("trap -p DEBUG").trim_start_matches(|c: char| !c.is_alphabetic()),
            "trap -- 'count=$((count + 1))' DEBUG"
        );
        thread::sleep(Duration::from_secs(5));
        let seen = session.run("printenv TEMPORARY_AWS_ACCESS_KEY_ID");
        assert!(seen.starts_with('<') && seen.contains("ASIATEST") && !seen.contains(&first), "{seen}");
        session.run("credsh_off");
        let theirs = "trap -p DEBUG | grep -c 'count + 1'; [[ $PS0 == $'<${count}>\\n' ]] && echo the same";
        assert!(session.run(theirs).ends_with("1\nthe same"), "{}", session.text());
    }
}

fn functions_of_the_users_are_told_what_was_typed(shell: Shell) {
    let theirs = match shell {
        Shell::Bash => "trap 'heard+=(\"$BASH_COMMAND\")' DEBUG\nPROMPT_COMMAND='statuses+=($?)'",
        Shell::Zsh => "preexec() { heard+=(\"$1\") }\nprecmd() { statuses+=($?) }\nTRAPDEBUG() { debugged=1 }",
        Shell::Fish => {
            "function heard --on-event fish_preexec\n    set -ga heard $argv\nend\nfunction prompted --on-event fish_postexec\n    set -ga statuses $status\nend"
        }
    };
    for after in [false, true] {
        let endpoint = Endpoint::start(4);
        endpoint.rotate(Rotation::Always);
        let sandbox = Sandbox::in_cloudshell(&endpoint).with("CREDSH_WAIT", "20");
        let theirs = if after && shell == Shell::Bash {
            theirs.replace("PROMPT_COMMAND=", "PROMPT_COMMAND[50]=")
        } else {
            theirs.to_owned()
        };
        let rc = if after { shell.rc().after(&theirs) } else { shell.rc().before(&theirs) };
        let mut session = rc.start(&sandbox);
        let first = session.key();
        session.line("sh -c 'exit 3'");
        // A command that waits for a renewal.
        thread::sleep(Duration::from_secs(5));
        session.line("sh -c 'exit 4'");
        assert!(session.key() > first, "the control");
        let heard =
            session.run(shell.pick("printf '%s\\n' \"${heard[@]}\" | grep ^sh", "printf '%s\\n' $heard | grep ^sh"));
        let mut mine: Vec<&str> = heard.lines().collect();
        // When something is due, bash's DEBUG trap also runs for credsh's own trap, with the last command's name.
        mine.dedup();
        assert_eq!(mine, ["sh -c 'exit 3'", "sh -c 'exit 4'"], "{}", session.text());
        let statuses = session.run(shell.pick("echo \"${statuses[@]}\"", "echo $statuses"));
        assert!(statuses.contains("3 4 0"), "{statuses}");
        session.run("credsh_off");
        session.line("sh -c 'exit 5'");
        let heard =
            session.run(shell.pick("printf '%s\\n' \"${heard[@]}\" | grep ^sh", "printf '%s\\n' $heard | grep ^sh"));
        assert_eq!(heard.lines().filter(|line| *line == "sh -c 'exit 5'").count(), 1, "{heard}");
    }
}

fn a_trap_of_the_users_on_our_signal_stays(shell: Shell) {
    let endpoint = Endpoint::start(4);
    endpoint.rotate(Rotation::Always);
    let sandbox = Sandbox::in_cloudshell(&endpoint).with("CREDSH_WAIT", "20");
    let mut session = shell.rc().before("trap 'urgent=$((urgent + 1))' URG").start(&sandbox);
    session.until("credentials", |session| session.key() != "");
    thread::sleep(Duration::from_secs(5));
    // With the signal taken, only prompts renew.
    session.run("true");
    assert_eq!(session.run("trap -p URG; echo ${urgent-none}"), "trap -- 'urgent=$((urgent + 1))' SIGURG\nnone");
    session.run("credsh_off");
    assert_eq!(session.run("trap -p URG"), "trap -- 'urgent=$((urgent + 1))' SIGURG");
}

/// What VS Code's script does to bash, with the same names and in the same places: whatever runs after its element of
/// PROMPT_COMMAND is taken for the command that is typed next.
const EDITOR: &str = r#"
__vsc_busy=1
__vsc_begin() { [[ $__vsc_busy == 1 ]] || printf '<begin>'; __vsc_busy=1; }
__vsc_mark() { [[ $PS1 == "${__vsc_custom_PS1-}" ]] || { __vsc_original_PS1=$PS1 __vsc_custom_PS1='\[\]'$PS1; PS1=$__vsc_custom_PS1; }; }
__vsc_end() { __vsc_mark; __vsc_busy=0; }
__vsc_mark
__vsc_prompt_cmd() { __vsc_end; }
__vsc_prompt_cmd_original() { local each; for each in "${__vsc_original_prompt_command[@]}"; do eval "$each"; done; __vsc_end; }
trap '__vsc_begin' DEBUG
__vsc_original_prompt_command=${PROMPT_COMMAND:-}
if [[ -n $__vsc_original_prompt_command ]]; then PROMPT_COMMAND=__vsc_prompt_cmd_original; else PROMPT_COMMAND=__vsc_prompt_cmd; fi
unset VSCODE_INJECTION
"#;

fn an_editors_terminal_is_told_when_a_command_begins(shell: Shell) {
    for (order, flags, theirs) in [
        ("theirs last", "", ""),
        ("theirs last", "", "PROMPT_COMMAND='asked=$?'"),
        ("theirs last", "--prompt off", "PROMPT_COMMAND='asked=$?'"),
        ("theirs first", "", ""),
        ("theirs first", "--prompt off", "PROMPT_COMMAND='asked=$?'"),
    ] {
        let case = format!("{order} {flags} {theirs}");
        let endpoint = Endpoint::start(4);
        endpoint.rotate(Rotation::Always);
        let sandbox = Sandbox::in_cloudshell(&endpoint).with("CREDSH_WAIT", "20").with("VSCODE_INJECTION", "1");
        let rc = shell.rc().init(flags);
        let mut session = match order {
            "theirs last" => rc.before(theirs).after(EDITOR).start(&sandbox),
            _ => rc.before(&format!("{theirs}\n{EDITOR}")).start(&sandbox),
        };
        let first = session.key();
        for turn in 0..2 {
            // A command that nobody typed would be reported before the next one.
            let screen = session.text();
            let seen = session.run("echo one");
            assert_eq!(seen, "<begin>one", "{case}, {turn}: {screen}");
        }
        thread::sleep(Duration::from_secs(5));
        assert!(session.run("echo $TEMPORARY_AWS_ACCESS_KEY_ID") > first, "{case}");
        assert_eq!(session.prompt().matches("[cloudshell ").count(), usize::from(flags.is_empty()), "{case}");
        // The beginning of the prompt is marked once.
        let marks = |session: &mut Session| session.run(r"marks=${PS1//'\[\]'/}; echo $(((${#PS1} - ${#marks}) / 4))");
        assert_eq!(marks(&mut session), "<begin>1", "{case}");
        // As if a start-up file were read again.
        session.line(&shell.init(flags));
        assert_eq!(session.run("echo one"), "<begin>one", "{case}, again");
        let doctor = session.run("credsh doctor | grep hook");
        assert_eq!(doctor, "<begin>ok    hook: bash prompt preexec", "{case}");
        session.line("credsh_off");
        assert_eq!(session.run("echo one"), "<begin>one", "{case}, off");
        assert_eq!(marks(&mut session), "<begin>1", "{case}, off");
        assert!(!session.run("declare -p PROMPT_COMMAND __vsc_original_prompt_command").contains("__credsh"), "{case}");
    }
}

/// What kitty's script does to bash, in its names and places: it runs after the start-up file, assigns an array that begins with
/// nothing anew, and at each prompt puts a command substitution at the end of PS0.
const TERMINAL: &str = r#"
declare -A _ksi_prompt=([ps0_suffix]='$(_ksi_get_current_command)')
_ksi_get_current_command() { printf '<begin>'; }
_ksi_prompt_command() { PS0=${PS0//"${_ksi_prompt[ps0_suffix]}"/}${_ksi_prompt[ps0_suffix]}; }
if [[ -z ${PROMPT_COMMAND-} ]]; then PROMPT_COMMAND=([0]=_ksi_prompt_command); else PROMPT_COMMAND+=(_ksi_prompt_command); fi
unset KITTY_SHELL_INTEGRATION
"#;

fn a_substitution_put_behind_ours_at_each_prompt_runs(shell: Shell) {
    thread::scope(|scope| {
        for (order, flags) in [("theirs last", ""), ("theirs last", "--prompt off"), ("theirs first", "")] {
            scope.spawn(move || behind_ours(shell, order, flags, TERMINAL, 0));
        }
        // Nothing tells that this one will: it takes some commands to notice.
        let another =
            "more() { PS0=${PS0//'$(more)'/}'$(more)'; printf '<begin>' >&2; }\nPROMPT_COMMAND[70]='more 2>&-'";
        scope.spawn(move || behind_ours(shell, "theirs last", "", another, 3));
    });
}

fn behind_ours(shell: Shell, order: &str, flags: &str, theirs: &str, before: usize) {
    let case = format!("{order} {flags} {before}");
    let endpoint = Endpoint::start(4);
    endpoint.rotate(Rotation::Always);
    let sandbox = Sandbox::in_cloudshell(&endpoint).with("CREDSH_WAIT", "20");
    let sandbox = if before == 0 { sandbox.with("KITTY_SHELL_INTEGRATION", "enabled") } else { sandbox };
    let rc = shell.rc().init(flags);
    let rc = if order == "theirs last" { rc.after(theirs) } else { rc.before(theirs) };
    let mut session = rc.start(&sandbox);
    for _ in 0..before {
        session.line("true");
    }
    for turn in 0..3 {
        let old = session.run("echo $TEMPORARY_AWS_ACCESS_KEY_ID");
        assert!(old.starts_with("<begin>ASIATEST"), "{case}, {turn}: {}", session.text());
        thread::sleep(Duration::from_secs(5));
        assert!(session.run("echo $TEMPORARY_AWS_ACCESS_KEY_ID") > old, "{case}, {turn}: {}", session.text());
        assert_eq!(session.prompt().matches("[cloudshell ").count(), usize::from(flags.is_empty()), "{case}");
    }
    session.line("credsh_off");
    assert_eq!(session.run("echo one"), "<begin>one", "{case}, off");
    assert!(!session.run("declare -p PROMPT_COMMAND PS0").contains("__credsh"), "{case}: {}", session.text());
}

fn switching_off_loads_nobodys_function(shell: Shell) {
    let endpoint = Endpoint::start(599);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    sandbox.file(".config/fish/functions/heavy.fish", "echo loaded\nfunction heavy\nend\n");
    let theirs = "function fish_prompt\n    echo -n '$ '\n    test -n \"$never\"; and heavy\nend";
    let mut session = shell.rc().before(theirs).start(&sandbox);
    session.key();
    assert_eq!(session.run("credsh_off"), "");
    assert_eq!(session.run("heavy"), "loaded", "the control");
}

/// foot's manual ends its mark for a command's output with `\e\\`: that would quote the `$` of what follows.
fn a_backslash_at_the_end_of_ps0_is_theirs(shell: Shell) {
    thread::scope(|scope| {
        for (theirs, after) in [
            (r"PS0+='<begin>\\'", false),
            (r"PS0+='<begin>\\'", true),
            (r"PS0='<begin>\\'$PS0", true),
            // In bash 5.2 the gate has to stay behind a substitution.
            (r"PS0+='$(echo \<begin\>)\\'", false),
            (r"PS0='$(echo \<begin\>)\\'$PS0", true),
        ] {
            scope.spawn(move || {
                let endpoint = Endpoint::start(4);
                endpoint.rotate(Rotation::Always);
                let sandbox = Sandbox::in_cloudshell(&endpoint).with("CREDSH_WAIT", "20");
                let rc = if after { shell.rc().after(theirs) } else { shell.rc().before(theirs) };
                let mut session = rc.start(&sandbox);
                for _ in 0..2 {
                    let first = session.run("echo $TEMPORARY_AWS_ACCESS_KEY_ID");
                    assert!(first.starts_with(r"<begin>\ASIATEST"), "{theirs}: {}", session.text());
                    thread::sleep(Duration::from_secs(5));
                    assert!(session.run("echo $TEMPORARY_AWS_ACCESS_KEY_ID") > first, "{theirs}: {}", session.text());
                }
                session.line("credsh_off");
                let text = theirs.split('\'').nth(1).unwrap();
                assert_eq!(session.run("echo \"$PS0\""), format!(r"<begin>\{text}"), "{theirs}");
            });
        }
    });
}
