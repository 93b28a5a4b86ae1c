//! The status of a response (SAML Core, section 3.2.2).

use super::names::{self, status};
use super::refused::{Check, Refused};
use super::xml::{Element, Writer};

const MAX_CODE: usize = 200;
const MAX_MESSAGE: usize = 500;
const PREFIX: &str = "urn:oasis:names:tc:SAML:2.0:status:";

/// How it went, in the words of the other side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// The outer code: success, or whose fault it is.
    pub code: String,
    /// The code within, which says what went wrong.
    pub subcode: Option<String>,
    pub message: Option<String>,
}

impl Status {
    pub fn success() -> Self {
        Self::new(status::SUCCESS, None)
    }
    pub fn new(code: &str, subcode: Option<&str>) -> Self {
        Self { code: code.to_owned(), subcode: subcode.map(str::to_owned), message: None }
    }
    pub fn is_success(&self) -> bool {
        self.code == status::SUCCESS
    }
    /// Whether it says this, inside or outside.
    pub fn says(&self, code: &str) -> bool {
        self.code == code || self.subcode.as_deref() == Some(code)
    }
    /// `Responder/NoPassive (a message)`: without the prefix that all codes of SAML share.
    pub fn shown(&self) -> String {
        let codes = [Some(self.code.as_str()), self.subcode.as_deref()];
        let short: Vec<_> =
            codes.into_iter().flatten().map(|code| code.strip_prefix(PREFIX).unwrap_or(code)).collect();
        match &self.message {
            None => short.join("/"),
            Some(message) => format!("{} ({message})", short.join("/")),
        }
    }

    pub(super) fn read(response: Element<'_>) -> Result<Self, Refused> {
        let status = response.required(names::PROTOCOL, "Status")?;
        let code = status.required(names::PROTOCOL, "StatusCode")?;
        let subcode = code.child(names::PROTOCOL, "StatusCode")?;
        let message = status.child(names::PROTOCOL, "StatusMessage")?;
        Ok(Self {
            code: value(code)?,
            subcode: subcode.map(value).transpose()?,
            message: message.map(|message| message.text()).transpose()?.and_then(|text| short(&text)),
        })
    }

    pub(super) fn write(&self, writer: &mut Writer) {
        writer.open("samlp:Status").open("samlp:StatusCode").attr("Value", &self.code);
        if let Some(subcode) = &self.subcode {
            writer.open("samlp:StatusCode").attr("Value", subcode).close();
        }
        writer.close();
        if let Some(message) = &self.message {
            writer.leaf("samlp:StatusMessage", message);
        }
        writer.close();
    }

    /// Anything but success ends the reading of a response.
    pub(super) fn must_be_success(&self) -> Result<(), Refused> {
        if self.is_success() { Ok(()) } else { Err(Refused::new(Check::Status, "Success", self.shown())) }
    }
}

fn value(code: Element<'_>) -> Result<String, Refused> {
    let value = code.attr("Value").unwrap_or_default();
    super::message::bounded(value, MAX_CODE, Check::Status)
}

fn short(text: &str) -> Option<String> {
    let text: String = text.trim().chars().take(MAX_MESSAGE).collect();
    (!text.is_empty()).then_some(text)
}
