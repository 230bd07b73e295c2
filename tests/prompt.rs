//! The indicator: where it is, that it is there only once, and that lines are edited beside it as if it were not there.

mod support;

use support::Sandbox;
use support::endpoint::Endpoint;
use support::pty::{Session, Shell};

in_every_shell! {
    left_right_or_off
    not_doubled_when_the_user_changes_the_prompt
    not_doubled_by_a_virtualenv
    not_doubled_by_a_tool_that_sets_the_prompt_each_time
    a_long_line_is_edited_beside_it
    variable_and_command_say_the_same
    no_colour_where_none_is_wanted
}

in_shells! { what_the_prompt_function_is_called_with_reaches_the_users: fish Fish }
in_shells! { a_tool_that_came_later_and_sets_the_prompt_each_time_goes_first: bash Bash, zsh Zsh }

const SEGMENT: &str = "[cloudshell 9m]";

/// A shell that holds a lease and shows it. It lives 599 s, as the indicator would change from 10m after one second.
fn shown(shell: Shell, sandbox: &Sandbox, args: &str) -> Session {
    let mut session = shell.rc().init(args).start(sandbox);
    assert_eq!(session.key(), "ASIATEST0001");
    session
}

fn left_right_or_off(shell: Shell) {
    let endpoint = Endpoint::start(599);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    let mut session = shown(shell, &sandbox, "");
    session.enter();
    assert_eq!(session.prompt(), format!("{SEGMENT} $ "));
    assert_eq!(color(&session, 1), vt100::Color::Idx(2), "green while it is fresh");

    let mut session = shown(shell, &sandbox, "--prompt right");
    session.enter();
    assert_eq!(session.prompt(), "$ ");
    // zsh draws it after the left prompt.
    session.wait_for("the right prompt", |session| session.rows()[session.row()].contains(SEGMENT));
    let row = session.rows()[session.row()].clone();
    let (before, after) = row.split_once(SEGMENT).unwrap_or_else(|| panic!("no segment in {row}"));
    assert_eq!((before.trim_end(), after.trim_end()), ("$", ""));
    assert!(row.trim_end().len() >= 198, "at the right edge: {}", row.len());
    assert_eq!(session.var("CREDSH_PROMPT"), "cloudshell 9m");

    let mut session = shown(shell, &sandbox, "--prompt off");
    session.enter();
    assert_eq!(session.rows()[session.row()].trim_end(), "$");
    assert_eq!(session.var("CREDSH_PROMPT"), "cloudshell 9m");
}

fn not_doubled_when_the_user_changes_the_prompt(shell: Shell) {
    let endpoint = Endpoint::start(599);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    let mut session = shown(shell, &sandbox, "");
    let (outright, added) = match shell {
        Shell::Bash => ("PS1='new$ '", "PS1=\"mine $PS1\""),
        Shell::Zsh => ("PROMPT='new$ '", "PROMPT=\"mine $PROMPT\""),
        Shell::Fish => (
            "function fish_prompt; echo -n 'new$ '; end",
            "functions -c fish_prompt theirs; function fish_prompt; echo -n 'mine '; theirs; end",
        ),
    };
    session.run(outright);
    // fish does not notice that its prompt function was replaced before the new one has run.
    session.enter();
    assert_eq!(session.prompt(), format!("{SEGMENT} new$ "));
    session.run(added);
    session.enter();
    // In fish, whoever names the function finds the user's own.
    let wanted = shell.pick(format!("mine {SEGMENT} new$ "), format!("{SEGMENT} mine new$ "));
    assert_eq!(session.prompt(), wanted);
    session.run(outright);
    session.enter();
    assert_eq!(session.prompt(), format!("{SEGMENT} new$ "));
}

fn not_doubled_by_a_virtualenv(shell: Shell) {
    let endpoint = Endpoint::start(599);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    // As venv's `activate` scripts do it.
    let (activate, deactivate) = match shell {
        Shell::Bash | Shell::Zsh => (
            "_OLD_VIRTUAL_PS1=\"${PS1:-}\"; PS1=\"(venv) ${PS1:-}\"",
            "PS1=\"${_OLD_VIRTUAL_PS1:-}\"; unset _OLD_VIRTUAL_PS1",
        ),
        Shell::Fish => (
            "functions -c fish_prompt _old_fish_prompt; function fish_prompt; printf '(venv) '; _old_fish_prompt; end",
            "functions -e fish_prompt; functions -c _old_fish_prompt fish_prompt; functions -e _old_fish_prompt",
        ),
    };
    sandbox.file("activate", activate);
    sandbox.file("deactivate", deactivate);
    let mut session = shown(shell, &sandbox, "");
    for _ in 0..3 {
        session.run("source ~/activate");
        session.enter();
        assert_eq!(once(&session.prompt()), "(venv) $ ");
        session.run("source ~/deactivate");
        session.enter();
        assert_eq!(session.prompt(), format!("{SEGMENT} $ "));
    }
    // Activated before there is anything to show, and left afterwards.
    let mut session = shell.rc().after(activate).start(&sandbox);
    session.key();
    session.enter();
    assert_eq!(once(&session.prompt()), "(venv) $ ");
    session.run(deactivate);
    session.enter();
    assert_eq!(session.prompt(), format!("{SEGMENT} $ "));
    session.run("credsh_off");
    assert_eq!(session.prompt(), "$ ");
}

fn not_doubled_by_a_tool_that_sets_the_prompt_each_time(shell: Shell) {
    let endpoint = Endpoint::start(599);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    let tool = match shell {
        Shell::Bash => "tool() { PS1='tool$ '; }\nPROMPT_COMMAND=\"tool${PROMPT_COMMAND:+;$PROMPT_COMMAND}\"",
        Shell::Zsh => "tool() { PROMPT='tool$ ' }\nprecmd_functions=(tool $precmd_functions)",
        Shell::Fish => {
            "function tool --on-event fish_prompt\n    function fish_prompt\n        echo -n 'tool$ '\n    end\nend"
        }
    };
    let mut started = vec![shell.rc().before(tool)];
    // In fish the last handler of the prompt event wins, and a function cannot be seen to change.
    if shell != Shell::Fish {
        started.push(shell.rc().after(tool));
    }
    for rc in started {
        let mut session = rc.start(&sandbox);
        session.key();
        for _ in 0..3 {
            session.enter();
            // In fish at every second prompt: see above.
            if shell == Shell::Fish && session.prompt() == "tool$ " {
                session.enter();
            }
            assert_eq!(session.prompt(), format!("{SEGMENT} tool$ "));
        }
    }
}

/// fish 4 calls it once more for a line that is finished, and says so in an argument.
fn what_the_prompt_function_is_called_with_reaches_the_users(shell: Shell) {
    let endpoint = Endpoint::start(599);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    let rc =
        ["fish_prompt", "fish_right_prompt"].map(|name| format!("function {name}; echo -n \"$argv[1]\\$ \"; end\n"));
    for (side, name) in [("left", "fish_prompt"), ("right", "fish_right_prompt")] {
        let mut session = shell.rc().before(&rc.concat()).init(&format!("--prompt {side}")).start(&sandbox);
        assert_eq!(session.key(), "ASIATEST0001");
        // Not called by its name, or the wrapper would step aside.
        session.run(&format!("set -g drawer {name}"));
        let drawn = session.run("$drawer --final-rendering");
        assert!(drawn.contains("--final-rendering$") && drawn.contains(SEGMENT), "{drawn}");
    }
}

/// As liquidprompt and powerlevel9k do; or only a part of the prompt, as zsh's manual has it for `vcs_info`.
fn a_tool_that_came_later_and_sets_the_prompt_each_time_goes_first(shell: Shell) {
    let endpoint = Endpoint::start(599);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    let (tools, hooks) = match shell {
        Shell::Bash => (&["tool() { PS1='tool$ '; }\nPROMPT_COMMAND+=(tool)"][..], "echo ${PROMPT_COMMAND[@]}"),
        _ => (
            &[
                "tool() { PROMPT='tool$ ' }\nprecmd_functions+=(tool)",
                "tool() { psvar=() }\nPROMPT='tool$ '\nprecmd_functions+=(tool)",
            ][..],
            "echo $precmd_functions",
        ),
    };
    for tool in tools {
        let mut session = shell.rc().after(tool).start(&sandbox);
        session.key();
        for _ in 0..3 {
            session.enter();
            assert_eq!(session.prompt(), format!("{SEGMENT} tool$ "), "{tool}");
        }
        assert_eq!(session.run("credsh_off"), "");
        assert_eq!(session.prompt(), "tool$ ");
        assert_eq!(session.run(hooks), "tool");
    }
}

fn a_long_line_is_edited_beside_it(shell: Shell) {
    let endpoint = Endpoint::start(599);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    for side in ["--prompt left", "--prompt right"] {
        let mut session = shell.rc().init(side).size(40, 60).start(&sandbox);
        session.until("the indicator", |session| {
            session.enter();
            session.text().contains(SEGMENT)
        });
        let words = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen";
        let (row, prompt) = (session.row(), session.prompt());
        assert_eq!(color(&session, 1) == vt100::Color::Idx(2), side == "--prompt left", "with colour");
        session.send(format!("cho {words}").as_bytes());
        session.wait_for("the typed line", |session| session.text().ends_with("fourteen"));
        // Home, and then the missing letter.
        session.send(b"\x01e");
        let line = format!("{prompt}echo {words}");
        let column = prompt.len() + 1;
        session.wait_for("the edited line, and the cursor after its first letter", |session| {
            usize::from(session.screen().cursor_position().1) == column && typed(session, row).starts_with(&line)
        });
        session.type_line("");
        session.wait_for("the output, whole, below the line", |session| session.row() > row + 2 && session.at_prompt());
        assert_eq!(
            typed(&session, row).strip_prefix(&line),
            Some(&*format!("{words}{}", session.prompt().trim_end())),
            "{side}: {}",
            session.text()
        );
    }
}

fn variable_and_command_say_the_same(shell: Shell) {
    let endpoint = Endpoint::start(100);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    let mut session = shown(shell, &sandbox, "");
    // The variable is that of the moment when the prompt appeared. If a second has passed since, this is repeated.
    session.until("the same text", |session| {
        session.enter();
        let said = session.run("echo $CREDSH_PROMPT; credsh prompt");
        let (variable, command) = said.split_once('\n').unwrap();
        assert!(command.starts_with("cloudshell ") && command.ends_with('s'), "{said}");
        variable == command
    });
}

fn no_colour_where_none_is_wanted(shell: Shell) {
    let endpoint = Endpoint::start(599);
    for (name, value) in [("NO_COLOR", "1"), ("TERM", "dumb")] {
        let sandbox = Sandbox::in_cloudshell(&endpoint).with(name, value);
        let mut session = shown(shell, &sandbox, "");
        session.enter();
        assert_eq!(session.prompt(), format!("{SEGMENT} $ "));
        assert_eq!(color(&session, 1), vt100::Color::Default, "{name}");
    }
}

/// The prompt without the segment, which must be in it exactly once.
fn once(prompt: &str) -> String {
    assert_eq!(prompt.matches("cloudshell").count(), 1, "{prompt}");
    prompt.replacen(&format!("{SEGMENT} "), "", 1)
}

/// The text from `row` on, without line ends, padding and a right prompt.
fn typed(session: &Session, row: usize) -> String {
    let columns = session.screen().size().1;
    let rows = session.screen().rows(0, columns).skip(row);
    rows.map(|row| row.replace(SEGMENT, if row.starts_with(SEGMENT) { SEGMENT } else { "" }))
        .map(|row| row.trim_end().to_owned())
        .collect()
}

/// The colour of a character on the cursor's line.
fn color(session: &Session, column: u16) -> vt100::Color {
    let row = session.screen().cursor_position().0;
    session.screen().cell(row, column).unwrap().fgcolor()
}
