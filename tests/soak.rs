//! Ten hooked shells with credentials that live twenty seconds, and faults that come and go at random: no command runs with
//! expired credentials while the endpoint is healthy, and no shell grows. Two minutes of this are a test like any other;
//! `make soak` runs half an hour. The random choices come from a seed, which is printed; CREDSH_SOAK_SEED repeats them.

mod support;

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use support::Sandbox;
use support::endpoint::{Behaviour, Endpoint, Rotation, now, rfc3339};
use support::process::{children, files, resident};
use support::pty::{Session, Shell};

const LIFE: i64 = 20;
/// The first ones share a store, and find what another has renewed; the last three are alone, and nobody renews for them.
const SHELLS: [Shell; 10] = {
    use Shell::{Bash, Fish, Zsh};
    [Bash, Zsh, Fish, Bash, Zsh, Fish, Bash, Bash, Zsh, Fish]
};
const TOGETHER: usize = 7;
/// How long after its last fault the endpoint counts as healthy: the longest that any shell may leave it alone after that.
///  5 s  a request that a fault has swallowed goes on for (the container source's deadline) before it backs off
/// 10 s  the hook pauses after a failed wait; the last back-off of an ended lease, 8 s and its jitter, is as long
///  3 s  rounding, as all these are whole seconds by three clocks: the endpoint's, the program's and the shell's
/// If a command finds the variables expired after that, the hook has not done its work.
const HEALTHY_AFTER: i64 = 5 + 10 + 3;
/// The same after a refusal (400, 401, 403, 404), which may take a person to mend: an ended lease is then left alone for
/// up to 64 s, and a fifth of that as jitter. Nobody types `credsh refresh` here.
const HEALTHY_AFTER_REFUSAL: i64 = 5 + 77 + 3;
/// By how many KiB a shell may have grown since it was warm: its history, and what its allocator keeps. In half an hour
/// of some 400 commands bash and zsh grew by 60, and fish, whose history keeps more of each command, by 730.
const GROWTH: fn(Shell) -> u64 = |shell| shell.pick(256, 1024);

#[test]
fn two_minutes() {
    // The rest of the two minutes is for `last_words`.
    soak(Duration::from_secs(80), 20);
}

#[test]
#[ignore = "half an hour: make soak"]
fn half_an_hour() {
    soak(Duration::from_secs(1800), 80);
}

/// A command, as seen by its shell.
struct Seen {
    shell: usize,
    /// The shell's own clock, just before the command.
    clock: i64,
    expiration: String,
    text: String,
}

impl Seen {
    /// As text, RFC 3339 times in UTC are in the order of time.
    fn expired(&self) -> bool {
        self.expiration <= rfc3339(self.clock)
    }
}

/// What the endpoint did, from when to when, and how many seconds after that it does not count as healthy.
struct Fault {
    from: i64,
    until: i64,
    what: String,
    after: i64,
}

/// What a shell held while it was at its prompt.
struct Held {
    resident: u64,
    files: Vec<String>,
}

/// A phase without a fault lasts ten seconds, and up to `calm` more.
fn soak(length: Duration, calm: u64) {
    let seed =
        std::env::var("CREDSH_SOAK_SEED").map_or_else(|_| u64::try_from(now()).unwrap(), |text| text.parse().unwrap());
    eprintln!("soak: seed {seed}, {} s", length.as_secs());
    let endpoint = Endpoint::start(LIFE);
    // One home and store for the shells that live together, and one for each of the others.
    let houses: Vec<Sandbox> =
        (TOGETHER..=SHELLS.len()).map(|_| own_program(Sandbox::in_cloudshell(&endpoint))).collect();
    let commands = Mutex::new(Vec::new());
    let end = Instant::now() + length;
    let over = AtomicBool::new(false);
    let house = |index: usize| &houses[(index + 1).saturating_sub(TOGETHER)];
    // One after the other, as they share start-up files.
    let start = |(index, shell): (usize, &Shell)| shell.rc().size(40, 200).start(house(index));
    let sessions: Vec<Session> = SHELLS.iter().enumerate().map(start).collect();
    let (faults, sessions) = thread::scope(|scope| {
        let shells: Vec<_> = sessions
            .into_iter()
            .enumerate()
            .map(|(index, session)| {
                let (commands, over) = (&commands, &over);
                scope.spawn(move || work(index, session, Random(seed + 1 + index as u64), commands, over))
            })
            .collect();
        let faults = trouble(&endpoint, Random(seed), calm, end, &over);
        (faults, shells.into_iter().map(|shell| shell.join().unwrap()).collect::<Vec<_>>())
    });
    let commands = commands.into_inner().unwrap();
    judge(&commands, &faults, &endpoint);
    let sessions = last_words(&endpoint, sessions);
    nothing_left(&houses, &sessions);
}

/// Gives a sandbox a copy of the program, so that a build at the same time does not replace it, and a wait that is long
/// enough for a busy machine not to look like a fault.
fn own_program(sandbox: Sandbox) -> Sandbox {
    let bin = sandbox.home().join("bin");
    std::fs::create_dir(&bin).unwrap();
    std::fs::copy(support::CREDSH, bin.join("credsh")).unwrap();
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    sandbox.with("PATH", &path).with("CREDSH_WAIT", "8")
}

/// Plays a person at a shell: commands at intervals, and now and then a break longer than the credentials live.
fn work(
    index: usize,
    mut session: Session,
    mut random: Random,
    seen: &Mutex<Vec<Seen>>,
    over: &AtomicBool,
) -> (Session, Held) {
    let started = Instant::now();
    let mut warm = None;
    while !over.load(Ordering::Relaxed) {
        // The shells that are alone take more breaks.
        let breaks = if index < TOGETHER { 6 } else { 2 };
        let pause = if random.below(breaks) == 0 { 10_000 + random.below(20_000) } else { random.below(3_000) };
        let until = Instant::now() + Duration::from_millis(pause);
        while Instant::now() < until && !over.load(Ordering::Relaxed) {
            thread::sleep(Duration::from_millis(50));
        }
        let observation = look(index, &mut session);
        seen.lock().unwrap().push(observation);
        // Early, but after the line editor, the history and the first renewals have taken their memory.
        if warm.is_none() && started.elapsed() >= Duration::from_secs(30) {
            warm = Some(held(&session));
        }
    }
    (session, warm.expect("longer than half a minute"))
}

/// Reads the shell's clock, and what a program sees, in one command.
fn look(index: usize, session: &mut Session) -> Seen {
    let clock = session.shell().clock();
    let text = session.run(&format!("{clock}; printenv TEMPORARY_AWS_CREDENTIAL_EXPIRATION"));
    let lines: Vec<&str> = text.lines().rev().take(2).collect();
    let [expiration, clock] = lines[..] else { panic!("{:?}: {text}", session.shell()) };
    let clock = clock.parse().unwrap_or_else(|_| panic!("{:?}: no clock: {text}", session.shell()));
    Seen { shell: index, clock, expiration: expiration.into(), text }
}

fn held(session: &Session) -> Held {
    Held { resident: resident(session.pid()), files: files(session.pid()) }
}

/// Alternates good and bad phases until the end, and returns the bad ones. A record begins before its
/// fault, and ends after it.
fn trouble(endpoint: &Endpoint, mut random: Random, calm: u64, end: Instant, over: &AtomicBool) -> Vec<Fault> {
    let mut faults = Vec::new();
    let left = || end.saturating_duration_since(Instant::now());
    // At first longer than a life, so that there is something to judge, whatever is chosen.
    thread::sleep(Duration::from_secs(15));
    loop {
        thread::sleep(Duration::from_millis(10_000 + random.below(calm * 1000)).min(left()));
        if left().is_zero() {
            over.store(true, Ordering::Relaxed);
            return faults;
        }
        let from = now();
        let (what, after) = fault(endpoint, &mut random);
        thread::sleep(Duration::from_millis(4_000 + random.below(28_000)).min(left()));
        endpoint.rotate(Rotation::HalfLife);
        endpoint.behave(Behaviour::Good);
        faults.push(Fault { from, until: now(), what, after });
    }
}

/// Starts a fault. Each kind passes by itself; a refusal just takes longer.
fn fault(endpoint: &Endpoint, random: &mut Random) -> (String, i64) {
    let answer =
        |status, headers: &str, body: &str| Behaviour::Answer { status, headers: headers.into(), body: body.into() };
    let ended = format!(
        r#"{{"Code":"Success","AccessKeyId":"ASIAENDED","SecretAccessKey":"s","Token":"t","Expiration":"{}"}}"#,
        rfc3339(now() - 60)
    );
    let refusal = [400, 401, 403, 404][usize::try_from(random.below(4)).unwrap()];
    let faults = [
        answer(refusal, "", "refused"),
        Behaviour::Close,
        Behaviour::Hang(Duration::from_secs(60)),
        Behaviour::Slow(Duration::from_secs(4)),
        Behaviour::Trickle(Duration::from_secs(1)),
        answer(429, "", "busy"),
        answer(429, "Retry-After: 2\r\n", "busy"),
        answer(503, "", "<html><h1>503</h1></html>"),
        answer(200, "", "<html>200</html>"),
        answer(200, "", &ended),
        Behaviour::Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 4000\r\n\r\n{\"AccessKeyId\":".to_vec()),
        Behaviour::Good,
    ];
    let chosen = faults[usize::try_from(random.below(faults.len() as u64)).unwrap()].clone();
    let what = if matches!(chosen, Behaviour::Good) { "no rotation".into() } else { format!("{chosen:.40?}") };
    if matches!(chosen, Behaviour::Good) {
        endpoint.rotate(Rotation::Never);
    }
    let refused = matches!(chosen, Behaviour::Answer { status: 400..=404, .. });
    endpoint.behave(chosen);
    (what, if refused { HEALTHY_AFTER_REFUSAL } else { HEALTHY_AFTER })
}

/// Asserts that no command ran with expired variables while the endpoint was healthy.
fn judge(seen: &[Seen], faults: &[Fault], endpoint: &Endpoint) {
    let at = |clock: i64| faults.iter().find(|fault| (fault.from..=fault.until + fault.after).contains(&clock));
    let healthy = seen.iter().filter(|seen| at(seen.clock).is_none()).count();
    let expired = seen.iter().filter(|seen| seen.expired()).count();
    eprintln!(
        "soak: {} commands, {healthy} of them while the endpoint was healthy; {} faults, in which {expired} commands found the variables expired; {} requests",
        seen.len(),
        faults.len(),
        endpoint.count()
    );
    assert!(healthy > SHELLS.len() && !faults.is_empty(), "the control: something was looked at");
    let wrong = |seen: &&Seen| seen.expired() && at(seen.clock).is_none();
    for Seen { shell, clock, expiration, text } in seen.iter().filter(wrong) {
        let last = faults.iter().rfind(|fault| fault.until < *clock);
        let last = last.map(|fault| format!("{} until {} s before", fault.what, clock - fault.until));
        eprintln!("{:?} {shell} at {}: {expiration}; last fault: {last:?}\n{text}", SHELLS[*shell], rfc3339(*clock));
    }
    assert_eq!(seen.iter().filter(wrong).count(), 0, "commands ran with expired variables; see above");
}

/// The control for `judge`: with the endpoint away for longer than a life, every command finds the variables expired.
/// Then they become fresh again by themselves, in each shell, and the shells hold what they held when warm.
fn last_words(endpoint: &Endpoint, sessions: Vec<(Session, Held)>) -> Vec<Session> {
    endpoint.behave(Behaviour::Close);
    thread::sleep(Duration::from_secs(u64::try_from(LIFE).unwrap() + 1));
    let mut kept = Vec::new();
    let sessions: Vec<_> = each(sessions, |index, (mut session, warm)| {
        let seen = look(index, &mut session);
        assert!(seen.expired(), "the control: {}", seen.text);
        (session, warm)
    });
    endpoint.behave(Behaviour::Good);
    thread::sleep(Duration::from_secs(HEALTHY_AFTER.try_into().unwrap()));
    let sessions = each(sessions, |index, (mut session, warm)| {
        let seen = look(index, &mut session);
        assert!(!seen.expired(), "{}", seen.text);
        (session, warm)
    });
    for (session, warm) in sessions {
        let (shell, pid, at_end) = (session.shell(), session.pid(), held(&session));
        eprintln!(
            "soak: {shell:?} {pid}: {} KiB warm, {} KiB at the end, {} files",
            warm.resident,
            at_end.resident,
            at_end.files.len()
        );
        assert!(at_end.resident <= warm.resident + GROWTH(shell), "{shell:?} grew");
        assert_eq!(at_end.files, warm.files, "{shell:?}");
        kept.push(session);
    }
    kept
}

/// Runs `step` on all items at the same time, and returns them in their order.
fn each<T: Send>(items: Vec<T>, step: impl Fn(usize, T) -> T + Sync) -> Vec<T> {
    thread::scope(|scope| {
        let step = &step;
        let running: Vec<_> =
            items.into_iter().enumerate().map(|(index, item)| scope.spawn(move || step(index, item))).collect();
        running.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

fn nothing_left(houses: &[Sandbox], sessions: &[Session]) {
    for session in sessions {
        assert_eq!(children(session.pid()), Vec::<String>::new(), "{:?}", session.shell());
    }
    for sandbox in houses {
        let mut endings: Vec<String> =
            sandbox.stored().iter().map(|name| name.rsplit('.').next().unwrap().to_owned()).collect();
        endings.sort();
        assert_eq!(endings, ["clock", "fish", "json", "lock", "sh", "words"], "{:?}", sandbox.stored());
    }
}

/// splitmix64: good enough to choose faults, and repeatable from the seed.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (bits ^ (bits >> 31)) % end
    }
}
