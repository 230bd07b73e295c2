//! What a guest does not touch: history, completion, line numbers, line editing, and another user's shell.

mod support;

use std::thread;
use std::time::Duration;

use support::Sandbox;
use support::endpoint::{Behaviour, Endpoint, Rotation};
use support::pty::{Rc, Session, Shell};

in_every_shell! {
    history_is_what_was_typed
    completion_and_line_editing_are_the_shells_own
    vi_and_emacs_keys
    a_prompt_of_several_lines
    a_window_of_another_size
    exec_of_the_same_shell_goes_on
    anothers_lease_is_left_alone_without_a_word
    ctrl_c_during_a_refresh_leaves_what_there_was
    a_subshell_is_its_own
    init_prints_nothing
    nothing_on_a_dumb_terminal_but_text
    a_real_virtualenv
}
in_shells! { a_restricted_shell_has_nothing_of_it: bash Bash, zsh Zsh }
in_shells! { line_numbers_do_not_move: zsh Zsh }
in_shells! { an_exported_prompt_command_stays_exported: bash Bash }
in_shells! { an_exported_prompt_command_has_the_check_at_its_end: bash Bash }
in_shells! { prompts_that_are_not_expanded_hold_nothing_of_ours: bash Bash }
in_shells! { a_shell_without_comments_has_all_of_it: bash Bash }
in_shells! { what_a_trap_prints_is_not_taken_for_an_answer: bash Bash }
in_shells! { a_trap_on_ctrl_c_stays: bash Bash, zsh Zsh }
in_shells! { a_right_prompt_of_the_users_stays: zsh Zsh, fish Fish }
// zsh restores the trace itself when a function ends, however that is.
in_shells! { ctrl_c_leaves_a_trace_as_it_was: bash Bash, fish Fish }
// fish (3.6) does not trace functions that an event calls.
in_shells! { at_a_fresh_prompt_a_trace_shows_nothing_of_ours: bash Bash, zsh Zsh }

const SEGMENT: &str = "[cloudshell 9m]";

/// What `look` sees with the hook, and without it.
fn both(shell: Shell, look: impl Fn(Rc, &Sandbox) -> String) -> [String; 2] {
    [shell.rc(), shell.rc().unhooked()].map(|rc| {
        let endpoint = Endpoint::start(4);
        endpoint.rotate(Rotation::Always);
        look(rc, &Sandbox::in_cloudshell(&endpoint).with("CREDSH_WAIT", "20"))
    })
}

fn history_is_what_was_typed(shell: Shell) {
    let rc = match shell {
        Shell::Bash => "HISTFILE=~/history HISTCONTROL=",
        Shell::Zsh => "HISTFILE=~/history HISTSIZE=100 SAVEHIST=100",
        Shell::Fish => "",
    };
    let [with, without] = both(shell, |rc_file, sandbox| {
        let mut session = rc_file.before(rc).start(sandbox);
        // Through prompts, background renewals and a wait.
        let list = shell.pick("for i in 1 2; do echo $i; done", "for i in 1 2; echo $i; end");
        for command in ["echo one", "echo 'two   three'", "false", "echo one", " echo space", list] {
            session.line(command);
            thread::sleep(Duration::from_millis(800));
        }
        thread::sleep(Duration::from_secs(4));
        session.line("echo waited");
        // What the Up key finds.
        session.send(b"\x1b[A\x1b[A");
        session.wait_for("the line before the last", |session| session.prompt().ends_with(list));
        session.send(b"\x15");
        session.line("");
        let list = session.run(shell.pick("history", "history search | cat"));
        session.type_line("exit");
        session.wait_end();
        let file = sandbox.home().join(shell.pick("history", ".local/share/fish/fish_history"));
        let file = std::fs::read_to_string(file).unwrap();
        let time = |line: &str| line.starts_with("  when:") || line.starts_with("  added_when:");
        let mut file: Vec<&str> = file.lines().filter(|line| !time(line)).collect();
        if shell == Shell::Fish {
            // fish removes duplicates now and then, at random.
            file.sort_unstable();
            file.dedup();
        }
        format!("{list}\n---\n{}", file.join("\n"))
    });
    assert!(with.matches("echo one").count() >= 2 && with.contains("waited"), "the control: {with}");
    assert_eq!(with, without);
}

fn completion_and_line_editing_are_the_shells_own(shell: Shell) {
    let list = match shell {
        Shell::Bash => "complete -p; bind -p; bind -X; bind -s; bind -v; set -o",
        Shell::Zsh => "bindkey; zle -l; setopt; zstyle -L; print ${(k)_comps}",
        Shell::Fish => "bind; complete | string match -v '*credsh*'",
    };
    let [with, without] = both(shell, |rc, sandbox| {
        sandbox.file("unusual-name", "");
        let mut session = rc.start(sandbox);
        session.key();
        let (open, close) = shell.pick(("{", "}"), ("begin", "end"));
        session.run(&format!("{open}; {list}; {close} >~/list 2>&1").replacen("{;", "{", 1));
        session.send(b"echo unus\t");
        session.wait_for("the name", |session| session.prompt().ends_with("unusual-name "));
        session.type_line("");
        session.wait_for("its echo", |session| session.text().contains("\nunusual-name") && session.at_prompt());
        // bash 5.1 prints some keys as bytes that are not UTF-8.
        String::from_utf8_lossy(&std::fs::read(sandbox.home().join("list")).unwrap()).into_owned()
    });
    assert!(with.len() > 500, "the control: {with}");
    assert_eq!(with, without);
}

fn vi_and_emacs_keys(shell: Shell) {
    let modes = match shell {
        Shell::Bash => ["set -o vi", "set -o emacs"],
        Shell::Zsh => ["bindkey -v", "bindkey -e"],
        Shell::Fish => ["fish_vi_key_bindings", "fish_default_key_bindings"],
    };
    for (mode, vi) in [(modes[0], true), (modes[1], false)] {
        let endpoint = Endpoint::start(599);
        let sandbox = Sandbox::in_cloudshell(&endpoint);
        // By default fish shows its mode before the prompt.
        let quiet = shell.pick("", "function fish_mode_prompt\nend\n");
        let mut session = shell.rc().after(&format!("{quiet}{mode}")).start(&sandbox);
        assert_eq!(session.key(), "ASIATEST0001", "{mode}");
        session.enter();
        assert_eq!(session.prompt(), format!("{SEGMENT} $ "), "{mode}");
        // Types `cho`, goes to the beginning, and adds the `e` there.
        session.send(b"cho edited");
        session.wait_for("the line", |session| session.prompt().ends_with("cho edited"));
        if vi {
            session.send(b"\x1b");
            // A pause, as Escape followed by a key at once would be Meta.
            thread::sleep(Duration::from_millis(700));
            session.send(b"0ie");
        } else {
            session.send(b"\x01e");
        }
        session.wait_for("the edit", |session| session.text().contains("$ echo edited"));
        session.type_line("");
        session.wait_for("its output", |session| session.text().contains("\nedited") && session.at_prompt());
        assert_eq!(session.prompt(), format!("{SEGMENT} $ "), "{mode}");
    }
}

fn a_prompt_of_several_lines(shell: Shell) {
    let rc = match shell {
        Shell::Bash => "PS1='\\n(one)\\n$ '",
        Shell::Zsh => "PROMPT=$'\\n(one)\\n$ '",
        Shell::Fish => "function fish_prompt\n    echo\n    echo '(one)'\n    echo -n '$ '\nend",
    };
    for side in ["left", "right"] {
        let endpoint = Endpoint::start(599);
        let sandbox = Sandbox::in_cloudshell(&endpoint);
        let mut session = shell.rc().before(rc).init(&format!("--prompt {side}")).start(&sandbox);
        assert_eq!(session.key(), "ASIATEST0001");
        for _ in 0..2 {
            session.enter();
            let row = session.row();
            assert_eq!(session.prompt(), "$ ", "{}", session.text());
            let times = |session: &Session| {
                session.rows()[row - 2..=row].iter().map(|row| row.matches(SEGMENT).count()).sum::<usize>()
            };
            // The right prompt is drawn after the left one.
            session.wait_for(side, |session| times(session) > 0);
            assert_eq!(times(&session), 1, "{side}: {}", session.text());
            let rows = session.rows();
            assert!(rows[row - 1].contains("(one)"), "{side}: {}", session.text());
        }
    }
}

fn a_window_of_another_size(shell: Shell) {
    for side in ["left", "right"] {
        let endpoint = Endpoint::start(599);
        let sandbox = Sandbox::in_cloudshell(&endpoint);
        let mut session = shell.rc().init(&format!("--prompt {side}")).start(&sandbox);
        assert_eq!(session.key(), "ASIATEST0001");
        session.enter();
        for columns in [100, 60, 150] {
            session.resize(200, columns);
            session.enter();
            // The right prompt is drawn after the left one.
            session.wait_for(&format!("the indicator, {side} of {columns}"), |session| {
                let row = session.rows()[session.row()].trim_end().to_owned();
                let at_the_edge = usize::from(columns) - row.len() < 3;
                if side == "left" {
                    row == format!("{SEGMENT} $")
                } else {
                    row.starts_with('$') && row.ends_with(SEGMENT) && at_the_edge
                }
            });
            assert_eq!(session.key(), "ASIATEST0001");
        }
    }
}

fn exec_of_the_same_shell_goes_on(shell: Shell) {
    let endpoint = Endpoint::start(599);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    let mut session = shell.start(&sandbox);
    assert_eq!(session.key(), "ASIATEST0001");
    let lease = session.var("CREDSH_LEASE");
    for _ in 0..2 {
        session.line(&format!("exec {}", shell.name()));
        assert_eq!(session.prompt(), format!("{SEGMENT} $ "), "from its first prompt on");
        assert_eq!((session.key(), session.var("CREDSH_LEASE")), ("ASIATEST0001".into(), lease.clone()));
    }
    assert_eq!(endpoint.count(), 1);
    session.run("credsh_off");
    assert_eq!(session.prompt(), "$ ");
}

fn anothers_lease_is_left_alone_without_a_word(shell: Shell) {
    let endpoint = Endpoint::start(599);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    let mut session = shell.start(&sandbox);
    assert_eq!(session.key(), "ASIATEST0001");
    // As after sudo or su: another user with the same variables, except for the container
    // endpoint's, and with no such store.
    let dir = sandbox.home().join("other");
    std::fs::create_dir(&dir).unwrap();
    let text = std::fs::read_to_string(
        sandbox
            .home()
            .join(shell.pick(if shell == Shell::Bash { ".bashrc" } else { ".zshrc" }, ".config/fish/config.fish")),
    )
    .unwrap();
    sandbox.file(
        shell.pick(
            if shell == Shell::Bash { "other/.bashrc" } else { "other/.zshrc" },
            "other/.config/fish/config.fish",
        ),
        &text,
    );
    let start = format!(
        "env -u AWS_CONTAINER_CREDENTIALS_FULL_URI HOME={0} XDG_RUNTIME_DIR={0} {1} -i",
        dir.display(),
        shell.name()
    );
    let row = session.row();
    session.line(&start);
    assert_eq!(session.prompt(), "$ ", "{}", session.text());
    session.enter();
    session.run("true");
    let said: Vec<String> =
        session.rows()[row + 1..].iter().map(|row| row.trim_end().to_owned()).filter(|row| !row.is_empty()).collect();
    assert!(said.iter().all(|row| row.starts_with('$') || row.starts_with("END")), "{said:?}");
    assert_eq!(session.run("credsh_off; echo gone"), "gone");
    // The control: with the same store the lease is taken over.
    session.line("exit");
    session.line(shell.name());
    assert_eq!(session.prompt(), format!("{SEGMENT} $ "));
}

fn a_trap_on_ctrl_c_stays(shell: Shell) {
    let endpoint = Endpoint::start(4);
    let sandbox = Sandbox::in_cloudshell(&endpoint).with("CREDSH_WAIT", "60");
    let mut session = shell.rc().before("trap 'echo caught' INT").start(&sandbox);
    let first = session.key();
    let before = session.run("trap");
    held(&mut session, &endpoint, "true");
    session.send(b"\x03");
    session.wait_for("the prompt", |session| session.row() > 0 && session.at_prompt());
    endpoint.behave(Behaviour::Good);
    session.enter();
    assert_eq!(session.run("trap").replace("\ncaught", ""), before);
    assert!(before.contains("echo caught"), "the control: {before}\n{}", session.text());
    assert!(session.key() >= first);
}

/// Types a command that has to wait, as the endpoint does not answer. The credentials, which live 4 s, have ended by then.
fn held(session: &mut Session, endpoint: &Endpoint, command: &str) {
    endpoint.behave(Behaviour::Held);
    thread::sleep(Duration::from_secs(5));
    let asked = endpoint.count();
    session.type_line(command);
    session.until("the question", |session| {
        session.look();
        endpoint.count() > asked
    });
}

fn ctrl_c_leaves_a_trace_as_it_was(shell: Shell) {
    let (on, shown) = shell.pick(("set -x", "+"), ("set -g fish_trace 1", ">"));
    // During a wait before a command, and during a refresh whose next prompt is fresh.
    for (life, typed) in [(4, "true"), (599, "credsh refresh --force")] {
        let endpoint = Endpoint::start(life);
        let sandbox = Sandbox::in_cloudshell(&endpoint).with("CREDSH_WAIT", "60");
        let mut session = shell.rc().before(shell.pick("PS4='+ '", "")).start(&sandbox);
        session.key();
        session.line(on);
        held(&mut session, &endpoint, typed);
        let row = session.row();
        session.send(b"\x03");
        session.wait_for("the prompt", |session| session.row() > row && session.at_prompt());
        endpoint.behave(Behaviour::Good);
        let seen = session.run("echo traced");
        assert!(seen.contains(&format!("{shown} echo traced")), "{typed}: {seen}\n{}", session.text());
    }
}

fn ctrl_c_during_a_refresh_leaves_what_there_was(shell: Shell) {
    let endpoint = Endpoint::start(599);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    let mut session = shell.start(&sandbox);
    let first = session.key();
    let traps = session.run("trap");
    endpoint.behave(Behaviour::Held);
    let (row, asked) = (session.row(), endpoint.count());
    session.type_line("credsh refresh --force");
    session.until("the question", |session| {
        session.look();
        endpoint.count() > asked
    });
    session.send(b"\x03");
    session.wait_for("the prompt", |session| session.row() > row && session.at_prompt());
    assert!(!session.text().contains("credsh:"), "it was not an answer that ended it: {}", session.text());
    assert_eq!(session.run("trap"), traps);
    session.enter();
    // Looked at before a command, which could load it again.
    assert_eq!(session.prompt(), format!("{SEGMENT} $ "));
    assert_eq!(session.key(), first);
    endpoint.rotate(Rotation::Always);
    endpoint.live(3000);
    endpoint.behave(Behaviour::Good);
    session.run("credsh refresh --force");
    assert_ne!(session.key(), first, "{}", session.text());
}

fn a_subshell_is_its_own(shell: Shell) {
    let endpoint = Endpoint::start(599);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    let mut session = shell.start(&sandbox);
    let first = session.key();
    // In fish the only subshell is a new shell.
    for inner in ["credsh clear", "credsh_off"] {
        let typed = match shell {
            Shell::Bash | Shell::Zsh => {
                format!("( {inner} >/dev/null 2>&1; printenv TEMPORARY_AWS_ACCESS_KEY_ID || echo none )")
            }
            Shell::Fish => {
                format!("fish -i -c '{inner} &>/dev/null; printenv TEMPORARY_AWS_ACCESS_KEY_ID; or echo none'")
            }
        };
        assert_eq!(session.run(&typed), "none", "{inner}");
        assert_eq!(session.key(), first, "{inner}");
        session.enter();
        assert_eq!(session.prompt(), format!("{SEGMENT} $ "), "{inner}");
    }
}

fn init_prints_nothing(shell: Shell) {
    let endpoint = Endpoint::start(599);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    // As an instant prompt has it: whatever is printed between two points is held back, and reported as a fault.
    let hook = shell.init("");
    let lines = match shell {
        Shell::Fish => format!("begin\n    {hook}\nend >~/printed 2>&1"),
        Shell::Bash | Shell::Zsh => format!("exec 3>&1 4>&2 >~/printed 2>&1\n{hook}\nexec 1>&3 2>&4 3>&- 4>&-"),
    };
    let mut session = shell.rc().unhooked().before(&lines).start(&sandbox);
    assert_eq!(session.key(), "ASIATEST0001", "the control: it is there");
    assert_eq!(std::fs::read_to_string(sandbox.home().join("printed")).unwrap(), "");
    session.enter();
    assert_eq!(session.prompt(), format!("{SEGMENT} $ "));
}

fn nothing_on_a_dumb_terminal_but_text(shell: Shell) {
    let endpoint = Endpoint::start(599);
    // Colours, and the cursor's way to the right edge, which the hook would send to any other terminal.
    let ours = ["\u{1b}[32m", "\u{1b}7", "\u{1b}8"];
    for (terminal, dumb) in [("dumb", true), ("xterm-256color", false)] {
        for side in ["left", "right"] {
            let sandbox = Sandbox::in_cloudshell(&endpoint).with("TERM", terminal);
            let mut session = shell.rc().init(&format!("--prompt {side}")).start(&sandbox);
            assert_eq!(session.key(), "ASIATEST0001");
            session.enter();
            session.wait_for("the indicator", |session| session.rows()[session.row()].contains(SEGMENT));
            let sent = ours.iter().any(|code| session.raw().contains(code));
            assert_eq!(sent, !dumb, "{terminal}, {side}: {:?}", session.raw());
        }
    }
}

fn a_real_virtualenv(shell: Shell) {
    let endpoint = Endpoint::start(599);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    let made = sandbox.command("python3").args(["-m", "venv", "--without-pip", "env"]).output().unwrap();
    support::Run::of(made).ok();
    let mut session = shell.start(&sandbox);
    assert_eq!(session.key(), "ASIATEST0001");
    for _ in 0..2 {
        session.line(shell.pick("source ~/env/bin/activate", "source ~/env/bin/activate.fish"));
        for _ in 0..2 {
            session.enter();
            let prompt = session.prompt();
            assert_eq!((prompt.matches(SEGMENT).count(), prompt.matches("(env) ").count()), (1, 1), "{prompt}");
        }
        session.line("deactivate");
        session.enter();
        assert_eq!(session.prompt(), format!("{SEGMENT} $ "));
    }
    // Switched off while the environment is active, which is left afterwards.
    session.line(shell.pick("source ~/env/bin/activate", "source ~/env/bin/activate.fish"));
    session.line("credsh_off");
    assert_eq!(session.prompt(), "(env) $ ");
    session.line("deactivate");
    assert_eq!(session.prompt(), "$ ");
    assert_eq!(
        session.run(shell.pick("echo \"$PS1.\"", "functions fish_prompt | grep -c __credsh")),
        shell.pick("$ .", "0")
    );
}

fn a_restricted_shell_has_nothing_of_it(shell: Shell) {
    let endpoint = Endpoint::start(599);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    for restrict in [true, false] {
        let mut session = shell.rc().unhooked().start(&sandbox);
        let words = match shell {
            Shell::Bash => "bash --norc -i",
            Shell::Zsh | Shell::Fish => "zsh -f -i",
        };
        let set = shell.name().to_uppercase();
        let row = session.row();
        session.type_line(&format!(
            "{} {words} {}",
            if set == "BASH" { "PS1='$ '" } else { "PROMPT='$ '" },
            if restrict { "-r" } else { "" }
        ));
        session.wait_for("the other shell", |session| session.row() > row && session.at_prompt());
        session.run("PS1='$ '");
        assert_eq!(session.run(&shell.init("")), "");
        session.enter();
        let functions = session.run("typeset -f | grep -c __credsh_");
        assert_eq!(functions == "0", restrict, "{functions}: {}", session.text());
        assert_eq!(session.key().is_empty(), restrict);
    }
}

fn line_numbers_do_not_move(shell: Shell) {
    let [with, without] = both(shell, |rc, sandbox| {
        let mut session = rc.start(sandbox);
        session.key();
        let first = session.run("echo $LINENO");
        session.line("true");
        thread::sleep(Duration::from_secs(5));
        let numbers = session.run("echo $LINENO; f() { echo $LINENO; }; f");
        format!("{first} {numbers}")
    });
    assert_eq!(with, without);
}

fn a_right_prompt_of_the_users_stays(shell: Shell) {
    let rc = shell.pick("RPROMPT='theirs'", "function fish_right_prompt\n    echo theirs\nend");
    for (side, expected) in [
        ("left", "theirs"),
        ("right", if shell == Shell::Fish { "theirs [cloudshell 9m]" } else { "[cloudshell 9m]theirs" }),
    ] {
        let endpoint = Endpoint::start(599);
        let sandbox = Sandbox::in_cloudshell(&endpoint);
        let mut session = shell.rc().before(rc).init(&format!("--prompt {side}")).start(&sandbox);
        assert_eq!(session.key(), "ASIATEST0001");
        session.enter();
        let row = |session: &Session| session.rows()[session.row()].trim_end().to_owned();
        // zsh draws it after the left prompt.
        session
            .wait_for(side, |session| row(session).ends_with(expected) && row(session).matches(SEGMENT).count() == 1);
        session.run("credsh_off");
        session.wait_for("theirs alone", |session| row(session).ends_with("theirs") && !row(session).contains(SEGMENT));
        assert!(row(&session).starts_with('$'), "{}", row(&session));
        // Not only must the text be gone, but also what would show it.
        let left =
            session.run(shell.pick("print -r -- \"$RPROMPT\"", "functions fish_right_prompt | grep -c __credsh"));
        assert_eq!(left, shell.pick("theirs", "0"), "{side}");
    }
}

fn at_a_fresh_prompt_a_trace_shows_nothing_of_ours(shell: Shell) {
    for side in ["left", "right", "off"] {
        let endpoint = Endpoint::start(599);
        let sandbox = Sandbox::in_cloudshell(&endpoint);
        let mut session = shell.rc().init(&format!("--prompt {side}")).start(&sandbox);
        session.key();
        session.enter();
        let row = session.row();
        session.line("set -x");
        session.line("true");
        session.enter();
        let lines: Vec<String> =
            session.rows()[row..].iter().map(|row| row.trim_end().to_owned()).filter(|row| !row.is_empty()).collect();
        assert!(lines.iter().any(|line| line.starts_with('+') && line.ends_with("true")), "the control: {lines:?}");
        assert!(!lines.iter().any(|line| line.contains("credsh_")), "{side}: {lines:?}");
    }
}

/// bash does not export arrays, so nested shells would lose the user's command.
fn an_exported_prompt_command_stays_exported(shell: Shell) {
    for flags in ["", "--prompt off"] {
        let endpoint = Endpoint::start(599);
        let sandbox = Sandbox::in_cloudshell(&endpoint);
        let rc = shell.rc().before("export PROMPT_COMMAND='count=$((${count-0} + 1))'").init(flags);
        let mut session = rc.start(&sandbox);
        assert_eq!(session.key(), "ASIATEST0001");
        let shown = if flags.is_empty() { "[cloudshell 9m] $ " } else { "$ " };
        assert_eq!(session.prompt(), shown);
        // One without a hook, where nothing of credsh's may be called.
        let nested = "bash --norc -iu";
        session.type_line(&format!("PS1='nested ' {nested}"));
        session.wait_for("the shell in it", |session| session.prompt() == "nested ");
        session.type_line("PS1='$ '");
        session.wait_for("its prompt", Session::at_prompt);
        assert_eq!(session.run("echo $((count > 1))"), "1");
        // One with the hook, which must be in it only once.
        session.line(&shell.init(flags));
        session.enter();
        assert_eq!(session.prompt(), shown);
        assert_eq!(session.run("grep -o __credsh_stale <<<$PROMPT_COMMAND | wc -l"), "1");
        session.line("exit");
        session.line("credsh_off");
        assert_eq!(session.run("printenv PROMPT_COMMAND"), "count=$((${count-0} + 1))");
        assert!(!session.text().contains("unbound"), "{}", session.text());
    }
}

/// The check is not lost either if a tool that loads later runs it by itself, runs after it, or has removed it.
fn an_exported_prompt_command_has_the_check_at_its_end(shell: Shell) {
    let star = "star() { eval \"$before\"; PS1='star$ '; }";
    for (after, typed) in [
        (format!("{star}; before=$PROMPT_COMMAND; PROMPT_COMMAND=star"), ""),
        (format!("{star}; before=:; PROMPT_COMMAND=\"$PROMPT_COMMAND; star\""), ""),
        (String::new(), "PROMPT_COMMAND='count=5'; credsh refresh"),
    ] {
        let endpoint = Endpoint::start(599);
        let sandbox = Sandbox::in_cloudshell(&endpoint);
        let rc = shell.rc().before("export PROMPT_COMMAND='count=$((${count-0} + 1))'").after(&after);
        let mut session = rc.start(&sandbox);
        session.line(typed);
        assert_eq!(session.key(), "ASIATEST0001", "{after}");
        session.enter();
        session.enter();
        let prompt = if typed.is_empty() { "[cloudshell 9m] star$ " } else { "[cloudshell 9m] $ " };
        assert_eq!(session.prompt(), prompt, "{after}: {}", session.text());
        session.line("PS1='new$ '");
        session.enter();
        let prompt = if typed.is_empty() { prompt } else { "[cloudshell 9m] new$ " };
        assert_eq!(session.prompt(), prompt, "{after}: {}", session.text());
        session.line("credsh_off");
        assert!(!session.run("printenv PROMPT_COMMAND").contains("__credsh"), "{after}: {}", session.text());
        assert!(session.run("echo $count").parse::<u32>().unwrap() > 3, "{after}");
    }
}

fn prompts_that_are_not_expanded_hold_nothing_of_ours(shell: Shell) {
    let endpoint = Endpoint::start(599);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    for (before, typed) in [("shopt -u promptvars", ""), ("", "shopt -u promptvars")] {
        let mut session = shell.rc().before(before).start(&sandbox);
        session.until("credentials", |session| session.key() == "ASIATEST0001");
        session.line(typed);
        // So that the prompt is drawn anew.
        session.run("credsh refresh");
        assert_eq!(session.run("echo one"), "one", "{before}");
        assert_eq!(session.prompt(), "$ ", "{before}");
        session.line("shopt -s promptvars");
        session.run("credsh refresh");
        session.enter();
        assert_eq!(session.prompt(), "[cloudshell 9m] $ ", "{before}");
    }
}

fn a_shell_without_comments_has_all_of_it(shell: Shell) {
    let sandbox = Sandbox::new();
    sandbox.file(
        ".aws/config",
        r#"[profile dev]
credential_process = echo '{"Version":1,"AccessKeyId":"ASIATEST0001","SecretAccessKey":"test-secret","SessionToken":"t"}'
"#,
    );
    let mut session = shell.rc().after("shopt -u interactive_comments").start(&sandbox);
    assert_eq!(session.run("credsh refresh --profile dev"), "credsh: renewed: profile:dev");
    assert_eq!(session.key(), "ASIATEST0001");
    // What keeps the rest from being read at all is reported, as a failure.
    let mut session = shell.rc().after("shopt -s expand_aliases; alias fi=done").start(&sandbox);
    let seen = session.run("credsh refresh --profile dev || echo failed");
    assert!(
        seen.starts_with("credsh: this shell cannot read the rest of the hook") && seen.ends_with("failed"),
        "{seen}"
    );
}

fn what_a_trap_prints_is_not_taken_for_an_answer(shell: Shell) {
    let endpoint = Endpoint::start(599);
    endpoint.rotate(Rotation::Always);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    for theirs in [
        "set -T; trap 'echo heard' DEBUG",
        "shopt -s extdebug; trap 'echo heard' DEBUG",
        "set -E; trap 'echo heard' ERR; false",
    ] {
        let mut session = shell.rc().before(theirs).start(&sandbox);
        let key = session.var("TEMPORARY_AWS_ACCESS_KEY_ID");
        let seen = session.run("credsh refresh --force");
        assert!(seen.contains("credsh: renewed: cloudshell 9m") && !seen.contains("test-secret"), "{theirs}: {seen}");
        assert_ne!(session.var("TEMPORARY_AWS_ACCESS_KEY_ID"), key, "{theirs}");
    }
}
