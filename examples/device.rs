//! A sample program for a device without a browser (RFC 8628), by nothing but HTTP and JSON: it shows a code, waits until
//! somebody has typed that in at another device and has let this one in, and tells who that was.
//!
//! ```text
//! cargo run --example device -- http://127.0.0.1:8080 terminal
//! ```
//!
//! A third argument names the organization to act for; without it the person chooses.

use std::collections::HashMap;
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;

type Error = Box<dyn std::error::Error + Send + Sync>;

/// Where the issuer does what (RFC 8414).
#[derive(Deserialize)]
struct Metadata {
    issuer: String,
    device_authorization_endpoint: String,
    token_endpoint: String,
    userinfo_endpoint: String,
}

/// What the device is told to show, and to ask with.
#[derive(Deserialize)]
struct Pending {
    device_code: String,
    user_code: String,
    verification_uri: String,
    verification_uri_complete: String,
    expires_in: u64,
    /// Seconds between two questions.
    interval: u64,
}

#[derive(Deserialize)]
struct Tokens {
    access_token: String,
}

/// An error of the protocol (RFC 6749, section 5.2).
#[derive(Deserialize)]
struct Refused {
    error: String,
    #[serde(default)]
    error_description: String,
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    let mut arguments = std::env::args().skip(1);
    let (Some(issuer), Some(client_id)) = (arguments.next(), arguments.next()) else {
        return Err("usage: device ISSUER CLIENT_ID [ORGANIZATION]".into());
    };
    let device = Device { http: reqwest::Client::new(), client_id };
    let metadata = device.metadata(&issuer).await?;
    let pending = device.begin(&metadata, arguments.next()).await?;
    println!("Open {} on another device and type {}.", pending.verification_uri, pending.user_code);
    println!("Or open {} there.", pending.verification_uri_complete);
    println!("Type it only where you see this address. It is good for {} minutes.", pending.expires_in / 60);
    let tokens = device.wait(&metadata, &pending).await?;
    let person = device.userinfo(&metadata, &tokens).await?;
    let claim = |name: &str| person.get(name).and_then(|value| value.as_str()).unwrap_or("(nobody says)");
    println!("Signed in as {}, for {}.", claim("email"), claim("org_name"));
    Ok(())
}

struct Device {
    http: reqwest::Client,
    client_id: String,
}

impl Device {
    async fn metadata(&self, issuer: &str) -> Result<Metadata, Error> {
        let url = format!("{}/.well-known/oauth-authorization-server", issuer.trim_end_matches('/'));
        let metadata: Metadata = read(self.http.get(url)).await?.map_err(told)?;
        if metadata.issuer != issuer {
            return Err(format!("{} says that it is somebody else", metadata.issuer).into());
        }
        Ok(metadata)
    }

    /// Section 3.1: asks to be let in.
    async fn begin(&self, metadata: &Metadata, organization: Option<String>) -> Result<Pending, Error> {
        let mut fields = vec![("scope", "openid email organization")];
        fields.extend(organization.as_deref().map(|name| ("organization", name)));
        Ok(self.post(&metadata.device_authorization_endpoint, &fields).await?.map_err(told)?)
    }

    /// Section 3.4: asks whether it has been let in, no more often than it may.
    async fn wait(&self, metadata: &Metadata, pending: &Pending) -> Result<Tokens, Error> {
        let fields = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
            ("device_code", pending.device_code.as_str()),
        ];
        let mut interval = Duration::from_secs(pending.interval);
        loop {
            tokio::time::sleep(interval).await;
            match self.post(&metadata.token_endpoint, &fields).await? {
                Ok(tokens) => return Ok(tokens),
                Err(refused) if refused.error == "authorization_pending" => {}
                Err(refused) if refused.error == "slow_down" => interval += Duration::from_secs(5),
                Err(refused) => return Err(told(refused).into()),
            }
        }
    }

    async fn userinfo(
        &self,
        metadata: &Metadata,
        tokens: &Tokens,
    ) -> Result<HashMap<String, serde_json::Value>, Error> {
        let request = self.http.get(&metadata.userinfo_endpoint).bearer_auth(&tokens.access_token);
        Ok(read(request).await?.map_err(told)?)
    }

    /// A form, sent as this client: it has no secret, so it says its name alone.
    async fn post<T: DeserializeOwned>(
        &self,
        url: &str,
        fields: &[(&str, &str)],
    ) -> Result<Result<T, Refused>, Error> {
        let mut form = form_urlencoded::Serializer::new(String::new());
        let form = form.append_pair("client_id", &self.client_id).extend_pairs(fields).finish();
        let request =
            self.http.post(url).header("content-type", "application/x-www-form-urlencoded").body(form);
        read(request).await
    }
}

/// What is answered: what was asked for, or the protocol's error.
async fn read<T: DeserializeOwned>(request: reqwest::RequestBuilder) -> Result<Result<T, Refused>, Error> {
    let answer = request.send().await?;
    let is_good = answer.status().is_success();
    let body = answer.bytes().await?;
    Ok(if is_good { Ok(serde_json::from_slice(&body)?) } else { Err(serde_json::from_slice(&body)?) })
}

fn told(refused: Refused) -> String {
    format!("{}: {}", refused.error, refused.error_description)
}
