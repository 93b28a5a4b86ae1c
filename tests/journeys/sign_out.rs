//! Somebody is sent to sign out by an application (OpenID Connect RP-Initiated Logout 1.0).

use behalf::protocol::jose::Algorithm;
use serde_json::json;

use crate::house::application::{Application, Ask, Person};
use crate::house::broker::{Engine, House, Plan};
use crate::house::visitor::Answer;

const ENGINES: [Engine; 2] = [Engine::Sqlite, Engine::Postgres];
const HOUR: u64 = 3_600;

/// The default house, where `rp1` may be come back to.
fn plan(engine: Engine) -> Plan {
    Plan::on(engine).with(
        "redirect_uris = [\"https://rp1.test/callback\"]\n",
        "redirect_uris = [\"https://rp1.test/callback\"]\n\
         post_logout_redirect_uris = [\"https://rp1.test/bye?x=1\", \"com.example.rp1:/bye\"]\n",
    )
}

/// What an application got: the ID token as it came, and an access token.
struct Got {
    id_token: String,
    access_token: String,
}

async fn signs_in(person: &mut Person, ask: &Ask) -> Got {
    let code = person.follows(ask).await.code();
    let answer = ask.redemption(&code).send().await.json();
    let text = |name: &str| answer[name].as_str().unwrap().to_owned();
    Got { id_token: text("id_token"), access_token: text("access_token") }
}

fn end_session(house: &House, params: &[(&str, &str)]) -> String {
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(params).finish();
    format!("{}/logout?{query}", house.url)
}

fn led_to(answer: &Answer) -> String {
    assert_eq!(answer.status, 303, "{}", answer.body);
    answer.header("location").unwrap().to_owned()
}

/// Whether the browser has to prove anew who it is of.
async fn is_signed_out(person: &mut Person, ask: &Ask) -> bool {
    let answer = person.browser.get(&ask.clone().with("prompt", "none").url()).await;
    led_to(&answer).contains("error=login_required")
}

#[tokio::test]
async fn m03_an_application_that_proves_whose_session_it_is_signs_out_without_a_question() {
    for engine in ENGINES {
        let house = plan(engine).build().await;
        let rp1 = Application::rp1(&house);
        let (ask, mut ann) = (rp1.asks(), Person::new("ann@a.test"));
        let got = signs_in(&mut ann, &ask).await;
        assert_eq!(rp1.userinfo(&got.access_token).await.status, 200);
        let url = end_session(
            &house,
            &[
                ("id_token_hint", &got.id_token),
                ("post_logout_redirect_uri", "https://rp1.test/bye?x=1"),
                ("state", "a b&c"),
            ],
        );
        // Whoever only asks what is there changes nothing.
        let head = ann.browser.request(reqwest::Method::HEAD, &url, |request| request).await;
        assert_eq!(head.status, 405);
        assert!(!is_signed_out(&mut ann, &ask).await);
        let answer = ann.browser.get(&url).await;
        assert_eq!(led_to(&answer), "https://rp1.test/bye?x=1&state=a+b%26c");
        assert_eq!(rp1.userinfo(&got.access_token).await.status, 401);
        assert!(is_signed_out(&mut ann, &ask).await);
        let events = house.audit().await;
        let ended: Vec<_> = events.iter().filter(|event| event.action == "session.ended").collect();
        assert_eq!(ended.len(), 1);
        assert_eq!(ended[0].detail["cause"], "application");
        // Once more, there is nothing to end and the way back is the same.
        assert_eq!(led_to(&ann.browser.get(&url).await), "https://rp1.test/bye?x=1&state=a+b%26c");
        assert_eq!(house.events_of("session.ended").await, 1);
    }
}

#[tokio::test]
async fn m03_an_id_token_that_has_run_out_still_says_whose_session_it_was() {
    let house = plan(Engine::Sqlite).build().await;
    let rp1 = Application::rp1(&house);
    let (ask, mut ann) = (rp1.asks(), Person::new("ann@a.test"));
    let got = signs_in(&mut ann, &ask).await;
    // The key that signed it is retired by now, and published no more.
    let project = house.text("SELECT id FROM projects WHERE slug = 'default'").await.unwrap();
    house.broker.keyring.rotate(project.parse().unwrap(), Some(Algorithm::RS256), true).await.unwrap();
    house.turn_clock(3 * HOUR);
    let published = ann.browser.get(&format!("{}/jwks.json", house.url)).await;
    let header = got.id_token.split('.').next().unwrap();
    let header = data_encoding::BASE64URL_NOPAD.decode(header.as_bytes()).unwrap();
    let header: serde_json::Value = serde_json::from_slice(&header).unwrap();
    assert!(!published.body.contains(header["kid"].as_str().unwrap()), "{}", published.body);
    let url = end_session(
        &house,
        &[("id_token_hint", &got.id_token), ("post_logout_redirect_uri", "com.example.rp1:/bye")],
    );
    assert_eq!(led_to(&ann.browser.get(&url).await), "com.example.rp1:/bye");
    assert!(is_signed_out(&mut ann, &ask).await);
}

#[tokio::test]
async fn m03_without_a_proof_the_person_is_asked_and_may_stay() {
    for engine in ENGINES {
        let house = plan(engine).build().await;
        let rp1 = Application::rp1(&house);
        let (ask, mut ann, mut elsewhere) =
            (rp1.asks(), Person::new("ann@a.test"), Person::new("ann@a.test"));
        signs_in(&mut ann, &ask).await;
        let other = signs_in(&mut elsewhere, &rp1.asks()).await;
        let mut bob = Person::new("bob@b.test");
        let bobs = signs_in(&mut bob, &rp1.asks()).await;
        let back = ("post_logout_redirect_uri", "https://rp1.test/bye?x=1");
        let unproved: [&[(&str, &str)]; 5] = [
            &[("client_id", "rp1"), back, ("state", "s")],
            &[("client_id", "rp1"), back, ("state", "s"), ("logout_hint", "ann@a.test")],
            // Hers, in another browser; and somebody else's.
            &[("id_token_hint", &other.id_token), back, ("state", "s")],
            &[("id_token_hint", &bobs.id_token), back, ("state", "s")],
            &[("id_token_hint", &bobs.id_token), ("client_id", "rp1"), back, ("state", "s")],
        ];
        for params in unproved {
            let before = house.before().await;
            let page = ann.browser.get(&end_session(&house, params)).await;
            assert_eq!(page.status, 200);
            for said in ["ann@a.test", "First App"] {
                assert!(page.body.contains(said), "{said}: {}", page.body);
            }
            let policy = page.header("content-security-policy").unwrap();
            assert!(
                policy.contains("frame-ancestors 'none'") && policy.contains("https://rp1.test"),
                "{policy}"
            );
            let stays = ann.browser.submit(&page.form().with("sign_out", "no")).await;
            assert_eq!(led_to(&stays), "/");
            house.unchanged(&before).await;
        }
        let page = ann.browser.get(&end_session(&house, unproved[0])).await;
        let answer = ann.browser.submit(&page.form().with("sign_out", "yes")).await;
        assert_eq!(led_to(&answer), "https://rp1.test/bye?x=1&state=s");
        assert!(is_signed_out(&mut ann, &ask).await);
        assert!(!is_signed_out(&mut elsewhere, &ask).await && !is_signed_out(&mut bob, &ask).await);
        assert_eq!(house.events_of("session.ended").await, 1);
    }
}

#[tokio::test]
async fn m03_the_page_speaks_the_language_that_the_application_asks_for() {
    let house = plan(Engine::Sqlite).build().await;
    let mut ann = Person::new("ann@a.test");
    signs_in(&mut ann, &Application::rp1(&house).asks()).await;
    let page = ann.browser.get(&end_session(&house, &[("client_id", "rp1"), ("ui_locales", "de")])).await;
    assert!(page.body.contains("Auf allen Geräten abmelden"), "{}", page.body);
    assert!(page.body.contains("First App bittet Sie, sich abzumelden"), "{}", page.body);
    let done = ann.browser.submit(&page.form().with("sign_out", "yes")).await;
    assert!(done.body.contains("Sie sind abgemeldet"), "{}", done.body);
}

#[tokio::test]
async fn m03_h28_whoever_is_signed_out_finds_back_to_the_application_that_wanted_it() {
    let initiate = "initiate_login_uri = \"https://rp1.test/begin\"\n";
    for (more, home) in [("", "https://rp1.test/"), (initiate, "https://rp1.test/begin?iss=")] {
        let mut plan = plan(Engine::Sqlite);
        plan = plan.with("[application.rp1]\n", &format!("[application.rp1]\n{more}"));
        let house = plan.build().await;
        let mut ann = Person::new("ann@a.test");
        for (wish, is_found) in [(vec![("client_id", "rp1"), ("state", "s")], true), (Vec::new(), false)] {
            signs_in(&mut ann, &Application::rp1(&house).asks()).await;
            let page = ann.browser.get(&end_session(&house, &wish)).await;
            let signed_out = ann.browser.submit(&page.form().with("sign_out", "yes")).await;
            // The same for who comes once more.
            for done in [signed_out, ann.browser.get(&end_session(&house, &wish)).await] {
                let body = done.body.replace("&#x2f;", "/").replace("&#x3d;", "=").replace("&#x3f;", "?");
                assert!(body.contains("You are signed out"), "{body}");
                assert_eq!(body.contains("Return to First App"), is_found, "{body}");
                assert_eq!(body.contains(&format!("href=\"{home}")), is_found, "{home}: {body}");
                // They go there if they want to.
                assert!(!body.contains("http-equiv=\"refresh\"") && done.location().is_none(), "{body}");
            }
        }
    }
    // Whoever others have registered chooses its name and where it leads: no page of ours sends anybody there.
    let others = "[application.rp1]\nconsent_required = true\n";
    let house = plan(Engine::Sqlite).with("[application.rp1]\n", others).build().await;
    let done = Person::new("ann@a.test").browser.get(&end_session(&house, &[("client_id", "rp1")])).await;
    assert!(done.body.contains("You are signed out"), "{}", done.body);
    assert!(!done.body.contains("Return to") && !done.body.contains("rp1.test"), "{}", done.body);
}

#[tokio::test]
async fn m03_a_request_by_post_is_looked_at_by_a_get_of_our_own() {
    let house = plan(Engine::Sqlite).build().await;
    let rp1 = Application::rp1(&house);
    let (ask, mut ann) = (rp1.asks(), Person::new("ann@a.test"));
    let got = signs_in(&mut ann, &ask).await;
    let url = format!("{}/logout", house.url);
    let fields = [
        ("id_token_hint", got.id_token.as_str()),
        ("post_logout_redirect_uri", "https://rp1.test/bye?x=1"),
        ("state", "s"),
        ("unknown", "left out"),
    ];
    let posted = ann.browser.post_form(&url, &fields).await;
    assert!(led_to(&posted).starts_with("/logout?id_token_hint="), "{:?}", posted.location());
    assert!(!led_to(&posted).contains("unknown"));
    assert!(!is_signed_out(&mut ann, &ask).await);
    let answer = ann.browser.follow(&posted).await;
    assert_eq!(led_to(&answer), "https://rp1.test/bye?x=1&state=s");
    assert!(is_signed_out(&mut ann, &ask).await);
}

#[tokio::test]
async fn m03_on_all_devices_ends_every_session_of_the_person_and_of_nobody_else() {
    for engine in ENGINES {
        let house = plan(engine).build().await;
        let rp1 = Application::rp1(&house);
        let (mut ann, mut elsewhere, mut bob) =
            (Person::new("ann@a.test"), Person::new("ann@a.test"), Person::new("bob@b.test"));
        let ask = rp1.asks();
        let here = signs_in(&mut ann, &ask).await;
        let there = signs_in(&mut elsewhere, &rp1.asks()).await;
        let bobs = signs_in(&mut bob, &rp1.asks()).await;
        let page = ann.browser.get(&format!("{}/logout", house.url)).await;
        let done = ann.browser.submit(&page.form().with("sign_out", "everywhere")).await;
        assert_eq!(done.status, 200);
        for gone in [&here, &there] {
            assert_eq!(rp1.userinfo(&gone.access_token).await.status, 401);
        }
        assert_eq!(rp1.userinfo(&bobs.access_token).await.status, 200);
        assert!(is_signed_out(&mut ann, &ask).await && is_signed_out(&mut elsewhere, &ask).await);
        let events = house.audit().await;
        let ended: Vec<_> = events.iter().filter(|event| event.action == "session.ended").collect();
        assert_eq!(ended.len(), 2);
        let user = house.user("ann@a.test").await;
        assert!(ended.iter().all(|event| event.detail["everywhere"] == json!(true) && event.actor == user));
    }
}

#[tokio::test]
async fn m03_h27_the_page_frames_what_applications_want_and_nothing_else() {
    for engine in ENGINES {
        let plan = plan(engine)
            .with(
                "[\"https://rp1.test/callback\"]\n",
                "[\"https://rp1.test/callback\"]\nfrontchannel_logout_uri = \"https://rp1.test/f\"\n",
            )
            .with(
                "[\"https://rp2.test/callback\"]\n",
                "[\"https://rp2.test/callback\"]\nfrontchannel_logout_uri = \"https://rp2.test/f?a=b\"\n",
            );
        let house = plan.build().await;
        let mut ann = Person::new("ann@a.test");
        signs_in(&mut ann, &Application::rp2(&house).asks()).await;
        // Who has got no tokens is told nothing.
        ann.follows(&Application::rp1(&house).asks()).await.code();
        let page = ann.browser.get(&format!("{}/logout", house.url)).await;
        assert!(!page.header("content-security-policy").unwrap().contains("frame-src"));
        let done = ann.browser.submit(&page.form().with("sign_out", "yes")).await;
        let policy = done.header("content-security-policy").unwrap();
        assert!(policy.contains(" frame-src https://rp2.test;"), "{policy}");
        assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("script-src"), "{policy}");
        assert_eq!(done.body.matches("<iframe").count(), 1, "{}", done.body);
        for said in ["https://rp2.test/f?a=b", "sid=sess_", "we cannot see"] {
            let said = said.replace('&', "&amp;").replace('/', "&#x2f;");
            assert!(done.body.contains(&said), "{said}: {}", done.body);
        }
        assert!(!done.body.contains("http-equiv"), "nowhere to go back to");
        // Somebody else's page has none.
        let mut bob = Person::new("bob@b.test");
        signs_in(&mut bob, &Application::rp1(&house).asks()).await;
        let wish =
            [("client_id", "rp1"), ("post_logout_redirect_uri", "https://rp1.test/bye?x=1"), ("state", "s")];
        let page = bob.browser.get(&end_session(&house, &wish)).await;
        let done = bob.browser.submit(&page.form().with("sign_out", "yes")).await;
        assert_eq!(done.status, 200, "the frames come before the way back");
        assert!(done.body.contains("5;url=https"), "{}", done.body);
        assert!(done.header("content-security-policy").unwrap().contains(" frame-src https://rp1.test;"));
        let mut nobody = Person::new("eve@c.test");
        let page = nobody.browser.get(&format!("{}/logout", house.url)).await;
        assert!(!page.header("content-security-policy").unwrap().contains("frame-src"));
    }
}

#[tokio::test]
async fn m03_whoever_signs_out_of_one_organization_goes_on_acting_for_the_others() {
    for engine in ENGINES {
        let house = plan(engine).build().await;
        let rp1 = Application::rp1(&house);
        let mut con = Person::new("con@a.test");
        let mut tokens = Vec::new();
        for organization in ["A Corporation", "B Corporation"] {
            let ask = rp1.asks();
            let arrival = con.acts_for(&ask, organization).await;
            tokens.push(ask.redeems(&arrival).await.access_token);
        }
        let back = ("post_logout_redirect_uri", "https://rp1.test/bye?x=1");
        // One that there is not, one that is another's, and one that con never acted for read alike.
        for unknown in ["nothing", "org-c", "org_00000000000000000000000000"] {
            let before = house.before().await;
            let url = end_session(&house, &[("client_id", "rp1"), ("organization", unknown)]);
            assert_eq!(con.browser.get(&url).await.status, 400, "{unknown}");
            house.refused(&before, "organization").await;
        }
        let url =
            end_session(&house, &[("client_id", "rp1"), back, ("state", "s"), ("organization", "org-b")]);
        let page = con.browser.get(&url).await;
        assert!(page.body.contains("Sign out of B Corporation only"), "{}", page.body);
        let answer = con.browser.submit(&page.form().with("sign_out", "organization")).await;
        assert_eq!(led_to(&answer), "https://rp1.test/bye?x=1&state=s");
        assert_eq!(rp1.userinfo(&tokens[0]).await.status, 200);
        assert_eq!(rp1.userinfo(&tokens[1]).await.status, 401);
        assert!(!is_signed_out(&mut con, &rp1.asks().with("organization", "org-a")).await);
        assert_eq!(house.events_of("session.ended").await, 0);
        assert_eq!(house.events_of("session.organization_left").await, 1);
    }
}

#[tokio::test]
async fn m03_h28_whoever_is_signed_out_of_one_organization_is_told_so_and_finds_back() {
    for engine in ENGINES {
        let house = plan(engine).build().await;
        let rp1 = Application::rp1(&house);
        for (proved, german) in [(false, false), (true, false), (false, true)] {
            let mut con = Person::new("con@a.test");
            let ask = rp1.asks().with("organization", "org-b").with("login_hint", "con@a.test");
            let got = signs_in(&mut con, &ask).await;
            let mut wish = vec![("organization", "org-b"), ("client_id", "rp1")];
            wish.extend(proved.then_some(("id_token_hint", got.id_token.as_str())));
            wish.extend(german.then_some(("ui_locales", "de")));
            let page = con.browser.get(&end_session(&house, &wish)).await;
            let done = match proved {
                true => page,
                false => con.browser.submit(&page.form().with("sign_out", "organization")).await,
            };
            assert_eq!((done.status.as_u16(), done.location()), (200, None), "{}", done.body);
            let said = match german {
                true => {
                    ["Sie sind von B Corporation abgemeldet", "bleiben Sie angemeldet", "Zurück zu First App"]
                }
                false => ["You are signed out of B Corporation", "You stay signed in", "Return to First App"],
            };
            let body = done.body.replace("&#x2f;", "/");
            for words in said.into_iter().chain(["href=\"https://rp1.test/\""]) {
                assert!(body.contains(words), "{words}: {body}");
            }
            assert!(!body.contains("http-equiv=\"refresh\"") && !body.contains("<iframe"), "{body}");
            assert_eq!(rp1.userinfo(&got.access_token).await.status, 401);
            assert!(!is_signed_out(&mut con, &rp1.asks().with("organization", "org-a")).await);
        }
    }
    // Nobody is led to an application of others, and where none has asked there is none to go back to.
    let others = "[application.rp1]\nconsent_required = true\n";
    let house = plan(Engine::Sqlite).with("[application.rp1]\n", others).build().await;
    let rp1 = Application::rp1(&house);
    let mut con = Person::new("con@a.test");
    for wish in [&[("organization", "org-b"), ("client_id", "rp1")][..], &[("organization", "org-b")]] {
        signs_in(&mut con, &rp1.asks().with("organization", "org-b")).await;
        let page = con.browser.get(&end_session(&house, wish)).await;
        let done = con.browser.submit(&page.form().with("sign_out", "organization")).await;
        assert!(done.body.contains("You are signed out of B Corporation"), "{}", done.body);
        assert!(!done.body.contains("Return to") && !done.body.contains("rp1.test"), "{}", done.body);
    }
}

/// The default house, whose connection `ca` leads people on.
fn onward(engine: Engine) -> Plan {
    plan(engine).with("display_name = \"A Login\"\n", "display_name = \"A Login\"\nsingle_logout = true\n")
}

#[tokio::test]
async fn m03_whoever_signs_out_is_led_on_to_their_provider_and_back_to_the_application() {
    for engine in ENGINES {
        let house = onward(engine).build().await;
        let door = format!("{}/bye?x=1", house.idp_a.issuer);
        house.idp_a.discovery("end_session_endpoint", json!(door));
        let rp1 = Application::rp1(&house);
        let (ask, mut ann) = (rp1.asks(), Person::new("ann@a.test"));
        let got = signs_in(&mut ann, &ask).await;
        let wish = [
            ("id_token_hint", got.id_token.as_str()),
            ("post_logout_redirect_uri", "https://rp1.test/bye?x=1"),
            ("state", "s"),
        ];
        let led = led_to(&ann.browser.get(&end_session(&house, &wish)).await);
        assert!(led.starts_with(&format!("{door}&client_id=behalf&")), "{led}");
        assert!(is_signed_out(&mut ann, &ask).await, "whatever becomes of it there");
        let sent: std::collections::HashMap<_, _> =
            led.parse::<url::Url>().unwrap().query_pairs().into_owned().collect();
        assert_eq!(sent["logout_hint"], "sub-ann@a.test");
        assert!(!sent.contains_key("id_token_hint"), "{sent:?}");
        let back = format!("{}/oidc/{}/signed-out", house.url, house.connection("ca").await);
        assert_eq!(sent["post_logout_redirect_uri"], back);
        let state = &sent["state"];
        // Another connection's way back, a guess, and nothing: none of them leads anywhere.
        let other = format!("{}/oidc/{}/signed-out", house.url, house.connection("cb").await);
        for wrong in [back.clone(), format!("{back}?state=guess")] {
            assert_eq!(led_to(&ann.browser.get(&wrong).await), "/logout", "{wrong}");
        }
        let answer = ann.browser.get(&format!("{back}?state={state}")).await;
        assert_eq!(led_to(&answer), "https://rp1.test/bye?x=1&state=s");
        let again = ann.browser.get(&format!("{back}?state={state}")).await;
        assert_eq!(led_to(&again), "/logout", "once");
        signs_in(&mut ann, &ask).await;
        let page = ann.browser.get(&format!("{}/logout", house.url)).await;
        let led = ann.browser.submit(&page.form().with("sign_out", "yes")).await.location().unwrap();
        let state = led.query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned();
        assert_eq!(led_to(&ann.browser.get(&format!("{other}?state={state}")).await), "/logout");
    }
}

/// Not every provider sends people back, and not everybody comes: whoever opens their frames first is told either way.
#[tokio::test]
async fn m03_applications_are_told_by_the_browser_before_it_goes_on_to_the_provider() {
    for engine in ENGINES {
        let front = "frontchannel_logout_uri = \"https://rp1.test/f\"\n";
        let house =
            onward(engine).with("[application.rp1]\n", &format!("[application.rp1]\n{front}")).build().await;
        let door = format!("{}/bye", house.idp_a.issuer);
        house.idp_a.discovery("end_session_endpoint", json!(door));
        let rp1 = Application::rp1(&house);
        let (ask, mut ann) = (rp1.asks(), Person::new("ann@a.test"));
        let got = signs_in(&mut ann, &ask).await;
        let wish = [
            ("id_token_hint", got.id_token.as_str()),
            ("post_logout_redirect_uri", "https://rp1.test/bye?x=1"),
            ("state", "s"),
        ];
        let page = ann.browser.get(&end_session(&house, &wish)).await;
        assert_eq!((page.status.as_u16(), page.body.matches("<iframe").count()), (200, 1), "{}", page.body);
        assert!(page.header("content-security-policy").unwrap().contains(" frame-src https://rp1.test;"));
        for said in ["5;url=http", "In a moment you go on to A Login", ">Go on to A Login<"] {
            assert!(page.body.contains(said), "{said}: {}", page.body);
        }
        assert!(!page.body.contains("You can close this page"), "{}", page.body);
        assert!(is_signed_out(&mut ann, &ask).await);
        // There, and back: what was opened is not opened again.
        let mut links = page.body.split("href=\"").filter_map(|part| part.split('"').next());
        let link = links.find(|link| link.contains("bye?client_id")).unwrap();
        let link = link.replace("&amp;", "&").replace("&#x2f;", "/").replace("&#x3d;", "=");
        let led: url::Url = link.parse().unwrap();
        assert!(led.as_str().starts_with(&door), "{led}");
        let state = led.query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned();
        let back = format!("{}/oidc/{}/signed-out?state={state}", house.url, house.connection("ca").await);
        assert_eq!(led_to(&ann.browser.get(&back).await), "https://rp1.test/bye?x=1&state=s");
        // Whoever gives up there, and comes to us by another way, is signed out all the same.
        signs_in(&mut ann, &ask).await;
        let page = ann.browser.get(&format!("{}/logout", house.url)).await;
        ann.browser.submit(&page.form().with("sign_out", "yes")).await;
        let page = ann.browser.get(&format!("{}/logout", house.url)).await;
        assert!(page.body.contains("You are signed out") && page.forms().is_empty(), "{}", page.body);
        assert_eq!(house.events_of("session.ended").await, 2);
    }
}

#[tokio::test]
async fn m03_c27_a_provider_without_a_door_or_with_one_elsewhere_is_not_gone_to() {
    for door in [json!(null), json!("http://10.0.0.1/bye"), json!("javascript:alert(1)")] {
        let house = onward(Engine::Sqlite).build().await;
        house.idp_a.discovery("end_session_endpoint", door.clone());
        let (ask, mut ann) = (Application::rp1(&house).asks(), Person::new("ann@a.test"));
        signs_in(&mut ann, &ask).await;
        let page = ann.browser.get(&format!("{}/logout", house.url)).await;
        let done = ann.browser.submit(&page.form().with("sign_out", "yes")).await;
        assert_eq!(done.status, 200, "{door}");
        assert!(done.body.contains("You may still be signed in at"), "{}", done.body);
        assert!(is_signed_out(&mut ann, &ask).await);
    }
}

#[tokio::test]
async fn m03_discovery_says_where_people_sign_out() {
    let house = plan(Engine::Sqlite).build().await;
    let document = Person::new("ann@a.test")
        .browser
        .get(&format!("{}/.well-known/openid-configuration", house.url))
        .await
        .json();
    assert_eq!(document["end_session_endpoint"], json!(format!("{}/logout", house.url)));
    for supported in [
        "backchannel_logout_supported",
        "backchannel_logout_session_supported",
        "frontchannel_logout_supported",
        "frontchannel_logout_session_supported",
    ] {
        assert_eq!(document[supported], json!(true), "{supported}");
    }
}
