//! `credsh docker`: docker or podman with the credentials passed *by name*: every user of the machine could read a value in
//! an argument.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

use crate::cli::Docker;
use crate::env::{self, Env};
use crate::error::{Error, Result, lower};
use crate::ui;

/// Options whose value is the next word: global options of docker and podman, and options of `compose`.
const TAKE_A_VALUE: [&str; 46] = [
    "-H",
    "--host",
    "-c",
    "--context",
    "--config",
    "-l",
    "--log-level",
    "--tlscacert",
    "--tlscert",
    "--tlskey",
    "--connection",
    "--url",
    "--identity",
    "--root",
    "--runroot",
    "--runtime",
    "--runtime-flag",
    "--storage-driver",
    "--storage-opt",
    "--tmpdir",
    "--cgroup-manager",
    "--conmon",
    "--events-backend",
    "--hooks-dir",
    "--module",
    "--network-cmd-path",
    "--network-config-dir",
    "--namespace",
    "--ssh",
    "--imagestore",
    "--pull-option",
    "--out",
    "--default-mounts-file",
    "--registries-conf",
    "--cdi-spec-dir",
    "--volumepath",
    "-f",
    "--file",
    "-p",
    "--project-name",
    "--profile",
    "--env-file",
    "--project-directory",
    "--ansi",
    "--progress",
    "--parallel",
];

pub fn run(args: &Docker, env: &Env) -> Result<u8> {
    let place = place(&args.command).map_err(|command| Error::NoVariables {
        command: ui::clean(&format!("{} {command}", args.engine.as_deref().unwrap_or("docker"))),
        compose: command.starts_with("compose "),
    })?;
    let engine = engine(args.engine.as_deref())?;
    let lease = super::exec::lease(&args.selectors, &args.life, env)?;
    let mut command = Command::new(&engine);
    let (before, after) = args.command.split_at(place);
    command.args(before);
    for (name, value) in super::exec::variables(&lease, env) {
        command.args(["-e", name]).env(name, value.expose());
    }
    for name in env::REGION.iter().filter(|name| env.get(name).is_some()) {
        command.args(["-e", name]);
    }
    command.args(after);
    Err(Error::Run { program: engine.display().to_string(), source: command.exec() })
}

/// The engine that was named, else docker, else podman. That it can be run is checked here, before the source is asked.
fn engine(wanted: Option<&str>) -> Result<PathBuf> {
    let names: Vec<&str> = wanted.map_or(vec!["docker", "podman"], |name| vec![name]);
    let found = names.iter().find_map(|name| which::which(name).ok());
    found.ok_or_else(|| match wanted.filter(|name| name.contains('/')) {
        None => {
            let reason =
                wanted.map_or("neither docker nor podman is in PATH".into(), |name| format!("{name} is not in PATH"));
            Error::NoEngine { reason, there: false }
        }
        Some(path) => {
            let there = std::fs::metadata(path);
            let reason =
                there.as_ref().map_or_else(|error| lower(&error.to_string()), |_| "not an executable file".into());
            Error::NoEngine { reason: format!("{path}: {reason}"), there: there.is_ok() }
        }
    })
}

/// The place for the `-e` options: right after the word that starts or enters a container.
///
/// # Errors
/// The command, if it has no such word; not the whole command line, as an argument may be a secret.
fn place(words: &[OsString]) -> std::result::Result<usize, String> {
    let mut at = 0;
    let mut compose = "";
    while let Some(word) = words.get(at) {
        at += 1;
        match &*word.to_string_lossy() {
            // Compose's own `create` has no option for variables, which are set in its file instead.
            "create" if !compose.is_empty() => return Err("compose create".into()),
            "run" | "create" | "exec" => return Ok(at),
            "compose" => compose = "compose ",
            "container" => {}
            option if TAKE_A_VALUE.contains(&option) => at += 1,
            option if option.starts_with('-') => {}
            other => return Err(format!("{compose}{other}")),
        }
    }
    Err(compose.into())
}

#[cfg(test)]
mod tests {
    use super::{OsString, place};

    #[test]
    fn behind_the_word_that_starts_a_container() {
        let words = |line: &str| line.split(' ').map(OsString::from).collect::<Vec<_>>();
        for (line, at) in [
            ("run --rm image", Some(1)),
            ("-H unix:///run --tls run image", Some(4)),
            ("--context=run exec -it name sh", Some(2)),
            ("container run image", Some(2)),
            ("compose -f run.yml run web", Some(4)),
            ("ps", None),
            ("build .", None),
            ("-H", None),
            ("pull run", None),
        ] {
            assert_eq!(place(&words(line)).ok(), at, "{line}");
        }
    }
}
