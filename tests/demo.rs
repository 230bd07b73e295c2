//! `credsh demo`: without a terminal it plays its session in a real bash, and its exit status says whether everything was
//! seen; on a terminal its shell is for the user to type in.

mod support;

use std::os::unix::fs::PermissionsExt;

use support::pty::Session;
use support::{CREDSH, Run, Sandbox};

#[test]
fn the_played_session_shows_all_of_it() {
    let sandbox = Sandbox::new();
    // A directory of its own for the demo's files, to see that they are removed.
    let tmp = sandbox.home().join("tmp");
    std::fs::create_dir(&tmp).unwrap();
    let run = Run::of(sandbox.command(support::CREDSH).arg("demo").env("TMPDIR", &tmp).output().unwrap());
    let out = run.ok();
    for seen in [
        "# ok: the variables are set automatically\n",
        "# ok: the countdown went from ",
        "# ok: they were renewed automatically, ",
        "# ok: after the idle time they were renewed before the very next command\n",
        "ASIADEMO0001",
        "ASIADEMO0002",
        "ASIADEMO0003",
        "# everything happened as it should\n",
    ] {
        assert!(out.contains(seen), "no {seen:?} in {out}");
    }
    assert!(!out.contains("demo-secret"), "{out}");
    assert_eq!(std::fs::read_dir(&tmp).unwrap().count(), 0, "nothing is left behind");
    assert_eq!(sandbox.stored(), [""; 0], "and the user's own store was not touched");
}

/// The README's example: a role can be assumed in the demo's shell.
#[test]
fn a_role_is_to_be_had_in_its_shell() {
    let sandbox = Sandbox::new().with("SHELL", "/bin/bash");
    sandbox.file(".bashrc", "PS1='$ '\n");
    let mut session = Session::open("bash", &[CREDSH, "demo"], (24, 160), &sandbox);
    session.run("credsh refresh --role arn:aws:iam::123456789012:role/deploy");
    assert!(session.prompt().starts_with("[role:deploy "), "{}", session.text());
    let first = session.key();
    assert!(first.starts_with("ASIADEMOROLE"), "{first}");
    session.until("the role's next key", |session| session.key() != first);
    assert!(session.key().starts_with("ASIADEMOROLE"), "{}", session.text());
    session.run("credsh whoami >who; cat who");
    assert!(session.text().contains("arn:aws:sts::123456789012:assumed-role/demo/credsh"), "{}", session.text());
}

/// The control: in a bash that does not load the hook, the demo fails.
#[test]
fn without_the_hook_it_fails() {
    let sandbox = Sandbox::new();
    let bash = sandbox.file("bin/bash", "#!/bin/sh\nPS1='$ ' exec /bin/bash --norc --noprofile -i\n");
    std::fs::set_permissions(&bash, std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:/usr/bin:/bin", bash.parent().unwrap().display());
    let run = Run::of(sandbox.command(support::CREDSH).arg("demo").env("PATH", path).output().unwrap());
    assert_eq!(run.status, 1, "{run:?}");
    assert_eq!(run.stderr, "credsh: the demo did not show: the variables are set automatically\n");
}
