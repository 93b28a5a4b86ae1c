//! A connection whose provider speaks SAML. The typed fields are named as elsewhere in the field (S3-34).

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::foundation::secret::Secret;
use crate::keys::brought::{self, Brought};
use crate::manage::connections::wanted;
use crate::manage::house_file::fault::Placed;
use crate::manage::house_file::parts::{DescribedBy, SamlPart};
use crate::manage::house_file::read::keys::Keys;
use crate::manage::house_file::read::values;
use crate::model::connection::metadata::LARGEST;
use crate::model::connection::presets::Facts;
use crate::model::connection::{
    AttributeMapping, Comparison, IdentityProvider, IdpInitiated, LoginHint, NameIdFormat, OwnCertificates,
    RequestBinding, RequestSettings, RequestedAuthnContext, SamlPreset, SamlSignature, ServiceEndpoint,
    ServiceEndpoints, Subject, WantedSignature, Wants,
};
use crate::model::saml_key::Purpose;
use crate::protocol::saml::keys::{SigningKey, VerifyingKey};

const PRESETS: [&str; 10] = [
    "generic",
    "okta",
    "entra",
    "google",
    "adfs",
    "shibboleth",
    "keycloak",
    "simplesamlphp",
    "pingfederate",
    "onelogin",
];
const SIGNATURES: [&str; 5] = ["rsa-sha256", "rsa-sha384", "rsa-sha512", "ecdsa-sha256", "ecdsa-sha384"];

pub fn read(keys: &mut Keys<'_>) -> SamlPart {
    let preset = keys.word("preset", &PRESETS).map_or(SamlPreset::Generic, |word| word.value);
    let facts = preset.facts();
    let described = described(keys);
    let (own, brought, signing) = own(keys);
    let request = request(keys, &facts, signing.as_ref());
    let (idp_initiated, default_application) = idp_initiated(keys);
    let signed = keys.word("want_signed", &["either", "assertion", "response", "both"]);
    SamlPart {
        preset,
        described,
        request,
        wants: Wants {
            signed: signed.map_or(WantedSignature::Either, |word| word.value),
            encrypted: keys.flag("want_encrypted", false),
        },
        subject: keys
            .text("subject_attribute")
            .map_or(Subject::NameId, |name| Subject::Attribute(said(keys, name))),
        attributes: attributes(keys, &facts),
        required_attributes: required_attributes(keys),
        idp_initiated,
        default_application,
        honours_session_end: keys.flag("session_not_on_or_after", true),
        single_logout: keys.flag("single_logout", facts.single_logout),
        own,
        secret: brought.secret(),
    }
}

/// What a login that the provider begins leads to, and the application that it is for.
fn idp_initiated(keys: &mut Keys<'_>) -> (IdpInitiated, Option<Placed<String>>) {
    let word = keys.word("idp_initiated", &["off", "round_trip", "accept"]);
    let application = keys.text("default_application");
    if let Some(word) = word.as_ref().filter(|word| word.value != IdpInitiated::Off)
        && !keys.is_written("default_application")
    {
        keys.reader.refuse(word.at, wanted::NEEDS_APPLICATION);
    }
    (word.map_or(IdpInitiated::Off, |word| word.value), application)
}

/// Metadata as a text, as a file or at an address, or typed: one of the four.
fn described(keys: &mut Keys<'_>) -> DescribedBy {
    let reader = keys.reader;
    let given = given(keys);
    let url = keys.text("metadata_url");
    let entity_id = keys.text("metadata_entity_id");
    let signer = certificates(keys, "metadata_certificate");
    let typed = typed(keys);
    let metadata_at = given.iter().map(|given| given.at).chain(url.as_ref().map(|url| url.at));
    let metadata_at: Vec<_> = metadata_at.collect();
    let mut described_at: Vec<_> = metadata_at.iter().copied().chain(typed.at).collect();
    described_at.sort();
    for at in described_at.into_iter().skip(1) {
        reader.refuse(
            at,
            "describes the provider again: by metadata, metadata_file, metadata_url, or the keys idp_…",
        );
    }
    if metadata_at.is_empty() {
        for at in entity_id.iter().map(|text| text.at).chain(signer.iter().map(|list| list.at)) {
            reader.refuse(at, "goes with metadata, metadata_file or metadata_url");
        }
    }
    let entity_id = entity_id.map(|text| text.value);
    let signer = match signer {
        Some(list) if list.value.len() > 1 => {
            reader.refuse(list.at, "must be one certificate");
            None
        }
        other => other.and_then(|list| list.value.into_iter().next()),
    };
    match (given.into_iter().next(), url) {
        (Some(given), _) => DescribedBy::Document { document: given.map(Arc::new), entity_id, signer },
        (None, Some(url)) => match values::web_address(reader, &url) {
            Some(address) => DescribedBy::Address { url: url.map(|_| address), entity_id, signer },
            None => DescribedBy::Typed(typed.idp),
        },
        (None, None) => DescribedBy::Typed(typed.idp),
    }
}

/// Documents that are here as a whole: written into the file itself, or as a file beside it.
fn given(keys: &mut Keys<'_>) -> Vec<Placed<Vec<u8>>> {
    let text = keys.text("metadata");
    let text = text.map(|text| text.map(|text| text.trim().as_bytes().to_vec()));
    if let Some(text) = text.as_ref().filter(|text| text.value.len() > LARGEST) {
        keys.reader.refuse(text.at, format!("has more than {LARGEST} bytes"));
    }
    text.into_iter().chain(keys.file("metadata_file", LARGEST)).collect()
}

struct Typed {
    idp: IdentityProvider,
    /// Where the first of its keys is.
    at: Option<crate::manage::house_file::Place>,
}

fn typed(keys: &mut Keys<'_>) -> Typed {
    let reader = keys.reader;
    let mut at = None;
    let entity_id = keys.text("idp_entity_id");
    if let Some(text) = &entity_id {
        at = at.or(Some(text.at));
        reader.accept(text.at, wanted::entity_id(&text.value));
    }
    let mut endpoint = |key: &str| {
        let text = keys.text(key)?;
        at = at.or(Some(text.at));
        reader.accept(text.at, wanted::saml_address(&text.value))?;
        Some(ServiceEndpoint { location: text.value, response_location: None })
    };
    let sso = ServiceEndpoints { redirect: endpoint("idp_redirect_url"), post: endpoint("idp_post_url") };
    let slo = ServiceEndpoints { redirect: endpoint("idp_slo_url"), post: endpoint("idp_slo_post_url") };
    let certificates = certificates(keys, "idp_x509_certificate");
    at = at.or(certificates.as_ref().map(|list| list.at));
    let certificates = certificates.map_or_else(Vec::new, |list| list.value);
    Typed {
        idp: IdentityProvider { entity_id: entity_id.map(|text| text.value), sso, slo, certificates },
        at,
    }
}

/// One certificate or several, as base64 of DER.
fn certificates(keys: &mut Keys<'_>, key: &str) -> Option<Placed<Vec<String>>> {
    let list = keys.texts_or_references(key)?;
    let read = |text: Placed<String>| keys.reader.accept(text.at, wanted::certificate(&text.value));
    let mut read: Vec<_> = list.value.into_iter().filter_map(read).collect();
    wanted::keep_once(&mut read);
    Some(Placed { value: read, at: list.at })
}

/// Keys that were brought, each with its certificate; and the one that signs, if it can be read.
fn own(keys: &mut Keys<'_>) -> (OwnCertificates, Brought, Option<SigningKey>) {
    let mut seen = Vec::new();
    let signing = own_key(keys, "signing", Purpose::Signing, &mut seen);
    let next_signing = own_key(keys, "next_signing", Purpose::Signing, &mut seen);
    let decryption = own_key(keys, "decryption", Purpose::Decryption, &mut seen);
    let next_decryption = own_key(keys, "next_decryption", Purpose::Decryption, &mut seen);
    let previous_decryption = own_key(keys, "previous_decryption", Purpose::Decryption, &mut seen);
    let signs = signing.pem.as_ref().and_then(brought::signing_key);
    let own = OwnCertificates {
        signing: signing.certificate,
        next_signing: next_signing.certificate,
        decryption: decryption.certificate,
        next_decryption: next_decryption.certificate,
        previous_decryption: previous_decryption.certificate,
    };
    let brought = Brought {
        signing: signing.pem,
        next_signing: next_signing.pem,
        decryption: decryption.pem,
        next_decryption: next_decryption.pem,
        previous_decryption: previous_decryption.pem,
    };
    (own, brought, signs)
}

struct OwnKey {
    pem: Option<Secret>,
    certificate: Option<String>,
}

/// One of them, which is none of those that were seen before.
fn own_key(
    keys: &mut Keys<'_>,
    name: &str,
    purpose: Purpose,
    seen: &mut Vec<(String, VerifyingKey)>,
) -> OwnKey {
    let pem = keys.secret(&format!("{name}_key"));
    let public =
        pem.as_ref().and_then(|pem| keys.reader.accept(pem.at, wanted::own_key(&pem.value, purpose)));
    let certificate = own_certificate(keys, name, pem.as_ref(), public.as_ref());
    if let (Some(pem), Some(public)) = (&pem, public) {
        if let Some((other, _)) = seen.iter().find(|(_, known)| *known == public) {
            keys.reader.refuse(pem.at, format!("must be another key than {other}_key"));
        }
        seen.push((name.to_owned(), public));
    }
    OwnKey { pem: pem.map(|pem| pem.value), certificate }
}

fn own_certificate(
    keys: &mut Keys<'_>,
    purpose: &str,
    pem: Option<&Placed<Secret>>,
    key: Option<&VerifyingKey>,
) -> Option<String> {
    let name = format!("{purpose}_certificate");
    let found = certificates(keys, &name);
    match (&found, pem) {
        (None, Some(_)) => keys.missing(&name),
        (Some(list), None) => keys.reader.refuse(list.at, format!("needs {purpose}_key")),
        _ => {}
    }
    let found = found?;
    let [text] = found.value.as_slice() else {
        if !found.value.is_empty() {
            keys.reader.refuse(found.at, "must be one certificate");
        }
        return None;
    };
    if let Some(key) = key {
        keys.reader.accept(found.at, wanted::certifies(text, key, &format!("{purpose}_key")));
    }
    Some(text.clone())
}

fn request(keys: &mut Keys<'_>, facts: &Facts, own: Option<&SigningKey>) -> RequestSettings {
    let binding = keys.word("request_binding", &["redirect", "post"]);
    let name_id_format = name_id_format(keys, facts);
    RequestSettings {
        binding: binding.map_or(RequestBinding::Redirect, |word| word.value),
        force_authn: keys.flag("force_authn", false),
        authn_context: authn_context(keys),
        name_id_format,
        scoping: keys
            .texts("scoping")
            .map_or_else(Vec::new, |list| list.value.into_iter().map(|item| said(keys, item)).collect()),
        login_hint: login_hint(keys, facts),
        signature: signature(keys, own),
    }
}

fn name_id_format(keys: &mut Keys<'_>, facts: &Facts) -> Option<NameIdFormat> {
    let Some(text) = keys.text("name_id_format") else { return facts.name_id_format };
    let has_subject_attribute = keys.is_written("subject_attribute");
    keys.reader.accept(text.at, wanted::name_id_format(&text.value, has_subject_attribute)).flatten()
}

fn authn_context(keys: &mut Keys<'_>) -> Option<RequestedAuthnContext> {
    let mut table = keys.table("authn_context")?;
    let comparison = table.word("comparison", &["exact", "minimum", "maximum", "better"]);
    let classes = table.texts("classes");
    if classes.as_ref().is_none_or(|list| list.value.is_empty()) {
        table.missing("classes");
    }
    table.finish();
    Some(RequestedAuthnContext {
        comparison: comparison.map_or(Comparison::Exact, |word| word.value),
        classes: classes?.value.into_iter().map(|item| said(keys, item)).collect(),
    })
}

fn login_hint(keys: &mut Keys<'_>, facts: &Facts) -> LoginHint {
    let Some(text) = keys.text("login_hint") else { return facts.login_hint() };
    keys.reader.accept(text.at, wanted::login_hint(&text.value)).unwrap_or(LoginHint::None)
}

fn signature(keys: &mut Keys<'_>, own: Option<&SigningKey>) -> Option<SamlSignature> {
    let word = keys.word::<SamlSignature>("signature_algorithm", &SIGNATURES)?;
    keys.reader.accept(word.at, wanted::signature(word.value, own));
    Some(word.value)
}

/// What the file says comes before what the preset says.
fn attributes(keys: &mut Keys<'_>, facts: &Facts) -> AttributeMapping {
    let mut mapping = facts.attributes();
    if let Some(mut table) = keys.table("attributes") {
        for (key, names) in [
            ("email", &mut mapping.email),
            ("name", &mut mapping.name),
            ("given_name", &mut mapping.given_name),
            ("family_name", &mut mapping.family_name),
            ("groups", &mut mapping.groups),
            ("locale", &mut mapping.locale),
        ] {
            if let Some(given) = said_list(&mut table, key) {
                *names = given;
            }
        }
        table.finish();
    }
    let mut taken = wanted::Claims::default();
    for (key, claims) in [("claims", &mut mapping.claims), ("claim_lists", &mut mapping.claim_lists)] {
        if let Some(table) = keys.table(key) {
            check_claims(&table, &mut taken);
            *claims = names_by_name(table);
        }
    }
    mapping.claim_lists.retain(|name, _| !mapping.claims.contains_key(name));
    mapping
}

/// What a message is to say, or is asked for by.
fn said(keys: &Keys<'_>, text: Placed<String>) -> String {
    keys.reader.accept(text.at, wanted::xml_text(&text.value));
    text.value
}

fn said_list(keys: &mut Keys<'_>, key: &str) -> Option<Vec<String>> {
    Some(match keys.text_or_list(key)? {
        Ok(text) => vec![said(keys, text)],
        Err(list) => list.into_iter().map(|item| said(keys, item)).collect(),
    })
}

fn names_by_name(mut table: Keys<'_>) -> BTreeMap<String, Vec<String>> {
    let all = table.names();
    let read = |name: Placed<String>| said_list(&mut table, &name.value).map(|texts| (name.value, texts));
    all.into_iter().filter_map(read).collect()
}

/// `taken`: those that are mapped already.
fn check_claims(table: &Keys<'_>, taken: &mut wanted::Claims) {
    for name in table.names() {
        for why in taken.take(&name.value) {
            table.reader.refuse(name.at, why);
        }
    }
}

fn required_attributes(keys: &mut Keys<'_>) -> BTreeMap<String, Vec<String>> {
    let Some(table) = keys.table("required_attributes") else { return BTreeMap::new() };
    let (reader, names) = (table.reader, table.names());
    let read = names_by_name(table);
    for name in names.iter().filter(|name| read.get(&name.value).is_some_and(Vec::is_empty)) {
        reader.refuse(name.at, wanted::NEEDS_VALUE);
    }
    read
}
