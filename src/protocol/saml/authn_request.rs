//! `AuthnRequest` (SAML Core, section 3.4): written to a customer's provider, read from an application.

use super::message::{self, Expected, Received, Signed};
use super::names::{self, Binding};
use super::refused::{Check, Refused};
use super::signature::Verified;
use super::time;
use super::xml::{Document, Element, Limits, Malformed, Writer};
use crate::foundation::clock::Moment;

const ROOT: &str = "AuthnRequest";
const MAX_URI: usize = 2048;
/// How many classes or providers one request may list.
const MAX_LISTED: usize = 32;

/// How the classes of a request bind (SAML Core, section 3.3.2.2.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Comparison {
    #[default]
    Exact,
    Minimum,
    Maximum,
    Better,
}

impl Comparison {
    const ALL: [Self; 4] = [Self::Exact, Self::Minimum, Self::Maximum, Self::Better];

    pub const fn word(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Minimum => "minimum",
            Self::Maximum => "maximum",
            Self::Better => "better",
        }
    }
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|comparison| comparison.word() == word)
    }
}

/// A request to be sent.
#[derive(Clone, Debug, Default)]
pub struct Draft<'a> {
    /// `_` and 32 hex digits of chance.
    pub id: &'a str,
    /// The `Location` of the provider's endpoint.
    pub destination: &'a str,
    /// Our entity id at this connection.
    pub issuer: &'a str,
    /// Where the response is to be posted.
    pub acs: &'a str,
    pub provider_name: Option<&'a str>,
    pub force_authn: bool,
    pub is_passive: bool,
    pub name_id_policy: Option<NameIdPolicy<'a>>,
    pub requested: Option<Requested<'a>>,
    /// Who is expected, as a login hint.
    pub subject: Option<Hint<'a>>,
    pub scoping: Option<Scoping<'a>>,
}

/// What kind of name is wanted.
#[derive(Clone, Copy, Debug, Default)]
pub struct NameIdPolicy<'a> {
    /// The provider's choice, if none.
    pub format: Option<&'a str>,
    pub allow_create: bool,
}

/// How people are to be authenticated.
#[derive(Clone, Copy, Debug)]
pub struct Requested<'a> {
    pub classes: &'a [&'a str],
    pub comparison: Comparison,
}

/// A name that the person is expected to have.
#[derive(Clone, Copy, Debug)]
pub struct Hint<'a> {
    pub value: &'a str,
    pub format: Option<&'a str>,
}

/// Which providers behind a proxy may answer.
#[derive(Clone, Copy, Debug, Default)]
pub struct Scoping<'a> {
    pub proxy_count: Option<u32>,
    pub providers: &'a [&'a str],
}

impl Draft<'_> {
    /// The request without a signature: the binding says where it belongs.
    pub fn write(&self, now: Moment) -> Result<String, Malformed> {
        let mut writer = Writer::new(names::PREFIXES);
        self.attributes(writer.open("samlp:AuthnRequest").declare("saml"), now);
        writer.leaf("saml:Issuer", self.issuer);
        if let Some(hint) = self.subject {
            writer.open("saml:Subject").open("saml:NameID").attr_if("Format", hint.format);
            writer.text(hint.value).close().close();
        }
        if let Some(policy) = self.name_id_policy {
            writer.open("samlp:NameIDPolicy").attr_if("Format", policy.format);
            writer.attr_if("AllowCreate", policy.allow_create.then_some("true")).close();
        }
        if let Some(requested) = self.requested {
            requested.write(&mut writer);
        }
        if let Some(scoping) = self.scoping {
            scoping.write(&mut writer);
        }
        writer.close();
        writer.finish()
    }

    fn attributes(&self, writer: &mut Writer, now: Moment) {
        let flag = |on: bool| on.then_some("true");
        writer
            .attr("ID", self.id)
            .attr("Version", names::VERSION)
            .attr("IssueInstant", &time::render(now))
            .attr("Destination", self.destination)
            .attr_if("ForceAuthn", flag(self.force_authn))
            .attr_if("IsPassive", flag(self.is_passive))
            .attr("ProtocolBinding", Binding::Post.uri())
            .attr("AssertionConsumerServiceURL", self.acs)
            .attr_if("ProviderName", self.provider_name);
    }
}

impl Requested<'_> {
    fn write(&self, writer: &mut Writer) {
        writer.open("samlp:RequestedAuthnContext").attr("Comparison", self.comparison.word());
        for class in self.classes {
            writer.leaf("saml:AuthnContextClassRef", class);
        }
        writer.close();
    }
}

impl Scoping<'_> {
    fn write(&self, writer: &mut Writer) {
        let count = self.proxy_count.map(|count| count.to_string());
        writer.open("samlp:Scoping").attr_if("ProxyCount", count.as_deref());
        if !self.providers.is_empty() {
            writer.open("samlp:IDPList");
            for provider in self.providers {
                writer.open("samlp:IDPEntry").attr("ProviderID", provider).close();
            }
            writer.close();
        }
        writer.close();
    }
}

/// A request that was received. Where the response goes is decided by the application's registration, never by
/// what the request says alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthnRequest {
    pub id: String,
    pub issuer: String,
    pub acs: Option<String>,
    pub acs_index: Option<u16>,
    pub protocol_binding: Option<String>,
    pub force_authn: bool,
    pub is_passive: bool,
    pub name_id_format: Option<String>,
    pub allow_create: bool,
    pub classes: Vec<String>,
    pub comparison: Comparison,
    /// Who is expected.
    pub subject: Option<String>,
}

/// Reads a request that `expected.issuer` signed.
pub fn read(received: Received<'_>, expected: &Expected<'_>) -> Result<Verified<AuthnRequest>, Refused> {
    received.verified(ROOT)?.try_map(|xml| {
        let document = Document::parse(xml, &Limits::MESSAGE)?;
        message::plain(document.root(), ROOT, Signed::Outside)?;
        request(document.root(), expected)
    })
}

fn request(root: Element<'_>, expected: &Expected<'_>) -> Result<AuthnRequest, Refused> {
    let id = message::head(root, expected)?;
    let policy = root.child(names::PROTOCOL, "NameIDPolicy")?;
    let (classes, comparison) = requested(root)?;
    Ok(AuthnRequest {
        id,
        issuer: expected.issuer.to_owned(),
        acs: uri(root, "AssertionConsumerServiceURL")?,
        acs_index: index(root)?,
        protocol_binding: uri(root, "ProtocolBinding")?,
        force_authn: message::flag(root, "ForceAuthn")?,
        is_passive: message::flag(root, "IsPassive")?,
        name_id_format: policy.map(|policy| uri(policy, "Format")).transpose()?.flatten(),
        allow_create: policy.map_or(Ok(false), |policy| message::flag(policy, "AllowCreate"))?,
        classes,
        comparison,
        subject: subject(root)?,
    })
}

fn requested(root: Element<'_>) -> Result<(Vec<String>, Comparison), Refused> {
    let Some(requested) = root.child(names::PROTOCOL, "RequestedAuthnContext")? else {
        return Ok((Vec::new(), Comparison::Exact));
    };
    let word = requested.attr("Comparison").unwrap_or("exact");
    let comparison = Comparison::from_word(word)
        .ok_or_else(|| Refused::new(Check::Malformed, "a Comparison that SAML knows", word))?;
    let classes: Vec<_> = requested
        .children()
        .filter(|class| class.is(names::ASSERTION, "AuthnContextClassRef"))
        .take(MAX_LISTED)
        .map(|class| message::bounded(class.text()?.trim_ascii(), MAX_URI, Check::Malformed))
        .collect::<Result<_, _>>()?;
    Ok((classes, comparison))
}

fn subject(root: Element<'_>) -> Result<Option<String>, Refused> {
    let Some(subject) = root.child(names::ASSERTION, "Subject")? else { return Ok(None) };
    let Some(name) = subject.child(names::ASSERTION, "NameID")? else { return Ok(None) };
    Ok(Some(message::bounded(&name.text()?, message::MAX_ID, Check::NameId)?))
}

fn uri(element: Element<'_>, name: &str) -> Result<Option<String>, Refused> {
    element.attr(name).map(|text| message::bounded(text, MAX_URI, Check::Malformed)).transpose()
}

fn index(root: Element<'_>) -> Result<Option<u16>, Refused> {
    let Some(text) = root.attr("AssertionConsumerServiceIndex") else { return Ok(None) };
    let refused =
        |_| Refused::new(Check::Malformed, "AssertionConsumerServiceIndex to be a small number", text);
    text.parse().map(Some).map_err(refused)
}

#[cfg(test)]
mod tests;
