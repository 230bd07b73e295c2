//! The text of the prompt segment: `cloudshell 12m`, or `cloudshell until 14:32`. The hooks may not start a program for it,
//! so they compute it by the same rule, and a test compares the two. Only the time of day comes with the lease, as fish and
//! old bash cannot convert to local time.

use clap::ValueEnum;

use crate::env;
use crate::lease::Lease;
use crate::time::{Epoch, NEVER};

/// How the segment gives the end: as `12m`, which was true when the prompt appeared, or as `until 14:32`, which stays true.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Time {
    Left,
    Until,
}

/// From this many seconds on, a time of day could be another day's. 18 h rather than 24, to leave no doubt.
const AMBIGUOUS: Epoch = 18 * 3600;

/// The text of [`segment`], with the end given as `time` says.
pub fn segment_with(time: Time, lease: &Lease, now: Epoch) -> String {
    let clock = if time == Time::Until { clock(lease) } else { String::new() };
    labelled(lease, &until(lease.expires, now, &clock))
}

/// The local time of day at which the lease ends; empty if the end is unknown.
pub fn clock(lease: &Lease) -> String {
    if lease.expires == NEVER { String::new() } else { env::time_of_day(lease.expires).unwrap_or_default() }
}

/// Source and time left: seconds below two minutes, minutes up to ninety, hours above; `expired` after the end, and no time
/// if the end is unknown. Rounded down, so never more than is left: 12m59s is `12m`.
pub fn segment(lease: &Lease, now: Epoch) -> String {
    labelled(lease, &left(lease.expires, now))
}

fn labelled(lease: &Lease, time: &str) -> String {
    let label = lease.request.label();
    if time.is_empty() { label } else { format!("{label} {time}") }
}

/// `until 14:32`; or the time left if `clock` is empty, the end has passed, or it is far enough away to be another day's.
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
