//! What a SAML identity provider is answered that signs somebody out: applications are told by the person's browser first
//! where that shows our pages, what could not be done is said, and so is what is refused.

use behalf::protocol::saml::assertion::NameId;
use behalf::protocol::saml::binding::{Carried, MAX_ECHO, RedirectMessage, redirect_url};
use behalf::protocol::saml::logout::RequestDraft;
use behalf::protocol::saml::names::name_id;
use behalf::protocol::saml::signature::sign_enveloped;
use data_encoding::BASE64;
use reqwest::{Method, StatusCode};

use super::saml_logout::{alive, answer, brings, ends, plan, slo, unsigned};
use crate::house::application::{Application, Person, Proof};
use crate::house::broker::{Engine, House, Plan};
use crate::house::lying_saml_idp::{LyingSamlIdp, Says, Signer, new_id};
use crate::house::surgery::{attr, value};
use crate::house::visitor::{Answer, Visitor};

const ENGINES: [Engine; 2] = [Engine::Sqlite, Engine::Postgres];
const DESTINATION: &str = "sec-fetch-dest";

/// What is done to a message before it is signed.
type Change<'c> = &'c dyn Fn(String) -> String;

/// The same where the provider takes both bindings.
fn by_both(more: &str) -> Plan {
    let plan = Plan::default();
    let idp = LyingSamlIdp::new("cb", plan.clock.clone());
    let offer = |binding: &str| {
        format!(
            "<md:SingleLogoutService Binding=\"urn:oasis:names:tc:SAML:2.0:bindings:{binding}\" \
             Location=\"https://idp-cb.test/slo\"/>"
        )
    };
    let sso = "<md:SingleSignOnService ";
    let offers = format!("{}{}{sso}", offer("HTTP-Redirect"), offer("HTTP-POST"));
    let metadata = idp.metadata().replacen(sso, &offers, 1);
    let more = format!("single_logout = true\n{more}");
    let mut plan = plan.with_saml_metadata("cb", &metadata, &more);
    plan.saml.insert("cb".to_owned(), idp);
    plan
}

/// Applications that want something opened: `rp1`, and `rp2` that hears of it otherwise as well.
fn with_frames(plan: Plan) -> Plan {
    let told = |name: &str, more: &str| {
        let registered = format!("[\"https://{name}.test/callback\"]\n");
        let frame = format!("{registered}frontchannel_logout_uri = \"https://{name}.test/f\"\n{more}");
        (registered, frame)
    };
    let (rp1, rp1_told) = told("rp1", "");
    let (rp2, rp2_told) = told("rp2", "backchannel_logout_uri = \"https://rp2.test/b\"\n");
    plan.with(&rp1, &rp1_told).with(&rp2, &rp2_told)
}

/// Bob signs in to both applications.
async fn signs_in(house: &House) {
    let mut bob = Person::new("bob@b.test");
    let ask = Application::rp1(house).asks();
    let arrival = bob.signs_in_by(house, "cb", &ask, &Says::that("bob@b.test")).await;
    ask.redeems(&arrival).await;
    let ask = Application::rp2(house).asks();
    let arrival = bob.follows(&ask).await;
    ask.redeems(&arrival).await;
}

/// A browser brings it, and says where it will show the answer.
async fn shown(slo: &str, xml: &str, place: &'static str) -> Answer {
    let body = [("SAMLRequest", BASE64.encode(xml.as_bytes())), ("RelayState", "state".to_owned())];
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(body).finish();
    let dress = |request: reqwest::RequestBuilder| {
        request
            .header("content-type", "application/x-www-form-urlencoded")
            .header(DESTINATION, place)
            .body(body)
    };
    Visitor::arrives().request(Method::POST, slo, dress).await
}

/// That Bob's sessions end, in the query of an address.
fn in_a_query(
    house: &House,
    slo: &str,
    state: Option<&str>,
    change: impl FnOnce(String) -> String,
) -> String {
    let xml = change(unsigned(house, slo, &[]).1);
    redirect_url(slo, Carried::Request, &xml, state, &house.saml("cb").signer.key).unwrap()
}

/// The answer in an address, with its RelayState.
fn in_the_query(answer: &Answer) -> (String, Option<String>) {
    let to = answer.location().unwrap_or_else(|| panic!("{answer:?}"));
    read(to.query().unwrap())
}

fn read(query: &str) -> (String, Option<String>) {
    let message = RedirectMessage::read(query, Carried::Response).unwrap();
    (String::from_utf8(message.xml).unwrap(), message.relay_state)
}

#[tokio::test]
async fn m03_applications_that_are_told_by_the_browser_are_told_before_the_provider_is_answered() {
    for engine in ENGINES {
        let house = with_frames(Plan { engine, ..plan("") }).build().await;
        let slo = slo(&house).await;
        signs_in(&house).await;
        let request = ends(&house, &slo, &[], &house.saml("cb").signer);
        let page = shown(&slo, &request, "document").await;
        assert_eq!(page.status, 200, "{}", page.body);
        let policy = page.header("content-security-policy").unwrap();
        assert!(policy.contains(" frame-src https://rp1.test https://rp2.test;"), "{policy}");
        assert!(
            policy.contains("script-src 'self'") && policy.contains("frame-ancestors 'none'"),
            "{policy}"
        );
        assert_eq!(page.body.matches("<iframe").count(), 2, "{}", page.body);
        assert!(page.body.contains("sid=sess_") && page.body.contains("data-after"), "{}", page.body);
        let form = page.form_with("SAMLResponse");
        assert_eq!(form.action.as_str(), "https://idp-cb.test/slo");
        assert_eq!(form.value("RelayState"), Some("state"));
        let told = answer(&page);
        assert!(told.contains("status:Success") && !told.contains("PartialLogout"), "{told}");
        assert_eq!(value(&told, "InResponseTo"), value(&request, "ID"));
        assert_eq!(alive(&house).await, 0);
        assert_eq!(house.events_of("logout.incomplete").await, 0);
    }
}

#[tokio::test]
async fn m03_a_provider_is_told_of_applications_that_could_not_be_told() {
    // In a frame of the provider's, or by no browser at all, nothing of ours is opened.
    for place in ["iframe", "empty", ""] {
        let house = with_frames(plan("")).build().await;
        let slo = slo(&house).await;
        signs_in(&house).await;
        let request = ends(&house, &slo, &[], &house.saml("cb").signer);
        let page = shown(&slo, &request, place).await;
        assert!(!page.body.contains("<iframe"), "{}", page.body);
        let told = answer(&page);
        assert!(told.contains("status:Success") && told.contains("status:PartialLogout"), "{told}");
        assert_eq!(alive(&house).await, 0, "here it is over");
        assert_eq!(house.events_of("logout.incomplete").await, 1);
    }
    // All hear of it otherwise: nothing is left.
    let (uri, both) = ("frontchannel_logout_uri = \"https://rp1.test/f\"\n", "https://rp1.test/b");
    let both = format!("{uri}backchannel_logout_uri = \"{both}\"\n");
    let house = with_frames(plan("")).with(uri, &both).build().await;
    let slo = slo(&house).await;
    signs_in(&house).await;
    let request = ends(&house, &slo, &[], &house.saml("cb").signer);
    let told = answer(&shown(&slo, &request, "iframe").await);
    assert!(told.contains("status:Success") && !told.contains("PartialLogout"), "{told}");
}

/// A page holds twenty frames: those that hear of it in no other way come first, and of who is left out the provider is told.
#[tokio::test]
async fn m03_of_more_applications_than_a_page_holds_the_provider_is_told_whom_nobody_told() {
    for (silent, otherwise, is_complete) in [(20, 2, true), (21, 1, false)] {
        let mut applications = String::new();
        for number in 0..silent + otherwise {
            let hears = if number < otherwise {
                format!("backchannel_logout_uri = \"https://many{number}.test/b\"\n")
            } else {
                String::new()
            };
            applications += &format!(
                "\n[application.many{number}]\ntype = \"spa\"\n\
                 redirect_uris = [\"https://many{number}.test/callback\"]\n\
                 scopes = [\"openid\", \"profile\", \"email\", \"organizations\", \"roles\", \"permissions\"]\n\
                 frontchannel_logout_uri = \"https://many{number}.test/f\"\n{hears}"
            );
        }
        let house = plan("").and(&applications).build().await;
        let slo = slo(&house).await;
        let mut bob = Person::new("bob@b.test");
        for number in 0..silent + otherwise {
            let ask = Application::new(&house, &format!("many{number}"), Proof::Nothing).asks();
            let arrival = match number {
                0 => bob.signs_in_by(&house, "cb", &ask, &Says::that("bob@b.test")).await,
                _ => bob.follows(&ask).await,
            };
            ask.redeems(&arrival).await;
        }
        let request = ends(&house, &slo, &[], &house.saml("cb").signer);
        let page = shown(&slo, &request, "document").await;
        assert_eq!(page.body.matches("<iframe").count(), 20, "{}", page.body);
        let frames = page.body.replace("&#x2f;", "/");
        let of_silent = (otherwise..silent + otherwise)
            .filter(|number| frames.contains(&format!("https://many{number}.test/f")));
        assert_eq!(of_silent.count(), 20, "who hears of it otherwise gives way");
        let told = answer(&page);
        assert!(told.contains("status:Success"), "{told}");
        assert_eq!(told.contains("status:PartialLogout"), !is_complete, "{told}");
        assert_eq!(house.events_of("logout.incomplete").await, usize::from(!is_complete));
        assert_eq!(alive(&house).await, 0);
    }
}

#[tokio::test]
async fn m03_what_is_open_in_another_browser_cannot_be_told_by_this_one() {
    let house = with_frames(plan("")).build().await;
    let slo = slo(&house).await;
    signs_in(&house).await;
    signs_in(&house).await;
    let request = ends(&house, &slo, &[], &house.saml("cb").signer);
    let page = shown(&slo, &request, "document").await;
    assert_eq!(page.body.matches("<iframe").count(), 4, "which one it is, nobody knows");
    assert!(answer(&page).contains("status:PartialLogout"));
    assert_eq!(alive(&house).await, 0);
}

#[tokio::test]
async fn m03_a_redirect_goes_on_by_itself_from_the_page_with_the_frames() {
    let house = with_frames(by_both("")).build().await;
    let slo = slo(&house).await;
    signs_in(&house).await;
    let url = in_a_query(&house, &slo, Some("a b"), |xml| xml);
    let page = Visitor::arrives()
        .request(Method::GET, &url, |request| request.header(DESTINATION, "document"))
        .await;
    assert_eq!(page.status, 200);
    assert_eq!(page.body.matches("<iframe").count(), 2, "{}", page.body);
    assert!(!page.header("content-security-policy").unwrap().contains("script-src"));
    let (_, rest) = page.body.split_once("5;url=").unwrap();
    let to = rest.split('"').next().unwrap().replace("&amp;", "&").replace("&#x2f;", "/");
    assert!(to.starts_with("https://idp-cb.test/slo?SAMLResponse="), "{to}");
    let (told, state) = read(to.split_once('?').unwrap().1);
    assert!(told.contains("status:Success") && !told.contains("PartialLogout"), "{told}");
    assert_eq!(state.as_deref(), Some("a b"));
    // In a frame no page of ours is shown, so even to a form the answer is a redirect.
    house.turn_clock(1);
    signs_in(&house).await;
    let request = ends(&house, &slo, &[], &house.saml("cb").signer);
    let (told, _) = in_the_query(&shown(&slo, &request, "iframe").await);
    assert!(told.contains("status:PartialLogout"), "{told}");
}

#[tokio::test]
async fn m03_who_has_no_door_for_answers_leaves_the_person_with_the_page() {
    let without = |metadata: &str| metadata.to_owned();
    let plan = Plan::default();
    let idp = LyingSamlIdp::new("cb", plan.clock.clone());
    let mut plan = plan.with_saml_metadata("cb", &without(&idp.metadata()), "single_logout = true\n");
    plan.saml.insert("cb".to_owned(), idp);
    let house = with_frames(plan).build().await;
    let slo = slo(&house).await;
    signs_in(&house).await;
    let request = ends(&house, &slo, &[], &house.saml("cb").signer);
    let page = shown(&slo, &request, "document").await;
    assert_eq!((page.status, page.body.matches("<iframe").count()), (StatusCode::OK, 2), "{}", page.body);
    assert_eq!(alive(&house).await, 0);
}

#[tokio::test]
async fn m03_a_signed_request_that_is_refused_is_answered_so_and_ends_nothing() {
    let house = plan("").build().await;
    let slo = slo(&house).await;
    signs_in(&house).await;
    let signer = &house.saml("cb").signer;
    let plain = |change: Change<'_>| {
        let (id, now) = (new_id(), house.clock.now());
        let draft = RequestDraft {
            id: &id,
            issuer: &house.saml("cb").entity_id,
            destination: &slo,
            name_id: &NameId::new("id-of-bob", name_id::PERSISTENT),
            session_indexes: &[],
            not_on_or_after: Some(now.plus(std::time::Duration::from_secs(60))),
        };
        change(draft.write(now).unwrap())
    };
    let by = |xml: String, signer: &Signer| {
        let id = value(&xml, "ID").to_owned();
        sign_enveloped(&xml, &id, &signer.key, None).unwrap()
    };
    let set = |name: &'static str, to: &'static str| move |xml: String| attr(&xml, name, Some(to));
    let over = set("NotOnOrAfter", "2020-01-01T00:00:00Z");
    let old = set("IssueInstant", "2020-01-01T00:00:00Z");
    let elsewhere = set("Destination", "https://other.test/slo");
    let version = set("Version", "1.1");
    let nobody = |xml: String| {
        let (from, until) = (xml.find("<saml:NameID").unwrap(), xml.find("</saml:NameID>").unwrap());
        format!("{}{}", &xml[..from], &xml[until + "</saml:NameID>".len()..])
    };
    let changes: [(Change<'_>, &str, &str); 5] = [
        (&over, "expired", "Requester"),
        (&old, "issue_instant", "Requester"),
        (&elsewhere, "destination", "Requester"),
        (&version, "version", "VersionMismatch"),
        (&nobody, "name_id", "Requester"),
    ];
    for (change, reason, code) in changes {
        let request = by(plain(change), signer);
        let before = house.before().await;
        let page = brings(&slo, &request).await;
        let told = answer(&page);
        assert_eq!(value(&told, "InResponseTo"), value(&request, "ID"), "{reason}");
        assert!(told.contains(&format!("status:{code}")) && !told.contains("status:Success"), "{told}");
        house.refused(&before, reason).await;
    }
    // Nobody else is answered: by another key, by none, or changed afterwards.
    let stranger = Signer::new("stranger", house.clock.now());
    let sound = by(plain(&|xml| xml), signer);
    for (request, reason) in [
        (by(plain(&over), &stranger), "signature_invalid"),
        (plain(&over), "signature_missing"),
        (sound.replace("id-of-bob", "id-of-ann"), "digest"),
    ] {
        let before = house.before().await;
        let page = brings(&slo, &request).await;
        assert_eq!(page.status, 403, "{reason}");
        assert!(!page.body.contains("SAMLResponse"), "{}", page.body);
        house.refused(&before, reason).await;
    }
    assert_eq!(alive(&house).await, 1);
}

#[tokio::test]
async fn m03_how_many_refusals_are_signed_in_a_minute_is_limited() {
    let house = plan("").build().await;
    let slo = slo(&house).await;
    signs_in(&house).await;
    let request = ends(&house, &slo, &[], &house.saml("cb").signer);
    assert!(answer(&brings(&slo, &request).await).contains("status:Success"));
    for _ in 0..60 {
        assert!(answer(&brings(&slo, &request).await).contains("status:RequestDenied"));
    }
    let page = brings(&slo, &request).await;
    assert_eq!(page.status, 403);
    assert!(!page.body.contains("SAMLResponse"), "{}", page.body);
    house.turn_clock(61);
    assert!(answer(&brings(&slo, &request).await).contains("status:RequestDenied"));
}

#[tokio::test]
async fn s3_34_a_relay_state_comes_back_as_it_was_sent() {
    let house = by_both("").build().await;
    let slo = slo(&house).await;
    signs_in(&house).await;
    // More than the 80 bytes that there may be is what some providers send.
    for bytes in [1, 80, 81, MAX_ECHO] {
        let state = "é".repeat(bytes / 2) + &"x".repeat(bytes % 2);
        let xml = ends(&house, &slo, &[], &house.saml("cb").signer);
        let fields = [("SAMLRequest", BASE64.encode(xml.as_bytes())), ("RelayState", state.clone())];
        let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let page = Visitor::arrives().post_form(&slo, &fields).await;
        assert_eq!(page.form_with("SAMLResponse").value("RelayState"), Some(state.as_str()), "{bytes}");
    }
    let url = in_a_query(&house, &slo, Some(&"s".repeat(80)), |xml| xml);
    let (_, state) = in_the_query(&Visitor::arrives().get(&url).await);
    assert_eq!(state, Some("s".repeat(80)));
    // What is too long for anybody is left out; the sessions end all the same.
    let xml = ends(&house, &slo, &[], &house.saml("cb").signer);
    let long = "s".repeat(MAX_ECHO + 1);
    let fields = [("SAMLRequest", &*BASE64.encode(xml.as_bytes())), ("RelayState", long.as_str())];
    let page = Visitor::arrives().post_form(&slo, &fields).await;
    assert_eq!(page.form_with("SAMLResponse").value("RelayState"), None);
    assert!(answer(&page).contains("status:Success"));
}

#[tokio::test]
async fn h16_a_query_signed_by_a_weak_algorithm_is_told_as_that() {
    let house = by_both("").build().await;
    let slo = slo(&house).await;
    signs_in(&house).await;
    let url = in_a_query(&house, &slo, None, |xml| xml);
    let strong = "http%3A%2F%2Fwww.w3.org%2F2001%2F04%2Fxmldsig-more%23rsa-sha256";
    assert!(url.contains(strong), "{url}");
    for weak in ["2000/09/xmldsig#rsa-sha1", "2001/04/xmldsig-more#rsa-md5"] {
        let weak: String =
            form_urlencoded::byte_serialize(format!("http://www.w3.org/{weak}").as_bytes()).collect();
        let before = house.before().await;
        let page = Visitor::arrives().get(&url.replace(strong, &weak)).await;
        assert_eq!(page.status, 403);
        house.refused(&before, "signature_algorithm").await;
        let events = house.events_since(&before).await;
        let told = |name: &str| events[0].detail[name].as_str().unwrap_or_default().to_owned();
        assert!(
            told("expected").contains("SHA-256") && told("message").contains("LogoutRequest"),
            "{events:?}"
        );
        let named = ["xmldsig#rsa-sha1", "xmldsig-more#rsa-md5"];
        assert!(named.iter().any(|name| told("found").ends_with(name)), "{events:?}");
    }
    assert_eq!(alive(&house).await, 1);
}

#[tokio::test]
async fn m03_whom_nobody_knows_here_is_answered_as_such() {
    for engine in ENGINES {
        let house = Plan { engine, ..by_both("") }.build().await;
        let slo = slo(&house).await;
        signs_in(&house).await;
        let nobody = |indexes: &[&str]| {
            let (id, xml) = unsigned(&house, &slo, indexes);
            sign_enveloped(&xml.replace("id-of-bob", "id-of-nobody"), &id, &house.saml("cb").signer.key, None)
                .unwrap()
        };
        for indexes in [&[][..], &["session-of-bob"]] {
            let request = nobody(indexes);
            let events = house.audit().await.len();
            let told = answer(&brings(&slo, &request).await);
            assert!(told.contains("status:Requester") && told.contains("status:UnknownPrincipal"), "{told}");
            assert!(!told.contains("status:Success"), "{told}");
            assert_eq!(value(&told, "InResponseTo"), value(&request, "ID"));
            assert_eq!((alive(&house).await, house.audit().await.len()), (1, events));
        }
        // Bob is known, whether he is still here or not.
        for living in [1, 0] {
            assert_eq!(alive(&house).await, living);
            let told = answer(&brings(&slo, &ends(&house, &slo, &[], &house.saml("cb").signer)).await);
            assert!(told.contains("status:Success") && !told.contains("UnknownPrincipal"), "{told}");
            assert_eq!(alive(&house).await, 0);
        }
    }
}

#[tokio::test]
async fn m03_strangers_do_not_fill_the_trail_by_sign_outs_and_hide_no_providers() {
    let house = plan("").build().await;
    let slo = slo(&house).await;
    signs_in(&house).await;
    let stranger = Signer::new("https://idp-cb.test", house.clock.now());
    for number in 0..35 {
        let before = house.before().await;
        let told = brings(&slo, &ends(&house, &slo, &[], &stranger)).await;
        assert_eq!(told.status, if number < 30 { 403 } else { 429 }, "{number}");
        house.unchanged(&before).await;
        let reasons: Vec<_> =
            house.events_since(&before).await.into_iter().filter_map(|event| event.reason).collect();
        let expected: &[&str] = match number {
            0..30 => &["signature_invalid"],
            30 => &["too_many_events"],
            _ => &[],
        };
        assert_eq!(reasons, expected, "{number}");
    }
    // What the provider itself has signed is answered, and written down.
    let request = ends(&house, &slo, &[], &house.saml("cb").signer);
    assert!(answer(&brings(&slo, &request).await).contains("status:Success"));
    let before = house.before().await;
    assert!(answer(&brings(&slo, &request).await).contains("status:RequestDenied"));
    house.refused(&before, "replayed").await;
}

#[tokio::test]
async fn s3_34_a_sign_out_by_another_binding_is_told_truthfully() {
    let house = plan("").build().await;
    let slo = slo(&house).await;
    let mut visitor = Visitor::arrives();
    for page in [
        visitor.get(&format!("{slo}?SAMLart=AAQ")).await,
        visitor.post_form(&slo, &[("SAMLRequest", "PGEvPg=="), ("SigAlg", "x"), ("Signature", "y")]).await,
    ] {
        assert_eq!(page.status, 400);
        assert!(page.body.contains("HTTP-Artifact or HTTP-POST-SimpleSign"), "{}", page.body);
        assert!(page.body.contains("you may still be signed in"), "{}", page.body);
        assert!(!page.body.contains("by HTTP-POST only"), "{}", page.body);
    }
    let events = house.audit().await;
    let refused: Vec<_> = events.iter().filter(|event| event.action == "logout.refused").collect();
    assert_eq!(refused.len(), 2);
    for event in refused {
        assert_eq!(event.reason.as_deref(), Some("binding_unsupported"));
        assert_eq!(event.detail["expected"], "HTTP-POST or HTTP-Redirect");
    }
    // What is no message at all is told at this door as all else is.
    for query in ["", "?SAMLRequest=a&SAMLResponse=b"] {
        let before = house.before().await;
        let page = visitor.get(&format!("{slo}{query}")).await;
        assert_eq!(page.status, 400);
        assert!(page.body.contains("Signing out may be incomplete"), "{}", page.body);
        house.refused(&before, "malformed_saml").await;
    }
}
