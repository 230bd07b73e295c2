//! The README's recipes for `CREDSH_PROMPT`, word for word, in the tools they are for: what these show on a real screen,
//! and that the hook and starship do not disturb each other.

mod support;

use std::process::Command;
use std::thread;
use std::time::Duration;

use support::Sandbox;
use support::endpoint::{Behaviour, Endpoint, Rotation};
use support::pty::{Rc, Session, Shell};

in_every_shell! {
    a_prompt_of_ones_own
    starship_shows_it
    starship_never_shows_what_is_over
    starship_beside_the_indicator
    idle_past_expiry_beside_starship_the_next_command_is_fresh
    tmux_shows_each_panes_own
}

/// The first block in `language` under the README's `heading`.
fn recipe(heading: &str, language: &str) -> String {
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let below = readme.split_once(&format!("\n**{heading}**")).unwrap_or_else(|| panic!("no {heading} in README.md")).1;
    let block = below.split_once(&format!("\n```{language}\n")).unwrap().1;
    block.split_once("```\n").unwrap().0.to_owned()
}

const STARSHIP: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/target/tools/bin/starship");

/// Configures starship with a prompt that ends as the others here do, and shows the last statuses.
fn with_starship(sandbox: &Sandbox, recipe: &str) {
    let config = format!(
        "add_newline = false\nformat = '$env_var$status\\$ '\n[status]\ndisabled = false\npipestatus = true\nformat = '<$status>'\n\
         pipestatus_format = '<$pipestatus>'\npipestatus_separator = ' '\npipestatus_segment_format = '$status'\n{recipe}"
    );
    sandbox.file(".config/starship.toml", &config);
}

/// starship's line in the start-up file, once before the hook's and once after it.
fn both_orders(shell: Shell, args: &str) -> [Rc; 2] {
    let name = shell.name();
    let line = shell.pick(format!("eval \"$({STARSHIP} init {name})\""), format!("{STARSHIP} init {name} | source"));
    [shell.rc().init(args).before(&line), shell.rc().init(args).after(&line)]
}

fn a_prompt_of_ones_own(shell: Shell) {
    let endpoint = Endpoint::start(599);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    let lines = recipe("A prompt of your own", shell.name());
    let mut session = shell.rc().init("--prompt off").before(&lines).start(&sandbox);
    session.key();
    assert_eq!(session.prompt(), "[cloudshell 9m] ~ $ ");
    session.run("credsh clear");
    assert_eq!(session.prompt(), "~ $ ");
}

/// The prompt with root's `#` replaced: starship puts a `$` there, of which bash makes a `#` for root.
fn shown(session: &Session) -> String {
    session.prompt().replace("# ", "$ ")
}

fn starship_shows_it(shell: Shell) {
    for rc in both_orders(shell, "--prompt off") {
        let endpoint = Endpoint::start(599);
        endpoint.rotate(Rotation::Always);
        let sandbox = Sandbox::in_cloudshell(&endpoint);
        with_starship(&sandbox, &recipe("starship", "toml"));
        let mut session = rc.start(&sandbox);
        session.key();
        assert_eq!(shown(&session), "[cloudshell 9m] $ ");
        let colour = session.screen().cell(u16::try_from(session.row()).unwrap(), 1).unwrap().fgcolor();
        assert_eq!(colour, vt100::Color::Idx(2));
        endpoint.live(3599);
        session.line("credsh refresh --force");
        assert_eq!(shown(&session), "[cloudshell 59m] $ ");
        session.line("sh -c 'exit 7'");
        assert_eq!(shown(&session), "[cloudshell 59m] <7>$ ");
        assert_eq!(session.run(&format!("sh -c 'exit 7'\recho {}", shell.status())).lines().last(), Some("7"));
        session.line("false | true | sh -c 'exit 3'");
        assert_eq!(shown(&session), "[cloudshell 59m] <1 0 3>$ ");
        assert_eq!(session.run("credsh_off"), "");
        for _ in 0..2 {
            session.line("sh -c 'exit 7'");
            assert_eq!(shown(&session), "<7>$ ");
        }
        assert!(!session.text().to_lowercase().contains("not found"), "{}", session.text());
    }
}

fn starship_never_shows_what_is_over(shell: Shell) {
    for rc in both_orders(shell, "--prompt off") {
        let endpoint = Endpoint::start(4);
        let sandbox = Sandbox::in_cloudshell(&endpoint);
        with_starship(&sandbox, &recipe("starship", "toml"));
        let mut session = rc.start(&sandbox);
        session.key();
        endpoint.behave(Behaviour::Close);
        thread::sleep(Duration::from_secs(5));
        session.enter();
        assert_eq!(shown(&session), "[cloudshell expired] $ ");
    }
}

fn starship_beside_the_indicator(shell: Shell) {
    for rc in both_orders(shell, "--prompt left") {
        let endpoint = Endpoint::start(599);
        let sandbox = Sandbox::in_cloudshell(&endpoint);
        with_starship(&sandbox, "");
        let mut session = rc.start(&sandbox);
        session.key();
        for _ in 0..3 {
            session.line("false | true | sh -c 'exit 3'");
            assert_eq!(shown(&session), "[cloudshell 9m] <1 0 3>$ ");
        }
        assert_eq!(session.run("credsh_off"), "");
        for _ in 0..2 {
            session.line("sh -c 'exit 7'");
            assert_eq!(shown(&session), "<7>$ ");
        }
    }
}

fn idle_past_expiry_beside_starship_the_next_command_is_fresh(shell: Shell) {
    for side in ["--prompt off", "--prompt left"] {
        for rc in both_orders(shell, side) {
            let endpoint = Endpoint::start(4);
            let sandbox = Sandbox::in_cloudshell(&endpoint);
            with_starship(&sandbox, "");
            let mut session = rc.start(&sandbox);
            let first = session.key();
            thread::sleep(Duration::from_secs(5));
            let next = session.key();
            assert_ne!(next, first, "{side}");
            assert_eq!(next, endpoint.key(), "{side}");
        }
    }
}

/// A tmux server of the sandbox's own. Killed when dropped, as it would outlive its client.
struct Tmux<'a> {
    sandbox: &'a Sandbox,
    socket: String,
}

impl<'a> Tmux<'a> {
    fn new(sandbox: &'a Sandbox, recipe: &str) -> Tmux<'a> {
        // The status line is refreshed each second, and wide enough even if the host's name is long.
        sandbox.file(".tmux.conf", &format!("set -g status-interval 1\nset -g status-right-length 80\n{recipe}"));
        Tmux { sandbox, socket: sandbox.home().join("tmux").to_str().unwrap().into() }
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = self.sandbox.command("tmux");
        command.arg("-S").arg(&self.socket).args(args);
        command
    }
}

impl Drop for Tmux<'_> {
    fn drop(&mut self) {
        let _ = self.command(&["kill-server"]).output();
    }
}

/// The last line of the screen, which is tmux's status line.
fn status_line(session: &Session) -> String {
    session.rows().pop().unwrap_or_default()
}

fn tmux_shows_each_panes_own(shell: Shell) {
    let endpoint = Endpoint::start(599);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    let tmux = Tmux::new(&sandbox, &recipe("Each tmux pane's own", "tmux"));
    let lines = recipe("Each tmux pane's own", shell.name());
    let words = ["tmux", "-S", &tmux.socket, "new-session"];
    let mut session = shell.rc().after(&lines).size(50, 160).start_under(&words, &sandbox);
    session.key();
    assert!(session.prompt().starts_with("[cloudshell 9m] $ "), "the title takes no room: {}", session.prompt());
    session.wait_for("the text in tmux's status line", |session| status_line(session).contains(" cloudshell 9m "));
    session.run("credsh clear");
    session.wait_for("no text", |session| !status_line(session).contains("cloudshell"));
}

#[test]
fn tmux_counts_down_while_the_shell_idles() {
    let endpoint = Endpoint::start(100);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    let tmux = Tmux::new(&sandbox, &recipe("tmux", "tmux"));
    let mut session = Shell::Bash.rc().size(50, 160).start(&sandbox);
    session.key();
    session.send(format!("exec tmux -S {} new-session sh\r", tmux.socket).as_bytes());
    let left = |session: &Session| {
        let line = status_line(session);
        line.split("cloudshell ").nth(1).and_then(|rest| rest.split('s').next()).map(str::to_owned)
    };
    session.wait_for("the text in tmux's status line", |session| left(session).is_some());
    let first = left(&session);
    session.wait_for("the next", |session| left(session).is_some_and(|now| Some(&now) != first.as_ref()));
    // Another lease, switched to as the README says.
    let process = sandbox.file("process", "echo '{\"Version\":1,\"AccessKeyId\":\"ASIAPROFILE\",\"SecretAccessKey\":\"s\",\"SessionToken\":\"t\",\"Expiration\":\"2099-01-01T00:00:00Z\"}'\n");
    sandbox.file(".aws/config", &format!("[profile p]\ncredential_process = sh {}\n", process.display()));
    sandbox.credsh(&["refresh", "--profile", "p"]);
    let status: serde_json::Value = serde_json::from_str(&sandbox.credsh(&["status", "--json"]).ok()).unwrap();
    let leases = status["leases"].as_array().unwrap();
    let id = leases.iter().find(|lease| lease["source"] == "profile:p").unwrap()["id"].as_str().unwrap();
    assert!(tmux.command(&["set-environment", "-g", "CREDSH_LEASE", id]).output().unwrap().status.success());
    session.wait_for("the other lease", |session| status_line(session).contains("profile:p "));
}

#[test]
fn what_is_not_tested_here_says_so() {
    let readme = include_str!("../README.md");
    for (tool, tested) in [("starship", true), ("tmux", true), ("powerlevel10k", false), ("oh-my-posh", false)] {
        let line = readme.lines().find(|line| line.starts_with(&format!("**{tool}**"))).unwrap();
        assert_eq!(line.contains("(untested)"), !tested, "{line}");
    }
}

/// The hook is told another version, as in `old_bash.rs`: there PROMPT_COMMAND is a single string,
/// which starship takes over.
#[test]
fn starship_after_the_hook_of_an_older_bash() {
    for version in [404, 500] {
        let endpoint = Endpoint::start(4);
        let sandbox = Sandbox::in_cloudshell(&endpoint);
        with_starship(&sandbox, &recipe("starship", "toml"));
        let told = format!("sed 's/BASH_VERSINFO.0. [*] 100 + BASH_VERSINFO.1./{version}/g'");
        let lines = format!("eval \"$(credsh init bash --prompt off | {told})\"\neval \"$({STARSHIP} init bash)\"");
        let mut session = Shell::Bash.rc().unhooked().before(&lines).start(&sandbox);
        session.key();
        endpoint.behave(Behaviour::Close);
        thread::sleep(Duration::from_secs(5));
        session.enter();
        assert_eq!(shown(&session), "[cloudshell expired] $ ", "{version}");
        // The one message, that the renewal failed, comes before this.
        session.line("credsh_off");
        session.line("sh -c 'exit 7'");
        assert_eq!(shown(&session), "<7>$ ", "{version}");
        assert!(!session.text().to_lowercase().contains("not found"), "{version}: {}", session.text());
    }
}
