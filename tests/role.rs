//! Roles and sessions, as STS sees them: what is requested and by whom, and what becomes of a refusal.

mod support;

use std::net::TcpListener;

use support::endpoint::{Behaviour, Endpoint, now, rfc3339};
use support::sts::{Call, Sts};
use support::{CREDSH, Run, Sandbox};

const ARN: &str = "arn:aws:iam::123456789012:role/deploy";
const DENIED: &str =
    "User: arn:aws:iam::123456789012:user/me is not authorized to perform: sts:AssumeRole on resource: x";

fn cloudshell(endpoint: &Endpoint, sts: &Sts) -> Sandbox {
    Sandbox::in_cloudshell(endpoint).with("AWS_ENDPOINT_URL_STS", &sts.url())
}

/// A sandbox with long-term keys in the environment.
fn user(sts: &Sts) -> Sandbox {
    let sandbox =
        Sandbox::new().with("AWS_ACCESS_KEY_ID", "AKIATESTUSER").with("AWS_SECRET_ACCESS_KEY", "long-term-secret");
    sandbox.with("AWS_ENDPOINT_URL_STS", &sts.url())
}

fn names(call: &Call) -> Vec<&str> {
    call.form.iter().map(|(name, _)| name.as_str()).collect()
}

fn is_default_name(name: &str) -> bool {
    name.strip_suffix("-session")
        .is_some_and(|time| time.len() == 14 && time.starts_with("20") && time.bytes().all(|b| b.is_ascii_digit()))
}

#[test]
fn every_parameter_reaches_sts() {
    let (endpoint, sts) = (Endpoint::start(600), Sts::start());
    let flags = [
        "export",
        "--role",
        ARN,
        "--duration",
        "15m",
        "--session-name",
        "me@work",
        "--external-id",
        "ext:123/4",
        "--region",
        "eu-central-1",
    ];
    let out = cloudshell(&endpoint, &sts).credsh(&flags).ok();
    assert!(out.contains("AWS_ACCESS_KEY_ID='ASIASTS0001'\n"), "{out}");
    let call = sts.call();
    let wanted = [
        ("Action", "AssumeRole"),
        ("Version", "2011-06-15"),
        ("RoleArn", ARN),
        ("RoleSessionName", "me@work"),
        ("DurationSeconds", "900"),
        ("ExternalId", "ext:123/4"),
    ];
    for (name, value) in wanted {
        assert_eq!(call.get(name), value, "{name}");
    }
    assert_eq!(call.form.len(), wanted.len(), "and nothing else: {call:?}");
    assert_eq!(
        (call.signer(), call.token.as_deref(), call.region()),
        ("ASIATEST0001", Some("test-token-1"), "eu-central-1")
    );
}

#[test]
fn what_is_not_given_is_awss_to_choose() {
    let (endpoint, sts) = (Endpoint::start(600), Sts::start());
    cloudshell(&endpoint, &sts).credsh(&["export", "--role", ARN]).ok();
    let call = sts.call();
    assert_eq!(names(&call), ["Action", "Version", "RoleArn", "RoleSessionName"]);
    assert!(is_default_name(call.get("RoleSessionName")), "{call:?}");
}

#[test]
fn the_region_of_the_flag_then_the_variables_then_the_profile_then_the_partition() {
    let (endpoint, sts) = (Endpoint::start(600), Sts::start());
    let mut sandbox = cloudshell(&endpoint, &sts);
    let region = |sandbox: &Sandbox, flags: &[&str]| {
        sandbox.credsh(&[&["export", "--no-store", "--role"], flags].concat()).ok();
        sts.calls().last().unwrap().region().to_owned()
    };
    assert_eq!(region(&sandbox, &[ARN]), "us-east-1");
    assert_eq!(region(&sandbox, &["arn:aws-cn:iam::123456789012:role/deploy"]), "cn-north-1");
    assert_eq!(region(&sandbox, &["arn:aws-us-gov:iam::123456789012:role/deploy"]), "us-gov-west-1");
    // A role's keys are known where it was assumed.
    sandbox.credsh(&["whoami", "--role", "arn:aws-cn:iam::123456789012:role/deploy"]).ok();
    assert_eq!(sts.of("GetCallerIdentity")[0].region(), "cn-north-1");
    sandbox.credsh(&["whoami"]).ok();
    assert_eq!(sts.of("GetCallerIdentity")[1].region(), "us-east-1");
    sandbox.file(
        ".aws/config",
        "[profile dev]\nregion = sa-east-1\naws_access_key_id = AKIADEV\naws_secret_access_key = s\n",
    );
    assert_eq!(region(&sandbox, &[ARN, "--profile", "dev"]), "sa-east-1");
    sandbox.set("AWS_DEFAULT_REGION", "eu-west-1");
    assert_eq!(region(&sandbox, &[ARN, "--profile", "dev"]), "eu-west-1");
    sandbox.set("AWS_REGION", "ap-northeast-1");
    assert_eq!(region(&sandbox, &[ARN]), "ap-northeast-1");
    assert_eq!(region(&sandbox, &[ARN, "--region", "eu-north-1"]), "eu-north-1");
}

/// Long-term keys sign the request themselves: a session made from them would limit the role to the hour of a chained one.
#[test]
fn over_every_base() {
    let (endpoint, sts) = (Endpoint::start(600), Sts::start());
    let mut keys = user(&sts);
    let signed_by = |sandbox: &Sandbox, flags: &[&str]| {
        let before = sts.calls().len();
        sandbox.credsh(&[&["export", "--no-store", "--role", ARN], flags].concat()).ok();
        let calls = sts.calls().split_off(before);
        let actions: Vec<&str> = calls.iter().map(|call| call.get("Action")).collect();
        assert_eq!(actions, ["AssumeRole"]);
        (calls[0].signer().to_owned(), calls[0].token.clone())
    };
    assert_eq!(signed_by(&cloudshell(&endpoint, &sts), &[]), ("ASIATEST0001".into(), Some("test-token-1".into())));
    assert_eq!(signed_by(&keys, &[]), ("AKIATESTUSER".into(), None));
    keys.file(".aws/credentials", "[dev]\naws_access_key_id = AKIADEV\naws_secret_access_key = s\n[tmp]\naws_access_key_id = ASIATMP\naws_secret_access_key = s\naws_session_token = tmp\n");
    assert_eq!(signed_by(&keys, &["--profile", "dev"]), ("AKIADEV".into(), None));
    assert_eq!(signed_by(&keys, &["--profile", "tmp"]), ("ASIATMP".into(), Some("tmp".into())));
    keys.set("AWS_ACCESS_KEY_ID", "ASIAENV");
    keys.set("AWS_SESSION_TOKEN", "env-token");
    assert_eq!(signed_by(&keys, &[]), ("ASIAENV".into(), Some("env-token".into())));
}

/// As from a file with Windows line ends. No header can hold that, and STS is not asked.
#[test]
fn a_base_that_could_not_sign() {
    let (endpoint, sts) = (Endpoint::start(600), Sts::start());
    let refused = |sandbox: &Sandbox, flags: &[&str], who: &str, what: &str| {
        let wanted = format!("credsh: {who} gave no usable credentials: {what} contains a control character\n");
        let text = sandbox.credsh(&[&["export", "--no-store"], flags].concat()).fails(5, &[]);
        assert!(text.starts_with(&wanted), "{text:?}");
    };
    let role: &[&str] = &["--role", ARN];
    let mut sandbox = user(&sts).with("AWS_ACCESS_KEY_ID", "AKIATESTUSER\r");
    for flags in [&[], role] {
        refused(&sandbox, flags, "the environment", "AccessKeyId");
    }
    sandbox.set("AWS_SESSION_TOKEN", "t");
    refused(&sandbox, role, "the environment", "AccessKeyId");
    sandbox.set("AWS_ACCESS_KEY_ID", "ASIATESTUSER");
    sandbox.set("AWS_SESSION_TOKEN", "t\n");
    refused(&sandbox, role, "the environment", "the session token");
    sandbox.file("json", r#"{"Version":1,"AccessKeyId":"AKIAPROCESS\r","SecretAccessKey":"s"}"#);
    sandbox.file(".aws/config", "[profile p]\ncredential_process = cat json\n");
    for flags in [&[], role] {
        refused(&sandbox, &[&["--profile", "p"], flags].concat(), "profile p", "AccessKeyId");
    }
    endpoint.behave(Behaviour::Answer {
        status: 200,
        headers: String::new(),
        body: format!(
            r#"{{"AccessKeyId":"ASIABOX\r","SecretAccessKey":"s","Token":"t","Expiration":"{}"}}"#,
            rfc3339(now() + 600)
        ),
    });
    refused(&cloudshell(&endpoint, &sts), role, "the container endpoint (cloudshell)", "AccessKeyId");
    assert_eq!(sts.calls().len(), 0);
}

#[test]
fn a_chained_role_is_capped_at_an_hour_and_we_say_so() {
    let (endpoint, sts) = (Endpoint::start(600), Sts::start());
    let notice =
        "credsh: a role assumed with temporary credentials lasts one hour at most (role chaining): requesting 1h\n";
    let flags = ["export", "--role", ARN, "--duration", "2h"];
    let run = cloudshell(&endpoint, &sts).credsh(&flags);
    assert_eq!((run.status, run.stderr.as_str()), (0, notice));
    assert_eq!(sts.call().get("DurationSeconds"), "3600");
    // The control: a role assumed with the user's own keys is not chained.
    let run = user(&sts).credsh(&flags);
    assert_eq!((run.status, run.stderr.as_str()), (0, ""));
    assert_eq!(sts.of("AssumeRole")[1].get("DurationSeconds"), "7200");
}

#[test]
fn long_term_keys_are_never_handed_out() {
    let sts = Sts::start();
    let profile = Sandbox::new().with("AWS_ENDPOINT_URL_STS", &sts.url());
    profile.file(
        ".aws/credentials",
        "[dev]\naws_access_key_id = AKIATESTUSER\naws_secret_access_key = long-term-secret\n",
    );
    for (sandbox, flags) in
        [(user(&sts), vec![]), (user(&sts), vec!["--source", "env"]), (profile, vec!["--profile", "dev"])]
    {
        let run = sandbox.credsh(&[&["export"], flags.as_slice()].concat());
        assert_eq!(run.stderr, "");
        let out = run.ok();
        assert!(
            out.contains("ASIASTS")
                && out.contains("AWS_SESSION_TOKEN='sts-token-")
                && !out.contains("AKIA")
                && !out.contains("long-term"),
            "{out}"
        );
        let call = sts.calls().pop().unwrap();
        assert_eq!(
            (call.get("Action"), call.get("DurationSeconds"), call.signer()),
            ("GetSessionToken", "3600", "AKIATESTUSER")
        );
        let files: Vec<String> =
            sandbox.stored().iter().map(|name| std::fs::read_to_string(sandbox.store().join(name)).unwrap()).collect();
        assert!(!files.concat().contains("long-term-secret"), "nor stored");
        sts.refuse(403, "AccessDenied", "no");
        let text = sandbox.credsh(&[&["export", "--no-store"], flags.as_slice()].concat());
        let text = text.fails(4, &["sts:GetSessionToken failed with AccessDenied: no\nhint: a policy of "]);
        assert!(!text.contains("trust"), "there is no role: {text}");
        assert!(!text.contains("long-term-secret"), "nor without STS");
        sts.yes();
    }
    user(&sts).credsh(&["export", "--duration", "12h"]).ok();
    assert_eq!(sts.calls().pop().unwrap().get("DurationSeconds"), "43200");
}

#[test]
fn awss_codes_become_advice() {
    let trust = "either cloudshell may not call it, or the role's trust policy does not name cloudshell, or one of its conditions (ExternalId, MFA, source identity) is not met; AWS reports all three the same way";
    let clock = "this machine's clock is wrong: set it, e.g. with chronyc or timedatectl";
    let unknown = "AWS does not recognize the key of cloudshell: it was deleted, its session token is missing, or it belongs to another partition";
    let exceeds = "The requested DurationSeconds exceeds the";
    let chained = format!("{exceeds} 1 hour session limit for roles assumed by role chaining.");
    let longer = format!("{exceeds} MaxSessionDuration set for this role.");
    let mfa = "MultiFactorAuthentication failed";
    let (wrong, serial, both) = (
        format!("{mfa} with invalid MFA one time pass code."),
        format!(
            "{mfa}, unable to validate MFA code. Please verify your MFA serial number is valid and associated with this user."
        ),
        format!("{mfa}, must provide both MFA serial number and one time pass code."),
    );
    let cases = [
        (403, "AccessDenied", DENIED, 4, trust),
        (403, "AccessDenied", &wrong, 4, "an MFA code works only once: wait for the next one"),
        (403, "AccessDenied", &serial, 4, "check that mfa_serial is this user's device"),
        (
            403,
            "AccessDenied",
            &both,
            4,
            "this role requires MFA: name your device with --mfa-serial or the profile's mfa_serial",
        ),
        (
            403,
            "ExpiredToken",
            "The security token included in the request is expired",
            4,
            "the credentials of cloudshell have expired: renew them first",
        ),
        (400, "ExpiredTokenException", "x", 4, "the credentials of cloudshell have expired: renew them first"),
        (403, "InvalidClientTokenId", "The security token included in the request is invalid", 4, unknown),
        (
            403,
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided.",
            4,
            "the secret key of cloudshell is wrong, or was mangled when it was copied",
        ),
        (
            403,
            "SignatureDoesNotMatch",
            "Signature expired: 20241010T084418Z is now earlier than 20241010T090000Z (20241010T091500Z - 15 min.)",
            4,
            clock,
        ),
        (
            403,
            "SignatureDoesNotMatch",
            "Signature not yet current: 20241010T084418Z is still later than 20241010T080000Z",
            4,
            clock,
        ),
        (400, "RequestExpired", "x", 4, clock),
        (
            400,
            "ValidationError",
            &longer,
            4,
            "the role allows less: pass a shorter --duration, or raise the role's maximum session duration",
        ),
        (
            400,
            "ValidationError",
            &chained,
            4,
            "roles assumed with temporary credentials last one hour at most: pass --duration 1h",
        ),
        (
            403,
            "RegionDisabledException",
            "x",
            4,
            "STS is not activated in this region: pass --region with another, or have the account's administrator activate it",
        ),
        (
            400,
            "PackedPolicyTooLarge",
            "Packed size of session tags consumes 112% of allotted space.",
            4,
            "shorten the session policy or the tags",
        ),
        (400, "Throttling", "Rate exceeded", 5, "AWS is throttling requests: try again in a minute"),
        (400, "SomethingNew", "what it says", 4, ""),
    ];
    let (endpoint, sts) = (Endpoint::start(600), Sts::start());
    let sandbox = cloudshell(&endpoint, &sts);
    for (http, code, message, status, advice) in cases {
        sts.refuse(http, code, message);
        let hint = if advice.is_empty() { String::new() } else { format!("hint: {advice}\n") };
        let run = sandbox.credsh(&["export", "--role", ARN]);
        assert_eq!(run.fails(status, &[]), format!("credsh: sts:AssumeRole failed with {code}: {message}\n{hint}"));
    }
    let stored = sandbox.stored();
    assert!(
        stored.iter().all(|name| name == "clock" || name.split_once('.').is_some_and(|(_, ending)| ending == "lock")),
        "a refusal is no lease: {stored:?}"
    );
}

#[test]
fn throttling_is_tried_again() {
    let (endpoint, sts) = (Endpoint::start(600), Sts::start());
    sts.refuse_times(2, 400, "Throttling", "Rate exceeded");
    cloudshell(&endpoint, &sts).credsh(&["export", "--role", ARN]).ok();
    assert_eq!(sts.calls().len(), 3);
}

#[test]
fn what_sts_says_cannot_move_the_terminal() {
    let (endpoint, sts) = (Endpoint::start(600), Sts::start());
    sts.refuse(403, "AccessDenied", "a&#x9b;31mb&#13;&#10;c");
    let text = cloudshell(&endpoint, &sts)
        .credsh(&["export", "--role", ARN])
        .fails(4, &["credsh: sts:AssumeRole failed with AccessDenied: a"]);
    assert!(!text.replace('\n', "").contains(char::is_control), "{text:?}");
    assert_eq!(text.lines().count(), 2, "{text:?}");
}

#[test]
fn an_sts_that_is_not_there_or_not_sts() {
    let (endpoint, sts) = (Endpoint::start(600), Sts::start());
    let down = format!("http://{}", TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap());
    let sandbox = Sandbox::in_cloudshell(&endpoint).with("AWS_ENDPOINT_URL_STS", &down);
    let flags = ["export", "--role", ARN];
    assert_eq!(
        sandbox.credsh(&flags).fails(5, &[]),
        "credsh: cannot reach AWS STS: connection refused\nhint: check the network, HTTPS_PROXY and AWS_ENDPOINT_URL_STS, and try again\n"
    );
    let sandbox = cloudshell(&endpoint, &sts);
    sts.answer(500, "<html>Internal Server Error</html>");
    sandbox.credsh(&flags).fails(5, &["credsh: AWS STS answered with status 500"]);
    // As from a proxy that requires signing in, or refuses. The container's token is not mentioned.
    for (status, body) in
        [(200, "<html><p>sign in<br></html>"), (200, "{}"), (200, ""), (302, ""), (403, "Forbidden"), (403, "{}")]
    {
        sts.answer(status, body);
        for flags in [&flags[..], &["whoami"]] {
            assert_eq!(
                sandbox.credsh(flags).fails(if status == 403 { 4 } else { 5 }, &[]),
                format!(
                    "credsh: AWS STS answered with status {status}: this is not an answer from STS\nhint: check HTTPS_PROXY and AWS_ENDPOINT_URL_STS, and whether this network requires you to sign in\n"
                ),
                "{body}"
            );
        }
    }
    // A failure that may pass is no refusal, whatever its code is.
    for (status, code) in [
        (503, "SlowDown"),
        (503, "ServiceUnavailableException"),
        (500, "BadGateway"),
        (429, "TooManyRequestsException"),
        (408, "RequestTimeout"),
    ] {
        sts.refuse(status, code, "later");
        sandbox.credsh(&flags).fails(5, &[code, "later"]);
    }
    sts.answer(200, "<AssumeRoleResponse><AssumeRoleResult></AssumeRoleResult></AssumeRoleResponse>");
    sandbox.credsh(&flags).fails(5, &["credsh: AWS STS gave no usable credentials: the answer holds no credentials\n"]);
}

#[test]
fn a_region_that_is_not_there_is_named_by_its_host() {
    let mut sandbox = Sandbox::new();
    let keys = "aws_access_key_id = AKIAUSER\naws_secret_access_key = s\n";
    sandbox.file(".aws/config", &format!("[profile typo]\n{keys}region = us-esat-1\n[profile user]\n{keys}"));
    let script = sandbox.resolving("127.0.0.1 sts.eu-west-1.amazonaws.com\n");
    let said = |sandbox: &Sandbox, words: &[&str]| {
        let mut sh = sandbox.command("sh");
        sh.args(["-c", &script, "sh", CREDSH, "export", "--role", ARN]).args(words);
        Run::of(sh.output().unwrap()).fails(5, &["credsh: cannot reach AWS STS: "])
    };
    let lost = |host: &str| {
        format!(
            "credsh: cannot reach AWS STS: {host} cannot be resolved: name or service not known\nhint: check the region (--region, AWS_REGION or the profile's), then the network, HTTPS_PROXY and AWS_ENDPOINT_URL_STS\n"
        )
    };
    let typed = said(&sandbox, &["--profile", "user", "--region", "ap-norhteast-1"]);
    assert_eq!(typed, lost("sts.ap-norhteast-1.amazonaws.com"));
    assert_eq!(said(&sandbox, &["--profile", "typo"]), lost("sts.us-esat-1.amazonaws.com"));
    let control = said(&sandbox, &["--profile", "user", "--region", "eu-west-1"]);
    assert!(!control.contains("resolved"), "{control}");
    sandbox.set("AWS_REGION", "eu-wset-1");
    assert_eq!(said(&sandbox, &["--profile", "user"]), lost("sts.eu-wset-1.amazonaws.com"));
    // Then the proxy's name is the one to be resolved.
    sandbox.set("HTTPS_PROXY", "http://proxy.test:3128");
    assert_eq!(said(&sandbox, &["--profile", "user"]), lost("proxy.test"));
}

#[test]
fn a_renewal_repeats_the_same_request() {
    let (endpoint, sts) = (Endpoint::start(600), Sts::start());
    endpoint.rotate(support::endpoint::Rotation::Always);
    let mut sandbox = cloudshell(&endpoint, &sts);
    let flags = [
        "refresh",
        "--role",
        ARN,
        "--duration",
        "15m",
        "--session-name",
        "me",
        "--external-id",
        "ext",
        "--region",
        "eu-central-1",
    ];
    sandbox.credsh(&flags).ok();
    sandbox.credsh(&["refresh", "--role", ARN]).ok();
    let table = sandbox.credsh(&["status", "--json"]).ok();
    let ids: Vec<&str> = table.split("\"id\": \"").skip(1).map(|rest| &rest[..16]).collect();
    assert_eq!(ids.len(), 2, "{table}");
    // Another shell of the user's, in another environment, knows only the lease's id.
    sandbox.unset("AWS_ENDPOINT_URL_STS");
    sandbox.set("AWS_REGION", "us-west-2");
    for id in ids {
        sandbox.set("CREDSH_LEASE", id);
        sandbox.credsh(&["refresh", "--force"]).ok();
    }
    let calls = sts.calls();
    let same = |one: &Call, other: &Call| {
        let form =
            |call: &Call| call.form.iter().filter(|(_, value)| !is_default_name(value)).cloned().collect::<Vec<_>>();
        (form(one), one.region(), one.form.len()) == (form(other), other.region(), other.form.len())
    };
    assert_eq!(calls.len(), 4);
    assert!(!same(&calls[0], &calls[1]), "the control");
    for first in &calls[..2] {
        assert!(calls[2..].iter().any(|renewal| same(first, renewal)), "{first:?} was not repeated: {calls:?}");
    }
}

#[test]
fn a_role_that_is_refused_keeps_the_credentials_at_hand() {
    let (endpoint, sts) = (Endpoint::start(600), Sts::start());
    let sandbox = cloudshell(&endpoint, &sts);
    let first = sandbox.credsh(&["export", "--role", ARN]).ok();
    sts.refuse(403, "AccessDenied", DENIED);
    let text = sandbox
        .credsh(&["refresh", "--force", "--role", ARN])
        .fails(4, &["failed with AccessDenied", "credsh: the current credentials are kept: role:deploy "]);
    assert!(!text.contains("sts-secret") && !text.contains("token-1"), "{text}");
    assert_eq!(sandbox.credsh(&["export", "--role", ARN]).ok(), first);
}

const MFA: &str = "[profile base]\naws_access_key_id = AKIABASE\naws_secret_access_key = s\n[profile mfa]\nrole_arn = arn:aws:iam::123456789012:role/deploy\nsource_profile = base\nmfa_serial = arn:aws:iam::123456789012:mfa/me\n";

#[test]
fn an_mfa_code_without_a_terminal_is_refused_with_words() {
    let sts = Sts::start();
    let sandbox = Sandbox::new().with("AWS_ENDPOINT_URL_STS", &sts.url());
    sandbox.file(".aws/config", MFA);
    // A session of its own has no terminal, whoever runs the tests.
    let mut setsid = sandbox.command("setsid");
    let run = Run::of(setsid.args(["--wait", support::CREDSH, "export", "--profile", "mfa"]).output().unwrap());
    run.fails(1, &["credsh: cannot ask for the MFA code on /dev/tty: no such device or address\nhint: type `credsh refresh` in a terminal first, with the same flags and XDG_RUNTIME_DIR: no code is asked for until the session that it gets has expired\n"]);
    assert_eq!(sts.calls().len(), 0);
}

#[test]
fn an_mfa_code_is_asked_for_on_the_terminal() {
    let sts = Sts::start();
    let sandbox = Sandbox::new().with("AWS_ENDPOINT_URL_STS", &sts.url());
    sandbox.file(".aws/config", MFA);
    let out = sandbox.home().join("out");
    // stdin, stdout and stderr are not the terminal: the question must not need them.
    let command = format!("{} export --profile mfa </dev/null >{} 2>&1", support::CREDSH, out.display());
    let mut script = sandbox.command("script");
    script
        .args(["-qec", &command, "/dev/null"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped());
    let mut script = script.spawn().unwrap();
    let (mut keyboard, mut screen) = (script.stdin.take().unwrap(), script.stdout.take().unwrap());
    // The code is typed when asked for, and the terminal stays open until the end: `script` stops when its own input ends.
    let (question, mut shown) = ("MFA code for arn:aws:iam::123456789012:mfa/me: ", Vec::new());
    while !String::from_utf8_lossy(&shown).contains(question) {
        let mut byte = [0];
        assert_eq!(std::io::Read::read(&mut screen, &mut byte).unwrap(), 1, "{}", String::from_utf8_lossy(&shown));
        shown.push(byte[0]);
    }
    std::io::Write::write_all(&mut keyboard, b"123456\n").unwrap();
    script.wait().unwrap();
    assert!(std::fs::read_to_string(out).unwrap().contains("ASIASTS0002"), "the role's, on the session's");
    let calls = sts.calls();
    assert_eq!(calls.iter().map(|call| call.get("Action")).collect::<Vec<_>>(), ["GetSessionToken", "AssumeRole"]);
    let code = (calls[0].get("SerialNumber"), calls[0].get("TokenCode"));
    assert_eq!(code, ("arn:aws:iam::123456789012:mfa/me", "123456"));
}

/// The host that is asked, as seen by a proxy that lets nobody through.
fn host(sandbox: &Sandbox, variables: &[(&str, &str)], args: &[&str]) -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let proxy = format!("http://{}", listener.local_addr().unwrap());
    let first = std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        std::io::BufRead::lines(std::io::BufReader::new(stream)).next().unwrap().unwrap()
    });
    let mut command = sandbox.command(support::CREDSH);
    command.env("HTTPS_PROXY", proxy).envs(variables.iter().copied()).args(args);
    Run::of(command.output().unwrap()).fails(5, &[]);
    let first = first.join().unwrap();
    first
        .strip_prefix("CONNECT ")
        .and_then(|rest| rest.split(':').next())
        .unwrap_or_else(|| panic!("{first}"))
        .to_owned()
}

/// In the AWS CLI's order: a variable, then the profile.
#[test]
fn fips_and_dual_stack() {
    let sandbox = Sandbox::new().with("AWS_REGION", "us-east-2");
    let keys = "aws_access_key_id = AKIADEV\naws_secret_access_key = s\n";
    let config = format!(
        "[profile plain]\n{keys}[profile both]\n{keys}use_fips_endpoint = true\nuse_dualstack_endpoint = true\n"
    );
    sandbox.file(".aws/config", &config);
    let (fips, dual) = ("AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT");
    for (profile, variables, wanted) in [
        ("plain", &[][..], "sts.us-east-2.amazonaws.com"),
        ("plain", &[(fips, "true")], "sts-fips.us-east-2.amazonaws.com"),
        ("plain", &[(dual, "TRUE")], "sts.us-east-2.api.aws"),
        ("plain", &[(fips, "yes"), (dual, "1")], "sts.us-east-2.amazonaws.com"),
        ("both", &[], "sts-fips.us-east-2.api.aws"),
        ("both", &[(fips, "false")], "sts.us-east-2.api.aws"),
    ] {
        assert_eq!(host(&sandbox, variables, &["export", "--profile", profile]), wanted, "{variables:?}");
    }
    assert_eq!(host(&sandbox, &[], &["export", "--profile", "both", "--role", ARN]), "sts-fips.us-east-2.api.aws");
    // whoami asks there too, even with credentials that are not from STS.
    let endpoint = Endpoint::start(600);
    let shell = Sandbox::in_cloudshell(&endpoint).with("AWS_REGION", "us-east-2");
    assert_eq!(host(&shell, &[(fips, "true")], &["whoami"]), "sts-fips.us-east-2.amazonaws.com");
    let before = shell.ids();
    Run::of(shell.command(support::CREDSH).env(fips, "true").arg("export").output().unwrap()).ok();
    assert_eq!((before.len(), shell.ids()), (1, before), "they are the same credentials");
    let sso = "[profile sso]\nsso_start_url = https://example.invalid/\nsso_region = us-east-2\nsso_account_id = 123456789012\nsso_role_name = dev\n";
    sandbox.file(".aws/config", sso);
    sandbox.file(
        ".aws/sso/cache/e569fb4e11ed3ad9a26348bda39f78e7d75807b9.json",
        r#"{"accessToken":"t","expiresAt":"2099-01-01T00:00:00Z"}"#,
    );
    let wanted = "portal.sso-fips.us-east-2.amazonaws.com";
    assert_eq!(host(&sandbox, &[(fips, "true")], &["export", "--profile", "sso"]), wanted);
}

/// In botocore's order; and all of it is ignored where that is configured.
#[test]
fn the_endpoint_of_a_profile() {
    let (one, two, three) = (Sts::start(), Sts::start(), Sts::start());
    let sandbox = Sandbox::new().with("AWS_REGION", "us-east-2");
    let keys = "aws_access_key_id = AKIADEV\naws_secret_access_key = s";
    let config = format!(
        "[profile key]\n{keys}\nendpoint_url = {0}\n[profile section]\n{keys}\nendpoint_url = {0}\nservices = local
[profile off]\n{keys}\nendpoint_url = {0}\nignore_configured_endpoint_urls = true
[profile role]\nrole_arn = {ARN}\nsource_profile = key\nendpoint_url = {1}
[profile temporary]\naws_access_key_id = ASIADEV\naws_secret_access_key = s\naws_session_token = t\nignore_configured_endpoint_urls = true
[profile user]\n{keys}\nendpoint_url = http://me:pw@127.0.0.1/\n[services local]\ns3 =\n  endpoint_url = http://127.0.0.1:9\nsts =\n  endpoint_url = {1}\n",
        one.url(),
        two.url()
    );
    sandbox.file(".aws/config", &config);
    let asked = || [&one, &two, &three].map(|sts| sts.calls().len());
    let export = |profile: &str, variables: &[(&str, &str)]| {
        let before = asked();
        let mut command = sandbox.command(support::CREDSH);
        let run = command.args(["export", "--no-store", "--profile", profile]).envs(variables.iter().copied());
        Run::of(run.output().unwrap()).ok();
        let after = asked();
        [0, 1, 2].map(|at| after[at] - before[at])
    };
    assert_eq!(export("key", &[]), [1, 0, 0]);
    assert_eq!(export("section", &[]), [0, 1, 0]);
    assert_eq!(export("role", &[]), [0, 1, 0]);
    assert_eq!(export("section", &[("AWS_ENDPOINT_URL", &three.url())]), [0, 0, 1]);
    let ignored = [("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true"), ("AWS_ENDPOINT_URL_STS", &three.url())];
    let flags = ["export", "--no-store", "--profile", "section"];
    assert_eq!(host(&sandbox, &ignored, &flags), "sts.us-east-2.amazonaws.com");
    assert_eq!(host(&sandbox, &[], &["export", "--profile", "off"]), "sts.us-east-2.amazonaws.com");
    let configured = [("AWS_ENDPOINT_URL_STS", &*three.url())];
    assert_eq!(host(&sandbox, &configured, &["whoami", "--profile", "temporary"]), "sts.us-east-2.amazonaws.com");
    assert_eq!(asked(), [1, 2, 1]);
    let user = sandbox
        .credsh(&["export", "--profile", "user"])
        .fails(1, &["credsh: the address of AWS STS: contains a user name"]);
    assert!(!user.contains("pw"), "{user}");
    let sandbox = sandbox.with("AWS_USE_FIPS_ENDPOINT", "true");
    sandbox.credsh(&["export", "--profile", "key"]).fails(
        1,
        &["the address of AWS STS: a custom one is set, but AWS's FIPS or dual-stack one is requested\nhint: unset "],
    );
}
