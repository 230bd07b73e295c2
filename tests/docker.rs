//! `credsh docker` with real containers, and with a fake engine that only prints how it was called.

mod support;

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Stdio;

use support::containers::Containers;
use support::endpoint::Endpoint;
use support::{CREDSH, Run, Sandbox};

/// The flags that pass the variables by name, in this order.
const BY_NAME: &str = "-e AWS_ACCESS_KEY_ID -e AWS_SECRET_ACCESS_KEY -e AWS_SESSION_TOKEN -e AWS_CREDENTIAL_EXPIRATION";

/// `credsh docker FLAGS -- WORDS...`
fn docker(sandbox: &Sandbox, flags: &[&str], words: &[&[String]], command: &[&str]) -> Run {
    let mut args: Vec<&str> = vec!["docker"];
    args.extend(flags);
    args.push("--");
    args.extend(words.iter().flat_map(|part| part.iter().map(String::as_str)));
    args.extend(command);
    sandbox.credsh(&args)
}

fn strings(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

#[track_caller]
fn has_credentials(out: &str, more: &[(&str, &str)]) {
    let pairs = out.lines().filter_map(|line| line.split_once('='));
    let seen: BTreeMap<&str, &str> = pairs.filter(|(name, _)| name.starts_with("AWS_")).collect();
    let known =
        [("ACCESS_KEY_ID", "ASIATEST0001"), ("SECRET_ACCESS_KEY", "test-secret-1"), ("SESSION_TOKEN", "test-token-1")];
    for (name, value) in known.iter().chain(more) {
        assert_eq!(seen.get(format!("AWS_{name}").as_str()), Some(value), "{out}");
    }
    assert!(seen["AWS_CREDENTIAL_EXPIRATION"].ends_with('Z'), "{out}");
    assert_eq!(seen.len(), 4 + more.len(), "and nothing else: {out}");
}

#[test]
fn podman_runs_with_them() {
    let endpoint = Endpoint::start(600);
    let sandbox = Sandbox::in_cloudshell(&endpoint).with("AWS_REGION", "eu-west-1").with("AWS_SECURITY_TOKEN", "stale");
    let containers = Containers::prepare(sandbox);
    let (sandbox, global, run) = (&containers.sandbox, containers.global(), containers.run());
    let control = Run::of(containers.podman().args(&run).arg("/bin/env").output().unwrap()).ok();
    assert!(!control.contains("AWS_"), "the control: {control}");
    let podman = ["--engine", "podman"];
    let out = docker(sandbox, &podman, &[&global, &run], &["/bin/env"]).ok();
    has_credentials(&out, &[("REGION", "eu-west-1")]);
    let out = docker(sandbox, &["--engine", "podman", "--region", "x"], &[&global, &run], &["/bin/env"]).ok();
    has_credentials(&out, &[("REGION", "eu-west-1")]);
    let out = docker(sandbox, &podman, &[&global, &run], &["/bin/sh", "-c", "exit 7"]);
    assert_eq!(out.status, 7, "{out:?}");
    // The user's own flags come after credsh's, and so take precedence.
    let (first, rest) = run.split_at(1);
    let mine = strings(&["-e", "AWS_REGION=mine"]);
    let out = docker(sandbox, &podman, &[&global, first, &mine, rest], &["/bin/env"]).ok();
    has_credentials(&out, &[("REGION", "mine")]);
}

#[test]
fn podman_exec_enters_with_them() {
    let endpoint = Endpoint::start(600);
    let containers = Containers::prepare(Sandbox::in_cloudshell(&endpoint));
    let (sandbox, global, run) = (&containers.sandbox, containers.global(), containers.run());
    let (first, rest) = run.split_at(1);
    let named = strings(&["--name", "box", "--detach"]);
    Run::of(containers.podman().args(first).args(&named).args(rest).args(["/bin/sleep", "600"]).output().unwrap()).ok();
    let out =
        docker(sandbox, &["--engine", "podman", "--region", "eu-west-1"], &[&global], &["exec", "box", "/bin/env"]);
    Run::of(containers.podman().args(["kill", "box"]).output().unwrap()).ok();
    has_credentials(&out.ok(), &[("REGION", "eu-west-1"), ("DEFAULT_REGION", "eu-west-1")]);
}

/// The docker CLI, which is preferred when no engine is named, with global options of its own.
#[test]
fn docker_runs_with_them() {
    let endpoint = Endpoint::start(600);
    let mut containers = Containers::prepare(Sandbox::in_cloudshell(&endpoint).with("AWS_DEFAULT_REGION", "eu-west-1"));
    let host = containers.serve();
    let run = strings(&["run", "--rm", "--network", "host", "localhost/bb:1"]);
    for global in [vec!["--host", &host], vec!["-l", "error", "-H", &host]] {
        let out = docker(&containers.sandbox, &[], &[&strings(&global), &run], &["/bin/env"]).ok();
        has_credentials(&out, &[("DEFAULT_REGION", "eu-west-1")]);
    }
    containers.sandbox.set("DOCKER_HOST", &host);
    let out =
        docker(&containers.sandbox, &["--engine", "docker"], &[&strings(&["container"]), &run], &["/bin/env"]).ok();
    has_credentials(&out, &[("DEFAULT_REGION", "eu-west-1")]);
    // podman's service loses the exit status of a container that it removes, so this one is kept.
    let kept = strings(&["run", "--network", "host", "localhost/bb:1"]);
    let out = docker(&containers.sandbox, &[], &[&kept], &["/bin/sh", "-c", "exit 7"]);
    assert_eq!(out.status, 7, "{out:?}");
}

/// The real compose plugin: a service gets the variables although its project's file names none.
#[test]
fn compose_hands_them_to_a_service() {
    let endpoint = Endpoint::start(600);
    let mut containers = Containers::prepare(Sandbox::in_cloudshell(&endpoint).with("AWS_REGION", "eu-west-1"));
    let host = containers.serve();
    containers.sandbox.set("DOCKER_HOST", &host);
    let plugin = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools/docker-compose");
    assert!(plugin.exists(), "{} is missing: run tests/setup.sh", plugin.display());
    let plugins = containers.sandbox.home().join(".docker/cli-plugins");
    std::fs::create_dir_all(&plugins).unwrap();
    symlink(plugin, plugins.join("docker-compose")).unwrap();
    let service = "services:\n  web:\n    image: localhost/bb:1\n    network_mode: host\n    command: /bin/sleep 600\n    stop_grace_period: 0s\n";
    containers.sandbox.file("project/compose.yaml", service);
    let compose = strings(&["compose", "--project-directory", "project", "-f", "project/compose.yaml"]);
    let plain = |words: &[&str]| {
        Run::of(containers.sandbox.command("docker").args(&compose).args(words).output().unwrap()).ok()
    };
    let with = |words: &[&str]| docker(&containers.sandbox, &[], &[&compose], words).ok();
    has_credentials(&with(&["run", "--rm", "-T", "web", "/bin/env"]), &[("REGION", "eu-west-1")]);
    plain(&["up", "--detach"]);
    let control = plain(&["exec", "-T", "web", "/bin/env"]);
    assert!(!control.contains("AWS_"), "the control: {control}");
    has_credentials(&with(&["exec", "-T", "web", "/bin/env"]), &[("REGION", "eu-west-1")]);
    // `up` takes no variables. This does what the hint says instead.
    let text = docker(&containers.sandbox, &[], &[&compose], &["up", "--detach"]).fails(2, &[]);
    let hinted = text.split('`').nth(1).unwrap();
    assert_eq!(hinted, "credsh exec -- docker compose up");
    let names = "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_CREDENTIAL_EXPIRATION";
    containers.sandbox.file("project/compose.yaml", &format!("{service}    environment: [{names}]\n"));
    let line = format!("cd project; {hinted} --detach");
    Run::of(containers.sandbox.command("sh").args(["-euc", &line]).output().unwrap()).ok();
    has_credentials(&plain(&["exec", "-T", "web", "/bin/env"]), &[]);
}

/// Hostile values included: an env file has no quoting, so no value may need any.
#[test]
fn both_read_the_env_file() {
    let endpoint = Endpoint::start(600);
    let mut containers = Containers::prepare(Sandbox::in_cloudshell(&endpoint));
    let host = containers.serve();
    containers.sandbox.set("DOCKER_HOST", &host);
    let values = [
        "it's",
        "\"a\"",
        "'a'",
        "a b  ",
        " a",
        "#a",
        "a #b",
        "$HOME ${HOME} $(x) `x`",
        "\\n\\",
        "=a=",
        "ü日本",
        "%s",
        "a;b",
        "\"",
        "'",
    ];
    let mut text = String::new();
    for (number, value) in values.iter().enumerate() {
        endpoint.field("SecretAccessKey", &serde_json::to_string(value).unwrap());
        let prefix = format!("V{number}_");
        text += &containers.sandbox.credsh(&["export", "--no-store", "--format", "env-file", "--prefix", &prefix]).ok();
    }
    containers.sandbox.file("vars", &text);
    let run = strings(&["run", "--rm", "--network", "host", "--env-file", "vars"]);
    let mut docker = containers.sandbox.command("docker");
    docker.args(&run).arg("localhost/bb:1");
    let mut podman = containers.podman();
    podman.args(&run).arg("--rootfs").arg(containers.sandbox.home().join("root"));
    for (name, mut command) in [("docker", docker), ("podman", podman)] {
        let out = Run::of(command.arg("/bin/env").output().unwrap()).ok();
        for (number, value) in values.iter().enumerate() {
            let line = format!("V{number}_AWS_SECRET_ACCESS_KEY={value}");
            assert!(out.lines().any(|seen| seen == line), "{name}: no {line:?} in {out}");
        }
    }
    // Not a file at all, but bash's process substitution.
    endpoint.field("SecretAccessKey", "\"piped\"");
    let line = "docker run --rm --network host --env-file <(credsh export --no-store --format env-file) localhost/bb:1 /bin/env";
    let out = Run::of(containers.sandbox.command("bash").args(["-c", line]).output().unwrap()).ok();
    assert!(out.lines().any(|line| line == "AWS_SECRET_ACCESS_KEY=piped"), "{out}");
}

/// The command lines of all processes now running that contain `text`.
fn command_lines(text: &str) -> Vec<String> {
    let entries = std::fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    let lines = entries.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
    lines.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).filter(|line| line.contains(text)).collect()
}

#[test]
fn no_secret_is_in_any_command_line() {
    let endpoint = Endpoint::start(600);
    endpoint.field("SecretAccessKey", "\"only-seen-in-docker-rs\"");
    endpoint.field("Token", "\"token-only-seen-in-docker-rs\"");
    let containers = Containers::prepare(Sandbox::in_cloudshell(&endpoint));
    let run = containers.run();
    let (first, rest) = run.split_at(1);
    let mut command = containers.sandbox.command(CREDSH);
    command.args(["docker", "--engine", "podman", "--"]).args(containers.global()).args(first).arg("-i").args(rest);
    command.args(["/bin/sh", "-c", "env; read -r _"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut seen = String::new();
    while !seen.contains("AWS_SESSION_TOKEN=token-only-seen-in-docker-rs\n")
        || !seen.contains("KEY=only-seen-in-docker-rs\n")
    {
        let mut bytes = [0; 4096];
        let count = child.stdout.as_mut().unwrap().read(&mut bytes).unwrap();
        assert!(count > 0, "the container has them: {seen}");
        seen += &String::from_utf8_lossy(&bytes[..count]);
    }
    let lines = command_lines("only-seen-in-docker-rs");
    let names = command_lines("AWS_SECRET_ACCESS_KEY");
    child.stdin.take().unwrap().write_all(b"\n").unwrap();
    assert!(child.wait().unwrap().success());
    assert!(lines.is_empty(), "{lines:?}");
    assert!(
        names.iter().any(|line| line.contains("conmon") || line.contains("podman")),
        "the control: podman is seen, with the name"
    );
}

/// A program named `docker` that prints its arguments on one line, and on stderr how many of the two secrets it was given.
fn fake(sandbox: &mut Sandbox) {
    let script = "#!/bin/sh\nprintf '%s\\n' \"$*\"\nenv | grep -cE '^AWS_(SECRET|SESSION).*test-' >&2\nexit 5\n";
    let path = sandbox.file("bin/docker", script);
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
    sandbox.set("PATH", &format!("{}:/usr/bin:/bin", path.parent().unwrap().display()));
}

#[test]
fn the_names_stand_where_the_engine_wants_them() {
    let endpoint = Endpoint::start(600);
    let mut sandbox = Sandbox::in_cloudshell(&endpoint);
    fake(&mut sandbox);
    for line in [
        "compose run|--rm web sh -c id",
        "compose exec|-T web env",
        "compose -f run.yml --project-name exec --profile run --env-file run run|web",
        "compose --ansi never --progress plain --parallel 3 --project-directory run run|web",
        "--context run --config exec compose --dry-run exec|web run",
        "create|image run",
        "container exec|-it box sh",
        "-D --log-level debug -H tcp://run:1 run|-v a:b image exec -e X",
    ] {
        let (before, after) = line.split_once('|').unwrap();
        let words: Vec<String> = format!("{before} {after}").split_whitespace().map(str::to_owned).collect();
        let out = docker(&sandbox, &[], &[&words], &[]);
        assert_eq!((out.status, out.stdout.as_str()), (5, format!("{before} {BY_NAME} {after}\n").as_str()), "{out:?}");
        assert_eq!(out.stderr, "2\n", "secret key and token are in its environment");
    }
    for (line, command) in [
        ("ps", "docker ps"),
        ("login -p pass", "docker login"),
        ("build .", "docker build"),
        ("compose up", "docker compose up"),
        ("-D compose -f run.yml create", "docker compose create"),
        ("compose", "docker compose"),
        ("composer", "docker composer"),
        ("pull run", "docker pull"),
        ("-H run", "docker"),
        ("run.sh", "docker run.sh"),
    ] {
        let text = docker(&sandbox, &[], &[&strings(&line.split(' ').collect::<Vec<_>>())], &[]).fails(2, &[]);
        let what =
            format!("credsh: {command} takes no variables; only run, create, exec, compose run and compose exec do");
        let then = if command.contains("compose") && !command.ends_with('r') {
            "sets them for compose, which passes a service the ones that its file lists under `environment:`"
        } else {
            "runs it with the credentials in its own environment"
        };
        assert_eq!(text, format!("{what}\nhint: `credsh exec -- {command}` {then}\n"));
    }
    let run = docker(&sandbox, &["--engine", "podman"], &[], &["ps"]);
    run.fails(2, &["credsh: podman ps takes", "hint: `credsh exec -- podman ps` runs"]);
    assert_eq!(endpoint.count(), 1, "what gives no container variables asks for none");
}

/// The global options that take a value as a separate word, according to the engines' own help.
#[test]
fn every_global_option_with_a_value_is_known() {
    let endpoint = Endpoint::start(600);
    let mut sandbox = Sandbox::in_cloudshell(&endpoint);
    let help = |engine: &str| Run::of(sandbox.command(engine).arg("--help").output().unwrap()).ok();
    let texts = help("docker") + &help("podman");
    fake(&mut sandbox);
    let kinds = ["string", "strings", "stringArray", "list", "int"];
    let mut count = 0;
    for line in texts.lines().map(str::trim).filter(|line| line.starts_with('-')) {
        let mut words = line.split_whitespace();
        let options: Vec<&str> =
            words.by_ref().take_while(|word| word.ends_with(',') || word.starts_with("--")).collect();
        let (head, _) = line.split_once("  ").unwrap_or((line, ""));
        if !kinds.contains(&head.split(' ').next_back().unwrap()) {
            continue;
        }
        for option in options.iter().map(|option| option.trim_end_matches(',')) {
            let out = docker(&sandbox, &[], &[], &[option, "exec", "run", "image"]);
            assert_eq!(out.stdout, format!("{option} exec run {BY_NAME} image\n"), "{line}: {out:?}");
            count += 1;
        }
    }
    assert!(count > 20, "the control: {count}");
}

#[test]
fn engines() {
    let endpoint = Endpoint::start(600);
    let mut sandbox = Sandbox::in_cloudshell(&endpoint);
    let text = sandbox.credsh(&["docker", "--engine", "no-such-engine", "--", "run", "image"]).fails(127, &[]);
    assert_eq!(
        text,
        "credsh: cannot run a container engine: no-such-engine is not in PATH\nhint: install one, or name it with --engine\n"
    );
    // The exit statuses are a shell's, and the source has not been asked before.
    let plain = sandbox.file("plain", "no program\n").display().to_string();
    for (path, status, reason) in
        [(&*plain, 126, "not an executable file"), ("/nope/docker", 127, "no such file or directory")]
    {
        let text = sandbox.credsh(&["docker", "--engine", path, "--", "run", "image"]).fails(status, &[]);
        assert_eq!(
            text,
            format!(
                "credsh: cannot run a container engine: {path}: {reason}\nhint: install one, or name it with --engine\n"
            )
        );
    }
    assert_eq!(endpoint.count(), 0);
    fake(&mut sandbox);
    let path = sandbox.home().join("bin/docker");
    let out = docker(&sandbox, &["--engine", path.to_str().unwrap()], &[], &["run", "image"]);
    assert_eq!(out.status, 5, "a path will do: {out:?}");
    // Without docker, podman is used.
    std::fs::rename(&path, sandbox.home().join("bin/podman")).unwrap();
    sandbox.set("PATH", sandbox.home().join("bin").to_str().unwrap());
    let out = docker(&sandbox, &[], &[], &["run", "image"]);
    assert_eq!(out.status, 5, "{out:?}");
    std::fs::remove_file(sandbox.home().join("bin/podman")).unwrap();
    docker(&sandbox, &[], &[], &["run", "image"]).fails(127, &["neither docker nor podman is in PATH"]);
}
