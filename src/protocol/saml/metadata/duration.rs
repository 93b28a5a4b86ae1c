//! `xs:duration`, as `cacheDuration` uses it.

use std::borrow::Cow;
use std::time::Duration;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
/// No cache is kept for longer than this, whatever a document says.
const MAX_SECONDS: u64 = 366 * DAY;

/// Reads `PnYnMnDTnHnMnS` (XML Schema Part 2, section 3.2.6); fractions of a second are left out, a month has 30 days and a year 365.
/// Negative and empty durations are none. At most a year.
pub fn parse(text: &str) -> Option<Duration> {
    let text = text.trim_ascii().strip_prefix('P')?;
    let (date, time) = match text.split_once('T') {
        Some((_, "")) => return None,
        Some((date, time)) => (date, time),
        None => (text, ""),
    };
    if date.is_empty() && time.is_empty() {
        return None;
    }
    let days = sum(date, &[('Y', 365 * DAY), ('M', 30 * DAY), ('D', DAY)])?;
    let time = whole_seconds(time)?;
    let seconds = days.saturating_add(sum(&time, &[('H', HOUR), ('M', MINUTE), ('S', 1)])?);
    Some(Duration::from_secs(seconds.min(MAX_SECONDS)))
}

/// `…1.500S` as `…1S`.
fn whole_seconds(time: &str) -> Option<Cow<'_, str>> {
    let Some((whole, rest)) = time.split_once('.') else { return Some(time.into()) };
    let fraction = rest.strip_suffix('S')?;
    let is_fraction = !fraction.is_empty() && fraction.bytes().all(|byte| byte.is_ascii_digit());
    is_fraction.then(|| format!("{whole}S").into())
}

/// Writes whole seconds.
pub fn write(duration: Duration) -> String {
    format!("PT{}S", duration.as_secs())
}

/// Numbers, each followed by a unit; the units in this order, each at most once.
fn sum(mut text: &str, units: &[(char, u64)]) -> Option<u64> {
    let mut total = 0u64;
    for (unit, seconds) in units {
        let Some((number, rest)) = text.split_once(*unit) else { continue };
        if number.is_empty() || number.len() > 9 || !number.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        total = total.saturating_add(number.parse::<u64>().ok()?.saturating_mul(*seconds));
        text = rest;
    }
    text.is_empty().then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read() {
        let seconds = |text| parse(text).map(|duration| duration.as_secs());
        assert_eq!(seconds("PT604800S"), Some(604_800));
        assert_eq!(seconds("P1DT2H3M4S"), Some(DAY + 2 * HOUR + 3 * MINUTE + 4));
        assert_eq!(seconds("P1M"), Some(30 * DAY));
        assert_eq!(seconds("P99999Y"), Some(MAX_SECONDS));
        assert_eq!(seconds("P0Y0M0DT12H0M0.000S"), Some(12 * HOUR));
        assert_eq!(seconds("PT1.5S"), Some(1));
        for bad in [
            "", "P", "PT", "P1", "-P1D", "P1DT", "PT1M2H", "P-1D", "PT1.S", "PT.5S", "PT1.5M", "PT1.5.5S",
            "P1S", "1D", "P٣D",
        ] {
            assert_eq!(seconds(bad), None, "{bad}");
        }
        assert_eq!(parse(&write(Duration::from_secs(90))), Some(Duration::from_secs(90)));
    }
}
