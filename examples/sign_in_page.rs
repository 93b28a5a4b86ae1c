//! The page on which the sample identity providers ask who somebody is. No password: they belong on a laptop.

use axum::http::header;
use axum::response::{Html, IntoResponse, Response};

#[derive(Clone)]
pub struct Person {
    pub email: String,
    pub name: String,
}

/// Whose page it is.
pub struct Look<'a> {
    pub company: &'a str,
    /// A colour, in degrees.
    pub hue: u16,
}

impl Look<'_> {
    /// One button for each of the people, which posts their email address as `person`, empty if they give up; who was
    /// named already comes first.
    pub fn ask(&self, people: &[Person], hint: Option<&str>, action: &str) -> Response {
        let mut people: Vec<_> = people.iter().collect();
        people.sort_by_key(|person| Some(person.email.as_str()) != hint);
        let button = |person: &&Person| {
            let (name, email) = (escape(&person.name), escape(&person.email));
            format!(r#"<button name="person" value="{email}"><b>{name}</b><span>{email}</span></button>"#)
        };
        let buttons: String = people.iter().map(button).collect();
        let stranger = hint.filter(|hint| people.iter().all(|person| person.email != *hint));
        let stranger = stranger
            .map(|hint| format!(r#"<p class="problem">Nobody here is called {}.</p>"#, escape(hint)))
            .unwrap_or_default();
        let (name, action) = (escape(self.company), escape(action));
        let main = format!(
            r#"<h1>Who are you?</h1>
    {stranger}
    <form method="post" action="{action}">
      {buttons}
      <button class="quiet" name="person" value="">Cancel</button>
    </form>
    <p class="note">The sample identity provider of {name}. A real one would ask for a password here.</p>"#
        );
        self.page("Sign in", &main, "")
    }

    /// A page of this company. `scripts` names what may run on it, in the words of a Content-Security-Policy.
    pub fn page(&self, title: &str, main: &str, scripts: &str) -> Response {
        let (name, hue, title) = (escape(self.company), self.hue, escape(title));
        let html = format!(
            r#"<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <title>{title} – {name}</title>
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <meta name="color-scheme" content="light dark">
  <link rel="icon" href="data:,">
  <style>:root {{ --hue: {hue} }} {STYLE}</style>
</head>
<body>
  <main>
    <p class="brand">{name}</p>
    {main}
  </main>
</body>
</html>"#
        );
        // No `form-action`: browsers would hold the redirect back to the client against it.
        let policy = format!(
            "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'{scripts}"
        );
        let headers = [(header::CONTENT_SECURITY_POLICY, policy), (header::CACHE_CONTROL, "no-store".into())];
        (headers, Html(html)).into_response()
    }
}

const STYLE: &str = "
  * { box-sizing: border-box }
  body { margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 1rem; line-height: 1.5;
    font-family: system-ui, sans-serif; background: hsl(var(--hue) 45% 90%); color: #1b1d1f }
  main { width: 100%; max-width: 25rem; padding: 2rem; border-radius: 4px; background: #fff;
    border-top: 6px solid hsl(var(--hue) 60% 40%) }
  .brand { margin: 0; font-weight: 650; color: hsl(var(--hue) 60% 30%) }
  h1 { margin: .25rem 0 1.25rem; font-size: 1.6rem; line-height: 1.2 }
  form { display: grid; gap: .75rem }
  button { display: grid; padding: .75rem 1rem; font: inherit; text-align: start; cursor: pointer; color: inherit;
    overflow-wrap: anywhere; border: 1px solid hsl(var(--hue) 25% 55%); border-radius: 4px; background: none }
  button:hover { background: hsl(var(--hue) 60% 50% / 12%) }
  button span, .note { color: #595d61; font-size: .9rem }
  button.quiet { text-align: center; border-color: transparent; text-decoration: underline }
  :focus-visible { outline: 3px solid hsl(var(--hue) 70% 45%); outline-offset: 2px }
  .problem { color: #a8261c } .note { margin: 1.25rem 0 0 }
  @media (prefers-color-scheme: dark) {
    body { background: hsl(var(--hue) 25% 12%); color: #eff0f2 } main { background: #1b1f26 }
    .brand { color: hsl(var(--hue) 60% 75%) } button span, .note { color: #b0b5bd } .problem { color: #ff9c8f }
  }";

pub fn escape(text: &str) -> String {
    let escaped = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    escaped.replace('"', "&quot;").replace('\'', "&#39;")
}
