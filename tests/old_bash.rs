//! What the hook does in a bash older than the one at hand: which clock it reads, and where it checks. The
//! script is told another version number, so this shows that the branch for it is taken and works here, but not
//! what that version cannot do.

mod support;

use std::thread;
use std::time::Duration;

use support::Sandbox;
use support::endpoint::{Endpoint, Rotation};
use support::pty::{Session, Shell};

/// 3.2 has SECONDS and a DEBUG trap; 4.2 adds a clock in printf, 4.4 PS0, 5.0 EPOCHSECONDS. In all of them
/// PROMPT_COMMAND is a single string.
const VERSIONS: [u32; 4] = [302, 402, 404, 500];

fn start(version: u32, sandbox: &Sandbox) -> Session {
    let told = format!("sed 's/BASH_VERSINFO.0. [*] 100 + BASH_VERSINFO.1./{version}/g'");
    Shell::Bash.rc().unhooked().after(&format!("eval \"$(credsh init bash | {told})\"")).start(sandbox)
}

#[test]
fn the_very_next_command_is_fresh_even_after_seconds_was_set() {
    thread::scope(|scope| {
        for version in VERSIONS {
            for set in ["true", "SECONDS=0", "SECONDS=-5000"] {
                scope.spawn(move || fresh_after(version, set));
            }
        }
    });
}

fn fresh_after(version: u32, set: &str) {
    let endpoint = Endpoint::start(5);
    let sandbox = Sandbox::in_cloudshell(&endpoint).with("CREDSH_WAIT", "20");
    let mut session = start(version, &sandbox);
    assert!(session.run("declare -p __credsh_clock").contains("clock"), "{version}: the hook is there");
    let first = session.key();
    assert!(first.starts_with("ASIATEST"), "{version}: {first}");
    endpoint.rotate(Rotation::Always);
    session.run(set);
    thread::sleep(Duration::from_secs(6));
    let next = session.run("printenv TEMPORARY_AWS_ACCESS_KEY_ID");
    assert!(next.starts_with("ASIATEST") && next != first, "{version}, {set}: {next}");
    assert!(session.prompt().starts_with("[cloudshell "), "{version}: {}", session.prompt());
}

#[test]
fn the_status_passes_through_the_one_string() {
    for version in VERSIONS {
        let endpoint = Endpoint::start(600);
        let sandbox = Sandbox::in_cloudshell(&endpoint);
        let mut session = start(version, &sandbox);
        session.run("PROMPT_COMMAND+=$'\\n''last=$?'");
        session.type_line("(exit 3)");
        assert_eq!(session.run("echo $last"), "3", "{version}");
        assert_eq!(session.run("echo $(__credsh_report)"), "prompt not-last preexec", "{version}");
        session.run("PROMPT_COMMAND=${PROMPT_COMMAND%$'\n'*}");
        assert_eq!(session.run("echo $(__credsh_report)"), "prompt preexec", "{version}");
        session.run("PROMPT_COMMAND+=$'\n''last=$?'");
        session.run("credsh_off");
        // Neither variables, functions nor traps are left.
        assert_eq!(session.run("compgen -v __credsh_; compgen -A function credsh; trap -p DEBUG URG"), "", "{version}");
        assert_eq!(session.run("echo ${PROMPT_COMMAND[*]}"), "last=$?", "{version}");
    }
}

#[test]
fn a_debug_trap_of_the_users_stays() {
    for version in [302, 402] {
        let endpoint = Endpoint::start(600);
        let sandbox = Sandbox::in_cloudshell(&endpoint);
        let told = format!("sed 's/BASH_VERSINFO.0. [*] 100 + BASH_VERSINFO.1./{version}/g'");
        let lines = format!("trap 'count=$((count+1))' DEBUG\neval \"$(credsh init bash | {told})\"");
        let mut session = Shell::Bash.rc().unhooked().after(&lines).start(&sandbox);
        assert_eq!(session.run("trap -p DEBUG"), "trap -- 'count=$((count+1))' DEBUG", "{version}");
    }
}
