//! Logins through an identity provider, and the cycle of somebody who is signed in already:
//! `/authorize`, `/token`, `/userinfo`.

use std::cell::Cell;
use std::num::NonZero;
use std::time::{Duration, Instant};

use behalf::protocol::jose::Algorithm;
use data_encoding::{BASE64, BASE64URL_NOPAD};
use futures_util::future::join_all;
use serde_json::Value;
use url::Url;

use super::provider::Provider;
use super::saml::SamlProvider;
use super::seed::{REDIRECT_URI, SCOPES, SECRET};
use super::server::{House, Server};
use super::upstream::Upstream;
use super::wire::{Answer, Wire};
use super::{machine, signatures, table};

pub const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
pub const MANY: usize = 16;
/// An odd number, so that there is a middle.
const ROUNDS: usize = 5;

/// Somebody at a browser, and the application that they use.
pub struct Client<'a> {
    house: &'a House,
    provider: Upstream<'a>,
    behalf: Wire,
    upstream: Option<Wire>,
    email: String,
    session: String,
    /// Whether the application says who comes (`login_hint`), so that nobody is asked.
    pub hinted: bool,
}

impl<'a> Client<'a> {
    /// Signs in.
    pub async fn arrive(house: &'a House, provider: Upstream<'a>, number: usize) -> Self {
        let (behalf, upstream) = open(house, provider).await;
        let email = format!("ann{number}@a.test");
        let mut client =
            Self { house, provider, behalf, upstream, email, session: String::new(), hinted: false };
        client.login("RS256", number).await;
        client
    }

    /// Somebody who has not signed in.
    pub async fn stranger(house: &'a House, provider: Upstream<'a>, email: String) -> Self {
        let (behalf, upstream) = open(house, provider).await;
        Self { house, provider, behalf, upstream, email, session: String::new(), hinted: false }
    }

    /// The server has closed what was idle for long.
    pub async fn reopen(&mut self) {
        (self.behalf, self.upstream) = open(self.house, self.provider).await;
    }

    fn authorization(client_id: &str) -> String {
        let scope = SCOPES.join(" ");
        let pairs = [
            ("client_id", client_id),
            ("response_type", "code"),
            ("redirect_uri", REDIRECT_URI),
            ("scope", &scope),
            ("state", "state-of-the-application"),
            ("nonce", "nonce-of-the-application"),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
        ];
        let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        format!("/authorize?{query}")
    }

    /// A browser without cookies: the email page, the provider, the way back, the tokens.
    pub async fn login(&mut self, client_id: &str, number: usize) {
        let (away, fields) = self.leave(client_id, number).await;
        let home = match self.provider {
            Upstream::Oidc(_) => self.back_by_oidc(away.location(), &fields).await,
            Upstream::Saml(provider) => self.back_by_saml(provider, away.location(), &fields).await,
        };
        self.session = cookie(&home, "__Host-behalf=");
        self.redeem(client_id, &home).await;
    }

    /// As far as the way to the provider; and the fields of a request that the browser sends from then on.
    pub async fn leave(&mut self, client_id: &str, number: usize) -> (Answer, String) {
        let from = format!("X-Forwarded-For: 10.{}.{}.1\r\n", (number >> 8) & 255, number & 255);
        if self.hinted {
            let hint =
                format!("{}&login_hint={}", Self::authorization(client_id), self.email.replace('@', "%40"));
            let away = self.behalf.get(&hint, &from).await.unwrap().expect(303);
            let fields = format!("{from}Cookie: {}\r\n", cookie(&away, "__Host-behalf-flow-"));
            return (away, fields);
        }
        let page = self.behalf.get(&Self::authorization(client_id), &from).await.unwrap().expect(200);
        let action = between(page.text(), "action=\"", "\"").replace("&#x2f;", "/");
        let csrf = between(page.text(), "name=\"csrf\" value=\"", "\"");
        let form = form_urlencoded::Serializer::new(String::new())
            .extend_pairs([("csrf", csrf), ("email", &self.email)])
            .finish();
        let fields = format!("{from}Cookie: {}\r\n", cookie(&page, "__Host-behalf-flow-"));
        let away = self.behalf.post(&action, &fields, &form).await.unwrap().expect(303);
        (away, fields)
    }

    async fn back_by_oidc(&mut self, away: &str, fields: &str) -> Answer {
        let path = away.strip_prefix(self.provider.issuer()).unwrap();
        let back = self.upstream.as_mut().unwrap().get(path, "").await.unwrap().expect(303);
        let path = back.location().strip_prefix(&format!("http://{}", self.house.address)).unwrap();
        self.behalf.get(path, fields).await.unwrap().expect(303)
    }

    /// The provider answers at once, in this process; its answer comes without cookies, as from another site.
    async fn back_by_saml(&mut self, provider: &SamlProvider, away: &str, fields: &str) -> Answer {
        let (acs, form) = provider.answer(away, &self.email);
        let origin = format!("http://{}", self.house.address);
        let from = fields.split_inclusive("\r\n").next().unwrap();
        let path = acs.strip_prefix(&origin).unwrap();
        let on = self.behalf.post(path, from, &form).await.unwrap().expect(303);
        let path = on.location().strip_prefix(&origin).unwrap_or(on.location());
        self.behalf.get(path, fields).await.unwrap().expect(303)
    }

    /// One full cycle.
    pub async fn cycle(&mut self, client_id: &str) {
        let fields = format!("Cookie: {}\r\n", self.session);
        let home = self.behalf.get(&Self::authorization(client_id), &fields).await.unwrap().expect(303);
        let tokens = self.redeem(client_id, &home).await;
        let fields = format!("Authorization: Bearer {}\r\n", tokens["access_token"].as_str().unwrap());
        let told = self.behalf.get("/userinfo", &fields).await.unwrap().expect(200);
        let told: Value = serde_json::from_slice(&told.body).unwrap();
        assert_eq!(told["email"], self.email.as_str());
        assert!(told["org_id"].is_string(), "{told}");
    }

    /// Tokens for an organization, by the session that there is; `scopes` beside the usual ones.
    pub async fn tokens(&mut self, client_id: &str, organization: &str, scopes: &str) -> Value {
        let usual = SCOPES.join("+");
        let asked = Self::authorization(client_id).replace(&usual, &format!("{usual}{scopes}"));
        let fields = format!("Cookie: {}\r\n", self.session);
        let ask = format!("{asked}&organization={organization}");
        let home = self.behalf.get(&ask, &fields).await.unwrap().expect(303);
        self.redeem(client_id, &home).await
    }

    /// A code, by the session that there is.
    pub async fn code(&mut self, client_id: &str) -> String {
        let fields = format!("Cookie: {}\r\n", self.session);
        code(&self.behalf.get(&Self::authorization(client_id), &fields).await.unwrap().expect(303))
    }

    /// A form of an application that proves who it is.
    pub async fn posts(&mut self, path: &str, client_id: &str, pairs: &[(&str, &str)]) -> Answer {
        let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        let basic = BASE64.encode(format!("{client_id}:{SECRET}").as_bytes());
        let fields = format!("Authorization: Basic {basic}\r\n");
        self.behalf.post(path, &fields, &form).await.unwrap()
    }

    pub async fn gets(&mut self, path: &str, fields: &str) -> Answer {
        self.behalf.get(path, fields).await.unwrap()
    }

    async fn redeem(&mut self, client_id: &str, home: &Answer) -> Value {
        let code = code(home);
        let pairs = [
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("redirect_uri", REDIRECT_URI),
            ("code_verifier", VERIFIER),
        ];
        let tokens = self.posts("/token", client_id, &pairs).await.expect(200);
        let tokens: Value = serde_json::from_slice(&tokens.body).unwrap();
        assert_eq!(algorithm(&tokens["id_token"]), client_id);
        assert_eq!(algorithm(&tokens["access_token"]), client_id);
        tokens
    }
}

async fn open(house: &House, provider: Upstream<'_>) -> (Wire, Option<Wire>) {
    let upstream = match provider {
        Upstream::Oidc(provider) => {
            Some(Wire::open(provider.issuer.strip_prefix("http://").unwrap()).await.unwrap())
        }
        Upstream::Saml(_) => None,
    };
    (Wire::open(&house.address).await.unwrap(), upstream)
}

fn code(home: &Answer) -> String {
    let url = Url::parse(home.location()).unwrap();
    assert!(home.location().starts_with(REDIRECT_URI), "{url}");
    let found = url.query_pairs().find(|(name, _)| name == "code");
    found.unwrap_or_else(|| panic!("{url}")).1.into_owned()
}

fn algorithm(token: &Value) -> String {
    let header = token.as_str().unwrap().split('.').next().unwrap();
    let header: Value = serde_json::from_slice(&BASE64URL_NOPAD.decode(header.as_bytes()).unwrap()).unwrap();
    header["alg"].as_str().unwrap().to_owned()
}

fn between<'t>(text: &'t str, before: &str, after: &str) -> &'t str {
    let rest = text.split_once(before).unwrap_or_else(|| panic!("no {before} in {text}")).1;
    rest.split_once(after).unwrap().0
}

/// The pair of the cookie whose name begins so.
fn cookie(answer: &Answer, name: &str) -> String {
    let set = answer.fields("set-cookie").filter_map(|field| field.split(';').next());
    set.into_iter()
        .find(|pair| pair.starts_with(name))
        .unwrap_or_else(|| panic!("no cookie {name}"))
        .to_owned()
}

/// What a number of things cost.
pub struct Cost {
    pub made: u64,
    pub rate: f64,
    /// Microseconds of the server's CPU for each.
    pub cpu: f64,
}

/// Lets every client do something again and again until the time is up or enough is done.
pub async fn run<'a>(
    server: &Server,
    clients: &mut [Client<'a>],
    span: Duration,
    most: u64,
    each: impl AsyncFn(&mut Client<'a>, u64),
) -> Cost {
    for client in clients.iter_mut() {
        client.reopen().await;
    }
    spent(server, clients, span, most, each).await
}

/// The same for whoever has a connection that is open.
pub async fn spent<T>(
    server: &Server,
    clients: &mut [T],
    span: Duration,
    most: u64,
    each: impl AsyncFn(&mut T, u64),
) -> Cost {
    let made = Cell::new(0);
    let (started, before) = (Instant::now(), machine::cpu(server.id()));
    let (made, each) = (&made, &each);
    join_all(clients.iter_mut().map(async |client| {
        while started.elapsed() < span && made.get() < most {
            let number = made.replace(made.get() + 1);
            each(client, number).await;
        }
    }))
    .await;
    let took = started.elapsed().as_secs_f64();
    let cpu = (machine::cpu(server.id()) - before).as_secs_f64() * 1e6;
    Cost { made: made.get(), rate: made.get() as f64 / took, cpu: cpu / made.get() as f64 }
}

pub async fn arrive<'a>(house: &'a House, provider: impl Into<Upstream<'a>>, many: usize) -> Vec<Client<'a>> {
    let (provider, mut clients) = (provider.into(), Vec::new());
    for number in 0..many {
        clients.push(Client::arrive(house, provider, number).await);
    }
    clients
}

pub async fn measure(provider: &Provider) {
    let house = House::build(provider).await;
    let server = house.serve().await;
    let mut clients = arrive(&house, provider, MANY).await;
    run(&server, &mut clients, Duration::from_secs(1), u64::MAX, async |client, _| {
        client.cycle("RS256").await;
    })
    .await;
    for (title, many) in [("one client", 1), ("16 clients", MANY)] {
        table::heading(&format!("Cycles (authorize, token, userinfo), {title}"));
        let clients = &mut clients[..many];
        against_signatures(&server, clients).await;
        for algorithm in ["ES256", "EdDSA"] {
            let cost = cycles(&server, clients, algorithm).await;
            let remark = format!("{:.0} cycles per second by the clock", cost.rate);
            table::line(&format!("{algorithm}: CPU of the server"), &format!("{:.0} µs", cost.cpu), &remark);
        }
    }
    for (title, many) in [("one client", 1), ("16 clients", MANY)] {
        table::heading(&format!("Logins through an identity provider, {title}"));
        let cost = logins(&server, &mut clients[..many], "RS256").await;
        let remark = format!("{:.0} logins per second by the clock", cost.rate);
        table::line("RS256: CPU of the server", &format!("{:.0} µs", cost.cpu), &remark);
    }
    assert!(!house.log().contains("ERROR"), "{}", house.log());
}

async fn cycles<'a>(server: &Server, clients: &mut [Client<'a>], algorithm: &str) -> Cost {
    let span = Duration::from_secs(3);
    run(server, clients, span, u64::MAX, async |client, _| client.cycle(algorithm).await).await
}

/// Cycles of RS256 beside signatures made in the same moment and on as many cores, several times: a busy neighbour slows
/// both down, though not alike, so the middle one counts.
async fn against_signatures<'a>(server: &Server, clients: &mut [Client<'a>]) {
    let mut rounds = Vec::new();
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    let threads = cores.min(clients.len());
    let signature = || signatures::micros_among(Algorithm::RS256, threads);
    let mut before = signature();
    for _ in 0..ROUNDS {
        let cost = cycles(server, clients, "RS256").await;
        let after = signature();
        rounds.push((cost.cpu / (before + after), cost));
        before = after;
    }
    rounds.sort_by(|one, other| one.0.total_cmp(&other.0));
    let (least, most) = (rounds[0].0, rounds[ROUNDS - 1].0);
    let (ratio, cost) = &rounds[ROUNDS / 2];
    let remark = format!("{:.0} cycles per second by the clock", cost.rate);
    table::line("RS256: CPU of the server", &format!("{:.0} µs", cost.cpu), &remark);
    let what = "RS256: CPU ÷ (2 signatures of RSA)";
    if clients.len() == 1 {
        // Whoever is alone waits for two commits of their own; the aim is for a server that has something to do.
        table::line(what, &format!("{ratio:.2}"), "no aim for one alone");
    } else {
        table::limit(what, *ratio, "", 2.0);
    }
    table::line(
        "  of so many rounds, the least and the most",
        &format!("{least:.2} to {most:.2}"),
        &ROUNDS.to_string(),
    );
}

/// Whole logins for three seconds.
pub async fn logins<'a>(server: &Server, clients: &mut [Client<'a>], algorithm: &str) -> Cost {
    run(server, clients, Duration::from_secs(3), u64::MAX, async |client, number| {
        client.login(algorithm, usize::try_from(number).unwrap()).await;
    })
    .await
}
