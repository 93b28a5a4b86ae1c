//! Writes what fuzzing begins with into `corpus/<target>/`: messages of every kind, by our own writer.

use std::fs;
use std::path::PathBuf;

use behalf_fuzz::actors::{self, ACS, ANN, IDP, NOW, PROVIDER, REQUEST};
use behalf_fuzz::judge;
use behalf_fuzz::protocol::saml::binding::{Carried, post, redirect_url};
use behalf_fuzz::protocol::saml::encryption::Cipher;
use behalf_fuzz::protocol::saml::logout::{RequestDraft, ResponseDraft};
use behalf_fuzz::protocol::saml::names::{Binding, name_id};
use behalf_fuzz::protocol::saml::response::{AssertionDraft, Draft, read};
use behalf_fuzz::protocol::saml::status::Status;

type Seeds = Vec<(String, Vec<u8>)>;
type Error = Box<dyn std::error::Error>;

fn main() -> Result<(), Error> {
    let responses = responses()?;
    let logouts = logouts()?;
    let metadata = metadata()?;
    let all = responses.iter().chain(&logouts).map(|(name, xml)| (name, xml));
    let reader: Seeds = all
        .chain(metadata.iter().map(|(name, xml)| (name, xml)))
        .map(|(name, xml)| (name.clone(), xml.clone()))
        .chain(oddities())
        .collect();
    // Whoever is read signed is to be written unsigned.
    let of = |how: u8, name: &'static str| {
        move |(key, xml): &(String, Vec<u8>)| (format!("{name}-{key}"), [&[how], xml.as_slice()].concat())
    };
    let plain = |key: &'static str| responses.iter().filter(move |(name, _)| name == key);
    let mut response: Seeds = responses.iter().map(of(0, "as-it-is")).collect();
    response.extend(plain("response").flat_map(|seed| [of(3, "assertion")(seed), of(5, "whole")(seed)]));
    let assertions = || plain("assertion").chain(plain("signed-assertion"));
    response.extend(assertions().flat_map(|seed| [of(2, "hidden")(seed), of(7, "hidden-and-signed")(seed)]));
    response
        .extend(plain("assertion").flat_map(|seed| [of(4, "signed-and-hidden")(seed), of(9, "all")(seed)]));
    response.extend(logouts.iter().map(of(6, "logout")));
    write("reader", &reader)?;
    write("response", &response)?;
    write("metadata", &metadata)?;
    write("redirect", &redirects()?)
}

fn write(target: &str, seeds: &[(String, Vec<u8>)]) -> Result<(), Error> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    fs::create_dir_all(&folder)?;
    for (name, bytes) in seeds {
        fs::write(folder.join(format!("seed-{name}")), bytes)?;
    }
    println!("{target}: {} seeds", seeds.len());
    Ok(())
}

fn seed(name: &str, text: impl Into<Vec<u8>>) -> (String, Vec<u8>) {
    (name.to_owned(), text.into())
}

fn responses() -> Result<Seeds, Error> {
    let assertion = || AssertionDraft { one_time_use: true, ..actors::assertion() };
    let whole = || actors::response(assertion());
    let refusal = Status::new("urn:oasis:names:tc:SAML:2.0:status:Responder", None);
    let refused = Draft { status: refusal, assertion: None, ..whole() };
    let mut seeds = vec![
        seed("response", whole().write(&actors::sign(false, false), None)?),
        seed("assertion", assertion().write(&actors::sign(false, false), None)?),
        seed("signed-assertion", assertion().write(&actors::sign(true, false), None)?),
        seed("refused", refused.write(&actors::sign(false, true), None)?),
    ];
    for (name, assertion, response) in
        [("assertion-signed", true, false), ("response-signed", false, true), ("both-signed", true, true)]
    {
        let sign = actors::sign(assertion, response);
        seeds.push(good(name, whole().write(&sign, None)?)?);
        for cipher in [Cipher::Aes128Gcm, Cipher::Aes256Gcm, Cipher::Aes128Cbc] {
            // Only under a signature is that opened.
            if response || cipher != Cipher::Aes128Cbc {
                let encrypted = whole().write(&sign, Some(&actors::encrypt(cipher)))?;
                seeds.push(good(&format!("{name}-{cipher:?}"), encrypted)?);
            }
        }
    }
    Ok(seeds)
}

/// What is taken as it is, in this process as in any other.
fn good(name: &str, xml: String) -> Result<(String, Vec<u8>), Error> {
    let read = read(xml.as_bytes(), &actors::expected_encrypted())
        .map_err(|refused| format!("{name}: {refused:?}"))?;
    judge::genuine(read.get());
    Ok(seed(name, xml))
}

fn logouts() -> Result<Seeds, Error> {
    let request = RequestDraft {
        id: "_r1",
        issuer: IDP,
        destination: ACS,
        name_id: &ANN,
        session_indexes: &["_s1", "_s2"],
        not_on_or_after: Some(NOW),
    };
    let status = Status::success();
    let response =
        ResponseDraft { id: "_r1", issuer: IDP, destination: ACS, in_response_to: REQUEST, status: &status };
    Ok(vec![
        seed("logout-request", request.write(NOW)?),
        seed("logout-response", response.write(NOW)?),
        seed("logout-request-signed", actors::signed(&request.write(NOW)?, "_r1", &PROVIDER)),
    ])
}

fn metadata() -> Result<Seeds, Error> {
    let entity = entity();
    let group = |inner: &str| {
        format!(
            "<md:EntitiesDescriptor xmlns:md=\"urn:oasis:names:tc:SAML:2.0:metadata\" \
             validUntil=\"2030-01-01T00:00:00Z\"><!-- a group -->{inner}</md:EntitiesDescriptor>"
        )
    };
    let signed = actors::signed(&entity, "_m1", &PROVIDER);
    Ok(vec![
        seed("entity", entity.clone()),
        seed("entity-signed", signed.clone()),
        seed("group", group(&entity)),
        seed("group-of-signed", group(&signed)),
    ])
}

fn entity() -> String {
    let certificate = PROVIDER.certificate.base64();
    let key = |r#use: &str| {
        format!(
            "<md:KeyDescriptor{use}><ds:KeyInfo xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\"><ds:X509Data>\
             <ds:X509Certificate>{certificate}</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>"
        )
    };
    let endpoint = |kind: &str, binding: Binding| {
        format!("<md:{kind} Binding=\"{}\" Location=\"https://idp.a.test/{kind}\"/>", binding.uri())
    };
    format!(
        "<md:EntityDescriptor xmlns:md=\"urn:oasis:names:tc:SAML:2.0:metadata\" ID=\"_m1\" entityID=\"{IDP}\" \
         validUntil=\"2030-01-01T00:00:00Z\" cacheDuration=\"P1DT2H\"><md:Extensions>\
         <shibmd:Scope xmlns:shibmd=\"urn:mace:shibboleth:metadata:1.0\" regexp=\"false\">a.test</shibmd:Scope>\
         </md:Extensions><md:IDPSSODescriptor WantAuthnRequestsSigned=\"true\" \
         protocolSupportEnumeration=\"urn:oasis:names:tc:SAML:2.0:protocol\">{}{}{}{}\
         <md:NameIDFormat>{}</md:NameIDFormat>{}{}</md:IDPSSODescriptor></md:EntityDescriptor>",
        key(" use=\"signing\""),
        key(" use=\"encryption\""),
        endpoint("SingleLogoutService", Binding::Redirect),
        endpoint("SingleLogoutService", Binding::Post),
        name_id::EMAIL_ADDRESS,
        endpoint("SingleSignOnService", Binding::Redirect),
        endpoint("SingleSignOnService", Binding::Post),
    )
}

fn redirects() -> Result<Seeds, Error> {
    let mut seeds = vec![seed("post", post::encode("<a/>"))];
    for (name, xml) in logouts()? {
        let xml = String::from_utf8(xml)?;
        let which = if name.contains("request") { Carried::Request } else { Carried::Response };
        for state in [None, Some("a state")] {
            let url = redirect_url("https://broker.test/slo", which, &xml, state, &PROVIDER.key)?;
            let query = url.split_once('?').map(|(_, query)| query.to_owned()).unwrap_or_default();
            let unsigned = query.split("&SigAlg").next().unwrap_or_default().to_owned();
            let name = format!("{name}-{}", state.is_some());
            seeds.extend([seed(&name, query), seed(&format!("{name}-unsigned"), unsigned)]);
        }
    }
    Ok(seeds)
}

/// What the reader refuses or has to look at twice.
fn oddities() -> Seeds {
    let texts = [
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><a xmlns=\"u:a\" xmlns:b=\"u:b\" b:c=\"&#x9;&lt;'\"><b:d/>x&#13;y</a>",
        "<a><![CDATA[<b>]]>]]&gt;<c xml:lang=\"en\" xmlns=\"\"/></a>",
        "<!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>",
        "<a><!-- b --><?c d?></a>",
        "<a b='1' b=\"2\"/>",
        "\u{feff}<a/>",
        "<é à=\"&#xe9;\">𝄞</é>",
    ];
    let numbered = texts.iter().enumerate();
    numbered.map(|(number, text)| seed(&format!("oddity-{number}"), *text)).collect()
}
