//! H26: whatever people call themselves and their companies, a page holds our own elements and no others.

use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use serde_json::json;
use tokio::net::TcpListener;

use crate::house::application::{Application, Person};
use crate::house::broker::{House, Plan};
use crate::house::form::skeleton;
use crate::house::lying_idp::Says;
use crate::house::visitor::{Answer, Visitor, line};

/// Names of up to 80 characters.
const NAMES: [&str; 62] = [
    "<script>alert(1)</script>",
    "</title><script src=//evil.test></script>",
    "\"><img src=x onerror=alert(1)>",
    "'><svg/onload=alert(1)>",
    "\" autofocus onfocus=alert(1) x=\"",
    "' onmouseover='alert(1)",
    "</button></form><form action=https://evil.test>",
    "<base href=https://evil.test/>",
    "<meta http-equiv=refresh content=0;url=//evil.test>",
    "<!--",
    "--><b>",
    "<![CDATA[<b>]]>",
    "{{ 7*7 }}",
    "{% include \"layout.html\" %}",
    "{{ page.csrf }}",
    "${7*7}#{7*7}<%= 7*7 %>",
    "&lt;b&gt;&#x3c;b&#x3e;",
    "</bdi></h1><textarea>",
    "<style>@import'//evil.test'</style>",
    "javascript:alert(1)",
    "\u{202e}evil\u{2066}",
    "<a href=\"data:text/html,x\">",
    "<ScRiPt>alert(1)</sCrIpT>",
    "<script src=//evil.test>",
    "<script/src=//evil.test></script>",
    "<scr<script>ipt>alert(1)</script>",
    "<script/x>alert(1)</script/x>",
    "</script><script>alert(1)</script>",
    "</style><script>alert(1)</script>",
    "</textarea><script>alert(1)</script>",
    "</noscript><img src=x onerror=alert(1)>",
    "<noscript><p title=\"</noscript><img src=x onerror=alert(1)>\">",
    "<iframe src=javascript:alert(1)>",
    "<iframe srcdoc=\"<script>alert(1)</script>\">",
    "<object data=//evil.test>",
    "<embed src=//evil.test>",
    "<link rel=stylesheet href=//evil.test>",
    "<video><source onerror=alert(1)>",
    "<audio src=x onerror=alert(1)>",
    "<details open ontoggle=alert(1)>",
    "<marquee onstart=alert(1)>",
    "<body onload=alert(1)>",
    "<input autofocus onfocus=alert(1)>",
    "<select><option>x</option></select>",
    "<form><button formaction=javascript:alert(1)>x",
    "<math><mi xlink:href=javascript:alert(1)>x</mi></math>",
    "<svg><animate onbegin=alert(1) attributeName=x>",
    "<svg><script>alert(1)</script></svg>",
    "<template><script>alert(1)</script></template>",
    "<table background=javascript:alert(1)>",
    "<xmp><p title=\"</xmp><script>alert(1)</script>\">",
    "<plaintext>",
    "<b/><i/><u/>",
    "<?xml version='1.0'?><x/>",
    "<!DOCTYPE html><html>",
    "` onmouseover=alert(1) x=`",
    "\" style=\"background:url(//evil.test)",
    "' formaction='javascript:alert(1)",
    "x\" name=\"csrf\" value=\"y",
    "\u{ff1c}script\u{ff1e}alert(1)\u{ff1c}/script\u{ff1e}",
    "&#60;script&#62;alert(1)&#60;/script&#62;",
    "{# comment #}{{ config }}{% raw %}",
];

/// More of the default house, for every page: a chooser, and a way in by name.
const MORE: &str = r#"
[connection.social]
type = "oidc"
display_name = "A Login"
state = "active"
issuer = "{idp_b}"
client_id = "behalf"
client_secret = { env = "CB_SECRET" }

[connection.second]
organization = "org-a"
type = "oidc"
display_name = "A Login"
state = "active"
issuer = "{idp_b}"
client_id = "behalf"
client_secret = { env = "CB_SECRET" }

[[domain]]
name = "two.test"
organization = "org-a"
connections = ["ca", "second"]
use_for_routing = true
trust_email = true
"#;

pub(super) fn plan() -> Plan {
    Plan::default()
        .with("claims = { idp = true }", "claims = { idp = true }\nconnections = [\"social\"]")
        .and(MORE)
}

/// Gives everything in the house this name.
async fn name(house: &House, name: &str) {
    let toml = |text: &str| json!(text).to_string();
    let olds = ["Acme Cloud", "A Corporation", "B Corporation", "A Login", "First App"];
    // In an order that does not depend on chance.
    let file = olds.iter().fold(plan().file, |file, old| {
        let last = if *old == "B Corporation" { " B" } else { "" };
        let new = toml(&format!("{name}{last}"));
        file.replace(&format!("display_name = \"{old}\""), &format!("display_name = {new}"))
    });
    // What turns the direction of a text is refused; somebody may have it from before.
    if house.tries(&file).await.is_err() {
        for (table, new, of) in [
            ("projects", name, "slug = 'default'"),
            ("organizations", name, "slug = 'org-a'"),
            ("organizations", &format!("{name} B"), "slug = 'org-b'"),
            ("connections", name, "slug IN ('ca', 'social', 'second')"),
            ("applications", name, "client_id = 'rp1'"),
        ] {
            let sql = format!("UPDATE {table} SET display_name = '{new}' WHERE {of}");
            assert!(house.execute(&sql).await > 0, "{sql}");
        }
    }
    house.idp_a.says(Says::truth().claim("name", &toml(name)).claim("given_name", &toml(name)));
}

/// Every page of the journey.
pub(super) async fn pages(house: &House) -> Vec<(&'static str, Answer)> {
    let rp1 = Application::rp1(house);
    let mut all = Vec::new();
    let mut con = Person::new("con@a.test");
    let email = con.browser.get(&rp1.asks().url()).await;
    let form = email.form_with("email");
    all.push(("problem", con.browser.submit(&form.clone().with("email", "x@nobody.test")).await));
    all.push(("typed", con.browser.submit(&form.clone().with("email", "\"><b x='")).await));
    all.push(("chooser", con.browser.submit(&form.with("email", "con@two.test")).await));
    all.push(("email", email));
    let ask = rp1.asks().with("login_hint", "con@a.test");
    all.push(("picker", con.follows(&ask).await.answer));
    house.idp_a.says(Says::that("x", "x@nobody.test"));
    let refused = Person::new("con@a.test").follows(&rp1.asks().with("login_hint", "con@a.test")).await;
    all.push(("refused", refused.answer));
    all.push(("unknown", Visitor::arrives().get(&rp1.asks().with("client_id", "<b>").url()).await));
    let out = con.browser.get(&format!("{}/logout", house.url)).await;
    let form = out.form();
    all.push(("sign out", out));
    all.push(("signed out", con.browser.submit(&form.with("sign_out", "yes")).await));
    all
}

#[tokio::test]
async fn h26_no_name_brings_an_element_or_an_attribute() {
    let house = plan().build().await;
    name(&house, "Harmless").await;
    let harmless = pages(&house).await;
    assert_eq!(
        harmless.iter().map(|(_, page)| page.status.as_u16()).collect::<Vec<_>>(),
        [422, 422, 200, 200, 200, 403, 400, 200, 200]
    );
    for hostile in NAMES {
        name(&house, hostile).await;
        for ((what, page), (_, plain)) in pages(&house).await.iter().zip(&harmless) {
            assert_eq!(skeleton(&page.body), skeleton(&plain.body), "{what} of {hostile:?}: {}", page.body);
            assert_eq!(page.status, plain.status, "{what} of {hostile:?}");
            let policy = page.header("content-security-policy").unwrap();
            for rule in
                ["default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "style-src 'self'"]
            {
                assert!(policy.contains(rule), "{what}: {policy}");
            }
            assert!(!policy.contains("script-src") && !policy.contains("unsafe"), "{what}: {policy}");
            assert_eq!(page.header("x-content-type-options"), Some("nosniff"), "{what}");
        }
    }
}

/// A PNG of one pixel.
const RED: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x02\0\0\0\x90wS\xde\0\0\0\x0cIDATx\xdac\xf8\xcf\xc0\0\0\x03\x01\x01\0\xf7\x03AC\0\0\0\0IEND\xaeB`\x82";

/// Somebody's server of pictures and other things.
async fn canary() -> String {
    // Of one pixel, and of what an attacker would like to be served from our origin.
    let png = [RED, b"<script>alert(1)</script>"].concat();
    let typed = |kind: &'static str, body: Vec<u8>| {
        get(move || {
            let body = body.clone();
            async move { ([(header::CONTENT_TYPE, kind)], body).into_response() }
        })
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new()
        .route("/png", typed("image/png", png.clone()))
        .route("/lying", typed("text/html", png.clone()))
        .route("/svg", typed("image/svg+xml", b"<svg xmlns='http://www.w3.org/2000/svg'/>".to_vec()))
        .route("/svg-as-png", typed("image/png", b"<svg xmlns='http://www.w3.org/2000/svg'/>".to_vec()))
        .route("/html", typed("text/html", b"<script>alert(1)</script>".to_vec()))
        .route("/html-as-png", typed("image/png", b"<script>alert(1)</script>".to_vec()))
        .route("/half-a-png", typed("image/png", png[..40].to_vec()))
        .route("/empty", typed("image/png", Vec::new()))
        .route("/large", typed("image/png", [png.clone(), vec![0; 300_000]].concat()))
        .route("/huge", typed("image/png", [png, vec![0; 3_000_000]].concat()))
        .route("/redirect", get(|| async { (StatusCode::FOUND, [(header::LOCATION, "/png")]) }))
        .route("/missing", get(|| async { StatusCode::NOT_FOUND }));
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    url
}

#[tokio::test]
async fn h26_a_logo_is_a_picture_or_nothing() {
    let house = House::opens().await;
    let canary = canary().await;
    let id = house.organization("org-a").await;
    for (path, shown) in [
        ("/png", true),
        ("/lying", true),
        ("/svg", false),
        ("/svg-as-png", false),
        ("/html", false),
        ("/html-as-png", false),
        ("/half-a-png", false),
        ("/empty", false),
        ("/large", false),
        ("/huge", false),
        ("/redirect", false),
        ("/missing", false),
    ] {
        house
            .execute(&format!("UPDATE organizations SET logo_uri = '{canary}{path}' WHERE id = '{id}'"))
            .await;
        let answer = line().get(format!("{}/assets/logo/{id}", house.url)).send().await.unwrap();
        let header = |name: &str| answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        assert_eq!(header("x-content-type-options").as_deref(), Some("nosniff"), "{path}");
        if shown {
            assert_eq!(
                (answer.status().as_u16(), header("content-type").as_deref()),
                (200, Some("image/png"))
            );
            assert_eq!(header("content-security-policy").as_deref(), Some("default-src 'none'; sandbox"));
            let shown = answer.bytes().await.unwrap();
            assert!(
                shown.starts_with(b"\x89PNG") && !shown.windows(7).any(|part| part == b"<script"),
                "{path}"
            );
        } else {
            // The initials stand in, and not for long: nothing of what came is passed on.
            assert_eq!(header("content-type").as_deref(), Some("image/svg+xml"), "{path}");
            assert_eq!(header("cache-control").as_deref(), Some("public, max-age=60"), "{path}");
            assert!(header("content-security-policy").unwrap().starts_with("default-src 'none'; "), "{path}");
            assert!(header("content-security-policy").unwrap().ends_with("; sandbox"), "{path}");
            assert_eq!(answer.status(), 200, "{path}");
            let drawn = answer.text().await.unwrap();
            assert!(drawn.contains(">AC</text>") && !drawn.contains("script"), "{path}: {drawn}");
        }
    }
    for id in ["x", "org_00000000000000000000000000", "..%2f..%2fetc%2fpasswd", "http:%2f%2fevil.test"] {
        let answer = Visitor::arrives().get(&format!("{}/assets/logo/{id}", house.url)).await;
        assert_eq!(answer.status, 404, "{id}");
    }
    let logo_only_by_file = "[project]\nslug = \"default\"\n[organization.org-c]\nlogo_uri = ";
    for uri in [
        "javascript:alert(1)",
        "data:image/png;base64,x",
        "file:///etc/passwd",
        "http://evil.test/x.png",
        "//evil.test",
        "x",
    ] {
        let text = format!("{logo_only_by_file}{}\n", json!(uri));
        let folder = std::env::temp_dir();
        let read = behalf::manage::house_file::HouseFile::parse(&text, &folder, &|_| None);
        assert!(read.is_err(), "{uri}");
    }
}
