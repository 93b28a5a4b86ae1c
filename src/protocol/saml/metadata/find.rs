//! One entity of a document that may describe thousands.

use super::read::MetadataError;
use crate::protocol::saml::keys::VerifyingKey;
use crate::protocol::saml::names;
use crate::protocol::saml::signature::{Verified, verify_enveloped};
use crate::protocol::saml::xml::{Document, Element};

/// How many entities a document may describe.
const MAX_ENTITIES: usize = 10_000;
/// Signatures that are tried, of an entity and the groups around it: each reads the whole document.
const MOST_SIGNED: usize = 3;

/// The entity of this id; without one, the only identity provider of the document.
pub fn entity<'d>(root: Element<'d>, wanted: Option<&str>) -> Result<Element<'d>, MetadataError> {
    let entities = entities(root)?;
    let is_candidate = |entity: &Element<'_>| match wanted {
        Some(wanted) => entity.attr("entityID") == Some(wanted),
        None => entities.len() == 1 || entity.children().any(|role| is_idp(&role)),
    };
    let mut candidates = entities.iter().filter(|entity| is_candidate(entity));
    match (candidates.next(), candidates.next()) {
        (Some(entity), None) => Ok(*entity),
        (Some(_), Some(_)) if wanted.is_some() => Err(MetadataError::EntityTwice),
        (Some(_), Some(_)) => Err(MetadataError::WhichEntity),
        (None, _) if wanted.is_some() => Err(MetadataError::NoSuchEntity),
        (None, _) => Err(MetadataError::NoIdentityProvider),
    }
}

/// The bytes that one of the pinned keys signed and that hold this entity: of the entity itself, or of the nearest group
/// around it that they have signed. A signature within that is somebody else's is signed with the rest: whoever publishes
/// for many passes on what each has signed for others.
pub fn signed(
    root: Element<'_>,
    wanted: Option<&str>,
    pinned: &[VerifyingKey],
) -> Result<Verified<Vec<u8>>, MetadataError> {
    let (mut around, mut nearest, mut tried) = (Some(entity(root, wanted)?), None, 0);
    while let Some(element) = around.filter(|_| tried < MOST_SIGNED) {
        if element.child(names::SIGNATURE, "Signature")?.is_some() {
            match verify_enveloped(element, pinned) {
                Ok(signed) => return Ok(signed),
                Err(error) => nearest = nearest.or(Some(error)),
            }
            tried += 1;
        }
        around = element.parent();
    }
    Err(nearest.map_or(MetadataError::NotSigned, MetadataError::Signature))
}

/// The earliest or smallest of what the entity and the groups around it say.
pub fn least<'d, T: Ord>(
    entity: Element<'d>,
    read: impl Fn(Element<'d>) -> Result<Option<T>, MetadataError>,
) -> Result<Option<T>, MetadataError> {
    let mut least = None;
    let mut around = Some(entity);
    while let Some(element) = around {
        least = least.into_iter().chain(read(element)?).min();
        around = element.parent();
    }
    Ok(least)
}

/// A role by which an entity signs people in over SAML 2.0.
pub fn is_idp(role: &Element<'_>) -> bool {
    let protocols = role.attr("protocolSupportEnumeration").unwrap_or_default();
    role.is(names::METADATA, "IDPSSODescriptor")
        && protocols.split_ascii_whitespace().any(|protocol| protocol == names::PROTOCOL)
}

/// The entities of a document in its order; groups may be nested as deep as the reader allows.
fn entities(root: Element<'_>) -> Result<Vec<Element<'_>>, MetadataError> {
    let (mut found, mut groups) = (Vec::new(), Vec::new());
    if root.is(names::METADATA, "EntityDescriptor") {
        found.push(root);
    } else if root.is(names::METADATA, "EntitiesDescriptor") {
        groups.push(root);
    } else {
        return Err(MetadataError::NotMetadata);
    }
    while let Some(group) = groups.pop() {
        for child in group.children() {
            if child.is(names::METADATA, "EntitiesDescriptor") {
                groups.push(child);
            } else if child.is(names::METADATA, "EntityDescriptor") {
                found.push(child);
            }
            if found.len() > MAX_ENTITIES {
                return Err(MetadataError::TooManyEntities);
            }
        }
    }
    Ok(found)
}

/// Parses by the limits that metadata has.
pub fn parse(xml: &[u8]) -> Result<Document<'_>, MetadataError> {
    use crate::protocol::saml::xml::Limits;
    Ok(Document::parse(xml, &Limits::METADATA)?)
}
