//! Applications are told of sessions that ended (OpenID Connect Back-Channel Logout 1.0): once each, soon, until they have
//! heard it, and across nodes that die.

use std::collections::BTreeSet;
use std::process::{Child, Command, Stdio};

use behalf::broker::Broker;
use behalf::chores::logouts::{self, Rounds};
use behalf::foundation::clock::Clock;
use behalf::foundation::random::Random;
use behalf::protocol::jose::Algorithm;
use reqwest::Method;
use serde_json::{Value, json};

use crate::house::api::Api;
use crate::house::application::{Application, Ask, Person};
use crate::house::broker::{Engine, House, Plan};
use crate::house::ear::{Answers, Ear};
use crate::house::form::Form;
use crate::house::node::Node;
use crate::house::ports::free_port;

const ENGINES: [Engine; 2] = [Engine::Sqlite, Engine::Postgres];
const HOUR: u64 = 3_600;
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

/// The default house, where `rp1` and `rp2` hear; and `rp3`, which signs otherwise, hears too.
fn plan(engine: Engine, ear: &Ear) -> Plan {
    let heard = |client: &str| {
        format!(
            "redirect_uris = [\"https://{client}.test/callback\"]\n\
             backchannel_logout_uri = \"{}/{client}\"\n",
            ear.url
        )
    };
    let of = |client: &str| format!("redirect_uris = [\"https://{client}.test/callback\"]\n");
    let third = format!(
        "\n[application.rp3]\ndisplay_name = \"Third App\"\ntype = \"spa\"\nsigning_algorithm = \"ES256\"\n\
         scopes = [\"openid\", \"profile\", \"email\", \"organization\", \"organizations\", \"roles\", \"permissions\"]\n{}\
         \n[application.deaf]\ndisplay_name = \"Deaf App\"\ntype = \"spa\"\n\
         scopes = [\"openid\", \"profile\", \"email\", \"organization\", \"organizations\", \"roles\", \"permissions\"]\n{}",
        heard("rp3"),
        of("deaf")
    );
    Plan::on(engine).with(&of("rp1"), &heard("rp1")).with(&of("rp2"), &heard("rp2")).and(&third)
}

fn public(house: &House, client: &str) -> Application {
    Application::new(house, client, crate::house::application::Proof::Nothing)
}

/// Signs in, and gets tokens; the claims of the ID token.
async fn enters(person: &mut Person, ask: &Ask) -> Value {
    let arrival = person.follows(ask).await;
    ask.redeems(&arrival).await.id
}

async fn acts_for(person: &mut Person, ask: &Ask, organization: &str) -> Value {
    let arrival = person.acts_for(ask, organization).await;
    ask.redeems(&arrival).await.id
}

async fn signs_out(house: &House, person: &mut Person) {
    let page = person.browser.get(&format!("{}/logout", house.url)).await;
    let done = person.browser.submit(&page.form().with("sign_out", "yes")).await;
    assert_eq!(done.status, 200, "{}", done.body);
}

#[tokio::test]
async fn m03_every_application_of_the_session_is_told_once_and_no_other() {
    for engine in ENGINES {
        let ear = Ear::opens().await;
        let house = plan(engine, &ear).build().await;
        let (mut ann, mut bob) = (Person::new("ann@a.test"), Person::new("bob@b.test"));
        let told = enters(&mut ann, &Application::rp1(&house).asks()).await;
        enters(&mut ann, &Application::rp1(&house).asks()).await;
        enters(&mut ann, &public(&house, "rp3").asks()).await;
        enters(&mut ann, &public(&house, "deaf").asks()).await;
        // An answer that was never taken up is nothing to be told of.
        ann.follows(&Application::rp2(&house).asks()).await.code();
        enters(&mut bob, &Application::rp2(&house).asks()).await;
        assert_eq!(house.tells().await, 0, "nobody has signed out");
        signs_out(&house, &mut ann).await;
        assert_eq!(house.tells().await, 2);
        assert_eq!(house.tells().await, 0, "once");
        assert!(ear.heard("rp2").is_empty() && ear.heard("deaf").is_empty());
        let mut jtis = BTreeSet::new();
        for client in ["rp1", "rp3"] {
            let [claims] = <[_; 1]>::try_from(ear.claims(&house, client).await).unwrap();
            let names: Vec<_> = claims.keys().map(String::as_str).collect();
            assert_eq!(names, ["aud", "events", "exp", "iat", "iss", "jti", "sid", "sub"], "and no nonce");
            assert_eq!((&claims["iss"], &claims["aud"]), (&json!(house.url), &json!(client)));
            assert_eq!((&claims["sub"], &claims["sid"]), (&told["sub"], &told["sid"]));
            assert_eq!(claims["events"], json!({ EVENT: {} }));
            let now = house.broker.now().seconds();
            assert_eq!((&claims["iat"], &claims["exp"]), (&json!(now), &json!(now + 120)));
            jtis.insert(claims["jti"].as_str().unwrap().to_owned());
        }
        assert_eq!(jtis.len(), 2);
        let algorithm =
            |client| behalf::protocol::jose::Jws::parse(&ear.heard(client)[0]).unwrap().algorithm();
        assert_eq!((algorithm("rp1"), algorithm("rp3")), (Algorithm::RS256, Algorithm::ES256));
        for table in ["sign_outs", "logout_notices"] {
            assert_eq!(house.count(table).await, 0, "{table}");
        }
        assert_eq!(house.count("session_applications").await, 1, "bob's");
    }
}

/// npm `jose`, by another author, takes the token as a client library would.
#[tokio::test]
async fn m03_m05_a_logout_token_is_one_for_others_and_no_id_token() {
    let ear = Ear::opens().await;
    let house = plan(Engine::Sqlite, &ear).build().await;
    let mut ann = Person::new("ann@a.test");
    enters(&mut ann, &Application::rp1(&house).asks()).await;
    signs_out(&house, &mut ann).await;
    house.tells().await;
    let token = ear.heard("rp1").pop().unwrap();
    let mut jose = Node::start("logout_token", json!({})).await;
    let at = house.broker.now().seconds();
    let ask = |typ: &str, audience: &str| {
        json!({"token": token, "jwks_uri": format!("{}/jwks.json", house.url), "issuer": house.url,
               "audience": audience, "typ": typ, "at": at})
    };
    let claims = jose.ask("verify", ask("logout+jwt", "rp1")).await;
    assert_eq!(claims["events"], json!({ EVENT: {} }));
    assert!(jose.try_ask("verify", ask("JWT", "rp1")).await.is_err());
    assert!(jose.try_ask("verify", ask("logout+jwt", "rp2")).await.is_err());
    // Nor does it open anything of ours.
    let rp1 = Application::rp1(&house);
    assert_eq!(rp1.userinfo(&token).await.status, 401);
}

#[tokio::test]
async fn m03_an_application_that_does_not_listen_is_told_again_and_given_up_after_a_day() {
    for engine in ENGINES {
        let ear = Ear::opens().await;
        let house = plan(engine, &ear).build().await;
        let mut ann = Person::new("ann@a.test");
        let id = enters(&mut ann, &Application::rp1(&house).asks()).await;
        signs_out(&house, &mut ann).await;
        ear.answers("rp1", Answers::Status(503));
        assert_eq!(house.tells().await, 0);
        assert_eq!(house.tells().await, 0);
        assert_eq!(ear.heard("rp1").len(), 1, "not before its time");
        for how in [400, 302, 500] {
            ear.answers("rp1", Answers::Status(how));
            house.turn_clock(60);
            assert_eq!(house.tells().await, 0, "{how}");
        }
        assert_eq!(ear.heard("rp1").len(), 4);
        let jtis: BTreeSet<_> =
            ear.claims(&house, "rp1").await.iter().map(|claims| claims["jti"].to_string()).collect();
        assert_eq!(jtis.len(), 4, "each try is a token of its own");
        for _ in 0..24 {
            house.turn_clock(HOUR);
            assert_eq!(house.tells().await, 0);
        }
        assert_eq!(house.count("logout_notices").await, 0);
        let events = house.audit().await;
        let given_up: Vec<_> = events.iter().filter(|event| event.action == "logout.given_up").collect();
        assert_eq!(given_up.len(), 1);
        assert_eq!(given_up[0].detail["failure"], "status_500");
        assert_eq!(given_up[0].detail["user"], id["sub"]);
        let heard = ear.heard("rp1").len();
        house.turn_clock(24 * HOUR);
        assert_eq!((house.tells().await, ear.heard("rp1").len()), (0, heard), "not again");
    }
}

#[tokio::test]
async fn m03_an_application_that_hears_again_is_told() {
    let ear = Ear::opens().await;
    let house = plan(Engine::Sqlite, &ear).build().await;
    let mut ann = Person::new("ann@a.test");
    enters(&mut ann, &Application::rp1(&house).asks()).await;
    signs_out(&house, &mut ann).await;
    ear.answers("rp1", Answers::Status(503));
    assert_eq!(house.tells().await, 0);
    ear.answers("rp1", Answers::Status(204));
    house.turn_clock(5);
    assert_eq!(house.tells().await, 1);
    assert_eq!(house.events_of("logout.given_up").await, 0);
}

#[tokio::test]
async fn m03_one_that_says_nothing_holds_up_neither_the_person_nor_the_others() {
    for engine in ENGINES {
        let ear = Ear::opens().await;
        let house = plan(engine, &ear).build().await;
        ear.answers("rp1", Answers::Never);
        let (mut ann, mut bob) = (Person::new("ann@a.test"), Person::new("bob@b.test"));
        enters(&mut ann, &Application::rp1(&house).asks()).await;
        enters(&mut ann, &Application::rp2(&house).asks()).await;
        enters(&mut bob, &Application::rp2(&house).asks()).await;
        let mut rounds = Rounds::default();
        signs_out(&house, &mut ann).await;
        rounds.begin(&house.broker).await.unwrap();
        ear.hears("rp1", 1).await;
        ear.hears("rp2", 1).await;
        // While the first is still waited for, the second hears of the next.
        signs_out(&house, &mut bob).await;
        while ear.heard("rp2").len() < 2 {
            rounds.begin(&house.broker).await.unwrap();
            tokio::task::yield_now().await;
        }
        assert_eq!(ear.heard("rp1").len(), 1);
        assert!(house.count("logout_notices").await >= 1);
    }
}

#[tokio::test]
async fn m03_two_nodes_tell_each_application_once() {
    for engine in ENGINES {
        let ear = Ear::opens().await;
        let house = plan(engine, &ear).build().await;
        let other = match engine {
            Engine::Postgres => Some(house.second_node().await),
            Engine::Sqlite => None,
        };
        let second = other.as_ref().map_or(&house.broker, |node| &node.broker);
        let mut people = Vec::new();
        for _ in 0..15 {
            let mut ann = Person::new("ann@a.test");
            enters(&mut ann, &Application::rp1(&house).asks()).await;
            people.push(ann);
        }
        for ann in &mut people {
            signs_out(&house, ann).await;
        }
        let (one, two) = tokio::join!(logouts::send(&house.broker), logouts::send(second));
        assert_eq!(one.unwrap() + two.unwrap() + house.tells().await, 15);
        let sids: BTreeSet<_> =
            ear.claims(&house, "rp1").await.iter().map(|claims| claims["sid"].to_string()).collect();
        assert_eq!((sids.len(), ear.heard("rp1").len()), (15, 15));
    }
}

#[tokio::test]
async fn c27_an_application_inside_our_network_is_not_told() {
    let ear = Ear::opens().await;
    let house = plan(Engine::Sqlite, &ear).build().await;
    let mut ann = Person::new("ann@a.test");
    enters(&mut ann, &Application::rp1(&house).asks()).await;
    signs_out(&house, &mut ann).await;
    let mut config = house.broker.config.clone();
    config.egress.allow_loopback_and_http = false;
    let guarded = Broker::open(config, house.clock.clone(), Random::System).await.unwrap();
    assert_eq!(logouts::send(&guarded).await.unwrap(), 0);
    assert!(ear.heard("rp1").is_empty());
    house.turn_clock(5);
    assert_eq!(house.tells().await, 1);
}

#[tokio::test]
async fn s0_30_a_deactivated_organization_ends_what_applications_have_for_it_and_nothing_else() {
    for engine in ENGINES {
        let ear = Ear::opens().await;
        let house = plan(engine, &ear).build().await;
        let (mut con, mut bob) = (Person::new("con@a.test"), Person::new("bob@b.test"));
        let own = acts_for(&mut con, &Application::rp1(&house).asks(), "A Corporation").await;
        let other = acts_for(&mut con, &Application::rp2(&house).asks(), "B Corporation").await;
        let bobs = enters(&mut bob, &Application::rp1(&house).asks()).await;
        let operator = Api::operator(&house).await;
        let path = "/organizations/org-b/deactivate";
        let done = operator.send(Method::POST, path, |request| request).await;
        assert!(done.status.is_success(), "{}", done.body);
        assert_eq!(house.tells().await, 2, "bob at rp1, con at rp2");
        let b = json!(house.organization("org-b").await);
        let [at_rp1] = <[_; 1]>::try_from(ear.claims(&house, "rp1").await).unwrap();
        assert_eq!((&at_rp1["sid"], &at_rp1["org_id"]), (&bobs["sid"], &b));
        let [at_rp2] = <[_; 1]>::try_from(ear.claims(&house, "rp2").await).unwrap();
        assert_eq!((&at_rp2["sid"], &at_rp2["org_id"]), (&other["sid"], &b));
        // What con has for A goes on, and is told of when con signs out.
        signs_out(&house, &mut con).await;
        assert_eq!(house.tells().await, 1);
        let last = ear.claims(&house, "rp1").await.pop().unwrap();
        assert_eq!((&last["sid"], last.get("org_id")), (&own["sid"], None));
    }
}

#[tokio::test]
async fn m03_only_what_was_had_for_one_organization_is_told_when_only_that_is_left() {
    let ear = Ear::opens().await;
    let house = plan(Engine::Sqlite, &ear).build().await;
    let mut con = Person::new("con@a.test");
    acts_for(&mut con, &Application::rp1(&house).asks(), "A Corporation").await;
    let other = acts_for(&mut con, &Application::rp2(&house).asks(), "B Corporation").await;
    let page = con.browser.get(&format!("{}/logout?organization=org-b", house.url)).await;
    let left = con.browser.submit(&page.form().with("sign_out", "organization")).await;
    assert!(left.body.contains("You are signed out of B Corporation"), "{}", left.body);
    assert_eq!(house.tells().await, 1);
    let [claims] = <[_; 1]>::try_from(ear.claims(&house, "rp2").await).unwrap();
    assert_eq!(
        (&claims["sid"], &claims["org_id"]),
        (&other["sid"], &json!(house.organization("org-b").await))
    );
    signs_out(&house, &mut con).await;
    assert_eq!(house.tells().await, 1);
    assert_eq!((ear.heard("rp1").len(), ear.heard("rp2").len()), (1, 1));
}

#[tokio::test]
async fn h05_whoever_is_suspended_or_shut_out_is_signed_out_of_what_they_had() {
    for engine in ENGINES {
        let ear = Ear::opens().await;
        let house = plan(engine, &ear).build().await;
        let mut con = Person::new("con@a.test");
        let own = acts_for(&mut con, &Application::rp1(&house).asks(), "A Corporation").await;
        acts_for(&mut con, &Application::rp2(&house).asks(), "B Corporation").await;
        let user = own["sub"].as_str().unwrap().to_owned();
        let operator = Api::operator(&house).await;
        // As a member of A, con acts for B as well: both are over.
        let path = format!("/organizations/org-a/members/{user}");
        let done = operator.patch(&path, json!({"status": "suspended"})).await;
        assert_eq!(done.status, 200, "{}", done.body);
        assert_eq!(house.tells().await, 2);
        let heard = |client| ear.heard(client).len();
        assert_eq!((heard("rp1"), heard("rp2")), (1, 1));

        let mut bob = Person::new("bob@b.test");
        enters(&mut bob, &Application::rp1(&house).asks()).await;
        enters(&mut Person::new("bob@b.test"), &Application::rp2(&house).asks()).await;
        let user = house.user("bob@b.test").await;
        house.execute("UPDATE memberships SET roles = '[\"member\"]'").await;
        house.execute("DELETE FROM membership_roles").await;
        let gone = operator.patch(&format!("/users/{user}"), json!({"disabled": true})).await;
        assert_eq!(gone.status, 200, "{}", gone.body);
        assert_eq!(house.tells().await, 2, "in both browsers");
    }
}

#[tokio::test]
async fn s2_22_what_was_had_by_a_delegation_ends_with_it() {
    let ear = Ear::opens().await;
    let house = plan(Engine::Sqlite, &ear).build().await;
    let mut con = Person::new("con@a.test");
    acts_for(&mut con, &Application::rp1(&house).asks(), "A Corporation").await;
    let other = acts_for(&mut con, &Application::rp2(&house).asks(), "B Corporation").await;
    let id = house.text("SELECT id FROM delegations").await.unwrap();
    let operator = Api::operator(&house).await;
    let done = operator.post(&format!("/delegations/{id}/revoke"), json!({"side": "home"})).await;
    assert!(done.status.is_success(), "{}", done.body);
    assert_eq!(house.tells().await, 1);
    let [claims] = <[_; 1]>::try_from(ear.claims(&house, "rp2").await).unwrap();
    assert_eq!(
        (&claims["sid"], &claims["org_id"]),
        (&other["sid"], &json!(house.organization("org-b").await))
    );
}

/// `behalf serve`, in a process of its own.
struct Process(Child);

impl Process {
    fn start(house: &House, folder: &std::path::Path) -> Self {
        let config = &house.broker.config;
        let settings = format!(
            "[server]\nlisten = \"127.0.0.1:{}\"\npublic_url = \"{}\"\n[database]\nurl = \"{}\"\n\
             [keys]\nfolder = \"{}\"\n[egress]\nallow_loopback_and_http = true\n[login]\nnotice_interval = 1\n",
            free_port(),
            house.url,
            config.database.url,
            folder.display()
        );
        let path = folder.join("behalf.toml");
        std::fs::write(&path, settings).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_behalf"));
        command.args(["serve", "--config"]).arg(path).env_clear();
        command.env("BEHALF_MASTER_KEY", "5a".repeat(32));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Self(command.spawn().unwrap())
    }

    /// As `kill -9` does.
    fn dies(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn m03_what_an_application_is_to_be_told_survives_a_node_that_is_killed() {
    for engine in ENGINES {
        let ear = Ear::opens().await;
        let plan = Plan { clock: Clock::System, ..plan(engine, &ear) };
        let house = plan.build().await;
        let mut ann = Person::new("ann@a.test");
        let id = enters(&mut ann, &Application::rp1(&house).asks()).await;
        signs_out(&house, &mut ann).await;
        ear.answers("rp1", Answers::Never);
        let folder = tempfile::tempdir().unwrap();
        let first = Process::start(&house, folder.path());
        ear.hears("rp1", 1).await;
        first.dies();
        assert_eq!(house.count("logout_notices").await, 1);
        // Its turn is over.
        house.execute("UPDATE logout_notices SET claimed_until = 0").await;
        ear.answers("rp1", Answers::Status(200));
        let second = Process::start(&house, folder.path());
        let heard = ear.hears("rp1", 2).await;
        assert_ne!(heard[0], heard[1]);
        let claims = ear.claims(&house, "rp1").await.pop().unwrap();
        assert_eq!((&claims["sid"], &claims["sub"]), (&id["sid"], &id["sub"]));
        while house.count("logout_notices").await > 0 {
            tokio::task::yield_now().await;
        }
        second.dies();
        assert_eq!(ear.heard("rp1").len(), 2);
    }
}

#[tokio::test]
async fn m03_an_application_that_is_taken_everything_is_told_and_no_other() {
    for engine in ENGINES {
        let ear = Ear::opens().await;
        let house = plan(engine, &ear).build().await;
        let mut con = Person::new("con@a.test");
        let (rp1, rp3) = (Application::rp1(&house), public(&house, "rp3"));
        let mut told = Vec::new();
        for (application, organization) in [(&rp1, "org-a"), (&rp1, "org-b"), (&rp3, "org-a")] {
            let ask = application.asks().with("organization", organization);
            told.push(enters(&mut con, &ask.with("login_hint", "con@a.test")).await);
        }
        let applications = con.browser.get(&format!("{}/account/applications", house.url)).await;
        let b = house.organization("org-b").await;
        let form = applications.forms().into_iter().find(|form| form.value("organization") == Some(&b));
        let done = con.browser.submit(&form.unwrap()).await;
        assert_eq!(done.status, 303, "{}", done.body);
        assert_eq!(
            (house.tells().await, house.tells().await),
            (1, 0),
            "of that organization alone, and once"
        );
        // Whoever comes back at once is not signed out by what ended before.
        let id = house.text("SELECT id FROM applications WHERE client_id = 'rp1'").await.unwrap();
        let ends = |form: &Form| form.action.path().contains(&id) && form.value("organization") != Some(&b);
        let form = applications.forms().into_iter().find(ends);
        let done = con.browser.submit(&form.unwrap()).await;
        assert_eq!(done.status, 303, "{}", done.body);
        let again = enters(&mut con, &rp1.asks().with("organization", "org-a")).await;
        assert_eq!(again["sid"], told[0]["sid"], "the session goes on");
        assert_eq!(house.tells().await, 0);
        let claims = ear.claims(&house, "rp1").await;
        assert_eq!(claims.len(), 1, "{claims:?}");
        assert_eq!((&claims[0]["sub"], &claims[0]["sid"]), (&told[0]["sub"], &told[0]["sid"]));
        assert_eq!(claims[0]["org_id"], json!(b));
        assert!(ear.heard("rp3").is_empty(), "what it holds goes on");
        assert_eq!(house.count("session_applications").await, 2, "rp3's, and rp1's since");
    }
}

#[tokio::test]
async fn m03_what_ended_before_does_not_end_what_the_same_session_begins_afterwards() {
    for engine in ENGINES {
        let ear = Ear::opens().await;
        let house = plan(engine, &ear).build().await;
        let mut con = Person::new("con@a.test");
        let rp1 = Application::rp1(&house);
        let asks = |organization: &str| {
            rp1.asks().with("organization", organization).with("login_hint", "con@a.test")
        };
        let id = house.text("SELECT id FROM applications WHERE client_id = 'rp1'").await.unwrap();
        let leaves = async |con: &mut Person, what: &str| {
            let page = con.browser.get(&format!("{}/{what}", house.url)).await;
            let (done, status) = match what {
                "account/applications" => {
                    let end = |form: &Form| form.action.path() == format!("/account/applications/{id}/end");
                    (con.browser.submit(&page.forms().into_iter().find(end).unwrap()).await, 303)
                }
                _ => (con.browser.submit(&page.form().with("sign_out", "organization")).await, 200),
            };
            assert_eq!(done.status, status, "{what}: {}", done.body);
        };
        // The application does not answer; by the time it does, the person is there again, in the same session.
        for (turn, what) in ["logout?organization=org-a", "account/applications"].into_iter().enumerate() {
            ear.answers("rp1", Answers::Status(503));
            let first = enters(&mut con, &asks("org-a")).await;
            leaves(&mut con, what).await;
            house.tells().await;
            let heard = ear.heard("rp1").len();
            let again = enters(&mut con, &asks("org-a")).await;
            assert_eq!(again["sid"], first["sid"], "{what}: the session goes on");
            ear.answers("rp1", Answers::Status(200));
            house.turn_clock(HOUR);
            assert_eq!(house.tells().await, 0, "{what}");
            assert_eq!((ear.heard("rp1").len(), house.count("logout_notices").await), (heard, 0), "{what}");
            // Nor what has not been put in line yet.
            leaves(&mut con, what).await;
            enters(&mut con, &asks("org-a")).await;
            assert_eq!((house.tells().await, ear.heard("rp1").len()), (0, heard), "{what}");
            // What ended for another organization is told all the same.
            enters(&mut con, &asks("org-b")).await;
            leaves(&mut con, "logout?organization=org-b").await;
            enters(&mut con, &asks("org-a")).await;
            assert_eq!(house.tells().await, 1, "{what} {turn}");
        }
    }
}

/// Somebody is suspended, or their organization is shut, by mistake and for a moment: those who come back before others have
/// been told are not signed out of what they have begun since.
#[tokio::test]
async fn m03_h05_what_ended_and_was_given_back_ends_nothing_that_began_since() {
    for engine in ENGINES {
        let ear = Ear::opens().await;
        let house = plan(engine, &ear).build().await;
        let operator = Api::operator(&house).await;
        let rp1 = Application::rp1(&house);
        let ask = rp1.asks().with("organization", "org-b").with("login_hint", "con@a.test");
        let mut con = Person::new("con@a.test");
        let first = enters(&mut con, &ask).await;
        let user = first["sub"].as_str().unwrap().to_owned();
        let a = format!("/organizations/org-a/members/{user}");
        let turns = async |path: &str| {
            let done = operator.send(Method::POST, path, |request| request).await;
            assert!(done.status.is_success(), "{path}: {}", done.body);
        };
        let says = async |path: &str, body: Value| {
            let done = operator.patch(path, body).await;
            assert_eq!(done.status, 200, "{path}: {}", done.body);
        };
        let ends = async |what: &str| match what {
            "member" => says(&a, json!({"status": "suspended"})).await,
            "user" => says(&format!("/users/{user}"), json!({"disabled": true})).await,
            target => turns(&format!("/organizations/{target}/deactivate")).await,
        };
        let begins = async |what: &str| match what {
            "member" => says(&a, json!({"status": "active"})).await,
            "user" => says(&format!("/users/{user}"), json!({"disabled": false})).await,
            target => turns(&format!("/organizations/{target}/reactivate")).await,
        };
        let mut known = first["sid"].clone();
        for what in ["member", "org-b", "org-a", "user"] {
            ends(what).await;
            begins(what).await;
            // In the session that they had, if it goes on, and in another browser.
            let mut other = Person::new("con@a.test");
            let since = enters(&mut other, &ask).await;
            let heard = ear.heard("rp1").len();
            assert_eq!(house.tells().await, 1, "{what}: of what they had before");
            let claims = ear.claims(&house, "rp1").await;
            assert_eq!((claims.len(), &claims[heard]["sid"]), (heard + 1, &known), "{what}");
            assert_ne!(since["sid"], known);
            // What ends again before anybody has been told is told of them, too; once.
            ends(what).await;
            begins(what).await;
            let third = enters(&mut Person::new("con@a.test"), &ask).await;
            ends(what).await;
            assert_eq!((house.tells().await, house.tells().await), (2, 0), "{what}: both");
            begins(what).await;
            let told: BTreeSet<_> = ear.claims(&house, "rp1").await[heard + 1..]
                .iter()
                .map(|claims| claims["sid"].as_str().unwrap().to_owned())
                .collect();
            let both = [&since, &third].map(|claims| claims["sid"].as_str().unwrap().to_owned());
            assert_eq!(told, BTreeSet::from(both), "{what}");
            con = Person::new("con@a.test");
            known = enters(&mut con, &ask).await["sid"].clone();
        }
        // In the same session, where it goes on: what is begun anew is not over.
        ends("member").await;
        begins("member").await;
        let again = enters(&mut con, &ask).await;
        assert_eq!(again["sid"], known);
        assert_eq!(house.tells().await, 0);
        assert_eq!((house.count("sign_outs").await, house.count("session_applications").await), (0, 1));
    }
}

/// What outlives the session is no part of it: the application was told when that ended, and learns at the next refresh that
/// the rest is over, too. A logout token has no words for it (OpenID Connect Back-Channel Logout, section 2.7).
#[tokio::test]
async fn m03_what_outlived_its_session_ends_without_another_logout_token() {
    for engine in ENGINES {
        let ear = Ear::opens().await;
        let usual = r#"scopes = ["openid", "profile", "email", "organization", "#;
        let offline = plan(engine, &ear).with(usual, &format!("{usual}\"offline_access\", "));
        let house = offline.build().await;
        let rp1 = Application::rp1(&house);
        let mut con = Person::new("con@a.test");
        let ask = rp1.asks().with("scope", "openid offline_access").with("organization", "org-a");
        let ask = ask.with("login_hint", "con@a.test");
        let arrival = con.follows(&ask).await;
        let tokens = ask.redeems(&arrival).await;
        signs_out(&house, &mut con).await;
        assert_eq!((house.tells().await, ear.heard("rp1").len()), (1, 1), "of the session, once");
        // It goes on without a session, which is no way into one.
        let again = ask.reads_again(&rp1.refreshes(tokens.refresh()).send().await).await;
        assert_eq!(house.count("session_applications").await, 0);
        let mut elsewhere = Person::new("con@a.test");
        let deaf = public(&house, "deaf").asks().with("organization", "org-a");
        let other = enters(&mut elsewhere, &deaf.with("login_hint", "con@a.test")).await;
        assert_eq!(other["sub"], tokens.id["sub"]);
        assert_ne!(other["sid"], tokens.id["sid"]);
        let page = elsewhere.browser.get(&format!("{}/account/applications", house.url)).await;
        let id = house.text("SELECT id FROM applications WHERE client_id = 'rp1'").await.unwrap();
        let end = format!("/account/applications/{id}/end");
        let form = page.forms().into_iter().find(|form| form.action.path() == end);
        let form = form.unwrap_or_else(|| panic!("it is not listed: {} {}", page.status, page.body));
        assert_eq!(elsewhere.browser.submit(&form).await.status, 303);
        assert_eq!((house.tells().await, ear.heard("rp1").len()), (0, 1), "of no session that there was");
        let refused = rp1.refreshes(again.refresh()).send().await;
        assert_eq!(refused.json()["error"], json!("invalid_grant"), "{}", refused.body);
        assert_eq!(rp1.userinfo(&again.access_token).await.status, 401);
    }
}
