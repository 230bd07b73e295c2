//! The prompt segment's text: `cloudshell 12m`. The hooks compute the same text by the same rule, as they may
//! not start a program for it; a test holds them to it.

use crate::lease::Lease;
use crate::time::{Epoch, NEVER};

/// Source and time left: seconds below two minutes, minutes up to ninety, hours above; `expired` after; no time
/// when the end is unknown. Never longer than the truth: 12m59s is `12m`.
pub fn segment(lease: &Lease, now: Epoch) -> String {
    let label = lease.request.label();
    match left(lease.expires, now) {
        text if text.is_empty() => label,
        text => format!("{label} {text}"),
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
}
