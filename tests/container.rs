//! The contract of the container endpoint, as the endpoint sees it: which token it is shown, and which hosts are never
//! asked. How its answers can go wrong is in `faults`.

mod support;

use std::net::TcpListener;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use support::endpoint::{Behaviour, EKS, Endpoint, PATH, Request, TOKEN, now, rfc3339};
use support::{CREDSH, Run, Sandbox, strace};

const VARIABLE: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN";
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
    endpoint.without_put();
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

/// A background renewal changes its working directory, to which the path is relative.
#[test]
fn a_relative_token_file_is_found_in_the_background() {
    let endpoint = Endpoint::start(600);
    let sandbox = Sandbox::in_cloudshell(&endpoint).with(TOKEN_FILE, "token");
    sandbox.file("token", TOKEN);
    sandbox.credsh(&["refresh"]).ok();
    let lease = sandbox.ids().remove(0);
    std::fs::remove_file(sandbox.store().join(format!("{lease}.json"))).unwrap();
    sandbox.credsh(&["hook", "--shell=bash", &format!("--lease={lease}")]).ok();
    let end = Instant::now() + Duration::from_secs(20);
    while sandbox.ids().is_empty() {
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
    let not_small = |name: &str| {
        format!("credsh: cannot read the token file {name}: it is not a small regular file\nhint: check {TOKEN_FILE}\n")
    };
    let illegal = format!(
        "credsh: the token from {TOKEN_FILE}: not a valid header value: it is empty, or contains a control character\n"
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
    // Of the files that even root cannot read, the one that every Linux has.
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
    // Only at CloudShell's own path: behind any other is another service, which does not have that dialect.
    sandbox.set(FULL, &format!("http://localhost:{}/other", endpoint.port()));
    sandbox.credsh(&["export"]).fails(4, &["status 404"]);
    assert_eq!(endpoint.requests().last().unwrap().method, "GET");
    assert_eq!(endpoint.requests().len(), 3);
}

/// The method of each request, and the token it showed.
fn asked(endpoint: &Endpoint) -> Vec<String> {
    let token = |request: &Request| {
        let shown = request.header("authorization").or(request.header("x-aws-ec2-metadata-token"));
        format!("{} {}", request.method, shown.unwrap_or("-"))
    };
    endpoint.requests().iter().map(token).collect()
}

/// A tmux server outlives the CloudShell session it was started in, and every window gets that session's token.
#[test]
fn a_token_of_another_session_gives_way_to_the_other_dialect() {
    let endpoint = Endpoint::start(600);
    let sandbox = Sandbox::in_cloudshell(&endpoint).with(VARIABLE, "stale");
    sandbox.credsh(&["export"]).ok();
    assert_eq!(asked(&endpoint), ["GET stale", "PUT -", "GET session-token-of-put"]);
    // Once only, whatever the endpoint answers then: no second session token is requested, and the
    // stale one is not shown again.
    for status in [401, 403, 503] {
        let before = endpoint.requests().len();
        endpoint.answer(status, "");
        let refused = sandbox.credsh(&["export", "--no-store"]);
        assert!(refused.stderr.contains(&format!("answered with status {status}\n")), "{refused:?}");
        let asked = asked(&endpoint).split_off(before);
        assert_eq!(asked[..2], ["GET stale", "PUT -"], "{status}");
        assert!(asked[2..].iter().all(|asked| asked == "GET session-token-of-put"), "{asked:?}");
        assert_eq!(asked.len() > 3, status == 503, "{asked:?}");
    }
    // Where that dialect is not spoken, the first refusal is what is reported.
    let before = endpoint.requests().len();
    endpoint.without_put();
    sandbox.credsh(&["export", "--no-store"]).fails(4, &["answered with status 403: Forbidden\n"]);
    assert_eq!(asked(&endpoint).split_off(before), ["GET stale", "PUT -"]);
}

#[test]
fn what_was_refused_is_named() {
    let endpoint = Endpoint::start(600);
    let mut sandbox = Sandbox::in_cloudshell(&endpoint).with(VARIABLE, "stale");
    let hint = |sandbox: &Sandbox| {
        let said = sandbox.credsh(&["export", "--no-store"]).fails(4, &["answered with status 403: Forbidden\n"]);
        said.split_once("hint: ").unwrap().1.to_owned()
    };
    let eks = format!("http://localhost:{}{EKS}", endpoint.port());
    let of_file = |file: &std::path::Path| {
        format!(
            "the endpoint rejected the token in {}; check {TOKEN_FILE}, and what renews that file\n",
            file.display()
        )
    };
    let file = sandbox.file("token", "stale");
    sandbox.set(TOKEN_FILE, file.to_str().unwrap());
    assert_eq!(hint(&sandbox), of_file(&file));
    sandbox.set(FULL, &eks);
    assert_eq!(hint(&sandbox), of_file(&file));
    sandbox.unset(TOKEN_FILE);
    assert_eq!(hint(&sandbox), format!("the endpoint rejected {VARIABLE}; check that it is this container's\n"));
    sandbox.unset(VARIABLE);
    let neither = format!("the request had no token, as neither {VARIABLE} nor {TOKEN_FILE} is set\n");
    assert_eq!(hint(&sandbox), neither);
    assert_eq!(asked(&endpoint), ["GET stale", "GET stale", "GET stale", "GET -"], "no PUT for a file, or elsewhere");
    sandbox.set(FULL, &endpoint.uri());
    endpoint.answer(403, r#"{"message":"Forbidden"}"#);
    assert_eq!(
        hint(&sandbox),
        "the endpoint rejected the token that it had issued itself; open a new CloudShell tab\n"
    );
    endpoint.without_put();
    assert_eq!(hint(&sandbox), neither);
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

/// Only root can act as another user. Without root this checks nothing, and `/proc/self/mem` above has to do.
#[test]
fn a_token_file_of_another_user_is_refused() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let endpoint = Endpoint::start(600);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    let file = sandbox.file("token", TOKEN);
    let shut = |path: &std::path::Path, mode| {
        std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
    };
    shut(&sandbox.home(), 0o755);
    shut(sandbox.home().parent().unwrap(), 0o755);
    let run = |mode| {
        shut(&file, mode);
        let mut setpriv = sandbox.command("setpriv");
        setpriv.args(["--reuid=54321", "--clear-groups", CREDSH, "export", "--no-store"]).env(TOKEN_FILE, &file);
        Run::of(setpriv.output().unwrap())
    };
    let message = format!("credsh: cannot read the token file {}: permission denied\n", file.display());
    assert_eq!(run(0o600).fails(1, &[]), message);
    assert_eq!(endpoint.requests().len(), 0);
    run(0o644).ok();
}

/// A listener that counts the connections to it.
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
    // The control: a request to a host elsewhere does go through it.
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

/// Runs `credsh export` with this URI. Also returns how often it connected, or sent anything, to the network.
fn asking(sandbox: &Sandbox, uri: &str) -> (Run, usize) {
    asking_by(sandbox, "exec \"$@\"", uri)
}

/// The same, by a shell script that prepares something first.
fn asking_by(sandbox: &Sandbox, script: &str, uri: &str) -> (Run, usize) {
    let trace = sandbox.home().join("trace");
    let mut sh = sandbox.command("sh");
    sh.args(["-c", script, "sh"]).args(strace()).args(["-yy", "-e", "trace=connect,sendto,sendmsg,sendmmsg", "-o"]);
    let run = Run::of(sh.arg(&trace).args([CREDSH, "export", "--no-store"]).env(FULL, uri).output().unwrap());
    let calls = std::fs::read_to_string(trace).unwrap();
    // To sort several addresses the C library connects UDP sockets to them, which sends nothing.
    let out = |call: &&str| call.contains("<TCP") || call.contains("<UDP") && !call.contains("connect(");
    (run, calls.lines().filter(out).count())
}

fn refused(reason: &str) -> String {
    format!(
        "credsh: the container endpoint's URI: {reason}\nhint: check {FULL} and AWS_CONTAINER_CREDENTIALS_RELATIVE_URI\n"
    )
}

fn far(host: &str) -> String {
    format!(
        "names {host}, which is neither loopback nor 169.254.170.2, 169.254.170.23 or fd00:ec2::23; the token was not sent"
    )
}

/// Hosts that some parsers take for loopback would reach the endpoint, if they were asked.
#[test]
fn other_hosts_are_refused_before_a_byte_is_sent() {
    let endpoint = Endpoint::start(600);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    let port = endpoint.port();
    let mut cases = vec![
        ("http://someone@localhost", "contains a user name, which is never right here".into()),
        ("http://someone:word@127.0.0.1", "contains a user name, which is never right here".into()),
        ("http://localhost@127.0.0.1", "contains a user name, which is never right here".into()),
        ("http://localhost@evil.invalid", "contains a user name, which is never right here".into()),
        (r"http://localhost\@evil.invalid", "contains a user name, which is never right here".into()),
        ("http://[::1%25lo]", "not a valid URI: invalid IPv6 address".into()),
        ("http://[::1%lo]", "not a valid URI: invalid IPv6 address".into()),
        ("http://[fe80::1%25lo]", "not a valid URI: invalid IPv6 address".into()),
        ("http://localhost%00.evil.invalid", "not a valid URI: invalid international domain name".into()),
        ("//localhost", "not a valid URI: relative URL without a base".into()),
        ("http:localhost", "spells its host in an unusual way ()".into()),
        ("http:/localhost", "spells its host in an unusual way ()".into()),
        ("http:///localhost", "spells its host in an unusual way ()".into()),
        ("ftp://localhost", "has the scheme ftp; only http and https are supported".into()),
        ("gopher://localhost", "has the scheme gopher; only http and https are supported".into()),
        ("file:///x", "has the scheme file; only http and https are supported".into()),
    ];
    for host in [
        "0.0.0.0",
        "[::]",
        "10.0.0.1",
        "172.16.0.1",
        "192.0.2.1",
        "169.254.1.1",
        "169.254.169.254",
        "169.254.170.3",
        "[2001:db8::1]",
        "[fe80::1]",
        "[fd00:ec2::254]",
    ] {
        cases.push((host, far(host)));
    }
    for host in [
        "[::ffff:127.0.0.1]",
        "[::ffff:10.0.0.1]",
        "[::127.0.0.1]",
        "[0:0:0:0:0:0:0:1]",
        "[0:0:0:0:0:ffff:7f00:1]",
        "2130706433",
        "0x7f000001",
        "017700000001",
        "0177.0.0.1",
        "0x7f.1",
        "127.1",
        "127.000.000.001",
        "127.0.0.1.",
        "\u{2460}\u{2461}\u{2466}.0.0.1",
        "%6cocalhost",
    ] {
        cases.push((host, format!("spells its host in an unusual way ({host}:{port})")));
    }
    for (host, reason) in cases {
        let host = if host.contains('/') || host.starts_with("http") { host.into() } else { format!("http://{host}") };
        let (run, connects) = asking(&sandbox, &format!("{host}:{port}{PATH}"));
        assert_eq!((run.fails(1, &[]), connects), (refused(&reason), 0), "{host}");
    }
    assert_eq!(endpoint.requests().len(), 0);
    let (run, connects) = asking(&sandbox, &endpoint.uri());
    run.ok();
    assert_eq!((endpoint.requests().len(), connects > 0), (1, true), "the control");
}

/// In a mount namespace, where names resolve only through a file of the test's.
#[test]
fn a_name_is_asked_only_if_all_its_addresses_may_be() {
    let endpoint = Endpoint::start(600);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    let hosts = "127.0.0.1 fine.test both.test mixed.test\n127.0.0.2 both.test\n203.0.113.5 public.test mixed.test\n\
        127.0.0.1 mixed6.test\n2001:db8::1 mixed6.test\n169.254.169.254 imds.test\n10.0.0.1 localhost\n";
    let script = sandbox.resolving(hosts);
    let at = |name: &str| asking_by(&sandbox, &script, &format!("http://{name}:{}{PATH}", endpoint.port()));
    // `localhost` is no exception if it resolves to another host.
    for name in ["public.test", "mixed.test", "mixed6.test", "imds.test", "localhost"] {
        let (run, connects) = at(name);
        assert_eq!((run.fails(1, &[]), connects), (refused(&far(name)), 0), "{name}");
    }
    let (run, _) = at("none.test");
    run.fails(1, &["names a host that cannot be resolved (none.test): "]);
    assert_eq!(endpoint.requests().len(), 0);
    for name in ["fine.test", "both.test"] {
        at(name).0.ok();
    }
    assert_eq!(endpoint.requests().len(), 2, "the control");
}

/// The relative URI is ECS's, at 169.254.170.2, which no test can serve; so this one is malformed, and refused
/// before anything is sent.
#[test]
fn the_relative_uri_wins() {
    let endpoint = Endpoint::start(600);
    let sandbox = Sandbox::in_cloudshell(&endpoint).with("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "@localhost/x");
    sandbox.credsh(&["export"]).fails(1, &["the container endpoint's URI: contains a user name"]);
    assert_eq!(endpoint.requests().len(), 0);
}

#[test]
fn an_empty_variable_is_unset() {
    let endpoint = Endpoint::start(600);
    let sandbox =
        Sandbox::in_cloudshell(&endpoint).with("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "").with(TOKEN_FILE, "");
    sandbox.credsh(&["export"]).ok();
    sandbox.with(FULL, "").credsh(&["export"]).fails(3, &["no credentials source was found"]);
}

/// HTTPS makes no difference: the proxy could not read the token inside the tunnel, but would see whom it is for.
#[test]
fn an_https_endpoint_is_not_asked_through_a_proxy_either() {
    let trap = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    trap.set_nonblocking(true).unwrap();
    let proxy = format!("http://127.0.0.1:{}", trap.local_addr().unwrap().port());
    let closed = support::CLOSED;
    let mut sandbox =
        Sandbox::new().with("AWS_CONTAINER_CREDENTIALS_FULL_URI", &format!("https://127.0.0.1:{closed}/x"));
    for name in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"] {
        sandbox.set(name, &proxy);
    }
    sandbox.credsh(&["refresh"]).fails(5, &["cannot reach the container endpoint (container): connection refused"]);
    assert!(trap.accept().is_err(), "nobody came to the proxy");
}
