//! What a process holds open and who its children are, from /proc.

use std::fs;

fn status(pid: u32) -> String {
    fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_else(|error| panic!("process {pid}: {error}"))
}

fn field(pid: u32, name: &str) -> String {
    let status = status(pid);
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.unwrap_or_else(|| panic!("no {name} in {status}")).trim().into()
}

/// Resident memory in KiB.
pub fn resident(pid: u32) -> u64 {
    field(pid, "VmRSS").split(' ').next().unwrap().parse().unwrap()
}

/// The files it has open, as `/proc` names them.
pub fn files(pid: u32) -> Vec<String> {
    let dir = format!("/proc/{pid}/fd");
    let mut names: Vec<String> = fs::read_dir(dir)
        .unwrap()
        .filter_map(|entry| Some(fs::read_link(entry.ok()?.path()).ok()?.display().to_string()))
        .collect();
    names.sort();
    names
}

/// Its children, zombies included, as `PID (NAME) STATE`.
pub fn children(pid: u32) -> Vec<String> {
    let numbers = fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let stat = |number: u32| fs::read_to_string(format!("/proc/{number}/stat")).ok();
    let is_child = |stat: &String| {
        let after_name = stat.rsplit(") ").next().unwrap();
        after_name.split(' ').nth(1) == Some(&pid.to_string())
    };
    let short = |stat: String| stat.split(' ').take(3).collect::<Vec<_>>().join(" ");
    numbers.filter_map(stat).filter(is_child).map(short).collect()
}

/// The command lines of the processes that have `word` in theirs.
pub fn running(word: &str) -> Vec<String> {
    let lines = fs::read_dir("/proc").unwrap().filter_map(|entry| {
        let line = fs::read(entry.ok()?.path().join("cmdline")).ok()?;
        Some(String::from_utf8_lossy(&line).replace('\0', " "))
    });
    lines.filter(|line| line.contains(word)).collect()
}

/// Sends it a signal, by the name that `kill` takes.
pub fn signal(pid: u32, name: &str) {
    let mut kill = std::process::Command::new("kill");
    assert!(kill.arg(format!("-{name}")).arg(pid.to_string()).status().unwrap().success(), "{pid}");
}
