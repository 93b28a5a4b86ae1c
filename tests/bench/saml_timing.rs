//! Whether time tells what the answers of the assertion consumer service do not (threats H12): pairs of refusals that look
//! the same, in turns, by the clock at the other end of one connection; and what Welch's test makes of them.

use std::time::Instant;

use behalf::foundation::clock::Clock;
use behalf::foundation::random::Random;
use behalf::protocol::saml::assertion::NameId;
use behalf::protocol::saml::binding::post;
use behalf::protocol::saml::certificate::Certificate;
use behalf::protocol::saml::encryption::{Cipher, Oaep};
use behalf::protocol::saml::keys::EncryptingKey;
use behalf::protocol::saml::names::name_id;
use behalf::protocol::saml::response::Encrypt;

use super::cycles::Client;
use super::saml::{Asked, SamlProvider};
use super::server::House;
use super::table;
use super::upstream::Upstream;
use super::wire::Wire;

/// Requests of each class.
const MANY: usize = 2_000;
/// The slowest twentieth was disturbed by somebody else.
const KEPT: usize = MANY / 20 * 19;
const NOBODY: &str = "_flow_00000000000000000000000000.0";

/// An answer that is refused.
struct Class {
    name: &'static str,
    xml: String,
}

pub async fn measure() {
    let provider = SamlProvider::new();
    let house = House::build(&provider).await;
    let server = house.serve().await;
    let mut ann = Client::stranger(&house, Upstream::Saml(&provider), "ann@a.test".to_owned()).await;
    let (away, _) = ann.leave("RS256", 1).await;
    let (acs, form) = provider.answer(away.location(), "ann@a.test");
    let path = acs.strip_prefix(&format!("http://{}", house.address)).unwrap();
    let field = form_urlencoded::parse(form.as_bytes()).find(|(name, _)| name == "SAMLResponse").unwrap().1;
    let living = String::from_utf8(post::decode(&field).unwrap()).unwrap();
    let mut wire = Wire::open(&house.address).await.unwrap();
    let metadata = wire.get(&path.replace("/acs", "/metadata"), "").await.unwrap().expect(200);
    let make = Make { provider: &provider, acs: &acs, to: encryption(metadata.text()) };

    table::heading(&format!("What time tells of refusals, {MANY} of each"));
    let unknown = make.answer(NOBODY, false);
    let hidden = make.answer(NOBODY, true);
    let pairs = [
        [
            Class { name: "unknown flow, bad signature", xml: bent(&unknown, "SignatureValue>", 0) },
            Class { name: "living flow, bad signature", xml: bent(&living, "SignatureValue>", 0) },
        ],
        [
            Class { name: "unknown flow, bad signature", xml: bent(&unknown, "SignatureValue>", 0) },
            Class { name: "unknown flow, good signature", xml: unknown },
        ],
        [
            Class { name: "encrypted, bad tag", xml: bent(&hidden, "CipherValue>", 2) },
            Class { name: "encrypted, bad OAEP", xml: bent(&hidden, "CipherValue>", 0) },
        ],
    ];
    for pair in pairs {
        compare(&mut wire, path, &pair).await;
    }
    drop(server);
    assert!(!house.log().contains("ERROR"), "{}", house.log());
}

struct Make<'a> {
    provider: &'a SamlProvider,
    acs: &'a str,
    to: EncryptingKey,
}

impl Make<'_> {
    fn answer(&self, request: &str, encrypted: bool) -> String {
        let name_id = NameId::new("ann@a.test", name_id::EMAIL_ADDRESS);
        let now = Clock::System.now();
        let asked = Asked { request, acs: self.acs, name_id: &name_id, now };
        let random = Random::System;
        let (cipher, oaep) = (Cipher::Aes256Gcm, Oaep::Mgf1p);
        let encrypt = Encrypt { key: &self.to, cipher, oaep, random: &random };
        let draft = self.provider.draft(&asked, "_a1", &[&[]]);
        draft.write(&self.provider.sign(), encrypted.then_some(&encrypt)).unwrap()
    }
}

fn encryption(metadata: &str) -> EncryptingKey {
    let (_, rest) = metadata.split_once("use=\"encryption\"").unwrap();
    let (_, rest) = rest.split_once("X509Certificate>").unwrap();
    let (certificate, _) = rest.split_once('<').unwrap();
    EncryptingKey::from_certificate(&Certificate::from_base64(certificate).unwrap()).unwrap()
}

/// With one character changed behind the given occurrence of `tag`.
fn bent(xml: &str, tag: &str, which: usize) -> String {
    let (open, _) = xml.match_indices(tag).nth(which).unwrap();
    let at = open + tag.len() + 20;
    let other = if xml.as_bytes()[at] == b'A' { "B" } else { "A" };
    format!("{}{other}{}", &xml[..at], &xml[at + 1..])
}

async fn compare(wire: &mut Wire, path: &str, pair: &[Class; 2]) {
    let forms = [0, 1].map(|at| {
        let message = post::encode(&pair[at].xml);
        form_urlencoded::Serializer::new(String::new()).append_pair("SAMLResponse", &message).finish()
    });
    let mut times = [Vec::new(), Vec::new()];
    let mut sizes = [0, 0];
    for number in 0..MANY + 50 {
        // Each from a network of its own, so that no limit is reached; and first the one, then the other.
        for turn in 0..2 {
            let at = (number + turn) % 2;
            let from = format!("X-Forwarded-For: 10.{}.{}.1\r\n", number >> 8, number & 255);
            let started = Instant::now();
            let answer = wire.post(path, &from, &forms[at]).await.unwrap().expect(403);
            let took = started.elapsed();
            sizes[at] = answer.body.len();
            if number >= 50 {
                times[at].push(took.as_secs_f64() * 1e6);
            }
        }
    }
    let figures = times.map(figures);
    for (class, figures) in pair.iter().zip(&figures) {
        let spread = format!("standard deviation {:.1} µs", figures.variance.sqrt());
        table::line(class.name, &format!("{:.1} µs", figures.mean), &spread);
    }
    let probability = figures[0].welch(&figures[1]);
    let verdict = table::verdict(probability > 0.01 && sizes[0] == sizes[1]);
    let same = if sizes[0] == sizes[1] { "as long as each other" } else { "NOT of one length" };
    table::line(
        "  Welch's test: p",
        &format!("{probability:.4}"),
        &format!("target above 0.01: {verdict}; {same}"),
    );
}

struct Figures {
    mean: f64,
    variance: f64,
}

fn figures(mut times: Vec<f64>) -> Figures {
    times.sort_by(f64::total_cmp);
    times.truncate(KEPT);
    let many = times.len() as f64;
    let mean = times.iter().sum::<f64>() / many;
    let variance = times.iter().map(|time| (time - mean).powi(2)).sum::<f64>() / (many - 1.0);
    Figures { mean, variance }
}

impl Figures {
    /// How likely so large a difference of the means is if there is none. With so many the distribution is the normal one.
    fn welch(&self, other: &Self) -> f64 {
        let spread = ((self.variance + other.variance) / KEPT as f64).sqrt();
        let distance = ((self.mean - other.mean) / spread).abs();
        complementary_error(distance / std::f64::consts::SQRT_2)
    }
}

/// Abramowitz and Stegun, 7.1.26: to 1.5e-7.
fn complementary_error(x: f64) -> f64 {
    let t = 1.0 / (1.0 + 0.327_591_1 * x);
    let terms = [1.061_405_429, -1.453_152_027, 1.421_413_741, -0.284_496_736, 0.254_829_592];
    terms.iter().fold(0.0, |sum, term| (sum + term) * t) * (-x * x).exp()
}
