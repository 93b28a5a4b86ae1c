//! The claims of each token, in the shape that the application asked for. They are made of what the pipeline let
//! through and of nothing else.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::mint::{ActingFor, MachineMinted, Minted};
use crate::foundation::clock::Moment;
use crate::keys::pairwise::Names;
use crate::model::application::Application;
use crate::model::claim_shape::{ClaimShape, ORGANIZATIONS, OrgName, OrganizationsShape};
use crate::model::grant::{Exchanged, SignedIn};
use crate::model::organization::Organization;
use crate::protocol::jose::Algorithm;
use crate::protocol::oauth::scope;
use crate::store::durable::choices::Choice;

type Claims = Map<String, Value>;

/// Organizations that a token lists at most, and the bytes that they may take as JSON: with everything else it stays
/// under 4 kB, so that it fits a header and a cookie. UserInfo lists them all.
const LISTED: usize = 64;
const LISTED_BYTES: usize = 1_536;

/// So many have to be read to know whether a token lists all of them.
pub const READ: u32 = LISTED as u32 + 1;

/// Whose token, and for what.
pub struct Occasion<'a> {
    pub issuer: &'a str,
    /// What the application calls the person and their session.
    pub names: &'a Names,
    pub scopes: &'a [String],
    /// For which audiences an access token is; empty: for all that the application has.
    pub resources: &'a [String],
    /// Claims that are wanted by their names (OpenID Connect Core, section 5.5).
    pub named: &'a [String],
    pub grant: &'a str,
    pub nonce: Option<&'a str>,
    /// The sign-in that the family stands on; absent: the session's last.
    pub signed_in: Option<&'a SignedIn>,
    /// How the token came of another, if it did.
    pub exchanged: Option<&'a Exchanged>,
    pub now: Moment,
}

impl Occasion<'_> {
    fn has(&self, name: &str) -> bool {
        self.scopes.iter().any(|scope| scope == name)
    }
    fn asks_for(&self, claim: &str) -> bool {
        self.named.iter().any(|name| name == claim)
    }
}

/// An ID token (OpenID Connect Core, section 2).
pub fn id_token(minted: &Minted, occasion: &Occasion<'_>, lifetime: u64, access_token: &str) -> Claims {
    let mut claims = common(minted, occasion, lifetime);
    claims.insert("aud".into(), json!(minted.application.client_id));
    claims.insert("session_expiry".into(), json!(signed_in(minted, occasion).until.seconds()));
    claims.insert("at_hash".into(), json!(half_hash(access_token, minted.application.settings.algorithm)));
    if let Some(nonce) = occasion.nonce {
        claims.insert("nonce".into(), json!(nonce));
    }
    let by_scope = minted.application.settings.claims.user_in_id_token;
    person(&mut claims, minted, occasion, by_scope);
    organization(&mut claims, minted, occasion, Place::Token);
    renamed(claims, &minted.application.settings.claims)
}

/// An access token (RFC 9068, section 2.2).
pub fn access_token(minted: &Minted, occasion: &Occasion<'_>, lifetime: u64, jti: &str) -> Claims {
    let mut claims = common(minted, occasion, lifetime);
    claims.insert("aud".into(), one_or_many(&audience(&minted.application, occasion)));
    delegated(&mut claims, minted, occasion);
    claims.insert("client_id".into(), json!(minted.application.client_id));
    claims.insert("scope".into(), json!(occasion.scopes.join(" ")));
    claims.insert("jti".into(), json!(jti));
    claims.insert("grant_id".into(), json!(occasion.grant));
    organization(&mut claims, minted, occasion, Place::Token);
    renamed(claims, &minted.application.settings.claims)
}

/// An access token of an application itself (RFC 9068, section 2.2): it is its own subject.
pub fn machine_access_token(
    minted: &MachineMinted,
    (issuer, grant, jti): (&str, &str, &str),
    (scopes, resources): (&[String], &[String]),
    (issued, expires): (Moment, Moment),
) -> Claims {
    let application = &minted.application;
    let claims = json!({
        "iss": issuer,
        "sub": application.client_id,
        "client_id": application.client_id,
        "iat": issued.seconds(),
        "exp": expires.seconds(),
        "jti": jti,
        "grant_id": grant,
        "scope": scopes.join(" "),
        "aud": one_or_many(&chosen(application, issuer, resources)),
    });
    let Value::Object(mut claims) = claims else { return Claims::new() };
    if let Some(organization) = &minted.organization {
        named(&mut claims, &application.settings.claims, organization);
    }
    renamed(claims, &application.settings.claims)
}

/// For whom an access token is.
fn audience(application: &Application, occasion: &Occasion<'_>) -> Vec<String> {
    match occasion.exchanged {
        Some(exchanged) => exchanged.audience.clone(),
        None => chosen(application, occasion.issuer, occasion.resources),
    }
}

/// Whoever asks for some of its audiences gets a token for those alone, and not for us either (RFC 8707, section 2.2).
fn chosen(application: &Application, issuer: &str, resources: &[String]) -> Vec<String> {
    if resources.is_empty() { application.resources(issuer) } else { resources.to_vec() }
}

fn one_or_many(audience: &[String]) -> Value {
    if let [only] = audience { json!(only) } else { json!(audience) }
}

/// Who acts for the person, each within the one who does so after them, and who may (RFC 8693, sections 4.1 and 4.4).
/// A claim names one who may; where there are more, they are known here alone.
fn delegated(claims: &mut Claims, minted: &Minted, occasion: &Occasion<'_>) {
    let actors = occasion.exchanged.map_or(&[][..], |exchanged| &exchanged.act);
    let act = actors.iter().rev().fold(None, |inner: Option<Value>, actor| {
        let mut act = json!({ "sub": actor });
        if let Some(inner) = inner {
            act["act"] = inner;
        }
        Some(act)
    });
    claims.extend(act.map(|act| ("act".to_owned(), act)));
    if let [only] = minted.application.settings.exchange.may_act.as_slice() {
        claims.insert("may_act".into(), json!({ "sub": only }));
    }
}

/// A UserInfo answer (OpenID Connect Core, section 5.3): the full lists.
pub fn userinfo(minted: &Minted, occasion: &Occasion<'_>) -> Claims {
    let mut claims = Claims::new();
    claims.insert("sub".into(), json!(occasion.names.subject));
    person(&mut claims, minted, occasion, true);
    organization(&mut claims, minted, occasion, Place::UserInfo);
    renamed(claims, &minted.application.settings.claims)
}

/// Under the application's own names (S2-09). What another name was asked for stands there only.
fn renamed(mut claims: Claims, shape: &ClaimShape) -> Claims {
    if shape.mapping.is_empty() {
        return claims;
    }
    let key = |source: &str| match source {
        ORGANIZATIONS => list_name(shape).to_owned(),
        other => other.to_owned(),
    };
    let find = |(name, source): (&String, &String)| Some((name.clone(), claims.get(&key(source))?.clone()));
    let under_new_names: Vec<_> = shape.mapping.iter().filter_map(find).collect();
    for source in shape.mapping.values() {
        claims.remove(&key(source));
    }
    claims.extend(under_new_names);
    claims
}

/// How the person signed in then, whatever they proved since: the time of the original authentication (OpenID Connect
/// Core, section 12.2), with what belongs to it.
fn signed_in<'a>(minted: &'a Minted, occasion: &Occasion<'a>) -> Cow<'a, SignedIn> {
    occasion.signed_in.map_or_else(|| Cow::Owned(SignedIn::of(&minted.session)), Cow::Borrowed)
}

fn common(minted: &Minted, occasion: &Occasion<'_>, lifetime: u64) -> Claims {
    let (session, login) = (&minted.session, signed_in(minted, occasion));
    let seconds = i64::try_from(lifetime).unwrap_or(0);
    let claims = json!({
        "iss": occasion.issuer,
        "sub": occasion.names.subject,
        "iat": occasion.now.seconds(),
        "exp": occasion.now.seconds() + seconds,
        "auth_time": login.at.seconds(),
        "sid": occasion.names.session,
        "acr": login.assurance.acr,
    });
    let Value::Object(mut claims) = claims else { return Claims::new() };
    if !login.assurance.amr.is_empty() {
        claims.insert("amr".into(), json!(login.assurance.amr));
    }
    let shape = &minted.application.settings.claims;
    if shape.idp || shape.maps("idp") {
        claims.insert("idp".into(), json!(session.connection_id));
    }
    claims
}

/// Who it is, as far as the scopes go (OpenID Connect Core, section 5.4), and what is asked for by name.
fn person(claims: &mut Claims, minted: &Minted, occasion: &Occasion<'_>, by_scope: bool) {
    let user = &minted.user;
    // By name it is told no more than by the scope, which it may not have any more.
    let may = |scope: &str| minted.application.settings.may_have(scope);
    let wanted = |scope: &str, name: &str| {
        (by_scope && occasion.has(scope)) || (occasion.asks_for(name) && may(scope))
    };
    if let Some(email) = &user.email {
        if wanted(scope::EMAIL, "email") {
            claims.insert("email".into(), json!(email));
        }
        if wanted(scope::EMAIL, "email_verified") {
            claims.insert("email_verified".into(), json!(user.email_verified_at.is_some()));
        }
    }
    let profile = &user.profile;
    let texts = [
        ("name", &profile.name),
        ("given_name", &profile.given_name),
        ("family_name", &profile.family_name),
        ("locale", &profile.locale),
    ];
    for (name, text) in texts.into_iter().filter(|(name, _)| wanted(scope::PROFILE, name)) {
        claims.extend(text.as_ref().map(|text| (name.to_owned(), json!(text))));
    }
    let shape = &minted.application.settings.claims;
    let own = profile.claims.iter().filter(|(name, _)| shape.is_free(name));
    for (name, value) in own.filter(|(name, _)| wanted(scope::PROFILE, name)) {
        claims.insert(name.clone(), json!(value));
    }
    if wanted(scope::PROFILE, "updated_at") {
        claims.insert("updated_at".into(), json!(user.updated_at.seconds()));
    }
}

/// Where the full list stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Token,
    UserInfo,
}

/// The one organization that is acted for, and the full list where it was asked for.
fn organization(claims: &mut Claims, minted: &Minted, occasion: &Occasion<'_>, place: Place) {
    match &minted.acting {
        Some(acting) => acting_for(claims, minted, acting, occasion),
        None => of_project(claims, &minted.own_roles, occasion),
    }
    let Some(list) = &minted.organizations else { return };
    let settings = &minted.application.settings.claims;
    let shown = match place {
        Place::Token => fitting(list, settings),
        Place::UserInfo => list,
    };
    let name = list_name(settings);
    claims.insert(name.into(), full_list(shown, settings));
    if shown.len() < list.len() {
        claims.insert("organizations_truncated".into(), json!(true));
        // No distributed claim (OpenID Connect Core, section 5.6.2): that would have to be a JWT of its own. And nowhere,
        // for who holds a token that is for others alone: it does not open that.
        if audience(&minted.application, occasion).iter().any(|one| one == occasion.issuer) {
            claims.insert("organizations_endpoint".into(), json!(format!("{}/userinfo", occasion.issuer)));
        }
    }
}

/// The first of them, as many as a token has room for.
fn fitting<'a>(list: &'a [Choice], shape: &ClaimShape) -> &'a [Choice] {
    let times = shape.mapping.values().filter(|source| *source == ORGANIZATIONS).count();
    let mut left = LISTED_BYTES / times.max(1);
    let fits = |one: &Choice| {
        let bytes = full_list(std::slice::from_ref(one), shape).to_string().len();
        left.checked_sub(bytes).map(|rest| left = rest).is_some()
    };
    let many = list.iter().map(fits).take_while(|fits| *fits).count();
    &list[..many.min(LISTED)]
}

/// The organization, by its id and its names.
fn named(claims: &mut Claims, shape: &ClaimShape, organization: &Organization) {
    claims.insert("org_id".into(), json!(organization.id));
    claims.insert(
        "org_name".into(),
        json!(name(shape.org_name, &organization.slug, &organization.display_name)),
    );
    if shape.org_display_name || shape.maps("org_display_name") {
        claims.insert("org_display_name".into(), json!(organization.display_name));
    }
    if shape.org_slug || shape.maps("org_slug") {
        claims.insert("org_slug".into(), json!(organization.slug));
    }
}

fn acting_for(claims: &mut Claims, minted: &Minted, acting: &ActingFor, occasion: &Occasion<'_>) {
    named(claims, &minted.application.settings.claims, &acting.organization);
    if occasion.has(scope::ROLES) {
        claims.insert("roles".into(), json!(acting.roles));
    }
    if occasion.has(scope::PERMISSIONS) {
        claims.insert("permissions".into(), json!(acting.permissions));
    }
    // The person is the subject, whomever they work for: so no `act`, but whose they are.
    if let Some((home, delegation)) = &acting.on_behalf {
        claims.insert("home_org_id".into(), json!(home.id));
        claims.insert("delegation_id".into(), json!(delegation.id));
    }
}

/// What the person is where they act for no organization (S1-O3).
fn of_project(claims: &mut Claims, roles: &BTreeMap<String, Vec<String>>, occasion: &Occasion<'_>) {
    if roles.is_empty() {
        return;
    }
    if occasion.has(scope::ROLES) {
        claims.insert("roles".into(), roles.keys().cloned().collect());
    }
    if occasion.has(scope::PERMISSIONS) {
        let permissions: BTreeSet<_> = roles.values().flatten().collect();
        claims.insert("permissions".into(), json!(permissions));
    }
}

fn name<'a>(kind: OrgName, slug: &'a str, display_name: &'a str) -> &'a str {
    match kind {
        OrgName::Slug => slug,
        OrgName::DisplayName => display_name,
    }
}

fn list_name(shape: &ClaimShape) -> &'static str {
    if shape.organizations == OrganizationsShape::MapByName { "organization" } else { ORGANIZATIONS }
}

fn full_list(list: &[Choice], shape: &ClaimShape) -> Value {
    let name = |one: &Choice| name(shape.org_name, &one.slug, &one.display_name).to_owned();
    match shape.organizations {
        OrganizationsShape::Objects => {
            let object = |one: &Choice| json!({ "id": one.organization, "name": name(one), "display_name": one.display_name, "roles": one.roles });
            list.iter().map(object).collect()
        }
        OrganizationsShape::Names => list.iter().map(|one| json!(name(one))).collect(),
        OrganizationsShape::Ids => list.iter().map(|one| json!(one.organization)).collect(),
        // Display names may repeat, so it is the slug that keys the map.
        OrganizationsShape::MapByName => {
            let entry = |one: &Choice| (one.slug.clone(), json!({ "id": one.organization }));
            list.iter().map(entry).collect::<Claims>().into()
        }
        OrganizationsShape::MapById => {
            let entry = |one: &Choice| {
                (one.organization.to_string(), json!({ "name": name(one), "roles": one.roles }))
            };
            list.iter().map(entry).collect::<Claims>().into()
        }
    }
}

/// The left half of the hash that belongs to the signature (OpenID Connect Core, section 3.1.3.6); Ed25519 is made
/// with SHA-512.
fn half_hash(token: &str, algorithm: Algorithm) -> String {
    use aws_lc_rs::digest::{SHA256, SHA512, digest};
    let hash = digest(if algorithm == Algorithm::EdDSA { &SHA512 } else { &SHA256 }, token.as_bytes());
    let bytes = hash.as_ref();
    data_encoding::BASE64URL_NOPAD.encode(&bytes[..bytes.len() / 2])
}
