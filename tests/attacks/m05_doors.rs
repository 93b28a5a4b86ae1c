//! M05: where tokens are taken, of every kind, and what is said there to those of other kinds. Held against the router, the
//! grant types, and whatever signs: what is new there has a row here, or this fails.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use behalf::model::application::GrantType;
use reqwest::{Method, RequestBuilder};
use serde_json::json;

use crate::house::application::{Application, Ask, Person, Proof, Redemption};
use crate::house::broker::House;
use crate::house::device::Device;
use crate::house::visitor::{Answer, Visitor};

/// Where something is presented.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Door {
    UserInfo,
    /// The same by a form.
    UserInfoForm,
    Api,
    Refresh,
    Code,
    Introspection,
    Revocation,
    /// Where a device asks whether it has been let in.
    Device,
    /// Where a person types what a device shows.
    UserCode,
    Exchange,
    /// Who acts, at an exchange.
    Actor,
    /// `id_token_hint` of an authorization request.
    Hint,
    /// A signed authorization request.
    Request,
    RequestUri,
    PushedRequest,
    /// `id_token_hint` of a request to sign out.
    LogoutHint,
    /// Where an application proves who it is.
    Secret,
    Assertion,
    Registration,
    /// Where a client that registered itself is managed.
    Client,
    ProvidersLogout,
    ProvidersRevocation,
}

pub(super) const DOORS: [Door; 22] = [
    Door::UserInfo,
    Door::UserInfoForm,
    Door::Api,
    Door::Refresh,
    Door::Code,
    Door::Introspection,
    Door::Revocation,
    Door::Device,
    Door::UserCode,
    Door::Exchange,
    Door::Actor,
    Door::Hint,
    Door::Request,
    Door::RequestUri,
    Door::PushedRequest,
    Door::LogoutHint,
    Door::Secret,
    Door::Assertion,
    Door::Registration,
    Door::Client,
    Door::ProvidersLogout,
    Door::ProvidersRevocation,
];

/// The routes where a token is presented, as the router names them. `/token` and whoever proves who they are at it do that
/// in the same way everywhere: once is enough.
const TAKE: [(&str, &[Door]); 12] = [
    ("/authorize", &[Door::Hint, Door::Request, Door::RequestUri]),
    ("issue::device::PATH", &[Door::UserCode]),
    ("/logout", &[Door::LogoutHint]),
    ("/par", &[Door::PushedRequest]),
    ("/token", &[Door::Refresh, Door::Code, Door::Device, Door::Exchange, Door::Actor]),
    ("/revoke", &[Door::Revocation]),
    ("/introspect", &[Door::Introspection, Door::Secret, Door::Assertion]),
    ("/userinfo", &[Door::UserInfo, Door::UserInfoForm]),
    ("/register", &[Door::Registration]),
    ("/register/{client_id}", &[Door::Client]),
    ("/oidc/{connection}/global-token-revocation", &[Door::ProvidersRevocation]),
    ("/oidc/{connection}/backchannel-logout", &[Door::ProvidersLogout]),
];

/// And those where none is, besides a cookie or what belongs to one flow. The administration API has one way in for all of
/// its routes ([`Door::Api`]).
const TAKE_NONE: [&str; 44] = [
    "/",
    "/login/{flow}",
    "/login/{flow}/beforehand",
    "/login/{flow}/identify",
    "/login/{flow}/restart",
    "/login/{flow}/cancel",
    "/login/{flow}/organizations",
    "/login/{flow}/organization",
    "/login/{flow}/invitation",
    "/login/{flow}/device",
    "/login/{flow}/consent",
    "/oidc/{connection}/callback",
    "/login/{flow}/returned",
    "/saml/{connection}/accepted",
    "/try/{token}",
    "/trial/{flow}",
    "/trial/{flow}/returned",
    "/invitations/{token}",
    "invited::ACCEPTED",
    "/oidc/{connection}/signed-out",
    "/account/sign-in",
    "/account",
    "/account/sessions",
    "/account/applications",
    "/account/organizations/{organization_id}/leave",
    "/account/organizations/{organization_id}/switch",
    "/account/sessions/{session_id}/end",
    "/account/applications/{application_id}/end",
    "/account/applications/{application_id}/withdraw",
    "/saml/{connection}/acs",
    "/saml/{connection}/slo",
    "/device_authorization",
    "/jwks.json",
    "/saml/{connection}/metadata",
    "/oidc/{connection}/jwks.json",
    "/.well-known/openid-configuration",
    "/.well-known/oauth-authorization-server",
    "/assets/brand/{file}",
    "/assets/logo/{id}",
    "/docs/organizations.txt",
    "/assets/{*path}",
    "/metrics",
    "/healthz",
    "/readyz",
];

/// What signs, and what comes of it: a row of the table.
const SIGNERS: [(&str, &[&str]); 7] = [
    ("chores/logouts.rs", &["a logout token"]),
    ("login/authenticate/oidc/mod.rs", &["a client assertion"]),
    ("login/back.rs", &["a signed authorization answer"]),
    ("login/issue/api.rs", &["a signed UserInfo answer"]),
    ("login/issue/introspection.rs", &["an introspection answer"]),
    // Two places: access tokens, of applications themselves as well, and ID tokens.
    ("login/issue/token/signing.rs", &["an access token", "an application's own token", "an ID token"]),
    ("model/audit_chain.rs", &["a checkpoint of the audit trail"]),
];

pub(super) const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";

pub(super) fn exchanges(by: &Application, token: &str) -> Redemption {
    let fields = [("grant_type", EXCHANGE), ("subject_token", token), ("subject_token_type", ACCESS_TOKEN)];
    by.posts("/token", &fields)
}

/// A client registers itself.
pub(super) async fn registers(house: &House, token: &str) -> Answer {
    let body = json!({"client_name": "shop", "redirect_uris": ["https://shop.test/callback"]}).to_string();
    let dress =
        |ask: RequestBuilder| ask.bearer_auth(token).header("content-type", "application/json").body(body);
    Visitor::arrives().request(Method::POST, &format!("{}/register", house.url), dress).await
}

/// What redeems what, by a grant.
fn of_grant(grant: GrantType) -> Option<Door> {
    match grant {
        GrantType::AuthorizationCode => Some(Door::Code),
        GrantType::RefreshToken => Some(Door::Refresh),
        GrantType::DeviceCode => Some(Door::Device),
        GrantType::TokenExchange => Some(Door::Exchange),
        // Who they are is all that they bring.
        GrantType::ClientCredentials => None,
    }
}

#[test]
fn m05_every_route_and_every_grant_says_which_tokens_it_takes() {
    let router = include_str!("../../src/router.rs");
    let mut routes: Vec<_> = router.split(".route(").skip(1).map(first_argument).collect();
    let mut known: Vec<_> = TAKE.iter().map(|(path, _)| *path).chain(TAKE_NONE).collect();
    routes.sort_unstable();
    known.sort_unstable();
    assert_eq!(routes, known, "a route has no row here");
    let shown: Vec<_> = TAKE.iter().flat_map(|(_, doors)| doors.iter().copied()).chain([Door::Api]).collect();
    assert!(DOORS.iter().all(|door| shown.contains(door)) && shown.len() == DOORS.len(), "{shown:?}");
    assert!(GrantType::ALL.iter().copied().filter_map(of_grant).all(|door| DOORS.contains(&door)));
}

/// What a route is called: its text, or the constant that holds it.
fn first_argument(call: &str) -> &str {
    let call = call.trim_start();
    match call.strip_prefix('"') {
        Some(text) => text.split('"').next().unwrap(),
        None => call.split(',').next().unwrap().trim(),
    }
}

/// Whether the table has a row for everything that is signed.
pub(super) fn is_made_of(kinds: &[&str]) {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut signers = BTreeMap::new();
    let mut folders = vec![src.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path.strip_prefix(&src).unwrap().to_string_lossy().into_owned();
            if name.ends_with("tests.rs") || name.contains("/tests/") || !name.ends_with(".rs") {
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            let signs = text.split("#[cfg(test)]").next().unwrap().matches(".sign_jwt(").count();
            if signs > 0 {
                signers.insert(name, signs);
            }
        }
    }
    let expected = SIGNERS.iter().map(|(file, _)| {
        let signs = if *file == "login/issue/token/signing.rs" { 2 } else { 1 };
        ((*file).to_owned(), signs)
    });
    assert_eq!(signers, expected.collect::<BTreeMap<_, _>>(), "what signs there has no row");
    for kind in SIGNERS.iter().flat_map(|(_, kinds)| kinds.iter()) {
        assert!(kinds.contains(kind), "{kind}");
    }
}

impl Door {
    /// Shows a token there; `good` is what an exchange needs besides. `ann` is signed in: nobody else types codes.
    pub(super) async fn takes(
        self,
        (house, ann): (&House, &mut Person),
        by: &Application,
        ask: &Ask,
        (token, good): (&str, &str),
    ) -> Answer {
        match self {
            Self::UserInfo => by.userinfo(token).await,
            Self::UserInfoForm => {
                let url = format!("{}/userinfo", house.url);
                Visitor::arrives().post_form(&url, &[("access_token", token)]).await
            }
            Self::Api => {
                let url = format!("{}/api/v1/session", house.url);
                let bearer = format!("Bearer {token}");
                Visitor::arrives().request(Method::GET, &url, |ask| ask.header("Authorization", bearer)).await
            }
            Self::Refresh => by.refreshes(token).send().await,
            Self::Code => ask.redemption(token).send().await,
            Self::Introspection => by.posts("/introspect", &[("token", token)]).send().await,
            Self::Revocation => by.posts("/revoke", &[("token", token)]).send().await,
            Self::Device => {
                let grant_type = "urn:ietf:params:oauth:grant-type:device_code";
                let fields = [("grant_type", grant_type), ("device_code", token)];
                Device::television(house).posts("/token", &fields).send().await
            }
            Self::UserCode => {
                ann.browser.post_form(&format!("{}/device", house.url), &[("user_code", token)]).await
            }
            Self::Exchange => exchanges(by, token).send().await,
            Self::Actor => {
                let acted = exchanges(by, good).with("actor_token", token);
                acted.with("actor_token_type", ACCESS_TOKEN).send().await
            }
            Self::Hint => {
                let ask = by.asks().with("prompt", "none").with("id_token_hint", token);
                ann.browser.get(&ask.url()).await
            }
            Self::Request => {
                let ask = by.asks().with("prompt", "none").with("request", token);
                ann.browser.get(&ask.url()).await
            }
            Self::RequestUri => ann.browser.get(&by.asks().only("request_uri", token)).await,
            Self::PushedRequest => by.asks().with("request", token).pushes().send().await,
            Self::LogoutHint => {
                let query = form_urlencoded::byte_serialize(token.as_bytes()).collect::<String>();
                ann.browser.get(&format!("{}/logout?id_token_hint={query}", house.url)).await
            }
            Self::Secret => {
                let by = by.clone().proving(Proof::Basic(token.to_owned()));
                by.posts("/introspect", &[("token", good)]).send().await
            }
            Self::Assertion => {
                let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
                let fields = [("token", good), ("client_assertion_type", kind), ("client_assertion", token)];
                by.clone().proving(Proof::Nothing).posts("/introspect", &fields).send().await
            }
            Self::Registration => registers(house, token).await,
            Self::Client => {
                let url = format!("{}/register/rp1", house.url);
                Visitor::arrives().request(Method::GET, &url, |ask| ask.bearer_auth(token)).await
            }
            Self::ProvidersLogout => {
                let url = format!("{}/oidc/{}/backchannel-logout", house.url, house.connection("ca").await);
                Visitor::arrives().post_form(&url, &[("logout_token", token)]).await
            }
            Self::ProvidersRevocation => {
                let url =
                    format!("{}/oidc/{}/global-token-revocation", house.url, house.connection("ca").await);
                let body = json!({"sub_id": {"format": "opaque", "id": "sub-ann@a.test"}}).to_string();
                let dress = |ask: RequestBuilder| {
                    ask.bearer_auth(token).header("content-type", "application/json").body(body)
                };
                Visitor::arrives().request(Method::POST, &url, dress).await
            }
        }
    }

    /// What this door says to what it does not take.
    pub(super) fn refuses(self, answer: &Answer, what: &str) {
        let told = format!("{self:?} {what}: {} {}", answer.status, answer.body);
        match self {
            Self::UserInfo | Self::UserInfoForm | Self::Api => assert_eq!(answer.status, 401, "{told}"),
            Self::UserCode => assert!([422, 429].contains(&answer.status.as_u16()), "{told}"),
            Self::Exchange | Self::Actor | Self::ProvidersLogout => {
                assert_eq!(answer.status, 400, "{told}");
                assert_eq!(answer.json()["error"], json!("invalid_request"), "{told}");
            }
            Self::Hint | Self::Request | Self::RequestUri => {
                let to = answer.header("location").unwrap_or_default();
                assert!(answer.status == 400 || to.contains("error="), "{told} {to}");
                assert!(!to.contains("code="), "{told} {to}");
                assert!(self != Self::Hint || to.contains("error=invalid_request"), "{told} {to}");
            }
            Self::LogoutHint | Self::PushedRequest => assert_eq!(answer.status, 400, "{told}"),
            Self::Secret => {
                assert_eq!(answer.status, 401, "{told}");
                assert_eq!(answer.json()["error"], json!("invalid_client"), "{told}");
            }
            // Whoever a token is about is not who asks with it.
            Self::Assertion => {
                let code = answer.json()["error"].as_str().unwrap_or_default().to_owned();
                let refusal = (answer.status.as_u16(), code.as_str());
                assert!([(401, "invalid_client"), (400, "invalid_request")].contains(&refusal), "{told}");
            }
            Self::Registration | Self::Client | Self::ProvidersRevocation => {
                assert_eq!(answer.status, 401, "{told}");
                assert_eq!(answer.json()["error"], json!("invalid_token"), "{told}");
            }
            Self::Refresh | Self::Code | Self::Device => {
                assert_eq!(answer.status, 400, "{told}");
                assert_eq!(answer.json()["error"], json!("invalid_grant"), "{told}");
            }
            Self::Introspection => {
                assert_eq!(answer.status, 200, "{told}");
                assert_eq!(answer.json(), json!({ "active": false }), "{told}");
            }
            Self::Revocation if what == "an ID token" => {
                assert_eq!(answer.json()["error"], json!("unsupported_token_type"), "{told}");
            }
            Self::Revocation => {
                assert_eq!((answer.status.as_u16(), answer.body.as_str()), (200, ""), "{told}")
            }
        }
    }
}
