//! Real containers without a registry: podman with runc and Debian's busybox, and the docker CLI talking to podman's
//! socket. Where containers cannot run, a test fails with the engine's own message.

use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::{Run, Sandbox};

/// runc, as crun requires capabilities that some virtual machines lack; low limits, as they cannot be raised there.
const CONF: &str = "[containers]\ndefault_ulimits = [\"nofile=1024:1024\", \"nproc=1024:1024\"]\n[engine]\nruntime = \"runc\"\n[network]\nnetwork_backend = \"netavark\"\n";

/// A container's root file system and podman's own directories, all in the sandbox.
pub struct Containers {
    pub sandbox: Sandbox,
    service: Option<Child>,
}

impl Containers {
    /// Adds what podman needs to the sandbox.
    pub fn prepare(mut sandbox: Sandbox) -> Containers {
        let conf = sandbox.file("containers.conf", CONF);
        sandbox.set("CONTAINERS_CONF", conf.to_str().unwrap());
        for dir in ["bin", "etc", "proc", "sys", "dev", "tmp", "run"] {
            std::fs::create_dir_all(sandbox.home().join("root").join(dir)).unwrap();
        }
        let busybox = PathBuf::from(
            Run::of(sandbox.command("sh").args(["-c", "command -v busybox"]).output().unwrap()).ok().trim(),
        );
        let bin = sandbox.home().join("root/bin");
        std::fs::copy(busybox, bin.join("busybox")).unwrap();
        for name in ["sh", "env", "cat", "sleep", "echo"] {
            symlink("busybox", bin.join(name)).unwrap();
        }
        sandbox.file("root/etc/passwd", "root:x:0:0::/:/bin/sh\n");
        Containers { sandbox, service: None }
    }

    /// The global options that keep podman's directories in the sandbox.
    pub fn global(&self) -> Vec<String> {
        let dir = |name: &str| self.sandbox.home().join(name).to_str().unwrap().to_owned();
        let pairs = [
            ("--root", dir("p/root")),
            ("--runroot", dir("p/run")),
            ("--tmpdir", dir("p/tmp")),
            ("--storage-driver", "vfs".into()),
            ("--cgroup-manager", "cgroupfs".into()),
        ];
        pairs.into_iter().flat_map(|(option, value)| [option.to_owned(), value]).collect()
    }

    pub fn podman(&self) -> Command {
        let mut command = self.sandbox.command("podman");
        command.args(self.global());
        command
    }

    /// podman's arguments that run a container from the prepared root file system.
    pub fn run(&self) -> Vec<String> {
        let root = self.sandbox.home().join("root");
        ["run", "--rm", "--network", "host", "--rootfs", root.to_str().unwrap()].map(str::to_owned).to_vec()
    }

    /// Starts podman's API service, with an image named `localhost/bb:1`, and returns its address for docker.
    pub fn serve(&mut self) -> String {
        let mut import = self.podman();
        let archive = self.sandbox.home().join("root.tar");
        let tar = self.sandbox.command("tar").args(["-C", "root", "-cf"]).arg(&archive).arg(".").output().unwrap();
        Run::of(tar).ok();
        Run::of(import.arg("import").arg(&archive).arg("localhost/bb:1").output().unwrap()).ok();
        let socket = self.sandbox.home().join("p.sock");
        let host = format!("unix://{}", socket.display());
        let mut service = self.podman();
        service.args(["system", "service", "--time", "0", &host]).stdout(Stdio::null()).stderr(Stdio::null());
        self.service = Some(service.spawn().unwrap());
        let start = Instant::now();
        while !socket.exists() {
            assert!(start.elapsed() < Duration::from_mins(1), "podman's service does not start");
            thread::sleep(Duration::from_millis(50));
        }
        host
    }
}

impl Drop for Containers {
    fn drop(&mut self) {
        // Removes running containers and their mounts, without which the sandbox's directory could not be deleted.
        let _ = self.podman().args(["rm", "--all", "--force", "--time", "0"]).output();
        if let Some(service) = &mut self.service {
            let _ = service.kill();
            let _ = service.wait();
        }
    }
}
