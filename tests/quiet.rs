//! What the hook costs while nothing is due: no process, no program, no file. strace counts the calls between two marks
//! that the shell itself makes, and they are compared with those of the same shell without the hook.

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

/// The number of prompts between the marks.
const PROMPTS: usize = 10;

fn fresh_prompts_and_builtins_start_nothing_and_open_nothing(shell: Shell) {
    // A minute of the indicator has just begun, so that it does not change during the count.
    let endpoint = Endpoint::start(3599);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    // fish rewrites its history file now and then, at random.
    let rc = || shell.rc().before(shell.pick("", "set -g fish_history ''"));
    let hooked = calls(&sandbox, TYPED, |wrapper| rc().start_under(wrapper, &sandbox));
    let bare = calls(&sandbox, TYPED, |wrapper| rc().unhooked().start_under(wrapper, &sandbox));
    assert_eq!(processes(&hooked), 0, "{hooked:#?}");
    // fish's clock is a file: one stat per prompt and one per command, and the marks add one of each. Whatever else it
    // reads, it reads without the hook too.
    let (clock, others): (Vec<_>, Vec<_>) = hooked.iter().partition(|call| call.contains("/credsh/clock\""));
    let stats = clock.iter().all(|call| call.contains("stat"));
    let expected = shell.pick(0, 2 * (PROMPTS + 1));
    assert!(stats && clock.len() == expected, "{clock:#?}");
    assert_eq!(names(&others), names(&bare.iter().collect::<Vec<_>>()), "{others:#?} {bare:#?}");
    assert_eq!(endpoint.count(), 1);

    // The control: if a renewal is due, the program is started, and what it writes is read.
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
    // Ten of these take longer than the hook waits between two looks for new credentials.
    let hooked = calls(&sandbox, ["sleep 0.6", TYPED[1]], |wrapper| rc.start_under(wrapper, &sandbox));
    let started: Vec<_> = hooked.iter().filter(|call| call.contains("execve") && call.contains("\"hook\"")).collect();
    assert_eq!(started, [""; 0]);
    assert_eq!(sandbox.ids().len(), 1, "the control: a lease is held");
}

/// What is typed: a command, and a line that holds the name of a mark.
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
    // Compared by what is opened, and any use of the store: elvish looks for programs while their names are typed, as far
    // as it gets, and nu looks at the time zone's file at most once a second. elvish's clock reads the kernel's uptime.
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

/// Asserts that a renewal that was due has started the program, and that the file with this ending,
/// which that wrote, was read.
#[track_caller]
fn started_and_read(due: &[String], ending: &str) {
    assert!(due.iter().any(|call| call.contains("execve") && call.contains("\"hook\"")), "{due:#?}");
    assert!(processes(due) > PROMPTS);
    let ending = format!(".{ending}\"");
    assert!(due.iter().any(|call| call.contains("open") && call.contains(&ending)), "{due:#?}");
}

fn starting_a_shell_starts_the_program_and_nothing_else(shell: Shell) {
    // Outside CloudShell, and in a nested shell that takes over a lease.
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
        // What a shell starts only the first time in a home is not the hook's doing.
        drop(shell.rc().unhooked().start(&sandbox));
        // One fork and one exec.
        assert_eq!(started(shell.rc()), started(shell.rc().unhooked()) + 2, "{:?}", sandbox.stored());
        // The control: one more program in the start-up file is counted.
        assert_eq!(started(shell.rc().unhooked().after("cat /dev/null")), started(shell.rc().unhooked()) + 2);
    }
}

/// The calls that start or touch something, by the shell and its children, while `command` is typed at ten prompts.
fn calls(sandbox: &Sandbox, [command, mark]: [&str; 2], start: impl FnOnce(&[&str]) -> Session) -> Vec<String> {
    let log = sandbox.home().join("strace");
    let wrapper = ["strace", "-f", "-qq", "-e", "trace=process,file", "-s", "200", "-o", log.to_str().unwrap()];
    let mut session = start(&wrapper);
    // By then the lease is in hand, and what a shell does only once is done.
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
    // Marks made by the shell itself: fish's threads look at what is typed as well. elvish runs on any of
    // its threads at any time.
    let (shell, go) = (lines[0].split_whitespace().next(), lines[0].contains("elvish"));
    let own = |line: &str| go || line.split_whitespace().next() == shell;
    let mark = |name: &str| lines.iter().rposition(|line| own(line) && line.contains(name));
    let (begin, end) = (mark("begin-of-count").expect("the first mark"), mark("end-of-count").expect("the last mark"));
    // fish's threads, which colour what is typed, start no process, and look at files with and without the hook.
    let threads: Vec<&str> = text.split("parent_tid=[").skip(1).filter_map(|rest| rest.split(']').next()).collect();
    let calls = lines[begin + 1..end].iter().filter(|line| {
        // Signals and exits; the second halves of interrupted calls; a stat of an open file, which touches none; fish's
        // check whether its universal variables have changed, made at every prompt for a while after they have; a new
        // thread's look at the number of processors.
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

/// How many of the calls start a process or execute a program.
fn processes(calls: &[String]) -> usize {
    calls.iter().filter(|call| ["clone", "fork(", "execve"].iter().any(|name| call.contains(name))).count()
}

/// The names of the calls, without process id, arguments and result.
fn names(calls: &[&String]) -> Vec<String> {
    calls
        .iter()
        .map(|call| call.split_whitespace().nth(1).unwrap_or_default().split('"').next().unwrap_or_default().to_owned())
        .collect()
}
