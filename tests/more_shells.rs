//! The hook in real nu, elvish and xonsh: what only these need to be asked, or in words of their own. What all six shells
//! are asked is in `hooks.rs` and `fault_shells.rs`. PowerShell cannot be run here; what can be checked of its script
//! without it is at the end.

mod support;

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::thread;
use std::time::{Duration, Instant};

use support::endpoint::{Behaviour, Endpoint, Rotation};
use support::others::Other;
use support::pty::{Hooked, Session};
use support::{CREDSH, Run, Sandbox};

in_every_other_shell! {
    while_one_renewal_is_under_way_no_other_is_started
    a_program_that_is_gone_is_one_line
    refresh_switches_and_a_failure_changes_nothing
    everything_else_is_the_programs
    nothing_a_value_or_a_word_holds_is_lost_or_run
    a_refusal_is_told_once_and_passes
    a_runtime_directory_that_is_set_anew_or_gone
    what_somebody_else_could_have_put_there_is_not_taken
    standard_names
    where_nobody_types_it_does_nothing
    left_right_or_off
    a_clock_is_not_behind
    a_right_prompt_of_theirs_stays_beside_it
    variable_and_command_say_the_same_of_every_life
    never_another_time_zones_hour
    sourced_twice_is_installed_once
    doctor_sees_the_checks
    off_takes_it_out
}

// Not elvish, which has exceptions instead of a status.
tests_of!(the_last_status_is_the_users: nu crate::support::others::Other::Nu, xonsh crate::support::others::Other::Xonsh);

/// Adds a profile `p` whose `credential_process` prints this JSON.
fn profile(sandbox: &Sandbox, json: &str) {
    let file = sandbox.file("process.json", json);
    sandbox.file(".aws/config", &format!("[profile p]\ncredential_process = cat {}\n", file.display()));
}

const PROFILE: &str = r#"{"Version":1,"AccessKeyId":"ASIAPROFILE","SecretAccessKey":"s","SessionToken":"t","Expiration":"2099-01-01T00:00:00Z"}"#;

/// Idles until credentials with a life of 4 s have ended, then runs one command, and returns what it prints.
fn idle_past_expiry(session: &mut Session, command: &str) -> String {
    thread::sleep(Duration::from_secs(5));
    session.run(command)
}

/// The start-up line, with a program that records its arguments before it becomes credsh.
fn noting(shell: Other, sandbox: &Sandbox) -> String {
    let text = format!("#!/bin/bash\necho \"$@\" >>~/calls\nexec -a \"$0\" {CREDSH} \"$@\"\n");
    let program = sandbox.file("bin/credsh", &text);
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    shell.init("").replace("credsh init", "~/bin/credsh init")
}

/// How often it was run with `with` among its arguments.
fn noted(sandbox: &Sandbox, with: &str) -> usize {
    let calls = fs::read_to_string(sandbox.home().join("calls")).unwrap();
    calls.lines().filter(|call| call.contains(with)).count()
}

fn while_one_renewal_is_under_way_no_other_is_started(shell: Other) {
    let endpoint = Endpoint::start(24);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    let mut session = shell.start_with(&noting(shell, &sandbox), &sandbox);
    assert_eq!(session.key(), "ASIATEST0001");
    endpoint.behave(Behaviour::Hang(Duration::from_secs(60)));
    let renewals = || noted(&sandbox, "hook --shell") - noted(&sandbox, "--wait");
    let (before, waited) = (renewals(), noted(&sandbox, "--wait"));
    session.until("the window", |session| {
        session.enter();
        renewals() > before
    });
    for _ in 0..20 {
        session.enter();
        assert_eq!(session.run("echo ran"), "ran");
    }
    assert_eq!(noted(&sandbox, "--wait"), waited, "and no command waited for it");
    // Another may be started five seconds after the first.
    let started = renewals() - before;
    assert!(started < 10, "{started} for 20 prompts and as many commands");
}

fn a_program_that_is_gone_is_one_line(shell: Other) {
    let endpoint = Endpoint::start(4);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    let copy = sandbox.home().join("bin/credsh");
    fs::create_dir(sandbox.home().join("bin")).unwrap();
    symlink(CREDSH, &copy).unwrap();
    let mut session = shell.start_with(&shell.init("").replace("credsh init", "~/bin/credsh init"), &sandbox);
    let first = session.key();
    assert_eq!(first, "ASIATEST0001");
    fs::remove_file(&copy).unwrap();
    let seen = idle_past_expiry(&mut session, "echo ran");
    assert_eq!(seen, format!("credsh: cannot run {}\nran", copy.display()));
    assert_eq!(session.key(), first);
    // elvish reports this as it reports any exception in a function.
    for command in ["credsh status", "credsh refresh", "credsh clear"] {
        let seen = session.run(command);
        if shell != Other::Elvish {
            assert_eq!(seen, format!("credsh: cannot run {}", copy.display()), "{command}");
        }
    }
}

fn refresh_switches_and_a_failure_changes_nothing(shell: Other) {
    let endpoint = Endpoint::start(600);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    profile(&sandbox, PROFILE);
    let mut session = shell.start(&sandbox);
    assert_eq!(session.key(), "ASIATEST0001");
    let said = session.run("credsh refresh --profile p");
    assert!(said.starts_with("credsh: renewed: profile:p "), "{said}");
    session.wait_for_prompt("[profile:p ...");
    assert_eq!((session.key(), session.var("CREDSH_SOURCE")), ("ASIAPROFILE".into(), "profile:p".into()));
    // Everything else is passed to the program as it is: its output, its status and all.
    assert!(session.run("credsh status").contains("* profile:p "), "{}", session.text());
    assert!(session.run("credsh refresh --help").contains("Usage: credsh refresh"), "{}", session.text());
    let said = session.run("credsh refresh --profile none");
    assert!(said.contains("profile none") && said.contains("hint: "), "{said}");
    assert_eq!(session.key(), "ASIAPROFILE", "a refresh that failed changes nothing");
    assert_eq!(endpoint.count(), 1);
}

fn everything_else_is_the_programs(shell: Other) {
    let endpoint = Endpoint::start(600);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    let mut session = shell.start(&sandbox);
    session.key();
    for (command, seen) in [
        ("credsh exec -- sh -c 'test -t 0 && test -t 1 && test -t 2 && echo terminal'", "terminal"),
        ("credsh exec -- printenv AWS_ACCESS_KEY_ID", "ASIATEST0001"),
        ("credsh export --format json | grep -c ASIATEST0001", "1"),
        ("echo piped | credsh exec -- cat", "piped"),
        ("credsh exec -- sh -c 'echo \"$1\"' -- '-f  \"x\"'", "-f  \"x\""),
        ("credsh refresh --help | grep -c Usage", "1"),
        ("credsh prompt --nonsense", "credsh: unexpected argument '--nonsense' found"),
    ] {
        let out = session.run(command);
        assert_eq!(out.lines().next(), Some(seen), "{command}: {out}");
    }
    // To the byte, and without reading more than is wanted: what is piped may have no end.
    sandbox.file("bytes", "printf 'a\\n\\n'\n");
    let printed = if shell == Other::Nu { "^sh bytes" } else { "sh bytes" };
    let out = session.run(&format!("{printed} | credsh exec -- od -An -c"));
    assert_eq!(out.split_whitespace().collect::<Vec<_>>(), ["a", "\\n", "\\n"], "{out}");
    let endless = if shell == Other::Nu { "^yes" } else { "yes" };
    let out = session.run(&format!("{endless} | credsh exec -- head -n 1"));
    assert_eq!(out.lines().next(), Some("y"), "{out}");
    // Ctrl-C goes to the command.
    let row = session.row();
    session.type_line("credsh exec -- sh -c 'trap \"echo caught; exit\" INT; echo start; while :; do sleep 0.1; done'");
    session.wait_for("the start", |session| session.rows()[row + 1].trim_end() == "start");
    session.send(b"\x03");
    session.wait_for("the prompt", |session| session.row() > row && session.at_prompt());
    assert!(session.rows()[row + 1..].iter().any(|row| row.contains("caught")), "{}", session.text());
}

/// Text that has a meaning to these shells, to JSON, or in prompts.
const HOSTILE: &str = r#"-x'"\"\\$(touch ran)`touch ran`${HOME}{RED}%n*~#;|& ü’日本 \u0027 --"#;

fn nothing_a_value_or_a_word_holds_is_lost_or_run(shell: Other) {
    let endpoint = Endpoint::start(600);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    let json = serde_json::json!({
        "Version": 1, "AccessKeyId": "ASIAHOSTILE", "SecretAccessKey": format!(" {HOSTILE} "), "SessionToken": format!("--force{HOSTILE}"),
        "Expiration": "2099-01-01T00:00:00Z",
    });
    profile(&sandbox, &json.to_string());
    sandbox.file("dump", "printenv TEMPORARY_AWS_SECRET_ACCESS_KEY TEMPORARY_AWS_SESSION_TOKEN >~/seen\n");
    let seen = |session: &mut Session| {
        session.run("sh ~/dump");
        fs::read_to_string(sandbox.home().join("seen")).unwrap()
    };
    let mut session = shell.start(&sandbox);
    // From what the program prints, and from the lease's file.
    session.run("credsh refresh --profile p");
    assert_eq!(seen(&mut session), format!(" {HOSTILE} \n--force{HOSTILE}\n"));
    session.line(&shell.program());
    fs::remove_file(sandbox.home().join("seen")).unwrap();
    assert_eq!(seen(&mut session), format!(" {HOSTILE} \n--force{HOSTILE}\n"));
    assert!(!session.raw().contains("touch ran"), "nor is it shown");

    // The words that `init` was given, too.
    let words = ["init", shell.name(), "--no-auto", &format!("--profile={HOSTILE}")];
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    let script = sandbox.credsh(&words).ok();
    let mut session = shell.start_with(&script, &sandbox);
    session.line("echo one");
    session.run("credsh refresh --no-store --source container");
    assert_eq!(session.key(), endpoint.key(), "{}", session.text());
    assert!(!sandbox.home().join("ran").exists());
}

/// The program tells the command that waits; the shell, which finds the message in the lease, must not repeat it.
fn a_refusal_is_told_once_and_passes(shell: Other) {
    let endpoint = Endpoint::start(4);
    let sandbox = Sandbox::in_cloudshell(&endpoint).with("CREDSH_WAIT", "20");
    let mut session = shell.start(&sandbox);
    let first = session.key();
    endpoint.behave(Behaviour::Answer { status: 403, headers: String::new(), body: "refused".into() });
    let seen = idle_past_expiry(&mut session, "echo ran");
    assert!(seen.starts_with("credsh: ") && seen.ends_with("\nran") && seen.lines().count() == 2, "{seen}");
    endpoint.behave(Behaviour::Good);
    session.until("recovery", |session| {
        session.enter();
        session.prompt().starts_with("[cloudshell ") && !session.prompt().contains("expired")
    });
    assert_ne!(session.key(), first);
    let told = session.raw().matches("status 403: refused").count();
    assert_eq!(told, 1, "{}", session.text());
}

/// The remaining seconds that the indicator shows.
fn left(session: &mut Session) -> u32 {
    session.wait_for_prompt("[cloudshell ...");
    let prompt = session.prompt();
    let left = prompt.strip_prefix("[cloudshell ").and_then(|rest| rest.strip_suffix("s] $ "));
    left.and_then(|left| left.parse().ok()).unwrap_or_else(|| panic!("no seconds in {prompt}"))
}

fn a_runtime_directory_that_is_set_anew_or_gone(shell: Other) {
    let endpoint = Endpoint::start(24);
    let mut sandbox = Sandbox::in_cloudshell(&endpoint);
    profile(&sandbox, PROFILE);
    let (mine, other) = (sandbox.home().join("own"), sandbox.home().join("other"));
    fs::create_dir(&mine).unwrap();
    fs::create_dir(&other).unwrap();
    sandbox.set("XDG_RUNTIME_DIR", mine.to_str().unwrap());
    let mut session = shell.start_with(&noting(shell, &sandbox), &sandbox);
    let first = session.key();
    let waited = noted(&sandbox, "--wait");
    let other = other.display();
    session.run(&shell.pick(
        format!("$env.XDG_RUNTIME_DIR = '{other}'"),
        format!("set E:XDG_RUNTIME_DIR = {other}"),
        format!("$XDG_RUNTIME_DIR = '{other}'"),
    ));
    // Typed commands go where the shell looks.
    session.run("credsh refresh --profile p");
    let lease = session.var("CREDSH_LEASE");
    assert!(mine.join(format!("credsh/{lease}.json")).exists());
    session.run("credsh refresh --source container");
    fs::remove_dir_all(&mine).unwrap();
    // By prompts alone: a command that waits would be handed the result, wherever it was stored.
    let renewed = |session: &mut Session| {
        for (near, what) in [(true, "the window to come near"), (false, "the adoption at a prompt")] {
            let end = Instant::now() + Duration::from_secs(60);
            while (left(session) <= 12) != near {
                assert!(Instant::now() < end, "{what}: {}", session.text());
                thread::sleep(Duration::from_millis(500));
                session.enter();
            }
        }
    };
    renewed(&mut session);
    let second = session.key();
    assert_ne!(second, first);
    let lease = session.var("CREDSH_LEASE");
    assert!(sandbox.home().join(format!("other/credsh/{lease}.json")).exists());
    // Back again, the directory is for other shells.
    fs::create_dir(&mine).unwrap();
    renewed(&mut session);
    assert_ne!(session.key(), second);
    assert!(!mine.join("credsh").exists());
    assert_eq!(noted(&sandbox, "--wait"), waited, "nobody has waited");
}

fn what_somebody_else_could_have_put_there_is_not_taken(shell: Other) {
    let endpoint = Endpoint::start(600);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    let mut session = shell.start(&sandbox);
    assert_eq!(session.key(), "ASIATEST0001");
    let id = session.var("CREDSH_LEASE");
    let file = sandbox.store().join(format!("{id}.words"));
    let nested = |sandbox: &Sandbox| shell.start_with(&shell.init("--no-auto"), sandbox).key();
    let inheriting =
        Sandbox::new().with("CREDSH_LEASE", &id).with("XDG_RUNTIME_DIR", sandbox.run_dir().to_str().unwrap());
    assert_eq!(nested(&inheriting), "ASIATEST0001", "the control");
    let elsewhere = sandbox.home().join("words");
    fs::rename(&file, &elsewhere).unwrap();
    symlink(&elsewhere, &file).unwrap();
    assert_eq!(nested(&inheriting), "", "a link");
    fs::remove_file(&file).unwrap();
    fs::rename(&elsewhere, &file).unwrap();
    // elvish cannot tell who owns a file, or who may write to it.
    if shell != Other::Elvish {
        fs::set_permissions(&file, fs::Permissions::from_mode(0o666)).unwrap();
        assert_eq!(nested(&inheriting), "", "a file that others may write");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        if rustix::process::geteuid().is_root() {
            chown(&file, Some(65534), None).unwrap();
            assert_eq!(nested(&inheriting), "", "another user's file");
            chown(&file, Some(0), None).unwrap();
        }
    }
    let text = fs::read_to_string(&file).unwrap();
    // A function that is not one of credsh's, no array, no JSON, and times that are not numbers.
    let mut all = vec![
        text.replace("__credsh_adopt", "__credsh_exit"),
        "\"__credsh_adopt\"".into(),
        "[\"__credsh_adopt\", ".into(),
        "[\"__credsh_adopt\", \"short\"]".into(),
        text.replace("\"600", "\"x600").replace("\"1", "\"a[$(touch ran)]1"),
    ];
    let words: Vec<String> = serde_json::from_str(&text).unwrap();
    all.extend([7, 8, 9, 10, 14].map(|place| {
        let mut words = words.clone();
        assert!(words[place].parse::<u64>().is_ok(), "the control: {words:?}");
        words[place] = "-1".into();
        serde_json::to_string(&words).unwrap()
    }));
    for broken in all {
        fs::write(&file, &broken).unwrap();
        let mut session = shell.start_with(&shell.init("--no-auto"), &inheriting);
        assert_eq!(session.key(), "", "{broken}");
        assert_eq!(session.rows()[0], "$ sh ~/var TEMPORARY_AWS_ACCESS_KEY_ID", "and nothing is said of it: {broken}");
    }
}

fn standard_names(shell: Other) {
    let sandbox = Sandbox::new().with("AWS_PROFILE", "p").with("AWS_SECURITY_TOKEN", "old");
    profile(&sandbox, PROFILE);
    let mut session = shell.start_with(&shell.init("--prefix ''"), &sandbox);
    session.run("credsh refresh");
    assert_eq!(session.var("AWS_ACCESS_KEY_ID"), "ASIAPROFILE", "{}", session.text());
    assert_eq!(session.run("sh -c 'printenv AWS_PROFILE AWS_SECURITY_TOKEN || :'"), "");
    // What it exported itself is no source once the store has lost it; the profile still is.
    for command in ["credsh refresh", "credsh export --prefix X"] {
        fs::remove_dir_all(sandbox.store()).unwrap();
        session.run(command);
        assert!(session.run("credsh status").contains("profile:p"), "{}", session.text());
    }
    assert_eq!(session.var("CREDSH_SOURCE"), "profile:p");
    session.run("credsh clear");
    assert_eq!((session.var("AWS_PROFILE"), session.var("AWS_ACCESS_KEY_ID")), ("p".into(), String::new()));
}

/// Profiles may be named after an account, and `$AWS_PROFILE = 123456789012` sets a number.
#[test]
fn a_profile_that_is_a_number_is_set_aside_too() {
    for (shell, line) in [(Other::Nu, "$env.AWS_PROFILE = 123"), (Other::Xonsh, "$AWS_PROFILE = 123")] {
        let sandbox = Sandbox::new();
        profile(&sandbox, PROFILE);
        let config = fs::read_to_string(sandbox.home().join(".aws/config")).unwrap();
        sandbox.file(".aws/config", &config.replace("[profile p]", "[profile 123]"));
        let mut session = shell.start_with(&format!("{line}\n{}", shell.init("--prefix ''")), &sandbox);
        for _ in 0..2 {
            let said = session.run("credsh refresh --force");
            assert!(said.contains(": profile:123 ") && said.lines().count() == 1, "{said}");
            assert_eq!(
                (session.var("AWS_PROFILE"), session.var("AWS_ACCESS_KEY_ID")),
                (String::new(), "ASIAPROFILE".into())
            );
        }
        session.run("credsh_off");
        assert_eq!((session.var("AWS_PROFILE"), session.var("AWS_ACCESS_KEY_ID")), ("123".into(), String::new()));
    }
}

fn where_nobody_types_it_does_nothing(shell: Other) {
    let endpoint = Endpoint::start(600);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    sandbox.credsh(&["refresh"]).ok();
    let lease = sandbox.stored().into_iter().find_map(|name| Some(name.strip_suffix(".words")?.to_owned())).unwrap();
    let sandbox = Sandbox::in_cloudshell(&endpoint)
        .with("CREDSH_LEASE", &lease)
        .with("XDG_RUNTIME_DIR", sandbox.run_dir().to_str().unwrap());
    let script = sandbox.file("hook", &sandbox.credsh(&["init", shell.name()]).ok());
    let script = script.to_str().unwrap();
    let text = match shell {
        Other::Nu => format!("source {script}\nsh ~/mine\ncredsh prompt"),
        // Without an editor to hook into, references to its variables do not even compile.
        Other::Elvish => "sh ~/mine; credsh prompt".into(),
        Other::Xonsh => format!("execx(open({script:?}).read())\nsh ~/mine\ncredsh prompt"),
    };
    // The control: an interactive shell takes the lease over.
    assert_eq!(shell.start(&sandbox).key(), "ASIATEST0001", "the control");
    let run = Run::of(sandbox.command(shell.program()).args(["-c", &text]).output().unwrap());
    assert_eq!(run.stderr, "");
    let out = run.ok();
    let seen: Vec<&str> = out.lines().collect();
    assert!(matches!(seen[..], [own, prompt] if own.ends_with(&lease) && prompt.starts_with("cloudshell ")), "{out}");
    assert_eq!(endpoint.count(), 1);
}

fn left_right_or_off(shell: Other) {
    let endpoint = Endpoint::start(599);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    for (args, shown) in [("", true), ("--prompt right", false), ("--prompt off", false)] {
        let mut session = shell.start_with(&shell.init(args), &sandbox);
        session.enter();
        session.key();
        let segment = "[cloudshell 9m]";
        session.wait_for_prompt(if shown { "[cloudshell 9m] $ " } else { "$ " });
        let row = session.row();
        if shown {
            let color = session.screen().cell(row.try_into().unwrap(), 1).unwrap().fgcolor();
            assert_eq!(color, vt100::Color::Idx(2), "green while it is fresh");
        }
        if args == "--prompt right" {
            session.wait_for("the segment at the right", |session| session.rows()[row].trim_end().ends_with(segment));
            assert!(session.rows()[row].trim_end().len() >= 195, "at the right edge");
        } else {
            assert_eq!(session.rows()[row].matches(segment).count(), usize::from(shown), "{args}");
        }
        assert_eq!(session.var("CREDSH_PROMPT"), "cloudshell 9m");
    }
}

fn a_clock_is_not_behind(shell: Other) {
    // elvish adds two clocks, whose seconds change at different moments. Whether one changes between the shell's reading
    // of both and the answer is chance, and so is how far apart they are: among eight shells, on nearly every machine,
    // it happens at least once.
    let endpoint = Endpoint::start(599);
    endpoint.rotate(Rotation::Always);
    endpoint.behave(Behaviour::Slow(Duration::from_millis(500)));
    for _ in 0..8 {
        let sandbox = Sandbox::in_cloudshell(&endpoint);
        let mut session = shell.start(&sandbox);
        session.until("a lease", |session| {
            session.enter();
            !session.var("CREDSH_PROMPT").is_empty()
        });
        assert_eq!(session.var("CREDSH_PROMPT"), "cloudshell 9m", "599 s are less than ten minutes");
    }
}

/// Where `date` knows no `%N`, or is not there, the kernel's time of boot serves instead.
#[test]
fn elvish_needs_no_date() {
    let endpoint = Endpoint::start(590);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    let date = sandbox.file("bin/date", "#!/bin/sh\necho called >>~/date\nexit 1\n");
    fs::set_permissions(&date, fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("set paths = [{} $@paths]\n", date.parent().unwrap().display());
    let mut session = Other::Elvish.start_with(&(path + &Other::Elvish.init("")), &sandbox);
    assert_eq!(session.key(), "ASIATEST0001");
    session.wait_for_prompt("[cloudshell 9m] $ ");
    assert!(sandbox.home().join("date").exists(), "the control");
}

#[test]
fn no_colour_where_nu_shall_have_none() {
    let endpoint = Endpoint::start(599);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    for (line, color) in [("", vt100::Color::Idx(2)), ("$env.config.use_ansi_coloring = false", vt100::Color::Default)]
    {
        let mut session = Other::Nu.start_with(&format!("{line}\n{}", Other::Nu.init("")), &sandbox);
        session.key();
        session.wait_for_prompt("[cloudshell 9m] $ ");
        let row = session.row().try_into().unwrap();
        assert_eq!(session.screen().cell(row, 1).unwrap().fgcolor(), color, "{line}");
    }
}

fn a_right_prompt_of_theirs_stays_beside_it(shell: Other) {
    let endpoint = Endpoint::start(599);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    let theirs = shell.pick(
        "$env.PROMPT_COMMAND_RIGHT = {|| 'theirs' }",
        "set edit:rprompt = { put 'theirs' }",
        "$RIGHT_PROMPT = 'theirs'",
    );
    let mut session = shell.start_with(&format!("{theirs}\n{}", shell.init("--prompt right")), &sandbox);
    session.key();
    let right = |session: &mut Session, wanted: &str| {
        session.enter();
        session.wait_for(wanted, |session| session.rows()[session.row()].trim_end().ends_with(wanted));
    };
    right(&mut session, "  theirs [cloudshell 9m]");
    session.run("credsh clear");
    right(&mut session, "  theirs");
    session.run("credsh_off");
    right(&mut session, "  theirs");
}

/// As in `until.rs`: half an hour off all common zones, and in no zone file.
const ZONE: &str = "TST-5:30";

fn variable_and_command_say_the_same_of_every_life(shell: Other) {
    for time in ["left", "until"] {
        let endpoint = Endpoint::start(59);
        endpoint.rotate(Rotation::Always);
        let sandbox = Sandbox::in_cloudshell(&endpoint).with("TZ", ZONE);
        let mut session = shell.start_with(&shell.init(&format!("--prompt off --prompt-time {time}")), &sandbox);
        for (life, left) in [(59, "s"), (700, "11m"), (5395, "89m"), (5500, "1h"), (64000, "17h"), (90500, "25h")] {
            endpoint.live(life);
            // The variable is that of the moment when the prompt appeared. If a second has passed since, this is repeated.
            let same = (0..20).any(|_| {
                session.run("credsh refresh --force");
                let variable = session.var("CREDSH_PROMPT");
                if time == "until" && life < 64800 {
                    assert!(variable.starts_with("cloudshell until "), "{life}: {variable}");
                } else {
                    assert!(variable.ends_with(left), "{life}: {variable}");
                }
                variable == session.run(&format!("credsh prompt --time {time}"))
            });
            assert!(same, "{}", session.text());
        }
    }
}

fn never_another_time_zones_hour(shell: Other) {
    let endpoint = Endpoint::start(599);
    let mut sandbox = Sandbox::in_cloudshell(&endpoint).with("TZ", ZONE);
    for (zone, seen) in
        [(Some(ZONE), "[cloudshell until ..."), (Some("TST+5:30"), "[cloudshell 9m..."), (None, "[cloudshell 9m...")]
    {
        match zone {
            Some(zone) => sandbox.set("TZ", zone),
            None => sandbox.unset("TZ"),
        }
        let mut session = shell.start_with(&shell.init("--prompt-time until"), &sandbox);
        assert_eq!(session.key(), "ASIATEST0001", "the same lease");
        session.wait_for_prompt(seen);
    }
}

fn the_last_status_is_the_users(shell: Other) {
    let status = if shell == Other::Nu { "$env.LAST_EXIT_CODE" } else { "echo $LAST_RETURN_CODE" };
    let endpoint = Endpoint::start(4);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    let mut session = shell.start(&sandbox);
    let first = session.key();
    thread::sleep(Duration::from_secs(5));
    session.run("sh -c 'exit 7'");
    assert_eq!(session.run(status), "7", "the check at the prompt has run programs in between");
    assert_ne!(session.key(), first, "the control");
    session.run("sh -c 'exit 7'");
    thread::sleep(Duration::from_secs(5));
    assert_eq!(session.run(status), "7", "and so has the one before this command");
    session.run("credsh refresh --profile none");
    assert_eq!(session.run(status), "1", "the program's own");
}

fn sourced_twice_is_installed_once(shell: Other) {
    let endpoint = Endpoint::start(599);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    // nu reads a file only once, however often it is named, so there are two.
    let twice = match shell {
        Other::Nu => format!("{0}\n{1}", shell.init(""), shell.init("").replace("credsh.nu", "again.nu")),
        _ => format!("{0}\n{0}", shell.init("")),
    };
    let mut session = shell.start_with(&twice, &sandbox);
    assert_eq!(session.key(), "ASIATEST0001");
    session.wait_for_prompt("[cloudshell 9m] $ ");
    let count = shell.pick(
        "$env.config.hooks | select pre_prompt pre_execution | values | each { length } | to nuon",
        "echo (count $edit:before-readline) (count $edit:after-readline)",
        "echo @(len(events.on_pre_prompt_format)) @(len(events.on_precommand))",
    );
    let elsewhere = Sandbox::new();
    let bare = shell.start_with("", &elsewhere).run(count);
    let numbers = |text: &str| -> Vec<u32> {
        text.split(|c: char| !c.is_ascii_digit()).filter_map(|number| number.parse().ok()).collect()
    };
    let one_more: Vec<u32> = numbers(&bare).iter().map(|number| number + 1).collect();
    assert_eq!(numbers(&session.run(count)), one_more, "{bare}");
    // At the prompt too, with other arguments.
    if shell != Other::Nu {
        session.run(&shell.init("--prefix OTHER_"));
        assert_eq!(session.key(), "", "what the first words asked for is gone");
        assert_eq!(session.var("OTHER_AWS_ACCESS_KEY_ID"), "ASIATEST0001");
        session.wait_for_prompt("[cloudshell 9m] $ ");
        assert_eq!(numbers(&session.run(count)), one_more);
    }
}

/// After a hook that fails nu runs no more of them.
#[test]
fn a_hook_of_the_users_that_fails_stops_nothing() {
    let endpoint = Endpoint::start(4);
    let sandbox = Sandbox::in_cloudshell(&endpoint).with("CREDSH_WAIT", "20");
    let fails = "[{|| error make {msg: 'theirs'} }]";
    let hooks = format!("$env.config.hooks.pre_prompt = {fails}\n$env.config.hooks.pre_execution = {fails}");
    let mut session = Other::Nu.start_with(&format!("{hooks}\n{}", Other::Nu.init("")), &sandbox);
    let first = session.key();
    assert!(first.contains("\nASIATEST0001\n") && first.matches("× theirs").count() == 2, "{first}");
    session.wait_for_prompt("[cloudshell ...");
    let second = idle_past_expiry(&mut session, "sh ~/var TEMPORARY_AWS_ACCESS_KEY_ID");
    assert!(second.contains(&format!("\n{}\n", endpoint.key())) && !second.contains("ASIATEST0001"), "{second}");
}

/// nu passes a number as a number, and a glob pattern as a type of its own.
#[test]
fn words_that_are_no_strings_reach_the_program() {
    let endpoint = Endpoint::start(600);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    let mut session = Other::Nu.start(&sandbox);
    assert_eq!(session.key(), "ASIATEST0001");
    let said = session.run("let life = 900; credsh refresh --duration $life");
    assert!(said.starts_with("credsh: --duration: does not apply to cloudshell"), "{said}");
    let said = session.run("credsh refresh --profile a*b");
    assert!(said.starts_with("credsh: profile a*b: "), "{said}");
}

/// Each `overlay use`, such as a virtualenv's, begins a new layer of variables.
#[test]
fn under_an_overlay_what_is_taken_away_is_gone() {
    let endpoint = Endpoint::start(600);
    endpoint.rotate(Rotation::Always);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    sandbox.file("overlay.nu", "export-env { $env.THEIRS = 'x' }\n");
    let mut session = Other::Nu.start(&sandbox);
    assert_eq!(session.key(), "ASIATEST0001");
    session.run("overlay use ~/overlay.nu");
    session.run("credsh refresh --force");
    assert_eq!(session.key(), "ASIATEST0002");
    session.run("credsh clear");
    assert_eq!(session.mine(), "");
    session.wait_for_prompt("$ ");
    session.run("credsh refresh");
    assert_eq!(session.key(), "ASIATEST0003");
    session.run("credsh_off");
    assert_eq!(session.mine(), "");
    let said = session.run("credsh doctor");
    assert!(said.contains("the hook is not installed in this shell"), "`credsh` is the program again: {said}");
    // Without the overlay it is the earlier shell again, hook included.
    session.run("overlay hide overlay");
    assert_eq!(session.key(), "ASIATEST0001");
    session.wait_for_prompt("[cloudshell 9m] $ ");
    // Nor do the standard names that credsh set under an overlay pass for a source.
    let sandbox = Sandbox::new().with("AWS_PROFILE", "p");
    profile(&sandbox, PROFILE);
    sandbox.file("overlay.nu", "export-env { $env.THEIRS = 'x' }\n");
    let mut session = Other::Nu.start_with(&Other::Nu.init("--prefix ''"), &sandbox);
    session.run("credsh refresh");
    session.run("overlay use ~/overlay.nu");
    session.run("credsh refresh --force");
    assert_eq!(session.var("AWS_ACCESS_KEY_ID"), "ASIAPROFILE", "{}", session.text());
    fs::remove_dir_all(sandbox.store()).unwrap();
    session.run("credsh refresh");
    assert_eq!(session.var("CREDSH_SOURCE"), "profile:p", "{}", session.text());
    session.run("credsh clear");
    assert_eq!((session.var("AWS_PROFILE"), session.var("AWS_ACCESS_KEY_ID")), ("p".into(), String::new()));
}

/// The user's prompt may call an earlier one, which ours has wrapped.
#[test]
fn a_prompt_that_calls_the_one_of_before_shows_it_once() {
    let endpoint = Endpoint::start(599);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    let mut session = Other::Xonsh.start_with(&Other::Xonsh.init(""), &sandbox);
    session.run("$PROMPT = lambda: 'old $ '");
    assert_eq!(session.key(), "ASIATEST0001");
    session.wait_for_prompt("[cloudshell 9m] old $ ");
    session.run("old = $PROMPT");
    session.run("$PROMPT = lambda: 'new ' + old()");
    session.enter();
    session.wait_for_prompt("new [cloudshell 9m] old $ ");
    session.run("credsh_off");
    session.wait_for_prompt("new old $ ");
}

fn doctor_sees_the_checks(shell: Other) {
    let sandbox = Sandbox::new();
    let mut session = shell.start(&sandbox);
    let said = session.run("credsh doctor");
    assert!(said.contains(&format!("hook: {} prompt preexec", shell.name())), "{said}");
    session.run(shell.pick(
        "$env.config.hooks.pre_execution = []",
        "set edit:after-readline = []",
        "[events.on_precommand.discard(f) for f in list(events.on_precommand)] and None",
    ));
    let said = session.run("credsh doctor");
    assert!(
        said.contains("WRONG the check before a command is gone") && !said.contains("the check at the prompt"),
        "{said}"
    );
}

fn off_takes_it_out(shell: Other) {
    let endpoint = Endpoint::start(4);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    let before = shell.pick("", "var plain = $edit:prompt\n", "");
    let mut session = shell.start_with(&format!("{before}{}", shell.init("")), &sandbox);
    session.key();
    session.wait_for_prompt("[cloudshell ...");
    assert_eq!(session.run("credsh_off"), "");
    session.wait_for_prompt("$ ");
    assert_eq!(session.mine(), "");
    let asked = endpoint.count();
    thread::sleep(Duration::from_secs(5));
    session.enter();
    assert_eq!(session.mine(), "", "and it does not come back");
    session.wait_for_prompt("$ ");
    assert_eq!(endpoint.count(), asked);
    let said = session.run("credsh doctor");
    assert!(said.contains("the hook is not installed in this shell"), "`credsh` is the program again: {said}");
    let left = match shell {
        Other::Nu => {
            "([$env.PROMPT_COMMAND ...$env.config.hooks.pre_prompt ...$env.config.hooks.pre_execution] | each { view source $in } | append ($env | columns) | str join) =~ '__credsh'"
        }
        Other::Elvish => "and (eq $edit:prompt $plain) (== 0 (count [$@edit:before-readline $@edit:after-readline]))",
        Other::Xonsh => {
            "'credsh' in str([*aliases, $PROMPT, *$PROMPT_FIELDS, *dir(__xonsh__), *events.on_pre_prompt_format, *events.on_precommand])"
        }
    };
    let expected = shell.pick("false", "▶ $true", "False");
    assert_eq!(session.run(left), expected, "{}", session.text());
}

/// The first bracket or quote that does not match, outside of strings and comments.
fn unbalanced(script: &str) -> Option<String> {
    let mut open = Vec::new();
    for (number, line) in script.lines().enumerate() {
        let mut quote = None;
        let mut chars = line.chars().peekable();
        while let Some(c) = chars.next() {
            match (quote, c) {
                (None, '#') => break,
                (None | Some('"'), '`') => drop(chars.next()),
                (Some(q), c) if c == q => quote = None,
                (None, '\'' | '"') => quote = Some(c),
                (None, '(' | '{' | '[') => open.push(c),
                (None, ')' | '}' | ']') => {
                    let wanted = open.pop();
                    let fits = [('(', ')'), ('{', '}'), ('[', ']')].iter().any(|&(a, b)| wanted == Some(a) && b == c);
                    if !fits {
                        return Some(format!("line {}: {c} after {wanted:?}", number + 1));
                    }
                }
                _ => {}
            }
        }
        if let Some(quote) = quote {
            return Some(format!("line {}: no end of {quote}", number + 1));
        }
    }
    open.pop().map(|c| format!("no end of {c}"))
}

#[test]
fn powershells_script_is_whole_and_its_words_are_quoted() {
    let endpoint = Endpoint::start(600);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    let script = sandbox.credsh(&["init", "pwsh", "--no-auto", "--profile", "it's $(x) ’ `n"]).ok();
    assert!(script.contains(" '--profile=it''s $(x) ’’ `n'\n"), "{script}");
    assert_eq!(unbalanced(&script), None);
    for (from, to) in [("{\n", "\n"), ("')", ")"), ("]", "")] {
        assert!(unbalanced(&script.replacen(from, to, 1)).is_some(), "the control: without {from:?}");
    }
    // Every function that is called must be defined here, or be PowerShell's own.
    let own: Vec<&str> =
        script.lines().filter_map(|line| line.strip_prefix("function ")?.split(['(', ' ']).next()).collect();
    let verbs = [
        "Clear-Held",
        "Get-Now",
        "Set-Env",
        "Invoke-",
        "Restore-Profile",
        "Import-Lease",
        "Show-Left",
        "Test-Over",
        "Get-Checks",
        "Start-Hook",
    ];
    let words = script.lines().filter(|line| !line.trim_start().starts_with('#')).flat_map(|line| {
        line.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '_'))
            .filter(|word| verbs.iter().any(|verb| word.starts_with(verb)))
    });
    let missing: Vec<&str> = words.filter(|word| !own.contains(word)).collect();
    assert!(own.len() > 15 && missing.is_empty(), "{missing:?} of {own:?}");
}
