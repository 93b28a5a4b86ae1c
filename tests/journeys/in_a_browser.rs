//! The journey in a real browser, between counterparts by other authors: npm `oidc-provider` as the contractor's
//! identity provider, npm `openid-client` and `oauth4webapi` as applications.

use behalf::foundation::clock::Clock;
use behalf::protocol::jose::{Algorithm, SigningKey};
use data_encoding::BASE64;
use serde_json::{Value, json};

use crate::house::broker::{House, Plan, RP1_SECRET};
use crate::house::browser::{Browser, Key, Person};
use crate::house::node::Node;
use crate::house::ports::free_port;
use crate::house::visitor::Visitor;

/// Two companies and an application. The contractor's people may act for My Corporation.
const STREET: &str = r##"
[project]
display_name = "Acme Cloud"
brand = { name = "Acme Cloud", accent = "#0b5fff" }

[organization.contractor]
display_name = "Contractor GmbH"
members = [{ email = "ann@a.test", roles = ["owner"] }]

[organization.my-corp]
display_name = "My Corporation"

[[domain]]
name = "a.test"
organization = "contractor"
connections = ["contractor"]
use_for_routing = true
trust_email = true

[[domain]]
name = "two.test"
organization = "my-corp"
connections = ["my-corp", "my-corp-labs"]
use_for_routing = true

[connection.contractor]
organization = "contractor"
type = "oidc"
display_name = "Contractor SSO"
issuer = "{upstream}"
client_id = "behalf"
client_secret = { env = "CA_SECRET" }

[connection.my-corp]
organization = "my-corp"
type = "oidc"
display_name = "My Corporation SSO"
issuer = "{idp_b}"
client_id = "behalf"
client_secret = { env = "CB_SECRET" }

[connection.my-corp-labs]
organization = "my-corp"
type = "oidc"
display_name = "My Corporation Labs"
issuer = "{idp_a}"
client_id = "behalf"
client_secret = { env = "CA_SECRET" }

[application.crm]
display_name = "Acme CRM"
type = "web"
client_secrets = [{ env = "RP1_SECRET" }]
redirect_uris = ["{redirect}"]
token_endpoint_auth_method = "{method}"
signing_algorithm = "{algorithm}"
scopes = ["openid", "profile", "email", "organization", "organizations", "roles"]

[application.first]
display_name = "Planner"
type = "spa"
redirect_uris = ["https://first.test/callback"]
organization_prompt = "before"

[[delegation]]
home = "contractor"
target = "my-corp"
roles = ["member"]
"##;

/// What the application asks that wants the organization first, without its issuer.
const BEFOREHAND: &str = "/authorize?client_id=first&response_type=code&scope=openid&state=s&nonce=n&\
    redirect_uri=https%3A%2F%2Ffirst.test%2Fcallback&code_challenge_method=S256&\
    code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// What the pages say in German where no company signs in by this address.
const UNKNOWN_IN_GERMAN: &str = "kennen wir keine Anmeldung eines Unternehmens";

struct Street {
    house: House,
    _contractor: Node,
    application: Node,
}

impl Street {
    async fn opens() -> Self {
        let settings = json!({ "client_id": "crm", "client_secret": RP1_SECRET,
            "scope": "openid profile email roles organizations" });
        let mut application = Node::start("relying_party", settings).await;
        let redirect = application.says("redirect_uri").to_owned();
        let (house, contractor) = build(&redirect, "client_secret_basic", "RS256").await;
        application.ask("broker", json!({ "issuer": house.url })).await;
        Self { house, _contractor: contractor, application }
    }

    fn start(&self, query: &str) -> String {
        format!("{}/start{query}", self.application.says("origin"))
    }

    /// The person is back at the application; the picker, too, says "Signed in as".
    async fn welcomes(&self, person: &Person) {
        let origin = self.application.says("origin").to_owned();
        person.is_at(|url| url.as_str().starts_with(&origin) && url.path() == "/callback").await;
        person.sees("Signed in as").await;
    }

    async fn result(&mut self) -> Value {
        self.application.ask("result", json!({})).await
    }
}

/// The broker, and the contractor's identity provider with Ann and Con.
async fn build(redirect: &str, method: &str, algorithm: &str) -> (House, Node) {
    let port = free_port();
    let file = STREET
        .replace("{upstream}", &format!("http://127.0.0.1:{port}"))
        .replace("{redirect}", redirect)
        .replace("{method}", method)
        .replace("{algorithm}", algorithm);
    let file = match method {
        "none" => file.replace("client_secrets = [{ env = \"RP1_SECRET\" }]", ""),
        _ => file,
    };
    // The counterparts live by the machine's clock.
    let house = Plan { file, clock: Clock::System, ..Plan::default() }.build().await;
    let callback = format!("{}/oidc/{}/callback", house.url, house.connection("contractor").await);
    let client =
        json!({ "client_id": "behalf", "client_secret": house.idp_a.secret, "redirect_uris": [callback] });
    let people = json!([
        { "sub": "ann-1", "email": "ann@a.test", "name": "Ann", "amr": ["pwd", "mfa"] },
        { "sub": "con-1", "email": "con@a.test", "name": "Con", "amr": ["pwd"] },
    ]);
    let contractor =
        Node::start("upstream", json!({ "port": port, "clients": [client], "accounts": people })).await;
    (house, contractor)
}

#[tokio::test]
async fn a_logo_that_is_gone_leaves_no_gap_on_any_page() {
    let street = Street::opens().await;
    let gone = format!("https://127.0.0.1:{}/logo.svg", free_port());
    let brand = format!("[project]\nbrand = {{ name = \"Acme Cloud\", logo_uri = \"{gone}\" }}\n");
    street.house.provision(&brand).await;
    street.house.execute(&format!("UPDATE organizations SET logo_uri = '{gone}'")).await;
    let con = Person::arrives().await;
    let is_whole = async |page: &str, images: usize| {
        let script = "await Promise.all([...document.images].map((image) => image.decode().catch(() => 0)));\
                      return [...document.images].map((image) => image.naturalWidth)";
        let widths = con.evaluates(&format!("return (async () => {{ {script} }})()"), Vec::new()).await;
        let widths: Vec<_> = widths.as_array().unwrap().iter().map(|width| width.as_u64().unwrap()).collect();
        assert!(widths.len() == images && widths.iter().all(|width| *width > 0), "{page}: {widths:?}");
        let found = con.axe().await;
        assert!(found.is_empty(), "{page}: {found:?}");
    };
    con.opens(&street.start("")).await;
    con.sees("Acme CRM").await;
    is_whole("email", 1).await;
    con.types("Work email", "con@a.test").await;
    con.presses("Continue").await;
    con.sees("Sign in to your company").await;
    con.presses("Sign in").await;
    con.sees("Contractor GmbH").await;
    is_whole("picker", 3).await;
}

#[tokio::test]
async fn s2_22_a_contractor_signs_in_with_their_own_company_and_acts_for_another() {
    let mut street = Street::opens().await;
    let con = Person::arrives().await;
    con.opens(&street.start("")).await;
    con.sees("Acme CRM").await;
    con.types("Work email", "Con@A.TEST").await;
    con.presses("Continue").await;

    con.sees("Sign in to your company").await;
    assert_eq!(con.reads("Username").await, "con@a.test", "the address went along");
    con.presses("Sign in").await;

    con.sees("Contractor GmbH").await;
    con.sees("on behalf of").await;
    con.sees("Contractor SSO").await;
    con.presses_what_says("My Corporation").await;
    street.welcomes(&con).await;

    let result = street.result().await;
    let claims = &result["claims"];
    assert_eq!(claims["org_id"], street.house.organization("my-corp").await);
    assert_eq!(claims["org_name"], "my-corp");
    assert_eq!(claims["home_org_id"], street.house.organization("contractor").await);
    assert!(claims["delegation_id"].as_str().unwrap().starts_with("dlg_"));
    assert_eq!(claims["roles"], json!(["member"]));
    assert_eq!(claims["email"], "con@a.test");
    assert_eq!(claims["email_verified"], true);
    assert_eq!(claims["amr"], json!(["pwd"]));
    assert_eq!(result["userinfo"]["org_id"], claims["org_id"]);
    assert_eq!(claims.get("act"), None, "the person is the subject");
    let names: Vec<_> =
        claims["organizations"].as_array().unwrap().iter().map(|one| one["name"].clone()).collect();
    assert_eq!(names, ["contractor", "my-corp"]);

    // Single sign-on, straight to the other organization.
    con.opens(&street.start("?organization=contractor")).await;
    street.welcomes(&con).await;
    let again = street.result().await;
    assert_eq!(again["claims"]["org_name"], "contractor");
    assert_eq!(again["claims"]["sub"], claims["sub"]);
    assert_eq!(again["claims"].get("home_org_id"), None);
}

#[tokio::test]
async fn somebody_uses_another_account_and_gives_up() {
    let mut street = Street::opens().await;
    let con = Browser::default().without_scripts().open().await;
    con.opens(&street.start("?login_hint=con@a.test")).await;
    con.presses("Sign in").await;
    con.sees("Contractor GmbH").await;
    con.presses("Use another account").await;
    con.types("Work email", "nobody@unknown.test").await;
    con.presses("Continue").await;
    con.sees("We know of no company sign-in").await;
    con.presses("Cancel and return to Acme CRM").await;
    con.sees("access_denied").await;
    let result = street.result().await;
    assert_eq!(result["error"]["error"], "access_denied", "{result}");
}

#[tokio::test]
async fn a_person_needs_no_mouse() {
    let street = Street::opens().await;
    let ann = Person::arrives().await;
    ann.opens(&street.start("")).await;
    ann.sees("Work email").await;
    ann.types("Work email", "ann@a.test").await;
    ann.keys(&[Key::Enter]).await;
    ann.sees("Sign in to your company").await;
    ann.presses("Sign in").await;
    ann.sees("Who are you acting for?").await;
    // The first choice is the first thing that the keyboard reaches.
    ann.keys(&[Key::Tab]).await;
    assert!(ann.focus().await.contains("Contractor GmbH"), "{}", ann.focus().await);
    ann.keys(&[Key::Enter]).await;
    street.welcomes(&ann).await;
}

#[tokio::test]
async fn every_page_is_clean_for_screen_readers_in_both_languages_and_schemes() {
    let street = Street::opens().await;
    for (language, dark, phone) in
        [("en", false, false), ("de", true, true), ("en", true, false), ("de", false, true)]
    {
        let mut browser = Browser::default().speaking(language);
        if dark {
            browser = browser.dark();
        }
        if phone {
            browser = browser.phone();
        }
        let person = browser.open().await;
        let clean = async |page: &str| {
            let found = person.axe().await;
            assert!(found.is_empty(), "{page} in {language}, dark: {dark}, phone: {phone}: {found:?}");
            let lang = person.evaluates("return document.documentElement.lang", vec![]).await;
            assert_eq!(lang, language, "{page}");
        };
        let (email, go_on) = if language == "en" {
            ("Work email", "Continue")
        } else {
            ("Geschäftliche E-Mail-Adresse", "Weiter")
        };
        person.opens(&street.start("")).await;
        person.sees(email).await;
        clean("email").await;
        person.types(email, "somebody@unknown.test").await;
        person.presses(go_on).await;
        person.sees(if language == "en" { "We know of no company sign-in" } else { UNKNOWN_IN_GERMAN }).await;
        clean("email with a problem").await;
        person.types(email, "somebody@two.test").await;
        person.presses(go_on).await;
        person.sees("My Corporation Labs").await;
        clean("chooser").await;
        let (organization, skip) = match language {
            "en" => ("Organization", "Go on without naming one"),
            _ => ("Organisation", "Weiter, ohne eine zu nennen"),
        };
        person.opens(&format!("{}{BEFOREHAND}", street.house.url)).await;
        person.sees(organization).await;
        clean("organization first").await;
        person.types(organization, "two words").await;
        person.presses(go_on).await;
        person.sees(if language == "en" { "This is not the short name" } else { "kein Kurzname" }).await;
        clean("organization first, with a problem").await;
        person.presses(skip).await;
        person.sees(email).await;
        person.opens(&format!("{}/authorize?client_id=unknown", street.house.url)).await;
        person.sees("Acme Cloud").await;
        clean("error").await;
        person.opens(&street.house.url).await;
        person.sees(if language == "en" { "People sign in here" } else { "Hier meldet man sich an" }).await;
        clean("welcome").await;
        person.opens(&format!("{}/nothing", street.house.url)).await;
        person.sees(if language == "en" { "There is nothing here" } else { "Hier ist nichts" }).await;
        clean("nothing there").await;
        person.opens(&street.house.url.replace("127.0.0.1", "localhost")).await;
        person.sees(if language == "en" { "This is not our address" } else { "nicht unsere Adresse" }).await;
        clean("another name").await;
        person.opens(&street.start("?login_hint=con@a.test")).await;
        person.presses("Sign in").await;
        person.sees("Contractor GmbH").await;
        clean("picker").await;
        person.opens(&format!("{}/logout", street.house.url)).await;
        person.sees("con@a.test").await;
        clean("sign out").await;
        person.presses(if language == "en" { "Sign out" } else { "Abmelden" }).await;
        person.sees("Contractor SSO").await;
        clean("signed out").await;
    }
}

#[tokio::test]
async fn s2_20_a_strict_client_of_other_authors_reads_every_kind_of_token() {
    let redirect = "http://127.0.0.1:9/callback";
    for (method, algorithm) in
        [("client_secret_basic", "RS256"), ("client_secret_post", "ES256"), ("none", "EdDSA")]
    {
        let (house, _contractor) = build(redirect, method, algorithm).await;
        let settings = json!({ "issuer": house.url, "client_id": "crm", "client_secret": RP1_SECRET, "alg": algorithm,
            "redirect_uri": redirect, "token_endpoint_auth_method": method, "scope": "openid email organization" });
        let mut client = Node::start("oauth4webapi_client", settings).await;
        let parameters = json!({ "login_hint": "ann@a.test", "organization": "contractor" });
        let begun = client.ask("begin", json!({ "parameters": parameters })).await;
        let callback = walk(begun["url"].as_str().unwrap(), redirect).await;
        let asked = json!({ "callback_url": callback, "access_token_audience": house.url });
        let result = client.ask("finish", asked).await;
        assert_eq!(result["claims"]["org_name"], "contractor", "{method} {algorithm}: {result}");
        assert_eq!(result["claims"]["acr"], "urn:behalf:acr:2fa");
        assert_eq!(result["access_token"]["header"]["typ"], "at+jwt");
        assert_eq!(result["access_token"]["header"]["alg"], algorithm);
        assert_eq!(result["access_token"]["claims"]["client_id"], "crm");
        assert_eq!(result["userinfo"]["email"], "ann@a.test");
        assert_eq!(result["token_response"]["expires_in"], 300);
        // The same client refreshes, asks what it holds, and gives it back.
        let first = result["token_response"]["refresh_token"].clone();
        let refreshed = client.ask("refresh", json!({ "parameters": {} })).await;
        assert_eq!(refreshed["claims"]["sub"], result["claims"]["sub"], "{refreshed}");
        assert_eq!(refreshed["claims"]["auth_time"], result["claims"]["auth_time"]);
        let second = refreshed["token_response"]["refresh_token"].clone();
        assert!(second.is_string() && second != first);
        let token = refreshed["token_response"]["access_token"].clone();
        if method != "none" {
            for signed in [false, true] {
                let told = client.ask("introspect", json!({ "token": token, "signed": signed })).await;
                assert_eq!((&told["active"], &told["client_id"]), (&json!(true), &json!("crm")), "{told}");
            }
        }
        client.ask("revoke", json!({ "token": second })).await;
        if method != "none" {
            let told = client.ask("introspect", json!({ "token": token })).await;
            assert_eq!(told["active"], false, "{told}");
        }
    }
}

#[tokio::test]
async fn m06_a_strict_client_of_other_authors_proves_that_it_holds_its_key() {
    let redirect = "http://127.0.0.1:9/callback";
    for method in ["none", "client_secret_basic"] {
        let (house, _contractor) = build(redirect, method, "RS256").await;
        let settings = json!({ "issuer": house.url, "client_id": "crm", "client_secret": RP1_SECRET, "dpop": true,
            "redirect_uri": redirect, "token_endpoint_auth_method": method, "scope": "openid email organization" });
        let mut client = Node::start("oauth4webapi_client", settings).await;
        let jkt = json!(client.says("jkt"));
        let parameters = json!({ "login_hint": "ann@a.test", "organization": "contractor", "dpop_jkt": jkt });
        let begun = client.ask("begin", json!({ "parameters": parameters })).await;
        let callback = walk(begun["url"].as_str().unwrap(), redirect).await;
        let asked = json!({ "callback_url": callback, "access_token_audience": house.url });
        let result = client.ask("finish", asked).await;
        assert_eq!(result["token_response"]["token_type"], "dpop", "{method}: {result}");
        assert_eq!(result["access_token"]["claims"]["cnf"]["jkt"], jkt);
        assert_eq!(result["userinfo"]["email"], "ann@a.test");
        let refreshed = client.ask("refresh", json!({ "parameters": {} })).await;
        assert_eq!(refreshed["token_response"]["token_type"], "dpop", "{method}: {refreshed}");
        // It learns one nonce, and is told the next one with every answer.
        assert_eq!(client.ask("nonces", json!({})).await, 1);
        // The same token is worth nothing to who has only found it.
        let token = result["token_response"]["access_token"].as_str().unwrap();
        let found = Visitor::arrives()
            .request(reqwest::Method::GET, &format!("{}/userinfo", house.url), |request| {
                request.bearer_auth(token)
            })
            .await;
        assert_eq!(found.status, 401);
        let discovery = client.ask("discovery", json!({})).await;
        assert!(discovery["dpop_signing_alg_values_supported"].as_array().unwrap().contains(&json!("ES256")));
    }
}

#[tokio::test]
async fn s2_24_a_strict_client_of_other_authors_pushes_signs_and_reads_signed_answers() {
    let redirect = "http://127.0.0.1:9/callback";
    for (algorithm, mode) in [("RS256", "query.jwt"), ("ES256", "form_post.jwt"), ("EdDSA", "form_post")] {
        let (house, _contractor) = build(redirect, "client_secret_basic", algorithm).await;
        let settings = json!({ "issuer": house.url, "client_id": "crm", "client_secret": RP1_SECRET, "alg": algorithm,
            "redirect_uri": redirect, "scope": "openid email organization" });
        let mut client = Node::start("oauth4webapi_client", settings).await;
        house.writes("crm.json", &client.ready["jwks"].to_string());
        let signs = "display_name = \"Acme CRM\"\njwks = { file = \"crm.json\" }";
        house.provision(&house.file.replacen("display_name = \"Acme CRM\"", signs, 1)).await;
        for (signed, pushed) in [(false, true), (true, false), (true, true)] {
            let parameters = json!({ "login_hint": "ann@a.test", "organization": "contractor", "response_mode": mode,
                "claims": "{\"id_token\":{\"acr\":{\"essential\":true,\"value\":\"urn:behalf:acr:2fa\"}}}",
                "max_age": "600" });
            let begin = json!({ "parameters": parameters, "signed": signed, "pushed": pushed });
            let begun = client.ask("begin", begin).await;
            let callback = match mode {
                "query.jwt" => walk(begun["url"].as_str().unwrap(), redirect).await,
                _ => posted(begun["url"].as_str().unwrap(), redirect).await,
            };
            let asked = json!({ "callback_url": callback, "signed": mode != "form_post" });
            let result = client.ask("finish", asked).await;
            assert_eq!(result["claims"]["org_name"], "contractor", "{mode} {signed} {pushed}: {result}");
            assert_eq!(result["claims"]["acr"], "urn:behalf:acr:2fa");
        }
    }
}

/// As [`walk`], up to the form that is posted to the application: what it holds, as an address.
async fn posted(url: &str, redirect: &str) -> String {
    let mut person = Visitor::arrives();
    let mut step = person.get(url).await;
    loop {
        if step.location().is_some() {
            step = person.follow(&step).await;
            continue;
        }
        let form = step.form();
        if form.action.as_str() == redirect {
            let mut back = form.action.clone();
            back.query_pairs_mut().extend_pairs(&form.fields);
            return back.into();
        }
        step = person.submit(&form.with("username", "ann@a.test")).await;
    }
}

#[tokio::test]
async fn the_broker_proves_itself_to_a_provider_of_other_authors_in_every_way() {
    let key = SigningKey::generate(Algorithm::ES256, "unused").unwrap();
    let pem = format!(
        "-----BEGIN PRIVATE {0}-----\n{1}\n-----END PRIVATE {0}-----\n",
        "KEY",
        BASE64.encode(&key.to_pkcs8().unwrap())
    );
    let mut public = serde_json::to_value(key.public_jwk()).unwrap();
    public["kid"] = json!(key.public_jwk().thumbprint());
    let redirect = "http://127.0.0.1:9/callback";
    for method in ["client_secret_basic", "client_secret_post", "private_key_jwt"] {
        let port = free_port();
        let proof = match method {
            "private_key_jwt" => "private_key = { file = \"key.pem\" }",
            _ => "client_secret = { env = \"CA_SECRET\" }",
        };
        let file = STREET
            .replacen(
                "client_secret = { env = \"CA_SECRET\" }",
                &format!("{proof}\ntoken_endpoint_auth_method = \"{method}\""),
                1,
            )
            .replace("{upstream}", &format!("http://127.0.0.1:{port}"))
            .replace("{redirect}", redirect)
            .replace("{method}", "client_secret_basic")
            .replace("{algorithm}", "RS256");
        let files = vec![("key.pem".to_owned(), pem.clone())];
        let house = Plan { file, files, clock: Clock::System, ..Plan::default() }.build().await;
        let callback = format!("{}/oidc/{}/callback", house.url, house.connection("contractor").await);
        let mut client = json!({ "client_id": "behalf", "redirect_uris": [callback],
            "token_endpoint_auth_method": method });
        match method {
            "private_key_jwt" => client["jwks"] = json!({ "keys": [public] }),
            _ => client["client_secret"] = json!(house.idp_a.secret),
        }
        let people = json!([{ "sub": "ann-1", "email": "ann@a.test", "name": "Ann" }]);
        let settings = json!({ "port": port, "clients": [client], "accounts": people });
        let provider = Node::start("upstream", settings).await;
        let settings = json!({ "issuer": house.url, "client_id": "crm", "client_secret": RP1_SECRET,
            "redirect_uri": redirect, "scope": "openid email" });
        let mut client = Node::start("oauth4webapi_client", settings).await;
        let parameters = json!({ "login_hint": "ann@a.test", "organization": "contractor" });
        let begun = client.ask("begin", json!({ "parameters": parameters })).await;
        let callback = walk(begun["url"].as_str().unwrap(), redirect).await;
        let result = client.ask("finish", json!({ "callback_url": callback })).await;
        assert_eq!(result["claims"]["email"], "ann@a.test", "{method}: {result}");
        drop(provider);
    }
}

/// From the authorization request to the application's callback, through the contractor's login page.
async fn walk(url: &str, redirect: &str) -> String {
    let mut person = Visitor::arrives();
    let mut step = person.get(url).await;
    loop {
        match step.location() {
            Some(next) if next.as_str().starts_with(redirect) => return next.into(),
            Some(_) => step = person.follow(&step).await,
            None => step = person.submit(&step.form().with("username", "ann@a.test")).await,
        }
    }
}
