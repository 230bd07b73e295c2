//! Real interactive shells, typed at through a pty. A test sees what a person would see: a screen, as `vt100` renders it.
//! Nothing here measures time; it waits until the expected text is on the screen.

use std::fs::File;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::Child;
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use super::Sandbox;

/// How long anything may take to appear, on a machine that is busy with other things.
const PATIENCE: Duration = Duration::from_secs(20);
/// Tall enough that no test scrolls, wide enough that no line typed by `run` wraps.
pub const SIZE: (u16, u16) = (200, 200);

/// Makes one test per scenario and shell, so that a failure names both. Each scenario is a `fn(Shell)`.
#[macro_export]
macro_rules! in_every_shell {
    ($($scenario:ident)*) => { $($crate::in_shells!($scenario: bash Bash, zsh Zsh, fish Fish);)* };
}

/// The same in only some of the shells: `in_shells!(scenario: bash Bash, zsh Zsh)`.
#[macro_export]
macro_rules! in_shells {
    ($scenario:ident: $($test:ident $shell:ident),*) => {
        $crate::tests_of!($scenario: $($test $crate::support::pty::Shell::$shell),*);
    };
}

/// The same in all six shells: each scenario is a `fn(impl Hooked)`.
#[macro_export]
macro_rules! in_all_six_shells {
    ($($scenario:ident)*) => {
        $($crate::tests_of!($scenario:
            bash $crate::support::pty::Shell::Bash,
            zsh $crate::support::pty::Shell::Zsh,
            fish $crate::support::pty::Shell::Fish,
            nu $crate::support::others::Other::Nu,
            elvish $crate::support::others::Other::Elvish,
            xonsh $crate::support::others::Other::Xonsh
        );)*
    };
}

/// Makes one test per name, each of which calls the scenario with the expression that follows the name.
#[macro_export]
macro_rules! tests_of {
    ($scenario:ident: $($test:ident $shell:expr),*) => {
        mod $scenario {
            $(#[test]
            fn $test() {
                super::$scenario($shell);
            })*
        }
    };
}

/// Any shell that has a hook: what a scenario for all six may use. Such a scenario types only a program and its
/// arguments, which mean the same in each. A scenario for a `Shell` may use all the syntax that bash, zsh and fish share.
pub trait Hooked: Copy + Send + 'static {
    fn name(self) -> &'static str;

    /// The line that a user puts into the start-up file.
    fn init(self, args: &str) -> String;

    /// Starts it with a start-up file that sets the plain prompt and then has `lines`.
    fn start_with(self, lines: &str, sandbox: &Sandbox) -> Session;

    /// Starts it with the hook and nothing else.
    fn start(self, sandbox: &Sandbox) -> Session {
        self.start_with(&self.init(""), sandbox)
    }

    /// The command line that starts another instance of it.
    fn program(self) -> String;

    /// A command that prints the clock the hook looks at.
    fn clock(self) -> &'static str;
}

impl Hooked for Shell {
    fn name(self) -> &'static str {
        Shell::name(self)
    }

    fn init(self, args: &str) -> String {
        Shell::init(self, args)
    }

    fn start_with(self, lines: &str, sandbox: &Sandbox) -> Session {
        self.rc().unhooked().after(lines).start(sandbox)
    }

    fn program(self) -> String {
        self.name().into()
    }

    fn clock(self) -> &'static str {
        Shell::clock(self)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shell {
    Bash,
    Zsh,
    Fish,
}

impl Shell {
    pub fn name(self) -> &'static str {
        match self {
            Shell::Bash => "bash",
            Shell::Zsh => "zsh",
            Shell::Fish => "fish",
        }
    }

    /// The first for bash and zsh, the second for fish.
    pub fn pick<T>(self, posix: T, fish: T) -> T {
        if self == Shell::Fish { fish } else { posix }
    }

    /// The variable that holds the last exit status.
    pub fn status(self) -> &'static str {
        self.pick("$?", "$status")
    }

    /// A command that prints the clock the hook looks at.
    pub fn clock(self) -> &'static str {
        self.pick("echo $EPOCHSECONDS", "path mtime -R $XDG_RUNTIME_DIR/credsh/clock")
    }

    /// The line that a user puts into the start-up file.
    pub fn init(self, args: &str) -> String {
        let name = self.name();
        self.pick(format!("eval \"$(credsh init {name} {args})\""), format!("credsh init {name} {args} | source"))
    }

    /// A start-up file with nothing but the hook, to be changed before the shell is started.
    pub fn rc(self) -> Rc {
        Rc { shell: self, before: String::new(), hook: Some(String::new()), after: String::new(), size: SIZE }
    }

    /// Starts it with the hook and nothing else.
    pub fn start(self, sandbox: &Sandbox) -> Session {
        self.rc().start(sandbox)
    }

    fn rc_file(self) -> &'static str {
        match self {
            Shell::Bash => ".bashrc",
            Shell::Zsh => ".zshrc",
            Shell::Fish => ".config/fish/config.fish",
        }
    }

    /// Settings that make all shells look the same: the prompt is `$ `, and there are no greetings, marks or suggestions.
    fn plain(self) -> &'static str {
        match self {
            Shell::Bash => "PS1='$ '\n",
            Shell::Zsh => "PROMPT='$ ' PROMPT_EOL_MARK=\n",
            Shell::Fish => {
                "set -g fish_greeting\nset -g fish_autosuggestion_enabled 0\nfunction fish_prompt\n    echo -n '$ '\nend\n"
            }
        }
    }
}

/// A start-up file.
pub struct Rc {
    shell: Shell,
    before: String,
    hook: Option<String>,
    after: String,
    size: (u16, u16),
}

impl Rc {
    /// Adds lines before the hook's.
    #[must_use]
    pub fn before(mut self, lines: &str) -> Rc {
        self.before = lines.into();
        self
    }

    /// Adds lines after the hook's.
    #[must_use]
    pub fn after(mut self, lines: &str) -> Rc {
        self.after = lines.into();
        self
    }

    /// Sets the arguments of `credsh init`.
    #[must_use]
    pub fn init(mut self, args: &str) -> Rc {
        self.hook = Some(args.into());
        self
    }

    /// Leaves the hook out, for a control.
    #[must_use]
    pub fn unhooked(mut self) -> Rc {
        self.hook = None;
        self
    }

    /// Rows and columns.
    #[must_use]
    pub fn size(mut self, rows: u16, columns: u16) -> Rc {
        self.size = (rows, columns);
        self
    }

    /// Writes the file, starts the shell and waits for its first prompt.
    pub fn start(self, sandbox: &Sandbox) -> Session {
        self.start_under(&[], sandbox)
    }

    /// Starts it as a child of another program, such as strace.
    pub fn start_under(self, wrapper: &[&str], sandbox: &Sandbox) -> Session {
        let hook = self.hook.map_or(String::new(), |args| self.shell.init(&args));
        let text = format!("{}{}\n{hook}\n{}\n", self.shell.plain(), self.before, self.after);
        sandbox.file(self.shell.rc_file(), &text);
        // Otherwise fish parses all manual pages on its first start, in the background. fish 3 looks in one of these
        // directories, fish 4 in the other.
        for directory in [".local/share", ".cache"] {
            sandbox.file(&format!("{directory}/fish/generated_completions/none"), "");
        }
        let mut words = wrapper.to_vec();
        words.extend(match self.shell {
            Shell::Bash => &["bash", "--noprofile", "-i"][..],
            Shell::Zsh => &["zsh", "-d", "-i"],
            Shell::Fish => &["fish", "-i"],
        });
        Session::open(self.shell.name(), &words, self.size, sandbox)
    }
}

/// A shell on the other side of a pty. Killed when dropped.
pub struct Session {
    name: &'static str,
    child: Child,
    keyboard: File,
    incoming: Receiver<Vec<u8>>,
    screen: vt100::Parser,
    raw: Vec<u8>,
    /// How many bytes of `raw` have been searched for queries to the terminal.
    answered: usize,
    marks: u32,
}

impl Session {
    /// Starts a shell with the given command line, and waits for its first prompt.
    pub fn open(name: &'static str, words: &[&str], (rows, columns): (u16, u16), sandbox: &Sandbox) -> Session {
        let (keyboard, tty) = pty(rows, columns);
        let open = || File::options().read(true).write(true).open(&tty).unwrap();
        // `setsid --ctty` makes the pty the shell's controlling terminal. std cannot do that between fork
        // and exec without `unsafe`.
        let mut command = sandbox.command("setsid");
        // A test run in the background starts with SIGINT ignored, and one under nohup with SIGHUP; a shell that
        // inherits that cannot undo it.
        command
            .args(["--ctty", "env", "--default-signal=INT,HUP"])
            .args(words)
            .stdin(open())
            .stdout(open())
            .stderr(open());
        let child = command.spawn().unwrap();
        let mut reader = keyboard.try_clone().unwrap();
        let (sender, incoming) = channel();
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            // Fails, and so ends the loop, once no process holds the other side any more.
            while let Ok(count @ 1..) = reader.read(&mut buffer) {
                if sender.send(buffer[..count].to_vec()).is_err() {
                    break;
                }
            }
        });
        // Scripts that print variables, for the shells that cannot run a line of sh. They succeed even if there is none.
        sandbox.file("var", "printenv \"$1\" || :\n");
        sandbox.file("mine", "env | grep -E '^(TEMPORARY_AWS|CREDSH)' || :\n");
        let screen = vt100::Parser::new(rows, columns, 0);
        let mut session = Session { name, child, keyboard, incoming, screen, raw: Vec::new(), answered: 0, marks: 0 };
        session.wait_for("the first prompt", Session::at_prompt);
        session
    }

    /// The shell's process id: `setsid` execs it rather than forking.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Which of bash, zsh and fish it is, if any.
    fn common(&self) -> Option<Shell> {
        [Shell::Bash, Shell::Zsh, Shell::Fish].into_iter().find(|shell| shell.name() == self.name)
    }

    /// Which of bash, zsh and fish it is.
    pub fn shell(&self) -> Shell {
        self.common().expect("one of these")
    }

    pub fn send(&mut self, bytes: &[u8]) {
        self.keyboard.write_all(bytes).unwrap();
    }

    /// Types a line and Enter, and returns at once.
    pub fn type_line(&mut self, line: &str) {
        self.send(format!("{line}\r").as_bytes());
    }

    /// Presses Enter on an empty line, and waits for the next prompt.
    pub fn enter(&mut self) {
        self.line("");
    }

    /// Types a line and Enter, and waits for the next prompt.
    pub fn line(&mut self, line: &str) {
        let row = self.row();
        self.type_line(line);
        self.wait_for("the next prompt", |session| session.row() > row && session.at_prompt());
    }

    /// Runs `command` and returns what appears below it until it is done: its output, and what the hook prints before it
    /// starts. An echoed mark shows the end; it is typed in two halves, so that the typed line is not mistaken for it.
    /// nu, elvish and xonsh do not join those halves, so there the next prompt is the end.
    pub fn run(&mut self, command: &str) -> String {
        if self.common().is_none() {
            let row = self.row();
            self.line(command);
            let (rows, end) = (self.rows(), self.row());
            return rows[row + 1..end].iter().map(|row| row.trim_end()).collect::<Vec<_>>().join("\n");
        }
        self.marks += 1;
        let (typed, mark) = (format!("EN''D{}", self.marks), format!("END{}", self.marks));
        self.type_line(&format!("{command}; echo {typed}"));
        let end = |session: &Session| session.rows().iter().rposition(|row| row.trim_end() == mark);
        self.wait_for(&format!("the end of `{command}`"), |session| {
            end(session).is_some_and(|end| session.row() > end && session.at_prompt())
        });
        let rows = self.rows();
        let end = end(self).unwrap();
        let start = rows.iter().rposition(|row| row.contains(&typed)).expect("the typed line does not wrap");
        rows[start + 1..end].iter().map(|row| row.trim_end()).collect::<Vec<_>>().join("\n")
    }

    /// A variable as a program sees it: "" if it is not exported.
    pub fn var(&mut self, name: &str) -> String {
        let program = if self.common().is_some() { "printenv" } else { "sh ~/var" };
        self.run(&format!("{program} {name}"))
    }

    /// The access key id as a program sees it.
    pub fn key(&mut self) -> String {
        self.var("TEMPORARY_AWS_ACCESS_KEY_ID")
    }

    /// All of credsh's variables that a program sees.
    pub fn mine(&mut self) -> String {
        self.run("sh ~/mine")
    }

    /// Waits for this prompt; if `wanted` ends in `...`, for any prompt that begins with the part before. Looking once is
    /// not enough, as elvish shows the previous prompt until the new one is computed.
    #[track_caller]
    pub fn wait_for_prompt(&mut self, wanted: &str) {
        self.wait_for(wanted, |session| match wanted.strip_suffix("...") {
            Some(begin) => session.prompt().starts_with(begin) && session.at_prompt(),
            None => session.prompt() == wanted,
        });
    }

    /// The cursor's line, up to the cursor.
    pub fn prompt(&self) -> String {
        let screen = self.screen.screen();
        let (row, column) = screen.cursor_position();
        // xonsh moves the cursor over a trailing blank instead of writing it.
        let written = |column: &u16| screen.cell(row, *column).is_some_and(vt100::Cell::has_contents);
        let end = (0..column).rev().find(written).map_or(0, |last| last + 1);
        screen.contents_between(row, 0, row, end) + &" ".repeat(usize::from(column - end))
    }

    /// Every line of the screen, right prompts included.
    pub fn rows(&self) -> Vec<String> {
        let (_, columns) = self.screen.screen().size();
        self.screen.screen().rows(0, columns).collect()
    }

    /// The screen as text.
    pub fn text(&self) -> String {
        self.rows().join("\n").trim_end().to_owned()
    }

    /// Resizes the window, as a person does with the mouse.
    pub fn resize(&mut self, rows: u16, columns: u16) {
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&self.keyboard, size).unwrap();
        self.screen.screen_mut().set_size(rows, columns);
    }

    /// The screen with its colours and cursor.
    pub fn screen(&self) -> &vt100::Screen {
        self.screen.screen()
    }

    /// Every byte that the terminal has received.
    pub fn raw(&self) -> String {
        String::from_utf8_lossy(&self.raw).into_owned()
    }

    /// The number of the cursor's line.
    pub fn row(&self) -> usize {
        self.screen.screen().cursor_position().0.into()
    }

    /// Whether the cursor's line ends in a prompt. `#` is what some shells show to root.
    pub fn at_prompt(&self) -> bool {
        let prompt = self.prompt();
        prompt.ends_with("$ ") || prompt.ends_with("# ")
    }

    /// Waits for `seen`, checking it whenever the screen has changed.
    #[track_caller]
    pub fn wait_for(&mut self, what: &str, seen: impl Fn(&Session) -> bool) {
        let end = Instant::now() + PATIENCE;
        while !seen(self) {
            let left = end.saturating_duration_since(Instant::now());
            match self.incoming.recv_timeout(left) {
                Ok(bytes) => {
                    self.take(&bytes);
                    // Takes in everything that is already there before checking again: checking is the slow part.
                    self.look();
                }
                Err(error) => panic!("{}: no sign of {what} ({error}):\n{}", self.name, self.text()),
            }
        }
    }

    /// Repeats `step` until it returns true.
    #[track_caller]
    pub fn until(&mut self, what: &str, mut step: impl FnMut(&mut Session) -> bool) {
        let end = Instant::now() + PATIENCE;
        while !step(self) {
            assert!(Instant::now() < end, "{}: {what} did not happen:\n{}", self.name, self.text());
            thread::sleep(Duration::from_millis(200));
        }
    }

    pub fn ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    pub fn wait_end(&mut self) {
        self.until("the end of the shell", Session::ended);
    }

    /// Waits until no process holds the terminal any more.
    pub fn wait_hang_up(&mut self) {
        self.until("the end of the terminal", |session| {
            loop {
                match session.incoming.try_recv() {
                    Ok(bytes) => session.take(&bytes),
                    Err(error) => return error == TryRecvError::Disconnected,
                }
            }
        });
    }

    /// Processes the output that has arrived so far.
    pub fn look(&mut self) {
        while let Ok(bytes) = self.incoming.try_recv() {
            self.take(&bytes);
        }
    }

    fn take(&mut self, bytes: &[u8]) {
        self.screen.process(bytes);
        self.raw.extend_from_slice(bytes);
        // fish 4, nu and xonsh ask the terminal for its type and for the cursor's position, and wait for the answers.
        // Each query gets exactly one, even if it arrives in two pieces.
        while let Some(place) = self.raw[self.answered..].iter().position(|byte| *byte == 0x1b) {
            let question = &self.raw[self.answered + place..];
            // Up to the final letter after `ESC [`.
            let end = question.iter().skip(2).position(|byte| (0x40..0x7f).contains(byte));
            match end.map(|end| &question[..end + 3]) {
                None => {
                    self.answered += place;
                    return;
                }
                Some(b"\x1b[c" | b"\x1b[0c") => self.send(b"\x1b[?62;c"),
                Some(b"\x1b[6n") => {
                    let (row, column) = self.screen.screen().cursor_position();
                    self.send(format!("\x1b[{};{}R", row + 1, column + 1).as_bytes());
                }
                Some(_) => {}
            }
            self.answered += place + 1;
        }
        self.answered = self.raw.len();
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn pty(rows: u16, columns: u16) -> (File, PathBuf) {
    let controller = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&controller).unwrap();
    unlockpt(&controller).unwrap();
    tcsetwinsize(&controller, Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
    let name = ptsname(&controller, Vec::new()).unwrap();
    (File::from(controller), name.to_str().unwrap().into())
}
