//! A captured message, in whichever form somebody could get hold of it.

use super::browsed;
use super::explained::Kind;
use crate::foundation::clock::Moment;
use crate::protocol::saml::binding::{Carried, RedirectMessage, post};
use crate::protocol::saml::message;
use crate::protocol::saml::time;
use crate::protocol::saml::xml::{Document, Limits};

/// A message, and how it was captured.
#[derive(Debug)]
pub struct Captured {
    /// In words.
    pub form: &'static str,
    pub xml: Vec<u8>,
    /// Bytes of the RelayState, which is nobody's business.
    pub relay_state: Option<usize>,
    /// The query of a redirect, whose signature is over it as it is.
    pub query: Option<(String, Carried)>,
    /// Which one of an aggregate of metadata is meant; none: the only one.
    pub entity_id: Option<String>,
}

impl Captured {
    /// What it is, if it can be read at all.
    pub fn kind(&self) -> Option<Kind> {
        Document::parse(&self.xml, &Limits::METADATA).ok().map(|document| Kind::of(document.root()))
    }

    pub fn read(bytes: &[u8]) -> Result<Self, String> {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii();
        let text = std::str::from_utf8(bytes);
        if bytes.starts_with(b"<") {
            return match text.ok().filter(|text| browsed::is_page(text)) {
                Some(page) => Self::page(page),
                None => Ok(Self::xml("XML", bytes.to_vec())),
            };
        }
        let text = text.map_err(|_| "it is neither XML nor text in UTF-8".to_owned())?;
        if text.is_empty() {
            return Err("it is empty".into());
        }
        if let Some(found) = browsed::in_recording(text) {
            let captured = Self::query(&found?)?;
            return Ok(Self { form: "a recording of a browser (HAR), its last message", ..captured });
        }
        Self::query(text)
    }

    /// The form in a page.
    fn page(page: &str) -> Result<Self, String> {
        let found = browsed::in_page(page)
            .ok_or("there is no form with a SAMLResponse or a SAMLRequest in this page")?;
        Ok(Self { form: "a page with a form", ..Self::query(&found)? })
    }

    /// An address, a query, the body of a form, or a value alone.
    fn query(text: &str) -> Result<Self, String> {
        let query = text.split_once('?').map_or(text, |(_, query)| query);
        let query = query.split_once('#').map_or(query, |(query, _)| query);
        let fields = || query.split('&').filter_map(|pair| pair.split_once('='));
        if let Some(why) =
            message::unsupported(fields().map(|(name, _)| name).filter(|name| *name == "SAMLart"), false)
        {
            return Err(why.into());
        }
        for which in [Carried::Response, Carried::Request] {
            if let Some((_, value)) = fields().find(|(name, _)| *name == which.parameter()) {
                return Self::field(query, which, value);
            }
        }
        match browsed::in_words(text) {
            Some(found) if found != text => Self::query(found),
            _ => Self::value(text),
        }
    }

    fn xml(form: &'static str, xml: Vec<u8>) -> Self {
        Self { form, xml, relay_state: None, query: None, entity_id: None }
    }

    /// A query or the body of a form: in a query the message is deflated.
    fn field(query: &str, which: Carried, value: &str) -> Result<Self, String> {
        let names = || query.split('&').map(|pair| pair.split_once('=').map_or(pair, |(name, _)| name));
        if let Some(name) = names().find(|name| names().filter(|other| other == name).count() > 1) {
            return Err(format!("{name} stands there twice"));
        }
        let state = query.split('&').find_map(|pair| pair.strip_prefix("RelayState="));
        let relay_state = state.map(|state| decoded(state).len());
        let posted = post::decode(&decoded(value)).ok().and_then(is_xml);
        if let Some(xml) = posted {
            if let Some(why) = message::unsupported(names(), true) {
                return Err(why.into());
            }
            return Ok(Self { relay_state, ..Self::xml("a form (HTTP-POST)", xml) });
        }
        let read = RedirectMessage::read(query, which);
        let read = read.map_err(|error| format!("{}: {error}", which.parameter()))?;
        let query = Some((query.to_owned(), which));
        Ok(Self { relay_state, query, ..Self::xml("a query (HTTP-Redirect)", read.xml) })
    }

    /// The value of a field alone.
    fn value(text: &str) -> Result<Self, String> {
        let text = decoded(text);
        if let Some(xml) = post::decode(&text).ok().and_then(is_xml) {
            return Ok(Self::xml("base64 (the value of a form)", xml));
        }
        let packed: String = text.split_ascii_whitespace().collect();
        let query = format!("SAMLResponse={packed}");
        match RedirectMessage::read(&query, Carried::Response) {
            Ok(read) => Ok(Self::xml("deflated base64 (the value of a query)", read.xml)),
            Err(_) => {
                Err("it is no SAML message in a form that is known: XML, base64, a form, a page with one, a query, an \
                     address, or what a browser has recorded (HAR)"
                    .into())
            }
        }
    }

    /// When it says that it was issued.
    pub fn issued(&self) -> Option<Moment> {
        let document = Document::parse(&self.xml, &Limits::METADATA).ok()?;
        time::parse(document.root().attr("IssueInstant")?).ok()
    }
}

fn is_xml(bytes: Vec<u8>) -> Option<Vec<u8>> {
    let start = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes).trim_ascii_start();
    start.starts_with(b"<").then_some(bytes)
}

/// Percent-decoded. A plus is one: base64 has them, and what was copied out of a browser's tools is decoded already.
fn decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::protocol::saml::binding::redirect_url;
    use crate::protocol::saml::keys::{KeyKind, SigningKey};

    /// Long and odd enough that its base64 has pluses and slashes.
    const XML: &str = "<a b=\"~~~>>>???ûûû\">~?~?>~</a>";

    #[test]
    fn whatever_was_captured_is_recognised() {
        let value = post::encode(XML);
        assert!(value.contains('+'));
        let escaped: String = form_urlencoded::byte_serialize(value.as_bytes()).collect();
        let wrapped =
            value.as_bytes().chunks(10).map(|line| std::str::from_utf8(line).unwrap()).collect::<Vec<_>>();
        let key = SigningKey::generate(KeyKind::P256).unwrap();
        let url = redirect_url("https://a.test/sso?x=y", Carried::Request, XML, Some("state"), &key).unwrap();
        for (text, form) in [
            (XML.to_owned(), "XML"),
            (format!("\u{feff}\n{XML}"), "XML"),
            (value.clone(), "base64 (the value of a form)"),
            (escaped.clone(), "base64 (the value of a form)"),
            (wrapped.join("\r\n"), "base64 (the value of a form)"),
            (format!("RelayState=state&SAMLResponse={escaped}\n"), "a form (HTTP-POST)"),
            (format!("SAMLResponse={value}&RelayState=state"), "a form (HTTP-POST)"),
            (url.clone(), "a query (HTTP-Redirect)"),
            (url.split_once('?').unwrap().1.to_owned(), "a query (HTTP-Redirect)"),
            (
                url.split_once("SAMLRequest=").unwrap().1.split('&').next().unwrap().to_owned(),
                "deflated base64 (the value of a query)",
            ),
        ] {
            let captured = Captured::read(text.as_bytes()).unwrap();
            assert_eq!(captured.form, form, "{text}");
            assert_eq!(captured.xml, XML.as_bytes(), "{text}");
            assert_eq!(captured.relay_state.is_some(), text.contains("RelayState"), "{text}");
        }
    }

    #[test]
    fn what_a_browser_shows_records_or_copies_is_looked_through() {
        let value = post::encode(XML);
        let escaped: String = form_urlencoded::byte_serialize(value.as_bytes()).collect();
        let page = format!(
            "<!doctype html>\n<title>x</title><form method=post><input name=\"SAMLResponse\" value=\"{}\">\
             <input name=RelayState value=state></form>",
            value.replace('+', "&#43;")
        );
        let body = format!("SAMLResponse={escaped}&RelayState=state");
        let recording = serde_json::json!({"log": {"entries": [
            {"request": {"url": "https://a.test/acs", "postData": {"text": body}}, "response": {}},
        ]}});
        for (text, form) in [
            (page, "a page with a form"),
            (recording.to_string(), "a recording of a browser (HAR), its last message"),
            (format!("curl 'https://a.test/acs?x=y' --data-raw '{body}'"), "a form (HTTP-POST)"),
        ] {
            let captured = Captured::read(text.as_bytes()).unwrap();
            assert_eq!(captured.form, form, "{text}");
            assert_eq!(captured.xml, XML.as_bytes(), "{text}");
            assert_eq!(captured.relay_state, Some(5), "{text}");
        }
    }

    #[test]
    fn anything_else_is_refused_with_a_reason() {
        for (bytes, why) in [
            (b"".as_slice(), "empty"),
            (b"\xff\xfe<\0a\0", "UTF-8"),
            (b"hello", "no SAML message"),
            (b"<!DOCTYPE html><p>hello", "no form with a SAMLResponse"),
            (b"{\"log\": {\"entries\": []}}", "no request in it"),
            (b"SAMLResponse=%%%", "SAMLResponse"),
            (b"https://a.test/acs?SAMLart=AAQ", "HTTP-Artifact"),
            (b"SAMLResponse=PGEvPg==&SigAlg=x&Signature=y", "HTTP-POST-SimpleSign"),
            (b"SAMLResponse=PGEvPg==&SAMLResponse=PGIvPg==", "SAMLResponse stands there twice"),
        ] {
            let error = Captured::read(bytes).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }
}
