//! What an identity provider is answered that has signed somebody out.

use std::time::Duration;

use super::message_id;
use super::pages::{Door, Served, told_of};
use crate::keys::saml_keyring::SpKeys;
use crate::login::departure::{self, Departure};
use crate::login::diagnosis::Diagnosis;
use crate::login::doorstep::{Told, stop};
use crate::login::leave::after::{After, Opens};
use crate::model::connection::{RequestBinding, UsableIdp};
use crate::protocol::saml::binding::Carried;
use crate::protocol::saml::logout::ResponseDraft;
use crate::protocol::saml::names::status;
use crate::protocol::saml::status::Status;
use crate::store::ephemeral::Kind;
use crate::web::reply::{Fault, Response};
use crate::web::visitor::Visitor;

/// Requests of one provider that are refused in a minute and answered all the same: each costs a signature.
const REFUSED_A_MINUTE: u64 = 60;
const MINUTE: Duration = Duration::from_secs(60);

/// What a browser says of where it will show the answer (Fetch Metadata, section 2.1).
const DESTINATION: &str = "sec-fetch-dest";

/// How an identity provider is answered.
pub(super) struct Reply<'d, 'a> {
    pub door: &'d Door<'a>,
    pub idp: &'d UsableIdp,
    pub keys: &'d SpKeys,
}

impl Reply<'_, '_> {
    /// That all of them are over; where a browser shows our pages, it opens first what applications want.
    pub async fn after(&self, id: &str, opens: Opens) -> Result<Response, Told> {
        let visitor = self.door.visitor;
        let after = After::default().opening(visitor, &opens).await.map_err(Told::Stop)?;
        let shows = !opens.is_empty() && is_shown(visitor);
        let status = match opens.leaves_some(shows) {
            true => Status::new(status::SUCCESS, Some(status::PARTIAL_LOGOUT)),
            false => Status::success(),
        };
        if status.says(status::PARTIAL_LOGOUT) {
            self.door.note_incomplete(&status).await?;
        }
        match self.departure(id, &status)? {
            Some(departure) if shows => {
                Ok(after.reply_onward(visitor, departure, self.door.connection.display_name.clone()))
            }
            Some(departure) => Ok(self.sent(departure)),
            // Nobody there can be told, so whoever is here is.
            None => Ok(after.reply(visitor, None)),
        }
    }

    /// That nobody of that name is known here (SAML Core, section 3.2.2.2); whoever is here has nothing that could be
    /// open.
    pub fn knowing_nobody(&self, id: &str) -> Result<Response, Told> {
        let status = Status::new(status::REQUESTER, Some(status::UNKNOWN_PRINCIPAL));
        match self.departure(id, &status)? {
            Some(departure) => Ok(self.sent(departure)),
            None => Ok(After::default().reply(self.door.visitor, None)),
        }
    }

    pub fn with(&self, id: &str, status: &Status) -> Result<Response, Told> {
        match self.departure(id, status)? {
            Some(departure) => Ok(self.sent(departure)),
            None => Err(stop(Fault::Other("sessions could not be ended"))),
        }
    }

    /// Whoever has signed a request is told that it is refused (SAML Core, section 3.7.3), as far as that can be told.
    pub async fn refusing(&self, id: &str, status: &Status, why: Diagnosis) -> Result<Served, Told> {
        let counter = format!("logout refused {}", self.door.connection.id);
        let ephemeral = &self.door.visitor.broker().ephemeral;
        let count = ephemeral.count(Kind::RateCounter, &counter, MINUTE).await.map_err(stop)?;
        let departure = if count > REFUSED_A_MINUTE { None } else { self.departure(id, status)? };
        let Some(departure) = departure else { return Err(why.into()) };
        Ok(Served { response: self.sent(departure), refused: Some(told_of(why)) })
    }

    fn sent(&self, departure: Departure) -> Response {
        let visitor = self.door.visitor;
        departure.reply(visitor, None, &visitor.provider_targets())
    }

    /// Nothing, if it has no door for it. Within a frame of the provider's no page of ours is shown, so a redirect is
    /// better there.
    fn departure(&self, id: &str, status: &Status) -> Result<Option<Departure>, Told> {
        let Reply { door, idp, keys } = self;
        let binding = match is_framed(door.visitor) {
            true => RequestBinding::Redirect,
            false => door.arrived.binding(),
        };
        let Some((binding, endpoint)) = idp.slo.preferred(binding) else { return Ok(None) };
        let destination = endpoint.for_responses();
        let at = door.visitor.saml_addresses(door.connection.id);
        let own = message_id(door.visitor);
        let draft =
            ResponseDraft { id: &own, issuer: &at.entity_id, destination, in_response_to: id, status };
        let xml = draft.write(door.visitor.broker().now());
        let xml = xml.map_err(|_| stop(Fault::Other("a logout response cannot be written")))?;
        let relay_state = door.relay_state();
        let message = departure::Message { which: Carried::Response, id: &own, xml: &xml, relay_state };
        let departure = Departure::with(message, binding, door.connection, destination.to_owned(), keys);
        departure.map(Some).map_err(Told::Stop)
    }
}

/// Whether a page of ours would be seen: by a browser that says that it wants one, and in no frame. Whatever else brings
/// messages takes our answer alone.
fn is_shown(visitor: &Visitor) -> bool {
    visitor.headers.get(DESTINATION).is_some_and(|place| place == "document")
}

fn is_framed(visitor: &Visitor) -> bool {
    visitor.headers.get(DESTINATION).is_some_and(|place| place == "iframe" || place == "frame")
}
