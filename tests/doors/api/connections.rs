//! Connections over the API: made, drafted, made live, taken back, switched off (S1-O6, S1-P0 to P5, S1-R23 to R25).

use std::sync::Arc;

use behalf::store::durable::connections;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use url::Url;

use crate::house::answers::{delete, fine, refusal, told};
use crate::house::api::{Api, THIRD, access_token};
use crate::house::application::{Application, Ask, Person};
use crate::house::broker::{Engine, House, Node, Plan};
use crate::house::lying_idp::{Door, LyingIdp};
use crate::house::lying_saml_idp::{LyingSamlIdp, Says, Signer, posts};
use crate::house::publisher::Publisher;
use crate::house::visitor::{Answer, Visitor};

const ENGINES: [Engine; 2] = [Engine::Sqlite, Engine::Postgres];
const EVERYTHING: [&str; 7] = [
    "connections:read",
    "connections:write",
    "domains:read",
    "domains:write",
    "policy:read",
    "organization:read",
    "members:write",
];
const PROVIDER: &str = "/organizations/org-a/sso-provider";

async fn act(api: &Api, path: &str, what: &str) -> Answer {
    api.send(Method::POST, &format!("{path}/{what}"), |ask| ask).await
}

/// What an OpenID provider is set up by.
fn oidc(idp: &LyingIdp) -> Value {
    json!({
        "type": "oidc", "issuer": idp.issuer, "client_id": "behalf", "client_secret": idp.secret,
    })
}

/// A connection that the API made: its path.
async fn makes(api: &Api, body: Value) -> (String, Value) {
    let made = api.post("/connections", body).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let path = made.header("location").unwrap().strip_prefix("/api/v1").unwrap().to_owned();
    (path, made.json())
}

/// The path of a connection that the file made.
async fn path_of(house: &House, slug: &str) -> String {
    format!("/connections/{}", house.connection(slug).await)
}

/// Leads the people of a domain to connections, and nowhere else; be it that no owner could sign in any more.
async fn routes(house: &House, domain: &str, connections: &[&Value]) {
    let sql = format!("SELECT id FROM domains WHERE name = '{domain}'");
    let id = house.text(&sql).await.unwrap();
    let body = json!({"connection_ids": connections, "use_for_routing": true});
    let organization = if domain == "a.test" { "org-a" } else { "org-b" };
    let path = format!("/organizations/{organization}/domains/{id}?force=true");
    fine(Api::operator(house).await.patch(&path, body).await);
}

/// Somebody signs in, and the application is told who they are.
async fn comes(house: &House, email: &str) -> bool {
    let ask = Application::rp1(house).asks().with("login_hint", email);
    let arrival = Person::new(email).follows(&ask).await;
    if arrival.told_application("code").is_none() {
        return false;
    }
    ask.redeems(&arrival).await.id["email"] == json!(email)
}

#[tokio::test]
async fn s1_p0_s1_p1_s1_p2a_s1_p2b_s1_p2c_s1_p2d_s1_p2e_s1_p4_s1_p5_s0_33_what_the_api_made_signs_people_in()
{
    for engine in ENGINES {
        let house = House::on(engine).await;
        let key = Api::key(&house, "org-a", &EVERYTHING).await;
        let (path, view) = makes(&key, oidc(&house.idp_b)).await;
        assert_eq!((&view["state"], &view["version"]), (&json!("draft"), &json!(1)));
        let callback = format!("{}/oidc/{}/callback", house.url, view["id"].as_str().unwrap());
        assert_eq!(view["addresses"]["redirect_uri"], json!(callback), "S1-P4");
        assert_eq!(view["settings"]["issuer"], json!(house.idp_b.issuer));
        assert_eq!(key.get(&path).await.json(), view);

        // Nobody is led there yet, and nobody is told otherwise.
        let hits = house.idp_b.hits("/authorize");
        assert!(comes(&house, "ann@a.test").await);
        assert_eq!(house.idp_b.hits("/authorize"), hits);

        let live = fine(Api::operator(&house).await.post(&format!("{path}/activate"), json!({})).await);
        assert_eq!(
            (&live["state"], &live["version"], &live["draft"]),
            (&json!("active"), &json!(1), &Value::Null)
        );
        routes(&house, "a.test", &[&view["id"]]).await;
        assert!(comes(&house, "new@a.test").await);
        assert_eq!(house.idp_b.was_asked("redirect_uri"), Some(callback), "S1-P4");
        assert_eq!(house.idp_b.hits("/authorize"), hits + 1);
        assert_eq!(house.events_of("organization.connection.created").await, 3);
    }
}

#[tokio::test]
async fn s1_p0_s1_p4_s3_34_a_saml_connection_that_the_api_made_signs_people_in() {
    for by_metadata in [true, false] {
        let mut plan = Plan::default();
        let idp = LyingSamlIdp::new("new", plan.clock.clone());
        let (metadata, entity_id, sso) = (idp.metadata(), idp.entity_id.clone(), idp.sso.clone());
        let certificate = idp.signer.certificate.base64();
        plan.saml.insert("new-idp".into(), idp);
        let house = plan.build().await;
        let operator = Api::operator(&house).await;
        let mut body =
            json!({"type": "saml", "organization_id": "org-b", "slug": "new-idp", "display_name": "New"});
        let described = match by_metadata {
            true => json!({"metadata_xml": metadata}),
            false => json!({
                "idp_entity_id": entity_id, "idp_redirect_url": sso, "idp_x509_certificate": certificate,
            }),
        };
        body.as_object_mut().unwrap().extend(described.as_object().unwrap().clone());
        let (path, view) = makes(&operator, body).await;
        let sp = format!("{}/saml/{}", house.url, view["id"].as_str().unwrap());
        let addresses = &view["addresses"];
        assert_eq!(addresses["sp_entity_id"], json!(format!("{sp}/metadata")));
        assert_eq!(addresses["sp_acs_url"], json!(format!("{sp}/acs")));
        assert_eq!(addresses["sp_metadata_url"], json!(format!("{sp}/metadata")));
        assert_eq!(
            (&view["idp"]["idp_entity_id"], &view["idp"]["idp_redirect_url"]),
            (&json!(entity_id), &json!(sso))
        );
        assert_eq!(view["idp"]["certificates"][0]["x509"], json!(certificate));
        assert_eq!(
            view["settings"]["idp_entity_id"],
            if by_metadata { Value::Null } else { json!(entity_id) }
        );
        // What is shown may be sent again, and is no change.
        let mut again = view["settings"].clone();
        again["type"] = json!("saml");
        assert_eq!(fine(operator.put(&path, again).await), view);

        fine(operator.post(&format!("{path}/activate"), json!({})).await);
        routes(&house, "b.test", &[&view["id"]]).await;
        let (ask, mut eve) = (Application::rp1(&house).asks(), Person::new("eve@b.test"));
        let arrival = eve.signs_in_by(&house, "new-idp", &ask, &Says::that("eve@b.test")).await;
        assert_eq!(ask.redeems(&arrival).await.id["email"], json!("eve@b.test"));
    }
}

#[tokio::test]
async fn s1_r24_c02_a_draft_touches_nobody_and_a_roll_back_brings_the_old_provider_back() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let key = Api::key(&house, "org-a", &EVERYTHING).await;
        assert!(comes(&house, "ann@a.test").await);
        let path = path_of(&house, "ca").await;
        let drafted = fine(key.put(&path, oidc(&house.idp_b)).await);
        assert_eq!((&drafted["version"], &drafted["draft"]["version"]), (&json!(1), &json!(2)));
        assert_eq!(drafted["settings"]["issuer"], json!(house.idp_a.issuer));
        assert_eq!(drafted["draft"]["settings"]["issuer"], json!(house.idp_b.issuer));

        let hits = house.idp_b.hits("/authorize");
        assert!(comes(&house, "dan@a.test").await);
        assert_eq!(house.idp_b.hits("/authorize"), hits, "the draft is nobody's provider");

        // Ann and Dan come by it: somebody must have tried the draft.
        let before = house.before().await;
        let untested = key.post(&format!("{path}/activate"), json!({})).await;
        assert_eq!(told(&untested), refusal(409, "untested"));
        house.unchanged(&before).await;
        let live =
            fine(Api::operator(&house).await.post(&format!("{path}/activate"), json!({"force": true})).await);
        assert_eq!((&live["version"], &live["previous_version"]), (&json!(2), &json!(1)));
        let told_to =
            async |kind| house.text(&format!("SELECT recipient FROM mails WHERE kind = '{kind}'")).await;
        assert_eq!(told_to("connection_activated").await.as_deref(), Some("ann@a.test"), "who owns it");
        assert_eq!(told_to("connection_rolled_back").await, None);
        assert_eq!((&live["draft"], &live["settings"]["issuer"]), (&Value::Null, &json!(house.idp_b.issuer)));
        assert!(comes(&house, "new@a.test").await);
        assert_eq!(house.idp_b.hits("/authorize"), hits + 1);
        // C02: the same subject of another issuer is nobody that is known.
        assert!(!comes(&house, "ann@a.test").await);

        let back = fine(Api::operator(&house).await.post(&format!("{path}/rollback"), json!({})).await);
        assert_eq!((&back["version"], &back["previous_version"]), (&json!(3), &Value::Null), "H04");
        assert_eq!(back["settings"]["issuer"], json!(house.idp_a.issuer));
        // Nothing failed: somebody has put settings into force, as before.
        assert_eq!(house.count("mails WHERE kind = 'connection_activated'").await, 2);
        assert_eq!(told_to("connection_rolled_back").await, None);
        assert!(comes(&house, "ann@a.test").await);
        let nowhere = key.post(&format!("{path}/rollback"), json!({})).await;
        assert_eq!(told(&nowhere), refusal(409, "no_version"));

        let versions = key.get(&format!("{path}/versions")).await.json()["items"].clone();
        let all: Vec<_> =
            versions.as_array().unwrap().iter().map(|it| (&it["version"], &it["state"])).collect();
        let expected =
            [(3, "live"), (2, "rolled_back"), (1, "superseded")].map(|(n, s)| (json!(n), json!(s)));
        assert_eq!(all, expected.iter().map(|(n, s)| (n, s)).collect::<Vec<_>>());
        let first = key.get(&format!("{path}/versions/1")).await.json();
        assert_eq!(
            (&first["settings"]["issuer"], &first["secret_set"]),
            (&json!(house.idp_a.issuer), &json!(true))
        );
        assert_eq!(told(&key.get(&format!("{path}/versions/9")).await), refusal(404, "not_found"));
        // One that is not the last one is brought back by its number; its provider knows no owner, though.
        let to_other = json!({"version": 2});
        let operator = Api::operator(&house).await;
        let before = house.before().await;
        let locked = operator.post(&format!("{path}/rollback"), to_other).await;
        assert_eq!(told(&locked), refusal(409, "policy_locks_out"));
        house.refused(&before, "policy_locks_out").await;
        let to_other = json!({"version": 2, "force": true});
        fine(operator.post(&format!("{path}/rollback"), to_other).await);
        assert!(comes(&house, "new@a.test").await);
        let page = key.get(&format!("{path}/versions?limit=2")).await.json();
        let cursor = page["next_cursor"].as_str().unwrap();
        let rest = key.get(&format!("{path}/versions?limit=2&cursor={cursor}")).await.json();
        assert_eq!((rest["items"].as_array().unwrap().len(), &rest["next_cursor"]), (2, &Value::Null));

        let trail = house.audit().await;
        let done = |action: &str| trail.iter().filter(|entry| entry.action == action).count();
        assert_eq!(
            (done("organization.connection.drafted"), done("organization.connection.rolled_back")),
            (1, 2)
        );
        assert!(trail.iter().all(|entry| !entry.detail.to_string().contains(&house.idp_b.secret)));
    }
}

#[tokio::test]
async fn h04_whoever_is_away_while_a_draft_goes_live_or_is_taken_back_begins_anew() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let key = Api::key(&house, "org-a", &EVERYTHING).await;
        let path = path_of(&house, "ca").await;
        let same = json!({"leeway": 30});
        fine(key.patch(&path, same).await);
        for (what, body) in [("activate", json!({"force": true})), ("rollback", json!({}))] {
            let ask = Application::rp1(&house).asks().with("login_hint", "ann@a.test");
            let mut ann = Person::new("ann@a.test");
            let back = ann.is_sent_back(&ask).await;
            fine(Api::operator(&house).await.post(&format!("{path}/{what}"), body).await);
            let hits = house.idp_a.hits("/token");
            let before = house.before().await;
            let answer = ann.browser.get(back.as_str()).await;
            assert_eq!(answer.status, 403, "{what}: {}", answer.body);
            house.refused(&before, "connection_changed").await;
            assert_eq!(house.idp_a.hits("/token"), hits, "no code was sent anywhere");
            assert!(comes(&house, "ann@a.test").await, "{what}: anew");
        }
        for what in ["disable", "enable"] {
            let ask = Application::rp1(&house).asks().with("login_hint", "ann@a.test");
            let mut ann = Person::new("ann@a.test");
            if what == "enable" {
                fine(act(&Api::operator(&house).await, &path, "enable").await);
                continue;
            }
            let back = ann.is_sent_back(&ask).await;
            // The only way in of its owner.
            fine(act(&Api::operator(&house).await, &path, "disable?force=true").await);
            let before = house.before().await;
            assert_eq!(ann.browser.get(back.as_str()).await.status, 403);
            house.refused(&before, "connection_changed").await;
            assert!(!comes(&house, "ann@a.test").await);
        }
        assert!(comes(&house, "ann@a.test").await);
    }
}

#[tokio::test]
async fn h04_a_saml_answer_to_what_was_live_before_is_refused() {
    let house = Plan::saml().build().await;
    let operator = Api::operator(&house).await;
    let path = path_of(&house, "cb").await;
    fine(operator.patch(&path, json!({"leeway": 30})).await);
    let (ask, mut bob) = (Application::rp1(&house).asks(), Person::new("bob@b.test"));
    let asked = bob.leaves_for(&house, "cb", &ask).await;
    let xml = house.saml("cb").answers(&asked, &Says::that("bob@b.test"));
    fine(operator.post(&format!("{path}/activate"), json!({})).await);
    let before = house.before().await;
    let posted = posts(&mut bob.browser, &asked, &xml).await;
    let arrival = bob.goes_on(&ask, posted).await;
    assert_eq!(arrival.status(), 403, "{}", arrival.told());
    house.refused_for_one_of(&before, &["connection_changed", "connection"]).await;
    let (ask, mut bob) = (Application::rp1(&house).asks(), Person::new("bob@b.test"));
    let arrival = bob.signs_in_by(&house, "cb", &ask, &Says::that("bob@b.test")).await;
    ask.redeems(&arrival).await;
}

/// A browser all of whose requests meet one node.
async fn comes_by(node: &Node, house: &House, email: &str) -> bool {
    let ask: Ask = Application::rp1(house).asks().with("login_hint", email);
    let (mut browser, mut next) = (Visitor::arrives(), ask.url());
    let name = house.url.strip_prefix("http://").unwrap().to_owned();
    for _ in 0..12 {
        if next.starts_with("https://rp1.test/") {
            return Url::parse(&next).unwrap().query_pairs().any(|(name, _)| name == "code");
        }
        let ours = next.strip_prefix(&house.url).map(|rest| format!("{}{rest}", node.url()));
        let answer = match &ours {
            Some(url) => {
                browser.request(Method::GET, url, |request| request.header("host", name.as_str())).await
            }
            None => browser.get(&next).await,
        };
        let Some(to) = answer.location() else { return false };
        next = to.to_string().replace(&node.url(), &house.url);
    }
    false
}

#[tokio::test]
async fn s1_p2e_every_node_minds_at_once_what_was_activated_at_another() {
    let house = House::on(Engine::Postgres).await;
    let other = house.second_node().await;
    let key = Api::key(&house, "org-a", &EVERYTHING).await;
    let path = path_of(&house, "ca").await;
    // Both know the provider, and its keys.
    assert!(comes(&house, "ann@a.test").await && comes_by(&other, &house, "ann@a.test").await);
    fine(key.put(&path, oidc(&house.idp_b)).await);
    assert!(comes_by(&other, &house, "ann@a.test").await);
    fine(Api::operator(&house).await.post(&format!("{path}/activate"), json!({"force": true})).await);
    let hits = (house.idp_a.hits("/authorize"), house.idp_b.hits("/authorize"));
    assert!(comes_by(&other, &house, "new@a.test").await && comes(&house, "new@a.test").await);
    assert_eq!((house.idp_a.hits("/authorize"), house.idp_b.hits("/authorize")), (hits.0, hits.1 + 2));
    fine(Api::operator(&house).await.post(&format!("{path}/rollback"), json!({})).await);
    assert!(comes_by(&other, &house, "ann@a.test").await && comes(&house, "ann@a.test").await);
    assert_eq!((house.idp_a.hits("/authorize"), house.idp_b.hits("/authorize")), (hits.0 + 2, hits.1 + 2));
}

#[tokio::test]
async fn s1_p3_a_secret_is_kept_and_told_to_nobody_but_where_it_was_told_before() {
    let house = House::opens().await;
    let key = Api::key(&house, "org-a", &EVERYTHING).await;
    let mut body = oidc(&house.idp_a);
    body["client_secret"] = json!("a secret of 32 characters, ends.1234");
    let (path, view) = makes(&key, body.clone()).await;
    assert_eq!((&view["secret_set"], &view["secret_last4"]), (&json!(true), &json!("1234")));
    let all =
        [key.get(&path).await, key.get("/connections").await, key.get(&format!("{path}/versions")).await];
    assert!(all.iter().all(|answer| answer.status == 200 && !answer.body.contains("of 32 characters")));
    let stored =
        house.text("SELECT settings FROM connections ORDER BY created_at DESC, id DESC LIMIT 1").await;
    assert!(!stored.unwrap().contains("of 32 characters"));

    // Left out, it stays; of a short one, not even the end is shown.
    body.as_object_mut().unwrap().remove("client_secret");
    body["leeway"] = json!(10);
    let kept = fine(key.put(&path, body.clone()).await);
    assert_eq!(
        (&kept["secret_set"], &kept["secret_last4"], &kept["version"]),
        (&json!(true), &json!("1234"), &json!(2))
    );
    let short = fine(key.patch(&path, json!({"client_secret": "hunter2"})).await);
    assert_eq!((&short["secret_set"], &short["secret_last4"]), (&json!(true), &Value::Null));

    // Another provider is not told what the old one was: the new one has given another secret, or none.
    body["issuer"] = json!(house.idp_b.issuer);
    let moved = fine(key.put(&path, body.clone()).await);
    assert_eq!(moved["secret_set"], json!(false));
    let incomplete = Api::operator(&house).await.post(&format!("{path}/activate"), json!({})).await;
    assert_eq!(told(&incomplete), refusal(409, "connection_incomplete"));
    let own = json!({"endpoints": {"authorization": format!("{}/authorize", house.idp_b.issuer),
        "token": format!("{}/token", house.idp_b.issuer), "jwks": format!("{}/jwks", house.idp_b.issuer)}});
    let ca = path_of(&house, "ca").await;
    assert_eq!(fine(key.patch(&ca, own).await)["draft"]["secret_set"], json!(false));
    // Each method has its own proof.
    let odd =
        key.patch(&path, json!({"token_endpoint_auth_method": "none", "client_secret": "hunter2"})).await;
    assert_eq!(
        (told(&odd), &odd.json()["errors"][0]["pointer"]),
        (refusal(422, "invalid_value"), &json!("/client_secret"))
    );
    let odd = key
        .patch(&path, json!({"token_endpoint_auth_method": "private_key_jwt", "private_key": "no key"}))
        .await;
    assert_eq!(
        (told(&odd), &odd.json()["errors"][0]["pointer"]),
        (refusal(422, "invalid_value"), &json!("/private_key"))
    );
}

#[tokio::test]
async fn s1_p3_s1_p4_the_key_that_we_sign_by_is_shown_and_published_before_it_signs() {
    use behalf::protocol::jose::{Algorithm, SigningKey};
    let house = House::opens().await;
    let key = Api::key(&house, "org-a", &EVERYTHING).await;
    let new = || {
        let key = SigningKey::generate(Algorithm::ES256, "x").unwrap();
        let der = data_encoding::BASE64_MIME.encode(&key.to_pkcs8().unwrap());
        let (kid, pem) = (key.public_jwk().thumbprint(), der);
        (kid, format!("-----BEGIN PRIVATE KEY-----\n{pem}-----END PRIVATE KEY-----\n"))
    };
    let ((first_kid, first), (second_kid, second)) = (new(), new());
    let mut body = oidc(&house.idp_a);
    body.as_object_mut().unwrap().remove("client_secret");
    body["token_endpoint_auth_method"] = json!("private_key_jwt");
    body["private_key"] = json!(first);
    let (path, view) = makes(&key, body).await;
    let jwk = &view["public_jwk"];
    assert_eq!((&jwk["kid"], &jwk["kty"], &jwk["use"]), (&json!(first_kid), &json!("EC"), &json!("sig")));
    assert!(jwk.get("d").is_none(), "{jwk}");
    let published = view["addresses"]["jwks_url"].as_str().unwrap().to_owned();
    let id = path.strip_prefix("/connections/").unwrap();
    assert_eq!(published, format!("{}/oidc/{id}/jwks.json", house.url));
    let kids = async || {
        let answer = Visitor::arrives().get(&published).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
        assert!(!answer.body.contains("\"d\""), "{}", answer.body);
        let keys = answer.json()["keys"].as_array().unwrap().clone();
        keys.iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(kids().await, std::slice::from_ref(&first_kid), "of one that was never live");
    fine(Api::operator(&house).await.post(&format!("{path}/activate"), json!({})).await);

    // The next one is there before it signs, and the one before as long as a roll back leads to it.
    let drafted = fine(key.patch(&path, json!({"private_key": second})).await);
    assert_eq!(drafted["public_jwk"]["kid"], json!(first_kid));
    assert_eq!(drafted["draft"]["public_jwk"]["kid"], json!(second_kid));
    assert_eq!(kids().await, [first_kid.clone(), second_kid.clone()]);
    let live = fine(Api::operator(&house).await.post(&format!("{path}/activate"), json!({})).await);
    assert_eq!(live["public_jwk"]["kid"], json!(second_kid));
    assert_eq!(kids().await, [second_kid, first_kid]);

    // Where nothing is signed there is nothing, nor of what is switched off, unknown or no connection.
    let ca = fine(key.get(&path_of(&house, "ca").await).await);
    assert_eq!((&ca["public_jwk"], &ca["addresses"]["jwks_url"]), (&Value::Null, &Value::Null));
    fine(act(&Api::operator(&house).await, &path, "disable?force=true").await);
    let unknown = "conn_00000000000000000000000007";
    for id in [id, ca["id"].as_str().unwrap(), unknown, "x"] {
        let answer = Visitor::arrives().get(&format!("{}/oidc/{id}/jwks.json", house.url)).await;
        assert_eq!(answer.status, 404, "{id}: {}", answer.body);
    }
}

#[tokio::test]
async fn s1_r23_s1_r24_s1_r25_the_sso_provider_is_the_primary_connection() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let operator = Api::operator(&house).await;
        let of_c = "/organizations/org-c/sso-provider";
        assert_eq!(told(&operator.get(of_c).await), refusal(404, "not_found"));
        let first = operator.put(of_c, oidc(&house.idp_a)).await;
        assert_eq!((first.status.as_u16(), &first.json()["state"]), (201, &json!("draft")), "{}", first.body);
        let (id, tag) = (first.json()["id"].clone(), first.header("etag").unwrap().to_owned());
        let read = operator.get(of_c).await;
        assert_eq!((&read.json(), read.header("etag")), (&first.json(), Some(tag.as_str())));
        fine(
            operator
                .put(
                    of_c,
                    json!({"type": "oidc", "issuer": house.idp_a.issuer, "client_id": "behalf",
            "activate": true}),
                )
                .await,
        );

        // Live, and nobody comes by it: what is put is live at once.
        let swapped = fine(operator.put(of_c, oidc(&house.idp_b)).await);
        assert_eq!(
            (&swapped["id"], &swapped["state"], &swapped["draft"]),
            (&id, &json!("active"), &Value::Null)
        );
        assert_eq!(swapped["settings"]["issuer"], json!(house.idp_b.issuer));
        let stale = operator
            .send(Method::PUT, of_c, |ask| {
                ask.header("if-match", &tag)
                    .header("content-type", "application/json")
                    .body(oidc(&house.idp_a).to_string())
            })
            .await;
        assert_eq!(told(&stale), refusal(412, "precondition_failed"));

        // Where people come by it, a draft is made, unless it is said otherwise.
        assert!(comes(&house, "ann@a.test").await);
        let drafted = fine(operator.put(PROVIDER, oidc(&house.idp_b)).await);
        assert_eq!((&drafted["version"], &drafted["draft"]["version"]), (&json!(1), &json!(2)));
        let before = house.before().await;
        let mut body = oidc(&house.idp_b);
        (body["activate"], body["leeway"]) = (json!(true), json!(20));
        assert_eq!(told(&operator.put(PROVIDER, body.clone()).await), refusal(409, "untested"));
        house.unchanged(&before).await;
        body["force"] = json!(true);
        assert_eq!(fine(operator.put(PROVIDER, body).await)["version"], json!(3));
        assert!(comes(&house, "new@a.test").await);

        assert_eq!(delete(&operator, &format!("{PROVIDER}?force=true")).await.status, 204);
        assert_eq!(told(&operator.get(PROVIDER).await), refusal(404, "not_found"));
        assert_eq!(told(&delete(&operator, PROVIDER).await), refusal(404, "not_found"));
        assert!(!comes(&house, "new@a.test").await);
        // Who came by it is known as before once it is on again.
        let path = path_of(&house, "ca").await;
        fine(act(&operator, &path, "enable").await);
        assert!(comes(&house, "new@a.test").await);
        assert_eq!(house.count("identities WHERE email = 'new@a.test'").await, 1);
    }
}

#[tokio::test]
async fn s1_r25_what_members_depend_on_is_not_taken_away_unless_they_have_another_way() {
    let google = "\n[connection.google]\ntype = \"oidc\"\npreset = \"google\"\nclient_id = \"behalf\"\n\
                  client_secret = { env = \"CA_SECRET\" }\n";
    let house = Plan::default().and(google).and(THIRD).build().await;
    let key = Api::key(&house, "org-a", &EVERYTHING).await;
    // No owner has come by it: it is nobody's last way in.
    let third = Api::by_consent(&house, "con@a.test", "org-a").await;
    house.execute("UPDATE memberships SET roles = '[\"admin\"]' WHERE roles = '[\"member\"]'").await;
    house.execute("UPDATE membership_roles SET role = 'admin' WHERE role = 'member'").await;
    let path = path_of(&house, "ca").await;
    house
        .execute(r#"UPDATE organizations SET policy = replace(policy, '"enforcement":"off"', '"enforcement":"required"') WHERE slug = 'org-a'"#)
        .await;
    let before = house.before().await;
    for refused in [
        delete(&key, &path).await,
        delete(&key, PROVIDER).await,
        act(&key, &path, "disable").await,
        delete(&key, &format!("{path}?force=true")).await,
        delete(&key, &format!("{path}?fallback=log_in_with_google")).await,
        // By neither could anybody come.
        delete(&key, &format!("{path}?force=true&fallback=log_in_with_microsoft")).await,
        delete(&key, &format!("{path}?force=true&fallback=log_in_with_oidc")).await,
        delete(&key, &format!("{path}?force=true&fallback=log_in_with_password")).await,
    ] {
        assert_eq!(told(&refused), refusal(409, "enforcement_depends"));
    }
    house.unchanged(&before).await;
    // What binds everybody is not a connection's to say, by whichever door.
    let sure = "force=true&fallback=log_in_with_google";
    for api in [&key, &third] {
        for refused in [delete(api, &format!("{path}?{sure}")), delete(api, &format!("{PROVIDER}?{sure}"))] {
            let before = house.before().await;
            assert_eq!(told(&refused.await), refusal(403, "permission_missing"));
            house.refused(&before, "permission_missing").await;
        }
        let before = house.before().await;
        let refused = act(api, &path, &format!("disable?{sure}")).await;
        assert_eq!(told(&refused), refusal(403, "permission_missing"));
        house.refused(&before, "permission_missing").await;
    }
    let key = Api::key(&house, "org-a", &[&EVERYTHING[..], &["policy:write"]].concat()).await;
    let done = delete(&key, &format!("{path}?{sure}")).await;
    assert_eq!(done.status, 204, "{}", done.body);
    let policy = key.get("/organizations/org-a/policy").await;
    assert_eq!(policy.json()["enforcement"], json!("off"), "{}", policy.body);
    assert_eq!(house.events_of("organization.policy_changed").await, 1);
}

#[tokio::test]
async fn s1_p8_a_live_connection_routes_nobody_and_binds_nobody_until_each_is_said() {
    let house = House::opens().await;
    let permissions =
        ["connections:write", "connections:read", "domains:write", "policy:read", "policy:write"];
    let key = Api::key(&house, "org-a", &permissions).await;
    let (path, view) = makes(&key, oidc(&house.idp_b)).await;
    fine(Api::operator(&house).await.post(&format!("{path}/activate"), json!({})).await);
    let hits = house.idp_b.hits("/authorize");
    assert!(comes(&house, "ann@a.test").await);
    assert_eq!(house.idp_b.hits("/authorize"), hits, "live, and nobody is led there");
    routes(&house, "a.test", &[&view["id"]]).await;
    assert!(comes(&house, "new@a.test").await);
    assert_eq!(house.idp_b.hits("/authorize"), hits + 1);
    // Led there, and not bound to it; to bind them takes more than a connection.
    assert_eq!(key.get("/organizations/org-a/policy").await.json()["enforcement"], json!("off"));
    let before = house.before().await;
    let refused = key.patch("/organizations/org-a/policy", json!({"enforcement": "required"})).await;
    assert_eq!(told(&refused), refusal(409, "enforcement_not_ready"));
    house.unchanged(&before).await;
}

#[tokio::test]
async fn s3_11_an_organization_has_one_primary_connection_as_long_as_it_has_any() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let key = Api::key(&house, "org-a", &EVERYTHING).await;
        let ca = path_of(&house, "ca").await;
        assert_eq!(key.get(&ca).await.json()["primary"], json!(true), "what the file made is");
        house.turn_clock(1);
        let (second, view) = makes(&key, oidc(&house.idp_b)).await;
        assert_eq!(view["primary"], json!(false));
        house.turn_clock(1);
        let (third, _) = makes(&key, oidc(&house.idp_b)).await;
        fine(Api::operator(&house).await.post(&format!("{third}/activate"), json!({})).await);
        let primaries = async || {
            let all = key.get("/connections").await.json()["items"].clone();
            let all = all.as_array().unwrap().clone();
            all.into_iter()
                .filter(|it| it["primary"] == json!(true))
                .map(|it| it["id"].clone())
                .collect::<Vec<_>>()
        };
        assert_eq!(fine(act(&key, &second, "primary").await)["primary"], json!(true));
        assert_eq!(primaries().await, [view["id"].clone()]);
        // The oldest active one takes its place; a draft only where there is none.
        fine(act(&key, &second, "disable").await);
        assert_eq!(primaries().await, [json!(house.connection("ca").await)]);
        let off = act(&key, &second, "primary").await;
        assert_eq!(told(&off), refusal(409, "connection_not_active"));
        fine(act(&Api::operator(&house).await, &second, "enable").await);
        assert_eq!(primaries().await, [json!(house.connection("ca").await)]);
        let (second_id, third_id) =
            (view["id"].as_str().unwrap(), third.strip_prefix("/connections/").unwrap());
        fine(act(&key, &ca, "disable").await);
        assert_eq!(primaries().await, [json!(third_id)]);
        fine(act(&key, &third, "disable").await);
        assert_eq!(primaries().await, [json!(second_id)]);
        fine(act(&key, &second, "disable").await);
        assert!(primaries().await.is_empty());
        fine(act(&Api::operator(&house).await, &ca, "enable").await);
        assert_eq!(primaries().await, [json!(house.connection("ca").await)]);

        // Of many at once, one.
        fine(act(&Api::operator(&house).await, &second, "enable").await);
        fine(act(&Api::operator(&house).await, &third, "enable").await);
        let all = [&ca, &second, &third, &ca, &second, &third];
        let done = futures_util::future::join_all(all.map(|path| act(&key, path, "primary"))).await;
        assert!(done.iter().all(|answer| answer.status == 200));
        assert_eq!(primaries().await.len(), 1);
    }
}

#[tokio::test]
async fn s0_04_a_connection_stays_with_its_organization_and_is_what_it_is() {
    let house = House::opens().await;
    let (operator, key) = (Api::operator(&house).await, Api::key(&house, "org-a", &EVERYTHING).await);
    let path = path_of(&house, "ca").await;
    let before = house.before().await;
    for change in [
        json!({"organization_id": "org-b"}),
        json!({"organization_id": "org-nowhere"}),
        json!({"organization_id": house.organization("org-b").await}),
        json!({"scope": "project"}),
        json!({"type": "saml"}),
        json!({"slug": "other"}),
    ] {
        for api in [&operator, &key] {
            let refused = api.patch(&path, change.clone()).await;
            assert_eq!(told(&refused), refusal(409, "not_movable"), "{change}");
        }
        if change.get("slug").is_none() {
            let mut whole = oidc(&house.idp_b);
            whole.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
            assert_eq!(told(&operator.put(PROVIDER, whole).await), refusal(409, "not_movable"), "{change}");
        }
    }
    house.unchanged(&before).await;
    let stays = json!({"organization_id": "org-a", "type": "oidc", "slug": "ca", "display_name": "Renamed"});
    let renamed = fine(key.patch(&path, stays).await);
    assert_eq!((&renamed["display_name"], &renamed["version"]), (&json!("Renamed"), &json!(1)));
    assert_eq!(renamed["draft"], Value::Null);
}

#[tokio::test]
async fn s1_o6_s1_l5_an_organization_sees_and_changes_its_own_connections_alone() {
    let google = "\n[connection.google]\ntype = \"oidc\"\npreset = \"google\"\nclient_id = \"behalf\"\n\
                  client_secret = { env = \"CA_SECRET\" }\n";
    let house = Plan::default().and(google).build().await;
    let (operator, key) = (Api::operator(&house).await, Api::key(&house, "org-a", &EVERYTHING).await);
    let ids = async |api: &Api, query: &str| {
        let all = fine(api.get(&format!("/connections{query}")).await)["items"].clone();
        let mut all: Vec<_> =
            all.as_array().unwrap().iter().map(|it| it["slug"].as_str().unwrap().to_owned()).collect();
        all.sort();
        all
    };
    assert_eq!(ids(&key, "").await, ["ca"]);
    assert_eq!(ids(&key, "?organization_id=org-a").await, ["ca"]);
    assert_eq!(ids(&operator, "?organization_id=org-b").await, ["cb"]);
    assert_eq!(ids(&operator, "?scope=project").await, ["google"]);
    assert_eq!(ids(&operator, "").await, ["ca", "cb", "google"]);
    assert_eq!(told(&key.get("/connections?organization_id=org-b").await), refusal(404, "not_found"));
    assert_eq!(told(&key.get("/connections?scope=project").await), refusal(403, "operator_required"));

    let before = house.before().await;
    let (cb, of_project) = (path_of(&house, "cb").await, path_of(&house, "google").await);
    let unknown = "/connections/conn_00000000000000000000000007";
    for hidden in [cb.as_str(), of_project.as_str(), unknown] {
        let answers = [
            key.get(hidden).await,
            key.put(hidden, oidc(&house.idp_a)).await,
            key.patch(hidden, json!({"leeway": 1})).await,
            delete(&key, hidden).await,
            key.get(&format!("{hidden}/versions")).await,
            key.post(&format!("{hidden}/activate"), json!({})).await,
            key.post(&format!("{hidden}/rollback"), json!({})).await,
            act(&key, hidden, "disable").await,
            act(&key, hidden, "enable").await,
            act(&key, hidden, "primary").await,
        ];
        for answer in answers {
            let mut body = answer.json();
            assert!(body.as_object_mut().unwrap().remove("request_id").is_some());
            let mut nothing = key.get(unknown).await.json();
            nothing.as_object_mut().unwrap().remove("request_id");
            assert_eq!((answer.status.as_u16(), body), (404, nothing));
        }
    }
    let mut body = oidc(&house.idp_a);
    body["organization_id"] = json!("org-b");
    assert_eq!(told(&key.post("/connections", body.clone()).await), refusal(404, "not_found"));
    body.as_object_mut().unwrap().remove("organization_id");
    body["scope"] = json!("project");
    assert_eq!(told(&key.post("/connections", body.clone()).await), refusal(403, "operator_required"));
    body.as_object_mut().unwrap().remove("scope");
    assert_eq!(
        told(&operator.post("/connections", body.clone()).await),
        refusal(400, "organization_required")
    );
    // What only the operator gives.
    body["slug"] = json!("cb");
    assert_eq!(told(&key.post("/connections", body.clone()).await), refusal(403, "operator_required"));
    body.as_object_mut().unwrap().remove("slug");
    for name in ["org-b", "org-nowhere"] {
        body["assign_organizations"] = json!([name]);
        assert_eq!(told(&key.post("/connections", body.clone()).await), refusal(403, "operator_required"));
    }
    house.unchanged(&before).await;
    body["assign_organizations"] = json!([]);
    (body["scope"], body["slug"]) = (json!("project"), json!("cb"));
    assert_eq!(told(&operator.post("/connections", body.clone()).await), refusal(409, "connection_exists"));
    body["slug"] = json!("partner");
    let (path, view) = makes(&operator, body).await;
    assert_eq!((&view["organization_id"], &view["slug"]), (&Value::Null, &json!("partner")));
    assert_eq!(told(&act(&operator, &path, "primary").await), refusal(409, "not_movable"));
    assert_eq!(fine(operator.post(&format!("{path}/activate"), json!({})).await)["state"], json!("active"));
}

#[tokio::test]
async fn c02_who_has_not_signed_in_lately_changes_no_connection() {
    let house = House::opens().await;
    let token = access_token(&house, "ann@a.test", "org-a").await;
    let ann = Api::with(&house, Some(token)).await;
    let path = path_of(&house, "ca").await;
    fine(ann.patch(&path, json!({"leeway": 30})).await);
    let old = "UPDATE sessions SET authenticated_at = authenticated_at - 900001";
    assert!(house.execute(old).await >= 1);
    let before = house.before().await;
    let refused = [
        ann.post("/connections", oidc(&house.idp_b)).await,
        ann.put(&path, oidc(&house.idp_b)).await,
        ann.patch(&path, json!({"leeway": 1})).await,
        delete(&ann, &path).await,
        ann.post(&format!("{path}/activate"), json!({})).await,
        ann.post(&format!("{path}/rollback"), json!({})).await,
        act(&ann, &path, "disable").await,
        act(&ann, &path, "enable").await,
        act(&ann, &path, "primary").await,
        ann.put(PROVIDER, oidc(&house.idp_b)).await,
        delete(&ann, PROVIDER).await,
    ];
    for answer in refused {
        assert_eq!(told(&answer), refusal(403, "reauthentication_required"));
    }
    house.unchanged(&before).await;
    assert_eq!(ann.get(&path).await.status, 200);
}

#[tokio::test]
async fn h01_nobody_whom_a_provider_sends_first_is_given_what_administers() {
    let house = House::opens().await;
    let operator = Api::operator(&house).await;
    let key = Api::key(&house, "org-a", &["connections:read", "connections:write"]).await;
    let path = path_of(&house, "ca").await;
    let before = house.before().await;
    for (role, code) in
        [("owner", "role_not_allowed"), ("admin", "role_not_allowed"), ("nobody", "role_unknown")]
    {
        for api in [&operator, &key] {
            let refused = api.patch(&path, json!({"default_roles": [role]})).await;
            assert_eq!(told(&refused), refusal(422, code), "{role}");
        }
    }
    // A key that may not give a role does not give it by the way either.
    let refused = key.patch(&path, json!({"default_roles": ["member"]})).await;
    assert_eq!(told(&refused), refusal(403, "role_ceiling"));
    house.unchanged(&before).await;
    let drafted = fine(operator.patch(&path, json!({"default_roles": ["member"]})).await);
    assert_eq!(drafted["draft"]["settings"]["default_roles"], json!(["member"]));
}

#[tokio::test]
async fn s0_04_organizations_that_nobody_can_join_are_refused_by_name() {
    let house = House::opens().await;
    let operator = Api::operator(&house).await;
    let path = path_of(&house, "ca").await;
    let owner = Api::person(&house, "ann@a.test", "org-a").await;
    let made = owner.post("/roles", json!({"name": "clerk", "permissions": []})).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let open = fine(operator.patch(&path, json!({"assign_organizations": ["org-b"]})).await);
    let known = open["draft"]["settings"]["assign_organizations"].clone();
    assert_eq!(known, json!([house.organization("org-b").await]));
    let refused = async |what: &str, body: Value, pointer: &str, why: &str| {
        let before = house.before().await;
        let answer = operator.patch(&path, body).await;
        assert_eq!(told(&answer), refusal(422, "invalid_value"), "{what}: {}", answer.body);
        let complaint = answer.json()["errors"][0].clone();
        assert_eq!(complaint["pointer"], json!(pointer), "{what}");
        assert!(complaint["detail"].as_str().unwrap().contains(why), "{what}: {complaint}");
        house.refused(&before, "invalid_value").await;
    };
    let names = |names: &[&str]| json!({"assign_organizations": names});
    refused("unknown", names(&["org-nowhere"]), "/assign_organizations/0", "no such organization").await;
    refused("twice", names(&["org-b", "org-b"]), "/assign_organizations/1", "twice").await;
    let role = json!({"assign_organizations": ["org-b"], "default_roles": ["clerk"]});
    refused("another's role", role, "/assign_organizations/0", "no role clerk").await;
    let shut = act(&operator, "/organizations/org-b", "deactivate").await;
    assert!(shut.status.is_success(), "{}", shut.body);
    refused("shut", names(&["org-a", "org-b"]), "/assign_organizations/1", "not active").await;
    // What was said before stays, whatever has become of it since.
    let other = fine(operator.patch(&path, json!({"leeway": 30})).await);
    assert_eq!(other["draft"]["settings"]["assign_organizations"], known);
}

#[tokio::test]
async fn s3_04_in_an_exclusive_project_a_connection_lets_nobody_join_a_second_organization() {
    let exclusive = "slug = \"default\"\nmembership_mode = \"exclusive\"";
    let house = Plan::default().with("slug = \"default\"", exclusive).build().await;
    let operator = Api::operator(&house).await;
    let path = path_of(&house, "ca").await;
    let before = house.before().await;
    let refused = operator.patch(&path, json!({"assign_organizations": ["org-b"]})).await;
    assert_eq!(told(&refused), refusal(422, "invalid_value"), "{}", refused.body);
    assert_eq!(refused.json()["errors"][0]["pointer"], json!("/assign_organizations/0"));
    house.refused(&before, "invalid_value").await;
}

#[tokio::test]
async fn s1_p2a_s1_p2e_h17_a_provider_that_is_not_who_it_was_said_to_be_is_refused() {
    let house = House::opens().await;
    let key = Api::key(&house, "org-a", &EVERYTHING).await;
    let path = path_of(&house, "ca").await;
    let before = house.before().await;
    let tries = async |what: &str, code: &str| {
        for refused in [
            key.post("/connections", oidc(&house.idp_b)).await,
            key.put(&path, oidc(&house.idp_b)).await,
            key.put(PROVIDER, oidc(&house.idp_b)).await,
        ] {
            assert_eq!(told(&refused), refusal(422, code), "{what}");
        }
        house.unchanged(&before).await;
        house.turn_clock(61);
    };
    house.idp_b.publishes("{\"keys\": []}");
    tries("no key", "discovery_failed").await;
    house.idp_b.publishes("{\"keys\": [{\"kty\": \"oct\", \"k\": \"AAAA\"}]}");
    tries("no key of an issuer", "discovery_failed").await;
    house.idp_b.publishes("nonsense");
    tries("no keys", "discovery_failed").await;
    for (what, door) in [
        ("closed", Door::Status(404)),
        ("no document", Door::Body("<!doctype html>".into())),
        ("elsewhere", Door::Redirect(format!("{}/.well-known/openid-configuration", house.idp_a.issuer))),
        ("too large", Door::Huge(5_000_000)),
    ] {
        house.idp_b.door("/.well-known/openid-configuration", Some(door));
        tries(what, "discovery_failed").await;
    }
    house.idp_b.door("/.well-known/openid-configuration", None);
    house.idp_b.discovery("issuer", json!(format!("{}/", house.idp_b.issuer)));
    tries("another issuer", "issuer_mismatch").await;
}

#[tokio::test]
async fn c05_metadata_without_a_key_that_counts_makes_no_connection() {
    let mut plan = Plan::default();
    let idp = LyingSamlIdp::new("new", plan.clock.clone());
    let metadata = idp.metadata();
    let certificate = idp.signer.certificate.base64();
    plan.saml.insert("new-idp".into(), idp);
    let house = plan.build().await;
    let key = Api::key(&house, "org-a", &EVERYTHING).await;
    let start = metadata.find("<md:KeyDescriptor").unwrap();
    let end = metadata.find("</md:KeyDescriptor>").unwrap() + "</md:KeyDescriptor>".len();
    let before = house.before().await;
    for (what, document) in [
        ("no key", format!("{}{}", &metadata[..start], &metadata[end..])),
        ("a key for encryption", metadata.replace("use=\"signing\"", "use=\"encryption\"")),
        ("no metadata", "<a/>".to_owned()),
        ("no XML", "nonsense".to_owned()),
        ("a doctype", format!("<!DOCTYPE a [<!ENTITY x \"y\">]>{metadata}")),
    ] {
        let body = json!({"type": "saml", "metadata_xml": document});
        for refused in [
            key.post("/connections", body.clone()).await,
            key.post("/connections", json!({"type": "saml", "metadata_xml": document, "activate": true}))
                .await,
        ] {
            assert_eq!(told(&refused), refusal(422, "metadata_invalid"), "{what}: {}", refused.body);
        }
    }
    // Whose certificates have all expired says nothing that could be verified.
    house.turn_clock(30 * 365 * 86_400);
    let typed = json!({"type": "saml", "idp_entity_id": "https://idp.test", "idp_redirect_url": "https://idp.test/sso",
        "idp_x509_certificate": [certificate]});
    let key = Api::key(&house, "org-a", &EVERYTHING).await;
    let refused = key.post("/connections", json!({"type": "saml", "metadata_xml": metadata})).await;
    assert_eq!(told(&refused), refusal(422, "metadata_invalid"), "{}", refused.body);
    let refused = key.post("/connections", typed).await;
    assert_eq!(told(&refused), refusal(422, "invalid_value"), "{}", refused.body);
    assert_eq!(house.facts().await.rows("connections"), 2);
    drop(before);

    // Before there is a provider, there is a draft with our own addresses, and no way to make it live.
    let (path, view) = makes(&key, json!({"type": "saml"})).await;
    assert!(view["addresses"]["sp_acs_url"].is_string());
    let incomplete = Api::operator(&house).await.post(&format!("{path}/activate"), json!({})).await;
    assert_eq!(told(&incomplete), refusal(409, "connection_incomplete"));
}

#[tokio::test]
async fn c05_keys_that_it_would_cost_too_much_to_try_make_no_connection() {
    use crate::house::heavy_keys::certificate;
    let mut plan = Plan::default();
    let idp = LyingSamlIdp::new("new", plan.clock.clone());
    let many =
        |bits: usize, count: u8| (0..count).map(|number| certificate(bits, number)).collect::<Vec<_>>();
    let described = |keys: &[behalf::protocol::saml::keys::Certificate]| json!({"type": "saml", "metadata_xml": idp.metadata_with(&keys.iter().collect::<Vec<_>>())});
    let typed = |keys: &[behalf::protocol::saml::keys::Certificate]| {
        let keys: Vec<_> = keys.iter().map(|key| key.base64()).collect();
        json!({"type": "saml", "idp_entity_id": "https://idp.test", "idp_redirect_url": "https://idp.test/sso",
            "idp_x509_certificate": keys})
    };
    // Its own key of 2048 bits comes first in what it publishes.
    let (good, bad) = (described(&many(8192, 3)), described(&many(8192, 4)));
    let (short_good, short_bad) = (described(&many(4096, 15)), described(&many(4096, 16)));
    let (typed_good, typed_bad) = (typed(&many(8192, 4)), typed(&many(8192, 5)));
    let twice = typed(&[many(8192, 4), many(8192, 4)].concat());
    plan.saml.insert("new-idp".into(), idp);
    let house = plan.build().await;
    let key = Api::key(&house, "org-a", &EVERYTHING).await;
    let before = house.before().await;
    for (body, code) in
        [(bad, "metadata_invalid"), (short_bad, "metadata_invalid"), (typed_bad, "invalid_value")]
    {
        let refused = key.post("/connections", body).await;
        assert_eq!(told(&refused), refusal(422, code), "{}", refused.body);
        assert!(refused.body.contains("longer keys"), "{}", refused.body);
    }
    house.unchanged(&before).await;
    for body in [good, short_good, typed_good, twice] {
        let (path, _) = makes(&key, body).await;
        fine(Api::operator(&house).await.post(&format!("{path}/activate"), json!({})).await);
    }
}

#[tokio::test]
async fn c27_addresses_inside_are_refused_alike_and_nobody_is_asked() {
    let plan = Plan { settings: |config| config.egress.allow_loopback_and_http = false, ..Plan::default() };
    let plan =
        plan.with("\"{idp_a}\"", "\"https://idp-a.test\"").with("\"{idp_b}\"", "\"https://idp-b.test\"");
    let house = plan.build().await;
    let canary = LyingIdp::opens(house.clock.clone()).await;
    let port = Url::parse(&canary.issuer).unwrap().port().unwrap();
    let key = Api::key(&house, "org-a", &EVERYTHING).await;
    let mut bodies = Vec::new();
    for host in ["127.0.0.1", "[::1]", "[::ffff:7f00:1]", "2130706433", "10.0.0.1", "169.254.169.254", "0"] {
        for port in [port, 9, 443] {
            let url = format!("https://{host}:{port}");
            for body in [
                json!({"type": "oidc", "issuer": url, "client_id": "x", "client_secret": "x"}),
                json!({"type": "saml", "metadata_url": format!("{url}/metadata")}),
            ] {
                let refused = key.post("/connections", body).await;
                assert_eq!(told(&refused), refusal(422, "address_not_allowed"), "{url}");
                bodies.push(refused.json()["title"].clone());
            }
        }
    }
    bodies.dedup();
    assert_eq!(bodies.len(), 1);
    for name in ["authorization", "token", "userinfo", "jwks"] {
        let mut endpoints = json!({"authorization": "https://idp.test/a", "token": "https://idp.test/t",
            "userinfo": "https://idp.test/u", "jwks": "https://idp.test/k"});
        endpoints[name] = json!("https://10.0.0.1/x");
        let body = json!({"type": "oidc", "issuer": "https://idp.test", "client_id": "x", "client_secret": "x",
            "endpoints": endpoints});
        let refused = key.post("/connections", body).await;
        assert_eq!(told(&refused), refusal(422, "address_not_allowed"), "{name}");
    }
    assert_eq!(canary.hits("/.well-known/openid-configuration"), 0);
}

#[tokio::test]
async fn s1_p2a_a_body_says_what_is_wrong_where_it_is_wrong() {
    let house = House::opens().await;
    let key = Api::key(&house, "org-a", &EVERYTHING).await;
    let issuer = house.idp_a.issuer.clone();
    let cases = [
        (json!({}), 422, "invalid_value", "/type"),
        (json!({"type": "ldap"}), 400, "invalid_body", "/type"),
        (json!({"type": "oidc", "issuer": issuer, "isuer": 1}), 400, "unknown_field", "/isuer"),
        (
            json!({"type": "oidc", "issuer": issuer, "idp_entity_id": "x"}),
            400,
            "unknown_field",
            "/idp_entity_id",
        ),
        (json!({"type": "oidc", "issuer": {"file": "/etc/passwd"}}), 400, "invalid_body", "/issuer"),
        (
            json!({"type": "oidc", "issuer": issuer, "client_secret": {"env": "HOME"}}),
            400,
            "invalid_body",
            "/client_secret",
        ),
        (json!({"type": "saml", "metadata_file": "/etc/passwd"}), 400, "unknown_field", "/metadata_file"),
        (json!({"type": "saml", "signing_key": {"file": "x"}}), 400, "invalid_body", "/signing_key"),
        (json!({"type": "oidc"}), 422, "invalid_value", "/issuer"),
        (json!({"type": "oidc", "issuer": "http://idp.test"}), 422, "invalid_value", "/issuer"),
        (
            json!({"type": "oidc", "issuer": "https://login.microsoftonline.com/common/v2.0"}),
            422,
            "invalid_value",
            "/issuer",
        ),
        (json!({"type": "oidc", "preset": "google", "issuer": issuer}), 422, "invalid_value", "/issuer"),
        (json!({"type": "oidc", "issuer": issuer, "scopes": ["email"]}), 422, "invalid_value", "/scopes"),
        (
            json!({"type": "oidc", "issuer": issuer, "scopes": ["openid", "a b"]}),
            422,
            "invalid_value",
            "/scopes/1",
        ),
        (
            json!({"type": "oidc", "issuer": issuer, "algorithms": ["HS256"]}),
            422,
            "invalid_value",
            "/algorithms/0",
        ),
        (json!({"type": "oidc", "issuer": issuer, "leeway": 121}), 422, "invalid_value", "/leeway"),
        (
            json!({"type": "oidc", "issuer": issuer, "endpoints": {"token": 1}}),
            400,
            "invalid_body",
            "/endpoints/token",
        ),
        (
            json!({"type": "oidc", "issuer": issuer, "display_name": "a\u{202e}b"}),
            422,
            "invalid_value",
            "/display_name",
        ),
        (
            json!({"type": "saml", "metadata_xml": "<a/>", "idp_entity_id": "x"}),
            422,
            "invalid_value",
            "/idp_entity_id",
        ),
        (json!({"type": "saml", "metadata_entity_id": "x"}), 422, "invalid_value", "/metadata_entity_id"),
        (
            json!({"type": "saml", "idp_x509_certificate": "nonsense"}),
            422,
            "invalid_value",
            "/idp_x509_certificate/0",
        ),
        // An RSA key whose exponent is three.
        (
            json!({"type": "saml", "idp_x509_certificate":
                include_str!("../../../src/protocol/saml/fixtures/rsa2048_e3.crt")}),
            422,
            "invalid_value",
            "/idp_x509_certificate/0",
        ),
        (
            json!({"type": "saml", "idp_redirect_url": "javascript:alert(1)"}),
            422,
            "invalid_value",
            "/idp_redirect_url",
        ),
        (
            json!({"type": "saml", "idp_redirect_url": "https://idp.test/sso?SAMLRequest=x"}),
            422,
            "invalid_value",
            "/idp_redirect_url",
        ),
        (
            json!({"type": "saml", "required_attributes": {"a": []}}),
            422,
            "invalid_value",
            "/required_attributes/a",
        ),
        // What no message can say, or be asked for by, would keep everybody out.
        (json!({"type": "saml", "scoping": ["\u{1}"]}), 422, "invalid_value", "/scoping"),
        (json!({"type": "saml", "scoping": [""]}), 422, "invalid_value", "/scoping"),
        (
            json!({"type": "saml", "authn_context": {"classes": ["urn:x", "\u{fffe}"]}}),
            422,
            "invalid_value",
            "/authn_context/classes",
        ),
        (
            json!({"type": "saml", "authn_context": {"classes": [" urn:x"]}}),
            422,
            "invalid_value",
            "/authn_context/classes",
        ),
        (json!({"type": "saml", "subject_attribute": ""}), 422, "invalid_value", "/subject_attribute"),
        (json!({"type": "saml", "attributes": {"email": [""]}}), 422, "invalid_value", "/attributes/email"),
        (
            json!({"type": "saml", "required_attributes": {"a": [""]}}),
            422,
            "invalid_value",
            "/required_attributes/a",
        ),
        (
            json!({"type": "saml", "required_attributes": {"": ["x"]}}),
            422,
            "invalid_value",
            "/required_attributes/",
        ),
        (json!({"type": "saml", "claims": {"dept": ["a\nb"]}}), 422, "invalid_value", "/claims/dept"),
        (json!({"type": "saml", "idp_entity_id": ""}), 422, "invalid_value", "/idp_entity_id"),
        (json!({"type": "saml", "idp_entity_id": "urn:\u{ffff}"}), 422, "invalid_value", "/idp_entity_id"),
        (
            json!({"type": "saml", "idp_redirect_url": "https://idp.test\\@evil.test/sso"}),
            422,
            "invalid_value",
            "/idp_redirect_url",
        ),
        // What we say ourselves is not said twice.
        (
            json!({"type": "oidc", "issuer": issuer, "domain_hint_parameter": "state"}),
            422,
            "invalid_value",
            "/domain_hint_parameter",
        ),
        (
            json!({"type": "oidc", "issuer": issuer, "domain_hint_parameter": "x&y=1"}),
            422,
            "invalid_value",
            "/domain_hint_parameter",
        ),
        (json!({"type": "saml", "name_id_format": "transient"}), 422, "invalid_value", "/name_id_format"),
        (json!({"type": "saml", "idp_initiated": "accept"}), 422, "invalid_value", "/idp_initiated"),
        (json!({"type": "saml", "claims": {"sub": "x"}}), 422, "invalid_value", "/claims/sub"),
        (json!({"type": "saml", "signing_key": "nonsense"}), 422, "invalid_value", "/signing_certificate"),
        (
            json!({"type": "saml", "signature_algorithm": "ecdsa-sha256"}),
            422,
            "invalid_value",
            "/signature_algorithm",
        ),
        (
            json!({"type": "saml", "default_application": "nobody"}),
            422,
            "invalid_value",
            "/default_application",
        ),
        (json!({"type": "saml", "login_hint": "RelayState"}), 422, "invalid_value", "/login_hint"),
        (
            json!({"type": "saml", "subject_attribute": "a".repeat(5_000)}),
            422,
            "invalid_value",
            "/subject_attribute",
        ),
    ];
    let before = house.before().await;
    for (body, status, code, pointer) in cases {
        let refused = key.post("/connections", body.clone()).await;
        assert_eq!(told(&refused), refusal(status, code), "{body}: {}", refused.body);
        assert_eq!(refused.json()["errors"][0]["pointer"], json!(pointer), "{body}: {}", refused.body);
        house.turn_clock(2);
    }
    house.unchanged(&before).await;
    // Metadata is larger than what is taken elsewhere, and not without end.
    let large = json!({"type": "saml", "metadata_xml": format!("<a>{}</a>", "x".repeat(300_000))});
    assert_eq!(told(&key.post("/connections", large).await), refusal(422, "metadata_invalid"));
    let huge = json!({"type": "saml", "metadata_xml": "x".repeat(1_100_000)});
    assert_eq!(told(&key.post("/connections", huge).await), refusal(413, "too_large"));
}

#[tokio::test]
async fn s3_34_metadata_at_an_address_is_read_when_it_is_given_and_counts_when_it_goes_live() {
    let mut plan = Plan::default();
    let idp = LyingSamlIdp::new("new", plan.clock.clone());
    let publisher = Publisher::of(idp.metadata()).await;
    let (document, entity_id) = (idp.metadata(), idp.entity_id.clone());
    plan.saml.insert("new-idp".into(), idp);
    let house = plan.build().await;
    let operator = Api::operator(&house).await;
    let body =
        json!({"type": "saml", "organization_id": "org-b", "slug": "new-idp", "metadata_url": publisher.url});
    publisher.fails();
    let before = house.before().await;
    assert_eq!(told(&operator.post("/connections", body.clone()).await), refusal(422, "discovery_failed"));
    publisher.says("nonsense".into());
    assert_eq!(told(&operator.post("/connections", body.clone()).await), refusal(422, "metadata_invalid"));
    house.unchanged(&before).await;
    publisher.says(document.clone());
    let (path, view) = makes(&operator, body.clone()).await;
    assert_eq!(view["settings"]["metadata_url"], json!(publisher.url));
    assert_eq!(view["idp"]["idp_entity_id"], json!(entity_id));
    assert_eq!(house.count("metadata_reads").await, 0, "a draft is nobody's to look after");
    // The same address is no change, and nothing said of it either: both ask nobody. Nor is the same document again.
    let hits = publisher.hits();
    assert_eq!(fine(operator.patch(&path, json!({"metadata_url": publisher.url})).await), view);
    assert_eq!(publisher.hits(), hits);
    assert_eq!(fine(operator.patch(&path, json!({"read_metadata": true})).await), view);
    assert_eq!(publisher.hits(), hits + 1);
    let patched = fine(operator.patch(&path, json!({"force_authn": true})).await);
    assert_eq!((publisher.hits(), &patched["idp"]), (hits + 1, &view["idp"]));
    assert_eq!(patched["settings"]["metadata_url"], json!(publisher.url));

    fine(operator.post(&format!("{path}/activate"), json!({})).await);
    assert_eq!(house.count("metadata_reads").await, 1);
    routes(&house, "b.test", &[&view["id"]]).await;
    let (ask, mut eve) = (Application::rp1(&house).asks(), Person::new("eve@b.test"));
    let arrival = eve.signs_in_by(&house, "new-idp", &ask, &Says::that("eve@b.test")).await;
    assert_eq!(ask.redeems(&arrival).await.id["email"], json!("eve@b.test"));
    // Who says who the provider is not, says nothing; and who says a part of it leaves the rest as it was read.
    let before = house.before().await;
    assert_eq!(
        told(&operator.patch(&path, json!({"metadata_url": null})).await),
        refusal(422, "invalid_value")
    );
    house.unchanged(&before).await;
    let other = Signer::new("other", house.clock.now()).certificate.base64();
    let sso = &house.saml("new-idp").sso;
    for (change, certificates) in [
        (json!({"metadata_xml": document}), Value::Null),
        (json!({"idp_x509_certificate": [other]}), json!([other])),
        (json!({"metadata_url": null, "idp_x509_certificate": [other]}), json!([other])),
    ] {
        let draft = fine(operator.patch(&path, change.clone()).await)["draft"].clone();
        assert_eq!(draft["settings"]["metadata_url"], Value::Null, "{change}");
        assert_eq!(draft["settings"]["idp_x509_certificate"], certificates, "{change}");
        assert_eq!(
            (&draft["idp"]["idp_entity_id"], &draft["idp"]["idp_redirect_url"]),
            (&json!(entity_id), &json!(sso)),
            "{change}"
        );
        assert_eq!(delete(&operator, &format!("{path}/draft")).await.status, 204);
    }
    // Typed from now on: nobody looks at the address any more.
    let typed = json!({"idp_entity_id": entity_id, "idp_redirect_url": house.saml("new-idp").sso,
        "idp_x509_certificate": [house.saml("new-idp").signer.certificate.base64()]});
    let typed = fine(operator.patch(&path, typed).await);
    assert_eq!(typed["draft"]["settings"]["metadata_url"], Value::Null);
    fine(operator.post(&format!("{path}/activate"), json!({"force": true})).await);
    assert_eq!(house.count("metadata_reads").await, 0);
    fine(operator.post(&format!("{path}/rollback"), json!({})).await);
    assert_eq!(house.count("metadata_reads").await, 1);
}

#[tokio::test]
async fn s1_p3_keys_that_were_brought_stay_as_long_as_their_certificate_does() {
    let house = Plan::saml().build().await;
    let operator = Api::operator(&house).await;
    let path = path_of(&house, "cb").await;
    let (own, other) = (Signer::new("own", house.clock.now()), Signer::new("other", house.clock.now()));
    let key = own.pem();
    let certificate = own.certificate.base64();
    let brought = json!({"signing_key": key, "signing_certificate": certificate});
    let drafted = operator.patch(&path, brought).await;
    assert!(!drafted.body.contains("PRIVATE KEY"));
    let draft = fine(drafted)["draft"].clone();
    assert_eq!((&draft["secret_set"], &draft["secret_last4"]), (&json!(true), &Value::Null));
    assert_eq!(draft["settings"]["signing_certificate"], json!(certificate));
    let kept = fine(operator.patch(&path, json!({"force_authn": true})).await)["draft"].clone();
    assert_eq!(
        (&kept["secret_set"], &kept["settings"]["signing_certificate"]),
        (&json!(true), &json!(certificate))
    );
    let before = house.before().await;
    for (change, pointer) in [
        (json!({"signing_certificate": other.certificate.base64()}), "/signing_certificate"),
        (json!({"signing_key": other.pem()}), "/signing_certificate"),
        (json!({"next_signing_key": key, "next_signing_certificate": certificate}), "/next_signing_key"),
        (json!({"signature_algorithm": "ecdsa-sha256"}), "/signature_algorithm"),
    ] {
        let refused = operator.patch(&path, change.clone()).await;
        assert_eq!(told(&refused), refusal(422, "invalid_value"), "{change}: {}", refused.body);
        assert_eq!(refused.json()["errors"][0]["pointer"], json!(pointer), "{change}");
    }
    house.unchanged(&before).await;
    fine(operator.post(&format!("{path}/activate"), json!({"force": true})).await);
    assert!(house.sp_metadata("cb").await.contains(&certificate));
    let (ask, mut bob) = (Application::rp1(&house).asks(), Person::new("bob@b.test"));
    let arrival = bob.signs_in_by(&house, "cb", &ask, &Says::that("bob@b.test")).await;
    ask.redeems(&arrival).await;
    let without = fine(operator.patch(&path, json!({"signing_certificate": null})).await);
    assert_eq!(without["draft"]["secret_set"], json!(false));
}

#[tokio::test]
async fn h04_what_the_operator_s_file_changes_is_a_version_too_and_no_number_is_given_twice() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let key = Api::key(&house, "org-a", &EVERYTHING).await;
        let path = path_of(&house, "ca").await;
        let drafted = fine(key.patch(&path, json!({"always_userinfo": true})).await);
        assert_eq!(drafted["draft"]["version"], json!(2));
        let changed =
            house.file.replacen("jit = \"create_and_join\"", "jit = \"create_and_join\"\nleeway = 20", 1);
        house.provision(&changed).await;
        let view = key.get(&path).await.json();
        assert_eq!((&view["version"], &view["previous_version"]), (&json!(3), &json!(1)));
        assert_eq!((&view["settings"]["leeway"], &view["draft"]["version"]), (&json!(20), &json!(2)));
        house.provision(&changed).await;
        assert_eq!(key.get(&path).await.json(), view, "once more is no change");
        // What is older than what is live goes live under a number of its own.
        let operator = Api::operator(&house).await;
        let read = operator.get(&path).await.header("etag").unwrap().to_owned();
        let named = |ask: reqwest::RequestBuilder| {
            ask.header("if-match", read).header("content-type", "application/json").body("{}")
        };
        let live = fine(operator.send(Method::POST, &format!("{path}/activate"), named).await);
        assert_eq!((&live["version"], &live["previous_version"]), (&json!(4), &json!(3)));
        assert_eq!(
            (&live["settings"]["always_userinfo"], &live["settings"]["leeway"]),
            (&json!(true), &json!(60))
        );
        let back =
            fine(Api::operator(&house).await.post(&format!("{path}/rollback"), json!({"version": 3})).await);
        assert_eq!((&back["version"], &back["settings"]["leeway"]), (&json!(5), &json!(20)));
        assert!(comes(&house, "ann@a.test").await);
        // Nor where all are switched off at once.
        fine(key.patch(&path, json!({"leeway": 50})).await);
        let (db, now) = (&house.broker.db, house.clock.now());
        let organization = house.organization("org-a").await.parse().unwrap();
        let off = db.write(async move |tx| connections::disable_all(tx, organization, now).await).await;
        assert_eq!(off.unwrap(), 1);
        assert_eq!(key.get(&path).await.json()["version"], json!(7));
    }
}

#[tokio::test]
async fn s1_p0_a_change_of_some_members_lets_the_others_be() {
    let house = House::opens().await;
    let key = Api::key(&house, "org-a", &EVERYTHING).await;
    let path = path_of(&house, "ca").await;
    let patched = fine(
        key.patch(&path, json!({"scopes": ["openid", "email"], "required_claims": {"hd": "a.test"}})).await,
    );
    let draft = &patched["draft"]["settings"];
    assert_eq!(
        (&draft["scopes"], &draft["required_claims"]),
        (&json!(["openid", "email"]), &json!({"hd": "a.test"}))
    );
    assert_eq!(
        (&draft["issuer"], &patched["draft"]["secret_set"]),
        (&json!(house.idp_a.issuer), &json!(true))
    );
    // The next one is laid over the draft; null sets back.
    let again =
        fine(key.patch(&path, json!({"scopes": null, "required_claims": {"tid": "x", "hd": null}})).await);
    let draft = &again["draft"]["settings"];
    assert_eq!(
        (&draft["scopes"], &draft["required_claims"]),
        (&json!(["openid", "email", "profile"]), &json!({"tid": "x"}))
    );
    assert_eq!(
        (&again["version"], &again["draft"]["version"]),
        (&json!(1), &json!(3)),
        "no number is given twice"
    );
    let same = fine(key.patch(&path, json!({"required_claims": {"tid": "x"}})).await);
    assert_eq!(same, again, "what changes nothing is no version");
}

#[tokio::test]
async fn h04_whoever_is_second_with_a_connection_is_told_to_read_it_again() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let key = Api::key(&house, "org-a", &EVERYTHING).await;
        let path = path_of(&house, "ca").await;
        let (discovery, let_go) = ("/.well-known/openid-configuration", Arc::new(Semaphore::new(0)));
        let asked = house.idp_b.hits(discovery);
        house.idp_b.door(discovery, Some(Door::Waits(Arc::clone(&let_go))));
        let first = async {
            while house.idp_b.hits(discovery) == asked {
                tokio::task::yield_now().await;
            }
            fine(key.patch(&path, json!({"leeway": 20})).await);
            let before = house.before().await;
            let_go.add_permits(9);
            before
        };
        let (second, before) = tokio::join!(key.put(&path, oidc(&house.idp_b)), first);
        assert_eq!(told(&second), refusal(409, "changed_meanwhile"));
        assert_eq!(second.header("retry-after"), None);
        house.refused(&before, "changed_meanwhile").await;
    }
}

#[tokio::test]
async fn h04_of_two_who_change_a_connection_at_once_both_are_told_what_is_so() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let key = Api::key(&house, "org-a", &EVERYTHING).await;
        let path = path_of(&house, "ca").await;
        for _ in 0..4 {
            let change = |leeway: u64| key.patch(&path, json!({"leeway": leeway}));
            let live = format!("{path}/activate");
            let activate = || key.post(&live, json!({}));
            let (one, two) = (change(10), change(20));
            let (one, two, three, four) = tokio::join!(one, two, activate(), activate());
            for answer in [one, two, three, four] {
                let fine = [200, 409].contains(&answer.status.as_u16());
                assert!(fine, "{}: {}", answer.status, answer.body);
            }
            let id = house.connection("ca").await;
            for state in ["live", "draft"] {
                let rows = format!("connection_versions WHERE connection_id = '{id}' AND state = '{state}'");
                assert!(house.count(&rows).await <= 1, "{state}");
            }
            house.turn_clock(61);
        }
        assert!(comes(&house, "ann@a.test").await);
    }
}

#[tokio::test]
async fn s1_r25_who_came_by_a_connection_that_is_gone_is_led_to_the_one_in_its_place_and_never_by_an_address()
{
    for engine in ENGINES {
        let house = House::on(engine).await;
        let (operator, key) = (Api::operator(&house).await, Api::key(&house, "org-a", &EVERYTHING).await);
        access_token(&house, "ann@a.test", "org-a").await;
        assert!(comes(&house, "new@a.test").await);
        let (new, old) = (house.user("new@a.test").await, house.connection("ca").await);
        assert_eq!(delete(&operator, &format!("{PROVIDER}?force=true")).await.status, 204);
        let made = fine(operator.put(PROVIDER, oidc(&house.idp_a)).await);
        let path = format!("/connections/{}", made["id"].as_str().unwrap());
        fine(operator.post(&format!("{path}/activate"), json!({})).await);
        routes(&house, "a.test", &[&made["id"]]).await;
        assert!(!comes(&house, "new@a.test").await, "an address leads nobody to an account");

        let relink = format!("{path}/relink");
        let plan = fine(key.get(&relink).await);
        assert_eq!(plan["issuer"], json!(house.idp_a.issuer));
        let candidate = plan["candidates"][0].clone();
        assert_eq!((&candidate["from"], &candidate["identities"]), (&json!(old), &json!(2)), "{plan}");
        assert_eq!((&candidate["taken"], plan["candidates"].as_array().unwrap().len()), (&json!(0), 1));
        let body = |from: &str, identities: i64| json!({"from": from, "identities": identities});
        let others = Api::key(&house, "org-b", &EVERYTHING).await;
        let foreign = house.connection("cb").await;
        for (api, body, expected) in [
            (&key, body(&old, 2), refusal(403, "permission_missing")),
            (&others, body(&old, 2), refusal(404, "not_found")),
            (&operator, body(&old, 1), refusal(409, "plan_changed")),
            (&operator, body(&foreign, 2), refusal(422, "invalid_value")),
            (&operator, body("conn_x", 2), refusal(422, "invalid_value")),
            (&operator, body(made["id"].as_str().unwrap(), 2), refusal(422, "invalid_value")),
        ] {
            let before = house.before().await;
            let refused = api.post(&relink, body.clone()).await;
            assert_eq!(told(&refused), expected, "{body}");
            house.refused(&before, &expected.1).await;
        }
        // Somebody is known to the new one by the same name: all or none.
        let copy = format!(
            "INSERT INTO identities (id, project_id, user_id, connection_id, issuer, subject, facts, created_at, last_login_at)
             SELECT 'idn_00000000000000000000000007', project_id, user_id, '{}', issuer, subject, facts, 1, 1
             FROM identities WHERE user_id = '{new}'",
            made["id"].as_str().unwrap()
        );
        assert_eq!(house.execute(&copy).await, 1);
        let before = house.before().await;
        assert_eq!(told(&operator.post(&relink, body(&old, 2)).await), refusal(409, "relink_conflict"));
        house.refused(&before, "relink_conflict").await;
        house.execute("DELETE FROM identities WHERE id = 'idn_00000000000000000000000007'").await;

        let told_of_it = "mails WHERE kind = 'person_relinked'";
        assert_eq!(house.count(told_of_it).await, 0);
        let led = fine(operator.post(&relink, body(&old, 2)).await);
        assert_eq!(led["identities"], json!(2));
        assert_eq!(house.count(told_of_it).await, 2, "each of them");
        let users = house.count("users").await;
        for email in ["new@a.test", "ann@a.test"] {
            assert!(comes(&house, email).await, "{email} is who they were");
        }
        assert_eq!((house.count("users").await, house.user("new@a.test").await), (users, new));
        assert_eq!(fine(key.get(&relink).await)["candidates"], json!([]), "nobody is left");
        let told = house.audit().await;
        let event = told.iter().find(|one| one.action == "organization.connection.relinked").unwrap();
        assert_eq!((&event.detail["from"], &event.detail["identities"]), (&json!(old), &json!(2)));
    }
}

#[tokio::test]
async fn s1_r25_c02_of_another_provider_nobody_is_led_anywhere() {
    let house = House::opens().await;
    let operator = Api::operator(&house).await;
    assert!(comes(&house, "new@a.test").await);
    let old = house.connection("ca").await;
    assert_eq!(delete(&operator, &format!("{PROVIDER}?force=true")).await.status, 204);
    // The same addresses, and another provider.
    let made = fine(operator.put(PROVIDER, oidc(&house.idp_b)).await);
    let path = format!("/connections/{}/relink", made["id"].as_str().unwrap());
    assert_eq!(fine(operator.get(&path).await)["candidates"], json!([]));
    let before = house.before().await;
    let refused = operator.post(&path, json!({"from": old, "identities": 1})).await;
    assert_eq!(told(&refused), refusal(422, "invalid_value"));
    house.refused(&before, "invalid_value").await;
}

#[tokio::test]
async fn s1_r24_a_secret_that_works_is_not_lost_by_a_draft_that_named_another_provider() {
    let house = House::opens().await;
    let ann = Api::person(&house, "ann@a.test", "org-a").await;
    let path = format!("/connections/{}", house.connection("ca").await);
    let elsewhere = ann.patch(&path, json!({"issuer": house.idp_b.issuer})).await;
    assert_eq!(elsewhere.json()["draft"]["secret_set"], json!(false), "{}", elsewhere.body);
    let back = ann.patch(&path, json!({"issuer": house.idp_a.issuer})).await;
    assert_eq!(back.json()["draft"]["secret_set"], json!(true), "{}", back.body);
    let again = ann.post(&format!("{path}/tests"), json!({})).await;
    assert_eq!(again.status, 201, "{}", again.body);
}

#[tokio::test]
async fn s1_r24_h04_a_draft_is_thrown_away_and_what_is_live_stays_as_it_is() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let (key, operator) = (Api::key(&house, "org-a", &EVERYTHING).await, Api::operator(&house).await);
        let path = path_of(&house, "ca").await;
        let (draft, live) = (format!("{path}/draft"), fine(key.get(&path).await));
        let nothing = async || {
            let before = house.before().await;
            assert_eq!(told(&delete(&key, &draft).await), refusal(404, "not_found"));
            house.refused(&before, "not_found").await;
        };
        nothing().await;

        let drafted = fine(key.put(&path, oidc(&house.idp_b)).await);
        assert_eq!(drafted["draft"]["version"], json!(2));
        assert_eq!(delete(&key, &draft).await.status, 204);
        assert_eq!(fine(key.get(&path).await), live);
        assert!(comes(&house, "ann@a.test").await);
        let thrown = fine(key.get(&format!("{path}/versions/2")).await);
        assert_eq!((&thrown["state"], &thrown["secret_set"]), (&json!("discarded"), &json!(false)));
        assert_eq!(thrown["settings"]["issuer"], json!(house.idp_b.issuer));
        let trail = house.audit().await;
        let told_of: Vec<_> =
            trail.iter().filter(|one| one.action == "organization.connection.draft_discarded").collect();
        assert_eq!((told_of.len(), &told_of[0].detail["version"]), (1, &json!(2)));
        nothing().await;

        // It is never live, whoever insists, and its number is no other one's.
        for what in ["activate", "rollback"] {
            let before = house.before().await;
            let body = json!({"version": 2, "force": true});
            let refused = operator.post(&format!("{path}/{what}"), body).await;
            assert_eq!(told(&refused), refusal(409, "no_version"), "{what}");
            house.refused(&before, "no_version").await;
        }
        let again = fine(key.put(&path, oidc(&house.idp_b)).await);
        assert_eq!(again["draft"]["version"], json!(3));

        // What never was live is nothing else.
        let (new, _) = makes(&key, oidc(&house.idp_b)).await;
        let before = house.before().await;
        assert_eq!(told(&delete(&key, &format!("{new}/draft")).await), refusal(409, "no_version"));
        house.refused(&before, "no_version").await;
    }
}

#[tokio::test]
async fn s0_32_s1_r23_connections_that_are_switched_off_use_up_no_place_for_good() {
    for engine in ENGINES {
        let house = House::on(engine).await;
        let key = Api::key(&house, "org-a", &EVERYTHING).await;
        let operator = Api::operator(&house).await;
        let copies = async |from: usize, to: usize| {
            for number in from..to {
                let copy = format!(
                    "INSERT INTO connections (id, project_id, organization_id, slug, display_name, state, version,
                                              settings, secret, created_at, updated_at)
                     SELECT replace(id, substr(id, 6, 4), '{number:04}'), project_id, organization_id, 'copy-{number}',
                            display_name, 'draft', version, settings, secret, created_at, updated_at
                     FROM connections WHERE slug = 'ca'"
                );
                assert_eq!(house.execute(&copy).await, 1);
            }
        };
        let too_many = async |api: &Api| {
            let before = house.before().await;
            assert_eq!(
                told(&api.post("/connections", with_organization(oidc(&house.idp_a))).await),
                refusal(409, "limit_reached")
            );
            house.refused(&before, "limit_reached").await;
        };
        copies(1, 100).await;
        too_many(&key).await;
        too_many(&operator).await;
        // One that is switched off makes room, and comes back only where there is some.
        let off = "UPDATE connections SET state = 'disabled' WHERE slug";
        assert_eq!(house.execute(&format!("{off} = 'copy-1'")).await, 1);
        let (path, _) = makes(&key, oidc(&house.idp_a)).await;
        let one = path_of(&house, "copy-1").await;
        let before = house.before().await;
        assert_eq!(told(&act(&key, &one, "enable").await), refusal(409, "limit_reached"));
        house.refused(&before, "limit_reached").await;
        fine(act(&key, &path, "disable").await);
        fine(act(&key, &one, "enable").await);
        // However often that was so, they are not endless; the operator makes more.
        house.execute(&format!("{off} <> 'ca' AND organization_id IS NOT NULL AND slug <> 'cb'")).await;
        copies(100, 999).await;
        house.execute(&format!("{off} <> 'ca' AND organization_id IS NOT NULL AND slug <> 'cb'")).await;
        too_many(&key).await;
        makes(&operator, with_organization(oidc(&house.idp_a))).await;
    }
}

fn with_organization(mut body: Value) -> Value {
    body["organization_id"] = json!("org-a");
    body
}
