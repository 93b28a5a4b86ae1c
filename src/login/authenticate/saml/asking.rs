//! The authentication request.

use data_encoding::HEXLOWER;

use crate::foundation::email::Email;
use crate::foundation::secret::Secret;
use crate::keys::saml_keyring::SpKeys;
use crate::login::Stop;
use crate::login::departure::{Departure, Message};
use crate::login::refusal::Refusal;
use crate::model::connection::{
    LoginHint, NameIdFormat, RequestBinding, RequestSettings, SamlConnection, ServiceEndpoint,
};
use crate::model::login::{Asked, Awaited, AwaitedSaml, Away, Login};
use crate::protocol::saml::authn_request::{Draft, Hint, NameIdPolicy, Requested, Scoping};
use crate::protocol::saml::binding::Carried;
use crate::protocol::saml::names;
use crate::web::reply::Fault;
use crate::web::visitor::Visitor;

/// The authentication request, signed, and what its answer must match.
pub async fn leave_for(
    visitor: &Visitor,
    login: &Login,
    connection: SamlConnection<'_>,
    email: Option<Email>,
) -> Result<(Away, Departure), Stop> {
    let broker = visitor.broker();
    let idp = broker.saml_keys.idp(connection).map_err(|why| unusable(connection, why))?;
    let settings = &connection.saml.request;
    let (binding, endpoint) = idp
        .sso
        .preferred(binding_for(login, settings))
        .ok_or(Refusal::IdpUnreachable("no_sign_on_address"))?;
    let keys = broker.saml_keys.of_connection(connection).await?;
    // The flow's id leads back to it; the secret makes it this outing. 75 bytes of the 80 that there may be
    // (SAML Bindings, section 3.4.3).
    let relay_state = format!("{}.{}", login.id, broker.random.token().expose());
    let away = Away {
        connection: connection.id,
        version: connection.version,
        awaited: Awaited::Saml(AwaitedSaml {
            request: format!("_{}.{}", login.id, HEXLOWER.encode(&broker.random.bytes::<16>())),
            relay_state: Secret::new(relay_state.as_str()).digest(),
        }),
        left_at: broker.now(),
        reauthenticate: settings.force_authn || login.reauthenticates(),
        max_age: login.asked.max_age,
        wants_the_moment: login.wants_the_moment(),
        email,
    };
    let departure = Asking { visitor, connection, settings, asked: &login.asked, away: &away, keys: &keys }
        .departure(binding, endpoint, &relay_state)?;
    Ok((away, departure))
}

/// A form would need a page of ours, which nobody may be shown who is asked for silently.
fn binding_for(login: &Login, settings: &RequestSettings) -> RequestBinding {
    if login.asked.prompt.none { RequestBinding::Redirect } else { settings.binding }
}

/// A connection that was fit when it was made and is not now (threats C05).
fn unusable(connection: SamlConnection<'_>, why: crate::model::connection::Unusable) -> Refusal {
    tracing::warn!(connection = %connection.id, %why, "a SAML connection cannot be used");
    Refusal::IdpUnreachable("connection_unusable")
}

struct Asking<'a> {
    visitor: &'a Visitor,
    connection: SamlConnection<'a>,
    settings: &'a RequestSettings,
    asked: &'a Asked,
    away: &'a Away,
    keys: &'a SpKeys,
}

impl Asking<'_> {
    fn departure(
        &self,
        binding: RequestBinding,
        endpoint: &ServiceEndpoint,
        relay_state: &str,
    ) -> Result<Departure, Stop> {
        let Awaited::Saml(awaited) = &self.away.awaited else {
            return Err(Fault::Other("not a SAML login").into());
        };
        let xml = self.request(&awaited.request, &endpoint.location)?;
        let message = Message {
            which: Carried::Request,
            id: &awaited.request,
            xml: &xml,
            relay_state: Some(relay_state),
        };
        let address = self.with_hint(&endpoint.location);
        Departure::with(message, binding, self.connection, address, self.keys)
    }

    fn request(&self, id: &str, destination: &str) -> Result<String, Fault> {
        let at = self.visitor.saml_addresses(self.connection.id);
        let context = self.settings.authn_context.as_ref();
        let classes: Vec<&str> =
            context.iter().flat_map(|context| &context.classes).map(String::as_str).collect();
        let scoping: Vec<&str> = self.settings.scoping.iter().map(String::as_str).collect();
        let subject = match self.settings.login_hint {
            LoginHint::Subject => self.hint(),
            LoginHint::None | LoginHint::Parameter(_) => None,
        };
        let draft = Draft {
            id,
            destination,
            issuer: &at.entity_id,
            acs: &at.acs,
            provider_name: None,
            force_authn: self.is_forced(),
            is_passive: self.asked.prompt.none,
            name_id_policy: self.settings.name_id_format.map(|format| NameIdPolicy {
                format: (format != NameIdFormat::Unspecified).then(|| format.uri()),
                allow_create: true,
            }),
            requested: context
                .map(|context| Requested { classes: &classes, comparison: context.comparison.in_request() }),
            subject: subject
                .as_deref()
                .map(|value| Hint { value, format: Some(names::name_id::EMAIL_ADDRESS) }),
            scoping: (!scoping.is_empty()).then_some(Scoping { proxy_count: None, providers: &scoping }),
        };
        let written = draft.write(self.visitor.broker().now());
        written.map_err(|_| Fault::Other("an authentication request cannot be written"))
    }

    /// SAML has no word for "at most so old" or "somebody else": where one is asked for, the person proves anew.
    fn is_forced(&self) -> bool {
        let asked = self.asked;
        // Whoever may not be asked cannot prove anything anew: what is too old is refused when it comes.
        if asked.prompt.none {
            return false;
        }
        self.away.reauthenticate || asked.max_age.is_some() || asked.prompt.select_account
    }

    fn hint(&self) -> Option<String> {
        self.away.email.as_ref().map(ToString::to_string)
    }

    /// The address with the hint that some providers take in its query; it is no part of what is signed.
    fn with_hint(&self, location: &str) -> String {
        let LoginHint::Parameter(name) = &self.settings.login_hint else { return location.to_owned() };
        let Some(hint) = self.hint() else { return location.to_owned() };
        let pair = form_urlencoded::Serializer::new(String::new()).append_pair(name, &hint).finish();
        format!("{location}{}{pair}", if location.contains('?') { '&' } else { '?' })
    }
}
