//! C02 and C03: an address finds nobody. Who somebody is, is said by connection, issuer and subject alone.

use serde_json::json;

use crate::house::application::{Application, Person};
use crate::house::broker::{DEFAULT, Engine, House, Plan};
use crate::house::lying_idp::Says;

/// Ann, as the provider of A knows her.
async fn ann_of(house: &House) -> serde_json::Value {
    house.idp_a.says(Says::that("1", "ann@a.test"));
    let ask = Application::rp1(house).asks().with("login_hint", "ann@a.test");
    let arrival = Person::new("ann@a.test").follows(&ask).await;
    ask.redeems(&arrival).await.id
}

async fn is_refused(house: &House, says: Says, status: u16, reason: &str) {
    house.idp_a.says(says);
    let before = house.before().await;
    let ask = Application::rp1(house).asks().with("login_hint", "ann@a.test");
    let arrival = Person::new("ann@a.test").follows(&ask).await;
    assert_eq!(arrival.status(), status, "{}", arrival.told());
    house.refused(&before, reason).await;
}

const IN_USE: &str = "email_in_use_by_other_identity";

#[tokio::test]
async fn c02_another_subject_with_anns_address_is_not_ann() {
    let house = House::opens().await;
    let ann = ann_of(&house).await;
    for subject in ["2", "01", "1 ", "ann@a.test", ann["sub"].as_str().unwrap()] {
        is_refused(&house, Says::that(subject, "ann@a.test"), 409, IN_USE).await;
    }
    is_refused(&house, Says::that("2", "ANN@A.test"), 409, IN_USE).await;
    // A colleague who takes on her address does not take her place either.
    house.idp_a.says(Says::that("2", "eve@a.test"));
    Person::new("eve@a.test").follows(&Application::rp1(&house).asks()).await.code();
    is_refused(&house, Says::that("2", "ann@a.test"), 409, IN_USE).await;
    assert_eq!(ann_of(&house).await["sub"], ann["sub"]);
    assert_eq!(house.count("users").await, 2);
}

#[tokio::test]
async fn c02_an_address_is_not_taken_from_its_owner_by_calling_it_unproved() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let house = Plan::on(engine).build().await;
        let ann = ann_of(&house).await;
        let evil = || Says::that("evil", "ann@a.test");
        is_refused(&house, evil().claim("email_verified", "false"), 409, IN_USE).await;
        is_refused(&house, evil().claim("email_verified", "\"false\""), 409, IN_USE).await;
        let by_userinfo = || evil().without("email").userinfo("email_verified", "false");
        is_refused(&house, by_userinfo(), 409, IN_USE).await;
        // A colleague who is known already does not get it so either.
        house.idp_a.says(Says::that("2", "eve@a.test"));
        Person::new("eve@a.test").follows(&Application::rp1(&house).asks()).await.code();
        let eve = Says::that("2", "ANN@a.test").claim("email_verified", "false");
        is_refused(&house, eve, 409, IN_USE).await;
        assert_eq!(house.count("users").await, 2);
        // She is who she is, whatever her provider thinks of her address.
        house.idp_a.says(Says::that("1", "ann@a.test").claim("email_verified", "false"));
        let ask = Application::rp1(&house).asks().with("login_hint", "ann@a.test");
        let arrival = Person::new("ann@a.test").follows(&ask).await;
        let again = ask.redeems(&arrival).await.id;
        assert_eq!((&again["sub"], &again["email_verified"]), (&ann["sub"], &json!(false)));
    }
}

#[tokio::test]
async fn c02_an_address_that_is_called_unproved_once_stays_whose_it_was() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        // Her own one, and one that she does not hold yet.
        for doubted in ["ann@a.test", "new@a.test"] {
            let house = Plan::on(engine).build().await;
            let ann = ann_of(&house).await;
            house.idp_a.says(Says::that("1", doubted).claim("email_verified", "false"));
            let ask = Application::rp1(&house).asks().with("login_hint", "ann@a.test");
            let arrival = Person::new("ann@a.test").follows(&ask).await;
            let doubtful = ask.redeems(&arrival).await.id;
            assert_eq!((&doubtful["sub"], &doubtful["email_verified"]), (&ann["sub"], &json!(false)));
            // Nobody takes it meanwhile, proved or not.
            is_refused(&house, Says::that("2", "ann@a.test"), 409, IN_USE).await;
            is_refused(&house, Says::that("2", "ann@a.test").claim("email_verified", "false"), 409, IN_USE)
                .await;
            // And she has lost nothing when her provider is sure again.
            let again = ann_of(&house).await;
            assert_eq!(
                (&again["sub"], &again["email"], &again["email_verified"]),
                (&ann["sub"], &json!("ann@a.test"), &json!(true))
            );
            // One that she proves takes the place of the one before, which is free from then on.
            house.idp_a.says(Says::that("1", "new@a.test"));
            let ask = Application::rp1(&house).asks().with("login_hint", "ann@a.test");
            Person::new("ann@a.test").follows(&ask).await.code();
            house.idp_a.says(Says::that("2", "ann@a.test"));
            Person::new("ann@a.test").follows(&ask.application.asks()).await.code();
            assert_eq!(house.count("users").await, 2);
        }
    }
}

const TENANT: &str = "72f988bf-86f1-41af-91ab-2d7cd011db47";
const OID: &str = "0a4f1c7e-0000-4000-8000-00000000000a";

fn of_microsoft(sub: &str, (oid, tid): (&str, &str), email: &str) -> Says {
    Says::that(sub, email).claim("oid", &json!(oid).to_string()).claim("tid", &json!(tid).to_string())
}

/// Their `sub` is another one in each application of the tenant, and says nothing of who they are.
#[tokio::test]
async fn s3_20_people_of_microsoft_are_known_by_oid_and_tid() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let house = Plan::on(engine).build().await;
        let set = "UPDATE connections SET settings = replace(settings, '\"preset\":\"generic\"', '\"preset\":\"entra\"')
                   WHERE slug = 'ca'";
        assert_eq!(house.execute(set).await, 1);
        let comes = async |says: Says, email: &str| {
            house.idp_a.says(says);
            let ask = Application::rp1(&house).asks().with("login_hint", email);
            let arrival = Person::new(email).follows(&ask).await;
            ask.redeems(&arrival).await.id["sub"].clone()
        };
        let ann = comes(of_microsoft("1", (OID, TENANT), "ann@a.test"), "ann@a.test").await;
        // After the client was registered anew, in whichever case it writes what names her.
        let (oid, tid) = (OID.to_uppercase(), TENANT.to_uppercase());
        assert_eq!(comes(of_microsoft("2", (&oid, &tid), "ann@a.test"), "ann@a.test").await, ann);
        let kept = house.text("SELECT subject FROM identities").await;
        assert_eq!(kept, Some(format!("{OID}.{TENANT}")));
        // A logout at the provider names her by the sub.
        let named = house.text("SELECT subject FROM upstream_sessions WHERE subject = '2'").await;
        assert_eq!(named.as_deref(), Some("2"));
        let other = "0a4f1c7e-0000-4000-8000-00000000000b";
        for who in [(other, TENANT), (OID, other), (TENANT, OID)] {
            is_refused(&house, of_microsoft("1", who, "ann@a.test"), 409, IN_USE).await;
        }
        let eve = comes(of_microsoft("1", (other, TENANT), "eve@a.test"), "eve@a.test").await;
        assert_ne!(eve, ann);
        // What names nobody for good lets nobody in, as whomever they are known by another claim.
        let fine = || of_microsoft("2", (OID, TENANT), "ann@a.test");
        for (claim, reason) in [("oid", "oid_invalid"), ("tid", "tid_invalid")] {
            is_refused(&house, fine().without(claim), 401, reason).await;
            for raw in ["\"\"", "\"contoso.test\"", "null", "7", "[\"72f988bf-86f1-41af-91ab-2d7cd011db47\"]"]
            {
                is_refused(&house, fine().claim(claim, raw), 401, reason).await;
            }
        }
        assert_eq!(comes(fine(), "ann@a.test").await, ann);
        assert_eq!(house.count("users").await, 2);
    }
}

#[tokio::test]
async fn c02_a_subject_is_compared_byte_by_byte() {
    let house = House::opens().await;
    house.idp_a.says(Says::that("Ann", "ann@a.test"));
    let first = Application::rp1(&house).asks();
    let arrival = Person::new("ann@a.test").follows(&first).await;
    let first = first.redeems(&arrival).await;
    house.idp_a.says(Says::that("ann", "eve@a.test"));
    let second = Application::rp1(&house).asks();
    let arrival = Person::new("eve@a.test").follows(&second).await;
    assert_ne!(second.redeems(&arrival).await.id["sub"], first.id["sub"]);
    for subject in ["\"änn\"", "\"ann\\u0000\"", "\"\"", "1", "null", "[\"ann\"]"] {
        is_refused_with_one_of(&house, Says::truth().claim("sub", subject), subject).await;
    }
    let long = format!("\"{}\"", "a".repeat(256));
    is_refused_with_one_of(&house, Says::truth().claim("sub", &long), "256 bytes").await;
}

/// Which of the two readers of the ID token says no first does not matter.
async fn is_refused_with_one_of(house: &House, says: Says, what: &str) {
    house.idp_a.says(says);
    let before = house.before().await;
    let ask = Application::rp1(house).asks().with("login_hint", "ann@a.test");
    let arrival = Person::new("ann@a.test").follows(&ask).await;
    assert_eq!(arrival.status(), 401, "{what}: {}", arrival.told());
    house.refused_for_one_of(&before, &["sub_invalid", "token_answer_malformed", "id_token_refused"]).await;
}

#[tokio::test]
async fn c02_the_same_subject_of_another_issuer_is_nobody_that_is_known() {
    let house = House::opens().await;
    let ann = ann_of(&house).await;
    let other = json!("https://idp.test/other-tenant").to_string();
    is_refused(&house, Says::that("1", "ann@a.test").claim("iss", &other), 401, "id_token_issuer").await;
    let slash = json!(format!("{}/", house.idp_a.issuer)).to_string();
    is_refused(&house, Says::that("1", "ann@a.test").claim("iss", &slash), 401, "id_token_issuer").await;

    // The connection moves to another provider, where somebody else may be number 1.
    let moved = DEFAULT.replacen("{idp_a}", "{idp_b}", 1).replacen(
        "{ env = \"CA_SECRET\" }",
        "{ env = \"CB_SECRET\" }",
        1,
    );
    house.provision(&moved).await;
    house.idp_b.says(Says::that("1", "ann@a.test"));
    let before = house.before().await;
    let ask = Application::rp1(&house).asks().with("login_hint", "ann@a.test");
    let arrival = Person::new("ann@a.test").follows(&ask).await;
    assert_eq!(arrival.status(), 409, "{}", arrival.told());
    house.refused(&before, IN_USE).await;
    // With an address of its own, it is a new user.
    house.idp_b.says(Says::that("1", "eve@a.test"));
    let arrival = Person::new("eve@a.test").follows(&ask).await;
    assert_ne!(ask.redeems(&arrival).await.id["sub"], ann["sub"]);
}

#[tokio::test]
async fn c03_nobody_is_linked_by_an_address_not_even_to_a_row_that_waits_for_it() {
    let house = Plan::default()
        .with("claims = { idp = true }", "claims = { idp = true }\nconnections = [\"social\"]")
        .and(
            r#"
[[domain]]
name = "d.test"
organization = "org-a"
connections = ["ca"]
use_for_routing = true
trust_email = true

[connection.social]
type = "oidc"
display_name = "Social"
state = "active"
issuer = "{idp_b}"
client_id = "behalf"
client_secret = { env = "CB_SECRET" }
"#,
        );
    let mut plan = house;
    plan.unproved.push("d.test");
    let mut house = plan.build().await;
    let rp1 = Application::rp1(&house);
    // The attacker is there first, with an address that nobody has proved yet.
    house.idp_b.says(Says::that("evil", "dan@d.test"));
    let mut attacker = Person::new("dan@d.test");
    let ask = rp1.asks().with("connection", "social");
    let arrival = attacker.follows(&ask).await;
    let squatted = ask.redeems(&arrival).await;
    assert_eq!(squatted.id["email_verified"], json!(false));
    // Then the domain is proved, and Dan comes through his own provider.
    house.unproved.clear();
    house.prove_domains().await;
    house.idp_a.says(Says::that("dan", "dan@d.test"));
    let ask = rp1.asks();
    let arrival = Person::new("dan@d.test").follows(&ask).await;
    let dan = ask.redeems(&arrival).await;
    assert_ne!(dan.id["sub"], squatted.id["sub"]);
    assert_eq!((&dan.id["org_name"], &dan.id["email_verified"]), (&json!("org-a"), &json!(true)));
    // The attacker's account has none of it, and its provider may not say that address again.
    let old = rp1.userinfo(&squatted.access_token).await.json();
    assert_eq!((&old["org_id"], &old["email_verified"]), (&json!(null), &json!(false)));
    let before = house.before().await;
    let ask = rp1.asks().with("connection", "social");
    let arrival = Person::new("dan@d.test").follows(&ask).await;
    assert_eq!(arrival.status(), 403);
    house.refused(&before, "email_domain_not_allowed").await;
}

#[tokio::test]
async fn c03_an_address_that_the_provider_itself_does_not_vouch_for_gives_no_place() {
    let unproved = [
        Says::that("7", "con@a.test").claim("email_verified", "false"),
        Says::that("7", "con@a.test").without("email").userinfo("email_verified", "false"),
        Says::that("7", "con@a.test").without("email").userinfo("email_verified", "\"false\""),
        Says::that("7", "con@a.test").without("email").userinfo("email_verified", "0"),
        Says::that("7", "con@a.test").without("email").claim("email_verified", "false"),
    ];
    for says in unproved {
        let house = House::opens().await;
        house.idp_a.says(says);
        let ask = Application::rp1(&house).asks();
        let arrival = Person::new("con@a.test").follows(&ask).await;
        // By the provider's own word the address is not proved: no delegation that names it, no owner's place.
        let tokens = ask.redeems(&arrival).await;
        assert_eq!(tokens.id["email_verified"], json!(false));
        assert_eq!(tokens.id["org_name"], json!("org-a"));
        let waiting = "SELECT CAST(COUNT(*) AS TEXT) FROM expected_members WHERE used_at IS NULL";
        assert_eq!(house.text(waiting).await.as_deref(), Some("3"));
    }
}
