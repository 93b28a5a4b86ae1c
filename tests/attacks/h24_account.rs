//! H24, M03: nobody else ends, leaves or switches anything at somebody's account, and it shows nobody more than they may
//! see.

use reqwest::Method;
use reqwest::header::CONTENT_TYPE;

use crate::house::api::Api;
use crate::house::application::{Application, Person};
use crate::house::broker::{Engine, House};
use crate::house::form::Form;
use crate::house::visitor::Answer;

const ENGINES: [Engine; 2] = [Engine::Sqlite, Engine::Postgres];

/// Signs in for their account.
async fn signs_in(house: &House, email: &str) -> Person {
    let mut person = Person::new(email);
    proves_again(house, &mut person, "").await;
    person
}

async fn proves_again(house: &House, person: &mut Person, query: &str) {
    let first = person.browser.get(&format!("{}/account/sign-in{query}", house.url)).await;
    let ask = Application::rp1(house).asks();
    let arrival = person.walks(&ask, first, |to| to.path() == "/account").await;
    assert_eq!(arrival.answer.location().unwrap().path(), "/account", "{}", arrival.told());
}

async fn looks(house: &House, person: &mut Person, path: &str) -> Answer {
    person.browser.get(&format!("{}{path}", house.url)).await
}

async fn csrf(house: &House, person: &mut Person) -> String {
    let page = looks(house, person, "/account").await;
    let form = page.forms().into_iter().find_map(|form| form.value("csrf").map(str::to_owned));
    form.unwrap_or_else(|| panic!("no form: {}", page.body))
}

async fn posts(house: &House, person: &mut Person, path: &str, fields: &[(&str, &str)]) -> Answer {
    person.browser.post_form(&format!("{}{path}", house.url), fields).await
}

async fn session(house: &House, email: &str) -> String {
    let sql = "SELECT s.id FROM sessions s JOIN users u ON u.id = s.user_id WHERE u.email = '{email}' ORDER BY s.id";
    house.text(&sql.replace("{email}", email)).await.unwrap()
}

/// An application of theirs that holds something.
async fn holds(house: &House, person: &mut Person, organization: &str) -> String {
    let ask = Application::rp1(house).asks().with("organization", organization);
    let ask = ask.with("login_hint", &person.email);
    let arrival = person.follows(&ask).await;
    ask.redeems(&arrival).await;
    house.text("SELECT id FROM applications WHERE client_id = 'rp1'").await.unwrap()
}

/// Everything that con could post.
async fn everything(house: &House, application: &str) -> [(String, Vec<(&'static str, String)>); 5] {
    let (a, b) = (house.organization("org-a").await, house.organization("org-b").await);
    let session = session(house, "con@a.test").await;
    [
        (format!("/account/organizations/{b}/switch"), vec![]),
        (format!("/account/sessions/{session}/end"), vec![]),
        (format!("/account/applications/{application}/end"), vec![("organization", a.clone())]),
        (format!("/account/applications/{application}/withdraw"), vec![]),
        (format!("/account/organizations/{a}/leave"), vec![]),
    ]
}

#[tokio::test]
async fn h24_m03_another_persons_session_grant_and_organization_read_as_what_there_is_not() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let mut con = signs_in(&house, "con@a.test").await;
        let mut bob = signs_in(&house, "bob@b.test").await;
        let application = holds(&house, &mut con, "org-a").await;
        let (own, theirs) = (csrf(&house, &mut bob).await, session(&house, "con@a.test").await);
        let a = house.organization("org-a").await;
        let none = "00000000000000000000000007";
        let tries = [
            (format!("/account/sessions/{theirs}/end"), ""),
            (format!("/account/sessions/sess_{none}/end"), ""),
            ("/account/sessions/nonsense/end".into(), ""),
            ("/account/sessions/%00/end".into(), ""),
            (format!("/account/applications/{application}/end"), a.as_str()),
            (format!("/account/applications/{application}/end"), ""),
            (format!("/account/applications/{application}/end"), "nonsense"),
            (format!("/account/applications/app_{none}/end"), ""),
            (format!("/account/applications/{application}/withdraw"), ""),
            (format!("/account/applications/app_{none}/withdraw"), ""),
            (format!("/account/organizations/{a}/leave"), ""),
            (format!("/account/organizations/{a}/switch"), ""),
            (format!("/account/organizations/org_{none}/leave"), ""),
            (format!("/account/organizations/org_{none}/switch"), ""),
        ];
        let mut words = Vec::new();
        for (path, organization) in &tries {
            let before = house.before().await;
            let fields = [("csrf", own.as_str()), ("organization", organization)];
            let answer = posts(&house, &mut bob, path, &fields).await;
            assert_eq!(answer.status, 404, "{path}: {}", answer.body);
            house.refused(&before, "not_found").await;
            words.push(answer.body.split("class=\"quote\"").next().unwrap().to_owned());
        }
        words.dedup();
        assert_eq!(words.len(), 1, "all in the same words");
        for path in [format!("/account/organizations/{a}/leave"), "/account/organizations/x/leave".into()] {
            assert_eq!(looks(&house, &mut bob, &path).await.status, 404, "{path}");
        }
        // And by the API.
        let api = Api::person(&house, "bob@b.test", "org-b").await;
        for path in [
            format!("/me/sessions/{theirs}"),
            format!("/me/sessions/sess_{none}"),
            format!("/me/applications/app_{none}"),
            format!("/me/applications/{application}?organization={a}"),
            format!("/me/applications/{application}?organization=org-a"),
        ] {
            let before = house.before().await;
            let answer = api.send(Method::DELETE, &path, |request| request).await;
            assert_eq!(
                (answer.status.as_u16(), answer.json()["code"].as_str()),
                (404, Some("not_found")),
                "{path}"
            );
            house.refused(&before, "not_found").await;
        }
        assert_eq!(looks(&house, &mut con, "/account").await.status, 200);
    }
}

#[tokio::test]
async fn h24_no_other_site_and_no_other_page_posts_for_the_person() {
    let house = House::opens().await;
    let mut con = signs_in(&house, "con@a.test").await;
    let mut bob = signs_in(&house, "bob@b.test").await;
    let application = holds(&house, &mut con, "org-a").await;
    let (own, bobs) = (csrf(&house, &mut con).await, csrf(&house, &mut bob).await);
    // That of the page on which one signs out is another one.
    let sign_out = looks(&house, &mut con, "/logout").await.form().value("csrf").unwrap().to_owned();
    assert!(own != bobs && own != sign_out);
    for (path, fields) in everything(&house, &application).await {
        let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        for token in [None, Some(""), Some("x"), Some(bobs.as_str()), Some(sign_out.as_str())] {
            let before = house.before().await;
            let mut with = fields.clone();
            with.extend(token.map(|token| ("csrf", token)));
            let answer = posts(&house, &mut con, &path, &with).await;
            assert_eq!(answer.status, 403, "{path} {token:?}: {}", answer.body);
            house.refused(&before, "foreign_form").await;
        }
        // Even with the right one, from elsewhere; and never by a link.
        for (name, value) in [
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
            ("origin", "https://evil.test"),
        ] {
            let before = house.before().await;
            let body = form_urlencoded::Serializer::new(String::new())
                .extend_pairs(&fields)
                .append_pair("csrf", &own)
                .finish();
            let dress = |request: reqwest::RequestBuilder| {
                let request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded");
                request.header(name, value).body(body)
            };
            let answer = con.browser.request(Method::POST, &format!("{}{path}", house.url), dress).await;
            assert_eq!(answer.status, 403, "{path} {name}");
            house.refused(&before, "foreign_form").await;
        }
        let before = house.before().await;
        let answer = looks(&house, &mut con, &format!("{path}?csrf={own}")).await;
        assert!([200, 405].contains(&answer.status.as_u16()), "{path}: {}", answer.status);
        house.unchanged(&before).await;
    }
}

#[tokio::test]
async fn h24_c28_a_page_of_before_a_new_sign_in_does_nothing_any_more() {
    let house = House::opens().await;
    let mut con = signs_in(&house, "con@a.test").await;
    let application = holds(&house, &mut con, "org-a").await;
    let old = csrf(&house, &mut con).await;
    let old_cookies = con.browser.jar.clone();
    // The same session goes on, proved anew, under another cookie.
    proves_again(&house, &mut con, "?again=yes").await;
    assert_eq!(house.count("sessions").await, 1);
    let new = csrf(&house, &mut con).await;
    assert_ne!(old, new);
    for (path, fields) in everything(&house, &application).await {
        let mut fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        fields.push(("csrf", &old));
        let before = house.before().await;
        let answer = posts(&house, &mut con, &path, &fields).await;
        assert_eq!(answer.status, 403, "{path}");
        house.refused(&before, "foreign_form").await;
        // Who kept the cookie of before is nobody.
        let now = std::mem::replace(&mut con.browser.jar, old_cookies.clone());
        let before = house.before().await;
        let answer = posts(&house, &mut con, &path, &fields).await;
        assert_eq!(answer.location().unwrap().path(), "/account/sign-in", "{path}");
        house.unchanged(&before).await;
        con.browser.jar = now;
    }
}

#[tokio::test]
async fn m03_h05_h03_whose_session_or_membership_is_over_does_nothing_by_a_page_that_is_still_open() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let a = house.organization("org-a").await;
        let mut con = signs_in(&house, "con@a.test").await;
        let application = holds(&house, &mut con, "org-a").await;
        let own = csrf(&house, &mut con).await;
        let before = house.before().await;
        // Ended elsewhere, run out, disabled, by a connection that is off, or of an organization that is shut: nobody.
        for (sql, undo) in [
            ("UPDATE sessions SET ended_at = 1", "UPDATE sessions SET ended_at = NULL"),
            (
                "UPDATE sessions SET expires_at = expires_at - 100000000",
                "UPDATE sessions SET expires_at = expires_at + 100000000",
            ),
            ("UPDATE users SET disabled_at = 1", "UPDATE users SET disabled_at = NULL"),
            ("UPDATE connections SET state = 'disabled'", "UPDATE connections SET state = 'active'"),
            (
                "UPDATE organizations SET epoch = epoch + 1 WHERE slug = 'org-a'",
                "UPDATE organizations SET epoch = epoch - 1 WHERE slug = 'org-a'",
            ),
        ] {
            // Of whom only membership is left elsewhere: that is another story.
            house.execute("UPDATE memberships SET status = 'suspended'").await;
            house.execute(sql).await;
            for (path, fields) in everything(&house, &application).await {
                let mut fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
                fields.push(("csrf", &own));
                let answer = posts(&house, &mut con, &path, &fields).await;
                assert_eq!(answer.location().unwrap().path(), "/account/sign-in", "{sql} {path}");
            }
            for path in ["/account", "/account/sessions", "/account/applications"] {
                let answer = looks(&house, &mut con, path).await;
                assert_eq!(answer.location().unwrap().path(), "/account/sign-in", "{sql} {path}");
            }
            house.execute(undo).await;
            house.execute("UPDATE memberships SET status = 'active'").await;
        }
        house.unchanged(&before).await;
        // A member who was removed meanwhile still is who they are, and sees nothing of it any more.
        let operator = Api::operator(&house).await;
        let user = house.user("con@a.test").await;
        let path = format!("/organizations/org-a/members/{user}");
        assert_eq!(operator.send(Method::DELETE, &path, |request| request).await.status, 204);
        for way in ["leave", "switch"] {
            let before = house.before().await;
            let path = format!("/account/organizations/{a}/{way}");
            assert_eq!(posts(&house, &mut con, &path, &[("csrf", &own)]).await.status, 404, "{way}");
            house.refused(&before, "not_found").await;
        }
        for path in ["/account", "/account/applications"] {
            let page = looks(&house, &mut con, path).await;
            assert_eq!(page.status, 200);
            assert!(!page.body.contains("Corporation"), "{path}: {}", page.body);
        }
    }
}

#[tokio::test]
async fn h03_a_deactivated_organization_is_on_no_page_and_can_be_neither_left_nor_switched_to() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let c = house.organization("org-c").await;
        let mut con = signs_in(&house, "con@a.test").await;
        let user = house.user("con@a.test").await.parse().unwrap();
        house.joins(user, "org-c", &["member"]).await;
        let application = holds(&house, &mut con, "org-c").await;
        let own = csrf(&house, &mut con).await;
        assert!(looks(&house, &mut con, "/account/applications").await.body.contains("C Corporation"));
        let operator = Api::operator(&house).await;
        assert_eq!(
            operator.send(Method::POST, "/organizations/org-c/deactivate", |ask| ask).await.status,
            200
        );
        for way in ["leave", "switch"] {
            let before = house.before().await;
            let path = format!("/account/organizations/{c}/{way}");
            assert_eq!(posts(&house, &mut con, &path, &[("csrf", &own)]).await.status, 404, "{way}");
            house.refused(&before, "not_found").await;
        }
        for path in ["/account", "/account/applications"] {
            let page = looks(&house, &mut con, path).await;
            assert!(!page.body.contains("C Corporation"), "{path}: {}", page.body);
        }
        // What it holds is dead as it is, and can be taken back for good.
        let fields = [("csrf", own.as_str()), ("organization", c.as_str())];
        let path = format!("/account/applications/{application}/end");
        assert_eq!(posts(&house, &mut con, &path, &fields).await.status, 303);
    }
}

#[tokio::test]
async fn h24_s0_31_who_is_a_member_elsewhere_keeps_their_account_when_their_provider_is_shut() {
    let house = House::opens().await;
    let mut con = signs_in(&house, "con@a.test").await;
    let user = house.user("con@a.test").await.parse().unwrap();
    house.joins(user, "org-c", &["member"]).await;
    let operator = Api::operator(&house).await;
    assert_eq!(operator.send(Method::POST, "/organizations/org-a/deactivate", |ask| ask).await.status, 200);
    let page = looks(&house, &mut con, "/account").await;
    assert_eq!(page.status, 200, "{}", page.body);
    assert!(page.body.contains("C Corporation"));
    for hidden in ["A Corporation", "B Corporation"] {
        assert!(!page.body.contains(hidden), "{}", page.body);
    }
}

#[tokio::test]
async fn h24_a_delegates_pages_show_nothing_of_the_target_that_they_may_not_see() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let b = house.organization("org-b").await;
        let mut con = signs_in(&house, "con@a.test").await;
        holds(&house, &mut con, "org-b").await;
        let own = csrf(&house, &mut con).await;
        let all = async |con: &mut Person| {
            let first = looks(&house, con, "/account").await.body;
            let after = first.split("?after=").nth(1).map(|rest| rest.split('"').next().unwrap().to_owned());
            let mut text = first;
            for path in after
                .map(|after| format!("/account?after={after}"))
                .into_iter()
                .chain(["/account/applications".into()])
            {
                text += &looks(&house, con, &path).await.body;
            }
            text
        };
        let text = all(&mut con).await;
        assert!(text.contains("B Corporation"));
        for hidden in ["bob@b.test", "B Login", "org-b", "b.test"] {
            assert!(!text.contains(hidden), "{hidden} in {text}");
        }
        // It is not theirs to leave.
        assert_eq!(looks(&house, &mut con, &format!("/account/organizations/{b}/leave")).await.status, 404);
        let before = house.before().await;
        let path = format!("/account/organizations/{b}/leave");
        assert_eq!(posts(&house, &mut con, &path, &[("csrf", &own)]).await.status, 404);
        house.refused(&before, "not_found").await;
        // Where the delegation is not in force, its name is not shown either; what is held can still be taken back.
        house.execute("UPDATE delegations SET paused_at = 1").await;
        let text = all(&mut con).await;
        assert!(!text.contains("B Corporation"), "{text}");
        assert!(text.contains("For an organization that you do not act for at present"), "{text}");
        let form: Form = {
            let page = looks(&house, &mut con, "/account/applications").await;
            page.forms().into_iter().find(|form| form.value("organization") == Some(b.as_str())).unwrap()
        };
        assert_eq!(con.browser.submit(&form).await.status, 303);
        assert!(!all(&mut con).await.contains("at present"));
        let before = house.before().await;
        let path = format!("/account/organizations/{b}/switch");
        assert_eq!(posts(&house, &mut con, &path, &[("csrf", &own)]).await.status, 404);
        house.refused(&before, "not_found").await;
    }
}
