//! How a background renewal leaves the shell that started it. The one place with `unsafe`.

use std::fs;

/// Leaves the shell's session, its terminal and its open files. What a shell has open without close-on-exec (a user's
/// `exec 3>log`, a pipe somebody waits on the end of) would otherwise stay open as long as the renewal lasts.
/// Must be called before this process has opened a file of its own.
pub fn from_shell() {
    let numbers: Vec<i32> = fs::read_dir("/proc/self/fd")
        .or_else(|_| fs::read_dir("/dev/fd"))
        .map(|names| names.filter_map(|name| name.ok()?.file_name().to_str()?.parse().ok()).collect())
        .unwrap_or_default();
    for number in numbers.into_iter().filter(|number| *number > 2) {
        // SAFETY: nothing in this process owns these descriptors. `main` has opened none before it comes here, std
        // holds only 0 to 2, and the directory that was just read is closed again (closing its number anew fails).
        #[allow(unsafe_code)]
        unsafe {
            rustix::io::close(number);
        }
    }
    // Fails only for a leader of a process group, which a child of `credsh hook` is not.
    let _ = rustix::process::setsid();
    // Standard output is the pipe whose end the starter waits for.
    if let Ok(null) = fs::OpenOptions::new().write(true).open("/dev/null") {
        let _ = rustix::stdio::dup2_stdout(&null);
    }
}
