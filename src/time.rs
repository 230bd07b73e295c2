//! Points in time as whole seconds of the Unix epoch, and the texts they are read from and written to. The clock itself is
//! in `env`.

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;

/// Seconds since 1970-01-01T00:00:00Z. Signed, so that subtracting two of them is always safe.
pub type Epoch = i64;

/// A time that never comes: the end of a lease whose end is unknown. It has eleven digits: few enough for the arithmetic of
/// the oldest shell, and too few to be confused with a time given in milliseconds by mistake.
pub const NEVER: Epoch = 99_999_999_999;

/// Reads RFC 3339 with any offset and any fraction of a second (STS sends whole seconds, moto microseconds). A time without
/// an offset is refused, as there is no telling whose clock it is by. So is one before 1970, or not before [`NEVER`].
pub fn parse_rfc3339(text: &str) -> Option<Epoch> {
    parse_far_rfc3339(text).filter(|time| *time < NEVER)
}

/// The same, but a time too far away to be represented, as in the year 9999, is read as [`NEVER`].
pub fn parse_far_rfc3339(text: &str) -> Option<Epoch> {
    let time = DateTime::from_str(text.trim(), Format::DateTimeWithOffset).ok()?.secs();
    (time >= 0).then_some(time.min(NEVER))
}

/// Writes RFC 3339 in UTC with `Z` and whole seconds, which botocore, the JavaScript SDK and starship all parse.
pub fn format_rfc3339(time: Epoch) -> String {
    DateTime::from_secs(time).fmt(Format::DateTime).unwrap_or_else(|_| "1970-01-01T00:00:00Z".into())
}

/// Reads an HTTP `Date` header.
pub fn parse_http_date(text: &str) -> Option<Epoch> {
    DateTime::from_str(text, Format::HttpDate).ok().map(|time| time.secs())
}

/// `YYYYmmddHHMMSS` in UTC, as in the session names of the original script.
pub fn compact(time: Epoch) -> String {
    format_rfc3339(time).chars().filter(char::is_ascii_digit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc3339_in_every_spelling_that_was_seen() {
        let noon = parse_rfc3339("2024-10-10T08:44:18Z");
        assert_eq!(noon, Some(1_728_549_858));
        assert_eq!(parse_rfc3339("2024-10-10T08:44:18+00:00"), noon);
        assert_eq!(parse_rfc3339("2024-10-10T17:44:18+09:00"), noon);
        assert_eq!(parse_rfc3339("2024-10-10T08:44:18.806005Z"), noon);
        assert_eq!(parse_rfc3339("2024-10-10T08:44:18"), None, "no offset, no meaning");
        assert_eq!(parse_rfc3339("tomorrow"), None);
        assert_eq!(parse_rfc3339(""), None);
    }

    #[test]
    fn texts() {
        assert_eq!(format_rfc3339(1_728_549_858), "2024-10-10T08:44:18Z");
        assert_eq!(compact(1_728_549_858), "20241010084418");
        assert_eq!(parse_http_date("Thu, 10 Oct 2024 08:44:18 GMT"), Some(1_728_549_858));
    }
}
