//! A login on its way, from the application that sent the person to the organization they act for.
//!
//! A state holds exactly what is known in it. [`Ready`] is the only thing that `login/issue` accepts, and only
//! [`Login::ready`] makes one: issuing before an organization is chosen cannot be written.

use serde::{Deserialize, Serialize};

use crate::foundation::clock::Moment;
use crate::foundation::email::Email;
use crate::foundation::id::{
    ApplicationId, ConnectionId, DelegationId, FlowId, GrantId, OrganizationId, ProjectId, SessionId, UserId,
};
use crate::foundation::secret::Digest;
use crate::model::application::Application;
use crate::model::identity::{IdentityFacts, Naming};
use crate::model::session::{Acr, Assurance, UpstreamSession};
use crate::model::user::{Profile, User};
use crate::protocol::oauth::claims_parameter::{AcrAsked, Named};
use crate::protocol::oauth::error::OAuthError;
use crate::protocol::oauth::organization::NamedOrganization;
use crate::protocol::oauth::response_mode::ResponseMode;
use crate::protocol::oauth::scope;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Login {
    pub id: FlowId,
    pub project: ProjectId,
    /// Of the cookie that binds the flow to the browser in which it began (threats C28).
    pub browser: Digest,
    /// In every form of this flow.
    pub csrf: String,
    pub started_at: Moment,
    pub asked: Asked,
    #[serde(default)]
    pub beforehand: Beforehand,
    /// Of the name under which the request was pushed beforehand, if it was: this flow has used it up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pushed: Option<Digest>,
    /// How often it has begun again. What was under way by then finds it changed, even where it stands at the same stage.
    #[serde(default)]
    pub restarts: u32,
    /// Whether a session was not good enough for where they go, and they prove once more who they are: by our wish, and not
    /// by the application's.
    #[serde(default)]
    pub proves_again: bool,
    /// What they picked when their session had become too old for that: it is kept while they prove anew who they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub picked: Option<Picked>,
    pub stage: Stage,
}

impl Login {
    /// Whether they have to prove anew who they are, whatever session they have.
    pub fn reauthenticates(&self) -> bool {
        self.proves_again || self.asked.prompt.login || self.asked.max_age == Some(0)
    }

    /// Whether the application wants it said when they proved who they are.
    pub fn wants_the_moment(&self) -> bool {
        self.asked.prompt.login || self.asked.max_age.is_some()
    }
}

/// What the application asked for, checked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Asked {
    pub application: ApplicationId,
    pub redirect_uri: String,
    /// Whether the request named it (RFC 6749, section 4.1.3).
    pub redirect_uri_given: bool,
    /// How the answer is to travel.
    #[serde(default)]
    pub response_mode: ResponseMode,
    pub state: Option<String>,
    pub nonce: Option<String>,
    pub scopes: Vec<String>,
    pub code_challenge: Option<String>,
    /// The thumbprint of the key that whoever redeems the code must hold.
    #[serde(default)]
    pub dpop_jkt: Option<String>,
    pub prompt: Prompt,
    /// Seconds.
    pub max_age: Option<u64>,
    pub login_hint: Option<String>,
    /// Whom an ID token of ours named, if one came as a hint.
    pub hinted_user: Option<UserId>,
    pub domain_hint: Option<String>,
    /// An id or slug, still to be looked up within what the application may use.
    pub connection: Option<String>,
    pub organization: OrganizationAsked,
    pub ui_locales: Option<String>,
    /// How the person is to have proved who they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acr: Option<AcrAsked>,
    /// Claims that are wanted beyond what the scopes give.
    #[serde(default, skip_serializing_if = "Named::is_empty")]
    pub claims: Named,
    /// For which audiences the access tokens are to be; empty: for all that the application has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<String>,
    /// Of the link that they came by, if they are invited: then they become a member, and nobody is given a code.
    #[serde(default)]
    pub invitation: Option<Digest>,
    /// Of an invitation that the application sent them with: they get a code all the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<Ticket>,
    /// Where they go on who came for themselves, by a path of ours; absent: to their account.
    #[serde(default)]
    pub onward: Option<String>,
    /// What they typed the code of, if it is a device that waits: it is answered where it asks, and nobody here is.
    #[serde(default)]
    pub device: Option<DeviceShown>,
}

/// An invitation that an application knows of. Nobody joins by it who has not said on our page that they want to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ticket {
    pub token: Digest,
    pub is_wanted: bool,
}

impl Ticket {
    /// As the application sends it: the person has not been asked.
    pub fn not_yet_wanted(token: Digest) -> Self {
        Self { token, is_wanted: false }
    }
}

/// A device as it is shown to whoever is to let it in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceShown {
    /// Of the family that comes of it.
    pub id: GrantId,
    /// As the device shows it.
    pub user_code: String,
    /// From where it asked, and when.
    pub address: String,
    pub asked_at: Moment,
}

impl Asked {
    /// Nothing beyond who somebody is, of a login that goes nowhere; the application is whose policy holds.
    pub fn by(application: ApplicationId) -> Self {
        Self {
            application,
            redirect_uri: String::new(),
            redirect_uri_given: false,
            response_mode: ResponseMode::default(),
            state: None,
            nonce: None,
            scopes: Vec::new(),
            code_challenge: None,
            dpop_jkt: None,
            prompt: Prompt::default(),
            max_age: None,
            login_hint: None,
            hinted_user: None,
            domain_hint: None,
            connection: None,
            organization: OrganizationAsked::Unsaid,
            ui_locales: None,
            acr: None,
            claims: Named::default(),
            resources: Vec::new(),
            invitation: None,
            ticket: None,
            onward: None,
            device: None,
        }
    }

    /// Whether an application waits for an answer at its redirect URI.
    pub fn is_answered(&self) -> bool {
        self.invitation.is_none() && self.device.is_none() && self.application != Application::HOUSE
    }

    /// The invitation that whoever signs in accepts.
    pub fn accepts(&self) -> Option<Digest> {
        let wanted = self.ticket.filter(|ticket| ticket.is_wanted).map(|ticket| ticket.token);
        self.invitation.or(wanted)
    }

    /// The invitation that they have not been asked about.
    pub fn undecided(&self) -> Option<Digest> {
        self.ticket.filter(|ticket| !ticket.is_wanted).map(|ticket| ticket.token)
    }

    /// Whether somebody who proved who they are in this way did it as it was asked for, or better.
    pub fn is_proved_by(&self, assurance: &Assurance) -> bool {
        let enough = |word: &String| Acr::from_word(word).is_some_and(|acr| assurance.is_at_least(acr));
        self.acr.as_ref().is_none_or(|asked| asked.values.iter().any(enough))
    }

    /// A hint at somebody else is not answered with whoever happens to be signed in.
    pub fn is_for(&self, user: &User) -> bool {
        let hinted = |hint: &String| match (hint.parse::<UserId>(), Email::parse(hint)) {
            (Ok(id), _) => id == user.id,
            (_, Ok(email)) => user.email == Some(email),
            // Neither: another system's name for somebody, which says nothing here.
            _ => true,
        };
        user.disabled_at.is_none()
            && self.hinted_user.is_none_or(|hinted| hinted == user.id)
            && self.login_hint.as_ref().is_none_or(hinted)
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Prompt {
    pub none: bool,
    pub login: bool,
    pub select_account: bool,
    pub select_organization: bool,
    /// Whether they are asked again what they have allowed before.
    pub consent: bool,
}

/// Whether and which organization was asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrganizationAsked {
    /// Nothing was said: the application's own setting decides.
    #[default]
    Unsaid,
    /// Scope `organization`: the only one, or ask.
    One,
    Named(NamedOrganization),
    /// Scope `organization:*`: all of them are listed, none is selected.
    All,
}

impl OrganizationAsked {
    /// What the scopes and the parameter agree on. Where they disagree, nothing is guessed.
    pub fn of(scopes: &[String], parameter: Option<&NamedOrganization>) -> Result<Self, OAuthError> {
        let said: Vec<_> = scopes.iter().filter_map(|one| scope::organization(one)).collect();
        let by_scope = said.iter().copied().filter(|name| !matches!(*name, "" | "*"));
        let named = NamedOrganization::agreed(
            by_scope.chain(parameter.into_iter().flat_map(NamedOrganization::texts)),
        )?;
        match (named, said.contains(&"*"), said.contains(&"")) {
            (None, true, true) | (Some(_), true, _) => Err(NamedOrganization::disagreement()),
            (None, true, false) => Ok(Self::All),
            (None, false, true) => Ok(Self::One),
            (None, false, false) => Ok(Self::Unsaid),
            // The bare scope asks for what a name says more precisely.
            (Some(named), false, _) => Ok(Self::Named(named)),
        }
    }

    /// The one that is asked for by its name.
    pub fn named(&self) -> Option<&NamedOrganization> {
        match self {
            Self::Named(named) => Some(named),
            _ => None,
        }
    }
}

/// What the person said of their organization before they signed in. It leads and proposes, and grants nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Beforehand {
    #[default]
    Unasked,
    /// They go on without naming one.
    Unsaid,
    /// By a slug or an id, as typed: there may be no such organization.
    Named(String),
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// An application sent somebody; who it is has not been said.
    Arrived(Arrived),
    /// They said who they are, and several identity providers answer for that.
    Resolved(Resolved),
    /// They were sent to an identity provider.
    Away(Box<Away>),
    /// It vouched for somebody in a message that another site made some browser post. That browser was given a ticket;
    /// it is still to show that it is the one that went, too.
    Vouched(Vouched),
    /// An identity provider vouched for them.
    Authenticated(Authenticated),
    /// They said for which organization they act.
    Acting(Acting),
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Arrived {
    /// The person chose to be somebody else than whom the hints and the session say.
    pub another_account: bool,
    /// Their provider did not say when they proved who they are, which the application must know: that is what it is told
    /// if they go back now.
    #[serde(default)]
    pub unproved: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Resolved {
    pub email: Option<Email>,
    pub connections: Vec<ConnectionId>,
}

/// What the return from the identity provider must match.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Away {
    pub email: Option<Email>,
    pub connection: ConnectionId,
    pub version: i64,
    pub awaited: Awaited,
    pub left_at: Moment,
    /// The person must prove who they are again: an older proof is refused.
    pub reauthenticate: bool,
    /// Seconds that the proof may be old.
    pub max_age: Option<u64>,
    /// An answer that does not say when they proved it is refused.
    pub wants_the_moment: bool,
}

/// By what an answer shows that it answers this outing.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Awaited {
    Oidc(AwaitedOidc),
    Saml(AwaitedSaml),
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AwaitedOidc {
    /// Of the `state` parameter.
    pub state: Digest,
    pub nonce: String,
    pub pkce_verifier: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AwaitedSaml {
    /// The ID of our request, which the answer's `InResponseTo` repeats.
    pub request: String,
    /// Of `RelayState`.
    pub relay_state: Digest,
}

/// What an identity provider proved. Only a verified answer makes one.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Proof {
    pub connection: ConnectionId,
    /// Of the connection's settings under which the person was sent away.
    pub version: i64,
    pub issuer: String,
    pub subject: String,
    pub email: Option<Email>,
    /// Another address by which the provider names the person: it must be one that the connection may assert, too.
    pub named_by: Option<Email>,
    /// Whether the provider does not itself say that the address is unproved.
    pub vouched: bool,
    pub profile: Profile,
    pub assurance: Assurance,
    /// As the provider says; where it does not, when its answer came.
    pub authenticated_at: Moment,
    /// Whether that is only taken for the moment.
    pub is_assumed: bool,
    /// When the provider said so, by its own clock where it tells.
    pub issued_at: Moment,
    /// When the provider wants the session to end.
    pub session_until: Option<Moment>,
    /// What proves once and never again.
    pub single_use: Option<SingleUse>,
    /// What the provider said beyond the profile.
    #[serde(default)]
    pub facts: IdentityFacts,
    /// What of its answer the subject is.
    #[serde(default)]
    pub naming: Naming,
    /// What a logout at the provider will name.
    pub upstream_session: Option<UpstreamSession>,
    /// What the provider said and we could not repeat as it was said, for the connection's administrator.
    pub left_out: Vec<String>,
}

impl Proof {
    /// What the provider calls the person, as it has written it.
    pub fn written(&self) -> &str {
        let name = self.upstream_session.as_ref().and_then(|session| session.name.as_ref());
        match self.naming {
            Naming::NameId { .. } => name.map_or(self.subject.as_str(), |name| name.value.as_str()),
            _ => &self.subject,
        }
    }
}

/// A proof that waits for the browser which brought the answer. The proof is had only by saying what it is to answer:
/// a ticket opens the one door that it was given for (threats H09).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PutAside {
    answers: Answers,
    proved: Proved,
}

/// What an answer proves.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Proved {
    Who(Box<Proof>),
    /// That somebody said at this moment who they are, which is too long ago for what was asked.
    TooLongAgo {
        connection: ConnectionId,
        at: Moment,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Answers {
    Flow(FlowId),
    Nothing,
}

impl PutAside {
    /// Of an answer to what was asked in this flow.
    pub fn of_flow(flow: FlowId, proof: Proof) -> Self {
        Self { answers: Answers::Flow(flow), proved: Proved::Who(Box::new(proof)) }
    }
    /// Of one by which they proved too long ago, at this moment, who they are.
    pub fn too_long_ago(flow: FlowId, connection: ConnectionId, at: Moment) -> Self {
        Self { answers: Answers::Flow(flow), proved: Proved::TooLongAgo { connection, at } }
    }
    /// Of an answer that nobody had asked for.
    pub fn of_nothing(proof: Proof) -> Self {
        Self { answers: Answers::Nothing, proved: Proved::Who(Box::new(proof)) }
    }
    /// Whose answer it is.
    pub fn connection(&self) -> ConnectionId {
        match &self.proved {
            Proved::Who(proof) => proof.connection,
            Proved::TooLongAgo { connection, .. } => *connection,
        }
    }
    /// For the browser that holds this flow's cookie: the proof, or when it was that is too long ago.
    pub fn for_flow(self, flow: FlowId) -> Option<Result<Proof, Moment>> {
        (self.answers == Answers::Flow(flow)).then_some(match self.proved {
            Proved::Who(proof) => Ok(*proof),
            Proved::TooLongAgo { at, .. } => Err(at),
        })
    }
    /// For a browser without a flow, at the connection that takes such answers.
    pub fn for_nothing(self, connection: &str) -> Option<Proof> {
        match self.proved {
            Proved::Who(proof)
                if self.answers == Answers::Nothing && proof.connection.to_string() == connection =>
            {
                Some(*proof)
            }
            _ => None,
        }
    }
}

/// An id that is remembered for as long as its message could be believed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SingleUse {
    pub id: String,
    pub until: Moment,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Vouched {
    pub connection: ConnectionId,
    /// Of the ticket that the browser was given which brought the answer: whoever has begun the flow, and made somebody
    /// else bring theirs, does not have it (threats H09).
    pub ticket: Digest,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Authenticated {
    pub session: SessionId,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Acting {
    pub session: SessionId,
    pub context: Context,
    /// Whether the person picked it on our page.
    pub by_hand: bool,
}

/// In whose name somebody acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Context {
    /// In their own: the tokens name no organization.
    Personal,
    /// As a member.
    Member(OrganizationId),
    /// On behalf of `target`, which is not theirs.
    Delegate { target: OrganizationId, delegation: DelegationId },
}

impl Context {
    pub fn organization(self) -> Option<OrganizationId> {
        match self {
            Self::Personal => None,
            Self::Member(id) | Self::Delegate { target: id, .. } => Some(id),
        }
    }
    pub fn delegation(self) -> Option<DelegationId> {
        match self {
            Self::Delegate { delegation, .. } => Some(delegation),
            _ => None,
        }
    }
}

/// For whom somebody has said on our page that they act: nobody else has said it by that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Picked {
    pub user: UserId,
    pub context: Context,
}

/// Somebody who may be given a code: authenticated, and acting for a chosen organization.
#[derive(Debug)]
pub struct Ready {
    login: Login,
    acting: Acting,
}

impl Ready {
    pub fn asked(&self) -> &Asked {
        &self.login.asked
    }
    pub fn session(&self) -> SessionId {
        self.acting.session
    }
    pub fn context(&self) -> Context {
        self.acting.context
    }
}

/// The flow is not where this step would have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the login is not at this step")]
pub struct WrongStage;

impl Login {
    /// Whose answer is awaited or was taken: the flow's id, as it stands in our request's.
    pub fn of_request(request: &str) -> Option<FlowId> {
        request.strip_prefix('_')?.split_once('.')?.0.parse().ok()
    }

    /// Only a login whose organization is chosen is ready, and only one whose answer an application waits for.
    pub fn ready(self) -> Result<Ready, WrongStage> {
        match self.stage.clone() {
            Stage::Acting(acting) if self.asked.is_answered() => Ok(Ready { login: self, acting }),
            _ => Err(WrongStage),
        }
    }

    /// The same for a device: the person has said that they let it in.
    pub fn lets_in(self) -> Result<(Ready, DeviceShown), WrongStage> {
        match (self.stage.clone(), self.asked.device.clone()) {
            (Stage::Acting(acting), Some(device)) => Ok((Ready { login: self, acting }, device)),
            _ => Err(WrongStage),
        }
    }

    /// What the person was sent away with, if it was to an OpenID provider with this `state`.
    pub fn awaits_state(&self, state: &str) -> Result<(&Away, &AwaitedOidc), WrongStage> {
        match &self.stage {
            Stage::Away(away) => match &away.awaited {
                Awaited::Oidc(awaited) if awaited.state.matches(state) => Ok((away, awaited)),
                _ => Err(WrongStage),
            },
            _ => Err(WrongStage),
        }
    }

    /// What the person was sent away with, if it was to this SAML identity provider.
    pub fn awaits_saml(&self, connection: ConnectionId) -> Result<(&Away, &AwaitedSaml), WrongStage> {
        match &self.stage {
            Stage::Away(away) if away.connection == connection => match &away.awaited {
                Awaited::Saml(awaited) => Ok((away, awaited)),
                Awaited::Oidc(_) => Err(WrongStage),
            },
            _ => Err(WrongStage),
        }
    }

    /// The organization that the application names, or else the person.
    pub fn organization_named(&self) -> Option<&str> {
        match (&self.asked.organization, &self.beforehand) {
            (OrganizationAsked::Named(named), _) => Some(named.name()),
            (_, Beforehand::Named(name)) => Some(name),
            _ => None,
        }
    }

    /// Begins again, as somebody else.
    pub fn restart(&mut self) {
        self.stage = Stage::Arrived(Arrived { another_account: true, unproved: false });
        self.beforehand = Beforehand::Unasked;
        self.picked = None;
        self.restarts = self.restarts.wrapping_add(1);
        // The identity provider is to ask as well, or it would answer with the same person again.
        self.asked.prompt.select_account = true;
    }

    /// The session of somebody who is authenticated.
    pub fn session(&self) -> Option<SessionId> {
        match &self.stage {
            Stage::Authenticated(Authenticated { session }) | Stage::Acting(Acting { session, .. }) => {
                Some(*session)
            }
            _ => None,
        }
    }
}
