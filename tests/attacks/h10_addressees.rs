//! H10: an answer that is for somebody else, by somebody else, or says something else than it must. The provider's own
//! key signs all of them.

use behalf::protocol::saml::names::name_id;
use serde_json::{Value, json};

use crate::house::api::Api;
use crate::house::application::{Application, Person};
use crate::house::broker::{Engine, House, Plan};
use crate::house::forgery::{BOB, Forgery, Scene};
use crate::house::lying_saml_idp::Says;
use crate::house::surgery::{after, attr, element, inside, swap, swap_all, with_first, with_last, within};

/// Changes of the response itself.
fn heads(scene: &Scene) -> Vec<(&'static str, &'static str, String)> {
    let acs = scene.asked.acs.clone();
    let root = |name: &'static str, new: Option<&str>| scene.signed_after(|xml| attr(&xml, name, new));
    let issuer = |new: &str| scene.signed_after(|xml| swap(&xml, element(&xml, "Issuer"), new));
    let named = |name: &str| {
        format!("<saml:Issuer xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\">{name}</saml:Issuer>")
    };
    let own = &scene.idp().entity_id;
    let code = |code: &str| scene.signed_after(|xml| swap(&xml, "status:Success", code));
    let signed_code = |code: &str| scene.signed_after_response(|xml| swap(&xml, "status:Success", code));
    vec![
        ("destination", "no Destination", root("Destination", None)),
        ("destination", "an empty Destination", root("Destination", Some(""))),
        ("destination", "another Destination", root("Destination", Some("https://sp.test/acs"))),
        ("destination", "a Destination with a slash more", root("Destination", Some(&format!("{acs}/")))),
        ("destination", "a Destination with a query", root("Destination", Some(&format!("{acs}?x")))),
        ("destination", "a Destination in capitals", root("Destination", Some(&acs.to_uppercase()))),
        ("issuer_response", "no Issuer", issuer("")),
        ("issuer_response", "another Issuer", issuer(&named("https://idp.test/metadata"))),
        ("issuer_response", "an Issuer that begins alike", issuer(&named(&format!("{own}/x")))),
        ("issuer_response", "an empty Issuer", issuer(&named(""))),
        ("version", "Version 1.1", root("Version", Some("1.1"))),
        ("version", "no Version", root("Version", None)),
        ("status_unsigned", "an error", code("status:Responder")),
        ("status_unsigned", "an error without a code of ours", code("status:Nothing")),
        ("status", "an error that is signed", signed_code("status:Responder")),
        ("status", "a signed one without a code of ours", signed_code("status:Nothing")),
        ("malformed_saml", "no Status", scene.signed_after(|xml| swap(&xml, element(&xml, "Status"), ""))),
        (
            "structure",
            "no assertion",
            scene.signed_after_response(|xml| swap(&xml, element(&xml, "Assertion"), "")),
        ),
    ]
}

const OF_HOLDER: &str = "urn:oasis:names:tc:SAML:2.0:cm:holder-of-key";
const OF_BEARER: &str = "urn:oasis:names:tc:SAML:2.0:cm:bearer";

/// Changes of what is said about the person.
fn assertions(scene: &Scene) -> Vec<(&'static str, &'static str, String)> {
    let (sp, acs) = (scene.asked.sp.clone(), scene.asked.acs.clone());
    let change = |part: &str, change: &dyn Fn(&str) -> String| {
        scene.signed_after(|xml| within(&xml, "Assertion", |assertion| within(assertion, part, change)))
    };
    let audience = |new: &str| change("Audience", &|one| swap(one, inside(one), new));
    let restrictions = |new: &dyn Fn(&str) -> String| change("AudienceRestriction", new);
    let issuer = |new: &dyn Fn(&str) -> String| change("Issuer", new);
    let data = |name: &'static str, new: Option<&str>| {
        change("SubjectConfirmationData", &|data| attr(data, name, new))
    };
    let confirmation = |new: &dyn Fn(&str) -> String| change("SubjectConfirmation", new);
    let conditions = |more: &str| change("Conditions", &|conditions| with_last(conditions, more));
    let other =
        "<saml:AudienceRestriction><saml:Audience>https://sp.test</saml:Audience></saml:AudienceRestriction>";
    let name = |new: &str| change("NameID", &|name| swap(name, inside(name), new));
    let gone = |part: &str| change(part, &|_| String::new());
    vec![
        ("audience", "another audience", audience("https://sp.test/metadata")),
        ("audience", "an empty audience", audience("")),
        ("audience", "an audience that begins alike", audience(&format!("{sp}/x"))),
        ("audience", "an audience that is cut", audience(&sp[..sp.len() - 1])),
        ("audience", "an audience in capitals", audience(&sp.to_uppercase())),
        ("audience", "the address as the audience", audience(&acs)),
        ("audience", "no restriction", restrictions(&|_| String::new())),
        ("audience", "a restriction to nobody", restrictions(&|one| swap(one, inside(one), ""))),
        ("audience", "one more restriction, to somebody else", restrictions(&|one| format!("{one}{other}"))),
        ("audience", "a restriction to somebody else before", restrictions(&|one| format!("{other}{one}"))),
        ("issuer_assertion", "no Issuer of the assertion", issuer(&|_| String::new())),
        (
            "issuer_assertion",
            "another Issuer of the assertion",
            issuer(&|one| swap(one, inside(one), "https://idp.test")),
        ),
        (
            "issuer_assertion",
            "an Issuer of another kind",
            issuer(&|one| {
                swap(one, ">", " Format=\"urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress\">")
            }),
        ),
        ("recipient", "no Recipient", data("Recipient", None)),
        ("recipient", "another Recipient", data("Recipient", Some("https://sp.test/acs"))),
        ("recipient", "an empty Recipient", data("Recipient", Some(""))),
        ("recipient", "the entity as the Recipient", data("Recipient", Some(&sp))),
        ("recipient", "a Recipient that begins alike", data("Recipient", Some(&format!("{acs}/x")))),
        ("confirmation", "a holder of a key", confirmation(&|one| swap(one, OF_BEARER, OF_HOLDER))),
        (
            "confirmation",
            "a sender who vouches",
            confirmation(&|one| swap(one, "cm:bearer", "cm:sender-vouches")),
        ),
        ("confirmation", "two bearers", confirmation(&|one| one.repeat(2))),
        ("confirmation", "no confirmation", confirmation(&|_| String::new())),
        ("confirmation", "nothing in the confirmation", confirmation(&|one| swap(one, inside(one), ""))),
        (
            "structure",
            "a bearer with a name of their own",
            confirmation(&|one| with_first(one, "<saml:NameID>owner</saml:NameID>")),
        ),
        (
            "confirmation_not_before",
            "a NotBefore of the confirmation",
            change("SubjectConfirmationData", &|data| {
                swap(data, " Recipient", " NotBefore=\"2020-01-01T00:00:00Z\" Recipient")
            }),
        ),
        ("condition_unknown", "a condition that nobody knows", conditions("<x:Moon xmlns:x=\"urn:x\"/>")),
        ("condition_unknown", "a condition of somebody's own", conditions("<saml:Condition/>")),
        ("conditions", "no conditions", gone("Conditions")),
        ("subject", "no subject", gone("Subject")),
        ("authn_statement", "no statement", gone("AuthnStatement")),
        ("authn_statement", "a statement without a context", gone("AuthnContext")),
        ("name_id", "no name", gone("NameID")),
        ("name_id", "an empty name", name("")),
        ("name_id", "a blank name", name(" ")),
        ("name_id", "a name with a blank before", name(" id-of-owner")),
        ("name_id", "a name with a blank after", name("id-of-owner ")),
        ("name_id", "a name with a line break", name("id-of&#10;owner")),
        ("malformed_saml", "two names", change("NameID", &|name| name.repeat(2))),
        ("name_id", "a name that is too long", name(&"x".repeat(257))),
        (
            "version",
            "an assertion of Version 1.1",
            scene.signed_after(|xml| within(&xml, "Assertion", |one| attr(one, "Version", Some("1.1")))),
        ),
        (
            "encryption_unsupported",
            "an encrypted attribute",
            change("AttributeStatement", &|one| with_last(one, "<saml:EncryptedAttribute/>")),
        ),
        (
            "subject",
            "a name that is for once",
            scene.signed_after(|xml| swap(&xml, "nameid-format:persistent", "nameid-format:transient")),
        ),
        (
            "email_ambiguous",
            "two addresses",
            scene.signed_after(|xml| {
                after(
                    &xml,
                    ">bob@b.test</saml:AttributeValue>",
                    "<saml:AttributeValue>owner@b.test</saml:AttributeValue>",
                )
            }),
        ),
        (
            "email_domain_not_allowed",
            "no address but words",
            scene.signed_after(|xml| swap_all(&xml, "bob@b.test", "bob")),
        ),
    ]
}

pub fn files(scene: &Scene) -> Vec<Forgery> {
    let all = heads(scene).into_iter().chain(assertions(scene));
    let files = all.map(|(reason, name, xml)| {
        let file = Forgery::new(name, xml, reason);
        let is_addressed = ["audience", "recipient", "destination", "issuer_response"].contains(&reason);
        if is_addressed { file.fooling(BOB) } else { file }
    });
    files.collect()
}

#[tokio::test]
async fn h10_an_answer_for_somebody_else_or_by_somebody_else_is_refused() {
    let mut scene = Scene::opens().await;
    scene.refuses(files(&scene)).await;
    scene.ends_well().await;
}

#[tokio::test]
async fn h10_a_name_of_another_format_than_was_asked_for_names_nobody() {
    let all = [
        name_id::PERSISTENT,
        name_id::EMAIL_ADDRESS,
        name_id::UNSPECIFIED,
        name_id::TRANSIENT,
        name_id::KERBEROS,
    ];
    for (asked, fits) in [
        ("preset = \"keycloak\"\n", &[name_id::PERSISTENT][..]),
        ("name_id_format = \"persistent\"\n", &[name_id::PERSISTENT]),
        ("name_id_format = \"email_address\"\n", &[name_id::EMAIL_ADDRESS]),
        // The provider chooses: Okta, Google and Entra each send another one.
        ("name_id_format = \"unspecified\"\n", &[all[0], all[1], all[2], all[4]]),
        ("", &[all[0], all[1], all[2], all[4]]),
        // Then the attribute is the name.
        ("name_id_format = \"persistent\"\nsubject_attribute = \"mail\"\n", &all),
        ("name_id_format = \"transient\"\nsubject_attribute = \"mail\"\n", &all),
    ] {
        let house = Plan::default().with_saml("cb", asked).build().await;
        for (number, format) in all.into_iter().enumerate() {
            // Each of them somebody of their own: a name of another format is another name.
            let email = format!("bob{number}@b.test");
            let (ask, mut bob) = (Application::rp1(&house).asks(), Person::new(&email));
            let says = Says::that(&email).attribute("email", &[email.as_str()]).named(&email, format);
            let before = house.before().await;
            let arrival = bob.signs_in_by(&house, "cb", &ask, &says).await;
            if fits.contains(&format) {
                ask.redeems(&arrival).await;
                continue;
            }
            assert_eq!(arrival.status(), 403, "{asked}{format}: {}", arrival.told());
            let events = house.events_since(&before).await;
            let pinned =
                asked.contains("persistent") || asked.contains("email") || asked.contains("keycloak");
            if pinned {
                house.refused(&before, "name_id_format").await;
                let detail = &events[0].detail;
                assert_eq!((&detail["check"], &detail["found"]), (&json!("name_id_format"), &json!(format)));
                assert_eq!(detail["expected"], json!(format!("a NameID of the format {}", fits[0])));
            } else {
                house.refused(&before, "subject").await;
            }
        }
    }
}

#[tokio::test]
async fn h10_a_name_without_a_format_is_an_unspecified_one() {
    for (more, is_taken) in [("", true), ("name_id_format = \"persistent\"\n", false)] {
        let house = Plan::default().with_saml("cb", more).build().await;
        let (ask, mut bob) = (Application::rp1(&house).asks(), Person::new("bob@b.test"));
        let asked = bob.leaves_for(&house, "cb", &ask).await;
        let says = Says::that("bob@b.test");
        let without = |xml: String| within(&xml, "NameID", |name| attr(name, "Format", None));
        let xml = house.saml("cb").answers_after(&asked, &says, without);
        let before = house.before().await;
        let arrival = bob.returns(&ask, &asked, xml).await;
        if is_taken {
            ask.redeems(&arrival).await;
            continue;
        }
        house.refused(&before, "name_id_format").await;
        assert_eq!(house.events_since(&before).await[0].detail["found"], json!(name_id::UNSPECIFIED));
    }
}

#[tokio::test]
async fn h10_the_same_text_as_another_kind_of_name_is_nobody_who_is_known() {
    for engine in ENGINES {
        let house = Plan { engine, ..Plan::saml() }.build().await;
        let (asks, name) = (|| Application::rp1(&house).asks(), "vic");
        let vic = Says::that("bob@b.test").named(name, name_id::UNSPECIFIED).attribute("uid", &[name]);
        Person::new("bob@b.test").signs_in_by(&house, "cb", &asks(), &vic).await.code();
        let (users, sessions) = (house.count("users").await, house.count("sessions").await);
        let mallory =
            |format: &str| Says::that("mallory@b.test").named(name, format).attribute("uid", &[name]);
        for format in [name_id::PERSISTENT, name_id::EMAIL_ADDRESS, "urn:x"] {
            let says = match format {
                name_id::EMAIL_ADDRESS => mallory(format).named("vic@b.test", format),
                _ => mallory(format),
            };
            let arrival = Person::new("bob@b.test").signs_in_by(&house, "cb", &asks(), &says).await;
            if format == name_id::EMAIL_ADDRESS {
                // Another text is another person.
                arrival.code();
                continue;
            }
            assert_eq!(arrival.status(), 403, "{format}: {}", arrival.told());
        }
        assert_eq!((house.count("users").await, house.count("sessions").await), (users + 1, sessions + 1));
        // Nor as what an attribute says, once that names people.
        makes_live(&house, json!({"subject_attribute": "uid"})).await;
        let before = house.before().await;
        let says = mallory(name_id::UNSPECIFIED);
        let arrival = Person::new("bob@b.test").signs_in_by(&house, "cb", &asks(), &says).await;
        assert_eq!(arrival.status(), 403, "{}", arrival.told());
        house.refused(&before, "subject_kind").await;
        // Whoever asks for one format chooses it for all.
        makes_live(&house, json!({"subject_attribute": null, "name_id_format": "persistent"})).await;
        let says = Says::that("bob@b.test").named(name, name_id::PERSISTENT);
        Person::new("bob@b.test").signs_in_by(&house, "cb", &asks(), &says).await.code();
        assert_eq!(house.count("users").await, users + 1);
    }
}

#[tokio::test]
async fn h10_an_address_as_a_name_is_the_same_in_whatever_case() {
    let house = Plan::saml().build().await;
    for text in ["bob@b.test", "BOB@B.TEST"] {
        let says = Says::that("bob@b.test").named(text, name_id::EMAIL_ADDRESS);
        let ask = Application::rp1(&house).asks();
        Person::new("bob@b.test").signs_in_by(&house, "cb", &ask, &says).await.code();
    }
    let subjects = "SELECT subject FROM identities WHERE subject LIKE '%@b.test'";
    assert_eq!(
        (house.count("identities").await, house.text(subjects).await.as_deref()),
        (1, Some("bob@b.test"))
    );
}

const ENGINES: [Engine; 2] = [Engine::Sqlite, Engine::Postgres];

async fn makes_live(house: &House, settings: Value) {
    let path = format!("/connections/{}", house.connection("cb").await);
    let operator = Api::operator(house).await;
    let drafted = operator.patch(&path, settings).await;
    assert_eq!(drafted.status, 200, "{}", drafted.body);
    let live = operator.post(&format!("{path}/activate"), json!({"force": true})).await;
    assert_eq!(live.status, 200, "{}", live.body);
}
