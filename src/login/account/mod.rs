//! Somebody signs in for themselves, and no application waits: they end at their account.

pub mod pages;

use crate::model::application::Application;
use crate::model::login::{Asked, OrganizationAsked, Prompt};
use crate::protocol::oauth::claims_parameter::Named;
use crate::protocol::oauth::response_mode::ResponseMode;

/// Where they end.
pub const ACCOUNT: &str = "/account";

/// What is asked of such a login. `again`: whoever is signed in proves it anew. `onward`: where they end instead.
pub fn asked(again: bool, onward: Option<String>, ui_locales: Option<String>) -> Asked {
    Asked {
        application: Application::HOUSE,
        redirect_uri: String::new(),
        redirect_uri_given: false,
        response_mode: ResponseMode::default(),
        state: None,
        nonce: None,
        scopes: Vec::new(),
        code_challenge: None,
        dpop_jkt: None,
        prompt: Prompt { login: again, ..Prompt::default() },
        max_age: None,
        login_hint: None,
        hinted_user: None,
        domain_hint: None,
        connection: None,
        organization: OrganizationAsked::Unsaid,
        ui_locales,
        acr: None,
        claims: Named::default(),
        resources: Vec::new(),
        invitation: None,
        onward,
        device: None,
    }
}
