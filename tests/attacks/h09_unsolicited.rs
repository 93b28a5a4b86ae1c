//! H09: answers to nothing, or to what somebody else asked.

use behalf::protocol::saml::names::name_id;

use crate::house::application::{Application, Ask, Person};
use crate::house::broker::{Engine, House, Plan};
use crate::house::forgery::{BOB, Forgery, Scene};
use crate::house::lying_saml_idp::{Asked, Says, posts, posts_to};
use crate::house::surgery::{attr, swap_all, within};
use crate::house::visitor::{Answer, Visitor};

pub fn files(scene: &Scene) -> Vec<Forgery> {
    let id = scene.asked.id.clone();
    let data = |xml: &str, new: Option<&str>| {
        within(xml, "SubjectConfirmationData", |data| attr(data, "InResponseTo", new))
    };
    let root = |xml: &str, new: Option<&str>| attr(xml, "InResponseTo", new);
    let both = |new: Option<&str>| scene.signed_after(|xml| root(&data(&xml, new), new));
    let all = |new: &str| scene.signed_after(|xml| swap_all(&xml, &id, new));
    let flow = id.split('.').next().unwrap().to_owned();
    vec![
        ("in_response_to", "answers nothing", both(None)),
        ("in_response_to", "answers what was never asked", all("_00000000000000000000000000000000")),
        ("in_response_to", "answers a flow of its own making", all("_flow_00000000000000000000000000.0")),
        (
            "in_response_to",
            "answers our flow, and not our question",
            all(&format!("{flow}.00000000000000000000000000000000")),
        ),
        ("in_response_to", "answers our flow alone", all(&flow)),
        ("in_response_to", "answers in capitals", all(&id.to_uppercase())),
        ("in_response_to", "answers with a blank", all(&format!("{id} "))),
        ("in_response_to", "answers emptily", all("")),
        (
            "confirmation_in_response_to",
            "the bearer answers nothing",
            scene.signed_after(|xml| data(&xml, None)),
        ),
        (
            "confirmation_in_response_to",
            "the bearer answers something else",
            scene.signed_after(|xml| data(&xml, Some("_other"))),
        ),
        (
            "confirmation_in_response_to",
            "only the bearer answers",
            scene.signed_after(|xml| root(&xml, None)),
        ),
        (
            "confirmation_in_response_to",
            "the response alone answers something else",
            scene.signed_after(|xml| root(&xml, Some("_other"))),
        ),
    ]
    .into_iter()
    .map(|(reason, name, xml)| Forgery::new(name, xml, reason).fooling(BOB))
    .collect()
}

#[tokio::test]
async fn h09_an_answer_that_nobody_asked_for_signs_nobody_in() {
    let mut scene = Scene::opens().await;
    scene.refuses(files(&scene)).await;
    // Nor one with a RelayState that is not ours, or of another outing.
    let honest = scene.honest();
    let state = scene.asked.relay_state.clone().unwrap();
    let (flow, _) = state.split_once('.').unwrap();
    for other in ["x", "https://evil.test/", flow, &state.to_uppercase(), &format!("{state}x")] {
        let before = scene.house.before().await;
        let answer = posts_to(&mut scene.bob.browser, &scene.asked.acs, Some(other), &honest).await;
        assert_eq!(answer.status, 403, "{other}");
        scene.house.refused(&before, "relay_state").await;
    }
    scene.ends_well().await;
}

#[tokio::test]
async fn h09_an_attackers_own_good_answer_leaves_the_victims_browser_anonymous() {
    let house = Plan::saml().build().await;
    let rp1 = Application::rp1(&house);
    let (ask, mut attacker) = (rp1.asks(), Person::new("bob@b.test"));
    let asked = attacker.leaves_for(&house, "cb", &ask).await;
    let xml = house.saml("cb").answers(&asked, &Says::that("bob@b.test"));
    // A page of the attacker's posts it by the victim's browser, which has a flow of its own open.
    let mut victim = Person::new("owner@b.test");
    let own = rp1.asks();
    let theirs = victim.leaves_for(&house, "cb", &own).await;
    let before = house.before().await;
    let answer = posts(&mut victim.browser, &asked, &xml).await;
    let taken = victim.browser.follow(&answer).await;
    assert_eq!((answer.status.as_u16(), taken.status.as_u16()), (303, 403), "{}", taken.body);
    house.refused(&before, "flow_expired").await;
    // Nor does the attacker have it now: the ticket went to the browser that brought the answer.
    let mut without = answer.location().unwrap();
    without.set_query(None);
    let before = house.before().await;
    let polled = attacker.browser.get(without.as_str()).await;
    assert_eq!(polled.status, 403, "{}", polled.body);
    house.refused(&before, "flow_expired").await;
    // And the victim's own flow was not disturbed.
    let xml = house.saml("cb").answers(&theirs, &Says::that("owner@b.test"));
    let arrival = victim.returns(&own, &theirs, xml).await;
    assert_eq!(own.redeems(&arrival).await.id["email"], "owner@b.test");
}

#[tokio::test]
async fn h09_whoever_begins_a_flow_does_not_get_the_answer_that_another_browser_brings() {
    let house = Plan::saml().build().await;
    let rp1 = Application::rp1(&house);
    let (ask, mut attacker) = (rp1.asks(), Person::new("bob@b.test"));
    let asked = attacker.leaves_for(&house, "cb", &ask).await;
    // The victim, who is signed in there, was led to the attacker's way: the answer is genuine and theirs.
    let xml = house.saml("cb").answers(&asked, &Says::that("owner@b.test"));
    let mut victim = Person::new("owner@b.test");
    let answer = posts(&mut victim.browser, &asked, &xml).await;
    assert_eq!(answer.status, 303, "{}", answer.body);
    let mut led = answer.location().unwrap();
    // The attacker holds the flow's cookie and no ticket, or a guessed one.
    for guess in [None, Some("ticket=".to_owned()), Some(format!("ticket={}", "A".repeat(43)))] {
        led.set_query(guess.as_deref());
        let polled = attacker.browser.get(led.as_str()).await;
        assert_eq!(polled.status, 403, "{guess:?}: {}", polled.body);
    }
    // The victim's browser holds the ticket and no cookie.
    assert_eq!(victim.browser.follow(&answer).await.status, 403);
    for nothing in ["sessions", "users", "identities", "grants"] {
        assert_eq!(house.count(nothing).await, 0, "{nothing}");
    }
}

/// A house whose connection takes answers that nobody had asked for.
async fn accepting() -> House {
    initiated("accept", "").await
}

async fn accepting_on(engine: Engine) -> House {
    initiated_on(engine, "accept", "").await
}

/// The same, which does with them what is said here, with further keys.
async fn initiated(mode: &str, more: &str) -> House {
    initiated_on(Engine::Sqlite, mode, more).await
}

async fn initiated_on(engine: Engine, mode: &str, more: &str) -> House {
    let keys = format!("idp_initiated = \"{mode}\"\ndefault_application = \"rp1\"\n{more}");
    let mut plan = Plan::on(engine).with_saml("cb", &keys);
    let uris = "redirect_uris = [\"https://rp1.test/callback\"]\n";
    assert!(plan.file.contains(uris));
    plan.file = plan.file.replace(uris, &format!("{uris}initiate_login_uri = \"https://rp1.test/login\"\n"));
    plan.build().await
}

#[tokio::test]
async fn h09_the_ticket_of_an_answer_that_was_asked_for_opens_no_door_without_the_flows_cookie() {
    let house = accepting().await;
    // Mallory signs in as herself, and posts her answer by hand: her ticket is good, for her flow.
    let (ask, mut mallory) = (Application::rp1(&house).asks(), Person::new("bob@b.test"));
    let asked = mallory.leaves_for(&house, "cb", &ask).await;
    let xml = house.saml("cb").answers(&asked, &Says::that("bob@b.test"));
    let posted = posts(&mut mallory.browser, &asked, &xml).await;
    let ticket = posted.location().unwrap().query().unwrap().to_owned();
    // The victim is led to the door for answers that nobody had asked for.
    let door = format!("{}?{ticket}", asked.acs.replace("/acs", "/accepted"));
    let mut victim = Person::new("owner@b.test");
    let before = house.before().await;
    let led = victim.browser.get(&door).await;
    assert_eq!(led.status, 403, "{}", led.body);
    house.refused(&before, "flow_expired").await;
    // It is gone now, for her as well.
    let before = house.before().await;
    assert_eq!(mallory.browser.follow(&posted).await.status, 403);
    house.refused(&before, "flow_expired").await;
}

/// What the provider says to somebody who had asked nothing.
fn unsolicited(house: &House, unasked: &Asked, says: &Says) -> String {
    house.saml("cb").answers_after(unasked, says, |plain| {
        let data = |data: &str| attr(data, "InResponseTo", None);
        attr(&within(&plain, "SubjectConfirmationData", data), "InResponseTo", None)
    })
}

#[tokio::test]
async fn h09_h11_where_a_sign_in_must_be_a_new_one_an_old_one_that_nobody_asked_for_is_none() {
    let old = Says { authenticated: 90 * 86_400, ..Says::that("bob@b.test") };
    let later = Says { authenticated: 301 + 61, ..Says::that("bob@b.test") };
    let house = initiated("accept", "force_authn = true\n").await;
    let unasked = house.saml("cb").unasked(&house, "cb").await;
    for says in [&old, &later] {
        let before = house.before().await;
        let mut bob = Person::new("bob@b.test");
        let answer = posts(&mut bob.browser, &unasked, unsolicited(&house, &unasked, says)).await;
        assert_eq!(answer.status, 403, "{}", answer.body);
        house.refused(&before, "authentication_too_old").await;
        let told = house.events_since(&before).await.remove(0).detail;
        assert!(told["expected"].as_str().is_some_and(|text| text.contains("force_authn")), "{told}");
    }
    let signs_in = async |house: &House, says: &Says| {
        let unasked = house.saml("cb").unasked(house, "cb").await;
        let mut bob = Person::new("bob@b.test");
        let answer = posts(&mut bob.browser, &unasked, unsolicited(house, &unasked, says)).await;
        assert_eq!(answer.status, 303, "{}", answer.body);
        answer.location().unwrap().path().ends_with("/accepted")
            && bob.browser.follow(&answer).await.status == 303
    };
    assert!(signs_in(&house, &Says { authenticated: 200, ..Says::that("bob@b.test") }).await);
    assert_eq!(house.count("sessions").await, 1);
    // Where it need not be new, it need not; and where it only leads here, the provider is asked anew.
    assert!(signs_in(&accepting().await, &old).await);
    let house = initiated("round_trip", "force_authn = true\n").await;
    assert!(!signs_in(&house, &old).await);
    assert_eq!(house.count("sessions").await, 0);
}

#[tokio::test]
async fn h08_h09_an_answer_that_nobody_asked_for_is_used_up_when_it_comes() {
    let mut house = accepting().await;
    let unasked = house.saml("cb").unasked(&house, "cb").await;
    // Of another organization's domain: refused, and nothing else is left of it.
    let foreign = unsolicited(&house, &unasked, &Says::that("ceo@a.test"));
    let mut mallory = Person::new("bob@b.test");
    let posted = posts(&mut mallory.browser, &unasked, &foreign).await;
    let before = house.before().await;
    assert_eq!(mallory.browser.follow(&posted).await.status, 403);
    house.refused(&before, "email_domain_not_allowed").await;
    // Nor does it keep a second proof.
    let before = house.before().await;
    assert_eq!(posts(&mut mallory.browser, &unasked, &foreign).await.status, 403);
    house.refused(&before, "replayed").await;
    // Bob's is good once: even where all that is short-lived was lost.
    let xml = unsolicited(&house, &unasked, &Says::that("bob@b.test"));
    let mut bob = Person::new("bob@b.test");
    let posted = posts(&mut bob.browser, &unasked, &xml).await;
    assert_eq!(bob.browser.follow(&posted).await.status, 303);
    assert_eq!(house.count("used").await, 2);
    let before = house.before().await;
    assert_eq!(posts(&mut bob.browser, &unasked, &xml).await.status, 403);
    house.refused(&before, "replayed").await;
    house.restart().await;
    let mut other = Person::new("bob@b.test");
    let before = house.before().await;
    assert_eq!(posts(&mut other.browser, &unasked, &xml).await.status, 403);
    house.refused(&before, "replayed").await;
    assert_eq!(house.count("sessions").await, 1);
}

#[tokio::test]
async fn h08_h09_an_answer_that_signs_nobody_in_is_used_up_all_the_same() {
    let mut house = accepting().await;
    let unasked = house.saml("cb").unasked(&house, "cb").await;
    let mut bob = Person::new("bob@b.test");
    let first = unsolicited(&house, &unasked, &Says::that("bob@b.test"));
    let posted = posts(&mut bob.browser, &unasked, &first).await;
    assert_eq!(bob.browser.follow(&posted).await.status, 303);
    let later = unsolicited(&house, &unasked, &Says::that("bob@b.test"));
    let posted = posts(&mut bob.browser, &unasked, &later).await;
    assert_eq!(bob.browser.follow(&posted).await.status, 303, "who is signed in stays signed in");
    // Nobody takes this one up.
    let left = unsolicited(&house, &unasked, &Says::that("bob@b.test"));
    assert_eq!(posts(&mut bob.browser, &unasked, &left).await.status, 303);
    assert_eq!((house.count("sessions").await, house.count("used").await), (1, 3));
    house.restart().await;
    for xml in [&first, &later, &left] {
        let mut thief = Person::new("bob@b.test");
        let before = house.before().await;
        assert_eq!(posts(&mut thief.browser, &unasked, xml).await.status, 403);
        house.refused(&before, "replayed").await;
    }
    assert_eq!(house.count("sessions").await, 1);
}

/// A house of which organization b has two providers: a round trip is asked of the one that began it.
async fn of_two_providers() -> House {
    let keys = "idp_initiated = \"round_trip\"\ndefault_application = \"rp1\"\n";
    let mut plan = Plan::default().with_saml("cb", keys);
    let uris = "redirect_uris = [\"https://rp1.test/callback\"]\n";
    plan.file = plan.file.replace(uris, &format!("{uris}initiate_login_uri = \"https://rp1.test/login\"\n"));
    plan.file = plan.file.replace("connections = [\"cb\"]", "connections = [\"cb\", \"other\"]");
    let other = "\n[connection.other]\norganization = \"org-b\"\ntype = \"oidc\"\ndisplay_name = \"Other Login\"\n\
                 state = \"active\"\nissuer = \"{idp_b}\"\nclient_id = \"behalf\"\n\
                 client_secret = { env = \"CB_SECRET\" }\njit = \"create_and_join\"\n";
    plan.and(other).build().await
}

#[tokio::test]
async fn h09_a_round_trip_goes_to_the_provider_that_began_it_and_for_the_application_that_is_registered() {
    let house = of_two_providers().await;
    let sso = house.saml("cb").sso.clone();
    let unasked = house.saml("cb").unasked(&house, "cb").await;
    let xml = unsolicited(&house, &unasked, &Says::that("bob@b.test"));
    let rp1 = Application::rp1(&house);
    let rp2 = Application::new(&house, "rp2", crate::house::application::Proof::Nothing);
    let other = house.connection("other").await;
    let to = async |asks: Ask, is_led: bool| {
        let mut bob = Person::new("bob@b.test");
        if is_led {
            let answer = posts(&mut bob.browser, &unasked, &xml).await;
            let location = answer.location().unwrap();
            assert!(location.as_str().starts_with("https://rp1.test/login?iss="), "{location}");
        }
        let answer = bob.browser.get(&asks.url()).await;
        let led = answer.location().map(|to| to.to_string());
        // It leads once: afterwards the address leads where it always does, which is to be chosen.
        let again = bob.browser.get(&rp1.asks().with("login_hint", "bob@b.test").url()).await;
        (led, again)
    };
    let hinted = || rp1.asks().with("login_hint", "bob@b.test");
    for ask in [hinted(), rp1.asks(), rp1.asks().with("login_hint", "BOB@B.TEST")] {
        let (led, again) = to(ask, true).await;
        assert!(led.as_deref().is_some_and(|to| to.starts_with(&sso)), "{led:?}");
        assert!(again.location().is_none() && again.body.contains("Other Login"), "{}", again.body);
    }
    // Whoever was not led is asked, and so is whoever comes for another application.
    assert_eq!(to(hinted(), false).await.0, None);
    assert_eq!(to(rp1.asks(), false).await.0, None);
    assert_eq!(to(rp2.asks().with("login_hint", "bob@b.test"), true).await.0, None);
    // What the application says itself is done, and nothing else.
    let (led, _) = to(hinted().with("connection", &other), true).await;
    assert!(led.is_some_and(|to| to.starts_with(&house.idp_b.issuer)));
    let (led, _) = to(rp1.asks().with("login_hint", "ann@a.test"), true).await;
    assert!(led.is_some_and(|to| to.starts_with(&house.idp_a.issuer)));

    // A login that was under way is led nowhere else.
    let mut open = Person::new("bob@b.test");
    let page = open.browser.get(&rp1.asks().url()).await;
    let flow = page.forms()[0].action.as_str().trim_end_matches("/identify").to_owned();
    house.turn_clock(1);
    assert_eq!(posts(&mut open.browser, &unasked, &xml).await.status, 303);
    let still = open.browser.get(&flow).await;
    assert_eq!((still.status.as_u16(), still.location()), (200, None), "{}", still.body);

    // Who comes back is who is there: it is a login like any other, by this connection.
    let (ask, mut bob) = (hinted(), Person::new("bob@b.test"));
    posts(&mut bob.browser, &unasked, &xml).await;
    let asked = bob.leaves_for(&house, "cb", &ask).await;
    let answer = house.saml("cb").answers(&asked, &Says::that("owner@b.test"));
    let arrival = bob.returns(&ask, &asked, answer).await;
    assert_eq!(ask.redeems(&arrival).await.id["email"], "owner@b.test");

    // Where it is not open any more nobody is sent elsewhere in its name.
    let mut late = Person::new("bob@b.test");
    posts(&mut late.browser, &unasked, &xml).await;
    house.execute("UPDATE connections SET state = 'disabled' WHERE slug = 'cb'").await;
    let before = house.before().await;
    let page = late.browser.get(&hinted().url()).await;
    assert_eq!((page.status.as_u16(), page.location()), (403, None), "{}", page.body);
    house.refused(&before, "connection_changed").await;
}

#[tokio::test]
async fn c01_h09_a_round_trip_tells_the_application_no_address_of_a_foreign_domain() {
    let house = initiated("round_trip", "").await;
    let unasked = house.saml("cb").unasked(&house, "cb").await;
    for says in [
        Says::that("ceo@a.test"),
        Says::that("ceo@evil.test"),
        Says::that("bob@b.test").named("ceo@a.test", name_id::EMAIL_ADDRESS),
        Says::that("bob@b.test").without("mail"),
    ] {
        let xml = unsolicited(&house, &unasked, &says);
        let before = house.before().await;
        let answer = posts(&mut Person::new("bob@b.test").browser, &unasked, &xml).await;
        assert_eq!((answer.status.as_u16(), answer.location()), (403, None), "{}", answer.body);
        assert_eq!(answer.header("set-cookie"), None);
        house.refused(&before, "email_domain_not_allowed").await;
    }
    let xml = unsolicited(&house, &unasked, &Says::that("bob@b.test"));
    let led = posts(&mut Person::new("bob@b.test").browser, &unasked, &xml).await;
    assert!(led.location().is_some_and(|to| to.as_str().contains("login_hint=bob")), "{}", led.body);
}

/// Brings a form or follows an address of the house at this node.
async fn brings(house: &House, node: &str, url: &str, form: Option<&[(&str, &str)]>) -> Answer {
    let own: url::Url = house.url.parse().unwrap();
    let there = format!("{node}{}", url.strip_prefix(&house.url).unwrap());
    let method = if form.is_some() { reqwest::Method::POST } else { reqwest::Method::GET };
    let pairs = form.unwrap_or_default();
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    let mut visitor = Visitor::arrives();
    visitor
        .request(method, &there, |request| {
            let request = request.header("host", own.authority().to_owned());
            request.header("content-type", "application/x-www-form-urlencoded").body(body)
        })
        .await
}

/// Posts an answer at a node, and takes up there what it brought.
async fn is_taken(house: &House, node: &str, unasked: &Asked, xml: &str) -> bool {
    let message = data_encoding::BASE64.encode(xml.as_bytes());
    let posted = brings(house, node, &unasked.acs, Some(&[("SAMLResponse", &message)])).await;
    let Some(accepted) = posted.header("location").map(str::to_owned) else { return false };
    let accepted = accepted.strip_prefix(&house.url).unwrap_or(&accepted);
    let taken = brings(house, node, &format!("{}{accepted}", house.url), None).await;
    taken.status == 303
}

#[tokio::test]
async fn h08_h09_an_accepted_answer_is_used_up_at_every_node_and_after_every_restart() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let mut house = accepting_on(engine).await;
        let unasked = house.saml("cb").unasked(&house, "cb").await;
        let xml = unsolicited(&house, &unasked, &Says::that("bob@b.test"));
        let url = house.url.clone();
        assert!(is_taken(&house, &url, &unasked, &xml).await, "{engine:?}: the first time");
        let other = match engine {
            Engine::Postgres => Some(house.second_node().await),
            // One file has one server.
            Engine::Sqlite => None,
        };
        for node in [Some(url.clone()), other.as_ref().map(|node| format!("http://{}", node.address))]
            .into_iter()
            .flatten()
        {
            let before = house.before().await;
            assert!(!is_taken(&house, &node, &unasked, &xml).await, "{engine:?}: again at {node}");
            house.refused(&before, "replayed").await;
        }
        drop(other);
        house.restart().await;
        let before = house.before().await;
        assert!(!is_taken(&house, &url, &unasked, &xml).await, "{engine:?}: after a restart");
        house.refused(&before, "replayed").await;
        assert_eq!((house.count("sessions").await, house.count("used").await), (1, 1), "{engine:?}");
    }
}

#[tokio::test]
async fn h08_h09_of_an_answer_that_comes_to_two_nodes_at_once_one_is_accepted() {
    let house = accepting_on(Engine::Postgres).await;
    let other = house.second_node().await;
    let unasked = house.saml("cb").unasked(&house, "cb").await;
    let xml = unsolicited(&house, &unasked, &Says::that("bob@b.test"));
    let nodes = [house.url.clone(), format!("http://{}", other.address)];
    let tries = (0..10).map(|number| is_taken(&house, &nodes[number % 2], &unasked, &xml));
    let taken = futures_util::future::join_all(tries).await;
    assert_eq!(taken.iter().filter(|taken| **taken).count(), 1, "{taken:?}");
    assert_eq!(house.count("sessions").await, 1);
}

#[tokio::test]
async fn h09_the_ticket_of_an_answer_that_nobody_asked_for_ends_no_flow() {
    let house = accepting().await;
    let idp = house.saml("cb");
    let unasked = idp.unasked(&house, "cb").await;
    let xml = unsolicited(&house, &unasked, &Says::that("owner@b.test"));
    let mut mallory = Person::new("bob@b.test");
    let posted = posts(&mut mallory.browser, &unasked, &xml).await;
    let accepted = posted.location().unwrap();
    assert!(accepted.path().ends_with("/accepted"), "{accepted}");

    // Neither a flow that waits for its answer, nor one whose answer was brought.
    let (ask, mut bob) = (Application::rp1(&house).asks(), Person::new("bob@b.test"));
    let asked = bob.leaves_for(&house, "cb", &ask).await;
    let flow = asked.id.trim_start_matches('_').split('.').next().unwrap();
    let door = format!("{}/login/{flow}/returned?{}", house.url, accepted.query().unwrap());
    let before = house.before().await;
    assert_eq!(bob.browser.get(&door).await.status, 403);
    house.refused(&before, "flow_expired").await;
    let own = posts(&mut bob.browser, &asked, &idp.answers(&asked, &Says::that("bob@b.test"))).await;
    assert_eq!(own.location().unwrap().path(), door.parse::<url::Url>().unwrap().path());
    let before = house.before().await;
    assert_eq!(bob.browser.get(&door).await.status, 403);
    house.refused(&before, "flow_expired").await;
    // Each of them still does what it is for.
    let arrival = bob.goes_on(&ask, own).await;
    assert_eq!(ask.redeems(&arrival).await.id["email"], "bob@b.test");
    assert_eq!(mallory.browser.follow(&posted).await.location().unwrap().path(), "/login");
}

#[tokio::test]
async fn h09_nothing_is_taken_by_redirect_artifact_or_simple_signature() {
    let mut scene = Scene::opens().await;
    let xml = scene.honest();
    let acs = scene.asked.acs.clone();
    for (query, status, reason) in [
        ("?SAMLart=AAQAAA", 400, "binding_unsupported"),
        ("?SAMLResponse=fZ&RelayState=x", 400, "binding_unsupported"),
        // Nobody has answered anything.
        ("", 403, "flow_expired"),
    ] {
        let before = scene.house.before().await;
        let answer = scene.bob.browser.get(&format!("{acs}{query}")).await;
        assert_eq!(answer.status, status, "{query}: {}", answer.body);
        scene.house.refused(&before, reason).await;
    }
    let message = data_encoding::BASE64.encode(xml.as_bytes());
    for (more, reason) in [
        (vec![("SAMLart", "AAQAAA")], "binding_unsupported"),
        (
            vec![("SAMLResponse", message.as_str()), ("Signature", "AA=="), ("SigAlg", "x")],
            "binding_unsupported",
        ),
        (vec![("SAMLResponse", message.as_str()), ("SAMLResponse", message.as_str())], "malformed_saml"),
        (vec![("SAMLResponse", message.as_str()), ("SAMLRequest", message.as_str())], "malformed_saml"),
        (vec![("SAMLResponse", "*")], "malformed_saml"),
        (vec![("SAMLResponse", "")], "malformed_saml"),
        (vec![("RelayState", "x")], "malformed_saml"),
        (vec![], "malformed_saml"),
    ] {
        let before = scene.house.before().await;
        let answer = scene.bob.browser.post_form(&acs, &more).await;
        assert_eq!(answer.status, 400, "{more:?}: {}", answer.body);
        scene.house.refused(&before, reason).await;
    }
    scene.ends_well().await;
}
