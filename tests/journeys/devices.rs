//! A device without a browser: it shows a code, and its person signs in at another one (RFC 8628).

use std::path::Path;
use std::process::Stdio;

use behalf::foundation::clock::Clock;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

use crate::house::application::{Application, Person, Proof};
use crate::house::broker::{Engine, House, Plan, RP1_SECRET};
use crate::house::browser::Browser;
use crate::house::device::{Device, SCOPE, plan, pressed};
use crate::house::node::Node;

#[tokio::test]
async fn s2_26_the_person_picks_the_organization_at_the_second_device() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let house = plan(Plan::on(engine)).build().await;
        let (a, b) = (house.organization("org-a").await, house.organization("org-b").await);
        let tv = Device::television(&house);
        let device = Device::asks(&tv, &[SCOPE]).await;
        assert_eq!((&device.told["expires_in"], &device.told["interval"]), (&json!(600), &json!(5)));
        assert_eq!(device.told["verification_uri"], json!(format!("{}/device", house.url)));
        assert_eq!(
            device.complete(),
            format!("{}/device?user_code={}", house.url, device.user_code()),
            "the code as it is read"
        );
        assert_eq!(device.is_told().await, "authorization_pending");

        let mut con = Person::new("con@a.test");
        let picker = con.types_code(&device).await;
        assert_eq!(picker.choices(), ["A Corporation", "B Corporation"]);
        assert!(picker.answer.body.contains("Television"), "{}", picker.told());
        let page = con.picks(&device.ask(), &picker, "B Corporation").await;
        let words = [
            "Television",
            "B Corporation",
            "A Corporation",
            "con@a.test",
            "127.0.0.1",
            "Let this device in?",
        ];
        for words in words.iter().copied().chain([device.user_code().as_str()]) {
            assert!(page.answer.body.contains(words), "{words}: {}", page.told());
        }
        house.turn_clock(5);
        assert_eq!(device.is_told().await, "authorization_pending", "nobody has pressed anything");
        let form = page.answer.form_with_button("answer");
        let done = con.browser.submit(&form.with("answer", "allow")).await;
        assert!(done.body.contains("The device is let in"), "{}", done.body);

        let tokens = device.tokens().await;
        assert_eq!((&tokens.id["org_id"], &tokens.id["home_org_id"]), (&json!(b), &json!(a)));
        assert_eq!(tokens.id["email"], json!("con@a.test"));
        assert!(tokens.id.get("nonce").is_none() && tokens.id.get("act").is_none(), "{}", tokens.id);
        assert_eq!(tokens.access["client_id"], json!("tv"));
        assert_eq!(tv.userinfo(&tokens.access_token).await.status, 200);
        let again = device.ask().reads_again(&tv.refreshes(tokens.refresh()).send().await).await;
        assert_eq!(again.access["grant_id"], tokens.access["grant_id"]);
        assert_eq!(again.id["org_id"], json!(b));
        assert_eq!(device.is_told().await, "invalid_grant", "once");
        assert_eq!(tv.userinfo(&again.access_token).await.status, 200, "whoever asks again ends nothing");
        for action in ["device.requested", "device.approved", "token.issued"] {
            assert_eq!(house.events_of(action).await, 1, "{action}");
        }
        let approved =
            house.audit().await.into_iter().find(|event| event.action == "device.approved").unwrap();
        assert_eq!(
            (approved.organization, approved.actor),
            (Some(b), tokens.id["sub"].as_str().unwrap().to_owned())
        );
        assert_eq!(approved.detail["home_organization"], json!(a));
        assert_eq!(approved.detail["device_address"], json!("127.0.0.1"));
    }
}

#[tokio::test]
async fn s2_26_the_device_asks_for_an_organization() {
    let house = plan(Plan::default()).build().await;
    let (a, b) = (house.organization("org-a").await, house.organization("org-b").await);
    let tv = Device::television(&house);
    let scope = format!("openid organization:{b}");
    for (fields, expected) in [
        (vec![SCOPE, ("organization", "org-b")], &b),
        (vec![SCOPE, ("organization_id", a.as_str())], &a),
        (vec![("scope", scope.as_str())], &b),
    ] {
        let device = Device::asks(&tv, &fields).await;
        let mut con = Person::new("con@a.test");
        let page = con.types_code(&device).await;
        assert!(!page.is_picker(), "{fields:?}: {}", page.told());
        let form = page.answer.form_with_button("answer");
        con.browser.submit(&form.with("answer", "allow")).await;
        assert_eq!(device.tokens().await.id["org_id"], json!(expected), "{fields:?}");
    }
    // What is not theirs, and what there is not, read the same, here and at the device.
    for name in ["org-c", "nobody"] {
        let device = Device::asks(&tv, &[SCOPE, ("organization", name)]).await;
        let page = Person::new("con@a.test").types_code(&device).await;
        assert_eq!(page.status(), 403, "{}", page.told());
        assert!(page.answer.body.contains("You cannot continue with this organization"), "{}", page.told());
        assert_eq!(device.is_told().await, "authorization_pending");
    }
    // Who has one only is asked nothing but whether the device comes in.
    let device = Device::asks(&tv, &[SCOPE]).await;
    Person::new("ann@a.test").lets_in(&device, "A Corporation").await;
    assert_eq!(device.tokens().await.id["org_id"], json!(a));
    // Unless the device wants them to see it.
    let device = Device::asks(&tv, &[SCOPE, ("prompt", "select_organization")]).await;
    assert!(Person::new("ann@a.test").types_code(&device).await.is_picker());
}

#[tokio::test]
async fn s2_26_whoever_is_signed_in_already_is_asked_all_the_same() {
    let house = plan(Plan::default()).build().await;
    let tv = Device::television(&house);
    let rp1 = Application::rp1(&house);
    let mut ann = Person::new("ann@a.test");
    ann.follows(&rp1.asks()).await.code();
    let sessions = house.count("sessions").await;
    let device = Device::asks(&tv, &[SCOPE]).await;
    let page = ann.types_code(&device).await;
    assert!(page.answer.body.contains("Let this device in?"), "{}", page.told());
    assert_eq!(house.count("sessions").await, sessions, "she is known");
    // One that asks for a fresh proof gets one.
    ann.browser.submit(&pressed(&page.answer.form_with_button("answer"), "allow")).await;
    let begun = device.tokens().await.id["auth_time"].as_i64().unwrap();
    house.turn_clock(60);
    let device = Device::asks(&tv, &[SCOPE, ("prompt", "login")]).await;
    ann.lets_in(&device, "A Corporation").await;
    assert_eq!(device.tokens().await.id["auth_time"], json!(begun + 60));
}

#[tokio::test]
async fn s2_27_a_native_application_is_let_in_by_a_code_where_its_settings_say_so() {
    let house = plan(Plan::default()).build().await;
    let cli = Application::new(&house, "cli", Proof::Nothing);
    let device = Device::asks(&cli, &[("scope", "openid email")]).await;
    Person::new("ann@a.test").lets_in(&device, "A Corporation").await;
    assert!(device.tokens().await.refresh_token.is_none(), "nobody has said that it may stay");
}

#[tokio::test]
async fn s2_26_the_pages_speak_the_language_of_the_person() {
    let house = plan(Plan::default()).build().await;
    let device = Device::asks(&Device::television(&house), &[SCOPE]).await;
    let mut ann = Person::new("ann@a.test");
    let german = format!("{}&ui_locales=de", device.complete());
    let page = ann.browser.get(&german).await;
    assert!(page.body.contains("Melden Sie sich zuerst an"), "{}", page.body);
    // She goes on in it, whatever her browser speaks.
    let page = ann.is_asked_for_a_code(&device.ask(), &german).await;
    assert!(page.body.contains("Code auf Ihrem Gerät"), "{}", page.body);
    assert_eq!(page.form_with("user_code").value("user_code"), Some(device.user_code().as_str()));
    // As it was read aloud, and from somewhere else altogether.
    let typed = device.user_code().to_lowercase().replace('-', " ");
    let next = ann.browser.submit(&page.form_with("user_code").with("user_code", &typed)).await;
    let next = ann.goes_on(&device.ask(), next).await;
    for words in ["Television", "Dieses Gerät hereinlassen?"] {
        assert!(next.answer.body.contains(words), "{words}: {}", next.told());
    }
}

/// Types a code, signs in and lets the device in.
async fn lets_in(person: &mut Person, house: &House, address: &str, organization: &str) {
    let ask = Device::television(house).asks();
    let page = person.is_asked_for_a_code(&ask, address).await;
    let next = person.browser.submit(&page.form_with("user_code")).await;
    let mut page = person.goes_on(&ask, next).await;
    if page.is_picker() {
        page = person.picks(&ask, &page, organization).await;
    }
    let done = person.browser.submit(&pressed(&page.answer.form_with_button("answer"), "allow")).await;
    assert!(done.body.contains("The device is let in"), "{}", done.body);
}

#[tokio::test]
async fn s2_26_the_sample_device_is_let_in() {
    // It lives by the machine's clock.
    let house = plan(Plan { clock: Clock::System, ..Plan::default() }).build().await;
    let program = Path::new(env!("CARGO_BIN_EXE_behalf")).with_file_name("examples").join("device");
    let mut device = Command::new(program)
        .args([&house.url, "terminal", "org-b"])
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(device.stdout.take().unwrap()).lines();
    let first = lines.next_line().await.unwrap().unwrap();
    assert!(first.starts_with(&format!("Open {}/device on another device and type ", house.url)), "{first}");
    let second = lines.next_line().await.unwrap().unwrap();
    let address = second.strip_prefix("Or open ").unwrap().strip_suffix(" there.").unwrap().to_owned();
    lets_in(&mut Person::new("con@a.test"), &house, &address, "B Corporation").await;
    lines.next_line().await.unwrap();
    let last = lines.next_line().await.unwrap().unwrap();
    assert_eq!(last, "Signed in as con@a.test, for org-b.");
    assert!(device.wait().await.unwrap().success());
}

#[tokio::test]
async fn s2_27_the_sample_program_on_ones_own_computer_signs_in() {
    let house = plan(Plan::default()).build().await;
    let program = Path::new(env!("CARGO_BIN_EXE_behalf")).with_file_name("examples").join("native");
    let mut native = Command::new(program)
        .args([&house.url, "cli"])
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(native.stdout.take().unwrap()).lines();
    let first = lines.next_line().await.unwrap().unwrap();
    let mut con = Person::new("con@a.test");
    let page = con.browser.get(first.strip_prefix("Open ").unwrap()).await;
    let ask = Application::new(&house, "cli", Proof::Nothing).asks();
    let is_back = |url: &url::Url| {
        url.path() == "/callback" && url.port() != house.url.parse::<url::Url>().unwrap().port()
    };
    let picker = con.walks(&ask, page, is_back).await;
    let button = picker.answer.form_with_button("choice");
    let at = picker.choices().iter().position(|name| name == "B Corporation").unwrap();
    let back = con.browser.submit(&button.clone().with("choice", &button.buttons[at].1)).await;
    let done = con.browser.follow(&back).await;
    assert_eq!(done.body, "You can close this page.");
    assert_eq!(lines.next_line().await.unwrap().unwrap(), "Signed in as con@a.test, for org-b.");
    assert!(native.wait().await.unwrap().success());
}

/// A client of other authors, at this application.
async fn strict(house: &House, client_id: &str, method: &str, scope: &str) -> Node {
    let settings = json!({ "issuer": house.url, "client_id": client_id, "client_secret": RP1_SECRET,
        "redirect_uri": "https://rp1.test/callback", "token_endpoint_auth_method": method, "scope": scope });
    Node::start("oauth4webapi_client", settings).await
}

#[tokio::test]
async fn s2_26_a_strict_client_of_other_authors_is_let_in_and_has_its_tokens_exchanged() {
    let exchange = "urn:ietf:params:oauth:grant-type:token-exchange";
    let box_ = format!(
        "\n[application.settop]\ntype = \"web\"\nredirect_uris = [\"https://rp1.test/callback\"]\n\
         client_secrets = [{{ env = \"RP1_SECRET\" }}]\ngrant_types = [\"authorization_code\", \"{exchange}\"]\n\
         audiences = [\"orders\"]\nmay_act = [\"orders\"]\n\
         [application.orders]\ntype = \"machine\"\nclient_secrets = [{{ env = \"RP1_SECRET\" }}]\n\
         grant_types = [\"{exchange}\"]\nexchange_audiences = [\"billing\"]\nscopes = [\"openid\"]\n"
    );
    let house = plan(Plan { clock: Clock::System, ..Plan::default() }).and(&box_).build().await;
    let mut device = strict(&house, "tv", "none", "openid email offline_access").await;
    let told = device.ask("device", json!({ "parameters": { "organization": "org-b" } })).await;
    let waiting = device.try_ask("poll", json!({})).await.unwrap_err();
    assert_eq!(waiting["error"], "authorization_pending", "{waiting}");
    let hurried = device.try_ask("poll", json!({})).await.unwrap_err();
    assert_eq!(hurried["error"], "slow_down", "{hurried}");
    let address = told["verification_uri_complete"].as_str().unwrap().to_owned();
    lets_in(&mut Person::new("con@a.test"), &house, &address, "B Corporation").await;
    let result = device.ask("poll", json!({})).await;
    assert_eq!(result["claims"]["org_name"], "org-b", "{result}");
    assert_eq!(result["claims"]["email"], "con@a.test");
    let refreshed = device.ask("refresh", json!({})).await;
    assert_eq!(refreshed["claims"]["org_name"], "org-b", "{refreshed}");
    let again = device.try_ask("poll", json!({})).await.unwrap_err();
    assert_eq!(again["error"], "invalid_grant", "{again}");

    // And at an application with a secret: to another organization, and to another party that acts.
    let mut settop = strict(&house, "settop", "client_secret_basic", "openid email organization").await;
    let parameters = json!({ "organization": "org-a", "login_hint": "con@a.test" });
    let begun = settop.ask("begin", json!({ "parameters": parameters })).await;
    let ask = Application::new(&house, "rp1", Proof::Nothing).asks();
    let mut con = Person::new("con@a.test");
    let first = con.browser.get(begun["url"].as_str().unwrap()).await;
    let arrival = con.goes_on(&ask, first).await;
    let callback = arrival.answer.location().unwrap();
    let own = settop.ask("finish", json!({ "callback_url": callback.as_str() })).await;
    let own = own["token_response"]["access_token"].clone();
    let of = |more: Value| {
        let mut parameters = json!({ "subject_token": own,
            "subject_token_type": "urn:ietf:params:oauth:token-type:access_token" });
        parameters.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({ "parameters": parameters })
    };
    let of_b = settop.ask("exchange", of(json!({ "organization": "org-b" }))).await;
    assert_eq!(of_b["issued_token_type"], "urn:ietf:params:oauth:token-type:access_token", "{of_b}");
    let told = settop.ask("introspect", json!({ "token": of_b["access_token"] })).await;
    assert_eq!(told["org_name"], "org-b", "{told}");
    let mut orders = strict(&house, "orders", "client_secret_basic", "openid").await;
    let acted = orders.ask("exchange", of(json!({ "audience": "billing" }))).await;
    let told = orders.ask("introspect", json!({ "token": acted["access_token"], "signed": true })).await;
    assert_eq!((&told["act"]["sub"], &told["aud"]), (&json!("orders"), &json!("billing")), "{told}");
    let refused = orders.try_ask("exchange", of(json!({ "audience": "ledger" }))).await.unwrap_err();
    assert_eq!(refused["error"], "invalid_target", "{refused}");
}

#[tokio::test]
async fn s2_26_everybody_can_use_the_pages_of_a_device() {
    for (browser, english) in [
        (Browser::default(), true),
        (Browser::default().dark().phone(), true),
        (Browser::default().speaking("de").phone(), false),
        (Browser::default().speaking("de").dark(), false),
    ] {
        let house = plan(Plan::default()).build().await;
        let device = Device::asks(&Device::television(&house), &[SCOPE, ("organization", "org-b")]).await;
        let person = browser.open().await;
        let said = |one: &'static str, other: &'static str| if english { one } else { other };
        let clean = async |page: &str| {
            let found = person.axe().await;
            assert!(found.is_empty(), "{page}: {found:?}");
        };
        person.opens(&format!("{}/device", house.url)).await;
        person.sees(said("Sign in first", "Melden Sie sich zuerst an")).await;
        clean("stranger").await;
        person.presses(said("Sign in", "Anmelden")).await;
        person.types(said("Work email", "Geschäftliche E-Mail-Adresse"), "con@a.test").await;
        person.presses(said("Continue", "Weiter")).await;
        person.sees(said("Code on your device", "Code auf Ihrem Gerät")).await;
        clean("code").await;
        person.types(said("Code on your device", "Code auf Ihrem Gerät"), "BBBB-BBBB").await;
        person.presses(said("Continue", "Weiter")).await;
        person.sees(said("No device waits with this code", "Kein Gerät wartet mit diesem Code")).await;
        clean("wrong").await;
        person.opens(&device.complete()).await;
        person.presses(said("Continue", "Weiter")).await;
        person.sees("Television").await;
        person.sees(said("Let this device in?", "Dieses Gerät hereinlassen?")).await;
        person.sees(Box::leak(device.user_code().into_boxed_str())).await;
        clean("question").await;
        house.turn_clock(300);
        person.opens(&device.complete()).await;
        person.presses(said("Continue", "Weiter")).await;
        person.sees(said("Be sure that it is yours", "Seien Sie sicher, dass es Ihres ist")).await;
        clean("late").await;
        person.presses(said("Let this device in", "Dieses Gerät hereinlassen")).await;
        person.sees(said("The device is let in", "Das Gerät ist hereingelassen")).await;
        clean("let in").await;
        device.tokens().await;
        let other = Device::asks(&Device::television(&house), &[SCOPE, ("organization", "org-b")]).await;
        person.opens(&other.complete()).await;
        person.presses(said("Continue", "Weiter")).await;
        person.presses(said("Do not let it in", "Nicht hereinlassen")).await;
        person.sees(said("The device was not let in", "Das Gerät wurde nicht hereingelassen")).await;
        clean("not let in").await;
        assert_eq!(other.is_told().await, "access_denied");
    }
}

#[tokio::test]
async fn s2_26_whoever_goes_back_in_their_browser_chooses_again() {
    let house = plan(Plan::default())
        .and("[organization.org-d]\ndisplay_name = \"D Corporation\"\n")
        .and("[[delegation]]\nhome = \"org-a\"\ntarget = \"org-d\"\nroles = [\"member\"]\n")
        .build()
        .await;
    let device = Device::asks(&Device::television(&house), &[SCOPE]).await;
    let person = Browser::default().open().await;
    person.opens(&device.complete()).await;
    person.presses("Sign in").await;
    person.types("Work email", "con@a.test").await;
    person.presses("Continue").await;
    person.sees("Code on your device").await;
    person.presses("Continue").await;
    person.sees("Who are you acting for?").await;
    person.sees("D Corporation").await;
    person.sees("does not let devices in").await;
    let found = person.axe().await;
    assert!(found.is_empty(), "{found:?}");
    person.presses_what_says("B Corporation").await;
    person.sees("Let this device in?").await;
    person.evaluates("history.back()", Vec::new()).await;
    person.sees("Who are you acting for?").await;
    person.presses_what_says("B Corporation").await;
    person.sees("Let this device in?").await;
    person.presses("Act for another organization").await;
    person.sees("Who are you acting for?").await;
    person.presses_what_says("B Corporation").await;
    person.presses("Let this device in").await;
    person.sees("The device is let in").await;
    assert_eq!(device.tokens().await.id["org_name"], json!("org-b"));
}
