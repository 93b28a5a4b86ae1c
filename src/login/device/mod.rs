//! Somebody who is signed in types the code that a device shows (RFC 8628, section 3.3), at another device, and says whether
//! that one is let in. How often they may guess is bounded for each code, each person and each project (section 5.1; threats
//! H23): no stranger uses that up.

pub mod pages;

use std::time::Duration;

use super::Stop;
use super::refusal::Refusal;
use crate::foundation::id::UserId;
use crate::keys::user_codes;
use crate::model::application::Application;
use crate::model::device::{DeviceCode, UserCode};
use crate::model::login::{Asked, DeviceShown, Prompt};
use crate::store::durable::{applications, device_codes};
use crate::store::ephemeral::Kind;
use crate::web::visitor::Visitor;

/// For as long as a code may live: whoever has guessed too often cannot go on with the same codes.
const WINDOW: Duration = Duration::from_secs(600);
/// Codes that somebody may get wrong in it.
const WRONG_OF_A_PERSON: u64 = 5;
/// The same of all people together: 500 guesses at a thousand codes that wait hit one in fifty thousand times.
const WRONG_OF_A_PROJECT: u64 = 500;
/// How often one code is typed at most: nobody needs more, but for whoever leads many to it.
const ENTRIES: i64 = 10;

/// What is asked of a login that somebody begins by typing this.
async fn asked(visitor: &Visitor, user: UserId, typed: &str) -> Result<(Asked, Application), Stop> {
    let guess = Guess::begin(visitor, user).await?;
    let unknown = Refusal::UserCodeUnknown;
    let code = UserCode::parse(typed).ok_or(unknown.clone())?;
    let (broker, project) = (visitor.broker(), visitor.project.id);
    let (digest, now) = (user_codes::digest(&broker.keyring, project, &code), broker.now());
    let found =
        broker.db.write(async move |tx| device_codes::enter(tx, project, digest, ENTRIES, now).await).await?;
    let device = found.ok_or(unknown.clone())?;
    guess.was_right(visitor).await?;
    let application = applications::by_id(&mut &broker.db, project, device.application_id).await?;
    let application = application.filter(|application| application.is_enabled()).ok_or(unknown)?;
    let mut asked = of(device, &code, visitor.ui_locales.clone());
    asked.max_age = application.settings.requests.default_max_age;
    Ok((asked, application))
}

/// Counted before it is judged, so that many at once are no more than many one by one.
struct Guess(Vec<(String, u64)>);

impl Guess {
    async fn begin(visitor: &Visitor, user: UserId) -> Result<Self, Stop> {
        let project = visitor.project.id;
        let counts = vec![
            (format!("user codes {user}"), WRONG_OF_A_PERSON),
            (format!("user codes {project}"), WRONG_OF_A_PROJECT),
        ];
        for (key, most) in &counts {
            if visitor.broker().ephemeral.count(Kind::RateCounter, key, WINDOW).await? > *most {
                return Err(Refusal::TooManyRequests.into());
            }
        }
        Ok(Self(counts))
    }

    async fn was_right(self, visitor: &Visitor) -> Result<(), Stop> {
        for (key, _) in &self.0 {
            visitor.broker().ephemeral.uncount(Kind::RateCounter, key).await?;
        }
        Ok(())
    }
}

fn of(device: DeviceCode, code: &UserCode, ui_locales: Option<String>) -> Asked {
    let request = device.request;
    Asked {
        scopes: request.scopes,
        prompt: Prompt {
            none: false,
            login: request.login,
            select_account: request.select_account,
            select_organization: request.select_organization,
            consent: false,
        },
        organization: request.organization,
        ui_locales,
        device: Some(DeviceShown {
            id: device.id,
            user_code: code.to_string(),
            address: request.address,
            asked_at: device.created_at,
        }),
        // Nobody is answered at a redirect URI: the device is told where it asks.
        ..Asked::by(device.application_id)
    }
}
