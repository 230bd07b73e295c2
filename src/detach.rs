//! Isolation of processes: this one from debuggers, core files, Ctrl-Z and a limit on the size of files; a background renewal from the
//! shell that started it, whose open files the starter keeps back, and whose session and terminal the renewal itself leaves;
//! and a child program from the terminal. The only module with `unsafe`.

use std::fs::{self, File};
use std::os::fd::BorrowedFd;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use nix::sys::signal::{SigHandler, Signal, signal};
use rustix::io::{FdFlags, fcntl_setfd};
use rustix::ioctl::{NoArg, Opcode, ioctl};

/// On Linux, disables core files and denies other processes of the same user access to this one's memory, which holds
/// secrets. An `exec` resets this, so a program that replaces this process runs as usual.
pub fn from_debuggers() {
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
}

/// Has a write beyond the limit on the size of files (`ulimit -f`) fail like one to a full disk, where credsh goes on without
/// the store, instead of ending the process with SIGXFSZ. With a handler and not ignored, as `exec` resets a handler: a
/// program that replaces this process, or is started by it, has the signal as it was. If it is ignored already, so it stays.
pub fn from_file_size_limit() {
    extern "C" fn nothing(_: i32) {}
    if let Some(SigHandler::SigIgn) = set(Signal::SIGXFSZ, SigHandler::Handler(nothing)) {
        set(Signal::SIGXFSZ, SigHandler::SigIgn);
    }
}

/// Keeps Ctrl-Z from stopping this process, for whose answer a shell waits, and what it starts: nu would wait for ever for a
/// child that it has stopped. The other shells start it so that it ignores the signal. Ignored and not blocked, as dash, when
/// it is the `sh` that runs a `credential_process`, unblocks what its parent has blocked.
pub fn from_ctrl_z() {
    set(Signal::SIGTSTP, SigHandler::SigIgn);
}

/// Sets a signal's action, to one that does nothing; the one before.
fn set(name: Signal, action: SigHandler) -> Option<SigHandler> {
    // SAFETY: of the actions that this module passes, one is to ignore the signal, and the other is a handler that does
    // nothing, so it cannot call what is not async-signal-safe.
    #[allow(unsafe_code, reason = "a signal's action can be set in no other way")]
    unsafe { signal(name, action) }.ok()
}

/// Marks every open file above stderr close-on-exec, so that the next program this process starts does not inherit what the
/// shell has open. A user's `exec 3>log`, or a pipe whose end somebody waits for, would otherwise stay open as long as the
/// renewal runs.
pub fn keep_files_back() {
    let names = fs::read_dir("/proc/self/fd").or_else(|_| fs::read_dir("/dev/fd"));
    let numbers = names.into_iter().flatten().filter_map(|name| name.ok()?.file_name().to_str()?.parse().ok());
    for number in numbers.filter(|number: &i32| *number > 2) {
        // SAFETY: the descriptor is borrowed for this one call, which neither reads nor closes it. If it has been closed by
        // now, the call fails; if its number has been reused, the flag does no harm, as nothing here relies on inheriting
        // descriptors.
        #[allow(unsafe_code, reason = "no safe call takes a descriptor that nobody here owns")]
        let file = unsafe { BorrowedFd::borrow_raw(number) };
        let _ = fcntl_setfd(file, FdFlags::CLOEXEC);
    }
}

/// Leaves the shell's session, and with it the terminal, so that neither a hang-up nor Ctrl-C reaches this process. Then
/// points stdout at `/dev/null`: the starter waits for the end of that pipe.
pub fn leave_session() {
    // `setsid` fails only for the leader of a process group, and a child of `credsh hook` is not one.
    let _ = rustix::process::setsid();
    if let Ok(null) = fs::OpenOptions::new().write(true).open("/dev/null") {
        let _ = rustix::stdio::dup2_stdout(&null);
    }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "libc and rustix differ in its type")]
const GIVE_UP: Opcode = nix::libc::TIOCNOTTY as Opcode;

/// Denies the terminal to a program about to be started and to its children: without a controlling terminal `/dev/tty`
/// cannot be opened, and stdin is at its end. A session of its own would do that too, but Ctrl-C would then end this
/// process and not the program.
pub fn keep_terminal_back(program: &mut Command, tty: Option<File>) {
    program.stdin(Stdio::null());
    let Some(tty) = tty else { return };
    // SAFETY: between fork and exec the closure makes one system call, on a file that it owns. The call takes no argument
    // and changes nothing but the controlling terminal of the calling process.
    #[allow(unsafe_code, reason = "only the program itself can do it, and rustix has no name for it")]
    unsafe {
        program.pre_exec(move || Ok(ioctl(&tty, NoArg::<GIVE_UP>::new())?));
    }
}
