//! The command line from outside: what is printed where, and with which status.

mod support;

use support::{Sandbox, endpoint::Endpoint};

#[test]
fn export_prints_the_credentials_and_nothing_else() {
    let endpoint = Endpoint::start(600);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    let run = sandbox.credsh(&["export"]);
    assert_eq!(run.stderr, "");
    let out = run.ok();
    assert!(out.starts_with("export AWS_ACCESS_KEY_ID='ASIATEST0001'\nexport AWS_SECRET_ACCESS_KEY='test-secret-1'\nexport AWS_SESSION_TOKEN='test-token-1'\nexport AWS_CREDENTIAL_EXPIRATION='"), "{out}");
    sandbox.credsh(&["export"]).ok();
    assert_eq!(endpoint.count(), 1, "the second came from the store");
}
