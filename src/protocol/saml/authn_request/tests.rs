//! Stories of authentication requests: what we send can be read, and nothing else is.

use super::*;
use crate::protocol::saml::actors::{ACS, NOW, PROVIDER, SKEW, SP, STRANGER, cut, signed};
use crate::protocol::saml::names::{authn_context, name_id};

const SSO: &str = "https://idp.a.test/sso";

fn draft() -> Draft<'static> {
    Draft { id: "_q1", destination: SSO, issuer: SP, acs: ACS, ..Draft::default() }
}

fn full() -> Draft<'static> {
    Draft {
        provider_name: Some("Broker \"&\" Co"),
        force_authn: true,
        is_passive: true,
        name_id_policy: Some(NameIdPolicy { format: Some(name_id::PERSISTENT), allow_create: true }),
        requested: Some(Requested {
            classes: &[authn_context::PASSWORD, authn_context::REFEDS_MFA],
            comparison: Comparison::Minimum,
        }),
        subject: Some(Hint { value: "ann@a.test", format: Some(name_id::EMAIL_ADDRESS) }),
        scoping: Some(Scoping { proxy_count: Some(1), providers: &["https://idp.b.test"] }),
        ..draft()
    }
}

fn read_posted(xml: &str) -> Result<AuthnRequest, Refused> {
    let expected = Expected { issuer: SP, destination: SSO, now: NOW, skew: SKEW };
    let received = Received::Posted { xml: xml.as_bytes(), keys: &PROVIDER.keys };
    read(received, &expected).map(Verified::into_inner)
}

#[test]
fn a_plain_request_says_no_more_than_it_must() {
    let xml = draft().write(NOW).unwrap();
    assert_eq!(
        xml,
        format!(
            "<samlp:AuthnRequest xmlns:samlp=\"{}\" xmlns:saml=\"{}\" ID=\"_q1\" Version=\"2.0\" \
             IssueInstant=\"2026-01-01T00:00:00.000Z\" Destination=\"{SSO}\" ProtocolBinding=\"{}\" \
             AssertionConsumerServiceURL=\"{ACS}\"><saml:Issuer>{SP}</saml:Issuer></samlp:AuthnRequest>",
            names::PROTOCOL,
            names::ASSERTION,
            Binding::Post.uri()
        )
    );
}

#[test]
fn what_is_asked_for_is_read() {
    let xml = signed(&full().write(NOW).unwrap(), "_q1", &PROVIDER);
    let scoping = "<samlp:Scoping ProxyCount=\"1\"><samlp:IDPList><samlp:IDPEntry ProviderID=\"https://idp.b.test\"/>\
        </samlp:IDPList></samlp:Scoping>";
    assert!(xml.contains(scoping) && xml.contains("ProviderName=\"Broker &quot;&amp;&quot; Co\""), "{xml}");
    let request = read_posted(&xml).unwrap();
    let wanted = AuthnRequest {
        id: "_q1".to_owned(),
        issuer: SP.to_owned(),
        acs: Some(ACS.to_owned()),
        acs_index: None,
        protocol_binding: Some(Binding::Post.uri().to_owned()),
        force_authn: true,
        is_passive: true,
        name_id_format: Some(name_id::PERSISTENT.to_owned()),
        allow_create: true,
        classes: vec![authn_context::PASSWORD.to_owned(), authn_context::REFEDS_MFA.to_owned()],
        comparison: Comparison::Minimum,
        subject: Some("ann@a.test".to_owned()),
    };
    assert_eq!(request, wanted);
}

#[test]
fn what_no_key_of_the_application_signed_is_not_read() {
    let check = |xml: &str| read_posted(xml).unwrap_err().check;
    assert_eq!(check(&draft().write(NOW).unwrap()), Check::SignatureMissing);
    let by_stranger = signed(&draft().write(NOW).unwrap(), "_q1", &STRANGER);
    assert_eq!(check(&by_stranger), Check::SignatureInvalid);
    let sound = signed(&draft().write(NOW).unwrap(), "_q1", &PROVIDER);
    assert_eq!(check(&sound.replace(ACS, "https://evil.test/acs")), Check::Digest);
}

/// Three shapes by which a genuine request was wrapped and the attacker's ACS was read elsewhere.
#[test]
fn c04_a_wrapped_request_brings_no_other_acs() {
    let genuine = signed(&draft().write(NOW).unwrap(), "_q1", &PROVIDER);
    let signature = cut(&genuine, "<ds:Signature ", "</ds:Signature>").to_owned();
    let bare = genuine.replace(&signature, "");
    let evil = Draft { id: "_evil", acs: "https://evil.test/acs", ..draft() }.write(NOW).unwrap();
    let close = "</samlp:AuthnRequest>";
    let issuer = "</saml:Issuer>";
    let around = evil.replace(close, &format!("<samlp:Extensions>{genuine}</samlp:Extensions>{close}"));
    let sibling = evil
        .replace(issuer, &format!("{issuer}{signature}"))
        .replace(close, &format!("<samlp:Extensions>{bare}</samlp:Extensions>{close}"));
    let object =
        signature.replace("</ds:Signature>", &format!("<ds:Object>{bare}</ds:Object></ds:Signature>"));
    let object = evil.replace(issuer, &format!("{issuer}{object}"));
    let renamed = sibling
        .replace("<samlp:Extensions><samlp:AuthnRequest", "<samlp:Extensions><samlp:Other")
        .replace("</samlp:AuthnRequest></samlp:Extensions>", "</samlp:Other></samlp:Extensions>");
    for xml in [around, sibling, object, renamed] {
        assert!(read_posted(&xml).is_err(), "{xml}");
    }
}
