//! The EC2 metadata service, and everything it might answer: to the request for a token, for the list of roles, and for
//! the credentials. Who else may see these requests is in `trust.rs`.

mod support;

use std::thread;
use std::time::Duration;

use support::endpoint::{Behaviour, Endpoint, PATH, PUT, ROLES, Rotation, SESSION, now, rfc3339};
use support::pty::Shell;
use support::sts::Sts;
use support::{CLOSED, Sandbox};

in_every_shell! {
    a_fault_is_one_line_and_passes
    what_was_not_found_is_told_whole
}

const NAME: &str = "the EC2 metadata service";
const HINT: &str = "it gives credentials only on an EC2 instance with a role, and to a container there only if the instance's metadata hop limit is at least 2";
/// The paths that tell the three requests apart; the last stands for [`Endpoint::behave`].
const PLACES: [&str; 3] = [PUT, ROLES, PATH];
const ROLE: &str = "arn:aws:iam::123456789012:role/deploy";

fn answer(status: u16, body: &str) -> Behaviour {
    Behaviour::Answer { status, headers: String::new(), body: body.into() }
}

fn behave(endpoint: &Endpoint, place: &'static str, behaviour: Behaviour) {
    if place == PATH { endpoint.behave(behaviour) } else { endpoint.behave_at(place, behaviour) }
}

/// One fault at one of these places, met by the default chain: once with nothing stored, and once with good credentials
/// stored, which have to stay. `message` is how stderr begins, without `credsh: `.
#[track_caller]
fn check(place: &'static str, behaviour: Behaviour, status: i32, message: &str) {
    let endpoint = Endpoint::start(600);
    let sandbox = Sandbox::on_ec2(&endpoint);
    let good = sandbox.credsh(&["export"]).ok();
    let case = format!("{place} {behaviour:.80?}");
    behave(&endpoint, place, behaviour);
    let cold = sandbox.credsh(&["export", "--no-store"]).fails(status, &[]);
    assert!(cold.starts_with(&format!("credsh: {message}\n")), "{case}: {cold}");
    let warm = sandbox.credsh(&["refresh", "--force"]).fails(status, &[]);
    assert_eq!(warm.split("credsh: the current credentials are kept: ec2 ").next(), Some(&*cold), "{case}");
    let kept = sandbox.stored().into_iter().map(|name| std::fs::read_to_string(sandbox.store().join(name)).unwrap());
    for text in kept.chain([cold, warm]) {
        assert!(!text.contains(SESSION) && !text.contains("leaked"), "{case}: {text}");
        assert!(!text.replace('\n', "").contains(char::is_control), "{text:?}");
    }
    assert_eq!(sandbox.credsh(&["export"]).ok(), good, "{case}: the stored ones are kept");
}

/// An answer that only lacks its Expiration. Its secrets must not show.
const WHOLE: &str =
    r#"{"Code":"Success","AccessKeyId":"ASIAX","SecretAccessKey":"leaked-secret","Token":"leaked-token"}"#;

#[test]
fn three_requests() {
    let endpoint = Endpoint::start(600);
    let sandbox = Sandbox::on_ec2(&endpoint);
    assert!(sandbox.credsh(&["export"]).ok().contains(&endpoint.key()));
    let lines: Vec<String> =
        endpoint.requests().iter().map(|request| format!("{} {}", request.method, request.path)).collect();
    assert_eq!(lines, [format!("PUT {PUT}"), format!("GET {ROLES}"), format!("GET {ROLES}instance-role")]);
    let header = |at: usize, name: &str| endpoint.requests()[at].header(name).map(str::to_owned);
    assert_eq!(header(0, "x-aws-ec2-metadata-token-ttl-seconds").as_deref(), Some("60"));
    assert_eq!(header(1, "x-aws-ec2-metadata-token").as_deref(), Some(SESSION));
    assert_eq!(header(2, "x-aws-ec2-metadata-token").as_deref(), Some(SESSION));
}

/// Added to a clock, some of these are later than any clock can show. They are not looked at, as the token is used at once.
#[test]
fn however_long_the_token_lives() {
    let endpoint = Endpoint::start(600);
    for life in ["18446744073709551615", "9223372036854775807", "0", "-1", ""] {
        let headers = format!("X-aws-ec2-metadata-token-ttl-seconds: {life}\r\n");
        endpoint.behave_at(PUT, Behaviour::Answer { status: 200, headers, body: SESSION.into() });
        Sandbox::on_ec2(&endpoint).credsh(&["export"]).ok();
    }
}

#[test]
fn refusals() {
    for place in PLACES {
        for status in [400, 401, 403] {
            check(place, answer(status, ""), 4, &format!("{NAME} answered with status {status}"));
        }
        for status in [302, 429, 500, 503] {
            let page = "<html><h1>No</h1><p>try later</p></html>";
            check(place, answer(status, page), 5, &format!("{NAME} answered with status {status}: No try later"));
        }
    }
    check(PATH, answer(404, ""), 4, &format!("{NAME} answered with status 404"));
}

/// An error repeats what the service said, but neither the credentials in it, if they came under another status, nor
/// the token that was sent.
#[test]
fn what_an_error_repeats() {
    for status in [403, 500] {
        let (kind, told) = (if status == 403 { 4 } else { 5 }, format!("{NAME} answered with status {status}"));
        check(PATH, answer(status, WHOLE), kind, &format!("{told}: Success"));
        check(PATH, answer(status, &WHOLE[..70]), kind, &told);
        for place in [ROLES, PATH] {
            check(place, answer(status, &format!("no: {SESSION}")), kind, &format!("{told}: no: **"));
        }
    }
    // A role based on it, and a profile that names it, report the same.
    let (endpoint, sts) = (Endpoint::start(600), Sts::start());
    let sandbox = Sandbox::on_ec2(&endpoint).with("AWS_ENDPOINT_URL_STS", &sts.url());
    sandbox
        .file(".aws/config", &format!("[profile box]\nrole_arn = {ROLE}\ncredential_source = Ec2InstanceMetadata\n"));
    sandbox.credsh(&["export", "--profile", "box"]).ok();
    endpoint.answer(500, WHOLE);
    for flag in [["--profile", "box"], ["--role", ROLE]] {
        let told = sandbox.credsh(&[&["export", "--no-store"], &flag[..]].concat()).fails(5, &[]);
        assert_eq!(told, format!("credsh: {NAME} answered with status 500: Success\n"));
    }
}

#[test]
fn bodies_that_are_no_credentials() {
    let unusable = |reason: &str| format!("{NAME} gave no usable credentials: {reason}");
    for body in ["", "<html>", &WHOLE[..70], "[]"] {
        check(PATH, answer(200, body), 5, &unusable("the answer is not a JSON object"));
    }
    check(PATH, answer(200, WHOLE), 5, &unusable("Expiration is missing"));
    let refused = r#"{"Code":"AssumeRoleUnauthorizedAccess","Message":"EC2 cannot assume the role x"}"#;
    let told = "its Code is AssumeRoleUnauthorizedAccess: EC2 cannot assume the role x";
    check(PATH, answer(200, refused), 5, &unusable(told));
    for place in PLACES {
        check(place, answer(200, &"x".repeat(65 * 1024)), 5, &unusable("the answer is larger than 64 KiB"));
    }
    check(PUT, answer(200, "to\u{1}ken"), 5, &unusable("its token is not a valid header value"));
}

#[test]
fn expired() {
    let ended = rfc3339(now() - 3600);
    let body = WHOLE.replace('}', &format!(r#","Expiration":"{ended}"}}"#));
    check(PATH, answer(200, &body), 5, &format!("{NAME} gave no usable credentials: they expired at {ended}"));
}

/// How long they have left is told by the service's clock, however wrong this machine's is.
#[test]
fn clocks_apart() {
    for offset in [-7 * 3600, 7 * 3600] {
        let endpoint = Endpoint::start(6 * 3600);
        endpoint.clock(offset);
        let sandbox = Sandbox::on_ec2(&endpoint);
        sandbox.credsh(&["export"]).ok();
        let stored = std::fs::read_to_string(sandbox.store().join(format!("{}.json", sandbox.ids()[0]))).unwrap();
        let expires = stored.split("\"expires\":").nth(1).unwrap().split(',').next().unwrap();
        let left = expires.trim().parse::<i64>().unwrap() - now();
        assert!((6 * 3600 - 60..=6 * 3600 + 2).contains(&left), "{offset}: {left} s are left of 6 h");
        // What has ended by the service's clock has ended, even if this machine's gives it hours.
        endpoint.live(-600);
        endpoint.expire();
        sandbox.credsh(&["refresh", "--force"]).fails(5, &["gave no usable credentials: they expired at"]);
    }
}

#[test]
fn broken_off() {
    let cut = b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{\"SecretAccessKey\":\"leaked".to_vec();
    for place in PLACES {
        let reach = |reason: &str| format!("cannot reach {NAME}: {reason}\nhint: {HINT}");
        check(place, Behaviour::Close, 5, &reach("connection closed before message completed"));
        check(place, Behaviour::Hang(Duration::from_secs(60)), 5, &reach("no answer within 2 s"));
        check(place, Behaviour::Raw(cut.clone()), 5, &reach("end of file before message length reached"));
    }
}

#[test]
fn a_fault_that_is_over_at_once_is_not_noticed() {
    let endpoint = Endpoint::start(600);
    endpoint.behave(Behaviour::Once(503));
    Sandbox::on_ec2(&endpoint).credsh(&["export"]).ok();
    assert_eq!(endpoint.requests().len(), 6, "from the token on");
}

/// The answers have no `Connection: close`, as if another request could be sent.
#[test]
fn connections_that_are_closed_unannounced() {
    let endpoint = Endpoint::start(600);
    let raw = |body: &str| {
        let ttl = "X-aws-ec2-metadata-token-ttl-seconds: 21600";
        Behaviour::Last(format!("HTTP/1.1 200 OK\r\n{ttl}\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into())
    };
    endpoint.behave_at(PUT, raw(SESSION));
    endpoint.behave_at(ROLES, raw("instance-role"));
    Sandbox::on_ec2(&endpoint).credsh(&["export"]).ok();
    assert_eq!(endpoint.requests().len(), 3, "none had to be sent again");
}

#[test]
fn how_a_role_may_be_called() {
    let endpoint = Endpoint::start(600);
    let sandbox = Sandbox::on_ec2(&endpoint);
    let all = "A-z_0+9=,.@x";
    for (listed, asked) in [(all, all), ("one\n", "one"), ("one\ntwo\n", "one"), ("\r\n one \r\ntwo", "one")] {
        endpoint.behave_at(ROLES, answer(200, listed));
        sandbox.credsh(&["export", "--no-store"]).ok();
        assert_eq!(endpoint.requests().last().unwrap().path, format!("{ROLES}{asked}"), "{listed:?}");
    }
    let asked = endpoint.requests().iter().filter(|request| request.path.starts_with(ROLES)).count();
    let bad = ["my role", "a/b", "../x", "a?b", "a#b", "a%2fb", "rôle", "a\u{1b}[2Jb", "<html><p>log in</p></html>"];
    for listed in bad {
        endpoint.behave_at(ROLES, answer(200, listed));
        let told = sandbox.credsh(&["export", "--no-store"]).fails(5, &["it did not list a valid role name: "]);
        assert!(!told.contains('\u{1b}') && !told.contains('<'), "{told:?}");
    }
    let lists = endpoint.requests().iter().filter(|request| request.path.starts_with(ROLES)).count() - asked;
    assert_eq!(lists, bad.len(), "nothing is asked with such a name");
}

/// There is no role, or no such service. If the service was not named, no source was found; if a profile
/// names it, that is the error.
#[test]
fn nothing_to_give() {
    let role = format!(
        "{NAME}: has no role for this instance\nhint: attach an instance profile with an IAM role to the instance"
    );
    let other = format!("{NAME} answered with status 404");
    for (place, behaviour, reason, status, named) in [
        (ROLES, answer(404, "<html>"), "has no role for this instance", 1, &role),
        (ROLES, answer(200, ""), "has no role for this instance", 1, &role),
        (ROLES, answer(200, "\n"), "has no role for this instance", 1, &role),
        (PUT, answer(404, ""), "answered with status 404, so it is not EC2's", 4, &other),
    ] {
        let endpoint = Endpoint::start(600);
        let sandbox = Sandbox::on_ec2(&endpoint);
        sandbox.file(
            ".aws/config",
            &format!("[profile box]\nrole_arn = {ROLE}\ncredential_source = Ec2InstanceMetadata\n"),
        );
        behave(&endpoint, place, behaviour);
        let line = format!("\n  - EC2 metadata service: {reason}\n");
        sandbox.credsh(&["export"]).fails(3, &["credsh: no credentials source was found", &line]);
        sandbox.credsh(&["export", "--profile", "box"]).fails(status, &[&format!("credsh: {named}")]);
    }
    let sandbox = Sandbox::new();
    sandbox
        .file(".aws/config", &format!("[profile box]\nrole_arn = {ROLE}\ncredential_source = Ec2InstanceMetadata\n"));
    let off = "is turned off by AWS_EC2_METADATA_DISABLED\nhint: unset AWS_EC2_METADATA_DISABLED\n";
    sandbox.credsh(&["export", "--profile", "box"]).fails(1, &[&format!("credsh: {NAME}: {off}")]);
}

#[test]
fn where_it_is() {
    let endpoint = Endpoint::start(600);
    let url = format!("http://127.0.0.1:{}", endpoint.port());
    let mut sandbox = Sandbox::on_ec2(&endpoint);
    sandbox.unset("AWS_EC2_METADATA_SERVICE_ENDPOINT");
    sandbox.file(".aws/config", &format!("[default]\nec2_metadata_service_endpoint = {url}/\n[profile x]\n"));
    let export = ["export", "--no-store", "--source", "ec2"];
    sandbox.credsh(&export).ok();
    // A variable takes precedence over the profile, and an address over an IP version.
    sandbox.set("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", "ipv6");
    sandbox.credsh(&export).ok();
    sandbox.set("AWS_EC2_METADATA_SERVICE_ENDPOINT", &format!("http://127.0.0.1:{CLOSED}"));
    sandbox.credsh(&export).fails(3, &["EC2 metadata service: connection refused"]);
    for (address, reason) in [("127.0.0.1:80", "not a valid URI: "), ("ftp://localhost/", "neither http nor https")] {
        sandbox.set("AWS_EC2_METADATA_SERVICE_ENDPOINT", address);
        let told = format!("credsh: the address of {NAME}: {reason}");
        sandbox.credsh(&export).fails(1, &[&told, "\nhint: check AWS_EC2_METADATA_SERVICE_ENDPOINT, "]);
    }
    sandbox.unset("AWS_EC2_METADATA_SERVICE_ENDPOINT");
    sandbox.set("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", "IPv5");
    sandbox.set("AWS_PROFILE", "x");
    sandbox.credsh(&export).fails(1, &["its mode is neither IPv4 nor IPv6\nhint: ", "of profile x\n"]);
}

fn a_fault_is_one_line_and_passes(shell: Shell) {
    let endpoint = Endpoint::start(6);
    let sandbox = Sandbox::on_ec2(&endpoint);
    let mut session = shell.rc().init("--source ec2").start(&sandbox);
    let first = session.key();
    endpoint.rotate(Rotation::Never);
    endpoint.answer(500, &format!("{SESSION} {WHOLE}"));
    thread::sleep(Duration::from_secs(7));
    assert_eq!(session.run("echo ran"), format!("credsh: {NAME} answered with status 500: **\nran"));
    assert_eq!(session.run("echo ran"), "ran", "it does not say so again");
    assert_eq!((session.key(), session.prompt()), (first.clone(), "[ec2 expired] $ ".into()));
    for name in sandbox.stored() {
        let text = std::fs::read_to_string(sandbox.store().join(&name)).unwrap();
        assert!(!text.contains("leaked") && !text.contains(SESSION), "{name}: {text}");
    }
    endpoint.rotate(Rotation::HalfLife);
    endpoint.behave(Behaviour::Good);
    session.until("recovery", |session| session.key() != first);
    assert!(!session.raw().contains("leaked") && !session.raw().contains(SESSION));
}

/// On the hook's single line, which is cut short if it is long: but only after the last place tried,
/// which was the only one asked.
fn what_was_not_found_is_told_whole(shell: Shell) {
    let address = format!("http://127.0.0.1:{CLOSED}");
    let mut sandbox = Sandbox::new().with("AWS_EC2_METADATA_SERVICE_ENDPOINT", &address);
    sandbox.unset("AWS_EC2_METADATA_DISABLED");
    let mut session = shell.rc().init("--source ec2").start(&sandbox);
    session.until("what was not found", |session| {
        session.run("echo ran");
        session.raw().contains("no credentials source was found")
    });
    // White space does not count, as the terminal wraps the line somewhere.
    let unwrapped = |text: &str| text.split_whitespace().collect::<String>();
    let told = "credsh: no credentials source was found; EC2 metadata service: connection refused; name one with --profile, --role or --source; in AWS CloudShell, where sudo and cron drop the container variables, run `export AWS_CONTAINER_CREDENTIALS_FULL_URI=http://localhost:1338/latest/meta-data/container/security-credentials`";
    assert!(unwrapped(&session.text()).contains(&(unwrapped(told) + "ran")), "{}", session.text());
}
