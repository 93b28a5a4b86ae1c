//! What applications ask without a browser: refresh, tokens for themselves, introspection, UserInfo, whether a device was
//! let in, and what is worth nothing.

use std::time::Duration;

use behalf::foundation::clock::Clock;
use behalf::model::application::GrantType;
use behalf::store::durable::engine::{StoreError, params};
use serde_json::Value;

use super::cycles::{self, Client, Cost, MANY};
use super::provider::Provider;
use super::server::{self, House, Server};
use super::{signatures, table};
use behalf::protocol::jose::Algorithm;

/// Microseconds that a question about a token may cost, and a code that is worth nothing.
const QUESTION: f64 = 200.0;
const ORGANIZATION: &str = "a-test";
/// Codes that run out, of all together.
const CODES: usize = 800;

/// Somebody with tokens of each algorithm.
struct Holder<'a> {
    client: Client<'a>,
    refresh_token: String,
    access_token: String,
    /// Nobody has let the device in that waits with this.
    device_code: String,
    /// That have run out.
    codes: Vec<String>,
}

pub async fn measure(provider: &Provider) {
    let house = House::build(provider).await;
    let server = house.serve().await;
    for (title, many) in [("one client", 1), ("16 clients", MANY)] {
        table::heading(&format!("What applications ask by themselves, {title}"));
        for algorithm in ["RS256", "ES256"] {
            let mut holders = Vec::new();
            for client in cycles::arrive(&house, provider, many).await {
                holders.push(Holder::new(client, algorithm, CODES / many).await);
            }
            run_out(&house).await;
            asks(&server, &mut holders, algorithm).await;
        }
    }
    assert!(!house.log().contains("ERROR"), "{}", house.log());
}

impl<'a> Holder<'a> {
    async fn new(mut client: Client<'a>, algorithm: &str, many: usize) -> Self {
        let tokens = client.tokens(algorithm, ORGANIZATION, "").await;
        let text = |name: &str| tokens[name].as_str().unwrap().to_owned();
        let (refresh_token, access_token) = (text("refresh_token"), text("access_token"));
        let answer =
            client.posts("/device_authorization", algorithm, &[("scope", "openid")]).await.expect(200);
        let device: Value = serde_json::from_slice(&answer.body).unwrap();
        let device_code = device["device_code"].as_str().unwrap().to_owned();
        let mut codes = Vec::new();
        for _ in 0..many {
            codes.push(client.code(algorithm).await);
        }
        Self { client, refresh_token, access_token, device_code, codes }
    }

    async fn refreshes(&mut self, algorithm: &str) {
        let pairs = [("grant_type", "refresh_token"), ("refresh_token", &self.refresh_token)];
        let answer = self.client.posts("/token", algorithm, &pairs).await.expect(200);
        let tokens: Value = serde_json::from_slice(&answer.body).unwrap();
        self.refresh_token = tokens["refresh_token"].as_str().unwrap().to_owned();
    }

    async fn asks_for_itself(&mut self, algorithm: &str) {
        let scope = format!("organization:{ORGANIZATION}");
        let pairs = [("grant_type", "client_credentials"), ("scope", scope.as_str())];
        drop(self.client.posts("/token", algorithm, &pairs).await.expect(200));
    }

    async fn introspects(&mut self, algorithm: &str) {
        let pairs = [("token", self.access_token.as_str())];
        let answer = self.client.posts("/introspect", algorithm, &pairs).await.expect(200);
        assert!(answer.text().contains("\"active\":true"), "{}", answer.text());
    }

    async fn polls(&mut self, algorithm: &str) {
        let grant_type = GrantType::DeviceCode.word();
        let pairs = [("grant_type", grant_type), ("device_code", self.device_code.as_str())];
        drop(self.client.posts("/token", algorithm, &pairs).await.expect(400));
    }

    async fn is_told(&mut self) {
        let fields = format!("Authorization: Bearer {}\r\n", self.access_token);
        drop(self.client.gets("/userinfo", &fields).await.expect(200));
    }

    async fn redeems(&mut self, algorithm: &str, code: &str) {
        let pairs = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", super::seed::REDIRECT_URI),
            ("code_verifier", cycles::VERIFIER),
        ];
        drop(self.client.posts("/token", algorithm, &pairs).await.expect(400));
    }
}

/// Every code that waits has waited too long.
async fn run_out(house: &House) {
    let broker = server::open(&house.settings()).await;
    let written = broker.db.write(async move |tx| {
        let sql = "UPDATE grants SET code_expires_at = $1 WHERE code_used_at IS NULL";
        tx.execute(sql, params![Clock::System.now().minus(Duration::from_secs(60))]).await?;
        Ok::<_, StoreError>(())
    });
    written.await.unwrap();
}

async fn asks<'a>(server: &Server, holders: &mut [Holder<'a>], algorithm: &str) {
    let signing = match algorithm {
        "RS256" => Algorithm::RS256,
        _ => Algorithm::ES256,
    };
    let signature = signatures::micros_among(signing, holders.len().min(2));
    let refresh = many(server, holders, async |holder| holder.refreshes(algorithm).await).await;
    tell(algorithm, "refresh", &refresh);
    let ratio = refresh.cpu / (2.0 * signature);
    if algorithm == "RS256" && holders.len() > 1 {
        table::limit("RS256, refresh: CPU ÷ (2 signatures of RSA)", ratio, "", 2.0);
    }
    let own = many(server, holders, async |holder| holder.asks_for_itself(algorithm).await).await;
    tell(algorithm, "client credentials", &own);
    let introspection = many(server, holders, async |holder| holder.introspects(algorithm).await).await;
    bounded(algorithm, "introspection", &introspection);
    let told = many(server, holders, async |holder| holder.is_told().await).await;
    bounded(algorithm, "UserInfo", &told);
    let polled = many(server, holders, async |holder| holder.polls(algorithm).await).await;
    tell(algorithm, "a device that asks and waits", &polled);
    // Each is used once: what comes after that is a theft, and another matter.
    let most = holders.iter().map(|holder| holder.codes.len() as u64).sum();
    let span = Duration::from_secs(30);
    let late = cycles::spent(server, holders, span, most, async |holder, _| {
        if let Some(code) = holder.codes.pop() {
            holder.redeems(algorithm, &code).await;
        }
    });
    bounded(algorithm, "a code that has run out", &late.await);
    let unknown = many(server, holders, async |holder| holder.redeems(algorithm, "no-code-of-ours").await);
    bounded(algorithm, "an unknown code", &unknown.await);
}

async fn many<'a>(server: &Server, holders: &mut [Holder<'a>], each: impl AsyncFn(&mut Holder<'a>)) -> Cost {
    for holder in holders.iter_mut() {
        holder.client.reopen().await;
    }
    cycles::spent(server, holders, Duration::from_secs(2), u64::MAX, async |holder, _| each(holder).await)
        .await
}

fn tell(algorithm: &str, what: &str, cost: &Cost) {
    let remark = format!("{:.0} per second by the clock", cost.rate);
    table::line(&format!("{algorithm}, {what}: CPU of the server"), &format!("{:.0} µs", cost.cpu), &remark);
}

fn bounded(algorithm: &str, what: &str, cost: &Cost) {
    table::limit(&format!("{algorithm}, {what}: CPU of the server"), cost.cpu, " µs", QUESTION);
}
