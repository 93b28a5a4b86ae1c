//! What the dearest messages cost that anybody can post, by CPU of the server: as large as may be, each with a
//! signature that is good but for what it signs, so that everything before the digest is done for them; to a connection
//! that decrypts by as many and as long keys as can be brought. Refused they are written down, message and all.

use std::time::Duration;

use behalf::foundation::clock::Clock;
use behalf::foundation::random::Random;
use behalf::model::connection::{Connection, Lifecycle, Version, VersionState};
use behalf::protocol::saml::assertion::NameId;
use behalf::protocol::saml::encryption::{Cipher, Oaep, encrypt};
use behalf::protocol::saml::keys::{DecryptingKey, KeyKind};
use behalf::protocol::saml::names::name_id;
use behalf::protocol::saml::refused::Check;
use behalf::protocol::saml::response::{self, Answers, Expected, Wants};
use behalf::store::durable::engine::StoreError;
use behalf::store::durable::{connection_versions, connections};

use super::cycles::Client;
use super::saml::{Request, SamlProvider};
use super::server::{self, House, Server};
use super::wire::Wire;
use super::{machine, seed, table};

const LARGEST: usize = 512 * 1024;
/// As many as one login bears of those that are opened; and in all fewer than the refusals of a minute that are written
/// down with the message.
const POSTS: usize = 6;
const LOGINS: usize = 3;

struct Door<'a> {
    house: &'a House,
    provider: &'a SamlProvider,
    keys: &'a [DecryptingKey; 3],
}

struct Shape {
    name: String,
    xml: String,
    refused: Check,
}

pub async fn measure() {
    table::heading("The dearest messages of 512 kB at the door of answers");
    let keys = [(); 3].map(|()| DecryptingKey::generate(KeyKind::Rsa4096).unwrap());
    let mut worst = (String::new(), 0.0);
    for (provider, whose, is_new) in [
        (SamlProvider::new(), "", false),
        (SamlProvider::new(), ", by a version that has let nobody in yet", true),
        (
            SamlProvider::new().with_longest_keys(),
            ", signed by the last of as many and long keys as may be",
            false,
        ),
        (SamlProvider::new().with_most_keys(), ", signed by the last of 64 keys", false),
    ] {
        let provider = provider.with_keys(&keys);
        let house = House::build(&provider).await;
        if is_new {
            activate(&house).await;
        }
        let door = Door { house: &house, provider: &provider, keys: &keys };
        for number in 0.. {
            // Another server has counted nothing yet.
            let server = house.serve().await;
            let Some((shape, cost)) = door.cost(&server, number).await else { break };
            let (size, name) = (shape.xml.len() / 1024, format!("{}{whose}", shape.name));
            table::line(&format!("  {name}, {size} kB"), &format!("{cost:.2} ms"), "");
            if cost > worst.1 {
                worst = (name, cost);
            }
        }
    }
    table::limit(&format!("the worst of them: {}", worst.0), worst.1, " ms", 50.0);
}

/// Its connection has just been made live anew: what is refused by it may be held against what was live before, too.
async fn activate(house: &House) {
    let broker = server::open(&house.settings()).await;
    let (db, now) = (&broker.db, Clock::System.now());
    let project = seed::default_project(&broker).await;
    let before = connections::page_of_all(&mut &*db, project, "", 1).await.unwrap().remove(0).0;
    let former = Version {
        activated_at: Some(now),
        worked_at: Some(now),
        ended_at: Some(now),
        ..Version::of(&before, VersionState::Superseded)
    };
    let lifecycle =
        Lifecycle { previous_version: Some(former.number), activated_at: Some(now), ..Lifecycle::default() };
    let live = Connection { version: former.number + 1, ..before };
    let written = db.write(async move |tx| {
        connection_versions::put(tx, &former).await?;
        connections::update(tx, &live).await?;
        connections::set_lifecycle(tx, live.id, &lifecycle).await
    });
    let written: Result<(), StoreError> = written.await;
    written.unwrap();
}

impl Door<'_> {
    /// Somebody has begun to sign in, so that there is something to answer.
    async fn request(&self) -> Request {
        let mut client = Client::stranger(self.house, self.provider.into(), "ann@a.test".to_owned()).await;
        Request::read(client.leave("RS256", 0).await.0.location())
    }

    /// The shape of this number, and what it costs in milliseconds of CPU of the server.
    async fn cost(&self, server: &Server, number: usize) -> Option<(Shape, f64)> {
        let (mut spent, mut last) = (Duration::ZERO, None);
        for _ in 0..LOGINS {
            let request = self.request().await;
            let shape = self.shapes(&request).into_iter().nth(number)?;
            assert!(shape.xml.len() <= LARGEST, "{}", shape.name);
            assert_eq!(self.refused(&request, &shape.xml), Some(shape.refused), "{}", shape.name);
            let before = machine::cpu(server.id());
            self.post(&request, &shape).await;
            spent += machine::cpu(server.id()) - before;
            last = Some(shape);
        }
        Some((last?, spent.as_secs_f64() * 1e3 / (LOGINS * POSTS) as f64))
    }

    async fn post(&self, request: &Request, shape: &Shape) {
        let form = request.form(&shape.xml);
        let origin = format!("http://{}", self.house.address);
        let path = request.acs.strip_prefix(&origin).unwrap();
        let mut wire = Wire::open(&self.house.address).await.unwrap();
        for _ in 0..POSTS {
            let status = wire.post(path, "", &form).await.unwrap().status;
            assert!([400, 403].contains(&status), "{}: {status}", shape.name);
        }
    }

    fn refused(&self, request: &Request, xml: &str) -> Option<Check> {
        let (keys, decrypting) = (self.provider.keys(), self.keys.each_ref());
        let expected = Expected {
            idp_entity_id: &self.provider.entity_id,
            sp_entity_id: &request.sp,
            acs: &request.acs,
            in_response_to: Answers::To(&request.id),
            keys: &keys,
            decrypting: &decrypting,
            naming: &[],
            wants: Wants::default(),
            now: Clock::System.now(),
            skew: Duration::from_secs(60),
        };
        response::read(xml.as_bytes(), &expected).err().map(|refused| refused.check)
    }

    fn shapes(&self, request: &Request) -> Vec<Shape> {
        let shape = |name: String, xml, refused| Shape { name, xml, refused };
        let plain = fillings(LARGEST - 12 * 1024)
            .into_iter()
            .map(|(name, filling)| shape(name.to_owned(), self.filled(request, &filling), Check::Digest));
        // Base64 makes it larger by a third.
        let hidden = fillings(LARGEST * 3 / 4 - 24 * 1024).into_iter().take(5).map(|(name, filling)| {
            let xml = self.encrypted(&self.filled(request, &filling));
            // What is wrong within is told to nobody who could encrypt it, and that is everybody.
            shape(format!("for four recipients, {name}"), xml, Check::Undecryptable)
        });
        let declared: String =
            (0..8_192).rev().map(|number| format!("<a xmlns=\"u:{number:04}\"/>")).collect();
        let declared = self.filled(request, &declared);
        let refused = shape("8192 different namespaces".to_owned(), declared, Check::Malformed);
        let honest = self.filled(request, "");
        let padding = |byte: &str| byte.repeat(LARGEST - 12 * 1024);
        let attribute = |name: &str| {
            honest.replacen("<ds:SignedInfo", &format!("<ds:SignedInfo {name}='{}'", padding("\"")), 1)
        };
        let end = "</ds:SignedInfo>";
        let blank = honest.replacen(end, &format!("{}{end}", padding("\n")), 1);
        let signed_info = [
            ("quotes in an attribute of SignedInfo", attribute("a"), Check::SignatureProfile),
            ("quotes in the Id of SignedInfo", attribute("Id"), Check::SignatureSize),
            ("a blank SignedInfo", blank, Check::SignatureSize),
        ];
        let signed_info = signed_info.map(|(name, xml, refused)| shape(name.to_owned(), xml, refused));
        plain.chain(hidden).chain([refused]).chain(signed_info).collect()
    }

    /// A genuine response whose assertion has been filled up.
    fn filled(&self, request: &Request, filling: &str) -> String {
        let name_id = NameId::new("ann@a.test", name_id::EMAIL_ADDRESS);
        let audience = [request.sp.as_str()];
        let asked = request.asked(&name_id);
        let draft = self.provider.draft(&asked, "_a1", &[&audience]).write(&self.provider.sign(), None);
        let statement = "<saml:AttributeStatement>";
        draft.unwrap().replacen(statement, &format!("{statement}{filling}"), 1)
    }

    /// The same with its assertion encrypted to us, as anybody can do it, for as many recipients as there may be.
    fn encrypted(&self, xml: &str) -> String {
        let (before, rest) = xml.split_once("<saml:Assertion ").unwrap();
        let (assertion, after) = rest.split_once("</saml:Assertion>").unwrap();
        let data = self.sealed(&format!("<saml:Assertion {assertion}</saml:Assertion>"));
        let key = |data: &str| {
            let (_, rest) = data.split_once("<xenc:EncryptedKey>").unwrap();
            let (key, _) = rest.split_once("</xenc:EncryptedKey>").unwrap();
            format!("<xenc:EncryptedKey>{key}</xenc:EncryptedKey>")
        };
        let first = key(&data);
        let others: String = (0..3).map(|_| key(&self.sealed("<a/>"))).collect();
        let data = data.replacen(&first, &format!("{first}{others}"), 1);
        let name = "saml:EncryptedAssertion xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\"";
        format!("{before}<{name}>{data}</saml:EncryptedAssertion>{after}")
    }

    /// To the key that is tried last.
    fn sealed(&self, xml: &str) -> String {
        let key = self.keys[2].encrypting_key();
        encrypt(xml.as_bytes(), key, Cipher::Aes256Gcm, Oaep::Mgf1p, &Random::System).unwrap()
    }
}

/// What to fill so many bytes with.
fn fillings(room: usize) -> [(&'static str, String); 11] {
    let repeated = |piece: &str, most: usize| piece.repeat(most.min(room / piece.len()));
    let deep =
        |open: &str, close: &str, depth: usize| format!("{}{}", open.repeat(depth), close.repeat(depth));
    let many_attributes: String = (0..40).map(|number| format!(" a{number}=\"\"")).collect();
    let declared: String = (0..8).map(|number| format!(" xmlns:p{number}=\"u:{number}\"")).collect();
    let used: String = (0..8).map(|number| format!(" p{number}:a=\"\"")).collect();
    let nested = deep("<a xmlns:q=\"u:q\" q:b=\"\">", "</a>", 20);
    let scopes: String =
        (0..28).map(|number| format!("<a xmlns:{}{number}=\"u:{number}\">", "p".repeat(60))).collect();
    [
        ("text", "x".repeat(room)),
        ("text to be escaped", repeated("&amp;&gt;", usize::MAX)),
        ("text in pieces", repeated("<a/>x", 19_900)),
        ("empty elements", repeated("<a></a>", 19_900)),
        ("elements with 40 attributes", repeated(&format!("<a{many_attributes}/>"), 290)),
        ("attributes to be escaped", repeated("<a b=\"&quot;&#x9;&#xA;&amp;&lt;\" c='\"'/>", 5_800)),
        ("elements with 8 namespaces", repeated(&format!("<a{declared}{used}/>"), 700)),
        ("namespaces declared 20 deep", repeated(&nested, 200)),
        (
            "declarations among 30 others",
            format!("{scopes}{}{}", "<a xmlns=\"u:a\"/>".repeat(2_000), "</a>".repeat(28)),
        ),
        ("elements 30 deep", repeated(&deep("<a>", "</a>", 30), 650)),
        ("identifiers", (0..11_500.min(room / 20)).map(|number| format!("<a ID=\"_{number}\"/>")).collect()),
    ]
}
