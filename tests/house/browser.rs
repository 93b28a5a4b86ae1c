//! A person at a real browser. What is looked for is looked for as a person finds it, by the accessible name,
//! and waited for until it is there; nothing here sleeps for a fixed time.

use std::fmt::Debug;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fantoccini::actions::{InputSource, KeyAction, KeyActions};
use fantoccini::elements::Element;
use fantoccini::error::CmdError;
use fantoccini::wd::WebDriverCompatibleCommand;
use fantoccini::{Client, ClientBuilder, Locator};
use http::Method;
use hyper_util::client::legacy::connect::HttpConnector;
use serde::Deserialize;
use serde_json::{Value, json};
use tempfile::TempDir;
use url::{ParseError, Url};

pub use fantoccini::key::Key;

use super::chromedriver::Chromedriver;

const PATIENCE: Duration = Duration::from_secs(15);
const GLANCE: Duration = Duration::from_millis(25);

const FIELDS: &str = "input:not([type=hidden]):not([type=submit]):not([type=button]), textarea, select";
const CONTROLS: &str = "button, a[href], summary, label, [role=button], [role=option], \
                        input[type=submit], input[type=button], input[type=checkbox], input[type=radio]";

const ARGUMENTS: &[&str] = &[
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-search-engine-choice-screen",
    "--no-proxy-server",
    // Names of the stories live on this machine, and no other name has an address.
    "--host-resolver-rules=MAP *.test 127.0.0.1, MAP localhost 127.0.0.1, MAP *.localhost 127.0.0.1, \
     EXCLUDE 127.0.0.1, MAP * ~NOTFOUND",
];

/// Which browser somebody sits at.
#[derive(Clone, Debug)]
pub struct Browser {
    language: String,
    dark: bool,
    phone: bool,
    scripts: bool,
    /// Which addresses it does not get to see.
    blocked: Option<&'static str>,
}

impl Default for Browser {
    fn default() -> Self {
        Self { language: "en".to_owned(), dark: false, phone: false, scripts: true, blocked: None }
    }
}

impl Browser {
    /// Asks for pages in this language, as `Accept-Language` says it.
    #[must_use]
    pub fn speaking(mut self, language: &str) -> Self {
        language.clone_into(&mut self.language);
        self
    }

    /// Prefers dark colours.
    #[must_use]
    pub fn dark(mut self) -> Self {
        self.dark = true;
        self
    }

    /// 360 by 740 points, by touch.
    #[must_use]
    pub fn phone(mut self) -> Self {
        self.phone = true;
        self
    }

    #[must_use]
    pub fn without_scripts(mut self) -> Self {
        self.scripts = false;
        self
    }

    /// Nothing whose address is like this, with `*` for anything, reaches it.
    #[must_use]
    pub fn blocking(mut self, addresses: &'static str) -> Self {
        self.blocked = Some(addresses);
        self
    }

    /// Opens it, with a profile of its own.
    pub async fn open(self) -> Person {
        let (driver, profile) = (Chromedriver::shared(), tempfile::tempdir().unwrap());
        let Value::Object(capabilities) = self.capabilities(profile.path()) else { unreachable!() };
        let client =
            ClientBuilder::new(HttpConnector::new()).capabilities(capabilities).connect(&driver.url()).await;
        let client = client.unwrap_or_else(|error| panic!("the browser cannot be opened: {error}"));
        let session = client.session_id().await.unwrap().unwrap();
        let person = Person { client, session, driver, _profile: profile };
        if self.dark {
            let features = json!([{ "name": "prefers-color-scheme", "value": "dark" }]);
            person.devtools("Emulation.setEmulatedMedia", json!({ "features": features })).await;
        }
        if let Some(blocked) = self.blocked {
            person.devtools("Network.enable", json!({})).await;
            person.devtools("Network.setBlockedURLs", json!({ "urls": [blocked] })).await;
        }
        if !self.scripts {
            person.devtools("Emulation.setScriptExecutionDisabled", json!({ "value": true })).await;
        }
        person
    }

    fn capabilities(&self, profile: &Path) -> Value {
        let mut arguments: Vec<String> = ARGUMENTS.iter().map(|&argument| argument.to_owned()).collect();
        arguments.push(format!("--user-data-dir={}", profile.display()));
        arguments.push(format!("--accept-lang={}", self.language));
        let mut options = json!({ "args": arguments });
        if self.phone {
            let device =
                json!({ "width": 360, "height": 740, "pixelRatio": 2.0, "touch": true, "mobile": true });
            options["mobileEmulation"] = json!({ "deviceMetrics": device });
        }
        json!({ "browserName": "chrome", "goog:chromeOptions": options })
    }
}

/// Somebody at a browser. It is closed when they go.
pub struct Person {
    client: Client,
    session: String,
    driver: Arc<Chromedriver>,
    _profile: TempDir,
}

impl Drop for Person {
    fn drop(&mut self) {
        if let Err(error) = self.driver.close(&self.session) {
            eprintln!("a browser did not close: {error}");
        }
    }
}

impl Person {
    /// A person at an ordinary browser.
    pub async fn arrives() -> Self {
        Browser::default().open().await
    }

    pub async fn opens(&self, url: &str) {
        self.client.goto(url).await.unwrap_or_else(|error| panic!("{url} does not open: {error}"));
    }

    /// Types into the field that is labelled so, in place of what stood there.
    pub async fn types(&self, label: &str, text: &str) {
        self.until(&format!("types into {label:?}"), async || {
            let Some(field) = self.find(FIELDS, label).await? else { return Ok(None) };
            field.clear().await?;
            field.send_keys(text).await.map(Some)
        })
        .await;
    }

    /// Chooses what is shown as `option` in the list that is labelled so.
    pub async fn chooses(&self, label: &str, option: &str) {
        self.until(&format!("chooses {option:?} in {label:?}"), async || {
            let Some(list) = self.find("select", label).await? else { return Ok(None) };
            list.select_by_label(option).await.map(Some)
        })
        .await;
    }

    /// Presses the button, link or box of that accessible name.
    pub async fn presses(&self, name: &str) {
        self.until(&format!("presses {name:?}"), async || {
            let Some(control) = self.find(CONTROLS, name).await? else { return Ok(None) };
            control.click().await.map(Some)
        })
        .await;
    }

    /// Presses the only button or link whose accessible name holds this text.
    pub async fn presses_what_says(&self, text: &str) {
        self.until(&format!("presses what says {text:?}"), async || {
            let mut found = Vec::new();
            for control in self.client.find_all(Locator::Css(CONTROLS)).await? {
                if self.name_of(&control).await?.contains(text) {
                    found.push(control);
                }
            }
            match found.as_slice() {
                [only] => only.click().await.map(Some),
                _ => Ok(None),
            }
        })
        .await;
    }

    /// Waits until the page shows `text`; runs of white space count as one space.
    pub async fn sees(&self, text: &str) {
        self.until(&format!("sees {text:?}"), async || {
            Ok(self.visible_text().await?.contains(text).then_some(()))
        })
        .await;
    }

    /// The page that stands there now does not show `text`.
    pub async fn does_not_see(&self, text: &str) {
        let page = self.page().await;
        assert!(!page.contains(text), "the person should not see {text:?} in: {page}");
    }

    /// Waits until the address is one that `is_it` knows.
    pub async fn is_at(&self, is_it: impl Fn(&Url) -> bool) -> Url {
        self.until("arrives at another address", async || {
            Ok(Some(self.client.current_url().await?).filter(|url| is_it(url)))
        })
        .await
    }

    /// What stands in the only frame of the page, once it has come, or been kept out.
    pub async fn frame(&self) -> String {
        self.until("looks into a frame", async || {
            let frame = self.client.find(Locator::Css("iframe")).await?;
            frame.enter_frame().await?;
            let state = self.client.execute("return [document.readyState, location.href]", vec![]).await;
            let text = self.visible_text().await;
            self.client.enter_parent_frame().await?;
            let state = state?;
            let is_there = state[0] == "complete" && state[1] != "about:blank";
            Ok(if is_there { Some(text?) } else { None })
        })
        .await
    }

    pub async fn url(&self) -> Url {
        self.client.current_url().await.unwrap()
    }

    /// What the page shows now.
    pub async fn page(&self) -> String {
        self.until("reads the page", async || self.visible_text().await.map(Some)).await
    }

    /// What stands in the field that is labelled so.
    pub async fn reads(&self, label: &str) -> String {
        self.until(&format!("reads {label:?}"), async || {
            let Some(field) = self.find(FIELDS, label).await? else { return Ok(None) };
            field.prop("value").await
        })
        .await
    }

    /// The accessible name of what has the keyboard.
    pub async fn focus(&self) -> String {
        self.until("looks for the focus", async || {
            let focused = self.client.active_element().await?;
            self.name_of(&focused).await.map(Some)
        })
        .await
    }

    /// Presses keys one after the other, wherever the focus is.
    pub async fn keys(&self, keys: &[Key]) {
        let mut actions = KeyActions::new("keyboard".to_owned());
        for key in keys {
            let value = char::from(*key);
            actions = actions.then(KeyAction::Down { value }).then(KeyAction::Up { value });
        }
        self.client.perform_actions(actions).await.unwrap();
        self.client.release_actions().await.unwrap();
    }

    /// Writes what the page looks like as a PNG file.
    pub async fn screenshot(&self, path: impl AsRef<Path>) {
        std::fs::write(path, self.client.screenshot().await.unwrap()).unwrap();
    }

    /// Runs a function body in the page and returns its value; the page's content security policy does not apply.
    pub async fn evaluates(&self, script: &str, arguments: Vec<Value>) -> Value {
        self.client.execute(script, arguments).await.unwrap_or_else(|error| panic!("{script}: {error}"))
    }

    /// What axe-core holds against the page for people with disabilities; empty is good.
    pub async fn axe(&self) -> Vec<Violation> {
        let axe =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/counterparts/node_modules/axe-core/axe.min.js");
        let axe = std::fs::read_to_string(axe).expect("axe-core is not installed: run `tests/run`");
        self.client.execute(&axe, vec![]).await.unwrap();
        let run = "const done = arguments[arguments.length - 1]; \
                   axe.run(document).then((found) => done(found.violations), (error) => done(String(error)))";
        let violations = self.client.execute_async(run, vec![]).await.unwrap();
        serde_json::from_value(violations.clone()).unwrap_or_else(|_| panic!("axe-core failed: {violations}"))
    }

    /// The first displayed element of `css` with this accessible name.
    async fn find(&self, css: &str, name: &str) -> Result<Option<Element>, CmdError> {
        for element in self.client.find_all(Locator::Css(css)).await? {
            if self.name_of(&element).await? == name && element.is_displayed().await? {
                return Ok(Some(element));
            }
        }
        Ok(None)
    }

    /// The accessible name as the browser computes it for a screen reader.
    async fn name_of(&self, element: &Element) -> Result<String, CmdError> {
        let name = self.client.issue_cmd(ComputedLabel(element.element_id().to_string())).await?;
        Ok(one_space(name.as_str().unwrap_or_default()))
    }

    async fn visible_text(&self) -> Result<String, CmdError> {
        let text = self.client.execute("return document.body.innerText", vec![]).await?;
        Ok(one_space(text.as_str().unwrap_or_default()))
    }

    async fn devtools(&self, method: &'static str, parameters: Value) {
        self.client.issue_cmd(Devtools(method, parameters)).await.unwrap();
    }

    /// Looks again and again until there is something. A page that changes under one's eyes is looked at again.
    async fn until<T>(&self, aim: &str, look: impl AsyncFn() -> Result<Option<T>, CmdError>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let seen = look().await;
            if let Ok(Some(found)) = seen {
                return found;
            }
            if Instant::now() >= deadline {
                let error = seen.err().map(|error| format!(" ({error})")).unwrap_or_default();
                let page = self.visible_text().await.unwrap_or_default();
                panic!("the person never {aim}{error}; at {} there is: {page}", self.url().await);
            }
            tokio::time::sleep(GLANCE).await;
        }
    }
}

/// One rule of axe-core that the page breaks, and where.
#[derive(Clone, Debug, Deserialize)]
pub struct Violation {
    pub id: String,
    pub impact: Option<String>,
    pub help: String,
    pub nodes: Vec<Offender>,
}

/// An element that breaks a rule.
#[derive(Clone, Debug, Deserialize)]
pub struct Offender {
    pub html: String,
}

/// Get Computed Label (W3C WebDriver, section 12.4.10).
#[derive(Debug)]
struct ComputedLabel(String);

impl WebDriverCompatibleCommand for ComputedLabel {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, ParseError> {
        base.join(&format!("session/{}/element/{}/computedlabel", session.unwrap_or_default(), self.0))
    }
    fn method_and_body(&self, _: &Url) -> (Method, Option<String>) {
        (Method::GET, None)
    }
}

/// A command of the browser's developer tools, as chromedriver passes it on.
#[derive(Debug)]
struct Devtools(&'static str, Value);

impl WebDriverCompatibleCommand for Devtools {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, ParseError> {
        base.join(&format!("session/{}/goog/cdp/execute", session.unwrap_or_default()))
    }
    fn method_and_body(&self, _: &Url) -> (Method, Option<String>) {
        (Method::POST, Some(json!({ "cmd": self.0, "params": self.1 }).to_string()))
    }
}

fn one_space(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
