//! A role, assumed with the container endpoint's credentials, in real shells and against moto's STS: with the exported
//! values the AWS CLI is that role.

mod support;

use support::Sandbox;
use support::endpoint::Endpoint;
use support::moto::{Moto, tool};
use support::pty::Shell;

in_every_shell! { refresh_to_a_role_and_the_aws_cli_is_that_role the_init_lines_flags_count_where_no_lease_is_held }

fn refresh_to_a_role_and_the_aws_cli_is_that_role(shell: Shell) {
    let endpoint = Endpoint::start(600);
    let sandbox = Sandbox::in_cloudshell(&endpoint)
        .with("AWS_ENDPOINT_URL_STS", &Moto::shared().url())
        .with("AWS_DEFAULT_REGION", "eu-west-1");
    let mut session = shell.start(&sandbox);
    assert_eq!(session.key(), "ASIATEST0001");
    let arn = "arn:aws:iam::123456789012:role/deploy";
    let said = session.run(&format!("credsh refresh --role {arn} --session-name tested"));
    assert!(said.starts_with("credsh: renewed: role:deploy "), "{said}");
    assert!(session.prompt().starts_with("[role:deploy "), "{}", session.prompt());
    assert_eq!(session.var("CREDSH_SOURCE"), "role:deploy");
    assert!(!session.key().starts_with("ASIATEST"));
    let prefixed = "AWS_ACCESS_KEY_ID=$TEMPORARY_AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY=$TEMPORARY_AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN=$TEMPORARY_AWS_SESSION_TOKEN";
    let aws = tool("aws");
    let aws = aws.display();
    sandbox.file("who", &format!("env {prefixed} {aws} sts get-caller-identity --query Arn --output text\n"));
    assert_eq!(session.run("sh ~/who"), "arn:aws:sts::123456789012:assumed-role/deploy/tested");
    // Switching back to the container's credentials, and to the role again, finds each lease as it was.
    let (container, role) = (endpoint.count(), session.key());
    session.run("credsh refresh --source container");
    assert_eq!(session.key(), "ASIATEST0001");
    assert!(session.prompt().starts_with("[cloudshell "), "{}", session.prompt());
    session.run(&format!("credsh refresh --role {arn} --session-name tested"));
    assert_eq!(session.key(), role, "it was still fresh");
    assert_eq!(endpoint.count(), container, "and nobody was asked");
}

/// As the README says: reloading an init line, whatever its flags, does not replace a lease that the shell already
/// holds or was started with.
fn the_init_lines_flags_count_where_no_lease_is_held(shell: Shell) {
    let sandbox = Sandbox::new();
    let profile = |name: &str| {
        let json = format!(
            r#"{{"Version":1,"AccessKeyId":"ASIA{name}","SecretAccessKey":"s","SessionToken":"t","Expiration":"2099-01-01T00:00:00Z"}}"#
        );
        format!("[profile {name}]\ncredential_process = cat {}\n", sandbox.file(name, &json).display())
    };
    sandbox.file(".aws/config", &[profile("ONE"), profile("TWO")].concat());
    let mut session = shell.rc().init("--profile ONE").start(&sandbox);
    assert_eq!(session.key(), "ASIAONE", "the control");
    session.run(&shell.init("--profile TWO"));
    assert_eq!(session.key(), "ASIAONE");
    session.run("credsh refresh --profile TWO");
    assert_eq!(session.key(), "ASIATWO");
    // A shell started from this one, whose start-up file has the init line.
    session.line(shell.name());
    assert_eq!(session.key(), "ASIATWO");
    session.run("credsh clear");
    session.run(&shell.init("--profile ONE"));
    assert_eq!(session.key(), "ASIAONE");
}
