//! A sample program on somebody's own computer (RFC 8252), by nothing but HTTP and JSON: their browser signs them in, and
//! brings the code back to a port that the program has opened for it on this machine.
//!
//! ```text
//! cargo run --example native -- http://127.0.0.1:8080 command-line
//! ```
//!
//! The application's `redirect_uris` hold `http://127.0.0.1/callback`: the port is whichever is free.

use std::collections::HashMap;

use behalf::foundation::random::Random;
use behalf::protocol::oauth::pkce;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use url::Url;

type Error = Box<dyn std::error::Error + Send + Sync>;

/// Where the issuer does what (RFC 8414).
#[derive(Deserialize)]
struct Metadata {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    userinfo_endpoint: String,
}

#[derive(Deserialize)]
struct Tokens {
    access_token: String,
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    let mut arguments = std::env::args().skip(1);
    let (Some(issuer), Some(client_id)) = (arguments.next(), arguments.next()) else {
        return Err("usage: native ISSUER CLIENT_ID".into());
    };
    let http = reqwest::Client::new();
    let well_known = format!("{}/.well-known/oauth-authorization-server", issuer.trim_end_matches('/'));
    let metadata: Metadata = read(http.get(well_known)).await?;
    if metadata.issuer != issuer {
        return Err(format!("{} says that it is somebody else", metadata.issuer).into());
    }
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let redirect_uri = format!("http://{}/callback", listener.local_addr()?);
    // What only this program knows: that an answer is to its own question, and that a code is its own (RFC 7636).
    let (state, verifier) = (Random::System.token(), Random::System.token());
    let url = Url::parse_with_params(
        &metadata.authorization_endpoint,
        [
            ("response_type", "code"),
            ("client_id", &client_id),
            ("redirect_uri", &redirect_uri),
            ("scope", "openid email organization"),
            ("state", state.expose()),
            ("code_challenge", &pkce::challenge(verifier.expose())),
            ("code_challenge_method", "S256"),
        ],
    )?;
    println!("Open {url}");
    let answer = answered(&listener).await?;
    let is_own = answer.get("state").is_some_and(|told| told == state.expose())
        && answer.get("iss") == Some(&metadata.issuer);
    if !is_own {
        return Err("an answer came that nobody had asked for".into());
    }
    let Some(code) = answer.get("code") else {
        return Err(format!("not signed in: {}", answer.get("error").map_or("?", String::as_str)).into());
    };
    let form = form_urlencoded::Serializer::new(String::new())
        .append_pair("grant_type", "authorization_code")
        .append_pair("client_id", &client_id)
        .append_pair("redirect_uri", &redirect_uri)
        .append_pair("code", code)
        .append_pair("code_verifier", verifier.expose())
        .finish();
    let request = http.post(&metadata.token_endpoint).body(form);
    let tokens: Tokens = read(request.header("content-type", "application/x-www-form-urlencoded")).await?;
    let request = http.get(&metadata.userinfo_endpoint).bearer_auth(&tokens.access_token);
    let person: HashMap<String, serde_json::Value> = read(request).await?;
    let claim = |name: &str| person.get(name).and_then(|value| value.as_str()).unwrap_or("(nobody says)");
    println!("Signed in as {}, for {}.", claim("email"), claim("org_name"));
    Ok(())
}

/// What the browser brings back: the parameters of its first request for the callback.
async fn answered(listener: &TcpListener) -> Result<HashMap<String, String>, Error> {
    loop {
        let (mut stream, _) = listener.accept().await?;
        let mut line = String::new();
        BufReader::new(&mut stream).read_line(&mut line).await?;
        let path = line.split(' ').nth(1).unwrap_or_default();
        let query = path.strip_prefix("/callback?");
        let page = if query.is_some() { "You can close this page." } else { "There is nothing here." };
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/plain; charset=utf-8\r\nconnection: close\r\n";
        stream.write_all(format!("{head}content-length: {}\r\n\r\n{page}", page.len()).as_bytes()).await?;
        if let Some(query) = query {
            return Ok(form_urlencoded::parse(query.as_bytes()).into_owned().collect());
        }
    }
}

/// What is answered, or the protocol's error (RFC 6749, section 5.2).
async fn read<T: DeserializeOwned>(request: reqwest::RequestBuilder) -> Result<T, Error> {
    let answer = request.send().await?;
    let (status, body) = (answer.status(), answer.text().await?);
    if status.is_success() { Ok(serde_json::from_str(&body)?) } else { Err(body.into()) }
}
