//! Somebody who tries a connection by a link.

use serde_json::{Value, json};

use super::api::Api;
use super::broker::House;
use super::visitor::{Answer, Visitor};

/// A link to try a connection, and the id of its test.
pub struct Link {
    pub url: String,
    pub path: String,
}

impl Link {
    /// One to the version that is meant where none is named.
    pub async fn to(api: &Api, house: &House, connection: &str) -> Self {
        Self::with(api, house, connection, json!({})).await
    }

    pub async fn with(api: &Api, house: &House, connection: &str, body: Value) -> Self {
        let path = format!("/connections/{}/tests", house.connection(connection).await);
        let made = api.post(&path, body).await;
        assert_eq!(made.status, 201, "{}", made.body);
        let made = made.json();
        let url = made["link"].as_str().unwrap().to_owned();
        Self { url, path: format!("{path}/{}", made["test"]["id"].as_str().unwrap()) }
    }

    /// How it went.
    pub async fn told(&self, api: &Api) -> Value {
        let read = api.get(&self.path).await;
        assert_eq!(read.status, 200, "{}", read.body);
        read.json()
    }
}

impl Visitor {
    /// Opens the link, and presses the button: what leads to the identity provider.
    pub async fn sets_out(&mut self, link: &Link) -> Answer {
        let page = self.get(&link.url).await;
        assert_eq!(page.status, 200, "{}", page.body);
        self.submit(&page.form()).await
    }

    /// To the OpenID provider, and up to its answer, which is held back: the broker's callback.
    pub async fn is_sent_home(&mut self, link: &Link) -> url::Url {
        let away = self.sets_out(link).await;
        let back = self.follow(&away).await;
        back.location().unwrap_or_else(|| panic!("not sent back: {}", back.body))
    }

    /// The whole way, to the page that says how it went.
    pub async fn tries(&mut self, link: &Link) -> Answer {
        let back = self.is_sent_home(link).await;
        let ended = self.get(back.as_str()).await;
        assert_eq!(ended.status, 303, "{}", ended.body);
        self.follow(&ended).await
    }

    /// Whether some cookie makes this browser somebody's.
    pub fn is_signed_in(&self, house: &House) -> bool {
        self.jar.value(&house.url.parse().unwrap(), "__Host-behalf").is_some()
    }
}
