//! C02, H01: what people have beside their roles in the organization, and what waits for them, counts as well where
//! somebody changes by whose word they are known.

use reqwest::Method;
use serde_json::{Value, json};

use crate::house::answers::{delete, fine, refuses};
use crate::house::api::Api;
use crate::house::broker::{Engine, House, Plan};
use crate::house::lying_idp::{LyingIdp, Says};
use crate::house::trial::Link;
use crate::house::visitor::{Answer, Visitor};

const ENGINES: [Engine; 2] = [Engine::Sqlite, Engine::Postgres];
const TRANSFER: &str = "/organizations/org-a/transfer-ownership";

async fn post(api: &Api, path: &str) -> Answer {
    api.send(Method::POST, path, |ask| ask).await
}

const OWNER: (u16, &str) = (403, "owner_required");

/// Organization A, whose owner comes by another one's connection, and whose people may no more than its administrators
/// give.
fn plan(engine: Engine) -> Plan {
    let bob = "{ email = \"bob@b.test\", roles = [\"owner\"] },\n  { email = \"ann@a.test\", roles = [\"member\"] }";
    let delegation = "[[delegation]]\nhome = \"org-a\"\ntarget = \"org-b\"\nroles = [\"member\"]\nonly = [\"con@a.test\"]\n";
    Plan::on(engine)
        .with("{ email = \"ann@a.test\", roles = [\"owner\"] }", bob)
        .with("con@a.test\", roles = [\"member\"]", "con@a.test\", roles = [\"admin\"]")
        .with(delegation, "")
}

/// Bob owns it, Con administers it, Ann is a member.
async fn people(house: &House) -> [Api; 3] {
    [
        Api::person(house, "bob@b.test", "org-a").await,
        Api::person(house, "con@a.test", "org-a").await,
        Api::person(house, "ann@a.test", "org-a").await,
    ]
}

/// Somebody makes a version live by which the provider is believed otherwise, and which somebody has tried.
async fn turns(house: &House, api: &Api, how: Value) -> Answer {
    let path = format!("/connections/{}", house.connection("ca").await);
    fine(api.patch(&path, how).await);
    let link = Link::to(&Api::operator(house).await, house, "ca").await;
    house.idp_a.says(Says::that("sub-con@a.test", "con@a.test"));
    Visitor::arrives().tries(&link).await;
    house.idp_a.says(Says::truth());
    api.post(&format!("{path}/activate"), json!({})).await
}

fn otherwise(how: bool) -> Value {
    json!({"always_userinfo": how})
}

/// The same as it was drafted and tried: refused, and nothing was stored.
async fn refuses_version(house: &House, api: &Api, how: Value) {
    let told = turns(house, api, how).await;
    assert_eq!(
        (told.status.as_u16(), &told.json()["code"]),
        (403, &json!("owner_required")),
        "{}",
        told.body
    );
    let activate = format!("/connections/{}/activate", house.connection("ca").await);
    refuses(house, api.post(&activate, json!({})), OWNER).await;
}

#[tokio::test]
async fn c02_h01_a_role_of_the_project_is_more_than_anybody_gives_in_an_organization() {
    for engine in ENGINES {
        let house = plan(engine).build().await;
        let [_, con, _] = people(&house).await;
        let operator = Api::operator(&house).await;
        fine(turns(&house, &con, otherwise(true)).await);
        let role = json!({"name": "vendor_staff", "scope": "project", "permissions": ["invoices:refund"]});
        fine(operator.post("/roles", role).await);
        let ann = format!("/users/{}", house.user("ann@a.test").await);
        fine(operator.patch(&ann, json!({"roles": ["vendor_staff"]})).await);
        refuses_version(&house, &con, otherwise(false)).await;
        fine(operator.patch(&ann, json!({"roles": []})).await);
        let activate = format!("/connections/{}/activate", house.connection("ca").await);
        fine(con.post(&activate, json!({})).await);
    }
}

#[tokio::test]
async fn c02_s1_r11_an_owners_place_that_waits_for_somebody_is_theirs_already() {
    for engine in ENGINES {
        let house = plan(engine).build().await;
        let [bob, con, ann] = people(&house).await;
        fine(bob.post(TRANSFER, json!({"user_id": house.user("ann@a.test").await})).await);
        refuses_version(&house, &con, otherwise(true)).await;
        fine(delete(&bob, TRANSFER).await);
        let activate = format!("/connections/{}/activate", house.connection("ca").await);
        fine(con.post(&activate, json!({})).await);
        // One that has run out waits for nobody.
        fine(bob.post(TRANSFER, json!({"user_id": house.user("ann@a.test").await})).await);
        house.execute("UPDATE ownership_transfers SET expires_at = 1").await;
        fine(turns(&house, &con, otherwise(false)).await);
        refuses(&house, post(&ann, &format!("{TRANSFER}/accept")), (404, "not_found")).await;
    }
}

/// By a version that went live after the offer, whoever made it live, somebody else may be meant.
#[tokio::test]
async fn c02_s1_r11_an_offer_is_for_whom_the_provider_named_when_it_was_made() {
    for engine in ENGINES {
        let house = plan(engine).build().await;
        let [bob, _, ann] = people(&house).await;
        let operator = Api::operator(&house).await;
        let offer = json!({"user_id": house.user("ann@a.test").await});
        fine(bob.post(TRANSFER, offer.clone()).await);
        house.turn_clock(1);
        fine(turns(&house, &operator, otherwise(true)).await);
        let accept = format!("{TRANSFER}/accept");
        refuses(&house, post(&ann, &accept), (409, "offer_outdated")).await;
        assert_eq!(bob.get(TRANSFER).await.json()["status"], "pending");
        fine(delete(&bob, TRANSFER).await);
        house.turn_clock(1);
        // By what changes nobody's word, nobody else is meant.
        fine(bob.post(TRANSFER, offer).await);
        house.turn_clock(1);
        fine(turns(&house, &operator, json!({"leeway": 31})).await);
        assert_eq!(fine(post(&ann, &accept).await)["status"], "transferred");
    }
}

#[tokio::test]
async fn c02_s1_r11_an_offer_is_not_for_whoever_comes_by_a_name_that_was_said_since() {
    for engine in ENGINES {
        let house = plan(engine).build().await;
        let [bob, _, ann] = people(&house).await;
        let user = house.user("ann@a.test").await;
        fine(bob.post(TRANSFER, json!({"user_id": user})).await);
        house.turn_clock(1);
        let path = format!("/connections/{}/relink/people/{user}", house.connection("ca").await);
        let known = fine(bob.get(&path).await)["names"][0]["identity_id"].clone();
        fine(bob.post(&path, json!({"identity_id": known, "subject": "mallory"})).await);
        refuses(&house, post(&ann, &format!("{TRANSFER}/accept")), (409, "offer_outdated")).await;
        // That they have come by it since says nothing of who they are.
        house.execute("UPDATE identities SET renamed_at = NULL").await;
        refuses(&house, post(&ann, &format!("{TRANSFER}/accept")), (409, "offer_outdated")).await;
        assert_eq!(bob.get(TRANSFER).await.json()["status"], "pending");
    }
}

async fn own(house: &House, api: &Api) -> Value {
    let LyingIdp { issuer, secret, .. } = &house.idp_b;
    let body = json!({
        "type": "oidc", "issuer": issuer, "client_id": "behalf", "client_secret": secret, "activate": true,
    });
    fine(api.post("/connections", body).await)["id"].clone()
}

#[tokio::test]
async fn c02_h01_nobody_leads_a_domain_to_a_provider_of_theirs_and_acts_elsewhere_as_who_may() {
    for engine in ENGINES {
        let house = plan(engine).build().await;
        let [bob, con, _] = people(&house).await;
        let (ca, mine) = (house.connection("ca").await, own(&house, &con).await);
        let id = house.text("SELECT id FROM domains WHERE name = 'a.test'").await.unwrap();
        let domain = format!("/organizations/org-a/domains/{id}");
        let both = json!({"connection_ids": [ca, mine]});
        let audience = format!("[application.rp1]\naudiences = [\"{}/api/v1\"]\n", house.url);
        let file = house.file.replacen("[application.rp1]\n", &audience, 1);
        let delegates = async |only: &str| {
            let delegation = "\n[[delegation]]\nhome = \"org-a\"\ntarget = \"org-b\"\nroles = [\"admin\"]\n";
            house.provision(&format!("{file}{delegation}{only}")).await;
        };
        // What is for people of another domain is opened by none of this one.
        delegates("only = [\"boss@far.test\"]\n").await;
        fine(con.patch(&domain, both.clone()).await);
        for only in ["only = [\"boss@far.test\", \"boss@a.test\"]\n", ""] {
            delegates(only).await;
            refuses(&house, con.patch(&domain, both.clone()), OWNER).await;
        }
        house.execute("UPDATE delegations SET target_approved_at = NULL").await;
        refuses(&house, con.patch(&domain, both.clone()), OWNER).await;
        // Nor by trusting more what it leads to.
        fine(bob.patch(&domain, both).await);
        fine(bob.patch(&domain, json!({"trust_email": false})).await);
        refuses(&house, con.patch(&domain, json!({"trust_email": true})), OWNER).await;
        house.execute("UPDATE delegations SET revoked_at = 1").await;
        fine(con.patch(&domain, json!({"trust_email": true})).await);
    }
}

/// A connection to which no domain leads says nothing of anybody: by the first that does, everybody whom it knows is named.
#[tokio::test]
async fn c02_h01_a_domain_that_makes_a_connection_speak_opens_all_that_its_people_have() {
    for engine in ENGINES {
        let house = plan(engine).build().await;
        let [bob, con, _] = people(&house).await;
        let id = house.text("SELECT id FROM domains WHERE name = 'a.test'").await.unwrap();
        let domain = format!("/organizations/org-a/domains/{id}");
        let (off, on) = (json!({"use_for_routing": false}), json!({"use_for_routing": true}));
        fine(con.patch(&domain, off.clone()).await);
        fine(con.patch(&domain, on.clone()).await);
        fine(con.patch(&domain, off).await);
        let ann = format!("/organizations/org-a/members/{}/role", house.user("ann@a.test").await);
        fine(bob.patch(&ann, json!({"role": "owner"})).await);
        refuses(&house, con.patch(&domain, on.clone()), OWNER).await;
        fine(bob.patch(&domain, on).await);
    }
}

#[tokio::test]
async fn c02_h01_what_strangers_become_by_a_connection_counts_where_another_word_brings_others() {
    for engine in ENGINES {
        let house = plan(engine).build().await;
        let [_, con, _] = people(&house).await;
        let operator = Api::operator(&house).await;
        let helper = json!({"organization_id": "org-a", "name": "helper", "permissions": ["payments:write"]});
        fine(operator.post("/roles", helper).await);
        fine(turns(&house, &con, otherwise(true)).await);
        for (given, taken) in [
            (json!({"assign_organizations": ["org-c"]}), json!({"assign_organizations": []})),
            (json!({"default_roles": ["helper"]}), json!({"default_roles": []})),
        ] {
            fine(turns(&house, &operator, given.clone()).await);
            refuses_version(&house, &con, otherwise(false)).await;
            let draft = format!("/connections/{}/draft", house.connection("ca").await);
            fine(delete(&con, &draft).await);
            fine(turns(&house, &operator, taken).await);
        }
        // And what they become by their address alone.
        let joins = json!({"auto_join": {"enabled": true, "role": "helper"}});
        let id = house.text("SELECT id FROM domains WHERE name = 'a.test'").await.unwrap();
        fine(operator.patch(&format!("/organizations/org-a/domains/{id}"), joins).await);
        refuses_version(&house, &con, otherwise(false)).await;
    }
}

#[tokio::test]
async fn c02_h01_who_adds_no_members_brings_none_in_by_another_word() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let operator = Api::operator(&house).await;
        fine(operator.post("/organizations", json!({"name": "New", "slug": "new"})).await);
        let key = Api::key(&house, "new", &["connections:read", "connections:write"]).await;
        let body = json!({
            "type": "oidc", "issuer": house.idp_b.issuer, "client_id": "behalf", "client_secret": house.idp_b.secret,
            "activate": true, "organization_id": "new",
        });
        let made = fine(operator.post("/connections", body).await);
        let path = format!("/connections/{}", made["id"].as_str().unwrap());
        let theirs =
            json!({"issuer": house.idp_a.issuer, "client_secret": house.idp_a.secret, "activate": true});
        refuses(&house, key.patch(&path, theirs.clone()), (403, "role_ceiling")).await;
        fine(operator.patch(&path, theirs).await);
    }
}

#[tokio::test]
async fn c02_s1_r25_who_leads_people_to_another_connection_has_just_signed_in() {
    for engine in ENGINES {
        let house = plan(engine).build().await;
        let [bob, ..] = people(&house).await;
        let (operator, old) = (Api::operator(&house).await, house.connection("ca").await);
        fine(delete(&operator, "/organizations/org-a/sso-provider?force=true").await);
        let body = json!({
            "type": "oidc", "issuer": house.idp_a.issuer, "client_id": "behalf", "client_secret": house.idp_a.secret,
            "activate": true, "organization_id": "org-a",
        });
        let made = fine(operator.post("/connections", body).await);
        let path = format!("/connections/{}/relink", made["id"].as_str().unwrap());
        let lead = json!({"from": old, "identities": 2});
        house.execute("UPDATE sessions SET authenticated_at = authenticated_at - 301000").await;
        refuses(&house, bob.post(&path, lead.clone()), (403, "reauthentication_required")).await;
        house.execute("UPDATE sessions SET authenticated_at = authenticated_at + 301000").await;
        assert_eq!(fine(bob.post(&path, lead).await)["identities"], json!(2));
    }
}

/// An owner answers for what they have read, and for nothing that an administrator has put in its place.
#[tokio::test]
async fn c02_h01_nobody_is_talked_into_making_live_what_somebody_else_has_drafted() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let owner = Api::person(&house, "ann@a.test", "org-a").await;
        let key = Api::key(&house, "org-a", &["connections:read", "connections:write"]).await;
        let path = format!("/connections/{}", house.connection("ca").await);
        let activate = format!("{path}/activate");
        let unread = (428, "draft_unread");
        // It was theirs when they looked.
        fine(owner.patch(&path, json!({"leeway": 20})).await);
        fine(key.patch(&path, otherwise(true)).await);
        refuses(&house, owner.post(&activate, json!({"force": true})), unread).await;
        // Nor does it become theirs by going on with it.
        for body in [json!({"leeway": 21}), json!({"leeway": 21, "activate": true, "force": true})] {
            refuses(&house, owner.patch(&path, body), unread).await;
        }
        let anything = |ask: reqwest::RequestBuilder| {
            ask.header("if-match", "*").header("content-type", "application/json").body("{\"force\": true}")
        };
        refuses(&house, owner.send(Method::POST, &activate, anything), unread).await;
        // Whoever names what they have read answers for that.
        let read = owner.get(&path).await.header("etag").unwrap().to_owned();
        let named = |ask: reqwest::RequestBuilder| {
            let ask = ask.header("if-match", read).header("content-type", "application/json");
            ask.body("{\"leeway\": 21}")
        };
        let drafted = fine(owner.send(Method::PATCH, &path, named).await);
        assert_eq!(drafted["draft"]["settings"]["always_userinfo"], json!(true));
        let live = fine(owner.post(&activate, json!({"force": true})).await);
        assert_eq!(
            (&live["settings"]["leeway"], &live["settings"]["always_userinfo"]),
            (&json!(21), &json!(true))
        );
        // What is believed of nobody otherwise is anybody's to go on with.
        fine(key.patch(&path, json!({"leeway": 20})).await);
        assert_eq!(
            fine(owner.post(&activate, json!({"force": true})).await)["settings"]["leeway"],
            json!(20)
        );
    }
}
