//! What providers send that looks odd and is legal, and what looks legal and is refused knowingly.

use super::*;

/// Signed after one replacement, which must bite.
fn changed(from: &str, to: &str) -> String {
    let change = |xml: String| {
        assert!(xml.contains(from), "{from}");
        xml.replacen(from, to, 1)
    };
    signed_after(change, true, true)
}

/// Put before the end of an element.
fn last_in(element: &str, what: &str) -> String {
    let end = format!("</{element}>");
    changed(&end, &format!("{what}{end}"))
}

const LOCALITY: &str = "<saml:SubjectLocality Address=\"192.0.2.1\" DNSName=\"x\"/>";
const AUTHORITY: &str = "<saml:AuthenticatingAuthority>https://c.test</saml:AuthenticatingAuthority>";

#[test]
fn what_is_legal_is_read_however_odd_it_is() {
    let class = "<saml:AuthnContextClassRef>";
    let declaration = "<saml:AuthnContextDeclRef>urn:x</saml:AuthnContextDeclRef>";
    let second_statement = "<saml:AuthnStatement AuthnInstant=\"2026-01-01T00:00:00.1234567Z\"><saml:AuthnContext/>\
                            </saml:AuthnStatement>";
    let nothing = "<saml:AttributeStatement/>";
    let decision = "<saml:AuthzDecisionStatement Resource=\"urn:x\" Decision=\"Permit\"><saml:Action \
                    Namespace=\"urn:x\">read</saml:Action></saml:AuthzDecisionStatement>";
    let vendor = "<saml:Attribute xmlns:a=\"http://schemas.xmlsoap.org/ws/2009/09/identity/claims\" Name=\"upn\" \
                  a:OriginalIssuer=\"x\"><saml:AttributeValue xmlns:tn=\"http://www.w3.org/2001/XMLSchema\" \
                  xmlns:b=\"http://www.w3.org/2001/XMLSchema-instance\" b:type=\"tn:string\">ann</saml:AttributeValue>\
                  </saml:Attribute>";
    let targeted = "<saml:Attribute Name=\"urn:oid:1.3.6.1.4.1.5923.1.1.1.10\"><saml:AttributeValue>\n  <saml:NameID \
                    Format=\"urn:oasis:names:tc:SAML:2.0:nameid-format:persistent\" NameQualifier=\"x\">opaque\
                    </saml:NameID>\n</saml:AttributeValue></saml:Attribute>";
    let extensions = "<samlp:Extensions><x:y xmlns:x=\"urn:x\">z</x:y></samlp:Extensions><samlp:Status>";
    let detail = "<samlp:StatusMessage>fine</samlp:StatusMessage><samlp:StatusDetail><x xmlns=\"urn:x\"/>\
                  </samlp:StatusDetail></samlp:Status>";
    let nested = "<samlp:StatusCode Value=\"urn:oasis:names:tc:SAML:2.0:status:Success\"><samlp:StatusCode \
                  Value=\"urn:x\"><samlp:StatusCode Value=\"urn:y\"/></samlp:StatusCode></samlp:StatusCode>";
    let success = "<samlp:StatusCode Value=\"urn:oasis:names:tc:SAML:2.0:status:Success\"/>";
    let padded = format!("<saml:Audience>\n  {SP}\n</saml:Audience>");
    for (from, to) in [
        ("<saml:AuthnContext>", &*format!("{LOCALITY}<saml:AuthnContext>")),
        ("</saml:AuthnContext>", &*format!("{AUTHORITY}{AUTHORITY}</saml:AuthnContext>")),
        (class, &*format!("{class}\n   ")),
        ("</saml:AuthnContextClassRef>", &*format!("</saml:AuthnContextClassRef>{declaration}")),
        ("</saml:Assertion>", &*format!("{second_statement}</saml:Assertion>")),
        ("</saml:Assertion>", &*format!("{nothing}</saml:Assertion>")),
        ("</saml:Assertion>", &*format!("{decision}</saml:Assertion>")),
        ("</saml:AttributeStatement>", &*format!("{vendor}{targeted}</saml:AttributeStatement>")),
        ("</saml:AttributeStatement>", "<saml:Attribute Name=\"\"/></saml:AttributeStatement>"),
        ("</saml:Conditions>", "<saml:OneTimeUse/><saml:ProxyRestriction Count=\"0\"/></saml:Conditions>"),
        (" Recipient=\"https:", " Recipient=\"&#x68;ttps&#58;"),
        ("<saml:NameID", "<saml:NameID xml:lang=\"en\" xml:space=\"preserve\""),
        (" NotOnOrAfter=", " Address=\"192.0.2.1\" NotOnOrAfter="),
        (
            "<saml:Conditions ",
            "<saml:Conditions xmlns:saml2=\"urn:oasis:names:tc:SAML:2.0:assertion\" xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\" ",
        ),
        (&*format!("<saml:Audience>{SP}</saml:Audience>"), padded.as_str()),
        ("<samlp:Status>", extensions),
        ("</samlp:Status>", detail),
        (success, nested),
        (" Version=\"2.0\"", " Version=\"2.0\" Consent=\"urn:oasis:names:tc:SAML:2.0:consent:obtained\""),
        ("<saml:Subject>", "\n\t<saml:Subject>\r\n  "),
    ] {
        let read = read(changed(from, to).as_bytes(), &expected());
        let read = read.unwrap_or_else(|refused| panic!("{to}: {refused}"));
        assert_eq!(name(read.get()), Some("ann@a.test"), "{to}");
        assert_eq!(read.get().authn_instant, NOW);
    }
}

#[test]
fn of_several_sessions_none_is_the_one() {
    let statement = |index: &str| {
        format!(
            "<saml:AuthnStatement AuthnInstant=\"2026-01-01T00:00:00Z\" SessionIndex=\"{index}\"><saml:AuthnContext/>\
             </saml:AuthnStatement>"
        )
    };
    for (index, expected) in [("_s1", Some("_s1")), ("_s2", None)] {
        let xml = last_in("saml:Assertion", &statement(index));
        let read = read(xml.as_bytes(), &super::expected()).unwrap().into_inner();
        assert_eq!(read.session_index.as_deref(), expected, "{index}");
    }
}

#[test]
fn of_several_pieces_each_says_what_it_says() {
    let targeted = "<saml:Attribute Name=\"id\" NameFormat=\"\" FriendlyName=\"\"><saml:AttributeValue><saml:NameID>one\
                    </saml:NameID></saml:AttributeValue><saml:AttributeValue>two</saml:AttributeValue></saml:Attribute>\
                    <saml:Attribute Name=\"\"><saml:AttributeValue>of nothing</saml:AttributeValue></saml:Attribute>";
    let read = read(last_in("saml:AttributeStatement", targeted).as_bytes(), &expected()).unwrap();
    let own = read.get().attributes.iter().find(|attribute| attribute.name == "id").unwrap();
    assert_eq!((&own.name_format, &own.friendly_name), (&None, &None));
    assert_eq!(own.values, ["one", "two"]);
    assert!(read.get().attributes.iter().all(|attribute| !attribute.name.is_empty()), "nothing has no name");
}

#[test]
fn what_would_have_to_be_guessed_is_refused() {
    let second = "<saml:EncryptedAssertion><x xmlns=\"urn:x\"/></saml:EncryptedAssertion>";
    let advice = "<saml:Advice><saml:AssertionIDRef>_x</saml:AssertionIDRef></saml:Advice>";
    let encrypted = "<saml:EncryptedAttribute/>";
    let named = "<saml:BaseID/><saml:NameID";
    let conditioned = |what: &str| last_in("saml:Conditions", what);
    let xsi = "xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"";
    for (xml, check) in [
        (last_in("samlp:Response", second), Check::Structure),
        (last_in("saml:Assertion", advice), Check::Structure),
        (last_in("saml:AttributeStatement", encrypted), Check::EncryptionUnsupported),
        (last_in("saml:AttributeStatement", &encrypted.repeat(2)), Check::EncryptionUnsupported),
        (changed("<saml:NameID", named), Check::Structure),
        (last_in("saml:SubjectConfirmation", "<saml:SubjectConfirmationData/>"), Check::Malformed),
        (changed("<saml:Conditions ", "<saml:Conditions/><saml:Conditions "), Check::Malformed),
        (
            conditioned(&format!("<saml:Condition {xsi} xsi:type=\"OneTimeUseType\"/>")),
            Check::ConditionUnknown,
        ),
        (conditioned("<OneTimeUse xmlns=\"urn:x\"/>"), Check::ConditionUnknown),
        (conditioned("for once"), Check::Malformed),
        (changed(" Recipient=", " xmlns:x=\"urn:x\" x:Recipient="), Check::Recipient),
        (changed("T00:05:00.000Z", "T00:05:60.000Z"), Check::ConfirmationExpired),
        (changed("T00:05:00.000Z", "T00:05:00.00000000000000000000Z"), Check::ConfirmationExpired),
        (
            changed("2026-01-01T00:05:00.000Z", "99999999999999999999-01-01T00:05:00Z"),
            Check::ConfirmationExpired,
        ),
        (
            changed("<saml:AudienceRestriction>", "<saml:AudienceRestriction/><saml:AudienceRestriction>"),
            Check::Audience,
        ),
        (changed(" AuthnInstant=", " x="), Check::AuthnInstant),
        (changed("T00:05:00.000Z", "T00:05:00.000+00:00"), Check::ConfirmationExpired),
    ] {
        assert_eq!(refused(&xml, &expected()), check, "{xml}");
    }
}
