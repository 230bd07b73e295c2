//! A lease: a request, the credentials it yielded, and when to ask again. The renewal policy lives here and
//! nowhere else; the hooks only compare a clock with the numbers it computed. Pure: no clock, no I/O.

use serde::{Deserialize, Serialize};

use crate::credentials::Credentials;
use crate::request::{Request, Source};
use crate::time::{Epoch, NEVER};

const MINUTE: Epoch = 60;
/// A difference between two clocks that the one-second resolution of `Date` and a slow answer explain.
const SKEW_NOISE: Epoch = 5;
/// The longest that AWS lets a session last: `sts:GetSessionToken` and `sts:GetFederationToken`, 129,600 s (STS API Reference,
/// `DurationSeconds`).
const LONGEST_SESSION: Epoch = 36 * 3600;
/// The longest a source is left alone after an answer that was of no use: a minute and its jitter.
pub const LONGEST: Epoch = 72;
/// After how long a source is asked again whose answer does not say when it ends: a third of the shortest session that AWS
/// gives (15 min), as these may have been issued a while ago. It cannot be known to be too often, so it is no oftener; a tool
/// that asks whenever it runs (botocore does) asks more.
const UNKNOWN: Epoch = 5 * MINUTE;
/// How many access key ids a lease remembers having handed out.
const REMEMBERED: usize = 16;

/// See the module. All times are the local clock's, in seconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    pub request: Request,
    pub credentials: Credentials,
    /// When these credentials were first seen.
    pub received: Epoch,
    /// When they end by the local clock: AWS's word, corrected by the skew. [`NEVER`] when unknown.
    pub expires: Epoch,
    /// When to ask next. Before it nobody asks unless a person insists.
    pub due: Epoch,
    /// When the source was last asked.
    pub asked: Epoch,
    /// How often in a row it gave no better credentials.
    pub failures: u32,
    /// What the last failure was, for people.
    pub note: Option<String>,
    /// Whether asking again is no use before a person has done something: then the hook says `note`, once.
    pub hopeless: bool,
    /// Access key ids this lease handed out, so that they are not taken for a source when they come back
    /// through the environment.
    pub issued: Vec<String>,
}

/// How a lease stands at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Nothing to do.
    Fresh,
    /// Inside the renewal window: renew in the background.
    Window,
    /// Inside the mandatory minute, or the clock was set back: renew before anything uses them.
    Mandatory,
    /// Over.
    Expired,
}

/// The source's clock minus the local one, if both clocks can be right about credentials that end at `end`: 0 if they would
/// then live longer than any that AWS gives. It is the source that is wrong there, or lies (a `Date` of 1970); a local clock
/// that is, however far, gives them the life that they have.
pub fn believed(skew: Epoch, end: Option<Epoch>, now: Epoch) -> Epoch {
    if end.is_some_and(|end| end - skew - now > LONGEST_SESSION) { 0 } else { skew }
}

impl Lease {
    /// A lease as it was stored under `id`. Not one that nothing here would have made, as where a disk or a person has
    /// changed a byte: another request's, values that no shell may be given, times that no clock shows or that would
    /// leave the source alone for longer than the policy does.
    pub fn read(bytes: &[u8], id: &str) -> Option<Lease> {
        let lease: Lease = serde_json::from_slice(bytes).ok()?;
        let lease = Lease { credentials: lease.credentials.checked().ok()?, ..lease };
        let times = [lease.expires, lease.due, lease.asked, lease.credentials.expiration.unwrap_or(0)];
        let sound = times.iter().all(|time| (0..=NEVER).contains(time))
            // Moved along with a clock that was set back to its beginning.
            && (-NEVER..=NEVER).contains(&lease.received)
            && lease.due <= lease.window().max(lease.asked + LONGEST)
            && !lease.note.as_deref().unwrap_or_default().contains(char::is_control);
        (sound && lease.request.id() == id).then_some(lease)
    }

    /// A lease on just-received credentials. `skew` is the source's clock minus the local one, seconds.
    pub fn new(request: Request, credentials: Credentials, now: Epoch, skew: Epoch) -> Lease {
        let skew = if skew.abs() <= SKEW_NOISE { 0 } else { skew };
        // A far year, as 9999, is how some say that theirs do not end.
        let credentials = Credentials { expiration: credentials.expiration.filter(|end| *end < NEVER), ..credentials };
        let expires = credentials.expiration.map_or(NEVER, |end| (end - skew).clamp(0, NEVER));
        let issued = vec![credentials.access_key_id.clone()];
        let mut lease = Lease {
            request,
            credentials,
            received: now,
            expires,
            due: NEVER,
            asked: now,
            failures: 0,
            note: None,
            hopeless: false,
            issued,
        };
        // Cloud9 rewrites its file every 5 of the 15 minutes, and reading it costs nothing: half a minute later the next
        // is there, and the old one is not held until its window.
        let rewritten = if matches!(lease.request.source, Source::Cloud9 { .. }) { lease.expires - 570 } else { NEVER };
        lease.due = lease.window().min(rewritten).min(lease.unknown(now)).max(now + 1);
        lease
    }

    /// Takes the answer of a renewal. One that ends no later is not a rotation (CloudShell's endpoint rotates
    /// at its own pace): no error, nothing replaced, ask again later. By AWS's own word, as the local clock may have been
    /// set since: then the same end has another place on it.
    #[must_use]
    pub fn renewed(self, answer: Lease, random: f64) -> Lease {
        let no_later = |end| self.credentials.expiration.is_some_and(|own| end <= own);
        if self.expires > answer.asked && answer.credentials.expiration.is_some_and(no_later) {
            let moved = self.skew() - answer.skew();
            let moved = if moved.abs() <= SKEW_NOISE { 0 } else { moved };
            let lease = Lease { asked: answer.asked, failures: 0, note: None, hopeless: false, ..self.moved(moved) };
            return Lease { due: answer.asked + lease.pause(answer.asked, random), ..lease };
        }
        self.replaced(answer)
    }

    /// Takes an answer whatever it is.
    #[must_use]
    pub fn replaced(self, answer: Lease) -> Lease {
        let mut issued = self.issued;
        issued.retain(|id| *id != answer.credentials.access_key_id);
        issued.extend(answer.issued);
        let skip = issued.len().saturating_sub(REMEMBERED);
        Lease { issued: issued.split_off(skip), ..answer }
    }

    /// Whether it has handed out the key with this id.
    pub fn has_issued(&self, access_key_id: &str) -> bool {
        self.issued.iter().any(|id| id == access_key_id)
    }

    /// Takes a failure: the credentials stay, the next attempt moves. Where the clock was set back, so does the end, by as
    /// much as is known of that: what is left would else be more than there ever was.
    #[must_use]
    pub fn failed(self, now: Epoch, random: f64, note: String, hopeless: bool) -> Lease {
        let failures = self.failures.saturating_add(1);
        let set_back = if now < self.earliest() && self.expires != NEVER { now - self.asked } else { 0 };
        let lease = Lease { failures, asked: now, note: Some(note), hopeless, ..self.moved(set_back) };
        Lease { due: now + lease.pause(now, random), ..lease }
    }

    /// The same life by a clock that shows `by` seconds more, in times that [`Lease::read`] takes.
    fn moved(self, by: Epoch) -> Lease {
        let received = (self.received + by).clamp(-NEVER, NEVER);
        Lease { expires: (self.expires + by).clamp(0, NEVER), received, ..self }
    }

    /// When to ask again at `now` if no end makes it due. Of the environment never: its id names the key, so that it gives these
    /// or none.
    fn unknown(&self, now: Epoch) -> Epoch {
        let gives_others = !matches!(self.request.source.root(), Source::Env { .. });
        if self.expires == NEVER && gives_others { now + UNKNOWN } else { NEVER }
    }

    /// How long to leave the source alone: max(1 s, min(60 s, R/4)) with 20 % jitter. Once nothing remains
    /// R/4 would be the one second for ever, so then each failure doubles it: up to 8 s, as each second more is one in
    /// which commands run with what is over although the source is back; up to the minute if a person has to act first.
    pub fn pause(&self, now: Epoch, random: f64) -> Epoch {
        if self.expires == NEVER {
            return UNKNOWN;
        }
        let remaining = self.expires - now;
        let doublings = self.failures.min(if self.hopeless { 6 } else { 3 });
        let base = if remaining > 0 { remaining / 4 } else { 1 << doublings };
        #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "at most 60")]
        let jittered = (base.clamp(1, MINUTE) as f64 * (0.8 + 0.4 * random)).round() as Epoch;
        jittered.max(1)
    }

    /// The source's clock minus the local one, as it was when `expires` was set.
    fn skew(&self) -> Epoch {
        self.credentials.expiration.map_or(0, |end| end - self.expires)
    }

    /// Life at receipt, L.
    fn life(&self) -> Epoch {
        (self.expires - self.received).max(0)
    }

    /// When the renewal window opens: 5 min before the end if L <= 20 min, 15 min if L < 90 min, else 60 min, and
    /// never more than L/2. The table the AWS SDKs are converging on (boto/botocore#3760, aws-sdk-go-v2).
    pub fn window(&self) -> Epoch {
        if self.expires == NEVER {
            return NEVER;
        }
        let life = self.life();
        let window = match life {
            ..=1200 => 5 * MINUTE,
            1201..5400 => 15 * MINUTE,
            _ => 60 * MINUTE,
        };
        (self.expires - window.min(life / 2)).max(0)
    }

    /// When renewing becomes mandatory: the last minute, and never more than L/10.
    pub fn mandatory(&self) -> Epoch {
        if self.expires == NEVER { NEVER } else { (self.expires - MINUTE.min(self.life() / 10)).max(0) }
    }

    /// The least that the clock can show: when the source was last asked, but for noise. Below it the clock was set back, by
    /// nobody knows how much, and `due` and `expires` would come that much too late: it is time to ask.
    pub fn earliest(&self) -> Epoch {
        (self.asked - SKEW_NOISE).max(0)
    }

    /// Whether to ask.
    pub fn is_due(&self, now: Epoch) -> bool {
        now >= self.due || now < self.earliest()
    }

    /// See [`State`].
    pub fn state(&self, now: Epoch) -> State {
        if now >= self.expires {
            State::Expired
        } else if now >= self.mandatory() || now < self.earliest() {
            State::Mandatory
        } else if now >= self.window() {
            State::Window
        } else {
            State::Fresh
        }
    }
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests {
    use super::*;
    use crate::credentials::Secret;

    fn answer(now: Epoch, life: Option<Epoch>) -> Lease {
        let credentials = Credentials {
            access_key_id: format!("ASIA{now}"),
            secret_access_key: Secret::new("s"),
            session_token: Some(Secret::new("t")),
            expiration: life.map(|life| now + life),
        };
        Lease::new(Request::of(Source::Ec2), credentials, now, 0)
    }

    #[test]
    fn windows_by_life() {
        for (life, window, mandatory) in
            [(20, 10, 2), (600, 300, 60), (1200, 300, 60), (1201, 600, 60), (3600, 900, 60), (43200, 3600, 60)]
        {
            let lease = answer(1_000_000, Some(life));
            assert_eq!(
                lease.expires - lease.window(),
                window.min(life / 2).min(if life == 1201 { 600 } else { window }),
                "life {life}"
            );
            assert_eq!(lease.expires - lease.mandatory(), mandatory, "life {life}");
            assert_eq!(lease.due, lease.window());
        }
    }

    #[test]
    fn what_no_renewal_would_have_left_is_no_lease() {
        let lease = answer(1_000_000, Some(600)).failed(1_000_310, 0.5, "down".into(), true);
        let (id, text) = (lease.request.id(), serde_json::to_string(&lease).unwrap());
        assert_eq!(Lease::read(text.as_bytes(), &id), Some(lease), "the control");
        assert_eq!(Lease::read(text.as_bytes(), "0123456789abcdef"), None, "another request's");
        assert_eq!(Lease::read(&text.as_bytes()[..text.len() / 2], &id), None);
        for (good, bad) in [
            ("\"due\":1000370", "\"due\":1000700"),
            ("\"due\":1000370", "\"due\":-1"),
            ("\"asked\":1000310", "\"asked\":-9223372036854775808"),
            ("\"expires\":1000600", "\"expires\":9223372036854775807"),
            ("\"received\":1000000", "\"received\":-9223372036854775808"),
            ("\"expiration\":1000600", "\"expiration\":-9223372036854775808"),
            ("\"down\"", "\"do\\nwn\""),
            ("\"s\"", "\"\\u001b\""),
            ("\"t\"", "\"\""),
        ] {
            let broken = text.replace(good, bad);
            assert_ne!(broken, text, "{good}");
            assert_eq!(Lease::read(broken.as_bytes(), &id), None, "{bad}");
        }
    }

    #[test]
    fn unknown_end_is_never_expired_but_asked_about() {
        let lease = answer(1_000_000, None);
        assert_eq!(lease.state(NEVER - 1), State::Fresh);
        assert_eq!((lease.due, lease.mandatory()), (1_000_300, NEVER));
        let failed = lease.clone().failed(1_000_300, 0.5, "down".into(), false);
        assert_eq!((&failed.credentials, failed.due), (&lease.credentials, 1_000_600));
        let renewed = failed.renewed(answer(1_000_600, None), 0.5);
        assert_eq!((renewed.credentials.access_key_id.as_str(), renewed.due), ("ASIA1000600", 1_000_900));
        let environment = Request::of(Source::Env { access_key_id: lease.credentials.access_key_id.clone() });
        assert_eq!(Lease::new(environment, lease.credentials, 1_000_000, 0).due, NEVER);
    }

    #[test]
    fn an_unchanged_answer_is_no_error_and_replaces_nothing() {
        let first = answer(1_000_000, Some(600));
        let mut same = first.clone();
        (same.asked, same.credentials.access_key_id) = (1_000_300, "ASIAOTHER".into());
        let kept = first.clone().renewed(same, 0.5);
        assert_eq!(kept.credentials, first.credentials);
        assert_eq!(kept.due, 1_000_300 + 60, "R/4 = 75 s, so the minute");
        assert_eq!(kept.received, first.received, "or the window would shrink with every question");
        assert_eq!(kept.note, None);
    }

    #[test]
    fn a_clock_that_was_set_right_keeps_no_lease_from_being_renewed() {
        let (first, later) = (answer(1_000_000, Some(600)), answer(1_000_400, Some(600)));
        // Received while the local clock was two hours ahead.
        let ahead =
            |lease: &Lease| Lease::new(lease.request.clone(), lease.credentials.clone(), lease.received + 7200, -7200);
        assert_eq!(ahead(&first).expires, first.expires + 7200, "the control");
        let renewed = ahead(&first).renewed(later.clone(), 0.5);
        assert_eq!((renewed.credentials, renewed.expires), (later.credentials, later.expires));
        let same = Lease { asked: 1_000_300, ..first.clone() };
        let kept = ahead(&first).renewed(same, 0.5);
        assert_eq!((kept.expires, kept.window(), kept.due), (first.expires, first.window(), 1_000_360));
        // An end that was not known is known now.
        assert_eq!(answer(1_000_000, None).renewed(first.clone(), 0.5).expires, first.expires);
    }

    #[test]
    fn what_moves_with_a_clock_stays_readable() {
        // Both are read, so what a renewal makes of them has to be.
        let kept = |received, shown| {
            let lease = Lease { received, ..answer(1_000_000, Some(600)) };
            let answer = Lease { expires: shown, ..lease.clone() };
            let kept = lease.renewed(answer, 0.5);
            Lease::read(&serde_json::to_vec(&kept).unwrap(), &kept.request.id()).map(|lease| lease.received)
        };
        assert_eq!(kept(1_000_000, 2_000_600), Some(2_000_000), "the control");
        assert_eq!(kept(NEVER - 1, 2_000_600), Some(NEVER));
        assert_eq!(kept(-NEVER, 0), Some(-NEVER));
    }

    #[test]
    fn a_clock_that_was_set_back_makes_it_due() {
        let lease = answer(1_000_000, Some(600));
        for (now, due) in [(1_000_000, false), (999_995, false), (999_994, true), (998_800, true), (1_000_300, true)] {
            assert_eq!(lease.is_due(now), due, "{now}");
            assert_eq!(lease.state(now) == State::Fresh, !due, "{now}");
        }
        assert!(answer(1_000_000, None).is_due(998_800));
        // 20 minutes back, and nobody answers: there is no more left than there was.
        let failed = lease.clone().failed(998_800, 0.5, "down".into(), false);
        assert_eq!((failed.expires, failed.received, failed.due), (999_400, 998_800, 998_860));
        assert_eq!((failed.window(), failed.is_due(998_801)), (999_100, false));
        // The source knows better: the same end, where its clock and ours now put it.
        let same = Lease { asked: 998_800, expires: 999_300, ..lease.clone() };
        let kept = lease.clone().renewed(same, 0.5);
        assert_eq!((kept.expires, kept.received, kept.asked), (999_300, 998_700, 998_800));
        assert_eq!(answer(1_000_000, None).failed(998_800, 0.5, "down".into(), false).expires, NEVER);
    }

    #[test]
    fn a_failure_keeps_the_credentials_and_backs_off() {
        let mut lease = answer(1_000_000, Some(40));
        lease = lease.failed(1_000_020, 0.5, "down".into(), false);
        assert_eq!((lease.due, lease.failures), (1_000_025, 1));
        lease = lease.failed(1_000_050, 0.5, "down".into(), false);
        lease = lease.failed(1_000_060, 0.5, "down".into(), false);
        assert_eq!(lease.due, 1_000_068, "expired: doubling");
        for now in [1_000_070, 1_000_080, 1_000_090] {
            lease = lease.failed(now, 0.5, "down".into(), false);
            assert_eq!(lease.due, now + 8, "but no further");
        }
        lease = lease.failed(1_000_100, 0.5, "denied".into(), true);
        assert_eq!(lease.due, 1_000_160, "where asking again is no use before a person has acted");
        assert_eq!(lease.credentials.access_key_id, "ASIA1000000");
    }

    #[test]
    fn skew_moves_the_end_but_not_awss_word() {
        let now = 1_000_000;
        let lease = |skew| Lease::new(answer(now, None).request, answer(now, Some(600)).credentials, now, skew);
        assert_eq!(lease(-1200).expires, now + 1800, "our clock runs 20 min ahead of theirs");
        assert_eq!(lease(3).expires, now + 600, "a second or three is no skew");
        assert_eq!(lease(-1200).credentials.expiration, Some(now + 600));
    }

    #[test]
    fn a_skew_that_makes_a_life_that_aws_does_not_give_is_not_believed() {
        let now = 1_800_000_000;
        for (skew, end, wanted) in [
            (-now, now + 600, 0),
            (600 - 36 * 3600, now + 600, 600 - 36 * 3600),
            (599 - 36 * 3600, now + 600, 0),
            (1200, now + 1800, 1200),
            (-1200, now - 600, -1200),
        ] {
            assert_eq!(believed(skew, Some(end), now), wanted, "{skew} {end}");
        }
        assert_eq!(believed(now, Some(now + 600), 0), now, "the local clock is at its beginning");
        assert_eq!(believed(-now, None, now), -now);
    }

    #[test]
    fn every_key_handed_out_is_remembered() {
        let renewed = answer(1_000_000, Some(60)).renewed(answer(1_000_030, Some(60)), 0.5);
        assert_eq!(renewed.issued, ["ASIA1000000", "ASIA1000030"]);
    }

    #[test]
    fn cloud9s_file_is_read_again_when_the_next_should_be_there() {
        let now = 1_000_000;
        let request = Request::of(Source::Cloud9 { file: "f".into() });
        let lease = |age: Epoch| Lease::new(request.clone(), answer(now, Some(900 - age)).credentials, now, 0);
        assert_eq!(lease(0).due, now + 330);
        assert_eq!(lease(200).due, now + 130);
        assert_eq!(lease(400).due, now + 1, "late already");
    }
}
