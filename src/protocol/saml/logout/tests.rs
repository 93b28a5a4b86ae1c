//! Stories of logouts, asked for and answered, by both bindings.

use super::*;
use crate::protocol::saml::actors::{
    DECRYPTING, IDP, NOW, PROVIDER, SKEW, SP, STRANGER, cut, encrypt, seconds, signed,
};
use crate::protocol::saml::binding::{Carried, RedirectMessage, redirect_url};
use crate::protocol::saml::encryption::{self, Cipher};
use crate::protocol::saml::names::{name_id, status};
use crate::protocol::saml::signature::SignatureError;

const SLO: &str = "https://broker.test/saml/cA/slo";

fn expected() -> Expected<'static> {
    Expected { issuer: IDP, destination: SLO, now: NOW, skew: SKEW }
}

fn ann() -> NameId {
    NameId::new("ann@a.test", name_id::EMAIL_ADDRESS)
}

fn request_of(name_id: &NameId) -> RequestDraft<'_> {
    RequestDraft {
        id: "_l1",
        issuer: IDP,
        destination: SLO,
        name_id,
        session_indexes: &["_s1", "_s2"],
        not_on_or_after: Some(NOW.plus(seconds(60))),
    }
}

fn posted(xml: &str) -> Result<LogoutRequest, Refused> {
    let received = Received::Posted { xml: xml.as_bytes(), keys: &PROVIDER.keys };
    read_request(received, &expected(), &[]).map(Verified::into_inner).map_err(|unmet| unmet.why)
}

/// Signed after a change.
fn signed_after(change: impl Fn(String) -> String) -> String {
    signed(&change(request_of(&ann()).write(NOW).unwrap()), "_l1", &PROVIDER)
}

fn genuine() -> String {
    signed_after(|xml| xml)
}

fn check(xml: &str) -> Check {
    posted(xml).unwrap_err().check
}

#[test]
fn a_logout_is_asked_for_by_post() {
    let xml = genuine();
    let request = posted(&xml).unwrap();
    assert_eq!(request.id, "_l1");
    assert_eq!(request.name_id, ann());
    assert_eq!(request.session_indexes, ["_s1", "_s2"]);
    let stranger = Received::Posted { xml: xml.as_bytes(), keys: &STRANGER.keys };
    assert_eq!(read_request(stranger, &expected(), &[]).unwrap_err().why.check, Check::SignatureInvalid);
    assert_eq!(check(&request_of(&ann()).write(NOW).unwrap()), Check::SignatureMissing);
}

#[test]
fn a_logout_is_asked_for_by_redirect() {
    let xml = request_of(&ann()).write(NOW).unwrap();
    let url = redirect_url(SLO, Carried::Request, &xml, Some("state"), &PROVIDER.key).unwrap();
    let query = url.split_once('?').unwrap().1;
    let message = RedirectMessage::read(query, Carried::Request).unwrap();
    let verified = message.verified(&PROVIDER.keys).unwrap();
    let request = read_request(Received::Redirected(verified), &expected(), &[]).unwrap();
    assert_eq!(request.get().name_id.value, "ann@a.test");
    assert_eq!(message.verified(&STRANGER.keys).unwrap_err(), SignatureError::Signature);
    assert_eq!(message.verified(&[]).unwrap_err(), SignatureError::NoKeys);
    let unsigned = query.split_once("&SigAlg").unwrap().0;
    let unsigned = RedirectMessage::read(unsigned, Carried::Request).unwrap();
    assert_eq!(unsigned.verified(&PROVIDER.keys).unwrap_err(), SignatureError::Missing);
    // What was verified is read, whatever stands in the field beside it.
    let mut swapped = RedirectMessage::read(query, Carried::Request).unwrap();
    swapped.xml = b"<evil/>".to_vec();
    assert_eq!(swapped.verified(&PROVIDER.keys).unwrap().get(), xml.as_bytes());
}

#[test]
fn a_redirect_carries_no_signature_inside() {
    let xml = genuine();
    let url = redirect_url(SLO, Carried::Request, &xml, None, &PROVIDER.key).unwrap();
    let message = RedirectMessage::read(url.split_once('?').unwrap().1, Carried::Request).unwrap();
    let received = Received::Redirected(message.verified(&PROVIDER.keys).unwrap());
    assert_eq!(read_request(received, &expected(), &[]).unwrap_err().why.check, Check::Structure);
}

#[test]
fn a_logout_names_one_person_and_few_sessions() {
    let without_name = |xml: String| {
        let name = cut(&xml, "<saml:NameID", "</saml:NameID>").to_owned();
        xml.replace(&name, "")
    };
    assert_eq!(check(&signed_after(without_name)), Check::NameId);
    let index = "<samlp:SessionIndex>_s1</samlp:SessionIndex>";
    let many = |count: usize| signed_after(|xml| xml.replace(index, &index.repeat(count)));
    assert_eq!(posted(&many(63)).unwrap().session_indexes.len(), 64);
    assert_eq!(check(&many(64)), Check::SessionIndexes);
    assert!(posted(&signed_after(|xml| xml.replace(index, ""))).unwrap().session_indexes.len() == 1);
}

#[test]
fn an_encrypted_name_is_opened() {
    let plain = format!("<saml:NameID xmlns:saml=\"{}\">ann@a.test</saml:NameID>", names::ASSERTION);
    let to = encrypt(Cipher::Aes256Gcm);
    let data = encryption::encrypt(plain.as_bytes(), to.key, to.cipher, to.oaep, to.random).unwrap();
    let xml = signed_after(|xml| {
        let name = cut(&xml, "<saml:NameID", "</saml:NameID>").to_owned();
        xml.replace(&name, &format!("<saml:EncryptedID>{data}</saml:EncryptedID>"))
    });
    let received = || Received::Posted { xml: xml.as_bytes(), keys: &PROVIDER.keys };
    let request = read_request(received(), &expected(), &[&DECRYPTING]).unwrap();
    assert_eq!(request.get().name_id.value, "ann@a.test");
    assert_eq!(read_request(received(), &expected(), &[]).unwrap_err().why.check, Check::Undecryptable);
}

#[test]
fn a_logout_is_for_us_by_them_and_for_now() {
    let swap = |from: &'static str, to: &'static str| {
        signed_after(move |xml| {
            assert!(xml.contains(from), "{from}");
            xml.replacen(from, to, 1)
        })
    };
    let table = [
        (swap(SLO, "https://broker.test/saml/cB/slo"), Check::Destination),
        (swap(" Destination=\"https://broker.test/saml/cA/slo\"", ""), Check::Destination),
        (swap(IDP, SP), Check::Issuer),
        (
            swap("NotOnOrAfter=\"2026-01-01T00:01:00.000Z\"", "NotOnOrAfter=\"2025-12-31T23:59:00Z\""),
            Check::Expired,
        ),
        (
            swap("IssueInstant=\"2026-01-01T00:00:00.000Z\"", "IssueInstant=\"2025-12-31T23:49:00Z\""),
            Check::IssueInstant,
        ),
        (swap("2.0\"", "1.1\""), Check::Version),
    ];
    for (index, (xml, wanted)) in table.iter().enumerate() {
        assert_eq!(check(xml), *wanted, "{index}");
    }
}

#[test]
fn c04_a_wrapped_logout_ends_nobodys_session() {
    let genuine = genuine();
    let signature = cut(&genuine, "<ds:Signature ", "</ds:Signature>").to_owned();
    let evil_name = NameId::new("bob@b.test", name_id::EMAIL_ADDRESS);
    let evil = RequestDraft { id: "_evil", ..request_of(&evil_name) }.write(NOW).unwrap();
    let close = "</samlp:LogoutRequest>";
    let inside = evil.replace(close, &format!("<samlp:Extensions>{genuine}</samlp:Extensions>{close}"));
    let with_signature =
        evil.replace(close, &format!("{signature}{}{close}", genuine.replace(&signature, "")));
    let in_object = evil.replace(
        close,
        &format!(
            "{}{close}",
            signature.replace(
                "</ds:Signature>",
                &format!("<ds:Object>{}</ds:Object></ds:Signature>", genuine.replace(&signature, ""))
            )
        ),
    );
    let same_id =
        evil.replace("_evil", "_l1").replace("</saml:Issuer>", &format!("</saml:Issuer>{signature}"));
    for (xml, wanted) in [
        (inside, Check::Structure),
        (with_signature, Check::Structure),
        (in_object, Check::Structure),
        (same_id, Check::Digest),
    ] {
        assert_eq!(check(&xml), wanted);
    }
}

#[test]
fn an_answer_tells_how_it_went() {
    let answer = |status: &Status| {
        let draft = ResponseDraft { id: "_n1", issuer: IDP, destination: SLO, in_response_to: "_q1", status };
        signed(&draft.write(NOW).unwrap(), "_n1", &PROVIDER)
    };
    let read = |xml: &str, id: &str| {
        let received = Received::Posted { xml: xml.as_bytes(), keys: &PROVIDER.keys };
        read_response(received, &expected(), id).map(Verified::into_inner)
    };
    let success = answer(&Status::success());
    assert!(read(&success, "_q1").unwrap().is_complete());
    assert_eq!(claimed_in_response_to(success.as_bytes()).as_deref(), Some("_q1"));
    assert_eq!(read(&success, "_q2").unwrap_err().check, Check::InResponseTo);
    for partial in [
        Status::new(status::SUCCESS, Some(status::PARTIAL_LOGOUT)),
        Status::new(status::RESPONDER, Some(status::PARTIAL_LOGOUT)),
        Status::new(status::PARTIAL_LOGOUT, None),
    ] {
        let read = read(&answer(&partial), "_q1").unwrap();
        assert!(read.is_partial() && !read.is_complete());
    }
    let failed = read(&answer(&Status::new(status::REQUESTER, None)), "_q1").unwrap();
    assert!(!failed.is_complete() && !failed.is_partial());
}

#[test]
fn bindings_that_we_do_not_speak_are_named() {
    use message::unsupported;
    assert!(unsupported(["RelayState", "SAMLart"], false).unwrap().contains("HTTP-Artifact"));
    assert!(unsupported(["SAMLResponse", "SigAlg", "Signature"], true).unwrap().contains("SimpleSign"));
    assert_eq!(unsupported(["SAMLResponse", "SigAlg", "Signature"], false), None);
    assert_eq!(unsupported(["SAMLResponse", "RelayState"], true), None);
}
