//! Somebody is invited by mail and joins: through whichever identity provider their address is at home, and as nobody
//! else.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::house::api::Api;
use crate::house::application::{Application, Arrival, Person};
use crate::house::broker::{Engine, House, Plan};
use crate::house::browser::Browser;
use crate::house::form::Form;
use crate::house::lying_idp;
use crate::house::lying_saml_idp::Says;
use crate::house::smtp::Sink;
use crate::house::visitor::{Answer, Visitor};

const ENGINES: [Engine; 2] = [Engine::Sqlite, Engine::Postgres];
const PATH: &str = "/organizations/org-a/invitations";

/// Invites, and reads the link out of the mail.
async fn mailed(house: &House, sink: &mut Sink, body: Value) -> String {
    let ann = Api::person(house, "ann@a.test", "org-a").await;
    let made = ann.post(PATH, body).await;
    assert_eq!(made.status, 201, "{}", made.body);
    assert_eq!(house.posts().await, 1);
    sink.mails().await.last().unwrap().link()
}

/// Invites, and hands the link over.
async fn handed(house: &House, email: &str) -> String {
    let ann = Api::person(house, "ann@a.test", "org-a").await;
    let made = ann.post(PATH, json!({"email": email, "role": "admin", "send": false})).await;
    made.json()["link"].as_str().unwrap_or_else(|| panic!("{}", made.body)).to_owned()
}

fn bob_as(role: &str) -> Value {
    json!({"email": "bob@b.test", "role": role})
}

/// Opens the link and presses the button: where that leads.
async fn opens(person: &mut Person, link: &str) -> Answer {
    let page = person.browser.get(link).await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.body);
    let form = page.form();
    person.browser.submit(&form).await
}

/// The same, and goes on until a page asks for more.
async fn joins(house: &House, person: &mut Person, link: &str) -> Arrival {
    let answer = opens(person, link).await;
    person.goes_on(&Application::rp1(house).asks(), answer).await
}

async fn roles(house: &House, email: &str) -> Option<String> {
    let sql = format!(
        "SELECT m.roles FROM memberships m JOIN users u ON u.id = m.user_id JOIN organizations o ON o.id = m.organization_id
         WHERE u.email = '{email}' AND o.slug = 'org-a' AND m.status = 'active'"
    );
    house.text(&sql).await
}

#[tokio::test]
async fn c18_s1_r20_s2_35_who_is_invited_by_mail_joins_through_their_own_identity_provider() {
    for engine in ENGINES {
        let mut sink = Sink::opens().await;
        let house = sink.of(Plan::on(engine)).build().await;
        let link = mailed(&house, &mut sink, bob_as("admin")).await;
        let mut bob = Person::new("bob@b.test");
        let arrival = joins(&house, &mut bob, &link).await;
        assert_eq!(arrival.status(), 200, "{}", arrival.told());
        assert!(arrival.answer.url.path().ends_with("/invitations/accepted"), "{}", arrival.told());
        assert!(arrival.answer.body.contains("You are a member of A Corporation"), "{}", arrival.told());
        assert!(arrival.answer.body.contains("bob@b.test"));
        assert_eq!(arrival.pages.len(), 1, "his own provider was found by his address: {}", arrival.told());
        assert_eq!(roles(&house, "bob@b.test").await.as_deref(), Some("[\"admin\"]"));
        assert_eq!(house.events_of("organization.invitation.accepted").await, 1);
        let grants = house.facts().await.rows("grants");
        // He acts for the organization that he has joined, where he does not say otherwise.
        let ask = Application::rp1(&house).asks();
        let arrival = bob.follows(&ask).await;
        assert_eq!(ask.redeems(&arrival).await.id["org_name"], "org-a");
        assert_eq!(house.facts().await.rows("grants"), grants + 1, "the invitation itself gave no token");

        let again = bob.browser.get(&link).await;
        assert_eq!(again.status, StatusCode::GONE);
        assert!(again.body.contains("This invitation cannot be used"), "{}", again.body);
    }
}

#[tokio::test]
async fn s1_r20_s2_35_who_is_invited_reads_as_what_before_they_join() {
    for engine in ENGINES {
        let mut sink = Sink::opens().await;
        let house = sink.of(Plan::on(engine)).build().await;
        let operator = Api::operator(&house).await;
        let role = json!({"organization_id": "org-a", "name": "books", "display_name": "Books & <b>tax</b>", "permissions": []});
        assert_eq!(operator.post("/roles", role).await.status, 201);
        let invited = json!({"email": "bob@b.test", "roles": ["admin", "books"]});
        let link = mailed(&house, &mut sink, invited).await;
        let mail = sink.mails().await.pop().unwrap();
        assert!(mail.text().contains("You will be: Administrator, Books & <b>tax</ b>"), "{}", mail.text());
        let page = Visitor::arrives().get(&link).await;
        for shown in ["<span>As</span> <bdi>Administrator</bdi>, <bdi>", "Books &amp; &lt;b&gt;tax&lt;"] {
            assert!(page.body.contains(shown), "{}", page.body);
        }
    }
}

#[tokio::test]
async fn c18_an_invitation_survives_a_login_by_saml() {
    for engine in ENGINES {
        let mut sink = Sink::opens().await;
        let plan = Plan { engine, ..Plan::saml() };
        let house = sink.of(plan).build().await;
        let link = mailed(&house, &mut sink, bob_as("member")).await;
        let mut bob = Person::new("bob@b.test");
        let away = opens(&mut bob, &link).await;
        let asked = house.saml("cb").is_asked(&house, "cb", &away).await;
        let xml = house.saml("cb").answers(&asked, &Says::that("bob@b.test"));
        let arrival = bob.returns(&Application::rp1(&house).asks(), &asked, xml).await;
        assert_eq!(arrival.status(), 200, "{}", arrival.told());
        assert!(arrival.answer.body.contains("You are a member of A Corporation"), "{}", arrival.told());
        assert_eq!(roles(&house, "bob@b.test").await.as_deref(), Some("[\"member\"]"));
    }
}

#[tokio::test]
async fn h30_programs_that_look_at_links_use_nothing_up() {
    let mut sink = Sink::opens().await;
    let house = sink.of(Plan::default()).build().await;
    let link = mailed(&house, &mut sink, bob_as("member")).await;
    let before = house.before().await;
    let mut scanner = Visitor::arrives();
    for method in [Method::HEAD, Method::GET, Method::GET, Method::HEAD, Method::GET] {
        let seen = scanner.request(method, &link, |request| request).await;
        assert_eq!(seen.status, StatusCode::OK, "{}", seen.body);
        assert!(seen.headers.get("set-cookie").is_none(), "{:?}", seen.headers);
        assert_eq!(seen.header("referrer-policy"), Some("no-referrer"), "the link goes nowhere");
        assert!(seen.body.is_empty() || seen.body.contains("b•••@b.test"), "{}", seen.body);
        assert!(!seen.body.contains("bob@b.test"), "whoever has the link does not learn the address");
    }
    // One that presses every button is sent to sign in, and that is all.
    let pressed = scanner.post_form(&link, &[]).await;
    assert!(pressed.location().unwrap().as_str().starts_with(&house.idp_b.issuer), "{pressed:?}");
    house.unchanged(&before).await;
    assert!(house.events_since(&before).await.is_empty());
    let arrival = joins(&house, &mut Person::new("bob@b.test"), &link).await;
    assert_eq!(arrival.status(), 200, "{}", arrival.told());
}

#[tokio::test]
async fn c18_c25_another_account_does_not_join_and_leaves_the_invitation_as_it_was() {
    for engine in ENGINES {
        let mut sink = Sink::opens().await;
        let house = sink.of(Plan::on(engine)).build().await;
        let link = mailed(&house, &mut sink, bob_as("owner")).await;
        let mut bob = Person::new("bob@b.test");
        house.idp_b.says(lying_idp::Says::that("eve", "eve@b.test"));
        let before = house.before().await;
        let refused = joins(&house, &mut bob, &link).await;
        assert_eq!(refused.status(), 403, "{}", refused.told());
        assert!(refused.answer.body.contains("for another email address"), "{}", refused.told());
        house.refused(&before, "wrong_account").await;
        // What the provider itself does not vouch for is no proof either.
        house.idp_b.says(lying_idp::Says::truth().claim("email_verified", "false"));
        let refused = joins(&house, &mut bob, &link).await;
        assert_eq!(refused.status(), 403, "{}", refused.told());
        house.unchanged(&before).await;

        house.idp_b.says(lying_idp::Says::truth());
        let restart = refused.form_with("another_account");
        let answer = bob.browser.submit(&restart.with("another_account", "yes")).await;
        let arrival = bob.goes_on(&Application::rp1(&house).asks(), answer).await;
        assert!(arrival.answer.body.contains("You are a member"), "{}", arrival.told());
        assert_eq!(roles(&house, "bob@b.test").await.as_deref(), Some("[\"owner\"]"));
        assert_eq!(roles(&house, "eve@b.test").await, None);
    }
}

#[tokio::test]
async fn who_is_signed_in_already_joins_at_once_and_somebody_else_is_asked() {
    let mut sink = Sink::opens().await;
    let house = sink.of(Plan::default()).build().await;
    let link = mailed(&house, &mut sink, bob_as("member")).await;
    let rp1 = Application::rp1(&house);
    // Con's session is not taken for Bob's.
    let mut con = Person::new("con@a.test");
    con.follows(&rp1.asks()).await;
    let away = opens(&mut con, &link).await;
    assert!(away.location().unwrap().as_str().starts_with(&house.idp_b.issuer), "{away:?}");
    let mut bob = Person::new("bob@b.test");
    bob.follows(&rp1.asks()).await;
    let logins = house.events_of("login.authenticated").await;
    let arrival = joins(&house, &mut bob, &link).await;
    assert!(arrival.answer.body.contains("You are a member of A Corporation"), "{}", arrival.told());
    assert_eq!(house.events_of("login.authenticated").await, logins, "nobody asked him again");
    // Who is a member already is told so, and nothing changes.
    let again = mailed(&house, &mut sink, json!({"email": "new@b.test", "role": "admin"})).await;
    house.execute("UPDATE invitations SET email = 'bob@b.test' WHERE email = 'new@b.test'").await;
    let arrival = joins(&house, &mut bob, &again).await;
    assert!(arrival.answer.body.contains("You are a member of A Corporation"), "{}", arrival.told());
    assert_eq!(roles(&house, "bob@b.test").await.as_deref(), Some("[\"member\"]"));
}

#[tokio::test]
async fn who_is_invited_is_expected_even_where_nobody_else_is() {
    let house = Plan::default()
        .with("\"CB_SECRET\" }\njit = \"create_and_join\"", "\"CB_SECRET\" }\njit = \"expected_only\"");
    let house = house.build().await;
    let link = handed(&house, "new@b.test").await;
    let refused = Person::new("eve@b.test").follows(&Application::rp1(&house).asks()).await;
    assert_eq!(refused.status(), 403, "{}", refused.told());
    let arrival = joins(&house, &mut Person::new("new@b.test"), &link).await;
    assert!(arrival.answer.body.contains("You are a member of A Corporation"), "{}", arrival.told());
    assert_eq!(roles(&house, "new@b.test").await.as_deref(), Some("[\"admin\"]"));
}

/// A provider of nobody's in particular, which knows people of domains that no organization holds.
const SHARED: &str = r#"
[connection.shared]
type = "oidc"
display_name = "Everybody"
state = "active"
issuer = "{idp_b}"
client_id = "behalf"
client_secret = { env = "CB_SECRET" }
"#;

#[tokio::test]
async fn c25_a_link_that_went_to_one_mailbox_alone_proves_who_reads_it_and_makes_no_address_proved() {
    for engine in ENGINES {
        let mut sink = Sink::opens().await;
        let house = sink.of(Plan::on(engine).and(SHARED)).build().await;
        let link = mailed(&house, &mut sink, json!({"email": "new@c.test", "role": "member"})).await;
        let by_shared = async |person: &mut Person, link: &str| {
            let page = opens(person, link).await;
            let page = match page.location() {
                Some(_) => person.browser.follow(&page).await,
                None => page,
            };
            let id = house.connection("shared").await;
            let form = page.form_with_button("connection");
            let away = person.browser.submit(&form.with("connection", &id)).await;
            person.goes_on(&Application::rp1(&house).asks(), away).await
        };
        let mut new = Person::new("new@c.test");
        house.idp_b.says(lying_idp::Says::that("eve", "eve@c.test"));
        let before = house.before().await;
        let refused = by_shared(&mut Person::new("eve@c.test"), &link).await;
        assert_eq!(refused.status(), 403, "{}", refused.told());
        house.refused(&before, "wrong_account").await;
        house.idp_b.says(lying_idp::Says::that("new", "new@c.test"));
        let arrival = by_shared(&mut new, &link).await;
        assert!(arrival.answer.body.contains("You are a member of A Corporation"), "{}", arrival.told());
        let proved = "SELECT CAST(COUNT(email_verified_at) AS TEXT) FROM users WHERE email = 'new@c.test'";
        assert_eq!(house.text(proved).await.as_deref(), Some("0"));

        // A link that was handed over may have gone anywhere.
        let over = handed(&house, "other@c.test").await;
        house.idp_b.says(lying_idp::Says::that("other", "other@c.test"));
        let refused = by_shared(&mut Person::new("other@c.test"), &over).await;
        assert_eq!(refused.status(), 403, "{}", refused.told());
        assert_eq!(roles(&house, "other@c.test").await, None);
    }
}

#[tokio::test]
async fn s1_r22_what_is_over_leads_nowhere_and_says_so() {
    let house = House::opens().await;
    let ann = Api::person(&house, "ann@a.test", "org-a").await;
    let mut links = Vec::new();
    for email in ["revoked@b.test", "expired@b.test", "lost@b.test"] {
        let body = json!({"email": email, "role": "admin", "send": false, "expires_in": 3_600});
        let made = ann.post(PATH, body).await.json();
        links.push((made["link"].as_str().unwrap().to_owned(), made["invitation"]["id"].clone()));
    }
    let path = format!("{PATH}/{}", links[0].1.as_str().unwrap());
    ann.send(Method::DELETE, &path, |request| request).await;
    house.execute("UPDATE invitations SET expires_at = 1 WHERE email = 'expired@b.test'").await;
    let (whole, last) = links[2].0.split_at(links[2].0.len() - 1);
    let altered = format!("{whole}{}", if last == "A" { 'E' } else { 'A' });
    let before = house.before().await;
    for (link, status) in
        [(&links[0].0, 410), (&links[1].0, 410), (&altered, 404), (&format!("{altered}x"), 404)]
    {
        for answer in [Visitor::arrives().get(link).await, Visitor::arrives().post_form(link, &[]).await] {
            assert_eq!(answer.status.as_u16(), status, "{}", answer.body);
            assert!(answer.body.contains("This invitation cannot be used"), "{}", answer.body);
            assert!(answer.headers.get("set-cookie").is_none());
        }
    }
    house.unchanged(&before).await;
    for event in house.events_since(&before).await {
        let token = links[2].0.rsplit('/').next().unwrap();
        assert!(!event.detail.to_string().contains(&token[..40]), "no token in the trail");
    }
    // The inviter may not give it any more.
    let anns = house.user("ann@a.test").await;
    house.has_member("own@c.test", "org-a", &["owner"]).await;
    let operator = Api::operator(&house).await;
    let path = format!("/organizations/org-a/members/{anns}/role?force=true");
    assert_eq!(operator.patch(&path, json!({"role": "member"})).await.status, 200);
    let before = house.before().await;
    let refused = joins(&house, &mut Person::new("lost@b.test"), &links[2].0).await;
    assert_eq!(refused.status(), 403, "{}", refused.told());
    assert!(refused.answer.body.contains("does not count any more"), "{}", refused.told());
    house.refused(&before, "inviter_lost_rights").await;
    // Nor does a deactivated organization take anybody in.
    house.execute("UPDATE organizations SET deactivated_at = 1 WHERE slug = 'org-a'").await;
    assert_eq!(Visitor::arrives().get(&links[2].0).await.status, StatusCode::GONE);
}

#[tokio::test]
async fn c18_what_ends_while_somebody_signs_in_gives_nothing() {
    let house = House::opens().await;
    let link = handed(&house, "bob@b.test").await;
    let mut bob = Person::new("bob@b.test");
    let away = opens(&mut bob, &link).await;
    house.execute("UPDATE invitations SET revoked_at = 1, pending = NULL").await;
    let before = house.before().await;
    let refused = bob.goes_on(&Application::rp1(&house).asks(), away).await;
    assert_eq!(refused.status(), 410, "{}", refused.told());
    house.refused(&before, "invitation_over").await;
}

#[tokio::test]
async fn h24_c24_another_site_begins_nothing_and_no_name_but_ours_is_in_a_link() {
    let mut sink = Sink::opens().await;
    let house = sink.of(Plan::default()).build().await;
    let ann = Api::person(&house, "ann@a.test", "org-a").await;
    for (name, value) in [
        ("x-forwarded-host", "evil.test"),
        ("forwarded", "host=evil.test;proto=http"),
        ("x-forwarded-proto", "http"),
    ] {
        let email = format!("{name}@b.test");
        let body = json!({"email": email, "role": "member"}).to_string();
        let made = ann.send(Method::POST, PATH, |request| {
            request.header("content-type", "application/json").header(name, value).body(body)
        });
        assert_eq!(made.await.status, 201);
    }
    let body = json!({"email": "host@b.test", "role": "member"}).to_string();
    let url = format!("{}/api/v1{PATH}", house.url);
    let other = Visitor::arrives()
        .request(Method::POST, &url, |request| {
            request.header("content-type", "application/json").header("host", "evil.test").body(body)
        })
        .await;
    assert_eq!(other.status, StatusCode::MISDIRECTED_REQUEST);
    assert_eq!(house.posts().await, 3);
    let mails = sink.mails().await;
    assert!(mails.iter().all(|mail| mail.link().starts_with(&format!("{}/invitations/", house.url))));

    let link = mails[0].link();
    let before = house.before().await;
    let posted = Visitor::arrives()
        .request(Method::POST, &link, |request| request.header("sec-fetch-site", "cross-site"))
        .await;
    assert_eq!(posted.status, StatusCode::FORBIDDEN);
    house.refused(&before, "foreign_form").await;
}

#[tokio::test]
async fn s1_r20_who_has_joined_is_led_to_the_application_in_their_language() {
    let start = "[application.rp2]\n";
    let plan =
        Plan::default().with(start, &format!("{start}initiate_login_uri = \"https://rp2.test/start\"\n"));
    let mut sink = Sink::opens().await;
    let house = sink.of(plan).build().await;
    let (issuer, a) = (house.url.clone(), house.organization("org-a").await);
    let leads = |to: &str, email: &str| {
        let pairs = [
            ("iss", issuer.as_str()),
            ("organization", &a),
            ("organization_name", "org-a"),
            ("login_hint", email),
        ];
        behalf::protocol::oauth::params::append(to, pairs)
    };
    for (email, more, to) in [
        (
            "one@b.test",
            json!({"application": "rp1", "redirect_uri": "https://rp1.test/callback"}),
            "https://rp1.test/callback",
        ),
        ("two@b.test", json!({"application": "rp2"}), "https://rp2.test/start"),
    ] {
        let mut body = json!({"email": email, "role": "member", "language": "de"});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let link = mailed(&house, &mut sink, body).await;
        let mut person = Person::new(email);
        let page = person.browser.get(&link).await;
        assert!(
            page.body.contains("A Corporation beitreten") && page.body.contains("lang=\"de\""),
            "{}",
            page.body
        );
        let policy = page.header("content-security-policy").unwrap();
        assert!(policy.contains("form-action 'self'") && policy.contains("default-src 'none'"), "{policy}");
        let answer = person.browser.submit(&page.form()).await;
        let is_there = |next: &url::Url| next.as_str().starts_with(to);
        let arrival = person.walks(&Application::rp1(&house).asks(), answer, is_there).await;
        assert_eq!(arrival.answer.location().unwrap().as_str(), leads(to, email), "{}", arrival.told());
        assert!(roles(&house, email).await.is_some());
    }
    // Where the application begins a login, there is nothing to ask any more.
    let link = mailed(&house, &mut sink, bob_as("member")).await;
    let mut bob = Person::new("bob@b.test");
    joins(&house, &mut bob, &link).await;
    let ask = Application::rp2(&house).asks().with("organization", &a).with("login_hint", "bob@b.test");
    let arrival = bob.follows(&ask).await;
    assert!(arrival.pages.is_empty(), "{}", arrival.told());
    assert_eq!(ask.redeems(&arrival).await.id["org_name"], "org-a");
    // An application that is gone leads nowhere; they are members all the same.
    let body = json!({"email": "three@b.test", "role": "member", "application": "rp2"});
    let link = mailed(&house, &mut sink, body).await;
    house.execute("UPDATE applications SET disabled_at = 1 WHERE client_id = 'rp2'").await;
    let arrival = joins(&house, &mut Person::new("three@b.test"), &link).await;
    assert!(
        arrival.answer.body.contains("Sie sind Mitglied") || arrival.answer.body.contains("You are a member")
    );
}

/// What an application sends along: the secret part of a link.
async fn ticket(house: &House, email: &str) -> String {
    handed(house, email).await.rsplit('/').next().unwrap().to_owned()
}

fn answered(page: &Arrival, answer: &str) -> Form {
    page.form_with("answer").with("answer", answer)
}

#[tokio::test]
async fn c18_whom_an_application_sends_with_an_invitation_is_asked_and_gets_a_code_all_the_same() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let a = house.organization("org-a").await;
        let rp1 = Application::rp1(&house);
        for (email, name, organization) in [
            ("bob@b.test", "invitation", None),
            ("new@b.test", "invitation_token", Some("org-a")),
            ("late@b.test", "invitation", Some(a.as_str())),
        ] {
            let mut ask = rp1.asks().with(name, &ticket(&house, email).await);
            if let Some(organization) = organization {
                ask = ask.with("organization", organization);
            }
            let url = match organization {
                Some("org-a") => ask.only("request_uri", &ask.pushed().await),
                _ => ask.url(),
            };
            let mut person = Person::new(email);
            let before = house.before().await;
            let page = person.opens(&ask, &url).await;
            assert_eq!(page.status(), 200, "{}", page.told());
            for said in ["Join A Corporation", "Go on without joining", "•••@b.test"] {
                assert!(page.answer.body.contains(said), "{said}: {}", page.told());
            }
            assert!(!page.answer.body.contains(email), "whoever has the ticket does not learn the address");
            // What was pushed is used up by whoever comes with its name.
            if organization != Some("org-a") {
                house.unchanged(&before).await;
            }
            assert_eq!(roles(&house, email).await, None, "nobody joins without a click");
            let next = person.browser.submit(&answered(&page, "join")).await;
            let arrival = person.goes_on(&ask, next).await;
            let tokens = ask.redeems(&arrival).await;
            assert_eq!(tokens.id["org_id"], json!(a), "{email}");
            assert_eq!(roles(&house, email).await.as_deref(), Some("[\"admin\"]"));
        }
        assert_eq!(house.events_of("organization.invitation.accepted").await, 3);
    }
}

#[tokio::test]
async fn c18_who_goes_on_without_joining_has_not_joined() {
    let house = House::opens().await;
    let rp1 = Application::rp1(&house);
    let ask = rp1.asks().with("invitation", &ticket(&house, "bob@b.test").await);
    let mut bob = Person::new("bob@b.test");
    let page = bob.follows(&ask).await;
    let next = bob.browser.submit(&answered(&page, "skip")).await;
    let tokens = ask.redeems(&bob.goes_on(&ask, next).await).await;
    assert_eq!(tokens.id["org_name"], "org-b");
    assert_eq!(roles(&house, "bob@b.test").await, None);
    assert_eq!(house.events_of("organization.invitation.accepted").await, 0);
    // It waits for him as before.
    let page = bob.follows(&ask).await;
    let next = bob.browser.submit(&answered(&page, "join")).await;
    let tokens = ask.redeems(&bob.goes_on(&ask, next).await).await;
    assert_eq!(tokens.id["org_name"], "org-a", "who is signed in already is asked, and nobody else asks him");
    // Used up, it keeps nobody from the application.
    let page = bob.follows(&ask).await;
    assert_eq!(page.status(), 410, "{}", page.told());
    assert!(page.answer.body.contains("This invitation cannot be used"), "{}", page.told());
    assert!(!page.answer.body.contains("Sign in and join"), "{}", page.told());
    let next = bob.browser.submit(&answered(&page, "skip")).await;
    ask.redeems(&bob.goes_on(&ask, next).await).await;
    let unknown = rp1.asks().with("invitation", "nothing");
    assert_eq!(bob.follows(&unknown).await.status(), 410);
}

#[tokio::test]
async fn c18_h24_an_applications_invitation_joins_nobody_else_and_nobody_unasked() {
    let house = House::opens().await;
    let rp1 = Application::rp1(&house);
    let asks = |token: &str| rp1.asks().with("invitation", token);
    let token = ticket(&house, "bob@b.test").await;
    let ask = asks(&token);
    // Without a page there is nobody to say so.
    let mut bob = Person::new("bob@b.test");
    bob.follows(&rp1.asks()).await;
    let before = house.before().await;
    let (error, why) = bob.follows(&asks(&token).with("prompt", "none")).await.error();
    assert_eq!((error.as_str(), why.as_str()), ("interaction_required", "invitation_unanswered"));
    house.refused(&before, "interaction_required").await;
    // Another organization than the invitation's.
    let other = asks(&token).with("organization", "org-b");
    let page = bob.follows(&other).await;
    let before = house.before().await;
    let next = bob.browser.submit(&answered(&page, "join")).await;
    assert_eq!(bob.goes_on(&other, next).await.error().0, "invalid_request");
    house.refused(&before, "invalid_request").await;
    // A form of another site's, and one that says nothing.
    let page = bob.follows(&ask).await;
    let before = house.before().await;
    let forged = bob.browser.submit(&answered(&page, "join").with("csrf", "x")).await;
    assert_eq!(forged.status, StatusCode::FORBIDDEN, "{}", forged.body);
    house.refused(&before, "foreign_form").await;
    let before = house.before().await;
    let nothing = bob.browser.submit(&answered(&page, "perhaps")).await;
    assert_eq!(nothing.status, StatusCode::BAD_REQUEST, "{}", nothing.body);
    house.refused(&before, "bad_request").await;
    // Somebody else proves who they are.
    let mut eve = Person::new("eve@b.test");
    let page = eve.follows(&ask).await;
    house.idp_b.says(lying_idp::Says::that("eve", "eve@b.test"));
    let before = house.before().await;
    let next = eve.browser.submit(&answered(&page, "join")).await;
    let refused = eve.goes_on(&ask, next).await;
    assert_eq!(refused.status(), 403, "{}", refused.told());
    assert!(refused.answer.body.contains("for another email address"), "{}", refused.told());
    house.refused(&before, "wrong_account").await;
    // She may go on as who she is.
    let restart = refused.form_with("another_account");
    let next = eve.browser.submit(&restart.with("another_account", "yes")).await;
    let page = eve.goes_on(&ask, next).await;
    assert!(page.answer.body.contains("Go on without joining"), "{}", page.told());
    let next = eve.browser.submit(&answered(&page, "skip")).await;
    ask.redeems(&eve.goes_on(&ask, next).await).await;
    assert_eq!(roles(&house, "eve@b.test").await, None);
    assert_eq!(house.events_of("organization.invitation.accepted").await, 0);
}

#[tokio::test]
async fn the_pages_of_an_invitation_are_clean_for_screen_readers_in_both_languages_and_schemes() {
    let house = House::opens().await;
    let link = handed(&house, "new@b.test").await;
    for (language, dark, phone) in
        [("en", false, false), ("de", true, true), ("en", true, false), ("de", false, true)]
    {
        let mut browser = Browser::default().speaking(language);
        if dark {
            browser = browser.dark();
        }
        if phone {
            browser = browser.phone();
        }
        let person = browser.open().await;
        let clean = async |page: &str| {
            let found = person.axe().await;
            assert!(found.is_empty(), "{page} in {language}, dark: {dark}, phone: {phone}: {found:?}");
            let lang = person.evaluates("return document.documentElement.lang", vec![]).await;
            assert_eq!(lang, language, "{page}");
        };
        person.opens(&link).await;
        person.sees("b.test").await;
        clean("invitation").await;
        let sent = Application::rp1(&house).asks().with("invitation", link.rsplit('/').next().unwrap());
        person.opens(&sent.url()).await;
        person.sees(if language == "en" { "without joining" } else { "Ohne Beitritt" }).await;
        clean("invitation of an application").await;
        person.opens(&format!("{link}x")).await;
        person.sees(if language == "en" { "cannot be used" } else { "kann nicht verwendet werden" }).await;
        clean("over").await;
        person.opens(&format!("{}/invitations/accepted", house.url)).await;
        person.sees(if language == "en" { "You are a member now" } else { "Sie sind jetzt Mitglied" }).await;
        clean("accepted").await;
    }
}
