//! Long-term keys: temporary credentials are made from them, with an MFA code where one is required, and codes are asked
//! for as rarely as possible.

mod support;

use std::io::Write;
use std::process::Stdio;

use support::endpoint::Endpoint;
use support::pty::{Session, Shell};
use support::sts::Sts;
use support::{CREDSH, Run, Sandbox};

const DEVICE: &str = "arn:aws:iam::123456789012:mfa/me";
const QUESTION: &str = "MFA code for arn:aws:iam::123456789012:mfa/me: ";
const ROLE: &str = "arn:aws:iam::123456789012:role/deploy";
const CONFIG: &str = "[profile base]\naws_access_key_id = AKIABASE\naws_secret_access_key = long-term-secret\n[profile user]\naws_access_key_id = AKIAUSER\naws_secret_access_key = long-term-secret\nmfa_serial = arn:aws:iam::123456789012:mfa/me\n[profile mfa]\nrole_arn = arn:aws:iam::123456789012:role/deploy\nsource_profile = base\nmfa_serial = arn:aws:iam::123456789012:mfa/me\n";

fn sandbox(sts: &Sts) -> Sandbox {
    let sandbox = Sandbox::new().with("AWS_ENDPOINT_URL_STS", &sts.url());
    sandbox.file(".aws/config", CONFIG);
    sandbox
}

/// Runs credsh on a terminal of its own, where a person types `code` when asked. Returns what the terminal showed, and
/// stdout and stderr, which go elsewhere.
fn typed(sandbox: &Sandbox, code: &str, args: &str) -> (String, Run) {
    let (out, err) = (sandbox.home().join("out"), sandbox.home().join("err"));
    let line = format!("{CREDSH} {args} </dev/null >{} 2>{}", out.display(), err.display());
    let mut script = sandbox.command("script");
    script.args(["-qec", &line, "/dev/null"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut script = script.spawn().unwrap();
    // credsh may be gone before the code is typed, if it does not ask.
    let _ = script.stdin.take().unwrap().write_all(format!("{code}\n").as_bytes());
    let run = Run::of(script.wait_with_output().unwrap());
    let read = |path| std::fs::read_to_string(path).unwrap();
    (run.stdout, Run { status: run.status, stdout: read(&out), stderr: read(&err) })
}

/// Runs credsh without a terminal that it could ask on.
fn alone(sandbox: &Sandbox, args: &[&str]) -> Run {
    Run::of(sandbox.command("setsid").args(["--wait", CREDSH]).args(args).output().unwrap())
}

/// Action, device, code, duration and signer of every call.
fn calls(sts: &Sts) -> Vec<String> {
    let show = |call: &support::sts::Call| {
        ["Action", "SerialNumber", "TokenCode", "DurationSeconds"].map(|name| call.get(name)).join(" ")
            + " by "
            + call.signer()
    };
    sts.calls().iter().map(show).collect()
}

#[test]
fn a_session_with_mfa_is_asked_for_once() {
    for (flags, signer) in
        [("--profile user", "AKIAUSER"), (&*format!("--profile base --mfa-serial {DEVICE}"), "AKIABASE")]
    {
        let sts = Sts::start();
        let sandbox = sandbox(&sts);
        let (screen, run) = typed(&sandbox, "123456", &format!("export {flags}"));
        assert_eq!(screen.matches(QUESTION).count(), 1, "{screen:?}");
        assert_eq!(run.stderr, "");
        let out = run.ok();
        assert!(out.contains("'ASIASTS0001'") && out.contains("SESSION_TOKEN='sts-token-1'"), "{out}");
        let words: Vec<&str> = ["export"].into_iter().chain(flags.split(' ')).collect();
        assert_eq!(alone(&sandbox, &words).ok(), out, "from the store");
        assert_eq!(calls(&sts), [format!("GetSessionToken {DEVICE} 123456 43200 by {signer}")]);
        let files =
            sandbox.stored().into_iter().map(|name| std::fs::read_to_string(sandbox.store().join(name)).unwrap());
        let files: String = files.collect();
        assert!(files.contains("sts-secret-1"), "the control");
        assert!(!files.contains("long-term-secret") && !files.contains("123456\""), "{files}");
    }
}

/// Afterwards the terminal is as it was, whether the question was answered or ended by Ctrl-C.
#[test]
fn the_code_is_not_shown() {
    let sts = Sts::start();
    let sandbox = sandbox(&sts);
    let mut session = Shell::Bash.rc().unhooked().start(&sandbox);
    let before = session.run("stty -a");
    for (keys, code) in
        [("80818\x7f\x7f182\r", "808182"), ("999\x15654321\r", "654321"), ("9\x17\x1a31\x0131\x0631\r", "313131")]
    {
        session.type_line("credsh export --no-store --profile user >out; echo $?");
        session.wait_for("the question", |session| session.prompt() == QUESTION);
        let row = session.row();
        session.send(keys.as_bytes());
        session.wait_for("the prompt", |session| session.row() > row && session.at_prompt());
        let shown = session.rows().split_off(row);
        assert_eq!(shown[..2].iter().map(|row| row.trim_end()).collect::<Vec<_>>(), [QUESTION.trim_end(), "0"]);
        assert_eq!(sts.calls().last().unwrap().get("TokenCode"), code);
        assert!(!session.raw().contains(&code[..3]), "{}", session.raw());
        assert_eq!(session.run("stty -a"), before);
        assert_eq!(session.run("echo typed"), "typed", "the control: what is typed now is shown");
    }
    // Also in `$( )`, where no shell restores the terminal.
    for line in ["credsh export --no-store --profile user", "echo \"$(credsh export --no-store --profile user)\""] {
        let calls = sts.calls().len();
        session.type_line(line);
        session.wait_for("the question", |session| session.prompt() == QUESTION);
        let row = session.row();
        session.send(b"12\x03");
        session.wait_for("the prompt", |session| session.row() > row && session.at_prompt());
        assert!(!session.text().contains(&format!("{QUESTION}12")), "{}", session.text());
        assert_eq!(session.run("echo $?"), "130");
        assert_eq!(session.run("stty -a"), before);
        assert_eq!(sts.calls().len(), calls, "nobody was asked");
    }
}

/// In `$( )`, where no shell restores it.
#[test]
fn a_signal_at_the_question_leaves_the_terminal_as_it_was() {
    let sts = Sts::start();
    let sandbox = sandbox(&sts);
    let mut session = Shell::Bash.rc().unhooked().start(&sandbox);
    let before = session.run("stty -a");
    let ask = "sh -c 'echo $$ >pid; exec credsh export --no-store --profile user'";
    let at_the_question = |session: &mut Session, line: &str, signal: &str| {
        session.type_line(line);
        session.wait_for("the question", |session| session.prompt() == QUESTION);
        let pid = std::fs::read_to_string(sandbox.home().join("pid")).unwrap();
        support::process::signal(pid.trim().parse().unwrap(), signal);
    };
    for (signal, status) in [("TERM", "143"), ("HUP", "129"), ("INT", "130"), ("QUIT", "131")] {
        at_the_question(&mut session, &format!("x=$({ask})"), signal);
        session.wait_for("the prompt", Session::at_prompt);
        assert_eq!(session.run("echo $?"), status, "{signal}");
        assert_eq!(session.run("stty -a"), before, "{signal}");
    }
    // An ignored signal stays ignored, and what is typed after it is not shown either.
    at_the_question(&mut session, &format!("x=$(trap '' HUP; {ask})"), "HUP");
    std::thread::sleep(std::time::Duration::from_millis(300));
    session.send(b"808182\r");
    session.wait_for("the prompt", Session::at_prompt);
    assert_eq!(sts.calls().last().unwrap().get("TokenCode"), "808182");
    assert!(!session.raw().contains("8081"), "{}", session.raw());
    assert_eq!(session.run("stty -a"), before);
    at_the_question(&mut session, &format!("x=$({ask})"), "KILL");
    session.wait_for("the prompt", Session::at_prompt);
    session.type_line("stty -a");
    session.wait_for("the control, and what cannot be helped", |session| session.text().contains(" -echo "));
}

/// The message must not be that nothing answers: a person has to, in another terminal.
#[test]
fn who_waits_for_what_a_person_is_asked_is_told_so() {
    let sts = Sts::start();
    let sandbox = sandbox(&sts).with("CREDSH_WAIT", "1");
    let process = sandbox.file("process", "printf 'key? ' >/dev/tty\nread key </dev/tty\n");
    let process = format!("[profile process]\ncredential_process = sh {}\n", process.display());
    sandbox.file(".aws/config", &format!("{CONFIG}{process}"));
    let mut session = Shell::Bash.rc().unhooked().start(&sandbox);
    for (profile, question) in [("user", QUESTION), ("mfa", QUESTION), ("process", "key? ")] {
        session.type_line(&format!("credsh refresh --profile {profile}"));
        session.wait_for("the question", |session| session.prompt() == question);
        let wait = ["hook", "--shell", "bash", "--wait", "--profile", profile];
        let lock = sandbox.stored().into_iter().find_map(|name| Some(format!("{}.lock", name.strip_suffix(".lock")?)));
        let lock = sandbox.store().join(lock.unwrap());
        let held: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(&lock).unwrap()).unwrap();
        let process = format!("process {}", held["holder"]);
        let told = |process: &str, it: &str| {
            format!(
                "credsh: another credsh{process} is renewing this lease, and did not finish within 1 s; it may be asking you something in another terminal; answer it there, or end {it}\n"
            )
        };
        assert_eq!(sandbox.credsh(&wait).stderr, told(&format!(" ({process})"), &process));
        // In a container that shares the store, that process id would be some other process's.
        let mut elsewhere = sandbox.command("unshare");
        if rustix::process::geteuid().is_root() {
            elsewhere.args(["--fork", "--pid", "--mount-proc", CREDSH]).args(wait);
            assert_eq!(Run::of(elsewhere.output().unwrap()).stderr, told("", "it"));
        }
        session.send(b"\x03");
        session.wait_for("the prompt", Session::at_prompt);
        // The control: the next holder does not ask anyone, although the one before ended without a word.
        assert!(std::fs::read_to_string(&lock).unwrap().contains(r#""asks":true"#));
        sandbox.credsh(&wait);
        assert!(std::fs::read_to_string(&lock).unwrap().contains(r#""asks":false"#));
        sandbox.credsh(&["clear", "--all"]).ok();
    }
}

#[test]
fn a_duration_is_passed_on() {
    let sts = Sts::start();
    let sandbox = sandbox(&sts);
    typed(&sandbox, "123456", "export --profile user --duration 1h").1.ok();
    alone(&sandbox, &["export", "--profile", "base"]).ok();
    alone(&sandbox, &["export", "--profile", "base", "--duration", "15m"]).ok();
    let wanted = [
        format!("GetSessionToken {DEVICE} 123456 3600 by AKIAUSER"),
        "GetSessionToken   3600 by AKIABASE".into(),
        "GetSessionToken   900 by AKIABASE".into(),
    ];
    assert_eq!(calls(&sts), wanted);
}

#[test]
fn roles_on_top_renew_without_a_code() {
    let sts = Sts::start();
    let sandbox = sandbox(&sts);
    let (screen, run) = typed(&sandbox, "123456", "export --profile mfa");
    assert!(screen.contains(QUESTION) && run.ok().contains("'ASIASTS0002'"));
    alone(&sandbox, &["refresh", "--force", "--profile", "mfa"]).ok();
    // Another role on the same keys and the same device uses the same session.
    let other = ["--profile", "base", "--mfa-serial", DEVICE, "--role", "arn:aws:iam::123456789012:role/other"];
    assert!(alone(&sandbox, &[&["export"], &other[..]].concat()).ok().contains("'ASIASTS0004'"));
    let session = format!("GetSessionToken {DEVICE} 123456 43200 by AKIABASE");
    let role = "AssumeRole    by ASIASTS0001".to_owned();
    assert_eq!(calls(&sts), [session, role.clone(), role.clone(), role]);
    // The control: without the session it would have to ask.
    sandbox.credsh(&["clear", "--all"]).ok();
    alone(&sandbox, &["export", "--profile", "mfa"]).fails(1, &["cannot ask for the MFA code on /dev/tty"]);
    assert_eq!(sts.calls().len(), 4);
}

/// Leases are renewed before they end, but giving a code takes a person: the session is used until it is over.
#[test]
fn a_session_is_used_until_it_ends() {
    let sts = Sts::start();
    let sandbox = sandbox(&sts);
    typed(&sandbox, "123456", "export --profile mfa").1.ok();
    let change = |field: &str, value: i64| {
        for name in sandbox.stored().iter().filter(|name| name.contains(".json")) {
            let path = sandbox.store().join(name);
            let mut lease: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
            if lease["request"]["source"]["session"].is_object() {
                lease[field] = value.into();
                std::fs::write(path, lease.to_string()).unwrap();
            }
        }
    };
    change("due", 1);
    let (screen, run) = typed(&sandbox, "654321", "refresh --force --profile mfa");
    assert_eq!((screen.matches("MFA").count(), run.status), (0, 0), "{screen:?} {run:?}");
    change("expires", 1);
    let (screen, run) = typed(&sandbox, "654321", "refresh --force --profile mfa");
    assert_eq!((screen.matches(QUESTION).count(), run.status), (1, 0), "the control: {screen:?} {run:?}");
    assert_eq!(sts.of("GetSessionToken").len(), 2);
}

#[test]
fn without_a_store_every_run_asks() {
    let sts = Sts::start();
    let sandbox = sandbox(&sts);
    for code in ["123456", "654321"] {
        let (screen, run) = typed(&sandbox, code, "export --no-store --profile mfa");
        assert_eq!(screen.matches(QUESTION).count(), 1);
        run.ok();
    }
    assert_eq!(
        sts.of("GetSessionToken").iter().map(|call| call.get("TokenCode")).collect::<Vec<_>>(),
        ["123456", "654321"]
    );
    assert_eq!(sandbox.stored().iter().filter(|name| name.ends_with("json")).count(), 0);
}

/// A role assumed with a session is chained, and lives an hour at most. For more than that, the code
/// goes to the role itself.
#[test]
fn more_than_an_hour_goes_direct() {
    let sts = Sts::start();
    let sandbox = sandbox(&sts);
    let (screen, run) = typed(&sandbox, "123456", "export --profile mfa --duration 2h");
    assert_eq!((screen.matches(QUESTION).count(), run.stderr.as_str()), (1, ""));
    run.ok();
    typed(&sandbox, "654321", "export --profile mfa --duration 1h").1.ok();
    let wanted = [
        format!("AssumeRole {DEVICE} 123456 7200 by AKIABASE"),
        format!("GetSessionToken {DEVICE} 654321 43200 by AKIABASE"),
        "AssumeRole   3600 by ASIASTS0002".into(),
    ];
    assert_eq!(calls(&sts), wanted);
}

#[test]
fn a_wrong_code_is_told_and_asked_for_again() {
    let sts = Sts::start();
    let sandbox = sandbox(&sts);
    sts.refuse(403, "AccessDenied", "MultiFactorAuthentication failed with invalid MFA one time pass code.");
    let (_, run) = typed(&sandbox, "000000", "export --profile mfa");
    run.fails(
        4,
        &["sts:GetSessionToken failed with AccessDenied", "hint: an MFA code works only once: wait for the next one\n"],
    );
    sts.yes();
    let (screen, run) = typed(&sandbox, "123456", "export --profile mfa");
    assert!(screen.contains(QUESTION));
    run.ok();
    assert_eq!(sts.calls().last().unwrap().get("Action"), "AssumeRole");
}

#[test]
fn the_hook_never_asks() {
    let sts = Sts::start();
    let sandbox = sandbox(&sts);
    for args in ["hook --shell bash --wait --profile mfa", "hook --shell zsh --wait --profile user"] {
        let (screen, run) = typed(&sandbox, "123456", args);
        assert!(!screen.contains("MFA"), "{args}: {screen:?}");
        assert!(!run.stdout.contains("ASIA"), "{run:?}");
        assert!((run.stdout + &run.stderr).contains("needs an MFA code to be renewed"), "{args}");
    }
    assert_eq!(sts.calls().len(), 0);
    // The control: with a session no code is needed.
    typed(&sandbox, "123456", "refresh --profile mfa").1.ok();
    let (_, run) = typed(&sandbox, "", "hook --shell bash --wait --profile mfa");
    assert!(run.ok().contains("'ASIASTS0002'"));
}

/// Whichever of the two locks is held by another. For the session's there is only what is left of the wait.
#[test]
fn the_wait_for_another_is_told_in_whole_seconds() {
    let sts = Sts::start();
    let sandbox = sandbox(&sts).with("CREDSH_WAIT", "1");
    let hook = || sandbox.credsh(&["hook", "--shell=bash", "--wait", "--profile", "mfa"]).stderr;
    assert!(hook().contains("needs an MFA code"), "the control");
    let locks: Vec<String> = sandbox.stored().into_iter().filter(|name| name != "clock").collect();
    assert_eq!(locks.len(), 2, "{locks:?}");
    for name in locks {
        let lock = std::fs::File::open(sandbox.store().join(name)).unwrap();
        lock.lock().unwrap();
        assert!(hook().contains(" is renewing this lease, and did not finish within 1 s"));
    }
}

/// That these are long-term keys may not show before they arrive.
#[test]
fn keys_of_a_process_are_not_handed_out_either() {
    let sts = Sts::start();
    let sandbox = sandbox(&sts);
    let json = r#"{"Version":1,"AccessKeyId":"AKIAPROCESS","SecretAccessKey":"long-term-secret"}"#;
    let file = sandbox.file("keys.json", json);
    sandbox.file(".aws/config", &format!("[profile proc]\ncredential_process = cat {}\n", file.display()));
    let out = sandbox.credsh(&["export", "--profile", "proc"]).ok();
    assert!(out.contains("'ASIASTS0001'") && !out.contains("AKIA") && !out.contains("long-term"), "{out}");
    assert_eq!(calls(&sts), ["GetSessionToken   3600 by AKIAPROCESS"]);
    // Temporary credentials are handed out as they are.
    let temporary = json.replace("AKIA", "ASIA").replace('}', r#","SessionToken":"t"}"#);
    std::fs::write(file, temporary).unwrap();
    assert!(sandbox.credsh(&["export", "--no-store", "--profile", "proc"]).ok().contains("'ASIAPROCESS'"));
    assert_eq!(sts.calls().len(), 1);
}

/// Each code goes with the call it was asked for, and no role of the chain is skipped.
#[test]
fn two_codes_in_one_chain() {
    let sts = Sts::start();
    let sandbox = sandbox(&sts);
    let over = |name: &str, source: &str| {
        format!(
            "[profile {name}]\nrole_arn = arn:aws:iam::123456789012:role/{name}\nsource_profile = {source}\nmfa_serial = {DEVICE}\n"
        )
    };
    sandbox.file(".aws/config", &(CONFIG.to_owned() + &over("middle", "base") + &over("outer", "middle")));
    let (screen, run) = typed(&sandbox, "111111\n222222", "export --profile outer");
    assert_eq!(screen.matches(QUESTION).count(), 2, "{screen:?}");
    assert!(run.ok().contains("'ASIASTS0003'"));
    let wanted = [
        format!("GetSessionToken {DEVICE} 111111 43200 by AKIABASE"),
        "AssumeRole    by ASIASTS0001".into(),
        format!("AssumeRole {DEVICE} 222222  by ASIASTS0002"),
    ];
    assert_eq!(calls(&sts), wanted);
    let roles: Vec<String> = sts.of("AssumeRole").iter().map(|call| call.get("RoleArn").to_owned()).collect();
    assert!(roles[0].ends_with("/middle") && roles[1].ends_with("/outer"), "{roles:?}");
}

/// AWS makes no session of temporary credentials.
#[test]
fn a_code_over_temporary_credentials_goes_with_the_role() {
    let (endpoint, sts) = (Endpoint::start(600), Sts::start());
    let sandbox = Sandbox::in_cloudshell(&endpoint).with("AWS_ENDPOINT_URL_STS", &sts.url());
    let (screen, run) = typed(&sandbox, "123456", &format!("export --role {ROLE} --mfa-serial {DEVICE}"));
    assert_eq!((screen.matches(QUESTION).count(), run.status), (1, 0), "{run:?}");
    assert_eq!(calls(&sts), [format!("AssumeRole {DEVICE} 123456  by ASIATEST0001")]);
}

#[test]
fn a_profiles_device_is_wanted_with_a_role_too() {
    let sts = Sts::start();
    let sandbox = sandbox(&sts);
    let (screen, run) = typed(&sandbox, "123456", &format!("export --profile user --role {ROLE}"));
    assert_eq!((screen.matches(QUESTION).count(), run.status), (1, 0), "{run:?}");
    let session = format!("GetSessionToken {DEVICE} 123456 43200 by AKIAUSER");
    assert_eq!(calls(&sts), [session, "AssumeRole    by ASIASTS0001".into()]);
}

/// Otherwise it would be used again and again, for up to twelve hours.
#[test]
fn a_session_that_aws_does_not_know_any_more_is_forgotten() {
    let sts = Sts::start();
    let sandbox = sandbox(&sts);
    typed(&sandbox, "123456", "export --profile mfa").1.ok();
    let refresh = ["refresh", "--force", "--profile", "mfa"];
    sts.refuse(403, "AccessDenied", "no");
    alone(&sandbox, &refresh).fails(4, &["AccessDenied"]);
    sts.refuse(403, "InvalidClientTokenId", "The security token included in the request is invalid.");
    // The first failure is the control: that the role was refused says nothing of the session.
    alone(&sandbox, &refresh).fails(4, &["forgot the session that took an MFA code (profile:base), as AWS no longer accepts it; a new code will be asked for", "InvalidClientTokenId"]);
    sts.yes();
    alone(&sandbox, &refresh).fails(1, &["cannot ask for the MFA code on /dev/tty"]);
    let (screen, run) = typed(&sandbox, "654321", "refresh --force --profile mfa");
    assert_eq!((screen.matches(QUESTION).count(), run.status), (1, 0), "{screen:?} {run:?}");
}

#[test]
fn clear_names_what_it_keeps() {
    let sts = Sts::start();
    let sandbox = sandbox(&sts);
    typed(&sandbox, "123456", "export --profile mfa").1.ok();
    let run = sandbox.credsh(&["clear", "--profile", "mfa"]);
    let wanted = "credsh: kept the session that took an MFA code (profile:base), as other leases may depend on it\nhint: `credsh clear --all` forgets that too\ncredsh: cleared 1 lease\n";
    assert_eq!((run.status, run.stderr.as_str()), (0, wanted));
    assert_eq!(sandbox.credsh(&["clear", "--all"]).stderr, "credsh: cleared 1 lease\n");
}

/// A session is valid in every region, and a code only once.
#[test]
fn one_code_for_all_regions() {
    let sts = Sts::start();
    let mut sandbox = sandbox(&sts);
    typed(&sandbox, "123456", "export --profile mfa --region us-east-1").1.ok();
    alone(&sandbox, &["export", "--profile", "mfa", "--region", "eu-west-1"]).ok();
    sandbox.set("AWS_REGION", "ap-northeast-1");
    alone(&sandbox, &["export", "--profile", "mfa"]).ok();
    assert_eq!((sts.of("GetSessionToken").len(), sts.of("AssumeRole").len()), (1, 3));
    let regions: Vec<String> = sts.of("AssumeRole").iter().map(|call| call.region().to_owned()).collect();
    assert_eq!(regions, ["us-east-1", "eu-west-1", "ap-northeast-1"]);
}

/// The keys are in a key store, behind a credential_process; that they are long-term shows only when they arrive.
#[test]
fn one_code_for_a_role_over_a_process() {
    let sts = Sts::start();
    let sandbox = sandbox(&sts);
    let json = r#"{"Version":1,"AccessKeyId":"AKIAPROCESS","SecretAccessKey":"long-term-secret"}"#;
    let file = sandbox.file("keys.json", json);
    let role = format!("[profile role]\nrole_arn = {ROLE}\nsource_profile = proc\nmfa_serial = {DEVICE}\n");
    sandbox.file(".aws/config", &format!("[profile proc]\ncredential_process = cat {}\n{role}", file.display()));
    typed(&sandbox, "123456", "export --profile role").1.ok();
    alone(&sandbox, &["refresh", "--force", "--profile", "role"]).ok();
    let session = format!("GetSessionToken {DEVICE} 123456 43200 by AKIAPROCESS");
    let assumed = "AssumeRole    by ASIASTS0001".to_owned();
    assert_eq!(calls(&sts), [session, assumed.clone(), assumed]);
    // There is no session of temporary credentials, and the code must not be dropped silently.
    sandbox.credsh(&["clear", "--all"]).ok();
    std::fs::write(file, json.replace("AKIA", "ASIA").replace('}', r#","SessionToken":"t"}"#)).unwrap();
    let (_, run) = typed(&sandbox, "123456", "export --profile role");
    run.fails(
        1,
        &[
            "profile:proc gives temporary credentials, for which AWS issues no MFA session",
            "hint: remove mfa_serial: whatever issues the temporary credentials has to ask for the code",
        ],
    );
    assert_eq!(sts.calls().len(), 3);
}
