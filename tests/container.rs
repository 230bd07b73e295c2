//! The container endpoint's contract, seen from the endpoint: which token it is shown, and who is never asked.
//! What it may answer is `faults`.

mod support;

use std::net::TcpListener;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use support::endpoint::{Behaviour, Endpoint, PATH, TOKEN, now, rfc3339};
use support::{CREDSH, Run, Sandbox};

const TOKEN_FILE: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE";
const FULL: &str = "AWS_CONTAINER_CREDENTIALS_FULL_URI";

#[test]
fn the_token_is_sent_as_it_is() {
    let endpoint = Endpoint::start(600);
    Sandbox::in_cloudshell(&endpoint).credsh(&["export"]).ok();
    let requests = endpoint.requests();
    assert_eq!((requests.len(), requests[0].method.as_str(), requests[0].path.as_str()), (1, "GET", PATH));
    assert_eq!(requests[0].header("authorization"), Some(TOKEN), "no `Bearer`");
    assert_eq!(requests[0].header("accept"), Some("application/json"));
}

#[test]
fn the_token_file_wins_and_is_read_anew() {
    let endpoint = Endpoint::start(600);
    let mut sandbox = Sandbox::in_cloudshell(&endpoint);
    sandbox.set("AWS_CONTAINER_AUTHORIZATION_TOKEN", "wrong");
    let file = sandbox.file("token", &format!("{TOKEN}\n"));
    sandbox.credsh(&["export", "--no-store"]).fails(4, &["status 403"]);
    sandbox.set(TOKEN_FILE, file.to_str().unwrap());
    sandbox.credsh(&["export"]).ok();
    sandbox.file("token", "rotated");
    let text = sandbox.credsh(&["refresh", "--force"]).fails(4, &["status 403: Forbidden", "are kept"]);
    assert!(!text.contains("rotated"), "{text}");
}

/// A renewal in the background leaves the working directory, from which the file was named.
#[test]
fn a_relative_token_file_is_found_in_the_background() {
    let endpoint = Endpoint::start(600);
    let sandbox = Sandbox::in_cloudshell(&endpoint).with(TOKEN_FILE, "token");
    sandbox.file("token", TOKEN);
    sandbox.credsh(&["refresh"]).ok();
    let stored = || sandbox.stored().into_iter().find(|name| name.strip_suffix(".json").is_some());
    let lease = stored().unwrap();
    std::fs::remove_file(sandbox.store().join(&lease)).unwrap();
    sandbox.credsh(&["hook", "--shell=bash", &format!("--lease={}", lease.trim_end_matches(".json"))]).ok();
    let end = Instant::now() + Duration::from_secs(20);
    while stored().is_none() {
        assert!(Instant::now() < end, "asked {} times: {:?}", endpoint.count(), sandbox.stored());
        thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_token_file_that_is_none_is_refused() {
    let endpoint = Endpoint::start(600);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    let at = |name: &str| sandbox.home().join(name).to_str().unwrap().to_owned();
    assert!(Command::new("mkfifo").arg(at("fifo")).status().unwrap().success());
    sandbox.file("large", &"x".repeat(70_000));
    sandbox.file("empty", "\n");
    sandbox.file("split", "one\ntwo");
    let not_small =
        |name: &str| format!("credsh: the token file {name}: is not a small regular file\nhint: check {TOKEN_FILE}\n");
    let illegal = format!(
        "credsh: the token from {TOKEN_FILE}: is no legal header value: it is empty, or holds a control character\n"
    );
    let cases = [
        (at("fifo"), not_small(&at("fifo"))),
        ("/dev/zero".into(), not_small("/dev/zero")),
        (at("large"), not_small(&at("large"))),
        (at(""), not_small(&at(""))),
        (at("none"), format!("credsh: cannot read the token file {}: no such file or directory\n", at("none"))),
        (at("empty"), illegal.clone()),
        (at("split"), illegal),
    ];
    for (path, message) in cases {
        let run = Run::of(sandbox.command(CREDSH).arg("export").env(TOKEN_FILE, &path).output().unwrap());
        assert_eq!(run.fails(1, &[]), message, "{path}");
    }
    assert_eq!(endpoint.requests().len(), 0);
}

#[test]
fn a_file_nobody_may_read_is_refused() {
    let endpoint = Endpoint::start(600);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    // Of those that even root cannot read, the one every Linux has.
    let run = sandbox.with(TOKEN_FILE, "/proc/self/mem").credsh(&["export"]);
    run.fails(1, &["credsh: cannot read the token file /proc/self/mem: "]);
    assert_eq!(endpoint.requests().len(), 0);
}

#[test]
fn without_the_variable_cloudshells_other_dialect_is_spoken() {
    let endpoint = Endpoint::start(600);
    let mut sandbox = Sandbox::in_cloudshell(&endpoint);
    sandbox.unset("AWS_CONTAINER_AUTHORIZATION_TOKEN");
    sandbox.credsh(&["export"]).ok();
    let requests = endpoint.requests();
    let seen: Vec<(&str, &str)> =
        requests.iter().map(|request| (request.method.as_str(), request.path.as_str())).collect();
    assert_eq!(seen, [("PUT", "/latest/api/token"), ("GET", PATH)]);
    assert_eq!(requests[0].header("x-aws-ec2-metadata-token-ttl-seconds"), Some("60"));
    assert_eq!(requests[1].header("x-aws-ec2-metadata-token"), Some("session-token-of-put"));
    // Only there: another path is another service, which knows nothing of it.
    sandbox.set(FULL, &format!("http://localhost:{}/other", endpoint.port()));
    sandbox.credsh(&["export"]).fails(4, &["status 404"]);
    assert_eq!(endpoint.requests().last().unwrap().method, "GET");
    assert_eq!(endpoint.requests().len(), 3);
}

#[test]
fn answers_in_every_spelling_that_sdks_take() {
    let endpoint = Endpoint::start(600);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    let end = rfc3339(now() + 600);
    for body in [
        format!(
            r#"{{"Type":"","LastUpdated":"1970-01-01T00:00:00Z","Code":"Success","AccessKeyId":"ASIAX","SecretAccessKey":"s","Token":"t","Expiration":"{end}"}}"#
        ),
        format!(r#"{{"AccessKeyId":"ASIAX","SecretAccessKey":"s","Token":"t","Expiration":"{end}"}}"#),
        format!(r#"{{"accessKeyId":"ASIAX","secretAccessKey":"s","sessionToken":"t","expiresAt":"{end}"}}"#),
        format!(
            r#"{{"RoleArn":"r","AccountId":"1","Extra":{{"a":[1]}},"AccessKeyId":"ASIAX","SecretAccessKey":"s","SessionToken":"t","Expiration":"{end}"}}"#
        ),
    ] {
        endpoint.answer(200, &body);
        let out = sandbox.credsh(&["export", "--no-store"]).ok();
        assert_eq!(
            out,
            format!(
                "export AWS_ACCESS_KEY_ID='ASIAX'\nexport AWS_SECRET_ACCESS_KEY='s'\nexport AWS_SESSION_TOKEN='t'\nexport AWS_CREDENTIAL_EXPIRATION='{end}'\n"
            )
        );
    }
}

/// A listener that counts who comes.
fn trap() -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let count = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&count);
    std::thread::spawn(move || listener.incoming().for_each(|_| _ = seen.fetch_add(1, Ordering::SeqCst)));
    (url, count)
}

#[test]
fn no_proxy_sees_the_token() {
    let endpoint = Endpoint::start(600);
    let (proxy, asked) = trap();
    let mut sandbox = Sandbox::in_cloudshell(&endpoint);
    for name in ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
        sandbox.set(name, &proxy);
    }
    sandbox.credsh(&["export"]).ok();
    assert_eq!(asked.load(Ordering::SeqCst), 0);
    // The control: what is outside does go through it.
    let sandbox = sandbox.with("AWS_ENDPOINT_URL_STS", "http://sts.invalid");
    sandbox
        .credsh(&["export", "--role", "arn:aws:iam::123456789012:role/deploy"])
        .fails(5, &["cannot reach AWS STS: "]);
    assert_ne!(asked.load(Ordering::SeqCst), 0);
}

#[test]
fn a_redirect_is_not_followed() {
    let (endpoint, other) = (Endpoint::start(600), Endpoint::start(600));
    for status in [301, 302, 307, 308] {
        endpoint.behave(Behaviour::Answer {
            status,
            headers: format!("Location: {}\r\n", other.uri()),
            body: String::new(),
        });
        let run = Sandbox::in_cloudshell(&endpoint).credsh(&["export"]);
        run.fails(5, &[&format!("credsh: the container endpoint (cloudshell) answered with status {status}\n")]);
    }
    assert_eq!(other.requests().len(), 0);
    assert_eq!(endpoint.count(), 4, "nor asked again");
}

/// Each of these would reach the endpoint if it were asked.
#[test]
fn other_hosts_are_refused_before_a_byte_is_sent() {
    let endpoint = Endpoint::start(600);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    let far = |host: &str| {
        format!(
            "names {host}, which is neither loopback nor 169.254.170.2, 169.254.170.23 or fd00:ec2::23; the token was not sent"
        )
    };
    let odd = |host: &str| format!("names its host in an unusual way ({host}:{})", endpoint.port());
    let cases = [
        ("http://0.0.0.0", far("0.0.0.0")),
        ("http://[::ffff:127.0.0.1]", odd("[::ffff:127.0.0.1]")),
        ("http://2130706433", odd("2130706433")),
        ("http://0177.0.0.1", odd("0177.0.0.1")),
        ("http://0x7f.1", odd("0x7f.1")),
        ("http://127.1", odd("127.1")),
        ("http://someone@localhost", "names a user; that is never right here".into()),
        ("http://localhost@127.0.0.1", "names a user; that is never right here".into()),
        ("ftp://localhost", "has the scheme ftp; only http and https are asked".into()),
    ];
    for (host, reason) in cases {
        let uri = format!("{host}:{}{PATH}", endpoint.port());
        let run = Run::of(sandbox.command(CREDSH).arg("export").env(FULL, &uri).output().unwrap());
        let message = format!(
            "credsh: the container endpoint's URI: {reason}\nhint: check {FULL} and AWS_CONTAINER_CREDENTIALS_RELATIVE_URI\n"
        );
        assert_eq!(run.fails(1, &[]), message, "{uri}");
    }
    assert_eq!(endpoint.requests().len(), 0);
    sandbox.credsh(&["export"]).ok();
    assert_eq!(endpoint.requests().len(), 1, "the control");
}

#[test]
fn a_host_outside_is_not_even_connected_to() {
    let endpoint = Endpoint::start(600);
    let connects = |uri: &str| {
        let sandbox = Sandbox::in_cloudshell(&endpoint);
        let trace = sandbox.home().join("trace");
        let mut strace = sandbox.command("strace");
        strace.args(["-f", "-qq", "-e", "trace=connect,sendto,sendmsg,sendmmsg", "-o"]).arg(&trace);
        let _ = strace.args([CREDSH, "export"]).env(FULL, uri).output().unwrap();
        std::fs::read_to_string(trace).unwrap().matches("AF_INET").count()
    };
    for host in ["http://192.0.2.1:1338", "http://10.0.0.1", "http://[2001:db8::1]:1338", "http://169.254.169.254"] {
        assert_eq!(connects(&format!("{host}{PATH}")), 0, "{host}");
    }
    assert_ne!(connects(&endpoint.uri()), 0, "the control");
}

/// The relative URI is ECS's and lives at 169.254.170.2, where no test goes: this one is refused on the way there.
#[test]
fn the_relative_uri_wins() {
    let endpoint = Endpoint::start(600);
    let sandbox = Sandbox::in_cloudshell(&endpoint).with("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "@localhost/x");
    sandbox.credsh(&["export"]).fails(1, &["the container endpoint's URI: names a user"]);
    assert_eq!(endpoint.requests().len(), 0);
}

#[test]
fn an_empty_variable_is_unset() {
    let endpoint = Endpoint::start(600);
    let sandbox =
        Sandbox::in_cloudshell(&endpoint).with("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "").with(TOKEN_FILE, "");
    sandbox.credsh(&["export"]).ok();
    sandbox.with(FULL, "").credsh(&["export"]).fails(3, &["no source of credentials was found"]);
}

/// An https endpoint too: the token would be inside the tunnel, but the proxy would see whom it is for.
#[test]
fn an_https_endpoint_is_not_asked_through_a_proxy_either() {
    let trap = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    trap.set_nonblocking(true).unwrap();
    let proxy = format!("http://127.0.0.1:{}", trap.local_addr().unwrap().port());
    let closed = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
    let mut sandbox =
        Sandbox::new().with("AWS_CONTAINER_CREDENTIALS_FULL_URI", &format!("https://127.0.0.1:{closed}/x"));
    for name in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"] {
        sandbox.set(name, &proxy);
    }
    sandbox.credsh(&["refresh"]).fails(5, &["cannot reach the container endpoint (container): connection refused"]);
    assert!(trap.accept().is_err(), "nobody came to the proxy");
}
