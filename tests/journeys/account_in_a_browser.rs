//! Somebody's own account in a real browser: for eyes, for screen readers, and without a mouse.

use crate::house::application::{Application, Person as Plain};
use crate::house::broker::{House, Plan};
use crate::house::browser::{Browser, Key, Person};

/// Con, signed in at three places, with two applications, and a member of so many further organizations.
async fn street(further: usize) -> House {
    let name = |number| format!("further-{number}");
    let house = Plan::default().build().await;
    let mut user = None;
    for organization in ["org-a", "org-b"] {
        let mut con = Plain::new("con@a.test");
        for application in [Application::rp1(&house), Application::rp2(&house)] {
            let ask = application.asks().with("login_hint", "con@a.test").with("organization", organization);
            let arrival = con.follows(&ask).await;
            user = Some(ask.redeems(&arrival).await.id["sub"].as_str().unwrap().parse().unwrap());
        }
        house.turn_clock(7_200);
    }
    // Later ones, which come after the others on the page.
    let more: String = (0..further).map(|number| format!("[organization.{}]\n", name(number))).collect();
    house.provision(&more).await;
    for number in 0..further {
        house.joins(user.unwrap(), &name(number), &["member"]).await;
    }
    house
}

/// Signs in for the account, where nothing is behind it.
async fn arrives(house: &House, browser: Browser, german: bool) -> Person {
    let con = browser.open().await;
    con.opens(&format!("{}/account", house.url)).await;
    let (email, go_on) =
        if german { ("Geschäftliche E-Mail-Adresse", "Weiter") } else { ("Work email", "Continue") };
    con.types(email, "con@a.test").await;
    con.presses(go_on).await;
    con.sees("A Corporation").await;
    con
}

/// The pages, and what stands on each.
const PAGES: [(&str, &str, &str); 4] = [
    ("organizations", "/account", "A Corporation"),
    ("more-organizations", "", "B Corporation"),
    ("sessions", "/account/sessions", "A Login"),
    ("applications", "/account/applications", "First App"),
];

#[tokio::test]
async fn the_account_is_clean_for_screen_readers_in_both_languages_and_schemes() {
    let house = street(8).await;
    for (german, dark, phone) in
        [(false, false, false), (true, true, true), (false, true, false), (true, false, true)]
    {
        let mut browser = Browser::default().speaking(if german { "de" } else { "en" });
        if dark {
            browser = browser.dark();
        }
        if phone {
            browser = browser.phone();
        }
        let con = arrives(&house, browser, german).await;
        let clean = async |page: &str| {
            let found = con.axe().await;
            assert!(found.is_empty(), "{page}, german: {german}, dark: {dark}, phone: {phone}: {found:?}");
            let wide = "return document.documentElement.scrollWidth > document.documentElement.clientWidth";
            assert_eq!(con.evaluates(wide, vec![]).await, false, "{page} is wider than the screen");
            if let Ok(folder) = std::env::var("BEHALF_TEST_PICTURES") {
                let name = format!("{page}-{german}-{dark}-{phone}.png");
                con.screenshot(std::path::Path::new(&folder).join(name)).await;
            }
        };
        for (name, path, text) in PAGES {
            match path {
                "" => con.presses_what_says(if german { "Weiter" } else { "Next" }).await,
                path => con.opens(&format!("{}{path}", house.url)).await,
            }
            con.sees(text).await;
            clean(name).await;
        }
        let a = house.organization("org-a").await;
        con.opens(&format!("{}/account/organizations/{a}/leave", house.url)).await;
        con.sees("A Corporation").await;
        clean("leave").await;
        con.opens(&format!("{}/account?done=switched", house.url)).await;
        con.sees("A Corporation").await;
        clean("done").await;
        con.opens(&format!("{}/account/organizations/x/leave", house.url)).await;
        con.sees(if german { "Hier ist nichts" } else { "There is nothing here" }).await;
        clean("nothing").await;
    }
}

#[tokio::test]
async fn a_person_ends_a_session_and_an_application_with_the_keyboard_alone() {
    let house = street(0).await;
    let con = arrives(&house, Browser::default().without_scripts(), false).await;
    let reaches = async |text: &str| {
        for _ in 0..30 {
            con.keys(&[Key::Tab]).await;
            if con.focus().await.contains(text) {
                return;
            }
        }
        panic!("the keyboard does not reach {text}");
    };
    reaches("Where you are signed in").await;
    con.keys(&[Key::Enter]).await;
    con.sees("This browser").await;
    reaches("End the session of").await;
    con.keys(&[Key::Enter]).await;
    con.sees("The session has ended.").await;
    assert_eq!(house.events_of("session.ended").await, 1);
    reaches("Your applications").await;
    con.keys(&[Key::Enter]).await;
    con.sees("First App").await;
    reaches("End it for First App").await;
    con.keys(&[Key::Enter]).await;
    con.sees("holds nothing of that any more").await;
    assert_eq!(house.events_of("grant.taken_back").await, 1);
    reaches("Your organizations").await;
    con.keys(&[Key::Enter]).await;
    reaches("Leave A Corporation").await;
    con.keys(&[Key::Enter]).await;
    con.sees("Leave A Corporation?").await;
    reaches("Leave A Corporation").await;
    con.keys(&[Key::Enter]).await;
    con.sees("You belong to no organization here.").await;
    reaches("Sign out").await;
}
