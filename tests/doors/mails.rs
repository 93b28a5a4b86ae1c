//! Mails: queued with the change that wants them, handed over to a real server, tried again, given up, and never sent
//! for what did not happen.

use behalf::broker::Broker;
use behalf::chores::{domains, post};
use behalf::config::{Config, MailSecurity};
use behalf::egress::mail::Post;
use behalf::foundation::random::Random;
use behalf::web::templates::Templates;
use reqwest::Method;
use serde_json::{Value, json};

use crate::house::answers::told;
use crate::house::api::Api;
use crate::house::application::{Application, Person};
use crate::house::broker::{Engine, House, Plan};
use crate::house::smtp::{Certified, Sink};

const ENGINES: [Engine; 2] = [Engine::Sqlite, Engine::Postgres];
const PATH: &str = "/organizations/org-a/invitations";
const DAY: u64 = 86_400;

fn ask(email: &str) -> Value {
    json!({"email": email, "role": "member"})
}

async fn invites(api: &Api, email: &str) -> String {
    let made = api.post(PATH, ask(email)).await;
    assert_eq!(made.status, 201, "{}", made.body);
    assert_eq!((&made.json()["token"], &made.json()["link"]), (&Value::Null, &Value::Null), "C18 c");
    made.json()["invitation"]["id"].as_str().unwrap().to_owned()
}

async fn mail_of(api: &Api, invitation: &str) -> Value {
    api.get(&format!("{PATH}/{invitation}")).await.json()["mail"].clone()
}

#[tokio::test]
async fn s1_r20_an_invitation_is_mailed_with_a_link_that_nobody_else_sees() {
    for engine in ENGINES {
        let mut sink = Sink::opens().await;
        let house = sink.of(Plan::on(engine)).build().await;
        let ann = Api::person(&house, "ann@a.test", "org-a").await;
        let body =
            json!({"email": "bob@b.test", "role": "member", "message": "See you.\nAnn", "language": "de-AT"});
        let made = ann.post(PATH, body).await;
        assert_eq!(made.status, 201, "{}", made.body);
        let id = made.json()["invitation"]["id"].as_str().unwrap().to_owned();
        assert_eq!(mail_of(&ann, &id).await, "queued");
        assert_eq!(house.posts().await, 1);
        let mail = sink.mail().await;
        assert_eq!(mail.says("to"), &json!(["bob@b.test"]));
        assert_eq!(mail.says("from"), "no-reply@acme.test");
        assert_eq!(mail.subject(), "Einladung zu A Corporation");
        assert_eq!(mail.headers("From"), ["Acme Cloud <no-reply@acme.test>"]);
        assert_eq!(mail.headers("Auto-Submitted"), ["auto-generated"]);
        assert_eq!(mail.headers("Date"), ["Mon, 01 Jun 2026 09:00:00 +0000"], "by the clock of the house");
        for said in [
            "Sie sind zu A Corporation eingeladen",
            "> See you.",
            "> Ann",
            "2026-06-08 09:00 UTC",
            "Ihre Rolle dort: Mitglied",
        ] {
            assert!(mail.text().contains(said), "{said}: {}", mail.text());
        }
        assert!(mail.html().contains("#14705d") && mail.html().contains("lang=\"de\""), "{}", mail.html());
        let link = mail.link();
        assert!(link.starts_with(&format!("{}/invitations/", house.url)), "{link}");

        assert_eq!(mail_of(&ann, &id).await, "sent");
        let kept = "SELECT CAST(COUNT(*) AS TEXT) FROM mails WHERE letter IS NOT NULL OR secret IS NOT NULL";
        assert_eq!(house.text(kept).await.as_deref(), Some("0"), "what is sent is forgotten");
        let token = link.rsplit('/').next().unwrap();
        for path in [PATH.to_owned(), format!("{PATH}/{id}")] {
            assert!(!ann.get(&path).await.body.contains(token), "C18 c");
        }
        let bob = Api::person(&house, "bob@b.test", "org-b").await;
        let path = format!("/invitations/{token}/accept");
        assert_eq!(bob.send(Method::POST, &path, |request| request).await.status, 200);
        assert_eq!(house.posts().await, 0);
        assert_eq!(sink.mails().await.len(), 1, "once");
    }
}

#[tokio::test]
async fn c29_what_waits_to_be_mailed_does_not_show_its_link() {
    let mut sink = Sink::opens().await;
    let house = sink.of(Plan::default()).build().await;
    let ann = Api::person(&house, "ann@a.test", "org-a").await;
    invites(&ann, "bob@b.test").await;
    invites(&ann, "eve@c.test").await;
    let rows = house.broker.db.all("SELECT letter, secret FROM mails", &[]).await.unwrap();
    let (letters, secrets): (Vec<String>, Vec<Vec<u8>>) =
        rows.iter().map(|row| (row.get(0).unwrap(), row.get(1).unwrap())).unzip();
    // Sealed in one row, it does not open in another.
    let swap = "UPDATE mails SET secret = (SELECT m.secret FROM mails m WHERE m.recipient = 'eve@c.test')
                WHERE recipient = 'bob@b.test'";
    house.execute(swap).await;
    assert_eq!(house.posts().await, 1);
    let mail = sink.mail().await;
    assert_eq!(mail.says("to"), &json!(["eve@c.test"]));
    let link = mail.link();
    let token = link.rsplit('/').next().unwrap();
    assert!(letters.iter().all(|letter| !letter.contains(token)));
    assert!(secrets.iter().all(|secret| !String::from_utf8_lossy(secret).contains(token)));
}

#[tokio::test]
async fn a_mail_that_cannot_be_handed_over_waits_and_goes_out_later() {
    for engine in ENGINES {
        let mut sink = Sink::opens().await;
        let house = sink.of(Plan::on(engine)).build().await;
        let ann = Api::operator(&house).await;
        let id = invites(&ann, "bob@b.test").await;
        sink.closes().await;
        assert_eq!(house.posts().await, 0);
        assert_eq!(mail_of(&ann, &id).await, "queued");
        sink.reopens().await;
        assert_eq!(house.posts().await, 0, "not before its time");
        for how in [
            json!({"rcpt": "451 4.3.0 later"}),
            json!({"data": "452 4.2.2 full"}),
            json!({"hang_up": "rcpt"}),
            json!({"hang_up": "data"}),
        ] {
            sink.behaves(how.clone()).await;
            house.turn_clock(3_600);
            assert_eq!(house.posts().await, 0, "{how}");
            assert_eq!(mail_of(&ann, &id).await, "queued", "{how}");
        }
        sink.behaves(json!({})).await;
        house.turn_clock(3_600);
        assert_eq!(house.posts().await, 1);
        assert_eq!(mail_of(&ann, &id).await, "sent");
        sink.mail().await;
        assert_eq!(house.events_of("mail.given_up").await, 0);
    }
}

#[tokio::test]
async fn what_is_refused_for_good_is_given_up_at_once_and_told() {
    for (how, failure) in [
        (json!({"rcpt": "550 5.1.1 unknown"}), "refused_550"),
        (json!({"data": "554 5.7.1 spam"}), "refused_554"),
    ] {
        let mut sink = Sink::opens().await;
        let house = sink.of(Plan::default()).build().await;
        let ann = Api::person(&house, "ann@a.test", "org-a").await;
        let id = invites(&ann, "bob@b.test").await;
        sink.behaves(how).await;
        assert_eq!(house.posts().await, 0);
        assert_eq!(mail_of(&ann, &id).await, "failed");
        let events = house.audit().await;
        let event = events.iter().find(|event| event.action == "mail.given_up").unwrap();
        assert_eq!(event.organization, Some(house.organization("org-a").await));
        assert_eq!(
            (&event.detail["failure"], &event.detail["kind"]),
            (&json!(failure), &json!("invitation"))
        );
        sink.behaves(json!({})).await;
        house.turn_clock(DAY);
        assert_eq!(house.posts().await, 0, "not again");
        assert!(sink.mails().await.is_empty());
        // It can be sent again by who invited.
        let ann = Api::person(&house, "ann@a.test", "org-a").await;
        let again = ann.post(&format!("{PATH}/{id}/resend"), json!({})).await;
        assert_eq!(again.status, 200, "{}", again.body);
        assert_eq!(again.json()["invitation"]["mail"], "queued");
        assert_eq!(house.posts().await, 1);
        assert_eq!(mail_of(&ann, &id).await, "sent");
    }
}

#[tokio::test]
async fn after_a_day_without_the_server_a_mail_is_given_up_and_told() {
    let mut sink = Sink::opens().await;
    let house = sink.of(Plan::default()).build().await;
    let ann = Api::person(&house, "ann@a.test", "org-a").await;
    let id = invites(&ann, "bob@b.test").await;
    sink.closes().await;
    for hours in 0..24 {
        assert_eq!(house.posts().await, 0);
        assert!(house.events_of("mail.given_up").await <= usize::from(hours > 12));
        house.turn_clock(3_600);
    }
    house.posts().await;
    assert_eq!(house.events_of("mail.given_up").await, 1);
    let ann = Api::person(&house, "ann@a.test", "org-a").await;
    assert_eq!(mail_of(&ann, &id).await, "failed");
    let event = house.audit().await.into_iter().find(|event| event.action == "mail.given_up").unwrap();
    assert_eq!(event.detail["failure"], "server_unavailable");
    assert!(!event.detail.to_string().contains("127.0.0.1"), "the operator's network is nobody's business");
}

#[tokio::test]
async fn two_nodes_hand_a_mail_over_once() {
    for engine in ENGINES {
        let mut sink = Sink::opens().await;
        let house = sink.of(Plan::on(engine)).build().await;
        // Nodes share a database; one file of SQLite is served by one.
        let other = match engine {
            Engine::Postgres => Some(house.second_node().await),
            Engine::Sqlite => None,
        };
        let second = other.as_ref().map_or(&house.broker, |node| &node.broker);
        let ann = Api::person(&house, "ann@a.test", "org-a").await;
        for number in 0..12 {
            invites(&ann, &format!("m{number}@c.test")).await;
        }
        let templates = Templates::new(None).unwrap();
        let (one, two) = tokio::join!(post::send(&house.broker, &templates), post::send(second, &templates));
        assert_eq!(one.unwrap() + two.unwrap(), 12);
        let mut to: Vec<_> = sink.mails().await.iter().map(|mail| mail.says("to").to_string()).collect();
        to.sort();
        to.dedup();
        assert_eq!((to.len(), sink.mails().await.len()), (12, 12));
    }
}

#[tokio::test]
async fn a_node_without_a_server_leaves_mails_to_one_that_has_one() {
    for engine in ENGINES {
        let mut sink = Sink::opens().await;
        let house = sink.of(Plan::on(engine)).build().await;
        let ann = Api::person(&house, "ann@a.test", "org-a").await;
        let id = invites(&ann, "bob@b.test").await;
        let config = Config { mail: behalf::config::Mail::default(), ..house.broker.config.clone() };
        let bare = Broker::open(config, house.clock.clone(), Random::System).await.unwrap();
        let templates = Templates::new(None).unwrap();
        let before = house.before().await;
        assert_eq!(post::send(&bare, &templates).await.unwrap(), 0);
        house.unchanged(&before).await;
        assert_eq!(mail_of(&ann, &id).await, "queued");
        assert_eq!(house.posts().await, 1);
        assert_eq!(sink.mail().await.says("to"), &json!(["bob@b.test"]));
        // Nobody takes the next one; when it helps nobody any more, nothing of it stays.
        invites(&ann, "eve@b.test").await;
        house.turn_clock(24 * 3_600 - 1);
        post::send(&bare, &templates).await.unwrap();
        let waits = "SELECT CAST(COUNT(next_try_at) AS TEXT) FROM mails";
        assert_eq!(house.text(waits).await.as_deref(), Some("1"));
        house.turn_clock(1);
        post::send(&bare, &templates).await.unwrap();
        assert_eq!(house.text(waits).await.as_deref(), Some("0"));
        let kept = "SELECT CAST(COUNT(*) AS TEXT) FROM mails WHERE letter IS NOT NULL OR secret IS NOT NULL";
        assert_eq!(house.text(kept).await.as_deref(), Some("0"));
        let why = "SELECT failure FROM mails WHERE recipient = 'eve@b.test'";
        assert_eq!(house.text(why).await.as_deref(), Some("mail_not_configured"));
        assert_eq!(sink.mails().await.len(), 1);
    }
}

#[tokio::test]
async fn what_is_refused_or_taken_back_is_mailed_to_nobody() {
    let mut sink = Sink::opens().await;
    let house = sink.of(Plan::default()).build().await;
    let ann = Api::person(&house, "ann@a.test", "org-a").await;
    let before = house.before().await;
    for body in [
        json!({"email": "ann@a.test", "role": "member"}),
        json!({"email": "x@c.test", "role": "unknown"}),
        json!({"email": "x@c.test", "role": "member", "application": "unknown"}),
        json!({"email": "x@c.test", "role": "member", "application": "rp1", "redirect_uri": "https://evil.test/"}),
        json!({"email": "x@c.test", "role": "member", "redirect_uri": "https://rp1.test/callback"}),
        json!({"email": "x@c.test", "role": "member", "language": "no language"}),
    ] {
        assert!(matches!(ann.post(PATH, body.clone()).await.status.as_u16(), 409 | 422), "{body}");
    }
    house.unchanged(&before).await;
    // The trail fails, and so does all that it would tell of (threats M08).
    let trail = "CREATE TRIGGER closed BEFORE INSERT ON audit_events WHEN NEW.action = 'organization.invitation.created'
                 BEGIN SELECT RAISE(ABORT, 'closed'); END";
    house.execute(trail).await;
    assert_eq!(told(&ann.post(PATH, ask("x@c.test")).await).1, "audit_unavailable");
    house.execute("DROP TRIGGER closed").await;
    assert_eq!(house.count("mails").await, 0);
    let revoked = invites(&ann, "one@c.test").await;
    let path = format!("{PATH}/{revoked}");
    assert_eq!(ann.send(Method::DELETE, &path, |request| request).await.status, 204);
    let renewed = invites(&ann, "two@c.test").await;
    let again = ann.post(&format!("{PATH}/{renewed}/resend"), json!({"send": false})).await;
    assert!(again.json()["link"].as_str().unwrap().starts_with(&house.url), "{}", again.body);
    assert_eq!(house.posts().await, 0);
    assert!(sink.mails().await.is_empty());
    assert_eq!(sink.seen().await, 0, "nobody has even knocked");
}

/// Says one line that never ends, as long as anybody reads it, and tells how much that was.
async fn talks_without_end(server: tokio::net::TcpListener) -> usize {
    use tokio::io::AsyncWriteExt;
    let (mut stream, _) = server.accept().await.unwrap();
    let part = [b'A'; 65_536];
    let (mut said, most) = (0, 64 * 1024 * 1024);
    while said < most && stream.write_all(&part).await.is_ok() {
        said += part.len();
    }
    said
}

#[tokio::test]
async fn m19_no_more_is_read_of_a_mail_server_than_a_conversation_needs() {
    for security in [MailSecurity::None, MailSecurity::Starttls, MailSecurity::Tls] {
        let server = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let sink = Sink::opens().await;
        let port = server.local_addr().unwrap().port();
        let mail = behalf::config::Mail { port: port.into(), security, ..sink.settings() };
        let house = Plan { mail: Some((mail, None)), ..Plan::default() }.build().await;
        let ann = Api::person(&house, "ann@a.test", "org-a").await;
        let id = invites(&ann, "bob@b.test").await;
        let (said, sent) = tokio::join!(talks_without_end(server), house.posts());
        // What waits in the sockets on the way has been said, too.
        assert!(said < 32 * 1024 * 1024, "{security:?}: {said} bytes were taken");
        assert_eq!((sent, mail_of(&ann, &id).await), (0, json!("queued")), "it is tried again");
    }
}

#[tokio::test]
async fn m19_one_mailbox_gets_five_mails_an_hour_under_all_its_names() {
    let mut sink = Sink::opens().await;
    let house = sink.of(Plan::default()).build().await;
    let ann = Api::person(&house, "ann@a.test", "org-a").await;
    let rows: Vec<_> = (0..50).map(|number| ask(&format!("j.oe+{number}@c.test"))).collect();
    let answer = ann.post(&format!("{PATH}/bulk"), json!({"invitations": rows})).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let results = answer.json()["results"].as_array().unwrap().clone();
    let of = |status: &str| results.iter().filter(|row| row["status"] == status).count();
    assert_eq!((of("created"), of("limited")), (5, 45));
    assert!(results.iter().all(|row| (row["code"] == "rate_limited") == (row["status"] == "limited")));
    let before = house.before().await;
    assert_eq!(told(&ann.post(PATH, ask("joe@c.test")).await), (429, "rate_limited".to_owned()));
    let bob = Api::person(&house, "bob@b.test", "org-b").await;
    let elsewhere = bob.post("/organizations/org-b/invitations", ask("J.O.E@c.test")).await;
    assert_eq!(told(&elsewhere), (429, "rate_limited".to_owned()), "whoever writes");
    let first = results[0]["id"].as_str().unwrap();
    let again = ann.post(&format!("{PATH}/{first}/resend"), json!({})).await;
    assert_eq!(told(&again), (429, "rate_limited".to_owned()));
    let mails = house.count("mails").await;
    assert_eq!(house.facts().await.rows("mails"), usize::try_from(mails).unwrap());
    drop(before);
    assert_eq!(ann.post(PATH, ask("jane@c.test")).await.status, 201, "others are not held up");
    assert_eq!(house.posts().await, 6);
    assert_eq!(sink.mails().await.len(), 6);
    house.turn_clock(3_601);
    let ann = Api::person(&house, "ann@a.test", "org-a").await;
    assert_eq!(ann.post(PATH, ask("joe@c.test")).await.status, 201);
}

#[tokio::test]
async fn h26_m20_no_name_becomes_a_header_a_link_or_an_element() {
    let mut sink = Sink::opens().await;
    let house = sink.of(Plan::default()).build().await;
    let ann = Api::person(&house, "ann@a.test", "org-a").await;
    let hostile = [
        "Evil\r\nBcc: everybody@c.test\r\n\r\nHello",
        "<script>alert(1)</script>",
        "http://evil.test Click",
        "\u{202e}tset.live",
        "=?utf-8?q?=0d=0aBcc:_x@c.test?=",
        "\"Quoted\" <boss@c.test>",
        "Straße Ω 株式会社 🙂",
    ];
    for (number, name) in hostile.iter().enumerate() {
        let text = name.replace('\'', "''");
        // Behind the back of the API, which lets few of these in.
        house
            .execute(&format!("UPDATE organizations SET display_name = '{text}' WHERE slug = 'org-a'"))
            .await;
        let project = text.replace("evil.test", "acme.test");
        house.execute(&format!("UPDATE projects SET display_name = '{project}'")).await;
        invites(&ann, &format!("m{number}@c.test")).await;
    }
    assert_eq!(house.posts().await, hostile.len());
    let mails = sink.mails().await;
    let usual =
        ["From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "MIME-Version", "Content-Type"];
    for mail in &mails {
        let mut names = mail.names();
        names.retain(|name| !name.starts_with("X-"));
        let (mut names, mut expected) = (names, usual.to_vec());
        names.sort_unstable();
        expected.sort_unstable();
        assert_eq!(names, expected, "{}", mail.raw());
        assert_eq!(mail.says("to").as_array().unwrap().len(), 1);
        assert!(mail.headers("From")[0].ends_with("no-reply@acme.test>"), "{:?}", mail.headers("From"));
        assert!(!mail.html().contains("<script"), "{}", mail.html());
        for text in [mail.text(), mail.html(), mail.subject()] {
            assert!(!text.contains("evil.test") && !text.contains('\u{202e}'), "{text}");
        }
        mail.link();
    }
    assert!(mails.iter().any(|mail| mail.subject() == "Invitation to Straße Ω 株式会社 🙂"));
}

#[tokio::test]
async fn m20_a_name_that_can_be_taken_for_another_is_told_to_who_is_invited() {
    let mut sink = Sink::opens().await;
    let house = sink.of(Plan::default()).build().await;
    let ann = Api::person(&house, "ann@a.test", "org-a").await;
    let caution = "Look closely";
    for (number, (name, is_told)) in
        [("Pаypal", true), ("АСЕ", true), ("Müller 株式会社", false), ("ООО Ромашка", false)]
            .iter()
            .enumerate()
    {
        // Cyrillic letters, where Latin ones seem to be.
        let renamed = ann.patch("/organizations/org-a", json!({"display_name": name})).await;
        assert_eq!(renamed.status, 200, "{}", renamed.body);
        invites(&ann, &format!("m{number}@c.test")).await;
        assert_eq!(house.posts().await, 1);
        let mails = sink.mails().await;
        let mail = mails.last().unwrap();
        for text in [mail.text(), mail.html()] {
            assert_eq!(text.contains(caution), *is_told, "{name}: {text}");
        }
        let page = crate::house::visitor::Visitor::arrives().get(&mail.link()).await;
        assert_eq!(page.body.contains(caution), *is_told, "{name}: {}", page.body);
    }
}

#[tokio::test]
async fn a_line_to_the_server_is_kept_from_others_or_not_used() {
    let certified = Certified::new();
    for implicit in [false, true] {
        let mut sink = Sink::guarded(&certified, implicit).await;
        let mut settings = sink.settings();
        settings.security = if implicit { MailSecurity::Tls } else { MailSecurity::Starttls };
        settings.username = Some("behalf".into());
        settings.password_file = Some(certified.path("password"));
        std::fs::write(certified.path("password"), "of the mail server\n").unwrap();
        let mail = Some((settings.clone(), Some(certified.path("ca.pem"))));
        let house = Plan { mail, ..Plan::default() }.build().await;
        let ann = Api::person(&house, "ann@a.test", "org-a").await;
        invites(&ann, "bob@b.test").await;
        assert_eq!(house.posts().await, 1, "implicit: {implicit}");
        let mail = sink.mail().await;
        assert_eq!((mail.says("tls"), mail.says("user")), (&json!(true), &json!("behalf")));

        // Another password, and a server that nobody vouches for.
        std::fs::write(certified.path("password"), "of another").unwrap();
        let greeted = async |authority| {
            let mut config = house.broker.config.clone();
            config.egress.extra_ca = authority;
            Post::new(&config).unwrap().unwrap().greet().await
        };
        assert!(greeted(Some(certified.path("ca.pem"))).await.is_err());
        std::fs::write(certified.path("password"), "of the mail server").unwrap();
        assert_eq!(greeted(Some(certified.path("ca.pem"))).await, Ok(()));
        assert!(greeted(Some(Certified::new().path("ca.pem"))).await.is_err(), "another authority");
        assert_eq!(sink.mails().await.len(), 1, "who greets sends nothing");
    }
    // One that cannot speak TLS is sent nothing.
    let mut plain = Sink::opens().await;
    let mut settings = plain.settings();
    settings.security = MailSecurity::Starttls;
    let mail = Some((settings, Some(certified.path("ca.pem"))));
    let house = Plan { mail, ..Plan::default() }.build().await;
    let ann = Api::person(&house, "ann@a.test", "org-a").await;
    let id = invites(&ann, "bob@b.test").await;
    assert_eq!(house.posts().await, 0);
    assert_eq!(mail_of(&ann, &id).await, "queued");
    assert!(plain.mails().await.is_empty());
}

#[tokio::test]
async fn without_a_server_nothing_waits_and_nobody_is_told_otherwise() {
    let house = House::opens().await;
    let ann = Api::person(&house, "ann@a.test", "org-a").await;
    let before = house.before().await;
    for (path, body) in [
        (PATH.to_owned(), ask("x@c.test")),
        (format!("{PATH}/bulk"), json!({"invitations": [ask("x@c.test")]})),
    ] {
        assert_eq!(told(&ann.post(&path, body).await), (409, "mail_not_configured".to_owned()));
    }
    house.unchanged(&before).await;
    let made = ann.post(PATH, json!({"email": "x@c.test", "role": "member", "send": false})).await;
    assert_eq!(made.json()["invitation"]["mail"], Value::Null);
    let token = made.json()["token"].as_str().unwrap().to_owned();
    assert_eq!(made.json()["link"], format!("{}/invitations/{token}", house.url));
    let id = made.json()["invitation"]["id"].as_str().unwrap().to_owned();
    let again = ann.post(&format!("{PATH}/{id}/resend"), json!({})).await;
    assert_eq!(told(&again), (409, "mail_not_configured".to_owned()));
    assert_eq!((house.posts().await, house.count("mails").await), (0, 0));
}

async fn subjects(house: &House, sink: &mut Sink) -> Vec<(String, String)> {
    while house.posts().await > 0 {}
    let mut all: Vec<_> = sink
        .mails()
        .await
        .iter()
        .map(|mail| (mail.says("to")[0].as_str().unwrap().to_owned(), mail.subject().to_owned()))
        .collect();
    all.sort();
    all
}

fn pairs(all: &[(&str, &str)]) -> Vec<(String, String)> {
    all.iter().map(|(to, subject)| ((*to).to_owned(), (*subject).to_owned())).collect()
}

#[tokio::test]
async fn s1_r11_who_is_offered_an_organization_and_both_when_it_has_changed_hands_are_written_to() {
    let mut sink = Sink::opens().await;
    let house = sink.of(Plan::default()).build().await;
    let con = Api::person(&house, "con@a.test", "org-a").await;
    let ann = Api::person(&house, "ann@a.test", "org-a").await;
    let path = "/organizations/org-a/transfer-ownership";
    house.execute("UPDATE users SET profile = '{\"name\":\"Ann\"}' WHERE email = 'ann@a.test'").await;
    let body = json!({"user_id": house.user("con@a.test").await});
    assert_eq!(ann.post(path, body.clone()).await.status, 202);
    assert_eq!(ann.post(path, body).await.status, 409, "a second offer");
    assert_eq!(
        subjects(&house, &mut sink).await,
        pairs(&[("con@a.test", "A Corporation is offered to you")])
    );
    let mail = sink.mail().await;
    assert!(mail.text().contains("From Ann."), "{}", mail.text());
    let accept = format!("{path}/accept");
    assert_eq!(con.send(Method::POST, &accept, |request| request).await.status, 200);
    assert_eq!(con.send(Method::POST, &accept, |request| request).await.status, 404);
    assert_eq!(
        subjects(&house, &mut sink).await,
        pairs(&[
            ("ann@a.test", "You have handed over A Corporation"),
            ("con@a.test", "A Corporation is offered to you"),
            ("con@a.test", "You own A Corporation"),
        ])
    );
}

#[tokio::test]
async fn c16_owners_are_told_what_becomes_of_their_domain_and_nobody_else_is() {
    let mut sink = Sink::opens().await;
    let mut house = sink.of(Plan::default()).build().await;
    for email in ["ann@a.test", "con@a.test"] {
        Person::new(email).follows(&Application::rp1(&house).asks()).await;
    }
    house.has_member("unproved@c.test", "org-a", &["owner"]).await;
    house.dns.restart_with_txt(&[]);
    for _ in 0..7 {
        house.turn_clock(DAY + 1);
        domains::look(&house.broker).await.unwrap();
    }
    // Nobody of B has been here, so nobody's address is proved there.
    assert_eq!(
        subjects(&house, &mut sink).await,
        pairs(&[
            ("ann@a.test", "The domain a.test is lost"),
            ("ann@a.test", "The proof for a.test was not found"),
        ])
    );
}

#[tokio::test]
async fn h07_owners_are_told_that_nobody_joins_any_more() {
    let mut sink = Sink::opens().await;
    let plan = Plan::default().with("jit = \"create_and_join\"", "jit = \"expected_only\"");
    let house = sink.of(plan).build().await;
    let ann = Api::person(&house, "ann@a.test", "org-a").await;
    let found = house.text("SELECT id FROM domains WHERE name = 'a.test'").await.unwrap();
    let rule = json!({"auto_join": {"enabled": true, "role": "member", "cap_per_hour": 1}});
    let set = ann.patch(&format!("/organizations/org-a/domains/{found}"), rule).await;
    assert_eq!(set.status, 200, "{}", set.body);
    Person::new("new@a.test").follows(&Application::rp1(&house).asks()).await;
    assert_eq!(
        subjects(&house, &mut sink).await,
        pairs(&[("ann@a.test", "Nobody joins A Corporation by a.test for now")])
    );
}

#[tokio::test]
async fn c02_whoever_is_known_by_another_name_is_written_to_where_they_were_known() {
    for engine in ENGINES {
        let mut sink = Sink::opens().await;
        let house = sink.of(Plan::on(engine)).build().await;
        Api::person(&house, "con@a.test", "org-a").await;
        let ann = Api::person(&house, "ann@a.test", "org-a").await;
        let (ca, con) = (house.connection("ca").await, house.user("con@a.test").await);
        let path = format!("/connections/{ca}/relink/people/{con}");
        let known = ann.get(&path).await.json()["names"][0]["identity_id"].clone();
        let before = house.before().await;
        let refused = ann.post(&path, json!({"identity_id": known, "subject": " mallory"})).await;
        assert_eq!(refused.status, 422, "{}", refused.body);
        house.refused(&before, "invalid_value").await;
        assert_eq!(house.count("mails").await, 0);
        let renamed = ann.post(&path, json!({"identity_id": known, "subject": "mallory"})).await;
        assert_eq!(renamed.status, 200, "{}", renamed.body);
        assert_eq!(
            subjects(&house, &mut sink).await,
            pairs(&[("con@a.test", "How you sign in to A Corporation has changed")])
        );
        let mail = sink.mail().await;
        assert!(!mail.text().contains("mallory") && mail.text().contains("A Login"), "{}", mail.text());
    }
}

/// Whether applications may rely on an address is one thing, and whom the house writes to another: nobody who switches off
/// the one silences the other.
#[tokio::test]
async fn s1_o5_c16_who_does_not_trust_an_address_still_lets_its_people_be_written_to() {
    for engine in ENGINES {
        let mut sink = Sink::opens().await;
        let house = sink.of(Plan::on(engine)).build().await;
        let ann = Api::person(&house, "ann@a.test", "org-a").await;
        let admin = Api::key(&house, "org-a", &["domains:read", "domains:write", "organization:read"]).await;
        let found = house.text("SELECT id FROM domains WHERE name = 'a.test'").await.unwrap();
        let path = format!("/organizations/org-a/domains/{found}");
        assert_eq!(admin.patch(&path, json!({"trust_email": false})).await.status, 200);
        for email in ["ann@a.test", "con@a.test"] {
            Person::new(email).follows(&Application::rp1(&house).asks()).await;
            let sql = "SELECT COUNT(*) FROM users WHERE email_verified_at IS NOT NULL";
            assert_eq!(house.broker.db.one(sql, &[]).await.unwrap().unwrap().get::<i64>(0).unwrap(), 0);
        }
        let (ca, con) = (house.connection("ca").await, house.user("con@a.test").await);
        let person = format!("/connections/{ca}/relink/people/{con}");
        let known = ann.get(&person).await.json()["names"][0]["identity_id"].clone();
        let renamed = ann.post(&person, json!({"identity_id": known, "subject": "another"})).await;
        assert_eq!(renamed.status, 200, "{}", renamed.body);
        let offered = ann.post("/organizations/org-a/transfer-ownership", json!({"user_id": con})).await;
        assert_eq!(offered.status, 202, "{}", offered.body);
        let gone = ann.send(Method::DELETE, "/organizations/org-a?confirm=org-a", |request| request).await;
        assert_eq!(gone.status, 202, "{}", gone.body);
        assert_eq!(
            subjects(&house, &mut sink).await,
            pairs(&[
                ("ann@a.test", "A Corporation is to be deleted"),
                ("con@a.test", "A Corporation is offered to you"),
                ("con@a.test", "How you sign in to A Corporation has changed"),
            ])
        );
    }
}

#[tokio::test]
async fn m19_what_was_not_mailed_keeps_nobody_else_from_writing_to_that_mailbox() {
    let sink = Sink::opens().await;
    let house = sink.of(Plan::default()).build().await;
    let ann = Api::person(&house, "ann@a.test", "org-a").await;
    let bob = Api::person(&house, "bob@b.test", "org-b").await;
    let elsewhere = "/organizations/org-b/invitations";
    invites(&ann, "joe@c.test").await;
    let unknown = json!({"email": "joe@c.test", "role": "nobody"});
    for (body, status, code) in
        [(ask("joe@c.test"), 409, "invitation_pending"), (unknown.clone(), 422, "role_unknown")]
    {
        for _ in 0..6 {
            assert_eq!(told(&ann.post(PATH, body.clone()).await), (status, code.to_owned()));
        }
    }
    // Nor what stands in one list again and again, or is asked for again under the same key.
    let equal: Vec<_> = (0..8).map(|_| ask("jane@c.test")).chain([unknown]).collect();
    for first in ["created", "created"] {
        let again = |ask: reqwest::RequestBuilder| {
            let ask = ask.header("idempotency-key", "list").header("content-type", "application/json");
            ask.body(json!({ "invitations": equal }).to_string())
        };
        let answer = ann.send(Method::POST, &format!("{PATH}/bulk"), again).await;
        let results = answer.json()["results"].as_array().unwrap().clone();
        let statuses: Vec<_> = results.iter().map(|row| row["status"].as_str().unwrap()).collect();
        assert_eq!((statuses[0], statuses[8]), (first, "invalid"), "{}", answer.body);
        assert!(statuses[1..8].iter().all(|status| *status == "duplicate"), "{statuses:?}");
    }
    // Nor what was taken back before it went out, or written anew.
    for _ in 0..6 {
        let id = invites(&ann, "jack@c.test").await;
        let gone = ann.send(Method::DELETE, &format!("{PATH}/{id}"), |ask| ask).await;
        assert_eq!(gone.status, 204, "{}", gone.body);
    }
    let id = invites(&ann, "jack@c.test").await;
    for _ in 0..6 {
        let again = ann.post(&format!("{PATH}/{id}/resend"), json!({})).await;
        assert_eq!(again.status, 200, "{}", again.body);
    }
    // One mail to each: four are left, and the fifth is one too many whoever tries.
    for to in ["joe@c.test", "jane@c.test", "jack@c.test"] {
        for number in 0..4 {
            let made = bob.post(elsewhere, ask(&to.replace('@', &format!("+{number}@")))).await;
            assert_eq!(made.status, 201, "{to} {number}: {}", made.body);
        }
        for _ in 0..2 {
            assert_eq!(told(&bob.post(elsewhere, ask(to)).await), (429, "rate_limited".to_owned()));
        }
    }
}
