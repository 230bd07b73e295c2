//! IAM Identity Center: what its portal refuses, and what a profile or a sign-in may lack. The SDK asks the portal at
//! `AWS_ENDPOINT_URL_SSO`, and for a new sign-in at `AWS_ENDPOINT_URL_SSO_OIDC`.

mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::thread;

use support::Sandbox;
use support::endpoint::{now, rfc3339};
use support::sts::Sts;

/// Stands in for both of these, and answers every request alike.
struct Portal {
    url: String,
    /// The status, the error's name, and the body.
    answer: Arc<Mutex<(u16, String, String)>>,
    /// The requests, as `METHOD PATH`, without the query.
    asked: Arc<Mutex<Vec<String>>>,
}

impl Portal {
    fn start() -> Portal {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let url = format!("http://127.0.0.1:{}", listener.local_addr().unwrap().port());
        let answer = Arc::new(Mutex::new((200, String::new(), good())));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let portal = Portal { url, answer: Arc::clone(&answer), asked: Arc::clone(&asked) };
        thread::spawn(move || {
            for mut stream in listener.incoming().map_while(Result::ok) {
                let mut reader = BufReader::new(stream.try_clone().unwrap());
                let head: Vec<String> =
                    reader.by_ref().lines().map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
                let Some(first) = head.first() else { continue };
                let length =
                    head.iter().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
                reader.read_exact(&mut vec![0; length.unwrap_or(0)]).unwrap();
                asked.lock().unwrap().push(first.split(['?', ' ']).take(2).collect::<Vec<_>>().join(" "));
                let (status, name, body) = answer.lock().unwrap().clone();
                let name = if name.is_empty() { name } else { format!("x-amzn-ErrorType: {name}\r\n") };
                let length = body.len();
                let head =
                    format!("HTTP/1.1 {status} X\r\nConnection: close\r\n{name}Content-Length: {length}\r\n\r\n");
                let _ = stream.write_all(format!("{head}{body}").as_bytes());
            }
        });
        portal
    }

    fn refuse(&self, status: u16, name: &str, message: &str) {
        let body = if name.is_empty() { message.into() } else { format!(r#"{{"message":"{message}"}}"#) };
        *self.answer.lock().unwrap() = (status, name.into(), body);
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.asked.lock().unwrap())
    }
}

fn good() -> String {
    let end = (now() + 3600) * 1000;
    format!(
        r#"{{"roleCredentials":{{"accessKeyId":"ASIASSO","secretAccessKey":"s","sessionToken":"t","expiration":{end}}}}}"#
    )
}

const ROLE: &str = "sso_account_id = 123456789012\nsso_role_name = dev\n";
const SESSION: &str = "[sso-session corp]\nsso_region = us-east-1\nsso_start_url = https://example.invalid/start\n";

const TOKEN: &str = "sso-access-token";

/// A sandbox in which profile `dev` is signed in until `ends`. The file is named by the SHA-1 of `corp`.
fn signed_in(portal: &Portal, ends: i64) -> Sandbox {
    let sandbox = Sandbox::new()
        .with("AWS_ENDPOINT_URL_SSO", &portal.url)
        .with("AWS_ENDPOINT_URL_SSO_OIDC", &portal.url)
        .with("HTTPS_PROXY", "http://127.0.0.1:9");
    sandbox.file(".aws/config", &format!("[profile dev]\nsso_session = corp\n{ROLE}{SESSION}"));
    let (ends, later) = (rfc3339(ends), rfc3339(now() + 86400));
    sandbox.file(
        ".aws/sso/cache/ee0bfd2552fbd840c02cc48b6e823320543c450f.json",
        &format!(
            r#"{{"accessToken":"{TOKEN}","expiresAt":"{ends}","clientId":"c","clientSecret":"s","refreshToken":"r","registrationExpiresAt":"{later}"}}"#
        ),
    );
    sandbox
}

const LOGIN: &str = "hint: sign in with `aws sso login --profile dev`\n";

#[test]
fn a_sign_in_that_the_portal_refuses() {
    let portal = Portal::start();
    let sandbox = signed_in(&portal, now() + 3600);
    assert!(sandbox.credsh(&["export", "--profile", "dev"]).ok().contains("ASIASSO"), "the control");
    let message = "Session token not found or invalid";
    portal.refuse(401, "UnauthorizedException", message);
    let wanted = format!("credsh: sso:GetRoleCredentials failed with UnauthorizedException: {message}\n{LOGIN}");
    assert_eq!(sandbox.credsh(&["export", "--no-store", "--profile", "dev"]).fails(4, &[]), wanted);
    // What hooks say once is in the lease, together with what to type.
    sandbox.credsh(&["refresh", "--force", "--profile", "dev"]).fails(4, &[LOGIN]);
    let status = sandbox.credsh(&["status", "--json"]).ok();
    assert!(status.contains(&format!("{message}; {}", LOGIN.trim_end().trim_start_matches("hint: "))), "{status}");
    assert_eq!(portal.asked(), ["GET /federation/credentials"; 3]);
}

/// As a proxy may do, or whatever answers in place of the portal.
#[test]
fn a_portal_that_echoes_the_sign_in() {
    let portal = Portal::start();
    let sandbox = signed_in(&portal, now() + 3600);
    for (echoed, shown) in [(TOKEN, "**"), ("sso%2Daccess%2Dtoken", "**"), ("no-token", "no-token")] {
        portal.refuse(401, "UnauthorizedException", echoed);
        let text = sandbox.credsh(&["export", "--profile", "dev"]).fails(4, &[LOGIN]);
        assert!(text.contains(&format!("UnauthorizedException: {shown}\n")), "{text}");
    }
}

/// The SDK does not report it, and uses the expired sign-in.
#[test]
fn a_sign_in_that_is_over_and_cannot_be_renewed() {
    let portal = Portal::start();
    portal.refuse(401, "UnauthorizedException", "Session token not found or invalid");
    let sandbox = signed_in(&portal, now() - 60);
    sandbox.credsh(&["export", "--profile", "dev"]).fails(4, &["UnauthorizedException", LOGIN]);
    assert_eq!(portal.asked(), ["POST /token", "GET /federation/credentials"]);
}

#[test]
fn what_else_the_portal_says() {
    let portal = Portal::start();
    let sandbox = signed_in(&portal, now() + 3600);
    let operation = "credsh: sso:GetRoleCredentials failed with ";
    let role = "hint: check sso_account_id and sso_role_name of profile dev: the user who signed in may not have this role in this account\n";
    for (status, name, message, exit, wanted) in [
        (403, "ForbiddenException", "No access", 4, format!("{operation}ForbiddenException: No access\n{role}")),
        (404, "ResourceNotFoundException", "no", 4, format!("{operation}ResourceNotFoundException: no\n{role}")),
        (400, "InvalidRequestException", "no", 4, format!("{operation}InvalidRequestException: no\n")),
        (
            429,
            "TooManyRequestsException",
            "HTTP 429",
            5,
            format!(
                "{operation}TooManyRequestsException: HTTP 429\nhint: AWS is throttling requests: try again in a minute\n"
            ),
        ),
        (500, "InternalServerException", "sso", 5, format!("{operation}InternalServerException: sso\n")),
        (503, "", "<html>token expired</html>", 5, "credsh: IAM Identity Center answered with status 503\n".into()),
        (
            200,
            "",
            "{}",
            5,
            "credsh: IAM Identity Center gave no usable credentials: SSO did not return credentials\n".into(),
        ),
        (200, "", "<html>", 5, "credsh: IAM Identity Center answered with status 200\n".into()),
        (401, "", "", 4, format!("credsh: sso:GetRoleCredentials failed: status 401\n{LOGIN}")),
    ] {
        portal.refuse(status, name, message);
        assert_eq!(sandbox.credsh(&["export", "--profile", "dev"]).fails(exit, &[]), wanted, "{status}");
    }
}

/// What the AWS CLI accepts, but the SDK takes for a mistake, or for a profile of IAM Identity Center.
#[test]
fn what_a_profile_says_beside_its_session() {
    let portal = Portal::start();
    let sandbox = signed_in(&portal, now() + 3600);
    let export = |profile: &str| {
        sandbox.file(".aws/config", &format!("[profile dev]\n{profile}{SESSION}"));
        sandbox.credsh(&["export", "--no-store", "--profile", "dev"])
    };
    let (_, repeated) = SESSION.split_once('\n').unwrap();
    let dev = format!("sso_session = corp\n{ROLE}");
    assert!(export(&format!("{dev}{repeated}")).ok().contains("ASIASSO"));
    assert!(export(&format!("{dev}sso_region = us-east-1\n")).ok().contains("ASIASSO"));
    export(&format!("{dev}sso_region = eu-west-1\n")).fails(
        1,
        &["credsh: profile dev gave no credentials: its sso_region differs from that of its sso-session\nhint: "],
    );
    assert_eq!(portal.asked().len(), 2);
    let keys = "aws_access_key_id = ASIAKEYS\naws_secret_access_key = s\naws_session_token = t\n";
    let json = r#"{"Version":1,"AccessKeyId":"ASIAPROCESS","SecretAccessKey":"s","SessionToken":"t"}"#;
    let process = format!("credential_process = cat {}\n", sandbox.file("json", json).display());
    for rest in ["sso_session = corp\n", "sso_region = us-east-1\n", repeated] {
        assert!(export(&format!("{rest}{keys}")).ok().contains("'ASIAKEYS'"), "{rest}");
        assert!(export(&format!("{rest}{process}")).ok().contains("'ASIAPROCESS'"), "{rest}");
    }
    assert!(export(&format!("{dev}{keys}{process}")).ok().contains("ASIASSO"), "the control");
    assert_eq!(portal.asked().len(), 1);
}

/// credsh assumes the role, once, and the SDK does not.
#[test]
fn a_role_in_the_same_profile() {
    let (portal, sts) = (Portal::start(), Sts::start());
    let sandbox = signed_in(&portal, now() + 3600).with("AWS_ENDPOINT_URL_STS", &sts.url());
    let role = "role_arn = arn:aws:iam::123456789012:role/x\nsource_profile = dev\n";
    sandbox.file(".aws/config", &format!("[profile dev]\n{role}sso_session = corp\n{ROLE}{SESSION}"));
    sts.refuse(403, "AccessDenied", "no");
    let text =
        sandbox.credsh(&["export", "--profile", "dev"]).fails(4, &["sts:AssumeRole failed with AccessDenied: no"]);
    assert!(!text.contains("sso login"), "{text}");
    sts.yes();
    sandbox.credsh(&["export", "--profile", "dev"]).ok();
    let signers: Vec<String> = sts.calls().iter().map(|call| call.signer().to_owned()).collect();
    assert_eq!(signers, ["ASIASSO", "ASIASSO"]);
}

/// A profile of the old form, without an sso-session.
#[test]
fn no_sign_in_at_all() {
    let sandbox = Sandbox::new();
    let start = "https://example.invalid/start";
    sandbox.file(".aws/config", &format!("[profile dev]\nsso_region = us-east-1\nsso_start_url = {start}\n{ROLE}"));
    let cache = sandbox.home().join(".aws/sso/cache/1a456e1a50f672d76dbb7e005eadd369d967380a.json");
    assert_eq!(
        sandbox.credsh(&["export", "--profile", "dev"]).fails(1, &[]),
        format!(
            "credsh: profile dev gave no credentials: failed to read `{}`: no such file or directory\n{LOGIN}",
            cache.display()
        )
    );
}

/// It needs another command than IAM Identity Center's, and has another kind of session.
#[test]
fn a_profile_of_aws_login() {
    let sandbox = Sandbox::new();
    let session = "login_session = arn:aws:iam::123456789012:user/me\n";
    let process = "credential_process = false\n";
    let role = "[profile role]\nsource_profile = dev\nrole_arn = arn:aws:iam::123456789012:role/x\n";
    for more in ["", process] {
        sandbox.file(".aws/config", &format!("[profile dev]\n{session}{more}{role}"));
        for name in ["dev", "role"] {
            assert_eq!(
                sandbox.credsh(&["export", "--profile", name]).fails(1, &[]),
                "credsh: profile dev gave no credentials: profiles set up by `aws login` are not supported\nhint: make `aws configure export-credentials --profile dev` the credential_process of another profile, and use that one\n"
            );
        }
    }
}

/// A new sign-in cannot mend what is wrong in a file.
#[test]
fn what_a_profile_lacks() {
    let portal = Portal::start();
    let sandbox = signed_in(&portal, now() + 3600);
    for (profile, reason) in [
        (format!("sso_session = corp\n{SESSION}"), "it has no sso_account_id and sso_role_name"),
        (format!("sso_session = corp\nsso_role_name = dev\n{SESSION}"), "it has no sso_account_id"),
        (format!("sso_session = corp\nsso_account_id = 123456789012\n{SESSION}"), "it has no sso_role_name"),
        (format!("sso_session = other\n{ROLE}"), "sso-session named `other`"),
        (format!("{ROLE}sso_start_url = https://example.invalid/start\n"), "sso_region"),
    ] {
        sandbox.file(".aws/config", &format!("[profile dev]\n{profile}"));
        let text = sandbox.credsh(&["export", "--profile", "dev"]).fails(
            1,
            &[
                "credsh: profile dev gave no credentials: ",
                reason,
                "hint: `aws configure sso --profile dev` asks for what is missing, and saves it\n",
            ],
        );
        assert!(!text.contains("sso login"), "{text}");
    }
    assert_eq!(portal.asked(), [""; 0]);
}
