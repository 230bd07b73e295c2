//! The hook in real shells: credentials appear, are renewed, and survive idling, failures and nested shells. Each
//! scenario runs in all six shells. What each kind of fault does is in `fault_shells.rs`.

mod support;

use std::thread;
use std::time::Duration;

use support::Sandbox;
use support::endpoint::{Behaviour, Endpoint, TOKEN};
use support::pty::{Hooked, Session};

in_all_six_shells! {
    appears_by_itself
    changes_by_itself_before_expiry
    idle_past_expiry_and_the_very_next_command_sees_fresh_values
    nested_shell_goes_on_with_the_lease
    clear_removes_variables_and_indicator
    endpoint_down_keeps_the_old_and_recovers_by_itself
    endpoint_hanging_stops_neither_prompt_nor_command
    ctrl_c_ends_the_wait
    ctrl_z_stops_nothing
    failure_shows_no_secret
    outside_cloudshell_says_and_does_nothing
    without_a_store_it_is_renewed_all_the_same
    a_lease_cleared_elsewhere_is_told_and_dropped
}

fn without_a_store_it_is_renewed_all_the_same(shell: impl Hooked) {
    let endpoint = Endpoint::start(6);
    let sandbox = Sandbox::in_cloudshell(&endpoint).with("CREDSH_WAIT", "20");
    let mut session = shell.start_with(&shell.init("--no-store"), &sandbox);
    assert_eq!(session.key(), "ASIATEST0001");
    thread::sleep(Duration::from_secs(7));
    assert_eq!(session.key(), "ASIATEST0002", "from what `init` was told");
    let mut session = shell.start_with(&shell.init("--no-auto"), &sandbox);
    assert_eq!(session.key(), "");
    session.run("credsh refresh --no-store --source container");
    let first = session.key();
    assert!(first.starts_with("ASIATEST"), "{first}");
    thread::sleep(Duration::from_secs(7));
    let second = session.key();
    assert!(second.starts_with("ASIATEST") && second != first, "from what `refresh` was told: {second}");
    assert_eq!(sandbox.stored(), ["clock"]);
}

fn a_lease_cleared_elsewhere_is_told_and_dropped(shell: impl Hooked) {
    let endpoint = Endpoint::start(600);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    // Not the lease that `init` would ask for: once this one is gone, there is no request left to repeat.
    let json =
        r#"{"Version":1,"AccessKeyId":"ASIAPROCESS","SecretAccessKey":"s","SessionToken":"t","Expiration":"%s"}"#;
    let process = sandbox.file("process", &format!("printf '{json}' $(date -u -d '+6 sec' +%Y-%m-%dT%H:%M:%SZ)\n"));
    sandbox.file(".aws/config", &format!("[profile short]\ncredential_process = sh {}\n", process.display()));
    let mut session = shell.start_with(&shell.init("--no-auto"), &sandbox);
    session.run("credsh refresh --profile short");
    assert_eq!(session.key(), "ASIAPROCESS");
    // From outside, so that no shell is told.
    sandbox.credsh(&["clear", "--all"]).ok();
    thread::sleep(Duration::from_secs(7));
    session.run("echo ran");
    assert!(session.text().contains("credsh: this shell's lease was cleared; run `credsh refresh` again"));
    assert_eq!((session.key(), session.var("CREDSH_LEASE")), (String::new(), String::new()));
    session.wait_for_prompt("$ ");
}

fn appears_by_itself(shell: impl Hooked) {
    let endpoint = Endpoint::start(600);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    let mut session = shell.start(&sandbox);
    assert_eq!(session.key(), "ASIATEST0001", "the very first command has them");
    assert_eq!(session.var("TEMPORARY_AWS_SECRET_ACCESS_KEY"), "test-secret-1");
    assert_eq!(session.var("TEMPORARY_AWS_SESSION_TOKEN"), "test-token-1");
    assert!(session.var("TEMPORARY_AWS_CREDENTIAL_EXPIRATION").ends_with('Z'));
    assert_eq!(session.var("CREDSH_SOURCE"), "cloudshell");
    assert_eq!(session.var("CREDSH_LEASE").len(), 16);
    assert!(session.var("CREDSH_PROMPT").starts_with("cloudshell "));
    assert_eq!(session.var("AWS_ACCESS_KEY_ID"), "", "the chain of the shell's own AWS CLI is left alone");
    assert_eq!(session.run("sh -c 'env | grep -i __credsh || :'"), "", "and no child sees more than that");
    assert_eq!(endpoint.count(), 1, "one request serves them all");

    // Prompts are enough, without any command.
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    let mut session = shell.start(&sandbox);
    session.until("the indicator at a prompt", |session| {
        session.enter();
        session.prompt().starts_with("[cloudshell ")
    });
}

fn changes_by_itself_before_expiry(shell: impl Hooked) {
    let endpoint = Endpoint::start(20);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    let mut session = shell.start(&sandbox);
    assert_eq!(session.key(), "ASIATEST0001");
    // At ten seconds it is due: the prompt that appears then must renew it, with nothing typed.
    session.run("sh -c 'sleep 11'");
    session.until("the countdown", |session| {
        session.look();
        left(session) <= 10
    });
    session.until("the question", |_| endpoint.count() > 1);
    session.until("the adoption", |session| {
        session.enter();
        left(session) > 10
    });
    assert_eq!(session.var("TEMPORARY_AWS_SECRET_ACCESS_KEY"), "test-secret-2", "{}", session.text());
    assert!(!session.raw().contains("expired"), "the old one was valid until the new one was there");
    assert_eq!(endpoint.count(), 2, "and the source was asked once for it");
    assert!(!session.raw().contains("[1]"), "no job to be told of");
}

/// Programs that print the variable KEY, in the forms that a command may have. Forms that only some shells
/// have are tested only there.
fn forms(shell: impl Hooked) -> Vec<&'static str> {
    match shell.name() {
        "bash" | "zsh" => vec![
            "printenv KEY",
            "( printenv KEY )",
            "printenv KEY | cat",
            "{ printenv KEY; }",
            "for i in 1; do printenv KEY; done",
            "echo $(printenv KEY)",
        ],
        "fish" => vec![
            "printenv KEY",
            "sh -c 'printenv KEY'",
            "printenv KEY | cat",
            "begin; printenv KEY; end",
            "for i in 1; printenv KEY; end",
            "echo (printenv KEY)",
        ],
        _ => vec!["printenv KEY", "printenv KEY | cat"],
    }
}

fn idle_past_expiry_and_the_very_next_command_sees_fresh_values(shell: impl Hooked) {
    thread::scope(|scope| {
        for form in forms(shell) {
            scope.spawn(move || {
                let endpoint = Endpoint::start(4);
                let sandbox = Sandbox::in_cloudshell(&endpoint);
                let mut session = shell.start(&sandbox);
                let first = session.key();
                let seen = idle_past_expiry(&mut session, &form.replace("KEY", "TEMPORARY_AWS_ACCESS_KEY_ID"));
                assert_ne!(seen, first, "{form}");
                assert_eq!(seen, endpoint.key(), "{form}");
                // The command that waited also sees when its credentials end.
                assert_ne!(session.var("CREDSH_PROMPT"), "cloudshell expired", "{form}");
            });
        }
    });
}

fn nested_shell_goes_on_with_the_lease(shell: impl Hooked) {
    // Not the lease that `init` would choose here: a nested shell could find that one without inheriting it.
    let endpoint = Endpoint::start(600);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    let process = sandbox.file(
        "process",
        "echo asked >>$HOME/asked\necho '{\"Version\":1,\"AccessKeyId\":\"ASIAPROFILE\",\"SecretAccessKey\":\"s\",\"SessionToken\":\"t\",\"Expiration\":\"2099-01-01T00:00:00Z\"}'\n",
    );
    sandbox.file(".aws/config", &format!("[profile p]\ncredential_process = sh {}\n", process.display()));
    let mut session = shell.start(&sandbox);
    session.run("credsh refresh --profile p");
    assert_eq!(session.key(), "ASIAPROFILE");
    let (lease, requests) = (session.var("CREDSH_LEASE"), endpoint.count());
    session.line(&shell.program());
    // From its first prompt on.
    session.wait_for_prompt("[profile:p ...");
    assert_eq!(session.key(), "ASIAPROFILE");
    assert_eq!(session.var("CREDSH_LEASE"), lease);
    assert_eq!(session.run("cat ~/asked"), "asked", "once");
    assert_eq!(endpoint.count(), requests);
    session.run("credsh refresh --force");
    assert_eq!(session.run("cat ~/asked"), "asked\nasked", "and it can renew it");
    session.line("exit");
    assert!(!session.ended(), "the control: it was another one");
}

fn clear_removes_variables_and_indicator(shell: impl Hooked) {
    let endpoint = Endpoint::start(600);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    let mut session = shell.start(&sandbox);
    assert_eq!(session.key(), "ASIATEST0001");
    session.wait_for_prompt("[cloudshell ...");
    // The file that a shell adopts is written first, so the first prompt's renewal may still be busy with the lease itself.
    session.until("the lease in the store", |_| !sandbox.ids().is_empty());
    assert_eq!(session.run("credsh clear"), "credsh: cleared 1 lease");
    session.enter();
    session.wait_for_prompt("$ ");
    assert_eq!(session.mine(), "");
    assert_eq!(endpoint.count(), 1, "nor does it come back by itself");
    session.run("credsh refresh");
    assert_eq!(session.key(), endpoint.key());
    session.wait_for_prompt("[cloudshell ...");
}

fn endpoint_down_keeps_the_old_and_recovers_by_itself(shell: impl Hooked) {
    let endpoint = Endpoint::start(4);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    let mut session = shell.start(&sandbox);
    let first = session.key();
    endpoint.behave(Behaviour::Close);
    one_line(&idle_past_expiry(&mut session, "echo ran"));
    assert_eq!(session.key(), first, "the old ones are kept, and it does not say so again");
    session.wait_for_prompt("[cloudshell expired] $ ");
    endpoint.behave(Behaviour::Good);
    session.until("recovery", |session| session.key().ends_with(&endpoint.key()) && endpoint.key() != first);
}

fn endpoint_hanging_stops_neither_prompt_nor_command(shell: impl Hooked) {
    let endpoint = Endpoint::start(4);
    let sandbox = Sandbox::in_cloudshell(&endpoint).with("CREDSH_WAIT", "1");
    let mut session = shell.start(&sandbox);
    let first = session.key();
    endpoint.behave(Behaviour::Hang(Duration::from_secs(60)));
    one_line(&idle_past_expiry(&mut session, "echo ran"));
    assert_eq!(session.key(), first);
    endpoint.behave(Behaviour::Good);
    session.until("recovery", |session| session.key().ends_with(&endpoint.key()) && endpoint.key() != first);
}

fn ctrl_c_ends_the_wait(shell: impl Hooked) {
    let endpoint = Endpoint::start(4);
    let sandbox = Sandbox::in_cloudshell(&endpoint).with("CREDSH_WAIT", "60");
    let mut session = shell.start(&sandbox);
    let first = session.key();
    endpoint.behave(Behaviour::Hang(Duration::from_secs(60)));
    thread::sleep(Duration::from_secs(5));
    let (row, asked) = (session.row(), endpoint.count());
    // Then bash and zsh drop the command, and the others run it.
    session.type_line("echo ran");
    session.until("the question", |_| endpoint.count() > asked);
    session.send(b"\x03");
    session.wait_for("the prompt", |session| session.row() > row && session.at_prompt());
    assert!(!session.raw().contains("credsh:"), "it was not the deadline that ended it: {}", session.text());
    assert_eq!(session.key(), first, "the next command runs, and is not held up again");
}

/// nu would wait for ever for a child that it has stopped.
fn ctrl_z_stops_nothing(shell: impl Hooked) {
    let endpoint = Endpoint::start(4);
    let sandbox = Sandbox::in_cloudshell(&endpoint).with("CREDSH_WAIT", "2");
    let mut session = shell.start(&sandbox);
    session.key();
    endpoint.behave(Behaviour::Hang(Duration::from_secs(60)));
    thread::sleep(Duration::from_secs(5));
    for command in ["echo ran", "credsh refresh"] {
        let (row, asked) = (session.row(), endpoint.count());
        session.type_line(command);
        session.until("the question", |_| endpoint.count() > asked);
        session.send(b"\x1a");
        session.wait_for("the prompt", |session| session.row() > row && session.at_prompt());
        let said = session.rows()[row + 1..].join("\n");
        assert!(said.contains("did not answer within "), "{command}: {said}");
    }
    assert_eq!(session.run("echo ran"), "ran");
}

fn failure_shows_no_secret(shell: impl Hooked) {
    let endpoint = Endpoint::start(4);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    let mut session = shell.start(&sandbox);
    let first = session.key();
    // The endpoint echoes the token it was sent.
    endpoint.answer(400, &format!("{{\"code\":\"Bad\",\"message\":\"token {TOKEN} is bad\"}}"));
    let seen = idle_past_expiry(&mut session, "echo ran");
    assert!(seen.contains("credsh: ") && seen.contains("is bad"), "{seen}");
    let seen = session.run("credsh refresh --force");
    assert!(seen.contains("is bad"), "{seen}");
    for command in ["credsh status", "credsh prompt", "credsh clear"] {
        session.run(command);
    }
    let raw = session.raw();
    assert!(raw.contains(&first), "the control: an access key id is no secret");
    for secret in [TOKEN, "test-secret", "test-token"] {
        assert!(!raw.contains(secret), "{secret} in {raw}");
    }
}

fn outside_cloudshell_says_and_does_nothing(shell: impl Hooked) {
    let sandbox = Sandbox::new();
    let mut session = shell.start(&sandbox);
    session.enter();
    assert_eq!(session.text().lines().map(str::trim_end).collect::<Vec<_>>(), ["$", "$"]);
    assert_eq!(session.mine(), "");
    session.wait_for_prompt("$ ");
    assert_eq!(sandbox.stored(), ["clock"]);
}

/// The remaining seconds that the indicator shows.
fn left(session: &mut Session) -> u32 {
    session.wait_for_prompt("[cloudshell ...");
    let prompt = session.prompt();
    let left = prompt.strip_prefix("[cloudshell ").and_then(|rest| rest.strip_suffix("s] $ "));
    left.and_then(|left| left.parse().ok()).unwrap_or_else(|| panic!("no seconds in {prompt}"))
}

/// Idles until credentials with a life of 4 s have ended, then runs one command, and returns what it prints.
fn idle_past_expiry(session: &mut Session, command: &str) -> String {
    thread::sleep(Duration::from_secs(5));
    session.run(command)
}

/// Asserts that there is one line from credsh, and then what `echo ran` prints.
#[track_caller]
fn one_line(seen: &str) {
    let lines: Vec<&str> = seen.lines().collect();
    assert!(matches!(lines[..], [said, "ran"] if said.starts_with("credsh: ")), "one line, and the command: {seen}");
}
