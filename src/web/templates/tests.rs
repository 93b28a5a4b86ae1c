#![allow(clippy::unwrap_used)]
use std::fs;

use super::*;
use crate::model::mail::{Kind, Letter};

fn built_in() -> Templates {
    Templates::new(None).unwrap()
}

fn brand() -> Brand {
    Brand::named("prj_a", "Behalf")
}

fn email_page(application: &str) -> Page {
    Page::Email(EmailPage { application: application.to_owned(), ..EmailPage::default() })
}

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        put(folder.path(), name, text);
    }
    folder
}

fn put(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// The tags and attributes of a page: all that a value must never add to.
fn skeleton(html: &str) -> Vec<String> {
    let (mut tags, mut rest) = (vec![], html);
    while let Some((_, after)) = rest.split_once('<') {
        let mut quoted = false;
        let end = after.find(|c| {
            quoted ^= c == '"';
            c == '>' && !quoted
        });
        let (tag, tail) = after.split_at(end.unwrap());
        // Values in quotes and the hue of a monogram follow the data; names and structure do not.
        tags.push(tag.split('"').step_by(2).collect::<Vec<_>>().join("\""));
        rest = tail;
    }
    tags
}

#[test]
fn every_page_is_made_in_every_language() {
    let templates = built_in();
    for language in templates.languages() {
        for page in sample::pages() {
            let html = templates.render(&page, &language, &brand()).unwrap();
            assert!(html.contains(&format!("<html lang=\"{language}\" dir=\"ltr\">")));
            assert!(html.ends_with("</html>"), "{html}");
        }
    }
}

/// Pages without "Use another account". A trial signs nobody in, so there is no account that could be another one; and nobody
/// signs in to read what is written for developers.
const WITHOUT_ACCOUNTS: [&str; 4] =
    ["login/trial.html", "login/tried.html", "manage/problems.html", "manage/reference.html"];

#[test]
fn every_page_offers_another_account() {
    let templates = built_in();
    let mut tried = std::collections::BTreeSet::new();
    for (language, words) in
        [(Language::ENGLISH, "Use another account"), (Language::GERMAN, "Anderes Konto verwenden")]
    {
        for page in sample::pages() {
            let html = templates.render(&page, &language, &brand()).unwrap();
            let by_form = format!("name=\"another_account\" value=\"yes\">{words}</button>");
            let html = html.replace("&#x3d;", "=");
            let forms = html.matches(&by_form).count();
            let links = html.split("<a class=\"quiet\"").skip(1).filter(|link| {
                link.contains(&format!(">{words}</a>")) && link.contains("sign-in?another=yes")
            });
            let offered = forms + links.count();
            let expected = usize::from(!WITHOUT_ACCOUNTS.contains(&page.template()));
            assert_eq!(offered, expected, "{}: {html}", page.template());
            tried.insert(page.template());
        }
    }
    // No page is left out.
    let pages = files::EMBEDDED.iter().filter(|(_, source)| source.contains("{% extends \"layout.html\" %}"));
    assert_eq!(tried, pages.map(|(name, _)| *name).collect());
}

#[test]
fn h26_no_value_of_a_stranger_becomes_markup() {
    let long = "x".repeat(10_000);
    let hostile = [
        "<script>alert(1)</script>",
        "\"><img src=x onerror=alert(1)>",
        "' onmouseover='alert(1)",
        "{{ 7*7 }}{% include 'layout.html' %}",
        "{ $application } &lt;b&gt;",
        "</title></textarea><svg/onload=alert(1)>",
        "\u{202e}evil\u{2066}\u{0}\u{2069}<b>",
        "שלום\u{200f}<i>",
        "javascript:alert(1)",
        "`-->]]><!--",
        &long,
    ];
    let templates = built_in();
    for language in templates.languages() {
        let harmless: Vec<_> = sample::full("a", "a")
            .iter()
            .map(|page| skeleton(&templates.render(page, &language, &brand()).unwrap()))
            .collect();
        for text in hostile {
            let brand = Brand { name: text.to_owned(), ..brand() };
            for (page, expected) in sample::full(text, text).iter().zip(&harmless) {
                let html = templates.render(page, &language, &brand).unwrap();
                assert_eq!(&skeleton(&html), expected, "{text}");
                assert!(!html.contains(['\u{202e}', '\u{200f}', '\u{2066}', '\u{0}']), "{text}");
            }
        }
    }
}

#[test]
fn h26_m20_hostile_names_stay_texts_in_mails() {
    let letter = |text: &str| {
        let letter = Letter {
            person: Some(text.to_owned()),
            // A paragraph more for each line, as it was written.
            message: Some(text.replace(['\r', '\n'], " ")),
            roles: vec![text.to_owned()],
            ..Letter::new(Kind::Invitation, text).about(text)
        };
        LetterPage::new(&letter, Some("https://login.example.com/invitations/x".to_owned()))
    };
    let templates = built_in();
    for language in templates.languages() {
        // What the operator calls the project is no stranger's word, and none of HTML either.
        let write = |text: &str| {
            let brand = Brand { name: text.replace("evil.test", "acme.test"), ..brand() };
            templates.write(&letter(text), Some(&language.to_string()), &brand).unwrap()
        };
        let harmless = skeleton(&write("a").html);
        for text in [
            "<script>alert(1)</script>",
            "\"><img src=x onerror=alert(1)>",
            "'><a href=http://evil.test>x</a>",
            "a\r\nBcc: everybody@a.test\r\n\r\n<b>",
            "https://evil.test/ Click",
            "\u{202e}tset.live\u{2066}",
            "{{ brand.name }}",
        ] {
            let Written { from, subject, text: plain, html } = write(text);
            assert!(!from.contains(['\r', '\n', '\u{202e}']), "{from:?}");
            assert_eq!(skeleton(&html), harmless, "{text}");
            assert!(!subject.contains(['\r', '\n', '\u{202e}']), "{subject:?}");
            assert!(!plain.contains("evil.test") && !html.contains("evil.test"), "{text}: {plain}");
        }
    }
}

#[test]
fn h26_a_value_in_a_message_is_escaped_once() {
    let html = built_in().render(&email_page("R&D <b>"), &Language::ENGLISH, &brand()).unwrap();
    assert!(html.contains("<h1>Sign in to R&amp;D &lt;b&gt;</h1>"), "{html}");
}

#[test]
fn h26_pages_hold_no_script_of_their_own_and_no_inline_style() {
    // Mails are no pages of ours: no policy of ours covers them, and mail programs know no stylesheet.
    let is_page = |name: &str| name.ends_with(".html") && !name.starts_with("mail/");
    for (name, source) in files::EMBEDDED.iter().filter(|(name, _)| is_page(name)) {
        let mut source = source.to_lowercase();
        if ["login/onward.html", "login/signed_out.html"].contains(name) {
            source = source.replace("<script src=\"{{ asset(\"onward.js\") }}\" defer></script>", "");
        }
        for bad in ["<script", "<style", " style=", " on", "javascript:", "safe", "autoescape", "://"] {
            let found = if bad == " on" { handler(&source) } else { source.contains(bad) };
            assert!(!found, "{name} has {bad}");
        }
    }
}

/// Whether there is an attribute such as `onclick=`.
fn handler(source: &str) -> bool {
    source.split([' ', '\n', '\t']).any(|word| {
        word.strip_prefix("on")
            .and_then(|w| w.split_once('='))
            .is_some_and(|(w, _)| w.bytes().all(|b| b.is_ascii_alphabetic()))
    })
}

#[test]
fn h26_a_template_cannot_switch_escaping_off_by_a_filter() {
    let folder = folder(&[("login/email.html", "{{ page.application | safe }}")]);
    assert!(Templates::new(Some(folder.path())).is_err());
}

#[test]
fn h24_the_picker_names_the_application_and_where_the_person_comes_from() {
    let choice = Choice {
        value: "dlg_1".to_owned(),
        name: "My Corporation".to_owned(),
        logo: None,
        through: "Contractor Login".to_owned(),
        delegated_by: Some("Contractor".to_owned()),
        problem: None,
    };
    let page = OrganizationsPage {
        application: "Planner".to_owned(),
        email: "con@a.test".to_owned(),
        csrf: "token".to_owned(),
        choices: vec![choice],
        ..OrganizationsPage::default()
    };
    let html = built_in().render(&Page::Organizations(page), &Language::ENGLISH, &brand()).unwrap();
    for words in [
        "Continue to Planner",
        "Who are you acting for?",
        "con@a.test",
        "on behalf of My Corporation — from Contractor",
        "Signed in with Contractor Login",
        "name=\"csrf\" value=\"token\"",
        "name=\"choice\" value=\"dlg_1\"",
    ] {
        assert!(html.contains(words), "{words}: {html}");
    }
}

#[test]
fn h24_a_long_name_does_not_hide_the_home_organization() {
    let mut choice = Choice {
        value: "dlg_1".to_owned(),
        name: "Northwind ".repeat(1_000),
        logo: None,
        through: "Contractor Login".to_owned(),
        delegated_by: Some("Contractor".to_owned()),
        problem: None,
    };
    choice.name.push_str("End");
    let page = OrganizationsPage { choices: vec![choice], ..OrganizationsPage::default() };
    let html = built_in().render(&Page::Organizations(page), &Language::ENGLISH, &brand()).unwrap();
    assert!(html.contains("Northwind… — from Contractor</span>"));
}

#[test]
fn c28_every_form_that_changes_something_carries_the_token() {
    let templates = built_in();
    // Forms that go on to another site change nothing here, and those of an invitation's link and of a device's code only
    // begin a login: what they carry is a secret itself.
    let goes_on = |page: &Page| matches!(page, Page::Onward(_) | Page::SignedOut(_));
    let begins = |page: &Page| match page {
        Page::Invitation(page) => page.within.is_none(),
        page => matches!(page, Page::Device(_)),
    };
    let changes = |page: &Page| !goes_on(page) && !begins(page);
    for page in sample::full("a", "a").into_iter().filter(changes) {
        let html = templates.render(&page, &Language::ENGLISH, &brand()).unwrap();
        for form in html.split("<form").skip(1).filter(|form| form.contains("method=\"post\"")) {
            let form = form.split("</form>").next().unwrap();
            assert!(form.contains("name=\"csrf\" value=\"c\""), "{form}");
        }
    }
}

#[test]
fn m01_an_unknown_organization_and_a_foreign_one_read_the_same() {
    // There is only one problem for both, so it is enough that its words take no value.
    let page = Page::Error(ErrorPage::new(Problem::OrganizationNotAllowed));
    let html = built_in().render(&page, &Language::ENGLISH, &brand()).unwrap();
    assert!(html.contains("The organization does not exist here, or this account cannot act for it."));
}

#[test]
fn m25_a_fault_shows_its_id_and_nothing_else() {
    let page = ErrorPage { id: Some("flt_42".to_owned()), ..ErrorPage::new(Problem::Fault) };
    let html = built_in().render(&Page::Error(page), &Language::GERMAN, &brand()).unwrap();
    assert!(html.contains("<code>flt_42</code>"));
    assert!(html.contains("Bei uns ist etwas schiefgegangen"));
}

#[test]
fn a_field_error_is_tied_to_its_field() {
    let page = EmailPage { problem: Some(Problem::EmailInvalid), ..EmailPage::default() };
    let html = built_in().render(&Page::Email(page), &Language::ENGLISH, &brand()).unwrap();
    assert!(html.contains("aria-invalid=\"true\" aria-describedby=\"email-problem email-hint\""));
    assert!(html.contains("id=\"email-problem\""));
    assert!(html.contains("<title>Problem: Sign in"));
}

#[test]
fn assets_are_named_by_their_content() {
    let templates = built_in();
    let html = templates.render(&email_page("App"), &Language::ENGLISH, &brand()).unwrap();
    let path = html.split("href=\"&#x2f;assets&#x2f;").nth(2).unwrap().split('"').next().unwrap();
    let style = templates.asset(&path.replace("&#x2f;", "/")).unwrap();
    assert_eq!(style.content_type, "text/css; charset=utf-8");
    assert!(style.immutable);
    assert!(!templates.asset("style.css").unwrap().immutable);
    assert!(!templates.asset("of-another-release/style.css").unwrap().immutable);
    for path in ["", "/", "../layout.html", "x/../style.css", "x/y/style.css", "login/email.html"] {
        assert!(templates.asset(path).is_none(), "{path}");
    }
}

#[test]
fn a_file_of_the_operator_comes_first_and_is_read_when_it_changes() {
    let folder =
        folder(&[("login/email.html", "<p>{{ t(\"email-title\", application=page.application) }}</p>")]);
    let templates = Templates::new(Some(folder.path())).unwrap();
    let shown = || templates.render(&email_page("App"), &Language::ENGLISH, &brand()).unwrap();
    assert_eq!(shown(), "<p>Sign in to App</p>");
    put(folder.path(), "messages/en.ftl", "email-title = Hello, { $application }\n");
    assert_eq!(shown(), "<p>Hello, App</p>");
    put(folder.path(), "assets/extra.png", "png");
    assert_eq!(templates.asset("extra.png").unwrap().content_type, "image/png");
    fs::remove_file(folder.path().join("login/email.html")).unwrap();
    assert!(shown().contains("<h1>Hello, App</h1>"));
}

#[test]
fn a_folder_can_bring_a_language() {
    let folder = folder(&[
        ("messages/ar.ftl", "email-title = تسجيل الدخول إلى { $application }\n"),
        ("messages/de-AT.ftl", "button-continue = Weiter, bitte\n"),
    ]);
    let templates = Templates::new(Some(folder.path())).unwrap();
    let arabic = templates.negotiate(None, Some("ar-EG"));
    let html = templates.render(&email_page("App"), &arabic, &brand()).unwrap();
    assert!(html.contains("<html lang=\"ar\" dir=\"rtl\">"));
    assert!(html.contains("تسجيل الدخول إلى \u{2068}App\u{2069}"));
    assert!(html.contains("Work email"), "what Arabic lacks is said in English");
    let austrian = templates.negotiate(Some("de-AT"), None);
    let html = templates.render(&email_page("App"), &austrian, &brand()).unwrap();
    assert!(html.contains("Weiter, bitte") && html.contains("Bei App anmelden"));
}

#[test]
fn a_broken_file_is_named_at_the_start_with_its_line() {
    let table: [(&str, &str, &str); 8] = [
        ("login/email.html", "a\nb\n{% if %}", "login/email.html, line 3"),
        ("login/error.html", "a\n{{ page.nothing }}", "login/error.html, line 2"),
        ("login/chooser.html", "\n\n{{ t(\"nothing\") }}", "login/chooser.html, line 3"),
        ("layout.html", "{% include \"gone.html\" %}", "layout.html, line 1"),
        ("login/ways_out.html", "a\n{{ nothing }}", "login/ways_out.html, line 2"),
        ("messages/de.ftl", "# a\nemail-title = { $app }\n", "messages/de.ftl, line 2: email-title"),
        ("messages/de.ftl", "a = b\n\n= c\n", "messages/de.ftl, line 3"),
        ("messages/!.ftl", "a = b\n", "messages/!.ftl, line 1"),
    ];
    for (name, text, expected) in table {
        let folder = folder(&[(name, text)]);
        let error = Templates::new(Some(folder.path())).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}");
    }
    let gone = folder(&[]).path().join("gone");
    assert!(matches!(Templates::new(Some(&gone)), Err(TemplateError::Folder { .. })));
}

#[test]
fn a_file_that_breaks_later_is_left_out_and_the_others_stay() {
    let folder = folder(&[("login/email.html", "<p>mine</p>"), ("login/signed_out.html", "<p>bye</p>")]);
    let templates = Templates::new(Some(folder.path())).unwrap();
    put(folder.path(), "login/email.html", "<p>mine {% if %}</p>");
    let html = templates.render(&email_page("App"), &Language::ENGLISH, &brand()).unwrap();
    assert!(html.contains("<h1>Sign in to App</h1>"));
    let bye = Page::SignedOut(SignedOutPage::default());
    assert_eq!(templates.render(&bye, &Language::ENGLISH, &brand()).unwrap(), "<p>bye</p>");
}

#[test]
fn a_template_that_fails_on_a_page_is_replaced_by_the_built_in_one() {
    let text = "{% if page.application == \"Trap\" %}{{ page.nothing }}{% endif %}fine";
    let folder = folder(&[("login/email.html", text)]);
    let templates = Templates::new(Some(folder.path())).unwrap();
    let shown = |name| templates.render(&email_page(name), &Language::ENGLISH, &brand()).unwrap();
    assert_eq!(shown("App"), "fine");
    assert!(shown("Trap").contains("<h1>Sign in to Trap</h1>"));
}
