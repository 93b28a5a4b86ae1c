//! What the verifier refuses. Each forged signature is made with the right key over what it says, so that nothing
//! but the rule that it breaks stands in its way.

use std::sync::LazyLock;

use super::*;
use crate::protocol::saml::base64;
use crate::protocol::saml::keys::{KeyKind, SigningKey, VerifyingKey, self_signed};
use crate::protocol::saml::refused::{Check, MAX_SHOWN, Refused};
use crate::protocol::saml::xml::{Document, Limits, canonical};

static RSA: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::generate(KeyKind::Rsa2048).unwrap());
static P256: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::generate(KeyKind::P256).unwrap());
static P384: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::generate(KeyKind::P384).unwrap());

const SAML: &str = "xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\"";
const SAMLP: &str = "xmlns:samlp=\"urn:oasis:names:tc:SAML:2.0:protocol\"";

fn assertion(id: &str, signature: &str, name: &str) -> String {
    format!(
        "<saml:Assertion {SAML} ID=\"{id}\"><saml:Issuer>https://idp.a.test</saml:Issuer>{signature}\
         <saml:Subject><saml:NameID>{name}</saml:NameID></saml:Subject></saml:Assertion>"
    )
}

fn response(id: &str, signature: &str, content: &str) -> String {
    format!(
        "<samlp:Response {SAMLP} ID=\"{id}\"><saml:Issuer {SAML}>https://idp.a.test</saml:Issuer>{signature}\
         {content}</samlp:Response>"
    )
}

/// A signature that says what it likes, and is made by `key` nonetheless.
#[derive(Clone)]
struct Forged<'k> {
    key: &'k SigningKey,
    signed_info: String,
    canonicalization: String,
    method: String,
    uri: String,
    transforms: String,
    digest_method: String,
    digest: Option<String>,
    /// Within Reference, SignedInfo and Signature, after what belongs there.
    in_reference: String,
    in_signed_info: String,
    in_signature: String,
    value: Option<fn(String) -> String>,
}

fn method(name: &str, uri: &str) -> String {
    format!("<ds:{name} Algorithm=\"{uri}\"/>")
}

fn transforms(uris: &[&str]) -> String {
    format!(
        "<ds:Transforms>{}</ds:Transforms>",
        uris.iter().map(|uri| method("Transform", uri)).collect::<String>()
    )
}

impl Forged<'static> {
    fn honest() -> Self {
        Self {
            key: &P256,
            signed_info: "<ds:SignedInfo>".to_owned(),
            canonicalization: method("CanonicalizationMethod", EXCLUSIVE),
            method: method("SignatureMethod", SignatureMethod::EcdsaSha256.uri()),
            uri: "#a1".to_owned(),
            transforms: transforms(&[ENVELOPED, EXCLUSIVE]),
            digest_method: method("DigestMethod", DigestMethod::Sha256.uri()),
            digest: None,
            in_reference: String::new(),
            in_signed_info: String::new(),
            in_signature: String::new(),
            value: None,
        }
    }

    fn signature(&self, digest: &str, value: &str) -> String {
        let Self { signed_info, canonicalization, method, uri, transforms, digest_method, .. } = self;
        let Self { in_reference, in_signed_info, in_signature, .. } = self;
        format!(
            "<ds:Signature xmlns:ds=\"{DS}\">{signed_info}{canonicalization}{method}<ds:Reference URI=\"{uri}\">\
             {transforms}{digest_method}<ds:DigestValue>{digest}</ds:DigestValue>{in_reference}</ds:Reference>\
             {in_signed_info}</ds:SignedInfo><ds:SignatureValue>{value}</ds:SignatureValue>{in_signature}</ds:Signature>"
        )
    }

    /// The assertion `a1` of ann, with this signature.
    fn assertion(&self) -> String {
        let plain = assertion("a1", "", "ann@a.test");
        let bytes = canonical_of(&plain, &|element| element.attr("ID") == Some("a1"));
        let digest = base64::encode(DigestMethod::Sha256.digest(&bytes).as_ref());
        let digest = self.digest.clone().unwrap_or(digest);
        let unsigned = assertion("a1", &self.signature(&digest, "AAAA"), "ann@a.test");
        let bytes = canonical_of(&unsigned, &|element| element.is(DS, "SignedInfo"));
        let value = base64::encode(&self.key.sign(self.key.method(), &bytes).unwrap());
        let value = self.value.map_or(value.clone(), |change| change(value));
        assertion("a1", &self.signature(&digest, &value), "ann@a.test")
    }
}

fn canonical_of(text: &str, is: &dyn Fn(&super::super::xml::Element<'_>) -> bool) -> Vec<u8> {
    let document = Document::parse(text.as_bytes(), &Limits::METADATA).unwrap();
    let element = document.root().descendants().find(|element| is(element)).unwrap();
    canonical(element, &[], None).unwrap()
}

fn keys(keys: &[&SigningKey]) -> Vec<VerifyingKey> {
    keys.iter().map(|key| key.verifying_key().clone()).collect()
}

/// Asks for the root; comments are let in, to show that the verifier needs no help against them.
fn verify_by(text: &str, keys: &[VerifyingKey]) -> Result<Verified<Vec<u8>>, SignatureError> {
    let document =
        Document::parse(text.as_bytes(), &Limits::METADATA).unwrap_or_else(|error| panic!("{error}: {text}"));
    verify_enveloped(document.root(), keys)
}

fn verify(text: &str) -> Result<Verified<Vec<u8>>, SignatureError> {
    verify_by(text, &keys(&[&P256]))
}

#[track_caller]
fn refused(text: &str, by: SignatureError) {
    let error = verify(text).unwrap_err();
    assert_eq!(std::mem::discriminant(&error), std::mem::discriminant(&by), "{error}: {text}");
}

fn form() -> SignatureError {
    SignatureError::Form(super::super::xml::Malformed { rule: "", what: String::new(), at: 0 })
}

/// All that an incautious caller could get out of a message.
fn everything_verified(text: &str) -> Vec<Vec<u8>> {
    let keys = keys(&[&P256]);
    let Ok(document) = Document::parse(text.as_bytes(), &Limits::MESSAGE) else { return Vec::new() };
    let verified = document.root().descendants().filter_map(|element| verify_enveloped(element, &keys).ok());
    verified.map(Verified::into_inner).collect()
}

#[test]
fn what_was_signed_comes_back_without_its_signature() {
    let bytes = verify(&Forged::honest().assertion()).unwrap();
    assert_eq!(String::from_utf8(bytes.into_inner()).unwrap(), assertion("a1", "", "ann@a.test"));
}

#[test]
fn every_kind_of_key_and_message_is_signed_and_verified() {
    let messages = [
        assertion("x_1", "", "ann@a.test"),
        response("x_1", "", &assertion("a1", "", "ann@a.test")),
        format!("<samlp:AuthnRequest {SAMLP} ID=\"x_1\"> <saml:Issuer {SAML}/> </samlp:AuthnRequest>"),
        "<EntityDescriptor xmlns=\"urn:oasis:names:tc:SAML:2.0:metadata\" ID=\"x_1\" x=\"&#9;\">\u{e9}</EntityDescriptor>".to_owned(),
        format!("<?xml version=\"1.0\"?>\r\n<samlp:LogoutRequest {SAMLP} ID=\"x_1\">\r\n<a xmlns='urn:x:y'/></samlp:LogoutRequest>"),
    ];
    for key in [&*RSA, &*P256, &*P384] {
        for message in &messages {
            let signed = sign_enveloped(message, "x_1", key, None).unwrap();
            let bytes = verify_by(&signed, &keys(&[key])).unwrap();
            assert_eq!(bytes.get(), &canonical_of(message, &|element| element.attr("ID") == Some("x_1")));
        }
    }
}

#[test]
fn an_assertion_and_then_its_response_are_signed_each_after_its_issuer() {
    let from = crate::foundation::clock::Moment::from_millis(0);
    let until = crate::foundation::clock::Moment::from_millis(86_400_000);
    let certificate = self_signed(&*RSA, "idp.a.test", from, until, &[1]).unwrap();
    let plain = response("r1", "", &assertion("a1", "", "ann@a.test"));
    let inner = sign_enveloped(&plain, "a1", &RSA, Some(&certificate)).unwrap();
    let both = sign_enveloped(&inner, "r1", &RSA, Some(&certificate)).unwrap();
    assert_eq!(both.matches("</saml:Issuer><ds:Signature ").count(), 2);
    assert_eq!(both.matches(&base64::encode(certificate.der())).count(), 2);
    let document = Document::parse(both.as_bytes(), &Limits::MESSAGE).unwrap();
    let keys = keys(&[&RSA]);
    for element in [document.root(), document.root().children().nth(2).unwrap()] {
        verify_enveloped(element, &keys).unwrap();
    }
    assert_eq!(sign_enveloped(&both, "a1", &RSA, None), Err(SignatureError::Signed));
    assert_eq!(sign_enveloped(&plain, "r2", &RSA, None), Err(SignatureError::Place));
    assert_eq!(sign_enveloped("<a ID='r1'/>", "r1", &RSA, None), Err(SignatureError::Place));
    assert_eq!(sign_enveloped("<a ID='r 1'>b</a>", "r 1", &RSA, None), Err(SignatureError::NoId));
    assert_eq!(
        sign_enveloped("<a ID='r1'><b id='r1'/></a>", "r1", &RSA, None),
        Err(SignatureError::AmbiguousId)
    );
    assert!(sign_enveloped("<a ID='r1'>", "r1", &RSA, None).is_err());
}

#[test]
fn c05_without_a_key_or_a_signature_nothing_is_verified() {
    let signed = Forged::honest().assertion();
    assert_eq!(verify_by(&signed, &[]).unwrap_err(), SignatureError::NoKeys);
    refused(&assertion("a1", "", "ann@a.test"), SignatureError::Missing);
    let elsewhere = signed
        .replace("<saml:Subject>", "<saml:Subject><x>")
        .replace("</saml:Subject>", "</x></saml:Subject>");
    refused(&elsewhere, SignatureError::Digest);
    for kind in [&*P384, &SigningKey::generate(KeyKind::P256).unwrap()] {
        assert_eq!(verify_by(&signed, &keys(&[kind])).unwrap_err(), SignatureError::Signature);
    }
    // Whoever looks for a wrong certificate is told that no such key could have made it.
    let told = Refused::from(verify_by(&signed, &keys(&[&RSA, &RSA])).unwrap_err());
    assert_eq!(told.check, Check::SignatureInvalid);
    assert_eq!(told.found, "a signature by ecdsa-sha256, by which no key signs that is RSA 2048");
    assert!(
        verify_by(&signed, &keys(&[&RSA, &P384, &P256])).is_ok(),
        "the new key of several counts as well"
    );
}

#[test]
fn c05_an_empty_or_changed_value_is_no_signature() {
    let honest = Forged::honest();
    for change in [
        |_| String::new(),
        |_| " ".to_owned(),
        |value: String| value.replace('=', ""),
        |value: String| format!("{value}="),
        |value: String| format!("-{}", &value[1..]),
        |value: String| format!("{}<!---->{}", &value[..9], &value[9..]),
        |value: String| format!("{}<x/>{}", &value[..9], &value[9..]),
        |value: String| format!("<![CDATA[{value}]]><!---->"),
        |value: String| format!("{}\u{a0}{}", &value[..9], &value[9..]),
    ] as [fn(String) -> String; 9]
    {
        refused(&Forged { value: Some(change), ..honest.clone() }.assertion(), SignatureError::Base64);
    }
    let zeroes: fn(String) -> String = |_| base64::encode(&[0; 64]);
    refused(&Forged { value: Some(zeroes), ..honest.clone() }.assertion(), SignatureError::Signature);
    let broken: fn(String) -> String = |value| format!("\r\n\t{}&#13;\n {}", &value[..9], &value[9..]);
    assert!(verify(&Forged { value: Some(broken), ..honest }.assertion()).is_ok());
}

#[test]
fn c07_c08_a_digest_value_is_one_text_and_not_of_nothing() {
    let honest = Forged::honest();
    let right =
        base64::encode(DigestMethod::Sha256.digest(assertion("a1", "", "ann@a.test").as_bytes()).as_ref());
    assert!(verify(&Forged { digest: Some(format!("\n {right}\n")), ..honest.clone() }.assertion()).is_ok());
    let of_nothing = base64::encode(DigestMethod::Sha256.digest(b"").as_ref());
    refused(&Forged { digest: Some(of_nothing), ..honest.clone() }.assertion(), SignatureError::Digest);
    let short = base64::encode(&[0; 31]);
    refused(&Forged { digest: Some(short), ..honest.clone() }.assertion(), SignatureError::Digest);
    for digest in [
        String::new(),
        format!("{right}<!---->"),
        format!("<!--x-->{right}"),
        format!("{}<!---->{}", &right[..9], &right[9..]),
        format!("{right}<x>{right}</x>"),
        format!("{}*", &right[..43]),
    ] {
        refused(&Forged { digest: Some(digest), ..honest.clone() }.assertion(), SignatureError::Base64);
    }
}

#[test]
fn c07_a_comment_changes_nothing_that_is_read() {
    let signed = Forged::honest().assertion().replace("ann@a.test", "ann@a.test<!-- -->");
    let bytes = verify(&signed).unwrap().into_inner();
    assert_eq!(String::from_utf8(bytes).unwrap(), assertion("a1", "", "ann@a.test"));
    assert!(everything_verified(&signed).is_empty(), "and a message with one is not even parsed");
}

#[test]
fn c04_the_one_reference_is_to_the_parent_by_its_id() {
    for uri in [
        "",
        "#",
        "a1",
        "#a2",
        "#A1",
        "#a1 ",
        " #a1",
        "##a1",
        "#xpointer(/)",
        "#xpointer(id('a1'))",
        "#a%31",
        "https://idp.a.test#a1",
        "cid:a1",
    ] {
        refused(
            &Forged { uri: uri.to_owned(), ..Forged::honest() }.assertion(),
            SignatureError::Reference(String::new()),
        );
    }
    let without = Forged::honest().assertion().replace(" URI=\"#a1\"", "");
    refused(&without, SignatureError::Reference(String::new()));
    let hidden = Forged::honest().assertion().replace(" URI=\"", " xmlns:x=\"urn:x:y\" x:URI=\"");
    refused(&hidden, form());
    let reference = "<ds:Reference URI=\"#a2\"><ds:DigestMethod Algorithm=\"x\"/></ds:Reference>".to_owned();
    refused(&Forged { in_signed_info: reference.clone(), ..Forged::honest() }.assertion(), form());
    refused(&Forged { in_reference: reference, ..Forged::honest() }.assertion(), form());
}

#[test]
fn c04_ids_are_plain_unique_and_in_no_namespace() {
    let signed = Forged::honest().assertion();
    let with = |attribute: &str| {
        signed.replace("<saml:Subject>", &format!("<saml:Subject xmlns:x=\"urn:x:y\" {attribute}>"))
    };
    for attribute in [
        "ID=\"a1\"",
        "Id=\"a1\"",
        "id=\"a1\"",
        "iD=\"a1\"",
        "AssertionID=\"a1\"",
        "x:ID=\"b1\"",
        "x:id=\"a1\"",
        "ID=\"b1\" Id=\"b1\"",
        "saml:AssertionID=\"b1\"",
    ] {
        refused(&with(attribute), SignatureError::AmbiguousId);
        let beside = format!("<r><x {} xmlns:x=\"urn:x:y\" xmlns:saml=\"urn:x:z\"/>{signed}</r>", attribute);
        assert!(everything_verified(&beside).is_empty(), "{attribute}");
    }
    refused(&with("ID=\"b1\""), SignatureError::Digest);
    refused(&signed.replace(" ID=\"a1\"", ""), SignatureError::NoId);
    refused(&signed.replace(" ID=\"a1\"", " ID=\"\""), SignatureError::NoId);
    refused(&signed.replace(" ID=\"a1\"", " Id=\"a1\""), SignatureError::NoId);
    refused(&signed.replace(" ID=\"a1\"", " saml:ID=\"a1\""), SignatureError::NoId);
    refused(
        &signed.replace("ID=\"a1\"", "ID=\"xpointer(/)\"").replace("#a1", "#xpointer(/)"),
        SignatureError::NoId,
    );
}

#[test]
fn c04_the_transforms_are_the_two_and_no_other() {
    let inclusive = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315";
    let with_comments = "http://www.w3.org/2001/10/xml-exc-c14n#WithComments";
    let xpath = "http://www.w3.org/TR/1999/REC-xpath-19991116";
    let xslt = "http://www.w3.org/TR/1999/REC-xslt-19991116";
    for uris in [
        &[][..],
        &[ENVELOPED],
        &[EXCLUSIVE],
        &[EXCLUSIVE, ENVELOPED],
        &[ENVELOPED, ENVELOPED],
        &[EXCLUSIVE, EXCLUSIVE],
        &[ENVELOPED, EXCLUSIVE, EXCLUSIVE],
        &[ENVELOPED, xpath, EXCLUSIVE],
        &[ENVELOPED, inclusive],
        &[ENVELOPED, with_comments],
        &[xslt, EXCLUSIVE],
        &[ENVELOPED, ""],
    ] {
        refused(
            &Forged { transforms: transforms(uris), ..Forged::honest() }.assertion(),
            SignatureError::Transforms(String::new()),
        );
    }
    refused(&Forged { transforms: String::new(), ..Forged::honest() }.assertion(), form());
    for uri in [inclusive, with_comments, "", "http://www.w3.org/2006/12/xml-c14n11"] {
        let canonicalization = method("CanonicalizationMethod", uri);
        refused(
            &Forged { canonicalization, ..Forged::honest() }.assertion(),
            SignatureError::Transforms(String::new()),
        );
    }
    let inside = |content: &str| {
        let second = format!("<ds:Transform Algorithm=\"{EXCLUSIVE}\">{content}</ds:Transform>");
        transforms(&[ENVELOPED]).replace("</ds:Transforms>", &format!("{second}</ds:Transforms>"))
    };
    let many = format!("<i:InclusiveNamespaces xmlns:i=\"{EXCLUSIVE}\" PrefixList=\"{}\"/>", "p ".repeat(17));
    for content in ["<ds:XPath>/</ds:XPath>", "<InclusiveNamespaces PrefixList=\"a\"/>", many.as_str()] {
        refused(
            &Forged { transforms: inside(content), ..Forged::honest() }.assertion(),
            SignatureError::Transforms(String::new()),
        );
    }
    let list =
        format!("<i:InclusiveNamespaces xmlns:i=\"{EXCLUSIVE}\" PrefixList=\" saml\tnone #default \"/>");
    assert!(verify(&Forged { transforms: inside(&list), ..Forged::honest() }.assertion()).is_ok());
    let extra =
        transforms(&[ENVELOPED, EXCLUSIVE]).replacen("/>", "><ds:XPath>/</ds:XPath></ds:Transform>", 1);
    refused(&Forged { transforms: extra, ..Forged::honest() }.assertion(), form());
}

#[test]
fn c04_a_signature_holds_nothing_else() {
    let object = "<ds:Object><x ID=\"x1\"/></ds:Object>".to_owned();
    refused(&Forged { in_signature: object.clone(), ..Forged::honest() }.assertion(), form());
    refused(&Forged { in_signed_info: object.clone(), ..Forged::honest() }.assertion(), form());
    refused(&Forged { in_signature: "text".to_owned(), ..Forged::honest() }.assertion(), form());
    let twice = "<ds:KeyInfo/><ds:KeyInfo/>".to_owned();
    refused(&Forged { in_signature: twice, ..Forged::honest() }.assertion(), form());
    let signed_info = format!("<ds:SignedInfo>{}", method("CanonicalizationMethod", EXCLUSIVE));
    refused(&Forged { signed_info, ..Forged::honest() }.assertion(), form());
    let honest = Forged::honest().assertion();
    let (start, end) = (honest.find("<ds:SignedInfo>").unwrap(), honest.find("<ds:SignatureValue>").unwrap());
    let twice = [&honest[..end], &honest[start..]].concat();
    refused(&twice, form());
    let other = honest.replace(&format!("xmlns:ds=\"{DS}\""), "xmlns:ds=\"urn:x:y\"");
    refused(&other, SignatureError::Missing);
}

#[test]
fn c04_an_element_has_one_signature() {
    let honest = Forged::honest().assertion();
    let (start, end) = (honest.find("<ds:Signature ").unwrap(), honest.find("<saml:Subject>").unwrap());
    refused(&[&honest[..end], &honest[start..]].concat(), form());
    let empty = format!("<ds:Signature xmlns:ds=\"{DS}\"/>");
    refused(&[&honest[..start], &empty, &honest[start..]].concat(), form());
}

#[test]
fn c09_a_key_in_the_signature_is_not_looked_at() {
    let attacker = SigningKey::generate(KeyKind::P256).unwrap();
    let attacker: &'static SigningKey = Box::leak(Box::new(attacker));
    let spki = base64::encode(attacker.verifying_key().spki());
    let key_info = format!(
        "<ds:KeyInfo><ds:KeyValue>{spki}</ds:KeyValue><ds:RetrievalMethod URI=\"http://127.0.0.1:9/\"/>\
         <ds:X509Data><ds:X509Certificate>{spki}</ds:X509Certificate></ds:X509Data></ds:KeyInfo>"
    );
    refused(
        &Forged { key: attacker, in_signature: key_info.clone(), ..Forged::honest() }.assertion(),
        SignatureError::Signature,
    );
    assert!(verify(&Forged { in_signature: key_info, ..Forged::honest() }.assertion()).is_ok());
}

#[test]
fn h16_weak_and_symmetric_methods_do_not_exist() {
    for uri in [
        "http://www.w3.org/2000/09/xmldsig#rsa-sha1",
        "http://www.w3.org/2000/09/xmldsig#dsa-sha1",
        "http://www.w3.org/2000/09/xmldsig#hmac-sha1",
        "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256",
        "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha1",
        "http://www.w3.org/2001/04/xmldsig-more#rsa-md5",
        "http://www.w3.org/2001/04/xmldsig-more#RSA-SHA256",
        "",
    ] {
        let forged = Forged { method: method("SignatureMethod", uri), ..Forged::honest() };
        refused(&forged.assertion(), SignatureError::Algorithm(String::new()));
    }
    for uri in
        ["http://www.w3.org/2000/09/xmldsig#sha1", "http://www.w3.org/2001/04/xmldsig-more#md5", "x", ""]
    {
        let forged = Forged { digest_method: method("DigestMethod", uri), ..Forged::honest() };
        refused(&forged.assertion(), SignatureError::Algorithm(String::new()));
    }
    let truncated = format!(
        "<ds:SignatureMethod Algorithm=\"{}\"><ds:HMACOutputLength>8</ds:HMACOutputLength></ds:SignatureMethod>",
        SignatureMethod::EcdsaSha256.uri()
    );
    refused(&Forged { method: truncated, ..Forged::honest() }.assertion(), form());
    let none = || SignatureError::Method { method: "", kinds: String::new() };
    for (other, why) in [
        (SignatureMethod::RsaSha256, none()),
        (SignatureMethod::RsaSha512, none()),
        (SignatureMethod::EcdsaSha384, SignatureError::Signature),
        (SignatureMethod::EcdsaSha512, SignatureError::Signature),
    ] {
        let forged = Forged { method: method("SignatureMethod", other.uri()), ..Forged::honest() };
        refused(&forged.assertion(), why);
    }
}

#[test]
fn c04_no_wrapping_gives_what_was_not_signed() {
    let evil = |signature: &str| assertion("e1", signature, "owner@a.test");
    let genuine = Forged::honest().assertion();
    let bare = assertion("a1", "", "ann@a.test");
    let start = genuine.find("<ds:Signature ").unwrap();
    let signature = &genuine[start..genuine.find("<saml:Subject>").unwrap()];
    let enclosing = |inner: &str| signature.replace("</ds:Signature>", &format!("{inner}</ds:Signature>"));
    let object = |inner: &str| enclosing(&format!("<ds:Object>{inner}</ds:Object>"));
    let in_subject =
        |text: &str, inner: &str| text.replace("</saml:Subject>", &format!("</saml:Subject>{inner}"));
    let extensions = |inner: &str| format!("<samlp:Extensions>{inner}</samlp:Extensions>");
    let same_id = |text: String| text.replace("\"e1\"", "\"a1\"");
    let shapes = [
        // 1 and 2, for an assertion in place of the response: the signed one in the signature, or before it.
        evil(&enclosing(&bare)),
        evil(&object(&bare)),
        evil(&[&bare, signature].concat()),
        // 3 and 4: beside and around the signed one.
        [evil(""), genuine.clone()].concat(),
        [genuine.clone(), evil("")].concat(),
        in_subject(&evil(""), &genuine),
        // 5 and 6: the signature moves over.
        [evil(signature), bare.clone()].concat(),
        [bare.clone(), evil(signature)].concat(),
        evil(&enclosing(&genuine)),
        // 7 and 8: where anything may stand.
        [extensions(&evil("")), genuine.clone()].concat(),
        [extensions(&genuine), evil("")].concat(),
        [extensions(&bare), evil(signature)].concat(),
        evil(&object(&genuine)),
        // The evil one within the signed one's signature.
        genuine.replace("</ds:Signature>", &format!("<ds:Object>{}</ds:Object></ds:Signature>", evil(""))),
        genuine.replace("</ds:Signature>", &format!("<ds:KeyInfo>{}</ds:KeyInfo></ds:Signature>", evil(""))),
        genuine.replace("</ds:SignedInfo>", &format!("{}</ds:SignedInfo>", evil(""))),
    ];
    assert_eq!(everything_verified(&response("r1", "", &genuine)), [bare.as_bytes()]);
    for shape in shapes {
        for text in [shape.clone(), same_id(shape)] {
            let text = response("r1", "", &text);
            Document::parse(text.as_bytes(), &Limits::MESSAGE)
                .unwrap_or_else(|error| panic!("{error}: {text}"));
            assert!(everything_verified(&text).iter().all(|bytes| bytes == bare.as_bytes()), "{text}");
        }
    }
}

/// The shapes that got through another library, for requests as for responses (rule 10).
#[test]
fn c04_no_wrapped_request_is_verified() {
    for name in ["AuthnRequest", "LogoutRequest"] {
        let request = |id: &str, content: &str, target: &str| {
            let issuer = format!("<saml:Issuer {SAML}>https://sp.a.test</saml:Issuer>");
            format!(
                "<samlp:{name} {SAMLP} ID=\"{id}\" Destination=\"{target}\">{issuer}{content}</samlp:{name}>"
            )
        };
        let bare = request("a1", "<x/>", "https://idp.a.test");
        let genuine = sign_enveloped(&bare, "a1", &P256, None).unwrap();
        let start = genuine.find("<ds:Signature ").unwrap();
        let signature = &genuine[start..genuine.find("<x/>").unwrap()];
        let object = |inner: &str| {
            signature.replace("</ds:Signature>", &format!("<ds:Object>{inner}</ds:Object></ds:Signature>"))
        };
        let canonical = canonical_of(&bare, &|element| element.attr("ID") == Some("a1"));
        for id in ["e1", "a1"] {
            for content in [
                genuine.clone(),
                [signature, &bare].concat(),
                [&bare, signature].concat(),
                object(&bare),
                object(&genuine),
                format!("<samlp:Extensions>{genuine}</samlp:Extensions>"),
                format!("<samlp:Extensions>{bare}</samlp:Extensions>{signature}"),
            ] {
                let wrapped = request(id, &content, "https://evil.test");
                assert!(verify(&wrapped).is_err(), "{wrapped}");
                assert!(everything_verified(&wrapped).iter().all(|bytes| *bytes == canonical), "{wrapped}");
            }
        }
    }
}

#[test]
fn c08_a_changed_namespace_is_a_changed_document() {
    let signed = Forged::honest().assertion();
    let saml = "urn:oasis:names:tc:SAML:2.0:assertion";
    refused(&signed.replacen(saml, "urn:x:y", 1), SignatureError::Digest);
    refused(
        &signed.replacen("<saml:Subject>", "<saml:Subject xmlns:saml=\"urn:x:y\">", 1),
        SignatureError::Digest,
    );
    refused(&signed.replacen("<ds:SignedInfo>", "<ds:SignedInfo Id=\"y\">", 1), SignatureError::Signature);
    let unused = signed.replacen("<saml:Subject>", "<saml:Subject xmlns:x=\"urn:x:y\" xmlns=\"urn:x:z\">", 1);
    assert_eq!(verify(&unused).unwrap().into_inner(), assertion("a1", "", "ann@a.test").as_bytes());
}

#[test]
fn c08_a_signature_has_no_attributes_of_its_own_making() {
    let honest = Forged::honest();
    for attribute in
        ["a=\"\"", "a='\"\"'", "Algorithm=\"x\"", "xmlns:x=\"urn:x:y\" x:a=\"s1\"", "xml:space=\"preserve\""]
    {
        let signed_info = format!("<ds:SignedInfo {attribute}>");
        refused(&Forged { signed_info, ..honest.clone() }.assertion(), form());
        let with = |text: &str| text.replacen("/>", &format!(" {attribute} />"), 1);
        if !attribute.starts_with("Algorithm") {
            for forged in [
                Forged { canonicalization: with(&honest.canonicalization), ..honest.clone() },
                Forged { method: with(&honest.method), ..honest.clone() },
                Forged { digest_method: with(&honest.digest_method), ..honest.clone() },
                Forged { transforms: with(&honest.transforms), ..honest.clone() },
                Forged {
                    transforms: honest.transforms.replacen('>', &format!(" {attribute}>"), 1),
                    ..honest.clone()
                },
                Forged { uri: format!("#a1\" {attribute} Type=\"urn:x:y"), ..honest.clone() },
            ] {
                refused(&forged.assertion(), form());
            }
        }
    }
    let signed_info = "<ds:SignedInfo Id=\"s1\">".to_owned();
    let uri = "#a1\" Id=\"s2\" Type=\"urn:x:y".to_owned();
    assert!(verify(&Forged { signed_info, uri, ..honest }.assertion()).is_ok(), "but those of the standard");
}

/// Every key of a connection is tried on it, before anybody is known to have signed it.
#[test]
fn c08_what_every_key_is_tried_on_is_small() {
    let honest = Forged::honest();
    let quoted = format!("<ds:SignedInfo Id='{}'>", "\"".repeat(4 * 1024));
    let long = format!("<ds:SignedInfo Id=\"{}\">", "a".repeat(16 * 1024));
    let blank = format!("<ds:SignedInfo>{}", "\n".repeat(16 * 1024));
    for signed_info in [quoted, long, blank] {
        let forged = Forged { signed_info, ..honest.clone() }.assertion();
        refused(&forged, SignatureError::TooLarge(0));
        // Whoever could have signed it.
        assert!(matches!(verify_by(&forged, &keys(&[&RSA])), Err(SignatureError::TooLarge(_))));
    }
    let prefixes: Vec<_> = (0..16).map(|number| format!("{number:p>500}")).collect();
    let list =
        format!("<i:InclusiveNamespaces xmlns:i=\"{EXCLUSIVE}\" PrefixList=\"{}\"/>", prefixes.join(" "));
    let second = format!("<ds:Transform Algorithm=\"{EXCLUSIVE}\">{list}</ds:Transform>");
    let transforms =
        transforms(&[ENVELOPED]).replace("</ds:Transforms>", &format!("{second}</ds:Transforms>"));
    assert!(verify(&Forged { transforms, ..honest }.assertion()).is_ok(), "there is room for many prefixes");
}

#[test]
fn m09_what_was_expected_of_a_signature_and_what_was_found_are_about_the_same() {
    let honest = Forged::honest();
    let sha1 = |name: &str, local: &str| method(name, &format!("http://www.w3.org/2000/09/xmldsig#{local}"));
    let inclusive = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315";
    for (forged, expected, found) in [
        (
            Forged { method: sha1("SignatureMethod", "rsa-sha1"), ..honest.clone() },
            "with SHA-256",
            "SignatureMethod http://www.w3.org/2000/09/xmldsig#rsa-sha1",
        ),
        (
            Forged { digest_method: sha1("DigestMethod", "sha1"), ..honest.clone() },
            "a digest by one of these",
            "DigestMethod http://www.w3.org/2000/09/xmldsig#sha1",
        ),
        (Forged { uri: String::new(), ..honest.clone() }, "by its ID", "URI=\"\""),
        (Forged { uri: "#a2".to_owned(), ..honest.clone() }, "by its ID", "URI=\"#a2\""),
        (
            Forged { canonicalization: method("CanonicalizationMethod", inclusive), ..honest.clone() },
            "xml-exc-c14n#",
            inclusive,
        ),
        (
            Forged { transforms: transforms(&[ENVELOPED, inclusive]), ..honest.clone() },
            "xml-exc-c14n#",
            inclusive,
        ),
        (
            Forged { transforms: transforms(&[ENVELOPED]), ..honest.clone() },
            "xml-exc-c14n#",
            "enveloped-signature",
        ),
        (
            Forged { signed_info: format!("<ds:SignedInfo>{}", " ".repeat(20_000)), ..honest.clone() },
            "16384 bytes at most",
            "bytes in its canonical form",
        ),
        (
            Forged { digest: Some(base64::encode(&[0; 32])), ..honest.clone() },
            "unchanged",
            "has been changed",
        ),
    ] {
        let text = forged.assertion();
        let told = Refused::from(verify(&text).unwrap_err());
        assert!(told.expected.contains(expected) && told.found.contains(found), "{told}");
        assert!(
            told.expected.chars().count() < MAX_SHOWN && !told.expected.contains("a key of this"),
            "{told}"
        );
    }
    // As little of it as names it, and nothing that could be taken for something else.
    let long = format!("urn:x:{}\u{85}", "y".repeat(500));
    let told = Refused::from(
        verify(&Forged { method: method("SignatureMethod", &long), ..honest.clone() }.assertion())
            .unwrap_err(),
    );
    assert!(told.found.contains("urn:x:yyy") && told.found.chars().count() < 120, "{told}");
    let told =
        Refused::from(verify(&Forged { uri: "#a\u{85}".to_owned(), ..honest }.assertion()).unwrap_err());
    assert!(told.found.contains("#a\u{fffd}"), "{told}");
}
