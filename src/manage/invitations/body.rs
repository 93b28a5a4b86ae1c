//! What is said of an invitation in a body, and the rules of it.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::Wanted;
use crate::foundation::email::Email;
use crate::foundation::text::is_text;
use crate::manage::people::{AskedRoles, kind_of};
use crate::manage::refused::{Code, Refused};
use crate::model::membership::MembershipKind;
use crate::web::language::Language;

const MOST_ROWS: usize = 50;
const LONGEST_MESSAGE: usize = 500;
const LONGEST_LANGUAGE: usize = 35;
const SHORTEST_LIFE: u64 = 3_600;
pub const USUAL_LIFE: Duration = Duration::from_secs(7 * 24 * 3_600);
const LONGEST_LIFE: u64 = 30 * 24 * 3_600;

/// Who is invited: with one of `role` and `roles`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Invite {
    pub email: String,
    pub role: Option<String>,
    #[schemars(extend("minItems" = 1, "maxItems" = 20))]
    pub roles: Option<Vec<String>>,
    /// `member` or `guest`; absent: `member`.
    #[schemars(with = "Option<String>", extend("enum" = ["home", "member", "guest", null]))]
    pub kind: Option<MembershipKind>,
    /// Seconds, from an hour to 30 days; absent: 7 days.
    #[schemars(range(min = 3_600, max = 2_592_000))]
    pub expires_in: Option<u64>,
    /// Plain text of at most 500 characters for whoever is invited.
    #[schemars(extend("maxLength" = LONGEST_MESSAGE))]
    pub message: Option<String>,
    /// The application, by `client_id` or id, that who has accepted is led to.
    #[schemars(extend("minLength" = 1, "maxLength" = 255))]
    pub application: Option<String>,
    /// Where it is to receive them: one of its redirect URIs. Absent: where its logins begin.
    pub redirect_uri: Option<String>,
    /// The language of the mail and of the pages, as a BCP 47 tag. Absent: English, or what the browser says.
    #[schemars(extend("maxLength" = LONGEST_LANGUAGE))]
    pub language: Option<String>,
    /// Whether a mail is sent; otherwise the answer holds the link, once. A link that was not mailed proves no address: of one
    /// whose domain no organization has verified, it is accepted after that, or when it was sent again by mail.
    #[serde(default = "yes")]
    pub send: bool,
}

fn yes() -> bool {
    true
}

impl Invite {
    /// `mails`: whether the house sends any.
    pub fn checked(self, any_kind: bool, mails: bool) -> Result<Wanted, Refused> {
        refuse_mail(self.send, mails)?;
        let email = Email::parse(&self.email).map_err(|why| Refused::value("/email", why.to_string()))?;
        let roles = AskedRoles { role: self.role, roles: self.roles }.checked()?;
        let kind = self.kind.map(|kind| kind_of(kind, any_kind)).transpose()?;
        let lives = self.expires_in.unwrap_or(USUAL_LIFE.as_secs());
        if !(SHORTEST_LIFE..=LONGEST_LIFE).contains(&lives) {
            return Err(Refused::value("/expires_in", "must be from an hour to 30 days, in seconds"));
        }
        if self.message.as_ref().is_some_and(|text| !is_text(text, LONGEST_MESSAGE)) {
            let rule = format!("must be plain text of at most {LONGEST_MESSAGE} characters");
            return Err(Refused::value("/message", rule));
        }
        if self.redirect_uri.is_some() && self.application.is_none() {
            return Err(Refused::value("/application", "must be said with redirect_uri"));
        }
        let language = self.language.as_deref().map(language).transpose()?;
        let (kind, lives) = (kind.unwrap_or(MembershipKind::Member), Duration::from_secs(lives));
        let Self { message, application, redirect_uri, send, .. } = self;
        Ok(Wanted { email, roles, kind, message, lives, application, redirect_uri, language, send })
    }
}

fn language(tag: &str) -> Result<String, Refused> {
    let read = Some(tag).filter(|tag| tag.len() <= LONGEST_LANGUAGE).and_then(|tag| tag.parse().ok());
    let read: Language =
        read.ok_or_else(|| Refused::value("/language", "must be a language tag, such as de"))?;
    Ok(read.to_string())
}

/// Nothing is said to be sent that is not.
pub fn refuse_mail(send: bool, mails: bool) -> Result<(), Refused> {
    match send && !mails {
        true => Err(Refused::new(Code::MailNotConfigured, "say \"send\": false, and hand the link over")),
        false => Ok(()),
    }
}

/// Up to 50 at once.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InviteMany {
    #[schemars(extend("minItems" = 1, "maxItems" = MOST_ROWS))]
    pub invitations: Vec<Invite>,
}

impl InviteMany {
    pub fn rows(self, mails: bool) -> Result<Vec<Invite>, Refused> {
        if self.invitations.len() > MOST_ROWS {
            return Err(Refused::new(Code::TooManyRows, format!("{MOST_ROWS} at once")));
        }
        if self.invitations.is_empty() {
            return Err(Refused::value("/invitations", "must have a row"));
        }
        self.invitations.iter().try_for_each(|row| refuse_mail(row.send, mails))?;
        Ok(self.invitations)
    }
}

/// How it is sent again.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SendAgain {
    /// Whether a mail is sent; otherwise the answer holds the new link, once.
    #[serde(default = "yes")]
    pub send: bool,
}
