//! Signing out in a real browser: the page that asks, and the frames that tell applications (OpenID Connect Front-Channel
//! Logout 1.0).

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{RawQuery, State};
use axum::response::Html;
use axum::routing::get;
use behalf::foundation::clock::Clock;
use tokio::net::TcpListener;

use crate::house::application::{Application, Proof};
use crate::house::broker::{House, Plan};
use crate::house::browser::{Browser, Person};

pub type Heard = Arc<Mutex<Vec<String>>>;

/// An application's website: it notes what its frame is asked.
pub async fn site() -> (String, Heard) {
    let heard = Heard::default();
    let frame = async |State(heard): State<Heard>, RawQuery(query): RawQuery| {
        heard.lock().unwrap().push(query.unwrap_or_default());
        Html("<!doctype html><title>Bye</title>")
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new()
        .route("/callback", get(async || "signed in"))
        .route("/bye", get(async || "back at the application"))
        .route("/front", get(frame))
        .with_state(Arc::clone(&heard));
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (origin, heard)
}

fn plan(one: &str, two: &str) -> Plan {
    Plan { clock: Clock::System, ..Plan::default() }
        .with(
            "redirect_uris = [\"https://rp1.test/callback\"]\n",
            &format!(
                "redirect_uris = [\"{one}/callback\"]\npost_logout_redirect_uris = [\"{one}/bye\"]\n\
                 frontchannel_logout_uri = \"{one}/front?x=1\"\n"
            ),
        )
        .with(
            "redirect_uris = [\"https://rp2.test/callback\"]\n",
            &format!("redirect_uris = [\"{two}/callback\"]\nfrontchannel_logout_uri = \"{two}/front\"\n"),
        )
}

/// Signs in to an application, which takes up its tokens.
async fn enters(person: &Person, house: &House, client: &str, site: &str) {
    let mut application = match client {
        "rp1" => Application::rp1(house),
        _ => Application::new(house, client, Proof::Nothing),
    };
    application.redirect_uri = format!("{site}/callback");
    let ask = application.asks().with("login_hint", "ann@a.test");
    person.opens(&ask.url()).await;
    let at = person.is_at(|url| url.path() == "/callback").await;
    let code = at.query_pairs().find(|(name, _)| name == "code").unwrap().1.into_owned();
    assert_eq!(ask.redemption(&code).send().await.status, 200);
}

#[tokio::test]
async fn m03_a_browser_opens_what_the_applications_want_and_comes_back_without_scripts() {
    for language in ["en", "de"] {
        let ((one, first), (two, second)) = (site().await, site().await);
        let house = plan(&one, &two).build().await;
        let person = Browser::default().speaking(language).without_scripts().open().await;
        enters(&person, &house, "rp1", &one).await;
        enters(&person, &house, "rp2", &two).await;
        let back: String = form_urlencoded::byte_serialize(format!("{one}/bye").as_bytes()).collect();
        let wish = format!("client_id=rp1&post_logout_redirect_uri={back}&state=s");
        person.opens(&format!("{}/logout?{wish}", house.url)).await;
        let (asks, button, told) = match language {
            "en" => ("First App asks you to sign out", "Sign out", "You are signed out"),
            _ => ("First App bittet Sie, sich abzumelden", "Abmelden", "Sie sind abgemeldet"),
        };
        person.sees(asks).await;
        person.presses(button).await;
        person.sees(told).await;
        let at = person.is_at(|url| url.path() == "/bye").await;
        assert_eq!(at.as_str(), format!("{one}/bye?state=s"));
        let issuer: String = form_urlencoded::byte_serialize(house.url.as_bytes()).collect();
        for (heard, starts) in
            [(first, format!("x=1&iss={issuer}&sid=sess_")), (second, format!("iss={issuer}&sid=sess_"))]
        {
            let heard = heard.lock().unwrap().clone();
            assert_eq!(heard.len(), 1, "{heard:?}");
            assert!(heard[0].starts_with(&starts), "{heard:?}");
        }
    }
}

#[tokio::test]
async fn m03_everybody_can_read_what_alone_they_are_signed_out_of() {
    for (browser, name, says) in [
        (
            Browser::default(),
            "desk",
            ["Sign out of A Corporation only", "You stay signed in", "Return to First App"],
        ),
        (
            Browser::default().dark().phone(),
            "phone-dark",
            ["Sign out of A Corporation only", "You stay signed in", "Return to First App"],
        ),
        (
            Browser::default().phone().speaking("de"),
            "phone-de",
            ["Nur von A Corporation abmelden", "bleiben Sie angemeldet", "Zurück zu First App"],
        ),
        (
            Browser::default().dark().speaking("de"),
            "desk-dark-de",
            ["Nur von A Corporation abmelden", "bleiben Sie angemeldet", "Zurück zu First App"],
        ),
    ] {
        let ((one, _), (two, _)) = (site().await, site().await);
        let house = plan(&one, &two).build().await;
        let person = browser.open().await;
        enters(&person, &house, "rp1", &one).await;
        person.opens(&format!("{}/logout?client_id=rp1&organization=org-a", house.url)).await;
        let [button, told, back] = says;
        person.presses(button).await;
        person.sees(told).await;
        person.sees(back).await;
        let found = person.axe().await;
        assert!(found.is_empty(), "{name}: {found:?}");
        if let Ok(folder) = std::env::var("BEHALF_TEST_PICTURES") {
            person.screenshot(std::path::Path::new(&folder).join(format!("signed-out-of-{name}.png"))).await;
        }
    }
}
