//! What the tests share: a sandbox for the program (its own HOME and store, and no AWS variables but those a test sets),
//! fake endpoints whose faults can be set, and real shells on a pty.
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

/// A port of loopback that nobody listens on. It is below the range that the kernel assigns from, or another
/// test might get it meanwhile.
pub const CLOSED: u16 = 1;

/// A port of loopback that neither accepts nor refuses a connection, like an address behind a firewall: its backlog is
/// full and nothing accepts.
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

/// A private HOME and runtime directory, removed when dropped.
pub struct Sandbox {
    dir: TempDir,
    vars: Vec<(String, String)>,
}

impl Sandbox {
    /// An empty one: no configuration, no credentials, and the EC2 metadata service is off.
    pub fn new() -> Sandbox {
        let dir = tempfile::Builder::new().prefix("credsh-test-").tempdir().unwrap();
        std::fs::create_dir(dir.path().join("home")).unwrap();
        std::fs::create_dir(dir.path().join("run")).unwrap();
        Sandbox { dir, vars: Vec::new() }.with("AWS_EC2_METADATA_DISABLED", "true")
    }

    /// A CloudShell whose endpoint is `endpoint`.
    pub fn in_cloudshell(endpoint: &endpoint::Endpoint) -> Sandbox {
        Sandbox::new()
            .with("AWS_CONTAINER_CREDENTIALS_FULL_URI", &endpoint.uri())
            .with("AWS_CONTAINER_AUTHORIZATION_TOKEN", endpoint::TOKEN)
    }

    /// An EC2 instance whose metadata service is `endpoint`.
    pub fn on_ec2(endpoint: &endpoint::Endpoint) -> Sandbox {
        let url = format!("http://127.0.0.1:{}", endpoint.port());
        Sandbox::new().with("AWS_EC2_METADATA_DISABLED", "false").with("AWS_EC2_METADATA_SERVICE_ENDPOINT", &url)
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

    /// A command with this environment and nothing else of the caller's. The `credsh` under test is first in its PATH.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        let path = format!("{}:{}", Path::new(CREDSH).parent().unwrap().display(), std::env::var("PATH").unwrap());
        command.env_clear().env("PATH", path).env("HOME", self.home()).env("XDG_RUNTIME_DIR", self.run_dir());
        command.env("TERM", "xterm-256color").env("LANG", "C.UTF-8").env("USER", "tester");
        command.envs(self.vars.iter().map(|(k, v)| (k, v))).current_dir(self.home()).stdin(Stdio::null());
        command
    }

    /// A script for `sh -c` that runs its arguments in a mount namespace where names resolve only through this `hosts` file.
    pub fn resolving(&self, hosts: &str) -> String {
        for (name, text) in [("hosts", hosts), ("nsswitch.conf", "hosts: files\n"), ("host.conf", "multi on\n")] {
            self.file(name, text);
        }
        let unshare = if rustix::process::geteuid().is_root() { "unshare -m" } else { "unshare -rm" };
        format!(
            "exec {unshare} sh -ec 'for file in hosts nsswitch.conf host.conf; do [ -e /etc/$file ] || touch /etc/$file; mount --bind $file /etc/$file; done; exec \"$@\"' sh \"$@\""
        )
    }

    pub fn credsh(&self, args: &[&str]) -> Run {
        Run::of(self.command(CREDSH).args(args).output().unwrap())
    }

    /// The ids of the stored leases.
    pub fn ids(&self) -> Vec<String> {
        self.stored().iter().filter_map(|name| name.strip_suffix(".json").map(str::to_owned)).collect()
    }

    /// The names of all files in the store, sorted.
    pub fn stored(&self) -> Vec<String> {
        let names = std::fs::read_dir(self.store()).into_iter().flatten();
        let mut names: Vec<String> = names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

/// The start of a command line that traces credsh and its children with strace. As credsh makes itself undumpable only
/// root may trace it; an unprivileged user is root in a user namespace of their own.
pub fn strace() -> &'static [&'static str] {
    if rustix::process::geteuid().is_root() {
        &["strace", "-f", "-qq"]
    } else {
        &["unshare", "-r", "strace", "-f", "-qq"]
    }
}

/// The outcome of a program.
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

    /// Asserts success, and returns stdout.
    #[track_caller]
    pub fn ok(self) -> String {
        assert_eq!(self.status, 0, "{self:?}");
        self.stdout
    }

    /// Asserts that it failed with this status and an empty stdout, and that stderr has each of these parts; returns stderr.
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
