//! An address at which we would never ask is refused where it is said, and not told by logins and sign-outs that fail
//! (threats C27, M03).

use super::wanted::Wanted;
use super::{Sector, usual};
use crate::broker::Broker;
use crate::egress::guard::{Guard, Refusal};
use crate::foundation::id::{ApplicationId, ProjectId};
use crate::manage::refused::{Code, Refused};
use crate::model::application::{ApplicationKind, ApplicationSettings};

/// Refuses whatever the guard would never let out, each at its pointer, in the words that `told` has for whoever reads them.
pub fn may_be_asked(
    guard: &Guard,
    settings: &ApplicationSettings,
    told: impl Fn(Refusal) -> String,
) -> Result<(), Refused> {
    let mut shut = Vec::new();
    for (name, url) in settings.asked() {
        if let Err(refusal) = guard.check(url) {
            shut.push((
                format!("/{name}"),
                format!("is no address that is asked from here: {}", told(refusal)),
            ));
        }
    }
    if shut.is_empty() { Ok(()) } else { Err(Refused::listing(Code::AddressNotAllowed, shut)) }
}

impl Wanted {
    /// What has to be known of its addresses before the transaction begins: nothing may be asked while others wait for the
    /// database. What is not said now was looked at when it was.
    pub async fn looked_at(
        mut self,
        broker: &Broker,
        project: ProjectId,
        changed: Option<ApplicationId>,
    ) -> Result<Self, Refused> {
        let mut said = usual(ApplicationKind::Web);
        self.over(&mut said);
        may_be_asked(&Guard::new(&broker.config.egress), &said, |refusal| refusal.public().to_owned())?;
        self.sector = Sector::of_change(broker, project, changed, &self).await?;
        Ok(self)
    }
}
