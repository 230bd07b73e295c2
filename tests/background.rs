//! A background renewal shares nothing with the shell that started it: it is no job of the shell's, holds neither its
//! terminal nor its files, and outlives it.

mod support;

use std::fs;
use std::thread;
use std::time::Duration;

use support::Sandbox;
use support::endpoint::{Behaviour, Endpoint};
use support::pty::{Session, Shell};

in_every_shell! {
    it_is_no_job_and_no_child
    it_outlives_exit_and_holds_neither_files_nor_terminal
    it_outlives_a_hang_up
    ctrl_c_at_the_prompt_does_not_reach_it
}

/// A shell whose renewal is under way: the endpoint has been asked, and does not answer before `finish`.
struct UnderWay {
    endpoint: Endpoint,
    sandbox: Sandbox,
    session: Session,
    lease: String,
    id: String,
}

fn under_way(shell: Shell, rc: &str) -> UnderWay {
    let endpoint = Endpoint::start(8);
    let sandbox = Sandbox::in_cloudshell(&endpoint).with("CREDSH_WAIT", "20");
    let mut session = shell.rc().before(rc).start(&sandbox);
    assert_eq!(session.key(), "ASIATEST0001");
    endpoint.behave(Behaviour::Held);
    let lease = session.var("CREDSH_LEASE");
    session.until("the renewal", |session| {
        session.enter();
        endpoint.count() > 1
    });
    let id = renewals(&lease).pop().expect("the renewing process");
    UnderWay { endpoint, sandbox, session, lease, id }
}

impl UnderWay {
    /// Lets the endpoint answer, and waits until the answer is stored and the process is gone.
    fn finish(&self) {
        self.endpoint.behave(Behaviour::Good);
        let file = self.sandbox.store().join(format!("{}.sh", self.lease));
        let came = || fs::read_to_string(&file).is_ok_and(|text| text.contains("ASIATEST0002"));
        for _ in 0..200 {
            if came() && renewals(&self.lease).is_empty() {
                return;
            }
            thread::sleep(Duration::from_millis(100));
        }
        panic!("the renewal came to nothing: {}, {:?}", came(), renewals(&self.lease));
    }

    fn still(&self) -> bool {
        renewals(&self.lease).contains(&self.id)
    }
}

/// The ids of the processes that renew this lease.
fn renewals(lease: &str) -> Vec<String> {
    let wanted = format!("--lease={lease}");
    processes(|id| {
        let line = fs::read_to_string(format!("/proc/{id}/cmdline")).unwrap_or_default();
        line.split('\0').any(|word| word == "--detached") && line.split('\0').any(|word| word == wanted)
    })
}

fn processes(wanted: impl Fn(&str) -> bool) -> Vec<String> {
    let names = fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    names.filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()) && wanted(name)).collect()
}

/// State, parent, process group, session and terminal.
fn stat(id: &str) -> Option<[String; 5]> {
    let text = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    let mut fields = text.rsplit_once(") ")?.1.split(' ').map(str::to_owned);
    Some([fields.next()?, fields.next()?, fields.next()?, fields.next()?, fields.next()?])
}

fn children(id: &str) -> Vec<String> {
    processes(|child| stat(child).is_some_and(|[_, parent, ..]| parent == id))
}

fn it_is_no_job_and_no_child(shell: Shell) {
    let mut at = under_way(shell, "");
    let shell_id = at.session.run(shell.pick("echo $$", "echo $fish_pid"));
    let [_, parent, _, session, terminal] = stat(&at.id).unwrap();
    let [_, _, _, of_shell, its_terminal] = stat(&shell_id).unwrap();
    assert_ne!(parent, shell_id);
    assert_ne!(session, of_shell);
    assert_eq!(terminal, "0");
    assert_ne!(its_terminal, "0", "the control");
    assert_eq!(at.session.run("jobs"), shell.pick("", "jobs: There are no jobs"));
    assert!(at.still(), "the control: all of this was while it ran");
    at.finish();
    at.session.enter();
    assert_eq!(at.session.key(), "ASIATEST0002");
    assert_eq!(children(&shell_id), Vec::<String>::new(), "no zombie");
    for noise in ["[1]", "Done", "done", "ended", "Terminated"] {
        assert!(!at.session.raw().contains(noise), "{noise}: {}", at.session.text());
    }
    // The control: a job of the shell's own does show.
    at.session.line("sleep 1 &");
    assert_ne!(at.session.run("jobs"), shell.pick("", "jobs: There are no jobs"));
    assert_eq!(children(&shell_id).len(), 1);
}

fn it_outlives_exit_and_holds_neither_files_nor_terminal(shell: Shell) {
    // A pipe that the shell has open for writing: its reader sees the end only when no process holds it any more.
    let pipe = match shell {
        Shell::Bash => "exec 7> >(trap '' HUP; cat; echo over >~/over)",
        Shell::Zsh => "exec 7> >(trap '' HUP; cat; echo over >~/over) 2>/dev/null",
        // fish cannot open one for itself.
        Shell::Fish => "",
    };
    let mut at = under_way(shell, pipe);
    at.session.type_line("exit");
    at.session.wait_end();
    at.session.wait_hang_up();
    let over = at.sandbox.home().join("over");
    while shell != Shell::Fish && !over.exists() {
        assert!(at.still(), "the pipe was held as long as the renewal ran");
        thread::sleep(Duration::from_millis(50));
    }
    assert!(at.still(), "the control: the terminal was free while it ran");
    assert!(!at.session.text().contains("job"), "exit warned: {}", at.session.text());
    at.finish();
}

fn it_outlives_a_hang_up(shell: Shell) {
    let mut at = under_way(shell, "");
    // The control: a job of the shell's own does not survive this, except in fish.
    at.session.line("sh -c 'until test -e ~/go; do sleep 0.1; done; touch ~/job' &");
    let shell_id = at.session.run(shell.pick("echo $$", "echo $fish_pid"));
    // Sent repeatedly, as bash misses a signal that arrives just before it begins to read.
    let mut hang_up = at.sandbox.command("sh");
    hang_up.args(["-c", &format!("kill -HUP {shell_id}")]);
    at.session.until("the end of the shell", |session| {
        hang_up.status().unwrap();
        session.ended()
    });
    assert!(at.still());
    at.finish();
    at.sandbox.file("go", "");
    thread::sleep(Duration::from_secs(1));
    assert!(shell == Shell::Fish || !at.sandbox.home().join("job").exists(), "the control: the job was ended");
}

fn ctrl_c_at_the_prompt_does_not_reach_it(shell: Shell) {
    let mut at = under_way(shell, "");
    at.session.send(b"half a line");
    // Without this fish 4 might still be waiting for the terminal to say what it is; a Ctrl-C then
    // makes it wait ten seconds.
    at.session.wait_for("the line", |session| session.prompt().ends_with("half a line"));
    at.session.send(b"\x03");
    at.session.enter();
    assert!(at.still());
    at.finish();
}
