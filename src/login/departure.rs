//! How a browser gets to an identity provider, with a message or without.

use http::StatusCode;

use super::Stop;
use super::flow::Journey;
use crate::keys::saml_keyring::SpKeys;
use crate::model::connection::{RequestBinding, SamlConnection};
use crate::protocol::saml::binding::{Carried, post, redirect};
use crate::protocol::saml::signature::sign_enveloped;
use crate::web::reply::{self, Fault, Response};
use crate::web::templates::{Field, OnwardPage, Page};
use crate::web::visitor::Visitor;

#[derive(Clone, Debug)]
pub enum Departure {
    Redirect(String),
    Post { provider: String, action: String, fields: Vec<Field> },
}

/// A SAML message that is to be signed and sent.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    pub which: Carried,
    /// As the XML has it.
    pub id: &'a str,
    pub xml: &'a str,
    pub relay_state: Option<&'a str>,
}

impl Departure {
    /// Signs the message with our key, as the binding wants it: in the query, or inside the XML.
    pub fn with(
        message: Message<'_>,
        binding: RequestBinding,
        connection: SamlConnection<'_>,
        address: String,
        keys: &SpKeys,
    ) -> Result<Self, Stop> {
        let Message { which, id, xml, relay_state } = message;
        let certificate = &keys.signing.certificate;
        let chosen = connection.saml.request.signature.map(|chosen| keys.signing.key.by(chosen.method()));
        let chosen =
            chosen.transpose().map_err(|_| Fault::Other("a key cannot sign by the method chosen"))?;
        let key = chosen.as_ref().unwrap_or(&keys.signing.key);
        match binding {
            RequestBinding::Redirect => {
                let url = redirect::redirect_url(&address, which, xml, relay_state, key);
                Ok(Self::Redirect(url.map_err(|_| Fault::Other("a SAML redirect cannot be made"))?))
            }
            RequestBinding::Post => {
                let signed = sign_enveloped(xml, id, key, Some(certificate));
                let signed = signed.map_err(|_| Fault::Other("a SAML message cannot be signed"))?;
                let message = Field { name: which.parameter(), value: post::encode(&signed) };
                let state = relay_state.map(|state| Field { name: "RelayState", value: state.to_owned() });
                let fields = [Some(message), state].into_iter().flatten().collect();
                Ok(Self::Post { provider: connection.display_name.clone(), action: address, fields })
            }
        }
    }

    /// `targets`: where a posted form may lead in the end.
    pub fn reply(self, visitor: &Visitor, ui_locales: Option<&str>, targets: &[String]) -> Response {
        self.shown(visitor, ui_locales, targets, OnwardPage::default())
    }

    /// The same out of a login, to which the person may come back.
    pub fn reply_within(self, visitor: &Visitor, journey: &Journey) -> Response {
        let (csrf, another_account) = (journey.login.csrf.clone(), Some(journey.path(visitor, "/restart")));
        let page = OnwardPage { csrf, another_account, ..OnwardPage::default() };
        let locales = journey.login.asked.ui_locales.as_deref();
        self.shown(visitor, locales, &journey.form_targets(visitor), page)
    }

    fn shown(
        self,
        visitor: &Visitor,
        ui_locales: Option<&str>,
        targets: &[String],
        page: OnwardPage,
    ) -> Response {
        match self {
            Self::Redirect(location) => reply::see_other(&location),
            Self::Post { provider, action, fields } => {
                let page = Page::Onward(OnwardPage { provider, action, fields, ..page });
                visitor.page(StatusCode::OK, &page, ui_locales, targets)
            }
        }
    }
}
