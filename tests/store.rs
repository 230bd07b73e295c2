//! The store: who may see it, what survives a crash, and that out of many only one asks the source.

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;

use support::clock::Clock;
use support::endpoint::{self, Behaviour, Endpoint, Rotation, now, rfc3339};
use support::process::signal;
use support::{CREDSH, Run, Sandbox, strace};

fn mode(path: &std::path::Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

fn set_mode(path: &std::path::Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// The id of the only lease there is.
fn id(sandbox: &Sandbox) -> String {
    let ids = sandbox.ids();
    assert_eq!(ids.len(), 1, "{ids:?}");
    ids[0].clone()
}

/// Changes the only lease in the store.
fn edit(sandbox: &Sandbox, change: impl Fn(&mut serde_json::Value)) {
    let path = sandbox.store().join(format!("{}.json", id(sandbox)));
    let mut lease = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    change(&mut lease);
    fs::write(path, lease.to_string()).unwrap();
}

/// Sets the lease's times so that it has expired.
fn end(sandbox: &Sandbox) {
    edit(sandbox, |lease| {
        for name in ["received", "expires", "due", "asked"] {
            lease[name] = 1_000_000.into();
        }
    });
}

#[test]
fn nobody_else_can_read_it() {
    let endpoint = Endpoint::start(600);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    let mut sh = sandbox.command("sh");
    sh.args(["-c", "umask 0; exec \"$0\" export", CREDSH]);
    Run::of(sh.output().unwrap()).ok();
    assert_eq!(mode(&sandbox.store()), 0o700);
    let id = id(&sandbox);
    let mut wanted: Vec<String> =
        ["fish", "json", "lock", "sh", "words"].iter().map(|ending| format!("{id}.{ending}")).collect();
    wanted.push("clock".into());
    wanted.sort();
    assert_eq!(sandbox.stored(), wanted);
    for name in wanted {
        assert_eq!(mode(&sandbox.store().join(&name)), 0o600, "{name}");
    }
}

#[test]
fn an_unsafe_store_is_refused_with_words() {
    let endpoint = Endpoint::start(600);
    let refused = |prepare: &dyn Fn(&Sandbox), reason: &str, hint: &str| {
        let sandbox = Sandbox::in_cloudshell(&endpoint);
        prepare(&sandbox);
        let store = sandbox.store();
        let message = format!(
            "credsh: the store {0} {reason}\nhint: {1}, or set XDG_RUNTIME_DIR to a private directory\n",
            store.display(),
            hint.replace("{}", store.to_str().unwrap())
        );
        for command in [&["export"][..], &["refresh"], &["status"], &["clear", "--all"]] {
            assert_eq!(sandbox.credsh(command).fails(1, &[]), message, "{command:?}");
        }
        sandbox.credsh(&["export", "--no-store"]).ok();
        sandbox.credsh(&["init", "bash"]).ok();
    };
    let make = |sandbox: &Sandbox, mode: u32| {
        fs::create_dir(sandbox.store()).unwrap();
        set_mode(&sandbox.store(), mode);
    };
    let link = |sandbox: &Sandbox| {
        fs::create_dir(sandbox.home().join("elsewhere")).unwrap();
        set_mode(&sandbox.home().join("elsewhere"), 0o700);
        symlink(sandbox.home().join("elsewhere"), sandbox.store()).unwrap();
    };
    refused(&link, "is a symbolic link", "remove the link");
    refused(&|sandbox| symlink("/nowhere", sandbox.store()).unwrap(), "is a symbolic link", "remove the link");
    refused(&|sandbox| fs::write(sandbox.store(), "").unwrap(), "is not a directory", "remove it");
    for bits in [0o770, 0o720, 0o702, 0o750, 0o777] {
        refused(&|sandbox| make(sandbox, bits), "is open to other users", "type `chmod 700 {}`");
    }
    // Only root can give a directory away; without root this part checks nothing.
    if rustix::process::geteuid().is_root() {
        let theirs = |sandbox: &Sandbox| {
            make(sandbox, 0o700);
            std::os::unix::fs::chown(sandbox.store(), Some(65534), Some(65534)).unwrap();
        };
        refused(&theirs, "belongs to another user", "have its owner remove it");
    }
    assert_eq!(endpoint.count(), if rustix::process::geteuid().is_root() { 9 } else { 8 }, "only with --no-store");
}

#[test]
fn a_lease_that_cannot_be_read_is_set_aside_and_renewed() {
    let endpoint = Endpoint::start(600);
    endpoint.rotate(Rotation::Always);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    sandbox.credsh(&["export"]).ok();
    let id = id(&sandbox);
    let file = sandbox.store().join(format!("{id}.json"));
    let good = fs::read(&file).unwrap();
    let other = String::from_utf8(good.clone()).unwrap().replace("localhost", "127.0.0.1");
    for broken in [&good[..good.len() / 2], b"", b"null", b"garbage \xff", other.as_bytes()] {
        fs::write(&file, broken).unwrap();
        let before = endpoint.count();
        let run = sandbox.credsh(&["export"]);
        assert!(run.stdout.contains(&endpoint.key()), "{run:?}");
        assert_eq!(
            run.stderr,
            format!(
                "credsh: the stored lease {id} could not be read; it was set aside as {}\n",
                file.with_extension("broken").display()
            )
        );
        assert_eq!(endpoint.count(), before + 1);
        assert_eq!(fs::read(file.with_extension("broken")).unwrap(), broken);
        assert_eq!(sandbox.credsh(&["export"]).stderr, "", "once");
    }
    sandbox.credsh(&["clear"]).ok();
    assert_eq!(sandbox.stored(), ["clock"], "with what was set aside");
}

/// A background renewal, which has ended when this returns.
const BACKGROUND: [&str; 3] = ["hook", "--detached", "--shell=bash"];

/// Runs credsh. After half a minute it counts as waiting for something that never comes.
fn in_time(sandbox: &Sandbox, args: &[&str]) -> Run {
    let run = Run::of(sandbox.command("timeout").args(["-s", "KILL", "30", CREDSH]).args(args).output().unwrap());
    assert_ne!(run.status, -1, "{args:?}");
    run
}

/// They are not waited for, nor are they in the way.
#[test]
fn what_is_no_file_is_renewed_like_what_cannot_be_read() {
    let endpoint = Endpoint::start(600);
    endpoint.rotate(Rotation::Always);
    let fifo = |path: &Path| rustix::fs::mkfifoat(rustix::fs::CWD, path, 0o600.into()).unwrap();
    let directory = |path: &Path| fs::create_dir(path).unwrap();
    let link = |path: &Path| symlink("../../home/precious", path).unwrap();
    // Root can read it all the same, and finds an empty file.
    let closed = |path: &Path| {
        fs::write(path, "").unwrap();
        set_mode(path, 0);
    };
    for (case, make) in
        [("a FIFO", &fifo as &dyn Fn(&Path)), ("a directory", &directory), ("a link", &link), ("0000", &closed)]
    {
        let sandbox = Sandbox::in_cloudshell(&endpoint);
        sandbox.credsh(&["export"]).ok();
        let id = id(&sandbox);
        let place = |name: &str| sandbox.store().join(name);
        let hook = ["hook", "--shell=bash", &format!("--lease={id}")];
        for name in [&format!("{id}.lock"), "clock"] {
            fs::remove_file(place(name)).unwrap();
            make(&place(name));
            // What a prompt waits for, which has nothing to start, and the background renewal, which has nothing to do.
            in_time(&sandbox, &["hook", "--shell=bash", "--lease="]).ok();
            in_time(&sandbox, &[&BACKGROUND[..], &[&format!("--lease={id}")]].concat()).ok();
            end(&sandbox);
            let run = in_time(&sandbox, &["refresh"]);
            assert!(run.stderr.starts_with("credsh: renewed: "), "{case} as {name}: {run:?}");
            assert!(fs::symlink_metadata(place(name)).unwrap().is_file(), "{case} as {name}");
        }
        let json = place(&format!("{id}.json"));
        // In the second round, what was set aside in the first is in the way.
        for round in 0..2 {
            let other: &dyn Fn(&Path) = if round == 0 { make } else { &|path| fs::write(path, "garbage").unwrap() };
            fs::remove_file(&json).unwrap();
            other(&json);
            in_time(&sandbox, &hook).ok();
            in_time(&sandbox, &["status"]).ok();
            // By the hook, as that may be the first to come upon it.
            let run = in_time(&sandbox, &[&hook[..], &["--wait", "--source", "container"]].concat());
            assert!(run.stdout.contains(&endpoint.key()), "{case}: {run:?}");
            assert!(json.is_file() && fs::symlink_metadata(place(&format!("{id}.broken"))).is_ok(), "{case}");
        }
        sandbox.credsh(&["clear", "--all"]).ok();
        assert_eq!(sandbox.stored(), ["clock"], "{case}");
        assert!(!sandbox.home().join("precious").exists(), "{case}");
    }
}

#[test]
fn clear_goes_on_behind_what_it_cannot_remove() {
    let endpoint = Endpoint::start(600);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    sandbox.credsh(&["export"]).ok();
    let own = id(&sandbox);
    // One before it, one after it and one among its own files, in whatever order they are found.
    let obstacles =
        ["0000000000000000.sh", "ffffffffffffffff.lock", &format!("{own}.lock")].map(|name| sandbox.store().join(name));
    fs::remove_file(&obstacles[2]).unwrap();
    for path in &obstacles {
        fs::create_dir_all(path.join("precious")).unwrap();
    }
    fs::write(sandbox.store().join(".new-killed"), "").unwrap();
    let message = sandbox.credsh(&["clear", "--all"]).fails(1, &["credsh: cannot remove "]);
    assert!(message.ends_with(": is a directory\n") && message.lines().count() == 1, "{message}");
    let mut left: Vec<String> =
        obstacles.iter().map(|path| path.file_name().unwrap().to_str().unwrap().into()).collect();
    left.push("clock".into());
    left.sort();
    assert_eq!(sandbox.stored(), left);
    for path in &obstacles {
        fs::remove_dir(path.join("precious")).unwrap();
    }
    sandbox.credsh(&["clear", "--all"]).ok();
    assert_eq!(sandbox.stored(), ["clock"]);
}

#[test]
fn a_store_that_cannot_be_made_costs_no_credentials() {
    let endpoint = Endpoint::start(600);
    let mut sandbox = Sandbox::in_cloudshell(&endpoint);
    let file = sandbox.file("file", "");
    sandbox.set("XDG_RUNTIME_DIR", file.to_str().unwrap());
    let run = sandbox.credsh(&["export"]);
    assert_eq!(
        run.stderr,
        format!(
            "credsh: cannot look at the store {}/credsh: not a directory; nothing will be stored\n",
            file.display()
        )
    );
    assert!(run.ok().contains("ASIATEST0001"));
    sandbox.set("XDG_RUNTIME_DIR", "/proc/self/fdinfo");
    let run = sandbox.credsh(&["export"]);
    assert!(
        run.stderr.starts_with("credsh: cannot create the store /proc/self/fdinfo/credsh: ")
            && run.stderr.ends_with("; nothing will be stored\n"),
        "{run:?}"
    );
    assert!(run.ok().contains("ASIATEST0001"));
}

/// Runs credsh in a mount namespace, with a tmpfs at XDG_RUNTIME_DIR that is mounted with `options`
/// and prepared by `script`.
fn on_tmpfs(sandbox: &Sandbox, options: &str, script: &str) -> Run {
    let mut unshare = sandbox.command("unshare");
    unshare.args(if rustix::process::geteuid().is_root() { ["-m", "--"].as_slice() } else { ["-rm", "--"].as_slice() });
    let text = format!(
        "mount -t tmpfs -o mode=700,{options} none \"$XDG_RUNTIME_DIR\" || exit 99; {script}; exec \"$0\" export"
    );
    Run::of(unshare.args(["sh", "-c", &text, CREDSH]).output().unwrap())
}

#[test]
fn a_full_disk_costs_no_credentials() {
    let endpoint = Endpoint::start(600);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    let fill = "cat /dev/zero >\"$XDG_RUNTIME_DIR/ballast\" 2>/dev/null";
    let run = on_tmpfs(&sandbox, "size=64k", fill);
    assert!(run.stderr.contains("no space left on device; ") && run.stderr.lines().count() == 1, "{run:?}");
    assert!(run.ok().contains("ASIATEST0001"));
    let run = on_tmpfs(
        &sandbox,
        "size=64k",
        &format!("\"$0\" export >/dev/null; {fill}; ls \"$XDG_RUNTIME_DIR/credsh\"; \"$0\" refresh --force"),
    );
    assert!(run.stderr.contains("no space left on device; other shells will not see this renewal\n"), "{run:?}");
    assert!(run.stdout.contains(".json\n") && run.ok().contains("ASIATEST0001"));
    let run = on_tmpfs(&sandbox, "size=64k", ":");
    assert_eq!((run.status, run.stderr.as_str()), (0, ""), "the control");
}

/// The kernel answers a write beyond the limit with SIGXFSZ, which by default ends the process.
#[test]
fn a_limit_on_the_size_of_files_costs_no_credentials() {
    let endpoint = Endpoint::start(600);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    let under = |words: &str| {
        let mut sh = sandbox.command("sh");
        Run::of(sh.args(["-c", &format!("ulimit -f 0; exec \"$0\" {words}"), CREDSH]).output().unwrap())
    };
    let run = under("export");
    assert!(run.stderr.contains("file too large; ") && run.stderr.lines().count() == 1, "{run:?}");
    assert!(run.ok().contains("ASIATEST0001"));
    let run = under("exec -- sh -c 'kill -XFSZ $$'");
    assert_eq!(run.status, -1, "a program that it becomes has the signal as it was: {run:?}");
    let mut sh = sandbox.command("sh");
    let ignored = "trap '' XFSZ; exec \"$0\" exec -- sh -c 'kill -XFSZ $$; echo ran'";
    assert_eq!(Run::of(sh.args(["-c", ignored, CREDSH]).output().unwrap()).ok(), "ran\n", "also where it is ignored");
}

/// The stored lease stays due, so without a pause the source would be asked at every prompt.
#[test]
fn what_cannot_be_kept_is_not_asked_for_at_every_prompt() {
    let endpoint = Endpoint::start(600);
    endpoint.rotate(Rotation::Always);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    let script = r#"cd "$XDG_RUNTIME_DIR"; "$0" export >/dev/null; sed -i 's/"due":[0-9]*/"due":1/' credsh/*.json
        id=$(basename credsh/*.json .json); background() { "$0" hook --detached --shell=bash --lease="$id"; }
        cat /dev/zero >ballast 2>/dev/null; background; background; background"#;
    on_tmpfs(&sandbox, "size=64k", script);
    assert_eq!(endpoint.count(), 3, "the first, one in the background, and whoever is about to use it");
    on_tmpfs(&sandbox, "size=64k", &format!("{script}; touch -d @1 credsh/*.lock; background; background"));
    assert_eq!(endpoint.count(), 3 + 4, "the control");

    // The same if something is in the way, whether the source answers or not.
    let refused = Behaviour::Answer { status: 404, headers: String::new(), body: String::new() };
    for behaviour in [Behaviour::Good, refused.clone()] {
        endpoint.behave(Behaviour::Good);
        sandbox.credsh(&["refresh"]).ok();
        let id = id(&sandbox);
        edit(&sandbox, |lease| lease["due"] = 1.into());
        fs::remove_file(sandbox.store().join(format!("{id}.sh"))).unwrap();
        fs::create_dir(sandbox.store().join(format!("{id}.sh"))).unwrap();
        endpoint.behave(behaviour);
        let before = endpoint.count();
        for _ in 0..3 {
            sandbox.credsh(&[&BACKGROUND[..], &[&format!("--lease={id}")]].concat());
        }
        assert_eq!(endpoint.count(), before + 1);
        sandbox.credsh(&["clear", "--all"]).ok();
    }
    // The same if nothing is stored yet that could be due.
    endpoint.behave(refused);
    let before = endpoint.count();
    for _ in 0..3 {
        sandbox.credsh(&[&BACKGROUND[..], &["--source", "container"]].concat());
    }
    assert_eq!(endpoint.count(), before + 1);
    sandbox.credsh(&["export"]).fails(4, &["status 404"]);
    assert_eq!(endpoint.count(), before + 2, "the control");
}

#[test]
fn a_read_only_disk_costs_no_credentials() {
    let endpoint = Endpoint::start(600);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    let run = on_tmpfs(&sandbox, "ro", ":");
    let store = sandbox.store();
    assert_eq!(
        run.stderr,
        format!("credsh: cannot create the store {}: read-only file system; nothing will be stored\n", store.display())
    );
    assert!(run.ok().contains("ASIATEST0001"));
    let run = on_tmpfs(
        &sandbox,
        "rw",
        "\"$0\" export >/dev/null; mount -o remount,ro \"$XDG_RUNTIME_DIR\"; \"$0\" export; \"$0\" refresh --force",
    );
    assert!(run.stdout.contains("ASIATEST0001"), "a stored lease is still read: {run:?}");
    assert_eq!(run.status, 0, "{run:?}");
}

#[test]
fn where_it_is() {
    let endpoint = Endpoint::start(600);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    let run = |change: &dyn Fn(&mut std::process::Command)| {
        let mut command = sandbox.command(CREDSH);
        command.arg("export").env_remove("XDG_RUNTIME_DIR");
        change(&mut command);
        Run::of(command.output().unwrap())
    };
    run(&|_| ()).ok();
    assert_eq!(mode(&sandbox.home().join(".cache/credsh")), 0o700);
    run(&|command| _ = command.env("XDG_CACHE_HOME", sandbox.home().join("cache"))).ok();
    assert_eq!(mode(&sandbox.home().join("cache/credsh")), 0o700);
    run(&|command| _ = command.env("XDG_RUNTIME_DIR", "relative")).ok();
    assert!(!sandbox.home().join("relative").exists(), "a relative path is none");
    assert_eq!(endpoint.count(), 2, "~/.cache was found again");
    let gone = sandbox.home().join("gone");
    let out = run(&|command| _ = command.env("XDG_RUNTIME_DIR", &gone));
    assert_eq!((out.status, out.stderr.as_str()), (0, ""), "nor is one that is not there: {out:?}");
    assert!(!gone.exists());
    assert_eq!(endpoint.count(), 2, "~/.cache again");
    fs::remove_dir_all(sandbox.home().join(".cache")).unwrap();
    run(&|command| _ = command.env("XDG_RUNTIME_DIR", &gone)).ok();
    assert_eq!(mode(&sandbox.home().join(".cache/credsh")), 0o700, "and made, with all that is above it");
}

/// Where there is a runtime directory, neither the store nor the source needs a home.
#[test]
fn without_a_home() {
    let endpoint = Endpoint::start(600);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    let run = |args: &[&str]| {
        let mut command = sandbox.command(CREDSH);
        command.args(args).env_remove("HOME");
        Run::of(command.output().unwrap())
    };
    for args in [&["init", "bash"][..], &["export"], &["refresh", "--force"], &["status"], &["exec", "--", "true"]] {
        let out = run(args);
        assert_eq!((out.status, out.stderr.contains("cannot")), (0, false), "{args:?}: {out:?}");
    }
    assert_eq!(endpoint.count(), 2, "all but --force from the store");
    run(&["hook", "--shell=bash", &format!("--lease={}", id(&sandbox)), "--wait"]).ok();
    assert_eq!(run(&["clear"]).status, 0);
}

/// A user whom the system does not know has no home, and is nothing but a number. Only root can become one.
#[test]
fn without_a_place_there_are_words() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let endpoint = Endpoint::start(600);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    let run = |args: &[&str]| {
        let mut setpriv = sandbox.command("setpriv");
        setpriv
            .args(["--reuid=54321", "--clear-groups", CREDSH])
            .args(args)
            .env_remove("XDG_RUNTIME_DIR")
            .env_remove("HOME");
        Run::of(setpriv.current_dir("/").output().unwrap())
    };
    let message = "credsh: the store cannot be located: neither XDG_RUNTIME_DIR nor HOME is set\nhint: set one of them, or pass --no-store\n";
    assert_eq!(run(&["export"]).fails(1, &[]), message);
    run(&["export", "--no-store"]).ok();
}

#[test]
fn no_store_leaves_no_file() {
    let endpoint = Endpoint::start(600);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    sandbox.credsh(&["export", "--no-store"]).ok();
    sandbox.credsh(&["refresh", "--no-store"]).ok();
    assert_eq!(endpoint.count(), 2);
    assert!(!sandbox.store().exists());
    sandbox.credsh(&["export"]).ok();
    assert!(sandbox.store().exists(), "the control");
}

#[test]
fn clear_forgets() {
    let (endpoint, other) = (Endpoint::start(600), Endpoint::start(600));
    let mut sandbox = Sandbox::in_cloudshell(&endpoint);
    sandbox.credsh(&["clear"]).fails(1, &["credsh: no lease is held\nhint: `credsh status` shows what is held\n"]);
    sandbox.credsh(&["export"]).ok();
    let own = id(&sandbox);
    sandbox.set("AWS_CONTAINER_CREDENTIALS_FULL_URI", &other.uri());
    sandbox.credsh(&["export"]).ok();
    sandbox.set("CREDSH_LEASE", &own);
    assert_eq!(sandbox.credsh(&["clear"]).stderr, "credsh: cleared 1 lease\n");
    assert_ne!(id(&sandbox), own, "this shell's, and only this");
    sandbox.unset("CREDSH_LEASE");
    sandbox.set("AWS_CONTAINER_CREDENTIALS_FULL_URI", &endpoint.uri());
    sandbox.credsh(&["export"]).ok();
    assert_eq!(sandbox.credsh(&["clear", "--all"]).stderr, "credsh: cleared 2 leases\n");
    assert_eq!(sandbox.stored(), ["clock"]);
    // What a killed process leaves behind is no lease, but holds secrets all the same.
    for name in [".new-killed", &format!("{own}.sh"), &format!("{own}.words")] {
        std::fs::write(sandbox.store().join(name), "").unwrap();
    }
    assert_eq!(sandbox.credsh(&["clear", "--all"]).status, 0);
    assert_eq!(std::fs::read_dir(sandbox.store()).unwrap().count(), 1);
    // A value from the environment does not become a path.
    let precious = sandbox.file("precious.json", "");
    sandbox.set("CREDSH_LEASE", "../../home/precious");
    sandbox.credsh(&["clear"]).fails(1, &["no lease is held"]);
    assert!(precious.exists());
}

/// As the hint suggests.
#[test]
fn a_shell_leaves_a_store_that_is_refused_for_another() {
    let endpoint = Endpoint::start(600);
    let mut sandbox = Sandbox::in_cloudshell(&endpoint);
    sandbox.credsh(&["export"]).ok();
    let own = sandbox.store();
    let words = [&format!("--store={}", own.display()), "--hooked=bash", "refresh"];
    std::fs::set_permissions(&own, std::fs::Permissions::from_mode(0o755)).unwrap();
    sandbox.credsh(&words).fails(1, &["is open to other users", "set XDG_RUNTIME_DIR"]);
    let other = sandbox.file("other/none", "").with_file_name("credsh");
    sandbox.set("XDG_RUNTIME_DIR", other.parent().unwrap().to_str().unwrap());
    let code = sandbox.credsh(&words).ok();
    assert!(code.starts_with(&format!("__credsh_move '{}'\n__credsh_adopt ", other.display())), "{code}");
    // But only for that reason.
    std::fs::set_permissions(&own, std::fs::Permissions::from_mode(0o700)).unwrap();
    assert!(sandbox.credsh(&words).ok().starts_with("__credsh_adopt "));
}

/// Even if a renewal is just writing its first lease.
#[test]
fn what_is_cleared_while_it_is_written_stays_cleared() {
    for clear in [&["clear"][..], &["clear", "--all"]] {
        let endpoint = Endpoint::start(600);
        let sandbox = Sandbox::in_cloudshell(&endpoint);
        let mut slow = sandbox.command(strace()[0]);
        slow.args(&strace()[1..]).args(["-o", "/dev/null", "-e", "inject=/^rename:delay_enter=2000000:when=4"]);
        let mut slow = slow.args([CREDSH, "refresh"]).stderr(Stdio::null()).spawn().unwrap();
        let written = |ending: &str| sandbox.stored().iter().any(|name| name.ends_with(ending));
        while !written(".words") {
            std::thread::sleep(Duration::from_millis(10));
        }
        assert!(!written(".json"), "the control");
        sandbox.credsh(clear);
        assert!(slow.wait().unwrap().success());
        assert_eq!(sandbox.stored(), ["clock"], "{clear:?}");
    }
}

#[test]
fn an_unchanged_answer_is_no_error_and_is_not_asked_for_again_at_once() {
    let endpoint = Endpoint::start(200);
    endpoint.rotate(Rotation::Never);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    let first = sandbox.credsh(&["export"]).ok();
    // Received 400 s ago, and so within the renewal window.
    edit(&sandbox, |lease| {
        lease["received"] = (lease["received"].as_i64().unwrap() - 400).into();
        lease["due"] = lease["asked"].clone();
    });
    for asked in [2, 2, 2] {
        assert_eq!(sandbox.credsh(&["export"]).ok(), first);
        assert_eq!(endpoint.count(), asked);
    }
    let status: serde_json::Value = serde_json::from_str(&sandbox.credsh(&["status", "--json"]).ok()).unwrap();
    let lease = &status["leases"][0];
    assert_eq!(
        (&lease["last_failure"], &lease["state"]),
        (&serde_json::Value::Null, &"due".into()),
        "it is as old as it was"
    );
    // --force does ask.
    let run = sandbox.credsh(&["refresh", "--force"]);
    assert_eq!((run.status, run.stderr.contains("failed"), endpoint.count()), (0, false, 3), "{run:?}");
}

fn spawn(sandbox: &Sandbox, args: &[&str]) -> Child {
    sandbox.command(CREDSH).args(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

#[test]
fn of_fifty_one_asks() {
    let endpoint = Endpoint::start(600);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    sandbox.credsh(&["export"]).ok();
    let fifty = |args: &[&str]| {
        end(&sandbox);
        endpoint.expire();
        let before = endpoint.count();
        let children: Vec<Child> = (0..50).map(|_| spawn(&sandbox, args)).collect();
        for child in children {
            Run::of(child.wait_with_output().unwrap()).ok();
        }
        endpoint.count() - before
    };
    endpoint.behave(Behaviour::Slow(Duration::from_millis(300)));
    assert_eq!(fifty(&["refresh"]), 1);
    assert!(sandbox.credsh(&["export"]).ok().contains("ASIATEST0002"));
    endpoint.behave(Behaviour::Good);
    assert!(fifty(&["refresh", "--force"]) > 1, "the control");
}

/// Before there is a lease to hold it, a failure is told to those who wait, and to nobody later.
#[test]
fn a_failure_is_shared_before_there_is_a_lease() {
    let endpoint = Endpoint::start(600);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    // A 503 is retried, which leaves time for others to begin waiting.
    endpoint.behave(Behaviour::Answer { status: 503, headers: String::new(), body: "busy".into() });
    let own = "credsh: the container endpoint (cloudshell) answered with status 503: busy\n";
    assert_eq!(sandbox.credsh(&["export"]).fails(5, &[]), own);
    let once = endpoint.count();
    let holder = spawn(&sandbox, &["export"]);
    while endpoint.count() == once {
        std::thread::sleep(Duration::from_millis(5));
    }
    let waiting = [&["export"][..], &["refresh"], &["hook", "--shell=bash", "--wait", "--source", "container"]]
        .map(|args| spawn(&sandbox, args));
    let run = |child: Child| Run::of(child.wait_with_output().unwrap());
    assert_eq!(run(holder).fails(5, &[]), own);
    for (child, begin) in waiting.into_iter().zip(["the renewal failed: ", "the renewal failed: ", ""]) {
        let run = run(child);
        assert_eq!((run.status, run.stderr), (5, own.replace("credsh: ", &format!("credsh: {begin}"))));
    }
    assert_eq!(endpoint.count(), 2 * once);
    let [lock] = &sandbox.stored().into_iter().filter(|name| name != "clock").collect::<Vec<_>>()[..] else { panic!() };
    let lock = sandbox.store().join(lock);
    let left = fs::read_to_string(&lock).unwrap();
    assert!(left.contains("busy") && !left.contains(endpoint::TOKEN) && mode(&lock) == 0o600, "{left}");
    assert_eq!(sandbox.credsh(&["export"]).fails(5, &[]), own);
    assert_eq!(endpoint.count(), 3 * once, "the control");
    // Nor can the file's owner have just any text shown: what no failure could contain is not taken for one.
    let held = fs::File::open(&lock).unwrap();
    held.lock().unwrap();
    let waiter = spawn(&sandbox, &["export"]);
    std::thread::sleep(Duration::from_millis(300));
    fs::write(&lock, left.replace("busy", "\\u001b[2J")).unwrap();
    drop(held);
    assert_eq!(run(waiter).fails(5, &[]), own);
}

/// What another was refused may be granted for a token that it does not have, and one that gave up early does not speak
/// for one that would have waited.
#[test]
fn a_failure_that_is_not_the_sources_is_not_shared() {
    let left = |sandbox: &Sandbox| {
        let lock = sandbox.stored().into_iter().find(|name| name.strip_suffix(".lock").is_some()).unwrap();
        fs::read_to_string(sandbox.store().join(lock)).unwrap()
    };
    let endpoint = Endpoint::start(600);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    endpoint.answer(503, "busy");
    sandbox.credsh(&["export"]).fails(5, &["busy"]);
    assert!(left(&sandbox).contains("busy"), "the control");
    sandbox.credsh(&["clear", "--all"]).ok();
    endpoint.answer(403, "not this token");
    sandbox.credsh(&["export"]).fails(4, &["not this token"]);
    assert!(left(&sandbox).contains(r#""failure":null"#), "{}", left(&sandbox));

    let sandbox = Sandbox::new();
    let answer = r#"{"Version":1,"AccessKeyId":"ASIASLOW","SecretAccessKey":"s","SessionToken":"t"}"#;
    let process = sandbox.file("process", &format!("echo >>~/ran\nsleep 3\necho '{answer}'\n"));
    sandbox.file(".aws/config", &format!("[profile slow]\ncredential_process = sh {}\n", process.display()));
    let mut hook = sandbox.command(CREDSH);
    hook.args(["hook", "--shell=bash", "--wait", "--profile=slow"]).env("CREDSH_WAIT", "2");
    let hook = hook.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    while !sandbox.home().join("ran").exists() {
        std::thread::sleep(Duration::from_millis(5));
    }
    let run = |child: Child| Run::of(child.wait_with_output().unwrap());
    let patient = spawn(&sandbox, &["export", "--profile", "slow"]);
    assert!(run(hook).stderr.contains("did not answer within 2 s"));
    assert!(run(patient).ok().contains("ASIASLOW"));
}

/// Whoever waits for as long as the other waits for its source is told the outcome.
#[test]
fn who_waits_for_a_wait_hears_what_came_of_it() {
    let endpoint = Endpoint::start(600);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    endpoint.behave(Behaviour::Hang(Duration::from_secs(60)));
    let hook = |wait: &str| {
        let mut hook = sandbox.command(CREDSH);
        hook.args(["hook", "--shell=bash", "--wait", "--source", "container"]).env("CREDSH_WAIT", wait);
        hook.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let first = hook("2.2");
    while endpoint.count() == 0 {
        std::thread::sleep(Duration::from_millis(5));
    }
    let second = hook("2");
    for child in [first, second] {
        let run = Run::of(child.wait_with_output().unwrap());
        assert!(run.stderr.contains("the container endpoint (cloudshell) did not answer within 2 s"), "{run:?}");
    }
    assert_eq!(endpoint.count(), 1);
}

/// Each of the lease's files is the old one or the new one, whole, and the next process renews.
#[test]
fn killed_while_renewing() {
    let endpoint = Endpoint::start(600);
    endpoint.rotate(Rotation::Always);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    sandbox.credsh(&["export"]).ok();
    let id = id(&sandbox);
    let read = |ending: &str| fs::read_to_string(sandbox.store().join(format!("{id}.{ending}"))).unwrap();
    let (mut killed, mut left_over) = (0, BTreeSet::new());
    for round in 0..200 {
        let before = endpoint.count();
        let mut child = spawn(&sandbox, &["refresh", "--force"]);
        // Half of them are killed on the way to the answer, half while it is being written.
        if round % 2 == 0 {
            std::thread::sleep(Duration::from_micros(60 * round));
        } else {
            while endpoint.count() == before {
                std::thread::sleep(Duration::from_micros(100));
            }
            std::thread::sleep(Duration::from_micros(15 * round));
        }
        let _ = child.kill();
        killed += usize::from(!child.wait().unwrap().success());
        let lease: serde_json::Value = serde_json::from_str(&read("json")).unwrap();
        assert_eq!(lease["request"]["source"]["container"]["uri"], endpoint.uri());
        for ending in ["sh", "fish"] {
            let text = read(ending);
            assert!(
                text.starts_with(&format!("__credsh_adopt '{id}' 'cloudshell' 'ASIATEST"))
                    && text.matches("' '").count() == 13
                    && text.ends_with("'\n"),
                "{text}"
            );
        }
        left_over.extend(sandbox.stored().into_iter().filter(|name| name.starts_with(".new-")));
    }
    assert!(killed > 0, "the control");
    eprintln!("{killed} of 200 were killed, {} left a temporary file", left_over.len());
    end(&sandbox);
    let before = endpoint.count();
    let run = sandbox.credsh(&["refresh"]);
    assert_eq!(run.status, 0, "{run:?}");
    assert_eq!(endpoint.count(), before + 1);
    // What they left is private, and is removed once it cannot be anyone's any more.
    for name in &left_over {
        let path = sandbox.store().join(name);
        assert_eq!(mode(&path), 0o600, "{name}");
        let long_ago = std::time::SystemTime::now() - Duration::from_secs(90);
        fs::File::options().write(true).open(path).unwrap().set_modified(long_ago).unwrap();
    }
    sandbox.credsh(&["refresh", "--force"]).ok();
    assert!(!sandbox.stored().iter().any(|name| name.starts_with(".new-")), "{:?}", sandbox.stored());
}

/// A temporary file's age is told by the clock of whoever dates it: a file server's may be minutes behind.
#[test]
fn what_is_being_written_is_left_alone() {
    let endpoint = Endpoint::start(600);
    let mut sandbox = Sandbox::in_cloudshell(&endpoint);
    let clock = Clock::of(&mut sandbox);
    sandbox.credsh(&["export"]).ok();
    let file = sandbox.store().join(".new-another");
    fs::write(&file, "").unwrap();
    clock.set(300);
    sandbox.credsh(&["refresh", "--force"]).ok();
    assert!(file.exists());
    let long_ago = std::time::SystemTime::now() - Duration::from_secs(90);
    fs::File::options().write(true).open(&file).unwrap().set_modified(long_ago).unwrap();
    sandbox.credsh(&["refresh", "--force"]).ok();
    assert!(!file.exists(), "the control");
}

/// A failing process may recover without anyone's doing, like an endpoint that is away; a refusal needs somebody.
#[test]
fn how_long_a_failure_keeps_from_asking() {
    let endpoint = Endpoint::start(600);
    let process = Sandbox::new();
    let file = process.file("keys.json", "");
    let end = rfc3339(now() + 600);
    let keys = format!(
        r#"{{"Version":1,"AccessKeyId":"ASIAP","SecretAccessKey":"s","SessionToken":"t","Expiration":"{end}"}}"#
    );
    fs::write(&file, keys).unwrap();
    process.file(".aws/config", &format!("[default]\ncredential_process = cat {}\n", file.display()));
    let container = Sandbox::in_cloudshell(&endpoint);
    for sandbox in [&process, &container] {
        sandbox.credsh(&["refresh"]).ok();
        edit(sandbox, |lease| {
            for name in ["received", "expires", "due", "asked"] {
                lease[name] = 1_000_000.into();
            }
            lease["failures"] = 9.into();
        });
    }
    fs::remove_file(file).unwrap();
    process.credsh(&["refresh"]).fails(1, &["credential_process exited with status 1"]);
    endpoint.behave(Behaviour::Answer { status: 403, headers: String::new(), body: String::new() });
    container.credsh(&["refresh"]).fails(4, &["status 403"]);
    for (sandbox, pauses) in [(process, 6..=10), (container, 48..=72)] {
        let text = fs::read_to_string(sandbox.store().join(format!("{}.json", id(&sandbox)))).unwrap();
        let lease: serde_json::Value = serde_json::from_str(&text).unwrap();
        let pause = lease["due"].as_i64().unwrap() - lease["asked"].as_i64().unwrap();
        assert!(pauses.contains(&pause), "{pause}: {text}");
    }
}

/// An expired lease, and a process that renews it: it holds the lock, and waits for the endpoint.
fn with_a_holder() -> (Endpoint, Sandbox, Child) {
    let endpoint = Endpoint::start(600);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    sandbox.credsh(&["export"]).ok();
    end(&sandbox);
    endpoint.behave(Behaviour::Hang(Duration::from_secs(60)));
    let holder = spawn(&sandbox, &["refresh"]);
    while endpoint.count() < 2 {
        std::thread::sleep(Duration::from_millis(5));
    }
    (endpoint, sandbox, holder)
}

/// A holder that hangs is waited for; one that was killed is not.
#[test]
fn a_lock_dies_with_its_holder() {
    let (endpoint, sandbox, mut holder) = with_a_holder();
    endpoint.behave(Behaviour::Good);
    endpoint.expire();
    let mut waiter = spawn(&sandbox, &["refresh"]);
    std::thread::sleep(Duration::from_millis(200));
    assert!(waiter.try_wait().unwrap().is_none(), "the control: it waits");
    assert_eq!(endpoint.count(), 2);
    holder.kill().unwrap();
    holder.wait().unwrap();
    let run = Run::of(waiter.wait_with_output().unwrap());
    assert_eq!(run.status, 0, "{run:?}");
    assert_eq!(endpoint.count(), 3);
}

/// What the hook runs before a command, with this many seconds to wait.
fn hook(sandbox: &Sandbox, wait: u32) -> std::process::Command {
    let mut command = sandbox.command(CREDSH);
    command.args(["hook", "--shell=bash", &format!("--lease={}", id(sandbox)), "--wait"]);
    command.env("CREDSH_WAIT", wait.to_string());
    command
}

/// It looks like one that works slowly. Whoever comes is held up once, for as long as it is ready to wait, and all is
/// well when the holder goes on.
#[test]
fn a_lock_whose_holder_is_stopped() {
    let (endpoint, sandbox, mut holder) = with_a_holder();
    signal(holder.id(), "STOP");
    let run = Run::of(hook(&sandbox, 1).output().unwrap());
    let process = format!("process {}", holder.id());
    assert_eq!(
        run.stderr,
        format!(
            "credsh: another credsh ({process}) is renewing this lease, and did not finish within 1 s; if it is a stopped job, resume it with `fg`, or end {process}\n"
        )
    );
    let lines: Vec<&str> = run.stdout.lines().collect();
    assert!(
        matches!(lines[..], [heard, defer] if heard.starts_with("__credsh_heard ") && defer.starts_with("__credsh_defer ")),
        "{run:?}"
    );
    assert_eq!(run.status, 5);
    // In the background nothing is waited for.
    let mut background = sandbox.command(CREDSH);
    background.args(["hook", "--detached", "--shell=bash", &format!("--lease={}", id(&sandbox))]);
    background.output().unwrap();
    // Credentials that are good for another half a minute are handed out.
    let soon = now() + 30;
    edit(&sandbox, |lease| {
        (lease["received"], lease["asked"], lease["expires"]) = ((soon - 600).into(), (soon - 600).into(), soon.into());
    });
    let run = Run::of(hook(&sandbox, 1).output().unwrap());
    let lines: Vec<&str> = run.stdout.lines().collect();
    assert!(
        matches!(lines[..], [adopt, defer] if adopt.starts_with("__credsh_adopt ") && defer.starts_with("__credsh_defer ")),
        "with a pause, or the next command would wait again: {run:?}"
    );
    assert_eq!((run.status, run.stderr.as_str(), endpoint.count()), (0, "", 2), "nobody has asked meanwhile");
    end(&sandbox);
    endpoint.behave(Behaviour::Good);
    endpoint.expire();
    signal(holder.id(), "CONT");
    assert_eq!(holder.wait().unwrap().code(), Some(5), "its own question was lost");
    assert!(Run::of(hook(&sandbox, 3).output().unwrap()).ok().contains("ASIATEST0002"));
}

/// However soon its answer is due again, as here with a slow disk: there is no better one, and in a pause commands would
/// run with expired credentials.
#[test]
fn a_wait_that_renewed_is_followed_by_no_pause() {
    let endpoint = Endpoint::start(4);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    sandbox.credsh(&["export"]).ok();
    end(&sandbox);
    endpoint.rotate(Rotation::Always);
    let mut watched = sandbox.command(strace()[0]);
    watched.args(&strace()[1..]).args(["-o", "/dev/null", "-e", "inject=/^rename:delay_enter=3000000:when=1"]);
    watched.arg(CREDSH).args(hook(&sandbox, 20).get_args()).env("CREDSH_WAIT", "20");
    let run = Run::of(watched.output().unwrap());
    let over = now();
    assert_eq!((run.status, run.stderr.as_str(), endpoint.count()), (0, "", 2));
    let [adopt] = run.stdout.lines().collect::<Vec<_>>()[..] else { panic!("{run:?}") };
    let words: Vec<&str> = adopt.split(' ').map(|word| word.trim_matches('\'')).collect();
    assert_eq!((words[0], words[3]), ("__credsh_adopt", "ASIATEST0002"), "{adopt}");
    assert!(words[10].parse::<i64>().unwrap() <= over, "the control: it is due: {adopt}");
    // Nor is there a pause if the lease turns out to be fresh already.
    endpoint.live(600);
    sandbox.credsh(&["refresh", "--force"]).ok();
    edit(&sandbox, |lease| lease["asked"] = (now() - 30).into());
    let fresh = Run::of(hook(&sandbox, 20).output().unwrap()).ok();
    assert!(fresh.starts_with("__credsh_adopt ") && fresh.lines().count() == 1, "{fresh}");
    assert_eq!(endpoint.count(), 3);
}

/// The wait for the lock and the wait for the source share one limit.
#[test]
fn what_the_lock_has_taken_the_source_does_not_get() {
    let (endpoint, sandbox, mut holder) = with_a_holder();
    signal(holder.id(), "STOP");
    let waiter = hook(&sandbox, 4).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    std::thread::sleep(Duration::from_secs(2));
    holder.kill().unwrap();
    holder.wait().unwrap();
    let run = Run::of(waiter.wait_with_output().unwrap());
    assert_eq!(endpoint.count(), 3, "the control: {run:?}");
    let told = run.stderr.strip_prefix("credsh: the container endpoint (cloudshell) did not answer within ");
    let seconds = told.and_then(|rest| rest.split(' ').next()?.parse::<u32>().ok());
    assert!(seconds.is_some_and(|seconds| seconds < 4), "{run:?}");
}

/// The source gets less than a second, which is reported as 1 s.
#[test]
fn no_wait_is_told_of_as_none() {
    let (endpoint, sandbox, mut holder) = with_a_holder();
    let waiter = hook(&sandbox, 1).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(900));
    holder.kill().unwrap();
    holder.wait().unwrap();
    let run = Run::of(waiter.wait_with_output().unwrap());
    assert_eq!(endpoint.count(), 3, "the control: {run:?}");
    assert!(run.stderr.starts_with("credsh: the container endpoint (cloudshell) did not answer within 1 s"), "{run:?}");
}

/// --force must not succeed because another is renewing. (It waits half a minute, as a person has patience.)
#[test]
fn a_lock_that_is_not_let_go_of_is_told_of() {
    let endpoint = Endpoint::start(600);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    sandbox.credsh(&["refresh"]).ok();
    let lock = fs::File::create(sandbox.store().join(format!("{}.lock", id(&sandbox)))).unwrap();
    lock.lock().unwrap();
    let run = sandbox.credsh(&["refresh", "--force"]);
    let wanted = "credsh: another credsh is renewing this lease, and did not finish within 30 s\nhint: if it is a stopped job, resume it with `fg`, or end it\ncredsh: the current credentials are kept: cloudshell ";
    assert!(run.status == 5 && run.stderr.starts_with(wanted), "{run:?}");
    assert_eq!(endpoint.count(), 1);
}

#[test]
fn what_cannot_be_read_is_set_aside_by_who_wants_it() {
    let endpoint = Endpoint::start(600);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    sandbox.credsh(&["refresh"]).ok();
    let id = id(&sandbox);
    fs::write(sandbox.store().join(format!("{id}.json")), "{").unwrap();
    sandbox.credsh(&["status"]).ok();
    // A renewal of another lease tidies up.
    sandbox.credsh(&["refresh", "--region", "eu-west-1"]).ok();
    assert_eq!(fs::read_to_string(sandbox.store().join(format!("{id}.json"))).unwrap(), "{");
    let run = sandbox.credsh(&["refresh"]);
    assert!(run.stderr.contains("could not be read; it was set aside as "), "{run:?}");
    assert!(sandbox.stored().contains(&format!("{id}.broken")));
}

/// Otherwise the renewal under way would be dropped, as if the lease had been cleared.
#[test]
fn a_lease_that_somebody_renews_is_not_tidied_away() {
    let endpoint = Endpoint::start(600);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    sandbox.credsh(&["refresh"]).ok();
    let old = id(&sandbox);
    end(&sandbox);
    let lock = fs::File::create(sandbox.store().join(format!("{old}.lock"))).unwrap();
    lock.lock().unwrap();
    sandbox.credsh(&["refresh", "--region", "eu-west-1"]).ok();
    assert!(sandbox.ids().contains(&old));
    drop(lock);
    sandbox.credsh(&["refresh", "--force", "--region", "eu-west-1"]).ok();
    assert!(!sandbox.ids().contains(&old), "the control");
}

/// A metadata endpoint has the same address on every machine, and machines may share a home.
#[test]
fn another_machine_has_a_lease_of_its_own() {
    let endpoint = Endpoint::start(600);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    sandbox.credsh(&["export"]).ok();
    let script = "hostname elsewhere && exec \"$0\" export";
    let elsewhere = || {
        let mut command = sandbox.command("unshare");
        Run::of(command.args(["--map-root-user", "--uts", "sh", "-c", script, CREDSH]).output().unwrap()).ok()
    };
    elsewhere();
    assert_eq!((sandbox.ids().len(), endpoint.count()), (2, 2));
    elsewhere();
    assert_eq!(endpoint.count(), 2, "which it finds again");
}

/// The variables are the shell's own, and go whatever is wrong with the store.
#[test]
fn clear_lets_go_where_the_store_is_refused() {
    let endpoint = Endpoint::start(600);
    let mut sandbox = Sandbox::in_cloudshell(&endpoint);
    sandbox.credsh(&["refresh"]).ok();
    sandbox.set("CREDSH_LEASE", &id(&sandbox));
    set_mode(&sandbox.store(), 0o755);
    let run = sandbox.credsh(&["--hooked", "bash", "clear"]);
    assert_eq!((run.status, run.stdout.trim()), (1, "__credsh_drop"), "{run:?}");
}

/// A shell that was switched to it keeps to it, even if it was started with --no-store and another source.
#[test]
fn what_is_stored_goes_before_words_with_no_store() {
    let endpoint = Endpoint::start(600);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    sandbox.file(
        ".aws/credentials",
        "[other]\naws_access_key_id = ASIAOTHER\naws_secret_access_key = s\naws_session_token = t\n",
    );
    sandbox.credsh(&["refresh"]).ok();
    let id = id(&sandbox);
    end(&sandbox);
    let hook = |lease: &str, wait: &[&str]| {
        let words = ["hook", "--shell", "bash", "--no-store", "--profile", "other", "--lease", lease];
        sandbox.credsh(&[&words[..], wait].concat()).ok()
    };
    let out = hook(&id, &["--wait"]);
    assert!(out.contains("cloudshell") && !out.contains("ASIAOTHER"), "{out}");
    let requests = endpoint.count();
    end(&sandbox);
    assert_eq!(hook(&id, &[]), "");
    let until = std::time::Instant::now() + Duration::from_secs(20);
    while endpoint.count() == requests && std::time::Instant::now() < until {
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(endpoint.count(), requests + 1, "in the background too");
    assert!(hook("0123456789abcdef", &["--wait"]).contains("ASIAOTHER"), "the control");
}
