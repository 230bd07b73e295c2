//! Where secrets are and are not: for every command, for everything that an endpoint may get wrong, and for a whole
//! session in each shell. What is searched: stdout, stderr, the arguments and environment of every program that is
//! started, every file, the shells' histories and the recording of the terminal; all of it with logs requested.
//!
//! strace sees every program as it is started, with what `/proc/PID/cmdline` and `environ` would show, even if the
//! program is gone before anyone could look there.

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use support::endpoint::{Behaviour, Endpoint, TOKEN};
use support::pty::{Session, Shell};
use support::sts::Sts;
use support::{CREDSH, Run, Sandbox, strace};

const LONG_TERM: &str = "long-term-secret";
const CODE: &str = "808182";
const PASSWORD: &str = "password-of-a-proxy";
/// What each of the secrets begins with.
const SECRETS: [&str; 9] =
    [TOKEN, "session-token-of-put", "test-secret", "test-token", "sts-secret", "sts-token", LONG_TERM, CODE, PASSWORD];
const ROLE: &str = "arn:aws:iam::123456789012:role/deploy";
const DEVICE: &str = "arn:aws:iam::123456789012:mfa/me";

/// A CloudShell whose token is in a file, and not in the environment, which every program inherits; a user's long-term
/// keys; and a container engine that does nothing.
fn surroundings(endpoint: &Endpoint, sts: &Sts) -> Sandbox {
    let mut sandbox = Sandbox::in_cloudshell(endpoint).with("AWS_ENDPOINT_URL_STS", &sts.url());
    sandbox.unset("AWS_CONTAINER_AUTHORIZATION_TOKEN");
    let token = sandbox.file("token", TOKEN);
    sandbox.set("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", token.to_str().unwrap());
    sandbox.file(
        ".aws/credentials",
        &format!("[user]\naws_access_key_id = AKIAUSER\naws_secret_access_key = {LONG_TERM}\n"),
    );
    sandbox.file(
        ".aws/config",
        &format!("[profile mfa]\nsource_profile = user\nrole_arn = {ROLE}\nmfa_serial = {DEVICE}\n"),
    );
    let engine = sandbox.file("bin/docker", "#!/bin/sh\n");
    fs::set_permissions(&engine, fs::Permissions::from_mode(0o755)).unwrap();
    let bin = [engine.parent().unwrap(), Path::new(CREDSH).parent().unwrap()].map(|dir| dir.to_str().unwrap());
    sandbox.set("PATH", &format!("{}:{}", bin.join(":"), std::env::var("PATH").unwrap()));
    fs::create_dir(sandbox.home().join("tmp")).unwrap();
    let tmp = sandbox.home().join("tmp");
    sandbox.with("TMPDIR", tmp.to_str().unwrap()).with("CREDSH_LOG", "trace").with("RUST_LOG", "trace")
}

/// The start of a command line that records in `log` how every program is started.
fn recorder(log: &Path) -> Vec<&str> {
    [strace(), &["-v", "-s", "100000", "-e", "trace=execve", "-o", log.to_str().unwrap()]].concat()
}

/// One program that was started.
struct Started {
    arguments: String,
    environment: String,
}

/// What strace recorded. The record is deleted, as it holds what the environments hold.
fn started(log: &Path) -> Vec<Started> {
    let text = fs::read_to_string(log).unwrap();
    fs::remove_file(log).unwrap();
    let calls = text.lines().filter_map(|line| line.split_once("execve(\""));
    let calls = calls.map(|(_, call)| {
        assert!(!call.contains(", 0x"), "the control: they can be read: {call}");
        let (arguments, environment) = call.split_once("], [").unwrap_or((call, ""));
        Started { arguments: arguments.into(), environment: environment.into() }
    });
    calls.collect()
}

/// The environment without the secrets that are exported on purpose, under names that begin with `prefix`.
fn but_exported(environment: &str, prefix: &str) -> String {
    let exported = ["SECRET_ACCESS_KEY=", "SESSION_TOKEN="].map(|name| format!("\"{prefix}{name}"));
    let kept = environment.split(", ").filter(|item| !exported.iter().any(|name| item.starts_with(name)));
    kept.collect::<Vec<_>>().join(", ")
}

fn secrets_in(place: &str, text: &str) -> Vec<String> {
    let line = |secret: &str| text.lines().find(|line| line.contains(secret));
    SECRETS.iter().filter_map(|secret| Some(format!("{secret} in {place}: {:.2000}", line(secret)?))).collect()
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    // fish leaves a FIFO, on which a read would block.
    entries
        .flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] })
        .filter(|path| path.is_file())
        .collect()
}

/// Secrets in files that are not meant for them, files with secrets that others can read, and files left behind.
fn on_disk(sandbox: &Sandbox) -> Vec<String> {
    let mut found = Vec::new();
    for path in files(sandbox.home().parent().unwrap()) {
        let (text, name) =
            (String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned(), path.display().to_string());
        let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        let stored = path.starts_with(sandbox.store());
        let given = ["token", ".aws/credentials"].iter().any(|given| path == sandbox.home().join(given));
        if !stored && !given {
            found.extend(secrets_in(&name, &text));
        }
        if stored {
            found.extend(
                [LONG_TERM, CODE, TOKEN, PASSWORD]
                    .iter()
                    .filter(|secret| text.contains(**secret))
                    .map(|s| format!("{s} in {name}")),
            );
            let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
            let known = path.ends_with("credsh/clock") || ["json", "sh", "fish", "words", "lock"].contains(&ending);
            if mode != 0o600 || !known {
                found.push(format!("{name} has the mode {mode:o}"));
            }
        }
        if path.starts_with(sandbox.home().join("tmp")) {
            found.push(format!("{name} was left behind"));
        }
    }
    let mode = fs::metadata(sandbox.store()).map_or(0o700, |meta| meta.permissions().mode() & 0o777);
    found.extend((mode != 0o700).then(|| format!("the store has the mode {mode:o}")));
    found
}

/// Whether a run may print secrets, or hand them to a program.
#[derive(Clone, Copy, PartialEq)]
enum May {
    Nothing,
    /// On stdout, as it was asked to.
    Print,
    /// In the environment of the program it becomes.
    Hand,
}

/// Runs a program with everything recorded, and lists the secrets that are where they must not be.
fn leaks(sandbox: &Sandbox, program: &str, words: &[&str], may: May) -> (Run, Vec<String>) {
    let log = sandbox.home().join("started");
    let recorder = recorder(&log);
    let run = Run::of(sandbox.command(recorder[0]).args(&recorder[1..]).arg(program).args(words).output().unwrap());
    let mut found = secrets_in("stderr", &run.stderr);
    if may != May::Print {
        found.extend(secrets_in("stdout", &run.stdout));
    }
    let started = started(&log);
    assert!(!started.is_empty(), "{run:?}");
    for (number, Started { arguments, environment }) in started.iter().enumerate() {
        found.extend(secrets_in("the arguments", arguments));
        let handed = may == May::Hand && number > 0;
        let environment = if handed { but_exported(environment, "AWS_") } else { environment.clone() };
        found.extend(secrets_in("the environment", &environment));
    }
    if may == May::Hand {
        assert!(started.len() > 1 && started.iter().any(|one| one.environment.contains("=test-secret-1")), "{run:?}");
    }
    found.extend(on_disk(sandbox));
    (run, found)
}

/// Every command, and what it may do. `LEASE` is the stored lease's id.
const COMMANDS: [(&str, May); 58] = [
    ("--help", May::Nothing),
    ("--version", May::Nothing),
    ("init bash", May::Nothing),
    ("init zsh", May::Nothing),
    ("init fish", May::Nothing),
    ("init nu", May::Nothing),
    ("init elvish", May::Nothing),
    ("init xonsh", May::Nothing),
    ("init powershell", May::Nothing),
    ("init bash --off", May::Nothing),
    ("init bash --no-store --profile user", May::Nothing),
    ("refresh", May::Nothing),
    ("refresh --force", May::Nothing),
    ("refresh --no-store", May::Nothing),
    ("refresh --profile user", May::Nothing),
    ("refresh --role arn:aws:iam::123456789012:role/deploy --external-id ext", May::Nothing),
    // It needs an MFA code, and there is no terminal to ask on.
    ("refresh --profile mfa", May::Nothing),
    ("--hooked bash refresh --force", May::Print),
    ("--hooked fish refresh --no-store --source container", May::Print),
    ("export", May::Print),
    ("export --no-store", May::Print),
    ("export --prefix TEMPORARY_ --profile user", May::Print),
    ("export --role arn:aws:iam::123456789012:role/deploy", May::Print),
    ("export --format env", May::Print),
    ("export --format env-no-export", May::Print),
    ("export --format fish", May::Print),
    ("export --format process", May::Print),
    ("export --format json", May::Print),
    ("export --format env-file", May::Print),
    ("export --format ini", May::Print),
    ("export --format powershell", May::Print),
    ("export --format windows-cmd", May::Print),
    ("export --format elvish", May::Print),
    ("export --format nu", May::Print),
    ("status", May::Nothing),
    ("status --json", May::Nothing),
    ("prompt", May::Nothing),
    ("exec -- sh -c :", May::Hand),
    ("exec --no-store -- sh -c :", May::Hand),
    ("docker -- run image", May::Hand),
    ("whoami", May::Nothing),
    ("whoami --json", May::Nothing),
    ("doctor", May::Nothing),
    ("doctor --json", May::Nothing),
    ("profile add new --role arn:aws:iam::123456789012:role/deploy", May::Nothing),
    ("profile list", May::Nothing),
    ("profile remove mfa --force", May::Nothing),
    ("clear", May::Nothing),
    ("clear --all", May::Nothing),
    ("completions bash", May::Nothing),
    ("demo", May::Nothing),
    ("template", May::Nothing),
    ("script sh", May::Nothing),
    ("script fish", May::Nothing),
    ("publish --given own --print printf --role= --quiet=", May::Print),
    ("publish --given own --print fish --role=arn:aws:iam::123456789012:role/deploy --quiet=1", May::Print),
    // In the background; strace waits for that too.
    ("hook --shell bash --source container", May::Nothing),
    ("hook --shell bash --wait --lease LEASE", May::Print),
];

/// In five threads, as each row mostly waits for something.
fn each<T: Sync>(rows: &[T], check: impl Fn(&T) + Sync) {
    let check = &check;
    std::thread::scope(|scope| {
        for part in rows.chunks(rows.len().div_ceil(5)) {
            scope.spawn(move || part.iter().for_each(check));
        }
    });
}

#[test]
fn no_command_shows_what_it_was_not_asked_for() {
    each(&COMMANDS, |(line, may)| command(line, *may));
}

fn command(line: &str, may: May) {
    let (endpoint, sts) = (Endpoint::start(600), Sts::start());
    let mut sandbox = surroundings(&endpoint, &sts);
    // The background renewal finds nothing stored, so that it has something to do.
    if !line.starts_with("hook --shell bash --source") {
        sandbox.credsh(&["refresh"]).ok();
        sandbox.set("CREDSH_LEASE", &sandbox.ids().remove(0));
    }
    let line = line.replace("LEASE", &sandbox.ids().pop().unwrap_or_default());
    let (run, found) = leaks(&sandbox, CREDSH, &line.split(' ').collect::<Vec<_>>(), may);
    assert_eq!(found, [""; 0], "{line}");
    let expected = i32::from(line.ends_with("mfa") || (line.starts_with("doctor")));
    assert_eq!(run.status, expected, "{line}: {run:?}");
    let printed = run.stdout.contains("-secret-");
    assert_eq!(printed, may == May::Print, "the control: {line}: {run:?}");
    assert!(endpoint.count() > 0, "the control: {line}");
}

/// Those that the help lists, and those that it hides.
#[test]
fn every_command_is_among_them() {
    let help = Sandbox::new().credsh(&["--help"]).ok();
    let listed = help.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    let names = listed.lines().filter_map(|line| line.split_whitespace().next()).chain(["hook", "publish"]);
    let names: BTreeSet<&str> = names.collect();
    let known = COMMANDS.iter().map(|(line, _)| line.trim_start_matches("--hooked bash ").split(' ').next().unwrap());
    let known: BTreeSet<&str> = known.filter(|word| !word.starts_with('-')).collect();
    assert_eq!(names, known);
    let help = Sandbox::new().credsh(&["export", "--help"]).ok();
    let formats =
        help.split("Possible values:\n").nth(1).unwrap().lines().filter_map(|line| line.trim().strip_prefix("- "));
    let formats: Vec<String> =
        formats.map(|line| format!("export --format {}", line.split(':').next().unwrap())).collect();
    assert!(formats.len() > 9, "{help}");
    for format in formats {
        assert!(COMMANDS.iter().any(|(line, _)| *line == format), "{format}");
    }
}

#[test]
fn the_control_a_planted_secret_is_found_wherever_it_is() {
    let (endpoint, sts) = (Endpoint::start(600), Sts::start());
    let sandbox = surroundings(&endpoint, &sts);
    let planted = |script: &str| {
        let (_, found) = leaks(&sandbox, "sh", &["-c", script], May::Nothing);
        assert_eq!(found.len(), 1, "{script}: {found:?}");
        found[0].split(": ").next().unwrap().split("/home").next().unwrap().to_owned()
    };
    // In halves, or each would be in the arguments as well.
    assert_eq!(planted("echo test-'sec'ret"), "test-secret in stdout");
    assert_eq!(planted("echo test-'tok'en >&2"), "test-token in stderr");
    assert_eq!(planted("sh -c : long-'term'-secret"), "long-term-secret in the arguments");
    assert_eq!(planted("A=sts-'tok'en sh -c :"), "sts-token in the environment");
    assert_eq!(planted("setsid sh -c 'sleep 0.1; A=80\"81\"82 sh -c :' &"), "808182 in the environment");
    assert!(planted("echo sts-'sec'ret >$HOME/x").starts_with("sts-secret in "));
    fs::remove_file(sandbox.home().join("x")).unwrap();
    planted("echo >$TMPDIR/x");
    fs::remove_file(sandbox.home().join("tmp/x")).unwrap();
    sandbox.credsh(&["refresh"]).ok();
    planted("chmod 644 $XDG_RUNTIME_DIR/credsh/*.json");
    planted("chmod 600 $XDG_RUNTIME_DIR/credsh/*; chmod 755 $XDG_RUNTIME_DIR/credsh");
    planted("chmod 700 $XDG_RUNTIME_DIR/credsh; echo long-'term'-secret >>$XDG_RUNTIME_DIR/credsh/clock");
}

/// What an endpoint may answer, with all the secrets it knows in it: `told` is the token that it was sent.
fn faults(told: &str) -> Vec<Behaviour> {
    let answer = |status: u16, headers: &str, body: &str| Behaviour::Answer {
        status,
        headers: if headers.is_empty() { String::new() } else { format!("{headers}\r\n") },
        body: body.into(),
    };
    let escaped = told.replace('-', "\\u002d");
    let keys = r#""AccessKeyId":"ASIAX","SecretAccessKey":"test-secret","Token":"test-token""#;
    let good = format!(r#"{{{keys},"Expiration":"2126-01-01T00:00:00Z"}}"#);
    let raw = |head: &str, body: &str| Behaviour::Raw(format!("HTTP/1.1 {head}\r\n\r\n{body}").into_bytes());
    let mut faults = vec![
        Behaviour::Close,
        Behaviour::Hang(Duration::from_secs(60)),
        raw("200 OK\r\nContent-Length: 4", &good),
        raw("200 OK\r\nContent-Length: 4000", &good),
        raw("200 OK\r\nTransfer-Encoding: chunked", &format!("{told}\r\n{good}")),
        raw(told, &good),
        raw(&format!("200 {told}\r\n{told}"), &good),
        answer(200, "", &good[..good.len() / 2]),
        answer(200, "", &format!("<html>{told} {good}</html>")),
        answer(200, "", &format!("\u{feff}{good}")),
        answer(200, "", &good.repeat(20_000)),
        answer(200, "", &format!("{}{told}", "[".repeat(500))),
        answer(200, "", &good.replace("test-token", "test-token\\u001b[31m")),
        answer(200, "", &good.replace("test-secret", "test-secret\\n")),
        answer(200, "", &good.replace("test-secret", &"test-secret".repeat(4000))),
        answer(200, "", &good.replace("\"test-secret\"", "null")),
        answer(200, "", &good.replace("\"test-token\"", "[\"test-token\"]")),
        answer(200, "", &good.replace("2126", "1970")),
        answer(200, "", &good.replace("2126-01-01T00:00:00Z", told)),
        answer(200, "", &format!(r#"{{"Code":"{told}",{keys}}}"#)),
        answer(200, "", &format!(r#"{{"Code":"{escaped}","Message":"{escaped}",{keys}}}"#)),
    ];
    for status in [301, 400, 401, 403, 404, 418, 429, 500, 503] {
        faults.push(answer(status, &format!("Location: http://localhost/{told}\r\nRetry-After: 9"), told));
        faults.push(answer(status, &format!("WWW-Authenticate: {told}"), &format!("<html><b>{told}</b>\n{told}")));
    }
    for body in [
        format!(r#"{{"message":"{told}"}}"#),
        format!(r#"{{"code":"{escaped}","message":"{escaped}",{keys}}}"#),
        good.clone(),
        good[..good.len() - 9].to_owned(),
        format!("[{good}]"),
        format!("{}{told}", "x".repeat(290)),
    ] {
        faults.push(answer(403, "", &body));
    }
    faults
}

#[test]
fn no_fault_shows_a_secret() {
    // With the token from a file, and with one obtained by PUT.
    let faults = [(TOKEN, false), ("session-token-of-put", true)]
        .into_iter()
        .flat_map(|(told, put)| faults(told).into_iter().map(move |fault| (fault, put)));
    each(&faults.collect::<Vec<_>>(), |(behaviour, put)| fault(behaviour, *put));
}

fn fault(behaviour: &Behaviour, put: bool) {
    let (endpoint, sts) = (Endpoint::start(600), Sts::start());
    let mut sandbox = surroundings(&endpoint, &sts);
    if put {
        sandbox.unset("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
    }
    endpoint.behave(behaviour.clone());
    // The first has nothing to fall back on; those after the second have a failure to report.
    let commands: &[&str] = match behaviour {
        Behaviour::Hang(_) => &["export --no-store"],
        _ if put => &["refresh", "hook --shell bash --wait"],
        _ => &[
            "export --no-store",
            "refresh --force",
            "hook --shell fish --wait",
            "doctor",
            "status",
            "whoami",
            "prompt",
        ],
    };
    for line in commands {
        if *line == "refresh --force" {
            endpoint.behave(Behaviour::Good);
            sandbox.credsh(&["refresh"]).ok();
            endpoint.behave(behaviour.clone());
        }
        let may = if line.starts_with("hook") { May::Print } else { May::Nothing };
        let (run, found) = leaks(&sandbox, CREDSH, &line.split(' ').collect::<Vec<_>>(), may);
        assert_eq!(found, [""; 0], "{line}: {behaviour:.300?}");
        let fails = ["export", "refresh"].iter().any(|name| line.starts_with(name));
        assert!(!fails || run.status > 0, "the control: {line}: {behaviour:.300?}: {run:?}");
    }
}

/// A password in the address of a proxy that cannot be reached, or of an endpoint. The proxy's address has to be in the
/// environment, and stays there.
#[test]
fn no_address_shows_its_password() {
    let (endpoint, sts) = (Endpoint::start(600), Sts::start());
    let mut sandbox = surroundings(&endpoint, &sts);
    let port = support::CLOSED;
    let closed = format!("http://me:{PASSWORD}@127.0.0.1:{port}");
    let check = |sandbox: &Sandbox, status: i32, message: &str| {
        for line in [format!("refresh --role {ROLE}"), format!("export --no-store --role {ROLE}"), "doctor".into()] {
            let run = sandbox.credsh(&line.split(' ').collect::<Vec<_>>());
            assert!(run.stderr.contains(message) || line == "doctor", "{run:?}");
            assert!(run.status == status || line == "doctor", "{run:?}");
            assert!(!format!("{run:?}").contains(PASSWORD), "{run:?}");
            assert_eq!(on_disk(sandbox), [""; 0]);
        }
    };
    let refused = "the address of AWS STS: contains a user name, which is never right here\nhint: check AWS_ENDPOINT_URL_STS, AWS_ENDPOINT_URL and the profile's endpoint_url\n";
    for address in [sts.url().replace("//", &format!("//me:{PASSWORD}@")), closed.clone()] {
        sandbox.set("AWS_ENDPOINT_URL_STS", &address);
        check(&sandbox, 1, refused);
    }
    assert_eq!(sts.of("AssumeRole").len(), 0);
    sandbox.set("AWS_ENDPOINT_URL_STS", "http://sts.invalid/x@y");
    sandbox.set("HTTP_PROXY", &closed);
    check(&sandbox, 5, "cannot reach AWS STS: connection refused\n");
}

/// It is sent as it is, as the SDKs do, and stored with the request, which has to be repeated: but only in the
/// file that no shell reads.
#[test]
fn no_query_of_the_endpoint_is_shown() {
    let (endpoint, sts) = (Endpoint::start(600), Sts::start());
    let mut sandbox = surroundings(&endpoint, &sts);
    let query = format!("v=1&key={PASSWORD}");
    sandbox.set("AWS_CONTAINER_CREDENTIALS_FULL_URI", &format!("{}?{query}", endpoint.uri()));
    sandbox.credsh(&["refresh"]).ok();
    assert!(endpoint.requests()[0].path.ends_with(&format!("?{query}")), "{:?}", endpoint.requests());
    let kept: Vec<String> = sandbox
        .stored()
        .into_iter()
        .filter(|name| fs::read_to_string(sandbox.store().join(name)).unwrap().contains(PASSWORD))
        .collect();
    assert_eq!(kept, [format!("{}.json", sandbox.ids()[0])]);
    sandbox.set("CREDSH_LEASE", &sandbox.ids().remove(0));
    let check = |sandbox: &Sandbox| {
        // `demo` asks only its own endpoint, for half a minute.
        for (line, _) in COMMANDS.iter().filter(|(line, _)| *line != "demo") {
            let line = line.replace("LEASE", &sandbox.ids().pop().unwrap_or_default());
            let run = sandbox.credsh(&line.split(' ').collect::<Vec<_>>());
            assert!(!format!("{run:?}").contains(PASSWORD), "{line}: {run:?}");
        }
    };
    check(&sandbox);
    // The endpoint echoes it, as text and as a page. After that come URIs with other faults.
    for body in [format!("no such path: {query}"), format!("<p>/x?v=1&amp;key={}</p>", PASSWORD.replace('-', "%2D"))] {
        endpoint.behave(Behaviour::Answer { status: 404, headers: String::new(), body });
        let run = sandbox.credsh(&["refresh", "--force"]);
        assert!(run.stderr.contains("404: ") && run.stderr.contains("**"), "{run:?}");
        check(&sandbox);
    }
    sandbox.credsh(&["clear", "--all"]).ok();
    let port = support::CLOSED;
    for uri in [
        format!("http://127.0.0.1:{port}/x?{query}"),
        format!("http://192.0.2.1/x?{query}"),
        format!("ftp://127.0.0.1/x?{query}"),
        format!("http://me@127.0.0.1/x?{query}"),
        format!("http://127.1?{query}"),
        format!("http://[?{query}"),
        format!("http://127.0.0.1:{port}#{query}"),
        query.clone(),
    ] {
        sandbox.set("AWS_CONTAINER_CREDENTIALS_FULL_URI", &uri);
        sandbox.set("HTTP_PROXY", "http://127.0.0.1:9");
        for line in ["refresh", "export --no-store", "hook --shell bash --wait", "doctor", "doctor --json"] {
            let run = sandbox.credsh(&line.split(' ').collect::<Vec<_>>());
            assert!(run.status != 0, "{uri}: {run:?}");
            assert!(!format!("{run:?}").contains(PASSWORD), "{uri}: {line}: {run:?}");
        }
    }
}

in_every_shell! { no_session_shows_or_keeps_a_secret }

/// Where each shell keeps its history, and the settings that make it keep one here.
fn history(shell: Shell) -> (&'static str, &'static str) {
    match shell {
        Shell::Bash => (".bash_history", "HISTFILE=~/.bash_history; set -o history"),
        Shell::Zsh => {
            (".zsh_history", "HISTFILE=~/.zsh_history HISTSIZE=1000 SAVEHIST=1000; setopt inc_append_history")
        }
        Shell::Fish => (".local/share/fish/fish_history", ""),
    }
}

fn no_session_shows_or_keeps_a_secret(shell: Shell) {
    let (endpoint, sts) = (Endpoint::start(8), Sts::start());
    let sandbox = surroundings(&endpoint, &sts).with("CREDSH_WAIT", "20");
    let log = sandbox.home().join("started");
    let (kept, settings) = history(shell);
    let mut session = shell.rc().before(settings).start_under(&recorder(&log), &sandbox);
    assert_eq!(session.key(), "ASIATEST0001");
    session.run("echo 'typed by a person'");
    // One background renewal, and one that a command waits for.
    session.until("a renewal", |session| {
        session.enter();
        endpoint.count() > 1
    });
    session.run("sleep 9");
    session.run("credsh status; credsh doctor; credsh whoami; credsh prompt; credsh export >exported; rm exported");
    endpoint.answer(403, &format!("{{\"message\":\"it was {TOKEN}\"}}"));
    session.run("credsh refresh --force");
    session.run("sleep 9");
    assert!(session.text().contains("it was **"), "the control: {}", session.text());
    endpoint.behave(Behaviour::Good);
    session.run("credsh exec -- true; credsh docker -- run image");
    session.run(&format!("credsh refresh --role {ROLE}"));
    assert!(session.key().starts_with("ASIASTS"), "{}", session.text());
    with_a_code(&mut session, "credsh refresh --profile mfa");
    assert_eq!(sts.of("GetSessionToken")[0].get("TokenCode"), CODE);
    session.line(shell.name());
    assert!(session.key().starts_with("ASIASTS"), "{}", session.text());
    session.run("credsh clear");
    session.type_line("exit");
    session.wait_for("the outer shell", Session::at_prompt);
    session.run("credsh_off");
    session.type_line("exit");
    session.wait_end();

    let raw = session.raw();
    assert_eq!(secrets_in("the recording", &raw), [""; 0]);
    let kept = fs::read_to_string(sandbox.home().join(kept)).unwrap();
    assert_eq!(secrets_in("the history", &kept), [""; 0]);
    for (name, text) in [("recording", &raw), ("history", &kept)] {
        assert!(text.contains("typed by a person"), "the control: what is typed is in the {name}: {text}");
    }
    assert!(!kept.contains("__credsh"), "nor does the hook put anything into it: {kept}");
    let started = started(&log);
    for Started { arguments, environment } in &started {
        assert_eq!(secrets_in("the arguments", arguments), [""; 0]);
        // The programs that `exec` and `docker` run have them under the standard names.
        let environment = but_exported(&but_exported(environment, "TEMPORARY_AWS_"), "AWS_");
        assert_eq!(secrets_in("the environment", &environment), [""; 0], "{arguments}");
    }
    let exported = |name: &str| {
        started.iter().any(|one| one.environment.contains(&format!("{name}_SECRET_ACCESS_KEY=test-secret")))
    };
    assert!(exported("TEMPORARY_AWS") && exported("\"AWS"), "the control: they are exported on purpose");
    assert_eq!(on_disk(&sandbox), [""; 0]);
}

/// Types a line, and the code when asked for it.
fn with_a_code(session: &mut Session, line: &str) {
    session.type_line(line);
    session.wait_for("the question", |session| session.prompt().contains("MFA code"));
    let row = session.row();
    session.send(format!("{CODE}\r").as_bytes());
    session.wait_for("the prompt", |session| session.row() > row && session.at_prompt());
}
