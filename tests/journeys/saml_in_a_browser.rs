//! The same stories at a real browser, where the contractor's identity provider is SimpleSAMLphp, on another site.

use behalf::foundation::clock::Clock;
use serde_json::{Value, json};

use super::sign_out_in_a_browser::site;
use crate::house::broker::{House, Plan, RP1_SECRET};
use crate::house::browser::{Browser, Person};
use crate::house::node::Node;
use crate::house::simplesamlphp::{self, KeyPair, PASSWORD, POST, ServiceProvider, SimpleSamlPhp, Someone};
use crate::house::visitor::line;

/// The contractor, whose people sign in by SAML; Con may act for My Corporation.
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

[connection.contractor]
organization = "contractor"
type = "saml"
preset = "simplesamlphp"
display_name = "Contractor SSO"
metadata_file = "contractor.xml"
{keys}

[application.crm]
display_name = "Acme CRM"
type = "web"
client_secrets = [{ env = "RP1_SECRET" }]
redirect_uris = ["{redirect}"]
initiate_login_uri = "{start}"
token_endpoint_auth_method = "client_secret_basic"
scopes = ["openid", "profile", "email", "organization", "organizations", "roles"]

[[delegation]]
home = "contractor"
target = "my-corp"
roles = ["member"]
only = ["con@a.test"]
"##;

/// What SimpleSAMLphp says where it refuses.
const REFUSED_THERE: &str = "Unhandled exception";

struct Street {
    house: House,
    idp: SimpleSamlPhp,
    application: Node,
}

impl Street {
    /// `keys`: of the connection. SimpleSAMLphp takes no request that we did not sign.
    async fn opens(plan: simplesamlphp::Plan, keys: &str) -> Self {
        let ann = Someone::named("ann").with("mail", &["ann@a.test"]).with("displayName", &["Ann"]);
        let con = Someone::named("con").with("mail", &["con@a.test"]).with("displayName", &["Con"]);
        // Another site than the broker's, so that a browser holds cookies back where it would in earnest.
        let plan = simplesamlphp::Plan { host: "localhost", people: vec![ann, con], ..plan };
        let idp = SimpleSamlPhp::start(plan);
        let settings = json!({ "client_id": "crm", "client_secret": RP1_SECRET,
            "scope": "openid profile email roles organizations" });
        let mut application = Node::start("relying_party", settings).await;
        let file = STREET
            .replace("{redirect}", application.says("redirect_uri"))
            .replace("{start}", &format!("{}/start", application.says("origin")))
            .replace("{keys}", keys);
        let files = vec![("contractor.xml".to_owned(), idp.metadata().await)];
        let house = Plan { file, files, clock: Clock::System, ..Plan::default() }.build().await;
        application.ask("broker", json!({ "issuer": house.url })).await;
        let mut street = Self { house, idp, application };
        street.idp.knows(ServiceProvider::from_metadata(&street.house.sp_metadata("contractor").await));
        street
    }

    fn start(&self, query: &str) -> String {
        format!("{}/start{query}", self.application.says("origin"))
    }

    /// From the application to SimpleSAMLphp's form.
    async fn sends(&self, person: &Person, email: &str) {
        person.opens(&self.start("")).await;
        person.types("Work email", email).await;
        person.presses("Continue").await;
    }

    /// Signs in at SimpleSAMLphp, by the part of the address before the `@`.
    async fn proves(&self, person: &Person, user: &str) {
        person.types("Username", user).await;
        person.types("Password", PASSWORD).await;
        assert!(person.url().await.as_str().starts_with(&self.idp.url()));
        person.presses("Login").await;
    }

    /// From the application and back, without a picker.
    async fn signs_in(&mut self, person: &Person) -> Value {
        self.sends(person, "ann@a.test").await;
        self.proves(person, "ann").await;
        self.welcomes(person).await;
        self.result().await
    }

    async fn welcomes(&self, person: &Person) {
        let origin = self.application.says("origin").to_owned();
        person.is_at(|url| url.as_str().starts_with(&origin) && url.path() == "/callback").await;
        person.sees("Signed in as").await;
    }

    async fn result(&mut self) -> Value {
        let result = self.application.ask("result", json!({})).await;
        assert_eq!(result["error"], Value::Null, "{result}");
        result
    }

    /// The status of UserInfo for the access token of a result.
    async fn userinfo(&self, result: &Value) -> u16 {
        let token = result["token_response"]["access_token"].as_str().unwrap();
        let url = format!("{}/userinfo", self.house.url);
        line().get(url).bearer_auth(token).send().await.unwrap().status().as_u16()
    }

    async fn signs_out(&self, person: &Person) {
        person.opens(&format!("{}/logout", self.house.url)).await;
        person.sees("ann@a.test").await;
        person.presses("Sign out").await;
    }

    /// Neither the broker nor SimpleSAMLphp knows the person any more.
    async fn is_forgotten(&self, person: &Person) {
        person.opens(&self.start("?login_hint=ann@a.test")).await;
        person.sees("Username").await;
        assert!(person.url().await.as_str().starts_with(&self.idp.url()));
    }

    /// From now on it signs people out here by POST.
    async fn is_told_by_post(&mut self) {
        let slo = format!("{}/saml/{}/slo", self.house.url, self.house.connection("contractor").await);
        let known = self.typed().await.logout_at(POST, &slo);
        self.idp.change(|plan| plan.service_providers = vec![known]);
    }

    /// Whom SimpleSAMLphp is told of instead of our metadata.
    async fn typed(&self) -> ServiceProvider {
        let at = format!("{}/saml/{}", self.house.url, self.house.connection("contractor").await);
        let metadata = self.house.sp_metadata("contractor").await;
        let certificate = metadata.split_once("X509Certificate>").unwrap().1.split_once('<').unwrap().0;
        ServiceProvider::typed(&format!("{at}/metadata"), &format!("{at}/acs")).certificate(certificate)
    }
}

#[tokio::test]
async fn s3_34_ann_signs_in_at_simplesamlphp_however_it_is_set_up() {
    let mut street = Street::opens(simplesamlphp::Plan::default(), "request_binding = \"redirect\"").await;
    for (binding, scripts, sign_response, sign_assertion, encrypt) in [
        ("redirect", true, true, true, false),
        ("post", true, true, false, false),
        ("post", false, false, true, false),
        ("redirect", false, true, true, true),
        ("post", true, true, false, true),
    ] {
        let how =
            format!("{binding}, scripts: {scripts}, signed: {sign_response} {sign_assertion}, {encrypt}");
        // Our metadata asks for signed assertions, and SimpleSAMLphp does as it is asked unless it is told otherwise.
        let known = ServiceProvider::from_metadata(&street.house.sp_metadata("contractor").await)
            .set("saml20.sign.response", json!(sign_response))
            .set("saml20.sign.assertion", json!(sign_assertion))
            .set("assertion.encryption", json!(encrypt));
        street.idp.change(|plan| plan.service_providers = vec![known]);
        let file = street.house.file.replace("\"redirect\"", &format!("\"{binding}\""));
        street.house.provision(&file).await;
        let browser = Browser::default();
        let ann = if scripts { browser } else { browser.without_scripts() }.open().await;
        street.sends(&ann, "Ann@A.TEST").await;
        if binding == "post" && !scripts {
            ann.sees("We are taking you to Contractor SSO").await;
            ann.presses("Continue").await;
        }
        street.proves(&ann, "ann").await;
        if !scripts {
            ann.presses("Submit").await;
        }
        street.welcomes(&ann).await;
        let claims = street.result().await["claims"].clone();
        let organization = street.house.organization("contractor").await;
        assert_eq!((&claims["org_id"], &claims["org_name"]), (&json!(organization), &json!("contractor")));
        assert_eq!((&claims["email"], &claims["email_verified"]), (&json!("ann@a.test"), &json!(true)));
        assert_eq!((&claims["name"], &claims["amr"]), (&json!("Ann"), &json!(["pwd"])), "{how}");
        assert_eq!(claims["roles"], json!(["owner"]));
        assert_eq!(claims.get("home_org_id"), None);
    }
    let facts = street.house.facts().await;
    assert_eq!((facts.rows("users"), facts.rows("identities")), (1, 1), "it was always the same Ann");
    assert_eq!(facts.rows("sessions"), 5);
}

#[tokio::test]
async fn s2_22_con_signs_in_by_saml_and_acts_for_another_company() {
    let mut street = Street::opens(simplesamlphp::Plan::default(), "").await;
    let con = Person::arrives().await;
    street.sends(&con, "con@a.test").await;
    street.proves(&con, "con").await;
    con.sees("Contractor GmbH").await;
    con.sees("on behalf of").await;
    con.sees("Contractor SSO").await;
    con.presses_what_says("My Corporation").await;
    street.welcomes(&con).await;
    let claims = street.result().await["claims"].clone();
    let (home, target) =
        (street.house.organization("contractor").await, street.house.organization("my-corp").await);
    assert_eq!((&claims["org_id"], &claims["home_org_id"]), (&json!(target), &json!(home)));
    assert_eq!((&claims["org_name"], &claims["roles"]), (&json!("my-corp"), &json!(["member"])));

    // Signed in here, so SimpleSAMLphp is not asked.
    con.opens(&street.start("?organization=contractor")).await;
    street.welcomes(&con).await;
    assert_eq!(street.result().await["claims"]["org_name"], "contractor");
}

#[tokio::test]
async fn the_page_on_the_way_is_clean_for_screen_readers_in_both_languages_and_schemes() {
    let street = Street::opens(simplesamlphp::Plan::default(), "request_binding = \"post\"").await;
    for (language, dark, phone) in
        [("en", false, false), ("de", true, true), ("en", true, false), ("de", false, true)]
    {
        let browser = Browser::default().speaking(language).blocking("*/onward.js*");
        let browser = if dark { browser.dark() } else { browser };
        let person = if phone { browser.phone() } else { browser }.open().await;
        let clean = async |page: &str| {
            let found = person.axe().await;
            assert!(found.is_empty(), "{page} in {language}, dark: {dark}, phone: {phone}: {found:?}");
            let lang = person.evaluates("return document.documentElement.lang", vec![]).await;
            assert_eq!(lang, language, "{page}");
        };
        let says = |english, german| if language == "en" { english } else { german };
        person.opens(&street.start("?login_hint=ann@a.test")).await;
        person
            .sees(says("We are taking you to Contractor SSO", "Wir leiten Sie zu Contractor SSO weiter"))
            .await;
        clean("onward").await;
        person.presses(says("Continue", "Weiter")).await;
        person.is_at(|url| url.as_str().starts_with(&street.idp.url())).await;
    }
}

#[tokio::test]
async fn signing_out_here_signs_out_at_simplesamlphp_too() {
    let mut street = Street::opens(simplesamlphp::Plan::default(), "request_binding = \"redirect\"").await;
    for binding in ["redirect", "post"] {
        if binding == "post" {
            let file = street.house.file.replace("\"redirect\"", "\"post\"");
            street.house.provision(&file).await;
            let slo =
                format!("{}/saml/{}/slo", street.house.url, street.house.connection("contractor").await);
            let known = street.typed().await.logout_at(POST, &slo);
            street.idp.change(|plan| plan.service_providers = vec![known]);
        }
        let ann = Person::arrives().await;
        let result = street.signs_in(&ann).await;
        assert_eq!(street.userinfo(&result).await, 200);
        street.signs_out(&ann).await;
        ann.sees("You are signed out").await;
        ann.does_not_see("may still be signed in").await;
        assert!(ann.url().await.path().ends_with("/slo"), "{}", ann.url().await);
        assert_eq!(street.userinfo(&result).await, 401);
        street.is_forgotten(&ann).await;
    }
}

#[tokio::test]
async fn signing_out_at_simplesamlphp_signs_out_here_too() {
    let mut street = Street::opens(simplesamlphp::Plan::default(), "").await;
    for binding in ["redirect", "post"] {
        if binding == "post" {
            street.is_told_by_post().await;
        }
        let ann = Person::arrives().await;
        let result = street.signs_in(&ann).await;
        let bye = format!("{}/signed-out", street.application.says("origin"));
        ann.opens(&street.idp.logout_url(&bye)).await;
        ann.is_at(|url| url.as_str() == bye).await;
        assert_eq!(street.userinfo(&result).await, 401, "{binding}");
        ann.opens(&street.start("")).await;
        ann.sees("Work email").await;
        street.is_forgotten(&ann).await;
    }
    assert_eq!(street.house.count("sessions WHERE ended_at IS NULL").await, 0);
}

/// By redirect the browser goes on by itself, and by POST our script presses the button.
#[tokio::test]
async fn m03_signing_out_at_simplesamlphp_tells_applications_by_the_browser_and_comes_back() {
    let mut street = Street::opens(simplesamlphp::Plan::default(), "").await;
    let (origin, heard) = site().await;
    let redirect = street.application.says("redirect_uri").to_owned();
    let file = street.house.file.replace(
        &format!("redirect_uris = [\"{redirect}\"]"),
        &format!(
            "redirect_uris = [\"{redirect}\", \"{origin}/callback\"]\nfrontchannel_logout_uri = \"{origin}/front\""
        ),
    );
    street.house.provision(&file).await;
    for binding in ["redirect", "post"] {
        if binding == "post" {
            street.is_told_by_post().await;
        }
        let ann = Person::arrives().await;
        let result = street.signs_in(&ann).await;
        let bye = format!("{}/signed-out", street.application.says("origin"));
        ann.opens(&street.idp.logout_url(&bye)).await;
        ann.sees("You are signed out").await;
        ann.is_at(|url| url.as_str() == bye).await;
        assert_eq!(street.userinfo(&result).await, 401, "{binding}");
        let heard = std::mem::take(&mut *heard.lock().unwrap());
        assert_eq!(heard.len(), 1, "{binding}: {heard:?}");
        assert!(heard[0].contains("sid=sess_"), "{heard:?}");
    }
    assert_eq!(street.house.events_of("logout.incomplete").await, 0);
}

#[tokio::test]
async fn who_is_not_signed_out_everywhere_is_told_so() {
    let mut street = Street::opens(simplesamlphp::Plan::default(), "").await;
    // An application of the contractor's that takes no part in single logout.
    let other = ServiceProvider::typed(
        "https://other.test",
        &street.application.says("origin").replace("127.0.0.1", "localhost"),
    );
    street.idp.knows(other);
    let ann = Person::arrives().await;
    let result = street.signs_in(&ann).await;
    ann.opens(&street.idp.start_url("https://other.test", None)).await;
    ann.sees("No such page").await;
    street.signs_out(&ann).await;
    ann.sees("You are signed out").await;
    ann.sees("You may still be signed in at Contractor SSO").await;
    assert_eq!(street.userinfo(&result).await, 401);
}

#[tokio::test]
async fn who_cannot_be_signed_out_at_simplesamlphp_is_signed_out_here_all_the_same() {
    let mut street = Street::opens(simplesamlphp::Plan::default(), "").await;
    // Its answer cannot be believed.
    let ann = Person::arrives().await;
    let result = street.signs_in(&ann).await;
    street.idp.sign_with(KeyPair::generate(), None);
    street.signs_out(&ann).await;
    ann.sees("You may still be signed in").await;
    ann.does_not_see("You are signed out").await;
    assert_eq!(street.userinfo(&result).await, 401);
    ann.opens(&street.start("")).await;
    ann.sees("Work email").await;
}

#[tokio::test]
async fn simplesamlphp_may_refuse_to_sign_out_and_the_session_here_is_over() {
    let mut street = Street::opens(simplesamlphp::Plan::default(), "").await;
    let ann = Person::arrives().await;
    let result = street.signs_in(&ann).await;
    let known = street.typed().await.certificate(&KeyPair::generate().certificate);
    street.idp.change(|plan| plan.service_providers = vec![known]);
    street.signs_out(&ann).await;
    ann.sees(REFUSED_THERE).await;
    assert_eq!(street.userinfo(&result).await, 401);
    ann.opens(&street.start("")).await;
    ann.sees("Work email").await;
}

/// Ann begins at SimpleSAMLphp.
async fn begins_there(street: &Street, ann: &Person) {
    let at = format!("{}/saml/{}", street.house.url, street.house.connection("contractor").await);
    let to = street.idp.start_url(&format!("{at}/metadata"), Some("https://evil.test/"));
    ann.opens(&to).await;
    street.proves(ann, "ann").await;
}

#[tokio::test]
async fn h09_who_begins_at_simplesamlphp_is_not_let_in_unless_that_is_wanted() {
    let street = Street::opens(simplesamlphp::Plan::default(), "").await;
    let (ann, before) = (Person::arrives().await, street.house.before().await);
    begins_there(&street, &ann).await;
    ann.sees("We could not trust the answer").await;
    street.house.refused(&before, "in_response_to").await;
}

#[tokio::test]
async fn h09_who_begins_at_simplesamlphp_gets_to_the_application() {
    for mode in ["round_trip", "accept"] {
        let keys = format!("idp_initiated = \"{mode}\"\ndefault_application = \"crm\"");
        let mut street = Street::opens(simplesamlphp::Plan::default(), &keys).await;
        let ann = Person::arrives().await;
        begins_there(&street, &ann).await;
        street.welcomes(&ann).await;
        let claims = street.result().await["claims"].clone();
        assert_eq!((&claims["org_name"], &claims["email"]), (&json!("contractor"), &json!("ann@a.test")));
        assert_eq!(street.house.count("sessions").await, 1, "{mode}");
    }
}
