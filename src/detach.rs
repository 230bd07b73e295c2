//! How this process is kept apart from others: from debuggers and core files; and a background renewal from the shell
//! that started it, first its open files, in the process that starts it, then its session and terminal, in the renewal
//! itself; and a program from the terminal. The one place with `unsafe`.

use std::fs::{self, File};
use std::os::fd::BorrowedFd;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use rustix::io::{FdFlags, fcntl_setfd};
use rustix::ioctl::{NoArg, Opcode, ioctl};

/// No core file of this process, and no look into its memory by another process of the same user: it holds secrets. What
/// it becomes by `exec` is as it would have been.
pub fn from_debuggers() {
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
}

/// Keeps what the shell has open from the next program this process starts. A user's `exec 3>log`, or a pipe whose end
/// somebody waits for, has no close-on-exec of its own and would stay open as long as the renewal lasts.
pub fn keep_files_back() {
    let names = fs::read_dir("/proc/self/fd").or_else(|_| fs::read_dir("/dev/fd"));
    let numbers = names.into_iter().flatten().filter_map(|name| name.ok()?.file_name().to_str()?.parse().ok());
    for number in numbers.filter(|number: &i32| *number > 2) {
        // SAFETY: the number is borrowed for this one call, which neither reads nor closes it. Were it closed
        // already, or anybody's, the flag would be refused or harmless: nothing here relies on inheritance.
        #[allow(unsafe_code, reason = "no safe call takes a descriptor that nobody here owns")]
        let file = unsafe { BorrowedFd::borrow_raw(number) };
        let _ = fcntl_setfd(file, FdFlags::CLOEXEC);
    }
}

/// Leaves the shell's session and with it its terminal, so that neither a hang-up nor Ctrl-C reaches this process, and
/// closes stdout: the pipe whose end the starter waits for.
pub fn leave_session() {
    // Fails only for a leader of a process group, which a child of `credsh hook` is not.
    let _ = rustix::process::setsid();
    if let Ok(null) = fs::OpenOptions::new().write(true).open("/dev/null") {
        let _ = rustix::stdio::dup2_stdout(&null);
    }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "libc and rustix differ in its type")]
const GIVE_UP: Opcode = nix::libc::TIOCNOTTY as Opcode;

/// Keeps the terminal from a program that is to be started, and from what it starts: to open it by its common name fails, as
/// there is none, and stdin is at its end. Not by a session of its own: Ctrl-C would then end this process and not the program.
pub fn keep_terminal_back(program: &mut Command, tty: Option<File>) {
    program.stdin(Stdio::null());
    let Some(tty) = tty else { return };
    // SAFETY: between fork and exec it makes one system call, on a file that it owns; which takes no argument, and changes
    // nothing but to which terminal the calling process belongs.
    #[allow(unsafe_code, reason = "only the program itself can do it, and rustix has no name for it")]
    unsafe {
        program.pre_exec(move || Ok(ioctl(&tty, NoArg::<GIVE_UP>::new())?));
    }
}
