//! `[application.…]`

use std::collections::BTreeMap;

use super::keys::{Keys, Reader};
use super::values;
use crate::foundation::secret::Digest;
use crate::keys::keyring::ALGORITHMS;
use crate::manage::house_file::fault::{Place, Placed};
use crate::manage::house_file::parts::ApplicationPart;
use crate::model::application::{
    ApplicationKind, AuthorizationSettings, ClientSettings, ExchangeSettings, GrantType, Lifetimes,
    LinkSettings, OrganizationPrompt, OrganizationUsage, SecurityProfile, SenderSettings, SignOutSettings,
    SubjectType, public_key_set,
};
use crate::model::claim_shape::{ClaimShape, MOST_MAPPED, NoMapping, OrgName, OrganizationsShape};
use crate::protocol::jose::Algorithm;
use crate::protocol::oauth::client_authentication::Method;
use crate::protocol::oauth::client_certificate::{CertificateSubject, holds_certificate};
use crate::protocol::oauth::origin::WebOrigin;
use crate::protocol::oauth::redirect_uri::{RedirectUri, RequestUri, WebAddress};
use crate::protocol::oauth::response_mode::ResponseMode;
use crate::protocol::oauth::scope;

/// By what an application proves who it is.
const METHODS: [&str; 6] = [
    "client_secret_basic",
    "client_secret_post",
    "private_key_jwt",
    "tls_client_auth",
    "self_signed_tls_client_auth",
    "none",
];
/// 32 characters hold at least 128 bits of chance, as a digest without a salt needs.
const SHORTEST_SECRET: usize = 32;

pub fn read((client_id, mut keys): (Placed<String>, Keys<'_>)) -> ApplicationPart {
    let (reader, places) = (keys.reader, keys.places());
    if client_id.value.len() > 200 || !client_id.value.bytes().all(|byte| byte.is_ascii_graphic()) {
        reader.refuse(client_id.at, "a client_id is 1 to 200 visible characters");
    }
    let kind = keys.word("type", &["web", "spa", "native", "device", "machine"]).map(|word| word.value);
    let known = kind.is_some() || !keys.is_written("type");
    let kind = kind.unwrap_or(ApplicationKind::Web);
    let has_keys = keys.is_written("jwks") || keys.is_written("jwks_uri");
    let (authentication, secrets, jwks) = proof(&mut keys, kind, known);
    let requests = requests(&mut keys, has_keys);
    let organization = keys.text("organization");
    let part = ApplicationPart {
        display_name: values::label(&mut keys, "display_name").unwrap_or_else(|| client_id.value.clone()),
        enabled: keys.flag("enabled", true),
        kind,
        authentication,
        secrets,
        jwks,
        sender: sender(&mut keys, authentication),
        redirect_uris: redirect_uris(&mut keys, kind, known),
        initiate_login_uri: keys.text("initiate_login_uri").and_then(|text| registered(keys.reader, &text)),
        sign_out: sign_out(&mut keys),
        client: client(&mut keys, organization.is_some()),
        organization,
        requests,
        scopes: scopes(&mut keys, kind),
        grant_types: grant_types(&mut keys, kind, known),
        lifetimes: keys.table("lifetimes").map(lifetimes).unwrap_or_default(),
        algorithm: algorithm(&mut keys),
        audiences: keys.texts("audiences").map_or_else(Vec::new, |list| plain(list.value)),
        organization_prompt: organization_prompt(&mut keys),
        organization_usage: keys
            .word("organization_usage", &["deny", "allow", "require"])
            .map_or(OrganizationUsage::Allow, |word| word.value),
        domain_based: keys.flag("domain_based", true),
        connections: keys.texts("connections").map_or_else(Vec::new, |list| list.value),
        organizations: keys.texts("organizations").map(|list| list.value),
        claims: keys.table("claims").map(claims).unwrap_or_default(),
        places,
        exchange: ExchangeSettings {
            may_act: keys.texts("may_act").map_or_else(Vec::new, |list| plain(list.value)),
            audiences: keys.texts("exchange_audiences").map_or_else(Vec::new, |list| plain(list.value)),
        },
        client_id,
    };
    keys.finish();
    part
}

fn plain(list: Vec<Placed<String>>) -> Vec<String> {
    list.into_iter().map(|item| item.value).collect()
}

/// By what it proves who it is: each method with what it needs, and nothing else.
/// Where it is not `known` of what kind the application is, nothing is held against it that follows from that.
fn proof(
    keys: &mut Keys<'_>,
    kind: ApplicationKind,
    known: bool,
) -> (Method, Vec<Digest>, Option<serde_json::Value>) {
    let reader = keys.reader;
    let chosen = keys.word::<Method>("token_endpoint_auth_method", &METHODS);
    let method = match &chosen {
        Some(method) => method.value,
        None => kind.usual_authentication(),
    };
    if let Some(chosen) = &chosen
        && let Some(why) = kind.authentication_fault(chosen.value)
    {
        reader.refuse(chosen.at, why);
    }
    let known =
        (known || chosen.is_some()) && (chosen.is_some() || !keys.is_written("token_endpoint_auth_method"));
    let (secrets, jwks) = (keys.secrets("client_secrets"), keys.secret("jwks"));
    if !known {
        return (method, Vec::new(), None);
    }
    let needs_secret = matches!(method, Method::SecretBasic | Method::SecretPost);
    match &secrets {
        Some(list) if !needs_secret => reader.refuse(list.at, "this method of authentication has no secret"),
        Some(list) if !(1..=2).contains(&list.value.len()) => {
            reader.refuse(list.at, "there are one or two client secrets");
        }
        None if needs_secret => keys.missing("client_secrets"),
        _ => {}
    }
    if jwks.is_none() && method.has_keys() && !keys.is_written("jwks_uri") {
        keys.missing("jwks");
    }
    let secrets = secrets.map_or_else(Vec::new, |list| list.value);
    let mut digests: Vec<Digest> = Vec::new();
    for secret in secrets {
        let text = secret.value.expose();
        if text.chars().count() < SHORTEST_SECRET {
            reader.refuse(secret.at, format!("the secret is shorter than {SHORTEST_SECRET} characters"));
        }
        if digests.contains(&secret.value.digest()) {
            reader.refuse(secret.at, "the same secret twice");
        }
        digests.push(secret.value.digest());
    }
    let jwks = jwks.and_then(|jwks| {
        let keys = public_keys(reader, jwks.at, jwks.value.expose())?;
        if method == Method::SelfSignedTlsClientAuth && !holds_certificate(&keys) {
            reader.refuse(jwks.at, "holds no certificate (x5c)");
        }
        Some(keys)
    });
    (method, digests, jwks)
}

/// A JWK Set of public keys that can verify (RFC 7517, section 5).
fn public_keys(reader: &Reader<'_>, at: Place, text: &str) -> Option<serde_json::Value> {
    reader.accept(at, public_key_set(text.as_bytes()))
}

/// What its tokens are bound to, and by which certificate it is known: that goes with its method alone.
fn sender(keys: &mut Keys<'_>, method: Method) -> SenderSettings {
    SenderSettings {
        dpop_bound_access_tokens: keys.flag("dpop_bound_access_tokens", false),
        tls_client_certificate_bound_access_tokens: keys
            .flag("tls_client_certificate_bound_access_tokens", false),
        certificate: certificate(keys, method),
    }
}

fn certificate(keys: &mut Keys<'_>, method: Method) -> Option<CertificateSubject> {
    let given: Vec<_> =
        CertificateSubject::KEYS.iter().filter_map(|key| keys.text(key).map(|text| (*key, text))).collect();
    let wanted = method == Method::TlsClientAuth;
    match given.as_slice() {
        [] if wanted => keys.missing("tls_client_auth_subject_dn"),
        [_, (_, second), ..] => keys.reader.refuse(second.at, "a certificate is known by one name"),
        [(_, text)] if !wanted => {
            keys.reader.refuse(text.at, "only tls_client_auth has a certificate's name")
        }
        [(key, text)] => {
            let told = CertificateSubject::read(key, &text.value).map_err(|why| format!("{key} {why}"));
            return keys.reader.accept(text.at, told);
        }
        [] => {}
    }
    None
}

fn redirect_uris(keys: &mut Keys<'_>, kind: ApplicationKind, known: bool) -> Vec<RedirectUri> {
    let is_needed = known && kind.signs_people_in();
    let Some(list) = keys.texts("redirect_uris") else {
        if is_needed {
            keys.missing("redirect_uris");
        }
        return Vec::new();
    };
    if is_needed && list.value.is_empty() {
        let why = format!("a {kind} application has at least one: nobody could be sent back to it");
        keys.reader.refuse(list.at, format!("redirect_uris is empty, and {why}"));
    }
    list.value.iter().filter_map(|text| registered(keys.reader, text)).collect()
}

fn sign_out(keys: &mut Keys<'_>) -> SignOutSettings {
    SignOutSettings {
        post_logout_redirect_uris: post_logout_redirect_uris(keys),
        backchannel_logout_uri: web_address(keys, "backchannel_logout_uri"),
        backchannel_logout_session_required: keys.flag("backchannel_logout_session_required", false),
        frontchannel_logout_uri: web_address(keys, "frontchannel_logout_uri"),
        frontchannel_logout_session_required: keys.flag("frontchannel_logout_session_required", false),
    }
}

fn client(keys: &mut Keys<'_>, is_owned: bool) -> ClientSettings {
    let origins = keys.texts("cors_origins").map_or_else(Vec::new, |list| list.value);
    let origin = |text: &Placed<String>| {
        let read = WebOrigin::register(&text.value);
        keys.reader
            .accept(text.at, read.map_err(|error| format!("{:?} cannot be registered: {error}", text.value)))
    };
    ClientSettings {
        cors_origins: origins.iter().filter_map(origin).collect(),
        jwks_uri: web_address(keys, "jwks_uri"),
        subject_type: keys
            .word("subject_type", &["public", "pairwise"])
            .map_or(SubjectType::Public, |word| word.value),
        sector_identifier_uri: web_address(keys, "sector_identifier_uri"),
        userinfo_algorithm: keys
            .text("userinfo_signed_response_alg")
            .and_then(|name| values::algorithm(keys.reader, &name, &ALGORITHMS)),
        security_profile: keys
            .word("security_profile", &["none", "fapi2"])
            .map_or(SecurityProfile::None, |word| word.value),
        consent_required: keys.flag("consent_required", is_owned),
        links: Box::new(LinkSettings {
            logo_uri: web_address(keys, "logo_uri"),
            policy_uri: web_address(keys, "policy_uri"),
            tos_uri: web_address(keys, "tos_uri"),
        }),
    }
}

fn requests(keys: &mut Keys<'_>, has_keys: bool) -> AuthorizationSettings {
    let uris = keys.texts("request_uris").map_or_else(Vec::new, |list| list.value);
    let uris = uris.iter().filter_map(|text| {
        let address = RequestUri::register(&text.value);
        let told = address.map_err(|error| format!("{:?} cannot be registered: {error}", text.value));
        keys.reader.accept(text.at, told)
    });
    let request_uris = uris.collect();
    let response_modes = keys.texts("response_modes").map_or_else(
        || ResponseMode::USUAL.to_vec(),
        |list| list.value.iter().filter_map(|text| response_mode(keys.reader, text)).collect(),
    );
    let requests = AuthorizationSettings {
        require_pushed: keys.flag("require_pushed_authorization_requests", false),
        require_signed: keys.flag("require_signed_request_object", false),
        require_pkce: keys.flag("require_pkce", false),
        request_uris,
        response_modes,
        response_algorithm: keys
            .text("authorization_signed_response_alg")
            .and_then(|name| values::algorithm(keys.reader, &name, &ALGORITHMS)),
        default_max_age: keys.number("default_max_age", AuthorizationSettings::LONGEST_AGE),
        require_auth_time: keys.flag("require_auth_time", false),
    };
    if let Some((name, rule)) = requests.fault(has_keys) {
        keys.reader.refuse(keys.at, format!("{name} {rule}"));
    }
    requests
}

fn response_mode(reader: &Reader<'_>, text: &Placed<String>) -> Option<ResponseMode> {
    let found = ResponseMode::ALL.into_iter().find(|mode| mode.word() == text.value);
    let all = ResponseMode::ALL.map(ResponseMode::word).join(", ");
    reader.accept(text.at, found.ok_or_else(|| format!("must be one of {all}")))
}

fn organization_prompt(keys: &mut Keys<'_>) -> OrganizationPrompt {
    let Some(text) = keys.text("organization_prompt") else { return OrganizationPrompt::After };
    let read = OrganizationPrompt::from_word(&text.value);
    let told = read.ok_or_else(|| "must be one of before, after, none".to_owned());
    keys.reader.accept(text.at, told).unwrap_or(OrganizationPrompt::After)
}

fn web_address(keys: &mut Keys<'_>, key: &'static str) -> Option<WebAddress> {
    let text = keys.text(key)?;
    let address = WebAddress::register(&text.value);
    let told = address.map_err(|error| format!("{:?} cannot be registered: {error}", text.value));
    keys.reader.accept(text.at, told)
}

fn post_logout_redirect_uris(keys: &mut Keys<'_>) -> Vec<RedirectUri> {
    let Some(list) = keys.texts("post_logout_redirect_uris") else { return Vec::new() };
    list.value.iter().filter_map(|text| registered(keys.reader, text)).collect()
}

fn registered(reader: &Reader<'_>, text: &Placed<String>) -> Option<RedirectUri> {
    let uri = RedirectUri::register(&text.value);
    reader.accept(text.at, uri.map_err(|error| format!("{:?} cannot be registered: {error}", text.value)))
}

fn scopes(keys: &mut Keys<'_>, kind: ApplicationKind) -> Vec<String> {
    let Some(list) = keys.texts("scopes") else {
        return kind.usual_scopes().iter().map(|scope| (*scope).to_owned()).collect();
    };
    for scope in &list.value {
        if !scope::SUPPORTED.contains(&scope.value.as_str()) {
            let known = scope::SUPPORTED.join(", ");
            keys.reader.refuse(scope.at, format!("unknown scope {:?}; there are {known}", scope.value));
        }
    }
    plain(list.value)
}

/// Where it is not `known` of what kind the application is, nothing is held against it that follows from that.
fn grant_types(keys: &mut Keys<'_>, kind: ApplicationKind, known: bool) -> Vec<GrantType> {
    let Some(list) = keys.texts("grant_types") else { return kind.usual_grant_types().to_vec() };
    let mut read: Vec<GrantType> = Vec::new();
    for text in &list.value {
        match GrantType::from_word(&text.value) {
            Some(one) if !known || kind.grant_types().contains(&one) => read.push(one),
            Some(one) => keys.reader.refuse(text.at, format!("a {kind} application has no use for {one}")),
            None => {
                let all: Vec<_> = GrantType::ALL.iter().map(|one| one.word()).collect();
                keys.reader.refuse(text.at, format!("must be one of {}", all.join(", ")));
            }
        }
    }
    if let Some(why) = GrantType::orphan_fault(&read) {
        keys.reader.refuse(list.at, why);
    }
    read
}

fn lifetimes(mut keys: Keys<'_>) -> Lifetimes {
    let lifetimes = Lifetimes {
        access_token: seconds(&mut keys, "access_token", Lifetimes::LONGEST_TOKEN),
        id_token: seconds(&mut keys, "id_token", Lifetimes::LONGEST_TOKEN),
        refresh_token: seconds(&mut keys, "refresh_token", Lifetimes::LONGEST_FAMILY),
        refresh_token_idle: seconds(&mut keys, "refresh_token_idle", Lifetimes::LONGEST_FAMILY),
    };
    keys.finish();
    lifetimes
}

fn seconds(keys: &mut Keys<'_>, key: &str, most: u64) -> Option<u64> {
    let seconds = keys.number(key, most)?;
    if seconds == 0 {
        keys.reader.refuse(keys.at, format!("{key} must be at least 1"));
    }
    Some(seconds)
}

fn algorithm(keys: &mut Keys<'_>) -> Algorithm {
    let Some(name) = keys.text("signing_algorithm") else { return Algorithm::RS256 };
    values::algorithm(keys.reader, &name, &ALGORITHMS).unwrap_or(Algorithm::RS256)
}

fn mapping(keys: Keys<'_>) -> BTreeMap<String, String> {
    let (reader, at) = (keys.reader, keys.at);
    let mut mapping = BTreeMap::new();
    for (name, source) in keys.all_texts() {
        let one =
            ClaimShape { mapping: BTreeMap::from([(name.value, source.value)]), ..ClaimShape::default() };
        if let Some((_, why)) = one.mapping_fault() {
            reader.refuse(name.at, why.to_string());
        }
        mapping.extend(one.mapping);
    }
    if mapping.len() > MOST_MAPPED {
        reader.refuse(at, NoMapping::Many.to_string());
    }
    mapping
}

fn claims(mut keys: Keys<'_>) -> ClaimShape {
    let default = ClaimShape::default();
    let shapes = ["objects", "names", "ids", "map_by_name", "map_by_id"];
    let claims = ClaimShape {
        organizations: keys
            .word::<OrganizationsShape>("organizations", &shapes)
            .map_or(default.organizations, |word| word.value),
        org_name: keys
            .word::<OrgName>("org_name", &["slug", "display_name"])
            .map_or(default.org_name, |word| word.value),
        org_display_name: keys.flag("org_display_name", default.org_display_name),
        org_slug: keys.flag("org_slug", default.org_slug),
        user_in_id_token: keys.flag("user_in_id_token", default.user_in_id_token),
        idp: keys.flag("idp", default.idp),
        mapping: keys.table("mapping").map(mapping).unwrap_or_default(),
    };
    keys.finish();
    claims
}
