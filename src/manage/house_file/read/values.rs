//! Values that several tables have.

use url::Url;

use super::keys::{Keys, Reader};
use crate::foundation::text::is_line;
use crate::manage::connections::wanted;
use crate::manage::house_file::fault::{Place, Placed};
use crate::model::organization::is_slug;
use crate::model::policy::Switch;
use crate::protocol::jose::Algorithm;
use crate::protocol::oauth::client_authentication::Method;

const MOST_DISPLAY: usize = 200;

/// By what we prove to a provider who we are.
const METHODS: [&str; 4] = ["client_secret_basic", "client_secret_post", "private_key_jwt", "none"];

/// Refuses what is no slug.
pub fn slug(reader: &Reader<'_>, name: &Placed<String>) {
    if !is_slug(&name.value) {
        reader.refuse(
            name.at,
            format!(
                "{:?} is no slug: 1 to 63 of a-z, 0-9 and -, beginning and ending with a letter or a digit",
                name.value
            ),
        );
    }
}

/// A text for people: one line of at most 200 characters, as everywhere (threats H26).
pub fn label(keys: &mut Keys<'_>, key: &str) -> Option<String> {
    let text = keys.text(key)?;
    if !is_line(&text.value, MOST_DISPLAY) {
        keys.reader.refuse(text.at, format!("must be one line of at most {MOST_DISPLAY} characters"));
    }
    Some(text.value)
}

/// An address of the web.
pub fn web_address(reader: &Reader<'_>, text: &Placed<String>) -> Option<Url> {
    reader.accept(text.at, wanted::web_address(&text.value))
}

/// As [`web_address`], as it was written.
pub fn address(keys: &mut Keys<'_>, key: &str) -> Option<String> {
    let text = keys.text(key)?;
    web_address(keys.reader, &text).map(|_| text.value)
}

pub fn method(keys: &mut Keys<'_>, default: Method) -> Method {
    let Some(method) = keys.word::<Method>("token_endpoint_auth_method", &METHODS) else { return default };
    if method.value.is_by_certificate() {
        keys.reader.refuse(method.at, format!("must be one of {}", METHODS.join(", ")));
    }
    method.value
}

/// An algorithm that signs.
pub fn algorithm(reader: &Reader<'_>, name: &Placed<String>, allowed: &[Algorithm]) -> Option<Algorithm> {
    reader.accept(name.at, wanted::algorithm(&name.value, allowed))
}

/// Names of roles, `default` where none are given.
pub fn roles(keys: &mut Keys<'_>, key: &str, default: &[&str]) -> Vec<Placed<String>> {
    let at = keys.at;
    match keys.texts(key) {
        Some(list) => list.value,
        None => default.iter().map(|role| Placed { value: (*role).to_owned(), at }).collect(),
    }
}

/// Without their places.
pub fn plain(list: Vec<Placed<String>>) -> Vec<String> {
    list.into_iter().map(|item| item.value).collect()
}

/// Names of permissions: printable, without spaces.
pub fn permissions(reader: &Reader<'_>, list: Vec<Placed<String>>) -> Vec<String> {
    let check = |item: Placed<String>| {
        if item.value.len() > 100 || !item.value.bytes().all(|byte| byte.is_ascii_graphic()) {
            reader.refuse(item.at, format!("{:?} is no permission: 1 to 100 visible characters", item.value));
        }
        item.value
    };
    list.into_iter().map(check).collect()
}

/// A name of one's own for a role: shorter than 64, printable, without spaces.
pub fn role_name(reader: &Reader<'_>, name: &str, at: Place) {
    if name.is_empty() || name.len() > 63 || !name.bytes().all(|byte| byte.is_ascii_graphic()) {
        reader.refuse(at, format!("{name:?} is no name of a role: 1 to 63 visible characters"));
    }
}

/// What is switched on and off. Nothing is switched on that there is not.
pub fn switches(keys: &mut Keys<'_>) -> Vec<(Switch, bool)> {
    let mut turned = Vec::new();
    for switch in Switch::ALL.iter().copied() {
        let Some(on) = keys.optional_flag(switch.word()) else { continue };
        if on && !switch.is_available() {
            keys.reader.refuse(keys.at, format!("{switch}: there is no such method yet"));
        }
        turned.push((switch, on));
    }
    turned
}
