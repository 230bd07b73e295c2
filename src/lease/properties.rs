//! The renewal policy, in worlds of all kinds: lives of 20 s to 12 h, sources that rotate early, late or only at the end,
//! that fail, and clocks that run ahead and are set. A shell in them looks at its clock every second.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::credentials::Secret;
use crate::properties::for_all;

/// When the worlds begin, by the source's clock, which is right.
const START: Epoch = 1_800_000_000;

/// What happens in a world, one after the other.
#[derive(Clone, Copy, Debug)]
enum Event {
    /// This many seconds.
    Passes(Epoch),
    /// The source fails from now on, or does not.
    Fails(bool),
    /// The local clock is set, this much further.
    Set(Epoch),
}

/// What the source was asked, and what came of it.
#[derive(Clone, Copy, Debug)]
struct Asked {
    /// By the right clock.
    at: Epoch,
    /// What was left of the credentials then, by the local clock.
    left: Epoch,
    outcome: Outcome,
    failures: u32,
    /// How often the clock had been set.
    sets: u32,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Outcome {
    /// The answer is the lease now: it is another's, or what it held was over by the local clock.
    Taken,
    Unchanged,
    Failed,
}

/// How a world is made.
#[derive(Clone, Debug)]
struct Plan {
    life: Epoch,
    /// The source gives new credentials when this much is left of the last.
    rotates: Epoch,
    /// How much sooner what it gives every other time ends: there may be two of them behind one name.
    lags: Epoch,
    /// How far the local clock is ahead.
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

    /// All of its events; how they went.
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

    /// Seconds in which nothing is due are not looked at one by one.
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
            // What is over is refused as no answer.
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

    /// How long the source was left alone after each question that nothing was set after.
    fn gaps(&self) -> impl Iterator<Item = (Asked, Epoch)> {
        let pairs = self.asked.windows(2).filter(|pair| pair[0].sets == pair[1].sets);
        pairs.map(|pair| (pair[0], pair[1].at - pair[0].at))
    }
}

/// Credentials that end at `end` by the source's clock; the local one is `ahead` of it.
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
    // In parts of a life, so that an event is likely to fall where something is going on.
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
            // But for what two clocks may differ without its being a skew.
            assert!(asked.left > -SKEW_NOISE, "{asked:?}");
        }
        let end = world.lease.credentials.expiration.unwrap();
        assert!(world.now - SKEW_NOISE <= end, "{} s over, after {:?}", world.now - end, world.asked);
        let fresh = answer(world.now, world.ahead, world.now + world.plan.life);
        assert!(fresh.due <= fresh.mandatory(), "{fresh:?}");
        assert!(fresh.due >= fresh.window(), "nor before its window: {fresh:?}");
    });
}

/// Whatever came of the question before: there is another, within the mandatory minute or before it; and after one that
/// was of no use while most of what was left is still left.
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
                // 1, 2, 4 and then 8 s; each less a fifth.
                _ => (1 << asked.failures.min(3)) * 4 / 5,
            };
            assert!(gap >= least.max(1), "{asked:?}, and again after {gap} s");
        }
    });
}

/// However long nothing comes: a day of it is some thousand questions, and not one a second.
#[test]
fn a_source_that_is_gone_is_not_pestered() {
    for_all(50, &plans(faults()), |plan| {
        let events = vec![Event::Fails(true), Event::Passes(plan.life + 24 * 3600)];
        let world = World::run(Plan { events, ..plan });
        assert!(world.asked.len() < 60 + 24 * 3600 / 6, "{}", world.asked.len());
    });
}

/// Time makes a lease only more urgent.
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

/// Wherever the clock is set to, the next question comes no later than the lease's own numbers say; and if it was set
/// back behind the last one, when nothing is known any more, at once.
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

/// What is stored of any of them is a lease again.
#[test]
fn whatever_happened_the_lease_can_be_read_again() {
    for_all(300, &plans(anything()), |plan| {
        let lease = World::run(plan).lease;
        let written = serde_json::to_vec(&lease).unwrap();
        assert_eq!(Lease::read(&written, &lease.request.id()), Some(lease));
    });
}
