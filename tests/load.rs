//! Two hundred shells whose leases come due in the same second: sixty that are typed into, and processes for the rest.
//! There must be one request per lease, fresh values for all, and nothing left behind.

mod support;

use std::collections::BTreeSet;
use std::process::{Child, Stdio};
use std::thread;
use std::time::Duration;

use support::clock::Clock;
use support::endpoint::Endpoint;
use support::process::{children, files, running};
use support::pty::{Session, Shell};
use support::{CREDSH, Run, Sandbox};

const LIFE: i64 = 600;
/// How many of each of the three shells there are on each of the two leases.
const SHELLS: usize = 10;
/// How many processes there are on each lease.
const PROCESSES: usize = 70;

/// Two leases, from two endpoints, in one store.
struct House {
    sandbox: Sandbox,
    clock: Clock,
    endpoints: [Endpoint; 2],
}

impl House {
    fn new() -> House {
        let endpoints = [Endpoint::start(LIFE), Endpoint::start(LIFE)];
        // A long wait, as two hundred processes are slow on a small machine. Time is not what is measured here.
        let mut sandbox = Sandbox::in_cloudshell(&endpoints[0]).with("CREDSH_WAIT", "60");
        let clock = Clock::of(&mut sandbox);
        House { sandbox, clock, endpoints }
    }

    /// Sets the clock this many seconds ahead, for everybody in the same moment.
    fn later(&self, seconds: i64) {
        self.clock.set(seconds);
        for endpoint in &self.endpoints {
            endpoint.clock(seconds);
        }
    }

    fn counts(&self) -> [usize; 2] {
        [self.endpoints[0].count(), self.endpoints[1].count()]
    }

    /// Starts the shells, one after the other, as they share their start-up files. Each is returned with the lease it is on.
    fn shells(&mut self) -> Vec<(usize, Session)> {
        let mut shells = Vec::new();
        for lease in 0..2 {
            self.sandbox.set("AWS_CONTAINER_CREDENTIALS_FULL_URI", &self.endpoints[lease].uri());
            for shell in [Shell::Bash, Shell::Zsh, Shell::Fish].repeat(SHELLS) {
                let mut session = shell.rc().size(40, 120).start(&self.sandbox);
                assert_eq!(session.key(), "ASIATEST0001");
                shells.push((lease, session));
            }
        }
        shells
    }

    fn processes(&self) -> Vec<Child> {
        let refresh = |lease: usize| {
            let mut command = self.sandbox.command(CREDSH);
            command.arg("refresh").env("AWS_CONTAINER_CREDENTIALS_FULL_URI", self.endpoints[lease].uri());
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        };
        (0..2 * PROCESSES).map(|number| refresh(number % 2)).collect()
    }
}

/// Runs a command in each shell, and all of the processes, at once. Returns the shells, and the keys they saw.
fn storm(house: &House, shells: Vec<(usize, Session)>) -> (Vec<(usize, Session)>, Vec<String>) {
    thread::scope(|scope| {
        let processes = scope.spawn(|| house.processes().into_iter().map(finish).collect::<Vec<Run>>());
        let typed: Vec<_> = shells
            .into_iter()
            .map(|(lease, mut session)| {
                scope.spawn(move || {
                    let key = session.key();
                    ((lease, session), key)
                })
            })
            .collect();
        for run in processes.join().unwrap() {
            run.ok();
        }
        typed.into_iter().map(|shell| shell.join().unwrap()).unzip()
    })
}

fn finish(child: Child) -> Run {
    Run::of(child.wait_with_output().unwrap())
}

#[test]
fn two_hundred_come_due_in_one_second() {
    let mut house = House::new();
    let mut shells = house.shells();
    assert_eq!((shells.len() + 2 * PROCESSES, house.counts()), (200, [1, 1]));
    let held: Vec<Vec<String>> = shells.iter().map(|(_, session)| files(session.pid())).collect();

    // Due: nobody waits, and a later command has what the one renewal brought.
    house.later(LIFE / 2 + 1);
    let seen;
    (shells, seen) = storm(&house, shells);
    let old_or_new = BTreeSet::from(["ASIATEST0001".to_owned(), "ASIATEST0002".to_owned()]);
    assert!(seen.into_iter().collect::<BTreeSet<_>>().is_subset(&old_or_new));
    for (_, session) in &mut shells {
        session.until("the renewal", |session| session.key() == "ASIATEST0002");
    }
    assert_eq!(house.counts(), [2, 2], "one request per lease");

    // Expired: the very command that finds it so already has the new ones.
    house.later(2 * LIFE);
    let seen;
    (shells, seen) = storm(&house, shells);
    assert_eq!(seen.into_iter().collect::<BTreeSet<_>>(), BTreeSet::from(["ASIATEST0003".to_owned()]));
    assert_eq!(house.counts(), [3, 3], "one request per lease");

    nothing_left(&house, &mut shells, &held);
}

fn nothing_left(house: &House, shells: &mut [(usize, Session)], held: &[Vec<String>]) {
    let mut wanted = BTreeSet::from(["clock".to_owned()]);
    for ((_, session), held) in shells.iter_mut().zip(held) {
        let lease = session.var("CREDSH_LEASE");
        // Renewals are detached and so no shell's children; they must end by themselves.
        session.until("the end of the renewals", |_| running(&format!("--lease={lease}")).is_empty());
        assert_eq!(children(session.pid()), Vec::<String>::new(), "{:?}", session.shell());
        assert_eq!(files(session.pid()), *held, "{:?}", session.shell());
        assert!(!session.raw().contains("credsh: "), "{}", session.text());
        wanted.extend(["fish", "json", "lock", "sh", "words"].map(|ending| format!("{lease}.{ending}")));
    }
    assert_eq!(house.sandbox.stored(), wanted.into_iter().collect::<Vec<_>>());
}

/// The control for the counts above: without the shared lock, each process asks.
#[test]
fn without_a_common_store_each_asks() {
    let house = House::new();
    let refresh = |args: &[&str]| {
        let before = house.endpoints[0].count();
        let children: Vec<Child> = (0..20)
            .map(|_| {
                let mut command = house.sandbox.command(CREDSH);
                command.args(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
            })
            .collect();
        for child in children {
            finish(child).ok();
        }
        house.endpoints[0].count() - before
    };
    assert_eq!(refresh(&["refresh", "--no-store"]), 20);
    assert_eq!(refresh(&["refresh"]), 1);
}

#[test]
fn what_would_be_left_would_be_seen() {
    let own = std::process::id();
    let word = format!("31536000.{own}");
    assert_eq!(running(&word), Vec::<String>::new());
    let mut child = std::process::Command::new("sleep").arg(&word).spawn().unwrap();
    while running(&word).is_empty() {
        thread::sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    let zombie = format!("{} (sleep) Z", child.id());
    while !children(own).contains(&zombie) {
        thread::sleep(Duration::from_millis(5));
    }
    child.wait().unwrap();
    let _open = std::fs::File::open("/dev/zero").unwrap();
    assert!(files(own).contains(&"/dev/zero".to_owned()));
}
