//! Our side of a connection, as an identity provider wants to know it.

use std::time::Duration;

use super::duration;
use crate::foundation::clock::Moment;
use crate::protocol::saml::certificate::Certificate;
use crate::protocol::saml::keys::SigningKey;
use crate::protocol::saml::names::{self, Binding};
use crate::protocol::saml::signature::{SignatureError, sign_enveloped};
use crate::protocol::saml::time;
use crate::protocol::saml::xml::Writer;

/// What we can decrypt: a cipher or a key transport with its digest and mask (XML Encryption 1.1, sections 5.2 and
/// 5.5). CBC is understood under a signed response, and not asked for.
const ENCRYPTION_METHODS: &[(&str, Option<&str>, Option<&str>)] = &[
    ("http://www.w3.org/2009/xmlenc11#aes256-gcm", None, None),
    ("http://www.w3.org/2009/xmlenc11#aes192-gcm", None, None),
    ("http://www.w3.org/2009/xmlenc11#aes128-gcm", None, None),
    (
        "http://www.w3.org/2009/xmlenc11#rsa-oaep",
        Some("http://www.w3.org/2001/04/xmlenc#sha256"),
        Some("http://www.w3.org/2009/xmlenc11#mgf1sha256"),
    ),
    ("http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p", Some("http://www.w3.org/2000/09/xmldsig#sha1"), None),
];

/// A service provider to be described: one per connection (threat C11).
#[derive(Clone, Debug)]
pub struct ServiceProvider<'a> {
    pub entity_id: &'a str,
    /// Where assertions are posted; the first is the default.
    pub acs: &'a [&'a str],
    pub slo: &'a [(Binding, &'a str)],
    /// The certificate that signs now, then those that will.
    pub signing: &'a [&'a Certificate],
    /// The certificate to encrypt for now, then those that will be; none if nothing may be encrypted.
    pub encryption: &'a [&'a Certificate],
    pub want_assertions_signed: bool,
    pub name_id_formats: &'a [&'a str],
    pub valid_until: Option<Moment>,
    pub cache_duration: Option<Duration>,
}

/// Writes an `EntityDescriptor`; signed, if a key and an id for it (`_` and 32 hex digits) are given.
pub fn write(
    provider: &ServiceProvider<'_>,
    sign: Option<(&str, &SigningKey, &Certificate)>,
) -> Result<String, SignatureError> {
    let xml = entity(provider, sign.map(|(id, ..)| id))?;
    match sign {
        None => Ok(xml),
        Some((id, key, certificate)) => sign_enveloped(&xml, id, key, Some(certificate)),
    }
}

fn entity(provider: &ServiceProvider<'_>, id: Option<&str>) -> Result<String, SignatureError> {
    let mut writer = Writer::new(names::PREFIXES);
    writer
        .open("md:EntityDescriptor")
        .attr_if("ID", id)
        .attr("entityID", provider.entity_id)
        .attr_if("validUntil", provider.valid_until.map(time::render).as_deref())
        .attr_if("cacheDuration", provider.cache_duration.map(duration::write).as_deref())
        .open("md:SPSSODescriptor")
        .attr("AuthnRequestsSigned", "true")
        .attr("WantAssertionsSigned", if provider.want_assertions_signed { "true" } else { "false" })
        .attr("protocolSupportEnumeration", names::PROTOCOL);
    for certificate in provider.signing {
        key(&mut writer, "signing", certificate);
        writer.close();
    }
    for certificate in provider.encryption {
        key(&mut writer, "encryption", certificate);
        encryption_methods(&mut writer);
        writer.close();
    }
    for (binding, location) in provider.slo {
        writer.open("md:SingleLogoutService").attr("Binding", binding.uri()).attr("Location", location);
        writer.close();
    }
    for format in provider.name_id_formats {
        writer.leaf("md:NameIDFormat", format);
    }
    for (index, location) in provider.acs.iter().enumerate() {
        writer
            .open("md:AssertionConsumerService")
            .attr("Binding", Binding::Post.uri())
            .attr("Location", location)
            .attr("index", &index.to_string())
            .attr_if("isDefault", (index == 0).then_some("true"))
            .close();
    }
    writer.close().close();
    Ok(writer.finish()?)
}

/// Opens a key descriptor with its certificate, and leaves it open.
fn key(writer: &mut Writer, r#use: &str, certificate: &Certificate) {
    writer.open("md:KeyDescriptor").attr("use", r#use).open("ds:KeyInfo").open("ds:X509Data");
    writer.leaf("ds:X509Certificate", &certificate.base64()).close().close();
}

fn encryption_methods(writer: &mut Writer) {
    for (algorithm, digest, mask) in ENCRYPTION_METHODS {
        writer.open("md:EncryptionMethod").attr("Algorithm", algorithm);
        for (name, value) in [("ds:DigestMethod", digest), ("xenc11:MGF", mask)] {
            if let Some(value) = value {
                writer.open(name).attr("Algorithm", value).close();
            }
        }
        writer.close();
    }
}
