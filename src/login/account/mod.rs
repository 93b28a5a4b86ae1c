//! Somebody signs in for themselves, and no application waits: they end at their account.

pub mod pages;

use crate::model::application::Application;
use crate::model::login::{Asked, Prompt};
use crate::protocol::oauth::params::append;

/// Where they end.
const ACCOUNT: &str = "/account";

/// What is asked of such a login. `again`: whoever is signed in proves it anew. `another`: they want to be somebody else.
/// `onward`: where they end instead.
pub fn asked((again, another): (bool, bool), onward: Option<String>, ui_locales: Option<String>) -> Asked {
    Asked {
        prompt: Prompt { login: again, select_account: another, ..Prompt::default() },
        ui_locales,
        onward,
        ..Asked::by(Application::HOUSE)
    }
}

/// Where it ends, in the language in which it began.
pub fn end(asked: &Asked) -> String {
    match (&asked.onward, &asked.ui_locales) {
        (Some(onward), _) => onward.clone(),
        (None, Some(locales)) => append(ACCOUNT, [("ui_locales", locales.as_str())]),
        (None, None) => ACCOUNT.to_owned(),
    }
}
