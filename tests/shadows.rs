//! Functions and aliases of the user's with the names of builtins: the hook never calls any of them, whatever it does.
//! Names that a shell lets nobody define (fish's `test`) are left out.

mod support;

use std::thread;
use std::time::Duration;

use support::endpoint::{Endpoint, Rotation};
use support::others::Other;
use support::pty::{Hooked, Session, Shell};
use support::{Run, Sandbox};

in_every_shell! { functions_with_the_names_of_builtins_are_not_called }
in_shells! { where_builtin_is_a_function_it_says_so_and_is_not_there: bash Bash, zsh Zsh }
in_every_shell! { readonly_variables_with_everyday_names_are_the_users }

/// The names, except `eval` and fish's `source`, which the line in the start-up file calls itself, and bash's `declare`,
/// with which the hook looks for a function named `builtin`. Each function leaves a file behind and fails.
fn names(shell: Shell) -> &'static [&'static str] {
    match shell {
        Shell::Bash => &[
            "printf", "read", "command", "test", "[", "local", "export", "unset", "trap", "typeset", "kill", "shopt",
            "set", "source", ".", ":", "readonly", "return", "exec", "shift", "type", "compgen", "hash", "true",
            "false", "cd", "umask", "date", "env", "cat", "sed", "logout", "times",
        ],
        Shell::Zsh => &[
            "printf",
            "print",
            "read",
            "command",
            "test",
            "[",
            "export",
            "unset",
            "trap",
            "emulate",
            "zmodload",
            "kill",
            "set",
            "setopt",
            "source",
            ".",
            ":",
            "return",
            "exec",
            "shift",
            "unfunction",
            "autoload",
            "zle",
            "true",
            "false",
            "cd",
            "date",
            "env",
            "cat",
            "whence",
            "type",
            "functions",
        ],
        Shell::Fish => &[
            "printf",
            "echo",
            "math",
            "count",
            "contains",
            "set_color",
            "functions",
            "path",
            "true",
            "false",
            "emit",
            "cd",
            "block",
            "random",
            "date",
            "env",
            "cat",
        ],
    }
}

fn shadows(shell: Shell) -> String {
    let one = |name: &&str| match shell {
        // fish's own functions call them too. These only count if the caller is one of the hook's functions, or
        // the prompt that it made.
        Shell::Fish => {
            let real = if ["date", "env", "cat"].contains(name) { "command" } else { "builtin" };
            format!(
                "function {name}\n    set -l callers (status stack-trace | string match -r \"^in function '[^']*\")\n    if string match -qr \"'(__credsh(?!_inner)|fish_prompt)\" -- $callers[2]\n        command touch ~/called-{name}\n        return 1\n    end\n    {real} {name} $argv\nend\n"
            )
        }
        // In these shells a function can do without calling anything that might be one of them.
        Shell::Bash => format!("function {name} {{ /bin/touch ~/'called-{name}'; ! [[ a ]]; }}\n"),
        Shell::Zsh => format!("function '{name}' {{ /bin/touch ~/'called-{name}'; ! [[ a ]] }}\n"),
    };
    let prompt = shell.pick("", "function fish_prompt\n    builtin echo -n '$ '\nend\n");
    names(shell).iter().map(one).chain([prompt.to_owned()]).collect()
}

fn called(sandbox: &Sandbox) -> Vec<String> {
    let names = std::fs::read_dir(sandbox.home()).unwrap().map(|entry| entry.unwrap().file_name());
    names.filter_map(|name| name.to_str().unwrap().strip_prefix("called-").map(str::to_owned)).collect()
}

/// Takes a lease through its life: it appears, is renewed in the background, before a command and on
/// request, and is cleared.
fn live(session: &mut Session, endpoint: &Endpoint, case: &str) {
    assert_eq!(session.key(), "ASIATEST0001", "{case}\n{}", session.text());
    thread::sleep(Duration::from_secs(3));
    session.until("the adoption", |session| {
        session.enter();
        session.key() == "ASIATEST0002"
    });
    thread::sleep(Duration::from_secs(7));
    assert_eq!(session.key(), endpoint.key(), "{case}\n{}", session.text());
    session.run("credsh refresh --force");
    assert_eq!(session.key(), endpoint.key(), "{case}\n{}", session.text());
    session.run("credsh refresh --profile nobody");
    session.run("credsh doctor");
    session.run("credsh clear");
    assert_eq!(session.key(), "", "{case}\n{}", session.text());
}

fn functions_with_the_names_of_builtins_are_not_called(shell: Shell) {
    thread::scope(|scope| {
        for after in [false, true] {
            scope.spawn(move || {
                let endpoint = Endpoint::start(6);
                let sandbox = Sandbox::in_cloudshell(&endpoint)
                    .with("CREDSH_WAIT", "20")
                    .with("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:9");
                sandbox.file("shadows", &shadows(shell));
                let load = shell.pick(". ~/shadows", "source ~/shadows");
                let case = format!("{shell:?}, after: {after}");
                let rc = if after { shell.rc().after(load) } else { shell.rc().before(load) };
                let mut session = rc.start(&sandbox);
                live(&mut session, &endpoint, &case);
                session.run("credsh_off");
                assert_eq!(session.prompt(), "$ ", "{case}");
                assert_eq!(called(&sandbox), Vec::<String>::new(), "{case}");
                session.run(shell.pick("printf x", "function __credsh; printf 'x\\n'; end; __credsh"));
                assert_eq!(called(&sandbox), ["printf"], "the control: they are in place");
            });
        }
    });
}

/// nu reads the hook after config.nu, so a name in it means whatever config.nu has defined.
#[test]
fn aliases_with_the_names_of_nus_commands_are_not_called() {
    let endpoint = Endpoint::start(6);
    let sandbox =
        Sandbox::in_cloudshell(&endpoint).with("CREDSH_WAIT", "20").with("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:9");
    let list = "scope commands | where type == built-in | get name | str join \"\\n\"";
    let names =
        Run::of(sandbox.command(Other::Nu.program()).args(["--no-config-file", "-c", list]).output().unwrap()).ok();
    let aliases: Vec<String> = names
        .lines()
        // nu itself runs programs by this one: with an alias of it no program could be run.
        .filter(|name| *name != "run-external")
        .map(|name| format!("alias '{name}' = ^touch '{}/called-{name}'", sandbox.home().display()))
        .collect();
    assert!(aliases.len() > 300, "{names}");
    // nu's own hook is text, which contains them too.
    let none = "$env.config.hooks.display_output = null";
    let lines = format!("{}\n{none}\n{}", Other::Nu.init(""), aliases.join("\n"));
    let mut session = Other::Nu.start_with(&lines, &sandbox);
    live(&mut session, &endpoint, "nu");
    session.run("credsh_off");
    assert_eq!(session.prompt(), "$ ", "{}", session.text());
    assert_eq!(called(&sandbox), Vec::<String>::new());
    session.run("ls");
    assert_eq!(called(&sandbox), ["ls"], "the control: they are in place");
}

fn where_builtin_is_a_function_it_says_so_and_is_not_there(shell: Shell) {
    for theirs in ["builtin() { command builtin \"$@\"; }", "builtin() { false; }"] {
        let endpoint = Endpoint::start(600);
        let sandbox = Sandbox::in_cloudshell(&endpoint);
        let mut session = shell.rc().before(theirs).start(&sandbox);
        assert_eq!(session.key(), "");
        let rows: Vec<String> = session.text().lines().map(|row| row.trim_end().to_owned()).collect();
        assert_eq!(rows[0], "credsh: not set up: this shell has a function named `builtin`", "{rows:?}");
        assert!(rows[1..].iter().all(|row| row.starts_with('$') || row == "END1"), "{rows:?}");
        assert_eq!(session.run("typeset -f | grep -c credsh"), "0");
        // The control.
        session.run(&format!("unset -f builtin; {}", shell.init("")));
        assert_eq!(session.key(), "ASIATEST0001");
    }
}

/// bash allows no function a local variable with the name of a readonly one, and goes on with the user's value.
fn readonly_variables_with_everyday_names_are_the_users(shell: Shell) {
    let names = "p code now file left time color tick theirs i status version name last opts outer all first line facts \
                 locked commands urg inherited was lease text gap end found state";
    let theirs: Vec<String> = names
        .split_whitespace()
        // These are zsh's and fish's own.
        .filter(|name| shell == Shell::Bash || !["status", "commands"].contains(name))
        .map(|name| match shell {
            Shell::Fish => format!("set -g {name} /theirs"),
            _ => format!("readonly {name}=/theirs"),
        })
        .chain(Some("readonly IFS".to_owned()).filter(|_| shell == Shell::Bash))
        .collect();
    let endpoint = Endpoint::start(599);
    endpoint.rotate(Rotation::Always);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    let mut session = shell.rc().before(&theirs.join("\n")).start(&sandbox);
    assert_eq!(session.key(), "ASIATEST0001", "{}", session.text());
    assert_eq!(session.prompt(), "[cloudshell 9m] $ ", "{}", session.text());
    assert_eq!(session.run("credsh refresh --force"), "credsh: renewed: cloudshell 9m");
    assert_eq!(session.key(), "ASIATEST0002", "{}", session.text());
    assert_eq!(session.run("echo $p"), "/theirs");
    assert_eq!(session.run("credsh_off"), "", "{}", session.text());
    assert_eq!(session.key(), "");
    let text = session.text();
    assert!(!text.contains("readonly") && !text.contains("test-secret") && !text.contains("__credsh"), "{text}");
}
