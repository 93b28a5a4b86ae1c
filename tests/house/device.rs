//! A device without a browser, and the person who lets it in at another one (RFC 8628).

use serde_json::{Value, json};

use super::application::{Application, Arrival, Ask, Person, Proof, Redemption, Tokens};
use super::broker::{House, Plan};
use super::form::Form;
use super::visitor::Answer;

/// A television that may stay, and a terminal that may not; both organizations let devices in.
pub const DEVICES: &str = r#"
[application.tv]
display_name = "Television"
type = "device"
grant_types = ["urn:ietf:params:oauth:grant-type:device_code", "refresh_token"]
scopes = ["openid", "profile", "email", "offline_access", "organization", "organizations", "roles", "permissions"]

[application.terminal]
display_name = "Terminal"
type = "device"

[application.cli]
display_name = "Command Line"
type = "native"
redirect_uris = ["http://127.0.0.1/callback"]
grant_types = ["authorization_code", "urn:ietf:params:oauth:grant-type:device_code"]
"#;

const LETS_IN: &str = "policy = { device_sign_in = true }";

/// The default house, with devices.
pub fn plan(plan: Plan) -> Plan {
    plan.with("[organization.org-a]", &format!("[organization.org-a]\n{LETS_IN}"))
        .with("[organization.org-b]", &format!("[organization.org-b]\n{LETS_IN}"))
        .and(DEVICES)
}

/// A device that has asked, and what it was told.
pub struct Device {
    pub application: Application,
    pub told: Value,
}

impl Device {
    pub fn television(house: &House) -> Application {
        Application::new(house, "tv", Proof::Nothing)
    }

    /// Asks to be let in.
    pub async fn asks(application: &Application, fields: &[(&str, &str)]) -> Self {
        let answer = Self::request(application, fields).send().await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        Self { application: application.clone(), told: answer.json() }
    }

    pub fn request(application: &Application, fields: &[(&str, &str)]) -> Redemption {
        application.posts("/device_authorization", fields)
    }

    fn text(&self, name: &str) -> String {
        self.told[name].as_str().unwrap_or_else(|| panic!("no {name} in {}", self.told)).to_owned()
    }

    pub fn device_code(&self) -> String {
        self.text("device_code")
    }

    pub fn user_code(&self) -> String {
        self.text("user_code")
    }

    /// The address that it shows, with the code in it.
    pub fn complete(&self) -> String {
        self.text("verification_uri_complete")
    }

    /// Asks whether it has been let in.
    pub fn polls(&self) -> Redemption {
        let grant_type = "urn:ietf:params:oauth:grant-type:device_code";
        self.application.posts("/token", &[("grant_type", grant_type), ("device_code", &self.device_code())])
    }

    /// What it is told where it gets nothing.
    pub async fn is_told(&self) -> String {
        let answer = self.polls().send().await;
        assert_eq!(answer.status, 400, "{}", answer.body);
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        answer.json()["error"].as_str().unwrap().to_owned()
    }

    /// Its tokens, verified.
    pub async fn tokens(&self) -> Tokens {
        self.ask().reads_again(&self.polls().send().await).await
    }

    /// As which the person walks on through the pages; nobody is ever sent back.
    pub fn ask(&self) -> Ask {
        self.application.asks()
    }
}

/// What somebody posts who presses a button.
pub fn pressed(form: &Form, answer: &str) -> Form {
    form.clone().with("answer", answer)
}

impl Person {
    /// Types the code of a device where it says, and goes on as far as they are led.
    pub async fn types_code(&mut self, device: &Device) -> Arrival {
        let page = self.is_asked_for_a_code(&device.ask(), &device.text("verification_uri")).await;
        let next =
            self.browser.submit(&page.form_with("user_code").with("user_code", &device.user_code())).await;
        self.goes_on(&device.ask(), next).await
    }

    /// Opens the address at which codes are typed, and signs in before.
    pub async fn is_asked_for_a_code(&mut self, ask: &Ask, address: &str) -> Answer {
        let page = self.browser.get(address).await;
        assert_eq!(page.status, 200, "{}", page.body);
        if page.body.contains("name=\"user_code\"") {
            return page;
        }
        let next = self.browser.submit(&page.form_with("device")).await;
        self.goes_on(ask, next).await.answer
    }

    /// Types the code, acts for this organization where they are asked, and answers.
    pub async fn answers(&mut self, device: &Device, organization: &str, answer: &str) -> Answer {
        let mut page = self.types_code(device).await;
        if page.is_picker() {
            page = self.picks(&device.ask(), &page, organization).await;
        }
        let form = page.answer.form_with_button("answer");
        self.browser.submit(&pressed(&form, answer)).await
    }

    /// Lets it in.
    pub async fn lets_in(&mut self, device: &Device, organization: &str) {
        let page = self.answers(device, organization, "allow").await;
        assert_eq!(page.status, 200, "{}", page.body);
        assert!(page.body.contains("The device is let in"), "{}", page.body);
    }
}

/// Scopes of somebody who wants to know everything.
pub const SCOPE: (&str, &str) = ("scope", "openid profile email roles permissions");

/// An error of the protocol.
pub fn error(answer: &Answer) -> (u16, Value) {
    (answer.status.as_u16(), answer.json().get("error").cloned().unwrap_or(json!(null)))
}
