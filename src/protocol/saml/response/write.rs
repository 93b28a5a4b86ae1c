//! Responses as a provider writes them: the sample one, and ours for applications that speak SAML.

use crate::foundation::clock::Moment;
use crate::foundation::random::Random;
use crate::protocol::saml::assertion::{Attribute, NameId};
use crate::protocol::saml::certificate::Certificate;
use crate::protocol::saml::encryption::{self, Cipher, Oaep};
use crate::protocol::saml::keys::{EncryptingKey, KeyError, SigningKey};
use crate::protocol::saml::names;
use crate::protocol::saml::signature::{SignatureError, sign_enveloped};
use crate::protocol::saml::status::Status;
use crate::protocol::saml::time;
use crate::protocol::saml::xml::{Malformed, Writer};

/// A response to be written.
#[derive(Clone, Debug)]
pub struct Draft<'a> {
    /// `_` and 32 hex digits of chance.
    pub id: &'a str,
    pub issuer: &'a str,
    pub issued: Moment,
    /// Where it is posted.
    pub destination: &'a str,
    /// None, if nobody asked.
    pub in_response_to: Option<&'a str>,
    pub status: Status,
    pub assertion: Option<AssertionDraft<'a>>,
}

/// An assertion to be written: one bearer confirmation, one statement of authentication.
#[derive(Clone, Debug)]
pub struct AssertionDraft<'a> {
    pub id: &'a str,
    pub issuer: &'a str,
    pub issued: Moment,
    pub name_id: &'a NameId,
    pub in_response_to: Option<&'a str>,
    pub recipient: &'a str,
    /// `NotOnOrAfter` of the confirmation.
    pub confirmed_until: Moment,
    pub not_before: Option<Moment>,
    pub not_on_or_after: Option<Moment>,
    /// One restriction for each list.
    pub audiences: &'a [&'a [&'a str]],
    pub one_time_use: bool,
    pub authn_instant: Moment,
    pub session_index: Option<&'a str>,
    pub session_not_on_or_after: Option<Moment>,
    pub authn_context: &'a str,
    pub attributes: &'a [Attribute],
    /// Whether values say that they are of type `xs:string`.
    pub typed: bool,
}

/// Who signs, and what.
#[derive(Clone, Copy, Debug)]
pub struct Sign<'a> {
    pub key: &'a SigningKey,
    /// Shown in the signature, for readers that want it.
    pub certificate: Option<&'a Certificate>,
    pub assertion: bool,
    pub response: bool,
}

/// To whom the assertion is encrypted, and how.
#[derive(Clone, Copy)]
pub struct Encrypt<'a> {
    pub key: &'a EncryptingKey,
    pub cipher: Cipher,
    pub oaep: Oaep,
    pub random: &'a Random,
}

/// Why a response cannot be written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    #[error("the response cannot be written: {0}")]
    Malformed(#[from] Malformed),
    #[error("the response cannot be signed: {0}")]
    Signature(#[from] SignatureError),
    #[error("the assertion cannot be encrypted: {0}")]
    Encryption(#[from] KeyError),
}

impl Draft<'_> {
    /// Signs the assertion, encrypts it, and signs the response around it, each as far as asked.
    pub fn write(&self, sign: &Sign<'_>, encrypt: Option<&Encrypt<'_>>) -> Result<String, WriteError> {
        let assertion = self.assertion.as_ref().map(|draft| draft.write(sign, encrypt)).transpose()?;
        let mut writer = Writer::new(names::PREFIXES);
        writer
            .open("samlp:Response")
            .declare("saml")
            .attr("ID", self.id)
            .attr("Version", names::VERSION)
            .attr("IssueInstant", &time::render(self.issued))
            .attr("Destination", self.destination)
            .attr_if("InResponseTo", self.in_response_to)
            .leaf("saml:Issuer", self.issuer);
        self.status.write(&mut writer);
        if let Some(assertion) = &assertion {
            writer.embed(assertion);
        }
        writer.close();
        let xml = writer.finish()?;
        if !sign.response {
            return Ok(xml);
        }
        Ok(sign_enveloped(&xml, self.id, sign.key, sign.certificate)?)
    }
}

impl AssertionDraft<'_> {
    /// An `Assertion` or an `EncryptedAssertion`, as a document of its own.
    pub fn write(&self, sign: &Sign<'_>, encrypt: Option<&Encrypt<'_>>) -> Result<String, WriteError> {
        let mut xml = self.plain()?;
        if sign.assertion {
            xml = sign_enveloped(&xml, self.id, sign.key, sign.certificate)?;
        }
        let Some(to) = encrypt else { return Ok(xml) };
        let encrypted = encryption::encrypt(xml.as_bytes(), to.key, to.cipher, to.oaep, to.random)?;
        let mut writer = Writer::new(names::PREFIXES);
        writer.open("saml:EncryptedAssertion").embed(&encrypted).close();
        Ok(writer.finish()?)
    }

    fn plain(&self) -> Result<String, Malformed> {
        let mut writer = Writer::new(names::PREFIXES);
        writer
            .open("saml:Assertion")
            .attr("ID", self.id)
            .attr("Version", names::VERSION)
            .attr("IssueInstant", &time::render(self.issued))
            .leaf("saml:Issuer", self.issuer);
        self.subject(&mut writer);
        self.conditions(&mut writer);
        self.authn_statement(&mut writer);
        if !self.attributes.is_empty() {
            writer.open("saml:AttributeStatement");
            self.attributes.iter().for_each(|attribute| self.attribute(&mut writer, attribute));
            writer.close();
        }
        writer.close();
        writer.finish()
    }

    fn subject(&self, writer: &mut Writer) {
        writer.open("saml:Subject");
        self.name_id.write(writer);
        writer
            .open("saml:SubjectConfirmation")
            .attr("Method", names::BEARER)
            .open("saml:SubjectConfirmationData")
            .attr_if("InResponseTo", self.in_response_to)
            .attr("NotOnOrAfter", &time::render(self.confirmed_until))
            .attr("Recipient", self.recipient)
            .close()
            .close()
            .close();
    }

    fn conditions(&self, writer: &mut Writer) {
        writer
            .open("saml:Conditions")
            .attr_if("NotBefore", self.not_before.map(time::render).as_deref())
            .attr_if("NotOnOrAfter", self.not_on_or_after.map(time::render).as_deref());
        for restriction in self.audiences {
            writer.open("saml:AudienceRestriction");
            for audience in *restriction {
                writer.leaf("saml:Audience", audience);
            }
            writer.close();
        }
        if self.one_time_use {
            writer.open("saml:OneTimeUse").close();
        }
        writer.close();
    }

    fn authn_statement(&self, writer: &mut Writer) {
        writer
            .open("saml:AuthnStatement")
            .attr("AuthnInstant", &time::render(self.authn_instant))
            .attr_if("SessionIndex", self.session_index)
            .attr_if("SessionNotOnOrAfter", self.session_not_on_or_after.map(time::render).as_deref())
            .open("saml:AuthnContext")
            .leaf("saml:AuthnContextClassRef", self.authn_context)
            .close()
            .close();
    }

    fn attribute(&self, writer: &mut Writer, attribute: &Attribute) {
        writer
            .open("saml:Attribute")
            .attr("Name", &attribute.name)
            .attr_if("NameFormat", attribute.name_format.as_deref())
            .attr_if("FriendlyName", attribute.friendly_name.as_deref());
        for value in &attribute.values {
            writer.open("saml:AttributeValue");
            if self.typed {
                writer.declare("xs").attr("xsi:type", "xs:string");
            }
            writer.text(value).close();
        }
        writer.close();
    }
}
