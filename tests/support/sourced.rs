//! Runs the source-able scripts in every shell that they are for, without a terminal, as a user's own script sources them.

use std::fs;
use std::path::PathBuf;

use super::{Run, Sandbox};

/// A shell, as the command line that starts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sourcing(pub &'static [&'static str]);

/// All of them. A missing one makes its tests fail: `tests/setup.sh` installs them.
pub const ALL: [Sourcing; 9] = [
    Sourcing(&["bash", "--norc"]),
    Sourcing(&["bash", "--posix"]),
    Sourcing(&["zsh", "-f"]),
    Sourcing(&["dash"]),
    Sourcing(&["ksh93"]),
    Sourcing(&["mksh"]),
    Sourcing(&["busybox", "ash"]),
    Sourcing(&["yash", "--noprofile", "--norcfile"]),
    Sourcing(&["fish", "--no-config"]),
];

/// The path of the script.
pub fn script(fish: bool) -> PathBuf {
    let name = if fish { "publish_temporary_credentials.fish" } else { "publish_temporary_credentials.sh" };
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("shell").join(name)
}

impl Sourcing {
    pub fn is(self, name: &str) -> bool {
        self.0[0] == name
    }

    pub fn fish(self) -> bool {
        self.is("fish")
    }

    /// The first for sh, the second for fish.
    pub fn pick<T>(self, sh: T, fish: T) -> T {
        if self.fish() { fish } else { sh }
    }

    /// Runs `text` as a script file, as a user's own would be, with these positional parameters. In it `SOURCE` stands
    /// for the command that sources credsh's script, which is copied into the home directory.
    pub fn run_with(self, sandbox: &Sandbox, text: &str, parameters: &[&str]) -> Run {
        let name = self.pick("publish_temporary_credentials.sh", "publish_temporary_credentials.fish");
        fs::copy(script(self.fish()), sandbox.home().join(name)).unwrap();
        let text = text.replace("SOURCE", &format!("{} ./{name}", self.pick(".", "source")));
        let file = sandbox.file(&format!("caller-{}", self.0.join("")), &text);
        let mut command = sandbox.command(self.0[0]);
        Run::of(command.args(&self.0[1..]).arg(file).args(parameters).output().unwrap())
    }

    pub fn run(self, sandbox: &Sandbox, text: &str) -> Run {
        self.run_with(sandbox, text, &[])
    }
}

/// Runs `scenario` in every shell at once. A panic's message names the shell, as its thread does.
pub fn everywhere(scenario: impl Fn(Sourcing) + Sync) {
    each(&ALL, scenario);
}

/// The same without fish.
pub fn every_sh(scenario: impl Fn(Sourcing) + Sync) {
    each(&ALL[..8], scenario);
}

fn each(shells: &[Sourcing], scenario: impl Fn(Sourcing) + Sync) {
    let scenario = &scenario;
    std::thread::scope(|scope| {
        for shell in shells {
            let name = shell.0.join(" ");
            std::thread::Builder::new().name(name).spawn_scoped(scope, move || scenario(*shell)).unwrap();
        }
    });
}
