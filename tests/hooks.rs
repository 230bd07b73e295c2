//! The hook in real shells: credentials appear, are renewed, and outlive idling, failures and nested shells. Each
//! scenario runs in every shell.

mod support;


use support::Sandbox;
use support::endpoint::Endpoint;
use support::pty::Shell;

in_every_shell! {
    appears_by_itself
}


fn appears_by_itself(shell: Shell) {
    let endpoint = Endpoint::start(600);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    let mut session = shell.start(&sandbox);
    assert_eq!(session.key(), "ASIATEST0001", "the very first command has them");
    assert_eq!(session.var("TEMPORARY_AWS_SECRET_ACCESS_KEY"), "test-secret-1");
    assert_eq!(session.var("TEMPORARY_AWS_SESSION_TOKEN"), "test-token-1");
    assert!(session.var("TEMPORARY_AWS_CREDENTIAL_EXPIRATION").ends_with('Z'));
    assert_eq!(session.var("CREDSH_SOURCE"), "cloudshell");
    assert_eq!(session.var("CREDSH_LEASE").len(), 16);
    assert_eq!(session.var("AWS_ACCESS_KEY_ID"), "", "the chain of the shell's own AWS CLI is left alone");
    assert_eq!(endpoint.count(), 1, "one request serves them all");

    // And with no command at all: prompts are enough.
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    let mut session = shell.start(&sandbox);
    session.until("the indicator at a prompt", |session| {
        session.enter();
        session.prompt().starts_with("[cloudshell ")
    });
}
