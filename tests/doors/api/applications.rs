//! Applications, by the rules of the operator's file.

use http::Method;
use reqwest::header::{CONTENT_TYPE, IF_MATCH};
use serde_json::{Value, json};

use crate::house::answers::{refusal, told};
use crate::house::api::Api;
use crate::house::application::{Application, Person, Proof};
use crate::house::broker::{Engine, House};
use crate::house::visitor::Answer;

const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";

fn secret(answer: &Answer) -> String {
    answer.json()["client_secret"].as_str().unwrap_or_else(|| panic!("{}", answer.body)).to_owned()
}

/// The status of a login of Ann's at an application that proves itself so.
async fn redeemed(house: &House, proof: &str) -> u16 {
    let application = Application::new(house, "made", Proof::Basic(proof.to_owned()));
    let ask = application.asks().with("scope", "openid email").with("login_hint", "ann@a.test");
    let arrival = Person::new("ann@a.test").follows(&ask).await;
    ask.redemption(&arrival.code()).send().await.status.as_u16()
}

#[tokio::test]
async fn m12_an_application_is_made_signs_people_in_and_its_secret_is_replaced_without_a_gap() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let house = House::on(engine).await;
        let operator = Api::operator(&house).await;
        let body = json!({"client_id": "made", "display_name": "Made", "redirect_uris": ["https://made.test/callback"]});
        let made = operator.post("/applications", body.clone()).await;
        assert_eq!(made.status, 201, "{}", made.body);
        let first = secret(&made);
        let view = made.json()["application"].clone();
        let path = format!("/applications/{}", view["id"].as_str().unwrap());
        assert_eq!(made.header("location"), Some(&*format!("/api/v1{path}")));
        assert_eq!(view["token_endpoint_auth_method"], "client_secret_basic");
        let usual = json!(["openid", "profile", "email", "organization"]);
        assert_eq!(view["scopes"], usual, "the full list of organizations is not for everybody");
        assert_eq!(redeemed(&house, &first).await, 200);
        let full = Application::new(&house, "made", Proof::Basic(first.clone())).asks();
        let arrival = Person::new("ann@a.test").follows(&full.with("scope", "openid organizations")).await;
        assert_eq!(arrival.error().0, "invalid_scope");
        assert!(!operator.get(&path).await.body.contains(&first));
        let trail =
            "SELECT COALESCE(after, '') || detail FROM audit_events WHERE action = 'application.created'
                     ORDER BY at DESC, id DESC LIMIT 1";
        assert!(!house.text(trail).await.unwrap().contains(&first));

        // Two work; a third one takes the oldest one's place.
        let rotate = async |body: Value| operator.post(&format!("{path}/secrets"), body).await;
        house.turn_clock(1);
        let second = secret(&rotate(json!({})).await);
        assert_eq!((redeemed(&house, &first).await, redeemed(&house, &second).await), (200, 200));
        house.turn_clock(1);
        let third = rotate(json!({})).await;
        assert_eq!(third.json()["application"]["secrets"], 2);
        let all = [&first, &second, &secret(&third)];
        assert_eq!(
            [redeemed(&house, all[0]).await, redeemed(&house, all[1]).await, redeemed(&house, all[2]).await],
            [401, 200, 200]
        );
        house.turn_clock(1);
        let last = secret(&rotate(json!({"keep_old": false})).await);
        assert_eq!((redeemed(&house, all[2]).await, redeemed(&house, &last).await), (401, 200));

        // Ended, and its name is nobody else's.
        for _ in 0..2 {
            assert_eq!(operator.send(Method::DELETE, &path, |request| request).await.status, 204);
        }
        assert_eq!(house.events_of("application.disabled").await, 1);
        let ask = Application::new(&house, "made", Proof::Nothing).asks().with("scope", "openid");
        assert!(Person::new("ann@a.test").follows(&ask).await.told_application("code").is_none());
        let before = house.before().await;
        assert_eq!(told(&operator.post("/applications", body).await), refusal(409, "client_id_taken"));
        house.refused(&before, "client_id_taken").await;
        let enabled = operator.patch(&path, json!({"enabled": true})).await;
        assert_eq!(enabled.json()["enabled"], true, "{}", enabled.body);
        assert_eq!(redeemed(&house, &last).await, 200);
    }
}

#[tokio::test]
async fn c26_what_may_not_be_registered_is_refused_at_its_place_and_nothing_is_kept() {
    let house = House::opens().await;
    let operator = Api::operator(&house).await;
    let path = format!(
        "/applications/{}",
        house.text("SELECT id FROM applications WHERE client_id = 'rp1'").await.unwrap()
    );
    for uri in [
        "",
        "/callback",
        "//rp.test/cb",
        "http://rp.test/cb",
        "https://rp.test/cb#x",
        "https://u@rp.test/cb",
        "https://u:p@rp.test/cb",
        "https://*.rp.test/cb",
        "https://rp.test/*",
        "javascript:alert(1)",
        "JavaScript:alert(1)",
        "data:text/html,x",
        "vbscript:x",
        "https://rp.test/a/../b",
        "https://rp.test/%2e%2E/b",
        "https://rp.test/..;/b",
        "https://rp.test\\@evil.test/",
        "https://rp.test/\t",
        "https://rp.test/ö",
        "http://localhost.evil.test/cb",
        "http://127.0.0.1.evil.test/cb",
        "http://0.0.0.0/cb",
        "file:///etc/passwd",
    ] {
        let before = house.before().await;
        let body = json!({"redirect_uris": ["https://fine.test/cb", uri]});
        for refused in [operator.post("/applications", body.clone()).await, operator.patch(&path, body).await]
        {
            assert_eq!(told(&refused), refusal(422, "invalid_value"), "{uri}");
            assert_eq!(refused.json()["errors"][0]["pointer"], "/redirect_uris/1", "{uri}");
        }
        let login = operator.patch(&path, json!({"initiate_login_uri": uri})).await;
        assert_eq!(login.json()["errors"][0]["pointer"], "/initiate_login_uri", "{uri}");
        house.unchanged(&before).await;
    }
    let fine = ["https://rp.test/cb?x=1", "http://127.0.0.1/cb", "http://[::1]:7/cb", "com.example.app:/cb"];
    let taken = operator.patch(&path, json!({"redirect_uris": fine})).await;
    assert_eq!(taken.json()["redirect_uris"], json!(fine), "{}", taken.body);
}

#[tokio::test]
async fn an_application_keeps_the_rules_of_the_file_however_it_is_changed() {
    let house = House::opens().await;
    let operator = Api::operator(&house).await;
    let key =
        behalf::protocol::jose::SigningKey::generate(behalf::protocol::jose::Algorithm::ES256, "k").unwrap();
    let public = json!({"keys": [key.public_jwk()]});
    let mut private = public.clone();
    private["keys"][0]["d"] = json!("AAAA");
    for (pointer, wrong) in [
        ("/client_id", json!({"client_id": "a b"})),
        ("/display_name", json!({"display_name": "a\u{202e}b\n"})),
        (
            "/token_endpoint_auth_method",
            json!({"type": "spa", "token_endpoint_auth_method": "client_secret_post"}),
        ),
        (
            "/token_endpoint_auth_method",
            json!({"type": "native", "token_endpoint_auth_method": "private_key_jwt"}),
        ),
        ("/token_endpoint_auth_method", json!({"type": "machine", "token_endpoint_auth_method": "none"})),
        ("/grant_types", json!({"type": "spa", "grant_types": ["authorization_code", "client_credentials"]})),
        ("/grant_types", json!({"type": "machine", "grant_types": ["authorization_code"]})),
        ("/grant_types", json!({"grant_types": ["refresh_token"]})),
        ("/grant_types/1", json!({"grant_types": ["authorization_code", "authorization_code"]})),
        ("/lifetimes/access_token", json!({"lifetimes": {"access_token": 3601}})),
        ("/lifetimes/refresh_token_idle", json!({"lifetimes": {"refresh_token_idle": 0}})),
        ("/jwks", json!({"token_endpoint_auth_method": "private_key_jwt"})),
        ("/require_signed_request_object", json!({"require_signed_request_object": true})),
        ("/request_uris", json!({"request_uris": ["https://rp.test/r"]})),
        (
            "/request_uris/1",
            json!({"jwks": public, "request_uris": ["https://rp.test/r", "http://rp.test/r"]}),
        ),
        ("/response_modes", json!({"response_modes": []})),
        ("/response_modes", json!({"response_modes": ["query", "query"]})),
        ("/jwks", json!({"token_endpoint_auth_method": "private_key_jwt", "jwks": private})),
        ("/jwks", json!({"token_endpoint_auth_method": "private_key_jwt", "jwks": {"keys": []}})),
        ("/scopes/1", json!({"scopes": ["openid", "everything"]})),
        ("/signing_algorithm", json!({"signing_algorithm": "PS256"})),
        ("/connections/0", json!({"connections": ["no such"]})),
        ("/organizations/1", json!({"organizations": ["org-a", "org_00000000000000000000000007"]})),
        ("/audiences/0", json!({"audiences": ["a\nb"]})),
        ("/claims/mapping/a~1b", json!({"claims": {"mapping": {"a/b": "aud"}}})),
        ("/may_act/0", json!({"may_act": ["a\nb"]})),
        ("/exchange_audiences/0", json!({"exchange_audiences": [""]})),
        ("/grant_types", json!({"type": "device", "grant_types": ["authorization_code"]})),
        ("/grant_types", json!({"type": "spa", "grant_types": ["authorization_code", EXCHANGE]})),
        ("/grant_types", json!({"token_endpoint_auth_method": "none", "grant_types": [EXCHANGE]})),
    ] {
        let before = house.before().await;
        let refused = operator.post("/applications", wrong.clone()).await;
        assert_eq!(told(&refused), refusal(422, "invalid_value"), "{wrong}: {}", refused.body);
        assert_eq!(refused.json()["errors"][0]["pointer"], pointer, "{wrong}");
        house.refused(&before, "invalid_value").await;
    }
    for wrong in
        [json!({"type": "toaster"}), json!({"signing_algorithm": "none"}), json!({"claims": {"x": true}})]
    {
        assert_eq!(operator.post("/applications", wrong).await.status, 400);
    }

    // A device has no address to which anybody is sent back, nor a secret, and does not stay unless it is said.
    let made = operator.post("/applications", json!({"type": "device", "client_id": "tv"})).await.json();
    let view = &made["application"];
    assert_eq!((&view["token_endpoint_auth_method"], &made["client_secret"]), (&json!("none"), &Value::Null));
    assert_eq!(view["grant_types"], json!(["urn:ietf:params:oauth:grant-type:device_code"]));
    assert_eq!((&view["may_act"], &view["exchange_audiences"]), (&json!([]), &json!([])));
    let acts = json!({"type": "machine", "grant_types": [EXCHANGE], "may_act": ["next"], "exchange_audiences": ["api"]});
    let made = operator.post("/applications", acts).await.json()["application"].clone();
    assert_eq!((&made["may_act"], &made["exchange_audiences"]), (&json!(["next"]), &json!(["api"])));
    let path = format!("/applications/{}", made["id"].as_str().unwrap());
    let patched = operator.patch(&path, json!({"may_act": []})).await.json();
    assert_eq!((&patched["may_act"], &patched["exchange_audiences"]), (&json!([]), &json!(["api"])));

    let made = operator
        .post(
            "/applications",
            json!({"organizations": ["org-a"], "connections": ["ca"], "claims": {"idp": true}, "scopes": ["openid"],
                "redirect_uris": ["https://made.test/"]}),
        )
        .await;
    let view = made.json()["application"].clone();
    assert_eq!(view["client_id"], view["id"], "it has no other name");
    let path = format!("/applications/{}", view["id"].as_str().unwrap());
    assert_eq!(view["organizations"], json!([house.organization("org-a").await]));
    assert_eq!(view["connections"], json!([house.connection("ca").await]));
    let etag = operator.get(&path).await.header("etag").unwrap().to_owned();
    let patch = json!({"display_name": "Patched", "organizations": null, "claims": {"org_slug": true}});
    let patched = operator.patch(&path, patch).await.json();
    assert_eq!((&patched["organizations"], &patched["scopes"]), (&Value::Null, &json!(["openid"])));
    assert_eq!((&patched["claims"]["idp"], &patched["claims"]["org_slug"]), (&json!(true), &json!(true)));
    let stale = operator
        .send(Method::PUT, &path, |request| {
            request.header(IF_MATCH, &etag).header(CONTENT_TYPE, "application/json").body("{}")
        })
        .await;
    assert_eq!(told(&stale), refusal(412, "precondition_failed"));
    let replaced = operator.put(&path, json!({"redirect_uris": ["https://x.test/"]})).await.json();
    assert_eq!((&replaced["display_name"], &replaced["claims"]["idp"]), (&view["client_id"], &json!(false)));
    assert_eq!(replaced["secrets"], 1, "its secret stays");
    assert_eq!(
        told(&operator.patch(&path, json!({"client_id": "other"})).await),
        refusal(422, "invalid_value")
    );
    // Who signs its assertions has no secret, and gets none.
    let signs = json!({"token_endpoint_auth_method": "private_key_jwt", "jwks": public});
    assert_eq!(operator.patch(&path, signs).await.json()["secrets"], 0);
    assert_eq!(told(&operator.post(&format!("{path}/secrets"), json!({})).await), refusal(409, "no_secrets"));
    // How its requests may come, and the answers go.
    let usual = operator.get(&path).await.json();
    assert_eq!(usual["response_modes"], json!(["query", "form_post", "query.jwt", "form_post.jwt"]));
    assert_eq!(usual["require_pushed_authorization_requests"], json!(false));
    let requests = json!({"require_pushed_authorization_requests": true, "require_signed_request_object": true,
        "require_pkce": true, "request_uris": ["https://rp.test/request.jwt"], "response_modes": ["fragment.jwt"]});
    let patched = operator.patch(&path, requests.clone()).await.json();
    for (name, value) in requests.as_object().unwrap() {
        assert_eq!(&patched[name], value, "{name}");
    }
    // What its people see of it.
    let links = json!({"logo_uri": "https://rp.test/logo.png", "policy_uri": "https://rp.test/privacy",
        "tos_uri": "https://rp.test/terms"});
    let patched = operator.patch(&path, links.clone()).await.json();
    for (name, value) in links.as_object().unwrap() {
        assert_eq!(&patched[name], value, "{name}");
    }
    assert_eq!(operator.patch(&path, json!({"tos_uri": null})).await.json()["tos_uri"], Value::Null);
    let trap = operator.patch(&path, json!({"policy_uri": "javascript:alert(1)"})).await;
    assert_eq!(told(&trap), refusal(422, "invalid_value"));
    // To what it is held: it must fit, and goes on to.
    assert_eq!(usual["security_profile"], json!("none"));
    let profile = json!({"security_profile": "fapi2"});
    let unfit = operator.patch(&path, profile.clone()).await;
    assert_eq!(told(&unfit), refusal(422, "invalid_value"), "{}", unfit.body);
    let fits =
        json!({"security_profile": "fapi2", "dpop_bound_access_tokens": true, "signing_algorithm": "ES256"});
    let patched = operator.patch(&path, fits).await;
    assert_eq!(
        (patched.status.as_u16(), &patched.json()["security_profile"]),
        (200, &json!("fapi2")),
        "{}",
        patched.body
    );
    for worse in [
        json!({"dpop_bound_access_tokens": false}),
        json!({"require_pushed_authorization_requests": false}),
        json!({"signing_algorithm": "RS256"}),
        json!({"userinfo_signed_response_alg": "RS256"}),
        json!({"redirect_uris": ["http://127.0.0.1/cb"]}),
    ] {
        let refused = operator.patch(&path, worse.clone()).await;
        assert_eq!(told(&refused), refusal(422, "invalid_value"), "{worse}");
        assert!(refused.body.contains("fapi2"), "{}", refused.body);
    }
    let loose =
        json!({"security_profile": "none", "dpop_bound_access_tokens": false, "signing_algorithm": "RS256"});
    assert_eq!(operator.patch(&path, loose).await.status, 200);
    // How its tokens live, and by which ways it comes to them.
    let lifetimes = json!({"lifetimes": {"access_token": 60, "refresh_token": 3600}});
    let patched = operator.patch(&path, lifetimes).await.json();
    assert_eq!(patched["grant_types"], json!(["authorization_code", "refresh_token"]));
    let expect =
        json!({"access_token": 60, "id_token": null, "refresh_token": 3600, "refresh_token_idle": null});
    assert_eq!(patched["lifetimes"], expect);
    let body = json!({"lifetimes": {"access_token": null}, "grant_types": ["authorization_code"]});
    let patched = operator.patch(&path, body).await.json();
    assert_eq!(
        (&patched["lifetimes"]["access_token"], &patched["lifetimes"]["refresh_token"]),
        (&Value::Null, &json!(3600))
    );
    assert_eq!(patched["grant_types"], json!(["authorization_code"]));
    let machine = operator.post("/applications", json!({"type": "machine"})).await.json();
    assert!(machine["client_secret"].is_string());
    assert_eq!(machine["application"]["grant_types"], json!(["client_credentials"]));
    assert_eq!(machine["application"]["scopes"], json!(["organization"]));
    let spa = json!({"type": "spa", "redirect_uris": ["https://spa.test/"]});
    let spa = operator.post("/applications", spa).await.json();
    assert_eq!((&spa["client_secret"], &spa["application"]["secrets"]), (&Value::Null, &json!(0)));

    let listed = operator.get("/applications?limit=5").await.json();
    let next = format!("/applications?limit=5&cursor={}", listed["next_cursor"].as_str().unwrap());
    assert_eq!(operator.get(&next).await.json()["items"].as_array().unwrap().len(), 2);
    let key = Api::key(&house, "org-a", &["applications:read", "applications:write"]).await;
    assert_eq!(told(&key.get(&path).await), refusal(404, "not_found"));
    assert_eq!(told(&key.get("/applications").await), refusal(403, "organization_function_missing"));
}

#[tokio::test]
async fn c26_an_application_that_signs_people_in_has_somewhere_to_send_them_back_to() {
    let house = House::opens().await;
    let operator = Api::operator(&house).await;
    let rp1 = house.text("SELECT id FROM applications WHERE client_id = 'rp1'").await.unwrap();
    let path = format!("/applications/{rp1}");
    for kind in ["web", "spa", "native"] {
        for body in [json!({"type": kind}), json!({"type": kind, "redirect_uris": []})] {
            let before = house.before().await;
            let refused = operator.post("/applications", body.clone()).await;
            assert_eq!(told(&refused), refusal(422, "invalid_value"), "{body}: {}", refused.body);
            assert_eq!(refused.json()["errors"][0]["pointer"], "/redirect_uris", "{body}");
            house.refused(&before, "invalid_value").await;
        }
    }
    let before = house.before().await;
    let empty = operator.patch(&path, json!({"redirect_uris": []})).await;
    assert_eq!(told(&empty), refusal(422, "invalid_value"), "{}", empty.body);
    // What is replaced says everything anew.
    let silent = operator.put(&path, json!({"display_name": "RP"})).await;
    assert_eq!(silent.json()["errors"][0]["pointer"], "/redirect_uris", "{}", silent.body);
    house.unchanged(&before).await;
}

#[tokio::test]
async fn m03_an_application_says_how_it_takes_part_when_people_sign_out() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let house = House::on(engine).await;
        let operator = Api::operator(&house).await;
        let id = house.text("SELECT id FROM applications WHERE client_id = 'rp1'").await.unwrap();
        let path = format!("/applications/{id}");
        let bare = operator.get(&path).await.json();
        assert_eq!(bare["post_logout_redirect_uris"], json!([]));
        for name in ["backchannel_logout_uri", "frontchannel_logout_uri"] {
            assert_eq!(bare[name], Value::Null, "{name}");
        }
        let wanted = json!({
            "post_logout_redirect_uris": ["https://rp1.test/bye", "com.example.rp1:/bye"],
            "backchannel_logout_uri": "https://rp1.test/back?x=1",
            "backchannel_logout_session_required": true,
            "frontchannel_logout_uri": "https://rp1.test:443/front",
            "frontchannel_logout_session_required": true,
        });
        let changed = operator.patch(&path, wanted.clone()).await;
        assert_eq!(changed.status, 200, "{}", changed.body);
        for (name, value) in
            wanted.as_object().unwrap().iter().filter(|(name, _)| *name != "frontchannel_logout_uri")
        {
            assert_eq!(changed.json()[name], *value, "{name}");
        }
        assert_eq!(changed.json()["frontchannel_logout_uri"], json!("https://rp1.test/front"));
        for (name, value, pointer) in [
            (
                "post_logout_redirect_uris",
                json!(["https://rp1.test/bye", "https://*.test/"]),
                "/post_logout_redirect_uris/1",
            ),
            ("post_logout_redirect_uris", json!(["javascript:alert(1)"]), "/post_logout_redirect_uris/0"),
            ("backchannel_logout_uri", json!("http://rp1.test/back"), "/backchannel_logout_uri"),
            ("backchannel_logout_uri", json!("com.example.rp1:/back"), "/backchannel_logout_uri"),
            ("backchannel_logout_uri", json!("https://ann:pw@rp1.test/"), "/backchannel_logout_uri"),
            ("frontchannel_logout_uri", json!("https://rp1.test/#x"), "/frontchannel_logout_uri"),
            ("frontchannel_logout_uri", json!("data:text/html,x"), "/frontchannel_logout_uri"),
            // Of nobody else's host, port or scheme; nor is it left behind when people come back to somewhere else.
            ("frontchannel_logout_uri", json!("https://other.test/front"), "/frontchannel_logout_uri"),
            ("frontchannel_logout_uri", json!("https://rp1.test:8443/front"), "/frontchannel_logout_uri"),
            ("frontchannel_logout_uri", json!("http://127.0.0.1:7/front"), "/frontchannel_logout_uri"),
            (
                "redirect_uris",
                json!(["https://other.test/cb", "com.example.rp1:/cb"]),
                "/frontchannel_logout_uri",
            ),
        ] {
            let before = house.before().await;
            let refused = operator.patch(&path, json!({ name: value })).await;
            assert_eq!(told(&refused), refusal(422, "invalid_value"), "{name}: {value}");
            assert_eq!(refused.json()["errors"][0]["pointer"], pointer);
            house.unchanged(&before).await;
        }
        let both = json!({"redirect_uris": ["https://other.test/cb"], "frontchannel_logout_uri": "https://other.test/f"});
        assert_eq!(operator.patch(&path, both).await.status, 200);
        let cleared = json!({"backchannel_logout_uri": null, "frontchannel_logout_uri": null});
        let cleared = operator.patch(&path, cleared).await.json();
        assert_eq!(
            (&cleared["backchannel_logout_uri"], &cleared["frontchannel_logout_uri"]),
            (&Value::Null, &Value::Null)
        );
        assert_eq!(cleared["post_logout_redirect_uris"], wanted["post_logout_redirect_uris"]);
    }
}

#[tokio::test]
async fn s2_12_an_application_says_when_people_name_their_organization() {
    let house = House::opens().await;
    let operator = Api::operator(&house).await;
    let body = |word: &str| json!({"redirect_uris": ["https://fine.test/cb"], "organization_prompt": word});
    for word in ["before", "after", "none"] {
        let made = operator.post("/applications", body(word)).await;
        assert_eq!(made.json()["application"]["organization_prompt"], word, "{}", made.body);
    }
    let before = house.before().await;
    let refused = operator.post("/applications", body("first")).await;
    assert_eq!(told(&refused), refusal(400, "invalid_body"));
    assert_eq!(refused.json()["errors"][0]["pointer"], "/organization_prompt");
    house.refused(&before, "invalid_body").await;
}
