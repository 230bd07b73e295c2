//! `credsh demo`: the main use, for someone without AWS. It starts a fake CloudShell endpoint on loopback whose credentials
//! live 20 s (`endpoint`), and the user's own shell with the hook; without a terminal it plays a session (`play`).

mod endpoint;
mod play;

use std::fs;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::cli::Demo;
use crate::env::{self, Env};
use crate::error::{Error, Result};
use crate::request::CLOUDSHELL_PATH;
use crate::ui;

/// Opens the shell, plays the session or, inside the latter, becomes its shell.
pub fn run(args: &Demo, env: &Env) -> Result<u8> {
    if let Some(tty) = &args.on_tty {
        return play::become_shell(tty, &args.command);
    }
    let stage = Stage::set(env)?;
    let on_terminal = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    if on_terminal { open(&stage, env) } else { play::run(&stage, env) }
}

/// The endpoint, and a temporary directory for the store and start-up files.
struct Stage {
    dir: TempDir,
    endpoint: endpoint::Endpoint,
    exe: PathBuf,
}

impl Stage {
    fn set(env: &Env) -> Result<Stage> {
        let dir = tempfile::Builder::new()
            .prefix("credsh-demo-")
            .tempdir()
            .map_err(Error::io("create a directory in", tempfile::env::temp_dir()))?;
        let endpoint = endpoint::Endpoint::start(env.clone()).map_err(Error::io("listen on", "127.0.0.1"))?;
        Ok(Stage { dir, endpoint, exe: env.exe() })
    }

    fn file(&self, name: &str, text: &str) -> Result<PathBuf> {
        let path = self.dir.path().join(name);
        fs::write(&path, text).map_err(Error::io("write", &path))?;
        Ok(path)
    }

    /// Gives a command the environment of a CloudShell session, without this shell's own leases and keys.
    fn dress(&self, command: &mut Command, env: &Env) {
        for name in env.names().filter(|name| {
            name.starts_with("AWS_") || name.starts_with("CREDSH_") || name.starts_with("TEMPORARY_AWS_")
        }) {
            command.env_remove(name);
        }
        command
            .env(env::CONTAINER_FULL, format!("http://127.0.0.1:{}{CLOUDSHELL_PATH}", self.endpoint.port))
            .env(env::CONTAINER_TOKEN, &self.endpoint.token)
            // Nothing that is tried here, such as `credsh doctor`, should send the made-up keys to AWS.
            .env(env::STS_ENDPOINT[0], format!("http://127.0.0.1:{}/", self.endpoint.port))
            .env(env::REGION[0], "us-east-1")
            .env(env::RUNTIME_DIR, self.dir.path());
    }
}

/// Opens the user's own shell, with their own start-up file and then the hook.
fn open(stage: &Stage, env: &Env) -> Result<u8> {
    let exe = crate::shell::Shell::Bash.quote(&stage.exe.to_string_lossy())?;
    let own = env
        .get(env::SHELL)
        .map_or("bash", |path| Path::new(path).file_name().and_then(|name| name.to_str()).unwrap_or("bash"));
    let mut command;
    match own {
        "zsh" => {
            let home = r#""${CREDSH_DEMO_ZDOTDIR:-$HOME}""#;
            stage.file(
                ".zshrc",
                &format!(
                    "ZDOTDIR={home}; [[ -r $ZDOTDIR/.zshrc ]] && source $ZDOTDIR/.zshrc\neval \"$({exe} init zsh)\"\n"
                ),
            )?;
            command = Command::new("zsh");
            command.env("CREDSH_DEMO_ZDOTDIR", env.get("ZDOTDIR").unwrap_or_default()).env("ZDOTDIR", stage.dir.path());
        }
        "fish" => {
            command = Command::new("fish");
            command.args(["-C", &format!("{exe} init fish | source")]);
        }
        _ => {
            let rc =
                stage.file("bashrc", &format!("[[ -r ~/.bashrc ]] && . ~/.bashrc\neval \"$({exe} init bash)\"\n"))?;
            command = Command::new("bash");
            command.arg("--rcfile").arg(rc);
        }
    }
    stage.dress(&mut command, env);
    ui::say("this is a shell with credentials that last 20 s, from credsh's own endpoint; `exit` leaves it");
    ui::say("press Enter now and then: the time in the prompt counts down, and starts over before it runs out");
    ui::say("or wait half a minute, then type `echo $TEMPORARY_AWS_ACCESS_KEY_ID`: the key is still a fresh one");
    command.status().map_err(Error::io("start", own))?;
    Ok(0)
}
