//! C17: an address that could be read in two ways gets one verdict, whichever door it comes through.

use behalf::manage::house_file::HouseFile;
use serde_json::json;

use crate::house::application::{Application, Person};
use crate::house::broker::{House, Plan};
use crate::house::lying_idp::Says;
use crate::house::visitor::Answer;

/// What is written, and the one spelling of it; `None` where it is refused.
const TABLE: [(&str, Option<&str>); 58] = [
    ("ann@a.test", Some("ann@a.test")),
    ("Ann@A.TEST", Some("ann@a.test")),
    ("ANN@a.Test", Some("ann@a.test")),
    (" ann@a.test ", Some("ann@a.test")),
    ("ann+news@a.test", Some("ann+news@a.test")),
    ("a.nn@a.test", Some("a.nn@a.test")),
    ("o'ann@a.test", Some("o'ann@a.test")),
    ("ann@müller.example", Some("ann@xn--mller-kva.example")),
    ("ann@xn--mller-kva.EXAMPLE", Some("ann@xn--mller-kva.example")),
    ("ann", None),
    ("@a.test", None),
    ("ann@", None),
    ("ann@@a.test", None),
    ("ann@a.test.", None),
    ("ann@.a.test", None),
    ("ann@a..test", None),
    ("ann@a.test@b.test", None),
    ("ann@b.test@a.test", None),
    ("@b.test:ann@a.test", None),
    ("ann@ａ.test", None),
    ("ann@a。test", None),
    ("ann@a．test", None),
    ("ann@a\u{ad}.test", None),
    ("ann@a\u{200b}.test", None),
    ("ann@a\u{200d}.test", None),
    ("ann@a\u{2060}.test", None),
    ("ann@\u{feff}a.test", None),
    ("ann@а.test", None),
    ("ann@xn--80a.test", None),
    ("ann@xn--a-.test", None),
    ("ann@xn--0049.test", None),
    ("ann@pаypal.test", None),
    ("ann@a\0.test", None),
    ("ann@a.test\0.b.test", None),
    ("ann@a.test\n", None),
    ("ann@a.test\r\nBcc: bob@b.test", None),
    ("ann\0@a.test", None),
    ("ann\t@a.test", None),
    ("ann @a.test", None),
    ("\u{212a}en@a.test", None),
    ("mıke@a.test", None),
    ("ａnn@a.test", None),
    ("аnn@a.test", None),
    ("ann\u{ad}@a.test", None),
    ("\u{200b}ann@a.test", None),
    ("ann＠a.test", None),
    ("=?utf-8?q?ann=40b.test=3e?=@a.test", None),
    ("\"ann@b.test\"@a.test", None),
    ("\"ann\"@a.test", None),
    ("ann(x)@a.test", None),
    ("Ann <ann@a.test>", None),
    ("ann%b.test@a.test", None),
    ("b.test!ann@a.test", None),
    ("mailto:ann@a.test", None),
    ("ann@[127.0.0.1]", None),
    ("ann@127.0.0.1", None),
    (".ann@a.test", None),
    ("ann@localhost", None),
];

async fn house() -> House {
    let plan = Plan::default().and(
        r#"
[[domain]]
name = "xn--mller-kva.example"
organization = "org-a"
connections = ["ca"]
use_for_routing = true
trust_email = true
"#,
    );
    plan.build().await
}

/// The spelling that the provider is told, if the browser is sent there.
fn told_provider(house: &House, answer: &Answer) -> Option<String> {
    let to = answer.location()?;
    assert!(to.as_str().starts_with(&format!("{}/authorize?", house.idp_a.issuer)), "{to}");
    Some(to.query_pairs().find(|(name, _)| name == "login_hint").unwrap().1.into_owned())
}

#[tokio::test]
async fn c17_the_login_form_and_the_hint_give_the_table_s_verdict() {
    let house = house().await;
    let rp1 = Application::rp1(&house);
    let before = house.before().await;
    let mut person = Person::new("");
    let form = person.follows(&rp1.asks()).await.answer.form_with("email");
    for (written, verdict) in &TABLE {
        let answer = person.browser.submit(&form.clone().with("email", written)).await;
        assert_eq!(told_provider(&house, &answer).as_deref(), *verdict, "typed {written:?}");
        // A NUL is refused before anybody asks what it is in.
        let nul = written.contains('\0');
        if verdict.is_none() {
            assert_eq!(answer.status, if nul { 400 } else { 422 }, "typed {written:?}: {}", answer.body);
        }
        let ask = rp1.asks().with("login_hint", written);
        let answer = Person::new("").browser.get(&ask.url()).await;
        assert_eq!(told_provider(&house, &answer).as_deref(), *verdict, "hinted {written:?}");
        if verdict.is_none() {
            assert_eq!(answer.status, if nul { 400 } else { 200 }, "hinted {written:?}: {}", answer.body);
        }
    }
    house.unchanged(&before).await;
}

#[tokio::test]
async fn c17_the_identity_provider_s_word_gets_the_same_verdict() {
    let house = house().await;
    let rp1 = Application::rp1(&house);
    for (written, verdict) in TABLE {
        // The same subject for the same spelling: the second time is the same person.
        let subject = format!("sub of {}", verdict.unwrap_or(written).len());
        house.idp_a.says(Says::that(&subject, "").claim("email", &json!(written).to_string()));
        let before = house.before().await;
        let ask = rp1.asks().with("login_hint", "ann@a.test");
        let arrival = Person::new("ann@a.test").follows(&ask).await;
        match verdict {
            Some(spelling) => {
                let tokens = ask.redeems(&arrival).await;
                assert_eq!(tokens.id["email"], json!(spelling), "asserted {written:?}");
            }
            None => {
                assert_eq!(arrival.status(), 403, "asserted {written:?}: {}", arrival.told());
                house.refused(&before, "email_domain_not_allowed").await;
            }
        }
    }
}

#[tokio::test]
async fn c17_the_operator_s_file_gets_the_same_verdict() {
    let house = House::opens().await;
    let head = "[project]\nslug = \"default\"\n[organization.org-c]\n";
    let folder = std::env::temp_dir();
    let reads = |text: &str| HouseFile::parse(text, &folder, &|_| None).is_ok();
    assert!(reads(head));
    for (written, verdict) in TABLE {
        let text = json!(written);
        let member = format!("{head}members = [{{ email = {text} }}]\n");
        assert_eq!(reads(&member), verdict.is_some(), "a member {written:?}");
        let delegation = format!(
            "{head}[organization.d]\n[[delegation]]\nhome = \"org-c\"\ntarget = \"d\"\nonly = [{text}]\n"
        );
        assert_eq!(reads(&delegation), verdict.is_some(), "a delegate {written:?}");
        if let Some(spelling) = verdict {
            house.provision(&member).await;
            let sql = format!(
                "SELECT email FROM expected_members WHERE email = '{}' AND organization_id = '{}'",
                spelling.replace('\'', "''"),
                house.organization("org-c").await
            );
            assert_eq!(house.text(&sql).await.as_deref(), Some(spelling), "a member {written:?}");
        }
        // The same domains, where nothing is wrong with what stands before them.
        if let Some(domain) =
            written.trim_matches(' ').strip_prefix("ann@").filter(|domain| !domain.starts_with('@'))
        {
            let domain = json!(domain);
            let claim = format!("{head}[[domain]]\nname = {domain}\norganization = \"org-c\"\n");
            assert_eq!(reads(&claim), verdict.is_some(), "a claim of {domain}");
        }
    }
}

#[tokio::test]
async fn c17_ann_is_ann_however_she_writes_herself() {
    let house = House::opens().await;
    let rp1 = Application::rp1(&house);
    let mut subs = Vec::new();
    for typed in ["ann@a.test", "Ann@A.TEST", " ANN@A.test "] {
        let ask = rp1.asks();
        let arrival = Person::new(typed).follows(&ask).await;
        subs.push(ask.redeems(&arrival).await.id["sub"].clone());
    }
    assert!(subs.iter().all(|sub| *sub == subs[0]), "{subs:?}");
    assert_eq!((house.count("users").await, house.count("identities").await), (1, 1));
}
