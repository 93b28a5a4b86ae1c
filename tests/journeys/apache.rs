//! A website behind Apache with `mod_auth_openidc`, in a real browser.

use behalf::foundation::clock::Clock;

use crate::house::apache::Place;
use crate::house::broker::{House, Plan, RP1_SECRET};
use crate::house::browser::Person;

const URIS: &str = "redirect_uris = [\"https://rp1.test/callback\"]\n";

async fn house(place: &Place) -> House {
    let own = format!(
        "redirect_uris = [\"{}\"]\npost_logout_redirect_uris = [\"{}\"]\nbackchannel_logout_uri = \"{}\"\n",
        place.at("/app/redirect_uri"),
        place.at("/bye"),
        place.at("/app/redirect_uri?logout=backchannel"),
    );
    Plan { clock: Clock::System, ..Plan::default() }.with(URIS, &own).build().await
}

#[tokio::test]
async fn s2_24_m03_a_website_behind_apache_signs_people_in_and_out() {
    let place = Place::found();
    let house = house(&place).await;
    let apache = place.opens(&house.url, ("rp1", RP1_SECRET)).await;
    let con = Person::arrives().await;
    // They act for another company, and the website is told so.
    con.opens(&apache.at("/app/")).await;
    con.types("Work email", "con@a.test").await;
    con.presses("Continue").await;
    con.presses_what_says("B Corporation").await;
    con.sees("email: con@a.test").await;
    con.sees("org_name: org-b").await;
    con.sees(&format!("org_id: {}", house.organization("org-b").await)).await;

    // The website signs them out, here too, and has them back.
    let back: String = form_urlencoded::byte_serialize(apache.at("/bye").as_bytes()).collect();
    con.opens(&apache.at(&format!("/app/redirect_uri?logout={back}"))).await;
    con.sees("back at the website").await;
    con.opens(&apache.at("/app/")).await;
    con.types("Work email", "con@a.test").await;
    con.presses("Continue").await;
    con.presses_what_says("B Corporation").await;
    con.sees("org_name: org-b").await;

    // Signed out here, they are signed out there: it is told at its back.
    con.opens(&format!("{}/logout", house.url)).await;
    con.presses("Sign out").await;
    con.sees("You are signed out").await;
    con.opens(&apache.at("/app/")).await;
    con.sees("org_name: org-b").await;
    let told = house.tells().await;
    let failure = house.text("SELECT MAX(failure) FROM logout_notices").await;
    assert!(told > 0, "{failure:?} {}", apache.log());
    con.opens(&apache.at("/app/")).await;
    con.types("Work email", "con@a.test").await;
}
