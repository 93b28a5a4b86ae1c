//! Moments as SAML writes them (SAML 2.0 Core, section 1.3.3): `xs:dateTime` in UTC.

use jiff::SignedDuration;
use jiff::civil::{DateTime, date};

use crate::foundation::clock::Moment;

/// A text is not a moment as SAML writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a time in UTC of the form 2026-01-02T03:04:05.678Z")]
pub struct NotATime;

/// The last moment that can be written: 9999-12-31T23:59:59.999Z.
const LAST: Moment = Moment::from_millis(253_402_300_799_999);
const EPOCH: DateTime = date(1970, 1, 1).at(0, 0, 0, 0);
const MAX_FRACTION_DIGITS: usize = 9;

/// Reads `2026-01-02T03:04:05Z`, with an optional fraction of up to nine digits, of which milliseconds are kept.
///
/// UTC is written `Z`: Core allows no time zone, so `+00:00` is refused as any other. There is no white space, no
/// second 60 and no hour 24; the years are 1970 to 9999.
pub fn parse(text: &str) -> Result<Moment, NotATime> {
    if !has_form(text.as_bytes()) {
        return Err(NotATime);
    }
    // What remains is the calendar: the length of months, and the minutes of an hour.
    let time: DateTime = text.trim_end_matches('Z').parse().map_err(|_| NotATime)?;
    let millis = i64::try_from(time.duration_since(EPOCH).as_millis()).map_err(|_| NotATime)?;
    if millis < 0 { Err(NotATime) } else { Ok(Moment::from_millis(millis)) }
}

/// Writes a moment with milliseconds: `2026-01-02T03:04:05.678Z`. One outside 1970 to 9999 becomes the nearest within.
pub fn render(moment: Moment) -> String {
    let since = SignedDuration::from_millis(moment.millis().clamp(0, LAST.millis()));
    format!("{:.3}Z", EPOCH.saturating_add(since))
}

fn has_form(text: &[u8]) -> bool {
    let Some((seconds, rest)) = text.split_at_checked(19) else { return false };
    let pattern = b"dddd-dd-ddTdd:dd:dd";
    let fits = |(have, want): (&u8, &u8)| if *want == b'd' { have.is_ascii_digit() } else { have == want };
    let Some((b'Z', fraction)) = rest.split_last() else { return false };
    // Readers differ about second 60 and hour 24, so they are refused before one of them is asked.
    seconds.iter().zip(pattern).all(fits)
        && is_fraction(fraction)
        && !seconds.ends_with(b"60")
        && &seconds[11..13] < b"24".as_slice()
}

fn is_fraction(text: &[u8]) -> bool {
    match text {
        [] => true,
        [b'.', digits @ ..] => {
            (1..=MAX_FRACTION_DIGITS).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn h11_a_moment_in_utc_is_read_to_the_millisecond() {
        for (text, millis) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2026-01-02T03:04:05Z", 1_767_323_045_000),
            ("2026-01-02T03:04:05.6Z", 1_767_323_045_600),
            ("2026-01-02T03:04:05.678Z", 1_767_323_045_678),
            ("2026-01-02T03:04:05.678999999Z", 1_767_323_045_678),
            ("2024-02-29T23:59:59.9999999Z", 1_709_251_199_999),
            ("2000-02-29T00:00:00Z", 951_782_400_000),
            ("9999-12-31T23:59:59.999Z", 253_402_300_799_999),
        ] {
            assert_eq!(parse(text), Ok(Moment::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn h11_every_other_way_to_write_a_time_has_one_verdict() {
        for text in [
            "",
            "Z",
            "2026-01-02",
            "2026-01-02T03:04:05",
            "2026-01-02T03:04:05z",
            "2026-01-02t03:04:05Z",
            "2026-01-02 03:04:05Z",
            "2026-01-02T03:04Z",
            "2026-01-02T03:04:05+00:00",
            "2026-01-02T03:04:05-00:00",
            "2026-01-02T03:04:05+01:00",
            "2026-01-02T03:04:05Z ",
            " 2026-01-02T03:04:05Z",
            "2026-01-02T03:04:05.Z",
            "2026-01-02T03:04:05,5Z",
            "2026-01-02T03:04:05.1234567890Z",
            "2026-01-02T03:04:05.1 Z",
            "2026-01-02T03:04:60Z",
            "2016-12-31T23:59:60Z",
            "2026-01-02T03:60:05Z",
            "2026-01-02T24:00:00Z",
            "2026-01-02T25:00:00Z",
            "2026-02-29T03:04:05Z",
            "1900-02-29T03:04:05Z",
            "2026-13-02T03:04:05Z",
            "2026-00-02T03:04:05Z",
            "2026-01-00T03:04:05Z",
            "2026-04-31T03:04:05Z",
            "1969-12-31T23:59:59Z",
            "0000-01-01T00:00:00Z",
            "-026-01-02T03:04:05Z",
            "-2026-01-02T03:04:05Z",
            "+2026-01-02T03:04:05Z",
            "12026-01-02T03:04:05Z",
            "2026-01-02T03:04:05ZZ",
            "2026-01-02T03:04:05[UTC]Z",
            "2026-01-02T03:04:05Z[UTC]",
            "２026-01-02T03:04:05Z",
            "2026-01-02T03:04:05.５Z",
        ] {
            assert_eq!(parse(text), Err(NotATime), "{text}");
        }
    }

    #[test]
    fn h11_what_is_written_is_read_back() {
        for millis in [0, 1, 999, 1_767_323_045_678, 253_402_300_799_999] {
            let moment = Moment::from_millis(millis);
            assert_eq!(parse(&render(moment)), Ok(moment));
        }
        assert_eq!(render(Moment::from_millis(1_767_323_045_678)), "2026-01-02T03:04:05.678Z");
        assert_eq!(render(Moment::from_millis(-1)), "1970-01-01T00:00:00.000Z");
        assert_eq!(render(Moment::from_millis(i64::MAX)), "9999-12-31T23:59:59.999Z");
    }
}
