//! Real interactive shells, typed into through a pty. What a test sees is what a person would see: a screen, as
//! `vt100` understands it. Nothing here looks at how long something took; it waits until it is there.

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

/// How long anything may take to show, on a machine that does many other things.
const PATIENCE: Duration = Duration::from_secs(20);
/// So high that no test scrolls, so wide that no `run` wraps.
pub const SIZE: (u16, u16) = (200, 200);

/// Makes a test of each scenario in each shell, so that a failure names both. Each scenario is a `fn(Shell)`.
#[macro_export]
macro_rules! in_every_shell {
    ($($scenario:ident)*) => { $($crate::in_shells!($scenario: bash Bash, zsh Zsh, fish Fish);)* };
}

/// The same in some shells: `in_shells!(scenario: bash Bash, zsh Zsh)`.
#[macro_export]
macro_rules! in_shells {
    ($scenario:ident: $($test:ident $shell:ident),*) => {
        $crate::tests_of!($scenario: $($test $crate::support::pty::Shell::$shell),*);
    };
}

/// And in all six: each scenario is a `fn(impl Hooked)`.
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

/// A test of one scenario by each of these names, with what follows it.
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

/// A shell with the hook, whichever it is: what a scenario for all of them may ask for. In it a program and its words are
/// typed, which mean the same everywhere; a scenario for `Shell`s alone may use what they have in common besides.
pub trait Hooked: Copy + Send + 'static {
    fn name(self) -> &'static str;

    /// The line a person puts into the start-up file.
    fn init(self, args: &str) -> String;

    /// Starts it with a start-up file of the plain prompt and `lines`.
    fn start_with(self, lines: &str, sandbox: &Sandbox) -> Session;

    /// Starts it with the hook and nothing else.
    fn start(self, sandbox: &Sandbox) -> Session {
        self.start_with(&self.init(""), sandbox)
    }

    /// The words that start another of it from within.
    fn program(self) -> String;

    /// What prints the clock that the hook looks at.
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

    /// One text for bash and zsh, another for fish.
    pub fn pick<T>(self, posix: T, fish: T) -> T {
        if self == Shell::Fish { fish } else { posix }
    }

    /// The last status.
    pub fn status(self) -> &'static str {
        self.pick("$?", "$status")
    }

    /// What prints the clock that the hook looks at.
    pub fn clock(self) -> &'static str {
        self.pick("echo $EPOCHSECONDS", "path mtime -R $XDG_RUNTIME_DIR/credsh/clock")
    }

    /// The line a person puts into the start-up file.
    pub fn init(self, args: &str) -> String {
        let name = self.name();
        self.pick(format!("eval \"$(credsh init {name} {args})\""), format!("credsh init {name} {args} | source"))
    }

    /// A clean start-up file with the hook, to be changed before it is started.
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

    /// What makes each look the same: the prompt `$ `, and nothing on the screen that nobody has written.
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
    /// Lines before the hook's.
    #[must_use]
    pub fn before(mut self, lines: &str) -> Rc {
        self.before = lines.into();
        self
    }

    /// Lines after the hook's.
    #[must_use]
    pub fn after(mut self, lines: &str) -> Rc {
        self.after = lines.into();
        self
    }

    /// Arguments of `credsh init`.
    #[must_use]
    pub fn init(mut self, args: &str) -> Rc {
        self.hook = Some(args.into());
        self
    }

    /// No hook: the control.
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

    /// The same as a child of another program, such as strace.
    pub fn start_under(self, wrapper: &[&str], sandbox: &Sandbox) -> Session {
        let hook = self.hook.map_or(String::new(), |args| self.shell.init(&args));
        let text = format!("{}{}\n{hook}\n{}\n", self.shell.plain(), self.before, self.after);
        sandbox.file(self.shell.rc_file(), &text);
        // Or fish's first start goes through all manual pages, in the background: where fish 3 looks, and fish 4.
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

/// A shell on the other side of a pty. Ended when dropped.
pub struct Session {
    name: &'static str,
    child: Child,
    keyboard: File,
    incoming: Receiver<Vec<u8>>,
    screen: vt100::Parser,
    raw: Vec<u8>,
    /// How much of `raw` has been looked through for questions.
    answered: usize,
    marks: u32,
}

impl Session {
    /// Starts a shell, by the words of its command line, and waits for its first prompt.
    pub fn open(name: &'static str, words: &[&str], (rows, columns): (u16, u16), sandbox: &Sandbox) -> Session {
        let (keyboard, tty) = pty(rows, columns);
        let open = || File::options().read(true).write(true).open(&tty).unwrap();
        // Makes the pty the shell's terminal: std cannot between fork and exec without `unsafe`.
        let mut command = sandbox.command("setsid");
        // A test run in the background has SIGINT ignored, and under nohup SIGHUP; whoever begins with that never gets it back.
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
            // Ends with an error when nobody holds the other side any more.
            while let Ok(count @ 1..) = reader.read(&mut buffer) {
                if sender.send(buffer[..count].to_vec()).is_err() {
                    break;
                }
            }
        });
        // What is a variable is for a program to say, where the shell has no word for it, and without failing.
        sandbox.file("var", "printenv \"$1\" || :\n");
        sandbox.file("mine", "env | grep -E '^(TEMPORARY_AWS|CREDSH)' || :\n");
        let screen = vt100::Parser::new(rows, columns, 0);
        let mut session = Session { name, child, keyboard, incoming, screen, raw: Vec::new(), answered: 0, marks: 0 };
        session.wait_for("the first prompt", Session::at_prompt);
        session
    }

    /// The shell's process: `setsid` becomes it.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Which of the three it is, if it is one of them.
    fn common(&self) -> Option<Shell> {
        [Shell::Bash, Shell::Zsh, Shell::Fish].into_iter().find(|shell| shell.name() == self.name)
    }

    /// Which of the three it is.
    pub fn shell(&self) -> Shell {
        self.common().expect("one of these")
    }

    pub fn send(&mut self, bytes: &[u8]) {
        self.keyboard.write_all(bytes).unwrap();
    }

    /// Types a line and Enter, and waits for nothing.
    pub fn type_line(&mut self, line: &str) {
        self.send(format!("{line}\r").as_bytes());
    }

    /// Enter on an empty line, until the next prompt is there.
    pub fn enter(&mut self) {
        self.line("");
    }

    /// Types a line and Enter, and waits for the next prompt.
    pub fn line(&mut self, line: &str) {
        let row = self.row();
        self.type_line(line);
        self.wait_for("the next prompt", |session| session.row() > row && session.at_prompt());
    }

    /// Runs `command` and gives what appears below it until it is done: its output, and what the hook says before it
    /// starts. The mark that ends it is typed in two halves, so that its echo is not taken for it. Where that means
    /// something else, the next prompt is the end.
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

    /// A variable, as a program sees it: "" when it is not exported.
    pub fn var(&mut self, name: &str) -> String {
        let program = if self.common().is_some() { "printenv" } else { "sh ~/var" };
        self.run(&format!("{program} {name}"))
    }

    /// The access key id, as a program sees it.
    pub fn key(&mut self) -> String {
        self.var("TEMPORARY_AWS_ACCESS_KEY_ID")
    }

    /// What a program sees of credsh's.
    pub fn mine(&mut self) -> String {
        self.run("sh ~/mine")
    }

    /// Waits for this prompt, or one that begins so and then has `...`: elvish shows the one of before until the new one is
    /// made.
    #[track_caller]
    pub fn wait_for_prompt(&mut self, wanted: &str) {
        self.wait_for(wanted, |session| match wanted.strip_suffix("...") {
            Some(begin) => session.prompt().starts_with(begin) && session.at_prompt(),
            None => session.prompt() == wanted,
        });
    }

    /// The line the cursor is on, up to the cursor.
    pub fn prompt(&self) -> String {
        let screen = self.screen.screen();
        let (row, column) = screen.cursor_position();
        // xonsh goes over a blank at the end instead of writing it.
        let written = |column: &u16| screen.cell(row, *column).is_some_and(vt100::Cell::has_contents);
        let end = (0..column).rev().find(written).map_or(0, |last| last + 1);
        screen.contents_between(row, 0, row, end) + &" ".repeat(usize::from(column - end))
    }

    /// Every line of the screen; a right prompt's too.
    pub fn rows(&self) -> Vec<String> {
        let (_, columns) = self.screen.screen().size();
        self.screen.screen().rows(0, columns).collect()
    }

    /// The screen as text.
    pub fn text(&self) -> String {
        self.rows().join("\n").trim_end().to_owned()
    }

    /// Makes the window another size, as a person does with the mouse.
    pub fn resize(&mut self, rows: u16, columns: u16) {
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&self.keyboard, size).unwrap();
        self.screen.screen_mut().set_size(rows, columns);
    }

    /// The screen with its colours and its cursor.
    pub fn screen(&self) -> &vt100::Screen {
        self.screen.screen()
    }

    /// Every byte the terminal ever got.
    pub fn raw(&self) -> String {
        String::from_utf8_lossy(&self.raw).into_owned()
    }

    /// The line the cursor is on, by number.
    pub fn row(&self) -> usize {
        self.screen.screen().cursor_position().0.into()
    }

    /// Whether a prompt is all there is on the cursor's line. `#` is root's, where the shell has a say in it.
    pub fn at_prompt(&self) -> bool {
        let prompt = self.prompt();
        prompt.ends_with("$ ") || prompt.ends_with("# ")
    }

    /// Waits for `seen`, looking whenever the screen has changed.
    #[track_caller]
    pub fn wait_for(&mut self, what: &str, seen: impl Fn(&Session) -> bool) {
        let end = Instant::now() + PATIENCE;
        while !seen(self) {
            let left = end.saturating_duration_since(Instant::now());
            match self.incoming.recv_timeout(left) {
                Ok(bytes) => {
                    self.take(&bytes);
                    // What is there already is looked at together: looking is the slow part.
                    self.look();
                }
                Err(error) => panic!("{}: no sign of {what} ({error}):\n{}", self.name, self.text()),
            }
        }
    }

    /// Repeats `step` until it gives true.
    #[track_caller]
    pub fn until(&mut self, what: &str, mut step: impl FnMut(&mut Session) -> bool) {
        let end = Instant::now() + PATIENCE;
        while !step(self) {
            assert!(Instant::now() < end, "{}: {what} did not happen:\n{}", self.name, self.text());
            thread::sleep(Duration::from_millis(200));
        }
    }

    /// Whether the shell has ended.
    pub fn ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Waits until the shell has ended.
    pub fn wait_end(&mut self) {
        self.until("the end of the shell", Session::ended);
    }

    /// Waits until nobody holds the terminal any more.
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

    /// Takes in what has come by now.
    pub fn look(&mut self) {
        while let Ok(bytes) = self.incoming.try_recv() {
            self.take(&bytes);
        }
    }

    fn take(&mut self, bytes: &[u8]) {
        self.screen.process(bytes);
        self.raw.extend_from_slice(bytes);
        // fish 4, nu and xonsh ask what terminal this is, and where its cursor is, and wait for the answers: one each, also
        // where a question comes in two pieces.
        while let Some(place) = self.raw[self.answered..].iter().position(|byte| *byte == 0x1b) {
            let question = &self.raw[self.answered + place..];
            // Up to the letter behind `ESC [`.
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
