//! Connections whose provider speaks SAML: written down in a house file, described by metadata, kept up to date.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use behalf::broker::Look;
use behalf::chores;
use behalf::foundation::clock::Moment;
use behalf::foundation::random::Random;
use behalf::keys::keyring::KeyError;
use behalf::keys::saml_keyring::{Begin, Certified, METADATA_KEPT};
use behalf::manage::house_file::{Mode, Reading, Report, apply_reading};
use behalf::model::connection::{
    Connection, ConnectionState, IdentityProvider, IdpInitiated, LoginHint, Past, RequestBinding,
    SpAddresses, Subject, Unusable,
};
use behalf::protocol::saml::keys::{Certificate, DecryptingKey, KeyKind, SigningKey, self_signed};
use behalf::protocol::saml::signature::sign_enveloped;
use behalf::store::durable::engine::{StoreError, params};
use behalf::store::durable::{connections, metadata_reads};
use data_encoding::{BASE64, HEXLOWER};

use super::provisioning::{ENGINES, EXAMPLE, Engine, House, behalf, parse, text, told};
use crate::house::publisher::Publisher;

pub(super) const NOW: Moment = Moment::from_seconds(1_790_000_000);
pub(super) const DAY: Duration = Duration::from_secs(86_400);
pub(super) const ENTITY: &str = "https://idp.partner.test/saml";
pub(super) const SSO: &str = "https://idp.partner.test/sso";

/// Whoever signs at the other side.
#[derive(Clone)]
pub(super) struct Idp {
    key: SigningKey,
    pub(super) key_pem: String,
    pub(super) certificate: Certificate,
}

impl Idp {
    /// Younger than those that all tests have.
    pub(super) fn new(until: Moment) -> Self {
        Self::since(NOW.minus(DAY * 600), until)
    }
    pub(super) fn since(from: Moment, until: Moment) -> Self {
        let key = SigningKey::generate(KeyKind::Rsa2048).unwrap();
        let certificate = self_signed(&key, "idp", from, until, &[1]).unwrap();
        let der = BASE64.encode(&key.to_pkcs8().unwrap());
        let key_pem = format!("-----BEGIN PRIVATE KEY-----\n{der}\n-----END PRIVATE KEY-----\n");
        Self { key, key_pem, certificate }
    }
    /// The same key in a new certificate.
    pub(super) fn renewed(&self, until: Moment) -> Self {
        let Self { key, key_pem, .. } = self.clone();
        let certificate = self_signed(&key, "idp", NOW, until, &[2]).unwrap();
        Self { key, key_pem, certificate }
    }
    fn fingerprint(&self) -> String {
        HEXLOWER.encode(&self.certificate.fingerprint())
    }
    pub(super) fn metadata(&self, entity: &str) -> String {
        metadata(entity, &[("signing", &self.certificate)], "https://idp.partner.test/sso", "")
    }
}

pub(super) static IDP: LazyLock<Idp> =
    LazyLock::new(|| Idp::since(NOW.minus(DAY * 900), NOW.plus(DAY * 900)));
pub(super) static OTHER_IDP: LazyLock<Idp> =
    LazyLock::new(|| Idp::since(NOW.minus(DAY * 800), NOW.plus(DAY * 900)));
pub(super) static NEXT_SIGNING: LazyLock<Idp> = LazyLock::new(|| Idp::new(NOW.plus(DAY * 900)));
pub(super) static NEXT_DECRYPTION: LazyLock<Idp> = LazyLock::new(|| Idp::new(NOW.plus(DAY * 900)));
static EXPIRED: LazyLock<Idp> = LazyLock::new(|| Idp::new(NOW.minus(DAY)));

pub(super) fn metadata(entity: &str, keys: &[(&str, &Certificate)], sso: &str, attributes: &str) -> String {
    let key = |(purpose, certificate): &(&str, &Certificate)| {
        format!(
            r#"<md:KeyDescriptor use="{purpose}"><ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:X509Data><ds:X509Certificate>{}</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>"#,
            certificate.base64()
        )
    };
    let keys: String = keys.iter().map(key).collect();
    format!(
        r#"<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" ID="_m1" entityID="{entity}"{attributes}><md:IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">{keys}<md:SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect" Location="{sso}"/></md:IDPSSODescriptor></md:EntityDescriptor>"#
    )
}

pub(super) fn signed(document: &str, by: &Idp) -> String {
    sign_enveloped(document, "_m1", &by.key, Some(&by.certificate)).unwrap()
}

/// A document of these signing certificates, which says of itself until when it is valid.
pub(super) fn listing(idps: &[&Idp], until: Option<Moment>) -> String {
    let keys: Vec<_> = idps.iter().map(|idp| ("signing", &idp.certificate)).collect();
    let until = until.map(|until| format!(" validUntil=\"{}Z\"", &until.rfc3339()[..19]));
    metadata(ENTITY, &keys, SSO, &until.unwrap_or_default())
}

impl Publisher {
    pub(super) fn file(&self, more: &str) -> String {
        format!("[connection.p]\ntype = \"saml\"\nmetadata_url = \"{}\"\n{more}", self.url)
    }
}

fn typed(more: &str) -> String {
    format!(
        "[organization.a]\n[connection.p]\ntype = \"saml\"\norganization = \"a\"\nidp_entity_id = \"{ENTITY}\"\n\
         idp_redirect_url = \"https://idp.partner.test/sso\"\nidp_x509_certificate = {{ env = \"PARTNER_CERTIFICATE\" }}\n{more}"
    )
}

#[tokio::test]
async fn s3_13_s3_34_a_connection_is_typed_with_the_names_of_the_field() {
    for engine in ENGINES {
        let house = House::empty(engine).await;
        let report = house.try_to(&typed(""), Mode::Apply).await.unwrap();
        assert_eq!(told(&report), ["+ organization a", "+ connection p"]);
        let made = house.connection("p").await;
        assert_eq!(made.organization_id, Some(house.organization("a").await.unwrap().id));
        let saml = made.saml().unwrap().saml;
        assert_eq!(saml.idp.entity_id.as_deref(), Some(ENTITY));
        assert_eq!(saml.idp.certificates, [IDP.certificate.base64()]);
        assert!(saml.usable().is_ok() && saml.metadata.is_none());
        // What the provider's administrator is told is the connection's own (C11).
        let own = SpAddresses::of("http://127.0.0.1:8080", made.id);
        let lines: Vec<_> =
            report.introductions[0].lines.iter().map(|(_, address)| address.as_str()).collect();
        assert_eq!(lines, [own.entity_id.as_str(), &own.acs, &own.slo]);
        assert!(own.acs.contains(&format!("/saml/{}/acs", made.id)));
        assert_eq!(house.plan(&typed("")).await, [""; 0]);

        let both = typed("").replace(
            "{ env = \"PARTNER_CERTIFICATE\" }",
            &format!("[{{ env = \"PARTNER_CERTIFICATE\" }}, \"{}\"]", OTHER_IDP.certificate.base64()),
        );
        let (old, new) = (IDP.fingerprint(), OTHER_IDP.fingerprint());
        let changes = house.apply(&both).await;
        assert_eq!(
            changes,
            [format!("~ connection p: idp_x509_certificate [\"{old}\"] → [\"{old}\", \"{new}\"]")]
        );
        let after = house.connection("p").await;
        assert_eq!(after.version, 2, "an operator's change is another connection (H04)");
    }
}

#[tokio::test]
async fn s1_p0_a_preset_fills_in_what_the_file_leaves_out() {
    let house = House::empty(Engine::Sqlite).await;
    house.apply(&typed("preset = \"entra\"\n")).await;
    let made = house.connection("p").await;
    let saml = made.saml().unwrap().saml;
    assert_eq!(saml.request.login_hint, LoginHint::Parameter("login_hint".into()));
    assert_eq!(saml.attributes.email, ["http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress"]);
    assert_eq!((saml.idp_initiated, saml.request.binding), (IdpInitiated::Off, RequestBinding::Redirect));
    let roles = "http://schemas.microsoft.com/ws/2008/06/identity/claims/role".to_owned();
    assert_eq!(saml.attributes.claim_lists, [("app_roles".to_owned(), vec![roles])].into());
    house
        .apply(&typed(
            "preset = \"entra\"\nlogin_hint = \"none\"\n[connection.p.attributes]\nemail = \"mail\"\n\
             [connection.p.claims]\napp_roles = \"role\"\n",
        ))
        .await;
    let made = house.connection("p").await;
    let saml = made.saml().unwrap().saml;
    assert!(saml.attributes.claim_lists.is_empty(), "the file's word comes first");
    assert_eq!(
        (&saml.request.login_hint, saml.attributes.email.as_slice()),
        (&LoginHint::None, &["mail".to_owned()][..])
    );
    assert!(saml.attributes.given_name[0].ends_with("/givenname"), "the others stay");
}

#[tokio::test]
async fn every_key_of_a_saml_connection_changes_something() {
    let house = House::empty(Engine::Sqlite).await;
    house.apply(EXAMPLE).await;
    let changes = [
        ("preset = \"adfs\"", "preset = \"generic\"", "preset \"adfs\" → \"generic\""),
        ("request_binding = \"redirect\"", "request_binding = \"post\"", "request_binding"),
        ("force_authn = false", "force_authn = true", "force_authn false → true"),
        ("comparison = \"minimum\"", "comparison = \"exact\"", "authn_context.comparison"),
        (
            "name_id_format = \"persistent\"",
            "name_id_format = \"none\"",
            "name_id_format \"persistent\" → none",
        ),
        ("scoping = [\"http://adfs.partner.test/adfs/services/trust\"]", "scoping = []", "scoping"),
        ("login_hint = \"username\"", "login_hint = \"subject\"", "login_hint \"username\" → \"subject\""),
        (
            "signature_algorithm = \"rsa-sha256\"",
            "signature_algorithm = \"rsa-sha512\"",
            "signature_algorithm",
        ),
        ("want_signed = \"assertion\"", "want_signed = \"both\"", "want_signed"),
        ("want_encrypted = false", "want_encrypted = true", "want_encrypted"),
        ("identity/claims/objectidentifier\"", "identity/claims/other\"", "subject_attribute"),
        ("[\"AT\", \"DE\"]", "[\"AT\"]", "required_attributes.country"),
        ("idp_initiated = \"round_trip\"", "idp_initiated = \"accept\"", "idp_initiated"),
        ("default_application = \"crm\"", "default_application = \"spa\"", "default_application"),
        ("session_not_on_or_after = true", "session_not_on_or_after = false", "session_not_on_or_after"),
        ("single_logout = true", "single_logout = false", "single_logout"),
        ("department = \"department\"", "department = \"dept\"", "claims.department"),
        ("locale = \"preferredLanguage\"", "locale = \"lang\"", "attributes.locale"),
        ("[\"sn\", \"urn:oid:2.5.4.4\"]", "\"sn\"", "attributes.family_name"),
        ("idp_slo_post_url = \"https://adfs.partner.test/adfs/ls/\"", "", "idp_slo_post_url"),
    ];
    for (old, new, expected) in changes {
        let changed = EXAMPLE.replacen(old, new, 1);
        assert_ne!(changed, EXAMPLE, "{old}");
        let planned = house.plan(&changed).await;
        assert_eq!(planned.len(), 1, "{old}: {planned:?}");
        assert!(
            planned[0].starts_with("~ connection partner: ") && planned[0].contains(expected),
            "{planned:?}"
        );
        assert_eq!(house.apply(&changed).await, planned);
        house.apply(EXAMPLE).await;
        assert_eq!(house.plan(EXAMPLE).await, [""; 0], "{old}");
    }
}

/// Lines that are wrong in a typed connection, and a part of what is told of them.
const WRONG: &[(&str, &str)] = &[
    ("preset = \"azure\"", "must be one of generic, okta"),
    ("issuer = \"https://a.test\"", "unknown key issuer"),
    ("metadata_url = \"https://idp.partner.test/metadata\"\n", "describes the provider again"),
    ("metadata_entity_id = \"x\"", "goes with metadata, metadata_file or metadata_url"),
    ("metadata = \"<md:EntityDescriptor/>\"", "describes the provider again"),
    ("name_id_format = \"transient\"", "needs subject_attribute"),
    (
        "claims = { groups = \"memberOf\" }",
        "\"groups\" is no claim that can be mapped: it has a meaning of its own",
    ),
    ("claims = { org_unit = \"ou\" }", "choose another name"),
    ("claim_lists = { groups = \"memberOf\" }", "choose another name"),
    ("claims = { delegation_id = \"x\" }", "choose another name"),
    ("claims = { \"a b\" = \"x\" }", "1 to 64 visible characters"),
    ("idp_initiated = \"round_trip\"", "needs default_application: the application"),
    ("idp_post_url = \"http://idp.partner.test/sso\"", "https address"),
    ("idp_slo_url = \"javascript:alert(1)\"", "https address"),
    ("idp_slo_url = \"https://idp.partner.test/slo?RelayState=x\"", "must not have SAMLRequest"),
    ("idp_post_url = \"https://idp.partner.test/sso?a=b&%53AMLRequest=x\"", "must not have SAMLRequest"),
    ("required_attributes = { department = [] }", "needs one value at least"),
    ("login_hint = \"RelayState\"", "none, subject, or the name of a parameter"),
    ("login_hint = \"a&b\"", "none, subject, or the name of a parameter"),
    ("name_id_format = \"kerberos\"", "must be one of none, unspecified"),
    ("authn_context = { comparison = \"exact\" }", "needs classes"),
    ("scoping = [\"urn:\\uffff\"]", "characters of XML"),
    ("subject_attribute = \" uid\"", "characters of XML"),
    ("attributes = { email = \"\\ufffe\" }", "characters of XML"),
    ("idp_slo_url = \"https://idp.partner.test\\\\@evil.test/slo\"", "https address"),
    ("signature_algorithm = \"rsa-sha1\"", "must be one of rsa-sha256"),
    ("signature_algorithm = \"ecdsa-sha256\"", "not an algorithm of the key that signs"),
    ("want_signed = \"nothing\"", "either, assertion"),
    ("idp_initiated = \"always\"", "off, round_trip, accept"),
    ("default_application = \"gone\"", "no application gone"),
    ("leeway = 121", "from 0 to 120"),
    ("signing_key = { env = \"MY_CORP_CLIENT_SECRET\" }", "private key in PEM"),
    ("signing_certificate = { env = \"PARTNER_SIGNING_CERTIFICATE\" }", "needs signing_key"),
    ("signing_key = \"in-the-open\"", "holds no secrets"),
];

#[tokio::test]
async fn a_wrong_saml_connection_changes_nothing_and_names_the_line() {
    for engine in ENGINES {
        let house = House::empty(engine).await;
        let before = house.rows().await;
        for (wrong, expected) in WRONG {
            let text = typed(wrong);
            let line = text.lines().position(|line| line == wrong.trim_end()).unwrap() + 1;
            let faults = house.refused(&text).await;
            let found =
                faults.iter().any(|fault| fault.starts_with(&format!("{line}:")) && fault.contains(expected));
            assert!(found, "line {line}, {expected:?}:\n{faults:#?}");
        }
        let files = [
            ("metadata_file = \"gone.xml\"", "the file gone.xml cannot be read: there is no such file"),
            ("metadata_file = \".\"", "the file . cannot be read: it is a folder"),
            (
                "metadata_file = \"partner-metadata.xml\"\nmetadata_entity_id = \"https://other.test\"",
                "no entity of that id",
            ),
            ("metadata = \"<md:EntityDescriptor/>\"", "the metadata cannot be read"),
        ];
        for (wrong, expected) in files {
            let faults = house.refused(&format!("[connection.p]\ntype = \"saml\"\n{wrong}\n")).await;
            // What is wrong is in the third line.
            let found = |fault: &String| fault.starts_with("3:") && fault.contains(expected);
            assert!(faults.iter().any(found), "{expected}: {faults:?}");
        }
        assert_eq!(house.rows().await, before, "{engine:?}");
    }
}

#[tokio::test]
async fn a_key_of_ones_own_needs_its_own_certificate() {
    let house = House::empty(Engine::Sqlite).await;
    for (wrong, expected) in [
        ("signing_key = { env = \"PARTNER_SIGNING_KEY\" }", "needs signing_certificate"),
        (
            "signing_key = { env = \"PARTNER_SIGNING_KEY\" }\nsigning_certificate = { env = \"PARTNER_DECRYPTION_CERTIFICATE\" }",
            "is no certificate of signing_key",
        ),
        (
            "signing_key = { env = \"PARTNER_SIGNING_KEY\" }\nsigning_certificate = { env = \"PARTNER_SIGNING_CERTIFICATE\" }\n\
             decryption_key = { env = \"PARTNER_SIGNING_KEY\" }\ndecryption_certificate = { env = \"PARTNER_SIGNING_CERTIFICATE\" }",
            "another key than signing_key",
        ),
    ] {
        let faults = house.refused(&typed(wrong)).await;
        assert!(faults.iter().any(|fault| fault.contains(expected)), "{expected}: {faults:?}");
    }
}

/// A key of one's own with its certificate, from the environment.
fn own(name: &str, from: &str) -> String {
    format!(
        "{name}_key = {{ env = \"PARTNER_{from}_KEY\" }}\n{name}_certificate = {{ env = \"PARTNER_{from}_CERTIFICATE\" }}\n"
    )
}

#[tokio::test]
async fn brought_keys_roll_over_without_a_gap() {
    for engine in ENGINES {
        let house = House::empty(engine).await;
        let (signing, decryption) = (own("signing", "SIGNING"), own("decryption", "DECRYPTION"));
        let (next, opens) = (own("next_signing", "NEXT_SIGNING"), own("next_decryption", "NEXT_DECRYPTION"));
        let now = async || {
            let made = house.connection("p").await;
            let keys = house.broker.saml_keys.of_connection(made.saml().unwrap()).await.unwrap();
            let decrypting = |list: &[Arc<Certified<DecryptingKey>>]| {
                list.iter().map(|key| key.certificate.clone()).collect::<Vec<_>>()
            };
            let published: Vec<_> = keys.published.iter().map(|key| key.certificate.clone()).collect();
            let signing = keys.signing.certificate.clone();
            (signing, published, decrypting(&keys.encrypt_to), decrypting(&keys.decrypting))
        };
        let [old, new] = [&IDP, &NEXT_SIGNING].map(|idp| idp.certificate.clone());
        let [old_opens, new_opens] = [&OTHER_IDP, &NEXT_DECRYPTION].map(|idp| idp.certificate.clone());
        house.apply(&typed(&format!("{signing}{decryption}"))).await;
        // Whoever has not read our metadata since encrypts to the project's key.
        let of_project = house.broker.saml_keys.of_project(house.project().await.id).await.unwrap();
        let shared = of_project.decrypting[0].certificate.clone();
        assert_eq!(
            now().await,
            (
                old.clone(),
                vec![old.clone()],
                vec![old_opens.clone()],
                vec![old_opens.clone(), shared.clone()]
            )
        );

        let changes = house.apply(&typed(&format!("{signing}{next}{decryption}{opens}"))).await;
        assert!(changes[0].contains(&NEXT_SIGNING.fingerprint()), "{changes:?}");
        let both = vec![old_opens.clone(), new_opens.clone()];
        let opening = [both.clone(), vec![shared.clone()]].concat();
        assert_eq!(now().await, (old.clone(), vec![old, new.clone()], both, opening));

        let moved = [
            own("signing", "NEXT_SIGNING"),
            own("decryption", "NEXT_DECRYPTION"),
            own("previous_decryption", "DECRYPTION"),
        ];
        house.apply(&typed(&moved.concat())).await;
        let opening = vec![new_opens.clone(), old_opens, shared.clone()];
        assert_eq!(now().await, (new.clone(), vec![new.clone()], vec![new_opens.clone()], opening));
        house.apply(&typed(&moved[..2].concat())).await;
        assert_eq!(now().await, (new.clone(), vec![new], vec![new_opens.clone()], vec![new_opens, shared]));

        // Beside the project's own, too.
        house.apply(&typed(&next)).await;
        assert_eq!(now().await.1.len(), 2);
        // More than four keys are never tried, so no more are listed, and those that the file names are among them.
        let project = house.project().await.id;
        for _ in 0..4 {
            house.broker.saml_keys.rotate(project, Begin::Now).await.unwrap();
            house.clock.turn(Duration::from_secs(121));
        }
        house.broker.saml_keys.rotate(project, Begin::WhenTold).await.unwrap();
        let of_project = house.broker.saml_keys.of_project(project).await.unwrap().decrypting;
        house.apply(&typed(&format!("{opens}{}", own("previous_decryption", "DECRYPTION")))).await;
        let listed = now().await.3;
        assert_eq!((of_project.len(), listed.len()), (4, 4));
        assert_eq!(listed[..2], [0, 1].map(|place: usize| of_project[place].certificate.clone()));
        assert_eq!(listed[2..], [&NEXT_DECRYPTION, &OTHER_IDP].map(|idp| idp.certificate.clone()));
        house.clock.turn(DAY * 31);
        house.apply(&typed(&next)).await;
        let same = house.refused(&typed(&format!("{signing}{}", own("next_signing", "SIGNING")))).await;
        assert!(same.iter().any(|fault| fault.contains("another key than signing_key")), "{same:?}");
        let alone = "next_decryption_key = { env = \"PARTNER_NEXT_DECRYPTION_KEY\" }";
        assert!(house.refused(&typed(alone)).await[0].contains("needs next_decryption_certificate"));
    }
}

#[tokio::test]
async fn another_certificate_of_the_same_key_is_shown_at_once() {
    let house = House::empty(Engine::Sqlite).await;
    let certificate = async || {
        let made = house.connection("p").await;
        let keys = house.broker.saml_keys.of_connection(made.saml().unwrap()).await.unwrap();
        keys.signing.certificate.clone()
    };
    house.apply(&typed(&own("signing", "SIGNING"))).await;
    assert_eq!(certificate().await, IDP.certificate);
    let renewed = self_signed(&IDP.key, "idp", NOW, NOW.plus(DAY * 1_000), &[2]).unwrap();
    let line = "signing_certificate = { env = \"PARTNER_SIGNING_CERTIFICATE\" }";
    let given = format!("signing_certificate = \"{}\"", renewed.base64());
    house.apply(&typed(&own("signing", "SIGNING").replace(line, &given))).await;
    assert_eq!(certificate().await, renewed);
}

#[tokio::test]
async fn a_brought_key_that_makes_every_message_dear_is_refused() {
    let house = House::empty(Engine::Sqlite).await;
    let place = super::provisioning::FOLDER.path().join("huge.pem");
    let made = std::process::Command::new("openssl")
        .args(["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:4608", "-out"])
        .arg(&place)
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", text(&made));
    for name in ["signing", "next_signing", "decryption", "next_decryption", "previous_decryption"] {
        let faults = house.refused(&typed(&format!("{name}_key = {{ file = \"huge.pem\" }}"))).await;
        assert!(faults.iter().any(|fault| fault.contains("RSA of 2048 to 4096 bits")), "{faults:?}");
    }
}

#[tokio::test]
async fn c05_what_could_not_be_verified_is_never_active() {
    for engine in ENGINES {
        let house = House::empty(engine).await;
        let before = house.rows().await;
        let without = |line: &str| {
            let text = typed("");
            text.lines().filter(|kept| !kept.starts_with(line)).collect::<Vec<_>>().join("\n")
        };
        let expired = typed("")
            .replace("{ env = \"PARTNER_CERTIFICATE\" }", &format!("\"{}\"", EXPIRED.certificate.base64()));
        for (text, expected) in [
            (without("idp_x509_certificate"), "no usable certificate"),
            (typed("").replace("{ env = \"PARTNER_CERTIFICATE\" }", "[]"), "no usable certificate"),
            (without("idp_redirect_url"), "address for signing in is missing"),
            (without("idp_entity_id"), "entity id is missing"),
            (expired.clone(), "has expired"),
        ] {
            let faults = house.refused(&text).await;
            assert_eq!(faults.len(), 1, "{faults:?}");
            assert!(
                faults[0].starts_with("2:13: p cannot be active") && faults[0].contains(expected),
                "{faults:?}"
            );
        }
        let place = super::provisioning::FOLDER.path();
        // As metadata it is not even read.
        for (name, keys) in [
            ("none", Vec::new()),
            ("encryption", vec![("encryption", &IDP.certificate)]),
            ("expired", vec![("signing", &EXPIRED.certificate)]),
        ] {
            let name = format!("c05-{engine:?}-{name}.xml");
            std::fs::write(place.join(&name), metadata(ENTITY, &keys, "https://idp.partner.test/sso", ""))
                .unwrap();
            let text = format!("[connection.p]\ntype = \"saml\"\nmetadata_file = \"{name}\"");
            let faults = house.refused(&text).await;
            assert!(faults[0].starts_with("3:") && faults[0].contains("no certificate"), "{faults:?}");
        }
        assert_eq!(house.rows().await, before, "{engine:?}");
        // A draft may be unfinished; it is switched on when it is not any more.
        let draft = format!("{}\nstate = \"draft\"", without("idp_x509_certificate"));
        house.apply(&draft).await;
        let made = house.connection("p").await;
        assert_eq!(house.broker.saml_keys.idp(made.saml().unwrap()).err(), Some(Unusable::Certificate));
        let before = house.rows().await;
        assert!(house.refused(&without("idp_x509_certificate")).await[0].contains("cannot be active"));
        assert_eq!(house.rows().await, before);
        house.apply(&typed("")).await;
        assert_eq!(house.connection("p").await.state, ConnectionState::Active);
    }
}

#[tokio::test]
async fn c05_certificates_that_vanish_from_the_row_leave_nothing_to_believe() {
    let house = House::empty(Engine::Sqlite).await;
    house.apply(&typed("")).await;
    let mut made = house.connection("p").await;
    assert!(house.broker.saml_keys.idp(made.saml().unwrap()).is_ok());
    for certificates in [vec![], vec!["AAAA".to_owned()]] {
        let behalf::model::connection::Upstream::Saml(saml) = &mut made.settings.upstream else { panic!() };
        saml.idp.certificates = certificates;
        assert_eq!(house.broker.saml_keys.idp(made.saml().unwrap()).err(), Some(Unusable::Certificate));
    }
}

#[tokio::test]
async fn metadata_in_a_file_is_read_when_it_changes() {
    for engine in ENGINES {
        let house = House::empty(engine).await;
        let place = super::provisioning::FOLDER.path();
        let name = format!("file-{engine:?}.xml");
        let file = format!(
            "[connection.p]\ntype = \"saml\"\nmetadata_file = \"{name}\"\nmetadata_entity_id = \"{ENTITY}\""
        );
        let aggregate = |entities: &[String]| {
            let all = entities.concat();
            format!(
                r#"<md:EntitiesDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata">{all}</md:EntitiesDescriptor>"#
            )
        };
        let other = OTHER_IDP.metadata("https://other.test").replace("_m1", "_m2");
        std::fs::write(place.join(&name), aggregate(&[other.clone(), IDP.metadata(ENTITY)])).unwrap();
        house.apply(&file).await;
        let made = house.connection("p").await;
        assert_eq!(made.saml().unwrap().saml.idp.certificates, [IDP.certificate.base64()]);
        // It need not be believed a second time, even when its certificate has expired.
        house.clock.turn(DAY * 1_000);
        assert_eq!(house.plan(&file).await, [""; 0]);
        house.clock.turn(Duration::ZERO);
        let later = Idp::new(NOW.plus(DAY * 2_000));
        std::fs::write(place.join(&name), aggregate(&[other, later.metadata(ENTITY)])).unwrap();
        let changes = house.apply(&file).await;
        assert!(
            changes[0].contains(&later.fingerprint()) && changes[0].contains(&IDP.fingerprint()),
            "{changes:?}"
        );
        assert_eq!(house.connection("p").await.version, 2);
    }
}

#[tokio::test]
async fn metadata_is_pasted_into_the_file() {
    for engine in ENGINES {
        let house = House::empty(engine).await;
        let pasted = |document: &str, more: &str| {
            format!("[connection.p]\ntype = \"saml\"\nmetadata = '''\n{document}\n'''\n{more}")
        };
        let document = format!("<?xml version=\"1.0\"?>\n{}", IDP.metadata(ENTITY));
        let signer = format!("metadata_certificate = \"{}\"", OTHER_IDP.certificate.base64());
        let before = house.rows().await;
        for (text, line, expected) in [
            (pasted("<html/>", ""), "3:", "no SAML metadata"),
            (pasted(&metadata(ENTITY, &[], SSO, ""), ""), "3:", "no certificate"),
            (pasted(&document, "metadata_entity_id = \"https://other.test\""), "3:", "no entity of that id"),
            (pasted(&document, &signer), "3:", "not signed"),
            (
                pasted(&document, "metadata_file = \"partner-metadata.xml\""),
                "7:",
                "describes the provider again",
            ),
            (pasted(&document, "metadata_url = \"https://a.test/\""), "7:", "describes the provider again"),
        ] {
            let faults = house.refused(&text).await;
            assert!(faults[0].starts_with(line) && faults[0].contains(expected), "{expected}: {faults:?}");
        }
        assert_eq!(house.rows().await, before);
        house.apply(&pasted(&document, "")).await;
        let made = house.connection("p").await;
        assert_eq!(made.saml().unwrap().saml.idp.certificates, [IDP.certificate.base64()]);
        assert_eq!(house.plan(&pasted(&document, "")).await, [""; 0]);
        // The same in a file beside it is the same.
        let name = format!("pasted-{engine:?}.xml");
        std::fs::write(super::provisioning::FOLDER.path().join(&name), &document).unwrap();
        let beside = format!("[connection.p]\ntype = \"saml\"\nmetadata_file = \"{name}\"");
        assert_eq!(house.plan(&beside).await, [""; 0]);
        let changes = house.apply(&pasted(&OTHER_IDP.metadata(ENTITY), "")).await;
        assert!(
            changes[0].contains(&OTHER_IDP.fingerprint()) && changes[0].contains("metadata"),
            "{changes:?}"
        );
    }
}

#[tokio::test]
async fn s3_34_a_connection_maps_so_many_claims_and_no_more() {
    let house = House::empty(Engine::Sqlite).await;
    let file = |count: usize| {
        let claims = (0..count).map(|number| format!("c{number} = \"a{number}\"\n"));
        let claims: String = claims.collect();
        typed(&format!("[connection.p.claims]\nc = \"a\"\n[connection.p.claim_lists]\n{claims}"))
    };
    let before = house.rows().await;
    let faults = house.refused(&file(32)).await;
    let line = file(32).lines().position(|line| line.starts_with("c31")).unwrap() + 1;
    assert_eq!(faults, [format!("{line}:1: a connection maps at most 32 claims")]);
    let twice = house.refused(&file(1).replace("c = ", "c0 = ")).await;
    assert!(twice[0].ends_with("a claim has one value or is a list"), "{twice:?}");
    assert_eq!((twice.len(), house.rows().await), (1, before));
    house.apply(&file(31)).await;
    assert_eq!(house.connection("p").await.saml().unwrap().saml.attributes.claim_lists.len(), 31);
}

#[tokio::test]
async fn m15_a_document_that_has_moved_to_an_address_runs_out_there() {
    let house = House::open_to_here(Engine::Sqlite).await;
    let document = listing(&[&IDP], Some(NOW.plus(DAY * 3)));
    std::fs::write(super::provisioning::FOLDER.path().join("moved.xml"), &document).unwrap();
    let publisher = Publisher::of(document).await;
    let until = async || {
        let made = house.connection("p").await;
        house.broker.saml_keys.idp(made.saml().unwrap()).err()
    };
    // Given as a whole it counts until it is given anew; and the running house remembers that.
    house.apply("[connection.p]\ntype = \"saml\"\nmetadata_file = \"moved.xml\"").await;
    assert_eq!(until().await, None);
    house.apply(&publisher.file("")).await;
    assert_eq!(until().await, None);
    house.clock.turn(DAY * 4);
    assert_eq!(until().await, Some(Unusable::Outdated));
}

#[tokio::test]
async fn metadata_at_an_address_is_asked_for_once() {
    for engine in ENGINES {
        let house = House::open_to_here(engine).await;
        let publisher = Publisher::of(IDP.metadata(ENTITY)).await;
        publisher.fails();
        let before = house.rows().await;
        let faults = house.refused(&publisher.file("")).await;
        assert!(faults[0].starts_with("3:16:") && faults[0].contains("status 503"), "{faults:?}");
        publisher.says("<html/>".into());
        assert!(house.refused(&publisher.file("")).await[0].contains("no SAML metadata"));
        assert_eq!(house.rows().await, before);

        publisher.says(IDP.metadata(ENTITY));
        house.apply(&publisher.file("")).await;
        let hits = publisher.hits();
        let made = house.connection("p").await;
        assert_eq!(made.saml().unwrap().saml.idp.entity_id.as_deref(), Some(ENTITY));
        publisher.fails();
        assert_eq!(house.plan(&publisher.file("")).await, [""; 0]);
        assert_eq!(house.apply(&publisher.file("")).await, [""; 0]);
        assert_eq!(publisher.hits(), hits, "what is known is not asked for");
        // It is typed from now on: nothing is read any more.
        house.apply(&typed("").replace("organization = \"a\"\n", "")).await;
        assert!(metadata_reads::find(&mut &house.broker.db, made.id).await.unwrap().is_none());
    }
}

#[tokio::test]
async fn c27_metadata_inside_is_not_asked_for() {
    let house = House::empty(Engine::Sqlite).await;
    let publisher = Publisher::of(IDP.metadata(ENTITY)).await;
    let faults = house.refused(&publisher.file("")).await;
    assert!(faults[0].contains("cannot be had: not allowed"), "{faults:?}");
    assert_eq!(publisher.hits(), 0);
}

/// Who the provider is, and what is remembered of it.
fn of(connection: &Connection) -> (IdentityProvider, Past) {
    let saml = connection.saml().unwrap().saml;
    (saml.idp.clone(), saml.past.clone())
}

async fn believed(house: &House) -> (IdentityProvider, Past) {
    of(&house.connection("p").await)
}

/// Turns the clock to the next look, and looks.
async fn looks(house: &House) {
    house.clock.turn(DAY);
    chores::metadata::look(&house.broker).await.unwrap();
}

pub(super) async fn actions(house: &House, action: &str) -> Vec<String> {
    let rows = house.rows().await;
    rows.into_iter().filter(|row| row.starts_with("audit_events") && row.contains(action)).collect()
}

#[tokio::test]
async fn h04_s1_a7_certificates_that_roll_over_are_taken_over_and_break_no_login() {
    for engine in ENGINES {
        let house = House::open_to_here(engine).await;
        let publisher = Publisher::of(IDP.metadata(ENTITY)).await;
        house.apply(&publisher.file("")).await;
        looks(&house).await;
        assert_eq!(actions(&house, ".metadata_").await.len(), 0, "nothing new, nothing told");
        let db = &house.broker.db;
        let id = house.connection("p").await.id;
        assert_eq!(connections::review_since(&mut &*db, id).await.unwrap(), None);

        let both = listing(&[&IDP, &OTHER_IDP], None);
        publisher.says(signed(&both, &IDP));
        looks(&house).await;
        let made = house.connection("p").await;
        assert_eq!(made.saml().unwrap().saml.usable().unwrap().keys().len(), 2);
        assert_eq!(made.version, 1, "whoever is on their way arrives");
        let told = actions(&house, "metadata_changed").await;
        assert_eq!(told.len(), 1);
        let review = connections::review_since(&mut &*db, id).await.unwrap();
        assert_eq!(review, Some(house.broker.now()), "somebody should look it over");
        assert!(
            told[0].contains(&IDP.fingerprint()) && told[0].contains(&OTHER_IDP.fingerprint()),
            "{told:?}"
        );
        assert_eq!(house.plan(&publisher.file("")).await, [""; 0], "the file does not take it back");

        // Taking a certificate away needs a signature, too.
        publisher.says(listing(&[&OTHER_IDP], None));
        looks(&house).await;
        assert_eq!(house.connection("p").await.saml().unwrap().saml.idp.certificates.len(), 2);
        assert_eq!(actions(&house, "metadata_offered").await.len(), 1);
        // Which it has then: an older copy would not list the newest key.
        publisher.says(signed(&listing(&[&OTHER_IDP], None), &IDP));
        looks(&house).await;
        let made = house.connection("p").await;
        assert_eq!(made.saml().unwrap().saml.idp.certificates, [OTHER_IDP.certificate.base64()]);
        assert_eq!(made.version, 1);

        // Addresses have no age.
        let moved = OTHER_IDP.metadata(ENTITY).replace(SSO, "https://new.partner.test/sso");
        publisher.says(signed(&moved, &OTHER_IDP));
        for _ in 0..2 {
            looks(&house).await;
        }
        assert_eq!(house.connection("p").await.version, 1, "it may be an old copy");
        assert_eq!(actions(&house, "metadata_offered").await.len(), 2);
        let file = parse(&publisher.file("")).unwrap();
        apply_reading(&house.broker, &file, Mode::Apply, &Reading::again()).await.unwrap();
        assert_eq!(house.connection("p").await.version, 2, "another address is another connection");
        // Nor does one that was left come back by itself.
        publisher.says(signed(&OTHER_IDP.metadata(ENTITY), &OTHER_IDP));
        for _ in 0..3 {
            looks(&house).await;
        }
        assert_eq!(house.connection("p").await.version, 2);
    }
}

/// Documents of somebody who holds the address and no key of the provider, and a part of what is told of each.
fn takeovers() -> Vec<(String, &'static str)> {
    let both = listing(&[&IDP, &OTHER_IDP], None);
    let original = signed(&IDP.metadata(ENTITY), &IDP);
    let logout = r#"<md:SingleLogoutService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect" Location="https://evil.test/slo"/><md:SingleSignOnService "#;
    let (start, rest) = both.split_once('>').unwrap();
    let (_, of_original) = original.split_once('>').unwrap();
    let signature = &of_original[..of_original.find("</ds:Signature>").unwrap() + "</ds:Signature>".len()];
    vec![
        (both.clone(), "keys that are new"),
        (OTHER_IDP.metadata(ENTITY), "keys that are new"),
        (signed(&both, &OTHER_IDP), "keys that are new"),
        // The provider's own signature, over something else.
        (format!("{start}>{signature}{rest}"), "keys that are new"),
        (IDP.metadata(ENTITY).replace(SSO, "https://evil.test/sso"), "moves addresses"),
        (IDP.metadata(ENTITY).replacen("<md:SingleSignOnService ", logout, 1), "moves addresses"),
    ]
}

#[tokio::test]
async fn m15_what_is_offered_without_a_known_signature_waits_for_an_operator() {
    for engine in ENGINES {
        let house = House::open_to_here(engine).await;
        let publisher = Publisher::of(IDP.metadata(ENTITY)).await;
        house.apply(&publisher.file("")).await;
        let before = house.connection("p").await;
        for (document, expected) in takeovers() {
            // As one badly signed answer makes us look.
            house.clock.turn(DAY);
            publisher.says(document.clone());
            let look = house.broker.saml_metadata.look(before.project_id, before.id).await.unwrap();
            assert!(
                matches!(&look, Look::Offered(why) if why.to_string().contains(expected)),
                "{look:?}\n{document}"
            );
            assert_eq!(believed(&house).await, of(&before), "{document}");
            publisher.says(document.replace("_m1", "_m7"));
            looks(&house).await;
            assert_eq!(believed(&house).await, of(&before));
        }
        let events = actions(&house, "metadata_offered").await;
        assert_eq!(events.len(), 5, "each offer is told once, and the third and the fourth are one");
        assert!(
            events
                .iter()
                .any(|row| row.contains(&OTHER_IDP.fingerprint()) && row.contains(&IDP.fingerprint()))
        );
        assert!(events.iter().any(|row| row.contains("https://evil.test/sso") && row.contains(SSO)));
        assert_eq!(actions(&house, "metadata_changed").await.len(), 0);
        assert_eq!(house.broker.saml_keys.idp(before.saml().unwrap()).unwrap().keys().len(), 1);
    }
}

#[tokio::test]
async fn h17_h18_whoever_holds_the_address_alone_takes_no_certificate_away() {
    for engine in ENGINES {
        let house = House::open_to_here(engine).await;
        let both = listing(&[&IDP, &OTHER_IDP], Some(NOW.plus(DAY * 10)));
        let publisher = Publisher::of(both.clone()).await;
        house.apply(&publisher.file("")).await;
        let before = house.connection("p").await;
        let look = async |document: String| {
            publisher.says(document);
            house.clock.turn(DAY);
            house.broker.saml_metadata.look(before.project_id, before.id).await.unwrap()
        };
        for days in [12, 20] {
            let fewer = look(listing(&[&OTHER_IDP], Some(NOW.plus(DAY * days)))).await;
            assert!(matches!(&fewer, Look::Offered(why) if why.to_string().contains("away")), "{fewer:?}");
            let made = house.connection("p").await;
            let saml = made.saml().unwrap().saml;
            assert_eq!(saml.idp, before.saml().unwrap().saml.idp);
            let known = saml.metadata.as_ref().unwrap();
            assert!(saml.past.withdrawn.is_empty());
            assert_eq!(known.valid_until, Some(NOW.plus(DAY * days)), "what it lists has not run out");
            assert_eq!(house.broker.saml_keys.idp(made.saml().unwrap()).unwrap().keys().len(), 2);
        }
        let offers = actions(&house, "metadata_offered").await;
        assert_eq!(offers.len(), 1, "told once");
        assert!(offers[0].contains(&IDP.fingerprint()), "{offers:?}");
        let review = connections::review_since(&mut &house.broker.db, before.id).await.unwrap();
        assert!(review.is_some(), "somebody should look it over");
        // The provider's own word that both count needs nobody: neither had been withdrawn.
        let own = look(signed(&listing(&[&IDP, &OTHER_IDP], Some(NOW.plus(DAY * 30))), &OTHER_IDP)).await;
        assert!(matches!(own, Look::Same | Look::Changed), "{own:?}");
        assert_eq!(house.connection("p").await.saml().unwrap().saml.idp.certificates.len(), 2);
        // So does its word that one does not.
        let own = look(signed(&listing(&[&OTHER_IDP], Some(NOW.plus(DAY * 40))), &OTHER_IDP)).await;
        assert!(matches!(own, Look::Changed), "{own:?}");
        let made = house.connection("p").await;
        assert_eq!(made.saml().unwrap().saml.idp.certificates, [OTHER_IDP.certificate.base64()]);
    }
}

#[tokio::test]
async fn m15_whoever_holds_the_address_alone_ends_nothing_sooner() {
    for valid in [None, Some(NOW.plus(DAY * 30))] {
        let house = House::open_to_here(Engine::Sqlite).await;
        let publisher = Publisher::of(listing(&[&IDP], valid)).await;
        house.apply(&publisher.file("")).await;
        publisher.says(listing(&[&IDP], Some(NOW.plus(DAY + Duration::from_secs(70)))));
        looks(&house).await;
        publisher.fails();
        house.clock.turn(Duration::from_secs(3_600));
        let made = house.connection("p").await;
        assert_eq!(made.saml().unwrap().saml.metadata.as_ref().unwrap().valid_until, valid);
        assert!(house.broker.saml_keys.idp(made.saml().unwrap()).is_ok(), "{valid:?}");
    }
}

#[tokio::test]
async fn h17_an_operator_takes_away_what_a_document_without_a_signature_does_not_list() {
    let house = House::open_to_here(Engine::Sqlite).await;
    let publisher = Publisher::of(listing(&[&IDP, &OTHER_IDP], None)).await;
    house.apply(&publisher.file("")).await;
    publisher.says(listing(&[&OTHER_IDP], None));
    looks(&house).await;
    assert_eq!(house.connection("p").await.saml().unwrap().saml.idp.certificates.len(), 2);
    let file = parse(&publisher.file("")).unwrap();
    apply_reading(&house.broker, &file, Mode::Apply, &Reading::again()).await.unwrap();
    let made = house.connection("p").await;
    assert_eq!(made.saml().unwrap().saml.idp.certificates, [OTHER_IDP.certificate.base64()]);
}

#[tokio::test]
async fn m15_an_old_document_brings_nothing_back() {
    let house = House::open_to_here(Engine::Sqlite).await;
    let third = Idp::new(NOW.plus(DAY * 900));
    let publisher = Publisher::of(IDP.metadata(ENTITY)).await;
    house.apply(&publisher.file("")).await;
    let certificates = async || {
        let made = house.connection("p").await;
        made.saml().unwrap().saml.idp.certificates.clone()
    };
    let look = async |document: String| {
        publisher.says(document);
        house.clock.turn(DAY);
        let made = house.connection("p").await;
        house.broker.saml_metadata.look(made.project_id, made.id).await.unwrap()
    };
    // Where documents have no date, none takes anything away; what somebody has taken away stays away.
    let undated = signed(&listing(&[&IDP, &OTHER_IDP], None), &IDP);
    assert!(matches!(look(undated.clone()).await, Look::Changed));
    let fewer = look(signed(&listing(&[&IDP], None), &IDP)).await;
    assert!(matches!(&fewer, Look::Offered(why) if why.to_string().contains("takes keys away")), "{fewer:?}");
    assert_eq!(certificates().await.len(), 2);
    let file = parse(&publisher.file("")).unwrap();
    apply_reading(&house.broker, &file, Mode::Apply, &Reading::again()).await.unwrap();
    assert_eq!(certificates().await, [IDP.certificate.base64()]);
    let replayed = look(undated).await;
    assert!(matches!(&replayed, Look::Offered(why) if why.to_string().contains("withdrawn")), "{replayed:?}");
    assert_eq!(certificates().await, [IDP.certificate.base64()]);

    // Whatever dates it has.
    let dated = |idps: &[&Idp], days| signed(&listing(idps, Some(NOW.plus(DAY * days))), &IDP);
    let overlap = dated(&[&IDP, &third], 100);
    assert!(matches!(look(overlap.clone()).await, Look::Changed));
    assert!(matches!(look(dated(&[&third], 90)).await, Look::Changed));
    for replay in [overlap, dated(&[&IDP, &third], 300), signed(&listing(&[&IDP, &third], None), &third)] {
        assert!(matches!(look(replay).await, Look::Offered(_)));
        assert_eq!(certificates().await, [third.certificate.base64()]);
    }
    // An operator may bring back what was withdrawn.
    publisher.says(IDP.metadata(ENTITY).replace("</md:KeyDescriptor>", &again(&third)));
    let file = parse(&publisher.file("")).unwrap();
    apply_reading(&house.broker, &file, Mode::Apply, &Reading::again()).await.unwrap();
    assert_eq!(certificates().await, [IDP.certificate.base64(), third.certificate.base64()]);
}

#[tokio::test]
async fn h16_a_key_that_is_known_and_listed_counts_though_its_certificate_has_run_out() {
    let house = House::open_to_here(Engine::Sqlite).await;
    let ending = Idp::new(NOW.plus(DAY * 2));
    let document = signed(&listing(&[&ending, &IDP], None), &ending);
    let publisher = Publisher::of(document.clone()).await;
    house.apply(&publisher.file("")).await;
    for _ in 0..4 {
        looks(&house).await;
    }
    let made = house.connection("p").await;
    assert_eq!(made.saml().unwrap().saml.idp.certificates.len(), 2);
    assert_eq!(made.saml().unwrap().saml.idp.worries(house.broker.now()).len(), 1, "somebody is told");
    // What is new and has run out is nobody's.
    let late = Idp::new(NOW.plus(DAY * 3));
    publisher.says(signed(&listing(&[&ending, &IDP, &late], None), &IDP));
    looks(&house).await;
    let metadata = house.connection("p").await.saml().unwrap().saml.clone();
    assert_eq!(metadata.idp.certificates.len(), 2);
    assert!(metadata.metadata.unwrap().dropped[0].contains("expired"), "and is told of");
}

/// The end of a key descriptor, and another one after it.
fn again(idp: &Idp) -> String {
    let whole = idp.metadata(ENTITY);
    let (start, end) =
        (whole.find("<md:KeyDescriptor").unwrap(), whole.find("<md:SingleSignOnService").unwrap());
    format!("</md:KeyDescriptor>{}", &whole[start..end])
}

#[tokio::test]
async fn m15_whoever_takes_the_address_over_brings_no_new_key() {
    for engine in ENGINES {
        let house = House::open_to_here(engine).await;
        let publisher = Publisher::of(IDP.metadata(ENTITY)).await;
        house.apply(&publisher.file("")).await;
        let before = house.connection("p").await;
        let renamed = IDP.metadata("https://evil.test");
        let unsafe_address =
            metadata(ENTITY, &[("signing", &IDP.certificate)], "http://idp.partner.test/sso", "");
        for (document, expected) in [
            (renamed, "another entity"),
            (unsafe_address, "must be https"),
            (metadata(ENTITY, &[], SSO, ""), "no certificate"),
        ] {
            publisher.says(document);
            for _ in 0..3 {
                looks(&house).await;
            }
            assert_eq!(house.connection("p").await, before, "{expected}");
            let turn = metadata_reads::find(&mut &house.broker.db, before.id).await.unwrap().unwrap();
            assert!(turn.failure.as_ref().is_some_and(|why| why.contains(expected)), "{turn:?}");
        }
        let told_of = actions(&house, "metadata_refused").await.len();
        assert_eq!(told_of, 3, "each is told once, not at every turn");

        // An operator may confirm it, and sees what they confirm.
        publisher.says(OTHER_IDP.metadata(ENTITY));
        looks(&house).await;
        assert_eq!(believed(&house).await, of(&before));
        let file = parse(&publisher.file("")).unwrap();
        let again = async |mode| -> Report {
            apply_reading(&house.broker, &file, mode, &Reading::again()).await.unwrap()
        };
        let planned = told(&again(Mode::Plan).await);
        assert!(
            planned[0].contains(&IDP.fingerprint()) && planned[0].contains(&OTHER_IDP.fingerprint()),
            "{planned:?}"
        );
        assert_eq!(believed(&house).await, of(&before));
        assert_eq!(told(&again(Mode::Apply).await), planned);
        let after = house.connection("p").await;
        assert_eq!(after.saml().unwrap().saml.idp.certificates, [OTHER_IDP.certificate.base64()]);
        let turn = metadata_reads::find(&mut &house.broker.db, before.id).await.unwrap().unwrap();
        assert_eq!((turn.failures, turn.failure), (0, None));
        // What they withdrew stays away.
        publisher.says(signed(&listing(&[&IDP, &OTHER_IDP], None), &OTHER_IDP));
        looks(&house).await;
        assert_eq!(house.connection("p").await.saml().unwrap().saml.idp, after.saml().unwrap().saml.idp);
    }
}

#[tokio::test]
async fn m15_the_commands_show_an_offer_and_confirm_it() {
    // The commands have the machine's clock.
    let now = behalf::foundation::clock::Clock::System.now();
    let fresh = || {
        let key = SigningKey::generate(KeyKind::P256).unwrap();
        self_signed(&key, "idp", now.minus(DAY), now.plus(DAY * 700), &[1]).unwrap()
    };
    let (old, new, third) = (fresh(), fresh(), fresh());
    let publisher = Publisher::of(metadata(ENTITY, &[("signing", &old)], SSO, "")).await;
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().to_owned();
    std::fs::write(place.join("behalf.toml"), "[egress]\nallow_loopback_and_http = true\n").unwrap();
    std::fs::write(place.join("house.toml"), publisher.file("")).unwrap();
    let command = async |arguments: &[&str]| {
        let (place, arguments) = (place.clone(), arguments.join("\n"));
        let run = move || text(&behalf(&place, &arguments.split('\n').collect::<Vec<_>>()));
        tokio::task::spawn_blocking(run).await.unwrap()
    };
    let expected = |planned: &str| {
        let found = planned.split_whitespace().skip_while(|word| *word != "--expect").nth(1);
        found.unwrap_or_else(|| panic!("{planned}")).to_owned()
    };
    // F6: whoever holds the address may answer otherwise to whoever has compared it, the first time too.
    let planned = command(&["apply", "house.toml", "--plan"]).await;
    let first = expected(&planned);
    publisher.says(metadata(ENTITY, &[("signing", &third)], SSO, ""));
    let told = command(&["apply", "house.toml", "--expect", &first]).await;
    assert!(told.contains("not what is expected") && told.contains("Nothing was changed"), "{told}");
    publisher.says(metadata(ENTITY, &[("signing", &old)], SSO, ""));
    assert!(command(&["apply", "house.toml", "--expect", &first]).await.contains("+ connection p"));
    assert!(command(&["apply", "house.toml", "--expect", &first]).await.contains("Nothing to change"));
    publisher.says(metadata(ENTITY, &[("signing", &old), ("signing", &new)], SSO, ""));
    let prints = [&old, &new].map(|certificate| HEXLOWER.encode(&certificate.fingerprint()));
    let checked = command(&["check"]).await;
    let offered = checked.lines().find(|line| line.contains("offers what nobody has confirmed"));
    let offered = offered.unwrap_or_else(|| panic!("{checked}"));
    assert!(prints.iter().all(|print| offered.contains(print)), "{offered}");
    let planned = command(&["apply", "house.toml", "--read-metadata", "--plan"]).await;
    assert!(prints.iter().all(|print| planned.contains(print)), "{planned}");
    assert!(command(&["check"]).await.contains("offers what nobody has confirmed"), "a plan changes nothing");
    let digest = expected(&planned);
    for other in [
        metadata(ENTITY, &[("signing", &old), ("signing", &third)], SSO, ""),
        metadata(ENTITY, &[("signing", &old), ("signing", &new)], "https://evil.test/sso", ""),
        metadata(ENTITY, &[("signing", &old), ("signing", &new), ("encryption", &IDP.certificate)], SSO, ""),
    ] {
        publisher.says(other);
        let told = command(&["apply", "house.toml", "--read-metadata", "--expect", &digest]).await;
        assert!(told.contains("not what is expected") && told.contains("Nothing was changed"), "{told}");
    }
    assert!(command(&["apply", "house.toml", "--expect", &prints[1]]).await.contains("sha256: and 64"));
    // However long it is good for.
    let dated = metadata(ENTITY, &[("signing", &old), ("signing", &new)], SSO, "");
    publisher.says(dated.replacen(" entityID=", " validUntil=\"2999-01-01T00:00:00Z\" entityID=", 1));
    let taken = command(&["apply", "house.toml", "--read-metadata", "--expect", &digest]).await;
    assert!(taken.contains("1 changed") && taken.contains(&prints[1]), "{taken}");
    assert!(command(&["check"]).await.contains("/metadata says the same"));
}

#[tokio::test]
async fn m15_a_pinned_signer_must_have_signed_every_document() {
    let house = House::open_to_here(Engine::Sqlite).await;
    let federation = &*OTHER_IDP;
    let publisher = Publisher::of(IDP.metadata(ENTITY)).await;
    let pinned = format!("metadata_certificate = \"{}\"\n", federation.certificate.base64());
    let before = house.rows().await;
    assert!(house.refused(&publisher.file(&pinned)).await[0].contains("not signed"));
    publisher.says(signed(&IDP.metadata(ENTITY), &IDP));
    assert!(house.refused(&publisher.file(&pinned)).await[0].contains("signature"));
    assert_eq!(house.rows().await, before);

    publisher.says(signed(&IDP.metadata(ENTITY), federation));
    house.apply(&publisher.file(&pinned)).await;
    let made = house.connection("p").await;
    let later = Idp::new(NOW.plus(DAY * 900));
    publisher.says(later.metadata(ENTITY));
    looks(&house).await;
    assert_eq!(house.connection("p").await, made, "unsigned");
    // The signer's word is good for any certificate.
    let dated = |idp: &Idp, days| signed(&listing(&[idp], Some(NOW.plus(DAY * days))), federation);
    publisher.says(dated(&later, 150));
    looks(&house).await;
    let made = house.connection("p").await;
    assert_eq!(made.saml().unwrap().saml.idp.certificates, [later.certificate.base64()]);
    // But not what it said before.
    for replay in [dated(&IDP, 100), signed(&IDP.metadata(ENTITY), federation)] {
        publisher.says(replay);
        looks(&house).await;
        assert_eq!(believed(&house).await, of(&made));
    }
}

#[tokio::test]
async fn an_unknown_key_makes_one_look_and_no_flood() {
    let house = House::open_to_here(Engine::Sqlite).await;
    let publisher = Publisher::of(IDP.metadata(ENTITY)).await;
    house.apply(&publisher.file("")).await;
    let (made, before) = (house.connection("p").await, publisher.hits());
    let look = || house.broker.saml_metadata.look(made.project_id, made.id);
    let looks = futures_util::future::join_all((0..20).map(|_| look())).await;
    // Whoever waited is told what the look came to.
    assert!(looks.iter().all(|look| matches!(look, Ok(Look::Same | Look::Cooling))), "{looks:?}");
    assert!(looks.iter().filter(|look| matches!(look, Ok(Look::Same))).count() > 1, "{looks:?}");
    assert_eq!(publisher.hits(), before + 1);
    assert!(matches!(look().await, Ok(Look::Cooling)));
    house.clock.turn(Duration::from_secs(61));
    assert!(matches!(look().await, Ok(Look::Same)));
    assert_eq!(publisher.hits(), before + 2);
    // Typed connections have nothing to look at.
    house.apply(&typed("").replace("connection.p", "connection.q")).await;
    let typed = house.connection("q").await;
    for _ in 0..2 {
        let looked = house.broker.saml_metadata.look(typed.project_id, typed.id).await;
        assert!(matches!(looked, Ok(Look::NoAddress)), "{looked:?}");
    }
}

#[tokio::test]
async fn an_address_that_fails_is_asked_less_and_less_and_runs_out_with_its_document() {
    let house = House::open_to_here(Engine::Sqlite).await;
    let until = NOW.plus(DAY * 3).rfc3339();
    let valid = format!(" validUntil=\"{}Z\"", &until[..19]);
    let document = metadata(ENTITY, &[("signing", &IDP.certificate)], "https://idp.partner.test/sso", &valid);
    let publisher = Publisher::of(document).await;
    house.apply(&publisher.file("")).await;
    publisher.fails();
    let id = house.connection("p").await.id;
    let mut pauses = Vec::new();
    for _ in 0..4 {
        let turn = metadata_reads::find(&mut &house.broker.db, id).await.unwrap().unwrap();
        house.clock.turn(turn.next_read_at.since(house.broker.now()));
        chores::metadata::look(&house.broker).await.unwrap();
        let turn = metadata_reads::find(&mut &house.broker.db, id).await.unwrap().unwrap();
        pauses.push(turn.next_read_at.since(house.broker.now()).as_secs());
    }
    assert_eq!(pauses, [300, 600, 1_200, 2_400]);
    let made = house.connection("p").await;
    assert!(house.broker.saml_keys.idp(made.saml().unwrap()).is_ok());
    house.clock.turn(DAY * 3);
    assert_eq!(house.broker.saml_keys.idp(made.saml().unwrap()).err(), Some(Unusable::Outdated));
}

#[tokio::test]
async fn h17_a_document_that_runs_out_is_told_of_once_before_it_does() {
    let house = House::open_to_here(Engine::Sqlite).await;
    let publisher = Publisher::of(listing(&[&IDP], Some(NOW.plus(DAY * 3)))).await;
    house.apply(&publisher.file("")).await;
    let ending = async || {
        let made = house.connection("p").await;
        made.saml().unwrap().saml.running_out(house.broker.now())
    };
    let turn = async || {
        let id = house.connection("p").await.id;
        let turn = metadata_reads::find(&mut &house.broker.db, id).await.unwrap().unwrap();
        house.clock.turn(turn.next_read_at.since(house.broker.now()));
        chores::metadata::look(&house.broker).await.unwrap();
    };
    for _ in 0..7 {
        turn().await;
        assert_eq!(
            (ending().await, actions(&house, "metadata_ending").await.len()),
            (None, 0),
            "there is time"
        );
    }
    for _ in 0..3 {
        turn().await;
        assert_eq!(ending().await, Some(NOW.plus(DAY * 3)));
    }
    assert_eq!(actions(&house, "metadata_ending").await.len(), 1);
    // Once it is renewed, there is nothing to see to.
    publisher.says(listing(&[&IDP], Some(NOW.plus(DAY * 9))));
    turn().await;
    assert_eq!((ending().await, actions(&house, "metadata_ending").await.len()), (None, 1));
}

#[tokio::test]
async fn m15_whoever_comes_can_make_us_look_and_puts_no_turn_off() {
    let house = House::open_to_here(Engine::Sqlite).await;
    let publisher = Publisher::of(IDP.metadata(ENTITY)).await;
    house.apply(&publisher.file("")).await;
    let made = house.connection("p").await;
    let look = || house.broker.saml_metadata.look(made.project_id, made.id);
    let turn = async || metadata_reads::find(&mut &house.broker.db, made.id).await.unwrap().unwrap();
    let before = turn().await;
    publisher.fails();
    for _ in 0..8 {
        house.clock.turn(Duration::from_secs(61));
        assert!(matches!(look().await, Ok(Look::Failed(_))));
    }
    assert_eq!(turn().await, before, "as if nobody had come");
    // A turn that has failed is not put off by a visitor whose look succeeds, but comes sooner.
    house.clock.turn(before.next_read_at.since(house.broker.now()));
    chores::metadata::look(&house.broker).await.unwrap();
    let failed = turn().await;
    assert_eq!((failed.failures, failed.next_read_at.since(house.broker.now()).as_secs()), (1, 300));
    publisher.says(IDP.metadata(ENTITY));
    house.clock.turn(Duration::from_secs(61));
    assert!(matches!(look().await, Ok(Look::Same)));
    assert_eq!((turn().await.failures, turn().await.next_read_at), (0, failed.next_read_at));
    // Nor is it taken for done because somebody has looked a moment ago.
    house.clock.turn(failed.next_read_at.since(house.broker.now()));
    publisher.fails();
    assert!(matches!(look().await, Ok(Look::Failed(_))));
    let hits = publisher.hits();
    publisher.says(IDP.metadata(ENTITY));
    chores::metadata::look(&house.broker).await.unwrap();
    assert_eq!(publisher.hits(), hits + 1);
    assert!(turn().await.next_read_at.since(house.broker.now()) > Duration::from_secs(3_600));
    // What waits is shown from its turn on, which comes at once; who comes later brings none forward.
    publisher.says(listing(&[&IDP, &OTHER_IDP], None));
    house.clock.turn(Duration::from_secs(61));
    assert!(matches!(look().await, Ok(Look::Offered(_))));
    assert_eq!(turn().await.next_read_at, house.broker.now());
    chores::metadata::look(&house.broker).await.unwrap();
    let shown = turn().await.next_read_at;
    assert!(shown > house.broker.now());
    for _ in 0..3 {
        house.clock.turn(Duration::from_secs(61));
        assert!(matches!(look().await, Ok(Look::Offered(_))));
        assert_eq!(turn().await.next_read_at, shown);
    }
    publisher.says(listing(&[&IDP], None).replace(SSO, "https://elsewhere.test/sso"));
    house.clock.turn(Duration::from_secs(61));
    assert!(matches!(look().await, Ok(Look::Offered(_))));
    assert_eq!(turn().await.next_read_at, house.broker.now(), "that is another one");
}

#[tokio::test]
async fn our_certificates_are_published_ahead_and_begin_when_told() {
    for engine in ENGINES {
        let house = House::empty(engine).await;
        let project = house.project().await.id;
        let keys = &house.broker.saml_keys;
        let prints = |list: &[Arc<behalf::keys::saml_keyring::Certified<SigningKey>>]| {
            list.iter().map(|key| key.certificate.fingerprint()).collect::<Vec<_>>()
        };
        let first = keys.of_project(project).await.unwrap();
        assert_eq!((first.published.len(), first.decrypting.len(), first.encrypt_to.len()), (1, 1, 1));
        assert!(first.signing.certificate.not_after() > NOW.plus(DAY * 3_000), "customers pin it");
        assert_ne!(
            first.signing.certificate.verifying_key(),
            first.decrypting[0].certificate.verifying_key()
        );

        let made = keys.rotate(project, Begin::WhenTold).await.unwrap();
        assert!(made.iter().all(|key| key.made && key.begins_at.is_none()));
        assert!(!keys.rotate(project, Begin::WhenTold).await.unwrap()[0].made, "one waits already");
        house.clock.turn(DAY * 365);
        let ahead = keys.of_project(project).await.unwrap();
        assert_eq!(ahead.signing.certificate, first.signing.certificate, "nothing happens by itself");
        assert_eq!((ahead.published.len(), ahead.decrypting.len(), ahead.encrypt_to.len()), (2, 2, 2));

        let at = house.broker.now().plus(DAY * 10);
        let dated = keys.rotate(project, Begin::At(at)).await.unwrap();
        assert!(dated.iter().all(|key| !key.made && key.begins_at == Some(at)));
        house.clock.turn(DAY * 10 - Duration::from_secs(1));
        assert_eq!(keys.of_project(project).await.unwrap().signing.certificate, first.signing.certificate);
        house.clock.turn(Duration::from_secs(2));
        let begun = keys.of_project(project).await.unwrap();
        assert_eq!(begun.signing.certificate.fingerprint(), prints(&ahead.published)[1]);
        assert_eq!(begun.decrypting.len(), 2, "what was encrypted to the old one is still read");
        assert_eq!(begun.encrypt_to.len(), 1);
        house.clock.turn(DAY * 31);
        let after = keys.of_project(project).await.unwrap();
        assert_eq!((after.published.len(), after.decrypting.len()), (1, 1));

        // For a key that somebody may have copied. Each node reads the keys once a minute, and whoever asked just
        // before that keeps the old metadata for as long as it says.
        let begun = keys.rotate(project, Begin::Now).await.unwrap()[0].begins_at.unwrap();
        let ahead = begun.since(house.broker.now());
        assert!(ahead >= Duration::from_secs(60) + METADATA_KEPT, "{ahead:?}");
        house.clock.turn(Duration::from_secs(121));
        let last = keys.of_project(project).await.unwrap();
        assert_ne!(last.signing.certificate, after.signing.certificate);
    }
}

#[tokio::test]
async fn c29_our_keys_are_sealed_in_their_own_cells() {
    for engine in ENGINES {
        let house = House::empty(engine).await;
        house.apply(EXAMPLE).await;
        let project = house.project().await.id;
        let own = house.broker.saml_keys.of_project(project).await.unwrap();
        let brought = house.connection("partner").await;
        let keys = house.broker.saml_keys.of_connection(brought.saml().unwrap()).await.unwrap();
        assert_eq!(keys.signing.certificate, IDP.certificate);
        assert_eq!(keys.published.len(), 1, "and no other is published for this connection");
        assert_eq!(keys.decrypting[0].certificate, OTHER_IDP.certificate);
        let other = house.connection("partner-by-file").await;
        let shared = house.broker.saml_keys.of_connection(other.saml().unwrap()).await.unwrap();
        assert_eq!(shared.signing.certificate, own.signing.certificate);

        let rows = house.rows().await.join("\n");
        let ders = [
            own.signing.key.to_pkcs8().unwrap(),
            own.decrypting[0].key.to_pkcs8().unwrap(),
            keys.signing.key.to_pkcs8().unwrap(),
        ];
        for der in ders {
            let end = &der[der.len() - 24..];
            assert!(
                !rows.contains(&HEXLOWER.encode(end))
                    && !rows.contains(BASE64.encode(end).trim_end_matches('='))
            );
        }
        assert!(!rows.contains("PRIVATE KEY") && !rows.contains(&HEXLOWER.encode(b"PRIVATE KEY")));
        // A cell in another row does not open.
        let mut moved = other.clone();
        moved.secret = brought.secret.clone();
        let opened = house.broker.saml_keys.of_connection(moved.saml().unwrap()).await;
        assert!(matches!(opened, Err(KeyError::Sealed(_))), "{opened:?}");
        let swapped: Result<u64, StoreError> = house.broker.db.write(async move |tx| {
            tx.execute(
                "UPDATE saml_keys SET private_key = (SELECT o.private_key FROM saml_keys o WHERE o.purpose <> saml_keys.purpose)
                 WHERE project_id = $1",
                params![project],
            )
            .await
        }).await;
        assert_eq!(swapped.unwrap(), 2);
        let fresh =
            behalf::broker::Broker::open(house.broker.config.clone(), house.clock.clone(), Random::System)
                .await
                .unwrap();
        assert!(matches!(fresh.saml_keys.of_project(project).await, Err(KeyError::Sealed(_))));
    }
}

#[tokio::test]
async fn a_connection_keeps_its_type_and_names_a_subject_of_its_own() {
    let house = House::empty(Engine::Sqlite).await;
    house.apply(&typed("subject_attribute = \"employeeNumber\"\n")).await;
    let made = house.connection("p").await;
    assert_eq!(made.saml().unwrap().saml.subject, Subject::Attribute("employeeNumber".into()));
    let oidc = "[organization.a]\n[connection.p]\norganization = \"a\"\nissuer = \"https://a.test\"\nclient_id = \"x\"\n\
                client_secret = { env = \"MY_CORP_CLIENT_SECRET\" }";
    assert!(house.refused(oidc).await[0].contains("keeps its type"));
}

/// The key is pinned and counts whatever its certificate says; that is said wherever it is set up and looked after.
#[test]
fn h16_a_certificate_that_is_over_or_has_not_begun_is_told_of_and_a_weak_key_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path();
    let now = behalf::foundation::clock::Clock::System.now();
    let key = SigningKey::generate(KeyKind::P256).unwrap();
    let early = self_signed(&key, "early", now.plus(DAY), now.plus(DAY * 900), &[1]).unwrap();
    let over = self_signed(&key, "over", now.minus(DAY * 9), now.minus(DAY), &[2]).unwrap();
    let file = |certificates: &[String]| {
        let list = certificates.iter().map(|text| format!("\"{text}\"")).collect::<Vec<_>>().join(", ");
        format!(
            "[connection.p]\ntype = \"saml\"\nidp_entity_id = \"{ENTITY}\"\n\
             idp_redirect_url = \"https://idp.partner.test/sso\"\nidp_x509_certificate = [{list}]\n"
        )
    };
    std::fs::write(place.join("house.toml"), file(&[early.base64(), over.base64()])).unwrap();
    let (early, over) = (HEXLOWER.encode(&early.fingerprint()), HEXLOWER.encode(&over.fingerprint()));
    for command in [&["apply", "--plan", "house.toml"][..], &["apply", "house.toml"]] {
        let told = text(&behalf(place, command));
        for part in [
            format!("Look at this:\n  connection p: the provider's certificate {early} is valid from "),
            format!("connection p: the provider's certificate {over} expired "),
        ] {
            assert!(told.contains(&part), "{part}:\n{told}");
        }
    }
    let checked = behalf(place, &["check"]);
    for part in [
        format!("! connection p: the provider's certificate {early} is valid from "),
        format!("! connection p: the provider's certificate {over} expired "),
        "its key counts already".to_owned(),
    ] {
        assert!(text(&checked).contains(&part), "{part}:\n{}", text(&checked));
    }
    // With an exponent of three, a careless look at the padding is a forgery.
    let weak = include_str!("../../src/protocol/saml/fixtures/rsa2048_e3.crt").replace('\n', "");
    std::fs::write(place.join("house.toml"), file(&[weak])).unwrap();
    for command in [&["apply", "--plan", "house.toml"][..], &["apply", "house.toml"]] {
        let refused = behalf(place, command);
        let told = text(&refused);
        assert!(!refused.status.success() && told.contains("house.toml:5:"), "{told}");
        assert!(
            told.contains("public exponent below 65537") && told.contains("Nothing was changed"),
            "{told}"
        );
    }
}

#[test]
fn the_commands_know_saml() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path();
    // The command has the machine's clock.
    let now = behalf::foundation::clock::Clock::System.now();
    let key = SigningKey::generate(KeyKind::P256).unwrap();
    let soon = self_signed(&key, "idp", now.minus(DAY), now.plus(DAY * 7), &[1]).unwrap();
    std::fs::write(
        place.join("metadata.xml"),
        metadata(ENTITY, &[("signing", &soon)], "https://idp.partner.test/sso", ""),
    )
    .unwrap();
    std::fs::write(
        place.join("house.toml"),
        "[connection.p]\ntype = \"saml\"\nmetadata_file = \"metadata.xml\"\n",
    )
    .unwrap();
    let applied = text(&behalf(place, &["apply", "house.toml"]));
    for part in [
        "+ connection p\n",
        "For the identity provider of connection p:",
        "/saml/conn_",
        "/acs\n",
        "/metadata\n",
        "/slo\n",
    ] {
        assert!(applied.contains(part), "{part}:\n{applied}");
    }
    assert!(text(&behalf(place, &["apply", "house.toml"])).starts_with("Nothing to change."));
    let checked = behalf(place, &["check"]);
    assert!(checked.status.success(), "{}", text(&checked));
    let fingerprint = HEXLOWER.encode(&soon.fingerprint());
    for part in [
        "✓ connection p: active; its provider needs the entity id http://127.0.0.1:8080/saml/conn_",
        &format!("✓ connection p: it believes {ENTITY}, by one key\n"),
        &format!("! connection p: the provider's certificate {fingerprint} is valid until"),
    ] {
        assert!(text(&checked).contains(part), "{part}:\n{}", text(&checked));
    }
    let rotated = text(&behalf(place, &["key", "rotate", "--saml"]));
    assert!(rotated.contains("default: SAML signing: a new key is published; it waits"), "{rotated}");
    let listed = text(&behalf(place, &["key", "list"]));
    assert!(
        listed.contains("SAML signing") && listed.contains("waits for `behalf key rotate --saml --now`"),
        "{listed}"
    );
    let begun = text(&behalf(place, &["key", "rotate", "--saml", "--now"]));
    assert!(begun.contains("SAML decryption: the key that was published; it begins 20"), "{begun}");
    assert!(!behalf(place, &["key", "rotate", "--from", "2030-01-01T00:00:00Z"]).status.success());
}
