//! What the demo tells a person at the terminal.

use std::io::IsTerminal;

use super::scene::{ANN, CON, Scene};

/// What to open, as whom to sign in, what to try.
pub fn invite(scene: &Scene) {
    say!("{}", invitation(scene));
}

fn invitation(scene: &Scene) -> String {
    let Scene { broker, application, my_corp, contractor, folder, .. } = scene;
    let behalf = &broker.origin;
    let elsewhere = if behalf.ends_with(":8080") { "" } else { "   (port 8080 is taken)" };
    let fate = if folder.is_kept { "stays" } else { "goes when this ends" };
    let [open, who, walk, machine, copy] =
        ["Open", "Sign in as", "Try", "On this machine", "To read and to copy"].map(bold);
    format!(
        "
Behalf is running, with two customers and an application. Ctrl-C stops it all.

{open}   {application}

{who}
  {ANN:<24} owner of My Corporation
  {CON:<24} works for Contractor, who may act for My Corporation

{walk}
  1  Sign in as ann. Her email domain leads to her company's own identity provider.
  2  Sign out of Acme CRM and sign in again: Behalf knows the browser, nobody is asked.
  3  Sign out of Acme CRM, and sign in for Contractor as ann: Behalf says no, and Acme
     CRM is told.
  4  Go back to Acme CRM and sign out at Behalf, too. Sign in as con and choose My
     Corporation: the token says both, org_id is My Corporation and home_org_id is
     Contractor.
  5  Switch organization.
  6  Sign in as somebody@else.example: no customer has proved that domain.

{machine}
  Acme CRM                         {application}
  Behalf                           {behalf}{elsewhere}
  My Corporation's sign-in         {}   (OpenID Connect)
  Contractor's sign-in             {}   (SAML)
  Database and keys                {}   ({fate})

{copy}
  examples/demo.house.toml         the customers, the contractor, the application
  examples/web_app.rs              the application
  examples/idp.rs                  My Corporation's identity provider
  examples/saml_idp.rs             Contractor's",
        my_corp.provider,
        contractor.provider,
        folder.path.display()
    )
}

/// For a terminal; a file gets the plain text.
pub fn bold(text: &str) -> String {
    if std::io::stdout().is_terminal() { format!("\x1b[1m{text}\x1b[0m") } else { text.to_owned() }
}
