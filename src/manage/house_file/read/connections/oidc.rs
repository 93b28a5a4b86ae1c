//! A connection whose provider speaks OpenID Connect.

use url::Url;

use crate::foundation::secret::Secret;
use crate::manage::connections::{presets, wanted};
use crate::manage::house_file::fault::Placed;
use crate::manage::house_file::parts::OidcPart;
use crate::manage::house_file::read::keys::Keys;
use crate::manage::house_file::read::values;
use crate::model::connection::{Endpoints, Preset};
use crate::protocol::jose::Algorithm;
use crate::protocol::oauth::client_authentication::Method;

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
            Some(text) if text.value.is_empty() => None,
            Some(text) => {
                keys.reader.accept(text.at, wanted::domain_hint(&text.value));
                Some(text.value)
            }
        },
        always_userinfo: keys.flag("always_userinfo", false),
        single_logout: keys.flag("single_logout", false),
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
    let url = keys.reader.accept(text.at, wanted::issuer(preset, &text.value))?;
    Some(text.map(|text| (url, text)))
}

/// By what we prove to the provider who we are: each method with what it needs, and nothing else.
fn proof(keys: &mut Keys<'_>) -> (Method, Option<Secret>) {
    let reader = keys.reader;
    let (secret, key) = (keys.secret("client_secret"), keys.secret("private_key"));
    let method = values::method(keys, wanted::usual_method(secret.is_some(), key.is_some()));
    let value = |given: &Option<Placed<Secret>>| given.as_ref().map(|given| given.value.clone());
    let place = |name| if name == "client_secret" { secret.as_ref() } else { key.as_ref() };
    for (name, why) in wanted::proof(method, value(&secret).as_ref(), value(&key).as_ref()) {
        reader.refuse(place(name).map_or(keys.at, |given| given.at), why);
    }
    let Some(name) = wanted::proof_of(method) else { return (method, None) };
    let given = place(name).map(|given| given.value.clone());
    if given.is_none() {
        keys.missing(name);
    }
    (method, given)
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
        return wanted::SCOPES.map(str::to_owned).to_vec();
    };
    for item in &list.value {
        keys.reader.accept(item.at, wanted::one_scope(&item.value));
    }
    keys.reader.accept(list.at, wanted::all_scopes(list.value.iter().map(|item| item.value.as_str())));
    list.value.into_iter().map(|item| item.value).collect()
}

fn algorithms(keys: &mut Keys<'_>) -> Vec<Algorithm> {
    let Some(list) = keys.texts("algorithms") else { return wanted::ALGORITHMS.to_vec() };
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
