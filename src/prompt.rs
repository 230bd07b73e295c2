//! The prompt segment's text: `cloudshell 12m`, or `cloudshell until 14:32`. The hooks compute the same text by the same
//! rule, as they may not start a program for it; a test holds them to it. Only the time of day is not theirs: fish and old
//! bash know no local time, so it comes with the lease.

use clap::ValueEnum;

use crate::env;
use crate::lease::Lease;
use crate::time::{Epoch, NEVER};

/// What the segment says of the end: `12m`, true when the prompt came up, or `until 14:32`, which stays true.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Time {
    Left,
    Until,
}

/// From here on a time of day could be taken for another day's. 18 h, not 24: nobody should have to think.
const AMBIGUOUS: Epoch = 18 * 3600;

/// [`segment`], with the time as it is wanted.
pub fn segment_with(time: Time, lease: &Lease, now: Epoch) -> String {
    let clock = if time == Time::Until { clock(lease) } else { String::new() };
    labelled(lease, &until(lease.expires, now, &clock))
}

/// The time of day when the lease ends; empty when that is unknown.
pub fn clock(lease: &Lease) -> String {
    if lease.expires == NEVER { String::new() } else { env::time_of_day(lease.expires).unwrap_or_default() }
}

/// Source and time left: seconds below two minutes, minutes up to ninety, hours above; `expired` after; no time
/// when the end is unknown. Never longer than the truth: 12m59s is `12m`.
pub fn segment(lease: &Lease, now: Epoch) -> String {
    labelled(lease, &left(lease.expires, now))
}

fn labelled(lease: &Lease, time: &str) -> String {
    let label = lease.request.label();
    if time.is_empty() { label } else { format!("{label} {time}") }
}

/// `until 14:32`; the time left where `clock` is empty, over, or so far away that it could be another day's.
fn until(expires: Epoch, now: Epoch, clock: &str) -> String {
    match expires - now {
        1..AMBIGUOUS if !clock.is_empty() => format!("until {clock}"),
        _ => left(expires, now),
    }
}

/// The time part of [`segment`].
pub fn left(expires: Epoch, now: Epoch) -> String {
    if expires == NEVER {
        return String::new();
    }
    match expires - now {
        ..=0 => "expired".into(),
        seconds @ 1..120 => format!("{seconds}s"),
        seconds @ 120..=5400 => format!("{}m", seconds / 60),
        seconds => format!("{}h", seconds / 3600),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn time_left() {
        let cases = [
            (0, "expired"),
            (-5, "expired"),
            (1, "1s"),
            (119, "119s"),
            (120, "2m"),
            (779, "12m"),
            (5400, "90m"),
            (5401, "1h"),
            (10800, "3h"),
        ];
        for (left, text) in cases {
            assert_eq!(super::left(1_000_000 + left, 1_000_000), text);
        }
        assert_eq!(super::left(crate::time::NEVER, 1_000_000), "");
    }

    #[test]
    fn the_time_of_day_only_while_it_is_not_another_days() {
        let cases = [
            (0, "14:32", "expired"),
            (1, "14:32", "until 14:32"),
            (64799, "14:32", "until 14:32"),
            (64800, "14:32", "18h"),
            (90000, "14:32", "25h"),
            (600, "", "10m"),
        ];
        for (left, clock, text) in cases {
            assert_eq!(super::until(1_000_000 + left, 1_000_000, clock), text, "{left} s, {clock:?}");
        }
        assert_eq!(super::until(crate::time::NEVER, 1_000_000, ""), "");
    }
}
