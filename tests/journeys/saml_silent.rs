//! `prompt=none` where nobody is signed in here: the identity provider may say who is there, and asks nobody.

use behalf::protocol::saml::names::{Binding, status};
use behalf::protocol::saml::response::{Draft, Sign};
use behalf::protocol::saml::status::Status;
use reqwest::Method;

use crate::house::application::{Application, Ask, Person};
use crate::house::broker::{House, Plan};
use crate::house::lying_idp;
use crate::house::lying_saml_idp::{Asked, LyingSamlIdp, Says, new_id, posts};

const SILENT: &str = "silent_sign_in = true\n";

fn silently(house: &House) -> Ask {
    Application::rp1(house).asks().with("prompt", "none").with("login_hint", "bob@b.test")
}

/// A provider that says no, unsigned, as most say it.
fn says_no(idp: &LyingSamlIdp, asked: &Asked, code: Status) -> String {
    says_no_and(false, idp, asked, code)
}

/// The same, signed or not.
fn says_no_and(signed: bool, idp: &LyingSamlIdp, asked: &Asked, code: Status) -> String {
    let id = new_id();
    let draft = Draft {
        id: &id,
        issuer: &idp.entity_id,
        issued: idp.now(),
        destination: &asked.acs,
        in_response_to: Some(&asked.id),
        status: code,
        assertion: None,
    };
    let sign = Sign { key: &idp.signer.key, certificate: None, assertion: false, response: signed };
    draft.write(&sign, None).unwrap()
}

#[tokio::test]
async fn s3_34_whoever_is_signed_in_at_their_provider_is_signed_in_without_any_page() {
    // A form would need a page: silently, the request goes by redirect.
    let house =
        Plan::default().with_saml("cb", &format!("{SILENT}request_binding = \"post\"\n")).build().await;
    for (name, value) in [("login_hint", "bob@b.test"), ("domain_hint", "b.test"), ("connection", "cb")] {
        let ask = Application::rp1(&house).asks().with("prompt", "none").with(name, value);
        let mut bob = Person::new("bob@b.test");
        let asked = bob.leaves_for(&house, "cb", &ask).await;
        let request = asked.request.as_ref().unwrap();
        assert!(request.is_passive && !request.force_authn, "{name}");
        assert_eq!(asked.binding, Binding::Redirect);
        let xml = house.saml("cb").answers(&asked, &Says::that("bob@b.test"));
        let arrival = bob.returns(&ask, &asked, xml).await;
        assert!(arrival.pages.is_empty(), "{name}: {}", arrival.told());
        assert_eq!(ask.redeems(&arrival).await.id["email"], "bob@b.test");
    }
}

#[tokio::test]
async fn s3_34_a_provider_that_would_have_to_ask_is_told_as_login_required() {
    let house = Plan::default().with_saml("cb", SILENT).build().await;
    let ask = silently(&house);
    let mut bob = Person::new("bob@b.test");
    let asked = bob.leaves_for(&house, "cb", &ask).await;
    let before = house.before().await;
    let no = says_no(house.saml("cb"), &asked, Status::new(status::RESPONDER, Some(status::NO_PASSIVE)));
    let arrival = bob.returns(&ask, &asked, no).await;
    assert_eq!(arrival.error().0, "login_required");
    assert_eq!(arrival.told_application("state").as_deref(), ask.value("state"));
    assert!(arrival.pages.is_empty(), "{}", arrival.told());
    house.unchanged(&before).await;
    let mut events = house.events_since(&before).await;
    events.sort_by(|one, other| one.action.cmp(&other.action));
    let told: Vec<_> = events.iter().map(|event| (event.action.as_str(), event.reason.as_deref())).collect();
    let reason = Some("login_required");
    assert_eq!(told, [("login.provider_would_ask", reason), ("login.refused", reason)]);
    assert!(events[0].organization.is_some() && events[0].detail["message"].is_string(), "{events:?}");
    assert!(events[0].detail["found"].as_str().is_some_and(|text| text.contains("NoPassive")), "{events:?}");
}

#[tokio::test]
async fn m09_a_no_that_anybody_can_say_leaves_a_trace_and_ends_nobodys_flow() {
    let house = Plan::default().with_saml("cb", SILENT).build().await;
    let (ask, mut bob) = (silently(&house), Person::new("bob@b.test"));
    let asked = bob.leaves_for(&house, "cb", &ask).await;
    let no = says_no(house.saml("cb"), &asked, Status::new(status::RESPONDER, Some(status::NO_PASSIVE)));
    let mut stranger = Person::new("mallory@b.test");
    let before = house.before().await;
    let posted = posts(&mut stranger.browser, &asked, &no).await;
    assert_eq!(posted.status, 303);
    house.refused(&before, "login_required").await;
    // The stranger gets nowhere with it, and Bob's answer still counts.
    assert_eq!(stranger.browser.follow(&posted).await.status, 403);
    let xml = house.saml("cb").answers(&asked, &Says::that("bob@b.test"));
    let arrival = bob.returns(&ask, &asked, xml).await;
    assert_eq!(ask.redeems(&arrival).await.id["email"], "bob@b.test");
}

#[tokio::test]
async fn s3_34_whatever_is_wrong_with_a_silent_answer_shows_no_page() {
    let house = Plan::default().with_saml("cb", SILENT).build().await;
    let idp = house.saml("cb");
    for what in ["unsigned", "refused there", "somebody else", "proved too long ago", "nothing of SAML"] {
        let ask = silently(&house);
        let ask = if what.contains("long") { ask.with("max_age", "60") } else { ask };
        let mut bob = Person::new("bob@b.test");
        let asked = bob.leaves_for(&house, "cb", &ask).await;
        let says = Says::that("bob@b.test");
        let xml = match what {
            "unsigned" => idp.plain(&asked, &says),
            "refused there" => says_no(idp, &asked, Status::new(status::RESPONDER, None)),
            "somebody else" => idp.answers(&asked, &Says::that("owner@b.test")),
            "proved too long ago" => idp.answers(&asked, &Says { authenticated: 600, ..says }),
            _ => idp.answers(&asked, &says).replacen("Version=\"2.0\"", "Version=\"1.1\"", 1),
        };
        let arrival = bob.returns(&ask, &asked, xml).await;
        assert_eq!(arrival.error().0, "login_required", "{what}");
        assert!(arrival.pages.is_empty(), "{what}: {}", arrival.told());
    }
    assert_eq!(house.count("grants").await, 0);
}

#[tokio::test]
async fn s3_34_who_would_have_to_choose_is_told_so() {
    let house = Plan::default().with_saml("ca", SILENT).build().await;
    let ask = Application::rp1(&house).asks().with("prompt", "none").with("login_hint", "con@a.test");
    let mut con = Person::new("con@a.test");
    let arrival = con.signs_in_by(&house, "ca", &ask, &Says::that("con@a.test")).await;
    assert_eq!(arrival.error(), ("interaction_required".into(), "organization_selection_required".into()));
    assert!(arrival.pages.is_empty());
}

#[tokio::test]
async fn s3_34_nobody_is_asked_silently_unless_the_connection_wants_it_and_it_can_work() {
    let refused = async |plan: Plan, ask: fn(Ask) -> Ask| {
        let house = plan.build().await;
        let before = house.before().await;
        let arrival = Person::new("bob@b.test").follows(&ask(silently(&house))).await;
        assert_eq!(arrival.error().0, "login_required");
        house.refused(&before, "login_required").await;
    };
    let silent = || Plan::default().with_saml("cb", SILENT);
    refused(Plan::saml(), |ask| ask).await;
    refused(Plan::default().with_saml("cb", &format!("{SILENT}force_authn = true\n")), |ask| ask).await;
    refused(silent(), |ask| ask.without("login_hint")).await;
    refused(silent(), |ask| ask.with("login_hint", "nobody@nowhere.test")).await;
    refused(silent(), |ask| ask.with("connection", "gone")).await;
    refused(silent(), |ask| ask.with("max_age", "0")).await;
    // Within a frame no cookie of ours would come back.
    let house = silent().build().await;
    let ask = silently(&house);
    let mut bob = Person::new("bob@b.test");
    let framed = |request: reqwest::RequestBuilder| request.header("sec-fetch-dest", "iframe");
    let answer = bob.browser.request(Method::GET, &ask.url(), framed).await;
    assert_eq!(bob.goes_on(&ask, answer).await.error().0, "login_required");
}

#[tokio::test]
async fn s3_34_by_openid_connect_the_wish_is_passed_on_as_it_is() {
    let house =
        Plan::default().with("client_id = \"behalf\"\n", &format!("client_id = \"behalf\"\n{SILENT}"));
    let house = house.build().await;
    let ask = || Application::rp1(&house).asks().with("prompt", "none").with("login_hint", "ann@a.test");
    let (first, mut ann) = (ask(), Person::new("ann@a.test"));
    let arrival = ann.follows(&first).await;
    assert!(arrival.pages.is_empty(), "{}", arrival.told());
    assert_eq!(house.idp_a.was_asked("prompt").as_deref(), Some("none"));
    assert_eq!(first.redeems(&arrival).await.id["email"], "ann@a.test");
    for error in ["login_required", "interaction_required", "account_selection_required", "consent_required"]
    {
        let says = lying_idp::Says::truth().response("code", None).response("error", Some(error));
        house.idp_a.says(says);
        let before = house.before().await;
        let arrival = Person::new("ann@a.test").follows(&ask()).await;
        assert_eq!(arrival.error().0, "login_required", "{error}");
        house.refused(&before, "login_required").await;
    }
    // A failure of ours is the application's to show, too.
    house.idp_a.says(lying_idp::Says::truth());
    house.execute("ALTER TABLE users RENAME TO gone").await;
    let arrival = Person::new("ann@a.test").follows(&ask()).await;
    assert_eq!(arrival.error().0, "server_error");
}

#[tokio::test]
async fn s3_34_h12_a_refused_answer_shows_a_way_on_and_a_no_that_is_signed_reads_as_one() {
    let house = Plan::saml().build().await;
    let ask = Application::rp1(&house).asks();
    for (signed, language, title, again) in [
        (true, "en", "Your company did not let you in", "Try again"),
        (true, "de", "Ihr Unternehmen hat Sie nicht", "Noch einmal versuchen"),
        // Anybody can say it who has seen the request: it is no more to be trusted than any other forgery.
        (false, "en", "We could not trust the answer", "Try again"),
        (false, "de", "Wir konnten der Antwort nicht", "Noch einmal versuchen"),
    ] {
        let mut bob = Person::new("bob@b.test");
        let asked = bob.leaves_for(&house, "cb", &ask).await;
        let failed = Status::new(status::RESPONDER, Some(status::AUTHN_FAILED));
        let no = says_no_and(signed, house.saml("cb"), &asked, failed);
        let before = house.before().await;
        let message = data_encoding::BASE64.encode(no.as_bytes());
        let state = asked.relay_state.clone().unwrap();
        let fields = [("SAMLResponse", message.as_str()), ("RelayState", state.as_str())];
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let page = bob.browser.request(Method::POST, &asked.acs, |request| {
            let request = request.header("content-type", "application/x-www-form-urlencoded");
            request.header("accept-language", language).body(body)
        });
        let page = page.await;
        assert_eq!(page.status, 403);
        assert!(page.body.contains(title) && page.body.contains(again), "{}", page.body);
        house.refused(&before, if signed { "status" } else { "status_unsigned" }).await;
        let detail = house.events_since(&before).await.remove(0).detail;
        assert_eq!(
            detail["found"],
            serde_json::json!("Responder/AuthnFailed"),
            "its administrator is told all"
        );
        let (flow, _) = state.split_once('.').unwrap();
        assert!(
            page.body.replace("&#x2f;", "/").contains(&format!("href=\"/login/{flow}\"")),
            "{}",
            page.body
        );
        // There, the browser that began may begin again, or go back to the application.
        let on = bob.browser.get(&format!("{}/login/{flow}", house.url)).await;
        assert_eq!((on.status.as_u16(), on.forms().is_empty()), (200, false));
        assert!(on.body.contains("First App"));
        assert!(on.forms().iter().any(|form| form.value("email").is_some()), "{}", on.body);
        // Another browser is told nothing by the link.
        let other = Person::new("x@b.test").browser.get(&format!("{}/login/{flow}", house.url)).await;
        assert_eq!(other.status, 403);
    }
    // Whatever the message says, it is a link to us.
    for state in ["https://evil.test/.x", "//evil.test.x", "x", "../../.x"] {
        let asked = house.saml("cb").unasked(&house, "cb").await;
        let asked = Asked { relay_state: Some(state.to_owned()), ..asked };
        let page = posts(&mut Person::new("x@b.test").browser, &asked, "<a/>").await;
        assert!(!page.body.contains("evil") && !page.body.contains("href=\"/login"), "{}", page.body);
    }
}

#[tokio::test]
async fn s3_34_silently_nobody_is_signed_in_or_out_but_who_was_meant() {
    let house = Plan::default().with_saml("cb", SILENT).build().await;
    let (ask, mut bob) = (Application::rp1(&house).asks(), Person::new("bob@b.test"));
    let arrival = bob.signs_in_by(&house, "cb", &ask, &Says::that("bob@b.test")).await;
    ask.redeems(&arrival).await;
    let states = async || {
        let sessions =
            "SELECT group_concat(id || ' ' || authenticated_at || coalesce(ended_at, '')) FROM sessions";
        let grants = "SELECT group_concat(id || coalesce(revoked_at, '')) FROM grants";
        (house.text(sessions).await, house.text(grants).await, house.count("users").await)
    };
    let known = states().await;
    house.turn_clock(2);
    // Whom the application means is at the provider, but somebody else is signed in here; or the other way round.
    for said in ["owner@b.test", "bob@b.test", "another@b.test"] {
        let ask = silently(&house).with("login_hint", "owner@b.test");
        let asked = bob.leaves_for(&house, "cb", &ask).await;
        let before = house.before().await;
        let xml = house.saml("cb").answers(&asked, &Says::that(said));
        let arrival = bob.returns(&ask, &asked, xml).await;
        assert_eq!(arrival.error().0, "login_required", "{said}: {}", arrival.told());
        house.refused(&before, "login_required").await;
        assert_eq!(states().await, known, "{said}");
    }
    // Nobody is signed in here, and somebody else than was meant is at the provider.
    let (ask, mut nobody) = (silently(&house), Person::new("bob@b.test"));
    let asked = nobody.leaves_for(&house, "cb", &ask).await;
    let before = house.before().await;
    let xml = house.saml("cb").answers(&asked, &Says::that("another@b.test"));
    assert_eq!(nobody.returns(&ask, &asked, xml).await.error().0, "login_required");
    house.refused(&before, "login_required").await;
    assert_eq!(states().await, known);
    // Bob's session goes on.
    let ask = silently(&house);
    let arrival = bob.follows(&ask).await;
    ask.redeems(&arrival).await;
}

#[tokio::test]
async fn s3_34_silently_an_application_does_not_learn_what_our_page_would_say_to_the_person() {
    let house = Plan::default().with_saml("cb", SILENT).build().await;
    let first = Application::rp1(&house).asks();
    Person::new("bob@b.test").signs_in_by(&house, "cb", &first, &Says::that("bob@b.test")).await.code();
    let named = |name: &str, says: Says| Says {
        name_id: behalf::protocol::saml::assertion::NameId { value: name.to_owned(), ..says.name_id },
        ..says
    };
    let bob = || Says::that("bob@b.test");
    for (reason, says) in [
        ("email_in_use_by_other_identity", named("another", bob())),
        ("email_domain_not_allowed", Says::that("bob@a.test")),
        ("user_disabled", bob()),
    ] {
        if reason == "user_disabled" {
            house.execute("UPDATE users SET disabled_at = 1").await;
        }
        let (ask, mut person) = (silently(&house), Person::new("bob@b.test"));
        let asked = person.leaves_for(&house, "cb", &ask).await;
        let before = house.before().await;
        let arrival = person.returns(&ask, &asked, house.saml("cb").answers(&asked, &says)).await;
        let told = ("interaction_required".to_owned(), "sign_in_page_required".to_owned());
        assert_eq!(arrival.error(), told, "{reason}: {}", arrival.told());
        house.refused(&before, reason).await;
    }
}
