//! H04 by SAML: a connection that is changed while somebody is away at it does not complete their login.

use crate::house::application::{Application, Person};
use crate::house::broker::Plan;
use crate::house::lying_saml_idp::{Says, Signer, posts};
use crate::house::surgery::{swap, swap_all};

#[tokio::test]
async fn h04_a_saml_connection_that_changed_meanwhile_refuses_those_who_are_away() {
    let house = Plan::saml().build().await;
    let (file, metadata) = (house.file.clone(), house.saml("cb").metadata());
    let block = file.find("[connection.cb]").unwrap();
    let changed = |old: &str, new: &str| format!("{}{}", &file[..block], swap(&file[block..], old, new));
    let active = "state = \"active\"";
    let other = Signer::new("other", house.clock.now());
    let certificate = house.saml("cb").signer.certificate.base64();
    for (what, file, metadata) in [
        ("disabled", changed(active, "state = \"disabled\""), metadata.clone()),
        ("a draft again", changed(active, "state = \"draft\""), metadata.clone()),
        (
            "another way to join",
            changed("jit = \"create_and_join\"", "jit = \"expected_only\""),
            metadata.clone(),
        ),
        (
            "what it wants signed",
            changed(active, "state = \"active\"\nwant_signed = \"response\""),
            metadata.clone(),
        ),
        ("another certificate", file.clone(), swap(&metadata, &certificate, &other.certificate.base64())),
        (
            "another entity",
            file.clone(),
            swap_all(&metadata, "https://idp-cb.test/metadata", "https://idp.test/metadata"),
        ),
    ] {
        let (ask, mut bob) = (Application::rp1(&house).asks(), Person::new("bob@b.test"));
        let asked = bob.leaves_for(&house, "cb", &ask).await;
        let xml = house.saml("cb").answers(&asked, &Says::that("bob@b.test"));
        house.writes("cb.xml", &metadata);
        house.provision(&file).await;
        let before = house.before().await;
        let arrival = bob.returns(&ask, &asked, &xml).await;
        assert_eq!(arrival.status(), 403, "{what}: {}", arrival.told());
        let reasons =
            ["connection", "connection_changed", "signature_missing", "signature_invalid", "issuer_response"];
        house.refused_for_one_of(&before, &reasons).await;

        house.writes("cb.xml", &house.saml("cb").metadata());
        house.provision(&house.file).await;
        let before = house.before().await;
        assert_eq!(bob.returns(&ask, &asked, &xml).await.status(), 403, "{what}: nor afterwards");
        house.unchanged(&before).await;
        let (ask, mut bob) = (Application::rp1(&house).asks(), Person::new("bob@b.test"));
        let arrival = bob.signs_in_by(&house, "cb", &ask, &Says::that("bob@b.test")).await;
        ask.redeems(&arrival).await;
    }
}

/// Between the answer, which is judged where it is posted, and the browser that takes it up.
#[tokio::test]
async fn h04_nor_is_taken_up_what_was_judged_before_the_change() {
    let house = Plan::saml().build().await;
    let (ask, mut bob) = (Application::rp1(&house).asks(), Person::new("bob@b.test"));
    let asked = bob.leaves_for(&house, "cb", &ask).await;
    let xml = house.saml("cb").answers(&asked, &Says::that("bob@b.test"));
    let posted = posts(&mut bob.browser, &asked, &xml).await;
    assert_eq!(posted.status, 303);
    let changed = house.file.replace(
        "organization = \"org-b\"\ndisplay_name = \"B Login\"\nstate = \"active\"",
        "organization = \"org-b\"\ndisplay_name = \"B Login\"\nstate = \"disabled\"",
    );
    assert_ne!(changed, house.file);
    house.provision(&changed).await;
    let before = house.before().await;
    let taken = bob.browser.follow(&posted).await;
    let arrival = bob.goes_on(&ask, taken).await;
    assert_eq!(arrival.status(), 403, "{}", arrival.told());
    house.refused(&before, "connection_changed").await;
}
