//! What the table of everybody does not see, because a body or a path says it: an application that an owner had to allow gets
//! past the door, and asks there for what would outlive that leave, or is not its to give or to take (threats C22, H01).

use std::collections::BTreeSet;

use behalf::manage::api::routes::ROUTES;
use reqwest::Method;
use serde_json::{Value, json};

use super::everyone::{Ids, told, tries};
use crate::house::answers::fine;
use crate::house::api::{Api, THIRD};
use crate::house::broker::{House, Plan};
use crate::house::visitor::Answer;

/// Writes by which it may do all that they can be asked for, and why.
const HARMLESS: [(&str, &str); 17] = [
    ("replace_organization", "what an owner may say there outlives nothing; the rest is the operator's"),
    ("patch_organization", "as that"),
    ("claim_domain", "a claim confers nothing"),
    ("start_domain_verification", "a challenge confers nothing"),
    ("confirm_domain", "a proof turns nothing on"),
    ("remove_domain", "it takes away, and never the last way in"),
    ("preview_role_rules", "nothing is kept"),
    ("end_connection_review", "it tells that somebody has looked"),
    ("create_connection_test", "a trial lets nobody in"),
    ("delete_connection", "it takes away, and never the last way in; another method is the policy's to open"),
    ("discard_connection_draft", "it takes away what counts for nobody"),
    ("disable_connection", "as deleting it"),
    ("delete_sso_provider", "as deleting it"),
    ("make_connection_primary", "it is the one that is shown"),
    ("explain_routing", "nothing is kept"),
    ("put_sso_provider", "it is a draft: what makes it live is asked at `activate`"),
    ("replace_connection", "as that"),
];

/// A route, by its name, a path of it, what is said there, and what the application is told.
struct Beyond {
    route: &'static str,
    path: String,
    body: Value,
    code: &'static str,
}

async fn sends(api: &Api, one: &Beyond) -> Answer {
    let method = ROUTES.iter().find(|route| route.name == one.route).unwrap().method.clone();
    api.send(method, &one.path, |ask| match &one.body {
        Value::Null => ask,
        body => ask.header("content-type", "application/json").body(body.to_string()),
    })
    .await
}

fn provider(house: &House) -> Value {
    json!({
        "type": "oidc", "issuer": house.idp_b.issuer, "client_id": "behalf", "client_secret": house.idp_b.secret,
    })
}

fn with(mut body: Value, more: Value) -> Value {
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

/// One that is live, with its version.
async fn connection(operator: &Api, house: &House, slug: &str) -> (String, Value) {
    let more = json!({"organization_id": "org-a", "slug": slug, "activate": true, "force": true});
    let made = fine(operator.post("/connections", with(provider(house), more)).await);
    (format!("/connections/{}", made["id"].as_str().unwrap()), made["version"].clone())
}

async fn all_of_it(house: &House, [operator, owner, third]: [&Api; 3]) -> Vec<Beyond> {
    let one = |route, path: &str, body, code| Beyond { route, path: path.to_owned(), body, code };
    let [ann, con, eve] =
        [house.user("ann@a.test").await, house.user("con@a.test").await, house.user("eve@a.test").await];
    let members = "/organizations/org-a/members";
    let [ann_place, con_place, eve_place] = [&ann, &con, &eve].map(|id| format!("{members}/{id}"));
    let roles = format!("{eve_place}/role");
    fine(operator.patch(&roles, json!({"role": "owner"})).await);
    fine(operator.patch(&con_place, json!({"kind": "guest"})).await);
    let session = format!("SELECT id FROM sessions WHERE user_id = '{eve}' ORDER BY id LIMIT 1");
    let session = format!("{eve_place}/sessions/{}", house.text(&session).await.unwrap());
    let invitations = "/organizations/org-a/invitations";
    let body = json!({"email": "own@c.test", "role": "owner", "send": false});
    let invited = fine(owner.post(invitations, body).await);
    let invitation = format!("{invitations}/{}", invited["invitation"]["id"].as_str().unwrap());
    let domain = house.text("SELECT id FROM domains WHERE name = 'a.test'").await.unwrap();
    let domain = format!("/organizations/org-a/domains/{domain}");
    fine(owner.patch(&domain, json!({"trust_email": false})).await);
    house.joins(ann.parse().unwrap(), "org-c", &["member"]).await;

    // One that lets nobody in unasked, one with another version before the live one and a draft, and one that is off.
    let live = format!("/connections/{}", house.connection("ca").await);
    fine(owner.patch(&live, json!({"jit": "expected_only", "activate": true, "force": true})).await);
    let (versions, first) = connection(operator, house, "versions").await;
    let claims = json!({"required_claims": {"tier": "x"}, "activate": true, "force": true});
    fine(operator.patch(&versions, claims).await);
    fine(third.patch(&versions, json!({"email_claim": "mail"})).await);
    let (off, _) = connection(operator, house, "off").await;
    fine(operator.send(Method::POST, &format!("{off}/disable"), |ask| ask).await);

    let activate = |more: Value| with(more, json!({"activate": true, "force": true}));
    vec![
        one("patch_domain", &domain, json!({"trust_email": true}), "permission_missing"),
        one("patch_domain", &domain, json!({"auto_join": {"role": "member"}}), "permission_missing"),
        one(
            "patch_domain",
            &domain,
            json!({"auto_join": {"enabled": true, "role": "member"}}),
            "permission_missing",
        ),
        one(
            "switch_organization",
            "/organizations/switch",
            json!({"organization_id": "org-c"}),
            "not_a_member",
        ),
        one("end_member_session", &session, Value::Null, "role_ceiling"),
        one("patch_member", &eve_place, json!({"status": "suspended"}), "role_ceiling"),
        one("patch_member", &con_place, json!({"kind": "member"}), "role_ceiling"),
        one("patch_member", &ann_place, json!({"status": "suspended"}), "beyond_consent"),
        one("change_member_role", &format!("{con_place}/role"), json!({"role": "admin"}), "role_ceiling"),
        one("change_member_role", &roles, json!({"role": "member"}), "role_ceiling"),
        one("change_member_role", &format!("{ann_place}/role"), json!({"role": "member"}), "beyond_consent"),
        one("remove_member", &eve_place, Value::Null, "role_ceiling"),
        one("remove_member", &ann_place, Value::Null, "beyond_consent"),
        one("revoke_invitation", &invitation, Value::Null, "role_ceiling"),
        one("create_connection", "/connections", activate(provider(house)), "owner_required"),
        one("patch_connection", &live, activate(json!({"jit": "create_and_join"})), "role_ceiling"),
        one("patch_connection", &live, activate(provider(house)), "owner_required"),
        one("patch_connection", &live, activate(json!({"leeway": 119})), "owner_required"),
        one("activate_connection", &format!("{versions}/activate"), json!({"force": true}), "owner_required"),
        one(
            "roll_connection_back",
            &format!("{versions}/rollback"),
            json!({"version": first}),
            "owner_required",
        ),
        one("enable_connection", &format!("{off}/enable"), Value::Null, "owner_required"),
    ]
}

#[tokio::test]
async fn c22_h01_every_write_that_is_open_to_an_allowed_application_gives_and_takes_no_more_than_is_its_to() {
    let house = Plan::default().and(THIRD).build().await;
    let (operator, owner) = (Api::operator(&house).await, Api::person(&house, "ann@a.test", "org-a").await);
    for email in ["con@a.test", "eve@a.test"] {
        Api::person(&house, email, "org-a").await;
    }
    let third = Api::by_consent(&house, "ann@a.test", "org-a").await;
    let beyond = all_of_it(&house, [&operator, &owner, &third]).await;
    // Whichever route lets it past the door stands in one of the two.
    let ids = Ids::of(&house).await;
    let mut open = BTreeSet::new();
    for route in ROUTES.iter().filter(|route| route.writes()) {
        if told(&tries(&third, &route.method, &ids.in_path(route.path)).await) == "granted" {
            open.insert(route.name);
        }
    }
    let tried: BTreeSet<_> = beyond.iter().map(|one| one.route).collect();
    let harmless: BTreeSet<_> = HARMLESS.iter().map(|(route, _)| *route).collect();
    assert_eq!(tried.intersection(&harmless).count(), 0);
    assert_eq!(&tried | &harmless, open, "what is open to it, and what is said of that");
    for one in &beyond {
        let before = house.before().await;
        let answer = sends(&third, one).await;
        assert_eq!(told(&answer), one.code, "{} {}: {}", one.route, one.body, answer.body);
        house.refused(&before, one.code).await;
    }
    // It is the leave by which it comes, and nothing else: the same owner is told something else by an application that
    // nobody had to allow.
    for one in &beyond {
        let answer = sends(&owner, one).await;
        let code = if answer.body.is_empty() { "nothing".to_owned() } else { told(&answer) };
        assert_ne!(code, one.code, "{} {}: {}", one.route, one.body, answer.body);
    }
}
