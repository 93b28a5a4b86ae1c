//! `[connection.…]`

mod oidc;
mod saml;

use super::keys::Keys;
use super::values;
use crate::foundation::id::ConnectionId;
use crate::manage::connections::wanted::{LEEWAY, MOST_LEEWAY};
use crate::manage::house_file::fault::Placed;
use crate::manage::house_file::parts::{ConnectionPart, UpstreamPart};
use crate::model::connection::{ConnectionState, Jit};

pub fn read((slug, mut keys): (Placed<String>, Keys<'_>)) -> ConnectionPart {
    let reader = keys.reader;
    values::slug(reader, &slug);
    if slug.value.parse::<ConnectionId>().is_ok() {
        reader.refuse(slug.at, "a slug must not look like an id");
    }
    let kind = keys.word("type", &["oidc", "saml"]).map_or(Type::Oidc, |word| word.value);
    let (mut places, default_roles) = (keys.places(), values::roles(&mut keys, "default_roles", &[]));
    places.put_list("/default_roles", &default_roles);
    let assigned = keys.texts("assign_organizations").map_or_else(Vec::new, |list| list.value);
    places.put_list("/assign_organizations", &assigned);
    let state = keys.word("state", &["draft", "testing", "active", "disabled"]);
    let part = ConnectionPart {
        organization: keys.text("organization"),
        display_name: values::label(&mut keys, "display_name").unwrap_or_else(|| slug.value.clone()),
        state: state.map_or(ConnectionState::Active, |word| word.value),
        upstream: match kind {
            Type::Oidc => UpstreamPart::Oidc(Box::new(oidc::read(&mut keys))),
            Type::Saml => UpstreamPart::Saml(Box::new(saml::read(&mut keys))),
        },
        jit: keys
            .word("jit", &["create_and_join", "expected_only"])
            .map_or(Jit::CreateAndJoin, |word| word.value),
        assign_organizations: assigned,
        default_roles,
        leeway: keys.number("leeway", MOST_LEEWAY).unwrap_or(LEEWAY),
        silent_sign_in: keys.flag("silent_sign_in", false),
        slug,
        places,
    };
    keys.finish();
    part
}

/// What the provider speaks.
#[derive(serde::Deserialize)]
#[serde(rename_all = "lowercase")]
enum Type {
    Oidc,
    Saml,
}
