//! Faults as a user at a shell meets them: what is said, that it is said once and by one command, that the last good
//! credentials stay, that no prompt waits, and that it recovers by itself. The whole table of faults is in `faults.rs`.

mod support;

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use support::Sandbox;
use support::clock::Clock;
use support::endpoint::{Behaviour, Endpoint, Rotation, now, rfc3339};
use support::pty::{Hooked, Rc, Session, Shell};
use support::sts::{self, Sts};

in_every_shell! {
    each_fault_is_one_line_and_passes
    each_fault_of_sts_is_one_line_and_passes
    each_fault_of_the_store_is_one_line_and_passes
    a_defect_is_one_line_and_passes
    a_refusal_is_told_again_after_a_success
    a_token_of_another_session
    fresh_starts_nothing_and_due_waits_for_nothing
    an_endpoint_whose_clock_is_wrong
    a_clock_set_forward
    new_keys_where_no_end_is_known
    a_program_that_is_replaced_or_back_is_used
    a_runtime_directory_that_is_set_anew
    a_runtime_directory_that_is_gone
}

in_all_six_shells! {
    a_clock_set_back_while_nobody_types
    a_clock_set_back_between_prompts
    a_clock_set_back_while_nothing_is_held
    a_fault_that_lasts_is_told_once
}

// Not elvish: after it has read the clock it shows a prompt before any command runs, and at a prompt nothing is reported.
tests_of!(a_clock_set_back_while_the_endpoint_is_away:
    bash crate::support::pty::Shell::Bash,
    zsh crate::support::pty::Shell::Zsh,
    fish crate::support::pty::Shell::Fish,
    nu crate::support::others::Other::Nu,
    xonsh crate::support::others::Other::Xonsh
);

const NAME: &str = "the container endpoint (cloudshell)";
const UNREACHED: &str =
    "; check that AWS_CONTAINER_CREDENTIALS_FULL_URI is set to this environment's endpoint, and try again";

const NO_STS: &str = "; check the network, HTTPS_PROXY and AWS_ENDPOINT_URL_STS, and try again";
const REFUSED: &str =
    "; the endpoint rejected AWS_CONTAINER_AUTHORIZATION_TOKEN; open a new CloudShell tab, not a tmux window";

/// A program that records its arguments, and becomes credsh.
fn noting(sandbox: &Sandbox, path: &str) -> PathBuf {
    let text = format!("#!/bin/sh\necho \"$*\" >>\"$HOME/started\"\nexec '{}' \"$@\"\n", support::CREDSH);
    let new = sandbox.file("new", &text);
    std::fs::set_permissions(&new, std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = sandbox.home().join(path);
    std::fs::rename(new, &path).unwrap();
    path
}

/// The arguments of each of the hook's calls since the shell was started.
fn started(sandbox: &Sandbox) -> Vec<String> {
    let text = std::fs::read_to_string(sandbox.home().join("started")).unwrap_or_default();
    text.lines().filter(|line| line.contains("hook ")).map(str::to_owned).collect()
}

/// How often the hook has made a command wait.
fn waits(sandbox: &Sandbox) -> usize {
    started(sandbox).iter().filter(|line| line.contains(" --wait")).count()
}

/// A shell whose hook runs `program` instead of credsh.
fn running(shell: Shell, program: &Path, init: &str) -> Rc {
    let init = shell.init(init).replace("credsh init", &format!("{} init", program.display()));
    let program = program.display();
    let set = shell.pick(format!("__credsh_exe={program}"), format!("set -g __credsh_exe {program}"));
    shell.rc().unhooked().after(&format!("{init}\n{set}"))
}

fn answer(status: u16, headers: &str, body: &str) -> Behaviour {
    Behaviour::Answer { status, headers: headers.into(), body: body.into() }
}

/// An answer that is good but for its secret or its expiration.
fn odd(secret: &str, end: i64) -> Behaviour {
    let end = rfc3339(end);
    answer(
        200,
        "",
        &format!(
            r#"{{"Code":"Success","AccessKeyId":"ASIAODD","SecretAccessKey":"{secret}","Token":"t","Expiration":"{end}"}}"#
        ),
    )
}

fn each_fault_is_one_line_and_passes(shell: Shell) {
    let html = "<html><head><title>503</title></head><body>try <b>later</b></body></html>";
    let past = now() - 60;
    let unusable = |reason: &str| format!("{NAME} gave no usable credentials: {reason}");
    let faults = [
        (Behaviour::Close, format!("cannot reach {NAME}: connection closed before message completed{UNREACHED}")),
        (Behaviour::Hang(Duration::from_secs(60)), format!("{NAME} did not answer within 3 s{UNREACHED}")),
        (answer(429, "", "Too Many Requests"), format!("{NAME} answered with status 429: Too Many Requests")),
        (answer(429, "Retry-After: 3600\r\n", ""), format!("{NAME} answered with status 429")),
        (answer(429, "Retry-After: 1\r\n", "wait"), format!("{NAME} answered with status 429: wait")),
        (answer(503, "Content-Type: text/html\r\n", html), format!("{NAME} answered with status 503: 503 try later")),
        (odd("s", past), unusable(&format!("they expired at {}", rfc3339(past)))),
        (odd("a\\u001b]0;title\\u0007b", now() + 600), unusable("SecretAccessKey contains a control character")),
        (answer(400, "", "Bad Request"), format!("{NAME} answered with status 400: Bad Request")),
        (answer(401, "", ""), format!("{NAME} answered with status 401{REFUSED}")),
        (answer(403, "", r#"{"message":"no"}"#), format!("{NAME} answered with status 403: no{REFUSED}")),
        (answer(404, "", ""), format!("{NAME} answered with status 404")),
        // The same expiration for ever: it does answer, but with credentials that have ended.
        (Behaviour::Good, unusable("they expired at {first}")),
    ];
    all_pass(shell, faults.into(), || Double::Container(Endpoint::start(6)));
}

fn each_fault_of_sts_is_one_line_and_passes(shell: Shell) {
    let html = "<html><head><title>503</title></head><body>try <b>later</b></body></html>";
    let past = now() - 60;
    let unusable = |reason: &str| format!("AWS STS gave no usable credentials: {reason}");
    let yes = |secret: &str, end: &str| answer(200, "", &sts::credentials("AssumeRole", "ASIAODD", secret, 1, end));
    let faults = [
        (Behaviour::Close, format!("cannot reach AWS STS: connection closed before message completed{NO_STS}")),
        (Behaviour::Hang(Duration::from_secs(60)), format!("AWS STS did not answer within 8 s{NO_STS}")),
        (answer(429, "", "Too Many Requests"), "AWS STS answered with status 429".into()),
        (answer(429, "Retry-After: 3600\r\n", ""), "AWS STS answered with status 429".into()),
        (answer(429, "Retry-After: 1\r\n", "wait"), "AWS STS answered with status 429".into()),
        (answer(503, "Content-Type: text/html\r\n", html), "AWS STS answered with status 503".into()),
        (yes("s", &rfc3339(past)), unusable(&format!("they expired at {}", rfc3339(past)))),
        (yes("a&#27;]0;title&#7;b", &rfc3339(now() + 600)), unusable("SecretAccessKey contains a control character")),
        (
            yes("a&#x9b;]0;title&#x9c;b", &rfc3339(now() + 600)),
            unusable("SecretAccessKey contains a control character"),
        ),
        // The same expiration for ever.
        (yes("s", "{first}"), unusable("they expired at {first}")),
    ];
    all_pass(shell, faults.into(), || {
        let sts = Sts::start();
        sts.live(6);
        Double::Role(sts)
    });
}

/// Where a shell's lease comes from: one of the fakes.
enum Double {
    Container(Endpoint),
    Role(Sts),
}

impl Double {
    /// The sandbox, the arguments of `init`, and the lease's label.
    fn surroundings(&self) -> (Sandbox, &'static str, &'static str) {
        match self {
            Double::Container(endpoint) => (Sandbox::in_cloudshell(endpoint), "", "cloudshell"),
            Double::Role(sts) => {
                // The SDK's three attempts take up to three seconds, as their delays are random.
                let sandbox = Sandbox::new().with("AWS_ENDPOINT_URL_STS", &sts.url()).with("CREDSH_WAIT", "8");
                sandbox.file(
                    ".aws/config",
                    "[profile user]\naws_access_key_id = AKIAUSER\naws_secret_access_key = long-term-secret\n",
                );
                (sandbox, "--profile user --role arn:aws:iam::123456789012:role/deploy", "role:deploy")
            }
        }
    }

    /// How it behaves from now on. What it gave first does not change; `end` is when that ends, for `{first}`.
    fn behave(&self, behaviour: Behaviour, end: &str) {
        match (self, behaviour) {
            (Double::Container(endpoint), behaviour) => {
                endpoint.rotate(Rotation::Never);
                endpoint.behave(behaviour);
            }
            (Double::Role(sts), Behaviour::Answer { status, headers, body }) => {
                sts.behave(Behaviour::Answer { status, headers, body: body.replace("{first}", end) });
            }
            (Double::Role(sts), behaviour) => sts.behave(behaviour),
        }
    }

    fn recover(&self) {
        match self {
            Double::Container(endpoint) => {
                endpoint.rotate(Rotation::HalfLife);
                endpoint.behave(Behaviour::Good);
            }
            Double::Role(sts) => sts.yes(),
        }
    }
}

fn all_pass(shell: Shell, faults: Vec<(Behaviour, String)>, double: impl Fn() -> Double) {
    thread::scope(|scope| {
        for (behaviour, message) in faults {
            let double = double();
            scope.spawn(move || one_fault(shell, &double, behaviour, &message));
        }
    });
}

fn one_fault(shell: Shell, double: &Double, behaviour: Behaviour, message: &str) {
    let case = format!("{shell:?} {behaviour:.60?}");
    let (sandbox, init, label) = double.surroundings();
    let program = noting(&sandbox, "noting");
    let mut session = running(shell, &program, init).start(&sandbox);
    let (first, end) = (session.key(), session.var("TEMPORARY_AWS_CREDENTIAL_EXPIRATION"));
    let (held_up, secret) = (waits(&sandbox), session.var("TEMPORARY_AWS_SECRET_ACCESS_KEY"));
    double.behave(behaviour, &end);
    thread::sleep(Duration::from_secs(7));
    let message = message.replace("{first}", &end);
    assert_eq!(session.run("echo ran"), format!("credsh: {message}\nran"), "{case}");
    assert_eq!(waits(&sandbox), held_up + 1, "{case}");
    assert_eq!(session.run("echo ran"), "ran", "{case}: it does not say so again");
    assert_eq!(waits(&sandbox), held_up + 1, "{case}: nor is the next command held up");
    assert_eq!((session.key(), session.var("TEMPORARY_AWS_SECRET_ACCESS_KEY")), (first.clone(), secret), "{case}");
    assert_eq!(session.prompt(), format!("[{label} expired] $ "), "{case}");
    double.recover();
    session.until(&format!("recovery: {case}"), |session| session.key() != first);
    assert!(!session.prompt().contains("expired"), "{case}: {}", session.prompt());
    let said = session.raw().matches("credsh: ").count();
    assert_eq!(said, 1, "{case}: {}", session.text());
    assert!(!session.raw().contains("title"), "{case}");
}

/// The program ends in the middle of its work, and prints nothing for the shell to do.
fn a_defect_is_one_line_and_passes(shell: Shell) {
    let sts = Sts::start();
    sts.live(6);
    let double = Double::Role(sts);
    let (sandbox, init, label) = double.surroundings();
    let mut session = shell.rc().init(init).start(&sandbox);
    let first = session.key();
    let Double::Role(sts) = double else { unreachable!("it is one") };
    sts.end_of_time();
    thread::sleep(Duration::from_secs(7));
    let said = session.run("echo ran");
    let lines: Vec<&str> = said.lines().collect();
    assert!(lines[0].starts_with("credsh: stopped by a bug in credsh, at "), "{said}");
    assert_eq!(lines[1..], ["hint: please report this line, and the command that you ran", "ran"]);
    assert_eq!(session.run("echo ran"), "ran", "nor is the next command held up");
    assert_eq!((session.key(), session.prompt()), (first.clone(), format!("[{label} expired] $ ")));
    sts.clock(0);
    sts.yes();
    session.until("recovery", |session| session.key() != first);
    assert!(!session.raw().contains("panicked"));
}

/// The shell reports a refused background renewal once for each failure, and not once in its life.
fn a_refusal_is_told_again_after_a_success(shell: Shell) {
    let endpoint = Endpoint::start(16);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    let mut session = shell.start(&sandbox);
    for told in [1, 2] {
        let held = session.key();
        endpoint.behave(answer(403, "", "refused"));
        let times = |session: &Session| session.raw().matches("status 403: refused").count();
        session.until("what the shell says", |session| {
            session.enter();
            times(session) == told
        });
        for _ in 0..3 {
            thread::sleep(Duration::from_secs(1));
            session.enter();
        }
        assert_eq!(times(&session), told);
        endpoint.behave(Behaviour::Good);
        session.until("recovery", |session| session.key() != held);
    }
}

/// What may happen to the store while a shell runs: the `sh` commands that break and mend it, run in the store's
/// directory; what is said of it; and whether there are new credentials all the same. The store is on a file system of
/// its own, which only the shell sees.
fn each_fault_of_the_store_is_one_line_and_passes(shell: Shell) {
    let faults = [
        (
            "cat /dev/zero >../ballast 2>/dev/null",
            "rm ../ballast",
            "cannot write {store}/{id}.sh: no space left on device{UNSHARED}",
            true,
        ),
        (
            "mount -o remount,ro ..",
            "mount -o remount,rw ..",
            "cannot create {store}/{id}.lock: read-only file system{UNSHARED}",
            true,
        ),
        (
            "chmod 770 .",
            "chmod 700 .",
            "the store {store} is open to other users; type `chmod 700 {store}`{OTHER}",
            false,
        ),
        (
            "mv ../credsh ../real; ln -s real ../credsh",
            "rm ../credsh; mv ../real ../credsh",
            "the store {store} is a symbolic link; remove the link{OTHER}",
            false,
        ),
        (
            "echo garbage >$(echo *.json)",
            ":",
            "the stored lease {id} could not be read; it was set aside as {store}/{id}.broken",
            true,
        ),
        ("rm *", ":", "", true),
    ];
    thread::scope(|scope| {
        for fault in faults {
            scope.spawn(move || one_fault_of_the_store(shell, fault));
        }
    });
}

fn one_fault_of_the_store(shell: Shell, (breaks, mends, message, renewed): (&str, &str, &str, bool)) {
    let endpoint = Endpoint::start(6);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    let disk = "mount -t tmpfs -o mode=700,size=128k none \"$XDG_RUNTIME_DIR\" || exit 99; exec \"$@\"";
    let namespace: &[&str] = if rustix::process::geteuid().is_root() { &["-m"] } else { &["-rm"] };
    let wrapper = [&["unshare"], namespace, &["sh", "-c", disk, "sh"]].concat();
    let program = noting(&sandbox, "noting");
    let mut session = running(shell, &program, "").start_under(&wrapper, &sandbox);
    let first = session.key();
    let (id, held_up) = (session.var("CREDSH_LEASE"), waits(&sandbox));
    let in_store = |command: &str| format!("sh -c 'cd $XDG_RUNTIME_DIR/credsh; {command}'");
    session.run(&in_store(breaks));
    thread::sleep(Duration::from_secs(7));
    let store = sandbox.store().display().to_string();
    let message = message.replace("{UNSHARED}", "; other shells will not see this renewal");
    let message = message.replace("{OTHER}", ", or set XDG_RUNTIME_DIR to a private directory");
    let message = message.replace("{store}", &store).replace("{id}", &id);
    let said = session.run("echo ran");
    assert_eq!(
        said,
        format!("{}ran", if message.is_empty() { message } else { format!("credsh: {message}\n") }),
        "{breaks}"
    );
    assert_eq!(waits(&sandbox), held_up + 1, "{breaks}");
    let key = session.key();
    assert_eq!(key, if renewed { endpoint.key() } else { first.clone() }, "{breaks}");
    assert_eq!(key != first, renewed, "{breaks}: the control");
    assert_eq!(session.run("echo ran"), "ran", "{breaks}: it does not say so again");
    assert!(session.at_prompt() && session.prompt().contains("expired") != renewed, "{breaks}: {}", session.prompt());
    session.run(&in_store(mends));
    session.until(&format!("recovery: {breaks}"), |session| {
        session.key() == endpoint.key()
            && endpoint.key() != key
            && session.run(&in_store("ls")).contains(&format!("{id}.json"))
    });
    assert!(!session.prompt().contains("expired"), "{breaks}: {}", session.prompt());
    let said = session.raw().matches("credsh: ").count();
    assert!(said <= 1, "{breaks}: {}", session.text());
}

/// The token in the environment is a tmux server's, which has outlived the CloudShell session it was started in.
fn a_token_of_another_session(shell: Shell) {
    let endpoint = Endpoint::start(8);
    let sandbox = Sandbox::in_cloudshell(&endpoint).with("AWS_CONTAINER_AUTHORIZATION_TOKEN", "stale");
    let mut session = shell.start(&sandbox);
    let first = session.key();
    assert!(first.starts_with("ASIATEST"), "{}", session.text());
    session.until("the next key", |session| session.key() != first);
    assert!(!session.raw().contains("credsh: "), "{}", session.text());
}

/// Counted by what the hook starts: without `--wait` the program returns before it has asked anyone. (The scenarios above
/// show that a command which does wait starts it with `--wait`.)
fn fresh_starts_nothing_and_due_waits_for_nothing(shell: Shell) {
    let endpoint = Endpoint::start(40);
    let sandbox = Sandbox::in_cloudshell(&endpoint).with("CREDSH_WAIT", "60");
    let program = noting(&sandbox, "noting");
    let mut session = running(shell, &program, "").start(&sandbox);
    let first = session.key();
    // The first command may not have waited, if the renewal that the first prompt started was quicker.
    let (before, held_up) = (started(&sandbox), waits(&sandbox));
    for _ in 0..3 {
        session.enter();
        session.run("true");
    }
    assert_eq!(started(&sandbox), before, "while fresh");
    endpoint.behave(Behaviour::Hang(Duration::from_secs(60)));
    thread::sleep(Duration::from_secs(20));
    for _ in 0..3 {
        session.enter();
        assert_eq!(session.run("echo ran"), "ran");
    }
    assert_eq!(session.key(), first);
    assert_eq!(waits(&sandbox), held_up, "nobody waits");
    let new = &started(&sandbox)[before.len()..];
    assert!((1..6).contains(&new.len()), "one in five seconds, and not one for each prompt and command: {new:?}");
    session.until("the question", |_| endpoint.count() > 1);
    endpoint.behave(Behaviour::Good);
    session.until("the renewal", |session| session.key() != first);
    assert!(!session.raw().contains("credsh: "), "{}", session.text());
}

/// 20 minutes off, and one renewal.
fn an_endpoint_whose_clock_is_wrong(shell: Shell) {
    thread::scope(|scope| {
        for offset in [-1200, 1200] {
            scope.spawn(move || {
                let endpoint = Endpoint::start(6);
                endpoint.clock(offset);
                let sandbox = Sandbox::in_cloudshell(&endpoint);
                let mut session = shell.start(&sandbox);
                assert_eq!(session.key(), "ASIATEST0001");
                let end = session.var("TEMPORARY_AWS_CREDENTIAL_EXPIRATION");
                assert!((end <= rfc3339(now())) == (offset < 0), "{offset}: {end}: AWS's own word is passed on");
                assert!(!session.raw().contains("expired"), "{offset}");
                thread::sleep(Duration::from_secs(7));
                assert_eq!(session.key(), "ASIATEST0002", "{offset}: not 20 minutes late");
                let left = session.var("CREDSH_PROMPT");
                assert!(left.len() == "cloudshell 6s".len(), "{offset}: {left}");
                assert!(!session.raw().contains("credsh: "), "{offset}: {}", session.text());
            });
        }
    });
}

/// A shell in a sandbox with a clock of its own, that clock, and the shell's first key.
fn with_clock(shell: impl Hooked, endpoint: &Endpoint) -> (Sandbox, Clock, Session, String) {
    let mut sandbox = Sandbox::in_cloudshell(endpoint);
    let clock = Clock::of(&mut sandbox);
    // On a busy machine the default of three seconds may be over before the endpoint has been asked at all.
    sandbox.set("CREDSH_WAIT", "20");
    let mut session = shell.start_with(&by_the_sandboxs_clock(shell, ""), &sandbox);
    let first = session.key();
    clock.set(-100_000);
    let told: i64 = session.run(shell.clock()).parse().unwrap();
    assert!(told < now() - 90_000, "the control: {told}");
    clock.set(0);
    // A shell that has seen the clock set back has asked the endpoint. elvish goes on counting from its last
    // reading until it runs credsh.
    let asks = shell.name() != "elvish";
    session.until("fresh again", |session| session.key() == first && (!asks || endpoint.count() > 1));
    (sandbox, clock, session, first)
}

/// The start-up line. nu is linked statically, so LD_PRELOAD does not affect it; instead its script is made to add
/// the clock's offset itself.
fn by_the_sandboxs_clock(shell: impl Hooked, args: &str) -> String {
    let machine = "(%date now | %into int) // 1_000_000_000";
    let told = format!("| str replace '{machine}' '({machine}) + (open ~/clock.so.offset | into int)' | save");
    shell.init(args).replace("| save", &told)
}

/// No clock can show that they have ended, so they are looked up again from time to time.
fn new_keys_where_no_end_is_known(shell: Shell) {
    let mut sandbox = Sandbox::new();
    let clock = Clock::of(&mut sandbox);
    let keys = |key: &str| {
        let keys = format!("aws_access_key_id = {key}\naws_secret_access_key = s\naws_session_token = t\n");
        sandbox.file(".aws/credentials", &format!("[saml]\n{keys}"));
    };
    keys("ASIAONE");
    let mut session = shell.start_with(&by_the_sandboxs_clock(shell, "--profile saml"), &sandbox);
    assert_eq!(session.key(), "ASIAONE");
    keys("ASIATWO");
    assert_eq!(session.key(), "ASIAONE", "the control");
    clock.set(310);
    session.until("the others", |session| session.key() == "ASIATWO");
    session.wait_for_prompt("[profile:saml] $ ");
}

fn a_clock_set_back_while_nobody_types(shell: impl Hooked) {
    let endpoint = Endpoint::start(12);
    let (_sandbox, clock, mut session, first) = with_clock(shell, &endpoint);
    clock.set(-1200);
    thread::sleep(Duration::from_secs(13));
    let seen = session.key();
    assert_ne!(seen, first, "the very next command, and not one in 20 minutes");
    assert_eq!(seen, endpoint.key());
    let left = session.var("CREDSH_PROMPT");
    assert!(left.ends_with('s'), "{left}");
    // And again, by the clock as it is now.
    thread::sleep(Duration::from_secs(13));
    assert_ne!(session.key(), seen);
    assert!(!session.raw().contains("credsh: "), "{}", session.text());
}

fn a_clock_set_back_between_prompts(shell: impl Hooked) {
    let endpoint = Endpoint::start(600);
    let (_sandbox, clock, mut session, first) = with_clock(shell, &endpoint);
    // Evaluating the start-up line again must not lose track of the clock. nu has no way to do that.
    if shell.name() != "nu" {
        session.run(&shell.init(""));
    }
    let asked = endpoint.count();
    clock.set(-1200);
    if shell.name() == "elvish" {
        session.run("credsh refresh --help");
    }
    session.until("the truth at a prompt", |session| {
        session.enter();
        endpoint.count() > asked && ["[cloudshell 9m] $ ", "[cloudshell 10m] $ "].contains(&session.prompt().as_str())
    });
    for _ in 0..3 {
        session.enter();
        assert_eq!(session.key(), first);
    }
    assert_eq!(endpoint.count(), asked + 1, "once is enough");
}

fn a_clock_set_back_while_the_endpoint_is_away(shell: impl Hooked) {
    let endpoint = Endpoint::start(600);
    let (_sandbox, clock, mut session, first) = with_clock(shell, &endpoint);
    endpoint.behave(Behaviour::Close);
    clock.set(-1200);
    let said = session.run("echo ran");
    assert_eq!(
        said,
        format!("credsh: cannot reach {NAME}: connection closed before message completed{UNREACHED}\nran"),
        "nobody knows whether they are over"
    );
    session.enter();
    session.wait_for("the time that was left", |session| {
        ["[cloudshell 9m] $ ", "[cloudshell 10m] $ "].contains(&session.prompt().as_str())
    });
    assert_eq!(session.run("echo ran"), "ran", "and it is left at that");
    assert_eq!(session.key(), first);
}

/// The pause after a failure, and that between two background renewals, are measured by the clock too.
fn a_clock_set_back_while_nothing_is_held(shell: impl Hooked) {
    let endpoint = Endpoint::start(600);
    endpoint.behave(Behaviour::Close);
    let mut sandbox = Sandbox::in_cloudshell(&endpoint);
    let clock = Clock::of(&mut sandbox);
    let mut session = shell.start_with(&by_the_sandboxs_clock(shell, ""), &sandbox);
    let said = session.run("echo ran");
    assert!(said.starts_with("credsh: cannot reach ") && said.ends_with("\nran"), "the control: {said}");
    clock.set(-1200);
    endpoint.behave(Behaviour::Good);
    // Only prompts: a command would wait for the endpoint, no matter when the background last asked it.
    session.until("credentials, and not in 20 minutes", |session| {
        session.enter();
        session.prompt().starts_with("[cloudshell ")
    });
}

/// However often it makes a command wait. A different fault is told again.
fn a_fault_that_lasts_is_told_once(shell: impl Hooked) {
    let endpoint = Endpoint::start(600);
    let mut sandbox = Sandbox::in_cloudshell(&endpoint);
    let clock = Clock::of(&mut sandbox);
    endpoint.behave(answer(404, "", "it's $away"));
    let mut session = shell.start_with(&by_the_sandboxs_clock(shell, ""), &sandbox);
    let away = format!("credsh: {NAME} answered with status 404: it's $away\nran");
    assert_eq!(session.run("echo ran"), away);
    // Goes past the pause after a failure. elvish does not notice that the clock was set forward, so there it has to pass.
    let mut pauses = 0;
    let mut pass = || {
        pauses += 12;
        if shell.name() == "elvish" { thread::sleep(Duration::from_secs(12)) } else { clock.set(pauses) }
    };
    let asked = endpoint.count();
    pass();
    assert_eq!(session.run("echo ran"), "ran");
    assert!(endpoint.count() > asked, "the control");
    endpoint.behave(answer(404, "", "gone"));
    pass();
    assert_eq!(session.run("echo ran"), away.replace("it's $away", "gone"));
    endpoint.behave(Behaviour::Good);
    pass();
    assert_eq!(session.key(), "ASIATEST0001");
}

fn a_clock_set_forward(shell: Shell) {
    let endpoint = Endpoint::start(600);
    let (_sandbox, clock, mut session, first) = with_clock(shell, &endpoint);
    let asked = endpoint.count();
    clock.set(1200);
    assert_eq!(session.key(), first, "the endpoint has no others");
    assert_eq!(endpoint.count(), asked + 1);
    assert!(session.prompt().ends_with("m] $ "), "{}", session.prompt());
    assert_eq!(session.key(), first);
    assert_eq!(endpoint.count(), asked + 1);
}

fn a_program_that_is_replaced_or_back_is_used(shell: Shell) {
    let endpoint = Endpoint::start(4);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    let program = sandbox.home().join("credsh");
    // A link and not a copy: a copy cannot be run while another test's fork still holds it open for writing.
    std::os::unix::fs::symlink(support::CREDSH, &program).unwrap();
    let mut session = running(shell, &program, "").start(&sandbox);
    let first = session.key();
    // Replaced as an upgrade does it, in one step and after the shell has run the old one. The new one records its calls.
    noting(&sandbox, "credsh");
    thread::sleep(Duration::from_secs(5));
    let second = session.key();
    assert_eq!((second.as_str(), second != first), (endpoint.key().as_str(), true));
    assert!(!started(&sandbox).is_empty(), "the new one");
    std::fs::remove_file(&program).unwrap();
    thread::sleep(Duration::from_secs(5));
    let gone = session.run("echo ran");
    assert_eq!(gone.lines().count(), 2, "the control: {gone}");
    assert_eq!(session.key(), second, "the last good ones");
    noting(&sandbox, "credsh");
    session.until("recovery", |session| session.key() != second);
    assert_eq!(session.key(), endpoint.key());
}

/// The command that sets a variable for the programs the shell starts.
fn export(shell: Shell, name: &str, value: &Path) -> String {
    format!("{} {name}{}{}", shell.pick("export", "set -gx"), shell.pick("=", " "), value.display())
}

/// The remaining seconds that a prompt shows.
fn left(session: &mut Session) -> u32 {
    // Without a pause the prompts would fill the screen.
    thread::sleep(Duration::from_millis(300));
    session.enter();
    let prompt = session.prompt();
    let left = prompt.split_once(' ').and_then(|(_, rest)| rest.strip_suffix("s] $ "));
    left.and_then(|left| left.parse::<u32>().ok()).unwrap_or_else(|| panic!("no seconds in {prompt}"))
}

/// The life of the credentials in the scenarios that follow, in seconds. They are fresh for half of it.
const LIFE: u32 = 28;

/// By prompts alone: a command that waits would be handed the result, wherever it was stored.
fn renewed_at_a_prompt(session: &mut Session, sandbox: &Sandbox) {
    let before = waits(sandbox);
    session.until("the window to come near", |session| left(session) <= LIFE / 2);
    session.until("the adoption at a prompt", |session| left(session) > LIFE / 2);
    assert!(!session.raw().contains("expired"));
    assert_eq!(waits(sandbox), before, "nobody has waited");
}

/// Adds a profile `p` whose credentials live that long.
fn short_profile(sandbox: &Sandbox) {
    let process = sandbox.file(
        "process",
        &"echo '{\"Version\":1,\"AccessKeyId\":\"ASIA'$(date +%s)'\",\"SecretAccessKey\":\"s\",\"SessionToken\":\"t\",\"Expiration\":\"'$(date -u -d '+LIFE sec' +%Y-%m-%dT%H:%M:%SZ)'\"}'\n"
            .replace("LIFE", &LIFE.to_string()),
    );
    sandbox.file(".aws/config", &format!("[profile p]\ncredential_process = sh {}\n", process.display()));
}

/// The shell goes on looking in the store it began with, so renewals and typed commands must go there too.
fn a_runtime_directory_that_is_set_anew(shell: Shell) {
    let endpoint = Endpoint::start(LIFE.into());
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    short_profile(&sandbox);
    let other = sandbox.home().join("other");
    std::fs::create_dir(&other).unwrap();
    let mut session = running(shell, &noting(&sandbox, "noting"), "").start(&sandbox);
    let (first, lease) = (session.key(), session.var("CREDSH_LEASE"));
    session.run(&export(shell, "XDG_RUNTIME_DIR", &other));
    renewed_at_a_prompt(&mut session, &sandbox);
    assert_ne!(session.key(), first);
    session.run("credsh refresh --profile p");
    let (second, typed) = (session.key(), session.var("CREDSH_LEASE"));
    assert!(typed != lease && sandbox.store().join(format!("{typed}.json")).exists());
    assert!(session.run("credsh status").contains(&format!("  {typed}")));
    renewed_at_a_prompt(&mut session, &sandbox);
    assert_ne!(session.key(), second);
    session.run("credsh clear");
    assert!(!sandbox.ids().contains(&typed), "nor does `clear` look elsewhere");
    // Nor does the source-able script, which calls the program by itself.
    session.run(shell.pick("credsh script sh >script; . ./script -q", "credsh script fish >script; . ./script -q"));
    assert!(session.key().starts_with("ASIATEST"), "{}", session.text());
    assert!(!other.join("credsh").exists());
    assert_eq!(sandbox.command("sh").args(["-c", "cd other && ls -A"]).output().unwrap().stdout, b"");
}

/// A login session's runtime directory is removed with the session, while tmux stays.
fn a_runtime_directory_that_is_gone(shell: Shell) {
    let endpoint = Endpoint::start(LIFE.into());
    let mut sandbox = Sandbox::in_cloudshell(&endpoint);
    short_profile(&sandbox);
    let program = noting(&sandbox, "noting");
    let date = sandbox.file("bin/date", "#!/bin/sh\necho hook date >>\"$HOME/started\"\nexec /bin/date \"$@\"\n");
    std::fs::set_permissions(&date, std::fs::Permissions::from_mode(0o755)).unwrap();
    sandbox.set("XDG_RUNTIME_DIR", sandbox.home().join("own").to_str().unwrap());
    std::fs::create_dir(sandbox.home().join("own")).unwrap();
    let path = format!("{}:{}", sandbox.home().join("bin").display(), std::env::var("PATH").unwrap());
    let mut session = running(shell, &program, "").before(&export(shell, "PATH", Path::new(&path))).start(&sandbox);
    let first = session.key();
    std::fs::remove_dir_all(sandbox.home().join("own")).unwrap();
    let fresh = |session: &mut Session, case: &str| {
        let before = started(&sandbox);
        for _ in 0..4 {
            session.enter();
            session.run("true");
        }
        assert_eq!(started(&sandbox), before, "while fresh: {case}");
    };
    // fish, whose clock is a file that is gone too, notices and is told of the new place.
    let before = started(&sandbox).len();
    session.enter();
    let told = started(&sandbox).split_off(before);
    assert_eq!(told.len(), shell.pick(0, 2), "{told:?}");
    fresh(&mut session, "at the new place");
    let new = sandbox.home().join(".cache/credsh");
    assert_eq!(new.exists(), shell.pick(false, true));
    renewed_at_a_prompt(&mut session, &sandbox);
    assert_ne!(session.key(), first);
    assert!(new.join(format!("{}.json", session.var("CREDSH_LEASE"))).exists());
    fresh(&mut session, "after the renewal");
    // Back again, the directory is for other shells.
    std::fs::create_dir(sandbox.home().join("own")).unwrap();
    session.run("credsh refresh --profile p");
    let (second, typed) = (session.key(), session.var("CREDSH_LEASE"));
    assert!(new.join(format!("{typed}.json")).exists());
    renewed_at_a_prompt(&mut session, &sandbox);
    assert_ne!(session.key(), second);
    // A typed command is the first to notice that the new place is gone too.
    std::fs::remove_dir_all(sandbox.home().join(".cache")).unwrap();
    let said = session.run("credsh refresh --profile p");
    assert!(said.starts_with("credsh: renewed: profile:p "), "{said}");
    assert!(sandbox.home().join(format!("own/credsh/{typed}.json")).exists());
    assert!(session.run("credsh status").contains("* profile:p  "), "and so it follows");
    assert_eq!(session.raw().matches("credsh: ").count(), 2, "{}", session.text());
}
