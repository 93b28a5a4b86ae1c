//! Roles by what an identity provider says.

use reqwest::Method;
use serde_json::{Value, json};

use crate::house::answers::{delete, fine, told};
use crate::house::api::{Api, access_token};
use crate::house::application::{Application, Ask, Person, Tokens};
use crate::house::broker::{Engine, House, Plan};
use crate::house::lying_idp::Says;
use crate::house::lying_saml_idp;
use crate::house::trial::Link;
use crate::house::visitor::{Answer, Visitor};

const ENGINES: [Engine; 2] = [Engine::Sqlite, Engine::Postgres];
const RULES: &str = "/organizations/org-a/role-rules";

/// A role of org-a that may do this.
async fn role(operator: &Api, name: &str, permissions: &[&str]) -> String {
    let body = json!({"organization_id": "org-a", "name": name, "permissions": permissions});
    let made = operator.post("/roles", body).await;
    assert_eq!(made.status, 201, "{}", made.body);
    made.json()["id"].as_str().unwrap().to_owned()
}

/// Who is in this group has this role.
fn of_group(connection: &str, group: &str, role: &str) -> Value {
    json!({"connection_id": connection, "claim": "groups", "operator": "contains", "value": group, "role": role})
}

/// Makes it, and gives its path.
async fn ruled(api: &Api, body: Value) -> String {
    let made = api.post(RULES, body).await;
    assert_eq!(made.status, 201, "{}", made.body);
    format!("{RULES}/{}", made.json()["id"].as_str().unwrap())
}

fn in_groups(groups: &[&str]) -> Says {
    Says::truth().claim("groups", &json!(groups).to_string())
}

fn ask(house: &House, email: &str, organization: &str) -> Ask {
    Application::rp1(house).asks().with("organization", organization).with("login_hint", email)
}

async fn signs_in(house: &House, email: &str, organization: &str) -> Tokens {
    let ask = ask(house, email, organization);
    let arrival = Person::new(email).follows(&ask).await;
    ask.redeems(&arrival).await
}

/// With an administrator besides the owner.
async fn house_with_admin() -> House {
    let con = r#"{ email = "con@a.test", roles = ["member"] }"#;
    Plan::default().with(con, &con.replace("member", "admin")).build().await
}

#[tokio::test]
async fn s1_p7_h01_what_a_provider_says_gives_a_role_for_as_long_as_it_says_so() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let operator = Api::operator(&house).await;
        role(&operator, "helper", &["members:read", "tickets:answer"]).await;
        let path = ruled(&operator, of_group(&house.connection("ca").await, "desk", "helper")).await;
        house.idp_a.says(in_groups(&["staff", "desk"]));
        let tokens = signs_in(&house, "con@a.test", "org-a").await;
        for claims in [&tokens.id, &tokens.access] {
            assert_eq!(claims["roles"], json!(["member", "helper"]));
            let permissions = claims["permissions"].as_array().unwrap();
            assert!(permissions.contains(&json!("tickets:answer")), "{permissions:?}");
        }
        let all = tokens.id["organizations"].as_array().unwrap().clone();
        let own = all.iter().find(|one| one["id"] == json!(tokens.id["org_id"])).unwrap();
        assert_eq!(own["roles"], json!(["member", "helper"]));
        // Nobody holds it.
        let held = house.text("SELECT role FROM membership_roles WHERE role = 'helper'").await;
        assert_eq!(held, None);
        let con = house.user("con@a.test").await;
        let stored = house.text(&format!("SELECT roles FROM memberships WHERE user_id = '{con}'")).await;
        assert_eq!(stored.as_deref(), Some(r#"["member"]"#));
        // It opens what it says, and tells why.
        let con = Api::with(&house, Some(access_token(&house, "con@a.test", "org-a").await)).await;
        assert_eq!(con.get("/organizations/org-a/members").await.status, 200);
        let mine = con.get("/me/permissions").await.json()["permissions"].as_array().unwrap().clone();
        let found = mine.iter().find(|one| one["permission"] == json!("members:read")).unwrap();
        assert_eq!(found["reasons"], json!([{"layer": "rule", "name": "helper"}]));
        // Taken out of the group: the next sign-in has it no more, and what was issued before opens nothing by it.
        house.idp_a.says(in_groups(&["staff"]));
        assert_eq!(signs_in(&house, "con@a.test", "org-a").await.id["roles"], json!(["member"]));
        let refused = con.get("/organizations/org-a/members").await;
        assert_eq!(told(&refused), (403, "permission_missing".into()));
        // In the group again; the rule goes between the code and its token.
        house.idp_a.says(in_groups(&["desk"]));
        let ask = ask(&house, "con@a.test", "org-a");
        let arrival = Person::new("con@a.test").follows(&ask).await;
        assert_eq!(con.get("/organizations/org-a/members").await.status, 200);
        assert_eq!(delete(&operator, &path).await.status, 204);
        assert_eq!(ask.redeems(&arrival).await.id["roles"], json!(["member"]));
        assert_eq!(con.get("/organizations/org-a/members").await.status, 403);
        for action in ["role_rule.created", "role_rule.deleted"] {
            assert_eq!(house.events_of(action).await, 1, "{action}");
        }
    }
}

#[tokio::test]
async fn s1_p7_groups_and_mapped_attributes_of_saml_give_roles_too() {
    let more = "\n[connection.ca.claims]\ndepartment = \"ou\"\n";
    let house = Plan::default().with_saml("ca", more).build().await;
    let operator = Api::operator(&house).await;
    role(&operator, "helper", &["members:read"]).await;
    role(&operator, "seller", &["orders:write"]).await;
    let ca = house.connection("ca").await;
    ruled(&operator, of_group(&ca, "admins", "helper")).await;
    // Ids of one moment are in any order, and rules are in that of their ids.
    house.turn_clock(1);
    let by_department = json!({"connection_id": ca, "claim": "department", "operator": "prefix", "value": "sal", "role": "seller"});
    ruled(&operator, by_department).await;
    let come = async |says: lying_saml_idp::Says| {
        let ask = Application::rp1(&house).asks().with("organization", "org-a");
        let arrival = Person::new("con@a.test").signs_in_by(&house, "ca", &ask, &says).await;
        ask.redeems(&arrival).await.id["roles"].clone()
    };
    let says = lying_saml_idp::Says::that("con@a.test").attribute("ou", &["sales"]);
    assert_eq!(come(says.clone()).await, json!(["member", "helper", "seller"]));
    assert_eq!(come(says.clone().attribute("groups", &["staff"])).await, json!(["member", "seller"]));
    assert_eq!(come(says.clone().without("groups").attribute("ou", &["it"])).await, json!(["member"]));
    // What is not mapped is not said.
    assert_eq!(
        come(says.without("ou").attribute("department", &["sales"])).await,
        json!(["member", "helper"])
    );
}

#[tokio::test]
async fn h01_no_rule_gives_more_than_whoever_writes_it_could() {
    let house = house_with_admin().await;
    let operator = Api::operator(&house).await;
    role(&operator, "helper", &["members:read"]).await;
    role(&operator, "keeper", &["members:write"]).await;
    role(&operator, "billing", &["invoices:read"]).await;
    let (ca, cb) = (house.connection("ca").await, house.connection("cb").await);
    let owner = Api::person(&house, "ann@a.test", "org-a").await;
    let admin = Api::with(&house, Some(access_token(&house, "con@a.test", "org-a").await)).await;
    let all = ["roles:write", "roles:read", "members:read", "members:write"];
    let key = Api::key(&house, "org-a", &all).await;
    for (api, role, status, code) in [
        (&operator, "owner", 422, "role_not_mappable"),
        (&owner, "owner", 422, "role_not_mappable"),
        (&admin, "owner", 422, "role_not_mappable"),
        (&owner, "Owner", 422, "role_unknown"),
        (&owner, "none", 422, "role_unknown"),
        (&admin, "admin", 403, "role_ceiling"),
        (&key, "admin", 403, "role_ceiling"),
        (&admin, "keeper", 403, "role_ceiling"),
        (&key, "keeper", 403, "role_ceiling"),
        (&admin, "billing", 403, "role_ceiling"),
        (&key, "billing", 403, "role_ceiling"),
    ] {
        let before = house.before().await;
        let refused = api.post(RULES, of_group(&ca, "desk", role)).await;
        assert_eq!(told(&refused), (status, code.into()), "{role}");
        house.refused(&before, code).await;
    }
    for (connection, name) in
        [(cb.as_str(), "another's"), ("conn_00000000000000000000000007", "nobody's"), ("x", "no id")]
    {
        let before = house.before().await;
        let refused = owner.post(RULES, of_group(connection, "desk", "helper")).await;
        assert_eq!(told(&refused), (422, "invalid_value".into()), "{name}");
        assert_eq!(
            refused.json()["errors"][0]["detail"],
            json!("is no connection of this organization"),
            "{name}"
        );
        house.unchanged(&before).await;
    }
    // What a role is worth in an application is the owner's to give.
    let billing = ruled(&owner, of_group(&ca, "desk", "billing")).await;
    assert_eq!(delete(&admin, &billing).await.status, 204);
    // An owner lets a group administer; nobody below changes who that is, but anybody may end it.
    let path = ruled(&owner, of_group(&ca, "desk", "admin")).await;
    let view = owner.get(&path).await.json();
    assert_eq!(view["approved_by"], json!(house.user("ann@a.test").await));
    for body in [json!({"value": "staff"}), json!({"operator": "prefix"}), json!({})] {
        let before = house.before().await;
        assert_eq!(told(&admin.patch(&path, body).await), (403, "role_ceiling".into()));
        house.unchanged(&before).await;
    }
    assert_eq!(delete(&admin, &path).await.status, 204);
}

#[tokio::test]
async fn h01_what_an_owner_has_approved_counts_for_as_long_as_they_own_the_organization() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let (operator, ca) = (Api::operator(&house).await, house.connection("ca").await);
        let ann = Api::person(&house, "ann@a.test", "org-a").await;
        let adi = Api::person(&house, "adi@a.test", "org-a").await;
        let [ann_id, adi_id] = [house.user("ann@a.test").await, house.user("adi@a.test").await];
        let members = "/organizations/org-a/members";
        let [ann_place, adi_place] = [&ann_id, &adi_id].map(|id| format!("{members}/{id}"));
        let is_now = async |place: &str, role: &str| {
            fine(operator.patch(&format!("{place}/role"), json!({"role": role})).await);
        };
        is_now(&adi_place, "owner").await;
        let path = ruled(&adi, of_group(&ca, "desk", "admin")).await;
        let operators = ruled(&operator, of_group(&ca, "ops", "admin")).await;
        house.idp_a.says(in_groups(&["desk"]));
        let roles = async || signs_in(&house, "con@a.test", "org-a").await.id["roles"].clone();
        let con = Api::person(&house, "con@a.test", "org-a").await;
        let made = con.post("/api-keys", json!({"name": "k", "permissions": ["members:read"]})).await;
        let key = Api::with(&house, fine(made)["key"].as_str().map(str::to_owned)).await;
        let standing = async || {
            let view = fine(ann.get(&path).await);
            (view["status"].clone(), view["approved_by"].clone())
        };
        let user = format!("/users/{adi_id}");
        let owns = format!("{adi_place}/role");
        for (times, (path, ends, begins)) in [
            (&owns, json!({"role": "admin"}), json!({"role": "owner"})),
            (&adi_place, json!({"status": "suspended"}), json!({"status": "active"})),
            (&user, json!({"disabled": true}), json!({"disabled": false})),
        ]
        .into_iter()
        .enumerate()
        {
            assert_eq!((roles().await, standing().await.0), (json!(["member", "admin"]), json!("active")));
            fine(key.get(members).await);
            fine(operator.patch(path, ends).await);
            // Nor may they any more who have come by it, or what they have made.
            assert_eq!(told(&con.get(members).await), (403, "permission_missing".into()), "{path}");
            assert_eq!(told(&key.get(members).await), (403, "permission_missing".into()), "{path}");
            assert_eq!(roles().await, json!(["member"]), "{path}");
            assert_eq!(standing().await, (json!("unapproved"), json!(adi_id)), "{path}");
            let of_group = json!({"connection_id": ca, "claims": {"groups": ["desk"]}});
            let tried = fine(ann.post(&format!("{RULES}/preview"), of_group).await);
            assert_eq!((&tried["roles"], &tried["matched"][0]["status"]), (&json!([]), &json!("unapproved")));
            assert_eq!(fine(ann.get(&operators).await)["status"], json!("active"));
            // Those who own it are told.
            assert_eq!(house.events_of("role_rule.unapproved").await, times + 1);
            let mails = "SELECT recipient FROM mails WHERE kind = 'role_rules_unapproved'
                         ORDER BY created_at DESC, id DESC LIMIT 1";
            assert_eq!(house.text(mails).await.as_deref(), Some("ann@a.test"));
            fine(operator.patch(path, begins).await);
        }
        // Another owner answers for it before who has approved it goes: nothing lapses.
        fine(ann.patch(&path, json!({})).await);
        assert_eq!(standing().await, (json!("active"), json!(ann_id)));
        let before = house.before().await;
        fine(ann.patch(&path, json!({})).await);
        house.unchanged(&before).await;
        is_now(&adi_place, "member").await;
        assert_eq!(
            (roles().await, house.events_of("role_rule.unapproved").await),
            (json!(["member", "admin"]), 3)
        );
        // Or one does so afterwards.
        is_now(&adi_place, "owner").await;
        let demoted = format!("{ann_place}/role?force=true");
        fine(operator.patch(&demoted, json!({"role": "member"})).await);
        assert_eq!(roles().await, json!(["member"]));
        fine(operator.patch(&path, json!({})).await);
        assert_eq!(roles().await, json!(["member", "admin"]));
    }
}

#[tokio::test]
async fn h01_what_a_rule_gives_is_judged_when_it_gives_it() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let operator = Api::operator(&house).await;
        let helper = role(&operator, "helper", &["members:read"]).await;
        let key = Api::key(&house, "org-a", &["roles:write", "roles:read", "members:read"]).await;
        let path = ruled(&key, of_group(&house.connection("ca").await, "desk", "helper")).await;
        house.idp_a.says(in_groups(&["desk"]));
        let roles = async || signs_in(&house, "con@a.test", "org-a").await.id["roles"].clone();
        assert_eq!(roles().await, json!(["member", "helper"]));
        // The role comes to change something: no owner has let a provider's word give that.
        let role = format!("/roles/{helper}");
        assert_eq!(operator.patch(&role, json!({"permissions": ["members:write"]})).await.status, 200);
        assert_eq!(roles().await, json!(["member"]));
        assert_eq!(key.get(&path).await.json()["status"], json!("unapproved"));
        assert_eq!(operator.patch(&path, json!({})).await.json()["status"], json!("active"));
        assert_eq!(roles().await, json!(["member", "helper"]));
        // Functional roles cut it as they cut everything.
        let functions = json!({"functional_roles": []});
        assert_eq!(operator.patch("/organizations/org-a", functions).await.status, 200);
        let tokens = signs_in(&house, "con@a.test", "org-a").await;
        assert_eq!(
            (&tokens.id["roles"], &tokens.id["permissions"]),
            (&json!(["member", "helper"]), &json!([]))
        );
        // Who holds it by a rule needs the factors that it needs.
        let policy = json!({"mfa_required_for": ["helper"]});
        assert_eq!(operator.patch("/organizations/org-a/policy", policy).await.status, 200);
        let before = house.before().await;
        let arrival = Person::new("con@a.test").follows(&ask(&house, "con@a.test", "org-a")).await;
        assert_eq!(arrival.told_application("code"), None, "{}", arrival.told());
        let told = house.events_since(&before).await;
        assert!(told.iter().any(|event| event.reason.as_deref() == Some("mfa_required")), "{told:?}");
        // A role that is no more gives nothing.
        house.execute("DELETE FROM roles WHERE name = 'helper'").await;
        assert_eq!(operator.get(&path).await.json()["status"], json!("role_unknown"));
        assert_eq!(roles().await, json!(["member"]));
    }
}

#[tokio::test]
async fn s1_p7_a_rule_of_one_organization_touches_no_other() {
    let house = House::opens().await;
    let operator = Api::operator(&house).await;
    // Every organization has the role; the delegation would let it through.
    let everywhere = json!({"name": "helper", "permissions": ["members:read"]});
    assert_eq!(operator.post("/roles", everywhere).await.status, 201);
    let roles = r#"target = "org-b"
roles = ["member", "helper"]"#;
    let file = house.file.replace("target = \"org-b\"\nroles = [\"member\"]", roles);
    assert_ne!(file, house.file);
    let member = r#"members = [{ email = "bob@b.test", roles = ["owner"] }, { email = "con@a.test", roles = ["member"] }]"#;
    let file = file.replace(r#"members = [{ email = "bob@b.test", roles = ["owner"] }]"#, member);
    house.provision(&file).await;
    let ca = house.connection("ca").await;
    ruled(&operator, of_group(&ca, "desk", "helper")).await;
    // Nor does another write one for it, and one that stood there all the same would do nothing.
    let others = "/organizations/org-b/role-rules";
    let before = house.before().await;
    assert_eq!(
        told(&operator.post(others, of_group(&ca, "desk", "helper")).await),
        (422, "invalid_value".into())
    );
    house.unchanged(&before).await;
    let (project, b) =
        (house.text("SELECT project_id FROM role_rules").await.unwrap(), house.organization("org-b").await);
    house
        .execute(&format!(
            "INSERT INTO role_rules (id, project_id, organization_id, connection_id, claim, matching, value, role,
                                     approved_by, created_at, updated_at)
             VALUES ('rule_00000000000000000000000009', '{project}', '{b}', '{ca}', 'groups', 'contains', 'desk',
                     'admin', 'operator', 1, 1)"
        ))
        .await;
    house.idp_a.says(in_groups(&["desk"]));
    let at_home = signs_in(&house, "con@a.test", "org-a").await;
    assert_eq!(at_home.id["roles"], json!(["member", "helper"]));
    let all = at_home.id["organizations"].as_array().unwrap().clone();
    let of_b = all.iter().find(|one| one["id"] == json!(b)).unwrap();
    assert_eq!(of_b["roles"], json!(["member"]));
    // As a member of B, through A's provider; then, no member any more, by the delegation.
    assert_eq!(signs_in(&house, "con@a.test", "org-b").await.id["roles"], json!(["member"]));
    let con = house.user("con@a.test").await;
    house.execute(&format!("DELETE FROM membership_roles WHERE organization_id = '{b}' AND membership_id IN (SELECT id FROM memberships WHERE user_id = '{con}')")).await;
    house
        .execute(&format!("DELETE FROM memberships WHERE organization_id = '{b}' AND user_id = '{con}'"))
        .await;
    let file = house.file.clone();
    house.provision(&file).await;
    let tokens = signs_in(&house, "con@a.test", "org-b").await;
    assert!(tokens.id["delegation_id"].is_string(), "{}", tokens.id);
    assert_eq!(tokens.id["roles"], json!(["member"]), "what the delegation itself gives");
    // Of two connections of one organization, each has its own.
    house.idp_b.says(in_groups(&["desk"]));
    assert_eq!(signs_in(&house, "bob@b.test", "org-b").await.id["roles"], json!(["owner"]));
}

#[tokio::test]
async fn s1_p7_rules_are_tried_on_what_a_provider_would_say() {
    let house = House::opens().await;
    let (operator, owner) = (Api::operator(&house).await, Api::person(&house, "ann@a.test", "org-a").await);
    role(&operator, "helper", &["members:read"]).await;
    let ca = house.connection("ca").await;
    let path = ruled(&owner, of_group(&ca, "desk", "helper")).await;
    let preview = format!("{RULES}/preview");
    let member = Api::with(&house, Some(access_token(&house, "con@a.test", "org-a").await)).await;
    let key = Api::key(&house, "org-a", &["roles:read"]).await;
    let before = house.before().await;
    let claims = json!({"groups": ["staff", "desk"], "department": "sales"});
    let kept = owner.post(&preview, json!({"connection_id": ca, "claims": claims})).await;
    assert_eq!(kept.status, 200, "{}", kept.body);
    let matched = kept.json()["matched"][0].clone();
    assert_eq!(json!(format!("{RULES}/{}", matched["rule_id"].as_str().unwrap())), json!(path));
    assert_eq!((&matched["because"], &matched["status"]), (&json!("desk"), &json!("active")));
    assert_eq!(kept.json()["roles"], json!(["helper"]));
    let none = owner.post(&preview, json!({"connection_id": ca, "claims": {"groups": "staff"}})).await.json();
    assert_eq!(none, json!({"matched": [], "roles": [], "left_out": []}));
    // Those that are not written yet, as if the caller had just done so.
    let rules = json!([
        {"claim": "department", "operator": "equals", "value": "sales", "role": "admin"},
        {"claim": "groups", "operator": "prefix", "value": "st", "role": "nobody"},
        {"claim": "groups", "operator": "equals", "value": "staff", "role": "helper"},
    ]);
    let body = json!({"connection_id": ca, "claims": claims, "rules": rules});
    let tried = owner.post(&preview, body.clone()).await.json();
    assert_eq!(tried["roles"], json!(["admin"]));
    let status: Vec<_> =
        tried["matched"].as_array().unwrap().iter().map(|one| one["status"].clone()).collect();
    assert_eq!(status, [json!("active"), json!("role_unknown")]);
    let tried = key.post(&preview, body).await.json();
    assert_eq!((&tried["roles"], &tried["matched"][0]["status"]), (&json!([]), &json!("unapproved")));
    let owners = json!([{"claim": "groups", "operator": "equals", "value": "staff", "role": "owner"}]);
    for (body, status, code) in [
        (json!({"connection_id": ca, "claims": {}, "rules": owners}), 422, "role_not_mappable"),
        (json!({"connection_id": house.connection("cb").await, "claims": {}}), 422, "invalid_value"),
        (json!({"connection_id": ca, "claims": {"groups": 7}}), 400, "invalid_body"),
        (json!({"connection_id": ca}), 400, "invalid_body"),
        (json!({"connection_id": ca, "claims": {}, "test_id": "x"}), 400, "invalid_body"),
        (json!({"connection_id": ca, "test_id": "x"}), 422, "invalid_value"),
    ] {
        assert_eq!(told(&owner.post(&preview, body.clone()).await), (status, code.into()), "{body}");
    }
    let refused = member.post(&preview, json!({"connection_id": ca, "claims": {}})).await;
    assert_eq!(told(&refused), (403, "permission_missing".into()));
    house.unchanged(&before).await;
}

#[tokio::test]
async fn s1_p7_what_gives_nobody_a_role_is_no_rule_and_none_that_is_only_tried() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let owner = Api::person(&house, "ann@a.test", "org-a").await;
        let ca = house.connection("ca").await;
        let preview = format!("{RULES}/preview");
        let rule = |claim: &str, value: &str| json!({"connection_id": ca, "claim": claim, "operator": "equals", "value": value, "role": "member"});
        let path = ruled(&owner, rule("department", "sales")).await;
        let pointer = |answer: &Answer| answer.json()["errors"][0]["pointer"].clone();
        for claim in ["email", "sub", "name", "preferred_username", "iss", "amr"] {
            let before = house.before().await;
            let refused = owner.post(RULES, rule(claim, "ann@a.test")).await;
            assert_eq!(told(&refused), (422, "invalid_value".into()), "{claim}");
            assert_eq!(pointer(&refused), json!("/claim"));
            assert!(refused.body.contains(&format!("`{claim}`")), "{}", refused.body);
            house.refused(&before, "invalid_value").await;
            let before = house.before().await;
            assert_eq!(pointer(&owner.patch(&path, json!({"claim": claim})).await), json!("/claim"));
            house.refused(&before, "invalid_value").await;
            let tried = json!([
                {"claim": "groups", "operator": "equals", "value": "x", "role": "member"},
                {"claim": claim, "operator": "equals", "value": "x", "role": "member"},
            ]);
            let tried = json!({"connection_id": ca, "claims": {}, "rules": tried});
            assert_eq!(pointer(&owner.post(&preview, tried).await), json!("/rules/1/claim"));
        }
        // A whole ID token may be tried: it is told what of it counts for nothing, and the sign-in has just as much by it.
        let long = "x".repeat(1_025);
        let said =
            json!({"department": "sales", "email": "con@a.test", "sub": "sub-con@a.test", "team": long});
        let tried = owner.post(&preview, json!({"connection_id": ca, "claims": said})).await.json();
        assert_eq!(tried["left_out"], json!(["email", "sub", "team"]));
        assert_eq!(tried["roles"], json!(["member"]));
        let wrong = owner.post(&preview, json!({"connection_id": ca, "claims": {"a": 1}})).await;
        assert_eq!((told(&wrong).0, pointer(&wrong)), (400, json!("/claims/a")));
        assert!(wrong.body.contains("a text or a list of texts"), "{}", wrong.body);
    }
    // Of SAML, what the mapping does not name, or what it names as one value and comes as two.
    let more = "\n[connection.ca.claims]\ndepartment = \"ou\"\n";
    let house = Plan::default().with_saml("ca", more).build().await;
    let owner = Api::operator(&house).await;
    let ca = house.connection("ca").await;
    let rule = |claim: &str| json!({"connection_id": ca, "claim": claim, "operator": "contains", "value": "it", "role": "member"});
    for claim in ["email", "hd", "roles"] {
        let before = house.before().await;
        assert_eq!(told(&owner.post(RULES, rule(claim)).await), (422, "invalid_value".into()), "{claim}");
        house.refused(&before, "invalid_value").await;
    }
    ruled(&owner, rule("department")).await;
    let tried = async |claims: Value| {
        let body = json!({"connection_id": ca, "claims": claims});
        owner.post(&format!("{RULES}/preview"), body).await.json()
    };
    let one = tried(json!({"department": "it", "ou": "it", "groups": ["a"]})).await;
    assert_eq!((&one["roles"], &one["left_out"]), (&json!(["member"]), &json!(["ou"])));
    let two = tried(json!({"department": ["it", "hr"]})).await;
    assert_eq!((&two["roles"], &two["left_out"]), (&json!([]), &json!(["department"])));
}

#[tokio::test]
async fn s1_p7_s1_p6_rules_are_tried_on_what_came_in_a_sign_in_on_trial() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let (operator, owner) =
            (Api::operator(&house).await, Api::person(&house, "ann@a.test", "org-a").await);
        role(&operator, "helper", &["members:read"]).await;
        let ca = house.connection("ca").await;
        ruled(&owner, of_group(&ca, "desk", "helper")).await;
        let preview = format!("{RULES}/preview");
        let tried = async |says: Says| {
            let link = Link::to(&owner, &house, "ca").await;
            house.idp_a.says(says);
            Visitor::arrives().tries(&link).await;
            let test = link.path.rsplit('/').next().unwrap().to_owned();
            owner.post(&preview, json!({"connection_id": ca, "test_id": test})).await
        };
        let desk = Says::that("sub-of-cleo", "cleo@a.test").claim("groups", "[\"desk\",\"staff\"]");
        let kept = tried(desk).await;
        assert_eq!((kept.status.as_u16(), &kept.json()["roles"]), (200, &json!(["helper"])), "{}", kept.body);
        let staff = Says::that("sub-of-cleo", "cleo@a.test").claim("groups", "[\"staff\"]");
        assert_eq!(tried(staff).await.json()["roles"], json!([]));
        // One that failed says nothing; another connection's is none of this one's.
        let foreign = Says::that("x", "con@b.test").claim("groups", "[\"desk\"]");
        assert_eq!(told(&tried(foreign).await), (422, "invalid_value".into()));
        let open = Link::to(&owner, &house, "ca").await.path;
        let open = open.rsplit('/').next().unwrap();
        let before = house.before().await;
        let body = json!({"connection_id": ca, "test_id": open});
        assert_eq!(told(&owner.post(&preview, body).await), (422, "invalid_value".into()));
        house.unchanged(&before).await;
    }
}

#[tokio::test]
async fn s1_p7_rules_are_listed_changed_and_deleted() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let (operator, owner) =
            (Api::operator(&house).await, Api::person(&house, "ann@a.test", "org-a").await);
        let helper = role(&operator, "helper", &["members:read"]).await;
        let ca = house.connection("ca").await;
        let mut paths = Vec::new();
        for group in ["one", "two", "three"] {
            house.turn_clock(1);
            paths.push(ruled(&owner, of_group(&ca, group, "helper")).await);
        }
        let page = owner.get(&format!("{RULES}?limit=2&connection_id={ca}")).await.json();
        assert_eq!(page["items"].as_array().unwrap().len(), 2);
        let next = page["next_cursor"].as_str().unwrap();
        let rest = owner.get(&format!("{RULES}?limit=2&connection_id={ca}&cursor={next}")).await.json();
        assert_eq!((&rest["items"][0]["value"], &rest["next_cursor"]), (&json!("three"), &Value::Null));
        let before = house.before().await;
        let twice = owner.post(RULES, of_group(&ca, "two", "helper")).await;
        assert_eq!(told(&twice), (409, "role_rule_exists".into()));
        house.refused(&before, "role_rule_exists").await;
        let read = owner.get(&paths[0]).await;
        let etag = read.header("etag").unwrap().to_owned();
        let patched = owner.patch(&paths[0], json!({"value": "four"})).await;
        assert_eq!(
            (patched.status.as_u16(), &patched.json()["value"]),
            (200, &json!("four")),
            "{}",
            patched.body
        );
        let stale = owner.send(Method::DELETE, &paths[0], |ask| ask.header("if-match", etag)).await;
        assert_eq!(told(&stale), (412, "precondition_failed".into()));
        let taken = owner.patch(&paths[0], json!({"value": "two"})).await;
        assert_eq!(told(&taken), (409, "role_rule_exists".into()));
        for (body, status, code) in [
            (json!({"claim": ""}), 422, "invalid_value"),
            (json!({"claim": "a b"}), 422, "invalid_value"),
            (json!({"value": ""}), 422, "invalid_value"),
            (json!({"value": "a\u{7}"}), 422, "invalid_value"),
            (json!({"operator": "matches"}), 400, "invalid_body"),
            (json!({"connection_id": ca}), 400, "unknown_field"),
        ] {
            let before = house.before().await;
            assert_eq!(told(&owner.patch(&paths[0], body.clone()).await), (status, code.into()), "{body}");
            house.unchanged(&before).await;
        }
        // A role that rules name is in use.
        let role = format!("/roles/{helper}");
        assert_eq!(told(&delete(&operator, &role).await), (409, "role_in_use".into()));
        for path in &paths {
            assert_eq!(delete(&owner, path).await.status, 204);
            assert_eq!(told(&delete(&owner, path).await), (404, "not_found".into()));
        }
        assert_eq!(delete(&operator, &role).await.status, 204);
        let event = house.audit().await;
        let event = event.iter().find(|event| event.action == "role_rule.updated").unwrap();
        assert_eq!(event.organization, Some(house.organization("org-a").await));
    }
}

#[tokio::test]
async fn s1_p7_an_organization_has_so_many_rules_and_no_more() {
    let house = House::opens().await;
    let operator = Api::operator(&house).await;
    let ca = house.connection("ca").await;
    for number in 0..200 {
        ruled(&operator, of_group(&ca, &format!("group-{number}"), "member")).await;
    }
    let before = house.before().await;
    let refused = operator.post(RULES, of_group(&ca, "one more", "member")).await;
    assert_eq!(told(&refused), (409, "limit_reached".into()));
    house.refused(&before, "limit_reached").await;
}
