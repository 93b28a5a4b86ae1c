//! C01 by SAML: a provider that is believed about its own domain says something about another one's people.

use behalf::protocol::saml::names::name_id;

use crate::house::application::{Application, Person};
use crate::house::broker::{Engine, Plan};
use crate::house::lying_saml_idp::{Says, attribute};

#[tokio::test]
async fn c01_s3_31_a_saml_provider_asserts_only_addresses_of_its_own_domain_wherever_it_says_them() {
    let house = Plan::default().with_saml("ca", "").build().await;
    let rp1 = Application::rp1(&house);
    // Bob is known before.
    let ask = rp1.asks();
    let arrival = Person::new("bob@b.test").follows(&ask).await;
    let bob = ask.redeems(&arrival).await;

    let ann = || Says::that("ann@a.test");
    let two = {
        let mut says = ann();
        says.attributes.push(attribute("mail", &["bob@b.test"]));
        says
    };
    let beside = |mail: &str, email: &str| ann().attribute("mail", &[mail]).attribute("email", &[email]);
    for (name, says) in [
        ("as her name for good", ann().named("ceo@b.test", name_id::PERSISTENT)),
        ("as her name for good, in capitals", ann().named("CEO@B.TEST", name_id::PERSISTENT)),
        ("as her name for good alone", ann().named("ann@a.test", name_id::PERSISTENT).without("mail")),
        ("in another attribute", beside("bob@b.test", "ann@a.test")),
        ("in another attribute that comes first", beside("ann@a.test", "bob@b.test")),
        ("in another attribute, as no address", beside("ann@a.test", "ann")),
        ("as her address", Says::that("ceo@b.test")),
        ("as her name", ann().named("ceo@b.test", name_id::EMAIL_ADDRESS)),
        ("as her name of no format", ann().named("ceo@b.test", name_id::UNSPECIFIED)),
        ("as her name alone", ann().named("bob@b.test", name_id::EMAIL_ADDRESS).without("mail")),
        ("as a second value", ann().attribute("mail", &["ann@a.test", "bob@b.test"])),
        ("as a first value", ann().attribute("mail", &["bob@b.test", "ann@a.test"])),
        ("as a second attribute", two),
        ("not at all", ann().without("mail")),
        ("as her login", ann().without("mail").attribute("eduPersonPrincipalName", &["bob@b.test"])),
        ("as her upn", ann().without("mail").attribute("upn", &["bob@b.test"])),
        ("in a list", ann().attribute("mail", &["ann@a.test,bob@b.test"])),
        ("with two signs", ann().attribute("mail", &["ann@b.test@a.test"])),
        ("with a comment", ann().attribute("mail", &["ann@a.test(bob@b.test)"])),
        ("with brackets", ann().attribute("mail", &["ann@a.test <bob@b.test>"])),
        ("of a domain below", ann().attribute("mail", &["ann@sub.a.test"])),
        ("of a domain that ends alike", ann().attribute("mail", &["ann@nota.test"])),
        ("of a domain that begins alike", ann().attribute("mail", &["ann@a.test.b.test"])),
        ("of a domain that looks alike", ann().attribute("mail", &["ann@\u{430}.test"])),
        ("without a domain", ann().attribute("mail", &["ann"])),
        ("as a name that is no address", ann().named("ann@", name_id::EMAIL_ADDRESS)),
    ] {
        let (ask, mut mallory) = (rp1.asks(), Person::new("ann@a.test"));
        let before = house.before().await;
        let arrival = mallory.signs_in_by(&house, "ca", &ask, &says).await;
        assert_eq!(arrival.status(), 403, "{name}: {}", arrival.told());
        assert!(arrival.told_application("code").is_none(), "{name}");
        house.refused(&before, "email_domain_not_allowed").await;
        // The connection's administrator is told what was wrong with it.
        let told = house.events_since(&before).await.remove(0).detail;
        for fact in ["connection", "check", "expected", "found"] {
            assert!(told[fact].is_string(), "{name}: {told}");
        }
        // And of nobody who they are: the trail is kept for good (M09).
        let told = told.to_string().to_lowercase();
        assert!(!["ann@", "bob@", "ceo@"].iter().any(|address| told.contains(address)), "{name}: {told}");
    }
    // The same address, said more than once.
    for says in [beside("ann@a.test", "Ann@A.test"), ann().named("ann@a.test", name_id::PERSISTENT)] {
        let house = Plan::default().with_saml("ca", "").build().await;
        let ask = Application::rp1(&house).asks();
        let arrival = Person::new("ann@a.test").signs_in_by(&house, "ca", &ask, &says).await;
        assert_eq!(ask.redeems(&arrival).await.id["email"], "ann@a.test");
    }
    // A Kerberos principal is written like an address, and is none; the address is the attribute's alone.
    let elsewhere = Plan::default().with_saml("ca", "").build().await;
    let ask = Application::rp1(&elsewhere).asks();
    let says = ann().named("ann@CORP.LOCAL", name_id::KERBEROS);
    let arrival = Person::new("ann@a.test").signs_in_by(&elsewhere, "ca", &ask, &says).await;
    assert_eq!(ask.redeems(&arrival).await.id["email"], "ann@a.test");
    // Under her name at the provider she is nobody else, whatever that is.
    let ask = rp1.asks();
    let says = ann().named("id-of-bob", name_id::PERSISTENT);
    let arrival = Person::new("ann@a.test").signs_in_by(&house, "ca", &ask, &says).await;
    assert_ne!(ask.redeems(&arrival).await.id["sub"], bob.id["sub"]);

    let ask = rp1.asks();
    let arrival = Person::new("bob@b.test").follows(&ask).await;
    let again = ask.redeems(&arrival).await;
    assert_eq!((&again.id["sub"], &again.id["org_id"]), (&bob.id["sub"], &bob.id["org_id"]));
}

#[tokio::test]
async fn c01_m09_of_several_addresses_none_is_chosen_and_none_is_told() {
    let house = Plan::default().with_saml("ca", "required_attributes = { dept = \"Staff\" }\n").build().await;
    let ann = || Says::that("ann@a.test").attribute("dept", &["Staff"]);
    let several = &["ann@a.test", "owner@a.test"];
    for (reason, found, says) in [
        (
            "email_ambiguous",
            "[10 characters, at a.test], [12 characters, at a.test]",
            ann().attribute("mail", several),
        ),
        (
            "email_ambiguous",
            "[10 characters, at a.test], [12 characters, at a.test]",
            ann().attribute("mail", several).named("ann@a.test", name_id::EMAIL_ADDRESS),
        ),
        (
            "email_ambiguous",
            "[12 characters, at a.test], [10 characters, at a.test]",
            ann().attribute("mail", &["ann@a.test"]).attribute("email", &["owner@a.test"]),
        ),
        (
            "required_attribute",
            "[5 characters]; one differs in case or white space alone",
            ann().attribute("dept", &["staff"]),
        ),
        ("required_attribute", "[6 characters]", ann().attribute("dept", &["intern"])),
        ("required_attribute", "no such attribute", ann().without("dept")),
        ("name_id", "[11 characters, at a.test]", ann().named(" ann@a.test", name_id::EMAIL_ADDRESS)),
        ("name_id", "[300 characters]", ann().named(&"x".repeat(300), name_id::PERSISTENT)),
    ] {
        let (ask, before) = (Application::rp1(&house).asks(), house.before().await);
        let arrival = Person::new("ann@a.test").signs_in_by(&house, "ca", &ask, &says).await;
        assert_eq!(arrival.status(), 403, "{reason}: {}", arrival.told());
        house.refused(&before, reason).await;
        assert_eq!(house.events_since(&before).await[0].detail["found"], found, "{reason}");
    }
}

/// Nothing is wrong with the address: it is the organization that nobody acts for any more.
#[tokio::test]
async fn c01_m09_where_the_organization_is_deactivated_that_is_what_its_administrator_is_told() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let house = Plan { engine, ..Plan::saml() }.build().await;
        let (ask, mut bob) = (Application::rp1(&house).asks(), Person::new("bob@b.test"));
        let asked = bob.leaves_for(&house, "cb", &ask).await;
        house.execute("UPDATE organizations SET deactivated_at = 1 WHERE slug = 'org-b'").await;
        let before = house.before().await;
        let arrival =
            bob.returns(&ask, &asked, house.saml("cb").answers(&asked, &Says::that("bob@b.test"))).await;
        assert_eq!(arrival.error(), ("access_denied".into(), "organization_not_allowed".into()));
        house.refused(&before, "organization_inactive").await;
        let detail = house.events_since(&before).await[0].detail.clone();
        let told =
            ["check", "expected", "found"].map(|name| detail[name].as_str().unwrap_or_default().to_owned());
        assert_eq!(
            told,
            ["organization_inactive", "an organization that is active", "one that is deactivated"]
        );
    }
}
