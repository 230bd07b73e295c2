//! What the hook costs while nothing is due: no process, no program, no file. Counted by strace between two marks that
//! the shell itself makes, and compared with the same shell without the hook.

mod support;

use std::collections::BTreeSet;
use std::thread;
use std::time::Duration;

use support::Sandbox;
use support::endpoint::Endpoint;
use support::others::Other;
use support::pty::{Hooked, Rc, Session, Shell};

in_every_shell! {
    fresh_prompts_and_builtins_start_nothing_and_open_nothing
    nor_where_no_end_is_known
    starting_a_shell_starts_the_program_and_nothing_else
}
in_every_other_shell! { nor_do_they_elsewhere }

/// Prompts between the marks.
const PROMPTS: usize = 10;

fn fresh_prompts_and_builtins_start_nothing_and_open_nothing(shell: Shell) {
    // The indicator's minute has just begun, so that it does not change while we count.
    let endpoint = Endpoint::start(3599);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    // fish rewrites its history file now and then, at random.
    let rc = || shell.rc().before(shell.pick("", "set -g fish_history ''"));
    let hooked = calls(&sandbox, TYPED, |wrapper| rc().start_under(wrapper, &sandbox));
    let bare = calls(&sandbox, TYPED, |wrapper| rc().unhooked().start_under(wrapper, &sandbox));
    assert_eq!(processes(&hooked), 0, "{hooked:#?}");
    // fish has its clock in a file: one stat, at a prompt and before a command (the marks add one each). What it reads anyway it reads without us.
    let (clock, others): (Vec<_>, Vec<_>) = hooked.iter().partition(|call| call.contains("/credsh/clock\""));
    let stats = clock.iter().all(|call| call.contains("stat"));
    let expected = shell.pick(0, 2 * (PROMPTS + 1));
    assert!(stats && clock.len() == expected, "{clock:#?}");
    assert_eq!(names(&others), names(&bare.iter().collect::<Vec<_>>()), "{others:#?} {bare:#?}");
    assert_eq!(endpoint.count(), 1);

    // The control: a renewal that is due starts the program, and what it writes is read.
    let endpoint = Endpoint::start(6);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    let due = calls(&sandbox, ["sleep 1", TYPED[1]], |wrapper| shell.rc().start_under(wrapper, &sandbox));
    started_and_read(&due, shell.pick("sh", "fish"));
}

fn nor_where_no_end_is_known(shell: Shell) {
    let sandbox = Sandbox::new();
    let keys = "[p]\naws_access_key_id = ASIA\naws_secret_access_key = s\naws_session_token = t\n";
    sandbox.file(".aws/credentials", keys);
    let rc = shell.rc().init("--profile p").before(shell.pick("", "set -g fish_history ''"));
    // Longer than a hook waits from one question to the next.
    let hooked = calls(&sandbox, ["sleep 0.6", TYPED[1]], |wrapper| rc.start_under(wrapper, &sandbox));
    let started: Vec<_> = hooked.iter().filter(|call| call.contains("execve") && call.contains("\"hook\"")).collect();
    assert_eq!(started, [""; 0]);
    assert_eq!(sandbox.ids().len(), 1, "the control: a lease is held");
}

/// What is typed: a command, and what a mark's name stands in.
const TYPED: [&str; 2] = [":", "test -e MARK"];

fn nor_do_they_elsewhere(shell: Other) {
    let endpoint = Endpoint::start(3599);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    let typed = shell.pick(
        ["null", "'MARK' | path exists"],
        ["nop", "path:is-regular MARK"],
        ["None", "__import__('os').path.exists('MARK')"],
    );
    let before = shell.pick("", "use path\n", "");
    let start = |lines: &str, wrapper: &[&str]| shell.start_under(wrapper, &format!("{before}{lines}"), &sandbox);
    let hooked = calls(&sandbox, typed, |wrapper| start(&shell.init(""), wrapper));
    assert_eq!(processes(&hooked), 0, "{hooked:#?}");
    // What is opened, and all of ours: elvish looks for programs while their names are typed, as far as it comes, and nu
    // looks at the time zone's file once a second at most. elvish's clock is the kernel's.
    let store = sandbox.store().display().to_string();
    let touched = |calls: &[String]| -> BTreeSet<String> {
        let paths = calls.iter().filter_map(|call| Some((call, call.split('"').nth(1)?)));
        let paths = paths.filter(|(call, path)| call.contains(" open") || path.starts_with(&store));
        paths.map(|(_, path)| path.to_owned()).collect()
    };
    sandbox.file(shell.rc_file(), "");
    let bare = touched(&calls(&sandbox, typed, |wrapper| start("", wrapper)));
    let more: Vec<String> = touched(&hooked).difference(&bare).cloned().collect();
    assert_eq!(more, shell.pick(&[][..], &["/proc/uptime"], &[]), "{hooked:#?}");
    assert_eq!(endpoint.count(), 1);

    // The control, as above.
    let endpoint = Endpoint::start(6);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    let due = calls(&sandbox, ["sh -c 'sleep 1'", typed[1]], |wrapper| {
        shell.start_under(wrapper, &format!("{before}{}", shell.init("")), &sandbox)
    });
    started_and_read(&due, "words");
}

/// A renewal that is due has started the program, and what it has written, into a file of this ending, was read.
#[track_caller]
fn started_and_read(due: &[String], ending: &str) {
    assert!(due.iter().any(|call| call.contains("execve") && call.contains("\"hook\"")), "{due:#?}");
    assert!(processes(due) > PROMPTS);
    let ending = format!(".{ending}\"");
    assert!(due.iter().any(|call| call.contains("open") && call.contains(&ending)), "{due:#?}");
}

fn starting_a_shell_starts_the_program_and_nothing_else(shell: Shell) {
    // Outside of CloudShell, and in a nested shell that takes a lease over.
    let endpoint = Endpoint::start(3599);
    let held = Sandbox::in_cloudshell(&endpoint);
    held.credsh(&["refresh"]).ok();
    let id = held.stored().into_iter().find_map(|name| name.strip_suffix(".json").map(str::to_owned)).unwrap();
    for sandbox in [Sandbox::new(), held.with("CREDSH_LEASE", &id)] {
        let started = |rc: Rc| {
            let log = sandbox.home().join("strace");
            let trace = "trace=clone,clone3,fork,vfork,execve";
            drop(rc.start_under(&["strace", "-f", "-qq", "-e", trace, "-o", log.to_str().unwrap()], &sandbox));
            let text = std::fs::read_to_string(&log).unwrap();
            let calls =
                text.lines().filter(|line| !["CLONE_THREAD", "<... ", "= -1"].iter().any(|part| line.contains(part)));
            processes(&calls.map(str::to_owned).collect::<Vec<_>>())
        };
        // What a shell starts only at its first time in a home is not ours.
        drop(shell.rc().unhooked().start(&sandbox));
        // One process, one program.
        assert_eq!(started(shell.rc()), started(shell.rc().unhooked()) + 2, "{:?}", sandbox.stored());
        // The control: a line that starts one more is counted.
        assert_eq!(started(shell.rc().unhooked().after("cat /dev/null")), started(shell.rc().unhooked()) + 2);
    }
}

/// The calls that start or touch something, of the shell and its children, while `command` is typed at ten prompts.
fn calls(sandbox: &Sandbox, [command, mark]: [&str; 2], start: impl FnOnce(&[&str]) -> Session) -> Vec<String> {
    let log = sandbox.home().join("strace");
    let wrapper = ["strace", "-f", "-qq", "-e", "trace=process,file", "-s", "200", "-o", log.to_str().unwrap()];
    let mut session = start(&wrapper);
    // The lease is in hand, and what a shell does only once is done.
    for _ in 0..3 {
        session.line("printenv TEMPORARY_AWS_ACCESS_KEY_ID");
        session.line(command);
    }
    session.line(&mark.replace("MARK", "/begin-of-count"));
    for _ in 0..PROMPTS {
        session.line(command);
    }
    session.line(&mark.replace("MARK", "/end-of-count"));
    thread::sleep(Duration::from_millis(100));
    let text = std::fs::read_to_string(&log).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    // The shell's own look at them: fish's threads look at what is typed, too. elvish is any of its threads at any time.
    let (shell, go) = (lines[0].split_whitespace().next(), lines[0].contains("elvish"));
    let own = |line: &str| go || line.split_whitespace().next() == shell;
    let mark = |name: &str| lines.iter().rposition(|line| own(line) && line.contains(name));
    let (begin, end) = (mark("begin-of-count").expect("the first mark"), mark("end-of-count").expect("the last mark"));
    // fish's threads, which colour what is typed, start no process, and look at files with and without us.
    let threads: Vec<&str> = text.split("parent_tid=[").skip(1).filter_map(|rest| rest.split(']').next()).collect();
    let calls = lines[begin + 1..end].iter().filter(|line| {
        // Signals and ends; second halves; a look at what is open already, which touches no file; fish's at whether its
        // universal variables have changed, which it does at every prompt for a while after they have; a new thread's at
        // how many processors there are.
        let noise = [
            "+++ exited",
            "--- SIG",
            "<... ",
            ", \"\", ",
            "CLONE_THREAD",
            "/fish_variables\"",
            "/sys/devices/system/cpu/online\"",
        ];
        !noise.iter().any(|part| line.contains(part))
            && (go || !threads.iter().any(|id| line.starts_with(&format!("{id} "))))
    });
    calls.map(|line| (*line).to_owned()).collect()
}

/// How many of the calls start a process or a program.
fn processes(calls: &[String]) -> usize {
    calls.iter().filter(|call| ["clone", "fork(", "execve"].iter().any(|name| call.contains(name))).count()
}

/// The calls by name, without process id, arguments and result.
fn names(calls: &[&String]) -> Vec<String> {
    calls
        .iter()
        .map(|call| call.split_whitespace().nth(1).unwrap_or_default().split('"').next().unwrap_or_default().to_owned())
        .collect()
}
