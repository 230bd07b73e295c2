//! The command line from outside: what is printed where, and with which status.

mod support;

use support::pty::{Session, Shell};
use support::sts::Sts;
use support::{CREDSH, Run, Sandbox, endpoint::Endpoint};

#[test]
fn export_prints_the_credentials_and_nothing_else() {
    let endpoint = Endpoint::start(600);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    let run = sandbox.credsh(&["export"]);
    assert_eq!(run.stderr, "");
    let out = run.ok();
    assert!(out.starts_with("export AWS_ACCESS_KEY_ID='ASIATEST0001'\nexport AWS_SECRET_ACCESS_KEY='test-secret-1'\nexport AWS_SESSION_TOKEN='test-token-1'\nexport AWS_CREDENTIAL_EXPIRATION='"), "{out}");
    sandbox.credsh(&["export"]).ok();
    assert_eq!(endpoint.count(), 1, "the second came from the store");
}

#[test]
fn the_formats() {
    let endpoint = Endpoint::start(600);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    endpoint.field("SecretAccessKey", r#""it's $(not) \\ \"run\"""#);
    let end = sandbox.credsh(&["export"]).ok().split("EXPIRATION='").nth(1).unwrap().trim_end_matches("'\n").to_owned();
    assert_eq!(
        sandbox.credsh(&["export", "--prefix", "TEMPORARY_"]).ok(),
        format!(
            "export TEMPORARY_AWS_ACCESS_KEY_ID='ASIATEST0001'\nexport TEMPORARY_AWS_SECRET_ACCESS_KEY='it'\\''s $(not) \\ \"run\"'\nexport TEMPORARY_AWS_SESSION_TOKEN='test-token-1'\nexport TEMPORARY_AWS_CREDENTIAL_EXPIRATION='{end}'\n"
        )
    );
    assert_eq!(
        sandbox.credsh(&["export", "--format", "fish"]).ok(),
        format!(
            "set -gx AWS_ACCESS_KEY_ID 'ASIATEST0001'\nset -gx AWS_SECRET_ACCESS_KEY 'it\\'s $(not) \\\\ \"run\"'\nset -gx AWS_SESSION_TOKEN 'test-token-1'\nset -gx AWS_CREDENTIAL_EXPIRATION '{end}'\n"
        )
    );
    let json: serde_json::Value = serde_json::from_str(&sandbox.credsh(&["export", "--format", "json"]).ok()).unwrap();
    let wanted = serde_json::json!({ "Version": 1, "AccessKeyId": "ASIATEST0001", "SecretAccessKey": "it's $(not) \\ \"run\"", "SessionToken": "test-token-1", "Expiration": end });
    assert_eq!(json, wanted);
    // Each is also read as it was meant by the shell it is for.
    for (shell, line) in [
        ("bash", "eval \"$(credsh export)\"; printenv AWS_SECRET_ACCESS_KEY"),
        ("zsh", "eval \"$(credsh export)\"; printenv AWS_SECRET_ACCESS_KEY"),
        ("fish", "credsh export --format fish | source; printenv AWS_SECRET_ACCESS_KEY"),
    ] {
        let out = Run::of(sandbox.command(shell).args(["-c", line]).output().unwrap()).ok();
        assert_eq!(out, "it's $(not) \\ \"run\"\n", "{shell}");
    }
}

/// A command's own help opens with the words of the list of commands. clap would show a flag struct's doc comment
/// instead, if there were one.
#[test]
fn help_says_the_same_of_a_command_everywhere() {
    let sandbox = Sandbox::new();
    let list = sandbox.credsh(&["--help"]).ok();
    let lines = list.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    // Joins the lines that were wrapped, as a description is longer than the terminal is wide.
    let joined = lines.replace("\n            ", " ");
    let mut seen = 0;
    for (name, told) in joined.lines().filter_map(|line| line.trim().split_once("  ")) {
        let own = sandbox.credsh(&[name, "--help"]).ok();
        let first = own.split("\n\n").next().unwrap().split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(first, told.split_whitespace().collect::<Vec<_>>().join(" "), "{name}");
        seen += 1;
    }
    assert!(seen >= 14, "{list}");
}

#[test]
fn a_reader_that_has_seen_enough() {
    let endpoint = Endpoint::start(600);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    for args in [
        "export",
        "export --format json",
        "init bash",
        "completions bash",
        "status",
        "--help",
        "export --help",
        "--version",
    ] {
        // The reader is gone before anything is written.
        let line = format!("{{ sleep 0.2; credsh {args}; echo $? >status; }} | true; cat status");
        let run = Run::of(
            sandbox
                .command("sh")
                .args(["-c", &format!("({line}) 2>&1; wait; while [ ! -s status ]; do :; done; cat status; rm status")])
                .output()
                .unwrap(),
        );
        assert_eq!(run.stdout.lines().last(), Some("0"), "{args}: {run:?}");
        assert!(!run.stdout.contains("panicked"), "{args}: {run:?}");
    }
    let out = Run::of(sandbox.command("sh").args(["-c", "credsh export | head -1"]).output().unwrap());
    assert_eq!((out.stdout.as_str(), out.stderr.as_str()), ("export AWS_ACCESS_KEY_ID='ASIATEST0001'\n", ""));
}

#[test]
fn an_output_that_is_full_is_a_failure() {
    let endpoint = Endpoint::start(600);
    let run = Run::of(
        Sandbox::in_cloudshell(&endpoint).command("sh").args(["-c", "credsh export >/dev/full"]).output().unwrap(),
    );
    run.fails(1, &["credsh: cannot write to standard output: no space left on device\n"]);
}

#[test]
fn status_as_a_table_and_as_json() {
    let endpoint = Endpoint::start(600);
    let mut sandbox = Sandbox::in_cloudshell(&endpoint);
    let run = sandbox.credsh(&["status"]);
    assert_eq!((run.status, run.stdout.as_str()), (0, ""));
    assert_eq!(
        run.stderr,
        "credsh: no lease is held\nhint: `credsh refresh` gets one; `credsh init --help` shows how a shell keeps it fresh\n"
    );
    assert_eq!(sandbox.credsh(&["status", "--json"]).ok(), "{\n  \"leases\": []\n}\n");

    sandbox.credsh(&["export"]).ok();
    let all: serde_json::Value = serde_json::from_str(&sandbox.credsh(&["status", "--json"]).ok()).unwrap();
    let lease = &all["leases"][0];
    let mut names: Vec<&String> = lease.as_object().unwrap().keys().collect();
    names.sort();
    assert_eq!(
        names,
        [
            "access_key_id",
            "current",
            "expiration",
            "id",
            "last_failure",
            "next_renewal",
            "received",
            "renewal_window",
            "seconds_left",
            "source",
            "state"
        ]
    );
    assert_eq!(
        (&lease["source"], &lease["state"], &lease["current"]),
        (&"cloudshell".into(), &"fresh".into(), &false.into())
    );
    let (id, end) = (lease["id"].as_str().unwrap(), lease["expiration"].as_str().unwrap());

    let table = |sandbox: &Sandbox| sandbox.credsh(&["status"]).ok().lines().map(str::to_owned).collect::<Vec<_>>();
    let lines = table(&sandbox);
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert_eq!(lines[0], "  SOURCE      LEFT     EXPIRES               STATE      LEASE           ");
    let left =
        lines[1].strip_prefix("  cloudshell  ").unwrap().strip_suffix(&format!("  {end}  fresh      {id}")).unwrap();
    assert!(["9m     ", "10m    "].contains(&left), "{lines:?}");

    sandbox.set("CREDSH_LEASE", id);
    endpoint.answer(400, "\u{1b}[31mno");
    sandbox.credsh(&["refresh", "--force"]).fails(4, &["kept"]);
    let lines = table(&sandbox);
    assert!(lines[1].starts_with("* cloudshell  "), "{lines:?}");
    assert_eq!(
        lines[2],
        "    last renewal failed: the container endpoint (cloudshell) answered with status 400: [31mno"
    );
    let text = sandbox.credsh(&["status"]).ok() + &sandbox.credsh(&["status", "--json"]).ok();
    assert!(!text.contains("test-secret") && !text.contains("test-token") && !text.contains('\u{1b}'), "{text}");
}

#[test]
fn the_prompt_is_this_shells_lease_and_asks_nobody() {
    let endpoint = Endpoint::start(600);
    let mut sandbox = Sandbox::in_cloudshell(&endpoint);
    let run = sandbox.credsh(&["prompt"]);
    assert_eq!((run.status, run.stdout.as_str(), run.stderr.as_str()), (0, "", ""));
    sandbox.credsh(&["export"]).ok();
    assert_eq!(sandbox.credsh(&["prompt"]).ok(), "", "no lease of this shell's");
    let id = sandbox.stored().iter().find_map(|name| name.strip_suffix(".json").map(str::to_owned)).unwrap();
    sandbox.set("CREDSH_LEASE", &id);
    let text = sandbox.credsh(&["prompt"]).ok();
    assert!(["cloudshell 9m\n", "cloudshell 10m\n"].contains(&text.as_str()), "{text}");
    for odd in ["../../etc/passwd", "x", "0000000000000000", ""] {
        sandbox.set("CREDSH_LEASE", odd);
        assert_eq!(sandbox.credsh(&["prompt"]).ok(), "", "{odd}");
    }
    assert_eq!(endpoint.count(), 1);
}

#[test]
fn a_label_cannot_inject_into_a_prompt() {
    let (endpoint, sts) = (Endpoint::start(600), support::sts::Sts::start());
    let sandbox = Sandbox::in_cloudshell(&endpoint).with("AWS_ENDPOINT_URL_STS", &sts.url());
    let role = "arn:aws:iam::123456789012:role/path/$(id)`x`%F{red}\\w;!h'\"=,.@-";
    let run = sandbox.credsh(&["refresh", "--role", role]);
    assert!(run.stderr.starts_with("credsh: renewed: role:__id__x__F_red__w__h__=,.@- "), "{run:?}");
    assert_eq!(sts.call().get("RoleArn"), role, "what is asked for is as it was typed");
}

/// Without a command it shows its usage, also behind the `--store` that the hook's `credsh` function adds.
#[test]
fn the_name_alone_is_a_call_for_help() {
    let sandbox = Sandbox::new();
    let (bare, hooked) = (sandbox.credsh(&[]), sandbox.credsh(&["--store=/nowhere/credsh"]));
    assert!(format!("{bare:?}").contains("Usage: credsh"), "{bare:?}");
    assert_eq!(format!("{bare:?}"), format!("{hooked:?}"));
}

#[test]
fn help_has_examples_for_each_command() {
    let sandbox = Sandbox::new();
    let main = sandbox.credsh(&["--help"]).ok();
    let commands: Vec<&str> = main
        .split("Commands:\n")
        .nth(1)
        .unwrap()
        .lines()
        .take_while(|line| !line.is_empty())
        .map(|line| line.split_whitespace().next().unwrap())
        .collect();
    assert_eq!(
        commands,
        [
            "init",
            "refresh",
            "export",
            "exec",
            "docker",
            "whoami",
            "doctor",
            "profile",
            "status",
            "prompt",
            "clear",
            "completions",
            "demo",
            "template",
            "script"
        ]
    );
    assert!(main.contains("\nExamples:\n"));
    for command in commands {
        let help = sandbox.credsh(&[command, "--help"]).ok();
        let examples = help.split("\nExamples:\n").nth(1).unwrap_or_else(|| panic!("{command} has none"));
        assert!(
            examples.lines().all(|line| line.starts_with("  ") && line.contains(&format!("credsh {command}"))),
            "{examples}"
        );
    }
}

/// Each command that takes --no-store explains it in its help, and where there is a hook says what it means to that; the
/// README names all of them.
#[test]
fn no_store_is_told_of_where_it_is() {
    let sandbox = Sandbox::new();
    let help = sandbox.credsh(&["--help"]).ok();
    let commands = help.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    let (mut all, mut hooks) = (Vec::new(), Vec::new());
    for name in commands.lines().filter_map(|line| line.strip_prefix("  ")?.split_once(' ')).map(|(name, _)| name) {
        let help = if name.is_empty() { String::new() } else { sandbox.credsh(&[name, "--help"]).ok() };
        let words = help.split_whitespace().collect::<Vec<_>>().join(" ");
        if words.contains("--no-store Store nothing on disk, and use no stored credentials") {
            all.push(format!("`{name}`"));
            hooks.extend(
                words
                    .contains(
                        "hook does not renew in the background, only before a command, once less than a minute is left",
                    )
                    .then_some(name),
            );
        }
    }
    assert_eq!(hooks, ["init", "refresh"]);
    let (last, first) = all.split_last().unwrap();
    let named = format!("`--no-store` on {} and {last} keeps nothing on disk", first.join(", "));
    let readme = include_str!("../README.md").split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(readme.contains(&named), "{named}");
}

/// `credsh help NAME` prints what `credsh NAME --help` does, also behind the `--store` of the hook's function.
#[test]
fn help_is_had_by_the_word_as_well() {
    let sandbox = Sandbox::new();
    for (asked, flag) in [
        (&["help"][..], &["--help"][..]),
        (&["help", "refresh"], &["refresh", "--help"]),
        (&["help", "profile", "add"], &["profile", "add", "--help"]),
        (&["help", "help"], &["--help"]),
    ] {
        let text = sandbox.credsh(flag).ok();
        assert_eq!(sandbox.credsh(asked).ok(), text, "{asked:?}");
        assert_eq!(sandbox.credsh(&[&["--store=/nowhere/credsh"], asked].concat()).ok(), text, "{asked:?}");
    }
    sandbox.credsh(&["help", "refesh"]).fails(2, &["unrecognized subcommand 'refesh'", "'refresh'"]);
    sandbox.credsh(&["profile", "remove", "help"]).fails(1, &["profile help in"]);
}

/// The examples in the help work as printed, together with what is printed there to prepare them.
#[test]
fn examples_work_as_they_are_typed() {
    let endpoint = Endpoint::start(600);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    let lines = |command: &str| -> Vec<String> {
        let help = sandbox.credsh(&[command, "--help"]).ok();
        let told = help.split_once("\n\nOptions:").unwrap().1.split_once("\n\n").unwrap().1;
        told.lines().filter_map(|line| line.strip_prefix("  ")).map(str::to_owned).collect()
    };
    let all = lines("completions");
    let typed: Vec<_> = all.iter().filter(|line| !line.starts_with("fpath")).cloned().collect();
    Run::of(sandbox.command("sh").args(["-euc", &typed.join("\n")]).output().unwrap()).ok();
    let fpath = all.iter().find(|line| line.starts_with("fpath")).unwrap();
    for (shell, code) in [
        ("zsh", &*format!("{fpath}; autoload -Uz compinit; compinit -u; print $_comps[credsh]")),
        ("fish", "complete -C 'credsh refr' | string match -q 'refresh*'; and echo _credsh"),
        ("bash", ". ~/.local/share/bash-completion/completions/credsh; complete -p credsh | grep -o '_credsh'"),
    ] {
        assert_eq!(Run::of(sandbox.command(shell).args(["-c", code]).output().unwrap()).ok(), "_credsh\n", "{shell}");
    }
    sandbox.credsh(&["refresh"]).ok();
    let id = &sandbox.ids()[0];
    let example = lines("prompt").into_iter().find(|line| line.contains("CREDSH_LEASE=ID")).unwrap();
    let line = example.split("  ").next().unwrap().replace("ID", id);
    let text = Run::of(sandbox.command("sh").args(["-euc", &line]).output().unwrap()).ok();
    assert!(text.starts_with("cloudshell "), "{text}");
}

#[test]
fn typos_are_usage_errors_that_name_the_flag() {
    let sandbox = Sandbox::new();
    let role = "arn:aws:iam::123456789012:role/deploy";
    let cases: [(&[&str], &[&str]); 25] = [
        (&["frobnicate"], &["credsh: unrecognized subcommand 'frobnicate'\n"]),
        (
            &["refesh"],
            &["credsh: unrecognized subcommand 'refesh'\n", "hint: a similar subcommand exists: 'refresh'\n"],
        ),
        (
            &["export", "--formt", "json"],
            &["credsh: unexpected argument '--formt' found\n", "hint: a similar argument exists: '--format'\n"],
        ),
        (
            &["export", "--format", "yaml"],
            &[
                "credsh: invalid value 'yaml' for '--format <FORMAT>'",
                "hint: one of env, env-no-export, fish, process, json, env-file, ini,",
            ],
        ),
        (&["export", "--prefix", "A-B"], &["'--prefix <PREFIX>'", "letters, digits and _"]),
        (&["export", "--prefix", "1A"], &["'--prefix <PREFIX>'"]),
        (&["init"], &["<SHELL>"]),
        (
            &["init", "tcsh"],
            &["invalid value 'tcsh' for '<SHELL>'", "hint: one of bash, zsh, fish, nu, elvish, xonsh, powershell\n"],
        ),
        (
            &["refresh", "--role", "deploy"],
            &["'--role <ARN>'", "not a role ARN such as arn:aws:iam::123456789012:role/NAME"],
        ),
        (
            &["refresh", "--role", role, "--duration", "5m"],
            &["'--duration <TIME>'", "AWS accepts 15 minutes (900) to 12 hours (43200)"],
        ),
        (&["refresh", "--role", role, "--duration", "an hour"], &["'--duration <TIME>'", "15m or 1h"]),
        (&["refresh", "--role", role, "--session-name", "a b"], &["'--session-name <NAME>'", "2 to 64 letters"]),
        (&["refresh", "--role", role, "--external-id", "x"], &["'--external-id <ID>'", "2 to 1224 letters"]),
        (
            &["refresh", "--role", role, "--region", "eu/central"],
            &["'--region <REGION>'", "not a region name such as eu-central-1"],
        ),
        (&["refresh", "--session-name", "me"], &["--role <ARN>"]),
        (&["refresh", "--external-id", "xx"], &["--role <ARN>"]),
        (
            &["refresh", "--source", "moon"],
            &["'--source <KIND>'", "hint: one of container, profile, sso, web-identity, process, cloud9, ec2, env\n"],
        ),
        (&["refresh", "--force", "--force"], &["'--force'"]),
        (&["completions", "cmd"], &["invalid value 'cmd' for '<SHELL>'"]),
        (
            &["exec", "--profile", "dev", "aws", "s3", "ls"],
            &["credsh: unexpected argument 'aws' found\nhint: `--` goes before the command, as in `-- aws`\n"],
        ),
        (&["docker", "run", "image"], &["'run' found\nhint: `--` goes before the command, as in `-- run`\n"]),
        (&["exec", "--min-life", "13h", "--", "true"], &["at most 12 hours (43200)"]),
        (&["exec", "--min-life", "soon", "--", "true"], &["expected seconds, or a number with m or h"]),
        (&["clear", "--all", "--profile", "dev"], &["the argument '--all' cannot be used with", "--profile <NAME>"]),
        (&["clear", "--role", role, "--all"], &["cannot be used with"]),
    ];
    for (args, parts) in cases {
        let text = sandbox.credsh(args).fails(2, parts);
        assert!(
            text.starts_with("credsh: ") && text.ends_with("hint: see `credsh --help`, or --help after a command\n"),
            "{text}"
        );
    }
    for args in [&["exec", "--profle", "dev", "--", "true"][..], &["status", "aws"]] {
        let text = sandbox.credsh(args).fails(2, &["unexpected argument"]);
        assert!(!text.contains("goes before the command"), "{text}");
    }
    let run = sandbox.credsh(&[]);
    assert_eq!(
        (run.status, run.stdout.as_str(), run.stderr.contains("Usage: credsh <COMMAND>")),
        (2, "", true),
        "{run:?}"
    );
}

#[test]
fn a_duration_that_nobody_can_keep_names_the_flag() {
    let endpoint = Endpoint::start(600);
    let text = Sandbox::in_cloudshell(&endpoint).credsh(&["export", "--duration", "1h"]).fails(2, &[]);
    assert_eq!(
        text,
        "credsh: --duration: does not apply to cloudshell, which itself determines how its credentials are issued and how long they last\n"
    );
    assert_eq!(endpoint.count(), 0);
}

#[test]
fn refresh_says_what_it_did() {
    let endpoint = Endpoint::start(600);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    let said = |args: &[&str]| {
        let run = sandbox.credsh(args);
        assert_eq!((run.status, run.stdout.as_str()), (0, ""), "{run:?}");
        run.stderr
    };
    let hint = "hint: load them with `eval \"$(credsh export)\"`, or let a hook do it: `credsh init --help`\n";
    let text = said(&["refresh"]);
    assert!(text.starts_with("credsh: renewed: cloudshell ") && text.ends_with(hint), "{text}");
    let text = said(&["refresh"]);
    assert!(text.starts_with("credsh: still fresh: cloudshell "), "{text}");
    assert_eq!(endpoint.count(), 1);
    let text = said(&["refresh", "--force"]);
    assert!(text.starts_with("credsh: the source has no newer credentials yet: cloudshell "), "{text}");
    // New ones with a longer life: all this happens within a second, so with the same life their
    // expiration would be the same.
    endpoint.live(700);
    endpoint.expire();
    let text = said(&["refresh", "--force"]);
    assert!(text.starts_with("credsh: renewed: cloudshell "), "{text}");
    let text = said(&["refresh", "--no-store"]);
    assert!(text.starts_with("credsh: renewed: ") && text.lines().count() == 1, "nothing to load: {text}");
}

/// The committed completions are what the program prints now; they change whenever a flag does.
#[test]
fn completions_are_up_to_date() {
    for (shell, file) in [("bash", "credsh.bash"), ("zsh", "_credsh"), ("fish", "credsh.fish")] {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("completions").join(file);
        let committed = std::fs::read_to_string(path).unwrap_or_default();
        let printed = Sandbox::new().credsh(&["completions", shell]).ok();
        assert!(printed == committed, "regenerate it: cargo run -- completions {shell} >completions/{file}");
    }
}

/// A sandbox with the completion scripts as c.bash, c.fish and c.zsh.
fn with_completions() -> Sandbox {
    let sandbox = Sandbox::new();
    for shell in ["bash", "fish", "zsh"] {
        sandbox.file(&format!("c.{shell}"), &sandbox.credsh(&["completions", shell]).ok());
    }
    sandbox
}

fn fish_offers(sandbox: &Sandbox, line: &str) -> Vec<String> {
    let code = format!("source c.fish; complete -C 'credsh {line}'");
    let out = Run::of(sandbox.command("fish").args(["-c", &code]).output().unwrap()).ok();
    out.lines().map(|line| line.split('\t').next().unwrap().to_owned()).collect()
}

/// What bash offers for the word `cur` after `words`.
fn bash_offers(sandbox: &Sandbox, words: &str, cur: &str) -> Vec<String> {
    let code = format!(
        "source c.bash; compopt() {{ :; }}; COMP_WORDS=(credsh {words} '{cur}'); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); _credsh credsh '{cur}' \"${{COMP_WORDS[COMP_CWORD - 1]}}\"; printf '%s\\n' \"${{COMPREPLY[@]}}\""
    );
    let out = Run::of(sandbox.command("bash").args(["-c", &code]).output().unwrap()).ok();
    out.lines().map(str::to_owned).collect()
}

/// Checks that zsh, on Tab, completes each beginning to the whole word.
fn zsh_completes(sandbox: &Sandbox, cases: &[(&str, &str)]) {
    let completions = "autoload -Uz compinit; compinit -u; . ~/c.zsh";
    let mut zsh = Shell::Zsh.rc().unhooked().after(completions).start(sandbox);
    for (begun, whole) in cases {
        zsh.send(format!("credsh {begun}\t").as_bytes());
        let end = format!(" {whole} ");
        zsh.wait_for("the word", |session| session.prompt().ends_with(&end));
        zsh.send(b"\x15");
        zsh.wait_for("an empty line", Session::at_prompt);
    }
}

/// Tested in the shells themselves: only what users type is offered, and file names only where a file may be meant.
#[test]
fn completions_offer_what_is_typed() {
    let sandbox = with_completions();
    sandbox.file("a-file", "");
    for shell in ["bash", "fish", "zsh"] {
        let text = std::fs::read_to_string(sandbox.home().join(format!("c.{shell}"))).unwrap();
        for hidden in ["--hooked", "--store", "--on-tty", "publish commands", "hook commands", "What the hook runs"] {
            assert!(!text.contains(hidden), "{shell}: {hidden}");
        }
        assert!(text.contains("refresh") && text.contains("no-store"), "the control");
    }
    let fish = |line: &str| fish_offers(&sandbox, line);
    let bash = |words: &str| bash_offers(&sandbox, words, "");
    for commands in [fish(""), bash("")] {
        for (name, there) in [("init", true), ("script", true), ("hook", false), ("publish", false)] {
            assert_eq!(commands.iter().any(|word| word == name), there, "{name}: {commands:?}");
        }
    }
    let shells = ["bash", "elvish", "fish", "nu", "powershell", "xonsh", "zsh"];
    let mut offered = fish("init ");
    offered.sort();
    assert_eq!(offered, shells);
    assert_eq!(fish("script "), ["fish", "sh"]);
    for line in ["refresh ", "refresh --profile ", "whoami --role ", "status "] {
        assert_eq!(fish(line), [""; 0], "{line}");
    }
    assert!(fish("exec -- ./a-f").iter().any(|word| word.ends_with("a-file")), "the control");
    assert!(!bash("refresh --profile").contains(&"a-file".to_owned()));
    assert!(bash("refresh --source").contains(&"web-identity".to_owned()), "the control");
}

/// The profiles are looked up when a completion asks for them, and the shell runs nothing that the files contain.
#[test]
fn completions_know_the_profiles() {
    let sandbox = with_completions();
    sandbox.file(".aws/config", &format!("[default]\nregion = x\n[profile dev]\nregion = x\n[sso-session no]\nsso_region = x\n[profile ci]\ncredential_process = {CREDSH} export --format=process\n[profile $(touch${{IFS}}run)]\ncredential_process = credsh export --format=process\n"));
    sandbox.file(".aws/credentials", "[keys]\naws_access_key_id = AKIAKEYS\naws_secret_access_key = s\n");
    let all = ["ci", "default", "dev", "keys"];
    for words in ["refresh --profile", "profile add new --profile", "exec --profile"] {
        assert_eq!(bash_offers(&sandbox, words, ""), all, "{words}");
        assert_eq!(fish_offers(&sandbox, &format!("{words} ")), all, "{words}");
    }
    assert_eq!(bash_offers(&sandbox, "refresh --profile", "de"), ["default", "dev"]);
    let own = |words: Vec<String>| words.into_iter().filter(|word| !word.starts_with('-')).collect::<Vec<_>>();
    assert_eq!(own(bash_offers(&sandbox, "profile remove", "")), ["ci"]);
    assert_eq!(own(fish_offers(&sandbox, "profile remove ")), ["ci"]);
    zsh_completes(
        &sandbox,
        &[
            ("refresh --profile k", "keys"),
            ("refresh --profile dev", "dev"),
            ("profile remove ", "ci"),
            ("profile add x --profile k", "keys"),
        ],
    );
    assert!(!sandbox.home().join("run").exists());
    for shell in
        ["bash -c '. ./c.bash'", "fish -c 'source c.fish'", "zsh -c 'autoload -Uz compinit; compinit -u; . ./c.zsh'"]
    {
        // A `credsh` that leaves a file behind when it is run, which loading the completions must not do. The
        // last call is the control.
        sandbox.file("bin/credsh", "#!/bin/sh\ntouch ~/started\n");
        let line = format!("chmod +x bin/credsh; PATH=~/bin:$PATH; {shell}; [ ! -e started ]; credsh; rm started");
        Run::of(sandbox.command("sh").args(["-euc", &line]).output().unwrap()).ok();
    }
    // A completion does not report a configuration that cannot be parsed; it offers nothing.
    sandbox.file(".aws/config", "[profile a");
    assert_eq!(bash_offers(&sandbox, "refresh --profile", ""), [""]);
    assert_eq!(fish_offers(&sandbox, "refresh --profile "), [""; 0]);
}

/// Behind `exec --` a command is offered, and then that command's arguments, where the shell has completions for it.
#[test]
fn completions_offer_commands_behind_exec() {
    let sandbox = with_completions();
    sandbox.file("a-file", "");
    for words in ["exec --", "exec --profile dev --"] {
        assert_eq!(bash_offers(&sandbox, words, "creds"), ["credsh"], "{words}");
        assert_eq!(fish_offers(&sandbox, &format!("{words} creds")), ["credsh"], "{words}");
        assert!(fish_offers(&sandbox, &format!("{words} credsh whoa")).contains(&"whoami".into()), "{words}");
    }
    assert_eq!(bash_offers(&sandbox, "exec -- cat", "--"), [""], "none of credsh's own flags: bash then offers files");
    // With bash-completion, which provides this function.
    let script = sandbox.home().join("c.bash");
    let text = std::fs::read_to_string(&script).unwrap();
    std::fs::write(&script, format!("{text}\n_command_offset() {{ COMPREPLY=(\"from ${{COMP_WORDS[$1]}}\"); }}\n"))
        .unwrap();
    assert_eq!(bash_offers(&sandbox, "exec --profile dev -- aws s3", ""), ["from aws"]);
    assert!(bash_offers(&sandbox, "exec --profile", "").iter().all(|word| word != "from aws"), "the control");
    // zsh takes every file in a directory of PATH for a command, and cargo leaves more files that begin with `credsh`
    // beside the program, so the name itself is typed out.
    zsh_completes(
        &sandbox,
        &[
            ("exec --profile dev -- timeou", "timeout"),
            ("exec --profile dev -- credsh whoa", "whoami"),
            ("exec --profile dev -- cat a-f", "a-file"),
        ],
    );
}

/// The kernel flag that prevents core files also keeps other processes of the user from reading its memory.
#[test]
fn it_leaves_no_core_file() {
    use std::os::unix::process::ExitStatusExt;
    let endpoint = Endpoint::start(600);
    endpoint.behave(support::endpoint::Behaviour::Hang(std::time::Duration::from_secs(60)));
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    let dumps = |command: &str, asked: &dyn Fn() -> bool| {
        let script = format!("ulimit -c unlimited; exec {command}");
        let mut child = sandbox.command("sh").args(["-c", &script]).spawn().unwrap();
        while !asked() {
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        let pid = child.id().to_string();
        assert!(sandbox.command("kill").args(["-ABRT", &pid]).status().unwrap().success());
        child.wait().unwrap().core_dumped()
    };
    assert!(!dumps("credsh refresh", &|| endpoint.count() > 0));
    let ready = sandbox.home().join("ready");
    assert!(dumps("sh -c 'touch ready; sleep 60; :'", &|| ready.exists()), "the control: cores are to be had here");
}

/// A panic, which an STS whose clock is at the end of time provokes in the SDK, is reported like any failure,
/// without Rust's own message.
#[test]
fn a_defect() {
    let sts = Sts::start();
    let sandbox = Sandbox::new()
        .with("AWS_ENDPOINT_URL_STS", &sts.url())
        .with("AWS_ACCESS_KEY_ID", "AKIATEST")
        .with("AWS_SECRET_ACCESS_KEY", "s")
        .with("RUST_BACKTRACE", "1");
    sts.end_of_time();
    let told = sandbox.credsh(&["export"]).fails(1, &["credsh: stopped by a bug in credsh, at ", "/src/", ".rs:"]);
    let hint = "\nhint: please report this line, and the command that you ran\n";
    assert!(told.ends_with(hint) && told.lines().count() == 2, "{told}");
    assert!(!told.contains("panic") && !told.contains("/registry/") && !told.contains("DateTime"), "{told}");
}
