//! Names that a person has for one sector alone (OpenID Connect Core, section 8).

use std::collections::BTreeSet;

use behalf::config::Config;
use behalf::foundation::id::{SessionId, UserId};
use behalf::store::durable::applications;
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};

use crate::house::api::Api;
use crate::house::application::{Application, Person, Proof};
use crate::house::broker::{Engine, House, Plan, RP1_SECRET};
use crate::house::ear::Ear;
use crate::house::publisher::Publisher;
use crate::house::visitor::Visitor;

/// `one` and `two` are strangers to each other, `twin` is of the sector of `one`, and `rp1` and `rp2` are public.
fn plan(engine: Engine, ear: &str) -> Plan {
    let client = |name: &str, host: &str| {
        format!(
            "\n[application.{name}]\nclient_secrets = [{{ env = \"RP1_SECRET\" }}]\nsubject_type = \"pairwise\"\n\
             redirect_uris = [\"https://{host}/{name}/callback\"]\npost_logout_redirect_uris = [\"https://{host}/bye\"]\n\
             scopes = [\"openid\", \"email\"]\nbackchannel_logout_uri = \"{ear}/{name}\"\n\
             frontchannel_logout_uri = \"https://{host}/front\"\n"
        )
    };
    Plan::on(engine)
        .and(&client("one", "one.test"))
        .and(&client("two", "two.test"))
        .and(&client("twin", "one.test"))
}

fn application(house: &House, name: &str) -> Application {
    let host = if name == "two" { "two.test" } else { "one.test" };
    let mut own = Application::new(house, name, Proof::Basic(RP1_SECRET.to_owned()));
    own.redirect_uri = format!("https://{host}/{name}/callback");
    own
}

/// What an application holds of somebody.
struct Holds {
    raw: Value,
    id: Value,
    access: Value,
}

fn claims(token: &str) -> Value {
    let payload = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&BASE64URL_NOPAD.decode(payload.as_bytes()).unwrap()).unwrap()
}

async fn enters(person: &mut Person, application: &Application) -> Holds {
    let ask = application.asks().with("scope", "openid");
    let code = person.follows(&ask).await.code();
    let answer = ask.redemption(&code).send().await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let raw = answer.json();
    let read = |name: &str| claims(raw[name].as_str().unwrap());
    let (id, access) = (read("id_token"), read("access_token"));
    Holds { raw, id, access }
}

impl Holds {
    fn text(&self, name: &str) -> &str {
        self.raw[name].as_str().unwrap()
    }
}

#[tokio::test]
async fn a_person_is_called_by_one_name_at_every_door_of_a_sector_and_by_another_one_elsewhere() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let ear = Ear::opens().await;
        let house = plan(engine, &ear.url).build().await;
        let mut ann = Person::new("ann@a.test");
        let (one, two, twin) =
            (application(&house, "one"), application(&house, "two"), application(&house, "twin"));
        let at_one = enters(&mut ann, &one).await;
        let (sub, sid) = (at_one.id["sub"].clone(), at_one.id["sid"].clone());
        assert!(sub.as_str().unwrap().starts_with("pair_") && sid.as_str().unwrap().starts_with("pair_"));
        assert_ne!(sub, sid);
        // Whatever speaks of her to this application speaks so.
        let userinfo = one.userinfo(at_one.text("access_token")).await.json();
        let introspected =
            async |token: &str| one.posts("/introspect", &[("token", token)]).send().await.json();
        let of_access = introspected(at_one.text("access_token")).await;
        let of_refresh = introspected(at_one.text("refresh_token")).await;
        let refreshed = one.refreshes(at_one.text("refresh_token")).send().await.json();
        let again = claims(refreshed["id_token"].as_str().unwrap());
        for told in [&at_one.access, &userinfo, &of_access, &of_refresh, &again] {
            assert_eq!(told["sub"], sub, "{told}");
        }
        for told in [&at_one.access, &of_access, &of_refresh, &again] {
            assert_eq!(told["sid"], sid, "{told}");
        }
        // The same person again, at another application of the sector, and after a restart of the house.
        let another = enters(&mut Person::new("ann@a.test"), &one).await;
        assert_eq!(another.id["sub"], sub);
        assert_ne!(another.id["sid"], sid, "it is another session");
        assert_eq!(enters(&mut ann, &twin).await.id["sub"], sub);
        assert_ne!(enters(&mut ann, &two).await.id["sub"], sub);
        assert_ne!(enters(&mut Person::new("bob@b.test"), &one).await.id["sub"], sub);
        let public = enters(&mut ann, &Application::rp2(&house)).await;
        assert_eq!(public.id["sub"], json!(house.user("ann@a.test").await));

        // Signing out is told in the same words, from behind and in a frame; by her own token nobody is asked.
        let back = "https://one.test/bye";
        let query = form_urlencoded::Serializer::new(String::new())
            .append_pair("id_token_hint", at_one.text("id_token"))
            .append_pair("post_logout_redirect_uri", back)
            .finish();
        let done = ann.browser.get(&format!("{}/logout?{query}", house.url)).await;
        assert_eq!(done.status, 200, "{}", done.body);
        for name in ["one", "two", "twin"] {
            let host = if name == "two" { "two.test" } else { "one.test" };
            assert!(done.body.contains(&format!("{host}&#x2f;front")), "{}", done.body);
        }
        assert!(done.body.contains(&format!("sid={}", sid.as_str().unwrap())), "{}", done.body);
        assert!(!done.body.contains("sid=sess_"), "{}", done.body);
        house.tells().await;
        let [told] = <[_; 1]>::try_from(ear.claims(&house, "one").await).unwrap();
        assert_eq!((&told["sub"], &told["sid"]), (&sub, &sid));
        let [told] = <[_; 1]>::try_from(ear.claims(&house, "two").await).unwrap();
        assert!(told["sub"] != sub && told["sid"] != sid);
    }
}

#[tokio::test]
async fn two_applications_cannot_tell_that_theirs_is_the_same_person() {
    let ear = Ear::opens().await;
    let house = plan(Engine::Sqlite, &ear.url).build().await;
    let mut ann = Person::new("ann@a.test");
    let (one, two) = (application(&house, "one"), application(&house, "two"));
    let (mine, theirs) = (enters(&mut ann, &one).await, enters(&mut ann, &two).await);
    let mut all = Vec::new();
    for (own, holds) in [(&one, &mine), (&two, &theirs)] {
        let userinfo = own.userinfo(holds.text("access_token")).await.json();
        let told = own.posts("/introspect", &[("token", holds.text("access_token"))]).send().await.json();
        all.push([holds.id.clone(), holds.access.clone(), userinfo, told]);
    }
    let (user, session) =
        (house.user("ann@a.test").await, house.text("SELECT id FROM sessions").await.unwrap());
    let names = |told: &[Value]| -> BTreeSet<String> {
        let identifying = ["sub", "sid", "grant_id", "jti", "at_hash", "nonce"];
        let values = told.iter().flat_map(|claims| identifying.map(|name| claims[name].clone()));
        values.filter_map(|value| value.as_str().map(str::to_owned)).collect()
    };
    assert_eq!(names(&all[0]).intersection(&names(&all[1])).collect::<Vec<_>>(), Vec::<&String>::new());
    let everything = json!(all).to_string();
    assert!(!everything.contains(&user) && !everything.contains(&session), "{everything}");

    // Nor does one of them find out by asking about the other's, or about a public name.
    let public = enters(&mut ann, &Application::rp2(&house)).await;
    let asks =
        |hint: &str| one.asks().with("scope", "openid").with("prompt", "none").with("id_token_hint", hint);
    assert!(!ann.follows(&asks(mine.text("id_token"))).await.code().is_empty());
    let others = ann.follows(&asks(theirs.text("id_token"))).await.error();
    assert_eq!(others.0, "login_required");
    assert_eq!(ann.follows(&asks(public.text("id_token"))).await.error().0, "invalid_request");
    let by_public =
        Application::rp2(&house).asks().with("prompt", "none").with("id_token_hint", mine.text("id_token"));
    assert_eq!(ann.follows(&by_public).await.error().0, "invalid_request");
    // A name as login_hint says something to whose name it is, and nothing to anybody else.
    let named =
        |name: &str| one.asks().with("scope", "openid").with("prompt", "none").with("login_hint", name);
    assert!(!ann.follows(&named(mine.id["sub"].as_str().unwrap())).await.code().is_empty());
    assert_eq!(ann.follows(&named(theirs.id["sub"].as_str().unwrap())).await.error().0, "login_required");
    let bob = enters(&mut Person::new("bob@b.test"), &Application::rp2(&house)).await;
    for public in [public.id["sub"].as_str().unwrap(), bob.id["sub"].as_str().unwrap()] {
        assert!(!ann.follows(&named(public)).await.code().is_empty(), "{public} is no oracle");
    }
    // Nor does a name that is asked for among the claims.
    let claimed = |name: &Value| {
        let claims = json!({ "id_token": { "sub": { "value": name } } }).to_string();
        one.asks().with("scope", "openid").with("prompt", "none").with("claims", &claims)
    };
    assert!(!ann.follows(&claimed(&mine.id["sub"])).await.code().is_empty());
    for other in [&theirs.id["sub"], &public.id["sub"], &bob.id["sub"]] {
        assert_eq!(ann.follows(&claimed(other)).await.error().0, "login_required", "{other}");
    }
    // A hint of another one's ends no session without the person.
    let before = house.before().await;
    let url = format!("{}/logout?client_id=one&id_token_hint={}", house.url, theirs.text("id_token"));
    assert_eq!(ann.browser.get(&url).await.status, 400);
    house.unchanged(&before).await;
}

#[tokio::test]
async fn two_nodes_that_name_somebody_first_at_once_name_them_alike() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let house = plan(engine, "http://127.0.0.1:9").build().await;
        let other = house.second_node().await;
        let project = house.text("SELECT id FROM projects").await.unwrap().parse().unwrap();
        let found = applications::by_client_id(&mut &house.broker.db, project, "one").await.unwrap().unwrap();
        let (user, session) = (UserId::from_u128(7), SessionId::from_u128(7));
        let (here, there) = tokio::join!(
            house.broker.pairwise.names(&found, user, session),
            other.broker.pairwise.names(&found, user, session)
        );
        let names = here.unwrap();
        assert_eq!(names, there.unwrap());
        assert_eq!(house.count("pairwise_salts").await, 1);
        assert_ne!(names.subject, names.session, "what is of one number is not of one name");
        assert_eq!(other.broker.pairwise.user(&found, &names.subject).await.unwrap(), Some(user));
        assert_eq!(other.broker.pairwise.session(&found, &names.session).await.unwrap(), Some(session));
        assert_eq!(other.broker.pairwise.user(&found, &user.to_string()).await.unwrap(), None);
        // Sealed at rest: whoever reads it, or puts another one's in its place, names nobody.
        let garbage = if engine == Engine::Sqlite { "x'0102'" } else { "decode('0102', 'hex')" };
        house.execute(&format!("UPDATE pairwise_salts SET salt = {garbage}")).await;
        let fresh = house.second_node().await;
        assert!(fresh.broker.pairwise.names(&found, user, session).await.is_err());
    }
}

#[tokio::test]
async fn a_sector_is_one_host_or_what_lists_all_redirect_uris() {
    let house = House::opens().await;
    let operator = Api::operator(&house).await;
    let pairwise = |uris: &[&str]| json!({"subject_type": "pairwise", "redirect_uris": uris});
    for (pointer, wrong) in [
        ("/subject_type", json!({"subject_type": "pairwise", "type": "machine"})),
        ("/sector_identifier_uri", pairwise(&["https://a.test/cb", "https://b.test/cb"])),
        ("/sector_identifier_uri", pairwise(&["http://127.0.0.1/cb"])),
        ("/sector_identifier_uri", pairwise(&["http://localhost:3000/cb"])),
        ("/sector_identifier_uri", pairwise(&["com.example.app:/cb"])),
        ("/sector_identifier_uri", pairwise(&["https://a.test/cb", "com.example.app:/cb"])),
    ] {
        let before = house.before().await;
        let refused = operator.post("/applications", wrong.clone()).await;
        assert_eq!(refused.json()["errors"][0]["pointer"], pointer, "{wrong}: {}", refused.body);
        house.refused(&before, "invalid_value").await;
    }
    let one = operator.post("/applications", pairwise(&["https://A.test/cb", "https://a.test:8443/x"])).await;
    assert_eq!(one.status, 201, "one host, however it is written: {}", one.body);

    // Several hosts, and a document that lists them all.
    let uris = ["https://a.test/cb", "com.example.app:/cb"];
    let listed = Publisher::of(json!(uris).to_string()).await;
    let mut body = pairwise(&uris);
    body["sector_identifier_uri"] = json!(listed.url);
    let made = operator.post("/applications", body.clone()).await;
    assert_eq!(made.status, 201, "{}", made.body);
    assert_eq!(listed.hits(), 1);
    let path = format!("/applications/{}", made.json()["application"]["id"].as_str().unwrap());
    for (document, what) in [
        (json!(["https://a.test/cb"]).to_string(), "one is missing"),
        (json!(["https://a.test/cb", "com.example.app:/cb/"]).to_string(), "another one is listed"),
        (json!({"uris": uris}).to_string(), "not a list"),
        ("[".to_owned(), "not JSON"),
        (json!(vec!["https://a.test/cb"; 1_001]).to_string(), "too many"),
        (format!("[\"{}\"]", "x".repeat(70_000)), "too long"),
    ] {
        listed.says(document);
        let before = house.before().await;
        let mut next = body.clone();
        next["client_id"] = json!("next");
        let refused = operator.post("/applications", next).await;
        let pointer = refused.json()["errors"][0]["pointer"].clone();
        assert_eq!((refused.status.as_u16(), pointer), (422, json!("/sector_identifier_uri")), "{what}");
        house.refused(&before, "invalid_value").await;
        let wider = json!({"redirect_uris": ["https://a.test/cb", "https://new.test/cb"]});
        let before = house.before().await;
        assert_eq!(operator.patch(&path, wider).await.status, 422, "{what}");
        house.refused(&before, "invalid_value").await;
    }
    // What is not touched is not looked up again.
    let hits = listed.hits();
    assert_eq!(operator.patch(&path, json!({"display_name": "Other"})).await.status, 200);
    assert_eq!(listed.hits(), hits);
    listed.says(json!(["https://a.test/cb", "https://new.test/cb"]).to_string());
    let wider = json!({"redirect_uris": ["https://a.test/cb", "https://new.test/cb"]});
    assert_eq!(operator.patch(&path, wider).await.status, 200);
    // The operator's file looks as well.
    let application = |uri: &str| {
        format!(
            "{}\n[application.filed]\ntype = \"spa\"\nsubject_type = \"pairwise\"\n\
             redirect_uris = [\"{uri}\"]\nsector_identifier_uri = \"{}\"\n",
            house.file, listed.url
        )
    };
    let refused = house.tries(&application("https://c.test/cb")).await.unwrap_err();
    assert!(refused.contains("does not list https://c.test/cb"), "{refused}");
    house.provision(&application("https://new.test/cb")).await;
    let hits = listed.hits();
    house.provision(&application("https://new.test/cb")).await;
    assert_eq!(listed.hits(), hits, "nothing is new");
}

#[tokio::test]
async fn c27_the_list_of_a_sector_is_never_read_from_inside() {
    let canary = Publisher::of(json!(["https://a.test/cb"]).to_string()).await;
    let settings = |config: &mut Config| config.egress.allow_loopback_and_http = false;
    let file = "[project]\nslug = \"default\"\n".to_owned();
    let house = Plan { settings, file, ..Plan::default() }.build().await;
    let operator = Api::operator(&house).await;
    let mut told = BTreeSet::new();
    for address in [
        canary.url.as_str(),
        &canary.url.replace("127.0.0.1", "localhost"),
        &canary.url.replace("http:", "https:"),
        "https://169.254.169.254/",
        "https://10.0.0.1/",
        "https://[::1]/",
        "https://nowhere.invalid/",
    ] {
        let before = house.before().await;
        let body = json!({"subject_type": "pairwise", "redirect_uris": ["https://a.test/cb"],
            "sector_identifier_uri": address});
        let refused = operator.post("/applications", body).await;
        assert_eq!(refused.status, 422, "{address}: {}", refused.body);
        told.insert(refused.json()["errors"].to_string());
        house.refused(&before, "invalid_value").await;
    }
    assert_eq!(told.len(), 1, "whatever is behind it reads alike: {told:?}");
    assert_eq!(canary.hits(), 0);
}

#[tokio::test]
async fn nobody_gets_another_name_unless_that_is_meant_and_then_nothing_is_left_of_the_old_one() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let house = plan(engine, "http://127.0.0.1:9").build().await;
        let operator = Api::operator(&house).await;
        let path = async |client: &str| {
            let id = house.text(&format!("SELECT id FROM applications WHERE client_id = '{client}'")).await;
            format!("/applications/{}", id.unwrap())
        };
        let (one, rp2) = (path("one").await, path("rp2").await);
        let held = enters(&mut Person::new("ann@a.test"), &application(&house, "one")).await;
        let elsewhere = enters(&mut Person::new("ann@a.test"), &application(&house, "two")).await;
        let front = "https://moved.test/front";
        let moved = json!({"redirect_uris": ["https://moved.test/cb"], "frontchannel_logout_uri": front});
        for (path, change) in [
            (&one, json!({"subject_type": "public"})),
            (&one, moved.clone()),
            (&rp2, json!({"subject_type": "pairwise"})),
        ] {
            let before = house.before().await;
            let refused = operator.patch(path, change.clone()).await;
            assert_eq!(refused.json()["errors"][0]["pointer"], "/subject_type", "{change}: {}", refused.body);
            house.refused(&before, "invalid_value").await;
        }
        let file = house.file.replace("https://one.test/one/callback", "https://moved.test/cb");
        let opens = |uri: &str| format!("/one\"\nfrontchannel_logout_uri = \"{uri}\"");
        let file = file.replace(&opens("https://one.test/front"), &opens(front));
        let before = house.before().await;
        assert!(house.tries(&file).await.unwrap_err().contains("change_subjects"));
        house.unchanged(&before).await;
        // Another address of the same host is no other sector.
        let same = json!({"redirect_uris": ["https://one.test/one/callback", "https://one.test/new"]});
        assert_eq!(operator.patch(&one, same).await.status, 200);
        assert_eq!(application(&house, "one").userinfo(held.text("access_token")).await.status, 200);

        let mut meant = moved;
        meant["change_subjects"] = json!(true);
        let patched = operator.patch(&one, meant).await;
        assert_eq!(patched.status, 200, "{}", patched.body);
        let own = application(&house, "one");
        assert_eq!(own.userinfo(held.text("access_token")).await.status, 401);
        assert_eq!(own.refreshes(held.text("refresh_token")).send().await.json()["error"], "invalid_grant");
        let told = own.posts("/introspect", &[("token", held.text("access_token"))]).send().await;
        assert_eq!(told.json(), json!({ "active": false }));
        let two = application(&house, "two");
        assert_eq!(
            two.userinfo(elsewhere.text("access_token")).await.status,
            200,
            "nobody else is concerned"
        );
    }
}

#[tokio::test]
async fn discovery_tells_of_both_kinds_of_names() {
    let house = House::opens().await;
    let discovery = Visitor::arrives().get(&format!("{}/.well-known/openid-configuration", house.url)).await;
    assert_eq!(discovery.json()["subject_types_supported"], json!(["public", "pairwise"]));
}
