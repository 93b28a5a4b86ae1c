//! What is said of an upstream SAML identity provider (S3-34).

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{Alike, DescribedBy, Faults, Proof, Said, of_saml};
use crate::foundation::secret::Secret;
use crate::manage::connections::wanted;
use crate::manage::refused::Refused;
use crate::model::connection::presets::Facts;
use crate::model::connection::{
    AttributeMapping, Comparison, IdentityProvider, IdpInitiated, Jit, LoginHint, NameIdFormat,
    OwnCertificates, RequestBinding, RequestSettings, RequestedAuthnContext, SamlPreset, SamlSettings,
    SamlSignature, ServiceEndpoint, ServiceEndpoints, Settings, Subject, Unusable, WantedSignature, Wants,
    keys_of,
};
use crate::protocol::saml::keys::Certificate;

/// A text, or several.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Texts {
    One(String),
    Many(Vec<String>),
}

impl Texts {
    fn list(&self) -> Vec<String> {
        match self {
            Self::One(text) => vec![text.clone()],
            Self::Many(list) => list.clone(),
        }
    }
}

type Names = BTreeMap<String, Texts>;

/// A connection whose provider speaks SAML. The provider is described by `metadata_url`, by `metadata_xml`, or by the
/// keys `idp_…`; absent: it stays who it is.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SamlBody {
    /// Fills in what is known of the provider; usually `generic`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(
        with = "Option<String>",
        extend("enum" = ["generic", "okta", "entra", "google", "adfs", "shibboleth", "keycloak", "simplesamlphp",
                         "pingfederate", "onelogin"])
    )]
    pub preset: Option<SamlPreset>,
    /// Read when it is given, and again from time to time. Where the same is known, what is known stays.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata_url: Option<String>,
    /// Reads `metadata_url` now and believes what stands there, whoever wrote it: compare the certificates before that is
    /// live.
    #[serde(skip_serializing)]
    #[schemars(extend("writeOnly" = true))]
    pub read_metadata: Option<bool>,
    /// The document as a whole.
    #[serde(skip_serializing)]
    #[schemars(extend("writeOnly" = true))]
    pub metadata_xml: Option<String>,
    /// Which one of several the document describes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata_entity_id: Option<String>,
    /// Whoever must have signed the document: PEM, or base64 of DER.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata_certificate: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idp_entity_id: Option<String>,
    /// Where people sign in, by HTTP-Redirect.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idp_redirect_url: Option<String>,
    /// The same, by HTTP-POST.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idp_post_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idp_slo_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idp_slo_post_url: Option<String>,
    /// Whose signatures are believed: each PEM, or base64 of DER.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idp_x509_certificate: Option<Texts>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("enum" = ["redirect", "post"]))]
    pub request_binding: Option<RequestBinding>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub force_authn: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authn_context: Option<ContextBody>,
    /// `none`: no policy is sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("enum" = ["none", "unspecified", "email_address", "persistent", "transient"]))]
    pub name_id_format: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scoping: Option<Vec<String>>,
    /// `none`, `subject`, or the name of a parameter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub login_hint: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(
        with = "Option<String>",
        extend("enum" = ["rsa-sha256", "rsa-sha384", "rsa-sha512", "ecdsa-sha256", "ecdsa-sha384"])
    )]
    pub signature_algorithm: Option<SamlSignature>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("enum" = ["either", "assertion", "response", "both"]))]
    pub want_signed: Option<WantedSignature>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub want_encrypted: Option<bool>,
    /// The attribute that names the person for good; absent: the `NameID`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject_attribute: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attributes: Option<AttributesBody>,
    /// Further claims of one value, with the attributes that are tried in turn.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub claims: Option<Names>,
    /// Further claims that are lists; usually, of `entra`, `app_roles`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub claim_lists: Option<Names>,
    /// Attributes that must have one of these values.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub required_attributes: Option<Names>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("enum" = ["off", "round_trip", "accept"]))]
    pub idp_initiated: Option<IdpInitiated>,
    /// The client_id of the application that such logins are for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_application: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_not_on_or_after: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub single_logout: Option<bool>,
    /// Of the key by which we sign, if one was brought. With the same certificate the key may be left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signing_certificate: Option<String>,
    #[serde(skip_serializing)]
    #[schemars(with = "Option<String>", extend("writeOnly" = true))]
    pub signing_key: Option<Secret>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_signing_certificate: Option<String>,
    #[serde(skip_serializing)]
    #[schemars(with = "Option<String>", extend("writeOnly" = true))]
    pub next_signing_key: Option<Secret>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decryption_certificate: Option<String>,
    #[serde(skip_serializing)]
    #[schemars(with = "Option<String>", extend("writeOnly" = true))]
    pub decryption_key: Option<Secret>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_decryption_certificate: Option<String>,
    #[serde(skip_serializing)]
    #[schemars(with = "Option<String>", extend("writeOnly" = true))]
    pub next_decryption_key: Option<Secret>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous_decryption_certificate: Option<String>,
    #[serde(skip_serializing)]
    #[schemars(with = "Option<String>", extend("writeOnly" = true))]
    pub previous_decryption_key: Option<Secret>,
    /// What happens at the first sign-in of somebody unknown; usually `create_and_join`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("enum" = ["create_and_join", "expected_only"]))]
    pub jit: Option<Jit>,
    /// Organizations that a new user joins besides, by id, UUID or slug. The operator's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub assign_organizations: Option<Vec<String>>,
    /// Roles that a new user gets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_roles: Option<Vec<String>>,
    /// Seconds of clock difference that are forgiven; usually 60.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maximum" = wanted::MOST_LEEWAY))]
    pub leeway: Option<u64>,
    /// Passes an application's `prompt=none` on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub silent_sign_in: Option<bool>,
}

/// `RequestedAuthnContext` (SAML 2.0 Core, section 3.3.2.2.1).
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ContextBody {
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("enum" = ["exact", "minimum", "maximum", "better"]))]
    pub comparison: Option<Comparison>,
    pub classes: Vec<String>,
}

/// Which attributes say what: names that are tried in turn.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AttributesBody {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<Texts>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<Texts>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub given_name: Option<Texts>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub family_name: Option<Texts>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub groups: Option<Texts>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub locale: Option<Texts>,
}

/// Keys that were brought: of each its certificate, and the key where it was sent.
#[derive(Clone, Debug, Default)]
pub struct Own {
    pub signing: OwnKey,
    pub next_signing: OwnKey,
    pub decryption: OwnKey,
    pub next_decryption: OwnKey,
    pub previous_decryption: OwnKey,
}

#[derive(Clone, Debug, Default)]
pub struct OwnKey {
    /// Base64 of DER.
    pub certificate: Option<String>,
    pub pem: Option<Secret>,
}

const OF_METADATA: [&str; 5] =
    ["metadata_url", "read_metadata", "metadata_xml", "metadata_entity_id", "metadata_certificate"];
const TYPED: [&str; 6] = [
    "idp_entity_id",
    "idp_redirect_url",
    "idp_post_url",
    "idp_slo_url",
    "idp_slo_post_url",
    "idp_x509_certificate",
];

/// A change describes the provider in one way, and what it does not say of that is as it was; or it says nothing of it.
pub fn fit_description(
    base: &mut Map<String, Value>,
    patch: &Map<String, Value>,
    (settings, saml): (&Settings, &SamlSettings),
) -> Result<(), Refused> {
    let says = |names: &[&str]| names.iter().any(|name| patch.contains_key(*name));
    let gives =
        |names: &[&str]| names.iter().any(|name| patch.get(*name).is_some_and(|value| !value.is_null()));
    let (by_address, by_document, typed) =
        (gives(&["metadata_url"]), gives(&["metadata_xml"]), gives(&TYPED));
    if !by_address && !by_document && !typed && says(&["metadata_url"]) && saml.metadata_address().is_some() {
        let rule = "must be another address; or say by metadata_xml or idp_… who the provider is from now on";
        return Err(Refused::value("/metadata_url", rule));
    }
    if !says(&OF_METADATA) || (typed && !by_address && !by_document) {
        OF_METADATA.iter().for_each(|name| drop(base.remove(*name)));
    }
    if by_document && !by_address {
        base.remove("metadata_url");
    }
    if !says(&TYPED) {
        TYPED.iter().for_each(|name| drop(base.remove(*name)));
    } else if typed && saml.metadata.is_some() {
        // As it was read.
        let read = SamlSettings { metadata: None, ..saml.clone() };
        if let Ok(Value::Object(read)) = serde_json::to_value(SamlBody::of(settings, &read)) {
            base.extend(read.into_iter().filter(|(name, _)| TYPED.contains(&name.as_str())));
        }
    }
    Ok(())
}

/// Takes away what the preset would fill in again: another one fills in something else.
pub fn undo_preset(base: &mut Map<String, Value>, saml: &SamlSettings) {
    let facts = saml.preset.facts();
    let usual = json!(AttributesBody::of(&facts.attributes()));
    if let Some(attributes) = base.get_mut("attributes").and_then(Value::as_object_mut) {
        attributes.retain(|name, value| usual.get(name) != Some(value));
    }
    if saml.attributes.claim_lists == facts.attributes().claim_lists {
        base.remove("claim_lists");
    }
    let request = &saml.request;
    let undone = [
        ("name_id_format", request.name_id_format == facts.name_id_format),
        ("login_hint", request.login_hint == facts.login_hint()),
        ("single_logout", saml.single_logout == facts.single_logout),
    ];
    undone.iter().filter(|(_, usual)| *usual).for_each(|(name, _)| drop(base.remove(*name)));
}

impl SamlBody {
    pub fn of(settings: &Settings, saml: &SamlSettings) -> Self {
        let metadata_url = saml.metadata_address().map(ToString::to_string);
        let saml = saml.clone();
        let (metadata, request, own) = (saml.metadata, saml.request, saml.own);
        let is_typed = metadata.is_none();
        let location =
            |endpoint: Option<ServiceEndpoint>| endpoint.filter(|_| is_typed).map(|it| it.location);
        let by_name = |names: BTreeMap<String, Vec<String>>| {
            names.into_iter().map(|(name, texts)| (name, Texts::Many(texts))).collect::<Names>()
        };
        Self {
            preset: Some(saml.preset),
            metadata_url,
            metadata_xml: None,
            metadata_entity_id: metadata.as_ref().and_then(|metadata| metadata.entity_id.clone()),
            metadata_certificate: metadata.and_then(|metadata| metadata.signer),
            idp_entity_id: saml.idp.entity_id.filter(|_| is_typed),
            idp_redirect_url: location(saml.idp.sso.redirect),
            idp_post_url: location(saml.idp.sso.post),
            idp_slo_url: location(saml.idp.slo.redirect),
            idp_slo_post_url: location(saml.idp.slo.post),
            idp_x509_certificate: is_typed.then_some(Texts::Many(saml.idp.certificates)),
            request_binding: Some(request.binding),
            force_authn: Some(request.force_authn),
            authn_context: request.authn_context.map(|context| ContextBody {
                comparison: Some(context.comparison),
                classes: context.classes,
            }),
            name_id_format: Some(request.name_id_format.map_or("none", NameIdFormat::word).to_owned()),
            scoping: Some(request.scoping),
            login_hint: Some(match request.login_hint {
                LoginHint::None => "none".into(),
                LoginHint::Subject => "subject".into(),
                LoginHint::Parameter(name) => name,
            }),
            signature_algorithm: request.signature,
            want_signed: Some(saml.wants.signed),
            want_encrypted: Some(saml.wants.encrypted),
            subject_attribute: match saml.subject {
                Subject::NameId => None,
                Subject::Attribute(name) => Some(name),
            },
            attributes: Some(AttributesBody::of(&saml.attributes)),
            claims: Some(by_name(saml.attributes.claims)),
            claim_lists: Some(by_name(saml.attributes.claim_lists)),
            required_attributes: Some(by_name(saml.required_attributes)),
            idp_initiated: Some(saml.idp_initiated),
            default_application: saml.default_application,
            session_not_on_or_after: Some(saml.honours_session_end),
            single_logout: Some(saml.single_logout),
            signing_certificate: own.signing,
            next_signing_certificate: own.next_signing,
            decryption_certificate: own.decryption,
            next_decryption_certificate: own.next_decryption,
            previous_decryption_certificate: own.previous_decryption,
            jit: Some(settings.jit),
            assign_organizations: Some(
                settings.assign_organizations.iter().map(ToString::to_string).collect(),
            ),
            default_roles: Some(settings.default_roles.clone()),
            leeway: Some(settings.leeway),
            silent_sign_in: Some(settings.silent_sign_in),
            ..Self::default()
        }
    }

    pub fn said(self) -> Result<Said, Refused> {
        let mut faults = Faults::default();
        let preset = self.preset.unwrap_or(SamlPreset::Generic);
        let facts = preset.facts();
        let described = self.described(&mut faults);
        let own = self.own(&mut faults);
        let (idp_initiated, default_application) =
            (self.idp_initiated.unwrap_or(IdpInitiated::Off), self.default_application.clone());
        if idp_initiated != IdpInitiated::Off && default_application.is_none() {
            faults.refuse("/idp_initiated", wanted::NEEDS_APPLICATION);
        }
        for (name, _) in
            self.required_attributes.iter().flatten().filter(|(_, texts)| texts.list().is_empty())
        {
            faults.refuse(format!("/required_attributes/{name}"), wanted::NEEDS_VALUE);
        }
        for (pointer, text) in self.texts() {
            faults.accept(pointer, wanted::xml_text(&text));
        }
        let saml = SamlSettings {
            preset,
            idp: IdentityProvider::default(),
            metadata: None,
            past: Default::default(),
            request: self.request(&facts, &mut faults),
            wants: Wants {
                signed: self.want_signed.unwrap_or(WantedSignature::Either),
                encrypted: self.want_encrypted.unwrap_or(false),
            },
            subject: self.subject_attribute.clone().map_or(Subject::NameId, Subject::Attribute),
            attributes: self.attributes(&facts, &mut faults),
            required_attributes: lists(self.required_attributes.as_ref()),
            idp_initiated,
            default_application,
            honours_session_end: self.session_not_on_or_after.unwrap_or(true),
            single_logout: self.single_logout.unwrap_or(facts.single_logout),
            own: OwnCertificates {
                signing: own.signing.certificate.clone(),
                next_signing: own.next_signing.certificate.clone(),
                decryption: own.decryption.certificate.clone(),
                next_decryption: own.next_decryption.certificate.clone(),
                previous_decryption: own.previous_decryption.certificate.clone(),
            },
        };
        let alike = Alike {
            jit: self.jit,
            default_roles: self.default_roles,
            leeway: self.leeway,
            silent_sign_in: self.silent_sign_in,
        };
        let settings = alike.settings(of_saml(saml), &mut faults);
        faults.end()?;
        Ok(Said {
            settings,
            described,
            assign_organizations: self.assign_organizations.unwrap_or_default(),
            proof: Proof::Own(Box::new(own)),
        })
    }

    /// All that a message is to say, or is asked for by.
    fn texts(&self) -> Vec<(String, String)> {
        let classes = self.authn_context.as_ref().map(|context| Texts::Many(context.classes.clone()));
        let own = self.attributes.clone().unwrap_or_default();
        let named = [
            ("/scoping", self.scoping.clone().map(Texts::Many)),
            ("/authn_context/classes", classes),
            ("/subject_attribute", self.subject_attribute.clone().map(Texts::One)),
            ("/attributes/email", own.email),
            ("/attributes/name", own.name),
            ("/attributes/given_name", own.given_name),
            ("/attributes/family_name", own.family_name),
            ("/attributes/groups", own.groups),
            ("/attributes/locale", own.locale),
        ];
        let mut all = Vec::new();
        for (pointer, texts) in named {
            let texts = texts.iter().flat_map(Texts::list);
            all.extend(texts.map(|text| (pointer.to_owned(), text)));
        }
        let tables = [("claims", &self.claims), ("claim_lists", &self.claim_lists)];
        for (table, names) in tables.into_iter().chain([("required_attributes", &self.required_attributes)]) {
            for (name, texts) in names.iter().flatten() {
                let pointer = format!("/{table}/{name}");
                all.extend(
                    texts.list().into_iter().chain([name.clone()]).map(|text| (pointer.clone(), text)),
                );
            }
        }
        all
    }

    fn described(&self, faults: &mut Faults) -> DescribedBy {
        let typed = self.typed(faults);
        let entity_id = self.metadata_entity_id.clone();
        let signer = self.metadata_certificate.as_ref();
        let signer =
            signer.and_then(|text| faults.accept("/metadata_certificate", wanted::certificate(text)));
        let given = [
            ("/metadata_url", self.metadata_url.is_some()),
            ("/metadata_xml", self.metadata_xml.is_some()),
            ("/idp_entity_id", typed.is_some()),
        ];
        let mut given = given.iter().filter(|(_, given)| *given);
        given.next();
        for (pointer, _) in given {
            faults.refuse(*pointer, "describes the provider again: by metadata_url, metadata_xml or idp_…");
        }
        if self.metadata_url.is_none() && self.metadata_xml.is_none() {
            for (pointer, is_given) in [
                ("/metadata_entity_id", self.metadata_entity_id.is_some()),
                ("/metadata_certificate", self.metadata_certificate.is_some()),
            ] {
                if is_given {
                    faults.refuse(pointer, "goes with metadata_xml or metadata_url");
                }
            }
        }
        let anew = self.read_metadata == Some(true);
        if anew && self.metadata_url.is_none() {
            faults.refuse("/read_metadata", "goes with metadata_url");
        }
        match (&self.metadata_url, &self.metadata_xml, typed) {
            (Some(text), ..) => match faults.accept("/metadata_url", wanted::web_address(text)) {
                Some(url) => DescribedBy::Address { url, entity_id, signer, anew },
                None => DescribedBy::Known,
            },
            (None, Some(text), _) => {
                DescribedBy::Document { document: text.trim().to_owned(), entity_id, signer }
            }
            (None, None, Some(idp)) => DescribedBy::Typed(idp),
            (None, None, None) => DescribedBy::Known,
        }
    }

    fn typed(&self, faults: &mut Faults) -> Option<IdentityProvider> {
        if let Some(text) = &self.idp_entity_id {
            faults.accept("/idp_entity_id", wanted::entity_id(text));
        }
        let mut endpoint = |name: &str, text: &Option<String>| {
            let location = text.clone()?;
            faults.accept(format!("/{name}"), wanted::saml_address(&location))?;
            Some(ServiceEndpoint { location, response_location: None })
        };
        let sso = ServiceEndpoints {
            redirect: endpoint("idp_redirect_url", &self.idp_redirect_url),
            post: endpoint("idp_post_url", &self.idp_post_url),
        };
        let slo = ServiceEndpoints {
            redirect: endpoint("idp_slo_url", &self.idp_slo_url),
            post: endpoint("idp_slo_post_url", &self.idp_slo_post_url),
        };
        let list = self.idp_x509_certificate.as_ref().map_or_else(Vec::new, Texts::list);
        let read = |(place, text): (usize, &String)| {
            faults.accept(format!("/idp_x509_certificate/{place}"), wanted::certificate(text))
        };
        let mut certificates: Vec<_> = list.iter().enumerate().filter_map(read).collect();
        wanted::keep_once(&mut certificates);
        let read: Vec<_> =
            certificates.iter().filter_map(|text| Certificate::from_base64(text).ok()).collect();
        if keys_of(&read).is_none() {
            faults.refuse("/idp_x509_certificate", Unusable::Costly.to_string());
        }
        let is_given = [
            &self.idp_entity_id,
            &self.idp_redirect_url,
            &self.idp_post_url,
            &self.idp_slo_url,
            &self.idp_slo_post_url,
        ]
        .into_iter()
        .any(Option::is_some)
            || self.idp_x509_certificate.is_some();
        let entity_id = self.idp_entity_id.clone();
        is_given.then_some(IdentityProvider { entity_id, sso, slo, certificates })
    }

    fn own(&self, faults: &mut Faults) -> Own {
        let mut key = |name: &str, certificate: &Option<String>, pem: &Option<Secret>| {
            let pointer = format!("/{name}_certificate");
            if certificate.is_none() && pem.is_some() {
                faults.refuse(pointer.clone(), "is missing");
            }
            let read = |text: &String| faults.accept(pointer, wanted::certificate(text));
            OwnKey { certificate: certificate.as_ref().and_then(read), pem: pem.clone() }
        };
        Own {
            signing: key("signing", &self.signing_certificate, &self.signing_key),
            next_signing: key("next_signing", &self.next_signing_certificate, &self.next_signing_key),
            decryption: key("decryption", &self.decryption_certificate, &self.decryption_key),
            next_decryption: key(
                "next_decryption",
                &self.next_decryption_certificate,
                &self.next_decryption_key,
            ),
            previous_decryption: key(
                "previous_decryption",
                &self.previous_decryption_certificate,
                &self.previous_decryption_key,
            ),
        }
    }

    fn request(&self, facts: &Facts, faults: &mut Faults) -> RequestSettings {
        let has_subject = self.subject_attribute.is_some();
        let format = self.name_id_format.as_ref();
        let format = format.map(|text| wanted::name_id_format(text, has_subject));
        if self.authn_context.as_ref().is_some_and(|context| context.classes.is_empty()) {
            faults.refuse("/authn_context/classes", "must name at least one");
        }
        RequestSettings {
            binding: self.request_binding.unwrap_or(RequestBinding::Redirect),
            force_authn: self.force_authn.unwrap_or(false),
            authn_context: self.authn_context.as_ref().map(|context| RequestedAuthnContext {
                comparison: context.comparison.unwrap_or(Comparison::Exact),
                classes: context.classes.clone(),
            }),
            name_id_format: match format {
                None => facts.name_id_format,
                Some(read) => faults.accept("/name_id_format", read).flatten(),
            },
            scoping: self.scoping.clone().unwrap_or_default(),
            login_hint: match &self.login_hint {
                None => facts.login_hint(),
                Some(text) => {
                    faults.accept("/login_hint", wanted::login_hint(text)).unwrap_or(LoginHint::None)
                }
            },
            signature: self.signature_algorithm,
        }
    }

    /// What is said comes before what the preset says.
    fn attributes(&self, facts: &Facts, faults: &mut Faults) -> AttributeMapping {
        let mut mapping = facts.attributes();
        if let Some(said) = &self.attributes {
            for (said, names) in [
                (&said.email, &mut mapping.email),
                (&said.name, &mut mapping.name),
                (&said.given_name, &mut mapping.given_name),
                (&said.family_name, &mut mapping.family_name),
                (&said.groups, &mut mapping.groups),
                (&said.locale, &mut mapping.locale),
            ] {
                if let Some(said) = said {
                    *names = said.list();
                }
            }
        }
        let mut taken = wanted::Claims::default();
        for (table, said) in [("claims", &self.claims), ("claim_lists", &self.claim_lists)] {
            for name in said.iter().flat_map(BTreeMap::keys) {
                for why in taken.take(name) {
                    faults.refuse(format!("/{table}/{name}"), why);
                }
            }
        }
        mapping.claims = lists(self.claims.as_ref());
        match &self.claim_lists {
            Some(said) => mapping.claim_lists = lists(Some(said)),
            None => mapping.claim_lists.retain(|name, _| !mapping.claims.contains_key(name)),
        }
        mapping
    }
}

impl AttributesBody {
    fn of(mapping: &AttributeMapping) -> Self {
        let names = |list: &[String]| Some(Texts::Many(list.to_vec()));
        Self {
            email: names(&mapping.email),
            name: names(&mapping.name),
            given_name: names(&mapping.given_name),
            family_name: names(&mapping.family_name),
            groups: names(&mapping.groups),
            locale: names(&mapping.locale),
        }
    }
}

fn lists(names: Option<&Names>) -> BTreeMap<String, Vec<String>> {
    let list = |(name, texts): (&String, &Texts)| (name.clone(), texts.list());
    names.into_iter().flatten().map(list).collect()
}
