//! What the hook relies on can disappear, or be replaced, while a shell runs: the program, and the files of the store.

mod support;

use std::os::unix::fs::symlink;
use std::time::Duration;

use support::Sandbox;
use support::endpoint::Endpoint;
use support::pty::Shell;

in_every_shell! {
    a_program_that_is_gone_is_one_line
    a_link_is_not_adopted
}
in_shells! { a_dumb_terminal_has_its_indicator_left: bash Bash }

fn a_program_that_is_gone_is_one_line(shell: Shell) {
    let endpoint = Endpoint::start(4);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    let program = sandbox.home().join("credsh");
    // A link and not a copy: a copy cannot be run while another test's fork still holds it open for writing.
    std::os::unix::fs::symlink(support::CREDSH, &program).unwrap();
    let hook = shell.init("").replace("credsh init", &format!("{} init", program.display()));
    let mut session = shell.rc().unhooked().after(&hook).start(&sandbox);
    assert_eq!(session.key(), "ASIATEST0001");
    std::fs::remove_file(&program).unwrap();
    std::thread::sleep(Duration::from_secs(5));
    let said = session.run("echo ran");
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines.len(), 2, "{said}");
    assert!(lines[0].contains(program.to_str().unwrap()) && lines[1] == "ran", "{said}");
    assert_eq!(session.run("echo ran"), "ran", "and not again at once");
    for command in ["credsh status", "credsh refresh", "credsh clear"] {
        let said = session.run(command);
        assert!(said.lines().count() == 1 && said.contains(program.to_str().unwrap()), "{command}: {said}");
    }
}

fn a_link_is_not_adopted(shell: Shell) {
    let endpoint = Endpoint::start(6);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    let mut session = shell.start(&sandbox);
    let lease = session.var("CREDSH_LEASE");
    let marker = sandbox.home().join("sourced");
    let other = sandbox.file("notes", &format!("touch {}\n", marker.display()));
    let file = sandbox.store().join(format!("{lease}.{}", shell.pick("sh", "fish")));
    std::fs::remove_file(&file).unwrap();
    symlink(&other, &file).unwrap();
    std::thread::sleep(Duration::from_secs(4));
    session.enter();
    assert_eq!(session.run("echo ran"), "ran");
    assert!(!marker.exists(), "a file that a link names was run");
}

fn a_dumb_terminal_has_its_indicator_left(shell: Shell) {
    // Not 600: the indicator would go from 10m to 9m after one second.
    let endpoint = Endpoint::start(599);
    let sandbox = Sandbox::in_cloudshell(&endpoint).with("TERM", "dumb");
    let mut session = shell.rc().init("--prompt right").start(&sandbox);
    session.run("echo ran");
    session.enter();
    assert_eq!(session.prompt(), "[cloudshell 9m] $ ", "{}", session.text());
    assert!(!session.raw().contains('\u{1b}'), "{:?}", session.raw());
}

#[test]
fn a_lease_that_is_gone_is_told_where_nothing_else_is_found() {
    let run = Sandbox::new().credsh(&["hook", "--shell=bash", "--lease=0123456789abcdef", "--wait"]);
    assert!(run.stderr.starts_with("credsh: this shell's lease was cleared"), "{run:?}");
    assert_eq!(run.stdout.trim_end(), "__credsh_drop");
}
