//! The organization is asked for before the sign-in, by its name (model.md, tension 6).

use serde_json::{Value, json};

use crate::house::application::{Application, Arrival, Ask, Person};
use crate::house::broker::{DEFAULT, House, Plan};
use crate::house::form::{Form, skeleton, words};

async fn opens(settings: &str) -> House {
    let file = DEFAULT.replace("claims = { idp = true }", &format!("claims = {{ idp = true }}\n{settings}"));
    Plan { file, ..Plan::default() }.build().await
}

async fn asks_before() -> House {
    opens("organization_prompt = \"before\"").await
}

/// The page's form.
fn form(page: &Arrival) -> Form {
    page.form_with("skip")
}

async fn names(person: &mut Person, ask: &Ask, page: &Arrival, organization: &str) -> Arrival {
    let answer = person.browser.submit(&form(page).with("organization", organization)).await;
    person.goes_on(ask, answer).await
}

#[tokio::test]
async fn s2_12_who_names_the_organization_first_is_led_to_its_provider_and_picks_nothing() {
    let house = asks_before().await;
    let rp1 = Application::rp1(&house);
    let a = house.organization("org-a").await;
    for typed in ["org-a", "  Org-A ", &a] {
        let mut con = Person::new("con@a.test");
        // The hint says who it is; where it leads does not decide for whom they act.
        let ask = rp1.asks().with("login_hint", "con@a.test");
        let page = con.follows(&ask).await;
        assert_eq!((page.status(), page.pages.len()), (200, 1), "{typed}");
        for name in ["A Corporation", "B Corporation", "org-a"] {
            assert!(!page.answer.body.contains(name), "a stranger is told of {name}");
        }
        let arrival = names(&mut con, &ask, &page, typed).await;
        assert!(arrival.pages.is_empty(), "{typed}: {:?}", arrival.pages);
        assert_eq!(ask.redeems(&arrival).await.id["org_id"], json!(a), "{typed}");
    }

    // Others act for B as well, so everybody says who they are; the picker is not needed.
    let (mut con, ask) = (Person::new("con@a.test"), rp1.asks());
    let page = con.follows(&ask).await;
    let arrival = names(&mut con, &ask, &page, "org-b").await;
    assert_eq!(arrival.pages.len(), 1, "the email page alone");
    let tokens = ask.redeems(&arrival).await;
    assert_eq!(tokens.id["org_id"], json!(house.organization("org-b").await));
    assert_eq!(tokens.id["home_org_id"], json!(a));

    // Who is signed in already is asked as after a sign-in: nobody types what can be picked.
    let ask = rp1.asks();
    let picker = con.follows(&ask).await;
    assert_eq!((picker.is_picker(), picker.choices().len()), (true, 2));
}

#[tokio::test]
async fn s2_12_who_names_one_that_is_not_theirs_is_told_the_same_whether_or_not_there_is_such_a_one() {
    let house = asks_before().await;
    let rp1 = Application::rp1(&house);
    let mut told = Vec::new();
    for typed in ["org-c", "nobody", "org-b"] {
        let (mut ann, ask) = (Person::new("ann@a.test"), rp1.asks());
        let page = ann.follows(&ask).await;
        let picker = names(&mut ann, &ask, &page, typed).await;
        assert_eq!(picker.pages.len(), 2, "the email page, and the picker");
        // Her only organization is not taken instead of the one that she named.
        assert_eq!((picker.is_picker(), picker.choices()), (true, vec!["A Corporation".to_owned()]));
        assert!(picker.answer.body.contains("You cannot act for"), "{}", picker.told());
        // The page repeats what she typed, and nothing else of it.
        let said: Vec<_> =
            words(&picker.answer.body).iter().map(|text| text.replace(typed, "what she typed")).collect();
        assert!(said.iter().any(|text| text.contains("what she typed")), "{said:?}");
        told.push((skeleton(&picker.answer.body), said));
        let arrival = ann.picks(&ask, &picker, "A Corporation").await;
        assert_eq!(ask.redeems(&arrival).await.id["org_name"], json!("org-a"));
    }
    assert!(told.iter().all(|one| *one == told[0]), "{told:?}");
}

#[tokio::test]
async fn s2_12_who_cannot_name_it_goes_on_and_a_word_that_is_no_name_changes_nothing() {
    let house = asks_before().await;
    let rp1 = Application::rp1(&house);
    let (mut con, ask) = (Person::new("con@a.test"), rp1.asks());
    let page = con.follows(&ask).await;
    for typed in ["", "  ", "two words", "<script>", &"x".repeat(101)] {
        let before = house.before().await;
        let again = names(&mut con, &ask, &page, typed).await;
        assert_eq!(again.status(), 422, "{typed}: {}", again.told());
        assert!(!again.answer.body.contains("<script>"));
        assert_eq!(form(&again).value("organization"), Some(typed.trim().get(..100).unwrap_or(typed.trim())));
        house.refused(&before, "organization_name_invalid").await;
    }
    let before = house.before().await;
    let foreign = con.browser.submit(&form(&page).with("csrf", "x").with("organization", "org-a")).await;
    assert_eq!(foreign.status.as_u16(), 403);
    house.refused(&before, "foreign_form").await;

    let answer = con.browser.submit(&form(&page).with("skip", "1")).await;
    let picker = con.goes_on(&ask, answer).await;
    assert_eq!(picker.pages.len(), 2, "the email page, then the picker");
    assert!(!picker.answer.body.contains("You cannot act for"));
    con.picks(&ask, &picker, "B Corporation").await.code();

    // Another account: another organization, too.
    let mut ann = Person::new("ann@a.test");
    let ask = rp1.asks();
    let page = ann.follows(&ask).await;
    let email = ann.browser.submit(&form(&page).with("skip", "1")).await;
    let another =
        email.forms().into_iter().find(|form| form.buttons.iter().any(|(n, _)| n == "another_account"));
    let answer = ann.browser.submit(&another.unwrap().with("another_account", "yes")).await;
    let page = ann.goes_on(&ask, answer).await;
    assert_eq!(form(&page).value("organization"), Some(""));
    // An old page after the sign-in leads to where the login stands.
    let arrival = names(&mut ann, &ask, &page, "org-a").await;
    arrival.code();
}

#[tokio::test]
async fn s2_12_nobody_is_asked_beforehand_where_it_is_known_or_nobody_may_be_asked() {
    let house = asks_before().await;
    let rp1 = Application::rp1(&house);
    let asked: [(&str, &str, usize); 3] = [
        // The email page, for others act for it as well.
        ("organization", "org-b", 1),
        ("connection", "ca", 0),
        ("scope", "openid organization:*", 1),
    ];
    for (name, value, pages) in asked {
        let mut con = Person::new("con@a.test");
        let arrival = con.follows(&rp1.asks().with(name, value)).await;
        assert!(arrival.pages.iter().all(|page| !page.contains("name=\"skip\"")), "{name}={value}");
        assert_eq!(arrival.pages.len(), pages, "{name}={value}: {}", arrival.told());
    }
    let mut nobody = Person::new("con@a.test");
    let arrival = nobody.follows(&rp1.asks().with("prompt", "none")).await;
    assert_eq!(arrival.error().0, "login_required");

    let house = opens("organization_prompt = \"before\"\norganization_usage = \"deny\"").await;
    let rp1 = Application::rp1(&house);
    let (mut ann, mut ask) = (Person::new("ann@a.test"), rp1.asks());
    ask = ask.with("scope", "openid");
    let arrival = ann.follows(&ask).await;
    assert_eq!(arrival.pages.len(), 1, "the email page alone");
    assert_eq!(ask.redeems(&arrival).await.id["org_id"], Value::Null);
}
