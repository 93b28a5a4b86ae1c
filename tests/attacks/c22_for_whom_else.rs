//! C22, M02: an application of others does not find out for whom else somebody acts. Wherever it may name an organization, it
//! is answered alike for every one that it was not allowed for, whether there is one, and however they stand to it.

use reqwest::Method;
use serde_json::{Value, json};

use crate::house::api::{Api, THIRD};
use crate::house::application::{Application, Ask, Person, Proof, Tokens, consent_form};
use crate::house::broker::{Engine, House, Plan, RP1_SECRET};
use crate::house::visitor::Answer;

const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";

/// What con has to do with each of these is said in [`ALIKE`]; and an application of others.
const MORE: &str = r#"
[organization.is-deactivated]
[organization.wants-a-factor]
[organization.wants-a-sign-in]
[organization.was-left]
[organization.is-foreign]

[application.guest]
display_name = "Guest"
client_secrets = [{ env = "RP1_SECRET" }]
redirect_uris = ["https://guest.test/callback"]
post_logout_redirect_uris = ["https://guest.test/bye"]
initiate_login_uri = "https://guest.test/login"
consent_required = true
grant_types = ["authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:token-exchange"]
"#;

/// They are a member, a delegate, a member who is to show more than they have, or who came by the wrong way; they were one;
/// they are none; there is no such organization.
const ALIKE: [&str; 8] = [
    "org-c",
    "org-b",
    "wants-a-factor",
    "wants-a-sign-in",
    "is-deactivated",
    "was-left",
    "is-foreign",
    "is-nowhere",
];

/// Where an organization is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Door {
    Refresh,
    Exchange,
    Silent,
    SilentScope,
    SilentPushed,
    Switch,
}

const DOORS: [Door; 6] =
    [Door::Refresh, Door::Exchange, Door::Silent, Door::SilentScope, Door::SilentPushed, Door::Switch];

/// How: by its slug, by its id, and by its slug beside the id of the one that the application was allowed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Name {
    Slug,
    Id,
    Beside,
}

/// The house, where con has allowed the guest to be told of them for `org-a`.
struct Scene {
    house: House,
    guest: Application,
    con: Person,
    tokens: Tokens,
    third: Api,
}

impl Scene {
    async fn opens(engine: Engine) -> Self {
        let house = Plan::on(engine).and(MORE).and(THIRD).build().await;
        let third = Api::by_consent(&house, "con@a.test", "org-a").await;
        let user = house.user("con@a.test").await;
        for member in ["org-c", "wants-a-factor", "wants-a-sign-in", "is-deactivated", "was-left"] {
            house.joins(user.parse().unwrap(), member, &["member"]).await;
        }
        for change in [
            "UPDATE organizations SET policy = '{\"require_mfa\":true}' WHERE slug = 'wants-a-factor'",
            "UPDATE organizations SET policy = '{\"enforcement\":\"required\"}' WHERE slug = 'wants-a-sign-in'",
            "UPDATE memberships SET status = 'removed'
             WHERE organization_id = (SELECT id FROM organizations WHERE slug = 'was-left')",
        ] {
            assert_eq!(house.execute(change).await, 1, "{change}");
        }
        let operator = Api::operator(&house).await;
        let shut = operator.send(Method::POST, "/organizations/is-deactivated/deactivate", |ask| ask).await;
        assert_eq!(shut.status, 200, "{}", shut.body);
        let guest = Application::new(&house, "guest", Proof::Basic(RP1_SECRET.to_owned()));
        let mut con = Person::new("con@a.test");
        let ask = asks(&guest).with("organization", "org-a").with("login_hint", "con@a.test");
        let tokens = ask.redeems(&con.follows(&ask).await).await;
        Self { house, guest, con, tokens, third }
    }

    async fn id(&self, slug: &str) -> String {
        match slug {
            "is-nowhere" => "org_00000000000000000000000007".to_owned(),
            slug => self.house.organization(slug).await,
        }
    }

    /// What is asked with, as the parameters of a door.
    async fn named(&self, slug: &str, name: Name) -> Vec<(&'static str, String)> {
        match name {
            Name::Slug => vec![("organization", slug.to_owned())],
            Name::Id => vec![("organization", self.id(slug).await)],
            Name::Beside => {
                vec![("organization", slug.to_owned()), ("organization_id", self.id("org-a").await)]
            }
        }
    }

    /// What the guest sees of the answer: all but what it has said itself, and what is another one each time.
    async fn sees(&mut self, door: Door, slug: &str, name: Name) -> String {
        let named = self.named(slug, name).await;
        let said = named[0].1.clone();
        let with = |ask: Ask| named.iter().fold(ask, |ask, (name, value)| ask.with(name, value));
        let silent = asks(&self.guest).with("prompt", "none");
        let (answer, state) = match door {
            Door::Refresh => {
                let refresh = self.guest.refreshes(self.tokens.refresh());
                let refresh = named.iter().fold(refresh, |ask, (name, value)| ask.with(name, value));
                (refresh.send().await, None)
            }
            Door::Exchange => {
                let token = self.tokens.access_token.as_str();
                let fields = [
                    ("grant_type", EXCHANGE),
                    ("subject_token", token),
                    ("subject_token_type", ACCESS_TOKEN),
                ];
                let exchange = self.guest.posts("/token", &fields);
                let exchange = named.iter().fold(exchange, |ask, (name, value)| ask.with(name, value));
                (exchange.send().await, None)
            }
            Door::Silent => {
                let ask = with(silent);
                (self.con.browser.get(&ask.url()).await, ask.value("state").map(str::to_owned))
            }
            Door::SilentScope => {
                let ask = named[1..].iter().fold(silent, |ask, (name, value)| ask.with(name, value));
                let ask = ask.with("scope", &format!("openid organization:{said}"));
                (self.con.browser.get(&ask.url()).await, ask.value("state").map(str::to_owned))
            }
            Door::SilentPushed => {
                let ask = with(silent);
                let url = ask.only("request_uri", &ask.pushed().await);
                (self.con.browser.get(&url).await, ask.value("state").map(str::to_owned))
            }
            Door::Switch => {
                let body = json!({ "organization_id": said });
                (self.third.post("/organizations/switch", body).await, None)
            }
        };
        seen(&answer, &said, state.as_deref())
    }
}

fn asks(guest: &Application) -> Ask {
    guest.asks().with("scope", "openid organization")
}

fn seen(answer: &Answer, said: &str, state: Option<&str>) -> String {
    let another = ["date", "content-length", "set-cookie", "x-request-id"];
    let mut headers: Vec<_> = answer
        .headers
        .iter()
        .map(|(name, value)| match name.as_str() {
            other if another.contains(&other) => other.to_owned(),
            name => format!("{name}: {}", value.to_str().unwrap()),
        })
        .collect();
    headers.sort();
    let mut body: Value = serde_json::from_str(&answer.body).unwrap_or(json!(answer.body));
    if let Some(body) = body.as_object_mut() {
        body.remove("request_id");
    }
    let text = format!("{} {headers:?} {body}", answer.status);
    text.replace(said, "what it asked for").replace(state.unwrap_or("no state"), "its state")
}

#[tokio::test]
async fn c22_m02_whatever_it_was_not_allowed_for_reads_alike_at_every_door() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let mut scene = Scene::opens(engine).await;
        for name in [Name::Slug, Name::Id, Name::Beside] {
            for door in DOORS.into_iter().filter(|door| *door != Door::Switch || name != Name::Beside) {
                let mut first = None;
                for slug in ALIKE {
                    let before = scene.house.before().await;
                    let saw = scene.sees(door, slug, name).await;
                    let reason = if door == Door::Switch { "not_a_member" } else { "consent_required" };
                    assert!(saw.contains(reason), "{door:?} {name:?} {slug}: {saw}");
                    assert_eq!(*first.get_or_insert(saw.clone()), saw, "{door:?} {name:?} {slug}");
                    scene.house.refused(&before, reason).await;
                    // Nor does anybody there read of it, who may have nothing to do with them.
                    let (events, id) = (scene.house.events_since(&before).await, scene.id(slug).await);
                    let told = events.iter().any(|event| event.organization.as_ref() == Some(&id));
                    assert!(!told, "{door:?} {name:?} {slug}");
                }
            }
        }
        // For what it was allowed, all of it goes on.
        let again = scene.guest.refreshes(scene.tokens.refresh()).with("organization", "org-a").send().await;
        assert_eq!(asks(&scene.guest).reads_again(&again).await.access["org_name"], json!("org-a"));
        let silent = asks(&scene.guest).with("prompt", "none").with("organization", "org-a");
        scene.con.follows(&silent).await.code();
    }
}

#[tokio::test]
async fn c22_m02_where_the_person_is_at_hand_they_read_what_is_the_matter_and_it_hears_what_they_say() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let mut scene = Scene::opens(engine).await;
        let mut heard = Vec::new();
        for slug in ALIKE {
            let ask = asks(&scene.guest).with("organization", slug);
            let first = scene.con.browser.get(&ask.url()).await;
            let page = scene.con.walks(&ask, first, |_| false).await;
            assert_eq!(page.answer.location(), None, "{slug}: {}", page.told());
            let is_asked = ["org-c", "org-b"].contains(&slug);
            assert_eq!(consent_form(&page.answer).is_some(), is_asked, "{slug}: {}", page.told());
            // They do not want to.
            let before = scene.house.before().await;
            let no = match consent_form(&page.answer) {
                Some(form) => form.with("answer", "deny"),
                None => {
                    let forms = page.answer.forms();
                    let cancel = forms.into_iter().find(|form| form.action.path().ends_with("/cancel"));
                    cancel.unwrap_or_else(|| panic!("{slug}: {}", page.told()))
                }
            };
            let answer = scene.con.browser.submit(&no).await;
            let location = answer.header("location").unwrap_or_default().to_owned();
            heard.push(location.replace(ask.value("state").unwrap(), "its state"));
            scene.house.refused_for_one_of(&before, &["consent_denied", "cancelled"]).await;
        }
        heard.dedup();
        assert!(heard.len() == 1 && heard[0].contains("error=access_denied"), "{heard:#?}");
    }
}

#[tokio::test]
async fn c22_m02_nobody_is_sent_anywhere_silently_for_it_nor_signed_out_of_what_is_not_its_own() {
    let silent = "client_id = \"behalf\"\n";
    let allows = format!("{silent}silent_sign_in = true\n");
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let house = Plan::on(engine).with(silent, &allows).and(MORE).build().await;
        let guest = Application::new(&house, "guest", Proof::Basic(RP1_SECRET.to_owned()));
        // Whether they are signed in at a company's provider is not told by whether they come back from there.
        for (name, value) in [("organization", "org-a"), ("connection", "ca"), ("login_hint", "con@a.test")] {
            let before = house.before().await;
            let ask = asks(&guest).with("prompt", "none").with(name, value);
            let arrival = Person::new("con@a.test").follows(&ask).await;
            assert_eq!(arrival.error().0, "login_required", "{name}");
            assert_eq!(house.idp_a.hits("/authorize"), 0, "{name}");
            house.refused(&before, "login_required").await;
        }
        // Nor, where they are signed in here, who they are and who has vouched for them.
        let mut con = Person::new("con@a.test");
        let rp1 = Application::rp1(&house);
        let ask = rp1.asks().with("organization", "org-b").with("login_hint", "con@a.test");
        let of_b = ask.redeems(&con.follows(&ask).await).await;
        for (name, value) in [
            ("connection", "ca"),
            ("connection", "cb"),
            ("domain_hint", "a.test"),
            ("domain_hint", "b.test"),
            ("login_hint", "con@a.test"),
            ("login_hint", "bob@b.test"),
            ("login_hint", "nobody@nowhere.test"),
        ] {
            let before = house.before().await;
            let ask = asks(&guest).with("prompt", "none").with(name, value);
            assert_eq!(con.follows(&ask).await.error().0, "consent_required", "{name} {value}");
            house.refused(&before, "consent_required").await;
        }
        // By an ID token of its own it ends what it was allowed for, and asks the person of the rest.
        let ask = asks(&guest).with("organization", "org-a");
        let code = con.follows(&ask).await.code();
        let id_token = ask.redemption(&code).send().await.json()["id_token"].as_str().unwrap().to_owned();
        let leaves = |organization: &str| {
            let query = form_urlencoded::Serializer::new(String::new())
                .append_pair("id_token_hint", &id_token)
                .append_pair("organization", organization)
                .append_pair("post_logout_redirect_uri", "https://guest.test/bye")
                .finish();
            format!("{}/logout?{query}", house.url)
        };
        let before = house.before().await;
        for organization in ["org-b", "is-foreign", "is-nowhere"] {
            let answer = con.browser.get(&leaves(organization)).await;
            assert_eq!(answer.location(), None, "{organization}");
        }
        house.unchanged(&before).await;
        assert_eq!(rp1.userinfo(&of_b.access_token).await.status, 200);
        let own = con.browser.get(&leaves("org-a")).await;
        assert_eq!(own.header("location"), Some("https://guest.test/bye"));
    }
}

/// For whom con acts besides the organization that the guest was allowed for: whether by a delegation, as a member of which,
/// and to which they have switched.
const ELSEWHERE: [(bool, &[&str], Option<&str>); 5] = [
    (false, &[], None),
    (true, &[], None),
    (false, &["org-c"], None),
    (false, &["org-c", "wants-a-factor", "is-foreign"], None),
    (false, &["org-c"], Some("org-c")),
];

/// What becomes of the one for which it was allowed.
const THEN: [Option<&str>; 3] = [
    None,
    Some("UPDATE organizations SET deactivated_at = 1, epoch = epoch + 1 WHERE slug = 'org-a'"),
    Some(
        "UPDATE memberships SET status = 'removed'
         WHERE organization_id = (SELECT id FROM organizations WHERE slug = 'org-a')",
    ),
];

#[tokio::test]
async fn c22_m02_where_none_is_named_an_application_of_others_is_told_as_if_there_were_no_other() {
    for (engine, prompt) in [(Engine::Sqlite, "after"), (Engine::Sqlite, "none"), (Engine::Postgres, "after")]
    {
        for then in THEN {
            let mut first = None;
            for elsewhere in ELSEWHERE {
                let more = format!("{MORE}organization_prompt = \"{prompt}\"\n");
                let house = Plan::on(engine).and(&more).build().await;
                let (mut con, guest) = allowed_for_a(&house, elsewhere).await;
                if let Some(then) = then {
                    assert_eq!(house.execute(then).await, 1);
                }
                let mut heard = Vec::new();
                for scope in ["openid", "openid organization"] {
                    let silent = guest.asks().with("scope", scope).with("prompt", "none");
                    let arrival = con.follows(&silent).await;
                    heard.push(match arrival.told_application("code") {
                        Some(_) => silent.redeems(&arrival).await.id["org_name"].to_string(),
                        None => format!("{:?}", arrival.error()),
                    });
                }
                assert_eq!(*first.get_or_insert(heard.clone()), heard, "{prompt} {then:?} {elsewhere:?}");
            }
            let (heard, of_a) = (first.unwrap(), ["\"org-a\"", "\"org-a\""]);
            assert_eq!(heard == of_a, then.is_none(), "{prompt} {then:?}: {heard:?}");
        }
    }
}

/// Con, who has allowed the guest to be told of them for `org-a`, and acts for these as well.
async fn allowed_for_a(
    house: &House,
    (by_delegation, joins, current): (bool, &[&str], Option<&str>),
) -> (Person, Application) {
    let guest = Application::new(house, "guest", Proof::Basic(RP1_SECRET.to_owned()));
    let mut con = Person::new("con@a.test");
    let ask = asks(&guest).with("organization", "org-a").with("login_hint", "con@a.test");
    con.follows(&ask).await.code();
    if !by_delegation {
        assert_eq!(house.execute("UPDATE delegations SET revoked_at = 1").await, 1);
    }
    let user = house.user("con@a.test").await;
    for organization in joins {
        house.joins(user.parse().unwrap(), organization, &["member"]).await;
    }
    if let Some(current) = current {
        let there = format!("FROM organizations WHERE slug = '{current}'");
        let switch = format!(
            "UPDATE sessions SET current_organization_id = (SELECT id {there}),
             current_epoch = (SELECT epoch {there})"
        );
        assert_eq!(house.execute(&switch).await, 1);
    }
    (con, guest)
}

#[tokio::test]
async fn c22_m02_that_they_act_for_nobody_is_for_the_person_to_read() {
    let must = "organization_usage = \"require\"\n";
    let house = Plan::default().and(MORE).and(must).build().await;
    let (mut con, guest) = allowed_for_a(&house, ELSEWHERE[0]).await;
    assert_eq!(house.execute(THEN[2].unwrap()).await, 1);
    let before = house.before().await;
    let page = con.follows(&asks(&guest)).await;
    assert_eq!((page.status(), page.answer.location()), (403, None), "{}", page.told());
    house.refused(&before, "no_organization").await;
    let cancel =
        page.answer.forms().into_iter().find(|form| form.action.path().ends_with("/cancel")).unwrap();
    let answer = con.browser.submit(&cancel).await;
    let told = answer.header("location").unwrap_or_default();
    assert!(told.contains("error=access_denied") && !told.contains("no_organization"), "{told}");
}
