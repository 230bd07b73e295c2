//! What the tests share: a sandbox for the program (own HOME, own store, no AWS variables but those given), a
//! fault-injecting container endpoint, and real shells on a pty.
#![allow(dead_code, reason = "each test binary uses a part of it")]
#![allow(clippy::unwrap_used, clippy::missing_panics_doc, clippy::must_use_candidate, missing_docs)]

pub mod clock;
pub mod containers;
pub mod endpoint;
pub mod moto;
pub mod others;
pub mod process;
pub mod pty;
pub mod sourced;
pub mod sts;

use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use tempfile::TempDir;

/// A port of loopback where nobody listens: not one of those that are given out, or another test might get it meanwhile.
pub const CLOSED: u16 = 1;

/// A port of loopback that neither takes a connection nor refuses it, as an address behind a firewall does: nobody accepts,
/// and as many are waiting as may.
pub struct Silent {
    listener: TcpListener,
    waiting: Vec<TcpStream>,
}

impl Silent {
    pub fn start() -> Silent {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let connect = |_| TcpStream::connect_timeout(&address, Duration::from_millis(300)).ok();
        let waiting: Vec<TcpStream> = (0..10_000).map_while(connect).collect();
        assert!(waiting.len() < 10_000, "the control: the last one was not taken");
        Silent { listener, waiting }
    }

    pub fn port(&self) -> u16 {
        self.listener.local_addr().unwrap().port()
    }
}

/// The program under test.
pub const CREDSH: &str = env!("CARGO_BIN_EXE_credsh");

/// A private HOME and runtime directory; gone when dropped.
pub struct Sandbox {
    dir: TempDir,
    vars: Vec<(String, String)>,
}

impl Sandbox {
    /// Empty: no configuration, no credentials, and never the EC2 metadata service.
    pub fn new() -> Sandbox {
        let dir = tempfile::Builder::new().prefix("credsh-test-").tempdir().unwrap();
        std::fs::create_dir(dir.path().join("home")).unwrap();
        std::fs::create_dir(dir.path().join("run")).unwrap();
        Sandbox { dir, vars: Vec::new() }.with("AWS_EC2_METADATA_DISABLED", "true")
    }

    /// In a CloudShell whose endpoint is `endpoint`.
    pub fn in_cloudshell(endpoint: &endpoint::Endpoint) -> Sandbox {
        Sandbox::new()
            .with("AWS_CONTAINER_CREDENTIALS_FULL_URI", &endpoint.uri())
            .with("AWS_CONTAINER_AUTHORIZATION_TOKEN", endpoint::TOKEN)
    }

    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Sandbox {
        self.set(name, value);
        self
    }

    pub fn set(&mut self, name: &str, value: &str) {
        self.vars.retain(|(known, _)| known != name);
        self.vars.push((name.into(), value.into()));
    }

    pub fn unset(&mut self, name: &str) {
        self.vars.retain(|(known, _)| known != name);
    }

    pub fn home(&self) -> PathBuf {
        self.dir.path().join("home")
    }

    /// `XDG_RUNTIME_DIR`.
    pub fn run_dir(&self) -> PathBuf {
        self.dir.path().join("run")
    }

    pub fn store(&self) -> PathBuf {
        self.run_dir().join("credsh")
    }

    /// Writes a file below HOME.
    pub fn file(&self, path: &str, text: &str) -> PathBuf {
        let path = self.home().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    /// Any program in these surroundings and no others. `credsh` is first in its PATH.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        let path = format!("{}:{}", Path::new(CREDSH).parent().unwrap().display(), std::env::var("PATH").unwrap());
        command.env_clear().env("PATH", path).env("HOME", self.home()).env("XDG_RUNTIME_DIR", self.run_dir());
        command.env("TERM", "xterm-256color").env("LANG", "C.UTF-8").env("USER", "tester");
        command.envs(self.vars.iter().map(|(k, v)| (k, v))).current_dir(self.home()).stdin(Stdio::null());
        command
    }

    /// What `sh -c` runs a command line with in a mount namespace, where names are what this `hosts` file says and nobody
    /// else is asked.
    pub fn resolving(&self, hosts: &str) -> String {
        for (name, text) in [("hosts", hosts), ("nsswitch.conf", "hosts: files\n"), ("host.conf", "multi on\n")] {
            self.file(name, text);
        }
        let unshare = if rustix::process::geteuid().is_root() { "unshare -m" } else { "unshare -rm" };
        format!(
            "exec {unshare} sh -ec 'for file in hosts nsswitch.conf host.conf; do [ -e /etc/$file ] || touch /etc/$file; mount --bind $file /etc/$file; done; exec \"$@\"' sh \"$@\""
        )
    }

    /// Runs credsh.
    pub fn credsh(&self, args: &[&str]) -> Run {
        Run::of(self.command(CREDSH).args(args).output().unwrap())
    }

    /// The ids of the leases that are stored.
    pub fn ids(&self) -> Vec<String> {
        self.stored().iter().filter_map(|name| name.strip_suffix(".json").map(str::to_owned)).collect()
    }

    /// Every file of the store, by name.
    pub fn stored(&self) -> Vec<String> {
        let names = std::fs::read_dir(self.store()).into_iter().flatten();
        let mut names: Vec<String> = names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

/// What begins a command line that watches credsh, and what it becomes, with strace. As it cannot be dumped only root may
/// look into it; anybody is that in a namespace of their own.
pub fn strace() -> &'static [&'static str] {
    if rustix::process::geteuid().is_root() {
        &["strace", "-f", "-qq"]
    } else {
        &["unshare", "-r", "strace", "-f", "-qq"]
    }
}

/// What a program did.
#[derive(Debug)]
pub struct Run {
    pub status: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Run {
    pub fn of(output: Output) -> Run {
        Run {
            status: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Asserts success, and gives stdout.
    #[track_caller]
    pub fn ok(self) -> String {
        assert_eq!(self.status, 0, "{self:?}");
        self.stdout
    }

    /// Asserts a failure with this status whose stderr has each of these parts, and an empty stdout.
    #[track_caller]
    pub fn fails(self, status: i32, parts: &[&str]) -> String {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.stdout, "", "a failure prints nothing for the shell");
        for part in parts {
            assert!(self.stderr.contains(part), "no {part:?} in {self:?}");
        }
        self.stderr
    }
}
