//! Property tests of the renewal policy, in simulated worlds: lives of 20 s to 12 h; sources that rotate early, late or
//! only at the end, or fail; local clocks that run ahead and are set. A shell in them looks at its clock every second.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::credentials::Secret;
use crate::properties::for_all;

/// The time at which each world begins, by the source's clock, which is always right.
const START: Epoch = 1_800_000_000;

/// One event in a world; they follow one another.
#[derive(Clone, Copy, Debug)]
enum Event {
    /// This many seconds pass.
    Passes(Epoch),
    /// The source fails from now on, or works again.
    Fails(bool),
    /// The local clock is set this many seconds forward, or back if negative.
    Set(Epoch),
}

/// One question to the source, and its outcome.
#[derive(Clone, Copy, Debug)]
struct Asked {
    /// When, by the source's clock.
    at: Epoch,
    /// The life that the credentials then had left by the local clock, in seconds.
    left: Epoch,
    outcome: Outcome,
    failures: u32,
    /// How many times the local clock had been set by then.
    sets: u32,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Outcome {
    /// The answer replaced the lease: it was a later one, or what was held had expired by the local clock.
    Taken,
    Unchanged,
    Failed,
}

/// The parameters of a world.
#[derive(Clone, Debug)]
struct Plan {
    life: Epoch,
    /// The source issues new credentials when the last ones have this many seconds left.
    rotates: Epoch,
    /// Every other answer ends this many seconds sooner: there may be two servers behind one name.
    lags: Epoch,
    /// How many seconds the local clock is ahead of the source's.
    ahead: Epoch,
    random: f64,
    events: Vec<Event>,
}

struct World {
    plan: Plan,
    now: Epoch,
    ahead: Epoch,
    fails: bool,
    sets: u32,
    lease: Lease,
    asked: Vec<Asked>,
}

impl World {
    fn new(plan: Plan) -> World {
        let lease = answer(START, plan.ahead, START + plan.life);
        World { now: START, ahead: plan.ahead, fails: false, sets: 0, lease, asked: Vec::new(), plan }
    }

    /// Plays all the events of a plan.
    fn run(plan: Plan) -> World {
        let mut world = World::new(plan);
        for event in world.plan.events.clone() {
            match event {
                Event::Passes(seconds) => world.pass(seconds),
                Event::Fails(fails) => world.fails = fails,
                Event::Set(by) => (world.ahead, world.sets) = (world.ahead + by, world.sets + 1),
            }
        }
        world
    }

    fn clock(&self) -> Epoch {
        self.now + self.ahead
    }

    /// Skips the seconds in which nothing is due.
    fn pass(&mut self, seconds: Epoch) {
        let until = self.now + seconds;
        while self.now < until {
            if self.lease.is_due(self.clock()) {
                self.ask();
                assert!(!self.lease.is_due(self.clock()), "it would be asked for ever: {:?}", self.lease);
            }
            self.now = until.min(self.lease.due - self.ahead).max(self.now + 1);
        }
    }

    fn ask(&mut self) {
        let (before, now) = (self.lease.clone(), self.clock());
        let end = before.credentials.expiration.unwrap();
        self.lease = if self.fails {
            before.clone().failed(now, self.plan.random, "down".into(), false)
        } else {
            let lags = if self.asked.len() % 2 == 1 { self.plan.lags } else { 0 };
            let end = if end - self.now <= self.plan.rotates { self.now + self.plan.life } else { end - lags };
            // Credentials that have expired are refused as a bad answer, so the source gives at least a second.
            let end = end.max(self.now + 1);
            before.clone().renewed(answer(self.now, self.ahead, end), self.plan.random)
        };
        let outcome = match self.lease.received == now {
            _ if self.fails => Outcome::Failed,
            true => Outcome::Taken,
            false => Outcome::Unchanged,
        };
        let held = self.lease.credentials.expiration;
        assert!(held >= Some(end) || before.expires <= now, "something good was given up: {before:?}");
        let left = self.lease.expires - now;
        assert!(left <= self.plan.life + SKEW_NOISE, "more than there ever was: {:?}", self.lease);
        self.asked.push(Asked { at: self.now, left, outcome, failures: self.lease.failures, sets: self.sets });
    }

    /// For each question, how many seconds passed until the next; only where the clock was not set in between.
    fn gaps(&self) -> impl Iterator<Item = (Asked, Epoch)> {
        let pairs = self.asked.windows(2).filter(|pair| pair[0].sets == pair[1].sets);
        pairs.map(|pair| (pair[0], pair[1].at - pair[0].at))
    }
}

/// An answer whose credentials end at `end` by the source's clock; the local clock is `ahead` of it.
fn answer(now: Epoch, ahead: Epoch, end: Epoch) -> Lease {
    let credentials = Credentials {
        access_key_id: format!("ASIA{end}"),
        secret_access_key: Secret::new("s"),
        session_token: Some(Secret::new("t")),
        expiration: Some(end),
    };
    Lease::new(Request::of(Source::Ec2), credentials, now + ahead, -ahead)
}

fn plans(event: impl Strategy<Value = Event>) -> impl Strategy<Value = Plan> {
    let life = prop_oneof![20..=1200_i64, 20..=5400_i64, 900..=43200_i64];
    let ahead = prop_oneof![Just(0), -5..=5_i64, -100_000..=100_000_i64];
    // In thousandths of a life, so that an event is likely to fall when something is going on.
    let parts = (0..=1000_i64, prop_oneof![Just(0), 0..=1000_i64]);
    (life, parts, ahead, 0.0..1.0, vec(event, 1..12)).prop_map(|(life, (rotates, lags), ahead, random, events)| {
        let scaled = |event| match event {
            Event::Passes(parts) => Event::Passes(life * parts / 1000 + 1),
            other => other,
        };
        let events = events.into_iter().map(scaled).collect();
        let [rotates, lags] = [(life * rotates / 1000).max(4), life * lags / 1000];
        Plan { life, rotates, lags, ahead, random, events }
    })
}

fn passes() -> impl Strategy<Value = Event> {
    (0..2500_i64).prop_map(Event::Passes)
}

fn faults() -> impl Strategy<Value = Event> {
    prop_oneof![2 => passes(), 1 => any::<bool>().prop_map(Event::Fails)]
}

fn anything() -> impl Strategy<Value = Event> {
    let by = prop_oneof![-7200..=7200_i64, -10_000_000..=10_000_000_i64, Just(-1), Just(1)];
    prop_oneof![3 => faults(), 1 => by.prop_map(Event::Set)]
}

#[test]
fn a_source_that_gives_is_asked_before_the_end_and_no_shell_is_without() {
    for_all(500, &plans(passes()), |plan| {
        let world = World::run(plan);
        for asked in &world.asked {
            // Up to SKEW_NOISE the two clocks may differ without a correction being applied.
            assert!(asked.left > -SKEW_NOISE, "{asked:?}");
        }
        let end = world.lease.credentials.expiration.unwrap();
        assert!(world.now - SKEW_NOISE <= end, "{} s over, after {:?}", world.now - end, world.asked);
        let fresh = answer(world.now, world.ahead, world.now + world.plan.life);
        assert!(fresh.due <= fresh.mandatory(), "{fresh:?}");
        assert!(fresh.due >= fresh.window(), "nor before its window: {fresh:?}");
    });
}

/// Whatever came of a question, the next comes by the mandatory minute; and if it was of no use, while most of what was
/// left is still left.
#[test]
fn no_question_is_later_than_the_mandatory_minute() {
    for_all(500, &plans(anything()), |plan| {
        let world = World::run(plan);
        for (asked, gap) in world.gaps().filter(|(asked, _)| asked.left > 1) {
            let most = match asked.outcome {
                Outcome::Taken => asked.left - (asked.left / 10).min(MINUTE),
                _ => 72.min(asked.left * 3 / 10 + 1),
            };
            assert!(gap <= most, "{asked:?}, then {gap} s of nothing");
        }
    });
}

#[test]
fn no_question_is_sooner_than_the_back_off() {
    for_all(500, &plans(anything()), |plan| {
        let world = World::run(plan);
        for (asked, gap) in world.gaps() {
            let least = match (asked.outcome, asked.left) {
                (Outcome::Taken, _) => 1,
                (_, left @ 1..) => (left / 4).clamp(1, 60) * 4 / 5,
                // 1, 2, 4 and then 8 s, less up to a fifth for jitter.
                _ => (1 << asked.failures.min(3)) * 4 / 5,
            };
            assert!(gap >= least.max(1), "{asked:?}, and again after {gap} s");
        }
    });
}

/// A source that is down for a day is asked some thousand times, not once a second.
#[test]
fn a_source_that_is_gone_is_not_pestered() {
    for_all(50, &plans(faults()), |plan| {
        let events = vec![Event::Fails(true), Event::Passes(plan.life + 24 * 3600)];
        let world = World::run(Plan { events, ..plan });
        assert!(world.asked.len() < 60 + 24 * 3600 / 6, "{}", world.asked.len());
    });
}

/// As time passes a lease only becomes more urgent.
#[test]
fn the_later_it_is_the_more_urgent() {
    for_all(300, &(plans(anything()), 0..=50_000_i64, 0..=50_000_i64), |(plan, one, other)| {
        let lease = World::run(plan).lease;
        let (sooner, later) = (lease.asked + one.min(other), lease.asked + one.max(other));
        let urgency = |now| match lease.state(now) {
            State::Fresh => 0,
            State::Window => 1,
            State::Mandatory => 2,
            State::Expired => 3,
        };
        assert!(urgency(sooner) <= urgency(later), "{lease:?}");
        assert!(!lease.is_due(sooner) || lease.is_due(later), "{lease:?}");
        assert!(lease.window() <= lease.mandatory() && lease.mandatory() <= lease.expires, "{lease:?}");
    });
}

/// Wherever the clock is set, the next question comes no later than the lease's own numbers say. Set back to before the
/// last question, nothing is known any more, and the source is asked at once.
#[test]
fn a_clock_that_is_set_postpones_no_question_beyond_the_leases_own_life() {
    for_all(500, &(plans(anything()), anything_set()), |(plan, by)| {
        let mut world = World::run(plan);
        let (lease, planned) = (world.lease.clone(), world.lease.due - world.lease.asked);
        let passed = world.clock() - lease.asked;
        (world.ahead, world.sets) = (world.ahead + by, world.sets + 1);
        let (set, before) = (world.now, world.asked.len());
        let urgent = matches!(lease.state(world.clock()), State::Mandatory | State::Expired);
        world.pass(planned.max(1) + SKEW_NOISE + 1);
        assert!(world.asked.len() > before, "never again, after it was set by {by}: {lease:?}");
        let next = world.asked[before].at - set;
        assert!(next <= planned + SKEW_NOISE, "{next} s after it was set by {by}: {lease:?}");
        if by >= 0 && passed >= 0 {
            assert!(next <= (planned - passed).max(0), "{next} s after it was set ahead by {by}: {lease:?}");
        } else if passed + by < -SKEW_NOISE {
            assert!(urgent, "no command is to run with what nothing is known of: {lease:?}");
            assert_eq!(next, 0, "after it was set by {by}, {passed} s after the last question: {lease:?}");
        }
    });
}

fn anything_set() -> impl Strategy<Value = Epoch> {
    prop_oneof![-50_000..=50_000_i64, -100..=100_i64, -100_000_000..=100_000_000_i64]
}

/// A lease can be stored and read back after any sequence of events.
#[test]
fn whatever_happened_the_lease_can_be_read_again() {
    for_all(300, &plans(anything()), |plan| {
        let lease = World::run(plan).lease;
        let written = serde_json::to_vec(&lease).unwrap();
        assert_eq!(Lease::read(&written, &lease.request.id()), Some(lease));
    });
}
