//! Whatever the environment brings along is not the hook's own state: a parent that exports everything (`set -a`), or
//! anyone who sets such variables, can neither keep the hook out of a new shell nor make it evaluate their text.

mod support;

use support::Sandbox;
use support::endpoint::Endpoint;
use support::pty::Shell;

in_every_shell! {
    exported_state_is_not_taken_for_an_installed_hook
    a_nested_shell_of_one_that_exports_everything_has_the_hook
}

fn exported_state_is_not_taken_for_an_installed_hook(shell: Shell) {
    let endpoint = Endpoint::start(600);
    let mut sandbox = Sandbox::in_cloudshell(&endpoint);
    let trap = sandbox.home().join("evaluated");
    let code = format!("a[$(touch {})]", trap.display());
    sandbox.set("__credsh_installed", "1");
    for name in ["clock", "tick", "due", "exp", "asked", "window", "gate"] {
        sandbox.set(&format!("__credsh_{name}"), &code);
    }
    sandbox.set("EPOCHSECONDS", &code);
    let mut session = shell.start(&sandbox);
    assert_eq!(session.key(), "ASIATEST0001", "{}", session.text());
    session.run("credsh refresh");
    assert!(session.prompt().starts_with("[cloudshell "), "{}", session.text());
    assert!(!trap.exists(), "what the environment held was evaluated");
    session.run("credsh_off");
    session.enter();
    assert_eq!(session.prompt().trim_end(), "$");
}

fn a_nested_shell_of_one_that_exports_everything_has_the_hook(shell: Shell) {
    let endpoint = Endpoint::start(600);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    let everything = match shell {
        Shell::Bash => "set -a",
        Shell::Zsh => "for name in ${(k)parameters[(I)__credsh_*]}; do export $name; done",
        Shell::Fish => "for name in (set -n | string match '__credsh_*'); set -gx $name $$name; end",
    };
    let mut session = match shell {
        // Before the hook, so that bash exports its functions too.
        Shell::Bash => shell.rc().before(everything).start(&sandbox),
        Shell::Zsh | Shell::Fish => shell.rc().after(everything).start(&sandbox),
    };
    assert_ne!(session.var("__credsh_exe"), "", "the control: it is exported");
    let row = session.row();
    session.type_line(&format!("exec env -u CREDSH_LEASE -u TEMPORARY_AWS_ACCESS_KEY_ID {} -i", shell.name()));
    session.wait_for("the next shell", |session| session.row() > row && session.at_prompt());
    assert_eq!(session.key(), "ASIATEST0001", "{}", session.text());
    assert!(session.prompt().starts_with("[cloudshell "), "{}", session.text());
}
