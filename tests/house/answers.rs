//! What callers of the administration API are told, as stories hold it against what should be.

use reqwest::Method;
use serde_json::{Value, json};

use super::api::Api;
use super::broker::House;
use super::visitor::Answer;

/// The status, and the code; of what is no refusal, none.
pub fn told(answer: &Answer) -> (u16, String) {
    let code = if answer.body.is_empty() { Value::Null } else { answer.json()["code"].clone() };
    (answer.status.as_u16(), code.as_str().unwrap_or_default().to_owned())
}

/// As [`told`] tells it.
pub fn refusal(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

/// What is answered where all is well.
pub fn fine(answer: Answer) -> Value {
    assert!(answer.status.is_success(), "{}: {}", answer.status, answer.body);
    if answer.body.is_empty() { Value::Null } else { answer.json() }
}

/// Refused for this, and nothing was stored.
pub async fn refuses(house: &House, attempt: impl Future<Output = Answer>, (status, code): (u16, &str)) {
    let before = house.before().await;
    let answer = attempt.await;
    assert_eq!((answer.status.as_u16(), &answer.json()["code"]), (status, &json!(code)), "{}", answer.body);
    house.refused(&before, code).await;
}

pub async fn delete(api: &Api, path: &str) -> Answer {
    api.send(Method::DELETE, path, |ask| ask).await
}
