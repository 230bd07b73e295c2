//! Everything that a container endpoint has been seen to answer, or might: what is said, with which exit status, and that
//! no good credentials are lost. How a shell with the hook takes it is in `fault_shells.rs`.

mod support;

use std::time::Duration;

use support::endpoint::{Behaviour, Endpoint, Rotation, TOKEN, now, rfc3339};
use support::{Sandbox, Silent};

const REFUSED: &str =
    "hint: the endpoint rejected AWS_CONTAINER_AUTHORIZATION_TOKEN; open a new CloudShell tab, not a tmux window\n";
const UNREACHED: &str =
    "hint: check that AWS_CONTAINER_CREDENTIALS_FULL_URI is set to this environment's endpoint, and try again\n";

/// One fault: met with nothing stored, met with good credentials stored, and then over. `message` is stderr without its
/// beginning, `credsh: the container endpoint (cloudshell) `; `cannot reach: ` at its start goes in front of that name.
#[track_caller]
fn check(behaviour: Behaviour, status: i32, message: &str) {
    let endpoint = Endpoint::start(600);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    let good = sandbox.credsh(&["export"]).ok();
    let case = format!("{behaviour:.60?}");
    endpoint.behave(behaviour);
    let name = "the container endpoint (cloudshell)";
    let message = match message.strip_prefix("cannot reach: ") {
        Some(reason) => format!("credsh: cannot reach {name}: {reason}"),
        None => format!("credsh: {name} {message}"),
    };
    let cold = sandbox.credsh(&["export", "--no-store"]).fails(status, &[]);
    assert_eq!(cold, message, "{case}");
    let warm = sandbox.credsh(&["refresh", "--force"]).fails(status, &[]);
    assert_eq!(
        warm.split("credsh: the current credentials are kept: cloudshell ").next(),
        Some(message.as_str()),
        "{case}"
    );
    for text in [cold, warm] {
        assert!(!text.contains(TOKEN) && !text.contains("test-secret") && !text.contains("test-token"), "{text}");
        assert!(!text.replace('\n', "").contains(char::is_control), "{text:?}");
    }
    assert_eq!(sandbox.credsh(&["export"]).ok(), good, "{case}: the stored ones are kept");
    endpoint.behave(Behaviour::Good);
    // With a later expiration, as the same one would not count as a rotation.
    endpoint.live(660);
    endpoint.expire();
    sandbox.credsh(&["refresh", "--force"]).ok();
    assert!(sandbox.credsh(&["export"]).ok().contains("ASIATEST0002"), "{case}: and renewed when it is over");
}

fn answer(status: u16, body: &str) -> Behaviour {
    Behaviour::Answer { status, headers: String::new(), body: body.into() }
}

fn raw(text: &str) -> Behaviour {
    Behaviour::Raw(text.as_bytes().to_vec())
}

/// A good answer with one field replaced by this JSON, or left out.
fn with(field: &str, json: &str) -> Behaviour {
    let end = format!("\"{}\"", rfc3339(now() + 600));
    let fields = [
        ("Code", "\"Success\""),
        ("AccessKeyId", "\"ASIAX\""),
        ("SecretAccessKey", "\"test-secret-x\""),
        ("Token", "\"test-token-x\""),
        ("Expiration", &end),
    ];
    let fields = fields.map(|(name, good)| (name, if name == field { json } else { good }));
    let fields: Vec<String> =
        fields.iter().filter(|(_, json)| !json.is_empty()).map(|(name, json)| format!("\"{name}\":{json}")).collect();
    answer(200, &format!("{{{}}}", fields.join(",")))
}

#[test]
fn the_table_has_a_good_answer() {
    let endpoint = Endpoint::start(600);
    endpoint.behave(with("", ""));
    assert!(Sandbox::in_cloudshell(&endpoint).credsh(&["export"]).ok().contains("ASIAX"), "the control of `with`");
}

#[test]
fn nobody_listens() {
    let port = support::CLOSED;
    let sandbox = Sandbox::new()
        .with("AWS_CONTAINER_CREDENTIALS_FULL_URI", &format!("http://127.0.0.1:{port}/x"))
        .with("AWS_CONTAINER_AUTHORIZATION_TOKEN", TOKEN);
    let text = sandbox.credsh(&["export"]).fails(5, &[]);
    assert_eq!(
        text,
        format!("credsh: cannot reach the container endpoint (container): connection refused\n{UNREACHED}")
    );
}

#[test]
fn no_answer() {
    check(Behaviour::Close, 5, &format!("cannot reach: connection closed before message completed\n{UNREACHED}"));
}

#[test]
fn silence() {
    check(Behaviour::Hang(Duration::from_secs(60)), 5, &format!("did not answer within 5 s\n{UNREACHED}"));
}

#[test]
fn slowness() {
    let endpoint = Endpoint::start(600);
    endpoint.behave(Behaviour::Slow(Duration::from_secs(4)));
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    assert!(sandbox.credsh(&["export"]).ok().contains("ASIATEST0001"), "4 s are not too long");
    assert_eq!(endpoint.count(), 1);
    check(Behaviour::Trickle(Duration::from_secs(1)), 5, &format!("did not answer within 5 s\n{UNREACHED}"));
    check(Behaviour::Slow(Duration::from_secs(10)), 5, &format!("did not answer within 5 s\n{UNREACHED}"));
}

#[test]
fn refusals() {
    for status in [400, 401, 403, 404] {
        let hint = if matches!(status, 401 | 403) { REFUSED } else { "" };
        check(
            answer(status, r#"{"code":"BadThing","message":"nope"}"#),
            4,
            &format!("answered with status {status}: BadThing: nope\n{hint}"),
        );
        check(answer(status, "a text\n"), 4, &format!("answered with status {status}: a text\n{hint}"));
    }
    check(answer(400, ""), 4, "answered with status 400\n");
    check(answer(400, r#"{"Code":"Upper","Message":"case"}"#), 4, "answered with status 400: Upper: case\n");
    check(
        answer(403, &format!("{{\"message\":\"what is {TOKEN}\"}}")),
        4,
        &format!("answered with status 403: what is **\n{REFUSED}"),
    );
    check(
        answer(400, "\u{1b}[2J\u{1b}]0;title\u{7}boo\r\nhoo\u{9b}31m"),
        4,
        "answered with status 400: [2J ]0;title boo hoo 31m\n",
    );
    check(
        answer(400, &"long ".repeat(1000)),
        4,
        &format!("answered with status 400: {}...\n", &"long ".repeat(1000)[..300]),
    );
}

#[test]
fn redirects() {
    for status in [301, 302] {
        check(answer(status, ""), 5, &format!("answered with status {status}\n"));
    }
}

#[test]
fn overload() {
    check(answer(429, "Too Many Requests"), 5, "answered with status 429: Too Many Requests\n");
    check(answer(500, "<html><h1>Oops</h1></html>"), 5, "answered with status 500: Oops\n");
    check(
        answer(503, "<html><head><title>503</title></head><body>try <b>later</b></body></html>"),
        5,
        "answered with status 503: 503 try later\n",
    );
}

/// The number of requests needed if the endpoint recovers a quarter of a second after the first.
fn asked_until_good(status: u16, headers: &str) -> usize {
    let endpoint = Endpoint::start(600);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    endpoint.behave(Behaviour::Answer { status, headers: headers.into(), body: "<html>busy</html>".into() });
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while endpoint.count() == 0 {
                std::thread::sleep(Duration::from_millis(5));
            }
            std::thread::sleep(Duration::from_millis(250));
            endpoint.behave(Behaviour::Good);
        });
        let run = sandbox.credsh(&["export"]);
        assert_eq!((run.status, run.stderr.as_str()), (0, ""), "{run:?}");
        assert!(run.stdout.contains("ASIATEST0001"));
    });
    endpoint.count()
}

#[test]
fn what_passes_is_tried_again() {
    for status in [429, 500, 503] {
        assert!(asked_until_good(status, "") > 2, "{status}");
    }
    assert_eq!(asked_until_good(429, "Retry-After: 1\r\n"), 2, "when the endpoint said to");
}

#[test]
fn what_does_not_pass_is_not() {
    let asked = |behaviour: Behaviour| {
        let endpoint = Endpoint::start(600);
        // Otherwise a refused token would be a reason to ask again, in the other dialect.
        endpoint.without_put();
        endpoint.behave(behaviour);
        assert_ne!(Sandbox::in_cloudshell(&endpoint).credsh(&["export"]).status, 0);
        endpoint.count()
    };
    for status in [302, 400, 401, 403, 404] {
        assert_eq!(asked(answer(status, "")), 1, "{status}");
    }
    assert_eq!(asked(answer(200, "<html>")), 1);
    let hour = Behaviour::Answer { status: 429, headers: "Retry-After: 3600\r\n".into(), body: String::new() };
    assert_eq!(asked(hour), 1, "nobody waits an hour");
}

#[test]
fn bodies_that_are_no_credentials() {
    let none = "gave no usable credentials: the answer is not a JSON object\n";
    for body in [
        "",
        "{",
        "[]",
        "null",
        "\"text\"",
        "<html>200</html>",
        "{\"AccessKeyId\":\"ASIAX\"",
        &"[".repeat(60_000),
        &"{\"a\":".repeat(10_000),
    ] {
        check(answer(200, body), 5, none);
    }
    check(raw("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n{\"AccessKeyId\":\"ASIAX\"}"), 5, none);
    check(Behaviour::Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n{\"a\":\"\xff\xfe\"}".to_vec()), 5, none);
    check(answer(200, &"x".repeat(10_000_000)), 5, "gave no usable credentials: the answer is larger than 64 KiB\n");
}

#[test]
fn broken_http() {
    check(
        raw("HTTP/1.1 200 OK\r\nContent-Length: 4000\r\n\r\n{\"AccessKeyId\":\"ASIAX\"}"),
        5,
        &format!("cannot reach: end of file before message length reached\n{UNREACHED}"),
    );
    check(
        raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzzz\r\n{}\r\n"),
        5,
        &format!("cannot reach: invalid chunk size line: missing size digit\n{UNREACHED}"),
    );
    check(
        raw("\x16\x03\x01 this is no HTTP\r\n\r\n"),
        5,
        &format!("cannot reach: invalid HTTP version parsed\n{UNREACHED}"),
    );
    check(
        raw("HTTP/1.1 200 OK\r\n"),
        5,
        &format!("cannot reach: connection closed before message completed\n{UNREACHED}"),
    );
}

#[test]
fn a_code_other_than_success() {
    check(
        answer(200, r#"{"Code":"AssumeRoleUnauthorizedAccess","Message":"EC2 cannot assume the role"}"#),
        5,
        "gave no usable credentials: its Code is AssumeRoleUnauthorizedAccess: EC2 cannot assume the role\n",
    );
    check(with("Code", "\"Failed\""), 5, "gave no usable credentials: its Code is Failed: no message\n");
    check(with("Code", "7"), 5, "gave no usable credentials: Code is not a string\n");
    check(
        answer(200, &format!("{{\"Code\":\"Failed\",\"Message\":\"what is {TOKEN}\"}}")),
        5,
        "gave no usable credentials: its Code is Failed: what is **\n",
    );
}

#[test]
fn every_field_missing_null_a_number_empty_long_or_with_controls() {
    for (field, name) in [
        ("AccessKeyId", "AccessKeyId"),
        ("SecretAccessKey", "SecretAccessKey"),
        ("Token", "the session token"),
        ("Expiration", ""),
    ] {
        let says = |reason: &str| format!("gave no usable credentials: {reason}\n");
        check(with(field, ""), 5, &says(&format!("{field} is missing")));
        check(with(field, "null"), 5, &says(&format!("{field} is missing")));
        check(with(field, "12"), 5, &says(&format!("{field} is not a string")));
        check(with(field, "{}"), 5, &says(&format!("{field} is not a string")));
        if field == "Expiration" {
            let long = "9".repeat(40_000);
            check(
                with(field, &format!("\"{long}\"")),
                5,
                &says(&format!("Expiration is not a time: {}...", &long[..300])),
            );
        } else {
            check(with(field, "\"\""), 5, &says(&format!("{name} is empty")));
            check(
                with(field, &format!("\"{}\"", "x".repeat(40_000))),
                5,
                &says(&format!("{name} is longer than 32 KiB")),
            );
            for control in ["\\n", "\\u001b[31m", "\\u0000", "\\u009b", "\\u007f"] {
                check(
                    with(field, &format!("\"a{control}b\"")),
                    5,
                    &says(&format!("{name} contains a control character")),
                );
            }
        }
    }
}

#[test]
fn expirations() {
    let at = |text: &str| with("Expiration", &format!("\"{text}\""));
    let past = rfc3339(now() - 60);
    check(at(&past), 5, &format!("gave no usable credentials: they expired at {past}\n"));
    check(at("1970-01-01T00:00:00Z"), 5, "gave no usable credentials: they expired at 1970-01-01T00:00:00Z\n");
    let local = rfc3339(now() + 600).replace('Z', "");
    for text in ["soon", "", "1700000000", "2024-13-45T99:99:99Z", &local, "9999-12-31T23:59:59Z"] {
        check(
            at(text),
            5,
            &format!(
                "gave no usable credentials: Expiration is not a time{}\n",
                if text.is_empty() { ": ".into() } else { format!(": {text}") }
            ),
        );
    }
    // The ways in which AWS and others write it. Fractions of a second are dropped.
    let end = now() + 600;
    let plain = rfc3339(end);
    let ahead = rfc3339(end + 9 * 3600).replace('Z', "+09:00");
    for text in [plain.replace('Z', "+00:00"), plain.replace('Z', ".806005Z"), plain.replace('Z', ".5+00:00"), ahead] {
        let endpoint = Endpoint::start(600);
        endpoint.behave(at(&text));
        let out = Sandbox::in_cloudshell(&endpoint).credsh(&["export"]).ok();
        assert!(out.ends_with(&format!("AWS_CREDENTIAL_EXPIRATION='{plain}'\n")), "{text}: {out}");
    }
}

/// With a `Date` that is far off, credentials that end in ten minutes must not be kept for half a century, nor
/// expired ones be taken for good.
#[test]
fn a_date_that_cannot_be() {
    for behind in [now(), 40 * 3600] {
        let endpoint = Endpoint::start(600);
        endpoint.clock(-behind);
        let sandbox = Sandbox::in_cloudshell(&endpoint);
        endpoint.behave(with("Expiration", &format!("\"{}\"", rfc3339(now() + 600))));
        sandbox.credsh(&["export"]).ok();
        let table = sandbox.credsh(&["status"]).ok();
        assert!(table.contains(" 9m ") || table.contains(" 10m "), "{behind}: {table}");
        endpoint.behave(with("Expiration", &format!("\"{}\"", rfc3339(now() - 60))));
        sandbox.credsh(&["export", "--no-store"]).fails(5, &["gave no usable credentials: they expired at "]);
    }
}

/// A firewall drops what is sent. The limit for connecting is much shorter than the one for the answer,
/// and the message names it.
#[test]
fn no_connection() {
    let silent = Silent::start();
    let keys = Sandbox::new().with("AWS_ACCESS_KEY_ID", "AKIATEST").with("AWS_SECRET_ACCESS_KEY", "s");
    let hint = "hint: check the network, HTTPS_PROXY and AWS_ENDPOINT_URL_STS, and try again\n";
    // As for AWS, and as for something on this machine.
    for (scheme, seconds) in [("https", 5), ("http", 1)] {
        let url = format!("{scheme}://127.0.0.1:{}", silent.port());
        let mut sandbox = keys.command(support::CREDSH);
        let run = sandbox.env("AWS_ENDPOINT_URL_STS", url).arg("export");
        assert_eq!(
            support::Run::of(run.output().unwrap()).fails(5, &[]),
            format!("credsh: cannot reach AWS STS: no connection within {seconds} s\n{hint}")
        );
    }
    let mut ec2 = Sandbox::new();
    ec2.unset("AWS_EC2_METADATA_DISABLED");
    ec2.set("AWS_EC2_METADATA_SERVICE_ENDPOINT", &format!("http://127.0.0.1:{}", silent.port()));
    ec2.credsh(&["export", "--source", "ec2"]).fails(3, &["no connection within 1 s"]);
    // IAM Identity Center, whose client is the SDK's own, through a proxy that does not answer.
    let sso = signed_in().with("HTTPS_PROXY", &format!("http://127.0.0.1:{}", silent.port()));
    sso.credsh(&["export", "--profile", "dev"])
        .fails(5, &["credsh: cannot reach profile dev: ", "no connection within 5 s"]);
}

/// A sandbox with a profile of IAM Identity Center and its sign-in, where the AWS CLI keeps that: in a file named by
/// the SHA-1 of the start URL.
fn signed_in() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.file(
        ".aws/config",
        "[profile dev]\nsso_start_url = https://example.invalid/start\nsso_region = us-east-1\nsso_account_id = 123456789012\nsso_role_name = dev\n",
    );
    sandbox.file(
        ".aws/sso/cache/1a456e1a50f672d76dbb7e005eadd369d967380a.json",
        &format!("{{\"accessToken\":\"t\",\"expiresAt\":\"{}\"}}", rfc3339(now() + 3600)),
    );
    sandbox
}

/// The message must not blame the network, and must spell the path as it is, upper case and all.
#[test]
fn certificates_that_cannot_be_read() {
    let text = "set AWS_CA_BUNDLE to a PEM file of the certificates to trust, or unset it";
    for (name, reason) in [("Etc/My-CA.pem", "no such file or directory"), ("Not-PEM", "contains no certificate")] {
        let sandbox = signed_in();
        let path = sandbox.file("Not-PEM", "a text\n").with_file_name(name);
        let sandbox = sandbox.with("AWS_CA_BUNDLE", path.to_str().unwrap());
        let keys = [("AWS_ACCESS_KEY_ID", "AKIATEST"), ("AWS_SECRET_ACCESS_KEY", "s")];
        let endpoint = [("AWS_CONTAINER_CREDENTIALS_FULL_URI", "https://127.0.0.1:1/x")];
        for (variables, flags) in
            [(&keys[..], &["export"][..]), (&[], &["export", "--profile", "dev"]), (&endpoint, &["export"])]
        {
            let run = sandbox.command(support::CREDSH).envs(variables.iter().copied()).args(flags).output().unwrap();
            let message = format!("credsh: AWS_CA_BUNDLE {}: {reason}\nhint: {text}\n", path.display());
            assert_eq!(support::Run::of(run).fails(1, &[]), message);
        }
    }
}

fn status(sandbox: &Sandbox) -> serde_json::Value {
    serde_json::from_str(&sandbox.credsh(&["status", "--json"]).ok()).unwrap()
}

#[test]
fn clocks_apart() {
    for offset in [-1200, 0, 1200] {
        let endpoint = Endpoint::start(600);
        endpoint.clock(offset);
        let sandbox = Sandbox::in_cloudshell(&endpoint);
        let out = sandbox.credsh(&["export"]).ok();
        let told = out.split("EXPIRATION='").nth(1).unwrap().trim_end_matches("'\n");
        let lease = &status(&sandbox)["leases"][0];
        assert_eq!(lease["expiration"], told, "AWS's own word is passed on");
        let left = lease["seconds_left"].as_i64().unwrap();
        assert!((590..=602).contains(&left), "{offset}: {lease}");
        assert_eq!(lease["state"], "fresh");
        sandbox.credsh(&["export"]).ok();
        assert_eq!(endpoint.count(), 1, "{offset}: not due yet");
    }
}

/// Once the stored credentials have ended the failure is the result, and the old keys are not handed out.
#[test]
fn what_is_over_is_not_handed_out() {
    let endpoint = Endpoint::start(2);
    endpoint.rotate(Rotation::Never);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    sandbox.credsh(&["export"]).ok();
    while status(&sandbox)["leases"][0]["state"] != "expired" {
        std::thread::sleep(Duration::from_millis(100));
    }
    sandbox
        .credsh(&["export"])
        .fails(5, &["credsh: the container endpoint (cloudshell) gave no usable credentials: they expired at "]);
    endpoint.answer(500, "down");
    sandbox.credsh(&["export"]).fails(5, &["status 500: down"]);
    endpoint.behave(Behaviour::Good);
    endpoint.expire();
    endpoint.rotate(Rotation::HalfLife);
    assert!(sandbox.credsh(&["export"]).ok().contains("ASIATEST0002"));
}
