//! nu, elvish and xonsh on a pty. Their sessions are those of `pty`; but a line of sh means something else to each of them,
//! so what is typed at them is a program and its words.

use std::ops::{Deref, DerefMut};

use super::Sandbox;
use super::moto::tool;
use super::pty::{SIZE, Session};

/// Makes a test of each scenario in each of these shells. Each scenario is a `fn(Other)`.
#[macro_export]
macro_rules! in_every_other_shell {
    ($($scenario:ident)*) => {
        $(mod $scenario {
            use $crate::support::others::Other;

            #[test]
            fn nu() {
                super::$scenario(Other::Nu);
            }
            #[test]
            fn elvish() {
                super::$scenario(Other::Elvish);
            }
            #[test]
            fn xonsh() {
                super::$scenario(Other::Xonsh);
            }
        })*
    };
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Other {
    Nu,
    Elvish,
    Xonsh,
}

impl Other {
    pub fn name(self) -> &'static str {
        match self {
            Other::Nu => "nu",
            Other::Elvish => "elvish",
            Other::Xonsh => "xonsh",
        }
    }

    /// One of three, in the order of the shells.
    pub fn pick<T>(self, nu: T, elvish: T, xonsh: T) -> T {
        match self {
            Other::Nu => nu,
            Other::Elvish => elvish,
            Other::Xonsh => xonsh,
        }
    }

    /// The line a person puts into the start-up file.
    pub fn init(self, args: &str) -> String {
        match self {
            Other::Nu => format!(
                "mkdir ($nu.data-dir)/vendor/autoload\n\
                 credsh init nu {args} | save -f ($nu.data-dir)/vendor/autoload/credsh.nu"
            ),
            Other::Elvish => format!("eval (credsh init elvish {args} | slurp)"),
            Other::Xonsh => format!("execx($(credsh init xonsh {args}))"),
        }
    }

    /// The program.
    pub fn program(self) -> String {
        match self {
            Other::Nu => format!("{}/target/npm/nu", env!("CARGO_MANIFEST_DIR")),
            Other::Elvish => "elvish".into(),
            Other::Xonsh => tool("xonsh").to_str().unwrap().into(),
        }
    }

    pub fn rc_file(self) -> &'static str {
        self.pick(".config/nushell/config.nu", ".config/elvish/rc.elv", ".xonshrc")
    }

    /// What makes each look the same: the prompt `$ `, and nothing on the screen that nobody has written.
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

    /// Starts it with a start-up file of the plain prompt and `lines`.
    pub fn start_with(self, lines: &str, sandbox: &Sandbox) -> Typed {
        self.start_under(&[], lines, sandbox)
    }

    /// The same as a child of another program, such as strace.
    pub fn start_under(self, wrapper: &[&str], lines: &str, sandbox: &Sandbox) -> Typed {
        sandbox.file(self.rc_file(), &format!("{}{lines}\n", self.plain()));
        // What is a variable is for a program to say, and without failing.
        sandbox.file("var", "printenv \"$1\" || :\n");
        sandbox.file("mine", "env | grep -E '^(TEMPORARY_AWS|CREDSH)' || :\n");
        let program = self.program();
        let words = [wrapper, &[program.as_str()]].concat();
        Typed { shell: self, session: Session::open(self.name(), &words, SIZE, sandbox) }
    }

    /// Starts it with the hook and nothing else.
    pub fn start(self, sandbox: &Sandbox) -> Typed {
        self.start_with(&self.init(""), sandbox)
    }
}

/// A session of one of these shells.
pub struct Typed {
    pub shell: Other,
    pub session: Session,
}

impl Deref for Typed {
    type Target = Session;
    fn deref(&self) -> &Session {
        &self.session
    }
}

impl DerefMut for Typed {
    fn deref_mut(&mut self) -> &mut Session {
        &mut self.session
    }
}

impl Typed {
    /// Runs `command` and gives what appears below it until the next prompt.
    pub fn run(&mut self, command: &str) -> String {
        let row = self.row();
        self.line(command);
        let (rows, end) = (self.rows(), self.row());
        rows[row + 1..end].iter().map(|row| row.trim_end()).collect::<Vec<_>>().join("\n")
    }

    /// A variable, as a program sees it: "" when it is not exported.
    pub fn var(&mut self, name: &str) -> String {
        self.run(&format!("sh ~/var {name}"))
    }

    /// The access key id, as a program sees it.
    pub fn key(&mut self) -> String {
        self.var("TEMPORARY_AWS_ACCESS_KEY_ID")
    }

    /// What a program sees of credsh's.
    pub fn mine(&mut self) -> String {
        self.run("sh ~/mine")
    }
}
