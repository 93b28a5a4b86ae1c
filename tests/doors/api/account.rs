//! Sessions and applications by the API: one's own, and those of a member as far as they concern the organization.

use reqwest::Method;
use serde_json::{Value, json};

use crate::house::answers::told;
use crate::house::api::{Api, access_token};
use crate::house::application::{Application, Person, Tokens};
use crate::house::broker::{Engine, House, Plan};
use crate::house::ear::Ear;
use crate::house::visitor::Answer;

const ENGINES: [Engine; 2] = [Engine::Sqlite, Engine::Postgres];

async fn ends(api: &Api, path: &str) -> Answer {
    api.send(Method::DELETE, path, |request| request).await
}

async fn items(api: &Api, path: &str) -> Vec<Value> {
    let answer = api.get(path).await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.body);
    answer.json()["items"].as_array().unwrap().clone()
}

async fn tokens(person: &mut Person, application: &Application, organization: &str) -> Tokens {
    let ask = application.asks().with("organization", organization).with("login_hint", &person.email);
    let arrival = person.follows(&ask).await;
    ask.redeems(&arrival).await
}

#[tokio::test]
async fn m03_a_person_lists_and_ends_their_sessions_from_anywhere() {
    for engine in ENGINES {
        let ear = Ear::opens().await;
        let redirect = "redirect_uris = [\"https://rp2.test/callback\"]\n";
        let more = format!("{redirect}backchannel_logout_uri = \"{}/rp2\"\n", ear.url);
        let house = Plan::on(engine).with(redirect, &more).build().await;
        let rp2 = Application::rp2(&house);
        let mut all = Vec::new();
        for _ in 0..3 {
            let mut con = Person::new("con@a.test");
            all.push(tokens(&mut con, &rp2, "org-a").await);
            house.turn_clock(60);
        }
        let api = Api::with(&house, Some(access_token(&house, "con@a.test", "org-a").await)).await;
        let found = items(&api, "/me/sessions").await;
        assert_eq!(found.len(), 4);
        assert_eq!(found.iter().filter(|one| one["current"] == json!(true)).count(), 1);
        assert_eq!(found[0]["current"], json!(true), "the latest first");
        assert_eq!(found[3]["id"], all[0].id["sid"]);
        assert_eq!(found[3]["signed_in_with"], json!("A Login"));
        assert_eq!(found[3]["created_at"], json!("2026-06-01T09:00:00.000Z"));
        // In parts.
        let first = api.get("/me/sessions?limit=3").await.json();
        let cursor = first["next_cursor"].as_str().unwrap();
        let rest = api.get(&format!("/me/sessions?limit=3&cursor={cursor}")).await.json();
        assert_eq!((rest["items"].as_array().unwrap().len(), &rest["next_cursor"]), (1, &Value::Null));
        assert_eq!(told(&api.get("/me/applications?cursor=abcd").await), (400, "cursor_invalid".into()));
        // One ends, once, and those who want to know it hear it.
        let path = format!("/me/sessions/{}", all[1].id["sid"].as_str().unwrap());
        assert_eq!(ends(&api, &path).await.status, 204);
        let before = house.before().await;
        assert_eq!(told(&ends(&api, &path).await), (404, "not_found".into()));
        house.refused(&before, "not_found").await;
        for (at, status) in [(0, 200), (1, 401), (2, 200)] {
            assert_eq!(rp2.userinfo(&all[at].access_token).await.status, status, "{at}");
        }
        house.tells().await;
        let heard = ear.claims(&house, "rp2").await;
        assert_eq!((heard.len(), &heard[0]["sid"]), (1, &all[1].id["sid"]));
        // Their own: the token that did it is the last that it did.
        let own = found[0]["id"].as_str().unwrap();
        assert_eq!(ends(&api, &format!("/me/sessions/{own}")).await.status, 204);
        assert_eq!(told(&api.get("/me/sessions").await), (401, "unauthenticated".into()));
    }
}

#[tokio::test]
async fn a_person_lists_what_applications_hold_and_takes_it_back() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let (rp1, rp2) = (Application::rp1(&house), Application::rp2(&house));
        let mut con = Person::new("con@a.test");
        let (a, b) = (house.organization("org-a").await, house.organization("org-b").await);
        let of_a = tokens(&mut con, &rp2, "org-a").await;
        let of_b = tokens(&mut con, &rp2, "org-b").await;
        let again = tokens(&mut con, &rp2, "org-b").await;
        let api = Api::with(&house, Some(access_token(&house, "con@a.test", "org-a").await)).await;
        let id = house.text("SELECT id FROM applications WHERE client_id = 'rp2'").await.unwrap();
        let of_rp2 = async || {
            let mut found = items(&api, "/me/applications").await;
            found.retain(|one| one["application_id"] == json!(id));
            found
        };
        let found = of_rp2().await;
        assert_eq!(found.len(), 2, "all families together: {found:?}");
        let one = found.iter().find(|one| one["organization_id"] == json!(b)).unwrap();
        assert_eq!(
            (&one["name"], &one["organization_name"]),
            (&json!("Second App"), &json!("B Corporation"))
        );
        assert!(one["delegation_id"].is_string() && one["offline"] == json!(false));
        // For one organization, then the rest.
        assert_eq!(ends(&api, &format!("/me/applications/{id}?organization={b}")).await.status, 204);
        for tokens in [&of_b, &again] {
            assert_eq!(rp2.userinfo(&tokens.access_token).await.status, 401);
            assert_eq!(rp2.refreshes(tokens.refresh()).send().await.status, 400);
        }
        assert_eq!(rp2.userinfo(&of_a.access_token).await.status, 200);
        assert_eq!(
            of_rp2().await.iter().map(|one| one["organization_id"].clone()).collect::<Vec<_>>(),
            [json!(a)]
        );
        assert_eq!(ends(&api, &format!("/me/applications/{id}")).await.status, 204);
        assert_eq!(rp2.userinfo(&of_a.access_token).await.status, 401);
        let before = house.before().await;
        assert_eq!(told(&ends(&api, &format!("/me/applications/{id}")).await), (404, "not_found".into()));
        house.refused(&before, "not_found").await;
        // A code that was still to be redeemed is gone with it, and the session is not.
        let ask = rp2.asks().with("organization", "org-a");
        let arrival = con.follows(&ask).await;
        assert!(of_rp2().await.is_empty(), "nothing is held yet");
        assert_eq!(ends(&api, &format!("/me/applications/{id}")).await.status, 204);
        let late = ask.redemption(&arrival.code()).send().await;
        assert_eq!(late.json()["error"], json!("invalid_grant"), "{}", late.body);
        assert_eq!(tokens(&mut con, &rp1, "org-a").await.id["sid"], of_a.id["sid"]);
    }
}

#[tokio::test]
async fn c22_an_organization_sees_and_ends_of_its_members_sessions_what_concerns_it_alone() {
    for engine in ENGINES {
        let ear = Ear::opens().await;
        let redirect = "redirect_uris = [\"https://rp2.test/callback\"]\n";
        let more = format!("{redirect}backchannel_logout_uri = \"{}/rp2\"\n", ear.url);
        let house = Plan::on(engine).with(redirect, &more).build().await;
        let rp2 = Application::rp2(&house);
        let mut con = Person::new("con@a.test");
        let of_a = tokens(&mut con, &rp2, "org-a").await;
        let user = house.user("con@a.test").await;
        house.joins(user.parse().unwrap(), "org-c", &["member"]).await;
        let of_c = tokens(&mut con, &rp2, "org-c").await;
        // One in which they did nothing for A.
        let mut elsewhere = Person::new("con@a.test");
        let other = tokens(&mut elsewhere, &rp2, "org-c").await;
        let all = ["members:read", "members:write"];
        let (key_a, key_c) = (Api::key(&house, "org-a", &all).await, Api::key(&house, "org-c", &all).await);
        let path = |organization: &str| format!("/organizations/{organization}/members/{user}/sessions");
        let found = items(&key_a, &path("org-a")).await;
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0]["id"], of_a.id["sid"]);
        assert_eq!((&found[0]["applications"], &found[0]["offline"]), (&json!(1), &json!(false)));
        assert_eq!(found[0]["connection_id"], json!(house.connection("ca").await), "its own");
        let of_other = items(&key_c, &path("org-c")).await;
        assert_eq!(of_other.len(), 2);
        assert!(of_other.iter().all(|one| one["connection_id"].is_null()), "A's is nothing of C's");
        for text in [Value::from(found), Value::from(of_other)].map(|all| all.to_string()) {
            for hidden in ["browser", "seen", "A Login", "expires"] {
                assert!(!text.contains(hidden), "{text}");
            }
        }
        // What C ends is C's.
        let session = of_a.id["sid"].as_str().unwrap();
        assert_eq!(ends(&key_c, &format!("{}/{session}", path("org-c"))).await.status, 204);
        for (tokens, status) in [(&of_a, 200), (&of_c, 401), (&other, 200)] {
            assert_eq!(rp2.userinfo(&tokens.access_token).await.status, status);
        }
        house.tells().await;
        let heard = ear.claims(&house, "rp2").await;
        assert_eq!(heard.len(), 1, "{heard:?}");
        assert_eq!(heard[0]["sid"], of_c.id["sid"]);
        let c = house.organization("org-c").await;
        let left: Vec<_> = house.audit().await;
        let left: Vec<_> = left.iter().filter(|one| one.action == "session.organization_left").collect();
        assert_eq!((left.len(), left[0].organization.as_deref()), (1, Some(c.as_str())));
        assert_eq!(left[0].detail["cause"], json!("organization"));
        // Once; and nothing of a session that has nothing for it, is somebody else's, or is nowhere.
        let bob = {
            let mut bob = Person::new("bob@b.test");
            tokens(&mut bob, &rp2, "org-b").await.id["sid"].as_str().unwrap().to_owned()
        };
        let elsewhere = other.id["sid"].as_str().unwrap().to_owned();
        for (api, organization, session) in [
            (&key_c, "org-c", session.to_owned()),
            (&key_a, "org-a", elsewhere),
            (&key_a, "org-a", bob.clone()),
            (&key_a, "org-a", "sess_00000000000000000000000007".into()),
            (&key_a, "org-a", "nonsense".into()),
        ] {
            let before = house.before().await;
            let answer = ends(api, &format!("{}/{session}", path(organization))).await;
            assert_eq!(told(&answer), (404, "not_found".into()), "{organization} {session}");
            house.refused(&before, "not_found").await;
        }
        // Bob is none of A's, and B's members are not A's to look at.
        let bobs = house.user("bob@b.test").await;
        let of_bob = format!("/organizations/org-a/members/{bobs}/sessions");
        assert_eq!(told(&key_a.get(&of_bob).await), (404, "not_found".into()));
        assert_eq!(told(&key_a.get(&path("org-b")).await), (404, "not_found".into()));
    }
}

#[tokio::test]
async fn h01_nobody_ends_what_who_stands_above_them_has() {
    let house = House::opens().await;
    let rp2 = Application::rp2(&house);
    let mut ann = Person::new("ann@a.test");
    let owner = tokens(&mut ann, &rp2, "org-a").await;
    let user = house.user("ann@a.test").await;
    let key = Api::key(&house, "org-a", &["members:read", "members:write"]).await;
    let session = owner.id["sid"].as_str().unwrap();
    let path = format!("/organizations/org-a/members/{user}/sessions/{session}");
    let before = house.before().await;
    assert_eq!(told(&ends(&key, &path).await), (403, "role_ceiling".into()));
    house.refused(&before, "role_ceiling").await;
    assert_eq!(rp2.userinfo(&owner.access_token).await.status, 200);
    // A member may neither see nor end.
    let con = Api::person(&house, "con@a.test", "org-a").await;
    let list = format!("/organizations/org-a/members/{user}/sessions");
    assert_eq!(told(&con.get(&list).await), (403, "permission_missing".into()));
    assert_eq!(told(&ends(&con, &path).await), (403, "permission_missing".into()));
    // The owner, who has just signed in, and the operator do.
    assert_eq!(ends(&Api::operator(&house).await, &path).await.status, 204);
    assert_eq!(rp2.userinfo(&owner.access_token).await.status, 401);
}

#[tokio::test]
async fn a_person_lists_what_they_have_allowed_and_takes_it_back() {
    for engine in ENGINES {
        let theirs = |client: &str| {
            format!(
                "\n[application.{client}]\ndisplay_name = \"{client} App\"\ntype = \"spa\"\nconsent_required = true\n\
                 scopes = [\"openid\", \"profile\", \"email\", \"organization\", \"organizations\", \"roles\", \"permissions\"]\n\
                 redirect_uris = [\"https://{client}.test/callback\"]\naudiences = [\"orders\"]\n"
            )
        };
        let house = Plan::on(engine).and(&theirs("one")).and(&theirs("two")).build().await;
        let mut con = Person::new("con@a.test");
        let a = house.organization("org-a").await;
        let mut held = Vec::new();
        for client in ["one", "two"] {
            let application = Application::new(&house, client, crate::house::application::Proof::Nothing);
            held.push((tokens(&mut con, &application, "org-a").await, application));
        }
        let api = Api::with(&house, Some(access_token(&house, "con@a.test", "org-a").await)).await;
        let found = items(&api, "/me/consents").await;
        assert_eq!(found.len(), 2, "{found:?}");
        let one = found.iter().find(|one| one["name"] == json!("one App")).unwrap();
        assert_eq!(one["allowed_as"], json!("one App"));
        assert_eq!(one["created_at"], json!("2026-06-01T09:00:00.000Z"));
        let [told_there] = one["told"].as_array().unwrap().as_slice() else { panic!("{one}") };
        assert_eq!(
            (&told_there["organization_id"], &told_there["leads_to"], &told_there["audiences"]),
            (&json!(a), &json!("one.test"), &json!(["orders"]))
        );
        assert!(told_there["scopes"].as_array().unwrap().contains(&json!("openid")), "{one}");
        // In parts, and nobody else's.
        let first = api.get("/me/consents?limit=1").await.json();
        let cursor = first["next_cursor"].as_str().unwrap();
        let rest = api.get(&format!("/me/consents?limit=1&cursor={cursor}")).await.json();
        assert_eq!((&rest["items"][0], &rest["next_cursor"]), (&found[1], &Value::Null));
        assert_eq!(told(&api.get("/me/consents?cursor=abcd").await), (400, "cursor_invalid".into()));
        let bob = Api::with(&house, Some(access_token(&house, "bob@b.test", "org-b").await)).await;
        assert!(items(&bob, "/me/consents").await.is_empty());
        // It goes with whatever the application holds, of one organization or of all.
        let id = one["application_id"].as_str().unwrap();
        let b = house.organization("org-b").await;
        let of_b = tokens(&mut con, &held[0].1, "org-b").await;
        let told_one = async || {
            let mut found = items(&api, "/me/consents").await;
            found.retain(|other| other["application_id"] == json!(id));
            found.remove(0)["told"].clone()
        };
        assert_eq!(told_one().await.as_array().unwrap().len(), 2);
        assert_eq!(ends(&api, &format!("/me/applications/{id}?organization={b}")).await.status, 204);
        assert_eq!(held[0].1.userinfo(&of_b.access_token).await.status, 401);
        assert_eq!(told_one().await, one["told"]);
        let before = house.before().await;
        let none = ends(&api, &format!("/me/applications/{id}?organization=")).await;
        assert_eq!(told(&none), (404, "not_found".into()), "it was allowed for no one alone");
        house.refused(&before, "not_found").await;
        assert_eq!(ends(&api, &format!("/me/applications/{id}")).await.status, 204);
        let left = items(&api, "/me/consents").await;
        assert_eq!((left.len(), &left[0]["name"]), (1, &json!("two App")));
        for ((tokens, application), status) in held.iter().zip([401, 200]) {
            assert_eq!(application.userinfo(&tokens.access_token).await.status, status);
        }
    }
}
