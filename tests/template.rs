//! `credsh template`: its linter finds nothing, and a stack made from it gives a role that credsh then assumes.

mod support;

use serde_json::Value;

use support::moto::{Moto, tool};
use support::{Run, Sandbox};

const USER: &str = "arn:aws:iam::123456789012:user/alice";

/// A sandbox with keys that moto accepts as somebody's.
fn sandbox() -> Sandbox {
    let sandbox =
        Sandbox::new().with("AWS_ENDPOINT_URL", &Moto::shared().url()).with("AWS_DEFAULT_REGION", "us-east-1");
    let sandbox = sandbox.with("AWS_ACCESS_KEY_ID", "AKIATESTUSER").with("AWS_SECRET_ACCESS_KEY", "s");
    sandbox.file("role.yaml", &sandbox.credsh(&["template"]).ok());
    sandbox
}

fn aws(sandbox: &Sandbox, words: &[&str]) -> Run {
    Run::of(sandbox.command(tool("aws")).args(words).args(["--output", "json"]).output().unwrap())
}

/// Creates a stack, and returns its outputs, or the error message.
fn stack(sandbox: &Sandbox, name: &str, parameters: &[(&str, &str)]) -> Result<Value, String> {
    let words: Vec<String> = parameters
        .iter()
        .map(|(key, value)| format!("ParameterKey={key},ParameterValue={}", value.replace(',', r"\,")))
        .collect();
    let mut args = vec!["cloudformation", "create-stack", "--stack-name", name, "--template-body", "file://role.yaml"];
    args.extend(["--capabilities", "CAPABILITY_NAMED_IAM"]);
    if !words.is_empty() {
        args.push("--parameters");
    }
    args.extend(words.iter().map(String::as_str));
    let run = aws(sandbox, &args);
    if run.status != 0 {
        return Err(run.stderr);
    }
    let text = aws(sandbox, &["cloudformation", "describe-stacks", "--stack-name", name]).ok();
    let all: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(all["Stacks"][0]["StackStatus"], "CREATE_COMPLETE", "{text}");
    let outputs = all["Stacks"][0]["Outputs"].as_array().unwrap().iter();
    Ok(outputs.map(|one| (one["OutputKey"].as_str().unwrap().to_owned(), one["OutputValue"].clone())).collect())
}

fn json(run: Run) -> Value {
    serde_json::from_str(&run.ok()).unwrap()
}

/// Runs the command that the outputs name, and asks AWS whose credentials these are.
fn who(sandbox: &Sandbox, outputs: &Value) -> String {
    let command = outputs["Command"].as_str().unwrap();
    let flags = command.strip_prefix("credsh refresh ").unwrap();
    let line = format!(
        "{command} && eval \"$(credsh export {flags})\" && $aws sts get-caller-identity --query Arn --output text"
    );
    let mut sh = sandbox.command("sh");
    Run::of(sh.args(["-euc", &line]).env("aws", tool("aws")).output().unwrap()).ok().trim().to_owned()
}

#[test]
fn cfn_lint_has_nothing_to_say() {
    let sandbox = sandbox();
    let lint = |file: &str| Run::of(sandbox.command(tool("cfn-lint")).args(["-i", "I", "--", file]).output().unwrap());
    let run = lint("role.yaml");
    assert_eq!((run.status, run.stdout.as_str(), run.stderr.as_str()), (0, "", ""));
    // The control: it finds what is wrong in a broken one.
    let text = std::fs::read_to_string(sandbox.home().join("role.yaml")).unwrap();
    sandbox.file("broken.yaml", &text.replace("!GetAtt Role.Arn", "!GetAtt Role.Arm"));
    assert_ne!(lint("broken.yaml").status, 0);
}

#[test]
fn its_role_is_assumed_with_the_command_of_its_outputs() {
    let sandbox = sandbox();
    let outputs = stack(
        &sandbox,
        "plain",
        &[
            ("TrustedPrincipalArn", USER),
            ("AllowedActions", "s3:GetObject,s3:ListBucket"),
            ("AllowedResources", "arn:aws:s3:::bucket,arn:aws:s3:::bucket/*"),
            ("RoleName", "plain"),
            ("MaxSessionDuration", "7200"),
        ],
    )
    .unwrap();
    assert_eq!(outputs["RoleArn"], "arn:aws:iam::123456789012:role/plain");
    assert_eq!(outputs["Command"], "credsh refresh --role arn:aws:iam::123456789012:role/plain");
    let arn = who(&sandbox, &outputs);
    assert!(arn.starts_with("arn:aws:sts::123456789012:assumed-role/plain/2"), "{arn}");
    let role = json(aws(&sandbox, &["iam", "get-role", "--role-name", "plain"]))["Role"].clone();
    assert_eq!(role["MaxSessionDuration"], 7200);
    let trust = &role["AssumeRolePolicyDocument"]["Statement"][0];
    assert_eq!((&trust["Principal"]["AWS"], &trust["Action"]), (&USER.into(), &"sts:AssumeRole".into()));
    assert!(trust.get("Condition").is_none_or(Value::is_null), "{trust}");
    let attached = json(aws(&sandbox, &["iam", "list-attached-role-policies", "--role-name", "plain"]));
    let policies = attached["AttachedPolicies"].as_array().unwrap();
    assert_eq!(policies.len(), 1);
    let policy = policies[0]["PolicyArn"].as_str().unwrap();
    let version = json(aws(&sandbox, &["iam", "get-policy-version", "--version-id", "v1", "--policy-arn", policy]));
    let statement = &version["PolicyVersion"]["Document"]["Statement"][0];
    assert_eq!(statement["Action"], serde_json::json!(["s3:GetObject", "s3:ListBucket"]));
    assert_eq!(statement["Resource"], serde_json::json!(["arn:aws:s3:::bucket", "arn:aws:s3:::bucket/*"]));
}

#[test]
fn an_external_id_is_asked_for_and_in_the_command() {
    let sandbox = sandbox();
    let parameters = [
        ("TrustedPrincipalArn", USER),
        ("AllowedActions", "s3:GetObject"),
        ("ExternalId", "ext:1/2"),
        ("RequireMfa", "true"),
        ("RoleName", "external"),
    ];
    let outputs = stack(&sandbox, "external", &parameters).unwrap();
    let command = "credsh refresh --role arn:aws:iam::123456789012:role/external --external-id ext:1/2 --mfa-serial arn:aws:iam::ACCOUNT:mfa/NAME";
    assert_eq!(outputs["Command"], command);
    let role = json(aws(&sandbox, &["iam", "get-role", "--role-name", "external"]));
    let condition = &role["Role"]["AssumeRolePolicyDocument"]["Statement"][0]["Condition"];
    assert_eq!(
        *condition,
        serde_json::json!({ "StringEquals": { "sts:ExternalId": "ext:1/2" }, "Bool": { "aws:MultiFactorAuthPresent": "true" } })
    );
}

/// With an external id alone, and with MFA alone.
#[test]
fn the_command_names_what_the_role_asks_for() {
    let sandbox = sandbox();
    let made = |name: &str, what: (&str, &str)| {
        let parameters = [("TrustedPrincipalArn", USER), ("AllowedActions", "s3:GetObject"), what, ("RoleName", name)];
        stack(&sandbox, name, &parameters).unwrap()
    };
    let outputs = made("for-another", ("ExternalId", "ext:1/2"));
    let role = "credsh refresh --role arn:aws:iam::123456789012:role";
    assert_eq!(outputs["Command"], format!("{role}/for-another --external-id ext:1/2"));
    assert!(who(&sandbox, &outputs).contains(":assumed-role/for-another/"));
    // There is no terminal on which to ask for the code, but the attempt shows that it is required.
    let outputs = made("with-mfa", ("RequireMfa", "true"));
    let command = outputs["Command"].as_str().unwrap();
    assert_eq!(command, format!("{role}/with-mfa --mfa-serial arn:aws:iam::ACCOUNT:mfa/NAME"));
    let typed = command.replace("ACCOUNT", "123456789012").replace("NAME", "alice");
    let words: Vec<&str> = typed.split(' ').skip(1).collect();
    let mut unseen = sandbox.command("setsid");
    Run::of(unseen.args(["-w", support::CREDSH]).args(words).output().unwrap())
        .fails(1, &["cannot ask for the MFA code on /dev/tty"]);
}

/// moto ignores the role's own list of managed policies, so that is looked up in the template's text.
#[test]
fn managed_policies_alone_will_do() {
    let sandbox = sandbox();
    let managed = "arn:aws:iam::aws:policy/ReadOnlyAccess";
    let parameters = [("TrustedPrincipalArn", USER), ("ManagedPolicyArns", managed), ("RoleName", "managed")];
    let outputs = stack(&sandbox, "managed", &parameters).unwrap();
    assert!(who(&sandbox, &outputs).contains(":assumed-role/managed/"));
    let attached = json(aws(&sandbox, &["iam", "list-attached-role-policies", "--role-name", "managed"]));
    assert_eq!(attached["AttachedPolicies"].as_array().unwrap().len(), 0, "no policy of its own without actions");
    let text = std::fs::read_to_string(sandbox.home().join("role.yaml")).unwrap();
    assert!(
        text.contains("ManagedPolicyArns: !If [HasManagedPolicies, !Ref ManagedPolicyArns, !Ref \"AWS::NoValue\"]")
    );
    // With neither of the two the role could do nothing. A rule forbids that, but moto does not check rules.
    assert!(text.contains("Assert: !Not [!And [!EachMemberEquals [!Ref AllowedActions, \"\"], !EachMemberEquals [!Ref ManagedPolicyArns, \"\"]]]"));
}

/// CloudFormation refuses a template whose rules use any other function; moto and cfn-lint do not.
#[test]
fn its_rules_use_only_what_a_rule_may() {
    let sandbox = sandbox();
    let program = "import cfnlint.decode.cfn_yaml as y
may = 'And Contains EachMemberEquals EachMemberIn Equals Not Or RefAll ValueOf ValueOfAll'.split()
def used(node):
    for key, value in node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ():
        if key == 'Condition' or str(key).startswith('Fn::'): yield key.removeprefix('Fn::')
        yield from used(value)
t = y.load('role.yaml')
print(sorted(set(used(t['Rules']))), set(used(t['Rules'])) <= set(may), set(used(t['Conditions'])) <= set(may))";
    let out = Run::of(sandbox.command(tool("python")).args(["-c", program]).output().unwrap()).ok();
    assert_eq!(out, "['And', 'EachMemberEquals', 'Not'] True False\n", "the conditions are the control");
}

#[test]
fn nobody_is_trusted_by_default() {
    let sandbox = sandbox();
    let text = stack(&sandbox, "nobody", &[("AllowedActions", "s3:GetObject")]).unwrap_err();
    assert!(text.contains("TrustedPrincipalArn"), "{text}");
    // CloudFormation checks which values are accepted, by a pattern that must match the whole value.
    let program = "import re, sys, cfnlint.decode.cfn_yaml as y
p = y.load('role.yaml')['Parameters']['TrustedPrincipalArn']
assert 'Default' not in p
for arn in sys.argv[1:]: print(bool(re.fullmatch(p['AllowedPattern'], arn)))";
    let arns = [
        USER,
        "arn:aws-cn:iam::123456789012:role/path/deploy",
        "arn:aws:iam::123456789012:root",
        "123456789012",
        "*",
        "arn:aws:iam::*:user/x",
    ];
    let mut python = sandbox.command(tool("python"));
    let out = Run::of(python.args(["-c", program]).args(arns).output().unwrap()).ok();
    assert_eq!(out, "True\nTrue\nFalse\nFalse\nFalse\nFalse\n");
}
