//! nu, elvish and xonsh on a pty. A line of sh means something else to each of them, so what tests type is a
//! program and its arguments.

use super::Sandbox;
use super::moto::tool;
use super::pty::{Hooked, SIZE, Session};

/// Makes one test per scenario and shell. Each scenario is a `fn(Other)`.
#[macro_export]
macro_rules! in_every_other_shell {
    ($($scenario:ident)*) => {
        $($crate::tests_of!($scenario:
            nu $crate::support::others::Other::Nu,
            elvish $crate::support::others::Other::Elvish,
            xonsh $crate::support::others::Other::Xonsh
        );)*
    };
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Other {
    Nu,
    Elvish,
    Xonsh,
}

impl Other {
    /// The one of three values that is for this shell.
    pub fn pick<T>(self, nu: T, elvish: T, xonsh: T) -> T {
        match self {
            Other::Nu => nu,
            Other::Elvish => elvish,
            Other::Xonsh => xonsh,
        }
    }

    pub fn rc_file(self) -> &'static str {
        self.pick(".config/nushell/config.nu", ".config/elvish/rc.elv", ".xonshrc")
    }

    /// Settings that make all three look the same: the prompt is `$ `, with no banner, right prompt or suggestions.
    fn plain(self) -> &'static str {
        match self {
            Other::Nu => {
                "$env.config.show_banner = false\n$env.PROMPT_COMMAND = {|| '$ ' }\n$env.PROMPT_COMMAND_RIGHT = {|| '' }\n\
                 $env.PROMPT_INDICATOR = ''\n"
            }
            Other::Elvish => "set edit:prompt = { put '$ ' }\nset edit:rprompt = { }\n",
            Other::Xonsh => "$PROMPT = '$ '\n$XONSH_PROMPT_AUTO_SUGGEST = False\n",
        }
    }

    /// `start_with`, as a child of another program, such as strace.
    pub fn start_under(self, wrapper: &[&str], lines: &str, sandbox: &Sandbox) -> Session {
        sandbox.file(self.rc_file(), &format!("{}{lines}\n", self.plain()));
        let program = self.program();
        Session::open(self.name(), &[wrapper, &[program.as_str()]].concat(), SIZE, sandbox)
    }
}

impl Hooked for Other {
    fn name(self) -> &'static str {
        self.pick("nu", "elvish", "xonsh")
    }

    fn init(self, args: &str) -> String {
        match self {
            Other::Nu => format!(
                "mkdir ($nu.data-dir)/vendor/autoload\n\
                 credsh init nu {args} | save -f ($nu.data-dir)/vendor/autoload/credsh.nu"
            ),
            Other::Elvish => format!("eval (credsh init elvish {args} | slurp)"),
            Other::Xonsh => format!("execx($(credsh init xonsh {args}))"),
        }
    }

    fn start_with(self, lines: &str, sandbox: &Sandbox) -> Session {
        self.start_under(&[], lines, sandbox)
    }

    /// elvish's hook adds the kernel's uptime to a base that it takes from `date`.
    fn clock(self) -> &'static str {
        self.pick("__credsh_now", "date +%s", "echo @(int(__import__('time').time()))")
    }

    fn program(self) -> String {
        match self {
            Other::Nu => format!("{}/target/npm/nu", env!("CARGO_MANIFEST_DIR")),
            Other::Elvish => "elvish".into(),
            Other::Xonsh => tool("xonsh").to_str().unwrap().into(),
        }
    }
}
