//! Forged responses: each is made of an honest one that answers a live request, and each must be refused for a reason
//! of its own, with nothing stored.

use aws_lc_rs::digest;
use behalf::login::doorstep;
use behalf::model::login::Login;
use behalf::protocol::saml::encryption::{Cipher, Oaep};
use behalf::protocol::saml::signature::SignatureMethod;
use behalf::protocol::saml::xml::{Document, Limits, canonical};
use behalf::store::ephemeral::Kind;
use data_encoding::BASE64;
use num_bigint::BigUint;
use reqwest::StatusCode;

use super::application::{Application, Ask, Person};
use super::broker::{House, Plan};
use super::lying_saml_idp::{Asked, LyingSamlIdp, Says, Signer, Signs, encrypted_to, posts, sp_keys};
use super::naive_saml_sp::NaiveSp;
use super::surgery::{element, swap_all, value};

/// The name of whom an attacker would like to be, and of whom the provider speaks.
pub const OWNER: &str = "id-of-owner";
pub const BOB: &str = "id-of-bob";

/// One file that must be refused.
pub struct Forgery {
    pub name: String,
    pub xml: Vec<u8>,
    pub reason: &'static str,
    /// Whom a naive service provider takes its bearer for.
    pub fools: Option<&'static str>,
}

impl Forgery {
    pub fn new(name: impl Into<String>, xml: impl Into<Vec<u8>>, reason: &'static str) -> Self {
        Self { name: name.into(), xml: xml.into(), reason, fools: None }
    }

    #[must_use]
    pub fn fooling(self, subject: &'static str) -> Self {
        Self { fools: Some(subject), ..self }
    }

    fn status(&self) -> StatusCode {
        match self.reason {
            "malformed_saml" | "binding_unsupported" => StatusCode::BAD_REQUEST,
            _ => StatusCode::FORBIDDEN,
        }
    }
}

/// Bob, sent to his provider and not back yet; and whoever would profit from that.
pub struct Scene {
    pub house: House,
    pub ask: Ask,
    pub bob: Person,
    pub asked: Asked,
    /// Somebody with a key of their own.
    pub stranger: Signer,
    page: Option<String>,
}

impl Scene {
    pub async fn opens() -> Self {
        Self::of(Plan::saml()).await
    }

    pub async fn of(plan: Plan) -> Self {
        let house = plan.build().await;
        let (ask, mut bob) = (Application::rp1(&house).asks(), Person::new("bob@b.test"));
        let asked = bob.leaves_for(&house, "cb", &ask).await;
        let stranger = Signer::new("idp-cb.test", house.clock.now());
        Self { house, ask, bob, asked, stranger, page: None }
    }

    pub fn idp(&self) -> &LyingSamlIdp {
        self.house.saml("cb")
    }

    /// What the provider honestly says of Bob.
    pub fn says(&self) -> Says {
        Says::that("bob@b.test")
    }

    pub fn honest(&self) -> String {
        self.idp().answers(&self.asked, &self.says())
    }

    /// A response that the provider itself signed after this change.
    pub fn signed_after(&self, change: impl FnOnce(String) -> String) -> String {
        self.idp().answers_after(&self.asked, &self.says(), change)
    }

    /// A whole response that the provider itself signed after this change.
    pub fn signed_after_response(&self, change: impl FnOnce(String) -> String) -> String {
        self.idp().answers_after(&self.asked, &self.says().signing(Signs::Response), change)
    }

    /// An unsigned response about the owner, who is somebody else.
    pub fn evil(&self) -> String {
        evil(&self.idp().plain(&self.asked, &self.says()))
    }

    pub fn evil_assertion(&self) -> String {
        element(&self.evil(), "Assertion").to_owned()
    }

    /// Anybody can encrypt to the broker.
    pub fn encrypted(&self, assertion: &str) -> String {
        encrypted_to(&self.asked.encryption, assertion, Cipher::Aes256Gcm, Oaep::Mgf1p)
    }

    /// Lets as many refusals of this login be written down as if there had been none.
    async fn has_room_again(&self) {
        let flow = Login::of_request(&self.asked.id).unwrap();
        let key = doorstep::written_of(&flow.to_string());
        self.house.broker.ephemeral.uncount(Kind::RateCounter, &key).await.unwrap();
    }

    /// Posts each of the files by Bob's own browser, which all of them were made for, and sees it refused: the same
    /// page, nothing stored, one event with the reason.
    pub async fn refuses(&mut self, files: Vec<Forgery>) {
        let keys = sp_keys(&self.house, "cb").await;
        let decrypting: Vec<_> = keys.decrypting.iter().map(|certified| &certified.key).collect();
        let mut wrong = Vec::new();
        for file in files {
            if let Some(subject) = file.fools {
                let certificate = &self.idp().signer.certificate;
                let believed = NaiveSp { certificate, decrypting: &decrypting }.believes(&file.xml);
                if !believed.contains(subject) {
                    wrong.push(format!("{}: a naive reader is not fooled: {believed:?}", file.name));
                }
            }
            let before = self.house.before().await;
            let answer = posts(&mut self.bob.browser, &self.asked, &file.xml).await;
            self.has_room_again().await;
            self.house.unchanged(&before).await;
            let events = self.house.events_since(&before).await;
            let told: Vec<_> = events.iter().map(|event| event.reason.clone().unwrap_or_default()).collect();
            if answer.status != file.status() || told != [file.reason] || events[0].action != "login.refused"
            {
                let (status, detail) = (answer.status, events.first().map(|event| event.detail.clone()));
                let say = |name: &str| detail.as_ref().map(|detail| detail[name].clone()).unwrap_or_default();
                let (expected, found) = (say("expected"), say("found"));
                wrong.push(format!(
                    "{}: {status}, {told:?}, not {}: {expected}, {found}",
                    file.name, file.reason
                ));
                // Taken: there is no flow any more.
                if answer.status == StatusCode::SEE_OTHER {
                    break;
                }
                continue;
            }
            assert!(answer.location().is_none() && answer.forms().is_empty(), "{}", file.name);
            assert!(answer.headers.get("set-cookie").is_none(), "{}", file.name);
            // The person may learn that it is the address, or that the provider itself says no.
            if !["email_domain_not_allowed", "status"].contains(&file.reason) {
                self.is_the_same_page(&file, &answer.body);
            }
        }
        assert!(wrong.is_empty(), "{} are wrong:\n{}", wrong.len(), wrong.join("\n"));
    }

    /// But for the number that can be quoted.
    fn is_the_same_page(&mut self, file: &Forgery, page: &str) {
        let start = page.find("req_").unwrap_or_else(|| panic!("{}: no number: {page}", file.name));
        let number = page[start..].split(|sign: char| !sign.is_ascii_alphanumeric() && sign != '_').next();
        let page = page.replace(number.unwrap(), "");
        assert_eq!(*self.page.get_or_insert_with(|| page.clone()), page, "{}", file.name);
    }

    /// After all of that the honest answer is still good: every file was made for a living flow.
    pub async fn ends_well(mut self) {
        let honest = self.honest();
        let arrival = self.bob.returns(&self.ask, &self.asked, honest).await;
        assert_eq!(self.ask.redeems(&arrival).await.id["email"], "bob@b.test");
    }
}

/// The same about the owner.
pub fn evil(plain: &str) -> String {
    swap_all(plain, "bob", "owner")
}

pub const ENVELOPED: &str = "http://www.w3.org/2000/09/xmldsig#enveloped-signature";
pub const EXCLUSIVE: &str = "http://www.w3.org/2001/10/xml-exc-c14n#";
pub const SHA256: &str = "http://www.w3.org/2001/04/xmlenc#sha256";
pub const SHA1: &str = "http://www.w3.org/2000/09/xmldsig#sha1";
pub const RSA_SHA256: &str = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256";
const DS: &str = "http://www.w3.org/2000/09/xmldsig#";

/// An XML signature of any form, as somebody makes it who has the key and follows no profile. Everything is written in
/// canonical form, so what is signed is what is sent.
pub struct Crafted {
    pub canonicalization: String,
    pub method: String,
    pub references: String,
    pub key_info: String,
}

/// `<ds:Transform>` and the like: an element with an algorithm and perhaps something in it.
pub fn algorithm(name: &str, uri: &str, inside: &str) -> String {
    format!("<ds:{name} Algorithm=\"{uri}\">{inside}</ds:{name}>")
}

pub fn transforms(uris: &[&str]) -> String {
    let all: String = uris.iter().map(|uri| algorithm("Transform", uri, "")).collect();
    format!("<ds:Transforms>{all}</ds:Transforms>")
}

pub fn reference(uri: &str, transforms: &str, method: &str, digest: &[u8]) -> String {
    let method = algorithm("DigestMethod", method, "");
    let digest = BASE64.encode(digest);
    format!(
        "<ds:Reference URI=\"{uri}\">{transforms}{method}<ds:DigestValue>{digest}</ds:DigestValue></ds:Reference>"
    )
}

pub fn sha256(bytes: &[u8]) -> Vec<u8> {
    digest::digest(&digest::SHA256, bytes).as_ref().to_vec()
}

/// The canonical bytes of an element that is unsigned.
pub fn canonical_bytes(element: &str) -> Vec<u8> {
    let document = Document::parse(element.as_bytes(), &Limits::MESSAGE).unwrap();
    canonical(document.root(), &[], None).unwrap()
}

impl Crafted {
    /// As it should be, over this unsigned assertion.
    pub fn over(assertion: &str) -> Self {
        let id = value(assertion, "ID");
        let digest = sha256(&canonical_bytes(assertion));
        Self {
            canonicalization: algorithm("CanonicalizationMethod", EXCLUSIVE, ""),
            method: algorithm("SignatureMethod", RSA_SHA256, ""),
            references: reference(&format!("#{id}"), &transforms(&[ENVELOPED, EXCLUSIVE]), SHA256, &digest),
            key_info: String::new(),
        }
    }

    pub fn text(&self, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
        let Self { canonicalization, method, references, key_info } = self;
        let info = |namespace: &str| {
            format!("<ds:SignedInfo{namespace}>{canonicalization}{method}{references}</ds:SignedInfo>")
        };
        let namespace = format!(" xmlns:ds=\"{DS}\"");
        let value = BASE64.encode(&sign(info(&namespace).as_bytes()));
        let info = info("");
        format!(
            "<ds:Signature{namespace}>{info}<ds:SignatureValue>{value}</ds:SignatureValue>{key_info}</ds:Signature>"
        )
    }
}

/// As it should be: RSA with SHA-256.
pub fn by(signer: &Signer) -> impl Fn(&[u8]) -> Vec<u8> + '_ {
    |message| signer.key.sign(SignatureMethod::RsaSha256, message).unwrap()
}

/// An RSA key as two numbers, for what no library does any more.
pub struct RawRsa {
    modulus: BigUint,
    exponent: BigUint,
}

impl RawRsa {
    pub fn new(modulus: &str, exponent: &str) -> Self {
        let number = |text: &str| BigUint::parse_bytes(text.as_bytes(), 16).unwrap();
        Self { modulus: number(modulus), exponent: number(exponent) }
    }

    /// The key of a signer (RFC 8017, appendix A.1.2, within PKCS#8).
    pub fn of(signer: &Signer) -> Self {
        let der = signer.key.to_pkcs8().unwrap();
        let document = values(values(&der)[0].1);
        let key = values(values(document[2].1)[0].1);
        Self { modulus: BigUint::from_bytes_be(key[1].1), exponent: BigUint::from_bytes_be(key[3].1) }
    }

    /// RSASSA-PKCS1-v1_5 (RFC 8017, section 8.2) over a digest with the DigestInfo that says which it is.
    pub fn sign(&self, digest_info: &[u8], digest: &[u8]) -> Vec<u8> {
        let length = usize::try_from(self.modulus.bits().div_ceil(8)).unwrap();
        let padding = vec![0xff; length - 3 - digest_info.len() - digest.len()];
        let block = [&[0, 1], padding.as_slice(), &[0], digest_info, digest].concat();
        let made = BigUint::from_bytes_be(&block).modpow(&self.exponent, &self.modulus).to_bytes_be();
        [vec![0; length - made.len()], made].concat()
    }

    pub fn sha1(&self, message: &[u8]) -> Vec<u8> {
        const INFO: [u8; 15] = [0x30, 0x21, 0x30, 0x09, 6, 5, 0x2b, 0x0e, 3, 2, 0x1a, 5, 0, 4, 0x14];
        self.sign(&INFO, digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, message).as_ref())
    }

    pub fn sha256(&self, message: &[u8]) -> Vec<u8> {
        const INFO: [u8; 19] =
            [0x30, 0x31, 0x30, 0x0d, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1, 5, 0, 4, 0x20];
        self.sign(&INFO, &sha256(message))
    }
}

/// DER, one value after another: tag and content.
fn values(mut der: &[u8]) -> Vec<(u8, &[u8])> {
    let mut found = Vec::new();
    while let [tag, first, rest @ ..] = der {
        let count = if *first < 0x80 { 0 } else { usize::from(first & 0x7f) };
        let long = rest[..count].iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
        let length = if count == 0 { usize::from(*first) } else { long };
        found.push((*tag, &rest[count..count + length]));
        der = &rest[count + length..];
    }
    found
}
