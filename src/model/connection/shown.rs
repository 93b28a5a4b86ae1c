//! A connection as it is shown to whoever compares two of them: as flat as the operator's file, without its secret.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{
    Connection, LoginHint, MetadataSource, SamlSettings, ServiceEndpoint, Settings, Subject, Upstream,
    fingerprint,
};

/// A connection, with its name and state.
pub fn shown(connection: &Connection) -> Value {
    let mut shown = settings(&connection.settings);
    shown.insert("display_name".into(), json!(connection.display_name));
    shown.insert("state".into(), json!(connection.state));
    Value::Object(shown)
}

/// The settings alone.
pub fn settings(settings: &Settings) -> Map<String, Value> {
    let mut shown = match &settings.upstream {
        Upstream::Oidc(oidc) => {
            let mut shown = object(oidc.as_ref());
            shown.insert(
                "required_claims".into(),
                object(oidc.required_claims.iter().cloned().collect::<BTreeMap<_, _>>()).into(),
            );
            shown
        }
        Upstream::Saml(saml) => of_saml(saml),
    };
    for (name, value) in [
        ("type", json!(settings.upstream.word())),
        ("jit", json!(settings.jit)),
        ("assign_organizations", json!(settings.assign_organizations)),
        ("default_roles", json!(settings.default_roles)),
        ("leeway", json!(settings.leeway)),
        ("silent_sign_in", json!(settings.silent_sign_in)),
    ] {
        shown.insert(name.into(), value);
    }
    shown
}

fn object(value: impl Serialize) -> Map<String, Value> {
    match serde_json::to_value(value) {
        Ok(Value::Object(object)) => object,
        _ => Map::new(),
    }
}

/// Certificates by their fingerprints.
fn of_saml(saml: &SamlSettings) -> Map<String, Value> {
    let mut shown = Map::new();
    let mut put = |name: &str, value: Value| drop(shown.insert(name.to_owned(), value));
    put("preset", json!(saml.preset));
    let location = |endpoint: &Option<ServiceEndpoint>| {
        let shown = endpoint.as_ref().map(|endpoint| match &endpoint.response_location {
            Some(answers) if *answers != endpoint.location => {
                format!("{}, answers to {answers}", endpoint.location)
            }
            _ => endpoint.location.clone(),
        });
        json!(shown)
    };
    put("idp_entity_id", json!(saml.idp.entity_id));
    put("idp_redirect_url", location(&saml.idp.sso.redirect));
    put("idp_post_url", location(&saml.idp.sso.post));
    put("idp_slo_url", location(&saml.idp.slo.redirect));
    put("idp_slo_post_url", location(&saml.idp.slo.post));
    put("idp_x509_certificate", json!(saml.idp.fingerprints()));
    let metadata = saml.metadata.as_ref();
    put("metadata_url", json!(saml.metadata_address()));
    put("metadata_entity_id", json!(metadata.and_then(|metadata| metadata.entity_id.as_ref())));
    put(
        "metadata_certificate",
        json!(metadata.and_then(|metadata| metadata.signer.as_deref()).map(fingerprint)),
    );
    // Of an address the document changes by itself.
    let document = metadata.filter(|metadata| metadata.source == MetadataSource::Document);
    put("metadata", json!(document.map(|metadata| &metadata.digest)));
    let request = &saml.request;
    put("request_binding", json!(request.binding));
    put("force_authn", json!(request.force_authn));
    put("authn_context", json!(request.authn_context));
    put("name_id_format", json!(request.name_id_format));
    put("scoping", json!(request.scoping));
    put(
        "login_hint",
        match &request.login_hint {
            LoginHint::None => json!("none"),
            LoginHint::Subject => json!("subject"),
            LoginHint::Parameter(name) => json!(name),
        },
    );
    put("signature_algorithm", json!(request.signature));
    put("want_signed", json!(saml.wants.signed));
    put("want_encrypted", json!(saml.wants.encrypted));
    put(
        "subject_attribute",
        match &saml.subject {
            Subject::NameId => Value::Null,
            Subject::Attribute(name) => json!(name),
        },
    );
    let mut attributes = json!(saml.attributes);
    for table in ["claims", "claim_lists"] {
        let claims = attributes.as_object_mut().and_then(|attributes| attributes.remove(table));
        put(table, claims.unwrap_or_default());
    }
    put("attributes", attributes);
    put("required_attributes", json!(saml.required_attributes));
    put("idp_initiated", json!(saml.idp_initiated));
    put("default_application", json!(saml.default_application));
    put("session_not_on_or_after", json!(saml.honours_session_end));
    put("single_logout", json!(saml.single_logout));
    let own = &saml.own;
    for (name, certificate) in [
        ("signing_certificate", &own.signing),
        ("next_signing_certificate", &own.next_signing),
        ("decryption_certificate", &own.decryption),
        ("next_decryption_certificate", &own.next_decryption),
        ("previous_decryption_certificate", &own.previous_decryption),
    ] {
        put(name, json!(certificate.as_deref().map(fingerprint)));
    }
    shown
}
