//! Whom a provider names otherwise than it did: an owner says so, of a kind of names or of one person, and nobody is led
//! anywhere by an address (H10, invariant 1).

use behalf::protocol::saml::names::name_id;
use serde_json::{Value, json};

use crate::house::answers::{fine, refusal, told};
use crate::house::api::Api;
use crate::house::application::{Application, Arrival, Person};
use crate::house::broker::{Engine, House, Plan};
use crate::house::lying_idp;
use crate::house::lying_saml_idp::Says;

const ENGINES: [Engine; 2] = [Engine::Sqlite, Engine::Postgres];
const EVERYTHING: [&str; 2] = ["connections:read", "connections:write"];

async fn comes(house: &House, says: &Says) -> Arrival {
    let ask = Application::rp1(house).asks();
    Person::new("bob@b.test").signs_in_by(house, "cb", &ask, says).await
}

async fn makes_live(house: &House, api: &Api, settings: Value) {
    let path = format!("/connections/{}", house.connection("cb").await);
    fine(api.patch(&path, settings).await);
    fine(api.post(&format!("{path}/activate"), json!({"force": true})).await);
}

/// As the provider names Bob: by a NameID of this format, and by an attribute.
fn bob(name: &str, format: &str) -> Says {
    Says::that("bob@b.test").named(name, format).attribute("uid", &["vic"])
}

#[tokio::test]
async fn h10_names_of_one_kind_become_names_of_another_by_an_owners_word() {
    for engine in ENGINES {
        let house = Plan { engine, ..Plan::saml() }.build().await;
        let (operator, key) = (Api::operator(&house).await, Api::key(&house, "org-b", &EVERYTHING).await);
        comes(&house, &bob("vic", name_id::UNSPECIFIED)).await.code();
        comes(&house, &Says::that("bea@b.test").named("bea", name_id::PERSISTENT)).await.code();
        let (users, user) = (house.count("users").await, house.user("bob@b.test").await);
        let path = format!("/connections/{}/relink/names", house.connection("cb").await);
        let kinds = async || fine(key.get(&path).await)["kinds"].clone();
        let kind = |format: Option<&str>, attribute: Option<&str>, named: bool| json!({"format": format, "attribute": attribute, "identities": 1, "named": named});
        let (unspecified, persistent) = (Some(name_id::UNSPECIFIED), Some(name_id::PERSISTENT));
        assert_eq!(kinds().await, json!([kind(unspecified, None, true), kind(persistent, None, true)]));

        makes_live(&house, &operator, json!({"subject_attribute": "uid"})).await;
        assert_eq!(kinds().await, json!([kind(unspecified, None, false), kind(persistent, None, false)]));
        let before = house.before().await;
        let says = bob("another", name_id::PERSISTENT);
        assert_eq!(comes(&house, &says).await.status(), 403);
        house.refused(&before, "subject_kind").await;
        // Whoever administers it is told what came, and what to do.
        let detail = house.events_since(&before).await.remove(0).detail;
        assert_eq!(detail["found"], json!("the attribute uid"));
        let expected = detail["expected"].as_str().unwrap();
        let known = format!("a NameID of the format {}, by which", name_id::UNSPECIFIED);
        assert!(expected.starts_with(&known) && expected.ends_with("/relink/names"), "{detail}");

        let (from, to) = (json!({"format": name_id::UNSPECIFIED}), json!({"attribute": "uid"}));
        let body = |from: &Value, to: &Value, identities: i64| json!({"from": from, "to": to, "identities": identities});
        let others = Api::key(&house, "org-a", &EVERYTHING).await;
        let nobodys = json!({"attribute": "mail"});
        for (api, body, expected) in [
            (&key, body(&from, &to, 1), refusal(403, "permission_missing")),
            (&others, body(&from, &to, 1), refusal(404, "not_found")),
            (&operator, body(&from, &to, 2), refusal(409, "plan_changed")),
            (&operator, body(&from, &nobodys, 1), refusal(422, "invalid_value")),
            (
                &operator,
                body(&from, &json!({"format": name_id::PERSISTENT}), 1),
                refusal(422, "invalid_value"),
            ),
            (&operator, body(&to, &to, 1), refusal(422, "invalid_value")),
            (&operator, body(&nobodys, &to, 1), refusal(422, "invalid_value")),
            (&operator, body(&json!({}), &to, 1), refusal(422, "invalid_value")),
            (
                &operator,
                body(&json!({"format": "x", "attribute": "y"}), &to, 1),
                refusal(422, "invalid_value"),
            ),
        ] {
            let before = house.before().await;
            assert_eq!(told(&api.post(&path, body.clone()).await), expected, "{body}");
            house.refused(&before, &expected.1).await;
        }
        let relinked = fine(operator.post(&path, body(&from, &to, 1)).await);
        assert_eq!((&relinked["to"], &relinked["identities"]), (&to, &json!(1)));
        let told_of_it = "SELECT recipient FROM mails WHERE kind = 'person_relinked'";
        assert_eq!(house.text(told_of_it).await.as_deref(), Some("bob@b.test"));
        comes(&house, &says).await.code();
        assert_eq!((house.count("users").await, house.user("bob@b.test").await), (users, user));
        assert_eq!(kinds().await, json!([kind(None, Some("uid"), true), kind(persistent, None, false)]));
        let trail = house.audit().await;
        let event = trail.iter().find(|one| one.action == "organization.connection.names_relinked").unwrap();
        assert_eq!((&event.detail["from"], &event.detail["to"]), (&from, &to));
        // As the NameID that it was, the same text is nobody's any more.
        makes_live(&house, &operator, json!({"subject_attribute": null})).await;
        let before = house.before().await;
        assert_eq!(comes(&house, &bob("vic", name_id::UNSPECIFIED)).await.status(), 403);
        house.refused(&before, "subject_kind").await;
    }
}

/// A name is kept as its kind keeps it: as an address it is the same in whatever case, and otherwise as it is written.
#[tokio::test]
async fn h10_capital_letters_lose_nobody_where_another_kind_is_asked_for() {
    for engine in ENGINES {
        let house = Plan { engine, ..Plan::saml() }.build().await;
        let operator = Api::operator(&house).await;
        comes(&house, &bob("Bob.B@b.test", name_id::UNSPECIFIED)).await.code();
        let (users, user) = (house.count("users").await, house.user("bob@b.test").await);
        for (format, asked, names) in [
            (name_id::EMAIL_ADDRESS, "email_address", ["Bob.B@b.test", "bob.b@B.test"]),
            (name_id::PERSISTENT, "persistent", ["Bob.B@b.test"; 2]),
        ] {
            makes_live(&house, &operator, json!({"name_id_format": asked})).await;
            for name in names {
                comes(&house, &bob(name, format)).await.code();
            }
        }
        assert_eq!((house.count("users").await, house.user("bob@b.test").await), (users, user));
        // Written otherwise it is another name, of which nobody has heard.
        let before = house.before().await;
        assert_eq!(comes(&house, &bob("bob.b@b.test", name_id::PERSISTENT)).await.status(), 409);
        house.refused(&before, "email_in_use_by_other_identity").await;
    }
}

#[tokio::test]
async fn h10_capital_letters_are_led_on_with_the_kind_by_an_owners_word() {
    for engine in ENGINES {
        let house = Plan { engine, ..Plan::saml() }.build().await;
        let operator = Api::operator(&house).await;
        let bea = |name: &str, format: &str| Says::that("bea@b.test").named(name, format);
        let (unspecified, address) = (name_id::UNSPECIFIED, name_id::EMAIL_ADDRESS);
        comes(&house, &bob("Bob.B@b.test", unspecified)).await.code();
        comes(&house, &bea("BEA@b.test", unspecified)).await.code();
        let users = house.count("users").await;
        let path = format!("/connections/{}/relink/names", house.connection("cb").await);
        for (from, to) in [(unspecified, address), (address, unspecified)] {
            let body = json!({"from": {"format": from}, "to": {"format": to}, "identities": 2});
            // By the other kind no owner has come yet.
            let relinked = fine(operator.post(&format!("{path}?force=true"), body).await);
            assert_eq!(relinked["identities"], json!(2));
            let kinds = fine(operator.get(&path).await)["kinds"].clone();
            assert_eq!(
                kinds,
                json!([{"format": to, "attribute": null, "identities": 2, "named": true}]),
                "one kind, to whoever looks"
            );
            comes(&house, &bob("Bob.B@b.test", to)).await.code();
            comes(&house, &bea("BEA@b.test", to)).await.code();
            assert_eq!(house.count("users").await, users);
        }
        // Whoever has come since is known as it is written.
        let before = house.before().await;
        assert_eq!(comes(&house, &bob("bob.b@b.test", unspecified)).await.status(), 409);
        house.refused(&before, "email_in_use_by_other_identity").await;
    }
}

#[tokio::test]
async fn c02_two_whose_names_would_become_one_are_told_of_and_nobody_is_taken_for_the_other() {
    for engine in ENGINES {
        let house = Plan { engine, ..Plan::saml() }.build().await;
        let operator = Api::operator(&house).await;
        comes(&house, &bob("Bob@b.test", name_id::UNSPECIFIED)).await.code();
        let bea = Says::that("bea@b.test").named("bob@b.test", name_id::UNSPECIFIED);
        comes(&house, &bea).await.code();
        let path = format!("/connections/{}/relink/names", house.connection("cb").await);
        let kinds = fine(operator.get(&path).await)["kinds"].clone();
        let before = house.before().await;
        let body = json!({"from": {"format": name_id::UNSPECIFIED}, "to": {"format": name_id::EMAIL_ADDRESS}, "identities": 2});
        let refused = operator.post(&path, body).await;
        assert_eq!(told(&refused), refusal(409, "relink_conflict"));
        for person in ["bob@b.test", "bea@b.test"] {
            assert!(refused.body.contains(&house.user(person).await), "{}", refused.body);
        }
        house.refused(&before, "relink_conflict").await;
        assert_eq!(fine(operator.get(&path).await)["kinds"], kinds);
        // Nor does the pin choose between them.
        makes_live(&house, &operator, json!({"name_id_format": "email_address"})).await;
        let before = house.before().await;
        let says = Says::that("eve@b.test").named("Bob@b.test", name_id::EMAIL_ADDRESS);
        assert_eq!(comes(&house, &says).await.status(), 403);
        house.refused(&before, "subject_kind").await;
    }
}

#[tokio::test]
async fn h10_a_person_whom_the_provider_calls_otherwise_is_led_on_by_an_owner_and_by_no_address() {
    for engine in ENGINES {
        let house = Plan { engine, ..Plan::saml() }.build().await;
        let (operator, key) = (Api::operator(&house).await, Api::key(&house, "org-b", &EVERYTHING).await);
        Api::person(&house, "ann@a.test", "org-a").await;
        comes(&house, &bob("one", name_id::PERSISTENT)).await.code();
        comes(&house, &Says::that("bea@b.test").named("bea", name_id::PERSISTENT)).await.code();
        let (users, user) = (house.count("users").await, house.user("bob@b.test").await);
        let before = house.before().await;
        let renamed = bob("Two@b.test", name_id::EMAIL_ADDRESS);
        assert_eq!(comes(&house, &renamed).await.status(), 409, "an address leads nobody anywhere");
        house.refused(&before, "email_in_use_by_other_identity").await;
        let detail = house.events_since(&before).await.remove(0).detail;
        assert!(detail["expected"].as_str().unwrap().contains("/relink/people/"), "{detail}");

        let people = format!("/connections/{}/relink/people", house.connection("cb").await);
        let path = format!("{people}/{user}");
        let tag = key.get(&path).await.header("etag").unwrap().to_owned();
        // Who comes once more is called as before.
        comes(&house, &bob("one", name_id::PERSISTENT)).await.code();
        let plan = key.get(&path).await;
        assert_eq!(plan.header("etag"), Some(&*tag));
        let name = fine(plan)["names"][0].clone();
        assert_eq!((&name["subject"], &name["format"]), (&json!("one"), &json!(name_id::PERSISTENT)));
        let (identity, format) = (name["identity_id"].as_str().unwrap(), name_id::EMAIL_ADDRESS);
        let body = |identity: &str, subject: &str, format: &str| json!({"identity_id": identity, "subject": subject, "format": format});
        let right = body(identity, "Two@b.test", format);
        let others = Api::key(&house, "org-a", &EVERYTHING).await;
        let (bea, ann) = (house.user("bea@b.test").await, house.user("ann@a.test").await);
        for (api, path, body, expected) in [
            (&key, &path, right.clone(), refusal(403, "permission_missing")),
            (&others, &path, right.clone(), refusal(404, "not_found")),
            (&operator, &format!("{people}/{ann}"), right.clone(), refusal(404, "not_found")),
            (&operator, &format!("{people}/{bea}"), right.clone(), refusal(422, "invalid_value")),
            (&operator, &path, body(identity, " two", format), refusal(422, "invalid_value")),
            (&operator, &path, body(identity, "", format), refusal(422, "invalid_value")),
            (&operator, &path, body(identity, &"x".repeat(257), format), refusal(422, "invalid_value")),
            (&operator, &path, body(identity, "two", name_id::TRANSIENT), refusal(422, "invalid_value")),
            (
                &operator,
                &path,
                json!({"identity_id": identity, "subject": "two", "attribute": "uid"}),
                refusal(422, "invalid_value"),
            ),
            (
                &operator,
                &path,
                json!({"identity_id": identity, "subject": "two"}),
                refusal(422, "invalid_value"),
            ),
            (&operator, &path, body(identity, "bea", name_id::PERSISTENT), refusal(409, "relink_conflict")),
        ] {
            let before = house.before().await;
            assert_eq!(told(&api.post(path, body.clone()).await), expected, "{body}");
            house.refused(&before, &expected.1).await;
        }
        // Called as they are, they have come under that name: nothing is changed, and nobody told.
        let before = house.before().await;
        let same = fine(operator.post(&path, body(identity, "one", name_id::PERSISTENT)).await);
        assert_eq!(same, name);
        house.unchanged(&before).await;
        assert_eq!(house.events_since(&before).await.len(), 0);
        // Nobody who owns it has come by that name yet: whoever runs the service has to be sure of it.
        let before = house.before().await;
        let alone = operator.post(&path, right.clone()).await;
        assert_eq!(told(&alone), refusal(409, "policy_locks_out"), "{}", alone.body);
        assert_eq!(alone.json()["missing"], json!(["owner_by_current_subject"]));
        house.refused(&before, "policy_locks_out").await;
        let by_force = format!("{path}?force=true");
        let subject = format!("SELECT subject FROM identities WHERE id = '{identity}'");
        assert_eq!(house.text(&subject).await.as_deref(), Some("one"));
        // Of two who have read the same, one says it.
        let says = async |subject: &str| {
            let body = body(identity, subject, format).to_string();
            let dress = |ask: reqwest::RequestBuilder| {
                ask.header("if-match", &tag).header("content-type", "application/json").body(body)
            };
            operator.send(reqwest::Method::POST, &by_force, dress).await
        };
        fine(says("Two@b.test").await);
        let before = house.before().await;
        assert_eq!(told(&says("three@b.test").await), refusal(412, "precondition_failed"));
        house.refused(&before, "precondition_failed").await;
        let before = house.before().await;
        fine(operator.post(&path, right).await);
        house.unchanged(&before).await;
        assert_eq!(house.events_of("organization.owners_locked_out").await, 1);
        comes(&house, &renamed).await.code();
        assert_eq!((house.count("users").await, house.user("bob@b.test").await), (users, user));
        let trail = house.audit().await;
        let event = trail.iter().find(|one| one.action == "organization.connection.person_relinked").unwrap();
        assert!(!event.detail.to_string().to_lowercase().contains("two@"), "{}", event.detail);
        // By the name that they had they are nobody who is known.
        let before = house.before().await;
        assert_eq!(comes(&house, &bob("one", name_id::PERSISTENT)).await.status(), 409);
        house.refused(&before, "email_in_use_by_other_identity").await;
    }
}

#[tokio::test]
async fn h10_where_there_is_one_kind_of_names_none_becomes_another() {
    let house = House::opens().await;
    let operator = Api::operator(&house).await;
    house.idp_a.says(lying_idp::Says::that("one", "new@a.test"));
    let ask = || Application::rp1(&house).asks().with("login_hint", "new@a.test");
    Person::new("new@a.test").follows(&ask()).await.code();
    let (path, user) =
        (format!("/connections/{}/relink", house.connection("ca").await), house.user("new@a.test").await);
    let plan = fine(operator.get(&format!("{path}/names")).await);
    assert_eq!((&plan["kinds"][0]["format"], &plan["kinds"][0]["attribute"]), (&Value::Null, &Value::Null));
    let before = house.before().await;
    let body = json!({"from": {"attribute": "x"}, "to": {"attribute": "y"}, "identities": 1});
    assert_eq!(told(&operator.post(&format!("{path}/names"), body).await), refusal(422, "invalid_value"));
    house.refused(&before, "invalid_value").await;
    let person = format!("{path}/people/{user}");
    let identity = fine(operator.get(&person).await)["names"][0]["identity_id"].clone();
    let before = house.before().await;
    let body = json!({"identity_id": identity, "subject": "two", "attribute": "y"});
    assert_eq!(told(&operator.post(&person, body).await), refusal(422, "invalid_value"));
    house.refused(&before, "invalid_value").await;
    // What a new registration at the provider calls them.
    fine(operator.post(&person, json!({"identity_id": identity, "subject": "two"})).await);
    house.idp_a.says(lying_idp::Says::that("two", "new@a.test"));
    Person::new("new@a.test").follows(&ask()).await.code();
    assert_eq!(house.user("new@a.test").await, user);
}

#[tokio::test]
async fn s3_20_who_is_led_on_with_entra_is_called_by_oid_and_tid() {
    let house = House::opens().await;
    let operator = Api::operator(&house).await;
    Api::person(&house, "con@a.test", "org-a").await;
    let set = "UPDATE connections SET settings = replace(settings, '\"preset\":\"generic\"', '\"preset\":\"entra\"')
               WHERE slug = 'ca'";
    assert_eq!(house.execute(set).await, 1);
    let (path, con) =
        (format!("/connections/{}/relink", house.connection("ca").await), house.user("con@a.test").await);
    // Whoever is known by a sub is nobody whom it names by now.
    let kinds = fine(operator.get(&format!("{path}/names")).await)["kinds"].clone();
    assert_eq!((&kinds[0]["identities"], &kinds[0]["named"]), (&json!(1), &json!(false)));
    let guid = "72f988bf-86f1-41af-91ab-2d7cd011db47";
    let says = || {
        let text = json!(guid).to_string();
        lying_idp::Says::truth().claim("oid", &text).claim("tid", &text)
    };
    let comes = async || {
        house.idp_a.says(says());
        let ask = Application::rp1(&house).asks();
        let ask = ask.with("organization", "org-a").with("login_hint", "con@a.test");
        Person::new("con@a.test").follows(&ask).await
    };
    assert_eq!(comes().await.status(), 409);
    let person = format!("{path}/people/{con}");
    let identity = fine(operator.get(&person).await)["names"][0]["identity_id"].clone();
    for subject in ["sub-con@a.test".to_owned(), guid.to_owned(), format!("{guid}.a.test")] {
        let body = json!({"identity_id": identity, "subject": subject});
        assert_eq!(told(&operator.post(&person, body).await), refusal(422, "invalid_value"));
    }
    let subject = format!("{guid}.{guid}");
    let body = json!({"identity_id": identity, "subject": subject.to_uppercase()});
    assert_eq!(fine(operator.post(&person, body).await)["subject"], json!(subject));
    comes().await.code();
    assert_eq!(house.user("con@a.test").await, con);
    let kinds = fine(operator.get(&format!("{path}/names")).await)["kinds"].clone();
    assert_eq!((&kinds[0]["identities"], &kinds[0]["named"]), (&json!(1), &json!(true)));
}
