//! What a well-signed response can still have wrong.

use super::*;
use crate::protocol::saml::names::status;

/// Signed after one replacement, which must bite.
fn changed(from: &str, to: &str) -> String {
    let change = |xml: String| {
        assert!(xml.contains(from), "{from}");
        xml.replacen(from, to, 1)
    };
    signed_after(change, true, true)
}

/// Signed after one element is gone.
fn without(from: &str, to: &str) -> String {
    let change = |xml: String| {
        let gone = cut(&xml, from, to).to_owned();
        xml.replacen(&gone, "", 1)
    };
    signed_after(change, true, true)
}

#[test]
fn h09_a_response_answers_our_request_at_both_places() {
    let attribute = format!(" InResponseTo=\"{REQUEST}\"");
    let on_response = changed(&attribute, "");
    assert_eq!(refused(&on_response, &expected()), Check::InResponseTo);
    let on_confirmation = signed_after(
        |xml| {
            let (before, after) = xml.rsplit_once(&attribute).unwrap();
            format!("{before}{after}")
        },
        true,
        true,
    );
    assert_eq!(refused(&on_confirmation, &expected()), Check::ConfirmationInResponseTo);
    let other = Expected { in_response_to: Answers::To("_other"), ..expected() };
    let sound = response(assertion()).write(&sign(true, true), None).unwrap();
    assert_eq!(refused(&sound, &other), Check::InResponseTo);
    let unsolicited = Expected { in_response_to: Answers::Unsolicited, ..expected() };
    assert_eq!(refused(&sound, &unsolicited), Check::InResponseTo);
}

#[test]
fn h09_an_unsolicited_response_answers_nothing_at_all() {
    let unsolicited = Expected { in_response_to: Answers::Unsolicited, ..expected() };
    let own = AssertionDraft { in_response_to: None, ..assertion() };
    let draft = Draft { in_response_to: None, ..response(own) };
    let xml = draft.write(&sign(true, false), None).unwrap();
    assert!(read(xml.as_bytes(), &unsolicited).is_ok());
    assert_eq!(refused(&xml, &expected()), Check::InResponseTo);
    // A stolen one whose outer, unsigned half was stripped.
    let stolen = response(assertion()).write(&sign(true, false), None).unwrap();
    let stripped = stolen.replacen(&format!(" InResponseTo=\"{REQUEST}\""), "", 1);
    assert_eq!(refused(&stripped, &unsolicited), Check::ConfirmationInResponseTo);
    // An empty one is none that could be asked for, and is told as what it is.
    let empty = xml.replacen(" Destination=", " InResponseTo=\"\" Destination=", 1);
    assert_eq!(claimed_in_response_to(empty.as_bytes()), None);
    let told = read(empty.as_bytes(), &unsolicited).unwrap_err();
    assert_eq!((told.check, told.found.as_str()), (Check::InResponseTo, "an empty one"));
}

#[test]
fn h10_audience_recipient_destination_and_issuers_are_ours() {
    let audience = |audiences| {
        let draft = AssertionDraft { audiences, ..assertion() };
        response(draft).write(&sign(true, true), None).unwrap()
    };
    let other = "https://broker.test/saml/cB";
    let issuer = format!("<saml:Issuer>{IDP}</saml:Issuer>");
    let last_issuer = |to: &'static str| {
        let change = |xml: String| {
            let (before, after) = xml.rsplit_once(&issuer).unwrap();
            format!("{before}{to}{after}")
        };
        signed_after(change, true, true)
    };
    let table = [
        (audience(&[&["https://broker.test/saml/cB"]]), Check::Audience),
        (audience(&[]), Check::Audience),
        (audience(&[&[SP], &["https://broker.test/saml/cB"]]), Check::Audience),
        (changed(&format!("Recipient=\"{ACS}\""), &format!("Recipient=\"{other}/acs\"")), Check::Recipient),
        (changed(&format!(" Recipient=\"{ACS}\""), ""), Check::Recipient),
        (changed(&format!(" Destination=\"{ACS}\""), ""), Check::Destination),
        (changed(&format!(" Destination=\"{ACS}\""), " Destination=\"\""), Check::Destination),
        (
            changed(&format!(" Destination=\"{ACS}\""), &format!(" Destination=\"{other}\"")),
            Check::Destination,
        ),
        (changed(&issuer, ""), Check::IssuerResponse),
        (changed(&issuer, "<saml:Issuer>https://idp.b.test</saml:Issuer>"), Check::IssuerResponse),
        (last_issuer(""), Check::IssuerAssertion),
        (last_issuer("<saml:Issuer>https://idp.b.test</saml:Issuer>"), Check::IssuerAssertion),
        (
            changed("<saml:Issuer>", &format!("<saml:Issuer Format=\"{}\">", name_id::PERSISTENT)),
            Check::IssuerResponse,
        ),
    ];
    for (index, (xml, check)) in table.iter().enumerate() {
        assert_eq!(refused(xml, &expected()), *check, "{index}");
    }
    // We among several, and in each of several restrictions.
    const AMONG: &[&[&str]] = &[&[SP, "https://c.test"]];
    const EACH: &[&[&str]] = &[&[SP], &["https://c.test", SP]];
    for audiences in [AMONG, EACH] {
        let draft = AssertionDraft { audiences, one_time_use: true, ..assertion() };
        let xml = response(draft).write(&sign(true, true), None).unwrap();
        assert!(read(xml.as_bytes(), &expected()).is_ok());
    }
}

#[test]
fn h10_exactly_one_bearer_confirmation_counts() {
    let confirmation = cut(
        &response(assertion()).write(&sign(false, false), None).unwrap(),
        "<saml:SubjectConfirmation ",
        "</saml:SubjectConfirmation>",
    )
    .to_owned();
    let key_holder = confirmation.replace("cm:bearer", "cm:holder-of-key");
    assert_eq!(refused(&changed(&confirmation, &key_holder), &expected()), Check::Confirmation);
    assert_eq!(refused(&changed(&confirmation, &confirmation.repeat(2)), &expected()), Check::Confirmation);
    assert_eq!(refused(&changed(&confirmation, ""), &expected()), Check::Confirmation);
    // Of several recipients we are one, and once.
    let other = confirmation.replace(ACS, "https://c.test/acs");
    for several in [format!("{other}{confirmation}"), format!("{confirmation}{other}{other}")] {
        assert!(read(changed(&confirmation, &several).as_bytes(), &expected()).is_ok());
    }
    let late = confirmation.replace("T00:05:00", "T00:00:00").replace("2026-", "2025-");
    for (several, check) in [
        (format!("{other}{other}"), Check::Confirmation),
        (format!("{other}{confirmation}{confirmation}"), Check::Confirmation),
        // What holds for others says nothing of us.
        (format!("{other}{late}"), Check::ConfirmationExpired),
        (other, Check::Recipient),
    ] {
        assert_eq!(refused(&changed(&confirmation, &several), &expected()), check, "{several}");
    }
    let delegate = confirmation.replace(
        "<saml:SubjectConfirmationData",
        "<saml:NameID>bob@b.test</saml:NameID><saml:SubjectConfirmationData",
    );
    assert_eq!(refused(&changed(&confirmation, &delegate), &expected()), Check::Structure);
    let both = format!("{key_holder}{confirmation}");
    assert!(read(changed(&confirmation, &both).as_bytes(), &expected()).is_ok());
    let addressed = confirmation
        .replace("<saml:SubjectConfirmationData", "<saml:SubjectConfirmationData Address=\"192.0.2.1\"");
    assert!(read(changed(&confirmation, &addressed).as_bytes(), &expected()).is_ok());
}

#[test]
fn everything_that_must_be_there_is_missed() {
    let data = "<saml:SubjectConfirmationData ";
    let early = format!("{data}NotBefore=\"2026-01-01T00:00:00Z\" ");
    let table = [
        (without("<saml:Subject>", "</saml:Subject>"), Check::Subject),
        (changed(">ann@a.test</saml:NameID>", "></saml:NameID>"), Check::NameId),
        (changed(">ann@a.test</saml:NameID>", "> ann@a.test</saml:NameID>"), Check::NameId),
        (changed("ann@a.test</saml:NameID>", &format!("{}</saml:NameID>", "a".repeat(257))), Check::NameId),
        (changed("</saml:NameID>", "</saml:NameID><saml:NameID>bob@b.test</saml:NameID>"), Check::Malformed),
        (changed("ann@a.test</saml:NameID>", "ann@<i/>a.test</saml:NameID>"), Check::Malformed),
        (without("<saml:Conditions", "</saml:Conditions>"), Check::Conditions),
        (changed("</saml:Conditions>", "<saml:Condition/></saml:Conditions>"), Check::ConditionUnknown),
        (without("<saml:AuthnStatement", "</saml:AuthnStatement>"), Check::AuthnStatement),
        (without("<saml:AuthnContext>", "</saml:AuthnContext>"), Check::AuthnStatement),
        (changed(data, &early), Check::ConfirmationNotBefore),
        (changed("Version=\"2.0\"", "Version=\"1.1\""), Check::Version),
        (without("<samlp:Status>", "</samlp:Status>"), Check::Malformed),
        (changed("</saml:Assertion>", "<saml:Statement/></saml:Assertion>"), Check::Structure),
        (changed("</saml:Assertion>", "text</saml:Assertion>"), Check::Malformed),
    ];
    for (index, (xml, check)) in table.iter().enumerate() {
        assert_eq!(refused(xml, &expected()), *check, "{index}");
    }
    // A name may be left out: whether an attribute names them instead is not decided here.
    let nameless = read(without("<saml:NameID", "</saml:NameID>").as_bytes(), &expected()).unwrap();
    assert_eq!(nameless.get().name_id, None);
    let spaced = read(changed(">ann@a.test</saml:NameID>", "> ann </saml:NameID>").as_bytes(), &expected());
    assert_eq!(spaced.unwrap_err().found, "[5 characters]");
    let first_end = " NotOnOrAfter=\"2026-01-01T00:05:00.000Z\"";
    assert_eq!(refused(&changed(first_end, ""), &expected()), Check::ConfirmationExpired);
}

#[test]
fn a_failure_of_the_provider_is_told_truthfully() {
    let failed = |status| Draft { status, assertion: None, ..response(assertion()) };
    let no_passive = Status {
        message: Some("not signed in\u{1f}".replace('\u{1f}', "\n")),
        ..Status::new(status::RESPONDER, Some(status::NO_PASSIVE))
    };
    for signed in [false, true] {
        let xml = failed(no_passive.clone()).write(&sign(false, signed), None).unwrap();
        let refused = read(xml.as_bytes(), &expected()).unwrap_err();
        assert_eq!(refused.check, if signed { Check::Status } else { Check::StatusUnsigned });
        assert_eq!(
            (refused.expected.as_str(), refused.found.as_str()),
            ("Success", "Responder/NoPassive (not signed in)")
        );
        assert!(refused.is_no_passive());
    }
    let denied = Status::new("urn:x:denied", Some(status::REQUEST_DENIED));
    let xml = failed(denied).write(&sign(false, true), None).unwrap();
    let refused_for = read(xml.as_bytes(), &expected()).unwrap_err();
    assert_eq!(refused_for.found, "urn:x:denied/RequestDenied");
    assert!(!refused_for.is_no_passive());
    // A failure never brings somebody in, and a success does not without an assertion.
    let failed = Draft { status: no_passive, ..response(assertion()) };
    assert_eq!(refused(&failed.write(&sign(true, true), None).unwrap(), &expected()), Check::Status);
    let empty = Draft { assertion: None, ..response(assertion()) };
    assert_eq!(refused(&empty.write(&sign(false, true), None).unwrap(), &expected()), Check::Structure);
}

#[test]
fn the_first_statement_of_authentication_counts_the_earliest_end_and_no_one_of_several_indexes() {
    let second = "<saml:AuthnStatement AuthnInstant=\"2025-12-31T23:00:00Z\" SessionIndex=\"_s2\" \
        SessionNotOnOrAfter=\"2026-01-01T00:10:00Z\"><saml:AuthnContext/></saml:AuthnStatement></saml:Assertion>";
    let xml = changed("</saml:Assertion>", second);
    let read = read(xml.as_bytes(), &expected()).unwrap().into_inner();
    assert_eq!((read.authn_instant, read.session_index), (NOW, None));
    assert_eq!(read.session_not_on_or_after, Some(NOW.plus(seconds(600))));
}
