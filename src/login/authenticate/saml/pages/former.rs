//! An answer that is refused, held against the version that was live before.

use super::Answered;
use crate::broker::connection_return;
use crate::login::Stop;
use crate::login::counted::Evidence;
use crate::login::diagnosis::Diagnosis;
use crate::login::doorstep::Told;
use crate::model::connection::Connection;
use crate::model::login::Away;

/// What is held against two versions costs twice: an answer of a provider is no larger, and encrypted once.
const LARGEST: usize = 64 * 1024;
const MOST_RECIPIENTS: usize = 1;

impl Answered<'_> {
    /// What cannot be verified may be anybody's. But if this version has never worked, and the one before it would have
    /// taken the very same answer to the very same question, then it may be the version that is wrong. Or whoever answers
    /// has a key that was taken away: so it counts as nobody's who is known.
    pub(super) async fn held_against_former(&self, diagnosis: Diagnosis) -> Told {
        if !diagnosis.refusal.is_of_the_settings() || !self.is_like_a_providers() {
            return diagnosis.into();
        }
        let former = match self.former().await {
            Ok(former) => former,
            Err(stop) => return Told::Stop(stop),
        };
        let Some(connection) = former.as_ref().and_then(Connection::saml) else { return diagnosis.into() };
        match (Answered { posted: self.posted, connection }).verified().await {
            Ok(assertion) => {
                let evidence = self.evidence(&diagnosis, &assertion).map(Evidence::unbelieved);
                diagnosis.showing(evidence).into()
            }
            Err(_) => diagnosis.into(),
        }
    }

    /// Whether it may be what a provider says, and not what somebody has made up to be dear (threats M10).
    fn is_like_a_providers(&self) -> bool {
        self.xml.len() <= LARGEST
            && self.document.is_ok_and(|document| document.recipients() <= MOST_RECIPIENTS)
    }

    /// The connection as it was before, if it is still watched whether this one works.
    async fn former(&self) -> Result<Option<Connection>, Stop> {
        let Some(login) = self.login else { return Ok(None) };
        let is_of_this = |away: &Away| away.version == self.connection.version;
        if !login.awaits_saml(self.connection.id).is_ok_and(|(away, _)| is_of_this(away)) {
            return Ok(None);
        }
        let broker = self.visitor.broker();
        Ok(connection_return::former(&mut &broker.db, &self.connection, broker.now()).await?)
    }
}
