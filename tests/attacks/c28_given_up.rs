//! C28: whoever has given a login up, or begun it again, is not signed in by what was under way in it.

use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, yield_now};
use url::Url;

use crate::house::application::{Application, Ask, Person};
use crate::house::broker::House;
use crate::house::form::Form;
use crate::house::lying_idp::Door;
use crate::house::visitor::Answer;

/// A login whose provider is being asked.
struct UnderWay {
    /// A button of the login's first page.
    press: Form,
    loading: JoinHandle<Answer>,
    let_go: Arc<Semaphore>,
}

impl UnderWay {
    async fn of(house: &House, con: &mut Person, ask: &Ask, button: &str) -> Self {
        let first = con.browser.get(&ask.url()).await;
        let press = first.form_with_button(button).with(button, "yes");
        let at_callback = |next: &Url| next.path().ends_with("/callback");
        let back = con.walks(ask, first, at_callback).await.answer.location().unwrap();
        let let_go = Arc::new(Semaphore::new(0));
        house.idp_a.door("/token", Some(Door::Waits(Arc::clone(&let_go))));
        let (mut slow, asked) = (con.browser.clone(), house.idp_a.hits("/token"));
        let loading = tokio::spawn(async move { slow.get(back.as_str()).await });
        while house.idp_a.hits("/token") == asked {
            yield_now().await;
        }
        Self { press, loading, let_go }
    }

    /// The provider answers, and nobody gets a session for that.
    async fn ends(self) -> Answer {
        self.let_go.add_permits(1);
        let late = self.loading.await.unwrap();
        let mut cookies = late.headers.get_all("set-cookie").iter();
        let is_session = cookies.any(|cookie| cookie.as_bytes().starts_with(b"__Host-behalf="));
        assert!(!is_session, "{:?}", late.headers);
        late
    }
}

#[tokio::test]
async fn c28_whoever_gives_up_while_their_provider_is_asked_is_not_signed_in_by_its_answer() {
    let house = House::opens().await;
    let rp1 = Application::rp1(&house);
    // Another account may have been asked for before.
    for prompt in ["login", "select_account"] {
        let (ask, before) = (rp1.asks().with("prompt", prompt), house.before().await);
        let mut con = Person::new("con@a.test");
        let login = UnderWay::of(&house, &mut con, &ask, "cancel").await;
        let told = con.browser.submit(&login.press).await.location().unwrap();
        assert!(told.query().unwrap().contains("error=access_denied"), "{told}");
        assert_eq!(login.ends().await.location(), Some(told), "{prompt}");

        let mut con = Person::new("con@a.test");
        let login = UnderWay::of(&house, &mut con, &ask, "another_account").await;
        let asked = con.browser.submit(&login.press).await;
        let form = asked.form_with("email");
        let stands = login.ends().await.location().unwrap();
        assert!(form.action.path().starts_with(stands.path()), "{prompt}: {stands}");
        house.told_refusal(&before, &["cancelled"]).await;
        house.unchanged(&before).await;
    }
}

#[tokio::test]
async fn c28_whoever_signs_in_as_somebody_else_meanwhile_stays_that() {
    let house = House::opens().await;
    let ask = Application::rp1(&house).asks();
    let mut con = Person::new("con@a.test");
    let login = UnderWay::of(&house, &mut con, &ask, "another_account").await;
    let mut bob = Person { browser: con.browser, email: "bob@b.test".to_owned() };
    let page = bob.browser.submit(&login.press).await;
    let arrival = bob.goes_on(&ask, page).await;
    let who = ask.redeems(&arrival).await.id["sub"].clone();
    let before = house.before().await;
    login.ends().await;
    house.unchanged(&before).await;
    let silent = Application::rp2(&house).asks().with("prompt", "none");
    let still = bob.follows(&silent).await;
    assert_eq!(silent.redeems(&still).await.id["sub"], who);
    assert_eq!(house.count("sessions").await, 1);
}
