//! The indicator with `--prompt-time until`: the time of day when the credentials end, as the C library formats it.

mod support;

use support::endpoint::{Endpoint, Rotation};
use support::pty::{Session, Shell};
use support::{Run, Sandbox};

in_every_shell! {
    variable_and_command_say_the_same_of_every_life
    drawn_anew_only_when_its_colour_changes
    never_another_time_zones_hour
    chosen_anew_by_another_init
}

/// Half an hour off all common zones, and in no zone file.
const ZONE: &str = "TST-5:30";

fn variable_and_command_say_the_same_of_every_life(shell: Shell) {
    for time in ["left", "until"] {
        let endpoint = Endpoint::start(59);
        endpoint.rotate(Rotation::Always);
        let sandbox = Sandbox::in_cloudshell(&endpoint).with("TZ", ZONE);
        let mut session = shell.rc().init(&format!("--prompt off --prompt-time {time}")).start(&sandbox);
        let until = |life| time == "until" && life < 64800;
        for (life, left) in [(59, "s"), (700, "11m"), (5395, "89m"), (5500, "1h"), (64000, "17h"), (90500, "25h")] {
            endpoint.live(life);
            // The variable is that of the moment when the prompt appeared. If a second has passed since, this is repeated.
            session.until("the same text", |session| {
                session.run("credsh refresh --force");
                let seen = session.run(&format!(
                    "echo $CREDSH_PROMPT; credsh prompt --time {time}; date -d $TEMPORARY_AWS_CREDENTIAL_EXPIRATION +%H:%M"
                ));
                let [variable, command, clock] = seen.lines().collect::<Vec<_>>()[..] else { panic!("{seen}") };
                if until(life) {
                    assert_eq!(variable, format!("cloudshell until {clock}"), "{life}");
                } else {
                    assert!(variable.ends_with(left), "{life}: {variable}");
                }
                variable == command
            });
        }
    }
}

fn drawn_anew_only_when_its_colour_changes(shell: Shell) {
    let endpoint = Endpoint::start(12);
    endpoint.rotate(Rotation::Never);
    let sandbox = Sandbox::in_cloudshell(&endpoint).with("TZ", ZONE);
    let mut session = shell.rc().init("--prompt-time until").start(&sandbox);
    session.key();
    session.enter();
    let (shown, next) = (session.prompt(), "test $__credsh_tick -ge $__credsh_window && echo quiet");
    assert!(shown.starts_with("[cloudshell until ") && shown.ends_with("] $ "), "{shown}");
    assert_eq!(session.run(next), "quiet", "nothing to do at a prompt before the window opens");
    let mut colours = vec![];
    session.until("the end", |session| {
        session.enter();
        let colour = session.screen().cell(u16::try_from(session.row()).unwrap(), 1).unwrap().fgcolor();
        if colours.last() != Some(&colour) {
            colours.push(colour);
        }
        let over = session.prompt() == "[cloudshell expired] $ ";
        assert!(over || session.prompt() == shown, "{}", session.prompt());
        over
    });
    assert_eq!(colours, [2, 3, 1].map(vt100::Color::Idx));

    // The control: a countdown is drawn each second.
    let endpoint = Endpoint::start(100);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    let mut session = shell.start(&sandbox);
    session.key();
    assert_eq!(session.run(next), "");
}

fn never_another_time_zones_hour(shell: Shell) {
    let endpoint = Endpoint::start(599);
    let mut sandbox = Sandbox::in_cloudshell(&endpoint).with("TZ", ZONE);
    let start = |sandbox: &Sandbox| {
        let mut session = shell.rc().init("--prompt-time until").start(sandbox);
        session.key();
        session.enter();
        session
    };
    let until = |session: &Session| session.prompt().starts_with("[cloudshell until ");
    assert!(until(&start(&sandbox)));
    // Another shell with the same lease, which someone in another time zone has renewed. An empty TZ is UTC.
    for zone in [Some("TST+5:30"), Some(""), None] {
        match zone {
            Some(zone) => sandbox.set("TZ", zone),
            None => sandbox.unset("TZ"),
        }
        let mut session = start(&sandbox);
        assert_eq!(session.prompt(), "[cloudshell 9m] $ ", "{zone:?}");
        // What it has asked for itself is in its own time zone.
        session.run("credsh refresh");
        assert!(until(&session), "{zone:?}: {}", session.prompt());
    }
    sandbox.set("TZ", ZONE);
    let mut session = start(&sandbox);
    assert!(until(&session));
    // Its own time zone changes, which counts from the next drawing on.
    session.run(shell.pick("export TZ=TST+5:30; __credsh_tick=0", "set -gx TZ TST+5:30; set -g __credsh_tick 0"));
    assert_eq!(session.prompt(), "[cloudshell 9m] $ ");
    assert_eq!(endpoint.count(), 1, "the control: it was one lease all the time");
}

fn chosen_anew_by_another_init(shell: Shell) {
    let endpoint = Endpoint::start(599);
    let sandbox = Sandbox::in_cloudshell(&endpoint);
    let mut session = shell.rc().init("--prompt-time until").start(&sandbox);
    session.key();
    session.enter();
    let until = session.prompt();
    assert!(until.starts_with("[cloudshell until "), "{until}");
    for (time, shown) in [("left", "[cloudshell 9m] $ "), ("until", &*until)] {
        session.line(&shell.init(&format!("--prompt-time {time}")));
        assert_eq!(session.prompt(), shown);
    }
}

#[test]
fn the_time_of_day_is_the_c_librarys() {
    let endpoint = Endpoint::start(3000);
    let mut sandbox = Sandbox::in_cloudshell(&endpoint);
    sandbox.credsh(&["export"]).ok();
    let id = sandbox.stored().iter().find_map(|name| name.strip_suffix(".json").map(str::to_owned)).unwrap();
    sandbox.set("CREDSH_LEASE", &id);
    let end = sandbox.credsh(&["export"]).ok().split("EXPIRATION='").nth(1).unwrap().trim_end_matches("'\n").to_owned();
    let mut seen = std::collections::HashSet::new();
    let zones = [
        "",
        "UTC",
        "Europe/Berlin",
        ":America/New_York",
        "Asia/Kathmandu",
        "/usr/share/zoneinfo/Asia/Tokyo",
        "EST5EDT",
        "EST5EDT,M3.2.0,M11.1.0",
        "<+0545>-5:45",
        ZONE,
        "no/such/zone",
    ];
    for zone in zones.map(Some).into_iter().chain([None]) {
        match zone {
            Some(zone) => sandbox.set("TZ", zone),
            None => sandbox.unset("TZ"),
        }
        let clock = Run::of(sandbox.command("date").args(["-d", &end, "+%H:%M"]).output().unwrap()).ok();
        assert_eq!(
            sandbox.credsh(&["prompt", "--time", "until"]).ok(),
            format!("cloudshell until {clock}"),
            "TZ={zone:?}"
        );
        seen.insert(clock);
    }
    assert!(seen.len() > 5, "the control: the zone files are there, and differ: {seen:?}");
}

#[test]
fn a_zone_that_no_shell_may_be_given_is_no_failure() {
    let endpoint = Endpoint::start(3000);
    for (zone, clock) in [(ZONE, true), ("TST-5:30\u{1b}[2J", false)] {
        let sandbox = Sandbox::in_cloudshell(&endpoint).with("TZ", zone);
        sandbox.credsh(&["export"]).ok();
        for ending in [".sh", ".fish"] {
            let file = sandbox.stored().into_iter().find(|name| name.ends_with(ending)).expect("what shells adopt");
            let text = std::fs::read_to_string(sandbox.store().join(file)).unwrap();
            assert_eq!(text.contains("'' '' '' '1"), !clock, "{text}");
        }
    }
}
