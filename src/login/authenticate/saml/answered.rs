//! What an assertion means here: who it is, by which address, and how they proved it.

use std::time::Duration;

use crate::foundation::clock::Moment;
use crate::foundation::email::Email;
use crate::login::authenticate;
use crate::login::counted::Heard;
use crate::login::diagnosis::Diagnosis;
use crate::login::refusal::Refusal;
use crate::model::connection::{Comparison, NameIdFormat, SamlConnection, Subject};
use crate::model::identity::attributes::Attributes;
use crate::model::identity::{IdentityFacts, Naming};
use crate::model::login::{Away, Proof, SingleUse};
use crate::model::session::{Assurance, Secrecy, UpstreamName, UpstreamSession};
use crate::protocol::saml::assertion::{Assertion, NameId};
use crate::protocol::saml::message::MAX_ID;
use crate::protocol::saml::names::name_id;
use crate::protocol::saml::redact::hidden;
use crate::protocol::saml::signature::Verified;

/// Turns a verified assertion into a proof. `sp`: our entity id to its provider. `away`: what it answers; nothing, if
/// nobody had asked.
pub fn proof(
    (connection, sp): (SamlConnection<'_>, &str),
    away: Option<&Away>,
    assertion: &Verified<Assertion>,
    now: Moment,
) -> Result<Proof, Diagnosis> {
    let assertion = assertion.get();
    let attributes = Attributes(&assertion.attributes);
    let read = Reading { connection, sp, assertion, attributes };
    read.check_required()?;
    read.check_context()?;
    let leeway = Duration::from_secs(connection.settings.leeway);
    let at = assertion.authn_instant;
    let authenticated_at = match away {
        Some(away) => authenticate::recent_enough(away, at, now, leeway),
        None => Ok(at.min(now)),
    };
    let authenticated_at = authenticated_at.map_err(|_| too_long_ago(at))?;
    let session_until = read.session_end(now)?;
    let (email, named_by) = read.addresses()?;
    let (profile, left_out) = attributes.profile(&connection.saml.attributes);
    Ok(Proof {
        connection: connection.id,
        version: away.map_or(connection.version, |away| away.version),
        issuer: assertion.issuer.clone(),
        subject: read.subject()?,
        email,
        named_by,
        // It is the organization's own directory that says so; the domain rule decides whether it may.
        vouched: true,
        facts: IdentityFacts::of_profile(&profile),
        naming: read.naming(),
        profile,
        assurance: read.assurance(),
        authenticated_at,
        // No assertion is read that does not say so.
        is_assumed: false,
        issued_at: assertion.issued,
        session_until,
        single_use: Some(SingleUse { id: assertion.id.clone(), until: assertion.not_on_or_after }),
        upstream_session: Some(upstream_session(assertion)),
        left_out,
    })
}

/// They have proved who they are, at this moment, and not anew.
pub fn too_long_ago(at: Moment) -> Diagnosis {
    Diagnosis::new(Refusal::AuthenticationTooOld, "a new sign-in, as was asked for", at.rfc3339())
}

/// One that names neither a person nor a session is known as such: the provider can end it by nothing that it says.
fn upstream_session(assertion: &Assertion) -> UpstreamSession {
    let secrecy = match (assertion.is_name_encrypted, assertion.is_encrypted) {
        (true, _) => Secrecy::Own,
        (false, true) => Secrecy::Within,
        (false, false) => Secrecy::Open,
    };
    let name = assertion.name_id.as_ref().map(|name| upstream_name(name, secrecy));
    UpstreamSession { name, index: assertion.session_index.clone() }
}

fn upstream_name(name: &NameId, secrecy: Secrecy) -> UpstreamName {
    UpstreamName {
        value: name.value.clone(),
        format: name.format.clone(),
        name_qualifier: name.name_qualifier.clone(),
        sp_name_qualifier: name.sp_name_qualifier.clone(),
        secrecy,
    }
}

/// For whom the provider has answered, by what names people for good; a name that is another one each time tells nobody
/// apart.
pub fn heard(connection: SamlConnection<'_>, assertion: &Assertion) -> Heard {
    let by_attribute = match &connection.saml.subject {
        Subject::NameId => None,
        Subject::Attribute(name) => match Attributes(&assertion.attributes).values(name).as_slice() {
            [one] if is_name(one) => Some((*one).to_owned()),
            _ => None,
        },
    };
    let lasting = |name: &&NameId| name.format.as_deref() != Some(name_id::TRANSIENT);
    let by_name = || assertion.name_id.as_ref().filter(lasting).map(NameId::lasting);
    by_attribute.or_else(by_name).map_or(Heard::Answer, Heard::Person)
}

/// As strict as a NameID: nothing is trimmed, for ` ann` and `ann` may be two people.
fn is_name(text: &str) -> bool {
    text.chars().count() <= MAX_ID && text.trim() == text && !text.contains(char::is_control)
}

/// Values of an attribute that had to be others.
fn unlike(found: &[&str], wanted: &[String]) -> String {
    if found.is_empty() {
        return "no such attribute".to_owned();
    }
    let all: Vec<_> = found.iter().map(|value| hidden(value)).collect();
    let is_like = |value: &&str| wanted.iter().any(|wanted| wanted.trim().eq_ignore_ascii_case(value.trim()));
    let like = if found.iter().any(is_like) { "; one differs in case or white space alone" } else { "" };
    format!("{}{like}", all.join(", "))
}

/// Addresses of which nobody knows which one it is, or that are none. Those of one domain are no stranger's (threats C01),
/// and still too many.
fn several(found: &[&str], read: &[Option<Email>]) -> Diagnosis {
    let domains: Option<Vec<_>> = read.iter().map(|email| email.as_ref().map(Email::domain)).collect();
    let is_of_one = domains.is_some_and(|domains| domains.windows(2).all(|pair| pair[0] == pair[1]));
    let all: Vec<_> = found.iter().map(|value| hidden(value.trim())).collect();
    match is_of_one {
        true => {
            let expected = "one email address: have the provider send the primary one alone, or map `email` to an \
                            attribute that has one value";
            Diagnosis::new(Refusal::AssertionRefused("email_ambiguous"), expected, all.join(", "))
        }
        false => Diagnosis::new(Refusal::EmailDomainNotAllowed, "one email address", all.join(", ")),
    }
}

struct Reading<'a> {
    connection: SamlConnection<'a>,
    sp: &'a str,
    assertion: &'a Assertion,
    attributes: Attributes<'a>,
}

impl Reading<'_> {
    /// When our session must end, too. Clocks may differ, but a session that is over here is none: its person would be
    /// sent back to the provider at once, which would say the same again.
    fn session_end(&self, now: Moment) -> Result<Option<Moment>, Diagnosis> {
        let honoured = self.connection.saml.honours_session_end;
        match self.assertion.session_not_on_or_after.filter(|_| honoured) {
            Some(end) if end <= now => Err(Diagnosis::new(
                Refusal::AssertionRefused("session_expired"),
                "a session that is not over",
                end.rfc3339(),
            )),
            end => Ok(end),
        }
    }

    /// How the person proved who they are: by the class, and by the attribute in which the provider says more of that.
    fn assurance(&self) -> Assurance {
        let class = self.assertion.authn_context.as_deref();
        let more = self.connection.saml.preset.facts().authn_methods;
        let more = more.map(|name| self.attributes.named(name)).unwrap_or_default();
        Assurance::from_authn_contexts(class.into_iter().chain(more))
    }

    fn check_required(&self) -> Result<(), Diagnosis> {
        for (name, wanted) in &self.connection.saml.required_attributes {
            let found = self.attributes.values(name);
            if !found.iter().any(|value| wanted.iter().any(|wanted| wanted == value)) {
                let expected = format!("{name} to be one of: {}", wanted.join(", "));
                let refusal = Refusal::AssertionRefused("required_attribute");
                return Err(Diagnosis::new(refusal, expected, unlike(&found, wanted)));
            }
        }
        Ok(())
    }

    /// What was asked for exactly must be what happened. Of the order of other classes everybody shares one step only:
    /// where more than one factor is the least that was asked for, one is too little (SAML Core, section 3.3.2.2.1).
    fn check_context(&self) -> Result<(), Diagnosis> {
        let Some(asked) = &self.connection.saml.request.authn_context else { return Ok(()) };
        let found = self.assertion.authn_context.as_deref();
        let is_named = found.is_some_and(|found| asked.classes.iter().any(|class| class == found));
        let is_multi_factor = |class: &str| Assurance::from_authn_contexts([class]).is_multi_factor();
        let is_enough = match asked.comparison {
            Comparison::Exact => is_named,
            Comparison::Minimum | Comparison::Better => {
                self.assurance().is_multi_factor()
                    || !asked.classes.iter().all(|class| is_multi_factor(class))
            }
            Comparison::Maximum => true,
        };
        if is_enough {
            return Ok(());
        }
        let refusal = Refusal::AssertionRefused("authn_context");
        Err(Diagnosis::new(refusal, asked.classes.join(", "), found.unwrap_or("none")))
    }

    /// A name means something only within its qualifiers, which are the provider and us unless it says otherwise (SAML
    /// Core, section 8.3.7). Another provider's name behind this one's is no name that we could tell apart.
    fn check_qualifiers(&self, name: &NameId) -> Result<(), Diagnosis> {
        let by_another = name.name_qualifier.as_ref().is_some_and(|by| *by != self.assertion.issuer);
        let for_another = name.sp_name_qualifier.as_ref().is_some_and(|to| to != self.sp);
        if by_another || for_another {
            let refusal = Refusal::AssertionRefused("name_qualifier");
            let expected = "a NameID without qualifiers, or with the provider's and ours";
            return Err(Diagnosis::new(refusal, expected, "qualifiers of others"));
        }
        Ok(())
    }

    /// A name of another format than the connection asks for is no answer to it (SAML Core, section 3.4.1.1), and may
    /// pass from one person to another: formats tell names that are kept for good from those that are given anew. Where
    /// no format is asked for, or `unspecified`, it is the provider that chooses.
    fn check_format(&self, name: &NameId) -> Result<(), Diagnosis> {
        let asked = self.connection.saml.request.name_id_format;
        let Some(asked) = asked.filter(|format| *format != NameIdFormat::Unspecified) else { return Ok(()) };
        // One without a format is unspecified (SAML Core, section 2.2.2).
        let found = name.format.as_deref().unwrap_or(name_id::UNSPECIFIED);
        if found == asked.uri() {
            return Ok(());
        }
        let refusal = Refusal::AssertionRefused("name_id_format");
        Err(Diagnosis::new(refusal, format!("a NameID of the format {}", asked.uri()), found))
    }

    /// What names the person for good: a name that changes at each sign-in would make a new user each time.
    fn subject(&self) -> Result<String, Diagnosis> {
        let refusal = || Refusal::AssertionRefused("subject");
        match &self.connection.saml.subject {
            Subject::NameId => {
                let Some(name) = &self.assertion.name_id else {
                    let expected = "a NameID, or an attribute as the subject";
                    return Err(Diagnosis::new(Refusal::AssertionRefused("name_id"), expected, "none"));
                };
                self.check_format(name)?;
                if name.format.as_deref() == Some(name_id::TRANSIENT) {
                    let expected = "a NameID that stays the same, or an attribute as the subject";
                    return Err(Diagnosis::new(refusal(), expected, "a transient NameID"));
                }
                self.check_qualifiers(name)?;
                Ok(name.lasting())
            }
            Subject::Attribute(name) => match self.attributes.values(name).as_slice() {
                [one] if is_name(one) => Ok((*one).to_owned()),
                found => {
                    let found = match found {
                        [_] => "one that is longer, or has white space around it".to_owned(),
                        several => format!("{} values", several.len()),
                    };
                    Err(Diagnosis::new(
                        refusal(),
                        format!(
                            "one value of {name}, of 256 characters at most, without white space around it"
                        ),
                        found,
                    ))
                }
            },
        }
    }

    /// Of what the subject is.
    fn naming(&self) -> Naming {
        match &self.connection.saml.subject {
            Subject::Attribute(name) => Naming::Attribute(name.clone()),
            Subject::NameId => {
                let found = self.assertion.name_id.as_ref().and_then(|name| name.format.as_deref());
                Naming::NameId {
                    asked: self.connection.saml.request.name_id_format,
                    format: found.unwrap_or(name_id::UNSPECIFIED).to_owned(),
                }
            }
        }
    }

    /// The address, and the one that the NameID is, if it is another: both must be within the connection's domains. All
    /// that is mapped to the address must say the same one (threats C01): places and invitations wait for addresses, and of
    /// several the provider has not said which one is the person's.
    fn addresses(&self) -> Result<(Option<Email>, Option<Email>), Diagnosis> {
        let named = self.name_as_address()?;
        let mapping = &self.connection.saml.attributes.email;
        let found: Vec<_> = mapping.iter().flat_map(|name| self.attributes.values(name)).collect();
        if found.is_empty() {
            return Ok(if self.has_opaque_name() { (None, named) } else { (named, None) });
        }
        // Some providers write a value on a line of its own.
        let mut read: Vec<_> =
            found.iter().map(|text| Email::parse(text.trim_matches(['\n', '\r', '\t', ' '])).ok()).collect();
        read.dedup();
        let mapped = match read.as_mut_slice() {
            [one] => one.take(),
            _ => None,
        };
        let mapped = mapped.ok_or_else(|| several(&found, &read))?;
        let named = named.filter(|named| *named != mapped);
        Ok((Some(mapped), named))
    }

    /// Whether the NameID is of a format whose names mean nothing.
    fn has_opaque_name(&self) -> bool {
        let name = self.assertion.name_id.as_ref();
        let format = name.and_then(|name| name.format.as_deref());
        matches!(format, Some(name_id::PERSISTENT | name_id::TRANSIENT))
    }

    /// One that reads as an address is held to be one, whatever its format says, but a Kerberos principal.
    fn name_as_address(&self) -> Result<Option<Email>, Diagnosis> {
        let Some(name) = &self.assertion.name_id else { return Ok(None) };
        // A principal is written like an address and is none: its realm is no domain (SAML Core, section 8.3.6), and it names
        // nobody whom the same text of another format names.
        if name.format.as_deref() == Some(name_id::KERBEROS) {
            return Ok(None);
        }
        if self.has_opaque_name() {
            return Ok(Email::parse(&name.value).ok());
        }
        let is_address = name.format.as_deref() == Some(name_id::EMAIL_ADDRESS) || name.value.contains('@');
        if !is_address {
            return Ok(None);
        }
        Email::parse(&name.value).map(Some).map_err(|_| {
            let expected = "a NameID that is an email address, or one without @ or of the format persistent";
            Diagnosis::new(Refusal::EmailDomainNotAllowed, expected, hidden(&name.value))
        })
    }
}
