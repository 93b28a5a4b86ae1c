//! What each value that is said of an application must be.

use serde_json::Value;

use crate::foundation::text::is_line;
use crate::keys::keyring::ALGORITHMS;
use crate::manage::refused::Refused;
use crate::model::application::{GrantType, public_key_set};
use crate::protocol::jose::Algorithm;
use crate::protocol::oauth::origin::WebOrigin;
use crate::protocol::oauth::redirect_uri::{RedirectUri, RequestUri, WebAddress};
use crate::protocol::oauth::scope;

pub(super) const LONGEST_NAME: usize = 200;
pub(super) const MOST_URIS: usize = 100;
pub(super) const MOST_ORIGINS: usize = 20;
pub(super) const MOST_NAMED: usize = 1_000;
pub(super) const MOST_AUDIENCES: usize = 20;
const LONGEST_AUDIENCE: usize = 500;

pub(super) fn client_id(id: &str) -> Result<(), Refused> {
    match !id.is_empty() && id.len() <= LONGEST_NAME && id.bytes().all(|byte| byte.is_ascii_graphic()) {
        true => Ok(()),
        false => Err(Refused::value("/client_id", "must be 1 to 200 visible characters")),
    }
}

pub(super) fn display_name(name: &str) -> Result<(), Refused> {
    match is_line(name, LONGEST_NAME) {
        true => Ok(()),
        false => {
            let rule = format!("must be one line of at most {LONGEST_NAME} characters");
            Err(Refused::value("/display_name", rule))
        }
    }
}

/// Each once.
pub(super) fn grant_types(list: Vec<GrantType>) -> Result<Vec<GrantType>, Refused> {
    few("/grant_types", &list, GrantType::ALL.len())?;
    match (1..list.len()).find(|place| list[..*place].contains(&list[*place])) {
        Some(place) => Err(Refused::value(&format!("/grant_types/{place}"), "stands there twice")),
        None => Ok(list),
    }
}

pub(super) fn few<T>(pointer: &str, list: &[T], most: usize) -> Result<(), Refused> {
    match list.len() > most {
        true => Err(Refused::value(pointer, format!("must be at most {most}"))),
        false => Ok(()),
    }
}

pub(super) fn jwks(keys: &Value) -> Result<Value, Refused> {
    public_key_set(keys.to_string().as_bytes()).map_err(|error| Refused::value("/jwks", error.to_string()))
}

pub(super) fn redirect_uris(pointer: &str, list: &[String]) -> Result<Vec<RedirectUri>, Refused> {
    few(pointer, list, MOST_URIS)?;
    let read = |(place, text): (usize, &String)| registered(&format!("{pointer}/{place}"), text);
    list.iter().enumerate().map(read).collect()
}

/// Asked by us, through the guard (threats C27).
pub(super) fn request_uris(list: &[String]) -> Result<Vec<RequestUri>, Refused> {
    let read = |(place, text): (usize, &String)| {
        let wrong = |error| {
            Refused::value(&format!("/request_uris/{place}"), format!("cannot be registered: {error}"))
        };
        RequestUri::register(text).map_err(wrong)
    };
    list.iter().enumerate().map(read).collect()
}

/// Threats C26.
pub(super) fn registered(pointer: &str, text: &str) -> Result<RedirectUri, Refused> {
    RedirectUri::register(text)
        .map_err(|error| Refused::value(pointer, format!("cannot be registered: {error}")))
}

/// As where people are sent; told by us, it is asked through the guard as well (threats C27).
pub(super) fn web_address(pointer: &str, text: &str) -> Result<WebAddress, Refused> {
    WebAddress::register(text)
        .map_err(|error| Refused::value(pointer, format!("cannot be registered: {error}")))
}

pub(super) fn scopes(list: Vec<String>) -> Result<Vec<String>, Refused> {
    let unknown = list.iter().position(|scope| !scope::SUPPORTED.contains(&scope.as_str()));
    if let Some(place) = unknown {
        let rule = format!("must be one of {}", scope::SUPPORTED.join(", "));
        return Err(Refused::value(&format!("/scopes/{place}"), rule));
    }
    few("/scopes", &list, scope::SUPPORTED.len())?;
    Ok(list)
}

pub(super) fn algorithm(pointer: &str, algorithm: Algorithm) -> Result<Algorithm, Refused> {
    if ALGORITHMS.contains(&algorithm) {
        return Ok(algorithm);
    }
    Err(Refused::value(pointer, "must be RS256, ES256 or EdDSA"))
}

/// Each as a browser writes it, and once (threats M16).
pub(super) fn cors_origins(list: &[String]) -> Result<Vec<WebOrigin>, Refused> {
    few("/cors_origins", list, MOST_ORIGINS)?;
    let read = |(place, text): (usize, &String)| {
        let at = format!("/cors_origins/{place}");
        if list[..place].contains(text) {
            return Err(Refused::value(&at, "stands there twice"));
        }
        WebOrigin::register(text)
            .map_err(|error| Refused::value(&at, format!("cannot be registered: {error}")))
    };
    list.iter().enumerate().map(read).collect()
}

pub(super) fn audiences(pointer: &str, list: Vec<String>) -> Result<Vec<String>, Refused> {
    few(pointer, &list, MOST_AUDIENCES)?;
    match list.iter().position(|audience| !is_line(audience, LONGEST_AUDIENCE)) {
        Some(place) => {
            let rule = format!("must be one line of at most {LONGEST_AUDIENCE} characters");
            Err(Refused::value(&format!("{pointer}/{place}"), rule))
        }
        None => Ok(list),
    }
}
