//! A lease: a request, the credentials it yielded, and when to ask again. The renewal policy is here and nowhere else; the
//! hooks only compare a clock with numbers computed here. Pure: no clock, no I/O.

use serde::{Deserialize, Serialize};

use crate::credentials::Credentials;
use crate::request::{Request, Source};
use crate::time::{Epoch, NEVER};

const MINUTE: Epoch = 60;
/// How far two clocks may seem to differ because `Date` has whole seconds and an answer was slow; seconds.
const SKEW_NOISE: Epoch = 5;
/// The longest session that AWS gives, in seconds: 129,600 s, for `sts:GetSessionToken` and `sts:GetFederationToken` (STS
/// API Reference, `DurationSeconds`).
const LONGEST_SESSION: Epoch = 36 * 3600;
/// The longest pause after an answer that was of no use: a minute plus 20 % jitter, in seconds.
pub const LONGEST: Epoch = 72;
/// How soon to ask a source again whose answer gives no end: a third of AWS's shortest session (15 min), in seconds, as the
/// credentials may have been issued some time before. More often might be too often, and there is no telling; botocore,
/// which asks whenever it is run, asks more.
const UNKNOWN: Epoch = 5 * MINUTE;
/// How many access key ids a lease remembers of those it has handed out.
const REMEMBERED: usize = 16;

/// See the module. All times are epoch seconds by the local clock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    pub request: Request,
    pub credentials: Credentials,
    /// When these credentials were first received.
    pub received: Epoch,
    /// When they end: the time that AWS gave, corrected by the clock skew. [`NEVER`] if unknown.
    pub expires: Epoch,
    /// When to ask the source next. No background renewal asks sooner.
    pub due: Epoch,
    /// When the source was last asked.
    pub asked: Epoch,
    /// How many times in a row the source failed.
    pub failures: u32,
    /// The last failure's message and hint, on one line.
    pub note: Option<String>,
    /// Whether asking again is of no use before a person has done something. The hook then says `note`, once.
    pub hopeless: bool,
    /// Ids of the access keys that this lease handed out, so that they are not taken for a source when the environment has
    /// them.
    pub issued: Vec<String>,
}

/// The state of a lease at a given time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Nothing to do.
    Fresh,
    /// Inside the renewal window: renew in the background.
    Window,
    /// Inside the mandatory minute, or the clock was set back: renew before anything uses the credentials.
    Mandatory,
    /// The credentials have expired.
    Expired,
}

/// The skew (the source's clock minus the local one, seconds) to apply to credentials that end at `end`: 0 if they would
/// otherwise live longer than any that AWS gives. Then the source's clock is wrong, or it lies (a `Date` of 1970); a local
/// clock, however wrong, does not look like that, as the correction yields the true life.
pub fn believed(skew: Epoch, end: Option<Epoch>, now: Epoch) -> Epoch {
    if end.is_some_and(|end| end - skew - now > LONGEST_SESSION) { 0 } else { skew }
}

impl Lease {
    /// Reads a lease as it was stored under `id`. `None` for what credsh would not have written, as when a disk or an
    /// editor has changed a byte: another request's lease, values that no shell may be given, times out of range, or a
    /// `due` later than the policy allows.
    pub fn read(bytes: &[u8], id: &str) -> Option<Lease> {
        let lease: Lease = serde_json::from_slice(bytes).ok()?;
        let lease = Lease { credentials: lease.credentials.checked().ok()?, ..lease };
        let times = [lease.expires, lease.due, lease.asked, lease.credentials.expiration.unwrap_or(0)];
        let sound = times.iter().all(|time| (0..=NEVER).contains(time))
            // May be negative: `moved` shifts it along with a local clock that was set back to about 1970.
            && (-NEVER..=NEVER).contains(&lease.received)
            && lease.due <= lease.window().max(lease.asked + LONGEST)
            && !lease.note.as_deref().unwrap_or_default().contains(char::is_control);
        (sound && lease.request.id() == id).then_some(lease)
    }

    /// A lease on credentials received just now. `skew` is the source's clock minus the local one, in seconds.
    pub fn new(request: Request, credentials: Credentials, now: Epoch, skew: Epoch) -> Lease {
        let skew = if skew.abs() <= SKEW_NOISE { 0 } else { skew };
        // Some sources give a far-off year, such as 9999, for credentials that do not expire.
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
        // Cloud9 rewrites its file every 5 of the 15 minutes that the credentials last, and reading it costs nothing. So it
        // is read half a minute after the next rewrite, instead of holding the old credentials until their window.
        let rewritten = if matches!(lease.request.source, Source::Cloud9 { .. }) { lease.expires - 570 } else { NEVER };
        lease.due = lease.window().min(rewritten).min(lease.unknown(now)).max(now + 1);
        lease
    }

    /// Takes the answer of a renewal. If it ends no later than what is held, the source has not rotated yet (CloudShell's
    /// rotates when it likes): no error, nothing is replaced, and it is asked again later. AWS's own times are compared,
    /// not `expires`: the local clock may have been set since, and would give the same end another time.
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

    /// Takes an answer unconditionally, but keeps the ids of the keys handed out before.
    #[must_use]
    pub fn replaced(self, answer: Lease) -> Lease {
        let mut issued = self.issued;
        issued.retain(|id| *id != answer.credentials.access_key_id);
        issued.extend(answer.issued);
        let skip = issued.len().saturating_sub(REMEMBERED);
        Lease { issued: issued.split_off(skip), ..answer }
    }

    /// Whether this lease has handed out the key with this id.
    pub fn has_issued(&self, access_key_id: &str) -> bool {
        self.issued.iter().any(|id| id == access_key_id)
    }

    /// Takes a failure: the credentials stay, and the next attempt moves. If the local clock was set back, the end moves
    /// back as far as is known, or more life would seem to remain than there ever was. `note` is the failure on one line.
    #[must_use]
    pub fn failed(self, now: Epoch, random: f64, note: String, hopeless: bool) -> Lease {
        let failures = self.failures.saturating_add(1);
        let set_back = if now < self.earliest() && self.expires != NEVER { now - self.asked } else { 0 };
        let lease = Lease { failures, asked: now, note: Some(note), hopeless, ..self.moved(set_back) };
        Lease { due: now + lease.pause(now, random), ..lease }
    }

    /// The same lease by a local clock that shows `by` seconds more, in the range that [`Lease::read`] accepts.
    fn moved(self, by: Epoch) -> Lease {
        let received = (self.received + by).clamp(-NEVER, NEVER);
        Lease { expires: (self.expires + by).clamp(0, NEVER), received, ..self }
    }

    /// When to ask again for credentials without a known end; else [`NEVER`]. Also [`NEVER`] for the environment: that
    /// source includes the access key id, so it gives the same credentials or none.
    fn unknown(&self, now: Epoch) -> Epoch {
        let gives_others = !matches!(self.request.source.root(), Source::Env { .. });
        if self.expires == NEVER && gives_others { now + UNKNOWN } else { NEVER }
    }

    /// How many seconds to leave the source alone: max(1 s, min(60 s, R/4)) with 20 % jitter, R being the life that
    /// remains. After the end R/4 would stay at one second for ever, so each failure doubles the pause: up to 8 s, as in
    /// each further second commands run with expired credentials though the source may be back; up to a minute if a person
    /// has to act first.
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

    /// The source's clock minus the local one, in seconds, as of when `expires` was set.
    fn skew(&self) -> Epoch {
        self.credentials.expiration.map_or(0, |end| end - self.expires)
    }

    /// L: the life at receipt, in seconds.
    fn life(&self) -> Epoch {
        (self.expires - self.received).max(0)
    }

    /// When the renewal window opens: 5 min before the end if L <= 20 min, 15 min if L < 90 min, else 60 min, and never
    /// more than L/2. The AWS SDKs are converging on this table (boto/botocore#3760, aws-sdk-go-v2).
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

    /// When renewing becomes mandatory: in the last minute, and never more than L/10 before the end.
    pub fn mandatory(&self) -> Epoch {
        if self.expires == NEVER { NEVER } else { (self.expires - MINUTE.min(self.life() / 10)).max(0) }
    }

    /// The earliest time that the clock can show: when the source was last asked, less the noise. If it shows less it was
    /// set back, nobody knows how far, and `due` and `expires` would come as much too late: so it is time to ask.
    pub fn earliest(&self) -> Epoch {
        (self.asked - SKEW_NOISE).max(0)
    }

    /// Whether to ask the source: `due` has come, or the clock was set back.
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
        // As received while the local clock was two hours ahead.
        let ahead =
            |lease: &Lease| Lease::new(lease.request.clone(), lease.credentials.clone(), lease.received + 7200, -7200);
        assert_eq!(ahead(&first).expires, first.expires + 7200, "the control");
        let renewed = ahead(&first).renewed(later.clone(), 0.5);
        assert_eq!((renewed.credentials, renewed.expires), (later.credentials, later.expires));
        let same = Lease { asked: 1_000_300, ..first.clone() };
        let kept = ahead(&first).renewed(same, 0.5);
        assert_eq!((kept.expires, kept.window(), kept.due), (first.expires, first.window(), 1_000_360));
        // An unknown end is replaced by a known one.
        assert_eq!(answer(1_000_000, None).renewed(first.clone(), 0.5).expires, first.expires);
    }

    #[test]
    fn what_moves_with_a_clock_stays_readable() {
        // Both leases can be read, so the one that a renewal makes of them must be readable too.
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
        // The clock is set back 20 minutes, and the source is down: no more life may remain than there was.
        let failed = lease.clone().failed(998_800, 0.5, "down".into(), false);
        assert_eq!((failed.expires, failed.received, failed.due), (999_400, 998_800, 998_860));
        assert_eq!((failed.window(), failed.is_due(998_801)), (999_100, false));
        // The source corrects that: the same end, placed by the two clocks as they are now.
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
