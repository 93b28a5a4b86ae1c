//! M07: clients that are known by a certificate (RFC 8705), and tokens that are bound to one; whoever shows none, another's, or
//! tells of one that was never shown.

use std::sync::LazyLock;

use reqwest::{Client, Method};
use serde_json::{Value, json};

use behalf::config::{CertificateForm, Config};

use crate::house::api::Api;
use crate::house::application::{Application, Person, Proof, Redemption};
use crate::house::broker::{House, Plan};
use crate::house::certificates::{Authority, Certificate, ahead, for_servers, over};
use crate::house::key_holder::KeyHolder;
use crate::house::publisher::Publisher;
use crate::house::visitor::{Answer, Visitor};

/// The authority that the operator trusts, with the file that says so.
static TRUSTED: LazyLock<(Authority, tempfile::NamedTempFile)> = LazyLock::new(|| {
    let (authority, file) = (Authority::new(), tempfile::NamedTempFile::new().unwrap());
    std::fs::write(file.path(), &authority.pem).unwrap();
    (authority, file)
});

fn behind_a_proxy(config: &mut Config) {
    let settings = &mut config.client_certificates;
    settings.proxies = vec!["127.0.0.0/8".parse().unwrap()];
    settings.authorities = Some(TRUSTED.1.path().to_owned());
}

fn behind_nginx(config: &mut Config) {
    behind_a_proxy(config);
    config.client_certificates.header = "X-SSL-Client-Cert".to_owned();
    config.client_certificates.format = CertificateForm::Pem;
}

fn behind_another_proxy(config: &mut Config) {
    behind_a_proxy(config);
    config.client_certificates.proxies = vec!["10.0.0.0/8".parse().unwrap()];
}

fn at_the_handshake(config: &mut Config) {
    config.client_certificates.at_handshake = true;
    config.client_certificates.authorities = Some(TRUSTED.1.path().to_owned());
}

/// A machine that is known by a certificate of this name.
const BATCH: &str = r#"
[application.batch]
type = "machine"
token_endpoint_auth_method = "tls_client_auth"
tls_client_auth_san_dns = "batch.test"
tls_client_certificate_bound_access_tokens = true
"#;

/// One that is known by a certificate of its own making.
const SELF_SIGNED: &str = r#"
[application.batch]
type = "machine"
token_endpoint_auth_method = "self_signed_tls_client_auth"
jwks = { file = "jwks.json" }
"#;

fn batch(house: &House) -> (Application, Redemption) {
    let batch = Application::new(house, "batch", Proof::Nothing);
    let asks = batch.posts("/token", &[("grant_type", "client_credentials")]);
    (batch, asks)
}

/// Not known by what it shows: one answer, and the trail tells which check it was.
async fn is_unknown(house: &House, redemption: &Redemption, check: &str, what: &str) {
    let before = house.before().await;
    let answer = redemption.send().await;
    assert_eq!(answer.status, 401, "{what}: {}", answer.body);
    let told = json!({ "error": "invalid_client",
        "error_description": "unknown client, or not authenticated as it is registered" });
    assert_eq!(answer.json(), told, "{what}");
    house.refused(&before, "invalid_client").await;
    assert_eq!(house.events_since(&before).await[0].detail["check"], json!(check), "{what}");
}

#[tokio::test]
async fn m07_a_client_is_known_by_a_certificate_that_an_authority_of_ours_vouches_for() {
    let authority = &TRUSTED.0;
    let good = authority.vouches_for("batch.test");
    let stranger = Authority::new();
    for (settings, header) in
        [(behind_a_proxy as fn(&mut Config), "client-cert"), (behind_nginx, "x-ssl-client-cert")]
    {
        let house = Plan { settings, ..Plan::default() }.and(BATCH).build().await;
        let (batch, asks) = batch(&house);
        let written = |certificate: &Certificate| match header {
            "client-cert" => certificate.structured(),
            _ => certificate.escaped(),
        };
        let shows = |certificate: &Certificate| asks.clone().and_header(header, &written(certificate));
        let answer = shows(&good).send().await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert_eq!(answer.json()["token_type"], json!("Bearer"));
        let token = answer.json()["access_token"].as_str().unwrap().to_owned();
        let told = batch.posts("/introspect", &[("token", &token)]).and_header(header, &written(&good));
        assert_eq!(told.send().await.json()["cnf"], json!({ "x5t#S256": good.thumbprint() }));

        for (what, check, certificate) in [
            ("another client's", "certificate_of_another", authority.vouches_for("other.test")),
            ("one that has run out", "certificate_over", authority.vouches("batch.test", over)),
            ("one of tomorrow", "certificate_over", authority.vouches("batch.test", ahead)),
            ("a server's", "certificate_not_vouched_for", authority.vouches("batch.test", for_servers)),
            ("another authority's", "certificate_not_vouched_for", stranger.vouches_for("batch.test")),
            ("nobody's", "certificate_not_vouched_for", Certificate::self_signed("batch.test")),
        ] {
            is_unknown(&house, &shows(&certificate), check, what).await;
        }
        let (other, stranger) = (written(&authority.vouches_for("other.test")), written(&good));
        let mut bent = written(&good);
        bent.truncate(bent.len() - 9);
        for (what, headers) in [
            ("none", vec![]),
            ("two", vec![other.clone(), stranger.clone()]),
            ("two in one", vec![format!("{other}, {stranger}")]),
            ("an empty one", vec![String::new()]),
            ("a broken one", vec![bent]),
            (
                "what another proxy would write",
                vec![match header {
                    "client-cert" => good.escaped(),
                    _ => good.structured(),
                }],
            ),
        ] {
            let all = headers.iter().fold(asks.clone(), |request, one| request.and_header(header, one));
            is_unknown(&house, &all, "no_certificate", what).await;
        }
        // With a secret it never had, or with an assertion, it is not known either.
        let by_secret = asks.clone().by(&batch.clone().proving(Proof::Basic("x".repeat(40))));
        is_unknown(&house, &by_secret.and_header(header, &written(&good)), "method", "a secret").await;
    }
}

#[tokio::test]
async fn m07_from_anybody_but_our_proxies_the_header_says_nothing() {
    let good = TRUSTED.0.vouches_for("batch.test");
    let house = Plan { settings: behind_another_proxy, ..Plan::default() }.and(BATCH).build().await;
    let (_, asks) = batch(&house);
    let shows = asks.clone().and_header("client-cert", &good.structured());
    is_unknown(&house, &shows, "no_certificate", "a stranger's").await;
    // Whoever says to come by the proxy does not.
    let shows = shows.and_header("x-forwarded-for", "10.0.0.1").and_header("forwarded", "for=10.0.0.1");
    is_unknown(&house, &shows, "no_certificate", "a liar's").await;
    // Nor where nobody is asked for certificates at all.
    let house = Plan::default().and(BATCH).build().await;
    let (_, asks) = batch(&house);
    is_unknown(&house, &asks.and_header("client-cert", &good.structured()), "no_certificate", "a guess")
        .await;
}

#[tokio::test]
async fn m07_a_client_is_known_by_the_certificate_that_it_has_registered() {
    let house = Plan { settings: behind_a_proxy, ..Plan::default() }.build().await;
    let own = Certificate::self_signed("batch.test");
    let file = format!("{}\n{SELF_SIGNED}", house.file);
    house.writes("jwks.json", &own.jwks().to_string());
    house.provision(&file).await;
    let (_, asks) = batch(&house);
    let shows = |certificate: &Certificate| asks.clone().and_header("client-cert", &certificate.structured());
    assert_eq!(shows(&own).send().await.status, 200);
    let twin = Certificate::self_signed("batch.test");
    is_unknown(&house, &shows(&twin), "certificate_of_another", "of the same name").await;
    let vouched = TRUSTED.0.vouches_for("batch.test");
    is_unknown(&house, &shows(&vouched), "certificate_of_another", "of an authority").await;
    is_unknown(&house, &asks, "no_certificate", "none").await;
    // It takes another one in its place.
    house.writes("jwks.json", &twin.jwks().to_string());
    house.provision(&file).await;
    assert_eq!(shows(&twin).send().await.status, 200);
    is_unknown(&house, &shows(&own), "certificate_of_another", "the one before").await;
    // Keys without a certificate are no way to be known by one.
    let mut bare = own.jwks();
    bare["keys"][0].as_object_mut().unwrap().remove("x5c");
    house.writes("jwks.json", &bare.to_string());
    let told = house.tries(&file).await.unwrap_err();
    assert!(told.contains("holds no certificate (x5c)"), "{told}");
}

#[tokio::test]
async fn m07_h20_a_client_is_known_by_the_certificate_that_it_publishes_and_rolls_it_over() {
    let (own, twin) = (Certificate::self_signed("batch.test"), Certificate::self_signed("batch.test"));
    let published = Publisher::of(own.jwks().to_string()).await;
    let place = format!("jwks_uri = \"{}\"", published.url);
    let file = SELF_SIGNED.replace("jwks = { file = \"jwks.json\" }", &place);
    let house = Plan { settings: behind_a_proxy, ..Plan::default() }.and(&file).build().await;
    assert_eq!(published.hits(), 0, "nobody reads them before they are needed");
    let (_, asks) = batch(&house);
    let shows = |certificate: &Certificate| asks.clone().and_header("client-cert", &certificate.structured());
    for _ in 0..3 {
        assert_eq!(shows(&own).send().await.status, 200);
    }
    is_unknown(&house, &asks, "no_certificate", "none").await;
    for _ in 0..20 {
        is_unknown(&house, &shows(&twin), "certificate_of_another", "of the same name").await;
    }
    assert_eq!(published.hits(), 1, "the first look was a moment ago");
    // It publishes another one in its place.
    published.says(twin.jwks().to_string());
    house.turn_clock(31);
    assert_eq!(shows(&twin).send().await.status, 200);
    is_unknown(&house, &shows(&own), "certificate_of_another", "the one before").await;
    assert_eq!(published.hits(), 2);
    // Keys without a certificate are no way to be known by one.
    let mut bare = twin.jwks();
    bare["keys"][0].as_object_mut().unwrap().remove("x5c");
    published.says(bare.to_string());
    house.turn_clock(3_601);
    is_unknown(&house, &shows(&twin), "certificate_of_another", "none is published").await;
    // What cannot be had proves nobody.
    let broken = Publisher::of("no keys".to_owned()).await;
    let place = format!("jwks_uri = \"{}\"", broken.url);
    let file = SELF_SIGNED.replace("jwks = { file = \"jwks.json\" }", &place);
    house.provision(&format!("{}\n{file}", house.file.split("[application.batch]").next().unwrap())).await;
    is_unknown(&house, &shows(&twin), "keys_unpublished", "nothing can be had").await;
}

/// What a token opens, shown with these headers.
async fn userinfo(house: &House, headers: &[(&str, &str)]) -> Answer {
    let url = format!("{}/userinfo", house.url);
    let dress = |request: reqwest::RequestBuilder| {
        headers.iter().fold(request, |request, (name, value)| request.header(*name, *value))
    };
    Visitor::arrives().request(Method::GET, &url, dress).await
}

#[tokio::test]
async fn m06_a_token_that_is_bound_to_a_certificate_opens_nothing_without_it() {
    let start = "[application.rp2]\n";
    let bound = format!("{start}tls_client_certificate_bound_access_tokens = true\n");
    let house = Plan { settings: behind_a_proxy, ..Plan::default() }.with(start, &bound).build().await;
    let rp2 = Application::rp2(&house);
    let (own, other) = (Certificate::self_signed("rp2.test"), Certificate::self_signed("rp2.test"));
    let ask = rp2.asks().with("organization", "org-a");
    let arrival = Person::new("con@a.test").follows(&ask).await;
    let redemption = ask.redemption(&arrival.code());
    let shows = |request: &Redemption, certificate: &Certificate| {
        request.clone().and_header("client-cert", &certificate.structured())
    };
    // Without one it gets nothing, and nothing is used up.
    let before = house.before().await;
    assert_eq!(redemption.send().await.json()["error"], json!("invalid_request"));
    house.refused(&before, "invalid_request").await;
    let first = ask.reads(&shows(&redemption, &own).send().await).await;
    assert_eq!(first.access["cnf"], json!({ "x5t#S256": own.thumbprint() }));
    let bearer = format!("Bearer {}", first.access_token);
    let (own_header, other_header) = (own.structured(), other.structured());
    let with_own = [("authorization", bearer.as_str()), ("client-cert", own_header.as_str())];
    assert_eq!(userinfo(&house, &with_own).await.status, 200);
    for (what, headers) in [
        ("another one", vec![with_own[0], ("client-cert", other_header.as_str())]),
        ("two", vec![with_own[0], with_own[1], ("client-cert", other_header.as_str())]),
        ("none", vec![with_own[0]]),
    ] {
        let before = house.before().await;
        let answer = userinfo(&house, &headers).await;
        assert_eq!(
            (answer.status.as_u16(), answer.json()["error"].clone()),
            (401, json!("invalid_token")),
            "{what}"
        );
        house.refused(&before, "invalid_token").await;
    }
    // A key beside it is one more that must be proved.
    let holder = KeyHolder::default();
    let ask = rp2.asks().with("organization", "org-a");
    let arrival = Person::new("con@a.test").follows(&ask).await;
    let answer = holder.sends(&house, &shows(&ask.redemption(&arrival.code()), &own)).await;
    let both = ask.reads(&answer).await;
    assert_eq!(both.access["cnf"], json!({ "jkt": holder.jkt(), "x5t#S256": own.thumbprint() }));
    assert_eq!(holder.userinfo(&house, &both.access_token).await.status, 401);
    let proof = holder.proof_of(&house, "GET", "/userinfo", &both.access_token).await;
    let scheme = format!("DPoP {}", both.access_token);
    let headers = [("authorization", scheme.as_str()), ("dpop", proof.as_str()), with_own[1]];
    assert_eq!(userinfo(&house, &headers).await.status, 200);

    // A public client's refresh tokens are its certificate's: whoever comes with another one has stolen them.
    let second = ask.reads_again(&shows(&rp2.refreshes(first.refresh()), &own).send().await).await;
    let theft = shows(&rp2.refreshes(second.refresh()), &other).send().await;
    assert_eq!(theft.json()["error"], json!("invalid_grant"), "{}", theft.body);
    assert_eq!(house.events_of("token.refresh_reused").await, 1);
    assert_eq!(userinfo(&house, &with_own).await.status, 401);
}

#[tokio::test]
async fn m07_the_server_that_speaks_tls_asks_for_a_certificate_itself() {
    let house = Plan { tls: true, settings: at_the_handshake, ..Plan::default() }.and(BATCH).build().await;
    let good = TRUSTED.0.vouches_for("batch.test");
    let comes = |certificate: Option<&Certificate>| {
        let builder = Client::builder().tls_certs_only([house.certificate()]).no_proxy();
        let builder = certificate.into_iter().fold(builder, |builder, one| builder.identity(one.identity()));
        builder.build().unwrap()
    };
    let asks = async |certificate: Option<&Certificate>, header: Option<&Certificate>| {
        let request = comes(certificate)
            .post(format!("{}/token", house.url))
            .header("content-type", "application/x-www-form-urlencoded")
            .body("grant_type=client_credentials&client_id=batch");
        let request =
            header.into_iter().fold(request, |request, one| request.header("client-cert", one.structured()));
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), serde_json::from_str::<Value>(&answer.text().await.unwrap()).unwrap())
    };
    let (status, answer) = asks(Some(&good), None).await;
    assert_eq!(status, 200, "{answer}");
    let claims = answer["access_token"].as_str().unwrap().split('.').nth(1).unwrap().to_owned();
    let claims = data_encoding::BASE64URL_NOPAD.decode(claims.as_bytes()).unwrap();
    let claims: Value = serde_json::from_slice(&claims).unwrap();
    assert_eq!(claims["cnf"], json!({ "x5t#S256": good.thumbprint() }));
    // Nobody is turned away for showing none; and a header is no certificate.
    for (shown, told) in [
        (None, None),
        (None, Some(&good)),
        (Some(Certificate::self_signed("batch.test")), Some(&good)),
        (Some(TRUSTED.0.vouches("batch.test", over)), None),
        (Some(Authority::new().vouches_for("batch.test")), None),
    ] {
        let (status, answer) = asks(shown.as_ref(), told).await;
        assert_eq!((status, answer["error"].clone()), (401, json!("invalid_client")), "{answer}");
    }
    let document =
        comes(None).get(format!("{}/.well-known/openid-configuration", house.url)).send().await.unwrap();
    let document: Value = serde_json::from_str(&document.text().await.unwrap()).unwrap();
    let methods = document["token_endpoint_auth_methods_supported"].as_array().unwrap();
    for method in ["tls_client_auth", "self_signed_tls_client_auth"] {
        assert!(methods.contains(&json!(method)), "{document}");
    }
    assert_eq!(document["tls_client_certificate_bound_access_tokens"], json!(true));
}

fn elsewhere(config: &mut Config) {
    behind_a_proxy(config);
    config.client_certificates.authorities = None;
    let url = format!("http://localhost:{}", config.server.listen.port());
    config.client_certificates.public_url = Some(url.parse().unwrap());
}

#[tokio::test]
async fn m07_metadata_tells_where_certificates_are_shown_and_no_other_door_is_there() {
    let house = Plan { settings: elsewhere, ..Plan::default() }.build().await;
    let document =
        Visitor::arrives().get(&format!("{}/.well-known/openid-configuration", house.url)).await.json();
    let alias = format!("http://localhost:{}", house.broker.config.server.listen.port());
    assert_eq!(
        document["mtls_endpoint_aliases"],
        json!({ "token_endpoint": format!("{alias}/token"), "revocation_endpoint": format!("{alias}/revoke"),
            "introspection_endpoint": format!("{alias}/introspect"), "userinfo_endpoint": format!("{alias}/userinfo"),
            "pushed_authorization_request_endpoint": format!("{alias}/par"),
            "device_authorization_endpoint": format!("{alias}/device_authorization") })
    );
    assert_eq!(document["issuer"], json!(house.url));
    // Nobody vouches here.
    let methods = document["token_endpoint_auth_methods_supported"].to_string();
    assert!(
        methods.contains("self_signed_tls_client_auth") && !methods.contains("\"tls_client_auth"),
        "{methods}"
    );
    let mut visitor = Visitor::arrives();
    assert_eq!(visitor.post_form(&format!("{alias}/token"), &[("grant_type", "x")]).await.status, 401);
    assert_eq!(visitor.get(&format!("{alias}/userinfo")).await.status, 401);
    for path in ["/par", "/device_authorization"] {
        assert_eq!(visitor.post_form(&format!("{alias}{path}"), &[("scope", "openid")]).await.status, 401);
    }
    for path in ["/authorize", "/", "/login/x", "/jwks.json", "/api/v1/organizations"] {
        assert_eq!(visitor.get(&format!("{alias}{path}")).await.status, 421, "{path}");
    }
    // A proof may be for the door by either of its names.
    let (rp1, holder) = (Application::rp1(&house), KeyHolder::default());
    let claims = holder.claims(&house, "POST", &format!("{alias}/token")).await;
    let proof = holder.sign(&holder.header(), &claims);
    let answer = rp1.refreshes("rt").and_header("dpop", &proof).send().await;
    assert_eq!(answer.json()["error"], json!("invalid_grant"), "{}", answer.body);

    // Where nobody is asked for any, nothing is promised.
    let house = House::opens().await;
    let document =
        Visitor::arrives().get(&format!("{}/.well-known/openid-configuration", house.url)).await.json();
    assert!(document.get("mtls_endpoint_aliases").is_none() && !document.to_string().contains("tls_client"));
}

#[tokio::test]
async fn m07_an_application_is_known_by_one_name_of_its_certificate() {
    let house = House::opens().await;
    let api = Api::operator(&house).await;
    let body = json!({ "type": "machine", "client_id": "batch", "display_name": "Batch",
        "token_endpoint_auth_method": "tls_client_auth", "tls_client_auth_subject_dn": "CN=batch,O=Acme\\, Ltd",
        "dpop_bound_access_tokens": true });
    let made = api.post("/applications", body.clone()).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let made = made.json();
    assert_eq!(made["client_secret"], Value::Null);
    let shown = &made["application"];
    assert_eq!(shown["tls_client_auth_subject_dn"], json!("CN=batch,O=Acme\\, Ltd"));
    assert_eq!(
        (&shown["tls_client_auth_san_dns"], &shown["dpop_bound_access_tokens"]),
        (&Value::Null, &json!(true))
    );
    let path = format!("/applications/{}", shown["id"].as_str().unwrap());
    let changed = api.patch(&path, json!({ "tls_client_auth_san_ip": "10.0.0.7" })).await.json();
    assert_eq!(
        (&changed["tls_client_auth_san_ip"], &changed["tls_client_auth_subject_dn"]),
        (&json!("10.0.0.7"), &Value::Null)
    );
    let changed = api.patch(&path, json!({ "tls_client_auth_subject_dn": null })).await;
    assert_eq!(changed.status, 200, "what it has not, it loses not: {}", changed.body);
    for (wrong, field) in [
        (json!({ "tls_client_auth_san_ip": null }), "/tls_client_auth_subject_dn"),
        (json!({ "tls_client_auth_san_ip": "10.0.0.0/8" }), "/tls_client_auth_san_ip"),
        (json!({ "tls_client_auth_subject_dn": "batch" }), "/tls_client_auth_subject_dn"),
        (json!({ "tls_client_auth_san_dns": "a b" }), "/tls_client_auth_san_dns"),
        (
            json!({ "tls_client_auth_san_dns": "a", "tls_client_auth_san_uri": "b" }),
            "/tls_client_auth_san_uri",
        ),
        (json!({ "token_endpoint_auth_method": "client_secret_basic" }), "/tls_client_auth_san_ip"),
        (json!({ "token_endpoint_auth_method": "self_signed_tls_client_auth" }), "/jwks"),
    ] {
        let before = house.before().await;
        let answer = api.patch(&path, wrong.clone()).await;
        assert_eq!(answer.status, 422, "{wrong}: {}", answer.body);
        assert!(answer.body.contains(field), "{wrong}: {}", answer.body);
        house.unchanged(&before).await;
    }
    // A page in somebody's browser has no certificate of its own.
    let spa = json!({ "type": "spa", "token_endpoint_auth_method": "tls_client_auth",
        "tls_client_auth_san_dns": "x", "redirect_uris": ["https://x.test/"] });
    assert_eq!(api.post("/applications", spa).await.status, 422);
    // Nor do we show providers one.
    let start = "client_secret = { env = \"CA_SECRET\" }\n";
    let file = house.file.replacen(start, "token_endpoint_auth_method = \"tls_client_auth\"\n", 1);
    assert!(house.tries(&file).await.unwrap_err().contains("must be one of client_secret_basic"));
}

const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";

#[tokio::test]
async fn m06_c22_a_token_that_is_bound_to_a_certificate_is_exchanged_by_who_shows_it_and_stays_bound() {
    let login = "redirect_uris = [\"https://rp1.test/callback\"]";
    let more = format!(
        "{login}\ngrant_types = [\"authorization_code\", \"refresh_token\", \"{EXCHANGE}\"]\n\
         tls_client_certificate_bound_access_tokens = true"
    );
    let house = Plan { settings: behind_a_proxy, ..Plan::default() }.with(login, &more).build().await;
    let rp1 = Application::rp1(&house);
    let (own, other) = (Certificate::self_signed("rp1.test"), Certificate::self_signed("rp1.test"));
    let ask = rp1.asks().with("organization", "org-a").with("login_hint", "con@a.test");
    let arrival = Person::new("con@a.test").follows(&ask).await;
    let redemption = ask.redemption(&arrival.code()).and_header("client-cert", &own.structured());
    let of_a = ask.reads(&redemption.send().await).await;
    let fields = [
        ("grant_type", EXCHANGE),
        ("subject_token", of_a.access_token.as_str()),
        ("subject_token_type", "urn:ietf:params:oauth:token-type:access_token"),
        ("organization", "org-b"),
    ];
    let exchanges = rp1.posts("/token", &fields);
    for (what, request) in [
        ("none", exchanges.clone()),
        ("another one", exchanges.clone().and_header("client-cert", &other.structured())),
    ] {
        let before = house.before().await;
        let answer = request.send().await;
        let told = (answer.status.as_u16(), answer.json()["error"].clone());
        assert_eq!(told, (400, json!("invalid_request")), "{what}: {}", answer.body);
        house.refused(&before, "invalid_request").await;
    }
    let answer = exchanges.and_header("client-cert", &own.structured()).send().await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let of_b = answer.json()["access_token"].as_str().unwrap().to_owned();
    let told = rp1.posts("/introspect", &[("token", &of_b)]).send().await.json();
    assert_eq!(told["cnf"], json!({ "x5t#S256": own.thumbprint() }), "{told}");
    assert_eq!(told["org_name"], json!("org-b"), "{told}");
    let (bearer, shown) = (format!("Bearer {of_b}"), own.structured());
    let scheme = ("authorization", bearer.as_str());
    assert_eq!(userinfo(&house, &[scheme, ("client-cert", shown.as_str())]).await.status, 200);
    assert_eq!(userinfo(&house, &[scheme]).await.status, 401);
}

/// Held to the FAPI 2.0 Security Profile by certificates alone: it is known by one, and its tokens are bound to it.
const BANK: &str = r#"
[application.bank]
type = "web"
redirect_uris = ["https://bank.test/callback"]
token_endpoint_auth_method = "tls_client_auth"
tls_client_auth_san_dns = "bank.test"
tls_client_certificate_bound_access_tokens = true
security_profile = "fapi2"
require_pushed_authorization_requests = true
signing_algorithm = "ES256"
scopes = ["openid", "email", "offline_access"]
"#;

#[tokio::test]
async fn s2_24_m07_a_fapi_client_proves_itself_and_its_tokens_by_a_certificate() {
    let house = Plan { settings: behind_a_proxy, ..Plan::default() }.and(BANK).build().await;
    let own = TRUSTED.0.vouches_for("bank.test");
    let other = TRUSTED.0.vouches_for("other.test");
    let mut bank = Application::new(&house, "bank", Proof::Nothing);
    bank.redirect_uri = "https://bank.test/callback".to_owned();
    let ask = bank.asks().with("scope", "openid email");
    let shows = |request: Redemption, certificate: &Certificate| {
        request.and_header("client-cert", &certificate.structured())
    };
    is_unknown(&house, &ask.pushes(), "no_certificate", "nothing shown").await;
    is_unknown(&house, &shows(ask.pushes(), &other), "certificate_of_another", "another's").await;
    let pushed = shows(ask.pushes(), &own).send().await;
    assert_eq!(pushed.status, 201, "{}", pushed.body);
    let url = ask.only("request_uri", pushed.json()["request_uri"].as_str().unwrap());
    let arrival = Person::new("ann@a.test").opens(&ask, &url).await;
    let redemption = ask.redemption(&arrival.code());
    is_unknown(&house, &redemption, "no_certificate", "a code without").await;
    let tokens = ask.reads(&shows(redemption, &own).send().await).await;
    assert_eq!(tokens.access["cnf"], json!({ "x5t#S256": own.thumbprint() }));
    let (bearer, own_header) = (format!("Bearer {}", tokens.access_token), own.structured());
    let other_header = other.structured();
    let scheme = ("authorization", bearer.as_str());
    assert_eq!(userinfo(&house, &[scheme, ("client-cert", own_header.as_str())]).await.status, 200);
    for headers in [vec![scheme], vec![scheme, ("client-cert", other_header.as_str())]] {
        let before = house.before().await;
        assert_eq!(userinfo(&house, &headers).await.status, 401);
        house.refused(&before, "invalid_token").await;
    }
    // Its refresh token stays as it is, and is of use to nobody else.
    is_unknown(&house, &bank.refreshes(tokens.refresh()), "no_certificate", "a refresh without").await;
    for _ in 0..2 {
        let again = ask.reads_again(&shows(bank.refreshes(tokens.refresh()), &own).send().await).await;
        assert_eq!(again.refresh_token, tokens.refresh_token);
        assert_eq!(again.access["cnf"], tokens.access["cnf"]);
    }
}

/// Nobody publishes which certificates have been taken back, or is asked: the operator gives the client another name.
#[tokio::test]
async fn m07_a_stolen_certificate_is_of_no_use_once_its_name_is_not_the_clients_any_more() {
    let house = Plan { settings: behind_a_proxy, ..Plan::default() }.and(BANK).and(BATCH).build().await;
    let operator = Api::operator(&house).await;
    let (stolen, of_batch) = (TRUSTED.0.vouches_for("bank.test"), TRUSTED.0.vouches_for("batch.test"));
    let (next, next_of_batch) = (TRUSTED.0.vouches_for("bank-2.test"), TRUSTED.0.vouches_for("batch-2.test"));
    let shows = |request: Redemption, certificate: &Certificate| {
        request.and_header("client-cert", &certificate.structured())
    };
    let mut bank = Application::new(&house, "bank", Proof::Nothing);
    bank.redirect_uri = "https://bank.test/callback".to_owned();
    let ask = bank.asks().with("scope", "openid email");
    let pushed = shows(ask.pushes(), &stolen).send().await;
    let url = ask.only("request_uri", pushed.json()["request_uri"].as_str().unwrap());
    let arrival = Person::new("ann@a.test").opens(&ask, &url).await;
    let tokens = ask.reads(&shows(ask.redemption(&arrival.code()), &stolen).send().await).await;
    let (batch, asks) = batch(&house);
    let of_machine = shows(asks.clone(), &of_batch).send().await.json()["access_token"].clone();
    let (bearer, header) = (format!("Bearer {}", tokens.access_token), stolen.structured());
    let opens = [("authorization", bearer.as_str()), ("client-cert", header.as_str())];
    assert_eq!(userinfo(&house, &opens).await.status, 200);

    for (client, name) in [("bank", "bank-2.test"), ("batch", "batch-2.test")] {
        let id =
            house.text(&format!("SELECT id FROM applications WHERE client_id = '{client}'")).await.unwrap();
        let path = format!("/applications/{id}");
        // Another word about it, and what it holds stays.
        assert_eq!(operator.patch(&path, json!({"display_name": "As it was"})).await.status, 200);
        if client == "bank" {
            assert_eq!(userinfo(&house, &opens).await.status, 200);
        }
        let done = operator.patch(&path, json!({"tls_client_auth_san_dns": name})).await;
        assert_eq!(done.status, 200, "{}", done.body);
    }
    is_unknown(&house, &shows(ask.pushes(), &stolen), "certificate_of_another", "the stolen one").await;
    is_unknown(&house, &shows(asks.clone(), &of_batch), "certificate_of_another", "the machine's").await;
    let before = house.before().await;
    assert_eq!(userinfo(&house, &opens).await.status, 401, "what is bound to it");
    house.refused(&before, "invalid_token").await;
    let told = batch.posts("/introspect", &[("token", of_machine.as_str().unwrap())]);
    assert_eq!(shows(told, &next_of_batch).send().await.json(), json!({ "active": false }));
    let refresh = shows(bank.refreshes(tokens.refresh()), &next).send().await;
    assert_eq!(refresh.json()["error"], json!("invalid_grant"), "{}", refresh.body);
    // Whom it belongs to goes on with another one.
    assert_eq!(shows(asks, &next_of_batch).send().await.status, 200);
    assert_eq!(shows(ask.pushes(), &next).send().await.status, 201);
}
