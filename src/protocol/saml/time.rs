//! Moments as SAML writes them (SAML 2.0 Core, section 1.3.3): `xs:dateTime` in UTC.

use crate::foundation::clock::Moment;

/// How SAML writes a moment.
pub const FORM: &str = "a time in UTC of the form 2026-01-02T03:04:05.678Z";

/// A text is not a moment as SAML writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not {}", FORM)]
pub struct NotATime;

/// The last moment that is written: 9999-12-30T22:00:00Z, within a day of the last that is read.
const LAST: Moment = Moment::from_seconds(253_402_207_200);
const MAX_FRACTION_DIGITS: usize = 9;

/// Reads `2026-01-02T03:04:05Z`, with an optional fraction of up to nine digits, of which milliseconds are kept.
///
/// UTC is written `Z`: Core allows no time zone, so `+00:00` is refused as any other. There is no white space, no
/// second 60 and no hour 24; the years are 1970 to 9999.
pub fn parse(text: &str) -> Result<Moment, NotATime> {
    moment(text).ok_or(NotATime)
}

fn moment(text: &str) -> Option<Moment> {
    if !has_form(text.as_bytes()) {
        return None;
    }
    let number = |digits: std::ops::Range<usize>| text.get(digits)?.parse::<i64>().ok();
    let days = days_since_1970(number(0..4)?, number(5..7)?, number(8..10)?)?;
    let (hours, minutes, seconds) = (number(11..13)?, number(14..16)?, number(17..19)?);
    if hours > 23 || minutes > 59 || seconds > 59 {
        return None;
    }
    let fraction = text.get(20..).unwrap_or_default().trim_end_matches('Z');
    let millis: String = fraction.chars().chain("000".chars()).take(3).collect();
    let seconds = ((days * 24 + hours) * 60 + minutes) * 60 + seconds;
    Some(Moment::from_millis(seconds * 1000 + millis.parse::<i64>().ok()?))
}

/// Of a day of the Gregorian calendar, or nothing.
fn days_since_1970(year: i64, month: i64, day: i64) -> Option<i64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let february = if leap { 29 } else { 28 };
    let lengths = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let months_before = usize::try_from(month.checked_sub(1)?).ok()?;
    if year < 1970 || !(1..=*lengths.get(months_before)?).contains(&day) {
        return None;
    }
    let before = |year: i64| (year - 1) * 365 + (year - 1) / 4 - (year - 1) / 100 + (year - 1) / 400;
    Some(before(year) - before(1970) + lengths.iter().take(months_before).sum::<i64>() + day - 1)
}

/// Writes a moment with milliseconds: `2026-01-02T03:04:05.678Z`. One outside 1970 to 9999 becomes the nearest within.
pub fn render(moment: Moment) -> String {
    moment.clamp(Moment::from_millis(0), LAST).rfc3339()
}

fn has_form(text: &[u8]) -> bool {
    let Some((seconds, rest)) = text.split_at_checked(19) else { return false };
    let pattern = b"dddd-dd-ddTdd:dd:dd";
    let fits = |(have, want): (&u8, &u8)| if *want == b'd' { have.is_ascii_digit() } else { have == want };
    let Some((b'Z', fraction)) = rest.split_last() else { return false };
    seconds.iter().zip(pattern).all(fits) && is_fraction(fraction)
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
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::foundation::random::Random;
    use crate::protocol::saml::fixtures::mutant;

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
    fn h11_no_mutant_of_a_time_does_harm() {
        let random = Random::sequence(11);
        for _ in 0..20_000 {
            let mutant = mutant(&random, b"2026-01-02T03:04:05.678Z");
            let read = std::str::from_utf8(&mutant).map_or(Err(NotATime), parse);
            assert!(read.is_err() || read.unwrap() > LAST || read == parse(&render(read.unwrap())));
        }
    }

    #[test]
    fn h11_what_is_written_is_read_back() {
        for millis in [0, 1, 999, 1_767_323_045_678, LAST.millis()] {
            let moment = Moment::from_millis(millis);
            assert_eq!(parse(&render(moment)), Ok(moment));
        }
        assert_eq!(render(Moment::from_millis(1_767_323_045_678)), "2026-01-02T03:04:05.678Z");
        assert_eq!(render(Moment::from_millis(-1)), "1970-01-01T00:00:00.000Z");
        assert_eq!(render(Moment::from_millis(i64::MAX)), "9999-12-30T22:00:00.000Z");
    }

    #[test]
    fn h11_the_calendar_is_the_one_that_everybody_has() {
        // Every day of 130 years, and some of the rest.
        for day in (0..47_500).chain((47_500..2_932_800).step_by(97)) {
            let moment = Moment::from_seconds(day * 86_400 + 43_199);
            assert_eq!(parse(&moment.rfc3339()), Ok(moment));
        }
    }
}
