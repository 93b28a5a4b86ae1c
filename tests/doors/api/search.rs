//! People are found by what their names and addresses begin with, and users are the operator's.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::house::answers::told;
use crate::house::api::Api;
use crate::house::application::{Application, Person};
use crate::house::broker::{Engine, House};
use crate::house::lying_idp::Says;
use crate::house::visitor::Answer;

fn names(answer: &Answer) -> Vec<String> {
    assert_eq!(answer.status, 200, "{}", answer.body);
    let items = answer.json()["items"].as_array().unwrap().clone();
    items.iter().map(|one| one["name"].as_str().unwrap_or_default().to_owned()).collect()
}

#[tokio::test]
async fn s2_38_people_are_found_by_how_their_names_and_addresses_begin() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let house = House::on(engine).await;
        let operator = Api::operator(&house).await;
        let key = Api::key(&house, "org-a", &["members:read"]).await;
        for (email, name, member) in [
            ("uli.smith@a.test", "ÜLRIKE Smith", true),
            ("u2@b.test", "ülrike Jones", false),
            ("x_smithers@c.test", "100% O'Brien", true),
        ] {
            house.turn_clock(1);
            let user = house.knows(email, name).await;
            if member {
                house.joins(user, "org-a", &["member"]).await;
            }
        }
        for (search, all, own) in [
            ("ül", vec!["ÜLRIKE Smith", "ülrike Jones"], vec!["ÜLRIKE Smith"]),
            ("Ülrike J", vec!["ülrike Jones"], vec![]),
            ("smith", vec!["ÜLRIKE Smith", "100% O'Brien"], vec!["ÜLRIKE Smith", "100% O'Brien"]),
            ("smith uli", vec!["ÜLRIKE Smith"], vec!["ÜLRIKE Smith"]),
            ("SMITHERS", vec!["100% O'Brien"], vec!["100% O'Brien"]),
            ("u2@B.test", vec!["ülrike Jones"], vec![]),
            ("o'br", vec!["100% O'Brien"], vec!["100% O'Brien"]),
            // Nothing of a pattern means anything.
            ("100%", vec!["100% O'Brien"], vec!["100% O'Brien"]),
            ("%%", vec![], vec![]),
            ("__", vec![], vec![]),
            ("mith", vec![], vec![]),
            ("'; --", vec![], vec![]),
        ] {
            let query =
                form_urlencoded::Serializer::new(String::new()).append_pair("search", search).finish();
            assert_eq!(names(&operator.get(&format!("/users?{query}")).await), all, "{search}");
            assert_eq!(names(&key.get(&format!("/users?{query}")).await), own, "{search}");
        }
        let of_a = operator.get("/users?search=%C3%BCl&organization_id=org-a").await.json();
        let members: Vec<_> =
            of_a["items"].as_array().unwrap().iter().map(|one| one["is_member"].clone()).collect();
        assert_eq!(members, [json!(true), json!(false)]);
        for number in 0..30 {
            house.has_member(&format!("many{number}@c.test"), "org-a", &["member"]).await;
        }
        for api in [&operator, &key] {
            assert_eq!(names(&api.get("/users?search=many").await).len(), 20);
        }
    }
}

#[tokio::test]
async fn s2_38_m01_nobody_finds_whom_they_may_not_see() {
    let house = House::opens().await;
    let con = Api::person(&house, "con@a.test", "org-a").await;
    let powerless = Api::key(&house, "org-a", &[]).await;
    let key = Api::key(&house, "org-a", &["members:read"]).await;
    let before = house.before().await;
    for (api, query, expected) in [
        (&con, "search=ann", (403, "permission_missing")),
        (&powerless, "search=ann", (403, "permission_missing")),
        (&key, "search=bo&organization_id=org-b", (404, "not_found")),
        (&key, "search=bo&organization_id=org-zzz", (404, "not_found")),
        (&key, "search=b", (400, "search_too_short")),
        (&key, "search=+b+", (400, "search_too_short")),
        (&key, "", (400, "invalid_parameter")),
    ] {
        let answer = api.get(&format!("/users?{query}")).await;
        assert_eq!(told(&answer), (expected.0, expected.1.to_owned()), "{query}");
    }
    house.unchanged(&before).await;
    let gone = house.has_member("gone@a.test", "org-a", &["member"]).await;
    assert_eq!(key.get("/users?search=gone").await.json()["items"].as_array().unwrap().len(), 1);
    house.execute(&format!("UPDATE memberships SET status = 'removed' WHERE user_id = '{gone}'")).await;
    assert_eq!(key.get("/users?search=gone").await.json()["items"], json!([]));
}

#[tokio::test]
async fn s2_38_a_sign_in_keeps_up_to_date_by_what_somebody_is_found() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let house = House::on(engine).await;
        let operator = Api::operator(&house).await;
        let rp1 = Application::rp1(&house);
        Person::new("ann@a.test").follows(&rp1.asks()).await.code();
        assert_eq!(names(&operator.get("/users?search=ann@a.test").await).len(), 1);
        house.idp_a.says(Says::truth().claim("name", "\"Zelda Quimby\""));
        Person::new("ann@a.test").follows(&rp1.asks()).await.code();
        assert_eq!(names(&operator.get("/users?search=zelda").await), ["Zelda Quimby"]);
        house.idp_a.says(Says::truth().claim("name", "\"Yvonne\""));
        Person::new("ann@a.test").follows(&rp1.asks()).await.code();
        assert_eq!(names(&operator.get("/users?search=yvonne").await), ["Yvonne"]);
        assert!(names(&operator.get("/users?search=zelda").await).is_empty());
    }
}

#[tokio::test]
async fn h02_s3_06_a_disabled_user_has_nothing_and_the_last_owner_is_not_disabled() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let house = House::on(engine).await;
        let operator = Api::operator(&house).await;
        let con = Api::person(&house, "con@a.test", "org-a").await;
        Api::person(&house, "ann@a.test", "org-a").await;
        let (cons, anns) = (house.user("con@a.test").await, house.user("ann@a.test").await);
        let read = operator.get(&format!("/users/{cons}")).await;
        assert_eq!(
            (&read.json()["email"], &read.json()["disabled_at"]),
            (&json!("con@a.test"), &Value::Null)
        );
        let before = house.before().await;
        let last = operator.patch(&format!("/users/{anns}"), json!({"disabled": true})).await;
        assert_eq!(told(&last), (409, "last_owner".to_owned()));
        assert!(last.json()["detail"].as_str().unwrap().contains(&house.organization("org-a").await));
        house.refused(&before, "last_owner").await;
        for body in [
            json!({"home_organization_id": "x"}),
            json!({"email": "x@a.test"}),
            json!({"email_verified": true}),
        ] {
            let refused = operator.patch(&format!("/users/{cons}"), body.clone()).await;
            assert!(matches!(&*told(&refused).1, "user_not_movable" | "unknown_field"), "C25: {body}");
        }
        house.unchanged(&before).await;
        let disabled = operator.patch(&format!("/users/{cons}"), json!({"disabled": true})).await;
        assert_eq!(disabled.status, 200, "{}", disabled.body);
        assert_eq!(con.get("/organizations").await.status, 401);
        let enabled = operator.patch(&format!("/users/{cons}"), json!({"disabled": false})).await;
        assert_eq!((enabled.status.as_u16(), &enabled.json()["disabled_at"]), (200, &Value::Null));
        assert_eq!(con.get("/organizations").await.status, 401, "what was revoked stays so");
        // In the project's trail, and in that of whoever loses a member.
        let organization = house.organization("org-a").await;
        for (action, was) in [("user.disabled", false), ("user.enabled", true)] {
            let found = operator.get(&format!("/audit-events?action={action}")).await.json();
            let items = found["items"].as_array().unwrap();
            let of: BTreeSet<_> = items.iter().map(|one| one["organization_id"].to_string()).collect();
            assert_eq!(of, BTreeSet::from(["null".to_owned(), format!("\"{organization}\"")]), "{action}");
            for one in items {
                assert_eq!(one["before"], json!({"disabled": was}), "{action}");
                assert_eq!(one["after"], json!({"disabled": !was}), "{action}");
            }
        }
        assert_eq!(told(&operator.get("/users/user_x").await), (404, "not_found".to_owned()));
        for api in [Api::key(&house, "org-a", &["members:read", "members:write"]).await] {
            assert_eq!(
                told(&api.get(&format!("/users/{cons}")).await),
                (403, "operator_required".to_owned())
            );
        }
    }
}
