//! Who else is there, and what they can get at: another user, another process of the same user, whoever wrote the working
//! directory, a proxy. SECURITY.md names these tests.

mod support;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use support::endpoint::{Behaviour, Endpoint, TOKEN, now, rfc3339};
use support::moto::tool;
use support::pty::Shell;
use support::{CREDSH, Run, Sandbox, strace};

/// A user id that the system does not know.
const OTHER: u32 = 54321;
const ROLE: &str = "arn:aws:iam::123456789012:role/deploy";

/// Only root can act as another user; without root there is nothing to check.
fn root() -> bool {
    rustix::process::geteuid().is_root()
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Opens everything in a sandbox to everybody, except what credsh makes itself.
fn open(sandbox: &Sandbox) {
    for dir in [sandbox.home(), sandbox.run_dir(), sandbox.home().parent().unwrap().to_owned()] {
        set_mode(&dir, 0o755);
    }
}

/// Runs a command as another user, in the same environment.
fn other(sandbox: &Sandbox, words: &[&str]) -> Run {
    let mut setpriv = sandbox.command("setpriv");
    setpriv.arg(format!("--reuid={OTHER}")).arg("--clear-groups").args(words);
    Run::of(setpriv.output().unwrap())
}

#[test]
fn another_user_reads_no_lease() {
    if !root() {
        return;
    }
    let endpoint = Endpoint::start(600);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    open(&sandbox);
    sandbox.credsh(&["refresh"]).ok();
    let path = sandbox.store().join(sandbox.ids().remove(0) + ".json");
    let path = path.to_str().unwrap();
    let read = || {
        other(
            &sandbox,
            &["sh", "-c", "ls \"$1\"; cat \"$2\"; echo >>\"$2\"", "sh", sandbox.store().to_str().unwrap(), path],
        )
    };
    assert_eq!((read().stdout, read().status), (String::new(), 2));
    let message = format!(
        "credsh: the store {} belongs to another user\nhint: have its owner remove it, or set XDG_RUNTIME_DIR to a private directory\n",
        sandbox.store().display()
    );
    // In a runtime directory of their own, as somebody else's does not count (see below).
    chown(sandbox.run_dir(), Some(OTHER), None).unwrap();
    for command in ["status", "export", "refresh"] {
        assert_eq!(other(&sandbox, &[CREDSH, command]).fails(1, &[]), message);
    }
    set_mode(&sandbox.store(), 0o755);
    set_mode(Path::new(path), 0o644);
    assert!(read().stdout.contains("test-secret-1"), "the control: only the modes kept them out");
}

/// `su` and `sudo -E` pass it on: what root created there would lock its owner out.
#[test]
fn a_runtime_directory_of_another_users_is_none() {
    if !root() {
        return;
    }
    let endpoint = Endpoint::start(600);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    chown(sandbox.run_dir(), Some(OTHER), None).unwrap();
    set_mode(&sandbox.run_dir(), 0o700);
    sandbox.credsh(&["refresh"]).ok();
    assert_eq!(fs::read_dir(sandbox.run_dir()).unwrap().count(), 0);
    assert!(sandbox.home().join(".cache/credsh/clock").exists());
    chown(sandbox.run_dir(), Some(0), None).unwrap();
    sandbox.credsh(&["refresh"]).ok();
    assert!(sandbox.store().exists(), "the control");
}

in_every_shell! {
    a_planted_lease_is_not_sourced
    programs_of_the_working_directory_are_not_run
}

/// A file under the name that a shell would adopt, but owned by someone else. (For a link, see `gone`.)
fn a_planted_lease_is_not_sourced(shell: Shell) {
    if !root() {
        return;
    }
    let endpoint = Endpoint::start(8);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    let mut session = shell.start(&sandbox);
    assert_eq!(session.key(), "ASIATEST0001");
    // A renewal that succeeded would replace the file.
    endpoint.answer(500, "down");
    let ending = shell.pick(".sh", ".fish");
    let file = sandbox.stored().into_iter().find(|name| name.ends_with(ending)).unwrap();
    let (file, ran) = (sandbox.store().join(file), sandbox.home().join("ran"));
    fs::write(&file, format!("touch {}\n", ran.display())).unwrap();
    chown(&file, Some(OTHER), None).unwrap();
    // The file is looked at before each renewal is started, and there are pauses between them.
    let before = endpoint.count();
    session.until("two more looks", |session| {
        session.enter();
        endpoint.count() >= before + 2
    });
    assert!(!ran.exists());
    chown(&file, Some(0), None).unwrap();
    session.until("the control: one's own is sourced", |session| {
        session.enter();
        ran.exists()
    });
}

/// Programs that a hook, or a user's own script, might call.
const PROGRAMS: [&str; 14] = [
    "credsh", "cat", "date", "printf", "test", "env", "sleep", "sh", "stat", "mktemp", "sed", "setsid", "kill",
    "docker",
];

/// With `.` at the head of PATH, as careless users have it.
fn programs_of_the_working_directory_are_not_run(shell: Shell) {
    let endpoint = Endpoint::start(6);
    let sandbox = Sandbox::in_cloudshell(&endpoint).with("CREDSH_WAIT", "20");
    let ran = sandbox.home().join("ran");
    for name in PROGRAMS {
        let path = sandbox.file(&format!("repo/{name}"), &format!("#!/bin/sh\n>{}\n", ran.display()));
        set_mode(&path, 0o755);
    }
    let path = shell.pick("PATH=.:$PATH", "set -gx PATH . $PATH");
    let mut session = shell.rc().after(path).start(&sandbox);
    session.run(&format!("cd repo; cd ..; cd {}", sandbox.home().join("repo").display()));
    // Through prompts and commands that find the lease fresh, due and expired.
    session.until("two renewals", |session| {
        session.enter();
        endpoint.count() > 2
    });
    let before = endpoint.count();
    std::thread::sleep(Duration::from_secs(7));
    session.run("echo waited");
    assert!(endpoint.count() > before);
    session.run("credsh refresh --force; credsh status; credsh prompt; credsh doctor; credsh export; credsh clear");
    // Nor are they run along with a profile's credential_process, by the hook or by hand.
    let end = rfc3339(now() + 8);
    let json = format!(
        r#"{{"Version":1,"AccessKeyId":"ASIAP","SecretAccessKey":"s","SessionToken":"t","Expiration":"{end}"}}"#
    );
    let tool = sandbox.file("tool", &format!("#!/bin/sh\necho >>~/asked\n/bin/cat <<'END'\n{json}\nEND\n"));
    set_mode(&tool, 0o755);
    sandbox.file(".aws/config", &format!("[profile p]\ncredential_process = {}\n", tool.display()));
    let asked = || fs::read_to_string(sandbox.home().join("asked")).unwrap_or_default().len();
    session.run("credsh refresh --profile p");
    assert_eq!((asked(), session.key()), (1, "ASIAP".into()), "{}", session.text());
    session.until("another answer", |session| {
        session.enter();
        asked() > 1
    });
    assert!(!ran.exists(), "{}", session.text());
    session.run("date");
    assert!(ran.exists(), "the control");
}

/// Runs a program, and returns what strace recorded of some system calls.
fn traced(sandbox: &Sandbox, calls: &str, dir: &Path, program: &str, words: &[&str]) -> (Run, String) {
    let log = sandbox.home().join("trace");
    let mut command = sandbox.command(strace()[0]);
    command.args(&strace()[1..]).args(["-e", &format!("trace={calls}"), "-o"]).arg(&log).arg(program).args(words);
    let run = Run::of(command.current_dir(dir).output().unwrap());
    (run, fs::read_to_string(log).unwrap())
}

/// The paths that a command's file operations name relative to the working directory, or inside it.
fn named_here(sandbox: &Sandbox, program: &str, words: &[&str]) -> (Run, Vec<String>) {
    let repo = sandbox.home().join("repo");
    let (run, text) = traced(sandbox, "file", &repo, program, words);
    let path = |line: &str| {
        let arguments = line.split_once('(')?.1;
        let arguments = arguments.strip_prefix("AT_FDCWD, ").unwrap_or(arguments);
        assert!(!arguments.starts_with("0x"), "the control: it can be read: {line}");
        arguments.strip_prefix('"')?.split('"').next().map(str::to_owned)
    };
    let paths = text.lines().filter(|line| !line.contains("getcwd(")).filter_map(path);
    let here = |path: &String| !path.starts_with('/') || Path::new(path).starts_with(&repo);
    (run, paths.filter(here).collect())
}

#[test]
fn nothing_is_read_from_the_working_directory() {
    let (endpoint, sts) = (Endpoint::start(600), support::sts::Sts::start());
    let mut sandbox = Sandbox::in_cloudshell(&endpoint).with("AWS_ENDPOINT_URL_STS", &sts.url());
    for name in [".env", ".envrc", "credsh.toml", ".credsh", "config", "credentials", ".aws/config", ".aws/credentials"]
    {
        sandbox.file(&format!("repo/{name}"), "[default]\naws_access_key_id = AKIAEVIL\naws_secret_access_key = s\n");
    }
    sandbox.file(".aws/config", "[profile user]\naws_access_key_id = AKIAUSER\naws_secret_access_key = s\n");
    for name in ["docker", "true"] {
        set_mode(&sandbox.file(&format!("bin/{name}"), "#!/bin/sh\n"), 0o755);
    }
    sandbox.set("PATH", &format!("{}:/usr/bin:/bin", sandbox.home().join("bin").display()));
    for line in [
        "init bash",
        "init fish --profile user",
        "refresh",
        "refresh --profile user",
        "refresh --role arn:aws:iam::123456789012:role/deploy",
        "export",
        "export --no-store",
        "status",
        "prompt",
        "exec -- true",
        "docker -- run image",
        "whoami",
        "doctor",
        "profile list",
        "profile add other --role arn:aws:iam::123456789012:role/deploy",
        "publish --given own --print printf --role= --quiet=",
        "hook --shell bash --source container",
        "hook --shell bash --wait",
        "clear --all",
        "script sh",
        "template",
    ] {
        let (run, named) = named_here(&sandbox, CREDSH, &line.split(' ').collect::<Vec<_>>());
        assert_eq!(named, [""; 0], "{line}");
        assert_eq!(run.status, 0, "{line}: {run:?}");
    }
    let (_, named) = named_here(&sandbox, "/bin/sh", &["-c", "read -r line <.env; cat $PWD/.envrc"]);
    assert_eq!(named, [".env".into(), sandbox.home().join("repo/.envrc").to_str().unwrap().to_owned()], "the control");
}

/// Waits for something that another process does.
fn wait_for(what: &str, seen: impl Fn() -> bool) {
    let start = Instant::now();
    while !seen() {
        assert!(start.elapsed() < Duration::from_secs(20), "no sign of {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// What a user cannot keep from their own processes: the store, and the environment of a program
/// that was handed credentials.
#[test]
fn another_process_of_the_same_user_can_read_what_was_handed_out() {
    let endpoint = Endpoint::start(600);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    let mut handed = sandbox.command(CREDSH).args(["exec", "--", "sleep", "60"]).spawn().unwrap();
    let proc = PathBuf::from(format!("/proc/{}", handed.id()));
    wait_for("the program", || fs::read_to_string(proc.join("comm")).unwrap() == "sleep\n");
    // The kernel sets a program's name before its environment.
    wait_for("its environment", || !fs::read(proc.join("environ")).unwrap().is_empty());
    let environment = fs::read(proc.join("environ")).unwrap();
    handed.kill().unwrap();
    handed.wait().unwrap();
    assert!(String::from_utf8_lossy(&environment).contains("AWS_SECRET_ACCESS_KEY=test-secret-1"));
    let stored = sandbox.stored().into_iter().map(|name| fs::read_to_string(sandbox.store().join(name)).unwrap());
    assert!(stored.collect::<String>().contains("test-secret-1"));
}

/// As a user without privileges, as root could look into anything.
#[test]
fn another_process_of_the_same_user_cannot_look_into_it() {
    if !root() {
        return;
    }
    let endpoint = Endpoint::start(600);
    endpoint.behave(Behaviour::Hang(Duration::from_secs(60)));
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    open(&sandbox);
    let start = |words: &[&str]| -> Child {
        let mut setpriv = sandbox.command("setpriv");
        setpriv.arg(format!("--reuid={OTHER}")).args(["--clear-groups", "--inh-caps=-all"]).args(words);
        setpriv.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    };
    let look = |pid: u32| {
        let looks = ["environ", "mem", "maps", "fd/0"]
            .map(|name| format!("head -c 1 </proc/{pid}/{name} >/dev/null && echo {name}"));
        other(&sandbox, &["sh", "-c", &looks.join("; ")]).stdout
    };
    let mut credsh = start(&[CREDSH, "export", "--no-store"]);
    wait_for("its request", || endpoint.count() > 0);
    let seen = look(credsh.id());
    let mut sleep = start(&["sleep", "60"]);
    let pid = sleep.id();
    wait_for("the other program", || fs::read_to_string(format!("/proc/{pid}/comm")).unwrap() == "sleep\n");
    let control = look(pid);
    for child in [&mut credsh, &mut sleep] {
        child.kill().unwrap();
        child.wait().unwrap();
    }
    assert_eq!(seen, "");
    assert!(control.starts_with("environ\n"), "the control: {control}");
}

/// A server that answers by path, and the first line of each request.
fn server(answer: fn(&str) -> String) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let asked = Arc::new(Mutex::new(Vec::new()));
    let lines = Arc::clone(&asked);
    let serve = move |mut stream: TcpStream| -> Option<()> {
        let reader = BufReader::new(stream.try_clone().ok()?);
        let head: Vec<String> = reader.lines().map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
        lines.lock().unwrap().push(head.first()?.clone());
        stream.write_all(answer(head.first()?.split(' ').nth(1)?).as_bytes()).ok()
    };
    std::thread::spawn(move || listener.incoming().filter_map(Result::ok).for_each(|stream| _ = serve(stream)));
    (url, asked)
}

/// The EC2 metadata service, version 2.
fn metadata(path: &str) -> String {
    let body = match path {
        "/latest/api/token" => "metadata-token",
        path if path.ends_with('/') => "instance-role",
        _ => {
            r#"{"Code":"Success","Type":"AWS-HMAC","AccessKeyId":"ASIAEC2","SecretAccessKey":"s","Token":"t","LastUpdated":"2026-01-01T00:00:00Z","Expiration":"2126-01-01T00:00:00Z"}"#
        }
    };
    let length = body.len();
    format!(
        "HTTP/1.1 200 OK\r\nX-aws-ec2-metadata-token-ttl-seconds: 60\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
}

const PROXIES: [&str; 6] = ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];

/// For the container endpoint, see `container`.
#[test]
fn the_metadata_service_is_not_asked_through_a_proxy_and_sts_is() {
    let (url, asked) = server(metadata);
    let (proxy, through) = server(metadata);
    let mut sandbox = Sandbox::new().with("AWS_EC2_METADATA_SERVICE_ENDPOINT", &url);
    sandbox.unset("AWS_EC2_METADATA_DISABLED");
    for name in PROXIES {
        sandbox.set(name, &proxy);
    }
    let out = sandbox.credsh(&["export", "--source", "ec2"]).ok();
    assert!(out.contains("'ASIAEC2'"), "{out}");
    assert!(asked.lock().unwrap().len() > 2 && through.lock().unwrap().is_empty(), "{through:?}");
    let _ = sandbox.credsh(&["export", "--source", "ec2", "--role", ROLE]);
    let through = through.lock().unwrap().clone();
    assert!(!through.is_empty() && through.iter().all(|line| line.starts_with("CONNECT sts.")), "{through:?}");
}

/// The port that a 307 leads to. A client that follows it repeats the request as it is.
const ELSEWHERE: u16 = 9;

fn redirect(_: &str) -> String {
    format!(
        "HTTP/1.1 307 X\r\nLocation: http://127.0.0.1:{ELSEWHERE}/\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    )
}

/// For the container endpoint, see `container`.
#[test]
fn neither_sts_nor_the_metadata_service_sends_a_request_elsewhere() {
    let endpoint = Endpoint::start(600);
    let (url, asked) = server(redirect);
    let mut sandbox = Sandbox::in_cloudshell(&endpoint)
        .with("AWS_ENDPOINT_URL_STS", &url)
        .with("AWS_EC2_METADATA_SERVICE_ENDPOINT", &url);
    sandbox.unset("AWS_EC2_METADATA_DISABLED");
    for words in [["export", "--source", "ec2"], ["export", "--role", ROLE]] {
        let (run, connects) = traced(&sandbox, "connect", &sandbox.home(), CREDSH, &words);
        assert_ne!(run.status, 0, "{run:?}");
        assert!(connects.contains(url.rsplit(':').next().unwrap()), "the control: {connects}");
        assert!(!connects.contains(&format!("htons({ELSEWHERE})")), "{connects}");
    }
    assert!(asked.lock().unwrap().iter().any(|line| line.starts_with("POST / ")), "the control: {asked:?}");
}

/// A proxy that ends the tunnel itself, with a certificate of its own. What it can read goes into the file named last.
const PROXY: &str = r#"
import datetime, socket, ssl, sys
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
cert, log = sys.argv[1:]
key = ec.generate_private_key(ec.SECP256R1())
name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "proxy")])
now = datetime.datetime.now(datetime.timezone.utc)
made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
made = made.not_valid_before(now - datetime.timedelta(days=1)).not_valid_after(now + datetime.timedelta(days=1))
made = made.add_extension(x509.SubjectAlternativeName([x509.DNSName("sts.eu-central-1.amazonaws.com")]), False)
made = made.sign(key, hashes.SHA256())
pem = made.public_bytes(serialization.Encoding.PEM)
open(cert, "wb").write(pem)
private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
open(cert + ".key", "wb").write(pem + private)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(cert + ".key")
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
while True:
    client, _ = listener.accept()
    try:
        head = client.recv(65536)
        open(log, "ab").write(head)
        client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        open(log, "ab").write(context.wrap_socket(client, server_side=True).recv(65536))
    except OSError:
        pass
    client.close()
"#;

/// Killed when dropped.
struct Proxy {
    child: Child,
    url: String,
    cert: PathBuf,
    log: PathBuf,
}

impl Proxy {
    fn start(sandbox: &Sandbox) -> Proxy {
        let (cert, log) = (sandbox.home().join("proxy.pem"), sandbox.file("proxy.log", ""));
        let mut python = Command::new(tool("python"));
        let mut child = python.args(["-c", PROXY]).args([&cert, &log]).stdout(Stdio::piped()).spawn().unwrap();
        let mut port = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut port).unwrap();
        Proxy { child, url: format!("http://127.0.0.1:{}", port.trim()), cert, log }
    }

    fn read(&self) -> String {
        let mut bytes = Vec::new();
        fs::File::open(&self.log).unwrap().read_to_end(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_proxy_sees_only_whom_the_request_is_for() {
    let endpoint = Endpoint::start(600);
    let mut sandbox = Sandbox::in_cloudshell(&endpoint).with("AWS_REGION", "eu-central-1");
    let proxy = Proxy::start(&sandbox);
    for name in PROXIES {
        sandbox.set(name, &proxy.url);
    }
    let ask = |sandbox: &Sandbox| sandbox.credsh(&["export", "--no-store", "--role", ROLE]);
    ask(&sandbox).fails(5, &["credsh: cannot reach AWS STS: invalid peer certificate: "]);
    let read = proxy.read();
    assert!(read.starts_with("CONNECT sts.eu-central-1.amazonaws.com:443 HTTP/1.1\r\n"), "{read}");
    let sent =
        |read: &str| ["AssumeRole", "ASIATEST", "test-token", TOKEN].iter().filter(|text| read.contains(*text)).count();
    assert_eq!(sent(&read), 0, "{read}");
    // The control: once the user trusts its certificate, the proxy can read the request.
    sandbox.set("AWS_CA_BUNDLE", proxy.cert.to_str().unwrap());
    assert_ne!(ask(&sandbox).status, 0);
    wait_for("the request", || sent(&proxy.read()) > 1);
}

/// In botocore's order. The first one named has to be good; if it is not, the error names it.
#[test]
fn whose_certificates_are_trusted() {
    let mut sandbox = Sandbox::new().with("AWS_REGION", "eu-central-1");
    let proxy = Proxy::start(&sandbox);
    sandbox.set("HTTPS_PROXY", &proxy.url);
    let good = proxy.cert.to_str().unwrap().to_owned();
    let bad = sandbox.file("bad.pem", "none").to_str().unwrap().to_owned();
    let profile = |bundle: &str| {
        let keys = "aws_access_key_id = AKIATEST\naws_secret_access_key = s";
        sandbox.file(".aws/config", &format!("[profile p]\n{keys}\n{bundle}\n[default]\n{bundle}\n"));
    };
    let keys: &[_] = &[("AWS_ACCESS_KEY_ID", "AKIATEST"), ("AWS_SECRET_ACCESS_KEY", "s")];
    let ask = |flags: &[&str], variables: &[(&str, &str)]| {
        let mut credsh = sandbox.command(support::CREDSH);
        credsh.args(["export", "--no-store"]).args(flags).envs(variables.iter().copied());
        support::Run::of(credsh.output().unwrap()).stderr
    };
    let (aws, requests) = ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE");
    let of_profile = &["--profile", "p"][..];
    profile("");
    let unknown = ask(of_profile, &[]);
    let hint = "set AWS_CA_BUNDLE or the profile's ca_bundle to a PEM file with its CA certificate";
    assert!(unknown.contains("invalid peer certificate: UnknownIssuer\n") && unknown.contains(hint), "{unknown}");
    // The proxy never answers. That the error is not about certificates shows that it got to read the request.
    let answered = |said: String| {
        assert!(!said.contains("certificate") && !said.contains("BUNDLE"), "{said}");
        assert!(!said.contains("ca_bundle"), "{said}");
    };
    answered(ask(of_profile, &[(requests, &good)]));
    assert!(
        ask(of_profile, &[(requests, &bad)]).starts_with(&format!("credsh: REQUESTS_CA_BUNDLE {bad}: contains no "))
    );
    profile(&format!("ca_bundle = {good}"));
    answered(ask(of_profile, &[(requests, &bad)]));
    answered(ask(&[], keys));
    let fifo = sandbox.home().join("fifo").to_str().unwrap().to_owned();
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    assert!(ask(of_profile, &[(aws, &fifo)]).starts_with(&format!("credsh: AWS_CA_BUNDLE {fifo}: not a regular file")));
    profile(&format!("ca_bundle = {bad}"));
    let said = ask(of_profile, &[(requests, &good)]);
    assert!(said.starts_with(&format!("credsh: ca_bundle of profile p {bad}: contains no certificate\n")), "{said}");
    let said = ask(&[], &[keys, &[(requests, &good)]].concat());
    assert!(said.starts_with(&format!("credsh: ca_bundle of profile default {bad}: ")), "{said}");
    answered(ask(of_profile, &[(aws, &good)]));
    profile(&format!("ca_bundle = {good}"));
    assert!(ask(of_profile, &[(aws, &bad)]).starts_with(&format!("credsh: AWS_CA_BUNDLE {bad}: ")));
}
