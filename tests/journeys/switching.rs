//! Switching to another organization: every door leads to the same tokens, and no tab follows another one through it.

use behalf::foundation::random::Random;
use serde_json::{Value, json};

use crate::house::api::{Api, access_token};
use crate::house::application::{Application, Ask, Person, Tokens};
use crate::house::broker::{Engine, House};

const ENGINES: [Engine; 2] = [Engine::Sqlite, Engine::Postgres];

/// What is of one token alone, whoever it is for.
const OF_ONE: [&str; 6] = ["iat", "exp", "jti", "at_hash", "nonce", "grant_id"];

/// What tokens say, but for what each says for itself.
fn said(tokens: &Tokens) -> [Value; 2] {
    [&tokens.id, &tokens.access].map(|claims| {
        let mut claims = claims.clone();
        for name in OF_ONE {
            claims.as_object_mut().unwrap().remove(name);
        }
        claims
    })
}

async fn signs_in(person: &mut Person, ask: &Ask) -> Tokens {
    let arrival = person.follows(ask).await;
    ask.redeems(&arrival).await
}

#[tokio::test]
async fn c22_every_door_of_switching_gives_the_same_tokens_for_the_same_organization() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        // So that the session's token opens the API, too.
        access_token(&house, "con@a.test", "org-a").await;
        let rp1 = Application::rp1(&house);
        let mut con = Person::new("con@a.test");
        let of_a =
            signs_in(&mut con, &rp1.asks().with("login_hint", "con@a.test").with("organization", "org-a"))
                .await;
        for (to, from) in [("org-b", Some("org-a")), ("org-a", None)] {
            // By the authorization request.
            let by_request = signs_in(&mut con, &rp1.asks().with("organization", to)).await;
            let by_scope = {
                let scope = format!("openid profile email organizations roles permissions organization:{to}");
                let mut tokens = signs_in(&mut con, &rp1.asks().with("scope", &scope)).await;
                // Which it was asked for by stands in it; the rest is the same.
                assert_eq!(tokens.access["scope"], json!(scope));
                tokens.access["scope"] = by_request.access["scope"].clone();
                tokens
            };
            // By a refresh token, of whichever organization it is.
            let ask = rp1.asks();
            let switched = rp1.refreshes(of_a.refresh()).with("organization", to);
            let by_refresh = if from.is_some() {
                ask.reads_again(&switched.send().await).await
            } else {
                let of_b = signs_in(&mut con, &rp1.asks().with("organization", "org-b")).await;
                ask.reads_again(&rp1.refreshes(of_b.refresh()).with("organization", to).send().await).await
            };
            // By the API, and then silently where nothing is said.
            let api = Api::with(&house, Some(by_request.access_token.clone())).await;
            let answer = api.post("/organizations/switch", json!({"organization_id": to})).await;
            assert_eq!(answer.status, 200, "{}", answer.body);
            let by_api = signs_in(&mut con, &rp1.asks().with("prompt", "none")).await;
            // At their account, and then silently.
            let page = con.browser.get(&format!("{}/account", house.url)).await;
            let csrf = page.forms().iter().find_map(|form| form.value("csrf").map(str::to_owned));
            let csrf = csrf.unwrap_or_default();
            let id = house.organization(to).await;
            if !csrf.is_empty() {
                let path = format!("{}/account/organizations/{id}/switch", house.url);
                let done = con.browser.post_form(&path, &[("csrf", &csrf)]).await;
                assert_eq!(done.status, 303, "{}", done.body);
            }
            let by_page = signs_in(&mut con, &rp1.asks().with("prompt", "none")).await;
            let expected = said(&by_request);
            assert_eq!(expected[0]["org_name"], json!(to));
            assert_eq!(expected[0].get("home_org_id").is_some(), from.is_some());
            for (door, tokens) in
                [("scope", &by_scope), ("refresh", &by_refresh), ("API", &by_api), ("account", &by_page)]
            {
                assert_eq!(said(tokens), expected, "{to} by {door}");
            }
        }
    }
}

/// A tab: its organization, and what it holds now.
struct Tab {
    organization: &'static str,
    tokens: Tokens,
}

#[tokio::test]
async fn h25_c22_two_tabs_with_two_organizations_refresh_all_day_and_never_cross() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let (rp1, random) = (Application::rp1(&house), Random::sequence(47));
        let mut con = Person::new("con@a.test");
        let mut tabs = Vec::new();
        for organization in ["org-a", "org-b"] {
            let ask = rp1.asks().with("login_hint", "con@a.test").with("organization", organization);
            let tokens = signs_in(&mut con, &ask).await;
            tabs.push(Tab { organization, tokens });
        }
        let families: Vec<_> = tabs.iter().map(|tab| tab.tokens.access["grant_id"].clone()).collect();
        assert_ne!(families[0], families[1]);
        let ask = rp1.asks();
        for _ in 0..40 {
            let [which, wait, more] = random.bytes::<3>();
            house.turn_clock(u64::from(wait));
            let at = usize::from(which) % 2;
            // Now and then the browser's own choice moves, which is no tab's business.
            if more % 8 == 0 {
                let other = if more % 16 == 0 { "org-a" } else { "org-b" };
                signs_in(&mut con, &rp1.asks().with("organization", other)).await;
            }
            let token = tabs[at].tokens.refresh().to_owned();
            let fresh = ask.reads_again(&rp1.refreshes(&token).send().await).await;
            let (organization, family) = (tabs[at].organization, &families[at]);
            assert_eq!(
                (&fresh.access["org_name"], &fresh.access["grant_id"]),
                (&json!(organization), family)
            );
            assert_eq!(fresh.id["org_name"], json!(organization));
            assert_eq!(fresh.id.get("home_org_id").is_some(), organization == "org-b");
            let told = rp1.userinfo(&fresh.access_token).await.json();
            assert_eq!(told["org_name"], json!(organization));
            tabs[at].tokens = fresh;
        }
        // Both at once, as often as it takes.
        for _ in 0..5 {
            let (one, two) =
                (rp1.refreshes(tabs[0].tokens.refresh()), rp1.refreshes(tabs[1].tokens.refresh()));
            let (one, two) = tokio::join!(one.send(), two.send());
            for (tab, answer) in tabs.iter_mut().zip([one, two]) {
                tab.tokens = ask.reads_again(&answer).await;
                assert_eq!(tab.tokens.access["org_name"], json!(tab.organization));
            }
            house.turn_clock(60);
        }
        // What ends in one tab ends in that one alone.
        let token = tabs[1].tokens.refresh().to_owned();
        assert_eq!(rp1.posts("/revoke", &[("token", &token)]).send().await.status, 200);
        assert_eq!(rp1.refreshes(&token).send().await.status, 400);
        let last = ask.reads_again(&rp1.refreshes(tabs[0].tokens.refresh()).send().await).await;
        assert_eq!(last.id["org_name"], json!("org-a"));
    }
}
