//! The credentials that credsh hands out, used by the programs they are meant for: the AWS CLI and boto3, against moto.

mod support;

use support::endpoint::{Endpoint, TOKEN};
use support::moto::{Moto, tool};
use support::{CREDSH, Run, Sandbox};

const ARN: &str = "arn:aws:iam::210987654321:role/deploy";
const WHO: &str = "arn:aws:sts::210987654321:assumed-role/deploy/me";

fn sandbox(endpoint: &Endpoint) -> Sandbox {
    Sandbox::in_cloudshell(endpoint)
        .with("AWS_ENDPOINT_URL", &Moto::shared().url())
        .with("AWS_DEFAULT_REGION", "us-east-1")
}

/// Runs a line of sh in which `$aws` is the AWS CLI and `$credsh` is credsh.
fn sh(sandbox: &Sandbox, line: &str) -> String {
    let mut sh = sandbox.command("sh");
    sh.args(["-euc", line]).env("aws", tool("aws")).env("python", tool("python")).env("credsh", CREDSH);
    Run::of(sh.output().unwrap()).ok()
}

#[test]
fn the_aws_cli_is_the_role() {
    let endpoint = Endpoint::start(600);
    let sandbox = sandbox(&endpoint);
    let who = "$aws sts get-caller-identity --query Arn --output text";
    let out = sh(&sandbox, &format!("eval \"$($credsh export --role {ARN} --session-name me)\"; {who}"));
    assert_eq!(out.trim(), WHO);
    let control = sh(&sandbox, who);
    assert!(!control.contains("deploy"), "the control: without them it is not ({control})");
    let out = sh(&sandbox, &format!("$credsh export --role {ARN} --session-name me --prefix TEMPORARY_ >vars; . ./vars
        AWS_ACCESS_KEY_ID=$TEMPORARY_AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY=$TEMPORARY_AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN=$TEMPORARY_AWS_SESSION_TOKEN {who}"));
    assert_eq!(out.trim(), WHO);
}

#[test]
fn boto3_is_the_role_and_reads_the_expiration() {
    let endpoint = Endpoint::start(600);
    let program = "import boto3; s = boto3.Session(); c = s.get_credentials(); c.get_frozen_credentials()
print(s.client('sts').get_caller_identity()['Arn'], type(c).__name__, c._expiry_time.isoformat())";
    let sandbox = sandbox(&endpoint);
    let out = sh(
        &sandbox,
        &format!(
            "eval \"$($credsh export --role {ARN} --session-name me --duration 1h)\"; echo $AWS_CREDENTIAL_EXPIRATION; $python -c \"{program}\""
        ),
    );
    let (told, seen) = out.trim().split_once('\n').unwrap();
    assert_eq!(seen, format!("{WHO} RefreshableCredentials {}", told.replace('Z', "+00:00")));
}

#[test]
fn the_json_is_a_credential_process() {
    let endpoint = Endpoint::start(600);
    let sandbox = sandbox(&endpoint);
    sandbox.file(".aws/config", &format!("[profile via]\ncredential_process = {CREDSH} export --format json --source container --role {ARN} --session-name me\n"));
    assert_eq!(sh(&sandbox, "$aws --profile via sts get-caller-identity --query Arn --output text").trim(), WHO);
    assert_eq!(endpoint.requests()[0].header("authorization"), Some(TOKEN), "it was credsh that asked");
}

#[test]
fn a_session_of_long_term_keys_works() {
    let endpoint = Endpoint::start(600);
    let sandbox = sandbox(&endpoint).with("AWS_ACCESS_KEY_ID", "AKIATESTUSER").with("AWS_SECRET_ACCESS_KEY", "s");
    let line = "eval \"$($credsh export --source env)\"; echo $AWS_SESSION_TOKEN; $aws sts get-caller-identity --query Account --output text";
    let out = sh(&sandbox, line);
    let (token, account) = out.trim().split_once('\n').unwrap();
    assert!(token.len() > 16 && account.len() == 12, "{out}");
}

#[test]
fn a_web_identity_is_the_role() {
    let endpoint = Endpoint::start(600);
    let sandbox = sandbox(&endpoint).with("AWS_ROLE_ARN", ARN).with("AWS_ROLE_SESSION_NAME", "me");
    let file = sandbox.file("jwt", "header.payload.signature");
    let sandbox = sandbox.with("AWS_WEB_IDENTITY_TOKEN_FILE", file.to_str().unwrap());
    let line =
        "eval \"$($credsh export --source web-identity)\"; $aws sts get-caller-identity --query Arn --output text";
    assert_eq!(sh(&sandbox, line).trim(), WHO);
}
