//! A clock that can be set, for everything in a sandbox and nothing else: the machine's belongs to everybody.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::Sandbox;

/// The clock of a sandbox. See `clock.c`.
pub struct Clock {
    library: PathBuf,
}

impl Clock {
    /// Gives the sandbox a clock of its own, which is right at first.
    pub fn of(sandbox: &mut Sandbox) -> Clock {
        Clock::made(sandbox, false)
    }

    /// The same with the clock by which waiting is measured too.
    pub fn of_waiting(sandbox: &mut Sandbox) -> Clock {
        Clock::made(sandbox, true)
    }

    fn made(sandbox: &mut Sandbox, every: bool) -> Clock {
        let library = sandbox.home().join("clock.so");
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/clock.c");
        // There is a C compiler where there is Rust, which links with it.
        let mut cc = Command::new("cc");
        cc.args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o"]).arg(&library).arg(source);
        cc.arg(format!("-DEVERY={}", i32::from(every)));
        cc.arg(format!("-DOFFSET=\"{}\"", Clock::file(&library).display()));
        assert!(cc.status().unwrap().success());
        sandbox.set("LD_PRELOAD", library.to_str().unwrap());
        let clock = Clock { library };
        clock.set(0);
        clock
    }

    /// Sets it apart from the machine's, by seconds.
    pub fn set(&self, offset: i64) {
        // As one step: a reader of a file that is being written would see no offset.
        let (new, file) = (self.library.with_extension("new"), Clock::file(&self.library));
        std::fs::write(&new, offset.to_string()).unwrap();
        std::fs::rename(new, file).unwrap();
    }

    fn file(library: &Path) -> PathBuf {
        library.with_extension("so.offset")
    }
}
