//! H28: nothing that a request says makes a redirect to where nobody registered anything.

use url::Url;

use crate::house::application::{Application, Person};
use crate::house::broker::House;
use crate::house::visitor::{Answer, Visitor};

const PLACES: [&str; 24] = [
    "https://evil.test",
    "https://evil.test/",
    "//evil.test",
    "///evil.test",
    "////evil.test",
    "/\\evil.test",
    "\\\\evil.test",
    "\\/evil.test",
    "/%09/evil.test",
    "/\t/evil.test",
    "/%0a/evil.test",
    "/%2f%2fevil.test",
    "/%5cevil.test",
    "http:evil.test",
    "https:evil.test",
    "https:/evil.test",
    "https:\\\\evil.test",
    "javascript:alert(1)//evil.test",
    "data:text/html,evil.test",
    "/x\r\nLocation: https://evil.test",
    "/%0d%0aLocation:%20https://evil.test",
    "https://rp1.test@evil.test",
    "https://rp1.test.evil.test/callback",
    "/.evil.test",
];

const NAMES: [&str; 16] = [
    "redirect",
    "redirect_url",
    "redirect_to",
    "return",
    "return_to",
    "returnUrl",
    "next",
    "continue",
    "url",
    "target",
    "target_link_uri",
    "post_logout_redirect_uri",
    "RelayState",
    "SAMLRequest",
    "iss",
    "initiate_login_uri",
];

/// Every `Location` is our own, the provider's, or the registered redirect URI.
fn stays(house: &House, answer: &Answer, what: &str) {
    assert!(answer.headers.get("refresh").is_none(), "{what}");
    let Some(location) = answer.headers.get("location") else { return };
    let to: Url = answer.url.join(location.to_str().unwrap()).unwrap();
    let known = [house.url.as_str(), &house.idp_a.issuer, "https://rp1.test"];
    assert!(known.contains(&to.origin().ascii_serialization().as_str()), "{what}: {location:?}");
    let query: Vec<_> = to.query_pairs().into_owned().collect();
    let carried = to.path().contains("evil") || query.iter().any(|(_, value)| value.contains("evil"));
    assert!(!carried, "{what}: {location:?}");
}

#[tokio::test]
async fn h28_no_parameter_of_a_login_is_a_place_to_go() {
    let house = House::opens().await;
    let rp1 = Application::rp1(&house);
    for (at, place) in PLACES.iter().enumerate() {
        // All of them at once, and one after the other.
        let all =
            NAMES.iter().fold(rp1.asks().with("login_hint", "ann@a.test"), |ask, name| ask.with(name, place));
        let name = NAMES[at % NAMES.len()];
        for ask in [all, rp1.asks().with("login_hint", "ann@a.test").with(name, place)] {
            let mut ann = Visitor::arrives();
            let mut answer = ann.get(&ask.url()).await;
            for _ in 0..4 {
                let what = format!("{name}={place:?} at {}", answer.url.path());
                stays(&house, &answer, &what);
                let Some(mut to) = answer.location() else { panic!("{what}: {}", answer.body) };
                if to.as_str().starts_with("https://rp1.test/callback?code=") {
                    break;
                }
                if to.path().ends_with("/callback") && name != "iss" {
                    to.query_pairs_mut().append_pair(name, place);
                }
                answer = ann.get(to.as_str()).await;
            }
            let to = answer.location().unwrap();
            assert!(to.as_str().starts_with("https://rp1.test/callback?code="), "{to}");
        }
    }
}

#[tokio::test]
async fn h28_no_parameter_of_a_page_or_a_sign_out_is_a_place_to_go() {
    let house = House::opens().await;
    let ask = Application::rp1(&house).asks();
    for place in PLACES {
        let query = NAMES.iter().fold(form_urlencoded::Serializer::new(String::new()), |mut query, name| {
            query.append_pair(name, place);
            query
        });
        let query = { query }.finish();
        let mut ann = Person::new("ann@a.test");
        let page = ann.browser.get(&ask.url()).await;
        let flow = page.forms()[0].action.as_str().trim_end_matches("/identify").to_owned();
        for path in ["", "/organizations"] {
            let answer = ann.browser.get(&format!("{flow}{path}?{query}")).await;
            stays(&house, &answer, place);
            assert!(!answer.body.contains("evil"), "{place}: {}", answer.body);
        }
        let cancel = page.forms().pop().unwrap();
        let cancelled = NAMES.iter().fold(cancel, |form, name| form.with(name, place));
        let answer = ann.browser.submit(&cancelled).await;
        stays(&house, &answer, place);

        ann.follows(&ask).await.code();
        let url = format!("{}/logout", house.url);
        let answer = ann.browser.get(&format!("{url}?{query}")).await;
        stays(&house, &answer, place);
        assert!(!answer.body.contains("evil"), "{place}: {}", answer.body);
        assert_eq!(answer.status, 400, "nobody registered {place}");
        let answer = ann.browser.get(&url).await;
        let form = answer.form();
        let form = NAMES.iter().fold(form.with("sign_out", "yes"), |form, name| form.with(name, place));
        let answer = ann.browser.submit(&form).await;
        stays(&house, &answer, place);
        assert!(!answer.body.contains("evil"), "{place}: {}", answer.body);
    }
}

#[tokio::test]
async fn h28_no_path_is_a_place_to_go() {
    let house = House::opens().await;
    for path in [
        "//evil.test",
        "//evil.test/..",
        "/\\evil.test",
        "/%09/evil.test",
        "/%2f/evil.test",
        "/%5cevil.test",
        "/p//evil.test",
        "/p/default//evil.test",
        "/p/default/%2fevil.test",
        "/p/evil.test/authorize",
        "/login//evil.test",
        "/login/evil.test",
        "/oidc/evil.test/callback?state=x.y&code=z",
        "/.evil.test",
        "/logout//evil.test",
        "/authorize/?redirect_uri=https://evil.test",
        "/p",
        "/p/",
    ] {
        let answer = Visitor::arrives().get(&format!("{}{path}", house.url)).await;
        assert!(answer.location().is_none(), "{path}: {answer:?}");
        assert!(answer.status.is_client_error(), "{path}: {}", answer.status);
        assert!(!answer.body.contains("evil"), "{path}: {}", answer.body);
    }
    for path in ["/", "/p/default", "/?next=https://evil.test", "/p/default?next=//evil.test"] {
        let answer = Visitor::arrives().get(&format!("{}{path}", house.url)).await;
        assert_eq!((answer.status.as_u16(), answer.location()), (200, None), "{path}");
        assert!(!answer.body.contains("evil"), "{path}: {}", answer.body);
    }
}

#[tokio::test]
async fn h28_a_hostile_iss_of_the_provider_is_no_place_to_go() {
    let house = House::opens().await;
    for place in PLACES {
        let mut ann = Person::new("ann@a.test");
        let mut back = ann.is_sent_back(&Application::rp1(&house).asks()).await;
        let pairs: Vec<_> = back.query_pairs().into_owned().filter(|(name, _)| name != "iss").collect();
        back.query_pairs_mut().clear().extend_pairs(pairs).append_pair("iss", place);
        let before = house.before().await;
        let answer = ann.browser.get(back.as_str()).await;
        assert_eq!((answer.status.as_u16(), answer.location()), (400, None), "{place}");
        assert!(!answer.body.contains("evil"), "{place}");
        house.refused(&before, "iss_mismatch").await;
    }
}
