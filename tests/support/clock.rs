//! A clock that can be set, for the programs of one sandbox only: the machine's own clock is shared by every test.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::Sandbox;

/// The clock of a sandbox. See `clock.c`.
pub struct Clock {
    library: PathBuf,
}

impl Clock {
    /// Gives the sandbox a wall clock of its own, at first the same as the machine's.
    pub fn of(sandbox: &mut Sandbox) -> Clock {
        Clock::made(sandbox, false)
    }

    /// The same, for the monotonic clock by which waiting is measured too.
    pub fn of_waiting(sandbox: &mut Sandbox) -> Clock {
        Clock::made(sandbox, true)
    }

    fn made(sandbox: &mut Sandbox, every: bool) -> Clock {
        let library = sandbox.home().join("clock.so");
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/clock.c");
        // A C compiler is always there: Rust links with it.
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

    /// Sets it this many seconds ahead of the machine's.
    pub fn set(&self, offset: i64) {
        // Replaced in one step: a reader of a half-written file would see no offset.
        let (new, file) = (self.library.with_extension("new"), Clock::file(&self.library));
        std::fs::write(&new, offset.to_string()).unwrap();
        std::fs::rename(new, file).unwrap();
    }

    fn file(library: &Path) -> PathBuf {
        library.with_extension("so.offset")
    }
}
