//! Signing in by SAML: everything after the assertion is as it is with OpenID Connect.

use std::collections::BTreeSet;
use std::time::Duration;

use behalf::keys::saml_keyring::Begin;
use behalf::model::project::DEFAULT_SLUG;
use behalf::protocol::saml::encryption::{Cipher, Oaep};
use behalf::protocol::saml::names::{Binding, authn_context};
use behalf::protocol::saml::signature::sign_enveloped;
use behalf::store::durable::projects;
use serde_json::{Value, json};

use crate::house::application::{Application, Person};
use crate::house::broker::{House, Plan};
use crate::house::lying_saml_idp::{
    Asked, LyingSamlIdp, Says, Signer, Signs, encrypted_to, posts, sealed, sp_keys,
};
use crate::house::publisher::Publisher;
use crate::house::surgery::element;
use crate::house::visitor::Visitor;

fn set(list: &Value) -> BTreeSet<String> {
    list.as_array().unwrap().iter().map(|one| one.as_str().unwrap().to_owned()).collect()
}

async fn house() -> House {
    Plan::saml().build().await
}

#[tokio::test]
async fn s3_34_bob_signs_in_by_saml_and_gets_the_same_tokens_as_by_openid_connect() {
    let house = house().await;
    let (rp1, mut bob) = (Application::rp1(&house), Person::new("bob@b.test"));
    let ask = rp1.asks();
    let arrival = bob.signs_in_by(&house, "cb", &ask, &Says::that("bob@b.test")).await;
    assert!(arrival.pages.is_empty(), "nobody asks anything more: {}", arrival.told());
    assert_eq!(arrival.told_application("state").as_deref(), ask.value("state"));

    let tokens = ask.redeems(&arrival).await;
    let b = house.organization("org-b").await;
    for claims in [&tokens.id, &tokens.access] {
        assert_eq!((&claims["org_id"], &claims["org_name"]), (&json!(b), &json!("org-b")));
        assert_eq!(claims["home_org_id"], Value::Null);
        assert!(set(&claims["roles"]).contains("owner"));
    }
    assert_eq!((&tokens.id["email"], &tokens.id["email_verified"]), (&json!("bob@b.test"), &json!(true)));
    assert_eq!((&tokens.id["name"], &tokens.id["amr"]), (&json!("bob"), &json!(["pwd"])));
    assert_eq!(tokens.id["idp"], json!(house.connection("cb").await));
    let facts = house.facts().await;
    for table in ["users", "identities", "memberships", "sessions", "grants"] {
        assert_eq!(facts.rows(table), 1, "{table}");
    }

    // He comes back as himself.
    let again = rp1.asks().with("prompt", "login");
    let arrival = bob.signs_in_by(&house, "cb", &again, &Says::that("bob@b.test")).await;
    assert_eq!(again.redeems(&arrival).await.id["sub"], tokens.id["sub"]);
    assert_eq!(house.facts().await.rows("users"), 1);
}

#[tokio::test]
async fn s3_34_whatever_is_signed_or_encrypted() {
    let house = house().await;
    let ways = Signs::ALL.into_iter().flat_map(|signs| {
        let encrypted = Cipher::ALL.into_iter().flat_map(|cipher| Oaep::ALL.map(|oaep| Some((cipher, oaep))));
        std::iter::once((signs, None)).chain(encrypted.map(move |way| (signs, way)))
    });
    for (number, (signs, encrypts)) in ways.enumerate() {
        let is_cbc = matches!(encrypts, Some((Cipher::Aes128Cbc | Cipher::Aes192Cbc | Cipher::Aes256Cbc, _)));
        // Of each cipher with each way to carry its key, one in seven is enough: they are tried one by one elsewhere.
        if encrypts.is_some() && number % 7 != 0 {
            continue;
        }
        let (ask, mut bob) = (Application::rp1(&house).asks(), Person::new("bob@b.test"));
        let says = Says { encrypts, ..Says::that("bob@b.test").signing(signs) };
        let before = house.before().await;
        let arrival = bob.signs_in_by(&house, "cb", &ask, &says).await;
        let told = arrival.told();
        if is_cbc && signs == Signs::Assertion {
            assert_eq!(arrival.status(), 403, "{signs:?}, {encrypts:?}: {told}");
            house.refused(&before, "encryption_unsupported").await;
            continue;
        }
        assert!(arrival.told_application("code").is_some(), "{signs:?}, {encrypts:?}: {told}");
        assert_eq!(ask.redeems(&arrival).await.id["org_name"], "org-b");
    }
}

#[tokio::test]
async fn s2_22_the_contractor_signs_in_by_saml_and_acts_for_the_other_corporation() {
    let house = Plan::default().with_saml("ca", "").build().await;
    let (ask, mut con) = (Application::rp1(&house).asks(), Person::new("con@a.test"));
    let picker = con.signs_in_by(&house, "ca", &ask, &Says::that("con@a.test")).await;
    assert_eq!(picker.choices(), ["A Corporation", "B Corporation"]);
    let arrival = con.picks(&ask, &picker, "B Corporation").await;
    let tokens = ask.redeems(&arrival).await;
    let (a, b) = (house.organization("org-a").await, house.organization("org-b").await);
    for claims in [&tokens.id, &tokens.access] {
        assert_eq!((&claims["org_id"], &claims["home_org_id"]), (&json!(b), &json!(a)));
        assert!(claims["delegation_id"].as_str().is_some_and(|id| id.starts_with("dlg_")));
        assert_eq!(claims["idp"], json!(house.connection("ca").await));
        assert_eq!(set(&claims["roles"]), BTreeSet::from(["member".to_owned()]));
    }
}

#[tokio::test]
async fn s3_34_the_request_goes_by_redirect_or_by_post_and_is_signed() {
    for (binding, more) in [(Binding::Redirect, ""), (Binding::Post, "request_binding = \"post\"\n")] {
        let house = Plan::default().with_saml("cb", more).build().await;
        let (ask, mut bob) = (Application::rp1(&house).asks(), Person::new("bob@b.test"));
        let asked = bob.leaves_for(&house, "cb", &ask).await;
        assert_eq!(asked.binding, binding);
        let state = asked.relay_state.clone().unwrap();
        assert!(state.len() <= 80 && !state.contains("bob"), "opaque: {state}");
        let request = asked.request.clone().unwrap();
        assert_eq!(request.protocol_binding.as_deref(), Some(Binding::Post.uri()));
        assert!(!request.force_authn && !request.is_passive);
        assert_eq!(request.acs.unwrap(), format!("{}/saml/{}/acs", house.url, house.connection("cb").await));
        let xml = house.saml("cb").answers(&asked, &Says::that("bob@b.test"));
        let arrival = bob.returns(&ask, &asked, xml).await;
        ask.redeems(&arrival).await;
    }
}

#[tokio::test]
async fn s3_34_a_relay_state_that_the_provider_loses_is_not_missed() {
    let house = house().await;
    let (ask, mut bob) = (Application::rp1(&house).asks(), Person::new("bob@b.test"));
    let says = Says { returns_relay_state: false, ..Says::that("bob@b.test") };
    let arrival = bob.signs_in_by(&house, "cb", &ask, &says).await;
    ask.redeems(&arrival).await;
}

#[tokio::test]
async fn s2_13_whoever_must_prove_anew_is_not_let_in_by_an_old_proof() {
    let house = house().await;
    let rp1 = Application::rp1(&house);
    for (name, value, old, is_forced) in [
        ("prompt", "login", 61, true),
        ("max_age", "0", 61_i64, true),
        ("max_age", "300", 361, true),
        ("prompt", "select_account", 0, true),
    ] {
        let ask = rp1.asks().with(name, value);
        let mut bob = Person::new("bob@b.test");
        let mut asked = bob.leaves_for(&house, "cb", &ask).await;
        assert_eq!(asked.request.as_ref().unwrap().force_authn, is_forced, "{name}={value}");
        if old > 0 {
            let says = Says { authenticated: old, ..Says::that("bob@b.test") };
            let before = house.before().await;
            let xml = house.saml("cb").answers(&asked, &says);
            let arrival = bob.returns(&ask, &asked, xml).await;
            // As where the provider speaks OpenID Connect, the application is told, and may ask once more.
            let told = ("login_required".to_owned(), "authentication_too_old".to_owned());
            assert_eq!(arrival.error(), told, "{name}={value}");
            assert_eq!(arrival.told_application("state").as_deref(), ask.value("state"));
            house.refused(&before, "authentication_too_old").await;
            let event = house.events_since(&before).await.remove(0);
            let at = house.clock.now().minus(Duration::from_secs(old.unsigned_abs())).rfc3339();
            assert_eq!(event.detail["found"], json!(at), "{name}={value}");
            assert_eq!(event.detail["connection"], json!(house.connection("cb").await));
            asked = bob.leaves_for(&house, "cb", &ask).await;
        }
        let xml = house.saml("cb").answers(&asked, &Says::that("bob@b.test"));
        let arrival = bob.returns(&ask, &asked, xml).await;
        ask.redeems(&arrival).await;
    }
    // Nobody asked: a proof of yesterday is as good as the provider's session.
    let (ask, mut bob) = (rp1.asks(), Person::new("bob@b.test"));
    let says = Says { authenticated: 86_400, ..Says::that("bob@b.test") };
    let arrival = bob.signs_in_by(&house, "cb", &ask, &says).await;
    let tokens = ask.redeems(&arrival).await;
    assert_eq!(tokens.id["auth_time"], json!(house.clock.now().seconds() - 86_400));
}

#[tokio::test]
async fn s3_34_the_session_ends_no_later_than_the_providers() {
    for (more, is_honoured) in [("", true), ("session_not_on_or_after = false\n", false)] {
        let house = Plan::default().with_saml("cb", more).build().await;
        let rp1 = Application::rp1(&house);
        let (ask, mut bob) = (rp1.asks(), Person::new("bob@b.test"));
        let says = Says { session_ends: Some(600), ..Says::that("bob@b.test") };
        bob.signs_in_by(&house, "cb", &ask, &says).await.code();
        house.turn_clock(599);
        let ask = rp1.asks();
        bob.follows(&ask).await.code();
        house.turn_clock(2);
        let ask = rp1.asks();
        if is_honoured {
            bob.leaves_for(&house, "cb", &ask).await;
        } else {
            bob.follows(&ask).await.code();
        }
    }
}

#[tokio::test]
async fn s3_34_how_somebody_proved_who_they_are_is_passed_on() {
    let house = house().await;
    for (class, amr) in [
        (authn_context::PASSWORD, json!(["pwd"])),
        (authn_context::REFEDS_MFA, json!(["mfa"])),
        (authn_context::MICROSOFT_MFA, json!(["mfa"])),
        (authn_context::TIME_SYNC_TOKEN, json!(["otp"])),
        (authn_context::SMARTCARD_PKI, json!(["sc"])),
        (authn_context::WINDOWS, json!(["wia"])),
        (authn_context::KERBEROS, json!(["wia"])),
        (authn_context::UNSPECIFIED, Value::Null),
        ("urn:x", Value::Null),
    ] {
        let (ask, mut bob) = (Application::rp1(&house).asks(), Person::new("bob@b.test"));
        let says = Says { authn_context: class.to_owned(), ..Says::that("bob@b.test") };
        let arrival = bob.signs_in_by(&house, "cb", &ask, &says).await;
        let tokens = ask.redeems(&arrival).await;
        let found = tokens.id["amr"].clone();
        assert!(found == amr || (amr.is_null() && found == json!([])), "{class}: {found}");
        assert_eq!(tokens.id["acr"], tokens.access["acr"], "{class}");
    }
}

#[tokio::test]
async fn s1_p0_entra_and_ad_fs_tell_of_a_second_factor_in_an_attribute() {
    const METHODS: &str = "http://schemas.microsoft.com/claims/authnmethodsreferences";
    const EMAIL: &str = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress";
    const PASSWORD: &str = authn_context::MICROSOFT_PASSWORD;
    let (single, multi) = ("urn:behalf:acr:1fa", "urn:behalf:acr:2fa");
    for (preset, methods, amr, acr) in [
        ("entra", &[PASSWORD, authn_context::MICROSOFT_MFA][..], json!(["pwd", "mfa"]), multi),
        ("adfs", &[authn_context::MICROSOFT_MFA], json!(["pwd", "mfa"]), multi),
        ("entra", &[PASSWORD], json!(["pwd"]), single),
        ("adfs", &["mfa", "http://schemas.microsoft.com/claims/multipleauthn2"], json!(["pwd"]), single),
        // Anybody may have an attribute of that name elsewhere.
        ("generic", &[authn_context::MICROSOFT_MFA], json!(["pwd"]), single),
    ] {
        let house = Plan::default().with_saml("cb", &format!("preset = \"{preset}\"\n")).build().await;
        let (ask, mut bob) = (Application::rp1(&house).asks(), Person::new("bob@b.test"));
        let says = Says::that("bob@b.test").attribute(EMAIL, &["bob@b.test"]).attribute(METHODS, methods);
        let arrival = bob.signs_in_by(&house, "cb", &ask, &says).await;
        let tokens = ask.redeems(&arrival).await;
        assert_eq!((&tokens.id["amr"], &tokens.id["acr"]), (&amr, &json!(acr)), "{preset} {methods:?}");
    }
    // What is only called so is another one.
    let house = Plan::default().with_saml("cb", "preset = \"entra\"\n").build().await;
    let mut says = Says::that("bob@b.test")
        .attribute(EMAIL, &["bob@b.test"])
        .attribute("nickname", &[authn_context::MICROSOFT_MFA]);
    says.attributes.last_mut().unwrap().friendly_name = Some(METHODS.to_owned());
    let (ask, mut bob) = (Application::rp1(&house).asks(), Person::new("bob@b.test"));
    let arrival = bob.signs_in_by(&house, "cb", &ask, &says).await;
    assert_eq!(ask.redeems(&arrival).await.id["acr"], single);
}

#[tokio::test]
async fn s1_p0_ad_fs_is_shown_no_certificate_to_encrypt_to_unless_that_is_wanted() {
    for (keys, is_shown) in [
        ("preset = \"adfs\"\n", false),
        ("preset = \"adfs\"\nwant_encrypted = true\n", true),
        ("preset = \"entra\"\n", true),
        ("", true),
    ] {
        let house = Plan::default().with_saml("cb", keys).build().await;
        let url = format!("{}/saml/{}/metadata", house.url, house.connection("cb").await);
        let metadata = Visitor::arrives().get(&url).await;
        assert_eq!(metadata.status, 200, "{}", metadata.body);
        assert!(metadata.body.contains("use=\"signing\""), "{keys}");
        assert_eq!(metadata.body.contains("use=\"encryption\""), is_shown, "{keys}");
        assert_eq!(metadata.body.contains("EncryptionMethod"), is_shown, "{keys}");
    }
}

const MAPPED: &str = r#"
[connection.cb.attributes]
email = ["urn:oid:0.9.2342.19200300.100.1.3", "address"]
given_name = "urn:oid:2.5.4.42"
family_name = "sn"
groups = "memberOf"
locale = "lang"

[connection.cb.claims]
department = "department"
unit = "ou"

[connection.cb.claim_lists]
directory_groups = "memberOf"
departments = "department"
"#;

#[tokio::test]
async fn s3_34_where_more_than_one_factor_is_the_least_one_is_too_little() {
    let contexts = |classes: &[&str], comparison: &str| {
        format!("authn_context = {{ classes = {classes:?}, comparison = \"{comparison}\" }}\n")
    };
    let (multi, single) = (authn_context::REFEDS_MFA, authn_context::PASSWORD);
    for (classes, comparison, said, is_enough) in [
        (&[multi][..], "minimum", single, false),
        (&[multi], "better", authn_context::UNSPECIFIED, false),
        (&[multi], "minimum", authn_context::MICROSOFT_MFA, true),
        (&[multi, single], "minimum", single, true),
        (&[single], "better", single, true),
        (&[multi], "maximum", single, true),
        (&[multi], "exact", authn_context::MICROSOFT_MFA, false),
    ] {
        let house = Plan::default().with_saml("cb", &contexts(classes, comparison)).build().await;
        let (ask, mut bob) = (Application::rp1(&house).asks(), Person::new("bob@b.test"));
        let says = Says { authn_context: said.to_owned(), ..Says::that("bob@b.test") };
        let asked = bob.leaves_for(&house, "cb", &ask).await;
        let before = house.before().await;
        let answer = posts(&mut bob.browser, &asked, &house.saml("cb").answers(&asked, &says)).await;
        if is_enough {
            assert_eq!(answer.status, 303, "{comparison} {classes:?} {said}: {}", answer.body);
        } else {
            assert_eq!(answer.status, 403, "{comparison} {classes:?} {said}");
            house.refused(&before, "authn_context").await;
        }
    }
}

#[tokio::test]
async fn s3_34_attributes_are_found_by_name_and_friendly_name_and_become_claims() {
    let more = "subject_attribute = \"uid\"\nrequired_attributes = { department = [\"sales\", \"it\"] }\n";
    let house = Plan::default().with_saml("cb", &format!("{more}{MAPPED}")).build().await;
    let mut says = Says::that("nobody@b.test")
        .without("mail")
        .without("displayName")
        .attribute("address", &["", "bob@b.test"])
        .attribute("urn:oid:2.5.4.42", &["Bob"])
        .attribute("urn:oid:2.5.4.4", &["Builder"])
        .attribute("memberOf", &["one", "two", "three"])
        .attribute("department", &["it"])
        .attribute("ou", &["a\u{85}b"])
        .attribute("lang", &["de-AT"])
        .attribute("uid", &["4711"]);
    says.attributes.iter_mut().filter(|one| one.name.ends_with("5.4.4")).for_each(|one| {
        one.friendly_name = Some("sn".to_owned());
    });
    let rp1 = Application::rp1(&house);
    let (ask, mut bob) = (rp1.asks(), Person::new("bob@b.test"));
    let before = house.before().await;
    let arrival = bob.signs_in_by(&house, "cb", &ask, &says).await;
    let tokens = ask.redeems(&arrival).await;
    assert_eq!((&tokens.id["email"], &tokens.id["name"]), (&json!("bob@b.test"), &json!("Bob Builder")));
    let userinfo = rp1.userinfo(&tokens.access_token).await.json();
    for told in [&tokens.id, &userinfo] {
        assert_eq!((&told["department"], &told["locale"]), (&json!("it"), &json!("de-AT")));
        assert_eq!(told["directory_groups"], json!(["one", "two", "three"]));
        assert_eq!(told["departments"], json!(["it"]), "one value of a list is a list");
        assert_eq!((&told["groups"], &told["unit"]), (&Value::Null, &Value::Null));
    }
    assert_eq!(tokens.access["department"], Value::Null, "it is about the person");
    let events = house.events_since(&before).await;
    let signed_in = events.iter().find(|event| event.action == "login.authenticated").unwrap();
    assert_eq!(signed_in.detail["left_out"], json!(["unit: a value with control characters"]));
    assert_eq!((&tokens.id["given_name"], &tokens.id["family_name"]), (&json!("Bob"), &json!("Builder")));
    let subject = house.text("SELECT subject FROM identities").await;
    assert_eq!(subject.as_deref(), Some("4711"));
    let profile: Value =
        serde_json::from_str(&house.text("SELECT profile FROM users").await.unwrap()).unwrap();
    assert_eq!(profile["groups"], json!(["one", "two", "three"]));
    assert_eq!(profile["claims"]["department"], json!("it"));

    for (says, reason) in [
        (says.clone().attribute("department", &["law"]), "required_attribute"),
        (says.clone().without("department"), "required_attribute"),
        (says.clone().attribute("uid", &["1", "2"]), "subject"),
        (says.clone().without("uid"), "subject"),
    ] {
        let (ask, mut bob) = (Application::rp1(&house).asks(), Person::new("bob@b.test"));
        let before = house.before().await;
        let arrival = bob.signs_in_by(&house, "cb", &ask, &says).await;
        assert_eq!(arrival.status(), 403, "{reason}: {}", arrival.told());
        house.refused(&before, reason).await;
    }
}

#[tokio::test]
async fn s3_34_a_provider_that_rolls_its_key_over_signs_by_either() {
    let plan = Plan::saml();
    let next = Signer::new("next", plan.clock.now());
    let idp = &plan.saml["cb"];
    let both = idp.metadata_with(&[&next.certificate]);
    let house = plan.build().await;
    let rp1 = Application::rp1(&house);
    let by_next = |asked: &Asked| {
        sealed(&house.saml("cb").plain(asked, &Says::that("bob@b.test")), &next, Signs::Assertion, None)
    };
    // Not before it is known.
    let (ask, mut bob) = (rp1.asks(), Person::new("bob@b.test"));
    let asked = bob.leaves_for(&house, "cb", &ask).await;
    let before = house.before().await;
    assert_eq!(bob.returns(&ask, &asked, by_next(&asked)).await.status(), 403);
    house.refused(&before, "signature_invalid").await;

    house.writes("cb.xml", &both);
    house.provision(&house.file).await;
    for is_next in [false, true] {
        let (ask, mut bob) = (rp1.asks(), Person::new("bob@b.test"));
        let asked = bob.leaves_for(&house, "cb", &ask).await;
        let honest = house.saml("cb").answers(&asked, &Says::that("bob@b.test"));
        let xml = if is_next { by_next(&asked) } else { honest };
        let arrival = bob.returns(&ask, &asked, xml).await;
        ask.redeems(&arrival).await;
    }
}

#[tokio::test]
async fn s3_34_h12_a_new_key_within_what_is_encrypted_is_looked_for_like_whatever_cannot_be_opened() {
    let plan = Plan::default();
    let idp = LyingSamlIdp::new("cb", plan.clock.clone());
    let publisher = Publisher::of(idp.metadata()).await;
    let mut plan = plan.with_saml_keys("cb", &format!("metadata_url = \"{}\"\n", publisher.url));
    plan.saml.insert("cb".to_owned(), idp);
    let house = plan.build().await;
    let (idp, next, rp1) =
        (house.saml("cb"), Signer::new("next", house.clock.now()), Application::rp1(&house));
    let by_next = |asked: &Asked| {
        let to = Some((&asked.encryption, Cipher::Aes256Gcm, Oaep::Mgf1p));
        sealed(&idp.plain(asked, &Says::that("bob@b.test")), &next, Signs::Assertion, to)
    };
    let nonsense = |asked: &Asked| {
        let from = by_next(asked);
        let inner = element(&from, "EncryptedAssertion");
        let other = encrypted_to(&asked.encryption, "<x/>", Cipher::Aes256Gcm, Oaep::Mgf1p);
        from.replacen(inner, &other, 1)
    };
    for sealed in [&by_next as &dyn Fn(&Asked) -> String, &nonsense] {
        let (ask, mut bob) = (rp1.asks(), Person::new("bob@b.test"));
        let asked = bob.leaves_for(&house, "cb", &ask).await;
        let (before, hits) = (house.before().await, publisher.hits());
        assert_eq!(bob.returns(&ask, &asked, sealed(&asked)).await.status(), 403);
        house.refused(&before, "undecryptable").await;
        assert_eq!(publisher.hits(), hits + 1, "it looked");
        house.turn_clock(61);
    }
    let both = idp.metadata_with(&[&next.certificate]);
    let both = both.replacen("<md:EntityDescriptor ", "<md:EntityDescriptor ID=\"_m1\" ", 1);
    publisher.says(sign_enveloped(&both, "_m1", &idp.signer.key, None).unwrap());
    let (ask, mut bob) = (rp1.asks(), Person::new("bob@b.test"));
    let asked = bob.leaves_for(&house, "cb", &ask).await;
    let arrival = bob.returns(&ask, &asked, by_next(&asked)).await;
    ask.redeems(&arrival).await;
}

#[tokio::test]
async fn h12_whatever_our_metadata_has_led_to_is_opened() {
    let house = house().await;
    let idp = house.saml("cb");
    let project = house.broker.saml_keys.clone();
    let id = {
        let db = &house.broker.db;
        projects::by_slug(&mut &*db, DEFAULT_SLUG).await.unwrap().unwrap().id
    };
    let mut known = vec![sp_keys(&house, "cb").await.decrypting[0].certificate.clone()];
    for _ in 0..3 {
        project.rotate(id, Begin::Now).await.unwrap();
        house.turn_clock(121);
        known.insert(0, sp_keys(&house, "cb").await.encrypt_to[0].certificate.clone());
    }
    // One is published ahead besides.
    project.rotate(id, Begin::WhenTold).await.unwrap();
    known.insert(1, sp_keys(&house, "cb").await.encrypt_to[1].certificate.clone());
    let listed: Vec<_> =
        sp_keys(&house, "cb").await.decrypting.iter().map(|key| key.certificate.clone()).collect();
    assert_eq!(listed, known[..4], "the present one, the next one, and then the newest first");
    for certificate in &listed {
        let (ask, mut bob) = (Application::rp1(&house).asks(), Person::new("bob@b.test"));
        let mut asked = bob.leaves_for(&house, "cb", &ask).await;
        asked.encryption = certificate.clone();
        let says = Says::that("bob@b.test").encrypting(Cipher::Aes256Gcm);
        let arrival = bob.returns(&ask, &asked, idp.answers(&asked, &says)).await;
        ask.redeems(&arrival).await;
    }
}
