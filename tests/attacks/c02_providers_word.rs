//! C02, H01: whoever may change by what a provider's word is believed may be everybody who signs in by it. Who could not
//! give all that those people have drafts, tries, and leaves it to an owner to make it live.

use reqwest::Method;
use serde_json::{Value, json};

use crate::house::answers::fine;
use crate::house::api::Api;
use crate::house::application::{Application, Person};
use crate::house::broker::{Engine, House, Plan};
use crate::house::lying_idp::Says as OidcSays;
use crate::house::lying_saml_idp::{LyingSamlIdp, Says};
use crate::house::trial::Link;
use crate::house::visitor::{Answer, Visitor};

const WRITER: [&str; 2] = ["connections:read", "connections:write"];
const ENGINES: [Engine; 2] = [Engine::Sqlite, Engine::Postgres];
const PROVIDER: &str = "/organizations/org-a/sso-provider";

fn refused(answer: &Answer, code: &str) {
    assert_eq!((answer.status.as_u16(), &answer.json()["code"]), (403, &json!(code)), "{}", answer.body);
}

/// Con, who administers the organization and does not own it.
async fn admin(house: &House) -> Api {
    let admin = Api::person(house, "con@a.test", "org-a").await;
    house.execute("UPDATE memberships SET roles = '[\"admin\"]' WHERE roles = '[\"member\"]'").await;
    house.execute("UPDATE membership_roles SET role = 'admin' WHERE role = 'member'").await;
    admin
}

/// Everything as it was, but that the word is somebody else's.
fn mine(house: &House) -> Value {
    let at = |path: &str| format!("{}{path}", house.idp_b.issuer);
    let endpoints = json!({"authorization": at("/authorize"), "token": at("/token"), "jwks": at("/jwks")});
    json!({"endpoints": endpoints, "client_secret": "mine, and quite long enough for it"})
}

fn at_once(mut body: Value) -> Value {
    (body["activate"], body["force"]) = (json!(true), json!(true));
    body
}

/// Somebody who administers nothing tries the draft.
async fn tries(house: &House) {
    let link = Link::to(&Api::operator(house).await, house, "ca").await;
    house.idp_a.says(OidcSays::that("sub-con@a.test", "con@a.test"));
    Visitor::arrives().tries(&link).await;
    house.idp_a.says(OidcSays::truth());
}

async fn act(api: &Api, path: &str) -> Answer {
    api.send(Method::POST, path, |ask| ask).await
}

#[tokio::test]
async fn c02_h01_connections_write_is_not_enough_to_become_an_owner() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let owner = Api::person(&house, "ann@a.test", "org-a").await;
        let (admin, key) = (admin(&house).await, Api::key(&house, "org-a", &WRITER).await);
        let path = format!("/connections/{}", house.connection("ca").await);
        let activate = format!("{path}/activate");
        let forced = json!({"force": true});
        for api in [&admin, &key] {
            let before = house.before().await;
            refused(&api.patch(&path, at_once(mine(&house))).await, "owner_required");
            house.refused(&before, "owner_required").await;
            let mut whole = fine(api.get(&path).await)["settings"].clone();
            whole["type"] = json!("oidc");
            whole["endpoints"] = mine(&house)["endpoints"].clone();
            whole["client_secret"] = mine(&house)["client_secret"].clone();
            let before = house.before().await;
            refused(&api.put(PROVIDER, at_once(whole.clone())).await, "owner_required");
            house.refused(&before, "owner_required").await;

            // It is theirs to draft, and not to make live.
            let drafted = fine(api.patch(&path, mine(&house)).await);
            assert!(drafted["draft"]["settings"]["endpoints"].is_object(), "{drafted}");
            assert_eq!(drafted["settings"]["endpoints"], Value::Null);
            let before = house.before().await;
            refused(&api.post(&activate, forced.clone()).await, "owner_required");
            house.refused(&before, "owner_required").await;
            // What changes nothing of whom is believed is.
            let mut dull = fine(api.get(&path).await)["settings"].clone();
            (dull["type"], dull["leeway"]) = (json!("oidc"), json!(31));
            dull["scopes"] = json!(["openid", "email"]);
            dull["client_secret"] = json!(house.idp_a.secret);
            let drafted = fine(api.put(&path, dull).await);
            tries(&house).await;
            let shown = fine(api.post(&activate, json!({})).await);
            assert_eq!(
                (&shown["settings"]["leeway"], &shown["draft"]),
                (&json!(31), &Value::Null),
                "{drafted}"
            );
        }

        // An owner makes it live who has just proved who they are, and no other one.
        let draft = fine(admin.patch(&path, mine(&house)).await)["draft"]["version"].clone();
        house.execute("UPDATE sessions SET authenticated_at = authenticated_at - 301000").await;
        let before = house.before().await;
        refused(&owner.post(&activate, forced.clone()).await, "reauthentication_required");
        house.refused(&before, "reauthentication_required").await;
        house.execute("UPDATE sessions SET authenticated_at = authenticated_at + 301000").await;
        // Nor does who answers for what somebody else has drafted without saying that they have read it.
        let before = house.before().await;
        let unread = owner.post(&activate, forced.clone()).await;
        assert_eq!((unread.status.as_u16(), &unread.json()["code"]), (428, &json!("draft_unread")));
        house.refused(&before, "draft_unread").await;
        fine(owner.post(&activate, json!({"force": true, "version": draft})).await);

        // To bring another one back, or the same one, is to say whom to believe, too.
        for api in [&admin, &key] {
            let before = house.before().await;
            refused(&api.post(&format!("{path}/rollback"), json!({})).await, "owner_required");
            house.refused(&before, "owner_required").await;
        }
        fine(act(&Api::operator(&house).await, &format!("{path}/disable?force=true")).await);
        let before = house.before().await;
        refused(&act(&key, &format!("{path}/enable")).await, "owner_required");
        house.refused(&before, "owner_required").await;
        fine(act(&Api::operator(&house).await, &format!("{path}/enable")).await);
    }
}

#[tokio::test]
async fn h04_s1_p6_what_nobody_has_tried_goes_live_by_an_owner_who_has_just_signed_in_or_the_operator() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let owner = Api::person(&house, "ann@a.test", "org-a").await;
        let (admin, key) = (admin(&house).await, Api::key(&house, "org-a", &WRITER).await);
        let path = format!("/connections/{}", house.connection("ca").await);
        let (activate, forced) = (format!("{path}/activate"), json!({"force": true}));
        fine(key.patch(&path, json!({"leeway": 31})).await);
        for api in [&admin, &key] {
            for (method, path, body) in [
                (Method::POST, &*activate, forced.clone()),
                (Method::PATCH, &*path, at_once(json!({"leeway": 32}))),
            ] {
                let before = house.before().await;
                refused(&api.write(method, path, body).await, "owner_required");
                house.refused(&before, "owner_required").await;
            }
        }
        house.execute("UPDATE sessions SET authenticated_at = authenticated_at - 301000").await;
        let before = house.before().await;
        refused(&owner.post(&activate, forced.clone()).await, "reauthentication_required");
        house.refused(&before, "reauthentication_required").await;
        house.execute("UPDATE sessions SET authenticated_at = authenticated_at + 301000").await;
        assert_eq!(fine(owner.post(&activate, forced.clone()).await)["settings"]["leeway"], json!(31));
        let operator = Api::operator(&house).await;
        fine(key.patch(&path, json!({"leeway": 32})).await);
        assert_eq!(fine(operator.post(&activate, forced).await)["settings"]["leeway"], json!(32));
        // What somebody has tried needs neither.
        fine(key.patch(&path, json!({"leeway": 33})).await);
        tries(&house).await;
        assert_eq!(fine(key.post(&activate, json!({})).await)["settings"]["leeway"], json!(33));
    }
}

#[tokio::test]
async fn c02_h01_nor_by_the_certificates_of_a_saml_provider() {
    for engine in ENGINES {
        let house = Plan { engine, ..Plan::saml() }.build().await;
        let ask = Application::rp1(&house).asks().with("login_hint", "bob@b.test");
        Person::new("bob@b.test").signs_in_by(&house, "cb", &ask, &Says::that("bob@b.test")).await.code();
        let key = Api::key(&house, "org-b", &WRITER).await;
        let path = format!("/connections/{}", house.connection("cb").await);
        let evil = LyingSamlIdp::new("cb", house.clock.clone());
        for body in [
            json!({"metadata_xml": evil.metadata()}),
            json!({"subject_attribute": "mail"}),
            json!({"attributes": {"email": "mine"}}),
            // Names of another format may be anybody's.
            json!({"name_id_format": "persistent"}),
        ] {
            let before = house.before().await;
            let answer = key.patch(&path, at_once(body.clone())).await;
            refused(&answer, "owner_required");
            house.refused(&before, "owner_required").await;
        }
        fine(Api::operator(&house).await.patch(&path, at_once(json!({"leeway": 31}))).await);
    }
}

#[tokio::test]
async fn c02_whoever_sets_a_provider_up_before_anybody_comes_by_it_makes_it_live() {
    let house = House::opens().await;
    let operator = Api::operator(&house).await;
    fine(operator.post("/organizations", json!({"name": "New", "slug": "new"})).await);
    // Whoever comes by it becomes a member, so it takes who may add members, too.
    let joins = [&WRITER[..], &["organization:read", "members:write"]].concat();
    let key = Api::key(&house, "new", &joins).await;
    let body = json!({
        "type": "oidc", "issuer": house.idp_b.issuer, "client_id": "behalf", "client_secret": house.idp_b.secret,
        "activate": true,
    });
    let made = fine(key.post("/connections", body).await);
    assert_eq!(made["state"], json!("active"));
}

#[tokio::test]
async fn h01_who_may_not_add_members_lets_no_strangers_become_some() {
    for engine in ENGINES {
        let only = "jit = \"expected_only\"";
        let plan = Plan::on(engine);
        let file = plan.file.replacen("jit = \"create_and_join\"", only, 1);
        let house = Plan { file, ..plan }.build().await;
        Api::person(&house, "ann@a.test", "org-a").await;
        let path = format!("/connections/{}", house.connection("ca").await);
        let opens = json!({"jit": "create_and_join", "activate": true, "force": true});
        let writer = Api::key(&house, "org-a", &WRITER).await;
        // Nor who may add members, and not of this role: a key gives none above its own.
        let adds = [&WRITER[..], &["members:write"]].concat();
        let adds = Api::key(&house, "org-a", &adds).await;
        for api in [&writer, &adds] {
            let before = house.before().await;
            let told = api.patch(&path, opens.clone()).await;
            refused(&told, "role_ceiling");
            assert_eq!(told.json()["errors"][0]["pointer"], json!("/jit"));
            house.refused(&before, "role_ceiling").await;
        }
        // It is theirs to draft, and not to make live.
        let drafted = fine(writer.patch(&path, json!({"jit": "create_and_join"})).await);
        tries(&house).await;
        let before = house.before().await;
        let activate = format!("{path}/activate");
        refused(&writer.post(&activate, json!({})).await, "role_ceiling");
        house.refused(&before, "role_ceiling").await;
        let both = [&WRITER[..], &["members:write", "organization:read"]].concat();
        let both = Api::key(&house, "org-a", &both).await;
        let version = json!({"version": drafted["draft"]["version"]});
        let live = fine(both.post(&activate, version).await);
        assert_eq!(live["settings"]["jit"], json!("create_and_join"));
        // To let fewer in is everybody's who may write it; to let them in again, by taking that back, is not.
        fine(writer.patch(&path, json!({"jit": "expected_only"})).await);
        tries(&house).await;
        fine(writer.post(&activate, json!({})).await);
        let before = house.before().await;
        let back = json!({"version": live["version"]});
        refused(&writer.post(&format!("{path}/rollback"), back).await, "role_ceiling");
        house.refused(&before, "role_ceiling").await;
    }
}

/// A connection that nobody needs to answer for while no domain leads to it is no way round the question.
#[tokio::test]
async fn c02_h01_nobody_leads_a_domain_to_a_provider_of_theirs_and_becomes_an_owner_who_is_expected() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let house = House::on(engine).await;
        let all =
            ["connections:read", "connections:write", "domains:read", "domains:write", "organization:read"];
        let key = Api::key(&house, "org-b", &all).await;
        let domains = "/organizations/org-b/domains";
        let id = house.text("SELECT id FROM domains WHERE name = 'b.test'").await.unwrap();
        let gone = key.send(reqwest::Method::DELETE, &format!("{domains}/{id}"), |request| request).await;
        assert_eq!(gone.status, 204, "{}", gone.body);
        let own = json!({
            "type": "oidc", "issuer": house.idp_a.issuer, "client_id": "behalf", "client_secret": house.idp_a.secret,
            "jit": "expected_only", "activate": true,
        });
        let made = key.post("/connections", own).await;
        assert_eq!(made.status, 201, "{}", made.body);
        let made = made.json()["id"].as_str().unwrap().to_owned();
        let claimed = key.post(domains, json!({"domain": "b.test"})).await;
        assert_eq!(claimed.status, 201, "{}", claimed.body);
        let domain = format!("{domains}/{}", claimed.json()["id"].as_str().unwrap());
        house.execute("UPDATE domains SET state = 'verified', verified_at = 1 WHERE name = 'b.test' AND state = 'pending'").await;
        let leads = json!({"connection_ids": [made], "use_for_routing": true, "trust_email": true});
        let before = house.before().await;
        let refused = key.patch(&domain, leads.clone()).await;
        assert_eq!(
            (refused.status.as_u16(), &refused.json()["code"]),
            (403, &json!("owner_required")),
            "{}",
            refused.body
        );
        house.refused(&before, "owner_required").await;
        // In two steps, too.
        let first = json!({"connection_ids": [made], "use_for_routing": true});
        assert_eq!(key.patch(&domain, first).await.json()["code"], json!("owner_required"));
        let live = Api::operator(&house).await.patch(&domain, leads).await;
        assert_eq!(live.status, 200, "{}", live.body);
    }
}
