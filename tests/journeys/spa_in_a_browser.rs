//! A page in a real browser, by other authors (npm `oidc-client-ts`): it signs people in, stays signed in, switches the
//! organization and signs them out, without a server of its own.

use behalf::foundation::clock::Clock;
use serde_json::{Value, json};

use crate::house::broker::{House, Plan};
use crate::house::browser::Person;
use crate::house::node::Node;

struct Street {
    house: House,
    spa: Node,
}

impl Street {
    /// `host`: under which name the page is reached. The broker is at 127.0.0.1.
    async fn opens(host: &str) -> Self {
        let mut spa = Node::start("spa", json!({ "client_id": "rp2", "host": host })).await;
        let origin = spa.says("origin").to_owned();
        let house = Plan { clock: Clock::System, ..Plan::default() }
            .with(
                "redirect_uris = [\"https://rp2.test/callback\"]\n",
                &format!(
                    "redirect_uris = [\"{origin}/callback\", \"{origin}/silent\"]\n\
                     post_logout_redirect_uris = [\"{origin}/\"]\ncors_origins = [\"{origin}\"]\n"
                ),
            )
            .build()
            .await;
        spa.ask("broker", json!({ "issuer": house.url })).await;
        Self { house, spa }
    }

    fn origin(&self) -> &str {
        self.spa.says("origin")
    }

    /// The person signs in for an organization, and is back at the page.
    async fn enters(&self, person: &Person, organization: &str) -> Value {
        person.opens(&format!("{}/", self.origin())).await;
        person.sees("\"what\":\"arrived\"").await;
        person.types("Organization", organization).await;
        person.presses("Sign in").await;
        person.is_at(|url| url.as_str() == format!("{}/", self.origin())).await;
        person.sees("\"profile\"").await;
        told(person, "arrived").await
    }
}

/// What the page tells of its last action.
async fn told(person: &Person, what: &str) -> Value {
    person.sees(&format!("\"what\":\"{what}\"")).await;
    let text = person.evaluates("return document.querySelector('#told').textContent", vec![]).await;
    serde_json::from_str(text.as_str().unwrap()).unwrap()
}

async fn does(person: &Person, what: &str) -> Value {
    person.evaluates("document.querySelector('#told').textContent = ''", vec![]).await;
    person.presses(what).await;
    told(person, what).await
}

fn organization(told: &Value) -> &Value {
    assert!(told["error"].is_null(), "{told}");
    &told["ok"]["profile"]["org_name"]
}

#[tokio::test]
async fn s2_25_a_page_signs_in_stays_switches_and_signs_out() {
    let street = Street::opens("127.0.0.1").await;
    let con = Person::arrives().await;
    let first = street.enters(&con, "org-a").await;
    assert_eq!(organization(&first), "org-a");
    assert_eq!(first["ok"]["profile"]["org_id"], street.house.organization("org-a").await);
    assert_eq!(first["ok"]["profile"]["email"], "con@a.test", "it read UserInfo");

    // By the refresh token.
    let refreshed = does(&con, "Refresh").await;
    assert_eq!(organization(&refreshed), "org-a");
    assert_ne!(refreshed["ok"]["refresh_token"], first["ok"]["refresh_token"]);
    assert_eq!(refreshed["ok"]["profile"]["sub"], first["ok"]["profile"]["sub"]);

    // By a frame that asks without a page (prompt=none): it is of our own site, so our cookie comes along.
    con.types("Organization", "org-b").await;
    let framed = does(&con, "Renew silently").await;
    assert_eq!(organization(&framed), "org-b");
    assert_eq!(framed["ok"]["profile"]["home_org_id"], street.house.organization("org-a").await);
    con.types("Organization", "org-c").await;
    let refused = does(&con, "Renew silently").await;
    assert_eq!(refused["error"], "access_denied", "{refused}");

    // To the other organization and back by the refresh token.
    con.types("Organization", "org-a").await;
    let switched = does(&con, "Switch").await;
    let info = does(&con, "User info").await;
    assert_eq!(
        (&info["ok"]["status"], &info["ok"]["body"]["org_name"]),
        (&json!(200), &json!("org-a")),
        "{switched}"
    );

    // What it gives back is worth nothing, and it can read that.
    assert!(does(&con, "Revoke").await["error"].is_null());

    // Signed out, nobody gets in silently.
    con.presses("Sign out").await;
    con.is_at(|url| url.path() == "/" && url.as_str().starts_with(street.origin())).await;
    let gone = told(&con, "arrived").await;
    assert_eq!(gone["ok"], Value::Null, "{gone}");
    let nobody = does(&con, "Renew silently").await;
    assert_eq!(nobody["error"], "login_required", "{nobody}");
    assert_eq!(street.house.events_of("session.ended").await, 1);
}

#[tokio::test]
async fn s2_25_h27_a_page_of_another_site_stays_signed_in_by_refresh_tokens_alone() {
    let street = Street::opens("localhost").await;
    let con = Person::arrives().await;
    let first = street.enters(&con, "org-a").await;
    assert_eq!(organization(&first), "org-a");
    assert_eq!(organization(&does(&con, "Refresh").await), "org-a");
    // Browsers send our cookies to no frame in another site's page.
    let framed = does(&con, "Renew silently").await;
    assert_eq!(framed["error"], "login_required", "{framed}");
    // That signed nobody out.
    assert_eq!(organization(&does(&con, "Refresh").await), "org-a");
}

#[tokio::test]
async fn m16_a_page_that_is_not_registered_reads_nothing() {
    let street = Street::opens("127.0.0.1").await;
    let stranger = Node::start("spa", json!({ "client_id": "rp2", "issuer": street.house.url })).await;
    let con = Person::arrives().await;
    let entered = street.enters(&con, "org-a").await;
    let token = entered["ok"]["access_token"].clone();
    con.opens(&format!("{}/", stranger.says("origin"))).await;
    con.sees("\"what\":\"arrived\"").await;
    let reads = "const [url, options] = arguments; \
                 return fetch(url, options).then((answer) => answer.text(), (error) => 'kept out')";
    let bearer = json!({ "headers": { "authorization": format!("Bearer {}", token.as_str().unwrap()) } });
    let form = json!({ "method": "POST", "body": "grant_type=refresh_token&client_id=rp2&refresh_token=x",
        "headers": { "content-type": "application/x-www-form-urlencoded" } });
    for (path, options) in [("/userinfo", bearer), ("/token", form)] {
        let url = json!(format!("{}{path}", street.house.url));
        assert_eq!(con.evaluates(reads, vec![url, options]).await, "kept out", "{path}");
    }
    let open = json!(format!("{}/jwks.json", street.house.url));
    let keys = con.evaluates(reads, vec![open, json!({})]).await;
    assert!(keys.as_str().unwrap().contains("\"keys\""), "{keys}");
}
