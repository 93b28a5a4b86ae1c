//! A connection whose provider speaks OpenID Connect.

use url::Url;

use super::presets;
use crate::foundation::secret::Secret;
use crate::keys::connection_secret::private_key;
use crate::manage::house_file::fault::Placed;
use crate::manage::house_file::parts::OidcPart;
use crate::manage::house_file::read::keys::Keys;
use crate::manage::house_file::read::values;
use crate::model::connection::{Endpoints, Preset};
use crate::protocol::jose::Algorithm;
use crate::protocol::oauth::client_authentication::Method;
use crate::protocol::oauth::scope;

/// Signatures that are accepted where the file says nothing (threats C13).
const DEFAULT_ALGORITHMS: [Algorithm; 4] =
    [Algorithm::RS256, Algorithm::PS256, Algorithm::ES256, Algorithm::EdDSA];

pub fn read(keys: &mut Keys<'_>) -> OidcPart {
    let preset = keys.word("preset", &["generic", "okta", "entra", "google", "keycloak"]);
    let preset = preset.map_or(Preset::Generic, |word| word.value);
    let issuer = issuer(keys, preset);
    let client_id = keys.required("client_id");
    let (authentication, secret) = proof(keys);
    let defaults = presets::defaults(preset, issuer.as_ref().map(|issuer| &issuer.value));
    OidcPart {
        preset,
        issuer: issuer
            .map_or(Placed { value: String::new(), at: keys.at }, |issuer| issuer.map(|(_, text)| text)),
        endpoints: endpoints(keys),
        client_id: client_id.map_or_else(String::new, |text| text.value),
        authentication,
        secret,
        scopes: scopes(keys),
        algorithms: algorithms(keys),
        email_claim: keys.text("email_claim").map_or_else(|| "email".into(), |text| text.value),
        required_claims: required_claims(keys, defaults.required_claims),
        forward_login_hint: keys.flag("forward_login_hint", true),
        domain_hint_parameter: match keys.text_or_empty("domain_hint_parameter") {
            None => defaults.domain_hint_parameter,
            Some(text) => Some(text.value).filter(|name| !name.is_empty()),
        },
        always_userinfo: keys.flag("always_userinfo", false),
    }
}

/// The issuer, parsed and as it was written: it is compared byte for byte (threats H17).
fn issuer(keys: &mut Keys<'_>, preset: Preset) -> Option<Placed<(Url, String)>> {
    let text = match keys.text("issuer") {
        Some(text) => text,
        None => {
            let Some(known) = presets::only_issuer(preset) else {
                keys.missing("issuer");
                return None;
            };
            Placed { value: known.to_owned(), at: keys.at }
        }
    };
    let url = values::web_address(keys.reader, &text)?;
    keys.reader.accept(text.at, presets::check_issuer(preset, &url, &text.value))?;
    Some(text.map(|text| (url, text)))
}

/// By what we prove to the provider who we are: each method with what it needs, and nothing else.
fn proof(keys: &mut Keys<'_>) -> (Method, Option<Secret>) {
    let reader = keys.reader;
    let (secret, key) = (keys.secret("client_secret"), keys.secret("private_key"));
    let default = if key.is_some() && secret.is_none() { Method::PrivateKeyJwt } else { Method::SecretBasic };
    let method = values::method(keys, default);
    let (wanted, name, other) = match method {
        Method::SecretBasic | Method::SecretPost => (secret, "client_secret", key),
        Method::PrivateKeyJwt => (key, "private_key", secret),
        Method::None => {
            for none in [secret, key].into_iter().flatten() {
                reader.refuse(none.at, "the method \"none\" has no secret");
            }
            return (method, None);
        }
    };
    if let Some(other) = other {
        reader.refuse(other.at, format!("this method of authentication takes a {name} only"));
    }
    match &wanted {
        None => keys.missing(name),
        Some(key) if method == Method::PrivateKeyJwt && private_key(&key.value).is_none() => {
            reader
                .refuse(key.at, "must be a private key in PEM (PKCS#8): RSA of 2048 bits, P-256 or Ed25519");
        }
        Some(_) => {}
    }
    (method, wanted.map(|secret| secret.value))
}

fn endpoints(keys: &mut Keys<'_>) -> Option<Placed<Endpoints>> {
    let mut table = keys.table("endpoints")?;
    let at = table.at;
    let mut required = |key| {
        let text = table.required(key)?;
        values::web_address(table.reader, &text)
    };
    let (authorization, token, jwks) = (required("authorization"), required("token"), required("jwks"));
    let userinfo = table.text("userinfo").and_then(|text| values::web_address(table.reader, &text));
    table.finish();
    let value = Endpoints { authorization: authorization?, token: token?, userinfo, jwks: jwks? };
    Some(Placed { value, at })
}

fn scopes(keys: &mut Keys<'_>) -> Vec<String> {
    let Some(list) = keys.texts("scopes") else {
        return [scope::OPENID, scope::EMAIL, scope::PROFILE].map(str::to_owned).to_vec();
    };
    for item in &list.value {
        if scope::split(&item.value).is_none_or(|scopes| scopes.len() != 1) {
            keys.reader.refuse(item.at, format!("{:?} is no scope", item.value));
        }
    }
    if !list.value.iter().any(|item| item.value == scope::OPENID) {
        keys.reader.refuse(list.at, "must name openid: without it the provider says nobody's name");
    }
    list.value.into_iter().map(|item| item.value).collect()
}

fn algorithms(keys: &mut Keys<'_>) -> Vec<Algorithm> {
    let Some(list) = keys.texts("algorithms") else { return DEFAULT_ALGORITHMS.to_vec() };
    if list.value.is_empty() {
        keys.reader.refuse(list.at, "must name at least one algorithm");
    }
    let read = |name| values::algorithm(keys.reader, name, &Algorithm::ALL);
    list.value.iter().filter_map(read).collect()
}

/// What the file says comes before what the preset says; in the order of the names.
fn required_claims(keys: &mut Keys<'_>, preset: Vec<(String, String)>) -> Vec<(String, String)> {
    let mut claims: std::collections::BTreeMap<_, _> = preset.into_iter().collect();
    if let Some(table) = keys.table("required_claims") {
        claims.extend(table.all_texts().into_iter().map(|(name, text)| (name.value, text.value)));
    }
    claims.into_iter().collect()
}
