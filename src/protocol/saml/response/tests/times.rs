//! H11: the boundaries of every time, exact to the millisecond.

use super::*;
use crate::protocol::saml::time;

/// A moment this many milliseconds from now.
fn at(millis: i64) -> Moment {
    Moment::from_millis(NOW.millis() + millis)
}

fn verdict(draft: AssertionDraft<'static>) -> Option<Check> {
    let xml = response(draft).write(&sign(true, false), None).unwrap();
    read(xml.as_bytes(), &expected()).err().map(|refused| refused.check)
}

const SECONDS: [i64; 13] = [-121, -120, -119, -61, -60, -59, 0, 59, 60, 61, 119, 120, 121];

#[test]
fn h11_not_before_may_lie_ahead_by_the_skew() {
    for seconds in SECONDS {
        let is_refused = seconds > 60;
        let draft = AssertionDraft { not_before: Some(at(seconds * 1000)), ..assertion() };
        assert_eq!(verdict(draft), is_refused.then_some(Check::NotYetValid), "{seconds}");
        let draft = AssertionDraft { authn_instant: at(seconds * 1000), ..assertion() };
        assert_eq!(verdict(draft), is_refused.then_some(Check::AuthnInstant), "{seconds}");
        let draft = AssertionDraft { issued: at(seconds * 1000), ..assertion() };
        assert_eq!(verdict(draft), is_refused.then_some(Check::IssueInstant), "{seconds}");
    }
    let draft = AssertionDraft { not_before: Some(at(60_001)), ..assertion() };
    assert_eq!(verdict(draft), Some(Check::NotYetValid));
}

#[test]
fn h11_what_is_over_is_taken_for_as_long_as_the_skew() {
    for seconds in SECONDS {
        let is_refused = seconds <= -60;
        let end = at(seconds * 1000);
        let draft = AssertionDraft { not_on_or_after: Some(end), ..assertion() };
        assert_eq!(verdict(draft), is_refused.then_some(Check::Expired), "{seconds}");
        let draft = AssertionDraft { confirmed_until: end, ..assertion() };
        assert_eq!(verdict(draft), is_refused.then_some(Check::ConfirmationExpired), "{seconds}");
        let draft = AssertionDraft { session_not_on_or_after: Some(end), ..assertion() };
        assert_eq!(verdict(draft), is_refused.then_some(Check::SessionExpired), "{seconds}");
    }
    let draft = AssertionDraft { not_on_or_after: Some(at(-59_999)), ..assertion() };
    assert_eq!(verdict(draft), None);
}

#[test]
fn h11_a_response_is_fresh() {
    for (millis, is_refused) in
        [(60_001, true), (60_000, false), (-600_000, false), (-659_999, false), (-660_000, true)]
    {
        let draft = Draft { issued: at(millis), ..response(assertion()) };
        let xml = draft.write(&sign(true, true), None).unwrap();
        let check = read(xml.as_bytes(), &expected()).err().map(|refused| refused.check);
        assert_eq!(check, is_refused.then_some(Check::IssueInstant), "{millis}");
    }
}

#[test]
fn h11_no_connection_gets_more_skew_than_two_minutes() {
    let draft = AssertionDraft { not_before: Some(at(120_001)), ..assertion() };
    let xml = response(draft).write(&sign(true, false), None).unwrap();
    assert_eq!(refused(&xml, &Expected { skew: seconds(100_000), ..expected() }), Check::NotYetValid);
    let draft = AssertionDraft { not_before: Some(at(120_000)), ..assertion() };
    let xml = response(draft).write(&sign(true, false), None).unwrap();
    assert!(read(xml.as_bytes(), &Expected { skew: seconds(100_000), ..expected() }).is_ok());
}

#[test]
fn h11_odd_times_have_a_verdict() {
    let until = time::render(NOW.plus(seconds(300)));
    let with = |end: &str| {
        let replaced = format!("NotOnOrAfter=\"{end}\"");
        signed_after(|xml| xml.replacen(&format!("NotOnOrAfter=\"{until}\""), &replaced, 1), true, false)
    };
    assert!(read(with("9999-12-01T00:00:00Z").as_bytes(), &expected()).is_ok());
    assert!(read(with("2026-01-01T00:00:00.5Z").as_bytes(), &expected()).is_ok());
    for odd in ["-0001-01-01T00:00:00Z", "2026-12-31T23:59:60Z", "2026-01-01T01:00:00+01:00", "tomorrow", ""]
    {
        assert_eq!(refused(&with(odd), &expected()), Check::ConfirmationExpired, "{odd}");
    }
}

#[test]
fn an_id_is_remembered_for_a_bounded_time() {
    let forever = time::parse("9999-12-01T00:00:00Z").unwrap();
    let draft = AssertionDraft { confirmed_until: forever, not_on_or_after: Some(forever), ..assertion() };
    let xml = response(draft).write(&sign(true, false), None).unwrap();
    let read = read(xml.as_bytes(), &expected()).unwrap();
    assert_eq!(read.get().not_on_or_after, NOW.plus(message::MAX_AGE).plus(message::MAX_SKEW));
}
